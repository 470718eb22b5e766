/*
 * conv on the CPU: an implicit GEMM. A task is a tile of output pixels by a block of output channels; its thread
 * gathers the patches of the tile (im2col) into its own scratch, multiplies with sgemm, and finishes the tile (bias,
 * ReLU, residuals) while it is in cache. The tiling follows from the shape alone and sgemm runs single-threaded inside
 * the parallel region (OpenBLAS's OpenMP build sees to that), so the result does not depend on the number of threads.
 */
#include "conv.h"

#include <cblas.h>
#include <string.h>

#include "cpu_loop.h"
#include "cpu_math.h"
#include "linear.h"

/*
 * k = kh kw cin is taken in pieces of at most MAX_DEPTH (256 channels x 3 x 3) and a tile holds at most PATCH_FLOATS
 * (2.3 MiB). sgemm packs the weights anew for every tile, which more pixels pay for. Measured on one core of an EPYC
 * with AVX-512, GFLOP/s at 3x3 256->256 of 2 x 72x40 pixels: 106 with tiles of 128 pixels, 109 with 256, 110 with 512
 * or 1024; on 18x10 pixels, where MIN_TILE is the tile: 88 with 32, 106 with 96, 111 with 192 (which leaves one task).
 * Largest tiles of 512 to 4096 pixels differ by less than the noise in layers of few channels.
 */
#define MAX_DEPTH    2304
#define PATCH_FLOATS (256 * MAX_DEPTH)
#define MIN_TILE     96
#define MAX_TILE     512
#define MAX_COLS     256 /* output channels: with MAX_TILE pixels 0.5 MiB of sums */
#define WANTED_TASKS 16  /* smaller tiles until there are so many, for small images on several cores */

struct tiling {
	int64_t pixels, k;
	int64_t tile, tiles;  /* output pixels a task; how many such tiles */
	int64_t cols, blocks; /* output channels a task; how many such blocks */
	int64_t depth;        /* elements of k gathered at a time; 0: the input is used where it lies */
	int64_t patch_floats; /* scratch of a slot: the patches, then the sums */
	int64_t slot_floats;
};

static struct tiling tile_shape(int64_t pixels, int64_t k, int64_t cout, int64_t taps, int gather)
{
	struct tiling t = { .pixels = pixels, .k = k };
	int64_t depth = sb_round_up(sb_pieces(k, sb_pieces(k, MAX_DEPTH)), 16);

	t.cols = sb_min64(cout, MAX_COLS);
	t.blocks = sb_pieces(cout, t.cols) * taps;
	t.tile = sb_min64(PATCH_FLOATS / depth, MAX_TILE);
	t.tile = sb_min64(t.tile, sb_max64(sb_round_up(sb_pieces(pixels * t.blocks, WANTED_TASKS), 16), MIN_TILE));
	t.tile = sb_max64(sb_min64(t.tile, pixels), 1);
	t.tiles = sb_pieces(pixels, t.tile);
	t.depth = gather ? sb_min64(depth, k) : 0;
	t.patch_floats = sb_round_up(t.tile * t.depth, 16);
	t.slot_floats = t.patch_floats + sb_round_up(t.tile * t.cols, 16);
	return t;
}

/* One slot a thread, or a task when those are fewer. */
static int64_t slots(const struct tiling *t)
{
	return sb_min64(t->tiles * t->blocks, omp_get_max_threads());
}

static float *slot_of(const struct tiling *t, int64_t task, void *workspace)
{
	int64_t slot = t->tiles * t->blocks <= omp_get_num_threads() ? task : omp_get_thread_num();

	return (float *)workspace + slot * t->slot_floats;
}

/* ---- conv --------------------------------------------------------------------------------------------------- */

static int64_t out_size(int64_t in, int window, int stride, int pad)
{
	return (in + 2 * pad - window) / stride + 1;
}

static struct tiling conv_tiling(const struct sb_conv_args *a)
{
	int64_t ho = out_size(a->h, a->kh, a->stride, a->pad), wo = out_size(a->width, a->kw, a->stride, a->pad);
	int in_place = a->kh == 1 && a->kw == 1 && a->stride == 1 && a->pad == 0 && !a->relu_in && !a->tf32;

	return tile_shape(a->n * ho * wo, (int64_t)a->kh * a->kw * a->cin, a->cout, 1, !in_place);
}

size_t sb_conv_cpu_workspace(const struct sb_conv_args *a)
{
	struct tiling t = conv_tiling(a);

	return (size_t)(slots(&t) * t.slot_floats) * sizeof(float);
}

