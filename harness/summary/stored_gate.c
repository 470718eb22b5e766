#include "sb_stored_gate.h"
#include "summary_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int both(const struct sb_old_row *r)
{
	return r->n[0] < r->n[1] ? r->n[0] : r->n[1];
}

/* Bytes are judged exactly even where they differ from process to process, as by pairs. */
static bool is_exact(const struct sb_old_row *r)
{
	return r->exact || sb_pair_is_exact(&sb_metric_table[sb_metric_find(r->metric)], r->metric);
}

static void fill_row(const struct sb_old_row *from, struct sb_pair_row *to)
{
	*to = (struct sb_pair_row){ .metric = from->metric,
		.label = from->label,
		.unit = from->unit,
		.section = from->section,
		.exact = is_exact(from),
		.n = both(from),
		.n_d = from->ratio.estimate.absent ? 0 : both(from),
		.median_a = from->median[0],
		.median_b = from->median[1],
		.mean = from->ratio,
		.hodges_lehmann = from->ratio,
		.flaws = { .drifts = from->cautions & SB_CAUTION_DRIFTING,
		        .bimodal = from->cautions & SB_CAUTION_TWO_MODES },
		.cautions = from->cautions,
		.order = NAN };
	if (to->n_d > SB_GATE_MAX_PAIRS)
		to->n_d = SB_GATE_MAX_PAIRS;
}

static enum sb_status make_table(const struct sb_old_runs *old, struct sb_pair_table *t, struct sb_error *err)
{
	*t = (struct sb_pair_table){ .run_id = old->side[1].run_id,
		.kind = "gate",
		.pairs = old->side[1].processes,
		.level = old->level,
		.n_rows = old->n_rows };
	for (int side = 0; side < 2; side++) {
		const struct sb_old_side *s = &old->side[side];

		t->side[side] = (struct sb_pair_side){
			.arm = s->arm, .levels = s->levels, .build_id = s->build_id, .exe = "", .planted = NAN
		};
	}
	t->rows = calloc(old->n_rows + 1, sizeof(*t->rows));
	if (!t->rows)
		return sb_fail(err, SB_E_NOMEM, "no memory for a gate");
	for (size_t i = 0; i < old->n_rows; i++)
		fill_row(&old->rows[i], &t->rows[i]);
	return SB_OK;
}

static const struct sb_old_row *row_of(const struct sb_old_runs *old, const char *metric)
{
	for (size_t i = 0; i < old->n_rows; i++)
		if (!strcmp(old->rows[i].metric, metric))
			return &old->rows[i];
	SB_BUG("metric %s is gone from its run", metric);
}

/* sb_gate_exact() asks for the ends of each side and how many there are. */
static int ends(const struct sb_old_row *r, int side, int64_t v[SB_OLD_PROCESSES_MAX])
{
	for (int i = 0; i < r->n[side]; i++)
		v[i] = (int64_t)(i ? r->most[side] : r->least[side]);
	return r->n[side];
}

static void judge_exact(struct sb_gate_row *row, const struct sb_old_row *r)
{
	int64_t a[SB_OLD_PROCESSES_MAX], b[SB_OLD_PROCESSES_MAX];
	int n_a = ends(r, 0, a), n_b = ends(r, 1, b);

	row->verdict = sb_gate_exact(a, n_a, b, n_b, row->threshold);
	row->reason = row->verdict == SB_GATE_OPEN ? "its values differ from process to process" : NULL;
}

static void judge_noisy(struct sb_gate_row *row, const struct sb_old_row *r, double alpha, double beta)
{
	double threshold = log1p(row->threshold);

	row->seen = r->ratio.hi - 1.0;
	if (row->p_adjusted <= alpha && r->log_ratio.mid >= threshold)
		row->verdict = SB_GATE_FAIL;
	else if (row->p_pass <= beta)
		row->verdict = SB_GATE_PASS;
	else
		row->reason = "too noisy from run to run for so few of them";
}

