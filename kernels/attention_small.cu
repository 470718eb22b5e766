/*
 * attention for sequences of at most 64: thousands of (batch, head) pairs whose scores fit into registers. Everything
 * is bound by memory, so operands go from global memory straight to fragments: a row of 16 floats is 64 bytes, read
 * whole by four lanes. A warp takes 16 queries of one pair, all keys at once.
 *
 *   efficient  one kernel.
 *   standard   three: scores, softmax over rows (attention_standard.cu), weighted values; S and P go through memory as
 *              DESIGN says of this level. At fp32 the products are FFMA, no tensor cores: a thread computes 4 x 4.
 */
#include <cuda_runtime.h>

#include <float.h>
#include <math.h>

extern "C" {
#include "attention_cuda_internal.h"
}
#include "attention_mma.cuh"

/* Warps do not share anything; 4 a block fill a multiprocessor at any register count. */
constexpr int kWarps = 4;

struct problem {
	const float *q, *k, *v;
	float *o, *s, *p; /* s, p: standard only, dense [pairs, lq, lk] */
	struct sb_attention_strides qs, ks, vs, os;
	int lq, lk;
	unsigned heads, tiles, tasks; /* tiles of 16 queries a pair; warps, or threads of FFMA kernels, with work */
	float scale, c, sign;         /* c = |scale| log2(e), sign of scale */
	bool q_wide, k_wide, v_wide, o_wide;
};

/* What a warp works on. 32 bits, divisions of 64 would take longer than the rest; launch() sees to it that they do. */
struct task {
	unsigned batch, head, pair;
	int row0;
};

static __device__ __forceinline__ bool task_of_warp(const struct problem *p, struct task *t)
{
	const unsigned i = blockIdx.x * kWarps + threadIdx.x / kWarp;

	t->pair = i / p->tiles;
	t->row0 = (int)(i % p->tiles) * 16;
	t->batch = t->pair / p->heads;
	t->head = t->pair % p->heads;
	return i < p->tasks;
}

static __device__ __forceinline__ const float *part(
        const float *x, const struct sb_attention_strides *s, const struct task *t)
{
	return x + t->batch * s->batch + t->head * s->head;
}

/*
 * What a lane reads. Where it fits into registers all of it is asked for before anything is computed, a warp that waits
 * three times waits three times as long; otherwise 16 dims of queries and keys at a time, then the values.
 */
template <int DIM, int TILES> struct operands {
	static constexpr bool kWhole = DIM * TILES <= 256; /* 64 registers each of keys and of values at most */
	float4 lo[kWhole ? DIM / 16 : 1], hi[kWhole ? DIM / 16 : 1];
	float4 k[kWhole ? DIM / 16 : 1][TILES];
	value_rows v[kWhole ? TILES / 2 : 1][DIM / 16];
};

static __device__ __forceinline__ float4 query_load(const struct problem *p, const struct task *x, int row, int col)
{
	float4 a = load4(part(p->q, &p->qs, x) + row * p->qs.row + col, p->q_wide, row < p->lq);

	return make_float4(a.x * p->sign, a.y * p->sign, a.z * p->sign, a.w * p->sign);
}

static __device__ __forceinline__ struct rows keys_of(const struct problem *p, const struct task *x)
{
	return { part(p->k, &p->ks, x), p->ks.row, p->lk, p->k_wide };
}

static __device__ __forceinline__ struct rows values_of(const struct problem *p, const struct task *x)
{
	return { part(p->v, &p->vs, x), p->vs.row, p->lk, p->v_wide };
}

template <int DIM, int TILES>
static __device__ __forceinline__ void score_operands_load(
        operands<DIM, TILES> *a, int at, int chunk, const struct problem *p, const struct task *x)
{
	const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4, col = 16 * chunk + 4 * t;
	const struct rows k = keys_of(p, x);

	a->lo[at] = query_load(p, x, x->row0 + g, col);
	a->hi[at] = query_load(p, x, x->row0 + g + 8, col);
	key_rows_load<TILES>(a->k[at], &k, 16 * chunk);
}

