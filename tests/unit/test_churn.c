#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sb_churn.h"

static void the_list_is_the_recorded_one(void **state)
{
	struct sb_churn_clip c[SB_CHURN_CLIPS];
	int64_t frames = 0;

	(void)state;
	sb_churn_list(0, 518, 1, c);
	assert_true(c[0].frames == 7 && c[0].height == 392);
	assert_true(c[13].frames == 40 && c[13].height == 392);
	assert_true(c[23].frames == 16 && c[23].height == 392);
	for (int i = 0; i < SB_CHURN_CLIPS; i++) {
		frames += c[i].frames;
		assert_true(c[i].height % 14 == 0);
	}
	assert_int_equal(frames, 463); /* the sum of the list in the notes of the recorded snapshots */
}

static void a_seed_draws_another_list_and_the_same_again(void **state)
{
	struct sb_churn_clip a[SB_CHURN_CLIPS], b[SB_CHURN_CLIPS], c[SB_CHURN_CLIPS];
	int same = 0;

	(void)state;
	sb_churn_list(1, 518, 1, a);
	sb_churn_list(1, 518, 1, b);
	sb_churn_list(2, 518, 1, c);
	assert_memory_equal(a, b, sizeof(a));
	for (int i = 0; i < SB_CHURN_CLIPS; i++) {
		assert_true(a[i].frames >= 4 && a[i].frames <= 40);
		assert_true(a[i].height >= 182 && a[i].height <= 392);
		same += a[i].frames == c[i].frames && a[i].height == c[i].height;
	}
	assert_true(same < SB_CHURN_CLIPS / 2);
}

static void a_smaller_network_has_a_smaller_list(void **state)
{
	struct sb_churn_clip c[SB_CHURN_CLIPS];

	(void)state;
	sb_churn_list(0, 252, 8, c);
	assert_true(c[0].frames == 1 && c[0].height == 196); /* 392 * 252 / 518 = 190.7 */
	assert_true(c[13].frames == 5 && c[14].height == 84);
}

/* One pass of `policy`; its statistics. */
static void churn(const char *policy, int64_t limit, struct sb_alloc_stats *stats, enum sb_status *status)
{
	static struct sb_case c = { .preset = "tiny" };
	struct sb_levels levels = { { 0 } };
	struct sb_workload_info info;
	struct sb_workload *w;
	struct sb_backend *be;
	struct sb_error err;
	char set[32];

	snprintf(set, sizeof(set), "alloc=%s", policy);
	assert_int_equal(sb_levels_set(&levels, set, &err), SB_OK);
	assert_int_equal(sb_levels_set(&levels, "attention=efficient", &err), SB_OK);
	assert_int_equal(sb_backend_open("cpu", limit, &be, &err), SB_OK);
	assert_int_equal(sb_workload_churn.open(&c, be, &w, &info, &err), SB_OK);
	assert_int_equal(info.frames, 5);
	sb_backend_set_levels(be, &levels);
	assert_int_equal(sb_workload_churn.prepare(w, &err), SB_OK);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &err), SB_OK);
	*status = sb_workload_churn.run(w, false, &err);
	if (*status)
		assert_non_null(strstr(err.msg, " of 24 ("));
	sb_alloc_stats(be->alloc, stats);
	sb_backend_end_arm(be);
	sb_workload_churn.close(w);
	sb_backend_close(be);
}

static void a_pass_returns_all_memory_and_asks_the_same_of_either_allocator(void **state)
{
	struct sb_alloc_stats a, b;
	enum sb_status status;

	(void)state;
	churn("default", 0, &a, &status);
	assert_int_equal(status, SB_OK);
	churn("expandable", 0, &b, &status);
	assert_int_equal(status, SB_OK);
	assert_int_equal(a.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].current, 0);
	assert_int_equal(b.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].current, 0);
	assert_int_equal(
	        a.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].peak, b.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].peak);
	assert_int_equal(
	        a.of[SB_ALLOC_ALLOCATIONS][SB_ALLOC_ALL].allocated, b.of[SB_ALLOC_ALLOCATIONS][SB_ALLOC_ALL].allocated);
	assert_true(
	        b.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak <= a.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak);
}

static void a_clip_that_does_not_fit_is_named(void **state)
{
	struct sb_alloc_stats stats;
	enum sb_status status;

	(void)state;
	churn("default", INT64_C(30) << 20, &stats, &status);
	assert_int_equal(status, SB_E_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_is_the_recorded_one),
		cmocka_unit_test(a_seed_draws_another_list_and_the_same_again),
		cmocka_unit_test(a_smaller_network_has_a_smaller_list),
		cmocka_unit_test(a_pass_returns_all_memory_and_asks_the_same_of_either_allocator),
		cmocka_unit_test(a_clip_that_does_not_fit_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
