/* What can go wrong with a database: bad files, full disks, other programs, processes that die. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store_fixture.h"
#include "store_internal.h"

static void make_run_id(int number, char id[33])
{
	snprintf(id, 33, "%08x%024x", (unsigned)number, 0xabcU);
}

/* A database with one run of `n` trials; *run is its key. */
static void make_db(struct fixture *f, int n, int64_t *run)
{
	struct sb_store *st;
	int64_t worker;
	char id[33];

	make_run_id(1, id);
	if (sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err) || fixture_begin_run(st, id, run, &worker, &f->err))
		fail_msg("%s", f->err.msg);
	for (int i = 0; i < n; i++)
		if (fixture_add_trial(st, *run, worker, i % 2, i, &f->err))
			fail_msg("%s", f->err.msg);
	sb_store_close(st);
}

/* Opening must fail, say so, and leave the folder as it was. */
static void assert_refused(struct fixture *f, enum sb_store_mode mode, enum sb_status code, const char *message)
{
	uint64_t hash = fixture_hash_file(f->db);
	int files = fixture_count(f->dir);
	struct sb_store *st = NULL;

	f->err.msg[0] = '\0';
	if (sb_store_open(f->db, mode, &st, &f->err) != code || !strstr(f->err.msg, message))
		fail_msg("'%s' instead of '%s'", f->err.msg, message);
	assert_null(st);
	if (*f->db)
		assert_non_null(strstr(f->err.msg, f->db));
	assert_int_equal(fixture_count(f->dir), files);
	assert_true(fixture_hash_file(f->db) == hash);
}

/*
 * A child process that runs fn(f, err) when told to, as user 65534 when `drop`. It is started before this process opens
 * the database: SQLite's memory of locks must not be inherited.
 */
struct child_answer {
	enum sb_status status;
	struct sb_error err;
};

struct child {
	pid_t pid;
	int go, answer;
};

static struct child start_child(enum sb_status (*fn)(struct fixture *, struct sb_error *), struct fixture *f, bool drop)
{
	int go[2], answer[2];
	struct child c;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(answer), 0);
	c = (struct child){ fork(), go[1], answer[0] };
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		struct child_answer a = { SB_OK, { 0 } };
		char byte;

		close(go[1]);
		if (drop && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(99);
		if (read(go[0], &byte, 1) != 1)
			_exit(97);
		a.status = fn(f, &a.err);
		_exit(write(answer[1], &a, sizeof(a)) == (ssize_t)sizeof(a) ? 0 : 98);
	}
	close(go[0]);
	close(answer[1]);
	return c;
}

static void tell_child(const struct child *c)
{
	assert_int_equal(write(c->go, "g", 1), 1);
	close(c->go);
}

/* fn's status; the message comes back in err. */
static struct child_answer hear_child(const struct child *c)
{
	struct child_answer a = { SB_OK, { 0 } };
	int ws;

	if (read(c->answer, &a, sizeof(a)) != (ssize_t)sizeof(a))
		a.status = SB_E_INTERRUPTED;
	close(c->answer);
	assert_int_equal(waitpid(c->pid, &ws, 0), c->pid);
	if (!WIFEXITED(ws) || WEXITSTATUS(ws) != 0)
		fail_msg("the child ended with %d", ws);
	return a;
}

static struct child_answer in_child(
        enum sb_status (*fn)(struct fixture *, struct sb_error *), struct fixture *f, bool drop)
{
	struct child c = start_child(fn, f, drop);

	tell_child(&c);
	return hear_child(&c);
}

/*
 * Permissions do not hold for root: then a child must become somebody else, who can still reach the test's folder.
 * Where neither goes (a container without the right to change users) the tests of permissions are skipped.
 */
static bool can_lose_rights(struct fixture *f)
{
	pid_t pid;
	int ws;

	if (geteuid() != 0)
		return true;
	assert_int_equal(chmod(f->dir, 0755), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(setgid(65534) != 0 || setuid(65534) != 0 || access(f->dir, R_OK | X_OK) != 0);
	assert_int_equal(waitpid(pid, &ws, 0), pid);
	return ws == 0;
}

/* ---- not a database of ours --------------------------------------------------------------------------------- */

static void a_missing_file_says_how_to_make_one(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, SB_STORE_READ, SB_E_DATA, "no database '");
	assert_non_null(strstr(f->err.msg, "make one with 'spabench run'"));
	snprintf(f->db, sizeof(f->db), "%s/no/x.db", f->dir);
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "no database '");
	assert_refused(f, SB_STORE_WRITE, SB_E_DATA, "create it first");
	f->db[0] = '\0';
	assert_refused(f, SB_STORE_READ, SB_E_USAGE, "name of the database is empty");
	assert_refused(f, SB_STORE_WRITE, SB_E_USAGE, "name of the database is empty");
}

