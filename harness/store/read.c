#include "store_internal.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum sb_status query(
        struct sb_store *st, enum sb_store_sql which, int64_t key, sqlite3_stmt **s, struct sb_error *err)
{
	enum sb_status status = sb_store_stmt(st, which, s, err);

	if (!status)
		sb_store_bind_int(*s, 1, key);
	return status;
}

/* Leave a query before its end. */
static enum sb_status stop(sqlite3_stmt *s, enum sb_status status)
{
	sqlite3_reset(s);
	return status;
}

/* ---- finding a run ------------------------------------------------------------------------------------------ */

static enum sb_status newest_run(struct sb_store *st, int64_t *run_key, struct sb_error *err)
{
	enum sb_status status;
	sqlite3_stmt *s;
	bool found;

	status = sb_store_stmt(st, SB_SQL_NEWEST_RUN, &s, err);
	if (!status)
		status = sb_store_one_int(st, s, "cannot find a run", run_key, &found, err);
	if (!status && !found)
		return sb_fail(err, SB_E_USAGE, "no run in database '%s' yet; make one with 'spabench run'", st->path);
	return status;
}

enum sb_status sb_store_find_run(struct sb_store *st, const char *ref, int64_t *run_key, struct sb_error *err)
{
	char prefix[33], first[33] = "", second[33] = "", shown[160];
	enum sb_status status;
	sqlite3_stmt *s;
	int64_t key = 0;
	int n = 0;

	if (!ref || !*ref)
		return newest_run(st, run_key, err);
	sb_escape(ref, shown, sizeof(shown));
	if (strlen(ref) < 4 || strlen(ref) > 32 || strspn(ref, "0123456789abcdefABCDEF") != strlen(ref))
		return sb_fail(err, SB_E_USAGE,
		        "'%s' names no run: give the first 4 or more hex digits of its id, as 'spabench list' shows it",
		        shown);
	for (size_t i = 0; i <= strlen(ref); i++)
		prefix[i] = (char)tolower((unsigned char)ref[i]);
	status = sb_store_stmt(st, SB_SQL_RUNS_BY_PREFIX, &s, err);
	if (status)
		return status;
	sb_store_bind_text(s, 1, prefix);
	while (sb_store_row(st, s, "cannot find a run", &status, err)) {
		const char *uid = (const char *)sqlite3_column_text(s, 1);

		if (n++ == 0)
			key = sqlite3_column_int64(s, 0);
		if (n <= 2 && uid)
			strncat(n == 1 ? first : second, uid, 32);
	}
	if (status)
		return status;
	if (n == 0)
		return sb_fail(err, SB_E_USAGE, "no run '%s' in database '%s'; 'spabench list' shows what is there",
		        shown, st->path);
	if (n > 1)
		return sb_fail(err, SB_E_USAGE, "more than one run begins with '%s' (%s, %s%s); give more digits",
		        shown, first, second, n > 2 ? ", .." : "");
	*run_key = key;
	return SB_OK;
}

/* ---- a run -------------------------------------------------------------------------------------------------- */

#define BROKEN_OFF "broken off"

/*
 * A run that says it is running, though the process that says so is gone: killed, or the disk was full when it ended.
 * Of a process on another machine nothing is known.
 */
static bool is_broken_off(const char *status, const char *pid, const char *start, const char *host)
{
	char here[256];
	int64_t n;

	if (!status || strcmp(status, "running") != 0 || !pid || !host || !sb_host_name(here, sizeof(here)) ||
	        strcmp(here, host))
		return false;
	return !sb_parse_int(pid, "pid", 1, INT32_MAX, &n, NULL) && !sb_process_lives(n, start);
}

static enum sb_status read_run_row(struct sb_store *st, int64_t run_key, struct sb_run *out, struct sb_error *err)
{
	enum sb_status status;
	bool oom = false;
	sqlite3_stmt *s;

