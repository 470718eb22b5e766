/*
 * conv and conv_transpose, every way that they can go, against their double references. The limit is twice the error of
 * the same maths done plainly in that precision: one float sum after the other, TF32 operands rounded to nearest.
 */
#include "backend_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLACK 6e-8 /* one rounding of the result */

/* The ways a convolution can go: as the backend chooses, by cuDNN, by kernels of ours wherever they fit, by windows. */
static const char *const ways[] = { "auto", "cudnn", "kernels", "windows" };

static int64_t out_pixels(const struct sb_conv_args *a)
{
	return a->n * ((a->h + 2 * a->pad - a->kh) / a->stride + 1) * ((a->width + 2 * a->pad - a->kw) / a->stride + 1);
}

enum residuals { NO_RESIDUAL, RESIDUAL = 1, RESIDUAL2 = 2, IN_PLACE = 4 };

static float relu_if(float v, int on)
{
	return on && v < 0.0f ? 0.0f : v;
}

/* The sum of one window in float, as the formula is written. */
static float plain_window(const struct sb_conv_args *a, const float *x, const float *w, int64_t p, int64_t o)
{
	int64_t ho = (a->h + 2 * a->pad - a->kh) / a->stride + 1, wo = (a->width + 2 * a->pad - a->kw) / a->stride + 1;
	int64_t image = p / (ho * wo), y0 = p / wo % ho * a->stride - a->pad, x0 = p % wo * a->stride - a->pad;
	float sum = 0.0f;

	for (int64_t ky = 0; ky < a->kh; ky++)
		for (int64_t kx = 0; kx < a->kw; kx++) {
			const float *xs = x + ((image * a->h + y0 + ky) * a->width + x0 + kx) * a->cin;
			const float *ws = w + ((o * a->kh + ky) * a->kw + kx) * a->cin;

			if (y0 + ky < 0 || y0 + ky >= a->h || x0 + kx < 0 || x0 + kx >= a->width)
				continue;
			for (int64_t c = 0; c < a->cin; c++)
				sum += relu_if(xs[c], a->relu_in) * ws[c];
		}
	return sum;
}

static float *conv_plain(const struct sb_conv_args *a, bool tf32)
{
	int64_t n_x = a->n * a->h * a->width * a->cin, n_w = a->cout * a->kh * a->kw * a->cin, pixels = out_pixels(a);
	float *x = need((size_t)n_x * sizeof(*x)), *w = need((size_t)n_w * sizeof(*w)), *y = poison(pixels * a->cout);

	memcpy(x, a->x, (size_t)n_x * sizeof(*x));
	memcpy(w, a->w, (size_t)n_w * sizeof(*w));
	if (tf32) {
		sb_tf32_round_cpu(x, x, (size_t)n_x);
		sb_tf32_round_cpu(w, w, (size_t)n_w);
	}
#pragma omp parallel for schedule(static)
	for (int64_t p = 0; p < pixels; p++)
		for (int64_t o = 0; o < a->cout; o++) {
			int64_t at = p * a->cout + o;
			float v = relu_if(plain_window(a, x, w, p, o) + (a->bias ? a->bias[o] : 0.0f), a->relu_out);

			if (a->residual)
				v += relu_if(a->residual[at], a->residual_relu);
			y[at] = a->residual2 ? v + a->residual2[at] : v;
		}
	free(x);
	free(w);
	return y;
}

static float *conv_reference(struct sb_conv_args a)
{
	a.y = poison(out_pixels(&a) * a.cout);
	sb_conv_ref(&a);
	return a.y;
}

