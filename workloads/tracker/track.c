/* A window of the tracker from end to end: iterations, their updates, results. */
#include "track_pass.h"

#include <stdlib.h>
#include <string.h>

/* ---- updates (4.8, 4.10) ------------------------------------------------------------------------------------- */

static enum sb_status update(struct sb_pass *p, struct sb_deltas *d)
{
	const struct sb_window *in = p->in;
	struct sb_track_update_args a = {
		.d2 = d->d2,
		.d3 = d->d3,
		.dp = d->dp,
		.box = p->box,
		.uv = p->uv,
		.z = p->z,
		.vis = p->vis,
		.conf = p->conf,
		.dyn = p->dyn,
		.pro = p->pro,
		.X = p->X,
		.A = p->A,
		.px = p->px,
		.rows = p->rows,
		.fx = p->fx,
		.fy = p->fy,
	};

	sb_backend_stage(p->be, "track.update");
	SB_TRY(SB_SUBMIT(p->be, TRACK_UPDATE, track_update, a, p->err));
	sb_pass_put(p, d->dp);
	sb_pass_put(p, d->d3);
	sb_pass_put(p, d->d2);
	struct sb_depth_snap_args s = {
		.pmap = p->pmap_r,
		.valid = p->valid_r ? p->valid_r : in->valid,
		.px = p->px,
		.z0 = p->z0,
		.vis = p->vis,
		.k = p->k_r,
		.z = p->z,
		.A = p->A,
		.n = p->n,
		.frames = p->t,
		.h = in->hr,
		.w = in->wr,
	};
	SB_TRY(SB_SUBMIT(p->be, DEPTH_SNAP, depth_snap, s, p->err));
	SB_TRY(sb_pass_box_map(p, p->A, p->X, p->rows, 0));
	return sb_pass_copy(p, p->A + 2, p->rows, 1, 3, p->z, 1);
}

static enum sb_status iterate(struct sb_pass *p)
{
	float *tokens2, *tokens3, *projected;
	struct sb_deltas d;

	SB_TRY(sb_pass_get(p, p->rows * SB_TRACK_TOKEN2, &tokens2));
	SB_TRY(sb_pass_get(p, p->rows * SB_TRACK_TOKEN3, &tokens3));
	SB_TRY(sb_pass_correlations(p, tokens2, tokens3));
	SB_TRY(sb_pass_tokens(p, tokens2, tokens3, &projected));
	SB_TRY(sb_pass_transformer(p, tokens2, projected, &d));
	SB_TRY(update(p, &d));
	return sb_pass_cameras(p);
}

/* ---- the whole window ---------------------------------------------------------------------------------------- */

static int64_t block_floats(const struct sb_pass *p)
{
	return p->in->keep * p->t * 12;
}

struct sb_block sb_pass_block(const struct sb_pass *p)
{
	const float *b = p->host->block;
	int64_t rows = p->in->keep * p->t;

	return (struct sb_block){ b, b + rows * 3, b + rows * 9, b + rows * 10, b + rows * 11 };
}

static enum sb_status output(struct sb_pass *p)
{
	int64_t rows = p->in->keep * p->t;
	float *block;

	sb_backend_stage(p->be, "track.output");
	SB_TRY(sb_pass_get(p, block_floats(p), &block));
	struct sb_track_out_args a = {
		.px = p->px,
		.z = p->z,
		.A = p->A,
		.rgb = p->rgb,
		.vis = p->vis,
		.conf = p->conf,
		.dyn = p->dyn,
		.u0 = p->u0,
		.tracks2 = block,
		.tracks3 = block + rows * 3,
		.vis_out = block + rows * 9,
		.conf_out = block + rows * 10,
		.dyn_out = block + rows * 11,
		.keep = p->in->keep,
		.frames = p->t,
		.sx = 1.0f,
		.sy = 1.0f,
	};
	if (rows)
		SB_TRY(SB_SUBMIT(p->be, TRACK_OUT, track_out, a, p->err));
	SB_TRY(sb_pass_download(p, p->host->block, block, block_floats(p)));
	sb_pass_put(p, block);
	return SB_OK;
}

static void release_window(struct sb_pass *p)
{
	for (int l = SB_TRACK_LEVELS - 1; l >= 0; l--) {
		sb_pass_put(p, p->level[l].q_q);
		sb_pass_put(p, p->level[l].q_x);
		sb_pass_put(p, p->level[l].points);
		sb_pass_put(p, p->level[l].query);
		sb_pass_put(p, p->level[l].pmap);
		sb_pass_put(p, p->level[l].map);
	}
	if (p->q_geometry != p->q) {
		sb_pass_put(p, p->q_geometry);
		sb_pass_put(p, p->z_geometry);
	}
	void *rest[] = { p->px, p->A, p->vis, p->X, p->z, p->uv, p->time, p->box, p->frame, p->rgb, p->p0, p->u0, p->z0,
		p->valid_r, p->pmap_r, p->cam, p->k_r, p->k_m, p->q };
	for (size_t i = 0; i < SB_ARRAY_LEN(rest); i++)
		sb_pass_put(p, rest[i]);
}

enum sb_status sb_pass_window(struct sb_pass *p)
{
	float *image, *features;

