/*
 * The positions (source index and fraction) are float32 by definition, as in the network's framework: they are part of
 * what is computed, and a position in double would differ by up to 3e-5 of a pixel at 500. Everything else is double.
 */
#include "resize.h"

#include <math.h>

static double cubic(double d)
{
	const double a = -0.75;

	d = fabs(d);
	if (d <= 1.0)
		return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
	if (d < 2.0)
		return ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a;
	return 0.0;
}

static int64_t clamp(int64_t v, int64_t top)
{
	return v < 0 ? 0 : v > top ? top : v;
}

void sb_frames_resize_ref(const struct sb_frames_resize_args *a)
{
	float scale_y = (float)a->h / (float)a->full_h, scale_x = (float)a->w / (float)a->full_w;

	for (int64_t i = 0; i < a->n * a->out_h * a->out_w * 3; i++) {
		int64_t c = i % 3, col = i / 3 % a->out_w, row = i / 3 / a->out_w % a->out_h;
		const uint8_t *src = a->src + i / 3 / a->out_w / a->out_h * a->h * a->w * 3;
		float y = ((float)(row + a->crop_y) + 0.5f) * scale_y - 0.5f;
		float x = ((float)(col + a->crop_x) + 0.5f) * scale_x - 0.5f;
		int64_t y0 = (int64_t)floorf(y), x0 = (int64_t)floorf(x);
		double sum = 0.0;

		for (int64_t j = y0 - 1; j <= y0 + 2; j++)
			for (int64_t k = x0 - 1; k <= x0 + 2; k++)
				sum += cubic((double)y - (double)j) * cubic((double)x - (double)k) *
				       src[(clamp(j, a->h - 1) * a->w + clamp(k, a->w - 1)) * 3 + c];
		a->dst[i] = (float)sum;
	}
}

static float position(int64_t i, int64_t in, int64_t out)
{
	float scale = out > 1 ? (float)(in - 1) / (float)(out - 1) : 0.0f;

	return scale * (float)i;
}

void sb_resize_bilinear_ref(const struct sb_resize_bilinear_args *a)
{
	for (int64_t i = 0; i < a->n * a->out_h * a->out_w * a->c; i++) {
		int64_t c = i % a->c, col = i / a->c % a->out_w, row = i / a->c / a->out_w % a->out_h;
		const float *x = a->x + i / a->c / a->out_w / a->out_h * a->h * a->w * a->c + c;
		float py = position(row, a->h, a->out_h), px = position(col, a->w, a->out_w);
		int64_t y0 = clamp((int64_t)py, a->h - 1), x0 = clamp((int64_t)px, a->w - 1);
		int64_t y1 = clamp(y0 + 1, a->h - 1), x1 = clamp(x0 + 1, a->w - 1);
		double fy = (double)py - (double)y0, fx = (double)px - (double)x0;
		double top = (1.0 - fx) * x[(y0 * a->w + x0) * a->c] + fx * x[(y0 * a->w + x1) * a->c];
		double low = (1.0 - fx) * x[(y1 * a->w + x0) * a->c] + fx * x[(y1 * a->w + x1) * a->c];

		a->y[i] = (float)((1.0 - fy) * top + fy * low);
	}
}
