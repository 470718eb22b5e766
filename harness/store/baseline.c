/* Baselines and calibrations: what gates are held against. */
#include "store_internal.h"

#include <stdlib.h>

enum sb_status sb_store_set_baseline(struct sb_store *st, const struct sb_baseline *b, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_SET_BASELINE, &s, err);

	if (status)
		return status;
	sb_store_bind_text(s, 1, b->name);
	sb_store_bind_text(s, 2, b->machine);
	sb_store_bind_text(s, 3, b->case_key);
	sb_store_bind_int(s, 4, b->run);
	sb_store_bind_int(s, 5, b->arm);
	sb_store_bind_text(s, 6, b->exe);
	sb_store_bind_text(s, 7, b->exe_digest);
	sb_store_bind_int(s, 8, b->created_ns);
	return sb_store_step(st, s, "cannot store a baseline", err);
}

static void release_baseline(struct sb_baseline *b)
{
	free(b->name);
	free(b->machine);
	free(b->case_key);
	free(b->exe);
	free(b->exe_digest);
	free(b->run_id);
	free(b->arm_name);
}

static bool read_baseline(sqlite3_stmt *s, struct sb_baseline *b)
{
	bool oom = false;

	*b = (struct sb_baseline){ .run = sqlite3_column_int64(s, 3),
		.arm = sqlite3_column_int(s, 4),
		.created_ns = sqlite3_column_int64(s, 7) };
	b->name = sb_store_column_str(s, 0, &oom);
	b->machine = sb_store_column_str(s, 1, &oom);
	b->case_key = sb_store_column_str(s, 2, &oom);
	b->exe = sb_store_column_str(s, 5, &oom);
	b->exe_digest = sb_store_column_str(s, 6, &oom);
	b->run_id = sb_store_column_str(s, 8, &oom);
	b->arm_name = sb_store_column_str(s, 9, &oom);
	return !oom;
}

enum sb_status sb_store_list_baselines(struct sb_store *st, struct sb_baselines *out, struct sb_error *err)
{
	struct sb_baselines list = { .v = NULL };
	enum sb_status status;
	sqlite3_stmt *s;

	*out = list;
	if (st->version < SB_STORE_BASELINE_VERSION)
		return SB_OK;
	status = sb_store_stmt(st, SB_SQL_LIST_BASELINES, &s, err);
	while (!status && sb_store_row(st, s, "cannot list baselines", &status, err)) {
		struct sb_baseline *v = realloc(list.v, (list.n + 1) * sizeof(*v));

		if (v)
			list.v = v;
		if (!v || !read_baseline(s, &list.v[list.n++])) {
			sqlite3_reset(s);
			status = sb_store_no_memory(st, err);
		}
	}
	if (status)
		sb_baselines_release(&list);
	else
		*out = list;
	return status;
}

void sb_baselines_release(struct sb_baselines *b)
{
	for (size_t i = 0; i < b->n; i++)
		release_baseline(&b->v[i]);
	free(b->v);
	*b = (struct sb_baselines){ .v = NULL };
}

enum sb_status sb_store_drop_baseline(struct sb_store *st, const char *name, int *n, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_DROP_BASELINE, &s, err);

	if (status)
		return status;
	sb_store_bind_text(s, 1, name);
	status = sb_store_step(st, s, "cannot drop a baseline", err);
	*n = status ? 0 : sqlite3_changes(st->db);
	return status;
}

enum sb_status sb_store_set_calibration(struct sb_store *st, const struct sb_calibration *c, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_SET_CALIBRATION, &s, err);

	if (status)
		return status;
	sb_store_bind_text(s, 1, c->machine);
	sb_store_bind_text(s, 2, c->case_key);
	sb_store_bind_text(s, 3, c->levels);
	sb_store_bind_text(s, 4, c->metric);
	sb_store_bind_int(s, 5, c->run);
	sb_store_bind_int(s, 6, c->created_ns);
	sb_store_bind_text(s, 7, c->figures);
	return sb_store_step(st, s, "cannot store a calibration", err);
}

static bool read_calibration(sqlite3_stmt *s, struct sb_calibration *c)
{
	bool oom = false;

	*c = (struct sb_calibration){ .run = sqlite3_column_int64(s, 4), .created_ns = sqlite3_column_int64(s, 5) };
	c->machine = sb_store_column_str(s, 0, &oom);
	c->case_key = sb_store_column_str(s, 1, &oom);
	c->levels = sb_store_column_str(s, 2, &oom);
	c->metric = sb_store_column_str(s, 3, &oom);
	c->figures = sb_store_column_str(s, 6, &oom);
	return !oom;
}

enum sb_status sb_store_list_calibrations(struct sb_store *st, struct sb_calibrations *out, struct sb_error *err)
{
	struct sb_calibrations list = { .v = NULL };
	enum sb_status status;
	sqlite3_stmt *s;

	*out = list;
	if (st->version < SB_STORE_BASELINE_VERSION)
		return SB_OK;
	status = sb_store_stmt(st, SB_SQL_LIST_CALIBRATIONS, &s, err);
	while (!status && sb_store_row(st, s, "cannot list calibrations", &status, err)) {
		struct sb_calibration *v = realloc(list.v, (list.n + 1) * sizeof(*v));

		if (v)
			list.v = v;
		if (!v || !read_calibration(s, &list.v[list.n++])) {
			sqlite3_reset(s);
			status = sb_store_no_memory(st, err);
		}
	}
	if (status)
		sb_calibrations_release(&list);
	else
		*out = list;
	return status;
}

void sb_calibrations_release(struct sb_calibrations *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].machine);
		free(c->v[i].case_key);
		free(c->v[i].levels);
		free(c->v[i].metric);
		free(c->v[i].figures);
	}
	free(c->v);
	*c = (struct sb_calibrations){ .v = NULL };
}
