/* Plain loops, sorted arrays for order statistics. What decides is float32 by definition, as track.h says. */
#include "track.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *pa, const void *pb)
{
	float a = *(const float *)pa, b = *(const float *)pb;

	return (a > b) - (a < b);
}

/* The positive elements in ascending order, to be freed; *count of them. */
static float *sorted_positive(const float *v, int64_t n, int64_t *count)
{
	float *out = malloc((size_t)n * sizeof(*out) + 1);

	*count = 0;
	if (!out)
		abort();
	for (int64_t i = 0; i < n; i++)
		if (v[i] > 0.0f)
			out[(*count)++] = v[i];
	qsort(out, (size_t)*count, sizeof(*out), by_value);
	return out;
}

/* Linear interpolation between order statistics; NaN if nothing is positive. */
static double quantile(const float *v, int64_t n, double q)
{
	int64_t count;
	float *sorted = sorted_positive(v, n, &count);
	double at = q * (double)(count - 1), result = NAN;

	if (count > 0) {
		int64_t low = (int64_t)at, high = low + 1 < count ? low + 1 : low;

		result = sorted[low] + (at - (double)low) * ((double)sorted[high] - sorted[low]);
	}
	free(sorted);
	return result;
}

/* ---- look-up along tracks --------------------------------------------------------------------------------------- */

static double clamp(double v, double top)
{
	return v > 0.0 ? v < top ? v : top : 0.0;
}

static double depth_at(const struct sb_depth_snap_args *a, int64_t t, double px, double py)
{
	double x = clamp(px, (double)a->w - 1.0), y = clamp(py, (double)a->h - 1.0), sum = 0.0;
	int64_t x0 = (int64_t)x, y0 = (int64_t)y;

	for (int k = 0; k < 4; k++) {
		int64_t xi = x0 + k % 2 < a->w ? x0 + k % 2 : x0, yi = y0 + k / 2 < a->h ? y0 + k / 2 : y0;
		double fx = x - (double)x0, fy = y - (double)y0;

		sum += (k % 2 ? fx : 1.0 - fx) * (k / 2 ? fy : 1.0 - fy) *
		       a->pmap[((t * a->h + yi) * a->w + xi) * 3 + 2];
	}
	return sum;
}

static float looked_up(const struct sb_depth_snap_args *a, int64_t row)
{
	int64_t t = row % a->frames;
	double px = a->px[2 * row], py = a->px[2 * row + 1], x = rint(px), y = rint(py);
	float best = INFINITY, zs = 0.0f;

	if (isnan(px) || isnan(py) || x < 0.0 || y < 0.0 || x > (double)(a->w - 1) || y > (double)(a->h - 1))
		return 0.0f;
	if (!(a->valid[(t * a->h + (int64_t)y) * a->w + (int64_t)x] >= 0.5f))
		return 0.0f;
	for (int k = 0; k < 49; k++) {
		float v = (float)depth_at(a, t, px + k / 7 - 3, py + k % 7 - 3), distance = fabsf(v - a->z[row]);

		if (distance < best) {
			best = distance;
			zs = v;
		}
	}
	return zs;
}

static void replace(const struct sb_depth_snap_args *a, int64_t row, float zs)
{
	const float *k = a->k + row % a->frames * 9;
	/* Upper triangular: K as cameras have it. */
	double y = (a->px[2 * row + 1] - (double)k[5]) / k[4];
	double x = (a->px[2 * row] - (double)k[2] - k[1] * y) / k[0];

	a->z[row] = zs;
	a->A[3 * row] = (float)(x * zs);
	a->A[3 * row + 1] = (float)(y * zs);
	a->A[3 * row + 2] = zs;
}

/* zs, |d1| and |d2| of every row, 0 where they do not exist. */
static void fill(const struct sb_depth_snap_args *a, float *zs, float *d1, float *d2)
{
	for (int64_t row = 0; row < a->n * a->frames; row++)
		zs[row] = looked_up(a, row);
	for (int64_t row = 0; row < a->n * a->frames; row++) {
		int64_t t = row % a->frames;
		float z0 = a->z0[row / a->frames];

		d1[row] = t + 1 < a->frames ? fabsf((zs[row + 1] - z0) - (zs[row] - z0)) : 0.0f;
		d2[row] = t > 0 && t + 1 < a->frames
		                  ? fabsf(((zs[row + 1] - z0) - 2.0f * (zs[row] - z0)) + (zs[row - 1] - z0))
		                  : 0.0f;
	}
}

void sb_depth_snap_ref(const struct sb_depth_snap_args *a)
{
	int64_t rows = a->n * a->frames;
	float *zs = calloc((size_t)rows * 3 + 1, sizeof(*zs)), *d1 = zs + rows, *d2 = d1 + rows;
	double most1, most2;

	if (!zs)
		abort();
	fill(a, zs, d1, d2);
	most1 = quantile(d1, rows, 0.2);
	most2 = quantile(d2, rows, 0.2);
	for (int64_t row = 0; row < rows; row++) {
		int64_t t = row % a->frames;
		int keep = zs[row] > 0.0f && a->vis[row] > 0.0f;

		if (!isnan(most2))
			keep &= t >= 1 && t <= a->frames - 2 && d2[row] < most2 && d1[row] < most1;
		if (keep)
			replace(a, row, zs[row]);
	}
	free(zs);
}

/* ---- clean-up --------------------------------------------------------------------------------------------------- */

/* (max - min) / D over the 3 x 3 around pixel i that is of interest. */
static float edge(const struct sb_depth_clean_args *a, const float *depth, int64_t i, float upper)
{
	int64_t x = i % a->w, y = i / a->w % a->h;
	float hi = -INFINITY, lo = INFINITY;

	for (int64_t dy = -1; dy <= 1; dy++)
		for (int64_t dx = -1; dx <= 1; dx++)
			if (x + dx >= 0 && x + dx < a->w && y + dy >= 0 && y + dy < a->h) {
				float d = depth[i + dy * a->w + dx];

				if (d > 0.1f && d < upper) {
					hi = d > hi ? d : hi;
					lo = d < lo ? d : lo;
				}
			}
	return (hi - lo) / depth[i];
}

void sb_depth_clean_ref(const struct sb_depth_clean_args *a)
{
	int64_t n = a->frames * a->h * a->w, count, rank25, rank75;
	float *depth = malloc((size_t)n * sizeof(*depth) + 1), *sorted = sorted_positive(a->depth, n, &count);
	float q25 = 0.0f, q75 = 0.0f, upper;

	if (!depth)
		abort();
	memcpy(depth, a->depth, (size_t)n * sizeof(*depth));
	rank25 = (int64_t)(0.25 * (double)count);
	rank75 = (int64_t)(0.75 * (double)count);
	if (count > 0) {
		q25 = sorted[rank25 > 0 ? rank25 - 1 : 0];
		q75 = sorted[rank75 > 0 ? rank75 - 1 : 0];
	}
	upper = fminf(fmaxf(q75 + 0.8f * (q75 - q25), 1e-6f), 10.0f * q25);
	for (int64_t i = 0; i < n; i++) {
		float d = depth[i];
		int valid = d > 0.1f && d < upper && !(edge(a, depth, i, upper) > 0.03f);

		if (a->conf)
			valid = valid && a->conf[i] > 0.5f;
		a->valid[i] = valid || !a->apply ? 1.0f : 0.0f;
		if (a->apply && (isnan(d) || d > 10.0f * q25))
			a->depth[i] = 0.0f;
	}
	free(depth);
	free(sorted);
}
