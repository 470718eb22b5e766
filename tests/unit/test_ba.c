/*
 * Bundle adjustment against scipy's optimum of the same planted scenes (data/ba_scenes.txt, made by
 * tools/ba_reference.py), its parts against plain loops, and what must not break it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "ba_expected.h"
#include "ba_internal.h"

#define LARGE 1000 /* points: scenes that take seconds under a sanitizer */

/* The reference's settings but for the trust region, which may open as far as it likes: goes to the optimum. */
static struct sb_ba_options to_the_end(void)
{
	struct sb_ba_options o = sb_ba_options_converge;

	o.function_tol = 1e-12;
	o.max_iterations = 300;
	return o;
}

static struct sb_ba_result solve(struct ba_scene *s, const struct sb_ba_options *options)
{
	struct sb_ba_result r;
	struct sb_error err;
	struct sb_ba *ba = NULL;

	assert_int_equal(sb_ba_open(s->problem.frames, s->problem.points, &ba, &err), SB_OK);
	sb_ba_solve(ba, &s->problem, options, &r);
	sb_ba_close(ba);
	return r;
}

static const struct ba_scene_kind *kind_named(const char *name)
{
	for (size_t i = 0; i < BA_SCENE_KINDS; i++)
		if (strcmp(ba_scene_kinds[i].name, name) == 0)
			return &ba_scene_kinds[i];
	SB_BUG("no scene '%s'", name);
}

static struct ba_scene scene_named(const char *name)
{
	return ba_scene_new(kind_named(name));
}

/* A small scene without noise, wrong observations or gaps. */
static struct ba_scene clean_scene(int64_t frames, int64_t points)
{
	struct ba_scene_kind k = *kind_named("three");

	k.frames = frames;
	k.points = points;
	k.noise = k.wrong = 0.0;
	k.turn = 20.0;
	return ba_scene_new(&k);
}

static void assert_finite(const struct ba_scene *s, const struct sb_ba_result *r)
{
	for (int64_t t = 0; t < s->problem.frames; t++) {
		double length = 0.0;

		for (int i = 0; i < 4; i++)
			length += s->problem.pose[t].q[i] * s->problem.pose[t].q[i];
		for (int i = 0; i < 3; i++)
			assert_true(isfinite(s->problem.pose[t].t[i]));
		assert_true(fabs(length - 1.0) < 1e-9);
	}
	if (r->outcome != SB_BA_SKIPPED) {
		assert_true(isfinite(r->cost) && r->cost <= r->cost_start);
		for (int64_t i = 0; i < s->problem.points * 3; i++)
			assert_true(isfinite(s->problem.xyz[i]));
	}
}

/* ---- stored numbers ------------------------------------------------------------------------------------------- */

typedef void expected_fn(const struct expected *e, struct ba_scene *s);

static void for_each_expected(expected_fn *fn)
{
	FILE *f = fopen("data/ba_scenes.txt", "r");
	struct expected e;
	size_t n = 0;

	assert_non_null(f);
	for (; read_expected(f, &e); n++) {
		struct ba_scene s = scene_named(e.name);

		assert_int_equal(e.frames, s.problem.frames);
		assert_int_equal(e.points, s.problem.points);
		fn(&e, &s);
		ba_scene_free(&s);
	}
	fclose(f);
	assert_int_equal(n, BA_SCENE_KINDS);
}

/* How far a solution is from scipy's. */
static struct difference against(const struct expected *e, const struct ba_scene *s, const struct sb_ba_result *r)
{
	struct difference d = compare(s->problem.pose, e->pose, e->frames);

	print_message(
	        "%s: %s after %d steps, cost / scipy's - 1 = %.1e, differences of %.1e degrees, %.1e of the way\n",
	        e->name, sb_ba_outcome_names[r->outcome], r->iterations, r->cost / e->cost - 1.0, d.degrees,
	        d.position);
	assert_int_equal(r->observations, e->observations);
	assert_true(fabs(r->cost_start / e->cost_start - 1.0) < 1e-10);
	assert_finite(s, r);
	return d;
}

static int is_rough(const struct expected *e)
{
	return strncmp(e->name, "rough", 5) == 0;
}

