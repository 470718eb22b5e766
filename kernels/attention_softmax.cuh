/*
 * attention_softmax: softmax over the rows of a dense matrix, p = softmax(s), at the speed of memory: a row is read
 * once, kept in registers and written once. exp is expf(), sums are FP32.
 */
#ifndef SB_ATTENTION_SOFTMAX_CUH
#define SB_ATTENTION_SOFTMAX_CUH

#include <cuda_runtime.h>

#include <float.h>
#include <math.h>
#include <stdint.h>

/* A block does a row of 512 ITEMS VEC floats at most: 64 floats a thread, the rest of the registers is for expf(). */
constexpr int kRowThreads = 512;
/* Short rows: a power of two of lanes each, 8 warps a block. */
constexpr int kShortThreads = 256;

template <int VEC> struct floats {
	float x[VEC];
};

template <int VEC> static __device__ __forceinline__ floats<VEC> floats_load(const float *p)
{
	floats<VEC> r;

	if constexpr (VEC == 4) {
		const float4 v = __ldcs((const float4 *)p);

		r = { { v.x, v.y, v.z, v.w } };
	} else if constexpr (VEC == 2) {
		const float2 v = __ldcs((const float2 *)p);

		r = { { v.x, v.y } };
	} else {
		r = { { __ldcs(p) } };
	}
	return r;
}

template <int VEC> static __device__ __forceinline__ void floats_store(float *p, const floats<VEC> *r)
{
	if constexpr (VEC == 4)
		*(float4 *)p = make_float4(r->x[0], r->x[1], r->x[2], r->x[3]);
	else if constexpr (VEC == 2)
		*(float2 *)p = make_float2(r->x[0], r->x[1]);
	else
		*p = r->x[0];
}

static __device__ __forceinline__ float lanes_max(float x, int lanes)
{
	for (int i = lanes / 2; i > 0; i /= 2)
		x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, i));
	return x;
}

static __device__ __forceinline__ float lanes_sum(float x, int lanes)
{
	for (int i = lanes / 2; i > 0; i /= 2)
		x += __shfl_xor_sync(0xffffffffu, x, i);
	return x;
}

/* Over a block of kRowThreads; `room` holds a float a warp and is free again at the next barrier but one. */
static __device__ __forceinline__ float block_max(float x, float *room)
{
	x = lanes_max(x, 32);
	if (threadIdx.x % 32 == 0)
		room[threadIdx.x / 32] = x;
	__syncthreads();
	return lanes_max(room[threadIdx.x % (kRowThreads / 32)], 32);
}

static __device__ __forceinline__ float block_sum(float x, float *room)
{
	x = lanes_sum(x, 32);
	if (threadIdx.x % 32 == 0)
		room[threadIdx.x / 32] = x;
	__syncthreads();
	return lanes_sum(room[threadIdx.x % (kRowThreads / 32)], kRowThreads / 32);
}

/* LANES lanes a row, or with LANES = kRowThreads a block. */
template <int VEC, int LANES, int ITEMS>
static __global__ void __launch_bounds__(LANES == kRowThreads ? kRowThreads : kShortThreads)
        attention_softmax(const float *s, float *p, int64_t rows, int n)
{
	constexpr bool kBlock = LANES == kRowThreads;
	__shared__ float room[2][kRowThreads / 32];
	const int lane = threadIdx.x % LANES;
	const int64_t row = kBlock ? blockIdx.x : (int64_t)blockIdx.x * (kShortThreads / LANES) + threadIdx.x / LANES;
	const bool active = row < rows;
	floats<VEC> x[ITEMS];
	float max = -INFINITY, sum = 0.0f;

	s += row * n;
	p += row * n;
#pragma unroll
	for (int i = 0; i < ITEMS; i++) {
		const int at = (i * LANES + lane) * VEC;

		if (active && at < n) {
			x[i] = floats_load<VEC>(s + at);
#pragma unroll
			for (int e = 0; e < VEC; e++)
				max = fmaxf(max, x[i].x[e]);
		}
	}
	max = kBlock ? block_max(max, room[0]) : lanes_max(max, LANES);
#pragma unroll
	for (int i = 0; i < ITEMS; i++) {
		if (active && (i * LANES + lane) * VEC < n) {
#pragma unroll
			for (int e = 0; e < VEC; e++) {
				x[i].x[e] = expf(x[i].x[e] - max);
				sum += x[i].x[e];
			}
		}
	}
	sum = 1.0f / (kBlock ? block_sum(sum, room[1]) : lanes_sum(sum, LANES));
#pragma unroll
	for (int i = 0; i < ITEMS; i++) {
		const int at = (i * LANES + lane) * VEC;

		if (active && at < n) {
#pragma unroll
			for (int e = 0; e < VEC; e++)
				x[i].x[e] *= sum;
			floats_store<VEC>(p + at, &x[i]);
		}
	}
}

