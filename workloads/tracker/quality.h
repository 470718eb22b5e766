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

#endif
