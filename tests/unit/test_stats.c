#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sb_stats.h"

static void assert_near(double got, double want, double tolerance)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("%.12g is not %.12g (+- %g)", got, want, tolerance);
}

/* ---- description -------------------------------------------------------------------------------------------- */

static void median_of_even_count_is_mean_of_middle_two(void **state)
{
	const double ns[] = { 40, 10, 20, 30 };

	(void)state;
	assert_true(sb_stats_median(ns, 4, NULL) == 25.0);
}

static void median_of_odd_count_is_the_middle_one(void **state)
{
	const double ns[] = { 7, -1, 1000, 3, 5 };

	(void)state;
	assert_true(sb_stats_median(ns, 5, NULL) == 5.0);
	assert_true(sb_stats_median(ns, 1, NULL) == 7.0);
}

static void the_callers_array_keeps_its_order(void **state)
{
	const double before[] = { 3, 1, 2, 6, 5, 4, 9, 8 };
	double x[8];
	struct sb_interval iv;

	(void)state;
	memcpy(x, before, sizeof(x));
	sb_stats_median(x, 8, NULL);
	sb_stats_mad(x, 8, NULL);
	sb_stats_quantile(x, 8, 0.9, NULL);
	sb_stats_median_interval(x, 8, 0.95, NULL, &iv);
	assert_memory_equal(x, before, sizeof(x));
}

/* By hand, and what R's quantile(x) gives */
static void quantiles_interpolate_as_type_7(void **state)
{
	const double x[] = { 40, 10, 50, 20 };

	(void)state;
	assert_true(sb_stats_quantile(x, 4, 0.0, NULL) == 10.0);
	assert_near(sb_stats_quantile(x, 4, 0.25, NULL), 17.5, 1e-12); /* position 1.75 */
	assert_near(sb_stats_quantile(x, 4, 0.5, NULL), 30.0, 1e-12);
	assert_near(sb_stats_quantile(x, 4, 0.9, NULL), 47.0, 1e-12); /* position 3.7 */
	assert_true(sb_stats_quantile(x, 4, 1.0, NULL) == 50.0);
}

static void deviations_match_hand_computed_values(void **state)
{
	const double x[] = { 2, 4, 4, 4, 5, 5, 7, 9 };

	(void)state;
	assert_near(sb_stats_mean(x, 8), 5.0, 1e-15);
	assert_near(sb_stats_sd(x, 8), sqrt(32.0 / 7.0), 1e-15);
	/* median 4.5; deviations .5 .5 .5 .5 .5 .5 2.5 2.5 4.5 -> 0.5 */
	assert_near(sb_stats_mad(x, 8, NULL), 0.5, 1e-15);
	assert_near(sb_stats_mad((const double[]){ 1, 1, 2, 2, 4, 6, 9 }, 7, NULL), 1.0, 1e-15);
}

static void nothing_of_too_few_values_is_a_number(void **state)
{
	struct sb_interval iv;

	(void)state;
	assert_true(isnan(sb_stats_mean(NULL, 0)));
	assert_true(isnan(sb_stats_median(NULL, 0, NULL)));
	assert_true(isnan(sb_stats_mad(NULL, 0, NULL)));
	assert_true(isnan(sb_stats_sd((const double[]){ 1.0 }, 1)));
	sb_stats_median_interval(NULL, 0, 0.95, NULL, &iv);
	assert_true(isnan(iv.mid) && !iv.has_interval);
}

static void many_values_are_sorted_in_scratch(void **state)
{
	static double x[10000], scratch[10000];
	uint64_t seed = 5;
	int idx[10000];

	(void)state;
	for (int i = 0; i < 10000; i++)
		idx[i] = i;
	sb_shuffle(&seed, idx, 10000);
	for (int i = 0; i < 10000; i++)
		x[i] = floor(idx[i] / 3.0); /* with ties */
	assert_true(sb_stats_median(x, 10000, scratch) == 1666.0);
	for (int i = 0; i < 10000; i++)
		assert_true(scratch[i] == floor(i / 3.0));
	assert_true(sb_stats_mad(x, 10000, scratch) == 833.0);
}

