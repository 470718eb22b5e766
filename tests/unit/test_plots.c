/* Plots: the figures in their files of data are those of the database, and where it has little, what lacks is said. */
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
#include "timeline_bins.h"

/* ---- figures -------------------------------------------------------------------------------------------------------
 */

static void medians_are_those_of_the_database(void **state)
{
	static const char db[] = EXAMPLES "h200-full.db";
	struct made m;
	char *arms, *stages;
	int n;

	(void)state;
	read_run(db, &m);
	must_plot(&m, &without);
	arms = text_of(&m, "arms.dat");
	assert_non_null(arms);
	for (int a = 0; a < m.run.n_arms; a++) {
		const char *arm = m.run.arms[a].name;

		close_to(number(arms, 2, arm, 3), sql_median(db, of_timing, arm, "wall_ns", &n) / 1e6);
		assert_int_equal((int)number(arms, 2, arm, 11), n);
		close_to(number(arms, 2, arm, 6),
		        (sql_median(db, of_timing, arm, "memory.weights_bytes", NULL) +
		                sql_median(db, of_timing, arm, "memory.allocated_peak_bytes", NULL)) /
		                GIB);
	}
	stages = text_of(&m, "stages.dat");
	assert_non_null(stages);
	close_to(number(stages, 2, "front.dino", 3),
	        sql_median(db, of_timing, "before", "stage.front.dino_ns", NULL) / 1e6);
	close_to(number(stages, 2, "track.update", 7),
	        sql_median(db, of_timing, "after", "stage.track.update_ns", NULL) / 1e6);
	free(arms);
	free(stages);
	end(&m);
}

static void kernels_are_those_of_the_roll_ups(void **state)
{
	static const char db[] = EXAMPLES "h200-full.db";
	static const char sql[] =
	        "SELECT sum(dur_ns) FROM rollup_text JOIN trial ON trial.id = rollup_text.trial JOIN arm "
	        "ON arm.run = trial.run AND arm.idx = trial.arm WHERE arm.name = ?1 AND stage = "
	        "'front.aggregator' AND op = 'linear' AND rollup_text.name LIKE ?2 GROUP BY trial.id";
	static const char all[] =
	        "SELECT sum(dur_ns) FROM rollup_text JOIN trial ON trial.id = rollup_text.trial JOIN arm "
	        "ON arm.run = trial.run AND arm.idx = trial.arm WHERE arm.name = ?1 AND ?2 = '' AND "
	        "rollup_text.kind IS NOT 'api' GROUP BY trial.id";
	struct made m;
	char *text;
	double sum = 0;

	(void)state;
	read_run(db, &m);
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "kernels" });
	text = text_of(&m, "kernels.dat");
	assert_non_null(text);
	close_to(number(text, 2, "front.aggregator, linear", 5), sql_median(db, sql, "before", "%", NULL) / 1e6);
	close_to(number(text, 2, "front.aggregator, linear", 8), sql_median(db, sql, "after", "%", NULL) / 1e6);
	/* The rows and the rest are the whole pass, but for medians, which do not add up to the digit. */
	for (int row = 1; row <= 13; row++) {
		char key[8];
		double x;

		snprintf(key, sizeof(key), "%d", row);
		x = number(text, 1, key, 5);
		sum += isfinite(x) ? x : 0;
	}
	assert_true(fabs(sum / (sql_median(db, all, "before", "", NULL) / 1e6) - 1) < 2e-3);
	free(text);
	end(&m);
}

static void trials_stand_in_their_order_with_clock_and_power(void **state)
{
	static const char db[] = EXAMPLES "h200-full.db";
	struct made m;
	char *text;
	double power = NAN, wall = NAN;
	size_t n = 0, last = 0;
	char key[16];

	(void)state;
	read_run(db, &m);
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "trials" });
	for (size_t i = 0; i < m.trials.n; i++) {
		if (m.trials.v[i].trace)
			continue;
		n++;
		last = i;
	}
	power = m.samples.value[last * m.samples.n_metrics + (size_t)sb_samples_metric(&m.samples, "device.power_w")];
	wall = m.samples.value[last * m.samples.n_metrics + (size_t)sb_samples_metric(&m.samples, "wall_ns")];
	text = text_of(&m, "trials.dat");
	assert_non_null(text);
	snprintf(key, sizeof(key), "%zu", n);
	close_to(number(text, 1, key, 5), wall / 1e6);
	close_to(number(text, 1, key, 9), power);
	snprintf(key, sizeof(key), "%zu", n + 1);
	assert_null(cell(text, 1, key, 5));
	free(text);
	end(&m);
}

