/* Two stored runs against each other: what is refused, and what differs between runs is in the interval. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sb_gate.h"
#include "sb_old_runs.h"
#include "store_fixture.h"

#define assert_ok(f, call)                            \
	do {                                          \
		if (call)                             \
			fail_msg("%s", (f)->err.msg); \
	} while (0)

struct spec {
	double ms[8]; /* of a process each; 0: there is none */
	const char *clip, *preset, *build, *cpu, *outcome;
	const char *metric; /* NULL: wall_ns */
	bool planted;       /* its passes were made longer */
	bool both;          /* `before` has the same values, from the same processes */
};

static const char *or_usual(const char *s, const char *usual)
{
	return s ? s : usual;
}

/* Runs with ids 00.., 01.., of one arm; a process has three trials, two of which are 1 % off its median. */
static void make(struct fixture *f, const struct spec *specs, size_t n)
{
	static const char *const names[] = { "after", "before" };
	static const char *const levels[] = { "attention=efficient", "attention=standard" };
	struct sb_store *st = NULL;

	assert_ok(f, sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err));
	for (size_t i = 0; i < n; i++) {
		const struct spec *s = &specs[i];
		const struct sb_fact facts[] = { { "device.name", "cpu", NULL }, { "device.kind", "cpu", NULL },
			{ "cpu.model", or_usual(s->cpu, "c"), NULL },
			{ s->planted ? "planted.A" : "other", "0.2", NULL } };
		char id[33];
		const struct sb_run_row r = { .id = id,
			.command = "spabench run",
			.plan = "{}",
			.facts = facts,
			.n_facts = SB_ARRAY_LEN(facts) };
		const struct sb_case_row c = { "tracker", or_usual(s->preset, "tiny"), "{\"frames\":4}",
			or_usual(s->clip, "0123456789abcdef"), "synthetic", NULL };
		const struct sb_worker_row w = { "/bin/spabench", or_usual(s->build, "b1"), 7, "timing", "cpu", NULL,
			5 };
		int64_t run, worker;

		snprintf(id, sizeof(id), "%02zu000000000000000000000000000000", i);
		assert_ok(f, sb_store_begin_run(st, &r, &c, names, levels, s->both ? 2 : 1, &run, &f->err));
		for (int p = 0; p < (int)SB_ARRAY_LEN(s->ms) && s->ms[p] > 0.0; p++) {
			assert_ok(f, sb_store_add_worker(st, run, &w, &worker, &f->err));
			for (int t = 0; t < (s->both ? 6 : 3); t++) {
				const struct sb_sample sample = { or_usual(s->metric, "wall_ns"),
					sb_value_of(s->ms[p] * 1e6 * (1 + 0.01 * (t % 3 - 1))) };
				const struct sb_trial_row row = { .worker = worker,
					.block = 6 * p + t,
					.arm = t / 3,
					.kind = "timing",
					.outcome = or_usual(s->outcome, "ok"),
					.samples = &sample,
					.n_samples = 1 };

				assert_ok(f, sb_store_add_trial(st, run, &row, &f->err));
			}
		}
		assert_ok(f, sb_store_end_run(st, run, "complete", &f->err));
	}
	sb_store_close(st);
}

static enum sb_status build(struct fixture *f, const char *a, const char *b, const char *arm, struct sb_old_runs *out)
{
	struct sb_store *st = NULL;
	struct sb_old_ref ref[2];
	enum sb_status status;

	assert_ok(f, sb_store_open(f->db, SB_STORE_READ, &st, &f->err));
	ref[0] = ref[1] = (struct sb_old_ref){ .st = st, .arm = arm };
	assert_ok(f, sb_store_find_run(st, a, &ref[0].run_key, &f->err));
	assert_ok(f, sb_store_find_run(st, b, &ref[1].run_key, &f->err));
	status = sb_old_runs_build(ref, out, &f->err);
	sb_store_close(st);
	return status;
}

static void assert_refused(struct fixture *f, const char *a, const char *b, enum sb_status status, const char *why)
{
	struct sb_old_runs r;

	assert_int_equal(build(f, a, b, NULL, &r), status);
	if (!strstr(f->err.msg, why))
		fail_msg("'%s' does not say '%s'", f->err.msg, why);
}

