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
	sb_evidence_add(e, &a, SB_COUNTING, &r);
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
	sb_evidence_add(e, &a, SB_TRACING, &r);
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

static void timing(struct sb_evidence *e, const char *arm, const char *metric, double value)
{
	struct sb_trial_sample sample;
	struct sb_trial_result r = { .samples = &sample, .n_samples = 1 };
	struct sb_arm a;

	snprintf(sample.metric, sizeof(sample.metric), "%s", metric);
	sample.value = sb_value_of(value);
	assert_int_equal(sb_arm_by_name(arm, &a, NULL), SB_OK);
	sb_evidence_add(e, &a, SB_TIMING, &r);
}

static void expect_untested(const struct sb_evidence *e, const char *text)
{
	struct sb_switch_line line;

	sb_evidence_judge(e, "precision", false, &line);
	assert_false(line.tested || line.in_effect);
	assert_string_equal(line.text, text);
}

static void without_counters_names_decide_alone(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	trace(&e, "after");
	expect(&e, true, "in effect: 312 of 312 gemm and conv kernels, 100 % of their time");
}

/* One kernel of a traced arm: launches of us microseconds together. */
struct kernel {
	const char *kind, *name;
	int64_t count, us;
};

static void trace_kernels(
        struct sb_evidence *e, const char *arm, const char *settings, const struct kernel *kernels, size_t n)
{
	struct sb_rollup rows[8];
	struct sb_trial_result r = { .trace_complete = true, .rollup = rows, .n_rollup = n };
	struct sb_arm a;

	assert_true(n <= SB_ARRAY_LEN(rows));
	for (size_t i = 0; i < n; i++)
		rows[i] = (struct sb_rollup){ .stage = "front.depth",
			.op = "op",
			.kind = kernels[i].kind,
			.name = kernels[i].name,
			.count = kernels[i].count,
			.dur_ns = kernels[i].us * 1000 };
	assert_int_equal(sb_arm_by_name(arm, &a, NULL), SB_OK);
	if (settings)
		assert_int_equal(sb_levels_set(&a.levels, settings, NULL), SB_OK);
	sb_evidence_add(e, &a, SB_TRACING, &r);
}

#define TRACE(e, arm, settings, ...)                                            \
	trace_kernels(e, arm, settings, (const struct kernel[]){ __VA_ARGS__ }, \
	        sizeof((const struct kernel[]){ __VA_ARGS__ }) / sizeof(struct kernel))

/* Names as an H200 gave them. */
#define GEMM_TF32 "gemm", "sm90_xmma_gemm_f32f32_tf32f32_f32_tn_n_tilesize128x128x32_warpgroupsize1x1x1_cublas"
#define GEMM_FP32 "gemm", "sm80_xmma_gemm_f32f32_f32f32_f32_tn_n_tilesize128x128x8_stage3_warpsize2x2x1_ffma_cublas"
#define GEMV      "gemm", "gemv2T_kernel_val<int,int,float,float,float,float,128,16,4,4,0,1,cublasGemvParamsEx,..>"
#define CONV_TF32 "conv", "sm90_xmma_fprop_implicit_gemm_f32f32_tf32f32_f32_nhwckrsc_nhwc_tilesize128x128x32_cudnn"
#define CONV_OWN  "conv", "conv_tf32<32,32,0>"
#define CONV_FP32 "conv", "conv_fp32<8,3,0>"
#define PLAIN     "attention", "attention_small_scores"
#define PLAIN_TF  "attention", "attention_small_scores_tf32<16,2>"
#define EFFICIENT "attention", "attention_efficient<64,2,4,32,32,3>"
#define EFF_TF32  "attention", "attention_efficient<64,2,8,128,32,1>"

static void only_all_is_100_percent(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	TRACE(&e, "after", NULL, { GEMM_TF32, 312, 100000 }, { GEMV, 1, 10 });
	expect(&e, true, "in effect: 312 of 313 gemm kernels, 99 % of their time");
}

static void a_class_in_fp32_is_found_however_small_its_share(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	TRACE(&e, "after", NULL, { GEMM_TF32, 1000, 1000000 }, { CONV_FP32, 10, 1000 });
	expect(&e, false,
	        "gemm and conv kernels, 99 % of their time, but FP32 kernels took 100.0 % of the time of "
	        "conv in arm after");
}

