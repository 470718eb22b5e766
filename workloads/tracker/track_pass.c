/* What the parts of the tracker share: memory of the pass, and the layers that most of them are made of. */
#include "track_pass.h"

enum sb_status sb_pass_get(struct sb_pass *p, int64_t floats, float **out)
{
	void *mem;

	floats = floats > 0 ? floats : 1; /* nothing carried, no query yet: still a pointer that ops accept */
	SB_TRY(sb_device_alloc(p->be, (size_t)floats * sizeof(float), &mem, p->err));
	*out = mem;
	return SB_OK;
}

void sb_pass_put(struct sb_pass *p, void *ptr)
{
	sb_device_free(p->be, ptr);
}

void sb_pass_tap(struct sb_pass *p, const char *name, int index, const float *data, int64_t n)
{
	if (p->tap)
		p->tap->fn(p->tap->ctx, name, index, data, n);
}

enum sb_status sb_pass_linear(struct sb_pass *p, const float *x, int64_t rows, const struct sb_linear_weight *l,
        struct sb_out_place to, enum sb_act act)
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

enum sb_status sb_pass_mlp(
        struct sb_pass *p, const float *x, int64_t rows, const struct sb_mlp_weight *m, struct sb_out_place to)
{
	float *hidden;

	SB_TRY(sb_pass_get(p, rows * m->fc1.out, &hidden));
	SB_TRY(sb_pass_linear(p, x, rows, &m->fc1, (struct sb_out_place){ .y = hidden }, SB_ACT_GELU_ERF));
	SB_TRY(sb_pass_linear(p, hidden, rows, &m->fc2, to, SB_ACT_NONE));
	sb_pass_put(p, hidden);
	return SB_OK;
}

enum sb_status sb_pass_layer_norm(
        struct sb_pass *p, const float *x, float *y, int64_t rows, int64_t dim, const struct sb_norm_weight *norm)
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

enum sb_status sb_pass_posenc(
        struct sb_pass *p, const float *x, int64_t rows, int64_t d, int64_t degrees, float *y, int64_t ldy)
{
	struct sb_posenc_args a = { .x = x, .y = y, .rows = rows, .d = d, .degrees = degrees, .ldx = d, .ldy = ldy };

	return SB_SUBMIT(p->be, POSENC, posenc, a, p->err);
}

enum sb_status sb_pass_copy(
        struct sb_pass *p, const float *src, int64_t rows, int64_t cols, int64_t ld_src, float *dst, int64_t ld_dst)
{
	struct sb_copy2d_args a = {
		.src = src, .dst = dst, .rows = rows, .cols = cols, .ld_src = ld_src, .ld_dst = ld_dst
	};

	return SB_SUBMIT(p->be, COPY2D, copy2d, a, p->err);
}

