/*
 * stats: order statistics, intervals of a median, and when a run may stop. Pure functions: nothing here allocates,
 * prints, reads a clock or keeps state. Uses base.
 *
 * Values are finite (sb_stats_log_ratios() drops what is not). A function that has to sort works on a copy and leaves
 * the caller's array alone: `scratch` is room for n doubles, whose contents are lost; NULL will do for
 * n <= SB_STATS_SMALL.
 */
#ifndef SB_STATS_H
#define SB_STATS_H

#include "sb_base.h"

#define SB_STATS_SMALL     64 /* values that a function copies to its own stack; a run by the looks has at most 28 */
#define SB_STATS_MIN_PAIRS 6  /* below, not even smallest to largest covers the median with 95 % */

/* ---- description -------------------------------------------------------------------------------------------- */

void sb_stats_sort(double *x, int n); /* ascending, in place */

double sb_stats_mean(const double *x, int n); /* NAN if n < 1 */
double sb_stats_sd(const double *x, int n);   /* of a sample (n - 1); NAN if n < 2 */

/* Middle value, or the mean of the two in the middle. NAN if n < 1. */
double sb_stats_median(const double *x, int n, double *scratch);
/*
 * Quantile p in [0, 1] by linear interpolation between order statistics, position 1 + p (n - 1): type 7 of Hyndman and
 * Fan, Sample quantiles in statistical packages, 1996; what R and NumPy do when not told otherwise. NAN if n < 1.
 */
double sb_stats_quantile(const double *x, int n, double p, double *scratch);
double sb_stats_quantile_sorted(const double *sorted, int n, double p); /* the same of values already in order */
/* Median of |x - median|, not scaled to a standard deviation (1.4826 does that for normal noise). NAN if n < 1. */
double sb_stats_mad(const double *x, int n, double *scratch);

/* ---- interval of a median ----------------------------------------------------------------------------------- */

/* P(Bin(n, 1/2) <= k), exact to about n roundings, for 0 <= n <= 10000 and any k. */
double sb_stats_binomial_half(int n, int k);
/*
 * P(the median lies between the r-th smallest and the r-th largest of n) = 1 - 2 P(Bin(n, 1/2) < r), whatever the
 * continuous distribution. 1 <= r <= (n + 1) / 2.
 */
double sb_stats_rank_coverage(int n, int r);
/* The largest r whose coverage is at least `level` (in [0.5, 1)): the interval is ranks r to n + 1 - r. 0: none. */
int sb_stats_rank(int n, double level);

struct sb_interval {
	double mid;      /* median; NAN if n = 0 */
	double lo, hi;   /* NAN unless has_interval */
	double coverage; /* of lo..hi, a probability; NAN unless has_interval */
	int n;
	bool has_interval;
	double se, df; /* of Student's intervals: half of lo..hi is t(df) times se; 0 in others */
};
/*
 * Median of x[n] and its interval at `level` in [0.5, 1).
 *
 * With r = sb_stats_rank(n, level), ranks r cover more than was asked and ranks r + 1 less, often by much: of 13 values
 * 97.8 % and 90.8 %, of 8 values 99.2 % and 93.0 %. The ends are therefore interpolated between the two ranks
 * (Hettmansperger and Sheather, Confidence intervals based on interpolated order statistics, Statistics & Probability
 * Letters 4, 1986; Nyblom, the same journal, 14, 1992), so that six pairs and seven mean the same "95 %".
 * That is met within 0.8 % for normal, t, Laplace and contaminated noise from 6 values on, and within 1.2 % for
 * exponential, lognormal and uniform noise (test_stats_coverage.c).
 * What holds without any assumption is sb_stats_rank_coverage(n, r + 1), since the interval contains those ranks.
 * Noise in two equal clusters far apart comes nearest to that: 87 % of 7 values, 89 % of 10, 93 % of 19.
 * `coverage` is `level`, or what smallest to largest gives where that is less (six values: 96.9 %).
 * has_interval is n >= SB_STATS_MIN_PAIRS.
 */
void sb_stats_median_interval(const double *x, int n, double level, double *scratch, struct sb_interval *out);

/* ---- paired ratios ------------------------------------------------------------------------------------------ */

/*
 * log(after / before) of every block in which both are finite and > 0 (a missing sample is NAN), in block order.
 * before, after [n_blocks] in the same unit; log_ratio has room for n_blocks. Returns the number of pairs.
 */
int sb_stats_log_ratios(const double *before, const double *after, int n_blocks, double *log_ratio);

