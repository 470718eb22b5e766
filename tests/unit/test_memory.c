#include "memory_fixture.h"

#include <string.h>

/* ---- rounding and sizes ----------------------------------------------------------------------------------------- */

static void requests_round_up_to_512_bytes(void **state)
{
	static const int64_t table[][2] = {
		{ 1, 512 },
		{ 511, 512 },
		{ 512, 512 },
		{ 513, 1024 },
		{ 1024, 1024 },
		{ 1025, 1536 },
		{ MIB - 1, MIB },
		{ MIB, MIB },
		{ MIB + 1, MIB + 512 },
		{ 3 * MIB + 511, 3 * MIB + 512 },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(table); i++) {
		struct fix f = open_on("default", GIB);

		get(&f, table[i][0]);
		assert_int_equal(now_of(&f, SB_ALLOC_REQUESTED_BYTES), table[i][0]);
		assert_int_equal(now_of(&f, SB_ALLOC_ALLOCATED_BYTES), table[i][1]);
		close_fix(&f);
	}
}

static void power_of_two_divisions_round_from_512_times_their_number(void **state)
{
	static const int64_t table[][2] = {
		{ 1200, 1536 },                 /* not above 512 * 4: the plain rule */
		{ 2048, 2048 }, { 2049, 2560 }, /* a quarter of 2048 is 512 */
		{ 5000, 5120 }, { 4096, 4096 }, /* a quarter of 4096 is 1024 */
		{ 2 * MIB + 1, 2 * MIB + 512 }, /* the interval of 2 MiB has no divisions */
		{ 5 * MIB, 6 * MIB },           /* that of 4 MiB has 2 */
	};
	struct sb_alloc_options opt;

	(void)state;
	sb_alloc_options_init(&opt);
	opt.roundup_power2_divisions[0] = 4;
	opt.roundup_power2_divisions[2] = 2;
	for (size_t i = 0; i < SB_ARRAY_LEN(table); i++) {
		struct fix f = open_with("default", GIB, &opt);

		get(&f, table[i][0]);
		assert_int_equal(now_of(&f, SB_ALLOC_ALLOCATED_BYTES), table[i][1]);
		close_fix(&f);
	}
}

static void segments_have_the_sizes_of_the_caching_allocator(void **state)
{
	static const int64_t table[][2] = {
		{ 1, 2 * MIB },
		{ MIB, 2 * MIB },
		{ MIB + 1, 20 * MIB },
		{ MIB + MIB / 2, 20 * MIB },
		{ 10 * MIB - 512, 20 * MIB },
		{ 10 * MIB - 511, 10 * MIB },
		{ 10 * MIB, 10 * MIB },
		{ 10 * MIB + 1, 12 * MIB },
		{ 12 * MIB, 12 * MIB },
		{ 100 * MIB + 1, 102 * MIB },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(table); i++) {
		struct fix f = open_on("default", GIB);

		get(&f, table[i][0]);
		assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), table[i][1]);
		assert_int_equal(now_of(&f, SB_ALLOC_SEGMENTS), 1);
		close_fix(&f);
	}
}

static void nothing_asked_is_nothing_given(void **state)
{
	struct fix f = open_on("default", GIB);

	(void)state;
	assert_int_equal(get(&f, 0), 0);
	put(&f, 0);
	expect_bytes(&f, 0, 0, 0, 0);
	assert_int_equal(stats_of(&f).driver_calls, 0);
	close_fix(&f);
}

/* ---- default ---------------------------------------------------------------------------------------------------- */

static void a_large_remainder_is_split_off_only_above_1_mib(void **state)
{
	struct fix f = open_on("default", GIB);
	uintptr_t a, b;

	(void)state;
	a = get(&f, 9 * MIB);
	expect_bytes(&f, 9 * MIB, 9 * MIB, 20 * MIB, 11 * MIB);
	b = get(&f, 10 * MIB); /* 1 MiB would be left: it stays inside */
	assert_int_equal(b, a + 9 * MIB);
	expect_bytes(&f, 19 * MIB, 20 * MIB, 20 * MIB, 0);
	put(&f, b);
	expect_bytes(&f, 9 * MIB, 9 * MIB, 20 * MIB, 11 * MIB);
	b = get(&f, 10 * MIB - 512); /* 1 MiB + 512 is split off */
	assert_int_equal(b, a + 9 * MIB);
	expect_bytes(&f, 19 * MIB - 512, 19 * MIB - 512, 20 * MIB, MIB + 512);
	close_fix(&f);
}

static void a_small_remainder_is_split_off_from_512_bytes(void **state)
{
	struct fix f = open_on("default", GIB);

	(void)state;
	get(&f, MIB);
	get(&f, MIB - 512);
	expect_bytes(&f, 2 * MIB - 512, 2 * MIB - 512, 2 * MIB, 512);
	get(&f, 1);
	expect_bytes(&f, 2 * MIB - 511, 2 * MIB, 2 * MIB, 0);
	get(&f, 1);
	expect_bytes(&f, 2 * MIB - 510, 2 * MIB + 512, 4 * MIB, 2 * MIB - 512);
	close_fix(&f);
}

