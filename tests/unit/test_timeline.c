/* The memory timeline: what is written is read, for real events and for bytes of anybody. */
#include "memory_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sb_timeline.h"

/* What the timeline must show after every event. */
struct seen {
	enum sb_alloc_event_kind kind;
	int64_t bytes, allocated, active, reserved, requested, time_ns;
	const char *stage, *op;
};

struct watch {
	struct sb_timeline *t;
	const char *stage, *op;
	int64_t now_ns;
	struct seen v[4000];
	size_t n;
};

static void on_event(void *user, const struct sb_alloc_event *e)
{
	struct watch *w = user;

	w->now_ns += 100 + (int64_t)w->n * 37 % 100000;
	sb_timeline_add(w->t, e, w->now_ns, w->stage, w->op);
	assert_true(w->n < SB_ARRAY_LEN(w->v));
	w->v[w->n++] = (struct seen){
		.kind = e->kind, .bytes = e->bytes, .time_ns = w->now_ns, .stage = w->stage, .op = w->op
	};
}

static struct sb_timeline *opened(size_t room)
{
	struct sb_timeline *t = NULL;
	struct sb_error err = { 0 };

	assert_int_equal(sb_timeline_open(room, &t, &err), SB_OK);
	return t;
}

/* Random work on `policy`: the figures after the last event of a doing are the allocator's own. */
static void check_policy(const char *policy)
{
	static const char *const stages[] = { "front.patch", "front.dino", NULL };
	static const char *const ops[] = { "linear", "attention", NULL, "conv" };
	static struct watch w;
	struct fix f = open_on(policy, GIB);
	struct sb_timeline_reader r;
	struct sb_timeline_event e;
	struct sb_timeline_blob blob;
	struct sb_error err = { 0 };
	uintptr_t live[40] = { 0 };
	uint64_t seed = 3;
	bool more = true;

	memset(&w, 0, sizeof(w));
	w.t = opened(1 << 20);
	get(&f, 5 * MIB - 3); /* where it begins is not 0 */
	w.now_ns = 1000;
	sb_timeline_begin(w.t, f.a, w.now_ns);
	sb_alloc_observe(f.a, on_event, &w);
	for (int i = 0; i < 1200; i++) {
		size_t k = (size_t)sb_random_below(&seed, SB_ARRAY_LEN(live));

		w.stage = stages[i / 100 % 3];
		w.op = ops[i % 4];
		if (!live[k]) {
			live[k] = get(&f, 1 + (int64_t)sb_random_below(&seed, 30 * MIB));
		} else if (i % 7) {
			put(&f, live[k]);
			live[k] = 0;
		} else {
			sb_alloc_free_later(f.a, (void *)live[k]);
			sb_alloc_complete(f.a, (void *)live[k]);
			live[k] = 0;
		}
		if (i % 300 == 299)
			assert_int_equal(sb_alloc_empty_cache(f.a, &err), SB_OK);
		w.v[w.n - 1].allocated = now_of(&f, SB_ALLOC_ALLOCATED_BYTES);
		w.v[w.n - 1].active = now_of(&f, SB_ALLOC_ACTIVE_BYTES);
		w.v[w.n - 1].reserved = now_of(&f, SB_ALLOC_RESERVED_BYTES);
		w.v[w.n - 1].requested = now_of(&f, SB_ALLOC_REQUESTED_BYTES);
	}
	sb_alloc_observe(f.a, NULL, NULL);
	blob = sb_timeline_blob(w.t);
	assert_int_equal(blob.events, w.n);
	assert_int_equal(blob.cut, 0);
	assert_int_equal(sb_timeline_read_begin(&r, blob.data, blob.size, &err), SB_OK);
	assert_int_equal(r.last.allocated, 5 * MIB);
	assert_int_equal(r.last.requested, 5 * MIB - 3);
	for (size_t i = 0; i < w.n; i++) {
		if (sb_timeline_next(&r, &e, &more, &err))
			fail_msg("%s", err.msg);
		assert_true(more);
		assert_int_equal(e.kind, w.v[i].kind);
		assert_int_equal(e.time_ns, w.v[i].time_ns - 1000);
		assert_string_equal(e.stage, w.v[i].stage ? w.v[i].stage : "");
		assert_string_equal(e.op, w.v[i].op ? w.v[i].op : "");
		assert_true(e.bytes >= w.v[i].bytes);
		if (w.v[i].reserved) { /* the last of a doing */
			assert_int_equal(e.allocated, w.v[i].allocated);
			assert_int_equal(e.active, w.v[i].active);
			assert_int_equal(e.reserved, w.v[i].reserved);
			assert_int_equal(e.requested, w.v[i].requested);
		}
	}
	assert_int_equal(sb_timeline_next(&r, &e, &more, &err), SB_OK);
	assert_false(more);
	assert_true(blob.size < 12 * w.n); /* here the op changes every time */
	sb_timeline_close(w.t);
	close_fix(&f);
}

