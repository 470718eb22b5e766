/* A clip in windows (2.4 to 2.6): which points each has, what the host carries between them, results put together. */
#include "prepare.h"
#include "track_room.h"

#include <math.h>
#include <string.h>

struct video {
	struct sb_backend *be;
	const struct sb_track_net *net;
	struct sb_track_room *room;
	const struct sb_track_clip *clip;
	struct sb_track_outputs *out;
	const struct sb_front_tap *tap;
	struct sb_error *err;
	struct sb_carry carry;
	uint64_t random;
};

/* Frames of the clip that window w has. */
static int64_t real_frames(const struct sb_track_room *r, int64_t w)
{
	int64_t left = r->plan.frames - w * r->step;

	return left < r->length ? left : r->length;
}

/* ---- the window's points ------------------------------------------------------------------------------------- */

/* `valid` of the window on the host, all frames of it. */
static enum sb_status download_valid(struct video *v, int64_t w, struct sb_valid_map *map)
{
	struct sb_track_room *r = v->room;
	int64_t pixels = r->plan.hr * r->plan.wr, real = real_frames(r, w);
	struct sb_transfer_args a = { r->valid, v->clip->valid + w * r->step * pixels,
		(size_t)(real * pixels) * sizeof(float) };

	SB_TRY(SB_SUBMIT(v->be, DOWNLOAD, download, a, v->err));
	SB_TRY(sb_backend_arrived(v->be, r->valid, a.bytes, v->err));
	for (int64_t t = real; t < r->length; t++)
		memcpy(r->valid + t * pixels, r->valid + (real - 1) * pixels, (size_t)pixels * sizeof(float));
	*map = (struct sb_valid_map){ r->valid, r->length, r->plan.hr, r->plan.wr };
	return SB_OK;
}

/*
 * Queries that are not valid: their columns get the tracks of the copies that stand in for them, which the replacement
 * put behind the others.
 */
static void replace_queries(struct video *v, const struct sb_valid_map *map)
{
	struct sb_track_room *r = v->room;
	int64_t n = r->until[0], kept, place;

	r->info.replaced = sb_queries_replace(map, r->first, n, &v->random, r->source, r->scratch);
	if (r->info.replaced <= 0)
		return;
	kept = n - r->info.replaced;
	place = kept;
	for (int64_t i = 0, next = 0; i < n; i++) {
		if (next < kept && r->source[next] == i) {
			r->column[next++] = r->sorted[i];
			continue;
		}
		r->column[place] = r->sorted[i];
		r->follows[r->sorted[i]] = r->sorted[r->source[place]];
		place++;
	}
}

int64_t sb_track_seed_frame(const float *vis, const float *conf, int64_t frames)
{
	float most = -INFINITY;
	int64_t best = 0;

	for (int64_t t = 0; t < frames; t++) {
		float seen = vis[t] * conf[t];

		if (seen > most) {
			most = seen;
			best = t;
		}
	}
	return best;
}

void sb_track_carry(struct sb_track_room *r, const struct sb_track_outputs *out, int64_t w, int64_t n)
{
	int64_t overlap = r->plan.overlap, search = overlap < r->step ? overlap : r->step;

	for (int64_t i = 0; i < n; i++) {
		int64_t at = (int64_t)r->column[i] * r->plan.frames + w * r->step;
		int64_t seed = sb_track_seed_frame(out->vis + at, out->conf + at, search);
		float *c = r->carried + i * overlap * 6, *q = r->points + i * 3;

		for (int64_t t = 0; t < overlap; t++) {
			memcpy(c + t * 6, out->xyz2 + (at + t) * 3, 3 * sizeof(float));
			memcpy(c + t * 6 + 3, out->xyz3 + (at + t) * 6, 3 * sizeof(float));
		}
		q[0] = (float)seed;
		q[1] = c[seed * 6];
		q[2] = c[seed * 6 + 1];
	}
}

/* Fills room->points: carried, new, support. */
static enum sb_status window_points(struct video *v, int64_t w)
{
	struct sb_track_room *r = v->room;
	const struct sb_track_plan *plan = &r->plan;
	int64_t old = w ? r->until[w - 1] : 0, n = r->until[w];
	float *support = r->points + n * 3;
	struct sb_valid_map map;

	if (r->drawing || (!w && n))
		SB_TRY(download_valid(v, w, &map));
	if (!w && n)
		replace_queries(v, &map);
	sb_track_carry(r, v->out, w, old);
	for (int64_t i = old; i < n; i++) {
		memcpy(r->points + i * 3, r->first + i * 3, 3 * sizeof(float));
		r->points[i * 3] -= (float)(w * r->step);
	}
	if (r->drawing)
		sb_support_points(&map, plan->n_support, &v->random, r->drawing, support);
	else if (plan->n_support)
		memcpy(support, r->support + (plan->support_sets > 1 ? w : 0) * plan->n_support * 3,
		        (size_t)plan->n_support * 3 * sizeof(float));
	return SB_OK;
}

/* ---- cameras ------------------------------------------------------------------------------------------------- */

/* out = a b, [4, 4]. */
static void multiply(const float *a, const float *b, float *out)
{
	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 4; j++) {
			double sum = 0.0;

			for (int k = 0; k < 4; k++)
				sum += (double)a[i * 4 + k] * (double)b[k * 4 + j];
			out[i * 4 + j] = (float)sum;
		}
	}
}