template <int DIM, int TILES>
static __device__ __forceinline__ void scores_ahead(
        operands<DIM, TILES> *a, const struct problem *p, const struct task *x)
{
#pragma unroll
	for (int chunk = 0; a->kWhole && chunk < DIM / 16; chunk++)
		score_operands_load<DIM, TILES>(a, chunk, chunk, p, x);
}

template <int DIM, int TILES>
static __device__ __forceinline__ void values_ahead(
        operands<DIM, TILES> *a, const struct problem *p, const struct task *x)
{
	const struct rows v = values_of(p, x);

#pragma unroll
	for (int i = 0; a->kWhole && i < TILES / 2 * (DIM / 16); i++)
		a->v[i / (DIM / 16)][i % (DIM / 16)] =
		        value_rows_load(&v, 16 * (i / (DIM / 16)), 16 * (i % (DIM / 16)));
}

/* s = sign(scale) q k^T for 16 queries and all keys. */
template <int DIM, int TILES, int PRODUCTS>
static __device__ __forceinline__ void all_scores(
        const struct problem *p, const struct task *x, operands<DIM, TILES> *a, float s[1][TILES][4])
{
#pragma unroll
	for (int i = 0; i < 4 * TILES; i++)
		s[0][i / 4][i % 4] = 0.0f;
#pragma unroll
	for (int chunk = 0; chunk < DIM / 16; chunk++) {
		const int at = a->kWhole ? chunk : 0;

		if (!a->kWhole)
			score_operands_load<DIM, TILES>(a, 0, chunk, p, x);
		left<PRODUCTS> q = left_of_queries<PRODUCTS>(a->lo[at], a->hi[at]);

		scores<1, TILES, PRODUCTS>(s, &q, a->k[at]);
	}
}

template <int DIM, int TILES, int PRODUCTS>
static __device__ __forceinline__ void all_values(const struct problem *p, const struct task *x,
        operands<DIM, TILES> *a, const float s[1][TILES][4], const float factor[2])
{
	const struct rows v = values_of(p, x);
	float *out = p->o + x->batch * p->os.batch + x->head * p->os.head + x->row0 * p->os.row;
	float o[DIM / 16][2][4] = {};

#pragma unroll
	for (int pair = 0; pair < TILES / 2; pair++) {
		const float *p0 = s[0][2 * pair], *p1 = s[0][2 * pair + 1];
		right<PRODUCTS> b[2];

		if (16 * pair >= p->lk)
			break;
#pragma unroll
		for (int n = 0; n < 2; n++)
			b[n] = right_of_weights<PRODUCTS>(p0[2 * n], p0[2 * n + 1], p1[2 * n], p1[2 * n + 1]);
#pragma unroll
		for (int i = 0; i < DIM / 16; i++) {
			const value_rows y = a->kWhole ? a->v[pair][i] : value_rows_load(&v, 16 * pair, 16 * i);

			values<2, PRODUCTS>(o[i], b, &y);
		}
	}
#pragma unroll
	for (int n = 0; n < 2; n++)
		outputs<DIM, 2>(o, n, factors_of_outputs(factor[n]), out, p->os.row, p->lq - x->row0, p->o_wide);
}

