/*
 * gate: two builds, arms or runs against each other, by pairs of worker processes. Part of stats: pure functions, which
 * allocate, print and keep nothing. Uses base.
 *
 * A process is the unit: trials of one process share its memory layout, clocks and luck, and pairs of trials would
 * call that a difference between builds. So every value here belongs to a process (the median of its trials), and a
 * pair is one process of A beside one of B, started one after the other.
 *
 * d[n] are log ratios log(median of B / median of A), > 0 where B is slower; sb_stats_log_ratios() makes them and drops
 * what is missing. n <= SB_GATE_MAX_PAIRS. Where n is too small, or a value is not finite, results are NAN and
 * has_interval is false: nothing is guessed.
 */
#ifndef SB_GATE_H
#define SB_GATE_H

#include "sb_stats.h"

#define SB_GATE_MAX_PAIRS 64

/* ---- pairs of processes ------------------------------------------------------------------------------------- */

/*
 * Whether B goes first in pair number `pair` (from 0). Pairs come in twos, A B B A or B A A B; which of them is drawn
 * from `seed` anew for each two. The twos cancel a steady drift, the draw makes order independent of whatever the
 * machine does (Fisher, The Design of Experiments, 1935: randomisation is what makes the test valid).
 */
bool sb_pairs_b_first(uint64_t seed, int pair);

/*
 * Median of the means of all couples of values, each with itself included. Hodges and Lehmann, Estimates of location
 * based on rank tests, Annals of Mathematical Statistics 34, 1963. As good as the mean for normal noise (95 %), and
 * not moved by a few wild pairs. NAN if n < 1.
 */
double sb_pairs_hodges_lehmann(const double *d, int n);

struct sb_flip_test {
	double p_greater; /* of a mean this large or larger, were B no slower than A */
	double p_less;
	double p_two;
	bool exact; /* all 2^n sign patterns were counted; else SB_PAIRS_DRAWS drawn ones and the one seen */
};
#define SB_PAIRS_EXACT 20    /* pairs up to which every sign pattern is counted */
#define SB_PAIRS_DRAWS 16383 /* p has a relative error of 1/sqrt(p * 16384): 5 % at p = 0.025 */
/*
 * Sign-flip test of the mean: if A and B are the same, each d could as well have the other sign, so the mean is held
 * against the means under all sign patterns. Fisher 1935, chapter 3; Pitman, Significance tests which may be applied
 * to samples from any populations, J. Royal Statistical Society Suppl. 4, 1937. Exact for every noise that is
 * symmetric about the effect, whatever its tails. Above SB_PAIRS_EXACT pairs patterns are drawn from a fixed seed, and
 * the pattern seen is counted among them (Phipson and Smyth, Permutation p-values should never be zero, 2010).
 * n = 0: every p is 1.
 */
void sb_pairs_sign_flip(const double *d, int n, struct sb_flip_test *out);

/*
 * Intervals for the effect at `level` in [0.5, 1); `coverage` is what the ranks give exactly, at least `level`.
 *
 * flip: mid = mean; the shifts that the sign-flip test does not refuse, which are order statistics of the means of all
 *   subsets of the pairs (Hartigan, Using subsample values as typical values, JASA 64, 1969).
 * rank: mid = Hodges-Lehmann; the shifts that Wilcoxon's signed rank test (the sign-flip test of ranks) does not
 *   refuse: order statistics of the means of couples (Tukey; Hollander, Wolfe and Chicken, Nonparametric Statistical
 *   Methods, 3rd ed., 3.3). Exact for any n, nothing drawn.
 * t: mid = mean; Student's, which needs normal noise.
 *
 * gate_simulation.c has the table of what they cover.
 */
void sb_pairs_flip_interval(const double *d, int n, double level, struct sb_interval *out);
void sb_pairs_rank_interval(const double *d, int n, double level, struct sb_interval *out);
void sb_pairs_t_interval(const double *d, int n, double level, struct sb_interval *out);

struct sb_rank_test {
	double p_greater; /* of a rank sum this large or larger, were the effect <= shift */
	double p_less;    /* the other way round */
	double excess;    /* rank sum of the positive less its mean, in units of the largest: >= 0 where HL >= shift */
};
/*
 * Wilcoxon's signed rank test of d - shift, one-sided each way. Individual comparisons by ranking methods, Biometrics
 * Bulletin 1, 1945. Equal values share the mean of their ranks; zeros are ranked and then have no sign to flip (Pratt,
 * Remarks on zeros and ties in the Wilcoxon signed rank procedures, JASA 54, 1959). The distribution is counted, not
 * approximated, with ties and zeros as they are. n = 0: both p are 1.
 */
void sb_pairs_signed_rank(const double *d, int n, double shift, struct sb_rank_test *out);

/* ---- old runs ------------------------------------------------------------------------------------------------ */

/*
 * Variance between runs of one thing, beyond what the processes within them explain, from k runs: x[i][n[i]] are logs
 * of process medians of run i. One-way random effects by analysis of variance, runs of unequal size (Searle, Casella
 * and McCulloch, Variance Components, 1992, 3.6). Never negative. *df: k - 1. NAN where no two runs have a process, or
 * none has two.
 */
double sb_runs_between_variance(const double *const *x, const int *n, int k, double *df);
/*
 * log(B / A) of two runs that were made at different times, from logs of process medians: the difference of their means
 * and Student's interval with variance s_a^2 / n_a + s_b^2 / n_b + 2 between, degrees of freedom by Satterthwaite (An
 * approximate distribution of estimates of variance components, Biometrics Bulletin 2, 1946). What changes a machine
 * between two runs does not average out over the processes of either, so without `between` (NAN) there is no interval.
 */
void sb_runs_compare(const double *a, int n_a, const double *b, int n_b, double between, double between_df,
        double level, struct sb_interval *out);

/* ---- what the tests above need ------------------------------------------------------------------------------- */

/* Regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22). */
double sb_stats_beta(double a, double b, double x);
/* t with P(|T| <= t) = level, for df degrees of freedom, which need not be whole. */
double sb_stats_t_critical(double df, double level);
/*
 * Upper bound of a rate of which `hits` of n were seen, one-sided at `level`: Clopper and Pearson, The use of
 * confidence or fiducial limits, Biometrika 26, 1934.
 */
double sb_stats_rate_upper(int hits, int n, double level);

#endif