static void a_directory_and_a_device_are_no_databases(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->db, 0755), 0);
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "is a directory, not a database");
	assert_refused(f, SB_STORE_WRITE, SB_E_DATA, "is a directory, not a database");
	assert_int_equal(rmdir(f->db), 0);
	assert_int_equal(mkfifo(f->db, 0600), 0); /* opening it would wait for ever */
	assert_int_equal(fixture_count(f->dir), 1);
	{
		struct sb_store *st = NULL;

		assert_int_equal(sb_store_open(f->db, SB_STORE_READ, &st, &f->err), SB_E_DATA);
		assert_non_null(strstr(f->err.msg, "a device or a pipe"));
		assert_int_equal(sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err), SB_E_DATA);
	}
	/* A path under a file. */
	assert_int_equal(unlink(f->db), 0);
	fixture_write_file(f->db, "x", 1);
	snprintf(f->db + strlen(f->db), 8, "/y.db");
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "no database '");
	assert_refused(f, SB_STORE_WRITE, SB_E_DATA, "ot a directory");
}

static void other_files_are_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "# a shell script, longer than the header of a database would be\n"
	                           "echo this is not a database, and never will be one, whoever asks for it\n";
	unsigned char noise[20000];
	uint64_t random = 7;

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (unsigned char)sb_splitmix64(&random);
	fixture_write_file(f->db, noise, sizeof(noise));
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "is not a database");
	assert_refused(f, SB_STORE_WRITE, SB_E_DATA, "is not a database");
	fixture_write_file(f->db, text, sizeof(text));
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "is not a database");
	assert_refused(f, SB_STORE_WRITE, SB_E_DATA, "is not a database");
	fixture_write_file(f->db, "x", 1);
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "is not a database");
	assert_refused(f, SB_STORE_WRITE, SB_E_DATA, "is not a database");
}

static void an_empty_file_is_a_new_database(void **state)
{
	struct fixture *f = *state;
	int64_t run;

	fixture_write_file(f->db, "", 0);
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "is empty; fill it");
	make_db(f, 1, &run);
}

static void sql(struct fixture *f, const char *text)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_database_without_a_table_is_a_new_one(void **state)
{
	struct fixture *f = *state;
	int64_t run;

	sql(f, "CREATE TABLE t (a); DROP TABLE t; VACUUM");
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "is empty; fill it");
	make_db(f, 1, &run);
}

static void databases_of_other_programs_are_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;
	static const char *const others[] = {
		"CREATE TABLE t (a)",
		"PRAGMA application_id = 1234; CREATE TABLE t (a)",
		"PRAGMA application_id = 1234",
		"PRAGMA journal_mode = WAL; CREATE TABLE t (a)",
		"PRAGMA page_size = 65536; CREATE TABLE run (a); PRAGMA user_version = 1",
	};

	for (size_t i = 0; i < SB_ARRAY_LEN(others); i++) {
		sql(f, others[i]);
		assert_refused(f, SB_STORE_READ, SB_E_DATA, "belongs to another program");
		assert_refused(f, SB_STORE_WRITE, SB_E_DATA, "belongs to another program");
		assert_int_equal(unlink(f->db), 0);
	}
}

static void a_newer_version_is_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;
	int64_t run;

	make_db(f, 1, &run);
	sql(f, "PRAGMA user_version = 5");
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "was made by a newer spabench (format 5, this one knows 4)");
	assert_refused(f, SB_STORE_WRITE, SB_E_DATA, "was made by a newer spabench (format 5, this one knows 4)");
	sql(f, "PRAGMA journal_mode = WAL");
	assert_refused(f, SB_STORE_WRITE, SB_E_DATA, "was made by a newer spabench (format 5, this one knows 4)");
	sql(f, "PRAGMA user_version = 0");
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "has no format number");
	sql(f, "PRAGMA user_version = -3");
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "its format number is -3, and formats begin at 1");
	assert_refused(f, SB_STORE_WRITE, SB_E_DATA, "its format number is -3, and formats begin at 1");
}

/* ---- damage ------------------------------------------------------------------------------------------------- */

/* Everything a command could do with a database. The first failure. */
static enum sb_status read_all(struct fixture *f, struct sb_error *err)
{
	struct sb_run_lines lines = { 0 };
	struct sb_trials trials = { 0 };
	struct sb_samples samples = { 0 };
	struct sb_rollups rollups = { 0 };
	struct sb_trace_rows rows = { 0 };
	struct sb_run run = { 0 };
	struct sb_store *st = NULL;
	enum sb_status status;
	int64_t key = 0;

	status = sb_store_open(f->db, SB_STORE_READ, &st, err);
	if (!status)
		status = sb_store_list_runs(st, &lines, err);
	if (!status)
		status = sb_store_find_run(st, NULL, &key, err);
	if (!status)
		status = sb_store_read_run(st, key, &run, err);
	if (!status)
		status = sb_store_read_trials(st, key, &trials, err);
	if (!status)
		status = sb_store_read_samples(st, key, &trials, &samples, err);
	for (size_t i = 0; !status && i < trials.n; i++) {
		status = sb_store_read_rollup(st, trials.v[i].key, &rollups, err);
		if (!status)
			status = sb_store_read_trace(st, trials.v[i].key, &rows, err);
		sb_rollups_release(&rollups);
		sb_trace_rows_release(&rows);
	}
	sb_samples_release(&samples);
	sb_trials_release(&trials);
	sb_run_release(&run);
	sb_run_lines_release(&lines);
	sb_store_close(st);
	return status;
}

