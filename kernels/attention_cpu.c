/*
 * attention on the CPU. In both versions a task is a tile of queries of one (batch, head), its products are
 * single-threaded sgemm calls inside the parallel region (OpenBLAS's OpenMP build sees to that), and the tiling follows
 * from the shape alone: results do not depend on the number of threads.
 */
#include "attention.h"

#include <cblas.h>
#include <omp.h>
#include <stdbool.h>

#include "cpu_math.h"

/* standard: rows of scores a task. 256 rows of queries pay for packing the keys anew (linear_cpu.c). */
#define ROWS 256

/*
 * efficient: queries and keys of a tile. 128 x 240 scores, the accumulator and the operands stay in L2; with TF32
 * copies at dim 64, 8 threads hold 2.0 MB, just under 1 % of the two score buffers at 6 heads x 2082 tokens. Fewer
 * queries pack the keys too often (64: + 5 %), fewer keys rescale and call too often (128: + 5 %).
 */
#define BQ 128
#define BK 240

/* Sums run in a fixed number of lanes, so that they vectorise and depend neither on alignment nor on vector width. */
#define LANES 32

/* Whole problems smaller than this (multiply-adds of one product) are over before the other threads are awake. */
#define MIN_PARALLEL 65536

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static bool is_large(const struct sb_attention_args *a)
{
	return a->batch * a->heads * a->lq * a->lk * a->dim >= MIN_PARALLEL;
}

static int64_t offset(const struct sb_attention_strides *s, int64_t bh, int64_t heads, int64_t row)
{
	return bh / heads * s->batch + bh % heads * s->head + row * s->row;
}

SB_HOT static void round_rows(const float *src, int64_t ld_src, float *dst, int64_t rows, int64_t cols)
{
	for (int64_t r = 0; r < rows; r++) {
		const float *s = src + r * ld_src;
		float *d = dst + r * cols;

#pragma omp simd
		for (int64_t c = 0; c < cols; c++)
			d[c] = sb_tf32f(s[c]);
	}
}

SB_INLINE float row_max(const float *s, int64_t n)
{
	float lane[LANES], max;
	int64_t i = 0;

	for (int l = 0; l < LANES; l++)
		lane[l] = -3.402823466e38f;
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
#pragma omp parallel for schedule(static) if (is_large(a))
	for (int64_t bh = 0; bh < a->batch * a->heads; bh++)
		round_rows(src + offset(&from, bh, a->heads, 0), from.row, dst + bh * length * a->dim, length, a->dim);
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

void sb_attention_standard_cpu(const struct sb_attention_args *a, float *s, float *p, void *rest)
{
	struct operands x = rounded_operands(a, rest);
	int64_t tiles = (a->lq + ROWS - 1) / ROWS, tasks = a->batch * a->heads * tiles;
	int64_t rows = a->batch * a->heads * a->lq, row_tasks = (rows + ROWS - 1) / ROWS;
	bool parallel = is_large(a);

	/* Three loops, each over everything: the scores, all of them, exist before softmax reads the first. */
#pragma omp parallel for schedule(dynamic) if (parallel)
	for (int64_t t = 0; t < tasks; t++) {
		int64_t bh = t / tiles, r0 = t % tiles * ROWS, n = min64(ROWS, a->lq - r0);

		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n, (blasint)a->lk, a->dim, a->scale,
		        x.q + offset(&x.qs, bh, a->heads, r0), (blasint)x.qs.row, x.k + offset(&x.ks, bh, a->heads, 0),
		        (blasint)x.ks.row, 0.0f, s + (bh * a->lq + r0) * a->lk, (blasint)a->lk);
	}
#pragma omp parallel for schedule(dynamic) if (parallel)
	for (int64_t t = 0; t < row_tasks; t++)
		softmax_rows(s + t * ROWS * a->lk, p + t * ROWS * a->lk, min64(ROWS, rows - t * ROWS), a->lk, a->tf32);
#pragma omp parallel for schedule(dynamic) if (parallel)
	for (int64_t t = 0; t < tasks; t++) {
		int64_t bh = t / tiles, r0 = t % tiles * ROWS, n = min64(ROWS, a->lq - r0);

		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)n, a->dim, (blasint)a->lk, 1.0f,
		        p + (bh * a->lq + r0) * a->lk, (blasint)a->lk, x.v + offset(&x.vs, bh, a->heads, 0),
		        (blasint)x.vs.row, 0.0f, a->o + offset(&a->os, bh, a->heads, r0), (blasint)a->os.row);
	}
}

/* ---- efficient ----------------------------------------------------------------------------------------------- */

