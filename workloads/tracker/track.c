#include "track_internal.h"

#include <stdlib.h>
#include <string.h>

/* Rows (track, frame) a tile of the neighbour attention: its widest buffer is 16 x 512 floats a row, 64 MiB in all. */
#define TILE_ROWS 2048

struct pass {
	struct sb_backend *be;
	const struct sb_track_net *net;
	const struct sb_track_input *in;
	const struct sb_front_tap *tap;
	struct sb_error *err;
	int64_t n, t, rows; /* tracks, frames, tracks x frames */
	int64_t fh, fw;     /* features: working resolution / 4 */
	int iteration;

	/* a window's constants */
	struct level {
		float *map, *pmap; /* features [t, h, w, 128], normalised points [t, h, w, 3] */
		int64_t h, w;
		float *query;     /* [n, 49, 128] */
		float *q_x, *q_q; /* the query side: tokens [n, 16, 128] and their projected queries */
	} level[SB_TRACK_LEVELS];
	float *q, *z0, *u0, *p0, *rgb, *box, *time;
	float *k_m;    /* intrinsics at working resolution */
	float *pmap_r; /* point map at hr x wr */
	int32_t *frame;
	/* the state, track-major */
	float *uv, *z, *X, *vis, *conf, *dyn, *pro, *A, *px;
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

static void put(struct pass *p, void *ptr)
{
	sb_device_free(p->be, ptr);
}

static void tap(struct pass *p, const char *name, int index, const float *data, int64_t n)
{
	if (p->tap)
		p->tap->fn(p->tap->ctx, name, index, data, n);
}

/* ---- building blocks ----------------------------------------------------------------------------------------- */

struct out_place {
	float *y;
	int64_t ld;            /* 0: dense */
	const float *residual; /* dense, or NULL */
};

static enum sb_status linear(struct pass *p, const float *x, int64_t rows, const struct sb_linear_weight *l,
        struct out_place to, enum sb_act act)
{
	struct sb_linear_args a = {
		.x = x,
		.w = l->w,
		.bias = l->b,
		.residual = to.residual,
		.y = to.y,
		.rows = rows,
		.in = l->in,
		.out = l->out,
		.ldx = l->in,
		.ldw = l->in,
		.ldr = l->out,
		.ldy = to.ld ? to.ld : l->out,
		.act = act,
	};

	return SB_SUBMIT(p->be, LINEAR, linear, a, p->err);
}

/* y := fc2(act(fc1(x))) */
static enum sb_status mlp(
        struct pass *p, const float *x, int64_t rows, const struct sb_mlp_weight *m, struct out_place to)
{
	float *hidden;

	TRY(get(p, rows * m->fc1.out, &hidden));
	TRY(linear(p, x, rows, &m->fc1, (struct out_place){ .y = hidden }, SB_ACT_GELU_ERF));
	TRY(linear(p, hidden, rows, &m->fc2, to, SB_ACT_NONE));
	put(p, hidden);
	return SB_OK;
}

/* norm NULL: without affine, eps 1e-6; norm_context: 1e-5. */
static enum sb_status layer_norm(
        struct pass *p, const float *x, float *y, int64_t rows, int64_t dim, const struct sb_norm_weight *norm)
{
	struct sb_layer_norm_args a = {
		.x = x,
		.y = y,
		.weight = norm ? norm->w : NULL,
		.bias = norm ? norm->b : NULL,
		.batch = 1,
		.rows = rows,
		.dim = dim,
		.x_row = dim,
		.y_row = dim,
		.eps = norm ? 1e-5f : 1e-6f,
	};

	return SB_SUBMIT(p->be, LAYER_NORM, layer_norm, a, p->err);
}

static enum sb_status posenc(
        struct pass *p, const float *x, int64_t rows, int64_t d, int64_t degrees, float *y, int64_t ldy)
{
	struct sb_posenc_args a = { .x = x, .y = y, .rows = rows, .d = d, .degrees = degrees, .ldx = d, .ldy = ldy };

	return SB_SUBMIT(p->be, POSENC, posenc, a, p->err);
}

static enum sb_status copy_columns(
        struct pass *p, const float *src, int64_t rows, int64_t cols, int64_t ld_src, float *dst, int64_t ld_dst)
{
	struct sb_copy2d_args a = {
		.src = src, .dst = dst, .rows = rows, .cols = cols, .ld_src = ld_src, .ld_dst = ld_dst
	};

