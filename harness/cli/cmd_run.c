/* run: measure the arms of a plan into a database. */
#include "case_options.h"
#include "outputs.h"
#include "run_all.h"
#include "run_part.h"
#include "sb_cli.h"
#include "sb_memory.h"
#include "sb_pairs.h"
#include "sb_session.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	OPT_DB,
	OPT_WORKLOAD,
	OPT_VIDEO,
	OPT_RAW,
	OPT_PRESET,
	OPT_FRAMES,
	OPT_STRIDE,
	OPT_SIZE,
	OPT_WEIGHTS,
	OPT_WEIGHTS_FRONT,
	OPT_WEIGHTS_TRACK,
	OPT_QUERIES,
	OPT_GRID,
	OPT_POINTS,
	OPT_SUPPORT,
	OPT_SUPPORT_FILE,
	OPT_CAMERAS,
	OPT_ITERATIONS,
	OPT_MODE,
	OPT_WINDOW,
	OPT_OVERLAP,
	OPT_DEVICE,
	OPT_ARMS,
	OPT_FACTORS,
	OPT_ALL,
	OPT_SET,
	OPT_BLOCKS,
	OPT_TRACE_BLOCKS,
	OPT_TRACE,
	OPT_NO_COUNTERS,
	OPT_BUDGET,
	OPT_SEED,
	OPT_THREADS,
	OPT_TIMEOUT,
	OPT_VRAM_LIMIT,
	OPT_ALLOC_CONF,
	OPT_OFFLOAD_BUDGET,
	OPT_NOTE,
	OPT_EXE,
	OPT_RESUME,
	OPT_AS_IT_IS,
	OPT_SAVE,
	OPT_SAVE_NPZ,
	OPT_DEPTH_IMAGES,
	OPT_OVERLAY,
	OPT_SAVE_TRACE,
	OPT_SAVE_ARM,
	OPT_QUIET,
};

