/* The ops of track.h on the tracker's state, depth maps included, on a CUDA device. --quick: small shapes. --time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op_case.h"
#include "track_cuda.h"

OP_PLAIN(posenc, 0)
OP_PLAIN(motion, 0)
OP_PLAIN(group_mean, 1)
OP_PLAIN(repeat, 1)
OP_PLAIN(depth_mask, 1)
OP_PLAIN(query_setup, 1)
OP_PLAIN(norm_box, 0)
OP_PLAIN(box_map, 0)
OP_PLAIN(geometry_tokens, 0)
OP_PLAIN(track_update, 0)
OP_PLAIN(track_out, 0)
OP_SCRATCH(depth_snap, 1)
OP_SCRATCH(depth_clean, 1)

#define CHECK(op, args, fields, ...)                                                                  \
	do {                                                                                          \
		char what[96];                                                                        \
                                                                                                      \
		snprintf(what, sizeof(what), __VA_ARGS__);                                            \
		op_check(&op_##op, &(args), fields, (int)(sizeof(fields) / sizeof(*(fields))), what); \
	} while (0)

#define TIME(op, args, fields, bytes, ...)                                                                  \
	do {                                                                                                \
		char what[96];                                                                              \
                                                                                                            \
		snprintf(what, sizeof(what), __VA_ARGS__);                                                  \
		op_time(&op_##op, &(args), fields, (int)(sizeof(fields) / sizeof(*(fields))), what, bytes); \
	} while (0)

enum todo { CHECKS, TIMES };

/* Case (i): 24 frames of 518 x 294, 256 + 756 tracks, tracker at 588 x 336. */
enum { N = 1012, T = 24, HR = 336, WR = 588 };

static const float a_box[6] = { -3.5f, -2.25f, 0.5f, 3.0f, 2.0f, 6.0f };

/* ---- positional codes ------------------------------------------------------------------------------------------- */

static void posenc_case(int64_t rows, int64_t d, int64_t degrees, int64_t gap, double dev, enum todo todo)
{
	int64_t ldx = d + (gap ? 2 : 0), ldy = d * (1 + 2 * degrees) + gap;
	struct sb_posenc_args a = { .x = op_gauss(rows * ldx, 1, 0.0, dev),
		.y = op_nan(rows * ldy),
		.rows = rows,
		.d = d,
		.degrees = degrees,
		.ldx = ldx,
		.ldy = ldy };
	const struct op_field f[] = { OP_IN(sb_posenc_args, x, rows * ldx), OP_OUT(sb_posenc_args, y, rows * ldy) };

	if (todo == TIMES)
		TIME(posenc, a, f, 4.0 * (double)(rows * d * (2 + 2 * degrees)), "%dx%dx%d", (int)rows, (int)d,
		        (int)degrees);
	else
		CHECK(posenc, a, f, "%dx%dx%d gap %d dev %g", (int)rows, (int)d, (int)degrees, (int)gap, dev);
	free((void *)a.x);
	free(a.y);
}

static int64_t ulps_apart(float a, float b)
{
	int32_t ia, ib;

	memcpy(&ia, &a, sizeof(ia));
	memcpy(&ib, &b, sizeof(ib));
	ia = ia < 0 ? INT32_MIN - ia : ia;
	ib = ib < 0 ? INT32_MIN - ib : ib;
	return ia > ib ? (int64_t)ia - ib : (int64_t)ib - ia;
}

/* Largest distance of sin(x) in units of the last place; NaN must be NaN. Counts those that are not to the nearest. */
static int64_t worst_sine(const float *x, int64_t n, int64_t *off)
{
	float *dx, *dy, *y = op_alloc((size_t)(3 * n) * sizeof(*y));
	struct sb_posenc_args a = { .rows = n, .d = 1, .degrees = 1, .ldx = 1, .ldy = 3 };
	struct sb_cuda_launch l = { .stream = NULL };
	int64_t worst = 0;

	op_cuda(cudaMalloc((void **)&dx, (size_t)n * 4), "cudaMalloc");
	op_cuda(cudaMalloc((void **)&dy, (size_t)n * 12), "cudaMalloc");
	op_cuda(cudaMemcpy(dx, x, (size_t)n * 4, cudaMemcpyHostToDevice), "upload");
	a.x = dx;
	a.y = dy;
	op_cuda((cudaError_t)sb_posenc_cuda(&a, &l), "posenc");
	op_cuda(cudaMemcpy(y, dy, (size_t)n * 12, cudaMemcpyDeviceToHost), "download");
	for (int64_t i = 0; i < n; i++) {
		float exact = (float)sin((double)x[i]), got = y[3 * i + 1];
		int64_t ulps = isnan(exact) || isnan(got) ? (isnan(exact) && isnan(got) ? 0 : INT32_MAX)
		                                          : ulps_apart(got, exact);

		worst = ulps > worst ? ulps : worst;
		*off += ulps > 0;
	}
	cudaFree(dx);
	cudaFree(dy);
	free(y);
	return worst;
}

