#include "store_internal.h"

static const char what[] = "cannot take a run out";

/* A range of rows, because an index by trial would double the file. */
static const char drop_trace[] = "DELETE FROM trace WHERE id >= (SELECT min(trace_first) FROM trial WHERE run = ?1) "
                                 "AND id < (SELECT max(trace_first + trace_n) FROM trial WHERE run = ?1) "
                                 "AND trial IN (SELECT id FROM trial WHERE run = ?1)";

/* Children first. */
static const char *const drop_sql[] = {
	drop_trace,
	"DELETE FROM rollup WHERE trial IN (SELECT id FROM trial WHERE run = ?1)",
	"DELETE FROM memory_timeline WHERE trial IN (SELECT id FROM trial WHERE run = ?1)",
	"DELETE FROM sample WHERE trial IN (SELECT id FROM trial WHERE run = ?1)",
	"DELETE FROM trial WHERE run = ?1",
	"DELETE FROM worker WHERE run = ?1",
	"DELETE FROM arm_level WHERE run = ?1",
	"DELETE FROM arm WHERE run = ?1",
	"DELETE FROM run_case WHERE run = ?1",
	"DELETE FROM fact WHERE run = ?1",
	"DELETE FROM run WHERE id = ?1",
};

static enum sb_status drop_rows(struct sb_store *st, const char *sql, int64_t run_key, struct sb_error *err)
{
	sqlite3_stmt *s = NULL;
	enum sb_status status = SB_OK;

	if (sqlite3_prepare_v2(st->db, sql, -1, &s, NULL) != SQLITE_OK)
		return sb_store_fail(st, what, err);
	sb_store_bind_int(s, 1, run_key);
	status = sb_store_step(st, s, what, err);
	sqlite3_finalize(s);
	return status;
}

enum sb_status sb_store_drop_run(struct sb_store *st, int64_t run_key, struct sb_error *err)
{
	enum sb_status status = sb_store_begin(st, what, err);

	if (status)
		return status;
	for (size_t i = 0; !status && i < SB_ARRAY_LEN(drop_sql); i++)
		status = drop_rows(st, drop_sql[i], run_key, err);
	return sb_store_finish(st, status, what, err);
}
