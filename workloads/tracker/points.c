#include "sb_points.h"
#include "sb_queries.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Stages that a pass enters; the device has room for SB_MARKS_MAX of them, and the front end needs a few. */
#define STAGES_OF_A_WINDOW     6
#define STAGES_OF_AN_ITERATION 7

/* Source: ARCHITECTURE section 2.6. */
static const struct mode {
	const char *name;
	int64_t window, overlap;
	int time_len;
} modes[] = {
	{ "offline", 500, 4, 60 },
	{ "online", 20, 6, 20 },
};

int64_t sb_points_grid_side(int64_t n)
{
	int64_t side = (int64_t)nearbyint(sqrt((double)n));

	return side > 1 ? side : 1;
}

static enum sb_status read_words(const struct sb_case *c, struct sb_points *p, struct sb_error *err)
{
	const struct mode *mode = NULL;

	for (size_t i = 0; i < SB_ARRAY_LEN(modes); i++)
		if (!strcmp(c->mode[0] ? c->mode : "offline", modes[i].name))
			mode = &modes[i];
	if (!mode)
		return sb_fail(err, SB_E_USAGE, "no mode '%.40s'; there are offline and online", c->mode);
	p->window = c->window ? c->window : mode->window;
	p->overlap = c->overlap ? c->overlap : mode->overlap;
	p->time_len = mode->time_len;
	return sb_cameras_parse(c->cameras[0] ? c->cameras : "ba", &p->cameras, err);
}

/* Shorter clips have one window, whose length and overlap say nothing. */
static enum sb_status count_windows(const struct sb_points_frame *f, struct sb_points *p, struct sb_error *err)
{
	p->windows = 1;
	if (f->frames <= p->window)
		return SB_OK;
	if (p->overlap >= p->window)
		return sb_fail(err, SB_E_USAGE,
		        "windows of %lld frames cannot overlap by %lld: give a smaller --overlap", (long long)p->window,
		        (long long)p->overlap);
	p->windows = sb_track_windows(f->frames, p->window, p->overlap);
	if (p->windows * (STAGES_OF_A_WINDOW + STAGES_OF_AN_ITERATION * p->iterations) > SB_MARKS_MAX - 16)
		return sb_fail(err, SB_E_USAGE,
		        "%lld windows are more than can be timed: give fewer --frames, a longer --window or a smaller "
		        "--overlap",
		        (long long)p->windows);
	return SB_OK;
}

/* From pixels of the network's size to the tracker's. */
static void to_tracker(const struct sb_points_frame *f, float *q, int64_t n)
{
	const float sx = (float)f->wr / (float)f->w, sy = (float)f->hr / (float)f->h;

	for (int64_t i = 0; i < n; i++) {
		q[i * 3 + 1] = fminf(q[i * 3 + 1] * sx, (float)(f->wr - 1));
		q[i * 3 + 2] = fminf(q[i * 3 + 2] * sy, (float)(f->hr - 1));
	}
}

static enum sb_status read_queries(const struct sb_case *c, const struct sb_preset *preset,
        const struct sb_points_frame *f, struct sb_points *p, struct sb_error *err)
{
	int64_t side = c->grid ? c->grid : sb_points_grid_side(preset->dflt.n_queries);

	if (c->queries[0])
		return sb_queries_read(c->queries, f->frames, f->h, f->w, &p->queries, &p->n_queries, err);
	p->n_queries = side * side;
	p->queries = malloc((size_t)p->n_queries * 3 * sizeof(*p->queries));
	if (!p->queries)
		return sb_fail(err, SB_E_NOMEM, "no memory for %lld queries", (long long)p->n_queries);
	sb_query_grid(side, f->h, f->w, p->queries);
	return SB_OK;
}

static enum sb_status read_support(
        const struct sb_case *c, const struct sb_points_frame *f, struct sb_points *p, struct sb_error *err)
{
	int64_t frames = f->frames < p->window ? f->frames : p->window, n;

	if (!c->support_file[0])
		return SB_OK;
	if (sb_queries_read(c->support_file, frames, f->h, f->w, &p->support, &n, err))
		return sb_wrap(err, "--support-file");
	if (c->support <= 0)
		p->n_support = n;
	if (n != p->n_support && n != p->n_support * p->windows)
		return sb_fail(err, SB_E_DATA,
		        "support points '%.200s': %lld of them, not %lld%s; leave out --support to use all of them",
		        c->support_file, (long long)n, (long long)p->n_support,
		        p->windows > 1 ? ", nor so many for each window" : "");
	p->support_sets = n / p->n_support;
	return SB_OK;
}

static uint64_t digest_of(const struct sb_case *c, const struct sb_points *p)
{
	const int64_t numbers[] = { p->n_queries, p->n_support, p->support_sets, p->iterations, p->window, p->overlap,
		p->time_len, (int64_t)p->cameras, (int64_t)c->seed };
	uint64_t h = sb_fnv1a(SB_FNV1A_INIT, numbers, sizeof(numbers));

	h = sb_fnv1a(h, p->queries, (size_t)p->n_queries * 3 * sizeof(*p->queries));
	return p->support ? sb_fnv1a(h, p->support, (size_t)(p->support_sets * p->n_support) * 3 * sizeof(float)) : h;
}

enum sb_status sb_points_read(const struct sb_case *c, const struct sb_preset *preset, const struct sb_points_frame *f,
        struct sb_points *out, struct sb_error *err)
{
	struct sb_points p = { .iterations = c->iterations ? c->iterations : preset->dflt.n_iterations };

	p.n_support = c->support < 0 ? 0 : c->support ? c->support : preset->dflt.n_support;
	if (read_words(c, &p, err) || count_windows(f, &p, err) || read_queries(c, preset, f, &p, err) ||
	        read_support(c, f, &p, err)) {
		sb_points_release(&p);
		return err->code;
	}
	to_tracker(f, p.queries, p.n_queries);
	if (p.support)
		to_tracker(f, p.support, p.support_sets * p.n_support);
	p.digest = digest_of(c, &p);
	*out = p;
	return SB_OK;
}

void sb_points_release(struct sb_points *p)
{
	free(p->queries);
	free(p->support);
	*p = (struct sb_points){ 0 };
}
