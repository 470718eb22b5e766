/*
 * The worker's end: one process, one device, one case. It serves trials until end of file and never touches a terminal
 * or a database.
 */
#include "sb_experiment.h"
#include "memory_trace.h"
#include "messages.h"
#include "path_json.h"
#include "sb_timeline.h"
#include "sb_trace.h"
#include "trace_message.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct server {
	int fd;
	struct sb_worker_setup setup;
	struct sb_alloc_options alloc_options;
	struct sb_backend *be;
	const struct sb_workload_ops *ops;
	struct sb_workload *workload;
	struct sb_workload_info info;
	struct sb_fit_pass taken; /* by the reference passes; free_bytes 0: not to be judged */
	struct sb_error
	        untraced; /* why the device has no tracer or counters; code SB_OK: it has, or its ops are logged */
	bool lost;        /* something of the message being made found no memory: it is not sent without it */
	struct sb_timeline *timeline; /* of tracing workers; NULL: none was asked for yet */
};

static enum sb_status send_json(struct server *s, enum sb_frame_type type, json_t *j, struct sb_error *err)
{
	char *text = sb_message_text(j);
	enum sb_status status;

	if (text && !s->lost)
		status = sb_frame_write(s->fd, type, text, strlen(text), err);
	else
		status = sb_fail(err, SB_E_NOMEM, "no memory for a message");
	s->lost = false;
	free(text);
	return status;
}

/* What went wrong, for the parent. Returns the status given. Names in a message may be any bytes, JSON is UTF-8. */
static enum sb_status send_error(struct server *s, enum sb_status status, const struct sb_error *err)
{
	char message[sizeof(err->msg)];
	struct sb_error ignored;

	sb_escape(err->msg, message, sizeof(message));
	s->lost = false; /* of another message */
	send_json(s, SB_FRAME_ERROR, json_pack("{s:i, s:s}", "code", (int)status, "message", message), &ignored);
	return status;
}

/* A value as JSON: a number, or [reason]. */
static json_t *value_json(struct sb_value v)
{
	const char *absent = v.absent ? v.absent : isfinite(v.v) ? NULL : "not a number";

	return absent ? json_pack("[s]", absent) : json_real(v.v);
}

/* Text that may hold the name of a file. */
static json_t *text_json(const char *text)
{
	char utf8[1024];

	sb_escape(text, utf8, sizeof(utf8));
	return json_string(utf8);
}

/* Takes `value`. */
static void put(struct server *s, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		s->lost = true;
}

/* ---- setup --------------------------------------------------------------------------------------------------- */

