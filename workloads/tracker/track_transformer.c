/* The two-stream update transformer and its heads (4.7). */
#include "track_pass.h"

/* Each track's frames are a sequence. */
static enum sb_status over_time(struct sb_pass *p, const struct sb_track_block *b, float *x, int64_t n)
{
	struct sb_sequences s = { n, p->t, p->t, p->t, 1, p->t, 1 };

	return sb_pass_attend(p, b, x, n * p->t, x, n * p->t, &s);
}

/* Each frame's tokens are a sequence: x [nx, t, dim] attends to c [nc, t, dim]. */
static enum sb_status over_space(
        struct sb_pass *p, const struct sb_track_block *b, float *x, int64_t nx, const float *c, int64_t nc)
{
	struct sb_sequences s = { p->t, nx, nc, 1, p->t, 1, p->t };

	return sb_pass_attend(p, b, x, nx * p->t, c, nc * p->t, &s);
}

static enum sb_status copy_of(struct sb_pass *p, const float *x, int64_t floats, float **out)
{
	SB_TRY(sb_pass_get(p, floats, out));
	return sb_pass_copy(p, x, 1, floats, floats, *out, floats);
}

/* Round j over space; x, y tracks [n, t, 384], v virtual [64, t, 384], all in place. */
static enum sb_status space_round(struct sb_pass *p, int j, float *x, float *y, float *v)
{
	const struct sb_track_net *net = p->net;
	int64_t row = p->t * SB_TRACK_HIDDEN, nv = SB_TRACK_VIRTUAL, ns = SB_TRACK_VIRTUAL - 1;
	float *s, *vv, *ss;

	SB_TRY(copy_of(
	        p, v + row, ns * row, &s)); /* 63 tokens: the first virtual track is left out, as in the reference */
	SB_TRY(over_space(p, &net->track2switcher[j], s, ns, y, p->n));
	SB_TRY(over_space(p, &net->virtual2point[j], v, nv, x, p->n));
	SB_TRY(over_space(p, &net->virtual2switcher[j], s, ns, v, nv));
	SB_TRY(copy_of(p, v, nv * row, &vv));
	SB_TRY(copy_of(p, s, ns * row, &ss));
	SB_TRY(over_space(p, &net->switcher2virtual[j], vv, nv, s, ns)); /* both from the old v and s */
	SB_TRY(over_space(p, &net->switcher2virtual[j], ss, ns, v, nv));
	SB_TRY(sb_pass_linear(
	        p, vv, nv * p->t, &net->residual_head, (struct sb_out_place){ .y = v, .residual = v }, SB_ACT_NONE));
	SB_TRY(sb_pass_linear(
	        p, ss, ns * p->t, &net->residual_head, (struct sb_out_place){ .y = s, .residual = s }, SB_ACT_NONE));
	sb_pass_put(p, ss);
	sb_pass_put(p, vv);
	if (j == 0)
		sb_pass_tap(p, "space_virtual_blocks.0.in0", p->iteration, v, nv * row);
	SB_TRY(over_space(p, &net->self_virtual[j], v, nv, v, nv));
	SB_TRY(over_space(p, &net->self_switcher[j], s, ns, s, ns));
	if (j == 0) {
		sb_pass_tap(p, "space_virtual_blocks.0.out0", p->iteration, v, nv * row);
		sb_pass_tap(p, "space_point2virtual_blocks.0.in0", p->iteration, x, p->n * row);
	}
	SB_TRY(over_space(p, &net->point2virtual[j], x, p->n, v, nv));
	if (j == 0)
		sb_pass_tap(p, "space_point2virtual_blocks.0.out0", p->iteration, x, p->n * row);
	SB_TRY(over_space(p, &net->switcher2track[j], y, p->n, s, ns));
	sb_pass_put(p, s);
	return SB_OK;
}

enum sb_status sb_pass_transformer(struct sb_pass *p, float *tokens2, float *tokens3, struct sb_deltas *d)
{
	const struct sb_track_net *net = p->net;
	int64_t floats = p->rows * SB_TRACK_HIDDEN;
	float *xv, *v, *y;

	sb_backend_stage(p->be, "track.transformer");
	SB_TRY(sb_pass_get(p, floats + SB_TRACK_VIRTUAL * p->t * SB_TRACK_HIDDEN, &xv));
	v = xv + floats;
	SB_TRY(sb_pass_linear(
	        p, tokens2, p->rows, &net->input_transform, (struct sb_out_place){ .y = xv }, SB_ACT_NONE));
	sb_pass_put(p, tokens2);
	SB_TRY(sb_pass_get(p, floats, &y));
	SB_TRY(sb_pass_linear(
	        p, tokens3, p->rows, &net->input_transform, (struct sb_out_place){ .y = y }, SB_ACT_NONE));
	sb_pass_put(p, tokens3);
	SB_TRY(sb_pass_repeat(p, net->virtual_tracks, v, SB_TRACK_VIRTUAL, SB_TRACK_HIDDEN));
	for (int j = 0; j < SB_TRACK_DEPTH; j++) {
		if (j == 0)
			sb_pass_tap(p, "time_blocks.0.in0", p->iteration, xv,
			        floats + SB_TRACK_VIRTUAL * p->t * SB_TRACK_HIDDEN);
		SB_TRY(over_time(p, &net->time2[j], xv, p->n + SB_TRACK_VIRTUAL));
		if (j == 0) {
			sb_pass_tap(p, "time_blocks.0.out0", p->iteration, xv,
			        floats + SB_TRACK_VIRTUAL * p->t * SB_TRACK_HIDDEN);
			sb_pass_tap(p, "time_blocks_new.0.in0", p->iteration, y, floats);
		}
		SB_TRY(over_time(p, &net->time3[j], y, p->n));
		if (j == 0)
			sb_pass_tap(p, "time_blocks_new.0.out0", p->iteration, y, floats);
		SB_TRY(space_round(p, j, xv, y, v));
	}
	SB_TRY(sb_pass_get(p, p->rows * 4, &d->d2));
	SB_TRY(sb_pass_get(p, p->rows * 4, &d->d3));
	SB_TRY(sb_pass_get(p, p->rows, &d->dp));
	SB_TRY(sb_pass_linear(
	        p, xv, p->rows, &net->flow_head, (struct sb_out_place){ .y = d->d2, .ld = 4 }, SB_ACT_NONE));
	SB_TRY(sb_pass_linear(
	        p, xv, p->rows, &net->vis_conf_head, (struct sb_out_place){ .y = d->d2 + 2, .ld = 4 }, SB_ACT_NONE));
	SB_TRY(sb_pass_linear(p, y, p->rows, &net->point_head, (struct sb_out_place){ .y = d->d3 }, SB_ACT_NONE));
	SB_TRY(sb_pass_linear(p, y, p->rows, &net->pro_head, (struct sb_out_place){ .y = d->dp }, SB_ACT_NONE));
	sb_pass_put(p, y);
	sb_pass_put(p, xv);
	sb_pass_tap(p, "updateformer3D.out0", p->iteration, d->d2, p->rows * 4);
	sb_pass_tap(p, "updateformer3D.point_head", p->iteration, d->d3, p->rows * 4);
	sb_pass_tap(p, "updateformer3D.out3", p->iteration, d->dp, p->rows);
	return SB_OK;
}
