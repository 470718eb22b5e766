#include "quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEGREES_PER_RADIAN 57.29577951308232

static struct sb_value finite(double v)
{
	return isfinite(v) ? sb_value_of(v) : sb_value_absent("not finite");
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

struct sb_drift sb_drift_of(float *v, int64_t n)
{
	if (!n)
		return (struct sb_drift){ NAN, NAN };
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return (struct sb_drift){ v[(n - 1) / 2], v[(int64_t)ceil(0.95 * (double)n) - 1] };
}

double sb_larger(double a, double b)
{
	return isnan(a) || b <= a ? a : b;
}

/* |got - want| / |want|; values that are not finite count as infinitely far. */
static struct sb_drift relative_drift(const float *want, const float *got, int64_t n, float *drift)
{
	for (int64_t i = 0; i < n; i++) {
		double d = fabs((double)got[i] - (double)want[i]) / fabs((double)want[i]);

		drift[i] = isnan(d) ? INFINITY : (float)d;
		if (got[i] == want[i]) /* 0 = 0 too */
			drift[i] = 0.0f;
	}
	return sb_drift_of(drift, n);
}

/*
 * From the chord |R0 - R| (Frobenius) = 2 sqrt(2) sin(angle / 2): exact for small angles, where the arc cosine of the
 * trace has no digits left.
 */
double sb_rotation_angle(const float *m0, const float *m)
{
	double chord = 0.0;

	for (int r = 0; r < 3; r++) {
		for (int c = 0; c < 3; c++) {
			double d = (double)m[r * 4 + c] - (double)m0[r * 4 + c];

			chord += d * d;
		}
	}
	chord = sqrt(chord / 8.0);
	if (!isfinite(chord))
		return NAN;
	return 2.0 * asin(chord > 1.0 ? 1.0 : chord) * DEGREES_PER_RADIAN;
}

struct pose_drift {
	double angle, position;
};

static struct pose_drift pose_drift(const struct sb_front_outputs *want, const struct sb_front_outputs *got)
{
	struct pose_drift max = { 0.0, 0.0 };
	double extent = 0.0;

	for (int64_t t = 0; t < want->frames; t++) {
		const float *m0 = want->c2w + t * 16, *m = got->c2w + t * 16;
		double size = 0.0, change = 0.0, angle = sb_rotation_angle(m0, m);

		for (int r = 0; r < 3; r++) {
			double d = (double)m[r * 4 + 3] - (double)m0[r * 4 + 3];

			size += (double)m0[r * 4 + 3] * (double)m0[r * 4 + 3];
			change += d * d;
		}
		extent = sb_larger(extent, sqrt(size));
		max.angle = sb_larger(max.angle, angle);
		max.position = sb_larger(max.position, sqrt(change));
	}
	if (max.position != 0.0)
		max.position /= extent;
	return max;
}

static double focal_drift(const struct sb_front_outputs *want, const struct sb_front_outputs *got)
{
	double max = 0.0;

	for (int64_t t = 0; t < want->frames; t++) {
		for (int i = 0; i < 2; i++) {
			double f0 = want->k[t * 9 + i * 4], f = got->k[t * 9 + i * 4];
			double d = f == f0 ? 0.0 : fabs(f - f0) / fabs(f0);

			max = sb_larger(max, d);
		}
	}
	return max;
}

static double largest_change(const float *want, const float *got, int64_t n)
{
	double max = 0.0;

	for (int64_t i = 0; i < n; i++) {
		double d = fabs((double)got[i] - (double)want[i]);

		max = sb_larger(max, d);
	}
	return max;
}

int sb_front_quality(const struct sb_front_outputs *want, const struct sb_front_outputs *got, float *scratch,
        struct sb_measure out[SB_QUALITY_MAX])
{
	int64_t pixels = want->frames * want->h * want->w;
	struct pose_drift pose = pose_drift(want, got);
	bool same = !memcmp(want->depth, got->depth, sb_front_outputs_floats(want) * sizeof(float));
	struct sb_drift depth = relative_drift(want->depth, got->depth, pixels, scratch);
	int n = 0;

	out[n++] = (struct sb_measure){ "quality.depth_rel_median", finite(depth.median) };
	out[n++] = (struct sb_measure){ "quality.depth_rel_p95", finite(depth.p95) };
	out[n++] = (struct sb_measure){ "quality.conf_abs_max", finite(largest_change(want->conf, got->conf, pixels)) };
	out[n++] = (struct sb_measure){ "quality.pose_deg_max", finite(pose.angle) };
	out[n++] = (struct sb_measure){ "quality.pose_rel_max", finite(pose.position) };
	out[n++] = (struct sb_measure){ "quality.focal_rel_max", finite(focal_drift(want, got)) };
	out[n++] = (struct sb_measure){ "quality.identical", sb_value_of(same ? 1.0 : 0.0) };
	return n;
}
