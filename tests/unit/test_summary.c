#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sb_stats.h"
#include "summary_fixture.h"

/* cmocka's own comparison of numbers is one of floats. */
static void near(double a, double b, double eps, int line)
{
	if (!(fabs(a - b) <= eps))
		fail_msg("line %d: %.9g, not %.9g", line, a, b);
}
#define assert_near(a, b, eps) near(a, b, eps, __LINE__)

static const char *const no_facts[] = { NULL, NULL };

/* Every switch was in effect, and accuracy is measured from before. */
#define CHECKED                                                                                           \
	"effect.precision", "in effect: 4 of 4", "effect.attention", "in effect: 4 of 4", "effect.alloc", \
	        "in effect: 4 mappings", FX_FROM_BEFORE
static const char *const checked[] = { CHECKED, NULL, NULL };

/* ---- rows ----------------------------------------------------------------------------------------------------- */

static void medians_ratio_and_interval_are_those_worked_out_by_hand(void **state)
{
	static const char *const facts[] = { "stop.reason", "blocks", "blocks", "6", NULL, NULL };
	struct sb_summary s;
	const struct sb_summary_row *r;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", facts);
	/* before 100 .. 150 ms; after = before x 0.5, 0.6, .. 1.0 */
	for (int b = 0; b < 6; b++) {
		fx_wall(&fx, 0, b, 100 + 10 * b);
		fx_wall(&fx, 1, b, (100 + 10 * b) * (0.5 + 0.1 * b));
	}
	fx_summary(&fx, &s);
	r = fx_row(&s, 0, "wall_ns");
	assert_string_equal(r->label, "total");
	assert_near(r->before.v, 125e6, 1);
	assert_near(r->after.v, 94e6, 1); /* of 50 66 84 104 126 150 */
	/* The paired ratio is sqrt(0.7 x 0.8), not 94 / 125 = 0.752. */
	assert_near(r->effect.estimate.v, 0.748331, 1e-6);
	/* n = 6 at 95 %: lambda = 5 I / (1 + 4 I), I = (0.96875 - 0.95) / 0.1875 = 0.1: 0.357143 between ranks 1 and 2
	 */
	assert_true(r->effect.has_interval);
	assert_near(r->effect.lo, 0.533640, 1e-5);
	assert_near(r->effect.hi, 0.963070, 1e-5);
	assert_int_equal(r->effect.pairs, 6);
	assert_int_equal(r->flags, 0);
	assert_near(s.level[0], 0.95, 0);
	sb_summary_release(&s);
}

static void a_run_that_stopped_at_a_narrow_interval_is_judged_at_the_level_of_its_look(void **state)
{
	static const char *const facts[] = { "stop.reason", "precise: within +-1 % after 6 blocks", NULL, NULL };
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", facts);
	for (int b = 0; b < 6; b++) {
		fx_wall(&fx, 0, b, 100);
		fx_wall(&fx, 1, b, 90);
	}
	fx_summary(&fx, &s);
	assert_near(s.level[0], sb_stats_looks[0].level, 0);
	assert_true(s.level[0] > 0.95);
	assert_string_equal(s.stop_reason, "precise: within +-1 % after 6 blocks");
	sb_summary_release(&s);
}

static void pairs_are_formed_within_blocks_and_a_lost_trial_costs_one_pair(void **state)
{
	struct sb_summary s;
	const struct sb_summary_row *r;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	/* Blocks drift by a factor of 7 and every pair is 1:2 all the same; block 3 has no `after`; 10 was broken off.
	 */
	for (int b = 0; b < 7; b++) {
		fx_wall(&fx, 0, b, 100 * (b + 1));
		if (b != 3)
			fx_wall(&fx, 1, b, 50 * (b + 1));
		else
			fx_trial(&fx, 1, b, FX_TIMING, "crashed", "killed by signal 11");
	}
	fx_wall(&fx, 1, 10, 9999);
	fx_summary(&fx, &s);
	r = fx_row(&s, 0, "wall_ns");
	assert_int_equal(r->effect.pairs, 6);
	assert_near(r->effect.estimate.v, 0.5, 1e-12);
	assert_near(r->effect.lo, 0.5, 1e-12);
	assert_near(r->effect.hi, 0.5, 1e-12);
	assert_near(r->before.v, 400e6, 1);
	assert_near(r->after.v, 200e6, 1); /* of 50 100 150 250 300 350; of `before` all seven, paired or not */
	assert_int_equal(s.blocks[0], 7);
	assert_int_equal(s.broken_off[0], 1);
	assert_int_equal(s.n_trials[SB_OUTCOME_OK], 14);
	assert_int_equal(s.n_trials[SB_OUTCOME_CRASHED], 1);
	assert_int_equal(s.groups[0].n_notes, 1);
	assert_string_equal(s.groups[0].notes[0], "after: crashed (killed by signal 11); 1 of 8 trials");
	sb_summary_release(&s);
}

static void fewer_than_six_pairs_give_an_estimate_and_no_interval(void **state)
{
	struct sb_summary s;
	const struct sb_summary_row *r;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", checked);
	for (int b = 0; b < 5; b++) {
		fx_wall(&fx, 0, b, 100 + b);
		fx_wall(&fx, 1, b, 75 + b);
	}
	fx_summary(&fx, &s);
	r = fx_row(&s, 0, "wall_ns");
	assert_int_equal(r->effect.pairs, 5);
	assert_null(r->effect.estimate.absent);
	assert_false(r->effect.has_interval);
	assert_int_equal(fx_claim(&s, "total_time")->verdict, SB_VERDICT_NOT_TESTED);
	assert_string_equal(fx_claim(&s, "total_time")->reason, "fewer than 6 pairs");
	sb_summary_release(&s);
}

static void a_trial_repeated_after_a_crash_takes_its_place(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int b = 0; b < 6; b++) {
		fx_wall(&fx, 0, b, 100);
		if (b == 2)
			fx_trial(&fx, 1, b, FX_TIMING, "timeout", "no answer for 60 s");
		fx_wall(&fx, 1, b, 80);
	}
	fx_summary(&fx, &s);
	assert_int_equal(fx_row(&s, 0, "wall_ns")->effect.pairs, 6);
	assert_string_equal(s.groups[0].notes[0], "after: timed out (no answer for 60 s); 1 of 7 trials");
	sb_summary_release(&s);
}

static void an_arm_out_of_memory_leaves_the_other_arms_median_and_its_message(void **state)
{
	struct sb_summary s;
	const struct sb_summary_row *r;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	fx_trial(&fx, 0, 0, FX_TIMING, "oom",
	        "op 'attention': out of device memory: asked 232.5 GiB, held 74.7 GiB, free 12.0 GiB");
	for (int b = 0; b < 6; b++)
		fx_wall(&fx, 1, b, 80);
	fx_summary(&fx, &s);
	r = fx_row(&s, 0, "wall_ns");
	assert_string_equal(r->before.absent, "before: out of memory");
	assert_near(r->after.v, 80e6, 1);
	assert_string_equal(r->effect.estimate.absent, "before: out of memory");
	assert_int_equal(r->effect.pairs, 0);
	assert_false(r->effect.has_interval);
	assert_int_equal(r->flags, 0);
	assert_string_equal(
	        s.groups[0].notes[0], "before: out of memory (asked 232.5 GiB, held 74.7 GiB, free 12.0 GiB)");
	assert_string_equal(fx_claim(&s, "total_time")->reason, "before: out of memory");
	sb_summary_release(&s);
}

