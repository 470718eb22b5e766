/* patches.h on CUDA. */
#include "patches_cuda.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front_cases.h"
#include "op_case.h"

#define VOLUME (SB_PATCH * SB_PATCH)

/* ---- what the CPU kernels of this family want: one thread, plain products, rounding to TF32 ---------------------- */

int omp_get_num_threads(void);
int omp_get_thread_num(void);
void cblas_sgemm(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float *a, int lda,
        const float *b, int ldb, float beta, float *c, int ldc);
void sb_tf32_round_cpu(const float *x, float *y, size_t n);

int omp_get_num_threads(void)
{
	return 1;
}

int omp_get_thread_num(void)
{
	return 0;
}

/* The only call there is: row-major, c = a b^T. */
void cblas_sgemm(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float *a, int lda,
        const float *b, int ldb, float beta, float *c, int ldc)
{
	if (order != 101 || trans_a != 111 || trans_b != 112 || alpha != 1.0f || beta != 0.0f)
		abort();
	for (int64_t i = 0; i < m; i++)
		for (int64_t j = 0; j < n; j++) {
			float sum = 0.0f;

			for (int64_t p = 0; p < k; p++)
				sum += a[i * lda + p] * b[j * ldb + p];
			c[i * ldc + j] = sum;
		}
}

void sb_tf32_round_cpu(const float *x, float *y, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, x + i, sizeof(bits));
		if ((bits & 0x7f800000u) != 0x7f800000u)
			bits = (bits + 0x1000u) & ~0x1fffu;
		memcpy(y + i, &bits, sizeof(bits));
	}
}

/* clang-format off */
OP_PLAIN(patch_sample, 0)
OP_PLAIN(neighbours, 0)
OP_SCRATCH(corr, 0)
/* clang-format on */

/* How the result with TF32 operands is judged. */
enum rounding {
	FP32,
	TF32_EXACT, /* against the exact result: as far off as the emulation is */
	TF32_LIKE,  /* against the emulation: an operand left unrounded shows, for it is off by 10 times as much */
};

static void corr_exact_ref(const void *args)
{
	struct sb_corr_args a;

	memcpy(&a, args, sizeof(a));
	a.tf32 = 0;
	sb_corr_ref(&a);
}

/* 2e-5 off, so that 4e-5 are allowed: samples next to a tie may be rounded to its other side, and tensor cores cut sums
 * off. */
static void corr_near(const void *args)
{
	const struct sb_corr_args *a = args;

	sb_corr_ref(a);
	for (int64_t i = 0; i < a->n * a->frames * a->out; i++)
		a->y[i / a->out * a->ldy + i % a->out] *= 1.00002f;
}

static const struct op_row op_corr_tf32 = { "corr_tf32", sizeof(struct sb_corr_args), corr_exact_ref, corr_cpu,
	corr_cuda, corr_workspace, 0 };
static const struct op_row op_corr_like = { "corr_tf32 as emulated", sizeof(struct sb_corr_args), corr_ref, corr_near,
	corr_cuda, corr_workspace, 0 };
static const struct op_row *const corr_rows[] = { &op_corr, &op_corr_tf32, &op_corr_like };

/* ---- data -------------------------------------------------------------------------------------------------------- */

struct shape {
	int64_t n, frames, h, w, c, out;
};

static const struct shape shapes[] = {
	{ 0, 3, 4, 5, 6, 7 },       /* nothing to do */
	{ 1, 1, 1, 1, 1, 1 },       /* every tap is the one pixel */
	{ 1, 1, 12, 16, 128, 384 }, /* as in the network, the coarsest level */
	{ 2, 3, 12, 16, 128, 5 },   /* fewer frames than a block takes */
	{ 2, 5, 12, 16, 64, 130 },  /* one more than a block takes, one tile and a bit of columns */
	{ 3, 2, 9, 14, 3, 4 },      /* points */
	{ 5, 4, 24, 32, 15, 33 },   /* channels that are no whole vectors, slabs */
	{ 5, 4, 24, 32, 31, 33 },   /* */
	{ 5, 4, 24, 32, 32, 33 },   /* */
	{ 5, 4, 24, 32, 36, 33 },   /* */
	{ 16, 8, 20, 10, 4, 2 },    /* one tile of rows, and one more row */
	{ 43, 3, 20, 10, 4, 2 },    /* */
	{ 11, 9, 20, 10, 4, 129 },  /* */
};

