/* What each switch brings, and how switches act on one another. */
#include "plots_internal.h"

#include <math.h>

enum { ROW_PX = 30, FRAME_PX = 122, NAME_COLUMNS = 40 };

#define GIB (1024.0 * 1024.0 * 1024.0)

static const struct sb_summary_lattice *whole_lattice(const struct sb_summary *s)
{
	for (size_t i = 0; i < s->n_lattices; i++)
		if (!s->lattices[i].absent && s->lattices[i].n_metrics)
			return &s->lattices[i];
	return NULL;
}

static const struct sb_summary_lattice_metric *metric_in(const struct sb_summary_lattice *l, enum sb_unit unit)
{
	for (size_t i = 0; i < l->n_metrics; i++)
		if (l->metrics[i].unit == unit)
			return &l->metrics[i];
	return NULL;
}

static const struct sb_summary_lattice_row *like(
        const struct sb_summary_lattice_metric *m, const struct sb_summary_lattice_row *row)
{
	for (size_t i = 0; m && i < m->n_rows; i++)
		if (m->rows[i].kind == row->kind && m->rows[i].factor == row->factor && m->rows[i].other == row->other)
			return &m->rows[i];
	return NULL;
}

static double unit_of(const struct sb_summary_lattice_metric *m)
{
	return m->compare == SB_COMPARE_DIFFERENCE && m->unit == SB_UNIT_BYTES ? GIB : 1.0;
}

static void add_effect(struct sb_plot *p, const struct sb_summary_lattice_metric *m,
        const struct sb_summary_lattice_row *row, double range[2])
{
	const struct sb_effect *e = row ? &row->effect : NULL;
	bool there = e && !e->estimate.absent;
	double unit = there ? unit_of(m) : 1.0, mid = there ? e->estimate.v / unit : NAN;
	double lo = there && e->has_interval ? e->lo / unit : mid, hi = there && e->has_interval ? e->hi / unit : mid;
	struct sb_buf words = { 0 };

	sb_plot_number(&p->data, mid);
	sb_plot_number(&p->data, lo);
	sb_plot_number(&p->data, hi);
	if (there) {
		sb_plot_effect(&words, e, m->unit, m->compare);
		range[0] = fmin(range[0], lo);
		range[1] = fmax(range[1], hi);
	}
	sb_plot_cell(&p->data, sb_buf_str(&words), 44);
	p->data.failed |= words.failed;
	sb_buf_release(&words);
}

/* Rows of a kind, of the times, with those of memory beside them. */
static int add_kind(struct sb_plot *p, enum sb_lattice_row_kind kind, const struct sb_summary_lattice_metric *time,
        const struct sb_summary_lattice_metric *memory, int y, double ranges[2][2])
{
	for (size_t i = 0; i < time->n_rows; i++) {
		const struct sb_summary_lattice_row *row = &time->rows[i];

		if (row->kind != kind)
			continue;
		sb_buf_addf(&p->data, "%d", ++y);
		sb_plot_cell(&p->data, row->label, NAME_COLUMNS);
		add_effect(p, time, row, ranges[0]);
		add_effect(p, memory, like(memory, row), ranges[1]);
		sb_buf_addf(&p->data, "\t%d\n", kind == SB_LATTICE_PAIR);
	}
	return y;
}

static void say_range(struct sb_plot *p, const char *from, const char *to, const double range[2])
{
	double pad = 0.06 * (range[1] - range[0]);

	sb_plot_set(p, from, range[0] - pad);
	sb_plot_set(p, to, range[1] + pad);
}

bool sb_plot_effects(struct sb_plot *p)
{
	const struct sb_summary *s = p->in->summary;
	const struct sb_summary_lattice *l = whole_lattice(s);
	const struct sb_summary_lattice_metric *time = l ? metric_in(l, SB_UNIT_TIME) : NULL, *memory;
	double ranges[2][2] = { { 1, 1 }, { 0, 0 } };
	int n, main_rows;

	if (!time)
		return sb_plot_why(p, "%s",
		        s->n_lattices && s->lattices[0].absent
		                ? s->lattices[0].absent
		                : "the run has not every combination of two switches or more");
	memory = metric_in(l, SB_UNIT_BYTES);
	sb_buf_puts(&p->data,
	        "# columns: row, switch, effect on times, on / off: estimate, interval from, to, in words; "
	        "effect on memory (on - off, GiB): the same; 1: an interaction\n");
	main_rows = n = add_kind(p, SB_LATTICE_MAIN, time, memory, 0, ranges);
	main_rows = n = add_kind(p, SB_LATTICE_TOTAL, time, memory, n, ranges);
	n = add_kind(p, SB_LATTICE_PAIR, time, memory, n, ranges);
	if (!n || (ranges[0][0] == ranges[0][1]))
		return sb_plot_why(p, "no block holds every combination, so there is no effect");
	say_range(p, "time_from", "time_to", ranges[0]);
	if (ranges[1][0] == ranges[1][1])
		ranges[1][1] = 1;
	say_range(p, "memory_from", "memory_to", ranges[1]);
	sb_plot_count(p, "rows", n);
	sb_plot_count(p, "main_rows", main_rows);
	sb_plot_say(p, "time_label", time->label);
	sb_plot_say(p, "memory_label", memory ? memory->label : "memory");
	sb_plot_count(p, "width", 1000);
	sb_plot_count(p, "height", FRAME_PX + ROW_PX * n);
	p->n_trials = (size_t)time->blocks;
	p->n_what = "whole blocks";
	sb_buf_addf(&p->caption,
	        "Of %s: each switch averaged over all levels of the others, all together, and below the line "
	        "interactions: the "
	        "effect of one with the other on, over (memory: minus) that with the other off. Medians over ",
	        l->title);
	sb_plot_how_many(&p->caption, p->n_trials, "whole block");
	sb_buf_addf(&p->caption, ", %s; dashed: no effect.", sb_plot_intervals(p->n_trials));
	return true;
}
