/*
 * attention on the CPU. In both versions a task is a tile of queries of one (batch, head) and one thread does all of
 * it, in an order that follows from the shape alone: results do not depend on the number of threads. standard
 * multiplies with sgemm, single-threaded inside the parallel region (OpenBLAS's OpenMP build sees to that); efficient
 * has its own product (attention_cpu_tile.h), for which nothing is packed again and again: with sgemm on tiles it took
 * 0.86 of standard's time, this way 0.5 (AVX-512) or 0.9 (AVX2). 6 heads x 64, 2082 tokens, 2 threads, Zen 5.
 */
#include "attention.h"

#include <cblas.h>
#include <float.h>
#include <stdbool.h>

#include "attention_internal.h"
#include "cpu_loop.h"
#include "cpu_math.h"
#include "linear.h"

/* standard: rows of scores a task. 256 rows of queries pay for packing the keys anew (linear_cpu.c). */
#define ROWS 256

/*
 * efficient: queries and keys of a tile. Scores exist for a GROUP of queries at a time: with 128 keys they are 16 KiB
 * and stay in L1 with the group's queries and sums, while keys and values (32 KiB each at dim 64) come from L2, where
 * they serve all groups of the tile. 64 keys or 64 queries: the same time within noise.
 */
#define BQ    128
#define BK    128
#define GROUP 32

/* Sums run in a fixed number of lanes, so that they vectorise and depend neither on alignment nor on vector width. */
#define LANES 32

/* Is it worth waking the other threads? */
static bool is_large(const struct sb_attention_args *a)
{
	return a->batch * a->heads * a->lq * a->lk * a->dim >= SB_BLAS_SERIAL;
}

static int64_t offset(const struct sb_attention_strides *s, int64_t bh, int64_t heads, int64_t row)
{
	return bh / heads * s->batch + bh % heads * s->head + row * s->row;
}

SB_INLINE float row_max(const float *s, int64_t n)
{
	float lane[LANES], max;
	int64_t i = 0;

	for (int l = 0; l < LANES; l++)
		lane[l] = -FLT_MAX;
	for (; i + LANES <= n; i += LANES)
		for (int l = 0; l < LANES; l++)
			lane[l] = sb_maxf(s[i + l], lane[l]);
	for (int l = 0; i + l < n; l++)
		lane[l] = sb_maxf(s[i + l], lane[l]);
	max = lane[0];
	for (int l = 1; l < LANES; l++)
		max = sb_maxf(lane[l], max);
	return max;
}

/* p = e^(s - max), returns their sum. s may be p. */
SB_INLINE float row_exp(const float *s, float *p, int64_t n, float max)
{
	float lane[LANES], tail[LANES], sum = 0.0f;
	int64_t i = 0;

	for (int l = 0; l < LANES; l++)
		lane[l] = 0.0f;
	for (; i + LANES <= n; i += LANES) {
#pragma omp simd
		for (int l = 0; l < LANES; l++) {
			float e = sb_exp_negf(s[i + l] - max);

			p[i + l] = e;
			lane[l] += e;
		}
	}
	/* Padded rather than short, so that the tail takes no scalar loop. */
	for (int l = 0; l < LANES; l++)
		tail[l] = i + l < n ? s[i + l] : max;
	for (int l = 0; l < LANES; l++)
		tail[l] = sb_exp_negf(tail[l] - max);
	for (int l = 0; i + l < n; l++) {
		p[i + l] = tail[l];
		lane[l] += tail[l];
	}
	for (int half = LANES / 2; half > 0; half /= 2)
		for (int l = 0; l < half; l++)
			lane[l] += lane[l + half];
	sum = lane[0];
	return sum;
}

