/*
 * session: one run from end to end: worker processes, the loop, the store, the evidence. What `spabench run` calls.
 * The parent never touches the device.
 */
#ifndef SB_SESSION_H
#define SB_SESSION_H

#include "sb_experiment.h"

struct sb_session_options {
	const char *exe;     /* the binary that workers are made of */
	const char *command; /* as typed, for the record */
	const char *note;    /* or NULL */
	struct sb_worker_setup setup;
	struct sb_plan plan;
	/*
	 * Complete this run of the store instead of beginning one (0: begin): setup and plan are then the stored ones,
	 * read with sb_session_read(), and what it has is not run again.
	 */
	int64_t resume_key;
	/*
	 * Lower the number of frames to the most whose first arm fits into SB_FIT_SHARE of the device's free memory.
	 * Where that is fewer than setup.c asks for, setup.c.frames is set to it.
	 */
	bool fit;
	/* Runs that belong together, one on each device of a host: facts group.id, group.index, group.size. */
	struct {
		char id[33]; /* "": none */
		int index, size;
	} group;
	/* Runs of one case but for one parameter: facts sweep (what they have in common), sweep.by, sweep.value. */
	struct {
		const char *id, *by, *value; /* id NULL: none */
	} sweep;
	/* Progress and the wish to stop, which is asked between trials and while workers are set up or save. Borrowed.
	 */
	const struct sb_loop_hooks *hooks;
};

/* A sentence for each factor of the plan: was it in effect, and by what evidence. */
struct sb_switch_line {
	const char *factor;
	char text[384]; /* "in effect: ..", "not in effect: ..", or why it was not tested */
	bool in_effect, tested;
};

struct sb_session_result {
	char run_id[33];
	struct sb_loop_result loop;
	struct sb_switch_line switches[SB_PART_COUNT];
	int n_switches;
	char clip_note[512], weights_note[512], inputs_note[512];
	char frames_note[256]; /* that there are fewer frames than the case has, and why; or "" */
	uint64_t clip_digest;
	char last_failure[512]; /* of the last trial that was not ok, or "" */
	char trace_note[128];   /* that there are fewer trace blocks than planned, and why; or "" */
	char uncounted[256];    /* why arms have no counters, where they could have; "" */
	bool cut;               /* sb_session_end(): blocks of the plan are missing */
	int restarts;           /* workers that had to be started again */
};

/*
 * Fill opt->setup, opt->plan and opt->resume_key from a stored run that is not complete.
 * Errors: SB_E_USAGE: the run is complete, or still running in a process of this machine; SB_E_DATA: it cannot be read.
 */
enum sb_status sb_session_read(
        struct sb_store *st, int64_t run_key, struct sb_session_options *opt, struct sb_error *err);

/*
 * Run the plan and store it. Every trial is stored as it ends; a run that was interrupted or failed half-way says so
 * in the database and keeps what it has.
 * Errors: SB_E_USAGE, SB_E_ENV, SB_E_DATA, SB_E_INTERRUPTED from setting up (nothing is stored then), among them a
 * resumed run whose clip, weights or device are not what they were; SB_E_INTERRUPTED; SB_E_DEVICE when
 * no trial succeeded. *out is valid in every case.
 */
enum sb_status sb_session_run(
        struct sb_store *st, struct sb_session_options *opt, struct sb_session_result *out, struct sb_error *err);

/*
 * End a stored run with what it has: its switches are judged by the trials that are there, and nothing is run, so that
 * neither the device nor the build that measured is needed. Complete is a run with all blocks of its plan; another one
 * stays "interrupted" (out->cut) and can still be resumed. opt: from sb_session_read().
 * Errors: SB_E_USAGE: the run is at work in another process; SB_E_DEVICE: it has no good trial.
 */
enum sb_status sb_session_end(
        struct sb_store *st, struct sb_session_options *opt, struct sb_session_result *out, struct sb_error *err);

/* Results that are wanted as files. */
struct sb_session_save {
	const char *file, *npz, *depth_dir, *overlay_dir, *memory_trace; /* see sb_save */
	int arm;                                                         /* whose: an index into the plan's arms */
};

static inline bool sb_session_save_wanted(const struct sb_session_save *s)
{
	return s->file || s->npz || s->depth_dir || s->overlay_dir || s->memory_trace;
}

/*
 * One more pass of an arm of a run that is over, in a worker of its own, outside every measurement; the worker writes
 * the files. The run stays as it is, whatever comes of this. Errors: SB_E_INTERRUPTED; SB_E_DATA for all else: what
 * went wrong, and that the run is stored.
 */
enum sb_status sb_session_save(const struct sb_session_options *opt, const struct sb_session_result *run,
        const struct sb_session_save *save, struct sb_error *err);

#endif
