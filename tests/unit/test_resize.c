#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "kernel_check.h"
#include "resize.h"
#include "sb_base.h"

/* ---- frames, bicubic ------------------------------------------------------------------------------------------ */

struct frames_shape {
	int64_t n, h, w, full_h, full_w, crop_y, crop_x, out_h, out_w;
};

static const struct frames_shape frames_shapes[] = {
	{ 1, 1, 1, 1, 1, 0, 0, 1, 1 },
	{ 1, 1, 1, 5, 7, 0, 0, 5, 7 }, /* every tap is the one pixel */
	{ 2, 2, 3, 9, 4, 0, 0, 9, 4 },
	{ 1, 31, 17, 14, 28, 0, 0, 14, 28 }, /* smaller and larger at once */
	{ 1, 20, 30, 15, 63, 0, 0, 15, 63 }, /* one below, at and above the rows and columns of a piece */
	{ 1, 20, 30, 16, 64, 0, 0, 16, 64 },
	{ 1, 20, 30, 17, 65, 0, 0, 17, 65 },
	{ 2, 90, 50, 98, 56, 21, 3, 56, 50 }, /* a window */
	{ 1, 144, 192, 98, 130, 0, 0, 98, 130 },
};

static uint8_t *random_bytes(int64_t n)
{
	uint64_t seed = 7;
	uint8_t *v = malloc((size_t)n);

	for (int64_t i = 0; v && i < n; i++)
		v[i] = (uint8_t)sb_random_below(&seed, 256);
	return v;
}

static float *frames_run(const struct frames_shape *s, void (*kernel)(const struct sb_frames_resize_args *))
{
	uint8_t *src = random_bytes(s->n * s->h * s->w * 3);
	struct sb_frames_resize_args a = { .src = src,
		.n = s->n,
		.h = s->h,
		.w = s->w,
		.full_h = s->full_h,
		.full_w = s->full_w,
		.crop_y = s->crop_y,
		.crop_x = s->crop_x,
		.out_h = s->out_h,
		.out_w = s->out_w };

	assert_non_null(src);
	a.dst = kc_poisoned(s->n * s->out_h * s->out_w * 3);
	kernel(&a);
	free(src);
	return a.dst;
}

static double keys(double d)
{
	d = fabs(d);
	return d <= 1.0  ? 1.25 * d * d * d - 2.25 * d * d + 1.0
	       : d < 2.0 ? -0.75 * d * d * d + 3.75 * d * d - 6.0 * d + 3.0
	                 : 0.0;
}

/* The formula of the header in double throughout, positions included. */
static void frames_exact(const struct sb_frames_resize_args *a)
{
	for (int64_t i = 0; i < a->n * a->out_h * a->out_w * 3; i++) {
		int64_t img = i / 3 / a->out_w / a->out_h;
		double y =
		        ((double)(i / 3 / a->out_w % a->out_h + a->crop_y) + 0.5) * (double)a->h / (double)a->full_h -
		        0.5;
		double x = ((double)(i / 3 % a->out_w + a->crop_x) + 0.5) * (double)a->w / (double)a->full_w - 0.5;
		double sum = 0.0;

		for (int64_t j = (int64_t)floor(y) - 1; j <= (int64_t)floor(y) + 2; j++)
			for (int64_t k = (int64_t)floor(x) - 1; k <= (int64_t)floor(x) + 2; k++) {
				int64_t row = j < 0       ? 0
				              : j >= a->h ? a->h - 1
				                          : j,
				        col = k < 0       ? 0
				              : k >= a->w ? a->w - 1
				                          : k;

				sum += keys(y - (double)j) * keys(x - (double)k) *
				       a->src[((img * a->h + row) * a->w + col) * 3 + i % 3];
			}
		a->dst[i] = (float)sum;
	}
}

static void frames_agree_with_the_double_loops(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(frames_shapes); i++) {
		const struct frames_shape *s = &frames_shapes[i];
		int64_t n = s->n * s->out_h * s->out_w * 3;
		float *y = frames_run(s, sb_frames_resize_cpu), *ref = frames_run(s, sb_frames_resize_ref);
		float *exact = frames_run(s, frames_exact);

		/*
		 * The outer weights come out of a polynomial whose terms reach 6, in float: up to 2^-22 off, and on
		 * random bytes nothing averages out. As in the framework, which does the same in float.
		 */
		assert_true(kc_error(y, ref, n) <= 6e-7);
		assert_true(kc_error(y, exact, n) <= 1e-5);
		free(y);
		free(ref);
		free(exact);
	}
}

