/* A window of the tracker from end to end: iterations, their updates, results. */
#include "track_pass.h"

#include <stdlib.h>

/* ---- updates (4.8, 4.10 with cameras fixed) ------------------------------------------------------------------ */

static enum sb_status update(struct sb_pass *p, struct sb_deltas *d)
{
	const struct sb_track_input *in = p->in;
	float fx = (float)p->net->w / (float)in->wr, fy = (float)p->net->h / (float)in->hr;
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
		.fx = fx,
		.fy = fy,
	};

	sb_backend_stage(p->be, "track.update");
	SB_TRY(SB_SUBMIT(p->be, TRACK_UPDATE, track_update, a, p->err));
	sb_pass_put(p, d->dp);
	sb_pass_put(p, d->d3);
	sb_pass_put(p, d->d2);
	struct sb_depth_snap_args s = {
		.pmap = p->pmap_r,
		.valid = in->valid,
		.px = p->px,
		.z0 = p->z0,
		.vis = p->vis,
		.k = in->k,
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
	return update(p, &d);
}

/* ---- the whole window ---------------------------------------------------------------------------------------- */

static enum sb_status output(struct sb_pass *p, struct sb_track_outputs *out)
{
	size_t floats = sb_track_outputs_floats(out);
	float *block;

	sb_backend_stage(p->be, "track.output");
	SB_TRY(sb_pass_get(p, (int64_t)floats, &block));
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
		.keep = p->n,
		.frames = p->t,
		.sx = 1.0f,
		.sy = 1.0f,
	};
	a.tracks3 = a.tracks2 + p->rows * 3;
	a.vis_out = a.tracks3 + p->rows * 6;
	a.conf_out = a.vis_out + p->rows;
	a.dyn_out = a.conf_out + p->rows;
	SB_TRY(SB_SUBMIT(p->be, TRACK_OUT, track_out, a, p->err));
	SB_TRY(sb_pass_copy(p, p->in->cam, 1, p->t * 16, p->t * 16, a.dyn_out + p->rows, p->t * 16));
	SB_TRY(sb_pass_copy(p, p->in->k, 1, p->t * 9, p->t * 9, a.dyn_out + p->rows + p->t * 16, p->t * 9));
	SB_TRY(SB_SUBMIT(p->be, DOWNLOAD, download,
	        ((struct sb_transfer_args){ out->xyz2, block, floats * sizeof(float) }), p->err));
	sb_pass_put(p, block);
	return SB_OK;
}

static void release_window(struct sb_pass *p)
{
	for (int l = SB_TRACK_LEVELS - 1; l >= 0; l--) {
		sb_pass_put(p, p->level[l].q_q);
		sb_pass_put(p, p->level[l].q_x);
		sb_pass_put(p, p->level[l].query);
		sb_pass_put(p, p->level[l].pmap);
		sb_pass_put(p, p->level[l].map);
	}
	void *rest[] = { p->px, p->A, p->vis, p->X, p->z, p->uv, p->time, p->box, p->frame, p->rgb, p->p0, p->u0, p->z0,
		p->k_m, p->q, p->pmap_r };
	for (size_t i = 0; i < SB_ARRAY_LEN(rest); i++)
		sb_pass_put(p, rest[i]);
}

static enum sb_status run(struct sb_pass *p, struct sb_track_outputs *out)
{
	const struct sb_track_input *in = p->in;
	float *image, *features;

	sb_backend_stage(p->be, "track.fnet");
	SB_TRY(sb_pass_nearest(p, in->video, in->h, in->w, 3, 0.0f, 0.0f, &image));
	sb_pass_tap(p, "fnet.in", 0, image, p->t * p->net->h * p->net->w * 3);
	SB_TRY(sb_pass_fnet(p, image, &features));
	SB_TRY(sb_pass_prepare(p, image, features));
	for (p->iteration = 0; p->iteration < SB_TRACK_ITERATIONS; p->iteration++)
		SB_TRY(iterate(p));
	SB_TRY(output(p, out));
	release_window(p);
	return SB_OK;
}

enum sb_status sb_track_run(struct sb_backend *be, const struct sb_track_net *net, const struct sb_track_input *in,
        struct sb_track_outputs *out, const struct sb_front_tap *tap_fn, struct sb_error *err)
{
	struct sb_pass p = {
		.be = be,
		.net = net,
		.in = in,
		.tap = tap_fn,
		.err = err,
		.n = in->n_queries + in->n_support,
		.t = in->frames,
	};

	p.rows = p.n * p.t;
	if (p.t < 3)
		return sb_fail(err, SB_E_USAGE, "the tracker needs at least 3 frames, not %lld", (long long)p.t);
	if (p.n < 2)
		return sb_fail(err, SB_E_USAGE, "the tracker needs at least 2 points, not %lld", (long long)p.n);
	p.fh = net->h / 4;
	p.fw = net->w / 4;
	if (out->tracks != p.n || out->frames != p.t)
		SB_BUG("results for %lld tracks", (long long)out->tracks);
	return run(&p, out);
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
