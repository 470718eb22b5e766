/* A window's constants and its first state (4.2 to 4.4, 2.6). */
#include "track_pass.h"

#include <math.h>
#include <string.h>

/* ---- on the host: queries to working resolution, K scaled, what carried tracks start from ------------------- */

/* x, y, z and point on every frame: the cached ones, then the last of them again. */
static void expand_carried(struct sb_pass *p)
{
	const struct sb_window *in = p->in;
	struct sb_pass_host *h = p->host;

	for (int64_t n = 0; n < in->n_carried; n++) {
		for (int64_t t = 0; t < p->t; t++) {
			int64_t from = t < in->overlap ? t : in->overlap - 1, at = n * p->t + t;
			const float *c = in->carried + (n * in->overlap + from) * 6;

			h->uv[at * 2] = c[0] * p->fx * 0.25f;
			h->uv[at * 2 + 1] = c[1] * p->fy * 0.25f;
			h->z[at] = c[2];
			memcpy(h->X + at * 3, c + 3, 3 * sizeof(float));
		}
	}
}

/*
 * keep_z: the depth at the query's frame is the last window's result there. The geometry token takes a carried track
 * where it is on the window's first frame.
 */
static void host_queries(struct sb_pass *p)
{
	const struct sb_window *in = p->in;
	struct sb_pass_host *h = p->host;

	for (int64_t i = 0; i < p->n; i++) {
		bool carried = i < in->n_carried;
		const float *q = in->queries + i * 3, *c = carried ? in->carried + i * in->overlap * 6 : NULL;
		int64_t seed = carried ? (int64_t)q[0] : 0;

		h->q[i * 3] = h->q_geometry[i * 3] = q[0];
		h->q[i * 3 + 1] = q[1] * p->fx;
		h->q[i * 3 + 2] = q[2] * p->fy;
		h->q_geometry[i * 3 + 1] = carried ? c[0] * p->fx : h->q[i * 3 + 1];
		h->q_geometry[i * 3 + 2] = carried ? c[1] * p->fy : h->q[i * 3 + 2];
		h->keep_z[i] = carried ? c[seed * 6 + 2] : NAN;
		if (carried)
			h->z_geometry[i] = c[2];
	}
}

static void host_cameras(struct sb_pass *p)
{
	const struct sb_window *in = p->in;
	struct sb_pass_host *h = p->host;

	memcpy(h->cam, in->cam, (size_t)p->t * 16 * sizeof(float));
	memcpy(h->k, in->k, (size_t)p->t * 9 * sizeof(float));
	for (int64_t i = 0; i < p->t * 9; i++)
		h->k_m[i] = in->k[i] * (i % 9 < 3 ? p->fx : i % 9 < 6 ? p->fy : 1.0f);
}

static enum sb_status upload_small(struct sb_pass *p)
{
	struct sb_pass_host *h = p->host;

	host_queries(p);
	host_cameras(p);
	expand_carried(p);
	SB_TRY(sb_pass_get(p, p->n * 3, &p->q));
	SB_TRY(sb_pass_get(p, p->t * 9, &p->k_m));
	SB_TRY(sb_pass_get(p, p->t * 9, &p->k_r));
	SB_TRY(sb_pass_get(p, p->t * 16, &p->cam));
	SB_TRY(sb_pass_upload(p, p->q, h->q, p->n * 3));
	SB_TRY(sb_pass_upload(p, p->k_m, h->k_m, p->t * 9));
	SB_TRY(sb_pass_upload(p, p->k_r, h->k, p->t * 9));
	return sb_pass_upload(p, p->cam, h->cam, p->t * 16);
}

/* ---- what nearest sampling at the queries gives, and the normalisation box ----------------------------------- */

static enum sb_status sample_queries(
        struct sb_pass *p, const float *image, const float *pmap, const float *depth, const float *valid)
{
	float *keep_z = NULL;
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
		.frames = p->in->real,
		.h = p->net->h,
		.w = p->net->w,
	};

	if (p->in->n_carried) {
		SB_TRY(sb_pass_get(p, p->n, &keep_z));
		SB_TRY(sb_pass_upload(p, keep_z, p->host->keep_z, p->n));
	}
	a.keep_z = keep_z;
	SB_TRY(SB_SUBMIT(p->be, QUERY_SETUP, query_setup, a, p->err));
	sb_pass_put(p, keep_z);
	return SB_OK;
}

static enum sb_status geometry_queries(struct sb_pass *p)
{
	p->q_geometry = p->q;
	p->z_geometry = p->z0;
	if (!p->in->n_carried)
		return SB_OK;
	SB_TRY(sb_pass_get(p, p->n * 3, &p->q_geometry));
	SB_TRY(sb_pass_get(p, p->n, &p->z_geometry));
	SB_TRY(sb_pass_upload(p, p->q_geometry, p->host->q_geometry, p->n * 3));
	SB_TRY(sb_pass_copy(p, p->z0, 1, p->n, p->n, p->z_geometry, p->n));
	return sb_pass_upload(p, p->z_geometry, p->host->z_geometry, p->in->n_carried);
}

