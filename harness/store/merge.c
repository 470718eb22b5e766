/*
 * Joining databases: every run of one into another, rows as they are, with keys of this database. Metrics, names and
 * launch shapes stand once in a database, so theirs are looked up by what they say. Rows are read and written one by
 * one, so that a run may be larger than memory.
 */
#include "merge_internal.h"

#include <stdlib.h>
#include <string.h>

/* Rows of a trial's trace. call: the column of the op's call. */
#define SELECT_TRACE(call)                                                                             \
	"SELECT start_delta_ns, dur_ns, stream, correlation, " call ", trace.name, stage, op, launch " \
	"FROM trial CROSS JOIN trace ON trace.id >= trial.trace_first "                                \
	"AND trace.id < trial.trace_first + trial.trace_n WHERE trial.id = ?1 ORDER BY trace.id"

static const char *const read_sql[SB_MERGE_ROWS_COUNT] = {
	[SB_MERGE_RUN] = "SELECT uid, created_ns, command, note, plan, seed, status, ended_ns FROM run WHERE id = ?1",
	[SB_MERGE_FACTS] = "SELECT key, value, absent FROM fact WHERE run = ?1 ORDER BY key",
	[SB_MERGE_CASE] = "SELECT workload, preset, params, clip_digest, weights_kind, weights_digest FROM run_case "
	                  "WHERE run = ?1",
	[SB_MERGE_ARMS] = "SELECT idx, name, levels FROM arm WHERE run = ?1 ORDER BY idx",
	[SB_MERGE_LEVELS] = "SELECT arm, part, level FROM arm_level WHERE run = ?1 ORDER BY arm, part",
	[SB_MERGE_WORKER] =
	        "SELECT exe, build_id, pid, purpose, device_name, device_uuid, started_ns, ended_ns, ending "
	        "FROM worker WHERE id = ?1",
	[SB_MERGE_TRIAL] = "SELECT arm, block, position, kind, started_ns, outcome, message, trace_complete, trace_n, "
	                   "worker FROM trial WHERE id = ?1",
	[SB_MERGE_SAMPLES] = "SELECT metric.name, value, absent FROM sample JOIN metric ON metric.id = sample.metric "
	                     "WHERE trial = ?1 ORDER BY metric.name",
	[SB_MERGE_ROLLUP] =
	        "SELECT idx, s.text, o.text, k.text, n.text, count, dur_ns, bytes "
	        "FROM rollup LEFT JOIN name n ON n.id = rollup.name LEFT JOIN name s ON s.id = rollup.stage "
	        "LEFT JOIN name o ON o.id = rollup.op LEFT JOIN name k ON k.id = rollup.kind "
	        "WHERE trial = ?1 ORDER BY idx",
	[SB_MERGE_TIMELINE] = "SELECT events, cut, data FROM memory_timeline WHERE trial = ?1",
	[SB_MERGE_TRACE] = SELECT_TRACE("op_call"),
};

/* The same of a file that has no such column. */
static const char read_trace_3[] = SELECT_TRACE("NULL");

const int sb_merge_fixed_columns[SB_MERGE_ROWS_COUNT] = {
	[SB_MERGE_RUN] = 6,
	[SB_MERGE_FACTS] = 3,
	[SB_MERGE_CASE] = 6,
	[SB_MERGE_ARMS] = 3,
	[SB_MERGE_LEVELS] = 3,
	[SB_MERGE_WORKER] = 7,
	[SB_MERGE_TRIAL] = 9,
	[SB_MERGE_SAMPLES] = 3,
	[SB_MERGE_ROLLUP] = 8,
	[SB_MERGE_TIMELINE] = 3,
	[SB_MERGE_TRACE] = SB_MERGE_TRACE_NAME,
};

/* The run's id first; the columns behind it as they are added. What is newer takes the place of what is older. */
#define NEWER(table, key, columns) \
	"ON CONFLICT (" key ") DO UPDATE SET " columns " WHERE excluded.created_ns > " table ".created_ns"