template <int DIM, int TILES, int PRODUCTS>
static __global__ void __launch_bounds__(kWarps *kWarp) attention_efficient_small(const struct problem p)
{
	const int t = threadIdx.x % 4;
	float s[1][TILES][4], factor[2];
	struct task x;

	if (!task_of_warp(&p, &x))
		return;
	operands<DIM, TILES> a;

	scores_ahead(&a, &p, &x);
	values_ahead(&a, &p, &x);
	all_scores<DIM, TILES, PRODUCTS>(&p, &x, &a, s);
#pragma unroll
	for (int half = 0; half < 2; half++) {
		float max = -FLT_MAX, sum = 0.0f;

#pragma unroll
		for (int j = 0; j < TILES; j++)
#pragma unroll
			for (int i = 2 * half; i < 2 * half + 2; i++)
				if (8 * j + 2 * t + i % 2 < p.lk)
					max = fmaxf(max, s[0][j][i]);
		max = fmaxf(max, __shfl_xor_sync(kAllLanes, max, 1));
		max = fmaxf(max, __shfl_xor_sync(kAllLanes, max, 2)) * p.c;
#pragma unroll
		for (int j = 0; j < TILES; j++) {
#pragma unroll
			for (int i = 2 * half; i < 2 * half + 2; i++) {
				const bool valid = 8 * j + 2 * t + i % 2 < p.lk;

				s[0][j][i] = valid ? exp2_approx(fmaf(s[0][j][i], p.c, -max)) : 0.0f;
				sum += s[0][j][i];
			}
		}
		sum += __shfl_xor_sync(kAllLanes, sum, 1);
		sum += __shfl_xor_sync(kAllLanes, sum, 2);
		factor[half] = 1.0f / sum;
	}
	all_values<DIM, TILES, PRODUCTS>(&p, &x, &a, s, factor);
}

/* ---- standard ------------------------------------------------------------------------------------------------ */

/* S = scale q k^T, one TF32 product. */
template <int DIM, int TILES>
static __global__ void __launch_bounds__(kWarps *kWarp) attention_small_scores_tf32(const struct problem p)
{
	const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
	const float scale = p.scale * p.sign;
	float s[1][TILES][4];
	struct task x;

	if (!task_of_warp(&p, &x))
		return;
	operands<DIM, TILES> a;

	scores_ahead(&a, &p, &x);
	all_scores<DIM, TILES, 1>(&p, &x, &a, s);
#pragma unroll
	for (int half = 0; half < 2; half++) {
		const int row = x.row0 + g + 8 * half;
		float *to = p.s + ((int64_t)x.pair * p.lq + row) * p.lk;

#pragma unroll
		for (int j = 0; j < TILES; j++)
#pragma unroll
			for (int i = 0; i < 2; i++)
				if (row < p.lq && 8 * j + 2 * t + i < p.lk)
					to[8 * j + 2 * t + i] = scale * s[0][j][2 * half + i];
	}
}

/* o = P v, one TF32 product. */
template <int DIM, int TILES>
static __global__ void __launch_bounds__(kWarps *kWarp) attention_small_values_tf32(const struct problem p)
{
	const int lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
	const float factor[2] = { 1.0f, 1.0f };
	float s[1][TILES][4];
	struct task x;

	if (!task_of_warp(&p, &x))
		return;
	operands<DIM, TILES> a;

	values_ahead(&a, &p, &x);
#pragma unroll
	for (int half = 0; half < 2; half++) {
		const int row = x.row0 + g + 8 * half;
		const float *from = p.p + ((int64_t)x.pair * p.lq + row) * p.lk;

#pragma unroll
		for (int j = 0; j < TILES; j++)
#pragma unroll
			for (int i = 0; i < 2; i++)
				s[0][j][2 * half + i] =
				        row < p.lq && 8 * j + 2 * t + i < p.lk ? from[8 * j + 2 * t + i] : 0.0f;
	}
	all_values<DIM, TILES, 1>(&p, &x, &a, s, factor);
}

/* A block of 4 x 4 results of one pair, a thread each. */
struct block4 {
	unsigned batch, head, pair;
	int row, col;
};

static __device__ __forceinline__ bool block4_of_thread(const struct problem *p, int cols, struct block4 *x)
{
	const unsigned i = blockIdx.x * blockDim.x + threadIdx.x, across = (unsigned)(cols + 3) / 4;
	const unsigned each = across * ((unsigned)(p->lq + 3) / 4), at = i % each;

	x->pair = i / each;
	x->batch = x->pair / p->heads;
	x->head = x->pair % p->heads;
	x->row = (int)(at / across) * 4;
	x->col = (int)(at % across) * 4;
	return i < p->tasks;
}

