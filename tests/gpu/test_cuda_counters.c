/*
 * Counted TF32 operations against those that were asked for: products by cuBLAS and our attention, at both levels, and
 * what ranges cost. Exit 0 all ok, 1 something failed, 77 no device or no counters, with the reason.
 */
#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attention_cuda.h"
#include "counters.h"
#include "sb_base.h"

#define SIDE 2048 /* of the products */

static int failures;
static cudaStream_t stream;
static cublasHandle_t blas;
static float *buffer[4]; /* SIDE x SIDE each */

static void report(const char *name, double value, double lo, double hi)
{
	bool good = value >= lo && value <= hi;

	printf("%s %s %.9g %.9g..%.9g\n", good ? "ok" : "FAILED", name, value, lo, hi);
	failures += !good;
}

static void cuda(int code, const char *what)
{
	if (code == 0)
		return;
	printf("FAILED %s: %d %s\n", what, code, cudaGetErrorString((cudaError_t)code));
	exit(1);
}

/* ---- work ------------------------------------------------------------------------------------------------------- */

static void product(bool tf32)
{
	const float one = 1.0f, zero = 0.0f;

	cublasSetMathMode(blas, tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH);
	cuda(cublasSgemm(blas, CUBLAS_OP_T, CUBLAS_OP_N, SIDE, SIDE, SIDE, &one, buffer[0], SIDE, buffer[1], SIDE,
	             &zero, buffer[2], SIDE),
	        "cublasSgemm");
}

#define HEADS 8
#define DIM   64

/* q, k, v and o of one batch entry, SIDE x (HEADS x DIM) floats each. */
static void attention(bool efficient, bool tf32)
{
	const struct sb_attention_strides s = { (int64_t)SIDE * HEADS * DIM, DIM, (int64_t)HEADS * DIM };
	struct sb_attention_args a = { .q = buffer[0],
		.k = buffer[1],
		.v = buffer[2],
		.o = buffer[3],
		.qs = s,
		.ks = s,
		.vs = s,
		.os = s,
		.batch = 1,
		.heads = HEADS,
		.lq = SIDE,
		.lk = SIDE,
		.dim = DIM,
		.scale = 0.125f };
	struct sb_cuda_launch l = {
		.stream = stream, .blas = blas, .capability = 90, .efficient = efficient, .tf32 = tf32
	};
	struct cudaDeviceProp prop;
	size_t bytes;

	cuda(cudaGetDeviceProperties(&prop, 0), "cudaGetDeviceProperties");
	l.sms = prop.multiProcessorCount;
	l.capability = prop.major * 10 + prop.minor;
	bytes = sb_attention_cuda_workspace(&a, &l);
	if (bytes)
		cuda(cudaMalloc(&l.work, bytes), "cudaMalloc");
	cuda(sb_attention_cuda(&a, &l), "attention");
	cuda(cudaStreamSynchronize(stream), "attention");
	cudaFree(l.work);
}

/* ---- checks ----------------------------------------------------------------------------------------------------- */

static void work(const char *range)
{
	if (!strncmp(range, "gemm_tf32", 9))
		product(true);
	else if (!strncmp(range, "gemm_fp32", 9))
		product(false);
	else if (!strncmp(range, "efficient_fp32", 14))
		attention(true, false);
	else if (!strncmp(range, "efficient_tf32", 14))
		attention(true, true);
	else if (!strncmp(range, "standard_tf32", 13))
		attention(false, true);
	else if (!strncmp(range, "standard_fp32", 13))
		attention(false, false);
}

/* A pass over these ranges, with or without a wait at the end of each; false: could not be counted, and why was
 * printed. */
