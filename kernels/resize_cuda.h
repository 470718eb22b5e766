/* resize_cuda: the ops of resize.h on a CUDA device; how to call them: cuda_launch.h. Plain C. */
#ifndef SB_RESIZE_CUDA_H
#define SB_RESIZE_CUDA_H

#include "cuda_launch.h"
#include "resize.h"

#ifdef __cplusplus
extern "C" {
#endif

int sb_frames_resize_cuda(const struct sb_frames_resize_args *a, struct sb_cuda_launch *l);
int sb_resize_bilinear_cuda(const struct sb_resize_bilinear_args *a, struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