	return SB_SUBMIT(p->be, COPY2D, copy2d, a, p->err);
}

/* Sequences for an attention: how many, and where their rows lie in a dense [rows, dim] buffer. */
struct sequences {
	int64_t batch, lq, lk;
	int64_t q_batch, q_row, k_batch, k_row; /* in rows */
};

/*
 * x += Attn(LN0(x), LNc(c)); x += fc2(GELUt(fc1(LN0(x)))), in place; x [rows, dim], c [c_rows, ctx] (c = x and the same
 * norm for a self block).
 */
static enum sb_status attend(struct pass *p, const struct sb_track_block *b, float *x, int64_t rows, const float *c,
        int64_t c_rows, const struct sequences *s)
{
	int64_t dim = b->out.out, inner = b->q.out, head = inner / b->heads;
	bool self = !b->norm_context.w;
	float *xn, *cn, *q, *kv, *hidden;

	TRY(get(p, rows * dim, &xn));
	TRY(layer_norm(p, x, xn, rows, dim, NULL));
	TRY(get(p, rows * inner, &q));
	TRY(linear(p, xn, rows, &b->q, (struct out_place){ .y = q }, SB_ACT_NONE));
	TRY(get(p, c_rows * 2 * inner, &kv));
	if (self) {
		TRY(linear(p, xn, rows, &b->kv, (struct out_place){ .y = kv }, SB_ACT_NONE));
	} else {
		TRY(get(p, c_rows * b->kv.in, &cn));
		TRY(layer_norm(p, c, cn, c_rows, b->kv.in, &b->norm_context));
		TRY(linear(p, cn, c_rows, &b->kv, (struct out_place){ .y = kv }, SB_ACT_NONE));
		put(p, cn);
	}
	struct sb_attention_args a = {
		.q = q,
		.k = kv,
		.v = kv + inner,
		.o = xn,
		.qs = { s->q_batch * inner, head, s->q_row * inner },
		.ks = { s->k_batch * 2 * inner, head, s->k_row * 2 * inner },
		.vs = { s->k_batch * 2 * inner, head, s->k_row * 2 * inner },
		.os = { s->q_batch * inner, head, s->q_row * inner },
		.batch = s->batch,
		.heads = b->heads,
		.lq = s->lq,
		.lk = s->lk,
		.dim = (int)head,
		.scale = b->scale,
	};
	TRY(SB_SUBMIT(p->be, ATTENTION, attention, a, p->err));
	put(p, kv);
	put(p, q);
	TRY(linear(p, xn, rows, &b->out, (struct out_place){ .y = x, .residual = x }, SB_ACT_NONE));
	TRY(layer_norm(p, x, xn, rows, dim, NULL));
	TRY(get(p, rows * b->fc1.out, &hidden));
	TRY(linear(p, xn, rows, &b->fc1, (struct out_place){ .y = hidden }, SB_ACT_GELU_TANH));
	put(p, xn);
	TRY(linear(p, hidden, rows, &b->fc2, (struct out_place){ .y = x, .residual = x }, SB_ACT_NONE));
	put(p, hidden);
	return SB_OK;
}

/* ---- fnet (4.1) ---------------------------------------------------------------------------------------------- */

struct map {
	float *x;
	int64_t n, h, w, c;
};

static enum sb_status conv(
        struct pass *p, const struct map *in, const struct sb_conv_weight *cw, int stride, struct map *out)
{
	int pad = cw->k / 2;
	struct sb_conv_args a = {
		.x = in->x,
		.w = cw->w,
		.bias = cw->b,
		.n = in->n,
		.h = in->h,
		.width = in->w,
		.cin = in->c,
		.cout = cw->cout,
		.kh = cw->k,
		.kw = cw->k,
		.stride = stride,
		.pad = pad,
	};

	*out = (struct map){ NULL, in->n, (in->h + 2 * pad - cw->k) / stride + 1,
		(in->w + 2 * pad - cw->k) / stride + 1, cw->cout };
	TRY(get(p, out->n * out->h * out->w * out->c, &out->x));
	a.y = out->x;
	return SB_SUBMIT(p->be, CONV, conv, a, p->err);
}

static enum sb_status instance_norm(struct pass *p, struct map *m, const float *residual, int relu)
{
	struct sb_instance_norm_args a = {
		.x = m->x,
		.residual = residual,
		.y = m->x,
		.n = m->n,
		.pixels = m->h * m->w,
		.c = m->c,
		.eps = 1e-5f,
		.relu = relu,
	};

	return SB_SUBMIT(p->be, INSTANCE_NORM, instance_norm, a, p->err);
}

/* relu(skip + relu(IN(conv2(relu(IN(conv1(m))))))), in place of m. */
static enum sb_status residual_unit(
        struct pass *p, struct map *m, const struct sb_conv_weight cw[2], const struct sb_conv_weight *down, int stride)
{
	struct map y, z, skip = *m;

	TRY(conv(p, m, &cw[0], stride, &y));
	TRY(instance_norm(p, &y, NULL, 1));
	TRY(conv(p, &y, &cw[1], 1, &z));
	put(p, y.x);
	if (down) {
		TRY(conv(p, m, down, stride, &skip));
		TRY(instance_norm(p, &skip, NULL, 0));
		put(p, m->x);
	}
	TRY(instance_norm(p, &z, skip.x, 1));
	put(p, skip.x);
	*m = z;
	return SB_OK;
}

/* Resize to the features' size and put into columns first .. of the concatenation. */
static enum sb_status gather(struct pass *p, const struct map *m, struct map *all, int64_t first)
{
	int64_t pixels = all->n * all->h * all->w;
	float *big = m->x;
	struct sb_resize_bilinear_args a = {
		.x = m->x, .n = m->n, .h = m->h, .w = m->w, .c = m->c, .out_h = all->h, .out_w = all->w
	};

	TRY(get(p, pixels * m->c, &big));
	a.y = big;
	TRY(SB_SUBMIT(p->be, RESIZE_BILINEAR, resize_bilinear, a, p->err));
	TRY(copy_columns(p, big, pixels, m->c, m->c, all->x + first, all->c));
	put(p, big);
	return SB_OK;
}

/* image [t, hm, wm, 3], 0..255 -> features [t, hm/4, wm/4, 128], L2-normalised */
static enum sb_status fnet(struct pass *p, float *image, float **out)
{
	const struct sb_track_net *net = p->net;
	struct map in = { image, p->t, net->h, net->w, 3 }, m, all = { NULL, p->t, p->fh, p->fw, 64 + 96 + 128 + 128 },
	           y;
	int64_t first = 0;

