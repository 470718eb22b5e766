#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sb_effects.h"

static void near(double got, double want, double tolerance, int line)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("line %d: %.12g is not %.12g (+- %g)", line, got, want, tolerance);
}
#define assert_near(got, want, tolerance) near(got, want, tolerance, __LINE__)

/* Numbers without a pattern, the same on every machine: -1..1. */
static double noise(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (double)(*state >> 8) / 8388608.0 - 1.0;
}

/* ---- published values ----------------------------------------------------------------------------------------- */

/*
 * Box, Hunter and Hunter, Statistics for Experimenters, the pilot plant: yields in standard order by temperature T,
 * concentration C and catalyst K, and the book's table of effects. Its interactions have the same 2^(k-1) below them.
 */
static void contrasts_are_those_of_the_pilot_plant(void **state)
{
	static const double yields[] = { 60, 72, 54, 68, 52, 83, 45, 80 };
	static const double effects[] = { 23, -5, 1.5, 1.5, 10, 0, 0.5 }; /* T C TC K TK CK TCK */

	(void)state;
	for (unsigned set = 1; set < 8; set++)
		assert_near(sb_lattice_contrast(yields, 3, set), effects[set - 1], 1e-12);
}

/* Montgomery, Design and Analysis of Experiments, the filtration rate, a 2^4 design; the book's effect estimates. */
static void contrasts_are_those_of_the_filtration_rate(void **state)
{
	static const double rates[] = { 45, 71, 48, 65, 68, 60, 80, 65, 43, 100, 45, 104, 75, 86, 70, 96 };
	static const double effects[] = { 21.625, 3.125, 0.125, 9.875, -18.125, 2.375, 1.875, 14.625, 16.625, -0.375,
		4.125, -1.125, -1.625, -2.625, 1.375 };

	(void)state;
	for (unsigned set = 1; set < 16; set++)
		assert_near(sb_lattice_contrast(rates, 4, set), effects[set - 1], 1e-12);
}

/* By hand from the pilot plant: T at catalyst A is (12 + 14) / 2, at catalyst B (31 + 35) / 2. */
static void an_effect_at_a_level_is_the_mean_of_its_own_steps(void **state)
{
	static const double yields[] = { 60, 72, 54, 68, 52, 83, 45, 80 };

	(void)state;
	assert_near(sb_lattice_effect_at(yields, 3, 0, 2, false), 13, 1e-12);
	assert_near(sb_lattice_effect_at(yields, 3, 0, 2, true), 33, 1e-12);
	assert_near(sb_lattice_effect_at(yields, 3, 2, 0, false), -8.5, 1e-12); /* (-8 - 9) / 2 */
	assert_near(sb_lattice_effect_at(yields, 3, 2, 0, true), 11.5, 1e-12);  /* (11 + 12) / 2 */
}

/*
 * The glove game: one right glove (player 2), two left ones; only a pair has a value. The right one completes a pair
 * unless it comes first (4 of 6 orders), a left one only where the right one is there and the other left one is not
 * (1). The airport game of Littlechild and Owen with runways of 8, 11, 13, 18: all four share the first 8, three the
 * next 3, two the next 2, the last one pays 5 alone: 2, 3, 4, 9.
 */
static void shapley_values_are_those_of_two_known_games(void **state)
{
	static const double cost[] = { 8, 11, 13, 18 }, glove[] = { 0, 0, 0, 0, 0, 1, 1, 1 };
	static const double fair[] = { 2, 3, 4, 9 };
	double runway[16] = { 0 }, value[4];

	(void)state;
	sb_lattice_shapley(glove, 3, value);
	assert_near(value[0], 1.0 / 6.0, 1e-15);
	assert_near(value[1], 1.0 / 6.0, 1e-15);
	assert_near(value[2], 4.0 / 6.0, 1e-15);
	for (unsigned who = 0; who < 16; who++)
		for (int i = 0; i < 4; i++)
			runway[who] = who >> i & 1 ? fmax(runway[who], cost[i]) : runway[who];
	sb_lattice_shapley(runway, 4, value);
	for (int i = 0; i < 4; i++)
		assert_near(value[i], fair[i], 1e-14);
}

