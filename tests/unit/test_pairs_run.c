/*
 * Pairs of processes as they are run: this program is its own worker, whose workload does nothing, and dies or sees
 * other inputs when the environment says so. What is made of pairs: test_pairs.c.
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

#include "sb_gate.h"
#include "sb_pairs.h"
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

static enum sb_status fake_open(const struct sb_case *c, struct sb_backend *be, struct sb_workload **out,
        struct sb_workload_info *info, struct sb_error *err)
{
	int64_t worker = count_up("workers");
	const char *other = getenv("FAKE_CLIP"); /* the worker that sees another clip */

	(void)c;
	(void)be;
	(void)err;
	*info = (struct sb_workload_info){ .frames = 3, .weights_kind = "synthetic", .cameras = "fixed" };
	snprintf(info->clip_source, sizeof(info->clip_source), "none");
	info->clip_digest = other && strtoll(other, NULL, 10) == worker ? 9 : 1;
	*out = (struct sb_workload *)&count_up; /* never looked into */
	return SB_OK;
}

static void fake_close(struct sb_workload *w)
{
	(void)w;
}

/* The n-th trial dies when the n-th letter of the script is an x. A process prepares once before its first trial. */
static enum sb_status fake_prepare(struct sb_workload *w, struct sb_error *err)
{
	static bool is_set_up;
	const char *script = getenv("FAKE_TRIALS");
	int64_t n = is_set_up ? count_up("trials") : 0;

	(void)w;
	(void)err;
	if (!is_set_up) {
		is_set_up = true;
		return SB_OK;
	}
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
	struct sb_pairs_options opt;
	struct sb_loop_hooks hooks;
	struct sb_pairs *p;
	struct sb_store *st;
	struct sb_error err;
	int64_t interrupt_after; /* trials; 0: never */
	int progress;
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

static void on_progress(void *of, const struct sb_loop_state *s)
{
	struct fixture *f = of;

	f->progress += s->block >= 0;
}

static void begin(struct fixture *f, const char *script, int trials)
{
	struct sb_arm arms[SB_ARMS_MAX];
	int n = 0;

	memset(f, 0, sizeof(*f));
	unsetenv("FAKE_CLIP");
	assert_int_equal(setenv("FAKE_TRIALS", script, 1), 0);
	assert_int_equal(setenv("FAKE_STATE", folder, 1), 0);
	f->hooks = (struct sb_loop_hooks){ .interrupted = interrupted, .progress = on_progress, .self = f };
	f->opt = (struct sb_pairs_options){ .command = "spabench pairs",
		.kind = "pairs",
		.trials = trials,
		.seed = 7,
		.timeout_s = 20.0,
		.hooks = &f->hooks };
	assert_int_equal(sb_arms_parse("after", arms, &n, &f->err), SB_OK);
	for (int side = 0; side < SB_PAIRS_SIDES; side++) {
		f->opt.side[side] = (struct sb_pairs_side){ .exe = self, .arm = arms[0] };
		snprintf(f->opt.side[side].arm.name, sizeof(arms[0].name), "%c/after", side ? 'B' : 'A');
	}
	strcpy(f->opt.setup.c.workload, "fake");
	strcpy(f->opt.setup.c.preset, "none");
	strcpy(f->opt.setup.device, "cpu");
	f->opt.setup.threads = 1;
	assert_int_equal(sb_store_open(in_folder("p.db"), SB_STORE_WRITE, &f->st, &f->err), SB_OK);
}

static void open_pairs(struct fixture *f)
{
	if (sb_pairs_open(f->st, &f->opt, &f->p, &f->err))
		fail_msg("%s", f->err.msg);
}

/* Its run's status; the store is closed. */
static void end(struct fixture *f, enum sb_status status, const char *as)
{
	int64_t key = sb_pairs_run_key(f->p);
	struct sb_run run;

	assert_int_equal(sb_pairs_close(f->p, status, &f->err), status);
	assert_int_equal(sb_store_read_run(f->st, key, &run, &f->err), SB_OK);
	assert_string_equal(run.status, as);
	sb_run_release(&run);
	sb_store_close(f->st);
}

static void read_trials(struct fixture *f, struct sb_trials *t)
{
	assert_int_equal(sb_store_read_trials(f->st, sb_pairs_run_key(f->p), t, &f->err), SB_OK);
}

/* Of pair number `pair`: which side's trial has position `position`. */
static int side_at(const struct sb_trials *t, int pair, int position)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].block == pair && t->v[i].position == position)
			return t->v[i].arm;
	return -1;
}