static void no_peak_is_lost_where_memory_is_thinned_out(void **state)
{
	struct made m;
	struct sb_plots_input in;
	static struct sb_bins bins;
	const char *why;
	int64_t peak[2] = { 0, 0 }, events = 0;
	int trial;

	(void)state;
	read_run(EXAMPLES "h200-offload.db", &m);
	in = (struct sb_plots_input){ m.st, &m.run, &m.trials, &m.samples, &m.summary };
	trial = sb_timeline_trial(&in, 0, &why);
	assert_true(trial >= 0);
	assert_true(sb_timeline_bins(&in, trial, sb_timeline_end(&in, trial) / (SB_BINS - 1) + 1, &bins));
	assert_true(bins.n > SB_BINS / 2 && bins.n <= SB_BINS);
	for (int i = 0; i < bins.n; i++) {
		peak[0] = bins.v[i].allocated[1] > peak[0] ? bins.v[i].allocated[1] : peak[0];
		peak[1] = bins.v[i].reserved[1] > peak[1] ? bins.v[i].reserved[1] : peak[1];
		assert_true(bins.v[i].allocated[0] <= bins.v[i].allocated[1]);
		assert_true(bins.v[i].allocated[1] <= bins.v[i].reserved[1]);
		events += bins.v[i].allocated[0] != bins.v[i].allocated[1];
	}
	assert_true(events > 50);
	close_to((double)peak[0], sb_plot_sample(&in, (size_t)trial, "memory.allocated_peak_bytes"));
	close_to((double)peak[1], sb_plot_sample(&in, (size_t)trial, "memory.reserved_peak_bytes"));
	assert_true(bins.n_stages > 5);
	assert_string_equal(bins.stages[0].name, "front.preprocess");
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "memory" });
	assert_true(is_there(&m, "memory.dat"));
	assert_false(bins.requested); /* of a version that did not record it: a dashed line at its peak */
	end(&m);
}

static void an_arm_that_takes_far_less_has_a_scale_of_its_own(void **state)
{
	static const char db[] = EXAMPLES "h200-switches.db";
	static const char of_nine_arms[] = "SELECT value FROM sample_text WHERE arm = ?1 AND metric = ?2 AND "
	                                   "kind = 'timing' AND outcome = 'ok' AND run IN (SELECT run.uid FROM run "
	                                   "JOIN arm ON arm.run = run.id GROUP BY run.id HAVING count(*) = 9)";
	struct made m;
	char *text, wanted[64], top[32] = "";

	(void)state;
	read_run(db, &m);
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "memory" });
	text = text_of(&m, "memory.var");
	assert_non_null(text);
	assert_non_null(strstr(text, "panels = 3\n"));
	assert_non_null(strstr(text, "panel_side[3] = 2\n"));
	snprintf(wanted, sizeof(wanted), "panel_top[3] = %.6g\n",
	        1.12 * sql_median(db, of_nine_arms, "after", "memory.reserved_peak_bytes", NULL) / GIB);
	if (!strstr(text, wanted))
		fail_msg("no '%s' in %s", wanted, text);
	memcpy(top, strstr(text, "panel_top[1] = "), sizeof(top) - 1); /* both arms to the scale of the larger */
	assert_non_null(strstr(text, strtok(top, "\n")));
	top[10] = '2';
	assert_non_null(strstr(text, top));
	assert_true(strtod(top + 15, NULL) > 20 * strtod(wanted + 15, NULL));
	free(text);
	end(&m);
	read_run(EXAMPLES "h200-offload.db", &m); /* two arms of much the same memory */
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "memory" });
	text = text_of(&m, "memory.var");
	assert_non_null(strstr(text, "panels = 2\n"));
	free(text);
	end(&m);
}

static int lines_that_end(const char *text, const char *with)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, with)); at++)
		n++;
	return n;
}

