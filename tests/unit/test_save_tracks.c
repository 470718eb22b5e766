/* Tracks as tensors and as .npz: everything that is saved is checked against what it was made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include <cmocka.h>

#include "npz_reader.h"
#include "save.h"
#include "sb_safetensors.h"
#include "scratch_folder.h"
#include "shrink.h"
#include "track_fixture.h"

/* The clip as the network sees it, which is twice as small as the tracker sees it. */
static const struct tf_sizes small = { 28, 42, 28, 42, 56, 84 };
/* Larger than what is saved as .npz, and half as large for the tracker. */
static const struct tf_sizes large = { 84, 168, 350, 700, 175, 350 };

static const char *const metadata[] = { "run", "0123", "arm", "after", NULL };

static char file[128];

static int set_up(void **state)
{
	int failed = folder_make(state);

	snprintf(file, sizeof(file), "%s/x", folder);
	return failed;
}

static void near(double got, double want, double tolerance)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("%.9g, wanted %.9g", got, want);
}

/* ---- tensors ------------------------------------------------------------------------------------------------- */

static const float *tensor(const struct sb_safetensors *st, const char *name, int ndim, const int64_t *shape)
{
	const struct sb_safetensor *t = sb_safetensors_find(st, name);

	if (!t)
		fail_msg("no tensor '%s'", name);
	assert_int_equal(t->ndim, ndim);
	for (int i = 0; i < ndim; i++)
		assert_int_equal(t->shape[i], shape[i]);
	return t->data;
}

static struct sb_safetensors *save_and_open(const struct track_fixture *x)
{
	struct sb_save to = { .file = file, .metadata = metadata };
	struct sb_safetensors *st = NULL;
	struct sb_error err;

	if (sb_results_save(&x->results, &to, &err) || sb_safetensors_open(file, &st, &err))
		fail_msg("%s", err.msg);
	return st;
}

static void tracks_are_saved_frame_by_frame_in_the_networks_pixels(void **state)
{
	const int64_t shape[] = { TF_FRAMES, TF_QUERIES, 3 }, shape6[] = { TF_FRAMES, TF_QUERIES, 6 };
	const float *p, *p6, *vis, *conf;
	struct sb_safetensors *st;
	struct track_fixture x;

	(void)state;
	tf_init(&x, &small);
	x.out.vis[1 * TF_FRAMES + 2] = 0.3f;
	st = save_and_open(&x);
	assert_int_equal(sb_safetensors_count(st), 7 + 11);
	p = tensor(st, "tracks_2d", 3, shape);
	p6 = tensor(st, "tracks_3d", 3, shape6);
	vis = tensor(st, "tracks_visibility", 2, shape);
	conf = tensor(st, "tracks_confidence", 2, shape);
	for (int64_t f = 0; f < TF_FRAMES; f++) {
		for (int64_t n = 0; n < TF_QUERIES; n++) {
			int64_t i = f * TF_QUERIES + n, from = n * TF_FRAMES + f;

			near(p[i * 3], x.out.xyz2[from * 3] * 0.5, 1e-5);
			near(p[i * 3 + 1], x.out.xyz2[from * 3 + 1] * 0.5, 1e-5);
			assert_true(p[i * 3 + 2] == 2.0f + (float)n);
			assert_memory_equal(p6 + i * 6, x.out.xyz3 + from * 6, 6 * sizeof(float));
			assert_true(vis[i] == (n == 1 && f == 2 ? 0.3f : 1.0f));
			assert_true(conf[i] == x.out.conf[from]);
		}
	}
	assert_string_equal(sb_safetensors_metadata(st, "tracks_not_finite"), "0");
	assert_string_equal(sb_safetensors_metadata(st, "arm"), "after");
	sb_safetensors_close(st);
	tf_release(&x);
}

