/* The policy `stitched`: pages that lie unused in the middle are moved. Handles of its large pool are 8 MiB. */
#include "memory_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sb_replay.h"

#define HANDLE (8 * MIB)

/* Two holes of 10 handles each, between blocks that stay; *hole: their addresses. 176 MiB are held. */
static struct fix two_holes(int64_t limit, uintptr_t hole[2])
{
	struct fix f = open_on("stitched", limit);

	for (int i = 0; i < 2; i++) {
		hole[i] = get(&f, 10 * HANDLE);
		get(&f, HANDLE);
	}
	for (int i = 0; i < 2; i++)
		put(&f, hole[i]);
	return f;
}

static int64_t calls_of(const struct fix *f, enum sb_pages_call call)
{
	return f->pages->counts.calls[call];
}

static void pages_of_holes_are_moved_before_the_device_is_asked(void **state)
{
	uintptr_t hole[2];
	struct fix f = two_holes(GIB, hole);
	struct sb_pages_counts was = f.pages->counts;
	int64_t growths = stats_of(&f).num_device_alloc;

	(void)state;
	assert_true(get(&f, 15 * HANDLE) > hole[1]);
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 22 * HANDLE);
	assert_int_equal(f.pages->held_bytes, 22 * HANDLE);
	assert_int_equal(stats_of(&f).of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak, 22 * HANDLE);
	assert_int_equal(calls_of(&f, SB_PAGES_CREATE), was.calls[SB_PAGES_CREATE]);
	assert_int_equal(calls_of(&f, SB_PAGES_RELEASE), 0);
	assert_int_equal(calls_of(&f, SB_PAGES_SYNC), 1);
	assert_int_equal(calls_of(&f, SB_PAGES_UNMAP), 15);
	assert_int_equal(calls_of(&f, SB_PAGES_MAP), was.calls[SB_PAGES_MAP] + 15);
	assert_int_equal(calls_of(&f, SB_PAGES_SET_ACCESS), was.calls[SB_PAGES_SET_ACCESS] + 1);
	assert_int_equal(stats_of(&f).num_stitches, 1);
	assert_int_equal(stats_of(&f).stitched_bytes, 15 * HANDLE);
	assert_int_equal(stats_of(&f).num_device_alloc, growths);
	assert_int_equal(stats_of(&f).num_device_free, 0);
	/* The second hole gave all it had, the first one its end: its front is still in one piece. */
	assert_int_equal(get(&f, 5 * HANDLE), hole[0]);
	close_fix(&f);
}

static void only_what_is_missing_is_new(void **state)
{
	uintptr_t hole[2];
	struct fix f = two_holes(GIB, hole);
	int64_t created = calls_of(&f, SB_PAGES_CREATE);

	(void)state;
	get(&f, 25 * HANDLE);
	assert_int_equal(calls_of(&f, SB_PAGES_CREATE), created + 5);
	assert_int_equal(calls_of(&f, SB_PAGES_UNMAP), 20);
	assert_int_equal(f.pages->held_bytes, 27 * HANDLE);
	/* The addresses of a hole are mapped again when they suffice. */
	assert_int_equal(get(&f, 10 * HANDLE), hole[0]);
	assert_int_equal(f.pages->held_bytes, 37 * HANDLE);
	close_fix(&f);
}

static void a_growth_beside_its_own_hole_moves_none_of_it(void **state)
{
	struct fix f = open_on("stitched", GIB);
	uintptr_t tail;

	(void)state;
	get(&f, HANDLE);
	tail = get(&f, 10 * HANDLE);
	put(&f, tail);
	assert_int_equal(get(&f, 12 * HANDLE), tail);
	assert_int_equal(stats_of(&f).num_stitches, 0);
	assert_int_equal(calls_of(&f, SB_PAGES_UNMAP), 0);
	assert_int_equal(f.pages->held_bytes, 13 * HANDLE);
	close_fix(&f);
}

static void a_live_byte_keeps_its_page_where_it_is(void **state)
{
	struct fix f = open_on("stitched", GIB);
	uintptr_t a = get(&f, 3 * HANDLE), keep = get(&f, 2 * MIB), b = get(&f, 4 * HANDLE - 2 * MIB);

	(void)state;
	get(&f, HANDLE);
	put(&f, a);
	put(&f, b); /* begins inside the page of keep: three whole ones */
	get(&f, 7 * HANDLE);
	assert_int_equal(stats_of(&f).stitched_bytes, 6 * HANDLE);
	assert_int_equal(f.pages->held_bytes, 9 * HANDLE);
	assert_int_equal(get(&f, HANDLE - 2 * MIB), keep + 2 * MIB); /* what is left beside it is still cached */
	close_fix(&f);
}

