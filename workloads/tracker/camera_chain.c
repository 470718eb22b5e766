#include "sb_camera_chain.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CONFIDENT     0.5  /* weight from which a point of a frame is an observation */
#define STATIC_BELOW  0.5  /* mean dynamic probability */
#define SEGMENT_MIN   50.0 /* sum of a segment's weights below which each is raised .. */
#define SEGMENT_FLOOR 0.05 /* .. to at least this */
#define COUNT_EPS     1e-6 /* keeps the mean over no frame at all finite */

struct ranked {
	double distance;
	int64_t track;
};

struct sb_camera_chain {
	int64_t max_tracks, max_frames;
	const struct sb_camera_state *in;
	int segments, keys[SB_CAMERA_SEGMENTS + 1];
	float *weight;         /* w [tracks, frames] = visible x confident x inside */
	double *dynamic;       /* [tracks] mean over t; 1 for the user's */
	float *world;          /* C A [tracks, frames, 3] */
	float *segment;        /* [SB_CAMERA_SEGMENTS, tracks] weights of the Procrustes problems */
	float *motion;         /* [SB_CAMERA_SEGMENTS, frames, 4, 4] E_f of the segment's frames */
	double *cam;           /* C_init [frames, 4, 4] */
	struct ranked *ranked; /* [tracks] */
	double *xyz;           /* [tracks, 3] of the ranked, then of the static ones */
	float *seen;           /* [SB_CAMERA_STATIC_MAX, frames, 2] */
	double *intrinsics;    /* [frames, 3] */
	struct sb_pose *pose;  /* [frames] */
	int64_t n_static;
	bool any_depth; /* without one that can be used the points are nowhere, and cameras stay */
	struct sb_ba *ba;
};

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- memory ------------------------------------------------------------------------------------------------- */

void sb_camera_chain_close(struct sb_camera_chain *c)
{
	if (!c)
		return;
	free(c->weight);
	free(c->dynamic);
	free(c->world);
	free(c->segment);
	free(c->motion);
	free(c->cam);
	free(c->ranked);
	free(c->xyz);
	free(c->seen);
	free(c->intrinsics);
	free(c->pose);
	sb_ba_close(c->ba);
	free(c);
}

static void *room(int64_t n, size_t size)
{
	return calloc((size_t)n + 1, size);
}

enum sb_status sb_camera_chain_open(int64_t tracks, int64_t frames, struct sb_camera_chain **out, struct sb_error *err)
{
	struct sb_camera_chain *c = calloc(1, sizeof(*c));
	int64_t most = min64(tracks, SB_CAMERA_STATIC_MAX);
	enum sb_status status;

	if (tracks < 0 || frames < 1)
		SB_BUG("cameras of %" PRId64 " tracks, %" PRId64 " frames", tracks, frames);
	if (!c)
		return sb_fail(err, SB_E_NOMEM, "out of memory for the cameras of a window");
	c->max_tracks = tracks;
	c->max_frames = frames;
	c->weight = room(tracks * frames, sizeof(*c->weight));
	c->dynamic = room(tracks, sizeof(*c->dynamic));
	c->world = room(tracks * frames * 3, sizeof(*c->world));
	c->segment = room(SB_CAMERA_SEGMENTS * tracks, sizeof(*c->segment));
	c->motion = room(SB_CAMERA_SEGMENTS * frames * 16, sizeof(*c->motion));
	c->cam = room(frames * 16, sizeof(*c->cam));
	c->ranked = room(tracks, sizeof(*c->ranked));
	c->xyz = room(tracks * 3, sizeof(*c->xyz));
	c->seen = room(most * frames * 2, sizeof(*c->seen));
	c->intrinsics = room(frames * 3, sizeof(*c->intrinsics));
	c->pose = room(frames, sizeof(*c->pose));
	if (!c->weight || !c->dynamic || !c->world || !c->segment || !c->motion || !c->cam || !c->ranked || !c->xyz ||
	        !c->seen || !c->intrinsics || !c->pose) {
		sb_camera_chain_close(c);
		return sb_fail(err, SB_E_NOMEM,
		        "out of memory for the cameras of %" PRId64 " tracks over %" PRId64 " frames", tracks, frames);
	}
	status = sb_ba_open(frames, most, &c->ba, err);
	if (status) {
		sb_camera_chain_close(c);
		return status;
	}
	*out = c;
	return SB_OK;
}

/* ---- weights, key frames ------------------------------------------------------------------------------------ */

