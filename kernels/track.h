/*
 * track: the small operations of the tracker's state: positional codes, motion, geometry, updates, depth look-up.
 * Layout everywhere: track-major, element (n, t) at n*frames + t. Plain C; track_cpu.c, posenc_cpu.c, maps_cpu.c (norms
 * and resizes of maps), depth_cpu.c; double references in track_ref.c, maps_ref.c, depth_ref.c. Counts of rows may be
 * 0. What decides (a mask, a quantile, an index) is float32 by definition where it says so, one rounding an operation;
 * values that positional codes magnify (points, motion, tokens) are computed in double and rounded once.
 * Source: ARCHITECTURE sections 2.3, 4.2, 4.6, 4.8, 4.11.
 */
#ifndef SB_TRACK_H
#define SB_TRACK_H

#include <stddef.h>
#include <stdint.h>

/*
 * y = [x | sin(2^0 x) .. sin(2^(K-1) x) | sin(2^0 x + pi/2) .. sin(2^(K-1) x + pi/2)], each block d wide; the shifted
 * ones are sin(v + pi/2) in FP32 (v rounded, then the sum rounded), not cos(v).
 * Shapes:  x [rows, d] row stride ldx, y [rows, d (1 + 2 K)] row stride ldy; degrees = K <= 24. Sines within 1 ulp of
 *          exact over all floats; infinite and NaN give NaN.
 */
struct sb_posenc_args {
	const float *x;
	float *y;
	int64_t rows, d, degrees, ldx, ldy;
};
void sb_posenc_cpu(const struct sb_posenc_args *a);
void sb_posenc_ref(const struct sb_posenc_args *a);

/*
 * y[n, t] = [ (v[t] - v[t+1]) * inv_scale (0 at the last t) | (v[t] - v[t-1]) * inv_scale (0 at t = 0) ].
 * v [n, frames, d], y [n, frames, 2 d], inv_scale[d], d <= 3.
 */
struct sb_motion_args {
	const float *v;
	float *y;
	int64_t n, frames, d;
	float inv_scale[3];
};
void sb_motion_cpu(const struct sb_motion_args *a);
void sb_motion_ref(const struct sb_motion_args *a);

/* y[r, :] = mean of the `group` rows x[r*group ..], added in order; x [rows group, c] dense, y [rows, c] row stride
 * ldy. */
struct sb_group_mean_args {
	const float *x;
	float *y;
	int64_t rows, group, c, ldy;
};
void sb_group_mean_cpu(const struct sb_group_mean_args *a);
void sb_group_mean_ref(const struct sb_group_mean_args *a);

/* y[n, k, :] = x[n, :], k < times; x [n, len], y [n, times, len]. */
struct sb_repeat_args {
	const float *x;
	float *y;
	int64_t n, times, len;
};
void sb_repeat_cpu(const struct sb_repeat_args *a);
void sb_repeat_ref(const struct sb_repeat_args *a);

/* y[r, c] = a[r, c] + b[b_rows ? r % b_rows : r, c]; row strides lda, ldb, ldy; y may be a. */
struct sb_add_args {
	const float *a, *b;
	float *y;
	int64_t rows, cols, lda, ldb, ldy, b_rows;
};
void sb_add_cpu(const struct sb_add_args *a);
void sb_add_ref(const struct sb_add_args *a);

/*
 * x[r, :] *= 1[ lo[2] + (X[r, 2] + 1) / 2 (hi[2] - lo[2]) > 0 ]: corr_depth_mlp's mask, 4.5. x [rows, c] stride ldx.
 * The depth in double; a depth that is NaN gives 0.
 */
struct sb_depth_mask_args {
	float *x;
	const float *X; /* [rows, 3] */
	int64_t rows, c, ldx;
	const float *box; /* [6] device: lo xyz, hi xyz */
};
void sb_depth_mask_cpu(const struct sb_depth_mask_args *a);
void sb_depth_mask_ref(const struct sb_depth_mask_args *a);

/*
 * Instance normalisation, optionally with ReLU and a residual unit's end:
 *   i = (x - mean) / sqrt(var + eps) over h w of each (image, channel), biased variance;  r = relu(i);
 *   y = residual ? relu(residual + r) : r
 * x, y, residual [n, h w, c]; y may be x, or residual. relu 0: r = i (the 1x1 skip has no ReLU). Sums in double.
 */
struct sb_instance_norm_args {
	const float *x, *residual;
	float *y;
	int64_t n, pixels, c;
	float eps;
	int relu;
};
void sb_instance_norm_cpu(const struct sb_instance_norm_args *a);
void sb_instance_norm_ref(const struct sb_instance_norm_args *a);

