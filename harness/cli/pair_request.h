/* What `pairs`, `gate` and `calibrate` share: which two sides are measured, how, and with what said meanwhile. Private
 * to cli. */
#ifndef SB_CLI_PAIR_REQUEST_H
#define SB_CLI_PAIR_REQUEST_H

#include "sb_pairs.h"

/* Rows of an option table that sb_pair_option() takes, and their indices: SB_PAIR_OPT_x. */
enum {
	SB_PAIR_OPT_DB,
	SB_PAIR_OPT_VIDEO,
	SB_PAIR_OPT_RAW,
	SB_PAIR_OPT_PRESET,
	SB_PAIR_OPT_FRAMES,
	SB_PAIR_OPT_STRIDE,
	SB_PAIR_OPT_SIZE,
	SB_PAIR_OPT_WEIGHTS_FRONT,
	SB_PAIR_OPT_WEIGHTS_TRACK,
	SB_PAIR_OPT_GRID,
	SB_PAIR_OPT_SUPPORT,
	SB_PAIR_OPT_CAMERAS,
	SB_PAIR_OPT_ITERATIONS,
	SB_PAIR_OPT_DEVICE,
	SB_PAIR_OPT_THREADS,
	SB_PAIR_OPT_VRAM_LIMIT,
	SB_PAIR_OPT_SET,
	SB_PAIR_OPT_TRIALS,
	SB_PAIR_OPT_SEED,
	SB_PAIR_OPT_BUDGET,
	SB_PAIR_OPT_TIMEOUT,
	SB_PAIR_OPT_NOTE,
	SB_PAIR_OPT_QUIET,
	SB_PAIR_OPT_PLANT,
	SB_PAIR_OPT_COUNT
};
/* clang-format off */
#define SB_PAIR_OPTIONS \
	[SB_PAIR_OPT_DB] = { "db", "FILE", "the database [$SPABENCH_DB, else ./spabench.db]" }, \
	[SB_PAIR_OPT_VIDEO] = { "video", "PATH", "as for 'spabench run', like all that says what is run [built-in]" }, \
	[SB_PAIR_OPT_RAW] = { "raw", "WxH", "--video is a file of packed 8-bit RGB frames of this size" }, \
	[SB_PAIR_OPT_PRESET] = { "preset", "NAME", "the network: tiny, small or full [tiny; full on a GPU]" }, \
	[SB_PAIR_OPT_FRAMES] = { "frames", "N", "frames of the clip [the preset's; 8 of full]" }, \
	[SB_PAIR_OPT_STRIDE] = { "stride", "N", "take every N-th frame [1]" }, \
	[SB_PAIR_OPT_SIZE] = { "size", "WxH|native", "network size, multiples of 14 [the preset's; 252x140 of full]" }, \
	[SB_PAIR_OPT_WEIGHTS_FRONT] = { "weights-front", "FILE", "safetensors of the front end [synthetic weights]" }, \
	[SB_PAIR_OPT_WEIGHTS_TRACK] = { "weights-track", "FILE", "safetensors of the tracker [synthetic weights]" }, \
	[SB_PAIR_OPT_GRID] = { "grid", "N", "track a grid of N x N points [the preset's; 8 of full]" }, \
	[SB_PAIR_OPT_SUPPORT] = { "support", "N", "points that the tracker adds [the preset's; 128 of full]" }, \
	[SB_PAIR_OPT_CAMERAS] = { "cameras", "WORD", "fixed, procrustes or ba [fixed]" }, \
	[SB_PAIR_OPT_ITERATIONS] = { "iterations", "N", "refinement iterations of the tracker [the preset's]" }, \
	[SB_PAIR_OPT_DEVICE] = { "device", "auto|cpu|cuda:N", "where to run [auto: the GPU if there is one]" }, \
	[SB_PAIR_OPT_THREADS] = { "threads", "N", "CPU threads of a worker [all]" }, \
	[SB_PAIR_OPT_VRAM_LIMIT] = { "vram-limit", "SIZE", "pretend the device has so much memory, e.g. 512M" }, \
	[SB_PAIR_OPT_SET] = { "set", "F[.PART]=LEVEL", "fix a level in both sides; may be repeated" }, \
	[SB_PAIR_OPT_TRIALS] = { "trials", "N", "trials of a process, each with its cold pass [1; 4 on a GPU]" }, \
	[SB_PAIR_OPT_SEED] = { "seed", "N", "of the order of the processes and of the support points [random; points: 0]" }, \
	[SB_PAIR_OPT_BUDGET] = { "budget", "SECONDS", "no pair is begun that would end later, but the first two; 0: no limit [60]" }, \
	[SB_PAIR_OPT_TIMEOUT] = { "timeout", "SECONDS", "a trial that takes longer is killed and its pair dropped [600]" }, \
	[SB_PAIR_OPT_NOTE] = { "note", "TEXT", "kept with the run" }, \
	[SB_PAIR_OPT_QUIET] = { "quiet", NULL, "no progress" }, \
	[SB_PAIR_OPT_PLANT] = { "plant", "PERCENT", "for tests: make every pass of the second side so much longer" }
/* clang-format on */

struct sb_pair_request {
	const char *db;
	struct sb_pairs_options opt; /* hooks and command are set by sb_pair_prepare() */
	const char *set[16];
	int n_set;
	double budget_s;
	bool quiet;
	/* private */
	struct sb_loop_hooks hooks;
	struct sb_buf command_text;
	char self[SB_PATH_MAX];
	bool terminal;
	int last_pair;
};

/* Defaults that do not depend on the device. */
void sb_pair_request_init(struct sb_pair_request *q);
void sb_pair_request_release(struct sb_pair_request *q);
/* Apply option `index` of the rows above. Errors: SB_E_USAGE. */
enum sb_status sb_pair_option(int index, const char *value, struct sb_pair_request *q, struct sb_error *err);
/*
 * When all options are known: chooses the device and what hangs on it, checks words and files. argv is the command's.
 * exe NULL becomes this program.
 */
enum sb_status sb_pair_prepare(struct sb_pair_request *q, int argc, char **argv, struct sb_error *err);
/*
 * Both arms: `a` and `b` are names as after --arms, prefixed A/ and B/ so that they may be the same; --set is applied.
 * Errors: SB_E_USAGE.
 */
enum sb_status sb_pair_arms(struct sb_pair_request *q, const char *a, const char *b, struct sb_error *err);
/* An executable file, or SB_E_USAGE. */
enum sb_status sb_pair_check_exe(const char *exe, struct sb_error *err);
/* Ctrl-C is heeded from here on; settings of the environment that would change levels are dropped, and told. */
void sb_pair_begin(struct sb_pair_request *q);
void sb_pair_end_progress(const struct sb_pair_request *q);
/* Whether another pair fits: one takes as long as those before did on average. */
bool sb_pair_fits_budget(const struct sb_pair_request *q, const struct sb_pairs *p);

#endif