/* ---- order ----------------------------------------------------------------------------------------------------- */

static void processes_come_a_b_b_a_as_the_seed_draws(void **state)
{
	static const uint64_t seeds[] = { 7, 8 };
	struct sb_trials t;
	struct fixture f;

	(void)state;
	for (size_t s = 0; s < SB_ARRAY_LEN(seeds); s++) {
		begin(&f, "", 1);
		f.opt.seed = seeds[s];
		open_pairs(&f);
		assert_int_equal(sb_pairs_measure(f.p, 6, &f.err), SB_OK);
		read_trials(&f, &t);
		assert_int_equal(t.n, 12);
		for (int pair = 0; pair < 6; pair++) {
			int first = side_at(&t, pair, 0);

			assert_int_equal(first, sb_pairs_b_first(seeds[s], pair));
			assert_int_equal(side_at(&t, pair, 1), !first);
			if (pair % 2)
				assert_int_equal(first, !side_at(&t, pair - 1, 0));
		}
		sb_trials_release(&t);
		end(&f, SB_OK, "complete");
	}
	assert_int_equal(counted("workers"), 2 * 12); /* each process is a new one */
}

static void a_process_does_all_its_trials_before_the_other_begins(void **state)
{
	struct sb_trials t;
	struct fixture f;

	(void)state;
	begin(&f, "", 3);
	open_pairs(&f);
	assert_int_equal(sb_pairs_measure(f.p, 2, &f.err), SB_OK);
	read_trials(&f, &t);
	assert_int_equal(t.n, 12);
	for (int pair = 0; pair < 2; pair++)
		for (int position = 0; position < 6; position++)
			assert_int_equal(
			        side_at(&t, pair, position), (position >= 3) ^ sb_pairs_b_first(f.opt.seed, pair));
	for (size_t i = 0; i < t.n; i++) /* stored in the order that they were made in */
		assert_int_equal(t.v[i].block * 6 + t.v[i].position, (int)i);
	sb_trials_release(&t);
	assert_int_equal(f.progress, 4);
	end(&f, SB_OK, "complete");
}

static void one_pair_is_a_run(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "", 1);
	open_pairs(&f);
	assert_true(sb_pairs_run_key(f.p) == 0 && sb_pairs_elapsed_s(f.p) == 0.0 && !sb_pairs_facts(f.p, 0));
	assert_int_equal(sb_pairs_measure(f.p, 1, &f.err), SB_OK);
	assert_int_equal(sb_pairs_whole(f.p), 1);
	assert_int_equal(sb_pairs_dropped(f.p), 0);
	assert_string_equal(sb_pairs_last_failure(f.p), "");
	assert_true(sb_pairs_elapsed_s(f.p) > 0.0);
	assert_string_equal(sb_pairs_facts(f.p, 0)->build_id, sb_pairs_facts(f.p, 1)->build_id);
	end(&f, SB_OK, "complete");
}

