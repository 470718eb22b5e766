#include "sb_gate_result.h"
#include "summary_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char default_from[] = "default";

int sb_gate_pairs_in_budget(double budget_s, double pair_s)
{
	double pairs = budget_s > 0.0 ? budget_s / pair_s : HUGE_VAL;

	return pairs < SB_GATE_MAX_PAIRS ? (int)pairs : SB_GATE_MAX_PAIRS;
}

int sb_gate_pairs_room(const struct sb_gate_pace *p, double times)
{
	double left_s = times * p->budget_s - p->first_s;
	int most;

	if (!(p->budget_s > 0.0))
		return SB_GATE_MAX_PAIRS;
	most = left_s > 0.0 ? 1 + sb_gate_pairs_in_budget(left_s, p->pair_s) : 0;
	return most < SB_GATE_MAX_PAIRS ? most : SB_GATE_MAX_PAIRS;
}

int sb_gate_pairs_planned(const struct sb_gate_pace *p, int max_pairs)
{
	int pairs = sb_gate_pairs_room(p, 1.25);
	int most = max_pairs ? max_pairs : SB_GATE_MAX_PAIRS;

	pairs = pairs < SB_GATE_FIRST_LOOK ? SB_GATE_FIRST_LOOK : pairs;
	return pairs < most ? pairs : most;
}

bool sb_gate_pair_fits(double budget_s, double elapsed_s, int done)
{
	return !(budget_s > 0.0) || !done || elapsed_s + elapsed_s / done <= budget_s;
}

/* ---- which metrics, which thresholds --------------------------------------------------------------------------- */

static bool is_judged_by_default(const struct sb_pair_table *t, const struct sb_pair_row *r)
{
	const struct sb_pair_row *total = sb_pair_table_row(t, "wall_ns");

	if (!strcmp(r->metric, "wall_ns"))
		return true;
	if (r->section == SB_SECTION_STAGES)
		return total && r->median_a >= SB_GATE_STAGE_SHARE * total->median_a;
	return r->exact && r->section == SB_SECTION_MEMORY && r->median_a + r->median_b > 0.0;
}

static double default_threshold(const struct sb_pair_row *r, bool gpu)
{
	double total = gpu ? SB_GATE_DEFAULT_GPU : SB_GATE_DEFAULT_CPU;

	return r->exact                          ? SB_GATE_DEFAULT_BYTES
	       : r->section == SB_SECTION_STAGES ? SB_GATE_STAGE_FACTOR * total
	                                         : total;
}

/* False: it is not judged. A rule of the user's brings in what is not judged by itself; a calibration does not. */
static bool choose(const struct sb_pair_table *t, struct sb_gate_rules *rules, const struct sb_pair_row *r, bool gpu,
        struct sb_gate_row *out)
{
	bool judged = is_judged_by_default(t, r);

	*out = (struct sb_gate_row){ .exact = r->exact,
		.threshold = default_threshold(r, gpu),
		.threshold_from = default_from,
		.p = NAN,
		.p_adjusted = NAN,
		.p_pass = NAN,
		.seen = NAN };
	snprintf(out->metric, sizeof(out->metric), "%s", r->metric);
	snprintf(out->label, sizeof(out->label), "%s", r->label);
	for (int i = 0; i < rules->n; i++) {
		struct sb_gate_threshold *rule = &rules->threshold[i];

		if (!sb_metric_match(rule->pattern, r->metric) && strcmp(rule->pattern, r->label) != 0)
			continue;
		rule->used = true;
		if (!strcmp(rule->from, "calibration") && (!judged || r->exact))
			continue;
		judged = !isnan(rule->threshold);
		out->threshold = rule->threshold;
		out->threshold_from = rule->from;
	}
	/* A time that is 0 on either side has no ratio. */
	return judged && (r->exact ? r->n : r->n_d) > 0;
}

static enum sb_status check_rules(const struct sb_gate_rules *rules, struct sb_error *err)
{
	for (int i = 0; i < rules->n; i++)
		if (!rules->threshold[i].used && strcmp(rules->threshold[i].from, "calibration") != 0)
			return sb_fail(err, SB_E_USAGE, "%s: no metric here is called '%.60s'",
			        rules->threshold[i].from, rules->threshold[i].pattern);
	return SB_OK;
}