	TRY(conv(p, &in, &net->fnet.conv1, 2, &m));
	TRY(instance_norm(p, &m, NULL, 1));
	TRY(get(p, all.n * all.h * all.w * all.c, &all.x));
	for (int l = 0; l < 4; l++) {
		TRY(residual_unit(p, &m, net->fnet.res[l][0], l ? &net->fnet.down[l] : NULL, l ? 2 : 1));
		TRY(residual_unit(p, &m, net->fnet.res[l][1], NULL, 1));
		TRY(gather(p, &m, &all, first));
		first += m.c;
	}
	put(p, m.x);
	TRY(conv(p, &all, &net->fnet.conv2, 1, &m));
	put(p, all.x);
	TRY(instance_norm(p, &m, NULL, 1));
	TRY(conv(p, &m, &net->fnet.conv3, 1, &y));
	put(p, m.x);
	tap(p, "fnet.out", 0, y.x, y.n * y.h * y.w * y.c);
	struct sb_l2_normalize_args a = { .x = y.x, .y = y.x, .rows = y.n * y.h * y.w, .c = y.c };
	TRY(SB_SUBMIT(p->be, L2_NORMALIZE, l2_normalize, a, p->err));
	*out = y.x;
	return SB_OK;
}

/* ---- preparation of a window (4.2 to 4.4) -------------------------------------------------------------------- */

static enum sb_status nearest(
        struct pass *p, const float *x, int64_t h, int64_t w, int64_t c, float lo, float hi, float **out)
{
	struct sb_resize_nearest_args a = {
		.x = x,
		.n = p->t,
		.h = h,
		.w = w,
		.c = c,
		.out_h = p->net->h,
		.out_w = p->net->w,
		.lo = lo,
		.hi = hi,
	};

	TRY(get(p, p->t * p->net->h * p->net->w * c, out));
	a.y = *out;
	return SB_SUBMIT(p->be, RESIZE_NEAREST, resize_nearest, a, p->err);
}

/* Queries to working resolution, K scaled: small, so on the host, then uploaded. */
static enum sb_status upload_queries(struct pass *p)
{
	const struct sb_track_input *in = p->in;
	float fx = (float)p->net->w / (float)in->wr, fy = (float)p->net->h / (float)in->hr;
	float *host = malloc((size_t)(p->n * 3 + p->t * 18) * sizeof(float)), *k = host + p->n * 3;
	enum sb_status status;

	if (!host)
		return sb_fail(p->err, SB_E_NOMEM, "no memory for %lld queries", (long long)p->n);
	for (int64_t i = 0; i < p->n; i++) {
		host[i * 3] = in->queries[i * 3];
		host[i * 3 + 1] = in->queries[i * 3 + 1] * fx;
		host[i * 3 + 2] = in->queries[i * 3 + 2] * fy;
	}
	status = SB_SUBMIT(p->be, DOWNLOAD, download,
	        ((struct sb_transfer_args){ k, in->k, (size_t)p->t * 9 * sizeof(float) }), p->err);
	if (!status)
		status = p->be->ops->sync(p->be, p->err);
	for (int64_t i = 0; i < p->t * 9 && !status; i++)
		k[i] *= i % 9 < 3 ? fx : i % 9 < 6 ? fy : 1.0f;
	if (!status)
		status = get(p, p->n * 3, &p->q);
	if (!status)
		status = get(p, p->t * 9, &p->k_m);
	if (!status)
		status = SB_SUBMIT(p->be, UPLOAD, upload,
		        ((struct sb_transfer_args){ p->q, host, (size_t)p->n * 3 * sizeof(float) }), p->err);
	if (!status)
		status = SB_SUBMIT(p->be, UPLOAD, upload,
		        ((struct sb_transfer_args){ p->k_m, k, (size_t)p->t * 9 * sizeof(float) }), p->err);
	if (!status)
		status = p->be->ops->sync(p->be, p->err);
	free(host);
	return status;
}

/* What nearest sampling at the queries gives, the normalisation box, and the first state. */
static enum sb_status setup_queries(struct pass *p, const float *image, const float *pmap)
{
	const struct sb_track_input *in = p->in;
	float *depth, *valid, *frame;

	TRY(nearest(p, in->depth, in->hr, in->wr, 1, 0.01f, 200.0f, &depth));
	TRY(nearest(p, in->valid, in->hr, in->wr, 1, 0.0f, 0.0f, &valid));
	TRY(get(p, p->n, &p->z0));
	TRY(get(p, p->n, &p->u0));
	TRY(get(p, p->n * 3, &p->p0));
	TRY(get(p, p->n * 3, &p->rgb));
	TRY(get(p, p->n, &frame));
	p->frame = (int32_t *)(void *)frame;
	TRY(get(p, 6, &p->box));
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
		.frames = p->t,
		.h = p->net->h,
		.w = p->net->w,
	};
	TRY(SB_SUBMIT(p->be, QUERY_SETUP, query_setup, a, p->err));
	put(p, valid);
	put(p, depth);
	struct sb_norm_box_args b = { .p0 = p->p0, .box = p->box, .n = p->n };
	return SB_SUBMIT(p->be, NORM_BOX, norm_box, b, p->err);
}

static enum sb_status box_map(struct pass *p, const float *x, float *y, int64_t rows, int inverse)
{
	struct sb_box_map_args a = { .x = x, .box = p->box, .y = y, .rows = rows, .inverse = inverse };

	return SB_SUBMIT(p->be, BOX_MAP, box_map, a, p->err);
}

/* Features by 2x2 means, points by every 2nd pixel from every 4th; query patches of both. */
static enum sb_status pyramids(struct pass *p, float *features, float *pmap)
{
	struct sb_subsample_args s = { .x = pmap, .n = p->t, .h = p->net->h, .w = p->net->w, .c = 3, .step = 4 };

	p->level[0] = (struct level){ .map = features, .h = p->fh, .w = p->fw };
	TRY(get(p, p->t * p->fh * p->fw * 3, &p->level[0].pmap));
	s.y = p->level[0].pmap;
	TRY(SB_SUBMIT(p->be, SUBSAMPLE, subsample, s, p->err));
	for (int l = 1; l < SB_TRACK_LEVELS; l++) {
		struct level *up = &p->level[l - 1], *here = &p->level[l];
		struct sb_avg_pool2_args a = {
			.x = up->map, .n = p->t, .h = up->h, .w = up->w, .c = SB_TRACK_FEATURES
		};

		here->h = up->h / 2;
		here->w = up->w / 2;
		TRY(get(p, p->t * here->h * here->w * SB_TRACK_FEATURES, &here->map));
		a.y = here->map;
		TRY(SB_SUBMIT(p->be, AVG_POOL2, avg_pool2, a, p->err));
		s = (struct sb_subsample_args){ .x = up->pmap, .n = p->t, .h = up->h, .w = up->w, .c = 3, .step = 2 };
		TRY(get(p, p->t * here->h * here->w * 3, &here->pmap));
		s.y = here->pmap;
		TRY(SB_SUBMIT(p->be, SUBSAMPLE, subsample, s, p->err));
	}
	return SB_OK;
}