/* What was planted is the difference that is asked about, and nothing that the machine does. */
static void a_planted_slowdown_is_not_what_differs_between_runs(void **state)
{
	static const struct spec specs[] = { { .ms = { 10, 10.01, 10.02 } }, { .ms = { 10.01, 10.02, 10.03 } },
		{ .ms = { 10, 10.02, 10.03 } }, { .ms = { 12, 12.01, 12.02 }, .planted = true } };
	struct fixture *f = *state;
	struct sb_old_runs r;

	make(f, specs, SB_ARRAY_LEN(specs));
	for (int turned = 0; turned < 2; turned++) {
		assert_ok(f, build(f, turned ? "0300" : "0000", turned ? "0000" : "0300", NULL, &r));
		assert_int_equal(r.history, 4);
		assert_true(r.rows[0].ratio.has_interval && r.rows[0].df == 2.0);
		assert_true(r.rows[0].between.v < 0.002);
		if (turned)
			assert_true(r.rows[0].ratio.hi < 0.85);
		else
			assert_true(r.rows[0].ratio.lo > 1.18);
		sb_old_runs_release(&r);
	}
}

static void what_differs_between_runs_is_in_the_interval(void **state)
{
	static const struct spec specs[] = { { .ms = { 10, 11, 12 } }, { .ms = { 20, 21, 23 } },
		{ .ms = { 11, 12, 14 } }, { .ms = { 90, 90, 90 }, .build = "b2" }, { .ms = { 90, 90, 90 }, .cpu = "d" },
		{ .ms = { 90, 90, 90 }, .preset = "full" } };
	struct fixture *f = *state;
	double log_ms[3][3], df, between;
	const double *const x[] = { log_ms[0], log_ms[1], log_ms[2] };
	static const int n[] = { 3, 3, 3 };
	struct sb_interval want;
	struct sb_old_runs r;

	make(f, specs, SB_ARRAY_LEN(specs));
	for (int i = 0; i < 3; i++)
		for (int p = 0; p < 3; p++)
			log_ms[i][p] = log(specs[i].ms[p] * 1e6);
	between = sb_runs_between_variance(x, n, 3, &df);
	sb_runs_compare(log_ms[0], 3, log_ms[1], 3, sb_runs_within_variance(x, n, 3), between, df, 0.95, &want);
	assert_ok(f, build(f, "0000", "0100", NULL, &r));
	assert_int_equal(r.n_rows, 1);
	assert_int_equal(r.history, 3); /* not of another build, machine or case */
	assert_int_equal(r.side[0].processes, 3);
	assert_int_equal(r.side[0].trials, 9);
	assert_null(r.why_no_interval);
	assert_true(want.has_interval && r.rows[0].ratio.has_interval);
	assert_true(fabs(r.rows[0].ratio.estimate.v - exp(want.mid)) < 1e-9);
	assert_true(fabs(log(r.rows[0].ratio.lo) - want.lo) < 1e-9);
	assert_true(fabs(log(r.rows[0].ratio.hi) - want.hi) < 1e-9);
	assert_true(fabs(r.rows[0].between.v - sqrt(between)) < 1e-9);
	sb_old_runs_release(&r);
}

static enum sb_status build_arms(struct fixture *f, const char *a, const char *b, struct sb_old_runs *out)
{
	struct sb_store *st = NULL;
	struct sb_old_ref ref[2];
	enum sb_status status;

	assert_ok(f, sb_store_open(f->db, SB_STORE_READ, &st, &f->err));
	ref[0] = (struct sb_old_ref){ .st = st, .arm = "before" };
	ref[1] = (struct sb_old_ref){ .st = st, .arm = "after" };
	assert_ok(f, sb_store_find_run(st, a, &ref[0].run_key, &f->err));
	assert_ok(f, sb_store_find_run(st, b, &ref[1].run_key, &f->err));
	status = sb_old_runs_build(ref, out, &f->err);
	sb_store_close(st);
	return status;
}

static void two_arms_of_one_run_tell_once_how_far_runs_are_apart(void **state)
{
	static const struct spec specs[] = { { .ms = { 10, 11, 12 }, .both = true },
		{ .ms = { 20, 21, 23 }, .both = true }, { .ms = { 11, 12, 14 }, .both = true } };
	struct fixture *f = *state;
	struct sb_old_runs one, two;

	make(f, specs, SB_ARRAY_LEN(specs));
	assert_ok(f, build(f, "0000", "0100", "after", &one));
	assert_ok(f, build_arms(f, "0000", "0100", &two));
	assert_true(one.rows[0].df == 2 && two.rows[0].df == 2);
	assert_true(fabs(one.rows[0].between.v - two.rows[0].between.v) < 1e-12);
	assert_true(fabs(one.rows[0].ratio.lo - two.rows[0].ratio.lo) < 1e-9);
	sb_old_runs_release(&one);
	sb_old_runs_release(&two);
}