	status = query(st, SB_SQL_READ_RUN, run_key, &s, err);
	if (status)
		return status;
	if (!sb_store_row(st, s, "cannot read a run", &status, err))
		return status ? status : sb_store_damaged(st, "a run is missing", err);
	out->id = sb_store_column_str(s, 0, &oom);
	out->status = sb_store_column_str(s, 1, &oom);
	out->created_ns = sqlite3_column_int64(s, 2);
	out->ended_ns = sqlite3_column_int64(s, 3);
	out->command = sb_store_column_str(s, 4, &oom);
	out->note = sb_store_column_text(s, 5, &oom);
	out->plan = sb_store_column_str(s, 6, &oom);
	out->seed = (uint64_t)sqlite3_column_int64(s, 7);
	out->workload = sb_store_column_str(s, 8, &oom);
	out->preset = sb_store_column_str(s, 9, &oom);
	out->params = sb_store_column_str(s, 10, &oom);
	out->clip_digest = sb_store_column_text(s, 11, &oom);
	out->weights_kind = sb_store_column_str(s, 12, &oom);
	out->weights_digest = sb_store_column_text(s, 13, &oom);
	return stop(s, oom ? sb_store_no_memory(st, err) : SB_OK);
}

static enum sb_status read_arms(struct sb_store *st, int64_t run_key, struct sb_run *out, struct sb_error *err)
{
	enum sb_status status;
	bool oom = false;
	size_t cap = 0;
	sqlite3_stmt *s;

	status = query(st, SB_SQL_READ_ARMS, run_key, &s, err);
	if (status)
		return status;
	while (sb_store_row(st, s, "cannot read arms", &status, err)) {
		struct sb_run_arm *a;

		if (!sb_store_grow(&out->arms, &cap, (size_t)out->n_arms, sizeof(*out->arms)))
			return stop(s, sb_store_no_memory(st, err));
		/* A trial's arm is an index into this array. */
		if (sqlite3_column_int64(s, 0) != out->n_arms)
			return stop(s, sb_store_damaged(st, "an arm is missing", err));
		a = &out->arms[out->n_arms++];
		a->name = sb_store_column_str(s, 1, &oom);
		a->levels = sb_store_column_str(s, 2, &oom);
		if (oom)
			return stop(s, sb_store_no_memory(st, err));
	}
	return status;
}

static enum sb_status read_facts(struct sb_store *st, int64_t run_key, struct sb_run *out, struct sb_error *err)
{
	enum sb_status status;
	bool oom = false;
	size_t cap = 0;
	sqlite3_stmt *s;

	status = query(st, SB_SQL_READ_FACTS, run_key, &s, err);
	if (status)
		return status;
	while (sb_store_row(st, s, "cannot read facts", &status, err)) {
		struct sb_run_fact *f;

		if (!sb_store_grow(&out->facts, &cap, out->n_facts, sizeof(*out->facts)))
			return stop(s, sb_store_no_memory(st, err));
		f = &out->facts[out->n_facts++];
		f->key = sb_store_column_str(s, 0, &oom);
		f->value = sb_store_column_text(s, 1, &oom);
		f->absent = sb_store_column_text(s, 2, &oom);
		if (oom)
			return stop(s, sb_store_no_memory(st, err));
	}
	return status;
}

static enum sb_status read_workers(struct sb_store *st, int64_t run_key, struct sb_run *out, struct sb_error *err)
{
	enum sb_status status;
	bool oom = false;
	size_t cap = 0;
	sqlite3_stmt *s;

	status = query(st, SB_SQL_READ_WORKERS, run_key, &s, err);
	if (status)
		return status;
	while (sb_store_row(st, s, "cannot read workers", &status, err)) {
		struct sb_run_worker *w;

		if (!sb_store_grow(&out->workers, &cap, out->n_workers, sizeof(*out->workers)))
			return stop(s, sb_store_no_memory(st, err));
		w = &out->workers[out->n_workers++];
		w->key = sqlite3_column_int64(s, 0);
		w->exe = sb_store_column_str(s, 1, &oom);
		w->build_id = sb_store_column_str(s, 2, &oom);
		w->purpose = sb_store_column_str(s, 3, &oom);
		w->device_name = sb_store_column_str(s, 4, &oom);
		w->device_uuid = sb_store_column_text(s, 5, &oom);
		w->ending = sb_store_column_text(s, 6, &oom);
		w->pid = sqlite3_column_int64(s, 7);
		w->started_ns = sqlite3_column_int64(s, 8);
		w->ended_ns = sqlite3_column_int64(s, 9);
		if (oom)
			return stop(s, sb_store_no_memory(st, err));
	}
	return status;
}

