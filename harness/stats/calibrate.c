#include "gate_internal.h"

#include <math.h>
#include <string.h>

enum { SERIES = 1000, LAST = SB_GATE_LOOKS };

static const double thresholds[SB_GATE_THRESHOLDS] = { 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2 };
static const double effects[SB_GATE_EFFECTS] = { 0.01, 0.02, 0.05 };
static const double power = 0.95;
static const double caution = 2.326; /* standard errors of the spread; the header says why */

/* The ranks, among the n (n + 1) / 2 means of couples, of a look's bounds; 0: the look cannot. */
struct ranks {
	int fail; /* the effect is shown to be above 0 where the mean of this rank is */
	int pass; /* below the threshold where the mean of this rank from above is */
};

/* A gate that ends at one of the looks, and what each of its looks needs. */
struct ending {
	int n_looks;
	struct ranks ranks[SB_GATE_LOOKS];
};

/* The largest c with P(rank sum < c) <= level. */
static int critical_rank(const double *tail, int n, double level)
{
	int m = n * (n + 1) / 2, c = 0;

	while (c <= m && tail[m - c] <= level)
		c++;
	return c;
}

static void plan_ending(const struct sb_gate_design *g, struct ending *e)
{
	double one = g->metrics;

	if (g->correction == SB_GATE_BY)
		one *= sb_gate_dependence(g->metrics);
	e->n_looks = g->n_looks;
	for (int k = 0; k < g->n_looks; k++) {
		const double *tail = g->tail + g->tail_at[k];

		e->ranks[k].fail = critical_rank(tail, g->look[k].pairs, g->look[k].alpha / one);
		e->ranks[k].pass = critical_rank(tail, g->look[k].pairs, g->look[k].beta);
	}
}

/* ---- a series ------------------------------------------------------------------------------------------------ */

/* How many means of couples of sorted[n] are at most x. */
static int couples_at_most(const double *sorted, int n, double x)
{
	int count = 0, j = n - 1;

	for (int i = 0; i < n && j >= i; i++) {
		while (j >= i && 0.5 * (sorted[i] + sorted[j]) > x)
			j--;
		count += j >= i ? j - i + 1 : 0;
	}
	return count;
}

/* The mean of a couple of rank r (from 1), to a billionth of the range: thousands of these are needed. */
static double couple_of_rank(const double *sorted, int n, int r)
{
	double lo = sorted[0], hi = sorted[n - 1];

	for (int i = 0; i < 30 && lo < hi; i++) {
		double mid = 0.5 * (lo + hi);

		if (couples_at_most(sorted, n, mid) >= r)
			hi = mid;
		else
			lo = mid;
	}
	return hi;
}

/* What a look sees in a series without an effect: an effect moves all three. */
struct seen {
	double low;  /* lower bound of the effect; -INFINITY where the look cannot fail */
	double mid;  /* Hodges-Lehmann; of two in the middle the upper one: where sb_rank_test.excess becomes 0 */
	double high; /* upper bound; INFINITY where it cannot pass */
};

static struct seen see(const double *sorted, int n, struct ranks r)
{
	int m = n * (n + 1) / 2;

	return (struct seen){ .low = r.fail > 0 ? couple_of_rank(sorted, n, r.fail) : -INFINITY,
		.mid = couple_of_rank(sorted, n, m / 2 + 1),
		.high = r.pass > 0 ? couple_of_rank(sorted, n, m + 1 - r.pass) : INFINITY };
}

/*
 * The smallest effect with which the series fails, the threshold being half of it: at look k once effect + low > 0 and
 * effect + mid >= effect / 2, unless it passed before, effect + high < effect / 2.
 */
static double smallest_failing(const struct seen *seen, int n_looks)
{
	double best = INFINITY, not_passed = 0.0;

	for (int k = 0; k < n_looks; k++) {
		double fails = fmax(-seen[k].low, -2.0 * seen[k].mid);

		best = fmin(best, fmax(fails, not_passed));
		not_passed = fmax(not_passed, -2.0 * seen[k].high);
	}
	return best;
}

static enum sb_gate_verdict verdict_without_effect(const struct seen *seen, int n_looks, double threshold)
{
	for (int k = 0; k < n_looks; k++) {
		if (seen[k].low > 0.0 && seen[k].mid >= threshold)
			return SB_GATE_FAIL;
		if (seen[k].high < threshold)
			return SB_GATE_PASS;
	}
	return SB_GATE_OPEN;
}

static void insert(double *sorted, int n, double v)
{
	int j = n;

	for (; j > 0 && sorted[j - 1] > v; j--)
		sorted[j] = sorted[j - 1];
	sorted[j] = v;
}

/* ---- all series ------------------------------------------------------------------------------------------------ */

struct tally {
	struct ending ending[SB_GATE_LOOKS]; /* [i]: the gate that ends at look i of the whole design */
	int pairs[SB_GATE_LOOKS];
	int n_looks;
	double smallest[SB_GATE_LOOKS][SERIES];
	double passes_from[SERIES];
	int failed[SB_GATE_THRESHOLDS], passed[SB_GATE_THRESHOLDS];
};