SB_HOT static void softmax_rows(const float *s, float *p, int64_t rows, int64_t n, int tf32)
{
	for (int64_t r = 0; r < rows; r++) {
		const float *sr = s + r * n;
		float *pr = p + r * n;
		float scale = 1.0f / row_exp(sr, pr, n, row_max(sr, n));

		if (tf32) {
#pragma omp simd
			for (int64_t i = 0; i < n; i++)
				pr[i] = sb_tf32f(pr[i] * scale);
		} else {
#pragma omp simd
			for (int64_t i = 0; i < n; i++)
				pr[i] *= scale;
		}
	}
}

/* ---- standard ------------------------------------------------------------------------------------------------ */

/* Operands of the products: the caller's, or their rounded copies, dense [batch, heads, length, dim]. */
struct operands {
	const float *q, *k, *v;
	struct sb_attention_strides qs, ks, vs;
};

static struct sb_attention_strides dense(int64_t heads, int64_t length, int64_t dim)
{
	return (struct sb_attention_strides){ heads * length * dim, length * dim, dim };
}

static const float *round_copy(const struct sb_attention_args *a, const float *src,
        struct sb_attention_strides *strides, int64_t length, float *dst)
{
	struct sb_attention_strides from = *strides;

	*strides = dense(a->heads, length, a->dim);
	SB_PARALLEL_FOR(static, is_large(a), bh, a->batch * a->heads,
	        sb_tf32_round_rows_cpu(
	                src + offset(&from, bh, a->heads, 0), from.row, dst + bh * length * a->dim, length, a->dim));
	return dst;
}

static struct operands rounded_operands(const struct sb_attention_args *a, float *rest)
{
	struct operands o = { a->q, a->k, a->v, a->qs, a->ks, a->vs };
	int64_t per_token = a->batch * a->heads * a->dim;

	if (!a->tf32)
		return o;
	o.q = round_copy(a, a->q, &o.qs, a->lq, rest);
	o.k = round_copy(a, a->k, &o.ks, a->lk, rest + per_token * a->lq);
	o.v = round_copy(a, a->v, &o.vs, a->lk, rest + per_token * (a->lq + a->lk));
	return o;
}

size_t sb_attention_standard_cpu_rest(const struct sb_attention_args *a)
{
	return a->tf32 ? (size_t)(a->batch * a->heads * a->dim * (a->lq + 2 * a->lk)) * sizeof(float) : 0;
}

/* Scores of the rows of task t: tile t % tiles of (batch, head) t / tiles. */
static void score_rows(const struct sb_attention_args *a, const struct operands *x, int64_t t, float *s)
{
	int64_t tiles = sb_pieces(a->lq, ROWS), bh = t / tiles, r0 = t % tiles * ROWS, n = sb_min64(ROWS, a->lq - r0);

	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n, (blasint)a->lk, a->dim, a->scale,
	        x->q + offset(&x->qs, bh, a->heads, r0), (blasint)x->qs.row, x->k + offset(&x->ks, bh, a->heads, 0),
	        (blasint)x->ks.row, 0.0f, s + (bh * a->lq + r0) * a->lk, (blasint)a->lk);
}

/* Outputs of the same rows. */
static void weigh_rows(const struct sb_attention_args *a, const struct operands *x, int64_t t, const float *p)
{
	int64_t tiles = sb_pieces(a->lq, ROWS), bh = t / tiles, r0 = t % tiles * ROWS, n = sb_min64(ROWS, a->lq - r0);

	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)n, a->dim, (blasint)a->lk, 1.0f,
	        p + (bh * a->lq + r0) * a->lk, (blasint)a->lk, x->v + offset(&x->vs, bh, a->heads, 0),
	        (blasint)x->vs.row, 0.0f, a->o + offset(&a->os, bh, a->heads, r0), (blasint)a->os.row);
}

