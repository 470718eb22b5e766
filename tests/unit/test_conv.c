#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cblas.h>
#include <cmocka.h>
#include <omp.h>

#include "conv.h"
#include "kernel_check.h"
#include "linear.h"
#include "sb_base.h"

struct shape {
	int64_t n, h, w, cin, cout;
	int kh, kw, stride, pad;
};

static const struct shape shapes[] = {
	{ 1, 1, 1, 1, 1, 1, 1, 1, 0 },       /* nothing to share out */
	{ 1, 1, 1, 3, 2, 3, 3, 1, 1 },       /* only the middle tap is inside */
	{ 2, 2, 3, 3, 5, 7, 7, 1, 3 },       /* window larger than the image */
	{ 1, 5, 1, 4, 3, 3, 3, 1, 3 },       /* windows that lie outside altogether */
	{ 1, 9, 11, 5, 7, 3, 3, 1, 1 },      /* odd everything */
	{ 2, 8, 7, 5, 7, 1, 3, 1, 1 },       /* window not square */
	{ 2, 9, 8, 6, 4, 3, 3, 2, 1 },       /* stride 2, an odd and an even side */
	{ 2, 9, 8, 6, 4, 1, 1, 2, 0 },       /* fnet's skip */
	{ 1, 17, 19, 3, 8, 7, 7, 2, 3 },     /* fnet's first */
	{ 2, 28, 42, 3, 33, 14, 14, 14, 0 }, /* patch embedding */
	{ 1, 1, 95, 3, 2, 3, 3, 1, 1 },      /* smallest tile - 1, itself, + 1 */
	{ 1, 1, 96, 3, 2, 3, 3, 1, 1 },
	{ 1, 1, 97, 3, 2, 3, 3, 1, 1 },
	{ 1, 131, 132, 1, 2, 3, 3, 1, 1 }, /* largest tile */
	{ 1, 6, 7, 255, 3, 3, 3, 1, 1 },   /* one channel below, at and above the depth gathered at a time */
	{ 1, 6, 7, 256, 3, 3, 3, 1, 1 },
	{ 1, 6, 7, 257, 3, 3, 3, 1, 1 },
	{ 1, 5, 5, 600, 3, 3, 3, 1, 1 }, /* three pieces of depth */
	{ 1, 6, 7, 9, 256, 3, 3, 1, 1 }, /* one output channel at and above a block, and three blocks */
	{ 1, 6, 7, 9, 257, 3, 3, 1, 1 },
	{ 1, 10, 20, 9, 700, 3, 3, 2, 1 },
	{ 3, 7, 5, 40, 24, 1, 1, 1, 0 }, /* 1x1: the input is used where it lies */
	{ 1, 20, 30, 3000, 2, 1, 1, 1, 0 },
	{ 1, 36, 20, 32, 32, 3, 3, 1, 1 }, /* as in the networks */
	{ 1, 63, 35, 16, 32, 3, 3, 1, 1 },
	{ 2, 18, 10, 64, 64, 3, 3, 1, 1 },
};

/* The extras of one call, by bits of `with`: every combination is met over the shapes. */
enum { BIAS = 1, RELU_IN = 2, RELU_OUT = 4, RESIDUAL = 8, RESIDUAL_RELU = 16, RESIDUAL2 = 32, ALIAS = 64, TF32 = 128 };

struct data {
	struct sb_conv_args a; /* y not set; residual2 set when asked for and not aliased */
	float *x, *w, *bias, *residual, *residual2;
	int64_t n_out, k;
};

static struct data data_new(const struct shape *s, int with)
{
	struct data d;
	int64_t ho = (s->h + 2 * s->pad - s->kh) / s->stride + 1, wo = (s->w + 2 * s->pad - s->kw) / s->stride + 1;

