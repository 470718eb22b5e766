/* Traces: what PyTorch did is done again, what is no trace is refused, what we write we read. */
#include "memory_fixture.h"
#include "sb_replay.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Recorded with PyTorch 2.11 on an H200; data/README.md says what each of them went through. */
static const char *const recorded[] = {
	"churn_default",
	"churn_expandable",
	"train_default",
	"train_expandable",
	"infer_default",
	"retry_default",
	"retry_expandable",
	"gcsplit_default",
	"split_expandable",
	"round_default",
	"round_expandable",
	"device_expandable",
	"streams_default",
	"streams_expandable",
	"all_default",
};

static struct sb_replay_result replay_file(const char *name, const struct sb_replay_options *opt)
{
	struct sb_alloc_trace *t = NULL;
	struct sb_error err = { .msg = "" };
	struct sb_replay_result r = { .policy = "" };
	char path[128];

	snprintf(path, sizeof(path), "data/traces/%s.txt.gz", name);
	if (sb_alloc_trace_open(path, &t, &err) || sb_replay(t, opt, &r, &err))
		fail_msg("%s: %s", path, err.msg);
	sb_alloc_trace_close(t);
	return r;
}

static enum sb_status replay_text(
        const char *text, const struct sb_replay_options *opt, struct sb_replay_result *out, struct sb_error *err)
{
	struct sb_alloc_trace *t = NULL;
	enum sb_status status = sb_alloc_trace_open_bytes(text, strlen(text), &t, err);

	if (!status)
		status = sb_replay(t, opt, out, err);
	sb_alloc_trace_close(t);
	return status;
}

static void what_pytorch_did_is_done_again(void **state)
{
	const struct sb_replay_options check = { .check = true };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(recorded); i++) {
		struct sb_replay_result r = replay_file(recorded[i], &check);

		if (r.differs)
			fail_msg("%s: %s", recorded[i], r.difference);
		assert_true(r.n_requests > 8000 && r.n_segment_events > 20);
		assert_int_equal(r.n_equal_segments, r.n_segment_events);
		assert_int_equal(r.n_equal_blocks, r.n_requests);
		assert_int_equal(r.stats.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak, r.recorded_peak_reserved);
		if (strncmp(recorded[i], "churn", 5) != 0) /* PyTorch's own statistics came along */
			assert_true(r.n_expected >= 112);
	}
}

static void one_program_under_the_other_policy_is_what_the_other_recording_has(void **state)
{
	struct sb_replay_options to_default = { .policy = "default" }, to_expandable = { .policy = "expandable" };
	struct sb_replay_result r = replay_file("churn_default", &to_expandable);

	(void)state;
	assert_int_equal(r.stats.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak, INT64_C(15470690304));
	assert_int_equal(r.stats.num_device_alloc, 322);
	assert_int_equal(r.stats.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].peak, INT64_C(15023197224));
	r = replay_file("churn_expandable", &to_default);
	assert_int_equal(r.stats.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak, INT64_C(20275265536));
	assert_int_equal(r.stats.num_device_alloc, 296);
	assert_int_equal(r.stats.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_ALL].peak, INT64_C(15024537600));
}

static void none_reserves_what_is_asked_and_calls_the_driver_each_time(void **state)
{
	struct sb_replay_options none = { .policy = "none" };
	struct sb_replay_result r = replay_file("infer_default", &none);

	(void)state;
	assert_int_equal(r.stats.num_device_alloc, r.n_requests);
	assert_int_equal(r.stats.num_device_free, r.n_frees);
	assert_int_equal(r.stats.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak,
	        r.stats.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_ALL].peak);
}

static void a_smaller_device_refuses_and_the_replay_goes_on(void **state)
{
	struct sb_replay_options small = { .policy = "default", .device_bytes = 12 * GIB };
	struct sb_replay_result r = replay_file("churn_default", &small);

	(void)state;
	assert_true(r.n_refused > 0 && r.first_refused_line > 0);
	assert_int_equal(r.stats.num_ooms, r.n_refused);
	assert_true(r.stats.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak <= 12 * GIB);
	assert_true(r.stats.num_alloc_retries >= r.n_refused);
	small.device_bytes = 16 * GIB; /* expandable segments need 15.5e9 of these 17.2e9 */
	small.policy = "expandable";
	r = replay_file("churn_default", &small);
	assert_int_equal(r.n_refused, 0);
}

