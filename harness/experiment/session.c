#include "sb_session.h"
#include "evidence.h"
#include "run_record.h"
#include "sb_pairs.h"
#include "same_build.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Workers that end in a row without one good trial before the run is given up. */
#define BAD_WORKERS_MAX 20

#define FRAMES_MIN 3 /* of a clip */
#define GIB        1073741824.0

struct session {
	struct sb_store *st;
	const struct sb_session_options *opt;
	struct sb_session_result *out;
	struct sb_evidence evidence;
	int64_t run_key;
	struct {
		struct sb_worker *w;
		int64_t key;
	} workers[SB_PURPOSES];
	bool counted[SB_ARMS_MAX], out_of_memory[SB_ARMS_MAX];
	int bad_workers;
	bool as_it_is;                                       /* nothing is run */
	bool emulated, countable;                            /* countable: a device that has counters */
	uint64_t clip_digest, weights_digest, points_digest; /* of the first worker */
	char build_id[64];                                   /* the same */
	struct sb_done_trial *done_trials;                   /* of a resumed run */
	struct sb_done done;
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
	return sb_worker_start(
	        s->opt->exe, &setup, 4.0 * s->opt->plan.timeout_s + 60.0, s->opt->hooks, &s->workers[purpose].w, err);
}

static void say_fewer_frames(struct session *s, int64_t wanted, const struct sb_fit *fit)
{
	const struct sb_fit_pass *taken = &sb_worker_facts(s->workers[SB_TIMING].w)->taken;
	const char *arm = s->opt->plan.arms[0].name;
	double free_gib = (double)taken->free_bytes / GIB;

	if (fit->good)
		snprintf(s->out->frames_note, sizeof(s->out->frames_note),
		        "%lld instead of %lld: the most whose `%s` fits into %.0f %% of the %.2f GiB that are free; "
		        "--frames asks for another number",
		        (long long)taken->frames, (long long)wanted, arm, 100.0 * SB_FIT_SHARE, free_gib);
	else
		snprintf(s->out->frames_note, sizeof(s->out->frames_note),
		        "%lld instead of %lld, and not even so few of `%s` fit into %.0f %% of the %.2f GiB that are "
		        "free",
		        (long long)taken->frames, (long long)wanted, arm, 100.0 * SB_FIT_SHARE, free_gib);
	if (s->opt->hooks->note) {
		char text[sizeof(s->out->frames_note) + 16];

		snprintf(text, sizeof(text), "frames: %s", s->out->frames_note);
		s->opt->hooks->note(s->opt->hooks->self, text);
	}
}

/* The timing worker of as many frames as fit: its reference passes are the probe. */
static enum sb_status start_fitted_worker(struct session *s, struct sb_session_options *opt, struct sb_error *err)
{
	enum sb_status status = start_worker(s, SB_TIMING, err);
	const struct sb_fit_pass *taken = status ? NULL : &sb_worker_facts(s->workers[SB_TIMING].w)->taken;
	int64_t wanted, next, running;
	struct sb_fit fit;

	if (status || !opt->fit || !taken->free_bytes || taken->frames <= FRAMES_MIN)
		return status;
	wanted = running = taken->frames;
	sb_fit_init(&fit, wanted, FRAMES_MIN);
	while (!status && (next = sb_fit_next(&fit, taken)) != running) {
		if (!next)
			next = fit.good ? fit.good : FRAMES_MIN;
		if (next == running)
			break;
		end_worker(s, SB_TIMING, err);
		opt->setup.c.frames = running = next;
		status = start_worker(s, SB_TIMING, err);
		if (!status)
			taken = &sb_worker_facts(s->workers[SB_TIMING].w)->taken;
	}
	if (!status && running < wanted)
		say_fewer_frames(s, wanted, &fit);
	return status;
}

static enum sb_status record_worker(struct session *s, enum sb_purpose purpose, struct sb_error *err)
{
	const struct sb_worker_facts *f = sb_worker_facts(s->workers[purpose].w);
	struct sb_worker_row row = {
		.exe = s->opt->exe,
		.build_id = f->build_id,
		.pid = f->pid,
		.purpose = sb_purpose_names[purpose],
		.device_name = f->device_name,
		.device_uuid = f->device_uuid[0] ? f->device_uuid : NULL,
		.started_ns = sb_wall_time_ns(),
	};

