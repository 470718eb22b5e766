#include "store_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int sb_store_busy_ms = 10000;

/*
 * Only a new database takes the page size. Reading 81 000 samples of 2000 trials takes 11 to 17 ms with 4, 8 and 16
 * KiB, and no less with mmap_size or a larger cache_size, so those stay as they are: with mmap a file that another
 * program cuts short is a SIGBUS, without it an error.
 */
#define PAGE_SIZE_SQL "PRAGMA page_size = 8192"

enum {
	HEADER_BYTES = 100,
	HEADER_PAGE_SIZE = 16,
	HEADER_WRITE_VERSION = 18,
	HEADER_USER = 60,
	HEADER_APPLICATION = 68
};

static const char *const sql[SB_SQL_COUNT] = {
	[SB_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SB_SQL_COMMIT] = "COMMIT",
	[SB_SQL_ROLLBACK] = "ROLLBACK",

	[SB_SQL_ADD_RUN] = "INSERT INTO run (uid, status, created_ns, command, note, plan, seed) "
	                   "VALUES (?1, 'running', ?2, ?3, ?4, ?5, ?6)",
	[SB_SQL_ADD_FACT] = "INSERT INTO fact (run, key, value, absent) VALUES (?1, ?2, ?3, ?4) "
	                    "ON CONFLICT (run, key) DO UPDATE SET value = excluded.value, absent = excluded.absent",
	[SB_SQL_READ_FACT] = "SELECT value FROM fact WHERE run = ?1 AND key = ?2",
	[SB_SQL_ADD_CASE] =
	        "INSERT INTO run_case (run, workload, preset, params, clip_digest, weights_kind, weights_digest) "
	        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SB_SQL_ADD_ARM] = "INSERT INTO arm (run, idx, name, levels) VALUES (?1, ?2, ?3, ?4)",
	[SB_SQL_ADD_ARM_LEVEL] = "INSERT INTO arm_level (run, arm, part, level) VALUES (?1, ?2, ?3, ?4)",
	[SB_SQL_ADD_WORKER] =
	        "INSERT INTO worker (run, exe, build_id, pid, purpose, device_name, device_uuid, started_ns) "
	        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[SB_SQL_END_WORKER] = "UPDATE worker SET ended_ns = ?2, ending = ?3 WHERE id = ?1",
	[SB_SQL_END_RUN] = "UPDATE run SET status = ?2, ended_ns = ?3 WHERE id = ?1",
	[SB_SQL_RESUME_RUN] = "UPDATE run SET status = 'running', ended_ns = NULL WHERE id = ?1",
	[SB_SQL_RUN_STATUS] = "SELECT status = 'complete' FROM run WHERE id = ?1",
	[SB_SQL_ADD_TRIAL] =
	        "INSERT INTO trial (run, worker, arm, block, position, kind, started_ns, outcome, message, "
	        "trace_complete, trace_first, trace_n) "
	        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[SB_SQL_ADD_SAMPLE] = "INSERT INTO sample (trial, metric, value, absent) VALUES (?1, ?2, ?3, ?4)",
	[SB_SQL_FIND_METRIC] = "SELECT id FROM metric WHERE name = ?1",
	[SB_SQL_ADD_METRIC] = "INSERT INTO metric (name) VALUES (?1)",
	[SB_SQL_FIND_NAME] = "SELECT id FROM name WHERE text = ?1",
	[SB_SQL_ADD_NAME] = "INSERT INTO name (text) VALUES (?1)",
	[SB_SQL_FIND_LAUNCH] = "SELECT id FROM launch WHERE grid_x = ?1 AND grid_y = ?2 AND grid_z = ?3 "
	                       "AND block_x = ?4 AND block_y = ?5 AND block_z = ?6 "
	                       "AND shared_bytes = ?7 AND registers = ?8",
	[SB_SQL_ADD_LAUNCH] = "INSERT INTO launch "
	                      "(grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, registers) "
	                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[SB_SQL_NEXT_TRACE] = "SELECT coalesce(max(id), 0) + 1 FROM trace",
	[SB_SQL_ADD_TRACE] =
	        "INSERT INTO trace "
	        "(id, trial, start_delta_ns, dur_ns, name, stage, op, stream, correlation, launch, op_call) "
	        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[SB_SQL_ADD_ROLLUP] = "INSERT INTO rollup (trial, idx, stage, op, kind, name, count, dur_ns, bytes) "
	                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",

	[SB_SQL_ADD_TIMELINE] = "INSERT INTO memory_timeline (trial, events, cut, data) VALUES (?1, ?2, ?3, ?4)",
	[SB_SQL_READ_TIMELINE] = "SELECT events, cut, data FROM memory_timeline WHERE trial = ?1",
	[SB_SQL_SET_BASELINE] =
	        "INSERT INTO baseline (name, machine, case_key, run, arm, exe, exe_digest, created_ns) "
	        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (name, machine, case_key) DO UPDATE SET "
	        "run = excluded.run, arm = excluded.arm, exe = excluded.exe, exe_digest = excluded.exe_digest, "
	        "created_ns = excluded.created_ns",
	[SB_SQL_LIST_BASELINES] =
	        "SELECT baseline.name, machine, case_key, baseline.run, baseline.arm, exe, exe_digest, "
	        "baseline.created_ns, "
	        "coalesce(run.uid, ''), coalesce(arm.name, '') FROM baseline LEFT JOIN run ON run.id = baseline.run "
	        "LEFT JOIN arm ON arm.run = baseline.run AND arm.idx = baseline.arm "
	        "ORDER BY baseline.name, baseline.created_ns",
	[SB_SQL_DROP_BASELINE] = "DELETE FROM baseline WHERE name = ?1",
	[SB_SQL_SET_CALIBRATION] =
	        "INSERT INTO calibration (machine, case_key, levels, metric, run, created_ns, figures) "
	        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (machine, case_key, levels, metric) DO UPDATE SET "
	        "run = excluded.run, created_ns = excluded.created_ns, figures = excluded.figures",
	[SB_SQL_LIST_CALIBRATIONS] = "SELECT machine, case_key, levels, metric, run, created_ns, figures FROM "
	                             "calibration ORDER BY created_ns",
	[SB_SQL_NEWEST_RUN] = "SELECT id FROM run LEFT JOIN run_case ON run_case.run = run.id "
	                      "ORDER BY workload IS '" SB_STORE_CEILINGS "' OR EXISTS (SELECT 1 FROM fact WHERE "
	                      "fact.run = run.id AND key = '" SB_STORE_CAPACITY "'), id DESC LIMIT 1",
	/* 'g' follows every hex digit. */
	[SB_SQL_RUNS_BY_PREFIX] = "SELECT id, uid FROM run WHERE uid >= ?1 AND uid < ?1 || 'g' ORDER BY uid LIMIT 3",
	[SB_SQL_READ_RUN] = "SELECT uid, status, created_ns, coalesce(ended_ns, 0), command, note, plan, seed, "
	                    "workload, preset, params, clip_digest, weights_kind, weights_digest "
	                    "FROM run LEFT JOIN run_case ON run_case.run = run.id WHERE run.id = ?1",
	[SB_SQL_READ_ARMS] = "SELECT idx, name, levels FROM arm WHERE run = ?1 ORDER BY idx",
	[SB_SQL_READ_FACTS] = "SELECT key, value, absent FROM fact WHERE run = ?1 ORDER BY key",
	[SB_SQL_READ_WORKERS] = "SELECT id, exe, build_id, purpose, device_name, device_uuid, ending, pid, started_ns, "
	                        "coalesce(ended_ns, 0) FROM worker WHERE run = ?1 ORDER BY id",
	[SB_SQL_COUNT_ARMS] = "SELECT count(*) FROM arm WHERE run = ?1",
	[SB_SQL_READ_TRIALS] = "SELECT trial.id, worker, trial.started_ns, arm, block, position, kind, trace_complete, "
	                       "outcome, message, "
	                       "worker.purpose FROM trial LEFT JOIN worker ON worker.id = trial.worker "
	                       "WHERE trial.run = ?1 ORDER BY trial.id",
	[SB_SQL_READ_METRICS] = "SELECT id, name FROM metric ORDER BY id",
	/* CROSS JOIN: in this order, so that rows come by trial and metric. A reason is text, a value never is. */
	[SB_SQL_READ_SAMPLES] = "SELECT sample.trial, sample.metric, coalesce(sample.value, sample.absent) "
	                        "FROM trial CROSS JOIN sample ON sample.trial = trial.id "
	                        "WHERE trial.run = ?1 ORDER BY trial.id, sample.metric",
	[SB_SQL_READ_ROLLUP] =
	        "SELECT s.text, o.text, k.text, n.text, rollup.count, rollup.dur_ns, rollup.bytes "
	        "FROM rollup LEFT JOIN name n ON n.id = rollup.name LEFT JOIN name s ON s.id = rollup.stage "
	        "LEFT JOIN name o ON o.id = rollup.op LEFT JOIN name k ON k.id = rollup.kind "
	        "WHERE rollup.trial = ?1 ORDER BY rollup.dur_ns DESC, rollup.idx",
	[SB_SQL_TRACE_RANGE] = "SELECT coalesce(trace_first, 0), trace_n FROM trial WHERE id = ?1",
	[SB_SQL_READ_NAMES] = "SELECT id, text FROM name ORDER BY id",
	[SB_SQL_READ_LAUNCHES] =
	        "SELECT id, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, registers "
	        "FROM launch ORDER BY id",
	[SB_SQL_READ_TRACE] =
	        "SELECT trial, start_delta_ns, dur_ns, name, stage, op, stream, correlation, launch, op_call "
	        "FROM trace WHERE id >= ?1 AND id < ?1 + ?2 ORDER BY id",
	/* Of a file of format 3 and older. */
	[SB_SQL_READ_TRACE_3] =
	        "SELECT trial, start_delta_ns, dur_ns, name, stage, op, stream, correlation, launch, NULL "
	        "FROM trace WHERE id >= ?1 AND id < ?1 + ?2 ORDER BY id",
	[SB_SQL_LIST_RUNS] =
	        "SELECT uid, status, coalesce(preset, ''), "
	        "coalesce((SELECT device_name FROM worker WHERE worker.run = run.id ORDER BY id LIMIT 1), "
	        "(SELECT value FROM fact WHERE fact.run = run.id AND key = 'device.name')), note, created_ns, "
	        "(SELECT count(*) FROM arm WHERE arm.run = run.id), "
	        "(SELECT count(*) FROM trial WHERE trial.run = run.id), "
	        "(SELECT value FROM fact WHERE fact.run = run.id AND key = 'process.pid'), "
	        "(SELECT value FROM fact WHERE fact.run = run.id AND key = 'process.start'), "
	        "(SELECT value FROM fact WHERE fact.run = run.id AND key = 'process.host') "
	        "FROM run LEFT JOIN run_case ON run_case.run = run.id ORDER BY run.id DESC",

	[SB_SQL_CHECK_INTEGRITY] = "PRAGMA integrity_check(1)",
	[SB_SQL_CHECK_KEYS] = "PRAGMA foreign_key_check",
	/* Names of times end in _ns. Infinities compare with 1e308 as numbers do; NaN is NULL to SQLite. */
	[SB_SQL_CHECK_SAMPLES] =
	        "SELECT trial.id, trial.block, trial.arm, metric.name, "
	        "typeof(value) IN ('integer', 'real') AND value BETWEEN -1.7976931348623157e308 AND 0, "
	        "CAST(value AS TEXT) "
	        "FROM sample JOIN trial ON trial.id = sample.trial JOIN metric ON metric.id = sample.metric "
	        "WHERE value IS NOT NULL AND (typeof(value) NOT IN ('integer', 'real') "
	        "OR value > 1.7976931348623157e308 OR value < -1.7976931348623157e308 "
	        "OR (value < 0 AND metric.name GLOB '*_ns')) ORDER BY trial.id, metric.name LIMIT 1",
	[SB_SQL_CHECK_TRACE_TOTAL] =
	        "SELECT (SELECT count(*) FROM trace), (SELECT coalesce(sum(trace_n), 0) FROM trial)",
	[SB_SQL_CHECK_TRACE_TRIALS] =
	        "SELECT id, trace_first, trace_n, coalesce(trace_complete, 0), block, arm FROM trial "
	        "WHERE kind = 'trace' OR trace_n > 0 ORDER BY id",
	[SB_SQL_CHECK_TRACE_RANGE] =
	        "SELECT count(*), "
	        "total((trace.stage IS NOT NULL AND s.id IS NULL) OR (trace.op IS NOT NULL AND o.id IS NULL) "
	        "OR n.id IS NULL OR (trace.launch IS NOT NULL AND l.id IS NULL)) "
	        "FROM trace LEFT JOIN name n ON n.id = trace.name LEFT JOIN name s ON s.id = trace.stage "
	        "LEFT JOIN name o ON o.id = trace.op LEFT JOIN launch l ON l.id = trace.launch "
	        "WHERE trace.id >= ?2 AND trace.id < ?2 + ?3 AND trace.trial = ?1",
	/* One row for each (stage, op, name) on which the two sides disagree. */
	[SB_SQL_CHECK_ROLLUP] = "WITH t AS (SELECT stage, op, name, count(*) AS n, sum(dur_ns) AS ns FROM trace "
	                        "WHERE id >= ?2 AND id < ?2 + ?3 GROUP BY 1, 2, 3), "
	                        "r AS (SELECT stage, op, name, sum(count) AS n, sum(dur_ns) AS ns FROM rollup "
	                        "WHERE trial = ?1 GROUP BY 1, 2, 3) "
	                        "SELECT coalesce(name.text, '?'), sum(iif(side = 0, n, 0)), sum(iif(side = 1, n, 0)), "
	                        "sum(iif(side = 0, ns, 0)), sum(iif(side = 1, ns, 0)) "
	                        "FROM (SELECT 0 AS side, * FROM t UNION ALL SELECT 1, * FROM r) AS both "
	                        "LEFT JOIN name ON name.id = both.name GROUP BY both.stage, both.op, both.name "
	                        "HAVING sum(iif(side = 0, n, -n)) != 0 OR sum(iif(side = 0, ns, -ns)) != 0 LIMIT 1",
};

