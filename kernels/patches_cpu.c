/*
 * patches on the CPU. Work is shared out by points or by tiles of (point, frame) that follow from the shape alone, and
 * sgemm runs single-threaded inside the parallel region (OpenBLAS's OpenMP build sees to that): results do not depend
 * on the number of threads.
 */
#include "patches.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "cpu_loop.h"
#include "cpu_math.h"
#include "linear.h"
#include "patch_axis.h"

#define CENTRE (SB_PATCH / 2)
#define LANES  16
#define VOLUME (SB_PATCH * SB_PATCH)

/* ---- sampling --------------------------------------------------------------------------------------------------- */

SB_INLINE void lerp_rows(const float *a, const float *b, float f, float *restrict out, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		out[i] = a[i] + f * (b[i] - a[i]);
}

/* One column of a patch, x offset `a`, `n` channels (at most LANES) from `image` on: 7 positions, `c` floats apart. */
SB_INLINE void sample_column(const float *image, const struct sb_patch_axis *x, const struct sb_patch_axis *y, int a,
        int64_t c, float *restrict out, int64_t n)
{
	float line[SB_PATCH_WINDOW][LANES];

	for (int i = 0; i < SB_PATCH_WINDOW; i++)
		lerp_rows(image + y->at[i] + x->at[a], image + y->at[i] + x->at[a + 1], (float)x->frac, line[i], n);
	for (int b = 0; b < SB_PATCH_SIDE; b++)
		lerp_rows(line[b], line[b + 1], (float)y->frac, out + (a * SB_PATCH_SIDE + b) * c, n);
}

/* out [49, c] */
SB_HOT static void sample_patch(const float *image, const struct sb_patch_axis *x, const struct sb_patch_axis *y,
        int64_t c, float *restrict out)
{
	for (int a = 0; a < SB_PATCH_SIDE; a++) {
		int64_t i = 0;

		for (; i + LANES <= c; i += LANES)
			sample_column(image + i, x, y, a, c, out + i, LANES);
		if (i < c)
			sample_column(image + i, x, y, a, c, out + i, c - i);
	}
}

/* Position k alone, n channels. */
SB_INLINE void sample_position(const float *image, const struct sb_patch_axis *x, const struct sb_patch_axis *y, int k,
        int64_t n, float *restrict out)
{
	int a = k / SB_PATCH_SIDE, b = k % SB_PATCH_SIDE;
	float fx = (float)x->frac, fy = (float)y->frac;
	const float *ul = image + y->at[b] + x->at[a], *ur = image + y->at[b] + x->at[a + 1];
	const float *ll = image + y->at[b + 1] + x->at[a], *lr = image + y->at[b + 1] + x->at[a + 1];

#pragma omp simd
	for (int64_t i = 0; i < n; i++) {
		float upper = ul[i] + fx * (ur[i] - ul[i]), lower = ll[i] + fx * (lr[i] - ll[i]);

		out[i] = upper + fy * (lower - upper);
	}
}

/* Three channels in double. */
static void sample_points(
        const float *image, const struct sb_patch_axis *x, const struct sb_patch_axis *y, double out[SB_PATCH][3])
{
	double fx = x->frac, fy = y->frac;

	for (int a = 0; a < SB_PATCH_SIDE; a++) {
		double line[SB_PATCH_WINDOW][3];

		for (int i = 0; i < SB_PATCH_WINDOW; i++)
			for (int c = 0; c < 3; c++) {
				double left = (double)image[y->at[i] + x->at[a] + c];
				double right = (double)image[y->at[i] + x->at[a + 1] + c];

				line[i][c] = left + fx * (right - left);
			}
		for (int b = 0; b < SB_PATCH_SIDE; b++)
			for (int c = 0; c < 3; c++)
				out[a * SB_PATCH_SIDE + b][c] = line[b][c] + fy * (line[b + 1][c] - line[b][c]);
	}
}

static void sample_one(const struct sb_patch_sample_args *a, int64_t i)
{
	struct sb_patch_axis x = sb_patch_axis_of(a->xy[2 * i], a->scale, a->w, a->c);
	struct sb_patch_axis y = sb_patch_axis_of(a->xy[2 * i + 1], a->scale, a->h, a->w * a->c);
	const float *image = a->map + a->frame[i] * a->h * a->w * a->c;
	float *out = a->out + i * SB_PATCH * a->c;

	if (a->c == 3) {
		double points[SB_PATCH][3];

		sample_points(image, &x, &y, points);
		for (int k = 0; k < SB_PATCH * 3; k++)
			out[k] = (float)points[k / 3][k % 3];
	} else {
		sample_patch(image, &x, &y, a->c, out);
	}
}

void sb_patch_sample_cpu(const struct sb_patch_sample_args *a)
{
	SB_PARALLEL_FOR(static, 1, i, a->n, sample_one(a, i));
}

