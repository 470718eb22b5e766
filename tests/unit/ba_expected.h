/* The stored solutions of the planted scenes (data/ba_scenes.txt, made by tools/ba_reference.py), and distances to
 * them. */
#ifndef SB_BA_EXPECTED_H
#define SB_BA_EXPECTED_H

#include <stdio.h>

#include "ba_scene.h"

#define EXPECTED_FRAMES_MAX 60

struct expected {
	char name[16];
	long frames, points, observations;
	double cost_start, cost, lm_cost;
	int lm_iterations;
	struct sb_pose pose[EXPECTED_FRAMES_MAX];
};

/* The next scene of data/ba_scenes.txt; false at its end. */
static inline int read_expected(FILE *f, struct expected *e)
{
	if (fscanf(f, " scene %15s %ld %ld %ld %lf %lf %lf %d", e->name, &e->frames, &e->points, &e->observations,
	            &e->cost_start, &e->cost, &e->lm_cost, &e->lm_iterations) != 8)
		return 0;
	if (e->frames > EXPECTED_FRAMES_MAX)
		SB_BUG("scene '%s' has too many frames", e->name);
	for (long t = 0; t < e->frames; t++) {
		struct sb_pose *p = &e->pose[t];

		if (fscanf(f, "%lf %lf %lf %lf %lf %lf %lf", &p->q[0], &p->q[1], &p->q[2], &p->q[3], &p->t[0], &p->t[1],
		            &p->t[2]) != 7)
			SB_BUG("scene '%s' ends early", e->name);
	}
	return 1;
}

static inline double rotation_degrees(const struct sb_pose *a, const struct sb_pose *b)
{
	double d[3], sign = 0.0, sine = 0.0;

	for (int i = 0; i < 4; i++)
		sign += a->q[i] * b->q[i];
	/* The vector part of conj(a) b: the sine of half the angle (acos of the dot product loses 1e-8). */
	for (int i = 0; i < 3; i++) {
		int j = (i + 1) % 3, k = (i + 2) % 3;

		d[i] = a->q[3] * b->q[i] - b->q[3] * a->q[i] - (a->q[j] * b->q[k] - a->q[k] * b->q[j]);
		sine += d[i] * d[i];
	}
	return 2.0 * atan2(sqrt(sine), fabs(sign)) * 57.29577951308232;
}

struct difference {
	double degrees;  /* largest angle between two rotations */
	double position; /* largest distance of two positions, after the best common scale, against the largest position
	                  */
};

static inline struct difference compare(const struct sb_pose *got, const struct sb_pose *want, int64_t frames)
{
	struct difference d = { 0.0, 0.0 };
	double both = 0.0, own = 0.0, largest = 0.0;

	for (int64_t t = 0; t < frames; t++) {
		double length = 0.0;

		for (int i = 0; i < 3; i++) {
			both += got[t].t[i] * want[t].t[i];
			own += got[t].t[i] * got[t].t[i];
			length += want[t].t[i] * want[t].t[i];
		}
		largest = fmax(largest, sqrt(length));
	}
	for (int64_t t = 0; t < frames; t++) {
		double off = 0.0;

		for (int i = 0; i < 3; i++)
			off += pow(got[t].t[i] * both / own - want[t].t[i], 2.0);
		d.degrees = fmax(d.degrees, rotation_degrees(&got[t], &want[t]));
		d.position = fmax(d.position, sqrt(off) / largest);
	}
	return d;
}

#endif