static void every_event_comes_back_with_what_it_left(void **state)
{
	(void)state;
	for (const char *const *name = sb_alloc_policy_names; *name; name++)
		check_policy(*name);
}

static void what_finds_no_room_is_counted_and_the_rest_is_whole(void **state)
{
	struct fix f = open_on("default", GIB);
	struct sb_timeline *t = opened(400);
	struct sb_alloc_event alloc = { SB_ALLOC_EV_ALLOC, 512, 1000, 0, 1024 }, release = alloc;
	struct sb_timeline_reader r;
	struct sb_timeline_event e;
	struct sb_timeline_blob blob;
	struct sb_error err = { 0 };
	bool more = true;
	int64_t n = 0;

	(void)state;
	release.kind = SB_ALLOC_EV_FREE;
	sb_timeline_begin(t, f.a, 0);
	for (int i = 0; i < 1000; i++)
		sb_timeline_add(t, i % 2 ? &release : &alloc, i, "stage", "op");
	blob = sb_timeline_blob(t);
	assert_true(blob.size <= 400 && blob.events > 20);
	assert_int_equal(blob.events + blob.cut, 1000);
	assert_int_equal(sb_timeline_read_begin(&r, blob.data, blob.size, &err), SB_OK);
	while (!sb_timeline_next(&r, &e, &more, &err) && more) {
		assert_int_equal(e.requested, n % 2 ? 0 : 1000);
		assert_int_equal(e.allocated, n++ % 2 ? 0 : 1024);
	}
	assert_false(more);
	assert_int_equal(n, blob.events);
	/* A new pass begins anew. */
	sb_timeline_begin(t, f.a, 0);
	sb_timeline_add(t, &alloc, 7, NULL, NULL);
	assert_int_equal(sb_timeline_blob(t).cut, 0);
	assert_int_equal(sb_timeline_blob(t).events, 1);
	sb_timeline_close(t);
	close_fix(&f);
}

static void more_names_than_there_is_room_for_are_none(void **state)
{
	static char names[SB_TIMELINE_NAMES + 20][100];
	struct fix f = open_on("default", GIB);
	struct sb_timeline *t = opened(1 << 16);
	const struct sb_alloc_event alloc = { SB_ALLOC_EV_ALLOC, 512, 512, 0, 512 };
	struct sb_timeline_blob blob;
	struct sb_timeline_reader r;
	struct sb_timeline_event e;
	struct sb_error err = { 0 };
	bool more = true;

	(void)state;
	sb_timeline_begin(t, f.a, 0);
	for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
		snprintf(names[i], sizeof(names[i]), "%063zu and longer than a name may be", i);
		sb_timeline_add(t, &alloc, 0, names[i], NULL);
	}
	blob = sb_timeline_blob(t);
	assert_int_equal(sb_timeline_read_begin(&r, blob.data, blob.size, &err), SB_OK);
	for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
		assert_int_equal(sb_timeline_next(&r, &e, &more, &err), SB_OK);
		assert_int_equal(strlen(e.stage), i < SB_TIMELINE_NAMES ? 63 : 0);
		assert_true(i >= SB_TIMELINE_NAMES || strncmp(e.stage, names[i], 63) == 0);
	}
	sb_timeline_close(t);
	close_fix(&f);
}

/* ---- hostile bytes ------------------------------------------------------------------------------------------------
 */

/* Reads to the end or to the first error; the status. */
static enum sb_status read_all(const unsigned char *data, size_t size)
{
	struct sb_timeline_reader r;
	struct sb_timeline_event e;
	struct sb_error err = { 0 };
	bool more = true;
	enum sb_status status = sb_timeline_read_begin(&r, data, size, &err);

	while (!status && more)
		status = sb_timeline_next(&r, &e, &more, &err);
	assert_true(status == SB_OK || (status == SB_E_DATA && strstr(err.msg, "not a memory timeline")));
	return status;
}

#define BYTES(...) (const unsigned char[]){ __VA_ARGS__ }, sizeof((const unsigned char[]){ __VA_ARGS__ })

