/* Cameras of a window from planted tracks: points that stand still, seen by known cameras, and some that move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "camera_window.h"

static struct sb_camera_chain *chain_for(const struct window *w)
{
	struct sb_camera_chain *c = NULL;
	struct sb_error err;

	assert_int_equal(sb_camera_chain_open(w->s.tracks, w->s.frames, &c, &err), SB_OK);
	return c;
}

static double largest_difference(const float *a, const float *b, int64_t n)
{
	double worst = 0.0;

	for (int64_t i = 0; i < n; i++) {
		if (!isfinite(a[i]))
			return INFINITY;
		worst = fmax(worst, fabs((double)a[i] - b[i]));
	}
	return worst;
}

/* C_init (options NULL) or C of a window. */
static struct sb_camera_result run(struct window *w, const struct sb_ba_options *options, float *cam)
{
	struct sb_camera_chain *c = chain_for(w);
	struct sb_camera_result r;

	sb_camera_chain_run(c, &w->s, options, cam, w->k, &r);
	sb_camera_chain_close(c);
	return r;
}

/* ---- Procrustes over key frames ------------------------------------------------------------------------------- */

static void shaken_cameras_come_back_from_static_points(void **state)
{
	(void)state;
	for (int64_t frames = 1; frames <= 12; frames++) {
		struct window w = window_new(20, 200, frames, 0.05);
		float cam[12 * 16];
		struct sb_camera_result r = run(&w, NULL, cam);

		assert_true(largest_difference(cam, w.true_cam, frames * 16) < 2e-5);
		assert_int_equal(r.ba.outcome, SB_BA_SKIPPED);
		assert_int_equal(r.keys[0], 0);
		assert_int_equal(r.keys[2], frames - 1);
		if (frames > 2)
			assert_true(r.keys[1] > 0 && r.keys[1] < frames - 1);
		if (frames > 2)
			assert_true(largest_difference(w.cam, w.true_cam, frames * 16) >
			            0.01); /* there was something to do */
		window_free(&w);
	}
}

/* Tracks 0..9 share frame 0, 10..19 the last one; frame t has `both[t]` of each. */
static void middle_key_frame_has_the_smallest_of_the_larger_covisibilities(void **state)
{
	static const int visible[][2] = { { 10, 10 }, { 9, 2 }, { 5, 6 }, { 6, 5 }, { 3, 8 }, { 10, 10 } };
	struct window w = window_new(0, 20, 6, 0.0);
	float cam[6 * 16];

	(void)state;
	for (int64_t n = 0; n < 20; n++)
		for (int64_t t = 0; t < 6; t++) {
			int here = t == 0 ? n < 10 : (t == 5 ? n >= 10 : n % 10 < visible[t][n / 10]);

			w.vis[n * 6 + t] = here ? SURE : -SURE;
		}
	assert_int_equal(run(&w, NULL, cam).keys[1], 2); /* max(5, 6); frame 3 is as good, but later */
	w.vis[5 * 6 + 3] = -SURE;
	assert_int_equal(run(&w, NULL, cam).keys[1], 3);
	for (int64_t n = 0; n < 20; n++)
		w.conf[n * 6 + 4] = -SURE;
	assert_int_equal(run(&w, NULL, cam).keys[1], 4);
	window_free(&w);
}

static double logistic(double x)
{
	return 1.0 / (1.0 + exp(-x));
}

