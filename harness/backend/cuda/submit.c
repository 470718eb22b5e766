/* One row an op: what runs it. */
#include "cuda_internal.h"

#include "attention_cuda.h"
#include "maps_cuda.h"
#include "norm_cuda.h"
#include "patches_cuda.h"
#include "pointwise_cuda.h"
#include "procrustes_cuda.h"
#include "resize_cuda.h"
#include "track_cuda.h"

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
	return code ? sb_launch_fail(err, code) : SB_OK;
}

/* Ops that are one call of their family, and those that want scratch memory from the arm's allocator for it. */
#define SB_CUDA_PLAIN(X)                    \
	X(LAYER_NORM, layer_norm)           \
	X(QK_NORM_ROPE, qk_norm_rope)       \
	X(FRAMES_RESIZE, frames_resize)     \
	X(RESIZE_BILINEAR, resize_bilinear) \
	X(CHANNEL_AFFINE, channel_affine)   \
	X(TOKENS, tokens)                   \
	X(COPY2D, copy2d)                   \
	X(ADD_POSITION, add_position)       \
	X(DEPTH_OUT, depth_out)             \
	X(POSE_DECODE, pose_decode)         \
	X(UNPROJECT, unproject)             \
	X(FILL, fill)                       \
	X(SCALE, scale)                     \
	X(ADD, add)                         \
	X(REPEAT, repeat)                   \
	X(SUBSAMPLE, subsample)             \
	X(L2_NORMALIZE, l2_normalize)       \
	X(RESIZE_NEAREST, resize_nearest)   \
	X(AVG_POOL2, avg_pool2)             \
	X(PATCH_SAMPLE, patch_sample)       \
	X(NEIGHBOURS, neighbours)           \
	X(POSENC, posenc)                   \
	X(MOTION, motion)                   \
	X(GROUP_MEAN, group_mean)           \
	X(DEPTH_MASK, depth_mask)           \
	X(QUERY_SETUP, query_setup)         \
	X(NORM_BOX, norm_box)               \
	X(BOX_MAP, box_map)                 \
	X(GEOMETRY_TOKENS, geometry_tokens) \
	X(TRACK_UPDATE, track_update)       \
	X(TRACK_OUT, track_out)             \
	X(PROCRUSTES, procrustes)

#define SB_CUDA_SCRATCH(X)              \
	X(INSTANCE_NORM, instance_norm) \
	X(CORR, corr)                   \
	X(DEPTH_SNAP, depth_snap)       \
	X(DEPTH_CLEAN, depth_clean)     \
	X(ATTENTION, attention)

/* Beside them: upload, download, stream, linear, conv, conv_transpose, which the backend has functions of its own for.
 */
#define SB_CUDA_ONE(ID, member) +1
_Static_assert(SB_CUDA_PLAIN(SB_CUDA_ONE) SB_CUDA_SCRATCH(SB_CUDA_ONE) + 6 == SB_OP_COUNT, "an op has no CUDA kernel");
#undef SB_CUDA_ONE

typedef enum sb_status run_fn(struct cuda *c, const struct sb_op *op, struct sb_cuda_launch *l, struct sb_error *err);

#define SB_CUDA_RUN(ID, member)                                                                         \
	static enum sb_status run_##member(                                                             \
	        struct cuda *c, const struct sb_op *op, struct sb_cuda_launch *l, struct sb_error *err) \
	{                                                                                               \
		return sb_cuda_launched(c, l, sb_##member##_cuda(&op->u.member, l), err);               \
	}
SB_CUDA_PLAIN(SB_CUDA_RUN)
#undef SB_CUDA_RUN

#define SB_CUDA_RUN(ID, member)                                                                         \
	static enum sb_status run_##member(                                                             \
	        struct cuda *c, const struct sb_op *op, struct sb_cuda_launch *l, struct sb_error *err) \
	{                                                                                               \
		size_t bytes = sb_##member##_cuda_workspace(&op->u.member, l);                          \
		enum sb_status status = sb_cuda_work(c, bytes, &l->work, err);                          \
                                                                                                        \
		if (!status)                                                                            \
			status = sb_cuda_launched(c, l, sb_##member##_cuda(&op->u.member, l), err);     \
		sb_cuda_work_free(c, l->work);                                                          \
		return status;                                                                          \
	}
SB_CUDA_SCRATCH(SB_CUDA_RUN)
#undef SB_CUDA_RUN

static run_fn *const rows[SB_OP_COUNT] = {
#define SB_CUDA_ROW(ID, member) [SB_OP_##ID] = run_##member,
	SB_CUDA_PLAIN(SB_CUDA_ROW) SB_CUDA_SCRATCH(SB_CUDA_ROW)
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

static enum sb_status queue(struct sb_backend *be, const struct sb_op *op, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	struct sb_cuda_launch l = sb_cuda_launch_of(c);

	be->kernel = "none";
	switch (op->id) {
	case SB_OP_UPLOAD:
		be->kernel = "memcpy_to_device";
		return sb_cuda_upload(c, op->u.upload.dst, op->u.upload.src, op->u.upload.bytes, err);
	case SB_OP_DOWNLOAD:
		be->kernel = "memcpy_to_host";
		return sb_cuda_download(c, op->u.download.dst, op->u.download.src, op->u.download.bytes, err);
	case SB_OP_STREAM:
		be->kernel = "memcpy_to_device";
		return sb_cuda_stream(c, &op->u.stream, err);
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

enum sb_status sb_cuda_submit(struct sb_backend *be, const struct sb_op *op, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	enum sb_status status = queue(be, op, err);

	if (status)
		sb_cuda_abandon(be);
	return status == SB_E_DEVICE ? sb_cuda_failed(c, status) : status;
}
