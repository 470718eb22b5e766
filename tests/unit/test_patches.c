#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cblas.h>
#include <cmocka.h>
#include <omp.h>

#include "kernel_check.h"
#include "linear.h"
#include "patches.h"
#include "sb_base.h"

#define VOLUME (SB_PATCH * SB_PATCH)

struct shape {
	int64_t n, frames, h, w, c, out;
};

static const struct shape shapes[] = {
	{ 0, 3, 4, 5, 6, 7 },       /* nothing to do */
	{ 1, 1, 1, 1, 1, 1 },       /* every tap is the one pixel */
	{ 1, 1, 12, 16, 128, 384 }, /* as in the network, the coarsest level */
	{ 2, 3, 12, 16, 128, 5 },   /* */
	{ 3, 2, 9, 14, 3, 4 },      /* points */
	{ 5, 4, 24, 32, 15, 33 },   /* one channel below, at and above the lanes */
	{ 5, 4, 24, 32, 16, 33 },   /* */
	{ 5, 4, 24, 32, 17, 33 },   /* */
	{ 31, 1, 20, 10, 4, 2 },    /* one row below, at and above the smallest tile, and two tiles of it */
	{ 8, 4, 20, 10, 4, 2 },     /* */
	{ 11, 3, 20, 10, 4, 2 },    /* */
	{ 13, 5, 20, 10, 4, 2 },    /* */
	{ 4, 9, 20, 10, 4, 2 },     /* more frames than patches are multiplied at a time */
	{ 5, 17, 20, 10, 4, 2 },    /* */
	{ 683, 3, 24, 32, 2, 2 },   /* one row above sixteen of the largest tile */
};

struct data {
	float *map, *pmap, *uv, *query, *w, *bias, *centre, *points;
	int64_t rows, ldw, ldy;
};

/* Positions in and around the map, and every kind that needs care. */
static float *positions(int64_t n, int64_t w, int64_t h, float scale)
{
	static const float special[] = { 0.0f, -0.25f, 3.0f, -3.0f, -100.0f, 1e30f, -1e30f, INFINITY, -INFINITY, NAN };
	float *uv = kc_gauss(2 * n, 11, 0.5, 0.4);

	for (int64_t i = 0; i < n; i++) {
		uv[2 * i] *= (float)w / scale;
		uv[2 * i + 1] *= (float)h / scale;
		if (n > 4 && i % 7 == 0)
			uv[2 * i] = special[(size_t)i % SB_ARRAY_LEN(special)];
		if (n > 4 && i % 5 == 0)
			uv[2 * i + 1] = special[(size_t)(i / 5) % SB_ARRAY_LEN(special)];
		if (n > 4 && i % 11 == 0)
			uv[2 * i] = (float)(w - 1) / scale;
	}
	return uv;
}

static struct data data_new(const struct shape *s, float scale, int tf32)
{
	struct data d = { .rows = s->n * s->frames, .ldw = VOLUME + 7, .ldy = s->out + 3 };

	d.map = kc_gauss(s->frames * s->h * s->w * s->c, 1, 0.0, 1.0);
	d.pmap = kc_gauss(s->frames * s->h * s->w * 3, 2, 0.3, 1.0);
	d.uv = positions(d.rows, s->w, s->h, scale);
	d.query = kc_gauss(s->n * SB_PATCH * s->c, 3, 0.0, 1.0 / sqrt((double)s->c));
	d.w = kc_gauss(s->out * d.ldw, 4, 0.0, 1.0 / SB_PATCH);
	if (tf32) /* as weight preparation does */
		sb_tf32_round_cpu(d.w, d.w, (size_t)(s->out * d.ldw));
	d.bias = kc_gauss(s->out, 5, 0.0, 0.3);
	d.centre = kc_gauss(d.rows * 3, 6, 0.0, 1.0);
	d.points = kc_gauss(s->n * SB_PATCH * 3, 7, 0.0, 1.0);
	return d;
}

static void data_free(struct data *d)
{
	free(d->map);
	free(d->pmap);
	free(d->uv);
	free(d->query);
	free(d->w);
	free(d->bias);
	free(d->centre);
	free(d->points);
}

/* ---- samples ---------------------------------------------------------------------------------------------------- */