/* ---- ranks -------------------------------------------------------------------------------------------------- */

static void binomial_tails_match_counting(void **state)
{
	(void)state;
	assert_true(sb_stats_binomial_half(6, -1) == 0.0);
	assert_true(sb_stats_binomial_half(6, 0) == 1.0 / 64);
	assert_true(sb_stats_binomial_half(6, 1) == 7.0 / 64);
	assert_true(sb_stats_binomial_half(6, 4) == 57.0 / 64);
	assert_true(sb_stats_binomial_half(6, 6) == 1.0);
	assert_true(sb_stats_binomial_half(0, 0) == 1.0);
	for (int n = 1; n < 60; n++) {
		uint64_t c = 1, sum = 0; /* n below 60 is exact in 64 bits */

		for (int k = 0; k <= n; k++) {
			sum += c;
			assert_near(sb_stats_binomial_half(n, k), ldexp((double)sum, -n), 1e-14);
			c = c * (uint64_t)(n - k) / (uint64_t)(k + 1);
		}
	}
}

static void binomial_tails_of_ten_thousand_neither_vanish_nor_overflow(void **state)
{
	(void)state;
	/* C(2m, m) / 4^m = (1 - 1/(8m) + 1/(128 m^2) + ..) / sqrt(pi m); P(<= m) = 1/2 + half of it */
	const double pi = 3.14159265358979323846, m = 5000;
	double middle = (1 - 1 / (8 * m) + 1 / (128 * m * m)) / sqrt(pi * m);

	assert_near(sb_stats_binomial_half(10000, 5000), 0.5 + middle / 2, 1e-12);
	assert_near(sb_stats_binomial_half(10000, 4999), 0.5 - middle / 2, 1e-12);
	assert_near(sb_stats_binomial_half(9999, 4999), 0.5, 1e-12);
	/* far out: normal with continuity correction, z = -3.99 -> 3.30e-5; then below the range of double */
	assert_near(sb_stats_binomial_half(10000, 4800), 0.5 * erfc(3.99 / sqrt(2)), 2e-7);
	assert_true(sb_stats_binomial_half(10000, 0) == 0.0);
	assert_true(sb_stats_binomial_half(10000, 6000) + sb_stats_binomial_half(10000, 3999) == 1.0);
	assert_true(sb_stats_binomial_half(1060, 1) == ldexp(1061, -1060)); /* though 2^1060 and 2^512 are far apart */
}

/* As published tables of the sign test's interval for a median have them */
static void ranks_match_published_tables(void **state)
{
	static const struct {
		int n, r;
		double percent;
	} table[] = {
		{ 6, 1, 96.9 },
		{ 7, 1, 98.4 },
		{ 8, 1, 99.2 },
		{ 9, 2, 96.1 },
		{ 10, 2, 97.9 },
		{ 11, 2, 98.8 },
		{ 12, 3, 96.1 },
		{ 13, 3, 97.8 },
		{ 14, 3, 98.7 },
		{ 15, 4, 96.5 },
		{ 16, 4, 97.9 },
		{ 17, 5, 95.1 },
		{ 18, 5, 96.9 },
		{ 19, 5, 98.1 },
		{ 20, 6, 95.9 },
		{ 25, 8, 95.7 },
		{ 28, 9, 96.4 },
		{ 30, 10, 95.7 },
		{ 40, 14, 96.2 },
		{ 50, 18, 96.7 },
		{ 100, 40, 96.5 },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(table); i++) {
		assert_int_equal(sb_stats_rank(table[i].n, 0.95), table[i].r);
		assert_near(100 * sb_stats_rank_coverage(table[i].n, table[i].r), table[i].percent, 0.051);
	}
	for (int n = 0; n < 6; n++)
		assert_int_equal(sb_stats_rank(n, 0.95), 0);
}