/* ---- failing ------------------------------------------------------------------------------------------------ */

static bool is_out_of_space(int rc, int system_errno)
{
	/* A file-size limit and a quota come as plain write errors. */
	return rc == SQLITE_FULL || ((rc & 0xff) == SQLITE_IOERR && (system_errno == ENOSPC || system_errno == EFBIG ||
	                                                                    system_errno == EDQUOT));
}

/* Why a file could not be read or written; 0: unknown. A failing COMMIT tells it to the -wal's file object alone. */
static int system_errno_of(sqlite3 *db)
{
	int why = sqlite3_system_errno(db);
	sqlite3_file *wal = NULL;

	if (!why && sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK && wal &&
	        wal->pMethods)
		wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &why);
	return why;
}

enum sb_status sb_store_fail(struct sb_store *st, const char *what, struct sb_error *err)
{
	int rc = sqlite3_extended_errcode(st->db), why = 0;
	const char *path = st->path;

	if ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN)
		why = system_errno_of(st->db);
	if (is_out_of_space(rc, why))
		return sb_fail(err, SB_E_DATA,
		        "%s: no space left for database '%s'; free some, or use another disk with --db", what, path);
	switch (rc) {
	case SQLITE_READONLY_ROLLBACK:
	case SQLITE_READONLY_RECOVERY:
	case SQLITE_READONLY_CANTINIT:
		return sb_fail(err, SB_E_DATA,
		        "%s: database '%s' was left in the middle of a write, and reading alone cannot mend it; copy "
		        "it "
		        "with its -wal and -journal files to where you may write, and run 'spabench doctor --db' there",
		        what, path);
	default:
		break;
	}
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return sb_store_no_memory(st, err);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return sb_fail(err, SB_E_DATA,
		        "%s: database '%s' is locked by another program (waited %d s); end it or try again", what, path,
		        sb_store_busy_ms / 1000);
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return sb_fail(
		        err, SB_E_DATA, "%s: database '%s' is read-only; use another place with --db", what, path);
	case SQLITE_CANTOPEN:
		return sb_fail(err, SB_E_DATA, "%s: database '%s' or a file beside it does not open%s%s", what, path,
		        why ? ": " : "", why ? strerror(why) : "");
	case SQLITE_NOTADB:
		return sb_fail(err, SB_E_DATA, "%s: '%s' is not a database", what, path);
	case SQLITE_CORRUPT:
		return sb_fail(err, SB_E_DATA, "%s: database '%s' is damaged (%s); go back to a copy", what, path,
		        sqlite3_errmsg(st->db));
	case SQLITE_IOERR:
		return sb_fail(err, SB_E_DATA, "%s: reading or writing database '%s' failed: %s", what, path,
		        why ? strerror(why) : sqlite3_errmsg(st->db));
	default:
		return sb_fail(err, SB_E_DATA, "%s: database '%s': %s", what, path, sqlite3_errmsg(st->db));
	}
}

