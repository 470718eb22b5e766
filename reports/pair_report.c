#include "sb_pair_report.h"
#include "json_parts.h"
#include "reports_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const sb_pair_formats[] = { "text", "markdown", "csv", "json", NULL };
enum { TEXT, MARKDOWN, CSV, JSON };

enum { WIDTH = 100 };

/* ---- sentences ------------------------------------------------------------------------------------------------- */

static void title(const struct sb_pair_table *t, struct sb_buf *b)
{
	sb_buf_addf(b, "%d pairs of processes, %d trial%s each, run %.12s", t->pairs, t->trials,
	        t->trials == 1 ? "" : "s", t->run_id);
	if (t->dropped)
		sb_buf_addf(b, "; %d more did not end well and are in no row", t->dropped);
}

static void side_text(const struct sb_pair_side *s, struct sb_buf *b)
{
	sb_buf_addf(b, "%s: ", s->arm);
	for (const char *c = s->levels; *c; c++) /* lines are broken at blanks */
		sb_buf_puts(b, *c == ',' ? ", " : (const char[]){ *c, '\0' });
	sb_buf_addf(b, "; build %s", s->build_id);
	if (s->plant > 0.0 && isfinite(s->planted))
		sb_buf_addf(b, "; for a test, every pass was made %.2f %% longer (asked: %.2f %%)", 100.0 * s->planted,
		        100.0 * s->plant);
}

/* What is to be careful about; "" when nothing is. */
static void row_note(const struct sb_pair_row *r, struct sb_buf *b)
{
	const char *comma = "";

	if (r->exact)
		return;
	sb_cautions_text(r->cautions, b);
	comma = r->cautions ? ", " : comma;
	if (isfinite(r->order) && r->mean.has_interval &&
	        fabs(log(r->order)) > 2.0 * (log(r->mean.hi) - log(r->mean.lo)))
		sb_buf_addf(b, "%sorder matters", comma);
}

static bool same_in_all(const double *v, int n)
{
	for (int i = 1; i < n; i++)
		if (v[i] != v[0])
			return false;
	return n > 0;
}

static bool is_exact(const struct sb_pair_row *r)
{
	return r->exact && same_in_all(r->a, r->n) && same_in_all(r->b, r->n);
}

struct cells {
	char a[48], b[48], ratio[48], interval[96], hl[48], p[24];
};

static void fill_cells(const struct sb_pair_row *r, struct cells *c)
{
	struct sb_scale scale = sb_report_scale(r->unit, r->median_a, r->median_b);
	char ignored[96];

	sb_report_value(sb_value_of(r->median_a), scale, 4, c->a);
	sb_report_value(sb_value_of(r->median_b), scale, 4, c->b);
	sb_report_effect(&r->mean, SB_UNIT_RATIO, SB_COMPARE_RATIO, is_exact(r), c->ratio, c->interval);
	sb_report_effect(&r->hodges_lehmann, SB_UNIT_RATIO, SB_COMPARE_RATIO, is_exact(r), c->hl, ignored);
	if (is_exact(r) || r->n_d < 1)
		strcpy(c->p, "-");
	else
		snprintf(c->p, sizeof(c->p), r->flip.p_two < 0.0001 ? "%.0e" : "%.4f", r->flip.p_two);
}

static const char about[] = "Values are medians over processes, a process's value the median of its trials. B / A: exp "
                            "of the mean log ratio "
                            "of the pairs with Student's interval; HL: Hodges-Lehmann's estimate; p: sign-flip test of "
                            "the mean, two-sided.";

/* ---- text ------------------------------------------------------------------------------------------------------ */

static enum sb_status text(const struct sb_pair_table *t, FILE *out, struct sb_error *err)
{
	struct sb_page p = { .width = WIDTH };
	enum sb_section section = SB_SECTION_COUNT;
	struct sb_buf line = { 0 };
	enum sb_status status;

