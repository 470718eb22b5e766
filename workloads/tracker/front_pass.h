/*
 * What the two forms of a pass share: front.c, with buffers of its own, and front_modules.c, with buffers that come and
 * go as those of a framework's modules do. Shapes as in front_internal.h.
 */
#ifndef SB_FRONT_PASS_H
#define SB_FRONT_PASS_H

#include "front_internal.h"

#include "sb_backend.h"

#include <math.h>

/* Frames a chunk of the DPT head, as the reference: bounds its memory, frames are independent. */
#define DPT_CHUNK 8

#define SB_FRONT_HEAD_EPS 1e-5f /* of the norms of queries and keys */

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

static inline enum sb_status get(struct pass *p, int64_t floats, float **out)
{
	void *mem;

	TRY(sb_device_alloc(p->be, (size_t)floats * sizeof(float), &mem, p->err));
	*out = mem;
	return SB_OK;
}

static inline void put(struct pass *p, float *ptr)
{
	sb_device_free(p->be, ptr);
}

static inline void tap(struct pass *p, const char *name, int index, const float *data, int64_t n)
{
	if (p->tap)
		p->tap->fn(p->tap->ctx, name, index, data, n);
}

/* y = residual + gamma * act(x W^T + b), dense rows except where ldx says otherwise. */
static inline enum sb_status linear(struct pass *p, const float *x, int64_t rows, const struct sb_linear_weight *l,
        float *y, enum sb_act act, const float *gamma, const float *residual)
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

static inline enum sb_status layer_norm(
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

static inline const float *shifted(const float *at, size_t bytes)
{
	return at ? (const float *)((const char *)at + bytes) : NULL;
}

/* The block as it lies so many bytes further on. */
static inline struct sb_block_weight shifted_block(const struct sb_block_weight *b, size_t bytes)
{
	struct sb_block_weight out = *b;
	const float **all[] = { &out.norm1.w, &out.norm1.b, &out.norm2.w, &out.norm2.b, &out.q_norm.w, &out.q_norm.b,
		&out.k_norm.w, &out.k_norm.b, &out.qkv.w, &out.qkv.b, &out.proj.w, &out.proj.b, &out.fc1.w, &out.fc1.b,
		&out.fc2.w, &out.fc2.b, &out.ls1, &out.ls2 };

	for (size_t i = 0; i < SB_ARRAY_LEN(all); i++)
		*all[i] = shifted(*all[i], bytes);
	return out;
}

/* The weights of the block where they are now: a layer from the host may have to arrive first. */
static inline enum sb_status enter_block(struct pass *p, const struct sb_block_weight *b, struct sb_block_weight *here)
{
	size_t shift = 0;

	if (b->layer >= 0)
		TRY(sb_stream_enter(&p->net->stream, p->visit, b->layer, &shift, p->err));
	*here = shifted_block(b, shift);
	return SB_OK;
}

static inline enum sb_status leave_block(struct pass *p, const struct sb_block_weight *b)
{
	return b->layer >= 0 ? sb_stream_leave(&p->net->stream, p->visit++, p->err) : SB_OK;
}

/* offload=layers: the first blocks are on their way. */
static inline enum sb_status start_blocks(struct pass *p)
{
	return p->net->by_parts ? SB_OK : sb_stream_start(&p->net->stream, p->err);
}

/* offload=model: its weights come before a model's work, and make room for the next one's behind it. */
static inline enum sb_status enter_part(struct pass *p, enum sb_front_part part)
{
	const struct sb_layer_stream *s = &p->net->stream;
	size_t shift; /* 0: one slot */

	if (!p->net->by_parts)
		return SB_OK;
	if (part == SB_FRONT_BACKBONE)
		TRY(sb_stream_start(s, p->err));
	return s->layers[part].streamed ? sb_stream_enter(s, p->visit, (int)part, &shift, p->err) : SB_OK;
}

static inline enum sb_status leave_part(struct pass *p, enum sb_front_part part)
{
	const struct sb_layer_stream *s = &p->net->stream;

	return p->net->by_parts && s->layers[part].streamed ? sb_stream_leave(s, p->visit++, p->err) : SB_OK;
}

/* Norms and RoPE of queries and keys, in place in qkv [rows, 3 dim]; nothing where the block has none. */
static inline enum sb_status turn_heads(struct pass *p, const struct sb_block_weight *b, float *qkv, int64_t rows)
{
	int64_t dim = b->qkv.in;
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
		.dim = (int)(dim / b->heads),
		.eps = SB_FRONT_HEAD_EPS,
	};

	return b->q_norm.w ? SB_SUBMIT(p->be, QK_NORM_ROPE, qk_norm_rope, a, p->err) : SB_OK;
}