static void test_noisy(const struct sb_old_runs *old, const struct sb_gate_rules *rules, struct sb_gate_result *out)
{
	double p[SB_GATE_MAX_METRICS], adjusted[SB_GATE_MAX_METRICS];
	struct sb_runs_test t;
	int n = 0;

	for (int i = 0; i < out->n_rows; i++) {
		struct sb_gate_row *row = &out->rows[i];
		const struct sb_old_row *r = row_of(old, row->metric);

		if (row->exact)
			continue;
		sb_runs_test(&r->log_ratio, log1p(row->threshold), &t);
		row->p_pass = t.p_less;
		sb_runs_test(&r->log_ratio, 0.0, &t);
		p[n++] = row->p = t.p_greater;
	}
	sb_gate_adjust(p, n, rules->correction, adjusted);
	n = 0;
	for (int i = 0; i < out->n_rows; i++)
		if (!out->rows[i].exact)
			out->rows[i].p_adjusted = adjusted[n++];
}

static enum sb_gate_verdict worse(enum sb_gate_verdict a, enum sb_gate_verdict b)
{
	if (a == SB_GATE_FAIL || b == SB_GATE_FAIL)
		return SB_GATE_FAIL;
	return a == SB_GATE_OPEN || b == SB_GATE_OPEN ? SB_GATE_OPEN : SB_GATE_PASS;
}

/* With a time that cannot be decided the gate could never pass. */
static enum sb_status check_design(const struct sb_old_runs *old, const struct sb_gate_result *r, struct sb_error *err)
{
	for (int i = 0; i < r->n_rows; i++) {
		const struct sb_gate_row *row = &r->rows[i];

		if (row->exact || row_of(old, row->metric)->log_ratio.has_interval)
			continue;
		return sb_fail(err, SB_E_USAGE,
		        "'%.60s' can neither fail nor pass against run %.12s: %s; --threshold '%.60s=off' leaves it "
		        "out",
		        row->label, old->side[0].run_id,
		        old->why_no_interval ? old->why_no_interval : "it has no interval", row->label);
	}
	return SB_OK;
}

static void judge(const struct sb_old_runs *old, const struct sb_gate_rules *rules, struct sb_gate_result *out)
{
	double alpha = rules->alpha > 0.0 ? rules->alpha : 0.01, beta = rules->beta > 0.0 ? rules->beta : 0.05;

	test_noisy(old, rules, out);
	out->verdict = out->lost_verdict;
	for (int i = 0; i < out->n_rows; i++) {
		struct sb_gate_row *row = &out->rows[i];
		const struct sb_old_row *r = row_of(old, row->metric);

		row->pairs = r->n[1];
		if (row->exact)
			judge_exact(row, r);
		else
			judge_noisy(row, r, alpha, beta);
		row->decided_at = row->verdict == SB_GATE_OPEN ? 0 : row->pairs;
		out->verdict = worse(out->verdict, row->verdict);
	}
	out->looks = 1;
}

enum sb_status sb_stored_gate_judge(const struct sb_old_runs *old, struct sb_gate_rules *rules, bool gpu, int lost,
        int lost_of, struct sb_pair_table *table, struct sb_gate_result *result, struct sb_error *err)
{
	enum sb_status status = make_table(old, table, err);

	if (status)
		return status;
	table->dropped = table->lost[1] = lost;
	status = sb_gate_result_choose(table, rules, gpu, result, err);
	if (!status) {
		result->lost[1] = lost;
		result->lost_of = lost_of;
		result->lost_verdict = lost ? SB_GATE_OPEN : SB_GATE_PASS;
		status = check_design(old, result, err);
		if (status)
			sb_gate_result_release(result);
	}
	if (status) {
		sb_pair_table_release(table);
		return status;
	}
	judge(old, rules, result);
	result->stopped = "all processes were compared";
	return SB_OK;
}
