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
constexpr int kThreads = 128;
constexpr int kStages = 3;        /* pieces in shared memory: one is multiplied, the others are on their way */
constexpr int kStep = kThreads / kChunks; /* rows that the block's threads fetch at once, a chunk each */

struct implicit {
	struct sb_conv_args a;
	int32_t rows;           /* output pixels */
	int32_t wo, pixels;     /* pixels: of an image, ho wo */
	int32_t pieces, window; /* window = kh kw cin, pieces = window / kPiece */
	int32_t column_tiles;
};

static inline struct implicit implicit_of(const struct sb_conv_args *a)
{
	int64_t ho = (a->h + 2 * a->pad - a->kh) / a->stride + 1, wo = (a->width + 2 * a->pad - a->kw) / a->stride + 1;
	int64_t window = a->kh * a->kw * a->cin;

	return { *a, (int32_t)(a->n * ho * wo), (int32_t)wo, (int32_t)(ho * wo), (int32_t)(window / kPiece), (int32_t)window,
		0 };
}

/* 16 bytes into shared memory: `bytes` of them from memory, 16 or 0, the rest zeros. */
static __device__ __forceinline__ void copy_async(uint32_t to, const float *from, uint32_t bytes)
{
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

/* NaN stays. One instruction. */
static __device__ __forceinline__ float relu(float v)
{
	float r;

	asm("max.NaN.f32 %0, %1, 0f00000000;" : "=f"(r) : "f"(v));
	return r;
}

/*
 * Where the next piece lies: its place in the window, and how far that is from the window's first value. From one place to
 * its right neighbour values follow one another, so the distance grows by a piece each time, and jumps where a row ends.
 */
struct cursor {
	int place, kx, channel, distance;
};

static __device__ __forceinline__ void advance(struct cursor *k, const struct implicit &p)
{
	k->distance += kPiece;
	k->channel += kPiece;
	if (k->channel < (int)p.a.cin)
		return;
	k->channel = 0;
	k->place++;
	if (++k->kx < p.a.kw)
		return;
	k->kx = 0;
	k->distance += ((int)p.a.width - p.a.kw) * (int)p.a.cin;
}

/*
 * The rows of a tile that one thread fetches a chunk of: every kStep-th. Where a row's window begins in x (perhaps
 * outside), and which of its places are inside the image: bit 4 + place, which a shift turns into 16 bytes or none.
 */
template <int Rows> struct fetcher {
	int32_t offset[Rows];
	uint32_t inside[Rows];
};

static __device__ __forceinline__ uint32_t places_inside(const struct implicit &p, int y, int x)
{
	uint32_t row = 0, all = 0;

	for (int kx = 0; kx < p.a.kw; kx++)
		row |= (uint32_t)((unsigned)(x + kx) < (unsigned)p.a.width) << kx;
	for (int ky = 0; ky < p.a.kh; ky++)
		all |= (unsigned)(y + ky) < (unsigned)p.a.h ? row << (ky * p.a.kw) : 0;
	return all << 4;
}

template <int Rows>
static __device__ __forceinline__ void fetcher_init(
        struct fetcher<Rows> *f, const struct implicit &p, int first, int thread_row, int chunk)
{
#pragma unroll
	for (int i = 0; i < Rows; i++) {
		int row = first + thread_row + i * kStep, image = row / p.pixels, at = row - image * p.pixels;
		int oy = at / p.wo, ox = at - oy * p.wo;
		int y = oy * p.a.stride - p.a.pad, x = ox * p.a.stride - p.a.pad;

		f->inside[i] = row < p.rows ? places_inside(p, y, x) : 0;
		f->offset[i] = ((image * (int)p.a.h + y) * (int)p.a.width + x) * (int)p.a.cin + chunk * 4;
	}
}

/* An address that lies outside is not read: no byte of it is asked for. */
template <int Rows>
static __device__ __forceinline__ void fetch_windows(
        const struct fetcher<Rows> &f, const struct implicit &p, const struct cursor &k, uint32_t to)
{
#pragma unroll
	for (int i = 0; i < Rows; i++)
		copy_async(to + i * kStep * kChunks * 16, p.a.x + (f.offset[i] + k.distance), f.inside[i] >> k.place & 16);
}

/* The same piece of rows of w, one an output channel. Beyond the last one it is fetched again: nobody looks at that. */
template <int Rows>
static __device__ __forceinline__ void fetch_weights(
        const struct implicit &p, const int32_t offset[Rows], int piece, uint32_t to)
{
#pragma unroll
	for (int i = 0; i < Rows; i++)
		copy_async(to + i * kStep * kChunks * 16, p.a.w + (offset[i] + piece * kPiece), 16);
}

template <int Rows>
static __device__ __forceinline__ void weights_init(
        int32_t offset[Rows], const struct implicit &p, int first, int thread_row, int chunk)
{
#pragma unroll
	for (int i = 0; i < Rows; i++)
		offset[i] = min(first + thread_row + i * kStep, (int)p.a.cout - 1) * p.window + chunk * 4;
}

/*
 * A block's tiles on their way through shared memory, kStages deep; `Columns` are the tile's output channels. The windows
 * of a stage lie before its weights.
 */
template <int Columns> struct pipeline {
	static constexpr uint32_t kWindowBytes = kTileRows * kPiece * 4;
	static constexpr uint32_t kStageBytes = (kTileRows + Columns) * kPiece * 4;
	struct fetcher<kTileRows / kStep> windows;
	int32_t weights[Columns / kStep];
	struct cursor next;
	uint32_t own; /* where this thread's first chunk goes */
	int stage, fill;
};

template <int Columns>
static __device__ __forceinline__ void pipeline_fetch(
        struct pipeline<Columns> *q, const struct implicit &p, int piece, int stage)
{
	uint32_t to = q->own + stage * q->kStageBytes;

	if (piece < p.pieces) {
		fetch_windows<kTileRows / kStep>(q->windows, p, q->next, to);
		fetch_weights<Columns / kStep>(p, q->weights, piece, to + q->kWindowBytes);
		advance(&q->next, p);
	}
	copies_commit();
}

template <int Columns>
static __device__ __forceinline__ void pipeline_begin(
        struct pipeline<Columns> *q, const struct implicit &p, int first_row, int first_column, uint32_t shared)
{
	int chunk = threadIdx.x % kChunks, row = threadIdx.x / kChunks;

	q->own = shared + place(row, chunk);
	q->next = { 0, 0, 0, 0 };
	q->stage = 0;
	q->fill = kStages - 1;
	fetcher_init(&q->windows, p, first_row, row, chunk);
	weights_init<Columns / kStep>(q->weights, p, first_column, row, chunk);
#pragma unroll
	for (int s = 0; s < kStages - 1; s++)
		pipeline_fetch(q, p, s, s);
}

/* Waits for a piece, asks for the one that takes the place of the last; bytes from the first stage to the piece's. */
template <int Columns>
static __device__ __forceinline__ uint32_t pipeline_next(struct pipeline<Columns> *q, const struct implicit &p, int piece)
{
	uint32_t at = q->stage * q->kStageBytes;

	copies_wait<kStages - 2>();
	__syncthreads();
	pipeline_fetch(q, p, piece + kStages - 1, q->fill);
	q->stage = q->stage + 1 == kStages ? 0 : q->stage + 1;
	q->fill = q->fill + 1 == kStages ? 0 : q->fill + 1;
	return at;
}

/* A block a tile of `Columns` channels. */
template <void (*Kernel)(struct implicit), int Columns>
static int launch_tiles(struct implicit p, struct sb_cuda_launch *l, const char *name)
{
	static bool allowed;
	size_t bytes = (size_t)kStages * pipeline<Columns>::kStageBytes;

	if (!allowed) {
		cudaError_t code =
		        cudaFuncSetAttribute(Kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes);

		if (code != cudaSuccess)
			return code;
		allowed = true;
	}
	p.column_tiles = (int32_t)((p.a.cout + Columns - 1) / Columns);
	Kernel<<<(unsigned)((p.rows + kTileRows - 1) / kTileRows * p.column_tiles), kThreads, bytes, l->stream>>>(p);
	l->launches++;
	l->name = name;
	return cudaGetLastError();
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
