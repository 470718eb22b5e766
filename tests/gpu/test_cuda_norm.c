/* norm.h on CUDA. */
#include "norm_cuda.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "front_cases.h"
#include "op_case.h"

/* ---- the same maths in plain float ------------------------------------------------------------------------------- */

static float sum_of(const float *x, int64_t n)
{
	float sum = 0.0f;

	for (int64_t i = 0; i < n; i++)
		sum += x[i];
	return sum;
}

static float inv_std_of(const float *x, int64_t n, float mean, float eps)
{
	float sum = 0.0f;

	for (int64_t i = 0; i < n; i++)
		sum += (x[i] - mean) * (x[i] - mean);
	return 1.0f / sqrtf(sum / (float)n + eps);
}

static void layer_norm_plain(const void *args)
{
	const struct sb_layer_norm_args *a = args;

	for (int64_t i = 0; i < a->batch * a->rows; i++) {
		const float *x = a->x + i / a->rows * a->x_batch + i % a->rows * a->x_row;
		const float *mod = a->mod ? a->mod + i * a->ld_mod : NULL;
		float *y = a->y + i / a->rows * a->y_batch + i % a->rows * a->y_row;
		float mean = sum_of(x, a->dim) / (float)a->dim, inv = inv_std_of(x, a->dim, mean, a->eps);

		for (int64_t c = 0; c < a->dim; c++) {
			float v = (x[c] - mean) * inv;

			v = a->weight ? v * a->weight[c] + a->bias[c] : v;
			v = mod ? mod[2 * a->dim + c] * (v * (1.0f + mod[a->dim + c]) + mod[c]) + x[c] : v;
			y[c] = v;
		}
	}
}

/*
 * Far from 0 a plain sum is so far off that any kernel would pass: there the mean is taken in two floats, as the kernel
 * promises to.
 */
static void layer_norm_far(const void *args)
{
	const struct sb_layer_norm_args *a = args;

	for (int64_t i = 0; i < a->batch * a->rows; i++) {
		const float *x = a->x + i / a->rows * a->x_batch + i % a->rows * a->x_row;
		float *y = a->y + i / a->rows * a->y_batch + i % a->rows * a->y_row, mean, rest, sum = 0.0f;
		double exact = 0.0;

		for (int64_t c = 0; c < a->dim; c++)
			exact += (double)x[c];
		exact /= (double)a->dim;
		mean = (float)exact;
		rest = (float)(exact - (double)mean);
		for (int64_t c = 0; c < a->dim; c++)
			sum += ((x[c] - mean) - rest) * ((x[c] - mean) - rest);
		for (int64_t c = 0; c < a->dim; c++)
			y[c] = ((x[c] - mean) - rest) / sqrtf(sum / (float)a->dim + a->eps) * a->weight[c] + a->bias[c];
	}
}

static void plain_head(const struct sb_qk_norm_rope_args *a, float *x, const float *w, const float *b, int64_t patch)
{
	float mean = sum_of(x, a->dim) / (float)a->dim, inv = inv_std_of(x, a->dim, mean, a->eps);
	int quarter = a->dim / 4;

	for (int i = 0; i < a->dim; i++)
		x[i] = (x[i] - mean) * inv * w[i] + b[i];
	for (int j = 0; patch >= 0 && j < 2 * quarter; j++) {
		int lo = j < quarter ? j : j + quarter, hi = lo + quarter;
		int64_t pos = (j < quarter ? patch / a->grid_w : patch % a->grid_w) + 1;
		float cosine = a->rope[(pos * quarter + j % quarter) * 2];
		float sine = a->rope[(pos * quarter + j % quarter) * 2 + 1], p = x[lo], q = x[hi];

		x[lo] = p * cosine - q * sine;
		x[hi] = q * cosine + p * sine;
	}
}

