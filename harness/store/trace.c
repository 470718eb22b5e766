#include "store_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- roll-up ------------------------------------------------------------------------------------------------ */

/* One text of a row, kept in *out. Never NULL: "" for none, and when out of memory. */
static const char *keep_text(struct sb_rollups *out, size_t *cap, sqlite3_stmt *s, int col, bool *oom)
{
	char *text;

	if (!sb_store_grow(&out->strings, cap, out->n_strings, sizeof(*out->strings))) {
		*oom = true;
		return "";
	}
	text = sb_store_column_str(s, col, oom);
	if (text)
		out->strings[out->n_strings++] = text;
	return text ? text : "";
}

enum sb_status sb_store_read_rollup(
        struct sb_store *st, int64_t trial_key, struct sb_rollups *out, struct sb_error *err)
{
	struct sb_rollups all = { 0 };
	size_t cap = 0, strings_cap = 0;
	enum sb_status status;
	bool oom = false;
	sqlite3_stmt *s;

	status = sb_store_stmt(st, SB_SQL_READ_ROLLUP, &s, err);
	if (status)
		return status;
	sb_store_bind_int(s, 1, trial_key);
	while (sb_store_row(st, s, "cannot read a roll-up", &status, err)) {
		oom = !sb_store_grow(&all.v, &cap, all.n, sizeof(*all.v));
		if (!oom)
			all.v[all.n++] = (struct sb_rollup){
				.stage = keep_text(&all, &strings_cap, s, 0, &oom),
				.op = keep_text(&all, &strings_cap, s, 1, &oom),
				.kind = keep_text(&all, &strings_cap, s, 2, &oom),
				.name = keep_text(&all, &strings_cap, s, 3, &oom),
				.count = sqlite3_column_int64(s, 4),
				.dur_ns = sqlite3_column_int64(s, 5),
				.bytes = sqlite3_column_int64(s, 6),
			};
		if (oom) {
			sqlite3_reset(s);
			status = sb_store_no_memory(st, err);
			break;
		}
	}
	if (status)
		sb_rollups_release(&all);
	else
		*out = all;
	return status;
}

void sb_rollups_release(struct sb_rollups *r)
{
	for (size_t i = 0; i < r->n_strings; i++)
		free(r->strings[i]);
	free(r->strings);
	free(r->v);
	*r = (struct sb_rollups){ 0 };
}

/* ---- rows --------------------------------------------------------------------------------------------------- */

/* Keys of the names and launch shapes, sorted, by their index in the result. */
struct keys {
	int64_t *v;
	size_t n, cap;
};

static bool keep_key(struct keys *k, int64_t key)
{
	if (!sb_store_grow(&k->v, &k->cap, k->n, sizeof(*k->v)))
		return false;
	k->v[k->n++] = key;
	return true;
}

static int by_key(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Index of the key in a column; -1 for NULL, and for a key that is not there: then *broken is set. */
static int32_t index_of(const struct keys *k, sqlite3_stmt *s, int col, bool *broken)
{
	int64_t key = sqlite3_column_int64(s, col);
	const int64_t *at;

	if (sqlite3_column_type(s, col) == SQLITE_NULL)
		return -1;
	at = k->n ? bsearch(&key, k->v, k->n, sizeof(*k->v), by_key) : NULL;
	if (!at)
		*broken = true;
	return at ? (int32_t)(at - k->v) : -1;
}

static enum sb_status read_names(struct sb_store *st, struct keys *k, struct sb_trace_rows *out, struct sb_error *err)
{
	enum sb_status status;
	bool oom = false;
	sqlite3_stmt *s;
	size_t cap = 0;

	status = sb_store_stmt(st, SB_SQL_READ_NAMES, &s, err);
	if (status)
		return status;
	while (sb_store_row(st, s, "cannot read names", &status, err)) {
		oom = !keep_key(k, sqlite3_column_int64(s, 0)) ||
		      !sb_store_grow(&out->names, &cap, out->n_names, sizeof(*out->names));
		if (!oom)
			out->names[out->n_names++] = sb_store_column_str(s, 1, &oom);
		if (oom) {
			sqlite3_reset(s);
			return sb_store_no_memory(st, err);
		}
	}
	return status;
}

static enum sb_status read_launches(
        struct sb_store *st, struct keys *k, struct sb_trace_rows *out, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;
	size_t cap = 0;

	status = sb_store_stmt(st, SB_SQL_READ_LAUNCHES, &s, err);
	if (status)
		return status;
	while (sb_store_row(st, s, "cannot read launch shapes", &status, err)) {
		if (!keep_key(k, sqlite3_column_int64(s, 0)) ||
		        !sb_store_grow(&out->launches, &cap, out->n_launches, sizeof(*out->launches))) {
			sqlite3_reset(s);
			return sb_store_no_memory(st, err);
		}
		out->launches[out->n_launches++] = (struct sb_launch){
			.grid = { sqlite3_column_int(s, 1), sqlite3_column_int(s, 2), sqlite3_column_int(s, 3) },
			.block = { sqlite3_column_int(s, 4), sqlite3_column_int(s, 5), sqlite3_column_int(s, 6) },
			.shared_bytes = sqlite3_column_int64(s, 7),
			.registers = sqlite3_column_int(s, 8),
		};
	}
	return status;
}

static enum sb_status trace_range(
        struct sb_store *st, int64_t trial_key, int64_t *first, int64_t *n, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_TRACE_RANGE, &s, err);

	if (status)
		return status;
	sb_store_bind_int(s, 1, trial_key);
	*first = *n = 0;
	while (sb_store_row(st, s, "cannot read a trial", &status, err)) {
		*first = sqlite3_column_int64(s, 0);
		*n = sqlite3_column_int64(s, 1);
	}
	return status;
}