static void check_optimum(const struct expected *e, struct ba_scene *s)
{
	struct sb_ba_options o = to_the_end();
	struct sb_ba_result r;
	struct difference d;

	if (e->points >= LARGE || is_rough(e))
		return; /* the next test will do for large scenes, in fewer steps */
	r = solve(s, &o);
	d = against(e, s, &r);
	assert_int_equal(r.outcome, SB_BA_CONVERGED);
	assert_true(fabs(r.cost / e->cost - 1.0) < 1e-9);
	assert_true(d.degrees < 1e-3);
	assert_true(d.position < 1e-4);
}

static void planted_scenes_end_at_scipys_optimum(void **state)
{
	(void)state;
	for_each_expected(check_optimum);
}

/* With the tolerances as they are. */
static void check_converge(const struct expected *e, struct ba_scene *s)
{
	struct sb_ba_result r;
	struct difference d;

	if (is_rough(e))
		return;
	r = solve(s, &sb_ba_options_converge);
	d = against(e, s, &r);
	assert_int_equal(r.outcome, SB_BA_CONVERGED);
	assert_true(fabs(r.cost / e->cost - 1.0) < 1e-3);
	assert_true(d.degrees < 0.1);
	assert_true(d.position < 2e-3);
}

static void an_open_trust_region_ends_there_with_the_references_tolerances(void **state)
{
	(void)state;
	for_each_expected(check_converge);
}

/* A trust radius of 10 at most makes weakly determined directions slow: the reference's settings stop short. */
static void check_reference_settings(const struct expected *e, struct ba_scene *s)
{
	struct sb_ba_result r;

	if (e->points >= LARGE)
		return; /* test_ba_perf.c */
	r = solve(s, &sb_ba_options_reference);
	against(e, s, &r);
	assert_int_equal(r.iterations, e->lm_iterations);
	assert_true(fabs(r.cost / e->lm_cost - 1.0) < 1e-8);
}

static void reference_settings_stop_where_an_independent_solver_with_them_stops(void **state)
{
	(void)state;
	for_each_expected(check_reference_settings);
}

/* ---- exactness, and what is fixed ----------------------------------------------------------------------------- */

static void exact_observations_bring_back_the_planted_cameras(void **state)
{
	static const int64_t frames[] = { 2, 3, 4, 5, 6, 9 }; /* around the edges of a panel of 4 frames */

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(frames); i++) {
		struct ba_scene s = clean_scene(frames[i], 65);
		struct sb_ba_options o = to_the_end();
		struct sb_ba_result r = solve(&s, &o);
		struct difference d = compare(s.problem.pose, s.true_pose, frames[i]);

		/* Observations are float: rounded to 1e-5 px. */
		assert_true(r.cost < 1e-7 && d.degrees < 1e-4 && d.position < 1e-5);
		ba_scene_free(&s);
	}
}

static void first_frame_and_points_out_of_the_problem_stay(void **state)
{
	struct ba_scene s = clean_scene(5, 80);
	double far[3], once[3], bad[3];
	struct sb_pose first;
	struct sb_ba_result r;
	int64_t T = s.problem.frames;

	(void)state;
	for (int i = 0; i < 4; i++)
		s.problem.pose[0].q[i] *= 1.5; /* any length will do */
	s.problem.xyz[3 * 3 + 1] = SB_BA_FAR;
	s.problem.xyz[7 * 3] = NAN;
	for (int64_t t = 1; t < T; t++)
		s.seen[(9 * T + t) * 2] = s.seen[(9 * T + t) * 2 + 1] = NAN;
	memcpy(&first, &s.problem.pose[0], sizeof(first));
	memcpy(far, s.problem.xyz + 9, sizeof(far));
	memcpy(bad, s.problem.xyz + 21, sizeof(bad));
	memcpy(once, s.problem.xyz + 27, sizeof(once));
	r = solve(&s, &sb_ba_options_reference);
	assert_int_equal(r.points, 77);
	assert_int_equal(r.observations, 77 * T);
	assert_int_equal(r.dropped, 0);
	assert_memory_equal(&first, &s.problem.pose[0], sizeof(first));
	assert_memory_equal(far, s.problem.xyz + 9, sizeof(far));
	assert_memory_equal(bad, s.problem.xyz + 21, sizeof(bad));
	assert_memory_equal(once, s.problem.xyz + 27, sizeof(once));
	ba_scene_free(&s);
}

