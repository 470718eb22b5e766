#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"
#include "store_internal.h"

static const char id_a[] = "aaaa0000000000000000000000000001";
static const char id_b[] = "aaaa1111000000000000000000000002";
static const char id_c[] = "bbbb0000000000000000000000000003";

static struct sb_store *open_db(struct fixture *f, enum sb_store_mode mode)
{
	struct sb_store *st = NULL;

	if (sb_store_open(f->db, mode, &st, &f->err))
		fail_msg("%s", f->err.msg);
	return st;
}

#define assert_ok(f, call)                            \
	do {                                          \
		if (call)                             \
			fail_msg("%s", (f)->err.msg); \
	} while (0)

/* One number or text of a closed database, by SQL. */
static void sql_text(const struct fixture *f, const char *query, char *out, size_t n)
{
	sqlite3_stmt *s = NULL;
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open_v2(f->db, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, query, -1, &s, NULL), SQLITE_OK);
	*out = '\0';
	for (size_t used = 0; sqlite3_step(s) == SQLITE_ROW;) {
		const char *text = (const char *)sqlite3_column_text(s, 0);

		used += (size_t)snprintf(out + used, n - used, "%s%s", used ? " " : "", text ? text : "NULL");
		assert_true(used < n);
	}
	assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
	sqlite3_close(db);
}

