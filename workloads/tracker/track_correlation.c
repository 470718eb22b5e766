/* Both correlations of an iteration, and their query side, made once a window (4.5). */
#include "track_pass.h"

/* Rows (track, frame) a tile of the neighbour attention: its widest buffer is 16 x 512 floats a row, 64 MiB in all. */
#define TILE_ROWS 2048

static float level_scale(int l)
{
	return 1.0f / (float)(1 << l);
}

/* [d | f] of `rows` x 16 neighbours -> corr_xyz_mlp([rel_pos_mlp(pe12(d)) | f]); d and both are freed. et: or NULL. */
static enum sb_status neighbour_tokens(struct sb_pass *p, float *d, float *both, int64_t rows, float *out, float **et)
{
	int64_t n = rows * SB_NEIGHBOURS;
	float *code, *e;

	SB_TRY(sb_pass_get(p, n * 75, &code));
	SB_TRY(sb_pass_posenc(p, d, n, 3, 12, code, 75));
	sb_pass_tap(p, et ? "rel_pos_mlp.in.track" : "rel_pos_mlp.in.query", p->iteration, code, n * 75);
	sb_pass_put(p, d);
	SB_TRY(sb_pass_get(p, n * 128, &e));
	SB_TRY(sb_pass_mlp(p, code, n, &p->net->rel_pos, (struct sb_out_place){ .y = e }));
	sb_pass_put(p, code);
	sb_pass_tap(p, et ? "rel_pos_mlp.out.track" : "rel_pos_mlp.out.query", p->iteration, e, n * 128);
	SB_TRY(sb_pass_copy(p, e, n, 128, 128, both, 256));
	if (et)
		*et = e;
	else
		sb_pass_put(p, e);
	sb_pass_tap(p, et ? "corr_xyz_mlp.in.track" : "corr_xyz_mlp.in.query", p->iteration, both, n * 256);
	SB_TRY(sb_pass_mlp(p, both, n, &p->net->corr_xyz, (struct sb_out_place){ .y = out }));
	sb_pass_put(p, both);
	sb_pass_tap(p, et ? "corr_xyz_mlp.out.track" : "corr_xyz_mlp.out.query", p->iteration, out, n * 128);
	return SB_OK;
}

/* Patches of the carried tracks are those they were first asked for; the others' are sampled where their query is. */
static enum sb_status query_patches(struct sb_pass *p, int l)
{
	struct sb_pass_level *v = &p->level[l];
	int64_t old = p->in->n_carried, fresh = p->n - old, patch = SB_PATCH * SB_TRACK_FEATURES;
	float *xy;

	SB_TRY(sb_pass_get(p, p->n * patch, &v->query));
	SB_TRY(sb_pass_get(p, p->n * SB_PATCH * 3, &v->points));
	if (old) {
		SB_TRY(sb_pass_copy(p, p->carry->level[l].query, old, patch, patch, v->query, patch));
		SB_TRY(sb_pass_box_map(p, p->carry->level[l].points, v->points, old * SB_PATCH, 0));
	}
	SB_TRY(sb_pass_get(p, fresh * 2, &xy));
	/* query pixels; the features are at a quarter of them */
	SB_TRY(sb_pass_copy(p, p->q + old * 3 + 1, fresh, 2, 3, xy, 2));
	struct sb_patch_sample_args a = {
		.map = v->map,
		.xy = xy,
		.frame = p->frame + old,
		.out = v->query + old * patch,
		.n = fresh,
		.frames = p->t,
		.h = v->h,
		.w = v->w,
		.c = SB_TRACK_FEATURES,
		.scale = 0.25f * level_scale(l),
	};
	SB_TRY(SB_SUBMIT(p->be, PATCH_SAMPLE, patch_sample, a, p->err));
	a.map = v->pmap;
	a.out = v->points + old * SB_PATCH * 3;
	a.c = 3;
	SB_TRY(SB_SUBMIT(p->be, PATCH_SAMPLE, patch_sample, a, p->err));
	sb_pass_put(p, xy);
	sb_pass_tap(p, "query.patches", l, v->query, p->n * patch);
	return SB_OK;
}

enum sb_status sb_pass_query_side(struct sb_pass *p, int l)
{
	struct sb_pass_level *v = &p->level[l];
	const struct sb_track_block *cross = &p->net->pointformer.cross;
	int64_t tokens = p->n * SB_NEIGHBOURS;
	float *d, *both, *xn;

