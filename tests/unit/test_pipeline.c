/*
 * The whole pass of the workload: the same bits whatever the threads and the allocator, what is planted where weights
 * mean nothing, and how a case's words become what is tracked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "planted.h"
#include "sb_factors.h"
#include "sb_points.h"
#include "sb_safetensors.h"
#include "sb_tracker.h"

/* ---- the pass ------------------------------------------------------------------------------------------------ */

static const struct sb_workload_ops *const ops = &sb_workload_tracker;

/* Two windows, so that something is carried, and enough points for bundle adjustment. */
static const struct sb_case small_case = { .preset = "tiny",
	.frames = 6,
	.width = 84,
	.height = 56,
	.grid = 2,
	.support = 56,
	.window = 5,
	.overlap = 2,
	.iterations = 1 };

struct bench {
	struct sb_backend *be;
	struct sb_workload *w;
	struct sb_workload_info info;
};

static struct bench bench_open(const struct sb_case *c)
{
	struct sb_error err = { .msg = "" };
	struct bench b;

	if (sb_backend_open("cpu", 0, &b.be, &err) || ops->open(c, b.be, &b.w, &b.info, &err))
		fail_msg("%s", err.msg);
	return b;
}

static void bench_close(struct bench *b)
{
	ops->close(b->w);
	sb_backend_close(b->be);
}

