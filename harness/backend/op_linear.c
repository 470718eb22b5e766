/* linear: see kernels/linear.h. */
#include "backend_internal.h"

const char *sb_check_linear(const struct sb_op *op)
{
	const struct sb_linear_args *a = &op->u.linear;

	if (!a->x || !a->w || !a->y || a->rows < 0 || a->in < 1 || a->out < 1)
		return "missing operand or empty shape";
	if (a->ldx < a->in || a->ldw < a->in || a->ldy < a->out || (a->residual && a->ldr < a->out))
		return "a row stride is shorter than its row";
	return NULL;
}

struct sb_work sb_work_linear(const struct sb_op *op)
{
	const struct sb_linear_args *a = &op->u.linear;
	double rows = (double)a->rows, in = (double)a->in, out = (double)a->out;

	return (struct sb_work){ 2.0 * rows * in * out,
		4.0 * (rows * in + in * out + rows * out * (a->residual ? 2 : 1)) };
}

enum sb_status sb_cpu_linear(struct sb_backend *be, const struct sb_linear_args *args, struct sb_error *err)
{
	struct sb_linear_args a = *args;
	void *workspace = NULL;
	size_t bytes;

	a.tf32 = be->levels.part[SB_PART_PRECISION_GEMM] == SB_PRECISION_TF32;
	be->kernel = a.tf32 ? "sgemm_tf32_emulated" : "sgemm";
	bytes = sb_linear_cpu_workspace(&a);
	if (bytes && sb_device_alloc(be, bytes, &workspace, err))
		return err->code;
	sb_linear_cpu(&a, workspace);
	sb_device_free(be, workspace);
	return SB_OK;
}
