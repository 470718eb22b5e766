#include "pair_request.h"
#include "sb_gate_result.h"
#include "case_options.h"
#include "sb_cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct sb_option names[] = { SB_PAIR_OPTIONS };

static volatile sig_atomic_t stop_asked;

void sb_pair_request_init(struct sb_pair_request *q)
{
	struct sb_worker_setup *setup = &q->opt.setup;

	*q = (struct sb_pair_request){ .budget_s = 60.0, .last_pair = -1 };
	snprintf(setup->c.workload, sizeof(setup->c.workload), "tracker");
	snprintf(setup->c.preset, sizeof(setup->c.preset), "auto");
	snprintf(setup->device, sizeof(setup->device), "auto");
	q->opt.timeout_s = 600.0;
	q->opt.seed = (uint64_t)sb_wall_time_ns();
	q->opt.seed = sb_splitmix64(&q->opt.seed) >> 1;
}

void sb_pair_request_release(struct sb_pair_request *q)
{
	sb_buf_release(&q->command_text);
}

static enum sb_status parse_plant(const char *value, double *out, struct sb_error *err)
{
	double percent;

	if (sb_parse_double(value, "--plant", 0.0, 1000.0, &percent, err))
		return err->code;
	*out = percent / 100.0;
	return SB_OK;
}

static enum sb_status parse_seed(const char *value, struct sb_pair_request *q, struct sb_error *err)
{
	int64_t seed;

	if (sb_parse_int(value, "--seed", 0, INT64_MAX, &seed, err))
		return err->code;
	q->opt.seed = q->opt.setup.c.seed = (uint64_t)seed;
	return SB_OK;
}

enum sb_status sb_pair_option(int index, const char *value, struct sb_pair_request *q, struct sb_error *err)
{
	int64_t n;

	switch (index) {
	case SB_PAIR_OPT_DB:
		q->db = value;
		return SB_OK;
	case SB_PAIR_OPT_SET:
		if (q->n_set == (int)SB_ARRAY_LEN(q->set))
			return sb_fail(err, SB_E_USAGE, "too many --set");
		q->set[q->n_set++] = value;
		return SB_OK;
	case SB_PAIR_OPT_TRIALS:
		if (sb_parse_int(value, "--trials", 1, 64, &n, err))
			return err->code;
		q->opt.trials = (int)n;
		return SB_OK;
	case SB_PAIR_OPT_SEED:
		return parse_seed(value, q, err);
	case SB_PAIR_OPT_BUDGET:
		return sb_parse_double(value, "--budget", 0.0, 1e7, &q->budget_s, err);
	case SB_PAIR_OPT_TIMEOUT:
		return sb_parse_double(value, "--timeout", 0.1, 1e7, &q->opt.timeout_s, err);
	case SB_PAIR_OPT_NOTE:
		q->opt.note = value;
		return SB_OK;
	case SB_PAIR_OPT_QUIET:
		q->quiet = true;
		return SB_OK;
	case SB_PAIR_OPT_PLANT:
		return parse_plant(value, &q->opt.side[SB_PAIRS_B].plant, err);
	}
	return sb_case_option(names[index].name, value, &q->opt.setup, err);
}

/* A gate is to be quick: the released network takes its shortest case, (iii), unless something else is asked for. */
static void choose_case(struct sb_pair_request *q)
{
	struct sb_case *c = &q->opt.setup.c;

	sb_case_choose_device(q->opt.setup.device, sizeof(q->opt.setup.device));
	if (!strcmp(c->preset, "auto"))
		snprintf(c->preset, sizeof(c->preset), "%s", strncmp(q->opt.setup.device, "cuda", 4) ? "tiny" : "full");
	if (!strcmp(c->preset, "full")) {
		c->frames = c->frames ? c->frames : 8;
		if (!c->width && !c->own_size) {
			c->width = 252;
			c->height = 140;
		}
		if (!c->grid && !c->queries[0])
			c->grid = 8;
		if (!c->support && !c->support_file[0])
			c->support = 128;
	}
	/* On a CPU more processes tell more than more trials of one; a GPU's process costs seconds to start. */
	if (!q->opt.trials)
		q->opt.trials = strncmp(q->opt.setup.device, "cuda", 4) ? 1 : 4;
	if (!c->cameras[0])
		snprintf(c->cameras, sizeof(c->cameras), "fixed");
}

enum sb_status sb_pair_check_exe(const char *exe, struct sb_error *err)
{
	struct stat sb;