static const char *text_of(json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

/* SPABENCH_FAULT=crash:N | hang:N | fail:N | lose:N makes the N-th op of this worker do so. For tests. */
static void set_fault(struct sb_backend *be)
{
	static const struct {
		const char *word;
		enum sb_fault_kind kind;
	} kinds[] = { { "crash:", SB_FAULT_CRASH }, { "hang:", SB_FAULT_HANG }, { "fail:", SB_FAULT_FAIL },
		{ "lose:", SB_FAULT_LOSE } };
	const char *text = getenv("SPABENCH_FAULT");

	for (size_t i = 0; text && i < SB_ARRAY_LEN(kinds); i++) {
		size_t n = strlen(kinds[i].word);

		if (strncmp(text, kinds[i].word, n) == 0 &&
		        !sb_parse_int(text + n, "SPABENCH_FAULT", 1, INT64_MAX, &be->fault_at, NULL))
			be->fault = kinds[i].kind;
	}
}

static enum sb_status one_pass(struct server *s, bool perturb, size_t log_capacity, struct sb_error *err)
{
	if (sb_backend_begin_pass(s->be, log_capacity, err) || s->ops->run(s->workload, perturb, err))
		return err->code;
	return sb_backend_end_pass(s->be, err);
}

/* What the reference passes took, before their memory is given back. Failures of another kind say nothing of memory. */
static void note_taken(struct server *s, enum sb_status status)
{
	struct sb_alloc_stats stats;

	if (status && status != SB_E_NOMEM)
		s->taken.free_bytes = 0;
	if (status)
		return;
	sb_alloc_stats(s->be->alloc, &stats);
	s->taken.complete = true;
	s->taken.weights_bytes = s->ops->weights_bytes(s->workload);
	s->taken.reserved_bytes = stats.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak;
	s->taken.attention_bytes = s->be->attention_workspace_bytes;
}

/*
 * Run the reference arm, and again with its input moved by one unit in the last place. Quality is then the distance of
 * every trial to the first; the second says what rounding alone does. Without memory for it there is no reference.
 */
static enum sb_status make_reference(struct server *s, json_t *ready, struct sb_error *err)
{
	struct sb_measure m[SB_QUALITY_MAX];
	json_t *ulp = json_object();
	enum sb_status status;

	sb_backend_set_levels(s->be, &s->setup.reference);
	status = s->ops->prepare(s->workload, err);
	if (!status)
		status = sb_backend_begin_arm(s->be, err);
	if (!status)
		status = one_pass(s, false, 0, err);
	if (!status) {
		s->ops->set_reference(s->workload);
		status = one_pass(s, true, 0, err);
	}
	if (!status) {
		int n = s->ops->quality(s->workload, m);

		for (int i = 0; i < n; i++)
			put(s, ulp, m[i].name, value_json(m[i].value));
	}
	note_taken(s, status);
	sb_backend_end_arm(s->be);
	if (status == SB_E_NOMEM || status == SB_E_DEVICE) {
		put(s, ready, "reference_note", text_json(err->msg));
		status = SB_OK;
	}
	put(s, ready, "ulp", ulp);
	put(s, ready, "taken",
	        json_pack("{s:I, s:b, s:I, s:I, s:I}", "free", (json_int_t)s->taken.free_bytes, "complete",
	                s->taken.complete, "weights", (json_int_t)s->taken.weights_bytes, "reserved",
	                (json_int_t)s->taken.reserved_bytes, "attention", (json_int_t)s->taken.attention_bytes));
	return status;
}

/* What is tracked and how, as the workload understood it. */
static void put_points(struct server *s, json_t *ready, const struct sb_workload_info *w)
{
	char digest[17];
	const struct {
		const char *key;
		int64_t value;
	} numbers[] = {
		{ "queries", w->n_queries },
		{ "support", w->n_support },
		{ "iterations", w->iterations },
		{ "windows", w->windows },
		{ "window", w->window },
		{ "overlap", w->overlap },
		{ "track_width", w->track_width },
		{ "track_height", w->track_height },
	};

	for (size_t i = 0; i < SB_ARRAY_LEN(numbers); i++)
		put(s, ready, numbers[i].key, json_integer((json_int_t)numbers[i].value));
	snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)w->points_digest);
	put(s, ready, "points_digest", json_string(digest));
	put(s, ready, "cameras", json_string(w->cameras ? w->cameras : ""));
	put(s, ready, "inputs_note", text_json(w->inputs_note));
}

static json_t *ready_json(struct server *s)
{
	const struct sb_workload_info *w = &s->info;
	struct sb_device_info d;
	struct sb_buf emulated = { 0 };
	char clip[17], weights[17];
	json_t *j;

	sb_backend_info(s->be, &d);
	for (int p = 0; p < SB_PART_COUNT; p++)
		if (d.emulated_parts >> p & 1)
			sb_buf_addf(&emulated, "%s%s", emulated.len ? "," : "", sb_parts[p].name);
	snprintf(clip, sizeof(clip), "%016llx", (unsigned long long)w->clip_digest);
	snprintf(weights, sizeof(weights), "%016llx", (unsigned long long)w->weights_digest);
	j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:I}", "device_name",
	        d.name, "device_kind", d.kind, "device_uuid", d.uuid, "software", d.software, "emulated",
	        sb_buf_str(&emulated), "memory", (json_int_t)d.memory_bytes, "frames", (json_int_t)w->frames, "stride",
	        (json_int_t)w->stride, "width", (json_int_t)w->width, "height", (json_int_t)w->height, "clip_width",
	        (json_int_t)w->clip_width, "clip_height", (json_int_t)w->clip_height, "clip_digest", clip,
	        "weights_digest", weights, "weights_kind", w->weights_kind, "parameters", (json_int_t)w->parameters);
	s->lost |= emulated.failed;
	sb_buf_release(&emulated);
	put(s, j, "conv_path", text_json(d.conv_path));
	put(s, j, "clip_source", text_json(w->clip_source));
	put(s, j, "clip_note", text_json(w->clip_note));
	put(s, j, "weights_note", text_json(w->weights_note));
	put(s, j, "counters", json_boolean(s->be->ops->counters_open != NULL));
	put_points(s, j, w);
	put(s, j, "weights_front", sb_path_json(s->setup.c.weights_front)); /* that it was understood */
	put(s, j, "weights_track", sb_path_json(s->setup.c.weights_track));
	return j;
}

/* A fraction is one of the device's memory. */
static enum sb_status set_alloc_options(struct server *s, struct sb_error *err)
{
	struct sb_alloc_conf conf;
	int64_t unused, total;

	if (sb_alloc_conf_parse(s->setup.alloc_conf, &conf, err))
		return err->code;
	s->alloc_options = conf.opt;
	if (conf.fraction < 1) {
		if (sb_pages_info(s->be->pages, &unused, &total, err))
			return err->code;
		s->alloc_options.limit_bytes = 1 + (int64_t)(conf.fraction * (double)total); /* 0 would be no limit */
	}
	s->be->alloc_options = &s->alloc_options;
	return SB_OK;
}

