/* quality: how far two results of the pipeline are apart, in the units users judge by. */
#ifndef SB_QUALITY_H
#define SB_QUALITY_H

#include "sb_front.h"
#include "sb_workload.h"

/*
 * Drift of `got` against `want`, same shape:
 *   quality.depth_rel_median, .depth_rel_p95   |d - d0| / |d0| over all pixels (ratio)
 *   quality.conf_abs_max                       largest change of the confidence
 *   quality.pose_deg_max                       largest angle between two frames' rotations (degrees)
 *   quality.pose_rel_max                       largest change of a camera position, against the largest position
 *   quality.focal_rel_max                      largest relative change of a focal length
 *   quality.identical                          1 when every bit is the same, else 0
 * A value that is not finite makes its measure absent ("not finite"). scratch: [frames, h, w]. Returns the number of
 * measures.
 */
int sb_front_quality(const struct sb_front_outputs *want, const struct sb_front_outputs *got, float *scratch,
        struct sb_measure out[SB_QUALITY_MAX]);

/* ---- shared with track_quality.c ----------------------------------------------------------------------------- */

/* Median and 95th percentile, values of v. */
struct sb_drift {
	double median, p95;
};
struct sb_drift sb_drift_of(float *v, int64_t n); /* sorts v, where no NaN may be; n 0: NaN */

/* Of two rotations in 4 x 4 matrices, in degrees; NaN where one is not finite. */
double sb_rotation_angle(const float *m0, const float *m);

double sb_larger(double a, double b); /* NaN when either is */

#endif
