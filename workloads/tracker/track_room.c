/* The plan of a clip's tracking: what is refused, and the host memory of a pass. */
#include "track_room.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Stage changes of a pass that are not the tracker's (front end, preparation). */
#define OTHER_STAGES 32
/* Of a window, and of one iteration of it. */
#define WINDOW_STAGES    4
#define ITERATION_STAGES 7

int64_t sb_track_windows(int64_t frames, int64_t window, int64_t overlap)
{
	int64_t step = window - overlap;

	return frames <= window ? 1 : (frames - window + step) / step + 1;
}

/* ---- what is refused ----------------------------------------------------------------------------------------- */

static enum sb_status check_windows(const struct sb_track_plan *p, struct sb_error *err)
{
	int64_t windows;

	if (p->frames < 3)
		return sb_fail(err, SB_E_USAGE, "the tracker needs at least 3 frames, not %" PRId64, p->frames);
	if (p->window < 3)
		return sb_fail(err, SB_E_USAGE, "a window of %" PRId64 " frames is too short; at least 3", p->window);
	if (p->frames > p->window && (p->overlap < 1 || p->overlap >= p->window))
		return sb_fail(err, SB_E_USAGE,
		        "windows of %" PRId64 " frames cannot overlap by %" PRId64 "; from 1 to %" PRId64, p->window,
		        p->overlap, p->window - 1);
	if (p->frames > SB_TRACK_WINDOW_MAX && p->window > SB_TRACK_WINDOW_MAX)
		return sb_fail(err, SB_E_USAGE, "a window of %" PRId64 " frames is too long; at most %d", p->window,
		        SB_TRACK_WINDOW_MAX);
	if (p->iterations < 1)
		return sb_fail(err, SB_E_USAGE, "the tracker needs at least 1 iteration, not %" PRId64, p->iterations);
	windows = sb_track_windows(p->frames, p->window, p->overlap);
	if (windows > (SB_MARKS_MAX - OTHER_STAGES) / (WINDOW_STAGES + ITERATION_STAGES * p->iterations))
		return sb_fail(err, SB_E_USAGE,
		        "%" PRId64 " windows of %" PRId64 " iterations are too many for one pass; longer windows, a "
		        "smaller overlap or fewer frames",
		        windows, p->iterations);
	return SB_OK;
}

static enum sb_status check_points(const float *q, int64_t n, const char *what, int64_t frames,
        const struct sb_track_plan *p, struct sb_error *err)
{
	for (int64_t i = 0; i < n; i++) {
		float t = q[i * 3], x = q[i * 3 + 1], y = q[i * 3 + 2];

		if (!(t >= 0.0f && t < (float)frames) || t != floorf(t))
			return sb_fail(err, SB_E_USAGE, "%s %" PRId64 ": frame %g is none of 0 to %" PRId64, what,
			        i + 1, (double)t, frames - 1);
		if (!(x >= 0.0f && x <= (float)p->wr && y >= 0.0f && y <= (float)p->hr))
			return sb_fail(err, SB_E_USAGE,
			        "%s %" PRId64 ": (%g, %g) is outside the frame of %" PRId64 "x%" PRId64, what, i + 1,
			        (double)x, (double)y, p->wr, p->hr);
	}
	return SB_OK;
}

static enum sb_status check_support(const struct sb_track_plan *p, struct sb_error *err)
{
	int64_t windows = sb_track_windows(p->frames, p->window, p->overlap);

	if (p->keep_support && windows > 1)
		return sb_fail(err, SB_E_USAGE, "support points have results in a single window only, not in %" PRId64,
		        windows);
	if (!p->support)
		return SB_OK;
	if (p->support_sets != 1 && p->support_sets != windows)
		return sb_fail(err, SB_E_USAGE,
		        "%" PRId64 " sets of support points do not fit %" PRId64 " windows; one set, or one a window",
		        p->support_sets, windows);
	return check_points(p->support, p->support_sets * p->n_support, "support point",
	        p->frames < p->window ? p->frames : p->window, p, err);
}

static enum sb_status check_plan(const struct sb_track_plan *p, struct sb_error *err)
{
	enum sb_status status = check_windows(p, err);

