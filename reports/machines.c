/* The same arms on several machines, for people and programs. */
#include "sb_machines_report.h"
#include "json_parts.h"
#include "reports_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 100, LABEL = 34 };

/* ---- cells ------------------------------------------------------------------------------------------------------ */

struct cells {
	char before[48], after[48], ratio[48], interval[96];
};

static void fill_cells(const struct sb_machine_cell *c, enum sb_unit unit, struct cells *out)
{
	struct sb_scale scale =
	        sb_report_scale(unit, c->before.absent ? NAN : c->before.v, c->after.absent ? NAN : c->after.v);

	sb_report_value(c->before, scale, 4, out->before);
	sb_report_value(c->after, scale, 4, out->after);
	sb_report_effect(&c->effect, SB_UNIT_RATIO, SB_COMPARE_RATIO, false, out->ratio, out->interval);
}

/* "1.2 %", "-" */
static void percent(struct sb_value v, double less, char out[24])
{
	if (v.absent)
		strcpy(out, "-");
	else
		snprintf(out, 24, "%.2f %%", 100.0 * (v.v - less));
}

static void pooled_cells(const struct sb_machines_row *r, struct cells *out, char sd[24], char range[24])
{
	sb_report_effect(&r->pooled, SB_UNIT_RATIO, SB_COMPARE_RATIO, false, out->ratio, out->interval);
	percent(r->sd_ratio, 0.0, sd);
	percent(r->range_ratio, 1.0, range);
}

static void title(const struct sb_machines *m, struct sb_buf *b)
{
	sb_buf_addf(b, "%zu machines, %d runs of %s (%s), %s -> %s", m->n_machines, m->n_runs, m->workload, m->preset,
	        m->before, m->after);
}

static const char about[] =
        "Ratio is after / before. A machine's interval is that of its own run, or over its runs where it has several. "
        "All machines: the mean of theirs, with Student's interval over machines; between: standard deviation between "
        "machines; apart: by how much the highest is above the lowest.";

/* ---- text ------------------------------------------------------------------------------------------------------- */

static void number(struct sb_page *p, const char *text, int columns)
{
	sb_page_number(p, text, columns, SB_TINT_PLAIN);
}

/* One metric, machine by machine. */
static void table(struct sb_page *p, const struct sb_machines *m, const struct sb_machines_row *r)
{
	char sd[24], range[24], line[192];
	struct cells c;

	sb_page_cell(p, r->label, LABEL, false, SB_TINT_BOLD);
	sb_buf_addf(&p->buf, "%13s%13s%9s  95 %% interval\n", "before", "after", "ratio");
	for (size_t i = 0; i < m->n_machines; i++) {
		fill_cells(&r->cells[i], r->unit, &c);
		sb_page_blanks(p, 2);
		sb_page_cell(p, m->machines[i].label, LABEL - 2, false, SB_TINT_PLAIN);
		number(p, c.before, 13);
		number(p, c.after, 13);
		number(p, c.ratio, 9);
		sb_page_blanks(p, 2);
		sb_page_cell(p, c.interval, 24, false, SB_TINT_PLAIN);
		sb_page_end(p);
	}
	pooled_cells(r, &c, sd, range);
	sb_page_blanks(p, 2);
	sb_page_cell(p, "all machines", LABEL - 2, false, SB_TINT_PLAIN);
	number(p, "", 26);
	number(p, c.ratio, 9);
	sb_page_blanks(p, 2);
	sb_page_cell(p, c.interval, 24, false, SB_TINT_PLAIN);
	sb_page_end(p);
	percent(r->sd_before, 0.0, sd);
	percent(r->range_before, 1.0, range);
	snprintf(line, sizeof(line), "  between machines: before %s (apart %s)", sd, range);
	sb_buf_puts(&p->buf, line);
	percent(r->sd_after, 0.0, sd);
	percent(r->range_after, 1.0, range);
	snprintf(line, sizeof(line), ", after %s (%s)", sd, range);
	sb_buf_puts(&p->buf, line);
	percent(r->sd_ratio, 0.0, sd);
	percent(r->range_ratio, 1.0, range);
	snprintf(line, sizeof(line), ", ratio %s (%s)\n", sd, range);
	sb_buf_puts(&p->buf, line);
}