	d.k = (int64_t)s->kh * s->kw * s->cin;
	d.n_out = s->n * ho * wo * s->cout;
	d.x = kc_gauss(s->n * s->h * s->w * s->cin, 1, 0.0, 1.0);
	d.w = kc_gauss(s->cout * d.k, 2, 0.0, 1.0 / sqrt((double)d.k));
	if (with & TF32) /* as weight preparation does */
		sb_tf32_round_cpu(d.w, d.w, (size_t)(s->cout * d.k));
	d.bias = kc_gauss(s->cout, 3, 0.0, 0.3);
	d.residual = kc_gauss(d.n_out, 4, 0.0, 1.0);
	d.residual2 = kc_gauss(d.n_out, 5, 0.0, 1.0);
	d.a = (struct sb_conv_args){
		.x = d.x,
		.w = d.w,
		.n = s->n,
		.h = s->h,
		.width = s->w,
		.cin = s->cin,
		.cout = s->cout,
		.kh = s->kh,
		.kw = s->kw,
		.stride = s->stride,
		.pad = s->pad,
		.bias = with & BIAS ? d.bias : NULL,
		.relu_in = !!(with & RELU_IN),
		.relu_out = !!(with & RELU_OUT),
		.residual = with & RESIDUAL ? d.residual : NULL,
		.residual_relu = !!(with & RESIDUAL_RELU),
		.residual2 = with & RESIDUAL2 ? d.residual2 : NULL,
		.tf32 = !!(with & TF32),
	};
	return d;
}

static void data_free(struct data *d)
{
	free(d->x);
	free(d->w);
	free(d->bias);
	free(d->residual);
	free(d->residual2);
}

/* Run `a` into a new array; with ALIAS the array holds residual2 before. */
static float *run_cpu(const struct data *d, int with)
{
	struct sb_conv_args a = d->a;
	float *ws = kc_poisoned((int64_t)(sb_conv_cpu_workspace(&a) / sizeof(float)));

	a.y = with & ALIAS ? kc_copy(d->residual2, d->n_out) : kc_poisoned(d->n_out);
	if (with & ALIAS)
		a.residual2 = a.y;
	sb_conv_cpu(&a, ws);
	free(ws);
	return a.y;
}

static float *run_ref(const struct data *d, int with)
{
	struct sb_conv_args a = d->a;

	a.y = kc_poisoned(d->n_out);
	if (with & ALIAS)
		a.residual2 = d->residual2;
	sb_conv_ref(&a);
	return a.y;
}

/* The same maths in plain float: one sum after the other over the window. The operands are rounded already. */
static float *run_plain(const struct data *d, int with)
{
	const struct sb_conv_args *a = &d->a;
	int64_t wo = (a->width + 2 * a->pad - a->kw) / a->stride + 1;
	int64_t ho = (a->h + 2 * a->pad - a->kh) / a->stride + 1;
	float *y = kc_poisoned(d->n_out), *x = kc_copy(d->x, a->n * a->h * a->width * a->cin);

	if (a->tf32)
		sb_tf32_round_cpu(x, x, (size_t)(a->n * a->h * a->width * a->cin));
	for (int64_t i = 0; i < d->n_out; i++) {
		int64_t o = i % a->cout, ox = i / a->cout % wo, oy = i / a->cout / wo % ho, img = i / a->cout / wo / ho;
		float sum = 0.0f;

		for (int64_t k = 0; k < d->k; k++) {
			int64_t c = k % a->cin, ix = ox * a->stride - a->pad + k / a->cin % a->kw;
			int64_t iy = oy * a->stride - a->pad + k / a->cin / a->kw;
			float v = iy < 0 || iy >= a->h || ix < 0 || ix >= a->width
			                  ? 0.0f
			                  : x[((img * a->h + iy) * a->width + ix) * a->cin + c];

			sum += (a->relu_in && v < 0.0f ? 0.0f : v) * d->w[o * d->k + k];
		}
		sum += a->bias ? a->bias[o] : 0.0f;
		sum = a->relu_out && sum < 0.0f ? 0.0f : sum;
		if (a->residual)
			sum += a->residual_relu && a->residual[i] < 0.0f ? 0.0f : a->residual[i];
		y[i] = sum + (with & (RESIDUAL2 | ALIAS) ? d->residual2[i] : 0.0f);
	}
	free(x);
	return y;
}

static void check(const struct shape *s, int with)
{
	struct data d = data_new(s, with);
	float *y = run_cpu(&d, with), *ref = run_ref(&d, with), *plain = run_plain(&d, with);
	double error = kc_error(y, ref, d.n_out), bound = 2.0 * kc_error(plain, ref, d.n_out) + KC_ROUNDING;

	if (!(error <= bound))
		print_error("%dx%d cin %d cout %d, with %d: error %.3g, bound %.3g\n", (int)s->h, (int)s->w,
		        (int)s->cin, (int)s->cout, with, error, bound);
	assert_true(error <= bound);
	free(y);
	free(ref);
	free(plain);
	data_free(&d);
}

static void every_shape_agrees_with_the_double_loops(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes); i++) {
		check(&shapes[i], 0);
		check(&shapes[i], TF32 | BIAS);
	}
}

