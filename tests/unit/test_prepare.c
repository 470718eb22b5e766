/* Data preparation: sizes, intrinsics, relative cameras, and what becomes of depths that cannot be used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "prepare.h"

/* ---- sizes, intrinsics --------------------------------------------------------------------------------------- */

static void the_short_side_becomes_336_and_both_are_multiples_of_14(void **state)
{
	static const int64_t cases[][4] = { /* w, h, wr, hr: ARCHITECTURE 2.3 */
		{ 518, 294, 588, 336 }, { 518, 392, 448, 336 }, { 252, 140, 602, 336 }, { 518, 518, 336, 336 },
		{ 336, 252, 448, 336 }, { 84, 56, 504, 336 }, { 140, 252, 336, 602 }
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		int64_t hr, wr;

		sb_track_resolution(cases[i][1], cases[i][0], &hr, &wr);
		assert_int_equal(wr, cases[i][2]);
		assert_int_equal(hr, cases[i][3]);
	}
}

static void intrinsics_are_scaled_by_rows(void **state)
{
	const float k[9] = { 100, 1, 50, 2, 200, 60, 0, 0, 1 }, want[9] = { 200, 2, 100, 6, 600, 180, 0, 0, 1 };
	float got[9];

	(void)state;
	sb_scale_intrinsics(k, 1, 2.0f, 3.0f, got);
	assert_memory_equal(got, want, sizeof(want));
}

/* ---- cameras ------------------------------------------------------------------------------------------------- */

/* A turn by `angle` about a unit axis, and a place. */
static void camera(const double axis[3], double angle, const double at[3], float *out)
{
	double c = cos(angle), s = sin(angle), n = 0.0, a[3];

	for (int i = 0; i < 3; i++)
		n += axis[i] * axis[i];
	for (int i = 0; i < 3; i++)
		a[i] = axis[i] / sqrt(n);
	const double r[9] = { c + a[0] * a[0] * (1 - c), a[0] * a[1] * (1 - c) - a[2] * s,
		a[0] * a[2] * (1 - c) + a[1] * s, a[1] * a[0] * (1 - c) + a[2] * s, c + a[1] * a[1] * (1 - c),
		a[1] * a[2] * (1 - c) - a[0] * s, a[2] * a[0] * (1 - c) - a[1] * s, a[2] * a[1] * (1 - c) + a[0] * s,
		c + a[2] * a[2] * (1 - c) };
	memset(out, 0, 16 * sizeof(*out));
	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++)
			out[i * 4 + j] = (float)r[i * 3 + j];
		out[i * 4 + 3] = (float)at[i];
	}
	out[15] = 1.0f;
}

/* C_0 R_t = C_t: what was asked for, whatever way it was found. */
static double product_error(const float *first, const float *relative, const float *want)
{
	double worst = 0.0;

	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 4; j++) {
			double sum = -(double)want[i * 4 + j];

			for (int k = 0; k < 4; k++)
				sum += (double)first[i * 4 + k] * (double)relative[k * 4 + j];
			worst = fmax(worst, fabs(sum));
		}
	}
	return worst;
}

static double not_orthonormal(const float *m)
{
	double worst = 0.0;

	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++) {
			double sum = i == j ? -1.0 : 0.0;

			for (int k = 0; k < 3; k++)
				sum += (double)m[i * 4 + k] * (double)m[j * 4 + k];
			worst = fmax(worst, fabs(sum));
		}
	}
	return worst;
}

#define TURNS 12

