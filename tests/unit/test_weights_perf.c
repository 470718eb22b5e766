/*
 * Speed of the rule that makes synthetic weights: front end of `small` (51 M values) within 0.5 s and, with
 * SB_LONG_TESTS=1, that of `full` (1.16 G) within 10 s, on two threads. The best of three counts, against ten times
 * that on a machine that others use; SB_PERF_STRICT=1 takes the figures as they stand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <omp.h>

#include "sb_presets.h"
#include "sb_weights.h"

enum { ROUNDS = 3 };

struct values {
	int64_t all, largest;
	float *out; /* NULL: only counted */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void take(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	struct values *v = ctx;
	int64_t n = 1;

	for (int d = 0; d < ndim; d++)
		n *= shape[d];
	v->all += n;
	v->largest = n > v->largest ? n : v->largest;
	if (v->out)
		sb_synthetic_fill(name, shape, ndim, v->out);
}

static void check_speed(const char *preset, double limit_s)
{
	double margin = getenv("SB_PERF_STRICT") ? 1.0 : 10.0, best_s = 1e9;
	struct values count = { 0 };
	const struct sb_preset *p;

	assert_int_equal(sb_preset_find(preset, &p, NULL), SB_OK);
	sb_front_tensors(&p->front, take, &count);
	for (int round = 0; round < ROUNDS; round++) {
		struct values v = { .out = malloc((size_t)count.largest * sizeof(float)) };
		double begun = now(), took;

		assert_non_null(v.out);
		sb_front_tensors(&p->front, take, &v);
		took = now() - begun;
		best_s = took < best_s ? took : best_s;
		free(v.out);
	}
	print_message("  %s: %.1f M values in %.3f s, wanted %g s\n", preset, (double)count.all / 1e6, best_s, limit_s);
	assert_true(best_s <= limit_s * margin);
}

static void weights_of_small_take_half_a_second(void **state)
{
	(void)state;
	check_speed("small", 0.5);
}

static void weights_of_full_take_ten_seconds(void **state)
{
	(void)state;
	if (!getenv("SB_LONG_TESTS")) {
		print_message("  skipped: set SB_LONG_TESTS=1 to run it\n");
		skip();
	}
	check_speed("full", 10.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_of_small_take_half_a_second),
		cmocka_unit_test(weights_of_full_take_ten_seconds),
	};

	omp_set_num_threads(2);
	return cmocka_run_group_tests_name("weights speed", tests, NULL, NULL);
}
