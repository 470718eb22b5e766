/* linear on the CPU against plain loops in double, TF32 rounding, and the functions of cpu_math.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>

#include <cmocka.h>
#include <omp.h>

#include "cpu_math.h"
#include "linear.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define EPS    5.9604644775390625e-8 /* 2^-24: half a unit in the last place of 1 */

static uint64_t seed;

static double uniform(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(seed >> 11) * 0x1p-53;
}

static float gaussian(void)
{
	return (float)(sqrt(-2.0 * log(1.0 - uniform())) * cos(2.0 * acos(-1.0) * uniform()));
}

static float *floats(int64_t n)
{
	float *p = malloc((size_t)(n ? n : 1) * sizeof(*p));

	assert_non_null(p);
	return p;
}

static float *random_floats(int64_t n, float scale)
{
	float *p = floats(n);

	for (int64_t i = 0; i < n; i++)
		p[i] = scale * gaussian();
	return p;
}

static void poison(float *p, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		p[i] = NAN;
}

/* Runs the kernel with a poisoned workspace and sees that it stays inside. */
static void run(const struct sb_linear_args *a)
{
	int64_t n = (int64_t)(sb_linear_cpu_workspace(a) / sizeof(float));
	float *workspace = floats(n + 16);

	poison(workspace, n);
	for (int i = 0; i < 16; i++)
		workspace[n + i] = 42.0f;
	sb_linear_cpu(a, workspace);
	for (int i = 0; i < 16; i++)
		assert_true(workspace[n + i] == 42.0f);
	free(workspace);
}

/* One problem with room between the rows, and everything that an epilogue may use. */
struct problem {
	struct sb_linear_args a;
	float *x, *w, *bias, *gamma, *residual, *y;
	int64_t n_y;
};

#define WITH_BIAS     1
#define WITH_GAMMA    2
#define WITH_RESIDUAL 4
#define RESIDUAL_IS_Y 8

static struct problem problem_new(int64_t rows, int64_t in, int64_t out, enum sb_act act, int parts, int tf32, int gap)
{
	struct problem p = { .n_y = rows * (out + gap) };
	struct sb_linear_args *a = &p.a;

	*a = (struct sb_linear_args){ .rows = rows, .in = in, .out = out, .act = act, .tf32 = tf32 };
	a->ldx = in + gap;
	a->ldw = in + 2 * gap;
	a->ldr = a->ldy = out + gap;
	a->x = p.x = random_floats(rows * a->ldx, 1.0f);
	a->w = p.w = random_floats(out * a->ldw, 2.0f / sqrtf((float)in));
	if (tf32)
		sb_tf32_round_cpu(p.w, p.w, (size_t)(out * a->ldw));
	p.bias = random_floats(out, 0.5f);
	p.gamma = random_floats(out, 0.5f);
	p.residual = random_floats(p.n_y, 1.0f);
	a->y = p.y = floats(p.n_y);
	poison(p.y, p.n_y);
	a->bias = parts & WITH_BIAS ? p.bias : NULL;
	a->gamma = parts & WITH_GAMMA ? p.gamma : NULL;
	a->residual = parts & WITH_RESIDUAL ? p.residual : NULL;
	if (parts & RESIDUAL_IS_Y) {
		memcpy(p.y, p.residual, (size_t)p.n_y * sizeof(float));
		a->residual = p.y;
	}
	return p;
}

static void problem_free(struct problem *p)
{
	free(p->x);
	free(p->w);
	free(p->bias);
	free(p->gamma);
	free(p->residual);
	free(p->y);
}

static float round_tf32(float v)
{
	float r;

	sb_tf32_round_cpu(&v, &r, 1);
	return r;
}