enum sb_status sb_store_damaged(struct sb_store *st, const char *why, struct sb_error *err)
{
	return sb_fail(err, SB_E_DATA, "database '%s' is damaged (%s); go back to a copy", st->path, why);
}

enum sb_status sb_store_no_memory(struct sb_store *st, struct sb_error *err)
{
	return sb_fail(err, SB_E_NOMEM, "no memory left for database '%s'", st->path);
}

/* ---- statements --------------------------------------------------------------------------------------------- */

enum sb_status sb_store_stmt(struct sb_store *st, enum sb_store_sql which, sqlite3_stmt **out, struct sb_error *err)
{
	sqlite3_stmt *s = st->stmt[which];

	if (s) {
		sqlite3_reset(s);
		sqlite3_clear_bindings(s);
	} else if (sqlite3_prepare_v3(st->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK) {
		/* SQLITE_ERROR: a table or a column is missing, in a file that says it is ours and of this version. */
		if (sqlite3_errcode(st->db) == SQLITE_ERROR)
			return sb_store_damaged(st, sqlite3_errmsg(st->db), err);
		return sb_store_fail(st, "cannot read", err);
	}
	st->stmt[which] = s;
	*out = s;
	return SB_OK;
}

void sb_store_bind_int(sqlite3_stmt *s, int col, int64_t v)
{
	if (sqlite3_bind_int64(s, col, v) != SQLITE_OK)
		SB_BUG("no parameter %d in: %s", col, sqlite3_sql(s));
}

void sb_store_bind_text(sqlite3_stmt *s, int col, const char *text)
{
	/* The only failure that is not a bug is a text over SQLite's gigabyte: NULL, which the NOT NULLs then refuse.
	 */
	int rc = text ? sqlite3_bind_text(s, col, text, -1, SQLITE_STATIC) : sqlite3_bind_null(s, col);

	if (rc == SQLITE_RANGE || rc == SQLITE_MISUSE)
		SB_BUG("no parameter %d in: %s", col, sqlite3_sql(s));
}

enum sb_status sb_store_step(struct sb_store *st, sqlite3_stmt *s, const char *what, struct sb_error *err)
{
	enum sb_status status = SB_OK;

