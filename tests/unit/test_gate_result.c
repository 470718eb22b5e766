/*
 * What a gate makes of a table of pairs: which metrics are judged and by which thresholds, verdicts look by look, what
 * a budget that ends does, what a calibration keeps. The rule itself: test_gate.c; whole machines: gate_simulation.c.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sb_calibration.h"
#include "sb_gate_result.h"

/* ---- a table ----------------------------------------------------------------------------------------------------- */

enum { TOTAL, LARGE_STAGE, SMALL_STAGE, COLD, PEAK, ROWS };

struct made {
	struct sb_pair_row row[ROWS];
	struct sb_pair_table table;
	uint64_t seed;
	double noise;        /* of a pair's log ratio: uniform, this to either side */
	double effect[ROWS]; /* log ratio */
	int64_t grown[2];    /* bytes that B has more, in even and odd pairs */
};

static void make_row(struct made *m, int i, const char *metric, const char *label, enum sb_section section, bool exact)
{
	m->row[i] = (struct sb_pair_row){ .metric = metric,
		.label = label,
		.section = section,
		.exact = exact,
		.unit = exact ? SB_UNIT_BYTES : SB_UNIT_TIME };
}

static struct made *make(double noise)
{
	struct made *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->seed = 11;
	m->noise = noise;
	make_row(m, TOTAL, "wall_ns", "total", SB_SECTION_TOTAL, false);
	make_row(m, LARGE_STAGE, "stage.large_ns", "large", SB_SECTION_STAGES, false);
	make_row(m, SMALL_STAGE, "stage.small_ns", "small", SB_SECTION_STAGES, false);
	make_row(m, COLD, "cold_ns", "cold pass", SB_SECTION_COLD, false);
	make_row(m, PEAK, "memory.reserved_peak_bytes", "peak reserved", SB_SECTION_MEMORY, true);
	m->table = (struct sb_pair_table){ .rows = m->row, .n_rows = ROWS };
	return m;
}

/* n pairs more; every row has as many. */
static void grow(struct made *m, int n)
{
	static const double size[ROWS] = { 100e6, 40e6, 5e6, 200e6, 1 << 20 };

	for (int pair = 0; pair < n; pair++) {
		for (int i = 0; i < ROWS; i++) {
			struct sb_pair_row *r = &m->row[i];
			double noise = r->exact ? 0.0 : m->noise * (2.0 * sb_random_unit(&m->seed) - 1.0);

			r->a[r->n] = size[i];
			r->b[r->n] =
			        r->exact ? size[i] + (double)m->grown[r->n % 2] : size[i] * exp(m->effect[i] + noise);
			r->median_a = r->a[r->n];
			r->median_b = r->b[r->n];
			r->d[r->n] = log(r->b[r->n] / r->a[r->n]);
			r->n_d = ++r->n;
		}
	}
	m->table.pairs += n;
}

/* The loop of `spabench gate`, with `room` pairs in the budget. */
static void judge(struct made *m, struct sb_gate_rules *rules, bool gpu, int room, struct sb_gate_result *out)
{
	const char *stopped = NULL;
	struct sb_error err;
	int wanted;

	grow(m, 2);
	if (sb_gate_result_begin(&m->table, rules, gpu, out, &err))
		fail_msg("%s", err.msg);
	while (!stopped && (wanted = sb_gate_result_next(out)) > 0) {
		int reached = wanted < room ? wanted : room;

		grow(m, reached - m->table.pairs);
		if (reached < wanted)
			stopped = "the budget is spent";
		else
			sb_gate_result_look(out, &m->table);
	}
	sb_gate_result_end(out, &m->table, stopped);
}

static const struct sb_gate_row *row_of(const struct sb_gate_result *r, const char *metric)
{
	for (int i = 0; i < r->n_rows; i++)
		if (!strcmp(r->rows[i].metric, metric))
			return &r->rows[i];
	return NULL;
}

static void add_rule(struct sb_gate_rules *rules, const char *pattern, double threshold, const char *from)
{
	struct sb_gate_threshold *t = &rules->threshold[rules->n++];

	*t = (struct sb_gate_threshold){ .threshold = threshold, .from = from };
	strcpy(t->pattern, pattern);
}