	if (status)
		return status;
	if (p->n_queries < 1)
		return sb_fail(err, SB_E_USAGE, "there is no query to track; give at least one");
	if (p->n_support < 0)
		SB_BUG("%" PRId64 " support points", p->n_support);
	status = check_points(p->queries, p->n_queries, "query", p->frames, p, err);
	return status ? status : check_support(p, err);
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

void sb_track_room_close(struct sb_track_room *r)
{
	if (!r)
		return;
	void *all[] = { r->queries, r->sorted, r->until, r->support, r->column, r->follows, r->source, r->scratch,
		r->first, r->points, r->carried, r->valid, r->cam, r->k, r->drawing };
	for (size_t i = 0; i < SB_ARRAY_LEN(all); i++)
		free(all[i]);
	sb_pass_host_release(&r->host);
	free(r);
}

static void *room_for(int64_t n, size_t size)
{
	return calloc((size_t)n + 1, size);
}

static enum sb_status allocate(struct sb_track_room *r, struct sb_error *err)
{
	const struct sb_track_plan *p = &r->plan;
	int64_t n = p->n_queries, overlap = r->windows > 1 ? p->overlap : 0;
	bool draws = !p->support && p->n_support > 0;

	r->queries = room_for(n * 3, sizeof(*r->queries));
	r->sorted = room_for(n, sizeof(*r->sorted));
	r->until = room_for(r->windows, sizeof(*r->until));
	r->support = p->support ? room_for(p->support_sets * p->n_support * 3, sizeof(*r->support)) : NULL;
	r->column = room_for(n, sizeof(*r->column));
	r->follows = room_for(n, sizeof(*r->follows));
	r->source = room_for(n, sizeof(*r->source));
	r->scratch = room_for(n * 3, sizeof(*r->scratch));
	r->first = room_for(n * 3, sizeof(*r->first));
	r->points = room_for((n + p->n_support) * 3, sizeof(*r->points));
	r->carried = room_for(n * overlap * 6, sizeof(*r->carried));
	r->valid = room_for(r->length * p->hr * p->wr, sizeof(*r->valid));
	r->cam = room_for(r->length * 16, sizeof(*r->cam));
	r->k = room_for(r->length * 9, sizeof(*r->k));
	r->drawing = draws ? room_for(1, sizeof(*r->drawing)) : NULL;
	if (!r->queries || !r->sorted || !r->until || (p->support && !r->support) || !r->column || !r->follows ||
	        !r->source || !r->scratch || !r->first || !r->points || !r->carried || !r->valid || !r->cam || !r->k ||
	        (draws && !r->drawing))
		return sb_fail(err, SB_E_NOMEM, "no memory to track %" PRId64 " points over %" PRId64 " frames",
		        n + p->n_support, p->frames);
	return sb_pass_host_open(n + p->n_support, r->length, p->cameras, p->planted, p->frames, &r->host, err);
}

/* Queries by frame, and how many of them each window has. */
static enum sb_status arrange(struct sb_track_room *r, struct sb_error *err)
{
	const struct sb_track_plan *p = &r->plan;
	int64_t i = 0;
	enum sb_status status = sb_queries_order(p->queries, p->n_queries, r->sorted, err);

	if (status)
		return status;
	for (int64_t n = 0; n < p->n_queries; n++)
		memcpy(r->queries + n * 3, p->queries + (int64_t)r->sorted[n] * 3, 3 * sizeof(float));
	for (int64_t w = 0; w < r->windows; w++) {
		while (i < p->n_queries && r->queries[i * 3] < (float)(w * r->step + r->length))
			i++;
		r->until[w] = i;
	}
	if (p->support)
		memcpy(r->support, p->support, (size_t)(p->support_sets * p->n_support) * 3 * sizeof(float));
	if (r->until[0] + p->n_support < 2)
		return sb_fail(err, SB_E_USAGE,
		        "the tracker needs at least 2 points, and its first window has %" PRId64
		        "; more queries there, or support points",
		        r->until[0] + p->n_support);
	return SB_OK;
}

enum sb_status sb_track_room_open(const struct sb_track_plan *plan, struct sb_track_room **out, struct sb_error *err)
{
	enum sb_status status = check_plan(plan, err);
	struct sb_track_room *r;

	if (status)
		return status;
	r = calloc(1, sizeof(*r));
	if (!r)
		return sb_fail(err, SB_E_NOMEM, "no memory for the tracker's plan");
	r->plan = *plan;
	r->windows = sb_track_windows(plan->frames, plan->window, plan->overlap);
	r->step = plan->window - plan->overlap;
	r->length = plan->frames < plan->window ? plan->frames : plan->window;
	r->info = (struct sb_track_video_info){ .windows = r->windows, .ba.outcome = SB_BA_SKIPPED };
	status = allocate(r, err);
	if (!status)
		status = arrange(r, err);
	r->plan.queries = r->queries; /* the caller's may go now */
	r->plan.support = r->support;
	r->info.follows = r->follows;
	if (status)
		sb_track_room_close(r);
	else
		*out = r;
	return status;
}

int64_t sb_track_room_tracks(const struct sb_track_room *r)
{
	return r->plan.n_queries + (r->plan.keep_support ? r->plan.n_support : 0);
}

const struct sb_track_video_info *sb_track_video_info(const struct sb_track_room *r)
{
	return &r->info;
}
