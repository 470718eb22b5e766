/*
 * The gate: its design, its rule, its calibration. What it does on whole machines: tests/tools/gate_simulation.c.
 * Adjusted p-values are SciPy 1.17's false_discovery_control().
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sb_gate.h"

static void assert_near(double got, double want, double tolerance)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("%.15g is not %.15g (+- %g)", got, want, tolerance);
}

static struct sb_gate_design plan(int metrics, int max_pairs)
{
	struct sb_gate_options o = { .metrics = metrics, .max_pairs = max_pairs };
	struct sb_gate_design g;
	struct sb_error err;

	if (sb_gate_plan(&o, &g, &err))
		fail_msg("%s", err.msg);
	return g;
}

static void assert_refused(struct sb_gate_options o, const char *part)
{
	struct sb_gate_design g;
	struct sb_error err = { 0 };

	memset(&g, 0x5a, sizeof(g));
	assert_int_equal(sb_gate_plan(&o, &g, &err), SB_E_USAGE);
	if (!strstr(err.msg, part))
		fail_msg("'%s' is not in '%s'", part, err.msg);
	assert_int_equal(g.metrics, 0x5a5a5a5a); /* untouched */
}

/* ---- many metrics -------------------------------------------------------------------------------------------- */

/* The fifteen endpoints of a trial in Benjamini and Hochberg 1995, section 4.1, where four are rejected at 5 %. */
static const double trial[] = { 0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
	0.5719, 0.6528, 0.7590, 1.0 };

static void adjusted_p_are_those_of_the_paper(void **state)
{
	static const double bh[] = { 0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.06385714285714286, 0.06385714285714286,
		0.0645, 0.0765, 0.486, 0.5811818181818181, 0.714875, 0.7532307692307693, 0.8132142857142857, 1.0 };
	static const double by[] = { 0.004977343489843491, 0.009954686979686982, 0.03152317543567544,
		0.11821190788378289, 0.20008920829170831, 0.21189262285333718, 0.21189262285333718, 0.2140257700632701,
		0.25384451798201807, 1, 1, 1, 1, 1, 1 };
	double mixed[15], adjusted[15];
	int rejected = 0;

	(void)state;
	for (int i = 0; i < 15; i++)
		mixed[i] = trial[(7 * i) % 15];
	sb_gate_adjust(mixed, 15, SB_GATE_BH, adjusted);
	for (int i = 0; i < 15; i++) {
		assert_near(adjusted[i], bh[(7 * i) % 15], 1e-14);
		rejected += adjusted[i] <= 0.05;
	}
	assert_int_equal(rejected, 4);
	sb_gate_adjust(mixed, 15, SB_GATE_BY, adjusted);
	for (int i = 0; i < 15; i++)
		assert_near(adjusted[i], by[(7 * i) % 15], 1e-14);
}

static void adjusting_takes_missing_p_for_1(void **state)
{
	double p[] = { NAN, 0.01, NAN, 0.001 }, adjusted[4];

	(void)state;
	sb_gate_adjust(p, 4, SB_GATE_BH, adjusted);
	assert_true(adjusted[0] == 1.0 && adjusted[2] == 1.0);
	assert_near(adjusted[1], 0.02, 1e-15);
	assert_near(adjusted[3], 0.004, 1e-15);
	sb_gate_adjust(p, 1, SB_GATE_BH, adjusted);
	assert_true(adjusted[0] == 1.0);
	sb_gate_adjust(p, 0, SB_GATE_BH, adjusted);
}

/* ---- the design ---------------------------------------------------------------------------------------------- */

