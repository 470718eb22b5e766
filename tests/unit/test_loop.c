/*
 * The loop over blocks with a fake device: scripted durations, a clock that only they advance. Nothing here starts a
 * process, touches a device or waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sb_experiment.h"

#define BLOCKS_MAX 256
#define PI         3.14159265358979323846

/* ---- the fake device ----------------------------------------------------------------------------------------- */

enum noise { NORMAL, STUDENT_2, LAPLACE };

struct fake {
	/* script */
	double seconds;                 /* a trial of `before`, without noise */
	double trace_factor;            /* how much longer a trace trial takes; 0: no longer */
	double log_effect[SB_ARMS_MAX]; /* true log ratio of each arm, by its place in the plan */
	enum noise noise;
	double sigma;            /* of a trial, in log */
	double sigma_block;      /* shared by a block's trials: pairing removes it */
	int oom_arm, fail_block; /* -1: none */
	int interrupt_after;     /* trials; -1: never */
	const struct sb_plan *plan;
	const struct sb_done *done;
	/* state */
	uint64_t random;
	int64_t now_ns;
	double block_shift;
	int started;
	/* what the sink was given */
	int trials, runs_of[SB_ARMS_MAX], order[BLOCKS_MAX][SB_ARMS_MAX];
	double wall[SB_ARMS_MAX][BLOCKS_MAX];
};

static double gauss(uint64_t *random)
{
	double u = 1.0 - sb_random_unit(random), v = sb_random_unit(random);

	return sqrt(-2.0 * log(u)) * cos(2.0 * PI * v);
}

/* Symmetric around 0; sigma is the scale, not always a standard deviation. */
static double draw(struct fake *f)
{
	double a, b;

	switch (f->noise) {
	case STUDENT_2:
		a = gauss(&f->random);
		b = gauss(&f->random);
		return f->sigma * gauss(&f->random) / sqrt((a * a + b * b) / 2.0);
	case LAPLACE:
		return f->sigma * (log(1.0 - sb_random_unit(&f->random)) - log(1.0 - sb_random_unit(&f->random)));
	case NORMAL:
		break;
	}
	return f->sigma * gauss(&f->random);
}

static enum sb_status fake_trial(void *self, enum sb_purpose purpose, const struct sb_arm *arm,
        struct sb_trial_result *out, struct sb_error *err)
{
	struct fake *f = self;
	int index = (int)(arm - f->plan->arms);
	double seconds;

	(void)err;
	f->runs_of[index]++;
	if (f->started++ % f->plan->n_arms == 0) /* a block begins: its trials share a shift */
		f->block_shift = f->sigma_block * gauss(&f->random);
	*out = (struct sb_trial_result){ .started_ns = f->now_ns };
	if (index == f->oom_arm) {
		out->outcome = SB_OUTCOME_OOM;
		f->now_ns += 1000000;
		return SB_OK;
	}
	seconds = f->seconds * exp(f->log_effect[index] + f->block_shift + draw(f));
	if (purpose == SB_TRACING && f->trace_factor > 0)
		seconds *= f->trace_factor;
	f->now_ns += (int64_t)(seconds * 1e9);
	out->samples = calloc(1, sizeof(*out->samples));
	assert_non_null(out->samples);
	out->n_samples = 1;
	strcpy(out->samples[0].metric, "wall_ns");
	out->samples[0].value = sb_value_of(seconds * 1e9);
	return SB_OK;
}

static enum sb_status fake_add(void *self, int arm, int block, int position, enum sb_purpose purpose,
        const struct sb_trial_result *r, struct sb_error *err)
{
	struct fake *f = self;

	if (block == f->fail_block)
		return sb_fail(err, SB_E_DATA, "the disk is full");
	f->trials++;
	if (purpose == SB_TIMING) {
		assert_in_range(block, 0, BLOCKS_MAX - 1);
		f->order[block][position] = arm;
		f->wall[arm][block] = sb_trial_result_value(r, "wall_ns");
	}
	return SB_OK;
}

static int64_t fake_now(void *self)
{
	return ((struct fake *)self)->now_ns;
}

