/*
 * linear against its double reference. The limit is twice the error of the same maths done plainly in that precision:
 * one float sum after the other, TF32 operands rounded to nearest.
 */
#include "backend_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLACK 6e-8 /* one rounding of the result */

/* Of a buffer with row stride ld: its rows alone, dense. */
static float *dense(const float *x, int64_t rows, int64_t cols, int64_t ld)
{
	float *y = need((size_t)(rows * cols) * sizeof(*y));

	for (int64_t r = 0; r < rows; r++)
		memcpy(y + r * cols, x + r * ld, (size_t)cols * sizeof(*y));
	return y;
}

/* Whether what lies between the rows is still poison. */
static bool gaps_untouched(const float *y, int64_t rows, int64_t cols, int64_t ld)
{
	for (int64_t r = 0; r < rows; r++)
		for (int64_t c = cols; c < ld; c++)
			if (!isnan(y[r * ld + c]))
				return false;
	return true;
}

/* ---- linear ----------------------------------------------------------------------------------------------------- */

struct linear_case {
	int64_t rows, in, out, pad_x, pad_w, pad_r, pad_y; /* pads: floats between rows */
	enum sb_act act;
	bool bias, gamma, residual, in_place;
};

struct linear_data {
	struct sb_linear_args a; /* host */
	int64_t n_x, n_w, n_r, n_y;
};

static struct linear_data linear_data(const struct linear_case *c)
{
	struct linear_data d = {
		.a = { .rows = c->rows,
		        .in = c->in,
		        .out = c->out,
		        .ldx = c->in + c->pad_x,
		        .ldw = c->in + c->pad_w,
		        .ldr = c->out + (c->in_place ? c->pad_y : c->pad_r),
		        .ldy = c->out + c->pad_y,
		        .act = c->act },
	};

	d.n_x = c->rows * d.a.ldx;
	d.n_w = c->out * d.a.ldw;
	d.n_r = c->rows * d.a.ldr;
	d.n_y = c->rows * d.a.ldy;
	d.a.x = random_floats(d.n_x, 1);
	d.a.w = random_floats(d.n_w, 2);
	d.a.bias = c->bias ? random_floats(c->out, 3) : NULL;
	d.a.gamma = c->gamma ? random_floats(c->out, 4) : NULL;
	d.a.residual = c->residual ? random_floats(d.n_r, 5) : NULL;
	d.a.y = poison(d.n_y);
	return d;
}

static void linear_release(struct linear_data *d)
{
	free((void *)(uintptr_t)d->a.x);
	free((void *)(uintptr_t)d->a.w);
	free((void *)(uintptr_t)d->a.bias);
	free((void *)(uintptr_t)d->a.gamma);
	free((void *)(uintptr_t)d->a.residual);
	free(d->a.y);
}

/* y of the op on the device, whole; the caller frees. */
static float *linear_on_device(struct sb_backend *be, const struct linear_data *d, bool in_place, const char **kernel)
{
	struct sb_op op = { .id = SB_OP_LINEAR, .u.linear = d->a };
	struct sb_linear_args *a = &op.u.linear;
	float *y = need((size_t)d->n_y * sizeof(*y) + 4);

	a->x = to_device(be, d->a.x, d->n_x);
	a->w = to_device(be, d->a.w, d->n_w);
	a->bias = to_device(be, d->a.bias, d->a.out);
	a->gamma = to_device(be, d->a.gamma, d->a.out);
	a->y = to_device(be, in_place ? d->a.residual : d->a.y, d->n_y);
	a->residual = in_place ? a->y : to_device(be, d->a.residual, d->n_r);
	submit(be, &op);
	*kernel = be->kernel;
	from_device(be, a->y, y, d->n_y);
	drop(be, a->x);
	drop(be, a->w);
	drop(be, a->bias);
	drop(be, a->gamma);
	if (!in_place)
		drop(be, a->residual);
	drop(be, a->y);
	return y;
}

static float *run_reference(const struct linear_data *d)
{
	struct sb_linear_args a = d->a;

	a.y = poison(d->n_y);
	sb_linear_ref(&a);
	return a.y;
}

static float activate(float v, enum sb_act act)
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