	if (sqlite3_step(s) != SQLITE_DONE)
		status = sb_store_fail(st, what, err);
	sqlite3_reset(s);
	return status;
}

bool sb_store_row(struct sb_store *st, sqlite3_stmt *s, const char *what, enum sb_status *status, struct sb_error *err)
{
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW)
		return true;
	*status = rc == SQLITE_DONE ? SB_OK : sb_store_fail(st, what, err);
	sqlite3_reset(s);
	return false;
}

enum sb_status sb_store_one_int(
        struct sb_store *st, sqlite3_stmt *s, const char *what, int64_t *out, bool *found, struct sb_error *err)
{
	enum sb_status status;

	*found = false;
	while (sb_store_row(st, s, what, &status, err)) {
		*out = sqlite3_column_int64(s, 0);
		*found = true;
	}
	return status;
}

char *sb_store_column_text(sqlite3_stmt *s, int col, bool *oom)
{
	const char *text = (const char *)sqlite3_column_text(s, col);
	char *copy;

	if (!text)
		return NULL;
	copy = sb_strdup(text);
	if (!copy)
		*oom = true;
	return copy;
}

char *sb_store_column_str(sqlite3_stmt *s, int col, bool *oom)
{
	const char *text = (const char *)sqlite3_column_text(s, col);
	char *copy = sb_strdup(text ? text : "");

	if (!copy)
		*oom = true;
	return copy;
}

