/* Plots of several runs: time and memory against frames, the largest clip under limits of memory. */
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

/* ---- several runs ---------------------------------------------------------------------------------------------------
 */

/* A run of so many frames under a limit of memory: arm `before`, a trial that is ok with that time, or out of memory.
 */
static void add_run(struct sb_store *st, int n, int frames, long limit, double ms)
{
	static const char *const names[] = { "before" };
	static const char *const levels[] = { "precision.gemm=fp32,precision.conv=fp32,precision.attention=fp32,"
		                              "attention=standard,alloc=default" };
	char id[40], params[96], plan[64];
	struct sb_run_row run = { .id = id, .created_ns = n, .command = "spabench run", .plan = plan };
	struct sb_case_row c = {
		.workload = "tracker", .preset = "tiny", .params = params, .weights_kind = "synthetic"
	};
	struct sb_worker_row w = { .exe = "spabench", .build_id = "b", .purpose = "timing", .device_name = "cpu" };
	const struct sb_sample samples[] = { { "wall_ns", sb_value_of(ms * MS) },
		{ "memory.weights_bytes", sb_value_of(2 * GIB) },
		{ "memory.allocated_peak_bytes", sb_value_of(frames * GIB) } };
	struct sb_trial_row t = {
		.kind = "timing", .outcome = ms > 0 ? "ok" : "oom", .samples = samples, .n_samples = ms > 0 ? 3 : 0
	};
	struct sb_error err;
	int64_t key;

	snprintf(id, sizeof(id), "%032x", n);
	snprintf(params, sizeof(params), "{\"frames\":%d,\"width\":252,\"height\":140}", frames);
	snprintf(plan, sizeof(plan), "{\"memory_limit\":%ld}", limit);
	fx_must(sb_store_begin_run(st, &run, &c, names, levels, 1, &key, &err), &err);
	fx_must(sb_store_add_worker(st, key, &w, &t.worker, &err), &err);
	fx_must(sb_store_add_trial(st, key, &t, &err), &err);
	fx_must(sb_store_end_run(st, key, "complete", &err), &err);
}

/* The last run is the newest, and the one that the plots are of. */
static void make_runs(char path[64])
{
	struct sb_store *st = NULL;
	struct sb_error err;
	int fd;

	strcpy(path, "/tmp/sb_plots_db_XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	fx_must(sb_store_open(path, SB_STORE_WRITE, &st, &err), &err);
	add_run(st, 1, 4, 0, 10);
	add_run(st, 2, 4, 0, 20); /* newer than the one before, which no longer counts */
	add_run(st, 3, 8, 0, 40);
	add_run(st, 4, 16, 0, -1);
	add_run(st, 5, 12, 8L << 30, 60);
	add_run(st, 6, 16, 8L << 30, -1);
	add_run(st, 7, 6, 4L << 30, 30);
	add_run(st, 9, 10, 16L << 30, 50);
	add_run(st, 8, 6, 0, 30);
	sb_store_close(st);
}

static void runs_of_other_frames_are_a_sweep(void **state)
{
	struct made m;
	char path[64], *text;

	(void)state;
	make_runs(path);
	read_run(path, &m);
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "sweep" });
	text = text_of(&m, "sweep.dat");
	assert_non_null(text);
	close_to(number(text, 1, "4", 2), 0.020);
	close_to(number(text, 1, "6", 2), 0.030);
	close_to(number(text, 1, "8", 5), 10);
	assert_string_equal(cell(text, 1, "16", 2), "NaN");
	assert_string_equal(cell(text, 1, "16", 7), "1");
	assert_null(cell(text, 1, "12", 2)); /* under a limit that this run had not */
	free(text);
	end(&m);
	unlink(path);
}

static void runs_under_limits_of_memory_are_a_capacity(void **state)
{
	struct made m;
	char path[64], *text;

	(void)state;
	make_runs(path);
	read_run(path, &m);
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "capacity" });
	text = text_of(&m, "capacity.dat");
	assert_non_null(text);
	assert_string_equal(cell(text, 1, "4", 2), "NaN"); /* 6 at least: more was not tried */
	assert_string_equal(cell(text, 1, "4", 3), "NaN");
	assert_string_equal(cell(text, 1, "4", 4), "6");
	assert_string_equal(cell(text, 1, "8", 2), "12");
	assert_string_equal(cell(text, 1, "8", 3), "16");
	assert_string_equal(cell(text, 1, "8", 4), "NaN");
	assert_null(cell(text, 1, "16", 1)); /* 10 at least says nothing: 12 fit into less */
	free(text);
	end(&m);
	unlink(path);
}