static void the_smallest_sufficient_block_is_taken_and_ties_go_to_the_lowest_address(void **state)
{
	struct fix f = open_on("default", GIB);
	uintptr_t a, b, c;

	(void)state;
	a = get(&f, 4 * KIB);
	get(&f, 512);
	b = get(&f, 8 * KIB);
	get(&f, 512);
	c = get(&f, 4 * KIB);
	get(&f, 512);
	put(&f, c);
	put(&f, b);
	put(&f, a);
	assert_int_equal(get(&f, 3 * KIB + 1000), a);
	assert_int_equal(get(&f, 4 * KIB), c);
	assert_int_equal(get(&f, 4 * KIB), b);
	assert_int_equal(get(&f, 4 * KIB), b + 4 * KIB);
	close_fix(&f);
}

static void a_block_freed_is_given_out_again_on_its_own_stream_only(void **state)
{
	static const char *const policies[] = { "default", "expandable" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fix f = open_on(policies[i], GIB);
		uintptr_t a = get_on(&f, 7, 4 * MIB), b;

		put(&f, a);
		b = get_on(&f, 3, 4 * MIB);
		assert_int_not_equal(b, a);
		assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 40 * MIB);
		assert_int_equal(get_on(&f, 7, 4 * MIB), a);
		assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 40 * MIB);
		close_fix(&f);
	}
}

static void small_and_large_requests_never_share_memory(void **state)
{
	static const char *const policies[] = { "default", "expandable" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fix f = open_on(policies[i], GIB);
		struct sb_alloc_stats st;

		put(&f, get(&f, 15 * MIB)); /* 15 or 20 MiB cached, large */
		get(&f, MIB);
		st = stats_of(&f);
		assert_int_equal(st.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_SMALL].current, 2 * MIB);
		assert_int_equal(st.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_SMALL].current, MIB);
		assert_int_equal(st.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_LARGE].current, 0);
		assert_int_equal(st.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_LARGE].peak, i ? 15 * MIB : 16 * MIB);
		close_fix(&f);
	}
}

static void free_merges_with_the_neighbours_before_and_behind(void **state)
{
	/* each order of freeing the three middle ones takes another way through the merge */
	static const int orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

	(void)state;
	for (size_t o = 0; o < SB_ARRAY_LEN(orders); o++) {
		struct fix f = open_on("default", GIB);
		uintptr_t p[3];

		get(&f, 2 * MIB);
		for (int i = 0; i < 3; i++)
			p[i] = get(&f, (2 + i) * MIB);
		get(&f, 9 * MIB);
		expect_bytes(&f, 20 * MIB, 20 * MIB, 20 * MIB, 0);
		for (int i = 0; i < 3; i++)
			put(&f, p[orders[o][i]]);
		expect_bytes(&f, 11 * MIB, 11 * MIB, 20 * MIB, 9 * MIB);
		assert_int_equal(now_of(&f, SB_ALLOC_INACTIVE_SPLITS), 1);
		assert_int_equal(get(&f, 9 * MIB), p[0]);
		close_fix(&f);
	}
}

static void segments_side_by_side_never_merge(void **state)
{
	struct fix f = open_on("default", GIB);
	uintptr_t a = get(&f, 20 * MIB), b = get(&f, 20 * MIB);

	(void)state;
	assert_int_equal(b, a + 20 * MIB); /* the addresses meet */
	put(&f, a);
	put(&f, b);
	expect_bytes(&f, 0, 0, 40 * MIB, 0);
	get(&f, 30 * MIB);
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 70 * MIB);
	close_fix(&f);
}

static void a_whole_free_segment_is_not_an_inactive_split(void **state)
{
	struct fix f = open_on("default", GIB);
	uintptr_t a = get(&f, 2 * MIB), b = get(&f, 2 * MIB);

	(void)state;
	put(&f, a);
	assert_int_equal(now_of(&f, SB_ALLOC_INACTIVE_SPLIT_BYTES), 18 * MIB);
	assert_int_equal(now_of(&f, SB_ALLOC_INACTIVE_SPLITS), 2);
	put(&f, b);
	assert_int_equal(now_of(&f, SB_ALLOC_INACTIVE_SPLIT_BYTES), 0);
	assert_int_equal(now_of(&f, SB_ALLOC_INACTIVE_SPLITS), 0);
	assert_int_equal(stats_of(&f).of[SB_ALLOC_INACTIVE_SPLIT_BYTES][SB_ALLOC_LARGE].peak, 18 * MIB);
	close_fix(&f);
}