/* ---- a check that can say no ------------------------------------------------------------------------------------- */

#define HEAD    "spabench-trace 1\nbegin\n"
#define SEGMENT "S 0 7f0000000000 20971520\n"

static void every_kind_of_difference_is_told(void **state)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
		{ HEAD "a 0 7f0000000000 3000000\nend 1\n", "line 3: the trace has an allocation of 3000000 bytes at "
		                                            "7f0000000000 on stream 0; the replay has no block" },
		{ HEAD SEGMENT "a 0 7f0000000200 3000000\nend 2\n", "line 4: the trace has an allocation" },
		{ HEAD SEGMENT "o 0 3000000\nend 2\n", "line 4: the trace has out of memory" },
		{ HEAD "S 0 7f0000000000 2097152\na 0 7f0000000000 3000000\nend 2\n",
		        "line 3: the trace has segment_alloc of 2097152" },
		{ HEAD "S 0 7f0000000000 20971520 1\na 0 7f0000000000 3000000\nend 2\n",
		        "line 3: the trace has segment_alloc" },
		{ HEAD SEGMENT SEGMENT "a 0 7f0000000000 3000000\nend 3\n", "line 4: the trace has segment_alloc" },
		{ HEAD SEGMENT "a 0 7f0000000000 3000000\nf 1 7f0000000000\nM 2 7f0000000000 20971520\nend 4\n",
		        "line 6: the trace has segment_map" },
		{ "spabench-trace 1\nexpect num_ooms 1\nbegin\n" SEGMENT "a 0 7f0000000000 3000000\nend 2\n",
		        "at the end: the trace's num_ooms is 1, the replay's 0" },
	};
	const struct sb_replay_options check = { .check = true };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct sb_error err = { .msg = "" };
		struct sb_replay_result r;

		if (replay_text(cases[i].text, &check, &r, &err))
			fail_msg("%s: %s", cases[i].text, err.msg);
		assert_true(r.differs);
		if (strncmp(r.difference, cases[i].told, strlen(cases[i].told)) != 0)
			fail_msg("told '%s', expected '%s'", r.difference, cases[i].told);
	}
}

static void a_cache_emptied_on_demand_is_seen_in_what_was_given_back(void **state)
{
	static const char text[] =
	        HEAD SEGMENT "a 0 7f0000000000 3000000\nf 1 7f0000000000\nF 2 7f0000000000 20971520\n"
	                     "S 3 7f0100000000 2097152\na 3 7f0100000000 512\nF 9 7f0100000000 2097152\n"
	                     "end 7\n";
	static const char asked[] =
	        HEAD SEGMENT "a 0 7f0000000000 3000000\nf 1 7f0000000000\ne 2\nF 2 7f0000000000 20971520\n"
	                     "S 3 7f0100000000 2097152\na 3 7f0100000000 512\nend 7\n";
	const struct sb_replay_options check = { .check = true };
	struct sb_error err = { .msg = "" };
	struct sb_replay_result r;

	(void)state;
	assert_int_equal(replay_text(text, &check, &r, &err), SB_OK);
	assert_true(r.differs); /* the block of the last one is live: it cannot have been given back */
	assert_non_null(strstr(r.difference, "line 9: the trace has segment_free"));
	assert_int_equal(replay_text(asked, &check, &r, &err), SB_OK);
	assert_false(r.differs);
	assert_int_equal(r.stats.num_alloc_retries, 0);
	assert_int_equal(r.stats.num_device_free, 1);
}

/* What a hit cannot have caused was asked for: here the small segment goes, and the rest of the large one serves. */
static void a_release_before_a_hit_was_on_demand(void **state)
{
	static const char text[] = HEAD SEGMENT
	        "a 0 7f0000000000 3000000\nS 1 7f0100000000 2097152\na 1 7f0100000000 512\nf 2 7f0100000000\n"
	        "F 3 7f0100000000 2097152\na 4 7f00002dc800 3000000\nend 7\n";
	const struct sb_replay_options check = { .check = true };
	struct sb_error err = { .msg = "" };
	struct sb_replay_result r;

	(void)state;
	assert_int_equal(replay_text(text, &check, &r, &err), SB_OK);
	if (r.differs)
		fail_msg("%s", r.difference);
	assert_int_equal(r.n_equal_segments, 3);
}