/* As `run` counts them: what a block lacks is not held against it where the arm had run out of memory before. */
static void blocks_are_whole_with_a_trial_of_every_arm_that_could_be_tried(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,+alloc,after", "tracker", "file", no_facts);
	for (int b = 0; b < 5; b++) {
		fx_wall(&fx, 0, b, 100);
		if (b != 1) /* broken off */
			fx_wall(&fx, 1, b, 80);
		if (b == 2)
			fx_trial(&fx, 2, b, FX_TIMING, "oom", "asked 3 GiB");
		if (b < 1)
			fx_wall(&fx, 2, b, 60);
	}
	for (int b = 0; b < 2; b++) {
		fx_add(&fx, "wall_ns", 1e6);
		fx_trial(&fx, b, 0, FX_TRACE, "ok", NULL);
		fx_add(&fx, "wall_ns", 1e6);
		if (b == 0)
			fx_trial(&fx, b, 1, FX_TRACE, "ok", NULL);
	}
	fx_summary(&fx, &s);
	assert_int_equal(s.blocks[0], 4);
	assert_int_equal(s.broken_off[0], 1);
	assert_int_equal(s.blocks[1], 1);
	assert_int_equal(s.broken_off[1], 1);
	sb_summary_release(&s);
}

/* A run that was interrupted in its first block shows what it has. */
static void a_block_that_was_broken_off_is_shown_while_there_is_no_whole_one(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,+alloc,after", "tracker", "file", no_facts);
	fx_wall(&fx, 0, 0, 100);
	fx_wall(&fx, 2, 0, 50);
	fx_summary(&fx, &s);
	assert_int_equal(s.blocks[0], 0);
	assert_int_equal(s.broken_off[0], 1);
	assert_near(fx_row(&s, 0, "wall_ns")->effect.estimate.v, 0.5, 1e-12);
	sb_summary_release(&s);
}

/* The level of the look at which the run stopped: a block that was broken off is none of those it looked at. */
static void a_block_that_was_broken_off_does_not_change_the_level(void **state)
{
	static const char *const facts[] = { "stop.reason", "precise", NULL, NULL };
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", facts);
	for (int b = 0; b < 7; b++) {
		fx_wall(&fx, 0, b, 100);
		if (b != 4)
			fx_wall(&fx, 1, b, 90);
	}
	fx_summary(&fx, &s);
	assert_int_equal(s.blocks[0], 6);
	assert_near(s.level[0], sb_stats_looks[0].level, 0);
	assert_int_equal(fx_row(&s, 0, "wall_ns")->effect.pairs, 6);
	sb_summary_release(&s);
}

static void every_way_to_fail_keeps_its_own_message(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int b = 0; b < 4; b++)
		fx_wall(&fx, 0, b, 100);
	fx_wall(&fx, 1, 0, 100);
	fx_trial(&fx, 1, 1, FX_TIMING, "failed", "the depth is empty");
	fx_trial(&fx, 1, 2, FX_TIMING, "failed", "the second is not shown");
	fx_trial(&fx, 1, 3, FX_TIMING, "oom", "out of device memory: asked 3 GiB");
	fx_summary(&fx, &s);
	assert_int_equal(s.groups[0].n_notes, 2);
	assert_string_equal(s.groups[0].notes[0], "after: out of memory (asked 3 GiB); 1 of 4 trials");
	assert_string_equal(s.groups[0].notes[1], "after: failed (the depth is empty); 2 of 4 trials");
	sb_summary_release(&s);
}

static void one_arm_alone_is_shown_without_effects(void **state)
{
	struct sb_summary s;
	const struct sb_summary_row *r;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before", "tracker", "file", no_facts);
	for (int b = 0; b < 6; b++)
		fx_wall(&fx, 0, b, 100);
	fx_summary(&fx, &s);
	assert_int_equal(s.n_groups, 1);
	assert_null(s.groups[0].after);
	r = fx_row(&s, 0, "wall_ns");
	assert_near(r->before.v, 100e6, 1);
	assert_string_equal(r->after.absent, "one arm only");
	assert_string_equal(r->effect.estimate.absent, "one arm only");
	assert_string_equal(fx_claim(&s, "total_time")->reason, "needs arm after");
	sb_summary_release(&s);
}

static void a_run_without_one_trial_says_so(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	fx_summary(&fx, &s);
	assert_string_equal(fx_row(&s, 0, "wall_ns")->before.absent, "before: no trials");
	assert_true(fx_row(&s, 0, "wall_ns")->flags & SB_ROW_UNMEASURED);
	assert_string_equal(s.notes[s.n_notes - 1], "no trial succeeded");
	sb_summary_release(&s);
}

static void kinds_of_op_come_from_trace_trials_of_the_same_block(void **state)
{
	struct sb_summary s;
	const struct sb_summary_row *r;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int b = 0; b < 8; b++) {
		for (int a = 0; a < 2; a++) {
			fx_wall(&fx, a, b, a ? 50 : 100);
			fx_add(&fx, "wall_ns", (a ? 60 : 110) * MS);
			fx_add(&fx, "op.gemm_ns", (a ? 10 + b : 20 + 2 * b) * MS);
			/* Block 6 of `after` lost records: neither its op nor its wall may count. */
			if (b == 6 && a)
				fx.samples[1].value.v = 1;
			fx_trial(&fx, a, b, b == 6 && a ? FX_INCOMPLETE : FX_TRACE, "ok", NULL);
		}
	}
	fx_summary(&fx, &s);
	r = fx_row(&s, 0, "op.gemm_ns");
	assert_string_equal(r->label, "gemm");
	assert_int_equal(r->section, SB_SECTION_OPS);
	assert_int_equal(r->effect.pairs, 7);
	assert_near(r->effect.estimate.v, 0.5, 1e-12);
	assert_near(r->before.v, 27e6, 1);
	assert_near(r->after.v, 13e6, 1); /* of 10 11 12 13 14 15 17 */
	assert_int_equal(r->flags, SB_ROW_TRACED);
	/* Total is that of the timing trials alone. */
	assert_near(fx_row(&s, 0, "wall_ns")->effect.estimate.v, 0.5, 1e-12);
	assert_int_equal(fx_row(&s, 0, "wall_ns")->flags, SB_ROW_EXACT);
	assert_near(s.trace_to_timing_lo.v, 1.1, 1e-12);
	assert_near(s.trace_to_timing_hi.v, 1.2, 1e-12);
	assert_string_equal(s.trace_to_timing,
	        "trace trials took 1.10 to 1.20 times as long as timing trials (per arm; other minutes, other "
	        "processes)");
	assert_int_equal(s.incomplete_traces, 1);
	assert_string_equal(s.notes[0], "1 of 16 trace trials lost records and are in no row");
	sb_summary_release(&s);
}