bool sb_store_grow(void *array, size_t *cap, size_t n, size_t size)
{
	void *old, *bigger;
	size_t want;

	if (n < *cap)
		return true;
	want = *cap ? 2 * *cap : 16;
	if (want > SIZE_MAX / size)
		return false;
	memcpy(&old, array, sizeof(old)); /* array is the address of a pointer to whatever */
	bigger = realloc(old, want * size);
	if (!bigger)
		return false;
	memcpy(array, &bigger, sizeof(bigger));
	*cap = want;
	return true;
}

/* ---- opening ------------------------------------------------------------------------------------------------ */

/* What can be learned of a file without touching it. */
struct look {
	bool exists;
	int64_t size;
	bool has_header; /* the first bytes are SQLite's, so the numbers below hold */
	bool wal, has_wal, has_shm, has_journal;
	int64_t wal_size;
	uint32_t application, user, page_size;
	char real[PATH_MAX]; /* as SQLite resolves it: the side files lie beside the target of a symbolic link */
};

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A path as a URI, so that ?, #, % and the like are letters as any other. */
static void path_uri(const char *path, const char *params, struct sb_buf *out)
{
	sb_buf_puts(out, path[0] == '/' ? "file://" : "file:./");
	for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
		        strchr("-._~/", *p))
			sb_buf_add(out, (const char *)p, 1);
		else
			sb_buf_addf(out, "%%%02x", *p);
	}
	sb_buf_puts(out, params);
}

static int open_sqlite(const char *path, const char *params, int flags, const char *vfs, sqlite3 **db)
{
	struct sb_buf uri = { 0 };
	int rc;

	path_uri(path, params, &uri);
	/* NOMUTEX: a store belongs to one thread, and a lock for every column costs a fifth of a read. */
	rc = uri.failed ? SQLITE_NOMEM
	                : sqlite3_open_v2(sb_buf_str(&uri), db, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, vfs);
	sb_buf_release(&uri);
	return rc;
}

static bool side_file(const char *real, const char *suffix, int64_t *size)
{
	char name[PATH_MAX + 16];
	struct stat sb;

	snprintf(name, sizeof(name), "%s%s", real, suffix);
	if (stat(name, &sb) != 0)
		return false;
	*size = (int64_t)sb.st_size;
	return true;
}

/*
 * Read the header through SQLite's own file object. A plain open() and close() of ours would drop the POSIX locks that
 * another connection of this process holds on the same file (https://sqlite.org/howtocorrupt.html, 2.2).
 */
static enum sb_status read_header(const char *path, struct look *l, struct sb_error *err)
{
	static const char magic[16] = "SQLite format 3";
	unsigned char h[HEADER_BYTES] = { 0 };
	sqlite3_file *file = NULL;
	sqlite3 *db = NULL;
	int rc = open_sqlite(path, "?immutable=1", SQLITE_OPEN_READONLY, NULL, &db), why;

	if (rc == SQLITE_OK)
		rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	if (rc == SQLITE_OK && file && file->pMethods)
		rc = file->pMethods->xRead(file, h, sizeof(h), 0);
	why = db ? sqlite3_system_errno(db) : 0;
	if (rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ)
		snprintf(l->real, sizeof(l->real), "%s", sqlite3_db_filename(db, "main"));
	sqlite3_close(db);
	if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
		return sb_fail(err, rc == SQLITE_NOMEM ? SB_E_NOMEM : SB_E_DATA, "cannot read database '%s': %s", path,
		        why ? strerror(why) : sqlite3_errstr(rc));
	l->has_header = memcmp(h, magic, sizeof(magic)) == 0;
	l->wal = h[HEADER_WRITE_VERSION] == 2;
	l->page_size = (uint32_t)h[HEADER_PAGE_SIZE] << 8 | h[HEADER_PAGE_SIZE + 1];
	if (l->page_size == 1) /* SQLite's way of writing 65536 in two bytes */
		l->page_size = 65536;
	l->user = be32(h + HEADER_USER);
	l->application = be32(h + HEADER_APPLICATION);
	return SB_OK;
}