/* Cameras relative to the window's first frame, intrinsics, both repeated behind the clip's end. */
static void window_cameras(struct video *v, int64_t w)
{
	struct sb_track_room *r = v->room;
	int64_t first = w * r->step, real = real_frames(r, w);
	const float *cam = v->clip->cam + first * 16;

	if (w)
		sb_relative_cameras(cam, real, r->cam);
	else
		memcpy(r->cam, cam, (size_t)real * 16 * sizeof(float));
	memcpy(r->k, v->clip->k + first * 9, (size_t)real * 9 * sizeof(float));
	for (int64_t t = real; t < r->length; t++) {
		memcpy(r->cam + t * 16, r->cam + (real - 1) * 16, 16 * sizeof(float));
		memcpy(r->k + t * 9, r->k + (real - 1) * 9, 9 * sizeof(float));
	}
}

/* The window's cameras into the clip's: behind the one that the window before gave its first frame. */
static void chain_cameras(struct video *v, int64_t w)
{
	struct sb_track_room *r = v->room;
	int64_t first = w * r->step, real = real_frames(r, w);
	float *out = v->out->c2w + first * 16;
	float base[16];

	memcpy(v->out->k + first * 9, r->host.k, (size_t)real * 9 * sizeof(float));
	if (r->plan.cameras == SB_CAMERAS_FIXED) {
		memcpy(out, v->clip->cam + first * 16, (size_t)real * 16 * sizeof(float));
		return;
	}
	if (!w) {
		memcpy(out, r->host.cam, (size_t)real * 16 * sizeof(float));
		return;
	}
	memcpy(base, out, sizeof(base));
	for (int64_t t = 0; t < real; t++)
		multiply(base, r->host.cam + t * 16, out + t * 16);
}

/* ---- a window ------------------------------------------------------------------------------------------------ */

static void scatter(struct video *v, const struct sb_pass *p, int64_t w)
{
	struct sb_track_room *r = v->room;
	struct sb_block b = sb_pass_block(p);
	struct sb_track_outputs *out = v->out;
	size_t run = (size_t)real_frames(r, w) * sizeof(float);

	for (int64_t i = 0; i < p->in->keep; i++) {
		int64_t column = i < p->in->n_queries ? r->column[i] : r->plan.n_queries + i - p->in->n_queries;
		int64_t to = column * r->plan.frames + w * r->step, from = i * p->t;

		memcpy(out->xyz2 + to * 3, b.xyz2 + from * 3, 3 * run);
		memcpy(out->xyz3 + to * 6, b.xyz3 + from * 6, 6 * run);
		memcpy(out->vis + to, b.vis + from, run);
		memcpy(out->conf + to, b.conf + from, run);
		memcpy(out->dyn + to, b.dyn + from, run);
	}
	chain_cameras(v, w);
	if (r->plan.cameras != SB_CAMERAS_FIXED) {
		r->info.n_static = r->host.cameras.n_static;
		r->info.ba = r->host.cameras.ba;
	}
}

static enum sb_status run_window(struct video *v, int64_t w)
{
	struct sb_track_room *r = v->room;
	const struct sb_track_plan *plan = &r->plan;
	int64_t first = w * r->step, pixels = plan->hr * plan->wr;
	struct sb_window in = { .video = v->clip->video + first * plan->h * plan->w * 3,
		.depth = v->clip->depth + first * pixels,
		.valid = v->clip->valid + first * pixels,
		.h = plan->h,
		.w = plan->w,
		.hr = plan->hr,
		.wr = plan->wr,
		.frames = r->length,
		.real = real_frames(r, w),
		.cam = r->cam,
		.k = r->k,
		.queries = r->points,
		.n_carried = w ? r->until[w - 1] : 0,
		.n_queries = r->until[w],
		.n_support = plan->n_support,
		.carried = r->carried,
		.overlap = plan->overlap,
		.last = w + 1 == r->windows,
		.keep = r->until[w] + (plan->keep_support ? plan->n_support : 0),
		.first = first,
		.iterations = plan->iterations,
		.cameras = plan->cameras };
	struct sb_pass p = { .be = v->be,
		.net = v->net,
		.in = &in,
		.host = &r->host,
		.carry = &v->carry,
		.tap = v->tap,
		.err = v->err };

	sb_backend_stage(v->be, "track.prepare");
	SB_TRY(window_points(v, w));
	window_cameras(v, w);
	SB_TRY(sb_pass_window(&p));
	scatter(v, &p, w);
	return SB_OK;
}

enum sb_status sb_track_video_run(struct sb_backend *be, const struct sb_track_net *net, struct sb_track_room *room,
        const struct sb_track_clip *clip, struct sb_track_outputs *out, const struct sb_front_tap *tap,
        struct sb_error *err)
{
	struct video v = { .be = be,
		.net = net,
		.room = room,
		.clip = clip,
		.out = out,
		.tap = tap,
		.err = err,
		.random = room->plan.seed };

	if (out->tracks != sb_track_room_tracks(room) || out->frames != room->plan.frames)
		SB_BUG("results for %lld tracks, %lld frames", (long long)out->tracks, (long long)out->frames);
	memset(out->xyz2, 0, sb_track_outputs_floats(out) * sizeof(float));
	memcpy(room->first, room->queries, (size_t)room->plan.n_queries * 3 * sizeof(float));
	memcpy(room->column, room->sorted, (size_t)room->plan.n_queries * sizeof(*room->column));
	for (int64_t i = 0; i < room->plan.n_queries; i++)
		room->follows[i] = (int32_t)i;
	room->info.replaced = 0;
	for (int64_t w = 0; w < room->windows; w++)
		SB_TRY(run_window(&v, w));
	return SB_OK;
}
