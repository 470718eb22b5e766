/*
 * maps on the CPU: norms of feature maps and the resizes without arithmetic. Bound by memory. Sums run in double and in
 * the order of the pixels, one sum a channel, so that they depend neither on alignment nor on the number of threads.
 */
#include "track.h"

#include <math.h>
#include <string.h>

#include "cpu_loop.h"
#include "cpu_math.h"

/* Elements below which the other threads are not woken. */
#define MIN_PARALLEL 16384

/* ---- instance norm ---------------------------------------------------------------------------------------------- */

#define CHANNELS 32 /* a task: one image by so many channels, two cache lines of each pixel */

/* Differences from the first pixel: sums of squares of those do not cancel, however far the mean is from 0. */
SB_INLINE void add_pixel(const float *x, const float *first, double *sum, double *squares, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++) {
		double d = (double)x[i] - (double)first[i];

		sum[i] += d;
		squares[i] += d * d;
	}
}

SB_HOT static void channel_moments(const float *x, int64_t pixels, int64_t c, int64_t n, double eps,
        double *restrict mean, double *restrict inv_std)
{
	double sum[CHANNELS] = { 0.0 }, squares[CHANNELS] = { 0.0 };

	if (n == CHANNELS)
		for (int64_t p = 0; p < pixels; p++)
			add_pixel(x + p * c, x, sum, squares, CHANNELS);
	else
		for (int64_t p = 0; p < pixels; p++)
			add_pixel(x + p * c, x, sum, squares, n);
	for (int64_t i = 0; i < n; i++) {
		double d = sum[i] / (double)pixels, var = squares[i] / (double)pixels - d * d;

		mean[i] = (double)x[i] + d;
		inv_std[i] = 1.0 / sqrt((var < 0.0 ? 0.0 : var) + eps);
	}
}

SB_INLINE float relu(float v)
{
	return v < 0.0f ? 0.0f : v; /* NaN stays */
}

/* y may be x or residual: elements do not depend on each other. */
SB_HOT static void normalise_channels(const struct sb_instance_norm_args *a, int64_t at, int64_t n,
        const double *restrict mean, const double *restrict inv_std)
{
	for (int64_t p = 0; p < a->pixels; p++) {
		const float *x = a->x + at + p * a->c, *residual = a->residual ? a->residual + at + p * a->c : NULL;
		float *y = a->y + at + p * a->c, v[CHANNELS];

#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			v[i] = (float)(((double)x[i] - mean[i]) * inv_std[i]);
		if (a->relu) {
#pragma omp simd
			for (int64_t i = 0; i < n; i++)
				v[i] = relu(v[i]);
		}
		if (residual) {
#pragma omp simd
			for (int64_t i = 0; i < n; i++)
				v[i] = relu(residual[i] + v[i]);
		}
		memcpy(y, v, (size_t)n * sizeof(*y));
	}
}

static void normalise_block(const struct sb_instance_norm_args *a, int64_t image, int64_t c0)
{
	int64_t n = sb_min64(CHANNELS, a->c - c0), at = image * a->pixels * a->c + c0;
	double mean[CHANNELS], inv_std[CHANNELS];

	channel_moments(a->x + at, a->pixels, a->c, n, (double)a->eps, mean, inv_std);
	normalise_channels(a, at, n, mean, inv_std);
}

void sb_instance_norm_cpu(const struct sb_instance_norm_args *a)
{
	int64_t blocks = sb_pieces(a->c, CHANNELS);

	if (a->pixels > 0)
		SB_PARALLEL_FOR(dynamic, a->n * a->pixels * a->c >= MIN_PARALLEL, i, a->n * blocks,
		        normalise_block(a, i / blocks, i % blocks * CHANNELS));
}

/* ---- l2 norm ---------------------------------------------------------------------------------------------------- */

#define LANES 16