/* Is there a directory in which `path` can be made? */
static enum sb_status look_at_parent(const char *path, struct sb_error *err)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	struct stat sb;

	if (!slash)
		snprintf(dir, sizeof(dir), ".");
	else
		snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	if (stat(dir, &sb) != 0)
		return sb_fail(err, SB_E_DATA, "cannot create database '%s': directory '%s': %s; create it first", path,
		        dir, strerror(errno));
	if (!S_ISDIR(sb.st_mode))
		return sb_fail(err, SB_E_DATA, "cannot create database '%s': '%s' is not a directory", path, dir);
	if (access(dir, W_OK | X_OK) != 0)
		return sb_fail(err, SB_E_DATA,
		        "cannot create database '%s': directory '%s' is not writable (%s); use another place with "
		        "--db",
		        path, dir, strerror(errno));
	return SB_OK;
}

static enum sb_status look_at(const char *path, enum sb_store_mode mode, struct look *l, struct sb_error *err)
{
	int64_t ignored, journal_size = 0;
	enum sb_status status;
	struct stat sb;

	if (!*path)
		return sb_fail(err, SB_E_USAGE, "the name of the database is empty; give one with --db");
	if (strlen(path) >= PATH_MAX - 16)
		return sb_fail(err, SB_E_DATA, "the name of database '%.64s..' is too long", path);
	if (stat(path, &sb) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return sb_fail(err, SB_E_DATA, "cannot open database '%s': %s", path, strerror(errno));
		if (mode == SB_STORE_READ)
			return sb_fail(err, SB_E_DATA, "no database '%s'; make one with 'spabench run'", path);
		return look_at_parent(path, err);
	}
	if (S_ISDIR(sb.st_mode))
		return sb_fail(err, SB_E_DATA, "'%s' is a directory, not a database; name a file in it", path);
	if (!S_ISREG(sb.st_mode))
		return sb_fail(err, SB_E_DATA, "'%s' is not a database but a device or a pipe; name a file", path);
	l->exists = true;
	l->size = (int64_t)sb.st_size;
	status = read_header(path, l, err);
	if (status)
		return status;
	l->has_wal = side_file(l->real, "-wal", &l->wal_size);
	l->has_shm = side_file(l->real, "-shm", &ignored);
	l->has_journal = side_file(l->real, "-journal", &journal_size) && journal_size > 0;
	return SB_OK;
}

static enum sb_status foreign(const char *path, uint32_t application, struct sb_error *err)
{
	return sb_fail(err, SB_E_DATA,
	        "database '%s' belongs to another program (application id 0x%08x); use another file with --db", path,
	        (unsigned)application);
}

static enum sb_status newer(const char *path, int64_t version, struct sb_error *err)
{
	return sb_fail(err, SB_E_DATA,
	        "database '%s' was made by a newer spabench (format %lld, this one knows %d); use that one, or another "
	        "file with --db",
	        path, (long long)version, sb_store_version);
}

static enum sb_status negative(const char *path, int64_t version, struct sb_error *err)
{
	return sb_fail(err, SB_E_DATA,
	        "database '%s' is damaged (its format number is %lld, and formats begin at 1); go back to a copy", path,
	        (long long)version);
}

/* Refuse what is not ours before SQLite opens it for real: a foreign file stays as it is, to the byte. */
static enum sb_status recognise(const char *path, enum sb_store_mode mode, const struct look *l, struct sb_error *err)
{
	if (!l->exists)
		return SB_OK;
	if (l->has_journal) /* the file is half of the truth; SQLite puts it right first, and identify() looks again */
		return SB_OK;
	if (l->size == 0)
		return mode == SB_STORE_WRITE
		               ? SB_OK
		               : sb_fail(err, SB_E_DATA, "database '%s' is empty; fill it with 'spabench run --db'",
		                         path);
	if (!l->has_header)
		return sb_fail(err, SB_E_DATA, "'%s' is not a database; use another file with --db", path);
	/* One page without an application id is a database without a table: identify() decides. */
	if (l->application != SB_STORE_APPLICATION_ID && !(l->application == 0 && l->size <= l->page_size))
		return foreign(path, l->application, err);
	if (l->application == SB_STORE_APPLICATION_ID && l->user > INT32_MAX) /* SQLite's number has a sign */
		return negative(path, (int64_t)l->user - (INT64_C(1) << 32), err);
	if (l->application == SB_STORE_APPLICATION_ID && l->user > (uint32_t)sb_store_version)
		return newer(path, l->user, err);
	return SB_OK;
}