/* Every stride-th float up to infinity and NaN, both signs; then multiples of pi / 2 and their neighbours. */
static void sines_over_all_floats(int quick)
{
	uint32_t stride = quick ? 100003u : 1009u;
	int64_t n = 0x7fc00000 / stride + 1, multiples = quick ? 3000 : 400000, off = 0, worst;
	float *x = op_alloc((size_t)n * 4), *m = op_alloc((size_t)(3 * multiples) * 4);

	for (int64_t i = 0; i < n; i++) {
		uint32_t bits = (uint32_t)i * stride;

		memcpy(&x[i], &bits, sizeof(bits));
		x[i] = i & 1 ? -x[i] : x[i];
	}
	worst = worst_sine(x, n, &off);
	op_report("posenc", "sines of all floats, ulp", (double)worst, 1.0);
	for (int64_t i = 0; i < multiples; i++) {
		float at = (float)((double)i * 1.5707963267948966);

		m[3 * i] = at;
		m[3 * i + 1] = -nextafterf(at, 0.0f);
		m[3 * i + 2] = nextafterf(at, INFINITY);
	}
	worst = worst_sine(m, 3 * multiples, &off);
	op_report("posenc", "sines next to multiples of pi / 2, ulp", (double)worst, 1.0);
	op_report("posenc", "share of sines that are not to the nearest", (double)off / (double)(n + 3 * multiples),
	        1e-3);
	free(x);
	free(m);
}

