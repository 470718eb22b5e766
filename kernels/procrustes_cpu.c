/*
 * procrustes on the CPU: a task is one pair. Sums in double (a float sum over 2,000 points would cost more accuracy
 * than the whole rest), 3x3 SVD by one-sided Jacobi in double: a few hundred multiply-adds a pair, nothing beside the
 * sums. A pair's sums are in the order of its points: the result does not depend on the number of threads.
 */
#include "procrustes.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "cpu_loop.h"

/* Pairs times points below which the other threads are not worth waking. */
#define MIN_PARALLEL 4096

/*
 * A singular value that coordinates wrong by so many roundings to float would give on both sides is taken for 0. It is
 * second order: an error of one side alone only tilts the directions of the larger values.
 */
#define ROUNDINGS 8.0

#define MAX_SWEEPS 30 /* 3x3 converges in 4 to 6 */

struct sums {
	double weight;
	double x[3], y[3]; /* centroids */
	double x2, y2;     /* weighted squared lengths, not centred: the scale of roundings */
	double cov[3][3];  /* [i][j] = sum w (x - cx)_i (y - cy)_j */
};

static bool counts(const float *x, const float *y, float w)
{
	return w > 0.0f && isfinite(w) && isfinite(x[0]) && isfinite(x[1]) && isfinite(x[2]) && isfinite(y[0]) &&
	       isfinite(y[1]) && isfinite(y[2]);
}

static void sum_pair(const struct sb_procrustes_args *a, int64_t b, struct sums *s)
{
	const float *x0 = a->x + b * a->x_batch, *y0 = a->y + b * a->y_batch, *w0 = a->w + b * a->w_batch;

	*s = (struct sums){ 0 };
	for (int64_t i = 0; i < a->points; i++) {
		const float *x = x0 + i * a->x_point, *y = y0 + i * a->y_point;
		double w = w0[i * a->w_point];

		if (!counts(x, y, w0[i * a->w_point]))
			continue;
		s->weight += w;
		for (int c = 0; c < 3; c++) {
			s->x[c] += w * x[c];
			s->y[c] += w * y[c];
			s->x2 += w * x[c] * x[c];
			s->y2 += w * y[c] * y[c];
		}
	}
	if (s->weight <= 0.0)
		return;
	for (int c = 0; c < 3; c++) {
		s->x[c] /= s->weight;
		s->y[c] /= s->weight;
	}
	for (int64_t i = 0; i < a->points; i++) {
		const float *x = x0 + i * a->x_point, *y = y0 + i * a->y_point;
		double w = w0[i * a->w_point];

		if (!counts(x, y, w0[i * a->w_point]))
			continue;
		for (int r = 0; r < 3; r++)
			for (int c = 0; c < 3; c++)
				s->cov[r][c] += w * (x[r] - s->x[r]) * (y[c] - s->y[c]);
	}
}

static double dot(const double a[3], const double b[3])
{
	return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void cross(const double a[3], const double b[3], double out[3])
{
	out[0] = a[1] * b[2] - a[2] * b[1];
	out[1] = a[2] * b[0] - a[0] * b[2];
	out[2] = a[0] * b[1] - a[1] * b[0];
}

/* v / |v|; v is not 0. */
static void normalise(double v[3])
{
	double inv = 1.0 / sqrt(dot(v, v));

	for (int c = 0; c < 3; c++)
		v[c] *= inv;
}

/* v = a unit vector at right angles to the unit vector u: u crossed with the axis that it is farthest from. */
static void across(const double u[3], double v[3])
{
	double axis[3] = { 0.0, 0.0, 0.0 };
	int least = 0;

	for (int c = 1; c < 3; c++)
		if (fabs(u[c]) < fabs(u[least]))
			least = c;
	axis[least] = 1.0;
	cross(u, axis, v);
	normalise(v);
}

static void swap_rows(double m[3][3], int i, int j)
{
	for (int c = 0; c < 3; c++) {
		double t = m[i][c];

		m[i][c] = m[j][c];
		m[j][c] = t;
	}
}

/* Turn rows p and q of both so that those of b are orthogonal. True when they were, as far as double can tell. */
static bool rotate_rows(double b[3][3], double v[3][3], int p, int q)
{
	double alpha = dot(b[p], b[p]), beta = dot(b[q], b[q]), gamma = dot(b[p], b[q]);
	double zeta, t, c, s;

	if (fabs(gamma) <= DBL_EPSILON * sqrt(alpha * beta))
		return true;
	zeta = (beta - alpha) / (2.0 * gamma);
	t = copysign(1.0, zeta) / (fabs(zeta) + sqrt(1.0 + zeta * zeta));
	c = 1.0 / sqrt(1.0 + t * t);
	s = c * t;
	for (int i = 0; i < 3; i++) {
		double bp = b[p][i], bq = b[q][i], vp = v[p][i], vq = v[q][i];

		b[p][i] = c * bp - s * bq;
		b[q][i] = s * bp + c * bq;
		v[p][i] = c * vp - s * vq;
		v[q][i] = s * vp + c * vq;
	}
	return false;
}

/*
 * One-sided Jacobi (Hestenes 1958) of h = U S V': rows of b = columns of h V = s_k u_k, rows of v = columns of V, in
 * descending order of s.
 */
static void jacobi(const double h[3][3], double b[3][3], double v[3][3], double s[3])
{
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++) {
			b[i][j] = h[j][i];
			v[i][j] = i == j;
		}
	for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
		bool done = rotate_rows(b, v, 0, 1);

		done &= rotate_rows(b, v, 0, 2);
		done &= rotate_rows(b, v, 1, 2);
		if (done)
			break;
	}
	for (int i = 0; i < 3; i++)
		for (int j = i + 1; j < 3; j++)
			if (dot(b[j], b[j]) > dot(b[i], b[i])) {
				swap_rows(b, i, j);
				swap_rows(v, i, j);
			}
	for (int i = 0; i < 3; i++)
		s[i] = sqrt(dot(b[i], b[i]));
}

