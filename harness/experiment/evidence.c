#include "evidence.h"
#include "kernel_class.h"
#include "sb_backend.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Scratch of an efficient attention that holds no score matrix: tiles for some dozens of threads. */
#define TILES_BYTES (8.0 * 1048576.0)

/* Does the kernel hold products that follow a part of `precision` that is on? Standard attention's follow gemm. */
static bool should_be_tf32(const struct sb_levels *levels, const struct sb_rollup *u)
{
	enum sb_part part = SB_PART_PRECISION_GEMM;

	if (sb_kernel_class_of(u->name) == SB_KERNEL_OTHER)
		return false;
	if (!strcmp(u->kind, "conv"))
		part = SB_PART_PRECISION_CONV;
	else if (!strcmp(u->kind, "attention") && strstr(u->name, "efficient"))
		part = SB_PART_PRECISION_ATTENTION;
	else if (strcmp(u->kind, "gemm") != 0 && strcmp(u->kind, "attention") != 0)
		return false;
	return levels->part[part] == SB_PRECISION_TF32;
}

static void add_precision(struct sb_evidence *e, const struct sb_levels *levels, const struct sb_trial_result *r)
{
	for (size_t i = 0; i < r->n_rollup; i++) {
		const struct sb_rollup *u = &r->rollup[i];

		if (!should_be_tf32(levels, u))
			continue;
		e->products += u->count;
		e->products_ns += u->dur_ns;
		if (sb_kernel_class_of(u->name) == SB_KERNEL_TF32) {
			e->products_tf32 += u->count;
			e->products_tf32_ns += u->dur_ns;
		}
	}
}

static void add_attention(struct sb_evidence *e, const struct sb_trial_result *r)
{
	for (size_t i = 0; i < r->n_rollup; i++) {
		const struct sb_rollup *u = &r->rollup[i];

		if (strcmp(u->kind, "attention"))
			continue;
		e->attentions += u->count;
		e->attention_ns += u->dur_ns;
		if (strstr(u->name, "efficient")) {
			e->attentions_efficient += u->count;
			e->efficient_ns += u->dur_ns;
		}
	}
}

/* The part of `precision` that a class of ops follows at these levels; SB_PART_COUNT: its counts say nothing. */
static enum sb_part part_of_class(const struct sb_levels *levels, enum sb_count_class c)
{
	bool efficient = levels->part[SB_PART_ATTENTION] == SB_ATTENTION_EFFICIENT;

	switch (c) {
	case SB_COUNT_GEMM:
		return SB_PART_PRECISION_GEMM;
	case SB_COUNT_CONV:
		return SB_PART_PRECISION_CONV;
	case SB_COUNT_ATTENTION: /* efficient FP32 may be three TF32 products for each */
		if (!efficient)
			return SB_PART_PRECISION_GEMM;
		return levels->part[SB_PART_PRECISION_ATTENTION] == SB_PRECISION_TF32 ? SB_PART_PRECISION_ATTENTION
		                                                                      : SB_PART_COUNT;
	default:
		return SB_PART_COUNT;
	}
}

static void add_counts(struct sb_evidence *e, const struct sb_levels *levels, const struct sb_trial_result *r)
{
	bool any[2] = { false, false };

	for (int c = 0; c < SB_COUNT_CLASSES; c++) {
		enum sb_part part = part_of_class(levels, (enum sb_count_class)c);
		char metric[SB_METRIC_NAME_MAX];
		double flop, ops;

		snprintf(metric, sizeof(metric), "counter.%s.flop", sb_count_class_names[c]);
		flop = sb_trial_result_value(r, metric);
		snprintf(metric, sizeof(metric), "counter.%s.tf32_ops", sb_count_class_names[c]);
		ops = sb_trial_result_value(r, metric);
		if (part == SB_PART_COUNT || isnan(flop) || isnan(ops) || flop == 0.0)
			continue;
		bool tf32 = levels->part[part] == SB_PRECISION_TF32;
		struct sb_evidence_counts *to = tf32 ? &e->at_tf32 : &e->at_fp32;

		to->flop += flop;
		to->tf32_ops += ops;
		any[tf32] = true;
	}
	e->at_fp32.arms += any[0];
	e->at_tf32.arms += any[1];
}

void sb_evidence_add(
        struct sb_evidence *e, const struct sb_levels *levels, enum sb_purpose purpose, const struct sb_trial_result *r)
{
	double workspace = sb_trial_result_value(r, "memory.attention_workspace_bytes");
	bool efficient = levels->part[SB_PART_ATTENTION] == SB_ATTENTION_EFFICIENT;
	bool tf32 = levels->part[SB_PART_PRECISION_GEMM] || levels->part[SB_PART_PRECISION_CONV];
	double *largest = efficient ? &e->workspace_efficient : &e->workspace_standard;
	double same = sb_trial_result_value(r, "quality.identical");