	p->n = p->in->n_queries + p->in->n_support;
	p->t = p->in->frames;
	p->rows = p->n * p->t;
	p->fh = p->net->h / 4;
	p->fw = p->net->w / 4;
	p->fx = (float)p->net->w / (float)p->in->wr;
	p->fy = (float)p->net->h / (float)p->in->hr;
	if (p->n > p->host->tracks || p->t > p->host->frames)
		SB_BUG("a window of %lld tracks, %lld frames in room for %lld, %lld", (long long)p->n, (long long)p->t,
		        (long long)p->host->tracks, (long long)p->host->frames);
	SB_TRY(sb_pass_features(p, &image, &features));
	SB_TRY(sb_pass_prepare(p, image, features));
	for (p->iteration = 0; p->iteration < p->in->iterations; p->iteration++)
		SB_TRY(iterate(p));
	SB_TRY(output(p));
	SB_TRY(sb_pass_carry(p));
	release_window(p);
	return sb_pass_sync(p);
}

/* ---- one window alone, cameras fixed -------------------------------------------------------------------------- */

static void copy_results(const struct sb_pass *p, const struct sb_window *w, struct sb_track_outputs *out)
{
	struct sb_block b = sb_pass_block(p);
	size_t rows = (size_t)(p->n * p->t) * sizeof(float);

	memcpy(out->xyz2, b.xyz2, 3 * rows);
	memcpy(out->xyz3, b.xyz3, 6 * rows);
	memcpy(out->vis, b.vis, rows);
	memcpy(out->conf, b.conf, rows);
	memcpy(out->dyn, b.dyn, rows);
	memcpy(out->c2w, w->cam, (size_t)p->t * 16 * sizeof(float));
	memcpy(out->k, w->k, (size_t)p->t * 9 * sizeof(float));
}

static enum sb_status run_alone(struct sb_pass *p, struct sb_window *w, const struct sb_track_input *in, float *cam,
        struct sb_track_outputs *out)
{
	float *k = cam + w->frames * 16;

	SB_TRY(sb_pass_download(p, cam, in->cam, w->frames * 16));
	SB_TRY(sb_pass_download(p, k, in->k, w->frames * 9));
	SB_TRY(sb_pass_sync(p));
	w->cam = cam;
	w->k = k;
	SB_TRY(sb_pass_window(p));
	copy_results(p, w, out);
	return SB_OK;
}

enum sb_status sb_track_run(struct sb_backend *be, const struct sb_track_net *net, const struct sb_track_input *in,
        struct sb_track_outputs *out, const struct sb_front_tap *tap_fn, struct sb_error *err)
{
	struct sb_window w = { .video = in->video,
		.depth = in->depth,
		.valid = in->valid,
		.h = in->h,
		.w = in->w,
		.hr = in->hr,
		.wr = in->wr,
		.frames = in->frames,
		.real = in->frames,
		.queries = in->queries,
		.n_queries = in->n_queries,
		.n_support = in->n_support,
		.last = true,
		.keep = in->n_queries + in->n_support,
		.iterations = SB_TRACK_ITERATIONS,
		.cameras = SB_CAMERAS_FIXED };
	struct sb_pass_host host = { 0 };
	struct sb_carry carry = { 0 };
	struct sb_pass p = {
		.be = be, .net = net, .in = &w, .host = &host, .carry = &carry, .tap = tap_fn, .err = err
	};
	enum sb_status status;
	float *cam;

	if (w.frames < 3)
		return sb_fail(err, SB_E_USAGE, "the tracker needs at least 3 frames, not %lld", (long long)w.frames);
	if (w.keep < 2)
		return sb_fail(err, SB_E_USAGE, "the tracker needs at least 2 points, not %lld", (long long)w.keep);
	if (out->tracks != w.keep || out->frames != w.frames)
		SB_BUG("results for %lld tracks", (long long)out->tracks);
	status = sb_pass_host_open(w.keep, w.frames, w.cameras, NULL, w.frames, &host, err);
	if (status)
		return status;
	cam = malloc((size_t)w.frames * 25 * sizeof(*cam));
	status = cam ? run_alone(&p, &w, in, cam, out) : sb_fail(err, SB_E_NOMEM, "no memory for cameras");
	free(cam);
	sb_pass_host_release(&host);
	return status;
}

enum sb_status sb_track_outputs_init(struct sb_track_outputs *o, int64_t tracks, int64_t frames, struct sb_error *err)
{
	int64_t rows = tracks * frames;

	*o = (struct sb_track_outputs){ .tracks = tracks, .frames = frames };
	o->xyz2 = calloc(sb_track_outputs_floats(o), sizeof(float));
	if (!o->xyz2)
		return sb_fail(err, SB_E_NOMEM, "no memory for the results of %lld tracks", (long long)tracks);
	o->xyz3 = o->xyz2 + rows * 3;
	o->vis = o->xyz3 + rows * 6;
	o->conf = o->vis + rows;
	o->dyn = o->conf + rows;
	o->c2w = o->dyn + rows;
	o->k = o->c2w + frames * 16;
	return SB_OK;
}

size_t sb_track_outputs_floats(const struct sb_track_outputs *o)
{
	return (size_t)(o->tracks * o->frames * (3 + 6 + 3) + o->frames * (16 + 9));
}

void sb_track_outputs_release(struct sb_track_outputs *o)
{
	free(o->xyz2);
	*o = (struct sb_track_outputs){ 0 };
}
