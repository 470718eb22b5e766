#include "sb_weights.h"

#include <math.h>
#include <stddef.h>

#define SIDE SB_POS_EMBED_SIDE

/* Channels summed at a time: the sums stay in the first-level cache. */
#define CHUNK 256

/* What one output position reads along one axis: weights of source positions first .. first + n - 1. */
struct taps {
	int first, n;
	double w[SIDE];
};

/* The cubic kernel with a = -0.5 (Catmull-Rom), zero beyond 2. */
static double cubic(double x)
{
	const double a = -0.5;

	x = fabs(x);
	if (x < 1.0)
		return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
	if (x < 2.0)
		return ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a;
	return 0.0;
}

/* Position i of n. When the grid shrinks, the kernel is widened by the scale: that is the antialias. */
static struct taps taps_at(int i, int n)
{
	const double scale = (double)SIDE / n, widening = scale > 1.0 ? scale : 1.0, support = 2.0 * widening,
	             centre = scale * (i + 0.5);
	int begin = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
	struct taps t = { 0 };
	double sum = 0.0;

	if (begin < 0)
		begin = 0;
	if (end > SIDE)
		end = SIDE;
	t.first = begin;
	t.n = end - begin;
	for (int k = 0; k < t.n; k++) {
		t.w[k] = cubic((begin + k - centre + 0.5) / widening);
		sum += t.w[k];
	}
	for (int k = 0; k < t.n; k++)
		t.w[k] /= sum;
	return t;
}

/* dst[dim] = the weighted sum of the rows of src under both taps. */
static void sample(const float *src, const struct taps *ty, const struct taps *tx, int dim, float *dst)
{
	for (int c0 = 0; c0 < dim; c0 += CHUNK) {
		const int n = dim - c0 < CHUNK ? dim - c0 : CHUNK;
		double sum[CHUNK] = { 0 };

		for (int y = 0; y < ty->n; y++) {
			for (int x = 0; x < tx->n; x++) {
				const float *row = src + ((ptrdiff_t)(ty->first + y) * SIDE + tx->first + x) * dim + c0;
				const double w = ty->w[y] * tx->w[x];

				for (int c = 0; c < n; c++)
					sum[c] += w * (double)row[c];
			}
		}
		for (int c = 0; c < n; c++)
			dst[c0 + c] = (float)sum[c];
	}
}

void sb_pos_embed_resize(const float *src, int ph, int pw, int dim, float *dst)
{
#pragma omp parallel for schedule(static)
	for (int y = 0; y < ph; y++) {
		const struct taps ty = taps_at(y, ph);

		for (int x = 0; x < pw; x++) {
			const struct taps tx = taps_at(x, pw);

			sample(src, &ty, &tx, dim, dst + ((ptrdiff_t)y * pw + x) * dim);
		}
	}
}
