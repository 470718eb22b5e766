/* Memory timelines in a database, and databases of the format before they were. */
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

#define assert_ok(f, call)                            \
	do {                                          \
		if (call)                             \
			fail_msg("%s", (f)->err.msg); \
	} while (0)

static struct sb_store *open_db(struct fixture *f, enum sb_store_mode mode)
{
	struct sb_store *st = NULL;

	assert_ok(f, sb_store_open(f->db, mode, &st, &f->err));
	return st;
}

static void sql(const struct fixture *f, const char *text)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static int64_t trial_key(struct fixture *f, struct sb_store *st, size_t i)
{
	struct sb_trials trials;
	int64_t run, key;

	assert_ok(f, sb_store_find_run(st, NULL, &run, &f->err));
	assert_ok(f, sb_store_read_trials(st, run, &trials, &f->err));
	assert_true(i < trials.n);
	key = trials.v[i].key;
	sb_trials_release(&trials);
	return key;
}

static void a_timeline_comes_back_to_the_byte(void **state)
{
	static const unsigned char bytes[] = { 1, 0, 0, 0, 0, 7, 200, 1, 0 };
	struct fixture *f = *state;
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	struct sb_trial_row t = {
		.kind = "trace", .outcome = "ok", .trace_complete = true, .timeline = { bytes, sizeof(bytes), 5, 2 }
	};
	struct sb_timeline_row row;
	int64_t run;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &t.worker, &f->err));
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));
	assert_ok(f, fixture_add_trial(st, run, t.worker, 1, 0, &f->err)); /* has none */
	sb_store_close(st);
	st = open_db(f, SB_STORE_READ);
	assert_ok(f, sb_store_read_timeline(st, trial_key(f, st, 0), &row, &f->err));
	assert_int_equal(row.size, sizeof(bytes));
	assert_memory_equal(row.data, bytes, sizeof(bytes));
	assert_true(row.events == 5 && row.cut == 2);
	sb_timeline_row_release(&row);
	assert_ok(f, sb_store_read_timeline(st, trial_key(f, st, 1), &row, &f->err));
	assert_null(row.data);
	assert_ok(f, sb_store_read_timeline(st, 12345, &row, &f->err));
	assert_null(row.data);
	assert_ok(f, sb_store_check(st, &f->err));
	sb_store_close(st);
	/* One that is of no trial is found by the check. */
	sql(f, "PRAGMA foreign_keys = OFF; INSERT INTO memory_timeline VALUES (777, 0, 0, x'01000000')");
	st = open_db(f, SB_STORE_READ);
	assert_int_equal(sb_store_check(st, &f->err), SB_E_DATA);
	assert_non_null(strstr(f->err.msg, "memory_timeline"));
	sb_store_close(st);
}

static void make_format_1(struct fixture *f)
{
	struct sb_store *st = open_db(f, SB_STORE_WRITE);
	int64_t run, worker;

	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	assert_ok(f, fixture_add_trial(st, run, worker, 0, 0, &f->err));
	sb_store_close(st);
	sql(f, "DROP VIEW trace_text; ALTER TABLE trace DROP COLUMN op_call; DROP TABLE baseline; "
	       "DROP TABLE calibration; DROP TABLE memory_timeline; PRAGMA user_version = 1");
}

static int64_t number(const struct fixture *f, const char *query)
{
	sqlite3_stmt *s = NULL;
	sqlite3 *db = NULL;
	int64_t n;

	assert_int_equal(sqlite3_open_v2(f->db, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, query, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return n;
}

static void format_1_is_read_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct sb_timeline_row row;
	struct sb_store *st;
	int64_t run;

	make_format_1(f);
	st = open_db(f, SB_STORE_READ);
	assert_ok(f, sb_store_find_run(st, NULL, &run, &f->err));
	assert_int_equal(fixture_whole_trials(st, run, &f->err), 1);
	assert_ok(f, sb_store_read_timeline(st, trial_key(f, st, 0), &row, &f->err));
	assert_null(row.data);
	assert_ok(f, sb_store_check(st, &f->err));
	sb_store_close(st);
	assert_int_equal(number(f, "PRAGMA user_version"), 1);
}

static void writing_brings_format_1_up_to_date(void **state)
{
	static const unsigned char bytes[] = { 1, 0, 0, 0 };
	struct fixture *f = *state;
	struct sb_trial_row t = { .kind = "trace", .outcome = "ok", .timeline = { bytes, sizeof(bytes), 0, 0 } };
	struct sb_store *st;
	int64_t run;

	make_format_1(f);
	t.worker = number(f, "SELECT id FROM worker");
	st = open_db(f, SB_STORE_WRITE);
	assert_ok(f, sb_store_find_run(st, NULL, &run, &f->err));
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));
	assert_int_equal(fixture_whole_trials(st, run, &f->err), 1);
	sb_store_close(st);
	assert_int_equal(number(f, "PRAGMA user_version"), 4);
	assert_int_equal(number(f, "SELECT count(*) FROM memory_timeline"), 1);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(a_timeline_comes_back_to_the_byte),
		T(format_1_is_read_as_it_is),
		T(writing_brings_format_1_up_to_date),
	};
	return cmocka_run_group_tests_name("store_timeline", tests, NULL, NULL);
}