struct gate {
	struct made *made;
	struct sb_gate_rules rules;
	struct sb_gate_result result;
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct gate));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	struct gate *g = *state;

	sb_gate_result_release(&g->result);
	free(g->made);
	free(g);
	return 0;
}

/* ---- verdicts ---------------------------------------------------------------------------------------------------- */

static void what_did_not_change_passes_at_the_first_look(void **state)
{
	struct gate *g = *state;

	g->made = make(0.005);
	judge(g->made, &g->rules, false, 64, &g->result);
	assert_int_equal(g->result.verdict, SB_GATE_PASS);
	assert_int_equal(g->made->table.pairs, 8);
	assert_string_equal(g->result.stopped, "every metric is decided");
	assert_int_equal(g->result.n_rows, 3); /* total, the stage of 40 %, memory */
	assert_int_equal(g->result.n_noisy, 2);
	assert_null(row_of(&g->result, "stage.small_ns"));
	assert_null(row_of(&g->result, "cold_ns"));
	assert_true(row_of(&g->result, "wall_ns")->threshold == SB_GATE_DEFAULT_CPU);
	assert_true(row_of(&g->result, "memory.reserved_peak_bytes")->exact);
}

static void a_slower_stage_fails_and_names_itself(void **state)
{
	struct gate *g = *state;

	g->made = make(0.005);
	g->made->effect[LARGE_STAGE] = log(1.25);
	judge(g->made, &g->rules, false, 64, &g->result);
	assert_int_equal(g->result.verdict, SB_GATE_FAIL);
	assert_int_equal(row_of(&g->result, "stage.large_ns")->verdict, SB_GATE_FAIL);
	assert_int_equal(row_of(&g->result, "wall_ns")->verdict, SB_GATE_PASS);
	assert_true(g->made->table.pairs <= 12); /* it needs no more */
}

static void faster_is_a_pass(void **state)
{
	struct gate *g = *state;

	g->made = make(0.005);
	g->made->effect[TOTAL] = log(0.5);
	judge(g->made, &g->rules, false, 64, &g->result);
	assert_int_equal(g->result.verdict, SB_GATE_PASS);
}

static void a_slowdown_below_the_threshold_passes(void **state)
{
	struct gate *g = *state;

	g->made = make(0.005);
	g->made->effect[TOTAL] = log(1.05); /* shown to be slower, and not by 10 % */
	judge(g->made, &g->rules, false, 64, &g->result);
	assert_int_equal(g->result.verdict, SB_GATE_PASS);
}

static void more_pairs_are_made_while_a_metric_is_open(void **state)
{
	struct gate *g = *state;

	g->made = make(0.20);
	judge(g->made, &g->rules, false, 64, &g->result);
	assert_int_equal(g->result.verdict, SB_GATE_PASS);
	assert_true(g->made->table.pairs > 8);
}

static void noise_beyond_all_looks_is_inconclusive(void **state)
{
	struct gate *g = *state;

	g->made = make(0.8);
	judge(g->made, &g->rules, true, 64, &g->result);
	assert_int_equal(g->result.verdict, SB_GATE_OPEN);
	assert_int_equal(g->made->table.pairs, 64);
	assert_string_equal(g->result.stopped, "all looks were taken");
	assert_string_equal(row_of(&g->result, "wall_ns")->reason, "too noisy for this many pairs");
}

static void a_spent_budget_takes_one_more_look_at_what_there_is(void **state)
{
	struct gate *g = *state;

	g->made = make(0.10); /* 8 pairs are too few for two metrics; 11 are looked at with the level of 12 */
	g->made->effect[TOTAL] = log(2.0);
	judge(g->made, &g->rules, false, 11, &g->result);
	assert_int_equal(g->made->table.pairs, 11);
	assert_int_equal(row_of(&g->result, "wall_ns")->verdict, SB_GATE_FAIL);
	assert_int_equal(g->result.verdict, SB_GATE_FAIL);
}

static void a_budget_of_few_pairs_decides_nothing(void **state)
{
	struct gate *g = *state;

	g->made = make(0.005);
	g->made->effect[TOTAL] = log(2.0);
	judge(g->made, &g->rules, false, 4, &g->result);
	assert_int_equal(g->result.verdict, SB_GATE_OPEN);
	assert_string_equal(g->result.stopped, "the budget is spent");
	assert_string_equal(row_of(&g->result, "wall_ns")->reason, "the budget is spent");
}

