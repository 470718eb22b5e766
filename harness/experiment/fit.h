/*
 * fit: the most frames whose first arm fits into a share of the device's free memory, found in few passes. Pure: it is
 * told what a pass took and says how many frames to try next.
 *
 * Model: weights stay, the scores of the largest attention grow with the square of the frames, all else with the
 * frames. Where something else makes the peak at few frames it predicts too much, and corrects itself by the next pass.
 * Uses base.
 */
#ifndef SB_FIT_H
#define SB_FIT_H

#include "sb_base.h"

#define SB_FIT_SHARE 0.85 /* of what is free: the rest is for fragments, and for what other programs may take */

/* A pass of the first arm, as its worker tells it. */
struct sb_fit_pass {
	int64_t frames;
	int64_t free_bytes; /* on the device before anything was put on it; 0: the worker does not tell */
	bool complete;      /* it did not run out of memory */
	int64_t weights_bytes, reserved_bytes, attention_bytes; /* complete: the peaks of its arm's memory */
};

struct sb_fit {
	int64_t least;            /* frames that a clip must have */
	int64_t good, bad;        /* most frames that are known to fit (0: none yet), fewest that are known not to */
	struct sb_fit_pass known; /* the longest complete pass; frames 0: none yet */
	int passes;
};

/* wanted >= least. */
void sb_fit_init(struct sb_fit *f, int64_t wanted, int64_t least);
/*
 * What this pass showed. Returns how many frames to try next; 0: it is decided, f->good frames fit (0: not even
 * `least`).
 */
int64_t sb_fit_next(struct sb_fit *f, const struct sb_fit_pass *p);
/* What a pass of so many frames would take, by the model. */
double sb_fit_predict(const struct sb_fit_pass *p, int64_t frames);

#endif