static void check_posenc(int quick)
{
	posenc_case(1, 1, 1, 0, 1.0, CHECKS);
	posenc_case(0, 3, 12, 0, 1.0, CHECKS);
	posenc_case(7, 3, 12, 0, 2.0, CHECKS);
	posenc_case(28, 3, 12, 1185, 2.0, CHECKS);
	posenc_case(29, 4, 10, 3, 1e3, CHECKS);
	posenc_case(257, 6, 10, 0, 1.0, CHECKS);
	posenc_case(301, 6, 12, 5, 1e6, CHECKS);
	posenc_case(33, 5, 24, 1, 1e30, CHECKS);
	posenc_case(5, 2, 0, 1, 1.0, CHECKS);
	posenc_case(3, 700, 3, 0, 1.0, CHECKS);
	if (!quick)
		posenc_case(24288, 3, 12, 0, 1.0, CHECKS);
	sines_over_all_floats(quick);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static void motion_case(int64_t n, int64_t frames, int64_t d, enum todo todo)
{
	int64_t total = n * frames * d;
	struct sb_motion_args a = { .v = op_gauss(total, 1, 0.0, 1.0),
		.y = op_nan(2 * total),
		.n = n,
		.frames = frames,
		.d = d,
		.inv_scale = { 0.25f, 1.0f / 96, 0.7f } };
	const struct op_field f[] = { OP_IN(sb_motion_args, v, total), OP_OUT(sb_motion_args, y, 2 * total) };

	if (todo == TIMES)
		TIME(motion, a, f, 12.0 * (double)total, "%dx%dx%d", (int)n, (int)frames, (int)d);
	else
		CHECK(motion, a, f, "%dx%dx%d", (int)n, (int)frames, (int)d);
	free((void *)a.v);
	free(a.y);
}

static void group_mean_case(int64_t rows, int64_t group, int64_t c, int64_t gap, enum todo todo)
{
	int64_t in = rows * group * c, out = rows * (c + gap);
	struct sb_group_mean_args a = {
		.x = op_uniform(in, 1), .y = op_nan(out), .rows = rows, .group = group, .c = c, .ldy = c + gap
	};
	const struct op_field f[] = { OP_IN(sb_group_mean_args, x, in), OP_OUT(sb_group_mean_args, y, out) };

	if (todo == TIMES)
		TIME(group_mean, a, f, 4.0 * (double)(in + rows * c), "%dx%dx%d", (int)rows, (int)group, (int)c);
	else
		CHECK(group_mean, a, f, "%dx%dx%d gap %d", (int)rows, (int)group, (int)c, (int)gap);
	free((void *)a.x);
	free(a.y);
}

static void repeat_case(int64_t n, int64_t times, int64_t len, enum todo todo)
{
	struct sb_repeat_args a = {
		.x = op_uniform(n * len, 1), .y = op_nan(n * times * len), .n = n, .times = times, .len = len
	};
	const struct op_field f[] = { OP_IN(sb_repeat_args, x, n * len), OP_OUT(sb_repeat_args, y, n * times * len) };

	if (todo == TIMES)
		TIME(repeat, a, f, 4.0 * (double)(n * len * (times + 1)), "%dx%dx%d", (int)n, (int)times, (int)len);
	else
		CHECK(repeat, a, f, "%dx%dx%d", (int)n, (int)times, (int)len);
	free((void *)a.x);
	free(a.y);
}

/* mean -0.7: about half of the depths are behind the camera; every seventh is NaN. */
static void depth_mask_case(int64_t rows, int64_t c, int64_t ld, enum todo todo)
{
	static const float box[6] = { -1.0f, -2.0f, -0.5f, 1.0f, 2.0f, 3.0f };
	struct sb_depth_mask_args a = { .x = op_gauss(rows * ld, 2, 0.0, 1.0),
		.X = op_gauss(rows * 3, 1, -0.7, 0.5),
		.rows = rows,
		.c = c,
		.ldx = ld,
		.box = box };
	const struct op_field f[] = { OP_OUT(sb_depth_mask_args, x, rows * ld), OP_IN(sb_depth_mask_args, X, rows * 3),
		OP_IN(sb_depth_mask_args, box, 6) };

	for (int64_t i = 0; i < rows; i += 7) {
		((float *)a.X)[3 * i + 2] = NAN;
		a.x[i * ld] = INFINITY;
	}
	if (todo == TIMES)
		TIME(depth_mask, a, f, 4.0 * (double)(rows * (c + 3)), "%dx%d", (int)rows, (int)c);
	else
		CHECK(depth_mask, a, f, "%dx%d of %d", (int)rows, (int)c, (int)ld);
	free(a.x);
	free((void *)a.X);
}

static void check_rows(int quick)
{
	static const int64_t shapes[][3] = { { 1, 1, 1 }, { 3, 1, 2 }, { 1, 2, 3 }, { 7, 5, 3 }, { 130, 24, 2 },
		{ 1012, 24, 3 }, { 0, 4, 2 } };
	static const int64_t lens[] = { 1, 2, 3, 4, 31, 128, 384, 1027, 2048 };

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		motion_case(shapes[i][0], shapes[i][1], shapes[i][2], CHECKS);
	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		repeat_case(5, 24, lens[i], CHECKS);
		repeat_case(300, 1, lens[i], CHECKS);
		group_mean_case(9, 16, lens[i], (int64_t)i % 5, CHECKS);
		group_mean_case(70, 1 + (int64_t)i, lens[i], 4, CHECKS);
		depth_mask_case(50, lens[i], lens[i] + (int64_t)i % 3, CHECKS);
	}
	repeat_case(2, 0, 8, CHECKS);
	repeat_case(2, 3, 300000, CHECKS);
	if (!quick) {
		repeat_case(1012, 24, 64, CHECKS);
		group_mean_case(24288, 16, 128, 0, CHECKS);
		depth_mask_case(24288, 256, 1260, CHECKS);
	}
}

/* ---- queries and the box ---------------------------------------------------------------------------------------- */

