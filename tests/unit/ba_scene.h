/* Planted scenes for the bundle adjustment: made from a seed, the same in its test and in the tool that writes them
 * out. */
#ifndef SB_BA_SCENE_H
#define SB_BA_SCENE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sb_ba.h"

struct ba_scene_kind {
	const char *name;
	int64_t frames, points;
	double noise;  /* px, standard deviation of each coordinate */
	double wrong;  /* part of the observations that lie elsewhere, up to .. */
	double astray; /* .. so many pixels away in x and in y */
	double hidden; /* part of the observations that are missing */
	double span;   /* part of the frames in which a point is seen at all, one stretch; 1: everywhere */
	double depth;  /* of the scene along the first camera's axis, from z = 5 - depth/2; 0: a plane */
	double turn;   /* degrees that the camera goes round the scene */
	double start_deg, start_move, start_point; /* errors of the start: rotations, positions, points */
	uint64_t seed;
};

static const struct ba_scene_kind ba_scene_kinds[] = {
	/* name, T, N, noise, wrong, astray, hidden, span, depth, turn, errors of the start, seed */
	{ "full", 60, 1500, 0.5, 0.10, 30.0, 0.00, 1.0, 4.0, 20.0, 0.5, 0.03, 0.05, 1 },
	{ "wild", 60, 1500, 0.5, 0.10, 300.0, 0.00, 1.0, 4.0, 20.0, 0.5, 0.03, 0.05, 1 },
	{ "window", 24, 756, 0.5, 0.10, 30.0, 0.20, 0.7, 4.0, 12.0, 0.5, 0.03, 0.05, 2 },
	{ "three", 3, 120, 0.5, 0.05, 30.0, 0.00, 1.0, 4.0, 12.0, 0.5, 0.03, 0.05, 3 },
	{ "two", 2, 80, 0.5, 0.00, 0.0, 0.00, 1.0, 4.0, 12.0, 0.5, 0.03, 0.05, 4 },
	{ "plane", 12, 300, 0.5, 0.05, 30.0, 0.10, 1.0, 0.0, 20.0, 0.5, 0.03, 0.05, 5 },
	/* Starts so far off that costs rise and steps are rejected; minima are many, so none is asked for. */
	{ "rough1", 5, 70, 0.5, 0.05, 30.0, 0.00, 1.0, 4.0, 20.0, 12.0, 0.8, 1.5, 50 },
	{ "rough2", 5, 70, 0.5, 0.05, 30.0, 0.00, 1.0, 4.0, 20.0, 12.0, 0.8, 1.5, 202 },
	{ "rough3", 5, 70, 0.5, 0.05, 30.0, 0.00, 1.0, 4.0, 20.0, 30.0, 1.5, 2.0, 127 },
};
#define BA_SCENE_KINDS (sizeof(ba_scene_kinds) / sizeof(ba_scene_kinds[0]))

struct ba_scene {
	struct sb_ba_problem problem; /* at the start */
	struct sb_pose *true_pose;
	double *true_xyz, *intrinsics;
	float *seen;
	int64_t observations;
};

static inline double ba_gauss(uint64_t *seed)
{
	double u = 1.0 - sb_random_unit(seed), w = sb_random_unit(seed);

	return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * w);
}

static inline void *ba_zeroed(int64_t n, size_t size)
{
	void *p = calloc((size_t)n + 1, size);

	if (!p)
		SB_BUG("out of memory in a test");
	return p;
}

/* The camera at `angle` (radians) about the vertical axis through (0, 0, 5), looking at it; at 0 the identity. */
static inline void ba_orbit(double angle, double c2w[16])
{
	double c = cos(angle), s = sin(angle);
	double m[16] = { c, 0, -s, 5.0 * s, 0, 1, 0, 0.3 * sin(2.0 * angle), s, 0, c, 5.0 - 5.0 * c, 0, 0, 0, 1 };

	memcpy(c2w, m, sizeof(m));
}

/* pose turned by an angle of `deg` about a random axis and moved by `move` times a Gaussian. */
static inline void ba_shake(struct sb_pose *p, double deg, double move, uint64_t *seed)
{
	double a[3] = { ba_gauss(seed), ba_gauss(seed), ba_gauss(seed) }, q[4], *r = p->q;
	double n = sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]), half = deg * 0.008726646259971648;
	double s = sin(half) / n, w = cos(half), x = s * a[0], y = s * a[1], z = s * a[2];

	q[0] = w * r[0] + x * r[3] + y * r[2] - z * r[1];
	q[1] = w * r[1] - x * r[2] + y * r[3] + z * r[0];
	q[2] = w * r[2] + x * r[1] - y * r[0] + z * r[3];
	q[3] = w * r[3] - x * r[0] - y * r[1] - z * r[2];
	memcpy(p->q, q, sizeof(q));
	for (int i = 0; i < 3; i++)
		p->t[i] += move * ba_gauss(seed);
}

