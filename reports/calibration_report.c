#include "sb_calibration_report.h"
#include "json_parts.h"
#include "reports_internal.h"

#include <math.h>
#include <stdio.h>

const char *const sb_calibration_formats[] = { "text", "markdown", "csv", "json", NULL };
enum { TEXT, MARKDOWN, CSV, JSON };

/* ---- cells ----------------------------------------------------------------------------------------------------- */

struct cells {
	char p[16], threshold[24], finds[24], needs[SB_GATE_EFFECTS][16], rates[SB_GATE_THRESHOLDS][32];
};

static void percent(double x, const char *form, const char *none, char *out, size_t size)
{
	if (isfinite(x))
		snprintf(out, size, form, 100.0 * x);
	else
		snprintf(out, size, "%s", none);
}

/* A rate "0.1/100": 0.1 % of gates without a difference fail at the threshold, 100 % pass. */
static void fill(const struct sb_calibrated *c, struct cells *to)
{
	snprintf(to->p, sizeof(to->p), "%.3f", c->full.p_two);
	percent(c->threshold, "%.3g %%", "none", to->threshold, sizeof(to->threshold));
	percent(c->full.smallest, "%.2f %%", "-", to->finds, sizeof(to->finds));
	for (int i = 0; i < SB_GATE_EFFECTS; i++)
		snprintf(to->needs[i], sizeof(to->needs[i]), c->full.need[i].pairs ? "%d" : "-", c->full.need[i].pairs);
	for (int i = 0; i < SB_GATE_THRESHOLDS; i++)
		snprintf(to->rates[i], sizeof(to->rates[i]), "%.1f/%.0f", 100.0 * c->full.at[i].false_alarm,
		        100.0 * c->full.at[i].pass);
}

static void head(const struct sb_calibration_report *r, struct sb_buf *b, const char *between)
{
	const struct sb_pair_table *t = r->table;

	sb_buf_addf(b, "%d pairs of one build against itself, %d trials a process, run %.12s%s%s", t->pairs, t->trials,
	        t->run_id, t->dropped ? "; some pairs did not end well and were left out" : "", between);
	sb_buf_addf(b, "%d pairs fit into a gate of %.0f s%s\n\n", r->gate_pairs, r->budget_s,
	        r->gate_pairs < SB_GATE_MAX_PAIRS ? "" : ", as many as are ever made");
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

static void text_found(const struct sb_calibration_report *r, struct sb_page *p)
{
	sb_buf_addf(&p->buf, "%-24s%10s%11s%10s%11s%8s%8s\n", "metric", "p (A/A)", "threshold", "finds", "needs: 1 %",
	        "2 %", "5 %");
	for (int i = 0; i < r->n_rows; i++) {
		struct cells c;

		fill(&r->rows[i].found, &c);
		sb_page_cell(p, r->rows[i].label, 24, false, SB_TINT_PLAIN);
		sb_page_number(p, c.p, 10, SB_TINT_PLAIN);
		sb_page_number(p, c.threshold, 11, SB_TINT_PLAIN);
		sb_page_number(p, c.finds, 10, SB_TINT_PLAIN);
		for (int k = 0; k < SB_GATE_EFFECTS; k++)
			sb_page_number(p, c.needs[k], k ? 8 : 11, SB_TINT_PLAIN);
		sb_page_end(p);
	}
}

static void text_rates(const struct sb_calibration_report *r, struct sb_page *p)
{
	sb_buf_addf(&p->buf, "\n%-24s", "false alarms/passes, %");
	for (int k = 0; r->n_rows && k < SB_GATE_THRESHOLDS; k++)
		sb_buf_addf(&p->buf, "%8g %%", 100.0 * r->rows[0].found.full.at[k].threshold);
	sb_buf_puts(&p->buf, "\n");
	for (int i = 0; i < r->n_rows; i++) {
		struct cells c;

		fill(&r->rows[i].found, &c);
		sb_page_cell(p, r->rows[i].label, 24, false, SB_TINT_PLAIN);
		for (int k = 0; k < SB_GATE_THRESHOLDS; k++)
			sb_page_number(p, c.rates[k], 10, SB_TINT_PLAIN);
		sb_page_end(p);
	}
}

static enum sb_status text(const struct sb_calibration_report *r, FILE *out, struct sb_error *err)
{
	struct sb_page p = { .width = 100 };
	enum sb_status status;

	head(r, &p.buf, "\n");
	text_found(r, &p);
	text_rates(r, &p);
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&p.buf);
	return status;
}

