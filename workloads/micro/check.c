/*
 * Is an output right? Sums in double over the very operands, which the host knows without holding them: see
 * SB_MICRO_POOL. And the same sums in float, as the formula is written, whose error says what rounding may do.
 */
#include "micro_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One rounding of a result. */
#define SLACK 6e-8
/* Multiply-adds of a check, and the fewest and most outputs (rows of attention) that it looks at. */
#define WORK_MAX   1e6
#define FEWEST     128
#define MOST       1024
#define ROWS_MOST  256
#define ROWS_LEAST 8

#define TRY(call)                             \
	do {                                  \
		enum sb_status try_ = (call); \
		if (try_)                     \
			return try_;          \
	} while (0)

/* An eighth of the largest deviation counts as much as the root mean square: one bad output among many shows. */
#define WORST_SHARE 0.125

/* Over the outputs looked at: sums of squares, and the largest deviation. NaN stays. */
struct deviation {
	double got, plain, want, worst;
	int64_t n;
};

static void compare(struct deviation *d, float got, double want, float plain)
{
	double off = fabs((double)got - want);

	d->got += off * off;
	d->worst = off > d->worst ? off : d->worst;
	d->plain += ((double)plain - want) * ((double)plain - want);
	d->want += want * want;
	d->n++;
}

/* n consecutive values of a tensor. */
static void gather(
        const struct sb_micro_operands *o, const struct sb_micro_tensor *t, int64_t first, int64_t n, float *out)
{
	for (int64_t i = 0, j = sb_micro_pool_index(t, first); i < n; i++, j = j + 1 == SB_MICRO_POOL ? 0 : j + 1)
		out[i] = o->pool[j];
}

static float value(const struct sb_micro_operands *o, const struct sb_micro_tensor *t, int64_t i)
{
	return o->pool[sb_micro_pool_index(t, i)];
}

/* ---- linear, conv: an output is a product of two rows, and what follows -------------------------------------- */

struct rows {
	int64_t depth;
	float *x, *w;   /* [depth] */
	float *rx, *rw; /* the same, rounded where the level says so */
};

/* The two rows of output i, and where the output stands in y. */
static int64_t linear_rows(const struct sb_micro_operands *o, int64_t i, struct rows *r)
{
	const struct sb_micro_linear *s = &o->shape->u.linear;
	int64_t row = i / s->out, col = i % s->out;

	gather(o, &o->x, row * s->in, s->in, r->x);
	memcpy(r->w, o->weight + col * s->in, (size_t)s->in * sizeof(float));
	return row * s->ld + col;
}

static int64_t conv_rows(const struct sb_micro_operands *o, int64_t i, struct rows *r)
{
	const struct sb_micro_conv *s = &o->shape->u.conv;
	int64_t ho = (s->h + 2 * s->pad - s->k) / s->stride + 1, wo = (s->w + 2 * s->pad - s->k) / s->stride + 1;
	int64_t c = i % s->cout, px = i / s->cout % wo, py = i / s->cout / wo % ho, image = i / s->cout / wo / ho;
	float *x = r->x, *w = r->w;

	for (int ky = 0; ky < s->k; ky++) {
		for (int kx = 0; kx < s->k; kx++, x += s->cin, w += s->cin) {
			int64_t iy = py * s->stride + ky - s->pad, ix = px * s->stride + kx - s->pad;

			for (int64_t j = 0; j < s->cin; j++)
				w[j] = o->weight[((c * s->cin + j) * s->k + ky) * s->k + kx];
			if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w)
				memset(x, 0, (size_t)s->cin * sizeof(float));
			else
				gather(o, &o->x, ((image * s->h + iy) * s->w + ix) * s->cin, s->cin, x);
		}
	}
	if (s->relu_in)
		for (int64_t j = 0; j < r->depth; j++)
			r->x[j] = r->x[j] > 0.0f ? r->x[j] : 0.0f;
	return i;
}

static int64_t transposed_rows(const struct sb_micro_operands *o, int64_t i, struct rows *r)
{
	const struct sb_micro_conv *s = &o->shape->u.conv;
	int64_t wo = s->w * s->k, ho = s->h * s->k;
	int64_t c = i % s->cout, px = i / s->cout % wo, py = i / s->cout / wo % ho, image = i / s->cout / wo / ho;

	gather(o, &o->x, ((image * s->h + py / s->k) * s->w + px / s->k) * s->cin, s->cin, r->x);
	for (int64_t j = 0; j < s->cin; j++)
		r->w[j] = o->weight[((j * s->cout + c) * s->k + py % s->k) * s->k + px % s->k];
	return i;
}

