#include "sb_ba.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ba_internal.h"
#include "cpu_loop.h"
#include "cpu_math.h"

/*
 * Sums over points are formed in this many pieces and the pieces added in order: the bits do not depend on the number
 * of threads. Enough for 16 of them.
 */
#define CHUNKS 32

#define FRAME_SUMS                                                                                        \
	27 /* of a frame: 21 of the symmetric 6 x 6 block of J'J, lower triangle row by row, and 6 of J'r \
	    */

const char *const sb_ba_outcome_names[] = { "converged", "iteration limit", "stuck", "skipped" };

#define OPTIONS(radius_max)                                                                                       \
	{                                                                                                         \
		.max_iterations = 100, .max_invalid = 10, .non_monotonic = 10, .radius = 1.0, .min_radius = 1e-6, \
		.max_radius = (radius_max), .min_diagonal = 1e-3, .max_diagonal = 1e10, .min_decrease = 1e-3,     \
		.function_tol = 1e-8, .gradient_tol = 1e-12, .parameter_tol = 1e-10                               \
	}

const struct sb_ba_options sb_ba_options_reference = OPTIONS(10.0);
const struct sb_ba_options sb_ba_options_converge = OPTIONS(1e12);

/* One place in the space of unknowns. */
struct state {
	struct sb_pose *pose; /* [frames] */
	double *xyz;          /* [points, 3] */
	double cost;
};

/* A pose as the projection uses it. */
struct camera {
	double r[3][3], t[3];
	double f, cx, cy;
};

/* The normal equations of one point. */
struct point {
	double c[6];      /* J'J lower triangle row by row */
	double g[3];      /* J'r */
	double scale2[3]; /* squared Jacobi scaling */
	double damp[3];
	double l[6]; /* Cholesky factor of c + damp */
	double u[3]; /* l^-1 g */
};

struct sb_ba {
	int64_t max_frames, max_points;
	/* The problem: points that take part, and their observations, point by point. */
	int64_t frames, points, n_obs;
	int64_t *first;    /* [points + 1] */
	int64_t *original; /* [points] number in the caller's problem */
	int32_t *frame;    /* [n_obs] */
	double *px;        /* [n_obs, 2] */
	double *cross;     /* [n_obs, 18] camera x point block of J'J, 6 x 3 row by row */
	struct point *point;
	struct state now, next, best;
	struct camera *camera; /* [frames] */
	double *chunk_sums;    /* [CHUNKS, frames, FRAME_SUMS] */
	double *frame_sums;    /* [frames, FRAME_SUMS] */
	double *scale2, *damp; /* [frames, 6] */
	double *step;          /* [frames, 6], 0 for frame 0 */
	const double *intrinsics;
	struct sb_ba_reduced reduced;
};

/* What the chunks of points add up to. */
struct totals {
	double cost;
	double promised; /* decrease of the cost by the model */
	double gradient; /* largest component */
	double step2, x2;
};

/* ---- memory ------------------------------------------------------------------------------------------------- */

static int64_t panels_of(int64_t frames)
{
	return 6 * (frames - 1) / SB_BA_PANEL + 1;
}

static int64_t groups_of(int64_t points)
{
	return (points + SB_BA_GROUP - 1) / SB_BA_GROUP;
}

/* X(where, elements) for every array of a struct sb_ba *b with room for `frames` x `points`. */
#define ARRAYS(X, b)                                                    \
	X((b)->first, points + 1)                                       \
	X((b)->original, points)                                        \
	X((b)->frame, frames *points)                                   \
	X((b)->px, frames *points * 2)                                  \
	X((b)->cross, frames *points * 18)                              \
	X((b)->point, points)                                           \
	X((b)->now.pose, frames)                                        \
	X((b)->now.xyz, points * 3)                                     \
	X((b)->next.pose, frames)                                       \
	X((b)->next.xyz, points * 3)                                    \
	X((b)->best.pose, frames)                                       \
	X((b)->best.xyz, points * 3)                                    \
	X((b)->camera, frames)                                          \
	X((b)->chunk_sums, CHUNKS *frames *FRAME_SUMS)                  \
	X((b)->frame_sums, frames *FRAME_SUMS)                          \
	X((b)->scale2, frames * 6)                                      \
	X((b)->damp, frames * 6)                                        \
	X((b)->step, frames * 6)                                        \
	X((b)->reduced.w, panels_of(frames) * points * 3 * SB_BA_PANEL) \
	X((b)->reduced.used, panels_of(frames) * groups_of(points))     \
	X((b)->reduced.s, panels_of(frames) * panels_of(frames) * SB_BA_PANEL * SB_BA_PANEL)

