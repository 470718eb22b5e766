/* All arms: sorted by time, and time against memory. */
#include "plots_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROW_PX = 30, FRAME_PX = 118, NAME_COLUMNS = 34 };

#define GIB (1024.0 * 1024.0 * 1024.0)

struct arm {
	int index;
	struct sb_interval time, memory;
};

static int by_time(const void *a, const void *b)
{
	const struct arm *x = a, *y = b;

	if (isfinite(x->time.mid) != isfinite(y->time.mid))
		return isfinite(x->time.mid) ? -1 : 1;
	if (isfinite(x->time.mid) && x->time.mid != y->time.mid)
		return x->time.mid < y->time.mid ? -1 : 1;
	return x->index - y->index;
}

/* Arms with a time, the quickest first; to be freed. NULL: no memory, or none (*n is 0). */
static struct arm *measured(struct sb_plot *p, int *n)
{
	const struct sb_plots_input *in = p->in;
	struct arm *v = calloc((size_t)in->run->n_arms + 1, sizeof(*v));

	*n = 0;
	if (!v) {
		p->data.failed = true;
		return NULL;
	}
	for (int a = 0; a < in->run->n_arms; a++) {
		v[a].index = a;
		v[a].time = sb_plot_median(in, a, "wall_ns", SB_PLOT_TIMING);
		v[a].memory = sb_plot_median(in, a, "memory.weights_bytes+memory.allocated_peak_bytes", SB_PLOT_TIMING);
		*n += isfinite(v[a].time.mid);
		if ((size_t)v[a].time.n > p->n_trials)
			p->n_trials = (size_t)v[a].time.n;
	}
	qsort(v, (size_t)in->run->n_arms, sizeof(*v), by_time);
	p->n_what = "timing trials per arm";
	return v;
}

static void add_interval(struct sb_plot *p, const struct sb_interval *i, double unit)
{
	sb_plot_number(&p->data, i->mid / unit);
	sb_plot_number(&p->data, sb_plot_lo(i) / unit);
	sb_plot_number(&p->data, sb_plot_hi(i) / unit);
}

/* Arms that were tried and have no time stand below the others, in words. */
static const char *why_no_time(const struct sb_plots_input *in, int arm)
{
	const struct sb_summary_arm *a = &in->summary->arms[arm];

	for (int o = SB_OUTCOME_OK + 1; o < SB_OUTCOME_COUNT; o++)
		if (a->n_trials[0][o])
			return sb_outcome_title((enum sb_outcome)o);
	return "no timing trial";
}

static void add_words(struct sb_plot *p, const struct arm *a)
{
	struct sb_buf b = { 0 };

	if (isfinite(a->time.mid)) {
		sb_plot_figure(&b, a->time.mid / 1e6, 4);
		if (a->time.has_interval) {
			sb_buf_puts(&b, " (");
			sb_plot_figure(&b, a->time.lo / 1e6, 4);
			sb_buf_puts(&b, "..");
			sb_plot_figure(&b, a->time.hi / 1e6, 4);
			sb_buf_puts(&b, ")");
		}
		sb_buf_puts(&b, " ms");
	} else {
		sb_buf_puts(&b, why_no_time(p->in, a->index));
	}
	sb_plot_cell(&p->data, sb_buf_str(&b), 40);
	p->data.failed |= b.failed;
	sb_buf_release(&b);
}

static void add_arm(struct sb_plot *p, const struct arm *a, int y)
{
	struct sb_plot_look look = sb_plot_look(p->in->run, a->index);

	sb_buf_addf(&p->data, "%d", y);
	sb_plot_cell(&p->data, p->in->run->arms[a->index].name, NAME_COLUMNS);
	add_interval(p, &a->time, 1e6);
	add_interval(p, &a->memory, GIB);
	sb_buf_addf(&p->data, "\t%u\t%d\t%d", look.rgb, look.mark, a->time.n);
	add_words(p, a);
	sb_buf_puts(&p->data, "\n");
}

