/* What a gate decided as cases, a metric each. */
#include "reports_internal.h"
#include "sb_ci.h"

#include <math.h>
#include <stdio.h>

static enum sb_ci_outcome outcome_of(enum sb_gate_verdict v)
{
	return v == SB_GATE_PASS ? SB_CI_PASSED : v == SB_GATE_FAIL ? SB_CI_FAILED : SB_CI_OPEN;
}

/* "353.3 ms -> 360.1 ms, x 1.0194 (1.0180..1.0211), threshold 1 % (default), 16 pairs" */
static void measured(const struct sb_gate_row *r, const struct sb_pair_row *p, struct sb_buf *b)
{
	struct sb_scale scale = sb_report_scale(p->unit, p->median_a, p->median_b);
	const struct sb_effect *e = &p->hodges_lehmann;
	char x[48], y[48];

	sb_report_value(sb_value_of(p->median_a), scale, 4, x);
	sb_report_value(sb_value_of(p->median_b), scale, 4, y);
	sb_buf_addf(b, "%s -> %s", x, y);
	if (!r->exact && !e->estimate.absent)
		sb_buf_addf(b, ", x %.4f", e->estimate.v);
	if (!r->exact && e->has_interval)
		sb_buf_addf(b, " (%.4f..%.4f)", e->lo, e->hi);
}

/* "16 pairs", "12 processes against 16 stored ones" */
static void add_count(const struct sb_gate_report *g, int n, struct sb_buf *b)
{
	if (g->stored)
		sb_buf_addf(b, "%d process%s against %d stored", n, n == 1 ? "" : "es", g->stored->processes);
	else
		sb_buf_addf(b, "%d pair%s", n, n == 1 ? "" : "s");
}

static void sentence(
        const struct sb_gate_report *g, const struct sb_gate_row *r, const struct sb_pair_row *p, struct sb_buf *b)
{
	if (r->reason)
		sb_buf_addf(b, "%s; ", r->reason);
	if (p)
		measured(r, p, b);
	sb_buf_addf(b, ", threshold %.3g %% (%s), ", 100.0 * r->threshold, r->threshold_from);
	add_count(g, r->pairs, b);
	if (r->verdict == SB_GATE_OPEN && isfinite(r->seen))
		sb_buf_addf(b, "; it may be slower by up to %.2f %%", 100.0 * r->seen);
	if (p && !r->exact && p->cautions) {
		sb_buf_puts(b, "; ");
		sb_cautions_text(p->cautions, b);
	}
}

static void add_row(
        struct sb_ci_report *r, const struct sb_gate_report *g, const char *group, const struct sb_gate_row *row)
{
	struct sb_buf text = { 0 };

	sentence(g, row, sb_pair_table_row(g->table, row->metric), &text);
	sb_ci_add_case(
	        r, group, row->label, outcome_of(row->verdict), sb_gate_verdict_name(row->verdict), sb_buf_str(&text));
	r->failed |= text.failed;
	sb_buf_release(&text);
}

/* A build that crashes is in no metric. */
static void add_lost(struct sb_ci_report *r, const struct sb_gate_report *g, const char *group)
{
	const struct sb_gate_result *x = g->result;
	struct sb_buf text = { 0 };

	if (g->stored)
		sb_buf_addf(&text, "%d of %d new processes did not", x->lost[1], x->lost_of);
	else
		sb_buf_addf(&text, "in %d of %d pairs the process of A did not, in %d that of B", x->lost[0],
		        x->lost_of, x->lost[1]);
	sb_ci_add_case(r, group, "processes that end well", outcome_of(x->lost_verdict),
	        sb_gate_verdict_name(x->lost_verdict), sb_buf_str(&text));
	r->failed |= text.failed;
	sb_buf_release(&text);
}

static void add_side(struct sb_ci_report *r, const struct sb_gate_report *g, int side)
{
	const struct sb_pair_side *s = &g->table->side[side];
	struct sb_buf text = { 0 };

	sb_buf_addf(&text, "%s, build %s", s->arm, s->build_id);
	if (s->plant > 0.0)
		sb_buf_addf(&text, ", made %.3g %% slower for a test", 100.0 * s->plant);
	sb_ci_add_fact(r, side ? "B" : "A", sb_buf_str(&text));
	r->failed |= text.failed;
	sb_buf_release(&text);
}

static void add_facts(struct sb_ci_report *r, const struct sb_gate_report *g)
{
	char number[32];

	sb_ci_add_fact(r, "run", g->table->run_id);
	sb_ci_add_fact(r, "baseline", g->baseline);
	add_side(r, g, 0);
	add_side(r, g, 1);
	sb_ci_add_fact(r, "machine", g->machine);
	snprintf(number, sizeof(number), "%d", g->table->pairs);
	sb_ci_add_fact(r, g->stored ? "new processes" : "pairs", number);
	sb_ci_add_fact(r, "stored run", g->stored ? g->stored->run_id : NULL);
	snprintf(number, sizeof(number), "%d", g->table->dropped);
	sb_ci_add_fact(r, g->stored ? "processes that did not end well" : "pairs that did not end well",
	        g->table->dropped ? number : NULL);
	sb_ci_add_fact(r, "careful", g->note);
}

void sb_ci_of_gate(struct sb_ci_report *r, const struct sb_gate_report *g, int64_t created_ns, const char *host)
{
	struct sb_buf text = { 0 };

	sb_ci_begin(r, "spabench gate", created_ns, g->elapsed_s, host);
	add_facts(r, g);
	if (g->baseline)
		sb_buf_addf(&text, "against %s", g->baseline);
	else
		sb_buf_addf(&text, "%s against %s", g->table->side[1].arm, g->table->side[0].arm);
	add_lost(r, g, sb_buf_str(&text));
	for (int i = 0; i < g->result->n_rows; i++)
		add_row(r, g, sb_buf_str(&text), &g->result->rows[i]);
	text.len = 0;
	sb_gate_sentence(g, &text);
	sb_ci_set_verdict(r, outcome_of(g->result->verdict), sb_buf_str(&text));
	r->failed |= text.failed;
	sb_buf_release(&text);
}
