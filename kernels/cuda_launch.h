/*
 * cuda_launch: how a kernel family is called on a CUDA device. Plain C; no CUDA header is needed to include it.
 *
 * Every family x has x.cu with, for each op of x.h:
 *   int sb_OP_cuda(const struct sb_OP_args *a, struct sb_cuda_launch *l);
 * which queues its kernels on l->stream and returns without waiting: 0, the cudaError_t of the launch, or the
 * cublasStatus_t of a library's call with its sign changed, so negative. Pointers in the arguments are device memory.
 * Where an op needs scratch memory:
 *   size_t sb_OP_cuda_workspace(const struct sb_OP_args *a, const struct sb_cuda_launch *l);
 * says how much, and l->work holds that much, 256-byte aligned. Nothing else is allocated, and nothing synchronises.
 */
#ifndef SB_CUDA_LAUNCH_H
#define SB_CUDA_LAUNCH_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct CUstream_st;

struct sb_cuda_launch {
	struct CUstream_st *stream;
	void *work;       /* workspace; NULL where the op needs none */
	void *blas;       /* cublasHandle_t whose stream is `stream`; attention only */
	int sms;          /* multiprocessors of the device */
	int capability;   /* 80, 86, 89, 90, .. */
	int tf32;         /* the products of this op may be TF32 */
	int efficient;    /* attention only: 0 standard, 1 efficient */
	const char *name; /* out: what ran, static, for tables */
	int launches;     /* out: kernels queued; added to */
};

#ifdef __cplusplus
}
#endif

#endif
