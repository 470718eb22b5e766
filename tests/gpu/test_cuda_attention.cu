/*
 * attention on the GPU against plain loops in double (attention_ref.c), and its times.
 *   test_cuda_attention [--quick | --time [--shapes] | --once]
 * --quick: short cases only, for a memory checker. --time: times at the shapes of the full preset, case (i), instead of
 * checks; --shapes: those of every shape of the efficient kernel. --once: a few launches for a profiler. Exit 0 all ok,
 * 1 something failed, 77 no device. A result may be off by twice what the same maths done plainly in that precision is
 * off by, plus a unit in the last place; errors are ||o - ref|| / ||ref||. cuBLAS's TF32 products leave the sums to the
 * tensor cores, which truncate: there, up to 2^-24 more for each 8 keys.
 */
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern "C" {
#include "attention_cuda_internal.h"
}

#define ULP 0x1p-23

static int failures;

static void must(int status, const char *what)
{
	if (status) {
		printf("FAILED %s: %s\n", what, cudaGetErrorString((cudaError_t)status));
		exit(1);
	}
}

static uint64_t seed = 1;

static float uniform(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (float)(seed >> 40) * 0x1p-24f;
}

/* Near enough to a Gaussian, and quick: the sum of four uniforms, variance 1. */
static float bell(void)
{
	return (uniform() + uniform() + uniform() + uniform() - 2.0f) * 1.7320508f;
}

static float round_tf32(float x)
{
	uint32_t b;

	memcpy(&b, &x, 4);
	b = (b + 0x1000u) & 0xffffe000u;
	memcpy(&x, &b, 4);
	return x;
}

/* ---- problems ------------------------------------------------------------------------------------------------ */

enum layout {
	DENSE, /* [batch, heads, length, dim] */
	QKV,   /* [batch, length, 3 heads dim]; lq = lk */
	Q_KV,  /* q [batch, lq, heads dim], k and v in [batch, lk, 2 heads dim] */
	GAPS,  /* as Q_KV with 5 floats between the rows: nothing is aligned */
	TIME   /* as Q_KV, but rows of a sequence are `batch` tokens apart */
};

struct shape {
	const char *name;
	enum layout layout;
	int64_t batch, heads, lq, lk;
	int dim;
};

struct problem {
	struct sb_attention_args a;    /* pointers are offsets into `floats` until bound to a base */
	int64_t q, k, v, o, total, in; /* offsets; o starts at `in` */
};

static struct sb_attention_strides tokens(int64_t batch, int64_t length, int64_t row, int64_t dim, bool time)
{
	struct sb_attention_strides s = { length * row, dim, row };

	if (time) {
		s.batch = row;
		s.row = batch * row;
	}
	return s;
}

static struct problem problem_of(const struct shape *x)
{
	struct problem p = {};
	struct sb_attention_args *a = &p.a;
	const int64_t width = x->heads * x->dim, gap = x->layout == GAPS ? 5 : 0;
	const bool time = x->layout == TIME;

	a->batch = x->batch;
	a->heads = x->heads;
	a->lq = x->lq;
	a->lk = x->lk;
	a->dim = x->dim;
	a->scale = 1.0f / sqrtf((float)x->dim);
	if (x->layout == DENSE) {
		p.k = x->batch * width * x->lq;
		p.v = p.k + x->batch * width * x->lk;
		p.in = p.v + x->batch * width * x->lk;
		a->qs = { width * x->lq, x->lq * x->dim, x->dim };
		a->ks = a->vs = { width * x->lk, x->lk * x->dim, x->dim };
	} else if (x->layout == QKV) {
		p.k = width;
		p.v = 2 * width;
		p.in = x->batch * x->lq * 3 * width;
		a->qs = a->ks = a->vs = tokens(x->batch, x->lq, 3 * width, x->dim, false);
	} else {
		p.k = x->batch * x->lq * (width + gap);
		p.v = p.k + width;
		p.in = p.k + x->batch * x->lk * (2 * width + gap);
		a->qs = tokens(x->batch, x->lq, width + gap, x->dim, time);
		a->ks = a->vs = tokens(x->batch, x->lk, 2 * width + gap, x->dim, time);
	}
	/* What stands before o may have any length: o starts aligned. */
	p.in = (p.in + 63) / 64 * 64;
	p.o = p.in;
	a->os = x->layout == DENSE ? a->qs : tokens(x->batch, x->lq, width + gap, x->dim, time);
	p.total = p.in + x->batch * x->lq * (width + gap);
	return p;
}

