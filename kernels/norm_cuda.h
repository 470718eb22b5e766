/*
 * norm_cuda: the ops of norm.h on a CUDA device (norm.cu); how to call them: cuda_launch.h. Plain C. Sums are float32,
 * of differences from the mean: rows beyond about 1e17 overflow, where the CPU's doubles do not.
 */
#ifndef SB_NORM_CUDA_H
#define SB_NORM_CUDA_H

#include "cuda_launch.h"
#include "norm.h"

#ifdef __cplusplus
extern "C" {
#endif

int sb_layer_norm_cuda(const struct sb_layer_norm_args *a, struct sb_cuda_launch *l);
int sb_qk_norm_rope_cuda(const struct sb_qk_norm_rope_args *a, struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