/* Half turns about each axis leave but one of the four components to divide by. */
static void cameras_become_relative_to_the_first_one(void **state)
{
	static const double axes[4][3] = { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 }, { 1, -2, 3 } };
	static const double angles[3] = { 0.1, 2.0, 3.14159265 };
	static const float identity[16] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 };
	const double here[3] = { 4, -2, 1 };
	float c2w[(TURNS + 1) * 16], out[(TURNS + 1) * 16];

	(void)state;
	camera(axes[3], 1.0, here, c2w);
	for (int i = 0; i < TURNS; i++) {
		const double at[3] = { i, 2.0 - i, 0.5 };
		float turn[16];

		camera(axes[i % 4], angles[i / 4], at, turn);
		for (int r = 0; r < 4; r++) /* c2w_i = c2w_0 turn, so that the relative camera is the turn itself */
			for (int c = 0; c < 4; c++) {
				float *m = &c2w[(i + 1) * 16 + r * 4 + c];

				*m = 0.0f;
				for (int k = 0; k < 4; k++)
					*m += c2w[r * 4 + k] * turn[k * 4 + c];
			}
	}
	sb_relative_cameras(c2w, TURNS + 1, out);
	for (int i = 0; i < 16; i++)
		assert_float_equal(out[i], identity[i], 1e-6);
	for (int t = 0; t <= TURNS; t++) {
		assert_true(product_error(c2w, out + t * 16, c2w + t * 16) < 1e-5);
		assert_true(not_orthonormal(out + t * 16) < 1e-6);
	}
}

static void a_rotation_that_is_not_quite_one_is_made_one(void **state)
{
	const double axis[3] = { 1, 2, 3 }, at[3] = { 0, 0, 0 };
	float c2w[32], out[32];

	(void)state;
	camera(axis, 0.0, at, c2w);
	camera(axis, 0.7, at, c2w + 16);
	c2w[16] *= 1.004f; /* as a product rounded to bfloat16 */
	c2w[21] *= 0.997f;
	assert_true(not_orthonormal(c2w + 16) > 1e-3);
	sb_relative_cameras(c2w, 2, out);
	assert_true(not_orthonormal(out + 16) < 1e-6);
	assert_true(product_error(c2w, out + 16, c2w + 16) < 0.01);
}

static void without_an_inverse_of_the_first_cameras_stay(void **state)
{
	float c2w[32] = { 0.0f }, out[32];

	(void)state;
	c2w[16] = 7.0f;
	sb_relative_cameras(c2w, 2, out);
	assert_memory_equal(out, c2w, sizeof(c2w));
	c2w[0] = NAN;
	sb_relative_cameras(c2w, 2, out);
	assert_memory_equal(out, c2w, sizeof(c2w));
}

/* ---- depth --------------------------------------------------------------------------------------------------- */

#define FRAMES 3
#define H      56
#define W      84
#define N      (FRAMES * H * W)

struct prepared {
	float *depth, *valid; /* [FRAMES, hr, wr] */
	int64_t hr, wr;
};

/* All of it on the CPU, whose memory can be read. */
static struct prepared prepare(const float *depth, const float *conf, bool planted)
{
	static const float k[FRAMES * 9] = { 0.0f };
	static float c2w[FRAMES * 16];
	struct sb_prepare_input in = { .depth = depth, .conf = conf, .k = k, .c2w = c2w, .planted = planted };
	struct sb_error err = { .msg = "" };
	struct sb_backend *be;
	struct sb_prepare p;
	struct prepared out;
	float *d, *v;
	size_t bytes;

	assert_int_equal(sb_backend_open("cpu", 0, &be, &err), SB_OK);
	assert_int_equal(sb_prepare_init(&p, FRAMES, H, W, &err), SB_OK);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &err), SB_OK);
	assert_int_equal(sb_prepare_run(&p, be, &in, &d, &v, &err), SB_OK);
	assert_int_equal(sb_backend_end_pass(be, &err), SB_OK);
	out.hr = p.hr;
	out.wr = p.wr;
	bytes = (size_t)(FRAMES * p.hr * p.wr) * sizeof(float);
	out.depth = malloc(bytes);
	out.valid = malloc(bytes);
	assert_true(out.depth && out.valid);
	memcpy(out.depth, d, bytes);
	memcpy(out.valid, v, bytes);
	sb_device_free(be, v);
	sb_device_free(be, d);
	assert_int_equal(sb_backend_end_arm(be), 0);
	sb_prepare_release(&p);
	sb_backend_close(be);
	return out;
}

static void release(struct prepared *p)
{
	free(p->depth);
	free(p->valid);
}