static void the_cost_of_a_trace_names_the_calls_that_were_recorded(void **state)
{
	static const char *const full[] = { "trace.set", "full: every call of the API, too", NULL, NULL };
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", full);
	for (int a = 0; a < 2; a++) {
		fx_wall(&fx, a, 0, 100);
		fx_add(&fx, "wall_ns", 130 * MS);
		fx_trial(&fx, a, 0, FX_TRACE, "ok", NULL);
	}
	fx_summary(&fx, &s);
	assert_string_equal(s.trace_to_timing,
	        "with every call of the API recorded, trace trials took 1.30 times as long as timing trials (other "
	        "minutes, other processes)");
	sb_summary_release(&s);
}

static void without_trace_trials_kinds_of_op_are_absent_with_the_reason(void **state)
{
	struct sb_summary s;
	const struct sb_summary_row *r;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,+precision,after", "tracker", "file", no_facts);
	for (int b = 0; b < 6; b++)
		for (int a = 0; a < 3; a++)
			fx_wall(&fx, a, b, 100);
	fx_summary(&fx, &s);
	assert_int_equal(s.n_groups, 2);
	r = fx_row(&s, 1, "op.gemm_ns");
	assert_true(r->flags & SB_ROW_UNMEASURED);
	assert_string_equal(r->before.absent, "no trace trials");
	assert_string_equal(r->effect.estimate.absent, "no trace trials");
	assert_string_equal(s.trace_to_timing_lo.absent, "no trace trials");
	assert_null(s.trace_to_timing);
	assert_string_equal(s.notes[0], "no trace trials: kinds of op were not measured");
	assert_string_equal(fx_claim(&s, "matrix_operations")->reason, "no trace trials");
	sb_summary_release(&s);
}

static void sums_are_made_per_trial_and_need_both_parts(void **state)
{
	struct sb_summary s;
	const struct sb_summary_row *r;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int b = 0; b < 3; b++) {
		for (int a = 0; a < 2; a++) {
			fx_add(&fx, "wall_ns", 1);
			fx_add(&fx, "memory.weights_bytes", 100);
			if (b || a)
				fx_add(&fx, "memory.allocated_peak_bytes", a ? 100 + b : 300 + b);
			else
				fx_add_absent(&fx, "memory.allocated_peak_bytes", "no counter");
			fx_trial(&fx, a, b, FX_TIMING, "ok", NULL);
		}
	}
	fx_summary(&fx, &s);
	r = fx_row(&s, 0, "memory.trial_bytes");
	assert_string_equal(r->label, "memory of a trial");
	assert_int_equal(r->effect.pairs, 2);
	assert_near(r->before.v, 401.5, 0);
	assert_near(r->after.v, 201, 0);
	sb_summary_release(&s);
}

static void a_sum_that_is_stored_is_not_made_again(void **state)
{
	struct sb_summary s;
	struct fixture fx;
	int rows = 0;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int a = 0; a < 2; a++) {
		fx_add(&fx, "wall_ns", 1);
		fx_add(&fx, "memory.weights_bytes", 1);
		fx_add(&fx, "memory.allocated_peak_bytes", 2);
		fx_add(&fx, "memory.trial_bytes", 7);
		fx_trial(&fx, a, 0, FX_TIMING, "ok", NULL);
	}
	fx_summary(&fx, &s);
	assert_near(fx_row(&s, 0, "memory.trial_bytes")->before.v, 7, 0);
	for (size_t i = 0; i < s.groups[0].n_rows; i++)
		rows += !strcmp(s.groups[0].rows[i].metric, "memory.trial_bytes");
	assert_int_equal(rows, 1);
	sb_summary_release(&s);
}

static void bookkeeping_is_for_json_and_its_counts_are_counts(void **state)
{
	static const char *const names[] = { "quality.identical", "quality.track_identical", "driver.cold_map_calls" };
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int a = 0; a < 2; a++) {
		fx_add(&fx, "wall_ns", 1);
		for (size_t i = 0; i < SB_ARRAY_LEN(names); i++)
			fx_add(&fx, names[i], 3);
		fx_add(&fx, "quality.focal_rel_max", 0.5);
		fx_trial(&fx, a, 0, FX_TIMING, "ok", NULL);
	}
	fx_summary(&fx, &s);
	for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
		assert_int_equal(fx_row(&s, 0, names[i])->section, SB_SECTION_OTHER);
		assert_int_equal(fx_row(&s, 0, names[i])->unit, SB_UNIT_COUNT);
	}
	assert_int_equal(fx_row(&s, 0, "quality.focal_rel_max")->section, SB_SECTION_ACCURACY);
	sb_summary_release(&s);
}

static void a_missing_value_keeps_the_reason_it_was_stored_with(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int a = 0; a < 2; a++) {
		fx_add(&fx, "wall_ns", 1);
		fx_add_absent(&fx, "memory.device_used_bytes", "no permission for counters");
		fx_trial(&fx, a, 0, FX_TIMING, "ok", NULL);
	}
	fx_summary(&fx, &s);
	assert_string_equal(fx_row(&s, 0, "memory.device_used_bytes")->before.absent, "no permission for counters");
	sb_summary_release(&s);
}

static void zeros_give_no_ratio_but_a_fall_to_zero_does(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int b = 0; b < 6; b++) {
		for (int a = 0; a < 2; a++) {
			fx_add(&fx, "wall_ns", 1);
			fx_add(&fx, "driver.calls", a ? 5 : 0);
			fx_add(&fx, "driver_ns", a ? 0 : 5);
			fx_add(&fx, "memory.workspace_bytes", a && b == 2 ? 0 : 8);
			fx_trial(&fx, a, b, FX_TIMING, "ok", NULL);
		}
	}
	fx_summary(&fx, &s);
	assert_string_equal(fx_row(&s, 0, "driver.calls")->effect.estimate.absent, "before is 0");
	assert_int_equal(fx_row(&s, 0, "driver.calls")->effect.pairs, 6);
	assert_true(fx_row(&s, 0, "driver_ns")->effect.estimate.v == 0.0);
	assert_null(fx_row(&s, 0, "driver_ns")->effect.estimate.absent);
	assert_string_equal(
	        fx_row(&s, 0, "memory.workspace_bytes")->effect.estimate.absent, "after is 0 in some blocks");
	sb_summary_release(&s);
}

static void a_value_that_never_changes_is_exact(void **state)
{
	struct sb_summary s;
	const struct sb_summary_row *r;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int b = 0; b < 6; b++) {
		for (int a = 0; a < 2; a++) {
			fx_add(&fx, "wall_ns", 100 + b);
			fx_add(&fx, "memory.attention_bytes", a ? 7 : 10);
			fx_add(&fx, "memory.reserved_peak_bytes", a || b != 4 ? 10 : 11);
			fx_trial(&fx, a, b, FX_TIMING, "ok", NULL);
		}
	}
	fx_summary(&fx, &s);
	r = fx_row(&s, 0, "memory.attention_bytes");
	assert_int_equal(r->flags, SB_ROW_EXACT);
	assert_true(r->effect.estimate.v == 0.7 && r->effect.lo == 0.7 && r->effect.hi == 0.7);
	assert_int_equal(fx_row(&s, 0, "memory.reserved_peak_bytes")->flags, 0);
	assert_int_equal(fx_row(&s, 0, "wall_ns")->flags, 0);
	sb_summary_release(&s);
}