static void queries_are_saved_as_they_were_asked_for(void **state)
{
	const float *q, *follows;
	struct sb_safetensors *st;
	struct track_fixture x;

	(void)state;
	tf_init(&x, &small);
	x.queries[3 * 3] = 2.0f; /* its frame is no pixel */
	st = save_and_open(&x);
	q = tensor(st, "tracks_queries", 2, (const int64_t[]){ TF_QUERIES, 3 });
	follows = tensor(st, "tracks_follows", 1, (const int64_t[]){ TF_QUERIES });
	for (int i = 0; i < TF_QUERIES; i++) {
		assert_true(q[i * 3] == (i == 3 ? 2.0f : 0.0f));
		assert_true(q[i * 3 + 1] == 2.0f * (float)i && q[i * 3 + 2] == 4.0f);
		assert_true(follows[i] == (i == 2 ? 0.0f : (float)i));
	}
	sb_safetensors_close(st);
	x.tracks.follows = NULL;
	st = save_and_open(&x);
	assert_true(tensor(st, "tracks_follows", 1, (const int64_t[]){ TF_QUERIES })[2] == 2.0f);
	sb_safetensors_close(st);
	tf_release(&x);
}

static void cameras_and_the_point_map_are_the_trackers(void **state)
{
	const int64_t m4[] = { TF_FRAMES, 4, 4 }, m3[] = { TF_FRAMES, 3, 3 };
	const int64_t map[] = { TF_FRAMES, 28, 42, 3 };
	const float *c2w, *w2c, *k, *points, *valid;
	struct sb_safetensors *st;
	struct track_fixture x;

	(void)state;
	tf_init(&x, &small);
	st = save_and_open(&x);
	c2w = tensor(st, "tracks_c2w", 3, m4);
	w2c = tensor(st, "tracks_w2c", 3, m4);
	k = tensor(st, "tracks_intrinsics", 3, m3);
	points = tensor(st, "tracks_points", 4, map);
	valid = tensor(st, "tracks_valid", 3, map);
	assert_memory_equal(c2w, x.out.c2w, sizeof(float) * TF_FRAMES * 16);
	for (int f = 0; f < TF_FRAMES; f++) {
		for (int i = 0; i < 16; i++) {
			double sum = 0.0;

			for (int c = 0; c < 4; c++)
				sum += (double)w2c[f * 16 + i / 4 * 4 + c] * (double)c2w[f * 16 + c * 4 + i % 4];
			near(sum, i % 5 == 0, 1e-6);
		}
		near(k[f * 9], (300.0 + f) / 2, 1e-4);
		near(k[f * 9 + 2], 21, 1e-5);
		near(k[f * 9 + 4], 140, 1e-4);
		near(k[f * 9 + 5], 14, 1e-5);
		assert_true(k[f * 9 + 8] == 1.0f);
	}
	for (int y = 0; y < 28; y += 9) {
		for (int cx = 0; cx < 42; cx += 4) { /* the last frame; corners lie on corners */
			const float *p = points + ((2 * 28 + y) * 42 + cx) * 3;

			near(p[0], TF_DEPTH * (cx * 83.0 / 41.0 - 42.0) / 250.0, 1e-5);
			near(p[1], TF_DEPTH * (y * 55.0 / 27.0 - 28.0) / 280.0, 1e-5);
			near(p[2], TF_DEPTH, 1e-6);
			if (cx != 20)
				near(valid[(2 * 28 + y) * 42 + cx], cx > 20, 1e-6);
		}
	}
	sb_safetensors_close(st);
	tf_release(&x);
}

/* ---- npz ----------------------------------------------------------------------------------------------------- */

static void save_npz(const struct track_fixture *x, struct npz *z)
{
	struct sb_save to = { .npz = file, .metadata = metadata };
	struct sb_error err;

	if (sb_results_save(&x->results, &to, &err))
		fail_msg("%s", err.msg);
	npz_read(file, z);
	assert_int_equal(z->n, 7);
}

static const struct npz_array *array(const struct npz *z, const char *name, int ndim, const int64_t *shape)
{
	const struct npz_array *a = npz_find(z, name);

	assert_int_equal(a->ndim, ndim);
	for (int i = 0; i < ndim; i++)
		if (a->shape[i] != shape[i])
			fail_msg("%s: dimension %d is %lld", name, i, (long long)a->shape[i]);
	return a;
}

