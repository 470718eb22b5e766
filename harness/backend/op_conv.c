/* conv, conv_transpose: see kernels/conv.h. */
#include "backend_internal.h"

static bool tf32(const struct sb_backend *be)
{
	return be->levels.part[SB_PART_PRECISION_CONV] == SB_PRECISION_TF32;
}

const char *sb_check_conv(const struct sb_op *op)
{
	const struct sb_conv_args *a = &op->u.conv;

	if (!a->x || !a->w || !a->y || a->n < 0 || a->cin < 1 || a->cout < 1 || a->kh < 1 || a->kw < 1 ||
	        a->stride < 1 || a->pad < 0)
		return "missing operand or empty shape";
	if (a->h + 2 * a->pad < a->kh || a->width + 2 * a->pad < a->kw)
		return "the kernel is larger than the image";
	return NULL;
}

struct sb_work sb_work_conv(const struct sb_op *op)
{
	const struct sb_conv_args *a = &op->u.conv;
	int64_t ho = (a->h + 2 * a->pad - a->kh) / a->stride + 1, wo = (a->width + 2 * a->pad - a->kw) / a->stride + 1;
	double k = (double)(a->kh * a->kw * a->cin), out = (double)(a->n * ho * wo * a->cout);
	double reads = (double)(a->n * a->h * a->width * a->cin) + k * (double)a->cout;

	return (struct sb_work){ 2.0 * k * out,
		4.0 * (reads + out * (1 + (a->residual != NULL) + (a->residual2 != NULL))) };
}

enum sb_status sb_cpu_conv(struct sb_backend *be, const struct sb_conv_args *args, struct sb_error *err)
{
	struct sb_conv_args a = *args;
	void *workspace = NULL;
	size_t bytes;

	a.tf32 = tf32(be);
	be->kernel = a.tf32 ? "conv_im2col_tf32_emulated" : "conv_im2col";
	bytes = sb_conv_cpu_workspace(&a);
	if (bytes && sb_device_alloc(be, bytes, &workspace, err))
		return err->code;
	sb_conv_cpu(&a, workspace);
	sb_device_free(be, workspace);
	return SB_OK;
}

const char *sb_check_conv_transpose(const struct sb_op *op)
{
	const struct sb_conv_transpose_args *a = &op->u.conv_transpose;

	return a->x && a->w && a->y && a->n >= 0 && a->h > 0 && a->width > 0 && a->cin > 0 && a->cout > 0 && a->k > 0
	               ? NULL
	               : "missing operand or empty shape";
}

struct sb_work sb_work_conv_transpose(const struct sb_op *op)
{
	const struct sb_conv_transpose_args *a = &op->u.conv_transpose;
	double pixels = (double)(a->n * a->h * a->width), block = (double)(a->k * a->k);
	double cin = (double)a->cin, cout = (double)a->cout;

	return (struct sb_work){ 2.0 * pixels * cin * cout * block,
		4.0 * (pixels * (cin + block * cout) + block * cin * cout) };
}

enum sb_status sb_cpu_conv_transpose(
        struct sb_backend *be, const struct sb_conv_transpose_args *args, struct sb_error *err)
{
	struct sb_conv_transpose_args a = *args;
	void *workspace = NULL;
	size_t bytes;

	a.tf32 = tf32(be);
	be->kernel = a.tf32 ? "conv_transpose_tf32_emulated" : "conv_transpose";
	bytes = sb_conv_transpose_cpu_workspace(&a);
	if (bytes && sb_device_alloc(be, bytes, &workspace, err))
		return err->code;
	sb_conv_transpose_cpu(&a, workspace);
	sb_device_free(be, workspace);
	return SB_OK;
}