static const char *const merge_sql[SB_MERGE_SQL_COUNT] = {
	/* In the order in which metrics were first stored: tables show stages in it. */
	[SB_MERGE_KEPT_SAMPLES] =
	        "SELECT metric.name, value, absent FROM sample JOIN metric ON metric.id = sample.metric "
	        "WHERE trial = ?1 ORDER BY sample.metric",
	[SB_MERGE_ALL_RUNS] = "SELECT id, uid FROM run WHERE id > ?1 ORDER BY id LIMIT 1",
	[SB_MERGE_FIND_RUN] = "SELECT id FROM run WHERE uid = ?1",
	[SB_MERGE_LIST_WORKERS] = "SELECT id, ended_ns IS NOT NULL FROM worker WHERE run = ?1 ORDER BY id",
	[SB_MERGE_LIST_TRIALS] = "SELECT id FROM trial WHERE run = ?1 ORDER BY id",
	[SB_MERGE_NAME_IDS] = "SELECT id FROM name ORDER BY id",
	[SB_MERGE_NAME_TEXT] = "SELECT text FROM name WHERE id = ?1",
	[SB_MERGE_LAUNCH_IDS] = "SELECT id FROM launch ORDER BY id",
	[SB_MERGE_LAUNCH_SHAPE] = "SELECT grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, registers "
	                          "FROM launch WHERE id = ?1",
	[SB_MERGE_ADD_RUN] = "INSERT INTO run (uid, created_ns, command, note, plan, seed, status, ended_ns) "
	                     "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[SB_MERGE_UPDATE_RUN] = "UPDATE run SET status = ?2, ended_ns = ?3 WHERE id = ?1",
	[SB_MERGE_DROP_FACTS] = "DELETE FROM fact WHERE run = ?1",
	[SB_MERGE_ADD_FACT] = "INSERT INTO fact (run, key, value, absent) VALUES (?1, ?2, ?3, ?4)",
	[SB_MERGE_ADD_CASE] =
	        "INSERT INTO run_case (run, workload, preset, params, clip_digest, weights_kind, weights_digest) "
	        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SB_MERGE_ADD_ARM] = "INSERT INTO arm (run, idx, name, levels) VALUES (?1, ?2, ?3, ?4)",
	[SB_MERGE_ADD_LEVEL] = "INSERT INTO arm_level (run, arm, part, level) VALUES (?1, ?2, ?3, ?4)",
	[SB_MERGE_ADD_WORKER] = "INSERT INTO worker (run, exe, build_id, pid, purpose, device_name, device_uuid, "
	                        "started_ns, ended_ns, ending) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[SB_MERGE_UPDATE_WORKER] = "UPDATE worker SET ended_ns = ?2, ending = ?3 WHERE id = ?1",
	[SB_MERGE_ADD_TRIAL] =
	        "INSERT INTO trial (run, arm, block, position, kind, started_ns, outcome, message, trace_complete, "
	        "trace_n, worker, trace_first) "
	        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, iif(?10 > 0, "
	        "(SELECT coalesce(max(id), 0) + 1 FROM trace), NULL))",
	[SB_MERGE_ADD_SAMPLE] = "INSERT INTO sample (trial, metric, value, absent) VALUES (?1, ?2, ?3, ?4)",
	[SB_MERGE_ADD_ROLLUP] = "INSERT INTO rollup (trial, idx, stage, op, kind, name, count, dur_ns, bytes) "
	                        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[SB_MERGE_ADD_TIMELINE] = "INSERT INTO memory_timeline (trial, events, cut, data) VALUES (?1, ?2, ?3, ?4)",
	[SB_MERGE_BASELINES] = "SELECT uid, name, machine, case_key, arm, exe, exe_digest, baseline.created_ns "
	                       "FROM baseline JOIN run ON run.id = baseline.run",
	[SB_MERGE_ADD_BASELINE] =
	        "INSERT INTO baseline (run, name, machine, case_key, arm, exe, exe_digest, created_ns) "
	        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) " NEWER("baseline", "name, machine, case_key",
	                "run = excluded.run, arm = excluded.arm, exe = excluded.exe, "
	                "exe_digest = excluded.exe_digest, created_ns = excluded.created_ns"),
	[SB_MERGE_CALIBRATIONS] = "SELECT uid, machine, case_key, levels, metric, calibration.created_ns, figures "
	                          "FROM calibration JOIN run ON run.id = calibration.run",
	[SB_MERGE_ADD_CALIBRATION] =
	        "INSERT INTO calibration (run, machine, case_key, levels, metric, created_ns, figures) "
	        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) " NEWER("calibration", "machine, case_key, levels, metric",
	                "run = excluded.run, created_ns = excluded.created_ns, figures = excluded.figures"),
	/* Without an id: one more than the largest, where the trial's rows begin. */
	[SB_MERGE_ADD_TRACE] =
	        "INSERT INTO trace (trial, start_delta_ns, dur_ns, stream, correlation, op_call, name, stage, op, "
	        "launch) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
};

