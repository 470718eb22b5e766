/* pointwise.h on CUDA, and add of track.h. */
#include "pointwise_cuda.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front_cases.h"
#include "op_case.h"

/* clang-format off */
OP_PLAIN(fill, 1)
OP_PLAIN(scale, 1)
OP_PLAIN(add, 1)
OP_PLAIN(tokens, 1)
OP_PLAIN(copy2d, 1)
OP_PLAIN(add_position, 1)
OP_PLAIN(channel_affine, 0)
OP_HOST(depth_out)
OP_PLAIN(pose_decode, 0)
OP_PLAIN(unproject, 0)
/* clang-format on */

/*
 * A plain float version: libm's expf, one unit in the last place off. Single elements are compared, too, where a lucky
 * one would leave no room.
 */
static float next(float v)
{
	return isfinite(v) ? nextafterf(v, INFINITY) : v;
}

static void depth_out_cpu(const void *args)
{
	const struct sb_depth_out_args *a = args;

	for (int64_t i = 0; i < a->n; i++) {
		a->depth[i] = next(expf(a->x[2 * i]));
		a->conf[i] = 1.0f / (1.0f + next(expf(-a->x[2 * i + 1])));
	}
}

static const struct op_row op_depth_out = { "depth_out", sizeof(struct sb_depth_out_args), depth_out_ref, depth_out_cpu,
	depth_out_cuda, NULL, 0 };

/* Counts around a vector, a block and a block of vectors. */
static const int64_t counts[] = { 0, 1, 3, 4, 5, 255, 256, 257, 1023, 1024, 1025, 5000 };

/* The same from the second element on: the kernels' way for addresses that are not 16 bytes aligned. */
#define SHIFTED(op, ...)                                                                                  \
	static struct sb_##op##_args op##_shifted(const void *args)                                       \
	{                                                                                                 \
		struct sb_##op##_args a;                                                                  \
                                                                                                          \
		memcpy(&a, args, sizeof(a));                                                              \
		if (a.n > 0) {                                                                            \
			a.n--;                                                                            \
			__VA_ARGS__;                                                                      \
		}                                                                                         \
		return a;                                                                                 \
	}                                                                                                 \
	static void op##_shifted_ref(const void *args)                                                    \
	{                                                                                                 \
		struct sb_##op##_args a = op##_shifted(args);                                             \
                                                                                                          \
		sb_##op##_ref(&a);                                                                        \
	}                                                                                                 \
	static void op##_shifted_cpu(const void *args)                                                    \
	{                                                                                                 \
		struct sb_##op##_args a = op##_shifted(args);                                             \
                                                                                                          \
		op##_cpu(&a);                                                                             \
	}                                                                                                 \
	static int op##_shifted_cuda(const void *args, struct sb_cuda_launch *l)                          \
	{                                                                                                 \
		struct sb_##op##_args a = op##_shifted(args);                                             \
                                                                                                          \
		return sb_##op##_cuda(&a, l);                                                             \
	}                                                                                                 \
	static const struct op_row op_##op##_shifted = { #op " unaligned", sizeof(struct sb_##op##_args), \
		op##_shifted_ref, op##_shifted_cpu, op##_shifted_cuda, NULL, 0 };

SHIFTED(fill, a.x++)
SHIFTED(scale, a.x++; a.y++)
SHIFTED(channel_affine, a.x++; a.y++)
SHIFTED(depth_out, a.x += 2; a.depth++; a.conf++)