/* One output in float, as the formula is written. */
static float plain_output(const struct sb_linear_args *a, const float *x, const float *w, int64_t r, int64_t c)
{
	float sum = 0.0f;

	for (int64_t k = 0; k < a->in; k++)
		sum += x[r * a->ldx + k] * w[c * a->ldw + k];
	sum = activate(sum + (a->bias ? a->bias[c] : 0.0f), a->act);
	if (a->gamma)
		sum *= a->gamma[c];
	return a->residual ? a->residual[r * a->ldr + c] + sum : sum;
}

static float *run_plain(const struct linear_data *d, bool tf32)
{
	const struct sb_linear_args *a = &d->a;
	float *y = poison(d->n_y), *x = need((size_t)d->n_x * sizeof(*x)), *w = need((size_t)d->n_w * sizeof(*w));

	memcpy(x, a->x, (size_t)d->n_x * sizeof(*x));
	memcpy(w, a->w, (size_t)d->n_w * sizeof(*w));
	if (tf32) {
		sb_tf32_round_cpu(x, x, (size_t)d->n_x);
		sb_tf32_round_cpu(w, w, (size_t)d->n_w);
	}
#pragma omp parallel for schedule(static)
	for (int64_t r = 0; r < a->rows; r++)
		for (int64_t c = 0; c < a->out; c++)
			y[r * a->ldy + c] = plain_output(a, x, w, r, c);
	free(x);
	free(w);
	return y;
}

static double against(const float *y, const float *want, const struct sb_linear_args *a)
{
	float *got = dense(y, a->rows, a->out, a->ldy), *ref = dense(want, a->rows, a->out, a->ldy);
	double error = relative_error(got, ref, a->rows * a->out);

	free(got);
	free(ref);
	return error;
}

static void check_linear(struct sb_backend *be, const struct linear_case *c, bool tf32)
{
	static const char *const acts[] = { "", " relu", " silu", " gelu", " gelu-tanh" };
	struct linear_data d = linear_data(c);
	float *exact = run_reference(&d), *plain = run_plain(&d, tf32);
	const char *kernel;
	float *y = linear_on_device(be, &d, c->in_place, &kernel);
	char name[128];

	snprintf(name, sizeof(name), "linear %s %lldx%lldx%lld%s%s%s%s%s %s", tf32 ? "tf32" : "fp32",
	        (long long)c->rows, (long long)c->out, (long long)c->in, acts[c->act], c->bias ? " bias" : "",
	        c->gamma ? " gamma" : "",
	        c->in_place   ? " in-place"
	        : c->residual ? " residual"
	                      : "",
	        c->pad_x + c->pad_w + c->pad_r + c->pad_y ? " strides" : "", kernel);
	check(name, against(y, exact, &d.a), 2.0 * against(plain, exact, &d.a) + SLACK);
	if (!c->in_place && !gaps_untouched(y, d.a.rows, d.a.out, d.a.ldy))
		check_that(name, false, "wrote between the rows");
	free(exact);
	free(plain);
	free(y);
	linear_release(&d);
}

/* TF32 where it was asked for, and only there: the error says so, whatever the kernel's name. */
static void check_precision(struct sb_backend *be, bool tf32)
{
	const struct linear_case c = { .rows = 1024, .in = 1024, .out = 1024 };
	struct linear_data d = linear_data(&c);
	const char *kernel;
	float *exact = run_reference(&d), *y = linear_on_device(be, &d, false, &kernel);
	double error = against(y, exact, &d.a);

	check_that("the kernel's name says the precision", strstr(kernel, tf32 ? "tf32" : "fp32") != NULL, kernel);
	if (tf32)
		check("1 / (the error of TF32, which is 3e-4, in 1e-4)", 1e-4 / error, 1.0);
	else
		check("no TF32 in fp32: error of 1024^3", error, 2e-6);
	free(exact);
	free(y);
	linear_release(&d);
}

