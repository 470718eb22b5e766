#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "kernel_check.h"
#include "procrustes.h"
#include "sb_base.h"

/* ---- planted pairs -------------------------------------------------------------------------------------------- */

/* One pair of sets: x, y [n, 3], w [n], and the motion between them. */
struct pair {
	int64_t n;
	float *x, *y, *w;
	double r[3][3], t[3];
};

static void random_rotation(uint64_t *seed, double r[3][3])
{
	double q[4], norm = 0.0;

	for (int i = 0; i < 4; i++) {
		q[i] = sb_random_unit(seed) - 0.5;
		norm += q[i] * q[i];
	}
	for (int i = 0; i < 4; i++)
		q[i] /= sqrt(norm);
	for (int i = 0; i < 3; i++) {
		int j = (i + 1) % 3, k = (i + 2) % 3;

		r[i][i] = 1.0 - 2.0 * (q[j] * q[j] + q[k] * q[k]);
		r[i][j] = 2.0 * (q[i] * q[j] - q[3] * q[k]);
		r[j][i] = 2.0 * (q[i] * q[j] + q[3] * q[k]);
	}
}

/* Points of this spread about `centre` along the three axes; part `zero` of the weights 0 with y far off there. */
static struct pair pair_new(int64_t n, const double spread[3], double centre, double zero, uint64_t seed)
{
	struct pair p = { .n = n, .x = kc_gauss(3 * n, seed, 0.0, 1.0), .y = kc_poisoned(3 * n), .w = kc_poisoned(n) };

	random_rotation(&seed, p.r);
	for (int c = 0; c < 3; c++)
		p.t[c] = 4.0 * sb_random_unit(&seed) - 2.0;
	for (int64_t i = 0; i < n; i++) {
		float *x = p.x + 3 * i, *y = p.y + 3 * i;

		p.w[i] = (float)(sb_random_unit(&seed) < zero ? 0.0 : 0.05 + sb_random_unit(&seed));
		for (int c = 0; c < 3; c++)
			x[c] = (float)(centre + spread[c] * x[c]);
		for (int c = 0; c < 3; c++)
			y[c] = (float)(p.r[c][0] * x[0] + p.r[c][1] * x[1] + p.r[c][2] * x[2] + p.t[c] +
			               (p.w[i] > 0.0f ? 0.0 : 100.0 * sb_random_unit(&seed)));
	}
	return p;
}

static void pair_free(struct pair *p)
{
	free(p->x);
	free(p->y);
	free(p->w);
}

static struct sb_procrustes_args args_of(const struct pair *p, float *motion)
{
	return (struct sb_procrustes_args){ .x = p->x,
		.y = p->y,
		.w = p->w,
		.batch = 1,
		.points = p->n,
		.x_point = 3,
		.y_point = 3,
		.w_point = 1,
		.motion = motion };
}

/* sum w |R x + t - y|^2 / sum w */
static double residual2(const struct pair *p, const float *m)
{
	double sum = 0.0, weight = 0.0;

	for (int64_t i = 0; i < p->n; i++) {
		weight += p->w[i];
		for (int r = 0; r < 3; r++) {
			double d = m[r * 4 + 3] - (double)p->y[3 * i + r];

			for (int c = 0; c < 3; c++)
				d += (double)m[r * 4 + c] * p->x[3 * i + c];
			sum += p->w[i] * d * d;
		}
	}
	return sum / weight;
}

static double determinant(const float *m)
{
	return (double)m[0] * ((double)m[5] * m[10] - (double)m[6] * m[9]) -
	       (double)m[1] * ((double)m[4] * m[10] - (double)m[6] * m[8]) +
	       (double)m[2] * ((double)m[4] * m[9] - (double)m[5] * m[8]);
}

