#include "sb_ops_report.h"
#include "json_parts.h"
#include "reports_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT, MARKDOWN, CSV, JSON }; /* sb_pair_formats */
enum { WIDTH = 100, ROWS_MAX = 20, KERNELS_MAX = 4 };

/* ---- cells ------------------------------------------------------------------------------------------------------ */

struct cells {
	char before[48], after[48], ratio[48], interval[96], share[48], calls[64];
};

/* Without a sign where it is shown as 0.0. */
static double percent(double share)
{
	return fabs(share) < 0.0005 ? 0.0 : 100.0 * share;
}

static void fill_cells(const struct sb_ops_row *r, struct cells *c)
{
	double before = r->ns[0].absent ? 0 : r->ns[0].v, after = r->ns[1].absent ? 0 : r->ns[1].v;
	struct sb_scale scale = sb_report_scale(SB_UNIT_TIME, before, after);

	sb_report_value(r->ns[0], scale, 4, c->before);
	sb_report_value(r->ns[1], scale, 4, c->after);
	sb_report_effect(&r->ratio, SB_UNIT_RATIO, SB_COMPARE_RATIO, false, c->ratio, c->interval);
	if (r->found != SB_OPS_BOTH)
		snprintf(c->ratio, sizeof(c->ratio), "%s", sb_ops_found_name(r->found));
	if (r->share.absent)
		strcpy(c->share, "-");
	else
		snprintf(c->share, sizeof(c->share), "%.1f %%", percent(r->share.v));
	if (!r->calls[0] && !r->calls[1])
		strcpy(c->calls, "-");
	else if (r->calls[0] == r->calls[1] || r->found != SB_OPS_BOTH)
		snprintf(c->calls, sizeof(c->calls), "%lld", (long long)r->calls[r->found == SB_OPS_ADDED]);
	else
		snprintf(c->calls, sizeof(c->calls), "%lld, %lld", (long long)r->calls[0], (long long)r->calls[1]);
}

static void about(const struct sb_ops *o, struct sb_buf *b)
{
	sb_buf_addf(b, "Time of kernels, copies and sets in a pass, without the gaps between them: medians of %d",
	        o->trials[0]);
	if (o->trials[1] != o->trials[0])
		sb_buf_addf(b, " and %d", o->trials[1]);
	sb_buf_addf(b, " trace trial%s. ", o->trials[0] == 1 && o->trials[1] == 1 ? "" : "s of each arm");
	if (o->by == SB_OPS_BY_TOTAL)
		sb_buf_puts(b, "Lined up by stage and op. ");
	else
		sb_buf_addf(b,
		        "Lined up by stage, op and order: %lld of %lld and %lld calls. Calls with the same kernels and "
		        "launch shapes are one row. ",
		        (long long)o->lined_up, (long long)o->calls[0], (long long)o->calls[1]);
	sb_buf_puts(b, "Ratio is after / before; share is a row's part of the whole change.");
}

/* ---- text ------------------------------------------------------------------------------------------------------- */

static void text_line(struct sb_page *p, const struct sb_ops_row *r, const char *name)
{
	struct cells c;

	fill_cells(r, &c);
	sb_page_cell(p, name, 34, false, SB_TINT_PLAIN);
	sb_page_number(p, c.calls, 6, SB_TINT_PLAIN);
	sb_page_number(p, c.before, 11, SB_TINT_PLAIN);
	sb_page_number(p, c.after, 11, SB_TINT_PLAIN);
	sb_page_number(p, c.ratio, 9, SB_TINT_PLAIN);
	sb_page_blanks(p, 2);
	sb_page_cell(p, c.interval, 16, false, SB_TINT_PLAIN);
	sb_page_number(p, c.share, 9, SB_TINT_PLAIN);
	sb_page_end(p);
}

static double larger(const struct sb_value v[2])
{
	double a = v[0].absent ? 0 : v[0].v, b = v[1].absent ? 0 : v[1].v;

	return a > b ? a : b;
}

static void kernel_line(struct sb_page *p, const struct sb_ops_kernel *k, int side, const char *sign)
{
	char time[48], count[32];

	sb_report_value(k->ns[side], sb_report_scale(SB_UNIT_TIME, k->ns[side].v, k->ns[side].v), 3, time);
	snprintf(count, sizeof(count), "%lld", (long long)k->count[side]);
	sb_page_blanks(p, 4);
	sb_page_cell(p, sign, 3, false, SB_TINT_PLAIN);
	sb_page_cell(p, k->name[side], 60, false, SB_TINT_PLAIN);
	sb_page_number(p, count, 8, SB_TINT_PLAIN);
	sb_page_number(p, time, 12, SB_TINT_PLAIN);
	sb_page_end(p);
}

