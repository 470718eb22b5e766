/*
 * track_fixture: results of a tracker worked out by hand, for tests of what is made of them. Points stand still in the
 * camera's space of a frame where (x, y, z) says, so that everything that is saved can be checked by projection.
 */
#ifndef TRACK_FIXTURE_H
#define TRACK_FIXTURE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"

#define TF_FRAMES  3
#define TF_QUERIES 4
#define TF_TRACKS  5 /* one is a support point */
#define TF_DEPTH   2.5f

struct track_fixture {
	struct sb_front_input input;
	struct sb_front_outputs front;
	struct sb_track_outputs out;
	struct sb_track_results tracks;
	struct sb_results results;
	uint8_t *rgb;
	float *depth, *valid, k[TF_FRAMES * 9], queries[TF_QUERIES * 3];
	int32_t follows[TF_QUERIES];
};

/* Sizes: of the clip, of the network, of the tracker. */
struct tf_sizes {
	int64_t clip_h, clip_w, h, w, hr, wr;
};

/* Any picture without two equal neighbours. */
static uint8_t tf_pixel(int64_t f, int64_t i)
{
	return (uint8_t)(40 + (i * 7 + f * 31) % 64);
}

static void tf_xy(const struct track_fixture *x, int64_t n, int64_t f, float *px, float *py)
{
	*px = (float)(x->tracks.wr - 1) * (0.2f + 0.15f * (float)n) + (float)f;
	*py = (float)(x->tracks.hr - 1) * (0.8f - 0.15f * (float)n) - 2.0f * (float)f;
}

static void tf_fill_tracks(struct track_fixture *x)
{
	struct sb_track_outputs *o = &x->out;

	for (int64_t n = 0; n < TF_TRACKS; n++) {
		for (int64_t f = 0; f < TF_FRAMES; f++) {
			int64_t i = n * TF_FRAMES + f;
			float *p = o->xyz2 + i * 3, *q = o->xyz3 + i * 6, z = 2.0f + (float)n, px, py;
			const float *k = o->k + f * 9;

			tf_xy(x, n, f, &px, &py);
			memcpy(p, (float[3]){ px, py, z }, 3 * sizeof(float));
			memcpy(q, (float[6]){ z * (px - k[2]) / k[0], z * (py - k[5]) / k[4], z, 10, 20, (float)n },
			        6 * sizeof(float));
			o->vis[i] = 1.0f;
			o->conf[i] = 0.25f + 0.1f * (float)n;
		}
	}
}

static void tf_fill_cameras(struct track_fixture *x)
{
	struct sb_track_outputs *o = &x->out;

	for (int64_t f = 0; f < TF_FRAMES; f++) {
		/* turned about two axes; the last is no rotation, but has an inverse */
		double a = 0.5 * (double)f, b = 0.3 * (double)f, size = f == 2 ? 2.0 : 1.0;
		const double turn[9] = { cos(a), sin(a) * sin(b), sin(a) * cos(b), 0, cos(b), -sin(b), -sin(a),
			cos(a) * sin(b), cos(a) * cos(b) };
		float c2w[16] = { [3] = (float)f, [7] = 0.5f * (float)f, [11] = -1, [15] = 1 };
		const float k[9] = { 300.0f + (float)f, 0, (float)x->tracks.wr / 2, 0, 280, (float)x->tracks.hr / 2, 0,
			0, 1 };

		for (int i = 0; i < 9; i++)
			c2w[i / 3 * 4 + i % 3] = (float)(size * turn[i]);
		memcpy(o->c2w + f * 16, c2w, sizeof(c2w));
		memcpy(o->k + f * 9, k, sizeof(k));
		memcpy(x->k + f * 9, k, sizeof(k));
		x->k[f * 9] = 250.0f; /* bundle adjustment found another */
	}
}

/* The left half of the frame cannot be used. */
static void tf_fill_maps(struct track_fixture *x)
{
	int64_t hr = x->tracks.hr, wr = x->tracks.wr, n = TF_FRAMES * hr * wr;

	x->depth = malloc((size_t)n * sizeof(float));
	x->valid = malloc((size_t)n * sizeof(float));
	assert_true(x->depth && x->valid);
	for (int64_t i = 0; i < n; i++) {
		x->depth[i] = TF_DEPTH;
		x->valid[i] = i % wr < wr / 2 ? 0.0f : 1.0f;
	}
}

static void tf_init(struct track_fixture *x, const struct tf_sizes *s)
{
	struct sb_error err;

	*x = (struct track_fixture){ .input = { .frames = TF_FRAMES, .h = s->clip_h, .w = s->clip_w } };
	x->input.geo = (struct sb_geometry){ s->h, s->w, 0, 0, s->h, s->w };
	x->rgb = malloc((size_t)(TF_FRAMES * s->clip_h * s->clip_w * 3));
	assert_non_null(x->rgb);
	for (int64_t f = 0; f < TF_FRAMES; f++)
		for (int64_t i = 0; i < s->clip_h * s->clip_w * 3; i++)
			x->rgb[f * s->clip_h * s->clip_w * 3 + i] = tf_pixel(f, i);
	x->input.rgb = x->rgb;
	assert_int_equal(sb_front_outputs_init(&x->front, TF_FRAMES, s->h, s->w, &err), SB_OK);
	assert_int_equal(sb_track_outputs_init(&x->out, TF_TRACKS, TF_FRAMES, &err), SB_OK);
	x->tracks = (struct sb_track_results){ .out = &x->out, .n_queries = TF_QUERIES, .hr = s->hr, .wr = s->wr };
	tf_fill_cameras(x);
	tf_fill_tracks(x);
	tf_fill_maps(x);
	for (int i = 0; i < TF_QUERIES; i++) {
		memcpy(x->queries + i * 3, (float[3]){ 0, 4.0f * (float)i, 8.0f }, 3 * sizeof(float));
		x->follows[i] = i == 2 ? 0 : i;
	}
	x->tracks.queries = x->queries;
	x->tracks.follows = x->follows;
	x->tracks.depth = x->depth;
	x->tracks.valid = x->valid;
	x->tracks.k = x->k;
	x->results = (struct sb_results){ .input = &x->input, .front = &x->front, .tracks = &x->tracks };
}

static void tf_release(struct track_fixture *x)
{
	sb_front_outputs_release(&x->front);
	sb_track_outputs_release(&x->out);
	free(x->rgb);
	free(x->depth);
	free(x->valid);
}

#endif
