#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "kernel_check.h"
#include "sb_base.h"
#include "track.h"

/*
 * Every kernel has a runner: it makes inputs from the shape and a seed, runs the CPU version, the reference or the same
 * maths in plain float, and gives back what was written. Two tests go through the table of runners.
 */
enum version { CPU, REFERENCE, PLAIN };

#define MAX_PARTS 7

struct result {
	float *part[MAX_PARTS];
	int64_t len[MAX_PARTS];
	int parts;
};

static void keep(struct result *r, float *v, int64_t n)
{
	r->part[r->parts] = v;
	r->len[r->parts++] = n;
}

static void result_free(struct result *r)
{
	for (int i = 0; i < r->parts; i++)
		free(r->part[i]);
}

/* n rows of `cols` with `gap` floats between them, which must still be NaN, into a dense array; frees v. */
static float *packed(float *v, int64_t rows, int64_t cols, int64_t gap)
{
	float *dense = kc_poisoned(rows * cols);

	for (int64_t i = 0; i < rows * (cols + gap); i++) {
		int64_t row = i / (cols + gap), col = i % (cols + gap);

		if (col < cols)
			dense[row * cols + col] = v[i];
		else
			assert_true(isnan(v[i]));
	}
	free(v);
	return dense;
}

/* Meaning of the numbers: tracks, frames, and a free one for state; images, height, width, channels for maps. */
struct shape {
	int64_t n, a, b, c;
};

/* ---- posenc ----------------------------------------------------------------------------------------------------- */

static struct result run_posenc(const struct shape *s, enum version version)
{
	int64_t d = s->b, degrees = s->c, rows = s->n * s->a, cols = d * (1 + 2 * degrees), gap = 3;
	float *x = kc_gauss(rows * (d + 2), 1, 0.0, 2.0);
	struct sb_posenc_args a = { .x = x,
		.y = kc_poisoned(rows * (cols + gap)),
		.rows = rows,
		.d = d,
		.degrees = degrees,
		.ldx = d + 2,
		.ldy = cols + gap };
	struct result r = { .parts = 0 };

	(version == CPU ? sb_posenc_cpu : sb_posenc_ref)(&a);
	free(x);
	keep(&r, packed(a.y, rows, cols, gap), rows * cols);
	return r;
}

static void codes_are_degree_major_sines_before_shifted_ones(void **state)
{
	const float quarter = 1.57079637f;
	float x[2] = { 0.3f, -2.5f }, y[10];
	struct sb_posenc_args a = { .x = x, .y = y, .rows = 1, .d = 2, .degrees = 2, .ldx = 2, .ldy = 10 };
	const double expected[10] = { 0.3f, -2.5f, sin(0.3f), sin(-2.5f), sin(0.6f), sin(-5.0f), sin(0.3f + quarter),
		sin(-2.5f + quarter), sin(0.6f + quarter), sin(-5.0f + quarter) };

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		(reference ? sb_posenc_ref : sb_posenc_cpu)(&a);
		for (int i = 0; i < 10; i++)
			assert_true(fabs((double)y[i] - expected[i]) <= 6e-8);
	}
}

/* At 2^11 x the sum of v and pi / 2 is rounded so far that it is no longer the cosine's argument. */
static void shifted_sines_round_their_argument(void **state)
{
	float x = 1.9999f, y[25], v = x * 2048.0f, shifted = v + 1.57079637f;
	struct sb_posenc_args a = { .x = &x, .y = y, .rows = 1, .d = 1, .degrees = 12, .ldx = 1, .ldy = 25 };

	(void)state;
	sb_posenc_cpu(&a);
	assert_true(fabs((double)y[24] - sin((double)shifted)) <= 6e-8);
	assert_true(fabs((double)y[24] - cos((double)v)) >= 1e-5);
}

static int64_t ulps_apart(float a, float b)
{
	int32_t ia, ib;

	memcpy(&ia, &a, sizeof(ia));
	memcpy(&ib, &b, sizeof(ib));
	ia = ia < 0 ? INT32_MIN - ia : ia;
	ib = ib < 0 ? INT32_MIN - ib : ib;
	return ia > ib ? (int64_t)ia - ib : (int64_t)ib - ia;
}

/* sin(x) of the kernel, eight at a time so that the vectorised loop runs. */
static void sines_of(const float *x, float *y, int64_t n)
{
	for (int64_t i = 0; i < n; i += 8) {
		float row[8 * 3];
		struct sb_posenc_args a = {
			.x = x + i, .y = row, .rows = 1, .d = n - i < 8 ? n - i : 8, .degrees = 1, .ldx = 8, .ldy = 24
		};

		sb_posenc_cpu(&a);
		memcpy(y + i, row + a.d, (size_t)a.d * sizeof(*y));
	}
}

/* Every 1009th float, multiples of pi / 2 and their neighbours, where the sine is smallest or turns. */
static void sines_are_within_one_unit_in_the_last_place(void **state)
{
	enum { N = 1 << 16 };
	float *x = kc_poisoned(N), *y = kc_poisoned(N);
	int64_t count = 0, off = 0, seen = 0;
	uint32_t bits = 0;

	(void)state;
	for (int64_t multiple = 0; bits < 0x7f800000u || multiple < 400000;) {
		if (bits < 0x7f800000u) {
			memcpy(&x[count], &bits, sizeof(bits));
			if (bits & 1)
				x[count] = -x[count];
			count++;
			bits += 1009;
		} else {
			float at = (float)((double)multiple++ * 1.5707963267948966);

			x[count++] = at;
			x[count++] = -nextafterf(at, 0.0f);
			x[count++] = nextafterf(at, INFINITY);
		}
		if (count > N - 3 || (bits >= 0x7f800000u && multiple == 400000)) {
			sines_of(x, y, count);
			for (int64_t i = 0; i < count; i++) {
				float exact = (float)sin((double)x[i]);

				assert_true(ulps_apart(y[i], exact) <= 1);
				off += y[i] != exact;
			}
			seen += count;
			count = 0;
		}
	}
	print_message("sine: %.2g of %.2g arguments are not rounded to nearest\n", (double)off, (double)seen);
	assert_true((double)off <= 1e-3 * (double)seen);
	free(x);
	free(y);
}

