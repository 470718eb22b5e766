/* pointwise_cuda: the ops of pointwise.h, and add of track.h, on a CUDA device; how to call them: cuda_launch.h. Plain
 * C. */
#ifndef SB_POINTWISE_CUDA_H
#define SB_POINTWISE_CUDA_H

#include "cuda_launch.h"
#include "pointwise.h"
#include "track.h"

#ifdef __cplusplus
extern "C" {
#endif

int sb_channel_affine_cuda(const struct sb_channel_affine_args *a, struct sb_cuda_launch *l);
int sb_tokens_cuda(const struct sb_tokens_args *a, struct sb_cuda_launch *l);
int sb_copy2d_cuda(const struct sb_copy2d_args *a, struct sb_cuda_launch *l);
int sb_add_position_cuda(const struct sb_add_position_args *a, struct sb_cuda_launch *l);
int sb_depth_out_cuda(const struct sb_depth_out_args *a, struct sb_cuda_launch *l);
int sb_pose_decode_cuda(const struct sb_pose_decode_args *a, struct sb_cuda_launch *l);
int sb_unproject_cuda(const struct sb_unproject_args *a, struct sb_cuda_launch *l);
int sb_fill_cuda(const struct sb_fill_args *a, struct sb_cuda_launch *l);
int sb_scale_cuda(const struct sb_scale_args *a, struct sb_cuda_launch *l);
int sb_add_cuda(const struct sb_add_args *a, struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