static void every_combination_of_extras_agrees_with_the_double_loops(void **state)
{
	static const struct shape s[] = {
		{ 2, 9, 12, 5, 19, 3, 3, 1, 1 },
		{ 2, 9, 12, 5, 19, 1, 1, 1, 0 },
		{ 1, 9, 12, 5, 300, 3, 3, 1, 1 },
	};

	(void)state;
	for (int with = 0; with < 256; with++)
		for (size_t i = 0; i < SB_ARRAY_LEN(s); i++)
			check(&s[i], with);
}

/* Written out by hand, so that the reference itself is pinned down: cross-correlation, no flip, [cout, kh, kw, cin]. */
static void window_taps_lie_where_the_checkpoint_puts_them(void **state)
{
	float x[9] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, w[2 * 9] = { 0 }, y[18], bias[2] = { 0.0f, 0.5f };
	static const float expected[18] = { 12, 0.5f, 21, 0.5f, 16, 0.5f, 27, 2.5f, 45, 3.5f, 33, 0.5f, 24, 5.5f, 39,
		6.5f, 28, 0.5f };
	struct sb_conv_args a = { .x = x,
		.w = w,
		.bias = bias,
		.y = y,
		.n = 1,
		.h = 3,
		.width = 3,
		.cin = 1,
		.cout = 2,
		.kh = 3,
		.kw = 3,
		.stride = 1,
		.pad = 1 };
	float *ws = kc_poisoned((int64_t)(sb_conv_cpu_workspace(&a) / sizeof(float)));

	(void)state;
	for (int i = 0; i < 9; i++)
		w[i] = 1.0f; /* channel 0: the sum over the window */
	w[9 + 2] = 1.0f;     /* channel 1: the pixel above and to the right */
	sb_conv_ref(&a);
	assert_memory_equal(y, expected, sizeof(y));
	memset(y, 0xff, sizeof(y));
	sb_conv_cpu(&a, ws);
	assert_memory_equal(y, expected, sizeof(y));
	free(ws);
}

static void a_stride_of_two_starts_at_the_first_pixel(void **state)
{
	float x[16], w[1] = { 1.0f }, y[4];
	static const float expected[4] = { 0, 2, 8, 10 };
	struct sb_conv_args a = {
		.x = x, .w = w, .y = y, .n = 1, .h = 4, .width = 4, .cin = 1, .cout = 1, .kh = 1, .kw = 1, .stride = 2
	};
	float *ws = kc_poisoned((int64_t)(sb_conv_cpu_workspace(&a) / sizeof(float)));

	(void)state;
	for (int i = 0; i < 16; i++)
		x[i] = (float)i;
	sb_conv_cpu(&a, ws);
	assert_memory_equal(y, expected, sizeof(y));
	sb_conv_ref(&a);
	assert_memory_equal(y, expected, sizeof(y));
	free(ws);
}

static void the_result_does_not_depend_on_the_number_of_threads(void **state)
{
	int before = omp_get_max_threads();

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes); i++) {
		int with = BIAS | RELU_IN | RESIDUAL | ALIAS | (i % 2 ? TF32 : 0);
		struct data d = data_new(&shapes[i], with);
		float *one, *many;

		omp_set_num_threads(1);
		one = run_cpu(&d, with);
		for (int threads = 2; threads <= 4; threads += 2) {
			omp_set_num_threads(threads);
			many = run_cpu(&d, with);
			assert_true(kc_same_bits(one, many, d.n_out));
			free(many);
		}
		free(one);
		data_free(&d);
	}
	omp_set_num_threads(before);
}

/* Rounding to nearest errs by 2 to 4e-4 on Gaussian data and to both sides; truncation would shrink the result. */
static void tf32_errs_as_much_as_rounded_operands_do_and_without_bias(void **state)
{
	static const struct shape s = { 1, 24, 24, 64, 64, 3, 3, 1, 1 };
	struct data exact = data_new(&s, 0), rounded = data_new(&s, TF32);
	float *y = run_cpu(&rounded, TF32), *ref = run_ref(&exact, 0);
	double error = kc_error(y, ref, exact.n_out), gain = kc_gain(y, ref, exact.n_out);

	(void)state;
	print_message("tf32 conv: error %.3g, gain - 1 = %.2g\n", error, gain - 1.0);
	assert_true(error >= 2e-4 && error <= 4e-4);
	assert_true(fabs(gain - 1.0) <= 5e-5);
	free(y);
	free(ref);
	data_free(&exact);
	data_free(&rounded);
}

