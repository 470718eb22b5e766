/* What the tests of harness/memory share. */
#ifndef MEMORY_FIXTURE_H
#define MEMORY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sb_memory.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* An allocator over pages that only count: what nearly every test works on. */
struct fix {
	struct sb_pages *pages;
	struct sb_alloc *a;
};

static inline struct fix open_on(const char *policy, int64_t limit)
{
	struct fix f = { 0 };
	struct sb_error err = { 0 };

	assert_int_equal(sb_pages_count_open(limit, 2 * MIB, &f.pages, &err), SB_OK);
	assert_int_equal(sb_alloc_open(policy, f.pages, &f.a, &err), SB_OK);
	return f;
}

static inline struct fix open_with(const char *policy, int64_t limit, const struct sb_alloc_options *opt)
{
	struct fix f = { 0 };
	struct sb_error err = { 0 };

	assert_int_equal(sb_pages_count_open(limit, 2 * MIB, &f.pages, &err), SB_OK);
	assert_int_equal(sb_alloc_open_with(policy, opt, f.pages, &f.a, &err), SB_OK);
	return f;
}

/* Close, and everything is back where it came from. */
static inline void close_fix(struct fix *f)
{
	sb_alloc_close(f->a);
	assert_int_equal(f->pages->held_bytes, 0);
	assert_int_equal(f->pages->address_bytes, 0);
	sb_pages_close(f->pages);
}

static inline uintptr_t get_on(struct fix *f, uint64_t stream, int64_t bytes)
{
	struct sb_error err = { 0 };
	void *p = NULL;

	if (sb_alloc_malloc(f->a, bytes, stream, &p, &err))
		fail_msg("%s", err.msg);
	assert_int_equal((uintptr_t)p % SB_ALLOC_ALIGN, 0);
	return (uintptr_t)p;
}

static inline uintptr_t get(struct fix *f, int64_t bytes)
{
	return get_on(f, 0, bytes);
}

static inline void put(struct fix *f, uintptr_t p)
{
	sb_alloc_free(f->a, (void *)p);
}

static inline struct sb_alloc_stats stats_of(const struct fix *f)
{
	struct sb_alloc_stats st;

	sb_alloc_stats(f->a, &st);
	return st;
}

static inline int64_t now_of(const struct fix *f, enum sb_alloc_family family)
{
	return stats_of(f).of[family][SB_ALLOC_ALL].current;
}

/* All four figures that describe a moment, in one line of a test. */
static inline void expect_bytes(
        const struct fix *f, int64_t requested, int64_t allocated, int64_t reserved, int64_t split)
{
	assert_int_equal(now_of(f, SB_ALLOC_REQUESTED_BYTES), requested);
	assert_int_equal(now_of(f, SB_ALLOC_ALLOCATED_BYTES), allocated);
	assert_int_equal(now_of(f, SB_ALLOC_ACTIVE_BYTES), allocated);
	assert_int_equal(now_of(f, SB_ALLOC_RESERVED_BYTES), reserved);
	assert_int_equal(now_of(f, SB_ALLOC_INACTIVE_SPLIT_BYTES), split);
	assert_int_equal(f->pages->held_bytes, reserved);
}

#endif