static void runs_of_one_process_have_the_variance_of_whole_runs(void **state)
{
	static const struct spec specs[] = { { .ms = { 10 } }, { .ms = { 20 } }, { .ms = { 40 } } };
	struct fixture *f = *state;
	double half = 4.302652729749462 * sqrt(2.0) * log(2.0); /* t of 2; sd of log 10, log 20, log 40 is log 2 */
	struct sb_old_runs r;

	make(f, specs, SB_ARRAY_LEN(specs));
	assert_ok(f, build(f, "0000", "0100", NULL, &r));
	assert_true(r.rows[0].ratio.has_interval);
	assert_true(fabs(r.rows[0].ratio.estimate.v - 2.0) < 1e-9);
	assert_true(fabs(log(r.rows[0].ratio.hi) - log(2.0) - half) < 1e-6);
	assert_true(fabs(log(r.rows[0].ratio.lo) - log(2.0) + half) < 1e-6);
	sb_old_runs_release(&r);
}

static void without_that_there_is_no_interval_and_it_is_said(void **state)
{
	static const struct spec specs[] = { { .ms = { 10, 11, 12 } }, { .ms = { 20, 21, 23 }, .build = "b2" },
		{ .ms = { 10, 11, 13 }, .cpu = "d" } };
	struct fixture *f = *state;
	struct sb_old_runs r;

	make(f, specs, SB_ARRAY_LEN(specs));
	assert_ok(f, build(f, "0000", "0100", NULL, &r));
	assert_false(r.rows[0].ratio.has_interval);
	assert_non_null(r.why_no_interval);
	assert_null(r.machines);
	sb_old_runs_release(&r);
	assert_ok(f, build(f, "0000", "0200", NULL, &r));
	assert_false(r.rows[0].ratio.has_interval);
	assert_non_null(strstr(r.machines, "cpu: c and d"));
	sb_old_runs_release(&r);
}

static void runs_of_different_things_are_refused(void **state)
{
	static const struct spec specs[] = { { .ms = { 10 } }, { .ms = { 10 }, .clip = "fedcba9876543210" },
		{ .ms = { 10 }, .preset = "full" }, { .ms = { 10 }, .outcome = "failed" },
		{ .ms = { 10 }, .metric = "cold_wall_ns" } };
	struct fixture *f = *state;
	struct sb_old_runs r;

	make(f, specs, SB_ARRAY_LEN(specs));
	assert_refused(f, "0000", "0100", SB_E_USAGE, "clip: 0123456789abcdef and fedcba9876543210");
	assert_refused(f, "0000", "0200", SB_E_USAGE, "preset: tiny and full");
	assert_refused(f, "0000", "0300", SB_E_DATA, "no timing trial that ended well");
	assert_refused(f, "0000", "0400", SB_E_DATA, "no metric in common");
	assert_refused(f, "0000", "0000", SB_E_USAGE, "cannot be compared with itself");
	assert_int_equal(build(f, "0000", "0100", "nope", &r), SB_E_USAGE);
	assert_non_null(strstr(f->err.msg, "no arm 'nope'"));
}

/* A process's trials lie in three places 1 % apart, which its median does not show; processes drift by 0.1 % each. */
static void cautions_are_of_processes_where_there_are_six(void **state)
{
	static const struct spec specs[] = { { .ms = { 10, 10.02, 10.01, 10.03, 10, 10.01, 10.02, 10 } },
		{ .ms = { 10, 10.01, 10.02, 10.03, 10.04, 10.05, 10.06, 10.07 } },
		{ .ms = { 10, 10.01, 10.02, 10.03, 10.04 } } };
	struct fixture *f = *state;
	struct sb_old_runs r;

	make(f, specs, SB_ARRAY_LEN(specs));
	assert_ok(f, build(f, "0000", "0100", NULL, &r));
	assert_int_equal(r.rows[0].cautions, SB_CAUTION_DRIFTING);
	sb_old_runs_release(&r);
	assert_ok(f, build(f, "0100", "0200", NULL, &r)); /* trials of both: one side has too few processes */
	assert_true(r.rows[0].cautions & SB_CAUTION_TWO_MODES);
	sb_old_runs_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		        what_differs_between_runs_is_in_the_interval, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		        a_planted_slowdown_is_not_what_differs_between_runs, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		        two_arms_of_one_run_tell_once_how_far_runs_are_apart, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		        runs_of_one_process_have_the_variance_of_whole_runs, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		        without_that_there_is_no_interval_and_it_is_said, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		        cautions_are_of_processes_where_there_are_six, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(runs_of_different_things_are_refused, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