static void the_classic_allocator_keeps_every_size_of_a_growing_request(void **state)
{
	struct fix f = open_on("default", GIB);

	(void)state;
	put(&f, get(&f, 30 * MIB));
	put(&f, get(&f, 50 * MIB));
	put(&f, get(&f, 51 * MIB));
	expect_bytes(&f, 0, 0, (30 + 50 + 52) * MIB, 0);
	put(&f, get(&f, 50 * MIB - 100));
	assert_int_equal(stats_of(&f).num_device_alloc, 3);
	close_fix(&f);
}

static void empty_cache_returns_only_whole_segments(void **state)
{
	struct fix f = open_on("default", GIB);
	struct sb_error err = { 0 };
	uintptr_t a = get(&f, 2 * MIB), b;

	(void)state;
	b = get(&f, 2 * MIB);
	put(&f, get(&f, 30 * MIB));
	put(&f, a);
	assert_int_equal(sb_alloc_empty_cache(f.a, &err), SB_OK);
	expect_bytes(&f, 2 * MIB, 2 * MIB, 20 * MIB, 18 * MIB);
	put(&f, b);
	assert_int_equal(sb_alloc_empty_cache(f.a, &err), SB_OK);
	expect_bytes(&f, 0, 0, 0, 0);
	assert_int_equal(now_of(&f, SB_ALLOC_SEGMENTS), 0);
	assert_int_equal(stats_of(&f).num_device_free, 2);
	assert_int_equal(stats_of(&f).num_sync_all_streams, 2);
	close_fix(&f);
}

/* ---- expandable ------------------------------------------------------------------------------------------------- */

static void an_expandable_segment_grows_by_the_difference(void **state)
{
	struct fix f = open_on("expandable", GIB);
	uintptr_t a = get(&f, 30 * MIB);
	struct sb_alloc_stats st;

	(void)state;
	expect_bytes(&f, 30 * MIB, 30 * MIB, 40 * MIB, 0);
	put(&f, a);
	assert_int_equal(get(&f, 50 * MIB), a); /* 40 are there */
	expect_bytes(&f, 50 * MIB, 50 * MIB, 60 * MIB, 0);
	put(&f, a);
	assert_int_equal(get(&f, 51 * MIB), a);
	assert_int_equal(get(&f, 8 * MIB), a + 51 * MIB); /* the tail */
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 60 * MIB);
	assert_int_equal(get(&f, 2 * MIB), a + 59 * MIB); /* 1 MiB of the tail and one handle more */
	expect_bytes(&f, 61 * MIB, 61 * MIB, 80 * MIB, 0);
	st = stats_of(&f);
	assert_int_equal(st.num_device_alloc, 3);
	assert_int_equal(st.of[SB_ALLOC_SEGMENTS][SB_ALLOC_ALL].peak, 0);
	close_fix(&f);
}

static void growth_makes_the_driver_calls_of_its_handles(void **state)
{
	struct fix f = open_on("expandable", GIB);
	struct sb_error err = { 0 };
	struct sb_pages_counts c;
	uintptr_t a;

	(void)state;
	a = get(&f, 50 * MIB);
	c = stats_of(&f).driver;
	assert_int_equal(c.calls[SB_PAGES_RESERVE], 1);
	assert_int_equal(c.calls[SB_PAGES_CREATE], 3);
	assert_int_equal(c.calls[SB_PAGES_MAP], 3);
	assert_int_equal(c.calls[SB_PAGES_SET_ACCESS], 1);
	assert_int_equal(f.pages->address_bytes, (GIB / 8 * 9 + 20 * MIB - 1) / (20 * MIB) * (20 * MIB));
	put(&f, a);
	assert_int_equal(sb_alloc_empty_cache(f.a, &err), SB_OK);
	c = stats_of(&f).driver;
	assert_int_equal(c.calls[SB_PAGES_SYNC], 1);
	assert_int_equal(c.calls[SB_PAGES_UNMAP], 3);
	assert_int_equal(c.calls[SB_PAGES_RELEASE], 3);
	assert_int_equal(c.calls[SB_PAGES_UNRESERVE], 1);
	assert_int_equal(c.calls[SB_PAGES_SEGMENT_ALLOC] + c.calls[SB_PAGES_SEGMENT_FREE], 0);
	assert_int_equal(stats_of(&f).driver_calls, 1 + 3 + 3 + 1 + 1 + 3 + 3 + 1);
	assert_int_equal(stats_of(&f).num_device_free, 1);
	assert_int_equal(f.pages->address_bytes, 0);
	expect_bytes(&f, 0, 0, 0, 0);
	close_fix(&f);
}

static void small_expandable_segments_grow_by_2_mib(void **state)
{
	struct fix f = open_on("expandable", GIB);
	uintptr_t a = get(&f, MIB);

	(void)state;
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 2 * MIB);
	assert_int_equal(get(&f, MIB - 512), a + MIB);
	assert_int_equal(get(&f, 1024), a + 2 * MIB - 512); /* across the boundary of two handles */
	expect_bytes(&f, 2 * MIB + 512, 2 * MIB + 512, 4 * MIB, 0);
	close_fix(&f);
}