/* ---- what must hold whatever the values ----------------------------------------------------------------------- */

static void values_sum_to_the_total_and_follow_the_names_of_the_switches(void **state)
{
	static const int to[] = { 2, 0, 3, 1 }; /* switch i is called to[i] in the other lattice */
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 50; round++) {
		double y[16], other[16], a[4], b[4];

		for (unsigned arm = 0; arm < 16; arm++) {
			unsigned renamed = 0;

			for (int i = 0; i < 4; i++)
				renamed |= (arm >> i & 1u) << to[i];
			y[arm] = noise(&seed);
			other[renamed] = y[arm];
		}
		sb_lattice_shapley(y, 4, a);
		sb_lattice_shapley(other, 4, b);
		assert_near(a[0] + a[1] + a[2] + a[3], y[15] - y[0], 1e-14);
		for (int i = 0; i < 4; i++) {
			assert_near(b[to[i]], a[i], 1e-14);
			assert_near(
			        sb_lattice_contrast(other, 4, 1u << to[i]), sb_lattice_contrast(y, 4, 1u << i), 1e-14);
			assert_near(sb_lattice_effect_at(other, 4, to[i], to[(i + 1) % 4], true),
			        sb_lattice_effect_at(y, 4, i, (i + 1) % 4, true), 1e-14);
		}
	}
}

static void equal_switches_share_equally_and_an_idle_one_has_nothing(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 20; round++) {
		double by_number[3] = { noise(&seed), noise(&seed), noise(&seed) }, y[8], value[3];

		/* Switches 0 and 1 act by how many of them are on, switch 2 not at all. */
		for (unsigned arm = 0; arm < 8; arm++)
			y[arm] = by_number[(arm & 1) + (arm >> 1 & 1)];
		sb_lattice_shapley(y, 3, value);
		assert_near(value[0], value[1], 1e-15);
		assert_near(value[2], 0, 1e-15);
		assert_near(sb_lattice_contrast(y, 3, 4), 0, 1e-15);
	}
}

/* ---- blocks --------------------------------------------------------------------------------------------------- */

enum { BLOCKS = 9 };

/* Two switches of -0.7 and -0.3 and 0.1 more when both are on, three per mille of noise, blocks that drift apart. */
static void fill(double *y, int k)
{
	uint32_t seed = 42;

	for (int b = 0; b < BLOCKS; b++)
		for (unsigned arm = 0; arm < 1u << k; arm++)
			y[(b << k) + (int)arm] = 20 + b - 0.7 * (arm & 1) - 0.3 * (arm >> 1 & 1) +
			                         0.1 * (arm & arm >> 1 & 1) + 0.003 * noise(&seed);
}

/* Expected: the same numbers taken out of the blocks by hand, and the module's interval of them. */
static void every_effect_is_the_median_of_the_blocks_own(void **state)
{
	double y[BLOCKS * 4], of[7][BLOCKS], scratch[2 * BLOCKS];
	const struct sb_lattice l = { .y = y, .n_blocks = BLOCKS, .k = 2, .level = 0.96 };
	struct sb_lattice_effects e;
	struct sb_interval want[7];

	(void)state;
	fill(y, 2);
	for (int b = 0; b < BLOCKS; b++) {
		const double *v = y + 4 * b;

		of[0][b] = v[3] - v[0];
		of[1][b] = (v[1] - v[0] + v[3] - v[2]) / 2;
		of[2][b] = (v[2] - v[0] + v[3] - v[1]) / 2;
		of[3][b] = v[1] - v[0];
		of[4][b] = v[3] - v[2];
		of[5][b] = (v[3] - v[2]) - (v[1] - v[0]);
		of[6][b] = of[1][b] / of[0][b]; /* with two players the Shapley value is the main effect */
	}
	for (int i = 0; i < 7; i++)
		sb_stats_median_interval(of[i], BLOCKS, 0.96, scratch, &want[i]);
	sb_lattice_effects(&l, scratch, &e);
	const struct sb_interval *got[] = { &e.total, &e.main[0], &e.main[1], &e.at[0][1][0], &e.at[0][1][1],
		&e.pair[0][1], &e.share[0] };
	assert_int_equal(e.blocks, BLOCKS);
	assert_int_equal(e.left_out, 0);
	for (int i = 0; i < 7; i++) {
		assert_true(got[i]->has_interval);
		assert_int_equal(got[i]->n, BLOCKS);
		assert_near(got[i]->mid, want[i].mid, 1e-12);
		assert_near(got[i]->lo, want[i].lo, 1e-12);
		assert_near(got[i]->hi, want[i].hi, 1e-12);
	}
	assert_near(e.pair[1][0].mid, e.pair[0][1].mid, 1e-12);
	/* That is what was planted: -0.65, -0.25, 0.1; (-0.65) / (-0.9). */
	assert_near(e.main[0].mid, -0.65, 0.002);
	assert_near(e.main[1].mid, -0.25, 0.002);
	assert_near(e.pair[0][1].mid, 0.1, 0.004);
	assert_near(e.share[0].mid, 0.7222, 0.002);
}