static void pass(struct bench *b, const char *levels_text, bool perturb)
{
	struct sb_error err = { .msg = "" };
	struct sb_levels levels;

	assert_int_equal(sb_levels_parse(levels_text, &levels, &err), SB_OK);
	sb_backend_set_levels(b->be, &levels);
	if (ops->prepare(b->w, &err) || sb_backend_begin_arm(b->be, &err) || sb_backend_begin_pass(b->be, 0, &err) ||
	        ops->run(b->w, perturb, &err) || sb_backend_end_pass(b->be, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(sb_backend_end_arm(b->be), 0); /* nothing is left allocated */
}

static double measure(const struct bench *b, const char *name)
{
	struct sb_measure m[SB_QUALITY_MAX];
	int n = (strncmp(name, "quality.", 8) ? ops->measures : ops->quality)(b->w, m);

	for (int i = 0; i < n; i++)
		if (!strcmp(m[i].name, name))
			return m[i].value.absent ? NAN : m[i].value.v;
	fail_msg("no measure %s", name);
	return NAN;
}

static void assert_identical(const struct bench *b)
{
	assert_true(measure(b, "quality.identical") == 1.0);
	assert_true(measure(b, "quality.track_identical") == 1.0);
}

static void a_pass_gives_the_same_bits_for_any_threads_and_allocator(void **state)
{
	int before = omp_get_max_threads();
	struct bench b;

	(void)state;
	omp_set_num_threads(1);
	b = bench_open(&small_case);
	assert_int_equal(b.info.windows, 2);
	pass(&b, "attention=standard", false);
	ops->set_reference(b.w);
	for (int threads = 1; threads <= 3; threads++) {
		omp_set_num_threads(threads);
		pass(&b, threads == 2 ? "attention=standard,alloc=expandable" : "attention=standard", false);
		assert_identical(&b);
	}
	pass(&b, "precision=tf32", false); /* and something else gives others, or nothing was compared */
	assert_true(measure(&b, "quality.identical") == 0.0);
	assert_true(measure(&b, "quality.track_identical") == 0.0);
	bench_close(&b);
	omp_set_num_threads(before);
}

static void a_moved_input_moves_the_tracks_a_little(void **state)
{
	struct bench b = bench_open(&small_case);
	double drift;

	(void)state;
	pass(&b, "attention=standard", false);
	ops->set_reference(b.w);
	pass(&b, "attention=standard", true);
	drift = measure(&b, "quality.track_xy_px_median");
	assert_true(measure(&b, "quality.track_identical") == 0.0);
	assert_true(drift < 0.1);
	bench_close(&b);
}

/* The whole of it in its stages: what `compare` prints. */
static void the_stages_of_the_tracker_stand_behind_those_of_the_front_end(void **state)
{
	static const char *const want[] = { "front.preprocess", "front.patch", "front.dino", "front.aggregator",
		"front.camera", "front.depth", "front.output", "track.prepare", "track.fnet", "track.correlation",
		"track.neighbours", "track.tokens", "track.transformer", "track.update", "track.camera", "track.bundle",
		"track.output" };
	struct bench b = bench_open(&small_case);

	(void)state;
	pass(&b, "attention=efficient", false);
	assert_int_equal(b.be->n_stages, SB_ARRAY_LEN(want));
	for (size_t i = 0; i < SB_ARRAY_LEN(want); i++) {
		assert_string_equal(b.be->stages[i].name, want[i]);
		assert_true(b.be->stages[i].ns > 0);
	}
	assert_true(ops->weights_bytes(b.w) > 4 * 61000000); /* of both networks */
	assert_int_equal(b.info.parameters, 1464612 + 60753685);
	bench_close(&b);
}

/* ---- weights that are not ours: nothing is planted ------------------------------------------------------------ */

#define TENSORS_MAX 512

struct written {
	struct sb_safetensor v[TENSORS_MAX];
	size_t n;
	float confidence; /* what the depth head's last bias says of every pixel's confidence */
};

static void add_tensor(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	struct written *w = ctx;
	struct sb_safetensor *t = &w->v[w->n++];
	float *values;

	assert_true(w->n <= TENSORS_MAX);
	*t = (struct sb_safetensor){ .name = sb_strdup(name), .ndim = ndim, .n = 1 };
	for (int i = 0; i < ndim; i++)
		t->n *= t->shape[i] = shape[i];
	values = malloc((size_t)t->n * sizeof(*values));
	assert_non_null(values);
	sb_synthetic_fill(name, shape, ndim, values);
	if (!strcmp(name, "depth_head.scratch.output_conv2.2.weight")) /* nearly one depth: no edges */
		for (int64_t i = 0; i < t->n; i++)
			values[i] *= 1e-3f;
	if (!strcmp(name, "depth_head.scratch.output_conv2.2.bias"))
		values[1] = w->confidence;
	t->data = values;
}

/* The tiny front end as if trained, in a file. */
static void write_front(const char *path, float confidence)
{
	static struct written w;
	const struct sb_preset *preset;
	const char *metadata[] = { NULL };
	struct sb_error err = { .msg = "" };

	w = (struct written){ .confidence = confidence };
	assert_int_equal(sb_preset_find("tiny", &preset, &err), SB_OK);
	sb_front_tensors(&preset->front, add_tensor, &w);
	if (sb_safetensors_write(path, w.v, w.n, metadata, &err))
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < w.n; i++) {
		free((char *)(uintptr_t)w.v[i].name);
		free((float *)(uintptr_t)w.v[i].data);
	}
}

static void queries_that_all_lie_on_no_valid_depth_are_an_error_that_says_so(void **state)
{
	struct sb_case c = { .preset = "tiny", .frames = 3, .width = 84, .height = 56, .grid = 2, .support = 4 };
	struct sb_levels levels;
	struct sb_error err = { .msg = "" };
	char path[] = "/tmp/spabench-test-pipeline-XXXXXX";
	struct bench b;

	(void)state;
	assert_true(close(mkstemp(path)) == 0);
	snprintf(c.weights_front, sizeof(c.weights_front), "%s", path);
	write_front(path, 50.0f); /* all confident: it runs, on the front end's own depth and cameras */
	b = bench_open(&c);
	assert_null(strstr(b.info.inputs_note, "depth"));
	pass(&b, "attention=efficient", false);
	bench_close(&b);
	write_front(path, -50.0f);
	b = bench_open(&c);
	assert_int_equal(sb_levels_parse("attention=efficient", &levels, &err), SB_OK);
	sb_backend_set_levels(b.be, &levels);
	assert_int_equal(ops->prepare(b.w, &err), SB_OK);
	assert_int_equal(sb_backend_begin_arm(b.be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(b.be, 0, &err), SB_OK);
	assert_int_equal(ops->run(b.w, false, &err), SB_E_DATA);
	assert_non_null(strstr(err.msg, "none of the 4 queries lies on a valid depth"));
	bench_close(&b);
	unlink(path);
}

/* ---- planted inputs ------------------------------------------------------------------------------------------ */

static struct sb_planted plant(int64_t frames, int64_t points, uint64_t seed)
{
	const struct sb_planted_shape shape = { frames, 140, 252, 336, 602, points, seed };
	struct sb_error err = { .msg = "" };
	struct sb_planted p;

	assert_int_equal(sb_planted_init(&p, &shape, &err), SB_OK);
	return p;
}

static void planted_depth_is_that_of_the_goldens(void **state)
{
	(void)state;
	assert_float_equal(sb_planted_depth_at(0, 0, 0), 3.3, 1e-6);
	assert_float_equal(sb_planted_depth_at(2, 35, 41), (float)(3.0 + 0.5 * sin(1.0) + 0.3 * cos(1.0)), 1e-6);
}

static void planted_cameras_move_sideways_by_a_tenth(void **state)
{
	struct sb_planted p = plant(5, 0, 0);

	(void)state;
	for (int t = 0; t < 5; t++) {
		assert_float_equal(p.c2w[t * 16 + 3], 0.025f * (float)t, 1e-7);
		assert_true(p.c2w[t * 16] == 1.0f && p.c2w[t * 16 + 7] == 0.0f && p.c2w[t * 16 + 15] == 1.0f);
		assert_float_equal(p.k[t * 9], 225.0, 1e-4);
		assert_true(p.k[t * 9 + 2] == 126.0f && p.k[t * 9 + 5] == 70.0f && p.k[t * 9 + 8] == 1.0f);
	}
	sb_planted_release(&p);
}

/* Bundle adjustment of the scene finds the planted cameras, as far as noise and wrong observations let it. */
static void the_planted_scene_can_be_solved(void **state)
{
	const int64_t frames = 8, points = 400;
	struct sb_planted p = plant(frames, points, 7);
	double *intrinsics = malloc((size_t)frames * 3 * sizeof(double)), before, extent;
	double *xyz = malloc((size_t)points * 3 * sizeof(double));
	struct sb_ba_problem problem = {
		.frames = frames, .points = points, .seen = p.seen, .intrinsics = intrinsics, .pose = p.pose, .xyz = xyz
	};
	struct sb_ba_result result;
	struct sb_error err;
	struct sb_ba *ba;

	(void)state;
	assert_true(intrinsics && xyz);
	memcpy(xyz, p.xyz, (size_t)points * 3 * sizeof(double));
	for (int64_t t = 0; t < frames; t++) {
		intrinsics[t * 3] = 300.0 / 336.0 * 602.0;
		intrinsics[t * 3 + 1] = 301.0;
		intrinsics[t * 3 + 2] = 168.0;
	}
	before = fabs(p.pose[5].q[3]);
	assert_true(before < 1.0); /* the start is turned away */
	assert_int_equal(sb_ba_open(frames, points, &ba, &err), SB_OK);
	sb_ba_solve(ba, &problem, &sb_ba_options_converge, &result);
	assert_int_equal(result.outcome, SB_BA_CONVERGED);
	assert_true(result.points > 380); /* the others leave the frame */
	assert_true(result.cost < 0.5 * result.cost_start);
	extent = -p.pose[frames - 1].t[0];
	assert_true(extent > 0.05 && extent < 0.2); /* the scale is free, the direction is not */
	for (int64_t t = 1; t < frames; t++) {
		double turn = 2.0 * acos(fmin(1.0, fabs(p.pose[t].q[3]))) * 57.29577951308232;

		assert_true(turn < 0.5);
		assert_true(fabs(p.pose[t].t[1] / extent) < 0.2);
	}
	sb_ba_close(ba);
	sb_planted_release(&p);
	free(xyz);
	free(intrinsics);
}

/* Of few support points bundle adjustment would be skipped; the scene that stands in for them is large enough. */
static void bundle_adjustment_is_made_however_few_the_support_points(void **state)
{
	const struct sb_case few = {
		.preset = "tiny", .frames = 3, .width = 84, .height = 56, .grid = 2, .support = -1
	};
	struct sb_case none = few;
	struct bench b = bench_open(&few);

	(void)state;
	pass(&b, "attention=efficient", false);
	assert_true(measure(&b, "bundle.points") >= 50.0);
	assert_true(measure(&b, "bundle.steps") > 1.0);
	assert_true(measure(&b, "memory.planted_bytes") == 3.0 * 84 * 56 * sizeof(float));
	assert_non_null(strstr(b.info.inputs_note, "bundle adjustment (64 points)"));
	bench_close(&b);
	snprintf(none.cameras, sizeof(none.cameras), "fixed");
	b = bench_open(&none);
	pass(&b, "attention=efficient", false);
	assert_null(strstr(b.info.inputs_note, "bundle"));
	assert_int_equal(ops->measures(b.w, (struct sb_measure[SB_QUALITY_MAX]){ { 0 } }), 1);
	bench_close(&b);
}

static void the_planted_scene_is_its_seed_s(void **state)
{
	struct sb_planted a = plant(4, 60, 1), b = plant(4, 60, 1), c = plant(4, 60, 2);
	size_t bytes = 60 * 4 * 2 * sizeof(float);
	int64_t wrong = 0;

	(void)state;
	assert_memory_equal(a.seen, b.seen, bytes);
	assert_true(memcmp(a.seen, c.seen, bytes) != 0);
	/* Seen in frame 0 where it was put; there the camera is the identity, and only noise and mistakes differ. */
	for (int n = 0; n < 60; n++)
		for (int t = 1; t < 4; t++) {
			double dy = (double)a.seen[(n * 4 + t) * 2 + 1] - (double)a.seen[n * 8 + 1];

			wrong += fabs(dy) > 2.5; /* the camera does not move up or down; NAN is not counted */
		}
	assert_true(wrong > 3 && wrong < 30); /* of 180 pairs with two observations, one in ten of them astray */
	sb_planted_release(&a);
	sb_planted_release(&b);
	sb_planted_release(&c);
}

/* ---- points -------------------------------------------------------------------------------------------------- */

static const struct sb_points_frame frame = { 6, 56, 84, 336, 504 };

static enum sb_status read_points(const struct sb_case *c, struct sb_points *out, struct sb_error *err)
{
	const struct sb_preset *preset;

	assert_int_equal(sb_preset_find("tiny", &preset, err), SB_OK);
	return sb_points_read(c, preset, &frame, out, err);
}

static void the_presets_words_are_a_grid_and_bundle_adjustment(void **state)
{
	struct sb_points p;
	struct sb_error err;

	(void)state;
	assert_int_equal(read_points(&(struct sb_case){ .seed = 0 }, &p, &err), SB_OK);
	assert_int_equal(p.n_queries, 16);
	assert_int_equal(p.n_support, 24);
	assert_int_equal(p.cameras, SB_CAMERAS_BA);
	assert_int_equal(p.windows, 1);
	assert_int_equal(p.window, 500);
	assert_int_equal(p.overlap, 4);
	assert_int_equal(p.time_len, 60);
	assert_null(p.support);
	/* margin floor(84 / 64) = 1; pixels of the network are a sixth of the tracker's here */
	assert_true(p.queries[0] == 0.0f && p.queries[1] == 6.0f && p.queries[2] == 6.0f);
	assert_float_equal(p.queries[15 * 3 + 1], 83.0 * 6.0, 1e-3);
	sb_points_release(&p);
}

static void a_number_of_points_is_the_nearest_square(void **state)
{
	(void)state;
	assert_int_equal(sb_points_grid_side(1), 1);
	assert_int_equal(sb_points_grid_side(2), 1);
	assert_int_equal(sb_points_grid_side(3), 2);
	assert_int_equal(sb_points_grid_side(16), 4);
	assert_int_equal(sb_points_grid_side(1000), 32);
}

static void the_digest_tells_other_points_and_other_ways(void **state)
{
	const struct sb_case cases[] = { { .seed = 0 }, { .seed = 1 }, { .grid = 3 }, { .support = 3 },
		{ .iterations = 2 }, { .window = 5 }, { .overlap = 3 }, { .mode = "online" }, { .cameras = "fixed" } };
	uint64_t digests[SB_ARRAY_LEN(cases)];

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct sb_points p;
		struct sb_error err;

		assert_int_equal(read_points(&cases[i], &p, &err), SB_OK);
		digests[i] = p.digest;
		sb_points_release(&p);
		for (size_t j = 0; j < i; j++)
			assert_true(digests[i] != digests[j]);
	}
}

static void more_windows_than_can_be_timed_are_refused(void **state)
{
	const struct sb_points_frame longer = { 9000, 56, 84, 336, 504 };
	const struct sb_preset *preset;
	struct sb_points p;
	struct sb_error err;

	(void)state;
	assert_int_equal(sb_preset_find("tiny", &preset, &err), SB_OK);
	assert_int_equal(sb_points_read(&(struct sb_case){ .window = 20, .overlap = 10 }, preset, &longer, &p, &err),
	        SB_E_USAGE);
	assert_non_null(strstr(err.msg, "windows are more than can be timed"));
	assert_int_equal(sb_points_read(&(struct sb_case){ .window = 500 }, preset, &longer, &p, &err), SB_OK);
	sb_points_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pass_gives_the_same_bits_for_any_threads_and_allocator),
		cmocka_unit_test(a_moved_input_moves_the_tracks_a_little),
		cmocka_unit_test(the_stages_of_the_tracker_stand_behind_those_of_the_front_end),
		cmocka_unit_test(queries_that_all_lie_on_no_valid_depth_are_an_error_that_says_so),
		cmocka_unit_test(planted_depth_is_that_of_the_goldens),
		cmocka_unit_test(planted_cameras_move_sideways_by_a_tenth),
		cmocka_unit_test(the_planted_scene_can_be_solved),
		cmocka_unit_test(bundle_adjustment_is_made_however_few_the_support_points),
		cmocka_unit_test(the_planted_scene_is_its_seed_s),
		cmocka_unit_test(the_presets_words_are_a_grid_and_bundle_adjustment),
		cmocka_unit_test(a_number_of_points_is_the_nearest_square),
		cmocka_unit_test(the_digest_tells_other_points_and_other_ways),
		cmocka_unit_test(more_windows_than_can_be_timed_are_refused),
	};

	return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