static void expandable_splits_to_512_bytes_in_the_large_pool_too(void **state)
{
	struct fix f = open_on("expandable", GIB);
	uintptr_t a = get(&f, 19 * MIB + 1);

	(void)state;
	expect_bytes(&f, 19 * MIB + 1, 19 * MIB + 512, 20 * MIB, 0);
	put(&f, a);
	get(&f, 20 * MIB);
	expect_bytes(&f, 20 * MIB, 20 * MIB, 20 * MIB, 0);
	close_fix(&f);
}

static void the_tail_that_can_grow_is_kept_while_a_hole_will_do(void **state)
{
	struct fix f = open_on("expandable", GIB);
	uintptr_t a = get(&f, 12 * MIB), b = get(&f, 2 * MIB);

	(void)state;
	put(&f, a); /* a hole of 12 MiB, and a smaller tail of 6 */
	assert_int_equal(get(&f, 5 * MIB), a);
	assert_int_equal(get(&f, 8 * MIB), b + 2 * MIB); /* 7 are left of the hole: the tail grows */
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 40 * MIB);
	close_fix(&f);
}

static void one_live_byte_pins_its_handle_and_the_rest_is_unmapped(void **state)
{
	struct fix f = open_on("expandable", GIB);
	struct sb_error err = { 0 };
	uintptr_t a = get(&f, 30 * MIB), b = get(&f, 4 * MIB), c;

	(void)state;
	put(&f, a);
	assert_int_equal(sb_alloc_empty_cache(f.a, &err), SB_OK);
	expect_bytes(&f, 4 * MIB, 4 * MIB, 20 * MIB, 0); /* 10 before b, 6 behind it, all in one handle */
	c = get(&f, 12 * MIB);                           /* one handle mapped again, joined with the 10 */
	assert_int_equal(c, a);
	expect_bytes(&f, 16 * MIB, 16 * MIB, 40 * MIB, 0);
	assert_int_equal(get(&f, 18 * MIB), a + 12 * MIB);
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 40 * MIB);
	put(&f, a);
	put(&f, a + 12 * MIB);
	put(&f, b);
	assert_int_equal(sb_alloc_empty_cache(f.a, &err), SB_OK);
	expect_bytes(&f, 0, 0, 0, 0);
	assert_int_equal(f.pages->address_bytes, 0);
	close_fix(&f);
}

static void growth_bridges_a_hole_between_cached_pieces(void **state)
{
	struct fix f = open_on("expandable", GIB);
	struct sb_error err = { 0 };
	uintptr_t a = get(&f, 30 * MIB), b = get(&f, 20 * MIB), c = get(&f, 30 * MIB);

	(void)state;
	put(&f, a);
	put(&f, c);
	assert_int_equal(sb_alloc_empty_cache(f.a, &err), SB_OK); /* [0,20) and [60,80) unmapped, b in [30,50) */
	expect_bytes(&f, 20 * MIB, 20 * MIB, 40 * MIB, 0);
	put(&f, b);                             /* [20,60) cached */
	assert_int_equal(get(&f, 70 * MIB), a); /* maps in front and behind */
	expect_bytes(&f, 70 * MIB, 70 * MIB, 80 * MIB, 0);
	assert_int_equal(stats_of(&f).num_device_alloc, 2 + 1 + 2);
	close_fix(&f);
}

/* ---- out of memory ---------------------------------------------------------------------------------------------- */

static void a_full_device_makes_the_cache_go_and_the_request_succeed(void **state)
{
	static const char *const policies[] = { "default", "expandable" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fix f = open_on(policies[i], 64 * MIB);
		struct sb_alloc_stats st;

		put(&f, get_on(&f, 1, 30 * MIB));
		put(&f, get_on(&f, 1, 512));
		get_on(&f, 2, 50 * MIB);
		st = stats_of(&f);
		assert_int_equal(st.num_alloc_retries, 1);
		assert_int_equal(st.num_ooms, 0);
		assert_int_equal(st.num_sync_all_streams, 1);
		assert_int_equal(st.num_device_free, 2);
		expect_bytes(&f, 50 * MIB, 50 * MIB, i ? 60 * MIB : 50 * MIB, 0);
		close_fix(&f);
	}
}