static void a_byte_more_fails(void **state)
{
	struct gate *g = *state;

	g->made = make(0.005);
	g->made->grown[0] = g->made->grown[1] = 1;
	judge(g->made, &g->rules, false, 64, &g->result);
	assert_int_equal(row_of(&g->result, "memory.reserved_peak_bytes")->verdict, SB_GATE_FAIL);
	assert_int_equal(g->result.verdict, SB_GATE_FAIL);
}

static void bytes_that_vary_from_process_to_process_are_inconclusive(void **state)
{
	struct gate *g = *state;

	g->made = make(0.005);
	g->made->grown[0] = 512;
	judge(g->made, &g->rules, false, 64, &g->result);
	assert_int_equal(row_of(&g->result, "memory.reserved_peak_bytes")->verdict, SB_GATE_OPEN);
	assert_int_equal(g->result.verdict, SB_GATE_OPEN);
	assert_int_equal(g->made->table.pairs, 8); /* more pairs would not help */
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static void a_byte_more_ends_the_gate_at_the_first_look(void **state)
{
	struct gate *g = *state;

	g->made = make(0.05); /* times alone would take every look */
	g->made->grown[0] = g->made->grown[1] = 1;
	judge(g->made, &g->rules, false, 64, &g->result);
	assert_int_equal(g->result.verdict, SB_GATE_FAIL);
	assert_int_equal(g->result.looks, 1);
	assert_string_equal(g->result.stopped, "it ends with the look at which one fails");
}

static void a_budget_that_ends_it_is_named_though_a_metric_fails(void **state)
{
	struct gate *g = *state;

	g->made = make(0.005);
	g->made->grown[0] = g->made->grown[1] = 1;
	judge(g->made, &g->rules, false, 3, &g->result);
	assert_int_equal(g->result.verdict, SB_GATE_FAIL);
	assert_string_equal(g->result.stopped, "the budget is spent");
}

/* Pairs lost by A and by B, and what becomes of a gate that passes without them. */
static void a_build_whose_processes_die_does_not_pass(void **state)
{
	static const struct {
		int lost[2];
		enum sb_gate_verdict verdict;
	} cases[] = { { { 0, 0 }, SB_GATE_PASS }, { { 3, 0 }, SB_GATE_PASS }, { { 2, 2 }, SB_GATE_PASS },
		{ { 0, 1 }, SB_GATE_OPEN }, { { 0, 4 }, SB_GATE_OPEN }, { { 0, 5 }, SB_GATE_FAIL },
		{ { 1, 6 }, SB_GATE_OPEN }, { { 1, 7 }, SB_GATE_FAIL }, { { 0, 14 }, SB_GATE_FAIL } };
	struct gate *g = *state;

	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		sb_gate_result_release(&g->result);
		free(g->made);
		g->rules = (struct sb_gate_rules){ .n = 0 };
		g->made = make(0.002);
		g->made->table.lost[0] = cases[i].lost[0];
		g->made->table.lost[1] = cases[i].lost[1];
		g->made->table.dropped = cases[i].lost[0] + cases[i].lost[1];
		judge(g->made, &g->rules, false, 64, &g->result);
		if (g->result.verdict != cases[i].verdict || g->result.lost_verdict != cases[i].verdict)
			fail_msg("%d and %d lost: %s", cases[i].lost[0], cases[i].lost[1],
			        sb_gate_verdict_name(g->result.verdict));
		assert_int_equal(g->result.lost_of, 8 + g->made->table.dropped);
		assert_int_equal(row_of(&g->result, "wall_ns")->verdict, SB_GATE_PASS);
	}
}

static void pairs_lost_one_after_the_other_are_a_fail_of_the_new_build_alone(void **state)
{
	static const struct {
		int lost[2], ended_well_a;
		bool fails;
	} cases[] = { { { 0, 3 }, 1, true }, { { 0, 3 }, 0, false }, { { 1, 2 }, 1, false }, { { 3, 0 }, 2, false } };
	struct gate *g = *state;

	g->made = make(0.002);
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct sb_gate_result r = { .n_rows = 0 }; /* nothing could be planned */

		g->made->table.lost[0] = cases[i].lost[0];
		g->made->table.lost[1] = cases[i].lost[1];
		g->made->table.dropped = cases[i].lost[0] + cases[i].lost[1];
		g->made->table.ended_well[0] = cases[i].ended_well_a;
		assert_int_equal(sb_gate_result_broken(&r, &g->made->table), cases[i].fails);
		if (!cases[i].fails)
			continue;
		assert_int_equal(r.verdict, SB_GATE_FAIL);
		assert_true(r.lost[1] == 3 && r.lost_of == 3);
	}
}

