/* The maps of track.h on CUDA: instance norm, l2 norm, nearest resize, pooling, every n-th pixel. */
#include "maps_cuda.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "front_cases.h"
#include "op_case.h"

/* ---- the same maths in plain float ------------------------------------------------------------------------------- */

static float relu(float v)
{
	return v < 0.0f ? 0.0f : v;
}

/* Sums in double, as track.h has them; the rest in float, the mean in two of them. */
static void plain_channel(const struct sb_instance_norm_args *a, int64_t at)
{
	double exact = 0.0, var = 0.0;
	float mean, rest;

	for (int64_t p = 0; p < a->pixels; p++)
		exact += (double)a->x[at + p * a->c];
	exact /= (double)a->pixels;
	mean = (float)exact;
	rest = (float)(exact - (double)mean);
	for (int64_t p = 0; p < a->pixels; p++)
		var += ((double)a->x[at + p * a->c] - exact) * ((double)a->x[at + p * a->c] - exact);
	var /= (double)a->pixels;
	for (int64_t p = 0; p < a->pixels; p++) {
		float v = ((a->x[at + p * a->c] - mean) - rest) / sqrtf((float)var + a->eps);

		v = a->relu ? relu(v) : v;
		a->y[at + p * a->c] = a->residual ? relu(a->residual[at + p * a->c] + v) : v;
	}
}

static void instance_norm_plain(const void *args)
{
	const struct sb_instance_norm_args *a = args;

	for (int64_t i = 0; i < a->n * a->c; i++)
		plain_channel(a, i / a->c * a->pixels * a->c + i % a->c);
}

static void l2_normalize_plain(const void *args)
{
	const struct sb_l2_normalize_args *a = args;

	for (int64_t r = 0; r < a->rows; r++) {
		float sum = 0.0f;

		for (int64_t c = 0; c < a->c; c++)
			sum += a->x[r * a->c + c] * a->x[r * a->c + c];
		for (int64_t c = 0; c < a->c; c++)
			a->y[r * a->c + c] = a->x[r * a->c + c] / sqrtf(sum < 1e-12f ? 1e-12f : sum);
	}
}

/* clang-format off */
OP_HOST(instance_norm)
OP_HOST(l2_normalize)
OP_PLAIN(resize_nearest, 1)
OP_PLAIN(avg_pool2, 1)
OP_PLAIN(subsample, 1)
/* clang-format on */

static size_t instance_norm_workspace(const void *a, const struct sb_cuda_launch *l)
{
	return sb_instance_norm_cuda_workspace(a, l);
}

static const struct op_row op_instance_norm = { "instance_norm", sizeof(struct sb_instance_norm_args),
	instance_norm_ref, instance_norm_plain, instance_norm_cuda, instance_norm_workspace, 0 };
static const struct op_row op_l2_normalize = { "l2_normalize", sizeof(struct sb_l2_normalize_args), l2_normalize_ref,
	l2_normalize_plain, l2_normalize_cuda, NULL, 0 };

struct map_shape {
	int64_t n, h, w, c;
};

/* where: 0 a buffer of its own, 1 in place of x, 2 in place of the residual. */
static void instance_case(const struct map_shape *s, int with_residual, int relu_too, int where, double mean, int timed)
{
	int64_t pixels = s->h * s->w, n = s->n * pixels * s->c;
	struct sb_instance_norm_args a = { .x = op_gauss(n, 1, mean, 2.0),
		.residual = with_residual ? op_gauss(n, 2, 0.2, 1.0) : NULL,
		.n = s->n,
		.pixels = pixels,
		.c = s->c,
		.eps = 1e-5f,
		.relu = relu_too };
	float *y = op_nan(n);
	const struct op_field f[] = { OP_IN(sb_instance_norm_args, x, n), OP_IN(sb_instance_norm_args, residual, n),
		OP_OUT(sb_instance_norm_args, y, n) };
	char what[96];

	a.y = where == 1 ? (float *)(uintptr_t)a.x : where == 2 ? (float *)(uintptr_t)a.residual : y;
	snprintf(what, sizeof(what), "%dx%dx%dx%d%s%s mean %g", (int)s->n, (int)s->h, (int)s->w, (int)s->c,
	        relu_too ? " relu" : "", with_residual ? " residual" : "", mean);
	if (timed)
		op_time(&op_instance_norm, &a, f, COUNT(f), what, 4.0 * (double)n * (with_residual ? 3.0 : 2.0));
	else
		op_check(&op_instance_norm, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.x);
	free((float *)(uintptr_t)a.residual);
	free(y);
}