static void tamper(const struct fixture *f, const char *statement)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open_v2(f->db, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, statement, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* ---- runs --------------------------------------------------------------------------------------------------- */

static void a_run_reads_back_as_it_was_written(void **state)
{
	struct fixture *f = *state;
	const struct sb_fact facts[] = { { "host.name", "box", NULL }, { "gpu.ecc", NULL, "no permission" } };
	const char *const names[] = { "before", "+alloc" }, *const levels[] = { "alloc=default", "alloc=expandable" };
	const struct sb_run_row r = { id_a, 123456789, "spabench run", "a note", "{\"blocks\":6}",
		UINT64_C(0xfedcba9876543210), facts, 2 };
	const struct sb_case_row c = { "tracker", "tiny", "{\"frames\":4}", "0011223344556677", "file",
		"8899aabbccddeeff" };
	const struct sb_worker_row w = { "/bin/spabench", "b-17", 4242, "trace", "NVIDIA H200", "GPU-1", 99 };
	const struct sb_fact late = { "stop.reason", "precise enough", NULL };
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t run, worker, found;
	struct sb_run out;

	assert_ok(f, sb_store_begin_run(st, &r, &c, names, levels, 2, &run, &f->err));
	assert_ok(f, sb_store_add_worker(st, run, &w, &worker, &f->err));
	assert_ok(f, sb_store_add_fact(st, run, &late, &f->err));
	assert_ok(f, sb_store_end_worker(st, worker, "killed by signal 9", &f->err));
	assert_ok(f, sb_store_end_run(st, run, "interrupted", &f->err));
	sb_store_close(st);

	st = open_db(f, SB_STORE_READ);
	assert_ok(f, sb_store_find_run(st, id_a, &found, &f->err));
	assert_ok(f, sb_store_read_run(st, found, &out, &f->err));
	assert_string_equal(out.id, id_a);
	assert_string_equal(out.status, "interrupted");
	assert_string_equal(out.command, "spabench run");
	assert_string_equal(out.note, "a note");
	assert_string_equal(out.plan, "{\"blocks\":6}");
	assert_true(out.created_ns == 123456789 && out.ended_ns > 0);
	assert_true(out.seed == UINT64_C(0xfedcba9876543210));
	assert_string_equal(out.workload, "tracker");
	assert_string_equal(out.preset, "tiny");
	assert_string_equal(out.params, "{\"frames\":4}");
	assert_string_equal(out.clip_digest, "0011223344556677");
	assert_string_equal(out.weights_kind, "file");
	assert_string_equal(out.weights_digest, "8899aabbccddeeff");
	assert_int_equal(out.n_arms, 2);
	assert_string_equal(out.arms[1].name, "+alloc");
	assert_string_equal(out.arms[1].levels, "alloc=expandable");
	assert_int_equal(out.n_facts, 3);
	assert_string_equal(sb_run_fact(&out, "host.name"), "box");
	assert_string_equal(sb_run_fact(&out, "stop.reason"), "precise enough");
	assert_null(sb_run_fact(&out, "gpu.ecc"));
	assert_null(sb_run_fact(&out, "no.such"));
	assert_string_equal(out.facts[0].key, "gpu.ecc");
	assert_string_equal(out.facts[0].absent, "no permission");
	assert_int_equal(out.n_workers, 1);
	assert_string_equal(out.workers[0].exe, "/bin/spabench");
	assert_string_equal(out.workers[0].build_id, "b-17");
	assert_string_equal(out.workers[0].purpose, "trace");
	assert_string_equal(out.workers[0].device_name, "NVIDIA H200");
	assert_string_equal(out.workers[0].device_uuid, "GPU-1");
	assert_string_equal(out.workers[0].ending, "killed by signal 9");
	assert_true(out.workers[0].pid == 4242 && out.workers[0].started_ns == 99 && out.workers[0].ended_ns > 0);
	sb_run_release(&out);
	sb_store_close(st);
}

static void what_was_not_given_reads_as_null(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t run, worker;
	struct sb_run out;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	assert_ok(f, sb_store_read_run(st, run, &out, &f->err));
	assert_string_equal(out.status, "running");
	assert_true(out.ended_ns == 0);
	assert_null(out.note);
	assert_null(out.clip_digest);
	assert_null(out.weights_digest);
	assert_int_equal(out.n_facts, 0);
	assert_null(out.workers[0].device_uuid);
	assert_null(out.workers[0].ending);
	sb_run_release(&out);
	sb_store_close(st);
}

static void a_fact_given_again_takes_the_earlier_place(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	const struct sb_fact one = { "k", "1", NULL }, gone = { "k", NULL, "lost" }, neither = { "n", NULL, NULL };
	int64_t run, worker;
	struct sb_run out;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	assert_ok(f, sb_store_add_fact(st, run, &one, &f->err));
	assert_ok(f, sb_store_add_fact(st, run, &gone, &f->err));
	assert_ok(f, sb_store_add_fact(st, run, &neither, &f->err));
	assert_ok(f, sb_store_read_run(st, run, &out, &f->err));
	assert_int_equal(out.n_facts, 2);
	assert_null(out.facts[0].value);
	assert_string_equal(out.facts[0].absent, "lost");
	assert_string_equal(out.facts[1].absent, "not recorded");
	sb_run_release(&out);
	sb_store_close(st);
}

static void levels_are_split_into_parts(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t run, worker;
	char text[256];

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	sb_store_close(st);
	sql_text(f, "SELECT arm || ':' || part || ':' || level FROM arm_level ORDER BY 1", text, sizeof(text));
	assert_string_equal(
	        text, "0:attention:standard 0:precision.gemm:fp32 1:attention:efficient 1:precision.gemm:tf32");
}

static void bad_levels_and_bad_ids_store_nothing(void **state)
{
	struct fixture *f = *state;
	static const char *const bad_levels[] = { "alloc", "alloc=", "=x", "alloc=default,,x=y", "a=b,c" };
	static const char *const bad_ids[] = { "", "abc", "AAAA0000000000000000000000000001",
		"gaaa0000000000000000000000000001", "aaaa00000000000000000000000000011" };
	const struct sb_case_row c = { "tracker", "tiny", "{}", NULL, "synthetic", NULL };
	struct sb_run_row r = { .id = id_a, .command = "c", .plan = "{}" };
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	const char *const name = "before", *const levels = "alloc=default";
	struct sb_run_lines lines;
	int64_t run = 7;

	for (size_t i = 0; i < SB_ARRAY_LEN(bad_levels); i++)
		assert_int_equal(sb_store_begin_run(st, &r, &c, &name, &bad_levels[i], 1, &run, &f->err), SB_E_USAGE);
	assert_non_null(strstr(f->err.msg, "'c' in 'a=b,c' is not part=level"));
	for (size_t i = 0; i < SB_ARRAY_LEN(bad_ids); i++) {
		r.id = bad_ids[i];
		assert_int_equal(sb_store_begin_run(st, &r, &c, &name, &levels, 1, &run, &f->err), SB_E_USAGE);
	}
	assert_int_equal(run, 7);
	assert_ok(f, sb_store_list_runs(st, &lines, &f->err));
	assert_int_equal(lines.n, 0);
	sb_run_lines_release(&lines);
	sb_store_close(st);
}

static void a_run_id_is_taken_once(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t run, worker;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	assert_int_equal(fixture_begin_run(st, id_a, &run, &worker, &f->err), SB_E_DATA);
	assert_non_null(strstr(f->err.msg, "run 'aaaa0000000000000000000000000001' is already in database '"));
	assert_ok(f, fixture_begin_run(st, id_b, &run, &worker, &f->err));
	sb_store_close(st);
}

static void runs_are_found_by_the_beginning_of_their_id(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	static const char *const useless[] = { "aaa", "zzzz", "aaaa0000000000000000000000000001f", "aa%a", "bbbb\033" };
	int64_t a, b, c, worker, found = -1;

	assert_int_equal(sb_store_find_run(st, NULL, &found, &f->err), SB_E_USAGE);
	assert_non_null(strstr(f->err.msg, "yet; make one with 'spabench run'"));
	assert_ok(f, fixture_begin_run(st, id_a, &a, &worker, &f->err));
	assert_ok(f, fixture_begin_run(st, id_b, &b, &worker, &f->err));
	assert_ok(f, fixture_begin_run(st, id_c, &c, &worker, &f->err));
	assert_ok(f, sb_store_find_run(st, "bbbb", &found, &f->err));
	assert_int_equal(found, c);
	assert_ok(f, sb_store_find_run(st, "AAAA1", &found, &f->err));
	assert_int_equal(found, b);
	assert_ok(f, sb_store_find_run(st, id_a, &found, &f->err));
	assert_int_equal(found, a);
	assert_int_equal(sb_store_find_run(st, "aaaa", &found, &f->err), SB_E_USAGE);
	assert_non_null(strstr(f->err.msg, id_a));
	assert_non_null(strstr(f->err.msg, id_b));
	assert_int_equal(sb_store_find_run(st, "cccc", &found, &f->err), SB_E_USAGE);
	assert_non_null(strstr(f->err.msg, "no run 'cccc' in database '"));
	for (size_t i = 0; i < SB_ARRAY_LEN(useless); i++)
		assert_int_equal(sb_store_find_run(st, useless[i], &found, &f->err), SB_E_USAGE);
	assert_null(strchr(f->err.msg, '\033'));
	assert_int_equal(found, a);
	sb_store_close(st);
}

static void kept_ceilings_are_the_newest_run_only_where_there_is_no_other(void **state)
{
	struct fixture *f = *state;
	const struct sb_case_row c = { SB_STORE_CEILINGS, "full", "{}", NULL, "none", NULL };
	const char *const name = "ceilings", *const levels = "alloc=default";
	struct sb_run_row r = { .id = id_b, .created_ns = 5000, .command = "c", .plan = "{}" };
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t ceilings, run, worker, found;

	assert_ok(f, sb_store_begin_run(st, &r, &c, &name, &levels, 1, &ceilings, &f->err));
	assert_ok(f, sb_store_find_run(st, NULL, &found, &f->err));
	assert_int_equal(found, ceilings);
	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	r.id = "cccccccccccccccccccccccccccccccc";
	assert_ok(f, sb_store_begin_run(st, &r, &c, &name, &levels, 1, &ceilings, &f->err));
	assert_ok(f, sb_store_find_run(st, NULL, &found, &f->err));
	assert_int_equal(found, run);
	assert_ok(f, sb_store_find_run(st, "cccc", &found, &f->err));
	assert_int_equal(found, ceilings);
	sb_store_close(st);
}

static void what_capacity_found_is_the_newest_run_only_where_there_is_no_other(void **state)
{
	struct fixture *f = *state;
	const struct sb_case_row c = { "tracker", "full", "{}", NULL, "none", NULL };
	const struct sb_fact by = { SB_STORE_CAPACITY, "frames", NULL };
	const char *const name = "before", *const levels = "alloc=default";
	struct sb_run_row r = { .id = id_b, .created_ns = 5000, .command = "c", .plan = "{}" };
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t run, worker, capacity, found;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	assert_ok(f, sb_store_begin_run(st, &r, &c, &name, &levels, 1, &capacity, &f->err));
	assert_ok(f, sb_store_find_run(st, NULL, &found, &f->err));
	assert_int_equal(found, capacity); /* as long as nothing says what it is */
	assert_ok(f, sb_store_add_fact(st, capacity, &by, &f->err));
	assert_ok(f, sb_store_find_run(st, NULL, &found, &f->err));
	assert_int_equal(found, run);
	sb_store_close(st);
}

static void the_newest_run_is_the_default_and_first_in_the_list(void **state)
{
	struct fixture *f = *state;
	const struct sb_case_row c = { "tracker", "small", "{}", NULL, "synthetic", NULL };
	const char *const name = "before", *const levels = "alloc=default";
	struct sb_run_row r = { .id = id_b, .created_ns = 5000, .command = "c", .plan = "{}", .note = "n" };
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t newest, older, worker, found;
	struct sb_run_lines lines;

	assert_ok(f, fixture_begin_run(st, id_a, &older, &worker, &f->err));
	assert_ok(f, fixture_add_trial(st, older, worker, 1, 0, &f->err));
	assert_ok(f, fixture_add_trial(st, older, worker, 0, 0, &f->err));
	r.created_ns = 5; /* begun later by a clock that had been set back: still the newest */
	assert_ok(f, sb_store_begin_run(st, &r, &c, &name, &levels, 1, &newest, &f->err));
	assert_ok(f, sb_store_find_run(st, "", &found, &f->err));
	assert_int_equal(found, newest);
	assert_ok(f, sb_store_list_runs(st, &lines, &f->err));
	assert_int_equal(lines.n, 2);
	assert_string_equal(lines.v[0].id, id_b);
	assert_string_equal(lines.v[0].preset, "small");
	assert_string_equal(lines.v[0].note, "n");
	assert_null(lines.v[0].device);
	assert_int_equal(lines.v[0].n_trials, 0);
	assert_int_equal(lines.v[0].n_arms, 1);
	assert_string_equal(lines.v[1].device, "cpu");
	assert_int_equal(lines.v[1].n_trials, 2);
	assert_int_equal(lines.v[1].n_arms, 2);
	sb_run_lines_release(&lines);
	sb_store_close(st);
}

static void of_two_who_resume_a_run_one_succeeds(void **state)
{
	const struct sb_fact first[] = { { "process.pid", "1", NULL }, { "process.start", NULL, "not known" } };
	const struct sb_fact second[] = { { "process.pid", "2", NULL }, { "process.start", "99", NULL } };
	const struct sb_fact nobody[] = { { "process.pid", NULL, NULL }, { "process.start", NULL, NULL } };
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t run, worker;
	struct sb_run out;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	assert_ok(f, sb_store_end_run(st, run, "interrupted", &f->err));
	assert_ok(f, sb_store_resume_run(st, run, nobody, first, 2, &f->err));
	assert_int_equal(sb_store_resume_run(st, run, nobody, second, 2, &f->err), SB_E_USAGE);
	assert_ok(f, sb_store_read_run(st, run, &out, &f->err));
	assert_string_equal(sb_run_fact(&out, "process.pid"), "1");
	sb_run_release(&out);
	assert_ok(f, sb_store_resume_run(st, run, first, second, 2, &f->err));
	assert_int_equal(sb_store_resume_run(st, run, first, first, 2, &f->err), SB_E_USAGE);
	assert_ok(f, sb_store_read_run(st, run, &out, &f->err));
	assert_string_equal(sb_run_fact(&out, "process.pid"), "2");
	assert_string_equal(sb_run_fact(&out, "process.start"), "99");
	sb_run_release(&out);
	sb_store_close(st);
}

static void only_an_incomplete_run_is_resumed(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t run, worker;
	struct sb_run out;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	assert_ok(f, sb_store_end_run(st, run, "interrupted", &f->err));
	assert_ok(f, sb_store_resume_run(st, run, NULL, NULL, 0, &f->err));
	assert_ok(f, sb_store_read_run(st, run, &out, &f->err));
	assert_string_equal(out.status, "running");
	assert_true(out.ended_ns == 0);
	sb_run_release(&out);
	assert_ok(f, sb_store_end_run(st, run, "complete", &f->err));
	assert_int_equal(sb_store_resume_run(st, run, NULL, NULL, 0, &f->err), SB_E_USAGE);
	assert_ok(f, sb_store_read_run(st, run, &out, &f->err));
	assert_string_equal(out.status, "complete");
	sb_run_release(&out);
	sb_store_close(st);
}

/* ---- trials and samples ------------------------------------------------------------------------------------- */

static void trials_come_in_the_order_they_were_run(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	struct sb_trial_row t = { .kind = "timing", .outcome = "ok", .block = 3, .position = 1, .started_ns = 11 };
	struct sb_trials out;
	int64_t run, worker;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	t.worker = worker;
	t.arm = 1;
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));
	t.arm = 0;
	t.outcome = "oom";
	t.message = "asked 1 GiB, held 2 GiB";
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));
	t.kind = "trace";
	t.trace_complete = true;
	t.outcome = "crashed";
	t.message = NULL;
	t.block = -1;
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));
	assert_ok(f, sb_store_read_trials(st, run, &out, &f->err));
	assert_int_equal(out.n, 3);
	assert_int_equal(out.v[0].arm, 1);
	assert_int_equal(out.v[0].block, 3);
	assert_int_equal(out.v[0].position, 1);
	assert_true(out.v[0].worker == worker && out.v[0].started_ns == 11);
	assert_false(out.v[0].trace);
	assert_string_equal(out.v[0].outcome, "ok");
	assert_null(out.v[0].message);
	assert_string_equal(out.v[1].outcome, "oom");
	assert_string_equal(out.v[1].message, "asked 1 GiB, held 2 GiB");
	assert_true(out.v[2].trace && out.v[2].trace_complete);
	assert_string_equal(out.v[2].outcome, "crashed");
	assert_int_equal(out.v[2].block, -1);
	sb_trials_release(&out);
	sb_store_close(st);
}