int64_t sb_ba_bytes(int64_t frames, int64_t points)
{
	struct sb_ba *b = NULL;
	int64_t bytes = (int64_t)sizeof(*b);

#define ADD(where, n) bytes += (n) * (int64_t)sizeof(*(where));
	ARRAYS(ADD, b)
#undef ADD
	return bytes;
}

void sb_ba_close(struct sb_ba *ba)
{
	if (!ba)
		return;
#define FREE(where, n) free(where);
	ARRAYS(FREE, ba)
#undef FREE
	free(ba);
}

enum sb_status sb_ba_open(int64_t frames, int64_t points, struct sb_ba **out, struct sb_error *err)
{
	struct sb_ba *ba = calloc(1, sizeof(*ba));
	bool ok = ba != NULL;

	if (frames < 1 || points < 0)
		SB_BUG("bundle adjustment of %" PRId64 " frames, %" PRId64 " points", frames, points);
	if (ok) {
		ba->max_frames = frames;
		ba->max_points = points;
#define ALLOCATE(where, n) ok = ok && ((where) = calloc((size_t)(n) + 1, sizeof(*(where)))) != NULL;
		ARRAYS(ALLOCATE, ba)
#undef ALLOCATE
	}
	if (!ok) {
		sb_ba_close(ba);
		return sb_fail(err, SB_E_NOMEM,
		        "out of memory for the bundle adjustment of %" PRId64 " frames and %" PRId64 " points: %" PRId64
		        " bytes; fewer --frames need less",
		        frames, points, sb_ba_bytes(frames, points));
	}
	*out = ba;
	return SB_OK;
}

/* ---- poses -------------------------------------------------------------------------------------------------- */

static bool quaternion_normalise(double q[4])
{
	double n = sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);

	if (!(n > 0.0) || !isfinite(n))
		return false;
	for (int i = 0; i < 4; i++)
		q[i] /= n;
	return true;
}

static void rotation_of(const double q[4], double r[3][3])
{
	double x = q[0], y = q[1], z = q[2], w = q[3];

	r[0][0] = 1.0 - 2.0 * (y * y + z * z);
	r[0][1] = 2.0 * (x * y - w * z);
	r[0][2] = 2.0 * (x * z + w * y);
	r[1][0] = 2.0 * (x * y + w * z);
	r[1][1] = 1.0 - 2.0 * (x * x + z * z);
	r[1][2] = 2.0 * (y * z - w * x);
	r[2][0] = 2.0 * (x * z - w * y);
	r[2][1] = 2.0 * (y * z + w * x);
	r[2][2] = 1.0 - 2.0 * (x * x + y * y);
}

/* The largest of the four components comes from the diagonal, the others from it. */
static void quaternion_of(const double r[3][3], double q[4])
{
	double four[4] = { 1.0 + r[0][0] - r[1][1] - r[2][2], 1.0 - r[0][0] + r[1][1] - r[2][2],
		1.0 - r[0][0] - r[1][1] + r[2][2], 1.0 + r[0][0] + r[1][1] + r[2][2] }; /* 4 q_i^2 */
	int big = 0;

	for (int i = 1; i < 4; i++)
		if (four[i] > four[big])
			big = i;
	if (big == 3) {
		q[0] = r[2][1] - r[1][2];
		q[1] = r[0][2] - r[2][0];
		q[2] = r[1][0] - r[0][1];
	} else {
		int j = (big + 1) % 3, k = (big + 2) % 3;

		q[j] = r[j][big] + r[big][j];
		q[k] = r[k][big] + r[big][k];
		q[3] = r[k][j] - r[j][k];
	}
	q[big] = four[big];
}

enum sb_status sb_pose_of_c2w(const double c2w[16], struct sb_pose *out, struct sb_error *err)
{
	double m[3][3], inv[3][3], det, size = 0.0;
	struct sb_pose p;

	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++) {
			m[i][j] = c2w[i * 4 + j];
			size = fmax(size, fabs(m[i][j]));
		}
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++) {
			int a = (j + 1) % 3, b = (j + 2) % 3, c = (i + 1) % 3, d = (i + 2) % 3;

			inv[i][j] = m[a][c] * m[b][d] - m[a][d] * m[b][c];
		}
	det = m[0][0] * inv[0][0] + m[0][1] * inv[1][0] + m[0][2] * inv[2][0];
	if (!isfinite(det) || !(fabs(det) > 1e-12 * size * size * size))
		return sb_fail(err, SB_E_DATA, "camera matrix is singular or not finite");
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			inv[i][j] /= det;
	quaternion_of((const double(*)[3])inv, p.q);
	for (int i = 0; i < 3; i++)
		p.t[i] = -(inv[i][0] * c2w[3] + inv[i][1] * c2w[7] + inv[i][2] * c2w[11]);
	if (!quaternion_normalise(p.q) || !isfinite(p.t[0]) || !isfinite(p.t[1]) || !isfinite(p.t[2]))
		return sb_fail(err, SB_E_DATA, "camera matrix is singular or not finite");
	*out = p;
	return SB_OK;
}