static bool fake_interrupted(void *self)
{
	struct fake *f = self;

	return f->interrupt_after >= 0 && f->trials >= f->interrupt_after;
}

static void plan_init(struct sb_plan *p, struct fake *f, const char *arms)
{
	struct sb_error err;

	*p = (struct sb_plan){ .seed = 7, .budget_s = 1e9 };
	assert_int_equal(sb_arms_parse(arms, p->arms, &p->n_arms, &err), SB_OK);
	*f = (struct fake){ .seconds = 1.0,
		.sigma = 0.02,
		.oom_arm = -1,
		.fail_block = -1,
		.interrupt_after = -1,
		.random = 11,
		.plan = p };
}

static enum sb_status run(struct sb_plan *p, struct fake *f, struct sb_loop_result *r, struct sb_error *err)
{
	struct sb_runner runner = { f, fake_trial };
	struct sb_sink sink = { .self = f, .add = fake_add };
	struct sb_loop_hooks hooks = { .now_ns = fake_now, .interrupted = fake_interrupted, .self = f };

	return sb_loop_run(p, f->done, &runner, &sink, &hooks, r, err);
}

/* ---- coverage ------------------------------------------------------------------------------------------------ */

struct coverage {
	int runs, covered, stopped[4], blocks;
};

/* `runs` whole experiments; does the last arm's interval, as reported, contain the true ratio? */
static struct coverage simulate(enum noise noise, double sigma, const char *arms, int runs)
{
	struct coverage c = { .runs = runs };
	struct sb_plan p;
	struct fake f;
	struct sb_loop_result r;
	struct sb_error err;

	for (int i = 0; i < runs; i++) {
		double log_ratio[BLOCKS_MAX];
		struct sb_ratio ratio;
		int last, n;

		plan_init(&p, &f, arms);
		last = p.n_arms - 1;
		p.seed = (uint64_t)i;
		f.random = 1000003u * (uint64_t)(i + 1);
		f.noise = noise;
		f.sigma = sigma;
		f.sigma_block = 0.05; /* a machine that drifts by 5 % between blocks */
		for (int a = 1; a < p.n_arms; a++)
			f.log_effect[a] = log(0.75) + 0.01 * a;
		assert_int_equal(run(&p, &f, &r, &err), SB_OK);
		n = sb_stats_log_ratios(f.wall[0], f.wall[last], r.blocks, log_ratio);
		sb_stats_ratio(log_ratio, n, sb_stats_level(p.blocks, r.stop, r.blocks), NULL, &ratio);
		assert_true(ratio.has_interval);
		c.covered += log(ratio.lo) <= f.log_effect[last] && f.log_effect[last] <= log(ratio.hi);
		c.stopped[r.stop]++;
		c.blocks += r.blocks;
	}
	return c;
}

static void check_coverage(const char *name, enum noise noise, double sigma, const char *arms)
{
	enum { RUNS = 2000 };
	struct coverage c = simulate(noise, sigma, arms, RUNS);
	double covered = 100.0 * c.covered / RUNS;

	print_message("  %-22s covered %.2f %% of %d runs, %.1f blocks on average, %d stopped precise\n", name, covered,
	        RUNS, (double)c.blocks / RUNS, c.stopped[SB_STATS_STOP_PRECISE]);
	assert_true(covered >= 93.0);
	assert_true(covered <= 97.0);
}

static void intervals_cover_the_truth_with_the_stopping_rule(void **state)
{
	(void)state;
	check_coverage("normal, 0.3 %", NORMAL, 0.003, "before,after");
	check_coverage("normal, 1 %", NORMAL, 0.01, "before,after");
	check_coverage("normal, 5 %", NORMAL, 0.05, "before,after");
	check_coverage("t with 2 df, 0.3 %", STUDENT_2, 0.003, "before,after");
	check_coverage("t with 2 df, 1 %", STUDENT_2, 0.01, "before,after");
	check_coverage("t with 2 df, 5 %", STUDENT_2, 0.05, "before,after");
	check_coverage("Laplace, 1 %", LAPLACE, 0.01, "before,after");
}