static void pages_stay_with_their_stream_and_their_pool(void **state)
{
	struct fix f = open_on("stitched", GIB);
	uintptr_t other = get_on(&f, 1, 10 * HANDLE), later;

	(void)state;
	put(&f, other);
	get(&f, 10 * HANDLE);
	assert_int_equal(stats_of(&f).num_stitches, 0);
	assert_int_equal(f.pages->held_bytes, 20 * HANDLE);
	later = get(&f, 10 * HANDLE); /* freed, but another stream works on it yet */
	get(&f, HANDLE);
	sb_alloc_free_later(f.a, (void *)later);
	get(&f, 12 * HANDLE);
	assert_int_equal(stats_of(&f).num_stitches, 0);
	assert_true(sb_alloc_complete(f.a, (void *)later));
	get(&f, 12 * HANDLE);
	assert_int_equal(stats_of(&f).stitched_bytes, 10 * HANDLE);
	close_fix(&f);
}

static void a_full_device_is_served_from_its_holes_without_a_retry(void **state)
{
	uintptr_t hole[2];
	struct fix f = two_holes(22 * HANDLE, hole);
	struct sb_error err = { 0 };
	void *p = NULL;

	(void)state;
	get(&f, 19 * HANDLE);
	assert_int_equal(stats_of(&f).num_alloc_retries, 0);
	assert_int_equal(sb_alloc_malloc(f.a, 2 * HANDLE, 0, &p, &err), SB_E_NOMEM);
	assert_int_equal(sb_alloc_oom(f.a)->asked, 2 * HANDLE);
	assert_int_equal(stats_of(&f).num_ooms, 1);
	close_fix(&f);
}

static void the_limit_of_the_process_counts_new_pages_only(void **state)
{
	struct sb_alloc_options opt;
	struct fix f;
	uintptr_t hole;
	void *p = NULL;
	struct sb_error err = { 0 };

	(void)state;
	sb_alloc_options_init(&opt);
	opt.limit_bytes = 12 * HANDLE;
	f = open_with("stitched", GIB, &opt);
	hole = get(&f, 10 * HANDLE);
	get(&f, HANDLE);
	put(&f, hole);
	get(&f, 11 * HANDLE);
	assert_int_equal(stats_of(&f).num_alloc_retries, 0);
	assert_int_equal(f.pages->held_bytes, 12 * HANDLE);
	assert_int_equal(sb_alloc_malloc(f.a, 2 * HANDLE, 0, &p, &err), SB_E_NOMEM);
	close_fix(&f);
}

/* ---- a driver that watches ----------------------------------------------------------------------------------------
 */

/* One letter a call: c(reate), s(ync), u(nmap), m(ap), a(ccess), r(elease). Handles are numbered and known by place. */
#define PLACES 4096
struct watched {
	struct sb_pages base;
	char calls[4000];
	size_t n;
	uint64_t next_handle, at[PLACES]; /* the handle at each HANDLE of addresses; 0: none */
	int64_t out;                      /* handles that exist */
};

static void note(struct sb_pages *p, char c)
{
	struct watched *w = (struct watched *)p;

	assert_true(w->n + 1 < sizeof(w->calls));
	w->calls[w->n++] = c;
}

static enum sb_status watched_reserve(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err)
{
	(void)p;
	(void)err;
	assert_true(bytes <= PLACES * HANDLE);
	*addr = (uintptr_t)(1000 * HANDLE);
	return SB_OK;
}

static enum sb_status watched_unreserve(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	(void)p;
	(void)addr;
	(void)bytes;
	(void)err;
	return SB_OK;
}

static enum sb_status watched_create(struct sb_pages *p, int64_t bytes, uint64_t *handle, struct sb_error *err)
{
	struct watched *w = (struct watched *)p;

	(void)bytes;
	(void)err;
	note(p, 'c');
	*handle = ++w->next_handle;
	w->out++;
	return SB_OK;
}

static enum sb_status watched_release(struct sb_pages *p, uint64_t handle, int64_t bytes, struct sb_error *err)
{
	struct watched *w = (struct watched *)p;

