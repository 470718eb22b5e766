#include "prepare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_SIDE 336
#define PATCH      14

#define TRY(call)                             \
	do {                                  \
		enum sb_status try_ = (call); \
		if (try_)                     \
			return try_;          \
	} while (0)

/* ---- sizes --------------------------------------------------------------------------------------------------- */

static int64_t side(double scaled)
{
	int64_t n = PATCH * (int64_t)nearbyint(scaled / PATCH); /* half to even, as Python rounds */

	return n < SHORT_SIDE ? PATCH * (int64_t)ceil(scaled / PATCH) : n;
}

void sb_track_resolution(int64_t h, int64_t w, int64_t *hr, int64_t *wr)
{
	double s = (double)SHORT_SIDE / (double)(h < w ? h : w);

	*hr = side(s * (double)h);
	*wr = side(s * (double)w);
}

/* ---- cameras, on the host ------------------------------------------------------------------------------------ */

void sb_scale_intrinsics(const float *k, int64_t frames, float sx, float sy, float *out)
{
	for (int64_t i = 0; i < frames * 9; i++)
		out[i] = k[i] * (i % 9 < 3 ? sx : i % 9 < 6 ? sy : 1.0f);
}

/* Of the upper three rows; false without one. */
static bool invert(const float *m, double out[12])
{
	const double a = m[0], b = m[1], c = m[2], d = m[4], e = m[5], f = m[6], g = m[8], h = m[9], i = m[10];
	const double det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
	const double r[9] = { e * i - f * h, c * h - b * i, b * f - c * e, f * g - d * i, a * i - c * g, c * d - a * f,
		d * h - e * g, b * g - a * h, a * e - b * d };

	if (!isfinite(1.0 / det))
		return false;
	for (int row = 0; row < 3; row++) {
		double t = 0.0;

		for (int col = 0; col < 3; col++) {
			out[row * 4 + col] = r[row * 3 + col] / det;
			t += out[row * 4 + col] * (double)m[col * 4 + 3];
		}
		out[row * 4 + 3] = -t;
	}
	return true;
}

/* Rotation of m [4, 4] -> quaternion, real part first. */
static void to_quaternion(const float *m, float q[4])
{
	const float xx = m[0], yy = m[5], zz = m[10];
	const float twice[4] = { sqrtf(fmaxf(0.0f, 1.0f + xx + yy + zz)), sqrtf(fmaxf(0.0f, 1.0f + xx - yy - zz)),
		sqrtf(fmaxf(0.0f, 1.0f - xx + yy - zz)), sqrtf(fmaxf(0.0f, 1.0f - xx - yy + zz)) };
	const float x = m[9] - m[6], y = m[2] - m[8], z = m[4] - m[1];
	const float xy = m[4] + m[1], xz = m[2] + m[8], yz = m[9] + m[6];
	int best = 0;

	for (int i = 1; i < 4; i++)
		best = twice[i] > twice[best] ? i : best;
	const float s = twice[best], rows[4][4] = { { s * s, x, y, z }, { x, s * s, xy, xz }, { y, xy, s * s, yz },
		{ z, xz, yz, s * s } };
	for (int i = 0; i < 4; i++)
		q[i] = rows[best][i] / (2.0f * s);
	if (q[0] < 0.0f)
		for (int i = 0; i < 4; i++)
			q[i] = -q[i];
}

static void from_quaternion(const float q[4], float *m)
{
	const float r = q[0], i = q[1], j = q[2], k = q[3], s = 2.0f / (r * r + i * i + j * j + k * k);

	m[0] = 1.0f - s * (j * j + k * k);
	m[1] = s * (i * j - k * r);
	m[2] = s * (i * k + j * r);
	m[4] = s * (i * j + k * r);
	m[5] = 1.0f - s * (i * i + k * k);
	m[6] = s * (j * k - i * r);
	m[8] = s * (i * k - j * r);
	m[9] = s * (j * k + i * r);
	m[10] = 1.0f - s * (i * i + j * j);
}

void sb_relative_cameras(const float *c2w, int64_t frames, float *out)
{
	static const float last[4] = { 0.0f, 0.0f, 0.0f, 1.0f };
	double inverse[12];
	float q[4];

	if (!invert(c2w, inverse)) {
		memcpy(out, c2w, (size_t)frames * 16 * sizeof(*out));
		return;
	}
	for (int64_t t = 0; t < frames; t++) {
		const float *m = c2w + t * 16;
		float *o = out + t * 16;

		for (int r = 0; r < 3; r++) {
			for (int c = 0; c < 4; c++) {
				double sum = c == 3 ? inverse[r * 4 + 3] : 0.0;

				for (int i = 0; i < 3; i++)
					sum += inverse[r * 4 + i] * (double)m[i * 4 + c];
				o[r * 4 + c] = (float)sum;
			}
		}
		memcpy(o + 12, last, sizeof(last));
		to_quaternion(o, q);
		from_quaternion(q, o);
	}
}

/* ---- depth, on the device ------------------------------------------------------------------------------------ */

static enum sb_status nearest(
        const struct sb_prepare *p, struct sb_backend *be, const float *x, float **out, struct sb_error *err)
{
	struct sb_resize_nearest_args a = {
		.x = x, .n = p->frames, .h = p->h, .w = p->w, .c = 1, .out_h = p->hr, .out_w = p->wr
	};
	void *y;

	TRY(sb_device_alloc(be, (size_t)(p->frames * p->hr * p->wr) * sizeof(float), &y, err));
	a.y = *out = y;
	return SB_SUBMIT(be, RESIZE_NEAREST, resize_nearest, a, err);
}

enum sb_status sb_prepare_run(struct sb_prepare *p, struct sb_backend *be, const struct sb_prepare_input *in,
        float **depth, float **valid, struct sb_error *err)
{
	struct sb_depth_clean_args a = { .frames = p->frames, .h = p->hr, .w = p->wr, .apply = !in->planted };
	float *conf;
	void *mask;

	sb_backend_stage(be, "track.prepare");
	TRY(nearest(p, be, in->depth, depth, err));
	TRY(nearest(p, be, in->conf, &conf, err));
	TRY(sb_device_alloc(be, (size_t)(p->frames * p->hr * p->wr) * sizeof(float), &mask, err));
	a.depth = *depth;
	a.valid = *valid = mask;
	a.conf = conf;
	TRY(SB_SUBMIT(be, DEPTH_CLEAN, depth_clean, a, err));
	sb_device_free(be, conf);
	TRY(sb_backend_arrived(be, in->k, (size_t)p->frames * 9 * sizeof(float), err));
	TRY(sb_backend_arrived(be, in->c2w, (size_t)p->frames * 16 * sizeof(float), err));
	sb_scale_intrinsics(in->k, p->frames, (float)p->wr / (float)p->w, (float)p->hr / (float)p->h, p->k);
	sb_relative_cameras(in->c2w, p->frames, p->cam);
	return SB_OK;
}

enum sb_status sb_prepare_init(struct sb_prepare *p, int64_t frames, int64_t h, int64_t w, struct sb_error *err)
{
	*p = (struct sb_prepare){ .frames = frames, .h = h, .w = w };
	sb_track_resolution(h, w, &p->hr, &p->wr);
	p->k = calloc((size_t)frames * (9 + 16), sizeof(*p->k));
	if (!p->k)
		return sb_fail(err, SB_E_NOMEM, "no memory for the cameras of %lld frames", (long long)frames);
	p->cam = p->k + frames * 9;
	return SB_OK;
}

void sb_prepare_release(struct sb_prepare *p)
{
	free(p->k);
	*p = (struct sb_prepare){ 0 };
}