static void qk_norm_rope_plain(const void *args)
{
	const struct sb_qk_norm_rope_args *a = args;

	for (int64_t i = 0; i < a->tokens * a->heads; i++) {
		int64_t t = i / a->heads, at = t * a->row + i % a->heads * a->dim;

		plain_head(a, a->q + at, a->q_weight, a->q_bias, t % a->frame_tokens - a->special);
		plain_head(a, a->k + at, a->k_weight, a->k_bias, t % a->frame_tokens - a->special);
	}
}

/* clang-format off */
OP_HOST(layer_norm)
OP_HOST(qk_norm_rope)
/* clang-format on */

static const struct op_row op_layer_norm = { "layer_norm", sizeof(struct sb_layer_norm_args), layer_norm_ref,
	layer_norm_plain, layer_norm_cuda, NULL, 0 };
static const struct op_row op_layer_norm_far = { "layer_norm", sizeof(struct sb_layer_norm_args), layer_norm_ref,
	layer_norm_far, layer_norm_cuda, NULL, 0 };
static const struct op_row op_qk_norm_rope = { "qk_norm_rope", sizeof(struct sb_qk_norm_rope_args), qk_norm_rope_ref,
	qk_norm_rope_plain, qk_norm_rope_cuda, NULL, 0 };

/* ---- layer norm -------------------------------------------------------------------------------------------------- */

struct norm_shape {
	int64_t batch, rows, dim, pad; /* pad: floats between rows */
	int affine, adaptive, in_place;
	double mean, dev;
};

static const struct norm_shape norm_shapes[] = {
	{ 0, 3, 8, 0, 1, 0, 0, 0.0, 1.0 },      /* nothing to do */
	{ 1, 1, 1, 0, 1, 0, 0, 3.0, 1.0 },      /* variance 0 */
	{ 1, 5, 4, 0, 0, 0, 0, 0.0, 1.0 },      /* one vector */
	{ 2, 3, 127, 0, 1, 0, 0, 0.0, 1.0 },    /* around the first register size */
	{ 2, 3, 128, 0, 1, 0, 1, 0.0, 1.0 },    /* */
	{ 2, 3, 129, 0, 1, 1, 0, 0.0, 1.0 },    /* */
	{ 2, 3, 132, 4, 1, 0, 0, 0.0, 1.0 },    /* */
	{ 3, 7, 384, 8, 0, 1, 1, 0.1, 1.0 },    /* the tracker's rows */
	{ 3, 7, 388, 0, 1, 1, 0, 0.1, 1.0 },    /* */
	{ 5, 9, 1024, 12, 1, 0, 0, 0.3, 2.0 },  /* the front end's */
	{ 1, 3, 1028, 0, 1, 0, 0, 0.0, 1.0 },   /* */
	{ 2, 4, 2048, 0, 1, 1, 1, 0.0, 1.0 },   /* the cameras' */
	{ 2, 2, 2052, 0, 1, 0, 0, 0.0, 1.0 },   /* beyond registers */
	{ 1, 3, 5000, 3, 1, 1, 1, 0.0, 1.0 },   /* */
	{ 4, 5, 1024, 0, 1, 0, 0, 1e4, 1.0 },   /* a mean far from 0 */
	{ 4, 5, 1024, 1, 1, 0, 0, -3e3, 1e-2 }, /* */
	{ 4, 5, 1024, 0, 1, 0, 0, 0.0, 1e-7 },  /* below eps */
	{ 4, 5, 1024, 0, 1, 0, 0, 0.0, 1e15 },  /* squares near the largest float */
};

