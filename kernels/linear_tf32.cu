/*
 * linear on tensor cores with its whole epilogue, for products so short (few inputs) that a second pass over the output
 * would cost as much as they do: the library has bias and ReLU in its kernels, but not GELU or LayerScale.
 *
 * v1: the convolution's tiles (conv_tf32.cu) with rows of x for windows; weights are rounded as they are used.
 */
#include "tiles_tf32.cuh"

constexpr int kThreads = 128;
constexpr int kStages = 3;

struct layer {
	struct sb_linear_args a;
	int32_t pieces, column_tiles;
};

template <int Act> static __device__ __forceinline__ float activate(float v)
{
	if (Act == SB_ACT_GELU_ERF)
		return 0.5f * v * (1.0f + erff(v * 0.70710678118654752f));
	if (Act == SB_ACT_GELU_TANH)
		return 0.5f * v * (1.0f + tanhf(0.79788456080286536f * (v + 0.044715f * v * v * v)));
	return v;
}

/* Two neighbours of a row, 8-byte aligned, as everything of a row is. */
template <int Act>
static __device__ __forceinline__ void store_pair(const struct sb_linear_args &a, int row, int column, float v0, float v1)
{
	float2 v = make_float2(v0, v1);

	if (row >= (int)a.rows || column >= (int)a.out)
		return;
	if (a.bias) {
		float2 b = *reinterpret_cast<const float2 *>(a.bias + column);

		v = make_float2(v.x + b.x, v.y + b.y);
	}
	v = make_float2(activate<Act>(v.x), activate<Act>(v.y));
	if (a.gamma) {
		float2 g = *reinterpret_cast<const float2 *>(a.gamma + column);

		v = make_float2(v.x * g.x, v.y * g.y);
	}
	if (a.residual) {
		float2 r = *reinterpret_cast<const float2 *>(a.residual + row * a.ldr + column);

		v = make_float2(v.x + r.x, v.y + r.y);
	}
	*reinterpret_cast<float2 *>(a.y + row * a.ldy + column) = v;
}

/* Rows of a matrix, one thread's: every `Step`-th. Beyond the last one that is fetched again: nobody looks at it. */
template <int Rows, int Step>
static __device__ __forceinline__ void rows_init(int32_t offset[Rows], int first, int64_t rows, int64_t ld, int chunk)
{
#pragma unroll
	for (int i = 0; i < Rows; i++)
		offset[i] = min(first + i * Step, (int)rows - 1) * (int)ld + chunk * 4;
}

template <int Rows, int Step>
static __device__ __forceinline__ void fetch_rows(const float *from, const int32_t offset[Rows], int piece, uint32_t to)
{
#pragma unroll
	for (int i = 0; i < Rows; i++)
		copy_async(to + i * Step * kChunks * 16, from + (offset[i] + piece * kPiece), 16);
}

