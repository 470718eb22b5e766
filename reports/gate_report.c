#include "sb_gate_report.h"
#include "json_parts.h"
#include "reports_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const sb_gate_formats[] = { "text", "markdown", "json", NULL };
enum { TEXT, MARKDOWN, JSON };
enum { WIDTH = 100 };

static const struct sb_pair_row *pairs_of(const struct sb_gate_report *g, const struct sb_gate_row *r)
{
	return sb_pair_table_row(g->table, r->metric);
}

/* ---- sentences ------------------------------------------------------------------------------------------------- */

/* "total 1.021 (1.018..1.024)" */
static void add_effect(struct sb_buf *b, const struct sb_gate_report *g, const struct sb_gate_row *r)
{
	const struct sb_pair_row *p = pairs_of(g, r);

	if (r->exact) {
		struct sb_scale scale = sb_report_scale(p->unit, p->median_a, p->median_b);
		char x[48], y[48];

		sb_report_value(sb_value_of(p->median_a), scale, 4, x);
		sb_report_value(sb_value_of(p->median_b), scale, 4, y);
		sb_buf_addf(b, "%s %s -> %s", r->label, x, y);
		return;
	}
	sb_buf_addf(
	        b, "%s is x %.4f", r->label, p->hodges_lehmann.estimate.absent ? NAN : p->hodges_lehmann.estimate.v);
	if (p->hodges_lehmann.has_interval)
		sb_buf_addf(b, " (%.4f..%.4f)", p->hodges_lehmann.lo, p->hodges_lehmann.hi);
	if (p->cautions & SB_CAUTION_CLOCK)
		sb_buf_puts(b, " by the clock: SM cycles did not change");
}

/* "the new build's processes did not end well in 5 of 13 pairs, the baseline's in 0" */
static void add_lost(struct sb_buf *b, const struct sb_gate_report *g)
{
	const struct sb_gate_result *r = g->result;

	if (g->stored) {
		sb_buf_addf(b, "%d of %d new processes did not end well", r->lost[1], r->lost_of);
		return;
	}
	sb_buf_addf(
	        b, "B's processes did not end well in %d of %d pairs, A's in %d", r->lost[1], r->lost_of, r->lost[0]);
}

static int count(const struct sb_gate_result *r, enum sb_gate_verdict verdict)
{
	int n = 0;

	for (int i = 0; i < r->n_rows; i++)
		n += r->rows[i].verdict == verdict;
	return n;
}

/* The largest slowdown that the intervals leave room for, over all metrics of time. */
static void add_what_could_hide(struct sb_buf *out, const struct sb_gate_result *r)
{
	const struct sb_gate_row *worst = NULL;

	for (int i = 0; i < r->n_rows; i++)
		if (!r->rows[i].exact && isfinite(r->rows[i].seen) && (!worst || r->rows[i].seen > worst->seen))
			worst = &r->rows[i];
	if (worst && worst->seen > 0.0)
		sb_buf_addf(out, "; what could hide: %s slower by %.2g %%", worst->label, 100.0 * worst->seen);
}

void sb_gate_sentence(const struct sb_gate_report *g, struct sb_buf *out)
{
	const struct sb_gate_result *r = g->result;
	enum sb_gate_verdict named = r->verdict;
	const char *comma = "";

	sb_buf_addf(out, "%s: ",
	        r->verdict == SB_GATE_FAIL   ? "FAIL"
	        : r->verdict == SB_GATE_PASS ? "PASS"
	                                     : "INCONCLUSIVE");
	if (named == SB_GATE_PASS) {
		if (r->n_rows == 1)
			sb_buf_puts(out, "the metric is below its threshold");
		else
			sb_buf_addf(out, "all %d metrics are below their thresholds", r->n_rows);
	} else {
		if (r->lost_verdict == named) {
			add_lost(out, g);
			comma = "; ";
		}
		for (int i = 0; i < r->n_rows; i++) {
			if (r->rows[i].verdict != named)
				continue;
			sb_buf_puts(out, comma);
			add_effect(out, g, &r->rows[i]);
			sb_buf_addf(out, ", threshold %.3g %%", 100.0 * r->rows[i].threshold);
			comma = "; ";
		}
	}
	if (g->stored)
		sb_buf_addf(out, ". %d new process%s against %d stored, in %.0f s; %s", g->table->pairs,
		        g->table->pairs == 1 ? "" : "es", g->stored->processes, g->elapsed_s,
		        r->stopped ? r->stopped : "not ended");
	else
		sb_buf_addf(out, ". %d pairs of processes in %.0f s; %s", g->table->pairs, g->elapsed_s,
		        r->stopped ? r->stopped : "not ended");
	if (count(r, SB_GATE_OPEN) && named == SB_GATE_FAIL)
		sb_buf_addf(out, "; %d more inconclusive", count(r, SB_GATE_OPEN));
	if (named != SB_GATE_FAIL)
		add_what_could_hide(out, r);
}