static void one_trial_is_not_enough_to_call_a_value_exact(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	fx_wall(&fx, 0, 0, 100);
	fx_wall(&fx, 1, 0, 100);
	fx_wall(&fx, 1, 1, 100);
	fx_summary(&fx, &s);
	assert_int_equal(fx_row(&s, 0, "wall_ns")->flags, 0);
	sb_summary_release(&s);
}

static void fragmentation_is_compared_by_difference(void **state)
{
	struct sb_summary s;
	const struct sb_summary_row *r;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int b = 0; b < 6; b++) {
		for (int a = 0; a < 2; a++) {
			fx_add(&fx, "wall_ns", 1);
			fx_add(&fx, "memory.fragmentation", a ? 0 : 0.25 + 0.01 * b);
			fx_trial(&fx, a, b, FX_TIMING, "ok", NULL);
		}
	}
	fx_summary(&fx, &s);
	r = fx_row(&s, 0, "memory.fragmentation");
	assert_int_equal(r->compare, SB_COMPARE_DIFFERENCE);
	assert_near(r->effect.estimate.v, -0.275, 1e-12);
	assert_true(r->effect.lo < -0.275 && r->effect.hi > -0.275 && r->effect.lo >= -0.30 && r->effect.hi <= -0.25);
	sb_summary_release(&s);
}

static void stages_keep_their_order_and_unknown_metrics_come_last(void **state)
{
	static const char *const order[] = { "wall_ns", "stage.zeta_ns", "stage.alpha.x_ns",
		"memory.reserved_peak_bytes", "sm.cycles", "nvlink_bytes" };
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int a = 0; a < 2; a++) {
		fx_add(&fx, "sm.cycles", 4);
		fx_add(&fx, "stage.zeta_ns", 2);
		fx_add(&fx, "nvlink_bytes", 5);
		fx_add(&fx, "stage.alpha.x_ns", 3);
		fx_add(&fx, "memory.reserved_peak_bytes", 6);
		fx_add(&fx, "wall_ns", 1);
		fx_trial(&fx, a, 0, FX_TIMING, "ok", NULL);
	}
	fx_summary(&fx, &s);
	assert_int_equal(s.groups[0].n_rows, SB_ARRAY_LEN(order));
	assert_string_equal(fx_row(&s, 0, "stage.alpha.x_ns")->label, "alpha.x");
	assert_int_equal(fx_row(&s, 0, "sm.cycles")->section, SB_SECTION_OTHER);
	assert_int_equal(fx_row(&s, 0, "sm.cycles")->unit, SB_UNIT_UNKNOWN);
	assert_int_equal(fx_row(&s, 0, "nvlink_bytes")->unit, SB_UNIT_BYTES);
	for (size_t i = 0, at = 0; i < SB_ARRAY_LEN(order); i++) {
		size_t found = s.groups[0].n_rows;

		for (size_t k = 0; k < s.groups[0].n_rows; k++)
			if (!strcmp(s.groups[0].rows[k].metric, order[i]))
				found = k;
		if (i < 4) /* the rest is in the order of the table's last rows */
			assert_int_equal(found, at++);
		else
			assert_true(found >= 4 && found < SB_ARRAY_LEN(order));
	}
	sb_summary_release(&s);
}

static void accuracy_stands_beside_the_drift_of_one_unit_in_the_last_place(void **state)
{
	static const char *const facts[] = { "ulp.depth_rel_median", "3.5e-7", NULL, NULL };
	struct sb_summary s;
	const struct sb_summary_row *r;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", facts);
	for (int a = 0; a < 2; a++) {
		fx_add(&fx, "wall_ns", 1);
		if (a) {
			fx_add(&fx, "quality.depth_rel_median", 2e-4);
			fx_add(&fx, "quality.pose_deg_max", 0.02);
			fx_add(&fx, "quality.visibility_rel_max", 0.5);
		}
		fx_trial(&fx, a, 0, FX_TIMING, "ok", NULL);
	}
	fx_summary(&fx, &s);
	r = fx_row(&s, 0, "quality.depth_rel_median");
	assert_near(r->after.v, 2e-4, 0);
	assert_near(r->drift_one_ulp.v, 3.5e-7, 0);
	assert_int_equal(r->unit, SB_UNIT_PERCENT);
	assert_int_equal(r->compare, SB_COMPARE_PLAIN);
	assert_non_null(r->effect.estimate.absent);
	assert_string_equal(fx_row(&s, 0, "quality.pose_deg_max")->drift_one_ulp.absent, "not recorded");
	assert_int_equal(fx_row(&s, 0, "quality.pose_deg_max")->unit, SB_UNIT_DEGREES);
	assert_int_equal(fx_row(&s, 0, "quality.visibility_rel_max")->section, SB_SECTION_ACCURACY);
	sb_summary_release(&s);
}

static void rows_of_a_pattern_come_in_the_order_of_the_table(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,+alloc,after", "tracker", "file", no_facts);
	for (int a = 0; a < 3; a++) {
		fx_add(&fx, "quality.pose_rel_max", 1);
		fx_add(&fx, "quality.depth_rel_median", 1);
		fx_add(&fx, "wall_ns", 1);
		fx_trial(&fx, a, 0, FX_TIMING, "ok", NULL);
	}
	fx_summary(&fx, &s);
	for (size_t g = 0; g < 2; g++)
		assert_true(fx_row(&s, g, "quality.depth_rel_median") < fx_row(&s, g, "quality.pose_rel_max"));
	sb_summary_release(&s);
}

/* ---- groups --------------------------------------------------------------------------------------------------- */

static void each_factor_has_its_own_pair_and_best_its_own_group(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_gpu_run(&fx);
	fx_summary(&fx, &s);
	assert_int_equal(s.n_groups, 5);
	assert_string_equal(s.groups[0].title, "before -> after");
	assert_string_equal(s.groups[1].title, "before -> +precision");
	assert_string_equal(s.groups[2].title, "before -> +attention");
	assert_string_equal(s.groups[3].title, "before -> +alloc");
	assert_string_equal(s.groups[3].factor, "alloc");
	assert_string_equal(s.groups[4].title, "after -> best");
	assert_int_equal(s.groups[4].kind, SB_GROUP_BEST);
	assert_string_equal(s.groups[0].change,
	        "precision.gemm+conv fp32 -> tf32, attention standard -> efficient, alloc default -> expandable");
	assert_string_equal(s.groups[4].change, "precision.attention fp32 -> tf32");
	assert_true(fx_has_row(&s, 1, "op.gemm_ns") && !fx_has_row(&s, 1, "op.attention_ns"));
	assert_true(fx_has_row(&s, 2, "memory.attention_bytes") && !fx_has_row(&s, 2, "op.gemm_ns"));
	assert_true(fx_has_row(&s, 3, "memory.fragmentation") && !fx_has_row(&s, 3, "op.gemm_ns"));
	for (size_t g = 0; g < s.n_groups; g++)
		assert_true(fx_has_row(&s, g, "wall_ns") && fx_has_row(&s, g, "quality.depth_rel_median"));
	sb_summary_release(&s);
}