/* Rows of any length, a block each, read twice: for those that do not fit into the registers of a block. */
static __global__ void __launch_bounds__(kRowThreads) attention_softmax_long(const float *s, float *p, int n)
{
	__shared__ float room[2][kRowThreads / 32];
	float max = -FLT_MAX, sum = 0.0f, all;

	s += (int64_t)blockIdx.x * n;
	p += (int64_t)blockIdx.x * n;
	for (int i = threadIdx.x; i < n; i += kRowThreads) {
		const float x = s[i];

		if (x > max) {
			sum *= expf(max - x);
			max = x;
		}
		/* NaN fails every comparison and reaches the sum here. */
		sum += expf(x - max);
	}
	all = block_max(max, room[0]);
	sum = 1.0f / block_sum(max == all ? sum : sum * expf(max - all), room[1]);
	for (int i = threadIdx.x; i < n; i += kRowThreads)
		p[i] = expf(s[i] - all) * sum;
}

template <int VEC, int LANES, int ITEMS>
static void softmax_launch(const float *s, float *p, int64_t rows, int n, cudaStream_t stream)
{
	constexpr int kEach = LANES == kRowThreads ? 1 : kShortThreads / LANES;
	constexpr int kThreads = LANES == kRowThreads ? kRowThreads : kShortThreads;

	attention_softmax<VEC, LANES, ITEMS>
	        <<<(unsigned)((rows + kEach - 1) / kEach), kThreads, 0, stream>>>(s, p, rows, n);
}

/* Few lanes a row while it is short, so that no lane idles; a warp up to 1024 floats; then a block. */
template <int VEC> static void softmax_of(const float *s, float *p, int64_t rows, int n, cudaStream_t stream)
{
	if (n <= 16)
		softmax_launch<VEC, 4, 4 / VEC>(s, p, rows, n, stream);
	else if (n <= 64)
		softmax_launch<VEC, 8, 8 / VEC>(s, p, rows, n, stream);
	else if (n <= 256)
		softmax_launch<VEC, 32, 8 / VEC>(s, p, rows, n, stream);
	else if (n <= 1024)
		softmax_launch<VEC, 32, 32 / VEC>(s, p, rows, n, stream);
	else if (n <= 16 * kRowThreads)
		softmax_launch<VEC, kRowThreads, 16 / VEC>(s, p, rows, n, stream);
	else if (n <= 40 * kRowThreads)
		softmax_launch<VEC, kRowThreads, 40 / VEC>(s, p, rows, n, stream);
	else if (n <= 64 * kRowThreads)
		softmax_launch<VEC, kRowThreads, 64 / VEC>(s, p, rows, n, stream);
	else
		attention_softmax_long<<<(unsigned)rows, kRowThreads, 0, stream>>>(s, p, n);
}

static cudaError_t softmax_rows(const float *s, float *p, int64_t rows, int n, cudaStream_t stream)
{
	if (rows > INT32_MAX)
		return cudaErrorInvalidValue;
	if (n % 4 == 0)
		softmax_of<4>(s, p, rows, n, stream);
	else if (n % 2 == 0)
		softmax_of<2>(s, p, rows, n, stream);
	else
		softmax_of<1>(s, p, rows, n, stream);
	return cudaGetLastError();
}

#endif