/* What to be careful about in a row. */
static void row_note(const struct sb_gate_report *g, const struct sb_gate_row *r, struct sb_buf *b)
{
	const struct sb_pair_row *p = pairs_of(g, r);
	const char *comma = "";

	if (r->reason) {
		sb_buf_puts(b, r->reason);
		comma = "; ";
	}
	if (!r->exact && p->cautions) {
		sb_buf_puts(b, comma);
		sb_cautions_text(p->cautions, b);
	}
}

struct cells {
	char a[48], b[48], ratio[48], interval[96], threshold[32], pairs[16];
};

static void fill(const struct sb_gate_report *g, const struct sb_gate_row *r, struct cells *c)
{
	const struct sb_pair_row *p = pairs_of(g, r);
	struct sb_scale scale = sb_report_scale(p->unit, p->median_a, p->median_b);

	sb_report_value(sb_value_of(p->median_a), scale, 4, c->a);
	sb_report_value(sb_value_of(p->median_b), scale, 4, c->b);
	sb_report_effect(&p->hodges_lehmann, SB_UNIT_RATIO, SB_COMPARE_RATIO, r->exact, c->ratio, c->interval);
	snprintf(c->threshold, sizeof(c->threshold), "%.3g %%", 100.0 * r->threshold);
	snprintf(c->pairs, sizeof(c->pairs), "%d", r->pairs);
}

static const char about[] =
        "A is the baseline, B the new one; a process's value is the median of its trials. B / A: Hodges-Lehmann's "
        "estimate over pairs of processes with its 95 % interval, the stopping rule included. Metrics are judged "
        "together (false-discovery rate); memory exactly.";

static void add_about(const struct sb_gate_report *g, struct sb_buf *b)
{
	const struct sb_gate_stored *s = g->stored;
	char date[32];

	if (!s) {
		sb_buf_puts(b, about);
		return;
	}
	sb_time_iso(s->created_ns, date);
	sb_buf_addf(b,
	        "A is the baseline as run %.12s of %.10s left it: %d process%s, and its binary did not run now. B is "
	        "new. "
	        "What changes this machine from run to run does not average out over the processes of either; it is "
	        "known from %d stored runs and is in every interval (Student's, 95 %%), which are wider than those of "
	        "pairs. Metrics are judged together (false-discovery rate); memory exactly.",
	        s->run_id, date, s->processes, s->processes == 1 ? "" : "es", s->history);
}

static const char *unit_of(const struct sb_gate_report *g)
{
	return g->stored ? "procs" : "pairs";
}