static void other_rows(struct sb_page *p, const struct sb_machines *m)
{
	enum sb_section section = SB_SECTION_COUNT;
	char sd[24], range[24];
	struct cells c;

	sb_page_cell(p, "", LABEL, false, SB_TINT_PLAIN);
	sb_buf_addf(&p->buf, "%9s  %-20s%11s%11s  machines\n", "ratio", "95 % interval", "between", "apart");
	for (size_t i = 0; i < m->n_rows; i++) {
		const struct sb_machines_row *r = &m->rows[i];
		char n[16];

		if (r->pooled.estimate.absent)
			continue;
		if (r->section != section)
			sb_buf_addf(&p->buf, "%s\n", sb_section_title(r->section));
		section = r->section;
		pooled_cells(r, &c, sd, range);
		sb_page_blanks(p, 2);
		sb_page_cell(p, r->label, LABEL - 2, false, SB_TINT_PLAIN);
		number(p, c.ratio, 9);
		sb_page_blanks(p, 2);
		sb_page_cell(p, c.interval, 20, false, SB_TINT_PLAIN);
		number(p, sd, 11);
		number(p, range, 11);
		snprintf(n, sizeof(n), "%d%s", r->pooled.pairs, r->emulated ? " e" : "");
		number(p, n, 6);
		sb_page_end(p);
	}
}

enum sb_status sb_machines_text(const struct sb_machines *m, FILE *out, struct sb_error *err)
{
	struct sb_page p = { .width = WIDTH };
	struct sb_buf line = { 0 };
	bool emulated = false;
	enum sb_status status;

	title(m, &line);
	sb_page_paragraph(&p, sb_buf_str(&line), 0, 2);
	for (size_t i = 0; i < m->n_notes; i++) {
		sb_buf_puts(&p.buf, "  ! ");
		sb_page_paragraph(&p, m->notes[i], 4, 4);
	}
	sb_page_end(&p);
	for (size_t i = 0; i < m->n_rows; i++) {
		emulated |= m->rows[i].emulated;
		if (m->rows[i].section == SB_SECTION_TOTAL) {
			table(&p, m, &m->rows[i]);
			sb_page_end(&p);
		}
	}
	other_rows(&p, m);
	sb_page_end(&p);
	sb_page_paragraph(&p, about, 0, 0);
	if (emulated)
		sb_page_paragraph(&p, "e: an arm has a level that this device emulates; its times prove nothing", 0, 0);
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&line);
	sb_buf_release(&p.buf);
	return status;
}

/* ---- markdown --------------------------------------------------------------------------------------------------- */

static void cell(struct sb_buf *b, const char *text)
{
	sb_buf_puts(b, " ");
	sb_markdown_text(b, text);
	sb_buf_puts(b, " |");
}

static void markdown_table(struct sb_buf *b, const struct sb_machines *m, const struct sb_machines_row *r)
{
	struct cells c;

	sb_buf_puts(b, "\n**");
	sb_markdown_text(b, r->label);
	sb_buf_puts(b, "**\n\n| machine | before | after | ratio | 95 % interval |\n|---|---:|---:|---:|---|\n");
	for (size_t i = 0; i < m->n_machines; i++) {
		fill_cells(&r->cells[i], r->unit, &c);
		sb_buf_puts(b, "|");
		cell(b, m->machines[i].label);
		cell(b, c.before);
		cell(b, c.after);
		cell(b, c.ratio);
		cell(b, c.interval);
		sb_buf_puts(b, "\n");
	}
}

