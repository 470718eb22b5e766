/*
 * conv: 2-D convolution and the transposed convolution whose kernel equals its stride, channels last (NHWC).
 */
#ifndef SB_CONV_H
#define SB_CONV_H

#include <stddef.h>
#include <stdint.h>

/*
 * y = [relu] ( conv(relu_in ? relu(x) : x) + bias ) + (residual_relu ? relu(residual) : residual) + residual2
 * The relu_out is applied to conv + bias, before the residuals are added.
 *
 * Shapes:  x [n, h, w, cin], w [cout, kh, kw, cin] (prepared from the checkpoint's [cout, cin, kh, kw]),
 *          bias [cout] or NULL, residual and residual2 [n, ho, wo, cout] or NULL, y [n, ho, wo, cout];
 *          ho = (h + 2 pad - kh) / stride + 1, wo likewise; zero padding; contiguous; residual2 may be y itself.
 * tf32:    as linear.h (after relu_in): the CPU version expects w rounded already, the reference rounds both itself.
 * Work:    2 kh kw cin cout ho wo n FLOP.
 */
struct sb_conv_args {
	const float *x, *w, *bias, *residual, *residual2;
	float *y;
	int64_t n, h, width, cin, cout;
	int kh, kw, stride, pad;
	int relu_in, relu_out, residual_relu;
	int tf32;
};

/*
 * Bytes of scratch that sb_conv_cpu() needs, for omp_get_max_threads() threads as it is now: 2.8 MiB each or less. The
 * call itself may use fewer threads, not more. The result does not depend on their number.
 */
size_t sb_conv_cpu_workspace(const struct sb_conv_args *a);
void sb_conv_cpu(const struct sb_conv_args *a, void *workspace);
void sb_conv_ref(const struct sb_conv_args *a);

/*
 * Transposed convolution with kernel = stride = k, no padding: every input pixel makes its own k x k block.
 * Shapes:  x [n, h, w, cin], w [k, k, cout, cin] (prepared from the checkpoint's [cin, cout, k, k]), bias [cout] or
 *          NULL, y [n, h k, w k, cout].
 * Work:    2 k k cin cout h w n FLOP.
 */
struct sb_conv_transpose_args {
	const float *x, *w, *bias;
	float *y;
	int64_t n, h, width, cin, cout;
	int k;
	int tf32;
};

/* As sb_conv_cpu_workspace(). */
size_t sb_conv_transpose_cpu_workspace(const struct sb_conv_transpose_args *a);
void sb_conv_transpose_cpu(const struct sb_conv_transpose_args *a, void *workspace);
void sb_conv_transpose_ref(const struct sb_conv_transpose_args *a);

#endif