static void more_than_one_percent_of_a_class_is_too_much(void **state)
{
	struct sb_evidence gemm = { 0 }, conv = { 0 }, attention = { 0 }, enough = { 0 };

	(void)state;
	TRACE(&gemm, "after", NULL, { GEMM_TF32, 100, 98900 }, { GEMM_FP32, 1, 1100 }, { CONV_TF32, 100, 900000 });
	expect(&gemm, false, ", but FP32 kernels took 1.1 % of the time of gemm in arm after");
	TRACE(&conv, "+precision", NULL, { GEMM_TF32, 100, 900000 }, { CONV_OWN, 100, 98900 }, { CONV_FP32, 1, 1100 });
	expect(&conv, false, ", but FP32 kernels took 1.1 % of the time of conv in arm +precision");
	TRACE(&attention, "best", NULL, { GEMM_TF32, 100, 900000 }, { EFF_TF32, 100, 98900 }, { EFFICIENT, 1, 1100 });
	expect(&attention, false, ", but FP32 kernels took 1.1 % of the time of attention in arm best");
	TRACE(&enough, "best", NULL, { GEMM_TF32, 100, 99100 }, { GEMM_FP32, 1, 900 }, { CONV_TF32, 100, 99100 },
	        { CONV_FP32, 1, 900 }, { EFF_TF32, 100, 99100 }, { EFFICIENT, 1, 900 });
	expect(&enough, true, "in effect: 300 of 303 gemm, conv and attention kernels, 99 % of their time");
}

/* The arms are judged one by one: a long arm does not hide a short one. */
static void every_arm_is_judged_by_itself(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	TRACE(&e, "after", NULL, { GEMM_TF32, 1000, 10000000 });
	TRACE(&e, "+precision", NULL, { GEMM_TF32, 100, 98000 }, { GEMM_FP32, 10, 2000 });
	expect(&e, false, ", but FP32 kernels took 2.0 % of the time of gemm in arm +precision");
}

/* A library does them without tensor cores; they may be more than a hundredth, but no twentieth. */
static void small_products_may_be_fp32(void **state)
{
	struct sb_evidence few = { 0 }, many = { 0 };

	(void)state;
	TRACE(&few, "after", NULL, { GEMM_TF32, 1000, 9600 }, { GEMM_FP32, 40, 400 });
	expect(&few, true, "in effect: 1000 of 1040 gemm kernels, 96 % of their time");
	TRACE(&many, "after", NULL, { GEMM_TF32, 1000, 9400 }, { GEMM_FP32, 60, 600 });
	expect(&many, false, ", but FP32 kernels took 6.0 % of the time of products in arm after");
}

static void tf32_kernels_in_an_fp32_arm_void_the_comparison(void **state)
{
	struct sb_evidence gemm = { 0 }, conv = { 0 }, standard = { 0 }, efficient = { 0 }, none = { 0 };

	(void)state;
	TRACE(&gemm, "before", NULL, { GEMM_FP32, 1000, 10000000 }, { GEMM_TF32, 12, 1 });
	TRACE(&gemm, "after", NULL, { GEMM_TF32, 1000, 1000000 });
	expect(&gemm, false, ", but 12 TF32 kernels ran in arm before (gemm)");
	TRACE(&conv, "after", "precision.conv=fp32", { GEMM_TF32, 100, 100000 }, { CONV_TF32, 1, 1 });
	expect(&conv, false, ", but 1 TF32 kernels ran in arm after (conv)");
	TRACE(&standard, "+alloc", NULL, { PLAIN_TF, 3, 1 });
	TRACE(&standard, "after", NULL, { GEMM_TF32, 1000, 1000000 });
	expect(&standard, false, ", but 3 TF32 kernels ran in arm +alloc (attention)");
	TRACE(&efficient, "after", NULL, { GEMM_TF32, 100, 100000 }, { EFF_TF32, 2, 1 });
	expect(&efficient, false, ", but 2 TF32 kernels ran in arm after (attention)");
	TRACE(&none, "before", NULL, { GEMM_FP32, 1000, 10000000 }, { CONV_FP32, 1, 10 }, { PLAIN, 1, 1 },
	        { "conv", "im2col<float>", 9, 9 });
	TRACE(&none, "after", NULL, { GEMM_TF32, 1000, 1000000 }, { EFFICIENT, 9, 99999 });
	expect(&none, true, "in effect: 1000 of 1000 gemm kernels, 100 % of their time");
}

static void standard_attention_is_judged_with_gemm(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	TRACE(&e, "+precision", NULL, { GEMM_TF32, 100, 1000000 }, { PLAIN, 100, 10000 });
	expect(&e, false, ", but FP32 kernels took 100.0 % of the time of attention in arm +precision");
}