static float level_scale(int l)
{
	return 1.0f / (float)(1 << l);
}

/* [d | f] of `rows` x 16 neighbours -> corr_xyz_mlp([rel_pos_mlp(pe12(d)) | f]); d and both are freed. et: or NULL. */
static enum sb_status neighbour_tokens(struct pass *p, float *d, float *both, int64_t rows, float *out, float **et)
{
	int64_t n = rows * SB_NEIGHBOURS;
	float *code, *e;

	TRY(get(p, n * 75, &code));
	TRY(posenc(p, d, n, 3, 12, code, 75));
	tap(p, et ? "rel_pos_mlp.in.track" : "rel_pos_mlp.in.query", p->iteration, code, n * 75);
	put(p, d);
	TRY(get(p, n * 128, &e));
	TRY(mlp(p, code, n, &p->net->rel_pos, (struct out_place){ .y = e }));
	put(p, code);
	tap(p, et ? "rel_pos_mlp.out.track" : "rel_pos_mlp.out.query", p->iteration, e, n * 128);
	TRY(copy_columns(p, e, n, 128, 128, both, 256));
	if (et)
		*et = e;
	else
		put(p, e);
	tap(p, et ? "corr_xyz_mlp.in.track" : "corr_xyz_mlp.in.query", p->iteration, both, n * 256);
	TRY(mlp(p, both, n, &p->net->corr_xyz, (struct out_place){ .y = out }));
	put(p, both);
	tap(p, et ? "corr_xyz_mlp.out.track" : "corr_xyz_mlp.out.query", p->iteration, out, n * 128);
	return SB_OK;
}

/* Once a window and level: the query patches, the query side of the neighbour attention and its projected queries. */
static enum sb_status query_side(struct pass *p, int l)
{
	struct level *v = &p->level[l];
	const struct sb_track_block *cross = &p->net->pointformer.cross;
	int64_t tokens = p->n * SB_NEIGHBOURS;
	float *points, *d, *both, *xn, *xy;

	TRY(get(p, p->n * SB_PATCH * SB_TRACK_FEATURES, &v->query));
	TRY(get(p, p->n * SB_PATCH * 3, &points));
	TRY(get(p, p->n * 2, &xy));
	TRY(copy_columns(p, p->q + 1, p->n, 2, 3, xy, 2)); /* query pixels; the features are at a quarter of them */
	struct sb_patch_sample_args a = {
		.map = v->map,
		.xy = xy,
		.frame = p->frame,
		.out = v->query,
		.n = p->n,
		.frames = p->t,
		.h = v->h,
		.w = v->w,
		.c = SB_TRACK_FEATURES,
		.scale = 0.25f * level_scale(l),
	};
	TRY(SB_SUBMIT(p->be, PATCH_SAMPLE, patch_sample, a, p->err));
	a.map = v->pmap;
	a.out = points;
	a.c = 3;
	TRY(SB_SUBMIT(p->be, PATCH_SAMPLE, patch_sample, a, p->err));
	put(p, xy);
	TRY(get(p, tokens * 3, &d));
	TRY(get(p, tokens * 256, &both));
	struct sb_neighbours_args b = {
		.patches = v->query,
		.points = points,
		.out_d = d,
		.out_f = both + 128,
		.n = p->n,
		.frames = 1,
		.c = SB_TRACK_FEATURES,
		.ldf = 256,
	};
	TRY(SB_SUBMIT(p->be, NEIGHBOURS, neighbours, b, p->err));
	put(p, points);
	TRY(get(p, tokens * 128, &v->q_x));
	TRY(neighbour_tokens(p, d, both, p->n, v->q_x, NULL));
	TRY(get(p, tokens * 128, &xn));
	TRY(layer_norm(p, v->q_x, xn, tokens, 128, NULL));
	TRY(get(p, tokens * 128, &v->q_q));
	TRY(linear(p, xn, tokens, &cross->q, (struct out_place){ .y = v->q_q }, SB_ACT_NONE));
	put(p, xn);
	return SB_OK;
}

/* The stored time embedding at T rows: as it is when T fits, else linearly interpolated (align_corners=False). */
static enum sb_status time_embedding(struct pass *p)
{
	int64_t len = p->net->time_len, dim = SB_TRACK_TOKEN2;
	float *host = malloc((size_t)(p->t * dim) * sizeof(float));
	enum sb_status status;

	if (!host)
		return sb_fail(p->err, SB_E_NOMEM, "no memory for the time embedding");
	sb_time_embedding(len, p->t, dim, host);
	status = get(p, p->t * dim, &p->time);
	if (!status)
		status = SB_SUBMIT(p->be, UPLOAD, upload,
		        ((struct sb_transfer_args){ p->time, host, (size_t)(p->t * dim) * sizeof(float) }), p->err);
	if (!status)
		status = p->be->ops->sync(p->be, p->err);
	free(host);
	return status;
}

static enum sb_status repeat(struct pass *p, const float *x, float *y, int64_t n, int64_t len)
{
	struct sb_repeat_args a = { .x = x, .y = y, .n = n, .times = p->t, .len = len };

	return SB_SUBMIT(p->be, REPEAT, repeat, a, p->err);
}

static enum sb_status fill(struct pass *p, float *x, int64_t n, float value)
{
	return SB_SUBMIT(p->be, FILL, fill, ((struct sb_fill_args){ x, n, value }), p->err);
}