static void side_line(const struct sb_gate_report *g, int side, struct sb_buf *b)
{
	const struct sb_pair_side *s = &g->table->side[side];

	sb_buf_addf(b, "%s, build %s", s->arm, s->build_id);
	if (!side && g->baseline)
		sb_buf_addf(b, ", baseline %s", g->baseline);
	if (s->plant > 0.0 && isfinite(s->planted))
		sb_buf_addf(b, "; for a test, every pass was made %.2f %% longer (asked: %.2f %%)", 100.0 * s->planted,
		        100.0 * s->plant);
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

static enum sb_status text(const struct sb_gate_report *g, FILE *out, struct sb_error *err)
{
	struct sb_page p = { .width = WIDTH };
	struct sb_buf line = { 0 };
	enum sb_status status;

	sb_gate_sentence(g, &line);
	sb_page_paragraph(&p, sb_buf_str(&line), 0, 2);
	for (int side = 0; side < 2; side++) {
		line.len = 0;
		side_line(g, side, &line);
		sb_page_item(&p, side ? "B" : "A", 2, sb_buf_str(&line));
	}
	sb_page_item(&p, "on", 2, g->machine);
	if (g->table->dropped) {
		line.len = 0;
		add_lost(&line, g);
		sb_buf_addf(&line, "; such %s are in no row", g->stored ? "processes" : "pairs");
		sb_page_item(&p, "!", 2, sb_buf_str(&line));
	}
	sb_page_item(&p, "!", 2, g->note ? g->note : "");
	sb_page_end(&p);
	sb_buf_addf(&p.buf, "%-26s%11s %11s%8s  %-15s%9s  %-13s%5s\n", "metric", "A", "B", "B / A", "95 % interval",
	        "threshold", "verdict", unit_of(g));
	for (int i = 0; i < g->result->n_rows; i++) {
		const struct sb_gate_row *r = &g->result->rows[i];
		struct cells c;

		fill(g, r, &c);
		sb_page_cell(&p, r->label, 26, false, SB_TINT_PLAIN);
		sb_page_number(&p, c.a, 11, SB_TINT_PLAIN);
		sb_page_number(&p, c.b, 12, SB_TINT_PLAIN);
		sb_page_number(&p, c.ratio, 8, SB_TINT_PLAIN);
		sb_page_blanks(&p, 2);
		sb_page_cell(&p, c.interval, 15, false, SB_TINT_PLAIN);
		sb_page_number(&p, c.threshold, 9, SB_TINT_PLAIN);
		sb_page_blanks(&p, 2);
		sb_page_cell(&p, sb_gate_verdict_name(r->verdict), 13, false, SB_TINT_PLAIN);
		sb_page_number(&p, c.pairs, 5, SB_TINT_PLAIN);
		sb_page_end(&p);
		line.len = 0;
		row_note(g, r, &line);
		if (line.len) {
			sb_page_blanks(&p, 4);
			sb_page_paragraph(&p, sb_buf_str(&line), 4, 4);
		}
	}
	sb_page_end(&p);
	line.len = 0;
	add_about(g, &line);
	sb_page_paragraph(&p, sb_buf_str(&line), 0, 0);
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&line);
	sb_buf_release(&p.buf);
	return status;
}

/* ---- markdown -------------------------------------------------------------------------------------------------- */

static enum sb_status markdown(const struct sb_gate_report *g, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { 0 }, line = { 0 };
	enum sb_status status;

	sb_gate_sentence(g, &line);
	sb_buf_puts(&b, "**");
	sb_markdown_text(&b, sb_buf_str(&line));
	sb_buf_puts(&b, "**\n\n");
	for (int side = 0; side < 2; side++) {
		line.len = 0;
		side_line(g, side, &line);
		sb_buf_addf(&b, "- %s: ", side ? "B" : "A");
		sb_markdown_text(&b, sb_buf_str(&line));
		sb_buf_puts(&b, "\n");
	}
	sb_buf_puts(&b, "- on: ");
	sb_markdown_text(&b, g->machine);
	sb_buf_puts(&b, "\n");
	if (g->note) {
		sb_buf_puts(&b, "- careful: ");
		sb_markdown_text(&b, g->note);
		sb_buf_puts(&b, "\n");
	}
	if (g->table->dropped) {
		line.len = 0;
		add_lost(&line, g);
		sb_buf_puts(&b, "- careful: ");
		sb_markdown_text(&b, sb_buf_str(&line));
		sb_buf_addf(&b, "; such %s are in no row\n", g->stored ? "processes" : "pairs");
	}
	sb_buf_addf(&b,
	        "\n| metric | A | B | B / A | 95 %% interval | threshold | verdict | %s | careful |\n"
	        "|---|---:|---:|---:|---|---:|---|---:|---|\n",
	        unit_of(g));
	for (int i = 0; i < g->result->n_rows; i++) {
		const struct sb_gate_row *r = &g->result->rows[i];
		struct cells c;

		fill(g, r, &c);
		line.len = 0;
		row_note(g, r, &line);
		sb_buf_puts(&b, "| ");
		sb_markdown_text(&b, r->label);
		sb_buf_addf(&b, " | %s | %s | %s | %s | %s | %s | %s | ", c.a, c.b, c.ratio, c.interval, c.threshold,
		        sb_gate_verdict_name(r->verdict), c.pairs);
		sb_markdown_text(&b, line.len ? sb_buf_str(&line) : "");
		sb_buf_puts(&b, " |\n");
	}
	sb_buf_puts(&b, "\n");
	add_about(g, &b);
	sb_buf_puts(&b, "\n");
	status = sb_report_write(&b, out, err);
	sb_buf_release(&line);
	sb_buf_release(&b);
	return status;
}

/* ---- json ------------------------------------------------------------------------------------------------------ */