/* ---- order, stopping, failures ------------------------------------------------------------------------------- */

static void every_block_runs_every_arm_once_in_random_order(void **state)
{
	struct sb_plan p;
	struct fake f, again;
	struct sb_loop_result r;
	struct sb_error err;
	int same = 0;

	(void)state;
	plan_init(&p, &f, "before,+precision,+attention,+alloc,after");
	p.blocks = 20;
	p.trace_blocks = 6;
	assert_int_equal(run(&p, &f, &r, &err), SB_OK);
	assert_int_equal(r.blocks, 20);
	assert_int_equal(r.trace_blocks, 6);
	assert_int_equal(r.stop, SB_STATS_STOP_MAX);
	assert_int_equal(r.ok, 26 * 5);
	for (int b = 0; b < 20; b++) {
		unsigned seen = 0;

		for (int i = 0; i < 5; i++)
			seen |= 1u << f.order[b][i];
		assert_int_equal(seen, 31);
		same += b > 0 && !memcmp(f.order[b], f.order[b - 1], 5 * sizeof(int));
	}
	assert_true(same < 5);
	plan_init(&p, &again, "before,+precision,+attention,+alloc,after");
	p.blocks = 20;
	p.trace_blocks = 6;
	assert_int_equal(run(&p, &again, &r, &err), SB_OK);
	assert_memory_equal(f.order, again.order, sizeof(f.order)); /* the seed decides */
}

static void quiet_noise_stops_at_the_first_look(void **state)
{
	struct sb_plan p;
	struct fake f;
	struct sb_loop_result r;
	struct sb_error err;

	(void)state;
	plan_init(&p, &f, "before,after");
	f.sigma = 0.0005;
	assert_int_equal(run(&p, &f, &r, &err), SB_OK);
	assert_int_equal(r.blocks, 6);
	assert_int_equal(r.stop, SB_STATS_STOP_PRECISE);
}

static void the_budget_ends_a_noisy_run_and_leaves_time_for_the_trace(void **state)
{
	struct sb_plan p;
	struct fake f;
	struct sb_loop_result r;
	struct sb_error err;

	(void)state;
	plan_init(&p, &f, "before,after");
	f.sigma = 0.2;
	p.budget_s = 50.0; /* about 25 blocks of 2 s */
	p.trace_blocks = 6;
	assert_int_equal(run(&p, &f, &r, &err), SB_OK);
	assert_int_equal(r.stop, SB_STATS_STOP_BUDGET);
	assert_int_equal(r.trace_blocks, 6);
	assert_in_range(r.blocks, 12, 22);
	assert_true(r.elapsed_s < 55.0);
}

/* Blocks of about 2 s, so noisy that only the budget ends them. */
static struct sb_loop_result run_to_budget(
        double budget_s, int trace_blocks, double trace_factor, const struct sb_done *done)
{
	struct sb_plan p;
	struct fake f;
	struct sb_loop_result r;
	struct sb_error err;

	plan_init(&p, &f, "before,after");
	f.sigma = 0.2;
	f.trace_factor = trace_factor;
	f.done = done;
	p.budget_s = budget_s;
	p.trace_blocks = trace_blocks;
	assert_int_equal(run(&p, &f, &r, &err), SB_OK);
	return r;
}

static void the_budget_ends_the_trace_too(void **state)
{
	struct sb_loop_result r;

	(void)state;
	/* Timing leaves 24 of 50 s, so that twelve blocks of 20 s would end at 266 s: six may take three times the
	 * budget. */
	r = run_to_budget(50.0, 12, 10.0, NULL);
	assert_int_equal(r.trace_blocks, 6);
	assert_true(r.trace_cut);
	assert_true(r.elapsed_s < 3 * 50.0 + 10.0);
	/* Of blocks of 60 s the third would end at more than 3 x 50 s. */
	r = run_to_budget(50.0, 6, 30.0, NULL);
	assert_int_equal(r.trace_blocks, 2);
	assert_true(r.trace_cut);
	/* One in any case. */
	r = run_to_budget(50.0, 6, 1000.0, NULL);
	assert_int_equal(r.trace_blocks, 1);
	assert_true(r.trace_cut);
	/* What fits is run, and without a budget all is. */
	r = run_to_budget(50.0, 6, 1.0, NULL);
	assert_int_equal(r.trace_blocks, 6);
	assert_false(r.trace_cut);
	r = run_to_budget(0.0, 12, 1000.0, NULL);
	assert_int_equal(r.trace_blocks, 12);
	assert_false(r.trace_cut);
}

