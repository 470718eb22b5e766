#include "front_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Frames a chunk of the DPT head, as the reference: bounds its memory, frames are independent. */
#define DPT_CHUNK 8

/* What every step needs; err is set by the first failure. */
struct pass {
	struct sb_backend *be;
	const struct sb_front_net *net;
	const struct sb_front_tap *tap;
	struct sb_error *err;
	int64_t frames, h, w, ph, pw, patches, tokens; /* tokens = a frame's */
	int visit;                                     /* of the stream: the next */
};

#define TRY(call)                             \
	do {                                  \
		enum sb_status try_ = (call); \
		if (try_)                     \
			return try_;          \
	} while (0)

static enum sb_status get(struct pass *p, int64_t floats, float **out)
{
	void *mem;

	TRY(sb_device_alloc(p->be, (size_t)floats * sizeof(float), &mem, p->err));
	*out = mem;
	return SB_OK;
}

static void put(struct pass *p, float *ptr)
{
	sb_device_free(p->be, ptr);
}

static void tap(struct pass *p, const char *name, int index, const float *data, int64_t n)
{
	if (p->tap)
		p->tap->fn(p->tap->ctx, name, index, data, n);
}

/* y = residual + gamma * act(x W^T + b), dense rows except where ldx says otherwise. */
static enum sb_status linear(struct pass *p, const float *x, int64_t rows, const struct sb_linear_weight *l, float *y,
        enum sb_act act, const float *gamma, const float *residual)
{
	struct sb_linear_args a = {
		.x = x,
		.w = l->w,
		.bias = l->b,
		.gamma = gamma,
		.residual = residual,
		.y = y,
		.rows = rows,
		.in = l->in,
		.out = l->out,
		.ldx = l->in,
		.ldw = l->in,
		.ldr = l->out,
		.ldy = l->out,
		.act = act,
	};

	return SB_SUBMIT(p->be, LINEAR, linear, a, p->err);
}

static enum sb_status layer_norm(
        struct pass *p, const float *x, float *y, int64_t rows, int64_t dim, const struct sb_norm_weight *n, float eps)
{
	struct sb_layer_norm_args a = {
		.x = x,
		.y = y,
		.weight = n->w,
		.bias = n->b,
		.batch = 1,
		.rows = rows,
		.dim = dim,
		.x_row = dim,
		.y_row = dim,
		.eps = eps,
	};

	return SB_SUBMIT(p->be, LAYER_NORM, layer_norm, a, p->err);
}

static const float *shifted(const float *at, size_t bytes)
{
	return at ? (const float *)((const char *)at + bytes) : NULL;
}

/* The block as it lies so many bytes further on. */
static struct sb_block_weight shifted_block(const struct sb_block_weight *b, size_t bytes)
{
	struct sb_block_weight out = *b;
	const float **all[] = { &out.norm1.w, &out.norm1.b, &out.norm2.w, &out.norm2.b, &out.q_norm.w, &out.q_norm.b,
		&out.k_norm.w, &out.k_norm.b, &out.qkv.w, &out.qkv.b, &out.proj.w, &out.proj.b, &out.fc1.w, &out.fc1.b,
		&out.fc2.w, &out.fc2.b, &out.ls1, &out.ls2 };

	for (size_t i = 0; i < SB_ARRAY_LEN(all); i++)
		*all[i] = shifted(*all[i], bytes);
	return out;
}

/*
 * A transformer block over `batch` sequences of `len` tokens, in place on x [batch*len, dim]:
 * x += gamma1 * Attn(LN(x)); x += gamma2 * MLP(LN(x)). RoPE and q/k norms when the block has them.
 */
static enum sb_status block_at(
        struct pass *p, const struct sb_block_weight *b, float *x, int64_t batch, int64_t len, float eps)
{
	int64_t dim = b->qkv.in, rows = batch * len, head_dim = dim / b->heads;
	struct sb_attention_strides in = { len * 3 * dim, head_dim, 3 * dim }, out = { len * dim, head_dim, dim };
	float *h, *qkv, *hidden;

