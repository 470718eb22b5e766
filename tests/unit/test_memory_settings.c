/* PyTorch's settings and what they do; blocks in use on several streams; garbage collection; the policy `none`. */
#include "memory_fixture.h"

#include <stdlib.h>
#include <string.h>

/* ---- the settings string ---------------------------------------------------------------------------------------- */

static struct sb_alloc_conf parsed(const char *text)
{
	struct sb_alloc_conf c;
	struct sb_error err = { .msg = "" };

	if (sb_alloc_conf_parse(text, &c, &err))
		fail_msg("'%s': %s", text ? text : "(null)", err.msg);
	return c;
}

static void settings_are_read_as_pytorch_reads_them(void **state)
{
	struct sb_alloc_conf c = parsed(NULL);

	(void)state;
	assert_true(c.opt.max_split_size == SB_ALLOC_UNLIMITED && c.fraction == 1 && !c.expandable);
	assert_int_equal(c.opt.max_non_split_rounding, 20 * MIB);
	parsed("");
	parsed("  ");
	c = parsed("max_split_size_mb:64,expandable_segments:True,garbage_collection_threshold:0.6");
	assert_int_equal(c.opt.max_split_size, 64 * MIB);
	assert_true(c.expandable && c.opt.garbage_collection_threshold == 0.6);
	c = parsed(" max_split_size_mb : 1 00 , expandable_segments:True,expandable_segments : Fal se ,");
	assert_int_equal(c.opt.max_split_size, 100 * MIB);
	assert_false(c.expandable); /* the later one wins, and a comma may be the last */
	c = parsed(
	        "max_split_size_mb:9223372036854775807,max_non_split_rounding_mb:40,per_process_memory_fraction:0.25");
	assert_true(c.opt.max_split_size == SB_ALLOC_UNLIMITED && c.fraction == 0.25);
	assert_int_equal(c.opt.max_non_split_rounding, 40 * MIB);
	c = parsed(
	        "backend:native,pinned_use_cuda_host_register:True,pinned_num_register_threads:8,"
	        "pinned_use_background_threads:True,release_lock_on_cudamalloc:True,pinned_reserve_segment_size_mb:5,"
	        "graph_capture_record_stream_reuse:False");
	assert_non_null(strstr(c.unused, "pinned_num_register_threads"));
}

static void divisions_are_a_number_or_a_list_of_intervals(void **state)
{
	const int64_t *d;
	struct sb_alloc_conf c = parsed("roundup_power2_divisions:4");

	(void)state;
	for (int i = 0; i < SB_ALLOC_N_DIVISION; i++)
		assert_int_equal(c.opt.roundup_power2_divisions[i], 4);
	/* the first holds below it, too; so PyTorch's own snapshots say */
	c = parsed("roundup_power2_divisions:[256:1,512:2,1024:4,>:8]");
	d = c.opt.roundup_power2_divisions;
	assert_true(d[0] == 1 && d[8] == 1 && d[9] == 2 && d[10] == 4 && d[11] == 8 && d[15] == 8);
	c = parsed("roundup_power2_divisions:[1:8,4:4,256:1,512:2,1024:4,>:8]");
	assert_true(d[0] == 8 && d[1] == 0 && d[2] == 4 && d[3] == 0 && d[8] == 1 && d[10] == 4 && d[11] == 8);
	c = parsed("roundup_power2_divisions:[64:8,256:0],max_split_size_mb:20");
	d = c.opt.roundup_power2_divisions;
	assert_true(d[0] == 8 && d[6] == 8 && d[7] == 0 && d[8] == 0 && d[15] == 0);
	c = parsed("roundup_power2_divisions:[>:2]");
	assert_true(c.opt.roundup_power2_divisions[0] == 2 && c.opt.roundup_power2_divisions[15] == 2);
	c = parsed("roundup_power2_divisions:[4194304:16]");
	assert_true(c.opt.roundup_power2_divisions[15] == 16 && c.opt.roundup_power2_divisions[0] == 16);
	parsed("roundup_power2_divisions:[]");
}