static enum sb_status set_up(struct server *s, const struct sb_workload_ops *const *workloads, struct sb_error *err)
{
	struct sb_frame f;
	bool timed_out;
	json_t *ready;

	if (sb_frame_read(s->fd, 0, &f, &timed_out, err))
		return err->code;
	if (sb_message_setup(&f, &s->setup, err)) {
		free(f.data);
		return err->code;
	}
	free(f.data);
	for (int i = 0; workloads[i] && !s->ops; i++)
		if (!strcmp(workloads[i]->name, s->setup.c.workload))
			s->ops = workloads[i];
	if (!s->ops)
		return sb_fail(err, SB_E_USAGE, "no workload '%s'", s->setup.c.workload);
	if (sb_backend_open(s->setup.device, s->setup.memory_limit_bytes, &s->be, err))
		return err->code;
	if (sb_pages_info(s->be->pages, &s->taken.free_bytes, &(int64_t){ 0 }, NULL))
		s->taken.free_bytes = 0;
	s->be->offload_budget = s->setup.offload_budget;
	if (s->setup.alloc_conf[0] && set_alloc_options(s, err))
		return err->code;
	if (s->setup.purpose == SB_TRACING)
		sb_backend_trace_open(s->be, s->setup.trace_calls,
		        &s->untraced); /* without one, trials that ask for it fail and say so */
	if (s->setup.purpose == SB_COUNTING)
		sb_backend_counters_open(s->be, &s->untraced);
	if (s->ops->open(&s->setup.c, s->be, &s->workload, &s->info, err))
		return err->code;
	if (s->setup.no_reference) { /* now, while others are set up, too; a failure will come again, in a trial */
		sb_backend_set_levels(s->be, &s->setup.reference);
		(void)s->ops->prepare(s->workload, &(struct sb_error){ .msg = "" });
	}
	ready = ready_json(s);
	if (!ready)
		return sb_fail(err, SB_E_NOMEM, "no memory for a message");
	if (s->setup.purpose == SB_TIMING && !s->setup.no_reference && s->ops->set_reference &&
	        make_reference(s, ready, err)) {
		json_decref(ready);
		return err->code;
	}
	set_fault(s->be);
	return send_json(s, SB_FRAME_READY, ready, err);
}

/* ---- a trial ------------------------------------------------------------------------------------------------- */

static void add(struct server *s, json_t *samples, const char *metric, double v)
{
	put(s, samples, metric, value_json(sb_value_of(v)));
}

struct driver_use {
	int64_t calls, ns;
};

/* What a trial is made of: filled by passes(), turned into samples afterwards. */
struct timing {
	int64_t started_ns, cold_ns, wall_ns, pass_start_ns;
	int64_t planted_ns; /* by which the pass was made longer */
	struct sb_alloc_stats cold, warm;
	struct driver_use driver_before;      /* of the allocator that the timed pass runs on */
	struct sb_device_state before, after; /* the timed pass; devices that are cards only */
};

static void read_state(struct server *s, struct sb_device_state *out)
{
	if (s->be->ops->state)
		s->be->ops->state(s->be, out);
}

static enum sb_status renew_memory(struct server *s, struct timing *t, struct sb_error *err)
{
	sb_backend_end_arm(s->be);
	t->driver_before = (struct driver_use){ 0, 0 };
	return sb_backend_begin_arm(s->be, err);
}

/*
 * Where a tracer is on the cold pass is traced, too: what it does once, for every kernel, is then done. Its records are
 * read and forgotten, so it does not matter how many ops of it find room in the log.
 */
#define COLD_LOG_CAPACITY 1024

static void on_memory(void *user, const struct sb_alloc_event *e)
{
	struct server *s = user;
	const struct sb_backend *be = s->be;

	sb_timeline_add(s->timeline, e, sb_now_ns(), be->stage < 0 ? NULL : be->stages[be->stage].name, be->op_now);
}

/* Where the parent asked for a timeline; a timing trial has none, so that nothing of it is in its time. */
static void watch_memory(struct server *s, int64_t now_ns)
{
	if (!s->timeline)
		return;
	sb_timeline_begin(s->timeline, s->be->alloc, now_ns);
	sb_alloc_observe(s->be->alloc, on_memory, s);
}

/* Make the pass that began at `start` longer by a share of itself, in which the device is busy. */
static enum sb_status plant(struct server *s, int64_t start, struct timing *t, struct sb_error *err)
{
	int64_t now, until;

