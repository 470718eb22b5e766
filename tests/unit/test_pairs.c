/*
 * Pairs of processes. Where a comment does not say otherwise, expected values are SciPy 1.17's, or counts over all sign
 * patterns and subsets by a few lines of Python (itertools), from the same numbers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sb_gate.h"

static const double eight[] = { 0.012, -0.004, 0.031, 0.022, 0.007, -0.011, 0.018, 0.025 };

static void assert_near(double got, double want, double tolerance)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("%.15g is not %.15g (+- %g)", got, want, tolerance);
}

static void assert_interval(const struct sb_interval *iv, double mid, double lo, double hi, double coverage)
{
	assert_true(iv->has_interval);
	assert_near(iv->mid, mid, 1e-12);
	assert_near(iv->lo, lo, 1e-12);
	assert_near(iv->hi, hi, 1e-12);
	assert_near(iv->coverage, coverage, 1e-12);
}

static void pairs_come_in_twos_of_opposite_order(void **state)
{
	int b_first = 0, repeats = 0;

	(void)state;
	for (int pair = 0; pair < 2000; pair += 2) {
		bool first = sb_pairs_b_first(7, pair);

		assert_true(first != sb_pairs_b_first(7, pair + 1));
		b_first += first;
		repeats += pair > 0 && first == sb_pairs_b_first(7, pair - 2);
	}
	/* fair and unpredictable: 500 +- 5 standard deviations of 15.8 */
	assert_in_range(b_first, 421, 579);
	assert_in_range(repeats, 421, 579);
	assert_true(sb_pairs_b_first(7, 0) == sb_pairs_b_first(7, 0));
}

static void sign_flip_counts_all_patterns(void **state)
{
	struct sb_flip_test t;
	double three[] = { 1.0, 2.0, 3.0 };

	(void)state;
	sb_pairs_sign_flip(eight, 8, &t);
	assert_true(t.exact);
	assert_true(t.p_greater == 7.0 / 256 && t.p_less == 250.0 / 256 && t.p_two == 14.0 / 256);
	sb_pairs_sign_flip(three, 3, &t); /* by hand: +++ alone reaches 6 */
	assert_true(t.p_greater == 1.0 / 8 && t.p_less == 1.0 && t.p_two == 2.0 / 8);
}

/* Darwin's fifteen pairs of maize (differences of height, eighths of an inch): Fisher 1935, section 21, counts 1726 of
 * 32768 two-sided as extreme as what was seen, 863 a side. */
static void sign_flip_gives_fishers_count_for_darwins_maize(void **state)
{
	static const double maize[] = { 49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48 };
	struct sb_flip_test t;

	(void)state;
	sb_pairs_sign_flip(maize, 15, &t);
	assert_true(t.p_greater == 863.0 / 32768 && t.p_two == 1726.0 / 32768);
}

static void smallest_p_is_one_pattern(void **state)
{
	double d[SB_GATE_MAX_PAIRS];
	struct sb_flip_test flip;
	struct sb_rank_test ranks;

	(void)state;
	for (int n = 1; n <= SB_GATE_MAX_PAIRS; n++) {
		d[n - 1] = 0.01 + 0.001 * ((7 * n) % 97);
		sb_pairs_sign_flip(d, n, &flip);
		if (n <= SB_PAIRS_EXACT)
			assert_true(flip.p_greater == ldexp(1.0, -n));
		else
			assert_true(!flip.exact && flip.p_greater == 1.0 / 16384);
		sb_pairs_signed_rank(d, n, 0.0, &ranks);
		assert_near(ranks.p_greater, ldexp(1.0, -n), ldexp(1.0, -n - 40));
		assert_near(ranks.p_less, 1.0, 1e-12);
	}
}

static void drawn_patterns_agree_with_counted_ones(void **state)
{
	double d[SB_PAIRS_EXACT + 1];
	struct sb_flip_test counted, drawn;
	struct sb_interval iv20, iv21;

	(void)state;
	/* the 21st value is 0: it changes no sum, so the p of 21 pairs is that of 20 */
	for (int i = 0; i < SB_PAIRS_EXACT; i++)
		d[i] = sin(3.0 * i) + 0.3;
	d[SB_PAIRS_EXACT] = 0.0;
	sb_pairs_sign_flip(d, SB_PAIRS_EXACT, &counted);
	sb_pairs_sign_flip(d, SB_PAIRS_EXACT + 1, &drawn);
	assert_true(counted.exact && !drawn.exact);
	assert_near(drawn.p_greater, counted.p_greater, 4.0 * sqrt(counted.p_greater / SB_PAIRS_DRAWS));
	sb_pairs_flip_interval(d, SB_PAIRS_EXACT, 0.95, &iv20);
	sb_pairs_flip_interval(d, SB_PAIRS_EXACT + 1, 0.95, &iv21);
	assert_near(iv21.lo, iv20.lo, 0.03);
	assert_near(iv21.hi, iv20.hi, 0.03);
}

