/* A trace trial for Perfetto. */
#include "sb_trace_events.h"
#include "json_parts.h"
#include "sb_timeline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Tracks, in the order in which viewers show them. */
enum { PID = 1, TID_STAGES = 1, TID_CALLS = 2, TID_STREAMS = 1000, LANES = 100 };

struct slice {
	int64_t start, end;
	size_t row;
};

struct writer {
	const struct sb_trace_events *t;
	FILE *out;
	char **json;      /* a name as JSON, made when it is first met */
	bool *is_call;    /* names of the host's calls */
	bool any, failed; /* an event was written; memory was short */
	struct sb_trace_events_count *count;
};

/* ---- parts of JSON --------------------------------------------------------------------------------------------- */

/* Text as a JSON string, with its quotes; to be freed, NULL without memory. */
static char *quoted(const char *text)
{
	json_t *s = sb_json_text(text);
	char *out = s ? json_dumps(s, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;

	json_decref(s);
	return out;
}

static const char *name_json(struct writer *w, int32_t name)
{
	if (name < 0 || (size_t)name >= w->t->rows->n_names)
		return "\"?\"";
	if (!w->json[name])
		w->json[name] = quoted(w->t->rows->names[name]);
	w->failed |= !w->json[name];
	return w->json[name] ? w->json[name] : "\"?\"";
}

static void begin_event(struct writer *w)
{
	fputs(w->any ? ",\n" : "\n", w->out);
	w->any = true;
}

/* Microseconds to the nanosecond. Times are not negative: a cut does not move them. */
static void put_time(struct writer *w, const char *key, int64_t ns)
{
	int64_t positive = ns < 0 ? 0 : ns;

	fprintf(w->out, ",\"%s\":%" PRId64 ".%03d", key, positive / 1000, (int)(positive % 1000));
}

static void put_track(struct writer *w, int tid, const char *name)
{
	char *shown = quoted(name);

	w->failed |= !shown;
	begin_event(w);
	fprintf(w->out, "{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":%s}}", PID,
	        tid, shown ? shown : "\"?\"");
	begin_event(w);
	fprintf(w->out,
	        "{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%d}}", PID,
	        tid, tid);
	free(shown);
}

static void put_counter(struct writer *w, const char *name, int64_t ns)
{
	begin_event(w);
	fprintf(w->out, "{\"ph\":\"C\",\"pid\":%d,\"name\":\"%s\"", PID, name);
	put_time(w, "ts", ns);
	w->count->counters++;
}

/* ---- what is in the cut ---------------------------------------------------------------------------------------- */

static const char *name_of(const struct sb_trace_rows *rows, int32_t name)
{
	return name >= 0 && (size_t)name < rows->n_names ? rows->names[name] : "";
}

/* "front" is front.dino, too; not frontal. */
static bool stage_is_in(const char *stage, const char *asked)
{
	size_t n = strlen(asked);

	return !strncmp(stage, asked, n) && (stage[n] == '\0' || stage[n] == '.');
}

static bool is_in(const struct sb_trace_events *t, const struct sb_trace_row *row)
{
	if (t->stage && (row->stage < 0 || !stage_is_in(name_of(t->rows, row->stage), t->stage)))
		return false;
	return row->start_ns >= t->from_ns && row->start_ns < t->to_ns;
}

/* ---- activities ------------------------------------------------------------------------------------------------ */

/* By track, then by time; of two that begin together the longer one first, as nesting has it. */
static _Thread_local const struct sb_trace_events *sorted;
static _Thread_local const bool *sorted_calls;

static int track_of(const struct sb_trace_row *row)
{
	return row->name >= 0 && (size_t)row->name < sorted->rows->n_names && sorted_calls[row->name] ? -1
	                                                                                              : row->stream;
}

