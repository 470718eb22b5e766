#include "like_runs.h"

#include <jansson.h>
#include <string.h>

static int64_t number_in(json_t *params, const char *key)
{
	json_t *v = json_object_get(params, key);

	return json_is_integer(v) ? json_integer_value(v) : -1;
}

static bool same_text(const char *a, const char *b)
{
	return (!a && !b) || (a && b && !strcmp(a, b));
}

static bool same_in(json_t *x, json_t *y, const char *key)
{
	return same_text(json_string_value(json_object_get(x, key)), json_string_value(json_object_get(y, key)));
}

/* The same case on the same device, whatever its frames; *frames is what it has. */
static bool is_like(const struct sb_run *a, const struct sb_run *b, int *frames)
{
	static const char *const keys[] = { "width", "height", "queries", "support", "iterations" /* the last */ };
	json_t *x = json_loads(a->params, 0, NULL), *y = json_loads(b->params, 0, NULL);
	int64_t t = y ? number_in(y, "frames") : -1;
	bool like =
	        x && y && t > 0 && t < 1000000 && !strcmp(a->workload, b->workload) && !strcmp(a->preset, b->preset);

	/* What 'spabench capacity' kept is of one iteration, which takes the same memory, and so do cameras. */
	for (size_t i = 0; like && i < SB_ARRAY_LEN(keys) - (sb_run_fact(b, SB_STORE_CAPACITY) != NULL); i++)
		like = number_in(x, keys[i]) == number_in(y, keys[i]);
	if (!sb_run_fact(b, SB_STORE_CAPACITY))
		like = like && number_in(x, "stride") == number_in(y, "stride") &&
		       number_in(x, "window") == number_in(y, "window") && same_in(x, y, "cameras");
	like = like && same_text(sb_run_fact(a, "device.name"), sb_run_fact(b, "device.name"));
	if (sb_run_fact(a, "sweep"))
		like = like && same_text(sb_run_fact(a, "sweep"), sb_run_fact(b, "sweep"));
	json_decref(x);
	json_decref(y);
	*frames = (int)t;
	return like;
}

/* 0: none. */
static int64_t limit_of(const struct sb_run *run)
{
	json_t *plan = json_loads(run->plan, 0, NULL);
	int64_t limit = plan ? number_in(plan, "memory_limit") : 0;

	json_decref(plan);
	return limit > 0 ? limit : 0;
}

static enum sb_status read_run(const struct sb_plots_input *in, const char *id, sb_like_each *each, void *context,
        bool *more, struct sb_error *err)
{
	struct sb_run run = { .id = NULL };
	struct sb_trials trials = { .v = NULL };
	struct sb_samples samples = { .value = NULL };
	struct sb_like_run like = {
		.in = { .run = &run, .trials = &trials, .samples = &samples, .summary = in->summary }
	};
	int64_t key;
	enum sb_status status = sb_store_find_run(in->store, id, &key, err);

	if (!status)
		status = sb_store_read_run(in->store, key, &run, err);
	if (!status && is_like(in->run, &run, &like.frames)) {
		like.limit_bytes = limit_of(&run);
		status = sb_store_read_trials(in->store, key, &trials, err);
		if (!status)
			status = sb_store_read_samples(in->store, key, &trials, &samples, err);
		if (!status)
			*more = each(&like, context);
	}
	sb_samples_release(&samples);
	sb_trials_release(&trials);
	sb_run_release(&run);
	return status;
}

enum sb_status sb_like_runs(const struct sb_plots_input *in, sb_like_each *each, void *context, struct sb_error *err)
{
	struct sb_run_lines runs = { .v = NULL };
	bool more = true;
	enum sb_status status = read_run(in, in->run->id, each, context, &more, err);

	if (!status && more)
		status = sb_store_list_runs(in->store, &runs, err);
	for (size_t i = 0; i < runs.n && !status && more; i++)
		if (strcmp(runs.v[i].id, in->run->id) != 0)
			status = read_run(in, runs.v[i].id, each, context, &more, err);
	sb_run_lines_release(&runs);
	return status;
}
