/* save_npz: tracks, cameras, depth and frames in the layout that the reference's viewers read. */
#ifndef SB_SAVE_NPZ_H
#define SB_SAVE_NPZ_H

#include "results.h"
#include "sb_workload.h"

/*
 * to->npz: float32 members, N tracks of the user, h x w the network's size made smaller until its longer side has at
 * most 336 pixels (bilinear, antialiased; intrinsics with it):
 *   coords [frames, N, 3]      points in the world: R_c2w xyz + t
 *   extrinsics [frames, 4, 4]  world to camera: inverse(c2w)
 *   intrinsics [frames, 3, 3]
 *   depths [frames, h, w]      the point map's z, 0 where unc_metric is below 0.5
 *   video [frames, 3, h, w]    the network's frames, 0 .. 1. Clamped, which the reference leaves out: bicubic values
 *                              beyond the range would wrap around in a viewer that makes bytes of them
 *   visibs [frames, N]         visibility as the network gives it: seen above 0.5. 0 where a coordinate is no number,
 *                              or there is no result yet
 *   unc_metric [frames, h, w]  how far the depth may be used, 0 .. 1
 * The archive's comment has the metadata, a line "key=value" each, and not_finite: points whose position is no number.
 * Errors: SB_E_DATA naming the file, SB_E_NOMEM. Source: ARCHITECTURE section 4.11.
 */
enum sb_status sb_npz_save(const struct sb_results *r, const struct sb_save *to, struct sb_error *err);

#endif