static void check_conv(struct sb_backend *be, struct sb_conv_args a, int residuals, bool tf32)
{
	int64_t n_x = a.n * a.h * a.width * a.cin, n_w = a.cout * a.kh * a.kw * a.cin, n_y = out_pixels(&a) * a.cout;
	float *x = random_floats(n_x, 11), *w = random_floats(n_w, 12), *bias = random_floats(a.cout, 13);
	float *r1 = random_floats(n_y, 14), *r2 = random_floats(n_y, 15), *y = poison(n_y), *got = poison(n_y);
	struct sb_op op = { .id = SB_OP_CONV };
	float *exact, *plain;
	const char *kernel;
	char name[128];

	a.x = x;
	a.w = w;
	a.bias = bias;
	a.y = residuals & IN_PLACE ? r2 : y;
	a.residual = residuals & RESIDUAL ? r1 : NULL;
	a.residual2 = residuals & RESIDUAL2 ? r2 : NULL;
	exact = conv_reference(a);
	plain = conv_plain(&a, tf32);
	op.u.conv = a;
	op.u.conv.x = to_device(be, x, n_x);
	if (tf32) /* as weights are prepared */
		sb_tf32_round_cpu(w, w, (size_t)n_w);
	op.u.conv.w = to_device(be, w, n_w);
	op.u.conv.bias = to_device(be, bias, a.cout);
	op.u.conv.y = to_device(be, a.y, n_y);
	op.u.conv.residual = to_device(be, a.residual, n_y);
	op.u.conv.residual2 = residuals & IN_PLACE ? op.u.conv.y : to_device(be, a.residual2, n_y);
	submit(be, &op);
	kernel = be->kernel;
	from_device(be, op.u.conv.y, got, n_y);
	snprintf(name, sizeof(name), "conv %s %lldx%lldx%lldx%lld->%lld k%dx%d s%d p%d%s%s r%d %s",
	        tf32 ? "tf32" : "fp32", (long long)a.n, (long long)a.h, (long long)a.width, (long long)a.cin,
	        (long long)a.cout, a.kh, a.kw, a.stride, a.pad, a.relu_in ? " in" : "", a.relu_out ? " out" : "",
	        residuals, kernel);
	check(name, relative_error(got, exact, n_y), 2.0 * relative_error(plain, exact, n_y) + SLACK);
	drop(be, op.u.conv.x);
	drop(be, op.u.conv.w);
	drop(be, op.u.conv.bias);
	drop(be, op.u.conv.residual);
	if (!(residuals & IN_PLACE))
		drop(be, op.u.conv.residual2);
	drop(be, op.u.conv.y);
	free(exact);
	free(plain);
	free(x);
	free(w);
	free(bias);
	free(r1);
	free(r2);
	free(y);
	free(got);
}

/* A pixel that is NaN makes all outputs NaN that it is in the window of, whatever comes before or behind. */
static void check_nan(struct sb_backend *be, bool tf32)
{
	struct sb_conv_args a = {
		.n = 1, .h = 9, .width = 8, .cin = 32, .cout = 64, .kh = 3, .kw = 3, .stride = 1, .pad = 1
	};
	int64_t n_x = a.n * a.h * a.width * a.cin, n_w = a.cout * a.kh * a.kw * a.cin, n_y = out_pixels(&a) * a.cout;
	float *x = random_floats(n_x, 41), *w = random_floats(n_w, 42), *bias = random_floats(a.cout, 43), *exact;
	float *got = poison(n_y);
	struct sb_op op = { .id = SB_OP_CONV };
	int wrong = 0;

	x[(4 * a.width + 3) * a.cin + 5] = NAN;
	a.x = x;
	a.w = w;
	a.bias = bias;
	for (int form = 0; form < 4; form++) {
		a.relu_in = form & 1;
		a.relu_out = form >> 1;
		exact = conv_reference(a);
		op.u.conv = a;
		op.u.conv.x = to_device(be, x, n_x);
		op.u.conv.w = to_device(be, w, n_w);
		op.u.conv.bias = to_device(be, bias, a.cout);
		op.u.conv.y = to_device(be, got, n_y);
		submit(be, &op);
		from_device(be, op.u.conv.y, got, n_y);
		for (int64_t i = 0; i < n_y; i++)
			wrong += isnan(got[i]) != isnan(exact[i]);
		drop(be, op.u.conv.x);
		drop(be, op.u.conv.w);
		drop(be, op.u.conv.bias);
		drop(be, op.u.conv.y);
		free(exact);
	}
	check(tf32 ? "conv tf32: outputs that are NaN and should not be, or the other way round"
	           : "conv fp32: outputs that are NaN and should not be, or the other way round",
	        wrong, 0.0);
	free(x);
	free(w);
	free(bias);
	free(got);
}