	if (!(s->setup.plant > 0.0))
		return SB_OK;
	if (s->be->ops->sync(s->be, err))
		return err->code;
	now = sb_now_ns();
	until = now + (int64_t)(s->setup.plant * (double)(now - start));
	if (s->be->ops->spend && s->be->ops->spend(s->be, until - now, err))
		return err->code;
	while (!s->be->ops->spend && sb_now_ns() < until)
		;
	t->planted_ns = sb_now_ns() - now;
	return SB_OK;
}

/* One untimed cold pass and one timed pass on a fresh allocator; see also fresh_memory. */
static enum sb_status passes(struct server *s, const struct sb_levels *levels, struct timing *t, struct sb_error *err)
{
	int64_t start;
	size_t log_capacity;

	t->started_ns = sb_wall_time_ns();
	sb_backend_set_levels(s->be, levels);
	if (s->ops->prepare(s->workload, err) ||
	        sb_backend_begin_arm(s->be, err)) /* weights outside the arm's memory */
		return err->code;
	start = sb_now_ns();
	if (one_pass(s, false, s->be->tracing ? COLD_LOG_CAPACITY : 0, err))
		return err->code;
	t->cold_ns = sb_now_ns() - start;
	sb_alloc_stats(s->be->alloc, &t->cold);
	t->driver_before = (struct driver_use){ t->cold.driver_calls, t->cold.driver_ns };
	if (s->ops->fresh_memory && renew_memory(s, t, err))
		return err->code;
	log_capacity = s->setup.purpose == SB_TRACING ? (size_t)s->be->submits + 16 : 0;
	read_state(s, &t->before);
	if (sb_backend_begin_pass(s->be, log_capacity, err))
		return err->code;
	t->pass_start_ns = start = sb_now_ns();
	watch_memory(s, start);
	if (s->ops->run(s->workload, false, err) || plant(s, start, t, err) || sb_backend_end_pass(s->be, err))
		return err->code;
	sb_alloc_observe(s->be->alloc, NULL, NULL);
	t->wall_ns = s->be->pass_end_ns - start;
	read_state(s, &t->after);
	sb_alloc_stats(s->be->alloc, &t->warm);
	return SB_OK;
}

/* What was counted, and what the ops of a class must do at least. */
static void add_counts(struct server *s, json_t *samples)
{
	const struct sb_backend *be = s->be;
	char metric[SB_METRIC_NAME_MAX];

	for (int c = 0; c < SB_COUNT_CLASSES; c++) {
		snprintf(metric, sizeof(metric), "counter.%s.flop", sb_count_class_names[c]);
		add(s, samples, metric, be->class_flop[c]);
	}
	for (size_t i = 0; i < be->n_counts; i++) {
		const struct sb_count *count = &be->counts[i];

		snprintf(metric, sizeof(metric), "counter.%s.%s", sb_count_class_names[count->class], count->name);
		put(s, samples, metric, value_json(count->value));
	}
}

/* A pass for each set of counters: none is timed, so the first may make what is made once. */
static enum sb_status counted_passes(
        struct server *s, const struct sb_levels *levels, struct timing *t, json_t *samples, struct sb_error *err)
{
	t->started_ns = sb_wall_time_ns();
	sb_backend_set_levels(s->be, levels);
	if (s->ops->prepare(s->workload, err) || sb_backend_begin_arm(s->be, err))
		return err->code;
	for (int set = 0; set < s->be->ops->counter_sets; set++) {
		if (sb_backend_begin_pass(s->be, 0, err) || sb_backend_begin_counting(s->be, set, err) ||
		        s->ops->run(s->workload, false, err) || sb_backend_end_pass(s->be, err))
			return err->code;
		add_counts(s, samples);
	}
	return SB_OK;
}

