#include "sb_pairs.h"
#include "run_record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAD_PAIRS_MAX 3 /* in a row */

struct sb_pairs {
	struct sb_store *st;
	struct sb_pairs_options opt;
	struct sb_plan plan;
	int64_t run_key, began_ns;
	char run_id[33];
	struct sb_worker_facts facts[SB_PAIRS_SIDES], first;
	bool known[SB_PAIRS_SIDES], has_first;
	int sides; /* 1: alone */
	int next, whole, dropped, bad;
	char last_failure[512];
};

/* The two processes of a pair. */
struct couple {
	struct sb_worker *w[SB_PAIRS_SIDES];
	int64_t key[SB_PAIRS_SIDES]; /* in the store; 0: not stored */
};

enum sb_status sb_pairs_open(
        struct sb_store *st, const struct sb_pairs_options *opt, struct sb_pairs **out, struct sb_error *err)
{
	struct sb_pairs *p;

	if (opt->trials < 1)
		return sb_fail(err, SB_E_USAGE, "a process needs a trial, not %d", opt->trials);
	if (!opt->alone && !strcmp(opt->side[SB_PAIRS_A].arm.name, opt->side[SB_PAIRS_B].arm.name))
		return sb_fail(err, SB_E_USAGE, "both sides are called '%s'", opt->side[0].arm.name);
	p = calloc(1, sizeof(*p));
	if (!p)
		return sb_fail(err, SB_E_NOMEM, "no memory for pairs of processes");
	p->st = st;
	p->opt = *opt;
	p->opt.setup.purpose = SB_TIMING;
	p->opt.setup.no_reference = true;
	p->sides = opt->alone ? 1 : SB_PAIRS_SIDES;
	p->plan = (struct sb_plan){
		.n_arms = p->sides, .seed = opt->seed, .timeout_s = opt->timeout_s, .uncounted = true
	};
	for (int side = 0; side < p->sides; side++)
		p->plan.arms[side] = opt->side[side].arm;
	*out = p;
	return SB_OK;
}

/* ---- processes ------------------------------------------------------------------------------------------------- */

static double setup_deadline_s(const struct sb_pairs *p)
{
	return 4.0 * p->opt.timeout_s + 60.0;
}

static enum sb_status launch(struct sb_pairs *p, int side, struct couple *c, struct sb_error *err)
{
	struct sb_worker_setup setup = p->opt.setup;

	setup.plant = p->opt.side[side].plant;
	setup.reference = p->opt.side[side].arm.levels; /* weights are made for them at once */
	return sb_worker_launch(p->opt.side[side].exe, &setup, setup_deadline_s(p), p->opt.hooks, &c->w[side], err);
}

static enum sb_status differ(const char *what, struct sb_error *err)
{
	return sb_fail(err, SB_E_DATA,
	        "the two sides do not measure the same: %s is not what it was in the first process", what);
}

/* A difference of the sides that is not the one asked about would be taken for it. */
static enum sb_status check_same(const struct sb_worker_facts *a, const struct sb_worker_facts *b, struct sb_error *err)
{
	const struct sb_workload_info *x = &a->info, *y = &b->info;

	if (x->clip_digest != y->clip_digest)
		return differ("the clip", err);
	if (x->frames != y->frames || x->width != y->width || x->height != y->height)
		return differ("the size or number of frames", err);
	if (x->weights_digest != y->weights_digest)
		return differ("the weights' digest", err);
	if (x->points_digest != y->points_digest)
		return differ("the points to track", err);
	if (x->iterations != y->iterations)
		return differ("the number of iterations", err);
	if (strcmp(a->device_name, b->device_name) != 0 || strcmp(a->device_uuid, b->device_uuid) != 0)
		return differ("the device", err);
	return SB_OK;
}

/* A file that is built anew while it is measured is two builds. */
static enum sb_status check_build(
        const struct sb_pairs *p, int side, const struct sb_worker_facts *now, struct sb_error *err)
{
	if (!p->known[side] || !strcmp(p->facts[side].build_id, now->build_id))
		return SB_OK;
	return sb_fail(err, SB_E_DATA, "'%.200s' was built anew while the run was going on: %s, and it was %s",
	        p->opt.side[side].exe, now->build_id, p->facts[side].build_id);
}

static enum sb_status begin_run(struct sb_pairs *p, struct sb_error *err)
{
	const struct sb_run_record r = { p->opt.command, p->opt.note, &p->opt.setup, &p->plan, &p->first, NULL, NULL, 0,
		0, NULL, NULL, NULL };
	char planted[64];
	enum sb_status status = sb_run_record_begin(p->st, &r, p->run_id, &p->run_key, err);
	const struct sb_fact kind = { SB_PAIRS_FACT, p->opt.kind, NULL };