static void frames_of_equal_size_stay_exactly_as_they_are(void **state)
{
	static const struct frames_shape s = { 2, 37, 75, 37, 75, 0, 0, 37, 75 };
	uint8_t *src = random_bytes(s.n * s.h * s.w * 3);
	float *y = frames_run(&s, sb_frames_resize_cpu);

	(void)state;
	for (int64_t i = 0; i < s.n * s.h * s.w * 3; i++)
		assert_true(y[i] == (float)src[i]);
	free(src);
	free(y);
}

static void a_window_is_cut_from_the_whole_result(void **state)
{
	static const struct frames_shape whole = { 2, 60, 40, 98, 70, 0, 0, 98, 70 };
	static const struct frames_shape window = { 2, 60, 40, 98, 70, 21, 5, 56, 60 };
	float *all = frames_run(&whole, sb_frames_resize_cpu), *part = frames_run(&window, sb_frames_resize_cpu);

	(void)state;
	for (int64_t i = 0; i < window.n * window.out_h; i++) {
		int64_t row = i / window.out_h * whole.out_h + i % window.out_h + window.crop_y;

		assert_true(kc_same_bits(
		        part + i * window.out_w * 3, all + (row * whole.out_w + window.crop_x) * 3, window.out_w * 3));
	}
	free(all);
	free(part);
}

/* To twice the width, a single bright pixel: the weights at 1/4 and 3/4 by hand. All values are exact in float. */
static void an_impulse_shows_the_weights_and_leaves_the_range(void **state)
{
	static const float weight[8] = { -0.03515625f, -0.10546875f, 0.26171875f, 0.87890625f, 0.87890625f, 0.26171875f,
		-0.10546875f, -0.03515625f };
	uint8_t src[8 * 3] = { 0 };
	float y[16 * 3];
	struct sb_frames_resize_args a = {
		.src = src, .dst = y, .n = 1, .h = 1, .w = 8, .full_h = 1, .full_w = 16, .out_h = 1, .out_w = 16
	};

	(void)state;
	src[4 * 3 + 1] = 128; /* green of pixel 4, which is at 8 and 9 of the result */
	sb_frames_resize_cpu(&a);
	for (int i = 0; i < 16; i++) {
		float expected = i >= 5 && i < 13 ? 128.0f * weight[i - 5] : 0.0f;

		assert_true(y[3 * i] == 0.0f && y[3 * i + 1] == expected && y[3 * i + 2] == 0.0f);
	}
}

/* ---- bilinear ------------------------------------------------------------------------------------------------- */

struct shape {
	int64_t n, h, w, c, out_h, out_w;
};

static const struct shape shapes[] = {
	{ 1, 1, 1, 1, 1, 1 },
	{ 1, 1, 1, 3, 4, 5 },
	{ 1, 5, 6, 3, 1, 1 },
	{ 2, 3, 4, 1, 7, 5 },
	{ 1, 9, 7, 5, 4, 3 },
	{ 2, 10, 18, 32, 20, 36 },
	{ 1, 5, 9, 33, 10, 18 },
	{ 1, 80, 144, 16, 140, 252 },
	{ 1, 392, 3, 2, 576, 4 },
	{ 1, 2, 2, 15, 517, 3 },
};

static float *bilinear_run(const struct shape *s, void (*kernel)(const struct sb_resize_bilinear_args *))
{
	float *x = kc_gauss(s->n * s->h * s->w * s->c, 3, 0.0, 1.0);
	struct sb_resize_bilinear_args a = {
		.x = x, .n = s->n, .h = s->h, .w = s->w, .c = s->c, .out_h = s->out_h, .out_w = s->out_w
	};

	a.y = kc_poisoned(s->n * s->out_h * s->out_w * s->c);
	kernel(&a);
	free(x);
	return a.y;
}

static double line_position(int64_t i, int64_t in, int64_t out)
{
	return out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0.0;
}

