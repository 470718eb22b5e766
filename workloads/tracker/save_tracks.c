#include "save_tracks.h"
#include "resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool sb_track_point_finite(const struct sb_track_outputs *o, int64_t track, int64_t frame)
{
	const float *a = o->xyz2 + (track * o->frames + frame) * 3, *b = o->xyz3 + (track * o->frames + frame) * 6;

	return isfinite(a[0]) && isfinite(a[1]) && isfinite(a[2]) && isfinite(b[0]) && isfinite(b[1]) && isfinite(b[2]);
}

int64_t sb_track_count_not_finite(const struct sb_track_results *t)
{
	int64_t n = 0;

	for (int64_t i = 0; i < t->n_queries; i++)
		for (int64_t f = 0; f < t->out->frames; f++)
			n += !sb_track_point_finite(t->out, i, f);
	return n;
}

void sb_affine_inverse(const float *m, float *out)
{
	double a[9], inv[9], det;

	for (int i = 0; i < 9; i++)
		a[i] = m[i / 3 * 4 + i % 3];
	for (int r = 0; r < 3; r++) { /* the adjugate: cyclic minors carry their own sign */
		for (int c = 0; c < 3; c++) {
			int r1 = (c + 1) % 3, r2 = (c + 2) % 3, c1 = (r + 1) % 3, c2 = (r + 2) % 3;

			inv[r * 3 + c] = a[r1 * 3 + c1] * a[r2 * 3 + c2] - a[r1 * 3 + c2] * a[r2 * 3 + c1];
		}
	}
	det = a[0] * inv[0] + a[1] * inv[3] + a[2] * inv[6];
	for (int r = 0; r < 3; r++) {
		double t = 0.0;

		for (int c = 0; c < 3; c++) {
			out[r * 4 + c] = (float)(inv[r * 3 + c] / det);
			t -= inv[r * 3 + c] / det * (double)m[c * 4 + 3];
		}
		out[r * 4 + 3] = (float)t;
		out[12 + r] = 0.0f;
	}
	out[15] = 1.0f;
}

void sb_track_map_resize(const struct sb_results *r, const float *map, int64_t c, float *out)
{
	sb_resize_bilinear_cpu(&(struct sb_resize_bilinear_args){ .x = map,
	        .y = out,
	        .n = 1,
	        .h = r->tracks->hr,
	        .w = r->tracks->wr,
	        .c = c,
	        .out_h = r->front->h,
	        .out_w = r->front->w });
}

/* ---- values -------------------------------------------------------------------------------------------------- */

/* Track-major in, frame-major out. */
static void transpose(const struct sb_track_results *t, const float *in, int64_t width, float *out)
{
	int64_t frames = t->out->frames;

	for (int64_t f = 0; f < frames; f++)
		for (int64_t n = 0; n < t->n_queries; n++)
			memcpy(out + (f * t->n_queries + n) * width, in + (n * frames + f) * width,
			        (size_t)width * sizeof(float));
}

struct scale {
	double x, y; /* from the tracker's pixels to the network's */
};

static struct scale scale_of(const struct sb_results *r)
{
	return (struct scale){ (double)r->front->w / (double)r->tracks->wr,
		(double)r->front->h / (double)r->tracks->hr };
}

/* x and y of n points of 3 values; x is the value before y. */
static void scale_points(const struct sb_results *r, float *points, int64_t n, int x)
{
	struct scale s = scale_of(r);

	for (int64_t i = 0; i < n; i++) {
		points[i * 3 + x] = (float)(points[i * 3 + x] * s.x);
		points[i * 3 + x + 1] = (float)(points[i * 3 + x + 1] * s.y);
	}
}

static void intrinsics(const struct sb_results *r, float *out)
{
	const struct sb_track_outputs *o = r->tracks->out;
	struct scale s = scale_of(r);

	for (int64_t i = 0; i < o->frames * 9; i++)
		out[i] = (float)(o->k[i] * (i % 9 < 3 ? s.x : i % 9 < 6 ? s.y : 1.0));
}

/* Of one frame: D K^-1 (u, v, 1), whole numbers at the centres of pixels. map [hr, wr, 3]. */
static void point_map(const struct sb_track_results *t, int64_t frame, float *map)
{
	const float *k = t->k + frame * 9, *depth = t->depth + frame * t->hr * t->wr;

	for (int64_t v = 0; v < t->hr; v++) {
		for (int64_t u = 0; u < t->wr; u++) {
			double d = depth[v * t->wr + u];
			float *p = map + (v * t->wr + u) * 3;

			p[0] = (float)(d * ((double)u - (double)k[2]) / (double)k[0]);
			p[1] = (float)(d * ((double)v - (double)k[5]) / (double)k[4]);
			p[2] = (float)d;
		}
	}
}

