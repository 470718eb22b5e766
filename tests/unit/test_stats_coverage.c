/*
 * Whether the intervals cover what they say, by simulation: runs of log ratios whose true median is 0, with the
 * stopping rule as a run uses it. All seeds are fixed.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sb_stats.h"

enum { RUNS = 20000, MAX_BLOCKS = 28, MAX_ARMS = 4 };

/* ---- noise of median 0 and scale about 1 -------------------------------------------------------------------- */

static double unit(uint64_t *s)
{
	return ((double)(sb_splitmix64(s) >> 12) + 0.5) * 0x1p-52; /* neither 0 nor 1 */
}

static double normal(uint64_t *s)
{
	double radius = sqrt(-2.0 * log(unit(s)));

	return radius * cos(6.283185307179586 * unit(s));
}

static double t2(uint64_t *s) /* chi^2 of 2 degrees of freedom / 2 is exponential */
{
	double z = normal(s);

	return z / sqrt(-log(unit(s)));
}

static double laplace(uint64_t *s)
{
	double u = unit(s);

	return u < 0.5 ? log(2.0 * u) : -log(2.0 * (1.0 - u));
}

/* One trial of a machine that something else uses now and then: every tenth one is late by a lognormal time. */
static double disturbed(uint64_t *s)
{
	double z = normal(s);

	return unit(s) < 0.1 ? z + exp(1.0 + normal(s)) : z;
}

static double contaminated(uint64_t *s) /* both trials of a pair */
{
	double after = disturbed(s);

	return (after - disturbed(s)) / sqrt(2.0);
}

/* One side only: every tenth ratio is off, and always upwards, so that the median of the whole is not the normal's. */
static double contaminated_above_raw(uint64_t *s)
{
	return unit(s) < 0.1 ? exp(1.0 + normal(s)) : normal(s);
}

static double phi(double x)
{
	return 0.5 * erfc(-x / sqrt(2.0));
}

static double contaminated_above(uint64_t *s)
{
	static double median = NAN;

	if (isnan(median)) { /* bisection of 0.9 P(normal < m) + 0.1 P(lognormal < m) = 1/2 */
		double lo = 0.0, hi = 5.0;

		while (hi - lo > 1e-12) {
			median = 0.5 * (lo + hi);
			if (0.9 * phi(median) + 0.1 * phi(log(median) - 1.0) < 0.5)
				lo = median;
			else
				hi = median;
		}
	}
	return contaminated_above_raw(s) - median;
}

static double exponential(uint64_t *s)
{
	return -log(unit(s)) - log(2.0);
}

static double lognormal(uint64_t *s)
{
	return exp(normal(s)) - 1.0;
}

static double uniform(uint64_t *s)
{
	return unit(s) - 0.5;
}

static double two_clusters(uint64_t *s)
{
	double z = 0.01 * normal(s);

	return unit(s) < 0.5 ? z - 1.0 : z + 1.0;
}

struct noise {
	const char *name;
	double (*draw)(uint64_t *seed);
};
static const struct noise usual[] = {
	{ "normal", normal },
	{ "t, 2 df", t2 },
	{ "Laplace", laplace },
	{ "contaminated", contaminated },
	{ "contaminated above", contaminated_above },
};
static const struct noise awkward[] = {
	{ "exponential", exponential },
	{ "lognormal", lognormal },
	{ "uniform", uniform },
};

/* ---- runs --------------------------------------------------------------------------------------------------- */

struct condition {
	const struct noise *noise;
	double scale;  /* of a log ratio: 0.01 is 1 % */
	int arms;      /* sharing the noise of `before` if several */
	int cut_after; /* the budget ends here; 0: never */
};

struct result {
	double covered;              /* fraction of intervals of the first arm that hold 0 */
	int at_look[SB_STATS_LOOKS]; /* runs that stopped as precise */
	int at_end;
};

static void draw_block(const struct condition *c, uint64_t *seed, double log_ratio[MAX_ARMS][MAX_BLOCKS], int block)
{
	double before = c->arms > 1 ? c->noise->draw(seed) : 0.0;

	for (int a = 0; a < c->arms; a++)
		log_ratio[a][block] = c->scale * (c->noise->draw(seed) - before);
}