	return sb_store_add_worker(s->st, s->run_key, &row, &s->workers[purpose].key, err);
}

/* Files may change while a run lasts, the program's own among them; what workers measure must not. */
static enum sb_status check_same_inputs(const struct session *s, enum sb_purpose purpose, struct sb_error *err)
{
	const struct sb_worker_facts *f = sb_worker_facts(s->workers[purpose].w);
	const struct sb_workload_info *i = &f->info;

	if (strcmp(f->build_id, s->build_id) != 0)
		return sb_fail(err, SB_E_DATA, "'%.200s' was built anew while the run was going on: %s, and it was %s",
		        s->opt->exe, f->build_id, s->build_id);
	if (i->clip_digest != s->clip_digest)
		return sb_fail(err, SB_E_DATA, "the clip changed while the run was going on");
	if (i->weights_digest != s->weights_digest)
		return sb_fail(err, SB_E_DATA, "the file of weights changed while the run was going on");
	if (i->points_digest != s->points_digest)
		return sb_fail(err, SB_E_DATA, "the points to track changed while the run was going on");
	return SB_OK;
}

/* The runner: a trial in the worker of its purpose, which is started again when it died. */
static enum sb_status run_trial(void *self, enum sb_purpose purpose, const struct sb_arm *arm,
        struct sb_trial_result *out, struct sb_error *err)
{
	struct session *s = self;
	struct sb_worker **w = &s->workers[purpose].w;
	enum sb_status status;

	if (*w && !sb_worker_alive(*w)) {
		if (++s->bad_workers > BAD_WORKERS_MAX)
			return sb_fail(err, SB_E_DEVICE,
			        "%d workers in a row ended without one good trial; the last: %s", BAD_WORKERS_MAX,
			        s->out->last_failure);
		s->out->restarts++;
		if (end_worker(s, purpose, err))
			return err->code;
	}
	if (!*w) {
		status = start_worker(s, purpose, err);
		if (!status)
			status = check_same_inputs(s, purpose, err);
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
		.worker = r->worker_key,
		.arm = arm,
		.block = block,
		.position = position,
		.kind = sb_purpose_names[purpose == SB_COUNTING ? SB_TRACING : purpose],
		.started_ns = r->started_ns,
		.outcome = sb_outcome_names[r->outcome],
		.message = r->message[0] ? r->message : NULL,
		.samples = samples,
		.n_samples = r->n_samples,
		.rollup = r->rollup,
		.n_rollup = r->n_rollup,
		.trace = r->trace,
		.n_trace = r->n_trace,
		.names = (const char *const *)r->names,
		.n_names = r->n_names,
		.launches = r->launches,
		.n_launches = r->n_launches,
		.trace_complete = r->trace_complete || purpose == SB_COUNTING,
		.timeline = { r->timeline, r->timeline_bytes, r->timeline_events, r->timeline_cut },
	};
	s->out_of_memory[arm] |= r->outcome == SB_OUTCOME_OOM;
	status = sb_store_add_trial(s->st, s->run_key, &row, err);
	free(samples);
	if (r->outcome == SB_OUTCOME_OK)
		sb_evidence_add(&s->evidence, &s->opt->plan.arms[arm], purpose, r);
	else
		snprintf(s->out->last_failure, sizeof(s->out->last_failure), "arm '%s': %.440s",
		        s->opt->plan.arms[arm].name, r->message);
	return status;
}

/* What keeps the rest of the arms from being counted; the run is whole without. */
static enum sb_status note_uncounted(struct session *s, const char *reason, struct sb_error *err)
{
	static const char prefix[] = "no counters: ";
	struct sb_fact f = { "counters", NULL, reason };

	if (!strncmp(reason, prefix, sizeof(prefix) - 1))
		f.absent = reason += sizeof(prefix) - 1;
	snprintf(s->out->uncounted, sizeof(s->out->uncounted), "%.250s", reason);
	return sb_store_add_fact(s->st, s->run_key, &f, err);
}

