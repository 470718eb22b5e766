/* markers on a CUDA device. Plain C; cuda_launch.h says how this is called. `out` may be pinned memory of the host. */
#ifndef SB_MARKERS_CUDA_H
#define SB_MARKERS_CUDA_H

#include "cuda_launch.h"
#include "markers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Keeps `blocks` multiprocessors busy for ns nanoseconds of the device's timer. */
int sb_spin_cuda(int blocks, int64_t ns, struct sb_cuda_launch *l);
int sb_markers_cuda(const struct sb_markers_args *a, struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