static void add_memory(struct server *s, const struct timing *t, json_t *samples)
{
	static const struct {
		const char *metric;
		enum sb_alloc_family family;
	} peaks[] = {
		{ "memory.requested_peak_bytes", SB_ALLOC_REQUESTED_BYTES },
		{ "memory.allocated_peak_bytes", SB_ALLOC_ALLOCATED_BYTES },
		{ "memory.active_peak_bytes", SB_ALLOC_ACTIVE_BYTES },
		{ "memory.reserved_peak_bytes", SB_ALLOC_RESERVED_BYTES },
	};
	const struct sb_alloc_stats *st = &t->warm;
	double weights = (double)s->ops->weights_bytes(s->workload);
	double allocated = (double)st->of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_ALL].peak;
	double reserved = (double)st->of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak;

	for (size_t i = 0; i < SB_ARRAY_LEN(peaks); i++)
		add(s, samples, peaks[i].metric, (double)st->of[peaks[i].family][SB_ALLOC_ALL].peak);
	add(s, samples, "memory.weights_bytes", weights);
	add(s, samples, "memory.trial_bytes", weights + allocated);
	add(s, samples, "memory.attention_bytes", (double)s->be->attention_bytes);
	add(s, samples, "memory.attention_workspace_bytes", (double)s->be->attention_workspace_bytes);
	add(s, samples, "memory.overhead", (weights + reserved) / (weights + allocated) - 1.0);
	put(s, samples, "memory.fragmentation", value_json(st->fragmentation_of_peaks));
	put(s, samples, "memory.fragmentation_at_peak_reserved", value_json(st->fragmentation_at_peak_reserved));
	put(s, samples, "memory.largest_free_at_peak_reserved", value_json(st->largest_free_share_at_peak_reserved));
	put(s, samples, "memory.largest_free_at_end", value_json(st->largest_free_share));
	add(s, samples, "driver.calls", (double)(st->driver_calls - t->driver_before.calls));
	add(s, samples, "driver_ns", (double)(st->driver_ns - t->driver_before.ns));
	add(s, samples, "cold_driver.calls", (double)t->cold.driver_calls);
	add(s, samples, "cold_driver_ns", (double)t->cold.driver_ns);
	for (int c = 0; c < SB_PAGES_CALL_COUNT; c++) {
		char metric[SB_METRIC_NAME_MAX];

		if (!t->cold.driver.calls[c])
			continue;
		snprintf(metric, sizeof(metric), "driver.cold_%s_calls", sb_pages_call_names[c]);
		add(s, samples, metric, (double)t->cold.driver.calls[c]);
	}
	if (s->be->levels.part[SB_PART_ALLOC] == SB_ALLOC_STITCHED) {
		add(s, samples, "memory.stitches", (double)st->num_stitches);
		add(s, samples, "memory.stitched_bytes", (double)st->stitched_bytes);
	}
	add(s, samples, "memory.retries", (double)st->num_alloc_retries);
	add(s, samples, "memory.out_of_memory", (double)st->num_ooms);
	put(s, samples, "memory.workspace_bytes",
	        json_pack("[s]", s->be->ops->state ? "it comes from the arm's allocator and counts as allocated"
	                                           : "the library does not say"));
	if (s->be->ops->state)
		put(s, samples, "memory.device_used_bytes", value_json(t->after.used_bytes));
	else
		put(s, samples, "memory.device_used_bytes", json_pack("[s]", "the device is the host"));
}

/* How long something held clocks down during the pass, by the card's own count -> a metric; true: 1 % of it or more. */
static bool was_held(struct server *s, const struct timing *t, const char *metric, struct sb_value before,
        struct sb_value after, json_t *samples)
{
	double ns = after.v - before.v;

	if (before.absent || after.absent || ns < 0.0)
		return false;
	add(s, samples, metric, ns);
	return ns >= 0.01 * (double)t->wall_ns;
}

/*
 * Were clocks held down, and why: as the card says before and after the pass, and as it counted meanwhile. A metric of
 * each reason, which only such trials have.
 */
static void add_throttled(struct server *s, const struct timing *t, json_t *samples)
{
	const struct sb_device_state *b = &t->before, *a = &t->after, *states[] = { b, a };
	struct sb_value throttled = a->throttled;

	for (size_t i = 0; i < SB_ARRAY_LEN(states); i++) {
		const char *reason = states[i]->reasons;
		char metric[SB_METRIC_NAME_MAX];

		if (!states[i]->throttled.absent && states[i]->throttled.v != 0.0)
			throttled = sb_value_of(1.0);
		for (size_t n; *reason; reason += n + (reason[n] == ',')) {
			n = strcspn(reason, ",");
			snprintf(metric, sizeof(metric), "device.throttled.%.*s", (int)n, reason);
			add(s, samples, metric, 1.0);
		}
	}
	if (was_held(s, t, "device.power_held_ns", b->power_held_ns, a->power_held_ns, samples)) {
		throttled = sb_value_of(1.0);
		add(s, samples, "device.throttled.sw_power_cap", 1.0);
	}
	if (was_held(s, t, "device.heat_held_ns", b->heat_held_ns, a->heat_held_ns, samples)) {
		throttled = sb_value_of(1.0);
		add(s, samples, "device.throttled.heat", 1.0);
	}
	put(s, samples, "device.throttled", value_json(throttled));
}

/* Energy and power tick slowly: they are the card's, over a pass of any length. */
static void add_state(struct server *s, const struct timing *t, json_t *samples)
{
	if (!s->be->ops->state)
		return;
	put(s, samples, "device.power_w", value_json(t->after.power_w));
	put(s, samples, "device.temperature_c", value_json(t->after.temperature_c));
	put(s, samples, "device.sm_mhz", value_json(t->after.sm_mhz));
	put(s, samples, "device.memory_mhz", value_json(t->after.memory_mhz));
	add_throttled(s, t, samples);
	if (!t->before.energy_mj.absent && !t->after.energy_mj.absent)
		add(s, samples, "device.energy_mj", t->after.energy_mj.v - t->before.energy_mj.v);
	add(s, samples, "device.reading_ns", (double)(t->before.cost_ns + t->after.cost_ns));
}

