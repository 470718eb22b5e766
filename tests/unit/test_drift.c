/*
 * Samples that drift or have two modes. Expected values are SciPy 1.17's (kendalltau, exact), counts over all
 * permutations in Python, and the dips of the package diptest 0.12 (from the authors' own routine), each from the
 * numbers below; the normal samples are NumPy's, rounded.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sb_gate.h"

static const double rising[] = { 0.41, 0.52, 0.39, 0.67, 0.55, 0.71, 0.60, 0.83, 0.79, 0.92 };

static const double one_mode[] = { 0.346, 0.822, 0.33, -1.303, 0.905, 0.446, -0.537, 0.581, 0.365, 0.294, 0.028, 0.547,
	-0.736, -0.163, -0.482, 0.599, 0.04, -0.292, -0.782, -0.257, 0.008, -0.276, 1.294, 1.007, -2.711, -1.889,
	-0.175, -0.422, 0.214, 0.217 };
static const double two_near[] = { 0.057, -0.157, -0.124, -0.732, 0.54, 0.343, -0.098, 0.232, 0.084, -0.166, 0.293,
	-0.093, -0.099, -0.238, 2.612, 1.233, 2.125, 1.83, 1.864, 1.935, 1.394, 1.93, 1.74, 2.997 };
static const double heavy[] = { -0.993, 4.428, -1.841, -0.506, -1.319, 0.243, 0.259, -1.328, -1.769, -0.518, -0.334,
	1.173, 0.939, -0.004, 1.712, -0.678, -1.424, 0.166, 0.917, -0.581, 1.286, 2.046, -1.106, -0.702, -0.305, 11.478,
	-0.634, -1.159, 0.017, -1.772, -1.16, 0.542, 3.138, -0.02, -3.259, -0.825, 3.0, -1.243, -0.367, -1.172, -1.063,
	-1.046, 0.707, -2.115, -0.607, -4.944, -0.734, -0.003, 1.261, -2.04 };
static const double skewed[] = { 1.987, 0.75, 1.301, 0.529, 0.03, 0.434, 0.642, 0.115, 0.058, 1.001, 1.09, 1.166, 0.228,
	2.182, 1.432, 2.014, 0.518, 0.083, 0.438, 0.569, 2.122, 0.044, 0.129, 0.864, 0.355, 0.696, 1.188, 0.042, 1.773,
	0.001, 2.148, 0.929, 0.305, 0.696, 1.307, 0.517, 0.432, 1.081, 1.474, 0.365 };
static const double tied[] = { 1, 1, 1, 2, 2, 2, 2, 3, 3, 5, 5, 5, 5, 5, 6, 6 };
static const double two_far[] = { 0, 0.01, 0.02, 0.03, 0.04, 1, 1.01, 1.02, 1.03, 1.04 };

static void assert_near(double got, double want, double tolerance)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("%.15g is not %.15g (+- %g)", got, want, tolerance);
}

static void trend_has_the_exact_p_without_ties(void **state)
{
	static const double reversed[] = { 5, 4, 3, 2, 1, 6, 7, 8, 10, 9 };
	struct sb_trend t;

	(void)state;
	sb_sample_trend(rising, NULL, 10, &t);
	assert_true(t.exact && t.s == 33.0);
	assert_near(t.p, 0.002212852733686067, 1e-15);
	assert_near(t.slope, 0.0525, 1e-12);
	sb_sample_trend((const double[]){ 0, 1, 3, 7 }, NULL, 4, &t); /* slopes 1, 1.5, 2, 7/3, 3, 4 */
	assert_near(t.slope, 13.0 / 6, 1e-12);
	sb_sample_trend(reversed, NULL, 10, &t);
	assert_true(t.s == 23.0);
	assert_near(t.p, 0.04662257495590829, 1e-15);
	/* Kendall's table: n = 4, S = 6 has 1 of 24 orders a side; n = 5, S = 8 has 5 of 120 */
	sb_sample_trend((const double[]){ 1, 2, 3, 4 }, NULL, 4, &t);
	assert_near(t.p, 2.0 / 24, 1e-15);
	sb_sample_trend((const double[]){ 2, 1, 3, 4, 5 }, NULL, 5, &t);
	assert_near(t.p, 10.0 / 120, 1e-15);
}