/* Of three shares the medians alone do not sum to 1. */
static void shares_sum_to_one_over_noisy_blocks(void **state)
{
	double y[BLOCKS * 8], scratch[2 * BLOCKS];
	const struct sb_lattice l = { .y = y, .n_blocks = BLOCKS, .k = 3, .level = 0.96 };
	struct sb_lattice_effects e;
	uint32_t seed = 3;

	(void)state;
	for (int b = 0; b < BLOCKS; b++)
		for (int arm = 0; arm < 8; arm++)
			y[8 * b + arm] =
			        -0.5 * (arm & 1) - 0.4 * (arm >> 1 & 1) - 0.3 * (arm >> 2) + 0.2 * noise(&seed);
	sb_lattice_effects(&l, scratch, &e);
	assert_true(e.has_shares);
	assert_near(e.share[0].mid + e.share[1].mid + e.share[2].mid, 1, 1e-12);
	assert_true(fabs(e.share_sum - 1) > 1e-6 && fabs(e.share_sum - 1) < 0.1);
	/* What every share and both its ends were divided by. */
	for (int i = 0; i < 3; i++) {
		double value[3], of[BLOCKS];
		struct sb_interval want;

		for (int b = 0; b < BLOCKS; b++) {
			sb_lattice_shapley(y + 8 * b, 3, value);
			of[b] = value[i] / (value[0] + value[1] + value[2]);
		}
		sb_stats_median_interval(of, BLOCKS, 0.96, NULL, &want);
		assert_near(e.share[i].mid * e.share_sum, want.mid, 1e-12);
		assert_near(e.share[i].lo * e.share_sum, want.lo, 1e-12);
		assert_near(e.share[i].hi * e.share_sum, want.hi, 1e-12);
	}
}

/*
 * 4000 runs of 10 blocks with 1 % of noise in every value and 3 % between blocks: how often an interval holds what was
 * planted. 4000 runs know that to 0.35 % (one standard deviation).
 */
static void intervals_of_effects_and_shares_hold_what_they_say(void **state)
{
	enum { RUNS = 4000, N = 10 };
	double y[N * 8], scratch[2 * N], truth[8], value[3], share;
	const struct sb_lattice l = { .y = y, .n_blocks = N, .k = 3, .level = 0.95 };
	struct sb_lattice_effects e;
	int held[3] = { 0 };
	uint32_t seed = 5;

	(void)state;
	for (int arm = 0; arm < 8; arm++)
		truth[arm] = -0.8 * (arm & 1) - 0.3 * (arm >> 1 & 1) - 0.01 * (arm >> 2) + 0.17 * (arm & arm >> 1 & 1);
	sb_lattice_shapley(truth, 3, value);
	share = value[1] / truth[7];
	for (int run = 0; run < RUNS; run++) {
		for (int b = 0; b < N; b++) {
			double drift = 0.05 * noise(&seed);

			for (int arm = 0; arm < 8; arm++) /* the sum of three is nearly normal */
				y[8 * b + arm] =
				        truth[arm] + drift + 0.01 * (noise(&seed) + noise(&seed) + noise(&seed));
		}
		sb_lattice_effects(&l, scratch, &e);
		held[0] += e.main[0].lo <= -0.8 + 0.085 && e.main[0].hi >= -0.8 + 0.085;
		held[1] += e.pair[0][1].lo <= 0.17 && e.pair[0][1].hi >= 0.17;
		held[2] += e.share[1].lo <= share && e.share[1].hi >= share;
	}
	for (int i = 0; i < 3; i++)
		assert_near(100.0 * held[i] / RUNS, 95, 1.5);
}

