/* Both attention paths on the CPU against plain loops in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>

#include <cmocka.h>
#include <omp.h>

#include "attention_internal.h"
#include "linear.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define EPS    5.9604644775390625e-8 /* 2^-24: half a unit in the last place of 1 */

/* Paths: standard, then efficient in every version that this machine can run; EFFICIENT is the one that it takes. */
enum { STANDARD, EFFICIENT };

static int paths(void)
{
	int n = EFFICIENT;

	while (sb_attention_efficient_cpu_version(n - EFFICIENT))
		n++;
	return n;
}

static const char *path_name(int path)
{
	return path == STANDARD ? "standard" : sb_attention_efficient_cpu_version(path - EFFICIENT);
}

static uint64_t seed;

static double uniform(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(seed >> 11) * 0x1p-53;
}

static float gaussian(void)
{
	return (float)(sqrt(-2.0 * log(1.0 - uniform())) * cos(2.0 * acos(-1.0) * uniform()));
}

static float *floats(int64_t n)
{
	float *p = malloc((size_t)(n ? n : 1) * sizeof(*p));

	assert_non_null(p);
	return p;
}

static float *random_floats(int64_t n)
{
	float *p = floats(n);

	for (int64_t i = 0; i < n; i++)
		p[i] = gaussian();
	return p;
}

static void poison(float *p, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		p[i] = NAN;
}

#define GUARD 16

/* `bytes` of NaN, and behind them a guard that guarded_free() looks at. */
static float *guarded(size_t bytes)
{
	int64_t n = (int64_t)(bytes / sizeof(float));
	float *p = floats(n + GUARD);

	poison(p, n);
	for (int i = 0; i < GUARD; i++)
		p[n + i] = 42.0f;
	return p;
}

static void guarded_free(float *p, size_t bytes)
{
	for (int i = 0; i < GUARD; i++)
		assert_true(p[bytes / sizeof(float) + (size_t)i] == 42.0f);
	free(p);
}

static void run(int path, const struct sb_attention_args *a)
{
	if (path == STANDARD) {
		size_t score_bytes = (size_t)(a->batch * a->heads * a->lq * a->lk) * sizeof(float);
		size_t rest_bytes = sb_attention_standard_cpu_rest(a);
		float *s = guarded(score_bytes), *p = guarded(score_bytes), *rest = guarded(rest_bytes);

		sb_attention_standard_cpu(a, s, p, rest);
		guarded_free(s, score_bytes);
		guarded_free(p, score_bytes);
		guarded_free(rest, rest_bytes);
	} else {
		size_t bytes = sb_attention_efficient_cpu_workspace(a);
		float *workspace = guarded(bytes);

		if (path == EFFICIENT)
			sb_attention_efficient_cpu(a, workspace);
		else
			sb_attention_efficient_cpu_as(path - EFFICIENT, a, workspace);
		guarded_free(workspace, bytes);
	}
}

enum layout {
	DENSE, /* [batch, heads, length, dim] each */
	QKV,   /* [batch, length, 3 heads dim], as one projection leaves them; o [batch, length, heads dim]. lq = lk */
	Q_KV,  /* q [batch, lq, heads dim], k and v in [batch, lk, 2 heads dim], all with a gap after each row */
	LAYOUTS
};

struct problem {
	struct sb_attention_args a;
	float *in[3]; /* what q, k, v stand in; some NULL */
	float *o;
	int64_t n_o;
};

static struct sb_attention_strides tokens(int64_t length, int64_t row, int64_t dim)
{
	return (struct sb_attention_strides){ length * row, dim, row };
}

static struct problem problem_new(
        enum layout layout, int64_t batch, int64_t heads, int64_t lq, int64_t lk, int dim, int tf32)
{
	struct problem p = { .n_o = 0 };
	struct sb_attention_args *a = &p.a;
	int64_t width = heads * dim, gap = layout == Q_KV ? 5 : 0;