static void trend_corrects_for_ties(void **state)
{
	static const double ties[] = { 1, 2, 2, 3, 1, 3, 3, 4 };
	static const double forty[] = { 0.0, 0.2, -0.1, -0.4, -0.1, -0.4, 0.2, 0.8, -0.1, -0.1, 0.4, 0.4, 0.3, -0.2,
		0.3, 0.6, -0.4, 0.1, -0.6, -0.3, -0.5, 0.3, -0.2, 0.6, 0.6, 0.4, -0.7, 0.3, 0.5, 0.6, -0.2, 0.4, 0.2,
		0.3, 1.2, 0.3, 0.7, 1.2, 0.5, 0.7 };
	struct sb_trend t;

	(void)state;
	sb_sample_trend(ties, NULL, 8, &t); /* over all 40320 permutations: variance 59.667, p 0.0333 */
	assert_true(!t.exact && t.s == 17.0);
	assert_near(t.p, 0.03832583001344678, 1e-14);
	sb_sample_trend(forty, NULL, 40, &t);
	assert_true(t.s == 233.0);
	assert_near(t.p, 0.006614288007262445, 1e-14);
}

static void exact_and_normal_p_agree_for_many_values(void **state)
{
	double x[65];
	struct sb_trend exact, normal;

	(void)state;
	for (int i = 0; i < 65; i++)
		x[i] = 0.01 * i + sin(37.0 * i);
	sb_sample_trend(x, NULL, 64, &exact);
	x[63] = x[62]; /* one tie: the other formula, nearly the same S */
	sb_sample_trend(x, NULL, 64, &normal);
	assert_true(exact.exact && !normal.exact);
	assert_near(normal.s, exact.s, 40.0);
	x[63] = 0.63 + sin(37.0 * 63);
	sb_sample_trend(x, NULL, 65, &normal);
	assert_true(!normal.exact && normal.p > 0.0 && normal.p < 1.0);
}

static void slope_is_per_unit_of_time(void **state)
{
	double x[20], t[20];
	struct sb_trend trend;

	(void)state;
	for (int i = 0; i < 20; i++) {
		t[i] = 0.5 * i * i + i;
		x[i] = 3.0 + 0.002 * t[i];
	}
	x[7] = 1000.0; /* one wild value moves nothing */
	sb_sample_trend(x, t, 20, &trend);
	assert_near(trend.slope, 0.002, 1e-9);
	assert_true(trend.p < 1e-6);
	for (int i = 0; i < 20; i++)
		x[i] = -x[i];
	sb_sample_trend(x, t, 20, &trend);
	assert_near(trend.slope, -0.002, 1e-9);
	assert_true(trend.s < 0.0 && trend.p < 1e-6);
}

static void dips_are_those_of_the_authors_routine(void **state)
{
	static const struct {
		const double *x;
		int n;
		double dip, p;
	} of[] = {
		{ one_mode, 30, 0.049341238471673265, 0.8584 },
		{ two_near, 24, 0.08451629863301786, 0.15835 },
		{ heavy, 50, 0.03786447638603696, 0.89705 },
		{ skewed, 40, 0.045625000000000006, 0.79345 },
		{ tied, 16, 0.1484375, 0.0018 },
		{ two_far, 10, 0.24, 0.0 },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(of); i++) {
		struct sb_dip d;

		sb_sample_dip(of[i].x, of[i].n, &d);
		assert_near(d.dip, of[i].dip, 1e-12);
		assert_near(d.p, of[i].p, 0.035); /* 2,000 samples against diptest's 20,000 */
	}
}

static void dip_does_not_depend_on_order_sign_or_scale(void **state)
{
	double x[30];
	struct sb_dip d;

	(void)state;
	for (int i = 0; i < 30; i++)
		x[i] = 7.0 - 4.0 * one_mode[(i * 7) % 30];
	sb_sample_dip(x, 30, &d);
	assert_near(d.dip, 0.049341238471673265, 1e-12);
}