/* The kernels that make up all but a fiftieth of the row, a line each; two where the name is another one. */
static void text_kernels(struct sb_page *p, const struct sb_ops_row *r)
{
	size_t shown = 0;
	double least = 0;

	for (size_t i = 0; i < r->n_kernels; i++)
		least += 0.02 * larger(r->kernels[i].ns);
	for (; shown < r->n_kernels && shown < KERNELS_MAX; shown++) {
		const struct sb_ops_kernel *k = &r->kernels[shown];

		if (shown && larger(k->ns) < least)
			break;
		if (k->name[0] && k->name[1] && !strcmp(k->name[0], k->name[1])) {
			kernel_line(p, k, 1, "=");
			continue;
		}
		if (k->name[0])
			kernel_line(p, k, 0, "-");
		if (k->name[1])
			kernel_line(p, k, 1, "+");
	}
	if (shown < r->n_kernels) {
		sb_buf_addf(&p->buf, "       and %zu smaller one%s", r->n_kernels - shown,
		        r->n_kernels - shown == 1 ? "" : "s");
		sb_page_end(p);
	}
}

/* What is not shown, summed up. */
static void text_rest(struct sb_page *p, const struct sb_ops *o)
{
	double ns[2] = { 0, 0 }, change = 0;
	struct sb_scale scale;
	char before[48], after[48];

	for (size_t i = ROWS_MAX; i < o->n_rows; i++) {
		change += o->rows[i].change_ns;
		for (int side = 0; side < 2; side++)
			ns[side] += o->rows[i].ns[side].absent ? 0 : o->rows[i].ns[side].v;
	}
	if (o->n_rows <= ROWS_MAX)
		return;
	scale = sb_report_scale(SB_UNIT_TIME, ns[0], ns[1]);
	sb_report_value(sb_value_of(ns[0]), scale, 4, before);
	sb_report_value(sb_value_of(ns[1]), scale, 4, after);
	sb_buf_addf(&p->buf, "and %zu more row%s: %s -> %s", o->n_rows - ROWS_MAX, o->n_rows - ROWS_MAX == 1 ? "" : "s",
	        before, after);
	if (!o->rows[ROWS_MAX].share.absent)
		sb_buf_addf(&p->buf, ", %.1f %% of the change", percent(change / o->total.change_ns));
	sb_buf_puts(&p->buf, "; '--format csv' has them all");
	sb_page_end(p);
}

static enum sb_status text(const struct sb_ops *o, FILE *out, struct sb_error *err)
{
	struct sb_page p = { .width = WIDTH };
	struct sb_buf line = { 0 };
	enum sb_status status;

	sb_buf_addf(&line, "%s -> %s   run %.12s", o->arm[0], o->arm[1], o->run_id[0]);
	if (strcmp(o->run_id[0], o->run_id[1]) != 0)
		sb_buf_addf(&line, " and %.12s", o->run_id[1]);
	sb_page_paragraph(&p, sb_buf_str(&line), 0, 0);
	line.len = 0;
	about(o, &line);
	sb_page_paragraph(&p, sb_buf_str(&line), 0, 0);
	for (size_t i = 0; i < o->n_notes; i++) {
		sb_buf_puts(&p.buf, "! ");
		sb_page_paragraph(&p, o->notes[i], 2, 2);
	}
	sb_page_end(&p);
	sb_buf_addf(&p.buf, "%-34s%6s%11s%11s%9s  %-16s%9s\n", "stage op", "calls", "before", "after", "ratio",
	        "95 % interval", "share");
	text_line(&p, &o->total, "all");
	for (size_t i = 0; i < o->n_rows && i < ROWS_MAX; i++) {
		line.len = 0;
		sb_buf_addf(&line, "%s %s", o->rows[i].stage, o->rows[i].op);
		text_line(&p, &o->rows[i], sb_buf_str(&line));
		text_kernels(&p, &o->rows[i]);
	}
	text_rest(&p, o);
	p.buf.failed |= line.failed;
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&line);
	sb_buf_release(&p.buf);
	return status;
}

/* ---- Markdown --------------------------------------------------------------------------------------------------- */