	(void)bytes;
	(void)err;
	note(p, 'r');
	for (size_t i = 0; i < PLACES; i++)
		assert_true(w->at[i] != handle);
	w->out--;
	return SB_OK;
}

static uint64_t *place(struct sb_pages *p, uintptr_t addr)
{
	return &((struct watched *)p)->at[(int64_t)addr / HANDLE - 1000];
}

static enum sb_status watched_map(
        struct sb_pages *p, uintptr_t addr, int64_t bytes, uint64_t handle, struct sb_error *err)
{
	(void)bytes;
	(void)err;
	note(p, 'm');
	for (size_t i = 0; i < PLACES; i++) /* nowhere twice */
		assert_true(((struct watched *)p)->at[i] != handle);
	assert_int_equal(*place(p, addr), 0);
	*place(p, addr) = handle;
	return SB_OK;
}

static enum sb_status watched_unmap(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	(void)bytes;
	(void)err;
	note(p, 'u');
	assert_true(*place(p, addr) != 0);
	*place(p, addr) = 0;
	return SB_OK;
}

static enum sb_status watched_access(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	(void)err;
	note(p, 'a');
	for (int64_t at = 0; at < bytes; at += HANDLE)
		assert_true(*place(p, addr + (uintptr_t)at) != 0);
	return SB_OK;
}

static enum sb_status watched_sync(struct sb_pages *p, uint64_t stream, struct sb_error *err)
{
	(void)err;
	assert_int_equal(stream, 0);
	note(p, 's');
	return SB_OK;
}

static enum sb_status watched_info(struct sb_pages *p, int64_t *free_bytes, int64_t *total_bytes, struct sb_error *err)
{
	(void)err;
	*total_bytes = GIB;
	*free_bytes = GIB - p->held_bytes;
	return SB_OK;
}

static void watched_close(struct sb_pages *p)
{
	assert_int_equal(((struct watched *)p)->out, 0);
	free(p);
}

static const struct sb_pages_ops watched_ops = {
	.name = "watched",
	.close = watched_close,
	.reserve = watched_reserve,
	.unreserve = watched_unreserve,
	.create = watched_create,
	.release = watched_release,
	.map = watched_map,
	.unmap = watched_unmap,
	.set_access = watched_access,
	.sync = watched_sync,
	.info = watched_info,
};

static struct fix open_watched(void)
{
	struct watched *w = calloc(1, sizeof(*w));
	struct sb_error err = { 0 };
	struct fix f;

	assert_non_null(w);
	sb_pages_init(&w->base, &watched_ops, HANDLE, 0);
	f.pages = &w->base;
	assert_int_equal(sb_alloc_open("stitched", f.pages, &f.a, &err), SB_OK);
	return f;
}

static void expect_calls(struct fix *f, const char *want)
{
	struct watched *w = (struct watched *)f->pages;

	w->calls[w->n] = '\0';
	assert_string_equal(w->calls, want);
	w->n = 0;
}

/* Work that reads a freed block may be queued still: nothing is unmapped before it was waited for. */
static void the_stream_is_waited_for_before_the_first_page_goes(void **state)
{
	struct fix f = open_watched();
	uintptr_t a = get(&f, 2 * HANDLE), b;

	(void)state;
	get(&f, HANDLE);
	b = get(&f, 2 * HANDLE);
	get(&f, HANDLE);
	expect_calls(&f, "ccmmacmaccmmacma");
	put(&f, a);
	put(&f, b);
	expect_calls(&f, ""); /* a free asks the driver nothing */
	get(&f, 5 * HANDLE);
	expect_calls(&f, "csuuuummmmma"); /* the new page first: had it been refused, nothing would have moved */
	close_fix(&f);
}

static void when_the_wait_fails_nothing_has_moved(void **state)
{
	struct fix f = open_watched();
	uintptr_t a = get(&f, 2 * HANDLE);
	struct sb_error err = { 0 };
	void *p = NULL;

	(void)state;
	get(&f, HANDLE);
	put(&f, a);
	expect_calls(&f, "ccmmacma");
	sb_pages_fail_in(f.pages, 2, SB_E_DEVICE, false); /* a create, then the wait */
	assert_int_equal(sb_alloc_malloc(f.a, 3 * HANDLE, 0, &p, &err), SB_E_DEVICE);
	expect_calls(&f, "csr");
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 3 * HANDLE);
	assert_int_equal(get(&f, 2 * HANDLE), a);
	close_fix(&f);
}