static void sines_of_what_is_no_number_are_nan_and_leave_the_others_alone(void **state)
{
	float x[8] = { 0.5f, INFINITY, -0.0f, -INFINITY, 3e9f, NAN, 1e-40f, -1e38f }, y[8 * 25];
	struct sb_posenc_args a = { .x = x, .y = y, .rows = 1, .d = 8, .degrees = 12, .ldx = 8, .ldy = 8 * 25 };

	(void)state;
	sb_posenc_cpu(&a);
	for (int k = 0; k < 12; k++)
		for (int i = 0; i < 8; i++) {
			float v = ldexpf(x[i], k), s = y[8 + 8 * k + i], shifted = y[8 * 13 + 8 * k + i];

			if (isfinite(v)) {
				assert_true(ulps_apart(s, (float)sin((double)v)) <= 1 && isfinite(shifted));
				assert_true(signbit(s) == signbit((float)sin((double)v)));
			} else {
				assert_true(isnan(s) && isnan(shifted));
			}
		}
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static struct result run_motion(const struct shape *s, enum version version)
{
	int64_t n = s->n * s->a, d = s->b > 3 ? 3 : s->b;
	float *v = kc_gauss(n * d, 1, 0.0, 1.0);
	struct sb_motion_args a = { .v = v,
		.y = kc_poisoned(2 * n * d),
		.n = s->n,
		.frames = s->a,
		.d = d,
		.inv_scale = { 0.25f, 1.0f / 96, 1.0f } };
	struct result r = { .parts = 0 };

	(version == CPU ? sb_motion_cpu : sb_motion_ref)(&a);
	free(v);
	keep(&r, a.y, 2 * n * d);
	return r;
}

static void motion_looks_ahead_then_back_and_is_zero_at_the_ends(void **state)
{
	float v[6] = { 1, 10, 4, 30, 9, 70 }, y[12];
	static const float expected[12] = { -1.5f, -20, 0, 0, -2.5f, -40, 1.5f, 20, 0, 0, 2.5f, 40 };
	struct sb_motion_args a = { .v = v, .y = y, .n = 1, .frames = 3, .d = 2, .inv_scale = { 0.5f, 1.0f } };

	(void)state;
	sb_motion_cpu(&a);
	assert_memory_equal(y, expected, sizeof(y));
	sb_motion_ref(&a);
	assert_memory_equal(y, expected, sizeof(y));
	a = (struct sb_motion_args){ .v = v, .y = y, .n = 3, .frames = 1, .d = 2, .inv_scale = { 1, 1 } };
	sb_motion_cpu(&a);
	for (int i = 0; i < 12; i++)
		assert_true(y[i] == 0.0f);
}

static void group_mean_plain(const struct sb_group_mean_args *a)
{
	for (int64_t i = 0; i < a->rows * a->c; i++) {
		float sum = 0.0f;

		for (int64_t g = 0; g < a->group; g++)
			sum += a->x[(i / a->c * a->group + g) * a->c + i % a->c];
		a->y[i / a->c * a->ldy + i % a->c] = sum / (float)a->group;
	}
}

static struct result run_group_mean(const struct shape *s, enum version version)
{
	int64_t rows = s->n, group = s->a, c = s->b * 5;
	float *x = kc_gauss(rows * group * c, 1, 0.5, 1.0);
	struct sb_group_mean_args a = {
		.x = x, .y = kc_poisoned(rows * (c + 4)), .rows = rows, .group = group, .c = c, .ldy = c + 4
	};
	struct result r = { .parts = 0 };

	(version == CPU ? sb_group_mean_cpu : version == PLAIN ? group_mean_plain : sb_group_mean_ref)(&a);
	free(x);
	keep(&r, packed(a.y, rows, c, 4), rows * c);
	return r;
}

static struct result run_repeat(const struct shape *s, enum version version)
{
	int64_t len = s->b * 7;
	float *x = kc_gauss(s->n * len, 1, 0.0, 1.0);
	struct sb_repeat_args a = { .x = x, .y = kc_poisoned(s->n * s->a * len), .n = s->n, .times = s->a, .len = len };
	struct result r = { .parts = 0 };

	(version == CPU ? sb_repeat_cpu : sb_repeat_ref)(&a);
	free(x);
	keep(&r, a.y, s->n * s->a * len);
	return r;
}

/* b repeats every `a` rows, or, for an odd count of rows, has as many as a; every third shape is in place. */
static struct result run_add(const struct shape *s, enum version version)
{
	int64_t rows = s->n * s->a, cols = s->b * 9, b_rows = rows % 2 ? 0 : s->a, ld = cols + 3;
	float *x = kc_gauss(rows * ld, 1, 0.0, 1.0), *b = kc_gauss(rows * cols, 2, 0.0, 1.0);
	int in_place = s->b % 3 == 0;
	struct sb_add_args a = { .a = x,
		.b = b,
		.y = in_place ? x : kc_poisoned(rows * ld),
		.rows = rows,
		.cols = cols,
		.lda = ld,
		.ldb = cols,
		.ldy = ld,
		.b_rows = b_rows };
	struct result r = { .parts = 0 };

	(version == CPU ? sb_add_cpu : sb_add_ref)(&a);
	if (in_place) {
		keep(&r, x, rows * ld);
	} else {
		free(x);
		keep(&r, packed(a.y, rows, cols, 3), rows * cols);
	}
	free(b);
	return r;
}

static struct result run_depth_mask(const struct shape *s, enum version version)
{
	static const float box[6] = { -1.0f, -2.0f, -0.5f, 1.0f, 2.0f, 3.0f };
	int64_t rows = s->n * s->a, c = s->b * 9, ld = c + 2;
	float *points = kc_gauss(rows * 3, 1, -0.7, 0.5);
	struct sb_depth_mask_args a = {
		.x = kc_gauss(rows * ld, 2, 0.0, 1.0), .X = points, .rows = rows, .c = c, .ldx = ld, .box = box
	};
	struct result r = { .parts = 0 };

	(version == CPU ? sb_depth_mask_cpu : sb_depth_mask_ref)(&a);
	free(points);
	keep(&r, a.x, rows * ld);
	return r;
}

static void what_lies_behind_the_camera_is_masked(void **state)
{
	/* depth = 1 + (X + 1) / 2 * 4: positive above X = -1.5 */
	static const float box[6] = { 0, 0, 1, 1, 1, 5 };
	static const float points[12] = { 0, 0, -1.5f, 0, 0, -1.4999f, 0, 0, -1.5001f, 0, 0, NAN };
	static const float expected[8] = { 0, 0, 3, 4, 0, 0, 0, 0 };

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		float x[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
		struct sb_depth_mask_args a = { .x = x, .X = points, .rows = 4, .c = 2, .ldx = 2, .box = box };

		(reference ? sb_depth_mask_ref : sb_depth_mask_cpu)(&a);
		assert_memory_equal(x, expected, sizeof(x));
	}
}

/* ---- maps ------------------------------------------------------------------------------------------------------- */

static void instance_norm_plain(const struct sb_instance_norm_args *a)
{
	for (int64_t i = 0; i < a->n * a->c; i++) {
		int64_t at = i / a->c * a->pixels * a->c + i % a->c;
		float mean = 0.0f, var = 0.0f;

		for (int64_t p = 0; p < a->pixels; p++)
			mean += a->x[at + p * a->c];
		mean /= (float)a->pixels;
		for (int64_t p = 0; p < a->pixels; p++)
			var += (a->x[at + p * a->c] - mean) * (a->x[at + p * a->c] - mean);
		var /= (float)a->pixels;
		for (int64_t p = 0; p < a->pixels; p++) {
			float v = (a->x[at + p * a->c] - mean) / sqrtf(var + a->eps);

			v = a->relu && v < 0.0f ? 0.0f : v;
			if (a->residual)
				v = fmaxf(v + a->residual[at + p * a->c], 0.0f);
			a->y[at + p * a->c] = v;
		}
	}
}

/* How it is called follows from the shape: with and without ReLU and residual, y apart, x or the residual. */
static struct result run_instance_norm(const struct shape *s, enum version version)
{
	int64_t pixels = s->a * s->b, n = s->n * pixels * s->c, kind = (s->a + s->c) % 4;
	float *x = kc_gauss(n, 1, 90.0, 30.0), *residual = kc_gauss(n, 2, 0.3, 1.0);
	struct sb_instance_norm_args a = { .x = x,
		.residual = kind >= 2 ? residual : NULL,
		.n = s->n,
		.pixels = pixels,
		.c = s->c,
		.eps = 1e-5f,
		.relu = kind != 1 };
	struct result r = { .parts = 0 };

	a.y = version == CPU && kind == 1 ? x : version == CPU && kind == 2 ? residual : kc_poisoned(n);
	(version == CPU ? sb_instance_norm_cpu : version == PLAIN ? instance_norm_plain : sb_instance_norm_ref)(&a);
	keep(&r, a.y, n);
	if (a.y != x)
		free(x);
	if (a.y != residual)
		free(residual);
	return r;
}

static void instance_norm_is_over_pixels_with_the_biased_variance(void **state)
{
	float x[8] = { 1, 10, 3, 10, 5, 10, 7, 10 }, residual[8] = { -9, 1, -9, 1, 1, 1, -1, -1 }, y[8];
	struct sb_instance_norm_args a = { .x = x, .y = y, .n = 1, .pixels = 4, .c = 2, .eps = 1e-5f };
	double unit = 1.0 / sqrt(5.0 + 1e-5);

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		void (*kernel)(const struct sb_instance_norm_args *) =
		        reference ? sb_instance_norm_ref : sb_instance_norm_cpu;

		a.relu = 0;
		a.residual = NULL;
		kernel(&a);
		for (int p = 0; p < 4; p++)
			assert_true(fabs(y[2 * p] - (2 * p - 3) * unit) <= 1e-6 && y[2 * p + 1] == 0.0f);
		a.relu = 1;
		kernel(&a);
		for (int p = 0; p < 4; p++)
			assert_true(fabs(y[2 * p] - (p < 2 ? 0.0 : (2 * p - 3) * unit)) <= 1e-6);
		a.residual = residual;
		kernel(&a);
		assert_true(
		        y[0] == 0.0f && y[1] == 1.0f && y[2] == 0.0f && y[3] == 1.0f && y[5] == 1.0f && y[7] == 0.0f);
		assert_true(fabs(y[4] - (1.0 + unit)) <= 1e-6 && fabs(y[6] - (3.0 * unit - 1.0)) <= 1e-6);
	}
}

