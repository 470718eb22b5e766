/* The collector of CUPTI's records on a CUPTI that does what it is told to (tests/tools/fake_cupti.c): no device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fake_cupti.h"
#include "sb_cupti.h"

#define FAKES(X)                                                                                     \
	X(request, (uint32_t correlation))                                                           \
	X(kernel, (uint32_t correlation, const char *name, uint64_t start, uint64_t end))            \
	X(copy, (uint32_t correlation, int to_device, uint64_t bytes, uint64_t start, uint64_t end)) \
	X(set, (uint32_t correlation, uint64_t bytes, uint64_t start, uint64_t end))                 \
	X(overhead, (int kind, uint64_t ns))                                                         \
	X(memory_call, (uint64_t ns))                                                                \
	X(call, (int driver, uint32_t correlation, uint64_t start, uint64_t end))                    \
	X(drop, (size_t n))                                                                          \
	X(state, (struct fake_cupti_counts * out))

static struct {
#define MEMBER(name, parameters) void(*name) parameters;
	FAKES(MEMBER)
#undef MEMBER
} fake;

static int find_fakes(void **state)
{
	void *library = dlopen(getenv("SPABENCH_CUPTI"), RTLD_NOW | RTLD_LOCAL);

	(void)state;
	assert_non_null(library);
#define FIND(name, parameters)                                              \
	*(void **)(void *)&fake.name = dlsym(library, "fake_cupti_" #name); \
	assert_non_null(*(void **)(void *)&fake.name);
	FAKES(FIND)
#undef FIND
	return 0;
}

static struct sb_cupti *open_told(const char *told, size_t capacity)
{
	struct sb_error err = { .msg = "" };
	struct sb_cupti *c;

	assert_int_equal(setenv("SB_FAKE_CUPTI", told, 1), 0);
	if (sb_cupti_open(capacity, &c, &err))
		fail_msg("%s", err.msg);
	return c;
}

static void begin(struct sb_cupti *c)
{
	struct sb_error err = { .msg = "" };

	if (sb_cupti_begin(c, &err))
		fail_msg("%s", err.msg);
}

/* A request of op `op` with this correlation id. */
static void ask(struct sb_cupti *c, uint32_t op, uint32_t correlation)
{
	sb_cupti_op(c, op);
	fake.request(correlation);
}

struct seen {
	const struct sb_activity *a;
	size_t n;
	struct sb_activity_account account;
};

static struct seen end(struct sb_cupti *c)
{
	struct sb_error err = { .msg = "" };
	struct seen s;

	if (sb_cupti_end(c, &s.a, &s.n, &s.account, &err))
		fail_msg("%s", err.msg);
	return s;
}

static void assert_account(
        const struct seen *s, int64_t requested, int64_t delivered, int64_t dropped, int64_t zero, int64_t unmatched)
{
	assert_int_equal(s->account.requested, requested);
	assert_int_equal(s->account.delivered, delivered);
	assert_int_equal(s->account.dropped, dropped);
	assert_int_equal(s->account.zero_time, zero);
	assert_int_equal(s->account.unmatched, unmatched);
}

/* ---- a pass ------------------------------------------------------------------------------------------------------ */