const struct sb_option sb_run_options[] = {
	[OPT_DB] = { "db", "FILE", "the database [$SPABENCH_DB, else ./spabench.db]" },
	[OPT_WORKLOAD] = { "workload", "NAME",
	        "tracker; churn: clips of changing size one after the other, for fragmentation; churn-own [tracker]" },
	[OPT_VIDEO] = { "video", "PATH",
	        "a folder of PNG images, a .y4m file or any video that ffmpeg decodes [built-in]" },
	[OPT_RAW] = { "raw", "WxH", "--video is a file of packed 8-bit RGB frames of this size" },
	[OPT_PRESET] = { "preset", "NAME", "the network: tiny, small or full [tiny; full on a GPU]" },
	[OPT_FRAMES] = { "frames", "N", "frames of the clip [the preset's; as many as fit into a GPU]" },
	[OPT_STRIDE] = { "stride", "N", "take every N-th frame [1]" },
	[OPT_SIZE] = { "size", "WxH|native",
	        "network size, multiples of 14; native: 518 wide, as published [the preset's]" },
	[OPT_WEIGHTS] = { "weights", "FILE",
	        "safetensors; which part it is, or both, its names tell [synthetic weights]" },
	[OPT_WEIGHTS_FRONT] = { "weights-front", "FILE", "safetensors of the front end [synthetic weights]" },
	[OPT_WEIGHTS_TRACK] = { "weights-track", "FILE", "safetensors of the tracker [synthetic weights]" },
	[OPT_QUERIES] = { "queries", "FILE",
	        "points to track: lines t,x,y, frame and pixel of the network's size [a grid on frame 0]" },
	[OPT_GRID] = { "grid", "N", "track a grid of N x N points [the preset's]" },
	[OPT_POINTS] = { "points", "N", "track about N points: the square grid nearest to that" },
	[OPT_SUPPORT] = { "support", "N",
	        "points that the tracker adds in each window, for the cameras [the preset's]" },
	[OPT_SUPPORT_FILE] = { "support-file", "FILE",
	        "these points: lines t,x,y, t from a window's first frame; for all windows, or one set each" },
	[OPT_CAMERAS] = { "cameras", "WORD",
	        "fixed: the front end's; procrustes: moved with the tracks; ba: and bundle adjustment [ba]" },
	[OPT_ITERATIONS] = { "iterations", "N", "refinement iterations of the tracker [the preset's; published: 4]" },
	[OPT_MODE] = { "mode", "offline|online", "windows of 500 frames, overlap 4, or of 20, overlap 6 [offline]" },
	[OPT_WINDOW] = { "window", "N", "frames of a window [the mode's]" },
	[OPT_OVERLAP] = { "overlap", "N", "frames that windows share [the mode's]" },
	[OPT_DEVICE] = { "device", "auto|cpu|cuda:N|all",
	        "where to run; all: every GPU at once, a run each [auto: the GPU if there is one]" },
	[OPT_ARMS] = { "arms", "LIST", "arms by name, comma-separated; pairs are against `before`, else the first" },
	[OPT_FACTORS] = { "factors", "LIST", "an arm for each of these: precision, attention, alloc [all]" },
	[OPT_ALL] = { "all", NULL, "every combination of the factors" },
	[OPT_SET] = { "set", "F[.PART]=LEVEL", "fix a level in every arm, e.g. precision.conv=fp32; may be repeated" },
	[OPT_BLOCKS] = { "blocks", "N",
	        "exactly N timing blocks, without budget unless given [until +-1 %, at most 28]" },
	[OPT_TRACE_BLOCKS] = { "trace-blocks", "N",
	        "trace blocks, for kinds of op and evidence; fewer when the budget ends, but one; 0: none [6]" },
	[OPT_TRACE] = { "trace", "default|full",
	        "full: trace trials record every call of the GPU's API, which costs them more [default]" },
	[OPT_NO_COUNTERS] = { "no-counters", NULL,
	        "no pass at the end that counts TF32 operations in the hardware (GPU only)" },
	[OPT_BUDGET] = { "budget", "SECONDS", "stop after about so long, see below; 0: no limit [60; 300 on a GPU]" },
	[OPT_SEED] = { "seed", "N", "of the random order and the support points [random; points: 0]" },
	[OPT_THREADS] = { "threads", "N", "CPU threads of a worker [all]" },
	[OPT_TIMEOUT] = { "timeout", "SECONDS", "a trial that takes longer is killed and stored as such [600]" },
	[OPT_VRAM_LIMIT] = { "vram-limit", "SIZE", "pretend the device has so much memory, e.g. 512M" },
	[OPT_ALLOC_CONF] = { "alloc-conf", "STRING",
	        "settings of the allocators, as in PYTORCH_CUDA_ALLOC_CONF, e.g. max_split_size_mb:64 [PyTorch's]" },
	[OPT_OFFLOAD_BUDGET] = { "offload-budget", "SIZE",
	        "with offload: so much of its weights stays on the device [0]" },
	[OPT_NOTE] = { "note", "TEXT", "kept with the run" },
	[OPT_EXE] = { "exe", "FILE", "the spabench whose workers run the trials [this one]" },
	[OPT_RESUME] = { "resume", NULL, "complete an interrupted run: RUN, else the newest that is not complete" },
	[OPT_AS_IT_IS] = { "as-it-is", NULL,
	        "with --resume: run nothing more, judge the switches by what there is; needs no GPU" },
	[OPT_SAVE] = { "save", "FILE", "afterwards, write one arm's depth, poses, points and tracks (safetensors)" },
	[OPT_SAVE_NPZ] = { "save-npz", "FILE",
	        "afterwards, write one arm's tracks, poses, depth and frames for the reference's viewers" },
	[OPT_DEPTH_IMAGES] = { "depth-images", "DIR",
	        "afterwards, write one arm's depth as PNG, 16-bit grey, one a frame" },
	[OPT_OVERLAY] = { "overlay", "DIR", "afterwards, draw one arm's tracks on the frames, as PNG" },
	[OPT_SAVE_TRACE] = { "save-trace", "FILE",
	        "afterwards, write what one arm's allocator was asked and did, for 'spabench replay'" },
	[OPT_SAVE_ARM] = { "save-arm", "NAME", "whose results [the last arm]" },
	[OPT_QUIET] = { "quiet", NULL, "no progress" },
	{ NULL, NULL, NULL },
};