/* A mean far above the deviation: sums of squares of the values themselves would have lost it. */
static void instance_norm_keeps_a_small_deviation_on_a_large_mean(void **state)
{
	int64_t n = 5000;
	float *x = kc_gauss(n, 1, 4096.0, 0.01), *y = kc_poisoned(n), *ref = kc_poisoned(n);
	struct sb_instance_norm_args a = { .x = x, .y = y, .n = 1, .pixels = n, .c = 1, .eps = 1e-5f };

	(void)state;
	sb_instance_norm_cpu(&a);
	a.y = ref;
	sb_instance_norm_ref(&a);
	assert_true(kc_error(y, ref, n) <= KC_ROUNDING);
	free(x);
	free(y);
	free(ref);
}

static void l2_normalize_plain(const struct sb_l2_normalize_args *a)
{
	for (int64_t r = 0; r < a->rows; r++) {
		float sum = 0.0f;

		for (int64_t c = 0; c < a->c; c++)
			sum += a->x[r * a->c + c] * a->x[r * a->c + c];
		for (int64_t c = 0; c < a->c; c++)
			a->y[r * a->c + c] = a->x[r * a->c + c] / sqrtf(fmaxf(sum, 1e-12f));
	}
}

static struct result run_l2_normalize(const struct shape *s, enum version version)
{
	int64_t rows = s->n * s->a, n = rows * s->c;
	float *x = kc_gauss(n, 1, 0.1, 1.0);
	struct sb_l2_normalize_args a = { .x = x, .y = s->b % 2 ? x : kc_poisoned(n), .rows = rows, .c = s->c };
	struct result r = { .parts = 0 };

	(version == CPU ? sb_l2_normalize_cpu : version == PLAIN ? l2_normalize_plain : sb_l2_normalize_ref)(&a);
	keep(&r, a.y, n);
	if (a.y != x)
		free(x);
	return r;
}