	TRY(get(p, rows * dim, &h));
	TRY(layer_norm(p, x, h, rows, dim, &b->norm1, eps));
	TRY(get(p, rows * 3 * dim, &qkv));
	TRY(linear(p, h, rows, &b->qkv, qkv, SB_ACT_NONE, NULL, NULL));
	if (b->q_norm.w) {
		struct sb_qk_norm_rope_args a = {
			.q = qkv,
			.k = qkv + dim,
			.q_weight = b->q_norm.w,
			.q_bias = b->q_norm.b,
			.k_weight = b->k_norm.w,
			.k_bias = b->k_norm.b,
			.rope = p->net->rope,
			.tokens = rows,
			.row = 3 * dim,
			.frame_tokens = p->tokens,
			.special = SB_FRONT_SPECIAL,
			.grid_w = p->pw,
			.heads = b->heads,
			.dim = (int)head_dim,
			.eps = eps,
		};
		TRY(SB_SUBMIT(p->be, QK_NORM_ROPE, qk_norm_rope, a, p->err));
	}
	struct sb_attention_args a = {
		.q = qkv,
		.k = qkv + dim,
		.v = qkv + 2 * dim,
		.o = h,
		.qs = in,
		.ks = in,
		.vs = in,
		.os = out,
		.batch = batch,
		.heads = b->heads,
		.lq = len,
		.lk = len,
		.dim = (int)head_dim,
		.scale = b->scale,
	};
	TRY(SB_SUBMIT(p->be, ATTENTION, attention, a, p->err));
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
	const struct sb_layer_stream *s = &p->net->stream;
	struct sb_block_weight here;
	size_t shift;

	if (b->layer < 0)
		return block_at(p, b, x, batch, len, eps);
	TRY(sb_stream_enter(s, p->visit, b->layer, &shift, p->err));
	here = shifted_block(b, shift);
	TRY(block_at(p, &here, x, batch, len, eps));
	return sb_stream_leave(s, p->visit++, p->err);
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
	struct sb_frames_resize_args r = {
		.src = src,
		.dst = image,
		.n = p->frames,
		.h = in->h,
		.w = in->w,
		.full_h = in->geo.full_h,
		.full_w = in->geo.full_w,
		.crop_y = in->geo.crop_y,
		.crop_x = in->geo.crop_x,
		.out_h = p->h,
		.out_w = p->w,
	};
	TRY(SB_SUBMIT(p->be, FRAMES_RESIZE, frames_resize, r, p->err));
	sb_device_free(p->be, src);
	tap(p, "image", 0, image, pixels * 3);
	float *normal = image;
	if (in->keep) {
		in->keep->video = image;
		TRY(get(p, pixels * 3, &normal));
	}
	struct sb_channel_affine_args n = { .x = image, .y = normal, .n = pixels };
	static const double mean[3] = { 0.485, 0.456, 0.406 }, std[3] = { 0.229, 0.224, 0.225 };
	for (int c = 0; c < 3; c++) {
		n.scale[c] = (float)(1.0 / (255.0 * std[c]));
		if (in->perturb)
			n.scale[c] = nextafterf(n.scale[c], INFINITY);
		n.offset[c] = (float)(-mean[c] / std[c]);
	}
	TRY(SB_SUBMIT(p->be, CHANNEL_AFFINE, channel_affine, n, p->err));
	*out = normal;
	return SB_OK;
}

/* image [frames, h, w, 3] (freed) -> patch embedding [frames, patches, dim] */
static enum sb_status patch_embed(struct pass *p, float *image, float **out)
{
	const struct sb_front_net *net = p->net;
	struct sb_conv_args a = {
		.x = image,
		.w = net->patch.w,
		.bias = net->patch.b,
		.n = p->frames,
		.h = p->h,
		.width = p->w,
		.cin = 3,
		.cout = net->cfg.dim,
		.kh = 14,
		.kw = 14,
		.stride = 14,
	};

	sb_backend_stage(p->be, "front.patch");
	TRY(get(p, p->frames * p->patches * net->cfg.dim, out));
	a.y = *out;
	TRY(SB_SUBMIT(p->be, CONV, conv, a, p->err));
	put(p, image);
	return SB_OK;
}

static enum sb_status assemble(struct pass *p, const float *x, const float *pos, const float *specials, float *out)
{
	struct sb_tokens_args a = {
		.x = x,
		.pos = pos,
		.specials = specials,
		.out = out,
		.frames = p->frames,
		.special = SB_FRONT_SPECIAL,
		.patches = p->patches,
		.dim = p->net->cfg.dim,
	};

	return SB_SUBMIT(p->be, TOKENS, tokens, a, p->err);
}

/* patches (freed) -> aggregator tokens [frames, tokens, dim], the patch part filled with DINOv2's normalised output */
static enum sb_status dino(struct pass *p, float *patches, float **out)
{
	const struct sb_front_net *net = p->net;
	int64_t dim = net->cfg.dim, frame = p->tokens * dim, offset = SB_FRONT_SPECIAL * dim;
	float *x;