const char sb_run_details[] =
        "Arms: before (fp32, standard, default), +precision, +attention, +alloc (one switch each), after (all three,\n"
        "as PyTorch and xFormers apply them), best (after, with TF32 inside attention). A block is one trial of\n"
        "every arm in random order; pairs are formed within a block.\n"
        "No block is begun that would end after the budget, setting up not counted. Timing leaves the trace blocks\n"
        "about their time, at most half. Without 6 blocks there is no interval: up to the sixth of either kind the\n"
        "limit is three times the budget, and each has one block in any case.\n"
        "Ctrl-C ends the run after the current trial, with everything stored; 'run --resume' completes it. One that\n"
        "was killed has no evidence of its switches yet: 'run --resume --as-it-is' judges it by what it has.\n"
        "A trial that runs out of memory, crashes or hangs is stored as such and the run goes on.\n"
        "The churn workload fragments memory: its claim is judged on 'run --workload churn', which compares the\n"
        "allocators with TF32 and efficient attention on; --seed draws another list of clips. It asks for memory as\n"
        "PyTorch's modules do; churn-own: as spabench's fused ops need it, a quarter of that.\n"
        "An arm can name a level: +alloc=stitched, expandable segments that move unused pages (experimental).\n"
        "Weights are synthetic unless a file is given: F32, F16 or BF16, tensors named as in the released "
        "checkpoints.\n"
        "The released checkpoints have a licence of their own (non-commercial): read it before you use them.\n"
        "They go with --preset full; 'spabench export weights' writes the synthetic ones.\n";

struct request {
	const char *db, *arms, *factors, *exe;
	const char *save_arm; /* NULL: the last */
	struct sb_session_save save;
	const char *set[16];
	int n_set;
	bool all, quiet, resume, as_it_is, budget_given, on_gpu;
	int devices;              /* of --device all; 0: one is named */
	const char *resume_ref;   /* NULL: the newest that is not complete */
	struct sb_run_part *part; /* of a sweep; NULL: of none */
	struct sb_session_options opt;
};

/* ---- options ------------------------------------------------------------------------------------------------- */

static enum sb_status parse_int_into(
        const char *value, const char *what, int64_t min, int64_t max, int *out, struct sb_error *err)
{
	int64_t v;
	enum sb_status status = sb_parse_int(value, what, min, max, &v, err);

	if (!status)
		*out = (int)v;
	return status;
}

static enum sb_status set_output(const char *value, const char *needs, const char **out, struct sb_error *err)
{
	*out = value;
	return value[0] ? SB_OK : sb_fail(err, SB_E_USAGE, "%s", needs);
}

/* Which of the two allocators it is says the arm. */
static enum sb_status set_alloc_conf(const char *value, char *out, size_t n, struct sb_error *err)
{
	struct sb_alloc_conf conf;

	if (sb_alloc_conf_parse(value, &conf, err))
		return sb_wrap(err, "--alloc-conf");
	if (conf.expandable)
		return sb_fail(err, SB_E_USAGE,
		        "--alloc-conf: expandable segments are a factor of the arms; choose them by --set "
		        "alloc=expandable");
	if (strlen(value) >= n)
		return sb_fail(err, SB_E_USAGE, "--alloc-conf: more than %zu characters", n - 1);
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			return sb_fail(err, SB_E_USAGE, "--alloc-conf: characters that no setting has");
	if (conf.unused[0])
		sb_log(SB_LOG_WARN, "--alloc-conf: without effect here: %s", conf.unused);
	snprintf(out, n, "%s", value);
	return SB_OK;
}

static enum sb_status apply(int option, const char *value, struct request *q, struct sb_error *err)
{
	static const char *const trace_sets[] = { "default", "full", NULL };
	struct sb_plan *plan = &q->opt.plan;
	int64_t seed;
	int set;

