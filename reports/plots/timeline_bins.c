#include "timeline_bins.h"

#include <stdio.h>
#include <string.h>

#include "sb_timeline.h"

/* ---- which trial ------------------------------------------------------------------------------------------------- */

static bool has_timeline(const struct sb_plots_input *in, size_t i)
{
	struct sb_timeline_row row = { .data = NULL };
	bool there = !sb_store_read_timeline(in->store, in->trials->v[i].key, &row, NULL) && row.data && row.events;

	sb_timeline_row_release(&row);
	return there;
}

int sb_timeline_trial(const struct sb_plots_input *in, int arm, const char **why)
{
	*why = in->store ? "no trace trial that was complete" : "the database is not open";
	for (size_t i = 0; in->store && i < in->trials->n; i++) {
		if (in->trials->v[i].arm != arm || !sb_plot_counts(&in->trials->v[i], SB_PLOT_TRACE))
			continue;
		*why = "its trace trials have no memory timeline";
		if (has_timeline(in, i))
			return (int)i;
	}
	return -1;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct filling {
	struct sb_bins *out;
	int64_t bin_ns;
};

static void widen(int64_t range[2], int64_t x, bool first)
{
	range[0] = first || x < range[0] ? x : range[0];
	range[1] = first || x > range[1] ? x : range[1];
}

static void put(struct sb_bin *b, const struct sb_timeline_event *e, bool first)
{
	int64_t unused = e->reserved - e->active;

	widen(b->allocated, e->allocated, first);
	widen(b->active, e->active, first);
	widen(b->reserved, e->reserved, first);
	widen(b->requested, e->requested, first);
	b->unused = first || unused > b->unused ? unused : b->unused;
}

/* A column begins with what the one before it ended with. */
static void fill_to(struct filling *f, const struct sb_timeline_event *last, int64_t time_ns)
{
	int64_t bin = f->bin_ns > 0 ? time_ns / f->bin_ns : 0;

	while (f->out->n <= bin && f->out->n < SB_BINS)
		put(&f->out->v[f->out->n++], last, true);
}

static void mark_stage(struct sb_bins *out, const struct sb_timeline_event *e)
{
	struct sb_stage_span *s = out->n_stages ? &out->stages[out->n_stages - 1] : NULL;

	if (s)
		s->to_ns = e->time_ns;
	if (!*e->stage || (s && !strcmp(s->name, e->stage)) || out->n_stages == SB_STAGES_MAX)
		return;
	out->stages[out->n_stages++] = (struct sb_stage_span){ .from_ns = e->time_ns, .to_ns = e->time_ns };
	snprintf(out->stages[out->n_stages - 1].name, sizeof(s->name), "%s", e->stage);
}

static bool read_events(const struct sb_timeline_row *row, int64_t bin_ns, struct sb_bins *out)
{
	struct sb_timeline_reader r;
	struct sb_timeline_event e, last;
	struct filling f = { .out = out, .bin_ns = bin_ns };
	bool more = true;

	if (sb_timeline_read_begin(&r, row->data, row->size, NULL))
		return false;
	last = r.last;
	out->requested = last.requested != SB_TIMELINE_UNKNOWN;
	while (more) {
		if (sb_timeline_next(&r, &e, &more, NULL))
			return false;
		if (!more)
			break;
		if (bin_ns > 0) {
			fill_to(&f, &last, e.time_ns);
			put(&out->v[out->n - 1], &e, false);
			mark_stage(out, &e);
		}
		last = e;
		out->end_ns = e.time_ns;
	}
	return true;
}

static bool read_trial(const struct sb_plots_input *in, int trial, int64_t bin_ns, struct sb_bins *out)
{
	struct sb_timeline_row row = { .data = NULL };
	bool ok = !sb_store_read_timeline(in->store, in->trials->v[trial].key, &row, NULL) && row.data;

	*out = (struct sb_bins){ .events = row.events, .cut = row.cut };
	ok = ok && read_events(&row, bin_ns, out);
	sb_timeline_row_release(&row);
	return ok;
}

int64_t sb_timeline_end(const struct sb_plots_input *in, int trial)
{
	struct sb_bins scratch;

	return read_trial(in, trial, 0, &scratch) ? scratch.end_ns : 0;
}

bool sb_timeline_bins(const struct sb_plots_input *in, int trial, int64_t bin_ns, struct sb_bins *out)
{
	return bin_ns > 0 && read_trial(in, trial, bin_ns, out) && out->n > 0;
}