/* after / before: estimate exp(median of the log ratios). NAN and has_interval as in struct sb_interval. */
struct sb_ratio {
	double ratio, lo, hi;
	double coverage;
	int pairs;
	bool has_interval;
};
/* `level` from sb_stats_level(), the same for every row of a run's timing blocks. */
void sb_stats_ratio(const double *log_ratio, int n, double level, double *scratch, struct sb_ratio *out);

/* ---- when a run may stop ------------------------------------------------------------------------------------ */

/*
 * Blocks are added one at a time. After 6, 9, 13, 19 and 28 the intervals of `total` are looked at; the run stops when
 * every arm's is narrow: (hi - lo) / 2 <= log(1.01), that is +-1 %. It also stops before a block that would not end
 * within the budget, and after the last look.
 *
 * Stopping at a narrow interval prefers runs whose interval came out too narrow, so that intervals of 95 % would cover
 * 92 % of the time where runs stop at different looks (normal noise of 1.6 %). The price is paid where it arises: the
 * error allowed is 4 % at the first look, 2.7, 2.2 and 2 % at the next three, which a run reaches only at noise where
 * this choice is at work, and 4 % at the last look and for a run that ended for another reason than its intervals
 * (too noisy, or out of time).
 *
 * With that the intervals cover 94.7 to 96.8 % over normal, t (2 degrees of freedom), Laplace and contaminated noise of
 * 0.1 to 10 %, one arm or four, 93.9 to 96.4 % over exponential and lognormal and 92.9 % at worst over uniform noise:
 * 20,000 simulated runs each (test_stats_coverage.c). Two equal clusters a few percent apart, which defeat the
 * interpolation (above) and the width, bring it down to 90 %. The sums of alpha-spending rules for tests do not apply:
 * a run does not stop at a result, only at a width.
 *
 * Metrics other than `total` use the same level: they have less to do with the choice, or nothing, so it is cautious.
 */
struct sb_stats_look {
	int blocks;
	double level; /* of the interval that is looked at, and reported if the run stops here */
};
#define SB_STATS_LOOKS 5
extern const struct sb_stats_look sb_stats_looks[SB_STATS_LOOKS];

enum sb_stats_stop {
	SB_STATS_CONTINUE,     /* not ended yet; in a stored run: interrupted or failed */
	SB_STATS_STOP_PRECISE, /* every arm's `total` is within +-1 % */
	SB_STATS_STOP_BUDGET,  /* the next block would not end in time */
	SB_STATS_STOP_MAX,     /* all blocks were run */
	SB_STATS_STOP_NOTHING, /* no arm is left: all are out of memory (the loop says it, sb_stats_next() never) */
};
/* "unfinished", "precise", "budget", "blocks", "nothing": what a stored run keeps. */
const char *sb_stats_stop_name(enum sb_stats_stop stop);
/* The inverse; NULL and unknown words are SB_STATS_CONTINUE, whose level suits every end but "precise". */
enum sb_stats_stop sb_stats_stop_by_name(const char *name);

/*
 * The level at which the intervals of a run are computed, so that they cover 95 % with its stopping rule.
 * fixed_blocks: blocks the user asked for, which turns the looks off (then simply 0.95, also if the run was cut short);
 * 0: none. blocks: those done. Unfinished runs (a progress line) get the level of a run that ended here. Trace blocks
 * end by their number or by the budget, whatever their values are: their rows take the level of fixed_blocks.
 */
double sb_stats_level(int fixed_blocks, enum sb_stats_stop stop, int blocks);

struct sb_stats_progress {
	const double *const *log_ratio; /* [n_arms][n_pairs[arm]]: log ratios of `total` against before */
	const int *n_pairs;             /* [n_arms], at most `blocks` each */
	int n_arms;
	int blocks;       /* done */
	int fixed_blocks; /* exactly so many, without looks; 0: the looks decide */
	double elapsed_s;
	double budget_s; /* <= 0: no limit */
	double block_s;  /* mean seconds that a block took so far */
};
/*
 * Whether another block fits after `blocks` blocks of its kind: none is started that is expected to end after budget_s;
 * but up to the sixth, without which there is no interval at all, it is started unless it is expected to end after
 * 3 budget_s, and the first one always is. budget_s <= 0: no limit.
 */
bool sb_stats_fits_budget(int blocks, double elapsed_s, double block_s, double budget_s);

/*
 * What to do after p->blocks blocks. A run is precise when each arm with at least one pair is (an arm out of memory has
 * none, and no say), and there is such an arm; fewer than 6 pairs are never precise.
 * Budget: sb_stats_fits_budget().
 */
enum sb_stats_stop sb_stats_next(const struct sb_stats_progress *p);

#endif