/* qkv [batch, len, 3 dim] -> o [batch, len, dim] */
static inline enum sb_status attention(
        struct pass *p, const struct sb_block_weight *b, const float *qkv, int64_t batch, int64_t len, float *o)
{
	int64_t dim = b->qkv.in, head_dim = dim / b->heads;
	struct sb_attention_strides in = { len * 3 * dim, head_dim, 3 * dim }, out = { len * dim, head_dim, dim };
	struct sb_attention_args a = {
		.q = qkv,
		.k = qkv + dim,
		.v = qkv + 2 * dim,
		.o = o,
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

	return SB_SUBMIT(p->be, ATTENTION, attention, a, p->err);
}

/* ---- steps of both -------------------------------------------------------------------------------------------- */

/* src as uploaded -> image [frames, h, w, 3] of 0..255 */
static inline enum sb_status resize_frames(
        struct pass *p, const struct sb_front_input *in, const void *src, float *image)
{
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

	return SB_SUBMIT(p->be, FRAMES_RESIZE, frames_resize, r, p->err);
}

/* To mean 0 and standard deviation 1, as the network was trained; in place if normal is image. */
static inline enum sb_status normalise(
        struct pass *p, const struct sb_front_input *in, const float *image, float *normal)
{
	static const double mean[3] = { 0.485, 0.456, 0.406 }, std[3] = { 0.229, 0.224, 0.225 };
	struct sb_channel_affine_args n = { .x = image, .y = normal, .n = p->frames * p->h * p->w };

