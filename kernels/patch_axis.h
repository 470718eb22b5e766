/*
 * patch_axis: where a 7 x 7 patch lies along one axis, for the *_cpu.c that sample patches. The 49 positions share one
 * fraction, so a patch is 8 x 8 pixels interpolated along x and then along y; at the border indices are clamped instead
 * of coordinates, which is the same: a + f (a - a) is a.
 */
#ifndef SB_PATCH_AXIS_H
#define SB_PATCH_AXIS_H

#include <math.h>
#include <stdint.h>

#include "cpu_math.h"
#include "patches.h"

#define SB_PATCH_WINDOW (SB_PATCH_SIDE + 1)

/* The 8 lines between which the patch's 7 lie, as offsets in elements, and how far they are from the lower one. */
struct sb_patch_axis {
	int64_t at[SB_PATCH_WINDOW];
	double frac; /* exact: below 0 a float would have to round it */
};

/* Around u * scale on an axis of `size` lines that are `pitch` elements apart. NaN counts as far below 0. */
SB_INLINE struct sb_patch_axis sb_patch_axis_of(float u, float scale, int64_t size, int64_t pitch)
{
	/* Through double, so that no compiler fuses the product with the difference below: it is rounded once. */
	float pos = (float)((double)u * (double)scale), lowest = -SB_PATCH_WINDOW,
	      highest = (float)(size + SB_PATCH_WINDOW);
	struct sb_patch_axis axis;
	int64_t base;

	pos = pos > lowest ? pos : lowest; /* then it fits an integer, and the patch is as far outside as it was */
	pos = pos < highest ? pos : highest;
	base = (int64_t)floorf(pos);
	axis.frac = (double)pos - (double)base;
	for (int i = 0; i < SB_PATCH_WINDOW; i++) {
		int64_t line = base - SB_PATCH_SIDE / 2 + i;

		line = line < size - 1 ? line : size - 1;
		axis.at[i] = (line > 0 ? line : 0) * pitch;
	}
	return axis;
}

#endif
