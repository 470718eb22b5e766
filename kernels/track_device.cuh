/* track_device: small geometry in double that posenc.cu, track.cu and depth.cu share; as track_internal.h. *.cu only.
 */
#ifndef SB_TRACK_DEVICE_CUH
#define SB_TRACK_DEVICE_CUH

#include "cuda_elements.cuh"

/* a b - c d, every operation rounded. */
static __device__ __forceinline__ double det2(double a, double b, double c, double d)
{
	return __dsub_rn(__dmul_rn(a, b), __dmul_rn(c, d));
}

/* a x - b y + c z from the left, every operation rounded. */
static __device__ __forceinline__ double cramer(double a, double x, double b, double y, double c, double z)
{
	return __dadd_rn(__dsub_rn(__dmul_rn(a, x), __dmul_rn(b, y)), __dmul_rn(c, z));
}

/*
 * k^-1 (x, y, 1) by Cramer's rule; k [3, 3]. A singular matrix gives infinities or NaN. No operation is fused: points
 * that depth_snap replaces have the bits of the CPU's.
 */
static __device__ __forceinline__ void unproject(const float *k, double x, double y, double out[3])
{
	double a = k[0], b = k[1], c = k[2], d = k[3], e = k[4], f = k[5], g = k[6], h = k[7], i = k[8];
	double yi_f = __dsub_rn(__dmul_rn(y, i), f), yh_e = __dsub_rn(__dmul_rn(y, h), e);
	double e_yh = __dsub_rn(e, __dmul_rn(y, h)), d_yg = __dsub_rn(d, __dmul_rn(y, g));
	double ei = det2(e, i, f, h), di = det2(d, i, f, g), dh = det2(d, h, e, g);
	double det = cramer(a, ei, b, di, c, dh);

	out[0] = __ddiv_rn(cramer(x, ei, b, yi_f, c, yh_e), det);
	out[1] = __ddiv_rn(cramer(a, yi_f, x, di, c, d_yg), det);
	out[2] = __ddiv_rn(cramer(a, e_yh, b, d_yg, x, dh), det);
}

/* Rounded half to even and clamped to 0 .. size - 1; NaN gives 0. */
static __device__ __forceinline__ int64_t nearest_index(float v, int64_t size)
{
	double r = rint((double)v), top = (double)(size - 1);

	r = r < top ? r : top;
	return v > 0.0f ? (int64_t)r : 0;
}

/* What axis c of a normalised point means in space; box = lo xyz, hi xyz. */
static __device__ __forceinline__ double box_den(const float *box, int c, double v)
{
	return (double)box[c] + (v + 1.0) / 2.0 * ((double)box[3 + c] - (double)box[c]);
}

static __device__ __forceinline__ double box_nrm(const float *box, int c, double v)
{
	return 2.0 * (v - (double)box[c]) / ((double)box[3 + c] - (double)box[c]) - 1.0;
}

static __device__ __forceinline__ double sigmoid(double v)
{
	return 1.0 / (1.0 + exp(-v));
}

/* Sum over the warp, in an order that is always the same; every lane gets it. */
static __device__ __forceinline__ double sum_warp(double v)
{
#pragma unroll
	for (int mask = kWarp / 2; mask > 0; mask /= 2)
		v += __shfl_xor_sync(kAllLanes, v, mask);
	return v;
}

#endif