static void every_look_can_use_what_it_spends(void **state)
{
	(void)state;
	for (int metrics = 1; metrics <= SB_GATE_MAX_METRICS; metrics *= 2) {
		for (int max = 20; max <= SB_GATE_MAX_PAIRS; max++) {
			struct sb_gate_design g = plan(metrics, max);
			double alpha = 0.0, beta = 0.0;

			assert_int_equal(g.look[g.n_looks - 1].pairs, max);
			for (int k = 0; k < g.n_looks; k++) {
				const struct sb_gate_look *l = &g.look[k];

				assert_true(k == 0 || l->pairs > l[-1].pairs);
				assert_true(l->alpha == 0.0 || ldexp(1.0, -l->pairs) <= l->alpha / metrics);
				assert_true(l->beta == 0.0 || ldexp(1.0, -l->pairs) <= l->beta);
				alpha += l->alpha;
				beta += l->beta;
			}
			assert_near(alpha, 0.01, 1e-12);
			assert_near(beta, 0.05, 1e-12);
		}
	}
}

static void early_looks_spend_less_on_passing(void **state)
{
	struct sb_gate_design g = plan(1, 0);

	(void)state;
	assert_near(g.look[5].beta / g.look[0].beta, sqrt(64.0 / 8.0), 1e-12);
	assert_true(g.look[0].alpha == 0.0 && g.look[1].alpha == g.look[5].alpha);
}

static void designs_that_cannot_fail_or_pass_are_refused(void **state)
{
	(void)state;
	/* 0.01 / 8 = 0.00125: 2^-9 is above, 2^-10 below */
	assert_refused((struct sb_gate_options){ .metrics = 8, .max_pairs = 9 }, "can never fail");
	assert_refused((struct sb_gate_options){ .metrics = 8, .max_pairs = 9 }, "allow at least 10 pairs");
	assert_true(plan(8, 10).look[1].alpha > 0.0);
	/* by 1 + 1/2 + .. + 1/8 = 2.72 less: 11 pairs and a half */
	assert_refused(
	        (struct sb_gate_options){ .metrics = 8, .max_pairs = 11, .correction = SB_GATE_BY }, "at least 12");
	assert_refused((struct sb_gate_options){ .metrics = 1, .max_pairs = 4, .alpha = 0.5 }, "can never pass");
	assert_refused(
	        (struct sb_gate_options){ .metrics = 1, .max_pairs = 4, .alpha = 0.5 }, "allow at least 5 pairs");
	assert_refused((struct sb_gate_options){ .metrics = 1, .max_pairs = 1 }, "can never fail");
}

static void options_out_of_range_are_refused(void **state)
{
	(void)state;
	assert_refused((struct sb_gate_options){ .metrics = 0 }, "gate of 0 metrics");
	assert_refused((struct sb_gate_options){ .metrics = SB_GATE_MAX_METRICS + 1 }, "gate of 257 metrics");
	assert_refused((struct sb_gate_options){ .metrics = 1, .max_pairs = 65 }, "at most 64");
	assert_refused((struct sb_gate_options){ .metrics = 1, .max_pairs = -3 }, "at least 1");
	assert_refused((struct sb_gate_options){ .metrics = 1, .alpha = 0.6 }, "error rates");
	assert_refused((struct sb_gate_options){ .metrics = 1, .alpha = NAN }, "error rates");
	assert_refused((struct sb_gate_options){ .metrics = 1, .beta = -0.1 }, "error rates");
}

static void thresholds_are_fit_for_their_metric(void **state)
{
	struct sb_error err = { 0 };

	(void)state;
	assert_int_equal(sb_gate_check_threshold("total", 0.01, false, NULL), SB_OK);
	assert_int_equal(sb_gate_check_threshold("total", 1.0, false, NULL), SB_OK);
	assert_int_equal(sb_gate_check_threshold("memory", 0.0, true, NULL), SB_OK);
	assert_int_equal(sb_gate_check_threshold("total", 0.0, false, &err), SB_E_USAGE);
	assert_non_null(strstr(err.msg, "'total' is 0 %, so that it can never pass"));
	assert_int_equal(sb_gate_check_threshold("total", 1.5, false, &err), SB_E_USAGE);
	assert_non_null(strstr(err.msg, "'total' is 150 %"));
	assert_int_equal(sb_gate_check_threshold("memory", -0.1, true, &err), SB_E_USAGE);
	assert_int_equal(sb_gate_check_threshold("total", NAN, false, &err), SB_E_USAGE);
	assert_int_equal(sb_gate_check_threshold("total", INFINITY, true, &err), SB_E_USAGE);
}