static void identity(double r[3][3])
{
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			r[i][j] = i == j;
}

/* The smallest rotation with r u = v: half a turn about u, then one about the direction half-way to v. */
static void turn(const double u[3], const double v[3], double r[3][3])
{
	double half[3] = { u[0] + v[0], u[1] + v[1], u[2] + v[2] };
	double hu;

	if (dot(half, half) < 1e-14)
		across(u, half);
	else
		normalise(half);
	hu = dot(half, u);
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			r[i][j] = 4.0 * hu * half[i] * u[j] - 2.0 * half[i] * half[j] - 2.0 * u[i] * u[j] + (i == j);
}

/*
 * R = V diag(1, 1, d) U' with d for determinant +1. The third axes follow from the first two, so the smallest singular
 * value and its direction are not needed, and d comes of itself.
 */
static void best_rotation(const struct sums *s, double r[3][3])
{
	double scale = 0.0, noise = ROUNDINGS * 0.5 * (double)FLT_EPSILON, floor_of;
	double h[3][3], u[3][3], v[3][3], sigma[3], along;

	identity(r);
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			scale = fmax(scale, fabs(s->cov[i][j]));
	if (scale <= 0.0)
		return;
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			h[i][j] = s->cov[i][j] / scale;
	floor_of = noise * noise * sqrt(s->x2) * sqrt(s->y2) / scale;
	jacobi(h, u, v, sigma);
	if (sigma[0] <= floor_of)
		return;
	normalise(u[0]);
	if (sigma[1] <= floor_of) {
		turn(u[0], v[0], r);
		return;
	}
	along = dot(u[0], u[1]); /* 0 but for rounding, which counts where sigma[1] is small */
	for (int c = 0; c < 3; c++)
		u[1][c] -= along * u[0][c];
	normalise(u[1]);
	cross(u[0], u[1], u[2]);
	cross(v[0], v[1], v[2]);
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			r[i][j] = v[0][i] * u[0][j] + v[1][i] * u[1][j] + v[2][i] * u[2][j];
}

static void do_pair(const struct sb_procrustes_args *a, int64_t b)
{
	float *m = a->motion + b * 16;
	struct sums s;
	double r[3][3];

	sum_pair(a, b, &s);
	best_rotation(&s, r);
	for (int i = 0; i < 3; i++) {
		double row[3], t;

		for (int j = 0; j < 3; j++)
			row[j] = a->inverse ? r[j][i] : r[i][j];
		t = a->inverse ? s.x[i] - dot(row, s.y) : s.y[i] - dot(row, s.x);
		for (int j = 0; j < 3; j++)
			m[i * 4 + j] = (float)row[j];
		m[i * 4 + 3] = (float)t;
	}
	for (int j = 0; j < 4; j++)
		m[12 + j] = j == 3;
}

void sb_procrustes_cpu(const struct sb_procrustes_args *a)
{
	bool worth = a->batch > 1 && a->batch * a->points >= MIN_PARALLEL;

	SB_PARALLEL_FOR(dynamic, worth, b, a->batch, do_pair(a, b));
}
