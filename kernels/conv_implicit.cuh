/*
 * What the implicit convolutions share: y [pixels, cout] = windows [pixels, kh kw cin] w^T, where the windows are never
 * laid out: a tile of them is fetched from the image piece by piece. A piece is 32 channels of one place in the window,
 * so channels are a multiple of 32. Rows of tiles are 128 bytes, 16-byte chunks of them exchanged by row (chunk ^ row % 8)
 * so that neither filling nor reading has bank conflicts.
 */
#ifndef CONV_IMPLICIT_CUH
#define CONV_IMPLICIT_CUH

#include <cuda_runtime.h>
#include <stdint.h>

extern "C" {
#include "linear_cuda.h"
}

constexpr int kPiece = 32;        /* channels of a piece */
constexpr int kChunks = kPiece / 4; /* 16-byte chunks of a row */
constexpr int kTileRows = 128;    /* pixels of a block's tile */

struct implicit {
	struct sb_conv_args a;
	int32_t rows;           /* output pixels */
	int32_t wo, pixels;     /* pixels: of an image, ho wo */
	int32_t pieces, window; /* window = kh kw cin, pieces = window / kPiece */
	int32_t column_tiles;
};

static inline struct implicit sb_implicit_of(const struct sb_conv_args *a)
{
	int64_t ho = (a->h + 2 * a->pad - a->kh) / a->stride + 1, wo = (a->width + 2 * a->pad - a->kw) / a->stride + 1;
	int64_t window = a->kh * a->kw * a->cin;

	return { *a, (int32_t)(a->n * ho * wo), (int32_t)wo, (int32_t)(ho * wo), (int32_t)(window / kPiece), (int32_t)window,
		0 };
}

/* 16 bytes into shared memory, or zeros. */
static __device__ __forceinline__ void copy_async(uint32_t to, const float *from, bool valid)
{
	int bytes = valid ? 16 : 0;

	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}

static __device__ __forceinline__ void copies_commit(void)
{
	asm volatile("cp.async.commit_group;" ::: "memory");
}

template <int Left> static __device__ __forceinline__ void copies_wait(void)
{
	asm volatile("cp.async.wait_group %0;" ::"n"(Left) : "memory");
}

/* Byte offset of a chunk in a tile. */
static __device__ __forceinline__ uint32_t place(int row, int chunk)
{
	return (uint32_t)(row * kChunks + (chunk ^ (row % 8))) * 16;
}

/* NaN stays. */
static __device__ __forceinline__ float relu(float v)
{
	return v < 0.0f ? 0.0f : v;
}

/* Which pieces come next: the place in the window, and the first channel. */
struct cursor {
	int ky, kx, c;
};

static __device__ __forceinline__ void advance(struct cursor *k, const struct implicit &p)
{
	k->c += kPiece;
	if (k->c < (int)p.a.cin)
		return;
	k->c = 0;
	if (++k->kx < p.a.kw)
		return;
	k->kx = 0;
	k->ky++;
}

/*
 * The rows of a tile that one thread fetches a chunk of: every `Step`-th. Where a row's window begins is kept as an
 * offset into x and as a pixel, both of which may lie outside the image.
 */
template <int Rows> struct fetcher {
	int32_t offset[Rows];
	int16_t y[Rows], x[Rows];
};

constexpr int16_t kNowhere = -16384; /* no place of a window brings this into an image */

template <int Rows, int Step>
static __device__ __forceinline__ void fetcher_init(
        struct fetcher<Rows> *f, const struct implicit &p, int first, int thread_row)
{
#pragma unroll
	for (int i = 0; i < Rows; i++) {
		int row = first + thread_row + i * Step, image = row / p.pixels, at = row - image * p.pixels;
		int oy = at / p.wo, ox = at - oy * p.wo;
		int y = oy * p.a.stride - p.a.pad, x = ox * p.a.stride - p.a.pad;
		bool inside = row < p.rows;

		f->y[i] = inside ? (int16_t)y : kNowhere;
		f->x[i] = (int16_t)x;
		f->offset[i] = inside ? ((image * (int)p.a.h + y) * (int)p.a.width + x) * (int)p.a.cin : 0;
	}
}

template <int Rows, int Step>
static __device__ __forceinline__ void fetch_windows(
        const struct fetcher<Rows> &f, const struct implicit &p, struct cursor k, int thread_row, int chunk, uint32_t tile)
{
	int add = (k.ky * (int)p.a.width + k.kx) * (int)p.a.cin + k.c + chunk * 4;

#pragma unroll
	for (int i = 0; i < Rows; i++) {
		bool inside = (unsigned)(f.y[i] + k.ky) < (unsigned)p.a.h && (unsigned)(f.x[i] + k.kx) < (unsigned)p.a.width;

		copy_async(tile + place(thread_row + i * Step, chunk), p.a.x + (inside ? f.offset[i] + add : 0), inside);
	}
}

/* The same piece of rows of w, one an output channel. */
template <int Rows, int Step>
static __device__ __forceinline__ void fetch_weights(
        const struct implicit &p, int first, int piece, int thread_row, int chunk, uint32_t tile)
{
#pragma unroll
	for (int i = 0; i < Rows; i++) {
		int row = first + thread_row + i * Step;
		bool inside = row < (int)p.a.cout;
		const float *w = p.a.w + (inside ? (int64_t)row * p.window + piece * kPiece + chunk * 4 : 0);

		copy_async(tile + place(thread_row + i * Step, chunk), w, inside);
	}
}

/* What follows the sum of one output; `at` is its place in y. */
static __device__ __forceinline__ float finish(const struct sb_conv_args &a, int64_t at, int column, float v)
{
	if (a.bias)
		v += a.bias[column];
	if (a.relu_out)
		v = relu(v);
	if (a.residual)
		v += a.residual_relu ? relu(a.residual[at]) : a.residual[at];
	return a.residual2 ? v + a.residual2[at] : v;
}

static __device__ __forceinline__ void store_one(const struct implicit &p, int row, int column, float v)
{
	int64_t at = (int64_t)row * p.a.cout + column;

	if (row < p.rows && column < (int)p.a.cout)
		p.a.y[at] = finish(p.a, at, column, v);
}

/* Two neighbours of a row, 8-byte aligned. */
static __device__ __forceinline__ void store_two(const struct implicit &p, int row, int column, float v0, float v1)
{
	int64_t at = (int64_t)row * p.a.cout + column;

	if (row < p.rows && column < (int)p.a.cout)
		*reinterpret_cast<float2 *>(p.a.y + at) =
		        make_float2(finish(p.a, at, column, v0), finish(p.a, at + 1, column + 1, v1));
}

#endif
