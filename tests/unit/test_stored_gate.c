/*
 * New processes against stored ones: a hand-made table of two runs, and what is said of it. Where an expected p comes
 * from SciPy 1.17 (scipy.stats.t.sf) the comment has the call. The statistics between runs: test_stats.c.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sb_stored_gate.h"

enum { ROWS = 3 };

struct scene {
	struct sb_old_row row[ROWS];
	struct sb_old_runs old;
	struct sb_gate_rules rules;
	struct sb_pair_table table;
	struct sb_gate_result result;
	struct sb_error err;
};

/* A time that B has exp(mid) times as long, with a standard error and its degrees of freedom. */
static void set_time(struct sb_old_row *r, double mid, double se, double df)
{
	struct sb_interval *i = &r->log_ratio;
	double half = sb_stats_t_critical(df, 0.95) * se;

	*i = (struct sb_interval){ mid, mid - half, mid + half, 0.95, 5, true, se, df };
	r->ratio = (struct sb_effect){ sb_value_of(exp(mid)), exp(i->lo), exp(i->hi), true, 5 };
	r->median[0] = 1e8;
	r->median[1] = 1e8 * exp(mid);
}

static void set_bytes(struct sb_old_row *r, double a, double b)
{
	r->median[0] = r->least[0] = r->most[0] = a;
	r->median[1] = r->least[1] = r->most[1] = b;
	r->exact = true;
}

/* Total, a stage of all of it, and bytes; the times are told within 0.5 %. */
static void setup(struct scene *s)
{
	static const char *const metric[ROWS] = { "wall_ns", "stage_ns:track.fnet", "peak_requested_bytes" };

	memset(s, 0, sizeof(*s));
	for (int i = 0; i < ROWS; i++) {
		s->row[i] = (struct sb_old_row){ .metric = metric[i],
			.label = metric[i],
			.unit = i == 2 ? SB_UNIT_BYTES : SB_UNIT_TIME,
			.section = i == 2   ? SB_SECTION_MEMORY
			           : i == 1 ? SB_SECTION_STAGES
			                    : SB_SECTION_TOTAL,
			.n = { 6, 6 } };
		set_time(&s->row[i], 0.0, 0.002, 10.0);
	}
	set_bytes(&s->row[2], 4096, 4096);
	s->old = (struct sb_old_runs){ .level = 0.95, .history = 5, .rows = s->row, .n_rows = ROWS };
	for (int side = 0; side < 2; side++)
		s->old.side[side] = (struct sb_old_side){ .run_id = side ? "b0" : "a0",
			.arm = "after",
			.levels = "",
			.build_id = side ? "new" : "old",
			.processes = 6,
			.trials = 6 };
}

static enum sb_status judge(struct scene *s, int lost)
{
	return sb_stored_gate_judge(&s->old, &s->rules, true, lost, 6 + lost, &s->table, &s->result, &s->err);
}

static void release(struct scene *s)
{
	sb_gate_result_release(&s->result);
	sb_pair_table_release(&s->table);
}

/* The verdict of the whole; everything is released. */
static enum sb_gate_verdict verdict(struct scene *s, int lost)
{
	enum sb_gate_verdict v;

	if (judge(s, lost))
		fail_msg("%s", s->err.msg);
	v = s->result.verdict;
	release(s);
	return v;
}

static void what_did_not_change_passes(void **state)
{
	struct scene s;

	(void)state;
	setup(&s);
	assert_int_equal(judge(&s, 0), SB_OK);
	assert_int_equal(s.result.verdict, SB_GATE_PASS);
	assert_int_equal(s.result.n_rows, ROWS);
	/* scipy.stats.t.sf(log(1.01) / 0.002, 10); the threshold of a total on a GPU is 1 % */
	assert_true(fabs(s.result.rows[0].p_pass - 2.786958794564659e-4) < 1e-12);
	assert_true(s.result.rows[0].p == 0.5);
	assert_int_equal(s.result.rows[0].pairs, 6);
	assert_int_equal(s.table.pairs, 6);
	release(&s);
}

static void a_slowdown_beyond_the_noise_between_runs_fails(void **state)
{
	struct scene s;

	(void)state;
	setup(&s);
	set_time(&s.row[0], log(1.02), 0.002, 10.0);
	assert_int_equal(judge(&s, 0), SB_OK);
	assert_int_equal(s.result.verdict, SB_GATE_FAIL);
	assert_int_equal(s.result.rows[0].verdict, SB_GATE_FAIL);
	assert_int_equal(s.result.rows[1].verdict, SB_GATE_PASS);
	/* two tests: Benjamini and Hochberg's adjusted p is twice the smaller one */
	assert_true(fabs(s.result.rows[0].p_adjusted - 2.0 * s.result.rows[0].p) < 1e-15);
	release(&s);
}

static void the_same_slowdown_hides_where_runs_differ_more(void **state)
{
	struct scene s;

	(void)state;
	setup(&s);
	set_time(&s.row[0], log(1.02), 0.02, 10.0);
	assert_int_equal(judge(&s, 0), SB_OK);
	assert_int_equal(s.result.verdict, SB_GATE_OPEN);
	assert_non_null(strstr(s.result.rows[0].reason, "too noisy from run to run"));
	assert_true(fabs(s.result.rows[0].seen - (s.row[0].ratio.hi - 1.0)) < 1e-15 && s.result.rows[0].seen > 0.06);
	release(&s);
	set_time(&s.row[0], log(1.02), 0.002, 1.0); /* as precise, and known from two runs alone: p is 0.032 */
	assert_int_equal(verdict(&s, 0), SB_GATE_OPEN);
}