enum sb_status sb_store_read_run(struct sb_store *st, int64_t run_key, struct sb_run *out, struct sb_error *err)
{
	struct sb_run run = { 0 };
	enum sb_status status = read_run_row(st, run_key, &run, err);

	if (!status)
		status = read_arms(st, run_key, &run, err);
	if (!status)
		status = read_facts(st, run_key, &run, err);
	if (!status)
		status = read_workers(st, run_key, &run, err);
	if (!status && is_broken_off(run.status, sb_run_fact(&run, "process.pid"), sb_run_fact(&run, "process.start"),
	                       sb_run_fact(&run, "process.host"))) {
		free(run.status);
		run.status = sb_strdup(BROKEN_OFF);
		status = run.status ? SB_OK : sb_store_no_memory(st, err);
	}
	if (status)
		sb_run_release(&run);
	else
		*out = run;
	return status;
}

const char *sb_run_fact(const struct sb_run *run, const char *key)
{
	for (size_t i = 0; i < run->n_facts; i++)
		if (!strcmp(run->facts[i].key, key))
			return run->facts[i].value;
	return NULL;
}

void sb_run_release(struct sb_run *run)
{
	char *const own[] = { run->id, run->status, run->command, run->note, run->plan, run->workload, run->preset,
		run->params, run->clip_digest, run->weights_kind, run->weights_digest };

	for (size_t i = 0; i < SB_ARRAY_LEN(own); i++)
		free(own[i]);
	for (int i = 0; i < run->n_arms; i++) {
		free(run->arms[i].name);
		free(run->arms[i].levels);
	}
	for (size_t i = 0; i < run->n_facts; i++) {
		free(run->facts[i].key);
		free(run->facts[i].value);
		free(run->facts[i].absent);
	}
	for (size_t i = 0; i < run->n_workers; i++) {
		const struct sb_run_worker *w = &run->workers[i];

		free(w->exe);
		free(w->build_id);
		free(w->purpose);
		free(w->device_name);
		free(w->device_uuid);
		free(w->ending);
	}
	free(run->arms);
	free(run->facts);
	free(run->workers);
	*run = (struct sb_run){ 0 };
}

/* ---- trials ------------------------------------------------------------------------------------------------- */

const char *const sb_outcome_names[] = { "ok", "oom", "crashed", "timeout", "failed", NULL };

_Static_assert(SB_ARRAY_LEN(sb_outcome_names) == SB_OUTCOME_COUNT + 1, "one word an outcome");

enum sb_outcome sb_outcome_by_name(const char *name)
{
	int o = 0;

	while (o < SB_OUTCOME_COUNT && (!name || strcmp(name, sb_outcome_names[o]) != 0))
		o++;
	return (enum sb_outcome)o;
}

static enum sb_status read_trial(
        struct sb_store *st, sqlite3_stmt *s, int64_t n_arms, struct sb_trial *t, struct sb_error *err)
{
	const char *kind = (const char *)sqlite3_column_text(s, 6);
	const char *purpose = (const char *)sqlite3_column_text(s, 10);
	bool counters = purpose && !strcmp(purpose, SB_STORE_COUNTERS);
	int64_t arm = sqlite3_column_int64(s, 3);
	bool oom = false;

