#include "backend_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

void check(const char *name, double error, double limit)
{
	bool good = error <= limit;

	printf("%-6s %-58s %.3g %.3g\n", good ? "ok" : "FAILED", name, error, limit);
	failures += !good;
}

void check_that(const char *name, bool holds, const char *detail)
{
	printf("%-6s %-58s%s%s\n", holds ? "ok" : "FAILED", name, holds ? "" : " ", holds ? "" : detail);
	failures += !holds;
}

int check_failures(void)
{
	return failures;
}

void must(enum sb_status status, const struct sb_error *err, const char *what)
{
	if (!status)
		return;
	printf("FAILED %s: %s\n", what, err->msg);
	exit(1);
}

void *need(size_t bytes)
{
	void *p = malloc(bytes ? bytes : 1);

	if (!p) {
		printf("FAILED no memory for %zu bytes\n", bytes);
		exit(1);
	}
	return p;
}

float *random_floats(int64_t n, uint64_t seed)
{
	float *x = need((size_t)n * sizeof(*x));

	for (int64_t i = 0; i < n; i++)
		x[i] = (float)(2.0 * sb_random_unit(&seed) - 1.0);
	return x;
}

float *poison(int64_t n)
{
	float *x = need((size_t)n * sizeof(*x));

	for (int64_t i = 0; i < n; i++)
		x[i] = NAN;
	return x;
}

double relative_error(const float *got, const float *want, int64_t n)
{
	double err2 = 0.0, want2 = 0.0;

	for (int64_t i = 0; i < n; i++) {
		double d = (double)got[i] - (double)want[i];

		err2 += d * d;
		want2 += (double)want[i] * (double)want[i];
	}
	return want2 > 0.0 ? sqrt(err2 / want2) : err2;
}

struct sb_backend *open_device(int64_t limit_bytes)
{
	struct sb_error err = { .msg = "" };
	struct sb_backend *be = NULL;
	enum sb_status status = sb_backend_open("cuda:0", limit_bytes, &be, &err);

	if (status == SB_E_ENV) {
		printf("skipped: %s\n", err.msg);
		exit(77);
	}
	must(status, &err, "open");
	return be;
}

void set_levels(struct sb_backend *be, const char *text)
{
	struct sb_error err = { .msg = "" };
	struct sb_levels levels;

	must(sb_levels_parse(text, &levels, &err), &err, text);
	sb_backend_set_levels(be, &levels);
	must(sb_backend_begin_arm(be, &err), &err, "begin of an arm");
	must(sb_backend_begin_pass(be, 0, &err), &err, "begin of a pass");
}

void end_levels(struct sb_backend *be)
{
	struct sb_error err = { .msg = "" };

	must(sb_backend_end_pass(be, &err), &err, "end of a pass");
	check("blocks left allocated at the end of an arm", (double)sb_backend_end_arm(be), 0.0);
}

void submit(struct sb_backend *be, const struct sb_op *op)
{
	struct sb_error err = { .msg = "" };

	must(sb_submit(be, op, &err), &err, "submit");
}

float *to_device(struct sb_backend *be, const float *host, int64_t n)
{
	struct sb_error err = { .msg = "" };
	size_t bytes = (size_t)n * sizeof(*host);
	void *device = NULL;

	if (!host)
		return NULL;
	must(sb_device_alloc(be, bytes, &device, &err), &err, "device memory");
	must(SB_SUBMIT(be, UPLOAD, upload, ((struct sb_transfer_args){ device, host, bytes }), &err), &err, "upload");
	return device;
}

void from_device(struct sb_backend *be, const void *device, float *host, int64_t n)
{
	struct sb_transfer_args a = { host, device, (size_t)n * sizeof(*host) };
	struct sb_error err = { .msg = "" };

	must(SB_SUBMIT(be, DOWNLOAD, download, a, &err), &err, "download");
	must(be->ops->sync(be, &err), &err, "sync");
}

void drop(struct sb_backend *be, const void *device)
{
	sb_device_free(be, (void *)(uintptr_t)device);
}

struct sb_backend *open_way(const char *way, bool tf32)
{
	struct sb_backend *be;

	setenv("SPABENCH_CUDA_CONV", way, 1);
	be = open_device(0);
	unsetenv("SPABENCH_CUDA_CONV");
	printf("       convolutions: %s\n", way);
	set_levels(be, tf32 ? "precision=tf32,alloc=default" : "precision=fp32,alloc=default");
	return be;
}

/* Random values of the device's own making would need a kernel: a megabyte again and again does as well. */
float *filled(struct sb_backend *be, int64_t n)
{
	struct sb_error err = { .msg = "" };
	int64_t piece = 1 << 20;
	float *host = random_floats(piece, 31);
	void *device;

	must(sb_device_alloc(be, (size_t)n * sizeof(float), &device, &err), &err, "device memory");
	for (int64_t at = 0; at < n; at += piece) {
		struct sb_transfer_args a = { (float *)device + at, host,
			(size_t)(n - at < piece ? n - at : piece) * 4 };

		must(SB_SUBMIT(be, UPLOAD, upload, a, &err), &err, "upload");
	}
	free(host);
	return device;
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

#define LAUNCHES 24

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Bytes a second that a copy on the device moves, both ways counted; for the floor beside each time. */
static double device_bandwidth(struct sb_backend *be)
{
	struct sb_device_info info;

	sb_backend_info(be, &info);
	return strstr(info.name, "H200") ? 4.2e12 : 2.9e12;
}

void time_op(struct sb_backend *be, const char *name, const struct sb_op *op)
{
	struct sb_work work = sb_op_table[op->id].work(op);
	struct sb_error err = { .msg = "" };
	double us[LAUNCHES], median;

	for (int i = 0; i < 3; i++)
		submit(be, op);
	must(be->ops->sync(be, &err), &err, "sync");
	for (int i = 0; i < LAUNCHES; i++) {
		be->ops->mark(be, 0);
		submit(be, op);
		be->ops->mark(be, 1);
		must(be->ops->sync(be, &err), &err, "sync");
		us[i] = (double)be->ops->mark_ns(be, 1) * 1e-3;
	}
	qsort(us, LAUNCHES, sizeof(us[0]), by_size);
	median = 0.5 * (us[LAUNCHES / 2 - 1] + us[LAUNCHES / 2]);
	printf("time   %-44s %9.1f us (%.1f .. %.1f, n=%d) %7.1f GB/s %7.2f TFLOP/s, floor of bytes %.1f us, ran %s\n",
	        name, median, us[0], us[LAUNCHES - 1], LAUNCHES, work.bytes / median * 1e-3, work.flop / median * 1e-6,
	        work.bytes / device_bandwidth(be) * 1e6, be->kernel);
}