/*
 * Elements k0 .. k0 + len - 1 of the patch at input row iy0, column ix0 (of its first tap; may lie outside) into dst.
 * The taps of one kernel row are neighbours in the input, so each kernel row is one run of floats with zeros at either
 * end.
 */
static void gather_patch(
        const struct sb_conv_args *a, const float *image, int64_t iy0, int64_t ix0, int64_t k0, int64_t len, float *dst)
{
	int64_t run = a->kw * a->cin;
	int64_t in_from = sb_min64(sb_max64(-ix0, 0), a->kw) * a->cin;
	int64_t in_to = sb_max64(sb_min64(a->width - ix0, a->kw) * a->cin, in_from);

	for (int64_t ky = k0 / run; ky * run < k0 + len; ky++) {
		int64_t from = sb_max64(k0 - ky * run, 0), to = sb_min64(k0 + len - ky * run, run);
		int64_t iy = iy0 + ky;
		int inside = iy >= 0 && iy < a->h;
		int64_t copy_from = sb_min64(sb_max64(from, in_from), to);
		int64_t copy_to = inside ? sb_max64(sb_min64(to, in_to), copy_from) : copy_from;

		memset(dst, 0, (size_t)(copy_from - from) * sizeof(*dst));
		if (copy_to > copy_from)
			memcpy(dst + (copy_from - from), image + ((iy * a->width + ix0) * a->cin + copy_from),
			        (size_t)(copy_to - copy_from) * sizeof(*dst));
		memset(dst + (copy_to - from), 0, (size_t)(to - copy_to) * sizeof(*dst));
		dst += to - from;
	}
}

SB_HOT static void relu_in_place(float *v, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		v[i] = v[i] < 0.0f ? 0.0f : v[i];
}

static void gather_tile(const struct sb_conv_args *a, int64_t p0, int64_t rows, int64_t k0, int64_t len, float *patches)
{
	int64_t ho = out_size(a->h, a->kh, a->stride, a->pad), wo = out_size(a->width, a->kw, a->stride, a->pad);

	for (int64_t r = 0; r < rows; r++) {
		int64_t p = p0 + r, oy = p / wo % ho, ox = p % wo;

		gather_patch(a, a->x + p / (ho * wo) * a->h * a->width * a->cin, oy * a->stride - a->pad,
		        ox * a->stride - a->pad, k0, len, patches + r * len);
	}
	if (a->relu_in)
		relu_in_place(patches, rows * len);
	if (a->tf32)
		sb_tf32_round_cpu(patches, patches, (size_t)(rows * len));
}

/* What a tile's sums still need, and where they go: pointers to the tile's first element, rows `pitch` apart. */
struct finish {
	const float *bias, *residual, *residual2;
	float *y;
	int64_t pitch;
	int relu_out, residual_relu;
};

/* The sums are worked on in place and y is written last, since residual2 may be y. */
SB_INLINE void finish_row(const struct finish *f, int64_t r, int64_t n, float *restrict sums)
{
	const float *residual = f->residual ? f->residual + r * f->pitch : NULL;
	const float *residual2 = f->residual2 ? f->residual2 + r * f->pitch : NULL;

	if (f->bias)
		for (int64_t i = 0; i < n; i++)
			sums[i] += f->bias[i];
	if (f->relu_out)
		for (int64_t i = 0; i < n; i++)
			sums[i] = sums[i] < 0.0f ? 0.0f : sums[i];
	if (residual && f->residual_relu)
		for (int64_t i = 0; i < n; i++)
			sums[i] += residual[i] < 0.0f ? 0.0f : residual[i];
	else if (residual)
		for (int64_t i = 0; i < n; i++)
			sums[i] += residual[i];
	if (residual2)
		for (int64_t i = 0; i < n; i++)
			sums[i] += residual2[i];
	memcpy(f->y + r * f->pitch, sums, (size_t)n * sizeof(*sums));
}

SB_HOT static void finish_tile(const struct finish *f, int64_t rows, int64_t cols, float *sums)
{
	for (int64_t r = 0; r < rows; r++)
		finish_row(f, r, cols, sums + r * cols);
}

