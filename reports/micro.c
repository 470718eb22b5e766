/* Micro-benchmarks as text, Markdown and CSV: a line a shape, below it one for each level and state of the cache. */
#include "reports_internal.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 100, KEY = 10, LEVEL = 16, CACHE = 4, MEDIAN = 10, INTERVAL = 18, SAMPLES = 6, RATE = 9, SHARE = 6 };

/* ---- figures -------------------------------------------------------------------------------------------------- */

static void level_text(const struct sb_report_micro_row *r, bool mark, char out[48])
{
	snprintf(out, 48, "%s%s%s%s", r->attention ? r->attention : "", r->attention ? " " : "", r->precision,
	        mark && r->emulated ? " e" : "");
}

static void time_text(double ns, char out[48])
{
	sb_report_value(sb_value_of(ns), sb_report_scale(SB_UNIT_TIME, ns, ns), 4, out);
}

static void interval_text(const struct sb_report_micro_time *t, char out[96])
{
	struct sb_scale scale = sb_report_scale(SB_UNIT_TIME, t->median_ns, t->median_ns);
	char lo[32], hi[32];

	snprintf(out, 96, "-");
	if (!isfinite(t->lo_ns))
		return;
	sb_report_number(t->lo_ns / scale.factor, 4, false, lo);
	sb_report_number(t->hi_ns / scale.factor, 4, false, hi);
	snprintf(out, 96, "%s..%s", lo, hi);
}

/* A rate in 1e12 or 1e9 a second. */
static void rate_text(struct sb_value v, double unit, char out[32])
{
	sb_report_number(v.absent ? NAN : v.v / unit, 4, false, out);
}

static void share_text(struct sb_value v, char out[32])
{
	if (v.absent)
		snprintf(out, 32, "-");
	else
		snprintf(out, 32, v.v < 0.0995 ? "%.1f %%" : "%.0f %%", 100.0 * v.v);
}

struct cells {
	char level[48], median[48], interval[96], samples[32], flop[32], flop_share[32], bytes[32], bytes_share[32];
};

static struct cells cells_of(const struct sb_report_micro_row *r, const struct sb_report_micro_time *t)
{
	struct cells c;

	level_text(r, true, c.level);
	time_text(t->median_ns, c.median);
	interval_text(t, c.interval);
	snprintf(c.samples, sizeof(c.samples), "%dx%d", t->n, t->launches);
	rate_text(t->flop_per_s, 1e12, c.flop);
	share_text(t->flop_of_ceiling, c.flop_share);
	rate_text(t->bytes_per_s, 1e9, c.bytes);
	share_text(t->bytes_of_ceiling, c.bytes_share);
	return c;
}

static bool same_shape(const struct sb_report_micro *m, size_t i)
{
	return i > 0 && !strcmp(m->rows[i].name, m->rows[i - 1].name);
}

/* ---- text ----------------------------------------------------------------------------------------------------- */

static void cell(struct sb_page *p, const char *text, int columns, bool right)
{
	sb_page_blanks(p, 1);
	sb_page_cell(p, text, columns, right, SB_TINT_PLAIN);
}

static void line(struct sb_page *p, const char *const v[9])
{
	static const int columns[] = { LEVEL, CACHE, MEDIAN, INTERVAL, SAMPLES, RATE, SHARE, RATE, SHARE };

	sb_page_blanks(p, 1);
	for (int i = 0; i < (int)SB_ARRAY_LEN(columns); i++)
		cell(p, v[i], columns[i], i >= 2);
	sb_page_end(p);
}

static void text_shape(struct sb_page *p, const struct sb_report_micro_row *r)
{
	struct sb_buf text = { 0 };

	sb_buf_addf(&text, "%s  %s, %lld call%s%s%s", r->name, r->shape, (long long)r->calls, r->calls == 1 ? "" : "s",
	        r->note ? "; " : "", r->note ? r->note : "");
	sb_page_paragraph(p, sb_buf_str(&text), 0, 4);
	p->buf.failed |= text.failed;
	sb_buf_release(&text);
}

static void text_row(struct sb_page *p, const struct sb_report_micro_row *r)
{
	char level[48];

	for (int i = 0; i < r->n_times; i++) {
		struct cells c = cells_of(r, &r->times[i]);

		line(p, (const char *const[]){ c.level, r->times[i].cache, c.median, c.interval, c.samples, c.flop,
		                c.flop_share, c.bytes, c.bytes_share });
	}
	if (r->ok)
		return;
	level_text(r, true, level);
	sb_page_blanks(p, 2);
	sb_page_cell(p, level, LEVEL, false, SB_TINT_PLAIN);
	sb_page_blanks(p, 1);
	sb_page_cell(p, r->outcome, (int)strlen(r->outcome), false,
	        strcmp(r->outcome, "wrong") != 0 ? SB_TINT_YELLOW : SB_TINT_RED);
	sb_buf_puts(&p->buf, ": ");
	sb_page_paragraph(p, r->detail, 2 + LEVEL + 1 + (int)strlen(r->outcome) + 2, 2 + LEVEL + 1);
}

enum sb_status sb_report_micro_text(const struct sb_report_micro *m, FILE *out, bool color, struct sb_error *err)
{
	struct sb_page p = { .width = WIDTH, .color = color };
	enum sb_status status;

	sb_page_paragraph(&p, m->title, 0, 4);
	for (size_t i = 0; i < m->n_facts; i++)
		sb_page_item(&p, m->facts[i].key, KEY, m->facts[i].value);
	sb_page_end(&p);
	line(&p, (const char *const[]){ "", "", "median", "interval", "n", "TFLOP/s", "of", "GB/s", "of" });
	for (size_t i = 0; i < m->n_rows; i++) {
		if (!same_shape(m, i))
			text_shape(&p, &m->rows[i]);
		text_row(&p, &m->rows[i]);
	}
	sb_page_end(&p);
	sb_page_paragraph(&p, m->verdict, 0, 0);
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&p.buf);
	return status;
}