/* Shapes that kernels of our own take: tiles of 128 pixels, 32, 64, 96 or 128 channels, filled, short and just over. */
static void check_own_convs(struct sb_backend *be, bool quick, bool tf32)
{
	static const int64_t channels[] = { 2, 30, 32, 34, 64, 66, 96, 98, 128, 130, 256 };
	static const int residuals[] = { NO_RESIDUAL, RESIDUAL, RESIDUAL2, RESIDUAL | RESIDUAL2, RESIDUAL2 | IN_PLACE,
		RESIDUAL | RESIDUAL2 | IN_PLACE };
	struct sb_conv_args a = { .n = 1, .h = 11, .width = 12, .cin = 32, .kh = 3, .kw = 3, .stride = 1, .pad = 1 };

	for (size_t i = 0; i < SB_ARRAY_LEN(channels); i++) {
		a.cout = channels[i];
		check_conv(be, a, residuals[i % SB_ARRAY_LEN(residuals)], tf32);
		a.relu_in = !a.relu_in;
		a.relu_out = i % 3 == 0;
		a.residual_relu = i % 2;
	}
	a = (struct sb_conv_args){ .n = 2, .h = 8, .width = 8, .cin = 96, .cout = 64, .kh = 1, .kw = 1, .stride = 1 };
	check_conv(be, a, RESIDUAL, tf32); /* exactly one tile of pixels, three pieces of channels */
	a.stride = 2;
	check_conv(be, a, NO_RESIDUAL, tf32);
	a = (struct sb_conv_args){
		.n = 3, .h = 9, .width = 7, .cin = 64, .cout = 96, .kh = 5, .kw = 3, .stride = 2, .pad = 4
	};
	check_conv(be, a, NO_RESIDUAL, tf32); /* whole windows outside the image */
	if (quick)
		return;
	a = (struct sb_conv_args){ .n = 2,
		.h = 37,
		.width = 66,
		.cin = 256,
		.cout = 256,
		.kh = 3,
		.kw = 3,
		.stride = 1,
		.pad = 1,
		.relu_in = 1 };
	check_conv(be, a, RESIDUAL, tf32);
}

static void check_convs(struct sb_backend *be, bool quick, bool tf32)
{
	static const struct {
		struct sb_conv_args a;
		int residuals;
	} cases[] = {
		{ { .n = 1, .h = 1, .width = 1, .cin = 1, .cout = 1, .kh = 1, .kw = 1, .stride = 1 }, 0 },
		{ { .n = 2, .h = 28, .width = 42, .cin = 3, .cout = 48, .kh = 14, .kw = 14, .stride = 14 }, 0 },
		{ { .n = 2, .h = 31, .width = 17, .cin = 3, .cout = 64, .kh = 7, .kw = 7, .stride = 2, .pad = 3 }, 0 },
		{ { .n = 1, .h = 9, .width = 13, .cin = 5, .cout = 7, .kh = 3, .kw = 3, .stride = 1, .pad = 1 }, 0 },
		{ { .n = 1,
		          .h = 9,
		          .width = 13,
		          .cin = 5,
		          .cout = 7,
		          .kh = 3,
		          .kw = 5,
		          .stride = 2,
		          .pad = 2,
		          .relu_in = 1,
		          .relu_out = 1 },
		        RESIDUAL },
		{ { .n = 2,
		          .h = 12,
		          .width = 10,
		          .cin = 64,
		          .cout = 32,
		          .kh = 3,
		          .kw = 3,
		          .stride = 1,
		          .pad = 1,
		          .relu_in = 1 },
		        0 },
		{ { .n = 2,
		          .h = 12,
		          .width = 10,
		          .cin = 64,
		          .cout = 32,
		          .kh = 3,
		          .kw = 3,
		          .stride = 1,
		          .pad = 1,
		          .relu_out = 1 },
		        0 },
		{ { .n = 2, .h = 12, .width = 10, .cin = 64, .cout = 32, .kh = 3, .kw = 3, .stride = 1, .pad = 1 },
		        RESIDUAL },
		{ { .n = 2,
		          .h = 12,
		          .width = 10,
		          .cin = 64,
		          .cout = 32,
		          .kh = 3,
		          .kw = 3,
		          .stride = 1,
		          .pad = 1,
		          .residual_relu = 1 },
		        RESIDUAL | RESIDUAL2 },
		{ { .n = 2, .h = 12, .width = 10, .cin = 64, .cout = 32, .kh = 3, .kw = 3, .stride = 1, .pad = 1 },
		        RESIDUAL2 | IN_PLACE },
		{ { .n = 2,
		          .h = 12,
		          .width = 10,
		          .cin = 64,
		          .cout = 32,
		          .kh = 3,
		          .kw = 3,
		          .stride = 1,
		          .pad = 1,
		          .residual_relu = 1 },
		        RESIDUAL | RESIDUAL2 | IN_PLACE },
		{ { .n = 2, .h = 12, .width = 10, .cin = 96, .cout = 128, .kh = 1, .kw = 1, .stride = 2 }, 0 },
		{ { .n = 2, .h = 12, .width = 10, .cin = 96, .cout = 128, .kh = 1, .kw = 1, .stride = 1 }, RESIDUAL },
		{ { .n = 2, .h = 12, .width = 10, .cin = 32, .cout = 2, .kh = 1, .kw = 1, .stride = 1, .relu_in = 1 },
		        0 },
	};
	/* Larger than a piece, whose end falls into a row. */
	static const struct sb_conv_args large = { .n = 3,
		.h = 77,
		.width = 83,
		.cin = 128,
		.cout = 4,
		.kh = 3,
		.kw = 3,
		.stride = 1,
		.pad = 1,
		.relu_in = 1 };

	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++)
		check_conv(be, cases[i].a, cases[i].residuals, tf32);
	if (quick)
		return;
	check_conv(be, large, RESIDUAL, tf32);
	check_conv(be, large, RESIDUAL2 | IN_PLACE, tf32);
	check_conv(be, large, RESIDUAL | RESIDUAL2 | IN_PLACE, tf32);
}