/* What a viewer does: points of the world through the cameras must come out where the tracks are in the pictures. */
static void check_projection(const struct track_fixture *x, const struct npz *z, double sx, double sy)
{
	const float *coords = array(z, "coords", 3, (const int64_t[]){ TF_FRAMES, TF_QUERIES, 3 })->values;
	const float *e = array(z, "extrinsics", 3, (const int64_t[]){ TF_FRAMES, 4, 4 })->values;
	const float *k = array(z, "intrinsics", 3, (const int64_t[]){ TF_FRAMES, 3, 3 })->values;

	for (int f = 0; f < TF_FRAMES; f++, e += 16, k += 9) {
		for (int n = 0; n < TF_QUERIES; n++) {
			const float *p = coords + (f * TF_QUERIES + n) * 3;
			double c[3];
			float px, py;

			for (int r = 0; r < 3; r++)
				c[r] = e[r * 4] * p[0] + e[r * 4 + 1] * p[1] + e[r * 4 + 2] * p[2] + e[r * 4 + 3];
			tf_xy(x, n, f, &px, &py);
			near(k[0] * c[0] / c[2] + k[2], px * sx, 1e-3);
			near(k[4] * c[1] / c[2] + k[5], py * sy, 1e-3);
			near(c[2], 2.0 + n, 1e-5);
		}
	}
}

static void points_project_to_where_their_tracks_are(void **state)
{
	struct track_fixture x;
	struct npz z;

	(void)state;
	tf_init(&x, &small);
	save_npz(&x, &z);
	check_projection(&x, &z, 0.5, 0.5);
	npz_release(&z);
	tf_release(&x);
	tf_init(&x, &large);
	save_npz(&x, &z);
	check_projection(&x, &z, 2 * 336.0 / 700.0, 2 * 336.0 / 700.0);
	npz_release(&z);
	tf_release(&x);
}

static void pictures_are_at_most_336_long(void **state)
{
	struct track_fixture x;
	struct npz z;

	(void)state;
	tf_init(&x, &large);
	save_npz(&x, &z);
	array(&z, "depths", 3, (const int64_t[]){ TF_FRAMES, 168, 336 });
	array(&z, "unc_metric", 3, (const int64_t[]){ TF_FRAMES, 168, 336 });
	array(&z, "video", 4, (const int64_t[]){ TF_FRAMES, 3, 168, 336 });
	npz_release(&z);
	tf_release(&x);
}

static void depth_is_zero_where_it_may_not_be_used(void **state)
{
	const float *depths, *conf;
	struct track_fixture x;
	struct npz z;
	int used = 0;

	(void)state;
	tf_init(&x, &large);
	save_npz(&x, &z);
	depths = npz_find(&z, "depths")->values;
	conf = npz_find(&z, "unc_metric")->values;
	for (int i = 0; i < TF_FRAMES * 168 * 336; i++) {
		near(conf[i], i % 336 < 168 ? 0 : 1, i % 336 < 166 || i % 336 > 169 ? 1e-6 : 1.0);
		near(depths[i], conf[i] < 0.5f ? 0.0 : (double)TF_DEPTH, 1e-5);
		used += depths[i] != 0.0f;
	}
	near(used, TF_FRAMES * 168 * 168, TF_FRAMES * 168 * 2);
	npz_release(&z);
	tf_release(&x);
}

