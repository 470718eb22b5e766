/*
 * maps_cuda: the ops on whole maps of track.h on a CUDA device (maps.cu); how to call them: cuda_launch.h. Plain C.
 * Sums of instance_norm run in double and in an order that shape and device decide; resizes, means of 2 x 2 and
 * subsamples give the CPU's bits.
 */
#ifndef SB_MAPS_CUDA_H
#define SB_MAPS_CUDA_H

#include <stddef.h>

#include "cuda_launch.h"
#include "track.h"

#ifdef __cplusplus
extern "C" {
#endif

size_t sb_instance_norm_cuda_workspace(const struct sb_instance_norm_args *a, const struct sb_cuda_launch *l);
int sb_instance_norm_cuda(const struct sb_instance_norm_args *a, struct sb_cuda_launch *l);
int sb_l2_normalize_cuda(const struct sb_l2_normalize_args *a, struct sb_cuda_launch *l);
int sb_resize_nearest_cuda(const struct sb_resize_nearest_args *a, struct sb_cuda_launch *l);
int sb_avg_pool2_cuda(const struct sb_avg_pool2_args *a, struct sb_cuda_launch *l);
int sb_subsample_cuda(const struct sb_subsample_args *a, struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