static void short_vectors_are_divided_by_a_millionth(void **state)
{
	float x[4] = { 3e-7f, 0.0f, 3.0f, 4.0f }, y[4];
	struct sb_l2_normalize_args a = { .x = x, .y = y, .rows = 2, .c = 2 };

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		(reference ? sb_l2_normalize_ref : sb_l2_normalize_cpu)(&a);
		assert_true(fabsf(y[0] - 0.3f) <= 1e-7f && y[1] == 0.0f && y[2] == 0.6f && y[3] == 0.8f);
	}
}

static struct result run_resize_nearest(const struct shape *s, enum version version)
{
	int64_t out_h = s->a * 7 / 3 + 1, out_w = s->b * 3 / 4 + 1, n = s->n * out_h * out_w * s->c;
	float *x = kc_gauss(s->n * s->a * s->b * s->c, 1, 0.0, 1.0);
	struct sb_resize_nearest_args a = { .x = x,
		.y = kc_poisoned(n),
		.n = s->n,
		.h = s->a,
		.w = s->b,
		.c = s->c,
		.out_h = out_h,
		.out_w = out_w,
		.lo = -0.5f,
		.hi = s->c % 2 ? 0.75f : -0.5f };
	struct result r = { .parts = 0 };

	(version == CPU ? sb_resize_nearest_cpu : sb_resize_nearest_ref)(&a);
	free(x);
	keep(&r, a.y, n);
	return r;
}

static void nearest_takes_the_floor_with_a_ratio_in_float32(void **state)
{
	static const int64_t pairs[][2] = { { 576, 384 }, { 602, 512 }, { 294, 336 }, { 3, 41 }, { 41, 3 }, { 1, 9 },
		{ 518, 588 } };
	float x[1024], y[1024];

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(pairs); i++)
		for (int down = 0; down < 4; down++) {
			int64_t in = pairs[i][0], out = pairs[i][1];
			int reference = down / 2, tall = down % 2;
			float ratio = (float)in / (float)out;
			struct sb_resize_nearest_args a = { .x = x,
				.y = y,
				.n = 1,
				.h = tall ? in : 1,
				.w = tall ? 1 : in,
				.c = 1,
				.out_h = tall ? out : 1,
				.out_w = tall ? 1 : out };

			for (int64_t k = 0; k < in; k++)
				x[k] = (float)k;
			(reference ? sb_resize_nearest_ref : sb_resize_nearest_cpu)(&a);
			for (int64_t k = 0; k < out; k++) {
				float at = (float)k * ratio;

				assert_true(y[k] == fminf(floorf(at), (float)(in - 1)));
			}
		}
}

static void avg_pool2_plain(const struct sb_avg_pool2_args *a)
{
	int64_t h = a->h / 2, w = a->w / 2;

	for (int64_t i = 0; i < a->n * h * w * a->c; i++) {
		int64_t c = i % a->c, col = i / a->c % w, row = i / a->c / w;
		const float *x = a->x + (row / h * a->h + 2 * (row % h)) * a->w * a->c + 2 * col * a->c + c;

		a->y[i] = (x[0] + x[a->c] + x[a->w * a->c] + x[(a->w + 1) * a->c]) / 4.0f;
	}
}

static struct result run_avg_pool2(const struct shape *s, enum version version)
{
	int64_t n = s->n * (s->a / 2) * (s->b / 2) * s->c;
	float *x = kc_gauss(s->n * s->a * s->b * s->c, 1, 0.5, 1.0);
	struct sb_avg_pool2_args a = { .x = x, .y = kc_poisoned(n), .n = s->n, .h = s->a, .w = s->b, .c = s->c };
	struct result r = { .parts = 0 };

	(version == CPU ? sb_avg_pool2_cpu : version == PLAIN ? avg_pool2_plain : sb_avg_pool2_ref)(&a);
	free(x);
	keep(&r, a.y, n);
	return r;
}

static void pooling_averages_two_by_two_and_drops_an_odd_line(void **state)
{
	float x[9] = { 1, 2, 9, 3, 6, 9, 9, 9, 9 }, y = 0.0f;
	struct sb_avg_pool2_args a = { .x = x, .y = &y, .n = 1, .h = 3, .w = 3, .c = 1 };

	(void)state;
	sb_avg_pool2_cpu(&a);
	assert_true(y == 3.0f);
	sb_avg_pool2_ref(&a);
	assert_true(y == 3.0f);
}

static struct result run_subsample(const struct shape *s, enum version version)
{
	int64_t step = s->c % 4 + 1, n = s->n * ((s->a + step - 1) / step) * ((s->b + step - 1) / step) * s->c;
	float *x = kc_gauss(s->n * s->a * s->b * s->c, 1, 0.0, 1.0);
	struct sb_subsample_args a = {
		.x = x, .y = kc_poisoned(n), .n = s->n, .h = s->a, .w = s->b, .c = s->c, .step = step
	};
	struct result r = { .parts = 0 };

	(version == CPU ? sb_subsample_cpu : sb_subsample_ref)(&a);
	free(x);
	keep(&r, a.y, n);
	return r;
}

static void every_step_th_pixel_is_kept_from_the_first_on(void **state)
{
	float x[15], y[4];
	static const float expected[4] = { 0, 4, 10, 14 };
	struct sb_subsample_args a = { .x = x, .y = y, .n = 1, .h = 3, .w = 5, .c = 1, .step = 4 };

	(void)state;
	for (int i = 0; i < 15; i++)
		x[i] = (float)i;
	sb_subsample_cpu(&a);
	assert_memory_equal(y, expected, 2 * sizeof(float));
	a.h = 3;
	a.step = 2;
	a.w = 5;
	{
		float six[6];

		a.y = six;
		sb_subsample_cpu(&a);
		assert_true(six[0] == 0 && six[1] == 2 && six[2] == 4 && six[3] == 10 && six[4] == 12 && six[5] == 14);
	}
}

/* ---- queries and the box ---------------------------------------------------------------------------------------- */

enum { QH = 9, QW = 12 };