static void malformed_settings_are_refused(void **state)
{
	static const struct {
		const char *text, *told;
	} bad[] = {
		{ "max_split_size_mb", "'max_split_size_mb' expects ':' and not 'the end'" },
		{ "max_split_size_mb:", "max_split_size_mb ''" },
		{ "max_split_size_mb:19", "19" },
		{ "max_split_size_mb:-64", "-64" },
		{ "max_split_size_mb:64abc", "64abc" },
		{ "max_split_size_mb:64 expandable_segments:True", "64expandable_segments" },
		{ "max_split_size_mb:64;expandable_segments:True", "64;expandable" },
		{ "max_split_size_mb=64", "there is no setting 'max_split_size_mb=64'" },
		{ ",max_split_size_mb:64", "there is no setting ','" },
		{ "max_split_size_mb:64,,", "there is no setting ','" },
		{ "max_split_size_mb:99999999999999999999", "99999999999999999999" },
		{ "garbage_collection_threshold:0", "not between 0 and 1" },
		{ "garbage_collection_threshold:1", "not between 0 and 1" },
		{ "garbage_collection_threshold:nan", "nan" },
		{ "expandable_segments:true", "True or False, not 'true'" },
		{ "expandable_segments:1", "True or False, not '1'" },
		{ "expandable_segments:[True]", "True or False, not '['" },
		{ "roundup_power2_divisions:3", "not a power of two" },
		{ "roundup_power2_divisions:0", "not a power of two" },
		{ "roundup_power2_divisions:[3:4]", "not a power of two" },
		{ "roundup_power2_divisions:[4:3]", "not a power of two or 0" },
		{ "roundup_power2_divisions:[4:4", "expects ',' and not 'the end'" },
		{ "roundup_power2_divisions:[4:4 8:8]", "of 48 is not a power" },
		{ "roundup_power2_divisions:[4]", "expects ':' and not ']'" },
		{ "roundup_power2_divisions:[<:4]", "roundup_power2_divisions '<'" },
		{ "backend:cudaMallocAsync", "not reproduced" },
		{ "backend:magic", "not 'magic'" },
		{ "pinned_num_register_threads:3", "not a power of two" },
		{ "pinned_num_register_threads:256", "more than 128" },
		{ "per_process_memory_fraction:1.5", "1.5" },
		{ "\033[31m:1", "no setting '\\x1b'" },
		{ "a_word_that_is_longer_than_any_key_of_this_grammar_has_a_right_to_be:1", "more than 63 characters" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
		struct sb_alloc_conf c = { .fraction = 7 };
		struct sb_error err = { .msg = "" };

		if (sb_alloc_conf_parse(bad[i].text, &c, &err) != SB_E_USAGE)
			fail_msg("'%s' was taken", bad[i].text);
		if (!strstr(err.msg, bad[i].told))
			fail_msg("'%s': '%s' does not say '%s'", bad[i].text, err.msg, bad[i].told);
		assert_true(c.fraction == 7);
	}
}

static void the_new_name_in_the_environment_comes_first(void **state)
{
	const char *name = NULL;

	(void)state;
	unsetenv("PYTORCH_ALLOC_CONF");
	unsetenv("PYTORCH_CUDA_ALLOC_CONF");
	assert_null(sb_alloc_conf_from_environment(&name));
	setenv("PYTORCH_CUDA_ALLOC_CONF", "old", 1);
	assert_string_equal(sb_alloc_conf_from_environment(&name), "old");
	assert_string_equal(name, "PYTORCH_CUDA_ALLOC_CONF");
	setenv("PYTORCH_ALLOC_CONF", "new", 1);
	assert_string_equal(sb_alloc_conf_from_environment(&name), "new");
	assert_string_equal(sb_alloc_conf_from_environment(NULL), "new");
	unsetenv("PYTORCH_ALLOC_CONF");
	unsetenv("PYTORCH_CUDA_ALLOC_CONF");
}

/* ---- several streams -------------------------------------------------------------------------------------------- */

static void put_later(struct fix *f, uintptr_t p)
{
	sb_alloc_free_later(f->a, (void *)p);
}

static bool complete(struct fix *f, uintptr_t p)
{
	return sb_alloc_complete(f->a, (void *)p);
}

static void a_block_in_use_elsewhere_stays_active_until_that_has_passed(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fix f = open_on(sb_alloc_policy_names[i], GIB);
		uintptr_t a = get(&f, 4 * MIB), b = get(&f, 4 * MIB), c = get(&f, 4 * MIB);

		put_later(&f, b);
		assert_int_equal(now_of(&f, SB_ALLOC_ALLOCATED_BYTES), 8 * MIB);
		assert_int_equal(now_of(&f, SB_ALLOC_ACTIVE_BYTES), 12 * MIB);
		assert_int_equal(now_of(&f, SB_ALLOC_REQUESTED_BYTES), 12 * MIB);
		assert_int_equal(now_of(&f, SB_ALLOC_ALLOCATIONS), 2);
		assert_int_equal(now_of(&f, SB_ALLOC_ACTIVE_BLOCKS), 3);
		put(&f, a); /* does not merge with b */
		assert_int_equal(get(&f, 3 * MIB), a);
		put(&f, a);
		assert_true(get(&f, 5 * MIB) > c);
		assert_true(complete(&f, b));
		assert_false(complete(&f, b));
		assert_int_equal(now_of(&f, SB_ALLOC_ACTIVE_BYTES), 9 * MIB);
		assert_int_equal(get(&f, 8 * MIB), a); /* a and b are one again */
		assert_false(complete(&f, c));
		assert_false(complete(&f, 0));
		close_fix(&f);
	}
}

