/* procrustes: the rigid motion between two weighted point sets, for a batch of pairs. Plain C. */
#ifndef SB_PROCRUSTES_H
#define SB_PROCRUSTES_H

#include <stdint.h>

/*
 * For every pair b: the rotation R (determinant +1, never a mirror image) and t that minimise
 *   sum over i of w_i |R x_i + t - y_i|^2
 *
 * Shapes:  coordinate c of point i of pair b at x + b x_batch + i x_point + c, y likewise, its weight at w + b w_batch
 * + i w_point; strides in elements, 0 repeats. motion [batch, 4, 4], row-major: [R t; 0 0 0 1], or with `inverse` its
 * inverse [R' -R't; 0 0 0 1]. Points:  one counts when its weight is positive and finite and its six coordinates are
 * finite; the others are as if they were not there. Degenerate sets (spread against the float rounding of the
 * coordinates): no point counts: the identity; all coincide: R = 1, t from centroid to centroid; on one line: of the
 * rotations that are equally good, the one with the smallest angle (lines that point oppositely: half a turn about an
 * axis across the line); on one plane: unique, and found; mirrored: the best proper rotation, which is not unique where
 * the two smallest extents are equal: then any of the best. The result is finite always, as long as centroids fit into
 * float. Source:  ARCHITECTURE section 4.9; Kabsch 1976, Umeyama 1991.
 */
struct sb_procrustes_args {
	const float *x, *y, *w;
	int64_t batch, points;
	int64_t x_batch, x_point, y_batch, y_point, w_batch, w_point;
	float *motion;
	int inverse;
};

void sb_procrustes_cpu(const struct sb_procrustes_args *a);
/* Where the motion is not unique: any of the best, not the one above. */
void sb_procrustes_ref(const struct sb_procrustes_args *a);

#endif
