/* Real host memory, and a driver that fails at every call in turn. */
#include "memory_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- host memory ------------------------------------------------------------------------------------------------ */

static int64_t resident_bytes(void)
{
	long long total = 0, resident = -1;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f)
		return -1;
	if (fscanf(f, "%lld %lld", &total, &resident) != 2)
		resident = -1;
	fclose(f);
	return resident < 0 ? -1 : resident * sysconf(_SC_PAGESIZE);
}

/* True if reading at p kills the process that does it. */
static bool touch_is_fatal(const void *p)
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL); /* a sanitizer would report instead of dying */
		signal(SIGBUS, SIG_DFL);
		(void)*(volatile const char *)p;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) != 0;
}

static void host_memory_is_real_and_costs_nothing_after_release(void **state)
{
	(void)state;
	for (const char *const *name = sb_alloc_policy_names; *name; name++) {
		struct fix f = { 0 };
		struct sb_error err = { 0 };
		int64_t before, held, after;
		char *p, *keep;

		assert_int_equal(sb_pages_host_open(256 * MIB, &f.pages, &err), SB_OK);
		assert_int_equal(sb_alloc_open(*name, f.pages, &f.a, &err), SB_OK);
		before = resident_bytes();
		if (before < 0)
			skip();
		keep = (char *)get(&f, 2 * MIB);
		p = (char *)get(&f, 100 * MIB);
		memset(p, 0x5a, (size_t)(100 * MIB));
		memset(keep, 0x77, (size_t)(2 * MIB));
		held = resident_bytes();
		assert_true(held - before > 95 * MIB);
		put(&f, (uintptr_t)p);
		if (strcmp(*name, "none") != 0) /* cached, not returned */
			assert_true(resident_bytes() - before > 95 * MIB);
		assert_int_equal(sb_alloc_empty_cache(f.a, &err), SB_OK);
		after = resident_bytes();
		assert_true(after - before < 30 * MIB);
		assert_int_equal(keep[0] + keep[2 * MIB - 1], 2 * 0x77);
		if (strcmp(*name, "expandable") == 0 || strcmp(*name, "stitched") == 0) {
			assert_true(touch_is_fatal(p + 50 * MIB));
			assert_false(touch_is_fatal(keep));
			assert_ptr_equal((char *)get(&f, 100 * MIB), p);
			assert_int_equal(p[50 * MIB], 0); /* fresh pages */
			memset(p, 1, (size_t)(100 * MIB));
		}
		close_fix(&f);
	}
}

static void host_memory_honours_its_limit(void **state)
{
	(void)state;
	for (const char *const *name = sb_alloc_policy_names; *name; name++) {
		struct fix f = { 0 };
		struct sb_error err = { 0 };
		int64_t avail = 0, total = 0;
		void *p = NULL;

		assert_int_equal(sb_pages_host_open(64 * MIB, &f.pages, &err), SB_OK);
		assert_int_equal(sb_alloc_open(*name, f.pages, &f.a, &err), SB_OK);
		get(&f, 40 * MIB);
		assert_int_equal(sb_alloc_malloc(f.a, 30 * MIB, 0, &p, &err), SB_E_NOMEM);
		assert_int_equal(sb_alloc_oom(f.a)->device_free, 24 * MIB);
		assert_int_equal(sb_pages_info(f.pages, &avail, &total, &err), SB_OK);
		assert_int_equal(avail, 24 * MIB);
		assert_int_equal(total, 64 * MIB);
		close_fix(&f);
	}
}

/* ---- faults ----------------------------------------------------------------------------------------------------- */

static void a_mapping_that_fails_takes_back_what_was_placed(void **state)
{
	struct fix f = open_on("expandable", GIB);
	struct sb_pages_range *r = NULL;
	struct sb_error err = { 0 };
	const int64_t *calls = f.pages->counts.calls;

	(void)state;
	assert_int_equal(sb_pages_reserve(f.pages, 2 * MIB, 10, &r, &err), SB_OK);
	for (int nth = 1; nth <= 7; nth++) { /* 3 creates, 3 maps, 1 set_access */
		int64_t unmaps = calls[SB_PAGES_UNMAP], releases = calls[SB_PAGES_RELEASE];

		sb_pages_fail_in(f.pages, nth, SB_E_DEVICE, false);
		assert_int_equal(sb_pages_map(r, 4, 3, &err), SB_E_DEVICE);
		assert_int_equal(calls[SB_PAGES_RELEASE] - releases, nth <= 3 ? nth - 1 : 3);
		assert_int_equal(calls[SB_PAGES_UNMAP] - unmaps, nth <= 3 ? 0 : nth - 4);
		assert_int_equal(f.pages->held_bytes, 0);
	}
	assert_int_equal(sb_pages_map(r, 4, 3, &err), SB_OK);
	assert_int_equal(f.pages->held_bytes, 6 * MIB);
	assert_int_equal(sb_pages_unreserve(r, &err), SB_OK); /* unmaps them first */
	close_fix(&f);
}