static void the_trace_never_takes_more_than_half_of_the_timing(void **state)
{
	struct sb_loop_result r = run_to_budget(50.0, 100, 1.0, NULL);

	(void)state;
	assert_int_equal(r.stop, SB_STATS_STOP_BUDGET);
	assert_in_range(r.blocks, 9, 13); /* of 2 s: half of the budget */
	assert_true(r.elapsed_s < 55.0);
}

/* Six noisy blocks of an earlier process. */
static struct sb_loop_result resume_after(double elapsed_s, int trace_blocks)
{
	struct sb_done_trial v[12];
	struct sb_done done = { .v = v, .n = 12, .elapsed_s = elapsed_s };

	for (int i = 0; i < 12; i++)
		v[i] = (struct sb_done_trial){ i % 2, i / 2, SB_TIMING, SB_OUTCOME_OK, 1e9 * (1 + i * 5 % 7) };
	return run_to_budget(50.0, trace_blocks, 1.0, &done);
}

static void the_time_of_an_earlier_process_counts(void **state)
{
	struct sb_loop_result r;

	(void)state;
	r = resume_after(40.0, 0);
	assert_in_range(r.blocks, 8, 12); /* 10 s are left, not 50 */
	/* Its blocks took 8.2 s each: another one does not fit into the second that is left. */
	r = resume_after(49.0, 0);
	assert_int_equal(r.blocks, 6);
	/* Nor does the trace get more than what it left: twelve blocks of 2 s would, the sixth ends it. */
	r = resume_after(49.0, 12);
	assert_int_equal(r.trace_blocks, 6);
	r = resume_after(1000.0, 12);
	assert_int_equal(r.trace_blocks, 1);
}

static void an_arm_out_of_memory_is_recorded_once(void **state)
{
	struct sb_plan p;
	struct fake f;
	struct sb_loop_result r;
	struct sb_error err;

	(void)state;
	plan_init(&p, &f, "before,+attention,after");
	p.blocks = 8;
	p.trace_blocks = 2;
	f.oom_arm = 0;
	assert_int_equal(run(&p, &f, &r, &err), SB_OK);
	assert_int_equal(f.runs_of[0], 1);
	assert_int_equal(f.runs_of[1], 10);
	assert_int_equal(r.other, 1);
	assert_int_equal(r.blocks, 8);
}

static void a_run_with_nothing_left_to_run_ends(void **state)
{
	struct sb_plan p;
	struct fake f;
	struct sb_loop_result r;
	struct sb_error err;

	(void)state;
	plan_init(&p, &f, "before");
	f.oom_arm = 0;
	assert_int_equal(run(&p, &f, &r, &err), SB_OK);
	assert_int_equal(f.trials, 1);
	assert_int_equal(r.ok, 0);
	assert_int_equal(r.stop, SB_STATS_STOP_NOTHING);
}

static void an_interruption_keeps_what_was_stored(void **state)
{
	struct sb_plan p;
	struct fake f;
	struct sb_loop_result r;
	struct sb_error err;

	(void)state;
	plan_init(&p, &f, "before,after");
	f.interrupt_after = 7;
	assert_int_equal(run(&p, &f, &r, &err), SB_E_INTERRUPTED);
	assert_int_equal(f.trials, 7);
	assert_int_equal(r.ok, 7);
	assert_int_equal(r.blocks, 3);
}