static void the_pair_of_the_first_group_is_before_and_after_or_what_comes_nearest(void **state)
{
	static const struct {
		const char *arms, *title;
		size_t groups;
	} cases[] = {
		{ "after,before", "before -> after", 1 },
		{ "before,+precision", "before -> +precision", 1 }, /* its own pair is not shown twice */
		{ "before,+precision,+attention", "before -> +attention", 2 },
		{ "before,+alloc,best", "before -> +alloc", 2 }, /* and best, for it is nowhere else */
		{ "before,best", "before -> best", 1 },
		{ "+alloc,+precision", "+alloc -> +precision", 1 },
		{ "before,after,best", "before -> after", 2 },
		{ "after,best", "after -> best", 1 },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct sb_summary s;
		struct fixture fx;

		fx_open(&fx, cases[i].arms, "tracker", "file", no_facts);
		fx_summary(&fx, &s);
		assert_string_equal(s.groups[0].title, cases[i].title);
		assert_int_equal(s.n_groups, cases[i].groups);
		sb_summary_release(&s);
	}
}

static void no_arm_of_every_combination_is_left_out(void **state)
{
	static const char *const combined[] = { "+precision+attention", "+precision+alloc", "+attention+alloc" };
	const struct sb_summary_options opt = { .before = "+alloc", .after = "after" };
	struct sb_summary s;
	struct sb_error err;
	struct fixture fx;

	(void)state;
	for (int chosen = 0; chosen < 2; chosen++) {
		fx_open(&fx,
		        "before,+precision,+attention,+precision+attention,+alloc,+precision+alloc,+attention+alloc,"
		        "after,best",
		        "tracker", "file", no_facts);
		fx_must(fx_try_summary(&fx, chosen ? &opt : NULL, &s, &err), &err);
		for (size_t i = 0; i < SB_ARRAY_LEN(combined) && !chosen; i++) {
			assert_int_equal(s.groups[5 + i].kind, SB_GROUP_ARM);
			assert_string_equal(s.groups[5 + i].before, "before");
			assert_string_equal(s.groups[5 + i].after, combined[i]);
			assert_true(fx_has_row(&s, 5 + i, "wall_ns") && fx_has_row(&s, 5 + i, "memory.trial_bytes"));
		}
		for (size_t g = 0; g < s.n_groups && chosen; g++) /* who names a pair wants that one */
			assert_int_not_equal(s.groups[g].kind, SB_GROUP_ARM);
		sb_summary_release(&s);
	}
}

static void the_arms_of_the_first_group_can_be_chosen(void **state)
{
	const struct sb_summary_options opt = { .before = "+precision", .after = "after" };
	const struct sb_summary_options wrong = { .after = "befor" };
	struct sb_summary s;
	struct sb_error err;
	struct fixture fx;

	(void)state;
	fx_gpu_run(&fx);
	fx_must(fx_try_summary(&fx, &opt, &s, &err), &err);
	assert_string_equal(s.groups[0].title, "+precision -> after");
	assert_int_equal(fx_claim(&s, "total_time")->verdict, SB_VERDICT_EXCEEDED); /* on before and after, as ever */
	sb_summary_release(&s);
	fx_gpu_run(&fx);
	assert_int_equal(fx_try_summary(&fx, &wrong, &s, &err), SB_E_USAGE);
	assert_non_null(strstr(err.msg, "'befor'"));
}

static void levels_that_a_device_emulates_are_marked(void **state)
{
	static const char *const cpu[] = { "device.kind", "cpu", NULL, NULL };
	static const char *const cpu_of_its_own[] = { "device.kind", "cpu", "emulated", "", NULL, NULL };
	static const char *const other[] = { "device.kind", "cuda", "emulated", "alloc, precision.conv", NULL, NULL };
	static const struct {
		const char *const *facts;
		bool precision, attention, alloc;
	} cases[] = { { cpu, true, false, false }, { cpu_of_its_own, false, false, false },
		{ other, true, false, true } };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct sb_summary s;
		struct fixture fx;

		fx_open(&fx, "before,+precision,+attention,+alloc,after", "tracker", "synthetic", cases[i].facts);
		for (int b = 0; b < 6; b++)
			for (int a = 0; a < 5; a++)
				fx_wall(&fx, a, b, 100 + a + b);
		fx_summary(&fx, &s);
		assert_int_equal(s.groups[1].emulated, cases[i].precision);
		assert_int_equal(
		        fx_row(&s, 1, "wall_ns")->flags & SB_ROW_EMULATED, cases[i].precision ? SB_ROW_EMULATED : 0);
		assert_int_equal(fx_row(&s, 2, "wall_ns")->flags & SB_ROW_EMULATED, 0);
		assert_int_equal(
		        fx_row(&s, 3, "wall_ns")->flags & SB_ROW_EMULATED, cases[i].alloc ? SB_ROW_EMULATED : 0);
		assert_int_equal(s.groups[0].emulated, cases[i].precision || cases[i].alloc);
		sb_summary_release(&s);
	}
}

/* ---- claims --------------------------------------------------------------------------------------------------- */

static void a_verdict_follows_from_interval_and_band(void **state)
{
	(void)state;
	assert_int_equal(sb_claim_verdict(0.72, 0.78, 0.70, 0.80), SB_VERDICT_MET);
	assert_int_equal(sb_claim_verdict(0.70, 0.80, 0.70, 0.80), SB_VERDICT_MET);
	assert_int_equal(sb_claim_verdict(0.60, 0.69, 0.70, 0.80), SB_VERDICT_EXCEEDED);
	assert_int_equal(sb_claim_verdict(0.60, 0.70, 0.70, 0.80), SB_VERDICT_MET_OR_EXCEEDED);
	assert_int_equal(sb_claim_verdict(0.60, 0.80, 0.70, 0.80), SB_VERDICT_MET_OR_EXCEEDED);
	assert_int_equal(sb_claim_verdict(0.75, 0.81, 0.70, 0.80), SB_VERDICT_INCONCLUSIVE);
	assert_int_equal(sb_claim_verdict(0.80, 0.81, 0.70, 0.80), SB_VERDICT_INCONCLUSIVE);
	assert_int_equal(sb_claim_verdict(0.60, 0.81, 0.70, 0.80), SB_VERDICT_INCONCLUSIVE);
	assert_int_equal(sb_claim_verdict(0.81, 0.90, 0.70, 0.80), SB_VERDICT_NOT_MET);
	assert_int_equal(sb_claim_verdict(0.01, 0.04, -HUGE_VAL, 0.05), SB_VERDICT_MET);
	assert_int_equal(sb_claim_verdict(0.01, 0.06, -HUGE_VAL, 0.05), SB_VERDICT_INCONCLUSIVE);
	assert_int_equal(sb_claim_verdict(NAN, NAN, 0.70, 0.80), SB_VERDICT_INCONCLUSIVE);
}