static double sigmoid(float x)
{
	return 1.0 / (1.0 + exp(-(double)x));
}

static double finite_or_0(double x)
{
	return isfinite(x) ? x : 0.0;
}

/* out = m x, the upper three rows of a [4, 4]. */
static void transform(const float *m, const float *x, float *out)
{
	for (int i = 0; i < 3; i++)
		out[i] = (float)((double)m[i * 4] * x[0] + (double)m[i * 4 + 1] * x[1] + (double)m[i * 4 + 2] * x[2] +
		                 (double)m[i * 4 + 3]);
}

static void weigh_track(struct sb_camera_chain *c, int64_t n)
{
	const struct sb_camera_state *in = c->in;
	double dynamic = 0.0;

	for (int64_t t = 0; t < in->frames; t++) {
		int64_t at = n * in->frames + t;
		const float *px = in->px + at * 2;
		int inside = px[0] > 0.0f && px[0] < (float)in->width && px[1] > 0.0f && px[1] < (float)in->height;

		c->weight[at] = inside ? (float)finite_or_0(sigmoid(in->conf[at]) * sigmoid(in->vis[at])) : 0.0f;
		dynamic += sigmoid(in->dyn[at]) * sigmoid(in->pro[at]);
		transform(in->cam + t * 16, in->points + at * 3, c->world + at * 3);
	}
	c->dynamic[n] = n < in->queries ? 1.0 : dynamic / (double)in->frames;
	if (!isfinite(c->dynamic[n]))
		c->dynamic[n] = 1.0; /* not known to stand still */
}

/* cov[a, b] = sum over tracks of w[a] w[b] */
static double covisible(const struct sb_camera_chain *c, int64_t a, int64_t b)
{
	double sum = 0.0;

	for (int64_t n = 0; n < c->in->tracks; n++)
		sum += (double)c->weight[n * c->in->frames + a] * c->weight[n * c->in->frames + b];
	return sum;
}

/* The middle key frame: the one whose larger covisibility with the first and the last frame is least; the first such.
 */
static int middle_frame(const struct sb_camera_chain *c)
{
	int64_t last = c->in->frames - 1, best = 1;
	double least = INFINITY;

	for (int64_t t = 1; t < last; t++) {
		double most = fmax(covisible(c, 0, t), covisible(c, last, t));

		if (most < least) {
			least = most;
			best = t;
		}
	}
	return (int)best;
}

static void weigh_segment(struct sb_camera_chain *c, int s)
{
	const struct sb_camera_state *in = c->in;
	float *g = c->segment + s * in->tracks;
	double sum = 0.0;

	for (int64_t n = 0; n < in->tracks; n++) {
		const float *w = c->weight + n * in->frames;

		g[n] = (float)finite_or_0(in->u0[n] * (1.0 - c->dynamic[n]) * w[c->keys[s]] * w[c->keys[s + 1]]);
		sum += g[n];
	}
	if (c->any_depth && sum < SEGMENT_MIN)
		for (int64_t n = 0; n < in->tracks; n++)
			g[n] = fmaxf(g[n], (float)SEGMENT_FLOOR);
}

static void identities(float *m, int64_t n)
{
	for (int64_t i = 0; i < n * 16; i++)
		m[i] = i % 16 % 5 == 0;
}

int sb_camera_chain_begin(struct sb_camera_chain *c, const struct sb_camera_state *state)
{
	int last = (int)state->frames - 1;

	if (state->frames < 1 || state->frames > c->max_frames || state->tracks < 0 || state->tracks > c->max_tracks)
		SB_BUG("cameras of %" PRId64 " tracks, %" PRId64 " frames in room for %" PRId64 ", %" PRId64,
		        state->tracks, state->frames, c->max_tracks, c->max_frames);
	c->in = state;
	c->any_depth = false;
	for (int64_t n = 0; n < state->tracks; n++) {
		weigh_track(c, n);
		c->any_depth |= state->u0[n] > 0.0f;
	}
	c->segments = last < 2 ? last : SB_CAMERA_SEGMENTS;
	for (int i = 0; i <= SB_CAMERA_SEGMENTS; i++)
		c->keys[i] = i == 0 ? 0 : last;
	if (c->segments == 2)
		c->keys[1] = middle_frame(c);
	for (int s = 0; s < c->segments; s++)
		weigh_segment(c, s);
	identities(c->motion, SB_CAMERA_SEGMENTS * state->frames);
	return c->segments;
}

