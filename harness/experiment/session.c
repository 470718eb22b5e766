#include "sb_session.h"
#include "environment.h"
#include "evidence.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Workers that end in a row without one good trial before the run is given up. */
#define BAD_WORKERS_MAX 20

struct session {
	struct sb_store *st;
	const struct sb_session_options *opt;
	const struct sb_loop_hooks *hooks;
	struct sb_session_result *out;
	struct sb_evidence evidence;
	int64_t run_key;
	struct {
		struct sb_worker *w;
		int64_t key;
	} workers[2]; /* by purpose */
	int bad_workers;
	bool emulated;
};

/* ---- workers ------------------------------------------------------------------------------------------------- */

static enum sb_status end_worker(struct session *s, enum sb_purpose purpose, struct sb_error *err)
{
	struct sb_worker *w = s->workers[purpose].w;
	int64_t key = s->workers[purpose].key;

	if (!w)
		return SB_OK;
	s->workers[purpose].w = NULL;
	const char *ending = sb_worker_stop(w);
	return key ? sb_store_end_worker(s->st, key, ending, err) : SB_OK;
}

static enum sb_status start_worker(struct session *s, enum sb_purpose purpose, struct sb_error *err)
{
	struct sb_worker_setup setup = s->opt->setup;

	setup.purpose = purpose;
	s->workers[purpose].key = 0;
	/* Setting up decodes the clip and runs the reference twice, cold: allow for several trials. */
	return sb_worker_start(s->opt->exe, &setup, 4.0 * s->opt->plan.timeout_s + 60.0, &s->workers[purpose].w, err);
}

static enum sb_status record_worker(struct session *s, enum sb_purpose purpose, struct sb_error *err)
{
	const struct sb_worker_facts *f = sb_worker_facts(s->workers[purpose].w);
	struct sb_worker_row row = {
		.exe = s->opt->exe, .build_id = f->build_id, .pid = f->pid, .purpose = sb_purpose_names[purpose],
		.device_name = f->device_name, .device_uuid = f->device_uuid[0] ? f->device_uuid : NULL,
		.started_ns = sb_wall_time_ns(),
	};

	return sb_store_add_worker(s->st, s->run_key, &row, &s->workers[purpose].key, err);
}

/* The runner: a trial in the worker of its purpose, which is started again when it died. */
static enum sb_status run_trial(void *self, enum sb_purpose purpose, const struct sb_arm *arm, struct sb_trial_result *out,
		struct sb_error *err)
{
	struct session *s = self;
	struct sb_worker **w = &s->workers[purpose].w;
	enum sb_status status;

	if (*w && !sb_worker_alive(*w)) {
		if (++s->bad_workers > BAD_WORKERS_MAX)
			return sb_fail(err, SB_E_DEVICE, "%d workers in a row ended without one good trial; the last: %s",
					BAD_WORKERS_MAX, s->out->last_failure);
		s->out->restarts++;
		if (end_worker(s, purpose, err))
			return err->code;
	}
	if (!*w) {
		status = start_worker(s, purpose, err);
		if (status)
			return status;
		status = record_worker(s, purpose, err);
		if (status)
			return status;
	}
	status = sb_worker_trial(*w, &arm->levels, s->opt->plan.timeout_s, out, err);
	out->worker_key = s->workers[purpose].key;
	if (!status && out->outcome == SB_OUTCOME_OK)
		s->bad_workers = 0;
	return status;
}

/* ---- sink ---------------------------------------------------------------------------------------------------- */

static enum sb_status add_trial(void *self, int arm, int block, int position, enum sb_purpose purpose,
		const struct sb_trial_result *r, struct sb_error *err)
{
	struct session *s = self;
	struct sb_sample *samples = malloc((r->n_samples + 1) * sizeof(*samples));
	enum sb_status status;

	if (!samples)
		return sb_fail(err, SB_E_NOMEM, "no memory for a trial's samples");
	for (size_t i = 0; i < r->n_samples; i++)
		samples[i] = (struct sb_sample){ r->samples[i].metric, r->samples[i].value };
	struct sb_trial_row row = {
		.worker = r->worker_key, .arm = arm, .block = block, .position = position,
		.kind = sb_purpose_names[purpose], .started_ns = r->started_ns, .outcome = sb_outcome_names[r->outcome],
		.message = r->message[0] ? r->message : NULL, .samples = samples, .n_samples = r->n_samples,
		.rollup = r->rollup, .n_rollup = r->n_rollup, .trace = r->trace, .n_trace = r->n_trace,
		.names = (const char *const *)r->names, .n_names = r->n_names, .trace_complete = r->trace_complete,
	};
	status = sb_store_add_trial(s->st, s->run_key, &row, err);
	free(samples);
	if (r->outcome == SB_OUTCOME_OK)
		sb_evidence_add(&s->evidence, &s->opt->plan.arms[arm].levels, purpose, r);
	else
		snprintf(s->out->last_failure, sizeof(s->out->last_failure), "arm '%s': %.440s", s->opt->plan.arms[arm].name,
				r->message);
	return status;
}