	switch (option) {
	case OPT_DB:
		q->db = value;
		return SB_OK;
	case OPT_ARMS:
		q->arms = value;
		return SB_OK;
	case OPT_FACTORS:
		q->factors = value;
		return SB_OK;
	case OPT_ALL:
		q->all = true;
		return SB_OK;
	case OPT_SET:
		if (q->n_set == (int)SB_ARRAY_LEN(q->set))
			return sb_fail(err, SB_E_USAGE, "too many --set");
		q->set[q->n_set++] = value;
		return SB_OK;
	case OPT_BLOCKS:
		return parse_int_into(value, "--blocks", 1, 10000, &plan->blocks, err);
	case OPT_TRACE_BLOCKS:
		return parse_int_into(value, "--trace-blocks", 0, 10000, &plan->trace_blocks, err);
	case OPT_TRACE:
		if (sb_parse_word(value, "--trace", trace_sets, &set, err))
			return SB_E_USAGE;
		q->opt.setup.trace_calls = set == 1;
		return SB_OK;
	case OPT_NO_COUNTERS:
		plan->uncounted = true;
		return SB_OK;
	case OPT_BUDGET:
		q->budget_given = true;
		return sb_parse_double(value, "--budget", 0.0, 1e7, &plan->budget_s, err);
	case OPT_SEED:
		if (sb_parse_int(value, "--seed", 0, INT64_MAX, &seed, err))
			return SB_E_USAGE;
		plan->seed = (uint64_t)seed;
		q->opt.setup.c.seed = (uint64_t)seed; /* of the points: without one, two runs track the same */
		return SB_OK;
	case OPT_TIMEOUT:
		return sb_parse_double(value, "--timeout", 0.1, 1e7, &plan->timeout_s, err);
	case OPT_NOTE:
		q->opt.note = value;
		return SB_OK;
	case OPT_EXE:
		q->exe = value;
		return SB_OK;
	case OPT_QUIET:
		q->quiet = true;
		return SB_OK;
	case OPT_SAVE:
		return set_output(value, "--save needs the name of a file", &q->save.file, err);
	case OPT_SAVE_NPZ:
		return set_output(value, "--save-npz needs the name of a file", &q->save.npz, err);
	case OPT_DEPTH_IMAGES:
		return set_output(value, "--depth-images needs the name of a folder", &q->save.depth_dir, err);
	case OPT_OVERLAY:
		return set_output(value, "--overlay needs the name of a folder", &q->save.overlay_dir, err);
	case OPT_SAVE_TRACE:
		return set_output(value, "--save-trace needs the name of a file", &q->save.memory_trace, err);
	case OPT_ALLOC_CONF:
		return set_alloc_conf(value, q->opt.setup.alloc_conf, sizeof(q->opt.setup.alloc_conf), err);
	case OPT_OFFLOAD_BUDGET:
		return sb_parse_bytes(value, "--offload-budget", &q->opt.setup.offload_budget, err);
	case OPT_SAVE_ARM:
		q->save_arm = value;
		return SB_OK;
	case OPT_RESUME:
		q->resume = true;
		return SB_OK;
	case OPT_AS_IT_IS:
		q->as_it_is = true;
		return SB_OK;
	}
	return sb_case_option(sb_run_options[option].name, value, &q->opt.setup, err);
}

/* Pairs and quality are against the first arm: that is `before` whenever it runs, wherever the user wrote it. */
static void before_first(struct sb_plan *plan)
{
	for (int a = 1; a < plan->n_arms; a++) {
		struct sb_arm before = plan->arms[a];

		if (strcmp(before.name, "before") != 0)
			continue;
		memmove(plan->arms + 1, plan->arms, (size_t)a * sizeof(before));
		plan->arms[0] = before;
	}
}

/* The allocators, with the switches on that let every clip of the list fit into a GPU. */
#define CHURN_ARMS "+precision+attention,after,+precision+attention+alloc=stitched"

/* `auto` is decided here, because the defaults hang on it: a GPU runs the released network, and longer. */
static void choose_defaults(struct request *q)
{
	struct sb_worker_setup *setup = &q->opt.setup;

	if (q->devices)
		snprintf(setup->device, sizeof(setup->device), "cuda:0");
	sb_case_choose_device(setup->device, sizeof(setup->device));
	q->on_gpu = !strncmp(setup->device, "cuda", 4);
	if (!strcmp(setup->c.preset, "auto"))
		snprintf(setup->c.preset, sizeof(setup->c.preset), "%s", q->on_gpu ? "full" : "tiny");
	if (!strncmp(setup->c.workload, "churn", 5) && !q->arms && !q->factors && !q->all)
		q->arms = CHURN_ARMS;
	/* A card may be too small for the preset's clip, a CPU's memory is not: there only a limit is. */
	q->opt.fit = !strcmp(setup->c.workload, "tracker") && !setup->c.frames &&
	             (q->on_gpu || setup->memory_limit_bytes) && !q->part;
	if (!q->budget_given)
		q->opt.plan.budget_s = q->opt.plan.blocks ? 0.0 : q->on_gpu ? 300.0 : 60.0;
}

static enum sb_status make_arms(struct request *q, struct sb_error *err)
{
	struct sb_plan *plan = &q->opt.plan;
	enum sb_status status = SB_OK;

