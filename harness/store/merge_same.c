/* The same run in two databases: equal, one of them an earlier state of the other, or two that should not be. */
#include "merge_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const rows_names[SB_MERGE_ROWS_COUNT] = {
	[SB_MERGE_RUN] = "command, note, plan or seed",
	[SB_MERGE_FACTS] = "facts",
	[SB_MERGE_CASE] = "case",
	[SB_MERGE_ARMS] = "arms",
	[SB_MERGE_LEVELS] = "levels of the arms",
	[SB_MERGE_WORKER] = "what it was",
	[SB_MERGE_TRIAL] = "when it ran and how it ended",
	[SB_MERGE_SAMPLES] = "samples",
	[SB_MERGE_ROLLUP] = "roll-up",
	[SB_MERGE_TIMELINE] = "memory timeline",
	[SB_MERGE_TRACE] = "trace",
};

/* ---- how far a run has come ------------------------------------------------------------------------------------- */

static enum sb_status read_list(struct sb_merge *m, int side, enum sb_merge_sql which, int64_t run,
        struct sb_merge_list *out, int64_t *ended, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;

	status = sb_merge_stmt(m, side, which, run, &s, err);
	while (!status && sb_merge_step(m, side, s, &status, err)) {
		if (!sb_store_grow(&out->key, &out->cap, out->n, sizeof(*out->key))) {
			sqlite3_reset(s);
			return sb_store_no_memory(sb_merge_side(m, side), err);
		}
		out->key[out->n++] = sqlite3_column_int64(s, 0);
		if (ended)
			*ended += sqlite3_column_int64(s, 1);
	}
	return status;
}

enum sb_status sb_merge_look(struct sb_merge *m, int side, int64_t key, struct sb_merge_run *out, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;

	out->key = key;
	status = sb_merge_read(m, side, SB_MERGE_RUN, key, &s, err);
	while (!status && sb_merge_step(m, side, s, &status, err))
		out->ended_ns = sqlite3_column_int64(s, 7);
	if (!status)
		status = sb_merge_read(m, side, SB_MERGE_FACTS, key, &s, err);
	while (!status && sb_merge_step(m, side, s, &status, err))
		out->n_facts++;
	if (!status)
		status = read_list(m, side, SB_MERGE_LIST_WORKERS, key, &out->workers, &out->ended_workers, err);
	return status ? status : read_list(m, side, SB_MERGE_LIST_TRIALS, key, &out->trials, NULL, err);
}

void sb_merge_run_release(struct sb_merge_run *r)
{
	free(r->workers.key);
	free(r->trials.key);
}

