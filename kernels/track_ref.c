/* Plain loops in double. Linear systems go through one elimination with row pivots. */
#include "track.h"

#include <math.h>

void sb_posenc_ref(const struct sb_posenc_args *a)
{
	for (int64_t i = 0; i < a->rows * a->d; i++) {
		int64_t row = i / a->d, c = i % a->d, block = a->d * a->degrees;
		float x = a->x[row * a->ldx + c], *y = a->y + row * a->ldy + c;

		y[0] = x;
		for (int64_t k = 0; k < a->degrees; k++) {
			float v = ldexpf(x, (int)k), shifted = v + 1.57079632679489662f;

			y[a->d + k * a->d] = (float)sin((double)v);
			y[a->d + block + k * a->d] = (float)sin((double)shifted);
		}
	}
}

void sb_motion_ref(const struct sb_motion_args *a)
{
	for (int64_t i = 0; i < a->n * a->frames * a->d; i++) {
		int64_t row = i / a->d, t = row % a->frames, c = i % a->d;
		double here = a->v[i], scale = a->inv_scale[c];

		a->y[row * 2 * a->d + c] = t == a->frames - 1 ? 0.0f : (float)((here - a->v[i + a->d]) * scale);
		a->y[row * 2 * a->d + a->d + c] = t == 0 ? 0.0f : (float)((here - a->v[i - a->d]) * scale);
	}
}

void sb_group_mean_ref(const struct sb_group_mean_args *a)
{
	for (int64_t i = 0; i < a->rows * a->c; i++) {
		int64_t row = i / a->c, c = i % a->c;
		double sum = 0.0;

		for (int64_t g = 0; g < a->group; g++)
			sum += a->x[(row * a->group + g) * a->c + c];
		a->y[row * a->ldy + c] = (float)(sum / (double)a->group);
	}
}

void sb_repeat_ref(const struct sb_repeat_args *a)
{
	for (int64_t i = 0; i < a->n * a->times * a->len; i++)
		a->y[i] = a->x[i / (a->times * a->len) * a->len + i % a->len];
}

void sb_add_ref(const struct sb_add_args *a)
{
	for (int64_t i = 0; i < a->rows * a->cols; i++) {
		int64_t row = i / a->cols, col = i % a->cols, b_row = a->b_rows ? row % a->b_rows : row;

		a->y[row * a->ldy + col] = (float)((double)a->a[row * a->lda + col] + a->b[b_row * a->ldb + col]);
	}
}

static double den(const float *box, int64_t c, double v)
{
	return box[c] + (v + 1.0) / 2.0 * ((double)box[3 + c] - box[c]);
}

static double nrm(const float *box, int64_t c, double v)
{
	return 2.0 * (v - box[c]) / ((double)box[3 + c] - box[c]) - 1.0;
}

void sb_depth_mask_ref(const struct sb_depth_mask_args *a)
{
	for (int64_t i = 0; i < a->rows * a->c; i++) {
		int64_t row = i / a->c;

		a->x[row * a->ldx + i % a->c] *= den(a->box, 2, a->X[3 * row + 2]) > 0.0 ? 1.0f : 0.0f;
	}
}

/* Round half to even, clamped; NaN gives 0. */
static int64_t index_of(double v, int64_t size)
{
	if (isnan(v) || v < 0.0)
		return 0;
	return v > (double)(size - 1) ? size - 1 : (int64_t)rint(v);
}

void sb_query_setup_ref(const struct sb_query_setup_args *a)
{
	for (int64_t i = 0; i < a->n; i++) {
		int64_t t = index_of(a->q[3 * i], a->frames), x = index_of(a->q[3 * i + 1], a->w);
		int64_t y = index_of(a->q[3 * i + 2], a->h), at = (t * a->h + y) * a->w + x;

		a->frame[i] = (int32_t)t;
		a->z0[i] = a->depth[at];
		a->u0[i] = a->valid[at];
		for (int c = 0; c < 3; c++) {
			a->p0[3 * i + c] = a->pmap[3 * at + c];
			a->rgb[3 * i + c] = a->colour[3 * at + c];
		}
		if (a->keep_z && !isnan(a->keep_z[i])) {
			a->z0[i] = a->keep_z[i];
			a->p0[3 * i + 2] = a->keep_z[i];
		}
	}
}

void sb_norm_box_ref(const struct sb_norm_box_args *a)
{
	for (int c = 0; c < 3; c++) {
		double mean = 0.0, var = 0.0;

		for (int64_t i = 0; i < a->n; i++)
			mean += a->p0[3 * i + c] / (double)a->n;
		for (int64_t i = 0; i < a->n; i++)
			var += (a->p0[3 * i + c] - mean) * (a->p0[3 * i + c] - mean);
		var /= (double)(a->n - 1);
		a->box[c] = (float)(mean - 3.0 * sqrt(var));
		a->box[3 + c] = (float)(mean + 3.0 * sqrt(var));
		if (a->n == 1 || a->box[c] == a->box[3 + c]) {
			a->box[c] = (float)(mean - 1.0);
			a->box[3 + c] = (float)(mean + 1.0);
		}
	}
}