enum sb_status sb_machines_markdown(const struct sb_machines *m, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { 0 }, line = { 0 };
	enum sb_status status;

	title(m, &line);
	sb_buf_puts(&b, "**Machines:** ");
	sb_markdown_text(&b, sb_buf_str(&line));
	sb_buf_puts(&b, "\n\n");
	for (size_t i = 0; i < m->n_notes; i++) {
		sb_buf_puts(&b, "- ");
		sb_markdown_text(&b, m->notes[i]);
		sb_buf_puts(&b, "\n");
	}
	for (size_t i = 0; i < m->n_rows; i++)
		if (m->rows[i].section == SB_SECTION_TOTAL)
			markdown_table(&b, m, &m->rows[i]);
	sb_buf_puts(&b, "\n| over all machines | ratio | 95 % interval | between | apart | machines |\n"
	                "|---|---:|---|---:|---:|---:|\n");
	for (size_t i = 0; i < m->n_rows; i++) {
		char sd[24], range[24], n[16];
		struct cells c;

		if (m->rows[i].pooled.estimate.absent)
			continue;
		pooled_cells(&m->rows[i], &c, sd, range);
		snprintf(n, sizeof(n), "%d%s", m->rows[i].pooled.pairs, m->rows[i].emulated ? " e" : "");
		sb_buf_puts(&b, "|");
		cell(&b, m->rows[i].label);
		cell(&b, c.ratio);
		cell(&b, c.interval);
		cell(&b, sd);
		cell(&b, range);
		cell(&b, n);
		sb_buf_puts(&b, "\n");
	}
	sb_buf_addf(&b, "\n%s\n", about);
	b.failed |= line.failed;
	status = sb_report_write(&b, out, err);
	sb_buf_release(&line);
	sb_buf_release(&b);
	return status;
}

/* ---- csv -------------------------------------------------------------------------------------------------------- */

static double or_nan(struct sb_value v)
{
	return v.absent ? NAN : v.v;
}

static void csv_effect(struct sb_csv *c, const struct sb_effect *e)
{
	sb_csv_number(c, or_nan(e->estimate));
	sb_csv_number(c, e->has_interval ? e->lo : NAN);
	sb_csv_number(c, e->has_interval ? e->hi : NAN);
}

/* A line for each metric and machine, and one for all, whose machine is empty. */
enum sb_status sb_machines_csv(const struct sb_machines *m, FILE *out, struct sb_error *err)
{
	static const char *const header[] = { "metric", "unit", "machine", "runs", "before", "after", "ratio", "lo",
		"hi", "sd_between", "highest_over_lowest", NULL };
	struct sb_csv c = { 0 };
	enum sb_status status;

	sb_csv_header(&c, header);
	for (size_t i = 0; i < m->n_rows; i++) {
		const struct sb_machines_row *r = &m->rows[i];

		for (size_t k = 0; k <= m->n_machines; k++) {
			bool all = k == m->n_machines;

			sb_csv_text(&c, r->metric);
			sb_csv_text(&c, sb_unit_name(r->unit));
			sb_csv_text(&c, all ? NULL : m->machines[k].label);
			sb_csv_number(&c, all ? m->n_runs : m->machines[k].n_runs);
			sb_csv_number(&c, all ? NAN : or_nan(r->cells[k].before));
			sb_csv_number(&c, all ? NAN : or_nan(r->cells[k].after));
			csv_effect(&c, all ? &r->pooled : &r->cells[k].effect);
			sb_csv_number(&c, all ? or_nan(r->sd_ratio) : NAN);
			sb_csv_number(&c, all ? or_nan(r->range_ratio) : NAN);
			sb_csv_end(&c);
		}
	}
	status = sb_report_write(&c.buf, out, err);
	sb_buf_release(&c.buf);
	return status;
}

/* ---- json ------------------------------------------------------------------------------------------------------- */