void sb_pose_to_c2w(const struct sb_pose *pose, double c2w[16])
{
	double r[3][3];

	rotation_of(pose->q, r);
	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++)
			c2w[i * 4 + j] = r[j][i];
		c2w[i * 4 + 3] = -(r[0][i] * pose->t[0] + r[1][i] * pose->t[1] + r[2][i] * pose->t[2]);
	}
	for (int j = 0; j < 4; j++)
		c2w[12 + j] = j == 3;
}

/* out = p moved by d: q = exp(d[0..2]) q, exp(v) = (sin|v| v/|v|, cos|v|), which turns by 2 |v|; t += d[3..5]. */
static void pose_move(const struct sb_pose *p, const double d[6], struct sb_pose *out)
{
	double n = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]), s = n > 1e-12 ? sin(n) / n : 1.0, w = cos(n);
	double x = s * d[0], y = s * d[1], z = s * d[2];
	const double *q = p->q;
	struct sb_pose r = *p;

	r.q[0] = w * q[0] + x * q[3] + y * q[2] - z * q[1];
	r.q[1] = w * q[1] - x * q[2] + y * q[3] + z * q[0];
	r.q[2] = w * q[2] + x * q[1] - y * q[0] + z * q[3];
	r.q[3] = w * q[3] - x * q[0] - y * q[1] - z * q[2];
	quaternion_normalise(r.q);
	for (int i = 0; i < 3; i++)
		r.t[i] += d[3 + i];
	*out = r;
}

/* ---- projection --------------------------------------------------------------------------------------------- */

static void set_cameras(struct sb_ba *ba, const struct sb_pose *pose)
{
	for (int64_t t = 0; t < ba->frames; t++) {
		struct camera *c = &ba->camera[t];

		rotation_of(pose[t].q, c->r);
		memcpy(c->t, pose[t].t, sizeof(c->t));
		c->f = ba->intrinsics[t * 3];
		c->cx = ba->intrinsics[t * 3 + 1];
		c->cy = ba->intrinsics[t * 3 + 2];
	}
}

/* rx = R x; e = projection - observation; returns 1/z. */
SB_INLINE double residual(const struct camera *c, const double *x, const double *px, double rx[3], double e[2])
{
	double inv;

	for (int i = 0; i < 3; i++)
		rx[i] = c->r[i][0] * x[0] + c->r[i][1] * x[1] + c->r[i][2] * x[2];
	inv = 1.0 / (rx[2] + c->t[2]);
	e[0] = c->f * (rx[0] + c->t[0]) * inv + c->cx - px[0];
	e[1] = c->f * (rx[1] + c->t[1]) * inv + c->cy - px[1];
	return inv;
}

SB_INLINE double cost_of_points(const struct sb_ba *ba, const double *xyz, int64_t from, int64_t to)
{
	double sum = 0.0;

	for (int64_t p = from; p < to; p++)
		for (int64_t o = ba->first[p]; o < ba->first[p + 1]; o++) {
			double rx[3], e[2];

			residual(&ba->camera[ba->frame[o]], xyz + p * 3, ba->px + o * 2, rx, e);
			sum += e[0] * e[0] + e[1] * e[1];
		}
	return 0.5 * sum;
}

/* Fewer observations are over before the other threads are awake: 1,000 take some 20 us. */
static bool worth(const struct sb_ba *ba)
{
	return ba->n_obs >= 1000;
}

SB_INLINE int64_t chunk_start(const struct sb_ba *ba, int64_t chunk)
{
	return ba->points * chunk / CHUNKS;
}

/* ---- normal equations --------------------------------------------------------------------------------------- */

/*
 * One observation: add to the point's and the frame's blocks, write the block between them. With J_pi (2 x 3) of the
 * projection: d e / d point = J_pi R, d e / d half-angle = J_pi (-2 [R x]), d e / d t = J_pi.
 */