static void outcomes_have_one_word_each(void **state)
{
	(void)state;
	for (int o = 0; o < SB_OUTCOME_COUNT; o++)
		assert_int_equal(sb_outcome_by_name(sb_outcome_names[o]), o);
	assert_null(sb_outcome_names[SB_OUTCOME_COUNT]);
	assert_int_equal(sb_outcome_by_name("oom"), SB_OUTCOME_OOM);
	assert_int_equal(sb_outcome_by_name("OK"), SB_OUTCOME_COUNT);
	assert_int_equal(sb_outcome_by_name(NULL), SB_OUTCOME_COUNT);
}

static void a_trial_of_an_arm_or_worker_that_is_not_there_is_refused(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t run, worker;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	assert_int_equal(fixture_add_trial(st, run, worker, 2, 0, &f->err), SB_E_DATA);
	assert_int_equal(fixture_add_trial(st, run, worker + 1, 0, 0, &f->err), SB_E_DATA);
	assert_ok(f, fixture_add_trial(st, run, worker, 1, 0, &f->err));
	assert_int_equal(fixture_whole_trials(st, run, &f->err), 1);
	sb_store_close(st);
}

static void samples_come_back_as_a_dense_table_with_reasons(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	const struct sb_sample first[] = {
		{ "whole", sb_value_of(123456789012.0) },
		{ "fraction", sb_value_of(0.1) },
		{ "minus_zero", sb_value_of(-0.0) },
		{ "huge", sb_value_of(1e300) },
		{ "negative", sb_value_of(-5.0) },
		{ "infinite", sb_value_of(INFINITY) },
		{ "no", sb_value_absent("no counters") },
		{ "nan", sb_value_of(NAN) },
	};
	const struct sb_sample second[] = { { "late", sb_value_of(1.0) }, { "no", sb_value_absent("no counters") } };
	struct sb_trial_row t = { .kind = "timing", .outcome = "ok" };
	struct sb_samples s;
	struct sb_trials trials;
	int64_t run, worker;
	size_t no;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	t.worker = worker;
	t.samples = first;
	t.n_samples = SB_ARRAY_LEN(first);
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));
	t.samples = second;
	t.n_samples = SB_ARRAY_LEN(second);
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));
	t.n_samples = 0;
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));

	assert_ok(f, sb_store_read_trials(st, run, &trials, &f->err));
	assert_ok(f, sb_store_read_samples(st, run, &trials, &s, &f->err));
	assert_int_equal(s.n_trials, 3);
	assert_int_equal(s.n_metrics, 9);
	for (size_t i = 0; i < 6; i++) {
		int m = sb_samples_metric(&s, first[i].metric);

		assert_true(m >= 0);
		assert_memory_equal(&s.value[m], &first[i].value.v, sizeof(double)); /* -0.0 too */
		assert_null(s.absent[m]);
		/* The trial that has no samples. */
		assert_true(isnan(s.value[2 * s.n_metrics + (size_t)m]));
		assert_string_equal(s.absent[2 * s.n_metrics + (size_t)m], "not recorded");
	}
	no = (size_t)sb_samples_metric(&s, "no");
	assert_true(isnan(s.value[no]));
	assert_string_equal(s.absent[no], "no counters");
	assert_ptr_equal(s.absent[no], s.absent[s.n_metrics + no]); /* one copy */
	assert_string_equal(s.absent[sb_samples_metric(&s, "nan")], "not a number");
	assert_true(s.value[s.n_metrics + (size_t)sb_samples_metric(&s, "late")] == 1.0);
	assert_string_equal(s.absent[sb_samples_metric(&s, "late")], "not recorded");
	assert_int_equal(sb_samples_metric(&s, "no such"), -1);
	sb_samples_release(&s);
	sb_trials_release(&trials);
	sb_store_close(st);
}

