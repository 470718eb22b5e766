/*
 * Cameras at the end of an iteration, as the tracker makes them: state on the device, Procrustes as one of its ops.
 * They are what the chain gives on the host, and a planted motion is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "camera_window.h"
#include "test_device.h"
#include "track_pass.h"

enum { FRAMES = 9, N_QUERIES = 12, N_SUPPORT = 150 };

static struct sb_backend *be;

static struct window planted_window(double shake)
{
	return window_new(N_QUERIES, N_SUPPORT, FRAMES, shake);
}

/* ---- what the tracker has made when an iteration ends --------------------------------------------------------- */

struct ended {
	struct sb_window in;
	struct sb_pass_host host;
	struct sb_pass p;
	struct sb_error err;
};

static float *on_device(struct ended *e, const float *host, int64_t n)
{
	float *mem = NULL;

	assert_int_equal(sb_pass_get(&e->p, n, &mem), SB_OK);
	assert_int_equal(sb_pass_upload(&e->p, mem, host, n), SB_OK);
	return mem;
}

static void put_logits(struct ended *e, const struct window *w)
{
	const float *from[] = { w->vis, w->conf, w->dyn, w->pro };

	assert_int_equal(sb_pass_get(&e->p, e->p.rows * 4, &e->p.vis), SB_OK);
	for (int i = 0; i < 4; i++)
		assert_int_equal(sb_pass_upload(&e->p, e->p.vis + i * e->p.rows, from[i], e->p.rows), SB_OK);
}

static void ended_init(struct ended *e, const struct window *w, enum sb_cameras cameras)
{
	struct sb_levels levels;

	*e = (struct ended){ .in = { .hr = HR,
		                     .wr = WR,
		                     .frames = FRAMES,
		                     .real = FRAMES,
		                     .n_queries = N_QUERIES,
		                     .n_support = N_SUPPORT,
		                     .cameras = cameras } };
	assert_int_equal(sb_levels_parse("attention=standard", &levels, &e->err), SB_OK);
	sb_backend_set_levels(be, &levels);
	assert_int_equal(sb_backend_begin_arm(be, &e->err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &e->err), SB_OK);
	assert_int_equal(sb_pass_host_open(w->s.tracks, FRAMES, cameras, NULL, FRAMES, &e->host, &e->err), SB_OK);
	e->p = (struct sb_pass){ .be = be, .in = &e->in, .host = &e->host, .err = &e->err };
	e->p.n = w->s.tracks;
	e->p.t = FRAMES;
	e->p.rows = e->p.n * FRAMES;
	e->p.fx = w->s.fx;
	e->p.fy = w->s.fy;
	put_logits(e, w);
	e->p.A = on_device(e, w->points, e->p.rows * 3);
	e->p.px = on_device(e, w->px, e->p.rows * 2);
	e->p.cam = on_device(e, w->cam, FRAMES * 16);
	e->p.k_r = on_device(e, w->k, FRAMES * 9);
	memcpy(e->host.q, w->query, (size_t)e->p.n * 3 * sizeof(float));
	memcpy(e->host.z0, w->z0, (size_t)e->p.n * sizeof(float));
	memcpy(e->host.u0, w->u0, (size_t)e->p.n * sizeof(float));
	memcpy(e->host.cam, w->cam, FRAMES * 16 * sizeof(float));
	memcpy(e->host.k, w->k, FRAMES * 9 * sizeof(float));
}

/* cam [FRAMES, 16] and k [FRAMES, 9] as the device has them now; the window's state must be all that is left there. */
static void ended_release(struct ended *e, float *cam, float *k)
{
	void *all[] = { e->p.vis, e->p.A, e->p.px, e->p.cam, e->p.k_r };

	assert_int_equal(sb_pass_download(&e->p, cam, e->p.cam, FRAMES * 16), SB_OK);
	assert_int_equal(sb_pass_download(&e->p, k, e->p.k_r, FRAMES * 9), SB_OK);
	assert_int_equal(sb_pass_sync(&e->p), SB_OK);
	for (size_t i = 0; i < SB_ARRAY_LEN(all); i++)
		sb_pass_put(&e->p, all[i]);
	assert_int_equal(sb_backend_end_pass(be, &e->err), SB_OK);
	assert_int_equal(sb_backend_end_arm(be), 0);
	sb_pass_host_release(&e->host);
}

