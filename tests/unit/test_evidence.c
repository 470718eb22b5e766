/* Whether a switch was in effect, judged on numbers as trials bring them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "evidence.h"

#define TFLOP 1e12

/* A counter trial: FLOP and counted operations of gemm, conv and attention. */
static void count(struct sb_evidence *e, const char *arm, const double flop[3], const double ops[3])
{
	static const char *const names[] = { "gemm", "conv", "attention" };
	struct sb_trial_sample samples[6];
	struct sb_trial_result r = { .samples = samples, .n_samples = 6 };
	struct sb_arm a;

	assert_int_equal(sb_arm_by_name(arm, &a, NULL), SB_OK);
	for (int i = 0; i < 3; i++) {
		snprintf(samples[2 * i].metric, SB_METRIC_NAME_MAX, "counter.%s.flop", names[i]);
		samples[2 * i].value = sb_value_of(flop[i]);
		snprintf(samples[2 * i + 1].metric, SB_METRIC_NAME_MAX, "counter.%s.tf32_ops", names[i]);
		samples[2 * i + 1].value = sb_value_of(ops[i]);
	}
	sb_evidence_add(e, &a.levels, SB_COUNTING, &r);
}

/* A trace trial whose products are all TF32 by name. */
static void trace(struct sb_evidence *e, const char *arm)
{
	struct sb_rollup rows[] = {
		{ "front.dino", "linear", "gemm", "sm90_xmma_gemm_f32f32_tf32f32_f32_tn_n", 300, 900, 0 },
		{ "front.depth", "conv", "conv", "conv_tf32<3>", 12, 100, 0 },
	};
	struct sb_trial_result r = { .trace_complete = true, .rollup = rows, .n_rollup = 2 };
	struct sb_arm a;

	assert_int_equal(sb_arm_by_name(arm, &a, NULL), SB_OK);
	sb_evidence_add(e, &a.levels, SB_TRACING, &r);
}

static const double flop[3] = { 10 * TFLOP, 2 * TFLOP, 8 * TFLOP };

static void expect(const struct sb_evidence *e, bool in_effect, const char *words)
{
	struct sb_switch_line line;

	sb_evidence_judge(e, "precision", false, &line);
	assert_true(line.tested);
	if (line.in_effect != in_effect || !strstr(line.text, words))
		fail_msg("%s", line.text);
}

static void without_counters_names_decide_alone(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	trace(&e, "after");
	expect(&e, true, "in effect: 312 of 312 gemm and conv kernels, 100 % of their time");
}

static void add_fp32_time(struct sb_evidence *e, int64_t ns)
{
	e->products++;
	e->products_ns += ns;
}

static void only_all_is_100_percent(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	trace(&e, "after");
	add_fp32_time(&e, 1);
	expect(&e, true, "312 of 313 gemm and conv kernels, 99 % of their time");
	add_fp32_time(&e, 99);
	expect(&e, false, "not in effect: 312 of 314 gemm and conv kernels, 90 % of their time");
}

static void counted_operations_confirm_the_names(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	trace(&e, "after");
	count(&e, "before", flop, (const double[]){ 0, 0, 0 });
	/* efficient attention at fp32 is three TF32 products for each, and no evidence of anything */
	count(&e, "after", flop, (const double[]){ 10.3 * TFLOP, 2.1 * TFLOP, 24 * TFLOP });
	expect(&e, true, "; counted 1.03 TF32 operations per FLOP of products, none at fp32");
}

static void names_that_lie_are_found_out(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	trace(&e, "after");
	count(&e, "after", flop, (const double[]){ 5 * TFLOP, 0, 0 });
	expect(&e, false, "not in effect: 312 of 312 gemm and conv kernels, 100 % of their time; counted 0.42");
}

static void tf32_in_an_fp32_arm_is_found_out(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	trace(&e, "after");
	count(&e, "before", flop, (const double[]){ 5 * TFLOP, 0, 0 });
	count(&e, "after", flop, (const double[]){ 10 * TFLOP, 2 * TFLOP, 24 * TFLOP });
	expect(&e, false, ", 0.25 at fp32");
}

static void standard_attention_follows_gemm(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	trace(&e, "+precision");
	count(&e, "+precision", flop, (const double[]){ 10 * TFLOP, 2 * TFLOP, 0 });
	assert_true(e.at_tf32.flop == 20 * TFLOP);
	expect(&e, false, "counted 0.60");
}

static void attention_of_best_is_a_tf32_product(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	count(&e, "best", flop, (const double[]){ 10 * TFLOP, 2 * TFLOP, 8 * TFLOP });
	assert_true(e.at_tf32.flop == 20 * TFLOP && e.at_tf32.tf32_ops == 20 * TFLOP);
	assert_int_equal(e.at_tf32.arms, 1);
	assert_int_equal(e.at_fp32.arms, 0);
}

static void efficient_attention_at_fp32_says_nothing(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	count(&e, "+attention", flop, (const double[]){ 0, 0, 24 * TFLOP });
	assert_true(e.at_fp32.flop == 12 * TFLOP && e.at_fp32.tf32_ops == 0.0);
	assert_int_equal(e.at_fp32.arms, 1);
	assert_int_equal(e.at_tf32.arms, 0);
}

/* Chips that cannot count it in one pass. */
static void an_absent_counter_is_no_zero(void **state)
{
	struct sb_trial_sample samples[] = { { "counter.gemm.flop", sb_value_of(TFLOP) },
		{ "counter.gemm.tf32_ops", sb_value_absent("it would need a second pass") } };
	struct sb_trial_result r = { .samples = samples, .n_samples = 2 };
	struct sb_evidence e = { 0 };
	struct sb_arm a;

	(void)state;
	assert_int_equal(sb_arm_by_name("after", &a, NULL), SB_OK);
	trace(&e, "after");
	sb_evidence_add(&e, &a.levels, SB_COUNTING, &r);
	assert_int_equal(e.at_tf32.arms, 0);
	expect(&e, true, "100 % of their time");
}

/* Its driver calls are no evidence of the allocator: it is run for its counters alone. */
static void a_counter_trial_says_nothing_of_other_switches(void **state)
{
	struct sb_evidence e = { 0 };
	struct sb_switch_line line;

	(void)state;
	count(&e, "after", flop, flop);
	sb_evidence_judge(&e, "alloc", false, &line);
	assert_false(line.tested);
	sb_evidence_judge(&e, "precision", false, &line);
	assert_false(line.tested);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_counters_names_decide_alone),
		cmocka_unit_test(only_all_is_100_percent),
		cmocka_unit_test(counted_operations_confirm_the_names),
		cmocka_unit_test(names_that_lie_are_found_out),
		cmocka_unit_test(tf32_in_an_fp32_arm_is_found_out),
		cmocka_unit_test(standard_attention_follows_gemm),
		cmocka_unit_test(attention_of_best_is_a_tf32_product),
		cmocka_unit_test(efficient_attention_at_fp32_says_nothing),
		cmocka_unit_test(an_absent_counter_is_no_zero),
		cmocka_unit_test(a_counter_trial_says_nothing_of_other_switches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
