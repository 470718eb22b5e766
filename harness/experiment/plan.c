/* A plan as JSON: what is stored with a run, and read back to resume it. */
#include "sb_experiment.h"
#include "messages.h"
#include "path_json.h"
#include "case_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *sb_plan_format(const struct sb_plan *p, const struct sb_worker_setup *w)
{
	char seed[24];
	json_t *j;

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)p->seed); /* JSON's numbers end at 2^53 */
	j = json_pack("{s:i, s:i, s:f, s:s, s:f, s:s, s:I, s:i, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:b}",
	        "blocks", p->blocks, "trace_blocks", p->trace_blocks, "budget_s", p->budget_s, "seed", seed,
	        "timeout_s", p->timeout_s, "device", w->device, "memory_limit", (json_int_t)w->memory_limit_bytes,
	        "threads", w->threads, "workload", w->c.workload, "preset", w->c.preset, "video",
	        sb_path_json(w->c.video), "data_dir", sb_path_json(w->c.data_dir), "raw_width",
	        (json_int_t)w->c.raw_width, "raw_height", (json_int_t)w->c.raw_height, "frames",
	        (json_int_t)w->c.frames, "stride", (json_int_t)w->c.stride, "width", (json_int_t)w->c.width, "height",
	        (json_int_t)w->c.height, "own_size", w->c.own_size);
	if ((p->uncounted && json_object_set_new(j, "counters", json_false())) ||
	        json_object_set_new(j, "weights_front", sb_path_json(w->c.weights_front)) ||
	        json_object_set_new(j, "weights_track", sb_path_json(w->c.weights_track)) ||
	        !sb_case_points_to_json(j, &w->c) ||
	        (w->alloc_conf[0] && json_object_set_new(j, "alloc_conf", json_string(w->alloc_conf))) ||
	        (w->offload_budget && json_object_set_new(j, "offload_budget", json_integer(w->offload_budget))) ||
	        (w->trace_calls && json_object_set_new(j, "trace_calls", json_true()))) {
		json_decref(j); /* no memory */
		return NULL;
	}
	return sb_message_text(j);
}

static bool text_into(json_t *j, const char *key, char *out, size_t n)
{
	const char *s = json_string_value(json_object_get(j, key));

	if (!s || strlen(s) >= n)
		return false;
	strcpy(out, s);
	return true;
}

/* For what earlier versions did not write: then "". */
static bool path_or_none_into(json_t *j, const char *key, char *out, size_t n)
{
	out[0] = '\0';
	return !json_object_get(j, key) || sb_path_from_json(json_object_get(j, key), out, n);
}

static bool int_into(json_t *j, const char *key, int64_t min, int64_t max, int64_t *out)
{
	json_t *v = json_object_get(j, key);

	*out = json_integer_value(v);
	return json_is_integer(v) && *out >= min && *out <= max;
}

/* For what earlier versions did not write: then 0. */
static bool int_or_none_into(json_t *j, const char *key, int64_t min, int64_t max, int64_t *out)
{
	*out = 0;
	return !json_object_get(j, key) || int_into(j, key, min, max, out);
}

static bool read_plan(json_t *j, struct sb_plan *p, struct sb_worker_setup *w)
{
	int64_t blocks, trace_blocks, threads;
	char seed[24], *end = seed;
	bool ok = true;

	ok &= int_into(j, "blocks", 0, INT32_MAX, &blocks);
	ok &= int_into(j, "trace_blocks", 0, INT32_MAX, &trace_blocks);
	ok &= int_into(j, "threads", 0, INT32_MAX, &threads);
	ok &= int_into(j, "memory_limit", 0, INT64_MAX, &w->memory_limit_bytes);
	ok &= int_into(j, "frames", 0, INT32_MAX, &w->c.frames);
	ok &= int_into(j, "stride", 0, INT32_MAX, &w->c.stride);
	ok &= int_into(j, "width", 0, INT32_MAX, &w->c.width);
	ok &= int_into(j, "height", 0, INT32_MAX, &w->c.height);
	ok &= json_is_boolean(json_object_get(j, "own_size"));
	ok &= json_is_number(json_object_get(j, "budget_s")) && json_is_number(json_object_get(j, "timeout_s"));
	ok &= text_into(j, "seed", seed, sizeof(seed));
	ok &= text_into(j, "device", w->device, sizeof(w->device));
	ok &= text_into(j, "workload", w->c.workload, sizeof(w->c.workload));
	ok &= text_into(j, "preset", w->c.preset, sizeof(w->c.preset));
	ok &= sb_path_from_json(json_object_get(j, "video"), w->c.video, sizeof(w->c.video));
	ok &= sb_path_from_json(json_object_get(j, "data_dir"), w->c.data_dir, sizeof(w->c.data_dir));
	ok &= int_or_none_into(j, "raw_width", 0, INT32_MAX, &w->c.raw_width);
	ok &= int_or_none_into(j, "raw_height", 0, INT32_MAX, &w->c.raw_height);
	ok &= path_or_none_into(j, "weights_front", w->c.weights_front, sizeof(w->c.weights_front));
	ok &= path_or_none_into(j, "weights_track", w->c.weights_track, sizeof(w->c.weights_track));
	ok &= sb_case_points_from_json(j, &w->c);
	ok &= int_or_none_into(j, "offload_budget", 0, INT64_MAX, &w->offload_budget);
	memset(w->alloc_conf, 0, sizeof(w->alloc_conf));
	if (json_object_get(j, "alloc_conf"))
		ok &= text_into(j, "alloc_conf", w->alloc_conf, sizeof(w->alloc_conf));
	if (!ok)
		return false;
	p->seed = strtoull(seed, &end, 10);
	p->uncounted = json_is_false(json_object_get(j, "counters"));
	p->blocks = (int)blocks;
	p->trace_blocks = (int)trace_blocks;
	p->budget_s = json_number_value(json_object_get(j, "budget_s"));
	p->timeout_s = json_number_value(json_object_get(j, "timeout_s"));
	w->threads = (int)threads;
	w->c.own_size = json_is_true(json_object_get(j, "own_size"));
	w->trace_calls = json_is_true(json_object_get(j, "trace_calls"));
	return end != seed && !*end;
}

enum sb_status sb_plan_parse(
        const char *text, struct sb_plan *plan, struct sb_worker_setup *setup, struct sb_error *err)
{
	bool no_memory;
	json_t *j = sb_message_load(text, strlen(text), &no_memory);
	struct sb_plan p = *plan;
	struct sb_worker_setup w = *setup;
	bool ok = j && read_plan(j, &p, &w);

	json_decref(j);
	if (no_memory)
		return sb_fail(err, SB_E_NOMEM, "no memory for the stored plan");
	if (!ok)
		return sb_fail(err, SB_E_DATA, "the stored plan cannot be read: it was made by another version");
	*plan = p;
	*setup = w;
	return SB_OK;
}
