/* Joining databases: what is copied, what counts as the same run, what is refused. */
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

static const char id_a[] = "aaaa0000000000000000000000000001";
static const char id_b[] = "bbbb0000000000000000000000000002";

#define assert_ok(f, call)                            \
	do {                                          \
		if (call)                             \
			fail_msg("%s", (f)->err.msg); \
	} while (0)

/* The database NAME of the fixture's folder. Lives until the next call but three. */
static const char *at(const struct fixture *f, const char *name)
{
	static char path[4][FIXTURE_PATH_MAX];
	static int next;
	char *out = path[next++ % 4];

	snprintf(out, FIXTURE_PATH_MAX, "%.256s/%s.db", f->dir, name);
	return out;
}

static struct sb_store *open_db(struct fixture *f, const char *name, enum sb_store_mode mode)
{
	struct sb_store *st = NULL;

	if (sb_store_open(at(f, name), mode, &st, &f->err))
		fail_msg("%s", f->err.msg);
	return st;
}

static void sql(struct fixture *f, const char *name, const char *statement)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open_v2(at(f, name), &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_exec(db, statement, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", statement, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void copy(struct fixture *f, const char *from, const char *to)
{
	size_t n;
	unsigned char *data = fixture_read_file(at(f, from), &n);

	assert_non_null(data);
	fixture_write_file(at(f, to), data, n);
	free(data);
}

/* A timing trial behind what there is, with a name and a blob of its own. */
static enum sb_status add_late_trial(struct fixture *f, struct sb_store *st, int64_t run, int64_t worker, double value)
{
	const struct sb_sample samples[] = { { "wall_ns", sb_value_of(value) }, { "late", sb_value_absent("no clock") },
		{ "zero", sb_value_of(-0.0) } };
	const struct sb_trial_row t = { .worker = worker,
		.arm = 1,
		.block = 9,
		.kind = "timing",
		.outcome = "failed",
		.message = "because",
		.samples = samples,
		.n_samples = SB_ARRAY_LEN(samples),
		.timeline = { "\0\1\2", 3, 7, 1 } };

	return sb_store_add_trial(st, run, &t, &f->err);
}

/*
 * A run with two trace trials and a late one whose value is `value` (0: not there), of one worker that has ended, and
 * `status` ("running": not ended). Other names are put in front, so that keys differ from those of other databases.
 */
static void make(struct fixture *f, const char *name, const char *id, double value, const char *status)
{
	struct sb_store *st = open_db(f, name, SB_STORE_WRITE);
	const struct sb_fact fact = { "stop.reason", status, NULL };
	int64_t run, worker;

	assert_ok(f, fixture_begin_run(st, id, &run, &worker, &f->err));
	assert_ok(f, fixture_add_trial(st, run, worker, 0, 0, &f->err));
	assert_ok(f, fixture_add_trial(st, run, worker, 1, 0, &f->err));
	if (value != 0.0)
		assert_ok(f, add_late_trial(f, st, run, worker, value));
	assert_ok(f, sb_store_add_fact(st, run, &fact, &f->err));
	if (strcmp(status, "running") != 0) {
		assert_ok(f, sb_store_end_worker(st, worker, "exit", &f->err));
		assert_ok(f, sb_store_end_run(st, run, status, &f->err));
	}
	sb_store_close(st);
}

/* Keys that other databases have for something else. */
static void shift_keys(struct fixture *f, const char *name)
{
	sb_store_close(open_db(f, name, SB_STORE_WRITE));
	sql(f, name,
	        "INSERT INTO name (text) VALUES ('other'), ('kernel_b');"
	        "INSERT INTO metric (name) VALUES ('other'), ('metric.7');"
	        "INSERT INTO launch (grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, registers) "
	        "VALUES (1, 1, 1, 32, 1, 1, 0, 16)");
}

static enum sb_status merge(
        struct fixture *f, const char *into_name, const char *from_name, struct sb_store_merged *out)
{
	struct sb_store *into = open_db(f, into_name, SB_STORE_WRITE), *from = open_db(f, from_name, SB_STORE_READ);
	enum sb_status status = sb_store_merge(into, from, out, &f->err);

	sb_store_close(from);
	if (!status)
		assert_ok(f, sb_store_check(into, &f->err));
	sb_store_close(into);
	return status;
}

static void expect(struct fixture *f, const char *into, const char *from, int64_t added, int64_t extended, int64_t same,
        int64_t older)
{
	struct sb_store_merged m;

	if (merge(f, into, from, &m))
		fail_msg("%s", f->err.msg);
	assert_int_equal(m.runs, added + extended + same + older);
	assert_int_equal(m.added, added);
	assert_int_equal(m.extended, extended);
	assert_int_equal(m.same, same);
	assert_int_equal(m.older, older);
}

/* Every row of a database in words, without its keys. To be freed. */
static char *dump(struct fixture *f, const char *name)
{
	static const char *const queries[] = {
		"SELECT uid, status, created_ns, ended_ns, command, note, plan, seed FROM run ORDER BY uid",
		"SELECT uid, key, value, absent FROM fact JOIN run ON run.id = run ORDER BY uid, key",
		"SELECT uid, workload, preset, params, clip_digest, weights_kind, weights_digest FROM run_case "
		"JOIN run ON run.id = run ORDER BY uid",
		"SELECT uid, idx, name, levels FROM arm JOIN run ON run.id = run ORDER BY uid, idx",
		"SELECT uid, arm, part, level FROM arm_level JOIN run ON run.id = run ORDER BY uid, arm, part",
		"SELECT uid, exe, build_id, pid, purpose, device_name, device_uuid, started_ns, worker.ended_ns, "
		"ending "
		"FROM worker JOIN run ON run.id = run ORDER BY uid, worker.id",
		"SELECT uid, arm, block, position, kind, trial.started_ns, outcome, message, trace_complete, trace_n "
		"FROM trial JOIN run ON run.id = run ORDER BY uid, trial.id",
		"SELECT run, block, trial, metric, typeof(value), value, absent FROM sample_text ORDER BY 1, 2, 3, 4",
		"SELECT stage, op, kind, name, count, dur_ns, bytes FROM rollup_text ORDER BY trial, name",
		"SELECT start_delta_ns, dur_ns, name, stage, op, op_call, stream, correlation, grid_x, block_x, "
		"shared_bytes, "
		"registers FROM trace_text ORDER BY trial, row",
		"SELECT name, machine, case_key, uid, arm, exe, exe_digest, baseline.created_ns FROM baseline "
		"JOIN run ON run.id = run ORDER BY 1, 2, 3",
		"SELECT machine, case_key, levels, metric, uid, calibration.created_ns, figures FROM calibration "
		"JOIN run ON run.id = run ORDER BY 1, 2, 3, 4",
		"SELECT events, cut, hex(data) FROM memory_timeline ORDER BY trial",
	};
	struct sb_buf out = { 0 };
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open_v2(at(f, name), &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	for (size_t i = 0; i < SB_ARRAY_LEN(queries); i++) {
		sqlite3_stmt *s = NULL;

		assert_int_equal(sqlite3_prepare_v2(db, queries[i], -1, &s, NULL), SQLITE_OK);
		while (sqlite3_step(s) == SQLITE_ROW)
			for (int c = 0; c < sqlite3_column_count(s); c++) {
				const char *text = (const char *)sqlite3_column_text(s, c);

				/* the key of a trial is another one in every database */
				if (strcmp(sqlite3_column_name(s, c), "trial") != 0)
					sb_buf_addf(&out, "%s|", text ? text : "NULL");
			}
		sqlite3_finalize(s);
		sb_buf_puts(&out, "\n");
	}
	sqlite3_close(db);
	assert_false(out.failed);
	return out.s;
}

static void expect_equal(struct fixture *f, const char *a, const char *b)
{
	char *x = dump(f, a), *y = dump(f, b);

	assert_string_equal(x, y);
	free(x);
	free(y);
}

/* ---- copies ------------------------------------------------------------------------------------------------------ */

static void a_run_is_the_same_in_a_database_that_has_other_keys(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	make(f, "a", id_a, 5.5, "complete");
	shift_keys(f, "out");
	before = fixture_hash_file(at(f, "a"));
	expect(f, "out", "a", 1, 0, 0, 0);
	expect_equal(f, "a", "out");
	assert_true(fixture_hash_file(at(f, "a")) == before);
	assert_int_equal(fixture_count(f->dir), 2);
}

static void merging_again_and_back_changes_nothing(void **state)
{
	struct fixture *f = *state;

	make(f, "a", id_a, 5.5, "complete");
	make(f, "b", id_b, 7.5, "interrupted");
	expect(f, "out", "a", 1, 0, 0, 0);
	expect(f, "out", "b", 1, 0, 0, 0);
	expect(f, "out", "a", 0, 0, 1, 0);
	expect(f, "out", "b", 0, 0, 1, 0);
	expect(f, "a", "out", 1, 0, 1, 0);
	expect(f, "b", "a", 1, 0, 1, 0);
	expect_equal(f, "a", "out");
	expect_equal(f, "b", "out");
	expect(f, "out", "b", 0, 0, 2, 0);
}

static void an_older_format_is_merged_as_it_is(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	make(f, "old", id_a, 0, "complete");
	copy(f, "old", "new");
	sql(f, "new", "UPDATE trace SET op_call = NULL");
	sql(f, "old",
	        "DROP VIEW trace_text; ALTER TABLE trace DROP COLUMN op_call; DROP TABLE memory_timeline; "
	        "DROP TABLE baseline; DROP TABLE calibration; PRAGMA user_version = 1");
	before = fixture_hash_file(at(f, "old"));
	expect(f, "out", "old", 1, 0, 0, 0);
	expect_equal(f, "out", "new");
	expect(f, "out", "old", 0, 0, 1, 0);
	expect(f, "out", "new", 0, 0, 1, 0);
	assert_true(fixture_hash_file(at(f, "old")) == before);
}

/* ---- baselines and calibrations ---------------------------------------------------------------------------------- */

static void set_baseline(
        struct fixture *f, const char *db, const char *name, const char *machine, const char *exe, int64_t when)
{
	struct sb_store *st = open_db(f, db, SB_STORE_WRITE);
	struct sb_baseline b = { .name = (char *)name,
		.machine = (char *)machine,
		.case_key = (char *)"case",
		.arm = 1,
		.exe = (char *)exe,
		.exe_digest = (char *)"",
		.created_ns = when };
	struct sb_calibration c = { .machine = (char *)machine,
		.case_key = (char *)"case",
		.levels = (char *)"levels",
		.metric = (char *)"wall_ns",
		.figures = (char *)exe,
		.created_ns = when };

	assert_ok(f, sb_store_find_run(st, NULL, &b.run, &f->err));
	c.run = b.run;
	assert_ok(f, sb_store_set_baseline(st, &b, &f->err));
	assert_ok(f, sb_store_set_calibration(st, &c, &f->err));
	sb_store_close(st);
}

static void the_newer_baseline_of_a_machine_and_case_is_kept(void **state)
{
	struct fixture *f = *state;
	struct sb_store_merged m;

	make(f, "a", id_a, 0, "complete");
	make(f, "b", id_b, 0, "complete");
	set_baseline(f, "a", "main", "box 1", "/a", 10);
	set_baseline(f, "b", "main", "box 1", "/b", 20);
	set_baseline(f, "b", "main", "box 2", "/b2", 5);
	shift_keys(f, "out");
	assert_ok(f, merge(f, "out", "b", &m));
	assert_true(m.baselines == 2 && m.calibrations == 2);
	expect_equal(f, "out", "b");
	assert_ok(f, merge(f, "out", "a", &m)); /* its baseline is older, its run is new */
	assert_true(m.added == 1 && m.baselines == 0 && m.calibrations == 0);
	assert_ok(f, merge(f, "a", "b", &m));
	assert_true(m.added == 1 && m.baselines == 2 && m.calibrations == 2);
	expect_equal(f, "a", "out");
	assert_ok(f, merge(f, "a", "out", &m));
	assert_true(m.same == 2 && m.baselines == 0 && m.calibrations == 0);
}

/* ---- states of one run ------------------------------------------------------------------------------------------- */

static void the_later_state_of_a_run_wins(void **state)
{
	struct fixture *f = *state;
	int64_t run, worker;
	struct sb_store *st;
	const struct sb_fact fact = { "stop.reason", "budget", NULL };

	make(f, "early", id_a, 0, "running");
	copy(f, "early", "late");
	st = open_db(f, "late", SB_STORE_WRITE);
	assert_ok(f, sb_store_find_run(st, id_a, &run, &f->err));
	assert_ok(f, sb_store_end_worker(st, 1, "exit", &f->err));
	assert_ok(f, sb_store_add_worker(st, run,
	                     &(struct sb_worker_row){ "/bin/spabench", "b1", 78, "timing", "cpu", NULL, 50 }, &worker,
	                     &f->err));
	assert_ok(f, add_late_trial(f, st, run, worker, 3.25));
	assert_ok(f, sb_store_add_fact(st, run, &fact, &f->err));
	assert_ok(f, sb_store_end_run(st, run, "complete", &f->err));
	sb_store_close(st);

	shift_keys(f, "out");
	expect(f, "out", "early", 1, 0, 0, 0);
	expect_equal(f, "out", "early");
	expect(f, "out", "late", 0, 1, 0, 0);
	expect_equal(f, "out", "late");
	expect(f, "out", "early", 0, 0, 0, 1);
	expect_equal(f, "out", "late");
}

static void a_run_that_only_ended_since_is_the_later_state(void **state)
{
	struct fixture *f = *state;
	struct sb_store *st;

	make(f, "early", id_a, 1, "running");
	copy(f, "early", "late");
	st = open_db(f, "late", SB_STORE_WRITE);
	assert_ok(f, sb_store_end_run(st, 1, "failed", &f->err));
	sb_store_close(st);
	expect(f, "early", "late", 0, 1, 0, 0);
	expect_equal(f, "early", "late");
	expect(f, "late", "early", 0, 0, 1, 0);
}

static void two_ways_on_from_one_state_are_refused(void **state)
{
	struct fixture *f = *state;
	struct sb_store_merged m;
	char *before, *after;

	make(f, "a", id_a, 111.5, "complete");
	copy(f, "a", "b");
	sql(f, "b", "UPDATE sample SET value = 112.5 WHERE value = 111.5");
	before = dump(f, "a");
	assert_int_equal(merge(f, "a", "b", &m), SB_E_DATA);
	assert_non_null(strstr(f->err.msg, id_a));
	assert_non_null(strstr(f->err.msg, "(trial 3: samples)"));
	after = dump(f, "a");
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* What one statement changes in a copy, and how the refusal calls it. NULL: it is no difference. */
static void every_difference_is_found(void **state)
{
	static const struct {
		const char *change, *called;
	} cases[] = {
		{ "UPDATE run SET note = 'x'", "command, note, plan or seed" },
		{ "UPDATE run SET seed = 2", "command, note, plan or seed" },
		{ "UPDATE run SET status = 'failed'", "status" },
		{ "UPDATE fact SET value = 'x'", "facts" },
		{ "UPDATE fact SET key = 'x'", "facts" },
		{ "UPDATE run_case SET params = '{ }'", "case" },
		{ "UPDATE arm SET levels = 'alloc=default' WHERE idx = 1", "arms" },
		{ "UPDATE arm_level SET level = 'x' WHERE arm = 1", "levels of the arms" },
		{ "UPDATE worker SET device_uuid = 'x'", "worker 1: what it was" },
		{ "UPDATE worker SET ending = 'x'", "worker 1: what it was" },
		{ "UPDATE trial SET position = 1 WHERE id = 2", "trial 2: when it ran and how it ended" },
		{ "UPDATE trial SET message = NULL WHERE id = 3", "trial 3: when it ran and how it ended" },
		{ "DELETE FROM sample WHERE trial = 2 AND metric = 1", "trial 2: samples" },
		{ "UPDATE sample SET value = 0.0 WHERE typeof(value) = 'real' AND value = 0", "trial 3: samples" },
		{ "UPDATE sample SET absent = 'x' WHERE absent IS NOT NULL", "trial 3: samples" },
		{ "UPDATE metric SET name = 'metric.x' WHERE name = 'metric.3'", "trial 1: samples" },
		{ "UPDATE rollup SET bytes = 1 WHERE trial = 2", "trial 2: roll-up" },
		{ "UPDATE trace SET stream = 8 WHERE id = 33", "trial 2: trace" },
		{ "UPDATE trace SET launch = NULL WHERE id = 33", "trial 2: trace" },
		{ "UPDATE trace SET correlation = NULL WHERE id = 3", "trial 1: trace" },
		{ "UPDATE launch SET registers = 41", "trial 1: trace" },
		{ "UPDATE name SET text = 'kernel_c' WHERE text = 'kernel_b'", "trial 1: roll-up" },
		{ "UPDATE memory_timeline SET data = x'000103'", "trial 3: memory timeline" },
		{ "UPDATE trial SET trace_first = NULL, trace_n = 0 WHERE id = 2; DELETE FROM trace WHERE id > 20",
		        "trial 2: when it ran" },
	};
	struct fixture *f = *state;
	struct sb_store_merged m;
	char path[FIXTURE_PATH_MAX];

	make(f, "a", id_a, 1.5, "complete");
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		copy(f, "a", "b");
		sql(f, "b", cases[i].change);
		if (merge(f, "a", "b", &m) != SB_E_DATA)
			fail_msg("not found: %s", cases[i].change);
		if (!strstr(f->err.msg, cases[i].called))
			fail_msg("%s: %s", cases[i].change, f->err.msg);
	}
	snprintf(path, sizeof(path), "%s", at(f, "b"));
	assert_int_equal(unlink(path), 0);
	expect(f, "a", "a", 0, 0, 1, 0);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void a_damaged_database_is_refused_before_anything_is_merged(void **state)
{
	static const char *const damage[] = {
		"UPDATE rollup SET count = 99 WHERE trial = 4",
		"PRAGMA foreign_keys = OFF; DELETE FROM arm WHERE run = 2 AND idx = 1",
		"DELETE FROM trace WHERE id = 7",
		"UPDATE sample SET value = 'fast' WHERE value = 0.5",
	};
	struct fixture *f = *state;
	struct sb_store_merged m;
	struct sb_run_lines runs;
	struct sb_store *st;

	make(f, "good", id_a, 0, "complete");
	make(f, "good", id_b, 0, "complete");
	for (size_t i = 0; i < SB_ARRAY_LEN(damage); i++) {
		copy(f, "good", "bad");
		sql(f, "bad", damage[i]);
		if (merge(f, "out", "bad", &m) != SB_E_DATA)
			fail_msg("merged: %s", damage[i]);
		assert_non_null(strstr(f->err.msg, "bad.db"));
		assert_int_equal(m.added, 0);
	}
	st = open_db(f, "out", SB_STORE_READ);
	assert_ok(f, sb_store_list_runs(st, &runs, &f->err));
	assert_int_equal(runs.n, 0);
	sb_run_lines_release(&runs);
	sb_store_close(st);
}

static void a_run_that_finds_no_room_is_not_there_at_all(void **state)
{
	struct fixture *f = *state;
	struct sb_store *into, *from;
	struct sb_store_merged m;
	struct sb_run_lines runs;
	int64_t run, worker;
	int refused = 0;

	from = open_db(f, "a", SB_STORE_WRITE);
	assert_ok(f, fixture_begin_run(from, id_a, &run, &worker, &f->err));
	for (int i = 0; i < 60; i++)
		assert_ok(f, fixture_add_trial(from, run, worker, i % 2, i / 2, &f->err));
	into = open_db(f, "out", SB_STORE_WRITE);
	for (int pages = 1;; pages++) {
		char limit[64];

		snprintf(limit, sizeof(limit), "PRAGMA max_page_count = %d", pages);
		assert_int_equal(sqlite3_exec(into->db, limit, NULL, NULL, NULL), SQLITE_OK);
		if (!sb_store_merge(into, from, &m, &f->err))
			break;
		refused++;
		assert_int_equal(m.added, 0);
		assert_non_null(strstr(f->err.msg, "no space left for database"));
		assert_ok(f, sb_store_list_runs(into, &runs, &f->err));
		assert_int_equal(runs.n, 0);
		sb_run_lines_release(&runs);
	}
	assert_true(refused > 3);
	assert_ok(f, sb_store_check(into, &f->err));
	sb_store_close(into);
	sb_store_close(from);
	expect_equal(f, "a", "out");
}

/* SQLite's allocator, which gives nothing any more after `allocations_left`. */
static sqlite3_mem_methods real_memory;
static int64_t allocations_left;
#define PLENTY (INT64_MAX / 2)

static void *scarce_malloc(int n)
{
	return allocations_left-- <= 0 ? NULL : real_memory.xMalloc(n);
}

static void *scarce_realloc(void *p, int n)
{
	return allocations_left-- <= 0 ? NULL : real_memory.xRealloc(p, n);
}

static bool make_memory_scarce(void)
{
	sqlite3_mem_methods scarce;

	if (sqlite3_shutdown() != SQLITE_OK || sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK)
		return false;
	scarce = real_memory;
	scarce.xMalloc = scarce_malloc;
	scarce.xRealloc = scarce_realloc;
	allocations_left = PLENTY;
	return sqlite3_config(SQLITE_CONFIG_MALLOC, &scarce) == SQLITE_OK && sqlite3_initialize() == SQLITE_OK;
}

/* Merges "a" into "NAME" with ever more memory until it is enough. What fails must say so and leave the target whole.
 */
static int merge_with_little(struct fixture *f, const char *name, enum sb_status *last)
{
	struct sb_store_merged m;
	int failures = 0;

	*last = SB_E_NOMEM;
	for (int64_t n = 0; *last && n < 100000; n += 1 + n / 30) {
		struct sb_store *into = NULL, *from = NULL;

		if (sb_store_open(at(f, name), SB_STORE_WRITE, &into, &f->err) ||
		        sb_store_open(at(f, "a"), SB_STORE_READ, &from, &f->err))
			return -1;
		f->err.code = SB_OK;
		allocations_left = n;
		*last = sb_store_merge(into, from, &m, &f->err);
		allocations_left = PLENTY;
		failures += *last != SB_OK;
		if (*last && f->err.code == SB_OK)
			return -2;
		sb_store_close(from);
		sb_store_close(into); /* with a transaction that there was no memory to roll back, perhaps */
		if (sb_store_open(at(f, name), SB_STORE_READ, &into, &f->err) || sb_store_check(into, &f->err))
			return -3;
		sb_store_close(into);
	}
	return failures;
}

/* In a child: the allocator is changed for good. */
static void memory_that_runs_out_anywhere_is_an_error_and_no_damage(void **state)
{
	struct fixture *f = *state;
	enum sb_status last;
	int ws = 0, how;
	pid_t pid;

	make(f, "a", id_a, 5.5, "complete");
	sb_store_close(open_db(f, "out", SB_STORE_WRITE));
	copy(f, "a", "same");
	make(f, "early", id_a, 0, "running");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		how = make_memory_scarce() ? 0 : 10;
		if (!how && (merge_with_little(f, "out", &last) < 50 || last))
			how = 11;
		if (!how && (merge_with_little(f, "same", &last) < 50 || last))
			how = 12;
		if (!how && (merge_with_little(f, "early", &last) < 50 || last))
			how = 13;
		if (how)
			fprintf(stderr, "%d: %s\n", how, f->err.msg);
		_exit(how);
	}
	assert_int_equal(waitpid(pid, &ws, 0), pid);
	assert_int_equal(ws, 0);
	expect_equal(f, "a", "out");
	expect_equal(f, "a", "same");
	expect_equal(f, "a", "early");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(a_run_is_the_same_in_a_database_that_has_other_keys),
		T(merging_again_and_back_changes_nothing),
		T(an_older_format_is_merged_as_it_is),
		T(the_newer_baseline_of_a_machine_and_case_is_kept),
		T(the_later_state_of_a_run_wins),
		T(a_run_that_only_ended_since_is_the_later_state),
		T(two_ways_on_from_one_state_are_refused),
		T(every_difference_is_found),
		T(a_damaged_database_is_refused_before_anything_is_merged),
		T(a_run_that_finds_no_room_is_not_there_at_all),
		T(memory_that_runs_out_anywhere_is_an_error_and_no_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