/* map[y][x] = 100 y + x on 40 x 50. */
static void ramp(float map[40 * 50])
{
	for (int i = 0; i < 40 * 50; i++)
		map[i] = (float)(100 * (i / 50) + i % 50);
}

static void x_is_the_slow_index_of_a_patch_and_y_the_fast_one(void **state)
{
	float map[40 * 50], out[SB_PATCH], xy[2] = { 40.0f, 80.0f };
	int32_t frame = 0;
	struct sb_patch_sample_args a = { .map = map,
		.xy = xy,
		.frame = &frame,
		.out = out,
		.n = 1,
		.frames = 1,
		.h = 40,
		.w = 50,
		.c = 1,
		.scale = 0.25f };

	(void)state;
	ramp(map);
	for (int reference = 0; reference < 2; reference++) {
		(reference ? sb_patch_sample_ref : sb_patch_sample_cpu)(&a);
		for (int k = 0; k < SB_PATCH; k++)
			assert_true(out[k] == (float)(100 * (20 + k % 7 - 3) + 10 + k / 7 - 3));
	}
}

/* Exact in float: bilinear interpolation of a ramp is the ramp. */
static void positions_between_pixels_are_interpolated(void **state)
{
	float map[40 * 50], out[SB_PATCH], xy[2] = { 20.5f, 40.25f };
	int32_t frame = 0;
	struct sb_patch_sample_args a = { .map = map,
		.xy = xy,
		.frame = &frame,
		.out = out,
		.n = 1,
		.frames = 1,
		.h = 40,
		.w = 50,
		.c = 1,
		.scale = 0.5f };

	(void)state;
	ramp(map);
	for (int reference = 0; reference < 2; reference++) {
		(reference ? sb_patch_sample_ref : sb_patch_sample_cpu)(&a);
		for (int k = 0; k < SB_PATCH; k++)
			assert_true(out[k] == 100.0f * (20.125f + (float)(k % 7 - 3)) + 10.25f + (float)(k / 7 - 3));
	}
}

static int64_t inside(int64_t v, int64_t size)
{
	return v < 0 ? 0 : v >= size ? size - 1 : v;
}

/* Fractions that are no powers of two, so that an interpolation which is only nearly exact shows. */
static void beyond_the_border_is_the_border_exactly(void **state)
{
	static const float far[][2] = { { -40.3f, 5.3f }, { 60.7f, 5.6f }, { 7.3f, -3.3f }, { 7.1f, 99.7f },
		{ -50.3f, -70.7f }, { 60.3f, 70.1f }, { -1e30f, 1e30f }, { INFINITY, -INFINITY }, { NAN, 4.0f },
		{ 5.0f, NAN } };
	enum { H = 11, W = 13, C = 19 };
	float *map = kc_gauss(H * W * C, 1, 0.0, 1.0), *map3 = kc_gauss(H * W * 3, 2, 0.0, 1.0);

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(far); i++)
		for (int c = 3; c <= C; c += C - 3) {
			float out[SB_PATCH * C];
			int32_t frame = 0;
			const float *image = c == 3 ? map3 : map;
			struct sb_patch_sample_args a = { .map = image,
				.xy = far[i],
				.frame = &frame,
				.out = out,
				.n = 1,
				.frames = 1,
				.h = H,
				.w = W,
				.c = c,
				.scale = 1.0f };
			int x_out = !(fabsf(far[i][0] - 6.0f) < 9.0f), y_out = !(fabsf(far[i][1] - 5.0f) < 8.0f);

			sb_patch_sample_cpu(&a);
			for (int k = 0; k < SB_PATCH && x_out && y_out; k++) {
				int64_t x = far[i][0] > 0.0f ? W - 1 : 0, y = far[i][1] > 0.0f ? H - 1 : 0;

				assert_true(kc_same_bits(out + k * c, image + (y * W + x) * c, c));
			}
			/* one axis outside: along it all seven are the same */
			for (int k = 0; k < SB_PATCH; k++) {
				if (x_out)
					assert_true(kc_same_bits(out + k * c, out + k % 7 * c, c));
				if (y_out)
					assert_true(kc_same_bits(out + k * c, out + k / 7 * 7 * c, c));
			}
			sb_patch_sample_ref(&a);
			assert_true(!isnan(out[0]));
		}
	free(map);
	free(map3);
}

