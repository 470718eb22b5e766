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
 * tests/tools/gate_simulation.c has the table of what they cover.
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
/* Variance within those runs, pooled over the ones that have two processes; NAN: none has. */
double sb_runs_within_variance(const double *const *x, const int *n, int k);
/*
 * log(B / A) of two runs that were made at different times, from logs of process medians: the difference of their means
 * and Student's interval with variance w_a / n_a + w_b / n_b + 2 between. What changes a machine between two runs does
 * not average out over the processes of either, so without `between` (NAN) there is no interval. w is `within`, or the
 * side's own variance where that is larger: two runs may by luck each lie in one of several modes. Degrees of freedom
 * are between_df, the fewest of the terms. Satterthwaite's would be those of the processes wherever `between` came out
 * as 0, which of few runs it often does, and up to 13 % of gates without a difference would fail
 * (tests/tools/stored_gate_simulation.c).
 */
void sb_runs_compare(const double *a, int n_a, const double *b, int n_b, double within, double between,
        double between_df, double level, struct sb_interval *out);
/*
 * The same where runs have one process, so that within and between cannot be told apart: from the means of the two, and
 * the variance of such means over several runs with its degrees of freedom (df > 0; NAN: no interval). Student's, with
 * variance 2 of_means.
 */
void sb_runs_compare_means(
        double mean_a, double mean_b, double of_means, double df, double level, struct sb_interval *out);

/*
 * Difference of the means of two samples of any variances: Welch's interval (The generalization of "Student's" problem
 * when several different population variances are involved, Biometrika 34, 1947). None with fewer than two of each.
 */
void sb_samples_compare(const double *a, int n_a, const double *b, int n_b, double level, struct sb_interval *out);

struct sb_runs_test {
	double p_greater; /* of a difference this large or larger, were the effect <= shift */
	double p_less;    /* the other way round */
};
/*
 * Student's tests (The probable error of a mean, Biometrika 6, 1908) of i->mid - shift that belong to an interval of
 * the two functions above: the interval at level 1 - 2p ends at the shift that has p here. Both are 1 where there is no
 * interval. Without any variance the sign decides.
 */
void sb_runs_test(const struct sb_interval *i, double shift, struct sb_runs_test *out);

/*
 * One effect over k machines: x[i][n[i]] are logs, one for each run of machine i (0: it has none). mid is the mean of
 * the machines' means, each machine counting alike, and the interval Student's of these means: what another machine of
 * the kind would add is in it, however precise each one is (Searle, Casella and McCulloch 1992, chapter 3). Two
 * machines give 1 degree of freedom, and an interval as wide as that is.
 * *between: standard deviation of the machines' true values. Where some machine has two runs it is that of
 * sb_runs_between_variance(), and *apart is true; else the means' own, with whatever differs from run to run. NAN for
 * fewer than two machines.
 */
#define SB_MACHINES_MAX 64 /* that have a run */
void sb_machines_pool(const double *const *x, const int *n, int k, double level, struct sb_interval *out,
        double *between, bool *apart);

/* ---- the gate ------------------------------------------------------------------------------------------------ */

/*
 * B against A, metric by metric, with pairs added until every metric is decided. There are few pairs first; more are
 * made only while a metric is open, at most SB_GATE_MAX_PAIRS. At a look, for each metric:
 *
 *   fail  the effect is shown to be above 0: its signed rank p, with those of all metrics, passes Benjamini and
 *         Hochberg's rule at the look's alpha; and its Hodges-Lehmann estimate has reached the metric's threshold
 *   pass  the effect is shown to be below the threshold: signed rank p of "effect >= threshold" at most the look's beta
 *   open  neither. After the last look: inconclusive
 *
 * Why this holds.
 * - Ranks of pairs, not means. The signed rank test is exact for any noise that is symmetric about the effect, and
 * pairs of exchangeable processes are. Heavy tails and clocks that step between two processes cost a test of means its
 *   power; ranks lose little.
 * - Looks. Their alphas add up to `alpha`: Bonferroni's inequality, the simplest spending function in the sense of Lan
 *   and DeMets, Discrete sequential boundaries for clinical trials, Biometrika 70, 1983. So stopping early or out of
 *   time, for any reason, keeps it. Betas likewise, with shares that grow as the root of the pairs, because a pass that
 *   comes early comes of pairs that were lucky.
 * - Metrics. Benjamini and Hochberg, Controlling the false discovery rate, JRSS B 57, 1995, for metrics that are
 *   independent or move together; Benjamini and Yekutieli, The control of the false discovery rate in multiple testing
 *   under dependency, Annals of Statistics 29, 2001, say why, and BY is their rule for any dependence.
 * Without any true effect the rate of gates in which something fails is then at most alpha, and less where metrics pass
 * early; tests/tools/gate_simulation.c has what it is. Where clocks step about once a pair, the two pairs of a two are
 * not independent, and a gate that cannot pass early has 1.1 %.
 */
#define SB_GATE_LOOKS 6

