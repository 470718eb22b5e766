/* The drift of results, against answers worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "quality.h"
#include "track_quality.h"

#define TRACKS 5
#define FRAMES 4
#define POINTS (TRACKS * FRAMES)

/* ---- scaffolding --------------------------------------------------------------------------------------------- */

struct pair {
	struct sb_track_outputs want, got;
	float scratch[POINTS];
	struct sb_measure m[SB_TRACK_QUALITY_COUNT];
	int n;
};

static void eye(float *m, float x, float y, float z)
{
	for (int i = 0; i < 16; i++)
		m[i] = i % 5 == 0 ? 1.0f : 0.0f;
	m[3] = x;
	m[7] = y;
	m[11] = z;
}

/* Two equal results: points on a line at depth 2 and 4, the camera on its way from (0, 0, 0) to (3, 0, 4). */
static void fill(struct sb_track_outputs *o)
{
	struct sb_error err;

	assert_int_equal(sb_track_outputs_init(o, TRACKS, FRAMES, &err), SB_OK);
	for (int i = 0; i < POINTS; i++) {
		o->xyz2[i * 3] = (float)i;
		o->xyz2[i * 3 + 1] = (float)(2 * i);
		o->xyz2[i * 3 + 2] = i % 2 ? 4.0f : 2.0f;
		o->xyz3[i * 6 + 1] = 3.0f;
		o->xyz3[i * 6 + 2] = 4.0f;
		o->vis[i] = 1.0f;
	}
	for (int t = 0; t < FRAMES; t++)
		eye(o->c2w + t * 16, (float)t, 0.0f, (float)t * 4.0f / 3.0f);
}

static int set_up(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	fill(&p->want);
	fill(&p->got);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *p = *state;

	sb_track_outputs_release(&p->want);
	sb_track_outputs_release(&p->got);
	free(p);
	return 0;
}

static void judge_scaled(struct pair *p, double sx, double sy)
{
	p->n = sb_track_quality(&p->want, &p->got, sx, sy, p->scratch, p->m);
	assert_int_equal(p->n, SB_TRACK_QUALITY_COUNT);
}

static void judge(struct pair *p)
{
	judge_scaled(p, 1.0, 1.0);
}

static struct sb_value value(const struct pair *p, const char *name)
{
	for (int i = 0; i < p->n; i++)
		if (!strcmp(p->m[i].name + strlen("quality."), name))
			return p->m[i].value;
	fail_msg("no measure '%s'", name);
	return sb_value_absent("");
}

static void is(const struct pair *p, const char *name, double want)
{
	struct sb_value v = value(p, name);

	if (v.absent || !(fabs(v.v - want) <= 1e-6 * fabs(want) + 1e-12))
		fail_msg("%s is %.9g (%s), wanted %.9g", name, v.v, v.absent ? v.absent : "there", want);
}

static void is_absent(const struct pair *p, const char *name, const char *why)
{
	struct sb_value v = value(p, name);

	if (!v.absent || strcmp(v.absent, why) != 0)
		fail_msg("%s is %.9g (%s), wanted '%s'", name, v.v, v.absent ? v.absent : "there", why);
}

/* ---- tests --------------------------------------------------------------------------------------------------- */

/* The least value that 95 % of the values do not exceed; the lower one of two in the middle. */
static void quantiles_are_nearest_ranks(void **state)
{
	enum { MOST = 1000 };
	float v[MOST];

	(void)state;
	for (int n = 1; n <= MOST; n++) {
		struct sb_drift d;

		for (int i = 0; i < n; i++)
			v[i] = (float)(n - i); /* 1 to n, to be sorted */
		d = sb_drift_of(v, n);
		assert_true(d.p95 == (double)((19 * n + 19) / 20));
		assert_true(d.median == (double)((n + 1) / 2));
	}
}

static void equal_results_have_no_drift(void **state)
{
	struct pair *p = *state;

	judge(p);
	for (int i = 0; i < p->n; i++) {
		assert_null(p->m[i].value.absent);
		assert_true(p->m[i].value.v == (strcmp(p->m[i].name, "quality.track_identical") ? 0.0 : 1.0));
	}
}

/* Point i is moved by (3 i, 4 i) tracker pixels, so by 5 i, or by hypot(6 i, 2 i) at other scales. */
static void xy_is_a_distance_in_the_networks_pixels(void **state)
{
	struct pair *p = *state;

	for (int i = 0; i < POINTS; i++) {
		p->got.xyz2[i * 3] += 3.0f * (float)i;
		p->got.xyz2[i * 3 + 1] -= 4.0f * (float)i;
	}
	judge(p);
	is(p, "track_xy_px_median", 5.0 * 9);
	is(p, "track_xy_px_p95", 5.0 * 18);
	is(p, "track_depth_rel_p95", 0.0);
	is(p, "track_xyz_rel_p95", 0.0);
	is(p, "track_identical", 0.0);
	judge_scaled(p, 2.0, 0.5);
	is(p, "track_xy_px_median", sqrt(40.0) * 9);
	is(p, "track_xy_px_p95", sqrt(40.0) * 18);
}

