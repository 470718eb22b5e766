/* The tracker's ops: see kernels/patches.h, kernels/track.h and kernels/procrustes.h. */
#include "backend_internal.h"

static const char missing[] = "missing operand or empty shape";

/* Ops whose CPU side is one call that cannot fail. */
#define SB_CPU_PLAIN(member)                                                                     \
	enum sb_status sb_cpu_##member(                                                          \
	        struct sb_backend *be, const struct sb_##member##_args *a, struct sb_error *err) \
	{                                                                                        \
		(void)err;                                                                       \
		be->kernel = #member;                                                            \
		sb_##member##_cpu(a);                                                            \
		return SB_OK;                                                                    \
	}

/* Ops with scratch from the arm's allocator. */
#define SB_CPU_SCRATCH(member)                                                                   \
	enum sb_status sb_cpu_##member(                                                          \
	        struct sb_backend *be, const struct sb_##member##_args *a, struct sb_error *err) \
	{                                                                                        \
		size_t bytes = sb_##member##_cpu_workspace(a);                                   \
		void *scratch = NULL;                                                            \
                                                                                                 \
		be->kernel = #member;                                                            \
		if (bytes && sb_device_alloc(be, bytes, &scratch, err))                          \
			return err->code;                                                        \
		sb_##member##_cpu(a, scratch);                                                   \
		sb_device_free(be, scratch);                                                     \
		return SB_OK;                                                                    \
	}

/* Shape check and work model in one row: what must hold, FLOP, and floats read and written. */
#define SB_OP_MODEL(member, holds, flops, floats)                                   \
	const char *sb_check_##member(const struct sb_op *op)                       \
	{                                                                           \
		const struct sb_##member##_args *a = &op->u.member;                 \
                                                                                    \
		return (holds) ? NULL : missing;                                    \
	}                                                                           \
	struct sb_work sb_work_##member(const struct sb_op *op)                     \
	{                                                                           \
		const struct sb_##member##_args *a = &op->u.member;                 \
                                                                                    \
		return (struct sb_work){ (double)(flops), 4.0 * (double)(floats) }; \
	}

SB_CPU_PLAIN(fill)
SB_CPU_PLAIN(scale)
SB_CPU_PLAIN(add)
SB_CPU_PLAIN(repeat)
SB_CPU_PLAIN(subsample)
SB_CPU_PLAIN(instance_norm)
SB_CPU_PLAIN(l2_normalize)
SB_CPU_PLAIN(resize_nearest)
SB_CPU_PLAIN(avg_pool2)
SB_CPU_PLAIN(patch_sample)
SB_CPU_PLAIN(neighbours)
SB_CPU_PLAIN(posenc)
SB_CPU_PLAIN(motion)
SB_CPU_PLAIN(group_mean)
SB_CPU_PLAIN(depth_mask)
SB_CPU_PLAIN(query_setup)
SB_CPU_PLAIN(norm_box)
SB_CPU_PLAIN(box_map)
SB_CPU_PLAIN(geometry_tokens)
SB_CPU_PLAIN(track_update)
SB_CPU_PLAIN(track_out)
SB_CPU_PLAIN(procrustes)
SB_CPU_SCRATCH(depth_snap)
SB_CPU_SCRATCH(depth_clean)

enum sb_status sb_cpu_corr(struct sb_backend *be, const struct sb_corr_args *args, struct sb_error *err)
{
	struct sb_corr_args a = *args;
	void *scratch = NULL;
	size_t bytes;

	a.tf32 = be->levels.part[SB_PART_PRECISION_GEMM] == SB_PRECISION_TF32;
	be->kernel = a.tf32 ? "corr_tf32_emulated" : "corr";
	bytes = sb_corr_cpu_workspace(&a);
	if (bytes && sb_device_alloc(be, bytes, &scratch, err))
		return err->code;
	sb_corr_cpu(&a, scratch);
	sb_device_free(be, scratch);
	return SB_OK;
}

/* clang-format off */
SB_OP_MODEL(fill, a->x && a->n >= 0, 0, a->n)
SB_OP_MODEL(scale, a->x && a->y && a->n >= 0, a->n, 2 * a->n)
SB_OP_MODEL(add, a->a && a->b && a->y && a->rows >= 0 && a->cols > 0, a->rows * a->cols,
	(2 * a->rows + (a->b_rows ? a->b_rows : a->rows)) * a->cols)