SB_INLINE void add_observation(const struct camera *c, const double *x, const double *px, struct point *pt,
        double *restrict sums, double *restrict cross)
{
	double rx[3], e[2], jc[2][6], jp[2][3];
	double inv = residual(c, x, px, rx, e), a = c->f * inv;
	double along[2] = { -a * inv * (rx[0] + c->t[0]), -a * inv * (rx[1] + c->t[1]) }; /* d e / d z */
	int k = 0;

	jc[0][3] = a;
	jc[0][4] = 0.0;
	jc[0][5] = along[0];
	jc[1][3] = 0.0;
	jc[1][4] = a;
	jc[1][5] = along[1];
	for (int i = 0; i < 2; i++) {
		const double *j = jc[i] + 3;

		jc[i][0] = 2.0 * (j[2] * rx[1] - j[1] * rx[2]);
		jc[i][1] = 2.0 * (j[0] * rx[2] - j[2] * rx[0]);
		jc[i][2] = 2.0 * (j[1] * rx[0] - j[0] * rx[1]);
		for (int m = 0; m < 3; m++)
			jp[i][m] = j[0] * c->r[0][m] + j[1] * c->r[1][m] + j[2] * c->r[2][m];
	}
	for (int m = 0; m < 6; m++)
		for (int n = 0; n <= m; n++)
			sums[k++] += jc[0][m] * jc[0][n] + jc[1][m] * jc[1][n];
	for (int m = 0; m < 6; m++)
		sums[k++] += jc[0][m] * e[0] + jc[1][m] * e[1];
	k = 0;
	for (int m = 0; m < 3; m++) {
		for (int n = 0; n <= m; n++)
			pt->c[k++] += jp[0][m] * jp[0][n] + jp[1][m] * jp[1][n];
		pt->g[m] += jp[0][m] * e[0] + jp[1][m] * e[1];
	}
	for (int m = 0; m < 6; m++)
		for (int n = 0; n < 3; n++)
			cross[m * 3 + n] = jc[0][m] * jp[0][n] + jc[1][m] * jp[1][n];
}

SB_HOT static double linearise_chunk(struct sb_ba *ba, int64_t chunk)
{
	double *sums = ba->chunk_sums + chunk * ba->frames * FRAME_SUMS, gradient = 0.0;

	memset(sums, 0, (size_t)(ba->frames * FRAME_SUMS) * sizeof(*sums));
	for (int64_t p = chunk_start(ba, chunk); p < chunk_start(ba, chunk + 1); p++) {
		struct point *pt = &ba->point[p];

		memset(pt->c, 0, sizeof(pt->c));
		memset(pt->g, 0, sizeof(pt->g));
		for (int64_t o = ba->first[p]; o < ba->first[p + 1]; o++)
			add_observation(&ba->camera[ba->frame[o]], ba->now.xyz + p * 3, ba->px + o * 2, pt,
			        sums + ba->frame[o] * FRAME_SUMS, ba->cross + o * 18);
		for (int m = 0; m < 3; m++)
			gradient = fmax(gradient, fabs(pt->g[m]));
	}
	return gradient;
}

/* J'J and J'r at `now`; returns the largest component of the gradient. */
static double linearise(struct sb_ba *ba)
{
	int64_t n = ba->frames * FRAME_SUMS;
	double gradient[CHUNKS], largest = 0.0;

	set_cameras(ba, ba->now.pose);
	SB_PARALLEL_FOR(dynamic, worth(ba), c, CHUNKS, gradient[c] = linearise_chunk(ba, c));
	memset(ba->frame_sums, 0, (size_t)n * sizeof(*ba->frame_sums));
	for (int64_t c = 0; c < CHUNKS; c++) {
		for (int64_t i = 0; i < n; i++)
			ba->frame_sums[i] += ba->chunk_sums[c * n + i];
		largest = fmax(largest, gradient[c]);
	}
	for (int64_t t = 1; t < ba->frames; t++)
		for (int m = 0; m < 6; m++)
			largest = fmax(largest, fabs(ba->frame_sums[t * FRAME_SUMS + 21 + m]));
	return largest;
}

/* Where the diagonal stands in a lower triangle stored row by row. */
SB_INLINE int diagonal(int m)
{
	return m * (m + 3) / 2;
}

static double scale2_of(double norm2)
{
	double s = 1.0 / (1.0 + sqrt(norm2));

	return s * s;
}

