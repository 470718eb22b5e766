/* What chips count in one pass, asked of CUPTI itself: no device is needed, its libraries are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"

static const struct sb_counter *find(const struct sb_counter_plan *p, const char *name)
{
	for (int i = 0; i < p->n; i++)
		if (!strcmp(p->counter[i].name, name))
			return &p->counter[i];
	fail_msg("no counter '%s'", name);
	return NULL;
}

static void open_plan(enum sb_counter_set set, const char *chip, struct sb_counter_plan *p)
{
	struct sb_error err = { 0 };

	if (sb_counter_plan_open(set, chip, NULL, p, &err))
		fail_msg("%s: %s", chip, err.msg);
}

static void every_ampere_and_later_chip_counts_tf32_operations_in_one_pass(void **state)
{
	static const char *const chips[] = { "GA100", "GA102", "GA104", "AD102", "AD104", "GH100", "GB202" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(chips); i++) {
		struct sb_counter_plan p;

		open_plan(SB_COUNTERS_TF32, chips[i], &p);
		assert_non_null(find(&p, "tf32_ops")->metric);
		assert_null(find(&p, "tf32_ops")->absent);
		assert_non_null(p.config);
		assert_true(p.config_bytes > 0);
		sb_counter_plan_close(&p);
		assert_null(p.host);
	}
}

static void on_hopper_wgmma_and_mma_are_told_apart(void **state)
{
	struct sb_counter_plan p;

	(void)state;
	open_plan(SB_COUNTERS_TF32, "GH100", &p);
	assert_string_equal(find(&p, "tf32_wgmma_ops")->metric, "sm__ops_path_tensor_op_hgmma_src_tf32_dst_fp32.sum");
	assert_string_equal(find(&p, "tf32_mma_ops")->metric, "sm__ops_path_tensor_op_hmma_src_tf32_dst_fp32.sum");
	sb_counter_plan_close(&p);
}

static void all_counters_of_a_set_fit_into_one_pass_on_hopper(void **state)
{
	(void)state;
	for (int set = 0; set < SB_COUNTER_SETS; set++) {
		struct sb_counter_plan p;

		open_plan((enum sb_counter_set)set, "GH100", &p);
		for (int i = 0; i < p.n; i++)
			assert_null(p.counter[i].absent);
		sb_counter_plan_close(&p);
	}
}

static void what_a_chip_lacks_is_absent_with_the_reason(void **state)
{
	struct sb_counter_plan p;

	(void)state;
	open_plan(SB_COUNTERS_TF32, "GA100", &p);
	assert_null(find(&p, "tf32_wgmma_ops")->metric);
	assert_string_equal(find(&p, "tf32_wgmma_ops")->absent, "this chip does not count it");
	sb_counter_plan_close(&p);
	open_plan(SB_COUNTERS_TF32, "GB100", &p); /* counts it in two */
	assert_string_equal(find(&p, "tf32_ops")->absent, "it would need a second pass");
	sb_counter_plan_close(&p);
}

static void a_chip_that_cupti_does_not_know_is_an_error(void **state)
{
	struct sb_counter_plan p = { .n = 0 };
	struct sb_error err = { 0 };

	(void)state;
	assert_int_equal(sb_counter_plan_open(SB_COUNTERS_TF32, "XX100", NULL, &p, &err), SB_E_ENV);
	assert_non_null(strstr(err.msg, "no counters: "));
	assert_null(p.host);
	sb_counter_plan_close(&p);
}

static void without_the_library_there_are_no_counters(void **state)
{
	struct sb_counter_plan p = { .n = 0 };
	struct sb_error err = { 0 };
	char *named = getenv("SPABENCH_CUPTI");
	char *before = named ? sb_strdup(named) : NULL;

	(void)state;
	setenv("SPABENCH_CUPTI", "/nonexistent/libcupti.so", 1);
	assert_int_equal(sb_counter_plan_open(SB_COUNTERS_TF32, "GH100", NULL, &p, &err), SB_E_ENV);
	assert_non_null(strstr(err.msg, "/nonexistent/libcupti.so"));
	unsetenv("SPABENCH_CUPTI");
	if (before)
		setenv("SPABENCH_CUPTI", before, 1);
	free(before);
}

int main(void)
{
	const struct CMUnitTest missing[] = {
		cmocka_unit_test(without_the_library_there_are_no_counters), /* first: the library stays loaded */
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_ampere_and_later_chip_counts_tf32_operations_in_one_pass),
		cmocka_unit_test(on_hopper_wgmma_and_mma_are_told_apart),
		cmocka_unit_test(all_counters_of_a_set_fit_into_one_pass_on_hopper),
		cmocka_unit_test(what_a_chip_lacks_is_absent_with_the_reason),
		cmocka_unit_test(a_chip_that_cupti_does_not_know_is_an_error),
	};
	struct sb_counter_plan p;
	struct sb_error err = { 0 };
	int failed = cmocka_run_group_tests(missing, NULL, NULL);

	if (sb_counter_plan_open(SB_COUNTERS_TF32, "GH100", NULL, &p, &err)) {
		printf("skipped: %s\n", err.msg);
		return failed ? failed : 77;
	}
	sb_counter_plan_close(&p);
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