/* A point just below the limit takes part, and a negative coordinate of any size (the rule is one-sided). */
static void far_points_are_those_with_a_coordinate_of_3000_or_more(void **state)
{
	struct ba_scene s = clean_scene(3, 60);
	struct sb_ba_result r;

	(void)state;
	s.problem.xyz[0] = 2999.0;
	s.problem.xyz[4] = -4000.0;
	s.problem.xyz[8] = 3000.0;
	r = solve(&s, &sb_ba_options_reference);
	assert_int_equal(r.points, 59);
	assert_finite(&s, &r);
	ba_scene_free(&s);
}

static void fewer_than_50_points_change_nothing(void **state)
{
	(void)state;
	for (int64_t points = 49; points <= 50; points++) {
		struct ba_scene s = clean_scene(4, points), before = clean_scene(4, points);
		struct sb_ba_result r = solve(&s, &sb_ba_options_reference);

		if (points == 49) {
			assert_int_equal(r.outcome, SB_BA_SKIPPED);
			assert_int_equal(r.iterations, 0);
			assert_true(isnan(r.cost));
			assert_memory_equal(s.problem.pose, before.problem.pose, 4 * sizeof(struct sb_pose));
			assert_memory_equal(s.problem.xyz, before.problem.xyz, 49 * 3 * sizeof(double));
		} else {
			assert_int_not_equal(r.outcome, SB_BA_SKIPPED);
			assert_true(r.cost < 1e-3 * r.cost_start);
		}
		ba_scene_free(&s);
		ba_scene_free(&before);
	}
}

static void one_frame_changes_nothing(void **state)
{
	struct ba_scene s = clean_scene(2, 60);
	struct sb_ba_result r;

	(void)state;
	s.problem.frames = 1;
	r = solve(&s, &sb_ba_options_reference);
	assert_int_equal(r.outcome, SB_BA_SKIPPED);
	ba_scene_free(&s);
}

static void broken_observations_are_as_if_they_were_not_there(void **state)
{
	struct ba_scene s = scene_named("three"), gone = scene_named("three");
	struct sb_ba_result r, g;

	(void)state;
	for (int64_t n = 0; n < 30; n++) {
		float *a = s.seen + (n * 3 + n % 3) * 2, *b = gone.seen + (n * 3 + n % 3) * 2;

		a[n % 2] = n % 4 < 2 ? NAN : INFINITY;
		b[0] = b[1] = NAN;
	}
	r = solve(&s, &sb_ba_options_reference);
	g = solve(&gone, &sb_ba_options_reference);
	assert_int_equal(r.dropped, 30);
	assert_int_equal(g.dropped, 0);
	assert_int_equal(r.observations, 330);
	assert_true(r.cost == g.cost);
	assert_memory_equal(s.problem.pose, gone.problem.pose, 3 * sizeof(struct sb_pose));
	ba_scene_free(&s);
	ba_scene_free(&gone);
}

static void frame_that_sees_nothing_stays(void **state)
{
	struct ba_scene s = clean_scene(5, 60);
	struct sb_ba_options o = to_the_end();
	struct sb_pose before = s.problem.pose[2];
	struct sb_ba_result r;

	(void)state;
	for (int64_t n = 0; n < 60; n++)
		s.seen[(n * 5 + 2) * 2] = s.seen[(n * 5 + 2) * 2 + 1] = NAN;
	r = solve(&s, &o);
	assert_true(r.cost < 1e-7);
	assert_true(rotation_degrees(&before, &s.problem.pose[2]) < 1e-10);
	for (int i = 0; i < 3; i++)
		assert_true(before.t[i] == s.problem.pose[2].t[i]);
	ba_scene_free(&s);
}

/* ---- what must not break it ----------------------------------------------------------------------------------- */

