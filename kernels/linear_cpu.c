/*
 * linear on the CPU: a task is a tile of rows by a tile of outputs. Its thread multiplies with sgemm, which runs
 * single-threaded inside the parallel region (OpenBLAS's OpenMP build sees to that), and finishes the tile while it is
 * in cache, so the epilogue costs no pass over memory. The tiling follows from the shape alone: the result does not
 * depend on the number of threads.
 */
#include "linear.h"

#include <cblas.h>

#include "cpu_loop.h"
#include "cpu_math.h"

/*
 * 256 x 512: sgemm reaches its full rate (at 64 rows packing the weights anew costs 10 %), and product and operands of
 * a tile (0.5 MiB each) stay in or near L2. Over the shapes
 * of a ViT-S at 1 and 2 threads: within 4 % of one call of the threaded sgemm, epilogues up to 7 % below it.
 */
#define TILE_ROWS     256
#define TILE_COLS     512
#define MIN_TILE_ROWS 64
#define MIN_TILE_COLS 64
#define WANTED_TASKS  16  /* smaller tiles until there are so many, for few rows on several cores */
#define MAX_DEPTH     512 /* columns of x that are rounded to TF32 at a time: 0.5 MiB a tile */

struct tiling {
	int64_t rows, cols; /* of a tile */
	int64_t row_tiles, col_tiles;
	int64_t depth;          /* of a piece of x that is rounded; in at fp32 */
	int64_t product_floats; /* scratch a thread for the product; 0: it stands in y */
	int64_t rounded_floats; /* scratch a thread for the rounded piece of x; 0 at fp32 */
};

static struct tiling tile_shape(const struct sb_linear_args *a)
{
	struct tiling t = { .rows = TILE_ROWS, .cols = TILE_COLS, .depth = a->in };

	while (sb_pieces(a->rows, t.rows) * sb_pieces(a->out, t.cols) < WANTED_TASKS) {
		if (t.cols > MIN_TILE_COLS && (t.cols >= t.rows || t.rows == MIN_TILE_ROWS))
			t.cols /= 2;
		else if (t.rows > MIN_TILE_ROWS)
			t.rows /= 2;
		else
			break;
	}
	t.rows = sb_min64(t.rows, a->rows);
	t.cols = sb_min64(t.cols, a->out);
	if (t.rows == 0 || t.cols == 0)
		return t;
	t.row_tiles = sb_pieces(a->rows, t.rows);
	t.col_tiles = sb_pieces(a->out, t.cols);
	/* The product overwrites y, so a residual that is y needs it elsewhere. */
	if (a->residual == a->y)
		t.product_floats = t.rows * t.cols;
	if (a->tf32) {
		t.depth = sb_min64(a->in, MAX_DEPTH);
		t.rounded_floats = t.rows * t.depth;
	}
	return t;
}

SB_HOT static void round_rows(const float *src, int64_t ld_src, float *dst, int64_t rows, int64_t cols)
{
	for (int64_t r = 0; r < rows; r++) {
		const float *s = src + r * ld_src;
		float *d = dst + r * cols;

#pragma omp simd
		for (int64_t c = 0; c < cols; c++)
			d[c] = sb_tf32f(s[c]);
	}
}

SB_HOT static void round_all(const float *src, float *dst, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		dst[i] = sb_tf32f(src[i]);
}

void sb_tf32_round_cpu(const float *src, float *dst, size_t n)
{
	round_all(src, dst, (int64_t)n);
}

void sb_tf32_round_rows_cpu(const float *src, int64_t ld_src, float *dst, int64_t rows, int64_t cols)
{
	round_rows(src, ld_src, dst, rows, cols);
}