static void signed_rank_has_the_published_critical_values(void **state)
{
	/* Wilcoxon's table, one-sided 0.025: rank sums up to `critical` are significant (1945; Hollander and Wolfe,
	 * A.4) */
	static const struct {
		int n, critical;
	} table[] = { { 6, 0 }, { 7, 2 }, { 8, 3 }, { 9, 5 }, { 10, 8 }, { 12, 13 }, { 15, 25 }, { 20, 52 } };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(table); i++) {
		double d[20];
		struct sb_rank_test t;
		int n = table[i].n;

		for (int extra = 0; extra <= 1; extra++) {
			int left = table[i].critical + extra; /* rank sum of the negative values */

			for (int r = n; r >= 1; r--) {
				bool negative = left >= r;

				d[r - 1] = negative ? -r : r;
				left -= negative ? r : 0;
			}
			sb_pairs_signed_rank(d, n, 0.0, &t);
			assert_true((t.p_greater <= 0.025) == (extra == 0));
		}
	}
}

static void signed_rank_counts_ties_and_zeros(void **state)
{
	static const double ties[] = { 0.0, 0.01, -0.01, 0.02, 0.02, 0.03, -0.01, 0.0, 0.05 };
	struct sb_rank_test t;

	(void)state;
	sb_pairs_signed_rank(ties, 9, 0.0, &t); /* all 512 sign patterns of the midranks */
	assert_true(t.p_greater == 40.0 / 512 && t.p_less == 488.0 / 512);
	sb_pairs_signed_rank(eight, 8, 0.0, &t); /* scipy.stats.wilcoxon(mode='exact') */
	assert_true(t.p_greater == 0.02734375 && t.p_less == 0.98046875);
	assert_near(t.excess, (2.0 * 32 - 36) / (2.0 * 36), 1e-15);
	sb_pairs_signed_rank(eight, 8, 0.013, &t); /* the Hodges-Lehmann estimate: the middle of the rank sums */
	assert_near(t.excess, 0.0, 1e-15);
}

static void intervals_are_order_statistics_of_means(void **state)
{
	struct sb_interval iv;

	(void)state;
	sb_pairs_flip_interval(eight, 8, 0.95, &iv); /* the 6th of 255 means of subsets from either end */
	assert_interval(&iv, 0.0125, -0.001, 0.02466666666666667, 1.0 - 12.0 / 256);
	sb_pairs_rank_interval(eight, 8, 0.95, &iv); /* the 4th of 36 means of couples */
	assert_interval(&iv, 0.013, -0.002, 0.025, 0.9609375);
	sb_pairs_t_interval(eight, 8, 0.95, &iv);
	assert_interval(&iv, 0.0125, 0.00036843393346208154, 0.02463156606653792, 0.95);
	assert_near(sb_pairs_hodges_lehmann(eight, 8), 0.013, 1e-15);
}

/* An interval holds exactly the shifts that its test does not refuse. */
static void intervals_invert_their_tests(void **state)
{
	double shifted[12];
	struct sb_interval flip, ranks;
	struct sb_flip_test f;
	struct sb_rank_test r;

	(void)state;
	for (int i = 0; i < 12; i++)
		shifted[i] = exp(0.3 * sin(11.0 * i)) - 1.0;
	sb_pairs_flip_interval(shifted, 12, 0.95, &flip);
	sb_pairs_rank_interval(shifted, 12, 0.95, &ranks);
	for (int side = 0; side < 4; side++) {
		double step = side & 1 ? 1e-6 : -1e-6, at = side & 2 ? flip.hi + step : flip.lo + step, moved[12];
		bool inside = ((side & 1) != 0) != ((side & 2) != 0);

		for (int i = 0; i < 12; i++)
			moved[i] = shifted[i] - at;
		sb_pairs_sign_flip(moved, 12, &f);
		assert_true((fmin(f.p_greater, f.p_less) > 0.025) == inside);
		at = side & 2 ? ranks.hi + step : ranks.lo + step;
		sb_pairs_signed_rank(shifted, 12, at, &r);
		assert_true((fmin(r.p_greater, r.p_less) > 0.025) == inside);
	}
}