/* The two maps, through `work` [hr, wr, 3]. */
static void maps(const struct sb_results *r, float *work, float *points, float *valid)
{
	int64_t pixels = r->front->h * r->front->w, small = r->tracks->hr * r->tracks->wr;

	for (int64_t f = 0; f < r->tracks->out->frames; f++) {
		point_map(r->tracks, f, work);
		sb_track_map_resize(r, work, 3, points + f * pixels * 3);
		sb_track_map_resize(r, r->tracks->valid + f * small, 1, valid + f * pixels);
	}
}

/* ---- tensors ------------------------------------------------------------------------------------------------- */

static int64_t size_of(const struct sb_safetensor *t)
{
	int64_t n = 1;

	for (int i = 0; i < t->ndim; i++)
		n *= t->shape[i];
	return n;
}

/* In the order of the header's list; `v` are their places. */
static void fill(const struct sb_results *r, float *const v[SB_SAVED_TRACKS], float *work)
{
	const struct sb_track_results *t = r->tracks;
	const struct sb_track_outputs *o = t->out;

	transpose(t, o->xyz2, 3, v[0]);
	scale_points(r, v[0], o->frames * t->n_queries, 0);
	transpose(t, o->xyz3, 6, v[1]);
	transpose(t, o->vis, 1, v[2]);
	transpose(t, o->conf, 1, v[3]);
	memcpy(v[4], t->queries, (size_t)t->n_queries * 3 * sizeof(float));
	scale_points(r, v[4], t->n_queries, 1);
	for (int64_t i = 0; i < t->n_queries; i++)
		v[5][i] = (float)(t->follows ? t->follows[i] : i);
	memcpy(v[6], o->c2w, (size_t)o->frames * 16 * sizeof(float));
	for (int64_t f = 0; f < o->frames; f++)
		sb_affine_inverse(o->c2w + f * 16, v[7] + f * 16);
	intrinsics(r, v[8]);
	maps(r, work, v[9], v[10]);
}

enum sb_status sb_saved_tracks_init(struct sb_saved_tracks *t, const struct sb_results *r, struct sb_error *err)
{
	const int64_t f = r->tracks->out->frames, n = r->tracks->n_queries, h = r->front->h, w = r->front->w;
	const struct sb_safetensor list[SB_SAVED_TRACKS] = {
		{ .name = "tracks_2d", .ndim = 3, .shape = { f, n, 3 } },
		{ .name = "tracks_3d", .ndim = 3, .shape = { f, n, 6 } },
		{ .name = "tracks_visibility", .ndim = 2, .shape = { f, n } },
		{ .name = "tracks_confidence", .ndim = 2, .shape = { f, n } },
		{ .name = "tracks_queries", .ndim = 2, .shape = { n, 3 } },
		{ .name = "tracks_follows", .ndim = 1, .shape = { n } },
		{ .name = "tracks_c2w", .ndim = 3, .shape = { f, 4, 4 } },
		{ .name = "tracks_w2c", .ndim = 3, .shape = { f, 4, 4 } },
		{ .name = "tracks_intrinsics", .ndim = 3, .shape = { f, 3, 3 } },
		{ .name = "tracks_points", .ndim = 4, .shape = { f, h, w, 3 } },
		{ .name = "tracks_valid", .ndim = 3, .shape = { f, h, w } },
	};
	int64_t total = r->tracks->hr * r->tracks->wr * 3;
	float *place[SB_SAVED_TRACKS], *next;

	*t = (struct sb_saved_tracks){ .not_finite = sb_track_count_not_finite(r->tracks) };
	for (int i = 0; i < SB_SAVED_TRACKS; i++)
		total += size_of(&list[i]);
	t->block = malloc((size_t)total * sizeof(float));
	if (!t->block)
		return sb_fail(err, SB_E_NOMEM, "no memory for the results of %lld tracks", (long long)n);
	next = t->block;
	for (int i = 0; i < SB_SAVED_TRACKS; i++) {
		place[i] = next;
		next += size_of(&list[i]);
		t->v[i] = list[i];
		t->v[i].data = place[i];
	}
	fill(r, place, next);
	return SB_OK;
}

void sb_saved_tracks_release(struct sb_saved_tracks *t)
{
	free(t->block);
	*t = (struct sb_saved_tracks){ 0 };
}
