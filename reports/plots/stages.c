/* Stages of the pipeline, before and after side by side. */
#include "plots_internal.h"

#include <math.h>
#include <string.h>

enum { ROW_PX = 34, FRAME_PX = 150, NAME_COLUMNS = 24 };

static bool is_drawn(const struct sb_summary_row *row)
{
	return row->section == SB_SECTION_STAGES && !(row->before.absent && row->after.absent);
}

static void add_side(struct sb_plot *p, int arm, const char *metric, double *max)
{
	struct sb_interval i = { .mid = NAN, .lo = NAN, .hi = NAN };

	if (arm >= 0)
		i = sb_plot_median(p->in, arm, metric, SB_PLOT_TIMING);
	sb_plot_number(&p->data, i.mid / 1e6);
	sb_plot_number(&p->data, sb_plot_lo(&i) / 1e6);
	sb_plot_number(&p->data, sb_plot_hi(&i) / 1e6);
	sb_buf_addf(&p->data, "\t%d", i.n);
	if (isfinite(sb_plot_hi(&i)))
		*max = fmax(*max, sb_plot_hi(&i) / 1e6);
	if ((size_t)i.n > p->n_trials)
		p->n_trials = (size_t)i.n;
}

/* The figures as words, at the end of the row. */
static void add_words(struct sb_plot *p, const struct sb_summary_row *row)
{
	struct sb_buf b = { 0 };

	if (!row->before.absent)
		sb_plot_figure(&b, row->before.v / 1e6, 3);
	if (!row->before.absent && !row->after.absent)
		sb_buf_puts(&b, " -> ");
	if (!row->after.absent)
		sb_plot_figure(&b, row->after.v / 1e6, 3);
	sb_buf_puts(&b, " ms");
	sb_plot_cell(&p->data, sb_buf_str(&b), 0);
	p->data.failed |= b.failed;
	sb_buf_release(&b);
	sb_plot_effect(&b, &row->effect, SB_UNIT_RATIO, row->compare);
	sb_plot_cell(&p->data, sb_buf_str(&b), 0);
	p->data.failed |= b.failed;
	sb_buf_release(&b);
}

bool sb_plot_stages(struct sb_plot *p)
{
	const struct sb_summary_group *g = &p->in->summary->groups[0];
	int before = sb_plot_arm(p->in, g->before), after = sb_plot_arm(p->in, g->after), n = 0;
	double max = 0;

	sb_buf_puts(&p->data,
	        "# columns: row, stage, then for each of the two arms: median, interval from, interval to (ms), "
	        "n; medians in words; after / before (interval)\n");
	for (size_t i = 0; i < g->n_rows; i++) {
		if (!is_drawn(&g->rows[i]))
			continue;
		sb_buf_addf(&p->data, "%d", ++n);
		sb_plot_cell(&p->data, g->rows[i].label, NAME_COLUMNS);
		add_side(p, before, g->rows[i].metric, &max);
		add_side(p, after, g->rows[i].metric, &max);
		add_words(p, &g->rows[i]);
		sb_buf_puts(&p->data, "\n");
	}
	if (!n || !(max > 0))
		return sb_plot_why(p, "no timing trial that was ok has the time of a stage");
	p->n_what = "timing trials per arm";
	sb_plot_say_side(p, "before", before);
	sb_plot_say_side(p, "after", after);
	sb_plot_count(p, "rows", n);
	sb_plot_count(p, "two", after >= 0);
	sb_plot_set(p, "max", 1.04 * max);
	sb_plot_count(p, "width", 960);
	sb_plot_count(p, "height", FRAME_PX + ROW_PX * n);
	sb_buf_puts(&p->caption, "Bars: medians of at most ");
	sb_plot_how_many(&p->caption, p->n_trials, "timing trial");
	sb_buf_addf(&p->caption, " of an arm in milliseconds, %s%s.", sb_plot_intervals(p->n_trials),
	        after >= 0 ? "; to the right the medians, and the ratio after / before over pairs with its interval, "
	                     "if it has one"
	                   : "");
	return true;
}