	for (int c = 0; c < 3; c++) {
		n.scale[c] = (float)(1.0 / (255.0 * std[c]));
		if (in->perturb)
			n.scale[c] = nextafterf(n.scale[c], INFINITY);
		n.offset[c] = (float)(-mean[c] / std[c]);
	}
	return SB_SUBMIT(p->be, CHANNEL_AFFINE, channel_affine, n, p->err);
}

/* image [frames, h, w, 3] -> out [frames, patches, dim] */
static inline enum sb_status embed_patches(struct pass *p, const float *image, float *out)
{
	const struct sb_front_net *net = p->net;
	struct sb_conv_args a = {
		.x = image,
		.y = out,
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

	return SB_SUBMIT(p->be, CONV, conv, a, p->err);
}

/* DINOv2's last norm, of the patches alone; x and out [frames, tokens, dim]. */
static inline enum sb_status normalise_patches(struct pass *p, const float *x, float *out)
{
	const struct sb_front_net *net = p->net;
	int64_t dim = net->cfg.dim, frame = p->tokens * dim, offset = SB_FRONT_SPECIAL * dim;
	struct sb_layer_norm_args a = {
		.x = x + offset,
		.y = out + offset,
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

	return SB_SUBMIT(p->be, LAYER_NORM, layer_norm, a, p->err);
}

static inline enum sb_status assemble(
        struct pass *p, const float *x, const float *pos, const float *specials, float *out)
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

/* dst[:, half*dim ..] = x: one half of a pair's concatenation. */
static inline enum sb_status keep_half(struct pass *p, const float *x, float *pair, int half)
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

/* ---- camera head --------------------------------------------------------------------------------------------- */

struct cameras {
	float *enc, *w2c, *c2w, *k; /* device, one block that begins at enc */
};

/* last_pair [frames, tokens, 2 dim] -> poses; c->enc is the caller's to free. */
enum sb_status sb_front_cameras(struct pass *p, const float *last_pair, struct cameras *c);

/* ---- maps ---------------------------------------------------------------------------------------------------- */

/* An image stack on the device, channels last. */
struct map {
	float *x;
	int64_t n, h, w, c;
};

/* What a convolution makes of `in`; not allocated. */
static inline struct map conv_shape(const struct map *in, const struct sb_conv_weight *cw, int stride)
{
	int pad = cw->k / 2;

	return (struct map){ NULL, in->n, (in->h + 2 * pad - cw->k) / stride + 1,
		(in->w + 2 * pad - cw->k) / stride + 1, cw->cout };
}

static inline enum sb_status get_map(struct pass *p, struct map *m)
{
	return get(p, m->n * m->h * m->w * m->c, &m->x);
}

/* Into `out`, which conv_shape() shaped and get_map() allocated. */
static inline enum sb_status conv_into(struct pass *p, const struct map *in, const struct sb_conv_weight *cw,
        int stride, struct sb_conv_args extra, const struct map *out)
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

static inline enum sb_status conv(struct pass *p, const struct map *in, const struct sb_conv_weight *cw, int stride,
        struct sb_conv_args extra, struct map *out)
{
	*out = conv_shape(in, cw, stride);
	TRY(get_map(p, out));
	return conv_into(p, in, cw, stride, extra, out);
}

/* The patch tokens of frames [first, first + out->n) of a pair, normalised. */
static inline enum sb_status level_tokens(struct pass *p, const float *pair, int64_t first, const struct map *out)
{
	const struct sb_depth_weight *d = &p->net->depth;
	int64_t dim = out->c;
	struct sb_layer_norm_args a = {
		.x = pair + (first * p->tokens + SB_FRONT_SPECIAL) * dim,
		.y = out->x,
		.weight = d->norm.w,
		.bias = d->norm.b,
		.batch = out->n,
		.rows = p->patches,
		.dim = dim,
		.x_batch = p->tokens * dim,
		.x_row = dim,
		.y_batch = p->patches * dim,
		.y_row = dim,
		.eps = 1e-5f,
	};

	return SB_SUBMIT(p->be, LAYER_NORM, layer_norm, a, p->err);
}

static inline struct map transposed_shape(const struct map *in, const struct sb_conv_weight *cw)
{
	return (struct map){ NULL, in->n, in->h * cw->k, in->w * cw->k, cw->cout };
}

static inline enum sb_status conv_transpose_into(
        struct pass *p, const struct map *in, const struct sb_conv_weight *cw, const struct map *out)
{
	struct sb_conv_transpose_args t = {
		.x = in->x,
		.y = out->x,
		.w = cw->w,
		.bias = cw->b,
		.n = in->n,
		.h = in->h,
		.width = in->w,
		.cin = in->c,
		.cout = cw->cout,
		.k = cw->k,
	};

	return SB_SUBMIT(p->be, CONV_TRANSPOSE, conv_transpose, t, p->err);
}

/* `out` has its size and its memory. */
static inline enum sb_status resize_into(struct pass *p, const struct map *in, const struct map *out)
{
	struct sb_resize_bilinear_args a = { .x = in->x,
		.y = out->x,
		.n = in->n,
		.h = in->h,
		.w = in->w,
		.c = in->c,
		.out_h = out->h,
		.out_w = out->w };

	return SB_SUBMIT(p->be, RESIZE_BILINEAR, resize_bilinear, a, p->err);
}

/* two [n, h, w, 2] -> depth and confidence of as many frames */
static inline enum sb_status depth_out(struct pass *p, const struct map *two, float *depth, float *conf)
{
	struct sb_depth_out_args a = { .x = two->x, .depth = depth, .conf = conf, .n = two->n * two->h * two->w };

	return SB_SUBMIT(p->be, DEPTH_OUT, depth_out, a, p->err);
}

static inline enum sb_status unproject(struct pass *p, const float *depth, const struct cameras *c, float *points)
{
	struct sb_unproject_args a = {
		.depth = depth, .k = c->k, .points = points, .frames = p->frames, .h = p->h, .w = p->w
	};

	return SB_SUBMIT(p->be, UNPROJECT, unproject, a, p->err);
}

static inline enum sb_status add_position(struct pass *p, struct map *m, const struct sb_position_code *code)
{
	struct sb_add_position_args a = {
		.x = m->x, .u = code->u, .v = code->v, .n = m->n, .h = m->h, .w = m->w, .c = m->c
	};

	return SB_SUBMIT(p->be, ADD_POSITION, add_position, a, p->err);
}

static inline enum sb_status download(struct pass *p, float *dst, const float *src, int64_t floats)
{
	struct sb_transfer_args a = { dst, src, (size_t)floats * sizeof(float) };

	return SB_SUBMIT(p->be, DOWNLOAD, download, a, p->err);
}

static inline enum sb_status download_all(struct pass *p, const float *depth, const float *conf, const float *points,
        const struct cameras *c, const struct sb_front_outputs *out)
{
	int64_t pixels = p->frames * p->h * p->w;

	TRY(download(p, out->depth, depth, pixels));
	TRY(download(p, out->conf, conf, pixels));
	TRY(download(p, out->points, points, pixels * 3));
	TRY(download(p, out->pose_enc, c->enc, p->frames * 9));
	TRY(download(p, out->w2c, c->w2c, p->frames * 16));
	TRY(download(p, out->c2w, c->c2w, p->frames * 16));
	return download(p, out->k, c->k, p->frames * 9);
}

/* ---- the two forms ---------------------------------------------------------------------------------------------- */

/* The whole pass, in front_modules.c. */
enum sb_status sb_front_run_as_modules(struct pass *p, const struct sb_front_input *in, struct sb_front_outputs *out);

#endif
