/*
 * Memory over one pass of each of two arms, drawn to the same scales; an arm that takes far less than the other is
 * drawn once more, to a scale of its own.
 */
#include "plots_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "other_run.h"
#include "timeline_bins.h"

enum {
	PANEL_PX = 250,
	FRAME_PX = 116,
	FAR_LESS = 4,          /* times less memory at its peak: has a panel of its own scale, too */
	SHOWN_STAGES_PART = 14 /* stages shorter than a 14th of the picture have no name */
};

#define GIB (1024.0 * 1024.0 * 1024.0)

struct side {
	int arm, trial;
	struct sb_bins *bins;
	double max_gib; /* of reserved */
};

/* The main pair where both can be drawn, else the first arms that can. */
static int choose(const struct sb_plots_input *in, struct side *sides, const char **why)
{
	const struct sb_summary_group *g = &in->summary->groups[0];
	int first[2] = { sb_plot_arm(in, g->before), sb_plot_arm(in, g->after) }, n = 0;

	*why = "no trace trial that was complete";
	for (int i = 0; i < 2 + in->run->n_arms && n < 2; i++) {
		int arm = i < 2 ? first[i] : i - 2, trial;

		if (arm < 0 || (n && sides[0].arm == arm) || (i >= 2 && (arm == first[0] || arm == first[1])))
			continue;
		trial = sb_timeline_trial(in, arm, why);
		if (trial >= 0)
			sides[n++] = (struct side){ .arm = arm, .trial = trial };
	}
	return n;
}

static const char *short_name(const char *stage)
{
	const char *dot = strchr(stage, '.');

	return dot ? dot + 1 : stage;
}

static void add_curves(struct sb_plot *p, struct side *s, double bin_ms)
{
	sb_buf_addf(&p->data,
	        "%s# columns: time in ms, then least and largest within the next %.4g ms of allocated, active, "
	        "reserved, requested (GiB; NaN: not recorded)\n",
	        s->bins->n ? "" : "#\n", bin_ms);
	for (int i = 0; i < s->bins->n; i++) {
		const struct sb_bin *b = &s->bins->v[i];

		sb_buf_addf(&p->data, "%.6g", i * bin_ms);
		for (int k = 0; k < 2; k++)
			sb_plot_number(&p->data, (double)b->allocated[k] / GIB);
		for (int k = 0; k < 2; k++)
			sb_plot_number(&p->data, (double)b->active[k] / GIB);
		for (int k = 0; k < 2; k++)
			sb_plot_number(&p->data, (double)b->reserved[k] / GIB);
		for (int k = 0; k < 2; k++)
			sb_plot_number(&p->data, s->bins->requested ? (double)b->requested[k] / GIB : NAN);
		sb_buf_puts(&p->data, "\n");
		s->max_gib = fmax(s->max_gib, (double)b->reserved[1] / GIB);
	}
	sb_buf_puts(&p->data, "\n\n");
}

static void add_stages(struct sb_plot *p, const struct side *s, double end_ms)
{
	sb_buf_puts(&p->data,
	        "# stages, from their first event of memory to the next one's: from, to (ms), name if there is "
	        "room for it, which shade\n");
	for (int i = 0; i < s->bins->n_stages; i++) {
		const struct sb_stage_span *st = &s->bins->stages[i];
		double from = (double)st->from_ns / 1e6, to = (double)st->to_ns / 1e6;
		const char *name = short_name(st->name);
		bool room = (to - from) * SHOWN_STAGES_PART > end_ms * (double)strlen(name) / 8;

		sb_buf_addf(&p->data, "%.6g\t%.6g", from, to);
		sb_plot_cell(&p->data, room ? name : " ", 20);
		sb_buf_addf(&p->data, "\t%d\n", i % 2);
	}
	if (!s->bins->n_stages)
		sb_buf_puts(&p->data, "0\t0\t \t0\n");
	sb_buf_puts(&p->data, "\n\n");
}

static void say_side(struct sb_plot *p, const struct side *s, int k)
{
	double requested = s->bins->requested
	                           ? NAN /* there is more than its peak */
	                           : sb_plot_sample(p->in, (size_t)s->trial, "memory.requested_peak_bytes") / GIB;
	char name[32];

	snprintf(name, sizeof(name), "arm_%d", k);
	sb_plot_say(p, name, p->in->run->arms[s->arm].name);
	snprintf(name, sizeof(name), "colour_%d", k);
	sb_plot_sayf(p, name, "#%06x", sb_plot_look(p->in->run, s->arm).rgb);
	snprintf(name, sizeof(name), "requested_%d", k);
	sb_plot_set(p, name, isfinite(requested) ? requested : -1);
}