/* Cycles of the timed pass, and the rate they make; trace trials do not count them. */
static void add_cycles(struct server *s, json_t *samples)
{
	const struct sb_device_cycles *c = &s->be->cycles;

	if (!s->be->ops->cycles || s->setup.purpose == SB_TRACING)
		return;
	put(s, samples, "sm_cycles",
	        value_json(c->cycles ? sb_value_of((double)c->cycles)
	                             : sb_value_absent("the multiprocessors' clocks were not read")));
	if (c->cycles)
		add(s, samples, "sm_mhz", 1e3 * (double)c->cycles / (double)c->ns);
}

static json_t *samples_json(struct server *s, const struct timing *t)
{
	struct sb_measure m[SB_QUALITY_MAX];
	json_t *samples = json_object();
	char metric[SB_METRIC_NAME_MAX];
	int n = s->ops->quality ? s->ops->quality(s->workload, m) : 0;

	add(s, samples, "wall_ns", (double)t->wall_ns);
	add(s, samples, "cold_ns", (double)t->cold_ns);
	if (t->planted_ns)
		add(s, samples, "planted_ns", (double)t->planted_ns);
	for (int i = 0; i < s->be->n_stages; i++) {
		snprintf(metric, sizeof(metric), "stage.%s_ns", s->be->stages[i].name);
		add(s, samples, metric, (double)s->be->stages[i].ns);
	}
	add_memory(s, t, samples);
	add_state(s, t, samples);
	add_cycles(s, samples);
	for (int i = 0; i < n; i++)
		put(s, samples, m[i].name, value_json(m[i].value));
	n = s->ops->measures ? s->ops->measures(s->workload, m) : 0;
	for (int i = 0; i < n; i++)
		put(s, samples, m[i].name, value_json(m[i].value));
	return samples;
}

/* Adds op times and what the tracer lost to the samples, names, roll-up and shapes to the result. */
static void add_trace(struct server *s, const struct sb_trace *t, json_t *result, json_t *samples)
{
	char metric[SB_METRIC_NAME_MAX];

	add(s, samples, "memory.attention_scores_bytes", (double)s->be->attention_scores_bytes);
	for (int k = 0; k < SB_KIND_COUNT; k++) {
		snprintf(metric, sizeof(metric), "op.%s_ns", sb_op_kind_names[k]);
		add(s, samples, metric, (double)t->kind_ns[k]);
	}
	if (t->account.requested) {
		add(s, samples, "trace.requested", (double)t->account.requested);
		add(s, samples, "trace.delivered", (double)t->account.delivered);
		add(s, samples, "trace.dropped", (double)t->account.dropped);
		add(s, samples, "trace.zero_time", (double)t->account.zero_time);
		add(s, samples, "trace.unmatched", (double)t->account.unmatched);
		add(s, samples, "trace.overhead_ns", (double)t->account.overhead_ns);
		add(s, samples, "trace.queue_full_ns", (double)t->account.queue_full_ns);
		add(s, samples, "trace.loading_ns", (double)t->account.loading_ns);
		if (t->account.memory_calls >= 0) {
			add(s, samples, "trace.memory_calls", (double)t->account.memory_calls);
			add(s, samples, "trace.memory_ns", (double)t->account.memory_ns);
			add(s, samples, "trace.memory_records", (double)t->account.memory_records);
		}
	}
	s->lost |= !sb_trace_to_json(t, result);
}

static json_t *failure_json(struct server *s, enum sb_status status, const struct sb_error *err, json_t *samples)
{
	char message[512];

	sb_escape(err->msg, message, sizeof(message));
	/* The allocator knows when the device ran out; without one it was the weights. Else it was the host. */
	if (status != SB_E_NOMEM || (s->be->alloc && !sb_alloc_oom(s->be->alloc)->asked))
		return json_pack("{s:s, s:s, s:o}", "outcome", "failed", "message", message, "samples", samples);
	if (s->be->alloc) {
		const struct sb_oom *oom = sb_alloc_oom(s->be->alloc);

		if (oom->asked) {
			add(s, samples, "oom.asked_bytes", (double)oom->asked);
			add(s, samples, "oom.allocated_bytes", (double)oom->allocated);
			add(s, samples, "oom.reserved_bytes", (double)oom->reserved);
			add(s, samples, "oom.free_bytes", (double)oom->device_free);
		}
	}
	add(s, samples, "memory.weights_bytes", (double)s->ops->weights_bytes(s->workload));
	return json_pack("{s:s, s:s, s:o}", "outcome", "oom", "message", message, "samples", samples);
}