/* ---- the run's rows ------------------------------------------------------------------------------------------ */

static void worker_facts(struct sb_environment *e, const struct session *s)
{
	const struct sb_worker_facts *f = sb_worker_facts(s->workers[SB_TIMING].w);
	const struct sb_plan *plan = &s->opt->plan;
	char key[SB_METRIC_NAME_MAX + 8];

	sb_environment_add(e, "device.name", "%s", f->device_name);
	sb_environment_add(e, "device.kind", "%s", f->device_kind);
	sb_environment_add(e, "device.memory_bytes", "%lld", (long long)f->device_memory_bytes);
	sb_environment_add(e, "software", "%s", f->software);
	sb_environment_add(e, "emulated", "%s", f->emulated);
	if (f->info.clip_note[0])
		sb_environment_add(e, "clip.note", "%s", f->info.clip_note);
	if (f->reference_note[0])
		sb_environment_add(e, "reference.note", "%s", f->reference_note);
	for (int i = 0; i < f->n_perturbation; i++) {
		const struct sb_trial_sample *p = &f->perturbation[i];

		snprintf(key, sizeof(key), "ulp.%s", strncmp(p->metric, "quality.", 8) ? p->metric : p->metric + 8);
		if (p->value.absent)
			sb_environment_add_absent(e, key, p->value.absent);
		else
			sb_environment_add(e, key, "%.9g", p->value.v);
	}
	if (plan->blocks)
		sb_environment_add(e, "blocks", "%d", plan->blocks);
	if (plan->budget_s > 0)
		sb_environment_add(e, "budget_s", "%g", plan->budget_s);
}

static char *params_json(const struct sb_workload_info *i)
{
	json_t *j = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "clip", i->clip_source, "frames",
			(json_int_t)i->frames, "stride", (json_int_t)i->stride, "width", (json_int_t)i->width, "height",
			(json_int_t)i->height, "clip_width", (json_int_t)i->clip_width, "clip_height",
			(json_int_t)i->clip_height, "parameters", (json_int_t)i->parameters);
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	return text;
}

static enum sb_status begin_run(struct session *s, struct sb_error *err)
{
	const struct sb_worker_facts *f = sb_worker_facts(s->workers[SB_TIMING].w);
	const struct sb_plan *plan = &s->opt->plan;
	const char *names[SB_ARMS_MAX], *levels[SB_ARMS_MAX];
	struct sb_buf text[SB_ARMS_MAX] = { { 0 } };
	struct sb_environment *env = calloc(1, sizeof(*env));
	char *plan_text = sb_plan_format(plan, &s->opt->setup), *params = params_json(&f->info), clip[17], weights[17];
	enum sb_status status = SB_E_NOMEM;

	snprintf(clip, sizeof(clip), "%016llx", (unsigned long long)f->info.clip_digest);
	snprintf(weights, sizeof(weights), "%016llx", (unsigned long long)f->info.weights_digest);
	for (int a = 0; a < plan->n_arms; a++) {
		sb_levels_format(&plan->arms[a].levels, &text[a]);
		names[a] = plan->arms[a].name;
		levels[a] = sb_buf_str(&text[a]);
	}
	sb_random_id(s->out->run_id);
	if (env && plan_text && params) {
		sb_environment_read(env);
		worker_facts(env, s);
		struct sb_run_row run = {
			.id = s->out->run_id, .created_ns = sb_wall_time_ns(), .command = s->opt->command, .note = s->opt->note,
			.plan = plan_text, .seed = plan->seed, .facts = env->facts, .n_facts = env->n,
		};
		struct sb_case_row c = {
			.workload = s->opt->setup.c.workload, .preset = s->opt->setup.c.preset, .params = params,
			.clip_digest = clip, .weights_kind = f->weights_kind, .weights_digest = weights,
		};
		status = sb_store_begin_run(s->st, &run, &c, names, levels, plan->n_arms, &s->run_key, err);
	} else {
		sb_fail(err, SB_E_NOMEM, "no memory for the run's description");
	}
	for (int a = 0; a < plan->n_arms; a++)
		sb_buf_release(&text[a]);
	free(params);
	free(plan_text);
	free(env);
	return status;
}

