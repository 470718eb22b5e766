/*
 * The collector of CUPTI's records on a device: every launch, copy and set is seen once, belongs to its op, and lasts
 * as long as events say. What tracing costs is printed, beside what the same launches take before CUPTI is loaded.
 */
#include <cuda_runtime_api.h>
#include <cupti.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sb_cupti.h"

#define MANY 20000

cudaError_t launch_nothing(cudaStream_t stream, int grid, int threads);
cudaError_t launch_something(cudaStream_t stream, float *v, int n, int rounds);

static int failures;
static cudaStream_t stream;

static void report(const char *name, double value, double limit, int good)
{
	printf("%s %s %.6g %.6g\n", good ? "ok" : "FAILED", name, value, limit);
	failures += !good;
}

static void equal(const char *name, int64_t value, int64_t expected)
{
	report(name, (double)value, (double)expected, value == expected);
}

static void cuda(cudaError_t code, const char *what)
{
	if (code == cudaSuccess)
		return;
	printf("FAILED %s: %s\n", what, cudaGetErrorString(code));
	exit(1);
}

static void must(enum sb_status status, const struct sb_error *err)
{
	if (status == SB_OK)
		return;
	printf("FAILED %s\n", err->msg);
	exit(1);
}

/* A pass of `n` empty launches: nanoseconds each, median of five. */
static double empty_launch_ns(int n)
{
	double best[5];

	for (int k = 0; k < 5; k++) {
		int64_t start;
		int at = k;

		cuda(cudaStreamSynchronize(stream), "synchronize");
		start = sb_now_ns();
		for (int i = 0; i < n; i++)
			launch_nothing(stream, 1, 32);
		cuda(cudaStreamSynchronize(stream), "launch");
		best[k] = (double)(sb_now_ns() - start) / n;
		for (; at > 0 && best[at] < best[at - 1]; at--) {
			double t = best[at];

			best[at] = best[at - 1];
			best[at - 1] = t;
		}
	}
	return best[2];
}

static void check_account(const char *name, const struct sb_activity_account *a, int64_t n)
{
	printf("%s: overhead %.3f ms\n", name, 1e-6 * (double)a->overhead_ns);
	equal("requested", a->requested, n);
	equal("delivered", a->delivered, n);
	equal("dropped", a->dropped, 0);
	equal("without times", a->zero_time, 0);
	equal("unmatched", a->unmatched, 0);
}

/* Launches, copies and sets of every sort that the backend makes, op by op. */
static void check_kinds(struct sb_cupti *c, struct sb_error *err)
{
	enum { N = 1 << 20 };
	static const char *const names[] = { "memcpy HtoD", "memset", "something", "memcpy DtoD", "memcpy DtoH",
		"nothing" };
	const struct sb_activity *a;
	struct sb_activity_account account;
	int64_t begin = sb_now_ns();
	float *device, *host;
	size_t n;

	cuda(cudaMalloc((void **)&device, 2 * N * sizeof(float)), "cudaMalloc");
	cuda(cudaMallocHost((void **)&host, N * sizeof(float)), "cudaMallocHost");
	memset(host, 0, N * sizeof(float));
	must(sb_cupti_begin(c, err), err);
	sb_cupti_op(c, 10);
	cuda(cudaMemcpyAsync(device, host, N * sizeof(float), cudaMemcpyHostToDevice, stream), "copy");
	sb_cupti_op(c, 11);
	cuda(cudaMemsetAsync(device + N, 0, N * sizeof(float), stream), "set");
	sb_cupti_op(c, 12);
	cuda(launch_something(stream, device, N, 3), "launch");
	sb_cupti_op(c, 13);
	cuda(cudaMemcpyAsync(device + N, device, N * sizeof(float), cudaMemcpyDeviceToDevice, stream), "copy");
	sb_cupti_op(c, 14);
	cuda(cudaMemcpyAsync(host, device, N * sizeof(float), cudaMemcpyDeviceToHost, stream), "copy");
	sb_cupti_op(c, 15);
	cuda(launch_nothing(stream, 3, 64), "launch");
	cuda(cudaStreamSynchronize(stream), "synchronize");
	must(sb_cupti_end(c, &a, &n, &account, err), err);
	check_account("one of each", &account, 6);
	for (size_t i = 0; i < n && i < 6; i++) {
		int64_t bytes = i == 2 || i == 5 ? 0 : N * (int64_t)sizeof(float);
		int good = a[i].op == 10 + i && a[i].bytes == bytes && strstr(a[i].name, names[i]) &&
		           a[i].start_ns > begin && a[i].start_ns < sb_now_ns() &&
		           (i == 0 || a[i].start_ns >= a[i - 1].start_ns + a[i - 1].dur_ns);

		printf("op %u %s bytes %lld at %.3f ms for %.3f us grid %d block %d registers %d\n", a[i].op, a[i].name,
		        (long long)a[i].bytes, 1e-6 * (double)(a[i].start_ns - begin), 1e-3 * (double)a[i].dur_ns,
		        a[i].grid[0], a[i].block[0], a[i].registers);
		report(names[i], (double)a[i].op, (double)(10 + i), good);
	}
	if (n == 6)
		equal("grid and block", a[5].grid[0] * 1000 + a[5].block[0], 3064);
	cuda(cudaFree(device), "cudaFree");
	cuda(cudaFreeHost(host), "cudaFreeHost");
}