/* The clip has the network's size, so its pixels are saved as they are, channel by channel. */
static void video_is_the_frames_from_0_to_1(void **state)
{
	struct track_fixture x;
	const float *v;
	struct npz z;

	(void)state;
	tf_init(&x, &small);
	x.rgb[1] = 255;
	save_npz(&x, &z);
	v = array(&z, "video", 4, (const int64_t[]){ TF_FRAMES, 3, 28, 42 })->values;
	for (int f = 0; f < TF_FRAMES; f++)
		for (int c = 0; c < 3; c++)
			for (int i = 0; i < 28 * 42; i++)
				near(v[(f * 3 + c) * 28 * 42 + i], x.rgb[(f * 28 * 42 + i) * 3 + c] / 255.0, 1e-6);
	npz_release(&z);
	tf_release(&x);
	tf_init(&x, &large); /* bicubic: beyond black and white at edges */
	for (int i = 0; i < TF_FRAMES * 84 * 168 * 3; i++)
		x.rgb[i] = i / 30 % 2 ? 255 : 0;
	save_npz(&x, &z);
	v = npz_find(&z, "video")->values;
	for (int64_t i = 0; i < npz_find(&z, "video")->n; i++)
		assert_true(v[i] >= 0.0f && v[i] <= 1.0f);
	npz_release(&z);
	tf_release(&x);
}

static void lost_points_are_invisible_and_counted(void **state)
{
	struct sb_safetensors *st;
	struct track_fixture x;
	const float *vis;
	struct npz z;

	(void)state;
	tf_init(&x, &small);
	x.out.xyz2[0] = NAN;
	x.out.xyz3[(TF_FRAMES + 1) * 6 + 2] = INFINITY;
	x.out.vis[2 * TF_FRAMES + 2] = NAN;
	x.out.vis[3 * TF_FRAMES] = 0.0f;              /* not begun */
	x.out.xyz2[TF_QUERIES * TF_FRAMES * 3] = NAN; /* a support point: in no file */
	save_npz(&x, &z);
	vis = array(&z, "visibs", 2, (const int64_t[]){ TF_FRAMES, TF_QUERIES })->values;
	for (int f = 0; f < TF_FRAMES; f++) {
		for (int n = 0; n < TF_QUERIES; n++) {
			bool lost =
			        (n == 0 && f == 0) || (n == 1 && f == 1) || (n == 2 && f == 2) || (n == 3 && f == 0);

			assert_true(vis[f * TF_QUERIES + n] == (lost ? 0.0f : 1.0f));
		}
	}
	assert_string_equal(z.comment, "not_finite=2\nrun=0123\narm=after\n");
	npz_release(&z);
	st = save_and_open(&x);
	assert_string_equal(sb_safetensors_metadata(st, "tracks_not_finite"), "2");
	sb_safetensors_close(st);
	tf_release(&x);
}

static void nobody_needs_a_query(void **state)
{
	struct sb_safetensors *st;
	struct track_fixture x;
	struct npz z;

	(void)state;
	tf_init(&x, &small);
	x.tracks.n_queries = 0;
	save_npz(&x, &z);
	assert_int_equal(npz_find(&z, "coords")->n, 0);
	npz_release(&z);
	st = save_and_open(&x);
	assert_int_equal(sb_safetensors_find(st, "tracks_2d")->n, 0);
	sb_safetensors_close(st);
	tf_release(&x);
}

static void a_full_disk_leaves_nothing_half_written(void **state)
{
	struct sb_save to = { .npz = file, .metadata = metadata };
	struct track_fixture x;
	struct sb_error err;
	struct stat st;
	struct npz z;

	(void)state;
	tf_init(&x, &small);
	save_npz(&x, &z);
	npz_release(&z);
	assert_int_equal(stat(file, &st), 0);
	for (int i = 0; i < 20; i++) { /* in each of its members */
		limit_files((rlim_t)(st.st_size * i / 20));
		assert_int_equal(sb_results_save(&x.results, &to, &err), SB_E_DATA);
		assert_non_null(strstr(err.msg, "/x': File too large"));
	}
	limit_files(NO_LIMIT);
	assert_int_equal(files_in(folder), 1);
	npz_read(file, &z);
	npz_release(&z);
	tf_release(&x);
}

static void tracks_that_are_not_there_are_not_saved(void **state)
{
	struct sb_save to = { .npz = file, .file = file };
	struct track_fixture x;
	struct sb_error err;

	(void)state;
	tf_init(&x, &small);
	x.results.tracks = NULL;
	assert_int_equal(sb_results_save(&x.results, &to, &err), SB_E_USAGE);
	assert_string_equal(err.msg, "there are no tracks to save: the tracker did not run");
	assert_int_equal(files_in(folder), 0);
	tf_release(&x);
}