/* A rotation (orthogonal, determinant +1), a finite translation, and the last row. */
static void assert_motion(const float *m)
{
	for (int i = 0; i < 16; i++)
		assert_true(isfinite(m[i]));
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++) {
			double d = (double)m[i * 4] * m[j * 4] + (double)m[i * 4 + 1] * m[j * 4 + 1] +
			           (double)m[i * 4 + 2] * m[j * 4 + 2];

			assert_true(fabs(d - (i == j)) < 1e-6);
		}
	assert_true(fabs(determinant(m) - 1.0) < 1e-6);
	assert_true(m[12] == 0.0f && m[13] == 0.0f && m[14] == 0.0f && m[15] == 1.0f);
}

static double angle_of(const float *m)
{
	double c = 0.5 * ((double)m[0] + m[5] + m[10] - 1.0);

	return acos(fmax(-1.0, fmin(1.0, c)));
}

static void assert_near(const float *a, const float *b, int n, double tolerance)
{
	for (int i = 0; i < n; i++)
		assert_true(fabs((double)a[i] - b[i]) <= tolerance);
}

/* ---- what it must find ---------------------------------------------------------------------------------------- */

static void planted_motions_are_recovered_with_a_third_of_the_weights_zero(void **state)
{
	static const double spread[][3] = { { 1, 1, 1 }, { 2, 1, 0.3 }, { 1, 1, 0.01 }, { 1, 0.05, 0.05 } };
	static const int64_t sizes[] = { 5, 40, 1780 };

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		for (size_t k = 0; k < SB_ARRAY_LEN(spread); k++)
			for (size_t s = 0; s < SB_ARRAY_LEN(sizes); s++) {
				struct pair p = pair_new(sizes[s], spread[k], 1.0, sizes[s] > 5 ? 0.3 : 0.0, seed);
				float m[16], inverse[16];
				struct sb_procrustes_args a = args_of(&p, m);
				double tolerance = 1e-5;

				sb_procrustes_cpu(&a);
				a.inverse = 1;
				a.motion = inverse;
				sb_procrustes_cpu(&a);
				assert_motion(m);
				assert_motion(inverse);
				/* A needle fixes the turn about itself no better than rounding / thickness. */
				if (spread[k][1] < 0.1)
					tolerance = 2e-5;
				for (int r = 0; r < 3; r++) {
					assert_true(fabs(m[r * 4 + 3] - p.t[r]) <= tolerance);
					for (int c = 0; c < 3; c++) {
						double product = 0.0;

						assert_true(fabs(m[r * 4 + c] - p.r[r][c]) <= tolerance);
						for (int i = 0; i < 4; i++)
							product += (double)inverse[r * 4 + i] * m[i * 4 + c];
						assert_true(fabs(product - (r == c)) < 1e-6);
					}
				}
				pair_free(&p);
			}
}

static void noisy_sets_agree_with_the_reference(void **state)
{
	static const double spread[3] = { 1.5, 1.0, 0.5 };

	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct pair p = pair_new(3 + (int64_t)seed * 7, spread, 3.0, 0.2, seed);
		float *noise = kc_gauss(3 * p.n, seed + 1000, 0.0, 0.3), got[2][16], want[2][16];

		for (int64_t i = 0; i < 3 * p.n; i++)
			p.y[i] += noise[i];
		for (int inverse = 0; inverse < 2; inverse++) {
			struct sb_procrustes_args a = args_of(&p, got[inverse]);

			a.inverse = inverse;
			sb_procrustes_cpu(&a);
			a.motion = want[inverse];
			sb_procrustes_ref(&a);
			assert_near(got[inverse], want[inverse], 16, 2e-6);
		}
		free(noise);
		pair_free(&p);
	}
}