static enum sb_status count_arm(struct session *s, int arm, struct sb_error *err)
{
	struct sb_trial_result r = { 0 };
	struct sb_error why = { 0 };
	enum sb_status status = run_trial(s, SB_COUNTING, &s->opt->plan.arms[arm], &r, &why);

	if (status == SB_E_INTERRUPTED || status == SB_E_NOMEM)
		*err = why;
	else if (status)
		status = note_uncounted(s, why.msg, err);
	else if (r.outcome != SB_OUTCOME_OK)
		status = note_uncounted(s, r.message, err);
	else
		status = add_trial(s, arm, 0, 0, SB_COUNTING, &r, err);
	sb_trial_result_release(&r);
	return status;
}

/* Every arm once more under the hardware's counters, in a worker of its own, when everything else is measured. */
static enum sb_status count_arms(struct session *s, struct sb_error *err)
{
	const struct sb_plan *plan = &s->opt->plan;
	const struct sb_loop_hooks *h = s->opt->hooks;
	enum sb_status status = end_worker(s, SB_TRACING, err); /* the card may be for one process at a time */

	for (int a = 0; a < plan->n_arms && !status && !s->out->uncounted[0]; a++) {
		struct sb_loop_state state = { SB_COUNTING, 0, 1, a, s->out->loop.elapsed_s, plan->budget_s,
			{ NAN, NAN, NAN, NAN, 0, false } };

		if (s->counted[a] || s->out_of_memory[a])
			continue;
		if (h->interrupted && h->interrupted(h->self))
			return sb_fail(err, SB_E_INTERRUPTED, "interrupted");
		if (h->progress)
			h->progress(h->self, &state);
		status = count_arm(s, a, err);
	}
	return status;
}

/* The reason is stored when it is known: an interruption during the trace does not change it. */
static enum sb_status timing_ended(void *self, enum sb_stats_stop stop, struct sb_error *err)
{
	struct session *s = self;
	struct sb_fact f = { "stop.reason", sb_stats_stop_name(stop), NULL };

	if (end_worker(s, SB_TIMING, err)) /* its weights would take room from the worker that traces */
		return err->code;
	return sb_store_add_fact(s->st, s->run_key, &f, err);
}

static enum sb_status begin_run(struct session *s, struct sb_error *err)
{
	const struct sb_run_record r = { s->opt->command, s->opt->note, &s->opt->setup, &s->opt->plan,
		sb_worker_facts(s->workers[SB_TIMING].w), s->out->frames_note, s->opt->group.id, s->opt->group.index,
		s->opt->group.size, s->opt->sweep.id, s->opt->sweep.by, s->opt->sweep.value };

	return sb_run_record_begin(s->st, &r, s->out->run_id, &s->run_key, err);
}

/* ---- resuming ------------------------------------------------------------------------------------------------ */

/* At work on it, on this machine: of a process that is gone the store says so, of one elsewhere nobody can. */
static bool still_running(const struct sb_run *run)
{
	const char *pid = sb_run_fact(run, "process.pid"), *host = sb_run_fact(run, "process.host");
	char here[256];

	return !strcmp(run->status, "running") && pid && host && sb_host_name(here, sizeof(here)) &&
	       !strcmp(here, host);
}

static enum sb_status refuse_running(const struct sb_run *run, struct sb_error *err)
{
	if (!still_running(run))
		return SB_OK;
	return sb_fail(
	        err, SB_E_USAGE, "run %.8s is still running, as process %s", run->id, sb_run_fact(run, "process.pid"));
}

/* Make the run this process's own, unless another one did since `run` was read. */
static enum sb_status claim(struct session *s, const struct sb_run *run, struct sb_error *err)
{
	struct sb_fact was[SB_ARRAY_LEN(((struct sb_run_owner *)0)->facts)];
	struct sb_run_owner own;

	sb_run_owner_describe(&own);
	for (size_t i = 0; i < SB_ARRAY_LEN(was); i++)
		was[i] = (struct sb_fact){ own.facts[i].key, sb_run_fact(run, own.facts[i].key), NULL };
	return sb_store_resume_run(s->st, s->run_key, was, own.facts, SB_ARRAY_LEN(was), err);
}