static float *transposed_host(struct sb_conv_transpose_args a, int64_t n_y, bool tf32, bool reference)
{
	int64_t n_w = (int64_t)a.k * a.k * a.cin * a.cout;
	float *y = poison(n_y), *w = need((size_t)n_w * sizeof(*w));
	void *work;

	a.y = y;
	a.tf32 = tf32;
	if (reference) {
		sb_conv_transpose_ref(&a);
	} else {
		memcpy(w, a.w, (size_t)n_w * sizeof(*w));
		if (tf32)
			sb_tf32_round_cpu(w, w, (size_t)n_w);
		a.w = w;
		work = need(sb_conv_transpose_cpu_workspace(&a));
		sb_conv_transpose_cpu(&a, work);
		free(work);
	}
	free(w);
	return y;
}

static void check_transposed(struct sb_backend *be, struct sb_conv_transpose_args a, bool bias, bool tf32)
{
	int64_t n_x = a.n * a.h * a.width * a.cin, n_w = (int64_t)a.k * a.k * a.cin * a.cout;
	int64_t n_y = a.n * a.h * a.width * a.k * a.k * a.cout;
	float *x = random_floats(n_x, 21), *w = random_floats(n_w, 22), *b = random_floats(a.cout, 23),
	      *got = poison(n_y);
	struct sb_op op = { .id = SB_OP_CONV_TRANSPOSE };
	float *exact, *plain;
	char name[128];

	a.x = x;
	a.w = w;
	a.bias = bias ? b : NULL;
	exact = transposed_host(a, n_y, false, true);
	plain = transposed_host(a, n_y, tf32, false);
	op.u.conv_transpose = a;
	op.u.conv_transpose.x = to_device(be, x, n_x);
	op.u.conv_transpose.w = to_device(be, w, n_w);
	op.u.conv_transpose.bias = to_device(be, a.bias, a.cout);
	op.u.conv_transpose.y = to_device(be, got, n_y);
	submit(be, &op);
	from_device(be, op.u.conv_transpose.y, got, n_y);
	snprintf(name, sizeof(name), "conv_transpose %s %lldx%lldx%lldx%lld->%lld k%d%s", tf32 ? "tf32" : "fp32",
	        (long long)a.n, (long long)a.h, (long long)a.width, (long long)a.cin, (long long)a.cout, a.k,
	        bias ? " bias" : "");
	check(name, relative_error(got, exact, n_y), 2.0 * relative_error(plain, exact, n_y) + SLACK);
	drop(be, op.u.conv_transpose.x);
	drop(be, op.u.conv_transpose.w);
	drop(be, op.u.conv_transpose.bias);
	drop(be, op.u.conv_transpose.y);
	free(exact);
	free(plain);
	free(x);
	free(w);
	free(b);
	free(got);
}

