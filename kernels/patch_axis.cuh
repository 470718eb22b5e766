/*
 * patch_axis: where a 7 x 7 patch lies along one axis, for the CUDA kernels that sample patches: patch_axis.h has the
 * same for the CPU and says why. For *.cu only.
 */
#ifndef SB_PATCH_AXIS_CUH
#define SB_PATCH_AXIS_CUH

#include "cuda_elements.cuh"

constexpr int kSide = 7;
constexpr int kPatch = kSide * kSide;
constexpr int kWindow = kSide + 1; /* lines between which a patch's positions lie */

struct patch_axis {
	int base;   /* line i of the window is base + i, clamped to the map */
	int size;   /* of the map along this axis */
	float frac; /* of every position from the line below it */
	double exact;
};

/* Around u * scale, rounded once. NaN counts as far below 0. */
static __device__ __forceinline__ struct patch_axis patch_axis_of(float u, float scale, int64_t size)
{
	float pos = __fmul_rn(u, scale), lowest = -kWindow, highest = (float)(size + kWindow), below;

	pos = pos > lowest ? pos : lowest;
	pos = pos < highest ? pos : highest;
	below = floorf(pos);
	return { (int)below - kSide / 2, (int)size, __fsub_rn(pos, below), (double)pos - (double)below };
}

static __device__ __forceinline__ int axis_line(const struct patch_axis &axis, int i)
{
	int line = axis.base + i;

	line = line < axis.size - 1 ? line : axis.size - 1;
	return line > 0 ? line : 0;
}

#endif