/* A slope without edges, confident everywhere. */
static void fill(float *depth, float *conf)
{
	for (int i = 0; i < N; i++) {
		depth[i] = 2.0f + 0.001f * (float)(i % W);
		conf[i] = 0.9f;
	}
}

static int64_t source(int64_t i, int64_t in, int64_t out)
{
	int64_t s = (int64_t)floorf((float)i * ((float)in / (float)out));

	return s < in ? s : in - 1;
}

static void confident_depths_are_valid_and_the_others_not(void **state)
{
	static float depth[N], conf[N];
	struct prepared p;

	(void)state;
	fill(depth, conf);
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W / 2; x++)
			conf[H * W + y * W + x] = 0.5f; /* not above it */
	p = prepare(depth, conf, false);
	for (int64_t t = 0; t < FRAMES; t++) {
		for (int64_t y = 0; y < p.hr; y++) {
			for (int64_t x = 0; x < p.wr; x++) {
				int64_t at = (t * p.hr + y) * p.wr + x;
				int64_t from = (t * H + source(y, H, p.hr)) * W + source(x, W, p.wr);

				assert_true(p.depth[at] == depth[from]);
				assert_true(p.valid[at] == (conf[from] > 0.5f ? 1.0f : 0.0f));
			}
		}
	}
	release(&p);
}

static void a_depth_that_is_nan_is_not_valid_and_becomes_0(void **state)
{
	static float depth[N], conf[N];
	struct prepared p;
	int64_t not_valid = 0;

	(void)state;
	fill(depth, conf);
	depth[H * W + 20 * W + 30] = NAN;
	p = prepare(depth, conf, false);
	for (int64_t i = 0; i < FRAMES * p.hr * p.wr; i++) {
		assert_true(isfinite(p.depth[i]));
		assert_true(p.depth[i] > 0.0f || p.valid[i] == 0.0f);
		not_valid += p.valid[i] == 0.0f;
	}
	assert_int_equal(not_valid, 36); /* the pixel is 6 x 6 of them */
	release(&p);
}

static void depths_that_are_all_invalid_leave_nothing_valid(void **state)
{
	static const float values[] = { 0.0f, -1.0f, NAN };
	static float depth[N], conf[N];

	(void)state;
	for (size_t v = 0; v < SB_ARRAY_LEN(values); v++) {
		struct prepared p;

		fill(depth, conf);
		for (int i = 0; i < N; i++)
			depth[i] = values[v];
		p = prepare(depth, conf, false);
		for (int64_t i = 0; i < FRAMES * p.hr * p.wr; i++)
			assert_true(p.valid[i] == 0.0f && !isnan(p.depth[i]));
		release(&p);
	}
}

static void planted_depths_are_not_touched_and_all_valid(void **state)
{
	static float depth[N], conf[N];
	struct prepared p;

	(void)state;
	fill(depth, conf);
	depth[5] = 1000.0f; /* would be taken away */
	conf[7] = 0.0f;
	p = prepare(depth, conf, true);
	for (int64_t i = 0; i < FRAMES * p.hr * p.wr; i++)
		assert_true(p.valid[i] == 1.0f);
	assert_true(p.depth[source(0, 1, 1) + 5 * 6] == 1000.0f);
	release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_short_side_becomes_336_and_both_are_multiples_of_14),
		cmocka_unit_test(intrinsics_are_scaled_by_rows),
		cmocka_unit_test(cameras_become_relative_to_the_first_one),
		cmocka_unit_test(a_rotation_that_is_not_quite_one_is_made_one),
		cmocka_unit_test(without_an_inverse_of_the_first_cameras_stay),
		cmocka_unit_test(confident_depths_are_valid_and_the_others_not),
		cmocka_unit_test(a_depth_that_is_nan_is_not_valid_and_becomes_0),
		cmocka_unit_test(depths_that_are_all_invalid_leave_nothing_valid),
		cmocka_unit_test(planted_depths_are_not_touched_and_all_valid),
	};

	return cmocka_run_group_tests_name("prepare", tests, NULL, NULL);
}