static int by_track_and_time(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	int track_x = track_of(&sorted->rows->v[x->row]), track_y = track_of(&sorted->rows->v[y->row]);

	if (track_x != track_y)
		return track_x < track_y ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

static void put_activity(struct writer *w, const struct slice *s, int tid, bool call)
{
	const struct sb_trace_rows *rows = w->t->rows;
	const struct sb_trace_row *row = &rows->v[s->row];

	begin_event(w);
	fprintf(w->out, "{\"ph\":\"X\",\"pid\":%d,\"tid\":%d,\"name\":%s,\"cat\":\"%s\"", PID, tid,
	        name_json(w, row->name), call ? "call" : "device");
	put_time(w, "ts", s->start);
	put_time(w, "dur", s->end - s->start);
	fprintf(w->out, ",\"args\":{\"index\":%zu", s->row);
	if (row->stage >= 0)
		fprintf(w->out, ",\"stage\":%s", name_json(w, row->stage));
	if (row->op >= 0)
		fprintf(w->out, ",\"op\":%s", name_json(w, row->op));
	if (row->correlation)
		fprintf(w->out, ",\"correlation\":%" PRId64, row->correlation);
	if (row->launch > 0 && (size_t)row->launch <= rows->n_launches) {
		const struct sb_launch *l = &rows->launches[row->launch - 1];

		fprintf(w->out,
		        ",\"grid\":[%d,%d,%d],\"block\":[%d,%d,%d],\"shared_bytes\":%" PRId64 ",\"registers\":%d",
		        (int)l->grid[0], (int)l->grid[1], (int)l->grid[2], (int)l->block[0], (int)l->block[1],
		        (int)l->block[2], l->shared_bytes, (int)l->registers);
	}
	fputs("}}", w->out);
	if (call)
		w->count->calls++;
	else
		w->count->activities++;
}

/* The track of a slice among those of its stream: the first on which everything has ended. */
static int find_lane(int64_t ends[LANES], int *n, const struct slice *s)
{
	for (int i = 0; i < *n; i++) {
		if (s->start >= ends[i]) {
			ends[i] = s->end;
			return i;
		}
	}
	if (*n < LANES)
		(*n)++;
	ends[*n - 1] = s->end;
	return *n - 1;
}

static void name_lane(struct writer *w, int tid, int track, int lane)
{
	char name[64];

	if (track < 0)
		snprintf(name, sizeof(name), lane ? "calls of the host (%d)" : "calls of the host", lane + 1);
	else if (lane)
		snprintf(name, sizeof(name), "stream %d (%d)", track, lane + 1);
	else
		snprintf(name, sizeof(name), "stream %d", track);
	put_track(w, tid, name);
}

static void put_activities(struct writer *w, const struct slice *s, size_t n)
{
	int64_t ends[LANES];
	int lanes = 0, named = 0, streams = 0, track = 0;

	for (size_t i = 0; i < n; i++) {
		int own = track_of(&w->t->rows->v[s[i].row]), lane;

		if (i == 0 || own != track) {
			streams += own >= 0;
			lanes = named = 0;
			track = own;
		}
		lane = find_lane(ends, &lanes, &s[i]);
		lane = own < 0 ? TID_CALLS + lane : TID_STREAMS + (streams - 1) * LANES + lane;
		if (lanes > named)
			name_lane(w, lane, track, named++);
		put_activity(w, &s[i], lane, own < 0);
	}
}

/* ---- stages ---------------------------------------------------------------------------------------------------- */

struct open_stage {
	int32_t name; /* -1: none */
	size_t head;  /* bytes of its name that name the part it belongs to: "front" of front.dino */
	int64_t start, end;
};

static void put_stage(struct writer *w, const struct open_stage *s, bool part)
{
	const char *name = name_of(w->t->rows, s->name);
	char *shown, *cut;

	if (s->name < 0)
		return;
	cut = part ? strndup(name, s->head) : NULL;
	shown = quoted(cut ? cut : name);
	w->failed |= !shown || (part && !cut);
	begin_event(w);
	fprintf(w->out, "{\"ph\":\"X\",\"pid\":%d,\"tid\":%d,\"name\":%s,\"cat\":\"stage\"", PID, TID_STAGES,
	        shown ? shown : "\"?\"");
	put_time(w, "ts", s->start);
	put_time(w, "dur", s->end - s->start);
	fputc('}', w->out);
	w->count->stages++;
	free(shown);
	free(cut);
}

static bool same_part(const struct writer *w, const struct open_stage *a, const struct open_stage *b)
{
	return a->name >= 0 && b->name >= 0 && a->head == b->head &&
	       !memcmp(name_of(w->t->rows, a->name), name_of(w->t->rows, b->name), a->head);
}

/*
 * Stages in the order of launches. One ends where its last record does, but not after the next one has begun: what
 * another stream still copies then is seen on that stream.
 */
static void put_stages(struct writer *w)
{
	const struct sb_trace_rows *rows = w->t->rows;
	struct open_stage stage = { .name = -1 }, part = { .name = -1 };

	for (size_t i = 0; i < rows->n; i++) {
		const struct sb_trace_row *row = &rows->v[i];
		struct open_stage next = { row->stage, strcspn(name_of(rows, row->stage), "."), row->start_ns,
			row->start_ns + row->dur_ns };

		if (!is_in(w->t, row) || row->stage < 0 || w->is_call[row->name])
			continue;
		if (next.name == stage.name) {
			stage.end = next.end > stage.end ? next.end : stage.end;
			part.end = stage.end > part.end ? stage.end : part.end;
			continue;
		}
		if (next.start < stage.start) /* another stream's, asked for later and begun before */
			next.start = stage.start;
		if (stage.end > next.start)
			stage.end = next.start;
		put_stage(w, &stage, false);
		if (!same_part(w, &part, &next)) {
			if (part.end > next.start)
				part.end = next.start;
			put_stage(w, &part, true);
			part = next;
		}
		if (next.end < next.start)
			next.end = next.start;
		stage = next;
		part.end = next.end > part.end ? next.end : part.end;
	}
	put_stage(w, &stage, false);
	put_stage(w, &part, true);
}

/* ---- counters -------------------------------------------------------------------------------------------------- */

static void put_memory(struct writer *w, int64_t ns, const struct sb_timeline_event *e)
{
	put_counter(w, "memory (bytes)", ns);
	fprintf(w->out, ",\"args\":{\"allocated\":%" PRId64 ",\"active\":%" PRId64 ",\"reserved\":%" PRId64,
	        e->allocated, e->active, e->reserved);
	if (e->requested != SB_TIMELINE_UNKNOWN)
		fprintf(w->out, ",\"requested\":%" PRId64, e->requested);
	fputs("}}", w->out);
}

/* Events are the host's, which runs ahead of the device: allocation is ahead of the kernels that use it. */
static enum sb_status put_timeline(struct writer *w, struct sb_error *err)
{
	const struct sb_timeline_row *row = w->t->timeline;
	struct sb_timeline_reader r;
	struct sb_timeline_event e;
	enum sb_status status;
	bool more = true;

	if (!row || !row->data)
		return SB_OK;
	status = sb_timeline_read_begin(&r, row->data, row->size, err);
	if (!status && w->t->from_ns <= 0 && !w->t->stage)
		put_memory(w, 0, &r.last);
	while (!status && more) {
		status = sb_timeline_next(&r, &e, &more, err);
		if (!status && more && e.time_ns >= w->t->from_ns && e.time_ns < w->t->to_ns &&
		        (!w->t->stage || stage_is_in(e.stage, w->t->stage)))
			put_memory(w, e.time_ns, &e);
	}
	return status;
}

/* Clocks, power and heat were read once a trial: a level line from the first record to the last. */
static void put_device(struct writer *w, int64_t first, int64_t last)
{
	static const char *const metrics[][2] = { { "sm_mhz", "SM clock (MHz, mean)" },
		{ "device.memory_mhz", "memory clock (MHz)" }, { "device.power_w", "power (W)" },
		{ "device.temperature_c", "temperature (C)" } };

	for (size_t i = 0; i < SB_ARRAY_LEN(metrics) && w->t->samples; i++) {
		const struct sb_samples *s = w->t->samples;
		int m = sb_samples_metric(s, metrics[i][0]);
		size_t at = w->t->sample_row * s->n_metrics + (size_t)(m < 0 ? 0 : m);

		if (m < 0 || w->t->sample_row >= s->n_trials || s->absent[at])
			continue;
		for (int end = 0; end < 2; end++) {
			put_counter(w, metrics[i][1], end ? last : first);
			fprintf(w->out, ",\"args\":{\"value\":%.6g}}", s->value[at]);
		}
	}
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static void put_head(struct writer *w)
{
	const struct sb_run *run = w->t->run;
	const struct sb_trial *trial = w->t->trial;
	const char *arm = trial->arm >= 0 && trial->arm < run->n_arms ? run->arms[trial->arm].name : "?";
	const char *device = run->n_workers ? run->workers[0].device_name : "?";
	struct sb_buf name = { 0 };
	char *shown;

	for (size_t i = 0; i < run->n_workers; i++)
		if (run->workers[i].key == trial->worker)
			device = run->workers[i].device_name;
	sb_buf_addf(&name, "%s, arm %s, block %d, run %.12s", device, arm, trial->block, run->id);
	shown = name.failed ? NULL : quoted(sb_buf_str(&name));
	w->failed |= !shown;
	fputs("{\"displayTimeUnit\":\"ns\",\"otherData\":{\"program\":\"spabench\",", w->out);
	fprintf(w->out, "\"run\":\"%s\",\"block\":%d,\"trial_started_ns\":\"%" PRId64 "\",\"complete\":%s,", run->id,
	        trial->block, trial->started_ns, trial->trace_complete ? "true" : "false");
	fprintf(w->out, "\"title\":%s},\n\"traceEvents\":[", shown ? shown : "\"\"");
	begin_event(w);
	fprintf(w->out, "{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\",\"args\":{\"name\":%s}}", PID,
	        shown ? shown : "\"\"");
	put_track(w, TID_STAGES, "stages");
	free(shown);
	sb_buf_release(&name);
}

static enum sb_status put_all(struct writer *w, struct slice *slices, struct sb_error *err)
{
	const struct sb_trace_rows *rows = w->t->rows;
	int64_t first = INT64_MAX, last = 0;
	enum sb_status status;
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++) {
		const struct sb_trace_row *row = &rows->v[i];

		if (!is_in(w->t, row))
			continue;
		slices[n++] = (struct slice){ row->start_ns, row->start_ns + row->dur_ns, i };
		first = row->start_ns < first ? row->start_ns : first;
		last = row->start_ns + row->dur_ns > last ? row->start_ns + row->dur_ns : last;
	}
	if (!n)
		return sb_fail(err, SB_E_DATA, "no record of the trial is in what was asked for; it has %zu", rows->n);
	sorted = w->t;
	sorted_calls = w->is_call;
	qsort(slices, n, sizeof(*slices), by_track_and_time);
	put_head(w);
	put_stages(w);
	put_activities(w, slices, n);
	put_device(w, first, last);
	status = put_timeline(w, err);
	fputs("\n]}\n", w->out);
	if (status)
		return status;
	if (w->failed)
		return sb_fail(err, SB_E_NOMEM, "no memory for the names of a trace");
	return ferror(w->out) ? sb_fail(err, SB_E_DATA, "cannot write the trace") : SB_OK;
}

/* Names whose roll-up says that they are calls of the host. */
static void mark_calls(struct writer *w)
{
	const struct sb_rollups *r = w->t->rollups;

	for (size_t i = 0; r && i < r->n; i++)
		for (size_t k = 0; !strcmp(r->v[i].kind, "api") && k < w->t->rows->n_names; k++)
			w->is_call[k] |= !strcmp(w->t->rows->names[k], r->v[i].name);
}

enum sb_status sb_report_trace_events(
        const struct sb_trace_events *t, FILE *out, struct sb_trace_events_count *count, struct sb_error *err)
{
	struct writer w = { .t = t, .out = out, .count = count };
	struct slice *slices = calloc(t->rows->n + 1, sizeof(*slices));
	enum sb_status status;

	*count = (struct sb_trace_events_count){ 0 };
	w.json = calloc(t->rows->n_names + 1, sizeof(*w.json));
	w.is_call = calloc(t->rows->n_names + 1, sizeof(*w.is_call));
	if (!slices || !w.json || !w.is_call) {
		status = sb_fail(err, SB_E_NOMEM, "no memory for %zu records of a trace", t->rows->n);
	} else {
		mark_calls(&w);
		status = put_all(&w, slices, err);
	}
	for (size_t i = 0; w.json && i < t->rows->n_names; i++)
		free(w.json[i]);
	free(w.json);
	free(w.is_call);
	free(slices);
	return status;
}