	if (!stat(exe, &sb) && S_ISDIR(sb.st_mode))
		return sb_fail(err, SB_E_USAGE, "cannot execute '%.200s': it is a folder", exe);
	if (access(exe, X_OK))
		return sb_fail(err, SB_E_USAGE, "cannot execute '%.200s': %s", exe, strerror(errno));
	return SB_OK;
}

enum sb_status sb_pair_prepare(struct sb_pair_request *q, int argc, char **argv, struct sb_error *err)
{
	const struct sb_case *c = &q->opt.setup.c;

	if (c->raw_width && !c->video[0])
		return sb_fail(err, SB_E_USAGE, "--raw goes with --video, the file the frames are in");
	choose_case(q);
	if (sb_case_check_words(c, err) || sb_case_check_files(c, err) || sb_own_path(q->self, sizeof(q->self), err))
		return err->code;
	for (int side = 0; side < SB_PAIRS_SIDES; side++) {
		if (!q->opt.side[side].exe)
			q->opt.side[side].exe = q->self;
		else if (sb_pair_check_exe(q->opt.side[side].exe, err))
			return err->code;
	}
	sb_add_command_line(argc, argv, &q->command_text);
	q->opt.command = sb_buf_str(&q->command_text);
	return q->command_text.failed ? sb_fail(err, SB_E_NOMEM, "no memory for the command line") : SB_OK;
}

static enum sb_status make_arm(
        struct sb_pair_request *q, int side, const char *name, struct sb_arm *out, struct sb_error *err)
{
	struct sb_arm arms[SB_ARMS_MAX];
	enum sb_status status;
	int n = 0;

	status = sb_arms_parse(name, arms, &n, err);
	if (!status && n != 1)
		status = sb_fail(err, SB_E_USAGE, "'%.64s' is not one arm", name);
	for (int i = 0; i < q->n_set && !status; i++)
		status = sb_levels_set(&arms[0].levels, q->set[i], err);
	if (status)
		return status;
	out->levels = arms[0].levels;
	snprintf(out->name, sizeof(out->name), "%c/%.*s", side ? 'B' : 'A', (int)sizeof(out->name) - 3, arms[0].name);
	return SB_OK;
}

enum sb_status sb_pair_arms(struct sb_pair_request *q, const char *a, const char *b, struct sb_error *err)
{
	enum sb_status status = make_arm(q, SB_PAIRS_A, a, &q->opt.side[SB_PAIRS_A].arm, err);

	return status ? status : make_arm(q, SB_PAIRS_B, b, &q->opt.side[SB_PAIRS_B].arm, err);
}

/* ---- while it runs --------------------------------------------------------------------------------------------- */

/* The first Ctrl-C ends after the trial; the second ends the program, and with it the workers. */
static void on_signal(int sig)
{
	if (stop_asked) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
	stop_asked = 1;
}

static bool interrupted(void *self)
{
	(void)self;
	return stop_asked != 0;
}

static void on_note(void *self, const char *text)
{
	(void)self;
	sb_log(SB_LOG_INFO, "%s", text);
}

static void on_progress(void *self, const struct sb_loop_state *s)
{
	struct sb_pair_request *q = self;

	if (!q->terminal && s->block == q->last_pair)
		return;
	q->last_pair = s->block;
	fprintf(stderr, q->terminal ? "\r\033[Kpair %d, %s, %.0f s" : "pair %d, from %s, %.0f s\n", s->block + 1,
	        q->opt.side[s->arm].arm.name, s->elapsed_s);
	fflush(stderr);
}

void sb_pair_begin(struct sb_pair_request *q)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct sb_case_settings dropped;

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	q->terminal = isatty(STDERR_FILENO);
	q->hooks = (struct sb_loop_hooks){
		.progress = q->quiet ? NULL : on_progress, .interrupted = interrupted, .note = on_note, .self = q
	};
	q->opt.hooks = &q->hooks;
	sb_case_drop_foreign_settings(&dropped);
	sb_case_say_dropped(&dropped, q->opt.setup.device);
}

void sb_pair_end_progress(const struct sb_pair_request *q)
{
	if (q->terminal && !q->quiet)
		fputs("\r\033[K", stderr);
}

bool sb_pair_fits_budget(const struct sb_pair_request *q, const struct sb_pairs *p)
{
	return sb_gate_pair_fits(q->budget_s, sb_pairs_elapsed_s(p), sb_pairs_whole(p) + sb_pairs_dropped(p));
}