	*a = (struct sb_attention_args){ .batch = batch, .heads = heads, .lq = lq, .lk = lk, .dim = dim, .tf32 = tf32 };
	a->scale = 1.0f / sqrtf((float)dim);
	switch (layout) {
	case QKV:
		a->q = p.in[0] = random_floats(batch * lq * 3 * width);
		a->k = a->q + width;
		a->v = a->q + 2 * width;
		a->qs = a->ks = a->vs = tokens(lq, 3 * width, dim);
		break;
	case Q_KV:
		a->q = p.in[0] = random_floats(batch * lq * (width + gap));
		a->k = p.in[1] = random_floats(batch * lk * (2 * width + gap));
		a->v = a->k + width;
		a->qs = tokens(lq, width + gap, dim);
		a->ks = a->vs = tokens(lk, 2 * width + gap, dim);
		break;
	default:
		a->q = p.in[0] = random_floats(batch * width * lq);
		a->k = p.in[1] = random_floats(batch * width * lk);
		a->v = p.in[2] = random_floats(batch * width * lk);
		a->qs = (struct sb_attention_strides){ width * lq, lq * dim, dim };
		a->ks = a->vs = (struct sb_attention_strides){ width * lk, lk * dim, dim };
	}
	a->os = layout == DENSE ? a->qs : tokens(lq, width + gap, dim);
	p.n_o = batch * lq * (width + gap);
	a->o = p.o = floats(p.n_o);
	poison(p.o, p.n_o);
	return p;
}

static void problem_free(struct problem *p)
{
	for (size_t i = 0; i < LEN(p->in); i++)
		free(p->in[i]);
	free(p->o);
}

static float operand(float v, int tf32)
{
	if (tf32)
		sb_tf32_round_cpu(&v, &v, 1);
	return v;
}

/* The same maths done plainly in FP32: scores, their softmax, the sum, each operation rounded, p rounded last. */
static void plain(const struct sb_attention_args *a, float *o)
{
	float *p = floats(a->lk);

	for (int64_t i = 0; i < a->batch * a->heads * a->lq; i++) {
		int64_t b = i / a->lq / a->heads, h = i / a->lq % a->heads, r = i % a->lq;
		const float *q = a->q + b * a->qs.batch + h * a->qs.head + r * a->qs.row;
		const float *k = a->k + b * a->ks.batch + h * a->ks.head;
		const float *v = a->v + b * a->vs.batch + h * a->vs.head;
		float max = -INFINITY;
		volatile float sum = 0.0f;

		for (int64_t j = 0; j < a->lk; j++) {
			volatile float dot = 0.0f;

			for (int d = 0; d < a->dim; d++)
				dot += operand(q[d], a->tf32) * operand(k[j * a->ks.row + d], a->tf32);
			p[j] = dot * a->scale;
			max = p[j] > max ? p[j] : max;
		}
		for (int64_t j = 0; j < a->lk; j++) {
			p[j] = expf(p[j] - max);
			sum += p[j];
		}
		for (int64_t j = 0; j < a->lk; j++)
			p[j] = operand(p[j] / sum, a->tf32);
		for (int d = 0; d < a->dim; d++) {
			volatile float acc = 0.0f;

			for (int64_t j = 0; j < a->lk; j++)
				acc += p[j] * operand(v[j * a->vs.row + d], a->tf32);
			o[b * a->os.batch + h * a->os.head + r * a->os.row + d] = acc;
		}
	}
	free(p);
}

struct error {
	double max, rms, ref_max;
};

/* Where ref is NaN there is no output, and o must still be NaN. */
static struct error error_of(const float *o, const float *ref, int64_t n)
{
	struct error e = { .max = 0.0 };
	int64_t count = 0;

	for (int64_t i = 0; i < n; i++) {
		double d = fabs((double)o[i] - (double)ref[i]);

		if (isnan(ref[i])) {
			assert_true(isnan(o[i]));
			continue;
		}
		e.max = d <= e.max ? e.max : d; /* NaN comes through */
		e.rms += d * d;
		e.ref_max = fmax(e.ref_max, fabs((double)ref[i]));
		count++;
	}
	e.rms = sqrt(e.rms / (double)count);
	return e;
}

/*
 * Error <= 2 x that of plain FP32 (with rounded operands under tf32), plus rounding. That is for the root mean square;
 * the largest error sits in the row with the largest score, whose one dot product moves it by more than 2 with the
 * order of its sum, so 4 x there.
 */
