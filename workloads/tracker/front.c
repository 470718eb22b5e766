#include "front_pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * A transformer block over `batch` sequences of `len` tokens, in place on x [batch*len, dim]:
 * x += gamma1 * Attn(LN(x)); x += gamma2 * MLP(LN(x)). RoPE and q/k norms when the block has them.
 */
static enum sb_status block_at(
        struct pass *p, const struct sb_block_weight *b, float *x, int64_t batch, int64_t len, float eps)
{
	int64_t dim = b->qkv.in, rows = batch * len;
	float *h, *qkv, *hidden;

	TRY(get(p, rows * dim, &h));
	TRY(layer_norm(p, x, h, rows, dim, &b->norm1, eps));
	TRY(get(p, rows * 3 * dim, &qkv));
	TRY(linear(p, h, rows, &b->qkv, qkv, SB_ACT_NONE, NULL, NULL));
	TRY(turn_heads(p, b, qkv, rows));
	TRY(attention(p, b, qkv, batch, len, h));
	put(p, qkv);
	TRY(linear(p, h, rows, &b->proj, x, SB_ACT_NONE, b->ls1, x));
	TRY(layer_norm(p, x, h, rows, dim, &b->norm2, eps));
	TRY(get(p, rows * b->fc1.out, &hidden));
	TRY(linear(p, h, rows, &b->fc1, hidden, SB_ACT_GELU_ERF, NULL, NULL));
	put(p, h);
	TRY(linear(p, hidden, rows, &b->fc2, x, SB_ACT_NONE, b->ls2, x));
	put(p, hidden);
	return SB_OK;
}

/* The same wherever its weights are. */
static enum sb_status block(
        struct pass *p, const struct sb_block_weight *b, float *x, int64_t batch, int64_t len, float eps)
{
	struct sb_block_weight here;

	TRY(enter_block(p, b, &here));
	TRY(block_at(p, &here, x, batch, len, eps));
	return leave_block(p, b);
}

/* ---- preprocessing and DINOv2: frames -> normalised patch tokens -------------------------------------------- */

static enum sb_status preprocess(struct pass *p, const struct sb_front_input *in, float **out)
{
	int64_t pixels = p->frames * p->h * p->w;
	size_t bytes = (size_t)(p->frames * in->h * in->w * 3);
	float *image;
	void *src;

	sb_backend_stage(p->be, "front.preprocess");
	TRY(sb_device_alloc(p->be, bytes, &src, p->err));
	TRY(SB_SUBMIT(p->be, UPLOAD, upload, ((struct sb_transfer_args){ src, in->rgb, bytes }), p->err));
	TRY(get(p, pixels * 3, &image));
	TRY(resize_frames(p, in, src, image));
	sb_device_free(p->be, src);
	tap(p, "image", 0, image, pixels * 3);
	float *normal = image;
	if (in->keep) {
		in->keep->video = image;
		TRY(get(p, pixels * 3, &normal));
	}
	TRY(normalise(p, in, image, normal));
	*out = normal;
	return SB_OK;
}

/* image [frames, h, w, 3] (freed) -> patch embedding [frames, patches, dim] */
static enum sb_status patch_embed(struct pass *p, float *image, float **out)
{
	sb_backend_stage(p->be, "front.patch");
	TRY(enter_part(p, SB_FRONT_BACKBONE));
	TRY(get(p, p->frames * p->patches * p->net->cfg.dim, out));
	TRY(embed_patches(p, image, *out));
	put(p, image);
	return SB_OK;
}

/* patches (freed) -> aggregator tokens [frames, tokens, dim], the patch part filled with DINOv2's normalised output */
static enum sb_status dino(struct pass *p, float *patches, float **out)
{
	const struct sb_front_net *net = p->net;
	int64_t frame = p->tokens * net->cfg.dim;
	float *x;