/* Hat functions over all source pixels, positions in double. */
static void bilinear_exact(const struct sb_resize_bilinear_args *a)
{
	for (int64_t i = 0; i < a->n * a->out_h * a->out_w * a->c; i++) {
		double py = line_position(i / a->c / a->out_w % a->out_h, a->h, a->out_h);
		double px = line_position(i / a->c % a->out_w, a->w, a->out_w), sum = 0.0;
		int64_t img = i / a->c / a->out_w / a->out_h;

		for (int64_t j = (int64_t)py; j <= (int64_t)py + 1; j++)
			for (int64_t k = (int64_t)px; k <= (int64_t)px + 1; k++)
				if (j < a->h && k < a->w)
					sum += (1.0 - fabs(py - (double)j)) * (1.0 - fabs(px - (double)k)) *
					       a->x[((img * a->h + j) * a->w + k) * a->c + i % a->c];
		a->y[i] = (float)sum;
	}
}

static void bilinear_agrees_with_the_double_loops(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes); i++) {
		const struct shape *s = &shapes[i];
		int64_t n = s->n * s->out_h * s->out_w * s->c;
		float *y = bilinear_run(s, sb_resize_bilinear_cpu), *ref = bilinear_run(s, sb_resize_bilinear_ref);
		float *exact = bilinear_run(s, bilinear_exact);

		assert_true(kc_error(y, ref, n) <= 1.5e-7);
		/* a position near 500 in float32 is off by up to 3e-5 of a pixel */
		assert_true(kc_error(y, exact, n) <= 3e-5);
		free(y);
		free(ref);
		free(exact);
	}
}

static void bilinear_keeps_corners_and_equal_sizes_exactly(void **state)
{
	static const struct shape same = { 2, 13, 29, 5, 13, 29 }, larger = { 1, 6, 7, 4, 11, 39 };
	float *x = kc_gauss(2 * 13 * 29 * 5, 3, 0.0, 1.0), *y = bilinear_run(&same, sb_resize_bilinear_cpu);

	(void)state;
	assert_true(kc_same_bits(x, y, 2 * 13 * 29 * 5));
	free(y);
	y = bilinear_run(&larger, sb_resize_bilinear_cpu); /* of the first 6 x 7 x 4 values of x */
	assert_true(kc_same_bits(y, x, 4));
	assert_true(kc_error(y + (11 * 39 - 1) * 4, x + (6 * 7 - 1) * 4, 4) <= 1e-6);
	free(x);
	free(y);
}

static void resizing_does_not_depend_on_the_number_of_threads(void **state)
{
	int before = omp_get_max_threads();
	const struct frames_shape *f = &frames_shapes[7];
	const struct shape *s = &shapes[7];

	(void)state;
	for (int threads = 2; threads <= 4; threads += 2) {
		float *frames[2], *maps[2];

		omp_set_num_threads(1);
		frames[0] = frames_run(f, sb_frames_resize_cpu);
		maps[0] = bilinear_run(s, sb_resize_bilinear_cpu);
		omp_set_num_threads(threads);
		frames[1] = frames_run(f, sb_frames_resize_cpu);
		maps[1] = bilinear_run(s, sb_resize_bilinear_cpu);
		assert_true(kc_same_bits(frames[0], frames[1], f->n * f->out_h * f->out_w * 3));
		assert_true(kc_same_bits(maps[0], maps[1], s->n * s->out_h * s->out_w * s->c));
		for (int i = 0; i < 2; i++) {
			free(frames[i]);
			free(maps[i]);
		}
	}
	omp_set_num_threads(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_impulse_shows_the_weights_and_leaves_the_range),
		cmocka_unit_test(frames_of_equal_size_stay_exactly_as_they_are),
		cmocka_unit_test(a_window_is_cut_from_the_whole_result),
		cmocka_unit_test(frames_agree_with_the_double_loops),
		cmocka_unit_test(bilinear_keeps_corners_and_equal_sizes_exactly),
		cmocka_unit_test(bilinear_agrees_with_the_double_loops),
		cmocka_unit_test(resizing_does_not_depend_on_the_number_of_threads),
	};

	return cmocka_run_group_tests_name("resize", tests, NULL, NULL);
}