/* What a thread holds, in floats. k and v take turns in `kv`. */
struct tile {
	float *scores; /* [BQ, BK]: scores, then their exponentials */
	float *acc;    /* [BQ, dim]: sum of p v so far */
	float *max;    /* [BQ]: largest score so far */
	float *sum;    /* [BQ]: sum of p so far */
	float *q;      /* [BQ, dim], tf32 only */
	float *kv;     /* [BK, dim], tf32 only */
};

static int64_t tile_floats(const struct sb_attention_args *a)
{
	int64_t floats = BQ * BK + BQ * a->dim + 2 * BQ;

	return a->tf32 ? floats + (BQ + BK) * a->dim : floats;
}

static struct tile tile_at(const struct sb_attention_args *a, float *at)
{
	struct tile t = { .scores = at };

	t.acc = t.scores + BQ * BK;
	t.max = t.acc + BQ * a->dim;
	t.sum = t.max + BQ;
	t.q = t.sum + BQ;
	t.kv = t.q + BQ * a->dim;
	return t;
}

/*
 * Scores to exponentials, in place, and what was summed before to the new maximum. `first`: there is no before. The
 * sums are those of the unrounded p, as a kernel with tensor cores has them at hand; rounding to nearest has no bias.
 */
SB_HOT static void online_softmax(const struct tile *t, int64_t rows, int64_t cols, int64_t dim, bool first, int tf32)
{
	for (int64_t r = 0; r < rows; r++) {
		float *s = t->scores + r * BK, *acc = t->acc + r * dim;
		float max = row_max(s, cols), factor;

		if (first) {
			t->max[r] = max;
			t->sum[r] = row_exp(s, s, cols, max);
		} else if (max <= t->max[r]) {
			t->sum[r] += row_exp(s, s, cols, t->max[r]);
		} else {
			factor = sb_exp_negf(t->max[r] - max);
			t->max[r] = max;
			t->sum[r] = t->sum[r] * factor + row_exp(s, s, cols, max);
#pragma omp simd
			for (int64_t d = 0; d < dim; d++)
				acc[d] *= factor;
		}
		if (tf32) {
#pragma omp simd
			for (int64_t i = 0; i < cols; i++)
				s[i] = sb_tf32f(s[i]);
		}
	}
}

SB_HOT static void write_out(const struct tile *t, float *o, int64_t ld, int64_t rows, int64_t dim)
{
	for (int64_t r = 0; r < rows; r++) {
		float scale = 1.0f / t->sum[r];

#pragma omp simd
		for (int64_t d = 0; d < dim; d++)
			o[r * ld + d] = t->acc[r * dim + d] * scale;
	}
}

static void do_queries(const struct sb_attention_args *a, const struct tile *t, int64_t bh, int64_t q0)
{
	int64_t rows = min64(BQ, a->lq - q0), ldq = a->qs.row;
	const float *q = a->q + offset(&a->qs, bh, a->heads, q0);

	if (a->tf32) {
		round_rows(q, ldq, t->q, rows, a->dim);
		q = t->q;
		ldq = a->dim;
	}
	for (int64_t k0 = 0; k0 < a->lk; k0 += BK) {
		int64_t cols = min64(BK, a->lk - k0), ldk = a->ks.row, ldv = a->vs.row;
		const float *k = a->k + offset(&a->ks, bh, a->heads, k0);
		const float *v = a->v + offset(&a->vs, bh, a->heads, k0);

		if (a->tf32) {
			round_rows(k, ldk, t->kv, cols, a->dim);
			k = t->kv;
			ldk = a->dim;
		}
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)rows, (blasint)cols, a->dim, a->scale, q,
		        (blasint)ldq, k, (blasint)ldk, 0.0f, t->scores, BK);
		online_softmax(t, rows, cols, a->dim, k0 == 0, a->tf32);
		if (a->tf32) {
			round_rows(v, ldv, t->kv, cols, a->dim);
			v = t->kv;
			ldv = a->dim;
		}
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)rows, a->dim, (blasint)cols, 1.0f,
		        t->scores, BK, v, (blasint)ldv, k0 ? 1.0f : 0.0f, t->acc, a->dim);
	}
	write_out(t, a->o + offset(&a->os, bh, a->heads, q0), a->os.row, rows, a->dim);
}

size_t sb_attention_efficient_cpu_workspace(const struct sb_attention_args *a)
{
	return (size_t)tile_floats(a) * sizeof(float) * (size_t)omp_get_max_threads();
}

void sb_attention_efficient_cpu(const struct sb_attention_args *a, void *workspace)
{
	int64_t tiles = (a->lq + BQ - 1) / BQ, tasks = a->batch * a->heads * tiles;

#pragma omp parallel for schedule(dynamic) if (is_large(a))
	for (int64_t i = 0; i < tasks; i++) {
		struct tile t = tile_at(a, (float *)workspace + tile_floats(a) * omp_get_thread_num());

		do_queries(a, &t, i / tiles, i % tiles * BQ);
	}
}
