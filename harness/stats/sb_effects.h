/*
 * effects: what each switch brings where every combination of the switches was measured. Pure functions, as all of
 * stats: nothing here allocates, prints or keeps state. Uses base and the intervals of sb_stats.h.
 *
 * A lattice is one value for each of the 2^k combinations of k switches. Arm a is the one in which switch i is on when
 * bit i of a is set: arm 0 is `before`, arm 2^k - 1 has everything on. Values are on a scale where effects add: the
 * logarithm of a time, whose effects are then ratios, or bytes as they are.
 */
#ifndef SB_EFFECTS_H
#define SB_EFFECTS_H

#include "sb_stats.h"

#define SB_LATTICE_MAX      4 /* switches */
#define SB_LATTICE_ARMS_MAX (1 << SB_LATTICE_MAX)

/* ---- one block: y[1 << k], all finite, 1 <= k <= SB_LATTICE_MAX ----------------------------------------------- */

/*
 * The factorial contrast of a set of switches (bit i: switch i), not empty: the sum of y over the arms in which an even
 * number of the set is off, minus the sum over the others, over 2^(k-1). Of one switch that is the mean of y with it on
 * minus the mean with it off (its main effect); of two, half of what the effect of one changes when the other is on.
 * Source: Yates, The design and analysis of factorial experiments, Imperial Bureau of Soil Science, Technical
 * Communication 35, 1937; the sign table of any textbook since.
 */
double sb_lattice_contrast(const double *y, int k, unsigned set);

/* The effect of switch i where switch j (not i) is on or off, averaged over the levels of all others. */
double sb_lattice_effect_at(const double *y, int k, int i, int j, bool on);

/*
 * value[k]: what each switch adds on its way from arm 0 to the last arm, averaged over all k! orders in which they can
 * be switched on. The values sum to y[last] - y[0]; a switch that never changes anything has 0, two that always do the
 * same have the same.
 * Source: Shapley, A value for n-person games, Contributions to the Theory of Games II, Princeton, 1953.
 */
void sb_lattice_shapley(const double *y, int k, double *value);

/* ---- all blocks ----------------------------------------------------------------------------------------------- */

struct sb_lattice {
	const double *y; /* [n_blocks][1 << k], block by block; NAN: that arm has no value in that block */
	int n_blocks, k;
	double level; /* of the intervals: sb_stats_level() */
};

struct sb_lattice_effects {
	int blocks;   /* in which every arm has a finite value */
	int left_out; /* the others: their values are used nowhere */

	struct sb_interval total;                                 /* last arm - first arm */
	struct sb_interval main[SB_LATTICE_MAX];                  /* [i] */
	struct sb_interval at[SB_LATTICE_MAX][SB_LATTICE_MAX][2]; /* [i][j][j is on], j != i */
	/* [i][j], the same as [j][i]: at[i][j][1] - at[i][j][0], block by block; twice the contrast of the two. */
	struct sb_interval pair[SB_LATTICE_MAX][SB_LATTICE_MAX];
	/*
	 * [i]: the part of the total that is switch i's (sb_lattice_shapley() over the total of the block). Medians of
	 * shares that sum to 1 in every block need not: all shares and their ends are divided by the sum, share_sum.
	 * Negative for a switch that takes away what others give.
	 */
	struct sb_interval share[SB_LATTICE_MAX];
	double share_sum;
	bool has_shares; /* false, and shares NAN, where the total is 0 or its interval holds 0: nothing to be shared */
};

/*
 * Each effect is computed in every whole block by itself, since arms of one block are paired; what is given is the
 * median over the blocks with its distribution-free interval (sb_stats_median_interval(), whose sources and limits
 * hold). Without a whole block everything is NAN and blocks is 0. scratch: room for 2 * n_blocks doubles.
 */
void sb_lattice_effects(const struct sb_lattice *l, double *scratch, struct sb_lattice_effects *out);

#endif