static enum sb_status read_arms(const struct sb_run *run, struct sb_plan *plan, struct sb_error *err)
{
	if (run->n_arms < 1 || run->n_arms > SB_ARMS_MAX)
		return sb_fail(err, SB_E_DATA, "run %.8s has %d arms", run->id, run->n_arms);
	plan->n_arms = run->n_arms;
	for (int a = 0; a < run->n_arms; a++) {
		snprintf(plan->arms[a].name, sizeof(plan->arms[a].name), "%s", run->arms[a].name);
		if (sb_levels_parse(run->arms[a].levels, &plan->arms[a].levels, err))
			return sb_wrap(err, "run %.8s, arm '%s'", run->id, run->arms[a].name);
	}
	return SB_OK;
}

enum sb_status sb_session_read(
        struct sb_store *st, int64_t run_key, struct sb_session_options *opt, struct sb_error *err)
{
	struct sb_run run;
	enum sb_status status = sb_store_read_run(st, run_key, &run, err);

	if (status)
		return status;
	if (!strcmp(run.status, "complete"))
		status = sb_fail(err, SB_E_USAGE, "run %.8s is complete: there is nothing to resume", run.id);
	else if (sb_run_fact(&run, SB_PAIRS_FACT)) /* its processes belong to each other in time */
		status = sb_fail(err, SB_E_USAGE,
		        "run %.8s is one of pairs of processes, which are not resumed: measure them anew", run.id);
	else
		status = refuse_running(&run, err);
	if (!status)
		status = read_arms(&run, &opt->plan, err);
	if (!status && sb_plan_parse(run.plan, &opt->plan, &opt->setup, err))
		status = sb_wrap(err, "run %.8s", run.id);
	if (!status) {
		opt->setup.reference = opt->plan.arms[0].levels;
		opt->resume_key = run_key;
	}
	sb_run_release(&run);
	return status;
}

static enum sb_purpose purpose_of(const struct sb_trial *t)
{
	return t->counters ? SB_COUNTING : t->trace ? SB_TRACING : SB_TIMING;
}

static enum sb_status done_from(struct session *s, const struct sb_run *run, const struct sb_trials *trials,
        const struct sb_samples *samples, struct sb_error *err)
{
	const char *elapsed = sb_run_fact(run, "elapsed_s");
	double spent;
	int wall = sb_samples_metric(samples, "wall_ns");

	s->done_trials = calloc(trials->n + 1, sizeof(*s->done_trials));
	if (!s->done_trials)
		return sb_fail(err, SB_E_NOMEM, "no memory for the trials of the run");
	for (size_t i = 0; i < trials->n; i++) {
		const struct sb_trial *t = &trials->v[i];
		struct sb_done_trial *d = &s->done_trials[i];

		*d = (struct sb_done_trial){ t->arm, t->block, purpose_of(t), sb_outcome_by_name(t->outcome), NAN };
		s->out_of_memory[t->arm] |= d->outcome == SB_OUTCOME_OOM;
		s->counted[t->arm] |= d->purpose == SB_COUNTING;
		if (wall >= 0)
			d->wall_ns = samples->value[i * samples->n_metrics + (size_t)wall];
	}
	s->done = (struct sb_done){
		.v = s->done_trials, .n = trials->n, .stop = sb_stats_stop_by_name(sb_run_fact(run, "stop.reason"))
	};
	if (elapsed && !sb_parse_double(elapsed, "elapsed_s", 0.0, 1e9, &spent, NULL))
		s->done.elapsed_s = spent; /* a killed process did not say: its time is forgiven */
	return SB_OK;
}