static void mirrored_sets_get_the_best_proper_rotation(void **state)
{
	static const double spread[3] = { 2.0, 1.0, 0.4 };

	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct pair p = pair_new(50, spread, 0.0, 0.3, seed);
		float got[16], want[16];
		struct sb_procrustes_args a = args_of(&p, got);

		for (int64_t i = 0; i < p.n; i++)
			p.y[3 * i] = -p.y[3 * i];
		sb_procrustes_cpu(&a);
		assert_motion(got);
		a.motion = want;
		sb_procrustes_ref(&a);
		assert_near(got, want, 16, 1e-5);
		assert_true(residual2(&p, got) > 0.01); /* what a mirror image would bring to 0 */
		pair_free(&p);
	}
}

static void plane_fixes_the_motion(void **state)
{
	static const double spread[3] = { 1.0, 1.0, 0.0 };

	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct pair p = pair_new(30, spread, 0.5, 0.3, seed);
		float m[16];
		struct sb_procrustes_args a = args_of(&p, m);

		sb_procrustes_cpu(&a);
		assert_motion(m);
		for (int r = 0; r < 3; r++)
			for (int c = 0; c < 3; c++)
				assert_true(fabs(m[r * 4 + c] - p.r[r][c]) <= 1e-5);
		pair_free(&p);
	}
}

static void line_gets_the_smallest_rotation(void **state)
{
	static const double spread[3] = { 1.0, 0.0, 0.0 };

	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct pair p = pair_new(30, spread, seed % 2 ? 0.0 : 5.0, 0.0, seed);
		float m[16];
		struct sb_procrustes_args a = args_of(&p, m);

		sb_procrustes_cpu(&a);
		assert_motion(m);
		assert_true(residual2(&p, m) < 1e-11);
		/* From the x axis to the first column of R: that angle and no more. */
		assert_true(fabs(angle_of(m) - acos(p.r[0][0])) < 1e-4);
		pair_free(&p);
	}
}

/* Rounding decides which of its points lie beside a line, and where the copies of one point lie: at any scale. */
static void spread_below_rounding_is_no_spread(void **state)
{
	static const double line[3] = { 1.0, 0.0, 0.0 };

	(void)state;
	for (int e = -40; e <= 40; e += 8)
		for (uint64_t seed = 1; seed <= 10; seed++) {
			struct pair p = pair_new(30, line, 3.0, 0.0, seed);
			float m[16];
			struct sb_procrustes_args a = args_of(&p, m);

			for (int64_t i = 0; i < 3 * p.n; i++) {
				p.x[i] = ldexpf(p.x[i], e);
				p.y[i] = ldexpf(p.y[i], e);
			}
			sb_procrustes_cpu(&a);
			assert_true(fabs(angle_of(m) - acos(p.r[0][0])) < 1e-4);
			for (int64_t i = 0; i < 3 * p.n; i++) {
				p.x[i] = ldexpf(i % 3 ? 5.0f : 3.0f, e);
				p.y[i] = nextafterf(p.x[i], i % 2 ? INFINITY : 0.0f);
				if (i / 3 % 4 < 2)
					p.x[i] = nextafterf(p.x[i], i % 2 ? 0.0f : INFINITY);
			}
			sb_procrustes_cpu(&a);
			assert_true(angle_of(m) == 0.0);
			pair_free(&p);
		}
}

static void lines_in_opposite_directions_get_half_a_turn(void **state)
{
	float x[] = { -1, 0, 0, 0, 0, 0, 2, 0, 0 }, y[] = { 1, 0, 0, 0, 0, 0, -2, 0, 0 }, w[] = { 1, 1, 1 }, m[16];
	struct pair p = { 3, x, y, w, { { 0 } }, { 0 } };
	struct sb_procrustes_args a = args_of(&p, m);

	(void)state;
	sb_procrustes_cpu(&a);
	assert_motion(m);
	assert_true(fabs(angle_of(m) - acos(-1.0)) < 1e-3);
	assert_true(residual2(&p, m) < 1e-12);
}

