#include "store_internal.h"

#include <math.h>
#include <string.h>

/* ---- transactions ------------------------------------------------------------------------------------------- */

/*
 * Before anything is written: a ROLLBACK that failed for want of memory left its transaction open, and what is written
 * now would be acknowledged, and lost with it.
 */
static enum sb_status ready(struct sb_store *st, const char *what, struct sb_error *err)
{
	if (!st->writable)
		SB_BUG("database '%s' is open for reading", st->path);
	if (!sqlite3_get_autocommit(st->db) && sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
		return sb_store_fail(st, what, err);
	return SB_OK;
}

enum sb_status sb_store_begin(struct sb_store *st, const char *what, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = ready(st, what, err);

	if (!status)
		status = sb_store_stmt(st, SB_SQL_BEGIN, &s, err);
	return status ? status : sb_store_step(st, s, what, err);
}

enum sb_status sb_store_finish(struct sb_store *st, enum sb_status status, const char *what, struct sb_error *err)
{
	sqlite3_stmt *s;

	if (!status)
		status = sb_store_stmt(st, SB_SQL_COMMIT, &s, err);
	if (!status)
		status = sb_store_step(st, s, what, err);
	if (!status)
		return SB_OK;
	/* SQLite has rolled back already after some failures, a full disk for one. */
	if (!sqlite3_get_autocommit(st->db) && sb_store_stmt(st, SB_SQL_ROLLBACK, &s, NULL) == SB_OK)
		sb_store_step(st, s, what, NULL);
	/* Words added in this transaction are gone, and their keys will be given to others. */
	sb_store_dict_release(&st->metrics);
	sb_store_dict_release(&st->names);
	return status;
}

/* One statement in a transaction of its own. */
static enum sb_status step_alone(struct sb_store *st, sqlite3_stmt *s, const char *what, struct sb_error *err)
{
	enum sb_status status = ready(st, what, err);

	return status ? status : sb_store_step(st, s, what, err);
}

/* The key of a word, which is added to the table when new: with SB_SQL_COUNT for `add` it is not, and is -1. */
static enum sb_status word_key(struct sb_store *st, struct sb_store_dict *d, enum sb_store_sql find,
        enum sb_store_sql add, const char *text, int64_t *key, struct sb_error *err)
{
	const struct sb_store_word *w = sb_store_dict_find(d, text);
	enum sb_status status;
	sqlite3_stmt *s;
	bool found;

	if (w) {
		*key = w->id;
		return SB_OK;
	}
	status = sb_store_stmt(st, find, &s, err);
	if (status)
		return status;
	sb_store_bind_text(s, 1, text);
	status = sb_store_one_int(st, s, "cannot look up a name", key, &found, err);
	if (!status && !found && add == SB_SQL_COUNT) {
		*key = -1;
		return SB_OK;
	}
	if (!status && !found) {
		status = sb_store_stmt(st, add, &s, err);
		if (status)
			return status;
		sb_store_bind_text(s, 1, text);
		status = sb_store_step(st, s, "cannot store a name", err);
		*key = sqlite3_last_insert_rowid(st->db);
	}
	if (!status && !sb_store_dict_add(d, text, *key))
		status = sb_store_no_memory(st, err);
	return status;
}

enum sb_status sb_store_name_key(struct sb_store *st, const char *text, bool add, int64_t *key, struct sb_error *err)
{
	return word_key(st, &st->names, SB_SQL_FIND_NAME, add ? SB_SQL_ADD_NAME : SB_SQL_COUNT, text, key, err);
}

enum sb_status sb_store_metric_key(struct sb_store *st, const char *name, int64_t *key, struct sb_error *err)
{
	return word_key(st, &st->metrics, SB_SQL_FIND_METRIC, SB_SQL_ADD_METRIC, name, key, err);
}

/* ---- runs --------------------------------------------------------------------------------------------------- */

static enum sb_status add_fact(struct sb_store *st, int64_t run, const struct sb_fact *f, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_ADD_FACT, &s, err);