	title(t, &line);
	sb_page_paragraph(&p, sb_buf_str(&line), 0, 2);
	for (int side = 0; side < 2; side++) {
		line.len = 0;
		side_text(&t->side[side], &line);
		sb_page_blanks(&p, 2);
		sb_page_paragraph(&p, sb_buf_str(&line), 2, 4);
	}
	sb_page_end(&p);
	sb_buf_addf(&p.buf, "%-27s%11s %11s%8s  %-16s%8s%9s  %s\n", "", "A", "B", "B / A", "95 % interval", "HL", "p",
	        "pairs");
	for (size_t i = 0; i < t->n_rows; i++) {
		const struct sb_pair_row *r = &t->rows[i];
		struct cells c;

		if (r->section != section)
			sb_buf_addf(&p.buf, "%s\n", sb_section_title(r->section));
		section = r->section;
		fill_cells(r, &c);
		sb_page_blanks(&p, 2);
		sb_page_cell(&p, r->label, 25, false, SB_TINT_PLAIN);
		sb_page_number(&p, c.a, 11, SB_TINT_PLAIN);
		sb_page_number(&p, c.b, 12, SB_TINT_PLAIN);
		sb_page_number(&p, c.ratio, 8, SB_TINT_PLAIN);
		sb_page_blanks(&p, 2);
		sb_page_cell(&p, c.interval, 16, false, SB_TINT_PLAIN);
		sb_page_number(&p, c.hl, 8, SB_TINT_PLAIN);
		sb_page_number(&p, c.p, 9, SB_TINT_PLAIN);
		line.len = 0;
		sb_buf_addf(&line, "  %d  ", r->n);
		row_note(r, &line);
		sb_buf_puts(&p.buf, sb_buf_str(&line));
		sb_page_end(&p);
	}
	sb_page_end(&p);
	sb_page_paragraph(&p, about, 0, 0);
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&line);
	sb_buf_release(&p.buf);
	return status;
}

/* ---- markdown -------------------------------------------------------------------------------------------------- */

static enum sb_status markdown(const struct sb_pair_table *t, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { 0 }, line = { 0 };
	enum sb_status status;

	title(t, &line);
	sb_markdown_text(&b, sb_buf_str(&line));
	sb_buf_puts(&b, "\n\n");
	for (int side = 0; side < 2; side++) {
		line.len = 0;
		side_text(&t->side[side], &line);
		sb_buf_puts(&b, "- ");
		sb_markdown_text(&b, sb_buf_str(&line));
		sb_buf_puts(&b, "\n");
	}
	sb_buf_puts(&b, "\n| metric | A | B | B / A | 95 % interval | HL | p | pairs | careful |\n"
	                "|---|---:|---:|---:|---|---:|---:|---:|---|\n");
	for (size_t i = 0; i < t->n_rows; i++) {
		const struct sb_pair_row *r = &t->rows[i];
		struct cells c;

		fill_cells(r, &c);
		line.len = 0;
		row_note(r, &line);
		sb_buf_puts(&b, "| ");
		sb_markdown_text(&b, r->label);
		sb_buf_addf(&b, " | %s | %s | %s | %s | %s | %s | %d | %s |\n", c.a, c.b, c.ratio, c.interval, c.hl,
		        c.p, r->n, line.len ? sb_buf_str(&line) : "");
	}
	sb_buf_addf(&b, "\n%s\n", about);
	status = sb_report_write(&b, out, err);
	sb_buf_release(&line);
	sb_buf_release(&b);
	return status;
}

/* ---- csv ------------------------------------------------------------------------------------------------------- */

static void csv_effect(struct sb_csv *c, const struct sb_effect *e)
{
	sb_csv_number(c, e->estimate.absent ? NAN : e->estimate.v);
	sb_csv_number(c, e->has_interval ? e->lo : NAN);
	sb_csv_number(c, e->has_interval ? e->hi : NAN);
}

static enum sb_status csv(const struct sb_pair_table *t, FILE *out, struct sb_error *err)
{
	static const char *const names[] = { "run", "arm_a", "arm_b", "metric", "unit", "exact", "pairs", "a", "b",
		"ratio", "ratio_lo", "ratio_hi", "hodges_lehmann", "hodges_lehmann_lo", "hodges_lehmann_hi", "p",
		"order", "drifts", "bimodal", "clock", "throttled", NULL };
	struct sb_csv c = { .column = 0 };
	enum sb_status status;

	sb_csv_header(&c, names);
	for (size_t i = 0; i < t->n_rows; i++) {
		const struct sb_pair_row *r = &t->rows[i];

		sb_csv_text(&c, t->run_id);
		sb_csv_text(&c, t->side[0].arm);
		sb_csv_text(&c, t->side[1].arm);
		sb_csv_text(&c, r->metric);
		sb_csv_text(&c, sb_unit_name(r->unit));
		sb_csv_number(&c, is_exact(r));
		sb_csv_number(&c, r->n);
		sb_csv_number(&c, r->median_a);
		sb_csv_number(&c, r->median_b);
		csv_effect(&c, &r->mean);
		csv_effect(&c, &r->hodges_lehmann);
		sb_csv_number(&c, r->n_d ? r->flip.p_two : NAN);
		sb_csv_number(&c, r->order);
		sb_csv_number(&c, r->flaws.drifts);
		sb_csv_number(&c, r->flaws.bimodal);
		sb_csv_number(&c, r->cautions & SB_CAUTION_CLOCK ? 1 : 0);
		sb_csv_number(&c, r->cautions & SB_CAUTION_THROTTLED ? 1 : 0);
		sb_csv_end(&c);
	}
	status = sb_report_write(&c.buf, out, err);
	sb_buf_release(&c.buf);
	return status;
}