static void query_case(int64_t n, int64_t frames, int64_t h, int64_t w, int kept, enum todo todo)
{
	int64_t maps = frames * h * w;
	float *keep_z = op_gauss(n, 6, 9.0, 1.0);
	struct sb_query_setup_args a = { .q = op_gauss(3 * n, 1, 4.0, 5.0),
		.depth = op_uniform(maps, 2),
		.valid = op_uniform(maps, 3),
		.pmap = op_uniform(3 * maps, 4),
		.colour = op_uniform(3 * maps, 5),
		.keep_z = kept ? keep_z : NULL,
		.z0 = op_nan(n),
		.u0 = op_nan(n),
		.p0 = op_nan(3 * n),
		.rgb = op_nan(3 * n),
		.frame = op_alloc((size_t)n * 4),
		.n = n,
		.frames = frames,
		.h = h,
		.w = w };
	const struct op_field f[] = { OP_IN(sb_query_setup_args, q, 3 * n), OP_IN(sb_query_setup_args, depth, maps),
		OP_IN(sb_query_setup_args, valid, maps), OP_IN(sb_query_setup_args, pmap, 3 * maps),
		OP_IN(sb_query_setup_args, colour, 3 * maps), OP_IN(sb_query_setup_args, keep_z, n),
		OP_OUT(sb_query_setup_args, z0, n), OP_OUT(sb_query_setup_args, u0, n),
		OP_OUT(sb_query_setup_args, p0, 3 * n), OP_OUT(sb_query_setup_args, rgb, 3 * n),
		OP_OUT(sb_query_setup_args, frame, n) };

	memset(a.frame, 0x55, (size_t)n * 4);
	for (int64_t i = 0; i < n; i += 3) {
		keep_z[i] = NAN;
		((float *)a.q)[3 * i + 1] = (float)i + 0.5f;
		((float *)a.q)[3 * i + 2] = i % 2 ? NAN : 2.5f;
	}
	if (todo == TIMES)
		TIME(query_setup, a, f, 88.0 * (double)n, "%d", (int)n);
	else
		CHECK(query_setup, a, f, "%d of %dx%dx%d kept %d", (int)n, (int)frames, (int)h, (int)w, kept);
	for (size_t i = 0; i < sizeof(f) / sizeof(*f); i++) {
		void *p;

		memcpy(&p, (const char *)&a + f[i].offset, sizeof(p));
		if (f[i].offset != offsetof(struct sb_query_setup_args, keep_z))
			free(p);
	}
	free(keep_z);
}

static void box_cases(int64_t n, double mean, enum todo todo)
{
	float *points = op_gauss(3 * n, 1, mean, 0.5), *out = op_nan(3 * n), *box = op_nan(6);
	struct sb_norm_box_args b = { .p0 = points, .box = box, .n = n };
	const struct op_field fb[] = { OP_IN(sb_norm_box_args, p0, 3 * n), OP_OUT(sb_norm_box_args, box, 6) };
	struct sb_box_map_args m = { .x = points, .box = a_box, .y = out, .rows = n };
	const struct op_field fm[] = { OP_IN(sb_box_map_args, x, 3 * n), OP_IN(sb_box_map_args, box, 6),
		OP_OUT(sb_box_map_args, y, 3 * n) };

	if (todo == TIMES) {
		TIME(norm_box, b, fb, 12.0 * (double)n, "%d", (int)n);
		TIME(box_map, m, fm, 24.0 * (double)n, "%d", (int)n);
	} else {
		CHECK(norm_box, b, fb, "%d mean %g", (int)n, mean);
		for (int64_t i = 1; i < n; i++)
			points[3 * i + 1] = points[1]; /* an axis without width */
		CHECK(norm_box, b, fb, "%d, an axis without width", (int)n);
		for (int k = 0; k < 4; k++) {
			m.inverse = k % 2;
			m.y = k / 2 ? points : out;
			CHECK(box_map, m, fm, "%d inverse %d in place %d", (int)n, k % 2, k / 2);
		}
	}
	free(points);
	free(out);
	free(box);
}

static void check_queries(int quick)
{
	query_case(1, 1, 1, 1, 0, CHECKS);
	query_case(5, 3, 9, 12, 1, CHECKS);
	query_case(257, 8, 9, 300, 0, CHECKS);
	query_case(1012, 6, 40, 50, 1, CHECKS);
	for (int64_t n = 1; n <= (quick ? 300 : 20000); n = 4 * n + 1)
		box_cases(n, n % 2 ? 2.0 : 300.0, CHECKS);
}

/* ---- geometry tokens -------------------------------------------------------------------------------------------- */