static enum sb_status check_rows(const struct sb_gate_result *r, struct sb_error *err)
{
	if (!r->n_rows)
		return sb_fail(err, SB_E_USAGE, "there is nothing to judge: every metric was excluded");
	for (int i = 0; i < r->n_rows; i++)
		if (sb_gate_check_threshold(r->rows[i].label, r->rows[i].threshold, r->rows[i].exact, err))
			return err->code;
	return SB_OK;
}

static enum sb_status plan(struct sb_gate_result *r, const struct sb_gate_rules *rules, struct sb_error *err)
{
	const struct sb_gate_options o = { .metrics = r->n_noisy,
		.max_pairs = rules->max_pairs,
		.alpha = rules->alpha,
		.beta = rules->beta,
		.correction = rules->correction };

	return r->n_noisy ? sb_gate_plan(&o, &r->design, err) : SB_OK;
}

enum sb_status sb_gate_result_choose(const struct sb_pair_table *t, struct sb_gate_rules *rules, bool gpu,
        struct sb_gate_result *out, struct sb_error *err)
{
	enum sb_status status;

	*out = (struct sb_gate_result){ .n_rows = 0 };
	out->only_look = rules->max_pairs > 0 && rules->max_pairs < 6 ? rules->max_pairs : 6;
	out->rows = calloc(t->n_rows + 1, sizeof(*out->rows));
	if (!out->rows)
		return sb_fail(err, SB_E_NOMEM, "no memory for a gate");
	for (size_t i = 0; i < t->n_rows; i++) {
		struct sb_gate_row *row = &out->rows[out->n_rows];

		if (!choose(t, rules, &t->rows[i], gpu, row))
			continue;
		out->n_rows++;
		if (row->exact)
			continue;
		if (out->n_noisy == SB_GATE_MAX_METRICS) {
			sb_gate_result_release(out);
			return sb_fail(err, SB_E_USAGE, "more than %d metrics to judge", SB_GATE_MAX_METRICS);
		}
		out->metric[out->n_noisy++].threshold = row->threshold;
	}
	status = check_rules(rules, err);
	if (!status)
		status = check_rows(out, err);
	if (status)
		sb_gate_result_release(out);
	return status;
}

enum sb_status sb_gate_result_begin(const struct sb_pair_table *t, struct sb_gate_rules *rules, bool gpu,
        struct sb_gate_result *out, struct sb_error *err)
{
	enum sb_status status = sb_gate_result_choose(t, rules, gpu, out, err);

	if (status)
		return status;
	status = plan(out, rules, err);
	if (status)
		sb_gate_result_release(out);
	return status;
}

void sb_gate_result_release(struct sb_gate_result *r)
{
	free(r->rows);
	r->rows = NULL;
	r->n_rows = r->n_noisy = 0;
}

/* ---- looks ----------------------------------------------------------------------------------------------------- */

static void judge_exact(struct sb_gate_row *row, const struct sb_pair_row *p)
{
	int64_t a[SB_GATE_MAX_PAIRS], b[SB_GATE_MAX_PAIRS];

	for (int i = 0; i < p->n; i++) {
		a[i] = (int64_t)p->a[i];
		b[i] = (int64_t)p->b[i];
	}
	row->verdict = sb_gate_exact(a, p->n, b, p->n, row->threshold);
	row->pairs = p->n;
	row->decided_at = row->verdict == SB_GATE_OPEN ? 0 : p->n;
	row->reason = row->verdict == SB_GATE_OPEN ? "its values differ from process to process" : NULL;
}

static void copy_verdict(struct sb_gate_row *row, const struct sb_gate_metric *m, const struct sb_pair_row *p)
{
	row->verdict = m->verdict;
	row->pairs = m->n;
	row->decided_at = m->decided_at;
	row->p = m->p;
	row->p_adjusted = m->p_adjusted;
	row->p_pass = m->p_pass;
	row->seen = p->hodges_lehmann.has_interval ? p->hodges_lehmann.hi - 1.0 : NAN;
}