static void markdown_kernels(struct sb_buf *b, const struct sb_ops_row *r, int side)
{
	bool first = true;

	for (size_t i = 0; i < r->n_kernels; i++) {
		if (!r->kernels[i].name[side])
			continue;
		sb_buf_puts(b, first ? "" : ", ");
		sb_markdown_text(b, r->kernels[i].name[side]);
		first = false;
	}
}

static void markdown_row(struct sb_buf *b, const struct sb_ops_row *r, const char *stage)
{
	struct cells c;

	fill_cells(r, &c);
	sb_buf_puts(b, "| ");
	sb_markdown_text(b, stage);
	sb_buf_puts(b, " | ");
	sb_markdown_text(b, r->op);
	sb_buf_addf(b, " | %s | %s | %s | %s | %s | %s | ", c.calls, c.before, c.after, c.ratio, c.interval, c.share);
	markdown_kernels(b, r, 0);
	sb_buf_puts(b, " | ");
	markdown_kernels(b, r, 1);
	sb_buf_puts(b, " |\n");
}

static enum sb_status markdown(const struct sb_ops *o, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { 0 }, line = { 0 };
	enum sb_status status;

	sb_buf_puts(&b, "| stage | op | calls | before | after | ratio | 95 % interval | share | kernels before | "
	                "kernels after |\n|---|---|---:|---:|---:|---:|---|---:|---|---|\n");
	markdown_row(&b, &o->total, "all");
	for (size_t i = 0; i < o->n_rows; i++)
		markdown_row(&b, &o->rows[i], o->rows[i].stage);
	about(o, &line);
	for (size_t i = 0; i <= o->n_notes; i++) {
		sb_buf_puts(&b, "\n");
		sb_markdown_text(&b, i ? o->notes[i - 1] : sb_buf_str(&line));
		sb_buf_puts(&b, "\n");
	}
	b.failed |= line.failed;
	status = sb_report_write(&b, out, err);
	sb_buf_release(&line);
	sb_buf_release(&b);
	return status;
}

/* ---- for programs ----------------------------------------------------------------------------------------------- */

static double number(struct sb_value v)
{
	return v.absent ? NAN : v.v;
}

static void csv_row(struct sb_csv *c, const struct sb_ops *o, const struct sb_ops_row *r, const struct sb_ops_kernel *k)
{
	sb_csv_text(c, o->run_id[0]);
	sb_csv_text(c, o->arm[0]);
	sb_csv_text(c, o->run_id[1]);
	sb_csv_text(c, o->arm[1]);
	sb_csv_text(c, r == &o->total ? "total" : k ? "kernel" : "calls");
	sb_csv_text(c, r->stage);
	sb_csv_text(c, r->op);
	sb_csv_text(c, !k ? sb_ops_found_name(r->found)
	                  : sb_ops_found_name(!k->name[0]   ? SB_OPS_ADDED
	                                      : !k->name[1] ? SB_OPS_VANISHED
	                                                    : SB_OPS_BOTH));
	for (int side = 0; side < 2; side++)
		sb_csv_text(c, k ? k->name[side] : NULL);
	for (int side = 0; side < 2; side++)
		sb_csv_number(c, (double)(k ? k->count[side] : r->calls[side]));
	for (int side = 0; side < 2; side++)
		sb_csv_number(c, number(k ? k->ns[side] : r->ns[side]));
	sb_csv_number(c, k || r->ratio.estimate.absent ? NAN : r->ratio.estimate.v);
	sb_csv_number(c, !k && r->ratio.has_interval ? r->ratio.lo : NAN);
	sb_csv_number(c, !k && r->ratio.has_interval ? r->ratio.hi : NAN);
	sb_csv_number(c, k ? NAN : r->change_ns);
	sb_csv_number(c, k ? NAN : number(r->share));
	sb_csv_end(c);
}

/* A line for the whole, one for each row, and one for each of its kernels. */
static enum sb_status csv(const struct sb_ops *o, FILE *out, struct sb_error *err)
{
	static const char *const names[] = { "run_before", "arm_before", "run_after", "arm_after", "what", "stage",
		"op", "found", "kernel_before", "kernel_after", "count_before", "count_after", "before_ns", "after_ns",
		"ratio", "ratio_lo", "ratio_hi", "change_ns", "share", NULL };
	struct sb_csv c = { .column = 0 };
	enum sb_status status;

