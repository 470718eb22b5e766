/* layer_norm, qk_norm_rope: see kernels/norm.h. */
#include "backend_internal.h"

const char *sb_check_layer_norm(const struct sb_op *op)
{
	const struct sb_layer_norm_args *a = &op->u.layer_norm;

	if (!a->x || !a->y || a->batch < 0 || a->rows < 0 || a->dim < 1)
		return "missing operand or empty shape";
	if (!a->weight != !a->bias)
		return "weight and bias come together";
	if (a->mod && a->ld_mod < 3 * a->dim)
		return "a row of mod is shorter than shift, scale and gate";
	return NULL;
}

struct sb_work sb_work_layer_norm(const struct sb_op *op)
{
	const struct sb_layer_norm_args *a = &op->u.layer_norm;
	double n = (double)(a->batch * a->rows * a->dim);

	return (struct sb_work){ (a->mod ? 12.0 : 8.0) * n, 4.0 * n * (a->mod ? 5.0 : 2.0) };
}

enum sb_status sb_cpu_layer_norm(struct sb_backend *be, const struct sb_layer_norm_args *a, struct sb_error *err)
{
	(void)err;
	be->kernel = a->mod ? "layer_norm_adaptive" : "layer_norm";
	sb_layer_norm_cpu(a);
	return SB_OK;
}

const char *sb_check_qk_norm_rope(const struct sb_op *op)
{
	const struct sb_qk_norm_rope_args *a = &op->u.qk_norm_rope;

	if (!a->q || !a->k || !a->rope || a->dim < 4 || a->dim % 4 || a->heads < 1)
		return "missing operand, or a head dimension that is not a multiple of 4";
	if (a->frame_tokens <= a->special || a->grid_w < 1 || a->tokens % a->frame_tokens)
		return "tokens are not whole frames";
	return NULL;
}

struct sb_work sb_work_qk_norm_rope(const struct sb_op *op)
{
	const struct sb_qk_norm_rope_args *a = &op->u.qk_norm_rope;
	double n = 2.0 * (double)(a->tokens * a->heads * a->dim);

	return (struct sb_work){ 11.0 * n, 8.0 * n };
}

enum sb_status sb_cpu_qk_norm_rope(struct sb_backend *be, const struct sb_qk_norm_rope_args *a, struct sb_error *err)
{
	(void)err;
	be->kernel = "qk_norm_rope";
	sb_qk_norm_rope_cpu(a);
	return SB_OK;
}