/* Random logits and pixels: every weight of a segment by plain formulas; with few tracks the floor of 0.05 holds. */
static void segment_weights_are_those_of_the_sheet(void **state)
{
	static const int64_t support[] = { 40, 6000 };
	int floors = 0, plain = 0;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(support); i++) {
		struct window w = window_new(10, support[i], 5, 0.02);
		struct sb_camera_chain *c = chain_for(&w);
		uint64_t seed = 5;
		int segments;

		for (int64_t at = 0; at < w.s.tracks * 5; at++) {
			w.vis[at] = (float)(2.0 * ba_gauss(&seed));
			w.conf[at] = (float)(2.0 * ba_gauss(&seed));
			w.dyn[at] = (float)(2.0 * ba_gauss(&seed));
			w.pro[at] = (float)(2.0 * ba_gauss(&seed));
			if (at % 7 == 0)
				w.px[at * 2 + at % 2] = at % 3 ? -1.0f : (at % 2 ? HR : WR);
			w.u0[at / 5] = (float)(at / 5 % 2);
		}
		segments = sb_camera_chain_begin(c, &w.s);
		assert_int_equal(segments, 2);
		for (int s = 0; s < 2; s++) {
			struct sb_procrustes_args a = sb_camera_chain_segment(c, s);
			int64_t from = (a.x - sb_camera_chain_segment(c, 0).x) / 3, to = from + a.batch - 1;
			double sum = 0.0, *g = ba_zeroed(w.s.tracks, sizeof(double));

			for (int64_t n = 0; n < w.s.tracks; n++) {
				double dynamic = 0.0;

				g[n] = w.u0[n];
				for (int64_t t = 0; t < 5; t++) {
					int64_t at = n * 5 + t;
					int inside = w.px[at * 2] > 0 && w.px[at * 2] < WR && w.px[at * 2 + 1] > 0 &&
					             w.px[at * 2 + 1] < HR;

					dynamic += logistic(w.dyn[at]) * logistic(w.pro[at]) / 5.0;
					if (t == from || t == to)
						g[n] *= inside * logistic(w.vis[at]) * logistic(w.conf[at]);
				}
				g[n] *= n < 10 ? 0.0 : 1.0 - dynamic;
				sum += g[n];
			}
			floors += sum < 50.0;
			plain += sum >= 50.0;
			for (int64_t n = 0; n < w.s.tracks; n++)
				assert_true(fabs(a.w[n] - (sum < 50.0 ? fmax(g[n], 0.05) : g[n])) < 1e-6);
			free(g);
		}
		sb_camera_chain_close(c);
		window_free(&w);
	}
	assert_true(floors > 0 && plain > 0);
}

/* Procrustes done elsewhere: copies go out, motions come back. */
static void segments_may_be_solved_elsewhere(void **state)
{
	struct window w = window_new(10, 100, 7, 0.05);
	struct sb_camera_chain *c = chain_for(&w);
	float want[7 * 16], got[7 * 16];
	struct sb_camera_result r = run(&w, NULL, want);
	int segments = sb_camera_chain_begin(c, &w.s);

	(void)state;
	for (int s = 0; s < segments; s++) {
		struct sb_procrustes_args a = sb_camera_chain_segment(c, s);
		float *back = a.motion, *away = kc_poisoned(a.batch * 16);

		assert_int_equal(a.inverse, 1);
		a.motion = away;
		sb_procrustes_cpu(&a);
		memcpy(back, away, (size_t)a.batch * 16 * sizeof(float));
		free(away);
	}
	sb_camera_chain_finish(c, got, &r);
	assert_true(kc_same_bits(got, want, 7 * 16));
	sb_camera_chain_close(c);
	window_free(&w);
}

/* ---- static points -------------------------------------------------------------------------------------------- */

static void static_points_are_support_points_that_hardly_move(void **state)
{
	struct window w = window_new(30, 90, 6, 0.0);
	float cam[6 * 16];
	struct sb_camera_result r;

	(void)state;
	r = run(&w, &sb_ba_options_reference, cam);
	assert_int_equal(r.n_static, 60);
	assert_int_equal(r.ba.points, 60);
	assert_int_equal(r.ba.observations, 60 * 6);
	/* Less confident than 0.5 in two frames: seen in four. Never: still picked, but without observations. */
	w.conf[31 * 6 + 1] = w.conf[31 * 6 + 2] = 0.0f;
	for (int t = 0; t < 6; t++)
		w.vis[32 * 6 + t] = -SURE;
	r = run(&w, &sb_ba_options_reference, cam);
	assert_int_equal(r.n_static, 60);
	assert_int_equal(r.ba.points, 59);
	assert_int_equal(r.ba.observations, 59 * 6 - 2);
	window_free(&w);
}

