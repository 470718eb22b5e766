/* Every position on its own: coordinates clamped in double, then four pixels. uv * scale is float32 by definition. */
#include "patches.h"

#include <math.h>
#include <stdlib.h>

/* A map of one frame. */
struct image {
	const float *at;
	int64_t h, w, c;
};

static double clamp(double v, double top)
{
	return v > 0.0 ? v < top ? v : top : 0.0; /* NaN gives 0 */
}

/* Channel `channel` at (u, v) * scale + offset k. */
static double sample(const struct image *m, const float *uv, float scale, int k, int64_t channel)
{
	float x32 = uv[0] * scale, y32 = uv[1] * scale;
	double x = clamp((double)x32 + k / 7 - 3, (double)m->w - 1.0);
	double y = clamp((double)y32 + k % 7 - 3, (double)m->h - 1.0);
	int64_t x0 = (int64_t)x, y0 = (int64_t)y;
	int64_t x1 = x0 + 1 < m->w ? x0 + 1 : x0, y1 = y0 + 1 < m->h ? y0 + 1 : y0;
	double fx = x - (double)x0, fy = y - (double)y0;
	double ul = m->at[(y0 * m->w + x0) * m->c + channel], ur = m->at[(y0 * m->w + x1) * m->c + channel];
	double ll = m->at[(y1 * m->w + x0) * m->c + channel], lr = m->at[(y1 * m->w + x1) * m->c + channel];

	return (1.0 - fy) * ((1.0 - fx) * ul + fx * ur) + fy * ((1.0 - fx) * ll + fx * lr);
}

void sb_patch_sample_ref(const struct sb_patch_sample_args *a)
{
	for (int64_t i = 0; i < a->n * SB_PATCH * a->c; i++) {
		int64_t point = i / a->c / SB_PATCH;
		struct image m = { a->map + a->frame[point] * a->h * a->w * a->c, a->h, a->w, a->c };

		a->out[i] = (float)sample(&m, a->xy + 2 * point, a->scale, (int)(i / a->c % SB_PATCH), i % a->c);
	}
}

/* ---- correlation ------------------------------------------------------------------------------------------------ */

/* TF32 of a float value: 10 stored mantissa bits, ties away from zero. */
static double tf32(double v)
{
	int exponent;
	double mantissa = frexp((double)(float)v, &exponent);

	return isfinite(v) ? ldexp(round(ldexp(mantissa, 11)), exponent - 11) : v;
}

static double volume_at(const struct sb_corr_args *a, int64_t row, int i, int j)
{
	int64_t n = row / a->frames, t = row % a->frames;
	struct image m = { a->map + t * a->h * a->width * a->c, a->h, a->width, a->c };
	const float *query = a->query + (n * SB_PATCH + j) * a->c;
	double sum = 0.0;

	for (int64_t c = 0; c < a->c; c++) {
		double target = sample(&m, a->uv + 2 * row, a->scale, i, c);

		sum += a->tf32 ? tf32(target) * tf32(query[c]) : target * query[c];
	}
	return sum;
}

void sb_corr_volume_ref(const struct sb_corr_args *a, float *volume)
{
	for (int64_t r = 0; r < a->n * a->frames; r++)
		for (int k = 0; k < SB_PATCH * SB_PATCH; k++)
			volume[r * SB_PATCH * SB_PATCH + k] = (float)volume_at(a, r, k / SB_PATCH, k % SB_PATCH);
}

void sb_corr_ref(const struct sb_corr_args *a)
{
	for (int64_t r = 0; r < a->n * a->frames; r++) {
		double v[SB_PATCH * SB_PATCH];

		for (int k = 0; k < SB_PATCH * SB_PATCH; k++) {
			v[k] = volume_at(a, r, k / SB_PATCH, k % SB_PATCH);
			v[k] = a->tf32 ? tf32(v[k]) : v[k];
		}
		for (int64_t o = 0; o < a->out; o++) {
			double sum = a->bias ? a->bias[o] : 0.0;

			for (int k = 0; k < SB_PATCH * SB_PATCH; k++)
				sum += v[k] * a->w[o * a->ldw + k];
			a->y[r * a->ldy + o] = (float)(0.5 * sum * erfc(-sum * 0.70710678118654752));
		}
	}
}

/* ---- neighbours ------------------------------------------------------------------------------------------------- */

struct candidate {
	double length;
	int k;
};

static int in_order(const void *pa, const void *pb)
{
	const struct candidate *a = pa, *b = pb;

	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	return a->k - b->k;
}

static void row_ref(const struct sb_neighbours_args *a, int64_t row)
{
	int64_t t = row % a->frames;
	struct image map = { a->map + t * a->h * a->w * a->c, a->h, a->w, a->c };
	struct image points = { a->pmap + t * a->h * a->w * 3, a->h, a->w, 3 };
	const float *query = a->points + row * SB_PATCH * 3;
	struct candidate order[SB_PATCH];
	float d[SB_PATCH][3];

	for (int k = 0; k < SB_PATCH; k++) {
		double length = 0.0;

		for (int c = 0; c < 3; c++) {
			d[k][c] = (float)(a->points ? (double)query[3 * k + c] - query[3 * 24 + c]
			                            : sample(&points, a->uv + 2 * row, a->scale, k, c) -
			                                      a->centre[3 * row + c]);
			length += (double)d[k][c] * d[k][c];
		}
		order[k] = (struct candidate){ isnan(length) ? INFINITY : length, k };
	}
	qsort(order, SB_PATCH, sizeof(order[0]), in_order);
	for (int i = 0; i < SB_NEIGHBOURS; i++) {
		int k = order[i + 1].k;
		float *f = a->out_f + (row * SB_NEIGHBOURS + i) * a->ldf;

		for (int c = 0; c < 3; c++)
			a->out_d[(row * SB_NEIGHBOURS + i) * 3 + c] = d[k][c];
		for (int64_t c = 0; c < a->c; c++)
			f[c] = a->points ? a->patches[(row * SB_PATCH + k) * a->c + c]
			                 : (float)sample(&map, a->uv + 2 * row, a->scale, k, c);
	}
}

void sb_neighbours_ref(const struct sb_neighbours_args *a)
{
	for (int64_t row = 0; row < (a->points ? a->n : a->n * a->frames); row++)
		row_ref(a, row);
}
