#include "norm.h"

#include <math.h>

struct moments {
	double mean, inv_std;
};

static struct moments moments_of(const float *x, int64_t n, double eps)
{
	struct moments m = { 0.0, 0.0 };
	double var = 0.0;

	for (int64_t i = 0; i < n; i++)
		m.mean += x[i];
	m.mean /= (double)n;
	for (int64_t i = 0; i < n; i++)
		var += (x[i] - m.mean) * (x[i] - m.mean);
	m.inv_std = 1.0 / sqrt(var / (double)n + eps);
	return m;
}

void sb_layer_norm_ref(const struct sb_layer_norm_args *a)
{
	for (int64_t i = 0; i < a->batch * a->rows; i++) {
		const float *x = a->x + i / a->rows * a->x_batch + i % a->rows * a->x_row;
		float *y = a->y + i / a->rows * a->y_batch + i % a->rows * a->y_row;
		struct moments m = moments_of(x, a->dim, a->eps);

		for (int64_t c = 0; c < a->dim; c++) {
			double v = (x[c] - m.mean) * m.inv_std;

			if (a->weight)
				v = v * a->weight[c] + a->bias[c];
			if (a->mod) {
				const float *mod = a->mod + i * a->ld_mod;

				v = mod[2 * a->dim + c] * (v * (1.0 + mod[a->dim + c]) + mod[c]) + x[c];
			}
			y[c] = (float)v;
		}
	}
}

/* The normalised element d of a head, before the rotation. */
static double normed(const float *x, struct moments m, const float *weight, const float *bias, int d)
{
	return (x[d] - m.mean) * m.inv_std * weight[d] + bias[d];
}

static void qk_head_ref(
        const struct sb_qk_norm_rope_args *a, float *x, const float *weight, const float *bias, int64_t in_frame)
{
	struct moments m = moments_of(x, a->dim, a->eps);
	int64_t patch = in_frame - a->special;
	int half = a->dim / 2, quarter = a->dim / 4;

	for (int part = 0; part < 2; part++)
		for (int j = 0; j < quarter; j++) {
			int lo = part * half + j, hi = lo + quarter;
			double p = normed(x, m, weight, bias, lo), q = normed(x, m, weight, bias, hi);
			double cosine = 1.0, sine = 0.0;

			if (patch >= 0) {
				int64_t pos = (part ? patch % a->grid_w : patch / a->grid_w) + 1;

				cosine = a->rope[(pos * quarter + j) * 2];
				sine = a->rope[(pos * quarter + j) * 2 + 1];
			}
			x[lo] = (float)(p * cosine - q * sine);
			x[hi] = (float)(q * cosine + p * sine);
		}
}

void sb_qk_norm_rope_ref(const struct sb_qk_norm_rope_args *a)
{
	for (int64_t t = 0; t < a->tokens; t++)
		for (int h = 0; h < a->heads; h++) {
			int64_t at = t * a->row + (int64_t)h * a->dim;

			qk_head_ref(a, a->q + at, a->q_weight, a->q_bias, t % a->frame_tokens);
			qk_head_ref(a, a->k + at, a->k_weight, a->k_bias, t % a->frame_tokens);
		}
}
