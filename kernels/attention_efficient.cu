/*
 * attention, efficient: online softmax over tiles of keys on mma.sync, any device from 8.0 on. A wgmma version for
 * Hopper would stand beside this file and be picked in attention.cu.
 *
 * A block takes 16 MT WARPS queries of one (batch, head) and walks over the keys in tiles of KEYS, which cp.async
 * brings to shared memory one tile ahead; a warp takes 16 MT queries against SUB keys at a time, so that the scores
 * stay in registers. MT = 2 halves the reads of shared memory per product: with 16 queries a warp they take longer than
 * the products. Rows are padded so that no read of a fragment meets itself in a bank: keys to 16 words modulo 32 (two
 * rows of 16 words a quarter warp), values to 4 (four rows 2t of 8 words).
 *
 * One product:    queries rounded in registers; keys and values rounded in place once they have arrived, by the thread
 *                 that fetched them, once a block instead of once a warp.
 * Three products: queries split once into shared memory, where each thread keeps its own fragments; keys and values
 *                 split as they are read, since twice the reads would cost more than the arithmetic.
 *
 * The running maximum is raised only where a score exceeds it by more than 2^kSlack, which the final division undoes.
 */
#include <cuda_runtime.h>

#include <float.h>
#include <math.h>

extern "C" {
#include "attention_cuda_internal.h"
}
#include "attention_mma.cuh"

/* Weights reach at most 2^8 this way: far from overflow in sums of 2^31 of them. */
constexpr float kSlack = 8.0f;
#ifndef SB_PARTIAL
#define SB_PARTIAL true
#endif
constexpr bool kPartial = SB_PARTIAL;

struct problem {
	const float *q, *k, *v;
	float *o;
	struct sb_attention_strides qs, ks, vs, os;
	int lq, lk, heads;
	unsigned tiles; /* blocks for each (batch, head) */
	float c;        /* |scale| log2(e), at least FLT_MIN so that c * -infinity is no NaN */
	float sign;     /* of scale */
	bool q_wide, k_wide, v_wide, o_wide;
};

static constexpr __host__ __device__ int key_stride(int dim)
{
	return dim % 32 ? dim : dim + 16;
}

static constexpr __host__ __device__ int value_stride(int dim)
{
	return dim + 4;
}

/* Shared memory of a block, in floats: two stages of keys and values, then the split queries. */
template <int DIM, int MT, int WARPS, int KEYS, int PRODUCTS> static constexpr __host__ __device__ int shared_floats()
{
	return 2 * KEYS * (key_stride(DIM) + value_stride(DIM)) + (PRODUCTS == 3 ? 2 * 16 * MT * WARPS * DIM : 0);
}

/* 4 BYTES / 4 floats; zeros where not `valid`. */
template <int BYTES> static __device__ __forceinline__ void copy_async(float *to, const float *from, bool valid)
{
	const uint32_t at = (uint32_t)__cvta_generic_to_shared(to);

	if constexpr (BYTES == 16)
		asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(valid ? 16 : 0));
	else
		asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(at), "l"(from), "r"(valid ? 4 : 0));
}

/*
 * Start to fetch KEYS rows, of which `valid` exist; the rest becomes 0. Every thread moves the same float4s at each
 * call. Whole aligned tiles, nearly all there are, take no test and one multiplication; where rows do not divide evenly
 * among the threads (48 dims) that costs a few more.
 */
template <int DIM, int KEYS, int THREADS, int STRIDE>
static __device__ __forceinline__ void fetch(float *to, const float *from, int64_t stride, int valid, bool wide)
{
	constexpr int kEach = KEYS * (DIM / 4) / THREADS, kRows = THREADS / (DIM / 4);
	constexpr bool kEven = THREADS % (DIM / 4) == 0;

	static_assert(KEYS * (DIM / 4) % THREADS == 0, "every thread moves as many float4s");
	if (wide && valid >= KEYS) {
		const int row0 = (int)threadIdx.x / (DIM / 4), col0 = (int)threadIdx.x % (DIM / 4) * 4;
		const float *even = from + row0 * stride + col0;

#pragma unroll
		for (int i = 0; i < kEach; i++) {
			const int at = i * THREADS + (int)threadIdx.x, row = at / (DIM / 4), col = at % (DIM / 4) * 4;

			if constexpr (kEven) {
				copy_async<16>(to + (row0 + i * kRows) * STRIDE + col0, even, true);
				even += kRows * stride;
			} else {
				copy_async<16>(to + row * STRIDE + col, from + row * stride + col, true);
			}
		}
		return;
	}
#pragma unroll 1
	for (int i = 0; i < kEach; i++) {
		const int at = i * THREADS + (int)threadIdx.x, row = at / (DIM / 4), col = at % (DIM / 4) * 4;
		const float *x = from + (row < valid ? row : 0) * stride + col;

		if (wide)
			copy_async<16>(to + row * STRIDE + col, x, row < valid);
		else
			for (int j = 0; j < 4; j++)
				copy_async<4>(to + row * STRIDE + col + j, x + j, row < valid);
	}
}

