/*
 * attention_mma: tiles of attention on mma.sync m16n8k8 TF32, what the efficient and the small kernels share.
 *
 * Fragments (g = lane / 4, t = lane % 4; registers of one warp):
 *   C 16x8   c0 = (g, 2t)  c1 = (g, 2t+1)  c2 = (g+8, 2t)  c3 = (g+8, 2t+1)
 *   A 16x8   a0 = (g, t)   a1 = (g+8, t)   a2 = (g, t+4)   a3 = (g+8, t+4)
 *   B 8x8    b0 = (t, g)   b1 = (t+4, g)
 * A product does not depend on the order of its inner index, so that order is chosen for the loads:
 *   q k^T: of 16 dims lane t holds 4t .. 4t+3, one float4 each of q and k, which is two steps of 8.
 *   p v:   slot t is key 2t and slot t+4 is key 2t+1, so that a score fragment is an operand as it stands (a0 = c0,
 *          a1 = c2, a2 = c1, a3 = c3).
 * The order of the columns of p v is chosen as well: of 32 dims lane g holds 4g .. 4g+3 (column g of four tiles), so
 * that v comes as float4 and o leaves as float4. 16 dims that are left over take float2 the same way.
 *
 * Rounding: TF32 takes the upper 19 bits of a register and ignores the others, so rounding to nearest, ties away, is an
 * integer addition. FP32-accurate products are three: x = big + small, x y = big big + big small + small big; what is
 * left out is below 2^-24 of the whole. The tensor cores truncate when they add, so no sum of large terms stays in them
 * for longer than 16 dims or keys: partial sums start at zero and are added up in FP32, rounded to nearest.
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

/* To nearest for an operand of mma; NaN with all mantissa bits set would turn into -0, see tf32_guarded(). */
static __device__ __forceinline__ uint32_t tf32(float x)
{
	return __float_as_uint(x) + 0x1000u;
}

