/* What a verdict says of its samples: changes that are the clock's, clocks held down, drift, two modes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sb_summary.h"

enum { N = 20 };

struct made {
	double time[2][N], mhz[2][N], held[2][N];
	struct sb_caution_samples s;
};

/* Times with `noise` of their own, as long again as `ratio` says after; a clock of 1,800 MHz times `clock` after. */
static void make(struct made *m, double ratio, double clock, double noise)
{
	uint64_t random = 7;

	*m = (struct made){ .s = { .n = N, .level = 0.95 } };
	for (int side = 0; side < 2; side++) {
		for (int i = 0; i < N; i++) {
			m->time[side][i] = 1e8 * (side ? ratio : 1.0) * (1.0 + noise * (sb_random_unit(&random) - 0.5));
			m->mhz[side][i] =
			        1800.0 * (side ? clock : 1.0) * (1.0 + 0.0002 * (sb_random_unit(&random) - 0.5));
		}
		m->s.time[side] = m->time[side];
		m->s.mhz[side] = m->mhz[side];
		m->s.held[side] = m->held[side];
	}
}

static void a_slower_clock_alone_is_named(void **state)
{
	struct made m;

	(void)state;
	make(&m, 1.03, 1.0 / 1.03, 0.002);
	assert_int_equal(sb_cautions_of(&m.s), SB_CAUTION_CLOCK);
	make(&m, 0.97, 1.0 / 0.97, 0.002);
	assert_int_equal(sb_cautions_of(&m.s), SB_CAUTION_CLOCK);
	/* A trace of work beside it, which its narrow interval shows, is still the clock's. */
	make(&m, 1.03, 1.002 / 1.03, 0.0004);
	assert_int_equal(sb_cautions_of(&m.s), SB_CAUTION_CLOCK);
}

static void other_work_is_not_the_clocks(void **state)
{
	struct made m;

	(void)state;
	make(&m, 1.03, 1.0, 0.002); /* cycles changed, the clock did not */
	assert_int_equal(sb_cautions_of(&m.s), 0);
	make(&m, 0.33, 0.9, 0.002); /* both */
	assert_int_equal(sb_cautions_of(&m.s), 0);
	make(&m, 1.0, 1.0, 0.002); /* neither */
	assert_int_equal(sb_cautions_of(&m.s), 0);
	make(&m, 1.0, 0.97, 0.002); /* a slower clock and less work: no change of time to explain */
	assert_int_equal(sb_cautions_of(&m.s), 0);
	make(&m, 1.0, 0.99, 0.1); /* noise that hides whether there is a change of time */
	assert_int_equal(sb_cautions_of(&m.s), 0);
	make(&m, 1.001, 1.0, 0.0002); /* a clock that varies, and so cycles that do */
	for (int i = 0; i < N; i++)
		m.mhz[1][i] *= 1.0 + 0.002 * (i * 7 % N - 9.5);
	assert_int_equal(sb_cautions_of(&m.s), 0);
}

static void without_the_clocks_rate_nothing_is_the_clocks(void **state)
{
	struct made m;

	(void)state;
	make(&m, 1.03, 1.0 / 1.03, 0.002);
	m.s.mhz[1] = NULL;
	assert_int_equal(sb_cautions_of(&m.s), 0);
	make(&m, 1.03, 1.0 / 1.03, 0.002);
	m.mhz[0][7] = NAN; /* one of them unknown */
	assert_int_equal(sb_cautions_of(&m.s), 0);
	make(&m, 1.03, 1.0 / 1.03, 0.002);
	m.s.n = 5; /* too few for an interval */
	assert_int_equal(sb_cautions_of(&m.s), 0);
	m.s.n = 6;
	assert_int_equal(sb_cautions_of(&m.s), SB_CAUTION_CLOCK);
}

static void clocks_that_were_held_down_are_named_in_either_arm(void **state)
{
	struct made m;

	(void)state;
	for (int side = 0; side < 2; side++) {
		make(&m, 0.5, 1.0, 0.002);
		m.held[side][3] = 1.0;
		assert_int_equal(sb_cautions_of(&m.s), SB_CAUTION_THROTTLED);
		m.s.n = 4; /* seen in few pairs, too */
		assert_int_equal(sb_cautions_of(&m.s), SB_CAUTION_THROTTLED);
		m.s.n = 3;
		assert_int_equal(sb_cautions_of(&m.s), 0);
		m.s.n = N;
		m.held[side][3] = NAN; /* not read */
		assert_int_equal(sb_cautions_of(&m.s), 0);
	}
}

