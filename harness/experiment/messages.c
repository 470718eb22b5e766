#include "messages.h"
#include "path_json.h"
#include "case_json.h"
#include "sb_timeline.h"

#include <stdlib.h>
#include <string.h>

/* Cut where a character ends, for half a character is no UTF-8 and could not be stored or sent on. */
static void copy_cut(const char *s, char *out, size_t n)
{
	size_t len = strlen(s);

	if (len >= n)
		for (len = n - 1; len && ((unsigned char)s[len] & 0xc0) == 0x80;)
			len--;
	memcpy(out, s, len);
	out[len] = '\0';
}

static void copy_text(json_t *j, const char *key, char *out, size_t n)
{
	const char *s = json_string_value(json_object_get(j, key));

	copy_cut(s ? s : "", out, n);
}

static int64_t integer(json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static uint64_t hex(json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? strtoull(s, NULL, 16) : 0;
}

/* The reasons a value may be absent come from the worker; the few there are live as long as the program. */
#define TOO_MANY "there are too many different reasons to keep this one"

/* NULL when out of memory. */
static const char *intern(const char *reason)
{
	static char *known[256];
	static size_t n;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(known[i], reason))
			return known[i];
	if (n == SB_ARRAY_LEN(known))
		return TOO_MANY;
	known[n] = sb_strdup(reason);
	return known[n] ? known[n++] : NULL;
}

static bool value_of(json_t *v, struct sb_value *out)
{
	const char *reason = json_string_value(json_array_get(v, 0));

	*out = reason ? sb_value_absent(intern(reason)) : sb_value_of(json_number_value(v));
	return !reason || out->absent;
}

json_t *sb_message_load(const char *data, size_t size, bool *no_memory)
{
	uint64_t before = sb_malloc_failures();
	json_t *j;

	json_set_alloc_funcs(sb_malloc_noted, free);
	j = json_loadb(data, size, 0, NULL);
	*no_memory = sb_malloc_failures() != before;
	if (!*no_memory)
		return j;
	json_decref(j);
	return NULL;
}

char *sb_message_text(json_t *j)
{
	uint64_t before = sb_malloc_failures();
	char *text;

	json_set_alloc_funcs(sb_malloc_noted, free);
	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	json_decref(j);
	if (sb_malloc_failures() == before)
		return text;
	free(text);
	return NULL;
}

enum sb_status sb_message_open(const struct sb_frame *f, enum sb_frame_type want, json_t **out, struct sb_error *err)
{
	bool no_memory;
	json_t *j = sb_message_load(f->data, f->length, &no_memory);

	if (no_memory)
		return sb_fail(err, SB_E_NOMEM, "no memory for a worker's message");
	if (j && f->type == SB_FRAME_ERROR) {
		int64_t code = integer(j, "code");
		const char *message = json_string_value(json_object_get(j, "message"));

		if (code <= SB_OK || code > SB_E_INTERRUPTED)
			code = SB_E_DEVICE;
		sb_fail(err, (enum sb_status)code, "%s", message ? message : "the worker failed without a reason");
		json_decref(j);
		return (enum sb_status)code;
	}
	if (!j || f->type != want) {
		json_decref(j);
		return sb_fail(err, SB_E_DATA, "the worker sent something else than expected");
	}
	*out = j;
	return SB_OK;
}

void sb_message_hello(json_t *j, struct sb_worker_facts *f)
{
	copy_text(j, "build", f->build_id, sizeof(f->build_id));
	copy_text(j, "flags", f->build_flags, sizeof(f->build_flags)); /* "" of a build that did not tell */
	copy_text(j, "capabilities", f->capabilities,
	        sizeof(f->capabilities)); /* none of a build that knew no such list */
	f->pid = integer(j, "pid");
}

static void read_points(json_t *j, struct sb_worker_facts *f)
{
	struct sb_workload_info *i = &f->info;

	i->n_queries = integer(j, "queries");
	i->n_support = integer(j, "support");
	i->iterations = integer(j, "iterations");
	i->windows = integer(j, "windows");
	i->window = integer(j, "window");
	i->overlap = integer(j, "overlap");
	i->track_width = integer(j, "track_width");
	i->track_height = integer(j, "track_height");
	i->points_digest = hex(j, "points_digest");
	copy_text(j, "cameras", f->cameras, sizeof(f->cameras));
	i->cameras = f->cameras;
	copy_text(j, "inputs_note", i->inputs_note, sizeof(i->inputs_note));
}