void sb_box_map_ref(const struct sb_box_map_args *a)
{
	for (int64_t i = 0; i < 3 * a->rows; i++)
		a->y[i] = (float)(a->inverse ? den(a->box, i % 3, a->x[i]) : nrm(a->box, i % 3, a->x[i]));
}

static void swap(double *a, double *b)
{
	double t = *a;

	*a = *b;
	*b = t;
}

/* Solve m x = b for n unknowns; x replaces b. m [n, 4] is destroyed. */
static void solve(double m[4][4], double *b, int n)
{
	for (int col = 0; col < n; col++) {
		int best = col;

		for (int r = col + 1; r < n; r++)
			best = fabs(m[r][col]) > fabs(m[best][col]) ? r : best;
		for (int c = 0; c < n; c++)
			swap(&m[col][c], &m[best][c]);
		swap(&b[col], &b[best]);
		for (int r = col + 1; r < n; r++) {
			double factor = m[r][col] / m[col][col];

			for (int c = col; c < n; c++)
				m[r][c] -= factor * m[col][c];
			b[r] -= factor * b[col];
		}
	}
	for (int r = n - 1; r >= 0; r--) {
		for (int c = r + 1; c < n; c++)
			b[r] -= m[r][c] * b[c];
		b[r] /= m[r][r];
	}
}

static void solve_with(const float *matrix, int n, double *b)
{
	double m[4][4];

	for (int i = 0; i < n * n; i++)
		m[i / n][i % n] = matrix[i];
	solve(m, b, n);
}

static double sigmoid(double v)
{
	return 1.0 / (1.0 + exp(-v));
}

static void geometry_row(const struct sb_geometry_tokens_args *a, int64_t n, int64_t t)
{
	int64_t row = n * a->frames + t, tn = index_of(a->q[3 * n], a->frames);
	double ray[3] = { a->q[3 * n + 1], a->q[3 * n + 2], 1.0 }, point[4], mean = 0.0;
	float *g = a->g + 6 * row;

	solve_with(a->k + 9 * tn, 3, ray);
	for (int r = 0; r < 4; r++) {
		point[r] = a->cam[16 * tn + 4 * r + 3];
		for (int c = 0; c < 3; c++)
			point[r] += (double)a->cam[16 * tn + 4 * r + c] * a->z0[n] * ray[c];
	}
	solve_with(a->cam + 16 * t, 4, point);
	for (int64_t i = 0; i < a->frames; i++)
		mean += sigmoid(a->dyn[n * a->frames + i]) / (double)a->frames;
	g[0] = (float)((a->q[3 * n] - (double)t) / (double)a->frames);
	for (int c = 0; c < 3; c++)
		g[1 + c] = (float)(nrm(a->box, c, point[c]) - a->X[3 * row + c]);
	g[4] = (float)sigmoid(a->conf[row]);
	g[5] = (float)mean;
}

void sb_geometry_tokens_ref(const struct sb_geometry_tokens_args *a)
{
	for (int64_t i = 0; i < a->n * a->frames; i++)
		geometry_row(a, i / a->frames, i % a->frames);
}

void sb_track_update_ref(const struct sb_track_update_args *a)
{
	for (int64_t r = 0; r < a->rows; r++) {
		double before = den(a->box, 2, a->X[3 * r + 2]), after = 0.0;

		for (int c = 0; c < 3; c++) {
			after = den(a->box, c, (double)a->X[3 * r + c] + a->d3[4 * r + c]);
			a->A[3 * r + c] = (float)after;
		}
		a->z[r] = (float)(a->z[r] + (after - before));
		a->vis[r] += a->d2[4 * r + 2];
		a->conf[r] += a->d2[4 * r + 3];
		a->dyn[r] += a->d3[4 * r + 3];
		a->pro[r] += a->dp[r];
		a->uv[2 * r] += a->d2[4 * r];
		a->uv[2 * r + 1] += a->d2[4 * r + 1];
		a->px[2 * r] = (float)(4.0 * a->uv[2 * r] / a->fx);
		a->px[2 * r + 1] = (float)(4.0 * a->uv[2 * r + 1] / a->fy);
	}
}

void sb_track_out_ref(const struct sb_track_out_args *a)
{
	for (int64_t r = 0; r < a->keep * a->frames; r++) {
		a->tracks2[3 * r] = (float)((double)a->px[2 * r] * a->sx);
		a->tracks2[3 * r + 1] = (float)((double)a->px[2 * r + 1] * a->sy);
		a->tracks2[3 * r + 2] = a->z[r];
		for (int c = 0; c < 3; c++) {
			a->tracks3[6 * r + c] = a->A[3 * r + c];
			a->tracks3[6 * r + 3 + c] = a->rgb[r / a->frames * 3 + c];
		}
		a->vis_out[r] = (float)(sigmoid(a->vis[r]) + 0.2);
		a->conf_out[r] = (float)sigmoid(a->conf[r]);
		a->dyn_out[r] = (float)(sigmoid(a->dyn[r]) * a->u0[r / a->frames]);
	}
}