static struct sb_attention_args bound(const struct problem *p, float *base)
{
	struct sb_attention_args a = p->a;

	a.q = base + p->q;
	a.k = base + p->k;
	a.v = base + p->v;
	a.o = base + p->o;
	return a;
}

/* ---- running ------------------------------------------------------------------------------------------------- */

enum { CHOSEN = -1, SMALL = -2 };

struct level {
	const char *name;
	int efficient, tf32,
	        shape; /* shape: of the efficient kernel; CHOSEN: its own choice; SMALL: that for few keys */
};

static const struct level levels[] = {
	{ "standard", 0, 0, CHOSEN },
	{ "standard_tf32", 0, 1, CHOSEN },
	{ "efficient", 1, 0, CHOSEN },
	{ "efficient_tf32", 1, 1, CHOSEN },
};

static struct device {
	cudaStream_t stream;
	cublasHandle_t blas;
	int sms, capability;
	double bytes_per_s;
	size_t memory;
} device;

static struct sb_cuda_launch launch_of(const struct level *v)
{
	struct sb_cuda_launch l = {};

	l.stream = device.stream;
	l.blas = device.blas;
	l.sms = device.sms;
	l.capability = device.capability;
	l.tf32 = v->tf32;
	l.efficient = v->efficient;
	return l;
}

static int run(const struct level *v, const struct sb_attention_args *a, struct sb_cuda_launch *l)
{
	if (v->shape == SMALL)
		return sb_attention_small_cuda(a, l);
	return v->shape == CHOSEN ? sb_attention_cuda(a, l) : sb_attention_efficient_cuda_as(v->shape, a, l);
}