/* Not quite a rotation: the inverse must be a general one. */
static void camera(float cam[16], double angle, double x, double y, double z)
{
	float m[16] = { (float)cos(angle), (float)-sin(angle), 0.01f, (float)x, (float)sin(angle), (float)cos(angle),
		0.0f, (float)y, 0.02f, 0.0f, 1.01f, (float)z, 0.0f, 0.0f, 0.0f, 1.0f };

	memcpy(cam, m, sizeof(m));
}

static float *intrinsics(int64_t frames)
{
	float *k = op_nan(9 * frames);

	for (int64_t t = 0; t < frames; t++) {
		const float here[9] = { 300.0f + (float)t, 0.5f, 294.0f, 0.0f, 310.0f, 168.0f, 0.0f, 0.0f, 1.0f };

		memcpy(k + 9 * t, here, sizeof(here));
	}
	return k;
}

static void geometry_case(int64_t n, int64_t frames, double step, enum todo todo)
{
	int64_t rows = n * frames;
	float *cam = op_nan(16 * frames), *q = op_gauss(3 * n, 1, 60.0, 30.0);
	struct sb_geometry_tokens_args a = { .q = q,
		.z0 = op_gauss(n, 2, 3.0, 0.5),
		.k = intrinsics(frames),
		.cam = cam,
		.box = a_box,
		.X = op_gauss(3 * rows, 3, 0.0, 0.3),
		.conf = op_gauss(rows, 4, 0.0, 2.0),
		.dyn = op_gauss(rows, 5, 0.0, 2.0),
		.g = op_nan(6 * rows),
		.n = n,
		.frames = frames };
	const struct op_field f[] = { OP_IN(sb_geometry_tokens_args, q, 3 * n), OP_IN(sb_geometry_tokens_args, z0, n),
		OP_IN(sb_geometry_tokens_args, k, 9 * frames), OP_IN(sb_geometry_tokens_args, cam, 16 * frames),
		OP_IN(sb_geometry_tokens_args, box, 6), OP_IN(sb_geometry_tokens_args, X, 3 * rows),
		OP_IN(sb_geometry_tokens_args, conf, rows), OP_IN(sb_geometry_tokens_args, dyn, rows),
		OP_OUT(sb_geometry_tokens_args, g, 6 * rows) };

	for (int64_t i = 0; i < n; i++)
		q[3 * i] = (float)(i * 7 % frames) + (i % 3 ? 0.0f : 0.5f);
	for (int64_t t = 0; t < frames; t++)
		camera(cam + 16 * t, step * (double)t, 0.2 * (double)t, -0.1, 0.05 * (double)t);
	if (todo == TIMES)
		TIME(geometry_tokens, a, f, 4.0 * (double)(11 * rows + 4 * n + 25 * frames), "%dx%d", (int)n,
		        (int)frames);
	else
		CHECK(geometry_tokens, a, f, "%dx%d turning by %g", (int)n, (int)frames, step);
	for (size_t i = 0; i < sizeof(f) / sizeof(*f); i++) {
		void *p;

		memcpy(&p, (const char *)&a + f[i].offset, sizeof(p));
		if (p != (const void *)a_box)
			free(p);
	}
}

/* ---- update and outputs ----------------------------------------------------------------------------------------- */

static void update_case(int64_t rows, enum todo todo)
{
	float *state = op_gauss(7 * rows, 1, 0.3, 1.0), *deltas = op_gauss(9 * rows, 2, 0.0, 0.3),
	      *out = op_nan(5 * rows), *points = op_gauss(3 * rows, 4, 0.0, 0.5);
	struct sb_track_update_args a = { .d2 = deltas,
		.d3 = deltas + 4 * rows,
		.dp = deltas + 8 * rows,
		.box = a_box,
		.uv = state,
		.z = state + 2 * rows,
		.vis = state + 3 * rows,
		.conf = state + 4 * rows,
		.dyn = state + 5 * rows,
		.pro = state + 6 * rows,
		.X = points,
		.A = out,
		.px = out + 3 * rows,
		.rows = rows,
		.fx = 0.8753f,
		.fy = 1.143f };
	const struct op_field f[] = { OP_IN(sb_track_update_args, d2, 4 * rows),
		OP_IN(sb_track_update_args, d3, 4 * rows), OP_IN(sb_track_update_args, dp, rows),
		OP_IN(sb_track_update_args, box, 6), OP_IN(sb_track_update_args, X, 3 * rows),
		OP_OUT(sb_track_update_args, uv, 2 * rows), OP_OUT(sb_track_update_args, z, rows),
		OP_OUT(sb_track_update_args, vis, rows), OP_OUT(sb_track_update_args, conf, rows),
		OP_OUT(sb_track_update_args, dyn, rows), OP_OUT(sb_track_update_args, pro, rows),
		OP_OUT(sb_track_update_args, A, 3 * rows), OP_OUT(sb_track_update_args, px, 2 * rows) };

	if (todo == TIMES)
		TIME(track_update, a, f, 4.0 * 31.0 * (double)rows, "%d", (int)rows);
	else
		CHECK(track_update, a, f, "%d", (int)rows);
	free(state);
	free(deltas);
	free(out);
	free(points);
}

