#include "conv.h"

#include <math.h>
#include <string.h>

/* Round to 10 stored mantissa bits, ties away from zero. Its own code: the reference shares nothing with the kernels.
 */
static double operand(float v, int tf32)
{
	uint32_t bits;

	if (!tf32 || !isfinite(v))
		return v;
	memcpy(&bits, &v, sizeof(bits));
	bits = (bits + 0x1000u) & ~UINT32_C(0x1fff);
	memcpy(&v, &bits, sizeof(v));
	return v;
}

static double relu_if(double v, int on)
{
	return on && v < 0.0 ? 0.0 : v;
}

/* The sum over the window of output pixel (oy, ox) of image `img` and output channel `o`. */
static double window_sum(const struct sb_conv_args *a, int64_t img, int64_t oy, int64_t ox, int64_t o)
{
	double sum = 0.0;

	for (int ky = 0; ky < a->kh; ky++)
		for (int kx = 0; kx < a->kw; kx++) {
			int64_t iy = oy * a->stride - a->pad + ky, ix = ox * a->stride - a->pad + kx;
			const float *x = a->x + ((img * a->h + iy) * a->width + ix) * a->cin;
			const float *w = a->w + ((o * a->kh + ky) * a->kw + kx) * a->cin;

			if (iy < 0 || iy >= a->h || ix < 0 || ix >= a->width)
				continue;
			for (int64_t c = 0; c < a->cin; c++)
				sum += relu_if(operand(x[c], a->tf32), a->relu_in) * operand(w[c], a->tf32);
		}
	return sum;
}

void sb_conv_ref(const struct sb_conv_args *a)
{
	int64_t ho = (a->h + 2 * a->pad - a->kh) / a->stride + 1;
	int64_t wo = (a->width + 2 * a->pad - a->kw) / a->stride + 1;

	for (int64_t p = 0; p < a->n * ho * wo; p++)
		for (int64_t o = 0; o < a->cout; o++) {
			int64_t at = p * a->cout + o;
			double v = window_sum(a, p / (ho * wo), p / wo % ho, p % wo, o);

			v = relu_if(v + (a->bias ? a->bias[o] : 0.0), a->relu_out);
			if (a->residual)
				v += relu_if(a->residual[at], a->residual_relu);
			if (a->residual2)
				v += a->residual2[at];
			a->y[at] = (float)v;
		}
}

void sb_conv_transpose_ref(const struct sb_conv_transpose_args *a)
{
	int64_t ho = a->h * a->k, wo = a->width * a->k;

	for (int64_t p = 0; p < a->n * ho * wo; p++)
		for (int64_t o = 0; o < a->cout; o++) {
			int64_t img = p / (ho * wo), oy = p / wo % ho, ox = p % wo;
			const float *x = a->x + ((img * a->h + oy / a->k) * a->width + ox / a->k) * a->cin;
			const float *w = a->w + ((oy % a->k * a->k + ox % a->k) * a->cout + o) * a->cin;
			double v = a->bias ? a->bias[o] : 0.0;

			for (int64_t c = 0; c < a->cin; c++)
				v += operand(x[c], a->tf32) * operand(w[c], a->tf32);
			a->y[p * a->cout + o] = (float)v;
		}
}
