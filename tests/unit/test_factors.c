#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sb_factors.h"

static void after_leaves_attention_precision_alone_and_best_sets_it(void **state)
{
	struct sb_arm after, best;
	struct sb_error err;

	(void)state;
	assert_int_equal(sb_arm_by_name("after", &after, &err), SB_OK);
	assert_int_equal(sb_arm_by_name("best", &best, &err), SB_OK);
	assert_string_equal(sb_level_name(&after.levels, SB_PART_PRECISION_GEMM), "tf32");
	assert_string_equal(sb_level_name(&after.levels, SB_PART_PRECISION_ATTENTION), "fp32");
	assert_string_equal(sb_level_name(&best.levels, SB_PART_PRECISION_ATTENTION), "tf32");
	assert_true(sb_levels_differ_only_in(&after.levels, &best.levels, "precision"));
	assert_false(sb_levels_differ_only_in(&after.levels, &best.levels, "attention"));
}

static void several_switches_make_one_arm(void **state)
{
	static const char *const wrong[] = { "+", "+precision+", "+precision+precision", "++alloc", "+precision+nope",
		"precision+alloc", "+alloc=default", "+alloc=nope", "+alloc=", "+alloc=stitched+alloc=stitched",
		"+alloc=stitched+alloc", "+alloc=stitchedstitchedstitchedstitchedstitched" };
	struct sb_arm both, after;
	struct sb_error err;

	(void)state;
	assert_int_equal(sb_arm_by_name("+precision+attention", &both, &err), SB_OK);
	assert_int_equal(sb_arm_by_name("after", &after, &err), SB_OK);
	assert_string_equal(both.name, "+precision+attention");
	assert_true(sb_levels_differ_only_in(&both.levels, &after.levels, "alloc"));
	assert_true(sb_levels_switch_on(&both.levels, "alloc"));
	assert_true(sb_levels_equal(&both.levels, &after.levels));
	assert_false(sb_levels_switch_on(&both.levels, "alloc"));
	for (size_t i = 0; i < SB_ARRAY_LEN(wrong); i++)
		assert_int_equal(sb_arm_by_name(wrong[i], &both, &err), SB_E_USAGE);
}

static void an_arm_can_name_a_level(void **state)
{
	struct sb_arm arm, plain;
	struct sb_error err;

	(void)state;
	assert_int_equal(sb_arm_by_name("+precision+attention+alloc=stitched", &arm, &err), SB_OK);
	assert_int_equal(sb_arm_by_name("+precision+attention", &plain, &err), SB_OK);
	assert_int_equal(arm.levels.part[SB_PART_ALLOC], SB_ALLOC_STITCHED);
	assert_true(sb_levels_differ_only_in(&plain.levels, &arm.levels, "alloc"));
	/* It is on: nobody takes it for the arm without the switch. */
	assert_false(sb_levels_switch_on(&arm.levels, "alloc"));
	assert_int_equal(arm.levels.part[SB_PART_ALLOC], SB_ALLOC_STITCHED);
	assert_int_equal(sb_arm_by_name("+precision.conv=tf32", &arm, &err), SB_OK);
	assert_int_equal(arm.levels.part[SB_PART_PRECISION_CONV], SB_PRECISION_TF32);
	assert_int_equal(arm.levels.part[SB_PART_PRECISION_GEMM], SB_PRECISION_FP32);
}

static void default_plan_has_one_arm_a_factor(void **state)
{
	static const char *const want[] = { "before", "+precision", "+attention", "+alloc", "after" };
	struct sb_arm arms[SB_ARMS_MAX];
	struct sb_error err;
	int n;

	(void)state;
	assert_int_equal(sb_arms_default(NULL, false, arms, &n, &err), SB_OK);
	assert_int_equal(n, 5);
	for (int i = 0; i < n; i++)
		assert_string_equal(arms[i].name, want[i]);
	for (int i = 1; i < 4; i++)
		assert_true(sb_levels_differ_only_in(&arms[0].levels, &arms[i].levels, sb_factor_names[i - 1]));
	assert_int_equal(sb_arms_default("attention", false, arms, &n, &err), SB_OK);
	assert_int_equal(n, 2);
	assert_int_equal(sb_arms_default("attention,alloc", false, arms, &n, &err), SB_OK);
	assert_int_equal(n, 4);
	assert_string_equal(sb_level_name(&arms[3].levels, SB_PART_PRECISION_GEMM), "fp32");
	assert_int_equal(sb_arms_default("alloc,color", false, arms, &n, &err), SB_E_USAGE);
}

static void levels_survive_a_round_trip(void **state)
{
	struct sb_arm best;
	struct sb_levels back;
	struct sb_error err;
	struct sb_buf text = { 0 };

	(void)state;
	assert_int_equal(sb_arm_by_name("best", &best, &err), SB_OK);
	sb_levels_format(&best.levels, &text);
	assert_string_equal(sb_buf_str(&text),
	        "precision.gemm=tf32,precision.conv=tf32,precision.attention=tf32,attention=efficient,"
	        "alloc=expandable");
	assert_int_equal(sb_levels_parse(sb_buf_str(&text), &back, &err), SB_OK);
	assert_true(sb_levels_equal(&best.levels, &back));
	sb_buf_release(&text);
}