/* ---- correlation ------------------------------------------------------------------------------------------------ */

/*
 * A tile's volume is multiplied by 2401 x out weights, which sgemm packs anew for every tile. c 128, out 384, 6144
 * rows, one core of an EPYC with AVX-512 (time of the thread, busy machine, median of 3): 92 GFLOP/s with tiles of 64
 * rows, 96 with 128, 98 with 256 (2.5 MiB a thread). sgemm of the second product alone, 1536 rows: 108.
 */
#define MIN_TILE     32
#define WANTED_TASKS 16
#define PATCHES      8 /* patches of one point that are multiplied at a time */

struct tiling {
	int64_t rows, tile, tiles;
	int64_t volume_floats, patch_floats, query_floats; /* scratch of a thread */
	int64_t slot_floats;
};

static struct tiling corr_tiling(const struct sb_corr_args *a)
{
	struct tiling t = { .rows = a->n * a->frames };

	t.tile = sb_min64(sb_max64(sb_round_up(sb_pieces(t.rows, WANTED_TASKS), 16), MIN_TILE), SB_CORR_MAX_TILE);
	t.tile = sb_max64(sb_min64(t.tile, t.rows), 1);
	t.tiles = sb_pieces(t.rows, t.tile);
	t.volume_floats = sb_round_up(t.tile * VOLUME, 16);
	t.patch_floats = sb_round_up(sb_min64(PATCHES, a->frames) * SB_PATCH * a->c, 16);
	t.query_floats = a->tf32 ? sb_round_up(SB_PATCH * a->c, 16) : 0;
	t.slot_floats = t.volume_floats + t.patch_floats + t.query_floats;
	return t;
}

size_t sb_corr_cpu_workspace(const struct sb_corr_args *a)
{
	struct tiling t = corr_tiling(a);

	return (size_t)(t.slot_floats * sb_min64(t.tiles, omp_get_max_threads())) * sizeof(float);
}

SB_HOT static void finish_rows(float *y, int64_t ldy, const float *bias, int64_t rows, int64_t n)
{
	for (int64_t r = 0; r < rows; r++, y += ldy) {
		if (bias) {
#pragma omp simd
			for (int64_t i = 0; i < n; i++)
				y[i] += bias[i];
		}
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			y[i] = sb_gelu_erff(y[i]);
	}
}

/* Volume rows of frames t0 .. t0 + count - 1 of one point. */
static void volume_rows(const struct sb_corr_args *a, const float *query, int64_t n, int64_t t0, int64_t count,
        float *patches, float *volume)
{
	for (int64_t i = 0; i < count; i++) {
		const float *uv = a->uv + 2 * (n * a->frames + t0 + i);
		struct sb_patch_axis x = sb_patch_axis_of(uv[0], a->scale, a->width, a->c);
		struct sb_patch_axis y = sb_patch_axis_of(uv[1], a->scale, a->h, a->width * a->c);

		sample_patch(a->map + (t0 + i) * a->h * a->width * a->c, &x, &y, a->c, patches + i * SB_PATCH * a->c);
	}
	if (a->tf32)
		sb_tf32_round_cpu(patches, patches, (size_t)(count * SB_PATCH * a->c));
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)(count * SB_PATCH), SB_PATCH, (blasint)a->c, 1.0f,
	        patches, (blasint)a->c, query, (blasint)a->c, 0.0f, volume, SB_PATCH);
}

static void corr_tile(const struct sb_corr_args *a, const struct tiling *t, int64_t tile, float *volume)
{
	float *patches = volume + t->volume_floats, *rounded = patches + t->patch_floats;
	int64_t r0 = tile * t->tile, rows = sb_min64(t->tile, t->rows - r0), count;

	for (int64_t r = 0; r < rows; r += count) {
		int64_t n = (r0 + r) / a->frames, t0 = (r0 + r) % a->frames;
		const float *query = a->query + n * SB_PATCH * a->c;

		count = sb_min64(sb_min64(a->frames - t0, rows - r), PATCHES);
		if (a->tf32) {
			if (r == 0 || t0 == 0)
				sb_tf32_round_cpu(query, rounded, (size_t)(SB_PATCH * a->c));
			query = rounded;
		}
		volume_rows(a, query, n, t0, count, patches, volume + r * VOLUME);
	}
	if (a->tf32)
		sb_tf32_round_cpu(volume, volume, (size_t)(rows * VOLUME));
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)rows, (blasint)a->out, VOLUME, 1.0f, volume,
	        VOLUME, a->w, (blasint)a->ldw, 0.0f, a->y + r0 * a->ldy, (blasint)a->ldy);
	finish_rows(a->y + r0 * a->ldy, a->ldy, a->bias, rows, a->out);
}