static void points_behind_the_cameras_project_like_others(void **state)
{
	struct ba_scene s = clean_scene(4, 100);
	struct sb_ba_result r;

	(void)state;
	for (int64_t n = 0; n < 100; n += 5)
		for (int i = 0; i < 3; i++)
			s.problem.xyz[n * 3 + i] *= -1.0;
	r = solve(&s, &sb_ba_options_reference);
	assert_int_equal(r.points, 100);
	assert_finite(&s, &r);
	ba_scene_free(&s);
}

/* The start has them behind the first camera, the observations too: a solution with negative depth is a solution. */
static void a_whole_scene_behind_the_cameras_is_solved(void **state)
{
	struct ba_scene s = clean_scene(4, 100);
	struct sb_ba_options o = to_the_end();
	struct sb_ba_result r;

	(void)state;
	/* x -> -x, t -> -t leaves every projection as it is. */
	for (int64_t i = 0; i < 300; i++)
		s.problem.xyz[i] *= -1.0;
	for (int t = 0; t < 4; t++)
		for (int i = 0; i < 3; i++)
			s.problem.pose[t].t[i] *= -1.0;
	r = solve(&s, &o);
	assert_true(r.cost < 1e-7);
	ba_scene_free(&s);
}

static void points_on_a_cameras_plane_are_dropped_there(void **state)
{
	struct ba_scene s = clean_scene(3, 60);
	struct sb_ba_result r;

	(void)state;
	s.problem.xyz[2] = s.problem.xyz[5] = 0.0; /* frame 0 looks along z from the origin */
	r = solve(&s, &sb_ba_options_reference);
	assert_int_equal(r.dropped, 2);
	assert_int_equal(r.points, 60);
	assert_finite(&s, &r);
	ba_scene_free(&s);
}

static void points_that_coincide_do_no_harm(void **state)
{
	struct ba_scene s = scene_named("three");
	struct sb_ba_result r;

	(void)state;
	for (int64_t n = 1; n < s.problem.points; n++) {
		memcpy(s.problem.xyz + n * 3, s.problem.xyz, 3 * sizeof(double));
		memcpy(s.seen + n * 6, s.seen, 6 * sizeof(float));
	}
	r = solve(&s, &sb_ba_options_reference);
	assert_finite(&s, &r);
	assert_true(r.cost < 1e-3 * r.cost_start + 1e-6);
	ba_scene_free(&s);
}

static void cameras_that_coincide_do_no_harm(void **state)
{
	struct sb_ba_options options[] = { sb_ba_options_reference, to_the_end() };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(options); i++) {
		struct ba_scene s = clean_scene(6, 60);
		struct sb_ba_result r;

		for (int64_t t = 0; t < 6; t++)
			s.problem.pose[t] = s.true_pose[0];
		for (int64_t n = 0; n < 60; n++)
			for (int64_t t = 1; t < 6; t++)
				memcpy(s.seen + (n * 6 + t) * 2, s.seen + n * 12, 2 * sizeof(float));
		r = solve(&s, &options[i]);
		assert_finite(&s, &r);
		assert_true(r.cost <
		            1e-2 * r.cost_start); /* moved by 0 translations only: the reference's settings crawl */
		ba_scene_free(&s);
	}
}

static void absurd_numbers_give_no_nan(void **state)
{
	static const float px[] = { 1e30f, -3e38f, 1e-38f };
	static const double focal[] = { 0.0, 1e-300, 1e300, -450.0, NAN, INFINITY };
	struct ba_scene s;
	struct sb_ba_result r;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(px); i++) {
		s = scene_named("three");
		for (int n = 0; n < 40; n++)
			s.seen[n * 5] = px[i];
		r = solve(&s, &sb_ba_options_reference);
		assert_finite(&s, &r);
		ba_scene_free(&s);
	}
	for (size_t i = 0; i < SB_ARRAY_LEN(focal); i++) {
		s = scene_named("three");
		s.intrinsics[3] = focal[i];
		r = solve(&s, &sb_ba_options_reference);
		assert_finite(&s, &r);
		ba_scene_free(&s);
	}
	for (int e = -200; e <= 200; e += 100) {
		s = scene_named("three");
		for (int n = 0; n < 90; n++)
			s.problem.xyz[n] = -ldexp(1.0 + n, e);
		r = solve(&s, &sb_ba_options_reference);
		assert_finite(&s, &r);
		ba_scene_free(&s);
	}
}

