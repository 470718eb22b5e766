/* One row an op: what runs it. */
#include "cuda_internal.h"

struct sb_cuda_launch sb_cuda_launch_of(const struct cuda *c)
{
	return (struct sb_cuda_launch){
		.stream = c->stream,
		.sms = c->prop.multiProcessorCount,
		.capability = c->prop.major * 10 + c->prop.minor,
	};
}

enum sb_status sb_cuda_launched(struct cuda *c, const struct sb_cuda_launch *l, int code, struct sb_error *err)
{
	if (l->name)
		c->base.kernel = l->name;
	c->launches += l->launches;
	return sb_cuda_status(err, (cudaError_t)code, "launch");
}

/*
 * The families' entry points. Weak: an op whose family has no CUDA kernel in this build is refused by name, and one
 * without a workspace function needs none.
 */
#define SB_CUDA_DECLARE(ID, member, kind, args)                                                \
	int sb_##member##_cuda(const args *a, struct sb_cuda_launch *l) __attribute__((weak)); \
	size_t sb_##member##_cuda_workspace(const args *a, const struct sb_cuda_launch *l) __attribute__((weak));
SB_OPS(SB_CUDA_DECLARE)
#undef SB_CUDA_DECLARE

#define SB_CUDA_RUN(ID, member, kind, args)                                                                     \
	static enum sb_status run_##member(                                                                     \
	        struct cuda *c, const struct sb_op *op, struct sb_cuda_launch *l, struct sb_error *err)         \
	{                                                                                                       \
		const args *a = &op->u.member;                                                                  \
		size_t bytes = sb_##member##_cuda_workspace ? sb_##member##_cuda_workspace(a, l) : 0;           \
		enum sb_status status;                                                                          \
                                                                                                                \
		if (!sb_##member##_cuda)                                                                        \
			return sb_fail(err, SB_E_ENV, "no CUDA kernel for it in this build; use --device cpu"); \
		status = sb_cuda_work(c, bytes, &l->work, err);                                                 \
		if (!status)                                                                                    \
			status = sb_cuda_launched(c, l, sb_##member##_cuda(a, l), err);                         \
		sb_cuda_work_free(c, l->work);                                                                  \
		return status;                                                                                  \
	}
SB_OPS(SB_CUDA_RUN)
#undef SB_CUDA_RUN

typedef enum sb_status run_fn(struct cuda *c, const struct sb_op *op, struct sb_cuda_launch *l, struct sb_error *err);

static run_fn *const rows[SB_OP_COUNT] = {
#define SB_CUDA_ROW(ID, member, kind, args) [SB_OP_##ID] = run_##member,
	SB_OPS(SB_CUDA_ROW)
#undef SB_CUDA_ROW
};

/* Workspace of cuBLAS for the products of standard attention: what it would take for itself on a Hopper device. */
#define BLAS_WORKSPACE ((size_t)32 << 20)

/* Attention memory is what the op takes at its peak beyond what lived before; the library's workspace is apart. */
static enum sb_status attention(struct cuda *c, const struct sb_op *op, struct sb_cuda_launch *l, struct sb_error *err)
{
	const struct sb_attention_args *a = &op->u.attention;
	int64_t output = a->batch * a->heads * a->lq * a->dim * (int64_t)sizeof(float), used;
	void *blas_work = NULL;
	enum sb_status status = SB_OK;

	l->efficient = c->base.levels.part[SB_PART_ATTENTION] == SB_ATTENTION_EFFICIENT;
	l->tf32 = sb_cuda_tf32(c, l->efficient ? SB_PART_PRECISION_ATTENTION : SB_PART_PRECISION_GEMM);
	l->blas = c->blas;
	if (!l->efficient) {
		status = sb_cuda_work(c, BLAS_WORKSPACE, &blas_work, err);
		if (!status)
			status = SB_CUBLAS(err, cublasSetWorkspace(c->blas, blas_work, BLAS_WORKSPACE));
	}
	sb_alloc_mark(c->base.alloc);
	if (!status)
		status = run_attention(c, op, l, err);
	used = sb_alloc_mark_end(c->base.alloc);
	sb_cuda_work_free(c, blas_work);
	if (used > c->base.attention_workspace_bytes)
		c->base.attention_workspace_bytes = used;
	if (used + output > c->base.attention_bytes)
		c->base.attention_bytes = used + output;
	return status;
}

enum sb_status sb_cuda_submit(struct sb_backend *be, const struct sb_op *op, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	struct sb_cuda_launch l = sb_cuda_launch_of(c);

	c->launches = 0;
	be->kernel = "none";
	switch (op->id) {
	case SB_OP_UPLOAD:
		be->kernel = "memcpy_to_device";
		return sb_cuda_upload(c, op->u.upload.dst, op->u.upload.src, op->u.upload.bytes, err);
	case SB_OP_DOWNLOAD:
		be->kernel = "memcpy_to_host";
		return sb_cuda_download(c, op->u.download.dst, op->u.download.src, op->u.download.bytes, err);
	case SB_OP_LINEAR:
		return sb_cuda_linear(c, &op->u.linear, err);
	case SB_OP_CONV:
		return sb_cuda_conv(c, &op->u.conv, err);
	case SB_OP_CONV_TRANSPOSE:
		return sb_cuda_conv_transpose(c, &op->u.conv_transpose, err);
	case SB_OP_ATTENTION:
		return attention(c, op, &l, err);
	case SB_OP_CORR:
		l.tf32 = sb_cuda_tf32(c, SB_PART_PRECISION_GEMM);
		break;
	default:
		break;
	}
	return rows[op->id](c, op, &l, err);
}