/* uv = query / 4, z = z0, X = nrm(p0) on every frame; logits 0 (4.3). */
static enum sb_status first_state(struct pass *p)
{
	float *xy, *x0;

	TRY(get(p, p->rows * 2, &p->uv));
	TRY(get(p, p->rows, &p->z));
	TRY(get(p, p->rows * 3, &p->X));
	TRY(get(p, p->rows * 4, &p->vis));
	p->conf = p->vis + p->rows;
	p->dyn = p->conf + p->rows;
	p->pro = p->dyn + p->rows;
	TRY(get(p, p->rows * 3, &p->A));
	TRY(get(p, p->rows * 2, &p->px));
	TRY(fill(p, p->vis, p->rows * 4, 0.0f));
	TRY(get(p, p->n * 2, &xy));
	TRY(copy_columns(p, p->q + 1, p->n, 2, 3, xy, 2));
	TRY(SB_SUBMIT(p->be, SCALE, scale, ((struct sb_scale_args){ xy, xy, p->n * 2, 0.25f }), p->err));
	TRY(repeat(p, xy, p->uv, p->n, 2));
	put(p, xy);
	TRY(repeat(p, p->z0, p->z, p->n, 1));
	TRY(get(p, p->n * 3, &x0));
	TRY(box_map(p, p->p0, x0, p->n, 0));
	TRY(repeat(p, x0, p->X, p->n, 3));
	put(p, x0);
	return SB_OK;
}

static enum sb_status prepare(struct pass *p, float *image, float *features)
{
	const struct sb_track_input *in = p->in;
	float *pmap;

	sb_backend_stage(p->be, "track.prepare");
	TRY(upload_queries(p));
	TRY(get(p, p->t * in->hr * in->wr * 3, &p->pmap_r));
	struct sb_unproject_args u = {
		.depth = in->depth, .k = in->k, .points = p->pmap_r, .frames = p->t, .h = in->hr, .w = in->wr
	};
	TRY(SB_SUBMIT(p->be, UNPROJECT, unproject, u, p->err));
	TRY(nearest(p, p->pmap_r, in->hr, in->wr, 3, 0.0f, 0.0f, &pmap));
	TRY(setup_queries(p, image, pmap));
	put(p, image);
	TRY(box_map(p, pmap, pmap, p->t * p->net->h * p->net->w, 0)); /* the point map is kept normalised */
	TRY(pyramids(p, features, pmap));
	put(p, pmap);
	TRY(time_embedding(p));
	TRY(first_state(p));
	for (int l = 0; l < SB_TRACK_LEVELS; l++)
		TRY(query_side(p, l));
	return SB_OK;
}

/* ---- correlations (4.5) -------------------------------------------------------------------------------------- */

static enum sb_status correlation(struct pass *p, int l, float *tokens)
{
	struct level *v = &p->level[l];
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

	TRY(get(p, p->rows * m->fc1.out, &hidden));
	a.y = hidden;
	/* The volume itself is never stored: whoever wants to see it gets what it is made of. */
	tap(p, "corr.args", p->iteration * SB_TRACK_LEVELS + l, (const float *)(const void *)&a, 0);
	TRY(SB_SUBMIT(p->be, CORR, corr, a, p->err));
	TRY(linear(p, hidden, p->rows, &m->fc2, (struct out_place){ .y = column, .ld = SB_TRACK_TOKEN2 }, SB_ACT_NONE));
	put(p, hidden);
	tap(p, "corr_mlp.out", p->iteration * SB_TRACK_LEVELS + l, column, (p->rows - 1) * SB_TRACK_TOKEN2 + 256);
	return SB_OK;
}

static enum sb_status group_mean(struct pass *p, const float *x, int64_t rows, int64_t c, float *y)
{
	struct sb_group_mean_args a = { .x = x, .y = y, .rows = rows, .group = SB_NEIGHBOURS, .c = c, .ldy = c };

	return SB_SUBMIT(p->be, GROUP_MEAN, group_mean, a, p->err);
}

/*
 * g = mean over the 16 of Cross(xblock1_2; fq, ft), for tracks first .. first + n of a level; the mean is taken before
 * the linear fc2. ft [n t 16, 128] -> g [n t, 128].
 */
static enum sb_status cross_mean(
        struct pass *p, const struct level *v, int64_t first, int64_t n, const float *ft, float *g)
{
	const struct sb_track_block *b = &p->net->pointformer.cross;
	int64_t rows = n * p->t, tokens = rows * SB_NEIGHBOURS, len = SB_NEIGHBOURS * 128, head = 128 / SB_TRACK_HEADS;
	float *x, *q, *kv, *cn, *hidden, *mean;

	TRY(get(p, tokens * 128, &cn));
	TRY(layer_norm(p, ft, cn, tokens, 128, &b->norm_context));
	TRY(get(p, tokens * 256, &kv));
	TRY(linear(p, cn, tokens, &b->kv, (struct out_place){ .y = kv }, SB_ACT_NONE));
	TRY(get(p, tokens * 128, &q));
	TRY(repeat(p, v->q_q + first * len, q, n, len));
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
	TRY(SB_SUBMIT(p->be, ATTENTION, attention, a, p->err));
	put(p, q);
	put(p, kv);
	TRY(get(p, tokens * 128, &x));
	TRY(repeat(p, v->q_x + first * len, x, n, len));
	TRY(linear(p, cn, tokens, &b->out, (struct out_place){ .y = x, .residual = x }, SB_ACT_NONE));
	TRY(layer_norm(p, x, cn, tokens, 128, NULL));
	TRY(get(p, tokens * b->fc1.out, &hidden));
	TRY(linear(p, cn, tokens, &b->fc1, (struct out_place){ .y = hidden }, SB_ACT_GELU_TANH));
	put(p, cn);
	TRY(get(p, rows * b->fc1.out, &mean));
	TRY(group_mean(p, hidden, rows, b->fc1.out, mean));
	put(p, hidden);
	TRY(group_mean(p, x, rows, 128, g));
	put(p, x);
	TRY(linear(p, mean, rows, &b->fc2, (struct out_place){ .y = g, .residual = g }, SB_ACT_NONE));
	put(p, mean);
	return SB_OK;
}

