/*
 * A pass whose buffers come and go as they do in PyTorch: every operation of a module has a result of its own, and what
 * a function's variables hold lives until it returns. The work is that of front.c, op for op; where one op of ours is
 * several of a framework's, the buffers between them are allocated, and what has to outlive them is copied on. Sizes
 * and order are those of a recorded trace (tests/data/traces/churn_default.txt.gz, which
 * tests/unit/test_front_requests.c holds this file against). Left out: what the framework's libraries take as
 * workspace, which ours take in their own way, its tables of a few KiB, and its camera head, whose buffers are small in
 * either form.
 */
#include "front_pass.h"

#define CHUNKS_MAX 16
#define FRAMES_MAX (CHUNKS_MAX * DPT_CHUNK)

/* A buffer that is there and nothing more: what the framework would have written it for is done by another op. */
static enum sb_status get_idle(struct pass *p, int64_t floats, float **out)
{
	return get(p, floats, out);
}

static enum sb_status copy(struct pass *p, const float *src, float *dst, int64_t rows, int64_t cols)
{
	struct sb_copy2d_args a = {
		.src = src, .dst = dst, .rows = rows, .cols = cols, .ld_src = cols, .ld_dst = cols
	};

	return SB_SUBMIT(p->be, COPY2D, copy2d, a, p->err);
}

/* *x moves on into a new buffer of the same size, its old one is freed: an operation whose work is done already. */
static enum sb_status move_on(struct pass *p, float **x, int64_t rows, int64_t cols)
{
	float *next;

	TRY(get(p, rows * cols, &next));
	TRY(copy(p, *x, next, rows, cols));
	put(p, *x);
	*x = next;
	return SB_OK;
}

static enum sb_status move_map_on(struct pass *p, struct map *m)
{
	return move_on(p, &m->x, m->n * m->h * m->w, m->c);
}

/* Means and deviations of a norm over so many rows: there while it runs. */
static enum sb_status statistics(struct pass *p, int64_t rows, float *freed_first)
{
	float *mean, *deviation;

	TRY(get_idle(p, rows, &mean));
	TRY(get_idle(p, rows, &deviation));
	if (freed_first)
		put(p, freed_first);
	put(p, mean);
	put(p, deviation);
	return SB_OK;
}

static enum sb_status norm(
        struct pass *p, const float *x, int64_t rows, int64_t dim, const struct sb_norm_weight *n, float eps, float **y)
{
	TRY(get(p, rows * dim, y));
	TRY(layer_norm(p, x, *y, rows, dim, n, eps));
	return statistics(p, rows, NULL);
}

/* ---- blocks --------------------------------------------------------------------------------------------------- */

/* Queries or keys [rows, dim] of their own, and their norm. */
static enum sb_status normed_heads(struct pass *p, const struct sb_block_weight *b, int64_t rows, float **out)
{
	float *heads;

	TRY(get_idle(p, rows * b->qkv.in, &heads));
	TRY(get_idle(p, rows * b->qkv.in, out));
	return statistics(p, rows * b->heads, heads);
}

/* Half of the channels times cosine plus the other half times sine, [rows, half] each. */
static enum sb_status turned_half(struct pass *p, const struct sb_block_weight *b, int64_t rows, float **out)
{
	int64_t half = rows * b->qkv.in / 2, table = half / b->heads;
	float *cosine, *sine, *first, *negative, *swapped, *second;

	TRY(get_idle(p, table, &cosine));
	TRY(get_idle(p, table, &sine));
	TRY(get_idle(p, half, &first));
	TRY(get_idle(p, half / 2, &negative));
	TRY(get_idle(p, half, &swapped));
	put(p, negative);
	TRY(get_idle(p, half, &second));
	put(p, swapped);
	TRY(get_idle(p, half, out));
	put(p, first);
	put(p, second);
	put(p, cosine);
	put(p, sine);
	return SB_OK;
}

/* *x [rows, dim] turned by rows and columns of its place. */
static enum sb_status turned(struct pass *p, const struct sb_block_weight *b, int64_t rows, float **x)
{
	float *vertical, *horizontal, *out;

	TRY(turned_half(p, b, rows, &vertical));
	TRY(turned_half(p, b, rows, &horizontal));
	TRY(get_idle(p, rows * b->qkv.in, &out));
	put(p, vertical);
	put(p, horizontal);
	put(p, *x);
	*x = out;
	return SB_OK;
}