/* Round in place what this thread fetched. */
template <int DIM, int KEYS, int THREADS, int STRIDE> static __device__ __forceinline__ void round_fetched(float *x)
{
#pragma unroll
	for (int i = 0; i < KEYS * (DIM / 4) / THREADS; i++) {
		const int at = i * THREADS + (int)threadIdx.x, row = at / (DIM / 4), col = at % (DIM / 4) * 4;
		float4 *p = (float4 *)(x + row * STRIDE + col), y = *p;

		y.x = __uint_as_float(tf32(y.x));
		y.y = __uint_as_float(tf32(y.y));
		y.z = __uint_as_float(tf32(y.z));
		y.w = __uint_as_float(tf32(y.w));
		*p = y;
	}
}

/* Softmax so far: the running maximum, scaled, of rows g and g + 8 of each tile, and this lane's share of the sums. */
template <int MT> struct running {
	float max[MT][2], sum[MT][2];
};

/* Does a score exceed its running maximum so far that the maximum must be raised? Asked of this lane's alone. */
template <int MT, int TILES>
static __device__ __forceinline__ bool exceeds(const float s[MT][TILES][4], const running<MT> *r, float c)
{
	bool far = false;

#pragma unroll
	for (int m = 0; m < MT; m++) {
#pragma unroll
		for (int half = 0; half < 2; half++) {
			float max = fmaxf(s[m][0][2 * half], s[m][0][2 * half + 1]);

#pragma unroll
			for (int j = 1; j < TILES; j++)
				max = fmaxf(max, fmaxf(s[m][j][2 * half], s[m][j][2 * half + 1]));
			far = far || max * c > r->max[m][half] + kSlack;
		}
	}
	return far;
}

/* Raise the maxima to the largest score of each row and scale down what was summed with the old ones. */
template <int DIM, int MT, int TILES>
static __device__ __forceinline__ void raise(
        const float s[MT][TILES][4], running<MT> *r, float o[DIM / 16][2 * MT][4], float c)
{
#pragma unroll
	for (int n = 0; n < 2 * MT; n++) {
		const int m = n / 2, half = n % 2;
		float max = fmaxf(s[m][0][2 * half], s[m][0][2 * half + 1]), factor;
		float2 f;

#pragma unroll
		for (int j = 1; j < TILES; j++)
			max = fmaxf(max, fmaxf(s[m][j][2 * half], s[m][j][2 * half + 1]));
		max = fmaxf(max, __shfl_xor_sync(kAllLanes, max, 1));
		max = fmaxf(max, __shfl_xor_sync(kAllLanes, max, 2));
		max = fmaxf(max * c, r->max[m][half]);
		factor = exp2_approx(r->max[m][half] - max);
		r->max[m][half] = max;
		r->sum[m][half] *= factor;
		f = factors_of_outputs(factor);
#pragma unroll
		for (int i = 0; i < DIM / 16; i++) {
			o[i][n][0] *= f.x;
			o[i][n][1] *= f.y;
			o[i][n][2] *= f.x;
			o[i][n][3] *= f.y;
		}
	}
}

/* Scores to weights, and their sums. */
template <int MT, int TILES>
static __device__ __forceinline__ void exponentials(float s[MT][TILES][4], running<MT> *r, float c)
{
#pragma unroll
	for (int m = 0; m < MT; m++) {
#pragma unroll
		for (int half = 0; half < 2; half++) {
			float sum = 0.0f;

#pragma unroll
			for (int j = 0; j < TILES; j++) {
#pragma unroll
				for (int i = 2 * half; i < 2 * half + 2; i++) {
					s[m][j][i] = exp2_approx(fmaf(s[m][j][i], c, -r->max[m][half]));
					sum += s[m][j][i];
				}
			}
			r->sum[m][half] += sum;
		}
	}
}

