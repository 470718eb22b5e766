/*
 * The largest clip that fitted into the device's memory, for each limit of it: from the runs of the database that are
 * like this one but for their frames and --vram-limit, and what 'spabench capacity --db' kept of it. What is between
 * the largest that fitted and the smallest that did not nobody tried.
 */
#include "like_runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES_MAX = 512 };

#define GIB (1024.0 * 1024.0 * 1024.0)

/* An arm under a limit. */
struct place {
	char arm[64];
	struct sb_plot_look look;
	int64_t limit_bytes;
	int fitted, too_large; /* frames; 0: none */
	bool asked; /* a limit was asked for, or the capacity: not just the memory that a run happened to have */
	bool dropped;
};

struct places {
	struct place v[PLACES_MAX];
	int n, asked, plain; /* asked, plain: how many runs are of either kind */
};

static struct place *place_of(struct places *all, const struct sb_like_run *run, int arm, int64_t limit)
{
	const char *name = run->in.run->arms[arm].name;
	struct place *p;

	for (int i = 0; i < all->n; i++)
		if (all->v[i].limit_bytes == limit && !strncmp(all->v[i].arm, name, sizeof(all->v[i].arm) - 1))
			return &all->v[i];
	if (all->n == PLACES_MAX)
		return NULL;
	p = &all->v[all->n++];
	*p = (struct place){ .limit_bytes = limit, .look = sb_plot_look(run->in.run, arm) };
	snprintf(p->arm, sizeof(p->arm), "%s", name);
	return p;
}

static void take_trial(const struct sb_like_run *run, const struct sb_trial *t, struct place *p)
{
	if (!strcmp(t->outcome, "ok") && run->frames > p->fitted)
		p->fitted = run->frames;
	if (!strcmp(t->outcome, "oom") && (!p->too_large || run->frames < p->too_large))
		p->too_large = run->frames;
}

static int64_t found_of(const struct sb_run *run, int arm, const char *what)
{
	const char *text;
	char key[64];

	snprintf(key, sizeof(key), "capacity.%d.%s", arm, what);
	text = sb_run_fact(run, key);
	return text ? strtoll(text, NULL, 10) : 0;
}

/* What 'spabench capacity' found. */
static void take_found(const struct sb_like_run *like, struct places *all, int64_t limit)
{
	const struct sb_run *run = like->in.run;

	for (int a = 0; a < run->n_arms; a++) {
		int64_t fits = found_of(run, a, "fits"), fails = found_of(run, a, "fails");
		struct place *p = place_of(all, like, a, limit);

		if (p)
			p->asked = true;
		if (!p || fits < 0 || fits > 1000000 || fails < 0 || fails > 1000000)
			continue;
		p->fitted = fits > p->fitted ? (int)fits : p->fitted;
		p->too_large = fails && (!p->too_large || fails < p->too_large) ? (int)fails : p->too_large;
	}
}

static bool is_gpu(const struct sb_run *run)
{
	const char *kind = sb_run_fact(run, "device.kind");

	return !kind || strcmp(kind, "cpu") != 0;
}

static bool take_run(const struct sb_like_run *run, void *context)
{
	struct places *all = context;
	const char *device = sb_run_fact(run->in.run, "device.memory_bytes");
	const char *by = sb_run_fact(run->in.run, SB_STORE_CAPACITY);
	int64_t limit = run->limit_bytes ? run->limit_bytes : device ? strtoll(device, NULL, 10) : 0;

	/* Of the CPU's memory, which is nobody's device, as much as there is. */
	if (limit <= 0 || (!run->limit_bytes && !is_gpu(run->in.run)))
		return true;
	*(run->limit_bytes || by ? &all->asked : &all->plain) += 1;
	if (by && !strcmp(by, "frames"))
		take_found(run, all, limit);
	for (size_t i = 0; i < run->in.trials->n; i++) {
		const struct sb_trial *t = &run->in.trials->v[i];
		struct place *p =
		        t->arm >= 0 && t->arm < run->in.run->n_arms ? place_of(all, run, t->arm, limit) : NULL;

		if (!p)
			continue;
		p->asked |= run->limit_bytes > 0;
		take_trial(run, t, p);
	}
	return true;
}

static int by_arm_and_limit(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int c = strcmp(x->arm, y->arm);

	return c ? c : x->limit_bytes < y->limit_bytes ? -1 : x->limit_bytes > y->limit_bytes;
}

