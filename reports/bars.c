/*
 * A summary as bars of plain characters, for a terminal: the total of every arm, then the ratios of every pair of arms
 * with their intervals. The figures stand beside them, since a column is a coarse thing.
 */
#include "reports_internal.h"

#include <math.h>
#include <string.h>

enum { LABEL = 22, FIGURE = 9, INTERVAL = 16, BAR_MIN = 20 };

/* What a column of a bar shows. */
enum mark { BLANK, FILLED, LOW, BETWEEN, ESTIMATE, HIGH, LINE };
static const char *const marks[2][7] = {
	{ " ", "#", "[", "=", "+", "]", "|" },
	{ " ", "█", "├", "─", "┼", "┤", "│" },
};

struct bars {
	struct sb_page page;
	const struct sb_bars_options *opt;
	int bar; /* columns of a bar */
};

/* The column of x where the last one is `most`. */
static int column_of(const struct bars *b, double x, double most)
{
	double at = x / most * b->bar;

	if (!(at > 0.0))
		return 0;
	return at >= b->bar ? b->bar - 1 : (int)at;
}

/* A bar up to x, its interval over it where it is wider than a column, and a line at `line` where that is within. */
static void add_bar(struct bars *b, double x, const struct sb_effect *e, double line, double most, enum sb_tint tint)
{
	bool interval = e && e->has_interval && e->lo <= x && x <= e->hi;
	int at = column_of(b, x, most), lo = interval ? column_of(b, e->lo, most) : at,
	    hi = interval ? column_of(b, e->hi, most) : at,
	    line_at = line > 0.0 && line <= most ? column_of(b, line, most) : -1;
	static const char *const tints[] = {
		[SB_TINT_PLAIN] = "",
		[SB_TINT_BOLD] = "",
		[SB_TINT_GREEN] = "\033[32m",
		[SB_TINT_RED] = "\033[31m",
		[SB_TINT_YELLOW] = "\033[33m",
	};
	bool tinted = b->page.color && tints[tint][0];

	sb_buf_puts(&b->page.buf, tinted ? tints[tint] : "");
	for (int c = 0; c < b->bar; c++) {
		enum mark m = c < at || (c == at && x > 0.0 && lo == hi) ? FILLED : c == line_at ? LINE : BLANK;

		if (lo < hi && c >= lo && c <= hi)
			m = c == at ? ESTIMATE : c == lo ? LOW : c == hi ? HIGH : BETWEEN;
		sb_buf_puts(&b->page.buf, marks[b->opt->utf8][m]);
	}
	sb_buf_puts(&b->page.buf, tinted ? "\033[0m" : "");
}

static bool is_time(const struct sb_summary_row *row)
{
	return row->unit == SB_UNIT_TIME && row->section == SB_SECTION_TOTAL;
}

/* ---- every arm's total ------------------------------------------------------------------------------------------- */

/* An arm's total, from whichever group has it, and its ratio to the first arm's; NULL: none does. */
static const struct sb_summary_row *total_of(const struct sb_summary *s, const char *arm, bool *before)
{
	for (size_t g = 0; g < s->n_groups; g++)
		for (size_t r = 0; r < s->groups[g].n_rows; r++) {
			const struct sb_summary_group *group = &s->groups[g];

			if (!is_time(&group->rows[r]))
				continue;
			*before = !strcmp(group->before, arm);
			if (*before || (group->after && !strcmp(group->after, arm)))
				return &group->rows[r];
		}
	return NULL;
}

static struct sb_value arm_total(const struct sb_summary *s, size_t arm)
{
	bool before = false;
	const struct sb_summary_row *row = total_of(s, s->arms[arm].name, &before);
	struct sb_value none = { .absent = "no trial" };

	return !row ? none : before ? row->before : row->after;
}

static void print_totals(struct bars *b, const struct sb_summary *s)
{
	double most = 0.0;

	for (size_t i = 0; i < s->n_arms; i++) {
		struct sb_value v = arm_total(s, i);

		if (!v.absent && v.v > most)
			most = v.v;
	}
	if (!(most > 0.0))
		return;
	sb_page_cell(&b->page, "total, medians", b->page.width, false, SB_TINT_BOLD);
	sb_page_end(&b->page);
	for (size_t i = 0; i < s->n_arms; i++) {
		struct sb_value v = arm_total(s, i);
		char text[48];

		sb_page_cell(&b->page, s->arms[i].name, LABEL - 1, false, SB_TINT_PLAIN);
		sb_page_blanks(&b->page, 1);
		add_bar(b, v.absent ? 0.0 : v.v, NULL, 0.0, most, SB_TINT_PLAIN);
		sb_report_value(v, sb_report_scale(SB_UNIT_TIME, most, most), 4, text);
		sb_buf_addf(&b->page.buf, " %s%s", text, s->arms[i].emulated ? "  e" : "");
		sb_page_end(&b->page);
	}
	sb_page_end(&b->page);
}

/* ---- ratios ------------------------------------------------------------------------------------------------------ */

static bool is_drawn(const struct sb_summary_row *row)
{
	return row->compare == SB_COMPARE_RATIO && sb_row_is_shown(row) && !row->effect.estimate.absent &&
	       (row->section == SB_SECTION_TOTAL || row->section == SB_SECTION_STAGES ||
	               row->section == SB_SECTION_OPS || row->section == SB_SECTION_MEMORY);
}