/* y = x / sqrt(max(sum over c of x^2, 1e-12)); x, y [rows, c], y may be x. */
struct sb_l2_normalize_args {
	const float *x;
	float *y;
	int64_t rows, c;
};
void sb_l2_normalize_cpu(const struct sb_l2_normalize_args *a);
void sb_l2_normalize_ref(const struct sb_l2_normalize_args *a);

/*
 * Nearest: source index min(floor(i * (float)(in / out)), in - 1), the ratio in float32; optionally clamped to lo..hi
 * afterwards (lo < hi). x [n, h, w, c], y [n, out_h, out_w, c].
 */
struct sb_resize_nearest_args {
	const float *x;
	float *y;
	int64_t n, h, w, c, out_h, out_w;
	float lo, hi;
};
void sb_resize_nearest_cpu(const struct sb_resize_nearest_args *a);
void sb_resize_nearest_ref(const struct sb_resize_nearest_args *a);

/* Means of 2 x 2; h and w rounded down to even. x [n, h, w, c], y [n, h/2, w/2, c]. */
struct sb_avg_pool2_args {
	const float *x;
	float *y;
	int64_t n, h, w, c;
};
void sb_avg_pool2_cpu(const struct sb_avg_pool2_args *a);
void sb_avg_pool2_ref(const struct sb_avg_pool2_args *a);

/* y[n, i, j] = x[n, i step, j step]: every step-th pixel from 0. y [n, ceil(h/step), ceil(w/step), c]. */
struct sb_subsample_args {
	const float *x;
	float *y;
	int64_t n, h, w, c, step;
};
void sb_subsample_cpu(const struct sb_subsample_args *a);
void sb_subsample_ref(const struct sb_subsample_args *a);

/*
 * Query set-up (4.2): nearest samples (round half to even of t, x, y, clamped; NaN counts as 0) at working resolution.
 * q [n, 3] = (t, x, y) in pixels of h x w; depth [frames, h, w] (already clamped), valid [frames, h, w],
 * pmap [frames, h, w, 3], colour [frames, h, w, 3] -> z0 [n], u0 [n], p0 [n, 3], rgb [n, 3], frame [n] (int32).
 * keep_z [n] or NULL: where it is not NAN it replaces z0 and p0's third component (carried queries).
 */
struct sb_query_setup_args {
	const float *q, *depth, *valid, *pmap, *colour, *keep_z;
	float *z0, *u0, *p0, *rgb;
	int32_t *frame;
	int64_t n, frames, h, w;
};
void sb_query_setup_cpu(const struct sb_query_setup_args *a);
void sb_query_setup_ref(const struct sb_query_setup_args *a);

/*
 * box[0..2] = lo, box[3..5] = hi = mean(p0) -/+ 3 std(p0) over n, unbiased std, per axis; p0 [n, 3]. Where that has no
 * width (one point, or all the same) mean -/+ 1, so that normalising does not divide by zero, as the reference's does.
 */
struct sb_norm_box_args {
	const float *p0;
	float *box;
	int64_t n;
};
void sb_norm_box_cpu(const struct sb_norm_box_args *a);
void sb_norm_box_ref(const struct sb_norm_box_args *a);

/* y = 2 (x - lo) / (hi - lo) - 1 (inverse 0), or lo + (x + 1) / 2 (hi - lo) (inverse 1); x, y [rows, 3], y may be x. */
struct sb_box_map_args {
	const float *x, *box;
	float *y;
	int64_t rows;
	int inverse;
};
void sb_box_map_cpu(const struct sb_box_map_args *a);
void sb_box_map_ref(const struct sb_box_map_args *a);

/*
 * The six numbers g of 4.6 for every (n, t):
 *   [ t_n/frames - t/frames , nrm(Q[t, n]) - X[t, n] (3) , sigmoid(conf) , mean over t of sigmoid(dyn) ]
 *   Q[t, n] = C_t^-1 C_{t_n} ( z0 K_m,t_n^-1 (x_n, y_n, 1) )
 * q [n, 3] (t, x, y) at working resolution, z0 [n], k [frames, 3, 3] = K_m, cam [frames, 4, 4] = C (rigid; inverse of
 * the rotation by transposition is NOT assumed: general inverse in double), box [6], X [n, frames, 3],
 * conf, dyn [n, frames] logits, g [n frames, 6]. t_n enters the first number as it stands in q, and as an index rounded
 * half to even and clamped.
 */