/* ---- transposed --------------------------------------------------------------------------------------------- */

struct up_shape {
	int64_t n, h, w, cin, cout;
	int k;
};

static const struct up_shape up_shapes[] = {
	{ 1, 1, 1, 1, 1, 1 },
	{ 1, 3, 5, 7, 3, 1 },
	{ 2, 3, 5, 7, 3, 2 },
	{ 2, 5, 3, 7, 5, 4 },
	{ 1, 1, 95, 4, 3, 2 },
	{ 1, 1, 96, 4, 3, 2 },
	{ 1, 1, 97, 4, 3, 2 },
	{ 1, 4, 5, 12, 257, 2 },
	{ 1, 3, 4, 2500, 2, 2 },
	{ 2, 18, 10, 32, 32, 4 },
	{ 1, 18, 10, 64, 64, 2 },
	{ 1, 70, 70, 3, 2, 3 },
};

static float *run_up(
        const struct up_shape *s, int tf32, int bias, void (*reference)(const struct sb_conv_transpose_args *))
{
	int64_t n_in = s->n * s->h * s->w * s->cin, n_w = s->k * s->k * s->cin * s->cout;
	float *x = kc_gauss(n_in, 1, 0.0, 1.0), *w = kc_gauss(n_w, 2, 0.0, 1.0 / sqrt((double)s->cin));
	float *b = kc_gauss(s->cout, 3, 0.0, 0.3);
	struct sb_conv_transpose_args a = { .x = x,
		.w = w,
		.bias = bias ? b : NULL,
		.n = s->n,
		.h = s->h,
		.width = s->w,
		.cin = s->cin,
		.cout = s->cout,
		.k = s->k,
		.tf32 = tf32 };
	float *ws = kc_poisoned((int64_t)(sb_conv_transpose_cpu_workspace(&a) / sizeof(float)));

	a.y = kc_poisoned(s->n * s->h * s->w * s->k * s->k * s->cout);
	if (tf32)
		sb_tf32_round_cpu(w, w, (size_t)n_w);
	if (reference)
		reference(&a);
	else
		sb_conv_transpose_cpu(&a, ws);
	free(x);
	free(w);
	free(b);
	free(ws);
	return a.y;
}

static void up_plain(const struct sb_conv_transpose_args *a)
{
	int64_t wo = a->width * a->k, ho = a->h * a->k;

	for (int64_t i = 0; i < a->n * ho * wo * a->cout; i++) {
		int64_t o = i % a->cout, ox = i / a->cout % wo, oy = i / a->cout / wo % ho, img = i / a->cout / wo / ho;
		const float *x = a->x + ((img * a->h + oy / a->k) * a->width + ox / a->k) * a->cin;
		const float *w = a->w + ((oy % a->k * a->k + ox % a->k) * a->cout + o) * a->cin;
		float sum = 0.0f;

		for (int64_t c = 0; c < a->cin; c++) {
			float v = x[c];

			if (a->tf32)
				sb_tf32_round_cpu(&v, &v, 1);
			sum += v * w[c];
		}
		a->y[i] = sum + (a->bias ? a->bias[o] : 0.0f);
	}
}

static void every_transposed_shape_agrees_with_the_double_loops(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(up_shapes) * 2; i++) {
		const struct up_shape *s = &up_shapes[i / 2];
		int tf32 = i % 2 != 0, bias = i % 3 != 0;
		int64_t n = s->n * s->h * s->w * s->k * s->k * s->cout;
		float *y = run_up(s, tf32, bias, NULL), *ref = run_up(s, tf32, bias, sb_conv_transpose_ref);
		float *plain = run_up(s, tf32, bias, up_plain);

		assert_true(kc_error(y, ref, n) <= 2.0 * kc_error(plain, ref, n) + KC_ROUNDING);
		free(y);
		free(ref);
		free(plain);
	}
}

static void every_input_pixel_makes_its_own_block(void **state)
{
	float x[2] = { 1, 10 }, w[4] = { 1, 2, 3, 4 }, y[8], bias[1] = { 0.5f };
	static const float expected[8] = { 1.5f, 2.5f, 10.5f, 20.5f, 3.5f, 4.5f, 30.5f, 40.5f };
	struct sb_conv_transpose_args a = {
		.x = x, .w = w, .bias = bias, .y = y, .n = 1, .h = 1, .width = 2, .cin = 1, .cout = 1, .k = 2
	};
	float *ws = kc_poisoned((int64_t)(sb_conv_transpose_cpu_workspace(&a) / sizeof(float)));

	(void)state;
	sb_conv_transpose_ref(&a);
	assert_memory_equal(y, expected, sizeof(y));
	memset(y, 0xff, sizeof(y));
	sb_conv_transpose_cpu(&a, ws);
	assert_memory_equal(y, expected, sizeof(y));
	free(ws);
}

