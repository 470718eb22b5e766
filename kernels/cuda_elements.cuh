/*
 * cuda_elements: what the CUDA families for maps, norms and patches share: grids, 16-byte access, sums over lanes. For
 * *.cu only.
 */
#ifndef SB_CUDA_ELEMENTS_CUH
#define SB_CUDA_ELEMENTS_CUH

#include <cuda_runtime.h>
#include <stdint.h>

#include "cuda_launch.h"

constexpr int kWarp = 32;
/* Threads of a block without shared memory: 8 such blocks fill a multiprocessor of 2048 threads, 6 one of 1536. */
constexpr int kThreads = 256;
constexpr unsigned kAllLanes = 0xffffffffu;

/* How many pieces of `piece` elements n elements make, the last one perhaps smaller. */
static __host__ __device__ __forceinline__ int64_t pieces(int64_t n, int64_t piece)
{
	return (n + piece - 1) / piece;
}

static __host__ __device__ __forceinline__ int64_t round_up(int64_t n, int64_t step)
{
	return pieces(n, step) * step;
}

/* Blocks of `threads` for n elements, one thread each. n up to 2^31 blocks of them. */
static inline unsigned blocks_for(int64_t n, int threads)
{
	return (unsigned)pieces(n, threads);
}

/*
 * Division of numbers below 2^31 by one that a whole launch shares: a product's upper half, a sum and a shift instead
 * of some 20 instructions.
 */
struct divider {
	uint32_t by, factor, shift;
};

static inline struct divider divider_of(int64_t by)
{
	struct divider d = { (uint32_t)(by < 1 ? 1 : by), 0, 0 };

	while (((uint64_t)1 << d.shift) < d.by)
		d.shift++;
	d.factor = (uint32_t)((((uint64_t)1 << 32) * (((uint64_t)1 << d.shift) - d.by)) / d.by + 1);
	return d;
}

static __device__ __forceinline__ uint32_t quotient(uint32_t n, const struct divider &d)
{
	return (__umulhi(n, d.factor) + n) >> d.shift;
}

static __device__ __forceinline__ uint32_t remainder(uint32_t n, uint32_t quotient, const struct divider &d)
{
	return n - quotient * d.by;
}

/* Whether rows from p on, `stride` floats apart, can be read 16 bytes at a time. */
static inline bool wide(const void *p, int64_t stride)
{
	return (uintptr_t)p % 16 == 0 && stride % 4 == 0;
}

static inline cudaStream_t stream_of(const struct sb_cuda_launch *l)
{
	return (cudaStream_t)l->stream;
}

/* After every launch: counts it, keeps the name of what ran, and says whether it was accepted. */
static inline int launched(struct sb_cuda_launch *l, const char *name)
{
	l->name = name;
	l->launches++;
	return (int)cudaGetLastError();
}

/* Sum over groups of `lanes` neighbouring lanes (a power of two); every lane gets it, and all the same bits. */
template <int lanes> static __device__ __forceinline__ float sum_lanes(float v)
{
#pragma unroll
	for (int mask = lanes / 2; mask > 0; mask /= 2)
		v += __shfl_xor_sync(kAllLanes, v, mask);
	return v;
}

static __device__ __forceinline__ float4 splat(float v)
{
	return make_float4(v, v, v, v);
}

static __device__ __forceinline__ float total(float4 v)
{
	return (v.x + v.y) + (v.z + v.w);
}

/* a + f (b - a): exactly a where a is b. */
static __device__ __forceinline__ float lerp(float a, float b, float f)
{
	return fmaf(f, b - a, a);
}

static __device__ __forceinline__ float4 lerp(float4 a, float4 b, float f)
{
	return make_float4(lerp(a.x, b.x, f), lerp(a.y, b.y, f), lerp(a.z, b.z, f), lerp(a.w, b.w, f));
}

/* Round to TF32, to nearest, ties away from zero; NaN stays NaN. */
static __device__ __forceinline__ float tf32(float v)
{
	uint32_t bits;

	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(v));
	return __uint_as_float(bits);
}

#endif