	SB_TRY(query_patches(p, l));
	SB_TRY(sb_pass_get(p, tokens * 3, &d));
	SB_TRY(sb_pass_get(p, tokens * 256, &both));
	struct sb_neighbours_args b = {
		.patches = v->query,
		.points = v->points,
		.out_d = d,
		.out_f = both + 128,
		.n = p->n,
		.frames = 1,
		.c = SB_TRACK_FEATURES,
		.ldf = 256,
	};
	SB_TRY(SB_SUBMIT(p->be, NEIGHBOURS, neighbours, b, p->err));
	SB_TRY(sb_pass_get(p, tokens * 128, &v->q_x));
	SB_TRY(neighbour_tokens(p, d, both, p->n, v->q_x, NULL));
	SB_TRY(sb_pass_get(p, tokens * 128, &xn));
	SB_TRY(sb_pass_layer_norm(p, v->q_x, xn, tokens, 128, NULL));
	SB_TRY(sb_pass_get(p, tokens * 128, &v->q_q));
	SB_TRY(sb_pass_linear(p, xn, tokens, &cross->q, (struct sb_out_place){ .y = v->q_q }, SB_ACT_NONE));
	sb_pass_put(p, xn);
	return SB_OK;
}

static enum sb_status correlation(struct sb_pass *p, int l, float *tokens)
{
	struct sb_pass_level *v = &p->level[l];
	const struct sb_mlp_weight *m = &p->net->corr;
	float *hidden, *column = tokens + 2 + 256 * l;
	struct sb_corr_args a = {
		.map = v->map,
		.uv = p->uv,
		.query = v->query,
		.w = m->fc1.w,
		.bias = m->fc1.b,
		.n = p->n,
		.frames = p->t,
		.h = v->h,
		.width = v->w,
		.c = SB_TRACK_FEATURES,
		.out = m->fc1.out,
		.ldw = m->fc1.in,
		.ldy = m->fc1.out,
		.scale = level_scale(l),
	};

	SB_TRY(sb_pass_get(p, p->rows * m->fc1.out, &hidden));
	a.y = hidden;
	/* The volume itself is never stored: whoever wants to see it gets what it is made of. */
	sb_pass_tap(p, "corr.args", p->iteration * SB_TRACK_LEVELS + l, (const float *)(const void *)&a, 0);
	SB_TRY(SB_SUBMIT(p->be, CORR, corr, a, p->err));
	SB_TRY(sb_pass_linear(
	        p, hidden, p->rows, &m->fc2, (struct sb_out_place){ .y = column, .ld = SB_TRACK_TOKEN2 }, SB_ACT_NONE));
	sb_pass_put(p, hidden);
	sb_pass_tap(
	        p, "corr_mlp.out", p->iteration * SB_TRACK_LEVELS + l, column, (p->rows - 1) * SB_TRACK_TOKEN2 + 256);
	return SB_OK;
}

static enum sb_status group_mean(struct sb_pass *p, const float *x, int64_t rows, int64_t c, float *y)
{
	struct sb_group_mean_args a = { .x = x, .y = y, .rows = rows, .group = SB_NEIGHBOURS, .c = c, .ldy = c };

	return SB_SUBMIT(p->be, GROUP_MEAN, group_mean, a, p->err);
}

/*
 * g = mean over the 16 of Cross(xblock1_2; fq, ft), for tracks first .. first + n of a level; the mean is taken before
 * the linear fc2. ft [n t 16, 128] -> g [n t, 128].
 */
static enum sb_status cross_mean(
        struct sb_pass *p, const struct sb_pass_level *v, int64_t first, int64_t n, const float *ft, float *g)
{
	const struct sb_track_block *b = &p->net->pointformer.cross;
	int64_t rows = n * p->t, tokens = rows * SB_NEIGHBOURS, len = SB_NEIGHBOURS * 128, head = 128 / SB_TRACK_HEADS;
	float *x, *q, *kv, *cn, *hidden, *mean;

	SB_TRY(sb_pass_get(p, tokens * 128, &cn));
	SB_TRY(sb_pass_layer_norm(p, ft, cn, tokens, 128, &b->norm_context));
	SB_TRY(sb_pass_get(p, tokens * 256, &kv));
	SB_TRY(sb_pass_linear(p, cn, tokens, &b->kv, (struct sb_out_place){ .y = kv }, SB_ACT_NONE));
	SB_TRY(sb_pass_get(p, tokens * 128, &q));
	SB_TRY(sb_pass_repeat(p, v->q_q + first * len, q, n, len));
	struct sb_attention_args a = {
		.q = q,
		.k = kv,
		.v = kv + 128,
		.o = cn,
		.qs = { len, head, 128 },
		.ks = { 2 * len, head, 256 },
		.vs = { 2 * len, head, 256 },
		.os = { len, head, 128 },
		.batch = rows,
		.heads = SB_TRACK_HEADS,
		.lq = SB_NEIGHBOURS,
		.lk = SB_NEIGHBOURS,
		.dim = (int)head,
		.scale = b->scale,
	};
	SB_TRY(SB_SUBMIT(p->be, ATTENTION, attention, a, p->err));
	sb_pass_put(p, q);
	sb_pass_put(p, kv);
	SB_TRY(sb_pass_get(p, tokens * 128, &x));
	SB_TRY(sb_pass_repeat(p, v->q_x + first * len, x, n, len));
	SB_TRY(sb_pass_linear(p, cn, tokens, &b->out, (struct sb_out_place){ .y = x, .residual = x }, SB_ACT_NONE));
	SB_TRY(sb_pass_layer_norm(p, x, cn, tokens, 128, NULL));
	SB_TRY(sb_pass_get(p, tokens * b->fc1.out, &hidden));
	SB_TRY(sb_pass_linear(p, cn, tokens, &b->fc1, (struct sb_out_place){ .y = hidden }, SB_ACT_GELU_TANH));
	sb_pass_put(p, cn);
	SB_TRY(sb_pass_get(p, rows * b->fc1.out, &mean));
	SB_TRY(group_mean(p, hidden, rows, b->fc1.out, mean));
	sb_pass_put(p, hidden);
	SB_TRY(group_mean(p, x, rows, 128, g));
	sb_pass_put(p, x);
	SB_TRY(sb_pass_linear(p, mean, rows, &b->fc2, (struct sb_out_place){ .y = g, .residual = g }, SB_ACT_NONE));
	sb_pass_put(p, mean);
	return SB_OK;
}

