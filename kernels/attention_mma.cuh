/*
 * attention_mma: tiles of attention on mma.sync m16n8k8 TF32, what the efficient and the small kernels share.
 *
 * Fragments (g = lane / 4, t = lane % 4; registers of one warp):
 *   C 16x8   c0 = (g, 2t)  c1 = (g, 2t+1)  c2 = (g+8, 2t)  c3 = (g+8, 2t+1)
 *   A 16x8   a0 = (g, t)   a1 = (g+8, t)   a2 = (g, t+4)   a3 = (g+8, t+4)
 *   B 8x8    b0 = (t, g)   b1 = (t+4, g)
 * An operand must stand in adjacent registers, and a product does not depend on the order of its inner index. Both
 * together decide the loads:
 *   S = q k^T      of 16 dims lane t holds 4t .. 4t+3: one float4 of k is the B operands of two steps of 8.
 *   o^T = v^T p^T  c0, c1 of a score fragment are the B operand of 8 queries as they stand (slot t is key 2t, slot t+4
 *                  key 2t+1), c2, c3 that of the next 8; a float2 each of two rows of v is an A operand, of 16 dims in
 *                  the order that makes row g dim 2g and row g+8 dim 2g+1. Other ways round, each operand costs moves.
 * So a lane has scores and sums of queries g and g+8, but outputs of queries 2t and 2t+1.
 *
 * Rounding: TF32 takes the upper 19 bits of a register and ignores the others, so rounding to nearest, ties away, is an
 * integer addition. FP32-accurate products are three: x = big + small, x y = big big + big small + small big; what is
 * left out is below 2^-24 of the whole. The tensor cores truncate when they add, so no sum of large terms stays in them
 * for long: partial sums start at zero and are added up in FP32, rounded to nearest.
 */
#ifndef SB_ATTENTION_MMA_CUH
#define SB_ATTENTION_MMA_CUH

#include <stdint.h>

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

/* Four floats at p, or zeros where `valid` is false. `wide`: p is 16-byte aligned. */
static __device__ __forceinline__ float4 load4(const float *p, bool wide, bool valid)
{
	float4 x = make_float4(0.0f, 0.0f, 0.0f, 0.0f);

	if (!valid)
		return x;
	if (wide)
		return *(const float4 *)p;
	x.x = p[0];
	x.y = p[1];
	x.z = p[2];
	x.w = p[3];
	return x;
}

static __device__ __forceinline__ void store4(float *p, float4 x, bool wide)
{
	if (wide) {
		*(float4 *)p = x;
	} else {
		p[0] = x.x;
		p[1] = x.y;
		p[2] = x.z;
		p[3] = x.w;
	}
}

/*
 * To nearest for an operand of mma. The maximum keeps the NaN that arithmetic on the device makes, 0x7fffffff, from
 * wrapping around to -0; on Hopper it is one instruction with the addition. Infinity stays.
 */
static __device__ __forceinline__ uint32_t tf32(float x)
{
	return (uint32_t)__viaddmax_s32(__float_as_int(x), 0x1000, __float_as_int(x));
}

/* x = big + small to 2^-24. NaN is in small, whatever becomes of big; infinity gives NaN. */
static __device__ __forceinline__ void split(float x, uint32_t *big, uint32_t *small)
{
	*big = (__float_as_uint(x) + 0x1000u) & 0xffffe000u;
	*small = __float_as_uint(x - __uint_as_float(*big));
}

/* 2^x to 2 units in the last place; subnormal results are 0. */
static __device__ __forceinline__ float exp2_approx(float x)
{
	float y;

	asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
	return y;
}

