#include "evidence.h"
#include "kernel_class.h"
#include "sb_backend.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MIB 1048576.0
/* Scratch of an efficient attention that holds no score matrix: tiles for some dozens of threads. */
#define TILES_BYTES (8.0 * MIB)

/* A library does small products without tensor cores: 10 us each and 0.5 % of standard attention's on an H200. */
#define SMALL_PRODUCT_NS 20000
#define FP32_MOST        0.01 /* of the time of a class in an arm at TF32, small products left out */
#define COUNTED_LEAST    0.9  /* TF32 operations per FLOP of a class at TF32 .. */
#define COUNTED_MOST     0.01 /* .. and at FP32 */
#define FP32_MOST_SMALL  0.05 /* of the time of all products of that arm, with them: 1.5 % of the preset tiny's */

/* The part of `precision` that products of a class follow. */
static enum sb_part followed(const struct sb_levels *levels, enum sb_count_class c)
{
	bool efficient = levels->part[SB_PART_ATTENTION] == SB_ATTENTION_EFFICIENT;

	if (c == SB_COUNT_CONV)
		return SB_PART_PRECISION_CONV;
	return c == SB_COUNT_ATTENTION && efficient ? SB_PART_PRECISION_ATTENTION : SB_PART_PRECISION_GEMM;
}

static bool is_tf32(const struct sb_levels *levels, enum sb_count_class c)
{
	return levels->part[followed(levels, c)] == SB_PRECISION_TF32;
}

bool sb_evidence_has_tf32(const struct sb_levels *levels)
{
	return is_tf32(levels, SB_COUNT_GEMM) || is_tf32(levels, SB_COUNT_CONV) || is_tf32(levels, SB_COUNT_ATTENTION);
}

static struct sb_evidence_arm *arm_of(struct sb_evidence *e, const struct sb_arm *arm)
{
	struct sb_evidence_arm *new = &e->arms[e->n_arms];

	for (int i = 0; i < e->n_arms; i++)
		if (!strcmp(e->arms[i].name, arm->name))
			return &e->arms[i];
	if (e->n_arms == SB_ARMS_MAX)
		SB_BUG("more than %d arms", SB_ARMS_MAX);
	e->n_arms++;
	snprintf(new->name, sizeof(new->name), "%s", arm->name);
	new->levels = arm->levels;
	return new;
}

static void add_product(struct sb_evidence_products *p, const struct sb_rollup *u)
{
	switch (sb_kernel_class_of(u->name)) {
	case SB_KERNEL_TF32:
		p->tf32 += u->count;
		p->tf32_ns += u->dur_ns;
		break;
	case SB_KERNEL_FP32:
		p->fp32 += u->count;
		p->fp32_ns += u->dur_ns;
		p->fp32_long_ns += u->dur_ns > SMALL_PRODUCT_NS * u->count ? u->dur_ns : 0;
		break;
	case SB_KERNEL_OTHER:
		p->other += u->count;
		break;
	}
}

static void add_precision(struct sb_evidence_arm *to, const struct sb_trial_result *r)
{
	to->traced = true;
	for (size_t i = 0; i < r->n_rollup; i++)
		for (int c = 0; c < SB_COUNT_ALL; c++)
			if (!strcmp(r->rollup[i].kind, sb_count_class_names[c]))
				add_product(&to->of[c], &r->rollup[i]);
}

static void add_attention(struct sb_evidence *e, struct sb_evidence_arm *arm, const struct sb_trial_result *r)
{
	bool efficient;

	for (size_t i = 0; i < r->n_rollup; i++) {
		const struct sb_rollup *u = &r->rollup[i];

		if (strcmp(u->kind, "attention"))
			continue;
		efficient = strstr(u->name, "efficient") != NULL;
		e->attentions += u->count;
		arm->attentions += u->count;
		e->attentions_efficient += efficient ? u->count : 0;
		arm->attentions_efficient += efficient ? u->count : 0;
	}
}

/* Efficient FP32 attention may be three TF32 products for each: its counts say nothing. */
static bool counts_say_nothing(const struct sb_levels *levels, enum sb_count_class c)
{
	return followed(levels, c) == SB_PART_PRECISION_ATTENTION && !is_tf32(levels, c);
}