static const char what[] = "cannot merge";

/* ---- statements ------------------------------------------------------------------------------------------------- */

struct sb_store *sb_merge_side(struct sb_merge *m, int side)
{
	return side == SB_MERGE_INTO ? m->into : m->from;
}

/* *s is prepared at first use and kept. */
static enum sb_status prepare(
        struct sb_store *st, const char *text, int64_t key, sqlite3_stmt **s, struct sb_error *err)
{
	if (*s) {
		sqlite3_reset(*s);
		sqlite3_clear_bindings(*s);
	} else if (sqlite3_prepare_v3(st->db, text, -1, SQLITE_PREPARE_PERSISTENT, s, NULL) != SQLITE_OK) {
		return sqlite3_errcode(st->db) == SQLITE_ERROR ? sb_store_damaged(st, sqlite3_errmsg(st->db), err)
		                                               : sb_store_fail(st, what, err);
	}
	if (sqlite3_bind_parameter_count(*s))
		sb_store_bind_int(*s, 1, key);
	return SB_OK;
}

enum sb_status sb_merge_stmt(
        struct sb_merge *m, int side, enum sb_merge_sql which, int64_t key, sqlite3_stmt **out, struct sb_error *err)
{
	enum sb_status status = prepare(sb_merge_side(m, side), merge_sql[which], key, &m->sql[side][which], err);

	*out = m->sql[side][which];
	return status;
}

enum sb_status sb_merge_read(
        struct sb_merge *m, int side, enum sb_merge_rows which, int64_t key, sqlite3_stmt **out, struct sb_error *err)
{
	struct sb_store *st = sb_merge_side(m, side);
	const char *text = read_sql[which];
	enum sb_status status;

	*out = NULL;
	if (which == SB_MERGE_TIMELINE && st->version < SB_STORE_TIMELINE_VERSION)
		return SB_OK;
	if (which == SB_MERGE_TRACE && st->version < SB_STORE_OP_CALL_VERSION)
		text = read_trace_3;
	status = prepare(st, text, key, &m->read[side][which], err);
	*out = m->read[side][which];
	return status;
}

bool sb_merge_step(struct sb_merge *m, int side, sqlite3_stmt *s, enum sb_status *status, struct sb_error *err)
{
	*status = SB_OK;
	return s && sb_store_row(sb_merge_side(m, side), s, what, status, err);
}

static enum sb_status write_row(struct sb_merge *m, sqlite3_stmt *s, struct sb_error *err)
{
	return sb_store_step(m->into, s, what, err);
}

/* Columns first .. first + n - 1 of a row as parameters from `at` on. */
static enum sb_status bind_columns(
        struct sb_merge *m, sqlite3_stmt *row, int first, int n, sqlite3_stmt *s, int at, struct sb_error *err)
{
	for (int i = 0; i < n; i++)
		if (sqlite3_bind_value(s, at + i, sqlite3_column_value(row, first + i)) != SQLITE_OK)
			return sb_store_no_memory(m->into, err);
	return SB_OK;
}

