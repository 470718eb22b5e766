/* attention in double, with plain loops: what attention_cpu.c and attention.cu are checked against. tf32 is ignored. */
#include "attention.h"

#include <math.h>

static double score(const struct sb_attention_args *a, const float *q, const float *k)
{
	double sum = 0.0;

	for (int d = 0; d < a->dim; d++)
		sum += (double)q[d] * (double)k[d];
	return sum * (double)a->scale;
}

/* One query. The scores are computed three times over, so that nothing has to be stored. */
static void query(const struct sb_attention_args *a, const float *q, const float *k, const float *v, float *o)
{
	double max = -INFINITY, sum = 0.0;

	for (int64_t j = 0; j < a->lk; j++)
		max = fmax(max, score(a, q, k + j * a->ks.row));
	for (int64_t j = 0; j < a->lk; j++)
		sum += exp(score(a, q, k + j * a->ks.row) - max);
	for (int d0 = 0; d0 < a->dim; d0 += 64) {
		int n = a->dim - d0 < 64 ? a->dim - d0 : 64;
		double acc[64] = { 0.0 };

		for (int64_t j = 0; j < a->lk; j++) {
			double p = exp(score(a, q, k + j * a->ks.row) - max) / sum;

			for (int d = 0; d < n; d++)
				acc[d] += p * (double)v[j * a->vs.row + d0 + d];
		}
		for (int d = 0; d < n; d++)
			o[d0 + d] = (float)acc[d];
	}
}

void sb_attention_ref(const struct sb_attention_args *a)
{
	for (int64_t b = 0; b < a->batch; b++) {
		for (int64_t h = 0; h < a->heads; h++) {
			const float *q = a->q + b * a->qs.batch + h * a->qs.head;
			const float *k = a->k + b * a->ks.batch + h * a->ks.head;
			const float *v = a->v + b * a->vs.batch + h * a->vs.head;
			float *o = a->o + b * a->os.batch + h * a->os.head;

			for (int64_t i = 0; i < a->lq; i++)
				query(a, q + i * a->qs.row, k, v, o + i * a->os.row);
		}
	}
}