static void a_rank_is_the_last_that_reaches_its_level(void **state)
{
	static const double levels[] = { 0.5, 0.9, 0.95, 0.965, 0.98, 0.99 };

	(void)state;
	for (int n = 0; n <= 300; n++) {
		for (size_t i = 0; i < SB_ARRAY_LEN(levels); i++) {
			int r = sb_stats_rank(n, levels[i]);

			if (r > 0)
				assert_true(sb_stats_rank_coverage(n, r) >= levels[i]);
			if (r + 1 <= (n + 1) / 2)
				assert_true(sb_stats_rank_coverage(n, r + 1) < levels[i]);
		}
	}
}

/* ---- intervals ---------------------------------------------------------------------------------------------- */

static void six_values_are_the_fewest_with_an_interval(void **state)
{
	const double x[] = { 6, 1, 5, 2, 4, 3 };
	struct sb_interval iv;

	(void)state;
	sb_stats_median_interval(x, 5, 0.95, NULL, &iv);
	assert_true(iv.mid == 4.0 && !iv.has_interval && isnan(iv.lo) && isnan(iv.hi) && isnan(iv.coverage));
	sb_stats_median_interval(x, 6, 0.96875, NULL, &iv);
	assert_true(iv.has_interval && iv.lo == 1.0 && iv.hi == 6.0 && iv.mid == 3.5 && iv.n == 6);
	assert_true(iv.coverage == 0.96875);
}

static void more_than_the_values_can_give_is_smallest_to_largest_and_says_so(void **state)
{
	const double x[] = { 6, 1, 5, 2, 4, 3 };
	struct sb_interval iv;

	(void)state;
	sb_stats_median_interval(x, 6, 0.98, NULL, &iv);
	assert_true(iv.has_interval && iv.lo == 1.0 && iv.hi == 6.0);
	assert_true(iv.coverage == 0.96875);
}

static void ends_are_interpolated_between_neighbouring_ranks(void **state)
{
	double x[13];
	struct sb_interval iv;

	(void)state;
	for (int i = 0; i < 13; i++)
		x[i] = 10.0 * (i + 1);
	/* at a level that ranks have, exactly these: n = 13 gives 1 - 2 * 92/8192 at ranks 3 and 11 */
	sb_stats_median_interval(x, 13, 1 - 184.0 / 8192, NULL, &iv);
	assert_near(iv.lo, 30.0, 1e-9);
	assert_near(iv.hi, 110.0, 1e-9);
	/*
	 * 95 %, by hand: ranks 3 give 0.977539, ranks 4 give 1 - 2 * 378/8192 = 0.907715, so I = 0.394406 and
	 * lambda = 10 I / (3 + 7 I) = 0.684632
	 */
	sb_stats_median_interval(x, 13, 0.95, NULL, &iv);
	assert_near(iv.lo, 36.84632, 1e-4);
	assert_near(iv.hi, 103.15368, 1e-4);
	assert_true(iv.coverage == 0.95);
}

static void a_higher_level_never_gives_a_narrower_interval(void **state)
{
	double x[64];
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 64; i++)
		x[i] = sb_random_unit(&seed);
	for (int n = 6; n <= 64; n++) {
		double lo = INFINITY, hi = -INFINITY;

		for (int permille = 500; permille < 1000; permille++) {
			struct sb_interval iv;

			sb_stats_median_interval(x, n, permille / 1000.0, NULL, &iv);
			assert_true(iv.lo <= lo && iv.hi >= hi && iv.lo <= iv.mid && iv.mid <= iv.hi);
			lo = iv.lo;
			hi = iv.hi;
		}
	}
}