/* A stored trial as it was when it ended, as far as the evidence looks at it. */
static enum sb_status recall_trial(struct session *s, const struct sb_trial *t, size_t index,
        const struct sb_samples *samples, struct sb_error *err)
{
	struct sb_trial_result r = { .outcome = SB_OUTCOME_OK, .trace_complete = t->trace_complete };
	const double *value = samples->value + index * samples->n_metrics;
	struct sb_rollups rollups = { 0 };

	r.samples = calloc(samples->n_metrics + 1, sizeof(*r.samples));
	if (!r.samples)
		return sb_fail(err, SB_E_NOMEM, "no memory for a stored trial's samples");
	for (size_t m = 0; m < samples->n_metrics; m++) {
		if (isnan(value[m]))
			continue;
		snprintf(r.samples[r.n_samples].metric, sizeof(r.samples[0].metric), "%s", samples->metrics[m]);
		r.samples[r.n_samples++].value = sb_value_of(value[m]);
	}
	if (t->trace && sb_store_read_rollup(s->st, t->key, &rollups, err)) {
		free(r.samples);
		return err->code;
	}
	r.rollup = rollups.v;
	r.n_rollup = rollups.n;
	sb_evidence_add(&s->evidence, &s->opt->plan.arms[t->arm], purpose_of(t), &r);
	sb_rollups_release(&rollups);
	free(r.samples);
	return SB_OK;
}

/* What the run had already shown of its switches: they are judged on all of its trials, whichever process ran them. */
static enum sb_status recall_evidence(
        struct session *s, const struct sb_trials *trials, const struct sb_samples *samples, struct sb_error *err)
{
	for (size_t i = 0; i < trials->n; i++)
		if (sb_outcome_by_name(trials->v[i].outcome) == SB_OUTCOME_OK &&
		        recall_trial(s, &trials->v[i], i, samples, err))
			return err->code;
	return SB_OK;
}

static enum sb_status same(const char *what, const char *was, const char *is, struct sb_error *err)
{
	if (!was || !strcmp(was, is))
		return SB_OK;
	return sb_fail(err, SB_E_USAGE, "cannot resume: the %s is '%s' and was '%s'", what, is, was);
}

/* What other code measured is another experiment. */
static enum sb_status same_build(const struct sb_run *run, const struct sb_worker_facts *f, struct sb_error *err)
{
	const char *flags = sb_run_fact(run, "build.flags");
	struct sb_buf difference = { 0 };
	enum sb_status status = same("build", run->n_workers ? run->workers[0].build_id : NULL, f->build_id, err);

	if (status || !flags || !f->build_flags[0])
		return status;
	sb_flags_difference(flags, f->build_flags, &difference);
	if (difference.failed)
		status = sb_fail(err, SB_E_NOMEM, "no memory to compare the build's flags");
	else if (difference.len)
		status = sb_fail(err, SB_E_USAGE, "cannot resume: the build's flags are not what they were: %.400s",
		        sb_buf_str(&difference));
	sb_buf_release(&difference);
	return status;
}

/* What a stored run has, and that it is this process's from now on. */
static enum sb_status recall(struct session *s, const struct sb_run *run, struct sb_error *err)
{
	struct sb_samples samples = { 0 };
	struct sb_trials trials = { 0 };
	enum sb_status status = sb_store_read_trials(s->st, s->run_key, &trials, err);

	if (!status)
		status = sb_store_read_samples(s->st, s->run_key, &trials, &samples, err);
	if (!status)
		status = done_from(s, run, &trials, &samples, err);
	if (!status)
		status = recall_evidence(s, &trials, &samples, err);
	if (!status)
		status = claim(s, run, err);
	sb_samples_release(&samples);
	sb_trials_release(&trials);
	return status;
}

/* Go on with a stored run, if what it measured is still there. */
static enum sb_status resume_run(struct session *s, struct sb_error *err)
{
	const struct sb_worker_facts *f = sb_worker_facts(s->workers[SB_TIMING].w);
	struct sb_run run = { 0 };
	char clip[17], weights[17], points[17];
	enum sb_status status;