SB_HOT static void normalise_row(const float *x, float *y, int64_t n)
{
	double lane[LANES] = { 0.0 }, sum = 0.0, scale;
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (int l = 0; l < LANES; l++)
			lane[l] += (double)x[i + l] * (double)x[i + l];
	for (int l = 0; i + l < n; l++)
		lane[l] += (double)x[i + l] * (double)x[i + l];
	for (int l = 0; l < LANES; l++)
		sum += lane[l];
	scale = 1.0 / sqrt(sum < 1e-12 ? 1e-12 : sum);
#pragma omp simd
	for (int64_t c = 0; c < n; c++)
		y[c] = (float)((double)x[c] * scale);
}

void sb_l2_normalize_cpu(const struct sb_l2_normalize_args *a)
{
	SB_PARALLEL_FOR(static, a->rows * a->c >= MIN_PARALLEL, r, a->rows,
	        normalise_row(a->x + r * a->c, a->y + r * a->c, a->c));
}

/* ---- resizes ---------------------------------------------------------------------------------------------------- */

static int64_t nearest(int64_t i, int64_t in, float ratio)
{
	return sb_min64((int64_t)floorf((float)i * ratio), in - 1);
}

static void nearest_row(const struct sb_resize_nearest_args *a, const float *x, float *y)
{
	float ratio = (float)a->w / (float)a->out_w;

	for (int64_t i = 0; i < a->out_w; i++) {
		const float *pixel = x + nearest(i, a->w, ratio) * a->c;

		for (int64_t c = 0; c < a->c; c++)
			y[i * a->c + c] = pixel[c];
	}
}

SB_HOT static void clamp_row(float *y, int64_t n, float lo, float hi)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++) {
		float v = y[i] < lo ? lo : y[i];

		y[i] = v > hi ? hi : v;
	}
}

/* Row i of all images' rows. */
static void resize_row(const struct sb_resize_nearest_args *a, int64_t i)
{
	float ratio = (float)a->h / (float)a->out_h, *y = a->y + i * a->out_w * a->c;
	int64_t line = i / a->out_h * a->h + nearest(i % a->out_h, a->h, ratio);

	nearest_row(a, a->x + line * a->w * a->c, y);
	if (a->lo < a->hi)
		clamp_row(y, a->out_w * a->c, a->lo, a->hi);
}

void sb_resize_nearest_cpu(const struct sb_resize_nearest_args *a)
{
	SB_PARALLEL_FOR(
	        static, a->n * a->out_h * a->out_w * a->c >= MIN_PARALLEL, i, a->n * a->out_h, resize_row(a, i));
}

SB_HOT static void pool_row(const float *upper, const float *lower, float *restrict y, int64_t pixels, int64_t c)
{
	for (int64_t i = 0; i < pixels; i++, upper += 2 * c, lower += 2 * c, y += c)
		for (int64_t k = 0; k < c; k++)
			y[k] = ((upper[k] + upper[c + k]) + (lower[k] + lower[c + k])) * 0.25f;
}

void sb_avg_pool2_cpu(const struct sb_avg_pool2_args *a)
{
	int64_t h = a->h / 2, w = a->w / 2, line = a->w * a->c;

	SB_PARALLEL_FOR(static, a->n * h * w * a->c >= MIN_PARALLEL, i, a->n * h,
	        pool_row(a->x + (i / h * a->h + 2 * (i % h)) * line, a->x + (i / h * a->h + 2 * (i % h) + 1) * line,
	                a->y + i * w * a->c, w, a->c));
}

static void subsample_row(const float *x, float *y, int64_t pixels, int64_t c, int64_t step)
{
	for (int64_t i = 0; i < pixels; i++)
		memcpy(y + i * c, x + i * step * c, (size_t)c * sizeof(*y));
}

void sb_subsample_cpu(const struct sb_subsample_args *a)
{
	int64_t h = sb_pieces(a->h, a->step), w = sb_pieces(a->w, a->step);

	SB_PARALLEL_FOR(static, a->n * h * w * a->c >= MIN_PARALLEL, i, a->n * h,
	        subsample_row(
	                a->x + (i / h * a->h + i % h * a->step) * a->w * a->c, a->y + i * w * a->c, w, a->c, a->step));
}