void sb_attention_standard_cpu(const struct sb_attention_args *a, float *s, float *p, void *rest)
{
	struct operands x = rounded_operands(a, rest);
	int64_t tasks = a->batch * a->heads * sb_pieces(a->lq, ROWS), rows = a->batch * a->heads * a->lq;
	bool parallel = is_large(a);

	/* Three loops, each over everything: the scores, all of them, exist before softmax reads the first. */
	SB_PARALLEL_FOR(dynamic, parallel, t, tasks, score_rows(a, &x, t, s));
	SB_PARALLEL_FOR(dynamic, parallel, t, sb_pieces(rows, ROWS),
	        softmax_rows(
	                s + t * ROWS * a->lk, p + t * ROWS * a->lk, sb_min64(ROWS, rows - t * ROWS), a->lk, a->tf32));
	SB_PARALLEL_FOR(dynamic, parallel, t, tasks, weigh_rows(a, &x, t, p));
}

/* ---- efficient ----------------------------------------------------------------------------------------------- */

/*
 * What a thread holds. A query is a column everywhere, so that softmax runs down the columns, with one maximum and one
 * sum a lane and nothing to add up across lanes; keys and values are used where they lie, one element at a time.
 */
struct tile {
	float *q;   /* [dim, BQ] */
	float *acc; /* [dim, BQ]: sum of p v so far */
	float *max; /* [BQ]: largest score so far */
	float *sum; /* [BQ]: sum of p so far */
	float *p;   /* [BK, GROUP]: scores, then their exponentials */
	float *k;   /* [BK, dim]: rounded copies, tf32 only */
	float *v;
};

/* Keys and values of a tile: the caller's, or the rounded copies. */
struct keys {
	const float *k, *v;
	int64_t ldk, ldv, n;
};

/* One step of the online softmax: queries group .. group + GROUP - 1 of the tile against `x`. */
typedef void (*step_fn)(const struct sb_attention_args *a, const struct tile *t, int64_t group, const struct keys *x);

/*
 * The same step for the instruction sets. Registers bound the block of the product: ROWS x VECS sums, VECS operands and
 * a broadcast fit 32 registers of AVX-512 (8 x 2; 12 x 2 is 5 % slower, 12 x 1 40 %) and 16 of AVX2 and SSE2 (6 x 2).
 */
#if defined(__GNUC__) && defined(__x86_64__)
#define TILE_STEP   step_avx512
#define TILE_TARGET __attribute__((target("arch=x86-64-v4")))
#define TILE_LANES  16
#define TILE_ROWS   8
#include "attention_cpu_tile.h"

#define TILE_STEP   step_avx2
#define TILE_TARGET __attribute__((target("arch=x86-64-v3")))
#define TILE_LANES  8
#define TILE_ROWS   6
#include "attention_cpu_tile.h"

static int has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl");
}

static int has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}
#endif

#define TILE_STEP step_plain
#define TILE_TARGET
#define TILE_LANES 4
#define TILE_ROWS  6
#include "attention_cpu_tile.h"

static int has_plain(void)
{
	return 1;
}

static const struct {
	const char *name;
	int (*supported)(void);
	step_fn step;
} versions[] = {
#if defined(__GNUC__) && defined(__x86_64__)
	{ "avx512", has_avx512, step_avx512 },
	{ "avx2", has_avx2, step_avx2 },
#endif
	{ "plain", has_plain, step_plain },
};

static step_fn version_at(int i)
{
	for (size_t v = 0; v < sizeof(versions) / sizeof(versions[0]); v++)
		if (versions[v].supported() && i-- == 0)
			return versions[v].step;
	return NULL;
}

const char *sb_attention_efficient_cpu_version(int i)
{
	step_fn step = version_at(i);

	for (size_t v = 0; v < sizeof(versions) / sizeof(versions[0]); v++)
		if (versions[v].step == step)
			return versions[v].name;
	return NULL;
}

static int64_t tile_floats(const struct sb_attention_args *a)
{
	int64_t floats = 2 * BQ * a->dim + 2 * BQ + BK * GROUP;

	return a->tf32 ? floats + 2 * BK * a->dim : floats;
}