/* Positions in and around the map, and every kind that needs care. */
static float *positions(int64_t n, int64_t w, int64_t h, float scale)
{
	static const float special[] = { 0.0f, -0.25f, 3.0f, -3.0f, -100.0f, 1e30f, -1e30f, INFINITY, -INFINITY, NAN };
	float *uv = op_gauss(2 * n, 11, 0.5, 0.4);

	for (int64_t i = 0; i < n; i++) {
		uv[2 * i] *= (float)w / scale;
		uv[2 * i + 1] *= (float)h / scale;
		if (n > 4 && i % 7 == 0)
			uv[2 * i] = special[i % COUNT(special)];
		if (n > 4 && i % 5 == 0)
			uv[2 * i + 1] = special[i / 5 % COUNT(special)];
		if (n > 4 && i % 11 == 0)
			uv[2 * i] = (float)(w - 1) / scale;
	}
	return uv;
}

static void describe(char what[96], const struct shape *s, float scale)
{
	snprintf(what, 96, "%dx%d on %dx%dx%d, out %d, scale %g", (int)s->n, (int)s->frames, (int)s->h, (int)s->w,
	        (int)s->c, (int)s->out, (double)scale);
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static void sample_case(const struct shape *s, float scale, int timed)
{
	int64_t rows = s->n * (timed ? 1 : s->frames), n_map = s->frames * s->h * s->w * s->c,
	        n_out = rows * SB_PATCH * s->c;
	int32_t *frame = op_alloc((size_t)rows * sizeof(*frame));
	struct sb_patch_sample_args a = { .map = op_gauss(n_map, 1, 0.0, 1.0),
		.xy = positions(rows, s->w, s->h, scale),
		.frame = frame,
		.out = op_nan(n_out),
		.n = rows,
		.frames = s->frames,
		.h = s->h,
		.w = s->w,
		.c = s->c,
		.scale = scale };
	const struct op_field f[] = { OP_IN(sb_patch_sample_args, map, n_map),
		OP_IN(sb_patch_sample_args, xy, 2 * rows), OP_IN(sb_patch_sample_args, frame, rows),
		OP_OUT(sb_patch_sample_args, out, n_out) };
	char what[96];

	for (int64_t i = 0; i < rows; i++)
		frame[i] = (int32_t)(i * 5 % s->frames);
	describe(what, s, scale);
	if (timed)
		op_time(&op_patch_sample, &a, f, COUNT(f), what, 8.0 * (double)n_out);
	else
		op_check(&op_patch_sample, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.map);
	free((float *)(uintptr_t)a.xy);
	free(frame);
	free(a.out);
}

/* ---- correlation ------------------------------------------------------------------------------------------------- */

static void corr_case(const struct shape *s, float scale, enum rounding rounding, int bias, int timed)
{
	int64_t rows = s->n * s->frames, ldw = timed ? VOLUME : VOLUME + 7, ldy = timed ? s->out : s->out + 3;
	int64_t n_map = s->frames * s->h * s->w * s->c, n_query = s->n * SB_PATCH * s->c;
	struct sb_corr_args a = { .map = op_gauss(n_map, 1, 0.0, 1.0),
		.uv = positions(rows, s->w, s->h, scale),
		.query = op_gauss(n_query, 3, 0.0, 1.0 / sqrt((double)s->c)),
		.w = op_gauss(s->out * ldw, 4, 0.0, 1.0 / SB_PATCH),
		.bias = bias ? op_gauss(s->out, 5, 0.0, 0.3) : NULL,
		.y = op_nan(rows * ldy),
		.n = s->n,
		.frames = s->frames,
		.h = s->h,
		.width = s->w,
		.c = s->c,
		.out = s->out,
		.ldw = ldw,
		.ldy = ldy,
		.scale = scale,
		.tf32 = rounding != FP32 };
	const struct op_field f[] = { OP_IN(sb_corr_args, map, n_map), OP_IN(sb_corr_args, uv, 2 * rows),
		OP_IN(sb_corr_args, query, n_query), OP_IN(sb_corr_args, w, s->out * ldw),
		OP_IN(sb_corr_args, bias, s->out), OP_OUT(sb_corr_args, y, rows * ldy) };
	const struct op_row *op = corr_rows[rounding];
	double flop = 2.0 * (double)rows * VOLUME * (double)(s->c + s->out);
	char what[96];

	if (rounding)
		sb_tf32_round_cpu(a.w, (float *)(uintptr_t)a.w, (size_t)(s->out * ldw));
	describe(what, s, scale);
	if (timed) {
		printf("work %s: %.1f GFLOP\n", op->name, 1e-9 * flop);
		op_time(op, &a, f, COUNT(f), what, 4.0 * (double)(n_map + n_query + s->out * ldw + rows * s->out));
	} else {
		op_check(op, &a, f, COUNT(f), what);
	}
	free((float *)(uintptr_t)a.map);
	free((float *)(uintptr_t)a.uv);
	free((float *)(uintptr_t)a.query);
	free((float *)(uintptr_t)a.w);
	free((float *)(uintptr_t)a.bias);
	free(a.y);
}

/* ---- neighbours -------------------------------------------------------------------------------------------------- */

static void track_case(const struct shape *s, float scale, int flat, int timed)
{
	int64_t rows = s->n * s->frames, pixels = s->frames * s->h * s->w,
	        ldf = timed ? 2 * s->c : s->c + (s->c % 4 ? 5 : 8);
	int64_t n_d = rows * SB_NEIGHBOURS * 3, n_f = rows * SB_NEIGHBOURS * ldf;
	struct sb_neighbours_args a = { .map = op_gauss(pixels * s->c, 1, 0.0, 1.0),
		.pmap = flat ? op_floats(pixels * 3, 0.7f) : op_gauss(pixels * 3, 2, 0.3, 1.0),
		.uv = positions(rows, s->w, s->h, scale),
		.centre = op_gauss(rows * 3, 6, 0.0, 1.0),
		.out_d = op_nan(n_d),
		.out_f = op_nan(n_f),
		.n = s->n,
		.frames = s->frames,
		.h = s->h,
		.w = s->w,
		.c = s->c,
		.ldf = ldf,
		.scale = scale };
	const struct op_field f[] = { OP_IN(sb_neighbours_args, map, pixels * s->c),
		OP_IN(sb_neighbours_args, pmap, pixels * 3), OP_IN(sb_neighbours_args, uv, 2 * rows),
		OP_IN(sb_neighbours_args, centre, 3 * rows), OP_OUT(sb_neighbours_args, out_d, n_d),
		OP_OUT(sb_neighbours_args, out_f, n_f) };
	char what[96], text[128];

	describe(what, s, scale);
	snprintf(text, sizeof(text), "tracks %s%s", flat ? "on a plane " : "", what);
	if (timed)
		op_time(&op_neighbours, &a, f, COUNT(f), text,
		        4.0 * (double)(rows * SB_NEIGHBOURS * (s->c + 3) + pixels * (s->c + 3)));
	else
		op_check(&op_neighbours, &a, f, COUNT(f), text);
	free((float *)(uintptr_t)a.map);
	free((float *)(uintptr_t)a.pmap);
	free((float *)(uintptr_t)a.uv);
	free((float *)(uintptr_t)a.centre);
	free(a.out_d);
	free(a.out_f);
}

/* Points on a grid of three values tie all the time; every 5th row has NaN among them, every 10th in its centre. */
static void query_case(int64_t n, int64_t c, int timed)
{
	int64_t n_points = n * SB_PATCH * 3, n_patches = n * SB_PATCH * c, ldf = c + (c % 4 ? 1 : c);
	int64_t n_d = n * SB_NEIGHBOURS * 3, n_f = n * SB_NEIGHBOURS * ldf;
	struct sb_neighbours_args a = { .patches = op_gauss(n_patches, 1, 0.0, 1.0),
		.points = op_gauss(n_points, 2, 0.0, 1.0),
		.out_d = op_nan(n_d),
		.out_f = op_nan(n_f),
		.n = n,
		.frames = 1,
		.c = c,
		.ldf = ldf };
	float *p = (float *)(uintptr_t)a.points;
	const struct op_field f[] = { OP_IN(sb_neighbours_args, patches, n_patches),
		OP_IN(sb_neighbours_args, points, n_points), OP_OUT(sb_neighbours_args, out_d, n_d),
		OP_OUT(sb_neighbours_args, out_f, n_f) };
	char what[96];

	for (int64_t i = 0; i < n_points; i++) {
		int64_t row = i / (SB_PATCH * 3), at = i % (SB_PATCH * 3);

		p[i] = roundf(p[i]);
		if ((row % 5 == 2 && at % 11 == 0) || (row % 10 == 4 && at == 24 * 3))
			p[i] = NAN;
	}
	snprintf(what, sizeof(what), "queries %d of %d channels", (int)n, (int)c);
	if (timed)
		op_time(&op_neighbours, &a, f, COUNT(f), what, 8.0 * (double)(n * SB_NEIGHBOURS * (c + 3)));
	else
		op_check(&op_neighbours, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.patches);
	free(p);
	free(a.out_d);
	free(a.out_f);
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

void check_patches(int quick)
{
	static const float scales[] = { 0.3f, 1.0f, 0.25f };
	int scales_used = quick ? 1 : COUNT(scales);

	for (int i = 0; i < COUNT(shapes); i++)
		for (int k = 0; k < scales_used; k++) {
			sample_case(&shapes[i], scales[k], 0);
			track_case(&shapes[i], scales[k], k == 2 || (quick && i % 2), 0);
			if (k != i % scales_used)
				continue;
			corr_case(&shapes[i], scales[k], FP32, i % 2, 0);
			corr_case(&shapes[i], scales[k], TF32_EXACT, i % 2, 0);
			if (shapes[i].n > 2) /* with a few results one tie is much */
				corr_case(&shapes[i], scales[k], TF32_LIKE, i % 2, 0);
		}
	query_case(0, 4, 0);
	query_case(1, 3, 0);
	query_case(50, 128, 0);
	query_case(21, 33, 0);
	if (quick)
		return;
	/* More rows than a part has, so that there are several; and the network's channels. */
	corr_case(&(struct shape){ 720, 24, 12, 16, 1, 2 }, 0.5f, FP32, 1, 0);
	corr_case(&(struct shape){ 360, 24, 12, 16, 1, 193 }, 0.5f, TF32_EXACT, 1, 0);
	corr_case(&(struct shape){ 10, 24, 48, 64, 128, 384 }, 0.5f, FP32, 1, 0);
	corr_case(&(struct shape){ 10, 24, 48, 64, 128, 384 }, 0.5f, TF32_EXACT, 1, 0);
	corr_case(&(struct shape){ 10, 24, 48, 64, 128, 384 }, 0.5f, TF32_LIKE, 1, 0);
	track_case(&(struct shape){ 85, 24, 48, 64, 128, 0 }, 0.5f, 0, 0);
}

void time_patches(void)
{
	static const struct shape fine = { 1012, 24, 96, 128, 128, 384 }, coarse = { 1012, 24, 12, 16, 128, 384 };
	/* A third of the layer, the same volume: the difference is two thirds of the layer. */
	static const struct shape narrow = { 1012, 24, 12, 16, 128, 128 };
	/* A quarter of the samples and of the volume's products, the same layer. */
	static const struct shape thin = { 1012, 24, 12, 16, 32, 384 };
	static const struct shape tile = { 85, 24, 96, 128, 128, 0 }, window = { 1012, 24, 96, 128, 128, 0 };

	for (enum rounding tf32 = FP32; tf32 <= TF32_EXACT; tf32++) {
		corr_case(&fine, 1.0f, tf32, 1, 1);
		corr_case(&coarse, 0.125f, tf32, 1, 1);
		corr_case(&narrow, 0.125f, tf32, 1, 1);
		corr_case(&thin, 0.125f, tf32, 1, 1);
	}
	sample_case(&fine, 1.0f, 1);
	sample_case(&(struct shape){ 1012, 24, 96, 128, 3, 0 }, 1.0f, 1);
	track_case(&tile, 1.0f, 0, 1);
	track_case(&window, 1.0f, 0, 1);
	query_case(1012, 128, 1);
}
