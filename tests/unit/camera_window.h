/*
 * Planted tracks of a window: points that stand still, seen by known cameras, and some that move. For tests of the
 * cameras.
 */
#ifndef SB_CAMERA_WINDOW_H
#define SB_CAMERA_WINDOW_H

#include <stdlib.h>
#include <string.h>

#include "ba_scene.h"
#include "kernel_check.h"
#include "sb_camera_chain.h"

#define HR 336
#define WR 588
#define FX 0.875f
#define FY 1.125f

#define SURE 200.0f /* a logit whose sigmoid is 1, of its negative 0 in float */

struct window {
	struct sb_camera_state s;
	float *points, *px, *vis, *conf, *dyn, *pro, *query, *z0, *u0, *cam, *k;
	float *true_cam; /* [frames, 4, 4] */
};

/* World to camera, as c2w is rigid. */
static inline void into_camera(const float *c2w, const double x[3], float out[3])
{
	for (int i = 0; i < 3; i++) {
		double sum = 0.0;

		for (int j = 0; j < 3; j++)
			sum += (double)c2w[j * 4 + i] * (x[j] - (double)c2w[j * 4 + 3]);
		out[i] = (float)sum;
	}
}

static inline struct window window_room(int64_t queries, int64_t support, int64_t frames)
{
	int64_t n = queries + support;
	struct window w = { .points = kc_poisoned(n * frames * 3),
		.px = kc_poisoned(n * frames * 2),
		.vis = kc_poisoned(n * frames),
		.conf = kc_poisoned(n * frames),
		.dyn = kc_poisoned(n * frames),
		.pro = kc_poisoned(n * frames),
		.query = kc_poisoned(n * 3),
		.z0 = kc_poisoned(n),
		.u0 = kc_poisoned(n),
		.cam = kc_poisoned(frames * 16),
		.k = kc_poisoned(frames * 9),
		.true_cam = kc_poisoned(frames * 16) };

	w.s = (struct sb_camera_state){ .tracks = n,
		.queries = queries,
		.frames = frames,
		.height = HR,
		.width = WR,
		.fx = FX,
		.fy = FY,
		.points = w.points,
		.px = w.px,
		.vis = w.vis,
		.conf = w.conf,
		.dyn = w.dyn,
		.pro = w.pro,
		.query = w.query,
		.z0 = w.z0,
		.u0 = w.u0,
		.cam = w.cam,
		.k = w.k };
	return w;
}

/* Every third support point and every second query moves, and says so. All are visible; the cameras start shaken. */
static inline struct window window_new(int64_t queries, int64_t support, int64_t frames, double shake)
{
	struct window w = window_room(queries, support, frames);
	uint64_t seed = 11;

	for (int64_t t = 0; t < frames; t++) {
		static const float k[9] = { 450, 0, 294, 0, 440, 168, 0, 0, 1 };
		double m[16];
		struct sb_pose p;
		struct sb_error err;

		ba_orbit(0.3 * (double)t / (double)(frames > 1 ? frames - 1 : 1), m);
		for (int i = 0; i < 16; i++)
			w.true_cam[t * 16 + i] = (float)m[i];
		if (sb_pose_of_c2w(m, &p, &err))
			SB_BUG("a planted camera that is none");
		if (t > 0)
			ba_shake(&p, 40.0 * shake, shake, &seed);
		sb_pose_to_c2w(&p, m);
		for (int i = 0; i < 16; i++)
			w.cam[t * 16 + i] = (float)m[i];
		memcpy(w.k + t * 9, k, sizeof(k));
	}
	for (int64_t n = 0; n < w.s.tracks; n++) {
		int moves = n < queries ? n % 2 == 1 : n % 3 == 0;
		int64_t tq = n < queries ? 0 : frames - 1;
		double x[3] = { 4.0 * sb_random_unit(&seed) - 2.0, 2.0 * sb_random_unit(&seed) - 1.0,
			4.0 + 3.0 * sb_random_unit(&seed) };

		for (int64_t t = 0; t < frames; t++) {
			int64_t at = n * frames + t;
			double there[3] = { x[0] + moves * 0.1 * (double)t, x[1], x[2] - moves * 0.05 * (double)t };
			float *a = w.points + at * 3;

			into_camera(w.true_cam + t * 16, there, a);
			w.px[at * 2] = 450.0f * a[0] / a[2] + 294.0f;
			w.px[at * 2 + 1] =
			        450.0f * a[1] / a[2] + 168.0f; /* the bundle adjustment's camera: f for y too */
			w.vis[at] = w.conf[at] = SURE;
			w.dyn[at] = w.pro[at] = moves ? SURE : -SURE;
		}
		w.query[n * 3] = (float)tq;
		w.query[n * 3 + 1] = FX * w.px[(n * frames + tq) * 2];
		w.query[n * 3 + 2] = FY * w.px[(n * frames + tq) * 2 + 1];
		w.z0[n] = w.points[(n * frames + tq) * 3 + 2];
		w.u0[n] = 1.0f;
	}
	return w;
}

static inline void window_free(struct window *w)
{
	float *all[] = { w->points, w->px, w->vis, w->conf, w->dyn, w->pro, w->query, w->z0, w->u0, w->cam, w->k,
		w->true_cam };

	for (size_t i = 0; i < SB_ARRAY_LEN(all); i++)
		free(all[i]);
}

#endif
