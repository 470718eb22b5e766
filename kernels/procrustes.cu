/*
 * procrustes on CUDA: a block a pair. The points' sums run in double, in an order that depends on their number alone;
 * then one thread finds the rotation as procrustes_cpu.c does (one-sided Jacobi in double): some ten thousand cycles of
 * latency, which the other pairs hide, against one read of the points.
 */
#include "procrustes_cuda.h"

#include <float.h>

#include "cuda_elements.cuh"

/* 256 threads: four points each at the tracker's thousand, and a sum needs 8 x 9 doubles of shared memory. */
constexpr int kWarps = kThreads / kWarp;
constexpr int kSums = 9;

/*
 * A singular value that coordinates wrong by so many roundings to float would give on both sides is taken for 0. It is
 * second order: an error of one side alone only tilts the directions of the larger values.
 */
constexpr double kRoundings = 8.0;

constexpr int kMaxSweeps = 30; /* 3x3 converges in 4 to 6 */

struct sums {
	double weight;
	double x[3], y[3]; /* centroids */
	double x2, y2;     /* weighted squared lengths, not centred: the scale of roundings */
	double cov[3][3];  /* [i][j] = sum w (x - cx)_i (y - cy)_j */
};

/* ---- sums over the points --------------------------------------------------------------------------------------- */

struct point {
	float x[3], y[3], w;
};

/* Point i of pair b; false when it does not count. */
static __device__ __forceinline__ bool point_of(
        const struct sb_procrustes_args &a, int64_t b, int64_t i, struct point *p)
{
	const float *x = a.x + b * a.x_batch + i * a.x_point, *y = a.y + b * a.y_batch + i * a.y_point;
	bool counts;

	p->w = a.w[b * a.w_batch + i * a.w_point];
	counts = p->w > 0.0f && isfinite(p->w);
#pragma unroll
	for (int c = 0; c < 3; c++) {
		p->x[c] = x[c];
		p->y[c] = y[c];
		counts = counts && isfinite(x[c]) && isfinite(y[c]);
	}
	return counts;
}

/* Each of v over the block's threads, in an order that is always the same; every thread gets them. */
static __device__ void sum_block(double v[kSums], double (*scratch)[kSums])
{
	__syncthreads(); /* the sums before may still be read */
#pragma unroll
	for (int k = 0; k < kSums; k++) {
#pragma unroll
		for (int mask = kWarp / 2; mask > 0; mask /= 2)
			v[k] += __shfl_xor_sync(kAllLanes, v[k], mask);
		if (threadIdx.x % kWarp == 0)
			scratch[threadIdx.x / kWarp][k] = v[k];
	}
	__syncthreads();
#pragma unroll
	for (int k = 0; k < kSums; k++) {
		v[k] = 0.0;
		for (int i = 0; i < kWarps; i++)
			v[k] += scratch[i][k];
	}
}

static __device__ __forceinline__ void add_moments(const struct point *p, double v[kSums])
{
	double w = p->w;

	v[0] += w;
#pragma unroll
	for (int c = 0; c < 3; c++) {
		double x = p->x[c], y = p->y[c];

		v[1 + c] += w * x;
		v[4 + c] += w * y;
		v[7] += w * x * x;
		v[8] += w * y * y;
	}
}

static __device__ void sum_pair(const struct sb_procrustes_args &a, int64_t b, struct sums *s, double (*scratch)[kSums])
{
	double v[kSums] = { 0.0 };
	struct point p;

	for (int64_t i = threadIdx.x; i < a.points; i += kThreads)
		if (point_of(a, b, i, &p))
			add_moments(&p, v);
	sum_block(v, scratch);
	s->weight = v[0];
#pragma unroll
	for (int c = 0; c < 3; c++) {
		s->x[c] = v[0] > 0.0 ? v[1 + c] / v[0] : 0.0;
		s->y[c] = v[0] > 0.0 ? v[4 + c] / v[0] : 0.0;
	}
	s->x2 = v[7];
	s->y2 = v[8];
#pragma unroll
	for (int k = 0; k < kSums; k++)
		v[k] = 0.0;
	for (int64_t i = threadIdx.x; i < a.points; i += kThreads)
		if (point_of(a, b, i, &p))
#pragma unroll
			for (int k = 0; k < kSums; k++)
				v[k] += (double)p.w * ((double)p.x[k / 3] - s->x[k / 3]) *
				        ((double)p.y[k % 3] - s->y[k % 3]);
	sum_block(v, scratch);
#pragma unroll
	for (int k = 0; k < kSums; k++)
		s->cov[k / 3][k % 3] = v[k];
}

