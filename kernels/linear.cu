/*
 * What follows a matrix product: bias, activation, LayerScale and residuals in one pass over the output.
 *
 * v1: a thread an element, or four where everything is aligned for it; grid-stride, so that the grid fills the device
 *     and no index overflows.
 */
extern "C" {
#include "linear_cuda.h"
}

#include <cuda_runtime.h>

static constexpr int kThreads = 256;
/* Blocks an SM: 8 x 256 threads are all that fit, and loads in flight are what the pass lives on. */
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

static __device__ __forceinline__ float4 load4(const float *p, float missing)
{
	return p ? *reinterpret_cast<const float4 *>(p) : make_float4(missing, missing, missing, missing);
}

/* Index is uint32_t where the number of float4s allows it: a 64-bit division costs more than the whole rest. */
template <typename Index> static __global__ void __launch_bounds__(kThreads) epilogue_vector(sb_epilogue_args a, Index n)
{
	Index cols = (Index)(a.cols / 4), step = gridDim.x * (Index)kThreads;

	for (Index i = blockIdx.x * (Index)kThreads + threadIdx.x; i < n; i += step) {
		Index row = i / cols, c = (i - row * cols) * 4;
		int64_t at = (int64_t)row * a.ldr + c;
		float4 v = *reinterpret_cast<const float4 *>(a.v + (int64_t)row * a.ldv + c);
		float4 b = load4(a.bias ? a.bias + c : nullptr, 0.0f), g = load4(a.gamma ? a.gamma + c : nullptr, 1.0f);
		float4 r = load4(a.residual ? a.residual + at : nullptr, 0.0f);
		float4 s = load4(a.residual2 ? a.residual2 + at : nullptr, 0.0f);

		v.x = finish(a, v.x, b.x, g.x, r.x, s.x);
		v.y = finish(a, v.y, b.y, g.y, r.y, s.y);
		v.z = finish(a, v.z, b.z, g.z, r.z, s.z);
		v.w = finish(a, v.w, b.w, g.w, r.w, s.w);
		*reinterpret_cast<float4 *>(a.y + (int64_t)row * a.ldy + c) = v;
	}
}

static bool aligned(const void *p)
{
	return (uintptr_t)p % 16 == 0;
}

static bool by_four(const sb_epilogue_args *a)
{
	bool residuals = a->residual || a->residual2;

	return a->cols % 4 == 0 && a->ldv % 4 == 0 && a->ldy % 4 == 0 && (!residuals || a->ldr % 4 == 0) &&
	       aligned(a->v) && aligned(a->y) && aligned(a->bias) && aligned(a->gamma) && aligned(a->residual) &&
	       aligned(a->residual2);
}

static unsigned grid_of(int64_t items, const sb_cuda_launch *l)
{
	int64_t blocks = (items + kThreads - 1) / kThreads, most = (int64_t)l->sms * kBlocksPerSm;

	return (unsigned)(blocks < most ? blocks : most);
}

extern "C" int sb_epilogue_cuda(const struct sb_epilogue_args *a, struct sb_cuda_launch *l)
{
	int64_t n = a->rows * a->cols;

	if (n == 0)
		return cudaSuccess;
	if (!by_four(a))
		epilogue_scalar<<<grid_of(n, l), kThreads, 0, l->stream>>>(*a, n);
	else if (n / 4 < INT32_MAX / 2)
		epilogue_vector<uint32_t><<<grid_of(n / 4, l), kThreads, 0, l->stream>>>(*a, (uint32_t)(n / 4));
	else
		epilogue_vector<int64_t><<<grid_of(n / 4, l), kThreads, 0, l->stream>>>(*a, n / 4);
	l->launches++;
	l->name = "epilogue";
	return cudaGetLastError();
}

extern "C" int sb_kernels_cuda_check(void)
{
	cudaFuncAttributes attributes;

	return cudaFuncGetAttributes(&attributes, epilogue_scalar);
}
