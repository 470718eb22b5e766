/* attention_cuda_internal: what the CUDA files of the family share, and single versions for tests and timing. */
#ifndef SB_ATTENTION_CUDA_INTERNAL_H
#define SB_ATTENTION_CUDA_INTERNAL_H

#include <stdbool.h>

#include "attention_cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Longest sequences that one warp does for 16 queries at a time, everything in registers. */
#define SB_ATTENTION_SMALL 64

/* Can every row of x be read or written 16 bytes at a time? */
static inline bool sb_attention_wide(const float *x, const struct sb_attention_strides *s)
{
	return (uintptr_t)x % 16 == 0 && s->batch % 4 == 0 && s->head % 4 == 0 && s->row % 4 == 0;
}

static inline bool sb_attention_is_small(const struct sb_attention_args *a)
{
	return a->lq <= SB_ATTENTION_SMALL && a->lk <= SB_ATTENTION_SMALL;
}

int sb_attention_standard_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l);
int sb_attention_efficient_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l);
int sb_attention_small_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l);
/* The two products of the standard way for small lengths; s and w dense [batch, heads, lq, lk]. */
int sb_attention_small_scores_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l, float *s);
int sb_attention_small_values_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l, float *w);

/* The efficient kernel for long sequences by its i-th shape (NULL behind the last), whatever the lengths. */
const char *sb_attention_efficient_cuda_shape(int i);
int sb_attention_efficient_cuda_as(int shape, const struct sb_attention_args *a, struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
