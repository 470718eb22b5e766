/* spabench.ini: what it may say, and that everything else is refused with file and line. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gate_rules.h"
#include "scratch_folder.h"

struct read {
	struct sb_gate_rules rules;
	double budget_s;
	int trials;
	struct sb_error err;
	enum sb_status status;
};

static void read_text(const char *text, struct read *r)
{
	const char *path = in_folder("x.ini");
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	*r = (struct read){ .budget_s = 60.0, .trials = 3 };
	r->status = sb_gate_rules_read(path, &r->rules, &r->budget_s, &r->trials, &r->err);
}

static void everything_there_is(void **state)
{
	struct read r;

	(void)state;
	read_text("; of the nightly runner\n[gate]\nalpha = 0.5\nbeta = 5 %\nmax_pairs = 24\nbudget = 120\ntrials = 5\n"
	          "correction = by\n\n[thresholds]\ntotal = 2 %\nstage.*=3.5\nmemory.* = off\npeak reserved = 0\n",
	        &r);
	if (r.status)
		fail_msg("%s", r.err.msg);
	assert_true(fabs(r.rules.alpha - 0.005) < 1e-12 && fabs(r.rules.beta - 0.05) < 1e-12);
	assert_true(r.rules.max_pairs == 24 && r.budget_s == 120.0 && r.trials == 5);
	assert_int_equal(r.rules.correction, SB_GATE_BY);
	assert_int_equal(r.rules.n, 4);
	assert_string_equal(r.rules.threshold[0].pattern, "total");
	assert_true(fabs(r.rules.threshold[0].threshold - 0.02) < 1e-12);
	assert_true(fabs(r.rules.threshold[1].threshold - 0.035) < 1e-12);
	assert_true(isnan(r.rules.threshold[2].threshold));
	assert_string_equal(r.rules.threshold[3].pattern, "peak reserved");
	assert_true(r.rules.threshold[3].threshold == 0.0);
	assert_string_equal(r.rules.threshold[3].from, "spabench.ini");
}

static void an_empty_file_changes_nothing(void **state)
{
	struct read r;

	(void)state;
	read_text("", &r);
	assert_int_equal(r.status, SB_OK);
	assert_true(r.rules.n == 0 && r.budget_s == 60.0 && r.trials == 3 && r.rules.max_pairs == 0);
}

static void what_it_cannot_say_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "[gate]\npairs = 3\n", "x.ini, line 2: [gate] has no key 'pairs'; there are alpha, beta" },
		{ "[thresholds]\ntotal = 101\n", "x.ini, line 2: total '101' is not a number from 0 to 100" },
		{ "[thresholds]\n\ntotal = -1 %\n", "x.ini, line 3: total '-1' is not a number from 0 to 100" },
		{ "[thresholds]\ntotal = nan\n", "x.ini, line 2: total 'nan' is not a number" },
		{ "[thresholds]\ntotal = 2 percent\n", "x.ini, line 2: total '2 percent' is not a number" },
		{ "[thresholds]\ntotal =\n", "x.ini, line 2: total '' is not a number" },
		{ "[gate]\nalpha = 0\n", "x.ini, line 2: alpha '0' is not above 0 %" },
		{ "[gate]\nbeta = 0.0 %\n", "x.ini, line 2: beta '0.0 %' is not above 0 %" },
		{ "[gate]\nbudget = 0x10\n", "x.ini, line 2: budget '0x10' is not a number from 0" },
		{ "[gate]\nalpha = 200\n", "x.ini, line 2: alpha '200' is not a number from 0 to 100" },
		{ "[gate]\nmax_pairs = 65\n", "x.ini, line 2: max_pairs" },
		{ "[gate]\nmax_pairs = 1.5\n", "x.ini, line 2: max_pairs" },
		{ "[gate]\ncorrection = bonferroni\n", "x.ini, line 2: correction 'bonferroni': there are bh and by" },
		{ "[limits]\ntotal = 2\n", "x.ini, line 2: no section [limits]; there are [gate] and [thresholds]" },
		{ "total = 2\n", "x.ini, line 1: no section []" },
		{ "[thresholds]\nnonsense\n", "x.ini, line 2: neither [section] nor key = value" },
		{ "[gate\nalpha = 1\n", "x.ini, line 1: neither [section] nor key = value" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct read r;

		read_text(cases[i].text, &r);
		assert_int_equal(r.status, SB_E_USAGE);
		if (!strstr(r.err.msg, cases[i].message))
			fail_msg("'%s' is not in '%s'", cases[i].message, r.err.msg);
	}
}

static void the_first_wrong_line_is_named(void **state)
{
	struct read r;

	(void)state;
	read_text("[thresholds]\na = 1\nb = 1000\nc = 2000\n", &r);
	assert_non_null(strstr(r.err.msg, "line 3: b '1000'"));
}

static void too_many_thresholds_are_refused(void **state)
{
	char text[4096] = "[thresholds]\n";
	struct read r;

	(void)state;
	for (int i = 0; i <= SB_GATE_RULES_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "m%d = 1\n", i);
	read_text(text, &r);
	assert_int_equal(r.status, SB_E_USAGE);
	assert_non_null(strstr(r.err.msg, "more than 96 thresholds"));
}

static void files_that_are_none(void **state)
{
	struct sb_gate_rules rules = { .n = 0 };
	struct sb_error err;
	double budget = 0.0;
	int trials = 0;

	(void)state;
	assert_int_equal(sb_gate_rules_read(in_folder("none.ini"), &rules, &budget, &trials, &err), SB_E_USAGE);
	assert_non_null(strstr(err.msg, "none.ini': "));
	assert_int_equal(sb_gate_rules_read(folder, &rules, &budget, &trials, &err), SB_E_USAGE);
	assert_int_equal(sb_gate_rules_read(NULL, &rules, &budget, &trials, &err), SB_OK); /* there is none here */
}

static void thresholds_of_the_command_line(void **state)
{
	struct sb_gate_rules rules = { .n = 0 };
	struct sb_error err;

	(void)state;
	assert_int_equal(sb_gate_rules_add("peak reserved=5%", "the command line", &rules, &err), SB_OK);
	assert_string_equal(rules.threshold[0].pattern, "peak reserved");
	assert_true(fabs(rules.threshold[0].threshold - 0.05) < 1e-12);
	assert_int_equal(sb_gate_rules_add("total", "the command line", &rules, &err), SB_E_USAGE);
	assert_string_equal(err.msg, "'total' is not METRIC=PERCENT");
	assert_int_equal(sb_gate_rules_add("=5", "the command line", &rules, &err), SB_E_USAGE);
	assert_int_equal(sb_gate_rules_add("total=101", "the command line", &rules, &err), SB_E_USAGE);
	assert_int_equal(rules.n, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
	const struct CMUnitTest tests[] = {
		T(everything_there_is),
		T(an_empty_file_changes_nothing),
		T(what_it_cannot_say_is_refused_with_its_line),
		T(the_first_wrong_line_is_named),
		T(too_many_thresholds_are_refused),
		T(files_that_are_none),
		T(thresholds_of_the_command_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
