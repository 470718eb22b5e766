#include "gate_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const double sb_gate_interval_level = 0.963;

/* Where a gate looks. Each costs power at the others; the first must be able to pass. */
static const int look_pairs[SB_GATE_LOOKS] = { 8, 12, 16, 24, 40, 64 };

const char *sb_gate_verdict_name(enum sb_gate_verdict verdict)
{
	static const char *const names[] = {
		[SB_GATE_OPEN] = "inconclusive", [SB_GATE_PASS] = "pass", [SB_GATE_FAIL] = "fail"
	};

	return names[verdict];
}

/* ---- many metrics -------------------------------------------------------------------------------------------- */

double sb_gate_dependence(int m)
{
	double sum = 0.0;

	for (int i = 1; i <= m; i++)
		sum += 1.0 / i;
	return sum;
}

/* What m p-values are multiplied by at the first rank. */
static double correction_factor(int m, enum sb_gate_correction correction)
{
	return correction == SB_GATE_BY ? m * sb_gate_dependence(m) : m;
}

void sb_gate_adjust(const double *p, int m, enum sb_gate_correction correction, double *adjusted)
{
	int order[SB_GATE_MAX_METRICS];
	double factor = correction_factor(m, correction), least = 1.0;

	if (m < 0 || m > SB_GATE_MAX_METRICS)
		SB_BUG("%d metrics", m);
	for (int i = 0; i < m; i++) { /* a NAN is above everything */
		int j = i;

		for (; j > 0 && !(p[order[j - 1]] <= p[i]) && !isnan(p[i]); j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
	for (int k = m; k >= 1; k--) {
		double value = p[order[k - 1]];

		least = fmin(least, isnan(value) ? 1.0 : value * factor / k);
		adjusted[order[k - 1]] = least;
	}
}

/* ---- the design ---------------------------------------------------------------------------------------------- */

/* Does the smallest p of `pairs` pairs reach `p`? */
static bool reaches(int pairs, double p)
{
	return ldexp(1.0, -pairs) <= p;
}

/*
 * Share `level` among the looks from the first one that can use its share, a p of share / factor. Shares are equal, or
 * as the root of the pairs. False if no look can.
 */
static bool spend(const struct sb_gate_look *look, int n, double level, double factor, bool by_root, double *share)
{
	for (int first = 0; first < n; first++) {
		double sum = 0.0;

		for (int k = 0; k < n; k++) {
			share[k] = k < first ? 0.0 : by_root ? sqrt(look[k].pairs) : 1.0;
			sum += share[k];
		}
		for (int k = 0; k < n; k++)
			share[k] *= level / sum;
		if (reaches(look[first].pairs, share[first] / factor))
			return true;
	}
	return false;
}

static enum sb_status check_options(const struct sb_gate_options *o, struct sb_error *err)
{
	if (o->metrics < 1 || o->metrics > SB_GATE_MAX_METRICS)
		return sb_fail(
		        err, SB_E_USAGE, "gate of %d metrics: a gate judges 1 to %d", o->metrics, SB_GATE_MAX_METRICS);
	if (o->max_pairs < 1 || o->max_pairs > SB_GATE_MAX_PAIRS)
		return sb_fail(err, SB_E_USAGE, "gate with %d pairs: at least 1 and at most %d can be asked for",
		        o->max_pairs, SB_GATE_MAX_PAIRS);
	if (!(o->alpha > 0.0 && o->alpha <= 0.5) || !(o->beta > 0.0 && o->beta <= 0.5))
		return sb_fail(err, SB_E_USAGE, "gate with error rates %g and %g: each is above 0 and at most 0.5",
		        o->alpha, o->beta);
	return SB_OK;
}

/* Pairs from which on the last look alone can fail and pass: then spend() finds a way. */
static double pairs_needed(const struct sb_gate_options *o, double factor)
{
	return fmax(ceil(-log2(o->alpha / factor)), ceil(-log2(o->beta)));
}

static enum sb_status refuse(
        const struct sb_gate_options *o, const char *what, double needed, const char *whose, struct sb_error *err)
{
	double least = pairs_needed(o, correction_factor(o->metrics, o->correction));
	char way[96];

	if (least <= SB_GATE_MAX_PAIRS)
		snprintf(way, sizeof(way), "allow at least %.0f pairs", least);
	else
		snprintf(way, sizeof(way), "that takes %.0f pairs, and %d are the most: allow a larger error rate",
		        least, SB_GATE_MAX_PAIRS);
	return sb_fail(err, SB_E_USAGE,
	        "gate with %d pairs can never %s: the smallest p of %d pairs is %.2g, and %s needs %.2g; %s",
	        o->max_pairs, what, o->max_pairs, ldexp(1.0, -o->max_pairs), whose, needed, way);
}

static void count_tails(struct sb_gate_design *g)
{
	int at = 0;

	for (int k = 0; k < g->n_looks; k++) {
		int n = g->look[k].pairs;

		g->tail_at[k] = at;
		sb_gate_rank_tail(n, g->tail + at);
		at += n * (n + 1) / 2 + 1;
	}
}

enum sb_status sb_gate_plan(const struct sb_gate_options *options, struct sb_gate_design *out, struct sb_error *err)
{
	struct sb_gate_options o = *options;
	struct sb_gate_look look[SB_GATE_LOOKS] = { 0 };
	double alpha[SB_GATE_LOOKS], beta[SB_GATE_LOOKS], factor;
	int n = 0;
	enum sb_status status;
	char whose[64];

	o.max_pairs = o.max_pairs ? o.max_pairs : SB_GATE_MAX_PAIRS;
	o.alpha = o.alpha != 0.0 ? o.alpha : 0.01;
	o.beta = o.beta != 0.0 ? o.beta : 0.05;
	status = check_options(&o, err);
	if (status)
		return status;
	while (n < SB_GATE_LOOKS && (n == 0 || look[n - 1].pairs < o.max_pairs)) {
		look[n].pairs = look_pairs[n] < o.max_pairs ? look_pairs[n] : o.max_pairs;
		n++;
	}
	snprintf(whose, sizeof(whose), o.metrics > 1 ? "one of %d metrics of time" : "a metric of time", o.metrics);
	factor = correction_factor(o.metrics, o.correction);
	if (!spend(look, n, o.alpha, factor, false, alpha))
		return refuse(&o, "fail", o.alpha / factor, whose, err);
	if (!spend(look, n, o.beta, 1.0, true, beta))
		return refuse(&o, "pass", o.beta, "a pass", err);
	for (int k = 0; k < n; k++) {
		look[k].alpha = alpha[k];
		look[k].beta = beta[k];
	}
	*out = (struct sb_gate_design){
		.metrics = o.metrics, .correction = o.correction, .alpha = o.alpha, .beta = o.beta, .n_looks = n
	};
	memcpy(out->look, look, sizeof(look));
	count_tails(out);
	return SB_OK;
}

enum sb_status sb_gate_check_threshold(const char *metric, double threshold, bool exact, struct sb_error *err)
{
	if (!(threshold >= 0.0 && threshold <= 1.0))
		return sb_fail(
		        err, SB_E_USAGE, "threshold of '%s' is %g %%: it is 0 to 100 %%", metric, 100.0 * threshold);
	if (!exact && threshold == 0.0)
		return sb_fail(err, SB_E_USAGE,
		        "threshold of '%s' is 0 %%, so that it can never pass: no number of pairs shows that nothing "
		        "changed; "
		        "give the change that matters",
		        metric);
	return SB_OK;
}

/* ---- a look -------------------------------------------------------------------------------------------------- */

static const double *tail_of(const struct sb_gate_design *g, int look, int n)
{
	return n == g->look[look].pairs ? g->tail + g->tail_at[look] : NULL;
}

/* The tests of a metric; returns whether its estimate has reached the threshold. */
static bool test_metric(const struct sb_gate_design *g, int look, struct sb_gate_metric *m)
{
	const double *tail = tail_of(g, look, m->n);
	struct sb_rank_test zero, threshold;

	sb_gate_signed_rank(m->d, m->n, 0.0, tail, &zero);
	sb_gate_signed_rank(m->d, m->n, log1p(m->threshold), tail, &threshold);
	m->p = zero.p_greater;
	m->p_pass = threshold.p_less;
	return m->n > 0 && threshold.excess >= 0.0; /* false for NAN */
}

void sb_gate_judge(const struct sb_gate_design *g, int look, struct sb_gate_metric *metric)
{
	double p[SB_GATE_MAX_METRICS] = { 0 }, adjusted[SB_GATE_MAX_METRICS];
	bool reached[SB_GATE_MAX_METRICS];

	if (look < 0 || look >= g->n_looks)
		SB_BUG("look %d of %d", look, g->n_looks);

	const struct sb_gate_look *l = &g->look[look];

	for (int i = 0; i < g->metrics; i++) {
		reached[i] = test_metric(g, look, &metric[i]);
		p[i] = metric[i].p;
	}
	sb_gate_adjust(p, g->metrics, g->correction, adjusted);
	for (int i = 0; i < g->metrics; i++) {
		struct sb_gate_metric *m = &metric[i];

		m->p_adjusted = adjusted[i];
		if (m->verdict != SB_GATE_OPEN)
			continue;
		if (l->alpha > 0.0 && reached[i] && adjusted[i] <= l->alpha)
			m->verdict = SB_GATE_FAIL;
		else if (l->beta > 0.0 && m->p_pass <= l->beta)
			m->verdict = SB_GATE_PASS;
		m->decided_at = m->verdict != SB_GATE_OPEN ? m->n : 0;
	}
}

enum sb_gate_verdict sb_gate_together(const struct sb_gate_metric *metric, int n)
{
	bool open = false;

	for (int i = 0; i < n; i++) {
		if (metric[i].verdict == SB_GATE_FAIL)
			return SB_GATE_FAIL;
		open |= metric[i].verdict == SB_GATE_OPEN;
	}
	return open ? SB_GATE_OPEN : SB_GATE_PASS;
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

static void range(const int64_t *x, int n, int64_t *min, int64_t *max)
{
	*min = *max = x[0];
	for (int i = 1; i < n; i++) {
		*min = x[i] < *min ? x[i] : *min;
		*max = x[i] > *max ? x[i] : *max;
	}
}

enum sb_gate_verdict sb_gate_exact(const int64_t *a, int n_a, const int64_t *b, int n_b, double threshold)
{
	int64_t min_a, max_a, min_b, max_b;

	if (n_a < 1 || n_b < 1 || !(threshold >= 0.0))
		return SB_GATE_OPEN;
	range(a, n_a, &min_a, &max_a);
	range(b, n_b, &min_b, &max_b);

	/* Bytes are below 2^53, so nothing is rounded where the threshold is 0. Else 0.1 % of 1000 is to be 1. */
	double allowed = (double)max_a + (double)max_a * threshold * (1.0 + 1e-12);
	bool varies = min_a != max_a || min_b != max_b;

	if ((double)max_b <= allowed)
		return SB_GATE_PASS;
	if ((double)min_b <= allowed || (varies && (n_a < SB_STATS_MIN_PAIRS || n_b < SB_STATS_MIN_PAIRS)))
		return SB_GATE_OPEN;
	return SB_GATE_FAIL;
}