enum sb_gate_correction { SB_GATE_BH, SB_GATE_BY };
enum sb_gate_verdict { SB_GATE_OPEN, SB_GATE_PASS, SB_GATE_FAIL };
/* "inconclusive", "pass", "fail". */
const char *sb_gate_verdict_name(enum sb_gate_verdict verdict);

struct sb_gate_look {
	int pairs;
	double alpha; /* 0: too few pairs to fail at */
	double beta;  /* 0: too few pairs to pass at */
};
struct sb_gate_design {
	int metrics; /* that are judged by pairs; exact ones need no chance */
	enum sb_gate_correction correction;
	double alpha, beta; /* over all looks */
	int n_looks;
	struct sb_gate_look look[SB_GATE_LOOKS];
	double tail[3600]; /* of the signed rank sums at the looks: sb_gate_plan() counts them once */
	int tail_at[SB_GATE_LOOKS];
};
struct sb_gate_options {
	int metrics;
	int max_pairs; /* 0: SB_GATE_MAX_PAIRS */
	double alpha;  /* of a false fail of any metric; 0: 0.01 */
	double beta;   /* of a pass of a metric whose effect is at its threshold; 0: 0.05 */
	enum sb_gate_correction correction;
};
/*
 * Looks at 8, 12, 16, 24, 40 and 64 pairs, or up to max_pairs. n pairs cannot have a smaller p than 2^-n.
 * Errors: SB_E_USAGE for a design that can never fail (all metrics together need a smaller p than max_pairs give) or
 * never pass, with how many pairs would do; for options out of range. *out is untouched then.
 */
enum sb_status sb_gate_plan(const struct sb_gate_options *o, struct sb_gate_design *out, struct sb_error *err);
/*
 * Whether a metric with this threshold (0.02: 2 %) can pass and fail. A noisy metric needs more than 0, because no
 * number of pairs shows that an effect is below 0 when it is 0. Errors: SB_E_USAGE naming `metric`.
 */
enum sb_status sb_gate_check_threshold(const char *metric, double threshold, bool exact, struct sb_error *err);

struct sb_gate_metric {
	const double *d; /* [n]; a metric that some processes do not have has fewer than others */
	int n;
	double threshold; /* 0.02: 2 % slower */
	/* set by sb_gate_judge(), 0 before the first look */
	enum sb_gate_verdict verdict; /* PASS and FAIL stay */
	int decided_at;               /* pairs; 0: open */
	double p, p_adjusted;         /* of "not slower", at the last look; adjusted over the metrics, not over looks */
	double p_pass;                /* of "slower by the threshold or more" */
};
/*
 * Look number `look` (from 0; each once, in order) at all metrics of the design; metric[g->metrics]. It may come before
 * look[look].pairs pairs are there, when time is up: the level is the look's, and no other may follow.
 */
void sb_gate_judge(const struct sb_gate_design *g, int look, struct sb_gate_metric *metric);
/*
 * All metrics together: FAIL if one failed, else OPEN if one is open, else PASS. A gate goes on to the next look while
 * this is OPEN and there is one.
 */
enum sb_gate_verdict sb_gate_together(const struct sb_gate_metric *metric, int n);
/*
 * The level at which a metric's interval (sb_pairs_rank_interval()) is reported, so that it covers 95 % with the
 * stopping rule (gate_simulation.c). A fixed number of pairs takes 0.95.
 */
extern const double sb_gate_interval_level;

/*
 * Adjusted p-values over m tests: the smallest level at which each is rejected. Benjamini and Hochberg 1995, as
 * Yekutieli and Benjamini, Resampling-based false discovery rate, J. Statistical Planning and Inference 82, 1999,
 * adjust them. NAN counts as 1. m <= SB_GATE_MAX_METRICS.
 */
#define SB_GATE_MAX_METRICS 256
void sb_gate_adjust(const double *p, int m, enum sb_gate_correction correction, double *adjusted);

/*
 * Metrics that have no noise: bytes of A's and B's processes. Fail: every value of B is more than (1 + threshold) times
 * every one of A. Pass: none of B is more than that above the largest of A. Open: they overlap, which needs a look at
 * why the bytes differ; or one side has no value. Where values differ within a side, fewer than six pairs do not fail.
 */
enum sb_gate_verdict sb_gate_exact(const int64_t *a, int n_a, const int64_t *b, int n_b, double threshold);

/* ---- calibration --------------------------------------------------------------------------------------------- */

#define SB_GATE_CALIBRATION_PAIRS 12 /* A/A pairs below which nothing is said; 32 say it well */
#define SB_GATE_THRESHOLDS        7
#define SB_GATE_EFFECTS           3

