#include "store_internal.h"

#include <string.h>

static enum sb_status check_file(struct sb_store *st, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;

	status = sb_store_stmt(st, SB_SQL_CHECK_INTEGRITY, &s, err);
	if (status)
		return status;
	while (sb_store_row(st, s, "cannot check", &status, err)) {
		const char *text = (const char *)sqlite3_column_text(s, 0);

		if (text && strcmp(text, "ok") != 0) {
			status = sb_store_damaged(st, text, err);
			sqlite3_reset(s);
			return status;
		}
	}
	return status;
}

static enum sb_status check_keys(struct sb_store *st, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;

	status = sb_store_stmt(st, SB_SQL_CHECK_KEYS, &s, err);
	if (status)
		return status;
	if (sb_store_row(st, s, "cannot check", &status, err)) {
		const char *table = (const char *)sqlite3_column_text(s, 0),
		           *of = (const char *)sqlite3_column_text(s, 2);

		status = sb_fail(err, SB_E_DATA, "database '%s': a row of '%s' belongs to no '%s'", st->path,
		        table ? table : "?", of ? of : "?");
		sqlite3_reset(s);
	}
	return status;
}

/* The column takes anything (ANY), so that it proves nothing of what is in it. */
static enum sb_status check_samples(struct sb_store *st, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;

	status = sb_store_stmt(st, SB_SQL_CHECK_SAMPLES, &s, err);
	if (status)
		return status;
	if (sb_store_row(st, s, "cannot check", &status, err)) {
		const char *metric = (const char *)sqlite3_column_text(s, 3),
		           *value = (const char *)sqlite3_column_text(s, 5);

		status = sb_fail(err, SB_E_DATA,
		        "database '%s': '%.80s' of trial %lld (block %d, arm %d) is '%.40s', %s", st->path,
		        metric ? metric : "?", (long long)sqlite3_column_int64(s, 0), sqlite3_column_int(s, 1),
		        sqlite3_column_int(s, 2), value ? value : "?",
		        sqlite3_column_int(s, 4) ? "a time below 0" : "no finite number");
		sqlite3_reset(s);
	}
	return status;
}

/* Every trace row belongs to a trial: the ranges do not overlap when each trial has all of its own. */
static enum sb_status check_trace_total(struct sb_store *st, struct sb_error *err)
{
	int64_t rows = 0, owned = 0;
	enum sb_status status;
	sqlite3_stmt *s;

	status = sb_store_stmt(st, SB_SQL_CHECK_TRACE_TOTAL, &s, err);
	if (status)
		return status;
	while (sb_store_row(st, s, "cannot check", &status, err)) {
		rows = sqlite3_column_int64(s, 0);
		owned = sqlite3_column_int64(s, 1);
	}
	if (!status && rows != owned)
		status = sb_fail(err, SB_E_DATA, "database '%s': %lld trace rows, of which trials own %lld", st->path,
		        (long long)rows, (long long)owned);
	return status;
}

struct trace_trial {
	int64_t key, first, n;
	bool complete;
	int block, arm;
};

static void bind_trial(sqlite3_stmt *s, const struct trace_trial *t)
{
	sb_store_bind_int(s, 1, t->key);
	sb_store_bind_int(s, 2, t->first);
	sb_store_bind_int(s, 3, t->n);
}

static enum sb_status check_range(struct sb_store *st, const struct trace_trial *t, struct sb_error *err)
{
	int64_t rows = 0, nameless = 0;
	enum sb_status status;
	sqlite3_stmt *s;

	status = sb_store_stmt(st, SB_SQL_CHECK_TRACE_RANGE, &s, err);
	if (status)
		return status;
	bind_trial(s, t);
	while (sb_store_row(st, s, "cannot check", &status, err)) {
		rows = sqlite3_column_int64(s, 0);
		nameless = sqlite3_column_int64(s, 1);
	}
	if (!status && rows != t->n)
		status = sb_fail(err, SB_E_DATA,
		        "database '%s': the trace of trial %lld (block %d, arm %d) has %lld of its %lld rows", st->path,
		        (long long)t->key, t->block, t->arm, (long long)rows, (long long)t->n);
	if (!status && nameless)
		status = sb_fail(err, SB_E_DATA,
		        "database '%s': in the trace of trial %lld (block %d, arm %d) %lld rows have a name or launch "
		        "shape that is not there",
		        st->path, (long long)t->key, t->block, t->arm, (long long)nameless);
	return status;
}

static enum sb_status check_rollup(struct sb_store *st, const struct trace_trial *t, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;

	status = sb_store_stmt(st, SB_SQL_CHECK_ROLLUP, &s, err);
	if (status)
		return status;
	bind_trial(s, t);
	if (sb_store_row(st, s, "cannot check", &status, err)) {
		const char *name = (const char *)sqlite3_column_text(s, 0);

		status = sb_fail(err, SB_E_DATA,
		        "database '%s': trial %lld (block %d, arm %d): '%.80s' has %lld trace rows of %lld ns, and its "
		        "roll-up says %lld of %lld ns",
		        st->path, (long long)t->key, t->block, t->arm, name ? name : "?",
		        (long long)sqlite3_column_int64(s, 1), (long long)sqlite3_column_int64(s, 3),
		        (long long)sqlite3_column_int64(s, 2), (long long)sqlite3_column_int64(s, 4));
		sqlite3_reset(s);
	}
	return status;
}

static enum sb_status check_traces(struct sb_store *st, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;

	status = sb_store_stmt(st, SB_SQL_CHECK_TRACE_TRIALS, &s, err);
	if (status)
		return status;
	while (sb_store_row(st, s, "cannot check", &status, err)) {
		struct trace_trial t = {
			.key = sqlite3_column_int64(s, 0),
			.first = sqlite3_column_int64(s, 1),
			.n = sqlite3_column_int64(s, 2),
			.complete = sqlite3_column_int(s, 3) != 0,
			.block = sqlite3_column_int(s, 4),
			.arm = sqlite3_column_int(s, 5),
		};

		if (sqlite3_column_type(s, 1) == SQLITE_NULL && t.n == 0)
			continue; /* its rows were taken out, to save room: the roll-up stands alone */
		status = check_range(st, &t, err);
		if (!status && t.complete)
			status = check_rollup(st, &t, err);
		if (status) {
			sqlite3_reset(s);
			return status;
		}
	}
	return status;
}

enum sb_status sb_store_check(struct sb_store *st, struct sb_error *err)
{
	enum sb_status status = check_file(st, err);

	if (!status)
		status = check_keys(st, err);
	if (!status)
		status = check_samples(st, err);
	if (!status)
		status = check_trace_total(st, err);
	if (!status)
		status = check_traces(st, err);
	return status;
}
