/* track_quality: how far two results of the tracker are apart, in the units users judge by. */
#ifndef SB_TRACK_QUALITY_H
#define SB_TRACK_QUALITY_H

#include "sb_track_net.h"
#include "sb_workload.h"

#define SB_TRACK_QUALITY_COUNT 10

/* A point is seen where its visibility, the network's sigmoid + 0.2, is above this. Source: ARCHITECTURE 4.11. */
#define SB_TRACK_VISIBLE 0.5f

/*
 * Drift of `got` against `want`, same shape, over all points (track, frame) that `want` has a result for:
 *   quality.track_xy_px_median, _p95       distance of x, y in pixels of the network's size
 *   quality.track_depth_rel_median, _p95   |z - z0| / |z0|
 *   quality.track_xyz_rel_median, _p95     distance in the camera's space, against the distance from the camera
 *   quality.track_vis_changed              share of the points that are seen in one and hidden in the other
 *   quality.track_pose_deg_max             largest angle between two frames' rotations (degrees)
 *   quality.track_pose_rel_max             largest change of a camera's position, against the extent of the path: the
 *                                          diagonal of the box around the reference's positions
 *   quality.track_identical                1 when every bit is the same, else 0
 * sx, sy: pixels of the network's size per pixel of the tracker's: w / wr, h / hr.
 * A point that is not finite in either counts as infinitely far, and as hidden where its visibility is NaN; a measure
 * that comes out not finite is absent and says why. Without a point those over points are absent. scratch: [tracks,
 * frames]. Returns the number of measures.
 */
int sb_track_quality(const struct sb_track_outputs *want, const struct sb_track_outputs *got, double sx, double sy,
        float *scratch, struct sb_measure out[SB_TRACK_QUALITY_COUNT]);

#endif
