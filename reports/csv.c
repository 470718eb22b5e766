/* CSV as RFC 4180 has it: a header, commas, CRLF, double quotes around what needs them. For programs and spreadsheets.
 */
#include "effects.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A spreadsheet would run a cell that begins so. */
#define FORMULA_BEGINS "=+-@"

static void separate(struct sb_csv *c)
{
	if (c->column++)
		sb_buf_puts(&c->buf, ",");
}

void sb_csv_text(struct sb_csv *c, const char *text)
{
	struct sb_buf *b = &c->buf;
	struct sb_buf clean = { 0 };
	const char *s;
	bool quote;

	separate(c);
	if (!text)
		return;
	if (*text && strchr(FORMULA_BEGINS, *text))
		sb_buf_puts(&clean, "'");
	sb_report_escape(&clean, text);
	s = sb_buf_str(&clean);
	quote = strpbrk(s, ",\"\r\n") != NULL;
	if (quote)
		sb_buf_puts(b, "\"");
	for (; *s; s++)
		sb_buf_add(b, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
	if (quote)
		sb_buf_puts(b, "\"");
	b->failed |= clean.failed;
	sb_buf_release(&clean);
}

/* As many digits as it takes to read the same number back. */
void sb_csv_number(struct sb_csv *c, double x)
{
	char text[32];

	separate(c);
	if (isnan(x))
		return;
	snprintf(text, sizeof(text), "%.15g", x);
	if (strtod(text, NULL) != x)
		snprintf(text, sizeof(text), "%.17g", x);
	if (x == floor(x) && fabs(x) < 9007199254740992.0)
		snprintf(text, sizeof(text), "%.0f", x == 0 ? 0.0 : x);
	sb_buf_puts(&c->buf, text);
}

void sb_csv_end(struct sb_csv *c)
{
	sb_buf_puts(&c->buf, "\r\n");
	c->column = 0;
}

void sb_csv_header(struct sb_csv *c, const char *const *names)
{
	for (; *names; names++)
		sb_csv_text(c, *names);
	sb_csv_end(c);
}

static void value(struct sb_csv *c, struct sb_value v)
{
	sb_csv_number(c, v.absent ? NAN : v.v);
}

/* No estimate is known to nine digits. */
static void estimate(struct sb_csv *c, double x)
{
	char text[32];

	snprintf(text, sizeof(text), "%.9g", x);
	sb_csv_number(c, isnan(x) ? x : strtod(text, NULL));
}

static void row_line(struct sb_csv *c, const struct sb_summary *s, const struct sb_summary_group *g,
        const struct sb_summary_row *row)
{
	static const char *const kinds[] = {
		[SB_GROUP_MAIN] = "main",
		[SB_GROUP_FACTOR] = "factor",
		[SB_GROUP_BEST] = "best",
		[SB_GROUP_ARM] = "arm",
	};
	static const char *const effects[] = { "ratio", "difference", "none" };
	static const unsigned flags[] = { SB_ROW_EMULATED, SB_ROW_TRACED, SB_ROW_EXACT };
	const struct sb_effect *e = &row->effect;
	bool plain = row->compare == SB_COMPARE_PLAIN;

	sb_csv_text(c, s->run_id);
	sb_csv_text(c, kinds[g->kind]);
	sb_csv_text(c, g->factor);
	sb_csv_text(c, g->before);
	sb_csv_text(c, g->after);
	sb_csv_text(c, sb_section_name(row->section));
	sb_csv_text(c, row->metric);
	sb_csv_text(c, row->label);
	sb_csv_text(c, sb_unit_name(row->unit));
	value(c, row->before);
	value(c, row->after);
	sb_csv_text(c, effects[row->compare]);
	estimate(c, plain || e->estimate.absent ? NAN : e->estimate.v);
	estimate(c, e->has_interval && !plain ? e->lo : NAN);
	estimate(c, e->has_interval && !plain ? e->hi : NAN);
	sb_csv_number(c, plain ? NAN : (double)e->pairs);
	value(c, row->drift_one_ulp);
	for (size_t i = 0; i < SB_ARRAY_LEN(flags); i++)
		sb_csv_number(c, (row->flags & flags[i]) != 0);
	sb_csv_text(c, row->before.absent);
	sb_csv_text(c, row->after.absent);
	sb_csv_text(c, plain ? NULL : e->estimate.absent);
	sb_csv_text(c, row->note);
	sb_csv_end(c);
}

enum sb_status sb_report_csv(const struct sb_summary *s, FILE *out, struct sb_error *err)
{
	static const char *const columns[] = { "run", "group", "factor", "before_arm", "after_arm", "section", "metric",
		"label", "unit", "before", "after", "effect", "estimate", "lo", "hi", "pairs", "one_ulp", "emulated",
		"traced", "exact", "before_absent", "after_absent", "estimate_absent", "note", NULL };
	struct sb_csv c = { .column = 0 };
	enum sb_status status;

	sb_csv_header(&c, columns);
	for (size_t g = 0; g < s->n_groups; g++)
		for (size_t i = 0; i < s->groups[g].n_rows; i++)
			row_line(&c, s, &s->groups[g], &s->groups[g].rows[i]);
	sb_effects_csv(&c, s);
	status = sb_report_write(&c.buf, out, err);
	sb_buf_release(&c.buf);
	return status;
}