/* All 0 of a build that does not tell: then nothing is judged by it. */
static void read_taken(json_t *j, int64_t frames, struct sb_fit_pass *p)
{
	p->frames = frames;
	p->free_bytes = integer(j, "free");
	p->complete = json_is_true(json_object_get(j, "complete"));
	p->weights_bytes = integer(j, "weights");
	p->reserved_bytes = integer(j, "reserved");
	p->attention_bytes = integer(j, "attention");
	if (frames <= 0 || p->free_bytes < 0 || p->weights_bytes < 0 || p->attention_bytes < 0 ||
	        p->reserved_bytes < p->attention_bytes)
		*p = (struct sb_fit_pass){ .frames = 0 };
}

void sb_message_ready(json_t *j, struct sb_worker_facts *f)
{
	const char *key;
	json_t *v;

	copy_text(j, "device_name", f->device_name, sizeof(f->device_name));
	copy_text(j, "device_kind", f->device_kind, sizeof(f->device_kind));
	copy_text(j, "device_uuid", f->device_uuid, sizeof(f->device_uuid));
	copy_text(j, "software", f->software, sizeof(f->software));
	copy_text(j, "conv_path", f->conv_path, sizeof(f->conv_path));
	copy_text(j, "emulated", f->emulated, sizeof(f->emulated));
	copy_text(j, "reference_note", f->reference_note, sizeof(f->reference_note));
	copy_text(j, "clip_source", f->info.clip_source, sizeof(f->info.clip_source));
	copy_text(j, "clip_note", f->info.clip_note, sizeof(f->info.clip_note));
	copy_text(j, "weights_kind", f->weights_kind, sizeof(f->weights_kind));
	f->info.weights_kind = f->weights_kind;
	copy_text(j, "weights_note", f->info.weights_note, sizeof(f->info.weights_note));
	f->device_memory_bytes = integer(j, "memory");
	f->has_counters = json_is_true(json_object_get(j, "counters"));
	f->info.frames = integer(j, "frames");
	f->info.stride = integer(j, "stride");
	f->info.width = integer(j, "width");
	f->info.height = integer(j, "height");
	f->info.clip_width = integer(j, "clip_width");
	f->info.clip_height = integer(j, "clip_height");
	f->info.parameters = integer(j, "parameters");
	f->info.clip_digest = hex(j, "clip_digest");
	f->info.weights_digest = hex(j, "weights_digest");
	read_points(j, f);
	read_taken(json_object_get(j, "taken"), f->info.frames, &f->taken);
	json_object_foreach(json_object_get(j, "ulp"), key, v)
	{
		if (f->n_perturbation == SB_QUALITY_MAX)
			break;
		copy_cut(key, f->perturbation[f->n_perturbation].metric, SB_METRIC_NAME_MAX);
		if (!value_of(v, &f->perturbation[f->n_perturbation].value))
			f->perturbation[f->n_perturbation].value.absent = "no memory for the reason";
		f->n_perturbation++;
	}
}

/* ---- setup --------------------------------------------------------------------------------------------------- */

/* A name that is not there is none; one that cannot be read would silently be another file. */
static bool path_of(json_t *j, const char *key, char *out, size_t n)
{
	json_t *path = json_object_get(j, key);

	return !path || sb_path_from_json(path, out, n);
}

/* The same for a word. */
static bool word_of(json_t *j, const char *key, char *out, size_t n)
{
	const char *s = json_string_value(json_object_get(j, key));

	if (s && strlen(s) >= n)
		return false;
	copy_text(j, key, out, n);
	return true;
}

/* Nothing when it is not there. */
static bool alloc_conf_of(json_t *j, char *out, size_t n)
{
	json_t *v = json_object_get(j, "alloc_conf");

	if (v && (!json_is_string(v) || json_string_length(v) >= n))
		return false;
	snprintf(out, n, "%s", v ? json_string_value(v) : "");
	return true;
}

