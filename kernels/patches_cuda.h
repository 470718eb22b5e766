/*
 * patches_cuda: the ops of patches.h on a CUDA device; how to call them: cuda_launch.h. Plain C. patches.cu,
 * patches_corr.cu (corr).
 *
 * corr multiplies in TF32 where the arguments or the launch say so, and then rounds the weights itself, too. Its
 * workspace holds the weights once more and a part of the volume, as much as fills the device: 87 MB at 132
 * multiprocessors.
 */
#ifndef SB_PATCHES_CUDA_H
#define SB_PATCHES_CUDA_H

#include <stddef.h>

#include "cuda_launch.h"
#include "patches.h"

#ifdef __cplusplus
extern "C" {
#endif

int sb_patch_sample_cuda(const struct sb_patch_sample_args *a, struct sb_cuda_launch *l);
size_t sb_corr_cuda_workspace(const struct sb_corr_args *a, const struct sb_cuda_launch *l);
int sb_corr_cuda(const struct sb_corr_args *a, struct sb_cuda_launch *l);
int sb_neighbours_cuda(const struct sb_neighbours_args *a, struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
