/*
 * linear: y = residual + gamma * act(x W^T + bias), the matrix product of every projection and MLP.
 * Plain C; CPU version in linear_cpu.c (OpenBLAS + OpenMP), double reference in linear_ref.c (tests only).
 */
#ifndef SB_LINEAR_H
#define SB_LINEAR_H

#include <stddef.h>
#include <stdint.h>

enum sb_act {
	SB_ACT_NONE,
	SB_ACT_RELU,
	SB_ACT_SILU,
	SB_ACT_GELU_ERF,  /* 0.5 x (1 + erf(x / sqrt 2)) */
	SB_ACT_GELU_TANH, /* 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
};

/*
 * Shapes:  x [rows, in] with row stride ldx >= in; w [out, in] with row stride ldw; bias, gamma [out] or NULL;
 *          residual [rows, out] with row stride ldr, or NULL, may be y itself; y [rows, out] with row stride ldy.
 *          in >= 1, rows and out may be 0. y must not overlap x; residual is y as a whole (ldr = ldy) or does not
 * overlap it. What y held before is never read, unless it is the residual. Strides in elements, all f32. tf32:    1 =
 * operands of the product rounded to TF32 (to nearest, ties away) with FP32 sums. The CPU version rounds x itself and
 * expects w rounded already (sb_tf32_round_cpu at weight preparation). Work:    2 rows in out FLOP for the product.
 */
struct sb_linear_args {
	const float *x;
	const float *w;
	const float *bias;
	const float *gamma;
	const float *residual;
	float *y;
	int64_t rows, in, out;
	int64_t ldx, ldw, ldr, ldy;
	enum sb_act act;
	int tf32;
};

/*
 * Bytes of scratch that sb_linear_cpu() needs: 0 at fp32, unless residual is y. At most 1 MiB for each OpenMP thread;
 * ask and call under the same omp_get_max_threads(), which does not change the result.
 */
size_t sb_linear_cpu_workspace(const struct sb_linear_args *a);
void sb_linear_cpu(const struct sb_linear_args *a, void *workspace);
/* Plain loops in double, rounded once at the end; ignores tf32 unless set, then rounds both operands itself. */
void sb_linear_ref(const struct sb_linear_args *a);

/* Round n floats to TF32 (10 stored mantissa bits), to nearest, ties away from zero; NaN and infinity stay. */
void sb_tf32_round_cpu(const float *src, float *dst, size_t n);
/* The same for rows of `cols` floats that lie ld_src apart; dst [rows, cols] is dense. */
void sb_tf32_round_rows_cpu(const float *src, int64_t ld_src, float *dst, int64_t rows, int64_t cols);

#endif