static void the_transposed_result_does_not_depend_on_the_number_of_threads(void **state)
{
	int before = omp_get_max_threads();

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(up_shapes); i++) {
		const struct up_shape *s = &up_shapes[i];
		int64_t n = s->n * s->h * s->w * s->k * s->k * s->cout;
		float *one, *many;

		omp_set_num_threads(1);
		one = run_up(s, i % 2, 1, NULL);
		for (int threads = 2; threads <= 4; threads += 2) {
			omp_set_num_threads(threads);
			many = run_up(s, i % 2, 1, NULL);
			assert_true(kc_same_bits(one, many, n));
			free(many);
		}
		free(one);
	}
	omp_set_num_threads(before);
}

/* ---- for the reader, not judged: how near to sgemm's own rate ------------------------------------------------- */

static double best_of(int runs, void (*work)(void *), void *arg)
{
	double best = INFINITY;

	for (int i = 0; i < runs; i++) {
		double start = omp_get_wtime();

		work(arg);
		best = fmin(best, omp_get_wtime() - start);
	}
	return best;
}

struct timing {
	struct sb_conv_args a;
	float *workspace, *patches;
};

static void time_conv(void *arg)
{
	struct timing *t = arg;

	sb_conv_cpu(&t->a, t->workspace);
}

static void time_sgemm(void *arg)
{
	struct timing *t = arg;
	int rows = (int)(t->a.n * t->a.h * t->a.width), k = (int)t->a.cin * t->a.kh * t->a.kw, cout = (int)t->a.cout;

	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, cout, k, 1.0f, t->patches, k, t->a.w, k, 0.0f,
	        t->a.y, cout);
}

static void print_the_rate_beside_that_of_sgemm(void **state)
{
	struct timing t = {
		.a = { .n = 4, .h = 72, .width = 40, .cin = 256, .cout = 256, .kh = 3, .kw = 3, .stride = 1, .pad = 1 }
	};
	int64_t pixels = t.a.n * t.a.h * t.a.width, k = 9 * t.a.cin;
	double flop = 2.0 * (double)pixels * (double)k * (double)t.a.cout, conv, gemm;
	int before = omp_get_max_threads();
	float *x = kc_gauss(pixels * t.a.cin, 1, 0.0, 1.0), *w = kc_gauss(t.a.cout * k, 2, 0.0, 0.02);

	(void)state;
	omp_set_num_threads(2);
	t.a.x = x;
	t.a.w = w;
	t.a.y = kc_poisoned(pixels * t.a.cout);
	t.patches = kc_gauss(pixels * k, 3, 0.0, 1.0);
	t.workspace = kc_poisoned((int64_t)(sb_conv_cpu_workspace(&t.a) / sizeof(float)));
	conv = best_of(3, time_conv, &t);
	gemm = best_of(3, time_sgemm, &t);
	print_message("conv 3x3 256->256, 4 x 72x40, 2 threads: %.1f GFLOP/s, sgemm alone %.1f (%.0f %%)\n",
	        flop / conv / 1e9, flop / gemm / 1e9, 100.0 * gemm / conv);
	omp_set_num_threads(before);
	free(x);
	free(w);
	free(t.a.y);
	free(t.patches);
	free(t.workspace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_taps_lie_where_the_checkpoint_puts_them),
		cmocka_unit_test(a_stride_of_two_starts_at_the_first_pixel),
		cmocka_unit_test(every_shape_agrees_with_the_double_loops),
		cmocka_unit_test(every_combination_of_extras_agrees_with_the_double_loops),
		cmocka_unit_test(the_result_does_not_depend_on_the_number_of_threads),
		cmocka_unit_test(tf32_errs_as_much_as_rounded_operands_do_and_without_bias),
		cmocka_unit_test(every_input_pixel_makes_its_own_block),
		cmocka_unit_test(every_transposed_shape_agrees_with_the_double_loops),
		cmocka_unit_test(the_transposed_result_does_not_depend_on_the_number_of_threads),
		cmocka_unit_test(print_the_rate_beside_that_of_sgemm),
	};

	return cmocka_run_group_tests_name("conv", tests, NULL, NULL);
}