/* The first block's use is waited for when memory is short; what has its place then is another block. */
static void a_use_that_was_waited_for_does_not_end_another(void **state)
{
	static const char text[] =
	        HEAD "a 0 10000000 5242880\na 0 20000000 5242880\nl 0 10000000\na 0 30000000 31457280\n"
	             "a 0 40000000 5242880\nl 0 40000000\nc 0 10000000\na 0 50000000 5242880\nend 8\n";
	const struct sb_replay_options small = { .policy = "default", .device_bytes = 45 * MIB };
	struct sb_error err = { .msg = "" };
	struct sb_replay_result r;

	(void)state;
	assert_int_equal(replay_text(text, &small, &r, &err), SB_OK);
	assert_int_equal(r.n_refused, 1);
	assert_int_equal(r.first_refused_line, 6);
	assert_int_equal(r.stats.of[SB_ALLOC_ACTIVE_BYTES][SB_ALLOC_ALL].peak, 15 * MIB);
}

static void segments_that_overlap_are_refused(void **state)
{
	static const char text[] =
	        HEAD SEGMENT "a 0 7f0000000000 20000000\nS 1 7f0000200000 20971520\na 1 7f0000200000 20000000\n"
	                     "end 4\n";
	const struct sb_replay_options check = { .check = true };
	struct sb_error err = { .msg = "" };
	struct sb_replay_result r = { .n_events = -7 };

	(void)state;
	assert_int_equal(replay_text(text, &check, &r, &err), SB_E_DATA);
	assert_non_null(strstr(err.msg, "line 6: the trace's segment at 7f0000200000 overlaps another"));
	assert_int_equal(r.n_events, -7);
}

/* ---- our own traces ---------------------------------------------------------------------------------------------- */

struct recording {
	struct sb_alloc_trace_writer *w;
	int64_t time_us;
};

static void record(void *user, const struct sb_alloc_event *e)
{
	struct recording *r = user;

	sb_alloc_trace_write(r->w, r->time_us++ / 3, e);
}

/* Takes and gives back at random, on two streams; some blocks are in use on the other one when they are freed. */
static void random_course(struct fix *f, uint64_t seed)
{
	void *live[200] = { 0 }, *later[200] = { 0 };

	for (int i = 0; i < 6000; i++) {
		size_t k = (size_t)sb_random_below(&seed, SB_ARRAY_LEN(live));
		int64_t bytes = 1 + (int64_t)sb_random_below(&seed, UINT64_C(1) << (8 + sb_random_below(&seed, 17)));
		struct sb_error err = { .msg = "" };
		void *p = NULL;

		if (later[k])
			sb_alloc_complete(f->a, later[k]), later[k] = NULL;
		if (live[k] && sb_random_below(&seed, 4) == 0)
			sb_alloc_free_later(f->a, live[k]), later[k] = live[k];
		else
			sb_alloc_free(f->a, live[k]);
		live[k] = NULL;
		if (!sb_alloc_malloc(f->a, bytes, sb_random_below(&seed, 2), &p, &err))
			live[k] = p;
		else /* everything pending has been waited for */
			memset(later, 0, sizeof(later));
		if (i % 2000 == 1999) {
			assert_int_equal(sb_alloc_empty_cache(f->a, &err), SB_OK);
			memset(later, 0, sizeof(later));
		}
	}
}

static void what_we_record_is_equal_when_it_is_checked(void **state)
{
	static const char *const policies[] = { "default", "expandable" };
	const struct sb_replay_options check = { .check = true };
	const char *path = "replay_test.txt";

	(void)state;
	assert_int_equal(chdir(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp"), 0);
	for (size_t i = 0; i < SB_ARRAY_LEN(policies); i++) {
		struct sb_alloc_trace_head head = { .device_bytes = 400 * MIB };
		struct fix f = open_on(policies[i], head.device_bytes);
		struct recording rec = { 0 };
		struct sb_alloc_trace *t = NULL;
		struct sb_error err = { .msg = "" };
		struct sb_replay_result r;

		snprintf(head.policy, sizeof(head.policy), "%s", policies[i]);
		assert_int_equal(sb_alloc_trace_write_begin(path, &head, &rec.w, &err), SB_OK);
		sb_alloc_observe(f.a, record, &rec);
		random_course(&f, 77 + i);
		sb_alloc_observe(f.a, NULL, NULL);
		assert_int_equal(sb_alloc_trace_write_end(rec.w, false, &err), SB_OK);
		if (sb_alloc_trace_open(path, &t, &err) || sb_replay(t, &check, &r, &err))
			fail_msg("%s", err.msg);
		if (r.differs)
			fail_msg("%s: %s", policies[i], r.difference);
		assert_true(r.stats.num_alloc_retries > 0);
		assert_int_equal(r.stats.num_device_alloc, stats_of(&f).num_device_alloc);
		sb_alloc_trace_close(t);
		close_fix(&f);
	}
	unlink(path);
}

/* The names in a folder that begin so. */
static int names_with(const char *begin)
{
	DIR *dir = opendir(".");
	struct dirent *e;
	int n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)))
		n += !strncmp(e->d_name, begin, strlen(begin));
	closedir(dir);
	return n;
}