/* A text that is never NULL in the table: so memory ran out. */
static enum sb_status text_of(struct sb_store *st, sqlite3_stmt *row, int col, const char **out, struct sb_error *err)
{
	*out = (const char *)sqlite3_column_text(row, col);
	return *out ? SB_OK : sb_store_no_memory(st, err);
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	const struct sb_merge_key *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

static enum sb_status read_keys(
        struct sb_merge *m, enum sb_merge_sql which, struct sb_merge_keys *out, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;

	status = sb_merge_stmt(m, SB_MERGE_FROM, which, 0, &s, err);
	while (!status && sb_merge_step(m, SB_MERGE_FROM, s, &status, err)) {
		if (!sb_store_grow(&out->v, &out->cap, out->n, sizeof(*out->v))) {
			sqlite3_reset(s);
			return sb_store_no_memory(m->from, err);
		}
		out->v[out->n++] = (struct sb_merge_key){ .from = sqlite3_column_int64(s, 0) };
	}
	return status;
}

/* The row of the source that has this key, not stepped beyond: reset it. */
static enum sb_status source_row(
        struct sb_merge *m, enum sb_merge_sql which, int64_t key, sqlite3_stmt **s, struct sb_error *err)
{
	enum sb_status status = sb_merge_stmt(m, SB_MERGE_FROM, which, key, s, err);

	if (!status && !sb_merge_step(m, SB_MERGE_FROM, *s, &status, err) && !status)
		status = sb_store_damaged(m->from, "a row names what is not there", err);
	return status;
}

static enum sb_status look_up_name(struct sb_merge *m, int64_t key, bool add, int64_t *out, struct sb_error *err)
{
	enum sb_status status;
	const char *text;
	sqlite3_stmt *s;

	status = source_row(m, SB_MERGE_NAME_TEXT, key, &s, err);
	if (status)
		return status;
	status = text_of(m->from, s, 0, &text, err);
	if (!status)
		status = sb_store_name_key(m->into, text, add, out, err);
	sqlite3_reset(s);
	return status;
}

static enum sb_status look_up_launch(struct sb_merge *m, int64_t key, bool add, int64_t *out, struct sb_error *err)
{
	struct sb_launch l;
	enum sb_status status;
	sqlite3_stmt *s;

	status = source_row(m, SB_MERGE_LAUNCH_SHAPE, key, &s, err);
	if (status)
		return status;
	for (int i = 0; i < 3; i++) {
		l.grid[i] = sqlite3_column_int(s, i);
		l.block[i] = sqlite3_column_int(s, 3 + i);
	}
	l.shared_bytes = sqlite3_column_int64(s, 6);
	l.registers = sqlite3_column_int(s, 7);
	sqlite3_reset(s);
	return sb_store_launch_key(m->into, &l, add, out, err);
}

static enum sb_status map_key(struct sb_merge *m, struct sb_merge_keys *keys,
        enum sb_status (*look_up)(struct sb_merge *m, int64_t key, bool add, int64_t *out, struct sb_error *err),
        int64_t key, bool add, int64_t *out, struct sb_error *err)
{
	const struct sb_merge_key wanted = { .from = key };
	struct sb_merge_key *k = keys->n ? bsearch(&wanted, keys->v, keys->n, sizeof(*k), by_key) : NULL;
	enum sb_status status = SB_OK;

	if (!k)
		return sb_store_damaged(m->from, "a trace row names what is not there", err);
	if (k->into == 0 || (k->into < 0 && add))
		status = look_up(m, key, add, &k->into, err);
	*out = k->into;
	return status;
}

enum sb_status sb_merge_name(struct sb_merge *m, int64_t key, bool add, int64_t *out, struct sb_error *err)
{
	return map_key(m, &m->names, look_up_name, key, add, out, err);
}

enum sb_status sb_merge_launch(struct sb_merge *m, int64_t key, bool add, int64_t *out, struct sb_error *err)
{
	return map_key(m, &m->launches, look_up_launch, key, add, out, err);
}

/* ---- copying ---------------------------------------------------------------------------------------------------- */

/* Rows whose columns are taken as they are, behind the key of what they belong to. */
static enum sb_status copy_rows(struct sb_merge *m, enum sb_merge_rows rows, enum sb_merge_sql add, int64_t from,
        int64_t into, struct sb_error *err)
{
	int n = sb_merge_fixed_columns[rows];
	enum sb_status status;
	sqlite3_stmt *row, *s;

	status = sb_merge_read(m, SB_MERGE_FROM, rows, from, &row, err);
	while (!status && sb_merge_step(m, SB_MERGE_FROM, row, &status, err)) {
		status = sb_merge_stmt(m, SB_MERGE_INTO, add, into, &s, err);
		if (!status)
			status = bind_columns(m, row, 0, n, s, 2, err);
		if (!status)
			status = write_row(m, s, err);
	}
	return status;
}

static enum sb_status copy_samples(struct sb_merge *m, int64_t from, int64_t into, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *row, *s;
	const char *text;
	int64_t metric;

	status = sb_merge_stmt(m, SB_MERGE_FROM, SB_MERGE_KEPT_SAMPLES, from, &row, err);
	while (!status && sb_merge_step(m, SB_MERGE_FROM, row, &status, err)) {
		status = text_of(m->from, row, 0, &text, err);
		if (!status)
			status = sb_store_metric_key(m->into, text, &metric, err);
		if (!status)
			status = sb_merge_stmt(m, SB_MERGE_INTO, SB_MERGE_ADD_SAMPLE, into, &s, err);
		if (status)
			break;
		sb_store_bind_int(s, 2, metric);
		status = bind_columns(m, row, 1, 2, s, 3, err);
		if (!status)
			status = write_row(m, s, err);
	}
	return status;
}

/* Columns 1 to 4 are names. */
static enum sb_status bind_rollup(struct sb_merge *m, sqlite3_stmt *row, sqlite3_stmt *s, struct sb_error *err)
{
	enum sb_status status = bind_columns(m, row, 0, 1, s, 2, err);