	sb_backend_stage(p->be, "front.dino");
	TRY(start_blocks(p));
	TRY(get(p, p->frames * frame, &x));
	TRY(assemble(p, patches, net->pos, net->dino_specials, x));
	put(p, patches);
	for (int i = 0; i < net->cfg.vit_depth; i++)
		TRY(block(p, &net->dino[i], x, p->frames, p->tokens, 1e-6f));
	TRY(get(p, p->frames * frame, out));
	TRY(normalise_patches(p, x, *out));
	TRY(leave_part(p, SB_FRONT_BACKBONE));
	put(p, x);
	return SB_OK;
}

/* ---- aggregator: frame and global blocks in turn ------------------------------------------------------------- */

/* Which of the four kept pairs is pair i, or -1. */
static int kept_pair(const struct sb_front_config *cfg, int i)
{
	for (int k = 0; k < 4; k++)
		if (cfg->idx[k] == i)
			return k;
	return -1;
}

/* x (freed) -> pairs[4], each [frames, tokens, 2 dim] */
static enum sb_status aggregator(struct pass *p, float *x, float *pairs[4])
{
	const struct sb_front_net *net = p->net;
	int64_t n = p->frames * p->tokens * net->cfg.dim;

	sb_backend_stage(p->be, "front.aggregator");
	TRY(enter_part(p, SB_FRONT_AGGREGATOR));
	TRY(assemble(p, NULL, NULL, net->specials, x));
	tap(p, "aggregator_input", 0, x, n);
	for (int i = 0; i < net->cfg.depth; i++) {
		int k = kept_pair(&net->cfg, i);

		TRY(block(p, &net->frame[i], x, p->frames, p->tokens, 1e-5f));
		tap(p, "aggregated_frame", i, x, n);
		if (k >= 0) {
			TRY(get(p, 2 * n, &pairs[k]));
			TRY(keep_half(p, x, pairs[k], 0));
		}
		TRY(block(p, &net->global[i], x, 1, p->frames * p->tokens, 1e-5f));
		tap(p, "aggregated_global", i, x, n);
		if (k >= 0)
			TRY(keep_half(p, x, pairs[k], 1));
	}
	TRY(leave_part(p, SB_FRONT_AGGREGATOR));
	put(p, x);
	return SB_OK;
}

/* ---- camera head --------------------------------------------------------------------------------------------- */

static enum sb_status decode(struct pass *p, const float *pose, const struct cameras *c)
{
	struct sb_pose_decode_args a = {
		.p = pose,
		.enc = c->enc,
		.w2c = c->w2c,
		.c2w = c->c2w,
		.k = c->k,
		.frames = p->frames,
		.height = p->h,
		.width = p->w,
	};

	return SB_SUBMIT(p->be, POSE_DECODE, pose_decode, a, p->err);
}

/* One refinement: pose (in place) from z [frames, 2 dim]; the first time the pose replaces the start value. */
static enum sb_status camera_iteration(struct pass *p, const float *z, float *pose, bool first)
{
	const struct sb_camera_weight *cam = &p->net->camera;
	int64_t t = p->frames, dim = cam->embed.out;
	float *e, *mod, *h, *hidden;

	TRY(get(p, t * dim, &e));
	TRY(linear(p, pose, t, &cam->embed, e, SB_ACT_SILU, NULL, NULL));
	TRY(get(p, t * 3 * dim, &mod));
	TRY(linear(p, e, t, &cam->modulation, mod, SB_ACT_NONE, NULL, NULL));
	put(p, e);
	TRY(get(p, t * dim, &h));
	struct sb_layer_norm_args a = {
		.x = z,
		.y = h,
		.mod = mod,
		.batch = 1,
		.rows = t,
		.dim = dim,
		.x_row = dim,
		.y_row = dim,
		.ld_mod = 3 * dim,
		.eps = 1e-6f,
	};
	TRY(SB_SUBMIT(p->be, LAYER_NORM, layer_norm, a, p->err));
	put(p, mod);
	for (int i = 0; i < p->net->cfg.trunk; i++)
		TRY(block(p, &cam->trunk[i], h, 1, t, 1e-5f));
	TRY(layer_norm(p, h, h, t, dim, &cam->trunk_norm, 1e-5f));
	TRY(get(p, t * cam->fc1.out, &hidden));
	TRY(linear(p, h, t, &cam->fc1, hidden, SB_ACT_GELU_ERF, NULL, NULL));
	put(p, h);
	TRY(linear(p, hidden, t, &cam->fc2, pose, SB_ACT_NONE, NULL, first ? NULL : pose));
	put(p, hidden);
	return SB_OK;
}