static void what_cannot_be_had_is_reported_with_asked_held_and_free(void **state)
{
	static const char *const policies[] = { "default", "expandable" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fix f = open_on(policies[i], 64 * MIB);
		struct sb_error err = { 0 };
		const struct sb_oom *oom = sb_alloc_oom(f.a);
		void *p = &f;

		get(&f, 39 * MIB); /* 40 MiB of segment or of handles; 1 MiB stays inside the block or is cached */
		put(&f, get(&f, 512));
		assert_int_equal(oom->asked, 0);
		assert_int_equal(sb_alloc_malloc(f.a, 30 * MIB + 1, 0, &p, &err), SB_E_NOMEM);
		assert_ptr_equal(p, &f);
		assert_int_equal(err.code, SB_E_NOMEM);
		assert_non_null(strstr(err.msg, "asked for 30.0 MiB"));
		assert_int_equal(oom->asked, 30 * MIB + 1);
		assert_int_equal(oom->allocated, i ? 39 * MIB : 40 * MIB);
		assert_int_equal(oom->reserved, 40 * MIB);
		assert_int_equal(oom->device_free, 24 * MIB);
		assert_int_equal(stats_of(&f).num_ooms, 1);
		assert_int_equal(stats_of(&f).num_alloc_retries, 1);
		get(&f, 20 * MIB);
		close_fix(&f);
	}
}

static void more_than_an_exbibyte_is_refused_without_asking_the_driver(void **state)
{
	struct fix f = open_on("default", GIB);
	struct sb_error err = { 0 };
	void *p = NULL;

	(void)state;
	assert_int_equal(sb_alloc_malloc(f.a, (INT64_C(1) << 60) + 1, 0, &p, &err), SB_E_NOMEM);
	assert_int_equal(sb_alloc_malloc(f.a, INT64_MAX, 0, &p, &err), SB_E_NOMEM);
	assert_int_equal(stats_of(&f).driver_calls, 0);
	assert_int_equal(sb_alloc_malloc(f.a, INT64_C(1) << 60, 0, &p, &err), SB_E_NOMEM);
	close_fix(&f);
}

static void a_growth_that_fails_half_way_leaves_nothing_mapped(void **state)
{
	struct fix f = open_on("expandable", 64 * MIB);
	struct sb_error err = { 0 };
	struct sb_pages_counts c;
	void *p = NULL;

	(void)state;
	assert_int_equal(sb_alloc_malloc(f.a, 70 * MIB, 0, &p, &err), SB_E_NOMEM);
	assert_int_equal(f.pages->held_bytes, 0);
	c = stats_of(&f).driver;
	assert_int_equal(c.calls[SB_PAGES_CREATE], 2 * 4);
	assert_int_equal(c.calls[SB_PAGES_RELEASE], 2 * 3);
	assert_int_equal(c.calls[SB_PAGES_MAP], 0);
	assert_int_equal(sb_alloc_malloc(f.a, 100 * MIB, 0, &p, &err), SB_E_NOMEM); /* more than the addresses */
	get(&f, 60 * MIB);
	assert_int_equal(stats_of(&f).driver.calls[SB_PAGES_RESERVE], 1);
	close_fix(&f);
}

static void a_limit_of_the_process_counts_like_a_full_device(void **state)
{
	struct sb_alloc_options opt;
	struct fix f;

	(void)state;
	sb_alloc_options_init(&opt);
	opt.limit_bytes = 64 * MIB;
	f = open_with("default", GIB, &opt);
	put(&f, get(&f, 30 * MIB));
	get(&f, 40 * MIB);
	assert_int_equal(stats_of(&f).num_alloc_retries, 1);
	assert_int_equal(stats_of(&f).driver.calls[SB_PAGES_SEGMENT_ALLOC], 2); /* the driver was not even asked */
	expect_bytes(&f, 40 * MIB, 40 * MIB, 40 * MIB, 0);
	close_fix(&f);
}

static void oversize_blocks_are_kept_whole_and_go_before_the_rest(void **state)
{
	struct sb_alloc_options opt;
	struct fix f;
	uintptr_t a, b;

	(void)state;
	sb_alloc_options_init(&opt);
	opt.max_split_size = 32 * MIB;
	f = open_with("default", 200 * MIB, &opt);
	a = get(&f, 100 * MIB);
	put(&f, a);
	b = get(&f, 12 * MIB); /* not out of the 100 */
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 112 * MIB);
	put(&f, b);
	b = get(&f, 80 * MIB); /* 100 >= 80 + 20: too much slack */
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 192 * MIB);
	assert_int_equal(get(&f, 81 * MIB), a); /* the slack is tolerated, and the block not split */
	assert_int_equal(now_of(&f, SB_ALLOC_ALLOCATED_BYTES), 180 * MIB);
	put(&f, a);
	get(&f, 40 * MIB); /* the 100 goes, the cached 12 stays: no retry counted */
	assert_int_equal(stats_of(&f).num_alloc_retries, 0);
	assert_int_equal(stats_of(&f).num_device_free, 1);
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 132 * MIB);
	close_fix(&f);
}