	sb_csv_header(&c, names);
	csv_row(&c, o, &o->total, NULL);
	for (size_t i = 0; i < o->n_rows; i++) {
		csv_row(&c, o, &o->rows[i], NULL);
		for (size_t k = 0; k < o->rows[i].n_kernels; k++)
			csv_row(&c, o, &o->rows[i], &o->rows[i].kernels[k]);
	}
	status = sb_report_write(&c.buf, out, err);
	sb_buf_release(&c.buf);
	return status;
}

static json_t *json_kernel(const struct sb_ops_kernel *k)
{
	static const char *const keys[2][3] = { { "before", "before_count", "before_ns" },
		{ "after", "after_count", "after_ns" } };
	json_t *j = json_object();

	for (int side = 0; side < 2; side++) {
		sb_json_put(j, keys[side][0], sb_json_text(k->name[side]));
		sb_json_put(j, keys[side][1], json_integer((json_int_t)k->count[side]));
		sb_json_put_value(j, keys[side][2], k->ns[side]);
	}
	return j;
}

static json_t *json_row(const struct sb_ops_row *r)
{
	json_t *j = json_object(), *ratio = json_object(), *kernels = json_array();

	sb_json_put(j, "stage", sb_json_text(r->stage));
	sb_json_put(j, "op", sb_json_text(r->op));
	sb_json_put(j, "found", sb_json_text(sb_ops_found_name(r->found)));
	sb_json_put(j, "before_calls", json_integer((json_int_t)r->calls[0]));
	sb_json_put(j, "after_calls", json_integer((json_int_t)r->calls[1]));
	sb_json_put_value(j, "before_ns", r->ns[0]);
	sb_json_put_value(j, "after_ns", r->ns[1]);
	sb_json_put_value(ratio, "estimate", r->ratio.estimate);
	sb_json_put(ratio, "lo", r->ratio.has_interval ? sb_json_number(r->ratio.lo) : json_null());
	sb_json_put(ratio, "hi", r->ratio.has_interval ? sb_json_number(r->ratio.hi) : json_null());
	sb_json_put(j, "ratio", ratio);
	sb_json_put(j, "change_ns", sb_json_number(r->change_ns));
	sb_json_put_value(j, "share", r->share);
	for (size_t k = 0; k < r->n_kernels; k++)
		sb_json_push(kernels, json_kernel(&r->kernels[k]));
	sb_json_put(j, "kernels", kernels);
	return j;
}

static enum sb_status json(const struct sb_ops *o, FILE *out, struct sb_error *err)
{
	static const char *const by[] = { "call", "turn", "total" };
	json_t *root, *rows, *notes;
	struct sb_buf line = { 0 };
	enum sb_status status;

	sb_json_begin();
	root = json_object();
	rows = json_array();
	notes = json_array();
	about(o, &line);
	sb_json_put(root, "format", json_string("spabench-ops"));
	sb_json_put(root, "schema_version", json_integer(1));
	sb_json_put(root, "before_run", sb_json_text(o->run_id[0]));
	sb_json_put(root, "before", sb_json_text(o->arm[0]));
	sb_json_put(root, "after_run", sb_json_text(o->run_id[1]));
	sb_json_put(root, "after", sb_json_text(o->arm[1]));
	sb_json_put(root, "lined_up_by", sb_json_text(by[o->by]));
	sb_json_put(root, "lined_up", json_integer((json_int_t)o->lined_up));
	sb_json_put(root, "pairs", json_integer(o->pairs));
	sb_json_put(root, "before_trials", json_integer(o->trials[0]));
	sb_json_put(root, "after_trials", json_integer(o->trials[1]));
	sb_json_put(root, "about", sb_json_text(sb_buf_str(&line)));
	for (size_t i = 0; i < o->n_notes; i++)
		sb_json_push(notes, sb_json_text(o->notes[i]));
	sb_json_put(root, "notes", notes);
	sb_json_put(root, "total", json_row(&o->total));
	for (size_t i = 0; i < o->n_rows; i++)
		sb_json_push(rows, json_row(&o->rows[i]));
	sb_json_put(root, "rows", rows);
	status = line.failed ? sb_fail(err, SB_E_NOMEM, "out of memory") : SB_OK;
	if (status)
		json_decref(root);
	else
		status = sb_json_write(root, out, err);
	sb_buf_release(&line);
	return status;
}

enum sb_status sb_ops_report(const struct sb_ops *o, int format, FILE *out, struct sb_error *err)
{
	switch (format) {
	case MARKDOWN:
		return markdown(o, out, err);
	case CSV:
		return csv(o, out, err);
	case JSON:
		return json(o, out, err);
	}
	return text(o, out, err);
}