	sb_backend_stage(p->be, "front.dino");
	TRY(sb_stream_start(&net->stream, p->err));
	TRY(get(p, p->frames * frame, &x));
	TRY(assemble(p, patches, net->pos, net->dino_specials, x));
	put(p, patches);
	for (int i = 0; i < net->cfg.vit_depth; i++)
		TRY(block(p, &net->dino[i], x, p->frames, p->tokens, 1e-6f));
	TRY(get(p, p->frames * frame, out));
	struct sb_layer_norm_args a = {
		.x = x + offset,
		.y = *out + offset,
		.weight = net->dino_norm.w,
		.bias = net->dino_norm.b,
		.batch = p->frames,
		.rows = p->patches,
		.dim = dim,
		.x_batch = frame,
		.x_row = dim,
		.y_batch = frame,
		.y_row = dim,
		.eps = 1e-6f,
	};
	TRY(SB_SUBMIT(p->be, LAYER_NORM, layer_norm, a, p->err));
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

/* dst[:, half*dim ..] = x: one half of a pair's concatenation. */
static enum sb_status keep_half(struct pass *p, const float *x, float *pair, int half)
{
	int64_t dim = p->net->cfg.dim;
	struct sb_copy2d_args a = {
		.src = x,
		.dst = pair + half * dim,
		.rows = p->frames * p->tokens,
		.cols = dim,
		.ld_src = dim,
		.ld_dst = 2 * dim,
	};

	return SB_SUBMIT(p->be, COPY2D, copy2d, a, p->err);
}

/* x (freed) -> pairs[4], each [frames, tokens, 2 dim] */
static enum sb_status aggregator(struct pass *p, float *x, float *pairs[4])
{
	const struct sb_front_net *net = p->net;
	int64_t n = p->frames * p->tokens * net->cfg.dim;

	sb_backend_stage(p->be, "front.aggregator");
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
	put(p, x);
	return SB_OK;
}

/* ---- camera head --------------------------------------------------------------------------------------------- */

struct cameras {
	float *enc, *w2c, *c2w, *k; /* device, one block that begins at enc */
};

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

static enum sb_status camera_head(struct pass *p, const float *last_pair, struct cameras *c)
{
	const struct sb_camera_weight *cam = &p->net->camera;
	int64_t t = p->frames, dim = cam->embed.out;
	float *z, *pose;

	sb_backend_stage(p->be, "front.camera");
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
	return SB_OK;
}

/* ---- DPT depth head ------------------------------------------------------------------------------------------ */

/* An image stack on the device, channels last. */
struct map {
	float *x;
	int64_t n, h, w, c;
};

/* What a convolution makes of `in`; not allocated. */
static struct map conv_shape(const struct map *in, const struct sb_conv_weight *cw, int stride)
{
	int pad = cw->k / 2;

	return (struct map){ NULL, in->n, (in->h + 2 * pad - cw->k) / stride + 1,
		(in->w + 2 * pad - cw->k) / stride + 1, cw->cout };
}

static enum sb_status get_map(struct pass *p, struct map *m)
{
	return get(p, m->n * m->h * m->w * m->c, &m->x);
}

/* Into `out`, which conv_shape() shaped and get_map() allocated. */
static enum sb_status conv_into(struct pass *p, const struct map *in, const struct sb_conv_weight *cw, int stride,
        struct sb_conv_args extra, const struct map *out)
{
	struct sb_conv_args a = extra;

	a.x = in->x;
	a.y = out->x;
	a.w = cw->w;
	a.bias = cw->b;
	a.n = in->n;
	a.h = in->h;
	a.width = in->w;
	a.cin = in->c;
	a.cout = cw->cout;
	a.kh = a.kw = cw->k;
	a.stride = stride;
	a.pad = cw->k / 2;
	return SB_SUBMIT(p->be, CONV, conv, a, p->err);
}

static enum sb_status conv(struct pass *p, const struct map *in, const struct sb_conv_weight *cw, int stride,
        struct sb_conv_args extra, struct map *out)
{
	*out = conv_shape(in, cw, stride);
	TRY(get_map(p, out));
	return conv_into(p, in, cw, stride, extra, out);
}

static enum sb_status upsample(struct pass *p, struct map *m, int64_t h, int64_t w)
{
	struct map out = { NULL, m->n, h, w, m->c };
	struct sb_resize_bilinear_args a = {
		.x = m->x, .n = m->n, .h = m->h, .w = m->w, .c = m->c, .out_h = h, .out_w = w
	};

