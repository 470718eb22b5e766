/*
 * What a request costs on the host. Promised are 100 ns for a hit and, with 100,000 blocks, a median of 1 us and 5 us
 * in 99.9 % of all cases: SB_STRICT_PERF=1 holds them to it. Without it twice as much is let pass, because others may
 * use the processor's caches meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sb_replay.h"

#define BATCH  64
#define ROUNDS 4000
#define LIVE   100000
#define STEPS  200000
#define TRIES  5 /* another process may take the core away, or its caches */

static int slack(void)
{
	return getenv("SB_STRICT_PERF") ? 1 : 2;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t quantile(int64_t *v, size_t n, double q)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[(size_t)((double)(n - 1) * q)];
}

/* The sizes that the recorded front end asks for, in its order. */
static size_t churn_sizes(int64_t *out, size_t max)
{
	struct sb_alloc_trace *t = NULL;
	struct sb_alloc_trace_event e;
	struct sb_error err = { .msg = "" };
	bool more = true;
	size_t n = 0;

	if (sb_alloc_trace_open("data/traces/churn_default.txt.gz", &t, &err))
		fail_msg("%s", err.msg);
	while (more && n < max) {
		if (sb_alloc_trace_next(t, &e, &more, &err))
			fail_msg("%s", err.msg);
		if (more && e.e.kind == SB_ALLOC_EV_ALLOC)
			out[n++] = e.e.bytes;
	}
	sb_alloc_trace_close(t);
	return n;
}

static void open_policy(const char *policy, struct sb_pages **pages, struct sb_alloc **a)
{
	struct sb_error err = { .msg = "" };

	assert_int_equal(sb_pages_count_open(INT64_C(1) << 43, 2 << 20, pages, &err), SB_OK);
	assert_int_equal(sb_alloc_open(policy, *pages, a, &err), SB_OK);
}

static void *must_malloc(struct sb_alloc *a, int64_t bytes)
{
	struct sb_error err = { .msg = "" };
	void *p = NULL;

	if (sb_alloc_malloc(a, bytes, 0, &p, &err))
		fail_msg("%s", err.msg);
	return p;
}

/* One pass over BATCH blocks: taken one after the other, given back in the reverse order. */
static void lifo(struct sb_alloc *a, const int64_t *sizes)
{
	void *p[BATCH];

	for (int i = 0; i < BATCH; i++)
		p[i] = must_malloc(a, sizes[i]);
	for (int i = BATCH; i-- > 0;)
		sb_alloc_free(a, p[i]);
}

static int64_t lifo_median_ns(const char *policy, bool one_by_one)
{
	static int64_t dur[ROUNDS];
	struct sb_pages *pages = NULL;
	struct sb_alloc *a = NULL;
	int64_t sizes[BATCH];
	int64_t since;

	open_policy(policy, &pages, &a);
	assert_int_equal(churn_sizes(sizes, BATCH), BATCH);
	lifo(a, sizes);
	for (int r = 0; r < ROUNDS; r++) {
		since = sb_now_ns();
		if (one_by_one)
			for (int i = 0; i < BATCH; i++)
				sb_alloc_free(a, must_malloc(a, sizes[i]));
		else
			lifo(a, sizes);
		dur[r] = sb_now_ns() - since;
	}
	assert_int_equal(sb_alloc_close(a), 0);
	sb_pages_close(pages);
	return quantile(dur, ROUNDS, 0.5) / BATCH;
}

static void a_hit_last_in_first_out_takes_100_ns_at_most(void **state)
{
	static const char *const policies[] = { "default", "expandable" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(policies); i++) {
		int64_t stack, pair;
		int tries = TRIES;

		do {
			stack = lifo_median_ns(policies[i], false);
			pair = lifo_median_ns(policies[i], true);
		} while ((stack > 100 * slack() || pair > 100 * slack()) && --tries);
		print_message("%s: alloc + free %lld ns in stacks of %d, %lld ns one by one\n", policies[i],
		        (long long)stack, BATCH, (long long)pair);
		assert_true(stack <= 100 * slack());
		assert_true(pair <= 100 * slack());
	}
}

/* Returns the median, and the 99.9th percentile in *high, of free + alloc with LIVE blocks out. */
static int64_t random_victim_ns(const char *policy, int64_t *high)
{
	static int64_t sizes[LIVE], dur[STEPS];
	static void *live[LIVE];
	struct sb_pages *pages = NULL;
	struct sb_alloc *a = NULL;
	uint64_t seed = 1;
	size_t n = churn_sizes(sizes, LIVE);

	assert_true(n > 50000);
	open_policy(policy, &pages, &a);
	for (int i = 0; i < LIVE; i++)
		live[i] = must_malloc(a, sizes[sb_random_below(&seed, n)]);
	for (int warm = 2; warm-- > 0;)
		for (int i = 0; i < STEPS; i++) {
			size_t victim = (size_t)sb_random_below(&seed, LIVE);
			int64_t bytes = sizes[sb_random_below(&seed, n)];
			void *p = live[victim]; /* what the program itself has to look up is not counted */
			int64_t since = sb_now_ns();

			sb_alloc_free(a, p);
			p = must_malloc(a, bytes);
			dur[i] = sb_now_ns() - since;
			live[victim] = p;
		}
	sb_alloc_close(a);
	sb_pages_close(pages);
	*high = quantile(dur, STEPS, 0.999);
	return quantile(dur, STEPS, 0.5);
}

static void a_random_victim_among_100000_takes_a_microsecond(void **state)
{
	static const char *const policies[] = { "default", "expandable" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(policies); i++) {
		int64_t high = 0, median;
		int tries = TRIES;

		do {
			median = random_victim_ns(policies[i], &high);
		} while ((median > 1000 * slack() || high > 5000 * slack()) && --tries);
		print_message("%s: free + alloc median %lld ns, 99.9 %% %lld ns\n", policies[i], (long long)median,
		        (long long)high);
		assert_true(median <= 1000 * slack());
		assert_true(high <= 5000 * slack());
	}
}

/* 302,965 entries of PyTorch's history, in 202,526 lines. */
static void a_recorded_program_is_replayed_in_300_ms(void **state)
{
	const struct sb_replay_options check = { .check = true };
	int64_t best = INT64_MAX;

	(void)state;
	for (int i = 0; i < TRIES; i++) {
		struct sb_alloc_trace *t = NULL;
		struct sb_error err = { .msg = "" };
		struct sb_replay_result r;
		int64_t since = sb_now_ns(), dur;

		if (sb_alloc_trace_open("data/traces/churn_default.txt.gz", &t, &err) || sb_replay(t, &check, &r, &err))
			fail_msg("%s", err.msg);
		assert_false(r.differs);
		sb_alloc_trace_close(t);
		dur = sb_now_ns() - since;
		best = dur < best ? dur : best;
	}
	print_message("%lld ms, unpacking included\n", (long long)best / 1000000);
	assert_true(best <= INT64_C(300000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hit_last_in_first_out_takes_100_ns_at_most),
		cmocka_unit_test(a_random_victim_among_100000_takes_a_microsecond),
		cmocka_unit_test(a_recorded_program_is_replayed_in_300_ms),
	};
	return cmocka_run_group_tests_name("memory_perf", tests, NULL, NULL);
}
