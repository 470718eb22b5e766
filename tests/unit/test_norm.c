#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "kernel_check.h"
#include "norm.h"
#include "sb_base.h"

/* ---- layer norm ----------------------------------------------------------------------------------------------- */

struct shape {
	int64_t batch, rows, dim;
	int64_t x_gap, y_gap; /* elements between rows, and twice as many between batches */
	double mean, dev;
};

static const struct shape shapes[] = {
	{ 1, 1, 1, 0, 0, 0.5, 1.0 },
	{ 1, 1, 2, 0, 0, 0.0, 1.0 },
	{ 1, 5, 9, 3, 0, 0.0, 1.0 },
	{ 1, 3, 15, 0, 1, 0.0, 1.0 }, /* one below, at and above the lanes of a sum */
	{ 1, 3, 16, 0, 0, 0.0, 1.0 },
	{ 1, 3, 17, 1, 2, 0.0, 1.0 },
	{ 2, 7, 64, 0, 0, 0.0, 3.0 },
	{ 3, 41, 384, 0, 5, 0.0, 1.0 }, /* large enough for several threads */
	{ 2, 37, 1024, 1024, 0, 0.1, 1.0 },
	{ 4, 5, 2048, 0, 0, 0.0, 1e-3 }, /* eps = 1e-5 is as large as the variance */
	{ 1, 9, 4096, 0, 0, 0.0, 1.0 },
	{ 1, 9, 1024, 0, 0, 1000.0, 1.0 }, /* the mean is far larger than the deviation */
	{ 1, 4, 100, 0, 0, -3e4, 0.5 },
};

enum { AFFINE = 1, MOD = 2, IN_PLACE = 4 };

struct data {
	struct sb_layer_norm_args a;
	float *x, *weight, *bias, *mod;
	int64_t x_len, y_len;
};

static struct data data_new(const struct shape *s, int with)
{
	struct data d;
	int64_t y_gap = with & IN_PLACE ? s->x_gap : s->y_gap, ld_mod = 3 * s->dim + 7;

	d.a = (struct sb_layer_norm_args){
		.batch = s->batch,
		.rows = s->rows,
		.dim = s->dim,
		.eps = 1e-5f,
		.ld_mod = ld_mod,
		.x_row = s->dim + s->x_gap,
		.x_batch = s->rows * (s->dim + s->x_gap) + 2 * s->x_gap,
		.y_row = s->dim + y_gap,
		.y_batch = s->rows * (s->dim + y_gap) + 2 * y_gap,
	};
	d.x_len = s->batch * d.a.x_batch;
	d.y_len = s->batch * d.a.y_batch;
	d.x = kc_gauss(d.x_len, 1, s->mean, s->dev);
	d.weight = kc_gauss(s->dim, 2, 1.0, 0.1);
	d.bias = kc_gauss(s->dim, 3, 0.0, 0.1);
	d.mod = kc_gauss(s->batch * s->rows * ld_mod, 4, 0.0, 0.5);
	d.a.weight = with & AFFINE ? d.weight : NULL;
	d.a.bias = with & AFFINE ? d.bias : NULL;
	d.a.mod = with & MOD ? d.mod : NULL;
	return d;
}

static void data_free(struct data *d)
{
	free(d->x);
	free(d->weight);
	free(d->bias);
	free(d->mod);
}

/* The same maths in plain float, one sum after the other. */
static void layer_norm_plain(const struct sb_layer_norm_args *a)
{
	for (int64_t i = 0; i < a->batch * a->rows; i++) {
		const float *x = a->x + i / a->rows * a->x_batch + i % a->rows * a->x_row;
		float *y = a->y + i / a->rows * a->y_batch + i % a->rows * a->y_row;
		float mean = 0.0f, var = 0.0f, inv;

		for (int64_t c = 0; c < a->dim; c++)
			mean += x[c];
		mean /= (float)a->dim;
		for (int64_t c = 0; c < a->dim; c++)
			var += (x[c] - mean) * (x[c] - mean);
		inv = 1.0f / sqrtf(var / (float)a->dim + a->eps);
		for (int64_t c = 0; c < a->dim; c++) {
			float v = (x[c] - mean) * inv;

			v = a->weight ? v * a->weight[c] + a->bias[c] : v;
			if (a->mod) {
				const float *mod = a->mod + i * a->ld_mod;

				v = mod[2 * a->dim + c] * (v * (1.0f + mod[a->dim + c]) + mod[c]) + x[c];
			}
			y[c] = v;
		}
	}
}