enum sb_status sb_pass_attend(struct sb_pass *p, const struct sb_track_block *b, float *x, int64_t rows, const float *c,
        int64_t c_rows, const struct sb_sequences *s)
{
	int64_t dim = b->out.out, inner = b->q.out, head = inner / b->heads;
	bool self = !b->norm_context.w;
	float *xn, *cn, *q, *kv, *hidden;

	SB_TRY(sb_pass_get(p, rows * dim, &xn));
	SB_TRY(sb_pass_layer_norm(p, x, xn, rows, dim, NULL));
	SB_TRY(sb_pass_get(p, rows * inner, &q));
	SB_TRY(sb_pass_linear(p, xn, rows, &b->q, (struct sb_out_place){ .y = q }, SB_ACT_NONE));
	SB_TRY(sb_pass_get(p, c_rows * 2 * inner, &kv));
	if (self) {
		SB_TRY(sb_pass_linear(p, xn, rows, &b->kv, (struct sb_out_place){ .y = kv }, SB_ACT_NONE));
	} else {
		SB_TRY(sb_pass_get(p, c_rows * b->kv.in, &cn));
		SB_TRY(sb_pass_layer_norm(p, c, cn, c_rows, b->kv.in, &b->norm_context));
		SB_TRY(sb_pass_linear(p, cn, c_rows, &b->kv, (struct sb_out_place){ .y = kv }, SB_ACT_NONE));
		sb_pass_put(p, cn);
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
	SB_TRY(SB_SUBMIT(p->be, ATTENTION, attention, a, p->err));
	sb_pass_put(p, kv);
	sb_pass_put(p, q);
	SB_TRY(sb_pass_linear(p, xn, rows, &b->out, (struct sb_out_place){ .y = x, .residual = x }, SB_ACT_NONE));
	SB_TRY(sb_pass_layer_norm(p, x, xn, rows, dim, NULL));
	SB_TRY(sb_pass_get(p, rows * b->fc1.out, &hidden));
	SB_TRY(sb_pass_linear(p, xn, rows, &b->fc1, (struct sb_out_place){ .y = hidden }, SB_ACT_GELU_TANH));
	sb_pass_put(p, xn);
	SB_TRY(sb_pass_linear(p, hidden, rows, &b->fc2, (struct sb_out_place){ .y = x, .residual = x }, SB_ACT_NONE));
	sb_pass_put(p, hidden);
	return SB_OK;
}

enum sb_status sb_pass_repeat(struct sb_pass *p, const float *x, float *y, int64_t n, int64_t len)
{
	struct sb_repeat_args a = { .x = x, .y = y, .n = n, .times = p->t, .len = len };

	return SB_SUBMIT(p->be, REPEAT, repeat, a, p->err);
}

enum sb_status sb_pass_fill(struct sb_pass *p, float *x, int64_t n, float value)
{
	return SB_SUBMIT(p->be, FILL, fill, ((struct sb_fill_args){ x, n, value }), p->err);
}

enum sb_status sb_pass_box_map(struct sb_pass *p, const float *x, float *y, int64_t rows, int inverse)
{
	struct sb_box_map_args a = { .x = x, .box = p->box, .y = y, .rows = rows, .inverse = inverse };

	return SB_SUBMIT(p->be, BOX_MAP, box_map, a, p->err);
}

enum sb_status sb_pass_replicate(struct sb_pass *p, const float *x, float *y, int64_t times, int64_t len)
{
	struct sb_repeat_args a = { .x = x, .y = y, .n = 1, .times = times, .len = len };

	return times > 0 ? SB_SUBMIT(p->be, REPEAT, repeat, a, p->err) : SB_OK;
}

enum sb_status sb_pass_upload(struct sb_pass *p, float *dst, const float *host, int64_t floats)
{
	struct sb_transfer_args a = { dst, host, (size_t)floats * sizeof(float) };

	return floats > 0 ? SB_SUBMIT(p->be, UPLOAD, upload, a, p->err) : SB_OK;
}

enum sb_status sb_pass_download(struct sb_pass *p, float *host, const float *src, int64_t floats)
{
	struct sb_transfer_args a = { host, src, (size_t)floats * sizeof(float) };

	return floats > 0 ? SB_SUBMIT(p->be, DOWNLOAD, download, a, p->err) : SB_OK;
}

enum sb_status sb_pass_sync(struct sb_pass *p)
{
	return p->be->ops->sync(p->be, p->err);
}

enum sb_status sb_pass_nearest(
        struct sb_pass *p, const float *x, int64_t h, int64_t w, int64_t c, float lo, float hi, float **out)
{
	struct sb_resize_nearest_args a = {
		.x = x,
		.n = p->in->real,
		.h = h,
		.w = w,
		.c = c,
		.out_h = p->net->h,
		.out_w = p->net->w,
		.lo = lo,
		.hi = hi,
	};

	SB_TRY(sb_pass_get(p, p->t * p->net->h * p->net->w * c, out));
	a.y = *out;
	return SB_SUBMIT(p->be, RESIZE_NEAREST, resize_nearest, a, p->err);
}

enum sb_status sb_pass_pad(struct sb_pass *p, float *x, int64_t floats)
{
	float *end = x + p->in->real * floats;

	return sb_pass_replicate(p, end - floats, end, p->t - p->in->real, floats);
}
