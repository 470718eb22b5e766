/*
 * track_cuda: the ops on the tracker's state of track.h on a CUDA device; how to call them: cuda_launch.h. Plain C.
 * track.cu (state), posenc.cu, depth.cu; those on maps are in maps_cuda.h.
 *
 * Results are the same bits in every run: sums have an order that depends on shapes alone. group_mean, repeat,
 * depth_mask, query_setup, depth_snap and depth_clean give the bits of the CPU; the others its values to the last
 * rounding to float.
 */
#ifndef SB_TRACK_CUDA_H
#define SB_TRACK_CUDA_H

#include "cuda_launch.h"
#include "track.h"

#ifdef __cplusplus
extern "C" {
#endif

int sb_posenc_cuda(const struct sb_posenc_args *a, struct sb_cuda_launch *l);
int sb_motion_cuda(const struct sb_motion_args *a, struct sb_cuda_launch *l);
int sb_group_mean_cuda(const struct sb_group_mean_args *a, struct sb_cuda_launch *l);
int sb_repeat_cuda(const struct sb_repeat_args *a, struct sb_cuda_launch *l);
int sb_depth_mask_cuda(const struct sb_depth_mask_args *a, struct sb_cuda_launch *l);
int sb_query_setup_cuda(const struct sb_query_setup_args *a, struct sb_cuda_launch *l);
int sb_norm_box_cuda(const struct sb_norm_box_args *a, struct sb_cuda_launch *l);
int sb_box_map_cuda(const struct sb_box_map_args *a, struct sb_cuda_launch *l);
int sb_geometry_tokens_cuda(const struct sb_geometry_tokens_args *a, struct sb_cuda_launch *l);
int sb_track_update_cuda(const struct sb_track_update_args *a, struct sb_cuda_launch *l);
int sb_track_out_cuda(const struct sb_track_out_args *a, struct sb_cuda_launch *l);

int sb_depth_snap_cuda(const struct sb_depth_snap_args *a, struct sb_cuda_launch *l);
size_t sb_depth_snap_cuda_workspace(const struct sb_depth_snap_args *a, const struct sb_cuda_launch *l);
int sb_depth_clean_cuda(const struct sb_depth_clean_args *a, struct sb_cuda_launch *l);
size_t sb_depth_clean_cuda_workspace(const struct sb_depth_clean_args *a, const struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
