/* Text and numbers as gnuplot reads them. Names in a database may be anybody's. */
#include "plots_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports_internal.h"

enum { SAID_COLUMNS = 80 };

bool sb_plot_why(struct sb_plot *p, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sb_buf_puts(&p->why, text);
	return false;
}

/*
 * gnuplot ends a quoted text at a quote, runs what stands between backticks, and takes a field's quotes away; with
 * "enhanced" off nothing else has a meaning.
 */
static void add_plain(struct sb_buf *b, const char *text)
{
	for (; *text; text++)
		sb_buf_add(b, *text == '"' || *text == '\'' || *text == '`' ? "." : text, 1);
}

void sb_plot_field(struct sb_buf *b, const char *text, int columns)
{
	struct sb_buf shown = { 0 };

	sb_report_escape(&shown, text && *text ? text : "-");
	b->failed |= shown.failed;
	if (columns > 2 && shown.s && sb_display_width(shown.s) > columns) {
		shown.s[sb_display_head(shown.s, columns - 2)] = '\0';
		add_plain(b, shown.s);
		sb_buf_puts(b, "..");
	} else {
		add_plain(b, sb_buf_str(&shown));
	}
	sb_buf_release(&shown);
}

void sb_plot_cell(struct sb_buf *b, const char *text, int columns)
{
	sb_buf_puts(b, "\t");
	sb_plot_field(b, text, columns);
}

void sb_plot_number(struct sb_buf *b, double x)
{
	if (isfinite(x))
		sb_buf_addf(b, "\t%.10g", x);
	else
		sb_buf_puts(b, "\tNaN");
}

void sb_plot_say(struct sb_plot *p, const char *name, const char *text)
{
	sb_buf_addf(&p->vars, "%s = '", name);
	if (*text)
		sb_plot_field(&p->vars, text, SAID_COLUMNS);
	sb_buf_puts(&p->vars, "'\n");
}

void sb_plot_sayf(struct sb_plot *p, const char *name, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sb_plot_say(p, name, text);
}

/* With a point always: 1/3 is 0 to gnuplot. */
void sb_plot_set(struct sb_plot *p, const char *name, double value)
{
	char text[40];

	snprintf(text, sizeof(text), "%.10g", isfinite(value) ? value : 0.0);
	sb_buf_addf(&p->vars, "%s = %s%s\n", name, text, strpbrk(text, ".e") ? "" : ".0");
}

void sb_plot_count(struct sb_plot *p, const char *name, int value)
{
	sb_buf_addf(&p->vars, "%s = %d\n", name, value);
}

void sb_plot_figure(struct sb_buf *b, double x, int digits)
{
	char text[32];

	sb_report_number(x, digits, false, text);
	sb_buf_puts(b, text);
}

void sb_plot_how_many(struct sb_buf *b, size_t n, const char *what)
{
	sb_buf_addf(b, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

const char *sb_plot_intervals(size_t n)
{
	_Static_assert(SB_STATS_MIN_PAIRS == 6, "the text below says so");
	return n >= SB_STATS_MIN_PAIRS ? "with 95 % intervals" : "without intervals, which need six";
}

void sb_plot_effect(struct sb_buf *b, const struct sb_effect *e, enum sb_unit unit, enum sb_compare compare)
{
	char estimate[48], interval[96];

	sb_report_effect(e, unit, compare, false, estimate, interval);
	sb_buf_puts(b, estimate);
	if (!e->estimate.absent && e->has_interval)
		sb_buf_addf(b, " (%s)", interval);
}
