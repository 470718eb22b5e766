/*
 * Plots: the figures in their files of data are those of the database, whatever a name is it stays a name, and a
 * gnuplot that is missing, fails or hangs costs its pictures and nothing else.
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
#include <sqlite3.h>

#include "plots_internal.h"
#include "summary_fixture.h"
#include "timeline_bins.h"

#define EXAMPLES "../reports/examples/"

static const char hostile[] = "<script>{/=40 a_b} it's `touch pwned` \"q\" \\ $x @y %s</script>\t\n\x01\x1b[31m \xff";

/* ---- a run and its plots ------------------------------------------------------------------------------------------
 */

struct made {
	struct sb_store *st;
	struct sb_run run;
	struct sb_trials trials;
	struct sb_samples samples;
	struct sb_summary summary;
	char folder[64];
	struct sb_plots plots;
};

static void read_run(const char *path, struct made *m)
{
	struct sb_error err;
	int64_t run;

	*m = (struct made){ .folder = "/tmp/sb_plots_XXXXXX" };
	assert_non_null(mkdtemp(m->folder));
	fx_must(sb_store_open(path, SB_STORE_READ, &m->st, &err), &err);
	fx_must(sb_store_find_run(m->st, NULL, &run, &err), &err);
	fx_must(sb_store_read_run(m->st, run, &m->run, &err), &err);
	fx_must(sb_store_read_trials(m->st, run, &m->trials, &err), &err);
	fx_must(sb_store_read_samples(m->st, run, &m->trials, &m->samples, &err), &err);
	fx_must(sb_summary_compute(&m->run, &m->trials, &m->samples, NULL, &m->summary, &err), &err);
}

static enum sb_status plot(struct made *m, const struct sb_plots_options *opt, struct sb_error *err)
{
	const struct sb_plots_input in = { m->st, &m->run, &m->trials, &m->samples, &m->summary };

	return sb_plots_make(&in, m->folder, opt, &m->plots, err);
}

static void must_plot(struct made *m, const struct sb_plots_options *opt)
{
	struct sb_error err;

	fx_must(plot(m, opt, &err), &err);
}

static void end(struct made *m)
{
	char command[128];

	sb_plots_release(&m->plots);
	sb_summary_release(&m->summary);
	sb_samples_release(&m->samples);
	sb_trials_release(&m->trials);
	sb_run_release(&m->run);
	sb_store_close(m->st);
	snprintf(command, sizeof(command), "rm -rf %s", m->folder);
	assert_int_equal(system(command), 0);
}

static const struct sb_plot_made *named(const struct made *m, const char *id)
{
	for (size_t i = 0; i < m->plots.n; i++)
		if (!strcmp(m->plots.v[i].id, id))
			return &m->plots.v[i];
	fail_msg("no plot '%s'", id);
	return NULL;
}

/* ---- files ---------------------------------------------------------------------------------------------------------
 */

static char *text_of(const struct made *m, const char *name)
{
	char path[160];
	struct sb_buf b = { 0 };
	char piece[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", m->folder, name);
	f = fopen(path, "rb");
	if (!f)
		return NULL;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		sb_buf_add(&b, piece, n);
	fclose(f);
	return b.s;
}

static bool is_there(const struct made *m, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", m->folder, name);
	return !access(path, F_OK);
}

/* Field `column`, from 1, of the first line after `from` whose field `key_column` is `key`; NULL: none. */
static const char *cell(const char *text, int key_column, const char *key, int column)
{
	static char out[512];

	for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *s = line;
		bool found = false;

		out[0] = '\0';
		for (int c = 1; *line != '#' && *line != '\n'; c++) {
			size_t n = strcspn(s, "\t\n");

			if (c == key_column && n == strlen(key) && !memcmp(s, key, n))
				found = true;
			if (c == column)
				snprintf(out, sizeof(out), "%.*s", (int)n, s);
			if (s[n] != '\t')
				break;
			s += n + 1;
		}
		if (found && out[0])
			return out;
	}
	return NULL;
}

static double number(const char *text, int key_column, const char *key, int column)
{
	const char *s = cell(text, key_column, key, column);

	if (!s)
		fail_msg("no row '%s' in:\n%s", key, text);
	return atof(s);
}

/* ---- SQL -----------------------------------------------------------------------------------------------------------
 */

static int by_size(const void *a, const void *b)
{
	return *(const double *)a > *(const double *)b ? 1 : *(const double *)a < *(const double *)b ? -1 : 0;
}