static void poses_that_are_not_finite_are_left_alone(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct ba_scene s = scene_named("three");
		struct sb_ba_result r;

		if (i == 0)
			s.problem.pose[1].t[1] = NAN;
		else if (i == 1)
			s.problem.pose[2].q[0] = INFINITY;
		else
			memset(s.problem.pose[1].q, 0, sizeof(s.problem.pose[1].q));
		r = solve(&s, &sb_ba_options_reference);
		assert_int_equal(r.outcome, SB_BA_SKIPPED);
		ba_scene_free(&s);
	}
}

static void limit_of_steps_is_kept_and_the_best_comes_back(void **state)
{
	struct sb_ba_options o = sb_ba_options_reference, none = o;
	double last = INFINITY;
	int rises = 0;

	(void)state;
	none.max_iterations = 0;
	for (int n = 0; n <= 40; n++) {
		struct ba_scene s = scene_named("rough3"); /* costs rise in between */
		struct sb_ba_result r;

		o.max_iterations = n;
		r = solve(&s, &o);
		assert_int_equal(r.iterations, n);
		assert_int_equal(r.outcome, SB_BA_LIMIT);
		assert_true(r.cost <= last);
		rises += r.cost == last;
		last = r.cost;
		/* Poses and points are those of that cost. */
		assert_true(fabs(solve(&s, &none).cost / r.cost - 1.0) < 1e-12);
		ba_scene_free(&s);
	}
	assert_true(rises > 0 && rises < 30);
}

/* ---- any number of threads ------------------------------------------------------------------------------------ */

static void bits_do_not_depend_on_the_number_of_threads(void **state)
{
	struct ba_scene first = scene_named("window");
	struct sb_ba_options o = sb_ba_options_reference;
	int before = omp_get_max_threads();
	struct sb_ba_result want;

	(void)state;
	o.max_iterations = 12;
	omp_set_num_threads(1);
	want = solve(&first, &o);
	for (int threads = 2; threads <= 5; threads++) {
		struct ba_scene s = scene_named("window");
		struct sb_ba_result got;

		omp_set_num_threads(threads);
		got = solve(&s, &o);
		assert_true(got.cost == want.cost);
		assert_memory_equal(
		        s.problem.pose, first.problem.pose, (size_t)s.problem.frames * sizeof(struct sb_pose));
		assert_memory_equal(s.problem.xyz, first.problem.xyz, (size_t)s.problem.points * 3 * sizeof(double));
		ba_scene_free(&s);
	}
	omp_set_num_threads(before);
	ba_scene_free(&first);
}

static void memory_left_by_another_problem_does_not_matter(void **state)
{
	struct ba_scene big = scene_named("window"), small = scene_named("plane"), alone = scene_named("plane");
	struct sb_ba_options o = sb_ba_options_reference;
	struct sb_ba_result got, want;
	struct sb_error err;
	struct sb_ba *ba = NULL;

	(void)state;
	o.max_iterations = 5;
	assert_int_equal(sb_ba_open(24, 756, &ba, &err), SB_OK);
	sb_ba_solve(ba, &big.problem, &o, &got);
	sb_ba_solve(ba, &small.problem, &o, &got);
	want = solve(&alone, &o);
	assert_true(got.cost == want.cost);
	assert_memory_equal(small.problem.pose, alone.problem.pose, 12 * sizeof(struct sb_pose));
	sb_ba_close(ba);
	ba_scene_free(&big);
	ba_scene_free(&small);
	ba_scene_free(&alone);
}

/* ---- the reduced system --------------------------------------------------------------------------------------- */