/* ---- the rule ------------------------------------------------------------------------------------------------ */

/* Noise of about 0.5 % without ties, the same for everyone. */
static double noise(int i)
{
	return 0.007 * (fmod(0.6180339887498949 * (i + 1), 1.0) - 0.5);
}

struct one_metric {
	double d[SB_GATE_MAX_PAIRS];
	struct sb_gate_metric m;
};

/* A gate of one metric with this effect; returns the verdict, and the pairs at which it came in m.decided_at. */
static enum sb_gate_verdict gate_of(double effect, double threshold, struct one_metric *o)
{
	struct sb_gate_design g = plan(1, 0);

	memset(o, 0, sizeof(*o));
	o->m.d = o->d;
	o->m.threshold = threshold;
	for (int k = 0; k < g.n_looks && o->m.verdict == SB_GATE_OPEN; k++) {
		for (; o->m.n < g.look[k].pairs; o->m.n++)
			o->d[o->m.n] = noise(o->m.n) + effect;
		sb_gate_judge(&g, k, &o->m);
	}
	return o->m.verdict;
}

static void a_gate_stops_as_soon_as_it_can_tell(void **state)
{
	struct one_metric o;

	(void)state;
	/* at 8 pairs: 2^-8 = 0.0039 is more than the first 0.002 of alpha, and less than the first 0.0048 of beta */
	assert_int_equal(gate_of(0.0, 0.01, &o), SB_GATE_PASS);
	assert_int_equal(o.m.decided_at, 8);
	assert_int_equal(gate_of(0.02, 0.01, &o), SB_GATE_FAIL);
	assert_int_equal(o.m.decided_at, 12);
	assert_int_equal(gate_of(-0.3, 0.01, &o), SB_GATE_PASS); /* faster is no regression */
	assert_int_equal(o.m.decided_at, 8);
}

static void a_real_effect_below_the_threshold_passes(void **state)
{
	struct one_metric o;

	(void)state;
	assert_int_equal(gate_of(0.004, 0.02, &o), SB_GATE_PASS);
	assert_true(gate_of(0.0085, 0.01, &o) == SB_GATE_PASS); /* shown to be above 0, and to be below 1 % */
	assert_true(o.m.decided_at == 24 && o.m.p == ldexp(1.0, -24));
}

static void an_effect_at_its_threshold_stays_open(void **state)
{
	struct one_metric o;

	(void)state;
	/* the noise is a little above 0 where the gate looks: the estimate stays just below, the upper bound above */
	assert_int_equal(gate_of(0.0095, 0.01, &o), SB_GATE_OPEN);
	assert_true(o.m.n == 64 && o.m.decided_at == 0 && o.m.p < 1e-6 && o.m.p_pass > 0.05);
	assert_int_equal(gate_of(0.0105, 0.01, &o), SB_GATE_FAIL);
}

static void a_gate_without_noise_decides(void **state)
{
	struct sb_gate_design g = plan(1, 0);
	double same[12] = { 0 }, slower[12];
	struct sb_gate_metric m = { .d = same, .n = 8, .threshold = 0.01 };

	(void)state;
	sb_gate_judge(&g, 0, &m);
	assert_true(m.verdict == SB_GATE_PASS && m.p == 1.0);
	for (int i = 0; i < 12; i++)
		slower[i] = log(1.02);
	m = (struct sb_gate_metric){ .d = slower, .n = 12, .threshold = 0.01 };
	sb_gate_judge(&g, 1, &m);
	assert_true(m.verdict == SB_GATE_FAIL && m.p == ldexp(1.0, -12));
}