static void new_pages_that_are_refused_leave_the_holes_as_they_are(void **state)
{
	struct fix f = open_watched();
	uintptr_t a = get(&f, 2 * HANDLE);
	struct sb_error err = { 0 };
	void *p = NULL;

	(void)state;
	get(&f, HANDLE);
	put(&f, a);
	sb_pages_fail_in(f.pages, 2, SB_E_DEVICE, false); /* the second of two new ones */
	assert_int_equal(sb_alloc_malloc(f.a, 4 * HANDLE, 0, &p, &err), SB_E_DEVICE);
	expect_calls(&f, "ccmmacmacr");
	assert_int_equal(get(&f, 2 * HANDLE), a);
	close_fix(&f);
}

/* ---- every call may fail ------------------------------------------------------------------------------------------
 */

/* Growths that move pages, by one stretch and by several, into a device that is full; live blocks keep what they hold.
 */
static void stitching_course(struct sb_alloc *a)
{
	static const int64_t sizes[] = { 3, 1, 4, 1, 2, 1 };
	unsigned char *p[SB_ARRAY_LEN(sizes)] = { NULL };
	struct sb_error err = { 0 };

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < SB_ARRAY_LEN(sizes); i++) {
			int64_t bytes = (sizes[i] + (i % 2 ? 0 : round)) * HANDLE;
			void *got = NULL;
			enum sb_status status = p[i] ? SB_OK : sb_alloc_malloc(a, bytes, 0, &got, &err);

			assert_true(status == SB_OK || status == SB_E_NOMEM || status == SB_E_DEVICE);
			if (got) {
				p[i] = got;
				memset(p[i], (int)i + 1, 4096);
				p[i][bytes - 1] = (unsigned char)(i + 1);
			}
		}
		for (size_t i = 0; i < SB_ARRAY_LEN(sizes); i++) {
			if (p[i])
				assert_true(p[i][0] == i + 1 && p[i][4095] == i + 1);
			if (i % 2 == 0 || round == 2) {
				sb_alloc_free(a, p[i]);
				p[i] = NULL;
			}
		}
	}
}

static void sum_mapped(void *user, const struct sb_alloc_block *b)
{
	*(int64_t *)user += b->mapped ? b->bytes : 0;
}

static void every_call_of_a_stitch_may_fail(void **state)
{
	static const enum sb_status with[] = { SB_E_NOMEM, SB_E_DEVICE };
	int64_t n_failures = 0, stitches = 0;

	(void)state;
	for (int variant = 0; variant < 4; variant++) {
		bool sticky = variant & 2, injected = true;

		for (int64_t n = 1; injected; n++) {
			struct fix f = { 0 };
			struct sb_error err = { 0 };
			int64_t mapped = 0;

			assert_int_equal(sb_pages_host_open(14 * HANDLE, &f.pages, &err), SB_OK);
			assert_int_equal(sb_alloc_open("stitched", f.pages, &f.a, &err), SB_OK);
			sb_pages_fail_in(f.pages, n, with[variant & 1], sticky);
			stitching_course(f.a);
			injected = sticky ? f.pages->fail_in == 1 : f.pages->fail_in == 0;
			n_failures += injected;
			sb_pages_fail_in(f.pages, 0, SB_OK, false);
			sb_alloc_visit(f.a, sum_mapped, &mapped);
			assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), mapped);
			assert_int_equal(f.pages->held_bytes, mapped);
			stitches = stats_of(&f).num_stitches; /* the last course is undisturbed */
			get(&f, 5 * HANDLE);                  /* the fault is over: the allocator still works */
			close_fix(&f);
		}
	}
	assert_true(stitches >= 2);
	assert_true(n_failures > 200);
}

/* ---- its traces ---------------------------------------------------------------------------------------------------
 */

struct recorder {
	struct sb_alloc_trace_writer *w;
	int64_t moved, n_moves;
};

static void record(void *user, const struct sb_alloc_event *e)
{
	struct recorder *r = user;

	sb_alloc_trace_write(r->w, 0, e);
	r->n_moves += e->kind == SB_ALLOC_EV_MOVE;
	r->moved += e->kind == SB_ALLOC_EV_MOVE ? e->bytes : 0;
}