/* Which side each panel shows, and to which scale. */
static void say_panels(struct sb_plot *p, const struct side *sides, int n)
{
	double max = n == 2 ? fmax(sides[0].max_gib, sides[1].max_gib) : sides[0].max_gib;
	int panels = 0;

	sb_buf_puts(&p->vars, "array panel_side[3]\narray panel_top[3]\n");
	for (int k = 0; k < n; k++)
		sb_buf_addf(&p->vars, "panel_side[%d] = %d\npanel_top[%d] = %.6g\n", k + 1, k + 1, k + 1, 1.12 * max);
	panels = n;
	for (int k = 0; k < n; k++)
		if (sides[k].max_gib > 0 && sides[k].max_gib * FAR_LESS < max) {
			panels++;
			sb_buf_addf(&p->vars, "panel_side[%d] = %d\npanel_top[%d] = %.6g\n", panels, k + 1, panels,
			        1.12 * sides[k].max_gib);
			sb_buf_puts(&p->caption, " The last panel has a scale of its own.");
		}
	sb_plot_set(p, "max_memory", 1.12 * max);
	sb_plot_count(p, "panels", panels);
	sb_plot_count(p, "height", FRAME_PX + PANEL_PX * panels);
}

static bool write_sides(struct sb_plot *p, struct side *sides, int n, int64_t end_ns)
{
	int64_t bin_ns = end_ns / (SB_BINS - 1) + 1, cut = 0;
	bool known = true;

	for (int k = 0; k < n; k++) {
		if (!sb_timeline_bins(p->in, sides[k].trial, bin_ns, sides[k].bins))
			return sb_plot_why(p, "the memory timeline of arm '%.40s' is damaged",
			        p->in->run->arms[sides[k].arm].name);
		add_curves(p, &sides[k], (double)bin_ns / 1e6);
		add_stages(p, &sides[k], (double)end_ns / 1e6);
		say_side(p, &sides[k], k + 1);
		cut += sides[k].bins->cut;
		known &= sides[k].bins->requested;
		p->n_trials++;
	}
	if (n == 1)
		sb_buf_puts(&p->vars, "arm_2 = ''\ncolour_2 = '#000000'\nrequested_2 = -1\n");
	sb_plot_set(p, "max_time", (double)end_ns / 1e6);
	sb_plot_count(p, "requested_known", known);
	sb_buf_addf(&p->caption,
	        "One pass of each arm, both to the same scales, as its allocator was asked: %d traced pass%s, "
	        "with the tracer's time in it, by the host's clock: it hands out memory before the device needs it. "
	        "Without weights, which lie outside. Every column of the picture has the least and the largest within "
	        "it. Requested is %s. The strips name the stages.",
	        n, n == 1 ? "" : "es",
	        known ? "what was asked for, before any rounding" : "recorded as a peak only (dashed)");
	say_panels(p, sides, n);
	if (cut)
		sb_buf_addf(&p->caption, " The last %lld events found no room.", (long long)cut);
	return true;
}

static bool draw(struct sb_plot *p)
{
	struct side sides[2] = { { .arm = -1 } };
	const char *why;
	int n = choose(p->in, sides, &why);
	int64_t end_ns = 0;
	bool made = false;

	if (!n)
		return sb_plot_why(
		        p, "no arm has a memory timeline: %s; trace trials have one (--trace-blocks 1 or more)", why);
	for (int k = 0; k < n; k++) {
		int64_t e = sb_timeline_end(p->in, sides[k].trial);

		sides[k].bins = malloc(sizeof(*sides[k].bins));
		p->data.failed |= !sides[k].bins;
		end_ns = e > end_ns ? e : end_ns;
	}
	if (end_ns <= 0)
		sb_plot_why(p, "the memory timelines have no event that can be read");
	else if (!p->data.failed)
		made = write_sides(p, sides, n, end_ns);
	for (int k = 0; k < n; k++)
		free(sides[k].bins);
	p->n_what = n == 1 ? "traced pass" : "traced passes";
	sb_plot_set(p, "panel_px", PANEL_PX);
	sb_plot_count(p, "width", 960);
	return made;
}

/* ---- which run --------------------------------------------------------------------------------------------------- */

/* The same network with the same two arms, each with a timeline. */
static bool other_has_both(const struct sb_plots_input *other, const struct sb_plots_input *own)
{
	const struct sb_summary_group *g = &own->summary->groups[0];
	const char *why;

	if (strcmp(other->run->workload, own->run->workload) != 0 || strcmp(other->run->preset, own->run->preset) != 0)
		return false;
	return sb_plot_arm(other, g->before) >= 0 && sb_plot_arm(other, g->after) >= 0 &&
	       sb_timeline_trial(other, sb_plot_arm(other, g->before), &why) >= 0 &&
	       sb_timeline_trial(other, sb_plot_arm(other, g->after), &why) >= 0;
}

bool sb_plot_memory(struct sb_plot *p)
{
	struct side sides[2];
	const char *why;
	bool made;

	if (choose(p->in, sides, &why) || !sb_plot_of_other(p, other_has_both, draw, "with memory timelines", &made))
		return draw(p);
	return made;
}
