/* procrustes in plain loops, by another way: the quaternion of Horn 1987, the largest eigenvector of a 4x4 matrix. */
#include "procrustes.h"

#include <math.h>

struct pair {
	double weight, x[3], y[3], h[3][3];
};

static int all_finite(const float *v)
{
	return isfinite(v[0]) && isfinite(v[1]) && isfinite(v[2]);
}

static struct pair pair_of(const struct sb_procrustes_args *a, int64_t b)
{
	struct pair p = { 0 };

	for (int pass = 0; pass < 2; pass++) {
		for (int64_t i = 0; i < a->points; i++) {
			const float *x = a->x + b * a->x_batch + i * a->x_point,
			            *y = a->y + b * a->y_batch + i * a->y_point;
			double w = a->w[b * a->w_batch + i * a->w_point];

			if (!(w > 0.0) || !isfinite(w) || !all_finite(x) || !all_finite(y))
				continue;
			if (pass == 0)
				p.weight += w;
			for (int r = 0; r < 3; r++) {
				if (pass == 0) {
					p.x[r] += w * x[r];
					p.y[r] += w * y[r];
				} else {
					for (int c = 0; c < 3; c++)
						p.h[r][c] += w * (x[r] - p.x[r]) * (y[c] - p.y[c]);
				}
			}
		}
		for (int r = 0; pass == 0 && p.weight > 0.0 && r < 3; r++) {
			p.x[r] /= p.weight;
			p.y[r] /= p.weight;
		}
	}
	return p;
}

/* Eigenvectors of the symmetric n in the columns of v, by Jacobi rotations; the eigenvalues end on n's diagonal. */
static void eigen4(double n[4][4], double v[4][4])
{
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++)
			v[i][j] = i == j;
	for (int sweep = 0; sweep < 60; sweep++)
		for (int p = 0; p < 3; p++)
			for (int q = p + 1; q < 4; q++) {
				double theta = 0.5 * atan2(2.0 * n[p][q], n[q][q] - n[p][p]), c = cos(theta),
				       s = sin(theta);

				for (int k = 0; k < 4; k++) {
					double kp = n[k][p], kq = n[k][q], vp = v[k][p], vq = v[k][q];

					n[k][p] = c * kp - s * kq;
					n[k][q] = s * kp + c * kq;
					v[k][p] = c * vp - s * vq;
					v[k][q] = s * vp + c * vq;
				}
				for (int k = 0; k < 4; k++) {
					double pk = n[p][k], qk = n[q][k];

					n[p][k] = c * pk - s * qk;
					n[q][k] = s * pk + c * qk;
				}
			}
}

static void rotation_of(const double h[3][3], double r[3][3])
{
	double n[4][4] = {
		{ h[0][0] + h[1][1] + h[2][2], h[1][2] - h[2][1], h[2][0] - h[0][2], h[0][1] - h[1][0] },
		{ h[1][2] - h[2][1], h[0][0] - h[1][1] - h[2][2], h[0][1] + h[1][0], h[2][0] + h[0][2] },
		{ h[2][0] - h[0][2], h[0][1] + h[1][0], h[1][1] - h[0][0] - h[2][2], h[1][2] + h[2][1] },
		{ h[0][1] - h[1][0], h[2][0] + h[0][2], h[1][2] + h[2][1], h[2][2] - h[0][0] - h[1][1] },
	};
	double e[4][4], q[4], length = 0.0;
	int best = 0;

	eigen4(n, e);
	for (int i = 1; i < 4; i++)
		if (n[i][i] > n[best][best])
			best = i;
	for (int i = 0; i < 4; i++)
		length += e[i][best] * e[i][best];
	for (int i = 0; i < 4; i++)
		q[i] = e[i][best] / sqrt(length);
	for (int i = 0; i < 3; i++) {
		int j = (i + 1) % 3, k = (i + 2) % 3;

		r[i][i] = q[0] * q[0] + q[i + 1] * q[i + 1] - q[j + 1] * q[j + 1] - q[k + 1] * q[k + 1];
		r[i][j] = 2.0 * (q[i + 1] * q[j + 1] - q[0] * q[k + 1]);
		r[j][i] = 2.0 * (q[i + 1] * q[j + 1] + q[0] * q[k + 1]);
	}
}

void sb_procrustes_ref(const struct sb_procrustes_args *a)
{
	for (int64_t b = 0; b < a->batch; b++) {
		struct pair p = pair_of(a, b);
		float *m = a->motion + b * 16;
		double r[3][3];

		rotation_of(p.h, r);
		for (int i = 0; i < 3; i++) {
			double t = a->inverse ? p.x[i] : p.y[i];

			for (int j = 0; j < 3; j++) {
				double e = a->inverse ? r[j][i] : r[i][j];

				m[i * 4 + j] = (float)e;
				t -= e * (a->inverse ? p.y[j] : p.x[j]);
			}
			m[i * 4 + 3] = (float)t;
		}
		for (int j = 0; j < 4; j++)
			m[12 + j] = j == 3;
	}
}