static void l2_case(int64_t rows, int64_t c, double dev, int in_place, int timed)
{
	struct sb_l2_normalize_args a = { .x = op_gauss(rows * c, 1, 0.0, dev), .rows = rows, .c = c };
	float *y = op_nan(rows * c);
	const struct op_field f[] = { OP_IN(sb_l2_normalize_args, x, rows * c),
		OP_OUT(sb_l2_normalize_args, y, rows * c) };
	char what[96];

	a.y = in_place ? (float *)(uintptr_t)a.x : y;
	snprintf(what, sizeof(what), "%dx%d of %g", (int)rows, (int)c, dev);
	if (timed)
		op_time(&op_l2_normalize, &a, f, COUNT(f), what, 8.0 * (double)(rows * c));
	else
		op_check(&op_l2_normalize, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.x);
	free(y);
}

static void nearest_case(const struct map_shape *s, int64_t out_h, int64_t out_w, float lo, float hi, int timed)
{
	int64_t n = s->n * s->h * s->w * s->c, n_out = s->n * out_h * out_w * s->c;
	struct sb_resize_nearest_args a = { .x = op_gauss(n, 1, 0.5, 3.0),
		.y = op_nan(n_out),
		.n = s->n,
		.h = s->h,
		.w = s->w,
		.c = s->c,
		.out_h = out_h,
		.out_w = out_w,
		.lo = lo,
		.hi = hi };
	const struct op_field f[] = { OP_IN(sb_resize_nearest_args, x, n), OP_OUT(sb_resize_nearest_args, y, n_out) };
	char what[96];

	if (n > 20)
		((float *)(uintptr_t)a.x)[17] = NAN;
	snprintf(what, sizeof(what), "%dx%dx%dx%d to %dx%d", (int)s->n, (int)s->h, (int)s->w, (int)s->c, (int)out_h,
	        (int)out_w);
	if (timed)
		op_time(&op_resize_nearest, &a, f, COUNT(f), what, 4.0 * (double)(n + n_out));
	else
		op_check(&op_resize_nearest, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.x);
	free(a.y);
}

static void pool_case(const struct map_shape *s, int timed)
{
	int64_t n = s->n * s->h * s->w * s->c, n_out = s->n * (s->h / 2) * (s->w / 2) * s->c;
	struct sb_avg_pool2_args a = { op_gauss(n, 1, 0.0, 1.0), op_nan(n_out), s->n, s->h, s->w, s->c };
	const struct op_field f[] = { OP_IN(sb_avg_pool2_args, x, n), OP_OUT(sb_avg_pool2_args, y, n_out) };
	char what[96];

	snprintf(what, sizeof(what), "%dx%dx%dx%d", (int)s->n, (int)s->h, (int)s->w, (int)s->c);
	if (timed)
		op_time(&op_avg_pool2, &a, f, COUNT(f), what, 4.0 * (double)(n + n_out));
	else
		op_check(&op_avg_pool2, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.x);
	free(a.y);
}