/* c[i][j] += a[i] . b[j] */
static __device__ __forceinline__ void dot4(float c[4][4], const float4 a[4], const float4 b[4])
{
#pragma unroll
	for (int i = 0; i < 4; i++) {
#pragma unroll
		for (int j = 0; j < 4; j++) {
			c[i][j] = fmaf(a[i].x, b[j].x, c[i][j]);
			c[i][j] = fmaf(a[i].y, b[j].y, c[i][j]);
			c[i][j] = fmaf(a[i].z, b[j].z, c[i][j]);
			c[i][j] = fmaf(a[i].w, b[j].w, c[i][j]);
		}
	}
}

static __global__ void __launch_bounds__(128) attention_small_scores(const struct problem p, int dim)
{
	struct block4 x;
	float c[4][4] = {};

	if (!block4_of_thread(&p, p.lk, &x))
		return;
	const float *q = p.q + x.batch * p.qs.batch + x.head * p.qs.head;
	const float *k = p.k + x.batch * p.ks.batch + x.head * p.ks.head;
	float *s = p.s + (int64_t)x.pair * p.lq * p.lk;

	for (int d = 0; d < dim; d += 4) {
		float4 a[4], b[4];

#pragma unroll
		for (int i = 0; i < 4; i++) {
			a[i] = load4(q + (x.row + i) * p.qs.row + d, p.q_wide, x.row + i < p.lq);
			b[i] = load4(k + (x.col + i) * p.ks.row + d, p.k_wide, x.col + i < p.lk);
		}
		dot4(c, a, b);
	}
#pragma unroll
	for (int i = 0; i < 4; i++)
#pragma unroll
		for (int j = 0; j < 4; j++)
			if (x.row + i < p.lq && x.col + j < p.lk)
				s[(x.row + i) * p.lk + x.col + j] = p.scale * c[i][j];
}

static __global__ void __launch_bounds__(128) attention_small_values(const struct problem p, int dim)
{
	struct block4 x;
	float c[4][4] = {};

	if (!block4_of_thread(&p, dim, &x))
		return;
	const float *v = p.v + x.batch * p.vs.batch + x.head * p.vs.head + x.col;
	const float *w = p.p + (int64_t)x.pair * p.lq * p.lk;
	float *o = p.o + x.batch * p.os.batch + x.head * p.os.head + x.col;
	const bool w_wide = p.lk % 4 == 0;

	for (int key = 0; key < p.lk; key += 4) {
		float4 a[4], b[4], y[4];
		const float *yf = (const float *)y;

#pragma unroll
		for (int i = 0; i < 4; i++) {
			const bool row = x.row + i < p.lq;
			const float *at = w + (x.row + i) * p.lk + key;

			if (w_wide)
				a[i] = load4(at, true, row);
			else
				a[i] = make_float4(row ? at[0] : 0.0f, row && key + 1 < p.lk ? at[1] : 0.0f,
				        row && key + 2 < p.lk ? at[2] : 0.0f, row && key + 3 < p.lk ? at[3] : 0.0f);
			y[i] = load4(v + (key + i) * p.vs.row, p.v_wide, key + i < p.lk);
		}
#pragma unroll
		for (int j = 0; j < 4; j++)
			b[j] = make_float4(yf[j], yf[4 + j], yf[8 + j], yf[12 + j]);
		dot4(c, a, b);
	}
#pragma unroll
	for (int i = 0; i < 4; i++)
		if (x.row + i < p.lq)
			store4(o + (x.row + i) * p.os.row, make_float4(c[i][0], c[i][1], c[i][2], c[i][3]), p.o_wide);
}

/* ---- launching ----------------------------------------------------------------------------------------------- */

static struct problem problem_of(const struct sb_attention_args *a, float *s, float *w)
{
	struct problem p = {};

	p.q = a->q;
	p.k = a->k;
	p.v = a->v;
	p.o = a->o;
	p.s = s;
	p.p = w;
	p.qs = a->qs;
	p.ks = a->ks;
	p.vs = a->vs;
	p.os = a->os;
	p.lq = (int)a->lq;
	p.lk = (int)a->lk;
	p.heads = (unsigned)a->heads;
	p.tiles = (unsigned)(p.lq + 15) / 16;
	p.scale = a->scale;
	p.c = (float)(fabs((double)a->scale) * 1.4426950408889634);
	p.sign = a->scale < 0.0f ? -1.0f : 1.0f;
	p.q_wide = sb_attention_wide(a->q, &a->qs);
	p.k_wide = sb_attention_wide(a->k, &a->ks);
	p.v_wide = sb_attention_wide(a->v, &a->vs);
	p.o_wide = sb_attention_wide(a->o, &a->os);
	return p;
}