static void records_are_joined_with_the_ops_that_asked_for_them(void **state)
{
	struct sb_cupti *c = open_told("", 16);
	struct seen s;

	(void)state;
	begin(c);
	ask(c, 3, 100);
	ask(c, 3, 102);
	ask(c, 5, 104);
	ask(c, 6, 107);
	/* In another order than they were asked for. */
	fake.set(107, 4096, 4000, 4100);
	fake.kernel(102, "_Z6reducePf", 2000, 2050);
	fake.copy(100, 1, 512, 1000, 1500);
	fake.kernel(104, "_Z6reducePf", 3000, 3070);
	s = end(c);
	assert_account(&s, 4, 4, 0, 0, 0);
	assert_int_equal(s.n, 4);
	assert_string_equal(s.a[0].name, "memcpy HtoD");
	assert_true(s.a[0].op == 3 && s.a[0].bytes == 512 && s.a[0].start_ns == 1000 && s.a[0].dur_ns == 500);
	assert_true(s.a[0].stream == 9 && s.a[0].block[0] == 0);
	assert_string_equal(s.a[1].name, "reduce");
	assert_true(s.a[1].op == 3 && s.a[1].dur_ns == 50 && s.a[1].correlation == 102);
	assert_true(s.a[1].grid[0] == 132 && s.a[1].grid[1] == 2 && s.a[1].block[0] == 128);
	assert_true(s.a[1].shared_bytes == 3072 && s.a[1].registers == 96 && s.a[1].stream == 7);
	assert_true(s.a[2].op == 5 && s.a[2].dur_ns == 70);
	assert_ptr_equal(s.a[1].name, s.a[2].name); /* read once */
	assert_string_equal(s.a[3].name, "memset");
	assert_true(s.a[3].op == 6 && s.a[3].bytes == 4096);
	sb_cupti_close(c);
}

static void what_is_missing_or_too_much_is_counted(void **state)
{
	struct sb_cupti *c = open_told("", 16);
	struct seen s;

	(void)state;
	begin(c);
	ask(c, 0, 10);
	ask(c, 1, 20);
	ask(c, 2, 30);
	fake.kernel(10, "a", 1, 2);
	fake.kernel(30, "b", 5, 6);
	s = end(c); /* 20 has no record */
	assert_account(&s, 3, 2, 0, 0, 1);
	assert_int_equal(s.n, 2);
	assert_true(s.a[1].op == 2);
	begin(c);
	ask(c, 0, 40);
	fake.kernel(40, "a", 1, 2);
	fake.kernel(40, "a", 3, 4);    /* twice */
	fake.kernel(99, "x", 7, 8);    /* nobody asked */
	fake.kernel(20, "late", 7, 8); /* of the pass before */
	s = end(c);
	assert_account(&s, 1, 4, 0, 0, 3);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.a[0].start_ns, 1);
	sb_cupti_close(c);
}

static void a_record_without_times_is_counted_and_kept(void **state)
{
	struct sb_cupti *c = open_told("", 16);
	struct seen s;

	(void)state;
	begin(c);
	ask(c, 0, 1);
	ask(c, 1, 2);
	ask(c, 2, 3);
	fake.kernel(1, "a", 0, 0);
	fake.kernel(2, "b", 500, 400); /* ends before it begins */
	fake.kernel(3, "c", 600, 600);
	s = end(c);
	assert_account(&s, 3, 3, 0, 2, 0);
	assert_int_equal(s.n, 3);
	assert_true(s.a[0].start_ns == 0 && s.a[0].dur_ns == 0);
	assert_true(s.a[1].start_ns == 0 && s.a[1].dur_ns == 0);
	assert_true(s.a[2].start_ns == 600 && s.a[2].dur_ns == 0);
	sb_cupti_close(c);
}

static void dropped_records_belong_to_the_pass_that_lost_them(void **state)
{
	struct sb_cupti *c = open_told("", 16);
	struct seen s;

	(void)state;
	fake.drop(5); /* of somebody else, before */
	begin(c);
	ask(c, 0, 1);
	fake.drop(2);
	fake.kernel(1, "a", 1, 2);
	s = end(c);
	assert_account(&s, 1, 1, 2, 0, 0);
	begin(c);
	s = end(c);
	assert_account(&s, 0, 0, 0, 0, 0);
	sb_cupti_close(c);
}

static void requests_beyond_the_room_for_them_are_unmatched(void **state)
{
	struct sb_cupti *c = open_told("", 3);
	struct seen s;

	(void)state;
	begin(c);
	for (uint32_t i = 1; i <= 5; i++) {
		ask(c, i, i);
		fake.kernel(i, "a", i, i + 1);
	}
	s = end(c);
	assert_int_equal(s.n, 3);
	assert_account(&s, 5, 5, 0, 0, 4); /* two requests and their two records */
	sb_cupti_close(c);
}