/* ---- shrinking ----------------------------------------------------------------------------------------------- */

static void shrink(const float *in, int64_t step, int64_t h, int64_t w, int64_t out_h, int64_t out_w, float *out)
{
	struct sb_shrink s;
	struct sb_error err;

	assert_int_equal(sb_shrink_init(&s, h, w, out_h, out_w, &err), SB_OK);
	sb_shrink_run(&s, in, step, out);
	sb_shrink_release(&s);
}

static void shrinking_weighs_by_a_triangle(void **state)
{
	float in[8], out[4], column[3];

	(void)state;
	for (int hot = 0; hot < 8; hot++) {
		static const double inner[] = { 0, 0.125, 0.375, 0.375, 0.125, 0, 0, 0 };
		static const double border[] = { 3.0 / 7, 3.0 / 7, 1.0 / 7, 0, 0, 0, 0, 0 };

		for (int i = 0; i < 8; i++)
			in[i] = i == hot;
		shrink(in, 1, 1, 8, 1, 4, out);
		near(out[0], border[hot], 1e-7);
		near(out[1], inner[hot], 1e-7);
		near(out[3], border[7 - hot], 1e-7);
		shrink(in, 1, 8, 1, 4, 1, out);
		near(out[1], inner[hot], 1e-7);
	}
	for (int i = 0; i < 8; i++)
		in[i] = 3.0f;
	shrink(in, 1, 8, 1, 3, 1, column);
	for (int i = 0; i < 3; i++)
		near(column[i], 3.0, 1e-6);
}

static void nothing_changes_at_equal_size(void **state)
{
	float in[3 * 4 * 2], out[12];

	(void)state;
	for (int i = 0; i < 24; i++)
		in[i] = (float)(i * i);
	shrink(in + 1, 2, 3, 4, 3, 4, out);
	for (int i = 0; i < 12; i++)
		assert_true(out[i] == in[1 + i * 2]);
}

/* A plane stays about a plane (few taps: their mean is up to 0.1 pixels off): half a pixel would show. */
static void shrinking_moves_nothing(void **state)
{
	float *in = malloc(60 * 100 * sizeof(float)), *out = malloc(36 * 60 * sizeof(float));

	(void)state;
	assert_true(in && out);
	for (int y = 0; y < 60; y++)
		for (int x = 0; x < 100; x++)
			in[y * 100 + x] = (float)(3 * x - 2 * y);
	shrink(in, 1, 60, 100, 36, 60, out);
	for (int y = 2; y < 34; y++)
		for (int x = 2; x < 58; x++)
			near(out[y * 60 + x], 3 * ((x + 0.5) * 100 / 60 - 0.5) - 2 * ((y + 0.5) * 60 / 36 - 0.5), 0.6);
	near(out[18 * 60 + 31] - out[18 * 60 + 28], 3 * 3 * 100.0 / 60, 1e-3);
	free(in);
	free(out);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tracks_are_saved_frame_by_frame_in_the_networks_pixels),
		TEST(queries_are_saved_as_they_were_asked_for),
		TEST(cameras_and_the_point_map_are_the_trackers),
		TEST(points_project_to_where_their_tracks_are),
		TEST(pictures_are_at_most_336_long),
		TEST(depth_is_zero_where_it_may_not_be_used),
		TEST(video_is_the_frames_from_0_to_1),
		TEST(lost_points_are_invisible_and_counted),
		TEST(nobody_needs_a_query),
		TEST(a_full_disk_leaves_nothing_half_written),
		TEST(tracks_that_are_not_there_are_not_saved),
		cmocka_unit_test(shrinking_weighs_by_a_triangle),
		cmocka_unit_test(nothing_changes_at_equal_size),
		cmocka_unit_test(shrinking_moves_nothing),
	};
	return cmocka_run_group_tests_name("save_tracks", tests, NULL, NULL);
}
