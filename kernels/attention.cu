/* attention on a CUDA device: which of the versions runs. See attention_cuda.h. */
#include <cuda_runtime.h>

extern "C" {
#include "attention_cuda_internal.h"
}

int sb_attention_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l)
{
	if (a->lq > INT32_MAX || a->lk > INT32_MAX || a->heads > INT32_MAX || a->lk < 1)
		return cudaErrorInvalidValue;
	if (!a->batch || !a->heads || !a->lq)
		return 0;
	if (!l->efficient)
		return sb_attention_standard_cuda(a, l);
	return sb_attention_is_small(a) ? sb_attention_small_cuda(a, l) : sb_attention_efficient_cuda(a, l);
}