/* *mid = x + gamma1 * Attn(LN(x)) */
static enum sb_status attend(struct pass *p, const struct sb_block_weight *b, const float *x, int64_t batch,
        int64_t len, float eps, float **mid)
{
	int64_t dim = b->qkv.in, rows = batch * len;
	float *normal, *qkv, *o, *q = NULL, *k = NULL;

	TRY(norm(p, x, rows, dim, &b->norm1, eps, &normal));
	TRY(get(p, 3 * rows * dim, &qkv));
	TRY(linear(p, normal, rows, &b->qkv, qkv, SB_ACT_NONE, NULL, NULL));
	TRY(turn_heads(p, b, qkv, rows));
	if (b->q_norm.w) {
		TRY(normed_heads(p, b, rows, &q));
		TRY(normed_heads(p, b, rows, &k));
		TRY(turned(p, b, rows, &q));
		TRY(turned(p, b, rows, &k));
	}
	TRY(get(p, rows * dim, &o));
	TRY(attention(p, b, qkv, batch, len, o));
	TRY(get(p, rows * dim, mid));
	TRY(linear(p, o, rows, &b->proj, *mid, SB_ACT_NONE, b->ls1, x));
	put(p, o);
	put(p, q);
	put(p, k);
	put(p, qkv);
	put(p, normal);
	TRY(move_on(p, mid, rows, dim));   /* times gamma */
	return move_on(p, mid, rows, dim); /* plus x */
}

/* *out = mid + gamma2 * MLP(LN(mid)); frees mid */
static enum sb_status expand(
        struct pass *p, const struct sb_block_weight *b, float *mid, int64_t rows, float eps, float **out)
{
	int64_t dim = b->qkv.in;
	float *normal, *before_gelu, *hidden;

	TRY(norm(p, mid, rows, dim, &b->norm2, eps, &normal));
	TRY(get_idle(p, rows * b->fc1.out, &before_gelu));
	TRY(get(p, rows * b->fc1.out, &hidden));
	TRY(linear(p, normal, rows, &b->fc1, hidden, SB_ACT_GELU_ERF, NULL, NULL));
	put(p, before_gelu);
	TRY(get(p, rows * dim, out));
	TRY(linear(p, hidden, rows, &b->fc2, *out, SB_ACT_NONE, b->ls2, mid));
	put(p, hidden);
	put(p, normal);
	TRY(move_on(p, out, rows, dim)); /* times gamma */
	TRY(move_on(p, out, rows, dim)); /* plus mid */
	put(p, mid);
	return SB_OK;
}

/* *out is x through the block; x stays the caller's. */
static enum sb_status block(struct pass *p, const struct sb_block_weight *b, const float *x, int64_t batch, int64_t len,
        float eps, float **out)
{
	struct sb_block_weight here;
	float *mid;

	TRY(enter_block(p, b, &here));
	TRY(attend(p, &here, x, batch, len, eps, &mid));
	TRY(expand(p, &here, mid, batch * len, eps, out));
	return leave_block(p, b);
}

/* ---- frames -> normalised patch tokens -------------------------------------------------------------------------- */

/* What lives from the frames to the end of the pass. */
struct held {
	float *video, *image;
	float *pairs[64]; /* of every frame and global block */
};

/* The clip as uploaded, each of its frames resized, all of them in one; *normal besides. */
static enum sb_status preprocess(struct pass *p, const struct sb_front_input *in, struct held *held, float **normal)
{
	int64_t frame = 3 * p->h * p->w, clip = p->frames * frame, bytes = p->frames * in->h * in->w * 3;
	int64_t video = bytes > clip * (int64_t)sizeof(float) ? (bytes + 3) / 4 : clip;
	float *again, *frames[FRAMES_MAX], *centred;

	sb_backend_stage(p->be, "front.preprocess");
	TRY(get(p, video, &held->video));
	TRY(SB_SUBMIT(
	        p->be, UPLOAD, upload, ((struct sb_transfer_args){ held->video, in->rgb, (size_t)bytes }), p->err));
	TRY(get_idle(p, clip, &again));
	for (int64_t f = 0; f < p->frames; f++)
		TRY(get_idle(p, frame, &frames[f]));
	TRY(get(p, clip, &held->image));
	TRY(resize_frames(p, in, held->video, held->image));
	for (int64_t f = p->frames - 1; f > 0; f--)
		put(p, frames[f - 1]);
	put(p, again);
	put(p, frames[p->frames - 1]);
	TRY(get_idle(p, clip, &centred));
	TRY(get(p, clip, normal));
	TRY(normalise(p, in, held->image, *normal));
	put(p, centred);
	return SB_OK;
}

