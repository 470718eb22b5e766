/* frames_resize, resize_bilinear: see kernels/resize.h. */
#include "backend_internal.h"

const char *sb_check_frames_resize(const struct sb_op *op)
{
	const struct sb_frames_resize_args *a = &op->u.frames_resize;

	if (!a->src || !a->dst || a->n < 0 || a->h < 1 || a->w < 1)
		return "missing operand or empty image";
	if (a->crop_y < 0 || a->crop_x < 0 || a->crop_y + a->out_h > a->full_h || a->crop_x + a->out_w > a->full_w)
		return "the window is not inside the image";
	return NULL;
}

struct sb_work sb_work_frames_resize(const struct sb_op *op)
{
	const struct sb_frames_resize_args *a = &op->u.frames_resize;
	double out = (double)(a->n * a->out_h * a->out_w * 3);

	return (struct sb_work){ 32.0 * out, (double)(a->n * a->h * a->w * 3) + 4.0 * out };
}

enum sb_status sb_cpu_frames_resize(struct sb_backend *be, const struct sb_frames_resize_args *a, struct sb_error *err)
{
	(void)err;
	be->kernel = "frames_bicubic";
	sb_frames_resize_cpu(a);
	return SB_OK;
}

const char *sb_check_resize_bilinear(const struct sb_op *op)
{
	const struct sb_resize_bilinear_args *a = &op->u.resize_bilinear;

	return a->x && a->y && a->n >= 0 && a->h > 0 && a->w > 0 && a->c > 0 && a->out_h > 0 && a->out_w > 0
	               ? NULL
	               : "missing operand or empty shape";
}

struct sb_work sb_work_resize_bilinear(const struct sb_op *op)
{
	const struct sb_resize_bilinear_args *a = &op->u.resize_bilinear;
	double out = (double)(a->n * a->out_h * a->out_w * a->c);

	return (struct sb_work){ 8.0 * out, 4.0 * (out + (double)(a->n * a->h * a->w * a->c)) };
}

enum sb_status sb_cpu_resize_bilinear(
        struct sb_backend *be, const struct sb_resize_bilinear_args *a, struct sb_error *err)
{
	(void)err;
	be->kernel = "resize_bilinear";
	sb_resize_bilinear_cpu(a);
	return SB_OK;
}