	*t = (struct sb_trial){
		.key = sqlite3_column_int64(s, 0),
		.worker = sqlite3_column_int64(s, 1),
		.started_ns = sqlite3_column_int64(s, 2),
		.arm = (int)arm,
		.block = sqlite3_column_int(s, 4),
		.position = sqlite3_column_int(s, 5),
		.trace = kind && !strcmp(kind, "trace") && !counters,
		.trace_complete = sqlite3_column_int(s, 7) != 0,
		.counters = counters,
		.outcome = sb_outcome_names[sb_outcome_by_name((const char *)sqlite3_column_text(s, 8))],
	};
	/* Callers index by it. */
	if (arm < 0 || arm >= n_arms)
		return sb_store_damaged(st, "a trial belongs to no arm", err);
	if (!t->outcome)
		return sb_store_damaged(st, "a trial has no known outcome", err);
	t->message = sb_store_column_text(s, 9, &oom);
	return oom ? sb_store_no_memory(st, err) : SB_OK;
}

enum sb_status sb_store_read_trials(struct sb_store *st, int64_t run_key, struct sb_trials *out, struct sb_error *err)
{
	struct sb_trials trials = { 0 };
	enum sb_status status;
	int64_t n_arms = 0;
	sqlite3_stmt *s;
	size_t cap = 0;
	bool found;

	status = query(st, SB_SQL_COUNT_ARMS, run_key, &s, err);
	if (!status)
		status = sb_store_one_int(st, s, "cannot read arms", &n_arms, &found, err);
	if (!status)
		status = query(st, SB_SQL_READ_TRIALS, run_key, &s, err);
	if (status)
		return status;
	while (sb_store_row(st, s, "cannot read trials", &status, err)) {
		status = sb_store_grow(&trials.v, &cap, trials.n, sizeof(*trials.v))
		                 ? read_trial(st, s, n_arms, &trials.v[trials.n], err)
		                 : sb_store_no_memory(st, err);
		if (status) {
			stop(s, status);
			break;
		}
		trials.n++;
	}
	if (status)
		sb_trials_release(&trials);
	else
		*out = trials;
	return status;
}

void sb_trials_release(struct sb_trials *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].message);
	free(t->v);
	*t = (struct sb_trials){ 0 };
}

/* ---- samples ------------------------------------------------------------------------------------------------ */

static const char not_recorded[] = "not recorded";

/* A sample as it comes from the database, before the table's width is known. */
struct cell {
	double v;
	uint32_t trial, metric; /* metric: a column of the table */
	const char *absent;
};

struct gather {
	struct cell *cell;
	size_t n, cap;
	/* The database's metrics, sorted by key; column is 1 + the table's column, 0 while the run has not used it. */
	struct known {
		int64_t key;
		char *name;
		uint32_t column;
	} * known;
	size_t n_known, known_cap;
	size_t trial, next; /* where the last sample was found: the next is nearly always there, or one further */
	size_t metrics_cap, reasons_cap;
};

static enum sb_status read_known(struct sb_store *st, struct gather *g, struct sb_error *err)
{
	enum sb_status status;
	bool oom = false;
	sqlite3_stmt *s;

	status = sb_store_stmt(st, SB_SQL_READ_METRICS, &s, err);
	if (status)
		return status;
	while (sb_store_row(st, s, "cannot read metrics", &status, err)) {
		if (!sb_store_grow(&g->known, &g->known_cap, g->n_known, sizeof(*g->known)))
			return stop(s, sb_store_no_memory(st, err));
		g->known[g->n_known] = (struct known){ .key = sqlite3_column_int64(s, 0) };
		g->known[g->n_known++].name = sb_store_column_str(s, 1, &oom);
		if (oom)
			return stop(s, sb_store_no_memory(st, err));
	}
	return status;
}

static int by_metric_key(const void *key, const void *known)
{
	int64_t a = *(const int64_t *)key, b = ((const struct known *)known)->key;

	return (a > b) - (a < b);
}

static int by_trial_key(const void *key, const void *trial)
{
	int64_t a = *(const int64_t *)key, b = ((const struct sb_trial *)trial)->key;

	return (a > b) - (a < b);
}

/* The metric with this key, or NULL. */
static struct known *find_known(struct gather *g, int64_t key)
{
	struct known *k;

	if (g->next < g->n_known && g->known[g->next].key == key)
		return &g->known[g->next++];
	k = g->n_known ? bsearch(&key, g->known, g->n_known, sizeof(*g->known), by_metric_key) : NULL;
	if (k)
		g->next = (size_t)(k - g->known) + 1;
	return k;
}