static void add_counts(struct sb_evidence *e, struct sb_evidence_arm *arm, const struct sb_trial_result *r)
{
	const struct sb_levels *levels = &arm->levels;
	bool any[2] = { false, false };

	for (int c = 0; c < SB_COUNT_ALL; c++) {
		char metric[SB_METRIC_NAME_MAX];
		double flop, ops;

		snprintf(metric, sizeof(metric), "counter.%s.flop", sb_count_class_names[c]);
		flop = sb_trial_result_value(r, metric);
		snprintf(metric, sizeof(metric), "counter.%s.tf32_ops", sb_count_class_names[c]);
		ops = sb_trial_result_value(r, metric);
		if (counts_say_nothing(levels, (enum sb_count_class)c) || isnan(flop) || isnan(ops) || flop == 0.0)
			continue;
		bool tf32 = is_tf32(levels, (enum sb_count_class)c);
		struct sb_evidence_counts *to = tf32 ? &e->at_tf32 : &e->at_fp32;

		to->flop += flop;
		to->tf32_ops += ops;
		arm->counted[c].flop += flop;
		arm->counted[c].tf32_ops += ops;
		any[tf32] = true;
	}
	e->at_fp32.arms += any[0];
	e->at_tf32.arms += any[1];
}

/* The worst of all trials speaks. */
static void add_offload(struct sb_evidence *e, const struct sb_trial_result *r)
{
	double moved = sb_trial_result_value(r, "offload.moved_bytes");
	double saved = sb_trial_result_value(r, "offload.saved_bytes");
	double resident = sb_trial_result_value(r, "offload.resident_bytes");
	bool first = e->trials[SB_PART_OFFLOAD]++ == 0;

	if (isnan(moved) || isnan(saved) || isnan(resident))
		moved = saved = resident = 0.0; /* a workload without layers */
	if (first || moved < e->moved)
		e->moved = moved;
	if (first || saved < e->saved)
		e->saved = saved;
	if (first || resident > e->resident)
		e->resident = resident;
}

/* A kind of driver call that was not made has no sample. */
static void add_alloc(struct sb_evidence *e, struct sb_evidence_arm *arm, const struct sb_trial_result *r)
{
	double segments = sb_trial_result_value(r, "driver.cold_segment_alloc_calls");
	double maps = sb_trial_result_value(r, "driver.cold_map_calls");

	arm->segment_allocs += isnan(segments) ? 0.0 : segments;
	arm->maps += isnan(maps) ? 0.0 : maps;
	arm->alloc_trials++;
	e->segment_allocs += isnan(segments) ? 0.0 : segments;
	e->maps += isnan(maps) ? 0.0 : maps;
	e->trials[SB_PART_ALLOC]++;
}

static void add_trace(struct sb_evidence *e, struct sb_evidence_arm *arm, const struct sb_trial_result *r)
{
	double scores = sb_trial_result_value(r, "memory.attention_scores_bytes");

	add_precision(arm, r);
	e->trials[SB_PART_PRECISION_GEMM] += sb_evidence_has_tf32(&arm->levels);
	if (arm->levels.part[SB_PART_ATTENTION] != SB_ATTENTION_EFFICIENT)
		return;
	add_attention(e, arm, r);
	e->trials[SB_PART_ATTENTION]++;
	if (scores > e->scores)
		e->scores = scores;
}

void sb_evidence_add(
        struct sb_evidence *e, const struct sb_arm *arm, enum sb_purpose purpose, const struct sb_trial_result *r)
{
	const struct sb_levels *levels = &arm->levels;
	double workspace = sb_trial_result_value(r, "memory.attention_workspace_bytes");
	double same = sb_trial_result_value(r, "quality.identical");
	bool efficient = levels->part[SB_PART_ATTENTION] == SB_ATTENTION_EFFICIENT;
	struct sb_evidence_arm *to = arm_of(e, arm);
	double *largest = efficient ? &e->workspace_efficient : &e->workspace_standard;

	if (purpose == SB_COUNTING) {
		add_counts(e, to, r);
		return;
	}
	e->unused_attention |= !efficient && levels->part[SB_PART_PRECISION_ATTENTION] == SB_PRECISION_TF32;
	if (workspace > *largest)
		*largest = workspace;
	if (sb_evidence_has_tf32(levels) && !isnan(same)) {
		e->compared++;
		to->compared++;
		to->identical += same == 1.0;
	}
	if (levels->part[SB_PART_OFFLOAD] != SB_OFFLOAD_OFF)
		add_offload(e, r);
	if (levels->part[SB_PART_ALLOC] != SB_ALLOC_DEFAULT)
		add_alloc(e, to, r);
	if (purpose == SB_TRACING && r->trace_complete)
		add_trace(e, to, r);
}