struct sb_procrustes_args sb_camera_chain_segment(struct sb_camera_chain *c, int s)
{
	int64_t from = c->keys[s], frames = c->in->frames;

	return (struct sb_procrustes_args){
		.x = c->world + from * 3,
		.y = c->world + from * 3,
		.w = c->segment + s * c->in->tracks,
		.batch = c->keys[s + 1] - from + 1,
		.points = c->in->tracks,
		.x_point = frames * 3,
		.y_batch = 3,
		.y_point = frames * 3,
		.w_point = 1,
		.motion = c->motion + (s * frames + from) * 16,
		.inverse = 1,
	};
}

/* ---- C_init ------------------------------------------------------------------------------------------------- */

/* out = a b for [4, 4] rigid or affine motions; out is neither. */
static void multiply(const double *a, const double *b, double *out)
{
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 4; j++)
			out[i * 4 + j] = a[i * 4] * b[j] + a[i * 4 + 1] * b[4 + j] + a[i * 4 + 2] * b[8 + j] +
			                 (j == 3 ? a[i * 4 + 3] : 0.0);
	for (int j = 0; j < 4; j++)
		out[12 + j] = j == 3;
}

static void widen(const float *src, double *dst, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		dst[i] = src[i];
}

/* C_init,t = base E_t C_t; base is the identity, in the second segment the first one's E at the middle key frame. */
static void chain_motions(struct sb_camera_chain *c)
{
	int64_t frames = c->in->frames;

	widen(c->in->cam, c->cam, 16);
	for (int s = 0; s < c->segments; s++)
		for (int64_t t = c->keys[s] + 1; t <= c->keys[s + 1]; t++) {
			double base[16], e[16], chained[16], cam[16];

			widen(c->motion + (s * frames + t) * 16, e, 16);
			widen(c->in->cam + t * 16, cam, 16);
			if (s > 0) {
				widen(c->motion + ((s - 1) * frames + c->keys[s]) * 16, base, 16);
				multiply(base, e, chained);
			} else {
				memcpy(chained, e, sizeof(chained));
			}
			multiply(chained, cam, c->cam + t * 16);
		}
}

/* ---- static points ------------------------------------------------------------------------------------------ */

/* C_init A of one frame. */
static void in_world(const struct sb_camera_chain *c, int64_t t, const double a[3], double out[3])
{
	const double *m = c->cam + t * 16;

	for (int i = 0; i < 3; i++)
		out[i] = m[i * 4] * a[0] + m[i * 4 + 1] * a[1] + m[i * 4 + 2] * a[2] + m[i * 4 + 3];
}

/* Mean over the frames that are observations. */
static void mean_point(const struct sb_camera_chain *c, int64_t n, double mean[3])
{
	double count = COUNT_EPS;

	mean[0] = mean[1] = mean[2] = 0.0;
	for (int64_t t = 0; t < c->in->frames; t++) {
		int64_t at = n * c->in->frames + t;
		double a[3], x[3];

		if (!(c->weight[at] > CONFIDENT))
			continue;
		widen(c->in->points + at * 3, a, 3);
		in_world(c, t, a, x);
		for (int i = 0; i < 3; i++)
			mean[i] += x[i];
		count += 1.0;
	}
	for (int i = 0; i < 3; i++)
		mean[i] /= count;
}

/* C_init z0 K^-1 (x, y, 1) at the query's own frame, K at the working resolution. K has no skew (5 of its 9 are used).
 */
static void query_point(const struct sb_camera_chain *c, int64_t n, double out[3])
{
	const struct sb_camera_state *in = c->in;
	const float *q = in->query + n * 3;
	double frame = rint((double)q[0]), z = in->z0[n], a[3];
	int64_t t = frame >= 1.0 ? (frame < (double)in->frames ? (int64_t)frame : in->frames - 1) : 0;
	const float *k = in->k + t * 9;

	a[0] = z * ((double)q[1] - (double)k[2] * in->fx) / ((double)k[0] * in->fx);
	a[1] = z * ((double)q[2] - (double)k[5] * in->fy) / ((double)k[4] * in->fy);
	a[2] = z;
	in_world(c, t, a, out);
}

/* Ascending distance; equal ones in the order of the tracks. */
static int before(const struct ranked *a, const struct ranked *b)
{
	return a->distance < b->distance || (!(b->distance < a->distance) && a->track < b->track);
}