/* ---- markdown -------------------------------------------------------------------------------------------------- */

static void markdown_found(const struct sb_calibration_report *r, struct sb_buf *b)
{
	sb_buf_puts(b, "| metric | p (A/A) | threshold | finds | needs: 1 % | 2 % | 5 % |\n"
	               "|---|---:|---:|---:|---:|---:|---:|\n");
	for (int i = 0; i < r->n_rows; i++) {
		struct cells c;

		fill(&r->rows[i].found, &c);
		sb_buf_puts(b, "| ");
		sb_markdown_text(b, r->rows[i].label);
		sb_buf_addf(b, " | %s | %s | %s", c.p, c.threshold, c.finds);
		for (int k = 0; k < SB_GATE_EFFECTS; k++)
			sb_buf_addf(b, " | %s", c.needs[k]);
		sb_buf_puts(b, " |\n");
	}
}

static void markdown_rates(const struct sb_calibration_report *r, struct sb_buf *b)
{
	sb_buf_puts(b, "\n| false alarms/passes, % |");
	for (int k = 0; r->n_rows && k < SB_GATE_THRESHOLDS; k++)
		sb_buf_addf(b, " %g %% |", 100.0 * r->rows[0].found.full.at[k].threshold);
	sb_buf_puts(b, "\n|---|");
	for (int k = 0; r->n_rows && k < SB_GATE_THRESHOLDS; k++)
		sb_buf_puts(b, "---:|");
	sb_buf_puts(b, "\n");
	for (int i = 0; i < r->n_rows; i++) {
		struct cells c;

		fill(&r->rows[i].found, &c);
		sb_buf_puts(b, "| ");
		sb_markdown_text(b, r->rows[i].label);
		for (int k = 0; k < SB_GATE_THRESHOLDS; k++)
			sb_buf_addf(b, " | %s", c.rates[k]);
		sb_buf_puts(b, " |\n");
	}
}

static enum sb_status markdown(const struct sb_calibration_report *r, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { 0 };
	enum sb_status status;

	head(r, &b, "; ");
	markdown_found(r, &b);
	markdown_rates(r, &b);
	status = sb_report_write(&b, out, err);
	sb_buf_release(&b);
	return status;
}

/* ---- csv ------------------------------------------------------------------------------------------------------- */

static enum sb_status csv(const struct sb_calibration_report *r, FILE *out, struct sb_error *err)
{
	/* one line for each metric and threshold: a program that wants a column for each can make it */
	static const char *const names[] = { "run", "metric", "pairs", "trials", "p", "gate_pairs", "gate_threshold",
		"smallest", "pairs_1", "pairs_2", "pairs_5", "threshold", "false_alarm", "false_alarm_upper", "pass",
		NULL };
	struct sb_csv c = { .column = 0 };
	enum sb_status status;

	sb_csv_header(&c, names);
	for (int i = 0; i < r->n_rows * SB_GATE_THRESHOLDS; i++) {
		const struct sb_calibration_row *row = &r->rows[i / SB_GATE_THRESHOLDS];
		const struct sb_gate_calibration *f = &row->found.full;
		int k = i % SB_GATE_THRESHOLDS;

		sb_csv_text(&c, r->table->run_id);
		sb_csv_text(&c, row->metric);
		sb_csv_number(&c, f->pairs);
		sb_csv_number(&c, row->found.trials);
		sb_csv_number(&c, f->p_two);
		sb_csv_number(&c, row->found.gate_pairs);
		sb_csv_number(&c, row->found.threshold);
		sb_csv_number(&c, f->smallest);
		for (int e = 0; e < SB_GATE_EFFECTS; e++) /* empty: more than are ever made */
			sb_csv_number(&c, f->need[e].pairs ? (double)f->need[e].pairs : NAN);
		sb_csv_number(&c, f->at[k].threshold);
		sb_csv_number(&c, f->at[k].false_alarm);
		sb_csv_number(&c, f->at[k].false_alarm_upper);
		sb_csv_number(&c, f->at[k].pass);
		sb_csv_end(&c);
	}
	status = sb_report_write(&c.buf, out, err);
	sb_buf_release(&c.buf);
	return status;
}