	if (!status && p->opt.kind)
		status = sb_store_add_fact(p->st, p->run_key, &kind, err);
	for (int side = 0; side < p->sides && !status; side++) {
		const struct sb_fact plant = { side ? "planted.B" : "planted.A", planted, NULL };

		snprintf(planted, sizeof(planted), "%g", p->opt.side[side].plant);
		if (p->opt.side[side].plant > 0.0)
			status = sb_store_add_fact(p->st, p->run_key, &plant, err);
	}
	return status;
}

static enum sb_status await(struct sb_pairs *p, int side, struct couple *c, struct sb_error *err)
{
	enum sb_status status = sb_worker_await(c->w[side], setup_deadline_s(p), err);
	const struct sb_worker_facts *now;

	if (status)
		return status;
	now = sb_worker_facts(c->w[side]);
	status = check_build(p, side, now, err);
	if (!status && p->has_first)
		status = check_same(&p->first, now, err);
	if (status)
		return status;
	if (!p->has_first)
		sb_worker_facts_copy(now, &p->first);
	p->has_first = true;
	sb_worker_facts_copy(now, &p->facts[side]);
	p->known[side] = true;
	return SB_OK;
}

static enum sb_status record_worker(struct sb_pairs *p, int side, struct couple *c, struct sb_error *err)
{
	const struct sb_worker_facts *f = &p->facts[side];
	const struct sb_worker_row row = {
		.exe = p->opt.side[side].exe,
		.build_id = f->build_id,
		.pid = f->pid,
		.purpose = sb_purpose_names[SB_TIMING],
		.device_name = f->device_name,
		.device_uuid = f->device_uuid[0] ? f->device_uuid : NULL,
		.started_ns = sb_wall_time_ns(),
	};

	return sb_store_add_worker(p->st, p->run_key, &row, &c->key[side], err);
}

static enum sb_status end(struct sb_pairs *p, int side, struct couple *c, struct sb_error *err)
{
	const char *ending = c->w[side] ? sb_worker_stop(c->w[side]) : NULL;

	c->w[side] = NULL;
	return ending && c->key[side] ? sb_store_end_worker(p->st, c->key[side], ending, err) : SB_OK;
}

/* Both at one time: setting up takes longer than measuring. */
static enum sb_status start_both(struct sb_pairs *p, struct couple *c, struct sb_error *err)
{
	enum sb_status status = SB_OK;

	for (int side = 0; side < p->sides && !status; side++)
		status = launch(p, side, c, err);
	for (int side = 0; side < p->sides && !status; side++)
		status = await(p, side, c, err);
	if (!status && !p->run_key)
		status = begin_run(p, err);
	for (int side = 0; side < p->sides && !status; side++)
		status = record_worker(p, side, c, err);
	return status;
}

/* ---- trials ---------------------------------------------------------------------------------------------------- */

static enum sb_status store_trial(
        struct sb_pairs *p, int side, int position, const struct sb_trial_result *r, struct sb_error *err)
{
	struct sb_sample *samples = malloc((r->n_samples + 1) * sizeof(*samples));
	enum sb_status status;

	if (!samples)
		return sb_fail(err, SB_E_NOMEM, "no memory for a trial's samples");
	for (size_t i = 0; i < r->n_samples; i++)
		samples[i] = (struct sb_sample){ r->samples[i].metric, r->samples[i].value };
	const struct sb_trial_row row = {
		.worker = r->worker_key,
		.arm = side,
		.block = p->next,
		.position = position,
		.kind = sb_purpose_names[SB_TIMING],
		.started_ns = r->started_ns,
		.outcome = sb_outcome_names[r->outcome],
		.message = r->message[0] ? r->message : NULL,
		.samples = samples,
		.n_samples = r->n_samples,
	};
	status = sb_store_add_trial(p->st, p->run_key, &row, err);
	free(samples);
	if (r->outcome != SB_OUTCOME_OK)
		snprintf(
		        p->last_failure, sizeof(p->last_failure), "%.60s: %.440s", p->plan.arms[side].name, r->message);
	return status;
}

static bool interrupted(const struct sb_pairs *p)
{
	const struct sb_loop_hooks *h = p->opt.hooks;

	return h->interrupted && h->interrupted(h->self);
}