/* Rounded down: 100 is all. */
static int percent(int64_t part, int64_t whole)
{
	return whole ? (int)(100 * part / whole) : 0;
}

/* Does what was counted of an arm contradict its levels? Then in which class. */
static const char *miscounted(const struct sb_evidence_arm *arm)
{
	for (int c = 0; c < SB_COUNT_ALL; c++) {
		double flop = arm->counted[c].flop, ops = arm->counted[c].tf32_ops;
		bool tf32 = is_tf32(&arm->levels, (enum sb_count_class)c);

		if (flop > 0.0 && (tf32 ? ops < COUNTED_LEAST * flop : ops > COUNTED_MOST * flop))
			return sb_count_class_names[c];
	}
	return NULL;
}

/*
 * What the hardware counted, as a clause; "" where it was not asked. False: it contradicts the names. Tiles that are
 * not full count whole, so there may be more operations than FLOP; names of kernels say that each product was one.
 */
static bool judge_counts(const struct sb_evidence *e, char *out, size_t n)
{
	const struct sb_evidence_counts *on = &e->at_tf32, *off = &e->at_fp32;
	char fp32[64] = "", where[96] = "";

	out[0] = '\0';
	for (int i = 0; i < e->n_arms && !where[0]; i++) {
		const char *class = miscounted(&e->arms[i]);

		if (class)
			snprintf(where, sizeof(where), ", against %s in arm %s", class, e->arms[i].name);
	}
	if (!on->arms && !where[0])
		return true;
	if (off->arms && off->tf32_ops == 0.0)
		snprintf(fp32, sizeof(fp32), "none at fp32");
	else if (off->arms)
		snprintf(fp32, sizeof(fp32), "%.2g at fp32", off->tf32_ops / off->flop);
	if (on->arms)
		snprintf(out, n, "; counted %.2f TF32 operations per FLOP of products%s%s%s", on->tf32_ops / on->flop,
		        fp32[0] ? ", " : "", fp32, where);
	else
		snprintf(out, n, "; counted %s%s", fp32, where);
	return !where[0];
}

/* What is wrong with one class of an arm, as a clause: true. */
static bool fault_of_class(const struct sb_evidence_arm *arm, enum sb_count_class c, char *out, size_t n)
{
	const struct sb_evidence_products *p = &arm->of[c];
	int64_t ns = p->tf32_ns + p->fp32_ns;
	const char *class = sb_count_class_names[c];

	if (!is_tf32(&arm->levels, c)) {
		if (p->tf32)
			snprintf(out, n, ", but %lld TF32 kernels ran in arm %s (%s)", (long long)p->tf32, arm->name,
			        class);
		return p->tf32 > 0;
	}
	if (!p->fp32 || (p->tf32 && (double)p->fp32_long_ns <= FP32_MOST * (double)ns))
		return false;
	snprintf(out, n, ", but FP32 kernels took %.1f %% of the time of %s in arm %s",
	        ns ? 100.0 * (double)p->fp32_ns / (double)ns : 100.0, class, arm->name);
	return true;
}

/* All products of an arm that should be TF32: small ones, too, are to be few. */
static bool fault_of_arm(const struct sb_evidence_arm *arm, char *out, size_t n)
{
	double fp32_ns = 0.0, ns = 0.0;

	for (int c = 0; c < SB_COUNT_ALL; c++) {
		if (fault_of_class(arm, (enum sb_count_class)c, out, n))
			return true;
		if (!is_tf32(&arm->levels, (enum sb_count_class)c))
			continue;
		fp32_ns += (double)arm->of[c].fp32_ns;
		ns += (double)(arm->of[c].tf32_ns + arm->of[c].fp32_ns);
	}
	if (fp32_ns <= FP32_MOST_SMALL * ns)
		return false;
	snprintf(out, n, ", but FP32 kernels took %.1f %% of the time of products in arm %s", 100.0 * fp32_ns / ns,
	        arm->name);
	return true;
}

static bool find_fault(const struct sb_evidence *e, char *out, size_t n)
{
	out[0] = '\0';
	for (int i = 0; i < e->n_arms; i++)
		if (fault_of_arm(&e->arms[i], out, n))
			return true;
	return false;
}