static void check(struct problem *p)
{
	float *ref = floats(p->n_o), *fp32 = floats(p->n_o);
	struct sb_attention_args want = p->a;
	struct error base;

	poison(ref, p->n_o);
	poison(fp32, p->n_o);
	want.o = ref;
	sb_attention_ref(&want);
	want.o = fp32;
	plain(&want, fp32);
	base = error_of(fp32, ref, p->n_o);
	for (int path = STANDARD; path < paths(); path++) {
		double rounding = 2.0 * EPS * base.ref_max;
		struct error got;

		poison(p->o, p->n_o);
		run(path, &p->a);
		got = error_of(p->o, ref, p->n_o);
		if (!(got.rms <= 2.0 * base.rms + rounding && got.max <= 4.0 * base.max + rounding))
			fail_msg("%s, %lld x %lld x %lld x %lld, dim %d, tf32 %d: error %g (rms %g), plain FP32 %g "
			         "(rms %g)",
			        path_name(path), (long long)p->a.batch, (long long)p->a.heads, (long long)p->a.lq,
			        (long long)p->a.lk, p->a.dim, p->a.tf32, got.max, got.rms, base.max, base.rms);
	}
	free(ref);
	free(fp32);
}

static void both_paths_agree_with_double_around_their_tiles(void **state)
{
	/* efficient: 128 queries in groups of 32, 128 keys in blocks of 8 or 6; standard: 256 queries; 32 lanes of
	 * softmax */
	static const int64_t lengths[][2] = {
		{ 1, 1 },
		{ 1, 31 },
		{ 2, 32 },
		{ 31, 5 },
		{ 32, 6 },
		{ 33, 33 },
		{ 127, 127 },
		{ 128, 128 },
		{ 129, 129 },
		{ 255, 255 },
		{ 256, 256 },
		{ 257, 257 },
		{ 3, 1000 },
		{ 300, 7 },
	};

	(void)state;
	seed = 1;
	for (size_t s = 0; s < LEN(lengths); s++) {
		for (int tf32 = 0; tf32 < 2; tf32++) {
			struct problem p = problem_new(Q_KV, 1, 2, lengths[s][0], lengths[s][1], 48, tf32);

			check(&p);
			problem_free(&p);
		}
	}
}

static void both_paths_agree_with_double_in_every_layout_and_dim(void **state)
{
	static const int dims[] = { 1, 16, 32, 48, 64, 128 };

	(void)state;
	seed = 2;
	for (size_t d = 0; d < LEN(dims); d++) {
		for (int layout = DENSE; layout < LAYOUTS; layout++) {
			for (int tf32 = 0; tf32 < 2; tf32++) {
				struct problem p = problem_new(
				        (enum layout)layout, 3, 2, 67, layout == QKV ? 67 : 90, dims[d], tf32);

				check(&p);
				problem_free(&p);
			}
		}
	}
}

/* The front end's: a frame of the aggregator (11 x 21 patches and 5 special tokens), and three frames at once. */
static void both_paths_agree_with_double_at_the_trackers_sizes(void **state)
{
	(void)state;
	seed = 3;
	for (int tf32 = 0; tf32 < 2; tf32++) {
		struct problem frames = problem_new(QKV, 4, 6, 236, 236, 64, tf32);
		struct problem global = problem_new(QKV, 1, 2, 708, 708, 64, tf32);

		check(&frames);
		check(&global);
		problem_free(&frames);
		problem_free(&global);
	}
}

/* The scores rise from tile to tile, so that every tile rescales what was summed before; then they fall. */
static void a_maximum_that_moves_from_tile_to_tile_is_followed(void **state)
{
	(void)state;
	seed = 4;
	for (int sign = -1; sign <= 1; sign += 2) {
		struct problem p = problem_new(DENSE, 1, 1, 130, 1100, 16, 0);

		for (int64_t i = 0; i < p.a.lq; i++)
			p.in[0][i * 16] = 4.0f;
		for (int64_t j = 0; j < p.a.lk; j++)
			p.in[1][j * 16] = (float)sign * (float)j * 0.03f;
		check(&p);
		problem_free(&p);
	}
}