static void check_flat(int64_t n, int in_place)
{
	float *x = op_gauss(3 * n, 1, 100.0, 60.0), *y = op_nan(3 * n);
	float *out = in_place ? x : y;
	struct sb_fill_args fill = { .x = y, .n = n, .value = 0.7f };
	struct sb_scale_args scale = { .x = x, .y = out, .n = n, .factor = 0.25f };
	struct sb_channel_affine_args affine = { .x = x,
		.y = out,
		.n = n,
		.scale = { 1.0f / 255.0f / 0.229f, 0.3f, -1.7f },
		.offset = { -2.1f, 0.4f, 1e-3f } };
	const struct op_field fill_f[] = { OP_OUT(sb_fill_args, x, 3 * n) };
	const struct op_field scale_f[] = { OP_IN(sb_scale_args, x, 3 * n), OP_OUT(sb_scale_args, y, 3 * n) };
	const struct op_field affine_f[] = { OP_IN(sb_channel_affine_args, x, 3 * n),
		OP_OUT(sb_channel_affine_args, y, 3 * n) };
	char what[64];

	snprintf(what, sizeof(what), "%d%s", (int)n, in_place ? " in place" : "");
	op_check(&op_fill, &fill, fill_f, 1, what);
	op_check(&op_scale, &scale, scale_f, 2, what);
	op_check(&op_channel_affine, &affine, affine_f, 2, what);
	op_check(&op_fill_shifted, &fill, fill_f, 1, what);
	op_check(&op_scale_shifted, &scale, scale_f, 2, what);
	op_check(&op_channel_affine_shifted, &affine, affine_f, 2, what);
	free(x);
	free(y);
}