static bool count(struct sb_counters *c, enum sb_counter_set set, bool wait, const char *const *ranges,
        const struct sb_counted **out, size_t *n)
{
	struct sb_error err = { 0 };
	enum sb_status status = sb_counters_begin(c, set, 16, &err);

	for (int i = 0; ranges[i] && !status; i++) {
		status = sb_counters_range(c, ranges[i], &err);
		if (!status)
			work(ranges[i]);
		if (wait)
			cuda(cudaStreamSynchronize(stream), "a range");
	}
	if (!status)
		status = sb_counters_range(c, NULL, &err);
	cuda(cudaStreamSynchronize(stream), "a pass");
	if (!status)
		status = sb_counters_end(c, out, n, &err);
	if (status)
		printf("FAILED a pass of set %d: %s\n", (int)set, err.msg);
	failures += status != SB_OK;
	return status == SB_OK;
}

static void print(const struct sb_counters *c, const struct sb_counted *r, size_t n)
{
	const struct sb_counter_plan *p = sb_counters_plan(c);

	for (size_t i = 0; i < n; i++) {
		printf("  %s x %lld:", r[i].range, (long long)r[i].times);
		for (int k = 0; k < p->n; k++) {
			if (p->counter[k].metric)
				printf(" %s %.0f", p->counter[k].name, r[i].value[k]);
			else
				printf(" %s - (%s)", p->counter[k].name, p->counter[k].absent);
		}
		putchar('\n');
	}
}

static double value_of(
        const struct sb_counters *c, const struct sb_counted *r, size_t n, const char *range, const char *counter)
{
	const struct sb_counter_plan *p = sb_counters_plan(c);

	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < p->n && !strcmp(r[i].range, range); k++)
			if (!strcmp(p->counter[k].name, counter))
				return r[i].value[k];
	return -1.0;
}

/* Work inside of ranges, in turns, and outside of all. */
static void check_tf32(struct sb_counters *c)
{
	static const char *const ranges[] = { "gemm_tf32", "gemm_fp32", "efficient_fp32", "efficient_tf32",
		"standard_fp32", "standard_tf32", NULL };
	const double gemm = 2.0 * SIDE * SIDE * SIDE, att = 4.0 * HEADS * (double)SIDE * SIDE * DIM;
	const struct {
		const char *range;
		double lo, hi;
	} expected[] = {
		{ "gemm_tf32", gemm, 1.01 * gemm }, { "gemm_fp32", 0.0, 0.0 },
		{ "efficient_fp32", 3.0 * att, 3.01 * att }, { "efficient_tf32", att, 1.01 * att },
		{ "standard_fp32", 0.0, 0.0 },
		{ "standard_tf32", att, 1.25 * att }, /* cuBLAS fills tiles up: 1.125 on an H200 */
	};
	const struct sb_counted *r;
	size_t n;

	for (int i = 0; ranges[i]; i++)
		work(ranges[i]);
	cuda(cudaStreamSynchronize(stream), "warm-up");
	if (!count(c, SB_COUNTERS_TF32, true, ranges, &r, &n))
		return;
	print(c, r, n);
	for (size_t i = 0; i < SB_ARRAY_LEN(expected); i++)
		report(expected[i].range, value_of(c, r, n, expected[i].range, "tf32_ops"), expected[i].lo,
		        expected[i].hi);
	if (count(c, SB_COUNTERS_PASS, true, ranges, &r, &n))
		print(c, r, n);
}

/* Numbered names, which are added up here; and, for information, the same name again and again. */
static void check_names(struct sb_counters *c)
{
	static const char *const same[] = { "gemm_tf32", "gemm_fp32", "gemm_tf32", "gemm_fp32", "gemm_tf32", NULL };
	static const char *const numbered[] = { "gemm_tf32#1", "gemm_fp32#2", "gemm_tf32#3", "gemm_fp32#4",
		"gemm_tf32#5", NULL };
	const double gemm = 2.0 * SIDE * SIDE * SIDE;
	const struct sb_counted *r;
	size_t n;

	if (count(c, SB_COUNTERS_TF32, true, numbered, &r, &n)) {
		print(c, r, n);
		report("three ranges of numbered names", value_of(c, r, n, "gemm_tf32", "tf32_ops"), 3.0 * gemm,
		        3.03 * gemm);
		report("two ranges without any", value_of(c, r, n, "gemm_fp32", "tf32_ops"), 0.0, 0.0);
	}
	if (count(c, SB_COUNTERS_TF32, true, same, &r, &n)) {
		print(c, r, n);
		printf("one name three times: counted %.4f times\n", value_of(c, r, n, "gemm_tf32", "tf32_ops") / gemm);
	}
}