struct sb_geometry_tokens_args {
	const float *q, *z0, *k, *cam, *box, *X, *conf, *dyn;
	float *g;
	int64_t n, frames;
};
void sb_geometry_tokens_cpu(const struct sb_geometry_tokens_args *a);
void sb_geometry_tokens_ref(const struct sb_geometry_tokens_args *a);

/*
 * 4.8.1: add the heads' deltas to the state, in place.
 *   vis += d2[2], conf += d2[3], dyn += dd, pro += dp;  A = den(X + dX);  z += A.z - den(X).z;  uv += d2[0..1]
 * and 4.8.2: px = (4 u / fx, 4 v / fy).
 * d2 [n frames, 4] = du, dv, vis, conf; d3 [n frames, 4] = dX, dyn; dp [n frames]. Out: A [n frames, 3], px [n frames,
 * 2].
 */
struct sb_track_update_args {
	const float *d2, *d3, *dp, *box;
	float *uv, *z, *vis, *conf, *dyn, *pro;
	const float *X;
	float *A, *px;
	int64_t rows;
	float fx, fy;
};
void sb_track_update_cpu(const struct sb_track_update_args *a);
void sb_track_update_ref(const struct sb_track_update_args *a);

/*
 * 4.8.3 to 4.8.5: the depth look-up, the quantile filter and the replacement, in place on z and A.
 * pmap [frames, h, w, 3], valid [frames, h, w] at tracker resolution; px [n, frames, 2]; z, A; z0 [n]; vis logits
 * [n, frames]; k [frames, 3, 3] = K_r. work: sb_depth_snap_cpu_workspace() bytes.
 * Quantile 0.2: linear interpolation between order statistics, over the non-zero |d2| (|d1|) of all t, n.
 *
 * Samples of z as in patches.h (offsets exact, border clamped), in double and rounded once; of equal |sample - z| the
 * first in the order of the 49 wins; px that is NaN is outside. pv > 0.5 is vis > 0. |sample - z|, r = zs - z0, d1 and
 * d2 = (r[t+1] - 2 r[t]) + r[t-1] are float32 by definition, thresholds double. Samples that are NaN are never nearest,
 * and 49 of them give zs = 0; a NaN in z0 keeps its track out of the quantiles and, when there is a filter, unreplaced.
 * frames < 3: there is no d2, so nothing is filtered.
 */
struct sb_depth_snap_args {
	const float *pmap, *valid, *px, *z0, *vis, *k;
	float *z, *A;
	int64_t n, frames, h, w;
};
size_t sb_depth_snap_cpu_workspace(const struct sb_depth_snap_args *a);
void sb_depth_snap_cpu(const struct sb_depth_snap_args *a, void *work);
void sb_depth_snap_ref(const struct sb_depth_snap_args *a);

/*
 * 2.3: depth clean-up at tracker resolution, all frames of a window together: quartiles of the positive depths, roi,
 * edge test, far depths to 0. depth [frames, h, w] in place, valid [frames, h, w] out (0 or 1), conf [frames, h, w] or
 * NULL (already nearest-resized; > 0.5 keeps). apply 0: everything is computed, depth is left and valid is 1 (planted
 * inputs).
 *
 * float32 by definition: ub, 10 q25, e and the constants 0.1, 0.8, 0.03. q25 and q75 are exact order statistics, of
 * rank at least 1 (which only matters for fewer than 4 positive depths); no positive depth: nothing valid. Depths that
 * are NaN count as not positive, and become 0 with the far ones. Where 1e-6 > 10 q25, ub is 10 q25.
 */
struct sb_depth_clean_args {
	float *depth, *valid;
	const float *conf;
	int64_t frames, h, w;
	int apply;
};
size_t sb_depth_clean_cpu_workspace(const struct sb_depth_clean_args *a);
void sb_depth_clean_cpu(const struct sb_depth_clean_args *a, void *work);
void sb_depth_clean_ref(const struct sb_depth_clean_args *a);

/*
 * 4.11: outputs of a window's first `keep` tracks.
 *   tracks2 [keep, frames, 3] = px * (sx, sy), z;  tracks3 [keep, frames, 6] = A, rgb[n];  vis_out = sigmoid(vis) +
 * 0.2; conf_out = sigmoid(conf);  dyn_out = sigmoid(dyn) u0[n]
 */
struct sb_track_out_args {
	const float *px, *z, *A, *rgb, *vis, *conf, *dyn, *u0;
	float *tracks2, *tracks3, *vis_out, *conf_out, *dyn_out;
	int64_t keep, frames;
	float sx, sy;
};
void sb_track_out_cpu(const struct sb_track_out_args *a);
void sb_track_out_ref(const struct sb_track_out_args *a);

#endif