static void conv_task(const struct sb_conv_args *a, const struct tiling *t, int64_t task, float *patches)
{
	float *sums = patches + t->patch_floats;
	int64_t p0 = task / t->blocks * t->tile, o0 = task % t->blocks * t->cols;
	int64_t rows = sb_min64(t->tile, t->pixels - p0), cols = sb_min64(t->cols, a->cout - o0);
	int64_t step = t->depth ? t->depth : t->k, at = p0 * a->cout + o0;

	for (int64_t k0 = 0; k0 < t->k; k0 += step) {
		int64_t len = sb_min64(step, t->k - k0);
		const float *x = t->depth ? patches : a->x + p0 * a->cin;

		if (t->depth)
			gather_tile(a, p0, rows, k0, len, patches);
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)cols, (int)len, 1.0f, x, (int)len,
		        a->w + o0 * t->k + k0, (int)t->k, k0 ? 1.0f : 0.0f, sums, (int)cols);
	}
	finish_tile(&(struct finish){ .bias = a->bias ? a->bias + o0 : NULL,
	                    .relu_out = a->relu_out,
	                    .residual = a->residual ? a->residual + at : NULL,
	                    .residual_relu = a->residual_relu,
	                    .residual2 = a->residual2 ? a->residual2 + at : NULL,
	                    .y = a->y + at,
	                    .pitch = a->cout },
	        rows, cols, sums);
}

void sb_conv_cpu(const struct sb_conv_args *a, void *workspace)
{
	struct tiling t = conv_tiling(a);

	SB_PARALLEL_FOR(dynamic, 1, task, t.tiles * t.blocks, conv_task(a, &t, task, slot_of(&t, task, workspace)));
}

/* ---- transposed --------------------------------------------------------------------------------------------- */

static struct tiling transpose_tiling(const struct sb_conv_transpose_args *a)
{
	return tile_shape(a->n * a->h * a->width, a->cin, a->cout, (int64_t)a->k * a->k, a->tf32);
}

size_t sb_conv_transpose_cpu_workspace(const struct sb_conv_transpose_args *a)
{
	struct tiling t = transpose_tiling(a);

	return (size_t)(slots(&t) * t.slot_floats) * sizeof(float);
}

/*
 * Channels o0 .. of place (ky, kx) in the blocks that the tile's input pixels make. On one image line these places are
 * k output pixels apart, so the tile is finished line by line.
 */
static void scatter_tile(const struct sb_conv_transpose_args *a, int64_t p0, int64_t rows, int64_t tap, int64_t o0,
        int64_t cols, float *sums)
{
	int64_t ky = tap / a->k, kx = tap % a->k, run;

	for (int64_t r = 0; r < rows; r += run) {
		int64_t line = (p0 + r) / a->width, x = (p0 + r) % a->width; /* line counts over the images */
		int64_t at = ((line * a->k + ky) * a->width + x) * a->k + kx;

		run = sb_min64(a->width - x, rows - r);
		finish_tile(&(struct finish){ .bias = a->bias ? a->bias + o0 : NULL,
		                    .y = a->y + at * a->cout + o0,
		                    .pitch = a->k * a->cout },
		        run, cols, sums + r * cols);
	}
}

static void transpose_task(const struct sb_conv_transpose_args *a, const struct tiling *t, int64_t task, float *rounded)
{
	float *sums = rounded + t->patch_floats;
	int64_t col_blocks = t->blocks / (a->k * a->k);
	int64_t p0 = task / t->blocks * t->tile, tap = task % t->blocks / col_blocks;
	int64_t o0 = task % col_blocks * t->cols;
	int64_t rows = sb_min64(t->tile, t->pixels - p0), cols = sb_min64(t->cols, a->cout - o0);
	const float *w = a->w + (tap * a->cout + o0) * a->cin;
	int64_t step = t->depth ? t->depth : t->k;

	for (int64_t k0 = 0; k0 < t->k; k0 += step) {
		int64_t len = sb_min64(step, t->k - k0);
		const float *x = t->depth ? rounded : a->x + p0 * a->cin;

		if (t->depth)
			sb_tf32_round_rows_cpu(a->x + p0 * a->cin + k0, a->cin, rounded, rows, len);
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)cols, (int)len, 1.0f, x, (int)len,
		        w + k0, (int)a->cin, k0 ? 1.0f : 0.0f, sums, (int)cols);
	}
	scatter_tile(a, p0, rows, tap, o0, cols, sums);
}

void sb_conv_transpose_cpu(const struct sb_conv_transpose_args *a, void *workspace)
{
	struct tiling t = transpose_tiling(a);

	SB_PARALLEL_FOR(
	        dynamic, 1, task, t.tiles * t.blocks, transpose_task(a, &t, task, slot_of(&t, task, workspace)));
}