	if ((q->arms != NULL) + (q->factors != NULL) + q->all > 1)
		return sb_fail(err, SB_E_USAGE, "--arms, --factors and --all exclude each other");
	if (q->all)
		sb_arms_all(plan->arms, &plan->n_arms);
	else if (q->arms)
		status = sb_arms_parse(q->arms, plan->arms, &plan->n_arms, err);
	else
		status = sb_arms_default(
		        q->factors, q->on_gpu && !q->factors && !q->n_set, plan->arms, &plan->n_arms, err);
	for (int i = 0; i < q->n_set && !status; i++)
		for (int a = 0; a < plan->n_arms && !status; a++)
			status = sb_levels_set(&plan->arms[a].levels, q->set[i], err);
	for (int a = 1; a < plan->n_arms && !status; a++)
		for (int b = 0; b < a && !status; b++)
			if (sb_levels_equal(&plan->arms[a].levels, &plan->arms[b].levels))
				status = sb_fail(err, SB_E_USAGE, "with these --set, arms '%s' and '%s' are the same",
				        plan->arms[b].name, plan->arms[a].name);
	before_first(plan);
	q->opt.setup.reference = plan->arms[0].levels;
	return status;
}

/* Outputs that cannot be written, or would be over the database, an input or another output. */
static enum sb_status check_outputs(const struct request *q, struct sb_error *err)
{
	const struct sb_session_save *s = &q->save;
	const struct sb_case *c = &q->opt.setup.c;
	const char *db = sb_database_path(q->db);
	char wal[SB_PATH_MAX], shm[SB_PATH_MAX];
	const struct sb_named_path outputs[] = { { "--save", s->file, false }, { "--save-npz", s->npz, false },
		{ "--save-trace", s->memory_trace, false }, { "--depth-images", s->depth_dir, true },
		{ "--overlay", s->overlay_dir, true } };
	const struct sb_named_path taken[] = { { "the database", db, false }, { "the database's journal", wal, false },
		{ "the database's index", shm, false }, { "--video", c->video, false },
		{ "--queries", c->queries, false }, { "--support-file", c->support_file, false },
		{ "the weights", c->weights_front, false }, { "the weights", c->weights_track, false } };

	snprintf(wal, sizeof(wal), "%s-wal", db);
	snprintf(shm, sizeof(shm), "%s-shm", db);
	return sb_outputs_check(outputs, SB_ARRAY_LEN(outputs), taken, SB_ARRAY_LEN(taken), err);
}

/* Which of the plan's arms is saved. */
static enum sb_status choose_saved_arm(struct request *q, struct sb_error *err)
{
	const struct sb_plan *plan = &q->opt.plan;
	struct sb_buf names = { 0 };

	if (check_outputs(q, err))
		return err->code;
	if (q->save_arm && !sb_session_save_wanted(&q->save))
		return sb_fail(err, SB_E_USAGE,
		        "--save-arm goes with --save, --save-npz, --save-trace, --depth-images or --overlay");
	q->save.arm = plan->n_arms - 1;
	if (!q->save_arm)
		return SB_OK;
	for (int a = 0; a < plan->n_arms; a++) {
		if (!strcmp(plan->arms[a].name, q->save_arm)) {
			q->save.arm = a;
			sb_buf_release(&names);
			return SB_OK;
		}
		sb_buf_addf(&names, "%s%s", a ? ", " : "", plan->arms[a].name);
	}
	sb_fail(err, SB_E_USAGE, "--save-arm '%.64s' is none of this run's arms: %.600s", q->save_arm,
	        sb_buf_str(&names));
	sb_buf_release(&names);
	return SB_E_USAGE;
}