static double activate(double v, enum sb_act act)
{
	switch (act) {
	case SB_ACT_NONE:
		break;
	case SB_ACT_RELU:
		return v < 0.0 ? 0.0 : v;
	case SB_ACT_SILU:
		return v / (1.0 + exp(-v));
	case SB_ACT_GELU_ERF:
		return 0.5 * v * (1.0 + erf(v * 0.70710678118654752440));
	case SB_ACT_GELU_TANH:
		return 0.5 * v * (1.0 + tanh(0.79788456080286535588 * (v + 0.044715 * v * v * v)));
	}
	return v;
}

static float activate_plain(float v, enum sb_act act)
{
	switch (act) {
	case SB_ACT_NONE:
		break;
	case SB_ACT_RELU:
		return v < 0.0f ? 0.0f : v;
	case SB_ACT_SILU:
		return v / (1.0f + expf(-v));
	case SB_ACT_GELU_ERF:
		return 0.5f * v * (1.0f + erff(v * 0.70710678f));
	case SB_ACT_GELU_TANH:
		return 0.5f * v * (1.0f + tanhf(0.79788456f * (v + 0.044715f * v * v * v)));
	}
	return v;
}

/* What comes after the product of output i of `cols` a row, which stands at `at`. */
struct after {
	enum sb_act act;
	float bias, gamma, residual, residual2; /* gamma 1, the rest 0 where there is none */
};

static struct after after_of(const struct sb_micro_operands *o, int64_t i, int64_t cols, int64_t at)
{
	struct after a = { .act = SB_ACT_NONE, .gamma = 1.0f };

	if (o->bias.at)
		a.bias = value(o, &o->bias, i % cols);
	if (o->gamma.at)
		a.gamma = value(o, &o->gamma, i % cols);
	if (o->residual.at) /* of a convolution: its ReLU */
		a.residual = fmaxf(value(o, &o->residual, i), 0.0f);
	if (o->residual2.at)
		a.residual2 = value(o, &o->residual2, i);
	if (o->shape->op == SB_MICRO_GEMM) {
		a.act = o->shape->u.linear.act;
		if (o->shape->u.linear.residual)
			a.residual = value(o, &o->y, at);
	} else if (o->shape->u.conv.relu_out) {
		a.act = SB_ACT_RELU;
	}
	return a;
}

static double exact_output(const struct rows *r, const struct after *a)
{
	double sum = 0.0;

	for (int64_t k = 0; k < r->depth; k++)
		sum += (double)r->x[k] * (double)r->w[k];
	return (double)a->gamma * activate(sum + (double)a->bias, a->act) + (double)a->residual + (double)a->residual2;
}

static float plain_output(const struct rows *r, const struct after *a)
{
	float sum = 0.0f;

	for (int64_t k = 0; k < r->depth; k++)
		sum += r->rx[k] * r->rw[k];
	return a->gamma * activate_plain(sum + a->bias, a->act) + a->residual + a->residual2;
}

static void round_rows(const struct rows *r, bool tf32)
{
	if (tf32) {
		sb_tf32_round_cpu(r->x, r->rx, (size_t)r->depth);
		sb_tf32_round_cpu(r->w, r->rw, (size_t)r->depth);
	} else {
		memcpy(r->rx, r->x, (size_t)r->depth * sizeof(float));
		memcpy(r->rw, r->w, (size_t)r->depth * sizeof(float));
	}
}

static enum sb_status wait(struct sb_backend *be, struct sb_error *err)
{
	return be->ops->sync(be, err);
}

static enum sb_status download(struct sb_backend *be, const float *src, float *dst, int64_t n, struct sb_error *err)
{
	return SB_SUBMIT(
	        be, DOWNLOAD, download, ((struct sb_transfer_args){ dst, src, (size_t)n * sizeof(float) }), err);
}

/* Output `k` of those looked at: all in order, or the first, the last and drawn ones. */
static int64_t choose(int64_t k, int64_t looked_at, int64_t all, uint64_t *seed)
{
	if (looked_at == all)
		return k;
	return k == 0 ? 0 : k == 1 ? all - 1 : (int64_t)sb_random_below(seed, (uint64_t)all);
}

struct products {
	int64_t outputs, cols, depth;
	int64_t (*rows)(const struct sb_micro_operands *o, int64_t i, struct rows *r);
};

static struct products products_of(const struct sb_micro_operands *o)
{
	const struct sb_micro_linear *l = &o->shape->u.linear;
	const struct sb_micro_conv *c = &o->shape->u.conv;