/* Jacobi scaling, once at the start: columns of about unit length. It only shapes the damping. */
static void set_scales(struct sb_ba *ba)
{
	for (int64_t t = 0; t < ba->frames; t++)
		for (int m = 0; m < 6; m++)
			ba->scale2[t * 6 + m] = scale2_of(ba->frame_sums[t * FRAME_SUMS + diagonal(m)]);
	for (int64_t p = 0; p < ba->points; p++)
		for (int m = 0; m < 3; m++)
			ba->point[p].scale2[m] = scale2_of(ba->point[p].c[diagonal(m)]);
}

/* ---- one step ----------------------------------------------------------------------------------------------- */

/* What is added to an unscaled diagonal element for the scaled one to be damped by itself / radius. */
SB_INLINE double damping(double diag, double scale2, double radius, const struct sb_ba_options *o)
{
	return fmin(fmax(diag * scale2, o->min_diagonal), o->max_diagonal) / (radius * scale2);
}

/* Eliminate the points of a chunk: factors, u = l^-1 g, and their columns of W. */
SB_HOT static void eliminate_chunk(struct sb_ba *ba, int64_t chunk, double radius, const struct sb_ba_options *options)
{
	struct sb_ba_reduced *r = &ba->reduced;

	for (int64_t p = chunk_start(ba, chunk); p < chunk_start(ba, chunk + 1); p++) {
		struct point *pt = &ba->point[p];
		double *l = pt->l, i0, i2, i5;
		double *row_n = r->w + (r->n / SB_BA_PANEL * r->columns + 3 * p) * SB_BA_PANEL + r->n % SB_BA_PANEL;

		for (int m = 0; m < 3; m++)
			pt->damp[m] = damping(pt->c[diagonal(m)], pt->scale2[m], radius, options);
		l[0] = sqrt(pt->c[0] + pt->damp[0]);
		i0 = 1.0 / l[0];
		l[1] = pt->c[1] * i0;
		l[2] = sqrt(pt->c[2] + pt->damp[1] - l[1] * l[1]);
		i2 = 1.0 / l[2];
		l[3] = pt->c[3] * i0;
		l[4] = (pt->c[4] - l[3] * l[1]) * i2;
		l[5] = sqrt(pt->c[5] + pt->damp[2] - l[3] * l[3] - l[4] * l[4]);
		i5 = 1.0 / l[5];
		pt->u[0] = pt->g[0] * i0;
		pt->u[1] = (pt->g[1] - l[1] * pt->u[0]) * i2;
		pt->u[2] = (pt->g[2] - l[3] * pt->u[0] - l[4] * pt->u[1]) * i5;
		for (int k = 0; k < 3; k++)
			row_n[k * SB_BA_PANEL] = pt->u[k];
		for (int64_t o = ba->first[p]; o < ba->first[p + 1]; o++) {
			const double *e = ba->cross + o * 18;
			int64_t row = 6 * ((int64_t)ba->frame[o] - 1);
			double *w = r->w + (row / SB_BA_PANEL * r->columns + 3 * p) * SB_BA_PANEL + row % SB_BA_PANEL;

			if (row < 0)
				continue;
			for (int m = 0; m < 6; m++) {
				double w0 = e[m * 3] * i0, w1 = (e[m * 3 + 1] - l[1] * w0) * i2;

				w[m] = w0;
				w[SB_BA_PANEL + m] = w1;
				w[2 * SB_BA_PANEL + m] = (e[m * 3 + 2] - l[3] * w0 - l[4] * w1) * i5;
			}
		}
	}
}

/* S = the cameras' damped blocks, right-hand side in row n. */
static void start_reduced(struct sb_ba *ba, double radius, const struct sb_ba_options *options)
{
	struct sb_ba_reduced *r = &ba->reduced;

	memset(r->s, 0, (size_t)(r->panels * r->panels * SB_BA_PANEL * SB_BA_PANEL) * sizeof(*r->s));
	for (int64_t t = 1; t < ba->frames; t++) {
		const double *sums = ba->frame_sums + t * FRAME_SUMS;
		int64_t at = 6 * (t - 1);

		for (int m = 0, k = 0; m < 6; m++) {
			for (int n = 0; n <= m; n++, k++)
				*sb_ba_element(r, at + m, at + n) = sums[k];
			ba->damp[t * 6 + m] = damping(sums[diagonal(m)], ba->scale2[t * 6 + m], radius, options);
			*sb_ba_element(r, at + m, at + m) += ba->damp[t * 6 + m];
			*sb_ba_element(r, r->n, at + m) = sums[21 + m];
		}
	}
}