/* For information: is a range over before the next begins, when nobody waits? */
static void look_without_waits(struct sb_counters *c)
{
	static const char *const ranges[] = { "gemm_fp32#1", "gemm_tf32#2", "gemm_fp32#3", "gemm_tf32#4", NULL };
	const double gemm = 2.0 * SIDE * SIDE * SIDE;
	const struct sb_counted *r;
	size_t n;

	if (!count(c, SB_COUNTERS_TF32, false, ranges, &r, &n))
		return;
	printf("without waits: ");
	print(c, r, n);
	printf("counted in their own ranges: %.4f of the operations\n",
	        value_of(c, r, n, "gemm_tf32", "tf32_ops") / (2.0 * gemm));
}

/* What n ranges with nothing in them cost, in time and host memory. */
static void check_cost(struct sb_counters *c, int n_ranges)
{
	struct sb_error err = { 0 };
	const struct sb_counted *r;
	int64_t t[4];
	size_t n;
	char name[32];
	enum sb_status status;

	t[0] = sb_now_ns();
	status = sb_counters_begin(c, SB_COUNTERS_TF32, (size_t)n_ranges, &err);
	t[1] = sb_now_ns();
	for (int i = 0; i < n_ranges && !status; i++) {
		snprintf(name, sizeof(name), "kind%d#%d", i % 4, i);
		status = sb_counters_range(c, name, &err);
		cuda(cudaMemsetAsync(buffer[3], 0, 4096, stream), "set");
	}
	if (!status)
		status = sb_counters_range(c, NULL, &err);
	cuda(cudaStreamSynchronize(stream), "ranges");
	t[2] = sb_now_ns();
	if (!status)
		status = sb_counters_end(c, &r, &n, &err);
	t[3] = sb_now_ns();
	printf("%d ranges: begin %.1f ms, ranges %.3f ms each, end %.1f ms, data %.1f kB, %s\n", n_ranges,
	        1e-6 * (double)(t[1] - t[0]), 1e-6 * (double)(t[2] - t[1]) / n_ranges, 1e-6 * (double)(t[3] - t[2]),
	        1e-3 * (double)sb_counters_bytes(c), status ? err.msg : "ok");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	bool quick = argc > 1 && !strcmp(argv[1], "--quick");
	struct sb_counters *c;
	struct sb_error err;
	int count_of = 0;

	if (cudaGetDeviceCount(&count_of) != cudaSuccess || !count_of) {
		printf("skipped: no CUDA device\n");
		return 77;
	}
	cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
	cuda(cublasCreate(&blas), "cublasCreate");
	cuda(cublasSetStream(blas, stream), "cublasSetStream");
	for (int i = 0; i < 4; i++) {
		cuda(cudaMalloc((void **)&buffer[i], (size_t)SIDE * SIDE * sizeof(float)), "cudaMalloc");
		cuda(cudaMemset(buffer[i], 0, (size_t)SIDE * SIDE * sizeof(float)), "cudaMemset");
	}
	if (sb_counters_open(&c, &err)) {
		printf("skipped: %s\n", err.msg);
		return 77;
	}
	printf("chip %s\n", sb_counters_chip(c));
	check_tf32(c);
	check_names(c);
	look_without_waits(c);
	for (int n = 1; n <= (quick ? 16 : 1024); n *= 4)
		check_cost(c, n);
	sb_counters_close(c);
	printf("%d failed\n", failures);
	return failures != 0;
}
