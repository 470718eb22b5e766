/* attention: see kernels/attention.h. The level decides which of two implementations runs. */
#include "backend_internal.h"

const char *sb_check_attention(const struct sb_op *op)
{
	const struct sb_attention_args *a = &op->u.attention;

	return a->q && a->k && a->v && a->o && a->batch > 0 && a->heads > 0 && a->lq > 0 && a->lk > 0 && a->dim > 0
	               ? NULL
	               : "missing operand or empty shape";
}

struct sb_work sb_work_attention(const struct sb_op *op)
{
	const struct sb_attention_args *a = &op->u.attention;
	double bh = (double)(a->batch * a->heads), lq = (double)a->lq, lk = (double)a->lk, d = (double)a->dim;

	return (struct sb_work){ 4.0 * bh * lq * lk * d, 4.0 * bh * d * 2.0 * (lq + lk) };
}

void sb_backend_note_scores(struct sb_backend *be, const struct sb_attention_args *a)
{
	int64_t bytes = a->batch * a->heads * a->lq * a->lk * (int64_t)sizeof(float);

	if (bytes > be->attention_scores_bytes)
		be->attention_scores_bytes = bytes;
}

static enum sb_status run_standard(struct sb_backend *be, const struct sb_attention_args *a, struct sb_error *err)
{
	size_t score = (size_t)(a->batch * a->heads * a->lq * a->lk) * sizeof(float);
	size_t rest_bytes = sb_attention_standard_cpu_rest(a);
	void *s = NULL, *p = NULL, *rest = NULL;
	enum sb_status status = sb_device_alloc(be, score, &s, err);

	if (!status)
		status = sb_device_alloc(be, score, &p, err);
	if (!status && rest_bytes)
		status = sb_device_alloc(be, rest_bytes, &rest, err);
	if (!status)
		sb_attention_standard_cpu(a, s, p, rest);
	sb_device_free(be, rest);
	sb_device_free(be, p);
	sb_device_free(be, s);
	return status;
}

static enum sb_status run_efficient(struct sb_backend *be, const struct sb_attention_args *a, struct sb_error *err)
{
	size_t bytes = sb_attention_efficient_cpu_workspace(a);
	void *workspace = NULL;

	if (bytes && sb_device_alloc(be, bytes, &workspace, err))
		return err->code;
	sb_attention_efficient_cpu(a, workspace);
	sb_device_free(be, workspace);
	return SB_OK;
}

enum sb_status sb_cpu_attention(struct sb_backend *be, const struct sb_attention_args *args, struct sb_error *err)
{
	bool efficient = be->levels.part[SB_PART_ATTENTION] == SB_ATTENTION_EFFICIENT;
	enum sb_part part = efficient ? SB_PART_PRECISION_ATTENTION : SB_PART_PRECISION_GEMM;
	struct sb_attention_args a = *args;
	int64_t output = a.batch * a.heads * a.lq * a.dim * (int64_t)sizeof(float), used;
	enum sb_status status;

	a.tf32 = be->levels.part[part] == SB_PRECISION_TF32;
	if (efficient)
		be->kernel = a.tf32 ? "attention_efficient_tf32_emulated" : "attention_efficient";
	else
		be->kernel = a.tf32 ? "attention_standard_tf32_emulated" : "attention_standard";
	sb_alloc_mark(be->alloc);
	status = efficient ? run_efficient(be, &a, err) : run_standard(be, &a, err);
	used = sb_alloc_mark_end(be->alloc);
	if (used > be->attention_workspace_bytes)
		be->attention_workspace_bytes = used;
	if (used + output > be->attention_bytes)
		be->attention_bytes = used + output;
	return status;
}