static struct result run_query_setup(const struct shape *s, enum version version)
{
	int64_t n = s->n, maps = s->a * QH * QW;
	float *q = kc_gauss(3 * n, 1, 4.0, 5.0), *depth = kc_gauss(maps, 2, 3.0, 1.0),
	      *valid = kc_gauss(maps, 3, 0.5, 1.0);
	float *pmap = kc_gauss(3 * maps, 4, 0.0, 1.0), *colour = kc_gauss(3 * maps, 5, 0.0, 1.0);
	float *keep_z = kc_gauss(n, 6, 9.0, 1.0), *frame_out = kc_poisoned(n);
	int32_t *frame = malloc((size_t)n * sizeof(*frame) + 1);
	struct sb_query_setup_args a = { .q = q,
		.depth = depth,
		.valid = valid,
		.pmap = pmap,
		.colour = colour,
		.keep_z = s->b % 2 ? keep_z : NULL,
		.z0 = kc_poisoned(n),
		.u0 = kc_poisoned(n),
		.p0 = kc_poisoned(3 * n),
		.rgb = kc_poisoned(3 * n),
		.frame = frame,
		.n = n,
		.frames = s->a,
		.h = QH,
		.w = QW };
	struct result r = { .parts = 0 };

	assert_non_null(frame);
	for (int64_t i = 0; i < n; i += 3)
		keep_z[i] = NAN;
	(version == CPU ? sb_query_setup_cpu : sb_query_setup_ref)(&a);
	for (int64_t i = 0; i < n; i++)
		frame_out[i] = (float)frame[i];
	keep(&r, a.z0, n);
	keep(&r, a.u0, n);
	keep(&r, a.p0, 3 * n);
	keep(&r, a.rgb, 3 * n);
	keep(&r, frame_out, n);
	free(q);
	free(depth);
	free(valid);
	free(pmap);
	free(colour);
	free(keep_z);
	free(frame);
	return r;
}

static void queries_round_halves_to_even_and_stay_inside(void **state)
{
	static const float q[][3] = { { 0.5f, 1.5f, 2.5f }, { 1.5f, 2.5f, 3.5f }, { -7, -0.5f, 99 }, { 9, 99, -3 },
		{ NAN, NAN, 1 } };
	static const int at[][3] = { { 0, 2, 2 }, { 2, 2, 4 }, { 0, 0, 8 }, { 2, 11, 0 }, { 0, 0, 1 } };
	static const float keep_z[5] = { NAN, 70, NAN, 80, NAN };
	float depth[3 * QH * QW], pmap[3 * 3 * QH * QW], z0[5], u0[5], p0[15], rgb[15];
	int32_t frame[5];
	struct sb_query_setup_args a = { .q = q[0],
		.depth = depth,
		.valid = depth,
		.pmap = pmap,
		.colour = pmap,
		.keep_z = keep_z,
		.z0 = z0,
		.u0 = u0,
		.p0 = p0,
		.rgb = rgb,
		.frame = frame,
		.n = 5,
		.frames = 3,
		.h = QH,
		.w = QW };

	(void)state;
	for (int i = 0; i < 3 * QH * QW; i++) {
		depth[i] = (float)i;
		for (int c = 0; c < 3; c++)
			pmap[3 * i + c] = (float)(i + 1000 * c);
	}
	for (int reference = 0; reference < 2; reference++) {
		(reference ? sb_query_setup_ref : sb_query_setup_cpu)(&a);
		for (int i = 0; i < 5; i++) {
			float pixel = (float)((at[i][0] * QH + at[i][2]) * QW + at[i][1]);

			assert_int_equal(frame[i], at[i][0]);
			assert_true(u0[i] == pixel && p0[3 * i] == pixel && p0[3 * i + 1] == pixel + 1000.0f);
			assert_true(rgb[3 * i + 2] == pixel + 2000.0f);
			assert_true(z0[i] == (isnan(keep_z[i]) ? pixel : keep_z[i]));
			assert_true(p0[3 * i + 2] == (isnan(keep_z[i]) ? pixel + 2000.0f : keep_z[i]));
		}
	}
}

static struct result run_norm_box(const struct shape *s, enum version version)
{
	int64_t n = s->n * s->a + 2;
	float *p0 = kc_gauss(3 * n, 1, 2.0, 0.5);
	struct sb_norm_box_args a = { .p0 = p0, .box = kc_poisoned(6), .n = n };
	struct result r = { .parts = 0 };

	(version == CPU ? sb_norm_box_cpu : sb_norm_box_ref)(&a);
	free(p0);
	keep(&r, a.box, 6);
	return r;
}

static void the_box_reaches_three_unbiased_deviations(void **state)
{
	float p0[6] = { 0, 5, 1, 2, 5, 4 }, box[6];
	struct sb_norm_box_args a = { .p0 = p0, .box = box, .n = 2 };

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		(reference ? sb_norm_box_ref : sb_norm_box_cpu)(&a);
		assert_true(fabs(box[0] - (1.0 - 3.0 * sqrt(2.0))) <= 1e-6 &&
		            fabs(box[3] - (1.0 + 3.0 * sqrt(2.0))) <= 1e-6);
		assert_true(box[1] == 4.0f && box[4] == 6.0f); /* no width */
		assert_true(fabs(box[5] - (2.5 + 3.0 * sqrt(4.5))) <= 1e-6);
	}
}

static void a_box_without_width_is_one_to_each_side(void **state)
{
	float p0[3 * 7], box[6];

	(void)state;
	for (int i = 0; i < 21; i++)
		p0[i] = i % 3 == 0 ? 0.1f : i % 3 == 1 ? 0.0f : 123.4567f; /* sums that are not exact */
	for (int n = 1; n <= 7; n += 3) {
		for (int reference = 0; reference < 2; reference++) {
			struct sb_norm_box_args a = { .p0 = p0, .box = box, .n = n };

			(reference ? sb_norm_box_ref : sb_norm_box_cpu)(&a);
			assert_true(box[0] == (float)((double)0.1f - 1.0) && box[3] == (float)((double)0.1f + 1.0));
			assert_true(box[1] == -1.0f && box[4] == 1.0f);
			assert_true(box[2] == (float)((double)123.4567f - 1.0) &&
			            box[5] == (float)((double)123.4567f + 1.0));
		}
	}
	p0[0] = NAN; /* a point that is no number stays one */
	sb_norm_box_cpu(&(struct sb_norm_box_args){ .p0 = p0, .box = box, .n = 7 });
	assert_true(isnan(box[0]) && isnan(box[3]) && box[1] == -1.0f);
}

static const float a_box[6] = { -3.5f, -2.25f, 0.5f, 3.0f, 2.0f, 6.0f };

