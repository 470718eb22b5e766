/*
 * attention_cuda: attention.h on a CUDA device, called as cuda_launch.h says. l->efficient picks the implementation,
 * l->tf32 the products (the tf32 member of the arguments is ignored). Lengths below 2^31.
 *
 * standard: products by cuBLAS on l->blas, a cublasHandle_t whose stream is l->stream (cublasSetStream() would give its
 * workspace back, so it is not called here) and whose pointer mode is host; one call for each entry of the shorter of
 * the two batch axes. l->launches counts these calls; cuBLAS may queue more than one kernel for one. Sequences of at
 * most 64 by own kernels, without cuBLAS. Workspace: S and P.
 *
 * efficient: one kernel, head dims 16, 32, 48, 64, 128. FP32-accurate by three TF32 products, or one TF32 product. No
 * workspace. Infinite operands give NaN with three products.
 *
 * cudaErrorInvalidValue for a shape that is not supported or a missing handle.
 */
#ifndef SB_ATTENTION_CUDA_H
#define SB_ATTENTION_CUDA_H

#include <stddef.h>

#include "attention.h"
#include "cuda_launch.h"

#ifdef __cplusplus
extern "C" {
#endif

size_t sb_attention_cuda_workspace(const struct sb_attention_args *a, const struct sb_cuda_launch *l);
int sb_attention_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