static void several_oversize_blocks_go_from_the_largest_down(void **state)
{
	struct sb_alloc_options opt;
	struct fix f;
	uintptr_t p[4];

	(void)state;
	sb_alloc_options_init(&opt);
	opt.max_split_size = 20 * MIB;
	f = open_with("default", 200 * MIB, &opt);
	for (int i = 0; i < 4; i++)
		p[i] = get(&f, (30 + 10 * i) * MIB);
	for (int i = 0; i < 4; i++)
		put(&f, p[i]);
	get(&f, 100 * MIB); /* 180 cached of 200: 60 and 50 go */
	assert_int_equal(stats_of(&f).num_device_free, 2);
	assert_int_equal(stats_of(&f).num_alloc_retries, 0);
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 170 * MIB);
	close_fix(&f);
}

static void no_more_oversize_blocks_go_than_are_needed(void **state)
{
	struct sb_alloc_options opt;
	struct fix f;
	uintptr_t p[3];

	(void)state;
	sb_alloc_options_init(&opt);
	opt.max_split_size = 20 * MIB;
	f = open_with("default", 160 * MIB, &opt);
	p[0] = get(&f, 30 * MIB);
	p[1] = get(&f, 40 * MIB);
	p[2] = get(&f, 60 * MIB);
	for (int i = 0; i < 3; i++)
		put(&f, p[i]);
	get(&f, 100 * MIB); /* 60 and 40 are as much as is asked for: the 30 stays */
	assert_int_equal(stats_of(&f).num_device_free, 2);
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 130 * MIB);
	close_fix(&f);
}

/* ---- statistics ------------------------------------------------------------------------------------------------- */

static void statistics_follow_every_step(void **state)
{
	struct fix f = open_on("default", GIB);
	struct sb_alloc_stats st;
	uintptr_t a = get(&f, 3 * MIB + 1), b = get(&f, 100);

	(void)state;
	put(&f, a);
	a = get(&f, 2 * MIB);
	put(&f, b);
	st = stats_of(&f);
	assert_int_equal(st.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].current, 2 * MIB);
	assert_int_equal(st.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].peak, 3 * MIB + 101);
	assert_int_equal(st.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].allocated, 5 * MIB + 101);
	assert_int_equal(st.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].freed, 3 * MIB + 101);
	assert_int_equal(st.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_ALL].peak, 3 * MIB + 1024);
	assert_int_equal(st.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_SMALL].peak, 512);
	assert_int_equal(st.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_SMALL].current, 0);
	assert_int_equal(st.of[SB_ALLOC_ALLOCATIONS][SB_ALLOC_ALL].peak, 2);
	assert_int_equal(st.of[SB_ALLOC_ALLOCATIONS][SB_ALLOC_ALL].allocated, 3);
	assert_int_equal(st.of[SB_ALLOC_ALLOCATIONS][SB_ALLOC_LARGE].freed, 1);
	assert_int_equal(st.of[SB_ALLOC_ACTIVE_BLOCKS][SB_ALLOC_ALL].current, 1);
	assert_int_equal(st.of[SB_ALLOC_SEGMENTS][SB_ALLOC_ALL].current, 2);
	assert_int_equal(st.num_device_alloc, 2);
	assert_int_equal(st.driver.calls[SB_PAGES_SEGMENT_ALLOC], 2);
	assert_true(st.driver_ns >= st.driver.dur_ns[SB_PAGES_SEGMENT_ALLOC]);
	sb_alloc_reset_peaks(f.a);
	st = stats_of(&f);
	assert_int_equal(st.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].peak, 2 * MIB);
	assert_int_equal(st.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_SMALL].peak, 0);
	assert_int_equal(st.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak, 22 * MIB);
	close_fix(&f);
}

static void driver_calls_count_from_the_opening_of_the_allocator(void **state)
{
	struct fix f = open_on("default", GIB);
	struct sb_error err = { 0 };

	(void)state;
	get(&f, 1);
	sb_alloc_close(f.a);
	assert_int_equal(sb_alloc_open("default", f.pages, &f.a, &err), SB_OK);
	assert_int_equal(stats_of(&f).driver_calls, 0);
	close_fix(&f);
}

static void a_mark_measures_the_peak_above_what_was_live(void **state)
{
	struct fix f = open_on("default", GIB);
	uintptr_t a = get(&f, 512), b, c;

	(void)state;
	put(&f, get(&f, 9 * MIB)); /* before the mark: does not count */
	sb_alloc_mark(f.a);
	b = get(&f, 1024);
	sb_alloc_mark(f.a);
	c = get(&f, 4096);
	put(&f, c);
	c = get(&f, 2048);
	assert_int_equal(sb_alloc_mark_end(f.a), 4096);
	put(&f, c);
	put(&f, b);
	put(&f, a);
	assert_int_equal(sb_alloc_mark_end(f.a), 1024 + 4096);
	sb_alloc_mark(f.a);
	assert_int_equal(sb_alloc_mark_end(f.a), 0);
	close_fix(&f);
}

