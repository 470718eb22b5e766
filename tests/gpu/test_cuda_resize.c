/* resize.h on CUDA. */
#include "resize_cuda.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "front_cases.h"
#include "op_case.h"

/* clang-format off */
OP_PLAIN(frames_resize, 0)
OP_PLAIN(resize_bilinear, 0)
/* clang-format on */

struct frames_shape {
	int64_t n, h, w, full_h, full_w, crop_y, crop_x, out_h, out_w;
};

static void frames_case(const struct frames_shape *s, int timed)
{
	int64_t bytes = s->n * s->h * s->w * 3, words = (bytes + 3) / 4, n = s->n * s->out_h * s->out_w * 3;
	uint8_t *src = op_alloc((size_t)words * 4);
	struct sb_frames_resize_args a = { .src = src,
		.dst = op_nan(n),
		.n = s->n,
		.h = s->h,
		.w = s->w,
		.full_h = s->full_h,
		.full_w = s->full_w,
		.crop_y = s->crop_y,
		.crop_x = s->crop_x,
		.out_h = s->out_h,
		.out_w = s->out_w };
	const struct op_field f[] = { OP_IN(sb_frames_resize_args, src, words), OP_OUT(sb_frames_resize_args, dst, n) };
	uint32_t state = 12345;
	char what[96];

	for (int64_t i = 0; i < words * 4; i++) {
		state = state * 1664525u + 1013904223u;
		src[i] = (uint8_t)(state >> 24);
	}
	snprintf(what, sizeof(what), "%dx%dx%d to %dx%d of %dx%d", (int)s->n, (int)s->h, (int)s->w, (int)s->out_h,
	        (int)s->out_w, (int)s->full_h, (int)s->full_w);
	if (timed)
		op_time(&op_frames_resize, &a, f, COUNT(f), what, (double)bytes + 4.0 * (double)n);
	else
		op_check(&op_frames_resize, &a, f, COUNT(f), what);
	free(src);
	free(a.dst);
}

struct bilinear_shape {
	int64_t n, h, w, c, out_h, out_w;
};

static void bilinear_case(const struct bilinear_shape *s, int timed)
{
	int64_t n = s->n * s->h * s->w * s->c, n_out = s->n * s->out_h * s->out_w * s->c;
	struct sb_resize_bilinear_args a = { op_gauss(n, 1, 0.2, 1.0), op_nan(n_out), s->n, s->h, s->w, s->c, s->out_h,
		s->out_w };
	const struct op_field f[] = { OP_IN(sb_resize_bilinear_args, x, n), OP_OUT(sb_resize_bilinear_args, y, n_out) };
	char what[96];

	snprintf(what, sizeof(what), "%dx%dx%dx%d to %dx%d", (int)s->n, (int)s->h, (int)s->w, (int)s->c, (int)s->out_h,
	        (int)s->out_w);
	if (timed)
		op_time(&op_resize_bilinear, &a, f, COUNT(f), what, 4.0 * (double)(n + n_out));
	else
		op_check(&op_resize_bilinear, &a, f, COUNT(f), what);
	free((float *)(uintptr_t)a.x);
	free(a.y);
}

static const struct frames_shape frames[] = {
	{ 1, 1, 1, 1, 1, 0, 0, 1, 1 }, { 2, 7, 9, 7, 9, 0, 0, 7, 9 }, /* equal size: an identity */
	{ 2, 7, 9, 15, 300, 0, 0, 15, 300 },                          /* larger */
	{ 1, 50, 61, 13, 17, 0, 0, 13, 17 },                          /* smaller */
	{ 2, 40, 30, 60, 45, 11, 5, 30, 31 },                         /* a window */
	{ 1, 360, 640, 294, 518, 0, 0, 294, 518 },                    /* positions where contraction shows */
};

static const struct bilinear_shape bilinear[] = {
	{ 1, 1, 1, 1, 1, 1 },
	{ 1, 3, 4, 5, 1, 1 },
	{ 2, 1, 1, 8, 5, 6 },
	{ 2, 7, 5, 12, 7, 5 },
	{ 2, 7, 5, 12, 13, 300 },
	{ 2, 7, 5, 6, 14, 10 },
	{ 3, 24, 32, 128, 96, 128 },
	{ 2, 21, 37, 256, 42, 74 },
	{ 1, 96, 128, 3, 24, 32 },
};

void check_resize(int quick)
{
	for (int i = 0; i < COUNT(frames) - quick; i++)
		frames_case(&frames[i], 0);
	for (int i = 0; i < COUNT(bilinear); i++)
		bilinear_case(&bilinear[i], 0);
	if (quick)
		return;
	frames_case(&(struct frames_shape){ 1, 1080, 1920, 294, 518, 0, 0, 294, 518 }, 0);
	bilinear_case(&(struct bilinear_shape){ 1, 168, 296, 128, 294, 518 }, 0);
}

void time_resize(void)
{
	static const struct bilinear_shape shapes[] = {
		{ 8, 168, 296, 128, 294, 518 },
		{ 8, 84, 148, 256, 168, 296 },
		{ 8, 42, 74, 256, 84, 148 },
		{ 24, 192, 256, 64, 96, 128 },
		{ 24, 24, 32, 128, 96, 128 },
	};

	frames_case(&(struct frames_shape){ 24, 1080, 1920, 294, 518, 0, 0, 294, 518 }, 1);
	frames_case(&(struct frames_shape){ 24, 294, 518, 294, 518, 0, 0, 294, 518 }, 1);
	for (int i = 0; i < COUNT(shapes); i++)
		bilinear_case(&shapes[i], 1);
}