static enum sb_status ask_int(struct sb_store *st, const char *query, int64_t *out, struct sb_error *err)
{
	sqlite3_stmt *s = NULL;
	enum sb_status status = SB_OK;

	*out = 0;
	if (sqlite3_prepare_v2(st->db, query, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW)
		status = sb_store_fail(st, "cannot open", err);
	else
		*out = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return status;
}

static enum sb_status exec(struct sb_store *st, const char *text, struct sb_error *err)
{
	if (sqlite3_exec(st->db, text, NULL, NULL, NULL) != SQLITE_OK)
		return sb_store_fail(st, "cannot open", err);
	return SB_OK;
}

/* *version is 0 for a database without anything in it. Inside a transaction, so that all answers are of one moment. */
static enum sb_status identify_now(struct sb_store *st, int64_t *version, struct sb_error *err)
{
	int64_t application, objects;
	enum sb_status status = ask_int(st, "PRAGMA application_id", &application, err);

	if (!status)
		status = ask_int(st, "PRAGMA user_version", version, err);
	if (!status)
		status = ask_int(st, "SELECT count(*) FROM sqlite_schema", &objects, err);
	if (status)
		return status;
	if (application == 0 && *version == 0 && objects == 0)
		return SB_OK;
	if (application != SB_STORE_APPLICATION_ID)
		return foreign(st->path, (uint32_t)application, err);
	if (*version > sb_store_version)
		return newer(st->path, *version, err);
	if (*version < 0)
		return negative(st->path, *version, err);
	if (*version < 1)
		return sb_store_damaged(st, "it has no format number", err);
	return SB_OK;
}

static enum sb_status identify(struct sb_store *st, int64_t *version, struct sb_error *err)
{
	enum sb_status status = exec(st, "BEGIN", err);

	if (!status)
		status = identify_now(st, version, err);
	if (!sqlite3_get_autocommit(st->db))
		sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
	return status;
}

static enum sb_status migrate(struct sb_store *st, struct sb_error *err)
{
	enum sb_status status;
	int64_t version;

	/*
	 * A new database is made in rollback-journal mode: the transaction that makes it then puts our application id
	 * into the file itself, where recognise() looks, and not into a -wal.
	 */
	status = exec(st, "BEGIN IMMEDIATE", err);
	if (status)
		return status;
	status = identify_now(st, &version, err); /* again: another process may have been faster */
	for (; !status && version < sb_store_version; version++) {
		char set_version[64];

		status = exec(st, sb_store_migrations[version], err);
		snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %lld", (long long)version + 1);
		if (!status)
			status = exec(st, set_version, err);
	}
	if (!status)
		status = exec(st, "COMMIT", err);
	if (status && !sqlite3_get_autocommit(st->db))
		sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
	return status;
}

/* Another writer may be switching back to a plain file just now, which SQLite does not always wait for. */
static enum sb_status enter_wal(struct sb_store *st, struct sb_error *err)
{
	int64_t deadline = sb_now_ns() + (int64_t)sb_store_busy_ms * 1000000;
	int rc;