static void a_verdict_stays(void **state)
{
	struct sb_gate_design g = plan(1, 0);
	double d[16];
	struct sb_gate_metric m = { .d = d, .n = 8, .threshold = 0.01 };

	(void)state;
	for (int i = 0; i < 16; i++)
		d[i] = noise(i);
	sb_gate_judge(&g, 0, &m);
	for (int i = 0; i < 16; i++)
		d[i] += 0.5;
	m.n = 16;
	sb_gate_judge(&g, 2, &m);
	assert_true(m.verdict == SB_GATE_PASS && m.decided_at == 8 && m.p < 1e-4);
}

static void a_look_that_comes_early_keeps_its_level(void **state)
{
	struct sb_gate_design g = plan(1, 0);
	double d[13];
	struct sb_gate_metric m = { .d = d, .threshold = 0.01 };
	struct sb_rank_test t;

	(void)state;
	for (int i = 0; i < 13; i++)
		d[i] = noise(i) + 0.02;
	for (int n = 8; n <= 13; n++) { /* time is up before the third look: 2^-n against its alpha of 0.002 */
		m.n = n;
		m.verdict = SB_GATE_OPEN;
		sb_gate_judge(&g, 2, &m);
		sb_pairs_signed_rank(d, n, 0.0, &t);
		assert_true(m.p == t.p_greater);
		assert_true((m.verdict == SB_GATE_FAIL) == (n >= 9));
	}
}

static void one_metric_among_many_needs_more(void **state)
{
	struct sb_gate_design g = plan(8, 0);
	double slow[12], quiet[12];
	struct sb_gate_metric m[8] = { 0 };

	(void)state;
	for (int i = 0; i < 12; i++) {
		quiet[i] = noise(i);
		slow[i] = noise(i) + 0.05;
	}
	slow[4] = -0.001; /* the smallest rank: p = 2 / 4096, above 0.002 / 8 and below 2 x 0.002 / 8 */
	for (int i = 0; i < 8; i++)
		m[i] = (struct sb_gate_metric){ .d = i == 3 ? slow : quiet, .n = 12, .threshold = 0.01 };
	sb_gate_judge(&g, 1, m);
	assert_true(m[3].p == 2.0 / 4096 && m[3].verdict == SB_GATE_OPEN);
	assert_near(m[3].p_adjusted, 16.0 / 4096, 1e-15);
	assert_int_equal(sb_gate_together(m, 8), SB_GATE_OPEN);
	m[5].d = slow;
	m[5].verdict = SB_GATE_OPEN;
	sb_gate_judge(&g, 1, m);
	assert_true(m[3].verdict == SB_GATE_FAIL && m[5].verdict == SB_GATE_FAIL);
	assert_int_equal(sb_gate_together(m, 8), SB_GATE_FAIL);
}

