#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capacity.h"

/* A search where up to `truth` fits; model: what guesses it, or NULL. Returns the tries. */
static int search(int64_t least, int64_t most, int64_t truth, int64_t (*model)(int64_t truth, int64_t good))
{
	struct sb_capacity c;
	int64_t next;

	sb_capacity_init(&c, least, most, 0.0);
	while ((next = sb_capacity_next(&c, model ? model(truth, c.good) : 0)) >= least) {
		assert_true(next > c.good && next < c.bad && next <= most);
		sb_capacity_tell(&c, next, next <= truth);
		assert_true(c.tries < 128);
	}
	assert_int_equal(c.good, truth > most ? most : truth < least ? least - 1 : truth);
	return c.tries;
}

static int64_t exact(int64_t truth, int64_t good)
{
	(void)good;
	return truth;
}

static int64_t far_too_much(int64_t truth, int64_t good)
{
	(void)good;
	return 10 * truth;
}

static int64_t one_more_each_time(int64_t truth, int64_t good)
{
	(void)truth;
	return good + 1;
}

static void every_answer_is_found(void **state)
{
	(void)state;
	for (int64_t truth = 0; truth <= 70; truth++) {
		search(3, 64, truth, NULL);
		search(3, 64, truth, exact);
		search(3, 64, truth, far_too_much);
		search(3, 64, truth, one_more_each_time);
	}
	search(1, 1, 1, NULL);
	search(1, 1, 0, NULL);
}

static void a_good_model_is_confirmed_at_once_and_a_bad_one_costs_little(void **state)
{
	(void)state;
	for (int64_t truth = 3; truth < 10000; truth += 97) {
		int without = search(3, 10000, truth, NULL);

		assert_true(search(3, 10000, truth, exact) <= 3);
		assert_true(search(3, 10000, truth, one_more_each_time) <= 3 * without + 3);
		assert_true(search(3, 10000, truth, far_too_much) <= 3 * without + 3);
		assert_true(without <= 28);
	}
}

/* What fits is found to a hundredth, what does not fit was tried, and the ends of the range are exact. */
static void with_slack_it_is_close_enough_sooner(void **state)
{
	int64_t (*const models[])(int64_t, int64_t) = { NULL, exact, far_too_much, one_more_each_time };

	(void)state;
	for (size_t m = 0; m < SB_ARRAY_LEN(models); m++)
		for (int64_t truth = 0; truth <= 60000; truth += 1 + truth / 3) {
			struct sb_capacity c;
			int64_t next;

			sb_capacity_init(&c, 1, 50000, 0.01);
			while ((next = sb_capacity_next(&c, models[m] ? models[m](truth, c.good) : 0)) >= 1) {
				assert_true(next > c.good && next < c.bad && next <= 50000);
				sb_capacity_tell(&c, next, next <= truth);
				assert_true(c.tries <= (models[m] == exact ? 3 : 64));
			}
			if (truth >= 50000) {
				assert_int_equal(c.good, 50000);
				continue;
			}
			assert_true(c.good <= truth && c.bad > truth && c.bad <= 50000);
			assert_true(c.bad - c.good <= 1 + c.good / 100);
		}
}

static void a_line_says_where_the_room_ends(void **state)
{
	const struct sb_capacity_point a = { 100, 1000 }, b = { 200, 1500 }, flat = { 300, 1500 };

	(void)state;
	assert_true(sb_capacity_line(&a, &b, 2000) == 300);
	assert_true(sb_capacity_line(&b, &flat, 2000) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_is_found),
		cmocka_unit_test(a_good_model_is_confirmed_at_once_and_a_bad_one_costs_little),
		cmocka_unit_test(with_slack_it_is_close_enough_sooner),
		cmocka_unit_test(a_line_says_where_the_room_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
