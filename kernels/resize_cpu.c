/* resize on the CPU: positions and weights in float32, one output row (or a piece of it) at a time. */
#include "resize.h"

#include <math.h>

#include "cpu_loop.h"
#include "cpu_math.h"

/* ---- frames, bicubic ------------------------------------------------------------------------------------------ */

#define CUBIC_A    (-0.75f)
#define PIECE_COLS 64 /* columns whose taps are worked out once for PIECE_ROWS rows; the tables stay in L1 */
#define PIECE_ROWS 16

/* The four taps of a target row or column: offsets of the source lines, already clamped to the border, and weights. */
struct taps {
	int64_t at[4];
	float weight[4];
};

static float cubic_near(float d)
{
	return ((CUBIC_A + 2.0f) * d - (CUBIC_A + 3.0f)) * d * d + 1.0f;
}

static float cubic_far(float d)
{
	return ((CUBIC_A * d - 5.0f * CUBIC_A) * d + 8.0f * CUBIC_A) * d - 4.0f * CUBIC_A;
}

SB_INLINE int64_t clamp(int64_t v, int64_t top)
{
	return v < 0 ? 0 : v > top ? top : v;
}

/* Target line i of `full`, from a source of `in` lines that are `pitch` elements apart. */
static struct taps cubic_taps(int64_t i, int64_t in, int64_t full, int64_t pitch)
{
	float pos = ((float)i + 0.5f) * ((float)in / (float)full) - 0.5f;
	float base = floorf(pos), t = pos - base;
	struct taps taps = { .weight = {
		                     cubic_far(t + 1.0f), cubic_near(t), cubic_near(1.0f - t), cubic_far(2.0f - t) } };

	for (int k = 0; k < 4; k++)
		taps.at[k] = clamp((int64_t)base - 1 + k, in - 1) * pitch;
	return taps;
}

SB_INLINE float across(const uint8_t *line, const struct taps *tx)
{
	return (float)line[tx->at[0]] * tx->weight[0] + (float)line[tx->at[1]] * tx->weight[1] +
	       (float)line[tx->at[2]] * tx->weight[2] + (float)line[tx->at[3]] * tx->weight[3];
}

SB_HOT static void cubic_row(const uint8_t *src, const struct taps *ty, const struct taps *tx, int64_t cols, float *dst)
{
	for (int64_t i = 0; i < cols; i++)
		for (int c = 0; c < 3; c++) {
			float sum = 0.0f;

			for (int k = 0; k < 4; k++)
				sum += across(src + ty->at[k] + c, &tx[i]) * ty->weight[k];
			dst[3 * i + c] = sum;
		}
}

/* Rows r0 .. r1 - 1 of one frame's window. */
static void cubic_rows(const struct sb_frames_resize_args *a, const uint8_t *src, float *dst, int64_t r0, int64_t r1)
{
	struct taps ty[PIECE_ROWS], tx[PIECE_COLS];

	for (int64_t r = r0; r < r1; r++)
		ty[r - r0] = cubic_taps(r + a->crop_y, a->h, a->full_h, a->w * 3);
	for (int64_t c0 = 0; c0 < a->out_w; c0 += PIECE_COLS) {
		int64_t cols = sb_min64(PIECE_COLS, a->out_w - c0);

		for (int64_t i = 0; i < cols; i++)
			tx[i] = cubic_taps(c0 + i + a->crop_x, a->w, a->full_w, 3);
		for (int64_t r = r0; r < r1; r++)
			cubic_row(src, &ty[r - r0], tx, cols, dst + (r * a->out_w + c0) * 3);
	}
}

/* Piece i of all frames' pieces. */
static void cubic_piece(const struct sb_frames_resize_args *a, int64_t i)
{
	int64_t pieces = sb_pieces(a->out_h, PIECE_ROWS), frame = i / pieces, r0 = i % pieces * PIECE_ROWS;

	cubic_rows(a, a->src + frame * a->h * a->w * 3, a->dst + frame * a->out_h * a->out_w * 3, r0,
	        sb_min64(r0 + PIECE_ROWS, a->out_h));
}

void sb_frames_resize_cpu(const struct sb_frames_resize_args *a)
{
	SB_PARALLEL_FOR(static, 1, i, a->n * sb_pieces(a->out_h, PIECE_ROWS), cubic_piece(a, i));
}

/* ---- bilinear, align_corners=True ----------------------------------------------------------------------------- */

/* Between which two source lines a target line lies, and how far from the first. */
struct between {
	int64_t lo, hi;
	float frac;
};

SB_INLINE struct between between_lines(int64_t i, int64_t in, int64_t out)
{
	float scale = out > 1 ? (float)(in - 1) / (float)(out - 1) : 0.0f;
	float pos = scale * (float)i;
	int64_t lo = clamp((int64_t)pos, in - 1); /* the last product may round up to in, or beyond */

	return (struct between){ lo, clamp(lo + 1, in - 1), pos - (float)lo };
}

/* One target row from the two source rows above and below it. */
SB_HOT static void bilinear_row(
        const struct sb_resize_bilinear_args *a, const float *upper, const float *lower, float fy, float *restrict y)
{
	int64_t n = a->c;

	for (int64_t col = 0; col < a->out_w; col++, y += n) {
		struct between b = between_lines(col, a->w, a->out_w);
		const float *ul = upper + b.lo * n, *ur = upper + b.hi * n, *ll = lower + b.lo * n,
		            *lr = lower + b.hi * n;
		float fx = b.frac, gx = 1.0f - fx, gy = 1.0f - fy;

		for (int64_t c = 0; c < n; c++)
			y[c] = gy * (gx * ul[c] + fx * ur[c]) + fy * (gx * ll[c] + fx * lr[c]);
	}
}

/* Target row i of all images' rows. */
static void bilinear_line(const struct sb_resize_bilinear_args *a, int64_t i)
{
	struct between b = between_lines(i % a->out_h, a->h, a->out_h);
	const float *image = a->x + i / a->out_h * a->h * a->w * a->c;

	bilinear_row(a, image + b.lo * a->w * a->c, image + b.hi * a->w * a->c, b.frac, a->y + i * a->out_w * a->c);
}

void sb_resize_bilinear_cpu(const struct sb_resize_bilinear_args *a)
{
	SB_PARALLEL_FOR(static, 1, i, a->n * a->out_h, bilinear_line(a, i));
}
