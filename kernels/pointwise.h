/* pointwise: the small elementwise and copy operations of the front end. */
#ifndef SB_POINTWISE_H
#define SB_POINTWISE_H

#include <stdint.h>

/* y[i, c] = x[i, c] * scale[c] + offset[c] for c < 3; x, y [n, 3]. y may be x. */
struct sb_channel_affine_args {
	const float *x;
	float *y;
	int64_t n;
	float scale[3], offset[3];
};
void sb_channel_affine_cpu(const struct sb_channel_affine_args *a);

/*
 * Token assembly: out [frames, special + patches, dim];
 *   out[t, i]           = specials[t == 0 ? 0 : 1][i]         i < special; specials [2, special, dim]
 *   out[t, special + p] = x[t, p] + (pos ? pos[p] : 0)        x [frames, patches, dim], pos [patches, dim] or NULL
 * With x NULL only the special tokens are written.
 */
struct sb_tokens_args {
	const float *x, *pos, *specials;
	float *out;
	int64_t frames, special, patches, dim;
};
void sb_tokens_cpu(const struct sb_tokens_args *a);

/* dst[r, c] = src[r, c], r < rows, c < cols; row strides in elements; ld_src 0 repeats one row. */
struct sb_copy2d_args {
	const float *src;
	float *dst;
	int64_t rows, cols, ld_src, ld_dst;
};
void sb_copy2d_cpu(const struct sb_copy2d_args *a);

/*
 * x[n, y, x, :] += [ u[x] | v[y] ], in place: x [n, h, w, c], u [w, c/2], v [h, c/2]. The DPT head's position code.
 */
struct sb_add_position_args {
	float *x;
	const float *u, *v;
	int64_t n, h, w, c;
};
void sb_add_position_cpu(const struct sb_add_position_args *a);

/* depth[i] = exp(x[i, 0]), conf[i] = 1/(1 + exp(-x[i, 1])); x [n, 2]. */
struct sb_depth_out_args {
	const float *x;
	float *depth, *conf;
	int64_t n;
};
void sb_depth_out_cpu(const struct sb_depth_out_args *a);

/*
 * Camera vectors to matrices. p [frames, 9] = t(3), quaternion x y z w (any norm), fov_h, fov_w (before ReLU).
 * enc [frames, 9] = p with ReLU on the two fov (may be p itself); w2c, c2w [frames, 4, 4]; K [frames, 3, 3] in pixels
 * of a width x height image: fy = (height/2)/tan(fov_h/2), fx = (width/2)/tan(fov_w/2), principal point in the middle.
 * c2w is the general inverse of w2c, computed in double. A fov of 0 gives infinity, as in the reference.
 * Source: ARCHITECTURE section 3.3.
 */
struct sb_pose_decode_args {
	const float *p;
	float *enc, *w2c, *c2w, *k;
	int64_t frames, height, width;
};
void sb_pose_decode_cpu(const struct sb_pose_decode_args *a);

/*
 * points[t, v, u] = depth[t, v, u] * K_t^-1 (u, v, 1); depth [frames, h, w], k [frames, 3, 3], points [frames, h, w,
 * 3]. K has no skew: ((u - cx)/fx, (v - cy)/fy, 1).
 */
struct sb_unproject_args {
	const float *depth, *k;
	float *points;
	int64_t frames, h, w;
};
void sb_unproject_cpu(const struct sb_unproject_args *a);

/* x[i] = value. */
struct sb_fill_args {
	float *x;
	int64_t n;
	float value;
};
void sb_fill_cpu(const struct sb_fill_args *a);

/* y[i] = x[i] * factor; y may be x. */
struct sb_scale_args {
	const float *x;
	float *y;
	int64_t n;
	float factor;
};
void sb_scale_cpu(const struct sb_scale_args *a);

/* Plain-loop double versions of all of the above, for tests. */
void sb_channel_affine_ref(const struct sb_channel_affine_args *a);
void sb_tokens_ref(const struct sb_tokens_args *a);
void sb_copy2d_ref(const struct sb_copy2d_args *a);
void sb_add_position_ref(const struct sb_add_position_args *a);
void sb_depth_out_ref(const struct sb_depth_out_args *a);
void sb_pose_decode_ref(const struct sb_pose_decode_args *a);
void sb_unproject_ref(const struct sb_unproject_args *a);
void sb_fill_ref(const struct sb_fill_args *a);
void sb_scale_ref(const struct sb_scale_args *a);

#endif
