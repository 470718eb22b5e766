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

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(a_run_whose_process_is_gone_is_broken_off),
		T(an_unused_database_goes_again_with_the_store_that_made_it),
	};
	return cmocka_run_group_tests_name("what is left", tests, NULL, NULL);
}