static void records_fill_many_buffers(void **state)
{
	enum { N = 200000 };
	struct sb_cupti *c = open_told("", N);
	struct seen s;

	(void)state;
	for (int pass = 0; pass < 2; pass++) {
		begin(c);
		for (uint32_t i = 0; i < N; i++) {
			ask(c, i / 4, 2 * i + 1);
			fake.kernel(2 * i + 1, "a", 10 * i + 1, 10 * i + 8);
		}
		s = end(c);
		assert_account(&s, N, N, 0, 0, 0);
		assert_int_equal(s.n, N);
		for (uint32_t i = 0; i < N; i++)
			if (s.a[i].op != i / 4 || s.a[i].start_ns != 10 * (int64_t)i + 1)
				fail_msg("record %u is another's", i);
	}
	sb_cupti_close(c);
}

static void overhead_and_calls_for_memory_add_up(void **state)
{
	struct sb_cupti *c = open_told("", 4);
	struct seen s;

	(void)state;
	begin(c);
	fake.overhead(2 << 16, 300);   /* instrumentation */
	fake.overhead(1 << 16, 45);    /* a buffer is flushed */
	fake.overhead(6 << 16, 70000); /* the queue is full: the device is behind */
	fake.overhead(5 << 16, 800);   /* a function is loaded */
	fake.memory_call(1000);
	fake.memory_call(2000);
	s = end(c);
	assert_account(&s, 0, 0, 0, 0, 0);
	assert_int_equal(s.account.overhead_ns, 345);
	assert_int_equal(s.account.queue_full_ns, 70000);
	assert_int_equal(s.account.loading_ns, 800);
	assert_int_equal(s.account.memory_calls, 2);
	assert_int_equal(s.account.memory_ns, 3000);
	assert_int_equal(s.account.memory_records, 2);
	sb_cupti_close(c);
	c = open_told("fail=cuptiActivityEnableDriverApi", 4);
	begin(c);
	s = end(c);
	assert_true(s.account.memory_calls == -1 && s.account.memory_ns == -1 && s.account.memory_records == -1);
	sb_cupti_close(c);
}

static void outside_of_a_pass_nothing_is_switched_on(void **state)
{
	struct sb_cupti *c = open_told("", 4);
	struct fake_cupti_counts n;
	struct sb_error err;
	struct seen s;

	(void)state;
	fake.state(&n);
	assert_true(n.subscribers == 1 && n.callbacks == 0 && n.kinds == 0 && n.driver_calls == 0);
	begin(c);
	fake.state(&n);
	assert_true(n.callbacks > 0 && n.kinds > 3 && n.driver_calls > 0);
	s = end(c);
	fake.state(&n);
	assert_true(n.callbacks == 0 && n.kinds == 0 && n.driver_calls == 0);
	for (int called = 0; called < 2; called++) {
		assert_int_equal(sb_cupti_begin_bare(c, called, &err), SB_OK);
		fake.state(&n);
		assert_true((n.callbacks > 0) == called && n.kinds == 1 && n.driver_calls == 0);
		fake.request(1);
		fake.kernel(1, "a", 1, 2);
		s = end(c);
		assert_account(&s, 0, 1, 0, 0, 1);
		fake.state(&n);
		assert_true(n.callbacks == 0 && n.kinds == 0);
	}
	sb_cupti_close(c);
	fake.state(&n);
	assert_int_equal(n.subscribers, 0);
}