static void precision_of_attention_alone_is_judged(void **state)
{
	struct sb_evidence e = { 0 }, wrong = { 0 }, unused = { 0 };
	struct sb_switch_line line;

	(void)state;
	TRACE(&e, "+attention", "precision.attention=tf32", { GEMM_FP32, 100, 100000 }, { EFF_TF32, 20, 100 });
	expect(&e, true, "in effect: 20 of 20 attention kernels, 100 % of their time");
	TRACE(&wrong, "+attention", "precision.attention=tf32", { EFFICIENT, 20, 100 });
	expect(&wrong, false, ", but FP32 kernels took 100.0 % of the time of attention in arm +attention");
	TRACE(&unused, "before", "precision.attention=tf32", { GEMM_FP32, 100, 100000 }, { PLAIN, 20, 100 });
	sb_evidence_judge(&unused, "precision", false, &line);
	assert_false(line.tested);
	assert_non_null(strstr(line.text, "precision.attention is of efficient attention"));
}

/* Another version of a library may call its kernels as it likes. */
static void names_that_say_nothing_prove_nothing(void **state)
{
	struct sb_evidence all = { 0 }, some = { 0 };

	(void)state;
	TRACE(&all, "before", NULL, { "gemm", "new_kernel", 100, 100000 });
	TRACE(&all, "after", NULL, { "gemm", "new_kernel", 100, 100000 });
	expect(&all, false, "not in effect: 0 of 0 known kernels, 0 % of their time");
	TRACE(&some, "after", NULL, { "conv", "new_kernel", 100, 100000 }, { GEMM_TF32, 100, 100 });
	expect_untested(&some, "not tested: no name of a conv kernel in arm after is known");
}

/* Another arm, or another class, does not speak for one that shows nothing. */
static void what_was_not_seen_is_not_proved_by_what_was(void **state)
{
	struct sb_evidence name = { 0 }, trace_lost = { 0 }, time = { 0 }, attention = { 0 };
	struct sb_switch_line line;

	(void)state;
	TRACE(&name, "+precision", NULL, { "gemm", "new_kernel", 100, 100000 });
	TRACE(&name, "after", NULL, { GEMM_TF32, 10, 100 });
	expect_untested(&name, "not tested: no name of a gemm kernel in arm +precision is known");
	timing(&trace_lost, "+precision", "wall_ns", 1.0);
	TRACE(&trace_lost, "after", NULL, { GEMM_TF32, 10, 100 });
	expect_untested(&trace_lost, "not tested: no complete trace trial of arm +precision");
	TRACE(&time, "after", NULL, { GEMM_TF32, 10, 0 });
	expect_untested(&time, "not tested: no time of a gemm kernel in arm after is known");
	TRACE(&attention, "after", NULL, { EFFICIENT, 4, 100 });
	sb_evidence_judge(&attention, "attention", false, &line);
	assert_true(line.tested && line.in_effect);
	TRACE(&attention, "+attention", NULL, { GEMM_FP32, 10, 100 });
	sb_evidence_judge(&attention, "attention", false, &line);
	assert_true(line.tested && !line.in_effect);
}

/* Of a tracer that lost records nothing is believed. */
static void an_incomplete_trace_says_nothing(void **state)
{
	struct sb_rollup rows[] = {
		{ "front.dino", "linear", "gemm", "sm90_xmma_gemm_f32f32_tf32f32_f32_tn_n", 300, 900, 0 },
		{ "front.dino", "attention", "attention", "attention_efficient<64,2,4,32,32,3>", 3, 9, 0 },
	};
	struct sb_trial_result r = { .rollup = rows, .n_rollup = 2 };
	struct sb_evidence e = { 0 };
	struct sb_switch_line line;
	struct sb_arm a;

	(void)state;
	assert_int_equal(sb_arm_by_name("after", &a, NULL), SB_OK);
	sb_evidence_add(&e, &a, SB_TRACING, &r);
	sb_evidence_judge(&e, "precision", false, &line);
	assert_false(line.tested);
	sb_evidence_judge(&e, "attention", false, &line);
	assert_false(line.tested);
	r.trace_complete = true;
	sb_evidence_add(&e, &a, SB_TRACING, &r);
	sb_evidence_judge(&e, "attention", false, &line);
	assert_true(line.tested);
}

static void results_that_are_fp32s_to_the_bit_contradict_the_names(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	trace(&e, "after");
	timing(&e, "before", "quality.identical", 1.0);
	expect(&e, true, "100 % of their time");
	timing(&e, "after", "quality.identical", 1.0);
	expect(&e, false, ", but the results of arm after are FP32's to the bit");
	e.reference_tf32 = true;
	expect(&e, true, "in effect");
	e.reference_tf32 = false;
	timing(&e, "after", "quality.identical", 0.0);
	expect(&e, true, ", results differ from FP32's");
	trace(&e, "+precision"); /* the others' do not speak for it */
	timing(&e, "+precision", "quality.identical", 1.0);
	expect(&e, false, ", but the results of arm +precision are FP32's to the bit");
}

