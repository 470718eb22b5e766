/*
 * Cycles of the multiprocessors over a pass, through the device interface: every one is read, the rate is one that a
 * card has, and what the two readings cost a pass. --quick: fewer passes.
 */
#include "backend_check.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1 << 24, SCALES = 40, PASSES = 9 };

static int by_value(const void *pa, const void *pb)
{
	double a = *(const double *)pa, b = *(const double *)pb;

	return (a > b) - (a < b);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return v[n / 2];
}

/* A pass of `times` ops over n floats; host time from its first to its last, ns. */
static double pass(struct sb_backend *be, float *x, int64_t n, int times)
{
	struct sb_error err = { .msg = "" };
	int64_t start;

	must(sb_backend_begin_pass(be, 0, &err), &err, "begin");
	start = sb_now_ns();
	sb_backend_stage(be, "front.dino");
	for (int i = 0; i < times; i++)
		submit(be, &(struct sb_op){ .id = SB_OP_SCALE, .u.scale = { .x = x, .y = x, .n = n, .factor = 1.0f } });
	must(sb_backend_end_pass(be, &err), &err, "end");
	return (double)(be->pass_end_ns - start);
}

static int multiprocessors(void)
{
	int n = 0;

	return cudaDeviceGetAttribute(&n, cudaDevAttrMultiProcessorCount, 0) == cudaSuccess ? n : 0;
}

static void check_cycles(struct sb_backend *be, float *x)
{
	double cycles[PASSES], rate[PASSES], ns[PASSES], stage[PASSES];
	int sms = multiprocessors();

	pass(be, x, N, SCALES);
	for (int i = 0; i < PASSES; i++) {
		pass(be, x, N, SCALES);
		if (be->cycles.sms != sms)
			break;
		cycles[i] = (double)be->cycles.cycles;
		ns[i] = (double)be->cycles.ns;
		stage[i] = (double)be->stages[0].ns;
		rate[i] = 1e3 * cycles[i] / ns[i];
	}
	check("multiprocessors that were not read", sms - be->cycles.sms, 0);
	if (be->cycles.sms != sms)
		return;
	printf("%d multiprocessors; a pass of %.0f us by events: %.0f us and %.0f thousand cycles by the readings, "
	       "%.0f "
	       "MHz\n",
	        sms, 1e-3 * median(stage, PASSES), 1e-3 * median(ns, PASSES), 1e-3 * median(cycles, PASSES),
	        median(rate, PASSES));
	check_that("the rate is a card's", rate[0] > 200.0 && rate[PASSES - 1] < 4000.0, "it is not");
	/* What lies between the readings holds what lies between the events, and little more. */
	check("the stage is longer than the pass, us", 1e-3 * (median(stage, PASSES) - median(ns, PASSES)), 2.0);
	check("the pass is longer than the stage, us", 1e-3 * (median(ns, PASSES) - median(stage, PASSES)), 60.0);
}

/* Host time of a small pass with the readings and without, turn by turn. */
static void check_cost(struct sb_backend *be, float *x, int passes)
{
	const struct sb_backend_ops *with = be->ops;
	struct sb_backend_ops without = *with;
	double *t[2] = { need((size_t)passes * sizeof(double)), need((size_t)passes * sizeof(double)) };
	double us[2];

	without.cycles_mark = NULL;
	for (int i = -10; i < passes; i++) {
		for (int k = 0; k < 2; k++) {
			bool marks = (i + k) % 2 == 0;
			double ns;

			be->ops = marks ? with : &without;
			ns = pass(be, x, 1024, 10);
			if (i >= 0)
				t[marks][i] = ns;
		}
	}
	be->ops = with;
	for (int k = 0; k < 2; k++)
		us[k] = 1e-3 * median(t[k], passes);
	printf("a pass of ten small kernels: %.1f us without readings, %.1f with, n %d each\n", us[0], us[1], passes);
	check("what two readings cost a pass, us", us[1] - us[0], 30.0);
	free(t[0]);
	free(t[1]);
}

int main(int argc, char **argv)
{
	bool quick = argc > 1 && !strcmp(argv[1], "--quick");
	struct sb_error err = { .msg = "" };
	struct sb_backend *be;
	void *memory;
	float *x;

	setvbuf(stdout, NULL, _IOLBF, 0);
	be = open_device(0);
	set_levels(be, "attention=standard");
	must(sb_device_alloc(be, N * sizeof(*x), &memory, &err), &err, "memory");
	x = memory;
	submit(be, &(struct sb_op){ .id = SB_OP_FILL, .u.fill = { .x = x, .n = N, .value = 1.0f } });
	check_cycles(be, x);
	check_cost(be, x, quick ? 20 : 400);
	drop(be, x);
	end_levels(be);
	sb_backend_close(be);
	printf("%d failed\n", check_failures());
	return check_failures() > 0;
}
