/*
 * queries: the points a tracker is asked to follow, and the support points it adds for the cameras. Host code, seeded
 * by us: the reference draws from its framework's global generator, which no port can reproduce. Uses base. A query is
 * (t, x, y): frame and position in pixels, x to the right, y down, the centre of the first pixel is 0. Source:
 * ARCHITECTURE sections 2.4, 2.5.
 */
#ifndef SB_QUERIES_H
#define SB_QUERIES_H

#include "sb_base.h"

/*
 * A grid of side x side points over w x h pixels on frame 0: margin m = floor(w / 64), x_j = m + j/(side-1) (w - 2m), y
 * likewise with the same margin, rows first; side 1 is the centre. out [side * side, 3].
 */
void sb_query_grid(int64_t side, int64_t h, int64_t w, float *out);

/* What a file of queries may have; --grid ends at as many points. */
#define SB_QUERIES_MAX       1000000
#define SB_QUERIES_BYTES_MAX (64 << 20)

/*
 * A file of lines "t,x,y" (decimal numbers, blanks allowed; empty lines, lines that begin with # and the mark of UTF-8
 * at the beginning are passed over). *out [*n, 3] is allocated, in the file's order; the caller frees it. Errors:
 * SB_E_USAGE: no such file, or something else of that name; SB_E_DATA: larger than that; naming the line: not three
 * decimal numbers, t not a frame of 0 .. frames-1, a position outside 0 .. w-1 or 0 .. h-1; no query at all;
 * SB_E_NOMEM.
 */
enum sb_status sb_queries_read(
        const char *path, int64_t frames, int64_t h, int64_t w, float **out, int64_t *n, struct sb_error *err);

/* Stable order by frame: order[i] is the index of the query that comes i-th. order [n]. Errors: SB_E_NOMEM. */
enum sb_status sb_queries_order(const float *q, int64_t n, int32_t *order, struct sb_error *err);

/* Where a point may be: 1 = its depth can be used. [frames, h, w], 0 or 1, host memory. */
struct sb_valid_map {
	const float *valid;
	int64_t frames, h, w;
};
/* Trilinear, borders clamped. */
float sb_valid_at(const struct sb_valid_map *m, float t, float x, float y);

/*
 * Queries where `valid` is 0.5 or less are dropped and random copies of the others appended at the end, so that n
 * stays. source[i]: which of the given queries stands at i now. With none valid, all are kept (the reference crashes).
 * Returns how many were replaced, or -1 with none valid. q [n, 3] in place, source [n], scratch [n, 3].
 */
int64_t sb_queries_replace(
        const struct sb_valid_map *m, float *q, int64_t n, uint64_t *random, int32_t *source, float *scratch);

#define SB_SUPPORT_GRID       100 /* side of the support points' grid */
#define SB_SUPPORT_CANDIDATES (3 * SB_SUPPORT_GRID * SB_SUPPORT_GRID)

/* Nearly half a megabyte: the caller's, because support points are drawn where nothing may be allocated. */
struct sb_support_scratch {
	float all[SB_SUPPORT_CANDIDATES][3];
	int pick[SB_SUPPORT_CANDIDATES];
};

/*
 * n support points: a 100 x 100 grid of rounded positions (half to even), candidates = all of them on the last frame,
 * and twice the same list with a random frame for each; those with valid > 0.5 (unless fewer than 20 are), in random
 * order, the first n. With fewer than n candidates they are taken round and round. out [n, 3].
 */
void sb_support_points(
        const struct sb_valid_map *m, int64_t n, uint64_t *random, struct sb_support_scratch *scratch, float *out);

#endif