static struct result simulate(const struct condition *c, uint64_t seed)
{
	double log_ratio[MAX_ARMS][MAX_BLOCKS];
	const double *arms[MAX_ARMS] = { log_ratio[0], log_ratio[1], log_ratio[2], log_ratio[3] };
	struct result out = { 0 };
	int covered = 0;

	for (int run = 0; run < RUNS; run++) {
		int pairs[MAX_ARMS] = { 0 };
		struct sb_stats_progress p = {
			.log_ratio = arms, .n_pairs = pairs, .n_arms = c->arms, .budget_s = c->cut_after, .block_s = 1.0
		};
		enum sb_stats_stop stop;
		struct sb_ratio r;

		while ((stop = sb_stats_next(&p)) == SB_STATS_CONTINUE) {
			draw_block(c, &seed, log_ratio, p.blocks);
			p.blocks++;
			p.elapsed_s += 1.0;
			for (int a = 0; a < c->arms; a++)
				pairs[a]++;
		}
		sb_stats_ratio(log_ratio[0], p.blocks, sb_stats_level(0, stop, p.blocks), NULL, &r);
		assert_true(r.has_interval && p.blocks >= SB_STATS_MIN_PAIRS);
		covered += r.lo <= 1.0 && r.hi >= 1.0;
		for (int i = 0; i < SB_STATS_LOOKS; i++)
			out.at_look[i] += stop == SB_STATS_STOP_PRECISE && p.blocks == sb_stats_looks[i].blocks;
		out.at_end += stop != SB_STATS_STOP_PRECISE;
	}
	out.covered = (double)covered / RUNS;
	return out;
}

struct range {
	double min, max;
};

static struct range check(
        const struct condition *c, uint64_t seed, double min, double max, struct range seen, struct result *result)
{
	*result = simulate(c, seed);
	if (result->covered < min || result->covered > max)
		fail_msg("%s noise of %.2g %%, %d arms, cut after %d: %.2f %% covered", c->noise->name, 100 * c->scale,
		        c->arms, c->cut_after, 100 * result->covered);
	return (struct range){ fmin(seen.min, result->covered), fmax(seen.max, result->covered) };
}

static const struct range nothing_seen = { 1.0, 0.0 };

/* 0.1 to 10 %, closer where runs stop at different looks */
static const double scales[] = { 0.001, 0.002, 0.004, 0.005, 0.0063, 0.008, 0.01, 0.0125, 0.016, 0.02, 0.025, 0.032,
	0.05, 0.1 };

static void intervals_cover_95_percent_wherever_the_run_stops(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(usual); i++) {
		struct range seen = nothing_seen;
		int often[SB_STATS_LOOKS + 1] = { 0 };

		for (size_t k = 0; k < SB_ARRAY_LEN(scales); k++) {
			struct condition c = { &usual[i], scales[k], 1, 0 };
			struct result r;

			seen = check(&c, seed++, 0.945, 0.97, seen, &r);
			for (int look = 0; look < SB_STATS_LOOKS; look++)
				often[look] += r.at_look[look] > RUNS / 10;
			often[SB_STATS_LOOKS] += r.at_end > RUNS * 9 / 10;
		}
		/* every place to stop was a common one at some noise: the conditions above do test the rule */
		for (int look = 0; look <= SB_STATS_LOOKS; look++)
			assert_true(often[look] > 0);
		print_message("%-20s %.1f to %.1f %%\n", usual[i].name, 100 * seen.min, 100 * seen.max);
	}
}

static void skewed_and_bounded_noise_stays_within_92_to_97_percent(void **state)
{
	uint64_t seed = 1000;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(awkward); i++) {
		struct range seen = nothing_seen;
		struct result r;

		for (size_t k = 0; k < SB_ARRAY_LEN(scales); k++) {
			struct condition c = { &awkward[i], scales[k], 1, 0 };

			seen = check(&c, seed++, 0.925, 0.97, seen, &r);
		}
		print_message("%-20s %.1f to %.1f %%\n", awkward[i].name, 100 * seen.min, 100 * seen.max);
	}
}

