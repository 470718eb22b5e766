/*
 * Pictures: every script draws, whatever a name is it stays a name, and a gnuplot that is missing, fails or hangs costs
 * its pictures and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "plots_fixture.h"

static const char hostile[] = "<script>{/=40 a_b} it's `touch pwned` \"q\" \\ $x @y %s</script>\t\n\x01\x1b[31m \xff";

/* ---- gnuplot -------------------------------------------------------------------------------------------------------
 */

static void put_program(struct made *m, const char *name, const char *text, char path[128])
{
	FILE *f;

	snprintf(path, 128, "%s/%s", m->folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static void without_gnuplot_the_data_stay(void **state)
{
	struct made m;
	char *path = sb_strdup(getenv("PATH"));

	(void)state;
	read_run(EXAMPLES "h200-full.db", &m);
	setenv("PATH", m.folder, 1);
	must_plot(&m, NULL);
	setenv("PATH", path, 1);
	free(path);
	assert_string_equal(m.plots.absent, "gnuplot is not installed");
	expect_absent(&m, "stages", "gnuplot is not installed");
	assert_true(is_there(&m, "stages.dat") && is_there(&m, "stages.gp") && is_there(&m, "stages.var"));
	assert_true(is_there(&m, "style.gp"));
	end(&m);
}

static void what_a_failing_gnuplot_says_is_told(void **state)
{
	struct made m;
	char program[128];

	(void)state;
	read_run(EXAMPLES "h200-full.db", &m);
	put_program(&m, "gnuplot",
	        "#!/bin/sh\n[ \"$2\" = arms.gp ] || exit 0\necho half >arms.svg\n"
	        "printf 'gnuplot> bad\\n          ^\\n\"arms.gp\" line 3: \\033]no\\n\\n' >&2\nexit 3\n",
	        program);
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = program });
	expect_absent(&m, "arms", "gnuplot failed with status 3: \"arms.gp\" line 3: \\x1b]no");
	assert_false(is_there(&m, "arms.svg"));
	expect_absent(&m, "stages", "gnuplot wrote no whole picture");
	end(&m);
}

static void a_hanging_gnuplot_is_ended_with_what_it_started(void **state)
{
	struct made m;
	char program[128], *pid;
	int64_t start;
	int hung = 0, spared = 0;

	(void)state;
	read_run(EXAMPLES "h200-full.db", &m);
	put_program(&m, "gnuplot", "#!/bin/sh\nsleep 600 &\necho $! >child\nwait\n", program);
	start = sb_now_ns();
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = program, .limit_ms = 400 });
	assert_true(sb_now_ns() - start < INT64_C(20000000000));
	for (size_t i = 0; i < m.plots.n; i++) {
		hung += strstr(m.plots.v[i].absent, "gnuplot was ended after 0.4 s") != NULL;
		spared += strstr(m.plots.v[i].absent, "not started again after it hung") != NULL;
	}
	assert_int_equal(hung, 2);
	assert_int_equal(spared, 5);
	pid = text_of(&m, "child");
	assert_non_null(pid);
	for (int i = 0; i < 100 && sb_process_lives(atoi(pid), NULL) && sb_process_start(atoi(pid), program, 128); i++)
		sb_sleep_ns(10000000);
	assert_false(sb_process_start(atoi(pid), program, 128));
	free(pid);
	end(&m);
}

static bool at_once(void)
{
	return true;
}

static void an_interrupt_ends_it(void **state)
{
	struct made m;
	char program[128];
	struct sb_error err;

	(void)state;
	read_run(EXAMPLES "h200-full.db", &m);
	put_program(&m, "gnuplot", "#!/bin/sh\nexec sleep 600\n", program);
	assert_int_equal(
	        plot(&m, &(struct sb_plots_options){ .gnuplot = program, .stop = at_once }, &err), SB_E_INTERRUPTED);
	assert_int_equal(m.plots.n, 0);
	end(&m);
}

static void one_plot_alone_and_none_of_that_name(void **state)
{
	struct made m;
	struct sb_error err;

	(void)state;
	read_run(EXAMPLES "h200-full.db", &m);
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "claims" });
	assert_int_equal(m.plots.n, 1);
	assert_true(is_there(&m, "claims.dat"));
	assert_false(is_there(&m, "stages.dat"));
	sb_plots_release(&m.plots);
	assert_int_equal(plot(&m, &(struct sb_plots_options){ .only = "no such" }, &err), SB_E_USAGE);
	assert_string_equal(err.msg, "there is no plot 'no such'");
	end(&m);
}

/* ---- pictures ------------------------------------------------------------------------------------------------------
 */

static void every_script_draws(void **state)
{
	static const struct {
		const char *db;
		const char *ids[8];
	} of[] = {
		{ "h200-full.db", { "claims", "stages", "trials", "kernels", "arms", "time-memory", "effects" } },
		{ "h200-before-after.db", { "roofline" } },
		{ "h200-switches.db", { "memory", "sweep", "capacity", "roofline" } },
		{ "h200-churn.db", { "fragmentation" } },
	};

	(void)state;
	skip_without_gnuplot();
	for (size_t i = 0; i < SB_ARRAY_LEN(of); i++) {
		struct made m;
		char path[128];
		size_t bytes = 0;

		snprintf(path, sizeof(path), EXAMPLES "%s", of[i].db);
		read_run(path, &m);
		must_plot(&m, NULL);
		for (size_t k = 0; k < SB_ARRAY_LEN(of[i].ids) && of[i].ids[k]; k++) {
			const struct sb_plot_made *p = named(&m, of[i].ids[k]);

			if (p->absent)
				fail_msg("'%s': %s", p->id, p->absent);
			check_svg(p);
			bytes += strlen(p->svg_text);
			assert_non_null(strstr(p->caption, "NVIDIA H200"));
			assert_non_null(strstr(p->caption, "run "));
			assert_non_null(strstr(p->svg_text, "NVIDIA H200, run "));
			assert_non_null(p->png);
			assert_true(is_there(&m, p->png));
		}
		assert_true(bytes < 1500000);
		end(&m);
	}
}