static void claims_are_judged_where_they_can_be(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_gpu_run(&fx);
	fx_summary(&fx, &s);
	assert_int_equal(s.n_claims, 7);
	assert_int_equal(fx_claim(&s, "matrix_operations")->verdict, SB_VERDICT_MET);
	assert_int_equal(fx_claim(&s, "matrix_operations")->effect.pairs, 6);
	assert_string_equal(fx_claim(&s, "matrix_operations")->after, "+precision");
	assert_int_equal(fx_claim(&s, "attention_speed")->verdict, SB_VERDICT_MET);
	assert_int_equal(fx_claim(&s, "attention_vram")->verdict, SB_VERDICT_EXCEEDED);
	assert_int_equal(fx_claim(&s, "attention_vram")->effect.pairs, 9);
	assert_int_equal(fx_claim(&s, "total_time")->verdict, SB_VERDICT_EXCEEDED);
	assert_int_equal(fx_claim(&s, "quality_tracks")->verdict, SB_VERDICT_MET);
	assert_near(fx_claim(&s, "quality_tracks")->effect.estimate.v, 0.011, 1e-12);
	assert_int_equal(fx_claim(&s, "quality_depth")->verdict, SB_VERDICT_MET);
	assert_string_equal(fx_claim(&s, "fragmentation")->reason, "needs the churn workload");
	assert_non_null(strstr(s.claims_note, "bf16 autocast, where TF32 reaches only the FP32 islands"));
	sb_summary_release(&s);
}

/* A run over all arms whose claims can all be tested but for what the facts forbid. */
static void claims_of(
        const char *arms, const char *workload, const char *weights, const char *const *facts, struct sb_summary *s)
{
	struct fixture fx;
	int n = 1;

	for (const char *p = arms; (p = strchr(p, ',')) != NULL; p++)
		n++;
	fx_open(&fx, arms, workload, weights, facts);
	for (int b = 0; b < 6; b++) {
		for (int a = 0; a < n; a++) {
			fx_add(&fx, "wall_ns", (100 + b) * MS);
			fx_add(&fx, "op.gemm_ns", 10 * MS);
			fx_add(&fx, "op.attention_ns", 10 * MS);
			fx_add(&fx, "memory.attention_bytes", 100);
			fx_add(&fx, "memory.fragmentation", a ? 0.05 : 0.3);
			fx_add(&fx, "quality.depth_rel_median", 0.01);
			fx_trial(&fx, a, b, FX_TIMING, "ok", NULL);
			fx_add(&fx, "op.gemm_ns", 10 * MS);
			fx_add(&fx, "op.attention_ns", 10 * MS);
			fx_trial(&fx, a, b, FX_TRACE, "ok", NULL);
		}
	}
	fx_summary(&fx, s);
}

static void expect_claims(const struct sb_summary *s, const char *const expected[7])
{
	for (size_t i = 0; i < 7; i++) {
		const struct sb_summary_claim *c = &s->claims[i];
		const char *got = c->verdict == SB_VERDICT_NOT_TESTED ? c->reason : sb_verdict_name(c->verdict);

		if (strcmp(got, expected[i]))
			fail_msg("%s: '%s', not '%s'", c->id, got, expected[i]);
		assert_int_equal(c->reason != NULL, c->verdict == SB_VERDICT_NOT_TESTED);
	}
}

#define ALL_ARMS "before,+precision,+attention,+alloc,after"

static void claims_that_fail_are_not_met(void **state)
{
	struct sb_summary s;

	(void)state;
	claims_of(ALL_ARMS, "churn", "file", checked, &s);
	/* Every ratio is 1; "below 5 %" and "below 1 %" do not hold at 5 % and 1 %. */
	expect_claims(&s, (const char *const[]){
	                          "not met", "not met", "not met", "not met", "not met", "not recorded", "not met" });
	sb_summary_release(&s);
}

static void fragmentation_is_judged_on_any_two_arms_that_differ_in_the_allocator(void **state)
{
	struct sb_summary s;

	(void)state;
	claims_of("+precision+attention,after", "churn", "file", checked, &s);
	expect_claims(&s, (const char *const[]){ "needs arm before", "needs arm before", "needs arm before",
	                          "needs arm before", "not met", "needs arm before", "needs arm before" });
	assert_string_equal(fx_claim(&s, "fragmentation")->before, "+precision+attention");
	assert_string_equal(fx_claim(&s, "fragmentation")->where, "preset tiny");
	sb_summary_release(&s);
	claims_of("+precision,after", "churn", "file", checked, &s);
	assert_string_equal(fx_claim(&s, "fragmentation")->reason, "needs arm before");
	sb_summary_release(&s);
}

static void on_a_cpu_times_between_precisions_are_not_tested(void **state)
{
	static const char *const facts[] = { "device.kind", "cpu", CHECKED, NULL, NULL };
	struct sb_summary s;

	(void)state;
	claims_of(ALL_ARMS, "tracker", "synthetic", facts, &s);
	expect_claims(&s, (const char *const[]){ "emulated on the CPU", "not met", "not met", "emulated on the CPU",
	                          "needs the churn workload", "synthetic weights", "synthetic weights" });
	sb_summary_release(&s);
}

static void weights_that_spabench_exported_are_synthetic_still(void **state)
{
	struct sb_summary s;

	(void)state;
	claims_of(ALL_ARMS, "tracker", "synthetic file", checked, &s);
	expect_claims(&s, (const char *const[]){ "not met", "not met", "not met", "not met", "needs the churn workload",
	                          "synthetic weights", "synthetic weights" });
	sb_summary_release(&s);
	claims_of(ALL_ARMS, "tracker", "file", checked, &s);
	expect_claims(&s, (const char *const[]){ "not met", "not met", "not met", "not met", "needs the churn workload",
	                          "not recorded", "not met" });
	sb_summary_release(&s);
}

static void a_switch_that_was_not_in_effect_leaves_its_claims_untested(void **state)
{
	static const char *const facts[] = { "effect.precision", "in effect: 4 of 4", "effect.attention",
		"not in effect: a score-sized allocation", "effect.alloc", "not in effect: segments", FX_FROM_BEFORE,
		NULL, NULL };
	struct sb_summary s;

	(void)state;
	claims_of(ALL_ARMS, "churn", "file", facts, &s);
	expect_claims(&s, (const char *const[]){ "not met", "switch not in effect", "switch not in effect",
	                          "switch not in effect: attention, alloc", "switch not in effect",
	                          "switch not in effect: attention, alloc", "switch not in effect: attention, alloc" });
	assert_int_equal(s.n_switches, 3);
	assert_int_equal(s.switches[0].in_effect, SB_EFFECT_YES);
	assert_int_equal(s.switches[1].in_effect, SB_EFFECT_NO);
	sb_summary_release(&s);
}

static void changed_settings_are_told_and_leave_the_allocators_claim_untested(void **state)
{
	struct sb_summary s;

	(void)state;
	fx_plan = "{\"alloc_conf\":\"max_split_size_mb:20\"}";
	claims_of(ALL_ARMS, "churn", "file", no_facts, &s);
	fx_plan = "{}";
	assert_string_equal(s.alloc_note, "max_split_size_mb:20: not PyTorch's defaults");
	assert_string_equal(fx_claim(&s, "fragmentation")->reason, "allocator settings were changed");
	sb_summary_release(&s);
	claims_of(ALL_ARMS, "churn", "file", no_facts, &s);
	assert_null(s.alloc_note);
	assert_string_equal(fx_claim(&s, "fragmentation")->reason, "switch not checked");
	sb_summary_release(&s);
}