static void two_hundred_blocks_have_an_interval_of_95_percent(void **state)
{
	double x[200], scratch[200];
	struct sb_ratio r;

	(void)state;
	for (int i = 0; i < 200; i++)
		x[i] = log(0.5 + i * 0.001);
	sb_stats_ratio(x, 200, sb_stats_level(200, SB_STATS_STOP_MAX, 200), scratch, &r);
	/* ranks 86 and 115 cover 95.996 %, 87 and 114 94.4 %: between 0.585 and 0.586, and 0.613 and 0.614 */
	assert_int_equal(sb_stats_rank(200, 0.95), 86);
	assert_true(r.has_interval && r.coverage == 0.95 && r.pairs == 200);
	assert_true(r.lo > 0.585 && r.lo < 0.586 && r.hi > 0.613 && r.hi < 0.614);
	assert_near(r.ratio, 0.5995, 1e-6);
}

static void swapping_before_and_after_inverts_the_ratio(void **state)
{
	const double a[] = { 1.0, 1.1, 1.2, 0.9, 1.05, 1.3, 1.0 }, b[] = { 0.7, 0.8, 0.75, 0.72, 0.71, 0.9, 0.69 };
	double ab[7], ba[7];
	struct sb_ratio r1, r2;

	(void)state;
	assert_int_equal(sb_stats_log_ratios(a, b, 7, ab), 7);
	assert_int_equal(sb_stats_log_ratios(b, a, 7, ba), 7);
	sb_stats_ratio(ab, 7, 0.95, NULL, &r1);
	sb_stats_ratio(ba, 7, 0.95, NULL, &r2);
	assert_near(r1.ratio * r2.ratio, 1.0, 1e-12);
	assert_near(r1.lo * r2.hi, 1.0, 1e-12);
	assert_true(r1.ratio < 1.0 && r1.lo < r1.ratio && r1.ratio < r1.hi);
}

static void a_block_without_both_values_is_no_pair(void **state)
{
	const double before[] = { 2.0, NAN, 3.0, 0.0, -1.0, 1e-300, INFINITY, 1.0, 4.0 };
	const double after[] = { 1.0, 1.0, NAN, 1.0, 1.0, 1e300, 1.0, 0.0, 8.0 };
	double lr[9];

	(void)state;
	assert_int_equal(sb_stats_log_ratios(before, after, 9, lr), 3);
	assert_near(lr[0], log(0.5), 1e-15);
	assert_near(lr[1], 600 * log(10), 1e-9); /* though their quotient is no double */
	assert_near(lr[2], log(2.0), 1e-15);
}

/* ---- stopping ----------------------------------------------------------------------------------------------- */

/* One arm whose log ratios lie evenly within +-spread; enough blocks for every look. */
static double one_arm[28];
static const double *const one_arm_only[] = { one_arm };

static struct sb_stats_progress after_blocks(const int *blocks, double spread)
{
	for (int i = 0; i < 28; i++)
		one_arm[i] = *blocks > 1 ? spread * (2.0 * i / (*blocks - 1) - 1.0) : 0.0;
	return (struct sb_stats_progress){
		.log_ratio = one_arm_only, .n_pairs = blocks, .n_arms = 1, .blocks = *blocks, .block_s = 1.0
	};
}

static void looks_have_levels_that_their_blocks_can_give(void **state)
{
	static const int blocks[SB_STATS_LOOKS] = { 6, 9, 13, 19, 28 };

	(void)state;
	for (int i = 0; i < SB_STATS_LOOKS; i++) {
		assert_int_equal(sb_stats_looks[i].blocks, blocks[i]);
		assert_true(sb_stats_rank(blocks[i], sb_stats_looks[i].level) >= 1);
		assert_true(sb_stats_level(0, SB_STATS_STOP_PRECISE, blocks[i]) == sb_stats_looks[i].level);
	}
	assert_true(sb_stats_rank(6, sb_stats_level(0, SB_STATS_STOP_BUDGET, 6)) >= 1);
}

static void a_fixed_number_of_blocks_has_a_plain_95_percent(void **state)
{
	(void)state;
	assert_true(sb_stats_level(9, SB_STATS_STOP_MAX, 9) == 0.95);
	assert_true(sb_stats_level(200, SB_STATS_STOP_BUDGET, 140) == 0.95);
	assert_true(sb_stats_level(0, SB_STATS_STOP_BUDGET, 13) < sb_stats_level(0, SB_STATS_STOP_PRECISE, 13));
}