static void a_run_without_trials_reads_as_an_empty_table(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	struct sb_samples s;
	struct sb_trials trials;
	int64_t run, worker;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	assert_ok(f, sb_store_read_trials(st, run, &trials, &f->err));
	assert_ok(f, sb_store_read_samples(st, run, &trials, &s, &f->err));
	assert_int_equal(trials.n, 0);
	assert_int_equal(s.n_metrics, 0);
	sb_samples_release(&s);
	sb_trials_release(&trials);
	sb_store_close(st);
}

static void interleaved_runs_read_apart_and_later_trials_are_left_out(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t a, b, worker_a, worker_b;
	struct sb_samples s;
	struct sb_trials trials;

	assert_ok(f, fixture_begin_run(st, id_a, &a, &worker_a, &f->err));
	assert_ok(f, fixture_begin_run(st, id_b, &b, &worker_b, &f->err));
	for (int i = 0; i < 5; i++) {
		assert_ok(f, fixture_add_trial(st, a, worker_a, 0, i, &f->err));
		assert_ok(f, fixture_add_trial(st, b, worker_b, 1, 100 + i, &f->err));
	}
	assert_int_equal(fixture_whole_trials(st, a, &f->err), 5);
	assert_int_equal(fixture_whole_trials(st, b, &f->err), 5);
	assert_ok(f, sb_store_read_trials(st, b, &trials, &f->err));
	assert_ok(f, fixture_add_trial(st, b, worker_b, 1, 105, &f->err));
	assert_ok(f, sb_store_read_samples(st, b, &trials, &s, &f->err));
	assert_int_equal(s.n_trials, 5);
	assert_true(s.value[4 * s.n_metrics] == 104.0);
	sb_samples_release(&s);
	sb_trials_release(&trials);
	sb_store_close(st);
}