static enum sb_status send_rows(int fd, const struct sb_trace *t, struct sb_error *err)
{
	struct sb_trace_row *rows = sb_trace_to_rows(t);
	enum sb_status status;

	if (!rows)
		return sb_fail(err, SB_E_NOMEM, "no memory for %zu trace rows", t->n_events);
	status = sb_frame_write(fd, SB_FRAME_ROWS, rows, t->n_events * sizeof(*rows), err);
	free(rows);
	return status;
}

/* Announces the timeline of the pass, if there is one; it is sent behind the rows. */
static struct sb_timeline_blob add_timeline(struct server *s, json_t *result)
{
	struct sb_timeline_blob b = { .size = 0 };

	if (!s->timeline)
		return b;
	b = sb_timeline_blob(s->timeline);
	put(s, result, "timeline_bytes", json_integer((json_int_t)b.size));
	put(s, result, "timeline_events", json_integer((json_int_t)b.events));
	put(s, result, "timeline_cut", json_integer((json_int_t)b.cut));
	return b;
}

static enum sb_status serve_trial(struct server *s, const struct sb_frame *f, struct sb_error *err)
{
	bool no_memory, watched;
	json_t *request = sb_message_load(f->data, f->length, &no_memory), *result, *samples, *counts;
	struct sb_timeline_blob timeline = { .size = 0 };
	struct sb_trace trace = { 0 };
	struct sb_levels levels;
	struct timing t = { 0 };
	enum sb_status status;

	status = sb_levels_parse(text_of(request, "levels"), &levels, err);
	watched = json_is_true(json_object_get(request, "timeline")) && s->setup.purpose == SB_TRACING;
	json_decref(request);
	if (no_memory)
		return sb_fail(err, SB_E_NOMEM, "no memory for a request");
	if (f->type != SB_FRAME_TRIAL || status)
		return sb_fail(err, SB_E_DATA, "not a trial request");
	if (watched && !s->timeline && sb_timeline_open(SB_TIMELINE_BYTES, &s->timeline, err))
		return err->code;
	counts = json_object();
	if (s->untraced.code)
		status = sb_fail(err, s->untraced.code, "%s%.900s", s->setup.purpose == SB_TRACING ? "no trace: " : "",
		        s->untraced.msg);
	else if (s->setup.purpose == SB_COUNTING)
		status = counted_passes(s, &levels, &t, counts, err);
	else
		status = passes(s, &levels, &t, err);
	if (!status && s->setup.purpose == SB_TRACING)
		status = sb_trace_from_log(s->be, t.pass_start_ns, &trace, err);
	if (status) {
		result = failure_json(s, status, err, json_object());
	} else {
		samples = s->setup.purpose == SB_COUNTING ? json_incref(counts) : samples_json(s, &t);
		result = json_pack("{s:s, s:O}", "outcome", "ok", "samples", samples);
		if (s->setup.purpose == SB_TRACING)
			add_trace(s, &trace, result, samples);
		timeline = add_timeline(s, result);
		json_decref(samples);
	}
	json_decref(counts);
	put(s, result, "started_ns", json_integer((json_int_t)t.started_ns));
	sb_backend_end_arm(s->be); /* device memory as before */
	if (s->be->lost)
		put(s, result, "ends", json_true()); /* this worker has no device any more */
	status = send_json(s, SB_FRAME_RESULT, result, err);
	if (!status && trace.n_events)
		status = send_rows(s->fd, &trace, err);
	if (!status && timeline.size)
		status = sb_frame_write(s->fd, SB_FRAME_TIMELINE, timeline.data, timeline.size, err);
	sb_trace_release(&trace);
	return status;
}

/* ---- saving -------------------------------------------------------------------------------------------------- */

#define METADATA_MAX 16

/* One pass at the wanted levels; its results are then in host memory, and nothing of it on the device. */
static enum sb_status pass_to_save(
        struct server *s, const struct sb_levels *levels, const char *memory_trace, struct sb_error *err)
{
	struct sb_memory_trace trace = { 0 };
	struct sb_device_info d;
	enum sb_status status, written;
	char source[200];

	sb_backend_info(s->be, &d);
	snprintf(source, sizeof(source), "spabench %s, workload %s, preset %s, %s", sb_build_id, s->ops->name,
	        s->setup.c.preset, d.name);
	sb_backend_set_levels(s->be, levels);
	status = s->ops->prepare(s->workload, err);
	if (!status)
		status = sb_backend_begin_arm(s->be, err);
	if (!status)
		status = memory_trace
		                 ? sb_memory_trace_begin(&trace, s->be, memory_trace, source, s->setup.alloc_conf, err)
		                 : SB_OK;
	if (!status)
		status = one_pass(s, false, 0, err);
	written = sb_memory_trace_end(&trace, status != SB_OK, status ? NULL : err);
	sb_backend_end_arm(s->be);
	return status ? status : written;
}