static struct result run_box_map(const struct shape *s, enum version version)
{
	int64_t rows = s->n * s->a, n = 3 * rows;
	float *x = kc_gauss(n, 1, 0.3, 1.0);
	struct sb_box_map_args a = {
		.x = x, .box = a_box, .y = s->b % 2 ? x : kc_poisoned(n), .rows = rows, .inverse = s->b > 2
	};
	struct result r = { .parts = 0 };

	(version == CPU ? sb_box_map_cpu : sb_box_map_ref)(&a);
	keep(&r, a.y, n);
	if (a.y != x)
		free(x);
	return r;
}

static void the_box_becomes_minus_one_to_one_and_back(void **state)
{
	float x[9] = { -3.5f, -2.25f, 0.5f, 3.0f, 2.0f, 6.0f, -0.25f, -0.125f, 3.25f }, y[9];
	struct sb_box_map_args a = { .x = x, .box = a_box, .y = y, .rows = 3 };

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		void (*kernel)(const struct sb_box_map_args *) = reference ? sb_box_map_ref : sb_box_map_cpu;

		a = (struct sb_box_map_args){ .x = x, .box = a_box, .y = y, .rows = 3 };
		kernel(&a);
		for (int i = 0; i < 9; i++)
			assert_true(y[i] == (i < 3 ? -1.0f : i < 6 ? 1.0f : 0.0f));
		a = (struct sb_box_map_args){ .x = y, .box = a_box, .y = y, .rows = 3, .inverse = 1 };
		kernel(&a);
		assert_true(kc_same_bits(x, y, 9));
	}
}

/* ---- geometry tokens -------------------------------------------------------------------------------------------- */

static void turn(float cam[16], double angle, double x, double y, double z)
{
	float m[16] = { (float)cos(angle), (float)-sin(angle), 0.01f, (float)x, (float)sin(angle), (float)cos(angle),
		0.0f, (float)y, 0.02f, 0.0f, 1.01f, (float)z, 0.0f, 0.0f, 0.0f, 1.0f };

	memcpy(cam, m, sizeof(m));
}

static struct result run_geometry(const struct shape *s, enum version version)
{
	int64_t n = s->n, frames = s->a, rows = n * frames;
	float *q = kc_gauss(3 * n, 1, 60.0, 30.0), *z0 = kc_gauss(n, 2, 3.0, 0.5), *k = kc_poisoned(9 * frames);
	float *cam = kc_poisoned(16 * frames), *x = kc_gauss(3 * rows, 3, 0.0, 0.3);
	float *conf = kc_gauss(rows, 4, 0.0, 2.0), *dyn = kc_gauss(rows, 5, 0.0, 2.0);
	struct sb_geometry_tokens_args a = { .q = q,
		.z0 = z0,
		.k = k,
		.cam = cam,
		.box = a_box,
		.X = x,
		.conf = conf,
		.dyn = dyn,
		.g = kc_poisoned(6 * rows),
		.n = n,
		.frames = frames };
	struct result r = { .parts = 0 };

	for (int64_t i = 0; i < n; i++)
		q[3 * i] = (float)(i * 7 % frames);
	for (int64_t t = 0; t < frames; t++) {
		const float here[9] = { 100.0f + (float)t, 0.25f, 64.0f, 0.0f, 110.0f, 48.0f, 0.0f, 0.0f, 1.0f };

		memcpy(k + 9 * t, here, sizeof(here));
		turn(cam + 16 * t, 0.1 * (double)t, 0.2 * (double)t, -0.1, 0.05 * (double)t);
	}
	(version == CPU ? sb_geometry_tokens_cpu : sb_geometry_tokens_ref)(&a);
	keep(&r, a.g, 6 * rows);
	free(q);
	free(z0);
	free(k);
	free(cam);
	free(x);
	free(conf);
	free(dyn);
	return r;
}

/*
 * Two frames; the second camera stands at (1, 2, 3), turned by 90 degrees about z (its x is the world's y). The query
 * is in frame 1: K gives the ray (0.5, -0.25, 1), depth 2 the point (1, -0.5, 2), in the world (1.5, 3, 5). The first
 * camera stands at the origin, scaled by 2, so that it sees half of that; a transposed matrix would not.
 */
static void the_query_point_goes_through_the_world_into_each_camera(void **state)
{
	static const float cam[32] = { 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, -1, 0, 1, 1, 0, 0, 2, 0, 0, 1,
		3, 0, 0, 0, 1 };
	static const float k[18] = { 1, 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 10, 0, 4, 20, 0, 0, 1 };
	static const float q[3] = { 1, 14, 19 }, z0 = 2, box[6] = { -1, -1, -1, 1, 1, 1 }, conf[2] = { 0, 0 },
	                   dyn[2] = { 0, 1e9f };
	static const float x[6] = { 0.5f, 0.5f, 0.5f, 0, 0, 0 };
	static const double expected[12] = { 0.5, 0.25, 1.0, 2.0, 0.5, 0.75, 0.0, 1.0, -0.5, 2.0, 0.5, 0.75 };
	float g[12];
	struct sb_geometry_tokens_args a = { .q = q,
		.z0 = &z0,
		.k = k,
		.cam = cam,
		.box = box,
		.X = x,
		.conf = conf,
		.dyn = dyn,
		.g = g,
		.n = 1,
		.frames = 2 };

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		(reference ? sb_geometry_tokens_ref : sb_geometry_tokens_cpu)(&a);
		for (int i = 0; i < 12; i++)
			assert_true(fabs(g[i] - expected[i]) <= 1e-6);
	}
}

/* ---- update and outputs ----------------------------------------------------------------------------------------- */

static struct result run_update(const struct shape *s, enum version version)
{
	int64_t rows = s->n * s->a;
	float *d2 = kc_gauss(4 * rows, 1, 0.0, 1.0), *d3 = kc_gauss(4 * rows, 2, 0.0, 0.1),
	      *dp = kc_gauss(rows, 3, 0.0, 1.0);
	float *x = kc_gauss(3 * rows, 4, 0.0, 0.5);
	struct sb_track_update_args a = { .d2 = d2,
		.d3 = d3,
		.dp = dp,
		.box = a_box,
		.uv = kc_gauss(2 * rows, 5, 60.0, 30.0),
		.z = kc_gauss(rows, 6, 3.0, 0.5),
		.vis = kc_gauss(rows, 7, 0.0, 1.0),
		.conf = kc_gauss(rows, 8, 0.0, 1.0),
		.dyn = kc_gauss(rows, 9, 0.0, 1.0),
		.pro = kc_gauss(rows, 10, 0.0, 1.0),
		.X = x,
		.A = kc_poisoned(3 * rows),
		.px = kc_poisoned(2 * rows),
		.rows = rows,
		.fx = 0.8753f,
		.fy = 1.143f };
	struct result r = { .parts = 0 };
	float *logits = kc_poisoned(4 * rows);

