/*
 * linear and convolutions on a CUDA device: what is left to do beside the matrix product, which is the library's. Plain
 * C; cuda_launch.h says how these are called.
 */
#ifndef SB_LINEAR_CUDA_H
#define SB_LINEAR_CUDA_H

#include "conv.h"
#include "cuda_launch.h"
#include "linear.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 0 when this build has code for the current device, else the cudaError_t. Launches nothing. */
int sb_kernels_cuda_check(void);

/*
 * y = gamma * act(v + bias) + (residual_relu ? relu(residual) : residual) + residual2, what is NULL left out.
 * v [rows, cols] with row stride ldv, may be y; residual and residual2 with ldr, may be y; y with ldy.
 */
struct sb_epilogue_args {
	const float *v, *bias, *gamma, *residual, *residual2;
	float *y;
	int64_t rows, cols, ldv, ldr, ldy;
	enum sb_act act;
	int residual_relu;
};
int sb_epilogue_cuda(const struct sb_epilogue_args *a, struct sb_cuda_launch *l);

/*
 * Windows of output pixels first .. first + rows - 1 of a convolution, relu_in applied: dst [rows, kh kw cin], dense.
 * Of the arguments x and the shape are used.
 */
int sb_im2col_cuda(const struct sb_conv_args *a, int64_t first, int64_t rows, float *dst, struct sb_cuda_launch *l);

/*
 * Convolutions without windows in memory, whole epilogue included; residual2 may be y. For what sb_conv_cuda_fits()
 * says yes to: cin a multiple of 32, cout even, everything aligned, sizes that 32 bits hold.
 */
int sb_conv_cuda_fits(const struct sb_conv_args *a);
int sb_conv_fp32_cuda(const struct sb_conv_args *a, struct sb_cuda_launch *l);
int sb_conv_tf32_cuda(const struct sb_conv_args *a, struct sb_cuda_launch *l);

/*
 * The blocks of input pixels first .. first + rows - 1 of a transposed convolution, bias added, to their places in y:
 * src [rows, k, k, cout], dense.
 */
int sb_blocks_out_cuda(const struct sb_conv_transpose_args *a, int64_t first, int64_t rows, const float *src,
        struct sb_cuda_launch *l);

#ifdef __cplusplus
}
#endif

#endif
