/* resize: everything that samples an image at other positions. */
#ifndef SB_RESIZE_H
#define SB_RESIZE_H

#include <stdint.h>

/*
 * Frames to network size: bicubic, A = -0.75, align_corners=False, no antialias, source (i + 0.5) in/out - 0.5, taps
 * clamped to the border, result not clamped; then a window of the result is kept.
 *
 * Shapes:  src [n, h, w, 3] u8; dst [n, out_h, out_w, 3] f32 in 0..255 (values may leave it), which is rows
 *          crop_y .. crop_y + out_h - 1 and columns crop_x .. of the full_h x full_w result.
 * Positions and their fractions are float32 by definition ((i + 0.5f) * (in/out) - 0.5f, one rounding an operation), as
 * in PyTorch: a kernel that contracts them into fused multiply-adds computes at other positions.
 * At equal size the weights are exactly (0, 1, 0, 0): an identity.
 * Source:  ARCHITECTURE section 2.1 (PyTorch's bicubic).
 */
struct sb_frames_resize_args {
	const uint8_t *src;
	float *dst;
	int64_t n, h, w;
	int64_t full_h, full_w, crop_y, crop_x, out_h, out_w;
};

void sb_frames_resize_cpu(const struct sb_frames_resize_args *a);
void sb_frames_resize_ref(const struct sb_frames_resize_args *a);

/*
 * Bilinear, align_corners=True: source = i ((in - 1)/(out - 1)), in float32 as above, 0 when out is 1.
 * Shapes:  x [n, h, w, c], y [n, out_h, out_w, c] f32.
 */
struct sb_resize_bilinear_args {
	const float *x;
	float *y;
	int64_t n, h, w, c, out_h, out_w;
};

void sb_resize_bilinear_cpu(const struct sb_resize_bilinear_args *a);
void sb_resize_bilinear_ref(const struct sb_resize_bilinear_args *a);

#endif