/* The positional table for this grid: [1 + patches, dim] */
static enum sb_status positions(struct pass *p, float **out)
{
	int64_t dim = p->net->cfg.dim, side = p->net->cfg.img / 14;
	float *resized, *in_order, *table;

	TRY(get_idle(p, p->patches * dim, &resized));
	TRY(get_idle(p, p->patches * dim, &in_order));
	TRY(get_idle(p, side * side * dim, &table));
	put(p, table);
	put(p, in_order);
	TRY(get_idle(p, (1 + p->patches) * dim, out));
	put(p, resized);
	return SB_OK;
}

/* image -> *x [frames, tokens, dim], as DINOv2's first block has it */
static enum sb_status embed(struct pass *p, const float *image, float **x)
{
	const struct sb_front_net *net = p->net;
	int64_t dim = net->cfg.dim, rows = p->frames * p->patches, with_class = p->frames * (1 + p->patches);
	float *patches, *joined, *table, *placed;

	sb_backend_stage(p->be, "front.patch");
	TRY(enter_part(p, SB_FRONT_BACKBONE));
	TRY(get(p, rows * dim, &patches));
	TRY(embed_patches(p, image, patches));
	TRY(get(p, with_class * dim, &joined));
	TRY(copy(p, patches, joined, rows, dim));
	put(p, patches);
	TRY(positions(p, &table));
	TRY(get(p, with_class * dim, &placed));
	TRY(copy(p, joined, placed, rows, dim));
	put(p, table);
	put(p, joined);
	sb_backend_stage(p->be, "front.dino");
	TRY(get(p, p->frames * p->tokens * dim, x));
	TRY(assemble(p, placed, net->pos, net->dino_specials, *x));
	put(p, placed);
	return SB_OK;
}

/* *tokens [frames, tokens, dim], the patch part filled with DINOv2's normalised output */
static enum sb_status dino(struct pass *p, const float *image, float **tokens)
{
	const struct sb_front_net *net = p->net;
	float *x, *next;

	TRY(embed(p, image, &x));
	TRY(start_blocks(p));
	for (int i = 0; i < net->cfg.vit_depth; i++) {
		TRY(block(p, &net->dino[i], x, p->frames, p->tokens, 1e-6f, &next));
		put(p, x);
		x = next;
	}
	TRY(get(p, p->frames * p->tokens * net->cfg.dim, tokens));
	TRY(normalise_patches(p, x, *tokens));
	TRY(leave_part(p, SB_FRONT_BACKBONE));
	TRY(statistics(p, p->frames * p->tokens, NULL));
	put(p, x);
	return SB_OK;
}

/* ---- aggregator ------------------------------------------------------------------------------------------------- */

/* What the aggregator holds while its blocks run. */
struct places {
	float *camera, *registers, *special, *all;
};

/* Tokens of each frame, and where every token stands, as integers. */
static enum sb_status special_tokens(struct pass *p, const float *patches, struct places *at, float **x)
{
	int64_t dim = p->net->cfg.dim, rows = p->frames * p->tokens;
	float *grid, *shifted_grid;

	TRY(get_idle(p, p->frames * dim, &at->camera));
	TRY(get_idle(p, p->frames * (SB_FRONT_SPECIAL - 1) * dim, &at->registers));
	TRY(get(p, rows * dim, x));
	TRY(copy(p, patches, *x, rows, dim));
	TRY(assemble(p, NULL, NULL, p->net->specials, *x));
	TRY(get_idle(p, p->frames * p->patches * 4, &grid));
	TRY(get_idle(p, p->frames * p->patches * 4, &shifted_grid));
	put(p, grid);
	TRY(get_idle(p, p->frames * SB_FRONT_SPECIAL * 4, &at->special));
	TRY(get_idle(p, rows * 4, &at->all));
	put(p, shifted_grid);
	return SB_OK;
}

/* Pair i: both halves behind each other, for all of the pass. */
static enum sb_status keep_pair(struct pass *p, const float *frame, const float *global, float **pair)
{
	TRY(get(p, 2 * p->frames * p->tokens * p->net->cfg.dim, pair));
	TRY(keep_half(p, frame, *pair, 0));
	return keep_half(p, global, *pair, 1);
}

