/* What is left behind: runs that nobody works at any more, databases that nobody used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_fixture.h"
#include "store_internal.h"

static const char id_a[] = "0123456789abcdef0123456789abcdef";

static struct sb_store *open_db(struct fixture *f)
{
	struct sb_store *st = NULL;

	if (sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err))
		fail_msg("%s", f->err.msg);
	return st;
}

static void assert_ok(struct fixture *f, enum sb_status status)
{
	if (status)
		fail_msg("%s", f->err.msg);
}

static const char *status_with_owner(struct fixture *f, const char *pid, const char *host, char out[32])
{
	struct sb_store *st = open_db(f);
	const struct sb_fact owner[] = { { "process.pid", pid, NULL }, { "process.start", NULL, "unknown" },
		{ "process.host", host, NULL } };
	struct sb_run_lines lines;
	int64_t run, worker;
	struct sb_run r;
	char id[33];

	sb_random_id(id);
	assert_ok(f, fixture_begin_run(st, id, &run, &worker, &f->err));
	for (size_t i = 0; i < SB_ARRAY_LEN(owner); i++)
		assert_ok(f, sb_store_add_fact(st, run, &owner[i], &f->err));
	assert_ok(f, sb_store_read_run(st, run, &r, &f->err));
	assert_ok(f, sb_store_list_runs(st, &lines, &f->err));
	assert_string_equal(lines.v[0].status, r.status); /* the newest */
	snprintf(out, 32, "%s", r.status);
	sb_run_lines_release(&lines);
	sb_run_release(&r);
	sb_store_close(st);
	return out;
}

static void a_run_whose_process_is_gone_is_broken_off(void **state)
{
	struct fixture *f = *state;
	char here[256], pid[24], status[32];
	pid_t gone = fork();

	if (gone == 0)
		_exit(0);
	assert_int_equal(waitpid(gone, NULL, 0), gone);
	assert_true(sb_host_name(here, sizeof(here)));
	snprintf(pid, sizeof(pid), "%lld", (long long)gone);
	assert_string_equal(status_with_owner(f, pid, here, status), "broken off");
	assert_string_equal(status_with_owner(f, pid, "elsewhere.example", status), "running");
	assert_string_equal(status_with_owner(f, "no number", here, status), "running");
	snprintf(pid, sizeof(pid), "%lld", (long long)getpid());
	assert_string_equal(status_with_owner(f, pid, here, status), "running");
}

static void an_unused_database_goes_again_with_the_store_that_made_it(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f), *other;
	int64_t run, worker;

	sb_store_discard(st);
	assert_int_equal(fixture_count(f->dir), 0);

	st = open_db(f);
	other = open_db(f);
	sb_store_discard(st); /* in use */
	assert_ok(f, fixture_begin_run(other, id_a, &run, &worker, &f->err));
	sb_store_discard(other); /* it was there before */
	assert_int_equal(fixture_count(f->dir), 1);
	assert_int_equal(unlink(f->db), 0);

	st = open_db(f);
	assert_ok(f, fixture_begin_run(st, id_a, &run, &worker, &f->err));
	sb_store_discard(st); /* it has a run */
	assert_int_equal(fixture_count(f->dir), 1);
	assert_int_equal(unlink(f->db), 0);

	fixture_write_file(f->db, "", 0);
	sb_store_discard(open_db(f)); /* an empty file of the user's */
	assert_int_equal(fixture_count(f->dir), 1);
}

/* How many rows each table has. */
static char *whole(struct fixture *f, char *out, size_t size)
{
	static const char *const tables[] = { "run", "fact", "run_case", "arm", "arm_level", "worker", "trial",
		"sample", "rollup", "trace", "memory_timeline" };
	sqlite3 *db;
	size_t n = 0;

	assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
	for (size_t i = 0; i < SB_ARRAY_LEN(tables); i++) {
		char sql[96];
		sqlite3_stmt *s;

		snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i]);
		assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(s), SQLITE_ROW);
		n += (size_t)snprintf(out + n, size - n, "%s %d ", tables[i], sqlite3_column_int(s, 0));
		sqlite3_finalize(s);
	}
	sqlite3_close(db);
	return out;
}

static int64_t add_run(struct fixture *f, struct sb_store *st, const char *id)
{
	int64_t run, worker;

	assert_ok(f, fixture_begin_run(st, id, &run, &worker, &f->err));
	for (int arm = 0; arm < 2; arm++)
		assert_ok(f, fixture_add_trial(st, run, worker, arm, 1, &f->err));
	return run;
}

static void a_refused_run_leaves_nothing(void **state)
{
	static const char id_b[] = "fedcba9876543210fedcba9876543210";
	struct fixture *f = *state;
	struct sb_store *st = open_db(f);
	char before[512], after[512];
	int64_t first = add_run(f, st, id_a), second, found;

	sb_store_close(st);
	whole(f, before, sizeof(before));
	st = open_db(f);
	second = add_run(f, st, id_b);
	assert_ok(f, sb_store_drop_run(st, second, &f->err));
	assert_ok(f, sb_store_find_run(st, NULL, &found, &f->err));
	assert_int_equal(found, first);
	assert_int_equal(sb_store_find_run(st, id_b, &found, &f->err), SB_E_USAGE);
	assert_ok(f, sb_store_check(st, &f->err));
	sb_store_close(st);
	assert_string_equal(whole(f, after, sizeof(after)), before);
	assert_non_null(strstr(before, "trace 40 "));
}

static void what_a_baseline_is_of_stays(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = open_db(f);
	int64_t run = add_run(f, st, id_a), found;
	char word[] = "main", digest[] = "0123456789abcdef";
	const struct sb_baseline b = {
		.name = word, .machine = word, .case_key = word, .run = run, .exe = word, .exe_digest = digest
	};

	assert_ok(f, sb_store_set_baseline(st, &b, &f->err));
	assert_int_equal(sb_store_drop_run(st, run, &f->err), SB_E_DATA);
	assert_ok(f, sb_store_find_run(st, NULL, &found, &f->err));
	assert_ok(f, sb_store_check(st, &f->err));
	sb_store_close(st);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(a_run_whose_process_is_gone_is_broken_off),
		T(a_refused_run_leaves_nothing),
		T(what_a_baseline_is_of_stays),
		T(an_unused_database_goes_again_with_the_store_that_made_it),
	};
	return cmocka_run_group_tests_name("what is left", tests, NULL, NULL);
}