/* c += a b */
static __device__ __forceinline__ void mma(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
	asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
	    "{%0, %1, %2, %3};"
	        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
	        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* Operands of 16 rows or 8 columns over two steps of 8; `small` is used where there are three products. */
template <int PRODUCTS> struct left {
	uint32_t big[2][4];
	uint32_t small[PRODUCTS == 3 ? 2 : 1][PRODUCTS == 3 ? 4 : 1];
};

template <int PRODUCTS> struct right {
	uint32_t big[2][2];
	uint32_t small[PRODUCTS == 3 ? 2 : 1][PRODUCTS == 3 ? 2 : 1];
};

/*
 * acc[m * NT + n] += a[m] b[n]. Three products: the small terms first, while the partial sum is small. All sums advance
 * side by side, because each waits for its own last product.
 */
template <int MT, int NT, int PRODUCTS>
static __device__ __forceinline__ void multiply(
        float *const acc[MT * NT], const left<PRODUCTS> a[MT], const right<PRODUCTS> b[NT])
{
	if constexpr (PRODUCTS == 1) {
#pragma unroll
		for (int step = 0; step < 2; step++)
#pragma unroll
			for (int i = 0; i < MT * NT; i++)
				mma(acc[i], a[i / NT].big[step], b[i % NT].big[step][0], b[i % NT].big[step][1]);
	} else {
		float part[MT * NT][4];

#pragma unroll
		for (int i = 0; i < 4 * MT * NT; i++)
			part[i / 4][i % 4] = 0.0f;
#pragma unroll
		for (int step = 0; step < 2; step++) {
#pragma unroll
			for (int i = 0; i < MT * NT; i++)
				mma(part[i], a[i / NT].small[step], b[i % NT].big[step][0], b[i % NT].big[step][1]);
#pragma unroll
			for (int i = 0; i < MT * NT; i++)
				mma(part[i], a[i / NT].big[step], b[i % NT].small[step][0], b[i % NT].small[step][1]);
		}
#pragma unroll
		for (int step = 0; step < 2; step++)
#pragma unroll
			for (int i = 0; i < MT * NT; i++)
				mma(part[i], a[i / NT].big[step], b[i % NT].big[step][0], b[i % NT].big[step][1]);
#pragma unroll
		for (int i = 0; i < 4 * MT * NT; i++)
			acc[i / 4][i % 4] += part[i / 4][i % 4];
	}
}

/* 16 dims of queries: lo is row g, hi row g + 8. */
template <int PRODUCTS> static __device__ __forceinline__ left<PRODUCTS> left_of_queries(float4 lo, float4 hi)
{
	const float x[2][4] = { { lo.x, hi.x, lo.y, hi.y }, { lo.z, hi.z, lo.w, hi.w } };
	left<PRODUCTS> a;

#pragma unroll
	for (int step = 0; step < 2; step++) {
#pragma unroll
		for (int i = 0; i < 4; i++) {
			if constexpr (PRODUCTS == 3)
				split(x[step][i], &a.big[step][i], &a.small[step][i]);
			else
				a.big[step][i] = tf32(x[step][i]);
		}
	}
	return a;
}

/* Weights of 8 queries for two tiles of 8 keys. */
template <int PRODUCTS>
static __device__ __forceinline__ right<PRODUCTS> right_of_weights(float p00, float p01, float p10, float p11)
{
	const float x[2][2] = { { p00, p01 }, { p10, p11 } };
	right<PRODUCTS> b;

#pragma unroll
	for (int step = 0; step < 2; step++) {
#pragma unroll
		for (int i = 0; i < 2; i++) {
			if constexpr (PRODUCTS == 3)
				split(x[step][i], &b.big[step][i], &b.small[step][i]);
			else
				b.big[step][i] = tf32(x[step][i]);
		}
	}
	return b;
}

/* Keys or values in memory, rows 0 .. valid - 1 of which exist; the others read as 0. `wide`: 16-byte aligned. */
struct rows {
	const float *at;
	int64_t stride;
	int valid;
	bool wide;
};

static __device__ __forceinline__ float4 row_load4(const struct rows *r, int row, int col)
{
	return load4(r->at + row * r->stride + col, r->wide, row < r->valid);
}

static __device__ __forceinline__ float2 row_load2(const struct rows *r, int row, int col)
{
	const float *p = r->at + row * r->stride + col;

	if (row >= r->valid)
		return make_float2(0.0f, 0.0f);
	return r->wide ? *(const float2 *)p : make_float2(p[0], p[1]);
}

/* An element of a key or value as an operand. */
template <int PRODUCTS> static __device__ __forceinline__ void element(float x, uint32_t *big, uint32_t *small)
{
	if constexpr (PRODUCTS == 3)
		split(x, big, small);
	else
		*big = tf32(x);
}

/* 16 dims, from `dim`, of 8 TILES keys, this lane's part: key 8 j + g. */
template <int TILES>
static __device__ __forceinline__ void key_rows_load(float4 x[TILES], const struct rows *k, int dim)
{
	const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;

#pragma unroll
	for (int j = 0; j < TILES; j++)
		x[j] = row_load4(k, 8 * j + g, dim + 4 * t);
}

/* s[m][j] += 16 dims of q k^T: MT x 16 queries against 8 TILES keys. */
template <int MT, int TILES, int PRODUCTS>
static __device__ __forceinline__ void scores(float s[MT][TILES][4], const left<PRODUCTS> q[MT], const float4 k[TILES])
{
	if constexpr (PRODUCTS == 1) {
		/* Steps outermost, so that a sum waits for its last product as long as there are others to go on with.
		 */
#pragma unroll
		for (int i = 0; i < 2 * TILES; i++) {
			const int j = i % TILES;
			const uint32_t b0 = tf32(i < TILES ? k[j].x : k[j].z), b1 = tf32(i < TILES ? k[j].y : k[j].w);

#pragma unroll
			for (int m = 0; m < MT; m++)
				mma(s[m][j], q[m].big[i / TILES], b0, b1);
		}
	} else {
#pragma unroll
		for (int j = 0; j < TILES; j++) {
			right<3> b;
			float *acc[MT];

			split(k[j].x, &b.big[0][0], &b.small[0][0]);
			split(k[j].y, &b.big[0][1], &b.small[0][1]);
			split(k[j].z, &b.big[1][0], &b.small[1][0]);
			split(k[j].w, &b.big[1][1], &b.small[1][1]);
#pragma unroll
			for (int m = 0; m < MT; m++)
				acc[m] = s[m][j];
			multiply<MT, 1, 3>(acc, q, &b);
		}
	}
}

/* 16 dims, from `dim`, of two rows of v from `key` on, of this lane: key + 2t and key + 2t + 1, twice. */
struct value_rows {
	float2 x[2][2];
};

static __device__ __forceinline__ value_rows value_rows_load(const struct rows *v, int key, int dim)
{
	const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
	value_rows r;

#pragma unroll
	for (int i = 0; i < 4; i++)
		r.x[i / 2][i % 2] = row_load2(v, key + 8 * (i / 2) + 2 * t + i % 2, dim + 2 * g);
	return r;
}

/* 16 dims of 8 keys from `key` on as the operand of one product. */
static __device__ __forceinline__ void value_step_load(uint32_t a[4], const struct rows *v, int key, int dim)
{
	const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
	const float2 x = row_load2(v, key + 2 * t, dim + 2 * g), y = row_load2(v, key + 2 * t + 1, dim + 2 * g);

	a[0] = tf32(x.x);
	a[1] = tf32(x.y);
	a[2] = tf32(y.x);
	a[3] = tf32(y.y);
}

template <int PRODUCTS> static __device__ __forceinline__ left<PRODUCTS> left_of_values(const value_rows *v)
{
	constexpr int three = PRODUCTS == 3;
	left<PRODUCTS> a;

#pragma unroll
	for (int step = 0; step < 2; step++) {
		const float x[4] = { v->x[step][0].x, v->x[step][0].y, v->x[step][1].x, v->x[step][1].y };

#pragma unroll
		for (int i = 0; i < 4; i++)
			element<PRODUCTS>(x[i], &a.big[step][i], &a.small[three * step][three * i]);
	}
	return a;
}

/* o[n] += 16 dims of v^T p^T over 16 keys. */
template <int NT, int PRODUCTS>
static __device__ __forceinline__ void values(float o[NT][4], const right<PRODUCTS> p[NT], const value_rows *v)
{
	const left<PRODUCTS> a = left_of_values<PRODUCTS>(v);
	float *acc[NT];

#pragma unroll
	for (int n = 0; n < NT; n++)
		acc[n] = o[n];
	multiply<1, NT, PRODUCTS>(acc, &a, p);
}

/* Factors of queries g, as the lanes of a row of scores have them, for queries 2t and 2t + 1, as outputs need them. */
static __device__ __forceinline__ float2 factors_of_outputs(float of_g)
{
	const int t = threadIdx.x % 4;

	return make_float2(__shfl_sync(kAllLanes, of_g, 8 * t), __shfl_sync(kAllLanes, of_g, 8 * t + 4));
}

/* Write queries 8 n + 2t and 2t + 1, times their factors, where there are so many. `out`: query 0 of the warp. */
template <int DIM, int NT>
static __device__ __forceinline__ void outputs(
        const float o[DIM / 16][NT][4], int n, float2 factor, float *out, int64_t stride, int queries, bool wide)
{
	const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;

#pragma unroll
	for (int e = 0; e < 2; e++) {
		const int query = 8 * n + 2 * t + e;
		const float f = e ? factor.y : factor.x;
		float *row = out + query * stride + 2 * g;

		if (query >= queries)
			continue;
#pragma unroll
		for (int i = 0; i < DIM / 16; i++) {
			if (wide) {
				*(float2 *)(row + 16 * i) = make_float2(o[i][n][e] * f, o[i][n][2 + e] * f);
			} else {
				row[16 * i] = o[i][n][e] * f;
				row[16 * i + 1] = o[i][n][2 + e] * f;
			}
		}
	}
}

#endif
