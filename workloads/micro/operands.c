#include "micro_internal.h"

#include <math.h>
#include <stdlib.h>

#define TRY(call)                             \
	do {                                  \
		enum sb_status try_ = (call); \
		if (try_)                     \
			return try_;          \
	} while (0)

void sb_micro_pool_fill(float *pool, uint64_t seed)
{
	for (int64_t i = 0; i < SB_MICRO_POOL; i++)
		pool[i] = (float)(sb_splitmix64(&seed) >> 40) * 0x1p-23f - 1.0f;
}

struct filler {
	struct sb_backend *be;
	const float *pool, *pool_device;
	int64_t next; /* offset of the next tensor */
	struct sb_error *err;
};

static enum sb_status allocate(struct filler *f, int64_t n, struct sb_micro_tensor *t)
{
	void *at;

	TRY(sb_device_alloc(f->be, (size_t)n * sizeof(float), &at, f->err));
	*t = (struct sb_micro_tensor){ at, n, f->next };
	f->next = (f->next + 271828) % SB_MICRO_POOL; /* no two tensors begin alike */
	return SB_OK;
}

/* dst[i] = pool[(first + i) % POOL] on the device: the pool's end, whole pools, and what is left. */
static enum sb_status fill(struct filler *f, const struct sb_micro_tensor *t)
{
	int64_t head = SB_MICRO_POOL - t->offset < t->n ? SB_MICRO_POOL - t->offset : t->n;
	int64_t whole = (t->n - head) / SB_MICRO_POOL, tail = (t->n - head) % SB_MICRO_POOL;
	struct sb_copy2d_args a = {
		.src = f->pool_device + t->offset, .dst = t->at, .rows = 1, .cols = head, .ld_dst = head
	};

	TRY(SB_SUBMIT(f->be, COPY2D, copy2d, a, f->err));
	a = (struct sb_copy2d_args){ .src = f->pool_device,
		.dst = t->at + head,
		.rows = whole,
		.cols = SB_MICRO_POOL,
		.ld_dst = SB_MICRO_POOL };
	if (whole)
		TRY(SB_SUBMIT(f->be, COPY2D, copy2d, a, f->err));
	a.dst += whole * SB_MICRO_POOL;
	a.rows = 1;
	a.cols = a.ld_dst = tail;
	if (tail)
		TRY(SB_SUBMIT(f->be, COPY2D, copy2d, a, f->err));
	return SB_OK;
}

static enum sb_status filled(struct filler *f, int64_t n, struct sb_micro_tensor *t)
{
	TRY(allocate(f, n, t));
	return fill(f, t);
}

/* A tensor that an op may do without. */
static enum sb_status optional(struct filler *f, bool wanted, int64_t n, struct sb_micro_tensor *t)
{
	return wanted ? filled(f, n, t) : SB_OK;
}

/* What is not written shows. */
static enum sb_status poisoned(struct filler *f, int64_t n, struct sb_micro_tensor *t)
{
	TRY(allocate(f, n, t));
	return SB_SUBMIT(f->be, FILL, fill, ((struct sb_fill_args){ t->at, n, NAN }), f->err);
}

static enum sb_status weight(struct filler *f, struct sb_micro_operands *o, enum sb_weight_use use,
        const int64_t shape[4], int ndim, int64_t depth)
{
	int64_t n = 1;
	void *at;

	for (int i = 0; i < ndim; i++)
		n *= shape[i];
	o->factor = (float)sqrt(3.0 / (double)depth);
	o->weight = malloc((size_t)n * sizeof(float));
	if (!o->weight)
		return sb_fail(f->err, SB_E_NOMEM, "no memory for %lld weights", (long long)n);
	TRY(sb_device_alloc(f->be, f->be->ops->weight_bytes(f->be, use, shape, ndim), &at, f->err));
	o->w = (struct sb_micro_tensor){ at, n, f->next };
	f->next = (f->next + 271828) % SB_MICRO_POOL;
	for (int64_t i = 0, j = o->w.offset; i < n; i++, j = j + 1 == SB_MICRO_POOL ? 0 : j + 1)
		o->weight[i] = o->factor * f->pool[j];
	return f->be->ops->weight_prepare(f->be, use, shape, ndim, o->weight, at, f->err);
}

static enum sb_status open_linear(struct filler *f, struct sb_micro_operands *o)
{
	const struct sb_micro_linear *s = &o->shape->u.linear;
	int64_t floats = (s->rows - 1) * s->ld + s->out; /* rows of y may be columns of something wider */

	TRY(filled(f, s->rows * s->in, &o->x));
	TRY(weight(f, o, SB_WEIGHT_LINEAR, (const int64_t[4]){ s->out, s->in }, 2, s->in));
	TRY(filled(f, s->out, &o->bias));
	TRY(optional(f, s->gamma, s->out, &o->gamma));
	TRY(s->residual ? filled(f, floats, &o->y) : poisoned(f, floats, &o->y));
	o->op = (struct sb_op){ .id = SB_OP_LINEAR,
		.u.linear = {
		        .x = o->x.at,
		        .w = o->w.at,
		        .bias = o->bias.at,
		        .gamma = o->gamma.at,
		        .residual = s->residual ? o->y.at : NULL,
		        .y = o->y.at,
		        .rows = s->rows,
		        .in = s->in,
		        .out = s->out,
		        .ldx = s->in,
		        .ldw = s->in,
		        .ldr = s->ld,
		        .ldy = s->ld,
		        .act = s->act,
		} };
	return SB_OK;
}