/* The same maths done plainly in FP32, one rounding an operation. */
static void plain(const struct sb_linear_args *a, float *y)
{
	for (int64_t r = 0; r < a->rows; r++) {
		for (int64_t c = 0; c < a->out; c++) {
			volatile float v = 0.0f;

			for (int64_t k = 0; k < a->in; k++) {
				float x = a->x[r * a->ldx + k];

				v += (a->tf32 ? round_tf32(x) : x) * a->w[c * a->ldw + k];
			}
			if (a->bias)
				v += a->bias[c];
			switch (a->act) {
			case SB_ACT_NONE:
				break;
			case SB_ACT_RELU:
				v = v < 0.0f ? 0.0f : v;
				break;
			case SB_ACT_SILU:
				v = v / (1.0f + expf(-v));
				break;
			case SB_ACT_GELU_ERF:
				v = 0.5f * v * (1.0f + erff(v * 0.707106781f));
				break;
			case SB_ACT_GELU_TANH:
				v = 0.5f * v * (1.0f + tanhf(0.797884561f * (v + 0.044715f * v * v * v)));
				break;
			}
			if (a->gamma)
				v *= a->gamma[c];
			if (a->residual)
				v += a->residual[r * a->ldr + c];
			y[r * a->ldy + c] = v;
		}
	}
}

struct error {
	double max, sum2, ref_max, ref_sum2;
};

static struct error error_of(const struct sb_linear_args *a, const float *y, const float *ref)
{
	struct error e = { .max = 0.0 };

	for (int64_t r = 0; r < a->rows; r++) {
		for (int64_t c = 0; c < a->out; c++) {
			double want = (double)ref[r * a->ldy + c], d = fabs((double)y[r * a->ldy + c] - want);

			e.max = d <= e.max ? e.max : d; /* NaN comes through */
			e.ref_max = fmax(e.ref_max, fabs(want));
			e.sum2 += d * d;
			e.ref_sum2 += want * want;
		}
	}
	return e;
}

/* Error <= 2 x that of plain FP32, plus rounding; gaps between the rows untouched. */
static void check(struct problem *p)
{
	struct sb_linear_args a = p->a, want = p->a;
	float *ref = floats(p->n_y), *fp32 = floats(p->n_y);
	struct error got, base;

	if (a.residual == a.y)
		want.residual = p->residual;
	want.y = ref;
	sb_linear_ref(&want);
	plain(&want, fp32);
	run(&a);
	got = error_of(&a, a.y, ref);
	base = error_of(&a, fp32, ref);
	if (!(got.max <= 2.0 * base.max + 2.0 * EPS * base.ref_max))
		fail_msg("%lld x %lld x %lld act %d tf32 %d: error %g, plain FP32 %g", (long long)a.rows,
		        (long long)a.in, (long long)a.out, (int)a.act, a.tf32, got.max, base.max);
	for (int64_t r = 0; r < a.rows; r++)
		for (int64_t c = a.out; c < a.ldy; c++)
			if (a.residual == a.y)
				assert_true(a.y[r * a.ldy + c] == p->residual[r * a.ldy + c]);
			else
				assert_true(isnan(a.y[r * a.ldy + c]));
	free(ref);
	free(fp32);
}

/* 1, around the tiles (64 to 512), around a piece of x (512), and sizes of the tracker. */
static const int64_t shapes[][3] = {
	{ 1, 1, 1 },
	{ 1, 384, 1152 },
	{ 3, 7, 5 },
	{ 63, 64, 65 },
	{ 64, 65, 64 },
	{ 65, 63, 63 },
	{ 255, 16, 129 },
	{ 256, 33, 512 },
	{ 257, 48, 513 },
	{ 5, 511, 3 },
	{ 17, 512, 31 },
	{ 9, 513, 66 },
	{ 4, 1537, 96 },
	{ 24, 1110, 96 },
	{ 128, 384, 384 },
};

static void linear_agrees_with_double_for_odd_shapes_and_strides(void **state)
{
	(void)state;
	seed = 1;
	for (size_t s = 0; s < LEN(shapes); s++) {
		for (int tf32 = 0; tf32 < 2; tf32++) {
			for (int gap = 0; gap < 6; gap += 5) {
				struct problem p = problem_new(
				        shapes[s][0], shapes[s][1], shapes[s][2], SB_ACT_NONE, WITH_BIAS, tf32, gap);

				check(&p);
				problem_free(&p);
			}
		}
	}
}