static void out_case(int64_t keep, int64_t frames, double dev, enum todo todo)
{
	int64_t rows = keep * frames;
	float *in = op_gauss(9 * rows, 1, 0.0, dev), *per_track = op_gauss(4 * keep, 2, 0.5, 30.0),
	      *out = op_nan(12 * rows);
	struct sb_track_out_args a = { .px = in,
		.z = in + 2 * rows,
		.A = in + 3 * rows,
		.rgb = per_track,
		.vis = in + 6 * rows,
		.conf = in + 7 * rows,
		.dyn = in + 8 * rows,
		.u0 = per_track + 3 * keep,
		.tracks2 = out,
		.tracks3 = out + 3 * rows,
		.vis_out = out + 9 * rows,
		.conf_out = out + 10 * rows,
		.dyn_out = out + 11 * rows,
		.keep = keep,
		.frames = frames,
		.sx = 0.857f,
		.sy = 1.2f };
	const struct op_field f[] = { OP_IN(sb_track_out_args, px, 2 * rows), OP_IN(sb_track_out_args, z, rows),
		OP_IN(sb_track_out_args, A, 3 * rows), OP_IN(sb_track_out_args, rgb, 3 * keep),
		OP_IN(sb_track_out_args, vis, rows), OP_IN(sb_track_out_args, conf, rows),
		OP_IN(sb_track_out_args, dyn, rows), OP_IN(sb_track_out_args, u0, keep),
		OP_OUT(sb_track_out_args, tracks2, 3 * rows), OP_OUT(sb_track_out_args, tracks3, 6 * rows),
		OP_OUT(sb_track_out_args, vis_out, rows), OP_OUT(sb_track_out_args, conf_out, rows),
		OP_OUT(sb_track_out_args, dyn_out, rows) };

	if (todo == TIMES)
		TIME(track_out, a, f, 4.0 * 21.0 * (double)rows, "%dx%d", (int)keep, (int)frames);
	else
		CHECK(track_out, a, f, "%dx%d dev %g", (int)keep, (int)frames, dev);
	free(in);
	free(per_track);
	free(out);
}

static void check_state(void)
{
	static const int64_t shapes[][2] = { { 1, 1 }, { 5, 3 }, { 130, 31 }, { 7, 33 }, { 3, 100 }, { 257, 24 },
		{ 1012, 24 }, { 0, 5 } };

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		geometry_case(shapes[i][0], shapes[i][1], 0.1, CHECKS);
		update_case(shapes[i][0] * shapes[i][1], CHECKS);
		out_case(shapes[i][0], shapes[i][1], i % 2 ? 3.0 : 200.0, CHECKS);
	}
	geometry_case(40, 24, 1.57, CHECKS);
}

/* ---- clean-up of depth maps ------------------------------------------------------------------------------------- */

/* kind: 0 smooth, 1 with holes, NaN and far ones, 2 few values (ties), 3 nothing valid, 4 no two alike, dense at the
 * limit */