template <int MT, int TILES> static __device__ __forceinline__ void mask(float s[MT][TILES][4], int valid)
{
	const int t = threadIdx.x % 4;

#pragma unroll
	for (int m = 0; m < MT; m++)
#pragma unroll
		for (int j = 0; j < TILES; j++)
#pragma unroll
			for (int i = 0; i < 4; i++)
				if (8 * j + 2 * t + i % 2 >= valid)
					s[m][j][i] = -INFINITY;
}

/* Where a thread's fragments of 16 dims of the queries are kept: in registers, rounded, or in shared memory, split. */
template <int DIM, int MT, int PRODUCTS> struct queries {
	left<1> own[PRODUCTS == 1 ? DIM / 16 : 1][PRODUCTS == 1 ? MT : 1];
	uint4 *split; /* [DIM / 16][MT][4][lanes], at this thread's lane */
};

template <int DIM, int MT, int PRODUCTS>
static __device__ __forceinline__ void queries_load(
        queries<DIM, MT, PRODUCTS> *x, const struct problem *p, const float *q, int row0, uint4 *shared)
{
	const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;

	x->split = shared + (threadIdx.x / kWarp) * (DIM / 16 * MT * 4 * kWarp) + lane;
#pragma unroll
	for (int chunk = 0; chunk < DIM / 16; chunk++) {
#pragma unroll
		for (int m = 0; m < MT; m++) {
			const int lo = row0 + 16 * m + g, hi = lo + 8;
			const float *at = q + 16 * chunk + 4 * t;
			float4 a = load4(at + lo * p->qs.row, p->q_wide, lo < p->lq);
			float4 b = load4(at + hi * p->qs.row, p->q_wide, hi < p->lq);

			a = make_float4(a.x * p->sign, a.y * p->sign, a.z * p->sign, a.w * p->sign);
			b = make_float4(b.x * p->sign, b.y * p->sign, b.z * p->sign, b.w * p->sign);
			left<PRODUCTS> y = left_of_queries<PRODUCTS>(a, b);

			if constexpr (PRODUCTS == 1) {
				x->own[chunk][m] = y;
			} else {
				uint4 *to = x->split + (chunk * MT + m) * 4 * kWarp;

#pragma unroll
				for (int step = 0; step < 2; step++) {
					to[step * kWarp] = make_uint4(
					        y.big[step][0], y.big[step][1], y.big[step][2], y.big[step][3]);
					to[(2 + step) * kWarp] = make_uint4(
					        y.small[step][0], y.small[step][1], y.small[step][2], y.small[step][3]);
				}
			}
		}
	}
}

template <int DIM, int MT, int PRODUCTS>
static __device__ __forceinline__ void queries_get(const queries<DIM, MT, PRODUCTS> *x, int chunk, left<PRODUCTS> y[MT])
{
#pragma unroll
	for (int m = 0; m < MT; m++) {
		if constexpr (PRODUCTS == 1) {
			y[m] = x->own[chunk][m];
		} else {
			const uint4 *from = x->split + (chunk * MT + m) * 4 * kWarp;

#pragma unroll
			for (int step = 0; step < 2; step++) {
				const uint4 a = from[step * kWarp], b = from[(2 + step) * kWarp];

				y[m].big[step][0] = a.x;
				y[m].big[step][1] = a.y;
				y[m].big[step][2] = a.z;
				y[m].big[step][3] = a.w;
				y[m].small[step][0] = b.x;
				y[m].small[step][1] = b.y;
				y[m].small[step][2] = b.z;
				y[m].small[step][3] = b.w;
			}
		}
	}
}

/*
 * o += v^T p^T for SUB keys. One product: partial sums over SUB keys, over 25,008 keys of one sign truncated sums lose
 * 14 times what TF32 does. Three: over 16, so that split weights of so many are enough at a time.
 */