static enum sb_status check_all(struct fixture *f, struct sb_error *err)
{
	struct sb_store *st = NULL;
	enum sb_status status = sb_store_open(f->db, SB_STORE_READ, &st, err);

	if (!status)
		status = sb_store_check(st, err);
	sb_store_close(st);
	return status;
}

static void a_truncated_database_is_told_from_a_whole_one(void **state)
{
	struct fixture *f = *state;
	unsigned char *good;
	int64_t run;
	size_t size;

	make_db(f, 30, &run);
	good = fixture_read_file(f->db, &size);
	assert_true(size > 100000);
	assert_int_equal(check_all(f, &f->err), SB_OK);
	for (size_t n = 1; n < size; n += n < 200 ? 33 : 4001) {
		fixture_write_file(f->db, good, n);
		assert_int_equal(check_all(f, &f->err), SB_E_DATA);
		assert_non_null(strstr(f->err.msg, f->db));
		assert_int_equal(read_all(f, &f->err), SB_E_DATA);
		assert_int_equal(fixture_count(f->dir), 1);
	}
	free(good);
}

static void damaged_bytes_end_in_an_error_or_in_other_numbers(void **state)
{
	struct fixture *f = *state;
	unsigned char *good, *bad;
	uint64_t random = 3;
	int64_t run;
	size_t size;
	int found = 0;

	make_db(f, 6, &run);
	good = fixture_read_file(f->db, &size);
	bad = malloc(size);
	assert_non_null(bad);
	for (int i = 0; i < 400; i++) {
		memcpy(bad, good, size);
		/* Small offsets in a page hold its structure: half of the hits go there. */
		for (int k = 0; k < 1 + i % 8; k++) {
			size_t page = (size_t)sb_random_below(&random, size / 8192);
			size_t at = (size_t)sb_random_below(&random, k % 2 ? 8192 : 64);

			bad[page * 8192 + at] = (unsigned char)sb_splitmix64(&random);
		}
		fixture_write_file(f->db, bad, size);
		f->err.code = SB_OK;
		if (read_all(f, &f->err) != SB_OK)
			assert_true(f->err.code != SB_OK);
		found += check_all(f, &f->err) != SB_OK;
		fixture_empty(f->dir); /* a header that says WAL may have brought side files */
	}
	assert_true(found > 100);
	free(good);
	free(bad);
}

static void a_trial_of_no_arm_is_damage(void **state)
{
	struct fixture *f = *state;
	int64_t run;

	make_db(f, 2, &run);
	sql(f, "PRAGMA foreign_keys = OFF; UPDATE trial SET arm = 2 WHERE id = 2");
	assert_int_equal(read_all(f, &f->err), SB_E_DATA);
	assert_non_null(strstr(f->err.msg, "a trial belongs to no arm"));
}

/* Do something to the database, and die without closing it. */
static void die_after(struct fixture *f, const char *text)
{
	pid_t pid = fork();
	int ws;

	assert_true(pid >= 0);
	if (pid == 0) {
		sqlite3 *db = NULL;

		_exit(sqlite3_open(f->db, &db) != SQLITE_OK || sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK);
	}
	assert_int_equal(waitpid(pid, &ws, 0), pid);
	assert_int_equal(ws, 0);
}

static void a_newer_version_that_is_only_in_the_wal_is_refused(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st = NULL;
	int64_t run;

	make_db(f, 1, &run);
	die_after(f, "PRAGMA journal_mode = WAL; PRAGMA user_version = 5");
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "was made by a newer spabench");
	assert_int_equal(sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err), SB_E_DATA);
	assert_non_null(strstr(f->err.msg, "was made by a newer spabench"));
}

static void a_half_written_file_is_put_right_by_the_next_writer(void **state)
{
	static const char half[] = "PRAGMA cache_size = 1; BEGIN; CREATE TABLE t (a);"
	                           "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
	                           "INSERT INTO t SELECT hex(randomblob(50)) FROM n";
	struct fixture *f = *state;
	struct sb_store *st = NULL;
	int64_t run;

	die_after(f, half); /* a new file */
	assert_int_equal(fixture_count(f->dir), 2);
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "was left in the middle of a write");
	make_db(f, 2, &run);
	assert_int_equal(fixture_count(f->dir), 1);
	die_after(f, half); /* one with something in it */
	assert_refused(f, SB_STORE_READ, SB_E_DATA, "was left in the middle of a write");
	assert_int_equal(sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err), SB_OK);
	assert_int_equal(fixture_whole_trials(st, run, &f->err), 2);
	sb_store_close(st);
	assert_int_equal(check_all(f, &f->err), SB_OK);
}

/* ---- places where one may only read ------------------------------------------------------------------------- */

static void lock_up(struct fixture *f)
{
	assert_int_equal(chmod(f->db, 0444), 0);
	assert_int_equal(chmod(f->dir, 0555), 0);
}

static enum sb_status open_for_writing(struct fixture *f, struct sb_error *err)
{
	struct sb_store *st = NULL;
	enum sb_status status = sb_store_open(f->db, SB_STORE_WRITE, &st, err);

	sb_store_close(st);
	return status;
}