/* What the device says of its convolutions, with cuDNN not to be had, of another kind, and asked for by a wrong word.
 */
static void check_paths(void)
{
	static const struct {
		const char *way, *file, *path;
	} cases[] = {
		{ "own", "none", "own" },
		{ "auto", "none", "own (no cuDNN: SPABENCH_CUDNN=none)" },
		{ "cudnn", "none", "own (no cuDNN: SPABENCH_CUDNN=none)" },
		{ "cudnn", "/nonexistent", "own (no cuDNN: /nonexistent: " },
		{ "cudnn", "libm.so.6", "own (no cuDNN: libm.so.6: it has no cudnnGetVersion)" },
	};
	struct sb_error err = { .msg = "" };
	struct sb_backend *be = NULL;
	struct sb_device_info info;

	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		setenv("SPABENCH_CUDNN", cases[i].file, 1);
		be = open_way(cases[i].way, false);
		sb_backend_info(be, &info);
		check_that(cases[i].path, strstr(info.conv_path, cases[i].path) == info.conv_path, info.conv_path);
		check_conv(be,
		        (struct sb_conv_args){ .n = 1,
		                .h = 5,
		                .width = 6,
		                .cin = 32,
		                .cout = 34,
		                .kh = 3,
		                .kw = 3,
		                .stride = 1,
		                .pad = 1 },
		        RESIDUAL, false);
		end_levels(be);
		sb_backend_close(be);
	}
	unsetenv("SPABENCH_CUDNN");
	setenv("SPABENCH_CUDA_CONV", "magic", 1);
	check_that("another word is a usage error", sb_backend_open("cuda:0", 0, &be, &err) == SB_E_USAGE, "it is not");
	check_that("and is named", strstr(err.msg, "SPABENCH_CUDA_CONV 'magic'") != NULL, err.msg);
	unsetenv("SPABENCH_CUDA_CONV");
}

/* What `auto` takes for a shape; `want` begins the name. */
static void choice_is(struct sb_backend *be, struct sb_conv_args a, const char *want)
{
	struct sb_op op = { .id = SB_OP_CONV };

	a.n = 1;
	a.h = a.width = 28;
	a.x = filled(be, a.n * a.h * a.width * a.cin);
	a.w = filled(be, a.cout * a.kh * a.kw * a.cin);
	a.y = filled(be, out_pixels(&a) * a.cout);
	op.u.conv = a;
	submit(be, &op);
	check_that(want, strncmp(be->kernel, want, strlen(want)) == 0, be->kernel);
	drop(be, a.x);
	drop(be, a.w);
	drop(be, a.y);
}

static void check_choice(void)
{
	for (int tf32 = 0; tf32 < 2; tf32++) {
		struct sb_backend *be = open_way("auto", tf32);
		struct sb_conv_args k3 = { .cin = 64, .cout = 64, .kh = 3, .kw = 3, .stride = 1, .pad = 1 },
		                    k14 = { .cin = 3, .cout = 64, .kh = 14, .kw = 14, .stride = 14 },
		                    k1 = { .cin = 64, .cout = 64, .kh = 1, .kw = 1, .stride = 1 };
		struct sb_device_info info;
		bool cudnn;

		sb_backend_info(be, &info);
		printf("       convolutions: %s\n", info.conv_path);
		cudnn = strncmp(info.conv_path, "cuDNN 9.", 8) == 0;
		check_that("the device says what runs convolutions",
		        cudnn || strncmp(info.conv_path, "own (no cuDNN: ", 15) == 0, info.conv_path);
		choice_is(be, k3, !tf32 ? "conv_fp32" : cudnn ? "cudnn_tf32" : "conv_tf32");
		choice_is(be, k14, tf32 ? "im2col_tf32" : "im2col_fp32");
		choice_is(be, k1, tf32 ? "cublaslt_fast_tf32" : "cublaslt_fp32");
		end_levels(be);
		sb_backend_close(be);
	}
}