	for (int i = 1; !status && i <= 4; i++) {
		const char *text;
		int64_t key = 0;

		if (sqlite3_column_type(row, i) == SQLITE_NULL)
			continue;
		status = text_of(m->from, row, i, &text, err);
		if (!status)
			status = sb_store_name_key(m->into, text, true, &key, err);
		if (!status)
			sb_store_bind_int(s, 2 + i, key);
	}
	return status ? status : bind_columns(m, row, 5, 3, s, 7, err);
}

static enum sb_status copy_rollup(struct sb_merge *m, int64_t from, int64_t into, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *row, *s;

	status = sb_merge_read(m, SB_MERGE_FROM, SB_MERGE_ROLLUP, from, &row, err);
	while (!status && sb_merge_step(m, SB_MERGE_FROM, row, &status, err)) {
		status = sb_merge_stmt(m, SB_MERGE_INTO, SB_MERGE_ADD_ROLLUP, into, &s, err);
		if (!status)
			status = bind_rollup(m, row, s, err);
		if (!status)
			status = write_row(m, s, err);
	}
	return status;
}

static enum sb_status bind_trace(struct sb_merge *m, sqlite3_stmt *row, sqlite3_stmt *s, struct sb_error *err)
{
	enum sb_status status = bind_columns(m, row, 0, SB_MERGE_TRACE_NAME, s, 2, err);

