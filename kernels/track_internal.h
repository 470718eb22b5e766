/* track_internal: small geometry in double that the *_cpu.c of track.h share. */
#ifndef SB_TRACK_INTERNAL_H
#define SB_TRACK_INTERNAL_H

#include <math.h>
#include <stdint.h>

#include "cpu_math.h"

/* k^-1 (x, y, 1) by Cramer's rule; k [3, 3]. A singular matrix gives infinities or NaN, as plain division does. */
SB_INLINE void sb_unproject(const float *k, double x, double y, double out[3])
{
	double a = (double)k[0], b = (double)k[1], c = (double)k[2], d = (double)k[3], e = (double)k[4],
	       f = (double)k[5];
	double g = (double)k[6], h = (double)k[7], i = (double)k[8];
	double det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);

	out[0] = (x * (e * i - f * h) - b * (y * i - f) + c * (y * h - e)) / det;
	out[1] = (a * (y * i - f) - x * (d * i - f * g) + c * (d - y * g)) / det;
	out[2] = (a * (e - y * h) - b * (d - y * g) + x * (d * h - e * g)) / det;
}

/* Rounded half to even and clamped to 0 .. size - 1; NaN gives 0. */
SB_INLINE int64_t sb_nearest_index(float v, int64_t size)
{
	double r = rint((double)v), top = (double)(size - 1);

	r = r < top ? r : top;
	return v > 0.0f ? (int64_t)r : 0;
}

/* What axis c of a normalised point means in space; box = lo xyz, hi xyz. */
SB_INLINE double sb_box_den(const float *box, int64_t c, double v)
{
	return (double)box[c] + (v + 1.0) / 2.0 * ((double)box[3 + c] - (double)box[c]);
}

SB_INLINE double sb_box_nrm(const float *box, int64_t c, double v)
{
	return 2.0 * (v - (double)box[c]) / ((double)box[3 + c] - (double)box[c]) - 1.0;
}

SB_INLINE double sb_sigmoid(double v)
{
	return 1.0 / (1.0 + exp(-v));
}

#endif