/* Many empty launches in a row, twice: none is lost, and each has its place. */
static void check_many(struct sb_cupti *c, struct sb_error *err)
{
	const struct sb_activity *a;
	struct sb_activity_account account;

	for (int pass = 0; pass < 2; pass++) {
		int64_t wrong = 0;
		size_t n;

		must(sb_cupti_begin(c, err), err);
		for (uint32_t i = 0; i < MANY; i++) {
			sb_cupti_op(c, i);
			launch_nothing(stream, 1, 32);
		}
		cuda(cudaStreamSynchronize(stream), "synchronize");
		must(sb_cupti_end(c, &a, &n, &account, err), err);
		check_account("20,000 launches", &account, MANY);
		for (size_t i = 0; i < n; i++)
			wrong += a[i].op != i || (i > 0 && a[i].start_ns < a[i - 1].start_ns);
		equal("launches out of place", wrong, 0);
	}
}

enum { ELEMENTS = 1 << 24, TIMES = 15 };

static int by_value(const void *pa, const void *pb)
{
	double a = *(const double *)pa, b = *(const double *)pb;

	return (a > b) - (a < b);
}

/* Events around each of TIMES + 5 launches of which the first five warm up; median, us. */
static double by_events(float *device)
{
	cudaEvent_t start, end;
	double us[TIMES];

	cuda(cudaEventCreate(&start), "event");
	cuda(cudaEventCreate(&end), "event");
	for (int i = -5; i < TIMES; i++) {
		float ms;

		cuda(cudaEventRecord(start, stream), "event");
		cuda(launch_something(stream, device, ELEMENTS, 400), "launch");
		cuda(cudaEventRecord(end, stream), "event");
		cuda(cudaEventSynchronize(end), "event");
		cuda(cudaEventElapsedTime(&ms, start, end), "event");
		if (i >= 0)
			us[i] = 1e3 * (double)ms;
	}
	cuda(cudaEventDestroy(start), "event");
	cuda(cudaEventDestroy(end), "event");
	qsort(us, TIMES, sizeof(us[0]), by_value);
	return us[TIMES / 2];
}

/* A kernel of some hundred microseconds: its time in a pass against events around launches outside of any. */
static void check_times(struct sb_cupti *c, struct sb_error *err)
{
	const struct sb_activity *a;
	struct sb_activity_account account;
	double us[TIMES], without, within;
	float *device;
	size_t n;

	cuda(cudaMalloc((void **)&device, ELEMENTS * sizeof(float)), "cudaMalloc");
	cuda(cudaMemset(device, 0, ELEMENTS * sizeof(float)), "cudaMemset");
	without = by_events(device);
	must(sb_cupti_begin(c, err), err);
	within = by_events(device);
	cuda(cudaStreamSynchronize(stream), "synchronize");
	must(sb_cupti_end(c, &a, &n, &account, err), err);
	equal("timed launches", (int64_t)n, TIMES + 5);
	for (size_t i = 0; n == TIMES + 5 && i < TIMES; i++)
		us[i] = 1e-3 * (double)a[5 + i].dur_ns;
	if (n == TIMES + 5) {
		qsort(us, TIMES, sizeof(us[0]), by_value);
		printf("one kernel: %.1f us by CUPTI, %.1f by events outside of a pass, %.1f by events within\n",
		        us[TIMES / 2], without, within);
		report("CUPTI against events, us", fabs(us[TIMES / 2] - without), 0.02 * without + 1.0,
		        fabs(us[TIMES / 2] - without) <= 0.02 * without + 1.0);
	}
	cuda(cudaFree(device), "cudaFree");
}

/* ---- the least that CUPTI can cost ------------------------------------------------------------------------------ */

enum { BARE_BUFFERS = 64 };

static const size_t bare_bytes = (size_t)8 << 20;
static uint8_t *bare_buffer[BARE_BUFFERS];
static int bare_next;

static void CUPTIAPI bare_give(uint8_t **memory, size_t *size, size_t *max_records)
{
	*memory = bare_buffer[bare_next++ % BARE_BUFFERS];
	*size = bare_bytes;
	*max_records = 0;
}

