/* weights_cuda: the op of weights.h on a CUDA device; how to call it: cuda_launch.h. Plain C. */
#ifndef SB_WEIGHTS_CUDA_H
#define SB_WEIGHTS_CUDA_H

#include "cuda_launch.h"
#include "weights.h"

#ifdef __cplusplus
extern "C" {
#endif

int sb_weights_made_cuda(const struct sb_weights_made_args *a, struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