/* A pass that failed half-way leaves nothing behind for the next. */
static void a_pass_after_a_failed_one_is_whole(void **state)
{
	struct sb_cupti *c = open_told("", 8);
	const struct sb_activity *a;
	struct sb_activity_account account;
	struct sb_error err = { .msg = "" };
	struct fake_cupti_counts counts;
	struct seen s;
	size_t n;

	(void)state;
	begin(c);
	ask(c, 0, 1);
	fake.kernel(1, "a", 1, 2);
	fake.overhead(2 << 16, 300); /* a leak, unless it is freed */
	assert_int_equal(setenv("SB_FAKE_CUPTI", "fail=cuptiActivityGetNumDroppedRecords", 1), 0);
	assert_int_equal(sb_cupti_end(c, &a, &n, &account, &err), SB_E_ENV);
	assert_non_null(strstr(err.msg, "CUPTI_ERROR_OF_THE_FAKE"));
	assert_int_equal(setenv("SB_FAKE_CUPTI", "", 1), 0);
	begin(c);
	ask(c, 4, 2);
	fake.kernel(2, "b", 3, 4);
	s = end(c);
	assert_account(&s, 1, 1, 0, 0, 0);
	assert_string_equal(s.a[0].name, "b");
	for (uint32_t i = 0; i < 8; i++) {
		begin(c);
		ask(c, 4, 3 + i);
		fake.kernel(3 + i, "b", 3, 4);
		s = end(c);
	}
	fake.state(&counts);
	assert_int_equal(counts.dirty, 0); /* CUPTI was told that they are zeroed */
	sb_cupti_close(c);
}

static void assert_all_off(void)
{
	struct fake_cupti_counts n;

	fake.state(&n);
	assert_true(n.callbacks == 0 && n.kinds == 0 && n.driver_calls == 0 && n.external == 0);
}

/* Whatever fails, and first: nothing goes on recording, and the next pass is whole. */
static void a_pass_that_fails_leaves_nothing_on(void **state)
{
	static const char *const of_end[] = { "fail=cuptiActivityFlushAll", "fail=cuptiActivityDisable",
		"fail=cuptiEnableCallback", "fail=cuptiActivityGetNumDroppedRecords" };
	static const char *const of_begin[] = { "fail=cuptiActivityFlushAll",
		"fail=cuptiActivityGetNumDroppedRecords" };
	struct sb_cupti *c = open_told("", 8);
	struct sb_activity_account account = { .requested = -7 };
	struct sb_error err = { .msg = "" };
	const struct sb_activity *a;
	struct seen s;
	size_t n;

	(void)state;
	assert_int_equal(sb_cupti_record_calls(c, &err), SB_OK);
	for (size_t i = 0; i < SB_ARRAY_LEN(of_end); i++) {
		begin(c);
		ask(c, 0, 1);
		fake.kernel(1, "a", 1, 2);
		fake.overhead(2 << 16, 300);
		assert_int_equal(setenv("SB_FAKE_CUPTI", of_end[i], 1), 0);
		assert_int_equal(sb_cupti_end(c, &a, &n, &account, &err), SB_E_ENV);
		assert_int_equal(setenv("SB_FAKE_CUPTI", "", 1), 0);
		assert_int_equal(account.requested, -7);
		assert_all_off();
	}
	for (size_t i = 0; i < SB_ARRAY_LEN(of_begin); i++) {
		assert_int_equal(setenv("SB_FAKE_CUPTI", of_begin[i], 1), 0);
		assert_int_equal(sb_cupti_begin(c, &err), SB_E_ENV);
		assert_int_equal(setenv("SB_FAKE_CUPTI", "", 1), 0);
		assert_all_off();
	}
	begin(c);
	ask(c, 4, 2);
	fake.kernel(2, "b", 3, 4);
	s = end(c);
	assert_account(&s, 1, 1, 0, 0, 0);
	assert_int_equal(s.account.overhead_ns, 0);
	sb_cupti_close(c);
}

static int lift_limit(void **state)
{
	struct rlimit r;

	(void)state;
	if (getrlimit(RLIMIT_AS, &r))
		return -1;
	r.rlim_cur = r.rlim_max;
	return setrlimit(RLIMIT_AS, &r);
}