static void a_refused_trial_leaves_nothing_behind_not_even_its_names(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	const struct sb_sample twice[] = { { "new", sb_value_of(1) }, { "same", sb_value_of(2) },
		{ "same", sb_value_of(3) } };
	const struct sb_sample good[] = { { "other", sb_value_of(4) }, { "new", sb_value_of(5) } };
	struct sb_trial_row t = { .kind = "timing", .outcome = "ok", .samples = twice, .n_samples = 3 };
	struct sb_samples s;
	struct sb_trials trials;
	int64_t run, worker;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	t.worker = worker;
	assert_int_equal(sb_store_add_trial(st, run, &t, &f->err), SB_E_DATA);
	assert_non_null(strstr(f->err.msg, "metric 'same'"));
	t.samples = good;
	t.n_samples = 2;
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));
	assert_ok(f, sb_store_read_trials(st, run, &trials, &f->err));
	assert_ok(f, sb_store_read_samples(st, run, &trials, &s, &f->err));
	assert_int_equal(trials.n, 1);
	assert_int_equal(s.n_metrics, 2);
	assert_true(s.value[sb_samples_metric(&s, "other")] == 4.0);
	assert_true(s.value[sb_samples_metric(&s, "new")] == 5.0);
	sb_samples_release(&s);
	sb_trials_release(&trials);
	sb_store_close(st);
}

static void samples_are_read_in_one_pass_without_sorting(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	sqlite3_stmt *s;
	struct sb_buf plan = { 0 }, query = { 0 };
	int64_t run, worker;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	assert_ok(f, sb_store_stmt(st, SB_SQL_READ_SAMPLES, &s, &f->err));
	sb_buf_addf(&query, "EXPLAIN QUERY PLAN %s", sqlite3_sql(s));
	assert_int_equal(sqlite3_prepare_v2(st->db, sb_buf_str(&query), -1, &s, NULL), SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW)
		sb_buf_addf(&plan, "%s\n", (const char *)sqlite3_column_text(s, 3));
	sqlite3_finalize(s);
	assert_string_equal(sb_buf_str(&plan), "SEARCH trial USING COVERING INDEX trial_run (run=?)\n"
	                                       "SEARCH sample USING PRIMARY KEY (trial=?)\n");
	sb_buf_release(&plan);
	sb_buf_release(&query);
	sb_store_close(st);
}

/* ---- traces ------------------------------------------------------------------------------------------------- */

