#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "kernel_check.h"
#include "pointwise.h"
#include "sb_base.h"

/* Odd counts: alone, around a vectorised period (16 pixels of 3 channels), around a thread's piece (2048, 6144), large.
 */
static const int64_t counts[] = { 0, 1, 5, 15, 16, 17, 2047, 2048, 2049, 6143, 6144, 6145, 40001 };

static void channel_affine_agrees_with_the_double_loops(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(counts); i++) {
		int64_t n = counts[i];
		float *x = kc_gauss(3 * n, 1, 100.0, 60.0), *y = kc_poisoned(3 * n), *ref = kc_poisoned(3 * n);
		struct sb_channel_affine_args a = { .x = x,
			.y = ref,
			.n = n,
			.scale = { 0.0171247538f, 0.0175070028f, 0.0174291939f },
			.offset = { -2.1f, 2.0f, -1.8f } };

		sb_channel_affine_ref(&a);
		a.y = y;
		sb_channel_affine_cpu(&a);
		assert_true(kc_error(y, ref, 3 * n) <= 2.0 * KC_ROUNDING);
		a.y = x; /* in place gives the same */
		sb_channel_affine_cpu(&a);
		assert_true(kc_same_bits(x, y, 3 * n));
		free(x);
		free(y);
		free(ref);
	}
}

static void tokens_are_specials_then_patches_with_positions(void **state)
{
	static const int64_t shapes[][4] = { { 1, 1, 1, 1 }, { 3, 5, 12, 33 }, { 2, 0, 7, 16 }, { 2, 5, 180, 64 } };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes) * 2; i++) {
		const int64_t *s = shapes[i / 2];
		int64_t n = s[0] * (s[1] + s[2]) * s[3], n_x = s[0] * s[2] * s[3];
		float *x = kc_gauss(n_x, 1, 0.0, 1.0), *pos = kc_gauss(s[2] * s[3], 2, 0.0, 1.0);
		float *specials = kc_gauss(2 * s[1] * s[3], 3, 0.0, 1.0), *y = kc_poisoned(n), *ref = kc_poisoned(n);
		struct sb_tokens_args a = { .x = x,
			.pos = i % 2 ? pos : NULL,
			.specials = specials,
			.out = ref,
			.frames = s[0],
			.special = s[1],
			.patches = s[2],
			.dim = s[3] };

		sb_tokens_ref(&a);
		a.out = y;
		sb_tokens_cpu(&a);
		assert_true(kc_same_bits(y, ref, n));    /* one addition, rounded once, on both sides */
		assert_true(kc_error(y, ref, n) == 0.0); /* so nothing is NaN: all was written */
		free(x);
		free(pos);
		free(specials);
		free(y);
		free(ref);
	}
}

static void later_frames_take_the_second_set_of_specials(void **state)
{
	float specials[4] = { 1, 2, 3, 4 }, x[3] = { 10, 20, 30 }, out[9];
	static const float expected[9] = { 1, 2, 10, 3, 4, 20, 3, 4, 30 };
	struct sb_tokens_args a = {
		.x = x, .specials = specials, .out = out, .frames = 3, .special = 2, .patches = 1, .dim = 1
	};
	void (*const both[2])(const struct sb_tokens_args *) = { sb_tokens_cpu, sb_tokens_ref };

	(void)state;
	for (int i = 0; i < 2; i++) {
		a.x = x;
		memset(out, 0xff, sizeof(out));
		both[i](&a);
		assert_memory_equal(out, expected, sizeof(out));
		a.x = NULL;
		memset(out, 0xff, sizeof(out));
		both[i](&a);
		for (int j = 0; j < 9; j++)
			assert_true(j % 3 == 2 ? isnan(out[j]) : out[j] == expected[j]);
	}
}

static void copies_keep_to_their_columns_and_can_repeat_a_row(void **state)
{
	static const int64_t shapes[][4] = { /* rows, cols, ld_src, ld_dst */
		{ 1, 1, 1, 1 }, { 5, 7, 7, 9 }, { 4, 3, 0, 3 }, { 300, 129, 140, 131 }, { 3, 0, 4, 4 }
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes); i++) {
		int64_t rows = shapes[i][0], cols = shapes[i][1], ld_src = shapes[i][2], ld_dst = shapes[i][3];
		float *src = kc_gauss((rows - 1) * ld_src + cols, 1, 0.0, 1.0), *dst = kc_poisoned(rows * ld_dst);
		float *ref = kc_poisoned(rows * ld_dst);
		struct sb_copy2d_args a = {
			.src = src, .dst = ref, .rows = rows, .cols = cols, .ld_src = ld_src, .ld_dst = ld_dst
		};

		sb_copy2d_ref(&a);
		a.dst = dst;
		sb_copy2d_cpu(&a);
		assert_true(kc_same_bits(dst, ref, rows * ld_dst));
		for (int64_t j = 0; j < rows * ld_dst; j++)
			assert_true(
			        j % ld_dst < cols ? dst[j] == src[j / ld_dst * ld_src + j % ld_dst] : isnan(dst[j]));
		free(src);
		free(dst);
		free(ref);
	}
}