static void drift_and_modes_of_the_ratio_are_named(void **state)
{
	struct made m;

	(void)state;
	make(&m, 0.5, 1.0, 0.002);
	for (int i = 0; i < N; i++)
		m.time[1][i] *= 1.0 + 0.002 * i;
	assert_int_equal(sb_cautions_of(&m.s), SB_CAUTION_DRIFTING);
	make(&m, 0.5, 1.0, 0.002);
	for (int i = 0; i < N; i++)
		m.time[1][i] *= i * 7 % N < N / 2 ? 1.0 : 1.05;
	assert_int_equal(sb_cautions_of(&m.s), SB_CAUTION_TWO_MODES);
	m.s.only_clock = true;
	assert_int_equal(sb_cautions_of(&m.s), 0);
	/* What both arms have in common, pairs take out. */
	make(&m, 0.5, 1.0, 0.002);
	for (int i = 0; i < N; i++)
		for (int side = 0; side < 2; side++)
			m.time[side][i] *= 1.0 + 0.01 * i;
	assert_int_equal(sb_cautions_of(&m.s), 0);
}

static void equal_missing_and_impossible_times_are_no_cause(void **state)
{
	struct made m;

	(void)state;
	make(&m, 1.0, 1.0, 0.0);
	assert_int_equal(sb_cautions_of(&m.s), 0);
	for (int i = 0; i < N; i++)
		m.time[i % 2][i] = i % 3 ? NAN : 0.0;
	assert_int_equal(sb_cautions_of(&m.s), 0);
	m.s.n = 0;
	assert_int_equal(sb_cautions_of(&m.s), 0);
}

/* The second series the other way round: there are no pairs. */
static unsigned of_two(const struct made *m, int n)
{
	double time[2][N], mhz[2][N];
	struct sb_caution_series of[2];

	for (int side = 0; side < 2; side++) {
		for (int i = 0; i < n; i++) {
			time[side][i] = m->time[side][side ? n - 1 - i : i];
			mhz[side][i] = m->mhz[side][side ? n - 1 - i : i];
		}
		of[side] = (struct sb_caution_series){ time[side], m->s.mhz[side] ? mhz[side] : NULL, n,
			m->held[side][3] > 0.0 };
	}
	return sb_cautions_of_two(of, 0.95);
}

static void two_old_series_have_a_clock_too(void **state)
{
	struct made m;

	(void)state;
	make(&m, 1.03, 1.0 / 1.03, 0.002);
	assert_int_equal(of_two(&m, N), SB_CAUTION_CLOCK);
	assert_int_equal(of_two(&m, 3), SB_CAUTION_CLOCK);
	assert_int_equal(of_two(&m, 1), 0);
	m.s.mhz[1] = NULL;
	assert_int_equal(of_two(&m, N), 0);
	make(&m, 1.03, 1.0, 0.002); /* other work */
	assert_int_equal(of_two(&m, N), 0);
	make(&m, 0.5, 0.9, 0.002); /* both */
	assert_int_equal(of_two(&m, N), 0);
	make(&m, 1.0, 1.0, 0.002);
	assert_int_equal(of_two(&m, N), 0);
	make(&m, 1.03, 1.0 / 1.03, 0.5); /* in this noise nothing changed */
	assert_int_equal(of_two(&m, N), 0);
}

static void either_of_two_old_series_can_be_unsteady(void **state)
{
	struct made m;

	(void)state;
	for (int side = 0; side < 2; side++) {
		make(&m, 1.0, 1.0, 0.002);
		m.held[side][3] = 1.0;
		assert_int_equal(of_two(&m, N), SB_CAUTION_THROTTLED);
		assert_int_equal(of_two(&m, 1), SB_CAUTION_THROTTLED);
		make(&m, 1.0, 1.0, 0.002);
		for (int i = 0; i < N; i++)
			m.time[side][i] *= 1.0 + 0.002 * i;
		assert_int_equal(of_two(&m, N), SB_CAUTION_DRIFTING);
		make(&m, 1.0, 1.0, 0.002);
		for (int i = 0; i < N; i++)
			m.time[side][i] *= i * 7 % 10 < 5 ? 1.0 : 1.05;
		assert_int_equal(of_two(&m, N), SB_CAUTION_TWO_MODES);
		assert_int_equal(of_two(&m, 5), 0); /* too few to tell */
	}
}

static void cautions_are_words(void **state)
{
	struct sb_buf b = { 0 };

	(void)state;
	sb_cautions_text(0, &b);
	assert_string_equal(sb_buf_str(&b), "");
	sb_cautions_text(SB_CAUTION_CLOCK | SB_CAUTION_THROTTLED | SB_CAUTION_DRIFTING | SB_CAUTION_TWO_MODES, &b);
	assert_string_equal(sb_buf_str(&b), "clock, throttled, drifting, two modes");
	sb_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slower_clock_alone_is_named),
		cmocka_unit_test(other_work_is_not_the_clocks),
		cmocka_unit_test(without_the_clocks_rate_nothing_is_the_clocks),
		cmocka_unit_test(clocks_that_were_held_down_are_named_in_either_arm),
		cmocka_unit_test(drift_and_modes_of_the_ratio_are_named),
		cmocka_unit_test(equal_missing_and_impossible_times_are_no_cause),
		cmocka_unit_test(two_old_series_have_a_clock_too),
		cmocka_unit_test(either_of_two_old_series_can_be_unsteady),
		cmocka_unit_test(cautions_are_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