enum sb_status sb_merge_worker(
        struct sb_merge *m, int side, const struct sb_merge_run *r, int64_t key, int64_t *out, struct sb_error *err)
{
	/* Trials mostly belong to the last workers, and runs have a handful. */
	for (size_t i = r->workers.n; i-- > 0;)
		if (r->workers.key[i] == key) {
			*out = (int64_t)i;
			return SB_OK;
		}
	return sb_store_damaged(sb_merge_side(m, side), "a trial's worker is of another run", err);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

/* Where memory runs out values are not the same, which is an error in any case. */
static bool same_value(sqlite3_stmt *a, sqlite3_stmt *b, int col)
{
	int type = sqlite3_column_type(a, col), n;
	const void *x, *y;

	if (type != sqlite3_column_type(b, col))
		return false;
	switch (type) {
	case SQLITE_NULL:
		return true;
	case SQLITE_INTEGER:
		return sqlite3_column_int64(a, col) == sqlite3_column_int64(b, col);
	case SQLITE_FLOAT: {
		double u = sqlite3_column_double(a, col), v = sqlite3_column_double(b, col);

		return u == v && signbit(u) == signbit(v); /* a NaN is NULL to SQLite */
	}
	default: /* SQLite's order: the pointer, then the size */
		x = type == SQLITE_TEXT ? sqlite3_column_text(a, col) : sqlite3_column_blob(a, col);
		y = type == SQLITE_TEXT ? sqlite3_column_text(b, col) : sqlite3_column_blob(b, col);
		n = sqlite3_column_bytes(a, col);
		return n == sqlite3_column_bytes(b, col) && (!n || (x && y && !memcmp(x, y, (size_t)n)));
	}
}

static bool same_columns(sqlite3_stmt *a, sqlite3_stmt *b, int first, int n)
{
	for (int i = first; i < first + n; i++)
		if (!same_value(a, b, i))
			return false;
	return true;
}

/* More of two rows than their fixed columns. */
typedef enum sb_status same_more(
        struct sb_merge *m, sqlite3_stmt *into, sqlite3_stmt *from, bool *same, struct sb_error *err);

static enum sb_status same_rows(struct sb_merge *m, enum sb_merge_rows which, int64_t into, int64_t from,
        same_more *more, bool *same, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *a = NULL, *b = NULL;

	*same = true;
	status = sb_merge_read(m, SB_MERGE_INTO, which, into, &a, err);
	if (!status)
		status = sb_merge_read(m, SB_MERGE_FROM, which, from, &b, err);
	while (!status && *same) {
		bool any = sb_merge_step(m, SB_MERGE_INTO, a, &status, err), other = false;

		if (!status)
			other = sb_merge_step(m, SB_MERGE_FROM, b, &status, err);
		if (status || (!any && !other))
			break;
		*same = any && other && same_columns(a, b, 0, sb_merge_fixed_columns[which]);
		if (*same && more)
			status = more(m, a, b, same, err);
	}
	sqlite3_reset(a);
	sqlite3_reset(b);
	return status;
}

/* How a worker ended may be known to one side alone. */
static enum sb_status same_ending(
        struct sb_merge *m, sqlite3_stmt *into, sqlite3_stmt *from, bool *same, struct sb_error *err)
{
	(void)m;
	(void)err;
	if (sqlite3_column_type(into, 7) != SQLITE_NULL && sqlite3_column_type(from, 7) != SQLITE_NULL)
		*same = same_columns(into, from, 7, 2);
	return SB_OK;
}

static enum sb_status same_status(
        struct sb_merge *m, sqlite3_stmt *into, sqlite3_stmt *from, bool *same, struct sb_error *err)
{
	(void)m;
	(void)err;
	*same = same_columns(into, from, 6, 2);
	return SB_OK;
}

/* Names and launch shapes by what they are in `into`. */
static enum sb_status same_names(
        struct sb_merge *m, sqlite3_stmt *into, sqlite3_stmt *from, bool *same, struct sb_error *err)
{
	enum sb_status status = SB_OK;