/* Dropped and counted while there is no memory for a buffer, however often one is asked for, and not after that. */
static void a_buffer_without_memory_is_asked_for_again(void **state)
{
#ifdef __SANITIZE_ADDRESS__ /* it needs addresses of its own, and ends the process when there are none */
	(void)state;
	skip();
#else
	enum { TIMES = 70 }; /* more than there are buffers */
	struct rlimit before, none;
	struct sb_cupti *c;
	struct seen s;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	none = before;
	none.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	c = open_told("", 8);
	for (uint32_t pass = 0; pass <= TIMES; pass++) {
		begin(c);
		ask(c, 0, pass + 1);
		fake.kernel(pass + 1, "a", 1, 2);
		if (pass == TIMES) /* in the pass: the buffer is made in the callback */
			assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
		s = end(c);
		assert_int_equal(s.account.dropped, pass < TIMES);
		assert_int_equal(s.account.delivered, pass == TIMES);
	}
	sb_cupti_close(c);
#endif
}

/* Every call of the API, where that is asked for: behind the device's records, in their own order, each with its op. */
static void calls_belong_to_the_op_they_were_made_for(void **state)
{
	struct sb_cupti *c = open_told("", 8);
	struct fake_cupti_counts n;
	struct sb_error err;
	struct seen s;

	(void)state;
	fake.call(1, 1, 10, 20); /* before a pass */
	assert_int_equal(sb_cupti_record_calls(c, &err), SB_OK);
	for (int pass = 0; pass < 2; pass++) {
		begin(c);
		ask(c, 2, 100);
		fake.call(0, 100, 1000, 1090); /* cudaLaunchKernel, and in it cuLaunchKernel */
		fake.call(1, 100, 1010, 1080);
		ask(c, 3, 102);
		fake.call(1, 102, 2000, 2050);
		fake.kernel(100, "a", 5000, 5100);
		fake.kernel(102, "b", 5100, 5200);
		fake.memory_call(7);
		fake.state(&n);
		assert_int_equal(n.external, 1);
		s = end(c);
		assert_account(&s, 2, 2, 0, 0, 0);
		assert_int_equal(s.account.memory_calls, 1);
		assert_int_equal(s.n, 5); /* the call for memory has no external id: it is counted alone */
		assert_true(!s.a[0].call && s.a[0].op == 2 && !s.a[1].call && s.a[1].op == 3);
		assert_string_equal(s.a[2].name, "cudaFake");
		assert_true(s.a[2].call && s.a[2].op == 2 && s.a[2].start_ns == 1000 && s.a[2].dur_ns == 90);
		assert_string_equal(s.a[3].name, "cuFake");
		assert_true(s.a[3].call && s.a[3].op == 2 && s.a[3].correlation == 100);
		assert_true(s.a[4].call && s.a[4].op == 3 && s.a[4].correlation == 102);
		fake.state(&n);
		assert_true(n.external == 0 && n.kinds == 0);
	}
	sb_cupti_close(c);
}

