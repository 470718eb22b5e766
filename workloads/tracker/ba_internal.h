/*
 * What ba.c and ba_reduced.c share: the reduced camera system S d = -g, S = B - W W', as tiles.
 * Its unknowns are 6 a frame from frame 1 on; row `n` holds the right-hand side, so that factorising S also solves L y
 * = g.
 */
#ifndef SB_BA_INTERNAL_H
#define SB_BA_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A panel is SB_BA_PANEL consecutive rows, element (row, k) at k * SB_BA_PANEL + row: what the inner loop reads is
 * contiguous. 24 = 4 frames: a multiple of 6 (a frame) and of 8 (a vector of double).
 */
#define SB_BA_PANEL 24

/* Points whose rows of W are used or skipped together: 96 columns of two panels fill 36 KiB, less than most L1 caches.
 */
#define SB_BA_GROUP 32

struct sb_ba_reduced {
	int64_t n, panels;       /* unknowns; panels that hold n + 1 rows */
	int64_t columns, groups; /* of W: 3 a point; groups of SB_BA_GROUP points */
	double *w;               /* [panels, columns, SB_BA_PANEL] */
	uint8_t *used;           /* [panels, groups] 0: all zero there */
	double *s; /* [panels, panels * SB_BA_PANEL, SB_BA_PANEL] lower triangle: row-panel, column, row */
};

/* Element (row, col), row >= col, of S. */
static inline double *sb_ba_element(const struct sb_ba_reduced *r, int64_t row, int64_t col)
{
	return r->s + (row / SB_BA_PANEL * r->panels * SB_BA_PANEL + col) * SB_BA_PANEL + row % SB_BA_PANEL;
}

/* s -= w w', lower triangle. */
void sb_ba_subtract_ww(struct sb_ba_reduced *r);
/* s -> its Cholesky factor, row n -> y. False when S is not positive definite (or not finite). */
bool sb_ba_factorise(struct sb_ba_reduced *r);
/* d[n] = -L'^-1 y. */
void sb_ba_back_substitute(const struct sb_ba_reduced *r, double *d);

#endif
