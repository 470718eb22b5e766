/*
 * Convolution on tensor cores, TF32 operands rounded to nearest, float sums; no windows in memory.
 *
 * v2: weights come rounded (they are, when they are prepared), and a mask a row says which places of a window are inside:
 *     440 instructions a piece of 128 channels instead of 607, of which the integer units had as much to do as the tensor
 *     cores.
 * v1: mma.sync m16n8k8, 4 warps, tiles of 128 pixels by 128, 96, 64 or 32 channels, three pieces of 32 channels on their
 *     way. Warp tiles of 64 x 64 read 8 KiB of shared memory for 32 products of 16 x 8 x 8: 32 cycles of the 48 that the
 *     products take, so that reading hides behind them; at 64 x 32 both take as long. Two blocks a multiprocessor: the
 *     three pieces of the largest tile are 96 of 227 KiB.
 */
#include "conv_implicit.cuh"

static __device__ __forceinline__ void load_four(uint32_t from, uint32_t r[4])
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
	             : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
	             : "r"(from)
	             : "memory");
}

/* To nearest: mma ignores the lower 13 bits. The maximum keeps the device's NaN, 0x7fffffff, from wrapping to -0. */
static __device__ __forceinline__ uint32_t rounded(uint32_t bits)
{
	return (uint32_t)__viaddmax_s32((int)bits, 0x1000, (int)bits);
}

static __device__ __forceinline__ void multiply(float d[4], const uint32_t a[4], const uint32_t *b)
{
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
	             "{%0, %1, %2, %3};"
	             : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
	             : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* One piece: the warp's Tm x 16 pixels by Tn x 8 channels. Weights were rounded when they were prepared. */
template <int Tm, int Tn, bool Relu>
static __device__ __forceinline__ void multiply_piece(
        float sum[Tm][Tn][4], uint32_t windows, uint32_t weights, int warp_row, int warp_column, int lane)
{
#pragma unroll
	for (int k = 0; k < kPiece / 8; k++) {
		uint32_t a[Tm][4], b[Tn / 2][4];

#pragma unroll
		for (int m = 0; m < Tm; m++) {
			load_four(windows + place(warp_row + m * 16 + lane % 16, 2 * k + lane / 16), a[m]);
#pragma unroll
			for (int i = 0; i < 4; i++) {
				if (Relu)
					a[m][i] = __float_as_uint(relu(__uint_as_float(a[m][i])));
				a[m][i] = rounded(a[m][i]);
			}
		}
#pragma unroll
		for (int n = 0; n < Tn / 2; n++)
			load_four(weights + place(warp_column + n * 16 + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2), b[n]);
#pragma unroll
		for (int m = 0; m < Tm; m++)
#pragma unroll
			for (int n = 0; n < Tn; n++)
				multiply(sum[m][n], a[m], b[n / 2] + n % 2 * 2);
	}
}

/* Columns: of a block's tile. WarpRows: pixels of a warp's tile; the rest of the block's rows and columns are the others'. */
template <int Columns, int WarpRows, bool Relu> static __global__ void __launch_bounds__(kThreads, 2) conv_tf32(implicit p)
{
	constexpr int kWarpsDown = kTileRows / WarpRows, kWarpColumns = Columns / (kThreads / 32 / kWarpsDown);
	constexpr int kTm = WarpRows / 16, kTn = kWarpColumns / 8;
	static_assert(kTn % 2 == 0, "channels of a warp are fetched 16 at a time");
	extern __shared__ float4 shared[];
	uint32_t tiles = (uint32_t)__cvta_generic_to_shared(shared);
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
	int first_column = (int)(blockIdx.x % p.column_tiles) * Columns;
	int first_row = (int)(blockIdx.x / p.column_tiles) * kTileRows;
	int warp_row = warp % kWarpsDown * WarpRows, warp_column = warp / kWarpsDown * kWarpColumns;
	struct pipeline<Columns> q;
	float sum[kTm][kTn][4] = {};

	pipeline_begin(&q, p, first_row, first_column, tiles);
	for (int piece = 0; piece < p.pieces; piece++) {
		uint32_t tile = tiles + pipeline_next(&q, p, piece);

		multiply_piece<kTm, kTn, Relu>(sum, tile, tile + q.kWindowBytes, warp_row, warp_column, lane);
	}
#pragma unroll
	for (int m = 0; m < kTm; m++)
#pragma unroll
		for (int n = 0; n < kTn; n++) {
			int row = first_row + warp_row + m * 16 + lane / 4;
			int column = first_column + warp_column + n * 8 + lane % 4 * 2;

			store_two(p, row, column, sum[m][n][0], sum[m][n][1]);
			store_two(p, row + 8, column, sum[m][n][2], sum[m][n][3]);
		}
}

template <int Columns, int WarpRows> static int launch(implicit p, struct sb_cuda_launch *l)
{
	return p.a.relu_in ? launch_tiles<conv_tf32<Columns, WarpRows, true>, Columns>(p, l, "conv_tf32")
	                   : launch_tiles<conv_tf32<Columns, WarpRows, false>, Columns>(p, l, "conv_tf32");
}

extern "C" int sb_conv_tf32_cuda(const struct sb_conv_args *a, struct sb_cuda_launch *l)
{
	implicit p = implicit_of(a);

	if (p.rows == 0)
		return cudaSuccess;
	if (a->cout <= 32)
		return launch<32, 32>(p, l);
	if (a->cout <= 64)
		return launch<64, 64>(p, l);
	if (a->cout <= 96)
		return launch<96, 64>(p, l);
	return launch<128, 64>(p, l);
}
