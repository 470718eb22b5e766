/*
 * track_cuda: every op of track.h on a CUDA device; how to call them: cuda_launch.h. Plain C. track.cu (state),
 * posenc.cu, maps.cu (norms and resizes of maps), depth.cu.
 *
 * Results are the same bits in every run and on every device of at least the same precision: sums have an order that
 * depends on shapes alone. depth_snap, depth_clean, group_mean, depth_mask, repeat, add, query_setup, resize_nearest,
 * avg_pool2 and subsample give the bits of the CPU's; the others its values to the last rounding to float.
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
int sb_add_cuda(const struct sb_add_args *a, struct sb_cuda_launch *l);
int sb_depth_mask_cuda(const struct sb_depth_mask_args *a, struct sb_cuda_launch *l);
int sb_query_setup_cuda(const struct sb_query_setup_args *a, struct sb_cuda_launch *l);
int sb_norm_box_cuda(const struct sb_norm_box_args *a, struct sb_cuda_launch *l);
int sb_box_map_cuda(const struct sb_box_map_args *a, struct sb_cuda_launch *l);
int sb_geometry_tokens_cuda(const struct sb_geometry_tokens_args *a, struct sb_cuda_launch *l);
int sb_track_update_cuda(const struct sb_track_update_args *a, struct sb_cuda_launch *l);
int sb_track_out_cuda(const struct sb_track_out_args *a, struct sb_cuda_launch *l);

int sb_instance_norm_cuda(const struct sb_instance_norm_args *a, struct sb_cuda_launch *l);
size_t sb_instance_norm_cuda_workspace(const struct sb_instance_norm_args *a, const struct sb_cuda_launch *l);
int sb_l2_normalize_cuda(const struct sb_l2_normalize_args *a, struct sb_cuda_launch *l);
int sb_resize_nearest_cuda(const struct sb_resize_nearest_args *a, struct sb_cuda_launch *l);
int sb_avg_pool2_cuda(const struct sb_avg_pool2_args *a, struct sb_cuda_launch *l);
int sb_subsample_cuda(const struct sb_subsample_args *a, struct sb_cuda_launch *l);

int sb_depth_snap_cuda(const struct sb_depth_snap_args *a, struct sb_cuda_launch *l);
size_t sb_depth_snap_cuda_workspace(const struct sb_depth_snap_args *a, const struct sb_cuda_launch *l);
int sb_depth_clean_cuda(const struct sb_depth_clean_args *a, struct sb_cuda_launch *l);
size_t sb_depth_clean_cuda_workspace(const struct sb_depth_clean_args *a, const struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
