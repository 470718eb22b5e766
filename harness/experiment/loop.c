/* The loop over blocks: order, stopping, budget. Knows neither processes nor databases. */
#include "sb_experiment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1e9
/* More than that and the arrays of log ratios would not fit; far beyond any use. */
#define BLOCKS_MAX 100000

struct loop {
	const struct sb_plan *plan;
	const struct sb_runner *runner;
	const struct sb_sink *sink;
	const struct sb_loop_hooks *hooks;
	struct sb_loop_result *out;
	const struct sb_done *done;
	int64_t start_ns;
	bool out_of_memory[SB_ARMS_MAX];
	double *wall;      /* [n_arms][cap] of timing blocks; NAN where a trial failed */
	double *log_ratio; /* the same shape, row 0 unused */
	int n_pairs[SB_ARMS_MAX], cap;
	int blocks_run; /* whole timing blocks of this process */
};

static double seconds(const struct loop *l)
{
	int64_t now = l->hooks->now_ns ? l->hooks->now_ns(l->hooks->self) : sb_now_ns();

	return (double)(now - l->start_ns) / NS_PER_S;
}

static enum sb_status grow(struct loop *l, int blocks, struct sb_error *err)
{
	int cap = l->cap ? l->cap : 64, n = l->plan->n_arms;
	double *wall, *log_ratio;

	if (blocks <= l->cap)
		return SB_OK;
	while (cap < blocks)
		cap *= 2;
	wall = malloc((size_t)(n * cap) * sizeof(*wall));
	log_ratio = malloc((size_t)(n * cap) * sizeof(*log_ratio));
	if (!wall || !log_ratio) {
		free(wall);
		free(log_ratio);
		return sb_fail(err, SB_E_NOMEM, "no memory for %d blocks", blocks);
	}
	for (int a = 0; a < n && l->cap; a++)
		memcpy(wall + a * cap, l->wall + a * l->cap, (size_t)l->cap * sizeof(*wall));
	free(l->wall);
	free(l->log_ratio);
	l->wall = wall;
	l->log_ratio = log_ratio;
	l->cap = cap;
	return SB_OK;
}

static void update_ratios(struct loop *l, int blocks)
{
	for (int a = 1; a < l->plan->n_arms; a++)
		l->n_pairs[a] = sb_stats_log_ratios(l->wall, l->wall + a * l->cap, blocks, l->log_ratio + a * l->cap);
}

static void report(struct loop *l, enum sb_purpose purpose, int block, int blocks, int arm)
{
	struct sb_loop_state s = { purpose, block, blocks, arm, seconds(l), l->plan->budget_s,
		{ NAN, NAN, NAN, NAN, 0, false } };
	int last = l->plan->n_arms - 1;
	double scratch[1024];

	if (!l->hooks->progress)
		return;
	if (last > 0 && l->n_pairs[last] > 0 && l->n_pairs[last] <= (int)SB_ARRAY_LEN(scratch))
		sb_stats_ratio(l->log_ratio + last * l->cap, l->n_pairs[last],
		        sb_stats_level(l->plan->blocks, SB_STATS_CONTINUE, l->out->blocks), scratch, &s.total);
	l->hooks->progress(l->hooks->self, &s);
}

/* The order of a block's arms: of the seed, the purpose and the block alone. */
static void block_order(const struct sb_plan *plan, enum sb_purpose purpose, int block, int *order)
{
	uint64_t random =
	        plan->seed ^ sb_fnv1a(sb_fnv1a(SB_FNV1A_INIT, &purpose, sizeof(purpose)), &block, sizeof(block));

	for (int i = 0; i < plan->n_arms; i++)
		order[i] = i;
	sb_shuffle(&random, order, plan->n_arms);
}

static void count(struct loop *l, enum sb_purpose purpose, int arm, int block, enum sb_outcome outcome, double wall_ns)
{
	l->out_of_memory[arm] |= outcome == SB_OUTCOME_OOM;
	if (outcome == SB_OUTCOME_OK)
		l->out->ok++;
	else
		l->out->other++;
	if (purpose == SB_TIMING && outcome == SB_OUTCOME_OK)
		l->wall[arm * l->cap + block] = wall_ns;
}

/*
 * What an earlier process has done of this block: counted as if it had just happened. Says how much of it there is.
 */
enum block_state { BLOCK_NEW, BLOCK_BROKEN_OFF, BLOCK_WHOLE };

static enum block_state take_done(struct loop *l, enum sb_purpose purpose, int block)
{
	bool has[SB_ARMS_MAX] = { false };
	int n = 0, missing = 0;

	for (size_t i = 0; l->done && i < l->done->n; i++) {
		const struct sb_done_trial *d = &l->done->v[i];

		if (d->purpose != purpose || d->block != block || d->arm < 0 || d->arm >= l->plan->n_arms ||
		        has[d->arm])
			continue;
		has[d->arm] = true;
		n++;
		count(l, purpose, d->arm, block, d->outcome, d->wall_ns);
	}
	for (int a = 0; a < l->plan->n_arms; a++)
		missing += !has[a] && !l->out_of_memory[a];
	if (n && missing && purpose == SB_TIMING)
		for (int a = 0; a < l->plan->n_arms; a++)
			l->wall[a * l->cap + block] = NAN;
	return !n ? BLOCK_NEW : missing ? BLOCK_BROKEN_OFF : BLOCK_WHOLE;
}

/* All arms once, in random order. Outcomes other than ok are stored like any other. */
static enum sb_status run_block(struct loop *l, enum sb_purpose purpose, int block, int blocks, struct sb_error *err)
{
	int order[SB_ARMS_MAX], n = l->plan->n_arms;