/* False when the caller's list has no such trial: it was added since that was read. */
static bool find_trial(struct gather *g, const struct sb_trials *trials, int64_t key)
{
	const struct sb_trial *t;

	if (g->trial < trials->n && trials->v[g->trial].key == key)
		return true;
	if (g->trial + 1 < trials->n && trials->v[g->trial + 1].key == key) {
		g->trial++;
		return true;
	}
	t = trials->n ? bsearch(&key, trials->v, trials->n, sizeof(*trials->v), by_trial_key) : NULL;
	if (t)
		g->trial = (size_t)(t - trials->v);
	return t != NULL;
}

/* The one copy of a reason. There are a handful, whatever the number of samples. NULL: out of memory. */
static const char *intern_reason(struct gather *g, struct sb_samples *out, const char *text)
{
	char *copy;

	for (size_t i = 0; i < out->n_reasons; i++)
		if (!strcmp(out->reasons[i], text))
			return out->reasons[i];
	if (!sb_store_grow(&out->reasons, &g->reasons_cap, out->n_reasons, sizeof(*out->reasons)))
		return NULL;
	copy = sb_strdup(text);
	if (copy)
		out->reasons[out->n_reasons++] = copy;
	return copy;
}

static enum sb_status gather_one(struct sb_store *st, sqlite3_stmt *s, const struct sb_trials *trials, struct gather *g,
        struct sb_samples *out, struct sb_error *err)
{
	struct known *k;
	struct cell *c;

	if (!find_trial(g, trials, sqlite3_column_int64(s, 0)))
		return SB_OK;
	k = find_known(g, sqlite3_column_int64(s, 1));
	if (!k)
		return sb_store_damaged(st, "a sample belongs to no metric", err);
	if (!k->column) {
		if (!sb_store_grow(&out->metrics, &g->metrics_cap, out->n_metrics, sizeof(*out->metrics)))
			return sb_store_no_memory(st, err);
		out->metrics[out->n_metrics] = k->name;
		k->name = NULL; /* it belongs to the table now */
		k->column = (uint32_t)++out->n_metrics;
	}
	if (!sb_store_grow(&g->cell, &g->cap, g->n, sizeof(*g->cell)))
		return sb_store_no_memory(st, err);
	c = &g->cell[g->n];
	*c = (struct cell){ .trial = (uint32_t)g->trial, .metric = k->column - 1 };
	switch (sqlite3_column_type(s, 2)) {
	case SQLITE_INTEGER:
	case SQLITE_FLOAT:
		c->v = sqlite3_column_double(s, 2);
		break;
	case SQLITE_TEXT:
		c->v = NAN;
		c->absent = intern_reason(g, out, (const char *)sqlite3_column_text(s, 2));
		if (!c->absent)
			return sb_store_no_memory(st, err);
		break;
	default:
		return sb_store_damaged(st, "a sample has neither a value nor a reason", err);
	}
	g->n++;
	return SB_OK;
}

static enum sb_status gather_all(struct sb_store *st, int64_t run_key, const struct sb_trials *trials, struct gather *g,
        struct sb_samples *out, struct sb_error *err)
{
	enum sb_status status = read_known(st, g, err);
	sqlite3_stmt *s;

	if (!status)
		status = query(st, SB_SQL_READ_SAMPLES, run_key, &s, err);
	if (status)
		return status;
	while (sb_store_row(st, s, "cannot read samples", &status, err)) {
		status = gather_one(st, s, trials, g, out, err);
		if (status)
			return stop(s, status);
	}
	return status;
}

static enum sb_status spread(struct sb_store *st, const struct gather *g, struct sb_samples *out, struct sb_error *err)
{
	size_t n;