static float *slot_of(const struct tiling *t, int64_t tile, void *workspace)
{
	int64_t slot = t->tiles <= omp_get_num_threads() ? tile : omp_get_thread_num();

	return (float *)workspace + slot * t->slot_floats;
}

void sb_corr_cpu(const struct sb_corr_args *a, void *workspace)
{
	struct tiling t = corr_tiling(a);

	SB_PARALLEL_FOR(dynamic, 1, tile, t.tiles, corr_tile(a, &t, tile, slot_of(&t, tile, workspace)));
}

/* ---- neighbours ------------------------------------------------------------------------------------------------- */

/* chosen[i]: which of the 49 is neighbour i. A place in the order is the number of those before it. */
SB_HOT static void choose(const double length[SB_PATCH], int chosen[SB_NEIGHBOURS])
{
	for (int k = 0; k < SB_PATCH; k++) {
		int64_t before = 0;

#pragma omp simd reduction(+ : before)
		for (int j = 0; j < SB_PATCH; j++)
			before += (length[j] < length[k]) | ((length[j] == length[k]) & (j < k));
		if (before >= 1 && before <= SB_NEIGHBOURS)
			chosen[before - 1] = k;
	}
}

static void choose_neighbours(const float d[SB_PATCH][3], int chosen[SB_NEIGHBOURS])
{
	double length[SB_PATCH];

	for (int k = 0; k < SB_PATCH; k++) {
		double x = (double)d[k][0], y = (double)d[k][1], z = (double)d[k][2], sum = x * x + y * y + z * z;

		length[k] = isnan(sum) ? (double)INFINITY : sum;
	}
	choose(length, chosen);
}

SB_HOT static void sample_chosen(const float *image, const struct sb_patch_axis *x, const struct sb_patch_axis *y,
        const int chosen[SB_NEIGHBOURS], int64_t c, float *out, int64_t ld)
{
	for (int i = 0; i < SB_NEIGHBOURS; i++)
		sample_position(image, x, y, chosen[i], c, out + i * ld);
}

static void store_chosen(const float d[SB_PATCH][3], const int chosen[SB_NEIGHBOURS], float *out)
{
	for (int i = 0; i < SB_NEIGHBOURS; i++)
		memcpy(out + 3 * i, d[chosen[i]], sizeof(d[0]));
}

static void track_neighbours(const struct sb_neighbours_args *a, int64_t row)
{
	int64_t t = row % a->frames, pixels = a->h * a->w;
	const float *uv = a->uv + 2 * row, *centre = a->centre + 3 * row;
	struct sb_patch_axis x = sb_patch_axis_of(uv[0], a->scale, a->w, 3),
	                     y = sb_patch_axis_of(uv[1], a->scale, a->h, a->w * 3);
	double points[SB_PATCH][3];
	float d[SB_PATCH][3];
	int chosen[SB_NEIGHBOURS];

	sample_points(a->pmap + t * pixels * 3, &x, &y, points);
	for (int k = 0; k < SB_PATCH; k++)
		for (int c = 0; c < 3; c++)
			d[k][c] = (float)(points[k][c] - (double)centre[c]);
	choose_neighbours(d, chosen);
	store_chosen(d, chosen, a->out_d + row * SB_NEIGHBOURS * 3);
	x = sb_patch_axis_of(uv[0], a->scale, a->w, a->c);
	y = sb_patch_axis_of(uv[1], a->scale, a->h, a->w * a->c);
	sample_chosen(
	        a->map + t * pixels * a->c, &x, &y, chosen, a->c, a->out_f + row * SB_NEIGHBOURS * a->ldf, a->ldf);
}

static void query_neighbours(const struct sb_neighbours_args *a, int64_t row)
{
	const float *points = a->points + row * SB_PATCH * 3, *patch = a->patches + row * SB_PATCH * a->c;
	float d[SB_PATCH][3];
	int chosen[SB_NEIGHBOURS];

	for (int k = 0; k < SB_PATCH; k++)
		for (int c = 0; c < 3; c++)
			d[k][c] = points[3 * k + c] - points[3 * CENTRE + c];
	choose_neighbours(d, chosen);
	store_chosen(d, chosen, a->out_d + row * SB_NEIGHBOURS * 3);
	for (int i = 0; i < SB_NEIGHBOURS; i++)
		memcpy(a->out_f + (row * SB_NEIGHBOURS + i) * a->ldf, patch + chosen[i] * a->c,
		        (size_t)a->c * sizeof(*patch));
}

void sb_neighbours_cpu(const struct sb_neighbours_args *a)
{
	if (a->points)
		SB_PARALLEL_FOR(static, 1, row, a->n, query_neighbours(a, row));
	else
		SB_PARALLEL_FOR(static, 1, row, a->n * a->frames, track_neighbours(a, row));
}