	if (status)
		return status;
	sb_store_bind_int(s, 1, run);
	sb_store_bind_text(s, 2, f->key);
	sb_store_bind_text(s, 3, f->value);
	/* A fact with neither says so, rather than stop a run. */
	sb_store_bind_text(s, 4, f->value ? NULL : f->absent ? f->absent : "not recorded");
	return sb_store_step(st, s, "cannot store a fact", err);
}

static enum sb_status add_level(struct sb_store *st, int64_t run, int arm, const char *part, size_t part_len,
        const char *level, size_t level_len, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_ADD_ARM_LEVEL, &s, err);

	if (status)
		return status;
	sb_store_bind_int(s, 1, run);
	sb_store_bind_int(s, 2, arm);
	sqlite3_bind_text(s, 3, part, (int)part_len, SQLITE_STATIC);
	sqlite3_bind_text(s, 4, level, (int)level_len, SQLITE_STATIC);
	return sb_store_step(st, s, "cannot store an arm's level", err);
}

static enum sb_status add_arm(
        struct sb_store *st, int64_t run, int idx, const char *name, const char *levels, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_ADD_ARM, &s, err);

	if (status)
		return status;
	sb_store_bind_int(s, 1, run);
	sb_store_bind_int(s, 2, idx);
	sb_store_bind_text(s, 3, name);
	sb_store_bind_text(s, 4, levels);
	status = sb_store_step(st, s, "cannot store an arm", err);
	for (const char *p = levels; !status && *p;) {
		size_t len = strcspn(p, ","), part_len = strcspn(p, "=,");

		if (part_len == 0 || part_len + 1 >= len)
			return sb_fail(err, SB_E_USAGE, "arm '%s': '%.*s' in '%s' is not part=level", name, (int)len, p,
			        levels);
		status = add_level(st, run, idx, p, part_len, p + part_len + 1, len - part_len - 1, err);
		p += len + (p[len] == ',');
	}
	return status;
}

static enum sb_status add_case(struct sb_store *st, int64_t run, const struct sb_case_row *c, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_ADD_CASE, &s, err);

	if (status)
		return status;
	sb_store_bind_int(s, 1, run);
	sb_store_bind_text(s, 2, c->workload);
	sb_store_bind_text(s, 3, c->preset);
	sb_store_bind_text(s, 4, c->params);
	sb_store_bind_text(s, 5, c->clip_digest);
	sb_store_bind_text(s, 6, c->weights_kind);
	sb_store_bind_text(s, 7, c->weights_digest);
	return sb_store_step(st, s, "cannot store a case", err);
}

static enum sb_status add_run(struct sb_store *st, const struct sb_run_row *run, int64_t *key, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status;

	status = sb_store_stmt(st, SB_SQL_ADD_RUN, &s, err);
	if (status)
		return status;
	sb_store_bind_text(s, 1, run->id);
	sb_store_bind_int(s, 2, run->created_ns);
	sb_store_bind_text(s, 3, run->command);
	sb_store_bind_text(s, 4, run->note);
	sb_store_bind_text(s, 5, run->plan);
	sb_store_bind_int(s, 6, (int64_t)run->seed);
	if (sqlite3_step(s) == SQLITE_DONE)
		*key = sqlite3_last_insert_rowid(st->db);
	else if (sqlite3_extended_errcode(st->db) == SQLITE_CONSTRAINT_UNIQUE)
		status = sb_fail(err, SB_E_DATA, "run '%s' is already in database '%s'", run->id, st->path);
	else
		status = sb_store_fail(st, "cannot store a run", err);
	sqlite3_reset(s);
	return status;
}

