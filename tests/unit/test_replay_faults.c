/* A replay for which the host's memory runs out, at every single request for it. Linked with --wrap=malloc and so on.
 */
#include "memory_fixture.h"
#include "sb_replay.h"

#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);

static long fail_in; /* the n-th request from now fails; 0: none */

static bool due(void)
{
	return fail_in > 0 && --fail_in == 0;
}

void *__wrap_malloc(size_t n)
{
	return due() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return due() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return due() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
	return due() ? NULL : __real_aligned_alloc(alignment, n);
}

/* Growth of every table: many blocks, streams, segments, expected events. */
static char *long_trace(bool expandable)
{
	struct sb_buf b = { 0 };
	int n = 0;

	sb_buf_addf(&b, "spabench-trace 1\nconf expandable_segments:%s\nbegin\n", expandable ? "True" : "False");
	for (int s = 0; s < 3; s++) {
		uint64_t base = UINT64_C(0x7f0000000000) + (uint64_t)s * 0x10000000000;

		sb_buf_addf(&b, "%c 0 %llx 2097152 %d\n", expandable ? 'M' : 'S', (unsigned long long)base, s);
		for (int i = 0; i < 700; i++)
			sb_buf_addf(&b, "a 0 %llx 512 %d\n", (unsigned long long)(base + (uint64_t)i * 512), s);
		for (int i = 0; i < 700; i++)
			sb_buf_addf(&b, "l 0 %llx\n", (unsigned long long)(base + (uint64_t)i * 512));
		for (int i = 0; i < 700; i++)
			sb_buf_addf(&b, "c 0 %llx\n", (unsigned long long)(base + (uint64_t)i * 512));
		sb_buf_addf(&b, "a 0 %llx 5000 %d\n", (unsigned long long)base, s);
		n += 2102;
	}
	sb_buf_addf(&b, "end %d\n", n);
	assert_false(b.failed);
	return b.s;
}

static enum sb_status replay(const char *text, const struct sb_replay_options *opt, struct sb_replay_result *r)
{
	struct sb_alloc_trace *t = NULL;
	struct sb_error err = { .msg = "" };
	enum sb_status status = sb_alloc_trace_open_bytes(text, strlen(text), &t, &err);

	if (!status)
		status = sb_replay(t, opt, r, &err);
	sb_alloc_trace_close(t);
	if (status && !strstr(err.msg, "memory"))
		fail_msg("'%s' does not speak of memory", err.msg);
	return status;
}

static void every_request_for_host_memory_may_fail(void **state)
{
	int n_failed = 0;

	(void)state;
	for (int variant = 0; variant < 5; variant++) {
		const struct sb_replay_options opt = { .check = variant < 2,
			.policy = variant < 2 ? NULL : sb_alloc_policy_names[variant - 2],
			.device_bytes = GIB };
		char *text = long_trace(variant == 1);
		bool reached = true;

		for (long nth = 1; reached; nth++) {
			struct sb_replay_result r = { .n_events = 0 };
			enum sb_status status;

			fail_in = nth;
			status = replay(text, &opt, &r);
			reached = fail_in == 0;
			fail_in = 0;
			n_failed += status != SB_OK;
			if (!reached) {
				assert_int_equal(status, SB_OK);
				assert_false(r.differs);
				assert_int_equal(r.n_requests, 2103);
			}
		}
		free(text);
	}
	assert_true(n_failed > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_for_host_memory_may_fail),
	};
	return cmocka_run_group_tests_name("replay_faults", tests, NULL, NULL);
}
