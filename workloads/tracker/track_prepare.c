/* A window's constants and its first state (4.2 to 4.4). */
#include "track_pass.h"

#include <stdlib.h>

enum sb_status sb_pass_nearest(
        struct sb_pass *p, const float *x, int64_t h, int64_t w, int64_t c, float lo, float hi, float **out)
{
	struct sb_resize_nearest_args a = {
		.x = x,
		.n = p->t,
		.h = h,
		.w = w,
		.c = c,
		.out_h = p->net->h,
		.out_w = p->net->w,
		.lo = lo,
		.hi = hi,
	};

	SB_TRY(sb_pass_get(p, p->t * p->net->h * p->net->w * c, out));
	a.y = *out;
	return SB_SUBMIT(p->be, RESIZE_NEAREST, resize_nearest, a, p->err);
}

/* Queries to working resolution, K scaled: small, so on the host, then uploaded. */
static enum sb_status upload_queries(struct sb_pass *p)
{
	const struct sb_track_input *in = p->in;
	float fx = (float)p->net->w / (float)in->wr, fy = (float)p->net->h / (float)in->hr;
	float *host = malloc((size_t)(p->n * 3 + p->t * 18) * sizeof(float)), *k = host + p->n * 3;
	enum sb_status status;

	if (!host)
		return sb_fail(p->err, SB_E_NOMEM, "no memory for %lld queries", (long long)p->n);
	for (int64_t i = 0; i < p->n; i++) {
		host[i * 3] = in->queries[i * 3];
		host[i * 3 + 1] = in->queries[i * 3 + 1] * fx;
		host[i * 3 + 2] = in->queries[i * 3 + 2] * fy;
	}
	status = SB_SUBMIT(p->be, DOWNLOAD, download,
	        ((struct sb_transfer_args){ k, in->k, (size_t)p->t * 9 * sizeof(float) }), p->err);
	if (!status)
		status = p->be->ops->sync(p->be, p->err);
	for (int64_t i = 0; i < p->t * 9 && !status; i++)
		k[i] *= i % 9 < 3 ? fx : i % 9 < 6 ? fy : 1.0f;
	if (!status)
		status = sb_pass_get(p, p->n * 3, &p->q);
	if (!status)
		status = sb_pass_get(p, p->t * 9, &p->k_m);
	if (!status)
		status = SB_SUBMIT(p->be, UPLOAD, upload,
		        ((struct sb_transfer_args){ p->q, host, (size_t)p->n * 3 * sizeof(float) }), p->err);
	if (!status)
		status = SB_SUBMIT(p->be, UPLOAD, upload,
		        ((struct sb_transfer_args){ p->k_m, k, (size_t)p->t * 9 * sizeof(float) }), p->err);
	if (!status)
		status = p->be->ops->sync(p->be, p->err);
	free(host);
	return status;
}

/* What nearest sampling at the queries gives, the normalisation box, and the first state. */
static enum sb_status setup_queries(struct sb_pass *p, const float *image, const float *pmap)
{
	const struct sb_track_input *in = p->in;
	float *depth, *valid, *frame;

	SB_TRY(sb_pass_nearest(p, in->depth, in->hr, in->wr, 1, 0.01f, 200.0f, &depth));
	SB_TRY(sb_pass_nearest(p, in->valid, in->hr, in->wr, 1, 0.0f, 0.0f, &valid));
	SB_TRY(sb_pass_get(p, p->n, &p->z0));
	SB_TRY(sb_pass_get(p, p->n, &p->u0));
	SB_TRY(sb_pass_get(p, p->n * 3, &p->p0));
	SB_TRY(sb_pass_get(p, p->n * 3, &p->rgb));
	SB_TRY(sb_pass_get(p, p->n, &frame));
	p->frame = (int32_t *)(void *)frame;
	SB_TRY(sb_pass_get(p, 6, &p->box));
	struct sb_query_setup_args a = {
		.q = p->q,
		.depth = depth,
		.valid = valid,
		.pmap = pmap,
		.colour = image,
		.z0 = p->z0,
		.u0 = p->u0,
		.p0 = p->p0,
		.rgb = p->rgb,
		.frame = p->frame,
		.n = p->n,
		.frames = p->t,
		.h = p->net->h,
		.w = p->net->w,
	};
	SB_TRY(SB_SUBMIT(p->be, QUERY_SETUP, query_setup, a, p->err));
	sb_pass_put(p, valid);
	sb_pass_put(p, depth);
	struct sb_norm_box_args b = { .p0 = p->p0, .box = p->box, .n = p->n };
	return SB_SUBMIT(p->be, NORM_BOX, norm_box, b, p->err);
}

/* Features by 2x2 means, points by every 2nd pixel from every 4th; query patches of both. */
static enum sb_status pyramids(struct sb_pass *p, float *features, float *pmap)
{
	struct sb_subsample_args s = { .x = pmap, .n = p->t, .h = p->net->h, .w = p->net->w, .c = 3, .step = 4 };