/* The step of one point: -l'^-1 (u + W' d), W = E l'^-1. */
SB_INLINE void point_step(const struct sb_ba *ba, int64_t p, double d[3])
{
	const struct point *pt = &ba->point[p];
	const double *l = pt->l;
	double v[3] = { pt->g[0], pt->g[1], pt->g[2] };

	for (int64_t o = ba->first[p]; o < ba->first[p + 1]; o++) {
		const double *e = ba->cross + o * 18, *s = ba->step + (int64_t)ba->frame[o] * 6;

		for (int m = 0; m < 6; m++)
			for (int k = 0; k < 3; k++)
				v[k] += e[m * 3 + k] * s[m];
	}
	v[0] /= l[0];
	v[1] = (v[1] - l[1] * v[0]) / l[2];
	v[2] = (v[2] - l[3] * v[0] - l[4] * v[1]) / l[5];
	d[2] = -v[2] / l[5];
	d[1] = (-v[1] - l[4] * d[2]) / l[2];
	d[0] = (-v[0] - l[1] * d[1] - l[3] * d[2]) / l[0];
}

/* The decrease that the model promises for one unknown: for the exact damped step, -g'd/2 + d'D d/2. */
SB_INLINE double promise(double g, double d, double damp)
{
	return 0.5 * d * (d * damp - g);
}

SB_HOT static struct totals move_chunk(struct sb_ba *ba, int64_t chunk)
{
	struct totals sum = { 0 };
	int64_t from = chunk_start(ba, chunk), to = chunk_start(ba, chunk + 1);

	for (int64_t p = from; p < to; p++) {
		double d[3];

		point_step(ba, p, d);
		for (int m = 0; m < 3; m++) {
			double x = ba->now.xyz[p * 3 + m];

			ba->next.xyz[p * 3 + m] = x + d[m];
			sum.promised += promise(ba->point[p].g[m], d[m], ba->point[p].damp[m]);
			sum.step2 += d[m] * d[m];
			sum.x2 += x * x;
		}
	}
	sum.cost = cost_of_points(ba, ba->next.xyz, from, to);
	return sum;
}

static void move_cameras(struct sb_ba *ba, struct totals *sum)
{
	ba->next.pose[0] = ba->now.pose[0];
	for (int64_t t = 1; t < ba->frames; t++) {
		const struct sb_pose *p = &ba->now.pose[t], *q = &ba->next.pose[t];

		pose_move(p, ba->step + t * 6, &ba->next.pose[t]);
		for (int m = 0; m < 6; m++)
			sum->promised += promise(
			        ba->frame_sums[t * FRAME_SUMS + 21 + m], ba->step[t * 6 + m], ba->damp[t * 6 + m]);
		for (int m = 0; m < 4; m++) {
			sum->step2 += (q->q[m] - p->q[m]) * (q->q[m] - p->q[m]);
			sum->x2 += p->q[m] * p->q[m];
		}
		for (int m = 0; m < 3; m++) {
			sum->step2 += (q->t[m] - p->t[m]) * (q->t[m] - p->t[m]);
			sum->x2 += p->t[m] * p->t[m];
		}
	}
}

/* From `now` to `next` with this radius. False when the system has no finite solution. */
static bool try_step(struct sb_ba *ba, double radius, const struct sb_ba_options *options, struct totals *out)
{
	struct totals part[CHUNKS], sum = { 0 };

	SB_PARALLEL_FOR(dynamic, worth(ba), c, CHUNKS, eliminate_chunk(ba, c, radius, options));
	start_reduced(ba, radius, options);
	sb_ba_subtract_ww(&ba->reduced);
	if (!sb_ba_factorise(&ba->reduced))
		return false;
	sb_ba_back_substitute(&ba->reduced, ba->step + 6);
	move_cameras(ba, &sum);
	set_cameras(ba, ba->next.pose);
	SB_PARALLEL_FOR(dynamic, worth(ba), c, CHUNKS, part[c] = move_chunk(ba, c));
	for (int64_t c = 0; c < CHUNKS; c++) {
		sum.cost += part[c].cost;
		sum.promised += part[c].promised;
		sum.step2 += part[c].step2;
		sum.x2 += part[c].x2;
	}
	*out = sum;
	ba->next.cost = sum.cost;
	return isfinite(sum.cost) && isfinite(sum.step2) && sum.promised > 0.0;
}

/* ---- the problem -------------------------------------------------------------------------------------------- */

