/*
 * What the files of the store share. Tests of faults include it too: they reach the connection and the waiting time.
 */
#ifndef SB_STORE_INTERNAL_H
#define SB_STORE_INTERNAL_H

#include "sb_store.h"

#include <sqlite3.h>

#define SB_STORE_APPLICATION_ID 0x53504142 /* "SPAB" */

/* How long a locked database is waited for. Tests lower it. */
extern int sb_store_busy_ms;

/* ---- schema.c ----------------------------------------------------------------------------------------------- */

/* Step i brings a database from user_version i to i + 1. Steps are never edited once released, only added. */
extern const char *const sb_store_migrations[];
#define SB_STORE_TIMELINE_VERSION 2 /* the first that has memory timelines */
#define SB_STORE_BASELINE_VERSION 3 /* baselines and calibrations */
#define SB_STORE_OP_CALL_VERSION  4 /* the call of an op that a trace row belongs to */
extern const int sb_store_version;  /* how many steps there are: what this program writes */

/* ---- dict.c: texts that stand in a table once and are named by their key ------------------------------------ */

struct sb_store_dict {
	struct sb_store_word {
		char *text;
		int64_t id;
	} * word;
	size_t n, cap;
	uint32_t *slot; /* 1 + index into word, 0: free; a power of two of them */
	size_t n_slots;
};

/* The word, or NULL. */
const struct sb_store_word *sb_store_dict_find(const struct sb_store_dict *d, const char *text);
/* False when out of memory; the dictionary is as before then. The text must not be there yet. */
bool sb_store_dict_add(struct sb_store_dict *d, const char *text, int64_t id);
void sb_store_dict_release(struct sb_store_dict *d);

/* ---- store.c ------------------------------------------------------------------------------------------------ */

enum sb_store_sql {
	SB_SQL_BEGIN,
	SB_SQL_COMMIT,
	SB_SQL_ROLLBACK,
	SB_SQL_ADD_RUN,
	SB_SQL_ADD_FACT,
	SB_SQL_READ_FACT,
	SB_SQL_ADD_CASE,
	SB_SQL_ADD_ARM,
	SB_SQL_ADD_ARM_LEVEL,
	SB_SQL_ADD_WORKER,
	SB_SQL_END_WORKER,
	SB_SQL_END_RUN,
	SB_SQL_RESUME_RUN,
	SB_SQL_RUN_STATUS,
	SB_SQL_ADD_TRIAL,
	SB_SQL_ADD_SAMPLE,
	SB_SQL_FIND_METRIC,
	SB_SQL_ADD_METRIC,
	SB_SQL_FIND_NAME,
	SB_SQL_ADD_NAME,
	SB_SQL_FIND_LAUNCH,
	SB_SQL_ADD_LAUNCH,
	SB_SQL_NEXT_TRACE,
	SB_SQL_ADD_TRACE,
	SB_SQL_ADD_ROLLUP,
	SB_SQL_ADD_TIMELINE,
	SB_SQL_SET_BASELINE,
	SB_SQL_LIST_BASELINES,
	SB_SQL_DROP_BASELINE,
	SB_SQL_SET_CALIBRATION,
	SB_SQL_LIST_CALIBRATIONS,
	SB_SQL_NEWEST_RUN,
	SB_SQL_RUNS_BY_PREFIX,
	SB_SQL_READ_RUN,
	SB_SQL_READ_ARMS,
	SB_SQL_READ_FACTS,
	SB_SQL_READ_WORKERS,
	SB_SQL_COUNT_ARMS,
	SB_SQL_READ_TRIALS,
	SB_SQL_READ_METRICS,
	SB_SQL_READ_SAMPLES,
	SB_SQL_READ_ROLLUP,
	SB_SQL_READ_TIMELINE,
	SB_SQL_TRACE_RANGE,
	SB_SQL_READ_NAMES,
	SB_SQL_READ_LAUNCHES,
	SB_SQL_READ_TRACE,
	SB_SQL_READ_TRACE_3,
	SB_SQL_LIST_RUNS,
	SB_SQL_CHECK_INTEGRITY,
	SB_SQL_CHECK_KEYS,
	SB_SQL_CHECK_SAMPLES,
	SB_SQL_CHECK_TRACE_TOTAL,
	SB_SQL_CHECK_TRACE_TRIALS,
	SB_SQL_CHECK_TRACE_RANGE,
	SB_SQL_CHECK_ROLLUP,
	SB_SQL_COUNT,
};

struct sb_store {
	sqlite3 *db;
	char *path;      /* as the user wrote it, for messages */
	int64_t version; /* of the file: up to sb_store_version where it is only read */
	bool writable;
	bool made;                        /* there was no such file before */
	sqlite3_stmt *stmt[SB_SQL_COUNT]; /* prepared at first use, kept until close */
	struct sb_store_dict metrics, names;
};

/* Turn SQLite's last error into ours: "what: why; way out". The one place that knows SQLite's codes. */
enum sb_status sb_store_fail(struct sb_store *st, const char *what, struct sb_error *err);
/* The database contradicts itself. */
enum sb_status sb_store_damaged(struct sb_store *st, const char *why, struct sb_error *err);
enum sb_status sb_store_no_memory(struct sb_store *st, struct sb_error *err);

/* A cached statement, reset and without bindings. Borrowed. */
enum sb_status sb_store_stmt(struct sb_store *st, enum sb_store_sql which, sqlite3_stmt **out, struct sb_error *err);
void sb_store_bind_int(sqlite3_stmt *s, int col, int64_t v);
/* The text is borrowed until the statement is reset; NULL binds NULL. */
void sb_store_bind_text(sqlite3_stmt *s, int col, const char *text);
/* Run a statement that gives no rows. */
enum sb_status sb_store_step(struct sb_store *st, sqlite3_stmt *s, const char *what, struct sb_error *err);
/*
 * Step a query: true while there is a row. At the end, or on failure, the statement is reset and *status says how it
 * went.
 */
bool sb_store_row(struct sb_store *st, sqlite3_stmt *s, const char *what, enum sb_status *status, struct sb_error *err);
/* A query for one integer: *found is false, and *out untouched, when there is no row. */
enum sb_status sb_store_one_int(
        struct sb_store *st, sqlite3_stmt *s, const char *what, int64_t *out, bool *found, struct sb_error *err);
/* A copy of a text column. NULL for NULL, and when out of memory: then *oom is set. */
char *sb_store_column_text(sqlite3_stmt *s, int col, bool *oom);
/* The same for a column that is never NULL, whatever the file says: "" then. */
char *sb_store_column_str(sqlite3_stmt *s, int col, bool *oom);

/* ---- write.c: for merge.c ------------------------------------------------------------------------------------ */

enum sb_status sb_store_begin(struct sb_store *st, const char *what, struct sb_error *err);
/* Commit when `status` is SB_OK, else undo. Returns the first failure. */
enum sb_status sb_store_finish(struct sb_store *st, enum sb_status status, const char *what, struct sb_error *err);
/* The key of a metric, which is added when new; of a name or launch shape, added when new with `add`, else -1. */
enum sb_status sb_store_metric_key(struct sb_store *st, const char *name, int64_t *key, struct sb_error *err);
enum sb_status sb_store_name_key(struct sb_store *st, const char *text, bool add, int64_t *key, struct sb_error *err);
enum sb_status sb_store_launch_key(
        struct sb_store *st, const struct sb_launch *l, bool add, int64_t *key, struct sb_error *err);

/* Room for one element more behind n of `size` bytes in *array, which has room for *cap. False: out of memory. */
bool sb_store_grow(void *array, size_t *cap, size_t n, size_t size);

#endif