static void the_last_rule_that_matches_counts(void **state)
{
	struct gate *g = *state;

	g->made = make(0.001);
	add_rule(&g->rules, "wall_ns", 0.03, "calibration");
	add_rule(&g->rules, "cold_ns", 0.03, "calibration"); /* brings nothing in */
	add_rule(&g->rules, "stage.*", 0.04, "spabench.ini");
	add_rule(&g->rules, "small", 0.05, "the command line"); /* by its label */
	add_rule(&g->rules, "memory.*", NAN, "spabench.ini");
	judge(g->made, &g->rules, true, 64, &g->result);
	assert_int_equal(g->result.n_rows, 3);
	assert_true(row_of(&g->result, "wall_ns")->threshold == 0.03);
	assert_string_equal(row_of(&g->result, "wall_ns")->threshold_from, "calibration");
	assert_true(row_of(&g->result, "stage.large_ns")->threshold == 0.04);
	assert_true(row_of(&g->result, "stage.small_ns")->threshold == 0.05);
	assert_null(row_of(&g->result, "cold_ns"));
	assert_null(row_of(&g->result, "memory.reserved_peak_bytes"));
}

static void assert_refused(struct gate *g, const char *part)
{
	struct sb_error err = { .msg = "" };

	g->made = make(0.005);
	grow(g->made, 2);
	assert_int_equal(sb_gate_result_begin(&g->made->table, &g->rules, false, &g->result, &err), SB_E_USAGE);
	if (!strstr(err.msg, part))
		fail_msg("'%s' is not in '%s'", part, err.msg);
	assert_int_equal(g->result.n_rows, 0);
}

static void a_rule_for_nothing_is_refused(void **state)
{
	struct gate *g = *state;

	add_rule(&g->rules, "wall", 0.03, "spabench.ini");
	assert_refused(g, "spabench.ini: no metric here is called 'wall'");
}

static void a_threshold_of_nothing_is_refused_for_times(void **state)
{
	struct gate *g = *state;

	add_rule(&g->rules, "total", 0.0, "spabench.ini");
	assert_refused(g, "threshold of 'total' is 0 %, so that it can never pass");
}

static void nothing_to_judge_is_refused(void **state)
{
	struct gate *g = *state;

	add_rule(&g->rules, "*", NAN, "spabench.ini");
	assert_refused(g, "nothing to judge");
}

static void too_few_pairs_for_the_metrics_are_refused(void **state)
{
	struct gate *g = *state;

	g->rules.max_pairs = 6;
	assert_refused(g, "gate with 6 pairs can never fail");
}

static void pairs_of_a_budget(void **state)
{
	(void)state;
	assert_int_equal(sb_gate_pairs_in_budget(60.0, 2.9), 20);
	assert_int_equal(sb_gate_pairs_in_budget(60.0, 0.5), SB_GATE_MAX_PAIRS);
	assert_int_equal(sb_gate_pairs_in_budget(60.0, 61.0), 0);
	assert_int_equal(sb_gate_pairs_in_budget(0.0, 61.0), SB_GATE_MAX_PAIRS); /* no budget */

	struct sb_gate_pace p = { 60.0, 10.0, 2.5 };

	assert_int_equal(sb_gate_pairs_room(&p, 1.0), 21); /* the first, and 50 s for 2.5 s each */
	assert_int_equal(sb_gate_pairs_planned(&p, 0), 27);
	assert_int_equal(sb_gate_pairs_planned(&p, 12), 12);
	p.first_s = 80.0;
	assert_int_equal(sb_gate_pairs_room(&p, 1.0), 0);
	assert_int_equal(sb_gate_pairs_planned(&p, 0), SB_GATE_FIRST_LOOK);
	p.budget_s = 0.0;
	assert_int_equal(sb_gate_pairs_planned(&p, 0), SB_GATE_MAX_PAIRS);
	p = (struct sb_gate_pace){ 60.0, 0.1, 0.1 };
	assert_int_equal(sb_gate_pairs_planned(&p, 0), SB_GATE_MAX_PAIRS);
	assert_true(sb_gate_pair_fits(10.0, 0.0, 0) && sb_gate_pair_fits(10.0, 8.0, 4));
	assert_true(!sb_gate_pair_fits(10.0, 8.1, 4) && sb_gate_pair_fits(0.0, 8.1, 4));
}

