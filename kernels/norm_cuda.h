/* norm_cuda: the ops of norm.h on a CUDA device; how to call them: cuda_launch.h. Plain C. */
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