	TRY(get(p, out.n * h * w * out.c, &out.x));
	a.y = out.x;
	TRY(SB_SUBMIT(p->be, RESIZE_BILINEAR, resize_bilinear, a, p->err));
	put(p, m->x);
	*m = out;
	return SB_OK;
}

static enum sb_status add_position(struct pass *p, struct map *m, const struct sb_position_code *code)
{
	struct sb_add_position_args a = {
		.x = m->x, .u = code->u, .v = code->v, .n = m->n, .h = m->h, .w = m->w, .c = m->c
	};

	return SB_SUBMIT(p->be, ADD_POSITION, add_position, a, p->err);
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
	struct sb_layer_norm_args a = {
		.x = pair + (first * p->tokens + SB_FRONT_SPECIAL) * dim,
		.y = tokens.x,
		.weight = d->norm.w,
		.bias = d->norm.b,
		.batch = n,
		.rows = p->patches,
		.dim = dim,
		.x_batch = p->tokens * dim,
		.x_row = dim,
		.y_batch = p->patches * dim,
		.y_row = dim,
		.eps = 1e-5f,
	};
	TRY(SB_SUBMIT(p->be, LAYER_NORM, layer_norm, a, p->err));
	TRY(conv(p, &tokens, &d->project[k], 1, (struct sb_conv_args){ 0 }, &x));
	put(p, tokens.x);
	TRY(add_position(p, &x, &d->project_code[k]));
	if (k < 2) {
		const struct sb_conv_weight *cw = &d->resize[k];
		struct sb_conv_transpose_args t = {
			.x = x.x,
			.w = cw->w,
			.bias = cw->b,
			.n = n,
			.h = x.h,
			.width = x.w,
			.cin = x.c,
			.cout = cw->cout,
			.k = cw->k,
		};

		y = (struct map){ NULL, n, x.h * cw->k, x.w * cw->k, cw->cout };
		TRY(get(p, n * y.h * y.w * y.c, &y.x));
		t.y = y.x;
		TRY(SB_SUBMIT(p->be, CONV_TRANSPOSE, conv_transpose, t, p->err));
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
	struct sb_depth_out_args a = {
		.x = t.x, .depth = depth + first * pixels, .conf = conf + first * pixels, .n = n * pixels
	};
	TRY(SB_SUBMIT(p->be, DEPTH_OUT, depth_out, a, p->err));
	put(p, t.x);
	return SB_OK;
}

static enum sb_status depth_head(
        struct pass *p, float *const pairs[4], const struct cameras *c, float *depth, float *conf, float *points)
{
	sb_backend_stage(p->be, "front.depth");
	for (int64_t first = 0; first < p->frames; first += DPT_CHUNK) {
		int64_t n = p->frames - first < DPT_CHUNK ? p->frames - first : DPT_CHUNK;

		TRY(dpt_chunk(p, pairs, first, n, depth, conf));
	}
	struct sb_unproject_args a = {
		.depth = depth, .k = c->k, .points = points, .frames = p->frames, .h = p->h, .w = p->w
	};
	return SB_SUBMIT(p->be, UNPROJECT, unproject, a, p->err);
}

/* ---- the whole pass ------------------------------------------------------------------------------------------ */

static enum sb_status download(struct pass *p, float *dst, const float *src, int64_t floats)
{
	struct sb_transfer_args a = { dst, src, (size_t)floats * sizeof(float) };

	return SB_SUBMIT(p->be, DOWNLOAD, download, a, p->err);
}

static enum sb_status run(struct pass *p, const struct sb_front_input *in, struct sb_front_outputs *out)
{
	int64_t pixels = p->frames * p->h * p->w;
	float *x, *tokens, *pairs[4], *depth, *conf, *points;
	struct cameras c;

	TRY(preprocess(p, in, &x));
	TRY(patch_embed(p, x, &x));
	TRY(dino(p, x, &tokens));
	TRY(aggregator(p, tokens, pairs));
	TRY(camera_head(p, pairs[3], &c));
	TRY(get(p, pixels, &depth));
	TRY(get(p, pixels, &conf));
	TRY(get(p, pixels * 3, &points));
	TRY(depth_head(p, pairs, &c, depth, conf, points));
	for (int k = 3; k >= 0; k--)
		put(p, pairs[k]);

	sb_backend_stage(p->be, "front.output");
	TRY(download(p, out->depth, depth, pixels));
	TRY(download(p, out->conf, conf, pixels));
	TRY(download(p, out->points, points, pixels * 3));
	TRY(download(p, out->pose_enc, c.enc, p->frames * 9));
	TRY(download(p, out->w2c, c.w2c, p->frames * 16));
	TRY(download(p, out->c2w, c.c2w, p->frames * 16));
	TRY(download(p, out->k, c.k, p->frames * 9));
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
	return run(&p, in, out);
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
