/*
 * evidence: was a switch in effect? Judged on trace trials, by the kernels that ran and the driver calls made, and by
 * what the hardware counted where it may be asked.
 */
#ifndef SB_EVIDENCE_H
#define SB_EVIDENCE_H

#include "sb_session.h"

/* Products of one class of ops in the trace trials of one arm, by the names of their kernels. */
struct sb_evidence_products {
	int64_t tf32, fp32, tf32_ns, fp32_ns;
	int64_t fp32_long_ns; /* of fp32_ns: kernels that are no small products */
	int64_t other;        /* kernels whose names say nothing */
};
struct sb_evidence_arm {
	char name[SB_ARM_NAME_MAX];
	struct sb_levels levels;
	struct sb_evidence_products of[SB_COUNT_ALL]; /* by enum sb_count_class */
	struct {
		double flop, tf32_ops;
	} counted[SB_COUNT_ALL];                  /* by hardware counters, as below */
	bool traced;                              /* a complete trace trial was there */
	int compared, identical;                  /* trials with TF32 on; those whose results are FP32's to the bit */
	int64_t attentions, attentions_efficient; /* attention kernels, where attention is efficient */
	int alloc_trials;                         /* where alloc is not default, with their cold driver calls: */
	double segment_allocs, maps;
};

/* Each arm for itself, so that none proves another; sums are for the sentences. */
struct sb_evidence {
	struct sb_evidence_arm arms[SB_ARMS_MAX]; /* that had a trial */
	int n_arms;
	int compared;                                   /* timing trials with TF32 on whose results were compared */
	bool reference_tf32;                            /* then that says nothing */
	int64_t attentions, attentions_efficient;       /* attention kernels of efficient arms */
	double workspace_standard, workspace_efficient; /* largest seen, bytes */
	double scores;                                  /* largest score matrix of efficient arms; 0: not told */
	double moved, saved, resident; /* bytes of weights of offloading arms: least moved and saved, most resident */
	double segment_allocs, maps;   /* cold driver calls of expandable arms */
	/* Hardware counters of products: FLOP that must be done, TF32 operations counted, where the level is so. */
	struct sb_evidence_counts {
		double flop, tf32_ops;
		int arms; /* that were counted */
	} at_tf32, at_fp32;
	int trials[SB_PART_COUNT]; /* that say something about the part's factor; precision's: the first */
	bool unused_attention;     /* precision.attention is on where attention is standard */
	char conv_path[64];        /* what ran convolutions, the reason left out; "": nothing to say */
};

/* Does any op follow a part of `precision` that is TF32? */
bool sb_evidence_has_tf32(const struct sb_levels *levels);
/* Count one successful trial of an arm. */
void sb_evidence_add(
        struct sb_evidence *e, const struct sb_arm *arm, enum sb_purpose purpose, const struct sb_trial_result *r);
/* The verdict on `factor`. emulated: the device emulates TF32, which the sentence then says. */
void sb_evidence_judge(const struct sb_evidence *e, const char *factor, bool emulated, struct sb_switch_line *out);

#endif