static void a_block_without_one_arm_is_left_out_and_counted(void **state)
{
	double y[(BLOCKS + 3) * 4], whole[BLOCKS * 4], scratch[2 * (BLOCKS + 3)];
	struct sb_lattice l = { .y = y, .n_blocks = BLOCKS + 3, .k = 2, .level = 0.96 };
	const struct sb_lattice w = { .y = whole, .n_blocks = BLOCKS, .k = 2, .level = 0.96 };
	struct sb_lattice_effects e, expected;

	(void)state;
	fill(whole, 2);
	memcpy(y, whole, sizeof(whole));
	for (int i = 4 * BLOCKS; i < 4 * (BLOCKS + 3); i++)
		y[i] = 1000;
	y[4 * BLOCKS + 1] = NAN;
	y[4 * BLOCKS + 4] = INFINITY;
	y[4 * BLOCKS + 11] = -INFINITY; /* the logarithm of 0 */
	sb_lattice_effects(&l, scratch, &e);
	sb_lattice_effects(&w, scratch, &expected);
	assert_int_equal(e.blocks, BLOCKS);
	assert_int_equal(e.left_out, 3);
	assert_near(e.total.mid, expected.total.mid, 0);
	assert_near(e.main[1].lo, expected.main[1].lo, 0);
	assert_near(e.share[0].hi, expected.share[0].hi, 0);
}

static void without_a_whole_block_nothing_is_a_number(void **state)
{
	double y[7 * 4], scratch[14];
	struct sb_lattice l = { .y = y, .n_blocks = 0, .k = 2, .level = 0.95 };
	struct sb_lattice_effects e;

	(void)state;
	for (int i = 0; i < 7 * 4; i++)
		y[i] = i % 4 == 2 ? (double)NAN : i; /* one arm is missing throughout */
	for (int round = 0; round < 2; round++) {
		sb_lattice_effects(&l, scratch, &e);
		assert_int_equal(e.blocks, 0);
		assert_int_equal(e.left_out, l.n_blocks);
		assert_true(isnan(e.total.mid) && isnan(e.main[0].mid) && isnan(e.at[1][0][1].mid));
		assert_true(isnan(e.pair[0][1].mid) && isnan(e.share[1].mid));
		assert_false(e.total.has_interval || e.main[0].has_interval || e.has_shares);
		l.n_blocks = 7;
	}
}

static void few_blocks_give_estimates_without_intervals(void **state)
{
	double y[BLOCKS * 4], scratch[2 * BLOCKS];
	const struct sb_lattice l = { .y = y, .n_blocks = 5, .k = 2, .level = 0.95 };
	struct sb_lattice_effects e;

	(void)state;
	fill(y, 2);
	sb_lattice_effects(&l, scratch, &e);
	assert_false(e.main[0].has_interval || e.share[0].has_interval);
	assert_near(e.main[0].mid, -0.65, 0.003);
	assert_true(e.has_shares);
}

static void one_switch_has_all_of_the_total(void **state)
{
	static const double y[] = { 5, 4, 5.5, 4.4, 5.1, 4.2 };
	const struct sb_lattice l = { .y = y, .n_blocks = 3, .k = 1, .level = 0.95 };
	struct sb_lattice_effects e;
	double scratch[6];

	(void)state;
	sb_lattice_effects(&l, scratch, &e);
	assert_near(e.total.mid, -1, 1e-12);
	assert_near(e.main[0].mid, -1, 1e-12);
	assert_near(e.share[0].mid, 1, 0);
}

