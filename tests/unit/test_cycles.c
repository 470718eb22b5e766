/* What lies between two readings of a device's clocks, on readings made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cycles.h"

static struct sb_device_cycles between(const struct sb_marker *begin, const struct sb_marker *end, int n)
{
	struct sb_device_cycles c;

	sb_cycles_between(begin, end, n, &c);
	return c;
}

static void every_multiprocessor_counts_on_its_own_clock(void **state)
{
	/* Their clocks began at different times, and their blocks came in another order. */
	const struct sb_marker begin[] = { { 1000, 50, 0, 0 }, { 900000, 51, 1, 0 }, { 7, 52, 2, 0 } };
	const struct sb_marker end[] = { { 2007, 1052, 2, 0 }, { 2900, 1050, 0, 0 }, { 902100, 1055, 1, 0 } };
	struct sb_device_cycles c = between(begin, end, 3);

	(void)state;
	assert_int_equal(c.cycles, 2000); /* of 1900 2100 2000 */
	assert_int_equal(c.ns, 1000);     /* of 1000 1004 1000 */
	assert_int_equal(c.sms, 3);
}

static void a_multiprocessor_that_was_read_twice_counts_what_lies_inside(void **state)
{
	const struct sb_marker begin[] = { { 100, 10, 4, 0 }, { 130, 13, 4, 0 } };
	const struct sb_marker end[] = { { 990, 99, 4, 0 }, { 930, 93, 4, 0 } };
	struct sb_device_cycles c = between(begin, end, 2);

	(void)state;
	assert_int_equal(c.cycles, 800);
	assert_int_equal(c.ns, 80);
	assert_int_equal(c.sms, 1);
}

static void one_that_was_read_once_does_not_count(void **state)
{
	const struct sb_marker begin[] = { { 100, 10, 1, 0 }, { 100, 10, 2, 0 }, { 0, 0, 3, 0 } };
	const struct sb_marker end[] = { { 600, 60, 2, 0 }, { 900, 90, 7, 0 }, { 0, 0, 3, 0 } };
	struct sb_device_cycles c = between(begin, end, 3);

	(void)state;
	assert_int_equal(c.cycles, 500);
	assert_int_equal(c.sms, 1);
}

static void readings_that_mean_nothing_give_none(void **state)
{
	const struct sb_marker wrong[] = { { 100, 10, -1, 0 }, { 100, 10, 1 << 20, 0 } };
	const struct sb_marker back[] = { { 50, 5, 0, 0 }, { 50, 5, 0, 0 } };
	const struct sb_marker late[] = { { 90, 9, 0, 0 }, { 90, 9, 0, 0 } };
	struct sb_device_cycles c = between(wrong, wrong, 2);

	(void)state;
	assert_true(c.cycles == 0 && c.ns == 0 && c.sms == 0);
	c = between(late, back, 2); /* a clock that was set back */
	assert_true(c.cycles == 0 && c.sms == 0);
	c = between(NULL, NULL, 0);
	assert_true(c.cycles == 0 && c.sms == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_multiprocessor_counts_on_its_own_clock),
		cmocka_unit_test(a_multiprocessor_that_was_read_twice_counts_what_lies_inside),
		cmocka_unit_test(one_that_was_read_once_does_not_count),
		cmocka_unit_test(readings_that_mean_nothing_give_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