static void a_database_at_rest_reads_in_a_read_only_directory(void **state)
{
	struct fixture *f = *state;
	struct child_answer a;
	int64_t run;

	if (!can_lose_rights(f))
		skip();
	make_db(f, 3, &run);
	lock_up(f);
	a = in_child(read_all, f, geteuid() == 0);
	if (a.status)
		fail_msg("%s", a.err.msg);
	a = in_child(open_for_writing, f, geteuid() == 0);
	assert_int_equal(a.status, SB_E_DATA);
	assert_non_null(strstr(a.err.msg, "it is read-only; use another file with --db"));
	/* The file could be written, but nothing beside it. */
	assert_int_equal(chmod(f->db, 0666), 0);
	a = in_child(open_for_writing, f, geteuid() == 0);
	assert_int_equal(a.status, SB_E_DATA);
	assert_non_null(strstr(a.err.msg, "is not writable"));
	/* No file yet. */
	snprintf(f->db, sizeof(f->db), "%s/new.db", f->dir);
	a = in_child(open_for_writing, f, geteuid() == 0);
	assert_int_equal(a.status, SB_E_DATA);
	assert_non_null(strstr(a.err.msg, "is not writable (Permission denied); use another place with --db"));
}

static void a_file_nobody_may_read_says_so(void **state)
{
	struct fixture *f = *state;
	struct child_answer a;
	int64_t run;

	if (!can_lose_rights(f))
		skip();
	make_db(f, 1, &run);
	assert_int_equal(chmod(f->db, 0), 0);
	assert_int_equal(chmod(f->dir, 0755), 0);
	a = in_child(read_all, f, geteuid() == 0);
	assert_int_equal(a.status, SB_E_DATA);
	assert_non_null(strstr(a.err.msg, "Permission denied"));
}

/* Leave a database as a writer that was killed leaves it: in WAL mode, with three trials in the -wal alone. */
static void make_hot_wal(struct fixture *f)
{
	int64_t run;
	pid_t pid;
	int ws;

	make_db(f, 0, &run);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct sb_store *st;
		struct sb_error err;
		int64_t worker;
		char id[33];
		bool ok;

		make_run_id(2, id);
		ok = !sb_store_open(f->db, SB_STORE_WRITE, &st, &err) &&
		     !fixture_begin_run(st, id, &run, &worker, &err);
		for (int i = 0; ok && i < 3; i++)
			ok = !fixture_add_trial(st, run, worker, 0, i, &err);
		_exit(!ok);
	}
	assert_int_equal(waitpid(pid, &ws, 0), pid);
	assert_int_equal(ws, 0);
	assert_int_equal(fixture_count(f->dir), 3);
}

static enum sb_status read_three(struct fixture *f, struct sb_error *err)
{
	struct sb_store *st = NULL;
	enum sb_status status = sb_store_open(f->db, SB_STORE_READ, &st, err);
	int64_t run = 0;

	if (!status)
		status = sb_store_find_run(st, "00000002", &run, err);
	if (!status && fixture_whole_trials(st, run, err) != 3)
		status = SB_E_DATA;
	sb_store_close(st);
	return status;
}

static void what_a_killed_writer_left_reads_without_writing(void **state)
{
	struct fixture *f = *state;
	char wal[FIXTURE_PATH_MAX + 8], shm[FIXTURE_PATH_MAX + 8];
	uint64_t db_hash, wal_hash;
	struct child_answer a;

	make_hot_wal(f);
	snprintf(wal, sizeof(wal), "%s-wal", f->db);
	snprintf(shm, sizeof(shm), "%s-shm", f->db);
	db_hash = fixture_hash_file(f->db);
	wal_hash = fixture_hash_file(wal);
	for (int without_shm = 0; without_shm < 2; without_shm++) {
		if (without_shm)
			assert_int_equal(unlink(shm), 0);
		if (read_three(f, &f->err))
			fail_msg("%s", f->err.msg);
		assert_true(fixture_hash_file(f->db) == db_hash && fixture_hash_file(wal) == wal_hash);
		assert_int_equal(fixture_count(f->dir), without_shm ? 2 : 3);
		if (!can_lose_rights(f))
			continue;
		lock_up(f);
		assert_int_equal(chmod(wal, 0444), 0);
		if (!without_shm)
			assert_int_equal(chmod(shm, 0444), 0);
		a = in_child(read_three, f, geteuid() == 0);
		if (a.status)
			fail_msg("%s", a.err.msg);
		assert_int_equal(fixture_count(f->dir), without_shm ? 2 : 3);
		assert_int_equal(chmod(f->dir, 0755), 0);
		assert_int_equal(chmod(f->db, 0644), 0);
		assert_int_equal(chmod(wal, 0644), 0);
		if (!without_shm)
			assert_int_equal(chmod(shm, 0644), 0);
	}
	/* The next writer tidies up. */
	assert_int_equal(open_for_writing(f, &f->err), SB_OK);
	assert_int_equal(fixture_count(f->dir), 1);
	assert_int_equal(read_three(f, &f->err), SB_OK);
}