static void depth_is_relative_to_the_reference(void **state)
{
	struct pair *p = *state;

	for (int i = 0; i < POINTS; i++)
		p->got.xyz2[i * 3 + 2] -= 0.5f; /* of 2 and of 4, ten times each */
	judge(p);
	is(p, "track_depth_rel_median", 0.125);
	is(p, "track_depth_rel_p95", 0.25);
	is(p, "track_xy_px_p95", 0.0);
}

static void points_are_relative_to_their_distance_from_the_camera(void **state)
{
	struct pair *p = *state;

	for (int i = 0; i < POINTS; i++) {
		p->got.xyz3[i * 6] += i < 15 ? 0.3f : 3.0f; /* at distance 5 */
		p->got.xyz3[i * 6 + 1] += i < 15 ? 0.4f : 4.0f;
		p->got.xyz3[i * 6 + 3] = 255.0f; /* a colour is no position */
	}
	judge(p);
	is(p, "track_xyz_rel_median", 0.1);
	is(p, "track_xyz_rel_p95", 1.0);
}

static void visibility_counts_changes_in_both_directions(void **state)
{
	struct pair *p = *state;

	p->want.vis[0] = 0.5f; /* hidden: not above it */
	p->got.vis[1] = 0.5f;
	p->got.vis[2] = 0.51f; /* seen, as before */
	p->got.vis[3] = NAN;
	judge(p);
	is(p, "track_vis_changed", 3.0 / POINTS);
}

/* The path runs from (0, 0, 0) to (3, 0, 4): an extent of 5. */
static void cameras_are_judged_by_their_largest_change(void **state)
{
	struct pair *p = *state;
	float *m = p->got.c2w + 2 * 16;
	double angle = 1e-4;

	m[0] = m[5] = (float)cos(angle);
	m[4] = (float)sin(angle);
	m[1] = -m[4];
	m[7] += 0.5f;
	p->got.c2w[1 * 16 + 11] += 0.25f;
	judge(p);
	is(p, "track_pose_deg_max", angle * 57.29577951308232);
	is(p, "track_pose_rel_max", 0.1);
}

static void the_extent_of_a_path_does_not_hang_on_where_it_begins(void **state)
{
	struct pair *p = *state;

	for (int t = 0; t < FRAMES; t++) {
		for (int axis = 0; axis < 3; axis++) {
			p->want.c2w[t * 16 + axis * 4 + 3] -= 7.0f;
			p->got.c2w[t * 16 + axis * 4 + 3] -= 7.0f;
		}
	}
	p->got.c2w[7] += 0.5f;
	judge(p);
	is(p, "track_pose_rel_max", 0.1);
}

static void a_camera_that_does_not_move_has_no_extent(void **state)
{
	struct pair *p = *state;

	for (int t = 0; t < FRAMES; t++) {
		eye(p->want.c2w + t * 16, 1.0f, 2.0f, 3.0f);
		eye(p->got.c2w + t * 16, 1.0f, 2.0f, 3.0f);
	}
	judge(p);
	is(p, "track_pose_rel_max", 0.0);
	p->got.c2w[3] += 1.0f;
	judge(p);
	is_absent(p, "track_pose_rel_max", "the camera does not move");
}

static void points_that_are_lost_count_as_far_away(void **state)
{
	struct pair *p = *state;

	p->got.xyz2[0] = NAN; /* 1 of 20: the 95th percentile holds */
	p->want.xyz3[0] = INFINITY;
	p->got.xyz2[2] = INFINITY;
	judge(p);
	is(p, "track_xy_px_p95", 0.0);
	is(p, "track_xyz_rel_p95", 0.0);
	is(p, "track_depth_rel_p95", 0.0);
	p->got.xyz2[3] = NAN;
	p->want.xyz3[6] = NAN;
	p->got.xyz2[5] = NAN;
	judge(p);
	is_absent(p, "track_xy_px_p95", "not finite");
	is_absent(p, "track_xyz_rel_p95", "not finite");
	is_absent(p, "track_depth_rel_p95", "not finite");
	is(p, "track_xy_px_median", 0.0);
	for (int i = 0; i < POINTS; i++)
		p->got.xyz2[i * 3 + 1] = NAN;
	judge(p);
	is_absent(p, "track_xy_px_median", "not finite");
}

