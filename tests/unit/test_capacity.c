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

	sb_capacity_init(&c, least, most);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_is_found),
		cmocka_unit_test(a_good_model_is_confirmed_at_once_and_a_bad_one_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
