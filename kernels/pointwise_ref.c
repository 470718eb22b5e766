#include "pointwise.h"

#include <math.h>

void sb_channel_affine_ref(const struct sb_channel_affine_args *a)
{
	for (int64_t i = 0; i < a->n * 3; i++)
		a->y[i] = (float)((double)a->x[i] * a->scale[i % 3] + a->offset[i % 3]);
}

void sb_tokens_ref(const struct sb_tokens_args *a)
{
	int64_t rows = a->special + a->patches;

	for (int64_t i = 0; i < a->frames * rows * a->dim; i++) {
		int64_t c = i % a->dim, row = i / a->dim % rows, t = i / a->dim / rows, p = row - a->special;

		if (p < 0)
			a->out[i] = a->specials[((t ? 1 : 0) * a->special + row) * a->dim + c];
		else if (a->x)
			a->out[i] = (float)((double)a->x[(t * a->patches + p) * a->dim + c] +
			                    (a->pos ? a->pos[p * a->dim + c] : 0.0));
	}
}

void sb_copy2d_ref(const struct sb_copy2d_args *a)
{
	for (int64_t i = 0; i < a->rows * a->cols; i++)
		a->dst[i / a->cols * a->ld_dst + i % a->cols] = a->src[i / a->cols * a->ld_src + i % a->cols];
}

void sb_add_position_ref(const struct sb_add_position_args *a)
{
	int64_t half = a->c / 2;

	for (int64_t i = 0; i < a->n * a->h * a->w * a->c; i++) {
		int64_t c = i % a->c, col = i / a->c % a->w, row = i / a->c / a->w % a->h;
		float code = c < half ? a->u[col * half + c] : a->v[row * half + c - half];

		a->x[i] = (float)((double)a->x[i] + code);
	}
}

void sb_depth_out_ref(const struct sb_depth_out_args *a)
{
	for (int64_t i = 0; i < a->n; i++) {
		a->depth[i] = (float)exp((double)a->x[2 * i]);
		a->conf[i] = (float)(1.0 / (1.0 + exp(-(double)a->x[2 * i + 1])));
	}
}

/* w2c = [R | t; 0 0 0 1] and its inverse [R^T | -R^T t]: R is a rotation up to rounding, which in double is out of
 * sight. */
static void matrices_ref(const double *p, float *w2c, float *c2w)
{
	double x = p[3], y = p[4], z = p[5], w = p[6], s = 2.0 / (x * x + y * y + z * z + w * w);
	double r[3][3] = {
		{ 1.0 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w) },
		{ s * (x * y + z * w), 1.0 - s * (x * x + z * z), s * (y * z - x * w) },
		{ s * (x * z - y * w), s * (y * z + x * w), 1.0 - s * (x * x + y * y) },
	};

	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++) {
			w2c[4 * i + j] = (float)r[i][j];
			c2w[4 * i + j] = (float)r[j][i];
		}
		w2c[4 * i + 3] = (float)p[i];
		c2w[4 * i + 3] = (float)-(r[0][i] * p[0] + r[1][i] * p[1] + r[2][i] * p[2]);
	}
	for (int j = 0; j < 4; j++)
		w2c[12 + j] = c2w[12 + j] = j == 3 ? 1.0f : 0.0f;
}

void sb_pose_decode_ref(const struct sb_pose_decode_args *a)
{
	for (int64_t t = 0; t < a->frames; t++) {
		float *k = a->k + 9 * t;
		double p[9];

		for (int i = 0; i < 9; i++) {
			p[i] = a->p[9 * t + i];
			if (i >= 7 && p[i] < 0.0)
				p[i] = 0.0;
			a->enc[9 * t + i] = (float)p[i];
		}
		matrices_ref(p, a->w2c + 16 * t, a->c2w + 16 * t);
		for (int i = 0; i < 9; i++)
			k[i] = i == 8 ? 1.0f : 0.0f;
		k[0] = (float)((double)a->width / 2.0 / tan(p[8] / 2.0));
		k[2] = (float)((double)a->width / 2.0);
		k[4] = (float)((double)a->height / 2.0 / tan(p[7] / 2.0));
		k[5] = (float)((double)a->height / 2.0);
	}
}

void sb_unproject_ref(const struct sb_unproject_args *a)
{
	for (int64_t i = 0; i < a->frames * a->h * a->w; i++) {
		const float *k = a->k + i / (a->h * a->w) * 9;
		double d = a->depth[i], u = (double)(i % a->w), v = (double)(i / a->w % a->h);

		a->points[3 * i] = (float)(d * ((u - k[2]) / k[0]));
		a->points[3 * i + 1] = (float)(d * ((v - k[5]) / k[4]));
		a->points[3 * i + 2] = a->depth[i];
	}
}

void sb_fill_ref(const struct sb_fill_args *a)
{
	for (int64_t i = 0; i < a->n; i++)
		a->x[i] = a->value;
}

void sb_scale_ref(const struct sb_scale_args *a)
{
	for (int64_t i = 0; i < a->n; i++)
		a->y[i] = (float)((double)a->x[i] * (double)a->factor);
}