template <int DIM, int MT, int SUB, int PRODUCTS>
static __device__ __forceinline__ void weigh(
        const float s[MT][SUB / 8][4], const struct rows *v, float o[DIM / 16][2 * MT][4])
{
	constexpr int kPairs = SUB / 16, kNT = 2 * MT, kGroup = PRODUCTS == 1 ? kPairs : 1;

#pragma unroll
	for (int group = 0; group < kPairs; group += kGroup) {
		right<PRODUCTS> b[kGroup][kNT];

#pragma unroll
		for (int pair = 0; pair < kGroup; pair++) {
#pragma unroll
			for (int n = 0; n < kNT; n++) {
				const float *x = s[n / 2][2 * (group + pair)] + n % 2 * 2;
				const float *y = s[n / 2][2 * (group + pair) + 1] + n % 2 * 2;

				b[pair][n] = right_of_weights<PRODUCTS>(x[0], x[1], y[0], y[1]);
			}
		}
#pragma unroll
		for (int i = 0; i < DIM / 16; i++) {
			float part[kNT][4] = {};

#pragma unroll
			for (int pair = 0; pair < kGroup; pair++) {
				const value_rows x = value_rows_load(v, 16 * (group + pair), 16 * i);

				values<kNT, PRODUCTS>(PRODUCTS == 1 && kPartial ? part : o[i], b[pair], &x, true);
			}
#pragma unroll
			for (int n = 0; PRODUCTS == 1 && kPartial && n < 4 * kNT; n++)
				o[i][n / 4][n % 4] += part[n / 4][n % 4];
		}
	}
}

/* One step of the online softmax: this warp's queries against SUB keys in shared memory, of which `valid` exist. */
template <int DIM, int MT, int SUB, int PRODUCTS>
static __device__ __forceinline__ void step(const queries<DIM, MT, PRODUCTS> *q, const float *k, const float *v,
        int valid, float c, running<MT> *r, float o[DIM / 16][2 * MT][4])
{
	constexpr int kTiles = SUB / 8;
	const struct rows kr = { k, key_stride(DIM), SUB, true, true };
	const struct rows vr = { v, value_stride(DIM), SUB, true, true };
	float s[MT][kTiles][4] = {};

#pragma unroll
	for (int chunk = 0; chunk < DIM / 16; chunk++) {
		left<PRODUCTS> a[MT];

		queries_get<DIM, MT, PRODUCTS>(q, chunk, a);
		scores<MT, kTiles, PRODUCTS>(s, a, &kr, 16 * chunk);
	}
	if (valid < SUB)
		mask<MT, kTiles>(s, valid);
	if (__any_sync(kAllLanes, exceeds<MT, kTiles>(s, r, c)))
		raise<DIM, MT, kTiles>(s, r, o, c);
	exponentials<MT, kTiles>(s, r, c);
	weigh<DIM, MT, SUB, PRODUCTS>(s, &vr, o);
}

template <int DIM, int MT>
static __device__ __forceinline__ void finish(
        const struct problem *p, float *out, int row0, running<MT> *r, float o[DIM / 16][2 * MT][4])
{
#pragma unroll
	for (int n = 0; n < 2 * MT; n++) {
		float sum = r->sum[n / 2][n % 2];

		sum += __shfl_xor_sync(kAllLanes, sum, 1);
		sum += __shfl_xor_sync(kAllLanes, sum, 2);
		outputs<DIM, 2 * MT>(o, n, factors_of_outputs(1.0f / sum), out + row0 * p->os.row, p->os.row,
		        p->lq - row0, p->o_wide);
	}
}