static void trace_rows_come_back_in_launch_order(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	static const char *const names[] = { "s", "o", "k" };
	static const struct sb_launch launches[] = { { { 1, 2, 3 }, { 4, 5, 6 }, 7, 8 },
		{ { 9, 1, 1 }, { 32, 1, 1 }, 0, 16 } };
	const struct sb_trace_row rows[] = {
		{ 10, 5, 2, 0, 1, 7, 2, 1, 1001 }, { 12, 6, 2, -1, -1, 8, 0, 0, 0 },
		{ 11, 7, 0, 0, -1, 7, 1, 3, 1003 }, /* another stream may start before */
	};
	struct sb_trial_row t = { .kind = "trace",
		.outcome = "ok",
		.trace = rows,
		.n_trace = 3,
		.names = names,
		.n_names = 3,
		.launches = launches,
		.n_launches = 2 };
	struct sb_trace_rows out;
	struct sb_trials trials;
	int64_t run, worker;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	assert_ok(f, fixture_add_trial(st, run, worker, 0, 0, &f->err));
	t.worker = worker;
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));
	assert_ok(f, sb_store_read_trials(st, run, &trials, &f->err));
	assert_ok(f, sb_store_read_trace(st, trials.v[1].key, &out, &f->err));
	assert_int_equal(out.n, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct sb_trace_row *r = &out.v[i];

		assert_true(r->start_ns == rows[i].start_ns && r->dur_ns == rows[i].dur_ns);
		assert_true(r->stream == rows[i].stream && r->correlation == rows[i].correlation);
		assert_int_equal(r->op_call, rows[i].op_call);
		assert_string_equal(out.names[r->name], names[rows[i].name]);
		assert_int_equal(r->stage < 0, rows[i].stage < 0);
		assert_int_equal(r->op < 0, rows[i].op < 0);
		assert_int_equal(r->launch > 0, rows[i].launch > 0);
		if (r->launch) {
			const struct sb_launch *got = &out.launches[r->launch - 1],
			                       *want = &launches[rows[i].launch - 1];

			assert_memory_equal(got->grid, want->grid, sizeof(got->grid));
			assert_memory_equal(got->block, want->block, sizeof(got->block));
			assert_true(got->shared_bytes == want->shared_bytes && got->registers == want->registers);
		}
	}
	assert_string_equal(out.names[out.v[0].stage], "s");
	assert_string_equal(out.names[out.v[0].op], "o");
	sb_trace_rows_release(&out);
	sb_trials_release(&trials);
	sb_store_close(st);
}

static void a_rollup_comes_largest_first(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	const struct sb_rollup rollup[] = { { "s", "linear", "gemm", "k1", 3, 50, 7 },
		{ NULL, NULL, NULL, "k2", 1, 90, 0 } };
	struct sb_trial_row t = { .kind = "trace", .outcome = "ok", .rollup = rollup, .n_rollup = 2 };
	struct sb_rollups out;
	struct sb_trials trials;
	int64_t run, worker;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	t.worker = worker;
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));
	assert_ok(f, sb_store_read_trials(st, run, &trials, &f->err));
	assert_ok(f, sb_store_read_rollup(st, trials.v[0].key, &out, &f->err));
	assert_int_equal(out.n, 2);
	assert_string_equal(out.v[0].name, "k2");
	assert_string_equal(out.v[0].stage, "");
	assert_string_equal(out.v[0].op, "");
	assert_string_equal(out.v[0].kind, "");
	assert_string_equal(out.v[1].stage, "s");
	assert_string_equal(out.v[1].op, "linear");
	assert_string_equal(out.v[1].kind, "gemm");
	assert_true(out.v[1].count == 3 && out.v[1].dur_ns == 50 && out.v[1].bytes == 7);
	sb_rollups_release(&out);
	sb_trials_release(&trials);
	sb_store_close(st);
}

static void a_trace_row_takes_at_most_35_bytes(void **state)
{
	enum { ROWS = 50000, NAMES = 300 };
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	struct sb_trace_row *rows = calloc(ROWS, sizeof(*rows));
	struct sb_launch launch[100];
	char text[NAMES][16];
	const char *names[NAMES];
	struct sb_trial_row t = { .kind = "trace",
		.outcome = "ok",
		.trace = rows,
		.n_trace = ROWS,
		.names = names,
		.n_names = NAMES,
		.launches = launch,
		.n_launches = 100 };
	int64_t run, worker, start = 0;
	uint64_t random = 1;
	struct stat sb;

	assert_non_null(rows);
	for (int i = 0; i < NAMES; i++) {
		snprintf(text[i], sizeof(text[i]), "name%d", i);
		names[i] = text[i];
	}
	for (int i = 0; i < 100; i++)
		launch[i] = (struct sb_launch){ { i, 1, 1 }, { 128, 1, 1 }, 0, 32 };
	for (int i = 0; i < ROWS; i++) {
		start += 2000 + (int64_t)sb_random_below(&random, 100000);
		rows[i] = (struct sb_trace_row){ start, 1500 + (int64_t)sb_random_below(&random, 90000),
			20 + (int32_t)sb_random_below(&random, NAMES - 20), (int32_t)sb_random_below(&random, 10),
			10 + (int32_t)sb_random_below(&random, 10), 7, 1 + (int32_t)sb_random_below(&random, 100),
			1 + (int32_t)i, 100000 + i };
	}
	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	t.worker = worker;
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));
	sb_store_close(st);
	free(rows);
	assert_int_equal(stat(f->db, &sb), 0);
	/* Everything else in the file is below 300 kB. */
	assert_true(sb.st_size < 35 * ROWS + 300000);
	assert_true(sb.st_size > 20 * ROWS);
}

/* ---- check -------------------------------------------------------------------------------------------------- */

static void make_two_traces(struct fixture *f)
{
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t run, worker;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	assert_ok(f, fixture_add_trial(st, run, worker, 0, 0, &f->err));
	assert_ok(f, fixture_add_trial(st, run, worker, 1, 0, &f->err));
	assert_ok(f, sb_store_check(st, &f->err));
	sb_store_close(st);
}