/* Tracks first .. first + n of level l: the 3-D correlation into its columns of the 3-D tokens. */
static enum sb_status neighbour_tile(struct pass *p, int l, int64_t first, int64_t n, float *tokens)
{
	struct level *v = &p->level[l];
	int64_t rows = n * p->t, wide = rows * SB_NEIGHBOURS, row0 = first * p->t;
	float *d, *both, *ft, *et, *g, *y, *column = tokens + row0 * SB_TRACK_TOKEN3 + 2 + 256 * l;
	struct sequences one = { rows, 1, SB_NEIGHBOURS, 1, 1, SB_NEIGHBOURS, 1 };

	TRY(get(p, wide * 3, &d));
	TRY(get(p, wide * 256, &both));
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
	TRY(SB_SUBMIT(p->be, NEIGHBOURS, neighbours, a, p->err));
	TRY(get(p, wide * 128, &ft));
	TRY(neighbour_tokens(p, d, both, rows, ft, &et));
	TRY(get(p, rows * 128, &g));
	TRY(cross_mean(p, v, first, n, ft, g));
	struct sb_add_args sum = {
		.a = ft, .b = et, .y = ft, .rows = wide, .cols = 128, .lda = 128, .ldb = 128, .ldy = 128
	};
	TRY(SB_SUBMIT(p->be, ADD, add, sum, p->err));
	put(p, et);
	TRY(attend(p, &p->net->pointformer.aggr, g, rows, ft, wide, &one));
	put(p, ft);
	TRY(get(p, rows * 256, &y));
	TRY(linear(p, g, rows, &p->net->pointformer.out_proj, (struct out_place){ .y = y }, SB_ACT_NONE));
	put(p, g);
	tap(p, "corr_transformer.out", p->iteration * SB_TRACK_LEVELS + l, y, rows * 256);
	TRY(mlp(p, y, rows, &p->net->corr_depth, (struct out_place){ .y = column, .ld = SB_TRACK_TOKEN3 }));
	put(p, y);
	tap(p, "corr_depth_mlp.out", p->iteration * SB_TRACK_LEVELS + l, column, (rows - 1) * SB_TRACK_TOKEN3 + 256);
	struct sb_depth_mask_args m = {
		.x = column, .X = p->X + row0 * 3, .rows = rows, .c = 256, .ldx = SB_TRACK_TOKEN3, .box = p->box
	};
	return SB_SUBMIT(p->be, DEPTH_MASK, depth_mask, m, p->err);
}

static enum sb_status correlations(struct pass *p, float *tokens2, float *tokens3)
{
	int64_t tile = TILE_ROWS / p->t > 0 ? TILE_ROWS / p->t : 1;

	sb_backend_stage(p->be, "track.correlation");
	for (int l = 0; l < SB_TRACK_LEVELS; l++)
		TRY(correlation(p, l, tokens2));
	sb_backend_stage(p->be, "track.neighbours");
	for (int l = 0; l < SB_TRACK_LEVELS; l++)
		for (int64_t first = 0; first < p->n; first += tile)
			TRY(neighbour_tile(p, l, first, p->n - first < tile ? p->n - first : tile, tokens3));
	return SB_OK;
}

/* ---- tokens (4.6) -------------------------------------------------------------------------------------------- */

/* Columns 0 and 1 (vis, conf), and the time embedding over all 1110 at the end. */
static enum sb_status state_columns(struct pass *p, float *tokens, int64_t ld)
{
	TRY(copy_columns(p, p->vis, p->rows, 1, 1, tokens, ld));
	return copy_columns(p, p->conf, p->rows, 1, 1, tokens + 1, ld);
}

static enum sb_status motion(
        struct pass *p, const float *v, int64_t d, float inv_x, float inv_y, float inv_z, float **out)
{
	struct sb_motion_args a = { .v = v, .n = p->n, .frames = p->t, .d = d, .inv_scale = { inv_x, inv_y, inv_z } };

	TRY(get(p, p->rows * 2 * d, out));
	a.y = *out;
	return SB_SUBMIT(p->be, MOTION, motion, a, p->err);
}

static enum sb_status add_time(struct pass *p, float *x)
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

/* Completes both tokens; tokens3 [rows, 1260] is freed, *projected [rows, 1110] takes its place. */
static enum sb_status finish_tokens(struct pass *p, float *tokens2, float *tokens3, float **projected)
{
	float *m, *code, *g;

	sb_backend_stage(p->be, "track.tokens");
	TRY(state_columns(p, tokens2, SB_TRACK_TOKEN2));
	TRY(motion(p, p->uv, 2, 1.0f / (float)p->fw, 1.0f / (float)p->fh, 0.0f, &m));
	TRY(posenc(p, m, p->rows, 4, 10, tokens2 + 1026, SB_TRACK_TOKEN2));
	put(p, m);

