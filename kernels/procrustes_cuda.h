/* procrustes_cuda: procrustes.h on a CUDA device; how to call it: cuda_launch.h. Plain C. */
#ifndef SB_PROCRUSTES_CUDA_H
#define SB_PROCRUSTES_CUDA_H

#include "cuda_launch.h"
#include "procrustes.h"

#ifdef __cplusplus
extern "C" {
#endif

int sb_procrustes_cuda(const struct sb_procrustes_args *a, struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
