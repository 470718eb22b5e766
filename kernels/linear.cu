/*
 * What follows a matrix product: bias, activation, LayerScale and residuals in one pass over the output.
 *
 * v1: a thread an element, or four where everything is aligned for it.
 * v2: four times four elements a thread, read before anything is computed; a kernel for each activation; rows found by
 *     multiplication. v1 had 18 KiB of reads under way on a multiprocessor where its share of the memory wants 22, and a
 *     third of its instructions were a division.
 */
#include "cuda_elements.cuh"

extern "C" {
#include "linear_cuda.h"
}

/* Blocks an SM, of the kernel for whatever is not aligned: 8 x 256 threads are all that fit. */
static constexpr int kBlocksPerSm = 8;

static __device__ __forceinline__ float activate(float v, int act)
{
	switch (act) {
	case SB_ACT_RELU:
		return v < 0.0f ? 0.0f : v; /* NaN compares false and stays */
	case SB_ACT_SILU:
		return v / (1.0f + expf(-v));
	case SB_ACT_GELU_ERF:
		return 0.5f * v * (1.0f + erff(v * 0.70710678118654752f));
	case SB_ACT_GELU_TANH:
		return 0.5f * v * (1.0f + tanhf(0.79788456080286536f * (v + 0.044715f * v * v * v)));
	default:
		return v;
	}
}

static __device__ __forceinline__ float relu_if(float v, int on)
{
	return on && v < 0.0f ? 0.0f : v;
}

/* One output: element c of the row whose operands begin at v, r, r2 (NULL: none). */
static __device__ __forceinline__ float finish(
        const sb_epilogue_args &a, float v, float bias, float gamma, float r, float r2)
{
	float y = activate(v + bias, a.act) * gamma;

	return y + relu_if(r, a.residual_relu) + r2;
}

static __global__ void __launch_bounds__(kThreads) epilogue_scalar(sb_epilogue_args a, int64_t n)
{
	int64_t step = (int64_t)gridDim.x * kThreads;

	for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += step) {
		int64_t row = i / a.cols, c = i - row * a.cols;

		a.y[row * a.ldy + c] = finish(a, a.v[row * a.ldv + c], a.bias ? a.bias[c] : 0.0f,
		        a.gamma ? a.gamma[c] : 1.0f, a.residual ? a.residual[row * a.ldr + c] : 0.0f,
		        a.residual2 ? a.residual2[row * a.ldr + c] : 0.0f);
	}
}

struct vectors {
	struct sb_epilogue_args a;
	struct divider columns; /* vectors of a row */
	uint32_t n;
};

static __device__ __forceinline__ float4 read4(const float *p)
{
	return *reinterpret_cast<const float4 *>(p);
}

template <int Act> static __device__ __forceinline__ float4 activate4(float4 v)
{
	return make_float4(activate(v.x, Act), activate(v.y, Act), activate(v.z, Act), activate(v.w, Act));
}

/*
 * v2. Everything aligned, one residual at most and that one plain. All reads of a thread come before its arithmetic: four
 * vectors, with a residual two of each, so that reads under way cover the memory's delay at 4 blocks a multiprocessor.
 */
static __host__ __device__ constexpr int vectors_each(bool residual)
{
	return residual ? 2 : 4;
}

template <int Act, bool Residual> static __global__ void __launch_bounds__(kThreads, 4) epilogue_vectors(vectors p)
{
	constexpr int kEach = vectors_each(Residual);
	const struct sb_epilogue_args &a = p.a;
	uint32_t first = blockIdx.x * (kThreads * kEach) + threadIdx.x, row[kEach], column[kEach];
	float4 v[kEach], r[kEach];

#pragma unroll
	for (int e = 0; e < kEach; e++) {
		uint32_t i = first + e * kThreads;

		row[e] = quotient(i, p.columns);
		column[e] = remainder(i, row[e], p.columns) * 4;
		if (i >= p.n)
			continue;
		v[e] = read4(a.v + row[e] * a.ldv + column[e]);
		if (Residual)
			r[e] = read4(a.residual + row[e] * a.ldr + column[e]);
	}
#pragma unroll
	for (int e = 0; e < kEach; e++) {
		if (first + e * kThreads >= p.n)
			continue;
		if (a.bias) {
			float4 b = read4(a.bias + column[e]);

			v[e] = make_float4(v[e].x + b.x, v[e].y + b.y, v[e].z + b.z, v[e].w + b.w);
		}
		v[e] = activate4<Act>(v[e]);
		if (a.gamma) {
			float4 g = read4(a.gamma + column[e]);

			v[e] = make_float4(v[e].x * g.x, v[e].y * g.y, v[e].z * g.z, v[e].w * g.w);
		}
		if (Residual)
			v[e] = make_float4(v[e].x + r[e].x, v[e].y + r[e].y, v[e].z + r[e].z, v[e].w + r[e].w);
		*reinterpret_cast<float4 *>(a.y + row[e] * a.ldy + column[e]) = v[e];
	}
}

static bool by_four(const sb_epilogue_args *a)
{
	return a->cols % 4 == 0 && wide(a->v, a->ldv) && wide(a->y, a->ldy) && wide(a->bias, 0) && wide(a->gamma, 0) &&
	       wide(a->residual, a->residual ? a->ldr : 0) && !a->residual2 && !a->residual_relu &&
	       a->rows * a->cols / 4 < INT32_MAX - kThreads * 4;
}

template <int Act> static void launch_vectors(const sb_epilogue_args *a, struct sb_cuda_launch *l)
{
	vectors p = { *a, divider_of(a->cols / 4), (uint32_t)(a->rows * a->cols / 4) };
	unsigned blocks = blocks_for(p.n, kThreads * vectors_each(a->residual != nullptr));

	if (a->residual)
		epilogue_vectors<Act, true><<<blocks, kThreads, 0, stream_of(l)>>>(p);
	else
		epilogue_vectors<Act, false><<<blocks, kThreads, 0, stream_of(l)>>>(p);
}

static void launch(const sb_epilogue_args *a, struct sb_cuda_launch *l)
{
	int64_t n = a->rows * a->cols, blocks = pieces(n, kThreads), most = (int64_t)l->sms * kBlocksPerSm;

	if (!by_four(a)) {
		epilogue_scalar<<<(unsigned)(blocks < most ? blocks : most), kThreads, 0, stream_of(l)>>>(*a, n);
		return;
	}
	switch (a->act) {
	case SB_ACT_NONE:
		launch_vectors<SB_ACT_NONE>(a, l);
		break;
	case SB_ACT_RELU:
		launch_vectors<SB_ACT_RELU>(a, l);
		break;
	case SB_ACT_SILU:
		launch_vectors<SB_ACT_SILU>(a, l);
		break;
	case SB_ACT_GELU_ERF:
		launch_vectors<SB_ACT_GELU_ERF>(a, l);
		break;
	case SB_ACT_GELU_TANH:
		launch_vectors<SB_ACT_GELU_TANH>(a, l);
		break;
	}
}

extern "C" int sb_epilogue_cuda(const struct sb_epilogue_args *a, struct sb_cuda_launch *l)
{
	if (a->rows * a->cols == 0)
		return cudaSuccess;
	launch(a, l);
	return launched(l, "epilogue");
}

extern "C" int sb_kernels_cuda_check(void)
{
	cudaFuncAttributes attributes;

	return cudaFuncGetAttributes(&attributes, epilogue_scalar);
}