static void a_run_stops_as_precise_at_looks_only(void **state)
{
	(void)state;
	for (int blocks = 0; blocks < 28; blocks++) {
		struct sb_stats_progress p = after_blocks(&blocks, 0.001);
		bool look = blocks == 6 || blocks == 9 || blocks == 13 || blocks == 19;

		assert_int_equal(sb_stats_next(&p), look ? SB_STATS_STOP_PRECISE : SB_STATS_CONTINUE);
	}
}

static void precise_means_half_a_width_of_one_percent(void **state)
{
	int blocks = 6;
	struct sb_stats_progress p = after_blocks(&blocks, 1.0);
	struct sb_interval iv;

	(void)state;
	sb_stats_median_interval(one_arm, 6, sb_stats_looks[0].level, NULL, &iv);
	p = after_blocks(&blocks, 0.999 * log(1.01) / iv.hi);
	assert_int_equal(sb_stats_next(&p), SB_STATS_STOP_PRECISE);
	p = after_blocks(&blocks, 1.001 * log(1.01) / iv.hi);
	assert_int_equal(sb_stats_next(&p), SB_STATS_CONTINUE);
}

static void a_noisy_run_ends_after_the_last_look(void **state)
{
	int blocks = 28;
	struct sb_stats_progress p = after_blocks(&blocks, 1.0);

	(void)state;
	assert_int_equal(sb_stats_next(&p), SB_STATS_STOP_MAX);
	p = after_blocks(&blocks, 0.001);
	assert_int_equal(sb_stats_next(&p), SB_STATS_STOP_PRECISE);
}

static void a_run_waits_for_its_noisiest_arm(void **state)
{
	const double quiet[] = { 0.001, -0.001, 0.002, -0.002, 0.0, 0.0005 };
	const double noisy[] = { 0.1, -0.1, 0.2, -0.2, 0.0, 0.05 };
	const double *both[] = { quiet, noisy };
	int pairs[] = { 6, 6 };
	struct sb_stats_progress p = { .log_ratio = both, .n_pairs = pairs, .n_arms = 2, .blocks = 6 };

	(void)state;
	assert_int_equal(sb_stats_next(&p), SB_STATS_CONTINUE);
	both[1] = quiet;
	assert_int_equal(sb_stats_next(&p), SB_STATS_STOP_PRECISE);
	pairs[1] = 5; /* one trial failed: no interval, so not precise */
	assert_int_equal(sb_stats_next(&p), SB_STATS_CONTINUE);
	pairs[1] = 0; /* out of memory: no say */
	assert_int_equal(sb_stats_next(&p), SB_STATS_STOP_PRECISE);
	pairs[0] = 0; /* nothing to judge by */
	assert_int_equal(sb_stats_next(&p), SB_STATS_CONTINUE);
}

static void no_block_starts_that_would_end_after_the_budget(void **state)
{
	int blocks = 7;
	struct sb_stats_progress p = after_blocks(&blocks, 1.0);

	(void)state;
	p.budget_s = 60.0;
	p.block_s = 8.0;
	p.elapsed_s = 52.0;
	assert_int_equal(sb_stats_next(&p), SB_STATS_CONTINUE);
	p.elapsed_s = 52.1;
	assert_int_equal(sb_stats_next(&p), SB_STATS_STOP_BUDGET);
	p.budget_s = 0.0;
	assert_int_equal(sb_stats_next(&p), SB_STATS_CONTINUE);
}

