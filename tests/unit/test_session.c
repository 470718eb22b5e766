/*
 * A session from end to end without a network: this program is its own worker, whose workload does nothing, and dies or
 * changes its inputs when the environment says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "same_build.h"
#include "sb_session.h"
#include "scratch_folder.h"

/* ---- the worker's side ---------------------------------------------------------------------------------------- */

/* How often this was called, in all processes of a test. */
static int64_t count_up(const char *name)
{
	const char *where = getenv("FAKE_STATE");
	char path[512];
	int64_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", where ? where : "/nowhere", name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1)
		abort();
	n = lseek(fd, 0, SEEK_END);
	close(fd);
	return n;
}

static bool is_now(const char *variable, int64_t n)
{
	const char *text = getenv(variable);

	return text && strtoll(text, NULL, 10) == n;
}

static enum sb_status fake_open(const struct sb_case *c, struct sb_backend *be, struct sb_workload **out,
        struct sb_workload_info *info, struct sb_error *err)
{
	int64_t worker = count_up("workers");

	(void)c;
	(void)be;
	(void)err;
	*info = (struct sb_workload_info){ .frames = 3, .weights_kind = "synthetic", .cameras = "fixed" };
	snprintf(info->clip_source, sizeof(info->clip_source), "none");
	info->clip_digest = is_now("FAKE_CLIP", worker) ? 9 : 1;
	info->weights_digest = is_now("FAKE_WEIGHTS", worker) ? 9 : 2;
	info->points_digest = is_now("FAKE_POINTS", worker) ? 9 : 3;
	*out = (struct sb_workload *)&count_up; /* never looked into */
	return SB_OK;
}

static void fake_close(struct sb_workload *w)
{
	(void)w;
}

/* The n-th trial dies when the n-th letter of the script is an x. */
static enum sb_status fake_prepare(struct sb_workload *w, struct sb_error *err)
{
	const char *script = getenv("FAKE_TRIALS");
	int64_t n = count_up("trials");

	(void)w;
	(void)err;
	if (script && n <= (int64_t)strlen(script) && script[n - 1] == 'x')
		_exit(7);
	return SB_OK;
}

static int64_t fake_weights_bytes(const struct sb_workload *w)
{
	(void)w;
	return 0;
}

static enum sb_status fake_run(struct sb_workload *w, bool perturb, struct sb_error *err)
{
	(void)w;
	(void)perturb;
	(void)err;
	return SB_OK;
}

static const struct sb_workload_ops fake_workload = {
	.name = "fake",
	.open = fake_open,
	.close = fake_close,
	.prepare = fake_prepare,
	.weights_bytes = fake_weights_bytes,
	.run = fake_run,
};

/* ---- the parent's side ---------------------------------------------------------------------------------------- */

struct fixture {
	struct sb_session_options opt;
	struct sb_session_result out;
	struct sb_loop_hooks hooks;
	struct sb_store *st;
	struct sb_error err;
	int64_t interrupt_after; /* trials; 0: never */
};

static char self[SB_PATH_MAX];

/* How often count_up(name) was called. */
static int64_t counted(const char *name)
{
	struct stat sb;

	return stat(in_folder(name), &sb) ? 0 : (int64_t)sb.st_size;
}

static bool interrupted(void *of)
{
	const struct fixture *f = of;

	return f->interrupt_after && counted("trials") >= f->interrupt_after;
}

static void begin(struct fixture *f, const char *arms, int blocks)
{
	static const char *const variables[] = { "FAKE_CLIP", "FAKE_WEIGHTS", "FAKE_POINTS", "FAKE_TRIALS" };
	struct sb_plan *plan = &f->opt.plan;

	memset(f, 0, sizeof(*f));
	for (size_t i = 0; i < SB_ARRAY_LEN(variables); i++)
		unsetenv(variables[i]);
	assert_int_equal(setenv("FAKE_STATE", folder, 1), 0);
	f->hooks = (struct sb_loop_hooks){ .interrupted = interrupted, .self = f };
	f->opt = (struct sb_session_options){ .exe = self, .command = "spabench run", .hooks = &f->hooks };
	plan->blocks = blocks;
	plan->timeout_s = 20.0;
	plan->seed = 1;
	strcpy(f->opt.setup.c.workload, "fake");
	strcpy(f->opt.setup.c.preset, "none");
	strcpy(f->opt.setup.device, "cpu");
	f->opt.setup.threads = 1;
	assert_int_equal(sb_arms_parse(arms, plan->arms, &plan->n_arms, &f->err), SB_OK);
	assert_int_equal(sb_store_open(in_folder("r.db"), SB_STORE_WRITE, &f->st, &f->err), SB_OK);
}