static enum sb_status open_transposed(struct filler *f, struct sb_micro_operands *o)
{
	const struct sb_micro_conv *s = &o->shape->u.conv;
	int64_t pixels = s->n * s->h * s->w;

	TRY(filled(f, pixels * s->cin, &o->x));
	TRY(weight(f, o, SB_WEIGHT_CONV_TRANSPOSE, (const int64_t[4]){ s->cin, s->cout, s->k, s->k }, 4, s->cin));
	TRY(optional(f, s->bias, s->cout, &o->bias));
	TRY(poisoned(f, pixels * s->k * s->k * s->cout, &o->y));
	o->op = (struct sb_op){ .id = SB_OP_CONV_TRANSPOSE,
		.u.conv_transpose = {
		        .x = o->x.at,
		        .w = o->w.at,
		        .bias = o->bias.at,
		        .y = o->y.at,
		        .n = s->n,
		        .h = s->h,
		        .width = s->w,
		        .cin = s->cin,
		        .cout = s->cout,
		        .k = s->k,
		} };
	return SB_OK;
}

static enum sb_status open_conv(struct filler *f, struct sb_micro_operands *o)
{
	const struct sb_micro_conv *s = &o->shape->u.conv;
	int64_t ho = (s->h + 2 * s->pad - s->k) / s->stride + 1, wo = (s->w + 2 * s->pad - s->k) / s->stride + 1;
	int64_t out = s->n * ho * wo * s->cout;

	if (s->transposed)
		return open_transposed(f, o);
	TRY(filled(f, s->n * s->h * s->w * s->cin, &o->x));
	TRY(weight(f, o, SB_WEIGHT_CONV, (const int64_t[4]){ s->cout, s->cin, s->k, s->k }, 4, s->k * s->k * s->cin));
	TRY(optional(f, s->bias, s->cout, &o->bias));
	TRY(optional(f, s->residual, out, &o->residual));
	TRY(optional(f, s->residual2, out, &o->residual2));
	TRY(poisoned(f, out, &o->y));
	o->op = (struct sb_op){ .id = SB_OP_CONV,
		.u.conv = {
		        .x = o->x.at,
		        .w = o->w.at,
		        .bias = o->bias.at,
		        .residual = o->residual.at,
		        .residual2 = o->residual2.at,
		        .y = o->y.at,
		        .n = s->n,
		        .h = s->h,
		        .width = s->w,
		        .cin = s->cin,
		        .cout = s->cout,
		        .kh = s->k,
		        .kw = s->k,
		        .stride = s->stride,
		        .pad = s->pad,
		        .relu_in = s->relu_in,
		        .relu_out = s->relu_out,
		        .residual_relu = s->residual,
		} };
	return SB_OK;
}

static enum sb_status open_attention(struct filler *f, struct sb_micro_operands *o)
{
	const struct sb_micro_attention *s = &o->shape->u.attention;
	int64_t inner = s->heads * s->dim, q_ld = s->packed ? 3 * inner : inner,
	        k_ld = s->packed ? 3 * inner : 2 * inner;
	int64_t q_rows = (s->batch - 1) * s->q_batch + (s->lq - 1) * s->q_row + 1;
	int64_t k_rows = (s->batch - 1) * s->k_batch + (s->lk - 1) * s->k_row + 1;
	const struct sb_attention_strides ks = { s->k_batch * k_ld, s->dim, s->k_row * k_ld };
	const float *k;

	TRY(filled(f, q_rows * q_ld, &o->x));
	TRY(optional(f, !s->packed, k_rows * k_ld, &o->w));
	TRY(poisoned(f, q_rows * inner, &o->y));
	k = s->packed ? o->x.at + inner : o->w.at;
	o->op = (struct sb_op){ .id = SB_OP_ATTENTION,
		.u.attention = {
		        .q = o->x.at,
		        .k = k,
		        .v = k + inner,
		        .o = o->y.at,
		        .qs = { s->q_batch * q_ld, s->dim, s->q_row * q_ld },
		        .ks = ks,
		        .vs = ks,
		        .os = { s->q_batch * inner, s->dim, s->q_row * inner },
		        .batch = s->batch,
		        .heads = s->heads,
		        .lq = s->lq,
		        .lk = s->lk,
		        .dim = s->dim,
		        /* Four times the network's: scores of size 1.3, so that keys do not all weigh the same. */
		        .scale = 4.0f / sqrtf((float)s->dim),
		} };
	return SB_OK;
}

enum sb_status sb_micro_operands_open(struct sb_micro_operands *o, const struct sb_micro_shape *s,
        struct sb_backend *be, const float *pool, const float *pool_device, struct sb_error *err)
{
	struct filler f = { .be = be, .pool = pool, .pool_device = pool_device, .next = 31415, .err = err };

	*o = (struct sb_micro_operands){ .shape = s, .pool = pool };
	switch (s->op) {
	case SB_MICRO_GEMM:
		return open_linear(&f, o);
	case SB_MICRO_CONV:
		return open_conv(&f, o);
	case SB_MICRO_ATTENTION:
		return open_attention(&f, o);
	}
	SB_BUG("op %d", (int)s->op);
}

void sb_micro_operands_release(struct sb_micro_operands *o)
{
	free(o->weight);
	o->weight = NULL;
}