/* Half of a total that may be nothing is no figure. */
static void a_total_that_may_be_nothing_is_not_shared(void **state)
{
	double y[BLOCKS * 4], scratch[2 * BLOCKS];
	const struct sb_lattice l = { .y = y, .n_blocks = BLOCKS, .k = 2, .level = 0.96 };
	struct sb_lattice_effects e;
	uint32_t seed = 9;

	(void)state;
	for (int i = 0; i < BLOCKS * 4; i++)
		y[i] = 0.01 * noise(&seed);
	sb_lattice_effects(&l, scratch, &e);
	assert_true(e.total.lo < 0 && e.total.hi > 0);
	assert_false(e.has_shares || e.share[0].has_interval);
	assert_true(isnan(e.share[0].mid));
	assert_true(e.main[0].has_interval); /* that is known all the same */
	for (int i = 0; i < BLOCKS * 4; i++)
		y[i] = 3;
	sb_lattice_effects(&l, scratch, &e);
	assert_false(e.has_shares);
	assert_true(e.total.mid == 0 && e.total.lo == 0 && e.total.hi == 0);
	/* Without an interval, too: totals of -1, -1, 0, 1, 1. */
	for (int b = 0; b < 5; b++)
		for (int arm = 0; arm < 4; arm++)
			y[4 * b + arm] = arm == 3 ? (b > 2) - (b < 2) : 0.1 * arm * ((b > 2) - (b < 2));
	sb_lattice_effects(&(struct sb_lattice){ .y = y, .n_blocks = 5, .k = 2, .level = 0.96 }, scratch, &e);
	assert_true(e.total.mid == 0 && e.share_sum > 0);
	assert_false(e.has_shares);
}

/* Bytes that are the same in every block stay exact. */
static void equal_blocks_have_an_interval_of_one_point(void **state)
{
	static const double bytes[] = { 51038388224.0, 51038388224.0, 6432997376.0, 6432997377.0 };
	double y[7 * 4], scratch[14];
	const struct sb_lattice l = { .y = y, .n_blocks = 7, .k = 2, .level = 0.95 };
	struct sb_lattice_effects e;

	(void)state;
	for (int b = 0; b < 7; b++)
		memcpy(y + 4 * b, bytes, sizeof(bytes));
	sb_lattice_effects(&l, scratch, &e);
	assert_true(e.main[1].mid == -44605390847.5 && e.main[1].lo == e.main[1].hi);
	assert_true(e.main[0].mid == 0.5 && e.pair[0][1].mid == 1);
	assert_true(e.share[1].lo == e.share[1].hi && e.share[1].lo == e.share[1].mid);
	/* Nothing of a saving is 0, not -0. */
	for (int b = 0; b < 7; b++)
		y[4 * b + 3] = y[4 * b + 2];
	sb_lattice_effects(&l, scratch, &e);
	assert_true(e.share[0].mid == 0 && !signbit(e.share[0].mid) && !signbit(e.share[0].lo));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contrasts_are_those_of_the_pilot_plant),
		cmocka_unit_test(contrasts_are_those_of_the_filtration_rate),
		cmocka_unit_test(an_effect_at_a_level_is_the_mean_of_its_own_steps),
		cmocka_unit_test(shapley_values_are_those_of_two_known_games),
		cmocka_unit_test(values_sum_to_the_total_and_follow_the_names_of_the_switches),
		cmocka_unit_test(equal_switches_share_equally_and_an_idle_one_has_nothing),
		cmocka_unit_test(every_effect_is_the_median_of_the_blocks_own),
		cmocka_unit_test(shares_sum_to_one_over_noisy_blocks),
		cmocka_unit_test(intervals_of_effects_and_shares_hold_what_they_say),
		cmocka_unit_test(a_block_without_one_arm_is_left_out_and_counted),
		cmocka_unit_test(without_a_whole_block_nothing_is_a_number),
		cmocka_unit_test(few_blocks_give_estimates_without_intervals),
		cmocka_unit_test(one_switch_has_all_of_the_total),
		cmocka_unit_test(a_total_that_may_be_nothing_is_not_shared),
		cmocka_unit_test(equal_blocks_have_an_interval_of_one_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