	for (int i = SB_MERGE_TRACE_NAME; !status && i <= SB_MERGE_TRACE_LAUNCH; i++) {
		int64_t from = sqlite3_column_int64(row, i), key = 0;

		if (sqlite3_column_type(row, i) == SQLITE_NULL)
			continue;
		status = i == SB_MERGE_TRACE_LAUNCH ? sb_merge_launch(m, from, true, &key, err)
		                                    : sb_merge_name(m, from, true, &key, err);
		if (!status)
			sb_store_bind_int(s, 2 + i, key);
	}
	return status;
}

static enum sb_status copy_trace(struct sb_merge *m, int64_t from, int64_t into, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *row, *s;

	status = sb_merge_read(m, SB_MERGE_FROM, SB_MERGE_TRACE, from, &row, err);
	while (!status && sb_merge_step(m, SB_MERGE_FROM, row, &status, err)) {
		status = sb_merge_stmt(m, SB_MERGE_INTO, SB_MERGE_ADD_TRACE, into, &s, err);
		if (!status)
			status = bind_trace(m, row, s, err);
		if (!status)
			status = write_row(m, s, err);
	}
	return status;
}

static enum sb_status copy_trial_row(struct sb_merge *m, const struct sb_merge_run *from,
        const struct sb_merge_run *into, int64_t key, int64_t *out, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *row, *s;
	int64_t place;

	status = sb_merge_read(m, SB_MERGE_FROM, SB_MERGE_TRIAL, key, &row, err);
	if (!status && !sb_merge_step(m, SB_MERGE_FROM, row, &status, err) && !status)
		status = sb_store_damaged(m->from, "a trial is gone", err);
	if (!status)
		status = sb_merge_stmt(m, SB_MERGE_INTO, SB_MERGE_ADD_TRIAL, into->key, &s, err);
	if (!status)
		status = bind_columns(m, row, 0, 9, s, 2, err);
	if (!status)
		status = sb_merge_worker(m, SB_MERGE_FROM, from, sqlite3_column_int64(row, 9), &place, err);
	if (!status) {
		sb_store_bind_int(s, 11, into->workers.key[place]);
		status = write_row(m, s, err);
		*out = sqlite3_last_insert_rowid(m->into->db);
	}
	sqlite3_reset(row);
	return status;
}

static enum sb_status copy_trial(struct sb_merge *m, const struct sb_merge_run *from, const struct sb_merge_run *into,
        int64_t key, struct sb_error *err)
{
	int64_t trial = 0;
	enum sb_status status = copy_trial_row(m, from, into, key, &trial, err);

	if (!status)
		status = copy_samples(m, key, trial, err);
	if (!status)
		status = copy_rollup(m, key, trial, err);
	if (!status)
		status = copy_trace(m, key, trial, err);
	return status ? status : copy_rows(m, SB_MERGE_TIMELINE, SB_MERGE_ADD_TIMELINE, key, trial, err);
}

/* How those workers ended that `into` has already. */
static enum sb_status update_worker(struct sb_merge *m, int64_t from, int64_t into, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *row, *s;

	status = sb_merge_read(m, SB_MERGE_FROM, SB_MERGE_WORKER, from, &row, err);
	while (!status && sb_merge_step(m, SB_MERGE_FROM, row, &status, err)) {
		status = sb_merge_stmt(m, SB_MERGE_INTO, SB_MERGE_UPDATE_WORKER, into, &s, err);
		if (!status)
			status = bind_columns(m, row, 7, 2, s, 2, err);
		if (!status)
			status = write_row(m, s, err);
	}
	return status;
}

static enum sb_status copy_worker(struct sb_merge *m, int64_t from, struct sb_merge_run *into, struct sb_error *err)
{
	struct sb_merge_list *l = &into->workers;
	enum sb_status status;
	sqlite3_stmt *row, *s;

	if (!sb_store_grow(&l->key, &l->cap, l->n, sizeof(*l->key)))
		return sb_store_no_memory(m->into, err);
	status = sb_merge_read(m, SB_MERGE_FROM, SB_MERGE_WORKER, from, &row, err);
	while (!status && sb_merge_step(m, SB_MERGE_FROM, row, &status, err)) {
		status = sb_merge_stmt(m, SB_MERGE_INTO, SB_MERGE_ADD_WORKER, into->key, &s, err);
		if (!status)
			status = bind_columns(m, row, 0, 9, s, 2, err);
		if (!status)
			status = write_row(m, s, err);
		if (!status)
			l->key[l->n++] = sqlite3_last_insert_rowid(m->into->db);
	}
	return status;
}

static enum sb_status copy_run_row(struct sb_merge *m, int64_t from, int64_t *into, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *row, *s;

	status = sb_merge_read(m, SB_MERGE_FROM, SB_MERGE_RUN, from, &row, err);
	while (!status && sb_merge_step(m, SB_MERGE_FROM, row, &status, err)) {
		status = sb_merge_stmt(m, SB_MERGE_INTO, SB_MERGE_ADD_RUN, 0, &s, err);
		if (!status)
			status = bind_columns(m, row, 0, 8, s, 1, err);
		if (!status)
			status = write_row(m, s, err);
		*into = sqlite3_last_insert_rowid(m->into->db);
	}
	return status;
}

static enum sb_status begin_run(struct sb_merge *m, int64_t from, int64_t *into, struct sb_error *err)
{
	static const struct {
		enum sb_merge_rows rows;
		enum sb_merge_sql add;
	} parts[] = {
		{ SB_MERGE_FACTS, SB_MERGE_ADD_FACT },
		{ SB_MERGE_CASE, SB_MERGE_ADD_CASE },
		{ SB_MERGE_ARMS, SB_MERGE_ADD_ARM },
		{ SB_MERGE_LEVELS, SB_MERGE_ADD_LEVEL },
	};
	enum sb_status status = copy_run_row(m, from, into, err);

