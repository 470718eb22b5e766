/* A replay on memory that somebody else provides: the same decisions, everything given back, every failure told. */
#include "memory_fixture.h"
#include "sb_replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A few hundred events that split, merge, leave holes, use two streams and empty the cache; some 200 MiB at most. */
static const char *trace(void)
{
	static struct sb_buf b;
	unsigned draw = 7;
	int n = 0;

	if (b.s)
		return b.s;
	sb_buf_addf(&b, "spabench-trace 1\npolicy default\nbegin\n");
	for (int i = 0; i < 240; i++, n++) {
		unsigned long long addr = 0x7f0000000000ULL + (unsigned long long)(i % 40) * 0x10000000;

		draw = draw * 1103515245u + 12345u;
		if (i / 40 % 2 == 0)
			sb_buf_addf(&b, "a %d %llx %u %d\n", i, addr, 1000 + (draw >> 8) % (i % 3 ? 9000000 : 500000),
			        i % 8 == 0);
		else
			sb_buf_addf(&b, "f %d %llx\n", i, addr);
		if (i == 80) {
			sb_buf_addf(&b, "e 80\n");
			n++;
		}
	}
	sb_buf_addf(&b, "end %d\n", n);
	assert_false(b.failed);
	return b.s;
}

static enum sb_status replay(const struct sb_replay_options *opt, struct sb_replay_result *out, struct sb_error *err)
{
	struct sb_alloc_trace *t = NULL;
	enum sb_status status;

	if (sb_alloc_trace_open_bytes(trace(), strlen(trace()), &t, err))
		fail_msg("%s", err->msg);
	status = sb_replay(t, opt, out, err);
	sb_alloc_trace_close(t);
	return status;
}

static void expect_nothing_held(const struct sb_pages *p)
{
	assert_int_equal(p->held_bytes, 0);
	assert_int_equal(p->address_bytes, 0);
}

static void real_memory_changes_no_decision(void **state)
{
	(void)state;
	for (int i = 0; sb_alloc_policy_names[i]; i++) {
		struct sb_replay_options opt = { .policy = sb_alloc_policy_names[i] };
		struct sb_replay_result counted, real;
		struct sb_error err = { .msg = "" };

		assert_int_equal(replay(&opt, &counted, &err), SB_OK);
		assert_int_equal(sb_pages_host_open(0, &opt.pages, &err), SB_OK);
		if (replay(&opt, &real, &err))
			fail_msg("%s: %s", opt.policy, err.msg);
		expect_nothing_held(opt.pages);
		assert_int_equal(real.n_refused, 0);
		/* The host's pages are smaller than the driver's, so ranges and moved pages are as many; bytes agree.
		 */
		assert_memory_equal(real.stats.of, counted.stats.of, sizeof(real.stats.of));
		assert_int_equal(real.stats.num_device_alloc, counted.stats.num_device_alloc);
		assert_memory_equal(
		        real.stats.driver.calls, counted.stats.driver.calls, sizeof(real.stats.driver.calls));
		assert_true(real.stats.driver_ns > 0);
		assert_true(real.work_ns >= real.stats.driver_ns);
		assert_true(real.replay_ns >= real.work_ns);
		sb_pages_close(opt.pages);
	}
}

/* As it is on a device: what it has not got is out of memory, and the program goes on. */
static void a_device_without_memory_refuses_and_the_replay_goes_on(void **state)
{
	(void)state;
	for (int i = 0; sb_alloc_policy_names[i]; i++) {
		for (int64_t n = 1;; n++) {
			struct sb_replay_options opt = { .policy = sb_alloc_policy_names[i] };
			struct sb_replay_result r;
			struct sb_error err = { .msg = "" };
			bool reached;

			assert_int_equal(sb_pages_count_open(GIB, 2 * MIB, &opt.pages, &err), SB_OK);
			sb_pages_fail_in(opt.pages, n, SB_E_NOMEM, false);
			if (replay(&opt, &r, &err)) /* the call gave back: that is the device's failure */
				assert_int_equal(err.code, SB_E_DEVICE);
			else
				assert_true(r.n_refused <= 1);
			reached = opt.pages->fail_in == 0;
			expect_nothing_held(opt.pages);
			sb_pages_close(opt.pages);
			if (!reached)
				break;
		}
	}
}