static const char arm_columns[] = "# columns: row, arm, time: median, interval from, to (ms), memory: median, interval "
                                  "from, to (GiB), colour, mark, "
                                  "n, in words\n";

/* Every trial, so that the spread behind a median is seen. */
static double add_trials(struct sb_plot *p, const struct arm *v, int n)
{
	double max = 0, *x = malloc((p->in->trials->n + 1) * sizeof(*x));

	if (!x) {
		p->data.failed = true;
		return 0;
	}
	sb_buf_puts(&p->data, "\n\n# every trial: row, time in ms, colour\n");
	for (int i = 0; i < n; i++) {
		int k = sb_plot_values(p->in, v[i].index, "wall_ns", SB_PLOT_TIMING, x);

		for (int j = 0; j < k; j++) {
			sb_buf_addf(&p->data, "%d", i + 1);
			sb_plot_number(&p->data, x[j] / 1e6);
			sb_buf_addf(&p->data, "\t%u\n", sb_plot_look(p->in->run, v[i].index).rgb);
			max = fmax(max, x[j] / 1e6);
		}
	}
	free(x);
	return max;
}

bool sb_plot_arms(struct sb_plot *p)
{
	int n, rows = p->in->run->n_arms;
	struct arm *v = measured(p, &n);

	if (!n) {
		free(v);
		return sb_plot_why(p, "no arm has a timing trial that was ok");
	}
	sb_buf_puts(&p->data, arm_columns);
	for (int i = 0; i < rows; i++)
		add_arm(p, &v[i], i + 1);
	sb_plot_set(p, "max", 1.06 * add_trials(p, v, rows));
	free(v);
	sb_plot_count(p, "rows", rows);
	sb_plot_count(p, "width", 920);
	sb_plot_count(p, "height", FRAME_PX + ROW_PX * rows);
	sb_buf_puts(&p->caption,
	        "Wall time of a pass in milliseconds, the quickest arm first. Marks and bars: medians of at most ");
	sb_plot_how_many(&p->caption, p->n_trials, "timing trial");
	sb_buf_addf(&p->caption, " of an arm, %s; small points: every trial.", sb_plot_intervals(p->n_trials));
	return true;
}

bool sb_plot_time_memory(struct sb_plot *p)
{
	int n, rows = 0;
	struct arm *v = measured(p, &n);
	double time = 0, memory = 0;

	sb_buf_puts(&p->data, arm_columns);
	sb_plot_key(p, n + 1);
	for (int i = 0; i < n; i++) {
		if (!isfinite(v[i].memory.mid))
			continue;
		add_arm(p, &v[i], ++rows);
		sb_plot_key_row(p, rows, p->in->run->arms[v[i].index].name, sb_plot_look(p->in->run, v[i].index));
		time = fmax(time, sb_plot_hi(&v[i].time) / 1e6);
		memory = fmax(memory, sb_plot_hi(&v[i].memory) / GIB);
	}
	free(v);
	if (!rows)
		return sb_plot_why(p, "no arm has a timing trial with a time and the peak of its memory");
	sb_plot_count(p, "rows", rows);
	sb_plot_set(p, "max_time", 1.08 * time);
	sb_plot_set(p, "max_memory", 1.08 * memory);
	sb_plot_count(p, "width", 860);
	sb_plot_count(p, "height", 460);
	sb_buf_puts(&p->caption, "Medians of at most ");
	sb_plot_how_many(&p->caption, p->n_trials, "timing trial");
	sb_buf_addf(&p->caption,
	        " of an arm, %s%s. Memory: weights and peak allocated. Better is down and to the left.",
	        sb_plot_intervals(p->n_trials),
	        p->n_trials >= SB_STATS_MIN_PAIRS ? ", which are smaller than the marks where none is seen" : "");
	return true;
}