enum sb_status sb_store_begin_run(struct sb_store *st, const struct sb_run_row *run, const struct sb_case_row *c,
        const char *const *arm_names, const char *const *arm_levels, int n_arms, int64_t *run_key, struct sb_error *err)
{
	enum sb_status status;
	int64_t key = 0;

	if (strlen(run->id) != 32 || strspn(run->id, "0123456789abcdef") != 32)
		return sb_fail(err, SB_E_USAGE, "run id '%.64s' is not 32 lower-case hex digits", run->id);
	status = sb_store_begin(st, "cannot begin a run", err);
	if (status)
		return status;
	status = add_run(st, run, &key, err);
	for (size_t i = 0; !status && i < run->n_facts; i++)
		status = add_fact(st, key, &run->facts[i], err);
	if (!status)
		status = add_case(st, key, c, err);
	for (int i = 0; !status && i < n_arms; i++)
		status = add_arm(st, key, i, arm_names[i], arm_levels[i], err);
	status = sb_store_finish(st, status, "cannot begin a run", err);
	if (!status)
		*run_key = key;
	return status;
}

enum sb_status sb_store_add_fact(struct sb_store *st, int64_t run_key, const struct sb_fact *f, struct sb_error *err)
{
	enum sb_status status = ready(st, "cannot store a fact", err);

	return status ? status : add_fact(st, run_key, f, err);
}

enum sb_status sb_store_end_run(struct sb_store *st, int64_t run_key, const char *run_status, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_END_RUN, &s, err);

	if (status)
		return status;
	sb_store_bind_int(s, 1, run_key);
	sb_store_bind_text(s, 2, run_status);
	sb_store_bind_int(s, 3, sb_wall_time_ns());
	return step_alone(st, s, "cannot end a run", err);
}

/* *same: whether the fact stands there with this value. */
static enum sb_status is_fact(
        struct sb_store *st, int64_t run, const struct sb_fact *f, bool *same, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_READ_FACT, &s, err);

	if (status)
		return status;
	sb_store_bind_int(s, 1, run);
	sb_store_bind_text(s, 2, f->key);
	*same = !f->value;
	while (sb_store_row(st, s, "cannot read a fact", &status, err)) {
		const char *value = (const char *)sqlite3_column_text(s, 0);

		*same = f->value && value ? !strcmp(f->value, value) : !f->value && !value;
	}
	return status;
}

static enum sb_status is_incomplete(struct sb_store *st, int64_t run_key, const char *what, struct sb_error *err)
{
	int64_t complete = 0;
	enum sb_status status;
	sqlite3_stmt *s;
	bool found;

	status = sb_store_stmt(st, SB_SQL_RUN_STATUS, &s, err);
	if (status)
		return status;
	sb_store_bind_int(s, 1, run_key);
	status = sb_store_one_int(st, s, what, &complete, &found, err);
	if (!status && !found)
		SB_BUG("no run with key %lld in '%s'", (long long)run_key, st->path);
	if (!status && complete)
		status = sb_fail(err, SB_E_USAGE, "the run is complete: nothing is left to resume");
	return status;
}

enum sb_status sb_store_resume_run(struct sb_store *st, int64_t run_key, const struct sb_fact *was,
        const struct sb_fact *own, size_t n, struct sb_error *err)
{
	static const char what[] = "cannot resume a run";
	enum sb_status status = sb_store_begin(st, what, err);
	sqlite3_stmt *s;

	if (status)
		return status;
	status = is_incomplete(st, run_key, what, err);
	for (size_t i = 0; !status && i < n; i++) {
		bool same = false;

		status = is_fact(st, run_key, &was[i], &same, err);
		if (!status && !same)
			status = sb_fail(err, SB_E_USAGE, "another process has just resumed the run");
		if (!status)
			status = add_fact(st, run_key, &own[i], err);
	}
	if (!status)
		status = sb_store_stmt(st, SB_SQL_RESUME_RUN, &s, err);
	if (!status) {
		sb_store_bind_int(s, 1, run_key);
		status = sb_store_step(st, s, what, err);
	}
	return sb_store_finish(st, status, what, err);
}