static struct tile tile_at(const struct sb_attention_args *a, float *at)
{
	struct tile t = { .q = at };

	t.acc = t.q + BQ * a->dim;
	t.max = t.acc + BQ * a->dim;
	t.sum = t.max + BQ;
	t.p = t.sum + BQ;
	t.k = t.p + BK * GROUP;
	t.v = t.k + BK * a->dim;
	return t;
}

/* Queries to columns. Columns without a query are computed like the others, from zeros, and not written. */
static void begin(
        const struct sb_attention_args *a, const struct tile *t, const float *q, int64_t rows, int64_t columns)
{
	for (int64_t i = 0; i < columns; i++) {
		for (int d = 0; d < a->dim; d++) {
			float x = i < rows ? q[i * a->qs.row + d] : 0.0f;

			t->q[d * BQ + i] = a->tf32 ? sb_tf32f(x) : x;
			t->acc[d * BQ + i] = 0.0f;
		}
		t->max[i] = -FLT_MAX;
		t->sum[i] = 0.0f;
	}
}

static void end(const struct sb_attention_args *a, const struct tile *t, float *o, int64_t rows)
{
	for (int64_t i = 0; i < rows; i++) {
		float scale = 1.0f / t->sum[i];

		for (int d = 0; d < a->dim; d++)
			o[i * a->os.row + d] = t->acc[d * BQ + i] * scale;
	}
}

static struct keys keys_at(const struct sb_attention_args *a, const struct tile *t, int64_t bh, int64_t k0)
{
	struct keys x = { .n = sb_min64(BK, a->lk - k0), .ldk = a->ks.row, .ldv = a->vs.row };

	x.k = a->k + offset(&a->ks, bh, a->heads, k0);
	x.v = a->v + offset(&a->vs, bh, a->heads, k0);
	if (a->tf32) {
		sb_tf32_round_rows_cpu(x.k, x.ldk, t->k, x.n, a->dim);
		sb_tf32_round_rows_cpu(x.v, x.ldv, t->v, x.n, a->dim);
		x = (struct keys){ .k = t->k, .v = t->v, .ldk = a->dim, .ldv = a->dim, .n = x.n };
	}
	return x;
}

static void do_queries(const struct sb_attention_args *a, const struct tile *t, step_fn step, int64_t bh, int64_t q0)
{
	int64_t rows = sb_min64(BQ, a->lq - q0), columns = (rows + GROUP - 1) / GROUP * GROUP;

	begin(a, t, a->q + offset(&a->qs, bh, a->heads, q0), rows, columns);
	for (int64_t k0 = 0; k0 < a->lk; k0 += BK) {
		struct keys x = keys_at(a, t, bh, k0);

		for (int64_t group = 0; group < columns; group += GROUP)
			step(a, t, group, &x);
	}
	end(a, t, a->o + offset(&a->os, bh, a->heads, q0), rows);
}

size_t sb_attention_efficient_cpu_workspace(const struct sb_attention_args *a)
{
	return (size_t)tile_floats(a) * sizeof(float) * (size_t)omp_get_max_threads();
}

static void efficient_task(const struct sb_attention_args *a, step_fn step, int64_t task, float *workspace)
{
	int64_t tiles = sb_pieces(a->lq, BQ);
	struct tile t = tile_at(a, workspace + tile_floats(a) * omp_get_thread_num());

	do_queries(a, &t, step, task / tiles, task % tiles * BQ);
}

void sb_attention_efficient_cpu_as(int version, const struct sb_attention_args *a, void *workspace)
{
	step_fn step = version_at(version);

	SB_PARALLEL_FOR(dynamic, is_large(a), i, a->batch * a->heads * sb_pieces(a->lq, BQ),
	        efficient_task(a, step, i, workspace));
}

void sb_attention_efficient_cpu(const struct sb_attention_args *a, void *workspace)
{
	sb_attention_efficient_cpu_as(0, a, workspace);
}
