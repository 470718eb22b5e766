/*
 * attention, efficient: online softmax over tiles of keys on mma.sync, any device from 8.0 on. A wgmma version for
 * Hopper would stand beside this file and be picked in attention.cu.
 *
 * A block takes 16 MT WARPS queries of one (batch, head) and walks over the keys in tiles of KEYS, which cp.async
 * brings to shared memory one tile ahead; a warp takes 16 MT queries against SUB keys at a time, so that the scores
 * stay in registers. MT = 2 halves the reads of shared memory per product: with 16 queries a warp they take longer than
 * the products. Rows are padded so that no read of a fragment meets itself in a bank: keys to 16 words modulo 32 (two
 * rows of 16 words a quarter warp), values to 4 (four rows 2t of 8 words, a half warp).
 *
 * One product:    queries rounded in registers, keys and values as they are read. Sums stay in the tensor cores for
 *                 kFlush keys and are then added to totals in shared memory: over 25,008 values of one sign, what the
 *                 tensor cores truncate would be 20 times what TF32 loses.
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
#include "attention_pipe.cuh"

/* Weights reach at most 2^8 this way: far from overflow in sums of 2^31 of them. */
constexpr float kSlack = 8.0f;
constexpr int kFlush = 512;

struct problem {
	const float *q, *k, *v;
	float *o;
	struct sb_attention_strides qs, ks, vs, os;
	int lq, lk;
	unsigned heads;
	unsigned tiles; /* blocks for each (batch, head) */
	int warps;      /* of them with queries in a block, at most */
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

/* At the start of shared memory: what is needed once a tile and not worth registers. */
struct head {
	const float *k, *v; /* of this (batch, head) */
};

constexpr int kHeadFloats = sizeof(struct head) / sizeof(float);

/* Shared memory of a block, in floats: the head, two stages of keys and values, the split queries or the totals. */
template <int DIM, int MT, int WARPS, int KEYS, int PRODUCTS> static constexpr __host__ __device__ int shared_floats()
{
	return kHeadFloats + 2 * KEYS * (key_stride(DIM) + value_stride(DIM)) +
	       (PRODUCTS == 3 ? 2 : 1) * 16 * MT * WARPS * DIM;
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

/* This thread's totals of tile i, n: 4 floats for each. */
template <int DIM, int MT> static __device__ __forceinline__ float4 *total(float *own, int i, int n)
{
	const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;

	return (float4 *)own + ((warp * (DIM / 16) + i) * 2 * MT + n) * kWarp + lane;
}

/* Add what was summed to the totals, or make it the totals, and start from zero. */
template <int DIM, int MT>
static __device__ __forceinline__ void flush(float o[DIM / 16][2 * MT][4], float *own, bool first)
{
#pragma unroll
	for (int i = 0; i < DIM / 16; i++) {
#pragma unroll
		for (int n = 0; n < 2 * MT; n++) {
			float4 *at = total<DIM, MT>(own, i, n), x = make_float4(0.0f, 0.0f, 0.0f, 0.0f);

			if (!first)
				x = *at;
			*at = make_float4(x.x + o[i][n][0], x.y + o[i][n][1], x.z + o[i][n][2], x.w + o[i][n][3]);
#pragma unroll
			for (int e = 0; e < 4; e++)
				o[i][n][e] = 0.0f;
		}
	}
}

/* What was summed and the totals together. */
template <int DIM, int MT> static __device__ __forceinline__ void recall(float o[DIM / 16][2 * MT][4], float *own)
{
#pragma unroll
	for (int i = 0; i < DIM / 16; i++) {
#pragma unroll
		for (int n = 0; n < 2 * MT; n++) {
			const float4 x = *total<DIM, MT>(own, i, n);

			o[i][n][0] += x.x;
			o[i][n][1] += x.y;
			o[i][n][2] += x.z;
			o[i][n][3] += x.w;
		}
	}
}

/*
 * Raise the maxima to the largest score of each row and scale down what was summed with the old ones, totals included
 * where there are any.
 */
template <int DIM, int MT, int TILES>
static __device__ __forceinline__ void raise(
        const float s[MT][TILES][4], running<MT> *r, float o[DIM / 16][2 * MT][4], float c, float *totals)
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
			if (totals) {
				float4 *at = total<DIM, MT>(totals, i, n), x = *at;

				*at = make_float4(x.x * f.x, x.y * f.y, x.z * f.x, x.w * f.y);
			}
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

/* o += v^T p^T for SUB keys. Of one product all sums advance side by side, because each waits for its own last one. */
template <int DIM, int MT, int SUB>
static __device__ __forceinline__ void weigh_one(
        const float s[MT][SUB / 8][4], const struct rows *v, float o[DIM / 16][2 * MT][4])
{
#pragma unroll
	for (int j = 0; j < SUB / 8; j++) {
		uint32_t b[2 * MT][2];

#pragma unroll
		for (int i = 0; i < 4 * MT; i++)
			b[i / 2][i % 2] = tf32(s[i / 4][j][i % 4]);
#pragma unroll
		for (int i = 0; i < DIM / 16; i++) {
			uint32_t a[4];

			value_step_load(a, v, 8 * j, 16 * i);
#pragma unroll
			for (int n = 0; n < 2 * MT; n++)
				mma(o[i][n], a, b[n][0], b[n][1]);
		}
	}
}

/* The same of three products, 16 keys at a time: split weights of so many are enough. */
template <int DIM, int MT, int SUB>
static __device__ __forceinline__ void weigh_three(
        const float s[MT][SUB / 8][4], const struct rows *v, float o[DIM / 16][2 * MT][4])
{
#pragma unroll
	for (int j = 0; j < SUB / 8; j += 2) {
		right<3> b[2 * MT];

#pragma unroll
		for (int n = 0; n < 2 * MT; n++) {
			const float *x = s[n / 2][j] + n % 2 * 2, *y = s[n / 2][j + 1] + n % 2 * 2;

			b[n] = right_of_weights<3>(x[0], x[1], y[0], y[1]);
		}
#pragma unroll
		for (int i = 0; i < DIM / 16; i++) {
			const value_rows x = value_rows_load(v, 8 * j, 16 * i);

			values<2 * MT, 3>(o[i], b, &x);
		}
	}
}

/* Scores of this warp's queries against SUB keys. */
template <int DIM, int MT, int SUB, int PRODUCTS>
static __device__ __forceinline__ void score(
        float s[MT][SUB / 8][4], const queries<DIM, MT, PRODUCTS> *q, const struct rows *k)
{
#pragma unroll
	for (int i = 0; i < MT * SUB / 2; i++)
		s[i / (SUB / 2)][i / 4 % (SUB / 8)][i % 4] = 0.0f;
#pragma unroll
	for (int chunk = 0; chunk < DIM / 16; chunk++) {
		left<PRODUCTS> a[MT];
		float4 x[SUB / 8];

		queries_get<DIM, MT, PRODUCTS>(q, chunk, a);
		key_rows_load<SUB / 8>(x, k, 16 * chunk);
		scores<MT, SUB / 8, PRODUCTS>(s, a, x);
	}
}

/* One step of the online softmax: this warp's queries against SUB keys in shared memory, of which `valid` exist. */
template <int DIM, int MT, int SUB, int PRODUCTS>
static __device__ __forceinline__ void step(const queries<DIM, MT, PRODUCTS> *q, const float *k, const float *v,
        int valid, float c, running<MT> *r, float o[DIM / 16][2 * MT][4], float *totals)
{
	const struct rows kr = { k, key_stride(DIM), SUB, true }, vr = { v, value_stride(DIM), SUB, true };
	float s[MT][SUB / 8][4];

	score<DIM, MT, SUB, PRODUCTS>(s, q, &kr);
	if (valid < SUB)
		mask<MT, SUB / 8>(s, valid);
	if (__any_sync(kAllLanes, exceeds<MT, SUB / 8>(s, r, c)))
		raise<DIM, MT, SUB / 8>(s, r, o, c, totals);
	exponentials<MT, SUB / 8>(s, r, c);
	if constexpr (PRODUCTS == 1)
		weigh_one<DIM, MT, SUB>(s, &vr, o);
	else
		weigh_three<DIM, MT, SUB>(s, &vr, o);
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

/* Warps a multiprocessor, which bound the registers: 8 leave a thread 255 of them, 12 leave 168. */
static constexpr int warps_wanted(int dim, int mt)
{
	return mt == 2 || dim > 64 ? 8 : 12;
}

template <int DIM, int WARPS, int KEYS>
static __device__ __forceinline__ void fetch_tile(const struct problem *p, const struct head *h, float *to, int key)
{
	constexpr int kThreads = WARPS * kWarp, kKeyStride = key_stride(DIM), kValueStride = value_stride(DIM);

	fetch<DIM, KEYS, kThreads, kKeyStride>(to, h->k + key * p->ks.row, p->ks.row, p->lk - key, p->k_wide);
	fetch<DIM, KEYS, kThreads, kValueStride>(
	        to + KEYS * kKeyStride, h->v + key * p->vs.row, p->vs.row, p->lk - key, p->v_wide);
}

/* Over all keys. An idle warp has no queries and only fetches. `own`: room for totals. True if there are any. */
template <int DIM, int MT, int WARPS, int KEYS, int SUB, int PRODUCTS>
static __device__ __forceinline__ bool walk(const struct problem *p, const struct head *h, float *stages, bool idle,
        const queries<DIM, MT, PRODUCTS> *q, running<MT> *r, float o[DIM / 16][2 * MT][4], float *own)
{
	constexpr int kKeyStride = key_stride(DIM), kValueStride = value_stride(DIM);
	constexpr int kStage = KEYS * (kKeyStride + kValueStride);
	float *totals = NULL;

	static_assert(kFlush % KEYS == 0, "totals are added to between tiles");
#pragma unroll 1
	for (int key = 0, stage = 0; key < p->lk; key += KEYS, stage ^= 1) {
		const float *k = stages + stage * kStage, *v = k + KEYS * kKeyStride;

		copies_wait();
		/* This tile is there for all, and nobody reads the one before any more. */
		__syncthreads();
		if (key + KEYS < p->lk)
			fetch_tile<DIM, WARPS, KEYS>(p, h, stages + (stage ^ 1) * kStage, key + KEYS);
		if (idle)
			continue;
		if (PRODUCTS == 1 && key && key % kFlush == 0) {
			flush<DIM, MT>(o, own, !totals);
			totals = own;
		}
#pragma unroll 1
		for (int sub = 0; sub < KEYS && key + sub < p->lk; sub += SUB)
			step<DIM, MT, SUB, PRODUCTS>(
			        q, k + sub * kKeyStride, v + sub * kValueStride, p->lk - key - sub, p->c, r, o, totals);
	}
	return totals;
}

template <int DIM, int MT, int WARPS, int KEYS, int SUB, int PRODUCTS>
static __global__ void __launch_bounds__(WARPS *kWarp, warps_wanted(DIM, MT) / WARPS)
        attention_efficient(const struct problem p)
{
	extern __shared__ __align__(16) float shared[];
	struct head *h = (struct head *)shared;
	float *stages = shared + kHeadFloats, *own = stages + 2 * KEYS * (key_stride(DIM) + value_stride(DIM));
	const unsigned bh = blockIdx.x / p.tiles, batch = bh / p.heads, head = bh % p.heads;
	const int warp = threadIdx.x / kWarp, row0 = ((int)(blockIdx.x % p.tiles) * p.warps + warp) * 16 * MT;
	const bool idle = warp >= p.warps || row0 >= p.lq; /* no query for this warp: it only fetches */
	queries<DIM, MT, PRODUCTS> q;
	running<MT> r;
	float o[DIM / 16][2 * MT][4];

	if (threadIdx.x == 0) {
		h->k = p.k + batch * p.ks.batch + head * p.ks.head;
		h->v = p.v + batch * p.vs.batch + head * p.vs.head;
	}
	__syncthreads();
	fetch_tile<DIM, WARPS, KEYS>(&p, h, stages, 0);
	queries_load<DIM, MT, PRODUCTS>(&q, &p, p.q + batch * p.qs.batch + head * p.qs.head, row0, (uint4 *)own);
#pragma unroll
	for (int n = 0; n < 2 * MT; n++) {
		r.max[n / 2][n % 2] = -FLT_MAX;
		r.sum[n / 2][n % 2] = 0.0f;
#pragma unroll
		for (int i = 0; i < DIM / 4; i++)
			o[i / 4][n][i % 4] = 0.0f;
	}
	if (walk<DIM, MT, WARPS, KEYS, SUB, PRODUCTS>(&p, h, stages, idle, &q, &r, o, own))
		recall<DIM, MT>(o, own);
	if (!idle)
		finish<DIM, MT>(&p, p.o + batch * p.os.batch + head * p.os.head, row0, &r, o);
}

/* `rows` queries a warp. As many blocks as full ones would be, with as many queries each: few idle warps in the last.
 */
static struct problem problem_of(const struct sb_attention_args *a, int rows, int warps)
{
	const int64_t all = (a->lq + rows - 1) / rows, tiles = (all + warps - 1) / warps;
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
	p.heads = (unsigned)a->heads;
	p.tiles = (unsigned)tiles;
	p.warps = (int)((all + tiles - 1) / tiles);
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
	const struct problem p = problem_of(a, 16 * MT, WARPS);
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
	const char *name;                         /* DIM, MT, WARPS, KEYS, SUB, PRODUCTS */
	int speed, dim, products, rows, together; /* together: blocks a multiprocessor, by registers */
	size_t bytes;                             /* of shared memory */
	int (*launch)(const struct sb_attention_args *a, struct sb_cuda_launch *l);
};

template <int DIM, int MT, int WARPS, int KEYS, int SUB, int PRODUCTS>
static struct shape shape_of(int speed, const char *name)
{
	return { name, speed, DIM, PRODUCTS, 16 * MT * WARPS, warps_wanted(DIM, MT) / WARPS,
		sizeof(float) * shared_floats<DIM, MT, WARPS, KEYS, PRODUCTS>(),
		launch<DIM, MT, WARPS, KEYS, SUB, PRODUCTS> };
}

#define SHAPE(speed, ...) shape_of<__VA_ARGS__>(speed, #__VA_ARGS__)

/*
 * `speed` is TFLOP/s on an H200 where there is plenty to do, measured at 64 dims (NOTES.md) and guessed by them for the
 * others; only its ratios matter, for choosing. One of each dim and number of products fits into the 99 KiB of shared
 * memory that a block has on 8.6 and 8.9; 8.0 has 163, 9.0 227.
 */
static const struct shape shapes[] = {
	SHAPE(100, 16, 2, 4, 64, 32, 1),
	SHAPE(75, 16, 1, 4, 64, 32, 1),
	SHAPE(100, 16, 2, 4, 64, 32, 3),
	SHAPE(85, 16, 1, 4, 64, 32, 3),
	SHAPE(100, 32, 2, 4, 64, 32, 1),
	SHAPE(75, 32, 1, 4, 64, 32, 1),
	SHAPE(100, 32, 2, 4, 64, 32, 3),
	SHAPE(85, 32, 1, 4, 64, 32, 3),
	SHAPE(100, 48, 2, 4, 64, 32, 1),
	SHAPE(75, 48, 1, 4, 64, 32, 1),
	SHAPE(100, 48, 2, 4, 64, 32, 3),
	SHAPE(85, 48, 1, 4, 64, 32, 3),
	SHAPE(177, 64, 2, 8, 128, 32, 1),
	SHAPE(166, 64, 2, 4, 32, 32, 1),
	SHAPE(113, 64, 1, 4, 64, 32, 1),
	SHAPE(70, 64, 2, 4, 32, 32, 3),
	SHAPE(58, 64, 1, 4, 32, 32, 3),
	SHAPE(100, 128, 1, 8, 32, 16, 1),
	SHAPE(95, 128, 1, 4, 32, 16, 1),
	SHAPE(85, 128, 1, 4, 16, 16, 1),
	SHAPE(100, 128, 1, 8, 32, 16, 3),
	SHAPE(90, 128, 1, 4, 32, 16, 3),
	SHAPE(80, 128, 1, 4, 16, 16, 3),
};
constexpr int kShapes = sizeof(shapes) / sizeof(shapes[0]);

/* For timing, never chosen. */
static const struct shape others[] = {
#ifdef SB_ATTENTION_ALL_SHAPES
	SHAPE(0, 64, 2, 8, 64, 32, 1),
	SHAPE(0, 64, 2, 4, 64, 32, 1),
	SHAPE(0, 64, 2, 4, 32, 16, 3),
	SHAPE(0, 48, 1, 4, 32, 32, 1),
	SHAPE(0, 48, 1, 4, 32, 32, 3),
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

/* What a shape would take, in a unit of its own: rounds of blocks times the queries of a round over the speed. */
static double cost(const struct shape *s, const struct sb_attention_args *a, const struct sb_cuda_launch *l, int room)
{
	const int by_room = (int)((size_t)room / (s->bytes + 1024)),
	          together = by_room < s->together ? by_room : s->together;
	const int64_t blocks = a->batch * a->heads * ((a->lq + s->rows - 1) / s->rows),
	              slots = (int64_t)l->sms * together;
	int64_t each;

	if (together == 0)
		return INFINITY;
	/* The last round need not fill every slot of a multiprocessor: then its blocks share it with fewer. */
	each = blocks / slots * together + (blocks % slots + l->sms - 1) / l->sms;
	return (double)each * s->rows / s->speed;
}

int sb_attention_efficient_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l)
{
	const struct shape *best = NULL;
	double least = INFINITY;
	int ordinal = 0, room = 0;
	cudaError_t error = cudaGetDevice(&ordinal);

	if (error == cudaSuccess)
		error = cudaDeviceGetAttribute(&room, cudaDevAttrMaxSharedMemoryPerMultiprocessor, ordinal);
	if (error != cudaSuccess)
		return error;
	for (int i = 0; i < kShapes; i++) {
		const double c = supported(&shapes[i], a, l) ? cost(&shapes[i], a, l, room) : INFINITY;

		if (c < least) {
			least = c;
			best = &shapes[i];
		}
	}
	return best ? best->launch(a, l) : cudaErrorInvalidValue;
}
