#include "sb_sweep_report.h"
#include "json_parts.h"
#include "reports_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT, MARKDOWN, CSV, JSON };
const char *const sb_sweep_formats[] = { "text", "markdown", "csv", "json", NULL };

static const char meaning[] =
        "time: median of timing trials, with its 95 % interval from six on; memory: weights and the peak of what was "
        "allocated; reserved: weights and the peak of what the allocator held. Medians, too.";

/* ---- cells for people ------------------------------------------------------------------------------------------ */

struct cells {
	char time[48], interval[72], memory[48], reserved[48], n[16];
};

static void bytes_cell(struct sb_value v, char out[48])
{
	if (v.absent)
		snprintf(out, 48, "-");
	else
		sb_report_value(v, sb_report_scale(SB_UNIT_BYTES, v.v, v.v), 4, out);
}

static void fill(const struct sb_sweep_row *r, struct cells *c)
{
	const struct sb_interval *i = &r->time_ns;
	struct sb_scale scale = sb_report_scale(SB_UNIT_TIME, i->mid, i->mid);
	char lo[32], hi[32];

	*c = (struct cells){ .time = "-", .interval = "-", .n = "-" };
	bytes_cell(r->memory_bytes, c->memory);
	bytes_cell(r->reserved_bytes, c->reserved);
	if (!isfinite(i->mid))
		return;
	sb_report_value(sb_value_of(i->mid), scale, 4, c->time);
	snprintf(c->n, sizeof(c->n), "%d", i->n);
	if (!i->has_interval)
		return;
	sb_report_number(i->lo / scale.factor, 4, false, lo);
	sb_report_number(i->hi / scale.factor, 4, false, hi);
	snprintf(c->interval, sizeof(c->interval), "%s..%s", lo, hi);
}

static void remark(const struct sb_sweep_row *r, struct sb_buf *b)
{
	if (strcmp(r->outcome, "ok") != 0)
		sb_buf_addf(b, "%s%s%s", r->outcome, r->why ? ": " : "", r->why ? r->why : "");
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

enum { WIDTH = 100, VALUE = 10, ARM = 22, TIME = 11, INTERVAL = 17, BYTES = 12, COUNT = 4, RUN = 10 };

static void text_row(struct sb_page *p, const struct sb_sweep_row *r, bool first)
{
	struct sb_buf why = { 0 };
	struct cells c;
	char run[9];

	snprintf(run, sizeof(run), "%.8s", r->run_id);
	fill(r, &c);
	remark(r, &why);
	sb_page_cell(p, first ? r->value : "", VALUE, false, SB_TINT_PLAIN);
	sb_page_cell(p, r->arm, ARM, false, SB_TINT_PLAIN);
	if (why.len && !isfinite(r->time_ns.mid)) {
		sb_page_blanks(p, 2);
		sb_page_paragraph(p, why.s, VALUE + ARM + 2, VALUE + ARM + 2);
	} else {
		sb_page_number(p, c.time, TIME, SB_TINT_PLAIN);
		sb_page_number(p, c.interval, INTERVAL, SB_TINT_PLAIN);
		sb_page_number(p, c.memory, BYTES, SB_TINT_PLAIN);
		sb_page_number(p, c.reserved, BYTES, SB_TINT_PLAIN);
		sb_page_number(p, c.n, COUNT, SB_TINT_PLAIN);
		sb_page_blanks(p, 2);
		sb_page_cell(p, run, RUN - 2, false, SB_TINT_PLAIN);
		sb_page_end(p);
		if (why.len) {
			sb_page_blanks(p, VALUE + 2);
			sb_page_paragraph(p, why.s, VALUE + 2, VALUE + 2);
		}
	}
	p->buf.failed |= why.failed;
	sb_buf_release(&why);
}

static bool new_value(const struct sb_sweep_table *t, size_t i)
{
	return i == 0 || strcmp(t->rows[i].value, t->rows[i - 1].value) != 0;
}

static enum sb_status text(const struct sb_sweep_table *t, FILE *out, struct sb_error *err)
{
	struct sb_page p = { .width = WIDTH };
	struct sb_buf head = { 0 };
	enum sb_status status;

	sb_buf_addf(&head, "sweep %.8s by %s%s%s%s%s", t->id, t->by, t->preset ? ", preset " : "",
	        t->preset ? t->preset : "", t->device ? ", on " : "", t->device ? t->device : "");
	sb_page_paragraph(&p, sb_buf_str(&head), 0, 0);
	sb_page_cell(&p, t->by, VALUE, false, SB_TINT_BOLD);
	sb_page_cell(&p, "arm", ARM, false, SB_TINT_BOLD);
	sb_page_cell(&p, "time", TIME, true, SB_TINT_BOLD);
	sb_page_cell(&p, "95 % interval", INTERVAL, true, SB_TINT_BOLD);
	sb_page_cell(&p, "memory", BYTES, true, SB_TINT_BOLD);
	sb_page_cell(&p, "reserved", BYTES, true, SB_TINT_BOLD);
	sb_page_cell(&p, "n", COUNT, true, SB_TINT_BOLD);
	sb_page_blanks(&p, 2);
	sb_page_cell(&p, "run", RUN - 2, false, SB_TINT_BOLD);
	sb_page_end(&p);
	for (size_t i = 0; i < t->n; i++)
		text_row(&p, &t->rows[i], new_value(t, i));
	sb_page_paragraph(&p, meaning, 0, 0);
	p.buf.failed |= head.failed;
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&head);
	sb_buf_release(&p.buf);
	return status;
}