/* Project by plain formulas, apart from the code under test. */
static inline void ba_project(const struct sb_pose *p, const double *intr, const double *x, double px[2])
{
	const double *q = p->q;
	double c[3], v[3]; /* v = 2 q_xyz cross x; x_cam = x + w v + q_xyz cross v + t */

	for (int i = 0; i < 3; i++)
		v[i] = 2.0 * (q[(i + 1) % 3] * x[(i + 2) % 3] - q[(i + 2) % 3] * x[(i + 1) % 3]);
	for (int i = 0; i < 3; i++)
		c[i] = x[i] + q[3] * v[i] + q[(i + 1) % 3] * v[(i + 2) % 3] - q[(i + 2) % 3] * v[(i + 1) % 3] + p->t[i];
	px[0] = intr[0] * c[0] / c[2] + intr[1];
	px[1] = intr[0] * c[1] / c[2] + intr[2];
}

static inline void ba_scene_observe(struct ba_scene *s, const struct ba_scene_kind *k, int64_t n, uint64_t *seed)
{
	int64_t length = (int64_t)ceil(k->span * (double)k->frames);
	int64_t from = (int64_t)(sb_random_unit(seed) * (double)(k->frames - length + 1));

	for (int64_t t = 0; t < k->frames; t++) {
		float *out = s->seen + (n * k->frames + t) * 2;
		double px[2], pick = sb_random_unit(seed), far[2] = { sb_random_unit(seed), sb_random_unit(seed) };
		double noise[2] = { k->noise * ba_gauss(seed), k->noise * ba_gauss(seed) };

		out[0] = out[1] = NAN;
		if (t < from || t >= from + length || sb_random_unit(seed) < k->hidden)
			continue;
		ba_project(&s->true_pose[t], s->intrinsics + t * 3, s->true_xyz + n * 3, px);
		for (int i = 0; i < 2; i++)
			out[i] = (float)(px[i] + (pick < k->wrong ? k->astray * (2.0 * far[i] - 1.0) : noise[i]));
		s->observations++;
	}
}

static inline struct ba_scene ba_scene_new(const struct ba_scene_kind *k)
{
	struct ba_scene s = { .problem = { .frames = k->frames, .points = k->points } };
	uint64_t seed = k->seed;
	struct sb_error err;

	s.true_pose = ba_zeroed(k->frames, sizeof(*s.true_pose));
	s.problem.pose = ba_zeroed(k->frames, sizeof(*s.true_pose));
	s.intrinsics = ba_zeroed(k->frames * 3, sizeof(double));
	s.true_xyz = ba_zeroed(k->points * 3, sizeof(double));
	s.problem.xyz = ba_zeroed(k->points * 3, sizeof(double));
	s.seen = ba_zeroed(k->frames * k->points * 2, sizeof(float));
	s.problem.seen = s.seen;
	s.problem.intrinsics = s.intrinsics;
	for (int64_t t = 0; t < k->frames; t++) {
		double c2w[16], part = (double)t / (double)(k->frames - 1);

		ba_orbit(0.017453292519943295 * k->turn * part, c2w);
		if (sb_pose_of_c2w(c2w, &s.true_pose[t], &err))
			SB_BUG("%s", err.msg);
		s.problem.pose[t] = s.true_pose[t];
		if (t > 0)
			ba_shake(&s.problem.pose[t], k->start_deg, k->start_move, &seed);
		s.intrinsics[t * 3] =
		        450.0 + 5.0 * sin((double)t); /* every frame has its own, as the front end gives them */
		s.intrinsics[t * 3 + 1] = 294.0;
		s.intrinsics[t * 3 + 2] = 168.0;
	}
	for (int64_t n = 0; n < k->points; n++) {
		double *x = s.true_xyz + n * 3;

		x[0] = 4.0 * sb_random_unit(&seed) - 2.0;
		x[1] = 2.4 * sb_random_unit(&seed) - 1.2;
		x[2] = 5.0 + k->depth * (sb_random_unit(&seed) - 0.5) + (k->depth > 0.0 ? 0.0 : 0.3 * x[0]);
		for (int i = 0; i < 3; i++)
			s.problem.xyz[n * 3 + i] = x[i] + k->start_point * ba_gauss(&seed);
		ba_scene_observe(&s, k, n, &seed);
	}
	return s;
}

static inline void ba_scene_free(struct ba_scene *s)
{
	free(s->true_pose);
	free(s->problem.pose);
	free(s->intrinsics);
	free(s->true_xyz);
	free(s->problem.xyz);
	free(s->seen);
}

#endif