static void a_side_alone_is_a_run_of_one_arm(void **state)
{
	struct fixture f;
	struct sb_run run;
	struct sb_trials t;

	(void)state;
	begin(&f, ".x", 2);
	f.opt.alone = true;
	f.opt.kind = NULL;
	open_pairs(&f);
	if (sb_pairs_measure(f.p, 3, &f.err))
		fail_msg("%s", f.err.msg);
	assert_int_equal(sb_pairs_whole(f.p), 3);
	assert_int_equal(sb_pairs_dropped(f.p), 1);
	assert_int_equal(counted("workers"), 4);
	assert_int_equal(sb_store_read_run(f.st, sb_pairs_run_key(f.p), &run, &f.err), SB_OK);
	assert_int_equal(run.n_arms, 1);
	assert_null(sb_run_fact(&run, SB_PAIRS_FACT));
	sb_run_release(&run);
	read_trials(&f, &t);
	assert_int_equal(t.n, 8);
	for (size_t i = 0; i < t.n; i++)
		assert_true(t.v[i].arm == 0 && t.v[i].position < 2);
	sb_trials_release(&t);
	end(&f, SB_OK, "complete");
}

/* ---- what goes wrong ------------------------------------------------------------------------------------------- */

static void a_pair_whose_process_dies_is_dropped_and_made_up_for(void **state)
{
	struct fixture f;
	struct sb_trials t;

	(void)state;
	begin(&f, "...x.x", 1); /* the second pair's second process, and the third's second */
	open_pairs(&f);
	if (sb_pairs_measure(f.p, 3, &f.err))
		fail_msg("%s", f.err.msg);
	assert_int_equal(sb_pairs_whole(f.p), 3);
	assert_int_equal(sb_pairs_dropped(f.p), 2);
	assert_non_null(strstr(sb_pairs_last_failure(f.p), "/after: "));
	read_trials(&f, &t);
	assert_int_equal(t.n, 10);
	assert_int_equal(t.v[9].block, 4); /* numbers go on, so that the order stays that of the seed */
	assert_int_equal(side_at(&t, 4, 0), sb_pairs_b_first(f.opt.seed, 4));
	assert_string_equal(t.v[3].outcome, "crashed");
	sb_trials_release(&t);
	end(&f, SB_OK, "complete");
}

static void a_first_process_that_dies_spares_the_second_its_trials(void **state)
{
	struct sb_trials t;
	struct fixture f;

	(void)state;
	begin(&f, "x", 2);
	open_pairs(&f);
	assert_int_equal(sb_pairs_measure(f.p, 1, &f.err), SB_OK);
	assert_int_equal(counted("trials"), 1 + 4);
	read_trials(&f, &t);
	assert_int_equal(t.n, 1 + 4);
	sb_trials_release(&t);
	end(&f, SB_OK, "complete");
}

static void three_bad_pairs_in_a_row_end_it(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "xx..xxx", 1); /* two, a good one, three */
	open_pairs(&f);
	assert_int_equal(sb_pairs_measure(f.p, 9, &f.err), SB_E_DEVICE);
	assert_non_null(strstr(f.err.msg, "3 pairs in a row did not end well; the last: "));
	assert_int_equal(sb_pairs_whole(f.p), 1);
	assert_int_equal(sb_pairs_dropped(f.p), 5);
	end(&f, SB_E_DEVICE, "failed");
}

static void a_run_without_a_whole_pair_failed(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "xxx", 1);
	open_pairs(&f);
	assert_int_equal(sb_pairs_measure(f.p, 1, &f.err), SB_E_DEVICE);
	assert_int_equal(sb_pairs_whole(f.p), 0);
	end(&f, SB_OK, "failed"); /* whoever ends it thought that it went well */
}

static void an_interruption_keeps_what_there_is(void **state)
{
	struct fixture f;
	struct sb_trials t;

	(void)state;
	begin(&f, "", 2);
	f.interrupt_after = 7; /* within the second pair's second process */
	open_pairs(&f);
	assert_int_equal(sb_pairs_measure(f.p, 4, &f.err), SB_E_INTERRUPTED);
	assert_int_equal(sb_pairs_whole(f.p), 1);
	read_trials(&f, &t);
	assert_int_equal(t.n, 7);
	sb_trials_release(&t);
	end(&f, SB_E_INTERRUPTED, "interrupted");
}