/* ---- the rotation ----------------------------------------------------------------------------------------------- */

static __device__ __forceinline__ double dot(const double a[3], const double b[3])
{
	return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static __device__ __forceinline__ void cross(const double a[3], const double b[3], double out[3])
{
	out[0] = a[1] * b[2] - a[2] * b[1];
	out[1] = a[2] * b[0] - a[0] * b[2];
	out[2] = a[0] * b[1] - a[1] * b[0];
}

/* v / |v|; v is not 0. */
static __device__ __forceinline__ void normalise(double v[3])
{
	double inv = 1.0 / sqrt(dot(v, v));

#pragma unroll
	for (int c = 0; c < 3; c++)
		v[c] *= inv;
}

/* v = a unit vector at right angles to the unit vector u: u crossed with the axis that it is farthest from. */
static __device__ void across(const double u[3], double v[3])
{
	double x = fabs(u[0]), y = fabs(u[1]), z = fabs(u[2]);
	bool first = x <= y && x <= z, second = !first && y <= z;
	double axis[3] = { first ? 1.0 : 0.0, second ? 1.0 : 0.0, first || second ? 0.0 : 1.0 };

	cross(u, axis, v);
	normalise(v);
}

static __device__ __forceinline__ void swap_rows(double a[3], double b[3])
{
#pragma unroll
	for (int c = 0; c < 3; c++) {
		double t = a[c];

		a[c] = b[c];
		b[c] = t;
	}
}

/* Turn rows p and q of both so that those of b are orthogonal. True when they were, as far as double can tell. */
static __device__ __forceinline__ bool rotate_rows(double bp[3], double bq[3], double vp[3], double vq[3])
{
	double alpha = dot(bp, bp), beta = dot(bq, bq), gamma = dot(bp, bq);
	double zeta, t, c, s;

	if (fabs(gamma) <= DBL_EPSILON * sqrt(alpha * beta))
		return true;
	zeta = (beta - alpha) / (2.0 * gamma);
	t = copysign(1.0, zeta) / (fabs(zeta) + sqrt(1.0 + zeta * zeta));
	c = 1.0 / sqrt(1.0 + t * t);
	s = c * t;
#pragma unroll
	for (int i = 0; i < 3; i++) {
		double b0 = bp[i], b1 = bq[i], v0 = vp[i], v1 = vq[i];

		bp[i] = c * b0 - s * b1;
		bq[i] = s * b0 + c * b1;
		vp[i] = c * v0 - s * v1;
		vq[i] = s * v0 + c * v1;
	}
	return false;
}

/*
 * One-sided Jacobi (Hestenes 1958) of h = U S V': rows of b = columns of h V = s_k u_k, rows of v = columns of V, in
 * descending order of s.
 */
static __device__ void jacobi(const double h[3][3], double b[3][3], double v[3][3], double s[3])
{
#pragma unroll
	for (int i = 0; i < 9; i++) {
		b[i / 3][i % 3] = h[i % 3][i / 3];
		v[i / 3][i % 3] = i / 3 == i % 3 ? 1.0 : 0.0;
	}
#pragma unroll 1
	for (int sweep = 0; sweep < kMaxSweeps; sweep++) {
		bool done = rotate_rows(b[0], b[1], v[0], v[1]);

		done &= rotate_rows(b[0], b[2], v[0], v[2]);
		done &= rotate_rows(b[1], b[2], v[1], v[2]);
		if (done)
			break;
	}
#pragma unroll
	for (int i = 0; i < 3; i++)
#pragma unroll
		for (int j = i + 1; j < 3; j++)
			if (dot(b[j], b[j]) > dot(b[i], b[i])) {
				swap_rows(b[i], b[j]);
				swap_rows(v[i], v[j]);
			}
#pragma unroll
	for (int i = 0; i < 3; i++)
		s[i] = sqrt(dot(b[i], b[i]));
}

static __device__ void identity(double r[3][3])
{
#pragma unroll
	for (int i = 0; i < 9; i++)
		r[i / 3][i % 3] = i / 3 == i % 3 ? 1.0 : 0.0;
}

/* The smallest rotation with r u = v: half a turn about u, then one about the direction half-way to v. */
static __device__ void turn(const double u[3], const double v[3], double r[3][3])
{
	double half[3] = { u[0] + v[0], u[1] + v[1], u[2] + v[2] };
	double hu;

	if (dot(half, half) < 1e-14)
		across(u, half);
	else
		normalise(half);
	hu = dot(half, u);
#pragma unroll
	for (int i = 0; i < 3; i++)
#pragma unroll
		for (int j = 0; j < 3; j++)
			r[i][j] = 4.0 * hu * half[i] * u[j] - 2.0 * half[i] * half[j] - 2.0 * u[i] * u[j] +
			          (i == j ? 1.0 : 0.0);
}

/*
 * R = V diag(1, 1, d) U' with d for determinant +1. The third axes follow from the first two, so the smallest singular
 * value and its direction are not needed, and d comes of itself.
 */
static __device__ void best_rotation(const struct sums *s, double r[3][3])
{
	double scale = 0.0, noise = kRoundings * 0.5 * (double)FLT_EPSILON, floor_of;
	double h[3][3], u[3][3], v[3][3], sigma[3], along;

	identity(r);
#pragma unroll
	for (int i = 0; i < 9; i++)
		scale = fmax(scale, fabs(s->cov[i / 3][i % 3]));
	if (scale <= 0.0)
		return;
#pragma unroll
	for (int i = 0; i < 9; i++)
		h[i / 3][i % 3] = s->cov[i / 3][i % 3] / scale;
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
#pragma unroll
	for (int c = 0; c < 3; c++)
		u[1][c] -= along * u[0][c];
	normalise(u[1]);
	cross(u[0], u[1], u[2]);
	cross(v[0], v[1], v[2]);
#pragma unroll
	for (int i = 0; i < 3; i++)
#pragma unroll
		for (int j = 0; j < 3; j++)
			r[i][j] = v[0][i] * u[0][j] + v[1][i] * u[1][j] + v[2][i] * u[2][j];
}

static __device__ void write_motion(const struct sums *s, const double r[3][3], int inverse, float *m)
{
#pragma unroll
	for (int i = 0; i < 3; i++) {
		double row[3], t;

#pragma unroll
		for (int j = 0; j < 3; j++)
			row[j] = inverse ? r[j][i] : r[i][j];
		t = inverse ? s->x[i] - dot(row, s->y) : s->y[i] - dot(row, s->x);
#pragma unroll
		for (int j = 0; j < 3; j++)
			m[i * 4 + j] = (float)row[j];
		m[i * 4 + 3] = (float)t;
	}
#pragma unroll
	for (int j = 0; j < 4; j++)
		m[12 + j] = j == 3 ? 1.0f : 0.0f;
}

static __global__ void __launch_bounds__(kThreads) procrustes(const struct sb_procrustes_args a)
{
	__shared__ double scratch[kWarps][kSums];
	int64_t b = blockIdx.x;
	struct sums s;
	double r[3][3];

	sum_pair(a, b, &s, scratch);
	if (threadIdx.x > 0)
		return;
	best_rotation(&s, r);
	write_motion(&s, r, a.inverse, a.motion + b * 16);
}

int sb_procrustes_cuda(const struct sb_procrustes_args *a, struct sb_cuda_launch *l)
{
	if (a->batch == 0)
		return 0;
	procrustes<<<(unsigned)a->batch, kThreads, 0, stream_of(l)>>>(*a);
	return launched(l, "procrustes");
}
