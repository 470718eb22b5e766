/*
 * The reduced camera system: a symmetric rank update and a Cholesky factorisation, both made of one small product. Own
 * loops instead of BLAS: whole blocks of W are zero and are skipped, and every element is summed in one order, whatever the
 * number of threads.
 */
#include "ba_internal.h"

#include <math.h>

#include "cpu_math.h"

#define P SB_BA_PANEL

/* 6 x 8 sums: 12 of AVX2's 16 registers, 6 of AVX-512's 32 (2 in flight for each of its adders are 3/4 of its rate). */
#define TILE_R 6
#define TILE_C 8

/* t[P][P] -= a b' over k columns of two panels: t[i][j] -= sum over k of a[k][i] b[k][j]. */
SB_HOT static void tile_subtract(double *restrict t, const double *restrict a, const double *restrict b, int64_t k)
{
	for (int i = 0; i < P; i += TILE_R)
		for (int j = 0; j < P; j += TILE_C) {
			double acc[TILE_R][TILE_C] = { { 0.0 } };

			for (int64_t c = 0; c < k; c++)
				SB_UNROLL
				for (int r = 0; r < TILE_R; r++)
#pragma omp simd
					for (int l = 0; l < TILE_C; l++)
						acc[r][l] += a[c * P + i + r] * b[c * P + j + l];
			for (int r = 0; r < TILE_R; r++)
				for (int l = 0; l < TILE_C; l++)
					t[(i + r) * P + j + l] -= acc[r][l];
		}
}

static void tile_subtract_w(struct sb_ba_reduced *r, int64_t row, int64_t col)
{
	const double *a = r->w + col * r->columns * P, *b = r->w + row * r->columns * P;
	double *t = sb_ba_element(r, row * P, col * P);

	for (int64_t g = 0; g < r->groups; g++) {
		int64_t first = g * SB_BA_GROUP * 3, k = r->columns - first;

		if (!r->used[row * r->groups + g] || !r->used[col * r->groups + g])
			continue;
		tile_subtract(t, a + first * P, b + first * P, k < SB_BA_GROUP * 3 ? k : SB_BA_GROUP * 3);
	}
}

void sb_ba_subtract_ww(struct sb_ba_reduced *r)
{
	int64_t tiles = r->panels * (r->panels + 1) / 2;

#pragma omp parallel for schedule(dynamic)
	for (int64_t i = 0; i < tiles; i++) {
		int64_t row = 0, left = i;

		for (; left > row; row++)
			left -= row + 1;
		tile_subtract_w(r, row, left);
	}
}

/* The first `n` columns of a tile on the diagonal, t[column][row], in place. */
static bool factorise_tile(double *t, int64_t n)
{
	for (int64_t c = 0; c < n; c++) {
		double pivot = t[c * P + c];

		if (!(pivot > 0.0) || !isfinite(pivot))
			return false;
		pivot = sqrt(pivot);
		for (int64_t r = c; r < P; r++)
			t[c * P + r] /= pivot;
		for (int64_t d = c + 1; d < P; d++)
			for (int64_t r = d; r < P; r++)
				t[d * P + r] -= t[c * P + d] * t[c * P + r];
	}
	return true;
}

/* t = t L'^-1 for a tile below the factorised diagonal tile l; the first n columns. */
SB_HOT static void solve_tile(double *restrict t, const double *restrict l, int64_t n)
{
	for (int64_t c = 0; c < n; c++) {
		for (int64_t d = 0; d < c; d++)
#pragma omp simd
			for (int r = 0; r < P; r++)
				t[c * P + r] -= l[d * P + c] * t[d * P + r];
#pragma omp simd
		for (int r = 0; r < P; r++)
			t[c * P + r] /= l[c * P + c];
	}
}

bool sb_ba_factorise(struct sb_ba_reduced *r)
{
	int64_t stride = r->panels * P * P; /* of a panel of s */

	for (int64_t col = 0; col * P < r->n; col++) {
		int64_t n = r->n - col * P < P ? r->n - col * P : P;
		double *diagonal = sb_ba_element(r, col * P, col * P);

		for (int64_t row = col; row < r->panels; row++)
			tile_subtract(sb_ba_element(r, row * P, col * P), r->s + col * stride, r->s + row * stride, col * P);
		if (!factorise_tile(diagonal, n))
			return false;
		for (int64_t row = col + 1; row < r->panels; row++)
			solve_tile(sb_ba_element(r, row * P, col * P), diagonal, n);
	}
	return true;
}

void sb_ba_back_substitute(const struct sb_ba_reduced *r, double *d)
{
	for (int64_t c = r->n - 1; c >= 0; c--) {
		double sum = *sb_ba_element(r, r->n, c);

		for (int64_t row = c + 1; row < r->n; row++)
			sum += *sb_ba_element(r, row, c) * d[row];
		d[c] = -sum / *sb_ba_element(r, c, c);
	}
}