/* image and patches are freed at the end, as is all but the pairs */
static enum sb_status aggregator(struct pass *p, float *image, float *patches, struct held *held)
{
	const struct sb_front_net *net = p->net;
	float *x, *frame = NULL, *global = NULL, *next;
	struct places at;

	sb_backend_stage(p->be, "front.aggregator");
	TRY(enter_part(p, SB_FRONT_AGGREGATOR));
	TRY(special_tokens(p, patches, &at, &x));
	for (int i = 0; i < net->cfg.depth; i++) {
		TRY(block(p, &net->frame[i], i ? global : x, p->frames, p->tokens, 1e-5f, &next));
		put(p, i ? frame : x);
		frame = next;
		TRY(block(p, &net->global[i], frame, 1, p->frames * p->tokens, 1e-5f, &next));
		put(p, global);
		global = next;
		TRY(keep_pair(p, frame, global, &held->pairs[i]));
	}
	TRY(leave_part(p, SB_FRONT_AGGREGATOR));
	put(p, frame);
	put(p, image);
	put(p, patches);
	put(p, at.camera);
	put(p, at.registers);
	put(p, global);
	put(p, at.all);
	put(p, at.special);
	return SB_OK;
}

/* ---- DPT depth head --------------------------------------------------------------------------------------------- */

/* One axis of a position code: three tables in double, joined, then rounded. */
static enum sb_status code_axis(struct pass *p, int64_t pixels, int64_t c, float **out)
{
	float *angle, *sine, *cosine, *joined;

	TRY(get_idle(p, pixels * c / 2, &angle));
	TRY(get_idle(p, pixels * c / 2, &sine));
	TRY(get_idle(p, pixels * c / 2, &cosine));
	TRY(get_idle(p, pixels * c, &joined));
	TRY(get_idle(p, pixels * c / 2, out));
	put(p, angle);
	put(p, sine);
	put(p, cosine);
	put(p, joined);
	return SB_OK;
}

/* m plus its position code, in a buffer of its own. */
static enum sb_status placed(struct pass *p, struct map *m, const struct sb_position_code *code)
{
	int64_t pixels = m->h * m->w;
	float *grid, *u, *v, *joined, *scaled, *next;

	TRY(add_position(p, m, code));
	TRY(get_idle(p, pixels * 2, &grid));
	TRY(code_axis(p, pixels, m->c, &u));
	TRY(code_axis(p, pixels, m->c, &v));
	TRY(get_idle(p, pixels * m->c, &joined));
	put(p, u);
	put(p, v);
	put(p, grid);
	TRY(get_idle(p, pixels * m->c, &scaled));
	put(p, joined);
	TRY(get(p, m->n * pixels * m->c, &next));
	TRY(copy(p, m->x, next, m->n * pixels, m->c));
	put(p, scaled);
	put(p, m->x);
	m->x = next;
	return SB_OK;
}

/* Frames [first, first + n) of level k, before its 3x3 convolution. */
static enum sb_status level(struct pass *p, int k, const float *pair, int64_t first, int64_t n, struct map *out)
{
	const struct sb_depth_weight *d = &p->net->depth;
	struct map tokens = { NULL, n, p->ph, p->pw, 2 * p->net->cfg.dim }, x;
	float *slice;

	TRY(get_idle(p, n * p->patches * tokens.c, &slice));
	TRY(get_map(p, &tokens));
	TRY(level_tokens(p, pair, first, &tokens));
	TRY(statistics(p, n * p->patches, slice));
	TRY(conv(p, &tokens, &d->project[k], 1, (struct sb_conv_args){ 0 }, &x));
	put(p, tokens.x);
	TRY(placed(p, &x, &d->project_code[k]));
	*out = x;
	if (k == 2)
		return SB_OK;
	if (k == 3) {
		TRY(conv(p, &x, &d->resize[2], 2, (struct sb_conv_args){ 0 }, out));
		put(p, x.x);
		return SB_OK;
	}
	*out = transposed_shape(&x, &d->resize[k]);
	TRY(get_map(p, out));
	TRY(conv_transpose_into(p, &x, &d->resize[k], out));
	put(p, x.x);
	return SB_OK;
}

/* *out = relu(in) + conv2(relu(conv1(relu(in)))) + more, in a buffer of its own */
static enum sb_status residual_unit(
        struct pass *p, const struct map *in, const struct sb_rcu_weight *u, const float *more, struct map *out)
{
	struct map t;