/* Scores of +-1e4, 40 apart and exact: all but the largest vanish, and its row of v comes out bit by bit. */
static void huge_scores_pick_their_maximum(void **state)
{
	enum { L = 500, DIM = 16 };

	(void)state;
	for (int tf32 = 0; tf32 < 2; tf32++) {
		for (int path = STANDARD; path < paths(); path++) {
			struct problem p = problem_new(DENSE, 1, 1, L, L, DIM, tf32);

			p.a.scale = 1.0f;
			memset(p.in[0], 0, L * DIM * sizeof(float));
			memset(p.in[1], 0, L * DIM * sizeof(float));
			for (int i = 0; i < L; i++) {
				p.in[0][i * DIM] = i % 2 ? 128.0f : -128.0f;
				p.in[1][i * DIM] = (float)(i - L / 2) * 0.3125f;
			}
			for (int i = 0; i < L * DIM; i++)
				p.in[2][i] = (float)(i % 1021 + 1);
			run(path, &p.a);
			for (int i = 0; i < L; i++)
				for (int d = 0; d < DIM; d++)
					assert_true(p.o[i * DIM + d] == p.in[2][(i % 2 ? L - 1 : 0) * DIM + d]);
			problem_free(&p);
		}
	}
}

/* Half of the scores at 0, 1e4 or -1e4, half at 1 more, all exact: the level does not matter. */
static void only_differences_of_scores_matter(void **state)
{
	enum { ROWS = 5, L = 600, DIM = 8 };
	double e = exp(1.0), want = (1.0 + 3.0 * e) / (1.0 + e);

	(void)state;
	for (int path = STANDARD; path < paths(); path++) {
		for (int sign = -1; sign <= 1; sign++) {
			struct problem p = problem_new(DENSE, 1, 1, ROWS, L, DIM, 0);

			p.a.scale = 1.0f;
			for (int i = 0; i < ROWS * DIM; i++)
				p.in[0][i] = 1.0f;
			for (int i = 0; i < L * DIM; i++) {
				int upper = i / DIM >= L / 2;

				p.in[1][i] = (float)sign * 1250.0f + (upper ? 0.125f : 0.0f);
				p.in[2][i] = upper ? 3.0f : 1.0f;
			}
			run(path, &p.a);
			for (int i = 0; i < ROWS * DIM; i++)
				assert_true(fabs((double)p.o[i] - want) <= L * EPS * want);
			problem_free(&p);
		}
	}
}

static void bits_depend_neither_on_threads_nor_on_alignment(void **state)
{
	int threads = omp_get_max_threads();

	(void)state;
	for (int path = STANDARD; path < paths(); path++) {
		for (int tf32 = 0; tf32 < 2; tf32++) {
			struct problem p;
			float *first, *shifted;

			seed = 5;
			p = problem_new(QKV, 1, 3, 515, 515, 64, tf32);
			first = floats(p.n_o);
			shifted = floats(p.n_o + 1);
			for (int t = 1; t <= 4; t++) {
				omp_set_num_threads(t);
				run(path, &p.a);
				if (t == 1)
					memcpy(first, p.o, (size_t)p.n_o * sizeof(float));
				assert_memory_equal(first, p.o, (size_t)p.n_o * sizeof(float));
				poison(p.o, p.n_o);
			}
			p.a.o = shifted + 1;
			run(path, &p.a);
			assert_memory_equal(first, shifted + 1, (size_t)p.n_o * sizeof(float));
			free(first);
			free(shifted);
			problem_free(&p);
		}
	}
	omp_set_num_threads(threads);
}

/* Operands that are rounded already give the same bits, and an operand left unrounded would not. */
static void tf32_rounds_q_k_and_v(void **state)
{
	enum { L = 300, WIDTH = 2 * 64 };

	(void)state;
	for (int path = STANDARD; path < paths(); path++) {
		struct problem p;
		double diff = 0.0, norm = 0.0;
		float *unrounded, *fp32;

		seed = 6;
		p = problem_new(QKV, 1, 2, L, L, 64, 1);
		unrounded = floats(p.n_o);
		fp32 = floats(p.n_o);
		run(path, &p.a);
		memcpy(unrounded, p.o, (size_t)p.n_o * sizeof(float));
		p.a.tf32 = 0;
		run(path, &p.a);
		memcpy(fp32, p.o, (size_t)p.n_o * sizeof(float));
		sb_tf32_round_cpu(p.in[0], p.in[0], L * 3 * WIDTH);
		p.a.tf32 = 1;
		run(path, &p.a);
		assert_memory_equal(unrounded, p.o, (size_t)p.n_o * sizeof(float));
		for (int64_t i = 0; i < p.n_o; i++) {
			diff += pow((double)p.o[i] - (double)fp32[i], 2.0);
			norm += pow((double)fp32[i], 2.0);
		}
		diff = sqrt(diff / norm);
		print_message("%s: tf32 changes the output by %.2g (normwise)\n", path_name(path), diff);
		assert_true(diff > 1e-4 && diff < 1e-3);
		free(unrounded);
		free(fp32);
		problem_free(&p);
	}
}

