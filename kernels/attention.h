/*
 * attention: o = softmax(scale q k^T) v for every (batch, head), two implementations.
 *   standard   materialised: S = scale q k^T for the whole batch x heads, P = softmax(S) in a second buffer of the same
 *              size, o = P v. Two score-sized buffers are live at once, as on PyTorch's plain path.
 *   efficient  online softmax over tiles of keys; never holds a score matrix.
 */
#ifndef SB_ATTENTION_H
#define SB_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

/* Strides in elements. Element d of (b, h, i) stands at base + b*batch + h*head + i*row + d; the last axis is dense. */
struct sb_attention_strides {
	int64_t batch, head, row;
};

/*
 * Shapes:  q [batch, heads, lq, dim], k and v [batch, heads, lk, dim], o as q; each by its strides, so that the
 *          projections' layout is used as it is. lk >= 1. o must not overlap q, k or v.
 * tf32:    operands of both products (q, k, p, v) rounded as in linear.h, scale applied to the product; softmax always
 * in FP32. The sums that divide are those of the unrounded p. standard rounds p after that division, efficient before
 * it. Work:    4 batch heads lq lk dim FLOP.
 */
struct sb_attention_args {
	const float *q, *k, *v;
	float *o;
	struct sb_attention_strides qs, ks, vs, os;
	int64_t batch, heads, lq, lk;
	int dim;
	float scale;
	int tf32;
};

/*
 * standard: s and p are two buffers of batch*heads*lq*lk floats (the caller allocates them one by one, as the real path
 * does), `rest` is sb_attention_standard_cpu_rest() bytes (copies rounded to TF32; 0 at fp32).
 */
size_t sb_attention_standard_cpu_rest(const struct sb_attention_args *a);
void sb_attention_standard_cpu(const struct sb_attention_args *a, float *s, float *p, void *rest);
/*
 * efficient: tiles for each OpenMP thread, 81 KiB at dim 64, 145 KiB with tf32, whatever the lengths. Ask and call
 * under the same omp_get_max_threads(), which does not change the result.
 */
size_t sb_attention_efficient_cpu_workspace(const struct sb_attention_args *a);
void sb_attention_efficient_cpu(const struct sb_attention_args *a, void *workspace);
/* Plain loops in double, rounded once at the end; ignores tf32. */
void sb_attention_ref(const struct sb_attention_args *a);

#endif