/* The same maths in plain float: four pixels with the products of their weights. */
static float plain_sample(const float *image, int64_t h, int64_t w, int64_t c, const float *uv, float scale, int k)
{
	float pos[2] = { uv[0] * scale, uv[1] * scale };
	int64_t size[2] = { w, h }, lo[2], hi[2];
	float f[2];

	for (int i = 0; i < 2; i++) {
		double p = (double)pos[i] + (i ? k % 7 : k / 7) - 3;

		p = p > 0.0 ? p < (double)size[i] - 1.0 ? p : (double)size[i] - 1.0 : 0.0;
		lo[i] = (int64_t)p;
		hi[i] = inside(lo[i] + 1, size[i]);
		f[i] = (float)(p - (double)lo[i]);
	}
	return image[(lo[1] * w + lo[0]) * c] * ((1.0f - f[0]) * (1.0f - f[1])) +
	       image[(lo[1] * w + hi[0]) * c] * (f[0] * (1.0f - f[1])) +
	       image[(hi[1] * w + lo[0]) * c] * ((1.0f - f[0]) * f[1]) + image[(hi[1] * w + hi[0]) * c] * (f[0] * f[1]);
}

static void sample_plain(const struct sb_patch_sample_args *a)
{
	for (int64_t i = 0; i < a->n * SB_PATCH * a->c; i++) {
		int64_t point = i / a->c / SB_PATCH;

		a->out[i] = plain_sample(a->map + a->frame[point] * a->h * a->w * a->c + i % a->c, a->h, a->w, a->c,
		        a->xy + 2 * point, a->scale, (int)(i / a->c % SB_PATCH));
	}
}

static float *sample_run(
        const struct shape *s, const struct data *d, float scale, void (*kernel)(const struct sb_patch_sample_args *))
{
	int32_t *frame = malloc((size_t)d->rows * sizeof(*frame) + 1);
	struct sb_patch_sample_args a = { .map = d->map,
		.xy = d->uv,
		.frame = frame,
		.out = kc_poisoned(d->rows * SB_PATCH * s->c),
		.n = d->rows,
		.frames = s->frames,
		.h = s->h,
		.w = s->w,
		.c = s->c,
		.scale = scale };

	assert_non_null(frame);
	for (int64_t i = 0; i < d->rows; i++)
		frame[i] = (int32_t)(i * 5 % s->frames);
	kernel(&a);
	free(frame);
	return a.out;
}

static void samples_agree_with_the_double_loops(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes) * 3; i++) {
		const struct shape *s = &shapes[i / 3];
		float scale = i % 3 == 0 ? 1.0f : i % 3 == 1 ? 0.125f : 0.3f;
		struct data d = data_new(s, scale, 0);
		int64_t n = d.rows * SB_PATCH * s->c;
		float *y = sample_run(s, &d, scale, sb_patch_sample_cpu),
		      *ref = sample_run(s, &d, scale, sb_patch_sample_ref);
		float *plain = sample_run(s, &d, scale, sample_plain);
		double bound = s->c == 3 ? 1e-9 : 2.0 * kc_error(plain, ref, n) + KC_ROUNDING;

		/* points: both in double and rounded once */
		assert_true(kc_error(y, ref, n) <= bound);
		free(y);
		free(ref);
		free(plain);
		data_free(&d);
	}
}

/* ---- correlation ------------------------------------------------------------------------------------------------ */

static struct sb_corr_args corr_args(const struct shape *s, const struct data *d, float scale, int tf32, int bias)
{
	return (struct sb_corr_args){ .map = d->map,
		.uv = d->uv,
		.query = d->query,
		.w = d->w,
		.bias = bias ? d->bias : NULL,
		.n = s->n,
		.frames = s->frames,
		.h = s->h,
		.width = s->w,
		.c = s->c,
		.out = s->out,
		.ldw = d->ldw,
		.ldy = d->ldy,
		.scale = scale,
		.tf32 = tf32 };
}

/* Rows of y without what lies between them, which must still be NaN. */
static float *packed(const struct sb_corr_args *a, float *y)
{
	int64_t rows = a->n * a->frames;
	float *dense = kc_poisoned(rows * a->out);

	for (int64_t i = 0; i < rows * a->ldy; i++) {
		int64_t col = i % a->ldy;

		if (col < a->out)
			dense[i / a->ldy * a->out + col] = y[i];
		else
			assert_true(isnan(y[i]));
	}
	free(y);
	return dense;
}