	s->run_key = s->opt->resume_key;
	snprintf(clip, sizeof(clip), "%016llx", (unsigned long long)f->info.clip_digest);
	snprintf(weights, sizeof(weights), "%016llx", (unsigned long long)f->info.weights_digest);
	snprintf(points, sizeof(points), "%016llx", (unsigned long long)f->info.points_digest);
	status = sb_store_read_run(s->st, s->run_key, &run, err);
	if (status)
		return status;
	snprintf(s->out->run_id, sizeof(s->out->run_id), "%s", run.id);
	status = refuse_running(&run, err); /* again: making a worker took its time */
	if (!status)
		status = same("device", sb_run_fact(&run, "device.name"), f->device_name, err);
	if (!status)
		status = same_build(&run, f, err);
	if (!status) /* another number of threads is another experiment, too */
		status = same("software", sb_run_fact(&run, "software"), f->software, err);
	if (!status)
		status = same("way of convolutions", sb_run_fact(&run, "conv_path"), f->conv_path, err);
	if (!status)
		status = same("clip's digest", run.clip_digest, clip, err);
	if (!status)
		status = same("weights' digest", run.weights_digest, weights, err);
	if (!status)
		status = same("points' digest", sb_run_fact(&run, "points.digest"), points, err);
	if (!status)
		status = recall(s, &run, err);
	sb_run_release(&run);
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
		            &(struct sb_fact){
		                    key, line->tested ? line->text : NULL, line->tested ? NULL : line->text },
		            err))
			return err->code;
	}
	return SB_OK;
}

/* What is left to say when the loop ended, however it ended. */
static enum sb_status finish_run(struct session *s, enum sb_status ended, struct sb_error *err)
{
	struct sb_error later;
	char elapsed[32] = "";
	struct sb_fact facts[] = {
		{ "elapsed_s", elapsed, NULL },
		{ "trace.note", s->out->trace_note, NULL },
	};
	const char *status = ended == SB_E_INTERRUPTED   ? "interrupted"
	                     : ended || !s->out->loop.ok ? "failed"
	                                                 : "complete";
	struct sb_error *e = ended ? &later : err; /* the first error is the one to report */
	enum sb_status result = SB_OK;

	if (s->out->loop.trace_cut)
		snprintf(s->out->trace_note, sizeof(s->out->trace_note),
		        "the budget ended them after %d of %d; --budget asks for more time", s->out->loop.trace_blocks,
		        s->opt->plan.trace_blocks);
	if (s->as_it_is)
		s->out->loop.elapsed_s = s->done.elapsed_s; /* 0 of a process that was killed: it left no word */
	if (!s->as_it_is || s->done.elapsed_s > 0.0)
		snprintf(elapsed, sizeof(elapsed), "%.3f", s->out->loop.elapsed_s);
	for (size_t i = 0; i < SB_ARRAY_LEN(facts) && !result; i++)
		if (facts[i].value[0])
			result = sb_store_add_fact(s->st, s->run_key, &facts[i], e);
	if (!result)
		result = judge_switches(s, e);
	if (!result)
		result = end_worker(s, SB_TIMING, e);
	if (!result)
		result = end_worker(s, SB_TRACING, e);
	if (!result)
		result = end_worker(s, SB_COUNTING, e);
	if (!result)
		result = sb_store_end_run(s->st, s->run_key, status, e);
	if (ended)
		return ended;
	if (!result && !s->out->loop.ok)
		return sb_fail(err, SB_E_DEVICE, "no trial succeeded; the last: %s", s->out->last_failure);
	return result;
}

/* Up to the reason in brackets. */
static int conv_path_length(const char *text)
{
	const char *reason = strstr(text, " (");

	return (int)(reason ? (size_t)(reason - text) : strlen(text));
}

enum sb_status sb_session_run(
        struct sb_store *st, struct sb_session_options *opt, struct sb_session_result *out, struct sb_error *err)
{
	struct session s = { .st = st, .opt = opt, .out = out };
	struct sb_runner runner = { &s, run_trial };
	struct sb_sink sink = { &s, add_trial, timing_ended };
	struct sb_error ignored;
	enum sb_status status;