/* ---- json ------------------------------------------------------------------------------------------------------ */

static json_t *json_numbers(const double *v, int n)
{
	json_t *list = json_array();

	for (int i = 0; i < n; i++)
		sb_json_push(list, sb_json_number(v[i]));
	return list;
}

static json_t *json_effect(const struct sb_effect *e)
{
	json_t *j = json_object();

	sb_json_put_value(j, "estimate", e->estimate);
	sb_json_put(j, "lo", e->has_interval ? sb_json_number(e->lo) : json_null());
	sb_json_put(j, "hi", e->has_interval ? sb_json_number(e->hi) : json_null());
	return j;
}

static json_t *json_row(const struct sb_pair_row *r)
{
	json_t *j = json_object();

	sb_json_put(j, "metric", sb_json_text(r->metric));
	sb_json_put(j, "label", sb_json_text(r->label));
	sb_json_put(j, "unit", sb_json_text(sb_unit_name(r->unit)));
	sb_json_put(j, "exact", json_boolean(is_exact(r)));
	sb_json_put(j, "pairs", json_integer(r->n));
	sb_json_put(j, "median_a", sb_json_number(r->median_a));
	sb_json_put(j, "median_b", sb_json_number(r->median_b));
	sb_json_put(j, "ratio", json_effect(&r->mean));
	sb_json_put(j, "hodges_lehmann", json_effect(&r->hodges_lehmann));
	sb_json_put(j, "p", r->n_d ? sb_json_number(r->flip.p_two) : json_null());
	sb_json_put(j, "order", sb_json_number(r->order));
	sb_json_put(j, "drifts", json_boolean(r->flaws.drifts));
	sb_json_put(j, "bimodal", json_boolean(r->flaws.bimodal));
	sb_json_put(j, "cautions", sb_json_cautions(r->cautions));
	sb_json_put(j, "a", json_numbers(r->a, r->n));
	sb_json_put(j, "b", json_numbers(r->b, r->n));
	return j;
}

static json_t *json_side(const struct sb_pair_side *s)
{
	json_t *j = json_object();

	sb_json_put(j, "arm", sb_json_text(s->arm));
	sb_json_put(j, "levels", sb_json_text(s->levels));
	sb_json_put(j, "exe", sb_json_text(s->exe));
	sb_json_put(j, "build_id", sb_json_text(s->build_id));
	sb_json_put(j, "plant", sb_json_number(s->plant));
	sb_json_put(j, "planted", sb_json_number(s->planted));
	return j;
}

static enum sb_status json(const struct sb_pair_table *t, FILE *out, struct sb_error *err)
{
	json_t *root, *rows;

	sb_json_begin();
	root = json_object();
	rows = json_array();
	sb_json_put(root, "format", json_string("spabench-pairs"));
	sb_json_put(root, "schema_version", json_integer(1));
	sb_json_put(root, "run", sb_json_text(t->run_id));
	sb_json_put(root, "kind", sb_json_text(t->kind));
	sb_json_put(root, "pairs", json_integer(t->pairs));
	sb_json_put(root, "dropped", json_integer(t->dropped));
	sb_json_put(root, "trials", json_integer(t->trials));
	sb_json_put(root, "level", sb_json_number(t->level));
	sb_json_put(root, "a", json_side(&t->side[0]));
	sb_json_put(root, "b", json_side(&t->side[1]));
	for (size_t i = 0; i < t->n_rows; i++)
		sb_json_push(rows, json_row(&t->rows[i]));
	sb_json_put(root, "rows", rows);
	return sb_json_write(root, out, err);
}

enum sb_status sb_pair_report(const struct sb_pair_table *t, int format, FILE *out, struct sb_error *err)
{
	switch (format) {
	case MARKDOWN:
		return markdown(t, out, err);
	case CSV:
		return csv(t, out, err);
	case JSON:
		return json(t, out, err);
	}
	return text(t, out, err);
}