/* Where nothing may be written there is NaN before and must be afterwards; the rows go into a dense array. */
static float *run(const struct data *d, void (*norm)(const struct sb_layer_norm_args *), int with)
{
	struct sb_layer_norm_args a = d->a;
	float *x = kc_copy(d->x, d->x_len), *y = kc_poisoned(d->y_len), *dense = kc_poisoned(a.batch * a.rows * a.dim);

	a.x = x;
	a.y = with & IN_PLACE ? x : y;
	norm(&a);
	for (int64_t i = 0; i < d->y_len; i++) {
		int64_t row = i % a.y_batch / a.y_row, c = i % a.y_batch % a.y_row;

		if (row < a.rows && c < a.dim)
			dense[(i / a.y_batch * a.rows + row) * a.dim + c] = a.y[i];
		else if (with & IN_PLACE)
			assert_true(a.y[i] == d->x[i]);
		else
			assert_true(isnan(a.y[i]));
	}
	free(x);
	free(y);
	return dense;
}

static void every_shape_agrees_with_the_double_loops(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes) * 8; i++) {
		const struct shape *s = &shapes[i / 8];
		int with = (int)(i % 8);
		int64_t n = s->batch * s->rows * s->dim;
		struct data d = data_new(s, with);
		float *y = run(&d, sb_layer_norm_cpu, with), *ref = run(&d, sb_layer_norm_ref, with);
		float *plain = run(&d, layer_norm_plain, with);
		double error = kc_error(y, ref, n);

		assert_true(error <= 2.0 * kc_error(plain, ref, n) + KC_ROUNDING);
		assert_true(error <= 2e-7); /* rounding level, however far the mean is from zero */
		free(y);
		free(ref);
		free(plain);
		data_free(&d);
	}
}

static void the_norm_does_not_depend_on_the_number_of_threads(void **state)
{
	int before = omp_get_max_threads();

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes); i++) {
		int64_t n = shapes[i].batch * shapes[i].rows * shapes[i].dim;
		struct data d = data_new(&shapes[i], AFFINE | MOD);
		float *one, *many;

		omp_set_num_threads(1);
		one = run(&d, sb_layer_norm_cpu, 0);
		for (int threads = 2; threads <= 4; threads += 2) {
			omp_set_num_threads(threads);
			many = run(&d, sb_layer_norm_cpu, 0);
			assert_true(kc_same_bits(one, many, n));
			free(many);
		}
		free(one);
		data_free(&d);
	}
	omp_set_num_threads(before);
}

static void the_variance_is_biased_and_the_modulation_is_shift_scale_gate(void **state)
{
	float x[2] = { 1.0f, 3.0f }, y[2], mod[6] = { 10, 20, 1, 2, 3, 4 };
	struct sb_layer_norm_args a = { .x = x,
		.y = y,
		.batch = 1,
		.rows = 1,
		.dim = 2,
		.x_row = 2,
		.y_row = 2,
		.x_batch = 2,
		.y_batch = 2,
		.ld_mod = 6 };
	void (*const both[2])(const struct sb_layer_norm_args *) = { sb_layer_norm_cpu, sb_layer_norm_ref };

	(void)state;
	for (int i = 0; i < 2; i++) {
		a.mod = NULL;
		both[i](&a); /* mean 2, variance 1 */
		assert_true(y[0] == -1.0f && y[1] == 1.0f);
		a.mod = mod;
		both[i](&a); /* 3 (-1 (1 + 1) + 10) + 1, 4 (1 (1 + 2) + 20) + 3 */
		assert_true(y[0] == 25.0f && y[1] == 95.0f);
	}
}

/* ---- q/k norm with rotary positions --------------------------------------------------------------------------- */

struct qk_shape {
	int64_t frames, special, grid_h, grid_w;
	int heads, dim;
};

static const struct qk_shape qk_shapes[] = {
	{ 1, 0, 1, 1, 1, 4 },
	{ 1, 5, 1, 1, 1, 8 },
	{ 2, 5, 3, 4, 4, 16 },
	{ 2, 1, 4, 3, 3, 20 },
	{ 3, 5, 10, 18, 2, 64 },
	{ 1, 5, 21, 37, 16, 64 },
	{ 2, 0, 2, 5, 2, 128 },
};

struct qk_data {
	struct sb_qk_norm_rope_args a;
	float *qkv, *weights, *rope;
	int64_t n;
};

static struct qk_data qk_new(const struct qk_shape *s)
{
	struct qk_data d;
	int64_t dim = s->dim, quarter = dim / 4, positions = (s->grid_h > s->grid_w ? s->grid_h : s->grid_w) + 1;

	d.a = (struct sb_qk_norm_rope_args){ .frame_tokens = s->special + s->grid_h * s->grid_w,
		.special = s->special,
		.grid_w = s->grid_w,
		.heads = s->heads,
		.dim = s->dim,
		.eps = 1e-5f };
	d.a.tokens = s->frames * d.a.frame_tokens;
	d.a.row = 3 * s->heads * dim;
	d.n = d.a.tokens * d.a.row;
	d.qkv = kc_gauss(d.n, 1, 0.2, 1.5);
	d.weights = kc_gauss(4 * dim, 2, 0.5, 0.5);
	d.rope = kc_poisoned(positions * quarter * 2);
	for (int64_t i = 0; i < positions * quarter; i++) {
		double angle = (double)(i / quarter) * pow(100.0, -2.0 * (double)(i % quarter) / ((double)dim / 2.0));

		d.rope[2 * i] = (float)cos(angle);
		d.rope[2 * i + 1] = (float)sin(angle);
	}
	d.a.q_weight = d.weights;
	d.a.q_bias = d.weights + dim;
	d.a.k_weight = d.weights + 2 * dim;
	d.a.k_bias = d.weights + 3 * dim;
	d.a.rope = d.rope;
	return d;
}

