/*
 * prepare: from the front end's results to what the tracker reads. Depth and confidence stay on the device; intrinsics
 * and cameras are so few numbers that the host does them. Uses backend. Source: ARCHITECTURE section 2.3.
 */
#ifndef SB_PREPARE_H
#define SB_PREPARE_H

#include "sb_backend.h"

/* The tracker's resolution for a network size h x w: the short side becomes 336, each a multiple of 14. */
void sb_track_resolution(int64_t h, int64_t w, int64_t *hr, int64_t *wr);

struct sb_prepare {
	int64_t frames, h, w, hr, wr;
	float *k;   /* host [frames, 3, 3] in pixels of hr x wr */
	float *cam; /* host [frames, 4, 4] camera to world, relative to frame 0 */
};
/* Fills hr and wr too. Errors: SB_E_NOMEM. */
enum sb_status sb_prepare_init(struct sb_prepare *p, int64_t frames, int64_t h, int64_t w, struct sb_error *err);
void sb_prepare_release(struct sb_prepare *p);

struct sb_prepare_input {
	const float *depth, *conf; /* device [frames, h, w]; confidence above 0.5 keeps a pixel */
	const float *k, *c2w;      /* host [frames, 3, 3] in pixels of h x w, [frames, 4, 4] */
	bool planted;              /* the clean-up is computed and not applied: depth stays, everything is valid */
};

/*
 * Stage track.prepare. *depth and *valid [frames, hr, wr]: memory of the arm's allocator, the caller's to free. Waits
 * until what front.output downloads to k and c2w is there.
 * Not finite: a depth that is NaN is not valid and becomes 0; a frame 0 that has no inverse leaves all cameras as they
 * are.
 */
enum sb_status sb_prepare_run(struct sb_prepare *p, struct sb_backend *be, const struct sb_prepare_input *in,
        float **depth, float **valid, struct sb_error *err);

/* k [frames, 3, 3]: row 0 times sx, row 1 times sy. */
void sb_scale_intrinsics(const float *k, int64_t frames, float sx, float sy, float *out);
/*
 * inverse(c2w_0) c2w_t with its rotation taken through a quaternion (real part first and not negative, from the largest
 * of the four), which makes it orthonormal; float32 as in the reference, but for the inverse. out [frames, 4, 4].
 */
void sb_relative_cameras(const float *c2w, int64_t frames, float *out);

#endif