/* Products that should be TF32, of all arms; and of which classes, in words. */
static struct sb_evidence_products sum_products(const struct sb_evidence *e, char *words, size_t n)
{
	struct sb_evidence_products sum = { 0 };
	const char *seen[SB_COUNT_ALL];
	int n_seen = 0;

	for (int c = 0; c < SB_COUNT_ALL; c++) {
		int64_t before = sum.tf32 + sum.fp32;

		for (int i = 0; i < e->n_arms; i++) {
			const struct sb_evidence_products *p = &e->arms[i].of[c];

			if (!is_tf32(&e->arms[i].levels, (enum sb_count_class)c))
				continue;
			sum.tf32 += p->tf32;
			sum.fp32 += p->fp32;
			sum.tf32_ns += p->tf32_ns;
			sum.fp32_ns += p->fp32_ns;
		}
		if (sum.tf32 + sum.fp32 > before)
			seen[n_seen++] = sb_count_class_names[c];
	}
	if (n_seen == 3)
		snprintf(words, n, "%s, %s and %s kernels", seen[0], seen[1], seen[2]);
	else if (n_seen == 2)
		snprintf(words, n, "%s and %s kernels", seen[0], seen[1]);
	else
		snprintf(words, n, "%s kernels", n_seen ? seen[0] : "known");
	return sum;
}

/* An arm whose trials do not show its level, so that others would speak for it; why, as a clause: true. */
static bool find_gap(const struct sb_evidence *e, char *out, size_t n)
{
	for (int i = 0; i < e->n_arms; i++) {
		const struct sb_evidence_arm *arm = &e->arms[i];

		if (sb_evidence_has_tf32(&arm->levels) && !arm->traced) {
			snprintf(out, n, "no complete trace trial of arm %s", arm->name);
			return true;
		}
		for (int c = 0; c < SB_COUNT_ALL; c++) {
			const struct sb_evidence_products *p = &arm->of[c];

			if (!is_tf32(&arm->levels, (enum sb_count_class)c))
				continue;
			if (p->tf32 + p->fp32 ? p->tf32_ns + p->fp32_ns > 0 : !p->other)
				continue;
			snprintf(out, n, "no %s of a %s kernel in arm %s is known", p->tf32 + p->fp32 ? "time" : "name",
			        sb_count_class_names[c], arm->name);
			return true;
		}
	}
	return false;
}

/* Results of an arm that are those of FP32 to the bit: its TF32 changed nothing. */
static const struct sb_evidence_arm *find_unchanged(const struct sb_evidence *e)
{
	for (int i = 0; i < e->n_arms && !e->reference_tf32; i++)
		if (e->arms[i].compared && e->arms[i].identical == e->arms[i].compared)
			return &e->arms[i];
	return NULL;
}

static void judge_precision(const struct sb_evidence *e, bool emulated, struct sb_switch_line *out)
{
	char counts[192], fault[144], words[48], gap[96], same[96] = "";
	bool counted = judge_counts(e, counts, sizeof(counts));
	bool faulty = find_fault(e, fault, sizeof(fault));
	struct sb_evidence_products sum = sum_products(e, words, sizeof(words));
	/* Names say what was launched; results that do not differ by one bit say that it changed nothing. */
	const struct sb_evidence_arm *unchanged = find_unchanged(e);
	bool sound = sum.tf32 && !faulty && !unchanged && counted;

	if (sound && find_gap(e, gap, sizeof(gap))) {
		out->tested = false;
		snprintf(out->text, sizeof(out->text), "not tested: %s", gap);
		return;
	}
	out->in_effect = sound;
	if (unchanged)
		snprintf(same, sizeof(same), ", but the results of arm %s are FP32's to the bit", unchanged->name);
	else if (e->compared)
		snprintf(same, sizeof(same), ", results differ from FP32's");
	snprintf(out->text, sizeof(out->text), "%s: %lld of %lld %s, %d %% of their time%s%s%s%s%s%s",
	        out->in_effect ? "in effect" : "not in effect", (long long)sum.tf32, (long long)(sum.tf32 + sum.fp32),
	        words, percent(sum.tf32_ns, sum.tf32_ns + sum.fp32_ns), fault,
	        e->conv_path[0] ? ", convolutions: " : "", e->conv_path, same, counts,
	        emulated ? " (emulated: operands rounded, the speed is not TF32's)" : "");
}