static void check_linears(struct sb_backend *be, bool quick, bool tf32)
{
	static const struct linear_case odd[] = {
		{ .rows = 1, .in = 1, .out = 1 },
		{ .rows = 1, .in = 7, .out = 5, .bias = true },
		{ .rows = 3, .in = 1024, .out = 9, .bias = true, .gamma = true, .residual = true },
		{ .rows = 127, .in = 33, .out = 65, .bias = true, .act = SB_ACT_RELU },
		{ .rows = 129, .in = 384, .out = 130, .bias = true, .act = SB_ACT_SILU, .pad_y = 3 },
		{ .rows = 200, .in = 1110, .out = 384, .bias = true, .pad_x = 2, .pad_y = 150 },
		{ .rows = 100, .in = 2401, .out = 256, .bias = true, .act = SB_ACT_GELU_ERF, .pad_w = 7 },
		{ .rows = 65, .in = 1260, .out = 1110, .bias = true },
		{ .rows = 64, .in = 126, .out = 84, .bias = true, .act = SB_ACT_GELU_TANH, .pad_y = 1176 },
		{ .rows = 50, .in = 64, .out = 64, .residual = true, .pad_r = 5 },
		{ .rows = 50, .in = 64, .out = 64, .bias = true, .residual = true, .in_place = true, .pad_y = 2 },
		{ .rows = 50, .in = 64, .out = 63, .bias = true, .gamma = true, .residual = true, .in_place = true },
		{ .rows = 50, .in = 64, .out = 64, .bias = true, .residual = true, .act = SB_ACT_RELU },
		{ .rows = 77, .in = 96, .out = 32, .gamma = true, .pad_x = 4, .pad_w = 4, .pad_y = 4 },
	};
	static const enum sb_act acts[] = { SB_ACT_NONE, SB_ACT_RELU, SB_ACT_SILU, SB_ACT_GELU_ERF, SB_ACT_GELU_TANH };

	for (size_t i = 0; i < SB_ARRAY_LEN(odd); i++)
		check_linear(be, &odd[i], tf32);
	for (size_t i = 0; i < SB_ARRAY_LEN(acts) && !quick; i++)
		for (int with = 0; with < 8; with++) {
			struct linear_case c = { .rows = 260,
				.in = 256,
				.out = 192,
				.act = acts[i],
				.bias = with & 1,
				.gamma = with & 2,
				.residual = with & 4,
				.in_place = (with & 4) && i % 2 };

			check_linear(be, &c, tf32);
		}
	check_precision(be, tf32);
	if (quick)
		return;
	check_linear(be, &(struct linear_case){ .rows = 782, .in = 1024, .out = 3072, .bias = true }, tf32);
	check_linear(be,
	        &(struct linear_case){ .rows = 782,
	                .in = 4096,
	                .out = 1024,
	                .bias = true,
	                .gamma = true,
	                .residual = true,
	                .in_place = true },
	        tf32);
}

/* The same of standard attention, whose products are another library's. TF32 is 3e-4 of its results, FP32 3e-7. */
static void check_attention_precision(struct sb_backend *be, bool tf32)
{
	enum { HEADS = 4, LENGTH = 600, DIM = 64, N = HEADS * LENGTH * DIM };
	const struct sb_attention_strides strides = { N, LENGTH * DIM, DIM };
	struct sb_attention_args a = { .q = random_floats(N, 1),
		.k = random_floats(N, 2),
		.v = random_floats(N, 3),
		.o = poison(N),
		.qs = strides,
		.ks = strides,
		.vs = strides,
		.os = strides,
		.batch = 1,
		.heads = HEADS,
		.lq = LENGTH,
		.lk = LENGTH,
		.dim = DIM,
		.scale = 0.125f };
	struct sb_op op = { .id = SB_OP_ATTENTION, .u.attention = a };
	float *got = poison(N);
	double error;

	op.u.attention.q = to_device(be, a.q, N);
	op.u.attention.k = to_device(be, a.k, N);
	op.u.attention.v = to_device(be, a.v, N);
	op.u.attention.o = to_device(be, got, N);
	submit(be, &op);
	from_device(be, op.u.attention.o, got, N);
	sb_attention_ref(&a);
	error = relative_error(got, a.o, N);
	if (tf32)
		check("1 / (the error of TF32 in standard attention, which is 3e-4, in 1e-4)", 1e-4 / error, 1.0);
	else
		check("no TF32 in standard attention at fp32: error", error, 1e-5);
	drop(be, op.u.attention.q);
	drop(be, op.u.attention.k);
	drop(be, op.u.attention.v);
	drop(be, op.u.attention.o);
	free((void *)(uintptr_t)a.q);
	free((void *)(uintptr_t)a.k);
	free((void *)(uintptr_t)a.v);
	free(a.o);
	free(got);
}