static enum sb_status setup_queries(struct sb_pass *p, const float *image, const float *pmap)
{
	const struct sb_window *in = p->in;
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
	SB_TRY(sample_queries(p, image, pmap, depth, valid));
	sb_pass_put(p, valid);
	sb_pass_put(p, depth);
	SB_TRY(geometry_queries(p));
	sb_pass_tap(p, "query.q", 0, p->q, p->n * 3);
	sb_pass_tap(p, "query.z0", 0, p->z0, p->n);
	sb_pass_tap(p, "query.geometry", 0, p->q_geometry, p->n * 3);
	sb_pass_tap(p, "query.geometry_z", 0, p->z_geometry, p->n);
	if (p->host->chain) {
		SB_TRY(sb_pass_download(p, p->host->z0, p->z0, p->n));
		SB_TRY(sb_pass_download(p, p->host->u0, p->u0, p->n));
	}
	struct sb_norm_box_args b = { .p0 = p->p0, .box = p->box, .n = p->n };
	return SB_SUBMIT(p->be, NORM_BOX, norm_box, b, p->err);
}

/* ---- pyramids ------------------------------------------------------------------------------------------------ */

/* Features by 2x2 means, points by every 2nd pixel from every 4th. */
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

/* Point map and `valid` at hr x wr, on all frames; *pmap [t, h, w, 3] at working resolution. */
static enum sb_status point_maps(struct sb_pass *p, float **pmap)
{
	const struct sb_window *in = p->in;
	int64_t pixels = in->hr * in->wr;
	struct sb_unproject_args u = { .depth = in->depth, .k = p->k_r, .frames = in->real, .h = in->hr, .w = in->wr };

	SB_TRY(sb_pass_get(p, p->t * pixels * 3, &p->pmap_r));
	u.points = p->pmap_r;
	SB_TRY(SB_SUBMIT(p->be, UNPROJECT, unproject, u, p->err));
	SB_TRY(sb_pass_nearest(p, p->pmap_r, in->hr, in->wr, 3, 0.0f, 0.0f, pmap));
	SB_TRY(sb_pass_pad(p, *pmap, p->net->h * p->net->w * 3));
	SB_TRY(sb_pass_pad(p, p->pmap_r, pixels * 3));
	if (in->real == p->t)
		return SB_OK;
	SB_TRY(sb_pass_get(p, p->t * pixels, &p->valid_r));
	SB_TRY(sb_pass_copy(p, in->valid, 1, in->real * pixels, in->real * pixels, p->valid_r, in->real * pixels));
	return sb_pass_pad(p, p->valid_r, pixels);
}

/* ---- state --------------------------------------------------------------------------------------------------- */

/* The stored time embedding at T rows: as it is when T fits, else linearly interpolated (align_corners=False). */
static enum sb_status time_embedding(struct sb_pass *p)
{
	struct sb_pass_host *h = p->host;
	int64_t len = p->net->time_len, dim = SB_TRACK_TOKEN2;

	if (h->time_len != len || h->time_frames != p->t) { /* a constant: made for the first window only */
		sb_time_embedding(len, p->t, dim, h->time);
		h->time_len = len;
		h->time_frames = p->t;
	}
	SB_TRY(sb_pass_get(p, p->t * dim, &p->time));
	return sb_pass_upload(p, p->time, h->time, p->t * dim);
}

/* uv = query / 4, z = z0, X = nrm(p0) on every frame, for tracks from `first` on (4.3). */
static enum sb_status still_state(struct sb_pass *p, int64_t first)
{
	int64_t n = p->n - first, row = first * p->t;
	float *xy, *x0;

	SB_TRY(sb_pass_get(p, n * 2, &xy));
	SB_TRY(sb_pass_copy(p, p->q + first * 3 + 1, n, 2, 3, xy, 2));
	SB_TRY(SB_SUBMIT(p->be, SCALE, scale, ((struct sb_scale_args){ xy, xy, n * 2, 0.25f }), p->err));
	SB_TRY(sb_pass_repeat(p, xy, p->uv + row * 2, n, 2));
	sb_pass_put(p, xy);
	SB_TRY(sb_pass_repeat(p, p->z0 + first, p->z + row, n, 1));
	SB_TRY(sb_pass_get(p, n * 3, &x0));
	SB_TRY(sb_pass_box_map(p, p->p0 + first * 3, x0, n, 0));
	SB_TRY(sb_pass_repeat(p, x0, p->X + row * 3, n, 3));
	sb_pass_put(p, x0);
	return SB_OK;
}

static enum sb_status carried_state(struct sb_pass *p)
{
	int64_t rows = p->in->n_carried * p->t;

	SB_TRY(sb_pass_upload(p, p->uv, p->host->uv, rows * 2));
	SB_TRY(sb_pass_upload(p, p->z, p->host->z, rows));
	SB_TRY(sb_pass_upload(p, p->X, p->host->X, rows * 3));
	return sb_pass_box_map(p, p->X, p->X, rows, 0);
}

static enum sb_status first_state(struct sb_pass *p)
{
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
	if (p->in->n_carried)
		SB_TRY(carried_state(p));
	if (p->n > p->in->n_carried)
		SB_TRY(still_state(p, p->in->n_carried));
	sb_pass_tap(p, "first.uv", 0, p->uv, p->rows * 2);
	sb_pass_tap(p, "first.z", 0, p->z, p->rows);
	return SB_OK;
}

enum sb_status sb_pass_prepare(struct sb_pass *p, float *image, float *features)
{
	float *pmap;

	sb_backend_stage(p->be, "track.prepare");
	SB_TRY(upload_small(p));
	SB_TRY(point_maps(p, &pmap));
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