enum sb_status sb_store_add_worker(
        struct sb_store *st, int64_t run_key, const struct sb_worker_row *w, int64_t *worker_key, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_ADD_WORKER, &s, err);

	if (status)
		return status;
	sb_store_bind_int(s, 1, run_key);
	sb_store_bind_text(s, 2, w->exe);
	sb_store_bind_text(s, 3, w->build_id);
	sb_store_bind_int(s, 4, w->pid);
	sb_store_bind_text(s, 5, w->purpose);
	sb_store_bind_text(s, 6, w->device_name);
	sb_store_bind_text(s, 7, w->device_uuid);
	sb_store_bind_int(s, 8, w->started_ns);
	status = step_alone(st, s, "cannot store a worker", err);
	if (!status)
		*worker_key = sqlite3_last_insert_rowid(st->db);
	return status;
}

enum sb_status sb_store_end_worker(struct sb_store *st, int64_t worker_key, const char *ending, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_END_WORKER, &s, err);

	if (status)
		return status;
	sb_store_bind_int(s, 1, worker_key);
	sb_store_bind_int(s, 2, sb_wall_time_ns());
	sb_store_bind_text(s, 3, ending);
	return step_alone(st, s, "cannot end a worker", err);
}

/* ---- trials ------------------------------------------------------------------------------------------------- */

static enum sb_status add_sample(struct sb_store *st, int64_t trial, const struct sb_sample *p, struct sb_error *err)
{
	const char *absent = p->value.absent;
	enum sb_status status;
	int64_t metric = 0;
	sqlite3_stmt *s;

	status = sb_store_metric_key(st, p->metric, &metric, err);
	if (!status)
		status = sb_store_stmt(st, SB_SQL_ADD_SAMPLE, &s, err);
	if (status)
		return status;
	if (!absent && isnan(p->value.v))
		absent = "not a number";
	sb_store_bind_int(s, 1, trial);
	sb_store_bind_int(s, 2, metric);
	/* Whole numbers, which most are, take less room as integers; -0.0 would lose its sign. */
	if (absent)
		sb_store_bind_text(s, 4, absent);
	else if (fabs(p->value.v) < 0x1p53 && p->value.v == floor(p->value.v) &&
	         !(p->value.v == 0 && signbit(p->value.v)))
		sb_store_bind_int(s, 3, (int64_t)p->value.v);
	else
		sqlite3_bind_double(s, 3, p->value.v);
	status = sb_store_step(st, s, "cannot store a sample", err);
	return status ? sb_wrap(err, "metric '%s'", p->metric) : SB_OK;
}

static enum sb_status bind_name(struct sb_store *st, sqlite3_stmt *s, int col, const char *text, struct sb_error *err)
{
	enum sb_status status;
	int64_t key = 0;

	if (!text)
		return SB_OK;
	status = sb_store_name_key(st, text, true, &key, err);
	if (!status)
		sb_store_bind_int(s, col, key);
	return status;
}

static enum sb_status add_rollup(
        struct sb_store *st, int64_t trial, size_t idx, const struct sb_rollup *r, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_ADD_ROLLUP, &s, err);

	if (status)
		return status;
	sb_store_bind_int(s, 1, trial);
	sb_store_bind_int(s, 2, (int64_t)idx);
	status = bind_name(st, s, 3, r->stage, err);
	if (!status)
		status = bind_name(st, s, 4, r->op, err);
	if (!status)
		status = bind_name(st, s, 5, r->kind, err);
	if (!status)
		status = bind_name(st, s, 6, r->name, err);
	if (status)
		return status;
	sb_store_bind_int(s, 7, r->count);
	sb_store_bind_int(s, 8, r->dur_ns);
	sb_store_bind_int(s, 9, r->bytes);
	return sb_store_step(st, s, "cannot store a roll-up", err);
}

