/*
 * The reduced camera system: a symmetric rank update and a Cholesky factorisation, both made of one small product. Own
 * loops instead of BLAS: whole blocks of W are zero and are skipped, and every element is summed in one order, whatever
 * the number of threads.
 */
#include "ba_internal.h"

#include <math.h>

#include "cpu_loop.h"
#include "cpu_math.h"

#define P SB_BA_PANEL

/*
 * Rows of a tile at a time. 6 x 24 sums: 18 of AVX-512's 32 registers, so that a value of `a` meets three vectors of
 * `b`; 57 G multiply-adds a second on one core against 47 with 12 x 8. AVX2 keeps some of them in memory: 23 against 29
 * with 6 x 8.
 */
#define ROWS 6

#define MIN_PARALLEL 2000000 /* multiply-adds, some 40 us: with fewer the other threads come too late */

/* t -= a b' over k columns of two panels: t[i][j] -= sum over c of a[c][i] b[c][j]. */
SB_HOT static void tile_subtract(double *restrict t, const double *restrict a, const double *restrict b, int64_t k)
{
	for (int i = 0; i < P; i += ROWS) {
		double sum[ROWS][P] = { { 0.0 } };

		for (int64_t c = 0; c < k; c++) {
			SB_UNROLL
			for (int r = 0; r < ROWS; r++) {
#pragma omp simd
				for (int j = 0; j < P; j++)
					sum[r][j] += a[c * P + i + r] * b[c * P + j];
			}
		}
		for (int r = 0; r < ROWS; r++)
			for (int j = 0; j < P; j++)
				t[(i + r) * P + j] -= sum[r][j];
	}
}

/* Tile i of the lower triangle, row by row. */
static void tile_task(struct sb_ba_reduced *r, int64_t i)
{
	int64_t row = 0, col = i;

	for (; col > row; row++)
		col -= row + 1;
	for (int64_t g = 0; g < r->groups; g++) {
		int64_t first = g * SB_BA_GROUP * 3, k = sb_min64(r->columns - first, SB_BA_GROUP * 3);

		if (r->used[row * r->groups + g] && r->used[col * r->groups + g])
			tile_subtract(sb_ba_element(r, row * P, col * P), r->w + (col * r->columns + first) * P,
			        r->w + (row * r->columns + first) * P, k);
	}
}

void sb_ba_subtract_ww(struct sb_ba_reduced *r)
{
	int64_t tiles = r->panels * (r->panels + 1) / 2;

	SB_PARALLEL_FOR(dynamic, tiles * r->columns * P * P >= MIN_PARALLEL, i, tiles, tile_task(r, i));
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
		for (int64_t d = 0; d < c; d++) {
#pragma omp simd
			for (int r = 0; r < P; r++)
				t[c * P + r] -= l[d * P + c] * t[d * P + r];
		}
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
			tile_subtract(
			        sb_ba_element(r, row * P, col * P), r->s + col * stride, r->s + row * stride, col * P);
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