/* Nine arms: two rates of products and of convolutions, four of attention, five passes that can be told apart. */
static void points_that_cannot_be_told_apart_have_one_name(void **state)
{
	struct made m;
	char *text;

	(void)state;
	read_run(EXAMPLES "h200-switches.db", &m);
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "roofline" });
	text = text_of(&m, "roofline.dat");
	assert_non_null(text);
	assert_int_equal(lines_that_end(text, "\n") - 2, 9 * 4);
	assert_int_equal(lines_that_end(text, "\tgemm\n"), 2);
	assert_int_equal(lines_that_end(text, "\tconv\n"), 2);
	assert_int_equal(lines_that_end(text, "\tattention\n"), 4);
	assert_int_equal(lines_that_end(text, "\twhole pass\n"), 5);
	assert_int_equal(lines_that_end(text, "\t \n"), 9 * 4 - 13);
	free(text);
	end(&m);
}

static void fragmentation_is_of_the_peaks(void **state)
{
	static const char db[] = EXAMPLES "h200-churn.db";
	struct made m;
	char *text, wanted[64];
	double active, reserved;

	(void)state;
	read_run(db, &m);
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "fragmentation" });
	text = text_of(&m, "fragmentation.dat");
	assert_non_null(text);
	active = sql_median(db, of_timing, "+precision+attention", "memory.active_peak_bytes", NULL);
	reserved = sql_median(db, of_timing, "+precision+attention", "memory.reserved_peak_bytes", NULL);
	close_to(number(text, 2, "default", 4), active / GIB);
	close_to(number(text, 2, "default", 5), reserved / GIB);
	snprintf(wanted, sizeof(wanted), "fragmentation %.1f %%", 100 * (1 - active / reserved));
	assert_non_null(strstr(cell(text, 2, "default", 8), wanted));
	free(text);
	end(&m);
}

/* ---- runs in which little is there ---------------------------------------------------------------------------------
 */

static void a_run_without_a_trial_has_reasons_for_every_plot(void **state)
{
	struct fixture fx;
	struct made m;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "synthetic", NULL);
	close_fixture(&fx);
	read_run(fx.path, &m);
	must_plot(&m, NULL);
	assert_int_equal(m.plots.n, 12);
	for (size_t i = 0; i < m.plots.n; i++) {
		assert_non_null(m.plots.v[i].absent);
		assert_true(strlen(m.plots.v[i].absent) > 10);
	}
	expect_absent(&m, "arms", "no arm has a timing trial that was ok");
	expect_absent(&m, "sweep", "--frames N");
	end_fixture(&fx, &m);
}

static void failed_trials_alone_are_no_plot(void **state)
{
	struct fixture fx;
	struct made m;

	(void)state;
	fx_open(&fx, "before,after", "tracker", "synthetic", NULL);
	fx_trial(&fx, 0, 0, FX_TIMING, "crashed", "killed by signal 11");
	fx_trial(&fx, 1, 0, FX_TIMING, "oom", "no room");
	close_fixture(&fx);
	read_run(fx.path, &m);
	must_plot(&m, NULL);
	expect_absent(&m, "trials", "no timing trial was ok");
	expect_absent(&m, "time-memory", "no arm has");
	expect_absent(&m, "claims", "no claim has a figure");
	end_fixture(&fx, &m);
}

static void one_arm_has_the_plots_that_need_no_other(void **state)
{
	struct fixture fx;
	struct made m;
	char *text;

	(void)state;
	add_one_arm(&fx, "before");
	close_fixture(&fx);
	read_run(fx.path, &m);
	must_plot(&m, &without);
	text = text_of(&m, "stages.dat");
	assert_non_null(text);
	close_to(number(text, 2, "front.dino", 3), 13);
	assert_string_equal(cell(text, 2, "front.dino", 7), "NaN");
	expect_absent(&m, "kernels", "no trace trial");
	expect_absent(&m, "memory", "--trace-blocks");
	expect_absent(&m, "fragmentation", "--workload churn");
	free(text);
	end_fixture(&fx, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(medians_are_those_of_the_database),
		cmocka_unit_test(kernels_are_those_of_the_roll_ups),
		cmocka_unit_test(trials_stand_in_their_order_with_clock_and_power),
		cmocka_unit_test(no_peak_is_lost_where_memory_is_thinned_out),
		cmocka_unit_test(an_arm_that_takes_far_less_has_a_scale_of_its_own),
		cmocka_unit_test(points_that_cannot_be_told_apart_have_one_name),
		cmocka_unit_test(fragmentation_is_of_the_peaks),
		cmocka_unit_test(a_run_without_a_trial_has_reasons_for_every_plot),
		cmocka_unit_test(failed_trials_alone_are_no_plot),
		cmocka_unit_test(one_arm_has_the_plots_that_need_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