static void every_epilogue_agrees_with_double(void **state)
{
	static const int residuals[] = { 0, WITH_RESIDUAL, RESIDUAL_IS_Y };

	(void)state;
	seed = 2;
	for (int act = SB_ACT_NONE; act <= SB_ACT_GELU_TANH; act++) {
		for (int parts = 0; parts <= (WITH_BIAS | WITH_GAMMA); parts++) {
			for (size_t r = 0; r < LEN(residuals); r++) {
				for (int tf32 = 0; tf32 < 2; tf32++) {
					struct problem p = problem_new(
					        70, 37, 131, (enum sb_act)act, parts | residuals[r], tf32, 3);

					check(&p);
					problem_free(&p);
				}
			}
		}
	}
}

static void no_rows_write_nothing(void **state)
{
	float y = 7.0f, w = 1.0f;
	struct sb_linear_args a = { .x = &w, .w = &w, .y = &y, .in = 1, .out = 1, .ldx = 1, .ldw = 1, .ldy = 1 };

	(void)state;
	run(&a);
	a.tf32 = 1;
	run(&a);
	a.residual = &y;
	a.ldr = 1;
	run(&a);
	assert_true(y == 7.0f);
}

static void a_residual_in_place_gives_the_same_bits(void **state)
{
	struct problem apart, inside;

	(void)state;
	seed = 3;
	apart = problem_new(300, 64, 530, SB_ACT_GELU_ERF, WITH_BIAS | WITH_GAMMA | WITH_RESIDUAL, 1, 0);
	seed = 3;
	inside = problem_new(300, 64, 530, SB_ACT_GELU_ERF, WITH_BIAS | WITH_GAMMA | RESIDUAL_IS_Y, 1, 0);
	run(&apart.a);
	run(&inside.a);
	assert_memory_equal(apart.y, inside.y, (size_t)apart.n_y * sizeof(float));
	problem_free(&apart);
	problem_free(&inside);
}

static void bits_depend_neither_on_threads_nor_on_alignment(void **state)
{
	int threads = omp_get_max_threads();

	(void)state;
	for (int act = SB_ACT_NONE; act <= SB_ACT_GELU_TANH; act++) {
		for (int tf32 = 0; tf32 < 2; tf32++) {
			struct problem p;
			float *first, *shifted;

			seed = 4;
			p = problem_new(
			        333, 600, 131, (enum sb_act)act, WITH_BIAS | WITH_GAMMA | WITH_RESIDUAL, tf32, 0);
			first = floats(p.n_y);
			shifted = floats(p.n_y + 1);
			for (int t = 1; t <= 4; t++) {
				omp_set_num_threads(t);
				run(&p.a);
				if (t == 1)
					memcpy(first, p.y, (size_t)p.n_y * sizeof(float));
				assert_memory_equal(first, p.y, (size_t)p.n_y * sizeof(float));
				poison(p.y, p.n_y);
			}
			p.a.y = shifted + 1;
			run(&p.a);
			assert_memory_equal(first, shifted + 1, (size_t)p.n_y * sizeof(float));
			free(first);
			free(shifted);
			problem_free(&p);
		}
	}
	omp_set_num_threads(threads);
}

/* Outside a parallel region sgemm shares a product out by itself, in an order that follows from the threads. */
static void bits_of_a_single_tile_do_not_depend_on_threads(void **state)
{
	static const int64_t one_tile[][3] = { { 64, 4096, 64 }, { 1, 9216, 64 }, { 64, 300, 1 }, { 1, 256, 32 },
		{ 1, 257, 40 }, { 33, 2048, 5 }, { 7, 31, 64 } };
	int threads = omp_get_max_threads();

	(void)state;
	for (size_t i = 0; i < LEN(one_tile); i++) {
		for (int tf32 = 0; tf32 < 2; tf32++) {
			struct problem p;
			float *first;

			seed = 11 + i;
			p = problem_new(
			        one_tile[i][0], one_tile[i][1], one_tile[i][2], SB_ACT_NONE, WITH_BIAS, tf32, 0);
			first = floats(p.n_y);
			for (int t = 1; t <= 4; t++) {
				omp_set_num_threads(t);
				run(&p.a);
				if (t == 1)
					memcpy(first, p.y, (size_t)p.n_y * sizeof(float));
				assert_memory_equal(first, p.y, (size_t)p.n_y * sizeof(float));
				poison(p.y, p.n_y);
			}
			free(first);
			problem_free(&p);
		}
	}
	omp_set_num_threads(threads);
}