static void layer_norm_case(const struct norm_shape *s, int timed)
{
	int64_t rows = s->batch * s->rows, row = s->dim + s->pad, n = rows * row, mod_row = 3 * s->dim + s->pad;
	struct sb_layer_norm_args a = {
		.x = op_gauss(n, 1, s->mean, s->dev),
		.y = op_nan(n),
		.weight = s->affine ? op_gauss(s->dim, 2, 1.0, 0.3) : NULL,
		.bias = s->affine ? op_gauss(s->dim, 3, 0.0, 0.3) : NULL,
		.mod = s->adaptive ? op_gauss(rows * mod_row, 4, 0.2, 0.5) : NULL,
		.batch = s->batch,
		.rows = s->rows,
		.dim = s->dim,
		.x_batch = s->rows * row,
		.x_row = row,
		.y_batch = s->rows * row,
		.y_row = row,
		.ld_mod = mod_row,
		.eps = 1e-5f,
	};
	float *own = a.y;
	char what[96];

	if (s->in_place)
		a.y = (float *)(uintptr_t)a.x;
	const struct op_field f[] = {
		OP_IN(sb_layer_norm_args, x, n),
		OP_OUT(sb_layer_norm_args, y, n),
		OP_IN(sb_layer_norm_args, weight, s->dim),
		OP_IN(sb_layer_norm_args, bias, s->dim),
		OP_IN(sb_layer_norm_args, mod, rows * mod_row),
	};
	snprintf(what, sizeof(what), "%dx%dx%d+%d%s%s mean %g", (int)s->batch, (int)s->rows, (int)s->dim, (int)s->pad,
	        s->adaptive ? " adaptive" : "", s->in_place ? " in place" : "", s->mean);
	if (timed)
		op_time(&op_layer_norm, &a, f, COUNT(f), what,
		        4.0 * (double)rows * (double)s->dim * (s->adaptive ? 5.0 : 2.0));
	else
		op_check(fabs(s->mean) > 100.0 ? &op_layer_norm_far : &op_layer_norm, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.x);
	free(own);
	free((float *)(uintptr_t)a.weight);
	free((float *)(uintptr_t)a.bias);
	free((float *)(uintptr_t)a.mod);
}

/* Infinite and NaN rows stay by themselves. */
static void check_bad_rows(void)
{
	enum { ROWS = 6, DIM = 256 };
	struct sb_layer_norm_args a = { .x = op_gauss(ROWS * DIM, 1, 0.0, 1.0),
		.y = op_nan(ROWS * DIM),
		.batch = 1,
		.rows = ROWS,
		.dim = DIM,
		.x_row = DIM,
		.y_row = DIM,
		.eps = 1e-6f };
	const struct op_field f[] = { OP_IN(sb_layer_norm_args, x, ROWS * DIM),
		OP_OUT(sb_layer_norm_args, y, ROWS * DIM) };
	float *x = (float *)(uintptr_t)a.x;

	x[DIM + 7] = NAN;
	x[3 * DIM] = INFINITY;
	x[4 * DIM + 255] = -INFINITY;
	op_check(&op_layer_norm, &a, f, COUNT(f), "rows with NaN and infinity");
	free(x);
	free(a.y);
}

/* ---- q/k norm ---------------------------------------------------------------------------------------------------- */

struct qk_shape {
	int64_t frames, special, grid_h, grid_w, pad;
	int heads, dim;
};

static const struct qk_shape qk_shapes[] = {
	{ 1, 0, 1, 1, 0, 1, 4 },
	{ 2, 5, 3, 2, 0, 3, 64 },
	{ 3, 5, 4, 7, 4, 16, 64 },
	{ 2, 1, 5, 3, 1, 2, 64 }, /* not 16 bytes aligned */
	{ 2, 2, 2, 3, 0, 5, 8 },
	{ 1, 5, 3, 4, 0, 2, 48 },
	{ 1, 5, 3, 4, 2, 2, 132 },
};

static float *rope_table(int64_t positions, int dim)
{
	float *v = op_floats(positions * (dim / 4) * 2, 0.0f);

	for (int64_t i = 0; i < positions * (dim / 4); i++) {
		double angle = (double)(i / (dim / 4)) * pow(100.0, -2.0 * (double)(i % (dim / 4)) / (dim / 2.0));

		v[2 * i] = (float)cos(angle);
		v[2 * i + 1] = (float)sin(angle);
	}
	return v;
}