enum sb_status sb_front_cameras(struct pass *p, const float *last_pair, struct cameras *c)
{
	const struct sb_camera_weight *cam = &p->net->camera;
	int64_t t = p->frames, dim = cam->embed.out;
	float *z, *pose;

	sb_backend_stage(p->be, "front.camera");
	TRY(enter_part(p, SB_FRONT_CAMERA));
	TRY(get(p, t * (9 + 16 + 16 + 9), &c->enc));
	c->w2c = c->enc + t * 9;
	c->c2w = c->w2c + t * 16;
	c->k = c->c2w + t * 16;
	TRY(get(p, t * dim, &z));
	struct sb_layer_norm_args a = {
		.x = last_pair,
		.y = z,
		.weight = cam->token_norm.w,
		.bias = cam->token_norm.b,
		.batch = t,
		.rows = 1,
		.dim = dim,
		.x_batch = p->tokens * dim,
		.x_row = dim,
		.y_batch = dim,
		.y_row = dim,
		.eps = 1e-5f,
	};
	TRY(SB_SUBMIT(p->be, LAYER_NORM, layer_norm, a, p->err));
	TRY(get(p, t * 9, &pose));
	struct sb_copy2d_args start = { .src = cam->empty_pose, .dst = pose, .rows = t, .cols = 9, .ld_dst = 9 };
	TRY(SB_SUBMIT(p->be, COPY2D, copy2d, start, p->err));
	for (int i = 0; i < SB_FRONT_CAMERA_ITERATIONS; i++) {
		TRY(camera_iteration(p, z, pose, i == 0));
		if (p->tap || i + 1 == SB_FRONT_CAMERA_ITERATIONS) /* only the last is used */
			TRY(decode(p, pose, c));
		tap(p, "pose_enc", i, c->enc, t * 9);
	}
	put(p, pose);
	put(p, z);
	return leave_part(p, SB_FRONT_CAMERA);
}

/* ---- DPT depth head ------------------------------------------------------------------------------------------ */

static enum sb_status upsample(struct pass *p, struct map *m, int64_t h, int64_t w)
{
	struct map out = { NULL, m->n, h, w, m->c };

	TRY(get(p, out.n * h * w * out.c, &out.x));
	TRY(resize_into(p, m, &out));
	put(p, m->x);
	*m = out;
	return SB_OK;
}

/* m := relu(m) + conv2(relu(conv1(relu(m)))) + more. The skip adds relu(m), not m (in-place ReLU of the reference). */
static enum sb_status residual_unit(struct pass *p, struct map *m, const struct sb_rcu_weight *u, const float *more)
{
	struct map t, y;

	TRY(conv(p, m, &u->conv1, 1, (struct sb_conv_args){ .relu_in = 1, .relu_out = 1 }, &t));
	TRY(conv(p, &t, &u->conv2, 1, (struct sb_conv_args){ .residual = m->x, .residual_relu = 1, .residual2 = more },
	        &y));
	put(p, t.x);
	put(p, m->x);
	*m = y;
	return SB_OK;
}

/* Level k of frames [first, first + n): patch tokens of pair k -> `feat` channels at 4x, 2x, 1x, half the patch grid.
 */
static enum sb_status dpt_level(struct pass *p, int k, const float *pair, int64_t first, int64_t n, struct map *out)
{
	const struct sb_depth_weight *d = &p->net->depth;
	int64_t dim = 2 * p->net->cfg.dim;
	struct map tokens = { NULL, n, p->ph, p->pw, dim }, x, y;

