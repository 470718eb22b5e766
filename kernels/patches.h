/*
 * patches: what the tracker samples around every point: 7 x 7 patches, their correlation with the query's patch, and
 * the nearest neighbours in space. Plain C; patches_cpu.c, double reference patches_ref.c.
 *
 * Everywhere: bilinear sampling of map [frames, h, w, c] at array coordinates, the coordinates clamped to the border
 * before fractions are taken; the 49 offsets are k = 7 a + b with x offset a - 3 (slow) and y offset b - 3 (fast), unit
 * steps at each level; a position is uv * scale + offset, x first.
 *
 * uv * scale is rounded to float32 once; offsets are added to it exactly, so that all 49 share its fraction. Beyond the
 * border the value is the border's pixel exactly: two positions there are a tie, bit for bit. A coordinate that is NaN
 * counts as far below 0, an infinite one as far outside.
 * Source: ARCHITECTURE sections 4.4 and 4.5.
 */
#ifndef SB_PATCHES_H
#define SB_PATCHES_H

#include <stddef.h>
#include <stdint.h>

#define SB_PATCH_SIDE 7
#define SB_PATCH      49
#define SB_NEIGHBOURS 16

#define SB_CORR_MAX_TILE 128 /* rows of 2401 floats: 1.2 MiB */

/*
 * out[i, k, :] = map[frame[i]] at xy[i] * scale + offset k.
 * Shapes:  xy [n, 2], frame [n] in 0 .. frames - 1, out [n, 49, c]. n may be 0. Three channels (points) are
 * interpolated in double and rounded once, because the sines of their differences magnify an error by 2000.
 */
struct sb_patch_sample_args {
	const float *map, *xy;
	const int32_t *frame;
	float *out;
	int64_t n, frames, h, w, c;
	float scale;
};
void sb_patch_sample_cpu(const struct sb_patch_sample_args *a);
void sb_patch_sample_ref(const struct sb_patch_sample_args *a);

/*
 * Correlation and the first layer on it, tiled so that neither patches nor the volume are ever stored whole:
 *   v[n, t, 49 i + j] = < map[t] at uv[n, t] * scale + offset i , query[n, j] >          (2401, no scaling)
 *   y[n*frames + t, :] = GELU_erf(v W^T + bias)
 * Shapes:  map [frames, h, width, c], uv [n, frames, 2], query [n, 49, c], w [out, 2401] with row stride ldw, bias
 *          [out] or NULL, y [n frames, out] with row stride ldy; what y held before is never read. n may be 0.
 * tf32:    operands of both products rounded (map samples, query, v); w comes rounded.
 * Workspace: for each OpenMP thread one tile of the volume, at most SB_CORR_MAX_TILE rows, and a few patches. Ask and
 *          call under the same omp_get_max_threads(), which does not change the result.
 * Work:    2 n frames 49 49 c + 2 n frames 2401 out FLOP.
 */
struct sb_corr_args {
	const float *map, *uv, *query, *w, *bias;
	float *y;
	int64_t n, frames, h, width, c, out;
	int64_t ldw, ldy;
	float scale;
	int tf32;
};
size_t sb_corr_cpu_workspace(const struct sb_corr_args *a);
void sb_corr_cpu(const struct sb_corr_args *a, void *workspace);
void sb_corr_ref(const struct sb_corr_args *a);
/* The volume alone, [n frames, 2401]: for tests against the reference's tensors. */
void sb_corr_volume_ref(const struct sb_corr_args *a, float *volume);

/*
 * The 16 neighbours: of the 49 points of a patch, sorted by the Euclidean length of d (ties: the lower index first),
 * the first is dropped and the next 16 are kept.
 *   track side (points NULL), row r = n*frames + t:  d[k] = pmap[t] at position k - centre[r],
 *                                                    f[k] = map[t] at position k
 *   query side, row r = n, frames is 1:              d[k] = points[n, k] - points[n, 24],  f[k] = patches[n, k]
 * Shapes:  map [frames, h, w, c], pmap [frames, h, w, 3], uv [n, frames, 2], centre [n frames, 3];
 *          points [n, 49, 3], patches [n, 49, c];
 *          out_d [rows, 16, 3]; out_f [rows, 16, :] = c floats with row stride ldf (>= c) from one neighbour to the
 *          next, and what lies between c and ldf is not touched. n may be 0.
 * Lengths are compared as squares, in double, of the d that is written (points are sampled in double and d is rounded
 * once). A length that is NaN sorts behind all others.
 */
struct sb_neighbours_args {
	const float *map, *pmap, *uv, *centre;
	const float *patches, *points;
	float *out_d, *out_f;
	int64_t n, frames, h, w, c, ldf;
	float scale;
};
void sb_neighbours_cpu(const struct sb_neighbours_args *a);
void sb_neighbours_ref(const struct sb_neighbours_args *a);

#endif