static void check_finds(struct fixture *f, const char *statement, const char *message)
{
	size_t n;
	unsigned char *good = fixture_read_file(f->db, &n);
	struct sb_store *st;

	tamper(f, statement);
	st = open_db(f, SB_STORE_READ);
	if (sb_store_check(st, &f->err) != SB_E_DATA || !strstr(f->err.msg, message))
		fail_msg("after '%s': %s", statement, f->err.msg);
	sb_store_close(st);
	fixture_write_file(f->db, good, n);
	free(good);
}

static void a_trace_can_be_taken_out(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st;

	make_two_traces(f);
	tamper(f, "UPDATE trial SET trace_first = NULL, trace_n = 0 WHERE id = 1; DELETE FROM trace WHERE id <= 20");
	st = open_db(f, SB_STORE_READ);
	assert_ok(f, sb_store_check(st, &f->err));
	sb_store_close(st);
	check_finds(f, "DELETE FROM trace WHERE id > 20", "0 trace rows, of which trials own 20");
}

static void check_proves_that_rollups_are_their_rows(void **state)
{
	struct fixture *f = *state;

	make_two_traces(f);
	check_finds(f, "UPDATE rollup SET dur_ns = dur_ns + 1 WHERE trial = 2 AND idx = 1",
	        "trial 2 (block 0, arm 1): 'kernel_b' has 10 trace rows of 200 ns, and its roll-up says 10 of 201 ns");
	check_finds(f, "UPDATE rollup SET count = count + 1 WHERE trial = 1 AND idx = 0", "roll-up says 11 of 190 ns");
	check_finds(
	        f, "DELETE FROM rollup WHERE trial = 1 AND idx = 0", "10 trace rows of 190 ns, and its roll-up says 0");
	check_finds(f, "UPDATE rollup SET stage = NULL WHERE trial = 1 AND idx = 0", "trace rows");
	check_finds(f, "UPDATE trace SET name = 1 WHERE id = 3", "trace rows");
	check_finds(f, "DELETE FROM trace WHERE id = 20", "39 trace rows, of which trials own 40");
	check_finds(f,
	        "UPDATE trial SET trace_n = trace_n + 1 WHERE id = 1; UPDATE trial SET trace_n = 19 WHERE id = 2",
	        "has 20 of its 21 rows");
	check_finds(f, "UPDATE trace SET name = 99 WHERE id = 3", "a name or launch shape that is not there");
	check_finds(f, "UPDATE trace SET launch = 99 WHERE id = 3", "a name or launch shape that is not there");
	check_finds(f, "PRAGMA foreign_keys = OFF; DELETE FROM worker", "a row of 'trial' belongs to no 'worker'");
	check_finds(f, "PRAGMA foreign_keys = OFF; DELETE FROM metric WHERE id = 2",
	        "a row of 'sample' belongs to no 'metric'");
}

static void check_looks_at_the_values_of_samples(void **state)
{
	struct fixture *f = *state;

	make_two_traces(f);
	check_finds(f, "INSERT INTO metric VALUES (90, 'made_ns'); INSERT INTO sample VALUES (2, 90, 'abc', NULL)",
	        "'made_ns' of trial 2 (block 0, arm 1) is 'abc', no finite number");
	check_finds(f, "INSERT INTO metric VALUES (90, 'made'); INSERT INTO sample VALUES (1, 90, 1e999, NULL)",
	        "'made' of trial 1 (block 0, arm 0) is 'Inf', no finite number");
	check_finds(f, "INSERT INTO metric VALUES (90, 'made'); INSERT INTO sample VALUES (1, 90, -1e999, NULL)",
	        "'-Inf', no finite number");
	check_finds(f, "INSERT INTO metric VALUES (90, 'made_ns'); INSERT INTO sample VALUES (1, 90, -1, NULL)",
	        "is '-1', a time below 0");
}

static void values_at_the_edge_are_whole(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st;

	make_two_traces(f);
	tamper(f,
	        "INSERT INTO metric VALUES (90, 'made_ns'), (91, 'made'); INSERT INTO sample VALUES (1, 90, 0, NULL), "
	        "(1, 91, -1.7976931348623157e308, NULL), (2, 91, 1.7976931348623157e308, NULL), "
	        "(2, 90, NULL, 'not measured')");
	st = open_db(f, SB_STORE_READ);
	assert_ok(f, sb_store_check(st, &f->err));
	sb_store_close(st);
}

static void an_incomplete_trace_may_differ_from_its_rollup(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st;

	make_two_traces(f);
	tamper(f, "UPDATE rollup SET dur_ns = dur_ns + 1; UPDATE trial SET trace_complete = 0");
	st = open_db(f, SB_STORE_READ);
	assert_ok(f, sb_store_check(st, &f->err));
	sb_store_close(st);
}

/* ---- files -------------------------------------------------------------------------------------------------- */

static void reading_changes_no_file_and_makes_none(void **state)
{
	struct fixture *f = *state;
	struct stat before, after;
	struct sb_store *st;
	uint64_t hash;
	int64_t run;

	make_two_traces(f);
	assert_int_equal(fixture_count(f->dir), 1);
	hash = fixture_hash_file(f->db);
	assert_int_equal(stat(f->db, &before), 0);
	st = open_db(f, SB_STORE_READ);
	assert_ok(f, sb_store_find_run(st, NULL, &run, &f->err));
	assert_int_equal(fixture_whole_trials(st, run, &f->err), 2);
	assert_ok(f, sb_store_check(st, &f->err));
	assert_int_equal(fixture_count(f->dir), 1);
	sb_store_close(st);
	assert_int_equal(fixture_count(f->dir), 1);
	assert_int_equal(stat(f->db, &after), 0);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
	assert_true(fixture_hash_file(f->db) == hash);
}