/* S d = -g against Gaussian elimination of B - W W' in plain loops; a third of the blocks of W empty. */
static void check_reduced(int64_t frames, int64_t points)
{
	int64_t n = 6 * (frames - 1), rows = n + 1, panels = n / SB_BA_PANEL + 1, columns = 3 * points;
	int64_t groups = (points + SB_BA_GROUP - 1) / SB_BA_GROUP;
	struct sb_ba_reduced r = { .n = n,
		.panels = panels,
		.columns = columns,
		.groups = groups,
		.w = ba_zeroed(panels * columns * SB_BA_PANEL, sizeof(double)),
		.used = ba_zeroed(panels * groups, 1),
		.s = ba_zeroed(panels * panels * SB_BA_PANEL * SB_BA_PANEL, sizeof(double)) };
	double *s = ba_zeroed(rows * rows, sizeof(double)), *d = ba_zeroed(n, sizeof(double)), worst = 0.0;
	uint64_t seed = (uint64_t)(frames * 1000 + points);

	for (int64_t p = 0; p < panels; p++)
		for (int64_t g = 0; g < groups; g++) {
			int64_t end = (g + 1) * SB_BA_GROUP * 3 < columns ? (g + 1) * SB_BA_GROUP * 3 : columns;

			r.used[p * groups + g] = (p + g) % 3 > 0;
			for (int64_t k = g * SB_BA_GROUP * 3; (p + g) % 3 > 0 && k < end; k++)
				for (int64_t i = 0; i < SB_BA_PANEL && p * SB_BA_PANEL + i < rows; i++)
					r.w[(p * columns + k) * SB_BA_PANEL + i] = sb_random_unit(&seed) - 0.5;
		}
	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j <= i && j < n; j++) {
			double v = sb_random_unit(&seed) + (i == j ? (double)(n + columns) : 0.0);
			const double *a = r.w + i / SB_BA_PANEL * columns * SB_BA_PANEL + i % SB_BA_PANEL;
			const double *b = r.w + j / SB_BA_PANEL * columns * SB_BA_PANEL + j % SB_BA_PANEL;

			*sb_ba_element(&r, i, j) = v;
			for (int64_t k = 0; k < columns; k++)
				v -= a[k * SB_BA_PANEL] * b[k * SB_BA_PANEL];
			s[i * rows + j] = v;
			if (i < n)
				s[j * rows + i] = v;
		}
	sb_ba_subtract_ww(&r);
	assert_true(sb_ba_factorise(&r));
	sb_ba_back_substitute(&r, d);
	for (int64_t i = 0; i < n; i++) {
		double left = s[n * rows + i]; /* g */

		for (int64_t j = 0; j < n; j++)
			left += s[i * rows + j] * d[j];
		worst = fmax(worst, fabs(left));
	}
	assert_true(worst < 1e-12 * (double)(columns + n));
	free(r.w);
	free(r.used);
	free(r.s);
	free(s);
	free(d);
}

static void reduced_systems_of_all_sizes_are_solved(void **state)
{
	static const int64_t frames[] = { 2, 4, 5, 6, 8, 9, 10, 17, 31 }, points[] = { 1, 31, 32, 33, 70 };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(frames); i++)
		for (size_t j = 0; j < SB_ARRAY_LEN(points); j++)
			check_reduced(frames[i], points[j]);
}

static void system_that_is_not_positive_definite_is_refused(void **state)
{
	double w[SB_BA_PANEL * 3] = { 0 }, s[SB_BA_PANEL * SB_BA_PANEL] = { 0 };
	uint8_t used[1] = { 1 };
	struct sb_ba_reduced r = { .n = 6, .panels = 1, .columns = 3, .groups = 1, .w = w, .used = used, .s = s };

	(void)state;
	for (int64_t k = 0; k < 18; k++) {
		static const double bad[] = { 0.0, -1.0, NAN };

		memset(s, 0, sizeof(s));
		for (int64_t i = 0; i < 6; i++)
			*sb_ba_element(&r, i, i) = i == k / 3 ? bad[k % 3] : 1.0;
		assert_false(sb_ba_factorise(&r));
	}
}

/* ---- poses ---------------------------------------------------------------------------------------------------- */

