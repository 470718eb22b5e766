/* norm: layer normalisation (optionally adaptive), and the q/k normalisation with 2-D rotary positions. */
#ifndef SB_NORM_H
#define SB_NORM_H

#include <stdint.h>

/*
 * y = n(x), n = (x - mean) / sqrt(var + eps) * weight + bias over the last axis, biased variance.
 * With `mod` (adaptive): y = gate * (n(x) (1 + scale) + shift) + x, where a row of mod is [shift | scale | gate], 3 dim
 * floats, row stride ld_mod.
 *
 * Shapes:  row (b, r) of x at x + b*x_batch + r*x_row, of y likewise; batch x rows rows of dim elements; weight and
 * bias [dim] or both NULL; mod row index b*rows + r. y may be x itself. Strides in elements.
 */
struct sb_layer_norm_args {
	const float *x;
	float *y;
	const float *weight, *bias, *mod;
	int64_t batch, rows, dim;
	int64_t x_batch, x_row, y_batch, y_row, ld_mod;
	float eps;
};

void sb_layer_norm_cpu(const struct sb_layer_norm_args *a);
void sb_layer_norm_ref(const struct sb_layer_norm_args *a);

/*
 * In place on q and k as the qkv projection leaves them: per head, layer norm over `dim` (weights shared by the heads),
 * then 2-D RoPE. Token i of a frame of `frame_tokens`: the first `special` tokens stay unrotated; patch p = i - special
 * has row p / grid_w + 1 and column p % grid_w + 1. Dims 0..dim/2-1 turn with the row, the rest with the column; inside
 * each half the pairs are (j, j + dim/4): a' = a cos - b sin, b' = b cos + a sin.
 *
 * Shapes:  q, k: element d of head h of token t at base + t*row + h*dim + d, t < tokens; weights [dim];
 *          rope [max_pos + 1, dim/4, 2] = (cos, sin) of pos * 100^(-2j/(dim/2)), max_pos >= rows and columns of the
 * grid.
 */
struct sb_qk_norm_rope_args {
	float *q, *k;
	const float *q_weight, *q_bias, *k_weight, *k_bias;
	const float *rope;
	int64_t tokens, row;
	int64_t frame_tokens, special, grid_w;
	int heads, dim;
	float eps;
};

void sb_qk_norm_rope_cpu(const struct sb_qk_norm_rope_args *a);
void sb_qk_norm_rope_ref(const struct sb_qk_norm_rope_args *a);

#endif
