#include "planted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FOCAL        (300.0 / 336.0) /* of the width, as in the goldens */
#define PATH         0.1             /* how far the camera moves over the clip */
#define NOISE        0.5             /* px */
#define WRONG        0.1             /* part of the observations */
#define ASTRAY       5.0             /* px; more would drown what the short path gives to see */
#define START_TURN   0.5             /* degrees */
#define START_MOVE   0.01
#define START_POINT  0.05
#define SCENE_STREAM UINT64_C(0x706c616e746564) /* so that the points of the queries' seed are not the scene's */

float sb_planted_depth_at(int64_t t, int64_t y, int64_t x)
{
	return (float)(3.0 + 0.5 * sin((double)(x + 2 * t) / 45.0) + 0.3 * cos((double)y / 35.0));
}

static double camera_x(const struct sb_planted_shape *s, int64_t t)
{
	return s->frames > 1 ? PATH * (double)t / (double)(s->frames - 1) : 0.0;
}

static void make_cameras(struct sb_planted *p)
{
	const struct sb_planted_shape *s = &p->shape;

	for (int64_t t = 0; t < s->frames; t++) {
		float *k = p->k + t * 9, *m = p->c2w + t * 16;

		k[0] = k[4] = (float)(FOCAL * (double)s->w);
		k[2] = (float)s->w / 2.0f;
		k[5] = (float)s->h / 2.0f;
		k[8] = 1.0f;
		m[0] = m[5] = m[10] = m[15] = 1.0f;
		m[3] = (float)camera_x(s, t);
	}
}

/* ---- the scene of the bundle adjustment ---------------------------------------------------------------------- */