static void an_arm_is_not_expandable_because_another_is(void **state)
{
	struct sb_evidence e = { 0 };
	struct sb_switch_line line;

	(void)state;
	timing(&e, "after", "driver.cold_map_calls", 10.0);
	sb_evidence_judge(&e, "alloc", false, &line);
	assert_true(line.in_effect);
	timing(&e, "+alloc", "driver.cold_reserve_calls", 1.0);
	sb_evidence_judge(&e, "alloc", false, &line);
	assert_true(line.tested && !line.in_effect);
}

/* Half-full tiles of one class, or arm, do not pay for another that did nothing. */
static void counts_are_held_against_each_class_and_arm(void **state)
{
	const double all[3] = { 12.5 * TFLOP, 2 * TFLOP, 8 * TFLOP }, no_conv[3] = { 12.5 * TFLOP, 0, 8 * TFLOP };
	const double none[3] = { 0, 0, 0 }, some[3] = { 0.05 * TFLOP, 0, 0 }, little[3] = { 0.2 * TFLOP, 0, 0 };
	const double four_fifths[3] = { 8 * TFLOP, 2 * TFLOP, 8 * TFLOP };
	struct sb_evidence class = { 0 }, arm = { 0 }, fp32 = { 0 }, few = { 0 }, most = { 0 };

	(void)state;
	trace(&class, "+precision");
	count(&class, "+precision", flop, no_conv);
	expect(&class, false, ", against conv in arm +precision");
	trace(&arm, "after");
	trace(&arm, "+precision");
	count(&arm, "after", flop, all);
	count(&arm, "+precision", flop, none);
	expect(&arm, false, ", against gemm in arm +precision");
	trace(&fp32, "after");
	count(&fp32, "before", flop, all);
	expect(&fp32, false, "; counted 1.1 at fp32, against gemm in arm before");
	trace(&most, "after");
	count(&most, "after", flop, four_fifths);
	expect(&most, false, ", against gemm in arm after");
	trace(&few, "after");
	count(&few, "after", flop, all);
	count(&few, "before", flop, some);
	expect(&few, true, "at fp32");
	count(&few, "+alloc", flop, little);
	expect(&few, false, ", against gemm in arm +alloc");
}

static void expect_of(const struct sb_evidence *e, const char *factor, bool tested, bool in_effect, const char *text)
{
	struct sb_switch_line line;

	sb_evidence_judge(e, factor, false, &line);
	assert_string_equal(line.text, text);
	assert_int_equal(line.tested, tested);
	assert_int_equal(line.in_effect, in_effect);
}

static void segments_or_no_maps_are_no_expandable_allocator(void **state)
{
	struct sb_evidence e = { 0 }, none = { 0 };

	(void)state;
	timing(&e, "after", "driver.cold_map_calls", 7);
	timing(&e, "before", "driver.cold_segment_alloc_calls", 5);
	expect_of(&e, "alloc", true, true, "in effect: 7 pages mapped, 0 whole segments asked for, over 1 trials");
	timing(&e, "after", "driver.cold_segment_alloc_calls", 1);
	expect_of(&e, "alloc", true, false, "not in effect: 7 pages mapped, 1 whole segments asked for, over 2 trials");
	timing(&none, "after", "wall_ns", 1);
	expect_of(&none, "alloc", true, false,
	        "not in effect: 0 pages mapped, 0 whole segments asked for, over 1 trials");
}

/* An efficient arm whose attention takes workspace MiB, where a score matrix takes scores. */
static struct sb_evidence attention(const char *kernel, double workspace, double scores)
{
	struct sb_rollup row = { "front.dino", "attention", "attention", kernel, 4, 40, 0 };
	struct sb_trial_sample samples[] = {
		{ "memory.attention_workspace_bytes", sb_value_of(workspace * 1048576.0) },
		{ "memory.attention_scores_bytes", sb_value_of(scores * 1048576.0) },
	};
	struct sb_trial_result r = { .trace_complete = true,
		.rollup = &row,
		.n_rollup = 1,
		.samples = samples,
		.n_samples = scores > 0 ? 2 : 1 };
	struct sb_evidence e = { 0 };
	struct sb_arm a;

	assert_int_equal(sb_arm_by_name("after", &a, NULL), SB_OK);
	sb_evidence_add(&e, &a, SB_TRACING, &r);
	return e;
}