/* From host memory to host memory; what lies in o before goes along. */
static int run_host(const struct level *v, const struct problem *p, float *host, const char **name)
{
	struct sb_cuda_launch l = launch_of(v);
	float *dev;
	size_t work;
	int status;

	must(cudaMalloc(&dev, p->total * sizeof(float)), "cudaMalloc");
	must(cudaMemcpy(dev, host, p->total * sizeof(float), cudaMemcpyHostToDevice), "cudaMemcpy");
	struct sb_attention_args a = bound(p, dev);

	work = sb_attention_cuda_workspace(&a, &l);
	if (work) {
		must(cudaMalloc(&l.work, work), "cudaMalloc");
		must(cudaMemset(l.work, 0xff, work), "cudaMemset");
	}
	status = run(v, &a, &l);
	must(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
	must(cudaMemcpy(host, dev, p->total * sizeof(float), cudaMemcpyDeviceToHost), "cudaMemcpy");
	cudaFree(l.work);
	cudaFree(dev);
	*name = l.name ? l.name : "nothing";
	return status;
}

/* ---- checks -------------------------------------------------------------------------------------------------- */

/* The same maths done plainly in FP32, with the operands of the products rounded where tf32. */
static void plain_query(
        const struct sb_attention_args *a, const float *q, const float *k, const float *v, float *o, int tf32, float *p)
{
	float max = -INFINITY, sum = 0.0f;

	for (int64_t j = 0; j < a->lk; j++) {
		float s = 0.0f;

		for (int d = 0; d < a->dim; d++) {
			float x = q[d], y = k[j * a->ks.row + d];

			s += tf32 ? round_tf32(x) * round_tf32(y) : x * y;
		}
		p[j] = s * a->scale;
		max = fmaxf(max, p[j]);
	}
	for (int64_t j = 0; j < a->lk; j++) {
		p[j] = expf(p[j] - max);
		sum += p[j];
	}
	for (int d = 0; d < a->dim; d++) {
		float acc = 0.0f;

		for (int64_t j = 0; j < a->lk; j++) {
			float y = v[j * a->vs.row + d];

			acc += tf32 ? round_tf32(p[j]) * round_tf32(y) : p[j] * y;
		}
		o[d] = acc / sum;
	}
}

static void plain(const struct sb_attention_args *a, int tf32)
{
	float *p = (float *)malloc(a->lk * sizeof(float));

	for (int64_t i = 0; i < a->batch * a->heads * a->lq; i++) {
		const int64_t b = i / a->lq / a->heads, h = i / a->lq % a->heads, r = i % a->lq;

		plain_query(a, a->q + b * a->qs.batch + h * a->qs.head + r * a->qs.row,
		        a->k + b * a->ks.batch + h * a->ks.head, a->v + b * a->vs.batch + h * a->vs.head,
		        a->o + b * a->os.batch + h * a->os.head + r * a->os.row, tf32, p);
	}
	free(p);
}

static double limit_of(double plain_error, const struct level *v, int64_t lk)
{
	double truncated = !v->efficient && v->tf32 ? (double)lk / 8.0 * 0x1p-24 : 0.0;

	return 2.0 * plain_error + ULP + truncated;
}

/* ||x - ref|| / ||ref|| over the elements of o; infinite where x has a NaN or what lies between was written to. */
static double error_of(const struct problem *p, const float *x, const float *ref)
{
	double diff = 0.0, norm = 0.0;

	for (int64_t i = p->o; i < p->total; i++) {
		if (isnan(ref[i]) != isnan(x[i]))
			return INFINITY;
		if (isnan(ref[i]))
			continue;
		diff += ((double)x[i] - (double)ref[i]) * ((double)x[i] - (double)ref[i]);
		norm += (double)ref[i] * (double)ref[i];
	}
	return sqrt(diff / norm);
}

/* <x, ref> / <ref, ref> - 1: not zero where operands are truncated instead of rounded. */
static double gain_of(const struct problem *p, const float *x, const float *ref)
{
	double dot = 0.0, norm = 0.0;

	for (int64_t i = p->o; i < p->total; i++) {
		if (isnan(ref[i]))
			continue;
		dot += (double)x[i] * (double)ref[i];
		norm += (double)ref[i] * (double)ref[i];
	}
	return dot / norm - 1.0;
}

static void verdict(const char *name, const char *level, const char *kernel, double error, double limit)
{
	const bool ok = error <= limit;

	printf("%s %s/%s (%s) %.3g %.3g\n", ok ? "ok" : "FAILED", name, level, kernel, error, limit);
	failures += !ok;
}

enum data { BELL, PEAKED, MEAN, NEGATIVE, EQUAL, HUGE_SPREAD, DATA };

static const char *const data_names[DATA] = { "", "_peaked", "_mean", "_negative_scale", "_equal", "_huge" };

static float *filled(struct problem *p, enum data data)
{
	float *x = (float *)malloc(p->total * sizeof(float));
	const struct sb_attention_args *a = &p->a;

	for (int64_t i = 0; i < p->total; i++)
		x[i] = i < p->in ? bell() : NAN;
	if (data == NEGATIVE)
		p->a.scale = -p->a.scale;
	if (data == EQUAL)
		p->a.scale = 0.0f;
	for (int64_t i = 0; i < a->batch * a->heads * a->lk; i++) {
		const int64_t b = i / a->lk / a->heads, h = i / a->lk % a->heads, r = i % a->lk;
		float *k = x + p->k + b * a->ks.batch + h * a->ks.head + r * a->ks.row;
		float *v = x + p->v + b * a->vs.batch + h * a->vs.head + r * a->vs.row;

		for (int d = 0; d < a->dim; d++) {
			if (data == PEAKED)
				k[d] *= 4.0f;
			if (data == MEAN)
				v[d] += 1.0f;
			/* Scores of hundreds that rise with the key: the running maximum moves at every tile. */
			if (data == HUGE_SPREAD) {
				k[d] *= 1e-15f * (1.0f + 100.0f * (float)r / (float)a->lk);
				v[d] *= 1e20f;
			}
		}
	}
	for (int64_t i = 0; data == HUGE_SPREAD && i < a->batch * a->heads * a->lq; i++) {
		const int64_t b = i / a->lq / a->heads, h = i / a->lq % a->heads, r = i % a->lq;
		float *q = x + p->q + b * a->qs.batch + h * a->qs.head + r * a->qs.row;

		for (int d = 0; d < a->dim; d++)
			q[d] *= 1e15f;
	}
	return x;
}

static float *copy_of(const float *x, int64_t n)
{
	float *y = (float *)malloc(n * sizeof(float));

	memcpy(y, x, n * sizeof(float));
	return y;
}

static void check_level(const char *name, const struct problem *p, const float *in, const float *ref, double limit,
        const struct level *v)
{
	float *x = copy_of(in, p->total);
	const char *kernel;
	int status = run_host(v, p, x, &kernel);

	if (status)
		verdict(name, v->name, cudaGetErrorString((cudaError_t)status), INFINITY, 0.0);
	else
		verdict(name, v->name, kernel, error_of(p, x, ref), limit);
	if (v->tf32 && strstr(name, "_mean"))
		printf("   gain - 1 of %s/%s %.2g\n", name, v->name, gain_of(p, x, ref));
	free(x);
}

static void check(const struct shape *s, enum data data, bool all_shapes)
{
	struct problem p = problem_of(s);
	float *in = filled(&p, data), *ref = copy_of(in, p.total), *x = copy_of(in, p.total);
	struct sb_attention_args a = bound(&p, ref);
	double off[2];
	char name[128];

	snprintf(name, sizeof(name), "%s%s", s->name, data_names[data]);
	sb_attention_ref(&a);
	for (int tf32 = 0; tf32 < 2; tf32++) {
		struct sb_attention_args b = bound(&p, x);

		plain(&b, tf32);
		off[tf32] = error_of(&p, x, ref);
	}
	for (const struct level &v : levels)
		check_level(name, &p, in, ref, limit_of(off[v.tf32], &v, s->lk), &v);
	for (int i = 0; all_shapes && sb_attention_efficient_cuda_shape(i); i++) {
		const char *shape = sb_attention_efficient_cuda_shape(i);
		const struct level v = { shape, 1, shape[strlen(shape) - 1] == '1', i };

		if (atoi(shape) == s->dim)
			check_level(name, &p, in, ref, limit_of(off[v.tf32], &v, s->lk), &v);
	}
	free(x);
	free(ref);
	free(in);
}

/* A NaN in k reaches every output of its (batch, head), one in v its column; nothing else. */
static void check_nan(const struct shape *s, bool in_v, uint32_t bits)
{
	struct problem p = problem_of(s);
	float *in = filled(&p, BELL), *ref = copy_of(in, p.total);
	const struct sb_attention_strides *from = in_v ? &p.a.vs : &p.a.ks;
	struct sb_attention_args a = bound(&p, ref);
	char name[128];

	sb_attention_ref(&a);
	memcpy(in + (in_v ? p.v : p.k) + from->head + (s->lk - 1) * from->row + 3, &bits, 4);
	for (int64_t r = 0; r < s->lq; r++)
		for (int d = 0; d < s->dim; d++)
			if (!in_v || d == 3)
				a.o[p.a.os.head + r * p.a.os.row + d] = NAN;
	snprintf(name, sizeof(name), "%s_nan_%08x_in_%s", s->name, bits, in_v ? "v" : "k");
	for (const struct level &v : levels)
		check_level(name, &p, in, ref, 1e-2, &v);
	free(ref);
	free(in);
}

/* A long sequence, a few of its queries. */
static void check_long(enum data data, int64_t n, int64_t heads)
{
	const struct shape s = { "long", QKV, 1, heads, n, n, 64 };
	struct problem p = problem_of(&s);
	float *in = filled(&p, data), *row = (float *)malloc(n * sizeof(float));

	for (const struct level &v : levels) {
		double diff = 0.0, norm = 0.0, off = 0.0, dot = 0.0;
		float *x = copy_of(in, p.total);
		const char *kernel;
		char name[64];

		snprintf(name, sizeof(name), "%d%s", (int)n, data_names[data]);
		must(run_host(&v, &p, x, &kernel), name);
		for (int i = 0; i < 24; i++) {
			const int64_t r = i == 0 ? n - 1 : (int64_t)(uniform() * (float)n) % n, h = i % heads;
			struct sb_attention_args a = bound(&p, in);
			float want[64], easy[64];
			const float *got = x + p.o + h * p.a.os.head + r * p.a.os.row;

			a.q += h * a.qs.head + r * a.qs.row;
			a.k += h * a.ks.head;
			a.v += h * a.vs.head;
			a.o = want;
			a.lq = a.heads = 1;
			sb_attention_ref(&a);
			plain_query(&a, a.q, a.k, a.v, easy, v.tf32, row);
			for (int d = 0; d < 64; d++) {
				diff += ((double)got[d] - want[d]) * ((double)got[d] - want[d]);
				off += ((double)easy[d] - want[d]) * ((double)easy[d] - want[d]);
				norm += (double)want[d] * want[d];
				dot += (double)got[d] * want[d];
			}
		}
		verdict(name, v.name, kernel, sqrt(diff / norm), limit_of(sqrt(off / norm), &v, n));
		printf("   gain - 1 of %s/%s %.2g\n", name, v.name, dot / norm - 1.0);
		free(x);
	}
	free(row);
	free(in);
}

static void check_refusals(void)
{
	const struct shape s = { "dim_24", DENSE, 1, 1, 100, 100, 24 };
	struct problem p = problem_of(&s);
	struct sb_attention_args a = bound(&p, NULL);
	struct sb_cuda_launch l = launch_of(&levels[2]);
	int status[3];

	status[0] = sb_attention_cuda(&a, &l);
	a.dim = 64;
	a.batch = 0;
	status[1] = sb_attention_cuda(&a, &l);
	a.batch = 1;
	l.efficient = 0;
	l.blas = NULL;
	status[2] = sb_attention_cuda(&a, &l);
	verdict("refusals", "all", "dim 24, batch 0, no handle",
	        !(status[0] == cudaErrorInvalidValue && status[1] == 0 && status[2] == cudaErrorInvalidValue), 0.0);
}

static void checks(bool quick)
{
	static const int dims[] = { 16, 32, 48, 64, 128 };
	/* Lengths around the sizes of tiles, both ways of running, aligned and not. */
	static const struct shape odd[] = {
		{ "1x1", DENSE, 1, 1, 1, 1, 0 },
		{ "16x16", Q_KV, 3, 2, 16, 16, 0 },
		{ "17x15", GAPS, 2, 3, 17, 15, 0 },
		{ "1x33", Q_KV, 3, 2, 1, 33, 0 },
		{ "63x64", TIME, 2, 2, 63, 64, 0 },
		{ "64x31", GAPS, 1, 2, 64, 31, 0 },
		{ "65x1", DENSE, 1, 2, 65, 1, 0 },
		{ "3x65", GAPS, 2, 1, 3, 65, 0 },
		{ "129x127", Q_KV, 1, 2, 129, 127, 0 },
		{ "300x97", GAPS, 1, 2, 300, 97, 0 },
		{ "131x131", QKV, 2, 2, 131, 131, 0 },
		{ "33x600", Q_KV, 1, 1, 33, 600, 0 },
	};

	for (int dim : dims) {
		for (struct shape s : odd) {
			char name[32];

			if (quick && (s.lq > 131 || (dim == 32 && s.lq < 65)))
				continue;
			s.dim = dim;
			snprintf(name, sizeof(name), "%s_d%d", s.name, dim);
			s.name = name;
			check(&s, BELL, s.lq >= 65 && s.lk > 1);
		}
	}
	if (!quick) {
		static const struct shape real[] = {
			{ "dino", QKV, 2, 3, 782, 782, 64 },
			{ "neighbours", Q_KV, 40, 8, 16, 16, 16 },
			{ "aggregate", Q_KV, 40, 8, 1, 16, 16 },
			{ "time", TIME, 30, 8, 24, 24, 48 },
			{ "to_virtual", Q_KV, 2, 8, 63, 1012, 48 },
			{ "from_virtual", Q_KV, 2, 8, 1012, 63, 48 },
			{ "camera", QKV, 1, 16, 24, 24, 128 },
			{ "totals_d16", QKV, 1, 6, 640, 640, 16 },
			{ "totals_d32", Q_KV, 1, 2, 65, 1100, 32 },
			{ "totals_d128", GAPS, 1, 1, 70, 1030, 128 },
		};

		for (const struct shape &s : real)
			for (int data = 0; data < DATA; data++)
				check(&s, (enum data)data, s.lk > 512 && s.lk != 1012);
		check_long(BELL, 25008, 2);
		check_long(MEAN, 25008, 2);
		check_long(BELL, 40001, 1);
	}
	for (int i = 0; i < 4; i++) {
		static const struct shape long_ones = { "150x150", QKV, 1, 2, 150, 150, 64 };
		static const struct shape short_ones = { "24x24", QKV, 1, 2, 24, 24, 16 };

		check_nan(&long_ones, i % 2, i / 2 ? 0x7fffffffu : 0x7fc00000u);
		check_nan(&short_ones, i % 2, i / 2 ? 0x7fffffffu : 0x7fc00000u);
	}
	check_refusals();
}

/* ---- times --------------------------------------------------------------------------------------------------- */

static __global__ void fill_device(float *x, int64_t n)
{
	const int64_t step = (int64_t)gridDim.x * blockDim.x;

	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
		uint32_t h = (uint32_t)i * 2654435761u ^ (uint32_t)(i >> 32);
		float sum = 0.0f;

		for (int j = 0; j < 4; j++) {
			h ^= h >> 16;
			h *= 0x7feb352du;
			h ^= h >> 15;
			h *= 0x846ca68bu;
			h ^= h >> 16;
			sum += (float)(h >> 8) * 0x1p-24f;
		}
		x[i] = (sum - 2.0f) * 1.7320508f;
	}
}

