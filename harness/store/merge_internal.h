/* What the files of merging share: two databases, the rows of one run in either of them, and keys from one to the
 * other. */
#ifndef SB_MERGE_INTERNAL_H
#define SB_MERGE_INTERNAL_H

#include "store_internal.h"

/* What is read of a run, the same of both sides. Keys of metrics, names and launch shapes are not compared: texts are.
 */
enum sb_merge_rows {
	SB_MERGE_RUN,
	SB_MERGE_FACTS,
	SB_MERGE_CASE,
	SB_MERGE_ARMS,
	SB_MERGE_LEVELS,
	SB_MERGE_WORKER, /* by its own key, as what follows */
	SB_MERGE_TRIAL,
	SB_MERGE_SAMPLES,
	SB_MERGE_ROLLUP,
	SB_MERGE_TIMELINE,
	SB_MERGE_TRACE,
	SB_MERGE_ROWS_COUNT,
};

/* Columns of SB_MERGE_TRACE: what is copied as it is, then keys of names (name, stage, op) and of a launch shape. */
enum { SB_MERGE_TRACE_NAME = 5, SB_MERGE_TRACE_LAUNCH = 8 };

/* Columns at the head of what is read that are the same in every copy; behind them is what a run's end changes. */
extern const int sb_merge_fixed_columns[SB_MERGE_ROWS_COUNT];

enum sb_merge_sql {
	SB_MERGE_KEPT_SAMPLES,
	SB_MERGE_ALL_RUNS,
	SB_MERGE_FIND_RUN,
	SB_MERGE_LIST_WORKERS,
	SB_MERGE_LIST_TRIALS,
	SB_MERGE_NAME_IDS,
	SB_MERGE_NAME_TEXT,
	SB_MERGE_LAUNCH_IDS,
	SB_MERGE_LAUNCH_SHAPE,
	SB_MERGE_ADD_RUN,
	SB_MERGE_UPDATE_RUN,
	SB_MERGE_DROP_FACTS,
	SB_MERGE_ADD_FACT,
	SB_MERGE_ADD_CASE,
	SB_MERGE_ADD_ARM,
	SB_MERGE_ADD_LEVEL,
	SB_MERGE_ADD_WORKER,
	SB_MERGE_UPDATE_WORKER,
	SB_MERGE_ADD_TRIAL,
	SB_MERGE_ADD_SAMPLE,
	SB_MERGE_ADD_ROLLUP,
	SB_MERGE_ADD_TIMELINE,
	SB_MERGE_ADD_TRACE,
	SB_MERGE_BASELINES,
	SB_MERGE_ADD_BASELINE,
	SB_MERGE_CALIBRATIONS,
	SB_MERGE_ADD_CALIBRATION,
	SB_MERGE_SQL_COUNT,
};

/* Keys of one table of the source, ascending, and the other side's; 0: not looked up yet, -1: it has none. */
struct sb_merge_keys {
	struct sb_merge_key {
		int64_t from, into;
	} * v;
	size_t n, cap;
};

struct sb_merge {
	struct sb_store *into, *from;
	sqlite3_stmt *read[2][SB_MERGE_ROWS_COUNT]; /* of `into`, of `from` */
	sqlite3_stmt *sql[2][SB_MERGE_SQL_COUNT];
	struct sb_merge_keys names, launches;
};

enum { SB_MERGE_INTO, SB_MERGE_FROM };

struct sb_store *sb_merge_side(struct sb_merge *m, int side);
/* A statement of that side, reset, with its first parameter bound. */
enum sb_status sb_merge_stmt(
        struct sb_merge *m, int side, enum sb_merge_sql which, int64_t key, sqlite3_stmt **out, struct sb_error *err);
/* *out NULL: that side has no such table, being of an older format. */
enum sb_status sb_merge_read(
        struct sb_merge *m, int side, enum sb_merge_rows which, int64_t key, sqlite3_stmt **out, struct sb_error *err);
/* Step a statement of that side; NULL has no rows. As sb_store_row(). */
bool sb_merge_step(struct sb_merge *m, int side, sqlite3_stmt *s, enum sb_status *status, struct sb_error *err);
/*
 * The key in `into` of what has `key` in `from`. With `add` it is added where it is not there; else *out is -1 then.
 * Errors: SB_E_DATA: `from` has no such key.
 */
enum sb_status sb_merge_name(struct sb_merge *m, int64_t key, bool add, int64_t *out, struct sb_error *err);
enum sb_status sb_merge_launch(struct sb_merge *m, int64_t key, bool add, int64_t *out, struct sb_error *err);

/* ---- merge_same.c ------------------------------------------------------------------------------------------------ */

/* The workers or the trials of a run, by their place in it. */
struct sb_merge_list {
	int64_t *key;
	size_t n, cap;
};

/* How far a run has come, and its keys. */
struct sb_merge_run {
	int64_t key, ended_ns; /* 0: not ended */
	struct sb_merge_list workers, trials;
	int64_t ended_workers, n_facts;
};
enum sb_status sb_merge_look(struct sb_merge *m, int side, int64_t key, struct sb_merge_run *out, struct sb_error *err);
void sb_merge_run_release(struct sb_merge_run *r);
/* The place of a worker in its run. Errors: SB_E_DATA: it has none of that key. */
enum sb_status sb_merge_worker(
        struct sb_merge *m, int side, const struct sb_merge_run *r, int64_t key, int64_t *out, struct sb_error *err);

/*
 * Is what `into` has of a run the same as, the beginning of, or more than what `from` has? *order: < 0: into's is a
 * beginning; 0: the same; > 0: from's is one. Errors: SB_E_DATA naming what differs.
 */
enum sb_status sb_merge_compare(struct sb_merge *m, const char *uid, const struct sb_merge_run *into,
        const struct sb_merge_run *from, int *order, struct sb_error *err);

#endif