static const char *path_of(json_t *request, const char *key, char out[SB_PATH_MAX])
{
	return sb_path_from_json(json_object_get(request, key), out, SB_PATH_MAX) ? out : NULL;
}

static enum sb_status save(struct server *s, json_t *request, struct sb_error *err)
{
	const char *metadata[2 * METADATA_MAX + 1] = { NULL }, *key;
	char file[SB_PATH_MAX], npz[SB_PATH_MAX], depth_dir[SB_PATH_MAX], overlay[SB_PATH_MAX], memory[SB_PATH_MAX];
	struct sb_save to = { .metadata = metadata };
	struct sb_levels levels;
	json_t *value;
	bool results;
	int n = 0;

	to.file = path_of(request, "file", file);
	to.npz = path_of(request, "npz", npz);
	to.depth_dir = path_of(request, "depth_images", depth_dir);
	to.overlay_dir = path_of(request, "overlay", overlay);
	to.memory_trace = path_of(request, "memory_trace", memory);
	results = to.file || to.npz || to.depth_dir || to.overlay_dir;
	if (!s->ops->save && results)
		return sb_fail(err, SB_E_USAGE, "workload '%s' has no results to save", s->ops->name);
	json_object_foreach(json_object_get(request, "metadata"), key, value)
	{
		if (n == METADATA_MAX || !json_is_string(value))
			return sb_fail(err, SB_E_DATA, "not a request to save");
		metadata[2 * n] = key;
		metadata[2 * n++ + 1] = json_string_value(value);
	}
	if (sb_levels_parse(text_of(request, "levels"), &levels, err) || pass_to_save(s, &levels, to.memory_trace, err))
		return err->code;
	return results ? s->ops->save(s->workload, &to, err) : SB_OK;
}

static enum sb_status serve_save(struct server *s, const struct sb_frame *f, struct sb_error *err)
{
	bool no_memory;
	json_t *request = sb_message_load(f->data, f->length, &no_memory);
	enum sb_status status = request     ? save(s, request, err)
	                        : no_memory ? sb_fail(err, SB_E_NOMEM, "no memory for a request")
	                                    : sb_fail(err, SB_E_DATA, "not a request to save");

	json_decref(request);
	return status ? status : send_json(s, SB_FRAME_SAVED, json_object(), err);
}

/* ---- main ---------------------------------------------------------------------------------------------------- */

const char sb_worker_capabilities[] =
        "weights,weights-track,tracker,churn,raw,save,save-npz,depth-images,overlay,trace-calls,counters,"
        "alloc-conf,memory-trace,offload,plant,churn-modules";

static enum sb_status serve(struct server *s, const struct sb_workload_ops *const *workloads, struct sb_error *err)
{
	enum sb_status status = send_json(s, SB_FRAME_HELLO,
	        json_pack("{s:s, s:s, s:I, s:s}", "build", sb_build_id, "flags", sb_build_flags, "pid",
	                (json_int_t)getpid(), "capabilities", sb_worker_capabilities),
	        err);

	if (status)
		return status;
	status = set_up(s, workloads, err);
	if (status) {
		send_error(s, status, err);
		return status;
	}
	for (;;) {
		struct sb_frame f;
		bool timed_out;

		if (sb_frame_read(s->fd, 0, &f, &timed_out, err))
			return SB_OK; /* end of file: the parent is done with us */
		status = f.type == SB_FRAME_SAVE ? serve_save(s, &f, err) : serve_trial(s, &f, err);
		free(f.data);
		if (status)
			return send_error(s, status, err);
		if (s->be->lost)
			return SB_E_DEVICE; /* the parent knows, and starts another worker */
	}
}

int sb_worker_serve(int fd, const struct sb_workload_ops *const *workloads)
{
	struct server s = { .fd = fd };
	struct sb_error err;
	enum sb_status status;

	signal(SIGINT, SIG_IGN); /* Ctrl-C is the parent's to handle: it ends after this trial */
	signal(SIGTERM, SIG_IGN);
	fcntl(fd, F_SETFD, FD_CLOEXEC); /* ffmpeg must not hold it: the parent waits for its end */
	status = serve(&s, workloads, &err);
	if (s.ops && s.workload)
		s.ops->close(s.workload);
	sb_backend_close(s.be);
	sb_timeline_close(s.timeline);
	close(fd);
	return sb_exit_code(status);
}