static void a_device_that_fails_at_any_call_gives_no_result(void **state)
{
	(void)state;
	for (int i = 0; sb_alloc_policy_names[i]; i++) {
		struct sb_replay_options opt = { .policy = sb_alloc_policy_names[i] };
		struct sb_replay_result whole, r = { .n_events = -1 };
		struct sb_error err = { .msg = "" };

		assert_int_equal(replay(&opt, &whole, &err), SB_OK);
		assert_true(whole.stats.driver_calls > 20);
		/* One more than the replay makes: the last look at the device. */
		for (int64_t n = 1; n <= whole.stats.driver_calls + 1; n++) {
			assert_int_equal(sb_pages_count_open(GIB, 2 * MIB, &opt.pages, &err), SB_OK);
			sb_pages_fail_in(opt.pages, n, SB_E_DEVICE, true);
			assert_int_equal(replay(&opt, &r, &err), SB_E_DEVICE);
			assert_int_equal(r.n_events, -1);
			assert_true(strstr(err.msg, "line ") || strstr(err.msg, "at the end of the trace"));
			expect_nothing_held(opt.pages);
			sb_pages_close(opt.pages);
		}
		assert_non_null(strstr(err.msg, "at the end of the trace"));
	}
}

static void the_device_is_as_large_as_its_provider_says(void **state)
{
	struct sb_replay_options opt = { .policy = "default", .device_bytes = GIB };
	struct sb_replay_result r;
	struct sb_error err = { .msg = "" };

	(void)state;
	assert_int_equal(sb_pages_count_open(64 * MIB, 2 * MIB, &opt.pages, &err), SB_OK);
	assert_int_equal(replay(&opt, &r, &err), SB_OK);
	assert_int_equal(r.device_bytes, 64 * MIB);
	assert_true(r.n_refused > 0);
	assert_true(r.stats.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak <= 64 * MIB);
	sb_pages_close(opt.pages);
}

/* More events than are read at a time, and then a line that is none: what stood before it was done, nothing is told. */
static void a_bad_line_far_down_is_still_named(void **state)
{
	struct sb_buf b = { 0 };
	struct sb_alloc_trace *t = NULL;
	struct sb_replay_options opt = { .policy = "default" };
	struct sb_replay_result r = { .n_events = -1 };
	struct sb_error err = { .msg = "" };

	(void)state;
	sb_buf_addf(&b, "spabench-trace 1\nbegin\n");
	for (int i = 0; i < 1000; i++)
		sb_buf_addf(&b, "a %d %x 512\n", i, 0x200 * (i + 1));
	sb_buf_addf(&b, "q 1000\nend 1001\n");
	assert_false(b.failed);
	assert_int_equal(sb_pages_count_open(GIB, 2 * MIB, &opt.pages, &err), SB_OK);
	assert_int_equal(sb_alloc_trace_open_bytes(b.s, strlen(b.s), &t, &err), SB_OK);
	assert_int_equal(sb_replay(t, &opt, &r, &err), SB_E_DATA);
	assert_non_null(strstr(err.msg, "line 1003"));
	assert_int_equal(r.n_events, -1);
	expect_nothing_held(opt.pages);
	sb_alloc_trace_close(t);
	sb_pages_close(opt.pages);
	free(b.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_memory_changes_no_decision),
		cmocka_unit_test(a_device_without_memory_refuses_and_the_replay_goes_on),
		cmocka_unit_test(a_device_that_fails_at_any_call_gives_no_result),
		cmocka_unit_test(the_device_is_as_large_as_its_provider_says),
		cmocka_unit_test(a_bad_line_far_down_is_still_named),
	};
	return cmocka_run_group_tests_name("replay_device", tests, NULL, NULL);
}