static enum sb_status parse(int argc, char **argv, struct request *q, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	const char *value;
	int i, n_new = 0;

	while ((i = sb_options_next(&p, argc, argv, sb_run_options, &value, err)) >= 0) {
		if (apply(i, value, q, err))
			return err->code;
		n_new += i != OPT_DB && i != OPT_RESUME && i != OPT_AS_IT_IS && i != OPT_QUIET && i != OPT_EXE &&
		         i != OPT_SAVE && i != OPT_SAVE_ARM && i != OPT_DEPTH_IMAGES && i != OPT_SAVE_NPZ &&
		         i != OPT_OVERLAY && i != OPT_SAVE_TRACE;
	}
	if (i == -2)
		return SB_E_USAGE;
	if (q->as_it_is && (!q->resume || sb_session_save_wanted(&q->save)))
		return sb_fail(err, SB_E_USAGE, "%s",
		        q->resume ? "--as-it-is runs nothing, so there is nothing to save or draw"
		                  : "--as-it-is goes with --resume: it ends a run that was broken off");
	if (q->resume) {
		if (n_new)
			return sb_fail(err, SB_E_USAGE,
			        "a resumed run keeps its plan: only --db, --exe, --quiet, --save, "
			        "--save-npz, --save-arm, --save-trace, --depth-images and --overlay go with --resume");
		if (p.n_operands > 1)
			return sb_fail(err, SB_E_USAGE, "--resume takes one run, not %d", p.n_operands);
		q->resume_ref = p.n_operands ? p.operands[0] : NULL;
		return SB_OK;
	}
	if (!strcmp(q->opt.setup.device, "all") && sb_run_all_count(&q->devices, err))
		return err->code;
	choose_defaults(q);
	if (q->devices && sb_session_save_wanted(&q->save))
		return sb_fail(err, SB_E_USAGE,
		        "--device all goes with no --save.. option: name the GPU whose results are wanted");
	if (p.n_operands)
		return sb_fail(
		        err, SB_E_USAGE, "run takes no argument '%.64s'; a video is given with --video", p.operands[0]);
	if (q->opt.setup.c.raw_width && !q->opt.setup.c.video[0])
		return sb_fail(err, SB_E_USAGE, "--raw goes with --video, the file the frames are in");
	if (sb_case_check_words(&q->opt.setup.c, err))
		return err->code;
	return make_arms(q, err) ? err->code : choose_saved_arm(q, err);
}

/* ---- progress ------------------------------------------------------------------------------------------------ */

static volatile sig_atomic_t stop_asked;

/* The first Ctrl-C ends the run after its trial; the second ends the program, and with it the worker. */
static void on_signal(int sig)
{
	if (stop_asked) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
	stop_asked = 1;
}

struct progress {
	const struct sb_plan *plan;
	bool terminal;
	int last_block;
	enum sb_purpose last_purpose;
};

static bool interrupted(void *self)
{
	(void)self;
	return stop_asked != 0;
}

static void on_note(void *self, const char *text)
{
	const struct progress *p = self;

	if (p->terminal)
		fputs("\r\033[K", stderr);
	sb_log(SB_LOG_INFO, "%s", text);
}

static void format_ratio(const struct sb_loop_state *s, const char *arm, char *out, size_t n)
{
	out[0] = '\0';
	if (s->total.has_interval)
		snprintf(out, n, ", total %s %.3f (%.3f..%.3f)", arm, s->total.ratio, s->total.lo, s->total.hi);
	else if (s->total.pairs)
		snprintf(out, n, ", total %s %.3f", arm, s->total.ratio);
}

/* A line that is rewritten on a terminal, one line a block otherwise. */
static void on_progress(void *self, const struct sb_loop_state *s)
{
	struct progress *p = self;
	char ratio[96], of[24] = "";

	if (!p->terminal && s->block == p->last_block && s->purpose == p->last_purpose)
		return;
	p->last_block = s->block;
	p->last_purpose = s->purpose;
	format_ratio(s, p->plan->arms[p->plan->n_arms - 1].name, ratio, sizeof(ratio));
	if (s->blocks)
		snprintf(of, sizeof(of), " of %d", s->blocks);
	fprintf(stderr,
	        p->terminal ? "\r\033[K%s block %d%s, arm %s, %.0f s%s" : "%s block %d%s, from arm %s, %.0f s%s\n",
	        sb_purpose_names[s->purpose], s->block + 1, of, p->plan->arms[s->arm].name, s->elapsed_s, ratio);
	fflush(stderr);
}

/* ---- the command --------------------------------------------------------------------------------------------- */

/* A run is what its plan says, and a resumed one what its plan said: nothing of it comes from the environment. */
static void say_unused_settings(void)
{
	const char *name;

	if (sb_alloc_conf_from_environment(&name))
		sb_log(SB_LOG_WARN, "%s is set and not used: a run takes allocator settings by --alloc-conf only",
		        name);
}

/* What can be refused before a database is made. */
static enum sb_status check_files(const struct request *q, struct sb_error *err)
{
	struct stat sb;

