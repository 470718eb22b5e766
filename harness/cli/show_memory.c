#include "show_memory.h"
#include "sb_timeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Names in a database may be anybody's: what would end a field, or start a formula, is not printed as it is. */
static void print_name(const char *name)
{
	for (; *name; name++)
		putchar(*name == ',' || *name == '"' || (unsigned char)*name < ' ' ? '_' : *name);
}

/* The last field; empty where it was not recorded. */
static void print_requested(int64_t bytes)
{
	if (bytes == SB_TIMELINE_UNKNOWN)
		puts(",");
	else
		printf(",%" PRId64 "\n", bytes);
}

static void print_event(const char *arm, const struct sb_trial *t, const struct sb_timeline_event *e)
{
	print_name(arm);
	printf(",%d,%" PRId64 ",%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",", t->block, e->time_ns,
	        sb_timeline_kinds[e->kind], e->bytes, e->allocated, e->active, e->reserved);
	print_name(e->stage);
	putchar(',');
	print_name(e->op);
	print_requested(e->requested);
}

/* "begin" is a line, too: what the pass found. */
static enum sb_status print_timeline(
        const char *arm, const struct sb_trial *t, const struct sb_timeline_row *row, struct sb_error *err)
{
	struct sb_timeline_reader r;
	struct sb_timeline_event e;
	bool more = true;
	int64_t n = 0;
	enum sb_status status = sb_timeline_read_begin(&r, row->data, row->size, err);

	if (!status) {
		print_name(arm);
		printf(",%d,0,begin,0,%" PRId64 ",%" PRId64 ",%" PRId64 ",,", t->block, r.last.allocated, r.last.active,
		        r.last.reserved);
		print_requested(r.last.requested);
	}
	while (!status && more) {
		status = sb_timeline_next(&r, &e, &more, err);
		if (!status && more)
			print_event(arm, t, &e);
		n += !status && more;
	}
	if (!status && n != row->events)
		return sb_fail(err, SB_E_DATA, "%" PRId64 " events are announced, %" PRId64 " came", row->events, n);
	return status;
}

static enum sb_status print_trial(
        struct sb_store *st, const struct sb_run *run, const struct sb_trial *t, bool *printed, struct sb_error *err)
{
	const char *arm = t->arm >= 0 && t->arm < run->n_arms ? run->arms[t->arm].name : "?";
	struct sb_timeline_row row;
	enum sb_status status = sb_store_read_timeline(st, t->key, &row, err);

	if (status || !row.data)
		return status;
	if (!*printed)
		puts("arm,block,time_ns,event,bytes,allocated,active,reserved,stage,op,requested");
	*printed = true;
	status = print_timeline(arm, t, &row, err);
	if (status)
		sb_wrap(err, "memory of block %d, arm '%.60s'", t->block, arm);
	else if (row.cut)
		sb_log(SB_LOG_WARN, "block %d, arm '%.60s': the last %" PRId64 " of %" PRId64 " events found no room",
		        t->block, arm, row.cut, row.cut + row.events);
	sb_timeline_row_release(&row);
	return status;
}

static enum sb_status print_all(struct sb_store *st, const struct sb_run *run, const struct sb_trials *trials,
        const char *arm, struct sb_error *err)
{
	enum sb_status status = SB_OK;
	bool known = !arm, printed = false;

	for (int a = 0; a < run->n_arms; a++)
		known |= arm && !strcmp(run->arms[a].name, arm);
	if (!known)
		return sb_fail(
		        err, SB_E_USAGE, "run '%.12s' has no arm '%.64s'; 'spabench show' lists them", run->id, arm);
	for (size_t i = 0; i < trials->n && !status; i++) {
		const struct sb_trial *t = &trials->v[i];

		if (!arm || (t->arm >= 0 && t->arm < run->n_arms && !strcmp(run->arms[t->arm].name, arm)))
			status = print_trial(st, run, t, &printed, err);
	}
	if (!status && !printed)
		return sb_fail(err, SB_E_DATA,
		        "run '%.12s' has no memory timeline: trace trials have one; run with --trace-blocks 1 or more",
		        run->id);
	return status;
}

enum sb_status sb_show_memory(const char *db, const char *run, const char *arm, struct sb_error *err)
{
	struct sb_run r = { .id = NULL };
	struct sb_trials trials = { .v = NULL };
	struct sb_store *st;
	enum sb_status status = sb_store_open(db, SB_STORE_READ, &st, err);
	int64_t key;

	if (status)
		return status;
	status = sb_store_find_run(st, run, &key, err);
	if (!status)
		status = sb_store_read_run(st, key, &r, err);
	if (!status)
		status = sb_store_read_trials(st, key, &trials, err);
	if (!status)
		status = print_all(st, &r, &trials, arm, err);
	sb_trials_release(&trials);
	sb_run_release(&r);
	sb_store_close(st);
	return status;
}