/* 1600 candidates; the mean of those with odd numbers is far from their query because its depth is off. */
static void the_1500_nearest_to_their_query_are_kept(void **state)
{
	struct window w = window_new(0, 2400, 3, 0.0);
	struct sb_camera_chain *c = chain_for(&w);
	struct sb_camera_result r;
	float cam[3 * 16], k[3 * 9];
	int64_t seen = 0;

	(void)state;
	for (int64_t n = 0, candidate = 0; n < 2400; n++) {
		if (n % 3 == 0)
			continue;
		/* The 100 worst: every 16th candidate. They are also unseen in frame 1, so that they can be told apart.
		 */
		if (candidate % 16 == 7) {
			w.z0[n] *= 1.5f;
			w.vis[n * 3 + 1] = -SURE;
		}
		candidate++;
	}
	sb_camera_chain_run(c, &w.s, NULL, cam, k, &r);
	assert_int_equal(r.n_static, SB_CAMERA_STATIC_MAX);
	memcpy(k, w.k, sizeof(k));
	sb_camera_chain_bundle(c, &sb_ba_options_reference, cam, k, &r);
	seen = r.ba.observations;
	assert_int_equal(r.ba.points, 1500);
	assert_int_equal(seen, 1500 * 3); /* none of the 100 is among them */
	sb_camera_chain_close(c);
	window_free(&w);
}

/* The query's own world point uses K at the working resolution: both focal lengths, both centres, its own frame. */
static void distance_is_measured_to_the_query_as_it_was_seen(void **state)
{
	struct window w = window_new(0, 2400, 4, 0.0);
	float cam[4 * 16];

	(void)state;
	for (int t = 0; t < 4; t++)
		w.k[t * 9 + 4] = 300.0f;
	for (int64_t n = 0; n < 2400; n++) {
		const float *a = w.points + (n * 4 + 2) * 3;

		w.query[n * 3] = 2.0f;
		w.query[n * 3 + 1] = FX * (450.0f * a[0] / a[2] + 294.0f);
		w.query[n * 3 + 2] = FY * (300.0f * a[1] / a[2] + 168.0f);
		w.z0[n] = a[2];
		if (n % 24 == 1) { /* 100 of the 1600, seen in two frames only */
			w.query[n * 3 + 1] += 10.0f;
			w.vis[n * 4 + 1] = w.vis[n * 4 + 3] = -SURE;
		}
	}
	assert_int_equal(run(&w, &sb_ba_options_reference, cam).ba.observations, 1500 * 4);
	window_free(&w);
}

/* ---- bundle adjustment ---------------------------------------------------------------------------------------- */

static void bundle_adjustment_repairs_what_depth_errors_did(void **state)
{
	struct window w = window_new(10, 150, 8, 0.0), same;
	float init[8 * 16], cam[8 * 16];
	struct sb_camera_result r;
	uint64_t seed = 3;

	(void)state;
	/* Depths off by 1 % in every frame: Procrustes can only average. The pixels are exact. */
	for (int64_t at = 0; at < w.s.tracks * 8; at++)
		for (int i = 0; i < 3; i++)
			w.points[at * 3 + i] *= (float)(1.0 + 0.01 * ba_gauss(&seed));
	same = w;
	run(&same, NULL, init);
	r = run(&w, &sb_ba_options_converge, cam);
	assert_int_not_equal(r.ba.outcome, SB_BA_SKIPPED);
	assert_true(r.ba.cost < 1e-3);
	for (int t = 0; t < 8; t++) {
		assert_true(largest_difference(cam + t * 16, w.true_cam + t * 16, 3) < 1e-3);
		assert_true(w.k[t * 9] == 450.0f && w.k[t * 9 + 4] == 450.0f);
	}
	assert_true(largest_difference(init, w.true_cam, 8 * 16) > largest_difference(cam, w.true_cam, 8 * 16));
	assert_true(kc_same_bits(cam, w.cam, 16)); /* frame 0 */
	window_free(&w);
}

static void too_few_static_points_keep_c_init_and_k(void **state)
{
	struct window w = window_new(100, 60, 6, 0.05);
	float init[6 * 16], cam[6 * 16];
	struct sb_camera_result r;

	(void)state;
	run(&w, NULL, init);
	r = run(&w, &sb_ba_options_reference, cam);
	assert_int_equal(r.n_static, 40);
	assert_int_equal(r.ba.outcome, SB_BA_SKIPPED);
	assert_true(kc_same_bits(init, cam, 6 * 16));
	assert_true(w.k[4] == 440.0f);
	window_free(&w);
}

static void results_may_replace_the_state(void **state)
{
	struct window w = window_new(10, 150, 6, 0.05);
	float cam[6 * 16];

	(void)state;
	run(&w, &sb_ba_options_reference, cam);
	for (int t = 0; t < 6; t++)
		w.k[t * 9 + 4] = 440.0f;
	run(&w, &sb_ba_options_reference, w.cam);
	assert_true(kc_same_bits(cam, w.cam, 6 * 16));
	window_free(&w);
}