	(version == CPU ? sb_track_update_cpu : sb_track_update_ref)(&a);
	keep(&r, a.uv, 2 * rows);
	keep(&r, a.z, rows);
	keep(&r, a.A, 3 * rows);
	keep(&r, a.px, 2 * rows);
	for (int64_t i = 0; i < rows; i++) {
		logits[4 * i] = a.vis[i];
		logits[4 * i + 1] = a.conf[i];
		logits[4 * i + 2] = a.dyn[i];
		logits[4 * i + 3] = a.pro[i];
	}
	keep(&r, logits, 4 * rows);
	free(a.vis);
	free(a.conf);
	free(a.dyn);
	free(a.pro);
	free(d2);
	free(d3);
	free(dp);
	free(x);
	return r;
}

static void deltas_go_where_they_belong(void **state)
{
	static const float d2[4] = { 1, 2, 3, 4 }, d3[4] = { 0.5f, 0.25f, 0.125f, 5 }, dp[1] = { 6 },
	                   box[6] = { 0, 0, 0, 2, 4, 8 };
	static const float x[3] = { 0, 0.5f, 0.25f };

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		float uv[2] = { 10, 20 }, z = 7, vis = 100, conf = 200, dyn = 300, pro = 400, point[3], px[2];
		struct sb_track_update_args a = { .d2 = d2,
			.d3 = d3,
			.dp = dp,
			.box = box,
			.uv = uv,
			.z = &z,
			.vis = &vis,
			.conf = &conf,
			.dyn = &dyn,
			.pro = &pro,
			.X = x,
			.A = point,
			.px = px,
			.rows = 1,
			.fx = 2,
			.fy = 0.5f };

		(reference ? sb_track_update_ref : sb_track_update_cpu)(&a);
		assert_true(uv[0] == 11 && uv[1] == 22 && px[0] == 22 && px[1] == 176);
		assert_true(vis == 103 && conf == 204 && dyn == 305 && pro == 406);
		assert_true(point[0] == 1.5f && point[1] == 3.5f && point[2] == 5.5f && z == 7.5f);
	}
}

static struct result run_out(const struct shape *s, enum version version)
{
	int64_t rows = s->n * s->a;
	float *px = kc_gauss(2 * rows, 1, 200.0, 100.0), *z = kc_gauss(rows, 2, 3.0, 1.0),
	      *p = kc_gauss(3 * rows, 3, 0.0, 1.0);
	float *rgb = kc_gauss(3 * s->n, 4, 128.0, 30.0), *vis = kc_gauss(rows, 5, 0.0, 3.0),
	      *conf = kc_gauss(rows, 6, 0.0, 3.0);
	float *dyn = kc_gauss(rows, 7, 0.0, 3.0), *u0 = kc_gauss(s->n, 8, 0.5, 0.5);
	struct sb_track_out_args a = { .px = px,
		.z = z,
		.A = p,
		.rgb = rgb,
		.vis = vis,
		.conf = conf,
		.dyn = dyn,
		.u0 = u0,
		.tracks2 = kc_poisoned(3 * rows),
		.tracks3 = kc_poisoned(6 * rows),
		.vis_out = kc_poisoned(rows),
		.conf_out = kc_poisoned(rows),
		.dyn_out = kc_poisoned(rows),
		.keep = s->n,
		.frames = s->a,
		.sx = 0.857f,
		.sy = 1.2f };
	struct result r = { .parts = 0 };

	(version == CPU ? sb_track_out_cpu : sb_track_out_ref)(&a);
	keep(&r, a.tracks2, 3 * rows);
	keep(&r, a.tracks3, 6 * rows);
	keep(&r, a.vis_out, rows);
	keep(&r, a.conf_out, rows);
	keep(&r, a.dyn_out, rows);
	free(px);
	free(z);
	free(p);
	free(rgb);
	free(vis);
	free(conf);
	free(dyn);
	free(u0);
	return r;
}

static void outputs_are_scaled_coloured_and_squashed(void **state)
{
	static const float px[4] = { 10, 20, 30, 40 }, z[2] = { 5, 6 }, p[6] = { 1, 2, 3, 4, 5, 6 },
	                   rgb[3] = { 7, 8, 9 };
	static const float vis[2] = { 0, 1e9f }, conf[2] = { 0, -1e9f }, dyn[2] = { 0, 1e9f }, u0[1] = { 0.5f };
	static const float expected2[6] = { 20, 10, 5, 60, 20, 6 },
	                   expected3[12] = { 1, 2, 3, 7, 8, 9, 4, 5, 6, 7, 8, 9 };
	float tracks2[6], tracks3[12], vis_out[2], conf_out[2], dyn_out[2];
	struct sb_track_out_args a = { .px = px,
		.z = z,
		.A = p,
		.rgb = rgb,
		.vis = vis,
		.conf = conf,
		.dyn = dyn,
		.u0 = u0,
		.tracks2 = tracks2,
		.tracks3 = tracks3,
		.vis_out = vis_out,
		.conf_out = conf_out,
		.dyn_out = dyn_out,
		.keep = 1,
		.frames = 2,
		.sx = 2,
		.sy = 0.5f };

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		(reference ? sb_track_out_ref : sb_track_out_cpu)(&a);
		assert_memory_equal(tracks2, expected2, sizeof(tracks2));
		assert_memory_equal(tracks3, expected3, sizeof(tracks3));
		assert_true(vis_out[0] == 0.7f && vis_out[1] == 1.2f && conf_out[0] == 0.5f && conf_out[1] == 0.0f);
		assert_true(dyn_out[0] == 0.25f && dyn_out[1] == 0.5f);
	}
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

/* Tracks, frames, dims, degrees: nothing, one of each, frames 1 to 5, more cameras than are inverted at a time, many.
 */