static void six_blocks_may_take_three_times_the_budget(void **state)
{
	int blocks = 5;
	struct sb_stats_progress p = after_blocks(&blocks, 1.0);

	(void)state;
	p.budget_s = 60.0;
	p.block_s = 30.0;
	p.elapsed_s = 150.0;
	assert_int_equal(sb_stats_next(&p), SB_STATS_CONTINUE);
	p.elapsed_s = 151.0;
	assert_int_equal(sb_stats_next(&p), SB_STATS_STOP_BUDGET);
	blocks = 6;
	p = after_blocks(&blocks, 1.0);
	p.budget_s = 60.0;
	p.block_s = 1.0;
	p.elapsed_s = 60.0;
	assert_int_equal(sb_stats_next(&p), SB_STATS_STOP_BUDGET);
	blocks = 0; /* the first always runs: without it there is nothing to report */
	p = after_blocks(&blocks, 1.0);
	p.budget_s = 1.0;
	p.elapsed_s = 100.0;
	assert_int_equal(sb_stats_next(&p), SB_STATS_CONTINUE);
}

static void fixed_blocks_are_run_to_their_number(void **state)
{
	for (int blocks = 0; blocks <= 9; blocks++) {
		struct sb_stats_progress p = after_blocks(&blocks, 0.0);

		(void)state;
		p.fixed_blocks = 9;
		assert_int_equal(sb_stats_next(&p), blocks < 9 ? SB_STATS_CONTINUE : SB_STATS_STOP_MAX);
	}
}

static void reasons_of_stopping_are_read_back(void **state)
{
	(void)state;
	for (int s = SB_STATS_CONTINUE; s <= SB_STATS_STOP_NOTHING; s++)
		assert_int_equal(sb_stats_stop_by_name(sb_stats_stop_name((enum sb_stats_stop)s)), s);
	assert_int_equal(sb_stats_stop_by_name(NULL), SB_STATS_CONTINUE);
	assert_int_equal(sb_stats_stop_by_name("tired"), SB_STATS_CONTINUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(median_of_even_count_is_mean_of_middle_two),
		cmocka_unit_test(median_of_odd_count_is_the_middle_one),
		cmocka_unit_test(the_callers_array_keeps_its_order),
		cmocka_unit_test(quantiles_interpolate_as_type_7),
		cmocka_unit_test(deviations_match_hand_computed_values),
		cmocka_unit_test(nothing_of_too_few_values_is_a_number),
		cmocka_unit_test(many_values_are_sorted_in_scratch),
		cmocka_unit_test(binomial_tails_match_counting),
		cmocka_unit_test(binomial_tails_of_ten_thousand_neither_vanish_nor_overflow),
		cmocka_unit_test(ranks_match_published_tables),
		cmocka_unit_test(a_rank_is_the_last_that_reaches_its_level),
		cmocka_unit_test(six_values_are_the_fewest_with_an_interval),
		cmocka_unit_test(more_than_the_values_can_give_is_smallest_to_largest_and_says_so),
		cmocka_unit_test(ends_are_interpolated_between_neighbouring_ranks),
		cmocka_unit_test(a_higher_level_never_gives_a_narrower_interval),
		cmocka_unit_test(two_hundred_blocks_have_an_interval_of_95_percent),
		cmocka_unit_test(swapping_before_and_after_inverts_the_ratio),
		cmocka_unit_test(a_block_without_both_values_is_no_pair),
		cmocka_unit_test(looks_have_levels_that_their_blocks_can_give),
		cmocka_unit_test(a_fixed_number_of_blocks_has_a_plain_95_percent),
		cmocka_unit_test(a_run_stops_as_precise_at_looks_only),
		cmocka_unit_test(precise_means_half_a_width_of_one_percent),
		cmocka_unit_test(a_noisy_run_ends_after_the_last_look),
		cmocka_unit_test(a_run_waits_for_its_noisiest_arm),
		cmocka_unit_test(no_block_starts_that_would_end_after_the_budget),
		cmocka_unit_test(six_blocks_may_take_three_times_the_budget),
		cmocka_unit_test(fixed_blocks_are_run_to_their_number),
		cmocka_unit_test(reasons_of_stopping_are_read_back),
	};
	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
