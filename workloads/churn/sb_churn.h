/*
 * churn: clips of changing length and height, one after the other, through the front end in one process on one
 * allocator: what fragments memory in a server that takes whatever comes. A pass is the whole list. Uses workload and
 * the tracker's front end.
 */
#ifndef SB_CHURN_H
#define SB_CHURN_H

#include "sb_workload.h"

/*
 * churn: buffers come and go as in PyTorch (as_modules of sb_front.h), so that an allocator meets what an application
 * would ask it for. churn-own: as spabench's fused ops need them, about a quarter of it.
 */
extern const struct sb_workload_ops sb_workload_churn, sb_workload_churn_own;

/* One clip of the list; its width is the list's. */
struct sb_churn_clip {
	int64_t frames, height;
};

#define SB_CHURN_CLIPS 24

/*
 * The list for a network of `width` pixels, in `clips`; frames and heights of width 518, scaled. seed 0: the list that
 * PyTorch's allocators were recorded with; another one: drawn, frames evenly from 4 to 40, heights from the same five.
 * divide: frames are divided by it and rounded up, for networks that are tried on a CPU.
 */
void sb_churn_list(uint64_t seed, int64_t width, int64_t divide, struct sb_churn_clip clips[SB_CHURN_CLIPS]);

#endif
