/*
 * track on the CPU: the small operations on the tracker's state. Little work each, so precision comes before speed:
 * what positional codes magnify is computed in double and rounded once. OpenMP shares out rows; every sum has its
 * order.
 */
#include "track.h"

#include <math.h>
#include <string.h>

#include "cpu_loop.h"
#include "cpu_math.h"
#include "track_internal.h"

/* Elements below which the other threads are not woken. */
#define MIN_PARALLEL 16384

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static void motion_row(const float *v, int64_t t, int64_t frames, int64_t d, const float *inv_scale, float *y)
{
	for (int64_t c = 0; c < d; c++) {
		double here = (double)v[c], scale = (double)inv_scale[c];

		y[c] = t + 1 < frames ? (float)((here - (double)v[d + c]) * scale) : 0.0f;
		y[d + c] = t > 0 ? (float)((here - (double)v[c - d]) * scale) : 0.0f;
	}
}

void sb_motion_cpu(const struct sb_motion_args *a)
{
	SB_PARALLEL_FOR(static, a->n * a->frames * a->d >= MIN_PARALLEL, i, a->n * a->frames,
	        motion_row(a->v + i * a->d, i % a->frames, a->frames, a->d, a->inv_scale, a->y + 2 * i * a->d));
}

SB_HOT static void mean_of_group(const float *x, int64_t group, int64_t c, float *restrict y)
{
	float scale = (float)group;

	for (int64_t i = 0; i < c; i++)
		y[i] = x[i];
	for (int64_t g = 1; g < group; g++)
		for (int64_t i = 0; i < c; i++)
			y[i] += x[g * c + i];
	for (int64_t i = 0; i < c; i++)
		y[i] /= scale;
}

void sb_group_mean_cpu(const struct sb_group_mean_args *a)
{
	SB_PARALLEL_FOR(static, a->rows * a->group * a->c >= MIN_PARALLEL, r, a->rows,
	        mean_of_group(a->x + r * a->group * a->c, a->group, a->c, a->y + r * a->ldy));
}

void sb_repeat_cpu(const struct sb_repeat_args *a)
{
	SB_PARALLEL_FOR(static, a->n * a->times * a->len >= MIN_PARALLEL, i, a->n * a->times,
	        memcpy(a->y + i * a->len, a->x + i / a->times * a->len, (size_t)a->len * sizeof(*a->y)));
}

SB_HOT static void add_row(const float *x, const float *b, float *y, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		y[i] = x[i] + b[i];
}

void sb_add_cpu(const struct sb_add_args *a)
{
	SB_PARALLEL_FOR(static, a->rows * a->cols >= MIN_PARALLEL, r, a->rows,
	        add_row(a->a + r * a->lda, a->b + (a->b_rows ? r % a->b_rows : r) * a->ldb, a->y + r * a->ldy,
	                a->cols));
}

SB_HOT static void scale_row(float *x, float factor, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		x[i] *= factor;
}

static void mask_row(const struct sb_depth_mask_args *a, int64_t r)
{
	double depth = sb_box_den(a->box, 2, (double)a->X[3 * r + 2]);

	scale_row(a->x + r * a->ldx, depth > 0.0 ? 1.0f : 0.0f, a->c);
}

void sb_depth_mask_cpu(const struct sb_depth_mask_args *a)
{
	SB_PARALLEL_FOR(static, a->rows * a->c >= MIN_PARALLEL, r, a->rows, mask_row(a, r));
}

/* ---- the box of normalised points ------------------------------------------------------------------------------- */

void sb_norm_box_cpu(const struct sb_norm_box_args *a)
{
	for (int c = 0; c < 3; c++) {
		double sum = 0.0, squares = 0.0, mean, reach;

		for (int64_t i = 0; i < a->n; i++)
			sum += (double)a->p0[3 * i + c];
		mean = sum / (double)a->n;
		for (int64_t i = 0; i < a->n; i++) {
			double d = (double)a->p0[3 * i + c] - mean;

			squares += d * d;
		}
		reach = 3.0 * sqrt(squares / (double)(a->n - 1));
		if (!((float)(mean + reach) > (float)(mean - reach)))
			reach = 1.0;
		a->box[c] = (float)(mean - reach);
		a->box[3 + c] = (float)(mean + reach);
	}
}