static void fragmentation_is_told_of_the_peaks_and_of_the_moment(void **state)
{
	struct fix f = open_on("default", GIB);
	struct sb_alloc_stats st = stats_of(&f);
	uintptr_t a;

	(void)state;
	assert_non_null(st.fragmentation_of_peaks.absent);
	assert_non_null(st.fragmentation_at_peak_reserved.absent);
	a = get(&f, 40 * MIB);
	put(&f, a);
	get(&f, 60 * MIB); /* reserved 100: the peak, with 60 active */
	get(&f, 20 * MIB); /* out of the 40: active 80, the rest of 20 is cached */
	st = stats_of(&f);
	assert_int_equal(st.active_at_peak_reserved, 60 * MIB);
	assert_null(st.fragmentation_of_peaks.absent);
	assert_true(st.fragmentation_of_peaks.v > 0.1999 && st.fragmentation_of_peaks.v < 0.2001);
	assert_true(st.fragmentation_at_peak_reserved.v > 0.3999 && st.fragmentation_at_peak_reserved.v < 0.4001);
	close_fix(&f);
}

static void the_largest_free_block_is_told_of_all_that_is_free(void **state)
{
	struct fix f = open_on("default", GIB);
	struct sb_alloc_stats st = stats_of(&f);
	uintptr_t a, b;

	(void)state;
	assert_non_null(st.largest_free_share.absent);
	assert_non_null(st.largest_free_share_at_peak_reserved.absent);
	a = get(&f, 40 * MIB);
	b = get_on(&f, 1, 30 * MIB);
	put(&f, a);
	put(&f, b);
	get(&f, 60 * MIB); /* reserved 130: the peak, with cached pieces of 40 and, of another stream, 30 */
	get(&f, 20 * MIB); /* out of the 40 */
	st = stats_of(&f);
	assert_int_equal(st.largest_free_at_peak_reserved, 40 * MIB);
	assert_int_equal(st.free_at_peak_reserved, 70 * MIB);
	assert_int_equal(st.largest_free, 30 * MIB);
	assert_int_equal(st.free_bytes, 50 * MIB);
	assert_true(st.largest_free_share.v == 30.0 / 50.0);
	assert_true(st.largest_free_share_at_peak_reserved.v == 40.0 / 70.0);
	sb_alloc_reset_peaks(f.a); /* the moment of the reset is then the peak's */
	assert_int_equal(stats_of(&f).largest_free_at_peak_reserved, 30 * MIB);
	close_fix(&f);
}

static void a_warm_pass_asks_neither_the_driver_nor_the_host(void **state)
{
	static const char *const policies[] = { "default", "expandable" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fix f = open_on(policies[i], 8 * GIB);
		struct sb_alloc_stats cold;
		static uintptr_t p[3000];

		for (int pass = 0; pass < 3; pass++) {
			uint64_t seed = 5;

			if (pass == 1)
				cold = stats_of(&f);
			for (size_t k = 0; k < SB_ARRAY_LEN(p); k++)
				p[k] = get_on(&f, sb_random_below(&seed, 2), (int64_t)sb_random_below(&seed, 3 << 20));
			for (size_t k = 0; k < SB_ARRAY_LEN(p); k++)
				put(&f, p[k]);
		}
		assert_true(cold.host_allocs > 4); /* headers, live table, streams: all have grown */
		assert_int_equal(stats_of(&f).host_allocs, cold.host_allocs);
		assert_int_equal(stats_of(&f).driver_calls, cold.driver_calls);
		close_fix(&f);
	}
}

static void close_returns_live_blocks_too_and_tells_how_many(void **state)
{
	struct sb_error err = { 0 };

	(void)state;
	for (const char *const *name = sb_alloc_policy_names; *name; name++) {
		struct fix f = open_on(*name, GIB);

		assert_string_equal(sb_alloc_policy(f.a), *name);
		get(&f, 1);
		get_on(&f, 9, 30 * MIB);
		put(&f, get(&f, 5 * MIB));
		assert_int_equal(sb_alloc_close(f.a), 2);
		assert_int_equal(f.pages->held_bytes, 0);
		assert_int_equal(sb_alloc_open(*name, f.pages, &f.a, &err), SB_OK);
		assert_int_equal(sb_alloc_close(f.a), 0);
		sb_pages_close(f.pages);
	}
	assert_int_equal(sb_alloc_close(NULL), 0);
	sb_pages_close(NULL);
}