static void nan_in_a_row_stays_in_that_row(void **state)
{
	(void)state;
	seed = 5;
	for (int act = SB_ACT_NONE; act <= SB_ACT_GELU_TANH; act++) {
		struct problem p = problem_new(70, 20, 33, (enum sb_act)act, WITH_BIAS, 1, 0);

		p.x[10 * 20 + 3] = NAN;
		run(&p.a);
		for (int64_t i = 0; i < p.n_y; i++)
			assert_true(!!isnan(p.y[i]) == (i / 33 == 10));
		problem_free(&p);
	}
}

/* Truncation would shrink every operand by 2^-11 of itself on average over two: a gain of 1 - 7e-4, far outside. */
static void tf32_rounds_to_nearest_and_has_no_gain(void **state)
{
	enum { N = 512 };
	struct sb_linear_args a = { .rows = N, .in = N, .out = N, .ldx = N, .ldw = N, .ldy = N };
	float *x, *w, *rounded, *ref = floats(N * N), *y = floats(N * N);
	double dot = 0.0, norm;
	struct error e;

	(void)state;
	seed = 6;
	a.x = x = random_floats(N * N, 1.0f);
	a.w = w = random_floats(N * N, 1.0f);
	rounded = floats(N * N);
	a.y = ref;
	sb_linear_ref(&a);
	sb_tf32_round_cpu(w, rounded, N * N);
	a.w = rounded;
	a.y = y;
	a.tf32 = 1;
	poison(y, N * N);
	run(&a);
	e = error_of(&a, y, ref);
	for (int64_t i = 0; i < N * N; i++)
		dot += (double)y[i] * (double)ref[i];
	norm = sqrt(e.sum2 / e.ref_sum2);
	print_message("tf32 at 512^3: normwise error %.3g, gain - 1 = %.2g\n", norm, dot / e.ref_sum2 - 1.0);
	assert_true(norm > 2e-4 && norm < 4e-4);
	assert_true(fabs(dot / e.ref_sum2 - 1.0) < 5e-5);
	free(x);
	free(w);
	free(rounded);
	free(ref);
	free(y);
}

static void tf32_rounding_is_exact_at_its_edges(void **state)
{
	static const struct {
		uint32_t in, out;
	} cases[] = {
		{ 0x3f800000, 0x3f800000 },                             /* 1 */
		{ 0x3f800fff, 0x3f800000 },                             /* just below half: down */
		{ 0x3f801000, 0x3f802000 },                             /* half: away from zero */
		{ 0xbf801000, 0xbf802000 }, { 0x3f803000, 0x3f804000 }, /* half from an odd one: away too */
		{ 0x3fffffff, 0x40000000 },                             /* into the next binade */
		{ 0x00000fff, 0x00000000 },                             /* subnormal */
		{ 0x80001000, 0x80002000 }, { 0x7f7fefff, 0x7f7fe000 }, /* the largest of TF32 */
		{ 0x7f7fffff, 0x7f800000 },                             /* overflows */
		{ 0x7f800000, 0x7f800000 }, { 0xff800000, 0xff800000 }, /* infinity */
		{ 0x7f800001, 0x7f800001 }, { 0xffc01234, 0xffc01234 }, { 0x7fffffff, 0x7fffffff }, /* NaN */
	};
	float in[LEN(cases)], out[LEN(cases)];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		memcpy(&in[i], &cases[i].in, sizeof(in[i]));
	sb_tf32_round_cpu(in, out, LEN(cases));
	for (size_t i = 0; i < LEN(cases); i++)
		assert_int_equal(sb_float_bits(out[i]), cases[i].out);
}

static double ulps(double got, double want)
{
	int exponent;

	if (fabs(want) > 3.4028235e38)
		return isinf((float)want) && (float)got == (float)want ? 0.0 : isinf(got) ? 1.0 : 1e9;
	frexp(want, &exponent);
	return fabs(got - want) / ldexp(1.0, exponent - 24 < -149 ? -149 : exponent - 24);
}

