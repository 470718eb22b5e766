/*
 * The timed pass asks the host for no memory: every malloc and its kin of the whole process, libraries included, are
 * counted while a case is run a second time, as a worker runs it.
 */
#define _GNU_SOURCE /* dladdr() */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dlfcn.h>
#include <errno.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sb_backend.h"
#include "sb_factors.h"
#include "sb_tracker.h"

#define ARMS "before,+precision,+attention,+alloc,after,best"

/* ---- the counter: this program's malloc is everybody's, libgomp's and OpenBLAS's too --------------------------------
 */

#define SEEN_MAX 8

static atomic_bool counting;
static atomic_int n_requests;
static struct {
	const void *caller;
	size_t bytes;
} seen[SEEN_MAX]; /* the first ones, for the message */

/* A sanitizer has a malloc of its own; other C libraries have no second name for theirs. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(SANITIZED)
#define COUNTED 1

/* glibc's own, under the names it keeps for programs that replace malloc. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static void count(const void *caller, size_t bytes)
{
	int i;

	if (!atomic_load_explicit(&counting, memory_order_relaxed))
		return;
	i = atomic_fetch_add(&n_requests, 1);
	if (i < SEEN_MAX) {
		seen[i].caller = caller;
		seen[i].bytes = bytes;
	}
}

void *malloc(size_t n)
{
	count(__builtin_return_address(0), n);
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	count(__builtin_return_address(0), n * size);
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	count(__builtin_return_address(0), n);
	return __libc_realloc(p, n);
}

void *memalign(size_t align, size_t n);
void *memalign(size_t align, size_t n)
{
	count(__builtin_return_address(0), n);
	return __libc_memalign(align, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	count(__builtin_return_address(0), n);
	return __libc_memalign(align, n);
}

int posix_memalign(void **out, size_t align, size_t n)
{
	void *p;

	count(__builtin_return_address(0), n);
	p = __libc_memalign(align, n);
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}
#else
#define COUNTED 0
#endif

static void start_counting(void)
{
	atomic_store(&n_requests, 0);
	atomic_store(&counting, true);
}

static int stop_counting(void)
{
	atomic_store(&counting, false);
	return atomic_load(&n_requests);
}

static void print_seen(int n)
{
	for (int i = 0; i < n && i < SEEN_MAX; i++) {
		Dl_info info = { 0 };
		uintptr_t base = 0;

		if (dladdr((void *)(uintptr_t)seen[i].caller, &info))
			base = (uintptr_t)info.dli_fbase;
		print_message("    %zu bytes for %s+0x%zx (%s)\n", seen[i].bytes, info.dli_fname ? info.dli_fname : "?",
		        (size_t)((uintptr_t)seen[i].caller - base), info.dli_sname ? info.dli_sname : "?");
	}
}

/* ---- the pass ------------------------------------------------------------------------------------------------------
 */

struct bench {
	struct sb_backend *be;
	struct sb_workload *w;
};

static struct bench bench_open(const struct sb_case *c)
{
	struct sb_workload_info info;
	struct sb_error err = { .msg = "" };
	struct bench b;

	if (sb_backend_open("cpu", 0, &b.be, &err) || sb_workload_tracker.open(c, b.be, &b.w, &info, &err))
		fail_msg("%s", err.msg);
	return b;
}

static void bench_close(struct bench *b)
{
	sb_workload_tracker.close(b->w);
	sb_backend_close(b->be);
}

/* The two passes of a trial, as the worker's; requests in the second. */
static int requests_of(struct bench *b, const struct sb_levels *levels)
{
	const struct sb_workload_ops *ops = &sb_workload_tracker;
	struct sb_error err = { .msg = "" };
	enum sb_status status;
	int n;

	sb_backend_set_levels(b->be, levels);
	if (ops->prepare(b->w, &err) || sb_backend_begin_arm(b->be, &err) || sb_backend_begin_pass(b->be, 0, &err) ||
	        ops->run(b->w, false, &err) || sb_backend_end_pass(b->be, &err) ||
	        sb_backend_begin_pass(b->be, 0, &err))
		fail_msg("%s", err.msg);
	start_counting();
	status = ops->run(b->w, false, &err);
	if (!status)
		status = sb_backend_end_pass(b->be, &err);
	n = stop_counting();
	if (status)
		fail_msg("%s", err.msg);
	assert_int_equal(sb_backend_end_arm(b->be), 0);
	return n;
}

static void the_counter_counts(void **state)
{
	void *volatile p, *volatile q = NULL; /* volatile: a compiler may leave out a malloc whose result is not used */

	(void)state;
	start_counting();
	p = malloc(10);
	free(p);
	p = calloc(3, 5);
	p = realloc(p, 100);
	free(p);
	p = aligned_alloc(64, 128);
	free(p);
	if (!posix_memalign((void **)&q, 64, 128))
		free(q);
	assert_int_equal(stop_counting(), 5);
	/* And those of libraries: a region of so many threads for the first time. */
	omp_set_num_threads(2);
	start_counting();
#pragma omp parallel
	p = NULL;
	assert_true(stop_counting() > 0);
}

/* Every way through the pass there is: arms, threads; then several windows and bundle adjustment. */
static const struct {
	struct sb_case c;
	const char *arms;
	int min_threads, max_threads;
} cases[] = {
	{ { .preset = "tiny", .frames = 3, .width = 84, .height = 56, .grid = 2, .support = 2 }, ARMS, 1, 3 },
	{ { .preset = "tiny",
	          .frames = 9,
	          .width = 84,
	          .height = 56,
	          .grid = 2,
	          .support = 60,
	          .window = 6,
	          .overlap = 2,
	          .iterations = 2,
	          .cameras = "ba" },
	        "before,after", 2, 2 },
	{ { .preset = "tiny", .frames = 3, .width = 84, .height = 56, .grid = 2, .cameras = "procrustes" }, "after", 2,
	        2 },
};

static int requests_of_case(size_t i, int threads)
{
	struct sb_arm arms[SB_ARMS_MAX];
	struct sb_error err;
	struct bench b;
	int n_arms, all = 0;

	assert_int_equal(sb_arms_parse(cases[i].arms, arms, &n_arms, &err), SB_OK);
	omp_set_num_threads(threads);
	b = bench_open(&cases[i].c);
	for (int a = 0; a < n_arms; a++) {
		int n = requests_of(&b, &arms[a].levels);

		if (n)
			print_message("  case %zu, %d threads, %s: %d requests\n", i, threads, arms[a].name, n);
		print_seen(n);
		all += n;
	}
	bench_close(&b);
	return all;
}

static void the_timed_pass_asks_the_host_for_no_memory(void **state)
{
	int before = omp_get_max_threads(), all = 0;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++)
		for (int threads = cases[i].min_threads; threads <= cases[i].max_threads; threads++)
			if (threads < 3 || getenv("SB_LONG_TESTS"))
				all += requests_of_case(i, threads);
	omp_set_num_threads(before);
	assert_int_equal(all, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_counter_counts),
		cmocka_unit_test(the_timed_pass_asks_the_host_for_no_memory),
	};

	if (!COUNTED) {
		puts("skipped: the sanitizer or the C library has no malloc to count");
		return 77;
	}
	return cmocka_run_group_tests_name("host allocations", tests, NULL, NULL);
}