static json_t *json_row(const struct sb_gate_report *g, const struct sb_gate_row *r)
{
	const struct sb_pair_row *p = pairs_of(g, r);
	json_t *j = json_object();

	sb_json_put(j, "metric", sb_json_text(r->metric));
	sb_json_put(j, "label", sb_json_text(r->label));
	sb_json_put(j, "unit", sb_json_text(sb_unit_name(p->unit)));
	sb_json_put(j, "exact", json_boolean(r->exact));
	sb_json_put(j, "verdict", sb_json_text(sb_gate_verdict_name(r->verdict)));
	sb_json_put(j, "reason", sb_json_text(r->reason));
	sb_json_put(j, "threshold", sb_json_number(r->threshold));
	sb_json_put(j, "threshold_from", sb_json_text(r->threshold_from));
	sb_json_put(j, "pairs", json_integer(r->pairs));
	sb_json_put(j, "decided_at", json_integer(r->decided_at));
	sb_json_put(j, "a", sb_json_number(p->median_a));
	sb_json_put(j, "b", sb_json_number(p->median_b));
	sb_json_put_value(j, "ratio", p->hodges_lehmann.estimate);
	sb_json_put(j, "ratio_lo", p->hodges_lehmann.has_interval ? sb_json_number(p->hodges_lehmann.lo) : json_null());
	sb_json_put(j, "ratio_hi", p->hodges_lehmann.has_interval ? sb_json_number(p->hodges_lehmann.hi) : json_null());
	sb_json_put(j, "p", sb_json_number(r->p));
	sb_json_put(j, "p_adjusted", sb_json_number(r->p_adjusted));
	sb_json_put(j, "could_still_be", sb_json_number(r->seen));
	sb_json_put(j, "drifts", json_boolean(p->flaws.drifts));
	sb_json_put(j, "bimodal", json_boolean(p->flaws.bimodal));
	sb_json_put(j, "cautions", sb_json_cautions(p->cautions));
	return j;
}

/* "pairs" are then new processes, in the whole and in a metric. */
static json_t *json_stored(const struct sb_gate_stored *s)
{
	json_t *j = json_object();

	sb_json_put(j, "run", sb_json_text(s->run_id));
	sb_json_put(j, "created", sb_json_time(s->created_ns));
	sb_json_put(j, "processes", json_integer(s->processes));
	sb_json_put(j, "runs_known", json_integer(s->history));
	return j;
}

static enum sb_status json(const struct sb_gate_report *g, FILE *out, struct sb_error *err)
{
	struct sb_buf line = { 0 };
	json_t *root, *rows;
	enum sb_status status;

	sb_gate_sentence(g, &line);
	sb_json_begin();
	root = json_object();
	rows = json_array();
	sb_json_put(root, "format", json_string("spabench-gate"));
	sb_json_put(root, "schema_version", json_integer(1));
	sb_json_put(root, "verdict", sb_json_text(sb_gate_verdict_name(g->result->verdict)));
	sb_json_put(root, "sentence", sb_json_text(sb_buf_str(&line)));
	sb_json_put(root, "stopped", sb_json_text(g->result->stopped));
	sb_json_put(root, "run", sb_json_text(g->table->run_id));
	sb_json_put(root, "baseline", sb_json_text(g->baseline));
	sb_json_put(root, "machine", sb_json_text(g->machine));
	sb_json_put(root, "note", sb_json_text(g->note));
	sb_json_put(root, "pairs", json_integer(g->table->pairs));
	if (g->stored)
		sb_json_put(root, "stored", json_stored(g->stored));
	sb_json_put(root, "dropped", json_integer(g->table->dropped));
	sb_json_put(root, "lost_a", json_integer(g->table->lost[0]));
	sb_json_put(root, "lost_b", json_integer(g->table->lost[1]));
	sb_json_put(root, "lost_verdict", sb_json_text(sb_gate_verdict_name(g->result->lost_verdict)));
	sb_json_put(root, "elapsed_s", sb_json_number(g->elapsed_s));
	sb_json_put(root, "planted", sb_json_number(g->table->side[1].planted));
	for (int i = 0; i < g->result->n_rows; i++)
		sb_json_push(rows, json_row(g, &g->result->rows[i]));
	sb_json_put(root, "metrics", rows);
	status = line.failed ? sb_fail(err, SB_E_NOMEM, "no memory for a verdict") : SB_OK;
	sb_buf_release(&line);
	if (status) {
		json_decref(root);
		return status;
	}
	return sb_json_write(root, out, err);
}

enum sb_status sb_gate_report(const struct sb_gate_report *g, int format, FILE *out, struct sb_error *err)
{
	switch (format) {
	case MARKDOWN:
		return markdown(g, out, err);
	case JSON:
		return json(g, out, err);
	}
	return text(g, out, err);
}