static float *corr_run(struct sb_corr_args a, void (*reference)(const struct sb_corr_args *))
{
	float *ws = kc_poisoned((int64_t)(sb_corr_cpu_workspace(&a) / sizeof(float)));

	a.y = kc_poisoned(a.n * a.frames * a.ldy);
	if (reference)
		reference(&a);
	else
		sb_corr_cpu(&a, ws);
	free(ws);
	return packed(&a, a.y);
}

static float rounded(float v, int tf32)
{
	if (tf32)
		sb_tf32_round_cpu(&v, &v, 1);
	return v;
}

static void corr_plain(const struct sb_corr_args *a)
{
	for (int64_t r = 0; r < a->n * a->frames; r++) {
		const float *image = a->map + r % a->frames * a->h * a->width * a->c;
		const float *query = a->query + r / a->frames * SB_PATCH * a->c;
		float v[VOLUME] = { 0.0f };

		for (int i = 0; i < SB_PATCH; i++)
			for (int64_t c = 0; c < a->c; c++) {
				float x = plain_sample(image + c, a->h, a->width, a->c, a->uv + 2 * r, a->scale, i);

				for (int j = 0; j < SB_PATCH; j++)
					v[i * SB_PATCH + j] +=
					        rounded(x, a->tf32) * rounded(query[j * a->c + c], a->tf32);
			}
		for (int64_t o = 0; o < a->out; o++) {
			float sum = 0.0f;

			for (int k = 0; k < VOLUME; k++)
				sum += rounded(v[k], a->tf32) * a->w[o * a->ldw + k];
			sum += a->bias ? a->bias[o] : 0.0f;
			a->y[r * a->ldy + o] = 0.5f * sum * (1.0f + erff(sum * 0.70710678f));
		}
	}
}

static void every_shape_of_correlation_agrees_with_the_double_loops(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes) * 2; i++) {
		const struct shape *s = &shapes[i / 2];
		int tf32 = i % 2 != 0;
		float scale = i % 4 < 2 ? 0.25f : 1.0f;
		struct data d = data_new(s, scale, tf32);
		struct sb_corr_args a = corr_args(s, &d, scale, tf32, i % 3 != 0);
		float *y = corr_run(a, NULL), *ref = corr_run(a, sb_corr_ref), *plain = corr_run(a, corr_plain);
		double error = kc_error(y, ref, d.rows * s->out);
		double bound = 2.0 * kc_error(plain, ref, d.rows * s->out) + KC_ROUNDING;

		if (tf32) /* an operand next to a tie may be rounded to its other side */
			bound += 5e-5;
		if (!(error <= bound))
			print_error("shape %d tf32 %d: error %.3g, bound %.3g\n", (int)(i / 2), tf32, error, bound);
		assert_true(error <= bound);
		free(y);
		free(ref);
		free(plain);
		data_free(&d);
	}
}

/* Weights that pick one element of the volume each: 49 * (target patch) + (query patch). */
static void the_volume_is_target_by_query(void **state)
{
	static const struct shape s = { 2, 2, 24, 32, 8, 4 };
	static const int target[4] = { 0, 3, 30, 48 }, query[4] = { 48, 5, 24, 11 };
	struct data d = data_new(&s, 1.0f, 0);
	struct sb_corr_args a = corr_args(&s, &d, 1.0f, 0, 0);
	float *volume = kc_poisoned(d.rows * VOLUME), *y, *ref;

	(void)state;
	memset(d.w, 0, (size_t)(s.out * d.ldw) * sizeof(*d.w));
	for (int o = 0; o < 4; o++)
		d.w[o * d.ldw + target[o] * SB_PATCH + query[o]] = 1.0f;
	y = corr_run(a, NULL);
	ref = corr_run(a, sb_corr_ref);
	sb_corr_volume_ref(&a, volume);
	for (int64_t r = 0; r < d.rows; r++)
		for (int o = 0; o < 4; o++) {
			const float *image = d.map + r % s.frames * s.h * s.w * s.c;
			const float *q = d.query + (r / s.frames * SB_PATCH + query[o]) * s.c;
			double dot = 0.0, gelu;

			for (int64_t c = 0; c < s.c; c++)
				dot += (double)q[c] *
				       (double)plain_sample(image + c, s.h, s.w, s.c, d.uv + 2 * r, 1.0f, target[o]);
			gelu = 0.5 * dot * (1.0 + erf(dot * sqrt(0.5)));
			assert_true(fabs(volume[r * VOLUME + target[o] * SB_PATCH + query[o]] - dot) <= 1e-6);
			assert_true(fabs(y[r * s.out + o] - gelu) <= 2e-6 && fabs(ref[r * s.out + o] - gelu) <= 2e-6);
		}
	free(volume);
	free(y);
	free(ref);
	data_free(&d);
}