static void CUPTIAPI bare_take(CUcontext context, uint32_t id, uint8_t *memory, size_t size, size_t valid)
{
	(void)context;
	(void)id;
	(void)memory;
	(void)size;
	(void)valid;
}

/*
 * Kernel records into buffers that nobody reads, in a process of its own: prints an empty launch without and with it.
 * Buffers go round: what is in them does not matter here.
 */
static int bare(void)
{
	void *library = dlopen("libcupti.so.13", RTLD_NOW);
	__typeof__(cuptiActivityRegisterCallbacks) *callbacks;
	__typeof__(cuptiActivityEnable) *enable;
	__typeof__(cuptiActivityFlushAll) *flush;
	__typeof__(cuptiActivitySetAttribute) *attribute;
	uint8_t yes = 1;
	size_t one = sizeof(yes);
	double without, with;

	if (!library)
		return 77;
	*(void **)(void *)&callbacks = dlsym(library, "cuptiActivityRegisterCallbacks");
	*(void **)(void *)&enable = dlsym(library, "cuptiActivityEnable");
	*(void **)(void *)&flush = dlsym(library, "cuptiActivityFlushAll");
	*(void **)(void *)&attribute = dlsym(library, "cuptiActivitySetAttribute");
	if (!callbacks || !enable || !flush || !attribute)
		return 77;
	for (int i = 0; i < BARE_BUFFERS; i++) {
		bare_buffer[i] = aligned_alloc(64, bare_bytes);
		if (!bare_buffer[i])
			return 1;
		memset(bare_buffer[i], 0, bare_bytes);
	}
	attribute(CUPTI_ACTIVITY_ATTR_MEM_ALLOCATION_TYPE_HOST_PINNED, &one, &yes);
	callbacks(bare_give, bare_take);
	cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream");
	empty_launch_ns(MANY);
	without = empty_launch_ns(MANY);
	if (enable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) != CUPTI_SUCCESS)
		return 77;
	empty_launch_ns(MANY);
	with = empty_launch_ns(MANY);
	flush(1);
	printf("%.1f %.1f\n", without, with);
	return 0;
}

/* An empty launch without and with bare tracing, in nanoseconds; not a number where it could not be found out. */
static void bare_launch_ns(const char *self, double *without, double *with)
{
	char command[512], line[128] = "";
	FILE *child;

	*without = *with = NAN;
	snprintf(command, sizeof(command), "'%s' --bare", self);
	child = popen(command, "r");
	if (child && fgets(line, sizeof(line), child) && sscanf(line, "%lf %lf", without, with) == 2)
		printf("bare CUPTI in a process of its own: empty launch %.0f ns without, %.0f ns with\n", *without,
		        *with);
	if (child)
		pclose(child);
}

int main(int argc, char **argv)
{
	struct sb_error err = { .code = SB_OK };
	struct sb_cupti *c = NULL;
	double before, between, during, bare_without, bare_with;
	size_t free_before, free_after, total;
	const struct sb_activity *a;
	struct sb_activity_account account;
	enum sb_status status;
	size_t n;
	int count = 0;

	if (argc > 1 && strcmp(argv[1], "--bare") == 0)
		return bare();
	setvbuf(stdout, NULL, _IOLBF, 0);
	bare_launch_ns(argv[0], &bare_without, &bare_with);
	if (argc > 1 && strcmp(argv[1], "--late") == 0)
		cudaFree(NULL); /* as in a worker: there is a context already */
	status = sb_cupti_open(200000, &c, &err);
	if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
		printf("skipped: no CUDA device\n");
		return 77;
	}
	if (status == SB_E_ENV) {
		printf("skipped: %s\n", err.msg);
		return 77;
	}
	must(status, &err);
	printf("%s\n", sb_cupti_version(c));
	cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream");
	empty_launch_ns(MANY);
	cuda(cudaMemGetInfo(&free_before, &total), "memory");
	before = empty_launch_ns(MANY);
	check_kinds(c, &err);
	check_many(c, &err);
	check_times(c, &err);
	must(sb_cupti_begin(c, &err), &err);
	during = empty_launch_ns(MANY);
	must(sb_cupti_end(c, &a, &n, &account, &err), &err);
	check_account("100,000 launches", &account, 5 * MANY);
	between = empty_launch_ns(MANY);
	cuda(cudaMemGetInfo(&free_after, &total), "memory");
	printf("empty launch: %.0f ns before the first pass, %.0f ns in a pass, %.0f ns after\n", before, during,
	        between);
	printf("device memory taken by passes: %lld bytes\n", (long long)free_before - (long long)free_after);
	printf("a pass adds %.2f times what bare CUPTI adds\n", (during - bare_without) / (bare_with - bare_without));
	sb_cupti_close(c);
	printf("%d failed\n", failures);
	return failures > 0;
}