static void efficient_attention_holds_no_score_matrix(void **state)
{
	struct sb_evidence good = attention("attention_efficient<64,2,4,32,32,3>", 24, 100);
	struct sb_evidence bad = attention("attention_efficient<64,2,4,32,32,3>", 25, 100);
	struct sb_evidence other = attention("attention_softmax<4,512,10>", 0, 100);

	(void)state;
	expect_of(&good, "attention", true, true,
	        "in effect: 4 of 4 attention kernels, workspace 24.00 MiB at most (score matrix 100.00 MiB)");
	expect_of(&bad, "attention", true, false,
	        "not in effect: 4 of 4 attention kernels, workspace 25.00 MiB at most (score matrix 100.00 MiB)");
	/* that standard takes more is no excuse */
	timing(&bad, "before", "memory.attention_workspace_bytes", 1e9);
	expect_of(&bad, "attention", true, false,
	        "not in effect: 4 of 4 attention kernels, workspace 25.00 MiB at most (score matrix 100.00 MiB, "
	        "standard 953.67 MiB)");
	expect_of(&other, "attention", true, false,
	        "not in effect: 0 of 4 attention kernels, workspace 0.00 MiB at most (score matrix 100.00 MiB)");
}

static void tiles_larger_than_a_score_matrix_prove_nothing(void **state)
{
	struct sb_evidence threads = attention("attention_efficient", 4, 0.5);
	struct sb_evidence large = attention("attention_efficient", 8, 0.5);

	(void)state;
	expect_of(&threads, "attention", false, false,
	        "not tested: 4 of 4 attention kernels, workspace 4.00 MiB at most (score matrix 0.50 MiB), which may "
	        "be tiles or a score matrix; a larger case tells");
	expect_of(&large, "attention", true, false,
	        "not in effect: 4 of 4 attention kernels, workspace 8.00 MiB at most (score matrix 0.50 MiB)");
}

/* Of a worker that does not say how large one is. */
static void half_of_standards_workspace_stands_for_a_score_matrix(void **state)
{
	struct sb_evidence e = attention("attention_efficient", 10, 0), none = attention("attention_efficient", 0, 0);

	(void)state;
	expect_of(&e, "attention", false, false,
	        "not tested: 4 of 4 attention kernels, workspace 10.00 MiB at most (score matrix of unknown size), "
	        "which may be tiles or a score matrix; a larger case tells");
	timing(&e, "before", "memory.attention_workspace_bytes", 84 * 1048576.0);
	expect_of(&e, "attention", true, true,
	        "in effect: 4 of 4 attention kernels, workspace 10.00 MiB at most (score matrix 42.00 MiB, standard "
	        "84.00 MiB)");
	timing(&e, "after", "memory.attention_workspace_bytes", 11 * 1048576.0);
	expect_of(&e, "attention", true, false,
	        "not in effect: 4 of 4 attention kernels, workspace 11.00 MiB at most (score matrix 42.00 MiB, "
	        "standard 84.00 MiB)");
	expect_of(&none, "attention", true, true,
	        "in effect: 4 of 4 attention kernels, workspace 0.00 MiB at most (score matrix of unknown size)");
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
	sb_evidence_add(&e, &a, SB_COUNTING, &r);
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
		cmocka_unit_test(a_class_in_fp32_is_found_however_small_its_share),
		cmocka_unit_test(more_than_one_percent_of_a_class_is_too_much),
		cmocka_unit_test(every_arm_is_judged_by_itself),
		cmocka_unit_test(small_products_may_be_fp32),
		cmocka_unit_test(tf32_kernels_in_an_fp32_arm_void_the_comparison),
		cmocka_unit_test(standard_attention_is_judged_with_gemm),
		cmocka_unit_test(precision_of_attention_alone_is_judged),
		cmocka_unit_test(names_that_say_nothing_prove_nothing),
		cmocka_unit_test(what_was_not_seen_is_not_proved_by_what_was),
		cmocka_unit_test(an_arm_is_not_expandable_because_another_is),
		cmocka_unit_test(counts_are_held_against_each_class_and_arm),
		cmocka_unit_test(an_incomplete_trace_says_nothing),
		cmocka_unit_test(results_that_are_fp32s_to_the_bit_contradict_the_names),
		cmocka_unit_test(segments_or_no_maps_are_no_expandable_allocator),
		cmocka_unit_test(efficient_attention_holds_no_score_matrix),
		cmocka_unit_test(tiles_larger_than_a_score_matrix_prove_nothing),
		cmocka_unit_test(half_of_standards_workspace_stands_for_a_score_matrix),
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