/* 5 % apart, noise of 0.57 %: the processes of a machine with two modes. */
static void processes_of_two_modes_and_a_drifting_machine_are_named(void **state)
{
	double modes[24], drift[24], both[24];
	uint64_t seed = 5;
	struct sb_sample_flaws f;

	(void)state;
	for (int i = 0; i < 24; i++) {
		double noise = 0.0;

		for (int k = 0; k < 12; k++)
			noise += sb_random_unit(&seed) - 0.5;
		modes[i] = 0.0057 * noise + (sb_random_unit(&seed) < 0.5 ? 0.05 : 0.0);
		drift[i] = 0.002 * noise + 0.001 * i;
		both[i] = modes[i] + 0.004 * i;
	}
	sb_sample_look(modes, NULL, 24, &f);
	assert_true(f.bimodal && !f.drifts);
	sb_sample_look(drift, NULL, 24, &f);
	assert_true(f.drifts && !f.bimodal);
	assert_near(f.trend.slope, 0.001, 3e-4);
	sb_sample_look(both, NULL, 24, &f);
	assert_true(f.drifts && f.bimodal);
	sb_sample_look(heavy, NULL, 50, &f);
	assert_true(!f.drifts && !f.bimodal);
	sb_sample_look(one_mode, NULL, 30, &f);
	assert_true(!f.drifts && !f.bimodal);
}

static void good_samples_are_seldom_named(void **state)
{
	uint64_t seed = 11;
	int drifts = 0, bimodal = 0;

	(void)state;
	for (int k = 0; k < 400; k++) {
		struct sb_sample_flaws f;
		double x[12];

		for (int i = 0; i < 12; i++)
			x[i] = sb_random_unit(&seed) + sb_random_unit(&seed);
		sb_sample_look(x, NULL, 12, &f);
		drifts += f.drifts;
		bimodal += f.bimodal;
	}
	assert_in_range(drifts, 0, 12); /* 1 % of 400 and four standard deviations */
	assert_in_range(bimodal, 0, 12);
}

static void hostile_samples_are_no_result(void **state)
{
	static const double bad[] = { NAN, INFINITY, -INFINITY };
	static const double same[] = { 5, 5, 5, 5, 5, 5, 5, 5 };
	double x[SB_SAMPLE_MAX];
	struct sb_trend t;
	struct sb_dip d;
	struct sb_sample_flaws f;

	(void)state;
	for (int n = 0; n < 4; n++) {
		sb_sample_look(rising, NULL, n, &f);
		assert_true(!f.drifts && !f.bimodal && f.trend.p == 1.0 && f.dip.p == 1.0);
		assert_true(isnan(f.trend.slope) == (n < 2) && isnan(f.dip.dip) == (n < 1));
	}
	for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
		double y[] = { 1, 2, 3, 4, bad[i], 6, 7, 8 };

		sb_sample_look(y, NULL, 8, &f);
		assert_true(!f.drifts && !f.bimodal && isnan(f.trend.p) && isnan(f.dip.p) && isnan(f.dip.dip));
		sb_sample_trend(rising, y, 8, &t);
		assert_true(isnan(t.p) && isnan(t.slope));
	}
	sb_sample_trend(rising, same, 8, &t); /* time stands still */
	assert_true(isnan(t.p));
	sb_sample_trend(same, NULL, 8, &t);
	assert_true(t.s == 0.0 && t.p == 1.0 && t.slope == 0.0);
	sb_sample_dip(same, 8, &d);
	assert_true(d.dip == 1.0 / 16 && d.p == 1.0);
	for (int i = 0; i < SB_SAMPLE_MAX; i++)
		x[i] = i % 2 ? 1e300 : -1e300;
	sb_sample_trend(x, NULL, SB_SAMPLE_MAX, &t);
	assert_true(isfinite(t.p));
	sb_sample_dip(x, SB_SAMPLE_MAX, &d);
	assert_near(d.dip, 0.25, 0.01);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trend_has_the_exact_p_without_ties),
		cmocka_unit_test(trend_corrects_for_ties),
		cmocka_unit_test(exact_and_normal_p_agree_for_many_values),
		cmocka_unit_test(slope_is_per_unit_of_time),
		cmocka_unit_test(dips_are_those_of_the_authors_routine),
		cmocka_unit_test(dip_does_not_depend_on_order_sign_or_scale),
		cmocka_unit_test(processes_of_two_modes_and_a_drifting_machine_are_named),
		cmocka_unit_test(good_samples_are_seldom_named),
		cmocka_unit_test(hostile_samples_are_no_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
