/* How long a bundle adjustment of the largest planted scene takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>

#include "ba_scene.h"

#define LIMIT_NS INT64_C(1000000000)

static void full_scene_takes_a_second_on_two_cores(void **state)
{
	int64_t best = INT64_MAX;
	struct sb_error err;
	struct sb_ba *ba = NULL;

	(void)state;
	omp_set_num_threads(2);
	assert_int_equal(sb_ba_open(60, 1500, &ba, &err), SB_OK);
	for (int i = 0; i < 5; i++) {
		struct ba_scene s = ba_scene_new(&ba_scene_kinds[0]);
		struct sb_ba_result r;
		int64_t start = sb_now_ns();

		sb_ba_solve(ba, &s.problem, &sb_ba_options_reference, &r);
		best = sb_now_ns() - start < best ? sb_now_ns() - start : best;
		assert_int_equal(r.iterations, 100);
		ba_scene_free(&s);
	}
	print_message("100 steps, 60 frames, 1500 points: %.0f ms (best of 5)\n", (double)best / 1e6);
	assert_true(best <= LIMIT_NS);
	sb_ba_close(ba);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(full_scene_takes_a_second_on_two_cores) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