	TRY(get(p, n * p->patches * dim, &tokens.x));
	TRY(level_tokens(p, pair, first, &tokens));
	TRY(conv(p, &tokens, &d->project[k], 1, (struct sb_conv_args){ 0 }, &x));
	put(p, tokens.x);
	TRY(add_position(p, &x, &d->project_code[k]));
	if (k < 2) {
		y = transposed_shape(&x, &d->resize[k]);
		TRY(get_map(p, &y));
		TRY(conv_transpose_into(p, &x, &d->resize[k], &y));
		put(p, x.x);
		x = y;
	} else if (k == 3) {
		TRY(conv(p, &x, &d->resize[2], 2, (struct sb_conv_args){ 0 }, &y));
		put(p, x.x);
		x = y;
	}
	TRY(conv(p, &x, &d->rn[k], 1, (struct sb_conv_args){ 0 }, out));
	put(p, x.x);
	return SB_OK;
}

/* Frames [first, first + n): pairs -> depth and confidence at h x w, written at their place. */
static enum sb_status dpt_chunk(
        struct pass *p, float *const pairs[4], int64_t first, int64_t n, float *depth, float *conf)
{
	const struct sb_depth_weight *d = &p->net->depth;
	struct map level[4], o, t;

	for (int k = 0; k < 4; k++)
		TRY(dpt_level(p, k, pairs[k], first, n, &level[k]));
	o = level[3];
	for (int k = 3; k >= 0; k--) {
		if (k < 3) { /* o := o + RCU1(level k) */
			TRY(residual_unit(p, &level[k], &d->refine[k].rcu1, o.x));
			put(p, o.x);
			o = level[k];
		}
		TRY(residual_unit(p, &o, &d->refine[k].rcu2, NULL));
		TRY(conv(
		        p, &o, &d->refine[k].out, 1, (struct sb_conv_args){ 0 }, &t)); /* before `up`: see sb_front.h */
		put(p, o.x);
		o = t;
		if (k)
			TRY(upsample(p, &o, level[k - 1].h, level[k - 1].w));
	}
	/* The result is allocated before the doubled map it comes of: behind it, the next map, the largest of all,
	 * would fit neither into the hole that the doubled map leaves nor next to it, and a growing segment would hold
	 * both. */
	struct map doubled = { NULL, o.n, 2 * o.h, 2 * o.w, o.c };
	t = conv_shape(&doubled, &d->out1, 1);
	TRY(get_map(p, &t));
	TRY(upsample(p, &o, doubled.h, doubled.w));
	TRY(conv_into(p, &o, &d->out1, 1, (struct sb_conv_args){ 0 }, &t));
	put(p, o.x);
	TRY(upsample(p, &t, p->h, p->w));
	TRY(add_position(p, &t, &d->out_code));
	TRY(conv(p, &t, &d->out2, 1, (struct sb_conv_args){ .relu_out = 1 }, &o));
	put(p, t.x);
	TRY(conv(p, &o, &d->out3, 1, (struct sb_conv_args){ 0 }, &t));
	put(p, o.x);
	int64_t pixels = p->h * p->w;
	TRY(depth_out(p, &t, depth + first * pixels, conf + first * pixels));
	put(p, t.x);
	return SB_OK;
}

static enum sb_status depth_head(
        struct pass *p, float *const pairs[4], const struct cameras *c, float *depth, float *conf, float *points)
{
	sb_backend_stage(p->be, "front.depth");
	TRY(enter_part(p, SB_FRONT_DEPTH));
	for (int64_t first = 0; first < p->frames; first += DPT_CHUNK) {
		int64_t n = p->frames - first < DPT_CHUNK ? p->frames - first : DPT_CHUNK;

		TRY(dpt_chunk(p, pairs, first, n, depth, conf));
	}
	TRY(leave_part(p, SB_FRONT_DEPTH));
	return unproject(p, depth, c, points);
}

/* ---- the whole pass ------------------------------------------------------------------------------------------ */