/* Append the observations of point n that count; false when fewer than 2. */
static bool take_point(struct sb_ba *ba, const struct sb_ba_problem *problem, int64_t n, struct sb_ba_result *result)
{
	const double *x = problem->xyz + n * 3;
	int64_t start = ba->n_obs, dropped = 0;

	for (int m = 0; m < 3; m++)
		if (!isfinite(x[m]) || x[m] >= SB_BA_FAR)
			return false;
	for (int64_t t = 0; t < problem->frames; t++) {
		const float *seen = problem->seen + (n * problem->frames + t) * 2;
		double px[2] = { seen[0], seen[1] }, rx[3], e[2];

		if (!isfinite(px[0]) || !isfinite(px[1])) {
			dropped += isfinite(px[0]) || isfinite(px[1]);
			continue;
		}
		residual(&ba->camera[t], x, px, rx, e);
		if (!isfinite(e[0] * e[0] + e[1] * e[1])) {
			dropped++;
			continue;
		}
		ba->frame[ba->n_obs] = (int32_t)t;
		ba->px[ba->n_obs * 2] = px[0];
		ba->px[ba->n_obs * 2 + 1] = px[1];
		ba->n_obs++;
	}
	result->dropped += dropped;
	if (ba->n_obs - start < 2) {
		ba->n_obs = start;
		return false;
	}
	return true;
}

static bool finite_poses(const struct sb_pose *pose, int64_t frames)
{
	for (int64_t t = 0; t < frames; t++) {
		double sum = 0.0;

		for (int m = 0; m < 4; m++)
			sum += pose[t].q[m];
		for (int m = 0; m < 3; m++)
			sum += pose[t].t[m];
		if (!isfinite(sum))
			return false;
	}
	return true;
}

/* W's zeros: only blocks that hold observations are written later. */
static void clear_reduced(struct sb_ba *ba)
{
	struct sb_ba_reduced *r = &ba->reduced;

	r->n = 6 * (ba->frames - 1);
	r->panels = panels_of(ba->frames);
	r->columns = 3 * ba->points;
	r->groups = groups_of(ba->points);
	memset(r->w, 0, (size_t)(r->panels * r->columns * SB_BA_PANEL) * sizeof(*r->w));
	memset(r->used, 0, (size_t)(r->panels * r->groups));
	for (int64_t p = 0; p < ba->points; p++) {
		r->used[r->n / SB_BA_PANEL * r->groups + p / SB_BA_GROUP] = 1;
		for (int64_t o = ba->first[p]; o < ba->first[p + 1]; o++)
			if (ba->frame[o] > 0)
				r->used[6 * ((int64_t)ba->frame[o] - 1) / SB_BA_PANEL * r->groups + p / SB_BA_GROUP] =
				        1;
	}
}

/* Take over what counts of the problem; false when there is nothing to solve. */
static bool prepare(struct sb_ba *ba, const struct sb_ba_problem *problem, struct sb_ba_result *result)
{
	if (problem->frames < 1 || problem->frames > ba->max_frames || problem->points < 0 ||
	        problem->points > ba->max_points)
		SB_BUG("bundle adjustment of %" PRId64 " frames, %" PRId64 " points in room for %" PRId64 ", %" PRId64,
		        problem->frames, problem->points, ba->max_frames, ba->max_points);
	ba->frames = problem->frames;
	ba->points = ba->n_obs = 0;
	ba->intrinsics = problem->intrinsics;
	if (problem->frames < 2 || !finite_poses(problem->pose, problem->frames))
		return false;
	for (int64_t t = 0; t < ba->frames; t++) {
		ba->now.pose[t] = problem->pose[t];
		if (!quaternion_normalise(ba->now.pose[t].q))
			return false;
	}
	set_cameras(ba, ba->now.pose);
	for (int64_t n = 0; n < problem->points; n++) {
		if (!take_point(ba, problem, n, result))
			continue;
		memcpy(ba->now.xyz + ba->points * 3, problem->xyz + n * 3, 3 * sizeof(double));
		ba->original[ba->points++] = n;
		ba->first[ba->points] = ba->n_obs;
	}
	result->points = ba->points;
	result->observations = ba->n_obs;
	if (ba->points < SB_BA_MIN_POINTS)
		return false;
	clear_reduced(ba);
	return true;
}

static double start_cost(const struct sb_ba *ba)
{
	double sum = 0.0;

	for (int64_t c = 0; c < CHUNKS; c++)
		sum += cost_of_points(ba, ba->now.xyz, chunk_start(ba, c), chunk_start(ba, c + 1));
	return sum;
}

static void copy_state(const struct sb_ba *ba, struct state *to, const struct state *from)
{
	memcpy(to->pose, from->pose, (size_t)ba->frames * sizeof(*to->pose));
	memcpy(to->xyz, from->xyz, (size_t)ba->points * 3 * sizeof(*to->xyz));
	to->cost = from->cost;
}