	*out = (struct sb_session_result){ .run_id = "" };
	status = start_fitted_worker(&s, opt, err);
	if (!status) {
		const struct sb_worker_facts *f = sb_worker_facts(s.workers[SB_TIMING].w);

		s.emulated = f->emulated[0] != '\0';
		s.countable = f->has_counters;
		s.evidence.reference_tf32 = sb_evidence_has_tf32(&opt->plan.arms[0].levels);
		snprintf(s.evidence.conv_path, sizeof(s.evidence.conv_path), "%.*s", conv_path_length(f->conv_path),
		        f->conv_path);
		snprintf(s.build_id, sizeof(s.build_id), "%s", f->build_id);
		s.clip_digest = f->info.clip_digest;
		s.weights_digest = f->info.weights_digest;
		s.points_digest = f->info.points_digest;
		snprintf(out->clip_note, sizeof(out->clip_note), "%s", f->info.clip_note);
		out->clip_digest = f->info.clip_digest;
		snprintf(out->weights_note, sizeof(out->weights_note), "%s", f->info.weights_note);
		snprintf(out->inputs_note, sizeof(out->inputs_note), "%s", f->info.inputs_note);
		status = opt->resume_key ? resume_run(&s, err) : begin_run(&s, err);
	}
	if (!status && !(status = record_worker(&s, SB_TIMING, err))) {
		status = sb_loop_run(&opt->plan, &s.done, &runner, &sink, opt->hooks, &out->loop, err);
		if (!status && s.countable && !opt->plan.uncounted)
			status = count_arms(&s, err);
		status = finish_run(&s, status, err);
	}
	end_worker(&s, SB_TIMING, &ignored);
	end_worker(&s, SB_TRACING, &ignored);
	end_worker(&s, SB_COUNTING, &ignored);
	free(s.done_trials);
	return status;
}

/* ---- ending a run as it is ------------------------------------------------------------------------------------- */

/* The runner of a run to which nothing is added. */
static enum sb_status run_nothing(void *self, enum sb_purpose purpose, const struct sb_arm *arm,
        struct sb_trial_result *out, struct sb_error *err)
{
	(void)self;
	(void)purpose;
	(void)arm;
	(void)out;
	return sb_fail(err, SB_E_INTERRUPTED, "blocks of the plan are missing");
}

/* A run of a GPU counts its arms at the end, unless it was told not to. */
static enum sb_status note_uncounted_arms(struct session *s, const struct sb_run *run, struct sb_error *err)
{
	const char *kind = sb_run_fact(run, "device.kind");
	int missing = 0;

	for (int a = 0; a < s->opt->plan.n_arms; a++)
		missing += !s->counted[a] && !s->out_of_memory[a];
	if (s->opt->plan.uncounted || !missing || !kind || strcmp(kind, "cuda") != 0)
		return SB_OK;
	return note_uncounted(s, "the run was ended before all arms were counted", err);
}

enum sb_status sb_session_end(
        struct sb_store *st, struct sb_session_options *opt, struct sb_session_result *out, struct sb_error *err)
{
	struct session s = { .st = st, .opt = opt, .out = out, .run_key = opt->resume_key, .as_it_is = true };
	struct sb_runner nobody = { &s, run_nothing };
	struct sb_sink sink = { &s, add_trial, timing_ended };
	const char *emulated, *conv_path;
	struct sb_run run = { 0 };
	enum sb_status status;

	*out = (struct sb_session_result){ .run_id = "" };
	status = sb_store_read_run(st, s.run_key, &run, err);
	if (status)
		return status;
	emulated = sb_run_fact(&run, "emulated");
	conv_path = sb_run_fact(&run, "conv_path");
	s.emulated = emulated && emulated[0];
	s.evidence.reference_tf32 = sb_evidence_has_tf32(&opt->plan.arms[0].levels);
	snprintf(s.evidence.conv_path, sizeof(s.evidence.conv_path), "%.*s",
	        conv_path ? conv_path_length(conv_path) : 0, conv_path ? conv_path : "");
	snprintf(out->run_id, sizeof(out->run_id), "%s", run.id);
	status = recall(&s, &run, err);
	if (!status) {
		status = sb_loop_run(&opt->plan, &s.done, &nobody, &sink, opt->hooks, &out->loop, err);
		out->cut = status == SB_E_INTERRUPTED;
		if (!status)
			status = note_uncounted_arms(&s, &run, err);
		status = finish_run(&s, status, err);
	}
	sb_run_release(&run);
	free(s.done_trials);
	return out->cut && status == SB_E_INTERRUPTED ? SB_OK : status;
}