static void too_few_pairs_have_no_interval(void **state)
{
	struct sb_interval iv;

	(void)state;
	for (int n = 0; n <= 6; n++) {
		sb_pairs_flip_interval(eight, n, 0.95, &iv);
		assert_true(iv.has_interval == (n == 6) && iv.n == n);
		sb_pairs_rank_interval(eight, n, 0.95, &iv);
		assert_true(iv.has_interval == (n == 6) && iv.n == n && isnan(iv.mid) == (n == 0));
		sb_pairs_t_interval(eight, n, 0.95, &iv);
		assert_true(iv.has_interval == (n >= 2));
	}
	sb_pairs_rank_interval(eight, 6, 0.95, &iv); /* smallest to largest */
	assert_interval(&iv, iv.mid, -0.011, 0.031, 1.0 - 2.0 / 64);
}

static void hostile_values_give_no_result(void **state)
{
	static const double bad[] = { NAN, INFINITY, -INFINITY };
	double d[SB_GATE_MAX_PAIRS] = { 0 };
	struct sb_interval iv;
	struct sb_flip_test f;
	struct sb_rank_test r;

	(void)state;
	for (int n = 8; n <= SB_GATE_MAX_PAIRS; n += 56) {
		for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
			d[3] = bad[i];
			sb_pairs_sign_flip(d, n, &f);
			sb_pairs_signed_rank(d, n, 0.0, &r);
			assert_true(isnan(f.p_greater) && isnan(f.p_two) && isnan(r.p_greater) && isnan(r.excess));
			assert_true(isnan(sb_pairs_hodges_lehmann(d, n)));
			sb_pairs_flip_interval(d, n, 0.95, &iv);
			assert_true(!iv.has_interval && isnan(iv.mid) && isnan(iv.lo));
			sb_pairs_rank_interval(d, n, 0.95, &iv);
			assert_true(!iv.has_interval && isnan(iv.mid));
			sb_pairs_t_interval(d, n, 0.95, &iv);
			assert_true(!iv.has_interval && isnan(iv.mid));
		}
		d[3] = 0.0; /* all values equal 0: no evidence, an interval of one point */
		sb_pairs_sign_flip(d, n, &f);
		sb_pairs_signed_rank(d, n, 0.0, &r);
		assert_true(f.p_greater == 1.0 && f.p_two == 1.0 && r.p_greater == 1.0 && r.p_less == 1.0);
		sb_pairs_flip_interval(d, n, 0.95, &iv);
		assert_interval(&iv, 0.0, 0.0, 0.0, iv.coverage);
		sb_pairs_rank_interval(d, n, 0.95, &iv);
		assert_interval(&iv, 0.0, 0.0, 0.0, iv.coverage);
	}
	sb_pairs_sign_flip(d, 0, &f);
	sb_pairs_signed_rank(d, 0, 0.0, &r);
	assert_true(f.p_greater == 1.0 && f.p_two == 1.0 && r.p_greater == 1.0 && r.p_less == 1.0);
	assert_true(isnan(sb_pairs_hodges_lehmann(d, 0)));
	for (int i = 0; i < 8; i++)
		d[i] = 1e308; /* sums overflow: no crash, and no evidence of the opposite */
	sb_pairs_signed_rank(d, 8, 0.0, &r);
	assert_true(r.p_greater == ldexp(1.0, -8));
	assert_true(sb_pairs_hodges_lehmann(d, 8) == 1e308);
}

static void old_runs_carry_the_variance_between_runs(void **state)
{
	static const double a[] = { 1.0, 1.2, 0.9 }, b[] = { 1.5, 1.7 }, c[] = { 0.8, 1.1, 1.0, 0.7 };
	static const double *const runs[] = { a, b, c, NULL };
	static const int sizes[] = { 3, 2, 4, 0 };
	struct sb_interval iv;
	double df, between = sb_runs_between_variance(runs, sizes, 4, &df);

	(void)state;
	assert_near(between, 0.1069230769230769, 1e-14); /* (MSB - MSW) / n0 by NumPy; F = 12.12 by f_oneway */
	assert_true(df == 2.0);
	assert_near(sb_runs_within_variance(runs, sizes, 4), 0.02777777777777778, 1e-15); /* MSW, by hand */
	sb_samples_compare(a, 3, c, 4, 0.95, &iv);                                        /* scipy.stats.ttest_ind */
	assert_interval(&iv, -0.1333333333333333, -0.46243674508962884, 0.19577007842296223, 0.95);
	/* scipy.stats.t.ppf(0.975, 2) * sqrt(max(w, var a) / 3 + max(w, var c) / 4 + 2 * 0.02); each side's is larger
	 */
	sb_runs_compare(a, 3, c, 4, 0.0, 0.02, 2.0, 0.95, &iv);
	assert_interval(&iv, -0.1333333333333333, -1.152536418481199, 0.8858697518145329, 0.95);
	assert_true(iv.df == 2.0);
	sb_runs_compare(a, 3, c, 4, 0.05, 0.02, 2.0, 0.95, &iv); /* the pooled one is */
	assert_interval(&iv, -0.1333333333333333, -1.264911914550778, 0.9982452478841115, 0.95);
}