static void unknown_names_are_refused_with_what_exists(void **state)
{
	struct sb_arm arms[SB_ARMS_MAX];
	struct sb_levels l = { { 0 } };
	struct sb_error err;
	int n;

	(void)state;
	assert_int_equal(sb_levels_set(&l, "precision=fp8", &err), SB_E_USAGE);
	assert_non_null(strstr(err.msg, "fp32 and tf32"));
	assert_int_equal(sb_levels_set(&l, "alloc=fast", &err), SB_E_USAGE);
	assert_non_null(strstr(err.msg, "default, expandable and stitched"));
	assert_int_equal(sb_levels_set(&l, "color=red", &err), SB_E_USAGE);
	assert_non_null(strstr(err.msg, "attention, alloc and offload"));
	assert_int_equal(sb_levels_set(&l, "precision", &err), SB_E_USAGE);
	assert_int_equal(sb_arms_parse("before,before", arms, &n, &err), SB_E_USAGE);
	assert_int_equal(sb_arms_parse("before,+speed", arms, &n, &err), SB_E_USAGE);
	assert_int_equal(sb_arms_parse("", arms, &n, &err), SB_E_USAGE);
	assert_int_equal(sb_arms_parse("before,after", arms, &n, &err), SB_OK);
	assert_int_equal(n, 2);
}

static void a_part_can_be_set_alone(void **state)
{
	struct sb_levels l = { { 0 } };
	struct sb_error err;

	(void)state;
	assert_int_equal(sb_levels_set(&l, "precision=tf32", &err), SB_OK);
	assert_int_equal(l.part[SB_PART_PRECISION_ATTENTION], SB_PRECISION_TF32);
	assert_int_equal(sb_levels_set(&l, "precision.conv=fp32", &err), SB_OK);
	assert_int_equal(l.part[SB_PART_PRECISION_CONV], SB_PRECISION_FP32);
	assert_int_equal(l.part[SB_PART_PRECISION_GEMM], SB_PRECISION_TF32);
}

static void offload_is_in_an_arm_only_where_it_is_asked_for(void **state)
{
	struct sb_arm best, more, arms[SB_ARMS_MAX];
	struct sb_levels back;
	struct sb_error err;
	struct sb_buf text = { 0 };
	int n;

	(void)state;
	assert_int_equal(sb_arm_by_name("best", &best, &err), SB_OK);
	assert_int_equal(best.levels.part[SB_PART_OFFLOAD], SB_OFFLOAD_OFF);
	assert_int_equal(sb_arm_by_name("best+offload", &more, &err), SB_OK);
	assert_string_equal(more.name, "best+offload");
	assert_true(sb_levels_differ_only_in(&best.levels, &more.levels, "offload"));
	assert_int_equal(sb_arm_by_name("after+offload=layers", &more, &err), SB_OK);
	assert_int_equal(more.levels.part[SB_PART_OFFLOAD], SB_OFFLOAD_LAYERS);
	assert_int_equal(sb_arm_by_name("after+alloc", &more, &err), SB_E_USAGE); /* it is on */
	assert_int_equal(sb_arm_by_name("afterwards", &more, &err), SB_E_USAGE);
	assert_int_equal(sb_arm_by_name("+offload", &more, &err), SB_OK);
	sb_levels_format(&more.levels, &text);
	assert_non_null(strstr(sb_buf_str(&text), ",offload=layers"));
	assert_int_equal(sb_levels_parse(sb_buf_str(&text), &back, &err), SB_OK);
	assert_true(sb_levels_equal(&more.levels, &back));
	sb_buf_release(&text);
	assert_int_equal(sb_arms_default("alloc,offload", false, arms, &n, &err), SB_OK);
	assert_int_equal(n, 4);
	assert_string_equal(arms[2].name, "+offload");
}

static void all_is_every_combination_once(void **state)
{
	struct sb_arm arms[SB_ARMS_MAX];
	int n;

	(void)state;
	sb_arms_all(arms, &n);
	assert_int_equal(n, 8);
	assert_string_equal(arms[0].name, "before");
	assert_string_equal(arms[3].name, "+precision+attention");
	assert_string_equal(arms[7].name, "after");
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			assert_false(sb_levels_equal(&arms[i].levels, &arms[j].levels));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_leaves_attention_precision_alone_and_best_sets_it),
		cmocka_unit_test(several_switches_make_one_arm),
		cmocka_unit_test(an_arm_can_name_a_level),
		cmocka_unit_test(offload_is_in_an_arm_only_where_it_is_asked_for),
		cmocka_unit_test(default_plan_has_one_arm_a_factor),
		cmocka_unit_test(levels_survive_a_round_trip),
		cmocka_unit_test(unknown_names_are_refused_with_what_exists),
		cmocka_unit_test(a_part_can_be_set_alone),
		cmocka_unit_test(all_is_every_combination_once),
	};
	return cmocka_run_group_tests_name("factors", tests, NULL, NULL);
}