static void progress(const struct sb_pairs *p, int side)
{
	const struct sb_loop_hooks *h = p->opt.hooks;
	const struct sb_loop_state state = { SB_TIMING, p->next, 0, side, sb_pairs_elapsed_s(p), 0.0,
		{ NAN, NAN, NAN, NAN, 0, false } };

	if (h->progress)
		h->progress(h->self, &state);
}

/* All trials of one process, which then ends. *good is false after one that did not end well. */
static enum sb_status measure_process(
        struct sb_pairs *p, int side, int position, struct couple *c, bool *good, struct sb_error *err)
{
	enum sb_status status = SB_OK;

	progress(p, side);
	for (int i = 0; i < p->opt.trials && !status && *good; i++) {
		struct sb_trial_result r = { 0 };

		if (interrupted(p))
			return sb_fail(err, SB_E_INTERRUPTED, "interrupted");
		status = sb_worker_trial(c->w[side], &p->plan.arms[side].levels, p->opt.timeout_s, &r, err);
		r.worker_key = c->key[side];
		if (!status)
			status = store_trial(p, side, position + i, &r, err);
		*good = r.outcome == SB_OUTCOME_OK;
		sb_trial_result_release(&r);
	}
	return status ? status : end(p, side, c, err);
}

static enum sb_status measure_pair(struct sb_pairs *p, bool *good, struct sb_error *err)
{
	int b_first = p->sides == SB_PAIRS_SIDES && sb_pairs_b_first(p->opt.seed, p->next);
	struct couple c = { { NULL, NULL }, { 0, 0 } };
	enum sb_status status = start_both(p, &c, err);
	struct sb_error ignored;

	*good = true;
	for (int turn = 0; turn < p->sides && !status && *good; turn++)
		status = measure_process(p, turn ^ b_first, turn * p->opt.trials, &c, good, err);
	for (int side = 0; side < p->sides; side++)
		end(p, side, &c, &ignored);
	return status;
}

enum sb_status sb_pairs_measure(struct sb_pairs *p, int n, struct sb_error *err)
{
	enum sb_status status = SB_OK;
	int wanted = p->whole + n;

	if (wanted > SB_GATE_MAX_PAIRS)
		return sb_fail(err, SB_E_USAGE, "at most %d pairs are measured, not %d", SB_GATE_MAX_PAIRS, wanted);
	if (!p->began_ns)
		p->began_ns = sb_now_ns();
	while (p->whole < wanted && !status) {
		bool good = false;

		if (interrupted(p))
			return sb_fail(err, SB_E_INTERRUPTED, "interrupted");
		status = measure_pair(p, &good, err);
		if (status)
			break;
		p->next++;
		p->whole += good;
		p->dropped += !good;
		p->bad = good ? 0 : p->bad + 1;
		if (p->bad == BAD_PAIRS_MAX)
			status = sb_fail(err, SB_E_DEVICE, "%d %s in a row did not end well; the last: %s", p->bad,
			        p->sides == SB_PAIRS_SIDES ? "pairs" : "processes", p->last_failure);
	}
	return status;
}

/* ---- what there is --------------------------------------------------------------------------------------------- */

int sb_pairs_whole(const struct sb_pairs *p)
{
	return p->whole;
}

int sb_pairs_dropped(const struct sb_pairs *p)
{
	return p->dropped;
}

const char *sb_pairs_last_failure(const struct sb_pairs *p)
{
	return p->last_failure;
}

double sb_pairs_elapsed_s(const struct sb_pairs *p)
{
	return p->began_ns ? (double)(sb_now_ns() - p->began_ns) * 1e-9 : 0.0;
}

int64_t sb_pairs_run_key(const struct sb_pairs *p)
{
	return p->run_key;
}

const char *sb_pairs_run_id(const struct sb_pairs *p)
{
	return p->run_id;
}

const struct sb_worker_facts *sb_pairs_facts(const struct sb_pairs *p, int side)
{
	return p->known[side] ? &p->facts[side] : NULL;
}

enum sb_status sb_pairs_close(struct sb_pairs *p, enum sb_status ended, struct sb_error *err)
{
	enum sb_status status = SB_OK;
	struct sb_error later;

	if (!p)
		return ended;
	if (p->run_key && !(ended == SB_E_USAGE && !sb_store_drop_run(p->st, p->run_key, &later)))
		status = sb_store_end_run(p->st, p->run_key,
		        ended == SB_E_INTERRUPTED ? "interrupted"
		        : ended || p->whole == 0  ? "failed"
		                                  : "complete",
		        ended ? &later : err);
	free(p);
	return ended ? ended : status;
}
