/* Plain loops in double. Indices of the nearest pixel are float32 by definition. */
#include "track.h"

#include <math.h>

static void normalise_channel(const struct sb_instance_norm_args *a, int64_t at)
{
	double mean = 0.0, var = 0.0;

	for (int64_t p = 0; p < a->pixels; p++)
		mean += a->x[at + p * a->c];
	mean /= (double)a->pixels;
	for (int64_t p = 0; p < a->pixels; p++)
		var += (a->x[at + p * a->c] - mean) * (a->x[at + p * a->c] - mean);
	var /= (double)a->pixels;
	for (int64_t p = 0; p < a->pixels; p++) {
		double v = (a->x[at + p * a->c] - mean) / sqrt(var + a->eps);

		v = a->relu && v < 0.0 ? 0.0 : v;
		if (a->residual) {
			v += a->residual[at + p * a->c];
			v = v < 0.0 ? 0.0 : v;
		}
		a->y[at + p * a->c] = (float)v;
	}
}

void sb_instance_norm_ref(const struct sb_instance_norm_args *a)
{
	for (int64_t i = 0; i < a->n * a->c; i++)
		normalise_channel(a, i / a->c * a->pixels * a->c + i % a->c);
}

void sb_l2_normalize_ref(const struct sb_l2_normalize_args *a)
{
	for (int64_t r = 0; r < a->rows; r++) {
		double sum = 0.0;

		for (int64_t c = 0; c < a->c; c++)
			sum += (double)a->x[r * a->c + c] * a->x[r * a->c + c];
		sum = sum < 1e-12 ? 1e-12 : sum;
		for (int64_t c = 0; c < a->c; c++)
			a->y[r * a->c + c] = (float)(a->x[r * a->c + c] / sqrt(sum));
	}
}

static int64_t nearest(int64_t i, int64_t in, int64_t out)
{
	float ratio = (float)((double)in / (double)out), at = (float)i * ratio;

	return at < (float)in ? (int64_t)at : in - 1;
}

void sb_resize_nearest_ref(const struct sb_resize_nearest_args *a)
{
	for (int64_t i = 0; i < a->n * a->out_h * a->out_w * a->c; i++) {
		int64_t c = i % a->c, col = i / a->c % a->out_w, row = i / a->c / a->out_w % a->out_h;
		int64_t image = i / a->c / a->out_w / a->out_h;
		int64_t y = nearest(row, a->h, a->out_h), x = nearest(col, a->w, a->out_w);
		float v = a->x[((image * a->h + y) * a->w + x) * a->c + c];

		if (a->lo < a->hi)
			v = v < a->lo ? a->lo : v > a->hi ? a->hi : v;
		a->y[i] = v;
	}
}

void sb_avg_pool2_ref(const struct sb_avg_pool2_args *a)
{
	int64_t h = a->h / 2, w = a->w / 2;

	for (int64_t i = 0; i < a->n * h * w * a->c; i++) {
		int64_t c = i % a->c, col = i / a->c % w, row = i / a->c / w % h, image = i / a->c / w / h;
		double sum = 0.0;

		for (int k = 0; k < 4; k++)
			sum += a->x[((image * a->h + 2 * row + k / 2) * a->w + 2 * col + k % 2) * a->c + c];
		a->y[i] = (float)(sum / 4.0);
	}
}

void sb_subsample_ref(const struct sb_subsample_args *a)
{
	int64_t h = (a->h - 1) / a->step + 1, w = (a->w - 1) / a->step + 1;

	for (int64_t i = 0; i < a->n * h * w * a->c; i++) {
		int64_t c = i % a->c, col = i / a->c % w, row = i / a->c / w % h, image = i / a->c / w / h;

		a->y[i] = a->x[((image * a->h + row * a->step) * a->w + col * a->step) * a->c + c];
	}
}
