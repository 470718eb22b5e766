/*
 * Cameras of a clip in windows: each window's hang on the one before's, and a planted motion is found over all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "window_scene.h"

struct chained {
	float last[8][8 * 16]; /* C of each window after its last iteration */
	int windows, iterations, calls;
};

static void on_camera(void *ctx, const char *name, int index, const float *data, int64_t n)
{
	struct chained *c = ctx;
	float *cameras;

	if (strcmp(name, "camera.c2w") != 0)
		return;
	c->calls++;
	if (index + 1 != c->iterations)
		return;
	cameras = test_from_device(be, data, n);
	memcpy(c->last[c->windows++], cameras, (size_t)n * sizeof(float));
	free(cameras);
}

static double product_error(const float *a, const float *b, const float *want)
{
	double worst = 0.0;

	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 4; j++) {
			double sum = 0.0;

			for (int k = 0; k < 4; k++)
				sum += (double)a[i * 4 + k] * (double)b[k * 4 + j];
			worst = fmax(worst, fabs(sum - (double)want[i * 4 + j]));
		}
	}
	return worst;
}

/* Each window's cameras hang on the one that the window before gave its first frame. */
static void cameras_of_windows_are_chained(void **state)
{
	enum { T = 9, LENGTH = 5, OVERLAP = 2, STEP = 3 };
	struct scene *s = scene_new(T);
	struct sb_track_plan plan = plan_of(T, LENGTH, OVERLAP);
	struct chained c = { .iterations = 2 };
	struct sb_front_tap tap = { on_camera, &c };
	struct sb_track_outputs out;
	float base[16];
	double moved = 0.0;

	(void)state;
	plan.iterations = 2;
	plan.cameras = SB_CAMERAS_PROCRUSTES;
	out = run(&plan, s, &tap);
	assert_int_equal(c.windows, 3);
	assert_int_equal(c.calls, 6);
	assert_memory_equal(out.c2w, c.last[0], STEP * 16 * sizeof(float));
	memcpy(base, c.last[0] + STEP * 16, sizeof(base));
	for (int w = 1; w < 3; w++) {
		for (int t = 0; t < (w < 2 ? STEP : T - w * STEP); t++) {
			const float *got = out.c2w + (w * STEP + t) * 16;

			assert_true(product_error(base, c.last[w] + t * 16, got) < 1e-5);
			for (int i = 0; i < 16; i++)
				moved = fmax(moved, fabs((double)got[i] - (double)s->cam[(w * STEP + t) * 16 + i]));
		}
		if (w < 2) {
			float next[16];

			for (int i = 0; i < 16; i++) {
				double sum = 0.0;

				for (int k = 0; k < 4; k++)
					sum += (double)base[i / 4 * 4 + k] *
					       (double)c.last[w][STEP * 16 + k * 4 + i % 4];
				next[i] = (float)sum;
			}
			memcpy(base, next, sizeof(base));
		}
	}
	assert_true(moved > 1e-4); /* they are not simply those given */
	sb_track_outputs_release(&out);
	scene_free(s);
}

/* Points around the scene's centre seen by its cameras; poses start shaken. */
struct planted {
	struct sb_track_planted p;
	float *seen;
	double *xyz;
	struct sb_pose pose[FRAMES_MAX];
};

static void planted_init(struct planted *pl, const struct scene *s, int64_t points, int64_t frames)
{
	uint64_t seed = 4;

	pl->seen = floats(points * frames * 2);
	pl->xyz = malloc((size_t)points * 3 * sizeof(double));
	assert_non_null(pl->xyz);
	for (int64_t n = 0; n < points; n++)
		for (int i = 0; i < 3; i++)
			pl->xyz[n * 3 + i] = 2.0 * sb_random_unit(&seed) - 1.0 + (i == 2 ? 5.0 : 0.0);
	for (int64_t t = 0; t < frames; t++) {
		double m[16];
		struct sb_error err;

		ba_orbit(0.02 * (double)t, m);
		assert_int_equal(sb_pose_of_c2w(m, &pl->pose[t], &err), SB_OK);
		if (t)
			ba_shake(&pl->pose[t], 0.3, 0.01, &seed);
		for (int64_t n = 0; n < points; n++) {
			double x[3] = { 0, 0, 0 };

			for (int i = 0; i < 3; i++)
				for (int j = 0; j < 3; j++)
					x[i] += m[j * 4 + i] * (pl->xyz[n * 3 + j] - m[j * 4 + 3]);
			/* the bundle adjustment's camera: f for y too */
			pl->seen[(n * frames + t) * 2] = (float)((double)s->k[0] * x[0] / x[2] + (double)s->k[2]);
			pl->seen[(n * frames + t) * 2 + 1] = (float)((double)s->k[0] * x[1] / x[2] + (double)s->k[5]);
		}
	}
	pl->p = (struct sb_track_planted){ points, pl->seen, pl->xyz, pl->pose, true };
}

static void planted_cameras_are_found_over_all_windows(void **state)
{
	enum { T = 9, POINTS = 80 };
	struct scene *s = scene_new(T);
	struct sb_track_plan plan = plan_of(T, 5, 2);
	struct planted pl;
	struct sb_track_room *room;
	struct sb_track_outputs out;
	double worst = 0.0, turned = 0.0;

	(void)state;
	planted_init(&pl, s, POINTS, T);
	plan.cameras = SB_CAMERAS_BA;
	plan.planted = &pl.p;
	room = room_of(&plan);
	track(room, &plain, s, T, &out, NULL);
	for (int i = 0; i < T * 16; i++) {
		int part = i % 16 % 4 < 3; /* positions hang on the scale, which the adjustment leaves open */

		worst = fmax(worst, part ? fabs((double)out.c2w[i] - (double)s->cam[i]) : 0.0);
		turned = fmax(turned, part ? fabs((double)s->cam[i] - (double)s->cam[i % 16]) : 0.0);
	}
	assert_true(turned > 0.1);
	if (worst > 2e-4)
		fail_msg("rotations are %g off", worst);
	assert_int_equal(sb_track_video_info(room)->n_static, POINTS);
	assert_int_equal(sb_track_video_info(room)->ba.points, POINTS);
	assert_true(out.k[4] == out.k[0] && out.k[T * 9 - 5] == out.k[T * 9 - 9]); /* fy := fx */
	sb_track_outputs_release(&out);
	pl.p.apply = false; /* solved and dropped */
	track(room, &plain, s, T, &out, NULL);
	assert_true(out.k[4] == 68.0f);
	assert_true(sb_track_video_info(room)->ba.outcome != SB_BA_SKIPPED);
	sb_track_outputs_release(&out);
	sb_track_room_close(room);
	free(pl.seen);
	free(pl.xyz);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cameras_of_windows_are_chained),
		cmocka_unit_test(planted_cameras_are_found_over_all_windows),
	};
	return cmocka_run_group_tests_name("window cameras", tests, open_net, close_net);
}