static float *depths(int64_t frames, int64_t h, int64_t w, int kind)
{
	int64_t n = frames * h * w;
	float *d = op_gauss(n, 3, 0.0, 0.004), *dice = op_gauss(n, 4, 0.0, 1.0);

	for (int64_t i = 0; i < n; i++) {
		d[i] += 3.0f + 0.5f * sinf((float)(i % w) / 15.0f) + 0.3f * cosf((float)(i / w % h) / 9.0f);
		if (kind == 1 && fabsf(dice[i]) > 1.8f)
			d[i] = dice[i] > 2.5f ? NAN : dice[i] > 2.2f ? 45.0f : dice[i] > 0.0f ? 0.0f : -dice[i];
		if (kind == 2)
			d[i] = floorf(8.0f * (d[i] - 1.5f)) / 8.0f;
		if (kind == 3)
			d[i] = -d[i];
		if (kind == 4)
			d[i] = 1.0f + 6.0f * powf((float)(i * 7919 % n) / (float)n, 4.0f);
	}
	free(dice);
	return d;
}

static void clean_case(int64_t frames, int64_t h, int64_t w, int kind, enum todo todo)
{
	int64_t n = frames * h * w;
	float *conf = op_gauss(n, 5, 0.8, 0.3);
	struct sb_depth_clean_args a = {
		.depth = depths(frames, h, w, kind), .valid = op_nan(n), .frames = frames, .h = h, .w = w
	};
	const struct op_field f[] = { OP_OUT(sb_depth_clean_args, depth, n), OP_OUT(sb_depth_clean_args, valid, n),
		OP_IN(sb_depth_clean_args, conf, n) };

	for (int k = 0; k < (todo == TIMES ? 1 : 3); k++) {
		a.conf = k % 2 ? NULL : conf;
		a.apply = k < 2;
		if (todo == TIMES)
			TIME(depth_clean, a, f, 16.0 * (double)n, "%dx%dx%d", (int)frames, (int)h, (int)w);
		else
			CHECK(depth_clean, a, f, "%dx%dx%d kind %d conf %d apply %d", (int)frames, (int)h, (int)w, kind,
			        k % 2 == 0, a.apply);
	}
	free(a.depth);
	free(a.valid);
	free(conf);
}

static void check_clean(int quick)
{
	static const struct {
		int64_t frames, h, w;
		int kind;
	} maps[] = { { 1, 1, 1, 0 }, { 3, 1, 1, 0 }, { 1, 1, 300, 0 }, { 1, 300, 1, 1 }, { 2, 3, 255, 1 },
		{ 3, 4, 256, 0 }, { 2, 9, 257, 1 }, { 4, 37, 61, 1 }, { 5, 37, 61, 2 }, { 2, 30, 40, 3 },
		{ 1, 9, 513, 2 }, { 4097, 1, 1, 4 }, { 3, 84, 147, 1 }, { 70003, 1, 1, 4 }, { 24, 336, 588, 1 } };

	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps) - (quick ? 3 : 0); i++)
		clean_case(maps[i].frames, maps[i].h, maps[i].w, maps[i].kind, CHECKS);
}

/* ---- look-up along tracks --------------------------------------------------------------------------------------- */