/* ---- markdown, csv, json --------------------------------------------------------------------------------------- */

static enum sb_status markdown(const struct sb_sweep_table *t, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { 0 };
	enum sb_status status;

	sb_buf_addf(&b, "| %s | arm | time | 95 %% interval | memory | reserved | n | run | |\n", t->by);
	sb_buf_puts(&b, "|---|---|---:|---:|---:|---:|---:|---|---|\n");
	for (size_t i = 0; i < t->n; i++) {
		const struct sb_sweep_row *r = &t->rows[i];
		struct sb_buf why = { 0 };
		struct cells c;

		fill(r, &c);
		remark(r, &why);
		sb_buf_addf(&b, "| %s | ", r->value);
		sb_markdown_text(&b, r->arm);
		sb_buf_addf(&b, " | %s | %s | %s | %s | %s | %.8s | ", c.time, c.interval, c.memory, c.reserved, c.n,
		        r->run_id);
		sb_markdown_text(&b, sb_buf_str(&why));
		sb_buf_puts(&b, " |\n");
		b.failed |= why.failed;
		sb_buf_release(&why);
	}
	sb_buf_addf(&b, "\n%s\n", meaning);
	status = sb_report_write(&b, out, err);
	sb_buf_release(&b);
	return status;
}

static double number(struct sb_value v)
{
	return v.absent ? NAN : v.v;
}

static enum sb_status csv(const struct sb_sweep_table *t, FILE *out, struct sb_error *err)
{
	static const char *const header[] = { "sweep", "by", "value", "arm", "outcome", "n", "time_ns", "time_lo_ns",
		"time_hi_ns", "memory_bytes", "reserved_bytes", "run", "why", NULL };
	struct sb_csv c = { 0 };
	enum sb_status status;

	sb_csv_header(&c, header);
	for (size_t i = 0; i < t->n; i++) {
		const struct sb_sweep_row *r = &t->rows[i];

		sb_csv_text(&c, t->id);
		sb_csv_text(&c, t->by);
		sb_csv_text(&c, r->value);
		sb_csv_text(&c, r->arm);
		sb_csv_text(&c, r->outcome);
		sb_csv_number(&c, r->time_ns.n);
		sb_csv_number(&c, r->time_ns.mid);
		sb_csv_number(&c, r->time_ns.has_interval ? r->time_ns.lo : NAN);
		sb_csv_number(&c, r->time_ns.has_interval ? r->time_ns.hi : NAN);
		sb_csv_number(&c, number(r->memory_bytes));
		sb_csv_number(&c, number(r->reserved_bytes));
		sb_csv_text(&c, r->run_id[0] ? r->run_id : NULL);
		sb_csv_text(&c, r->why);
		sb_csv_end(&c);
	}
	status = sb_report_write(&c.buf, out, err);
	sb_buf_release(&c.buf);
	return status;
}

static json_t *json_row(const struct sb_sweep_row *r)
{
	json_t *j = json_object();

	sb_json_put(j, "value", sb_json_text(r->value));
	sb_json_put(j, "arm", sb_json_text(r->arm));
	sb_json_put(j, "outcome", sb_json_text(r->outcome));
	sb_json_put(j, "why", sb_json_text(r->why));
	sb_json_put(j, "run", sb_json_text(r->run_id[0] ? r->run_id : NULL));
	sb_json_put(j, "n", json_integer(r->time_ns.n));
	sb_json_put(j, "time_ns", sb_json_number(r->time_ns.mid));
	sb_json_put(j, "time_lo_ns", sb_json_number(r->time_ns.has_interval ? r->time_ns.lo : NAN));
	sb_json_put(j, "time_hi_ns", sb_json_number(r->time_ns.has_interval ? r->time_ns.hi : NAN));
	sb_json_put_value(j, "memory_bytes", r->memory_bytes);
	sb_json_put_value(j, "reserved_bytes", r->reserved_bytes);
	return j;
}

static enum sb_status json(const struct sb_sweep_table *t, FILE *out, struct sb_error *err)
{
	json_t *root, *rows;

	sb_json_begin();
	root = json_object();
	rows = json_array();
	sb_json_put(root, "format", json_string("spabench-sweep"));
	sb_json_put(root, "schema_version", json_integer(SB_REPORT_JSON_VERSION));
	sb_json_put(root, "sweep", sb_json_text(t->id));
	sb_json_put(root, "by", sb_json_text(t->by));
	sb_json_put(root, "preset", sb_json_text(t->preset));
	sb_json_put(root, "device", sb_json_text(t->device));
	for (size_t i = 0; i < t->n; i++)
		sb_json_push(rows, json_row(&t->rows[i]));
	sb_json_put(root, "rows", rows);
	return sb_json_write(root, out, err);
}

enum sb_status sb_sweep_report(const struct sb_sweep_table *t, int format, FILE *out, struct sb_error *err)
{
	switch (format) {
	case MARKDOWN:
		return markdown(t, out, err);
	case CSV:
		return csv(t, out, err);
	case JSON:
		return json(t, out, err);
	default:
		return text(t, out, err);
	}
}