/* Every 4099th float, that is every exponent with 2046 mantissas. */
static void functions_hold_the_errors_their_header_states(void **state)
{
	double exp_err = 0.0, neg_err = 0.0, tanh_err = 0.0, erf_err = 0.0, gelu = 0.0, gelu_tanh = 0.0, silu = 0.0;

	(void)state;
	for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 4099) {
		float x = sb_bits_float((uint32_t)bits);
		double d = (double)x, at = fabs(d) + 1e-37;

		if (!isfinite(x))
			continue;
		exp_err = fmax(exp_err, ulps((double)sb_expf(x), exp(d)));
		if (d <= 0.0 && d >= -87.0)
			neg_err = fmax(neg_err, ulps((double)sb_exp_negf(x), exp(d)));
		tanh_err = fmax(tanh_err, ulps((double)sb_tanhf(x), tanh(d)));
		erf_err = fmax(erf_err, fabs((double)sb_erff(x) - erf(d)));
		gelu = fmax(gelu, fabs((double)sb_gelu_erff(x) - 0.5 * d * erfc(-d * sqrt(0.5))) / at);
		silu = fmax(silu, fabs((double)sb_siluf(x) - d / (1.0 + exp(-d))) / at);
		if (fabs(d) < 1e12) {
			double want = 0.5 * d * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (d + 0.044715 * d * d * d)));

			gelu_tanh = fmax(gelu_tanh, fabs((double)sb_gelu_tanhf(x) - want) / at);
		}
		assert_false(isnan(sb_gelu_erff(x)) || isnan(sb_expf(x)) || isnan(sb_erff(x)) || isnan(sb_tanhf(x)));
	}
	print_message("ulp: exp %.2f, exp of negatives %.2f, tanh %.2f; absolute: erf %.2g; of |x|: gelu %.2g, "
	              "gelu by tanh %.2g, silu %.2g\n",
	        exp_err, neg_err, tanh_err, erf_err, gelu, gelu_tanh, silu);
	assert_true(exp_err <= 1.5 && neg_err <= 1.5 && tanh_err <= 2.0);
	assert_true(erf_err <= 2e-7 && gelu <= 2e-7 && gelu_tanh <= 2e-7 && silu <= 2e-7);
}

static void functions_keep_nan_and_limits(void **state)
{
	(void)state;
	assert_true(isnan(sb_expf(NAN)) && isnan(sb_exp_negf(NAN)) && isnan(sb_tanhf(NAN)) && isnan(sb_erff(NAN)));
	assert_true(isnan(sb_gelu_erff(NAN)) && isnan(sb_gelu_tanhf(NAN)) && isnan(sb_siluf(NAN)));
	assert_true(isinf(sb_expf(INFINITY)) && sb_expf(-INFINITY) == 0.0f && sb_expf(0.0f) == 1.0f);
	assert_true(sb_exp_negf(0.0f) == 1.0f && sb_exp_negf(-1e30f) < 1.3e-38f && sb_exp_negf(-INFINITY) < 1.3e-38f);
	assert_true(sb_tanhf(INFINITY) == 1.0f && sb_tanhf(-INFINITY) == -1.0f && sb_erff(-INFINITY) == -1.0f);
	assert_true(isinf(sb_gelu_erff(INFINITY)) && sb_gelu_erff(-INFINITY) == 0.0f);
	assert_true(sb_sigmoidf(-1e30f) == 0.0f && sb_sigmoidf(1e30f) == 1.0f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linear_agrees_with_double_for_odd_shapes_and_strides),
		cmocka_unit_test(every_epilogue_agrees_with_double),
		cmocka_unit_test(no_rows_write_nothing),
		cmocka_unit_test(a_residual_in_place_gives_the_same_bits),
		cmocka_unit_test(bits_depend_neither_on_threads_nor_on_alignment),
		cmocka_unit_test(bits_of_a_single_tile_do_not_depend_on_threads),
		cmocka_unit_test(nan_in_a_row_stays_in_that_row),
		cmocka_unit_test(tf32_rounds_to_nearest_and_has_no_gain),
		cmocka_unit_test(tf32_rounding_is_exact_at_its_edges),
		cmocka_unit_test(functions_hold_the_errors_their_header_states),
		cmocka_unit_test(functions_keep_nan_and_limits),
	};
	return cmocka_run_group_tests_name("linear", tests, NULL, NULL);
}