/* The median of what a statement gives, whose parameters are the texts a and b. */
static double sql_median(const char *path, const char *sql, const char *a, const char *b, int *n_values)
{
	sqlite3 *db;
	sqlite3_stmt *st;
	double v[512];
	char uri[256];
	int n = 0;

	snprintf(uri, sizeof(uri), "file:%s?immutable=1", path);
	assert_int_equal(sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	sqlite3_bind_text(st, 1, a, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, b, -1, SQLITE_STATIC);
	while (sqlite3_step(st) == SQLITE_ROW && n < 512)
		v[n++] = sqlite3_column_double(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	qsort(v, (size_t)n, sizeof(*v), by_size);
	if (n_values)
		*n_values = n;
	return n ? (v[(n - 1) / 2] + v[n / 2]) / 2 : NAN;
}

static void sql_run(const char *path, const char *sql, const char *text)
{
	sqlite3 *db;
	sqlite3_stmt *st;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	sqlite3_bind_text(st, 1, text, -1, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(st), SQLITE_DONE);
	sqlite3_finalize(st);
	sqlite3_close(db);
}

static const char of_timing[] = "SELECT value FROM sample_text WHERE arm = ?1 AND metric = ?2 AND kind = 'timing' "
                                "AND run = (SELECT uid FROM run ORDER BY id DESC LIMIT 1) "
                                "AND outcome = 'ok'";

static void close_to(double got, double wanted)
{
	if (!(fabs(got - wanted) <= 1e-8 * fabs(wanted)))
		fail_msg("%.12g, not %.12g", got, wanted);
}

/* ---- figures -------------------------------------------------------------------------------------------------------
 */

static const struct sb_plots_options without = { .gnuplot = "/nonexistent/gnuplot" };

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

static void expect_absent(struct made *m, const char *id, const char *why)
{
	const struct sb_plot_made *p = named(m, id);

	assert_non_null(p->absent);
	if (!strstr(p->absent, why))
		fail_msg("'%s': %s", id, p->absent);
	assert_null(p->svg);
	assert_null(p->png);
}

static void end_fixture(struct fixture *fx, struct made *m)
{
	end(m);
	unlink(fx->path);
}

static void close_fixture(struct fixture *fx)
{
	struct sb_error err;

	fx_must(sb_store_end_run(fx->st, fx->run, "complete", &err), &err);
	sb_store_close(fx->st);
}

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

static void add_one_arm(struct fixture *fx, const char *arms)
{
	fx_open(fx, arms, "tracker", "synthetic", NULL);
	for (int block = 0; block < 7; block++) {
		fx_add(fx, "wall_ns", (100 + block) * MS);
		fx_add(fx, "stage.front.dino_ns", (10 + block) * MS);
		fx_add(fx, "memory.weights_bytes", 3 * MIB);
		fx_add(fx, "memory.allocated_peak_bytes", 7 * MIB);
		fx_trial(fx, 0, block, FX_TIMING, "ok", NULL);
	}
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

/* ---- looking at pictures ---------------------------------------------------------------------------------------- */

static void skip_without_gnuplot(void)
{
	char *program = sb_gnuplot_find();

	if (!program) {
		print_message("gnuplot is not installed: no picture is looked at\n");
		skip();
	}
	free(program);
}

/* Well-formed as far as tags go, and nothing in it that runs or loads. */
static void check_svg(const struct sb_plot_made *p)
{
	int depth = 0;

	assert_non_null(p->svg_text);
	assert_null(strstr(p->svg_text, "<script"));
	assert_null(strstr(p->svg_text, "http://x"));
	assert_non_null(strstr(p->svg_text, "prefers-color-scheme:dark"));
	for (const char *s = p->svg_text; *s; s++) {
		assert_true((unsigned char)*s >= ' ' || *s == '\n' || *s == '\t');
		if (*s != '<' || s[1] == '?')
			continue;
		if (s[1] == '/')
			depth--;
		else if (strchr(s, '>')[-1] != '/')
			depth++;
		assert_true(depth >= 0);
	}
	assert_int_equal(depth, 0);
}

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
		cmocka_unit_test(runs_of_other_frames_are_a_sweep),
		cmocka_unit_test(runs_under_limits_of_memory_are_a_capacity),
		cmocka_unit_test(what_capacity_found_is_in_the_plot_too),
		cmocka_unit_test(a_run_that_had_the_whole_device_is_no_limit_unless_it_failed),
		cmocka_unit_test(several_runs_are_drawn),
		cmocka_unit_test(an_arm_that_never_fits_has_its_place_in_the_key),
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