static void a_switch_that_nobody_checked_leaves_its_claims_untested(void **state)
{
	static const char *const facts[] = { "effect.precision", "in effect: 4 of 4", FX_FROM_BEFORE, NULL, NULL };
	struct sb_summary s;

	(void)state;
	claims_of(ALL_ARMS, "churn", "file", facts, &s);
	expect_claims(&s, (const char *const[]){ "not met", "switch not checked", "switch not checked",
	                          "switch not checked: attention, alloc", "switch not checked", "not recorded",
	                          "switch not checked: attention, alloc" });
	assert_int_equal(s.switches[1].in_effect, SB_EFFECT_UNKNOWN);
	/* What was measured all the same is shown by whoever wants it. */
	assert_true(fx_claim(&s, "attention_speed")->effect.has_interval);
	sb_summary_release(&s);
}

static void quality_is_judged_from_before_alone(void **state)
{
	static const char *const other[] = { "reference.arm", "+precision", "reference.levels", "precision=tf32", NULL,
		NULL };
	static const char *const unnamed[] = { "reference.levels", "attention=standard", NULL, NULL };
	static const char *const named[] = { "reference.arm", "plain", "reference.levels", "attention=standard", NULL,
		NULL };
	struct sb_summary s;

	(void)state;
	claims_of(ALL_ARMS, "churn", "file", other, &s);
	assert_string_equal(s.reference, "+precision");
	assert_string_equal(sb_summary_section_title(&s, SB_SECTION_ACCURACY), "accuracy: drift from +precision");
	assert_string_equal(sb_summary_section_title(&s, SB_SECTION_MEMORY), "memory");
	assert_string_equal(fx_claim(&s, "quality_depth")->reason, "the reference is +precision, not before");
	sb_summary_release(&s);
	/* Its levels decide, whatever it is called. */
	claims_of(ALL_ARMS, "churn", "file", named, &s);
	assert_string_equal(s.reference, "plain");
	assert_string_equal(fx_claim(&s, "quality_depth")->reason, "switch not checked: precision, attention, alloc");
	sb_summary_release(&s);
	claims_of(ALL_ARMS, "churn", "file", unnamed, &s);
	assert_string_equal(s.reference, "before");
	assert_string_equal(fx_claim(&s, "quality_depth")->reason, "switch not checked: precision, attention, alloc");
	sb_summary_release(&s);
	claims_of(ALL_ARMS, "churn", "file", no_facts, &s);
	assert_null(s.reference);
	assert_string_equal(sb_summary_section_title(&s, SB_SECTION_ACCURACY), "accuracy: drift from reference");
	assert_string_equal(fx_claim(&s, "quality_depth")->reason, "the reference was not recorded");
	sb_summary_release(&s);
}

static void a_verdict_on_times_of_a_cpu_says_so(void **state)
{
	static const char *const facts[] = { "device.kind", "cpu", CHECKED, NULL, NULL };
	static const char *const on_gpu[] = { "device.kind", "cuda", CHECKED, NULL, NULL };
	struct sb_summary s;

	(void)state;
	claims_of(ALL_ARMS, "tracker", "file", facts, &s);
	assert_string_equal(fx_claim(&s, "attention_speed")->where, "on the CPU");
	assert_string_equal(fx_claim(&s, "attention_speed")->behind, "on the CPU");
	assert_null(fx_claim(&s, "attention_vram")->where);
	assert_null(fx_claim(&s, "total_time")->where); /* emulated, not tested */
	sb_summary_release(&s);
	claims_of(ALL_ARMS, "tracker", "file", on_gpu, &s);
	assert_null(fx_claim(&s, "attention_speed")->where);
	sb_summary_release(&s);
}

static void trace_trials_are_a_fixed_number_whatever_the_looks_said(void **state)
{
	static const char *const facts[] = { "stop.reason", "precise", NULL, NULL };
	struct sb_summary s;
	double timing, trace;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", facts);
	/* The same values by timing and by trace trials. */
	for (int b = 0; b < 9; b++) {
		for (int a = 0; a < 2; a++) {
			double value = (a ? 80 + b * b : 100) * MS;

			fx_add(&fx, "wall_ns", value);
			fx_trial(&fx, a, b, FX_TIMING, "ok", NULL);
			fx_add(&fx, "op.gemm_ns", value);
			fx_trial(&fx, a, b, FX_TRACE, "ok", NULL);
		}
	}
	fx_summary(&fx, &s);
	assert_near(s.level[0], sb_stats_looks[1].level, 0);
	assert_near(s.level[1], 0.95, 0);
	timing = fx_row(&s, 0, "wall_ns")->effect.hi;
	trace = fx_row(&s, 0, "op.gemm_ns")->effect.hi;
	assert_true(timing - trace > 0.001);
	assert_true(fx_row(&s, 0, "op.gemm_ns")->flags & SB_ROW_TRACED);
	sb_summary_release(&s);
}

static void a_claim_names_the_arm_it_needs(void **state)
{
	struct sb_summary s;

	(void)state;
	claims_of("before,+precision", "churn", "file", no_facts, &s);
	expect_claims(&s, (const char *const[]){ "switch not checked", "needs arm +attention", "needs arm +attention",
	                          "needs arm after", "needs arm +alloc", "needs arm after", "needs arm after" });
	assert_int_equal(s.n_switches, 1);
	assert_string_equal(s.switches[0].evidence, "not checked (not recorded)");
	sb_summary_release(&s);
	claims_of("+precision,+attention,+alloc,after", "churn", "file", no_facts, &s);
	expect_claims(&s, (const char *const[]){ "needs arm before", "needs arm before", "needs arm before",
	                          "needs arm before", "needs arm before", "needs arm before", "needs arm before" });
	sb_summary_release(&s);
}

/* The run's own settings, from the plan and from what the worker says. */
static void setting_is(const char *plan, const char *software, const char *expected)
{
	const char *const facts[] = { "software", software, NULL, NULL };
	struct sb_summary s;
	struct fixture fx;

	fx_plan = plan;
	fx_open(&fx, "before", "tracker", "file", facts);
	fx_plan = "{}";
	fx_summary(&fx, &s);
	assert_string_equal(s.setting, expected);
	sb_summary_release(&s);
}

static void threads_and_a_limit_of_memory_are_told(void **state)
{
	(void)state;
	setting_is("{\"memory_limit\":104857600,\"threads\":2}", "OpenBLAS 0.3.21 Zen; 3 OpenMP threads",
	        "3 threads, pretended device memory 100 MiB");
	setting_is("{\"memory_limit\":0,\"threads\":0}", "OpenBLAS; 1 OpenMP threads", "1 thread");
	setting_is("{\"memory_limit\":1610612736,\"threads\":8}", "a library",
	        "8 threads, pretended device memory 1.5 GiB");
	setting_is("{\"memory_limit\":1073741825}", "many OpenMP threads", "pretended device memory 1 GiB");
	setting_is("no JSON", " OpenMP threads", "");
}

/* ---- what was run --------------------------------------------------------------------------------------------- */

/* A trial of a card; reason: what holds its clocks down, or NULL. */
static void on_card(struct fixture *fx, int arm, int block, const char *reason)
{
	char metric[64];

	fx_add(fx, "device.throttled", reason != NULL);
	snprintf(metric, sizeof(metric), "device.throttled.%s", reason ? reason : "");
	if (reason)
		fx_add(fx, metric, 1);
	fx_wall(fx, arm, block, 100);
}