static void a_wal_database_copied_alone_reads_and_grows_nothing(void **state)
{
	struct fixture *f = *state;
	struct child_answer a;
	int64_t run;

	make_db(f, 3, &run);
	sql(f, "PRAGMA journal_mode = WAL");
	assert_int_equal(fixture_count(f->dir), 1);
	if (read_all(f, &f->err))
		fail_msg("%s", f->err.msg);
	assert_int_equal(fixture_count(f->dir), 1);
	if (!can_lose_rights(f))
		return;
	lock_up(f);
	a = in_child(read_all, f, geteuid() == 0);
	if (a.status)
		fail_msg("%s", a.err.msg);
}

static void a_reader_sees_what_a_living_writer_has_acknowledged(void **state)
{
	struct fixture *f = *state;
	struct sb_store *writer, *reader;
	int64_t run, worker;
	char id[33];

	make_run_id(9, id);
	assert_int_equal(sb_store_open(f->db, SB_STORE_WRITE, &writer, &f->err), SB_OK);
	assert_int_equal(fixture_begin_run(writer, id, &run, &worker, &f->err), SB_OK);
	assert_int_equal(fixture_add_trial(writer, run, worker, 0, 0, &f->err), SB_OK);
	assert_int_equal(sb_store_open(f->db, SB_STORE_READ, &reader, &f->err), SB_OK);
	assert_int_equal(fixture_whole_trials(reader, run, &f->err), 1);
	assert_int_equal(fixture_add_trial(writer, run, worker, 0, 1, &f->err), SB_OK);
	assert_int_equal(fixture_whole_trials(reader, run, &f->err), 2);
	/* The writer goes first and cannot tidy up; the data are there all the same. */
	sb_store_close(writer);
	assert_int_equal(fixture_whole_trials(reader, run, &f->err), 2);
	sb_store_close(reader);
	assert_int_equal(check_all(f, &f->err), SB_OK);
	assert_int_equal(open_for_writing(f, &f->err), SB_OK);
	assert_int_equal(fixture_count(f->dir), 1);
	assert_int_equal(check_all(f, &f->err), SB_OK);
}

static enum sb_status leave_wal(struct fixture *f, struct sb_error *err)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open(f->db, &db);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	sqlite3_close(db);
	return rc == SQLITE_OK ? SB_OK : sb_fail(err, SB_E_DATA, "%s", sqlite3_errstr(rc));
}

static void opening_for_reading_keeps_the_locks_of_this_process(void **state)
{
	struct fixture *f = *state;
	struct child before = start_child(leave_wal, f, false), after = start_child(leave_wal, f, false);
	struct sb_store *writer, *reader;
	int64_t run, worker;
	char id[33];

	make_run_id(9, id);
	assert_int_equal(sb_store_open(f->db, SB_STORE_WRITE, &writer, &f->err), SB_OK);
	assert_int_equal(fixture_begin_run(writer, id, &run, &worker, &f->err), SB_OK);
	tell_child(&before);
	assert_int_equal(hear_child(&before).status, SB_E_DATA);
	assert_int_equal(sb_store_open(f->db, SB_STORE_READ, &reader, &f->err), SB_OK);
	sb_store_close(reader);
	/* Another process must still find the writer's lock. */
	tell_child(&after);
	assert_int_equal(hear_child(&after).status, SB_E_DATA);
	sb_store_close(writer);
	assert_int_equal(in_child(leave_wal, f, false).status, SB_OK);
}