/* The same, NaN and infinity stay. */
static __device__ __forceinline__ uint32_t tf32_guarded(float x)
{
	uint32_t r;

	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
	return r;
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

/* An A operand of 16 rows and two steps of 8; `small` is used where there are three products. */
template <int PRODUCTS> struct operand {
	uint32_t big[2][4];
	uint32_t small[PRODUCTS == 3 ? 2 : 1][PRODUCTS == 3 ? 4 : 1];
};

template <int PRODUCTS>
static __device__ __forceinline__ void operand_set(operand<PRODUCTS> *a, int step, int i, float x)
{
	if constexpr (PRODUCTS == 3)
		split(x, &a->big[step][i], &a->small[step][i]);
	else
		a->big[step][i] = tf32(x);
}

/* 16 dims of queries: lo is row g, hi row g + 8. */
template <int PRODUCTS> static __device__ __forceinline__ operand<PRODUCTS> operand_of_queries(float4 lo, float4 hi)
{
	const float x[2][4] = { { lo.x, hi.x, lo.y, hi.y }, { lo.z, hi.z, lo.w, hi.w } };
	operand<PRODUCTS> a;

	for (int step = 0; step < 2; step++) {
		for (int i = 0; i < 4; i++) {
			if constexpr (PRODUCTS == 3)
				split(x[step][i], &a.big[step][i], &a.small[step][i]);
			else
				a.big[step][i] = tf32_guarded(x[step][i]);
		}
	}
	return a;
}

/* Two tiles of 8 weights each as an operand. */
template <int PRODUCTS>
static __device__ __forceinline__ operand<PRODUCTS> operand_of_weights(const float p0[4], const float p1[4])
{
	operand<PRODUCTS> a;

	for (int step = 0; step < 2; step++) {
		const float *p = step ? p1 : p0;

		operand_set(&a, step, 0, p[0]);
		operand_set(&a, step, 1, p[2]);
		operand_set(&a, step, 2, p[1]);
		operand_set(&a, step, 3, p[3]);
	}
	return a;
}

/*
 * acc[m] += a[m] b for MT tiles of rows, over two steps of 8; b = {b0, b1 of step 0, b0, b1 of step 1}. Three products:
 * the small terms first, while the partial sum is small. One product: b is rounded already.
 */
template <int MT, int PRODUCTS>
static __device__ __forceinline__ void multiply(float *const acc[MT], const operand<PRODUCTS> a[MT], const float b[4])
{
	if constexpr (PRODUCTS == 1) {
#pragma unroll
		for (int step = 0; step < 2; step++)
#pragma unroll
			for (int m = 0; m < MT; m++)
				mma(acc[m], a[m].big[step], __float_as_uint(b[2 * step]),
				        __float_as_uint(b[2 * step + 1]));
	} else {
		uint32_t big[4], small[4];
		float part[MT][4];

#pragma unroll
		for (int i = 0; i < 4; i++)
			split(b[i], &big[i], &small[i]);
#pragma unroll
		for (int m = 0; m < MT; m++)
#pragma unroll
			for (int i = 0; i < 4; i++)
				part[m][i] = 0.0f;
#pragma unroll
		for (int step = 0; step < 2; step++) {
#pragma unroll
			for (int m = 0; m < MT; m++)
				mma(part[m], a[m].small[step], big[2 * step], big[2 * step + 1]);
#pragma unroll
			for (int m = 0; m < MT; m++)
				mma(part[m], a[m].big[step], small[2 * step], small[2 * step + 1]);
		}
#pragma unroll
		for (int step = 0; step < 2; step++)
#pragma unroll
			for (int m = 0; m < MT; m++)
				mma(part[m], a[m].big[step], big[2 * step], big[2 * step + 1]);
#pragma unroll
		for (int m = 0; m < MT; m++)
#pragma unroll
			for (int i = 0; i < 4; i++)
				acc[m][i] += part[m][i];
	}
}

/* Keys or values in memory, rows 0 .. valid - 1 of which exist; the others read as 0. `rounded`: to TF32 already. */
struct rows {
	const float *at;
	int64_t stride;
	int valid;
	bool wide, rounded;
};

template <int PRODUCTS> static __device__ __forceinline__ float maybe_round(float x, bool rounded)
{
	return PRODUCTS == 3 || rounded ? x : __uint_as_float(tf32_guarded(x));
}

template <int PRODUCTS> static __device__ __forceinline__ float4 row_load4(const struct rows *r, int row, int col)
{
	float4 x = load4(r->at + row * r->stride + col, r->wide, row < r->valid);

	x.x = maybe_round<PRODUCTS>(x.x, r->rounded);
	x.y = maybe_round<PRODUCTS>(x.y, r->rounded);
	x.z = maybe_round<PRODUCTS>(x.z, r->rounded);
	x.w = maybe_round<PRODUCTS>(x.w, r->rounded);
	return x;
}

template <int PRODUCTS> static __device__ __forceinline__ float2 row_load2(const struct rows *r, int row, int col)
{
	float2 x = make_float2(0.0f, 0.0f);
	const float *p = r->at + row * r->stride + col;

	if (row >= r->valid)
		return x;
	x = r->wide ? *(const float2 *)p : make_float2(p[0], p[1]);
	return make_float2(maybe_round<PRODUCTS>(x.x, r->rounded), maybe_round<PRODUCTS>(x.y, r->rounded));
}

/* s[m][j] += 16 dims, from `dim`, of q k^T: MT x 16 queries against 8 TILES keys. */
template <int MT, int TILES, int PRODUCTS>
static __device__ __forceinline__ void scores(
        float s[MT][TILES][4], const operand<PRODUCTS> q[MT], const struct rows *k, int dim)
{
	const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;

#pragma unroll
	for (int j = 0; j < TILES; j++) {
		float4 x = row_load4<PRODUCTS>(k, 8 * j + g, dim + 4 * t);
		const float b[4] = { x.x, x.y, x.z, x.w };
		float *acc[MT];

#pragma unroll
		for (int m = 0; m < MT; m++)
			acc[m] = s[m][j];
		multiply<MT, PRODUCTS>(acc, q, b);
	}
}

/* o += p v for 16 keys from `key` on. */
template <int DIM, int MT, int PRODUCTS>
static __device__ __forceinline__ void values(
        float o[MT][DIM / 8][4], const operand<PRODUCTS> p[MT], const struct rows *v, int key)
{
	const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4, row = key + 2 * t;
	float *acc[MT];

#pragma unroll
	for (int n = 0; n + 4 <= DIM / 8; n += 4) {
		const float4 a = row_load4<PRODUCTS>(v, row, 8 * n + 4 * g);
		const float4 b = row_load4<PRODUCTS>(v, row + 1, 8 * n + 4 * g);
		const float4 c = row_load4<PRODUCTS>(v, row + 8, 8 * n + 4 * g);
		const float4 d = row_load4<PRODUCTS>(v, row + 9, 8 * n + 4 * g);
		const float x[4][4] = { { a.x, b.x, c.x, d.x }, { a.y, b.y, c.y, d.y }, { a.z, b.z, c.z, d.z },
			{ a.w, b.w, c.w, d.w } };

#pragma unroll
		for (int i = 0; i < 4; i++) {
#pragma unroll
			for (int m = 0; m < MT; m++)
				acc[m] = o[m][n + i];
			multiply<MT, PRODUCTS>(acc, p, x[i]);
		}
	}
	if constexpr (DIM % 32 == 16) {
		constexpr int n = DIM / 8 - 2;
		const float2 a = row_load2<PRODUCTS>(v, row, 8 * n + 2 * g);
		const float2 b = row_load2<PRODUCTS>(v, row + 1, 8 * n + 2 * g);
		const float2 c = row_load2<PRODUCTS>(v, row + 8, 8 * n + 2 * g);
		const float2 d = row_load2<PRODUCTS>(v, row + 9, 8 * n + 2 * g);
		const float x[2][4] = { { a.x, b.x, c.x, d.x }, { a.y, b.y, c.y, d.y } };

#pragma unroll
		for (int i = 0; i < 2; i++) {
#pragma unroll
			for (int m = 0; m < MT; m++)
				acc[m] = o[m][n + i];
			multiply<MT, PRODUCTS>(acc, p, x[i]);
		}
	}
}

/* Write rows g (where `lo`) and g + 8 (where `hi`) of 16 outputs, times their factors. `out`: row 0, `stride` apart. */
template <int DIM>
static __device__ __forceinline__ void outputs(
        const float o[DIM / 8][4], const float factor[2], float *out, int64_t stride, bool lo, bool hi, bool wide)
{
	const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;

#pragma unroll
	for (int half = 0; half < 2; half++) {
		float *row = out + (g + 8 * half) * stride, f = factor[half];
		const int x = 2 * half, y = x + 1;

		if (!(half ? hi : lo))
			continue;
#pragma unroll
		for (int n = 0; n + 4 <= DIM / 8; n += 4) {
			float4 a = make_float4(o[n][x] * f, o[n + 1][x] * f, o[n + 2][x] * f, o[n + 3][x] * f);
			float4 b = make_float4(o[n][y] * f, o[n + 1][y] * f, o[n + 2][y] * f, o[n + 3][y] * f);

			store4(row + 8 * n + 8 * t, a, wide);
			store4(row + 8 * n + 8 * t + 4, b, wide);
		}
		if constexpr (DIM % 32 == 16) {
			constexpr int n = DIM / 8 - 2;
			float4 a = make_float4(o[n][x] * f, o[n + 1][x] * f, o[n][y] * f, o[n + 1][y] * f);

			store4(row + 8 * n + 4 * t, a, wide);
		}
	}
}

#endif