static void a_trace_that_cannot_be_written_is_an_error(void **state)
{
	struct sb_alloc_trace_head head = { .source = "" };
	struct sb_alloc_trace_writer *w = NULL;
	struct sb_error err = { .msg = "" };
	struct rlimit was, none;
	char folder[] = "/tmp/spabench-test-replay-XXXXXX";

	(void)state;
	assert_int_equal(sb_alloc_trace_write_begin("/nonexistent/x.txt", &head, &w, &err), SB_E_DATA);
	assert_null(w);
	assert_int_equal(sb_alloc_trace_write_end(NULL, false, &err), SB_OK);
	assert_int_equal(sb_alloc_trace_write_begin("/dev/null", &head, &w, &err), SB_E_DATA); /* and is not replaced */
	assert_non_null(strstr(err.msg, "it is no plain file"));
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(sb_alloc_trace_write_begin("discarded", &head, &w, &err), SB_OK);
	assert_int_equal(names_with("discarded."), 1);
	assert_int_equal(sb_alloc_trace_write_end(w, true, &err), SB_OK);
	assert_int_equal(names_with("discarded"), 0);

	/* A disk that is full: no file may become longer. */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(sb_alloc_trace_write_begin("full", &head, &w, &err), SB_OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	enum sb_status status = sb_alloc_trace_write_end(w, false, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(status, SB_E_DATA);
	assert_non_null(strstr(err.msg, "cannot write 'full': File too large"));
	assert_int_equal(names_with("full"), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* Neither another run's file nor what a link leads to. */
static void a_trace_in_the_making_is_nobody_elses_file(void **state)
{
	struct sb_alloc_trace_head head = { .source = "" };
	struct sb_alloc_trace_writer *a = NULL, *b = NULL;
	char folder[] = "/tmp/spabench-test-replay-XXXXXX";
	struct sb_error err = { .msg = "" };
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	f = fopen("kept", "w");
	assert_true(f && fputs("kept", f) >= 0 && !fclose(f));
	assert_int_equal(symlink("kept", "x.tmp"), 0);
	assert_int_equal(sb_alloc_trace_write_begin("x", &head, &a, &err), SB_OK);
	assert_int_equal(sb_alloc_trace_write_begin("x", &head, &b, &err), SB_OK);
	assert_int_equal(names_with("x."), 3);
	assert_int_equal(sb_alloc_trace_write_end(a, false, &err), SB_OK);
	assert_int_equal(sb_alloc_trace_write_end(b, false, &err), SB_OK);
	f = fopen("kept", "r");
	assert_true(f && fgetc(f) == 'k' && !fclose(f));
	assert_int_equal(access("x.tmp", F_OK), 0); /* as it was */
	assert_int_equal(names_with("x"), 2);
	assert_true(!unlink("x") && !unlink("x.tmp") && !unlink("kept") && !rmdir(folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_pytorch_did_is_done_again),
		cmocka_unit_test(one_program_under_the_other_policy_is_what_the_other_recording_has),
		cmocka_unit_test(none_reserves_what_is_asked_and_calls_the_driver_each_time),
		cmocka_unit_test(a_smaller_device_refuses_and_the_replay_goes_on),
		cmocka_unit_test(every_kind_of_difference_is_told),
		cmocka_unit_test(a_cache_emptied_on_demand_is_seen_in_what_was_given_back),
		cmocka_unit_test(a_release_before_a_hit_was_on_demand),
		cmocka_unit_test(a_use_that_was_waited_for_does_not_end_another),
		cmocka_unit_test(segments_that_overlap_are_refused),
		cmocka_unit_test(what_we_record_is_equal_when_it_is_checked),
		cmocka_unit_test(a_trace_that_cannot_be_written_is_an_error),
		cmocka_unit_test(a_trace_in_the_making_is_nobody_elses_file),
	};
	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
