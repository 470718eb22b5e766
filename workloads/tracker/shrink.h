/* shrink: pictures made smaller by antialiased bilinear interpolation, as the reference's script does before it saves.
 */
#ifndef SB_SHRINK_H
#define SB_SHRINK_H

#include "sb_base.h"

/*
 * One channel, in_h x in_w to out_h x out_w, each side at most as long as before. Along each axis, with c = in/out: the
 * taps are the pixels whose centres lie within c of c (i + 0.5), weighted by a triangle that is 0 there, weights of sum
 * 1. At equal size this is an identity.
 */
struct sb_shrink {
	int64_t in_h, in_w, out_h, out_w;
	struct sb_shrink_axis {
		int64_t taps;   /* room for each output pixel */
		int64_t *first; /* [out] */
		int64_t *count; /* [out] */
		float *weight;  /* [out, taps] */
	} x, y;
	float *rows; /* [in_h, out_w] between the axes */
};

/* Errors: SB_E_NOMEM. */
enum sb_status sb_shrink_init(
        struct sb_shrink *s, int64_t in_h, int64_t in_w, int64_t out_h, int64_t out_w, struct sb_error *err);
void sb_shrink_release(struct sb_shrink *s);
/* in: value (y, x) at y * in_w * step + x * step, so a channel of packed pixels can be taken. out [out_h, out_w]. */
void sb_shrink_run(struct sb_shrink *s, const float *in, int64_t step, float *out);

#endif