enum sb_status sb_store_launch_key(
        struct sb_store *st, const struct sb_launch *l, bool add, int64_t *key, struct sb_error *err)
{
	const int64_t v[] = { l->grid[0], l->grid[1], l->grid[2], l->block[0], l->block[1], l->block[2],
		l->shared_bytes, l->registers };
	sqlite3_stmt *find, *insert;
	enum sb_status status = sb_store_stmt(st, SB_SQL_FIND_LAUNCH, &find, err);
	bool found;

	if (!status)
		status = sb_store_stmt(st, SB_SQL_ADD_LAUNCH, &insert, err);
	if (status)
		return status;
	for (int i = 0; i < (int)SB_ARRAY_LEN(v); i++) {
		sb_store_bind_int(find, i + 1, v[i]);
		sb_store_bind_int(insert, i + 1, v[i]);
	}
	status = sb_store_one_int(st, find, "cannot look up a launch shape", key, &found, err);
	if (!status && !found && !add) {
		*key = -1;
	} else if (!status && !found) {
		status = sb_store_step(st, insert, "cannot store a launch shape", err);
		*key = sqlite3_last_insert_rowid(st->db);
	}
	return status;
}

/* Keys of the names and launch shapes that came with a trial, by their index there. */
struct trace_keys {
	int64_t *name, *launch;
};

static enum sb_status make_trace_keys(
        struct sb_store *st, const struct sb_trial_row *t, struct trace_keys *k, struct sb_error *err)
{
	enum sb_status status = SB_OK;

	k->name = sqlite3_malloc64((t->n_names + 1) * sizeof(*k->name));
	k->launch = sqlite3_malloc64((t->n_launches + 1) * sizeof(*k->launch));
	if (!k->name || !k->launch)
		return sb_store_no_memory(st, err);
	for (size_t i = 0; !status && i < t->n_names; i++)
		status = sb_store_name_key(st, t->names[i], true, &k->name[i], err);
	for (size_t i = 0; !status && i < t->n_launches; i++)
		status = sb_store_launch_key(st, &t->launches[i], true, &k->launch[i], err);
	return status;
}

static int64_t name_at(const struct sb_trial_row *t, const struct trace_keys *k, int32_t index)
{
	if (index < 0 || (size_t)index >= t->n_names)
		SB_BUG("a trace row has name %d of %zu", (int)index, t->n_names);
	return k->name[index];
}

/* NULL is what remains of an earlier row's binding only where it is set: every optional column is bound each time. */
static void bind_optional(sqlite3_stmt *s, int col, bool there, int64_t v)
{
	if (there)
		sb_store_bind_int(s, col, v);
	else
		sqlite3_bind_null(s, col);
}

static enum sb_status add_trace(
        struct sb_store *st, int64_t trial, int64_t first, const struct sb_trial_row *t, struct sb_error *err)
{
	struct trace_keys k = { 0 };
	int64_t before_ns = 0;
	sqlite3_stmt *s;
	enum sb_status status = make_trace_keys(st, t, &k, err);

	if (!status)
		status = sb_store_stmt(st, SB_SQL_ADD_TRACE, &s, err);
	if (status)
		goto out;
	sb_store_bind_int(s, 2, trial);
	for (size_t i = 0; !status && i < t->n_trace; i++) {
		const struct sb_trace_row *r = &t->trace[i];

		if (r->launch < 0 || (size_t)r->launch > t->n_launches)
			SB_BUG("a trace row has launch %d of %zu", (int)r->launch, t->n_launches);
		sb_store_bind_int(s, 1, first + (int64_t)i);
		sb_store_bind_int(s, 3, r->start_ns - before_ns);
		sb_store_bind_int(s, 4, r->dur_ns);
		sb_store_bind_int(s, 5, name_at(t, &k, r->name));
		bind_optional(s, 6, r->stage >= 0, r->stage >= 0 ? name_at(t, &k, r->stage) : 0);
		bind_optional(s, 7, r->op >= 0, r->op >= 0 ? name_at(t, &k, r->op) : 0);
		sb_store_bind_int(s, 8, r->stream);
		bind_optional(s, 9, r->correlation != 0, r->correlation);
		bind_optional(s, 10, r->launch > 0, r->launch > 0 ? k.launch[r->launch - 1] : 0);
		bind_optional(s, 11, r->op_call > 0, r->op_call - 1);
		before_ns = r->start_ns;
		status = sb_store_step(st, s, "cannot store a trace", err);
	}
out:
	sqlite3_free(k.name);
	sqlite3_free(k.launch);
	return status;
}