enum kernel { EFFICIENT_3X, EFFICIENT_1X, SCORES, VALUES, KERNELS };

typedef void (*kernel_fn)(const struct problem p);

/* The kernels of a dim that hold up to 16, 32 and 64 keys. */
#define LENGTHS(kernel, dim, ...)                                                                           \
	{                                                                                                   \
		kernel<dim, 2, ##__VA_ARGS__>, kernel<dim, 4, ##__VA_ARGS__>, kernel<dim, 8, ##__VA_ARGS__> \
	}
#define DIM(dim)                                                                                                     \
	{                                                                                                            \
		dim,                                                                                                 \
		{                                                                                                    \
			LENGTHS(attention_efficient_small, dim, 3), LENGTHS(attention_efficient_small, dim, 1),      \
			        LENGTHS(attention_small_scores_tf32, dim), LENGTHS(attention_small_values_tf32, dim) \
		}                                                                                                    \
	}

static const struct {
	int dim;
	kernel_fn kernel[KERNELS][3];
} dims[] = { DIM(16), DIM(32), DIM(48), DIM(64), DIM(128) };

/* `pairs` of `each` tasks, or more than 32 bits count? */
static bool set_tasks(struct problem *p, const struct sb_attention_args *a, int64_t each)
{
	const int64_t tasks = a->batch * a->heads * each;

	p->tasks = (unsigned)tasks;
	return tasks <= INT32_MAX;
}

static int launch(struct problem p, const struct sb_attention_args *a, enum kernel kernel, struct sb_cuda_launch *l)
{
	if (!set_tasks(&p, a, p.tiles))
		return cudaErrorInvalidValue;
	for (const auto &d : dims) {
		if (d.dim != a->dim)
			continue;
		d.kernel[kernel][p.lk <= 16   ? 0
		                 : p.lk <= 32 ? 1
		                              : 2]<<<(p.tasks + kWarps - 1) / kWarps, kWarps * kWarp, 0, l->stream>>>(
		        p);
		l->launches++;
		return cudaGetLastError();
	}
	return cudaErrorInvalidValue;
}

int sb_attention_small_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l)
{
	const struct problem p = problem_of(a, NULL, NULL);

	l->name = l->tf32 ? "attention_efficient_small_tf32" : "attention_efficient_small_3xtf32";
	return launch(p, a, l->tf32 ? EFFICIENT_1X : EFFICIENT_3X, l);
}

/* One of the two FFMA kernels. */
static int launch_plain(
        struct problem p, const struct sb_attention_args *a, enum kernel kernel, struct sb_cuda_launch *l)
{
	const int cols = kernel == VALUES ? a->dim : p.lk;
	unsigned blocks;

	if (a->dim % 4 || !set_tasks(&p, a, (int64_t)((p.lq + 3) / 4) * ((cols + 3) / 4)))
		return cudaErrorInvalidValue;
	blocks = (p.tasks + 127) / 128;
	if (kernel == VALUES)
		attention_small_values<<<blocks, 128, 0, l->stream>>>(p, a->dim);
	else
		attention_small_scores<<<blocks, 128, 0, l->stream>>>(p, a->dim);
	l->launches++;
	return cudaGetLastError();
}

int sb_attention_small_scores_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l, float *s)
{
	const struct problem p = problem_of(a, s, NULL);

	return l->tf32 ? launch(p, a, SCORES, l) : launch_plain(p, a, SCORES, l);
}

int sb_attention_small_values_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l, float *w)
{
	const struct problem p = problem_of(a, NULL, w);

	return l->tf32 ? launch(p, a, VALUES, l) : launch_plain(p, a, VALUES, l);
}