/* Tracks first .. first + n of level l: the 3-D correlation into its columns of the 3-D tokens. */
static enum sb_status neighbour_tile(struct sb_pass *p, int l, int64_t first, int64_t n, float *tokens)
{
	struct sb_pass_level *v = &p->level[l];
	int64_t rows = n * p->t, wide = rows * SB_NEIGHBOURS, row0 = first * p->t;
	float *d, *both, *ft, *et, *g, *y, *column = tokens + row0 * SB_TRACK_TOKEN3 + 2 + 256 * l;
	struct sb_sequences one = { rows, 1, SB_NEIGHBOURS, 1, 1, SB_NEIGHBOURS, 1 };

	SB_TRY(sb_pass_get(p, wide * 3, &d));
	SB_TRY(sb_pass_get(p, wide * 256, &both));
	struct sb_neighbours_args a = {
		.map = v->map,
		.pmap = v->pmap,
		.uv = p->uv + row0 * 2,
		.centre = p->X + row0 * 3,
		.out_d = d,
		.out_f = both + 128,
		.n = n,
		.frames = p->t,
		.h = v->h,
		.w = v->w,
		.c = SB_TRACK_FEATURES,
		.ldf = 256,
		.scale = level_scale(l),
	};
	SB_TRY(SB_SUBMIT(p->be, NEIGHBOURS, neighbours, a, p->err));
	SB_TRY(sb_pass_get(p, wide * 128, &ft));
	SB_TRY(neighbour_tokens(p, d, both, rows, ft, &et));
	SB_TRY(sb_pass_get(p, rows * 128, &g));
	SB_TRY(cross_mean(p, v, first, n, ft, g));
	struct sb_add_args sum = {
		.a = ft, .b = et, .y = ft, .rows = wide, .cols = 128, .lda = 128, .ldb = 128, .ldy = 128
	};
	SB_TRY(SB_SUBMIT(p->be, ADD, add, sum, p->err));
	sb_pass_put(p, et);
	SB_TRY(sb_pass_attend(p, &p->net->pointformer.aggr, g, rows, ft, wide, &one));
	sb_pass_put(p, ft);
	SB_TRY(sb_pass_get(p, rows * 256, &y));
	SB_TRY(sb_pass_linear(p, g, rows, &p->net->pointformer.out_proj, (struct sb_out_place){ .y = y }, SB_ACT_NONE));
	sb_pass_put(p, g);
	sb_pass_tap(p, "corr_transformer.out", p->iteration * SB_TRACK_LEVELS + l, y, rows * 256);
	SB_TRY(sb_pass_mlp(
	        p, y, rows, &p->net->corr_depth, (struct sb_out_place){ .y = column, .ld = SB_TRACK_TOKEN3 }));
	sb_pass_put(p, y);
	sb_pass_tap(p, "corr_depth_mlp.out", p->iteration * SB_TRACK_LEVELS + l, column,
	        (rows - 1) * SB_TRACK_TOKEN3 + 256);
	struct sb_depth_mask_args m = {
		.x = column, .X = p->X + row0 * 3, .rows = rows, .c = 256, .ldx = SB_TRACK_TOKEN3, .box = p->box
	};
	return SB_SUBMIT(p->be, DEPTH_MASK, depth_mask, m, p->err);
}

enum sb_status sb_pass_correlations(struct sb_pass *p, float *tokens2, float *tokens3)
{
	int64_t tile = TILE_ROWS / p->t > 0 ? TILE_ROWS / p->t : 1;

	sb_backend_stage(p->be, "track.correlation");
	for (int l = 0; l < SB_TRACK_LEVELS; l++)
		SB_TRY(correlation(p, l, tokens2));
	sb_backend_stage(p->be, "track.neighbours");
	for (int l = 0; l < SB_TRACK_LEVELS; l++)
		for (int64_t first = 0; first < p->n; first += tile)
			SB_TRY(neighbour_tile(p, l, first, p->n - first < tile ? p->n - first : tile, tokens3));
	return SB_OK;
}