static void throttled_trials_are_counted_with_their_reasons(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int b = 0; b < 3; b++) {
		on_card(&fx, 0, b, NULL);
		on_card(&fx, 1, b, NULL);
	}
	fx_wall(&fx, 0, 3, 100); /* nobody looked */
	fx_summary(&fx, &s);
	assert_null(s.throttled);
	sb_summary_release(&s);

	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int b = 0; b < 3; b++) {
		on_card(&fx, 0, b, b ? "sw_power_cap" : NULL);
		on_card(&fx, 1, b, NULL);
	}
	fx_wall(&fx, 0, 3, 100);
	fx_summary(&fx, &s);
	assert_string_equal(s.throttled, "2 of 6 trials ran while throttled: sw_power_cap");
	assert_string_equal(s.notes[s.n_notes - 1], s.throttled);
	sb_summary_release(&s);

	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	on_card(&fx, 0, 0, "sw_power_cap");
	on_card(&fx, 1, 0, "hw_thermal");
	fx_summary(&fx, &s);
	assert_string_equal(s.throttled, "2 of 2 trials ran while throttled: sw_power_cap (1), hw_thermal (1)");
	sb_summary_release(&s);
}

static void cycles_stand_below_the_total(void **state)
{
	const struct sb_summary_row *r;
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "file", no_facts);
	for (int b = 0; b < 6; b++) {
		for (int a = 0; a < 2; a++) {
			fx_add(&fx, "stage.front.dino_ns", 1 * MS);
			fx_add(&fx, "sm_cycles", a ? 90e6 : 180e6);
			fx_add(&fx, "sm_mhz", a ? 1800 : 1900);
			fx_wall(&fx, a, b, 100);
		}
	}
	fx_summary(&fx, &s);
	assert_string_equal(s.groups[0].rows[1].metric, "sm_cycles");
	assert_string_equal(s.groups[0].rows[2].metric, "sm_mhz");
	r = fx_row(&s, 0, "sm_cycles");
	assert_string_equal(r->label, "SM cycles");
	assert_int_equal(r->section, SB_SECTION_TOTAL);
	assert_near(r->effect.estimate.v, 0.5, 1e-12);
	sb_summary_release(&s);
}

static void the_run_is_identified(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_gpu_run(&fx);
	fx_summary(&fx, &s);
	assert_string_equal(s.run_id, "0123456789abcdef0123456789abcdef");
	assert_string_equal(s.status, "complete");
	assert_string_equal(s.device, "NVIDIA H200");
	assert_string_equal(s.preset, "tiny");
	assert_string_equal(s.clip, "pedestrians.mp4");
	assert_int_equal(s.frames, 4);
	assert_int_equal(s.width, 252);
	assert_int_equal(s.height, 140);
	assert_string_equal(s.weights_kind, "file");
	assert_string_equal(s.stop_reason, "all blocks were run");
	assert_int_equal(s.blocks[0], 9);
	assert_int_equal(s.blocks[1], 6);
	assert_int_equal(s.n_trials[SB_OUTCOME_OK], 90);
	assert_int_equal(s.n_arms, 6);
	assert_string_equal(s.blocks_planned, "9");
	sb_summary_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(medians_ratio_and_interval_are_those_worked_out_by_hand),
		cmocka_unit_test(a_run_that_stopped_at_a_narrow_interval_is_judged_at_the_level_of_its_look),
		cmocka_unit_test(pairs_are_formed_within_blocks_and_a_lost_trial_costs_one_pair),
		cmocka_unit_test(fewer_than_six_pairs_give_an_estimate_and_no_interval),
		cmocka_unit_test(a_trial_repeated_after_a_crash_takes_its_place),
		cmocka_unit_test(an_arm_out_of_memory_leaves_the_other_arms_median_and_its_message),
		cmocka_unit_test(blocks_are_whole_with_a_trial_of_every_arm_that_could_be_tried),
		cmocka_unit_test(a_block_that_was_broken_off_is_shown_while_there_is_no_whole_one),
		cmocka_unit_test(a_block_that_was_broken_off_does_not_change_the_level),
		cmocka_unit_test(every_way_to_fail_keeps_its_own_message),
		cmocka_unit_test(one_arm_alone_is_shown_without_effects),
		cmocka_unit_test(a_run_without_one_trial_says_so),
		cmocka_unit_test(kinds_of_op_come_from_trace_trials_of_the_same_block),
		cmocka_unit_test(the_cost_of_a_trace_names_the_calls_that_were_recorded),
		cmocka_unit_test(without_trace_trials_kinds_of_op_are_absent_with_the_reason),
		cmocka_unit_test(sums_are_made_per_trial_and_need_both_parts),
		cmocka_unit_test(a_sum_that_is_stored_is_not_made_again),
		cmocka_unit_test(bookkeeping_is_for_json_and_its_counts_are_counts),
		cmocka_unit_test(a_missing_value_keeps_the_reason_it_was_stored_with),
		cmocka_unit_test(zeros_give_no_ratio_but_a_fall_to_zero_does),
		cmocka_unit_test(a_value_that_never_changes_is_exact),
		cmocka_unit_test(one_trial_is_not_enough_to_call_a_value_exact),
		cmocka_unit_test(fragmentation_is_compared_by_difference),
		cmocka_unit_test(stages_keep_their_order_and_unknown_metrics_come_last),
		cmocka_unit_test(accuracy_stands_beside_the_drift_of_one_unit_in_the_last_place),
		cmocka_unit_test(rows_of_a_pattern_come_in_the_order_of_the_table),
		cmocka_unit_test(each_factor_has_its_own_pair_and_best_its_own_group),
		cmocka_unit_test(the_pair_of_the_first_group_is_before_and_after_or_what_comes_nearest),
		cmocka_unit_test(no_arm_of_every_combination_is_left_out),
		cmocka_unit_test(the_arms_of_the_first_group_can_be_chosen),
		cmocka_unit_test(levels_that_a_device_emulates_are_marked),
		cmocka_unit_test(a_verdict_follows_from_interval_and_band),
		cmocka_unit_test(claims_are_judged_where_they_can_be),
		cmocka_unit_test(claims_that_fail_are_not_met),
		cmocka_unit_test(fragmentation_is_judged_on_any_two_arms_that_differ_in_the_allocator),
		cmocka_unit_test(on_a_cpu_times_between_precisions_are_not_tested),
		cmocka_unit_test(weights_that_spabench_exported_are_synthetic_still),
		cmocka_unit_test(a_switch_that_was_not_in_effect_leaves_its_claims_untested),
		cmocka_unit_test(changed_settings_are_told_and_leave_the_allocators_claim_untested),
		cmocka_unit_test(a_switch_that_nobody_checked_leaves_its_claims_untested),
		cmocka_unit_test(quality_is_judged_from_before_alone),
		cmocka_unit_test(a_verdict_on_times_of_a_cpu_says_so),
		cmocka_unit_test(trace_trials_are_a_fixed_number_whatever_the_looks_said),
		cmocka_unit_test(threads_and_a_limit_of_memory_are_told),
		cmocka_unit_test(a_claim_names_the_arm_it_needs),
		cmocka_unit_test(throttled_trials_are_counted_with_their_reasons),
		cmocka_unit_test(cycles_stand_below_the_total),
		cmocka_unit_test(the_run_is_identified),
	};
	return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