static enum sb_status add_timeline(
        struct sb_store *st, int64_t trial, const struct sb_timeline_row *t, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_ADD_TIMELINE, &s, err);

	if (status)
		return status;
	sb_store_bind_int(s, 1, trial);
	sb_store_bind_int(s, 2, t->events);
	sb_store_bind_int(s, 3, t->cut);
	if (sqlite3_bind_blob64(s, 4, t->data, t->size, SQLITE_STATIC) != SQLITE_OK)
		return sb_store_no_memory(st, err);
	return sb_store_step(st, s, "cannot store a memory timeline", err);
}

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(word, list[i]))
			return true;
	return false;
}

static void check_words(const struct sb_trial_row *t)
{
	static const char *const kinds[] = { "timing", "trace" };

	if (!is_one_of(t->kind, kinds, SB_ARRAY_LEN(kinds)))
		SB_BUG("no kind of trial '%s'", t->kind);
	if (sb_outcome_by_name(t->outcome) == SB_OUTCOME_COUNT)
		SB_BUG("no outcome '%s'", t->outcome);
}

static enum sb_status add_trial_row(struct sb_store *st, int64_t run, const struct sb_trial_row *t, int64_t first,
        int64_t *trial, struct sb_error *err)
{
	sqlite3_stmt *s;
	enum sb_status status = sb_store_stmt(st, SB_SQL_ADD_TRIAL, &s, err);

	if (status)
		return status;
	sb_store_bind_int(s, 1, run);
	sb_store_bind_int(s, 2, t->worker);
	sb_store_bind_int(s, 3, t->arm);
	sb_store_bind_int(s, 4, t->block);
	sb_store_bind_int(s, 5, t->position);
	sb_store_bind_text(s, 6, t->kind);
	sb_store_bind_int(s, 7, t->started_ns);
	sb_store_bind_text(s, 8, t->outcome);
	sb_store_bind_text(s, 9, t->message);
	bind_optional(s, 10, !strcmp(t->kind, "trace"), t->trace_complete);
	bind_optional(s, 11, t->n_trace > 0, first);
	sb_store_bind_int(s, 12, (int64_t)t->n_trace);
	status = sb_store_step(st, s, "cannot store a trial", err);
	*trial = sqlite3_last_insert_rowid(st->db);
	return status;
}

enum sb_status sb_store_add_trial(
        struct sb_store *st, int64_t run_key, const struct sb_trial_row *t, struct sb_error *err)
{
	static const char what[] = "cannot store a trial";
	int64_t trial = 0, first = 0;
	enum sb_status status;
	sqlite3_stmt *s;
	bool found;

	check_words(t);
	status = sb_store_begin(st, what, err);
	if (status)
		return status;
	if (t->n_trace) {
		status = sb_store_stmt(st, SB_SQL_NEXT_TRACE, &s, err);
		if (!status)
			status = sb_store_one_int(st, s, what, &first, &found, err);
	}
	if (!status)
		status = add_trial_row(st, run_key, t, first, &trial, err);
	for (size_t i = 0; !status && i < t->n_samples; i++)
		status = add_sample(st, trial, &t->samples[i], err);
	for (size_t i = 0; !status && i < t->n_rollup; i++)
		status = add_rollup(st, trial, i, &t->rollup[i], err);
	if (!status && t->n_trace)
		status = add_trace(st, trial, first, t, err);
	if (!status && t->timeline.data)
		status = add_timeline(st, trial, &t->timeline, err);
	return sb_store_finish(st, status, what, err);
}