static void a_resumed_run_goes_on_where_the_first_ended(void **state)
{
	struct sb_plan p;
	struct fake whole, first, second;
	struct sb_done_trial v[64];
	struct sb_done done = { .v = v };
	struct sb_loop_result r;
	struct sb_error err;

	(void)state;
	plan_init(&p, &whole, "before,+alloc,after");
	p.blocks = 8;
	p.trace_blocks = 2;
	assert_int_equal(run(&p, &whole, &r, &err), SB_OK);
	plan_init(&p, &first, "before,+alloc,after");
	p.blocks = 8;
	p.trace_blocks = 2;
	first.interrupt_after = 13; /* in the middle of a block */
	assert_int_equal(run(&p, &first, &r, &err), SB_E_INTERRUPTED);
	for (int b = 0; b < 5; b++) {
		for (int i = 0; i < 3 && done.n < 13; i++) {
			int arm = first.order[b][i];

			v[done.n++] = (struct sb_done_trial){ arm, b, SB_TIMING, SB_OUTCOME_OK, first.wall[arm][b] };
		}
	}
	second = first;
	second.interrupt_after = -1;
	second.trials = 0;
	second.done = &done;
	assert_int_equal(run(&p, &second, &r, &err), SB_OK);
	/* four whole blocks count; the fifth, with one trial of three, is left and another takes its place */
	assert_int_equal(second.trials, 4 * 3 + 2 * 3);
	assert_int_equal(r.blocks, 8);
	assert_int_equal(r.trace_blocks, 2);
	assert_int_equal(r.ok, 13 + second.trials);
	for (int b = 5; b < 8; b++) /* in the order that one process would have taken */
		assert_memory_equal(second.order[b], whole.order[b], 3 * sizeof(int));
}

static void a_run_resumed_in_its_trace_does_not_time_again(void **state)
{
	struct sb_plan p;
	struct fake f;
	struct sb_done_trial v[12];
	struct sb_done done = { v, 12, SB_STATS_STOP_BUDGET, 40.0 };
	struct sb_loop_result r;
	struct sb_error err;

	(void)state;
	for (int i = 0; i < 12; i++)
		v[i] = (struct sb_done_trial){ i % 2, i / 2, SB_TIMING, SB_OUTCOME_OK, 1e9 };
	plan_init(&p, &f, "before,after");
	p.trace_blocks = 2;
	f.done = &done;
	assert_int_equal(run(&p, &f, &r, &err), SB_OK);
	assert_int_equal(r.stop, SB_STATS_STOP_BUDGET);
	assert_int_equal(r.blocks, 6);
	assert_int_equal(f.trials, 4);
	assert_true(r.elapsed_s > 40.0);
}

static void a_sink_that_fails_ends_the_run(void **state)
{
	struct sb_plan p;
	struct fake f;
	struct sb_loop_result r;
	struct sb_error err;

	(void)state;
	plan_init(&p, &f, "before,after");
	f.fail_block = 3;
	assert_int_equal(run(&p, &f, &r, &err), SB_E_DATA);
	assert_string_equal(err.msg, "the disk is full");
	assert_int_equal(f.trials, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_block_runs_every_arm_once_in_random_order),
		cmocka_unit_test(quiet_noise_stops_at_the_first_look),
		cmocka_unit_test(the_budget_ends_a_noisy_run_and_leaves_time_for_the_trace),
		cmocka_unit_test(the_budget_ends_the_trace_too),
		cmocka_unit_test(the_trace_never_takes_more_than_half_of_the_timing),
		cmocka_unit_test(the_time_of_an_earlier_process_counts),
		cmocka_unit_test(an_arm_out_of_memory_is_recorded_once),
		cmocka_unit_test(a_run_with_nothing_left_to_run_ends),
		cmocka_unit_test(an_interruption_keeps_what_was_stored),
		cmocka_unit_test(a_resumed_run_goes_on_where_the_first_ended),
		cmocka_unit_test(a_run_resumed_in_its_trace_does_not_time_again),
		cmocka_unit_test(a_sink_that_fails_ends_the_run),
		cmocka_unit_test(intervals_cover_the_truth_with_the_stopping_rule),
	};
	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
