/*
 * Convolution without tensor cores, FP32 throughout; no windows in memory.
 *
 * v1: 128 threads, tiles of 128 pixels by 96, 64 or 32 channels, a thread 8 pixels by 12, 8 or 4 channels. Tiles lie as
 *     they are in memory, channels of the input next to each other, so a thread reads four of them at once: 16 reads of
 *     16 bytes for 256 multiply-adds at 8 x 8. A warp's threads read 4 rows of windows or 8 of weights, 128 bytes at
 *     most, no two of them in one bank.
 */
#include "conv_implicit.cuh"

constexpr int kDown = 16, kAcross = 8;            /* threads of a block */
constexpr int kRowsEach = kTileRows / kDown;      /* pixels of a thread, kDown apart */

static __device__ __forceinline__ float4 read_four(const char *tile, int row, int chunk)
{
	return *reinterpret_cast<const float4 *>(tile + place(row, chunk));
}

template <bool Relu> static __device__ __forceinline__ float4 relu_four(float4 v)
{
	return Relu ? make_float4(relu(v.x), relu(v.y), relu(v.z), relu(v.w)) : v;
}

/* One piece: four input channels at a time. */
template <int Each, bool Relu>
static __device__ __forceinline__ void multiply_piece(
        float sum[kRowsEach][Each], const char *windows, const char *weights, int down, int across)
{
#pragma unroll 1
	for (int chunk = 0; chunk < kChunks; chunk++) {
		float4 w[Each];

#pragma unroll
		for (int j = 0; j < Each; j++)
			w[j] = read_four(weights, across + j * kAcross, chunk);
#pragma unroll
		for (int i = 0; i < kRowsEach; i++) {
			float4 x = relu_four<Relu>(read_four(windows, down + i * kDown, chunk));

#pragma unroll
			for (int j = 0; j < Each; j++) {
				sum[i][j] = fmaf(x.x, w[j].x, sum[i][j]);
				sum[i][j] = fmaf(x.y, w[j].y, sum[i][j]);
				sum[i][j] = fmaf(x.z, w[j].z, sum[i][j]);
				sum[i][j] = fmaf(x.w, w[j].w, sum[i][j]);
			}
		}
	}
}

/* Each: channels of a thread, kAcross apart. Blocks: what a multiprocessor has registers for. */
template <int Each, int Blocks, bool Relu>
static __global__ void __launch_bounds__(kThreads, Blocks) conv_fp32(implicit p)
{
	constexpr int kColumns = Each * kAcross;
	extern __shared__ float4 shared[];
	const char *tiles = reinterpret_cast<const char *>(shared);
	int down = threadIdx.x / kAcross, across = threadIdx.x % kAcross;
	int first_column = (int)(blockIdx.x % p.column_tiles) * kColumns;
	int first_row = (int)(blockIdx.x / p.column_tiles) * kTileRows;
	struct pipeline<kColumns> q;
	float sum[kRowsEach][Each] = {};

	pipeline_begin(&q, p, first_row, first_column, (uint32_t)__cvta_generic_to_shared(shared));
	for (int piece = 0; piece < p.pieces; piece++) {
		const char *tile = tiles + pipeline_next(&q, p, piece);

		multiply_piece<Each, Relu>(sum, tile, tile + q.kWindowBytes, down, across);
	}
#pragma unroll
	for (int i = 0; i < kRowsEach; i++)
#pragma unroll
		for (int j = 0; j < Each; j++)
			store_one(p, first_row + down + i * kDown, first_column + across + j * kAcross, sum[i][j]);
}

template <int Each, int Blocks> static int launch(implicit p, struct sb_cuda_launch *l)
{
	constexpr int kColumns = Each * kAcross;

	return p.a.relu_in ? launch_tiles<conv_fp32<Each, Blocks, true>, kColumns>(p, l, "conv_fp32")
	                   : launch_tiles<conv_fp32<Each, Blocks, false>, kColumns>(p, l, "conv_fp32");
}

extern "C" int sb_conv_fp32_cuda(const struct sb_conv_args *a, struct sb_cuda_launch *l)
{
	implicit p = implicit_of(a);

	if (p.rows == 0)
		return cudaSuccess;
	if (a->cout <= 32)
		return launch<4, 3>(p, l);
	if (a->cout <= 64 || a->cout > 96)
		return launch<8, 3>(p, l);
	return launch<12, 2>(p, l);
}