static enum sb_status run(struct pass *p, const struct sb_front_input *in, struct sb_front_outputs *out)
{
	int64_t pixels = p->frames * p->h * p->w;
	float *x, *tokens, *pairs[4], *depth, *conf, *points;
	struct cameras c;

	TRY(preprocess(p, in, &x));
	TRY(patch_embed(p, x, &x));
	TRY(dino(p, x, &tokens));
	TRY(aggregator(p, tokens, pairs));
	TRY(sb_front_cameras(p, pairs[3], &c));
	TRY(get(p, pixels, &depth));
	TRY(get(p, pixels, &conf));
	TRY(get(p, pixels * 3, &points));
	TRY(depth_head(p, pairs, &c, depth, conf, points));
	for (int k = 3; k >= 0; k--)
		put(p, pairs[k]);

	sb_backend_stage(p->be, "front.output");
	TRY(download_all(p, depth, conf, points, &c, out));
	put(p, points);
	if (in->keep) {
		in->keep->depth = depth;
		in->keep->conf = conf;
	} else {
		put(p, conf);
		put(p, depth);
	}
	put(p, c.enc);
	return SB_OK;
}

enum sb_status sb_front_run(struct sb_backend *be, const struct sb_front_net *net, const struct sb_front_input *in,
        struct sb_front_outputs *out, const struct sb_front_tap *tap_fn, struct sb_error *err)
{
	struct pass p = {
		.be = be,
		.net = net,
		.tap = tap_fn,
		.err = err,
		.frames = in->frames,
		.h = in->geo.out_h,
		.w = in->geo.out_w,
		.ph = in->geo.out_h / 14,
		.pw = in->geo.out_w / 14,
	};

	p.patches = p.ph * p.pw;
	p.tokens = p.patches + SB_FRONT_SPECIAL;
	if (p.h != net->h || p.w != net->w || out->frames != p.frames || out->h != p.h || out->w != p.w)
		SB_BUG("input, network and results are of different sizes");
	return in->as_modules ? sb_front_run_as_modules(&p, in, out) : run(&p, in, out);
}

/* The results of so many frames, in `block`. */
static struct sb_front_outputs lay_out(float *block, int64_t frames, int64_t h, int64_t w)
{
	int64_t pixels = frames * h * w;
	struct sb_front_outputs o = { .frames = frames, .h = h, .w = w, .depth = block };

	if (!block)
		return o;
	o.conf = o.depth + pixels;
	o.points = o.conf + pixels;
	o.pose_enc = o.points + 3 * pixels;
	o.w2c = o.pose_enc + 9 * frames;
	o.c2w = o.w2c + 16 * frames;
	o.k = o.c2w + 16 * frames;
	return o;
}

enum sb_status sb_front_outputs_init(
        struct sb_front_outputs *o, int64_t frames, int64_t h, int64_t w, struct sb_error *err)
{
	*o = lay_out(NULL, frames, h, w);
	*o = lay_out(calloc(sb_front_outputs_floats(o), sizeof(float)), frames, h, w);
	return o->depth ? SB_OK
	                : sb_fail(err, SB_E_NOMEM, "no memory for the results of %lld frames", (long long)frames);
}

struct sb_front_outputs sb_front_outputs_as(const struct sb_front_outputs *o, int64_t frames, int64_t h, int64_t w)
{
	struct sb_front_outputs view = lay_out(o->depth, frames, h, w);

	if (sb_front_outputs_floats(&view) > sb_front_outputs_floats(o))
		SB_BUG("results of %lld frames in the room of %lld", (long long)frames, (long long)o->frames);
	return view;
}

size_t sb_front_outputs_floats(const struct sb_front_outputs *o)
{
	return (size_t)(o->frames * (5 * o->h * o->w + 9 + 16 + 16 + 9));
}

void sb_front_outputs_release(struct sb_front_outputs *o)
{
	free(o->depth);
	*o = (struct sb_front_outputs){ 0 };
}