static enum sb_status run(struct fixture *f)
{
	return sb_session_run(f->st, &f->opt, &f->out, &f->err);
}

/* A run of which three trials of four are done. */
static void begin_interrupted(struct fixture *f)
{
	begin(f, "before,after", 2);
	f->interrupt_after = 3;
	assert_int_equal(run(f), SB_E_INTERRUPTED);
	assert_int_equal(f->out.loop.ok, 3);
}

/* As `run --resume` does it. */
static enum sb_status resume(struct fixture *f)
{
	int64_t key;

	f->interrupt_after = 0;
	memset(&f->opt.setup, 0, sizeof(f->opt.setup));
	memset(&f->opt.plan, 0, sizeof(f->opt.plan));
	assert_int_equal(sb_store_find_run(f->st, f->out.run_id, &key, &f->err), SB_OK);
	assert_int_equal(sb_session_read(f->st, key, &f->opt, &f->err), SB_OK);
	return run(f);
}

static void sql(struct fixture *f, const char *text)
{
	sqlite3 *db;

	sb_store_close(f->st);
	assert_int_equal(sqlite3_open(in_folder("r.db"), &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	assert_int_equal(sqlite3_changes(db) > 0, 1);
	sqlite3_close(db);
	assert_int_equal(sb_store_open(in_folder("r.db"), SB_STORE_WRITE, &f->st, &f->err), SB_OK);
}

/* ---- workers that are started again --------------------------------------------------------------------------- */

/* One arm, so that a trial is a block. */
static void run_script(struct fixture *f, const char *script)
{
	begin(f, "before", (int)strlen(script));
	assert_int_equal(setenv("FAKE_TRIALS", script, 1), 0);
}

static void a_good_trial_forgives_the_workers_that_died_before_it(void **state)
{
	struct fixture f;

	(void)state;
	run_script(&f, "xxxxxxxxxxxx.xxxxxxxxxxxx."); /* 24 in all */
	assert_int_equal(run(&f), SB_OK);
	assert_int_equal(f.out.loop.ok, 2);
	assert_int_equal(f.out.loop.other, 24);
	assert_int_equal(f.out.restarts, 24);
	sb_store_close(f.st);
}

static void twenty_dead_workers_in_a_row_end_the_run(void **state)
{
	struct fixture f;

	(void)state;
	run_script(&f, ".xxxxxxxxxxxxxxxxxxxxxx.");
	assert_int_equal(run(&f), SB_E_DEVICE);
	assert_non_null(strstr(f.err.msg, "20 workers in a row ended without one good trial"));
	assert_int_equal(f.out.loop.ok, 1);
	sb_store_close(f.st);
}

/* The second worker is started after the first has died; what it sees of its inputs is said by `variable`. */
static void change_inputs(const char *variable, const char *message)
{
	struct fixture f;

	run_script(&f, ".x.");
	if (variable)
		assert_int_equal(setenv(variable, "2", 1), 0);
	assert_int_equal(run(&f), message ? SB_E_DATA : SB_OK);
	if (message)
		assert_string_equal(f.err.msg, message);
	assert_int_equal(counted("workers"), 2);
	sb_store_close(f.st);
	assert_int_equal(folder_remove(NULL), 0);
	assert_int_equal(folder_make(NULL), 0);
}

static void a_worker_that_sees_other_inputs_ends_the_run(void **state)
{
	(void)state;
	change_inputs(NULL, NULL);
	change_inputs("FAKE_CLIP", "the clip changed while the run was going on");
	change_inputs("FAKE_WEIGHTS", "the file of weights changed while the run was going on");
	change_inputs("FAKE_POINTS", "the points to track changed while the run was going on");
}

/* ---- resuming -------------------------------------------------------------------------------------------------- */

static void a_run_is_resumed_by_the_build_that_began_it(void **state)
{
	struct fixture f;

	(void)state;
	begin_interrupted(&f);
	assert_int_equal(resume(&f), SB_OK);
	assert_int_equal(f.out.loop.blocks, 2);
	sb_store_close(f.st);
}

static void another_build_does_not_resume_a_run(void **state)
{
	struct fixture f;
	char expected[256];

	(void)state;
	begin_interrupted(&f);
	sql(&f, "UPDATE worker SET build_id = '0.0.1+old'");
	assert_int_equal(resume(&f), SB_E_USAGE);
	snprintf(expected, sizeof(expected), "cannot resume: the build is '%s' and was '0.0.1+old'", sb_build_id);
	assert_string_equal(f.err.msg, expected);
	sb_store_close(f.st);
}

static void other_flags_do_not_resume_a_run(void **state)
{
	struct fixture f;

	(void)state;
	begin_interrupted(&f);
	sql(&f, "UPDATE fact SET value = replace(value, '-std=c11', '-std=c99 -Odd') WHERE key = 'build.flags'");
	assert_int_equal(resume(&f), SB_E_USAGE);
	assert_string_equal(f.err.msg, "cannot resume: the build's flags are not what they were: with -std=c11, "
	                               "without -std=c99 -Odd");
	sb_store_close(f.st);
}

static void the_difference_of_flags_is_in_words(void **state)
{
	static const struct {
		const char *was, *is, *difference;
	} cases[] = {
		{ "-a -b", "-a -b", "" },
		{ "-a -b", "-a -c", "with -c, without -b" },
		{ "-a", "-a -b -c", "with -b -c" },
		{ "-a -a", "-a", "without -a" },
		{ "-O2 -O3", "-O3 -O2", "in another order" },
		{ "", "-a", "with -a" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct sb_buf b = { 0 };

		sb_flags_difference(cases[i].was, cases[i].is, &b);
		assert_string_equal(sb_buf_str(&b), cases[i].difference);
		sb_buf_release(&b);
	}
}

/* A run is resumed from any folder: what is stored of its files does not hang on where it was begun. */
static void relative_paths_are_stored_as_absolute_ones(void **state)
{
	struct fixture f;
	char here[SB_PATH_MAX], expected[2 * SB_PATH_MAX];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	begin(&f, "before,after", 2);
	f.interrupt_after = 3;
	strcpy(f.opt.setup.c.video, "./clip.y4m");
	strcpy(f.opt.setup.c.queries, "../points.txt");
	strcpy(f.opt.setup.c.support_file, "support.txt");
	strcpy(f.opt.setup.c.weights_front, "w/front.st");
	strcpy(f.opt.setup.c.weights_track, "/w/track.st");
	assert_int_equal(run(&f), SB_E_INTERRUPTED);
	assert_string_equal(f.opt.setup.c.video, "./clip.y4m"); /* what is shown is what was typed */
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(resume(&f), SB_OK);
	assert_int_equal(chdir(here), 0);
	snprintf(expected, sizeof(expected), "%s/clip.y4m", here);
	assert_string_equal(f.opt.setup.c.video, expected);
	snprintf(expected, sizeof(expected), "%s/../points.txt", here);
	assert_string_equal(f.opt.setup.c.queries, expected);
	snprintf(expected, sizeof(expected), "%s/support.txt", here);
	assert_string_equal(f.opt.setup.c.support_file, expected);
	snprintf(expected, sizeof(expected), "%s/w/front.st", here);
	assert_string_equal(f.opt.setup.c.weights_front, expected);
	assert_string_equal(f.opt.setup.c.weights_track, "/w/track.st");
	assert_string_equal(f.opt.setup.c.data_dir, ""); /* built in stays built in */
	sb_store_close(f.st);
}

/* ---- ending a run as it is --------------------------------------------------------------------------------------- */

static enum sb_status end_as_it_is(struct fixture *f)
{
	int64_t key;

	memset(&f->opt.setup, 0, sizeof(f->opt.setup));
	memset(&f->opt.plan, 0, sizeof(f->opt.plan));
	assert_int_equal(sb_store_find_run(f->st, f->out.run_id, &key, &f->err), SB_OK);
	assert_int_equal(sb_session_read(f->st, key, &f->opt, &f->err), SB_OK);
	return sb_session_end(f->st, &f->opt, &f->out, &f->err);
}

static void expect_fact(struct fixture *f, const char *status, const char *key, bool there)
{
	struct sb_run r;
	int64_t run_key;

	assert_int_equal(sb_store_find_run(f->st, f->out.run_id, &run_key, &f->err), SB_OK);
	assert_int_equal(sb_store_read_run(f->st, run_key, &r, &f->err), SB_OK);
	assert_string_equal(r.status, status);
	assert_int_equal(sb_run_fact(&r, key) != NULL, there);
	sb_run_release(&r);
}

/* As a process that was killed after its last block leaves it: nothing was judged. */
static void a_run_with_all_blocks_ends_complete_without_a_worker(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "before,after", 2);
	assert_int_equal(run(&f), SB_OK);
	sql(&f, "DELETE FROM fact WHERE key LIKE 'effect.%' OR key = 'elapsed_s'");
	sql(&f, "UPDATE run SET status = 'running', ended_ns = NULL");
	sql(&f, "UPDATE fact SET value = 'elsewhere' WHERE key = 'process.host'");
	sql(&f, "UPDATE worker SET build_id = '0.0.1+old'"); /* who measured is gone */
	sql(&f, "UPDATE fact SET value = 'cuda' WHERE key = 'device.kind'");
	assert_int_equal(end_as_it_is(&f), SB_OK);
	assert_int_equal(counted("workers"), 1);
	assert_false(f.out.cut);
	assert_int_equal(f.out.loop.blocks, 2);
	assert_int_equal(f.out.n_switches, 3);
	assert_string_equal(f.out.uncounted, "the run was ended before all arms were counted");
	expect_fact(&f, "complete", "elapsed_s", false); /* who measured left no word of it */
	sb_store_close(f.st);
}

static void a_run_that_lacks_blocks_stays_interrupted_and_is_judged(void **state)
{
	struct fixture f;

	(void)state;
	begin_interrupted(&f);
	assert_int_equal(end_as_it_is(&f), SB_OK);
	assert_int_equal(counted("workers"), 1);
	assert_true(f.out.cut);
	assert_int_equal(f.out.n_switches, 3);
	expect_fact(&f, "interrupted", "effect.attention", false); /* no trace: not tested, and it says so */
	assert_int_equal(resume(&f), SB_OK);
	assert_int_equal(f.out.loop.blocks, 2);
	sb_store_close(f.st);
}

static void a_run_at_work_is_not_ended_by_another_process(void **state)
{
	struct fixture f;
	int64_t key;

	(void)state;
	begin_interrupted(&f);
	sql(&f, "UPDATE run SET status = 'running', ended_ns = NULL");
	assert_int_equal(sb_store_find_run(f.st, f.out.run_id, &key, &f.err), SB_OK);
	assert_int_equal(sb_session_read(f.st, key, &f.opt, &f.err), SB_E_USAGE);
	assert_non_null(strstr(f.err.msg, "is still running, as process"));
	sb_store_close(f.st);
}

static void a_run_without_a_good_trial_has_nothing_to_end_with(void **state)
{
	struct fixture f;

	(void)state;
	run_script(&f, "xx");
	assert_int_equal(run(&f), SB_E_DEVICE);
	assert_int_equal(end_as_it_is(&f), SB_E_DEVICE);
	assert_non_null(strstr(f.err.msg, "no trial succeeded"));
	expect_fact(&f, "failed", "effect.attention", false);
	sb_store_close(f.st);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(int argc, char **argv)
{
	static const struct sb_workload_ops *const workloads[] = { &fake_workload, NULL };
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_good_trial_forgives_the_workers_that_died_before_it),
		IN_FOLDER(twenty_dead_workers_in_a_row_end_the_run),
		IN_FOLDER(a_worker_that_sees_other_inputs_ends_the_run),
		IN_FOLDER(a_run_is_resumed_by_the_build_that_began_it),
		IN_FOLDER(another_build_does_not_resume_a_run),
		IN_FOLDER(other_flags_do_not_resume_a_run),
		IN_FOLDER(relative_paths_are_stored_as_absolute_ones),
		IN_FOLDER(a_run_with_all_blocks_ends_complete_without_a_worker),
		IN_FOLDER(a_run_that_lacks_blocks_stays_interrupted_and_is_judged),
		IN_FOLDER(a_run_at_work_is_not_ended_by_another_process),
		IN_FOLDER(a_run_without_a_good_trial_has_nothing_to_end_with),
		cmocka_unit_test(the_difference_of_flags_is_in_words),
	};
	ssize_t n;

	if (argc == 4 && !strcmp(argv[1], "worker")) /* as the parent starts it: worker --fd N */
		return sb_worker_serve((int)strtol(argv[3], NULL, 10), workloads);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return 1;
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