/* Of the axis: 1 at least. A ratio above 2 is drawn as far as there is room; its figure says what it is. */
static double axis_of(const struct sb_summary_group *g)
{
	double most = 1.1;

	for (size_t r = 0; r < g->n_rows; r++) {
		const struct sb_effect *e = &g->rows[r].effect;

		if (is_drawn(&g->rows[r]))
			most = fmax(most, e->has_interval ? e->hi : e->estimate.v);
	}
	return fmin(most, 2.0);
}

static enum sb_tint tint_of(const struct sb_summary_row *row)
{
	const struct sb_effect *e = &row->effect;

	if (row->flags & SB_ROW_EMULATED && row->unit == SB_UNIT_TIME)
		return SB_TINT_PLAIN;
	if (row->flags & SB_ROW_EXACT)
		return e->estimate.v < 1.0 ? SB_TINT_GREEN : e->estimate.v > 1.0 ? SB_TINT_RED : SB_TINT_PLAIN;
	if (!e->has_interval)
		return SB_TINT_PLAIN;
	return e->hi < 1.0 ? SB_TINT_GREEN : e->lo > 1.0 ? SB_TINT_RED : SB_TINT_YELLOW;
}

static void print_ratio(struct bars *b, const struct sb_summary_row *row, double most)
{
	char estimate[48], interval[96];

	sb_page_blanks(&b->page, row->section == SB_SECTION_TOTAL ? 0 : 1);
	sb_page_cell(&b->page, row->label, LABEL - (row->section == SB_SECTION_TOTAL ? 1 : 2), false, SB_TINT_PLAIN);
	sb_page_blanks(&b->page, 1);
	add_bar(b, row->effect.estimate.v, &row->effect, 1.0, most, tint_of(row));
	sb_report_effect(&row->effect, row->unit, row->compare, row->flags & SB_ROW_EXACT, estimate, interval);
	sb_page_number(&b->page, estimate, FIGURE, SB_TINT_PLAIN);
	sb_page_number(&b->page, interval, INTERVAL, SB_TINT_PLAIN);
	sb_buf_addf(&b->page.buf, "%s%s", row->flags & (SB_ROW_EMULATED | SB_ROW_TRACED) ? " " : "",
	        row->flags & SB_ROW_EMULATED && row->unit == SB_UNIT_TIME ? "e" : "");
	sb_buf_puts(&b->page.buf, row->flags & SB_ROW_TRACED ? "t" : "");
	sb_page_end(&b->page);
}

static void print_axis(struct bars *b, double most)
{
	int one = column_of(b, 1.0, most);

	sb_page_blanks(&b->page, LABEL);
	sb_buf_puts(&b->page.buf, "0");
	sb_page_blanks(&b->page, one - 1);
	sb_buf_puts(&b->page.buf, "1");
	sb_page_end(&b->page);
}

static void print_group(struct bars *b, const struct sb_summary_group *g)
{
	double most = axis_of(g);
	bool any = false;

	for (size_t r = 0; r < g->n_rows; r++)
		any = any || is_drawn(&g->rows[r]);
	if (!any)
		return;
	sb_page_cell(&b->page, g->title, b->page.width, false, SB_TINT_BOLD);
	sb_page_end(&b->page);
	print_axis(b, most);
	for (size_t r = 0; r < g->n_rows; r++)
		if (is_drawn(&g->rows[r]))
			print_ratio(b, &g->rows[r], most);
	sb_page_end(&b->page);
}

static void print_legend(struct bars *b, const struct sb_summary *s)
{
	char text[200];
	const char *const *m = marks[b->opt->utf8];

	snprintf(text, sizeof(text),
	        "ratio after / before, bars from 0, %s at 1; %s%s%s%s%s: 95 %% interval; e emulated, t from trace "
	        "trials",
	        m[LINE], m[LOW], m[BETWEEN], m[ESTIMATE], m[BETWEEN], m[HIGH]);
	/* Not escaped: the text is ours, and its marks are to be seen. */
	sb_buf_puts(&b->page.buf, text);
	sb_page_end(&b->page);
	if (s->throttled)
		sb_page_paragraph(&b->page, s->throttled, 0, 0);
}

enum sb_status sb_report_bars(
        const struct sb_summary *s, FILE *out, const struct sb_bars_options *opt, struct sb_error *err)
{
	int width = opt->width < 60 ? 60 : opt->width > 200 ? 200 : opt->width;
	struct bars b = { .page = { .width = width, .color = opt->color }, .opt = opt };
	struct sb_buf head = { 0 };
	enum sb_status status;

	b.bar = width - LABEL - FIGURE - INTERVAL - 3;
	if (b.bar < BAR_MIN)
		b.bar = BAR_MIN;
	sb_buf_addf(&head, "run %.12s, %s", s->run_id, s->device ? s->device : "device not recorded");
	sb_page_cell(&b.page, sb_buf_str(&head), width, false, SB_TINT_BOLD);
	b.page.buf.failed |= head.failed;
	sb_buf_release(&head);
	sb_page_end(&b.page);
	sb_page_end(&b.page);
	print_totals(&b, s);
	for (size_t g = 0; g < s->n_groups; g++)
		if (s->groups[g].after)
			print_group(&b, &s->groups[g]);
	print_legend(&b, s);
	status = sb_report_write(&b.page.buf, out, err);
	sb_buf_release(&b.page.buf);
	return status;
}