static enum sb_gate_verdict worse(enum sb_gate_verdict a, enum sb_gate_verdict b)
{
	if (a == SB_GATE_FAIL || b == SB_GATE_FAIL)
		return SB_GATE_FAIL;
	return a == SB_GATE_OPEN || b == SB_GATE_OPEN ? SB_GATE_OPEN : SB_GATE_PASS;
}

static void judge_lost(struct sb_gate_result *r, const struct sb_pair_table *t)
{
	int a = t->lost[0], b = t->lost[1];
	double chance = b > 0 ? 1.0 - sb_stats_binomial_half(a + b, b - 1) : 1.0;

	r->lost[0] = a;
	r->lost[1] = b;
	r->lost_of = t->pairs + t->dropped;
	r->lost_verdict = b <= a ? SB_GATE_PASS : chance <= SB_GATE_LOST ? SB_GATE_FAIL : SB_GATE_OPEN;
}

int sb_gate_result_next(const struct sb_gate_result *r)
{
	if (r->looks && r->verdict == SB_GATE_FAIL)
		return 0;
	if (!r->n_noisy)
		return r->looks ? 0 : r->only_look;
	if (r->looks >= r->design.n_looks)
		return 0;
	if (r->looks && sb_gate_together(r->metric, r->n_noisy) != SB_GATE_OPEN)
		return 0;
	return r->design.look[r->looks].pairs;
}

void sb_gate_result_look(struct sb_gate_result *r, const struct sb_pair_table *t)
{
	int noisy = 0;

	for (int i = 0; i < r->n_rows; i++) {
		const struct sb_pair_row *p = sb_pair_table_row(t, r->rows[i].metric);

		if (!p)
			SB_BUG("metric %s is gone from its run", r->rows[i].metric);
		if (r->rows[i].exact) {
			judge_exact(&r->rows[i], p);
			continue;
		}
		r->metric[noisy].d = p->d;
		r->metric[noisy++].n = p->n_d;
	}
	if (r->n_noisy && r->looks < r->design.n_looks)
		sb_gate_judge(&r->design, r->looks, r->metric);
	r->looks++;
	judge_lost(r, t);
	r->verdict = r->lost_verdict;
	noisy = 0;
	for (int i = 0; i < r->n_rows; i++) {
		if (!r->rows[i].exact)
			copy_verdict(&r->rows[i], &r->metric[noisy++], sb_pair_table_row(t, r->rows[i].metric));
		r->verdict = worse(r->verdict, r->rows[i].verdict);
	}
}

bool sb_gate_result_broken(struct sb_gate_result *r, const struct sb_pair_table *t)
{
	if (t->lost[0] || !t->lost[1] || !t->ended_well[0])
		return false;
	judge_lost(r, t);
	r->lost_verdict = r->verdict = SB_GATE_FAIL;
	r->stopped = "pairs were lost one after the other";
	for (int i = 0; i < r->n_rows; i++)
		if (r->rows[i].verdict == SB_GATE_OPEN && !r->rows[i].reason)
			r->rows[i].reason = "not decided when another one failed";
	return true;
}

void sb_gate_result_end(struct sb_gate_result *r, const struct sb_pair_table *t, const char *stopped)
{
	const char *why;

	if (stopped && t && sb_gate_result_next(r))
		sb_gate_result_look(r, t); /* with the pairs that there are: no other look follows */
	why = r->verdict == SB_GATE_FAIL ? "not decided when another one failed"
	      : stopped                  ? stopped
	                                 : "too noisy for this many pairs";
	for (int i = 0; i < r->n_rows; i++)
		if (r->rows[i].verdict == SB_GATE_OPEN && !r->rows[i].reason)
			r->rows[i].reason = why;
	r->stopped = r->verdict == SB_GATE_PASS     ? "every metric is decided"
	             : stopped                      ? stopped
	             : r->verdict == SB_GATE_FAIL   ? "it ends with the look at which one fails"
	             : r->looks < r->design.n_looks ? "more pairs would not decide the rest"
	                                            : "all looks were taken";
}