static void unknown_policies_and_settings_are_refused(void **state)
{
	struct sb_alloc_options opt;
	struct sb_error err = { 0 };
	struct sb_pages *pages = NULL;
	struct sb_alloc *a = NULL;

	(void)state;
	assert_int_equal(sb_pages_count_open(0, 2 * MIB, &pages, &err), SB_E_USAGE);
	assert_int_equal(sb_pages_count_open(GIB, 2 * MIB, &pages, &err), SB_OK);
	assert_int_equal(sb_alloc_open("slab", pages, &a, &err), SB_E_USAGE);
	assert_string_equal(err.msg, "no allocator policy 'slab': one of default, expandable, stitched, none");
	sb_alloc_options_init(&opt);
	opt.max_split_size = 20 * MIB - 1;
	assert_int_equal(sb_alloc_open_with("default", &opt, pages, &a, &err), SB_E_USAGE);
	sb_alloc_options_init(&opt);
	opt.roundup_power2_divisions[3] = 3;
	assert_int_equal(sb_alloc_open_with("default", &opt, pages, &a, &err), SB_E_USAGE);
	sb_alloc_options_init(&opt);
	opt.garbage_collection_threshold = 1;
	assert_int_equal(sb_alloc_open_with("default", &opt, pages, &a, &err), SB_E_USAGE);
	assert_null(a);
	sb_pages_close(pages);
}

static void scripted_addresses_are_handed_out_in_their_order(void **state)
{
	static const uintptr_t script[] = { 0x7f0002000000, 0x7f0000000000 };
	struct fix f = open_on("default", GIB);

	(void)state;
	sb_pages_count_script(f.pages, script, SB_ARRAY_LEN(script));
	assert_int_equal(get(&f, 20 * MIB), script[0]);
	assert_int_equal(get(&f, 20 * MIB), script[1]);
	put(&f, script[0]);
	put(&f, script[1]);
	assert_int_equal(get(&f, 20 * MIB), script[1]); /* the tie goes to the lower address */
	assert_int_equal(get(&f, 20 * MIB), script[0]);
	get(&f, 20 * MIB);
	close_fix(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_round_up_to_512_bytes),
		cmocka_unit_test(power_of_two_divisions_round_from_512_times_their_number),
		cmocka_unit_test(segments_have_the_sizes_of_the_caching_allocator),
		cmocka_unit_test(nothing_asked_is_nothing_given),
		cmocka_unit_test(a_large_remainder_is_split_off_only_above_1_mib),
		cmocka_unit_test(a_small_remainder_is_split_off_from_512_bytes),
		cmocka_unit_test(the_smallest_sufficient_block_is_taken_and_ties_go_to_the_lowest_address),
		cmocka_unit_test(a_block_freed_is_given_out_again_on_its_own_stream_only),
		cmocka_unit_test(small_and_large_requests_never_share_memory),
		cmocka_unit_test(free_merges_with_the_neighbours_before_and_behind),
		cmocka_unit_test(segments_side_by_side_never_merge),
		cmocka_unit_test(a_whole_free_segment_is_not_an_inactive_split),
		cmocka_unit_test(the_classic_allocator_keeps_every_size_of_a_growing_request),
		cmocka_unit_test(empty_cache_returns_only_whole_segments),
		cmocka_unit_test(an_expandable_segment_grows_by_the_difference),
		cmocka_unit_test(growth_makes_the_driver_calls_of_its_handles),
		cmocka_unit_test(small_expandable_segments_grow_by_2_mib),
		cmocka_unit_test(expandable_splits_to_512_bytes_in_the_large_pool_too),
		cmocka_unit_test(the_tail_that_can_grow_is_kept_while_a_hole_will_do),
		cmocka_unit_test(one_live_byte_pins_its_handle_and_the_rest_is_unmapped),
		cmocka_unit_test(growth_bridges_a_hole_between_cached_pieces),
		cmocka_unit_test(a_full_device_makes_the_cache_go_and_the_request_succeed),
		cmocka_unit_test(what_cannot_be_had_is_reported_with_asked_held_and_free),
		cmocka_unit_test(more_than_an_exbibyte_is_refused_without_asking_the_driver),
		cmocka_unit_test(a_growth_that_fails_half_way_leaves_nothing_mapped),
		cmocka_unit_test(a_limit_of_the_process_counts_like_a_full_device),
		cmocka_unit_test(oversize_blocks_are_kept_whole_and_go_before_the_rest),
		cmocka_unit_test(several_oversize_blocks_go_from_the_largest_down),
		cmocka_unit_test(no_more_oversize_blocks_go_than_are_needed),
		cmocka_unit_test(statistics_follow_every_step),
		cmocka_unit_test(driver_calls_count_from_the_opening_of_the_allocator),
		cmocka_unit_test(a_mark_measures_the_peak_above_what_was_live),
		cmocka_unit_test(fragmentation_is_told_of_the_peaks_and_of_the_moment),
		cmocka_unit_test(the_largest_free_block_is_told_of_all_that_is_free),
		cmocka_unit_test(a_warm_pass_asks_neither_the_driver_nor_the_host),
		cmocka_unit_test(close_returns_live_blocks_too_and_tells_how_many),
		cmocka_unit_test(unknown_policies_and_settings_are_refused),
		cmocka_unit_test(scripted_addresses_are_handed_out_in_their_order),
	};
	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