static void check_depth_out(int64_t n)
{
	static const float extreme[] = { 0.0f, -0.0f, 88.0f, 89.0f, -88.0f, -104.0f, 1e30f, -1e30f, INFINITY, -INFINITY,
		NAN };
	struct sb_depth_out_args a = { op_gauss(2 * n, 1, 0.0, 5.0), op_nan(n), op_nan(n), n };
	const struct op_field f[] = { OP_IN(sb_depth_out_args, x, 2 * n), OP_OUT(sb_depth_out_args, depth, n),
		OP_OUT(sb_depth_out_args, conf, n) };
	char what[64];

	snprintf(what, sizeof(what), "%d", (int)n);
	op_check(&op_depth_out, &a, f, COUNT(f), what);
	op_check(&op_depth_out_shifted, &a, f, COUNT(f), what);
	for (int i = 0; n > 1000 && i < 2 * COUNT(extreme); i++)
		((float *)(uintptr_t)a.x)[i] = extreme[i % COUNT(extreme)];
	if (n > 1000)
		op_check(&op_depth_out, &a, f, COUNT(f), "extreme values");
	free((float *)(uintptr_t)a.x);
	free(a.depth);
	free(a.conf);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static void tokens_case(
        int64_t frames, int64_t special, int64_t patches, int64_t dim, int with_x, int with_pos, int timed)
{
	int64_t n = frames * (special + patches) * dim, nx = frames * patches * dim, np = patches * dim,
	        ns = 2 * special * dim;
	struct sb_tokens_args a = { .x = with_x ? op_gauss(nx, 1, 0.0, 1.0) : NULL,
		.pos = with_pos ? op_gauss(np, 2, 0.0, 1.0) : NULL,
		.specials = op_gauss(ns, 3, 0.0, 1.0),
		.out = op_nan(n),
		.frames = frames,
		.special = special,
		.patches = patches,
		.dim = dim };
	const struct op_field f[] = { OP_IN(sb_tokens_args, x, nx), OP_IN(sb_tokens_args, pos, np),
		OP_IN(sb_tokens_args, specials, ns), OP_OUT(sb_tokens_args, out, n) };
	char what[96];

	snprintf(what, sizeof(what), "%dx(%d+%d)x%d%s%s", (int)frames, (int)special, (int)patches, (int)dim,
	        with_x ? "" : " specials alone", with_pos ? " with positions" : "");
	if (timed)
		op_time(&op_tokens, &a, f, COUNT(f), what, 4.0 * (double)(n + (with_x ? nx : 0)));
	else
		op_check(&op_tokens, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.x);
	free((float *)(uintptr_t)a.pos);
	free((float *)(uintptr_t)a.specials);
	free(a.out);
}

struct rows_shape {
	int64_t rows, cols, ld_src, ld_dst;
};

static void copy_case(const struct rows_shape *s, int timed)
{
	int64_t n_src = s->ld_src ? s->rows * s->ld_src : s->cols, n_dst = s->rows * s->ld_dst;
	struct sb_copy2d_args a = { .src = op_gauss(n_src, 1, 0.0, 1.0),
		.dst = op_nan(n_dst),
		.rows = s->rows,
		.cols = s->cols,
		.ld_src = s->ld_src,
		.ld_dst = s->ld_dst };
	const struct op_field f[] = { OP_IN(sb_copy2d_args, src, n_src), OP_OUT(sb_copy2d_args, dst, n_dst) };
	char what[96];

	snprintf(what, sizeof(what), "%dx%d of %d to %d", (int)s->rows, (int)s->cols, (int)s->ld_src, (int)s->ld_dst);
	if (timed)
		op_time(&op_copy2d, &a, f, COUNT(f), what, 8.0 * (double)s->rows * (double)s->cols);
	else
		op_check(&op_copy2d, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.src);
	free(a.dst);
}

struct add_shape {
	int64_t rows, cols, pad, b_rows;
	int in_place;
};

static void add_case(const struct add_shape *s, int timed)
{
	int64_t ld = s->cols + s->pad, nb_rows = s->b_rows ? s->b_rows : s->rows, n = s->rows * ld, nb = nb_rows * ld;
	struct sb_add_args a = { .a = op_gauss(n, 1, 0.0, 1.0),
		.b = op_gauss(nb, 2, 0.0, 1.0),
		.rows = s->rows,
		.cols = s->cols,
		.lda = ld,
		.ldb = ld,
		.ldy = ld,
		.b_rows = s->b_rows };
	float *y = op_nan(n);
	const struct op_field f[] = { OP_IN(sb_add_args, a, n), OP_IN(sb_add_args, b, nb), OP_OUT(sb_add_args, y, n) };
	char what[96];

	a.y = s->in_place ? (float *)(uintptr_t)a.a : y;
	snprintf(what, sizeof(what), "%dx%d+%d, %d rows%s", (int)s->rows, (int)s->cols, (int)s->pad, (int)nb_rows,
	        s->in_place ? " in place" : "");
	if (timed)
		op_time(&op_add, &a, f, COUNT(f), what, 4.0 * (double)(2 * s->rows + nb_rows) * (double)s->cols);
	else
		op_check(&op_add, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.a);
	free((float *)(uintptr_t)a.b);
	free(y);
}

static void position_case(int64_t n, int64_t h, int64_t w, int64_t c, int timed)
{
	struct sb_add_position_args a = { op_gauss(n * h * w * c, 1, 0.0, 1.0), op_gauss(w * (c / 2), 2, 0.0, 1.0),
		op_gauss(h * (c / 2), 3, 0.0, 1.0), n, h, w, c };
	const struct op_field f[] = { OP_OUT(sb_add_position_args, x, n * h * w * c),
		OP_IN(sb_add_position_args, u, w * (c / 2)), OP_IN(sb_add_position_args, v, h * (c / 2)) };
	char what[96];

	snprintf(what, sizeof(what), "%dx%dx%dx%d", (int)n, (int)h, (int)w, (int)c);
	if (timed)
		op_time(&op_add_position, &a, f, COUNT(f), what, 8.0 * (double)(n * h * w * c));
	else
		op_check(&op_add_position, &a, f, COUNT(f), what);
	free(a.x);
	free((float *)(uintptr_t)a.u);
	free((float *)(uintptr_t)a.v);
}

/* ---- cameras ----------------------------------------------------------------------------------------------------- */

static void check_pose_decode(int64_t frames)
{
	struct sb_pose_decode_args a = { .p = op_gauss(9 * frames, 1, 0.3, 0.8),
		.enc = op_nan(9 * frames),
		.w2c = op_nan(16 * frames),
		.c2w = op_nan(16 * frames),
		.k = op_nan(9 * frames),
		.frames = frames,
		.height = 294,
		.width = 518 };
	float *p = (float *)(uintptr_t)a.p;
	struct op_field f[] = { OP_OUT(sb_pose_decode_args, enc, 9 * frames), OP_IN(sb_pose_decode_args, p, 9 * frames),
		OP_OUT(sb_pose_decode_args, w2c, 16 * frames), OP_OUT(sb_pose_decode_args, c2w, 16 * frames),
		OP_OUT(sb_pose_decode_args, k, 9 * frames) };
	char what[64];

	for (int64_t t = 0; t < frames; t++) {
		p[9 * t + 7] = 0.4f + 0.01f * (float)t;
		p[9 * t + 8] = t == 3 ? -0.3f : 0.7f; /* ReLU gives 0, and that an infinite focal length */
	}
	snprintf(what, sizeof(what), "%d frames", (int)frames);
	op_check(&op_pose_decode, &a, f, COUNT(f), what);
	free(a.enc);
	a.enc = p;
	op_check(&op_pose_decode, &a, f, COUNT(f), "in place");
	free(p);
	free(a.w2c);
	free(a.c2w);
	free(a.k);
}

static void unproject_case(int64_t frames, int64_t h, int64_t w, int timed)
{
	int64_t n = frames * h * w;
	struct sb_unproject_args a = { op_gauss(n, 1, 5.0, 1.0), op_floats(9 * frames, 0.0f), op_nan(3 * n), frames, h,
		w };
	const struct op_field f[] = { OP_IN(sb_unproject_args, depth, n), OP_IN(sb_unproject_args, k, 9 * frames),
		OP_OUT(sb_unproject_args, points, 3 * n) };
	char what[64];

	for (int64_t t = 0; t < frames; t++) {
		float *k = (float *)(uintptr_t)a.k + 9 * t;

		k[0] = 400.7f + (float)t;
		k[4] = 390.3f - (float)t;
		k[2] = 259.5f;
		k[5] = 147.25f;
		k[8] = 1.0f;
	}
	snprintf(what, sizeof(what), "%dx%dx%d", (int)frames, (int)h, (int)w);
	if (timed)
		op_time(&op_unproject, &a, f, COUNT(f), what, 16.0 * (double)n);
	else
		op_check(&op_unproject, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.depth);
	free((float *)(uintptr_t)a.k);
	free(a.points);
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static const struct rows_shape copies[] = {
	{ 0, 4, 4, 4 },
	{ 3, 1, 1, 1 },
	{ 7, 1, 3, 11 },
	{ 300, 1, 1, 1110 }, /* a state column of the tokens */
	{ 33, 2, 3, 2 },
	{ 33, 2, 4, 2 },
	{ 33, 6, 8, 10 },
	{ 33, 8, 12, 16 },
	{ 19, 64, 64, 416 },
	{ 5, 1024, 0, 1024 }, /* one row repeated */
	{ 5, 7, 0, 9 },
	{ 2, 3000, 3004, 4000 },
};

static const struct add_shape sums[] = {
	{ 0, 4, 0, 0, 0 },
	{ 1, 1, 0, 0, 0 },
	{ 5, 3, 2, 0, 0 },
	{ 48, 1110, 0, 24, 1 }, /* time embedding */
	{ 33, 128, 0, 0, 1 },
	{ 33, 128, 4, 7, 0 },
	{ 33, 6, 2, 1, 0 },
	{ 9, 1000, 0, 0, 0 },
};

void check_pointwise(int quick)
{
	for (int i = 0; i < COUNT(counts); i++) {
		check_flat(counts[i], i % 2);
		check_depth_out(counts[i]);
	}
	tokens_case(0, 5, 6, 8, 1, 0, 0);
	tokens_case(3, 5, 6, 8, 1, 1, 0);
	tokens_case(3, 1, 6, 10, 1, 0, 0);
	tokens_case(2, 5, 7, 1024, 1, 0, 0);
	tokens_case(3, 4, 7, 1027, 1, 1, 0);
	tokens_case(3, 5, 6, 12, 0, 0, 0);
	tokens_case(1, 0, 6, 12, 1, 1, 0);
	for (int i = 0; i < COUNT(copies); i++)
		copy_case(&copies[i], 0);
	for (int i = 0; i < COUNT(sums); i++)
		add_case(&sums[i], 0);
	position_case(1, 1, 1, 2, 0);
	position_case(2, 3, 5, 8, 0);
	position_case(2, 3, 5, 10, 0);
	position_case(3, 7, 9, 256, 0);
	check_pose_decode(1);
	check_pose_decode(40);
	unproject_case(1, 1, 1, 0);
	unproject_case(2, 5, 7, 0);
	unproject_case(3, 33, 31, 0);
	unproject_case(2, 32, 64, 0);
	if (!quick)
		unproject_case(3, 294, 518, 0);
}

void time_pointwise(void)
{
	static const struct rows_shape shapes[] = { { 24 * 96 * 128, 64, 64, 416 }, { 24 * 96 * 128, 128, 128, 416 },
		{ 18768, 1024, 1024, 2048 }, { 32640, 128, 128, 256 }, { 24288, 1, 1, 1110 } };
	static const struct add_shape adds[] = { { 32640, 128, 0, 0, 1 }, { 24288, 1110, 0, 24, 1 },
		{ 388608, 128, 0, 0, 1 } };
	int64_t n = 24 * 294 * 518;
	float *x = op_gauss(3 * n, 1, 100.0, 60.0), *y = op_nan(3 * n);
	struct sb_channel_affine_args affine = { .x = x, .y = y, .n = n, .scale = { 1, 2, 3 }, .offset = { 3, 2, 1 } };
	struct sb_scale_args scale = { .x = x, .y = y, .n = 3 * n, .factor = 0.25f };
	struct sb_fill_args fill = { .x = x, .n = 3 * n, .value = 0.0f };
	struct sb_depth_out_args depth = { .x = x, .depth = y, .conf = y + n, .n = n };
	const struct op_field affine_f[] = { OP_IN(sb_channel_affine_args, x, 3 * n),
		OP_OUT(sb_channel_affine_args, y, 3 * n) };
	const struct op_field scale_f[] = { OP_IN(sb_scale_args, x, 3 * n), OP_OUT(sb_scale_args, y, 3 * n) };
	const struct op_field fill_f[] = { OP_OUT(sb_fill_args, x, 3 * n) };
	const struct op_field depth_f[] = { OP_IN(sb_depth_out_args, x, 2 * n), OP_OUT(sb_depth_out_args, depth, n),
		OP_OUT(sb_depth_out_args, conf, n) };

	op_time(&op_channel_affine, &affine, affine_f, 2, "24x294x518", 24.0 * (double)n);
	op_time(&op_scale, &scale, scale_f, 2, "24x294x518x3", 24.0 * (double)n);
	op_time(&op_fill, &fill, fill_f, 1, "24x294x518x3", 12.0 * (double)n);
	op_time(&op_depth_out, &depth, depth_f, 3, "24x294x518", 16.0 * (double)n);
	free(x);
	free(y);
	unproject_case(24, 294, 518, 1);
	unproject_case(24, 336, 588, 1);
	tokens_case(24, 5, 777, 1024, 1, 1, 1);
	for (int i = 0; i < COUNT(shapes); i++)
		copy_case(&shapes[i], 1);
	for (int i = 0; i < COUNT(adds); i++)
		add_case(&adds[i], 1);
	position_case(8, 294, 518, 128, 1);
	position_case(8, 21, 37, 1024, 1);
}