	if (sb_case_check_files(&q->opt.setup.c, err))
		return err->code;
	if (q->exe && !stat(q->exe, &sb) && S_ISDIR(sb.st_mode))
		return sb_fail(err, SB_E_USAGE, "cannot execute '%.200s': it is a folder", q->exe);
	if (q->exe && access(q->exe, X_OK))
		return sb_fail(err, SB_E_USAGE, "cannot execute '%.200s': %s", q->exe, strerror(errno));
	return SB_OK;
}

static void print_result(const char *db, const struct sb_session_result *r)
{
	for (int i = 0; i < r->n_switches; i++) {
		const struct sb_switch_line *line = &r->switches[i];

		printf("%s: %s\n", line->factor, line->text);
		if (line->tested && !line->in_effect)
			sb_log(SB_LOG_WARN, "%s is on and not in effect: its claim will not be tested", line->factor);
	}
	if (r->cut)
		sb_log(SB_LOG_INFO, "blocks of its plan are missing: 'spabench run --resume' adds them");
	if (r->trace_note[0])
		sb_log(SB_LOG_INFO, "trace blocks: %s", r->trace_note);
	if (r->uncounted[0])
		sb_log(SB_LOG_INFO, "no hardware counters: %s", r->uncounted);
	if (r->loop.other && r->loop.ok) /* otherwise it is the error that ends the command */
		sb_log(SB_LOG_WARN, "%d trials did not succeed; the last: %s", r->loop.other, r->last_failure);
	if (r->run_id[0]) {
		char shown[SB_PATH_MAX], time[32] = "";

		sb_escape(db, shown, sizeof(shown));
		if (r->loop.elapsed_s > 0.0) /* a process that was killed left no word of its time */
			snprintf(time, sizeof(time), " in %.0f s", r->loop.elapsed_s);
		printf("run %.8s: %d timing blocks, %d trace blocks%s, stored in %s\n", r->run_id, r->loop.blocks,
		        r->loop.trace_blocks, time, shown);
	}
}

/* Begun by `run` and not complete; runs of pairs are not resumed. */
static bool can_be_resumed(struct sb_store *st, const struct sb_run_line *line)
{
	struct sb_error err;
	struct sb_run run;
	int64_t key;
	bool can;

	if (!strcmp(line->status, "complete") || sb_store_find_run(st, line->id, &key, &err) ||
	        sb_store_read_run(st, key, &run, &err))
		return false;
	can = !sb_run_fact(&run, SB_PAIRS_FACT);
	sb_run_release(&run);
	return can;
}

/* The run to go on with, into q->opt. */
static enum sb_status read_resumed(struct sb_store *st, struct request *q, struct sb_error *err)
{
	struct sb_run_lines lines;
	char id[64] = "";
	int64_t key;
	bool any;

	if (!q->resume_ref) {
		if (sb_store_list_runs(st, &lines, err))
			return err->code;
		any = lines.n > 0;
		for (size_t i = 0; i < lines.n && !id[0]; i++)
			if (can_be_resumed(st, &lines.v[i]))
				snprintf(id, sizeof(id), "%s", lines.v[i].id);
		sb_run_lines_release(&lines);
		if (!id[0])
			return sb_fail(err, SB_E_USAGE, "%s: there is nothing to resume",
			        any ? "every run is complete, or one of pairs" : "the database has no run");
	}
	if (sb_store_find_run(st, q->resume_ref ? q->resume_ref : id, &key, err))
		return err->code;
	return sb_session_read(st, key, &q->opt, err) ? err->code : choose_saved_arm(q, err);
}

/* After the run, which is complete whatever comes of this. */
static enum sb_status save_results(const struct request *q, const struct sb_session_result *r, struct sb_error *err)
{
	const char *arm = q->opt.plan.arms[q->save.arm].name;
	const struct {
		const char *what, *path;
	} outputs[] = {
		{ "results", q->save.file },
		{ "tracks", q->save.npz },
		{ "depth images", q->save.depth_dir },
		{ "frames with the tracks", q->save.overlay_dir },
	};
	char shown[512];

	if (!sb_session_save_wanted(&q->save))
		return SB_OK;
	if (sb_session_save(&q->opt, r, &q->save, err))
		return err->code;
	for (size_t i = 0; i < SB_ARRAY_LEN(outputs); i++) {
		if (!outputs[i].path)
			continue;
		sb_escape(outputs[i].path, shown, sizeof(shown));
		printf("%s of arm %s saved in %s\n", outputs[i].what, arm, shown);
	}
	return SB_OK;
}