	TRY(state_columns(p, tokens3, SB_TRACK_TOKEN3));
	TRY(motion(p, p->X, 3, 1.0f, 1.0f, 1.0f, &m));
	TRY(get(p, p->rows * 126, &code));
	TRY(posenc(p, m, p->rows, 6, 10, code, 126));
	put(p, m);
	tap(p, "xyz_mlp.in", p->iteration, code, p->rows * 126);
	TRY(mlp(p, code, p->rows, &p->net->xyz, (struct out_place){ .y = tokens3 + 1026, .ld = SB_TRACK_TOKEN3 }));
	put(p, code);
	tap(p, "xyz_mlp.out", p->iteration, tokens3 + 1026, (p->rows - 1) * SB_TRACK_TOKEN3 + 84);
	TRY(get(p, p->rows * 6, &g));
	struct sb_geometry_tokens_args a = {
		.q = p->q,
		.z0 = p->z0,
		.k = p->k_m,
		.cam = p->in->cam,
		.box = p->box,
		.X = p->X,
		.conf = p->conf,
		.dyn = p->dyn,
		.g = g,
		.n = p->n,
		.frames = p->t,
	};
	TRY(SB_SUBMIT(p->be, GEOMETRY_TOKENS, geometry_tokens, a, p->err));
	TRY(posenc(p, g, p->rows, 6, 12, tokens3 + 1110, SB_TRACK_TOKEN3));
	put(p, g);
	tap(p, "proj_xyz_embed.in", p->iteration, tokens3, p->rows * SB_TRACK_TOKEN3);
	TRY(get(p, p->rows * SB_TRACK_TOKEN2, projected));
	TRY(mlp(p, tokens3, p->rows, &p->net->proj_xyz, (struct out_place){ .y = *projected }));
	put(p, tokens3);
	tap(p, "proj_xyz_embed.out", p->iteration, *projected, p->rows * SB_TRACK_TOKEN2);
	TRY(add_time(p, tokens2));
	TRY(add_time(p, *projected));
	tap(p, "updateformer3D.in0", p->iteration, tokens2, p->rows * SB_TRACK_TOKEN2);
	tap(p, "updateformer3D.in1", p->iteration, *projected, p->rows * SB_TRACK_TOKEN2);
	return SB_OK;
}

/* ---- update transformer (4.7) -------------------------------------------------------------------------------- */

/* Each track's frames are a sequence. */
static enum sb_status over_time(struct pass *p, const struct sb_track_block *b, float *x, int64_t n)
{
	struct sequences s = { n, p->t, p->t, p->t, 1, p->t, 1 };

	return attend(p, b, x, n * p->t, x, n * p->t, &s);
}

/* Each frame's tokens are a sequence: x [nx, t, dim] attends to c [nc, t, dim]. */
static enum sb_status over_space(
        struct pass *p, const struct sb_track_block *b, float *x, int64_t nx, const float *c, int64_t nc)
{
	struct sequences s = { p->t, nx, nc, 1, p->t, 1, p->t };

	return attend(p, b, x, nx * p->t, c, nc * p->t, &s);
}

static enum sb_status copy_of(struct pass *p, const float *x, int64_t floats, float **out)
{
	TRY(get(p, floats, out));
	return copy_columns(p, x, 1, floats, floats, *out, floats);
}

/* Round j over space; x, y tracks [n, t, 384], v virtual [64, t, 384], all in place. */
static enum sb_status space_round(struct pass *p, int j, float *x, float *y, float *v)
{
	const struct sb_track_net *net = p->net;
	int64_t row = p->t * SB_TRACK_HIDDEN, nv = SB_TRACK_VIRTUAL, ns = SB_TRACK_VIRTUAL - 1;
	float *s, *vv, *ss;

	TRY(copy_of(
	        p, v + row, ns * row, &s)); /* 63 tokens: the first virtual track is left out, as in the reference */
	TRY(over_space(p, &net->track2switcher[j], s, ns, y, p->n));
	TRY(over_space(p, &net->virtual2point[j], v, nv, x, p->n));
	TRY(over_space(p, &net->virtual2switcher[j], s, ns, v, nv));
	TRY(copy_of(p, v, nv * row, &vv));
	TRY(copy_of(p, s, ns * row, &ss));
	TRY(over_space(p, &net->switcher2virtual[j], vv, nv, s, ns)); /* both from the old v and s */
	TRY(over_space(p, &net->switcher2virtual[j], ss, ns, v, nv));
	TRY(linear(p, vv, nv * p->t, &net->residual_head, (struct out_place){ .y = v, .residual = v }, SB_ACT_NONE));
	TRY(linear(p, ss, ns * p->t, &net->residual_head, (struct out_place){ .y = s, .residual = s }, SB_ACT_NONE));
	put(p, ss);
	put(p, vv);
	if (j == 0)
		tap(p, "space_virtual_blocks.0.in0", p->iteration, v, nv * row);
	TRY(over_space(p, &net->self_virtual[j], v, nv, v, nv));
	TRY(over_space(p, &net->self_switcher[j], s, ns, s, ns));
	if (j == 0) {
		tap(p, "space_virtual_blocks.0.out0", p->iteration, v, nv * row);
		tap(p, "space_point2virtual_blocks.0.in0", p->iteration, x, p->n * row);
	}
	TRY(over_space(p, &net->point2virtual[j], x, p->n, v, nv));
	if (j == 0)
		tap(p, "space_point2virtual_blocks.0.out0", p->iteration, x, p->n * row);
	TRY(over_space(p, &net->switcher2track[j], y, p->n, s, ns));
	put(p, s);
	return SB_OK;
}

struct deltas {
	float *d2, *d3, *dp; /* [rows, 4], [rows, 4], [rows] */
};

/* tokens2 and tokens3 [rows, 1110] are freed */
static enum sb_status transformer(struct pass *p, float *tokens2, float *tokens3, struct deltas *d)
{
	const struct sb_track_net *net = p->net;
	int64_t floats = p->rows * SB_TRACK_HIDDEN;
	float *xv, *v, *y;