static void a_writer_waits_for_another_to_finish(void **state)
{
	struct fixture *f = *state;
	struct child waits;
	sqlite3 *other = NULL;
	int64_t run;

	make_db(f, 1, &run);
	waits = start_child(open_for_writing, f, false);
	assert_int_equal(sqlite3_open(f->db, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	tell_child(&waits);
	sb_sleep_ns(100000000);
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	assert_int_equal(hear_child(&waits).status, SB_OK);
}

/* ---- no space, no lock, no memory --------------------------------------------------------------------------- */

static void a_full_disk_is_named_and_costs_one_trial(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st;
	int64_t run, worker;
	char id[33];
	int n = 0;

	make_run_id(9, id);
	assert_int_equal(sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err), SB_OK);
	assert_int_equal(fixture_begin_run(st, id, &run, &worker, &f->err), SB_OK);
	assert_int_equal(sqlite3_exec(st->db, "PRAGMA max_page_count = 40", NULL, NULL, NULL), SQLITE_OK);
	while (n < 10000 && !fixture_add_trial(st, run, worker, 0, n, &f->err))
		n++;
	assert_true(n > 5 && n < 10000);
	assert_int_equal(f->err.code, SB_E_DATA);
	assert_non_null(strstr(f->err.msg, "no space left for database '"));
	assert_non_null(strstr(f->err.msg, "free some"));
	assert_int_equal(fixture_whole_trials(st, run, &f->err), n);
	/* Somebody has freed some. */
	assert_int_equal(sqlite3_exec(st->db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(fixture_add_trial(st, run, worker, 0, n, &f->err), SB_OK);
	assert_int_equal(fixture_whole_trials(st, run, &f->err), n + 1);
	sb_store_close(st);
	assert_int_equal(check_all(f, &f->err), SB_OK);
}

/* Write trials until files may not grow any more. err.msg: the message; SB_OK when it is what it should be. */
static enum sb_status fill_until_limit(struct fixture *f, struct sb_error *err)
{
	const struct rlimit limit = { 1000000, 1000000 };
	struct sb_store *st = NULL;
	int64_t run = 0, worker = 0;
	int n = 0;
	char id[33];

	make_run_id(9, id);
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || sb_store_open(f->db, SB_STORE_WRITE, &st, err))
		return SB_E_ENV;
	if (fixture_begin_run(st, id, &run, &worker, err))
		return SB_E_ENV;
	while (n < 10000 && !fixture_add_trial(st, run, worker, 0, n, err))
		n++;
	/* Again and again, as a run would. */
	for (int i = 0; i < 3; i++)
		if (fixture_add_trial(st, run, worker, 0, 10000 + i, err) == SB_OK)
			return SB_E_USAGE;
	if (fixture_whole_trials(st, run, NULL) != n || n < 5)
		return SB_E_DEVICE;
	sb_store_close(st);
	return SB_OK;
}

static void a_limit_on_file_sizes_is_a_full_disk(void **state)
{
	struct fixture *f = *state;
	struct child_answer a = in_child(fill_until_limit, f, false);

	if (a.status || !strstr(a.err.msg, "no space left for database '"))
		fail_msg("%d: %s", (int)a.status, a.err.msg);
	assert_int_equal(check_all(f, &f->err), SB_OK);
	assert_int_equal(open_for_writing(f, &f->err), SB_OK);
	assert_int_equal(check_all(f, &f->err), SB_OK);
}

static void a_locked_database_is_named_after_the_waiting_time(void **state)
{
	struct fixture *f = *state;
	int saved = sb_store_busy_ms;
	struct sb_store *st = NULL;
	sqlite3 *other = NULL;
	int64_t run, worker;
	char id[33];

	make_db(f, 1, &run);
	make_run_id(9, id);
	sb_store_busy_ms = 20;
	assert_int_equal(sqlite3_open(f->db, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sb_store_open(f->db, SB_STORE_READ, &st, &f->err), SB_E_DATA);
	assert_non_null(strstr(f->err.msg, "is locked by another program"));
	assert_int_equal(sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err), SB_E_DATA);
	assert_non_null(strstr(f->err.msg, "is locked by another program"));
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err), SB_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(fixture_begin_run(st, id, &run, &worker, &f->err), SB_E_DATA);
	assert_non_null(strstr(f->err.msg, "cannot begin a run: database '"));
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(fixture_begin_run(st, id, &run, &worker, &f->err), SB_OK);
	sqlite3_close(other);
	sb_store_close(st);
	sb_store_busy_ms = saved;
}

/* SQLite's allocator, which gives nothing any more after `allocations_left`. */
static sqlite3_mem_methods real_memory;
static int64_t allocations_left;
#define PLENTY (INT64_MAX / 2)

static bool starved(void)
{
	return allocations_left-- <= 0;
}

static void *scarce_malloc(int n)
{
	return starved() ? NULL : real_memory.xMalloc(n);
}

static void *scarce_realloc(void *p, int n)
{
	return starved() ? NULL : real_memory.xRealloc(p, n);
}

static enum sb_status write_and_read(struct fixture *f, struct sb_error *err)
{
	struct sb_store *st = NULL;
	int64_t run = 0, worker = 0;
	enum sb_status status;
	char id[33];

	make_run_id((int)(allocations_left & 0xffffff), id);
	status = sb_store_open(f->db, SB_STORE_WRITE, &st, err);
	if (!status)
		status = fixture_begin_run(st, id, &run, &worker, err);
	for (int i = 0; !status && i < 2; i++)
		status = fixture_add_trial(st, run, worker, 0, i, err);
	sb_store_close(st);
	return status ? status : read_all(f, err);
}

/* In a child: the allocator is changed for good. */
static enum sb_status starve(struct fixture *f, struct sb_error *err)
{
	sqlite3_mem_methods scarce;
	enum sb_status status = SB_E_NOMEM;

	if (sqlite3_shutdown() != SQLITE_OK || sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK)
		return SB_E_ENV;
	scarce = real_memory;
	scarce.xMalloc = scarce_malloc;
	scarce.xRealloc = scarce_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &scarce) != SQLITE_OK)
		return SB_E_ENV;
	allocations_left = PLENTY;
	if (sqlite3_initialize() != SQLITE_OK)
		return SB_E_ENV;
	/* Every allocation would take a minute; the steps grow, so that the first ones, of the opening, are met one by
	 * one. */
	for (int64_t n = 0; status && n < 1000000; n += 1 + n / 40) {
		struct sb_store *st = NULL;

		err->code = SB_OK;
		allocations_left = n;
		status = write_and_read(f, err);
		allocations_left = PLENTY;
		/* SQLite does not always call it by its name; it must be an error, and the database whole. */
		if (status && err->code == SB_OK)
			return SB_E_USAGE;
		if (sb_store_open(f->db, SB_STORE_WRITE, &st, err) || sb_store_check(st, err))
			return SB_E_DATA;
		sb_store_close(st);
	}
	return status;
}