static void bytes_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	assert_int_equal(read_all(BYTES(1, 0, 0, 0)), SB_OK); /* nothing happened */
	assert_int_equal(read_all((const unsigned char *)"", 0), SB_E_DATA);
	assert_int_equal(read_all(BYTES(3, 0, 0, 0)), SB_E_DATA);                     /* another version */
	assert_int_equal(read_all(BYTES(2, 0, 0, 0)), SB_E_DATA);                     /* no requested */
	assert_int_equal(read_all(BYTES(2, 0, 0, 0, 0, 0, 0, 1, 12)), SB_OK);         /* 500 bytes */
	assert_int_equal(read_all(BYTES(2, 0, 0, 0, 0, 0, 0, 1)), SB_E_DATA);         /* without the rest */
	assert_int_equal(read_all(BYTES(2, 0, 0, 0, 0, 0, 0, 1, 129, 4)), SB_E_DATA); /* more of it than the block */
	assert_int_equal(read_all(BYTES(2, 1, 1, 0, 0, 1, 0, 1, 0)), SB_E_DATA); /* more is given back than asked for */
	assert_int_equal(read_all(BYTES(1, 0, 0)), SB_E_DATA);                   /* no beginning */
	assert_int_equal(read_all(BYTES(1, 0, 0, 0, 11, 0, 1)), SB_E_DATA);      /* no such kind */
	assert_int_equal(read_all(BYTES(1, 0, 0, 0, 32, 0, 1)), SB_E_DATA);      /* an unknown bit */
	assert_int_equal(read_all(BYTES(1, 0, 0, 0, 0, 0, 1)), SB_OK);           /* an allocation */
	assert_int_equal(read_all(BYTES(1, 0, 0, 0, 0, 0)), SB_E_DATA);          /* without its size */
	assert_int_equal(read_all(BYTES(1, 0, 0, 0, 0, 128)), SB_E_DATA);        /* half a time */
	assert_int_equal(read_all(BYTES(1, 0, 0, 0, 1, 0, 1)), SB_E_DATA);       /* a free of nothing */
	assert_int_equal(read_all(BYTES(1, 1, 1, 0, 1, 0, 1)), SB_OK);           /* of what was there */
	assert_int_equal(read_all(BYTES(1, 0, 0, 0, 16, 2, 0, 0, 1)), SB_E_DATA);     /* a name that is two ahead */
	assert_int_equal(read_all(BYTES(1, 0, 0, 0, 16, 1, 5, 'a', 'b')), SB_E_DATA); /* a name cut short */
	assert_int_equal(read_all(BYTES(1, 0, 0, 0, 16, 1, 1, 'a', 0, 0, 1)), SB_OK);
	assert_int_equal(read_all(BYTES(1, 0, 0, 0, 16, 1, 64)), SB_E_DATA); /* a name that is too long */
	/* 64 bits and more, and a size beyond an exbibyte */
	assert_int_equal(
	        read_all(BYTES(1, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127, 1)), SB_E_DATA);
	assert_int_equal(read_all(BYTES(1, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 127)), SB_E_DATA);
	assert_int_equal(
	        read_all(BYTES(1, 0, 0, 0, 0, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1, 1)), SB_E_DATA);
	/* time that runs over */
	assert_int_equal(read_all(BYTES(1, 0, 0, 0, 9, 255, 255, 255, 255, 255, 255, 255, 255, 127, 9, 1)), SB_E_DATA);
}

static void random_damage_is_an_error_or_another_timeline(void **state)
{
	struct fix f = open_on("stitched", GIB);
	static struct watch w;
	struct sb_timeline_blob blob;
	unsigned char *copy;
	uint64_t seed = 11;
	int refused = 0;

	(void)state;
	memset(&w, 0, sizeof(w));
	w.t = opened(1 << 16);
	w.stage = "front.dino";
	w.op = "linear";
	sb_timeline_begin(w.t, f.a, 0);
	sb_alloc_observe(f.a, on_event, &w);
	for (int i = 0; i < 50; i++)
		put(&f, get(&f, (i + 1) * MIB));
	sb_alloc_observe(f.a, NULL, NULL);
	blob = sb_timeline_blob(w.t);
	copy = malloc(blob.size);
	assert_non_null(copy);
	for (int i = 0; i < 20000; i++) {
		size_t n = 1 + (size_t)sb_random_below(&seed, blob.size);

		memcpy(copy, blob.data, n);
		for (int k = 0; k < 3; k++)
			copy[sb_random_below(&seed, n)] = (unsigned char)sb_random_below(&seed, 256);
		refused += read_all(copy, n) != SB_OK;
	}
	assert_true(refused > 1000);
	free(copy);
	sb_timeline_close(w.t);
	close_fix(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_comes_back_with_what_it_left),
		cmocka_unit_test(what_finds_no_room_is_counted_and_the_rest_is_whole),
		cmocka_unit_test(more_names_than_there_is_room_for_are_none),
		cmocka_unit_test(bytes_that_make_no_sense_are_refused),
		cmocka_unit_test(random_damage_is_an_error_or_another_timeline),
	};
	return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