static void calls_beyond_the_room_for_them_are_dropped(void **state)
{
	struct sb_cupti *c = open_told("", 2);
	struct sb_error err;
	struct seen s;

	(void)state;
	assert_int_equal(sb_cupti_record_calls(c, &err), SB_OK);
	begin(c);
	for (uint32_t i = 1; i <= 11; i++)
		fake.call(1, i, i, i + 1);
	s = end(c);
	assert_int_equal(s.n, 8);
	assert_int_equal(s.account.dropped, 6); /* a call, and the op it was made for */
	sb_cupti_close(c);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static void assert_refused(const char *library, const char *told, const char *part)
{
	struct sb_cupti *c = NULL;
	struct sb_error err = { .msg = "" };
	char *good = sb_strdup(getenv("SPABENCH_CUPTI"));

	assert_non_null(good);
	if (library)
		assert_int_equal(setenv("SPABENCH_CUPTI", library, 1), 0);
	assert_int_equal(setenv("SB_FAKE_CUPTI", told, 1), 0);
	assert_int_equal(sb_cupti_open(4, &c, &err), SB_E_ENV);
	assert_null(c);
	if (!strstr(err.msg, part))
		fail_msg("no '%s' in '%s'", part, err.msg);
	assert_int_equal(setenv("SPABENCH_CUPTI", good, 1), 0);
	free(good);
}

static void a_missing_or_old_library_says_what_to_do(void **state)
{
	(void)state;
	assert_refused("/nonexistent/libcupti.so", "", "CUPTI cannot be loaded: /nonexistent/libcupti.so");
	assert_refused("/nonexistent/libcupti.so", "", "SPABENCH_CUPTI");
	assert_refused("libm.so.6", "", "CUPTI is too old: it has no cuptiGetVersion; version 13 is needed");
	assert_refused(NULL, "version=26", "CUPTI is too old: it has interface 26, and version 13 is needed");
	assert_refused(NULL, "fail=cuptiActivityRegisterCallbacks", "CUPTI_ERROR_OF_THE_FAKE");
}

static void another_profiler_is_named_and_left_alone(void **state)
{
	struct fake_cupti_counts before, after;

	(void)state;
	fake.state(&before);
	assert_refused(NULL, "taken=Nsight Systems",
	        "CUPTI is taken by 'Nsight Systems': only one profiler can be attached; run spabench without it for "
	        "traces");
	assert_refused(NULL, "taken=CUPTI for torch", "CUPTI is taken by 'torch'");
	assert_refused(NULL, "taken=", "CUPTI is taken by 'another profiler'");
	fake.state(&after);
	assert_memory_equal(&before, &after, sizeof(before));
	/* Where an older driver says so later. */
	assert_refused(NULL, "fail_taken=cuptiActivitySetAttribute",
	        "CUPTI is taken by another profiler or a checker: only one can be attached");
	fake.state(&after);
	assert_int_equal(after.subscribers, before.subscribers);
}

/* What a call writes to stderr, into out[n]. */
static void open_and_listen(const char *told, char *out, size_t n)
{
	char path[] = "/tmp/sb_cupti_XXXXXX";
	int file = mkstemp(path), saved = dup(STDERR_FILENO);
	ssize_t got;

	assert_true(file >= 0 && saved >= 0);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	sb_cupti_close(open_told(told, 4));
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	got = pread(file, out, n - 1, 0);
	assert_true(got >= 0);
	out[got] = '\0';
	close(file);
	unlink(path);
}

static void a_version_that_is_known_to_do_harm_is_named(void **state)
{
	char text[512];
	struct sb_cupti *c;

	(void)state;
	open_and_listen("version=130000", text, sizeof(text));
	assert_non_null(strstr(text, "CUPTI 13.0.0 crashes when a thread is named through NVTX"));
	assert_non_null(strstr(text, "install CUDA 13.0 update 1"));
	open_and_listen("version=130001", text, sizeof(text));
	assert_string_equal(text, "");
	c = open_told("version=130203", 4);
	assert_string_equal(sb_cupti_version(c), "CUPTI 13.2.3");
	sb_cupti_close(c);
	sb_cupti_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: later the heap has room that others gave back. */
		cmocka_unit_test_teardown(a_buffer_without_memory_is_asked_for_again, lift_limit),
		cmocka_unit_test(records_are_joined_with_the_ops_that_asked_for_them),
		cmocka_unit_test(what_is_missing_or_too_much_is_counted),
		cmocka_unit_test(a_record_without_times_is_counted_and_kept),
		cmocka_unit_test(dropped_records_belong_to_the_pass_that_lost_them),
		cmocka_unit_test(requests_beyond_the_room_for_them_are_unmatched),
		cmocka_unit_test(records_fill_many_buffers),
		cmocka_unit_test(overhead_and_calls_for_memory_add_up),
		cmocka_unit_test(outside_of_a_pass_nothing_is_switched_on),
		cmocka_unit_test(a_pass_after_a_failed_one_is_whole),
		cmocka_unit_test(a_pass_that_fails_leaves_nothing_on),
		cmocka_unit_test(calls_belong_to_the_op_they_were_made_for),
		cmocka_unit_test(calls_beyond_the_room_for_them_are_dropped),
		cmocka_unit_test(a_missing_or_old_library_says_what_to_do),
		cmocka_unit_test(another_profiler_is_named_and_left_alone),
		cmocka_unit_test(a_version_that_is_known_to_do_harm_is_named),
	};

	return cmocka_run_group_tests(tests, find_fakes, NULL);
}