	for (size_t i = 0; !status && i < SB_ARRAY_LEN(parts); i++)
		status = copy_rows(m, parts[i].rows, parts[i].add, from, *into, err);
	return status;
}

/* The end of a run, and its facts, are the newer copy's. */
static enum sb_status update_run(struct sb_merge *m, int64_t from, int64_t into, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *row, *s;

	status = sb_merge_read(m, SB_MERGE_FROM, SB_MERGE_RUN, from, &row, err);
	while (!status && sb_merge_step(m, SB_MERGE_FROM, row, &status, err)) {
		status = sb_merge_stmt(m, SB_MERGE_INTO, SB_MERGE_UPDATE_RUN, into, &s, err);
		if (!status)
			status = bind_columns(m, row, 6, 2, s, 2, err);
		if (!status)
			status = write_row(m, s, err);
	}
	if (!status)
		status = sb_merge_stmt(m, SB_MERGE_INTO, SB_MERGE_DROP_FACTS, into, &s, err);
	if (!status)
		status = write_row(m, s, err);
	return status ? status : copy_rows(m, SB_MERGE_FACTS, SB_MERGE_ADD_FACT, from, into, err);
}

/* What `from` has beyond `into`, which may be nothing yet. */
static enum sb_status copy_rest(
        struct sb_merge *m, const struct sb_merge_run *from, struct sb_merge_run *into, struct sb_error *err)
{
	enum sb_status status = SB_OK;

	for (size_t i = 0; !status && i < into->workers.n; i++)
		status = update_worker(m, from->workers.key[i], into->workers.key[i], err);
	for (size_t i = into->workers.n; !status && i < from->workers.n; i++)
		status = copy_worker(m, from->workers.key[i], into, err);
	for (size_t i = into->trials.n; !status && i < from->trials.n; i++)
		status = copy_trial(m, from, into, from->trials.key[i], err);
	return status;
}

/* ---- runs ------------------------------------------------------------------------------------------------------- */

static enum sb_status find_run(struct sb_merge *m, const char *uid, int64_t *key, bool *found, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;

	status = sb_merge_stmt(m, SB_MERGE_INTO, SB_MERGE_FIND_RUN, 0, &s, err);
	if (status)
		return status;
	sb_store_bind_text(s, 1, uid);
	return sb_store_one_int(m->into, s, what, key, found, err);
}

static enum sb_status merge_known(struct sb_merge *m, const char *uid, const struct sb_merge_run *from,
        struct sb_merge_run *into, struct sb_store_merged *out, struct sb_error *err)
{
	int order = 0;
	enum sb_status status = sb_merge_compare(m, uid, into, from, &order, err);

	if (status)
		return status;
	*(order < 0 ? &out->extended : order > 0 ? &out->older : &out->same) += 1;
	if (order >= 0)
		return SB_OK;
	status = copy_rest(m, from, into, err);
	return status ? status : update_run(m, from->key, into->key, err);
}

static enum sb_status merge_run(
        struct sb_merge *m, int64_t key, const char *uid, struct sb_store_merged *out, struct sb_error *err)
{
	struct sb_merge_run from = { 0 }, into = { 0 };
	struct sb_store_merged counted = *out;
	enum sb_status status = sb_store_begin(m->into, what, err);
	bool found = false;

	if (status)
		return status;
	status = find_run(m, uid, &into.key, &found, err);
	if (!status)
		status = sb_merge_look(m, SB_MERGE_FROM, key, &from, err);
	if (!status && found) {
		status = sb_merge_look(m, SB_MERGE_INTO, into.key, &into, err);
		if (!status)
			status = merge_known(m, uid, &from, &into, &counted, err);
	} else if (!status) {
		counted.added++;
		status = begin_run(m, key, &into.key, err);
		if (!status)
			status = copy_rest(m, &from, &into, err);
	}
	status = sb_store_finish(m->into, status, what, err);
	sb_merge_run_release(&from);
	sb_merge_run_release(&into);
	if (!status)
		*out = counted;
	return status;
}

static enum sb_status merge_runs(struct sb_merge *m, struct sb_store_merged *out, struct sb_error *err)
{
	enum sb_status status = SB_OK;
	int64_t key = INT64_MIN;

