/*
 * norm on the CPU: two passes a row, sums in double over a fixed number of lanes. The lanes let the compiler vectorise
 * without reordering, so a row's result depends neither on alignment nor on the number of threads.
 */
#include "norm.h"

#include <math.h>

#include "cpu_loop.h"
#include "cpu_math.h"

#define LANES 16 /* two AVX-512 or four AVX2 registers of double: enough sums in flight to hide the adder's latency */

/* Rows smaller than this in all are not worth waking the other threads (a few microseconds). */
#define MIN_PARALLEL 16384

struct moments {
	double mean, inv_std;
};

SB_INLINE double lane_total(const double *lane)
{
	double sum = 0.0;

	for (int l = 0; l < LANES; l++)
		sum += lane[l];
	return sum;
}

SB_INLINE double sum_of(const float *x, int64_t n)
{
	double lane[LANES] = { 0.0 };
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (int l = 0; l < LANES; l++)
			lane[l] += (double)x[i + l];
	for (int l = 0; i + l < n; l++)
		lane[l] += (double)x[i + l];
	return lane_total(lane);
}

SB_INLINE double square_sum_about(const float *x, int64_t n, double mean)
{
	double lane[LANES] = { 0.0 };
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (int l = 0; l < LANES; l++) {
			double d = (double)x[i + l] - mean;

			lane[l] += d * d;
		}
	for (int l = 0; i + l < n; l++) {
		double d = (double)x[i + l] - mean;

		lane[l] += d * d;
	}
	return lane_total(lane);
}

SB_INLINE struct moments moments_of(const float *x, int64_t n, double eps)
{
	struct moments m;

	m.mean = sum_of(x, n) / (double)n;
	m.inv_std = 1.0 / sqrt(square_sum_about(x, n, m.mean) / (double)n + eps);
	return m;
}

/* The difference is taken in double: a mean rounded to float would be off by its whole last place on every element. */
SB_INLINE float normed(float x, struct moments m)
{
	return (float)(((double)x - m.mean) * m.inv_std);
}

/* y may be x: `omp simd` tells the compiler that elements do not depend on each other, which it cannot see then. */
SB_HOT static void norm_row(
        const float *x, float *y, const float *weight, const float *bias, const float *mod, int64_t n, double eps)
{
	struct moments m = moments_of(x, n, eps);

	if (mod) {
		const float *shift = mod, *scale = mod + n, *gate = mod + 2 * n;

#pragma omp simd
		for (int64_t i = 0; i < n; i++) {
			float v = normed(x[i], m);

			v = weight ? v * weight[i] + bias[i] : v;
			y[i] = gate[i] * (v * (1.0f + scale[i]) + shift[i]) + x[i];
		}
	} else if (weight) {
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			y[i] = normed(x[i], m) * weight[i] + bias[i];
	} else {
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			y[i] = normed(x[i], m);
	}
}

void sb_layer_norm_cpu(const struct sb_layer_norm_args *a)
{
	int64_t rows = a->batch * a->rows;

	SB_PARALLEL_FOR(static, rows * a->dim >= MIN_PARALLEL, i, rows,
	        norm_row(a->x + i / a->rows * a->x_batch + i % a->rows * a->x_row,
	                a->y + i / a->rows * a->y_batch + i % a->rows * a->y_row, a->weight, a->bias,
	                a->mod ? a->mod + i * a->ld_mod : NULL, a->dim, (double)a->eps));
}

/* ---- q/k normalisation with rotary positions ----------------------------------------------------------------- */

/* Turn the pairs (j, j + quarter) of one half of a head; cs = (cos, sin) of each pair. */
SB_INLINE void rotate_half(float *x, const float *cs, int quarter)
{
	float *lo = x, *hi = x + quarter;

#pragma omp simd
	for (int j = 0; j < quarter; j++) {
		float a = lo[j], b = hi[j], cosine = cs[2 * j], sine = cs[2 * j + 1];

		lo[j] = a * cosine - b * sine;
		hi[j] = b * cosine + a * sine;
	}
}

/* All heads of one token. cs_row and cs_col: the table's lines of its position, NULL for a special token. */
SB_HOT static void qk_token(float *x, int heads, int dim, const float *weight, const float *bias, double eps,
        const float *cs_row, const float *cs_col)
{
	for (int h = 0; h < heads; h++, x += dim) {
		struct moments m = moments_of(x, dim, eps);

#pragma omp simd
		for (int i = 0; i < dim; i++)
			x[i] = normed(x[i], m) * weight[i] + bias[i];
		if (cs_row) {
			rotate_half(x, cs_row, dim / 4);
			rotate_half(x + dim / 2, cs_col, dim / 4);
		}
	}
}

/* q and k of one token. */
static void qk_both(const struct sb_qk_norm_rope_args *a, int64_t t)
{
	int64_t patch = t % a->frame_tokens - a->special;
	int64_t line = a->dim / 4 * 2; /* floats of one position in the table */
	const float *cs_row = patch < 0 ? NULL : a->rope + (patch / a->grid_w + 1) * line;
	const float *cs_col = patch < 0 ? NULL : a->rope + (patch % a->grid_w + 1) * line;

	qk_token(a->q + t * a->row, a->heads, a->dim, a->q_weight, a->q_bias, (double)a->eps, cs_row, cs_col);
	qk_token(a->k + t * a->row, a->heads, a->dim, a->k_weight, a->k_bias, (double)a->eps, cs_row, cs_col);
}

void sb_qk_norm_rope_cpu(const struct sb_qk_norm_rope_args *a)
{
	SB_PARALLEL_FOR(static, a->tokens * a->heads * a->dim >= MIN_PARALLEL, t, a->tokens, qk_both(a, t));
}