/* v = act(v + bias) for one row; bias may be NULL. */
SB_INLINE void activate(float *v, const float *bias, int64_t n, enum sb_act act)
{
	if (bias) {
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			v[i] += bias[i];
	}
	switch (act) {
	case SB_ACT_NONE:
		break;
	case SB_ACT_RELU:
		/* NaN compares false and stays, as in PyTorch. */
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			v[i] = v[i] < 0.0f ? 0.0f : v[i];
		break;
	case SB_ACT_SILU:
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			v[i] = sb_siluf(v[i]);
		break;
	case SB_ACT_GELU_ERF:
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			v[i] = sb_gelu_erff(v[i]);
		break;
	case SB_ACT_GELU_TANH:
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			v[i] = sb_gelu_tanhf(v[i]);
		break;
	}
}

/* y = residual + gamma v for one row. v or residual may be y itself: every element is read before it is written. */
SB_INLINE void store(float *y, const float *v, const float *gamma, const float *residual, int64_t n)
{
	if (gamma && residual) {
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			y[i] = residual[i] + gamma[i] * v[i];
	} else if (gamma) {
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			y[i] = gamma[i] * v[i];
	} else if (residual) {
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			y[i] = residual[i] + v[i];
	}
}

/* The epilogue of a tile: rows r0 .. r0 + rows - 1, outputs c0 .. c0 + cols - 1, product at v. */
SB_HOT static void finish(
        const struct sb_linear_args *a, float *v, int64_t ldv, int64_t r0, int64_t rows, int64_t c0, int64_t cols)
{
	const float *bias = a->bias ? a->bias + c0 : NULL;
	const float *gamma = a->gamma ? a->gamma + c0 : NULL;

	for (int64_t r = 0; r < rows; r++) {
		const float *residual = a->residual ? a->residual + (r0 + r) * a->ldr + c0 : NULL;

		activate(v + r * ldv, bias, cols, a->act);
		store(a->y + (r0 + r) * a->ldy + c0, v + r * ldv, gamma, residual, cols);
	}
}

static void do_tile(const struct sb_linear_args *a, const struct tiling *t, int64_t task, float *scratch)
{
	int64_t r0 = task / t->col_tiles * t->rows, c0 = task % t->col_tiles * t->cols;
	int64_t rows = sb_min64(t->rows, a->rows - r0), cols = sb_min64(t->cols, a->out - c0);
	float *v = t->product_floats ? scratch : a->y + r0 * a->ldy + c0;
	int64_t ldv = t->product_floats ? cols : a->ldy;

	for (int64_t k0 = 0; k0 < a->in; k0 += t->depth) {
		int64_t depth = sb_min64(t->depth, a->in - k0), ldx = a->ldx;
		const float *x = a->x + r0 * a->ldx + k0;

		if (a->tf32) {
			float *rounded = scratch + t->product_floats;

			round_rows(x, a->ldx, rounded, rows, depth);
			x = rounded;
			ldx = depth;
		}
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)rows, (blasint)cols, (blasint)depth, 1.0f,
		        x, (blasint)ldx, a->w + c0 * a->ldw + k0, (blasint)a->ldw, k0 ? 1.0f : 0.0f, v, (blasint)ldv);
	}
	finish(a, v, ldv, r0, rows, c0, cols);
}

size_t sb_linear_cpu_workspace(const struct sb_linear_args *a)
{
	struct tiling t = tile_shape(a);

	return (size_t)(t.product_floats + t.rounded_floats) * sizeof(float) * (size_t)omp_get_max_threads();
}

void sb_linear_cpu(const struct sb_linear_args *a, void *workspace)
{
	struct tiling t = tile_shape(a);
	int64_t slot = t.product_floats + t.rounded_floats;

	/* By all threads even where there is one tile: sgemm must not share it out by itself. */
	SB_PARALLEL_FOR(dynamic, a->rows * a->in * a->out >= SB_BLAS_SERIAL, task, t.row_tiles * t.col_tiles,
	        do_tile(a, &t, task, slot ? (float *)workspace + slot * omp_get_thread_num() : NULL));
}