static void a_budget_that_ends_anywhere_keeps_the_coverage(void **state)
{
	static const double some[] = { 0.004, 0.016, 0.1 };
	struct range seen = nothing_seen;
	uint64_t seed = 2000;
	struct result r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (int cut = SB_STATS_MIN_PAIRS; cut < MAX_BLOCKS; cut += cut < 8 ? 1 : 4) {
			for (size_t k = 0; k < SB_ARRAY_LEN(some); k++) {
				struct condition c = { &usual[i], some[k], 1, cut };

				seen = check(&c, seed++, 0.945, 0.97, seen, &r);
			}
		}
	}
	print_message("cut by the budget    %.1f to %.1f %%\n", 100 * seen.min, 100 * seen.max);
}

static void waiting_for_several_arms_keeps_the_coverage(void **state)
{
	struct range seen = nothing_seen;
	uint64_t seed = 3000;
	struct result r;

	(void)state;
	for (size_t k = 1; k < SB_ARRAY_LEN(scales); k += 2) {
		struct condition c = { &usual[0], scales[k], MAX_ARMS, 0 };

		seen = check(&c, seed++, 0.945, 0.97, seen, &r);
	}
	print_message("four arms            %.1f to %.1f %%\n", 100 * seen.min, 100 * seen.max);
}

/* ---- a fixed number of blocks ------------------------------------------------------------------------------- */

static double fixed_coverage(double (*draw)(uint64_t *), int n, uint64_t seed)
{
	double x[SB_STATS_SMALL];
	int covered = 0;

	for (int run = 0; run < RUNS; run++) {
		struct sb_interval iv;

		for (int i = 0; i < n; i++)
			x[i] = draw(&seed);
		sb_stats_median_interval(x, n, sb_stats_level(n, SB_STATS_STOP_MAX, n), NULL, &iv);
		covered += iv.lo <= 0.0 && iv.hi >= 0.0;
	}
	return (double)covered / RUNS;
}

static void interpolated_intervals_cover_their_level_for_every_count(void **state)
{
	uint64_t seed = 4000;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(usual) + SB_ARRAY_LEN(awkward); i++) {
		bool skewed = i >= SB_ARRAY_LEN(usual);
		const struct noise *noise = skewed ? &awkward[i - SB_ARRAY_LEN(usual)] : &usual[i];

		for (int n = SB_STATS_MIN_PAIRS; n <= SB_STATS_SMALL; n += n < 10 ? 1 : 18) {
			double c = fixed_coverage(noise->draw, n, seed++);

			if (fabs(c - 0.95) > (skewed ? 0.012 : 0.008))
				fail_msg("%s noise, %d values: %.2f %% covered", noise->name, n, 100 * c);
		}
	}
}

/* Between the clusters lies nothing, so this is the noise that interpolation serves worst. */
static void noise_in_two_clusters_keeps_what_the_inner_ranks_cover(void **state)
{
	uint64_t seed = 5000;

	(void)state;
	for (int n = SB_STATS_MIN_PAIRS; n <= 20; n++) {
		double floor = sb_stats_rank_coverage(n, sb_stats_rank(n, 0.95) + 1);
		double c = fixed_coverage(two_clusters, n, seed++);

		if (c < floor - 0.01) /* four standard errors of 20,000 */
			fail_msg("%d values: %.2f %% covered, not %.2f", n, 100 * c, 100 * floor);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intervals_cover_95_percent_wherever_the_run_stops),
		cmocka_unit_test(skewed_and_bounded_noise_stays_within_92_to_97_percent),
		cmocka_unit_test(a_budget_that_ends_anywhere_keeps_the_coverage),
		cmocka_unit_test(waiting_for_several_arms_keeps_the_coverage),
		cmocka_unit_test(interpolated_intervals_cover_their_level_for_every_count),
		cmocka_unit_test(noise_in_two_clusters_keeps_what_the_inner_ranks_cover),
	};
	return cmocka_run_group_tests_name("stats coverage", tests, NULL, NULL);
}