#define PIECE 2048 /* points */

SB_HOT static void map_points(const float *x, float *y, const float *box, int64_t rows, int inverse)
{
	/* y may be x: elements do not depend on each other. */
	if (inverse) {
#pragma omp simd
		for (int64_t i = 0; i < 3 * rows; i++)
			y[i] = (float)sb_box_den(box, i % 3, (double)x[i]);
	} else {
#pragma omp simd
		for (int64_t i = 0; i < 3 * rows; i++)
			y[i] = (float)sb_box_nrm(box, i % 3, (double)x[i]);
	}
}

static void map_piece(const struct sb_box_map_args *a, int64_t r)
{
	map_points(a->x + 3 * r, a->y + 3 * r, a->box, sb_min64(PIECE, a->rows - r), a->inverse);
}

void sb_box_map_cpu(const struct sb_box_map_args *a)
{
	SB_PARALLEL_FOR(static, 3 * a->rows >= MIN_PARALLEL, i, sb_pieces(a->rows, PIECE), map_piece(a, i * PIECE));
}

/* ---- queries ---------------------------------------------------------------------------------------------------- */

static void setup_query(const struct sb_query_setup_args *a, int64_t i)
{
	const float *q = a->q + 3 * i;
	int64_t t = sb_nearest_index(q[0], a->frames), x = sb_nearest_index(q[1], a->w),
	        y = sb_nearest_index(q[2], a->h);
	int64_t at = (t * a->h + y) * a->w + x;

	a->frame[i] = (int32_t)t;
	a->z0[i] = a->depth[at];
	a->u0[i] = a->valid[at];
	for (int c = 0; c < 3; c++) {
		a->p0[3 * i + c] = a->pmap[3 * at + c];
		a->rgb[3 * i + c] = a->colour[3 * at + c];
	}
	if (a->keep_z && !isnan(a->keep_z[i]))
		a->z0[i] = a->p0[3 * i + 2] = a->keep_z[i];
}

void sb_query_setup_cpu(const struct sb_query_setup_args *a)
{
	for (int64_t i = 0; i < a->n; i++)
		setup_query(a, i);
}

/* ---- geometry tokens -------------------------------------------------------------------------------------------- */

#define FRAMES 32 /* cameras that are inverted at a time */

static int pivot_row(double m[4][8], int col)
{
	int best = col;

	for (int r = col + 1; r < 4; r++)
		if (fabs(m[r][col]) > fabs(m[best][col]))
			best = r;
	return best;
}

/* Gauss-Jordan with row pivots. A singular matrix gives infinities or NaN. */
static void invert(const float *a, double out[16])
{
	double m[4][8];

	for (int r = 0; r < 4; r++)
		for (int c = 0; c < 8; c++)
			m[r][c] = c < 4 ? (double)a[4 * r + c] : (double)(c - 4 == r);
	for (int col = 0; col < 4; col++) {
		int best = pivot_row(m, col);
		double row[8], inv;

		memcpy(row, m[best], sizeof(row));
		memcpy(m[best], m[col], sizeof(row));
		inv = 1.0 / row[col];
		for (int c = 0; c < 8; c++)
			m[col][c] = row[c] * inv;
		for (int r = 0; r < 4; r++) {
			double factor = m[r][col];

			for (int c = 0; r != col && c < 8; c++)
				m[r][c] -= factor * m[col][c];
		}
	}
	for (int i = 0; i < 16; i++)
		out[i] = m[i / 4][4 + i % 4];
}

/* The query's point in the world, homogeneous. */
static void world_point(const struct sb_geometry_tokens_args *a, int64_t n, double out[4])
{
	const float *q = a->q + 3 * n;
	int64_t t = sb_nearest_index(q[0], a->frames);
	const float *cam = a->cam + 16 * t;
	double ray[3];

	sb_unproject(a->k + 9 * t, (double)q[1], (double)q[2], ray);
	for (int r = 0; r < 4; r++) {
		out[r] = (double)cam[4 * r + 3];
		for (int c = 0; c < 3; c++)
			out[r] += (double)cam[4 * r + c] * ((double)a->z0[n] * ray[c]);
	}
}

