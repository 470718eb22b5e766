/*
 * evidence: was a switch in effect? Judged on trace trials, by the kernels that ran and the driver calls made, and by
 * what the hardware counted where it may be asked.
 */
#ifndef SB_EVIDENCE_H
#define SB_EVIDENCE_H

#include "sb_session.h"

/* Counted over the trace trials of the arms in which a factor is on. */
struct sb_evidence {
	int64_t products, products_tf32, products_ns, products_tf32_ns; /* gemm and conv, standard attention's too */
	int compared, identical; /* timing trials with TF32 on; those whose results are FP32's to the bit */
	bool reference_tf32;     /* then that says nothing */
	int64_t attentions, attentions_efficient, attention_ns, efficient_ns; /* attention kernels */
	double workspace_standard, workspace_efficient;                       /* largest seen, bytes */
	double segment_allocs, maps;                                          /* cold driver calls of expandable arms */
	/* Hardware counters of products: FLOP that must be done, TF32 operations counted, where the level is so. */
	struct sb_evidence_counts {
		double flop, tf32_ops;
		int arms; /* that were counted */
	} at_tf32, at_fp32;
	int trials[SB_PART_COUNT]; /* that say something about the part's factor */
	char conv_path[64];        /* what ran convolutions, the reason left out; "": nothing to say */
};

/* Count one successful trial of an arm. */
void sb_evidence_add(struct sb_evidence *e, const struct sb_levels *levels, enum sb_purpose purpose,
        const struct sb_trial_result *r);
/* The verdict on `factor`. emulated: the device emulates TF32, which the sentence then says. */
void sb_evidence_judge(const struct sb_evidence *e, const char *factor, bool emulated, struct sb_switch_line *out);

#endif
