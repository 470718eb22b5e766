/*
 * pointwise on the CPU: all bound by memory. OpenMP shares out rows (or pieces of PIECE elements), a small function
 * made for vectorising does one. Nothing is summed, so no result can depend on the sharing out.
 */
#include "pointwise.h"

#include <math.h>
#include <string.h>

#include "cpu_loop.h"
#include "cpu_math.h"

/* Elements a piece: 3 x 16 KiB in and out stay in L1/L2, and a thread's start is paid back. A multiple of 3 and of 16.
 */
#define PIECE 6144

/* Work smaller than this is done by one thread: waking the others costs more. */
#define MIN_PARALLEL 16384

/* ---- channel affine --------------------------------------------------------------------------------------------- */

#define PERIOD 48 /* three channels over whole vectors of 16 */

/* `scale` and `offset` repeat the three channels over a period. n is a multiple of 3. */
SB_HOT static void affine_piece(const float *x, float *y, int64_t n, const float *scale, const float *offset)
{
	int64_t i = 0;

	for (; i + PERIOD <= n; i += PERIOD) {
#pragma omp simd
		for (int j = 0; j < PERIOD; j++)
			y[i + j] = x[i + j] * scale[j] + offset[j];
	}
	for (int j = 0; i + j < n; j++)
		y[i + j] = x[i + j] * scale[j] + offset[j];
}

void sb_channel_affine_cpu(const struct sb_channel_affine_args *a)
{
	float scale[PERIOD], offset[PERIOD];
	int64_t n = a->n * 3;

	for (int j = 0; j < PERIOD; j++) {
		scale[j] = a->scale[j % 3];
		offset[j] = a->offset[j % 3];
	}
	SB_PARALLEL_FOR(static, n >= MIN_PARALLEL, i, sb_pieces(n, PIECE),
	        affine_piece(a->x + i * PIECE, a->y + i * PIECE, sb_min64(PIECE, n - i * PIECE), scale, offset));
}

/* ---- tokens, copies, positions ---------------------------------------------------------------------------------- */

SB_HOT static void add_rows(const float *x, const float *y, float *out, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		out[i] = x[i] + y[i];
}

static void copy_floats(float *dst, const float *src, int64_t n)
{
	memcpy(dst, src, (size_t)n * sizeof(*dst));
}

/* The i-th row that is written, all frames counted through. */
static void token_row(const struct sb_tokens_args *a, int64_t i)
{
	int64_t rows = a->special + a->patches, dim = a->dim, written = a->x ? rows : a->special;
	int64_t t = i / written, row = i % written, p = row - a->special;
	float *out = a->out + (t * rows + row) * dim;

	if (p < 0)
		copy_floats(out, a->specials + ((t ? 1 : 0) * a->special + row) * dim, dim);
	else if (a->pos)
		add_rows(a->x + (t * a->patches + p) * dim, a->pos + p * dim, out, dim);
	else
		copy_floats(out, a->x + (t * a->patches + p) * dim, dim);
}

void sb_tokens_cpu(const struct sb_tokens_args *a)
{
	int64_t n = a->frames * (a->x ? a->special + a->patches : a->special);

	SB_PARALLEL_FOR(static, n * a->dim >= MIN_PARALLEL, i, n, token_row(a, i));
}

void sb_copy2d_cpu(const struct sb_copy2d_args *a)
{
	SB_PARALLEL_FOR(static, a->rows * a->cols >= MIN_PARALLEL, r, a->rows,
	        copy_floats(a->dst + r * a->ld_dst, a->src + r * a->ld_src, a->cols));
}

/* One image row. */
SB_HOT static void add_position_row(float *restrict x, const float *u, const float *v, int64_t w, int64_t half)
{
	for (int64_t col = 0; col < w; col++, x += 2 * half, u += half)
		for (int64_t c = 0; c < half; c++) {
			x[c] += u[c];
			x[half + c] += v[c];
		}
}

void sb_add_position_cpu(const struct sb_add_position_args *a)
{
	SB_PARALLEL_FOR(static, a->n * a->h * a->w * a->c >= MIN_PARALLEL, i, a->n * a->h,
	        add_position_row(a->x + i * a->w * a->c, a->u, a->v + i % a->h * (a->c / 2), a->w, a->c / 2));
}

/* ---- depth ------------------------------------------------------------------------------------------------------ */

SB_HOT static void depth_piece(const float *x, float *restrict depth, float *restrict conf, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		depth[i] = sb_expf(x[2 * i]);
		conf[i] = 1.0f / (1.0f + sb_expf(-x[2 * i + 1]));
	}
}

void sb_depth_out_cpu(const struct sb_depth_out_args *a)
{
	SB_PARALLEL_FOR(static, a->n >= MIN_PARALLEL, i, sb_pieces(a->n, PIECE),
	        depth_piece(a->x + 2 * i * PIECE, a->depth + i * PIECE, a->conf + i * PIECE,
	                sb_min64(PIECE, a->n - i * PIECE)));
}