template <int DIM, int MT, int WARPS, int KEYS, int SUB, int PRODUCTS>
static __global__ void __launch_bounds__(WARPS *kWarp, 8 / WARPS) attention_efficient(const struct problem p)
{
	constexpr int kThreads = WARPS * kWarp, kKeyStride = key_stride(DIM), kValueStride = value_stride(DIM);
	constexpr int kStage = KEYS * (kKeyStride + kValueStride);
	extern __shared__ __align__(16) float shared[];
	const int64_t bh = blockIdx.x / p.tiles, batch = bh / p.heads, head = bh % p.heads;
	const float *k = p.k + batch * p.ks.batch + head * p.ks.head, *v = p.v + batch * p.vs.batch + head * p.vs.head;
	const int warp = threadIdx.x / kWarp;
	const int row0 = ((int)(blockIdx.x % p.tiles) * WARPS + warp) * 16 * MT;
	const bool idle = row0 >= p.lq; /* no query for this warp: it only fetches */
	queries<DIM, MT, PRODUCTS> q;
	running<MT> r;
	float o[DIM / 16][2 * MT][4];

	fetch<DIM, KEYS, kThreads, kKeyStride>(shared, k, p.ks.row, p.lk, p.k_wide);
	fetch<DIM, KEYS, kThreads, kValueStride>(shared + KEYS * kKeyStride, v, p.vs.row, p.lk, p.v_wide);
	asm volatile("cp.async.commit_group;");
	queries_load<DIM, MT, PRODUCTS>(
	        &q, &p, p.q + batch * p.qs.batch + head * p.qs.head, row0, (uint4 *)(shared + 2 * kStage));
#pragma unroll
	for (int n = 0; n < 2 * MT; n++) {
		r.max[n / 2][n % 2] = -FLT_MAX;
		r.sum[n / 2][n % 2] = 0.0f;
#pragma unroll
		for (int i = 0; i < DIM / 4; i++)
			o[i / 4][n][i % 4] = 0.0f;
	}
	for (int key0 = 0, stage = 0; key0 < p.lk; key0 += KEYS, stage ^= 1) {
		float *kt = shared + stage * kStage, *vt = kt + KEYS * kKeyStride;
		const int next = key0 + KEYS, left = p.lk - key0;

		asm volatile("cp.async.wait_group 0;" ::: "memory");
		if constexpr (PRODUCTS == 1) {
			round_fetched<DIM, KEYS, kThreads, kKeyStride>(kt);
			round_fetched<DIM, KEYS, kThreads, kValueStride>(vt);
		}
		/* This tile is there for all, and nobody reads the one before any more. */
		__syncthreads();
		if (next < p.lk) {
			float *to = shared + (stage ^ 1) * kStage;

			fetch<DIM, KEYS, kThreads, kKeyStride>(
			        to, k + next * p.ks.row, p.ks.row, p.lk - next, p.k_wide);
			fetch<DIM, KEYS, kThreads, kValueStride>(
			        to + KEYS * kKeyStride, v + next * p.vs.row, p.vs.row, p.lk - next, p.v_wide);
		}
		asm volatile("cp.async.commit_group;");
		if (idle)
			continue;
#pragma unroll 1
		for (int sub = 0; sub < KEYS && sub < left; sub += SUB)
			step<DIM, MT, SUB, PRODUCTS>(
			        &q, kt + sub * kKeyStride, vt + sub * kValueStride, left - sub, p.c, &r, o);
	}
	if (!idle)
		finish<DIM, MT>(&p, p.o + batch * p.os.batch + head * p.os.head, row0, &r, o);
}

static struct problem problem_of(const struct sb_attention_args *a, int rows)
{
	struct problem p = {};

	p.q = a->q;
	p.k = a->k;
	p.v = a->v;
	p.o = a->o;
	p.qs = a->qs;
	p.ks = a->ks;
	p.vs = a->vs;
	p.os = a->os;
	p.lq = (int)a->lq;
	p.lk = (int)a->lk;
	p.heads = (int)a->heads;
	p.tiles = (unsigned)((a->lq + rows - 1) / rows);
	p.c = fmaxf((float)(fabs((double)a->scale) * 1.4426950408889634), FLT_MIN);
	p.sign = a->scale < 0.0f ? -1.0f : 1.0f;
	p.q_wide = sb_attention_wide(a->q, &a->qs);
	p.k_wide = sb_attention_wide(a->k, &a->ks);
	p.v_wide = sb_attention_wide(a->v, &a->vs);
	p.o_wide = sb_attention_wide(a->o, &a->os);
	return p;
}

template <int DIM, int MT, int WARPS, int KEYS, int SUB, int PRODUCTS>
static int launch(const struct sb_attention_args *a, struct sb_cuda_launch *l)
{
	constexpr size_t kBytes = sizeof(float) * shared_floats<DIM, MT, WARPS, KEYS, PRODUCTS>();
	const struct problem p = problem_of(a, 16 * MT * WARPS);
	const int64_t blocks = a->batch * a->heads * p.tiles;

	if (blocks > INT32_MAX)
		return cudaErrorInvalidValue;
	if (kBytes > 48 * 1024) {
		cudaError_t error = cudaFuncSetAttribute(attention_efficient<DIM, MT, WARPS, KEYS, SUB, PRODUCTS>,
		        cudaFuncAttributeMaxDynamicSharedMemorySize, (int)kBytes);

		if (error != cudaSuccess)
			return error;
	}
	attention_efficient<DIM, MT, WARPS, KEYS, SUB, PRODUCTS>
	        <<<(unsigned)blocks, WARPS * kWarp, kBytes, l->stream>>>(p);
	l->launches++;
	l->name = PRODUCTS == 3 ? "attention_efficient_3xtf32" : "attention_efficient_tf32";
	return cudaGetLastError();
}

struct shape {
	const char *name;
	int dim, products, rows;
	size_t bytes; /* of shared memory */
	int (*launch)(const struct sb_attention_args *a, struct sb_cuda_launch *l);
};