/* A course that goes through growth, reuse, holes, full release and out of memory. Failures are part of it. */
static void run_course(struct sb_alloc *a)
{
	static const int64_t sizes[] = { 512, 3 * MIB, 30 * MIB, MIB, 15 * MIB, 2 * MIB, 25 * MIB, 700, 40 * MIB };
	void *p[SB_ARRAY_LEN(sizes)] = { 0 };
	struct sb_error err = { 0 };

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < SB_ARRAY_LEN(sizes); i++) {
			void *got = NULL;
			enum sb_status status = sb_alloc_malloc(a, sizes[i] * (round + 1), i & 1, &got, &err);

			assert_true(status == SB_OK || status == SB_E_NOMEM || status == SB_E_DEVICE);
			assert_true((got != NULL) == (status == SB_OK));
			if (status)
				assert_int_equal(err.code, status);
			if (got)
				memset(got, 1, 64);
			if (p[i] && i % 3)
				sb_alloc_free(a, p[i]), p[i] = NULL;
			if (got && p[i])
				sb_alloc_free(a, p[i]);
			p[i] = got ? got : p[i];
		}
		sb_alloc_empty_cache(a, &err);
	}
}

static void sum_blocks(void *user, const struct sb_alloc_block *b)
{
	int64_t *sums = user;

	sums[0] += b->live ? b->bytes : 0;
	sums[1] += b->mapped ? b->bytes : 0;
}

static void every_single_driver_call_may_fail(void **state)
{
	static const enum sb_status with[] = { SB_E_NOMEM, SB_E_DEVICE };
	int64_t n_failures = 0;

	(void)state;
	for (int variant = 0; variant < 16; variant++) {
		const char *policy = sb_alloc_policy_names[variant >> 2];
		bool sticky = variant & 2;
		bool injected = true;

		for (int64_t n = 1; injected; n++) {
			struct fix f = { 0 };
			struct sb_error err = { 0 };
			int64_t sums[2] = { 0 };
			struct sb_alloc_stats st;

			assert_int_equal(sb_pages_host_open(100 * MIB, &f.pages, &err), SB_OK);
			assert_int_equal(sb_alloc_open(policy, f.pages, &f.a, &err), SB_OK);
			sb_pages_fail_in(f.pages, n, with[variant & 1], sticky);
			run_course(f.a);
			injected = sticky ? f.pages->fail_in == 1 : f.pages->fail_in == 0;
			n_failures += injected;
			sb_pages_fail_in(f.pages, 0, SB_OK, false);
			st = stats_of(&f);
			sb_alloc_visit(f.a, sum_blocks, sums);
			assert_int_equal(st.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_ALL].current, sums[0]);
			assert_int_equal(st.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].current, sums[1]);
			assert_int_equal(f.pages->held_bytes, sums[1]);
			/* the fault is over: the allocator still works */
			get(&f, 512);
			close_fix(&f);
		}
	}
	assert_true(n_failures > 200);
}

static void closing_survives_a_device_that_is_lost(void **state)
{
	(void)state;
	for (const char *const *name = sb_alloc_policy_names; *name; name++) {
		struct fix f = open_on(*name, GIB);
		struct sb_error err = { 0 };
		void *p = NULL;

		get(&f, 30 * MIB);
		put(&f, get(&f, 512));
		sb_pages_fail_in(f.pages, 1, SB_E_DEVICE, true);
		assert_int_equal(sb_alloc_malloc(f.a, 100 * MIB, 0, &p, &err), SB_E_DEVICE);
		assert_int_equal(stats_of(&f).num_ooms, 0);
		if (strcmp(*name, "none") == 0) /* has nothing left to give back */
			assert_int_equal(sb_alloc_empty_cache(f.a, &err), SB_OK);
		else
			assert_int_equal(sb_alloc_empty_cache(f.a, &err), SB_E_DEVICE);
		assert_int_equal(err.code, SB_E_DEVICE);
		close_fix(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mapping_that_fails_takes_back_what_was_placed),
		cmocka_unit_test(host_memory_is_real_and_costs_nothing_after_release),
		cmocka_unit_test(host_memory_honours_its_limit),
		cmocka_unit_test(every_single_driver_call_may_fail),
		cmocka_unit_test(closing_survives_a_device_that_is_lost),
	};
	return cmocka_run_group_tests_name("memory_pages", tests, NULL, NULL);
}