/* Before the window of its query a track has no result: 0 in both, which is no agreement. */
static void points_that_are_not_there_are_not_counted(void **state)
{
	struct pair *p = *state;

	for (int i = 0; i < POINTS; i++) {
		if (i % 2) {
			p->want.vis[i] = p->got.vis[i] = 0.0f;
			memset(p->want.xyz2 + i * 3, 0, 3 * sizeof(float));
			memset(p->got.xyz2 + i * 3, 0, 3 * sizeof(float));
			memset(p->want.xyz3 + i * 6, 0, 6 * sizeof(float));
			memset(p->got.xyz3 + i * 6, 0, 6 * sizeof(float));
		} else {
			p->got.xyz2[i * 3] += 3.0f;
			p->got.xyz2[i * 3 + 2] *= 1.5f;
			for (int c = 0; c < 3; c++)
				p->got.xyz3[i * 6 + c] *= 1.25f;
		}
	}
	p->got.vis[0] = 0.3f;
	judge(p);
	is(p, "track_xy_px_median", 3.0);
	is(p, "track_depth_rel_median", 0.5);
	is(p, "track_xyz_rel_median", 0.25);
	is(p, "track_vis_changed", 2.0 / POINTS);
	for (int i = 0; i < POINTS; i++)
		p->want.vis[i] = 0.0f;
	judge(p);
	is_absent(p, "track_xy_px_p95", "no tracks");
}

/* Frames after the one with the NaN must not hide it. */
static void a_lost_camera_is_not_overlooked(void **state)
{
	struct pair *p = *state;

	p->got.c2w[16 + 3] = NAN;
	judge(p);
	is_absent(p, "track_pose_rel_max", "not finite");
	is(p, "track_pose_deg_max", 0.0);
	p->got.c2w[16 + 3] = p->want.c2w[16 + 3];
	p->got.c2w[16] = INFINITY;
	judge(p);
	is_absent(p, "track_pose_deg_max", "not finite");
	p->got.c2w[16] = NAN;
	judge(p);
	is_absent(p, "track_pose_deg_max", "not finite");
	p->want.c2w[16 + 7] = NAN;
	judge(p);
	is_absent(p, "track_pose_rel_max", "not finite");
}

static void without_tracks_there_are_still_cameras(void **state)
{
	struct sb_measure m[SB_TRACK_QUALITY_COUNT];
	struct sb_track_outputs a, b;
	struct sb_error err;
	float scratch = 0.0f;

	(void)state;
	assert_int_equal(sb_track_outputs_init(&a, 0, FRAMES, &err), SB_OK);
	assert_int_equal(sb_track_outputs_init(&b, 0, FRAMES, &err), SB_OK);
	assert_int_equal(sb_track_quality(&a, &b, 1.0, 1.0, &scratch, m), SB_TRACK_QUALITY_COUNT);
	for (int i = 0; i < 7; i++)
		assert_string_equal(m[i].value.absent, "no tracks");
	for (int i = 7; i < SB_TRACK_QUALITY_COUNT; i++)
		assert_null(m[i].value.absent);
	sb_track_outputs_release(&a);
	sb_track_outputs_release(&b);
}

/* ---- the front end's ----------------------------------------------------------------------------------------- */

static void nothing_lost_in_the_front_end_is_overlooked(void **state)
{
	struct sb_front_outputs a, b;
	struct sb_measure m[SB_QUALITY_MAX];
	struct sb_error err;
	float scratch[3 * 2 * 2];
	int n;

	(void)state;
	assert_int_equal(sb_front_outputs_init(&a, 3, 2, 2, &err), SB_OK);
	assert_int_equal(sb_front_outputs_init(&b, 3, 2, 2, &err), SB_OK);
	b.conf[1] = NAN;
	b.c2w[16] = b.c2w[16 + 3] = NAN;
	b.k[9] = NAN;
	n = sb_front_quality(&a, &b, scratch, m);
	for (int i = 2; i < n - 1; i++) {
		if (!m[i].value.absent)
			fail_msg("%s is %g", m[i].name, m[i].value.v);
		assert_string_equal(m[i].value.absent, "not finite");
	}
	sb_front_outputs_release(&a);
	sb_front_outputs_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_nearest_ranks),
		cmocka_unit_test_setup_teardown(equal_results_have_no_drift, set_up, tear_down),
		cmocka_unit_test_setup_teardown(xy_is_a_distance_in_the_networks_pixels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(depth_is_relative_to_the_reference, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		        points_are_relative_to_their_distance_from_the_camera, set_up, tear_down),
		cmocka_unit_test_setup_teardown(visibility_counts_changes_in_both_directions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cameras_are_judged_by_their_largest_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		        the_extent_of_a_path_does_not_hang_on_where_it_begins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_camera_that_does_not_move_has_no_extent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(points_that_are_lost_count_as_far_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(points_that_are_not_there_are_not_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_lost_camera_is_not_overlooked, set_up, tear_down),
		cmocka_unit_test(without_tracks_there_are_still_cameras),
		cmocka_unit_test(nothing_lost_in_the_front_end_is_overlooked),
	};
	return cmocka_run_group_tests_name("track_quality", tests, NULL, NULL);
}