/* kind: 0 plain, 1 the same depth everywhere: nothing bends, 2 depths of few values: ties. */
static void snap_case(int64_t n, int64_t frames, int64_t h, int64_t w, int kind, enum todo todo)
{
	int64_t rows = n * frames, pixels = frames * h * w;
	float *pmap = op_gauss(3 * pixels, 1, 3.0, 0.01), *px = op_gauss(2 * rows, 3, 0.5, 0.3),
	      *z0 = op_gauss(n, 4, 3.0, 0.3);
	struct sb_depth_snap_args a = { .pmap = pmap,
		.valid = op_gauss(pixels, 2, 1.0, 0.3),
		.px = px,
		.z0 = z0,
		.vis = op_gauss(rows, 5, 1.0, 1.0),
		.k = intrinsics(frames),
		.z = op_gauss(rows, 6, 3.0, 0.7),
		.A = op_gauss(3 * rows, 7, 1.0, 0.7),
		.n = n,
		.frames = frames,
		.h = h,
		.w = w };
	const struct op_field f[] = { OP_IN(sb_depth_snap_args, pmap, 3 * pixels),
		OP_IN(sb_depth_snap_args, valid, pixels), OP_IN(sb_depth_snap_args, px, 2 * rows),
		OP_IN(sb_depth_snap_args, z0, n), OP_IN(sb_depth_snap_args, vis, rows),
		OP_IN(sb_depth_snap_args, k, 9 * frames), OP_OUT(sb_depth_snap_args, z, rows),
		OP_OUT(sb_depth_snap_args, A, 3 * rows) };

	for (int64_t i = 0; i < pixels; i++) {
		float z = pmap[3 * i + 2] + sinf((float)(i % w) / 9.0f);

		pmap[3 * i + 2] = kind == 1 ? 3.0f : kind == 2 ? floorf(4.0f * z) / 4.0f : z;
		if (i % 50 == 0 && kind == 0)
			pmap[3 * i + 2] = i % 250 ? 0.0f : NAN;
	}
	for (int64_t i = 0; i < rows; i++) {
		px[2 * i] *= (float)w;
		px[2 * i + 1] *= (float)h;
		if (i % 11 == 0)
			px[2 * i] = floorf(px[2 * i]) + 0.5f;
		if (i % 97 == 0)
			px[2 * i + 1] = i % 2 ? NAN : -0.5f;
		if (i % 13 == 0)
			a.z[i] = 1e30f;
	}
	if (n > 2 && kind == 0)
		z0[1] = NAN;
	if (todo == TIMES)
		TIME(depth_snap, a, f, 4.0 * (double)rows * (64.0 + 14.0), "%dx%d", (int)n, (int)frames);
	else
		CHECK(depth_snap, a, f, "%dx%d of %dx%d kind %d", (int)n, (int)frames, (int)h, (int)w, kind);
	for (size_t i = 0; i < sizeof(f) / sizeof(*f); i++) {
		void *p;

		memcpy(&p, (const char *)&a + f[i].offset, sizeof(p));
		free(p);
	}
}

static void check_snap(int quick)
{
	static const int64_t shapes[][4] = { { 0, 3, 5, 5 }, { 1, 1, 1, 1 }, { 1, 2, 20, 30 }, { 1, 3, 20, 30 },
		{ 3, 5, 20, 30 }, { 5, 4, 3, 200 }, { 40, 4, 84, 112 }, { 192, 8, 60, 90 }, { 1012, 24, 60, 90 },
		{ 1780, 60, 40, 50 } };

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes) - (quick ? 2 : 0); i++)
		for (int kind = 0; kind < 3; kind++)
			snap_case(shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3], kind, CHECKS);
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

/* Tracks of a tile of the tracker: it takes as many as make about 2,048 rows. */
enum { TILE = 85 };

static void times(void)
{
	posenc_case((int64_t)N * T * 16, 3, 12, 0, 1.0, TIMES);
	posenc_case((int64_t)N * T, 4, 10, 1026, 1.0, TIMES);
	posenc_case((int64_t)N * T, 6, 12, 1110, 1.0, TIMES);
	posenc_case((int64_t)TILE * T * 16, 3, 12, 0, 1.0, TIMES);
	motion_case(N, T, 3, TIMES);
	group_mean_case((int64_t)N * T, 16, 512, 0, TIMES);
	group_mean_case((int64_t)N * T, 16, 128, 0, TIMES);
	group_mean_case((int64_t)TILE * T, 16, 512, 0, TIMES);
	group_mean_case((int64_t)TILE * T, 16, 128, 0, TIMES);
	repeat_case(N, T, 2048, TIMES);
	repeat_case(TILE, T, 2048, TIMES);
	repeat_case(N, T, 3, TIMES);
	depth_mask_case((int64_t)N * T, 256, 1260, TIMES);
	query_case(N, T, 384, 512, 0, TIMES);
	box_cases(N, 2.0, TIMES);
	box_cases((int64_t)T * 384 * 512, 2.0, TIMES);
	geometry_case(N, T, 0.1, TIMES);
	update_case((int64_t)N * T, TIMES);
	out_case(N, T, 3.0, TIMES);
	snap_case(N, T, HR, WR, 0, TIMES);
	clean_case(T, HR, WR, 1, TIMES);
}

int main(int argc, char **argv)
{
	int quick = argc > 1 && strcmp(argv[argc - 1], "--quick") == 0;

	op_open_device();
	if (argc > 1 && strcmp(argv[1], "--time") == 0) {
		times();
		return 0;
	}
	check_posenc(quick);
	check_rows(quick);
	check_queries(quick);
	check_state();
	check_clean(quick);
	check_snap(quick);
	printf("%d failed\n", op_failures());
	return op_failures() > 0;
}