	if (o->shape->op == SB_MICRO_GEMM)
		return (struct products){ l->rows * l->out, l->out, l->in, linear_rows };
	if (c->transposed)
		return (struct products){ o->y.n, c->cout, c->cin, transposed_rows };
	return (struct products){ o->y.n, c->cout, c->k * c->k * c->cin, conv_rows };
}

static enum sb_status check_products(const struct sb_micro_operands *o, struct sb_backend *be, bool tf32, uint64_t seed,
        struct deviation *d, struct sb_error *err)
{
	struct products p = products_of(o);
	int64_t n = (int64_t)(WORK_MAX / (double)p.depth);
	struct rows r = { .depth = p.depth };
	float *memory, *got;
	enum sb_status status = SB_OK;
	uint64_t again = seed;

	n = n < FEWEST ? FEWEST : n > MOST ? MOST : n;
	n = n < p.outputs ? n : p.outputs;
	memory = calloc((size_t)(4 * p.depth + n), sizeof(float));
	if (!memory)
		return sb_fail(err, SB_E_NOMEM, "no memory for a check of %lld outputs", (long long)n);
	r.x = memory;
	r.w = r.x + p.depth;
	r.rx = r.w + p.depth;
	r.rw = r.rx + p.depth;
	got = r.rw + p.depth;
	for (int64_t k = 0; k < n && !status; k++) {
		int64_t i = choose(k, n, p.outputs, &seed);
		int64_t ld = o->shape->op == SB_MICRO_GEMM ? o->shape->u.linear.ld : p.cols;

		status = download(be, o->y.at + i / p.cols * ld + i % p.cols, &got[k], 1, err);
	}
	if (!status)
		status = wait(be, err);
	else
		(void)wait(be, NULL); /* the copies before the one that failed are on their way to `got` */
	for (int64_t k = 0; k < n && !status; k++) {
		int64_t i = choose(k, n, p.outputs, &again), at = p.rows(o, i, &r);
		const struct after a = after_of(o, i, p.cols, at);

		round_rows(&r, tf32);
		compare(d, got[k], exact_output(&r, &a), plain_output(&r, &a));
	}
	free(memory);
	return status;
}

/* ---- attention: a row of outputs is a softmax over all keys ---------------------------------------------------- */

struct attention {
	const struct sb_micro_operands *o;
	const struct sb_attention_args *a;
	bool tf32, efficient;
	float *q, *k, *v, *got, *rq, *plain; /* [dim] */
	double *exact;                       /* [dim] */
	float *s;                            /* [lk] */
	double *t;                           /* [lk] */
};

/* One head's part of a row of q, k or v: the tensor it is in, and where. */
static void gather_head(const struct attention *w, const float *at, int64_t offset, float *out)
{
	const struct sb_micro_operands *o = w->o;
	const struct sb_micro_tensor *t = o->w.at && at >= o->w.at && at < o->w.at + o->w.n ? &o->w : &o->x;

	gather(o, t, at - t->at + offset, w->a->dim, out);
}

static void round_if(const struct attention *w, float *x, int64_t n)
{
	if (w->tf32)
		sb_tf32_round_cpu(x, x, (size_t)n);
}

/* Scores of one query with every key, exact and plain; returns the larger ones' values in *top, *plain_top. */
static void scores(const struct attention *w, int64_t b, int64_t h, double *top, float *plain_top)
{
	const struct sb_attention_args *a = w->a;

	*top = -INFINITY;
	*plain_top = -INFINITY;
	for (int64_t j = 0; j < a->lk; j++) {
		double exact = 0.0;
		float plain = 0.0f;

		gather_head(w, a->k, b * a->ks.batch + h * a->ks.head + j * a->ks.row, w->k);
		for (int d = 0; d < a->dim; d++)
			exact += (double)w->q[d] * (double)w->k[d];
		round_if(w, w->k, a->dim);
		for (int d = 0; d < a->dim; d++)
			plain += w->rq[d] * w->k[d];
		w->t[j] = exact * (double)a->scale;
		w->s[j] = plain * a->scale;
		*top = fmax(*top, w->t[j]);
		*plain_top = fmaxf(*plain_top, w->s[j]);
	}
}