	TRY(conv(p, in, &u->conv1, 1, (struct sb_conv_args){ .relu_in = 1, .relu_out = 1 }, &t));
	TRY(conv(p, &t, &u->conv2, 1, (struct sb_conv_args){ .residual = in->x, .residual_relu = 1, .residual2 = more },
	        out));
	put(p, t.x);
	return move_map_on(p, out); /* plus the skip */
}

/*
 * m through resize and 1x1 convolution. Ours convolves first, a quarter of the work with the same result; the small
 * map lies where the framework has the large one.
 */
static enum sb_status enlarged(
        struct pass *p, struct map *m, const struct sb_conv_weight *cw, int64_t h, int64_t w, struct map *between)
{
	struct map small = conv_shape(m, cw, 1), out = { NULL, m->n, h, w, cw->cout };

	*between = (struct map){ NULL, m->n, h, w, m->c };
	TRY(get_map(p, between));
	small.x = between->x;
	TRY(conv_into(p, m, cw, 1, (struct sb_conv_args){ 0 }, &small));
	put(p, m->x);
	TRY(get_map(p, &out));
	TRY(resize_into(p, &small, &out));
	*m = out;
	return SB_OK;
}

/* Level k joins *o, which becomes h x w. */
static enum sb_status fuse(struct pass *p, int k, struct map *o, struct map *here, int64_t h, int64_t w)
{
	const struct sb_depth_weight *d = &p->net->depth;
	struct map unit, sum, x = *here, between;

	if (k < 3) {
		TRY(residual_unit(p, here, &d->refine[k].rcu1, o->x, &unit));
		sum = unit;
		TRY(get_map(p, &sum));
		TRY(copy(p, unit.x, sum.x, unit.n * unit.h * unit.w, unit.c));
		TRY(residual_unit(p, &sum, &d->refine[k].rcu2, NULL, &x));
		put(p, sum.x);
	} else {
		TRY(residual_unit(p, here, &d->refine[k].rcu2, NULL, &x));
	}
	TRY(enlarged(p, &x, &d->refine[k].out, h, w, &between));
	put(p, between.x);
	if (k < 3) {
		put(p, unit.x);
		put(p, o->x);
	}
	put(p, here->x);
	*o = x;
	return SB_OK;
}

/* The fused map -> two channels of each pixel; frees the levels, but for the last. */
static enum sb_status finish(struct pass *p, struct map *o, struct map levels[4], struct map *two)
{
	const struct sb_depth_weight *d = &p->net->depth;
	struct map x, full = { NULL, o->n, p->h, p->w, 0 };

	TRY(conv(p, o, &d->out1, 1, (struct sb_conv_args){ 0 }, &x));
	put(p, o->x);
	for (int k = 2; k >= 0; k--)
		put(p, levels[k].x);
	full.c = x.c;
	TRY(get_map(p, &full));
	TRY(resize_into(p, &x, &full));
	put(p, x.x);
	TRY(placed(p, &full, &d->out_code));
	TRY(conv(p, &full, &d->out2, 1, (struct sb_conv_args){ .relu_out = 1 }, &x));
	TRY(conv(p, &x, &d->out3, 1, (struct sb_conv_args){ 0 }, two));
	put(p, x.x);
	put(p, full.x);
	return SB_OK;
}

/* Frames [first, first + n): *depth and *conf [n, h, w] */
static enum sb_status chunk(struct pass *p, float *const pairs[], int64_t first, int64_t n, float **depth, float **conf)
{
	const struct sb_front_net *net = p->net;
	struct map levels[4], thin[4], o = { 0 }, two;

	for (int k = 0; k < 4; k++)
		TRY(level(p, k, pairs[net->cfg.idx[k]], first, n, &levels[k]));
	for (int k = 0; k < 4; k++)
		TRY(conv(p, &levels[k], &net->depth.rn[k], 1, (struct sb_conv_args){ 0 }, &thin[k]));
	for (int k = 3; k >= 0; k--)
		TRY(fuse(p, k, &o, &thin[k], k ? thin[k - 1].h : 2 * thin[0].h, k ? thin[k - 1].w : 2 * thin[0].w));
	TRY(finish(p, &o, levels, &two));
	TRY(get(p, n * p->h * p->w, depth));
	TRY(get(p, n * p->h * p->w, conf));
	TRY(depth_out(p, &two, *depth, *conf));
	put(p, two.x);
	put(p, levels[3].x);
	return SB_OK;
}