void check_convolutions(bool quick)
{
	static const struct sb_conv_transpose_args cases[] = {
		{ .n = 1, .h = 1, .width = 1, .cin = 1, .cout = 1, .k = 1 },
		{ .n = 2, .h = 5, .width = 7, .cin = 24, .cout = 20, .k = 2 },
		{ .n = 2, .h = 9, .width = 4, .cin = 33, .cout = 17, .k = 4 },
		{ .n = 3, .h = 53, .width = 57, .cin = 16, .cout = 64, .k = 4 },
	};

	check_paths();
	check_choice();
	for (int w = 0; w < 2 * (int)SB_ARRAY_LEN(ways); w++) {
		bool tf32 = w % 2;
		struct sb_backend *be = open_way(ways[w / 2], tf32);

		check_convs(be, quick, tf32);
		check_own_convs(be, quick, tf32);
		check_nan(be, tf32);
		for (size_t i = 0; i < SB_ARRAY_LEN(cases) - (quick ? 1 : 0); i++)
			for (int bias = 0; bias < 2; bias++)
				check_transposed(be, cases[i], bias, tf32);
		end_levels(be);
		sb_backend_close(be);
	}
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

static void time_conv(struct sb_backend *be, const char *name, struct sb_conv_args a, int residuals)
{
	struct sb_op op = { .id = SB_OP_CONV };
	int64_t n_y = out_pixels(&a) * a.cout;

	a.x = filled(be, a.n * a.h * a.width * a.cin);
	a.w = filled(be, a.cout * a.kh * a.kw * a.cin);
	a.bias = filled(be, a.cout);
	a.y = filled(be, n_y);
	a.residual = residuals & RESIDUAL ? filled(be, n_y) : NULL;
	op.u.conv = a;
	time_op(be, name, &op);
	drop(be, a.x);
	drop(be, a.w);
	drop(be, a.bias);
	drop(be, a.residual);
	drop(be, a.y);
}

void time_convolutions(void)
{
	for (int w = 0; w < 2 * (int)SB_ARRAY_LEN(ways); w++) {
		bool tf32 = w % 2;
		struct sb_backend *be = open_way(ways[w / 2], tf32);
		struct sb_conv_args k3 = { .n = 8, .kh = 3, .kw = 3, .stride = 1, .pad = 1 }, a;

		time_conv(be, "patch 14x14, 24 frames of 294x518",
		        (struct sb_conv_args){ .n = 24,
		                .h = 294,
		                .width = 518,
		                .cin = 3,
		                .cout = 1024,
		                .kh = 14,
		                .kw = 14,
		                .stride = 14 },
		        0);
		a = k3;
		a.h = 84, a.width = 148, a.cin = 256, a.cout = 256, a.relu_in = 1;
		time_conv(be, "RCU 3x3 256, 8x84x148", a, 0);
		time_conv(be, "RCU 3x3 256, 8x84x148, residual", a, RESIDUAL);
		a.h = 168, a.width = 296, a.cout = 128, a.relu_in = 0;
		time_conv(be, "output_conv1 3x3 256->128, 8x168x296", a, 0);
		a.h = 294, a.width = 518, a.cin = 128, a.cout = 32, a.relu_out = 1;
		time_conv(be, "output_conv2 3x3 128->32, 8x294x518", a, 0);
		time_conv(be, "1x1 32->2, 8x294x518",
		        (struct sb_conv_args){
		                .n = 8, .h = 294, .width = 518, .cin = 32, .cout = 2, .kh = 1, .kw = 1, .stride = 1 },
		        0);
		a = k3;
		a.n = 24, a.h = 192, a.width = 256, a.cin = 64, a.cout = 64;
		time_conv(be, "fnet layer1 3x3 64, 24x192x256", a, 0);
		a.h = 96, a.width = 128, a.cin = 416, a.cout = 256;
		time_conv(be, "fnet conv2 3x3 416->256, 24x96x128", a, 0);
		end_levels(be);
		sb_backend_close(be);
	}
}
