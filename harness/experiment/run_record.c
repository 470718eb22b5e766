#include "run_record.h"
#include "absolute.h"
#include "environment.h"
#include "messages.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void reference_facts(struct sb_environment *e, const struct sb_arm *arm)
{
	struct sb_buf levels = { 0 };

	sb_levels_format(&arm->levels, &levels);
	sb_environment_add(e, "reference.arm", "%s", arm->name);
	if (levels.failed)
		sb_environment_add_absent(e, "reference.levels", "no memory");
	else
		sb_environment_add(e, "reference.levels", "%s", sb_buf_str(&levels));
	sb_buf_release(&levels);
}

static void worker_facts(struct sb_environment *e, const struct sb_run_record *r)
{
	const struct sb_worker_facts *f = r->facts;
	const struct sb_plan *plan = r->plan;
	char key[SB_METRIC_NAME_MAX + 8];

	if (f->build_flags[0])
		sb_environment_add(e, "build.flags", "%s", f->build_flags);
	else
		sb_environment_add_absent(e, "build.flags", "the worker does not say");
	sb_environment_add_device(e, &(struct sb_environment_device){ f->device_name, f->device_kind, f->device_uuid,
	                                     f->software, f->emulated, f->device_memory_bytes });
	if (f->conv_path[0])
		sb_environment_add(e, "conv_path", "%s", f->conv_path);
	if (!r->setup->no_reference)
		reference_facts(e, &plan->arms[0]);
	if (r->setup->trace_calls)
		sb_environment_add(e, "trace.set", "full: every call of the API, too");
	if (f->info.clip_note[0])
		sb_environment_add(e, "clip.note", "%s", f->info.clip_note);
	if (r->frames_note && r->frames_note[0])
		sb_environment_add(e, "frames.note", "%s", r->frames_note);
	if (f->info.inputs_note[0])
		sb_environment_add(e, "inputs.note", "%s", f->info.inputs_note);
	sb_environment_add(e, "points.digest", "%016llx", (unsigned long long)f->info.points_digest);
	if (r->setup->c.weights_front[0])
		sb_environment_add(e, "weights.front", "%s", r->setup->c.weights_front);
	if (r->setup->c.weights_track[0])
		sb_environment_add(e, "weights.track", "%s", r->setup->c.weights_track);
	if (f->info.weights_note[0])
		sb_environment_add(e, "weights.note", "%s", f->info.weights_note);
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
	if (r->group_id && r->group_id[0]) {
		sb_environment_add(e, "group.id", "%s", r->group_id);
		sb_environment_add(e, "group.index", "%d", r->group_index);
		sb_environment_add(e, "group.size", "%d", r->group_size);
	}
	if (r->sweep_id) {
		sb_environment_add(e, "sweep", "%s", r->sweep_id);
		sb_environment_add(e, "sweep.by", "%s", r->sweep_by);
		sb_environment_add(e, "sweep.value", "%s", r->sweep_value);
	}
	if (plan->blocks)
		sb_environment_add(e, "blocks", "%d", plan->blocks);
	if (plan->budget_s > 0)
		sb_environment_add(e, "budget_s", "%g", plan->budget_s);
}

void sb_run_owner_describe(struct sb_run_owner *o)
{
	bool known = sb_process_start(getpid(), o->start, sizeof(o->start));
	bool named = sb_host_name(o->host, sizeof(o->host));

	snprintf(o->pid, sizeof(o->pid), "%lld", (long long)getpid());
	o->facts[0] = (struct sb_fact){ "process.pid", o->pid, NULL };
	o->facts[1] = (struct sb_fact){ "process.start", known ? o->start : NULL, "the system does not say" };
	o->facts[2] = (struct sb_fact){ "process.host", named ? o->host : NULL, "the system does not say" };
}