static void put_effect(json_t *object, const struct sb_effect *e)
{
	sb_json_put_value(object, "ratio", e->estimate);
	sb_json_put(object, "lo", sb_json_number(e->has_interval ? e->lo : NAN));
	sb_json_put(object, "hi", sb_json_number(e->has_interval ? e->hi : NAN));
}

static json_t *json_machines(const struct sb_machines *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->n_machines; i++) {
		const struct sb_machine *machine = &m->machines[i];
		json_t *o = json_object();

		sb_json_put(o, "label", sb_json_text(machine->label));
		sb_json_put(o, "host", sb_json_text(machine->host));
		sb_json_put(o, "device", sb_json_text(machine->device));
		sb_json_put(o, "uuid", sb_json_text(machine->uuid));
		sb_json_put(o, "cpu", sb_json_text(machine->cpu));
		sb_json_put(o, "runs", json_integer(machine->n_runs));
		sb_json_push(list, o);
	}
	return list;
}

static json_t *json_row(const struct sb_machines *m, const struct sb_machines_row *r)
{
	json_t *o = json_object(), *cells = json_array();

	sb_json_put(o, "metric", sb_json_text(r->metric));
	sb_json_put(o, "label", sb_json_text(r->label));
	sb_json_put(o, "unit", sb_json_text(sb_unit_name(r->unit)));
	sb_json_put(o, "section", sb_json_text(sb_section_name(r->section)));
	sb_json_put(o, "emulated", json_boolean(r->emulated));
	for (size_t i = 0; i < m->n_machines; i++) {
		json_t *cell_of = json_object();

		sb_json_put(cell_of, "machine", json_integer((json_int_t)i));
		sb_json_put_value(cell_of, "before", r->cells[i].before);
		sb_json_put_value(cell_of, "after", r->cells[i].after);
		put_effect(cell_of, &r->cells[i].effect);
		sb_json_push(cells, cell_of);
	}
	sb_json_put(o, "machines", cells);
	put_effect(o, &r->pooled);
	sb_json_put_value(o, "sd_between_before", r->sd_before);
	sb_json_put_value(o, "sd_between_after", r->sd_after);
	sb_json_put_value(o, "sd_between_ratio", r->sd_ratio);
	sb_json_put_value(o, "highest_over_lowest_before", r->range_before);
	sb_json_put_value(o, "highest_over_lowest_after", r->range_after);
	sb_json_put_value(o, "highest_over_lowest_ratio", r->range_ratio);
	return o;
}

enum sb_status sb_machines_json(const struct sb_machines *m, FILE *out, struct sb_error *err)
{
	json_t *root, *rows, *notes;

	sb_json_begin();
	root = json_object();
	rows = json_array();
	notes = json_array();
	sb_json_put(root, "format", sb_json_text("spabench-machines"));
	sb_json_put(root, "schema_version", json_integer(SB_REPORT_JSON_VERSION));
	sb_json_put(root, "run", sb_json_text(m->run_id));
	sb_json_put(root, "workload", sb_json_text(m->workload));
	sb_json_put(root, "preset", sb_json_text(m->preset));
	sb_json_put(root, "before", sb_json_text(m->before));
	sb_json_put(root, "after", sb_json_text(m->after));
	sb_json_put(root, "level", sb_json_number(m->level));
	sb_json_put(root, "runs", json_integer(m->n_runs));
	sb_json_put(root, "apart_from_runs", json_boolean(m->apart));
	for (size_t i = 0; i < m->n_notes; i++)
		sb_json_push(notes, sb_json_text(m->notes[i]));
	sb_json_put(root, "notes", notes);
	sb_json_put(root, "machines", json_machines(m));
	for (size_t i = 0; i < m->n_rows; i++)
		sb_json_push(rows, json_row(m, &m->rows[i]));
	sb_json_put(root, "rows", rows);
	return sb_json_write(root, out, err);
}
