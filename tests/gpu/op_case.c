#include "op_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAUNCHES 30

static int failures;
static struct sb_cuda_launch launch;
static double ceiling; /* bytes a second that a copy reaches; 0 unknown */

/* ---- host data -------------------------------------------------------------------------------------------------- */

/* The CPU kernels run on one thread here, so that the program needs no OpenMP. */
int omp_get_max_threads(void);
int omp_get_max_threads(void)
{
	return 1;
}

void *op_alloc(size_t bytes)
{
	void *p = malloc(bytes + 1);

	if (!p) {
		printf("FAILED memory: no %zu bytes on the host\n", bytes);
		exit(1);
	}
	return p;
}

float *op_floats(int64_t n, float value)
{
	float *v = op_alloc((size_t)n * sizeof(*v));

	for (int64_t i = 0; i < n; i++)
		v[i] = value;
	return v;
}

float *op_nan(int64_t n)
{
	return op_floats(n, NAN);
}

static double unit(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

float *op_gauss(int64_t n, uint64_t seed, double mean, double dev)
{
	float *v = op_alloc((size_t)n * sizeof(*v));

	for (int64_t i = 0; i < n; i++) {
		double u = 1.0 - unit(&seed), w = unit(&seed);

		v[i] = (float)(mean + dev * sqrt(-2.0 * log(u)) * cos(6.283185307179586 * w));
	}
	return v;
}

float *op_uniform(int64_t n, uint64_t seed)
{
	float *v = op_alloc((size_t)n * sizeof(*v));

	for (int64_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		v[i] = (float)(seed >> 40) * 0x1p-23f - 1.0f;
	}
	return v;
}

/* ---- the device ------------------------------------------------------------------------------------------------- */

void op_cuda(cudaError_t code, const char *what)
{
	if (code == cudaSuccess)
		return;
	printf("FAILED %s: %s\n", what, cudaGetErrorString(code));
	exit(1);
}

void op_open_device(void)
{
	struct cudaDeviceProp p;
	int count = 0;
	cudaError_t code = cudaGetDeviceCount(&count);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (code != cudaSuccess || count == 0) {
		printf("skipped: no CUDA device: %s\n", cudaGetErrorString(code));
		exit(77);
	}
	op_cuda(cudaGetDeviceProperties(&p, 0), "device");
	launch.sms = p.multiProcessorCount;
	launch.capability = 10 * p.major + p.minor;
	ceiling = strstr(p.name, "H200") ? 4.2e12 : strstr(p.name, "H100") ? 2.9e12 : 0.0;
	printf("device %s, %d multiprocessors\n", p.name, launch.sms);
}

/* ---- one version of an op --------------------------------------------------------------------------------------- */

/* A copy of the arguments whose pointers lead to memory of their own. */
struct bound {
	unsigned char args[512];
	void *memory[OP_MAX_FIELDS]; /* NULL where a field shares an earlier one's, or has none */
	int device;
};

static void *pointer_at(const void *args, size_t offset)
{
	void *p;

	memcpy(&p, (const char *)args + offset, sizeof(p));
	return p;
}

static void *copy_of(const void *from, int64_t n, int device)
{
	size_t bytes = (size_t)n * 4;
	void *p = NULL;

	if (!device) {
		p = op_alloc(bytes);
		memcpy(p, from, bytes);
		return p;
	}
	op_cuda(cudaMalloc(&p, bytes ? bytes : 4), "cudaMalloc");
	op_cuda(cudaMemcpy(p, from, bytes, cudaMemcpyHostToDevice), "upload");
	return p;
}

static int shared_with(const void *args, const struct op_field *f, int i)
{
	for (int k = 0; k < i; k++)
		if (pointer_at(args, f[k].offset) == pointer_at(args, f[i].offset))
			return k;
	return i;
}

static void bind(
        struct bound *b, const struct op_row *op, const void *args, const struct op_field *f, int count, int device)
{
	if (op->args_size > sizeof(b->args) || count > OP_MAX_FIELDS)
		abort();
	memcpy(b->args, args, op->args_size);
	b->device = device;
	for (int i = 0; i < count; i++) {
		void *p = pointer_at(args, f[i].offset);
		int first = shared_with(args, f, i);

		b->memory[i] = NULL;
		if (!p)
			continue;
		if (first == i)
			b->memory[i] = copy_of(p, f[i].n, device);
		memcpy(b->args + f[i].offset, &b->memory[first], sizeof(p));
	}
}

static void unbind(struct bound *b, int count)
{
	for (int i = 0; i < count; i++)
		if (b->device)
			cudaFree(b->memory[i]);
		else
			free(b->memory[i]);
}

/* What field i holds now, on the host. */
static float *output(const struct bound *b, const struct op_field *f)
{
	void *p = pointer_at(b->args, f->offset);
	float *v = op_alloc((size_t)f->n * sizeof(*v));

	if (b->device)
		op_cuda(cudaMemcpy(v, p, (size_t)f->n * sizeof(*v), cudaMemcpyDeviceToHost), "download");
	else
		memcpy(v, p, (size_t)f->n * sizeof(*v));
	return v;
}

/* Scratch memory, full of what is no number. */
static void *scratch_for(const struct op_row *op, const void *args)
{
	size_t bytes = op->workspace ? op->workspace(args, &launch) : 0;
	void *p = NULL;

	if (bytes == 0)
		return NULL;
	op_cuda(cudaMalloc(&p, bytes), "cudaMalloc");
	op_cuda(cudaMemset(p, 0xff, bytes), "cudaMemset");
	return p;
}

static void run_on_device(const struct op_row *op, struct bound *b)
{
	launch.work = scratch_for(op, b->args);
	launch.launches = 0;
	launch.name = NULL;
	op_cuda((cudaError_t)op->cuda(b->args, &launch), op->name);
	op_cuda(cudaDeviceSynchronize(), op->name);
	cudaFree(launch.work);
	if (launch.launches > 0 && !launch.name) {
		printf("FAILED %s: no name\n", op->name);
		failures++;
	}
}

/* ---- comparing -------------------------------------------------------------------------------------------------- */

/* |v - ref| / |ref|; infinite where one is NaN or infinite and the other is not the same. */
static double error_of(const float *v, const float *ref, int64_t n)
{
	double diff = 0.0, norm = 0.0;

	for (int64_t i = 0; i < n; i++) {
		double d = (double)v[i] - (double)ref[i];

		if ((isnan(v[i]) && isnan(ref[i])) || v[i] == ref[i])
			d = 0.0;
		if (!isfinite(d))
			return INFINITY;
		diff += d * d;
		norm += isfinite(ref[i]) ? (double)ref[i] * (double)ref[i] : 0.0;
	}
	return norm > 0.0 ? sqrt(diff / norm) : sqrt(diff);
}

static int64_t different(const float *a, const float *b, int64_t n)
{
	int64_t count = 0;

	for (int64_t i = 0; i < n; i++)
		count += memcmp(a + i, b + i, sizeof(*a)) != 0 && !(isnan(a[i]) && isnan(b[i]));
	return count;
}

void op_report(const char *op, const char *what, double error, double limit)
{
	int good = error <= limit;

	printf("%s %s[%s] %.3g %.3g\n", good ? "ok" : "FAILED", op, what, error, limit);
	failures += !good;
}

int op_failures(void)
{
	return failures;
}

void op_check(const struct op_row *op, const void *args, const struct op_field *f, int count, const char *what)
{
	struct bound ref, cpu, gpu, again;
	double worst = 0.0, limit = 0.0, excess = -INFINITY;
	int64_t moved = 0;

	bind(&ref, op, args, f, count, 0);
	bind(&cpu, op, args, f, count, 0);
	bind(&gpu, op, args, f, count, 1);
	bind(&again, op, args, f, count, 1);
	op->ref(ref.args);
	op->cpu(cpu.args);
	run_on_device(op, &gpu);
	run_on_device(op, &again);
	for (int i = 0; i < count; i++) {
		float *r, *c, *g, *g2;
		double error, allowed;

		if (!f[i].out || !pointer_at(args, f[i].offset))
			continue;
		r = output(&ref, &f[i]);
		c = output(&cpu, &f[i]);
		g = output(&gpu, &f[i]);
		g2 = output(&again, &f[i]);
		moved += different(g, g2, f[i].n);
		error = op->exact ? (double)different(g, c, f[i].n) : error_of(g, r, f[i].n);
		allowed = op->exact ? 0.0 : 2.0 * error_of(c, r, f[i].n) + OP_ROUNDING;
		if (error - allowed > excess) {
			excess = error - allowed;
			worst = error;
			limit = allowed;
		}
		free(r);
		free(c);
		free(g);
		free(g2);
	}
	op_report(op->name, what, worst, limit);
	if (moved)
		op_report(op->name, "a second run", (double)moved, 0.0);
	unbind(&ref, count);
	unbind(&cpu, count);
	unbind(&gpu, count);
	unbind(&again, count);
}

/* ---- timing ----------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* What a launch takes among others in a row, in us: without the pause around a single one. */
static double in_a_row(const struct op_row *op, const void *args, cudaEvent_t start, cudaEvent_t end)
{
	float ms;

	op_cuda(cudaEventRecord(start, NULL), "event");
	for (int i = 0; i < LAUNCHES; i++)
		op_cuda((cudaError_t)op->cuda(args, &launch), op->name);
	op_cuda(cudaEventRecord(end, NULL), "event");
	op_cuda(cudaEventSynchronize(end), op->name);
	op_cuda(cudaEventElapsedTime(&ms, start, end), "event");
	return 1e3 * (double)ms / LAUNCHES;
}

void op_time(
        const struct op_row *op, const void *args, const struct op_field *f, int count, const char *what, double bytes)
{
	struct bound b;
	cudaEvent_t start, end;
	float ms[LAUNCHES];
	double median;

	bind(&b, op, args, f, count, 1);
	launch.work = scratch_for(op, b.args);
	op_cuda(cudaEventCreate(&start), "event");
	op_cuda(cudaEventCreate(&end), "event");
	for (int i = -3; i < LAUNCHES; i++) {
		op_cuda(cudaEventRecord(start, NULL), "event");
		op_cuda((cudaError_t)op->cuda(b.args, &launch), op->name);
		op_cuda(cudaEventRecord(end, NULL), "event");
		op_cuda(cudaEventSynchronize(end), op->name);
		if (i >= 0)
			op_cuda(cudaEventElapsedTime(&ms[i], start, end), "event");
	}
	qsort(ms, LAUNCHES, sizeof(ms[0]), by_value);
	median = 0.5e3 * ((double)ms[LAUNCHES / 2 - 1] + (double)ms[LAUNCHES / 2]);
	printf("time %s[%s] %.1f us (n %d, %.1f .. %.1f) %.0f GB/s", op->name, what, median, LAUNCHES,
	        1e3 * (double)ms[0], 1e3 * (double)ms[LAUNCHES - 1], 1e-3 * bytes / median);
	if (ceiling > 0.0)
		printf(" floor %.1f us", 1e6 * bytes / ceiling);
	printf(", in a row %.1f us\n", in_a_row(op, b.args, start, end));
	cudaEventDestroy(start);
	cudaEventDestroy(end);
	cudaFree(launch.work);
	unbind(&b, count);
}