/* ---- json ------------------------------------------------------------------------------------------------------ */

static json_t *json_at(const struct sb_gate_calibration *f)
{
	json_t *list = json_array();

	for (int k = 0; k < SB_GATE_THRESHOLDS; k++) {
		json_t *j = json_object();

		sb_json_put(j, "threshold", sb_json_number(f->at[k].threshold));
		sb_json_put(j, "false_alarm", sb_json_number(f->at[k].false_alarm));
		sb_json_put(j, "false_alarm_upper", sb_json_number(f->at[k].false_alarm_upper));
		sb_json_put(j, "pass", sb_json_number(f->at[k].pass));
		sb_json_push(list, j);
	}
	return list;
}

/* pairs null: max_pairs do not find it in 95 % of gates, but in `found`. */
static json_t *json_need(const struct sb_gate_calibration *f)
{
	json_t *list = json_array();

	for (int k = 0; k < SB_GATE_EFFECTS; k++) {
		json_t *j = json_object();

		sb_json_put(j, "effect", sb_json_number(f->need[k].effect));
		sb_json_put(j, "pairs", f->need[k].pairs ? json_integer(f->need[k].pairs) : json_null());
		sb_json_put(j, "found", sb_json_number(f->need[k].found));
		sb_json_push(list, j);
	}
	return list;
}

static json_t *json_row(const struct sb_calibration_row *r)
{
	const struct sb_gate_calibration *f = &r->found.full;
	json_t *j = json_object();

	sb_json_put(j, "metric", sb_json_text(r->metric));
	sb_json_put(j, "label", sb_json_text(r->label));
	sb_json_put(j, "p", sb_json_number(f->p_two));
	sb_json_put(j, "gate_threshold", sb_json_number(r->found.threshold));
	sb_json_put(j, "smallest", sb_json_number(f->smallest));
	sb_json_put(j, "need", json_need(f));
	sb_json_put(j, "at", json_at(f));
	return j;
}

static enum sb_status json(const struct sb_calibration_report *r, FILE *out, struct sb_error *err)
{
	json_t *root, *rows;

	sb_json_begin();
	root = json_object();
	rows = json_array();
	sb_json_put(root, "format", json_string("spabench-calibration"));
	sb_json_put(root, "schema_version", json_integer(1));
	sb_json_put(root, "run", sb_json_text(r->table->run_id));
	sb_json_put(root, "levels", sb_json_text(r->table->side[0].levels));
	sb_json_put(root, "build", sb_json_text(r->table->side[0].build_id));
	sb_json_put(root, "pairs", json_integer(r->table->pairs));
	sb_json_put(root, "dropped", json_integer(r->table->dropped));
	sb_json_put(root, "trials", json_integer(r->table->trials));
	sb_json_put(root, "max_pairs", json_integer(SB_GATE_MAX_PAIRS));
	sb_json_put(root, "gate_pairs", json_integer(r->gate_pairs));
	sb_json_put(root, "gate_budget_s", sb_json_number(r->budget_s));
	for (int i = 0; i < r->n_rows; i++)
		sb_json_push(rows, json_row(&r->rows[i]));
	sb_json_put(root, "metrics", rows);
	return sb_json_write(root, out, err);
}

enum sb_status sb_calibration_report(const struct sb_calibration_report *r, int format, FILE *out, struct sb_error *err)
{
	switch (format) {
	case MARKDOWN:
		return markdown(r, out, err);
	case CSV:
		return csv(r, out, err);
	case JSON:
		return json(r, out, err);
	}
	return text(r, out, err);
}