static int by_value(const void *a, const void *b)
{
	const float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* Fewest bytes: q, k, v, o once, and under standard S and P written and read. */
static double bytes_of(const struct sb_attention_args *a, const struct level *v)
{
	const double bh = (double)(a->batch * a->heads), lq = (double)a->lq, lk = (double)a->lk;

	return 4.0 * bh * ((2.0 * lq + 2.0 * lk) * a->dim + (v->efficient ? 0.0 : 4.0 * lq * lk));
}

static double work_of(const struct sb_attention_args *a)
{
	return 4.0 * (double)(a->batch * a->heads) * (double)a->lq * (double)a->lk * a->dim;
}

static void time_level(const struct shape *s, const struct problem *p, float *dev, const struct level *v, int n)
{
	struct sb_attention_args a = bound(p, dev);
	struct sb_cuda_launch l = launch_of(v);
	const size_t work = sb_attention_cuda_workspace(&a, &l);
	/* Short ones back to back, so that a launch and an event do not count as their time. */
	const int repeat = work_of(&a) < 1e10 && bytes_of(&a, v) < 4e8 ? 20 : 1;
	const double flop = work_of(&a);
	cudaEvent_t event[2];
	float ms[64];

	if (work && cudaMalloc(&l.work, work) != cudaSuccess) {
		cudaGetLastError();
		printf("time %-12s %-24s no memory for %.1f GiB\n", s->name, v->name, (double)work / 0x1p30);
		return;
	}
	for (int i = 0; i < 2; i++)
		must(cudaEventCreate(&event[i]), "cudaEventCreate");
	for (int i = n > 1 ? -2 : 0; i < n; i++) {
		must(cudaEventRecord(event[0], device.stream), "cudaEventRecord");
		for (int j = 0; j < repeat; j++) {
			l.launches = 0;
			must(run(v, &a, &l), s->name);
		}
		must(cudaEventRecord(event[1], device.stream), "cudaEventRecord");
		must(cudaEventSynchronize(event[1]), s->name);
		if (i >= 0) {
			must(cudaEventElapsedTime(&ms[i], event[0], event[1]), "cudaEventElapsedTime");
			ms[i] /= (float)repeat;
		}
	}
	qsort(ms, n, sizeof(ms[0]), by_value);
	printf("time %-12s %-24s %10.1f us (n %d x %d, %.1f .. %.1f) %6.1f TFLOP/s %5.0f GB/s floor %9.1f us launches "
	       "%d "
	       "%s\n",
	        s->name, v->name, 1e3 * ms[n / 2], n, repeat, 1e3 * ms[0], 1e3 * ms[n - 1], flop / (1e9 * ms[n / 2]),
	        bytes_of(&a, v) / (ms[n / 2] * 1e6), bytes_of(&a, v) / device.bytes_per_s * 1e6, l.launches, l.name);
	fflush(stdout);
	for (int i = 0; i < 2; i++)
		cudaEventDestroy(event[i]);
	cudaFree(l.work);
}

static void time_shape(const struct shape *s, bool shapes)
{
	struct problem p = problem_of(s);
	float *dev;

	if (cudaMalloc(&dev, p.total * sizeof(float)) != cudaSuccess) {
		cudaGetLastError();
		printf("time %s: no memory\n", s->name);
		return;
	}
	fill_device<<<1024, 256, 0, device.stream>>>(dev, p.total);
	for (const struct level &v : levels)
		if (!shapes)
			time_level(s, &p, dev, &v, 21);
	for (int tf32 = 0; shapes && s->lk <= SB_ATTENTION_SMALL && tf32 < 2; tf32++) {
		const struct level v = { "small", 1, tf32, SMALL };

		time_level(s, &p, dev, &v, 21);
	}
	for (int i = 0; shapes && sb_attention_efficient_cuda_shape(i); i++) {
		const char *shape = sb_attention_efficient_cuda_shape(i);
		const struct level v = { shape, 1, shape[strlen(shape) - 1] == '1', i };

		if (atoi(shape) == s->dim)
			time_level(s, &p, dev, &v, 11);
	}
	cudaFree(dev);
}

static void times(bool shapes)
{
	static const struct shape list[] = {
		{ "A1_dino", QKV, 24, 16, 782, 782, 64 },
		{ "A3_global", QKV, 1, 16, 18768, 18768, 64 },
		{ "A4_camera", QKV, 1, 16, 24, 24, 128 },
		{ "B1_neighbour", Q_KV, 24 * 1012, 8, 16, 16, 16 },
		{ "B2_aggregate", Q_KV, 24 * 1012, 8, 1, 16, 16 },
		{ "C1_time", TIME, 1076, 8, 24, 24, 48 },
		{ "C3_63xN", Q_KV, 24, 8, 63, 1012, 48 },
		{ "C5_63x64", Q_KV, 24, 8, 63, 64, 48 },
		{ "C7_64x64", Q_KV, 24, 8, 64, 64, 48 },
		{ "C9_Nx64", Q_KV, 24, 8, 1012, 64, 48 },
		{ "C10_Nx63", Q_KV, 24, 8, 1012, 63, 48 },
		{ "N25008", QKV, 1, 16, 25008, 25008, 64 },
	};

	for (const struct shape &s : list)
		if (!shapes || s.lq > 64 || s.lk > 64)
			time_shape(&s, shapes);
}

static void once(void)
{
	static const struct shape list[] = {
		{ "N8336", QKV, 1, 16, 8336, 8336, 64 },
		{ "B1", Q_KV, 24 * 1012, 8, 16, 16, 16 },
		{ "A1", QKV, 24, 16, 782, 782, 64 },
	};

	for (const struct shape &s : list) {
		struct problem p = problem_of(&s);
		float *dev;

		must(cudaMalloc(&dev, p.total * sizeof(float)), "cudaMalloc");
		fill_device<<<1024, 256, 0, device.stream>>>(dev, p.total);
		for (const struct level &v : levels)
			if (v.efficient || s.lk < 1000)
				time_level(&s, &p, dev, &v, 1);
		cudaFree(dev);
	}
}

static int open_device(void)
{
	struct cudaDeviceProp prop;
	void *workspace;
	int count = 0;
	cudaError_t error = cudaGetDeviceCount(&count);

	if (error != cudaSuccess || !count) {
		printf("skipped: no CUDA device (%s)\n", cudaGetErrorString(error));
		return 77;
	}
	must(cudaGetDeviceProperties(&prop, 0), "cudaGetDeviceProperties");
	must(cudaStreamCreate(&device.stream), "cudaStreamCreate");
	device.sms = prop.multiProcessorCount;
	device.capability = 10 * prop.major + prop.minor;
	device.bytes_per_s = strstr(prop.name, "H200") ? 4.2e12 : 2.9e12;
	if (cublasCreate(&device.blas) != CUBLAS_STATUS_SUCCESS) {
		printf("FAILED cublasCreate\n");
		return 1;
	}
	must(cudaMalloc(&workspace, 32 << 20), "cudaMalloc");
	cublasSetStream(device.blas, device.stream);
	cublasSetWorkspace(device.blas, workspace, 32 << 20);
	printf("device %s, %d multiprocessors, %d.%d; floors by %.1f TB/s\n", prop.name, device.sms, prop.major,
	        prop.minor, device.bytes_per_s / 1e12);
	return 0;
}

int main(int argc, char **argv)
{
	bool quick = false, time = false, shapes = false, profile = false;
	int status;

	for (int i = 1; i < argc; i++) {
		quick = quick || !strcmp(argv[i], "--quick");
		time = time || !strcmp(argv[i], "--time");
		shapes = shapes || !strcmp(argv[i], "--shapes");
		profile = profile || !strcmp(argv[i], "--once");
	}
	status = open_device();
	if (status)
		return status;
	if (profile)
		once();
	else if (time)
		times(shapes);
	else
		checks(quick);
	if (failures)
		printf("%d failed\n", failures);
	return failures != 0;
}