/* Had every traced arm of efficient attention a kernel of it? */
static bool all_attend(const struct sb_evidence *e)
{
	for (int i = 0; i < e->n_arms; i++) {
		const struct sb_evidence_arm *arm = &e->arms[i];

		if (arm->traced && arm->levels.part[SB_PART_ATTENTION] == SB_ATTENTION_EFFICIENT &&
		        !arm->attentions_efficient)
			return false;
	}
	return true;
}

/*
 * A score matrix would show in the workspace, which then is as large as the largest one. Tiles, of which every thread
 * of a CPU has some, may be larger than the matrix of a small case: nothing can be said then.
 */
static void judge_attention(const struct sb_evidence *e, struct sb_switch_line *out)
{
	bool kernels = e->attentions && e->attentions_efficient == e->attentions && all_attend(e);
	/* A worker that does not tell it: standard attention holds two. */
	double scores = e->scores > 0.0 ? e->scores : e->workspace_standard / 2.0;
	bool none_held = e->workspace_efficient == 0.0 || e->workspace_efficient < scores / 4.0;
	char size[48] = "of unknown size", standard[48] = "";

	out->in_effect = kernels && none_held;
	out->tested = !kernels || none_held || (scores > 0.0 && e->workspace_efficient >= TILES_BYTES);
	if (scores > 0.0)
		snprintf(size, sizeof(size), "%.2f MiB", scores / MIB);
	if (e->workspace_standard > 0.0)
		snprintf(standard, sizeof(standard), ", standard %.2f MiB", e->workspace_standard / MIB);
	snprintf(out->text, sizeof(out->text),
	        "%s: %lld of %lld attention kernels, workspace %.2f MiB at most (score matrix %s%s)%s",
	        out->in_effect ? "in effect"
	        : out->tested  ? "not in effect"
	                       : "not tested",
	        (long long)e->attentions_efficient, (long long)e->attentions, e->workspace_efficient / MIB, size,
	        standard, out->tested ? "" : ", which may be tiles or a score matrix; a larger case tells");
}

static void judge_alloc(const struct sb_evidence *e, struct sb_switch_line *out)
{
	out->in_effect = e->maps > 0;
	for (int i = 0; i < e->n_arms; i++)
		if (e->arms[i].alloc_trials && (e->arms[i].maps == 0.0 || e->arms[i].segment_allocs > 0.0))
			out->in_effect = false;
	snprintf(out->text, sizeof(out->text), "%s: %.0f pages mapped, %.0f whole segments asked for, over %d trials",
	        out->in_effect ? "in effect" : "not in effect", e->maps, e->segment_allocs, e->trials[SB_PART_ALLOC]);
}

/* Weights came from the host in every pass, and the device was spared more than the room they pass through. */
static void judge_offload(const struct sb_evidence *e, struct sb_switch_line *out)
{
	out->in_effect = e->moved > 0.0 && e->saved > 0.0;
	snprintf(out->text, sizeof(out->text),
	        "%s: %.2f MiB of weights less on the device, %.2f MiB resident, %.2f MiB moved in a pass, over %d "
	        "trials",
	        out->in_effect ? "in effect" : "not in effect", e->saved / MIB, e->resident / MIB, e->moved / MIB,
	        e->trials[SB_PART_OFFLOAD]);
}

static void not_tested(const struct sb_evidence *e, const char *factor, struct sb_switch_line *out)
{
	out->tested = false;
	if (!strcmp(factor, "precision") && e->unused_attention)
		snprintf(out->text, sizeof(out->text),
		        "not tested: precision.attention is of efficient attention, and no traced arm has both");
	else
		snprintf(out->text, sizeof(out->text), "not tested: no trial shows it%s",
		        strcmp(factor, "alloc") ? " (trace trials are needed)" : "");
}

void sb_evidence_judge(const struct sb_evidence *e, const char *factor, bool emulated, struct sb_switch_line *out)
{
	*out = (struct sb_switch_line){ .factor = factor, .tested = true };
	if (!strcmp(factor, "precision") && e->trials[SB_PART_PRECISION_GEMM])
		judge_precision(e, emulated, out);
	else if (!strcmp(factor, "attention") && e->trials[SB_PART_ATTENTION])
		judge_attention(e, out);
	else if (!strcmp(factor, "offload") && e->trials[SB_PART_OFFLOAD])
		judge_offload(e, out);
	else if (!strcmp(factor, "alloc") && e->trials[SB_PART_ALLOC])
		judge_alloc(e, out);
	else
		not_tested(e, factor, out);
}