static void swap_states(struct state *a, struct state *b)
{
	struct state t = *a;

	*a = *b;
	*b = t;
}

/* ---- trust region ------------------------------------------------------------------------------------------- */

struct trust {
	double radius, shrink;
	/* Non-monotonic acceptance (Conn, Gould, Toint 2000, algorithm 10.1.2). */
	double lowest, reference, candidate;
	double promised_reference, promised_candidate; /* decrease promised by the steps since these costs */
	int above;                                     /* accepted steps since the lowest cost */
};

/* Actual over promised decrease, against the present cost or against a past one, whichever is better. */
static double quality(const struct trust *tr, double now, double next, double promised)
{
	return fmax((now - next) / promised, (tr->reference - next) / (tr->promised_reference + promised));
}

static void accept(struct trust *tr, double cost, double promised, double q, const struct sb_ba_options *o)
{
	double k = 2.0 * q - 1.0;

	tr->radius = fmin(o->max_radius, tr->radius / fmax(1.0 / 3.0, 1.0 - k * k * k));
	tr->shrink = 2.0;
	tr->promised_reference += promised;
	tr->promised_candidate += promised;
	if (cost < tr->lowest) {
		tr->lowest = cost;
		tr->above = 0;
		tr->candidate = cost;
		tr->promised_candidate = 0.0;
	} else {
		tr->above++;
		if (cost > tr->candidate) {
			tr->candidate = cost;
			tr->promised_candidate = 0.0;
		}
	}
	if (tr->above == o->non_monotonic) {
		tr->reference = tr->candidate;
		tr->promised_reference = tr->promised_candidate;
	}
}

static void reject(struct trust *tr)
{
	tr->radius /= tr->shrink;
	tr->shrink *= 2.0;
}

/* From ba->now; leaves the best in ba->best. */
static void iterate(struct sb_ba *ba, const struct sb_ba_options *o, struct sb_ba_result *res)
{
	struct trust tr = { .radius = o->radius,
		.shrink = 2.0,
		.lowest = ba->now.cost,
		.reference = ba->now.cost,
		.candidate = ba->now.cost };
	int invalid = 0;
	double gradient = linearise(ba);

	set_scales(ba);
	copy_state(ba, &ba->best, &ba->now);
	res->outcome = SB_BA_CONVERGED;
	while (gradient > o->gradient_tol && tr.radius > o->min_radius) {
		struct totals step;
		double q;

		if (res->iterations >= o->max_iterations) {
			res->outcome = SB_BA_LIMIT;
			return;
		}
		res->iterations++;
		if (!try_step(ba, tr.radius, o, &step)) {
			if (++invalid >= o->max_invalid) {
				res->outcome = SB_BA_STUCK;
				return;
			}
			reject(&tr);
			continue;
		}
		invalid = 0;
		if (ba->next.cost < ba->best.cost)
			copy_state(ba, &ba->best, &ba->next);
		if (sqrt(step.step2) <= o->parameter_tol * (sqrt(step.x2) + o->parameter_tol) ||
		        fabs(ba->now.cost - ba->next.cost) <= o->function_tol * ba->now.cost)
			return;
		q = quality(&tr, ba->now.cost, ba->next.cost, step.promised);
		if (q <= o->min_decrease) {
			reject(&tr);
			continue;
		}
		accept(&tr, ba->next.cost, step.promised, q, o);
		res->accepted++;
		swap_states(&ba->now, &ba->next);
		gradient = linearise(ba);
	}
}

void sb_ba_solve(struct sb_ba *ba, const struct sb_ba_problem *problem, const struct sb_ba_options *options,
        struct sb_ba_result *result)
{
	struct sb_ba_result res = { .outcome = SB_BA_SKIPPED, .cost_start = NAN, .cost = NAN };

	if (prepare(ba, problem, &res)) {
		ba->now.cost = start_cost(ba);
		if (isfinite(ba->now.cost)) {
			res.cost_start = ba->now.cost;
			iterate(ba, options, &res);
			res.cost = ba->best.cost;
			/* Frame 0 is fixed: not even its quaternion's length changes. */
			memcpy(problem->pose + 1, ba->best.pose + 1, (size_t)(ba->frames - 1) * sizeof(*problem->pose));
			for (int64_t p = 0; p < ba->points; p++)
				memcpy(problem->xyz + ba->original[p] * 3, ba->best.xyz + p * 3, 3 * sizeof(double));
		}
	}
	*result = res;
}