	for (int i = SB_MERGE_TRACE_NAME; !status && *same && i <= SB_MERGE_TRACE_LAUNCH; i++) {
		int64_t theirs = sqlite3_column_int64(from, i), key = -1;

		*same = sqlite3_column_type(into, i) == sqlite3_column_type(from, i);
		if (!*same || sqlite3_column_type(from, i) == SQLITE_NULL)
			continue;
		status = i == SB_MERGE_TRACE_LAUNCH ? sb_merge_launch(m, theirs, false, &key, err)
		                                    : sb_merge_name(m, theirs, false, &key, err);
		*same = key == sqlite3_column_int64(into, i);
	}
	return status;
}

/* ---- a run ------------------------------------------------------------------------------------------------------ */

static enum sb_status differ(
        struct sb_merge *m, const char *uid, const char *whose, const char *in_what, struct sb_error *err)
{
	return sb_fail(err, SB_E_DATA,
	        "run '%.32s' is in '%s' and in '%s', and they do not agree (%s%s); a run is never changed once it is "
	        "over, so leave out the copy that was",
	        uid, m->into->path, m->from->path, whose, in_what);
}

static enum sb_status expect_same(struct sb_merge *m, const char *uid, const char *whose, enum sb_merge_rows which,
        int64_t into, int64_t from, same_more *more, struct sb_error *err)
{
	bool same = false;
	enum sb_status status = same_rows(m, which, into, from, more, &same, err);

	return status || same ? status : differ(m, uid, whose, rows_names[which], err);
}

static enum sb_status worker_of(
        struct sb_merge *m, int side, const struct sb_merge_run *r, size_t trial, int64_t *place, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;

	*place = -1;
	status = sb_merge_read(m, side, SB_MERGE_TRIAL, r->trials.key[trial], &s, err);
	while (!status && sb_merge_step(m, side, s, &status, err))
		status = sb_merge_worker(m, side, r, sqlite3_column_int64(s, 9), place, err);
	return status;
}

static enum sb_status same_trial(struct sb_merge *m, const char *uid, const struct sb_merge_run *into,
        const struct sb_merge_run *from, size_t i, struct sb_error *err)
{
	static const enum sb_merge_rows parts[] = { SB_MERGE_TRIAL, SB_MERGE_SAMPLES, SB_MERGE_ROLLUP, SB_MERGE_TRACE,
		SB_MERGE_TIMELINE };
	enum sb_status status = SB_OK;
	int64_t ours, theirs;
	char whose[64];

	snprintf(whose, sizeof(whose), "trial %zu: ", i + 1);
	for (size_t k = 0; !status && k < SB_ARRAY_LEN(parts); k++)
		status = expect_same(m, uid, whose, parts[k], into->trials.key[i], from->trials.key[i],
		        parts[k] == SB_MERGE_TRACE ? same_names : NULL, err);
	if (!status)
		status = worker_of(m, SB_MERGE_INTO, into, i, &ours, err);
	if (!status)
		status = worker_of(m, SB_MERGE_FROM, from, i, &theirs, err);
	return !status && ours != theirs ? differ(m, uid, whose, "worker", err) : status;
}

static int sign(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* Which of two copies is the later state. Of one that was ended, resumed and ended again, the end is later. */
static int order_of(const struct sb_merge_run *into, const struct sb_merge_run *from)
{
	const int by[] = { sign((int64_t)into->trials.n, (int64_t)from->trials.n),
		sign((int64_t)into->workers.n, (int64_t)from->workers.n),
		sign(into->ended_workers, from->ended_workers), sign(into->ended_ns, from->ended_ns),
		sign(into->n_facts, from->n_facts) };

	for (size_t i = 0; i < SB_ARRAY_LEN(by); i++)
		if (by[i])
			return by[i];
	return 0;
}

/* Status and facts of two copies that have come equally far. */
static enum sb_status same_end(struct sb_merge *m, const char *uid, const struct sb_merge_run *into,
        const struct sb_merge_run *from, struct sb_error *err)
{
	bool same = false;
	enum sb_status status = same_rows(m, SB_MERGE_RUN, into->key, from->key, same_status, &same, err);

	if (!status && !same)
		return differ(m, uid, "", "status", err);
	return status ? status : expect_same(m, uid, "", SB_MERGE_FACTS, into->key, from->key, NULL, err);
}

enum sb_status sb_merge_compare(struct sb_merge *m, const char *uid, const struct sb_merge_run *into,
        const struct sb_merge_run *from, int *order, struct sb_error *err)
{
	static const enum sb_merge_rows parts[] = { SB_MERGE_RUN, SB_MERGE_CASE, SB_MERGE_ARMS, SB_MERGE_LEVELS };
	size_t workers = into->workers.n < from->workers.n ? into->workers.n : from->workers.n;
	size_t trials = into->trials.n < from->trials.n ? into->trials.n : from->trials.n;
	enum sb_status status = SB_OK;
	char whose[64];

	*order = order_of(into, from);
	for (size_t i = 0; !status && i < SB_ARRAY_LEN(parts); i++)
		status = expect_same(m, uid, "", parts[i], into->key, from->key, NULL, err);
	for (size_t i = 0; !status && i < workers; i++) {
		snprintf(whose, sizeof(whose), "worker %zu: ", i + 1);
		status = expect_same(
		        m, uid, whose, SB_MERGE_WORKER, into->workers.key[i], from->workers.key[i], same_ending, err);
	}
	for (size_t i = 0; !status && i < trials; i++)
		status = same_trial(m, uid, into, from, i, err);
	if (!status && *order * sign((int64_t)into->workers.n, (int64_t)from->workers.n) < 0)
		return differ(m, uid, "one has more trials, the other more workers", "", err);
	return status || *order ? status : same_end(m, uid, into, from, err);
}