/* ---- calibrations ------------------------------------------------------------------------------------------------ */

static void calibrate(double noise, int gate_pairs, struct sb_calibrated *out)
{
	struct sb_error err;
	uint64_t seed = 5;
	double d[16];

	for (int i = 0; i < 16; i++)
		d[i] = noise * (2.0 * sb_random_unit(&seed) - 1.0);
	if (sb_calibrated_compute(d, 16, 3, gate_pairs, out, &err))
		fail_msg("%s", err.msg);
}

static void a_calibration_comes_back_as_it_was_kept(void **state)
{
	struct sb_calibrated c, back;
	char *text;

	(void)state;
	calibrate(0.02, 20, &c);
	assert_true(c.threshold > 0.0 && c.passes_from > 0.0 && c.passes_from <= c.threshold);
	assert_true(c.gate_pairs == 20 && c.full.max_pairs == 64);
	text = sb_calibrated_format(&c);
	assert_non_null(text);
	assert_true(sb_calibrated_parse(text, &back));
	assert_true(back.threshold == c.threshold && back.passes_from == c.passes_from && back.gate_pairs == 20);
	free(text);
}

static void fewer_pairs_want_a_larger_threshold(void **state)
{
	struct sb_calibrated few, many;

	(void)state;
	calibrate(0.05, 12, &few);
	calibrate(0.05, 64, &many);
	assert_true(few.threshold > many.threshold);
	assert_true(few.full.smallest == many.full.smallest); /* is of 64 pairs either way */
}

static void noise_without_a_threshold_is_kept_as_none(void **state)
{
	struct sb_calibrated c, back;
	char *text;

	(void)state;
	calibrate(3.0, 64, &c);
	assert_true(isnan(c.threshold));
	text = sb_calibrated_format(&c);
	assert_non_null(text); /* JSON has no NAN */
	assert_true(sb_calibrated_parse(text, &back));
	assert_true(isnan(back.threshold));
	free(text);
	calibrate(0.02, 3, &c); /* no gate has so few pairs */
	assert_true(c.gate_pairs == 0 && isnan(c.threshold) && isnan(c.passes_from));
	assert_false(sb_calibrated_parse("{\"gate_pairs\": \"many\"}", &back));
	assert_false(sb_calibrated_parse("]", &back));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_did_not_change_passes_at_the_first_look),
		T(a_slower_stage_fails_and_names_itself),
		T(faster_is_a_pass),
		T(a_slowdown_below_the_threshold_passes),
		T(more_pairs_are_made_while_a_metric_is_open),
		T(noise_beyond_all_looks_is_inconclusive),
		T(a_spent_budget_takes_one_more_look_at_what_there_is),
		T(a_budget_of_few_pairs_decides_nothing),
		T(a_byte_more_fails),
		T(bytes_that_vary_from_process_to_process_are_inconclusive),
		T(a_byte_more_ends_the_gate_at_the_first_look),
		T(a_budget_that_ends_it_is_named_though_a_metric_fails),
		T(a_build_whose_processes_die_does_not_pass),
		T(pairs_lost_one_after_the_other_are_a_fail_of_the_new_build_alone),
		T(the_last_rule_that_matches_counts),
		T(a_rule_for_nothing_is_refused),
		T(a_threshold_of_nothing_is_refused_for_times),
		T(nothing_to_judge_is_refused),
		T(too_few_pairs_for_the_metrics_are_refused),
		cmocka_unit_test(pairs_of_a_budget),
		cmocka_unit_test(a_calibration_comes_back_as_it_was_kept),
		cmocka_unit_test(fewer_pairs_want_a_larger_threshold),
		cmocka_unit_test(noise_without_a_threshold_is_kept_as_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