/* ---- bad values ----------------------------------------------------------------------------------------------- */

static void values_that_are_not_finite_take_no_part(void **state)
{
	struct window w = window_new(10, 200, 6, 0.05);
	float init[6 * 16], cam[6 * 16];

	(void)state;
	for (int64_t n = 10; n < 100; n += 9)
		for (int64_t t = 0; t < 6; t++) {
			int64_t at = n * 6 + t;

			switch (n % 6) {
			case 0:
				w.vis[at] = NAN;
				break;
			case 1:
				w.dyn[at] = NAN;
				break;
			case 2:
				w.points[at * 3 + 1] = NAN;
				break;
			case 3:
				w.px[at * 2] = NAN;
				break;
			case 4:
				w.z0[n] = INFINITY;
				break;
			default:
				w.u0[n] = NAN;
				w.query[n * 3] = NAN;
			}
		}
	run(&w, NULL, init);
	assert_true(largest_difference(init, w.true_cam, 6 * 16) < 2e-5);
	run(&w, &sb_ba_options_reference, cam);
	assert_true(largest_difference(cam, w.true_cam, 6 * 16) < 0.05);
	window_free(&w);
}

static void windows_without_points_or_visibility_keep_the_cameras(void **state)
{
	(void)state;
	for (int none = 0; none < 4; none++) {
		struct window w = window_new(0, none == 0 ? 0 : 60, 4, 0.05);
		float cam[4 * 16];

		for (int64_t at = 0; none == 1 && at < 240; at++)
			w.vis[at] = NAN;
		for (int64_t at = 0; none == 2 && at < 720; at++)
			w.points[at] = NAN;
		for (int64_t n = 0; none == 3 && n < 60; n++)
			w.u0[n] = 0.0f; /* without a single depth the points are nowhere */
		assert_int_equal(
		        run(&w, &sb_ba_options_reference, cam).n_static, none == 1 ? 40 : 0); /* every third moves */
		if (none != 1) /* there the floor of 0.05 lets Procrustes work */
			assert_true(largest_difference(cam, w.cam, 4 * 16) < 1e-6);
		assert_true(largest_difference(cam, w.cam, 4 * 16) < 1.0);
		window_free(&w);
	}
}

static void cameras_that_are_not_finite_skip_the_bundle(void **state)
{
	struct window w = window_new(0, 100, 4, 0.0);
	float cam[4 * 16];

	(void)state;
	w.cam[2 * 16 + 3] = NAN;
	assert_int_equal(run(&w, &sb_ba_options_reference, cam).ba.outcome, SB_BA_SKIPPED);
	window_free(&w);
}

static void bits_do_not_depend_on_the_number_of_threads(void **state)
{
	int before = omp_get_max_threads();
	float first[20 * 16], cam[20 * 16];

	(void)state;
	for (int threads = 1; threads <= 4; threads++) {
		struct window w = window_new(50, 700, 20, 0.05);

		omp_set_num_threads(threads);
		run(&w, &sb_ba_options_reference, threads == 1 ? first : cam);
		if (threads > 1)
			assert_true(kc_same_bits(first, cam, 20 * 16));
		window_free(&w);
	}
	omp_set_num_threads(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shaken_cameras_come_back_from_static_points),
		cmocka_unit_test(middle_key_frame_has_the_smallest_of_the_larger_covisibilities),
		cmocka_unit_test(segment_weights_are_those_of_the_sheet),
		cmocka_unit_test(segments_may_be_solved_elsewhere),
		cmocka_unit_test(static_points_are_support_points_that_hardly_move),
		cmocka_unit_test(the_1500_nearest_to_their_query_are_kept),
		cmocka_unit_test(distance_is_measured_to_the_query_as_it_was_seen),
		cmocka_unit_test(bundle_adjustment_repairs_what_depth_errors_did),
		cmocka_unit_test(too_few_static_points_keep_c_init_and_k),
		cmocka_unit_test(results_may_replace_the_state),
		cmocka_unit_test(values_that_are_not_finite_take_no_part),
		cmocka_unit_test(windows_without_points_or_visibility_keep_the_cameras),
		cmocka_unit_test(cameras_that_are_not_finite_skip_the_bundle),
		cmocka_unit_test(bits_do_not_depend_on_the_number_of_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
