#include "sb_old_runs_report.h"
#include "json_parts.h"
#include "reports_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT, MARKDOWN, CSV, JSON }; /* sb_pair_formats */
enum { WIDTH = 100 };

/* ---- sentences ------------------------------------------------------------------------------------------------- */

static void side_text(const struct sb_old_side *s, char letter, struct sb_buf *b)
{
	char when[32];

	sb_time_iso(s->created_ns, when);
	sb_buf_addf(b, "%c: run %.12s of %s, %s: ", letter, s->run_id, when, s->arm);
	for (const char *c = s->levels[0] ? s->levels : "-"; *c; c++) /* lines are broken at blanks */
		sb_buf_puts(b, *c == ',' ? ", " : (const char[]){ *c, '\0' });
	sb_buf_addf(b, ", build %s; %d process%s, %d trial%s", s->build_id, s->processes, s->processes == 1 ? "" : "es",
	        s->trials, s->trials == 1 ? "" : "s");
}

static void about_intervals(const struct sb_old_runs *r, struct sb_buf *b)
{
	sb_buf_puts(b, "Two runs of different times, so not pairs. ");
	if (r->machines)
		sb_buf_addf(b, "They are of two machines (%s). ", r->machines);
	if (r->why_no_interval)
		sb_buf_addf(b, "Times have no interval: %s.", r->why_no_interval);
	else
		sb_buf_addf(b,
		        "Intervals are wider than within a run: what differs from run to run is in them, as %d stored "
		        "measurements of these builds, arms, case and machine have it.",
		        r->history);
	sb_buf_puts(b, " 'spabench pairs' sees smaller differences. B / A: exp of the difference of the means of logs "
	               "of processes' medians.");
}

/* What is to be careful about. One of a hundred good samples looks drifting: of many stages that is some. */
static void row_note(const struct sb_old_row *r, struct sb_buf *b)
{
	sb_cautions_text(r->section == SB_SECTION_TOTAL ? r->cautions : r->cautions & SB_CAUTION_CLOCK, b);
}

struct cells {
	char a[48], b[48], ratio[48], interval[96], between[32];
};

static void fill_cells(const struct sb_old_row *r, struct cells *c)
{
	struct sb_scale scale = sb_report_scale(r->unit, r->median[0], r->median[1]);

	sb_report_value(sb_value_of(r->median[0]), scale, 4, c->a);
	sb_report_value(sb_value_of(r->median[1]), scale, 4, c->b);
	sb_report_effect(&r->ratio, SB_UNIT_RATIO, SB_COMPARE_RATIO, r->exact, c->ratio, c->interval);
	if (r->exact || r->between.absent)
		strcpy(c->between, "-");
	else
		snprintf(c->between, sizeof(c->between), "%.2f %%", 100.0 * r->between.v);
}

/* ---- formats --------------------------------------------------------------------------------------------------- */

static enum sb_status text(const struct sb_old_runs *r, FILE *out, struct sb_error *err)
{
	struct sb_page p = { .width = WIDTH };
	enum sb_section section = SB_SECTION_COUNT;
	struct sb_buf line = { 0 };
	enum sb_status status;

	for (int side = 0; side < 2; side++) {
		line.len = 0;
		side_text(&r->side[side], (char)('A' + side), &line);
		sb_page_paragraph(&p, sb_buf_str(&line), 0, 3);
	}
	sb_page_end(&p);
	sb_buf_addf(&p.buf, "%-27s%11s %11s%8s  %-16s%14s  %s\n", "", "A", "B", "B / A", "95 % interval",
	        "between runs", "processes");
	for (size_t i = 0; i < r->n_rows; i++) {
		const struct sb_old_row *row = &r->rows[i];
		struct cells c;

		if (row->section != section)
			sb_buf_addf(&p.buf, "%s\n", sb_section_title(row->section));
		section = row->section;
		fill_cells(row, &c);
		sb_page_blanks(&p, 2);
		sb_page_cell(&p, row->label, 25, false, SB_TINT_PLAIN);
		sb_page_number(&p, c.a, 11, SB_TINT_PLAIN);
		sb_page_number(&p, c.b, 12, SB_TINT_PLAIN);
		sb_page_number(&p, c.ratio, 8, SB_TINT_PLAIN);
		sb_page_blanks(&p, 2);
		sb_page_cell(&p, c.interval, 16, false, SB_TINT_PLAIN);
		sb_page_number(&p, c.between, 14, SB_TINT_PLAIN);
		line.len = 0;
		sb_buf_addf(&line, "  %d, %d  ", row->n[0], row->n[1]);
		row_note(row, &line);
		sb_buf_puts(&p.buf, sb_buf_str(&line));
		sb_page_end(&p);
	}
	sb_page_end(&p);
	line.len = 0;
	about_intervals(r, &line);
	sb_page_paragraph(&p, sb_buf_str(&line), 0, 0);
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&line);
	sb_buf_release(&p.buf);
	return status;
}