static void positions_are_added_by_column_then_by_row(void **state)
{
	static const int64_t shapes[][4] = { { 1, 1, 1, 2 }, { 2, 5, 7, 34 }, { 1, 3, 2, 30 }, { 2, 20, 36, 256 } };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes); i++) {
		int64_t n = shapes[i][0], h = shapes[i][1], w = shapes[i][2], c = shapes[i][3], all = n * h * w * c;
		float *x = kc_gauss(all, 1, 0.0, 1.0), *ref = kc_copy(x, all), *before = kc_copy(x, all);
		float *u = kc_gauss(w * c / 2, 2, 0.0, 0.1), *v = kc_gauss(h * c / 2, 3, 0.0, 0.1);
		struct sb_add_position_args a = { .x = ref, .u = u, .v = v, .n = n, .h = h, .w = w, .c = c };

		sb_add_position_ref(&a);
		a.x = x;
		sb_add_position_cpu(&a);
		assert_true(kc_same_bits(x, ref, all));
		/* the last pixel's first and last channel, by hand */
		assert_true(x[all - c] == before[all - c] + u[(w - 1) * (c / 2)]);
		assert_true(x[all - 1] == before[all - 1] + v[h * (c / 2) - 1]);
		free(x);
		free(ref);
		free(before);
		free(u);
		free(v);
	}
}

static void depth_is_exp_and_confidence_the_sigmoid(void **state)
{
	static const float edges[] = { 0.0f, 0.0f, 90.0f, 200.0f, -110.0f, -200.0f, INFINITY, INFINITY, -INFINITY,
		-INFINITY };
	float depth[5], conf[5];
	struct sb_depth_out_args a = { .x = edges, .depth = depth, .conf = conf, .n = 5 };

	(void)state;
	sb_depth_out_cpu(&a);
	assert_true(depth[0] == 1.0f && conf[0] == 0.5f);
	assert_true(isinf(depth[1]) && conf[1] == 1.0f && depth[2] == 0.0f && conf[2] >= 0.0f && conf[2] < 1e-30f);
	assert_true(isinf(depth[3]) && conf[3] == 1.0f && depth[4] == 0.0f && conf[4] >= 0.0f && conf[4] < 1e-30f);
	for (size_t i = 0; i < SB_ARRAY_LEN(counts); i++) {
		int64_t n = counts[i];
		float *x = kc_gauss(2 * n, 1, 0.0, 3.0), *got = kc_poisoned(2 * n), *ref = kc_poisoned(2 * n);

		a = (struct sb_depth_out_args){ .x = x, .depth = ref, .conf = ref + n, .n = n };
		sb_depth_out_ref(&a);
		a.depth = got;
		a.conf = got + n;
		sb_depth_out_cpu(&a);
		for (int64_t j = 0; j < 2 * n; j++) /* exp within 1.5 ulp, then a sum and a division */
			assert_true(fabs((double)got[j] - ref[j]) <= 2.5e-7 * ref[j]);
		free(x);
		free(got);
		free(ref);
	}
}

/* ---- cameras -------------------------------------------------------------------------------------------------- */

struct cameras {
	float enc[9], w2c[16], c2w[16], k[9];
};

static struct cameras decode(const float *p, int64_t height, int64_t width)
{
	struct cameras c;
	struct sb_pose_decode_args a = { .p = p,
		.enc = c.enc,
		.w2c = c.w2c,
		.c2w = c.c2w,
		.k = c.k,
		.frames = 1,
		.height = height,
		.width = width };

	memset(&c, 0xff, sizeof(c));
	sb_pose_decode_cpu(&a);
	return c;
}