static void tests_of_old_runs_are_those_of_their_intervals(void **state)
{
	static const double a[] = { 1.0, 1.2, 0.9 }, c[] = { 0.8, 1.1, 1.0, 0.7 }, flat[] = { 2.0, 2.0 };
	struct sb_interval iv;
	struct sb_runs_test t;

	(void)state;
	/* Welch's test: scipy.stats.ttest_ind(c, a, equal_var=False), and of c + 0.1 */
	sb_samples_compare(a, 3, c, 4, 0.95, &iv);
	sb_runs_test(&iv, 0.0, &t);
	assert_near(t.p_greater, 0.8285500375386371, 1e-11);
	assert_near(t.p_less, 0.17144996246136288, 1e-11);
	sb_runs_test(&iv, -0.1, &t);
	assert_near(t.p_greater, 0.5981932378337748, 1e-11);
	/* the ends of an interval at 95 % have 2.5 % */
	sb_runs_compare(a, 3, c, 4, 0.01, 0.02, 2.0, 0.95, &iv);
	sb_runs_test(&iv, iv.lo, &t);
	assert_near(t.p_greater, 0.025, 1e-9);
	sb_runs_test(&iv, iv.hi, &t);
	assert_near(t.p_less, 0.025, 1e-9);
	sb_runs_compare_means(1.0, 1.3, 0.04, 3.0, 0.95, &iv);
	assert_interval(&iv, 0.3, -0.6001317452912733, 1.200131745291273,
	        0.95); /* scipy.stats.t.ppf(0.975, 3) * sqrt(2 * 0.04) */
	sb_runs_test(&iv, iv.hi, &t);
	assert_near(t.p_less, 0.025, 1e-9);
	sb_runs_compare_means(1.0, 1.3, NAN, 3.0, 0.95, &iv);
	assert_true(!iv.has_interval && iv.n == 1);
	sb_runs_compare_means(NAN, 1.3, 0.04, 3.0, 0.95, &iv);
	assert_true(!iv.has_interval && isnan(iv.mid) && iv.n == 0);
	/* without variance the sign decides, without an interval nothing */
	sb_runs_compare(flat, 2, flat, 2, 0.0, 0.0, 1.0, 0.95, &iv);
	assert_true(iv.has_interval && iv.lo == 0.0 && iv.hi == 0.0);
	sb_runs_test(&iv, -0.1, &t);
	assert_true(t.p_greater == 0.0 && t.p_less == 1.0);
	sb_runs_test(&iv, 0.0, &t);
	assert_true(t.p_greater == 1.0 && t.p_less == 1.0);
	sb_runs_compare(a, 3, c, 4, 0.01, NAN, 2.0, 0.95, &iv);
	sb_runs_test(&iv, -9.0, &t);
	assert_true(t.p_greater == 1.0 && t.p_less == 1.0);
}

static void old_runs_without_that_variance_have_no_interval(void **state)
{
	static const double a[] = { 1.0, 1.2, 0.9 }, wild[] = { 1.0, NAN, 1.0 };
	static const double *const runs[] = { a, a, wild };
	static const int sizes[] = { 3, 3, 3 }, ones[] = { 1, 1, 1 };
	struct sb_interval iv;
	double df;

	(void)state;
	sb_runs_compare(a, 3, a, 3, 0.01, NAN, 2.0, 0.95, &iv);
	assert_true(!iv.has_interval && iv.mid == 0.0);
	sb_runs_compare(a, 3, a, 3, NAN, 0.1, 2.0, 0.95, &iv);
	assert_true(!iv.has_interval && iv.mid == 0.0);
	sb_samples_compare(a, 3, a, 1, 0.95, &iv);
	assert_true(!iv.has_interval);
	assert_true(isnan(sb_runs_within_variance(runs, ones, 2)));
	sb_runs_compare(a, 3, a, 1, 0.01, 0.1, 2.0, 0.95, &iv);
	assert_true(!iv.has_interval);
	sb_runs_compare(a, 3, wild, 3, 0.01, 0.1, 2.0, 0.95, &iv);
	assert_true(!iv.has_interval && isnan(iv.mid));
	sb_runs_compare(a, 0, a, 3, 0.01, 0.1, 2.0, 0.95, &iv);
	assert_true(!iv.has_interval && isnan(iv.mid));
	assert_true(sb_runs_between_variance(runs, sizes, 2, &df) == 0.0); /* equal runs: below 0, so 0 */
	assert_true(isnan(sb_runs_between_variance(runs, sizes, 1, &df)) && isnan(df));
	assert_true(isnan(sb_runs_between_variance(runs, sizes, 0, &df)));
	assert_true(isnan(sb_runs_between_variance(runs, sizes, 3, &df)));
	assert_true(isnan(sb_runs_between_variance(runs, ones, 2, &df)));
}