static void points_that_coincide_only_move(void **state)
{
	float x[12], y[12], w[] = { 1, 2, 0.5f, 1 }, m[16];
	static const float want[16] = { 1, 0, 0, 2, 0, 1, 0, -1.5f, 0, 0, 1, 0.25f, 0, 0, 0, 1 };
	struct pair p = { 4, x, y, w, { { 0 } }, { 0 } };
	struct sb_procrustes_args a = args_of(&p, m);

	(void)state;
	for (int i = 0; i < 4; i++)
		for (int c = 0; c < 3; c++) {
			x[3 * i + c] = (float)(c + 1) * 0.1f;
			y[3 * i + c] = x[3 * i + c] + want[c * 4 + 3];
		}
	sb_procrustes_cpu(&a);
	assert_near(m, want, 16, 1e-6);
	a.points = 1;
	sb_procrustes_cpu(&a);
	assert_near(m, want, 16, 1e-6);
}

static void no_weight_at_all_gives_the_identity(void **state)
{
	static const double spread[3] = { 1, 1, 1 };
	static const float want[16] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 };
	struct pair p = pair_new(9, spread, 1.0, 1.1, 3);
	float m[16];
	struct sb_procrustes_args a = args_of(&p, m);

	(void)state;
	for (int inverse = 0; inverse < 2; inverse++) {
		a.inverse = inverse;
		a.points = 9;
		sb_procrustes_cpu(&a);
		assert_near(m, want, 16, 0.0);
		a.points = 0;
		sb_procrustes_cpu(&a);
		assert_near(m, want, 16, 0.0);
	}
	for (int i = 0; i < 9; i++)
		p.w[i] = i % 2 ? NAN : -1.0f;
	a.points = 9;
	sb_procrustes_cpu(&a);
	assert_near(m, want, 16, 0.0);
	pair_free(&p);
}

static void points_that_are_not_finite_do_not_count(void **state)
{
	static const double spread[3] = { 1, 1, 1 };
	struct pair p = pair_new(60, spread, 1.0, 0.2, 4);
	float got[16], want[16];
	struct sb_procrustes_args a = args_of(&p, want);

	(void)state;
	for (int i = 0; i < 60; i += 10)
		p.w[i] = 0.0f;
	sb_procrustes_cpu(&a);
	for (int i = 0; i < 60; i += 10)
		p.w[i] = 1.0f;
	p.x[0] = NAN;
	p.y[31] = INFINITY;
	p.w[20] = INFINITY;
	p.w[30] = NAN;
	p.x[122] = -INFINITY;
	p.y[152] = NAN;
	p.w[10] = -3.0f;
	a.motion = got;
	sb_procrustes_cpu(&a);
	assert_near(got, want, 16, 0.0);
	sb_procrustes_ref(&a);
	assert_near(got, want, 16, 2e-6);
	pair_free(&p);
}

static void sizes_of_the_scene_and_of_the_weights_do_not_matter(void **state)
{
	static const double spread[3] = { 1.0, 0.7, 0.3 };

	(void)state;
	for (int e = -30; e <= 30; e += 10) {
		struct pair p = pair_new(50, spread, 1.0, 0.3, 5);
		float m[16];
		struct sb_procrustes_args a = args_of(&p, m);

		for (int64_t i = 0; i < 3 * p.n; i++) {
			p.x[i] = ldexpf(p.x[i], e);
			p.y[i] = ldexpf(p.y[i], e);
			p.w[i / 3] = ldexpf(p.w[i / 3], i % 3 ? 0 : -2 * e);
		}
		sb_procrustes_cpu(&a);
		assert_motion(m);
		for (int r = 0; r < 3; r++) {
			assert_true(fabs(ldexp(m[r * 4 + 3], -e) - p.t[r]) <= 1e-5);
			for (int c = 0; c < 3; c++)
				assert_true(fabs(m[r * 4 + c] - p.r[r][c]) <= 1e-5);
		}
		pair_free(&p);
	}
}

/* ---- batches, layouts, threads -------------------------------------------------------------------------------- */