static void what_capacity_found_is_in_the_plot_too(void **state)
{
	struct made m;
	char path[64], *text;

	(void)state;
	make_runs(path);
	sql_run(path,
	        "INSERT INTO fact SELECT id, 'capacity.by', 'frames', NULL FROM run WHERE plan LIKE '%8589934592%' "
	        "AND ?1 = ''",
	        "");
	sql_run(path,
	        "INSERT INTO fact SELECT run, 'capacity.0.fits', '13', NULL FROM fact WHERE key = 'capacity.by' AND ?1 "
	        "= ''",
	        "");
	sql_run(path,
	        "INSERT INTO fact SELECT run, 'capacity.0.fails', '14', NULL FROM fact WHERE key = 'capacity.by' AND "
	        "?1 = ''",
	        "");
	read_run(path, &m);
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "capacity" });
	text = text_of(&m, "capacity.dat");
	assert_string_equal(cell(text, 1, "8", 2), "13");
	assert_string_equal(cell(text, 1, "8", 3), "14");
	free(text);
	end(&m);
	unlink(path);
}

/* That 4 frames fitted into all of a small device says no more than that they were run; that 16 did not is a limit. */
static void a_run_that_had_the_whole_device_is_no_limit_unless_it_failed(void **state)
{
	struct made m;
	char path[64], *text;

	(void)state;
	make_runs(path);
	sql_run(path,
	        "INSERT INTO fact SELECT run, 'device.memory_bytes', '2147483648', NULL FROM run_case "
	        "WHERE params LIKE '{\"frames\":4,%' AND ?1 = ''",
	        "");
	read_run(path, &m);
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "capacity" });
	text = text_of(&m, "capacity.dat");
	assert_null(cell(text, 1, "2", 1));
	free(text);
	text = text_of(&m, "capacity.var");
	assert_non_null(text);
	assert_non_null(strstr(text, "runs: 4'"));
	free(text);
	end(&m);
	sql_run(path,
	        "INSERT INTO fact SELECT id, 'device.memory_bytes', '34359738368', NULL FROM run WHERE plan LIKE "
	        "'%:0}' AND id = (SELECT run FROM trial WHERE outcome = 'oom' ORDER BY run LIMIT 1) AND ?1 = ''",
	        "");
	read_run(path, &m);
	must_plot(&m, &(struct sb_plots_options){ .gnuplot = without.gnuplot, .only = "capacity" });
	text = text_of(&m, "capacity.dat");
	assert_null(cell(text, 1, "2", 1));
	assert_string_equal(cell(text, 1, "32", 3), "16");
	free(text);
	end(&m);
	unlink(path);
}

/* Its crosses have to be somebody's. */
static void an_arm_that_never_fits_has_its_place_in_the_key(void **state)
{
	static const char *const made[] = {
		"INSERT INTO arm SELECT max(id), 1, 'after', 'alloc=expandable' FROM run WHERE ?1 = ''",
		"INSERT INTO trial SELECT NULL, run, worker, 1, 0, 1, kind, started_ns, 'oom', NULL, NULL, NULL, 0 "
		"FROM trial "
		"WHERE run = (SELECT max(id) FROM run) AND ?1 = ''",
	};
	struct made m;
	char path[64];

	(void)state;
	skip_without_gnuplot();
	make_runs(path);
	for (size_t i = 0; i < SB_ARRAY_LEN(made); i++)
		sql_run(path, made[i], "");
	read_run(path, &m);
	must_plot(&m, &(struct sb_plots_options){ .only = "sweep" });
	assert_non_null(strstr(named(&m, "sweep")->svg_text, ">after<"));
	end(&m);
	unlink(path);
}

static void several_runs_are_drawn(void **state)
{
	struct made m;
	char path[64];

	(void)state;
	skip_without_gnuplot();
	make_runs(path);
	read_run(path, &m);
	must_plot(&m, NULL);
	check_svg(named(&m, "sweep"));
	check_svg(named(&m, "capacity"));
	end(&m);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_of_other_frames_are_a_sweep),
		cmocka_unit_test(runs_under_limits_of_memory_are_a_capacity),
		cmocka_unit_test(what_capacity_found_is_in_the_plot_too),
		cmocka_unit_test(a_run_that_had_the_whole_device_is_no_limit_unless_it_failed),
		cmocka_unit_test(several_runs_are_drawn),
		cmocka_unit_test(an_arm_that_never_fits_has_its_place_in_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