static double mean_sigmoid(const float *logits, int64_t n)
{
	double sum = 0.0;

	for (int64_t i = 0; i < n; i++)
		sum += sb_sigmoid((double)logits[i]);
	return sum / (double)n;
}

/* Tokens of frames t0 .. t1 - 1 of one track; inverse[t - t0] = C_t^-1. */
static void geometry_of(
        const struct sb_geometry_tokens_args *a, int64_t n, int64_t t0, int64_t t1, double inverse[FRAMES][16])
{
	double world[4], dynamic = mean_sigmoid(a->dyn + n * a->frames, a->frames), frames = (double)a->frames;

	world_point(a, n, world);
	for (int64_t t = t0; t < t1; t++) {
		int64_t row = n * a->frames + t;
		float *g = a->g + 6 * row;

		g[0] = (float)((double)a->q[3 * n] / frames - (double)t / frames);
		for (int c = 0; c < 3; c++) {
			const double *m = inverse[t - t0] + 4 * c;
			double p = m[0] * world[0] + m[1] * world[1] + m[2] * world[2] + m[3] * world[3];

			g[1 + c] = (float)(sb_box_nrm(a->box, c, p) - (double)a->X[3 * row + c]);
		}
		g[4] = (float)sb_sigmoid((double)a->conf[row]);
		g[5] = (float)dynamic;
	}
}

void sb_geometry_tokens_cpu(const struct sb_geometry_tokens_args *a)
{
	for (int64_t t0 = 0; t0 < a->frames; t0 += FRAMES) {
		int64_t t1 = sb_min64(t0 + FRAMES, a->frames);
		double inverse[FRAMES][16];

		for (int64_t t = t0; t < t1; t++)
			invert(a->cam + 16 * t, inverse[t - t0]);
		SB_PARALLEL_FOR(
		        static, 6 * a->n * (t1 - t0) >= MIN_PARALLEL, n, a->n, geometry_of(a, n, t0, t1, inverse));
	}
}

/* ---- update and outputs ----------------------------------------------------------------------------------------- */

static void update_row(const struct sb_track_update_args *a, int64_t r)
{
	const float *d2 = a->d2 + 4 * r, *d3 = a->d3 + 4 * r, *point = a->X + 3 * r;
	double moved[3];

	a->vis[r] += d2[2];
	a->conf[r] += d2[3];
	a->dyn[r] += d3[3];
	a->pro[r] += a->dp[r];
	for (int c = 0; c < 3; c++) {
		moved[c] = sb_box_den(a->box, c, (double)point[c] + (double)d3[c]);
		a->A[3 * r + c] = (float)moved[c];
	}
	a->z[r] = (float)((double)a->z[r] + (moved[2] - sb_box_den(a->box, 2, (double)point[2])));
	for (int c = 0; c < 2; c++) {
		a->uv[2 * r + c] += d2[c];
		a->px[2 * r + c] = (float)(4.0 * (double)a->uv[2 * r + c] / (double)(c ? a->fy : a->fx));
	}
}

void sb_track_update_cpu(const struct sb_track_update_args *a)
{
	SB_PARALLEL_FOR(static, 16 * a->rows >= MIN_PARALLEL, r, a->rows, update_row(a, r));
}

static void out_row(const struct sb_track_out_args *a, int64_t r)
{
	int64_t n = r / a->frames;

	a->tracks2[3 * r] = a->px[2 * r] * a->sx;
	a->tracks2[3 * r + 1] = a->px[2 * r + 1] * a->sy;
	a->tracks2[3 * r + 2] = a->z[r];
	for (int c = 0; c < 3; c++) {
		a->tracks3[6 * r + c] = a->A[3 * r + c];
		a->tracks3[6 * r + 3 + c] = a->rgb[3 * n + c];
	}
	a->vis_out[r] = (float)(sb_sigmoid((double)a->vis[r]) + 0.2);
	a->conf_out[r] = (float)sb_sigmoid((double)a->conf[r]);
	a->dyn_out[r] = (float)(sb_sigmoid((double)a->dyn[r]) * (double)a->u0[n]);
}

void sb_track_out_cpu(const struct sb_track_out_args *a)
{
	SB_PARALLEL_FOR(static, 12 * a->keep * a->frames >= MIN_PARALLEL, r, a->keep * a->frames, out_row(a, r));
}