/*
 * Where nothing was too large, what fitted is only the least that fits. That says something where it is more than
 * already fits into less memory, and of an arm whose limits are known, unless no arm's are; and nothing of a run that
 * had the whole device because nobody asked for less. Sorted by arm and limit.
 */
static void drop_what_says_nothing(struct places *all)
{
	bool any = false;

	for (int i = 0; i < all->n; i++)
		any |= all->v[i].too_large != 0;
	for (int first = 0, end; first < all->n; first = end) {
		bool known = false;
		int most = 0;

		for (end = first; end < all->n && !strcmp(all->v[end].arm, all->v[first].arm); end++)
			known |= all->v[end].too_large != 0;
		for (int i = first; i < end; i++) {
			struct place *v = &all->v[i];

			v->dropped = !v->too_large && (!v->asked || (any && !known) || v->fitted <= most);
			most = v->fitted > most ? v->fitted : most;
		}
	}
	for (int i = 0, n = all->n; i < n; i++) {
		if (!i)
			all->n = 0;
		if (!all->v[i].dropped)
			all->v[all->n++] = all->v[i];
	}
}

static int limits_in(const struct places *all)
{
	int n = 0;

	for (int i = 0; i < all->n; i++) {
		bool known = false;

		for (int k = 0; k < i; k++)
			known |= all->v[k].limit_bytes == all->v[i].limit_bytes;
		n += !known;
	}
	return n;
}

static void write_places(struct sb_plot *p, struct places *all)
{
	int arms = 0, most = 0, runs = all->asked;
	bool plain = false;
	double limit = 0, least = HUGE_VAL;

	sb_buf_puts(&p->data,
	        "# a block an arm; columns: memory of the device (GiB), frames that fitted, frames that did not, "
	        "frames that fitted where none was too many\n");
	sb_plot_key(p, all->n);
	for (int i = 0; i < all->n; i++) {
		const struct place *v = &all->v[i];

		if (!i || strcmp(v->arm, v[-1].arm) != 0) {
			sb_buf_puts(&p->data, i ? "\n\n" : "");
			sb_plot_key_row(p, ++arms, v->arm, v->look);
		}
		sb_buf_addf(&p->data, "%.6g", (double)v->limit_bytes / GIB);
		sb_plot_number(&p->data, v->fitted && v->too_large ? (double)v->fitted : NAN);
		sb_plot_number(&p->data, v->too_large ? (double)v->too_large : NAN);
		sb_plot_number(&p->data, v->too_large ? NAN : (double)v->fitted);
		sb_buf_puts(&p->data, "\n");
		plain |= !v->asked;
		limit = fmax(limit, (double)v->limit_bytes / GIB);
		least = fmin(least, (double)v->limit_bytes / GIB);
		most = v->fitted > most ? v->fitted : most;
		most = v->too_large > most ? v->too_large : most;
	}
	sb_plot_count(p, "arms", arms);
	sb_plot_set(p, "max_memory", limit);
	sb_plot_set(p, "least_memory", least);
	sb_plot_set(p, "max_frames", 1.12 * most);
	sb_plot_count(p, "width", 900);
	sb_plot_count(p, "height", 440);
	runs += plain ? all->plain : 0;
	p->n_trials = (size_t)runs;
	p->n_what = "runs";
	sb_buf_addf(&p->caption,
	        "From %d runs of this case under several limits of device memory, cameras and iterations apart: the "
	        "most frames that fitted (marks, joined) and the fewest that did not (crosses above); what lies "
	        "between was not tried. Arrows, not "
	        "joined: nothing that was tried was too large; where no more fitted than under a smaller limit it is "
	        "left out.",
	        runs);
}

bool sb_plot_capacity(struct sb_plot *p)
{
	struct places *all = calloc(1, sizeof(*all));
	struct sb_error err = { .msg = "" };
	bool made = false;

	p->data.failed |= !all;
	if (!all)
		return false;
	if (!p->in->store)
		sb_plot_why(p, "the database is not open");
	else if (sb_like_runs(p->in, take_run, all, &err))
		sb_plot_why(p, "%s", err.msg);
	qsort(all->v, (size_t)all->n, sizeof(*all->v), by_arm_and_limit);
	drop_what_says_nothing(all);
	if (p->why.len)
		made = false;
	else if (limits_in(all) < 2)
		sb_plot_why(p,
		        "the database has not two runs of this case under different limits of device memory ('spabench "
		        "capacity --db FILE --vram-limit SIZE')");
	else
		made = true;
	if (made)
		write_places(p, all);
	free(all);
	return made;
}