static char *params_json(const struct sb_workload_info *i)
{
	json_t *j = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "clip", i->clip_source, "frames",
	        (json_int_t)i->frames, "stride", (json_int_t)i->stride, "width", (json_int_t)i->width, "height",
	        (json_int_t)i->height, "clip_width", (json_int_t)i->clip_width, "clip_height",
	        (json_int_t)i->clip_height, "parameters", (json_int_t)i->parameters);
	json_t *points = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "queries", (json_int_t)i->n_queries,
	        "support", (json_int_t)i->n_support, "iterations", (json_int_t)i->iterations, "windows",
	        (json_int_t)i->windows, "window", (json_int_t)i->window, "overlap", (json_int_t)i->overlap,
	        "track_width", (json_int_t)i->track_width, "track_height", (json_int_t)i->track_height, "cameras",
	        i->cameras ? i->cameras : "");
	bool lost = !j || !points || json_object_update(j, points);

	json_decref(points);
	if (!lost)
		return sb_message_text(j);
	json_decref(j);
	return NULL;
}

/* For whoever resumes the run, from whichever folder. NULL: *err says why. */
static char *stored_plan(const struct sb_run_record *r, struct sb_error *err)
{
	struct sb_worker_setup *setup = malloc(sizeof(*setup));
	char *text = NULL;

	sb_fail(err, SB_E_NOMEM, "no memory for the run's plan");
	if (setup) {
		*setup = *r->setup;
		if (!sb_case_make_absolute(&setup->c, err))
			text = sb_plan_format(r->plan, setup);
	}
	free(setup);
	return text;
}

enum sb_status sb_run_record_begin(
        struct sb_store *st, const struct sb_run_record *r, char id[33], int64_t *run_key, struct sb_error *err)
{
	const struct sb_worker_facts *f = r->facts;
	const struct sb_plan *plan = r->plan;
	const char *names[SB_ARMS_MAX], *levels[SB_ARMS_MAX];
	struct sb_buf text[SB_ARMS_MAX] = { { 0 } };
	struct sb_environment *env = calloc(1, sizeof(*env));
	char *plan_text = stored_plan(r, err), *params = params_json(&f->info), clip[17], weights[17];
	enum sb_status status = plan_text ? SB_E_NOMEM : err->code;
	bool described = env && plan_text && params;
	struct sb_run_owner own;

	snprintf(clip, sizeof(clip), "%016llx", (unsigned long long)f->info.clip_digest);
	snprintf(weights, sizeof(weights), "%016llx", (unsigned long long)f->info.weights_digest);
	for (int a = 0; a < plan->n_arms; a++) {
		sb_levels_format(&plan->arms[a].levels, &text[a]);
		names[a] = plan->arms[a].name;
		levels[a] = sb_buf_str(&text[a]);
		described &= !text[a].failed;
	}
	sb_random_id(id);
	if (described) {
		sb_environment_read(env);
		worker_facts(env, r);
		sb_run_owner_describe(&own);
		for (size_t i = 0; i < SB_ARRAY_LEN(own.facts); i++)
			if (own.facts[i].value)
				sb_environment_add(env, own.facts[i].key, "%s", own.facts[i].value);
			else
				sb_environment_add_absent(env, own.facts[i].key, own.facts[i].absent);
		struct sb_run_row run = {
			.id = id,
			.created_ns = sb_wall_time_ns(),
			.command = r->command,
			.note = r->note,
			.plan = plan_text,
			.seed = plan->seed,
			.facts = env->facts,
			.n_facts = env->n,
		};
		struct sb_case_row c = {
			.workload = r->setup->c.workload,
			.preset = r->setup->c.preset,
			.params = params,
			.clip_digest = clip,
			.weights_kind = f->weights_kind,
			.weights_digest = weights,
		};
		status = sb_store_begin_run(st, &run, &c, names, levels, plan->n_arms, run_key, err);
	} else if (plan_text) {
		sb_fail(err, SB_E_NOMEM, "no memory for the run's description");
	}
	for (int a = 0; a < plan->n_arms; a++)
		sb_buf_release(&text[a]);
	free(params);
	free(plan_text);
	free(env);
	return status;
}