static void sides_that_see_other_clips_are_no_pair(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "", 1);
	assert_int_equal(setenv("FAKE_CLIP", "4", 1), 0); /* one of the second pair */
	open_pairs(&f);
	assert_int_equal(sb_pairs_measure(f.p, 2, &f.err), SB_E_DATA);
	assert_non_null(strstr(f.err.msg, "the two sides do not measure the same: the clip"));
	assert_int_equal(sb_pairs_whole(f.p), 1);
	end(&f, SB_E_DATA, "failed");
}

static void a_binary_that_is_none_is_named(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "", 1);
	f.opt.side[SB_PAIRS_B].exe = "/bin/true";
	open_pairs(&f);
	assert_int_equal(sb_pairs_measure(f.p, 1, &f.err), SB_E_ENV);
	assert_non_null(strstr(f.err.msg, "/bin/true"));
	assert_int_equal(sb_pairs_run_key(f.p), 0); /* nothing was begun */
	assert_int_equal(sb_pairs_close(f.p, SB_E_ENV, &f.err), SB_E_ENV);
	sb_store_close(f.st);
}

static void what_cannot_be_asked_for_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "", 0);
	assert_int_equal(sb_pairs_open(f.st, &f.opt, &f.p, &f.err), SB_E_USAGE);
	f.opt.trials = 1;
	open_pairs(&f);
	assert_int_equal(sb_pairs_measure(f.p, SB_GATE_MAX_PAIRS + 1, &f.err), SB_E_USAGE);
	assert_int_equal(counted("workers"), 0);
	assert_int_equal(sb_pairs_close(f.p, SB_E_USAGE, &f.err), SB_E_USAGE);
	strcpy(f.opt.side[SB_PAIRS_B].arm.name, "A/after");
	assert_int_equal(sb_pairs_open(f.st, &f.opt, &f.p, &f.err), SB_E_USAGE);
	assert_non_null(strstr(f.err.msg, "both sides are called 'A/after'"));
	assert_int_equal(sb_pairs_close(NULL, SB_OK, &f.err), SB_OK);
	sb_store_close(f.st);
}

static void a_refused_run_is_taken_out_again(void **state)
{
	struct fixture f;
	int64_t key;

	(void)state;
	begin(&f, "", 1);
	open_pairs(&f);
	assert_int_equal(sb_pairs_measure(f.p, 1, &f.err), SB_OK);
	assert_int_equal(sb_pairs_whole(f.p), 1);
	assert_int_equal(sb_pairs_close(f.p, SB_E_USAGE, &f.err), SB_E_USAGE);
	assert_int_equal(sb_store_find_run(f.st, NULL, &key, &f.err), SB_E_USAGE);
	assert_non_null(strstr(f.err.msg, "no run in database"));
	sb_store_close(f.st);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(int argc, char **argv)
{
	static const struct sb_workload_ops *const workloads[] = { &fake_workload, NULL };
	const struct CMUnitTest tests[] = {
		IN_FOLDER(processes_come_a_b_b_a_as_the_seed_draws),
		IN_FOLDER(a_process_does_all_its_trials_before_the_other_begins),
		IN_FOLDER(one_pair_is_a_run),
		IN_FOLDER(a_side_alone_is_a_run_of_one_arm),
		IN_FOLDER(a_pair_whose_process_dies_is_dropped_and_made_up_for),
		IN_FOLDER(a_first_process_that_dies_spares_the_second_its_trials),
		IN_FOLDER(three_bad_pairs_in_a_row_end_it),
		IN_FOLDER(a_run_without_a_whole_pair_failed),
		IN_FOLDER(an_interruption_keeps_what_there_is),
		IN_FOLDER(sides_that_see_other_clips_are_no_pair),
		IN_FOLDER(a_binary_that_is_none_is_named),
		IN_FOLDER(what_cannot_be_asked_for_is_refused),
		IN_FOLDER(a_refused_run_is_taken_out_again),
	};
	ssize_t n;

	if (argc == 4 && !strcmp(argv[1], "worker")) /* as the parent starts it: worker --fd N */
		return sb_worker_serve((int)strtol(argv[3], NULL, 10), workloads);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return 1;
	return cmocka_run_group_tests_name("pairs of processes", tests, NULL, NULL);
}