static const struct shape state_shapes[] = {
	{ 0, 3, 3, 2 },
	{ 1, 1, 1, 1 },
	{ 1, 2, 2, 12 },
	{ 3, 1, 3, 12 },
	{ 2, 3, 6, 10 },
	{ 7, 4, 4, 3 },
	{ 7, 5, 3, 10 },
	{ 5, 31, 2, 2 },
	{ 5, 32, 3, 2 },
	{ 5, 33, 4, 2 },
	{ 3, 70, 1, 2 },
	{ 700, 17, 3, 12 },
};

/* Images, height, width, channels: around a block of 32 channels and a vector, and large enough for every thread. */
static const struct shape map_shapes[] = {
	{ 0, 3, 3, 2 },
	{ 1, 1, 1, 1 },
	{ 2, 1, 7, 3 },
	{ 1, 5, 4, 1 },
	{ 3, 6, 5, 31 },
	{ 2, 7, 8, 32 },
	{ 2, 9, 6, 33 },
	{ 1, 6, 9, 64 },
	{ 2, 5, 5, 130 },
	{ 5, 49, 60, 3 },
	{ 2, 48, 64, 96 },
};

static const struct runner {
	const char *name;
	struct result (*run)(const struct shape *s, enum version version);
	int of_maps, plain; /* plain: the bound is twice the error of plain float; else it is one rounding */
} runners[] = {
	{ "posenc", run_posenc, 0, 0 },
	{ "motion", run_motion, 0, 0 },
	{ "group mean", run_group_mean, 0, 1 },
	{ "repeat", run_repeat, 0, 0 },
	{ "add", run_add, 0, 0 },
	{ "depth mask", run_depth_mask, 0, 0 },
	{ "instance norm", run_instance_norm, 1, 1 },
	{ "l2 normalize", run_l2_normalize, 1, 1 },
	{ "resize nearest", run_resize_nearest, 1, 0 },
	{ "average pool", run_avg_pool2, 1, 1 },
	{ "subsample", run_subsample, 1, 0 },
	{ "query setup", run_query_setup, 0, 0 },
	{ "norm box", run_norm_box, 0, 0 },
	{ "box map", run_box_map, 0, 0 },
	{ "geometry tokens", run_geometry, 0, 0 },
	{ "track update", run_update, 0, 0 },
	{ "track out", run_out, 0, 0 },
};

static const struct shape *shape_of(const struct runner *r, size_t i)
{
	if (r->of_maps)
		return i < SB_ARRAY_LEN(map_shapes) ? &map_shapes[i] : NULL;
	return i < SB_ARRAY_LEN(state_shapes) ? &state_shapes[i] : NULL;
}

static void check(const struct runner *k, const struct shape *s)
{
	struct result y = k->run(s, CPU), ref = k->run(s, REFERENCE), plain = k->run(s, k->plain ? PLAIN : REFERENCE);

	for (int i = 0; i < y.parts; i++) {
		double error = kc_error(y.part[i], ref.part[i], y.len[i]);
		double bound = 2.0 * kc_error(plain.part[i], ref.part[i], y.len[i]) + KC_ROUNDING;

		if (!(error <= bound))
			print_error("%s, %d %d %d %d, part %d: error %.3g, bound %.3g\n", k->name, (int)s->n, (int)s->a,
			        (int)s->b, (int)s->c, i, error, bound);
		assert_true(error <= bound);
	}
	result_free(&y);
	result_free(&ref);
	result_free(&plain);
}

static void every_kernel_agrees_with_its_double_loops(void **state)
{
	(void)state;
	for (size_t k = 0; k < SB_ARRAY_LEN(runners); k++)
		for (size_t i = 0; shape_of(&runners[k], i); i++)
			check(&runners[k], shape_of(&runners[k], i));
}

static void no_result_depends_on_the_number_of_threads(void **state)
{
	int before = omp_get_max_threads();

	(void)state;
	for (size_t k = 0; k < SB_ARRAY_LEN(runners); k++)
		for (size_t i = 0; shape_of(&runners[k], i); i++) {
			struct result one, many;

			omp_set_num_threads(1);
			one = runners[k].run(shape_of(&runners[k], i), CPU);
			for (int threads = 2; threads <= 4; threads += 2) {
				omp_set_num_threads(threads);
				many = runners[k].run(shape_of(&runners[k], i), CPU);
				for (int p = 0; p < one.parts; p++)
					assert_true(kc_same_bits(one.part[p], many.part[p], one.len[p]));
				result_free(&many);
			}
			result_free(&one);
		}
	omp_set_num_threads(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_degree_major_sines_before_shifted_ones),
		cmocka_unit_test(shifted_sines_round_their_argument),
		cmocka_unit_test(sines_are_within_one_unit_in_the_last_place),
		cmocka_unit_test(sines_of_what_is_no_number_are_nan_and_leave_the_others_alone),
		cmocka_unit_test(motion_looks_ahead_then_back_and_is_zero_at_the_ends),
		cmocka_unit_test(what_lies_behind_the_camera_is_masked),
		cmocka_unit_test(instance_norm_is_over_pixels_with_the_biased_variance),
		cmocka_unit_test(instance_norm_keeps_a_small_deviation_on_a_large_mean),
		cmocka_unit_test(short_vectors_are_divided_by_a_millionth),
		cmocka_unit_test(nearest_takes_the_floor_with_a_ratio_in_float32),
		cmocka_unit_test(pooling_averages_two_by_two_and_drops_an_odd_line),
		cmocka_unit_test(every_step_th_pixel_is_kept_from_the_first_on),
		cmocka_unit_test(queries_round_halves_to_even_and_stay_inside),
		cmocka_unit_test(the_box_reaches_three_unbiased_deviations),
		cmocka_unit_test(a_box_without_width_is_one_to_each_side),
		cmocka_unit_test(the_box_becomes_minus_one_to_one_and_back),
		cmocka_unit_test(the_query_point_goes_through_the_world_into_each_camera),
		cmocka_unit_test(deltas_go_where_they_belong),
		cmocka_unit_test(outputs_are_scaled_coloured_and_squashed),
		cmocka_unit_test(every_kernel_agrees_with_its_double_loops),
		cmocka_unit_test(no_result_depends_on_the_number_of_threads),
	};

	return cmocka_run_group_tests_name("track kernels", tests, NULL, NULL);
}
