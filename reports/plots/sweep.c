/*
 * Time and memory against the number of frames: from the runs of the database that are like this one but for their
 * frames.
 */
#include "like_runs.h"
#include "other_run.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 256 };

#define GIB (1024.0 * 1024.0 * 1024.0)

struct point {
	int frames, n;
	struct sb_interval time, memory;
	bool oom;
};

struct line {
	char *arm, *levels;
	struct sb_plot_look look;
	struct point *v;
	int n;
};

struct lines {
	struct line *v;
	int n;
	int frames[RUNS_MAX], n_frames; /* each run's; the newest of equal ones alone is read */
	int64_t limit_bytes;            /* the first run's */
	bool failed;
};

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static struct line *line_of(struct lines *l, const struct sb_run *run, int arm)
{
	struct line *v;

	for (int i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].arm, run->arms[arm].name) && !strcmp(l->v[i].levels, run->arms[arm].levels))
			return &l->v[i];
	v = realloc(l->v, (size_t)(l->n + 1) * sizeof(*v));
	if (!v) {
		l->failed = true;
		return NULL;
	}
	l->v = v;
	v = &l->v[l->n++];
	*v = (struct line){ .arm = sb_strdup(run->arms[arm].name),
		.levels = sb_strdup(run->arms[arm].levels),
		.look = sb_plot_look(run, arm),
		.v = calloc(RUNS_MAX, sizeof(*v->v)) };
	l->failed |= !v->arm || !v->levels || !v->v;
	return l->failed ? NULL : v;
}

static bool ran_out(const struct sb_plots_input *in, int arm)
{
	for (size_t i = 0; i < in->trials->n; i++)
		if (in->trials->v[i].arm == arm && !strcmp(in->trials->v[i].outcome, "oom"))
			return true;
	return false;
}

static void add_run(struct lines *l, const struct sb_plots_input *in, int frames)
{
	for (int a = 0; a < in->run->n_arms && !l->failed; a++) {
		struct line *line = line_of(l, in->run, a);
		struct point pt = { .frames = frames };

		if (!line || line->n == RUNS_MAX)
			return;
		pt.time = sb_plot_median(in, a, "wall_ns", SB_PLOT_TIMING);
		pt.memory = sb_plot_median(in, a, "memory.weights_bytes+memory.allocated_peak_bytes", SB_PLOT_TIMING);
		pt.oom = ran_out(in, a);
		if (isfinite(pt.time.mid) || pt.oom)
			line->v[line->n++] = pt;
	}
}

static bool seen(struct lines *l, int frames)
{
	for (int i = 0; i < l->n_frames; i++)
		if (l->frames[i] == frames)
			return true;
	l->frames[l->n_frames++] = frames;
	return false;
}