/* The weighted sum of the values. `standard` rounds the weights after the division, `efficient` before it. */
static void weigh(const struct attention *w, int64_t b, int64_t h, double sum, float plain_sum)
{
	const struct sb_attention_args *a = w->a;

	memset(w->exact, 0, (size_t)a->dim * sizeof(*w->exact));
	memset(w->plain, 0, (size_t)a->dim * sizeof(*w->plain));
	for (int64_t j = 0; j < a->lk; j++) {
		float p = w->efficient ? w->s[j] : w->s[j] / plain_sum;

		gather_head(w, a->v, b * a->vs.batch + h * a->vs.head + j * a->vs.row, w->v);
		for (int d = 0; d < a->dim; d++)
			w->exact[d] += w->t[j] / sum * (double)w->v[d];
		round_if(w, w->v, a->dim);
		round_if(w, &p, 1);
		for (int d = 0; d < a->dim; d++)
			w->plain[d] += p * w->v[d];
	}
	for (int d = 0; d < a->dim && w->efficient; d++)
		w->plain[d] /= plain_sum;
}

static void check_row(const struct attention *w, int64_t b, int64_t h, int64_t i, struct deviation *out)
{
	const struct sb_attention_args *a = w->a;
	double top, sum = 0.0;
	float plain_top, plain_sum = 0.0f;

	gather_head(w, a->q, b * a->qs.batch + h * a->qs.head + i * a->qs.row, w->q);
	memcpy(w->rq, w->q, (size_t)a->dim * sizeof(*w->rq));
	round_if(w, w->rq, a->dim);
	scores(w, b, h, &top, &plain_top);
	for (int64_t j = 0; j < a->lk; j++) {
		w->t[j] = exp(w->t[j] - top);
		w->s[j] = expf(w->s[j] - plain_top);
		sum += w->t[j];
		plain_sum += w->s[j];
	}
	weigh(w, b, h, sum, plain_sum);
	for (int d = 0; d < a->dim; d++)
		compare(out, w->got[d], w->exact[d], w->plain[d]);
}

static enum sb_status check_rows(
        struct attention *w, struct sb_backend *be, uint64_t seed, struct deviation *d, struct sb_error *err)
{
	const struct sb_attention_args *a = w->a;
	int64_t all = a->batch * a->heads * a->lq, n = (int64_t)(WORK_MAX / (double)(2 * a->lk * a->dim));

	n = n < ROWS_LEAST ? ROWS_LEAST : n > ROWS_MOST ? ROWS_MOST : n;
	n = n < all ? n : all;
	for (int64_t k = 0; k < n; k++) {
		int64_t row = choose(k, n, all, &seed), i = row % a->lq, h = row / a->lq % a->heads;
		int64_t b = row / a->lq / a->heads;

		TRY(download(be, a->o + b * a->os.batch + h * a->os.head + i * a->os.row, w->got, a->dim, err));
		TRY(wait(be, err));
		check_row(w, b, h, i, d);
	}
	return SB_OK;
}

static enum sb_status check_attention(const struct sb_micro_operands *o, struct sb_backend *be, bool tf32,
        uint64_t seed, struct deviation *d, struct sb_error *err)
{
	const struct sb_attention_args *a = &o->op.u.attention;
	size_t dim = (size_t)a->dim, lk = (size_t)a->lk;
	double *doubles = calloc(dim + lk, sizeof(*doubles));
	float *floats = calloc(6 * dim + lk, sizeof(*floats));
	struct attention w = { .o = o,
		.a = a,
		.tf32 = tf32,
		.efficient = be->levels.part[SB_PART_ATTENTION] == SB_ATTENTION_EFFICIENT,
		.exact = doubles,
		.q = floats };
	enum sb_status status;

	if (doubles && floats) {
		w.t = doubles + dim;
		w.k = w.q + dim;
		w.v = w.k + dim;
		w.got = w.v + dim;
		w.rq = w.got + dim;
		w.plain = w.rq + dim;
		w.s = w.plain + dim;
		status = check_rows(&w, be, seed, d, err);
	} else {
		status = sb_fail(err, SB_E_NOMEM, "no memory for a check of %zu keys", lk);
	}
	free(doubles);
	free(floats);
	return status;
}

enum sb_status sb_micro_check_run(const struct sb_micro_operands *o, struct sb_backend *be, bool tf32, uint64_t seed,
        struct sb_micro_check *out, struct sb_error *err)
{
	struct deviation d = { 0 };

	if (o->shape->op == SB_MICRO_ATTENTION)
		TRY(check_attention(o, be, tf32, seed, &d, err));
	else
		TRY(check_products(o, be, tf32, seed, &d, err));
	out->error = sqrt(d.got / d.want); /* NaN if one is */
	if (out->error < WORST_SHARE * d.worst / sqrt(d.want / (double)d.n))
		out->error = WORST_SHARE * d.worst / sqrt(d.want / (double)d.n);
	out->limit = 2.0 * sqrt(d.plain / d.want) + SLACK;
	out->checked = d.n;
	return SB_OK;
}