/* The factors that some arm switches on, with their evidence, as facts and as lines for the user. */
static enum sb_status judge_switches(struct session *s, struct sb_error *err)
{
	const struct sb_plan *plan = &s->opt->plan;

	for (int f = 0; sb_factor_names[f]; f++) {
		struct sb_switch_line *line = &s->out->switches[s->out->n_switches];
		char key[32];
		bool used = false;

		for (int a = 0; a < plan->n_arms; a++)
			for (int p = 0; p < SB_PART_COUNT; p++)
				used |= !strcmp(sb_parts[p].factor, sb_factor_names[f]) && plan->arms[a].levels.part[p];
		if (!used)
			continue;
		sb_evidence_judge(&s->evidence, sb_factor_names[f], s->emulated, line);
		s->out->n_switches++;
		snprintf(key, sizeof(key), "effect.%s", sb_factor_names[f]);
		if (sb_store_add_fact(s->st, s->run_key,
				    &(struct sb_fact){ key, line->tested ? line->text : NULL,
					    line->tested ? NULL : line->text },
				    err))
			return err->code;
	}
	return SB_OK;
}

/* What is left to say when the loop ended, however it ended. */
static enum sb_status finish_run(struct session *s, enum sb_status ended, struct sb_error *err)
{
	struct sb_error later;
	char elapsed[32];
	struct sb_fact facts[] = {
		{ "stop.reason", sb_stats_stop_name(s->out->loop.stop), NULL },
		{ "elapsed_s", elapsed, NULL },
	};
	const char *status = ended == SB_E_INTERRUPTED ? "interrupted" : ended || !s->out->loop.ok ? "failed" : "complete";
	struct sb_error *e = ended ? &later : err; /* the first error is the one to report */
	enum sb_status result = SB_OK;

	snprintf(elapsed, sizeof(elapsed), "%.3f", s->out->loop.elapsed_s);
	for (size_t i = 0; i < SB_ARRAY_LEN(facts) && !result; i++)
		result = sb_store_add_fact(s->st, s->run_key, &facts[i], e);
	if (!result)
		result = judge_switches(s, e);
	if (!result)
		result = end_worker(s, SB_TIMING, e);
	if (!result)
		result = end_worker(s, SB_TRACING, e);
	if (!result)
		result = sb_store_end_run(s->st, s->run_key, status, e);
	if (ended)
		return ended;
	if (!result && !s->out->loop.ok)
		return sb_fail(err, SB_E_DEVICE, "no trial succeeded; the last: %s", s->out->last_failure);
	return result;
}

enum sb_status sb_session_run(struct sb_store *st, const struct sb_session_options *opt,
		const struct sb_loop_hooks *hooks, struct sb_session_result *out, struct sb_error *err)
{
	struct session s = { .st = st, .opt = opt, .hooks = hooks, .out = out };
	struct sb_runner runner = { &s, run_trial };
	struct sb_sink sink = { &s, add_trial };
	struct sb_error ignored;
	enum sb_status status;

	*out = (struct sb_session_result){ .run_id = "" };
	status = start_worker(&s, SB_TIMING, err);
	if (!status) {
		const struct sb_worker_facts *f = sb_worker_facts(s.workers[SB_TIMING].w);

		s.emulated = f->emulated[0] != '\0';
		snprintf(out->clip_note, sizeof(out->clip_note), "%s", f->info.clip_note);
		status = begin_run(&s, err);
	}
	if (!status && !(status = record_worker(&s, SB_TIMING, err))) {
		status = sb_loop_run(&opt->plan, NULL, &runner, &sink, hooks, &out->loop, err);
		status = finish_run(&s, status, err);
	}
	end_worker(&s, SB_TIMING, &ignored);
	end_worker(&s, SB_TRACING, &ignored);
	return status;
}