void check_products(bool quick)
{
	for (int tf32 = 0; tf32 < 2; tf32++) {
		struct sb_backend *be = open_way("auto", tf32);

		check_linears(be, quick, tf32);
		check_attention_precision(be, tf32);
		end_levels(be);
		sb_backend_close(be);
	}
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

static void time_linear(struct sb_backend *be, const char *name, struct sb_linear_args a, bool gamma, bool residual)
{
	struct sb_op op = { .id = SB_OP_LINEAR };

	a.ldx = a.ldw = a.in;
	a.ldy = a.ldr = a.out;
	a.x = filled(be, a.rows * a.in);
	a.w = filled(be, a.out * a.in);
	a.bias = filled(be, a.out);
	a.gamma = gamma ? filled(be, a.out) : NULL;
	a.y = filled(be, a.rows * a.out);
	a.residual = residual ? a.y : NULL;
	op.u.linear = a;
	time_op(be, name, &op);
	drop(be, a.x);
	drop(be, a.w);
	drop(be, a.bias);
	drop(be, a.gamma);
	drop(be, a.y);
}

/* The shapes of case (i): 24 frames of 782 tokens; 24 x 1012 tracks. */
void time_products(void)
{
	int64_t t = 24 * 782, tn = 24 * 1012, tile = 2040 * 16;

	for (int tf32 = 0; tf32 < 2; tf32++) {
		struct sb_backend *be = open_way("auto", tf32);

		time_linear(be, "qkv", (struct sb_linear_args){ .rows = t, .in = 1024, .out = 3072 }, false, false);
		time_linear(be, "proj, LayerScale and residual in place",
		        (struct sb_linear_args){ .rows = t, .in = 1024, .out = 1024 }, true, true);
		time_linear(be, "fc1, GELU",
		        (struct sb_linear_args){ .rows = t, .in = 1024, .out = 4096, .act = SB_ACT_GELU_ERF }, false,
		        false);
		time_linear(be, "fc2, LayerScale and residual in place",
		        (struct sb_linear_args){ .rows = t, .in = 4096, .out = 1024 }, true, true);
		time_linear(be, "tracker fc1, GELU",
		        (struct sb_linear_args){ .rows = tn, .in = 384, .out = 1536, .act = SB_ACT_GELU_TANH }, false,
		        false);
		time_linear(be, "tracker fc2, residual in place",
		        (struct sb_linear_args){ .rows = tn, .in = 1536, .out = 384 }, false, true);
		time_linear(be, "tracker 1110 -> 384", (struct sb_linear_args){ .rows = tn, .in = 1110, .out = 384 },
		        false, false);
		time_linear(be, "pointformer 128 -> 256",
		        (struct sb_linear_args){ .rows = 16 * tn, .in = 128, .out = 256 }, false, false);
		time_linear(be, "pointformer tile fc1 128 -> 512, GELU",
		        (struct sb_linear_args){ .rows = tile, .in = 128, .out = 512, .act = SB_ACT_GELU_TANH }, false,
		        false);
		time_linear(be, "pointformer tile 128 -> 128",
		        (struct sb_linear_args){ .rows = tile, .in = 128, .out = 128 }, false, true);
		time_linear(be, "pointformer tile 256 -> 256, GELU",
		        (struct sb_linear_args){ .rows = tile, .in = 256, .out = 256, .act = SB_ACT_GELU_ERF }, false,
		        false);
		time_linear(be, "one row, 1024 -> 4096", (struct sb_linear_args){ .rows = 1, .in = 1024, .out = 4096 },
		        false, false);
		time_linear(
		        be, "8192^3", (struct sb_linear_args){ .rows = 8192, .in = 8192, .out = 8192 }, false, false);
		end_levels(be);
		sb_backend_close(be);
	}
}