struct sb_gate_calibration {
	int pairs;          /* A/A pairs it is of */
	double p_two;       /* sign-flip test of the A/A pairs: small where A and A differ, and the set-up is wrong */
	int max_pairs;      /* of the gates it is about */
	double passes_from; /* threshold that half of the gates without an effect pass at */
	double smallest; /* effect (0.02: 2 %) that max_pairs find in 95 % of gates, the threshold being half of it */
	struct {
		double threshold;         /* 0.5, 1, 2, 3, 5, 10, 20 % */
		double false_alarm;       /* rate of gates without an effect in which this metric fails */
		double false_alarm_upper; /* its upper 95 % bound, for the resampling alone */
		double pass;              /* rate of gates without an effect in which it passes */
	} at[SB_GATE_THRESHOLDS];
	struct {
		double effect; /* 1, 2, 5 % */
		int pairs;     /* to find it in 95 % of gates, the threshold being half of it; 0: max_pairs do not */
		double found;  /* the rate at these pairs, or at max_pairs */
	} need[SB_GATE_EFFECTS];
};
/*
 * What gates of `o` can do about a metric whose A/A pairs were d[n]. The design is run on 1,000 series of pairs drawn
 * from them with either sign: the bootstrap of a symmetric distribution (Efron and Tibshirani, An Introduction to the
 * Bootstrap, 1993). Their spread is widened by 1 + 2.326 / sqrt(2 n), about its upper 99 % bound, because n pairs may
 * have been quiet ones. The metric is taken to be the only one of o->metrics with an effect, which is the hardest case.
 * Every number of pairs is a gate of its own, with looks up to there. "Half" is of the log ratio.
 *
 * Errors: SB_E_USAGE for fewer than SB_GATE_CALIBRATION_PAIRS values, for one that is not finite, and as
 * sb_gate_plan().
 */
enum sb_status sb_gate_calibrate(const double *d, int n, const struct sb_gate_options *o, uint64_t seed,
        struct sb_gate_calibration *out, struct sb_error *err);
/*
 * Whether gates with this threshold can pass on the machine that was calibrated. Errors: SB_E_USAGE below
 * c->passes_from, naming `metric`, its threshold and what would pass.
 */
enum sb_status sb_gate_check_noise(
        const char *metric, double threshold, const struct sb_gate_calibration *c, struct sb_error *err);

/* ---- samples that are not what they seem --------------------------------------------------------------------- */

#define SB_SAMPLE_MAX 256 /* values of a sample below */

struct sb_trend {
	int n;
	double s;     /* pairs that rise less pairs that fall */
	double p;     /* two-sided; 1 if n < 3 */
	double slope; /* Sen's: median of the slopes of all couples of values; per unit of `t`. NAN if n < 2 */
	bool exact;
};
/*
 * Does x[n] rise or fall along t[n] (ascending; NULL: 0, 1, 2 ..)? Mann, Nonparametric tests against trend,
 * Econometrica 13, 1945; Kendall, Rank Correlation Methods, 1948: exact distribution without ties up to 64 values, else
 * normal with the variance corrected for ties and a step of 1 for continuity. Sen, Estimates of the regression
 * coefficient based on Kendall's tau, JASA 63, 1968. Values that depend on the one before make p too small. NAN
 * throughout for a value that is not finite, or times that do not ascend.
 */
void sb_sample_trend(const double *x, const double *t, int n, struct sb_trend *out);

struct sb_dip {
	int n;
	double dip; /* distance of the sample from the nearest distribution with one mode, 1 / (2 n) to 1/4 */
	double p; /* of a dip this large in n values of the uniform distribution, from 2,000 samples of a fixed seed */
};
/*
 * Has x[n] more than one mode? Hartigan and Hartigan, The dip test of unimodality, Annals of Statistics 13, 1985; the
 * steps of their section 5. Heavy tails are one mode, so a few wild values do not look like two. p is 1 if n < 4. NAN
 * for a value that is not finite.
 */
void sb_sample_dip(const double *x, int n, struct sb_dip *out);

/* What a verdict should say about its sample; p below 1 %, so one of a hundred good samples is named, too. */
struct sb_sample_flaws {
	bool drifts, bimodal;
	struct sb_trend trend;
	struct sb_dip dip; /* of the values less their drift, where they drift: a ramp is not two modes, nor does it
	                      hide them */
};
/*
 * dip.p above 1 % is as many of the uniform samples as it took to know that (Besag and Clifford, Sequential Monte Carlo
 * p-values, Biometrika 78, 1991), not all 2,000.
 */
void sb_sample_look(const double *x, const double *t, int n, struct sb_sample_flaws *out);

/* ---- what the tests above need ------------------------------------------------------------------------------- */

/* Regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22). */
double sb_stats_beta(double a, double b, double x);
/* t with P(|T| <= t) = level, for df degrees of freedom, which need not be whole. */
double sb_stats_t_critical(double df, double level);
/* P(T > t) of the same distribution, any t; NAN unless df > 0. */
double sb_stats_t_tail(double t, double df);
/*
 * Upper bound of a rate of which `hits` of n were seen, one-sided at `level`: Clopper and Pearson, The use of
 * confidence or fiducial limits, Biometrika 26, 1934.
 */
double sb_stats_rate_upper(int hits, int n, double level);

#endif