/* A trial that fails for want of memory, then one that does not, on the same store. */
static enum sb_status starve_and_go_on(struct fixture *f, struct sb_error *err)
{
	enum sb_status status = starve(f, err);
	int64_t run = 0, worker = 0;
	int block = 0, stored = 0;
	bool failed = true;
	char id[33];

	make_run_id(1000000, id);
	for (int64_t n = 0; !status && failed; n += 1 + n / 20) {
		struct sb_store *st = NULL;

		status = sb_store_open(f->db, SB_STORE_WRITE, &st, err);
		if (!status && !run)
			status = fixture_begin_run(st, id, &run, &worker, err);
		allocations_left = n;
		failed = !status && fixture_add_trial(st, run, worker, 0, block++, err) != SB_OK;
		stored += !failed;
		allocations_left = PLENTY;
		for (int i = 0; !status && i < 2; i++, stored++)
			status = fixture_add_trial(st, run, worker, 0, block++, err);
		if (!status && fixture_whole_trials(st, run, err) != stored)
			status = sb_fail(err, SB_E_DATA, "not the %d trials that were stored", stored);
		sb_store_close(st);
	}
	return status;
}

static void running_out_of_memory_anywhere_is_an_error_and_no_damage(void **state)
{
	struct fixture *f = *state;
	struct child_answer a = in_child(starve_and_go_on, f, false);

	if (a.status)
		fail_msg("%d: %s", (int)a.status, a.err.msg);
}

/* ---- processes that die, and that meet ---------------------------------------------------------------------- */

/* Write trials until killed; the number of each goes through the pipe once it is stored. */
static void write_for_ever(struct fixture *f, int number, int out)
{
	struct sb_store *st;
	struct sb_error err;
	int64_t run, worker;
	char id[33];

	make_run_id(number, id);
	if (sb_store_open(f->db, SB_STORE_WRITE, &st, &err) || fixture_begin_run(st, id, &run, &worker, &err))
		_exit(1);
	for (int i = 0;; i++)
		if (fixture_add_trial(st, run, worker, i % 2, i, &err) ||
		        write(out, &i, sizeof(i)) != (ssize_t)sizeof(i))
			_exit(1);
}

/* How many trials the child said were stored before it was killed after `ns`. */
static int kill_writer_after(struct fixture *f, int number, int64_t ns)
{
	int fd[2], ws, last, acknowledged = 0;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		write_for_ever(f, number, fd[1]);
	close(fd[1]);
	sb_sleep_ns(ns);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &ws, 0), pid);
	assert_true(WIFSIGNALED(ws));
	while (read(fd[0], &last, sizeof(last)) == (ssize_t)sizeof(last))
		assert_int_equal(last, acknowledged++);
	close(fd[0]);
	return acknowledged;
}

static void every_acknowledged_trial_survives_a_kill(void **state)
{
	struct fixture *f = *state;
	uint64_t random = 11;
	int total = 0;

	for (int i = 0; i < 30; i++) {
		int acknowledged = kill_writer_after(f, i, (int64_t)sb_random_below(&random, 40000000));
		/* Turn by turn: a reader finds what the killed one left, or the next writer does. */
		enum sb_store_mode mode = i % 2 ? SB_STORE_READ : SB_STORE_WRITE;
		struct sb_store *st;
		char id[33];
		int64_t run = 0;

		total += acknowledged;
		make_run_id(i, id);
		if (!acknowledged)
			continue;
		if (sb_store_open(f->db, mode, &st, &f->err) || sb_store_check(st, &f->err) ||
		        sb_store_find_run(st, id, &run, &f->err))
			fail_msg("kill %d: %s", i, f->err.msg);
		/* One more may have been stored, and killed before it could say so. */
		assert_in_range(fixture_whole_trials(st, run, &f->err), acknowledged, acknowledged + 1);
		sb_store_close(st);
	}
	assert_true(total > 100);
}

static void a_writer_killed_while_it_creates_leaves_something_usable(void **state)
{
	struct fixture *f = *state;
	uint64_t random = 5;

	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();
		int64_t run;
		int ws;

		assert_true(pid >= 0);
		if (pid == 0) {
			struct sb_store *st;
			struct sb_error err;

			for (;;) { /* create, close, begin again: most kills hit the middle of it */
				if (sb_store_open(f->db, SB_STORE_WRITE, &st, &err))
					_exit(1);
				sb_store_close(st);
				unlink(f->db);
			}
		}
		sb_sleep_ns((int64_t)sb_random_below(&random, 12000000));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &ws, 0), pid);
		assert_true(WIFSIGNALED(ws));
		make_db(f, 1, &run);
		assert_int_equal(check_all(f, &f->err), SB_OK);
		assert_int_equal(fixture_count(f->dir), 1);
		assert_int_equal(unlink(f->db), 0);
	}
}

enum { WRITERS = 2 };

static void run_writers(struct fixture *f, bool (*work)(struct fixture *, int number, struct sb_error *))
{
	pid_t pid[WRITERS];

	for (int i = 0; i < WRITERS; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0) {
			struct sb_error err = { 0 };
			bool ok = work(f, i, &err);

			if (!ok)
				fprintf(stderr, "writer %d: %s\n", i, err.msg);
			_exit(!ok);
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		int ws;

		assert_int_equal(waitpid(pid[i], &ws, 0), pid[i]);
		assert_int_equal(ws, 0);
	}
}