static double gauss(uint64_t *random)
{
	double u = 1.0 - sb_random_unit(random), v = sb_random_unit(random);

	return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

/* The camera of the windows: at the tracker's resolution, square pixels. */
struct pinhole {
	double f, cx, cy;
};

/* A point of frame 0 and where each frame sees it, with what is wrong about that. */
static void make_point(struct sb_planted *p, int64_t n, const struct pinhole *c, uint64_t *random)
{
	const struct sb_planted_shape *s = &p->shape;
	const double u = sb_random_unit(random) * (double)(s->wr - 1), v = sb_random_unit(random) * (double)(s->hr - 1);
	const double z = sb_planted_depth_at(
	        0, (int64_t)(v * (double)s->h / (double)s->hr), (int64_t)(u * (double)s->w / (double)s->wr));
	const double x = (u - c->cx) / c->f * z, y = (v - c->cy) / c->f * z;

	for (int64_t t = 0; t < s->frames; t++) {
		float *seen = p->seen + (n * s->frames + t) * 2;
		double px = c->f * (x - camera_x(s, t)) / z + c->cx, py = v;
		bool inside = px >= 0.0 && px <= (double)(s->wr - 1);

		px += NOISE * gauss(random);
		py += NOISE * gauss(random);
		if (sb_random_unit(random) < WRONG) {
			px += ASTRAY * (2.0 * sb_random_unit(random) - 1.0);
			py += ASTRAY * (2.0 * sb_random_unit(random) - 1.0);
		}
		seen[0] = inside ? (float)px : NAN;
		seen[1] = inside ? (float)py : NAN;
	}
	p->xyz[n * 3] = x * (1.0 + START_POINT * gauss(random));
	p->xyz[n * 3 + 1] = y * (1.0 + START_POINT * gauss(random));
	p->xyz[n * 3 + 2] = z * (1.0 + START_POINT * gauss(random));
}

/* Where the solver begins: frame 0 as it is, the others turned and moved a little. */
static void make_pose(struct sb_planted *p, int64_t t, uint64_t *random)
{
	struct sb_pose *pose = &p->pose[t];
	double axis[3], length = 0.0, half = START_TURN * 0.008726646259971648; /* of half a degree, in radians */

	*pose = (struct sb_pose){ .q = { 0.0, 0.0, 0.0, 1.0 }, .t = { -camera_x(&p->shape, t), 0.0, 0.0 } };
	if (t == 0)
		return;
	for (int i = 0; i < 3; i++) {
		axis[i] = gauss(random);
		length += axis[i] * axis[i];
		pose->t[i] += START_MOVE * gauss(random);
	}
	for (int i = 0; i < 3; i++)
		pose->q[i] = sin(half) * axis[i] / sqrt(length);
	pose->q[3] = cos(half);
}

static void make_scene(struct sb_planted *p)
{
	const struct sb_planted_shape *s = &p->shape;
	const struct pinhole c = { FOCAL * (double)s->wr, (double)s->wr / 2.0, (double)s->hr / 2.0 };
	uint64_t random = s->seed ^ SCENE_STREAM;

	for (int64_t n = 0; n < s->points; n++)
		make_point(p, n, &c, &random);
	for (int64_t t = 0; t < s->frames; t++)
		make_pose(p, t, &random);
	p->scene = (struct sb_track_planted){ .points = s->points, .seen = p->seen, .xyz = p->xyz, .pose = p->pose };
}

int64_t sb_planted_depth_bytes(const struct sb_planted_shape *s)
{
	return s->frames * s->h * s->w * (int64_t)sizeof(float);
}

void sb_planted_release(struct sb_planted *p)
{
	free(p->k);
	free(p->c2w);
	free(p->seen);
	free(p->xyz);
	free(p->pose);
	if (p->be) /* what the device says of earlier work has no meaning here */
		(void)sb_pages_segment_free(p->be->pages, p->depth, sb_planted_depth_bytes(&p->shape), NULL);
	*p = (struct sb_planted){ 0 };
}

enum sb_status sb_planted_init(struct sb_planted *p, const struct sb_planted_shape *s, struct sb_error *err)
{
	size_t frames = (size_t)s->frames, points = (size_t)s->points + 1;

	*p = (struct sb_planted){ .shape = *s };
	p->k = calloc(frames * 9, sizeof(*p->k));
	p->c2w = calloc(frames * 16, sizeof(*p->c2w));
	p->seen = calloc(points * frames * 2, sizeof(*p->seen));
	p->xyz = calloc(points * 3, sizeof(*p->xyz));
	p->pose = calloc(frames, sizeof(*p->pose));
	if (!p->k || !p->c2w || !p->seen || !p->xyz || !p->pose) {
		sb_planted_release(p);
		return sb_fail(err, SB_E_NOMEM, "no memory for planted inputs of %lld frames", (long long)s->frames);
	}
	make_cameras(p);
	make_scene(p);
	return SB_OK;
}

/* ---- the depth ----------------------------------------------------------------------------------------------- */

void sb_planted_depth_host(const struct sb_planted_shape *s, float *out)
{
	for (int64_t t = 0; t < s->frames; t++)
		for (int64_t y = 0; y < s->h; y++)
			for (int64_t x = 0; x < s->w; x++)
				*out++ = sb_planted_depth_at(t, y, x);
}

static enum sb_status upload(struct sb_planted *p, struct sb_backend *be, struct sb_error *err)
{
	const struct sb_planted_shape *s = &p->shape;
	int64_t n = s->frames * s->h * s->w;
	float *host = malloc((size_t)n * sizeof(*host));
	enum sb_status status;

	if (!host)
		return sb_fail(err, SB_E_NOMEM, "no memory for the planted depth of %lld frames", (long long)s->frames);
	sb_planted_depth_host(s, host);
	status = sb_pages_segment_alloc(be->pages, sb_planted_depth_bytes(s), &p->depth, err);
	if (!status) {
		p->be = be;
		status = be->ops->weight_prepare(be, SB_WEIGHT_PLAIN, &n, 1, host, (void *)p->depth, err);
	}
	free(host);
	return status;
}

enum sb_status sb_planted_depth(struct sb_planted *p, struct sb_backend *be, const float **depth, struct sb_error *err)
{
	enum sb_status status = p->be ? SB_OK : upload(p, be, err);

	if (!status)
		*depth = (const float *)p->depth;
	return status;
}