static void below_its_threshold_a_sure_slowdown_is_no_fail(void **state)
{
	struct scene s;

	(void)state;
	setup(&s);
	set_time(&s.row[0], log(1.005), 0.0002, 10.0);
	assert_int_equal(verdict(&s, 0), SB_GATE_PASS);
	set_time(&s.row[0], log(1.0099), 0.0002, 10.0); /* shown to be slower, and not to be below */
	assert_int_equal(verdict(&s, 0), SB_GATE_OPEN);
	set_time(&s.row[0], log(1.0101), 0.0002, 10.0);
	assert_int_equal(verdict(&s, 0), SB_GATE_FAIL);
}

static void alpha_and_beta_are_the_rules(void **state)
{
	struct scene s;

	(void)state;
	setup(&s);
	set_time(&s.row[0], log(1.02), 0.008, 10.0); /* p 0.0164, of two tests 0.033 */
	assert_int_equal(verdict(&s, 0), SB_GATE_OPEN);
	s.rules.alpha = 0.05;
	assert_int_equal(verdict(&s, 0), SB_GATE_FAIL);
	s.rules.correction = SB_GATE_BY; /* 1.5 times as much: 0.049 */
	assert_int_equal(verdict(&s, 0), SB_GATE_FAIL);
	s.rules.alpha = 0.045;
	assert_int_equal(verdict(&s, 0), SB_GATE_OPEN);
	setup(&s);
	set_time(&s.row[0], 0.0, log(1.01) / 1.6, 10.0); /* p of the threshold 0.070 */
	assert_int_equal(verdict(&s, 0), SB_GATE_OPEN);
	s.rules.beta = 0.075;
	assert_int_equal(verdict(&s, 0), SB_GATE_PASS);
	setup(&s);
	s.rules.beta = 1e-4;
	assert_int_equal(verdict(&s, 0), SB_GATE_OPEN);
}

static void bytes_need_no_chance(void **state)
{
	struct scene s;

	(void)state;
	setup(&s);
	set_bytes(&s.row[2], 4096, 4097);
	assert_int_equal(verdict(&s, 0), SB_GATE_FAIL);
	set_bytes(&s.row[2], 4096, 4095);
	assert_int_equal(verdict(&s, 0), SB_GATE_PASS);
	s.row[2].exact = false; /* processes of B differ, and one has more than A */
	s.row[2].most[1] = 5000;
	assert_int_equal(judge(&s, 0), SB_OK);
	assert_int_equal(s.result.verdict, SB_GATE_OPEN);
	assert_string_equal(s.result.rows[2].reason, "its values differ from process to process");
	release(&s);
	s.row[2].least[1] = 4500; /* all of six have more than all of six */
	assert_int_equal(verdict(&s, 0), SB_GATE_FAIL);
	s.row[2].n[1] = 5;
	assert_int_equal(verdict(&s, 0), SB_GATE_OPEN);
}

static void a_process_that_dies_keeps_it_from_passing(void **state)
{
	struct scene s;

	(void)state;
	setup(&s);
	assert_int_equal(judge(&s, 1), SB_OK);
	assert_int_equal(s.result.verdict, SB_GATE_OPEN);
	assert_true(s.result.lost[1] == 1 && s.result.lost_of == 7 && s.table.dropped == 1);
	release(&s);
	set_bytes(&s.row[2], 1, 2);
	assert_int_equal(verdict(&s, 1), SB_GATE_FAIL);
}

static void a_gate_that_could_not_pass_is_refused(void **state)
{
	struct scene s;

	(void)state;
	setup(&s);
	s.row[1].log_ratio.has_interval = s.row[1].ratio.has_interval = false;
	s.old.why_no_interval = "what differs between runs is not known";
	assert_int_equal(judge(&s, 0), SB_E_USAGE);
	assert_non_null(
	        strstr(s.err.msg, "'stage_ns:track.fnet' can neither fail nor pass against run a0: what differs"));
	s.rules.n = 1; /* left out, it does not stand in the way */
	s.rules.threshold[0] =
	        (struct sb_gate_threshold){ .pattern = "stage_ns:*", .threshold = NAN, .from = "a test" };
	assert_int_equal(verdict(&s, 0), SB_GATE_PASS);
}

static void what_to_be_careful_about_is_in_the_table(void **state)
{
	struct scene s;

	(void)state;
	setup(&s);
	s.row[1].cautions = SB_CAUTION_CLOCK | SB_CAUTION_TWO_MODES;
	assert_int_equal(judge(&s, 0), SB_OK);
	assert_int_equal(s.table.rows[0].cautions, 0);
	assert_int_equal(s.table.rows[1].cautions, SB_CAUTION_CLOCK | SB_CAUTION_TWO_MODES);
	assert_true(s.table.rows[1].flaws.bimodal && !s.table.rows[1].flaws.drifts);
	release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_did_not_change_passes),
		cmocka_unit_test(a_slowdown_beyond_the_noise_between_runs_fails),
		cmocka_unit_test(the_same_slowdown_hides_where_runs_differ_more),
		cmocka_unit_test(below_its_threshold_a_sure_slowdown_is_no_fail),
		cmocka_unit_test(alpha_and_beta_are_the_rules),
		cmocka_unit_test(bytes_need_no_chance),
		cmocka_unit_test(a_process_that_dies_keeps_it_from_passing),
		cmocka_unit_test(a_gate_that_could_not_pass_is_refused),
		cmocka_unit_test(what_to_be_careful_about_is_in_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