	if (purpose == SB_COUNTING) {
		add_counts(e, levels, r);
		return;
	}
	if (workspace > *largest)
		*largest = workspace;
	if (tf32 && !isnan(same)) {
		e->compared++;
		e->identical += same == 1.0;
	}
	if (levels->part[SB_PART_ALLOC] == SB_ALLOC_EXPANDABLE) {
		double segments = sb_trial_result_value(r, "driver.cold_segment_alloc_calls");
		double maps = sb_trial_result_value(r, "driver.cold_map_calls");

		e->segment_allocs += isnan(segments) ? 0.0 : segments;
		e->maps += isnan(maps) ? 0.0 : maps;
		e->trials[SB_PART_ALLOC]++;
	}
	if (purpose != SB_TRACING || !r->trace_complete)
		return;
	if (tf32) {
		add_precision(e, levels, r);
		e->trials[SB_PART_PRECISION_GEMM]++;
	}
	if (efficient) {
		add_attention(e, r);
		e->trials[SB_PART_ATTENTION]++;
	}
}

/* Rounded down: 100 is all. */
static int percent(int64_t part, int64_t whole)
{
	return whole ? (int)(100 * part / whole) : 0;
}

/*
 * What the hardware counted, as a clause; "" where it was not asked. False: it contradicts the names. Tiles that are
 * not full count whole, so there may be more operations than FLOP; names of kernels say that each product was one.
 */
static bool judge_counts(const struct sb_evidence *e, char *out, size_t n)
{
	const struct sb_evidence_counts *on = &e->at_tf32, *off = &e->at_fp32;
	char fp32[64] = "";

	out[0] = '\0';
	if (!on->arms)
		return true;
	if (off->arms && off->tf32_ops == 0.0)
		snprintf(fp32, sizeof(fp32), ", none at fp32");
	else if (off->arms)
		snprintf(fp32, sizeof(fp32), ", %.2g at fp32", off->tf32_ops / off->flop);
	snprintf(out, n, "; counted %.2f TF32 operations per FLOP of products%s", on->tf32_ops / on->flop, fp32);
	return on->tf32_ops >= 0.9 * on->flop && off->tf32_ops <= 0.01 * off->flop;
}

static void judge_precision(const struct sb_evidence *e, bool emulated, struct sb_switch_line *out)
{
	char counts[96];
	bool counted = judge_counts(e, counts, sizeof(counts));
	/* Names say what was launched; results that do not differ by one bit say that it changed nothing. */
	bool no_change = e->compared && e->identical == e->compared && !e->reference_tf32;

	/*
	 * A library does small products without tensor cores: 1.5 % of the time of the preset tiny on an H200, nothing
	 * of full.
	 */
	out->in_effect = e->products_tf32 && 100 * e->products_tf32_ns >= 95 * e->products_ns && !no_change && counted;
	snprintf(out->text, sizeof(out->text), "%s: %lld of %lld gemm and conv kernels, %d %% of their time%s%s%s%s%s",
	        out->in_effect ? "in effect" : "not in effect", (long long)e->products_tf32, (long long)e->products,
	        percent(e->products_tf32_ns, e->products_ns), e->conv_path[0] ? ", convolutions: " : "", e->conv_path,
	        no_change     ? ", but the results are FP32's to the bit"
	        : e->compared ? ", results differ from FP32's"
	                      : "",
	        counts, emulated ? " (emulated: operands rounded, the speed is not TF32's)" : "");
}

static void judge_attention(const struct sb_evidence *e, struct sb_switch_line *out)
{
	bool kernels = e->attentions && e->attentions_efficient == e->attentions;
	/*
	 * A score-sized allocation would show as a workspace like standard's. Below the size of a few tiles that says
	 * nothing (a tiny score matrix is smaller than a tile), nor without an arm to compare with.
	 */
	bool small = e->workspace_standard == 0.0 || e->workspace_efficient < TILES_BYTES ||
	             e->workspace_efficient < e->workspace_standard;
	char standard[48] = "";

	if (e->workspace_standard > 0.0)
		snprintf(standard, sizeof(standard), " (standard %.2f MiB)", e->workspace_standard / 1048576.0);
	out->in_effect = kernels && small;
	snprintf(out->text, sizeof(out->text), "%s: %lld of %lld attention kernels, workspace %.2f MiB at most%s",
	        out->in_effect ? "in effect" : "not in effect", (long long)e->attentions_efficient,
	        (long long)e->attentions, e->workspace_efficient / 1048576.0, standard);
}

static void judge_alloc(const struct sb_evidence *e, struct sb_switch_line *out)
{
	out->in_effect = e->maps > 0 && e->segment_allocs == 0;
	snprintf(out->text, sizeof(out->text), "%s: %.0f pages mapped, %.0f whole segments asked for, over %d trials",
	        out->in_effect ? "in effect" : "not in effect", e->maps, e->segment_allocs, e->trials[SB_PART_ALLOC]);
}

void sb_evidence_judge(const struct sb_evidence *e, const char *factor, bool emulated, struct sb_switch_line *out)
{
	*out = (struct sb_switch_line){ .factor = factor, .tested = true };
	if (!strcmp(factor, "precision") && e->trials[SB_PART_PRECISION_GEMM])
		judge_precision(e, emulated, out);
	else if (!strcmp(factor, "attention") && e->trials[SB_PART_ATTENTION])
		judge_attention(e, out);
	else if (!strcmp(factor, "alloc") && e->trials[SB_PART_ALLOC])
		judge_alloc(e, out);
	else
		out->tested = false;
	if (!out->tested)
		snprintf(out->text, sizeof(out->text), "not tested: no trial shows it%s",
		        strcmp(factor, "alloc") ? " (trace trials are needed)" : "");
}