/* Pose, matrix and intrinsics that the reference network itself gave for two frames at 768x576. */
static void poses_decode_as_in_the_reference_network(void **state)
{
	static const float p[2][9] = {
		{ -0.204674929f, -0.00966540258f, -0.170255482f, -0.0639418662f, 0.154256672f, -0.222801164f,
		        0.955109119f, 1.26053834f, 0.987750649f },
		{ 0.357502341f, -0.160380334f, -0.779557943f, -0.339900196f, -0.349870563f, -0.569423556f, 1.14505017f,
		        1.51459253f, 0.908284485f },
	};
	static const float c2w[2][16] = {
		{ 0.851609111f, -0.449934244f, -0.268925756f, 0.12416815f, 0.410072148f, 0.89143008f, -0.192855388f,
		        0.0597128272f, 0.326500773f, 0.0539584532f, 0.94365555f, 0.22801058f, 0, 0, 0, 1 },
		{ 0.523144484f, -0.569145858f, 0.634344339f, 0.216203049f, 0.823071003f, 0.530486882f, -0.202824637f,
		        -0.367283732f, -0.221074507f, 0.628217101f, 0.745968878f, 0.761314213f, 0, 0, 0, 1 },
	};
	static const float k[2][9] = {
		{ 713.255676f, 0, 384, 0, 394.776306f, 288, 0, 0, 1 },
		{ 786.604492f, 0, 384, 0, 304.65921f, 288, 0, 0, 1 },
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct cameras c = decode(p[i], 576, 768);

		assert_true(kc_error(c.c2w, c2w[i], 16) <= 3e-7);
		assert_true(kc_error(c.k, k[i], 9) <= 3e-7);
		assert_true(kc_same_bits(c.enc, p[i], 9));
	}
}

static void poses_agree_with_the_double_loops_whatever_the_norm(void **state)
{
	enum { FRAMES = 200 };
	float *p = kc_gauss(FRAMES * 9, 1, 0.0, 1.0), *got = kc_poisoned(FRAMES * 50), *ref = kc_poisoned(FRAMES * 50);
	struct sb_pose_decode_args a = { .p = p,
		.enc = ref,
		.w2c = ref + FRAMES * 9,
		.c2w = ref + FRAMES * 25,
		.k = ref + FRAMES * 41,
		.frames = FRAMES,
		.height = 140,
		.width = 252 };

	(void)state;
	for (int i = 0; i < FRAMES; i++) {
		for (int j = 3; j < 7; j++)
			p[9 * i + j] *= i % 3 == 0 ? 1e-3f : i % 3 == 1 ? 1.0f : 50.0f;
		p[9 * i + 7] = 0.3f + (float)i / 150.0f;
		p[9 * i + 8] = 1.7f - (float)i / 150.0f;
	}
	sb_pose_decode_ref(&a);
	a = (struct sb_pose_decode_args){ .p = p,
		.enc = got,
		.w2c = got + FRAMES * 9,
		.c2w = got + FRAMES * 25,
		.k = got + FRAMES * 41,
		.frames = FRAMES,
		.height = 140,
		.width = 252 };
	sb_pose_decode_cpu(&a);
	assert_true(kc_same_bits(got, ref, FRAMES * 9));
	for (int i = 0; i < FRAMES; i++) {
		assert_true(kc_error(a.w2c + 16 * i, ref + FRAMES * 9 + 16 * i, 16) <= 4e-7);
		assert_true(kc_error(a.c2w + 16 * i, ref + FRAMES * 25 + 16 * i, 16) <= 4e-7);
		assert_true(kc_error(a.k + 9 * i, ref + FRAMES * 41 + 9 * i, 9) <= 2e-7);
	}
	sb_pose_decode_cpu(&(struct sb_pose_decode_args){ .p = p,
	        .enc = p,
	        .w2c = a.w2c,
	        .c2w = a.c2w,
	        .k = a.k,
	        .frames = FRAMES,
	        .height = 140,
	        .width = 252 });
	assert_true(kc_same_bits(p, ref, FRAMES * 9)); /* enc may be p */
	free(p);
	free(got);
	free(ref);
}

static void a_negative_field_of_view_becomes_zero_and_its_focal_length_infinite(void **state)
{
	static const float p[9] = { 1, 2, 3, 0, 0, 0, 2, -0.5f, 1.0f };
	struct cameras c = decode(p, 100, 200);

	(void)state;
	assert_true(c.enc[7] == 0.0f && c.enc[8] == 1.0f && isinf(c.k[4]) && c.k[4] > 0.0f);
	assert_true(fabsf(c.k[0] - 183.048772f) < 1e-4f && c.k[2] == 100.0f && c.k[5] == 50.0f); /* 100 / tan 0.5 */
	for (int i = 0; i < 12; i++) /* the identity with a translation, and back */
		assert_true(i % 4 == 3 ? c.w2c[i] == p[i / 4] && c.c2w[i] == -p[i / 4]
		                       : c.w2c[i] == (float)(i % 5 == 0) && c.c2w[i] == c.w2c[i]);
}