static void run_series(const double *d, int n, double width, uint64_t *seed, int series, struct tally *t)
{
	double sorted[SB_GATE_MAX_PAIRS];
	struct seen seen[SB_GATE_LOOKS][SB_GATE_LOOKS] = { { { 0 } } };
	int drawn = 0;

	for (int k = 0; k < t->n_looks; k++) {
		for (; drawn < t->pairs[k]; drawn++) {
			double v = width * d[sb_random_below(seed, (uint64_t)n)];

			/* by up to 0.5 %: values drawn twice would tie, and those of both signs make means of exactly 0
			 */
			v *= 0.995 + 0.01 * sb_random_unit(seed);
			insert(sorted, drawn, sb_splitmix64(seed) >> 63 ? v : -v);
		}
		for (int e = k; e < t->n_looks; e++)
			if (t->ending[e].n_looks > 0)
				seen[e][k] = see(sorted, drawn, t->ending[e].ranks[k]);
	}
	for (int e = 0; e < t->n_looks; e++)
		t->smallest[e][series] = smallest_failing(seen[e], t->ending[e].n_looks);
	t->passes_from[series] = INFINITY;
	for (int k = 0; k < t->n_looks; k++)
		t->passes_from[series] = fmin(t->passes_from[series], seen[t->n_looks - 1][k].high);
	for (int i = 0; i < SB_GATE_THRESHOLDS; i++) {
		enum sb_gate_verdict v = verdict_without_effect(seen[t->n_looks - 1], t->n_looks, log1p(thresholds[i]));

		t->failed[i] += v == SB_GATE_FAIL;
		t->passed[i] += v == SB_GATE_PASS;
	}
}

static double found(const double *smallest, double effect)
{
	int count = 0;

	for (int i = 0; i < SERIES; i++)
		count += smallest[i] <= log1p(effect);
	return (double)count / SERIES;
}

static void summarise(struct tally *t, struct sb_gate_calibration *out)
{
	int last = t->n_looks - 1;

	for (int i = 0; i < SB_GATE_THRESHOLDS; i++) {
		out->at[i].threshold = thresholds[i];
		out->at[i].false_alarm = (double)t->failed[i] / SERIES;
		out->at[i].false_alarm_upper = sb_stats_rate_upper(t->failed[i], SERIES, 0.95);
		out->at[i].pass = (double)t->passed[i] / SERIES;
	}
	for (int i = 0; i < SB_GATE_EFFECTS; i++) {
		out->need[i].effect = effects[i];
		for (int e = 0; e < t->n_looks; e++) {
			out->need[i].found = found(t->smallest[e], effects[i]);
			if (out->need[i].found < power)
				continue;
			out->need[i].pairs = t->pairs[e];
			break;
		}
	}
	sb_stats_sort(t->passes_from, SERIES);
	out->passes_from = expm1(sb_stats_quantile_sorted(t->passes_from, SERIES, 0.5));
	sb_stats_sort(t->smallest[last], SERIES);
	out->smallest = expm1(t->smallest[last][(int)ceil(power * SERIES) - 1]);
}

static enum sb_status plan(const struct sb_gate_options *o, struct tally *t, int *max_pairs, struct sb_error *err)
{
	struct sb_gate_design g;
	struct sb_gate_options shorter = *o;
	enum sb_status status = sb_gate_plan(o, &g, err);

	if (status)
		return status;
	t->n_looks = g.n_looks;
	*max_pairs = g.look[g.n_looks - 1].pairs;
	for (int k = 0; k < t->n_looks; k++)
		t->pairs[k] = g.look[k].pairs;
	for (int k = 0; k < t->n_looks; k++) {
		shorter.max_pairs = t->pairs[k];
		if (!sb_gate_plan(&shorter, &g, NULL)) /* else too short to fail or pass: no such gate */
			plan_ending(&g, &t->ending[k]);
	}
	return SB_OK;
}

enum sb_status sb_gate_calibrate(const double *d, int n, const struct sb_gate_options *o, uint64_t seed,
        struct sb_gate_calibration *out, struct sb_error *err)
{
	struct sb_gate_calibration c = { .pairs = n };
	struct sb_flip_test flip;
	struct tally t = { 0 };
	enum sb_status status;

	if (n < SB_GATE_CALIBRATION_PAIRS || n > SB_GATE_MAX_PAIRS)
		return sb_fail(err, SB_E_USAGE, "calibration of %d pairs: %d to %d are needed", n,
		        SB_GATE_CALIBRATION_PAIRS, SB_GATE_MAX_PAIRS);
	if (!sb_gate_all_finite(d, n))
		return sb_fail(err, SB_E_USAGE, "calibration of %d pairs: a value is not finite", n);
	status = plan(o, &t, &c.max_pairs, err);
	if (status)
		return status;
	sb_pairs_sign_flip(d, n, &flip);
	c.p_two = flip.p_two;
	for (int i = 0; i < SERIES; i++)
		run_series(d, n, 1.0 + caution / sqrt(2.0 * n), &seed, i, &t);
	summarise(&t, &c);
	*out = c;
	return SB_OK;
}

enum sb_status sb_gate_check_noise(
        const char *metric, double threshold, const struct sb_gate_calibration *c, struct sb_error *err)
{
	if (threshold >= c->passes_from)
		return SB_OK;
	return sb_fail(err, SB_E_USAGE,
	        "threshold of '%s' is %g %%, which the noise of this machine hides: without a change most gates of %d "
	        "pairs would not pass; give %.2f %% or more, or more trials a process",
	        metric, 100.0 * threshold, c->max_pairs, ceil(1e4 * c->passes_from) / 100.0);
}