static void special_functions_have_scipys_values(void **state)
{
	static const struct {
		double a, b, x, want;
	} beta[] = { { 0.5, 0.5, 0.3, 0.36901011956554536 }, { 2, 3, 0.4, 0.5248 },
		{ 10, 0.5, 0.9, 0.15164090963470994 }, { 32.5, 0.5, 0.2, 2.1092924313921022e-24 },
		{ 500, 1500, 0.26, 0.8490456364450458 }, { 2, 2, 0, 0 }, { 2, 2, 1, 1 } };
	static const double t[][3] = { { 1, 0.95, 12.706204736174694 }, { 2, 0.95, 4.302652729749462 },
		{ 7, 0.95, 2.364624251592784 }, { 3.7, 0.9, 2.1824938039146007 }, { 30, 0.99, 2.7499956535672254 },
		{ 1e6, 0.95, 1.959966356814107 } };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(beta); i++)
		assert_near(sb_stats_beta(beta[i].a, beta[i].b, beta[i].x), beta[i].want, 1e-11 * beta[i].want);
	for (size_t i = 0; i < SB_ARRAY_LEN(t); i++)
		assert_near(sb_stats_t_critical(t[i][0], t[i][1]), t[i][2], 1e-8 * t[i][2]);
	assert_near(sb_stats_t_tail(1.3, 3.7), 0.13433336208631375, 1e-11); /* scipy.stats.t.sf */
	assert_near(sb_stats_t_tail(-2.5, 3.7), 0.9640889885440866, 1e-11);
	assert_near(sb_stats_t_tail(12.0, 1.5), 0.009021014637013932, 1e-11);
	assert_true(isnan(sb_stats_t_tail(1.0, 0.0)) && isnan(sb_stats_t_tail(NAN, 2.0)));
	assert_near(sb_stats_rate_upper(0, 2000, 0.95), 0.0014967448951882837, 1e-12);
	assert_near(sb_stats_rate_upper(21, 2000, 0.95), 0.015085260718575591, 1e-10);
	assert_near(sb_stats_rate_upper(1, 10, 0.95), 0.39416330243650466, 1e-10);
	assert_near(sb_stats_rate_upper(100, 10000, 0.95), 0.011797233971347621, 1e-10);
	assert_true(sb_stats_rate_upper(10, 10, 0.95) == 1.0);
	assert_true(isnan(sb_stats_rate_upper(0, 0, 0.95)) && isnan(sb_stats_rate_upper(3, 2, 0.95)));
	assert_true(isnan(sb_stats_beta(0.0, 1.0, 0.5)) && isnan(sb_stats_beta(1.0, 1.0, NAN)));
	assert_true(isnan(sb_stats_t_critical(0.0, 0.95)) && isnan(sb_stats_t_critical(NAN, 0.95)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_come_in_twos_of_opposite_order),
		cmocka_unit_test(sign_flip_counts_all_patterns),
		cmocka_unit_test(sign_flip_gives_fishers_count_for_darwins_maize),
		cmocka_unit_test(smallest_p_is_one_pattern),
		cmocka_unit_test(drawn_patterns_agree_with_counted_ones),
		cmocka_unit_test(signed_rank_has_the_published_critical_values),
		cmocka_unit_test(signed_rank_counts_ties_and_zeros),
		cmocka_unit_test(intervals_are_order_statistics_of_means),
		cmocka_unit_test(intervals_invert_their_tests),
		cmocka_unit_test(too_few_pairs_have_no_interval),
		cmocka_unit_test(hostile_values_give_no_result),
		cmocka_unit_test(old_runs_carry_the_variance_between_runs),
		cmocka_unit_test(tests_of_old_runs_are_those_of_their_intervals),
		cmocka_unit_test(old_runs_without_that_variance_have_no_interval),
		cmocka_unit_test(special_functions_have_scipys_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