/* Bring the k smallest of r[n] to the front, in any order (Hoare's selection; no allocation, unlike qsort). */
static void select_smallest(struct ranked *r, int64_t n, int64_t k)
{
	int64_t lo = 0, hi = n - 1;

	while (lo < hi) {
		struct ranked pivot = r[lo + (hi - lo) / 2];
		int64_t i = lo, j = hi;

		while (i <= j) {
			while (before(&r[i], &pivot))
				i++;
			while (before(&pivot, &r[j]))
				j--;
			if (i <= j) {
				struct ranked t = r[i];

				r[i++] = r[j];
				r[j--] = t;
			}
		}
		if (k - 1 <= j)
			hi = j;
		else if (k - 1 >= i)
			lo = i;
		else
			return;
	}
}

static void keep_static(struct sb_camera_chain *c, const struct ranked *r, double *xyz, float *seen)
{
	int64_t frames = c->in->frames;

	mean_point(c, r->track, xyz);
	for (int64_t t = 0; t < frames; t++) {
		int64_t at = r->track * frames + t;
		int is_seen = c->weight[at] > CONFIDENT;

		for (int i = 0; i < 2; i++)
			seen[t * 2 + i] = is_seen ? c->in->px[at * 2 + i] : NAN;
	}
}

static void pick_static(struct sb_camera_chain *c)
{
	int64_t found = 0;

	for (int64_t n = c->in->queries; c->any_depth && n < c->in->tracks; n++) {
		double mean[3], query[3], distance2 = 0.0;

		if (!(c->dynamic[n] < STATIC_BELOW))
			continue;
		mean_point(c, n, mean);
		query_point(c, n, query);
		for (int i = 0; i < 3; i++)
			distance2 += (mean[i] - query[i]) * (mean[i] - query[i]);
		if (isfinite(distance2))
			c->ranked[found++] = (struct ranked){ sqrt(distance2), n };
	}
	c->n_static = min64(found, SB_CAMERA_STATIC_MAX);
	select_smallest(c->ranked, found, c->n_static);
	for (int64_t i = 0; i < c->n_static; i++)
		keep_static(c, &c->ranked[i], c->xyz + i * 3, c->seen + i * c->in->frames * 2);
}

void sb_camera_chain_finish(struct sb_camera_chain *c, float *cam_init, struct sb_camera_result *result)
{
	int64_t frames = c->in->frames;

	chain_motions(c);
	pick_static(c);
	for (int64_t t = 0; t < frames; t++) {
		const float *k = c->in->k + t * 9;

		c->intrinsics[t * 3] = k[0];
		c->intrinsics[t * 3 + 1] = k[2];
		c->intrinsics[t * 3 + 2] = k[5];
	}
	for (int64_t i = 0; i < frames * 16; i++)
		cam_init[i] = (float)c->cam[i];
	*result = (struct sb_camera_result){ .n_static = c->n_static, .ba = { .outcome = SB_BA_SKIPPED } };
	memcpy(result->keys, c->keys, sizeof(result->keys));
}

/* ---- bundle adjustment -------------------------------------------------------------------------------------- */

void sb_camera_chain_bundle(struct sb_camera_chain *c, const struct sb_ba_options *options, float *cam, float *k,
        struct sb_camera_result *result)
{
	int64_t frames = c->in->frames;
	struct sb_ba_problem problem = { .frames = frames,
		.points = c->n_static,
		.seen = c->seen,
		.intrinsics = c->intrinsics,
		.pose = c->pose,
		.xyz = c->xyz };

	for (int64_t t = 0; t < frames; t++)
		if (sb_pose_of_c2w(c->cam + t * 16, &c->pose[t], NULL))
			return;
	sb_ba_solve(c->ba, &problem, options, &result->ba);
	if (result->ba.outcome == SB_BA_SKIPPED)
		return;
	for (int64_t t = 0; t < frames; t++) {
		double m[16];

		sb_pose_to_c2w(&c->pose[t], m);
		for (int i = 0; i < 16; i++)
			cam[t * 16 + i] = (float)m[i];
		k[t * 9 + 4] = k[t * 9];
	}
}

void sb_camera_chain_run(struct sb_camera_chain *c, const struct sb_camera_state *state,
        const struct sb_ba_options *options, float *cam, float *k, struct sb_camera_result *result)
{
	int segments = sb_camera_chain_begin(c, state);

	for (int s = 0; s < segments; s++) {
		struct sb_procrustes_args args = sb_camera_chain_segment(c, s);

		sb_procrustes_cpu(&args);
	}
	sb_camera_chain_finish(c, cam, result);
	if (options)
		sb_camera_chain_bundle(c, options, cam, k, result);
}