static void points_are_depth_times_the_inverse_of_k(void **state)
{
	static const int64_t shapes[][3] = { { 1, 1, 1 }, { 2, 5, 17 }, { 3, 70, 126 } };
	static const float k[3][9] = { { 300, 0, 168, 0, 280, 126, 0, 0, 1 }, { 100, 0, 8, 0, 120, 2, 0, 0, 1 },
		{ 250, 0, 60, 0, INFINITY, 35, 0, 0, 1 } };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes); i++) {
		int64_t n = shapes[i][0] * shapes[i][1] * shapes[i][2];
		float *depth = kc_gauss(n, 1, 5.0, 1.0), *got = kc_poisoned(3 * n), *ref = kc_poisoned(3 * n);
		struct sb_unproject_args a = { .depth = depth,
			.k = k[0],
			.points = ref,
			.frames = shapes[i][0],
			.h = shapes[i][1],
			.w = shapes[i][2] };
		double u = (double)(a.w - 1);

		sb_unproject_ref(&a);
		a.points = got;
		sb_unproject_cpu(&a);
		assert_true(kc_error(got, ref, 3 * n) <= 2.0 * KC_ROUNDING);
		for (int64_t j = 0; j < n; j++)
			assert_true(got[3 * j + 2] == depth[j]);
		/* the last pixel by hand */
		assert_true(fabs(got[3 * n - 3] - depth[n - 1] * (u - k[a.frames - 1][2]) / k[a.frames - 1][0]) < 1e-5);
		free(depth);
		free(got);
		free(ref);
	}
}

static void nothing_depends_on_the_number_of_threads(void **state)
{
	enum { N = 50000 };
	int before = omp_get_max_threads();
	float *x = kc_gauss(2 * N, 1, 0.0, 1.0), *y[3];
	static const int threads[3] = { 1, 2, 4 };
	static const float k[9] = { 300, 0, 168, 0, 280, 126, 0, 0, 1 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		y[i] = kc_poisoned(6 * N);
		omp_set_num_threads(threads[i]);
		sb_depth_out_cpu(&(struct sb_depth_out_args){ .x = x, .depth = y[i], .conf = y[i] + N, .n = N });
		sb_unproject_cpu(&(struct sb_unproject_args){
		        .depth = y[i], .k = k, .points = y[i] + 2 * N, .frames = 1, .h = 100, .w = N / 100 });
		sb_channel_affine_cpu(&(struct sb_channel_affine_args){ .x = y[i] + 2 * N,
		        .y = y[i] + 2 * N,
		        .n = N,
		        .scale = { 0.1f, 0.2f, 0.3f },
		        .offset = { 1.0f, 2.0f, 3.0f } });
		sb_copy2d_cpu(&(struct sb_copy2d_args){ .src = x,
		        .dst = y[i] + 5 * N,
		        .rows = 100,
		        .cols = N / 100,
		        .ld_src = N / 100,
		        .ld_dst = N / 100 });
		assert_true(kc_same_bits(y[0], y[i], 6 * N));
	}
	omp_set_num_threads(before);
	for (int i = 0; i < 3; i++)
		free(y[i]);
	free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channel_affine_agrees_with_the_double_loops),
		cmocka_unit_test(tokens_are_specials_then_patches_with_positions),
		cmocka_unit_test(later_frames_take_the_second_set_of_specials),
		cmocka_unit_test(copies_keep_to_their_columns_and_can_repeat_a_row),
		cmocka_unit_test(positions_are_added_by_column_then_by_row),
		cmocka_unit_test(depth_is_exp_and_confidence_the_sigmoid),
		cmocka_unit_test(poses_decode_as_in_the_reference_network),
		cmocka_unit_test(poses_agree_with_the_double_loops_whatever_the_norm),
		cmocka_unit_test(a_negative_field_of_view_becomes_zero_and_its_focal_length_infinite),
		cmocka_unit_test(points_are_depth_times_the_inverse_of_k),
		cmocka_unit_test(nothing_depends_on_the_number_of_threads),
	};

	return cmocka_run_group_tests_name("pointwise", tests, NULL, NULL);
}
