/* The small ops and the transfers: see kernels/pointwise.h. */
#include "backend_internal.h"

#include <string.h>

/* Ops whose CPU side is one call that cannot fail. */
#define SB_CPU_PLAIN(member, args)                                                                 \
	enum sb_status sb_cpu_##member(struct sb_backend *be, const args *a, struct sb_error *err) \
	{                                                                                          \
		(void)err;                                                                         \
		be->kernel = #member;                                                              \
		sb_##member##_cpu(a);                                                              \
		return SB_OK;                                                                      \
	}

SB_CPU_PLAIN(channel_affine, struct sb_channel_affine_args)
SB_CPU_PLAIN(tokens, struct sb_tokens_args)
SB_CPU_PLAIN(copy2d, struct sb_copy2d_args)
SB_CPU_PLAIN(add_position, struct sb_add_position_args)
SB_CPU_PLAIN(depth_out, struct sb_depth_out_args)
SB_CPU_PLAIN(pose_decode, struct sb_pose_decode_args)
SB_CPU_PLAIN(unproject, struct sb_unproject_args)

static const char missing[] = "missing operand or empty shape";

const char *sb_check_channel_affine(const struct sb_op *op)
{
	return op->u.channel_affine.x && op->u.channel_affine.y && op->u.channel_affine.n >= 0 ? NULL : missing;
}

struct sb_work sb_work_channel_affine(const struct sb_op *op)
{
	double n = 3.0 * (double)op->u.channel_affine.n;

	return (struct sb_work){ 2.0 * n, 8.0 * n };
}

const char *sb_check_tokens(const struct sb_op *op)
{
	const struct sb_tokens_args *a = &op->u.tokens;

	return a->out && a->specials && a->frames > 0 && a->special > 0 && a->patches > 0 && a->dim > 0 ? NULL
	                                                                                                : missing;
}

struct sb_work sb_work_tokens(const struct sb_op *op)
{
	const struct sb_tokens_args *a = &op->u.tokens;
	double n = (double)(a->frames * (a->special + (a->x ? a->patches : 0)) * a->dim);

	return (struct sb_work){ a->pos ? n : 0.0, 8.0 * n };
}

const char *sb_check_copy2d(const struct sb_op *op)
{
	const struct sb_copy2d_args *a = &op->u.copy2d;

	if (!a->src || !a->dst || a->rows < 0 || a->cols < 1)
		return missing;
	return a->ld_dst < a->cols || (a->ld_src && a->ld_src < a->cols) ? "a row stride is shorter than its row"
	                                                                 : NULL;
}

struct sb_work sb_work_copy2d(const struct sb_op *op)
{
	return (struct sb_work){ 0.0, 8.0 * (double)(op->u.copy2d.rows * op->u.copy2d.cols) };
}

const char *sb_check_add_position(const struct sb_op *op)
{
	const struct sb_add_position_args *a = &op->u.add_position;

	if (!a->x || !a->u || !a->v || a->n < 0 || a->h < 1 || a->w < 1)
		return missing;
	return a->c % 2 ? "an odd number of channels" : NULL;
}

struct sb_work sb_work_add_position(const struct sb_op *op)
{
	const struct sb_add_position_args *a = &op->u.add_position;
	double n = (double)(a->n * a->h * a->w * a->c);

	return (struct sb_work){ n, 8.0 * n };
}

const char *sb_check_depth_out(const struct sb_op *op)
{
	return op->u.depth_out.x && op->u.depth_out.depth && op->u.depth_out.conf && op->u.depth_out.n >= 0 ? NULL
	                                                                                                    : missing;
}

struct sb_work sb_work_depth_out(const struct sb_op *op)
{
	double n = (double)op->u.depth_out.n;

	return (struct sb_work){ 20.0 * n, 16.0 * n };
}

const char *sb_check_pose_decode(const struct sb_op *op)
{
	const struct sb_pose_decode_args *a = &op->u.pose_decode;

	return a->p && a->enc && a->w2c && a->c2w && a->k && a->frames > 0 ? NULL : missing;
}

struct sb_work sb_work_pose_decode(const struct sb_op *op)
{
	double n = (double)op->u.pose_decode.frames;

	return (struct sb_work){ 200.0 * n, 4.0 * 59.0 * n };
}

const char *sb_check_unproject(const struct sb_op *op)
{
	return op->u.unproject.depth && op->u.unproject.k && op->u.unproject.points ? NULL : missing;
}

struct sb_work sb_work_unproject(const struct sb_op *op)
{
	double n = (double)(op->u.unproject.frames * op->u.unproject.h * op->u.unproject.w);

	return (struct sb_work){ 6.0 * n, 16.0 * n };
}

static const char *check_transfer(const struct sb_transfer_args *a)
{
	return a->dst && a->src ? NULL : missing;
}

const char *sb_check_upload(const struct sb_op *op)
{
	return check_transfer(&op->u.upload);
}

const char *sb_check_stream(const struct sb_op *op)
{
	return op->u.stream.dst && op->u.stream.src ? NULL : missing;
}

const char *sb_check_download(const struct sb_op *op)
{
	return check_transfer(&op->u.download);
}

struct sb_work sb_work_upload(const struct sb_op *op)
{
	return (struct sb_work){ 0.0, 2.0 * (double)op->u.upload.bytes };
}

struct sb_work sb_work_stream(const struct sb_op *op)
{
	return (struct sb_work){ 0.0, 2.0 * (double)op->u.stream.bytes };
}

struct sb_work sb_work_download(const struct sb_op *op)
{
	return (struct sb_work){ 0.0, 2.0 * (double)op->u.download.bytes };
}

enum sb_status sb_cpu_upload(struct sb_backend *be, const struct sb_transfer_args *a, struct sb_error *err)
{
	(void)err;
	be->kernel = "memcpy";
	memcpy(a->dst, a->src, a->bytes);
	return SB_OK;
}

enum sb_status sb_cpu_stream(struct sb_backend *be, const struct sb_stream_args *a, struct sb_error *err)
{
	(void)err;
	be->kernel = "memcpy";
	memcpy(a->dst, a->src, a->bytes);
	return SB_OK;
}

enum sb_status sb_cpu_download(struct sb_backend *be, const struct sb_transfer_args *a, struct sb_error *err)
{
	return sb_cpu_upload(be, a, err);
}