static void the_release_of_the_cache_waits_for_uses_elsewhere(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fix f = open_on(sb_alloc_policy_names[i], 100 * MIB);
		uintptr_t a = get(&f, 60 * MIB), b = get(&f, 30 * MIB);

		put_later(&f, a);
		assert_false(sb_alloc_would_hit(f.a, 60 * MIB, 0, NULL, 0));
		assert_true(sb_alloc_would_hit(f.a, 60 * MIB, 0, &a, 1));
		assert_false(sb_alloc_would_hit(f.a, 60 * MIB, 1, &a, 1));
		get_on(&f, 1, 55 * MIB); /* fits only once the first is given back */
		assert_int_equal(stats_of(&f).num_alloc_retries, 1);
		assert_false(complete(&f, a));
		assert_int_equal(
		        now_of(&f, SB_ALLOC_ALLOCATED_BYTES), (i ? 85 : 86) * MIB); /* classic keeps 1 MiB inside */
		put_later(&f, b);
		assert_int_equal(sb_alloc_close(f.a), 1); /* what is freed later is no leak */
		sb_pages_close(f.pages);
	}
}

/* ---- garbage collection ----------------------------------------------------------------------------------------- */

static struct fix open_collecting(double threshold, int64_t limit)
{
	struct sb_alloc_options opt;

	sb_alloc_options_init(&opt);
	opt.garbage_collection_threshold = threshold;
	opt.limit_bytes = limit;
	return open_with("default", 100 * GIB, &opt);
}

static void old_segments_go_back_when_much_is_reserved(void **state)
{
	struct fix f = open_collecting(0.5, 400 * MIB);
	uintptr_t a = get(&f, 60 * MIB), b = get(&f, 80 * MIB), c = get(&f, 100 * MIB), small = get(&f, 100);

	(void)state;
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 242 * MIB);
	put(&f, a);
	put(&f, b);
	for (int i = 0; i < 10; i++) /* look-ups age what lies in the cache */
		put(&f, get(&f, 60 * MIB));
	put(&f, c);
	/* 42 MiB too much: the mean age is 11 / 3, b is 11 look-ups old, a and c 1 */
	get(&f, 120 * MIB);
	assert_int_equal(stats_of(&f).num_device_free, 1);
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), (242 - 80 + 120) * MIB);
	/* 82 MiB too much: both go, for the older alone is not enough and small ones are never collected */
	put(&f, small);
	get(&f, 110 * MIB);
	assert_int_equal(stats_of(&f).num_device_free, 3);
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), (2 + 120 + 110) * MIB);
	assert_int_equal(stats_of(&f).num_alloc_retries, 0);
	close_fix(&f);
}

static void nothing_is_collected_below_the_threshold_or_without_a_limit(void **state)
{
	static const struct {
		double threshold;
		int64_t limit;
	} cases[] = { { 0.5, 0 }, { 0, 400 * MIB }, { 0.9, 400 * MIB } };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct fix f = open_collecting(cases[i].threshold, cases[i].limit);

		put(&f, get(&f, 100 * MIB));
		get(&f, 150 * MIB);
		get(&f, 90 * MIB);
		get(&f, 12 * MIB);
		assert_int_equal(stats_of(&f).num_device_free, 0);
		close_fix(&f);
	}
}

/* ---- the rest --------------------------------------------------------------------------------------------------- */

static void none_asks_the_driver_every_time(void **state)
{
	struct fix f = open_on("none", GIB);
	uintptr_t a = get(&f, 100), b = get(&f, 3 * MIB + 1);

	(void)state;
	expect_bytes(&f, 3 * MIB + 101, 3 * MIB + 1024, 3 * MIB + 1024, 0);
	put(&f, a);
	expect_bytes(&f, 3 * MIB + 1, 3 * MIB + 512, 3 * MIB + 512, 0);
	put_later(&f, b);
	assert_int_equal(f.pages->held_bytes, 3 * MIB + 512);
	assert_true(complete(&f, b));
	assert_int_equal(f.pages->held_bytes, 0);
	assert_int_equal(stats_of(&f).driver_calls, 4);
	assert_int_equal(stats_of(&f).num_alloc_retries, 0);
	close_fix(&f);
}