/*
 * Two keys with scores 0 and -x, values 0 and 1, all exact in TF32: the output is the second p alone. standard rounds
 * it last; efficient rounds e^-x and divides by the unrounded sum.
 */
static void tf32_rounds_p_as_the_header_says(void **state)
{
	float q = 1.0f, k[2] = { 0.0f, -0.375f }, v[2] = { 0.0f, 1.0f }, o = NAN, e = expf(-0.375f), rounded;
	struct sb_attention_args a = { .q = &q, .k = k, .v = v, .o = &o, .batch = 1, .heads = 1, .lq = 1, .lk = 2 };

	(void)state;
	sb_tf32_round_cpu(&e, &rounded, 1);
	assert_true(fabs((double)(rounded / e) - 1.0) > 1e-4);
	a.qs = a.ks = a.vs = a.os = (struct sb_attention_strides){ 2, 2, 1 };
	a.dim = 1;
	a.scale = 1.0f;
	a.tf32 = 1;
	run(STANDARD, &a);
	sb_tf32_round_cpu(&o, &rounded, 1);
	assert_true(o == rounded);
	assert_true(fabs((double)(o * (1.0f + e) / e) - 1.0) < 5e-4);
	sb_tf32_round_cpu(&e, &rounded, 1);
	for (int path = EFFICIENT; path < paths(); path++) {
		run(path, &a);
		assert_true(fabs((double)(o * (1.0f + e) / rounded) - 1.0) < 4.0 * EPS);
	}
}

/* 1 % of the two score buffers with 8 threads, at the size that the speed test measures, tf32 copies included. */
static void efficient_workspace_is_small_and_free_of_the_lengths(void **state)
{
	struct sb_attention_args a = { .batch = 1, .heads = 6, .lq = 2082, .lk = 2082, .dim = 64 };
	double scores = 2.0 * 4.0 * 6.0 * 2082.0 * 2082.0;
	int threads = omp_get_max_threads();
	size_t bytes;

	(void)state;
	omp_set_num_threads(8);
	for (a.tf32 = 0; a.tf32 < 2; a.tf32++) {
		bytes = sb_attention_efficient_cpu_workspace(&a);
		print_message("workspace with 8 threads, tf32 %d: %zu bytes, %.2f %% of standard's\n", a.tf32, bytes,
		        100.0 * (double)bytes / scores);
		assert_true((double)bytes <= 0.01 * scores);
	}
	bytes = sb_attention_efficient_cpu_workspace(&a);
	a.lq = a.lk = 100000;
	assert_int_equal(sb_attention_efficient_cpu_workspace(&a), bytes);
	omp_set_num_threads(threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_paths_agree_with_double_around_their_tiles),
		cmocka_unit_test(both_paths_agree_with_double_in_every_layout_and_dim),
		cmocka_unit_test(both_paths_agree_with_double_at_the_trackers_sizes),
		cmocka_unit_test(a_maximum_that_moves_from_tile_to_tile_is_followed),
		cmocka_unit_test(huge_scores_pick_their_maximum),
		cmocka_unit_test(only_differences_of_scores_matter),
		cmocka_unit_test(bits_depend_neither_on_threads_nor_on_alignment),
		cmocka_unit_test(tf32_rounds_q_k_and_v),
		cmocka_unit_test(tf32_rounds_p_as_the_header_says),
		cmocka_unit_test(efficient_workspace_is_small_and_free_of_the_lengths),
	};
	return cmocka_run_group_tests_name("attention", tests, NULL, NULL);
}
