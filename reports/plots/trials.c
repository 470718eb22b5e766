/* Every timing trial in the order of the run, with the card's clock and power: drift, throttling and warm-up are seen.
 */
#include "plots_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PANEL_PX = 130, FRAME_PX = 130 };

/* What is drawn below the times, where anything was recorded of it. */
static const struct {
	const char *metric, *instead, *label;
} states[] = {
	{ "sm_mhz", "device.sm_mhz", "SM clock, MHz" },
	{ "device.power_w", NULL, "power, W" },
	{ "device.temperature_c", NULL, "temperature, C" },
};

static double state_of(const struct sb_plots_input *in, size_t trial, size_t k)
{
	double x = sb_plot_sample(in, trial, states[k].metric);

	return isfinite(x) || !states[k].instead ? x : sb_plot_sample(in, trial, states[k].instead);
}

static bool was_recorded(const struct sb_plots_input *in, size_t k)
{
	for (size_t i = 0; i < in->trials->n; i++)
		if (!in->trials->v[i].trace && isfinite(state_of(in, i, k)))
			return true;
	return false;
}

static int say_states(struct sb_plot *p)
{
	int n = 0;

	sb_buf_addf(&p->vars, "array state[%zu]\narray column_of[%zu]\n", SB_ARRAY_LEN(states), SB_ARRAY_LEN(states));
	for (size_t k = 0; k < SB_ARRAY_LEN(states); k++) {
		if (!was_recorded(p->in, k))
			continue;
		n++;
		sb_buf_addf(&p->vars, "state[%d] = '%s'\ncolumn_of[%d] = %zu\n", n, states[k].label, n, 8 + k);
	}
	sb_plot_count(p, "states", n);
	return n;
}

struct told {
	int drawn, failed, throttled;
	double deviation, least_ms, most_ms;
};

static void add_trial(struct sb_plot *p, size_t i, double median, struct told *told)
{
	const struct sb_trial *t = &p->in->trials->v[i];
	struct sb_plot_look look = sb_plot_look(p->in->run, t->arm);
	double wall = sb_plot_counts(t, SB_PLOT_TIMING) ? sb_plot_sample(p->in, i, "wall_ns") : NAN;
	double off = 100 * (wall / median - 1);

	told->failed += strcmp(t->outcome, "ok") != 0;
	told->throttled += sb_plot_sample(p->in, i, "device.throttled") > 0;
	told->drawn += isfinite(wall);
	if (isfinite(wall)) {
		told->least_ms = told->drawn == 1 ? wall / 1e6 : fmin(told->least_ms, wall / 1e6);
		told->most_ms = fmax(told->most_ms, wall / 1e6);
	}
	if (isfinite(off))
		told->deviation = fmax(told->deviation, fabs(off));
	sb_buf_addf(&p->data, "%d\t%d\t%u\t%d", told->drawn + told->failed, t->arm + 1, look.rgb, look.mark);
	sb_plot_number(&p->data, wall / 1e6);
	sb_plot_number(&p->data, off);
	sb_buf_addf(&p->data, "\t%d", t->block);
	for (size_t k = 0; k < SB_ARRAY_LEN(states); k++)
		sb_plot_number(&p->data, state_of(p->in, i, k));
	sb_buf_puts(&p->data, "\n");
}

static struct told add_trials(struct sb_plot *p)
{
	const struct sb_plots_input *in = p->in;
	struct told told = { 0 };
	double *median = malloc(((size_t)in->run->n_arms + 1) * sizeof(*median));

	if (!median) {
		p->data.failed = true;
		return told;
	}
	for (int a = 0; a < in->run->n_arms; a++)
		median[a] = sb_plot_median(in, a, "wall_ns", SB_PLOT_TIMING).mid;
	for (size_t i = 0; i < in->trials->n; i++) {
		const struct sb_trial *t = &in->trials->v[i];

		if (!t->trace && !t->counters && t->arm >= 0 && t->arm < in->run->n_arms)
			add_trial(p, i, median[t->arm], &told);
	}
	free(median);
	return told;
}

bool sb_plot_trials(struct sb_plot *p)
{
	struct told told;
	int n_states;

	sb_buf_puts(&p->data, "# columns: order, arm (from 1), colour, mark, wall (ms), deviation from the median of "
	                      "the arm (%), block, SM clock "
	                      "(MHz), power (W), temperature (C)\n");
	told = add_trials(p);
	if (!told.drawn)
		return sb_plot_why(p, "no timing trial was ok");
	sb_plot_say_arms(p);
	n_states = say_states(p);
	sb_plot_count(p, "trials", told.drawn + told.failed);
	sb_plot_set(p, "deviation", fmax(told.deviation * 1.15, 0.05));
	sb_plot_set(p, "least", told.least_ms);
	sb_plot_set(p, "most", told.most_ms);
	sb_plot_count(p, "panels", 2 + n_states);
	sb_plot_set(p, "panel_px", PANEL_PX);
	sb_plot_count(p, "width", 1000);
	sb_plot_count(p, "height", FRAME_PX + PANEL_PX * (2 + n_states));
	p->n_trials = (size_t)told.drawn;
	p->n_what = "timing trials";
	sb_buf_addf(&p->caption,
	        "Each mark is a timing trial, %d from the first to the last: wall time, and "
	        "its deviation from the median of its arm in percent%s.",
	        told.drawn, n_states ? "; below, what the card said at that trial" : "");
	if (told.failed)
		sb_buf_addf(&p->caption, " %d failed and have no mark.", told.failed);
	if (told.throttled)
		sb_buf_addf(&p->caption, " %d ran while the card was throttled.", told.throttled);
	return true;
}