/* DIM, MT, WARPS, KEYS, SUB, PRODUCTS */
#define SHAPE(dim, mt, warps, keys, sub, products)                                                                  \
	{                                                                                                           \
#dim " x" #mt " " #warps "w " #keys "/" #sub " " #products "p", dim, products, 16 * mt *warps,      \
		        sizeof(float) * shared_floats < dim, mt, warps, keys, products>(), launch < dim, mt, warps, \
		        keys, sub, products>                                                                        \
	}

/*
 * Of each dim and number of products: large blocks first, the last for few or short sequences. The last fits into the
 * 99 KiB of shared memory that a block has on 8.6 and 8.9; 8.0 has 163, 9.0 227.
 */
static const struct shape shapes[] = {
	SHAPE(16, 2, 4, 64, 32, 1),
	SHAPE(16, 1, 4, 64, 32, 1),
	SHAPE(16, 2, 4, 64, 32, 3),
	SHAPE(16, 1, 4, 64, 32, 3),
	SHAPE(32, 2, 4, 64, 32, 1),
	SHAPE(32, 1, 4, 64, 32, 1),
	SHAPE(32, 2, 4, 64, 32, 3),
	SHAPE(32, 1, 4, 64, 32, 3),
	SHAPE(48, 2, 4, 64, 32, 1),
	SHAPE(48, 1, 4, 64, 32, 1),
	SHAPE(48, 2, 4, 64, 32, 3),
	SHAPE(48, 1, 4, 64, 32, 3),
	SHAPE(64, 2, 4, 64, 32, 1),
	SHAPE(64, 1, 4, 64, 32, 1),
	SHAPE(64, 2, 4, 32, 32, 3),
	SHAPE(64, 1, 4, 32, 32, 3),
	SHAPE(128, 1, 8, 32, 32, 1),
	SHAPE(128, 1, 4, 32, 32, 1),
	SHAPE(128, 1, 8, 32, 32, 3),
	SHAPE(128, 1, 4, 32, 32, 3),
	SHAPE(128, 1, 4, 16, 16, 3),
};
constexpr int kShapes = sizeof(shapes) / sizeof(shapes[0]);

/* For timing, never chosen. */
static const struct shape others[] = {
#ifdef SB_ATTENTION_ALL_SHAPES
	SHAPE(64, 2, 8, 64, 32, 1),
	SHAPE(64, 2, 4, 32, 32, 1),
	SHAPE(64, 2, 8, 32, 32, 1),
	SHAPE(64, 2, 8, 128, 32, 1),
	SHAPE(64, 2, 8, 64, 64, 1),
	SHAPE(64, 2, 4, 32, 16, 3),
	SHAPE(64, 2, 8, 32, 16, 3),
	SHAPE(64, 2, 8, 64, 16, 3),
#endif
	{},
};

static const struct shape *shape_at(int i)
{
	const struct shape *s = i < kShapes ? &shapes[i] : &others[i - kShapes];

	return s->name ? s : NULL;
}

static bool supported(const struct shape *s, const struct sb_attention_args *a, const struct sb_cuda_launch *l)
{
	return s->dim == a->dim && (s->products == 1) == (l->tf32 != 0);
}

const char *sb_attention_efficient_cuda_shape(int i)
{
	return shape_at(i) ? shape_at(i)->name : NULL;
}

int sb_attention_efficient_cuda_as(int shape, const struct sb_attention_args *a, struct sb_cuda_launch *l)
{
	return supported(shape_at(shape), a, l) ? shape_at(shape)->launch(a, l) : cudaErrorInvalidValue;
}

/* Large blocks only where they fit, are full and there are two for each multiprocessor. */
static bool worth_large(
        const struct shape *s, const struct sb_attention_args *a, const struct sb_cuda_launch *l, size_t bytes)
{
	const int64_t blocks = a->batch * a->heads * ((a->lq + s->rows - 1) / s->rows);

	return s->bytes <= bytes && a->lq > s->rows / 2 && blocks >= 2 * (int64_t)l->sms;
}

int sb_attention_efficient_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l)
{
	const struct shape *best = NULL;
	int ordinal = 0, bytes = 0;
	cudaError_t error = cudaGetDevice(&ordinal);

	if (error == cudaSuccess)
		error = cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, ordinal);
	if (error != cudaSuccess)
		return error;
	for (int i = 0; i < kShapes; i++) {
		if (!supported(&shapes[i], a, l))
			continue;
		best = &shapes[i];
		if (worth_large(best, a, l, (size_t)bytes))
			break;
	}
	return best ? best->launch(a, l) : cudaErrorInvalidValue;
}