static enum sb_status markdown(const struct sb_old_runs *r, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { 0 }, line = { 0 };
	enum sb_status status;

	for (int side = 0; side < 2; side++) {
		line.len = 0;
		side_text(&r->side[side], (char)('A' + side), &line);
		sb_buf_puts(&b, "- ");
		sb_markdown_text(&b, sb_buf_str(&line));
		sb_buf_puts(&b, "\n");
	}
	sb_buf_puts(&b, "\n| metric | A | B | B / A | 95 % interval | between runs | processes | careful |\n"
	                "|---|---:|---:|---:|---|---:|---:|---|\n");
	for (size_t i = 0; i < r->n_rows; i++) {
		const struct sb_old_row *row = &r->rows[i];
		struct cells c;

		fill_cells(row, &c);
		line.len = 0;
		row_note(row, &line);
		sb_buf_puts(&b, "| ");
		sb_markdown_text(&b, row->label);
		sb_buf_addf(&b, " | %s | %s | %s | %s | %s | %d, %d | %s |\n", c.a, c.b, c.ratio, c.interval, c.between,
		        row->n[0], row->n[1], line.len ? sb_buf_str(&line) : "");
	}
	line.len = 0;
	about_intervals(r, &line);
	sb_buf_puts(&b, "\n");
	sb_markdown_text(&b, sb_buf_str(&line));
	sb_buf_puts(&b, "\n");
	status = sb_report_write(&b, out, err);
	sb_buf_release(&line);
	sb_buf_release(&b);
	return status;
}

static enum sb_status csv(const struct sb_old_runs *r, FILE *out, struct sb_error *err)
{
	static const char *const names[] = { "run_a", "arm_a", "run_b", "arm_b", "metric", "unit", "exact",
		"processes_a", "processes_b", "a", "b", "ratio", "ratio_lo", "ratio_hi", "between_runs", "clock",
		"throttled", "drifts", "bimodal", NULL };
	struct sb_csv c = { .column = 0 };
	enum sb_status status;

	sb_csv_header(&c, names);
	for (size_t i = 0; i < r->n_rows; i++) {
		const struct sb_old_row *row = &r->rows[i];

		for (int side = 0; side < 2; side++) {
			sb_csv_text(&c, r->side[side].run_id);
			sb_csv_text(&c, r->side[side].arm);
		}
		sb_csv_text(&c, row->metric);
		sb_csv_text(&c, sb_unit_name(row->unit));
		sb_csv_number(&c, row->exact);
		sb_csv_number(&c, row->n[0]);
		sb_csv_number(&c, row->n[1]);
		sb_csv_number(&c, row->median[0]);
		sb_csv_number(&c, row->median[1]);
		sb_csv_number(&c, row->ratio.estimate.absent ? NAN : row->ratio.estimate.v);
		sb_csv_number(&c, row->ratio.has_interval ? row->ratio.lo : NAN);
		sb_csv_number(&c, row->ratio.has_interval ? row->ratio.hi : NAN);
		sb_csv_number(&c, row->between.absent ? NAN : row->between.v);
		for (int k = 0; sb_caution_names[k]; k++) /* in the order of the columns */
			sb_csv_number(&c, row->cautions >> k & 1);
		sb_csv_end(&c);
	}
	status = sb_report_write(&c.buf, out, err);
	sb_buf_release(&c.buf);
	return status;
}

static json_t *json_side(const struct sb_old_side *s)
{
	json_t *j = json_object();

	sb_json_put(j, "run", sb_json_text(s->run_id));
	sb_json_put(j, "created", sb_json_time(s->created_ns));
	sb_json_put(j, "arm", sb_json_text(s->arm));
	sb_json_put(j, "levels", sb_json_text(s->levels));
	sb_json_put(j, "build_id", sb_json_text(s->build_id));
	sb_json_put(j, "processes", json_integer(s->processes));
	sb_json_put(j, "trials", json_integer(s->trials));
	return j;
}

static json_t *json_row(const struct sb_old_row *r)
{
	json_t *j = json_object(), *ratio = json_object();

	sb_json_put(j, "metric", sb_json_text(r->metric));
	sb_json_put(j, "label", sb_json_text(r->label));
	sb_json_put(j, "unit", sb_json_text(sb_unit_name(r->unit)));
	sb_json_put(j, "exact", json_boolean(r->exact));
	sb_json_put(j, "processes_a", json_integer(r->n[0]));
	sb_json_put(j, "processes_b", json_integer(r->n[1]));
	sb_json_put(j, "median_a", sb_json_number(r->median[0]));
	sb_json_put(j, "median_b", sb_json_number(r->median[1]));
	sb_json_put_value(ratio, "estimate", r->ratio.estimate);
	sb_json_put(ratio, "lo", r->ratio.has_interval ? sb_json_number(r->ratio.lo) : json_null());
	sb_json_put(ratio, "hi", r->ratio.has_interval ? sb_json_number(r->ratio.hi) : json_null());
	sb_json_put(j, "ratio", ratio);
	sb_json_put_value(j, "between_runs", r->between);
	sb_json_put(j, "between_runs_df", sb_json_number(r->df));
	sb_json_put(j, "cautions", sb_json_cautions(r->cautions));
	return j;
}

static enum sb_status json(const struct sb_old_runs *r, FILE *out, struct sb_error *err)
{
	struct sb_buf line = { 0 };
	json_t *root, *rows;
	enum sb_status status;

	sb_json_begin();
	root = json_object();
	rows = json_array();
	about_intervals(r, &line);
	sb_json_put(root, "format", json_string("spabench-two-runs"));
	sb_json_put(root, "schema_version", json_integer(1));
	sb_json_put(root, "a", json_side(&r->side[0]));
	sb_json_put(root, "b", json_side(&r->side[1]));
	sb_json_put(root, "level", sb_json_number(r->level));
	sb_json_put(root, "runs_between", json_integer(r->history));
	sb_json_put(root, "machines_differ", sb_json_text(r->machines));
	sb_json_put(root, "about", sb_json_text(sb_buf_str(&line)));
	for (size_t i = 0; i < r->n_rows; i++)
		sb_json_push(rows, json_row(&r->rows[i]));
	sb_json_put(root, "rows", rows);
	status = sb_json_write(root, out, err);
	sb_buf_release(&line);
	return status;
}

enum sb_status sb_old_runs_report(const struct sb_old_runs *r, int format, FILE *out, struct sb_error *err)
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