/* Each of the three operands must be rounded: leaving one out changes the error by a factor. */
static void tf32_correlation_errs_as_much_as_rounded_operands_do(void **state)
{
	static const struct shape s = { 8, 4, 24, 32, 32, 48 };
	struct data exact = data_new(&s, 1.0f, 0), round = data_new(&s, 1.0f, 1);
	float *y = corr_run(corr_args(&s, &round, 1.0f, 1, 0), NULL);
	float *like = corr_run(corr_args(&s, &round, 1.0f, 1, 0), sb_corr_ref);
	float *ref = corr_run(corr_args(&s, &exact, 1.0f, 0, 0), sb_corr_ref);
	int64_t n = exact.rows * s.out;

	(void)state;
	print_message("tf32 correlation: error %.3g, of the emulation %.3g, gain - 1 = %.2g\n", kc_error(y, ref, n),
	        kc_error(y, like, n), kc_gain(y, ref, n) - 1.0);
	assert_true(kc_error(y, ref, n) >= 2e-4 && kc_error(y, ref, n) <= 8e-4);
	assert_true(kc_error(y, like, n) <= 2e-5);
	assert_true(fabs(kc_gain(y, ref, n) - 1.0) <= 1e-4);
	free(y);
	free(like);
	free(ref);
	data_free(&exact);
	data_free(&round);
}

/* ---- neighbours ------------------------------------------------------------------------------------------------- */

static struct sb_neighbours_args neighbours_args(const struct shape *s, const struct data *d, float scale, int track)
{
	struct sb_neighbours_args a = { .n = s->n,
		.frames = track ? s->frames : 1,
		.h = s->h,
		.w = s->w,
		.c = s->c,
		.ldf = s->c + 5,
		.scale = scale };

	if (track) {
		a.map = d->map;
		a.pmap = d->pmap;
		a.uv = d->uv;
		a.centre = d->centre;
	} else {
		a.patches = d->query;
		a.points = d->points;
	}
	return a;
}

/* out_f without what lies between rows goes to *f, out_d to *delta. */
static void neighbours_run(
        struct sb_neighbours_args a, void (*kernel)(const struct sb_neighbours_args *), float **delta, float **f)
{
	int64_t rows = a.n * a.frames * SB_NEIGHBOURS;

	a.out_d = kc_poisoned(rows * 3);
	a.out_f = kc_poisoned(rows * a.ldf);
	kernel(&a);
	*delta = a.out_d;
	*f = kc_poisoned(rows * a.c);
	for (int64_t i = 0; i < rows * a.ldf; i++) {
		if (i % a.ldf < a.c)
			(*f)[i / a.ldf * a.c + i % a.ldf] = a.out_f[i];
		else
			assert_true(isnan(a.out_f[i]));
	}
	free(a.out_f);
}

static void neighbours_agree_with_the_double_loops(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes) * 2; i++) {
		const struct shape *s = &shapes[i / 2];
		int track = i % 2 != 0;
		float scale = i % 4 < 2 ? 0.5f : 1.0f, *d[2], *f[2];
		struct data data = data_new(s, scale, 0);
		struct sb_neighbours_args a = neighbours_args(s, &data, scale, track);
		int64_t rows = s->n * a.frames * SB_NEIGHBOURS;

		neighbours_run(a, sb_neighbours_cpu, &d[0], &f[0]);
		neighbours_run(a, sb_neighbours_ref, &d[1], &f[1]);
		assert_true(kc_error(d[0], d[1], rows * 3) <= KC_ROUNDING);
		assert_true(kc_error(f[0], f[1], rows * s->c) <= 2e-7);
		for (int k = 0; k < 2; k++) {
			free(d[k]);
			free(f[k]);
		}
		data_free(&data);
	}
}