SB_OP_MODEL(repeat, a->x && a->y && a->times > 0, 0, a->n * (a->times + 1) * a->len)
SB_OP_MODEL(subsample, a->x && a->y && a->step > 0, 0, 2 * a->n * (a->h / a->step) * (a->w / a->step) * a->c)
SB_OP_MODEL(instance_norm, a->x && a->y && a->pixels > 0, 8 * a->n * a->pixels * a->c,
	a->n * a->pixels * a->c * (a->residual ? 3 : 2))
SB_OP_MODEL(l2_normalize, a->x && a->y && a->c > 0, 3 * a->rows * a->c, 2 * a->rows * a->c)
SB_OP_MODEL(resize_nearest, a->x && a->y && a->h > 0 && a->w > 0, 0, 2 * a->n * a->out_h * a->out_w * a->c)
SB_OP_MODEL(avg_pool2, a->x && a->y && a->h > 1 && a->w > 1, a->n * a->h * a->w * a->c, a->n * a->h * a->w * a->c * 5 / 4)
SB_OP_MODEL(patch_sample, a->map && a->xy && a->frame && a->out, 8 * a->n * SB_PATCH * a->c, 2 * a->n * SB_PATCH * a->c)
SB_OP_MODEL(corr, a->map && a->uv && a->query && a->w && a->y && a->ldw >= SB_PATCH * SB_PATCH && a->ldy >= a->out,
	2 * a->n * a->frames * SB_PATCH * SB_PATCH * (a->c + a->out),
	a->frames * a->h * a->width * a->c + a->n * SB_PATCH * a->c + SB_PATCH * SB_PATCH * a->out + a->n * a->frames * a->out)
SB_OP_MODEL(neighbours, a->out_d && a->out_f && a->ldf >= a->c && (a->points ? a->patches != NULL : a->map && a->pmap && a->uv),
	a->n * a->frames * SB_PATCH * (8 * (a->c + 3) + 8), a->n * a->frames * (SB_PATCH + SB_NEIGHBOURS) * (a->c + 3))
SB_OP_MODEL(posenc, a->x && a->y && a->d > 0, 2 * a->rows * a->d * a->degrees, a->rows * a->d * (2 + 2 * a->degrees))
SB_OP_MODEL(motion, a->v && a->y && a->d > 0 && a->d <= 3, 4 * a->n * a->frames * a->d, 3 * a->n * a->frames * a->d)
SB_OP_MODEL(group_mean, a->x && a->y && a->group > 0, a->rows * a->group * a->c, a->rows * (a->group + 1) * a->c)
SB_OP_MODEL(depth_mask, a->x && a->X && a->box, a->rows * a->c, 2 * a->rows * a->c)
SB_OP_MODEL(query_setup, a->q && a->depth && a->valid && a->pmap && a->colour && a->frame, 0, 24 * a->n)
SB_OP_MODEL(norm_box, a->p0 && a->box && a->n > 1, 9 * a->n, 3 * a->n + 6)
SB_OP_MODEL(box_map, a->x && a->y && a->box, 9 * a->rows, 6 * a->rows)
SB_OP_MODEL(geometry_tokens, a->q && a->cam && a->g && a->frames > 0, 100 * a->n * a->frames, 12 * a->n * a->frames)
SB_OP_MODEL(track_update, a->d2 && a->d3 && a->A && a->px, 30 * a->rows, 40 * a->rows)
SB_OP_MODEL(depth_snap, a->pmap && a->px && a->z && a->A && a->frames > 2, 500 * a->n * a->frames, 60 * a->n * a->frames)
SB_OP_MODEL(depth_clean, a->depth && a->valid && a->frames > 0, 30 * a->frames * a->h * a->w, 4 * a->frames * a->h * a->w)
SB_OP_MODEL(track_out, a->px && a->tracks2 && a->tracks3, 40 * a->keep * a->frames, 24 * a->keep * a->frames)
SB_OP_MODEL(procrustes, a->x && a->y && a->w && a->motion && a->batch >= 0 && a->points >= 0,
	50 * a->batch * a->points, 7 * a->batch * a->points + 16 * a->batch)
/* clang-format on */