/* As conv_tf32(). */
template <int Columns, int WarpRows, int Act> static __global__ void __launch_bounds__(kThreads, 2) linear_tf32(layer p)
{
	constexpr int kWarpsDown = kTileRows / WarpRows, kWarpColumns = Columns / (kThreads / 32 / kWarpsDown);
	constexpr int kTm = WarpRows / 16, kTn = kWarpColumns / 8, kStep = kThreads / kChunks;
	constexpr uint32_t kWindowBytes = kTileRows * kPiece * 4, kStageBytes = (kTileRows + Columns) * kPiece * 4;
	static_assert(kTn % 2 == 0, "weights of a warp are fetched 16 rows at a time");
	extern __shared__ float4 shared[];
	uint32_t stages = (uint32_t)__cvta_generic_to_shared(shared), own;
	int lane = threadIdx.x % 32, warp = threadIdx.x / 32, chunk = threadIdx.x % kChunks;
	int thread_row = threadIdx.x / kChunks;
	int first_column = (int)(blockIdx.x % p.column_tiles) * Columns;
	int first_row = (int)(blockIdx.x / p.column_tiles) * kTileRows;
	int warp_row = warp % kWarpsDown * WarpRows, warp_column = warp / kWarpsDown * kWarpColumns;
	int32_t x[kTileRows / kStep], w[Columns / kStep];
	float sum[kTm][kTn][4] = {};

	own = stages + place(thread_row, chunk);
	rows_init<kTileRows / kStep, kStep>(x, first_row + thread_row, p.a.rows, p.a.ldx, chunk);
	rows_init<Columns / kStep, kStep>(w, first_column + thread_row, p.a.out, p.a.ldw, chunk);
#pragma unroll
	for (int s = 0; s < kStages - 1; s++) {
		if (s < p.pieces) {
			fetch_rows<kTileRows / kStep, kStep>(p.a.x, x, s, own + s * kStageBytes);
			fetch_rows<Columns / kStep, kStep>(p.a.w, w, s, own + s * kStageBytes + kWindowBytes);
		}
		copies_commit();
	}
	for (int piece = 0, stage = 0, fill = kStages - 1; piece < p.pieces; piece++) {
		copies_wait<kStages - 2>();
		__syncthreads();
		if (piece + kStages - 1 < p.pieces) {
			uint32_t to = own + fill * kStageBytes;

			fetch_rows<kTileRows / kStep, kStep>(p.a.x, x, piece + kStages - 1, to);
			fetch_rows<Columns / kStep, kStep>(p.a.w, w, piece + kStages - 1, to + kWindowBytes);
		}
		copies_commit();
		multiply_piece<kTm, kTn, false, true>(sum, stages + stage * kStageBytes,
		        stages + stage * kStageBytes + kWindowBytes, warp_row, warp_column, lane);
		stage = stage + 1 == kStages ? 0 : stage + 1;
		fill = fill + 1 == kStages ? 0 : fill + 1;
	}
#pragma unroll
	for (int m = 0; m < kTm; m++)
#pragma unroll
		for (int n = 0; n < kTn; n++) {
			int row = first_row + warp_row + m * 16 + lane / 4;
			int column = first_column + warp_column + n * 8 + lane % 4 * 2;

			store_pair<Act>(p.a, row, column, sum[m][n][0], sum[m][n][1]);
			store_pair<Act>(p.a, row + 8, column, sum[m][n][2], sum[m][n][3]);
		}
}

template <int Columns, int WarpRows, int Act> static int launch(layer p, struct sb_cuda_launch *l)
{
	static bool allowed;
	size_t bytes = (size_t)kStages * (kTileRows + Columns) * kPiece * sizeof(float);

	if (!allowed) {
		cudaError_t code = cudaFuncSetAttribute(
		        linear_tf32<Columns, WarpRows, Act>, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes);

		if (code != cudaSuccess)
			return code;
		allowed = true;
	}
	p.column_tiles = (int32_t)((p.a.out + Columns - 1) / Columns);
	linear_tf32<Columns, WarpRows, Act><<<(unsigned)((p.a.rows + kTileRows - 1) / kTileRows * p.column_tiles), kThreads,
	        bytes, l->stream>>>(p);
	l->launches++;
	l->name = "linear_tf32";
	return cudaGetLastError();
}

template <int Act> static int launch_columns(const layer &p, struct sb_cuda_launch *l)
{
	if (p.a.out <= 32)
		return launch<32, 32, Act>(p, l);
	if (p.a.out <= 64)
		return launch<64, 64, Act>(p, l);
	if (p.a.out <= 96)
		return launch<96, 64, Act>(p, l);
	return launch<128, 64, Act>(p, l);
}

extern "C" int sb_linear_cuda_fits(const struct sb_linear_args *a)
{
	uintptr_t operands = (uintptr_t)a->x | (uintptr_t)a->w;
	uintptr_t outputs = (uintptr_t)a->y | (uintptr_t)a->bias | (uintptr_t)a->gamma | (uintptr_t)a->residual;
	int64_t ldr = a->residual ? a->ldr : 0;

	return a->in % kPiece == 0 && a->out % 2 == 0 && operands % 16 == 0 && outputs % 8 == 0 && a->ldx % 4 == 0 &&
	       a->ldw % 4 == 0 && a->ldy % 2 == 0 && ldr % 2 == 0 && a->act != SB_ACT_RELU && a->act != SB_ACT_SILU &&
	       (a->rows + kTileRows) * a->ldx < INT32_MAX && a->out * a->ldw < INT32_MAX;
}

extern "C" int sb_linear_tf32_cuda(const struct sb_linear_args *a, struct sb_cuda_launch *l)
{
	layer p = { *a, (int32_t)(a->in / kPiece), 0 };

	if (a->rows == 0 || a->out == 0)
		return cudaSuccess;
	if (a->act == SB_ACT_GELU_ERF)
		return launch_columns<SB_ACT_GELU_ERF>(p, l);
	if (a->act == SB_ACT_GELU_TANH)
		return launch_columns<SB_ACT_GELU_TANH>(p, l);
	return launch_columns<SB_ACT_NONE>(p, l);
}