static void the_slack_of_oversize_blocks_can_be_set(void **state)
{
	struct sb_alloc_options opt;
	struct fix f;
	uintptr_t a;

	(void)state;
	sb_alloc_options_init(&opt);
	opt.max_split_size = 64 * MIB;
	opt.max_non_split_rounding = 40 * MIB;
	f = open_with("default", GIB, &opt);
	a = get(&f, 110 * MIB);
	put(&f, a);
	assert_int_equal(get(&f, 71 * MIB), a);
	put(&f, a);
	assert_true(get(&f, 70 * MIB) != a);
	close_fix(&f);
}

/* PyTorch asks for the limit before it knows how little an expandable segment has to grow. */
static void the_limit_is_asked_for_a_whole_segment_even_where_less_is_mapped(void **state)
{
	struct sb_alloc_options opt;
	struct sb_error err = { .msg = "" };
	void *p = NULL;
	struct fix f;

	(void)state;
	sb_alloc_options_init(&opt);
	opt.limit_bytes = 59 * MIB; /* 40 + 19 would do, and a segment for 19 is 20 */
	f = open_with("expandable", GIB, &opt);
	get(&f, 40 * MIB);
	assert_int_equal(sb_alloc_malloc(f.a, 19 * MIB, 0, &p, &err), SB_E_NOMEM);
	put(&f, get(&f, 17 * MIB)); /* maps 20 MiB and is over the limit by that */
	assert_int_equal(now_of(&f, SB_ALLOC_RESERVED_BYTES), 60 * MIB);
	close_fix(&f);
}

struct seen {
	struct sb_alloc_event v[16];
	int n;
};

static void see(void *user, const struct sb_alloc_event *e)
{
	struct seen *s = user;

	if (s->n < (int)SB_ARRAY_LEN(s->v))
		s->v[s->n++] = *e;
}

static void an_observer_sees_every_step(void **state)
{
	static const enum sb_alloc_event_kind kinds[] = { SB_ALLOC_EV_SEGMENT_ALLOC, SB_ALLOC_EV_ALLOC,
		SB_ALLOC_EV_FREE_LATER, SB_ALLOC_EV_EMPTY_CACHE, SB_ALLOC_EV_COMPLETE, SB_ALLOC_EV_SEGMENT_FREE,
		SB_ALLOC_EV_OOM };
	struct fix f = open_on("default", 100 * MIB);
	struct seen s = { .n = 0 };
	struct sb_error err = { .msg = "" };
	void *p = NULL;
	uintptr_t a;

	(void)state;
	sb_alloc_observe(f.a, see, &s);
	a = get_on(&f, 3, 5 * MIB);
	put_later(&f, a);
	assert_int_equal(sb_alloc_empty_cache(f.a, &err), SB_OK);
	assert_int_equal(sb_alloc_malloc(f.a, 200 * MIB, 3, &p, &err), SB_E_NOMEM);
	sb_alloc_observe(f.a, NULL, NULL);
	get(&f, 1);
	assert_int_equal(s.n, SB_ARRAY_LEN(kinds));
	for (int i = 0; i < s.n; i++)
		assert_int_equal(s.v[i].kind, kinds[i]);
	assert_true(s.v[0].addr == a && s.v[0].bytes == 20 * MIB && s.v[0].stream == 3);
	assert_true(s.v[1].addr == a && s.v[1].bytes == 5 * MIB && s.v[1].stream == 3);
	assert_true(s.v[6].addr == 0 && s.v[6].bytes == 200 * MIB && s.v[6].stream == 3);
	close_fix(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_read_as_pytorch_reads_them),
		cmocka_unit_test(divisions_are_a_number_or_a_list_of_intervals),
		cmocka_unit_test(malformed_settings_are_refused),
		cmocka_unit_test(the_new_name_in_the_environment_comes_first),
		cmocka_unit_test(a_block_in_use_elsewhere_stays_active_until_that_has_passed),
		cmocka_unit_test(the_release_of_the_cache_waits_for_uses_elsewhere),
		cmocka_unit_test(old_segments_go_back_when_much_is_reserved),
		cmocka_unit_test(nothing_is_collected_below_the_threshold_or_without_a_limit),
		cmocka_unit_test(none_asks_the_driver_every_time),
		cmocka_unit_test(the_slack_of_oversize_blocks_can_be_set),
		cmocka_unit_test(the_limit_is_asked_for_a_whole_segment_even_where_less_is_mapped),
		cmocka_unit_test(an_observer_sees_every_step),
	};
	return cmocka_run_group_tests_name("memory_settings", tests, NULL, NULL);
}