static void rollup_trial(struct fixture *fx, int arm, int block, const char *name)
{
	const struct sb_rollup r[] = { { name, "linear", "gemm", name, 3, 5000000, 0 },
		{ "front.dino", "linear", "gemm", name, 1, 2000000, 0 } };
	struct sb_trial_row t = { .worker = fx->worker,
		.arm = arm,
		.block = block,
		.kind = "trace",
		.outcome = "ok",
		.trace_complete = true,
		.rollup = r,
		.n_rollup = 2 };
	struct sb_error err;

	fx_must(sb_store_add_trial(fx->st, fx->run, &t, &err), &err);
}

static void names_stay_names(void **state)
{
	struct fixture fx;
	struct made m;
	char *text, *pwned;

	(void)state;
	skip_without_gnuplot();
	add_one_arm(&fx, "before,after");
	for (int block = 0; block < 7; block++) {
		fx_wall(&fx, 1, block, 50 + block);
		rollup_trial(&fx, 0, block, hostile);
	}
	close_fixture(&fx);
	sql_run(fx.path, "UPDATE arm SET name = ?1 WHERE idx = 0", hostile);
	sql_run(fx.path, "UPDATE worker SET device_name = ?1", hostile);
	read_run(fx.path, &m);
	must_plot(&m, NULL);
	for (size_t i = 0; i < m.plots.n; i++) {
		const struct sb_plot_made *p = &m.plots.v[i];

		if (p->absent && strstr(p->absent, "gnuplot"))
			fail_msg("'%s': %s", p->id, p->absent);
		if (!p->absent)
			check_svg(p);
	}
	assert_null(named(&m, "arms")->absent);
	assert_null(named(&m, "kernels")->absent);
	assert_null(named(&m, "trials")->absent);
	/* Enhanced text would have taken the braces away. */
	assert_non_null(strstr(named(&m, "kernels")->svg_text, "<text>&lt;script>{/=40 a_b} it.s .touch pwned."));
	text = text_of(&m, "arms.dat");
	assert_null(strchr(text, '\x01'));
	assert_null(strchr(text, '`'));
	free(text);
	pwned = text_of(&m, "pwned");
	assert_null(pwned);
	end_fixture(&fx, &m);
}

static void what_is_drawn_for_paper_is_made_fit_for_a_page(void **state)
{
	struct sb_buf b = { 0 };

	(void)state;
	assert_false(sb_plot_svg("<svg width=\"1\"", &b));
	assert_false(sb_plot_svg("", &b));
	assert_true(sb_plot_svg(
	        "<?xml?><svg width=\"9\">\n<title>Gnuplot</title><desc>x</desc>"
	        "<rect x=\"0\" y=\"0\" width=\"9\" height=\"9\" fill=\"#ffffff\"/>"
	        "<g fill=\"none\" color=\"black\">\n</g>\n<g fill=\"none\" color=\"black\">\n<path/></g></svg>",
	        &b));
	assert_null(strstr(b.s, "title"));
	assert_null(strstr(b.s, "#ffffff"));
	assert_non_null(strstr(b.s, "<svg class=\"sb-plot\" width=\"9\">"));
	assert_non_null(strstr(b.s, "<g fill=\"none\" color=\"black\">\n<path/></g></svg>"));
	assert_null(strstr(b.s, "black\">\n</g>"));
	sb_buf_release(&b);
}

static void an_arm_looks_the_same_in_every_run(void **state)
{
	struct sb_run_arm arms[] = { { (char *)(uintptr_t) "after", NULL }, { (char *)(uintptr_t) "mine", NULL },
		{ (char *)(uintptr_t) "yours", NULL } };
	struct sb_run_arm other[] = { { (char *)(uintptr_t) "before", NULL }, { (char *)(uintptr_t) "after", NULL } };
	struct sb_run a = { .arms = arms, .n_arms = 3 }, b = { .arms = other, .n_arms = 2 };

	(void)state;
	assert_int_equal(sb_plot_look(&a, 0).rgb, sb_plot_look(&b, 1).rgb);
	assert_int_equal(sb_plot_look(&a, 0).mark, sb_plot_look(&b, 1).mark);
	assert_int_not_equal(sb_plot_look(&a, 1).rgb, sb_plot_look(&a, 0).rgb);
	assert_int_not_equal(sb_plot_look(&a, 1).rgb, sb_plot_look(&a, 2).rgb);
	assert_int_not_equal(sb_plot_look(&a, 1).rgb, sb_plot_look(&b, 0).rgb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_gnuplot_the_data_stay),
		cmocka_unit_test(what_a_failing_gnuplot_says_is_told),
		cmocka_unit_test(a_hanging_gnuplot_is_ended_with_what_it_started),
		cmocka_unit_test(an_interrupt_ends_it),
		cmocka_unit_test(one_plot_alone_and_none_of_that_name),
		cmocka_unit_test(every_script_draws),
		cmocka_unit_test(names_stay_names),
		cmocka_unit_test(what_is_drawn_for_paper_is_made_fit_for_a_page),
		cmocka_unit_test(an_arm_looks_the_same_in_every_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