static float *qk_run(const struct qk_data *d, void (*kernel)(const struct sb_qk_norm_rope_args *))
{
	struct sb_qk_norm_rope_args a = d->a;
	float *qkv = kc_copy(d->qkv, d->n);

	a.q = qkv;
	a.k = qkv + a.heads * a.dim;
	kernel(&a);
	return qkv;
}

static void qk_free(struct qk_data *d)
{
	free(d->qkv);
	free(d->weights);
	free(d->rope);
}

static void qk_norm_rope_agrees_with_the_double_loops_and_leaves_v_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(qk_shapes); i++) {
		struct qk_data d = qk_new(&qk_shapes[i]);
		float *y = qk_run(&d, sb_qk_norm_rope_cpu), *ref = qk_run(&d, sb_qk_norm_rope_ref);
		int64_t qk = 2 * d.a.heads * d.a.dim;

		for (int64_t t = 0; t < d.a.tokens; t++) {
			/* norm, weight, bias, two products, one sum: six roundings in float, sqrt(6) * 4e-8 on average
			 */
			assert_true(kc_error(y + t * d.a.row, ref + t * d.a.row, qk) <= 2.5e-7);
			assert_true(kc_same_bits(y + t * d.a.row + qk, d.qkv + t * d.a.row + qk, qk / 2));
		}
		free(y);
		free(ref);
		qk_free(&d);
	}
}

static void qk_norm_rope_does_not_depend_on_the_number_of_threads(void **state)
{
	int before = omp_get_max_threads();

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(qk_shapes); i++) {
		struct qk_data d = qk_new(&qk_shapes[i]);
		float *one, *many;

		omp_set_num_threads(1);
		one = qk_run(&d, sb_qk_norm_rope_cpu);
		for (int threads = 2; threads <= 4; threads += 2) {
			omp_set_num_threads(threads);
			many = qk_run(&d, sb_qk_norm_rope_cpu);
			assert_true(kc_same_bits(one, many, d.n));
			free(many);
		}
		free(one);
		qk_free(&d);
	}
	omp_set_num_threads(before);
}

/*
 * One head of 4 dims, so one pair (0, 1) for the row and one (2, 3) for the column. The table turns position 1 by 90
 * degrees and position 2 by 180; the input is normalised already (mean 0, variance 1), the bias undoes nothing.
 */
static void rows_turn_the_first_half_and_columns_the_second(void **state)
{
	static const float rope[6] = { 1, 0, 0, 1, -1, 0 }, ones[4] = { 1, 1, 1, 1 }, zeros[4] = { 0 };
	static const float in[4] = { 1, -1, -1, 1 };
	static const float expected[3][4] = {
		{ 1, -1, -1, 1 }, /* the special token stays */
		{ 1, 1, -1, -1 }, /* row 1, column 1: (a, b) -> (-b, a) in both halves */
		{ 1, 1, 1, -1 },  /* row 1, column 2: the second half turned round */
	};
	void (*const both[2])(const struct sb_qk_norm_rope_args *) = { sb_qk_norm_rope_cpu, sb_qk_norm_rope_ref };

	(void)state;
	for (int i = 0; i < 2; i++) {
		float q[2 * 3 * 4], k[2 * 3 * 4];
		struct sb_qk_norm_rope_args a = { .q = q,
			.k = k,
			.q_weight = ones,
			.k_weight = ones,
			.q_bias = zeros,
			.k_bias = zeros,
			.rope = rope,
			.tokens = 6,
			.row = 4,
			.frame_tokens = 3,
			.special = 1,
			.grid_w = 2,
			.heads = 1,
			.dim = 4 };

		for (int t = 0; t < 6; t++) {
			memcpy(q + 4 * t, in, sizeof(in));
			memcpy(k + 4 * t, in, sizeof(in));
		}
		both[i](&a);
		for (int j = 0; j < 24; j++)
			assert_true(q[j] == expected[j / 4 % 3][j % 4] && k[j] == q[j]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_variance_is_biased_and_the_modulation_is_shift_scale_gate),
		cmocka_unit_test(every_shape_agrees_with_the_double_loops),
		cmocka_unit_test(the_norm_does_not_depend_on_the_number_of_threads),
		cmocka_unit_test(rows_turn_the_first_half_and_columns_the_second),
		cmocka_unit_test(qk_norm_rope_agrees_with_the_double_loops_and_leaves_v_alone),
		cmocka_unit_test(qk_norm_rope_does_not_depend_on_the_number_of_threads),
	};

	return cmocka_run_group_tests_name("norm", tests, NULL, NULL);
}