static void subsample_case(const struct map_shape *s, int64_t step, int timed)
{
	int64_t n = s->n * s->h * s->w * s->c;
	int64_t n_out = s->n * ((s->h - 1) / step + 1) * ((s->w - 1) / step + 1) * s->c;
	struct sb_subsample_args a = { op_gauss(n, 1, 0.0, 1.0), op_nan(n_out), s->n, s->h, s->w, s->c, step };
	const struct op_field f[] = { OP_IN(sb_subsample_args, x, n), OP_OUT(sb_subsample_args, y, n_out) };
	char what[96];

	snprintf(what, sizeof(what), "%dx%dx%dx%d step %d", (int)s->n, (int)s->h, (int)s->w, (int)s->c, (int)step);
	if (timed)
		op_time(&op_subsample, &a, f, COUNT(f), what, 8.0 * (double)n_out);
	else
		op_check(&op_subsample, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.x);
	free(a.y);
}

static const struct map_shape maps[] = {
	{ 1, 1, 1, 1 },                                                       /* variance 0 */
	{ 2, 2, 3, 4 }, { 2, 5, 7, 3 }, { 3, 11, 13, 64 }, { 2, 24, 17, 96 }, /* 24 lanes: 16 threads of a block idle */
	{ 1, 9, 9, 128 }, { 2, 6, 5, 256 }, { 1, 4, 5, 1030 },                /* more channels than a slice has */
	{ 1, 4, 5, 1028 }, { 1, 96, 128, 32 },                                /* several stretches */
};

void check_maps(int quick)
{
	static const struct map_shape big = { 2, 192, 256, 64 };

	for (int i = 0; i < COUNT(maps); i++) {
		instance_case(&maps[i], 0, i % 2, i % 3 == 0, 0.3, 0);
		instance_case(&maps[i], 1, 1, i % 3, 0.3, 0);
		instance_case(&maps[i], 0, 0, 1, 5e3, 0);
		pool_case(&maps[i], 0);
		subsample_case(&maps[i], 1 + i % 4, 0);
		nearest_case(&maps[i], 5, 9, 0.0f, 0.0f, 0);
	}
	nearest_case(&(struct map_shape){ 2, 37, 21, 1 }, 50, 64, 0.01f, 2.0f, 0);
	nearest_case(&(struct map_shape){ 2, 29, 51, 3 }, 38, 70, 0.0f, 0.0f, 0);
	nearest_case(&(struct map_shape){ 1, 50, 70, 2 }, 7, 300, -1.0f, 1.0f, 0);
	l2_case(1, 1, 1.0, 0, 0);
	l2_case(33, 128, 1.0, 1, 0);
	l2_case(33, 128, 1e-8, 0, 0); /* below the smallest length */
	l2_case(33, 128, 1e17, 0, 0);
	l2_case(33, 127, 1.0, 0, 0);
	l2_case(7, 300, 1.0, 1, 0);
	if (quick)
		return;
	instance_case(&big, 1, 1, 2, 20.0, 0);
	instance_case(&big, 0, 1, 1, 20.0, 0);
	nearest_case(&(struct map_shape){ 2, 294, 518, 3 }, 384, 512, 0.0f, 0.0f, 0);
	pool_case(&(struct map_shape){ 3, 96, 128, 128 }, 0);
	subsample_case(&(struct map_shape){ 3, 384, 512, 3 }, 4, 0);
	l2_case(24 * 48 * 64, 128, 1.0, 1, 0);
}

void time_maps(void)
{
	static const struct map_shape features[] = { { 24, 192, 256, 64 }, { 24, 96, 128, 96 }, { 24, 48, 64, 128 },
		{ 24, 96, 128, 256 } };

	for (int i = 0; i < COUNT(features); i++) {
		instance_case(&features[i], 0, 1, 1, 0.3, 1);
		instance_case(&features[i], 1, 1, 1, 0.3, 1);
	}
	l2_case(24 * 96 * 128, 128, 1.0, 1, 1);
	nearest_case(&(struct map_shape){ 24, 294, 518, 3 }, 384, 512, 0.0f, 0.0f, 1);
	nearest_case(&(struct map_shape){ 24, 294, 518, 1 }, 336, 588, 0.0f, 0.0f, 1);
	pool_case(&(struct map_shape){ 24, 96, 128, 128 }, 1);
	subsample_case(&(struct map_shape){ 24, 384, 512, 3 }, 4, 1);
}