/* Point k lies at distance |k - 24| along an axis: both sides tie, and the lower index goes first. */
static void the_nearest_is_dropped_and_sixteen_follow_in_order(void **state)
{
	float points[SB_PATCH][3], patches[SB_PATCH], d[SB_NEIGHBOURS][3], f[SB_NEIGHBOURS];
	struct sb_neighbours_args a = { .patches = patches,
		.points = &points[0][0],
		.out_d = &d[0][0],
		.out_f = f,
		.n = 1,
		.frames = 1,
		.c = 1,
		.ldf = 1 };

	(void)state;
	for (int k = 0; k < SB_PATCH; k++) {
		for (int c = 0; c < 3; c++)
			points[k][c] = c == 1 ? (float)(k - 24) : 5.0f;
		patches[k] = (float)k;
	}
	for (int reference = 0; reference < 2; reference++) {
		(reference ? sb_neighbours_ref : sb_neighbours_cpu)(&a);
		for (int i = 0; i < SB_NEIGHBOURS; i++) {
			int k = i % 2 ? 24 + i / 2 + 1 : 24 - i / 2 - 1;

			assert_true(f[i] == (float)k && d[i][1] == (float)(k - 24) && d[i][0] == 0.0f);
		}
	}
}

static void neighbours_of_equal_distance_go_by_index_and_nan_goes_last(void **state)
{
	float points[SB_PATCH][3], patches[SB_PATCH], d[SB_NEIGHBOURS][3], f[SB_NEIGHBOURS];
	struct sb_neighbours_args a = { .patches = patches,
		.points = &points[0][0],
		.out_d = &d[0][0],
		.out_f = f,
		.n = 1,
		.frames = 1,
		.c = 1,
		.ldf = 1 };

	(void)state;
	for (int reference = 0; reference < 2; reference++)
		for (int nans = 0; nans <= SB_PATCH; nans += 7) {
			for (int k = 0; k < SB_PATCH; k++) {
				points[k][0] = points[k][1] = points[k][2] = k < nans ? NAN : 2.0f;
				patches[k] = (float)k;
			}
			(reference ? sb_neighbours_ref : sb_neighbours_cpu)(&a);
			for (int i = 0; i < SB_NEIGHBOURS; i++) {
				/* from 28 on the centre is NaN and with it every difference */
				int first = nans >= 28 ? 0 : nans, left = SB_PATCH - first;

				assert_true(f[i] == (float)(i + 1 < left ? first + i + 1 : i + 1 - left));
			}
		}
}

/* A flat point map: every distance ties, at the border too. */
static void a_flat_point_map_gives_the_first_positions(void **state)
{
	enum { H = 9, W = 10 };
	float pmap[H * W * 3], map[H * W], uv[4] = { 4.3f, 5.7f, -2.6f, 8.9f },
	                                   centre[6] = { 0.1f, 0.2f, 0.3f, 4, 5, 6 };
	float d[2 * SB_NEIGHBOURS * 3], f[2 * SB_NEIGHBOURS];
	struct sb_neighbours_args a = { .map = map,
		.pmap = pmap,
		.uv = uv,
		.centre = centre,
		.out_d = d,
		.out_f = f,
		.n = 2,
		.frames = 1,
		.h = H,
		.w = W,
		.c = 1,
		.ldf = 1,
		.scale = 1.0f };

	(void)state;
	for (int i = 0; i < H * W; i++) {
		pmap[3 * i] = 0.7f;
		pmap[3 * i + 1] = -1.3f;
		pmap[3 * i + 2] = 2.9f;
		map[i] = (float)(i % W);
	}
	sb_neighbours_cpu(&a);
	for (int i = 0; i < SB_NEIGHBOURS; i++) {
		assert_true(fabsf(f[i] - (4.3f + (float)((i + 1) / 7 - 3))) <= 1e-5f);
		assert_true(f[SB_NEIGHBOURS + i] == 0.0f);
		assert_true(d[3 * i] == 0.7f - 0.1f && d[3 * (SB_NEIGHBOURS + i) + 2] == 2.9f - 6.0f);
	}
}

/* ---- threads, rate ---------------------------------------------------------------------------------------------- */