/* Of several with the same frames the first counts: this run, or the newest. */
static bool take_run(const struct sb_like_run *run, void *context)
{
	struct lines *l = context;

	if (!l->n_frames)
		l->limit_bytes = run->limit_bytes;
	if (run->limit_bytes == l->limit_bytes && !seen(l, run->frames))
		add_run(l, &run->in, run->frames);
	return l->n_frames < RUNS_MAX && !l->failed;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static int by_frames(const void *a, const void *b)
{
	return ((const struct point *)a)->frames - ((const struct point *)b)->frames;
}

struct extent {
	int least, most;
	double time, memory;
};

static void add_line(struct sb_plot *p, struct line *l, struct extent *x)
{
	qsort(l->v, (size_t)l->n, sizeof(*l->v), by_frames);
	for (int i = 0; i < l->n; i++) {
		const struct point *pt = &l->v[i];

		sb_buf_addf(&p->data, "%d", pt->frames);
		sb_plot_number(&p->data, pt->time.mid / 1e9);
		sb_plot_number(&p->data, sb_plot_lo(&pt->time) / 1e9);
		sb_plot_number(&p->data, sb_plot_hi(&pt->time) / 1e9);
		sb_plot_number(&p->data, pt->memory.mid / GIB);
		sb_buf_addf(&p->data, "\t%d\t%d\n", pt->time.n, pt->oom && !isfinite(pt->time.mid));
		if (isfinite(pt->time.mid))
			x->time = fmax(x->time, sb_plot_hi(&pt->time) / 1e9);
		if (isfinite(pt->memory.mid))
			x->memory = fmax(x->memory, pt->memory.mid / GIB);
		x->least = pt->frames < x->least ? pt->frames : x->least;
		x->most = pt->frames > x->most ? pt->frames : x->most;
	}
	sb_buf_puts(&p->data, "\n\n");
}

static void write_lines(struct sb_plot *p, struct lines *l)
{
	struct extent x = { .least = 1 << 30 };
	int n = 0;

	sb_buf_puts(&p->data,
	        "# a block an arm; columns: frames, time: median, interval from, to (s), memory of a trial (GiB), n, "
	        "1: out of memory\n");
	sb_plot_key(p, l->n + 1);
	for (int i = 0; i < l->n; i++) {
		if (!l->v[i].n)
			continue;
		sb_plot_key_row(p, ++n, l->v[i].arm, l->v[i].look);
		add_line(p, &l->v[i], &x);
	}
	sb_plot_count(p, "arms", n);
	sb_plot_set(p, "least", x.least);
	sb_plot_set(p, "most", x.most);
	sb_plot_set(p, "max_time", 1.08 * (x.time > 0 ? x.time : 1));
	sb_plot_set(p, "max_memory", 1.12 * (x.memory > 0 ? x.memory : 1));
	sb_plot_count(p, "width", 960);
	sb_plot_count(p, "height", 620);
	p->n_trials = (size_t)l->n_frames;
	p->n_what = "runs";
	sb_buf_addf(&p->caption,
	        "%d runs of this case with other numbers of frames. Marks: medians of each run's timing trials, "
	        "with 95 %% intervals where there are six or more; crosses at the top: out of memory.",
	        l->n_frames);
}

static bool draw(struct sb_plot *p)
{
	struct lines l = { .n = 0 };
	struct sb_error err = { .msg = "" };
	int points = 0, longest = 0;
	bool made = false;

	if (sb_like_runs(p->in, take_run, &l, &err))
		sb_plot_why(p, "%s", err.msg);
	for (int i = 0; i < l.n && !l.failed; i++) {
		points += l.v[i].n;
		longest = l.v[i].n > longest ? l.v[i].n : longest;
	}
	if (l.failed)
		p->data.failed = true;
	else if (!p->why.len && l.n_frames < 2)
		sb_plot_why(p, "the database holds no run of this case with another number of frames ('spabench run "
		               "--frames N')");
	else if (!p->why.len && (!points || longest < 2))
		sb_plot_why(p, "no arm has a time for two numbers of frames");
	else if (!p->why.len)
		made = true;
	if (made)
		write_lines(p, &l);
	for (int i = 0; i < l.n; i++) {
		free(l.v[i].arm);
		free(l.v[i].levels);
		free(l.v[i].v);
	}
	free(l.v);
	return made;
}

/* ---- which runs -------------------------------------------------------------------------------------------------- */

/* Of another case than this run's, which the picture must say: what the tracker does once or four times. */
static bool draw_other(struct sb_plot *p)
{
	json_t *params = json_loads(p->in->run->params, 0, NULL);
	int iterations = 0;

	if (params && !json_unpack(params, "{s:i}", "iterations", &iterations))
		sb_buf_addf(&p->caption, "%d iteration%s of the tracker. ", iterations, iterations == 1 ? "" : "s");
	json_decref(params);
	return draw(p);
}

static bool is_of_a_sweep(const struct sb_plots_input *other, const struct sb_plots_input *own)
{
	const char *by = sb_run_fact(other->run, "sweep.by");

	return by && !strcmp(by, "frames") && !strcmp(other->run->workload, own->run->workload) &&
	       !strcmp(other->run->preset, own->run->preset);
}

struct own_frames {
	int frames;
	int64_t limit_bytes;
	bool others;
};

static bool look_at_run(const struct sb_like_run *run, void *context)
{
	struct own_frames *own = context;

	if (!own->frames)
		*own = (struct own_frames){ .frames = run->frames, .limit_bytes = run->limit_bytes };
	else
		own->others |= run->frames != own->frames && run->limit_bytes == own->limit_bytes && run->in.trials->n;
	return !own->others;
}

/* Has the database runs of this very case with other numbers of frames? */
static bool has_own_frames(const struct sb_plot *p)
{
	struct own_frames own = { .frames = 0 };
	struct sb_error err;

	return !sb_like_runs(p->in, look_at_run, &own, &err) && own.others;
}

bool sb_plot_sweep(struct sb_plot *p)
{
	bool made;

	if (!p->in->store)
		return sb_plot_why(p, "the database is not open");
	if (has_own_frames(p) ||
	        !sb_plot_of_other(p, is_of_a_sweep, draw_other, "that is part of a sweep over frames", &made))
		return draw(p);
	return made;
}
