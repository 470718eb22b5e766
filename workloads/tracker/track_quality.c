#include "track_quality.h"
#include "quality.h"
#include "results.h"

#include <math.h>
#include <string.h>

/* ---- over points --------------------------------------------------------------------------------------------- */

/* Before the window that a query stands in there is no result, in either. */
static bool is_absent(const struct sb_track_outputs *o, int64_t i)
{
	return !sb_track_has_point(o, i / o->frames, i % o->frames);
}

static int64_t points_of(const struct sb_track_outputs *o)
{
	int64_t n = o->tracks * o->frames, points = 0;

	for (int64_t i = 0; i < n; i++)
		points += !is_absent(o, i);
	return points;
}

/* A distance for sorting. */
static float far_if_nan(double d)
{
	return isnan(d) ? INFINITY : (float)d;
}

static struct sb_drift drift_of_xy(
        const struct sb_track_outputs *want, const struct sb_track_outputs *got, double sx, double sy, float *scratch)
{
	int64_t n = want->tracks * want->frames, points = 0;

	for (int64_t i = 0; i < n; i++) {
		const float *a = want->xyz2 + i * 3, *b = got->xyz2 + i * 3;
		double dx = ((double)b[0] - (double)a[0]) * sx, dy = ((double)b[1] - (double)a[1]) * sy;

		if (!is_absent(want, i))
			scratch[points++] = far_if_nan(hypot(dx, dy)); /* of infinity and NaN: infinite, which suits */
	}
	return sb_drift_of(scratch, points);
}

static struct sb_drift drift_of_depth(
        const struct sb_track_outputs *want, const struct sb_track_outputs *got, float *scratch)
{
	int64_t n = want->tracks * want->frames, points = 0;

	for (int64_t i = 0; i < n; i++) {
		double a = want->xyz2[i * 3 + 2], d = fabs((double)got->xyz2[i * 3 + 2] - a);

		if (!is_absent(want, i))
			scratch[points++] = d == 0.0 ? 0.0f : far_if_nan(d / fabs(a));
	}
	return sb_drift_of(scratch, points);
}

static struct sb_drift drift_of_xyz(
        const struct sb_track_outputs *want, const struct sb_track_outputs *got, float *scratch)
{
	int64_t n = want->tracks * want->frames, points = 0;

	for (int64_t i = 0; i < n; i++) {
		const float *a = want->xyz3 + i * 6, *b = got->xyz3 + i * 6;
		double change = 0.0, size = 0.0;

		if (is_absent(want, i))
			continue;
		for (int c = 0; c < 3; c++) {
			double d = (double)b[c] - (double)a[c];

			change += d * d;
			size += (double)a[c] * (double)a[c];
		}
		scratch[points++] = change == 0.0 ? 0.0f : far_if_nan(sqrt(change / size));
	}
	return sb_drift_of(scratch, points);
}

static double share_changed(const struct sb_track_outputs *want, const struct sb_track_outputs *got)
{
	int64_t n = want->tracks * want->frames, changed = 0;

	for (int64_t i = 0; i < n; i++)
		changed += (want->vis[i] > SB_TRACK_VISIBLE) != (got->vis[i] > SB_TRACK_VISIBLE);
	n = points_of(want);
	return n ? (double)changed / (double)n : NAN;
}

/* ---- cameras ------------------------------------------------------------------------------------------------- */

static double path_extent(const struct sb_track_outputs *o)
{
	double diagonal = 0.0;

	for (int axis = 0; axis < 3; axis++) {
		double min = INFINITY, max = -INFINITY;

		for (int64_t t = 0; t < o->frames; t++) {
			double v = o->c2w[t * 16 + axis * 4 + 3];

			min = -sb_larger(-min, -v);
			max = sb_larger(max, v);
		}
		diagonal += (max - min) * (max - min);
	}
	return sqrt(diagonal);
}

/* Largest angle, and largest distance between positions. */
static void pose_changes(
        const struct sb_track_outputs *want, const struct sb_track_outputs *got, double *angle, double *distance)
{
	*angle = *distance = 0.0;
	for (int64_t t = 0; t < want->frames; t++) {
		const float *a = want->c2w + t * 16, *b = got->c2w + t * 16;
		double change = 0.0;

		for (int r = 0; r < 3; r++) {
			double d = (double)b[r * 4 + 3] - (double)a[r * 4 + 3];

			change += d * d;
		}
		*angle = sb_larger(*angle, sb_rotation_angle(a, b));
		*distance = sb_larger(*distance, sqrt(change));
	}
}

/* ---- all ----------------------------------------------------------------------------------------------------- */

static struct sb_value value_of(double v, bool any_point)
{
	if (!any_point)
		return sb_value_absent("no tracks");
	return isfinite(v) ? sb_value_of(v) : sb_value_absent("not finite");
}

static struct sb_value relative_position(double distance, double extent)
{
	if (distance == 0.0)
		return sb_value_of(0.0);
	if (extent == 0.0)
		return sb_value_absent("the camera does not move");
	return value_of(distance / extent, true);
}

int sb_track_quality(const struct sb_track_outputs *want, const struct sb_track_outputs *got, double sx, double sy,
        float *scratch, struct sb_measure out[SB_TRACK_QUALITY_COUNT])
{
	bool any = points_of(want) > 0;
	bool same = !memcmp(want->xyz2, got->xyz2, sb_track_outputs_floats(want) * sizeof(float));
	double angle, distance;
	struct sb_drift d;
	int n = 0;

	d = drift_of_xy(want, got, sx, sy, scratch);
	out[n++] = (struct sb_measure){ "quality.track_xy_px_median", value_of(d.median, any) };
	out[n++] = (struct sb_measure){ "quality.track_xy_px_p95", value_of(d.p95, any) };
	d = drift_of_depth(want, got, scratch);
	out[n++] = (struct sb_measure){ "quality.track_depth_rel_median", value_of(d.median, any) };
	out[n++] = (struct sb_measure){ "quality.track_depth_rel_p95", value_of(d.p95, any) };
	d = drift_of_xyz(want, got, scratch);
	out[n++] = (struct sb_measure){ "quality.track_xyz_rel_median", value_of(d.median, any) };
	out[n++] = (struct sb_measure){ "quality.track_xyz_rel_p95", value_of(d.p95, any) };
	out[n++] = (struct sb_measure){ "quality.track_vis_changed", value_of(share_changed(want, got), any) };
	pose_changes(want, got, &angle, &distance);
	out[n++] = (struct sb_measure){ "quality.track_pose_deg_max", value_of(angle, true) };
	out[n++] = (struct sb_measure){ "quality.track_pose_rel_max", relative_position(distance, path_extent(want)) };
	out[n++] = (struct sb_measure){ "quality.track_identical", sb_value_of(same ? 1.0 : 0.0) };
	return n;
}