static void results_do_not_depend_on_the_number_of_threads(void **state)
{
	int before = omp_get_max_threads();

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(shapes); i++) {
		const struct shape *s = &shapes[i];
		struct data d = data_new(s, 1.0f, i % 2);
		struct sb_corr_args c = corr_args(s, &d, 1.0f, i % 2, 1);
		struct sb_neighbours_args nb = neighbours_args(s, &d, 1.0f, 1);
		float *one[4], *many[4];
		int64_t count[4] = { d.rows * SB_PATCH * s->c, d.rows * s->out, d.rows * SB_NEIGHBOURS * 3,
			d.rows * SB_NEIGHBOURS * s->c };

		omp_set_num_threads(1);
		one[0] = sample_run(s, &d, 1.0f, sb_patch_sample_cpu);
		one[1] = corr_run(c, NULL);
		neighbours_run(nb, sb_neighbours_cpu, &one[2], &one[3]);
		for (int threads = 2; threads <= 4; threads += 2) {
			omp_set_num_threads(threads);
			many[0] = sample_run(s, &d, 1.0f, sb_patch_sample_cpu);
			many[1] = corr_run(c, NULL);
			neighbours_run(nb, sb_neighbours_cpu, &many[2], &many[3]);
			for (int k = 0; k < 4; k++) {
				assert_true(kc_same_bits(one[k], many[k], count[k]));
				free(many[k]);
			}
		}
		for (int k = 0; k < 4; k++)
			free(one[k]);
		data_free(&d);
	}
	omp_set_num_threads(before);
}

/* For the reader, not judged: how near to sgemm's own rate. */
static void print_the_rate_of_correlation_beside_that_of_sgemm(void **state)
{
	static const struct shape s = { 192, 8, 48, 64, 128, 384 };
	struct data d = data_new(&s, 0.5f, 0);
	struct sb_corr_args a = corr_args(&s, &d, 0.5f, 0, 1);
	int before = omp_get_max_threads();
	double flop = 2.0 * (double)d.rows * VOLUME * (double)(s.c + s.out), best = INFINITY, gemm = INFINITY;
	float *ws, *v = kc_gauss(d.rows * VOLUME, 8, 0.0, 1.0);

	(void)state;
	omp_set_num_threads(2);
	ws = kc_poisoned((int64_t)(sb_corr_cpu_workspace(&a) / sizeof(float)));
	a.y = kc_poisoned(d.rows * a.ldy);
	for (int i = 0; i < 3; i++) {
		double start = omp_get_wtime();

		sb_corr_cpu(&a, ws);
		best = fmin(best, omp_get_wtime() - start);
		start = omp_get_wtime();
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)d.rows, (int)s.out, VOLUME, 1.0f, v, VOLUME,
		        d.w, (int)d.ldw, 0.0f, a.y, (int)a.ldy);
		gemm = fmin(gemm, omp_get_wtime() - start);
	}
	print_message("correlation, 1536 rows, 2 threads: %.1f GFLOP/s, sgemm 2401 -> 384 alone %.1f\n",
	        flop / best / 1e9, 2.0 * (double)d.rows * VOLUME * (double)s.out / gemm / 1e9);
	omp_set_num_threads(before);
	free(ws);
	free(v);
	free(a.y);
	data_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x_is_the_slow_index_of_a_patch_and_y_the_fast_one),
		cmocka_unit_test(positions_between_pixels_are_interpolated),
		cmocka_unit_test(beyond_the_border_is_the_border_exactly),
		cmocka_unit_test(samples_agree_with_the_double_loops),
		cmocka_unit_test(the_volume_is_target_by_query),
		cmocka_unit_test(every_shape_of_correlation_agrees_with_the_double_loops),
		cmocka_unit_test(tf32_correlation_errs_as_much_as_rounded_operands_do),
		cmocka_unit_test(the_nearest_is_dropped_and_sixteen_follow_in_order),
		cmocka_unit_test(neighbours_of_equal_distance_go_by_index_and_nan_goes_last),
		cmocka_unit_test(a_flat_point_map_gives_the_first_positions),
		cmocka_unit_test(neighbours_agree_with_the_double_loops),
		cmocka_unit_test(results_do_not_depend_on_the_number_of_threads),
		cmocka_unit_test(print_the_rate_of_correlation_beside_that_of_sgemm),
	};

	return cmocka_run_group_tests_name("patches", tests, NULL, NULL);
}