	for (;;) {
		char uid[64] = "";
		const char *text;
		sqlite3_stmt *s;

		status = sb_merge_stmt(m, SB_MERGE_FROM, SB_MERGE_ALL_RUNS, key, &s, err);
		if (status || !sb_merge_step(m, SB_MERGE_FROM, s, &status, err))
			return status;
		key = sqlite3_column_int64(s, 0);
		status = text_of(m->from, s, 1, &text, err);
		if (!status)
			strncat(uid, text, sizeof(uid) - 1);
		sqlite3_reset(s);
		if (status)
			return status;
		out->runs++;
		status = merge_run(m, key, uid, out, err);
		if (status)
			return status;
	}
}

/* ---- what gates are held against -------------------------------------------------------------------------------- */

/* Rows that name a run by its id, which is in `into` by now. */
static enum sb_status merge_named(struct sb_merge *m, enum sb_merge_sql read, enum sb_merge_sql add, int columns,
        int64_t *changed, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *row, *s;

	status = sb_merge_stmt(m, SB_MERGE_FROM, read, 0, &row, err);
	while (!status && sb_merge_step(m, SB_MERGE_FROM, row, &status, err)) {
		const char *uid;
		int64_t run = 0;
		bool found;

		status = text_of(m->from, row, 0, &uid, err);
		if (!status)
			status = find_run(m, uid, &run, &found, err);
		if (!status)
			status = sb_merge_stmt(m, SB_MERGE_INTO, add, run, &s, err);
		if (!status)
			status = bind_columns(m, row, 1, columns, s, 2, err);
		if (!status)
			status = write_row(m, s, err);
		if (!status)
			*changed += sqlite3_changes(m->into->db);
	}
	return status;
}

static enum sb_status merge_baselines(struct sb_merge *m, struct sb_store_merged *out, struct sb_error *err)
{
	struct sb_store_merged counted = *out;
	enum sb_status status;

	if (m->from->version < SB_STORE_BASELINE_VERSION)
		return SB_OK;
	status = sb_store_begin(m->into, what, err);
	if (status)
		return status;
	status = merge_named(m, SB_MERGE_BASELINES, SB_MERGE_ADD_BASELINE, 7, &counted.baselines, err);
	if (!status)
		status = merge_named(m, SB_MERGE_CALIBRATIONS, SB_MERGE_ADD_CALIBRATION, 6, &counted.calibrations, err);
	status = sb_store_finish(m->into, status, what, err);
	if (!status)
		*out = counted;
	return status;
}

static void release(struct sb_merge *m)
{
	for (int side = 0; side < 2; side++) {
		for (int i = 0; i < SB_MERGE_ROWS_COUNT; i++)
			sqlite3_finalize(m->read[side][i]);
		for (int i = 0; i < SB_MERGE_SQL_COUNT; i++)
			sqlite3_finalize(m->sql[side][i]);
	}
	free(m->names.v);
	free(m->launches.v);
}

enum sb_status sb_store_merge(
        struct sb_store *into, struct sb_store *from, struct sb_store_merged *out, struct sb_error *err)
{
	struct sb_merge m = { .into = into, .from = from };
	enum sb_status status = SB_OK;

	*out = (struct sb_store_merged){ 0 };
	/* All of it as of one moment: somebody may be writing to it. */
	if (sqlite3_exec(from->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return sb_store_fail(from, what, err);
	status = sb_store_check(from, err);
	if (!status)
		status = read_keys(&m, SB_MERGE_NAME_IDS, &m.names, err);
	if (!status)
		status = read_keys(&m, SB_MERGE_LAUNCH_IDS, &m.launches, err);
	if (!status)
		status = merge_runs(&m, out, err);
	if (!status)
		status = merge_baselines(&m, out, err);
	release(&m);
	sqlite3_exec(from->db, "ROLLBACK", NULL, NULL, NULL);
	return status;
}