/* ---- Markdown ------------------------------------------------------------------------------------------------- */

static void bar(struct sb_buf *b, const char *text)
{
	sb_buf_puts(b, " ");
	sb_markdown_text(b, text);
	sb_buf_puts(b, " |");
}

static void markdown_row(struct sb_buf *b, const struct sb_report_micro_row *r)
{
	char calls[32], level[48];

	snprintf(calls, sizeof(calls), "%lld", (long long)r->calls);
	for (int i = 0; i < r->n_times; i++) {
		struct cells c = cells_of(r, &r->times[i]);
		const char *const v[] = { r->name, r->shape, calls, c.level, r->times[i].cache, c.median, c.interval,
			c.samples, c.flop, c.flop_share, c.bytes, c.bytes_share };

		sb_buf_puts(b, "|");
		for (size_t k = 0; k < SB_ARRAY_LEN(v); k++)
			bar(b, v[k]);
		sb_buf_puts(b, "\n");
	}
	if (r->ok)
		return;
	level_text(r, true, level);
	sb_buf_puts(b, "|");
	bar(b, r->name);
	bar(b, r->shape);
	bar(b, calls);
	bar(b, level);
	bar(b, r->outcome);
	bar(b, r->detail);
	sb_buf_puts(b, " | | | | | |\n");
}

enum sb_status sb_report_micro_markdown(const struct sb_report_micro *m, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { 0 };
	enum sb_status status;

	sb_buf_puts(&b, "### ");
	sb_markdown_text(&b, m->title);
	sb_buf_puts(&b, "\n\n");
	for (size_t i = 0; i < m->n_facts; i++) {
		sb_buf_puts(&b, "- ");
		sb_markdown_text(&b, m->facts[i].key);
		sb_buf_puts(&b, ": ");
		sb_markdown_text(&b, m->facts[i].value);
		sb_buf_puts(&b, "\n");
	}
	sb_buf_puts(&b, "\n| op | shape | calls | level | cache | median | interval | n | TFLOP/s | of | GB/s | of |\n"
	                "|---|---|--:|---|---|--:|--:|--:|--:|--:|--:|--:|\n");
	for (size_t i = 0; i < m->n_rows; i++)
		markdown_row(&b, &m->rows[i]);
	sb_buf_puts(&b, "\n");
	sb_markdown_text(&b, m->verdict);
	sb_buf_puts(&b, "\n");
	status = sb_report_write(&b, out, err);
	sb_buf_release(&b);
	return status;
}

/* ---- CSV ------------------------------------------------------------------------------------------------------ */

static void csv_value(struct sb_csv *c, struct sb_value v)
{
	sb_csv_number(c, v.absent ? NAN : v.v);
}

/* t NULL: nothing was timed. */
static void csv_line(struct sb_csv *c, const struct sb_report_micro_row *r, const struct sb_report_micro_time *t)
{
	const struct sb_value none = sb_value_absent("not timed");

	sb_csv_text(c, r->name);
	sb_csv_text(c, r->shape);
	sb_csv_number(c, (double)r->calls);
	sb_csv_text(c, r->precision);
	sb_csv_text(c, r->attention);
	sb_csv_number(c, r->emulated);
	sb_csv_text(c, t ? t->cache : NULL);
	sb_csv_text(c, r->outcome);
	sb_csv_number(c, t ? t->median_ns : NAN);
	sb_csv_number(c, t ? t->lo_ns : NAN);
	sb_csv_number(c, t ? t->hi_ns : NAN);
	sb_csv_number(c, t ? (double)t->n : NAN);
	sb_csv_number(c, t ? (double)t->launches : NAN);
	sb_csv_number(c, r->checked ? r->flop : NAN);
	sb_csv_number(c, r->checked ? r->bytes : NAN);
	csv_value(c, t ? t->flop_per_s : none);
	csv_value(c, t ? t->flop_of_ceiling : none);
	csv_value(c, t ? t->bytes_per_s : none);
	csv_value(c, t ? t->bytes_of_ceiling : none);
	sb_csv_number(c, r->error);
	sb_csv_number(c, r->limit);
	sb_csv_number(c, (double)r->checked);
	sb_csv_number(c, (double)r->memory_bytes);
	sb_csv_text(c, r->kernel);
	sb_csv_text(c, r->detail);
	sb_csv_end(c);
}

enum sb_status sb_report_micro_csv(const struct sb_report_micro *m, FILE *out, struct sb_error *err)
{
	static const char *const columns[] = { "op", "shape", "calls", "precision", "attention", "emulated", "cache",
		"outcome", "median_ns", "lo_ns", "hi_ns", "samples", "launches", "flop", "bytes", "flop_per_s",
		"flop_of_ceiling", "bytes_per_s", "bytes_of_ceiling", "error", "error_limit", "outputs_checked",
		"memory_bytes", "kernel", "detail", NULL };
	struct sb_csv c = { .column = 0 };
	enum sb_status status;

	sb_csv_header(&c, columns);
	for (size_t i = 0; i < m->n_rows; i++) {
		const struct sb_report_micro_row *r = &m->rows[i];

		for (int k = 0; k < r->n_times; k++)
			csv_line(&c, r, &r->times[k]);
		if (!r->n_times)
			csv_line(&c, r, NULL);
	}
	status = sb_report_write(&c.buf, out, err);
	sb_buf_release(&c.buf);
	return status;
}