	block_order(l->plan, purpose, block, order);
	for (int i = 0; i < n; i++) {
		struct sb_trial_result r = { 0 };
		int arm = order[i];
		enum sb_status status;

		if (l->out_of_memory[arm])
			continue;
		if (l->hooks->interrupted && l->hooks->interrupted(l->hooks->self))
			return sb_fail(err, SB_E_INTERRUPTED, "interrupted");
		report(l, purpose, block, blocks, arm);
		status = l->runner->trial(l->runner->self, purpose, &l->plan->arms[arm], &r, err);
		if (!status)
			status = l->sink->add(l->sink->self, arm, block, i, purpose, &r, err);
		if (!status)
			count(l, purpose, arm, block, r.outcome, sb_trial_result_value(&r, "wall_ns"));
		sb_trial_result_release(&r);
		if (status)
			return status;
	}
	return SB_OK;
}

/* Is there anything left to run? */
static bool any_arm_left(const struct loop *l)
{
	for (int a = 0; a < l->plan->n_arms; a++)
		if (!l->out_of_memory[a])
			return true;
	return false;
}

static enum sb_stats_stop decide(struct loop *l)
{
	const double *rows[SB_ARMS_MAX];
	int blocks = l->out->blocks;
	double earlier = l->done ? l->done->elapsed_s : 0.0, elapsed = earlier + seconds(l);
	double block_s = l->blocks_run ? seconds(l) / l->blocks_run : blocks ? earlier / blocks : 0.0;
	struct sb_stats_progress p = {
		.log_ratio = rows,
		.n_pairs = l->n_pairs + 1,
		.n_arms = l->plan->n_arms - 1,
		.blocks = blocks,
		.fixed_blocks = l->plan->blocks,
		.elapsed_s = elapsed,
		.block_s = block_s,
	};

	for (int a = 1; a < l->plan->n_arms; a++)
		rows[a - 1] = l->log_ratio + a * l->cap;
	/* The trace blocks come afterwards and cost about as much a block: their time is set aside, most of half. */
	if (l->plan->budget_s > 0) {
		double aside = l->plan->trace_blocks * block_s;

		p.budget_s = l->plan->budget_s - (aside < l->plan->budget_s / 2 ? aside : l->plan->budget_s / 2);
	}
	return sb_stats_next(&p);
}

/* Blocks are numbered on through those that were broken off; out->blocks counts whole ones. */
static enum sb_status run_timing(struct loop *l, struct sb_error *err)
{
	for (int b = 0;; b++) {
		enum sb_status status;
		enum block_state state;

		if (grow(l, b + 1, err))
			return err->code;
		for (int a = 0; a < l->plan->n_arms; a++)
			l->wall[a * l->cap + b] = NAN;
		state = take_done(l, SB_TIMING, b);
		if (state != BLOCK_NEW) {
			l->out->blocks += state == BLOCK_WHOLE;
			continue;
		}
		update_ratios(l, b);
		if (l->done && l->done->stop != SB_STATS_CONTINUE)
			l->out->stop = l->done->stop;
		else if (!any_arm_left(l))
			l->out->stop = SB_STATS_STOP_NOTHING;
		else
			l->out->stop = b == BLOCKS_MAX ? SB_STATS_STOP_MAX : decide(l);
		if (l->out->stop != SB_STATS_CONTINUE)
			return SB_OK;
		status = run_block(l, SB_TIMING, b, l->plan->blocks, err);
		if (status)
			return status;
		l->out->blocks++;
		l->blocks_run++;
	}
}

/* Timing comes first; the trace has what it left of the budget, by the same rule, and one block in any case. */
static bool is_time_for_trace(const struct loop *l, double begun_s, int ran)
{
	double earlier = l->done ? l->done->elapsed_s : 0.0, now = seconds(l);

	return sb_stats_fits_budget(
	        l->out->trace_blocks, earlier + now, ran ? (now - begun_s) / ran : 0.0, l->plan->budget_s);
}

static enum sb_status run_trace(struct loop *l, struct sb_error *err)
{
	double begun_s = seconds(l);
	int ran = 0; /* of this process */

	for (int b = 0; l->out->trace_blocks < l->plan->trace_blocks && any_arm_left(l); b++) {
		enum block_state state = take_done(l, SB_TRACING, b);
		enum sb_status status;

		if (state == BLOCK_NEW) {
			if (!is_time_for_trace(l, begun_s, ran)) {
				l->out->trace_cut = true;
				return SB_OK;
			}
			status = run_block(l, SB_TRACING, b, l->plan->trace_blocks, err);
			if (status)
				return status;
			ran++;
		}
		l->out->trace_blocks += state != BLOCK_BROKEN_OFF;
	}
	return SB_OK;
}

static enum sb_status run_all(struct loop *l, struct sb_error *err)
{
	enum sb_status status = run_timing(l, err);

	if (!status && l->sink->timing_ended)
		status = l->sink->timing_ended(l->sink->self, l->out->stop, err);
	return status ? status : run_trace(l, err);
}

enum sb_status sb_loop_run(const struct sb_plan *plan, const struct sb_done *done, const struct sb_runner *runner,
        const struct sb_sink *sink, const struct sb_loop_hooks *hooks, struct sb_loop_result *out, struct sb_error *err)
{
	struct loop l = { .plan = plan, .done = done, .runner = runner, .sink = sink, .hooks = hooks, .out = out };
	enum sb_status status;

	*out = (struct sb_loop_result){ 0 };
	l.start_ns = hooks->now_ns ? hooks->now_ns(hooks->self) : sb_now_ns();
	status = run_all(&l, err);
	out->elapsed_s = seconds(&l) + (done ? done->elapsed_s : 0.0);
	free(l.wall);
	free(l.log_ratio);
	return status;
}