static bool read_setup(json_t *j, struct sb_worker_setup *s)
{
	bool sound = word_of(j, "workload", s->c.workload, sizeof(s->c.workload));

	sound &= word_of(j, "preset", s->c.preset, sizeof(s->c.preset));
	sound &= word_of(j, "device", s->device, sizeof(s->device));
	sound &= path_of(j, "video", s->c.video, sizeof(s->c.video));
	sound &= path_of(j, "data_dir", s->c.data_dir, sizeof(s->c.data_dir));
	sound &= path_of(j, "weights_front", s->c.weights_front, sizeof(s->c.weights_front));
	sound &= path_of(j, "weights_track", s->c.weights_track, sizeof(s->c.weights_track));
	sound &= sb_case_points_from_json(j, &s->c);
	s->c.frames = integer(j, "frames");
	s->c.stride = integer(j, "stride");
	s->c.width = integer(j, "width");
	s->c.height = integer(j, "height");
	s->c.own_size = json_is_true(json_object_get(j, "own_size"));
	s->c.raw_width = integer(j, "raw_width");
	s->c.raw_height = integer(j, "raw_height");
	s->memory_limit_bytes = integer(j, "memory_limit");
	s->offload_budget = integer(j, "offload_budget");
	s->purpose = json_is_true(json_object_get(j, "counters")) ? SB_COUNTING
	             : json_is_true(json_object_get(j, "trace"))  ? SB_TRACING
	                                                          : SB_TIMING;
	s->trace_calls = json_is_true(json_object_get(j, "trace_calls"));
	s->no_reference = json_is_true(json_object_get(j, "no_reference"));
	s->plant = json_number_value(json_object_get(j, "plant"));
	return sound && alloc_conf_of(j, s->alloc_conf, sizeof(s->alloc_conf));
}

enum sb_status sb_message_setup(const struct sb_frame *f, struct sb_worker_setup *out, struct sb_error *err)
{
	bool no_memory;
	json_t *j = sb_message_load(f->data, f->length, &no_memory);
	struct sb_worker_setup s = { .purpose = SB_TIMING };
	bool sound = j && f->type == SB_FRAME_SETUP && read_setup(j, &s);
	const char *reference = json_string_value(json_object_get(j, "reference"));
	enum sb_status status = sound ? sb_levels_parse(reference ? reference : "", &s.reference, err)
	                              : sb_fail(err, SB_E_DATA, "the setup is not what a worker expects");

	json_decref(j);
	if (no_memory)
		return sb_fail(err, SB_E_NOMEM, "no memory for the setup");
	if (!status)
		*out = s;
	return status;
}

/* ---- results ------------------------------------------------------------------------------------------------- */

static enum sb_status read_samples(json_t *samples, struct sb_trial_result *r, struct sb_error *err)
{
	const char *key;
	json_t *v;

	r->samples = calloc(json_object_size(samples) + 1, sizeof(*r->samples));
	if (!r->samples)
		return sb_fail(err, SB_E_NOMEM, "no memory for a trial's samples");
	json_object_foreach(samples, key, v)
	{
		struct sb_trial_sample *s = &r->samples[r->n_samples];

		if (strlen(key) >= sizeof(s->metric)) /* cut, it could be another one's name */
			return sb_fail(err, SB_E_DATA, "the worker's metric '%.40s..' has too long a name", key);
		copy_cut(key, s->metric, sizeof(s->metric));
		if (!value_of(v, &s->value))
			return sb_fail(err, SB_E_NOMEM, "no memory for a trial's samples");
		r->n_samples++;
	}
	return SB_OK;
}

static const char *name_at(const struct sb_trial_result *r, json_t *row, size_t column)
{
	json_int_t i = json_integer_value(json_array_get(row, column));

	return i >= 0 && (size_t)i < r->n_names ? r->names[i] : "?";
}

/* Launch shapes as eight numbers; none of a build that knew no such list. */
static enum sb_status read_launches(json_t *launches, struct sb_trial_result *r, struct sb_error *err)
{
	size_t n = json_array_size(launches);

	r->launches = calloc(n + 1, sizeof(*r->launches));
	if (!r->launches)
		return sb_fail(err, SB_E_NOMEM, "no memory for a trial's trace");
	for (size_t i = 0; i < n; i++) {
		int32_t v[8];

		for (size_t k = 0; k < SB_ARRAY_LEN(v); k++) {
			json_int_t x = json_integer_value(json_array_get(json_array_get(launches, i), k));

			if (x < 0 || x > INT32_MAX)
				return sb_fail(err, SB_E_DATA, "the worker's launch shapes are not what it announced");
			v[k] = (int32_t)x;
		}
		r->launches[r->n_launches++] =
		        (struct sb_launch){ { v[0], v[1], v[2] }, { v[3], v[4], v[5] }, v[6], v[7] };
	}
	return SB_OK;
}

static enum sb_status read_trace(json_t *j, struct sb_trial_result *r, struct sb_error *err)
{
	json_t *names = json_object_get(j, "names"), *sums = json_object_get(j, "sums");