	p->level[0] = (struct sb_pass_level){ .map = features, .h = p->fh, .w = p->fw };
	SB_TRY(sb_pass_get(p, p->t * p->fh * p->fw * 3, &p->level[0].pmap));
	s.y = p->level[0].pmap;
	SB_TRY(SB_SUBMIT(p->be, SUBSAMPLE, subsample, s, p->err));
	for (int l = 1; l < SB_TRACK_LEVELS; l++) {
		struct sb_pass_level *up = &p->level[l - 1], *here = &p->level[l];
		struct sb_avg_pool2_args a = {
			.x = up->map, .n = p->t, .h = up->h, .w = up->w, .c = SB_TRACK_FEATURES
		};

		here->h = up->h / 2;
		here->w = up->w / 2;
		SB_TRY(sb_pass_get(p, p->t * here->h * here->w * SB_TRACK_FEATURES, &here->map));
		a.y = here->map;
		SB_TRY(SB_SUBMIT(p->be, AVG_POOL2, avg_pool2, a, p->err));
		s = (struct sb_subsample_args){ .x = up->pmap, .n = p->t, .h = up->h, .w = up->w, .c = 3, .step = 2 };
		SB_TRY(sb_pass_get(p, p->t * here->h * here->w * 3, &here->pmap));
		s.y = here->pmap;
		SB_TRY(SB_SUBMIT(p->be, SUBSAMPLE, subsample, s, p->err));
	}
	return SB_OK;
}

/* The stored time embedding at T rows: as it is when T fits, else linearly interpolated (align_corners=False). */
static enum sb_status time_embedding(struct sb_pass *p)
{
	int64_t len = p->net->time_len, dim = SB_TRACK_TOKEN2;
	float *host = malloc((size_t)(p->t * dim) * sizeof(float));
	enum sb_status status;

	if (!host)
		return sb_fail(p->err, SB_E_NOMEM, "no memory for the time embedding");
	sb_time_embedding(len, p->t, dim, host);
	status = sb_pass_get(p, p->t * dim, &p->time);
	if (!status)
		status = SB_SUBMIT(p->be, UPLOAD, upload,
		        ((struct sb_transfer_args){ p->time, host, (size_t)(p->t * dim) * sizeof(float) }), p->err);
	if (!status)
		status = p->be->ops->sync(p->be, p->err);
	free(host);
	return status;
}

/* uv = query / 4, z = z0, X = nrm(p0) on every frame; logits 0 (4.3). */
static enum sb_status first_state(struct sb_pass *p)
{
	float *xy, *x0;

	SB_TRY(sb_pass_get(p, p->rows * 2, &p->uv));
	SB_TRY(sb_pass_get(p, p->rows, &p->z));
	SB_TRY(sb_pass_get(p, p->rows * 3, &p->X));
	SB_TRY(sb_pass_get(p, p->rows * 4, &p->vis));
	p->conf = p->vis + p->rows;
	p->dyn = p->conf + p->rows;
	p->pro = p->dyn + p->rows;
	SB_TRY(sb_pass_get(p, p->rows * 3, &p->A));
	SB_TRY(sb_pass_get(p, p->rows * 2, &p->px));
	SB_TRY(sb_pass_fill(p, p->vis, p->rows * 4, 0.0f));
	SB_TRY(sb_pass_get(p, p->n * 2, &xy));
	SB_TRY(sb_pass_copy(p, p->q + 1, p->n, 2, 3, xy, 2));
	SB_TRY(SB_SUBMIT(p->be, SCALE, scale, ((struct sb_scale_args){ xy, xy, p->n * 2, 0.25f }), p->err));
	SB_TRY(sb_pass_repeat(p, xy, p->uv, p->n, 2));
	sb_pass_put(p, xy);
	SB_TRY(sb_pass_repeat(p, p->z0, p->z, p->n, 1));
	SB_TRY(sb_pass_get(p, p->n * 3, &x0));
	SB_TRY(sb_pass_box_map(p, p->p0, x0, p->n, 0));
	SB_TRY(sb_pass_repeat(p, x0, p->X, p->n, 3));
	sb_pass_put(p, x0);
	return SB_OK;
}

enum sb_status sb_pass_prepare(struct sb_pass *p, float *image, float *features)
{
	const struct sb_track_input *in = p->in;
	float *pmap;

	sb_backend_stage(p->be, "track.prepare");
	SB_TRY(upload_queries(p));
	SB_TRY(sb_pass_get(p, p->t * in->hr * in->wr * 3, &p->pmap_r));
	struct sb_unproject_args u = {
		.depth = in->depth, .k = in->k, .points = p->pmap_r, .frames = p->t, .h = in->hr, .w = in->wr
	};
	SB_TRY(SB_SUBMIT(p->be, UNPROJECT, unproject, u, p->err));
	SB_TRY(sb_pass_nearest(p, p->pmap_r, in->hr, in->wr, 3, 0.0f, 0.0f, &pmap));
	SB_TRY(setup_queries(p, image, pmap));
	sb_pass_put(p, image);
	SB_TRY(sb_pass_box_map(p, pmap, pmap, p->t * p->net->h * p->net->w, 0)); /* the point map is kept normalised */
	SB_TRY(pyramids(p, features, pmap));
	sb_pass_put(p, pmap);
	SB_TRY(time_embedding(p));
	SB_TRY(first_state(p));
	for (int l = 0; l < SB_TRACK_LEVELS; l++)
		SB_TRY(sb_pass_query_side(p, l));
	return SB_OK;
}