/* The tracker's layout: world points [n, frames, 3], all frames against one of them, weights [n]. */
static void batch_in_the_layout_of_tracks_is_each_pair_alone(void **state)
{
	enum { N = 700, T = 12, KEY = 3 };
	float *world = kc_gauss((int64_t)N * T * 3, 6, 1.0, 1.0), *w = kc_gauss(N, 7, 0.5, 0.3), *first = NULL;

	(void)state;
	for (int threads = 1; threads <= 4; threads++) {
		float *motion = kc_poisoned((int64_t)T * 16);
		struct sb_procrustes_args a = { .x = world + (int64_t)KEY * 3,
			.y = world,
			.w = w,
			.batch = T,
			.points = N,
			.x_point = (int64_t)T * 3,
			.y_batch = 3,
			.y_point = (int64_t)T * 3,
			.w_point = 1,
			.motion = motion };

		omp_set_num_threads(threads);
		sb_procrustes_cpu(&a);
		if (!first) {
			first = motion;
			for (int64_t t = 0; t < T; t++) {
				float alone[16];
				struct sb_procrustes_args one = a;

				one.y += 3 * t;
				one.batch = 1;
				one.motion = alone;
				sb_procrustes_cpu(&one);
				assert_true(kc_same_bits(alone, first + t * 16, 16));
			}
			assert_true(angle_of(first + (int64_t)KEY * 16) < 1e-3);
			continue;
		}
		assert_true(kc_same_bits(motion, first, (int64_t)T * 16));
		free(motion);
	}
	free(first);
	free(world);
	free(w);
}

static void batches_with_points_and_weights_of_their_own(void **state)
{
	static const double spread[3] = { 1, 1, 1 };
	enum { N = 20, B = 3 };
	float x[B * N * 3], y[B * N * 3], w[B * N * 2], m[B * 16];
	struct pair p[B];
	struct sb_procrustes_args a = { .x = x,
		.y = y,
		.w = w,
		.batch = B,
		.points = N,
		.x_batch = N * 3,
		.x_point = 3,
		.y_batch = N * 3,
		.y_point = 3,
		.w_batch = N * 2,
		.w_point = 2,
		.motion = m };

	(void)state;
	for (int b = 0; b < B; b++) {
		p[b] = pair_new(N, spread, 0.5, 0.3, (uint64_t)b + 8);
		memcpy(x + (size_t)b * N * 3, p[b].x, sizeof(float) * N * 3);
		memcpy(y + (size_t)b * N * 3, p[b].y, sizeof(float) * N * 3);
		for (int i = 0; i < N; i++) {
			w[(b * N + i) * 2] = p[b].w[i];
			w[(b * N + i) * 2 + 1] = 1e6f; /* between the weights: never read */
		}
	}
	sb_procrustes_cpu(&a);
	for (int b = 0; b < B; b++) {
		for (int r = 0; r < 3; r++)
			assert_true(fabs(m[b * 16 + r * 4 + 3] - p[b].t[r]) < 1e-5);
		pair_free(&p[b]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(planted_motions_are_recovered_with_a_third_of_the_weights_zero),
		cmocka_unit_test(noisy_sets_agree_with_the_reference),
		cmocka_unit_test(mirrored_sets_get_the_best_proper_rotation),
		cmocka_unit_test(plane_fixes_the_motion),
		cmocka_unit_test(line_gets_the_smallest_rotation),
		cmocka_unit_test(spread_below_rounding_is_no_spread),
		cmocka_unit_test(lines_in_opposite_directions_get_half_a_turn),
		cmocka_unit_test(points_that_coincide_only_move),
		cmocka_unit_test(no_weight_at_all_gives_the_identity),
		cmocka_unit_test(points_that_are_not_finite_do_not_count),
		cmocka_unit_test(sizes_of_the_scene_and_of_the_weights_do_not_matter),
		cmocka_unit_test(batch_in_the_layout_of_tracks_is_each_pair_alone),
		cmocka_unit_test(batches_with_points_and_weights_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