/* What the chain gives on the host. */
static struct sb_camera_result on_host(
        const struct window *w, const struct sb_ba_options *options, float *cam, float *k)
{
	struct sb_camera_chain *c = NULL;
	struct sb_camera_result r;
	struct sb_error err;

	assert_int_equal(sb_camera_chain_open(w->s.tracks, FRAMES, &c, &err), SB_OK);
	memcpy(k, w->k, FRAMES * 9 * sizeof(float));
	sb_camera_chain_run(c, &w->s, options, cam, k, &r);
	sb_camera_chain_close(c);
	return r;
}

/* ---- tests ---------------------------------------------------------------------------------------------------- */

static double farthest(const float *a, const float *b)
{
	double worst = 0.0;

	for (int i = 0; i < FRAMES * 16; i++)
		worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
	return worst;
}

/* Procrustes on another device than the CPU rounds differently, and bundle adjustment starts from there. */
static void assert_same_cameras(const float *got, const float *want)
{
	if (!strcmp(be->ops->name, "cpu"))
		assert_memory_equal(got, want, FRAMES * 16 * sizeof(float));
	assert_true(farthest(got, want) < 1e-4);
}

static void fixed_cameras_stay(void **state)
{
	struct window w = planted_window(0.05);
	float cam[FRAMES * 16], k[FRAMES * 9];
	struct ended e;

	(void)state;
	ended_init(&e, &w, SB_CAMERAS_FIXED);
	assert_int_equal(sb_pass_cameras(&e.p), SB_OK);
	ended_release(&e, cam, k);
	assert_memory_equal(cam, w.cam, sizeof(cam));
	assert_memory_equal(k, w.k, sizeof(k));
	window_free(&w);
}

static void procrustes_is_the_chains_and_finds_the_planted_motion(void **state)
{
	struct window w = planted_window(0.05);
	float cam[FRAMES * 16], k[FRAMES * 9], want[FRAMES * 16], want_k[FRAMES * 9];
	struct ended e;

	(void)state;
	ended_init(&e, &w, SB_CAMERAS_PROCRUSTES);
	assert_int_equal(sb_pass_cameras(&e.p), SB_OK);
	assert_int_equal(be->n_stages, 1);
	assert_string_equal(be->stages[0].name, "track.camera");
	assert_memory_equal(e.host.cam, w.cam, 16 * sizeof(float)); /* frame 0 */
	ended_release(&e, cam, k);
	on_host(&w, NULL, want, want_k);
	assert_same_cameras(cam, want);
	assert_memory_equal(k, w.k, sizeof(k));
	assert_true(farthest(w.cam, w.true_cam) > 0.01);
	assert_true(farthest(cam, w.true_cam) < 2e-5);
	window_free(&w);
}