static enum sb_status read_rows(struct sb_store *st, int64_t trial_key, const struct keys *names,
        const struct keys *launches, struct sb_trace_rows *out, struct sb_error *err)
{
	int64_t first, n, start_ns = 0;
	enum sb_status status = trace_range(st, trial_key, &first, &n, err);
	bool broken = false;
	sqlite3_stmt *s;
	size_t cap = 0;

	if (!status)
		status = sb_store_stmt(
		        st, st->version < SB_STORE_OP_CALL_VERSION ? SB_SQL_READ_TRACE_3 : SB_SQL_READ_TRACE, &s, err);
	if (status)
		return status;
	sb_store_bind_int(s, 1, first);
	sb_store_bind_int(s, 2, n);
	while (sb_store_row(st, s, "cannot read a trace", &status, err)) {
		if (!sb_store_grow(&out->v, &cap, out->n, sizeof(*out->v))) {
			sqlite3_reset(s);
			return sb_store_no_memory(st, err);
		}
		/* Unsigned: a damaged file must not overflow. */
		start_ns = (int64_t)((uint64_t)start_ns + (uint64_t)sqlite3_column_int64(s, 1));
		broken |= sqlite3_column_int64(s, 0) != trial_key || sqlite3_column_type(s, 3) == SQLITE_NULL;
		out->v[out->n++] = (struct sb_trace_row){
			.start_ns = start_ns,
			.dur_ns = sqlite3_column_int64(s, 2),
			.name = index_of(names, s, 3, &broken),
			.stage = index_of(names, s, 4, &broken),
			.op = index_of(names, s, 5, &broken),
			.stream = sqlite3_column_int(s, 6),
			.correlation = sqlite3_column_int64(s, 7),
			.launch = index_of(launches, s, 8, &broken) + 1,
			.op_call = sqlite3_column_type(s, 9) == SQLITE_NULL ? 0 : sqlite3_column_int(s, 9) + 1,
		};
	}
	if (!status && (broken || out->n != (size_t)n))
		status = sb_store_damaged(st, "the rows of a trace are not whole", err);
	return status;
}

enum sb_status sb_store_read_trace(
        struct sb_store *st, int64_t trial_key, struct sb_trace_rows *out, struct sb_error *err)
{
	struct keys names = { 0 }, launches = { 0 };
	struct sb_trace_rows rows = { 0 };
	enum sb_status status = read_names(st, &names, &rows, err);

	if (!status)
		status = read_launches(st, &launches, &rows, err);
	if (!status)
		status = read_rows(st, trial_key, &names, &launches, &rows, err);
	free(names.v);
	free(launches.v);
	if (status)
		sb_trace_rows_release(&rows);
	else
		*out = rows;
	return status;
}

void sb_trace_rows_release(struct sb_trace_rows *t)
{
	for (size_t i = 0; i < t->n_names; i++)
		free(t->names[i]);
	free(t->names);
	free(t->launches);
	free(t->v);
	*t = (struct sb_trace_rows){ 0 };
}

/* ---- memory timeline ---------------------------------------------------------------------------------------- */

/* The blob of the row that s stands on. */
static enum sb_status copy_timeline(
        struct sb_store *st, sqlite3_stmt *s, struct sb_timeline_row *out, struct sb_error *err)
{
	const void *data = sqlite3_column_blob(s, 2);
	size_t size = (size_t)sqlite3_column_bytes(s, 2);
	void *copy = malloc(size + 1);

	if (!copy || (size && !data)) {
		free(copy);
		return sb_store_no_memory(st, err);
	}
	if (size)
		memcpy(copy, data, size);
	*out = (struct sb_timeline_row){ copy, size, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1) };
	return SB_OK;
}

enum sb_status sb_store_read_timeline(
        struct sb_store *st, int64_t trial_key, struct sb_timeline_row *out, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;

	*out = (struct sb_timeline_row){ .data = NULL };
	if (st->version < SB_STORE_TIMELINE_VERSION)
		return SB_OK;
	status = sb_store_stmt(st, SB_SQL_READ_TIMELINE, &s, err);
	if (status)
		return status;
	sb_store_bind_int(s, 1, trial_key);
	if (sb_store_row(st, s, "cannot read a memory timeline", &status, err)) {
		status = copy_timeline(st, s, out, err);
		sqlite3_reset(s);
	}
	return status;
}

void sb_timeline_row_release(struct sb_timeline_row *t)
{
	free((void *)(uintptr_t)t->data);
	*t = (struct sb_timeline_row){ .data = NULL };
}