static void values_that_are_missing_decide_nothing(void **state)
{
	struct sb_gate_design g = plan(4, 0);
	double bad[64] = { 0 }, inf[64] = { 0 };
	struct sb_gate_metric m[4] = { { .d = bad, .n = 64, .threshold = 0.01 },
		{ .d = inf, .n = 64, .threshold = 0.01 }, { .d = NULL, .n = 0, .threshold = 0.01 },
		{ .d = inf, .n = 1, .threshold = 0.01 } };

	(void)state;
	bad[3] = NAN;
	inf[5] = INFINITY;
	for (int k = 0; k < g.n_looks; k++)
		sb_gate_judge(&g, k, m);
	for (int i = 0; i < 4; i++)
		assert_true(m[i].verdict == SB_GATE_OPEN && m[i].p_adjusted == 1.0 && m[i].decided_at == 0);
	assert_int_equal(sb_gate_together(m, 0), SB_GATE_PASS);
	assert_string_equal(sb_gate_verdict_name(m[0].verdict), "inconclusive");
	assert_string_equal(sb_gate_verdict_name(SB_GATE_PASS), "pass");
	assert_string_equal(sb_gate_verdict_name(SB_GATE_FAIL), "fail");
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

static void bytes_are_compared_exactly(void **state)
{
	static const int64_t a[] = { 1000, 1000, 1000, 1000, 1000, 1000 },
	                     more[] = { 1001, 1001, 1001, 1001, 1001, 1001 };
	static const int64_t some[] = { 1000, 1000, 1001, 1000, 1000, 1000 },
	                     big[] = { 5000, 5001, 5000, 5000, 5000, 5000 };

	(void)state;
	assert_int_equal(sb_gate_exact(a, 1, a, 1, 0.0), SB_GATE_PASS);
	assert_int_equal(sb_gate_exact(a, 1, more, 1, 0.0), SB_GATE_FAIL);
	assert_int_equal(sb_gate_exact(more, 6, a, 6, 0.0), SB_GATE_PASS);
	assert_int_equal(sb_gate_exact(a, 6, more, 6, 0.001), SB_GATE_PASS);
	assert_int_equal(sb_gate_exact(a, 6, more, 6, 0.0009), SB_GATE_FAIL);
	assert_int_equal(sb_gate_exact(a, 6, some, 6, 0.0), SB_GATE_OPEN); /* they overlap */
	assert_int_equal(sb_gate_exact(some, 6, some, 6, 0.0), SB_GATE_PASS);
	assert_int_equal(sb_gate_exact(some, 6, big, 6, 0.0), SB_GATE_FAIL); /* 1 of 924 by chance */
	assert_int_equal(sb_gate_exact(some, 6, big, 3, 0.0), SB_GATE_OPEN);
	assert_int_equal(sb_gate_exact(a, 0, more, 1, 0.0), SB_GATE_OPEN);
	assert_int_equal(sb_gate_exact(a, 1, more, 0, 0.0), SB_GATE_OPEN);
	assert_int_equal(sb_gate_exact(a, 1, more, 1, NAN), SB_GATE_OPEN);
}

/* ---- calibration --------------------------------------------------------------------------------------------- */

enum { AA = 24, GATES = 1000 };

static void aa_pairs(double scale, double d[AA])
{
	for (int i = 0; i < AA; i++)
		d[i] = scale * (i % 2 ? -1.0 : 1.0) * (0.2 + i * i / 100.0); /* heavier than normal, 0.2 to 5.5 */
}

/*
 * Gates of the first metric of o by the rule itself, on the very series that a calibration of seed 1 draws: its figures
 * come of bounds that are moved by an effect, and have to be those of the gates.
 */
static void simulate(
        const double d[AA], const struct sb_gate_options *o, double effect, double threshold, int *failed, int *passed)
{
	struct sb_gate_design g;
	uint64_t seed = 1;

	*failed = *passed = 0;
	assert_int_equal(sb_gate_plan(o, &g, NULL), SB_OK);
	for (int gate = 0; gate < GATES; gate++) {
		double drawn[SB_GATE_MAX_PAIRS];
		struct sb_gate_metric m[8] = { { .d = drawn, .threshold = threshold } };

		for (int i = 0; i < SB_GATE_MAX_PAIRS; i++) {
			double v = d[sb_random_below(&seed, AA)] * (1.0 + 2.326 / sqrt(2.0 * AA));

			v *= 0.995 + 0.01 * sb_random_unit(&seed);
			drawn[i] = effect + (sb_splitmix64(&seed) >> 63 ? v : -v);
		}
		for (int k = 0; k < g.n_looks && m[0].verdict == SB_GATE_OPEN; k++) {
			m[0].n = g.look[k].pairs;
			sb_gate_judge(&g, k, m);
		}
		*failed += m[0].verdict == SB_GATE_FAIL;
		*passed += m[0].verdict == SB_GATE_PASS;
	}
}

/* But for a series that is within a billionth of a bound. */
static void assert_rate(double said, int seen)
{
	assert_near(said * GATES, seen, 1.01);
}

static void assert_calibration_is_right(struct sb_gate_options o, double most_alarms)
{
	double d[AA];
	struct sb_gate_calibration c;
	int failed, passed;

	aa_pairs(0.01, d);
	assert_int_equal(sb_gate_calibrate(d, AA, &o, 1, &c, NULL), SB_OK);
	assert_int_equal(c.pairs, AA);
	assert_int_equal(c.max_pairs, 64);
	for (int i = 1; i < SB_GATE_THRESHOLDS; i += 2) {
		simulate(d, &o, 0.0, c.at[i].threshold, &failed, &passed);
		assert_rate(c.at[i].false_alarm, failed);
		assert_rate(c.at[i].pass, passed);
		assert_true(c.at[i].false_alarm_upper > c.at[i].false_alarm);
		assert_true(c.at[i].false_alarm <= most_alarms);
	}
	simulate(d, &o, log1p(c.smallest), expm1(0.5 * log1p(c.smallest)), &failed, &passed);
	assert_rate(0.95, failed);
	for (int i = 0; i < SB_GATE_EFFECTS; i++) {
		double effect = log1p(c.need[i].effect);

		o.max_pairs = c.need[i].pairs ? c.need[i].pairs : 64;
		simulate(d, &o, effect, expm1(0.5 * effect), &failed, &passed);
		assert_rate(c.need[i].found, failed);
		assert_true((c.need[i].pairs > 0) == (c.need[i].found >= 0.95));
	}
}

static void calibration_says_what_the_rule_does(void **state)
{
	(void)state;
	assert_calibration_is_right((struct sb_gate_options){ .metrics = 8 }, 0.01);
	/* so lenient that the estimate decides, and that gates pass which would fail later */
	assert_calibration_is_right((struct sb_gate_options){ .metrics = 1, .alpha = 0.5, .beta = 0.5 }, 0.5);
	assert_calibration_is_right((struct sb_gate_options){ .metrics = 1, .alpha = 0.05, .beta = 0.5 }, 0.05);
}

static void noise_of_twice_the_size_hides_effects_of_twice_the_size(void **state)
{
	double d[AA];
	struct sb_gate_options o = { .metrics = 8 };
	struct sb_gate_calibration one, two;

	(void)state;
	aa_pairs(0.001, d);
	assert_int_equal(sb_gate_calibrate(d, AA, &o, 1, &one, NULL), SB_OK);
	aa_pairs(0.002, d);
	assert_int_equal(sb_gate_calibrate(d, AA, &o, 1, &two, NULL), SB_OK);
	assert_near(log1p(two.smallest) / log1p(one.smallest), 2.0, 1e-6);
	/* fewer pairs or more metrics see less */
	o.max_pairs = 16;
	assert_int_equal(sb_gate_calibrate(d, AA, &o, 1, &one, NULL), SB_OK);
	assert_true(one.smallest > two.smallest && one.max_pairs == 16);
	o = (struct sb_gate_options){ .metrics = 100 };
	assert_int_equal(sb_gate_calibrate(d, AA, &o, 1, &one, NULL), SB_OK);
	assert_true(one.smallest > two.smallest);
	o.correction = SB_GATE_BY;
	assert_int_equal(sb_gate_calibrate(d, AA, &o, 1, &two, NULL), SB_OK);
	assert_true(two.smallest > one.smallest);
}

static void a_machine_without_noise_needs_the_fewest_pairs(void **state)
{
	double d[AA] = { 0 };
	struct sb_gate_options o = { .metrics = 8 };
	struct sb_gate_calibration c;

	(void)state;
	assert_int_equal(sb_gate_calibrate(d, AA, &o, 1, &c, NULL), SB_OK);
	assert_true(c.smallest == 0.0 && c.p_two == 1.0);
	assert_true(c.need[0].pairs == 12 && c.need[0].found == 1.0); /* 8 can fail nothing among eight metrics */
	assert_true(c.at[0].false_alarm == 0.0 && c.at[0].pass == 1.0);
}

static void calibration_names_a_set_up_that_is_not_aa(void **state)
{
	double d[AA];
	struct sb_gate_options o = { .metrics = 8 };
	struct sb_gate_calibration c;

	(void)state;
	for (int i = 0; i < AA; i++)
		d[i] = 0.01 + noise(i);
	assert_int_equal(sb_gate_calibrate(d, AA, &o, 1, &c, NULL), SB_OK);
	assert_true(c.p_two < 0.001);
}

static void calibration_refuses_what_it_cannot_use(void **state)
{
	double d[SB_GATE_MAX_PAIRS] = { 0 };
	struct sb_gate_options o = { .metrics = 8 };
	struct sb_gate_calibration c;
	struct sb_error err;

	(void)state;
	for (int n = 0; n < SB_GATE_CALIBRATION_PAIRS; n++)
		assert_int_equal(sb_gate_calibrate(d, n, &o, 1, &c, &err), SB_E_USAGE);
	assert_non_null(strstr(err.msg, "calibration of 11 pairs: 12 to 64 are needed"));
	assert_int_equal(sb_gate_calibrate(d, SB_GATE_MAX_PAIRS + 1, &o, 1, &c, &err), SB_E_USAGE);
	d[4] = NAN;
	assert_int_equal(sb_gate_calibrate(d, AA, &o, 1, &c, &err), SB_E_USAGE);
	d[4] = INFINITY;
	assert_int_equal(sb_gate_calibrate(d, AA, &o, 1, &c, &err), SB_E_USAGE);
	d[4] = 0.0;
	o.max_pairs = 9;
	assert_int_equal(sb_gate_calibrate(d, AA, &o, 1, &c, &err), SB_E_USAGE);
	assert_non_null(strstr(err.msg, "can never fail"));
}

static void thresholds_below_the_noise_are_refused(void **state)
{
	double d[AA];
	int failed, passed;
	struct sb_gate_options o = { .metrics = 8 };
	struct sb_gate_calibration c;
	struct sb_error err;

	(void)state;
	aa_pairs(0.01, d); /* 0.2 to 5.5 % */
	assert_int_equal(sb_gate_calibrate(d, AA, &o, 1, &c, NULL), SB_OK);
	assert_int_equal(sb_gate_check_noise("total", c.passes_from, &c, &err), SB_OK);
	assert_int_equal(sb_gate_check_noise("total", 0.9, &c, &err), SB_OK);
	assert_int_equal(sb_gate_check_noise("total", 0.001, &c, &err), SB_E_USAGE);
	assert_non_null(strstr(err.msg, "threshold of 'total' is 0.1 %, which the noise of this machine hides"));
	assert_int_equal(sb_gate_check_noise("total", NAN, &c, &err), SB_E_USAGE);
	simulate(d, &o, 0.0, c.passes_from, &failed, &passed);
	assert_rate(0.5, passed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adjusted_p_are_those_of_the_paper),
		cmocka_unit_test(adjusting_takes_missing_p_for_1),
		cmocka_unit_test(every_look_can_use_what_it_spends),
		cmocka_unit_test(early_looks_spend_less_on_passing),
		cmocka_unit_test(designs_that_cannot_fail_or_pass_are_refused),
		cmocka_unit_test(options_out_of_range_are_refused),
		cmocka_unit_test(thresholds_are_fit_for_their_metric),
		cmocka_unit_test(a_gate_stops_as_soon_as_it_can_tell),
		cmocka_unit_test(a_real_effect_below_the_threshold_passes),
		cmocka_unit_test(an_effect_at_its_threshold_stays_open),
		cmocka_unit_test(a_gate_without_noise_decides),
		cmocka_unit_test(a_verdict_stays),
		cmocka_unit_test(a_look_that_comes_early_keeps_its_level),
		cmocka_unit_test(one_metric_among_many_needs_more),
		cmocka_unit_test(values_that_are_missing_decide_nothing),
		cmocka_unit_test(bytes_are_compared_exactly),
		cmocka_unit_test(calibration_says_what_the_rule_does),
		cmocka_unit_test(noise_of_twice_the_size_hides_effects_of_twice_the_size),
		cmocka_unit_test(a_machine_without_noise_needs_the_fewest_pairs),
		cmocka_unit_test(calibration_names_a_set_up_that_is_not_aa),
		cmocka_unit_test(calibration_refuses_what_it_cannot_use),
		cmocka_unit_test(thresholds_below_the_noise_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