	while ((rc = sqlite3_exec(st->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL)) == SQLITE_BUSY) {
		if (sb_now_ns() >= deadline)
			break;
		sb_sleep_ns(2000000);
	}
	return rc == SQLITE_OK ? SB_OK : sb_store_fail(st, "cannot open", err);
}

static void set_limits(struct sb_store *st)
{
	sqlite3_busy_timeout(st->db, sb_store_busy_ms);
	sqlite3_extended_result_codes(st->db, 1);
	/* A database may come from anybody (merge, a bug report): its schema runs no functions on our behalf. */
	sqlite3_db_config(st->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(st->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(st->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

static enum sb_status open_write(struct sb_store *st, const struct look *l, struct sb_error *err)
{
	enum sb_status status;
	int64_t version;

	if (open_sqlite(st->path, "", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL, &st->db) != SQLITE_OK)
		return st->db ? sb_store_fail(st, "cannot open", err) : sb_store_no_memory(st, err);
	set_limits(st);
	if (sqlite3_db_readonly(st->db, "main") == 1)
		return sb_fail(err, SB_E_DATA,
		        "cannot write to database '%s': it is read-only; use another file with --db", st->path);
	if (l->exists && (status = look_at_parent(l->real, err)) != SB_OK)
		return sb_wrap(err, "cannot write to database '%s'", st->path);
	status = identify(st, &version, err);
	if (!status && version == 0)
		status = exec(st, PAGE_SIZE_SQL, err);
	if (!status && version < sb_store_version)
		status = migrate(st, err);
	if (!status)
		status = enter_wal(st, err);
	if (!status)
		status = exec(st, "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON", err);
	if (status)
		return status;
	sqlite3_db_config(st->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	st->writable = true;
	st->version = sb_store_version;
	return SB_OK;
}

/*
 * How to read a file without making one. At rest a database of ours is in rollback mode and needs nothing beside it. In
 * WAL mode SQLite wants a -shm, and makes it:
 *   -wal and -shm there   a writer lives, or died: SQLite works with what is there
 *   no -wal, or empty     (a file copied alone, a writer that could not switch back) the file is the whole truth
 *   a -wal without -shm   (both copied, or the -shm deleted) no writer lives; the index of the -wal is built in memory,
 *                         which SQLite does when it believes to be alone: exclusive, and without locks, for which a
 *                         file opened for reading gives no permission
 */
static enum sb_status open_read(struct sb_store *st, const struct look *l, struct sb_error *err)
{
	bool whole = l->wal && (!l->has_wal || (l->wal_size == 0 && !l->has_shm));
	bool alone = l->wal && l->has_wal && l->wal_size > 0 && !l->has_shm;
	enum sb_status status;
	int64_t version;

	for (int attempt = 0;; attempt++) {
		if (open_sqlite(l->real, whole ? "?immutable=1" : "", SQLITE_OPEN_READONLY, alone ? "unix-none" : NULL,
		            &st->db) != SQLITE_OK)
			return st->db ? sb_store_fail(st, "cannot open", err) : sb_store_no_memory(st, err);
		set_limits(st);
		status = alone ? exec(st, "PRAGMA locking_mode = EXCLUSIVE", err) : SB_OK;
		if (!status)
			status = identify(st, &version, err);
		/* A -shm that cannot be had, and no -wal that would be lost: the file alone will do. */
		if (!status || attempt || whole || sqlite3_errcode(st->db) != SQLITE_CANTOPEN ||
		        (l->has_wal && l->wal_size > 0))
			break;
		sqlite3_close(st->db);
		st->db = NULL;
		whole = true;
	}
	if (status)
		return status;
	if (version == 0)
		return sb_fail(err, SB_E_DATA, "database '%s' is empty; fill it with 'spabench run --db'", st->path);
	st->version = version; /* older ones are read as they are: what they lack is not there */
	return SB_OK;
}

enum sb_status sb_store_open(const char *path, enum sb_store_mode mode, struct sb_store **out, struct sb_error *err)
{
	struct look l = { 0 };
	struct sb_store *st;
	enum sb_status status = look_at(path, mode, &l, err);

	if (!status)
		status = recognise(path, mode, &l, err);
	if (status)
		return status;
	st = calloc(1, sizeof(*st));
	if (st)
		st->path = sb_strdup(path);
	if (!st || !st->path) {
		free(st);
		return sb_fail(err, SB_E_NOMEM, "no memory left to open database '%s'", path);
	}
	st->made = !l.exists;
	status = mode == SB_STORE_WRITE ? open_write(st, &l, err) : open_read(st, &l, err);
	if (status) {
		sb_store_close(st);
		return status;
	}
	*out = st;
	return SB_OK;
}

/* Back to one plain file. False, at once and harmlessly, while anybody else has the database open or the disk is full.
 */
static bool leave_wal(struct sb_store *st)
{
	sqlite3_stmt *s = NULL;
	bool left;

	sqlite3_busy_timeout(st->db, 0);
	sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	left = sqlite3_prepare_v2(st->db, "PRAGMA journal_mode = DELETE", -1, &s, NULL) == SQLITE_OK &&
	       sqlite3_step(s) == SQLITE_ROW && !sqlite3_stricmp((const char *)sqlite3_column_text(s, 0), "delete");
	sqlite3_finalize(s);
	return left;
}

/*
 * Remove what this store made and nobody used. Under an exclusive lock, so that no run is just being stored; a process
 * that opened the file already and waits for the lock is told by SQLite that the file went away.
 */
static void remove_unused(struct sb_store *st)
{
	struct sb_error ignored;
	int64_t runs;

	if (sqlite3_exec(st->db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK)
		return;
	if (!ask_int(st, "SELECT count(*) FROM run", &runs, &ignored) && runs == 0)
		unlink(sqlite3_db_filename(st->db, "main"));
	sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
}

static void close_store(struct sb_store *st, bool discard)
{
	if (!st)
		return;
	for (size_t i = 0; i < SB_SQL_COUNT; i++)
		sqlite3_finalize(st->stmt[i]);
	/* Otherwise the -wal stays, and whoever opens next reads it. */
	if (st->writable && leave_wal(st) && discard && st->made)
		remove_unused(st);
	if (sqlite3_close(st->db) != SQLITE_OK)
		SB_BUG("a statement of database '%s' outlives it", st->path);
	sb_store_dict_release(&st->metrics);
	sb_store_dict_release(&st->names);
	free(st->path);
	free(st);
}

void sb_store_close(struct sb_store *st)
{
	close_store(st, false);
}

void sb_store_discard(struct sb_store *st)
{
	close_store(st, true);
}