static void bundle_adjustment_is_the_chains_and_makes_pixels_square(void **state)
{
	struct window w = planted_window(0.05);
	float cam[FRAMES * 16], k[FRAMES * 9], want[FRAMES * 16], want_k[FRAMES * 9], init[FRAMES * 16];
	struct sb_camera_result r;
	uint64_t seed = 3;
	struct ended e;

	(void)state;
	/* Depths 1 % off: Procrustes alone can only average. The pixels are exact. */
	for (int64_t at = 0; at < w.s.tracks * FRAMES; at++)
		for (int i = 0; i < 3; i++)
			w.points[at * 3 + i] *= (float)(1.0 + 0.01 * ba_gauss(&seed));
	ended_init(&e, &w, SB_CAMERAS_BA);
	assert_int_equal(sb_pass_cameras(&e.p), SB_OK);
	assert_int_equal(be->n_stages, 2);
	assert_string_equal(be->stages[1].name, "track.bundle");
	r = e.host.cameras;
	ended_release(&e, cam, k);
	assert_int_equal(r.n_static, on_host(&w, &sb_ba_options_converge, want, want_k).n_static);
	assert_int_equal(r.n_static, N_SUPPORT * 2 / 3);
	assert_same_cameras(cam, want);
	assert_memory_equal(k, want_k, sizeof(k));
	assert_true(k[4] == k[0] && w.k[4] != w.k[0]);
	on_host(&w, NULL, init, want_k);
	for (int t = 0; t < FRAMES; t++) /* rotations: positions hang on the scale, which is left open */
		for (int i = 0; i < 12; i++)
			if (i % 4 < 3)
				assert_true(fabsf(cam[t * 16 + i] - w.true_cam[t * 16 + i]) < 1e-3f);
	assert_true(farthest(init, w.true_cam) > 2e-3);
	window_free(&w);
}

/* A second iteration begins with the first one's cameras. */
static void iterations_hand_their_cameras_on(void **state)
{
	struct window w = planted_window(0.05);
	float cam[FRAMES * 16], k[FRAMES * 9], once[FRAMES * 16];
	struct ended e;

	(void)state;
	ended_init(&e, &w, SB_CAMERAS_PROCRUSTES);
	assert_int_equal(sb_pass_cameras(&e.p), SB_OK);
	assert_int_equal(sb_pass_cameras(&e.p), SB_OK);
	ended_release(&e, cam, k);
	on_host(&w, NULL, once, k);
	memcpy(w.cam, once, sizeof(once));
	on_host(&w, NULL, once, k);
	assert_same_cameras(cam, once);
	window_free(&w);
}

/* Nothing usable: the cameras given stay, and nothing is NaN. */
static void a_state_that_is_not_finite_keeps_the_cameras(void **state)
{
	struct window w = planted_window(0.05);
	float cam[FRAMES * 16], k[FRAMES * 9];
	struct ended e;

	(void)state;
	for (int64_t at = 0; at < w.s.tracks * FRAMES; at++)
		w.points[at * 3] = w.vis[at] = NAN;
	ended_init(&e, &w, SB_CAMERAS_BA);
	assert_int_equal(sb_pass_cameras(&e.p), SB_OK);
	assert_int_equal(e.host.cameras.ba.outcome, SB_BA_SKIPPED);
	ended_release(&e, cam, k);
	assert_true(farthest(cam, w.cam) < 1e-6);
	assert_memory_equal(k, w.k, sizeof(k));
	window_free(&w);
}

static void words_for_cameras_are_those_of_the_table(void **state)
{
	struct sb_error err = { .msg = "" };
	enum sb_cameras c;

	(void)state;
	for (int i = 0; i < SB_CAMERAS_COUNT; i++) {
		assert_int_equal(sb_cameras_parse(sb_cameras_names[i], &c, &err), SB_OK);
		assert_int_equal(c, i);
	}
	assert_int_equal(sb_cameras_parse("moving", &c, &err), SB_E_USAGE);
	assert_string_equal(err.msg, "no cameras 'moving'; there are fixed, procrustes, ba");
}

static int open_device(void **state)
{
	(void)state;
	be = test_device_open();
	return 0;
}

static int close_device(void **state)
{
	(void)state;
	sb_backend_close(be);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_for_cameras_are_those_of_the_table),
		cmocka_unit_test(fixed_cameras_stay),
		cmocka_unit_test(procrustes_is_the_chains_and_finds_the_planted_motion),
		cmocka_unit_test(bundle_adjustment_is_the_chains_and_makes_pixels_square),
		cmocka_unit_test(iterations_hand_their_cameras_on),
		cmocka_unit_test(a_state_that_is_not_finite_keeps_the_cameras),
	};
	return cmocka_run_group_tests_name("track cameras", tests, open_device, close_device);
}