static void a_trace_of_it_is_replayed_event_by_event(void **state)
{
	static const char path[] = "test_stitch_trace.txt";
	struct sb_alloc_trace_head head = { .policy = "stitched" };
	struct fix f = open_on("stitched", 14 * HANDLE);
	struct recorder r = { .w = NULL };
	struct sb_replay_options check = { .check = true };
	struct sb_error err = { 0 };
	struct sb_alloc_trace *t = NULL;
	struct sb_replay_result result;
	uintptr_t p[6] = { 0 };
	void *refused = NULL;

	(void)state;
	head.device_bytes = 14 * HANDLE;
	assert_int_equal(sb_alloc_trace_write_begin(path, &head, &r.w, &err), SB_OK);
	sb_alloc_observe(f.a, record, &r);
	for (int round = 0; round < 3; round++) { /* without memory behind it, unlike the course above */
		for (int i = 0; i < 6; i++)
			if (!p[i])
				p[i] = get(&f, (1 + (i % 2 ? 0 : 1 + round / 2)) * HANDLE);
		for (int i = 0; i < 6; i += 2) {
			put(&f, p[i]);
			p[i] = 0;
		}
	}
	get(&f, 8 * HANDLE);
	assert_int_equal(sb_alloc_malloc(f.a, 20 * HANDLE, 0, &refused, &err), SB_E_NOMEM);
	sb_alloc_observe(f.a, NULL, NULL);
	assert_int_equal(sb_alloc_trace_write_end(r.w, false, &err), SB_OK);
	assert_true(r.n_moves > 1);
	assert_int_equal(r.moved, stats_of(&f).stitched_bytes);
	if (sb_alloc_trace_open(path, &t, &err) || sb_replay(t, &check, &result, &err))
		fail_msg("%s", err.msg);
	if (result.differs)
		fail_msg("%s", result.difference);
	assert_int_equal(result.stats.num_stitches, stats_of(&f).num_stitches);
	assert_int_equal(result.recorded_peak_reserved, stats_of(&f).of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak);
	sb_alloc_trace_close(t);
	remove(path);
	close_fix(&f);
}

/* Peak reserved over peak allocated of PyTorch's recorded churn. */
static double recorded_overhead(const char *policy, struct sb_replay_result *r)
{
	const struct sb_replay_options as = { .policy = policy };
	struct sb_alloc_trace *t = NULL;
	struct sb_error err = { 0 };

	if (sb_alloc_trace_open("data/traces/churn_default.txt.gz", &t, &err) || sb_replay(t, &as, r, &err))
		fail_msg("%s", err.msg);
	sb_alloc_trace_close(t);
	assert_int_equal(r->n_refused, 0);
	return (double)r->stats.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak /
	               (double)r->stats.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_ALL].peak -
	       1.0;
}

static void the_recorded_churn_leaves_one_percent_unused(void **state)
{
	struct sb_replay_result stitched, expandable;
	double is = recorded_overhead("stitched", &stitched), was = recorded_overhead("expandable", &expandable);

	(void)state;
	print_message("stitched %.2f %% over allocated, %lld driver calls; expandable %.2f %%, %lld\n", 100 * is,
	        (long long)stitched.stats.driver_calls, 100 * was, (long long)expandable.stats.driver_calls);
	assert_true(is < 0.012);
	assert_true(was > 0.025);
	assert_true(stitched.stats.driver_calls < 15000); /* what it costs */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_of_holes_are_moved_before_the_device_is_asked),
		cmocka_unit_test(only_what_is_missing_is_new),
		cmocka_unit_test(a_growth_beside_its_own_hole_moves_none_of_it),
		cmocka_unit_test(a_live_byte_keeps_its_page_where_it_is),
		cmocka_unit_test(pages_stay_with_their_stream_and_their_pool),
		cmocka_unit_test(a_full_device_is_served_from_its_holes_without_a_retry),
		cmocka_unit_test(the_limit_of_the_process_counts_new_pages_only),
		cmocka_unit_test(the_stream_is_waited_for_before_the_first_page_goes),
		cmocka_unit_test(when_the_wait_fails_nothing_has_moved),
		cmocka_unit_test(new_pages_that_are_refused_leave_the_holes_as_they_are),
		cmocka_unit_test(every_call_of_a_stitch_may_fail),
		cmocka_unit_test(a_trace_of_it_is_replayed_event_by_event),
		cmocka_unit_test(the_recorded_churn_leaves_one_percent_unused),
	};
	return cmocka_run_group_tests_name("stitch", tests, NULL, NULL);
}