	sb_backend_stage(p->be, "track.transformer");
	TRY(get(p, floats + SB_TRACK_VIRTUAL * p->t * SB_TRACK_HIDDEN, &xv));
	v = xv + floats;
	TRY(linear(p, tokens2, p->rows, &net->input_transform, (struct out_place){ .y = xv }, SB_ACT_NONE));
	put(p, tokens2);
	TRY(get(p, floats, &y));
	TRY(linear(p, tokens3, p->rows, &net->input_transform, (struct out_place){ .y = y }, SB_ACT_NONE));
	put(p, tokens3);
	TRY(repeat(p, net->virtual_tracks, v, SB_TRACK_VIRTUAL, SB_TRACK_HIDDEN));
	for (int j = 0; j < SB_TRACK_DEPTH; j++) {
		if (j == 0)
			tap(p, "time_blocks.0.in0", p->iteration, xv,
			        floats + SB_TRACK_VIRTUAL * p->t * SB_TRACK_HIDDEN);
		TRY(over_time(p, &net->time2[j], xv, p->n + SB_TRACK_VIRTUAL));
		if (j == 0) {
			tap(p, "time_blocks.0.out0", p->iteration, xv,
			        floats + SB_TRACK_VIRTUAL * p->t * SB_TRACK_HIDDEN);
			tap(p, "time_blocks_new.0.in0", p->iteration, y, floats);
		}
		TRY(over_time(p, &net->time3[j], y, p->n));
		if (j == 0)
			tap(p, "time_blocks_new.0.out0", p->iteration, y, floats);
		TRY(space_round(p, j, xv, y, v));
	}
	TRY(get(p, p->rows * 4, &d->d2));
	TRY(get(p, p->rows * 4, &d->d3));
	TRY(get(p, p->rows, &d->dp));
	TRY(linear(p, xv, p->rows, &net->flow_head, (struct out_place){ .y = d->d2, .ld = 4 }, SB_ACT_NONE));
	TRY(linear(p, xv, p->rows, &net->vis_conf_head, (struct out_place){ .y = d->d2 + 2, .ld = 4 }, SB_ACT_NONE));
	TRY(linear(p, y, p->rows, &net->point_head, (struct out_place){ .y = d->d3 }, SB_ACT_NONE));
	TRY(linear(p, y, p->rows, &net->pro_head, (struct out_place){ .y = d->dp }, SB_ACT_NONE));
	put(p, y);
	put(p, xv);
	tap(p, "updateformer3D.out0", p->iteration, d->d2, p->rows * 4);
	tap(p, "updateformer3D.point_head", p->iteration, d->d3, p->rows * 4);
	tap(p, "updateformer3D.out3", p->iteration, d->dp, p->rows);
	return SB_OK;
}

/* ---- updates (4.8, 4.10 with cameras fixed) ------------------------------------------------------------------ */

static enum sb_status update(struct pass *p, struct deltas *d)
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
	TRY(SB_SUBMIT(p->be, TRACK_UPDATE, track_update, a, p->err));
	put(p, d->dp);
	put(p, d->d3);
	put(p, d->d2);
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
	TRY(SB_SUBMIT(p->be, DEPTH_SNAP, depth_snap, s, p->err));
	TRY(box_map(p, p->A, p->X, p->rows, 0));
	return copy_columns(p, p->A + 2, p->rows, 1, 3, p->z, 1);
}

static enum sb_status iterate(struct pass *p)
{
	float *tokens2, *tokens3, *projected;
	struct deltas d;

	TRY(get(p, p->rows * SB_TRACK_TOKEN2, &tokens2));
	TRY(get(p, p->rows * SB_TRACK_TOKEN3, &tokens3));
	TRY(correlations(p, tokens2, tokens3));
	TRY(finish_tokens(p, tokens2, tokens3, &projected));
	TRY(transformer(p, tokens2, projected, &d));
	return update(p, &d);
}

/* ---- the whole window ---------------------------------------------------------------------------------------- */

static enum sb_status output(struct pass *p, struct sb_track_outputs *out)
{
	size_t floats = sb_track_outputs_floats(out);
	float *block;

	sb_backend_stage(p->be, "track.output");
	TRY(get(p, (int64_t)floats, &block));
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
	TRY(SB_SUBMIT(p->be, TRACK_OUT, track_out, a, p->err));
	TRY(copy_columns(p, p->in->cam, 1, p->t * 16, p->t * 16, a.dyn_out + p->rows, p->t * 16));
	TRY(copy_columns(p, p->in->k, 1, p->t * 9, p->t * 9, a.dyn_out + p->rows + p->t * 16, p->t * 9));
	TRY(SB_SUBMIT(p->be, DOWNLOAD, download,
	        ((struct sb_transfer_args){ out->xyz2, block, floats * sizeof(float) }), p->err));
	put(p, block);
	return SB_OK;
}

static void release_window(struct pass *p)
{
	for (int l = SB_TRACK_LEVELS - 1; l >= 0; l--) {
		put(p, p->level[l].q_q);
		put(p, p->level[l].q_x);
		put(p, p->level[l].query);
		put(p, p->level[l].pmap);
		put(p, p->level[l].map);
	}
	void *rest[] = { p->px, p->A, p->vis, p->X, p->z, p->uv, p->time, p->box, p->frame, p->rgb, p->p0, p->u0, p->z0,
		p->k_m, p->q, p->pmap_r };
	for (size_t i = 0; i < SB_ARRAY_LEN(rest); i++)
		put(p, rest[i]);
}

static enum sb_status run(struct pass *p, struct sb_track_outputs *out)
{
	const struct sb_track_input *in = p->in;
	float *image, *features;

	sb_backend_stage(p->be, "track.fnet");
	TRY(nearest(p, in->video, in->h, in->w, 3, 0.0f, 0.0f, &image));
	tap(p, "fnet.in", 0, image, p->t * p->net->h * p->net->w * 3);
	TRY(fnet(p, image, &features));
	TRY(prepare(p, image, features));
	for (p->iteration = 0; p->iteration < SB_TRACK_ITERATIONS; p->iteration++)
		TRY(iterate(p));
	TRY(output(p, out));
	release_window(p);
	return SB_OK;
}

enum sb_status sb_track_run(struct sb_backend *be, const struct sb_track_net *net, const struct sb_track_input *in,
        struct sb_track_outputs *out, const struct sb_front_tap *tap_fn, struct sb_error *err)
{
	struct pass p = {
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