/* ---- cameras ---------------------------------------------------------------------------------------------------- */

/* The world-to-camera matrix of translation t and quaternion q (x y z w, any norm). */
static void camera_matrix(const float *t, const float *q, float m[16])
{
	float x = q[0], y = q[1], z = q[2], w = q[3], s = 2.0f / (x * x + y * y + z * z + w * w);

	m[0] = 1.0f - s * (y * y + z * z);
	m[1] = s * (x * y - z * w);
	m[2] = s * (x * z + y * w);
	m[4] = s * (x * y + z * w);
	m[5] = 1.0f - s * (x * x + z * z);
	m[6] = s * (y * z - x * w);
	m[8] = s * (x * z - y * w);
	m[9] = s * (y * z + x * w);
	m[10] = 1.0f - s * (x * x + y * y);
	for (int i = 0; i < 3; i++) {
		m[4 * i + 3] = t[i];
		m[12 + i] = 0.0f;
	}
	m[15] = 1.0f;
}

static int pivot_row(double m[4][8], int col)
{
	int best = col;

	for (int r = col + 1; r < 4; r++)
		if (fabs(m[r][col]) > fabs(m[best][col]))
			best = r;
	return best;
}

/* Gauss-Jordan with row pivots. A singular matrix gives infinities or NaN, as plain division does. */
static void invert(const float a[16], float out[16])
{
	double m[4][8];

	for (int r = 0; r < 4; r++)
		for (int c = 0; c < 8; c++)
			m[r][c] = c < 4 ? (double)a[4 * r + c] : (double)(c - 4 == r);
	for (int col = 0; col < 4; col++) {
		int best = pivot_row(m, col);
		double row[8], inv;

		memcpy(row, m[best], sizeof(row));
		memcpy(m[best], m[col], sizeof(row));
		inv = 1.0 / row[col];
		for (int c = 0; c < 8; c++)
			m[col][c] = row[c] * inv;
		for (int r = 0; r < 4; r++) {
			double factor = m[r][col];

			for (int c = 0; r != col && c < 8; c++)
				m[r][c] -= factor * m[col][c];
		}
	}
	for (int i = 0; i < 16; i++)
		out[i] = (float)m[i / 4][4 + i % 4];
}

static void intrinsics(float fov_h, float fov_w, int64_t height, int64_t width, float k[9])
{
	float cy = (float)height / 2.0f, cx = (float)width / 2.0f;
	float m[9] = { cx / tanf(fov_w / 2.0f), 0.0f, cx, 0.0f, cy / tanf(fov_h / 2.0f), cy, 0.0f, 0.0f, 1.0f };

	memcpy(k, m, sizeof(m));
}

void sb_pose_decode_cpu(const struct sb_pose_decode_args *a)
{
	for (int64_t t = 0; t < a->frames; t++) {
		const float *p = a->p + 9 * t;
		float *enc = a->enc + 9 * t;

		for (int i = 0; i < 9; i++)
			enc[i] = i >= 7 && p[i] < 0.0f ? 0.0f : p[i];
		camera_matrix(enc, enc + 3, a->w2c + 16 * t);
		invert(a->w2c + 16 * t, a->c2w + 16 * t);
		intrinsics(enc[7], enc[8], a->height, a->width, a->k + 9 * t);
	}
}

/* One image row; v is its number. */
SB_HOT static void unproject_row(const float *depth, const float *k, int64_t v, int64_t w, float *restrict points)
{
	float fx = k[0], cx = k[2], y = ((float)v - k[5]) / k[4];

	for (int64_t u = 0; u < w; u++) {
		points[3 * u] = depth[u] * (((float)u - cx) / fx);
		points[3 * u + 1] = depth[u] * y;
		points[3 * u + 2] = depth[u];
	}
}

void sb_unproject_cpu(const struct sb_unproject_args *a)
{
	SB_PARALLEL_FOR(static, a->frames * a->h * a->w >= MIN_PARALLEL, i, a->frames * a->h,
	        unproject_row(a->depth + i * a->w, a->k + i / a->h * 9, i % a->h, a->w, a->points + i * a->w * 3));
}

static void fill_piece(float *x, float value, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		x[i] = value;
}

void sb_fill_cpu(const struct sb_fill_args *a)
{
	SB_PARALLEL_FOR(static, a->n >= MIN_PARALLEL, i, sb_pieces(a->n, PIECE),
	        fill_piece(a->x + i * PIECE, a->value, sb_min64(PIECE, a->n - i * PIECE)));
}

SB_HOT static void scale_piece(const float *x, float *y, float factor, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		y[i] = x[i] * factor;
}

void sb_scale_cpu(const struct sb_scale_args *a)
{
	SB_PARALLEL_FOR(static, a->n >= MIN_PARALLEL, i, sb_pieces(a->n, PIECE),
	        scale_piece(a->x + i * PIECE, a->y + i * PIECE, a->factor, sb_min64(PIECE, a->n - i * PIECE)));
}