/* All chunks in one. */
static enum sb_status joined(struct pass *p, float *const parts[], int n_parts, float *out)
{
	int64_t pixels = p->h * p->w;

	for (int c = 0; c < n_parts; c++) {
		int64_t first = (int64_t)c * DPT_CHUNK, left = p->frames - first;

		TRY(copy(p, parts[c], out + first * pixels, left < DPT_CHUNK ? left : DPT_CHUNK, pixels));
	}
	return SB_OK;
}

static enum sb_status depth_head(struct pass *p, float *const pairs[], float **depth, float **conf)
{
	int64_t pixels = p->h * p->w;
	float *depths[CHUNKS_MAX], *confs[CHUNKS_MAX];
	int n = 0;

	sb_backend_stage(p->be, "front.depth");
	TRY(enter_part(p, SB_FRONT_DEPTH));
	for (int64_t first = 0; first < p->frames; first += DPT_CHUNK, n++) {
		int64_t left = p->frames - first;

		TRY(chunk(p, pairs, first, left < DPT_CHUNK ? left : DPT_CHUNK, &depths[n], &confs[n]));
	}
	TRY(leave_part(p, SB_FRONT_DEPTH));
	*depth = depths[0];
	*conf = confs[0];
	if (n == 1)
		return SB_OK;
	TRY(get(p, p->frames * pixels, depth));
	TRY(get(p, p->frames * pixels, conf));
	TRY(joined(p, depths, n, *depth));
	TRY(joined(p, confs, n, *conf));
	for (int c = n - 1; c > 0; c--)
		put(p, depths[c - 1]);
	for (int c = n - 1; c > 0; c--)
		put(p, confs[c - 1]);
	put(p, depths[n - 1]); /* the loop's variables had the last */
	put(p, confs[n - 1]);
	return SB_OK;
}

/* ---- the whole pass --------------------------------------------------------------------------------------------- */

/* The points, and what they are made of on the way to the world and back; all but them and `world` is freed. */
struct world {
	float *points, *moved, *again, *z;
};

static enum sb_status point_maps(struct pass *p, const float *depth, const struct cameras *c, struct world *w)
{
	int64_t pixels = p->h * p->w, all = p->frames * pixels;
	float *column, *grid, *turned_points;

	TRY(get(p, 3 * all, &w->points));
	TRY(unproject(p, depth, c, w->points));
	TRY(get_idle(p, pixels, &column));
	TRY(get_idle(p, 3 * pixels, &grid));
	put(p, column);
	TRY(get_idle(p, 3 * all, &turned_points));
	TRY(get_idle(p, 3 * all, &w->moved));
	put(p, grid);
	put(p, turned_points);
	TRY(get_idle(p, 3 * all, &w->again));
	return get_idle(p, all, &w->z);
}

static void release(struct pass *p, const struct held *held, const struct world *w, float *depth, float *conf)
{
	put(p, held->image);
	for (int i = p->net->cfg.depth - 1; i >= 0; i--)
		put(p, held->pairs[i]);
	put(p, conf);
	put(p, w->moved);
	put(p, held->video);
	put(p, depth);
	put(p, w->z);
	put(p, w->points);
	put(p, w->again);
}

enum sb_status sb_front_run_as_modules(struct pass *p, const struct sb_front_input *in, struct sb_front_outputs *out)
{
	const struct sb_front_net *net = p->net;
	float *normal, *patches, *depth, *conf;
	struct held held;
	struct cameras c;
	struct world w;

	if (in->keep || p->tap || p->frames > FRAMES_MAX || (size_t)net->cfg.depth > SB_ARRAY_LEN(held.pairs))
		SB_BUG("a pass that cannot be made as modules do");
	TRY(preprocess(p, in, &held, &normal));
	TRY(dino(p, normal, &patches));
	TRY(aggregator(p, normal, patches, &held));
	TRY(sb_front_cameras(p, held.pairs[net->cfg.depth - 1], &c));
	TRY(depth_head(p, held.pairs, &depth, &conf));
	sb_backend_stage(p->be, "front.output");
	TRY(point_maps(p, depth, &c, &w));
	TRY(download_all(p, depth, conf, w.points, &c, out));
	release(p, &held, &w, depth, conf);
	put(p, c.enc);
	return SB_OK;
}