	if (out->n_metrics && out->n_trials > SIZE_MAX / sizeof(double) / out->n_metrics)
		return sb_store_no_memory(st, err);
	n = out->n_trials * out->n_metrics;
	out->value = malloc((n + 1) * sizeof(*out->value));
	out->absent = malloc((n + 1) * sizeof(*out->absent));
	if (!out->value || !out->absent)
		return sb_store_no_memory(st, err);
	for (size_t i = 0; i < n; i++) {
		out->value[i] = NAN;
		out->absent[i] = not_recorded;
	}
	for (size_t i = 0; i < g->n; i++) {
		size_t at = g->cell[i].trial * out->n_metrics + g->cell[i].metric;

		out->value[at] = g->cell[i].v;
		out->absent[at] = g->cell[i].absent;
	}
	return SB_OK;
}

enum sb_status sb_store_read_samples(struct sb_store *st, int64_t run_key, const struct sb_trials *trials,
        struct sb_samples *out, struct sb_error *err)
{
	struct sb_samples table = { .n_trials = trials->n };
	struct gather g = { 0 };
	enum sb_status status = gather_all(st, run_key, trials, &g, &table, err);

	if (!status)
		status = spread(st, &g, &table, err);
	for (size_t i = 0; i < g.n_known; i++)
		free(g.known[i].name);
	free(g.known);
	free(g.cell);
	if (status)
		sb_samples_release(&table);
	else
		*out = table;
	return status;
}

int sb_samples_metric(const struct sb_samples *s, const char *metric)
{
	for (size_t i = 0; i < s->n_metrics; i++)
		if (!strcmp(s->metrics[i], metric))
			return (int)i;
	return -1;
}

void sb_samples_release(struct sb_samples *s)
{
	for (size_t i = 0; i < s->n_metrics; i++)
		free(s->metrics[i]);
	for (size_t i = 0; i < s->n_reasons; i++)
		free(s->reasons[i]);
	free(s->metrics);
	free(s->reasons);
	free(s->value);
	free((void *)s->absent);
	*s = (struct sb_samples){ 0 };
}

/* ---- lists -------------------------------------------------------------------------------------------------- */

/* Of a row of SB_SQL_LIST_RUNS. */
static char *listed_status(sqlite3_stmt *s, bool *oom)
{
	const char *status = (const char *)sqlite3_column_text(s, 1), *pid = (const char *)sqlite3_column_text(s, 8),
	           *start = (const char *)sqlite3_column_text(s, 9), *host = (const char *)sqlite3_column_text(s, 10);
	char *broken_off;

	if (!is_broken_off(status, pid, start, host))
		return sb_store_column_str(s, 1, oom);
	broken_off = sb_strdup(BROKEN_OFF);
	*oom |= !broken_off;
	return broken_off;
}

enum sb_status sb_store_list_runs(struct sb_store *st, struct sb_run_lines *out, struct sb_error *err)
{
	struct sb_run_lines lines = { 0 };
	enum sb_status status;
	bool oom = false;
	sqlite3_stmt *s;
	size_t cap = 0;

	status = sb_store_stmt(st, SB_SQL_LIST_RUNS, &s, err);
	if (status)
		return status;
	while (sb_store_row(st, s, "cannot list runs", &status, err)) {
		struct sb_run_line *l;

		oom = !sb_store_grow(&lines.v, &cap, lines.n, sizeof(*lines.v));
		if (!oom) {
			l = &lines.v[lines.n++];
			l->id = sb_store_column_str(s, 0, &oom);
			l->status = listed_status(s, &oom);
			l->preset = sb_store_column_str(s, 2, &oom);
			l->device = sb_store_column_text(s, 3, &oom);
			l->note = sb_store_column_text(s, 4, &oom);
			l->created_ns = sqlite3_column_int64(s, 5);
			l->n_arms = sqlite3_column_int(s, 6);
			l->n_trials = sqlite3_column_int(s, 7);
		}
		if (oom) {
			status = stop(s, sb_store_no_memory(st, err));
			break;
		}
	}
	if (status)
		sb_run_lines_release(&lines);
	else
		*out = lines;
	return status;
}

void sb_run_lines_release(struct sb_run_lines *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].id);
		free(l->v[i].status);
		free(l->v[i].preset);
		free(l->v[i].device);
		free(l->v[i].note);
	}
	free(l->v);
	*l = (struct sb_run_lines){ 0 };
}