/* Open a new database at the same moment as the other one. */
static bool create(struct fixture *f, int number, struct sb_error *err)
{
	struct sb_store *st = NULL;

	(void)number;
	sb_sleep_ns(20000000 - sb_wall_time_ns() % 20000000);
	if (sb_store_open(f->db, SB_STORE_WRITE, &st, err))
		return false;
	sb_store_close(st);
	return true;
}

static void two_writers_may_create_one_database(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 40; i++) {
		struct sb_store *st = NULL;

		run_writers(f, create);
		assert_int_equal(check_all(f, &f->err), SB_OK);
		/* Two that close at one moment may each leave the log to the other: the next writer alone takes it
		 * away. */
		assert_int_equal(sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err), SB_OK);
		sb_store_close(st);
		assert_int_equal(fixture_count(f->dir), 1);
		assert_int_equal(unlink(f->db), 0);
	}
}

static bool write_a_run(struct fixture *f, int number, struct sb_error *err)
{
	struct sb_store *st;
	int64_t run, worker;
	char id[33];

	make_run_id(number, id);
	if (sb_store_open(f->db, SB_STORE_WRITE, &st, err) || fixture_begin_run(st, id, &run, &worker, err))
		return false;
	for (int i = 0; i < 200; i++)
		if (fixture_add_trial(st, run, worker, i % 2, i, err))
			return false;
	if (sb_store_end_run(st, run, "complete", err))
		return false;
	sb_store_close(st);
	return true;
}

static void two_writers_at_once_both_complete(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st;
	char id[33];
	int64_t run;

	run_writers(f, write_a_run);
	assert_int_equal(fixture_count(f->dir), 1);
	assert_int_equal(sb_store_open(f->db, SB_STORE_READ, &st, &f->err), SB_OK);
	assert_int_equal(sb_store_check(st, &f->err), SB_OK);
	for (int i = 0; i < WRITERS; i++) {
		make_run_id(i, id);
		assert_int_equal(sb_store_find_run(st, id, &run, &f->err), SB_OK);
		assert_int_equal(fixture_whole_trials(st, run, &f->err), 200);
	}
	sb_store_close(st);
}

static bool come_and_go(struct fixture *f, int number, struct sb_error *err)
{
	for (int i = 0; i < 60; i++) {
		struct sb_store *st;
		int64_t run, worker;
		char id[33];

		make_run_id(1000 * number + i, id);
		if (sb_store_open(f->db, SB_STORE_WRITE, &st, err) || fixture_begin_run(st, id, &run, &worker, err) ||
		        fixture_add_trial(st, run, worker, 0, i, err))
			return false;
		sb_store_close(st);
		if (read_all(f, err))
			return false;
	}
	return true;
}

static void writers_that_come_and_go_do_not_meet_in_the_door(void **state)
{
	struct fixture *f = *state;
	struct sb_run_lines lines;
	struct sb_store *st;

	run_writers(f, come_and_go);
	assert_int_equal(sb_store_open(f->db, SB_STORE_READ, &st, &f->err), SB_OK);
	assert_int_equal(sb_store_check(st, &f->err), SB_OK);
	assert_int_equal(sb_store_list_runs(st, &lines, &f->err), SB_OK);
	assert_int_equal(lines.n, 60 * WRITERS);
	sb_run_lines_release(&lines);
	sb_store_close(st);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(a_missing_file_says_how_to_make_one),
		T(a_directory_and_a_device_are_no_databases),
		T(other_files_are_refused_and_left_alone),
		T(an_empty_file_is_a_new_database),
		T(a_database_without_a_table_is_a_new_one),
		T(databases_of_other_programs_are_refused_and_left_alone),
		T(a_newer_version_is_refused_and_left_alone),
		T(a_truncated_database_is_told_from_a_whole_one),
		T(damaged_bytes_end_in_an_error_or_in_other_numbers),
		T(a_trial_of_no_arm_is_damage),
		T(a_newer_version_that_is_only_in_the_wal_is_refused),
		T(a_half_written_file_is_put_right_by_the_next_writer),
		T(a_database_at_rest_reads_in_a_read_only_directory),
		T(a_file_nobody_may_read_says_so),
		T(what_a_killed_writer_left_reads_without_writing),
		T(a_wal_database_copied_alone_reads_and_grows_nothing),
		T(a_reader_sees_what_a_living_writer_has_acknowledged),
		T(opening_for_reading_keeps_the_locks_of_this_process),
		T(a_writer_waits_for_another_to_finish),
		T(a_full_disk_is_named_and_costs_one_trial),
		T(a_limit_on_file_sizes_is_a_full_disk),
		T(a_locked_database_is_named_after_the_waiting_time),
		T(running_out_of_memory_anywhere_is_an_error_and_no_damage),
		T(every_acknowledged_trial_survives_a_kill),
		T(a_writer_killed_while_it_creates_leaves_something_usable),
		T(two_writers_may_create_one_database),
		T(two_writers_at_once_both_complete),
		T(writers_that_come_and_go_do_not_meet_in_the_door),
	};
	return cmocka_run_group_tests_name("store faults", tests, NULL, NULL);
}