static void any_name_of_a_file_works(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = { "a?mode=memory", "a#b", "a%41", "%00", "a b", "it's \"it\"",
		":memory:", "file:x", "a&b=c;d\\e", "\xc3\xa9", "\xff\xfe" };
	char before[FIXTURE_PATH_MAX];
	int64_t run, worker;

	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(f->dir), 0);
	for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
		struct sb_store *st;

		snprintf(f->db, sizeof(f->db), "%s/%s", f->dir, names[i]);
		st = open_db(f, SB_STORE_WRITE);
		assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
		sb_store_close(st);
		assert_int_equal(access(f->db, R_OK), 0);
		assert_int_equal(fixture_count(f->dir), 1);
		/* The same by its name alone, both ways. */
		snprintf(f->db, sizeof(f->db), "%s", names[i]);
		st = open_db(f, SB_STORE_READ);
		assert_ok(f, sb_store_find_run(st, id_a, &run, &f->err));
		sb_store_close(st);
		st = open_db(f, SB_STORE_WRITE);
		assert_ok(f, sb_store_find_run(st, id_a, &run, &f->err));
		sb_store_close(st);
		assert_int_equal(fixture_count(f->dir), 1);
		assert_int_equal(unlink(names[i]), 0);
	}
	assert_int_equal(chdir(before), 0);
}

static void a_symbolic_link_leads_to_the_database(void **state)
{
	struct fixture *f = *state;
	char target[FIXTURE_PATH_MAX];
	struct sb_store *writer, *st;
	int64_t run, worker;

	snprintf(target, sizeof(target), "%s/sub", f->dir);
	assert_int_equal(mkdir(target, 0755), 0);
	snprintf(target, sizeof(target), "%s/sub/real.db", f->dir);
	assert_int_equal(symlink(target, f->db), 0);
	writer = open_db(f, SB_STORE_WRITE); /* through a link that leads nowhere yet */
	assert_ok(f, fixture_begin_run(writer, id_a, &run, &worker, &f->err));
	st = open_db(f, SB_STORE_READ); /* with the -wal beside the target */
	assert_ok(f, sb_store_find_run(st, id_a, &run, &f->err));
	sb_store_close(st);
	sb_store_close(writer);
	assert_int_equal(access(target, R_OK), 0);
	assert_int_equal(fixture_count(f->dir), 2);
}

static void people_can_ask_by_sql(void **state)
{
	struct fixture *f = *state;
	char text[512];

	make_two_traces(f);
	sql_text(f,
	        "SELECT substr(run, 1, 4) || '/' || arm || ' ' || metric || '=' || value FROM sample_text "
	        "WHERE metric = 'metric.3' ORDER BY arm",
	        text, sizeof(text));
	assert_string_equal(text, "aaaa/after metric.3=1.5 aaaa/before metric.3=1.5");
	sql_text(f, "SELECT stage || '/' || op || '/' || kind || '/' || name FROM rollup_text WHERE trial = 1", text,
	        sizeof(text));
	assert_string_equal(text, "front.dino/linear/gemm/kernel_a front.dino/linear/gemm/kernel_b");
	sql_text(f, "SELECT count(*) || ' ' || sum(dur_ns) || ' ' || max(block_x) FROM trace_text WHERE trial = 2",
	        text, sizeof(text));
	assert_string_equal(text, "20 390 128");
	sql_text(f,
	        "SELECT group_concat(strict) FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
	        text, sizeof(text));
	assert_null(strchr(text, '0'));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(a_run_reads_back_as_it_was_written),
		T(what_was_not_given_reads_as_null),
		T(a_fact_given_again_takes_the_earlier_place),
		T(levels_are_split_into_parts),
		T(bad_levels_and_bad_ids_store_nothing),
		T(a_run_id_is_taken_once),
		T(runs_are_found_by_the_beginning_of_their_id),
		T(kept_ceilings_are_the_newest_run_only_where_there_is_no_other),
		T(what_capacity_found_is_the_newest_run_only_where_there_is_no_other),
		T(the_newest_run_is_the_default_and_first_in_the_list),
		T(only_an_incomplete_run_is_resumed),
		T(of_two_who_resume_a_run_one_succeeds),
		T(trials_come_in_the_order_they_were_run),
		T(outcomes_have_one_word_each),
		T(a_trial_of_an_arm_or_worker_that_is_not_there_is_refused),
		T(samples_come_back_as_a_dense_table_with_reasons),
		T(a_run_without_trials_reads_as_an_empty_table),
		T(interleaved_runs_read_apart_and_later_trials_are_left_out),
		T(a_refused_trial_leaves_nothing_behind_not_even_its_names),
		T(samples_are_read_in_one_pass_without_sorting),
		T(trace_rows_come_back_in_launch_order),
		T(a_rollup_comes_largest_first),
		T(a_trace_row_takes_at_most_35_bytes),
		T(a_trace_can_be_taken_out),
		T(check_proves_that_rollups_are_their_rows),
		T(check_looks_at_the_values_of_samples),
		T(values_at_the_edge_are_whole),
		T(an_incomplete_trace_may_differ_from_its_rollup),
		T(reading_changes_no_file_and_makes_none),
		T(any_name_of_a_file_works),
		T(a_symbolic_link_leads_to_the_database),
		T(people_can_ask_by_sql),
	};
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
