/* The tokens of both streams (4.6). */
#include "track_pass.h"

/* Columns 0 and 1 (vis, conf), and the time embedding over all 1110 at the end. */
static enum sb_status state_columns(struct sb_pass *p, float *tokens, int64_t ld)
{
	SB_TRY(sb_pass_copy(p, p->vis, p->rows, 1, 1, tokens, ld));
	return sb_pass_copy(p, p->conf, p->rows, 1, 1, tokens + 1, ld);
}

static enum sb_status motion(
        struct sb_pass *p, const float *v, int64_t d, float inv_x, float inv_y, float inv_z, float **out)
{
	struct sb_motion_args a = { .v = v, .n = p->n, .frames = p->t, .d = d, .inv_scale = { inv_x, inv_y, inv_z } };

	SB_TRY(sb_pass_get(p, p->rows * 2 * d, out));
	a.y = *out;
	return SB_SUBMIT(p->be, MOTION, motion, a, p->err);
}

static enum sb_status add_time(struct sb_pass *p, float *x)
{
	struct sb_add_args a = {
		.a = x,
		.b = p->time,
		.y = x,
		.rows = p->rows,
		.cols = SB_TRACK_TOKEN2,
		.lda = SB_TRACK_TOKEN2,
		.ldb = SB_TRACK_TOKEN2,
		.ldy = SB_TRACK_TOKEN2,
		.b_rows = p->t,
	};

	return SB_SUBMIT(p->be, ADD, add, a, p->err);
}

enum sb_status sb_pass_tokens(struct sb_pass *p, float *tokens2, float *tokens3, float **projected)
{
	float *m, *code, *g;

	sb_backend_stage(p->be, "track.tokens");
	SB_TRY(state_columns(p, tokens2, SB_TRACK_TOKEN2));
	SB_TRY(motion(p, p->uv, 2, 1.0f / (float)p->fw, 1.0f / (float)p->fh, 0.0f, &m));
	SB_TRY(sb_pass_posenc(p, m, p->rows, 4, 10, tokens2 + 1026, SB_TRACK_TOKEN2));
	sb_pass_put(p, m);

	SB_TRY(state_columns(p, tokens3, SB_TRACK_TOKEN3));
	SB_TRY(motion(p, p->X, 3, 1.0f, 1.0f, 1.0f, &m));
	SB_TRY(sb_pass_get(p, p->rows * 126, &code));
	SB_TRY(sb_pass_posenc(p, m, p->rows, 6, 10, code, 126));
	sb_pass_put(p, m);
	sb_pass_tap(p, "xyz_mlp.in", p->iteration, code, p->rows * 126);
	SB_TRY(sb_pass_mlp(
	        p, code, p->rows, &p->net->xyz, (struct sb_out_place){ .y = tokens3 + 1026, .ld = SB_TRACK_TOKEN3 }));
	sb_pass_put(p, code);
	sb_pass_tap(p, "xyz_mlp.out", p->iteration, tokens3 + 1026, (p->rows - 1) * SB_TRACK_TOKEN3 + 84);
	SB_TRY(sb_pass_get(p, p->rows * 6, &g));
	struct sb_geometry_tokens_args a = {
		.q = p->q_geometry,
		.z0 = p->z_geometry,
		.k = p->k_m,
		.cam = p->cam,
		.box = p->box,
		.X = p->X,
		.conf = p->conf,
		.dyn = p->dyn,
		.g = g,
		.n = p->n,
		.frames = p->t,
	};
	SB_TRY(SB_SUBMIT(p->be, GEOMETRY_TOKENS, geometry_tokens, a, p->err));
	SB_TRY(sb_pass_posenc(p, g, p->rows, 6, 12, tokens3 + 1110, SB_TRACK_TOKEN3));
	sb_pass_put(p, g);
	sb_pass_tap(p, "proj_xyz_embed.in", p->iteration, tokens3, p->rows * SB_TRACK_TOKEN3);
	SB_TRY(sb_pass_get(p, p->rows * SB_TRACK_TOKEN2, projected));
	SB_TRY(sb_pass_mlp(p, tokens3, p->rows, &p->net->proj_xyz, (struct sb_out_place){ .y = *projected }));
	sb_pass_put(p, tokens3);
	sb_pass_tap(p, "proj_xyz_embed.out", p->iteration, *projected, p->rows * SB_TRACK_TOKEN2);
	SB_TRY(add_time(p, tokens2));
	SB_TRY(add_time(p, *projected));
	sb_pass_tap(p, "updateformer3D.in0", p->iteration, tokens2, p->rows * SB_TRACK_TOKEN2);
	sb_pass_tap(p, "updateformer3D.in1", p->iteration, *projected, p->rows * SB_TRACK_TOKEN2);
	return SB_OK;
}