	r->names = calloc(json_array_size(names) + 1, sizeof(*r->names));
	r->rollup = calloc(json_array_size(sums) + 1, sizeof(*r->rollup));
	if (!r->names || !r->rollup)
		return sb_fail(err, SB_E_NOMEM, "no memory for a trial's trace");
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *s = json_string_value(json_array_get(names, i));

		r->names[i] = sb_strdup(s ? s : "?");
		if (!r->names[i])
			return sb_fail(err, SB_E_NOMEM, "no memory for a trial's trace");
		r->n_names++;
	}
	for (size_t i = 0; i < json_array_size(sums); i++) {
		json_t *row = json_array_get(sums, i);

		r->rollup[r->n_rollup++] = (struct sb_rollup){ name_at(r, row, 0), name_at(r, row, 1),
			name_at(r, row, 2), name_at(r, row, 3), json_integer_value(json_array_get(row, 4)),
			json_integer_value(json_array_get(row, 5)), json_integer_value(json_array_get(row, 6)) };
	}
	r->trace_complete = json_is_true(json_object_get(j, "complete"));
	return read_launches(json_object_get(j, "launches"), r, err);
}

static enum sb_outcome outcome_by_name(const char *name)
{
	enum sb_outcome outcome = sb_outcome_by_name(name);

	return outcome == SB_OUTCOME_COUNT ? SB_OUTCOME_FAILED : outcome;
}

static enum sb_status announce_timeline(json_t *j, struct sb_trial_result *r, struct sb_error *err)
{
	int64_t bytes = integer(j, "timeline_bytes");

	if (bytes < 0 || bytes > (int64_t)SB_TIMELINE_BYTES)
		return sb_fail(
		        err, SB_E_DATA, "the worker announces a memory timeline of %lld bytes", (long long)bytes);
	r->timeline_bytes = (size_t)bytes;
	r->timeline_events = integer(j, "timeline_events");
	r->timeline_cut = integer(j, "timeline_cut");
	return SB_OK;
}

enum sb_status sb_message_result(json_t *j, struct sb_trial_result *r, size_t *rows, struct sb_error *err)
{
	int64_t announced = integer(j, "rows");
	enum sb_status status;

	r->outcome = outcome_by_name(json_string_value(json_object_get(j, "outcome")));
	copy_text(j, "message", r->message, sizeof(r->message));
	if (json_object_get(j, "started_ns"))
		r->started_ns = integer(j, "started_ns");
	if (announced < 0 || announced > (int64_t)(SB_FRAME_MAX / sizeof(*r->trace)))
		return sb_fail(err, SB_E_DATA, "the worker announces %lld trace rows", (long long)announced);
	status = read_samples(json_object_get(j, "samples"), r, err);
	if (!status && json_object_get(j, "names"))
		status = read_trace(j, r, err);
	*rows = (size_t)announced;
	return status ? status : announce_timeline(j, r, err);
}

/* The store takes a row's names and shape for granted. */
static bool row_is_sound(const struct sb_trace_row *row, const struct sb_trial_result *r)
{
	size_t n = r->n_names;

	return row->name >= 0 && (size_t)row->name < n && (row->stage < 0 || (size_t)row->stage < n) &&
	       (row->op < 0 || (size_t)row->op < n) && row->launch >= 0 && (size_t)row->launch <= r->n_launches;
}

enum sb_status sb_message_rows(struct sb_frame *f, size_t rows, struct sb_trial_result *r, struct sb_error *err)
{
	struct sb_trace_row *v = (struct sb_trace_row *)(void *)f->data; /* malloc'd, so aligned */
	bool sound = f->type == SB_FRAME_ROWS && f->length == rows * sizeof(*v);

	f->data = NULL;
	for (size_t i = 0; sound && i < rows; i++)
		sound = row_is_sound(&v[i], r);
	if (!sound) {
		free(v);
		return sb_fail(err, SB_E_DATA, "the worker's trace rows are not what it announced");
	}
	r->trace = v;
	r->n_trace = rows;
	return SB_OK;
}

enum sb_status sb_message_timeline(struct sb_frame *f, struct sb_trial_result *r, struct sb_error *err)
{
	bool sound = f->type == SB_FRAME_TIMELINE && f->length == r->timeline_bytes;

	if (sound)
		r->timeline = f->data;
	else
		free(f->data);
	f->data = NULL;
	return sound ? SB_OK : sb_fail(err, SB_E_DATA, "the worker's memory timeline is not what it announced");
}