static void qk_case(const struct qk_shape *s, int timed)
{
	int64_t per_frame = s->special + s->grid_h * s->grid_w, tokens = s->frames * per_frame;
	int64_t row = (int64_t)s->heads * s->dim + s->pad, n = tokens * row;
	int64_t positions = (s->grid_h > s->grid_w ? s->grid_h : s->grid_w) + 1;
	struct sb_qk_norm_rope_args a = {
		.q = op_gauss(n, 1, 0.2, 1.5),
		.k = op_gauss(n, 2, -0.1, 0.7),
		.q_weight = op_gauss(s->dim, 3, 1.0, 0.3),
		.q_bias = op_gauss(s->dim, 4, 0.0, 0.3),
		.k_weight = op_gauss(s->dim, 5, 1.0, 0.3),
		.k_bias = op_gauss(s->dim, 6, 0.0, 0.3),
		.rope = rope_table(positions, s->dim),
		.tokens = tokens,
		.row = row,
		.frame_tokens = per_frame,
		.special = s->special,
		.grid_w = s->grid_w,
		.heads = s->heads,
		.dim = s->dim,
		.eps = 1e-5f,
	};
	const struct op_field f[] = {
		OP_OUT(sb_qk_norm_rope_args, q, n),
		OP_OUT(sb_qk_norm_rope_args, k, n),
		OP_IN(sb_qk_norm_rope_args, q_weight, s->dim),
		OP_IN(sb_qk_norm_rope_args, q_bias, s->dim),
		OP_IN(sb_qk_norm_rope_args, k_weight, s->dim),
		OP_IN(sb_qk_norm_rope_args, k_bias, s->dim),
		OP_IN(sb_qk_norm_rope_args, rope, positions * (s->dim / 4) * 2),
	};
	char what[96];

	snprintf(what, sizeof(what), "%d tokens, %d heads of %d, row %d", (int)tokens, s->heads, s->dim, (int)row);
	if (timed)
		op_time(&op_qk_norm_rope, &a, f, COUNT(f), what, 16.0 * (double)tokens * s->heads * s->dim);
	else
		op_check(&op_qk_norm_rope, &a, f, COUNT(f), what);
	free(a.q);
	free(a.k);
	free((float *)(uintptr_t)a.q_weight);
	free((float *)(uintptr_t)a.q_bias);
	free((float *)(uintptr_t)a.k_weight);
	free((float *)(uintptr_t)a.k_bias);
	free((float *)(uintptr_t)a.rope);
}

void check_norm(int quick)
{
	static const struct norm_shape large = { 24, 782, 1024, 0, 1, 0, 0, 0.1, 1.0 };
	static const struct qk_shape large_qk = { 3, 5, 21, 37, 2048, 16, 64 };

	for (int i = 0; i < COUNT(norm_shapes); i++)
		layer_norm_case(&norm_shapes[i], 0);
	check_bad_rows();
	for (int i = 0; i < COUNT(qk_shapes); i++)
		qk_case(&qk_shapes[i], 0);
	if (quick)
		return;
	layer_norm_case(&large, 0);
	qk_case(&large_qk, 0);
}

void time_norm(void)
{
	static const struct norm_shape shapes[] = {
		{ 24, 782, 1024, 0, 1, 0, 0, 0.1, 1.0 }, /* every block of the front end */
		{ 8, 777, 2048, 0, 1, 0, 0, 0.1, 1.0 },  /* depth head */
		{ 1, 24, 2048, 0, 0, 1, 0, 0.1, 1.0 },   /* cameras */
		{ 1, 25824, 384, 0, 0, 0, 0, 0.1, 1.0 }, /* tracker, points and virtual tracks */
		{ 1, 32640, 128, 0, 1, 0, 0, 0.1, 1.0 }, /* neighbours of a tile of 2040 rows */
	};
	static const struct qk_shape qk = { 24, 5, 21, 37, 2048, 16, 64 };

	for (int i = 0; i < COUNT(shapes); i++)
		layer_norm_case(&shapes[i], 1);
	qk_case(&qk, 1);
}