static enum sb_status run(struct request *q, struct sb_error *err)
{
	const char *db = sb_database_path(q->db);
	struct progress progress = { .plan = &q->opt.plan, .terminal = isatty(STDERR_FILENO), .last_block = -1 };
	struct sb_loop_hooks hooks = { .progress = q->quiet || q->as_it_is ? NULL : on_progress,
		.interrupted = interrupted,
		.note = on_note,
		.self = &progress };
	struct sigaction act = { .sa_handler = on_signal };
	struct sb_session_result result = { .run_id = "" };
	struct sb_case_settings dropped;
	struct sb_store *st;
	enum sb_status status;

	q->opt.hooks = &hooks;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	if (q->resume && access(db, F_OK)) /* opening for writing would make one */
		return sb_fail(err, SB_E_DATA, "no database '%s': there is nothing to resume", db);
	if (sb_store_open(db, SB_STORE_WRITE, &st, err))
		return err->code;
	status = q->resume ? read_resumed(st, q, err) : SB_OK;
	sb_case_drop_foreign_settings(&dropped);
	if (!status) /* a resumed run's device is known only now */
		sb_case_say_dropped(&dropped, q->opt.setup.device);
	if (!status)
		status = (q->as_it_is ? sb_session_end : sb_session_run)(st, &q->opt, &result, err);
	if (status)
		sb_store_discard(st); /* a database without a run would be a surprise */
	else
		sb_store_close(st);
	if (progress.terminal && !q->quiet)
		fputs("\r\033[K", stderr);
	if (result.clip_note[0])
		sb_log(SB_LOG_INFO, "%s", result.clip_note);
	if (result.inputs_note[0] && !q->quiet)
		sb_log(SB_LOG_INFO, "%s", result.inputs_note);
	if (result.weights_note[0])
		sb_log(SB_LOG_WARN, "%s", result.weights_note);
	if (q->part) {
		snprintf(q->part->run_id, sizeof(q->part->run_id), "%s", result.run_id);
		return status;
	}
	print_result(db, &result);
	return status ? status : save_results(q, &result, err);
}

static enum sb_status run_one_of_all(void *q, struct sb_error *err)
{
	return run(q, err);
}

static enum sb_status run_here(struct request *q, struct sb_error *err)
{
	if (!q->devices)
		return run(q, err);
	return sb_run_all(sb_database_path(q->db), q->devices, &q->opt, run_one_of_all, q, err);
}

static enum sb_status run_command(int argc, char **argv, struct sb_run_part *part, struct sb_error *err)
{
	struct request *q = calloc(1, sizeof(*q));
	struct sb_buf command = { 0 };
	char self[SB_PATH_MAX];
	enum sb_status status;

	if (!q)
		return sb_fail(err, SB_E_NOMEM, "no memory for the options");
	snprintf(q->opt.setup.c.workload, sizeof(q->opt.setup.c.workload), "tracker");
	snprintf(q->opt.setup.c.preset, sizeof(q->opt.setup.c.preset), "auto");
	snprintf(q->opt.setup.device, sizeof(q->opt.setup.device), "auto");
	q->part = part;
	if (part) {
		q->opt.sweep.id = part->sweep;
		q->opt.sweep.by = part->by;
		q->opt.sweep.value = part->value;
	}
	q->opt.plan.trace_blocks = 6;
	q->opt.plan.timeout_s = 600.0;
	q->opt.plan.seed = (uint64_t)sb_wall_time_ns();
	q->opt.plan.seed = sb_splitmix64(&q->opt.plan.seed) >> 1;
	status = parse(argc, argv, q, err);
	if (!status)
		status = check_files(q, err);
	if (!status)
		say_unused_settings();
	if (!status && !q->exe)
		status = sb_own_path(self, sizeof(self), err);
	if (!status) {
		sb_add_command_line(argc, argv, &command);
		q->opt.command = sb_buf_str(&command);
		q->opt.exe = q->exe ? q->exe : self;
		status = command.failed ? sb_fail(err, SB_E_NOMEM, "no memory for the command line") : run_here(q, err);
	}
	sb_buf_release(&command);
	free(q);
	return status;
}

enum sb_status sb_cmd_run(int argc, char **argv, struct sb_error *err)
{
	return run_command(argc, argv, NULL, err);
}

enum sb_status sb_run_part(int argc, char **argv, struct sb_run_part *part, struct sb_error *err)
{
	part->run_id[0] = '\0';
	return run_command(argc, argv, part, err);
}