static void poses_survive_the_way_to_a_matrix_and_back(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct sb_pose p = { { 0, 0, 0, 1 }, { 0 } }, back;
		struct sb_error err;
		double m[16];

		ba_shake(&p, i < 20 ? 180.0 : 360.0 * sb_random_unit(&seed), 3.0, &seed);
		sb_pose_to_c2w(&p, m);
		assert_int_equal(sb_pose_of_c2w(m, &back, &err), SB_OK);
		assert_true(rotation_degrees(&p, &back) < 1e-12);
		for (int c = 0; c < 3; c++)
			assert_true(fabs(p.t[c] - back.t[c]) < 1e-13);
	}
}

static void matrices_that_are_no_cameras_are_refused(void **state)
{
	double m[16] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 };
	struct sb_pose p = { { 7, 7, 7, 7 }, { 7, 7, 7 } };
	struct sb_error err;

	(void)state;
	m[3] = NAN;
	assert_int_equal(sb_pose_of_c2w(m, &p, &err), SB_E_DATA);
	m[3] = 0.0;
	m[0] = INFINITY;
	assert_int_equal(sb_pose_of_c2w(m, &p, &err), SB_E_DATA);
	m[0] = 0.0;
	assert_int_equal(sb_pose_of_c2w(m, &p, &err), SB_E_DATA);
	assert_true(p.q[0] == 7.0 && p.t[2] == 7.0);
}

static void a_matrix_that_is_nearly_a_rotation_becomes_one(void **state)
{
	double m[16], again[16];
	struct sb_pose p = { { 0, 0, 0, 1 }, { 1, 2, 3 } }, back;
	struct sb_error err;
	uint64_t seed = 2;

	(void)state;
	ba_shake(&p, 70.0, 0.0, &seed);
	sb_pose_to_c2w(&p, m);
	for (int i = 0; i < 12; i++)
		m[i] *= 1.0 + 0.004 * (sb_random_unit(&seed) - 0.5); /* as bfloat16 rounds */
	assert_int_equal(sb_pose_of_c2w(m, &back, &err), SB_OK);
	assert_true(rotation_degrees(&p, &back) < 0.3);
	/* t = -inverse(M) centre, the inverse of the matrix as it came. */
	sb_pose_to_c2w(&back, again);
	for (int i = 0; i < 3; i++)
		assert_true(fabs(again[i * 4 + 3] - m[i * 4 + 3]) < 0.03);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(planted_scenes_end_at_scipys_optimum),
		cmocka_unit_test(an_open_trust_region_ends_there_with_the_references_tolerances),
		cmocka_unit_test(reference_settings_stop_where_an_independent_solver_with_them_stops),
		cmocka_unit_test(exact_observations_bring_back_the_planted_cameras),
		cmocka_unit_test(first_frame_and_points_out_of_the_problem_stay),
		cmocka_unit_test(far_points_are_those_with_a_coordinate_of_3000_or_more),
		cmocka_unit_test(fewer_than_50_points_change_nothing),
		cmocka_unit_test(one_frame_changes_nothing),
		cmocka_unit_test(broken_observations_are_as_if_they_were_not_there),
		cmocka_unit_test(frame_that_sees_nothing_stays),
		cmocka_unit_test(points_behind_the_cameras_project_like_others),
		cmocka_unit_test(a_whole_scene_behind_the_cameras_is_solved),
		cmocka_unit_test(points_on_a_cameras_plane_are_dropped_there),
		cmocka_unit_test(points_that_coincide_do_no_harm),
		cmocka_unit_test(cameras_that_coincide_do_no_harm),
		cmocka_unit_test(absurd_numbers_give_no_nan),
		cmocka_unit_test(poses_that_are_not_finite_are_left_alone),
		cmocka_unit_test(limit_of_steps_is_kept_and_the_best_comes_back),
		cmocka_unit_test(bits_do_not_depend_on_the_number_of_threads),
		cmocka_unit_test(memory_left_by_another_problem_does_not_matter),
		cmocka_unit_test(reduced_systems_of_all_sizes_are_solved),
		cmocka_unit_test(system_that_is_not_positive_definite_is_refused),
		cmocka_unit_test(poses_survive_the_way_to_a_matrix_and_back),
		cmocka_unit_test(matrices_that_are_no_cameras_are_refused),
		cmocka_unit_test(a_matrix_that_is_nearly_a_rotation_becomes_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
