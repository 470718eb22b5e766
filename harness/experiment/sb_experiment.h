/*
 * experiment: a plan of arms and blocks, run by worker processes, every trial handed to a sink. The loop knows neither
 * processes nor databases: it drives a runner and feeds a sink, so tests give it a scripted runner and a fake clock.
 * Uses base, stats, factors, backend, trace, store, jansson.
 */
#ifndef SB_EXPERIMENT_H
#define SB_EXPERIMENT_H

#include "fit.h"
#include "sb_factors.h"
#include "sb_stats.h"
#include "sb_store.h"
#include "sb_workload.h"

/* ---- trials ------------------------------------------------------------------------------------------------- */

enum sb_purpose { SB_TIMING, SB_TRACING, SB_COUNTING, SB_PURPOSES };
extern const char *const sb_purpose_names[]; /* "timing", "trace", "counters" */

#define SB_METRIC_NAME_MAX 64

struct sb_trial_sample {
	char metric[SB_METRIC_NAME_MAX];
	struct sb_value value; /* absent: static, or owned by the trial's `reasons` */
};

/* What came of one trial. Owned by whoever asked; release it. */
struct sb_trial_result {
	enum sb_outcome outcome;
	char message[512];
	int64_t started_ns; /* wall clock */
	int64_t worker_key; /* in the store; set by the runner */
	struct sb_trial_sample *samples;
	size_t n_samples;
	bool trace_complete;
	char **names;
	size_t n_names;
	struct sb_rollup *rollup; /* strings point into names */
	size_t n_rollup;
	struct sb_trace_row *trace;
	size_t n_trace;
	struct sb_launch *launches; /* that rows point to */
	size_t n_launches;
	void *timeline; /* of the arm's memory (sb_timeline.h), or NULL */
	size_t timeline_bytes;
	int64_t timeline_events, timeline_cut; /* in it; for which there was no room */
};
void sb_trial_result_release(struct sb_trial_result *r);
/* A sample's value; NAN when there is none. */
double sb_trial_result_value(const struct sb_trial_result *r, const char *metric);

/* ---- the loop ----------------------------------------------------------------------------------------------- */

struct sb_plan {
	struct sb_arm arms[SB_ARMS_MAX];
	int n_arms;
	int blocks;       /* timing blocks; 0: the stopping rule decides */
	int trace_blocks; /* 0: none */
	double budget_s;  /* of timing and trace blocks together; <= 0: none */
	uint64_t seed;
	double timeout_s; /* of one trial */
	bool uncounted;   /* no counter trials */
};

/* Runs trials, wherever they run. */
struct sb_runner {
	void *self;
	/*
	 * One trial; a trial that fails is SB_OK with its outcome. Errors: only what ends the run (no worker can be
	 * started, SB_E_INTERRUPTED).
	 */
	enum sb_status (*trial)(void *self, enum sb_purpose purpose, const struct sb_arm *arm,
	        struct sb_trial_result *out, struct sb_error *err);
};

/* Takes every trial as it ends. An error ends the run. */
struct sb_sink {
	void *self;
	enum sb_status (*add)(void *self, int arm, int block, int position, enum sb_purpose purpose,
	        const struct sb_trial_result *r, struct sb_error *err);
	/* The timing blocks ended, for this reason; the trace blocks come. Or NULL. */
	enum sb_status (*timing_ended)(void *self, enum sb_stats_stop stop, struct sb_error *err);
};

struct sb_loop_state {
	enum sb_purpose purpose;
	int block, blocks; /* running, and planned (0: open) */
	int arm;           /* running */
	double elapsed_s, budget_s;
	struct sb_ratio total; /* last arm against the first, so far */
};

struct sb_loop_hooks {
	int64_t (*now_ns)(void *self);                                   /* NULL: sb_now_ns */
	void (*progress)(void *self, const struct sb_loop_state *state); /* or NULL */
	bool (*interrupted)(void *self);                                 /* or NULL: asked between trials */
	void (*note)(void *self, const char *text); /* or NULL: what the user should know now, without newline */
	void *self;
};

/* A trial that an interrupted run has already. wall_ns: NAN unless it is a timing trial that was ok. */
struct sb_done_trial {
	int arm, block;
	enum sb_purpose purpose;
	enum sb_outcome outcome;
	double wall_ns;
};
struct sb_done {
	const struct sb_done_trial *v;
	size_t n;
	enum sb_stats_stop stop; /* why its timing blocks had ended, if they had */
	double elapsed_s;        /* of its budget, already spent */
};

struct sb_loop_result {
	enum sb_stats_stop stop;
	int blocks, trace_blocks; /* completed */
	bool trace_cut;           /* the budget ended the trace blocks before the planned number */
	int ok, other;            /* trials by outcome */
	double elapsed_s;
};

/*
 * Blocks over all arms in random order until the stopping rule or the budget ends it, then the trace blocks. About
 * their time is set aside from the budget, half of it at most; they end with it, too, but after one block at the
 * earliest (sb_stats_fits_budget()). An arm out of memory is recorded once and not run again. A block's order depends
 * on the seed, its purpose and its number alone. Whole blocks in `done` (NULL: none) count and are not run again. A
 * block that an earlier process broke off is left as it is, without counting, and another one is run in its stead: its
 * pairs would have been made by two processes at two times.
 * Errors: SB_E_INTERRUPTED after the current trial was stored; what the runner or the sink reported. *out is valid
 * in every case.
 */
enum sb_status sb_loop_run(const struct sb_plan *plan, const struct sb_done *done, const struct sb_runner *runner,
        const struct sb_sink *sink, const struct sb_loop_hooks *hooks, struct sb_loop_result *out,
        struct sb_error *err);

/* ---- plans as text ------------------------------------------------------------------------------------------- */

struct sb_worker_setup;

/* Everything needed to repeat a run but its arms, which have rows of their own. JSON; NULL when out of memory. Free it.
 */
char *sb_plan_format(const struct sb_plan *plan, const struct sb_worker_setup *setup);
/* The inverse: fills all but the arms and the purpose. Errors: SB_E_DATA for what sb_plan_format() did not write. */
enum sb_status sb_plan_parse(
        const char *text, struct sb_plan *plan, struct sb_worker_setup *setup, struct sb_error *err);

/* ---- workers ------------------------------------------------------------------------------------------------ */

/* What a worker is to be: sent to it after its hello. */
struct sb_worker_setup {
	struct sb_case c;
	char device[32];
	int64_t memory_limit_bytes; /* 0: what the device has */
	int64_t offload_budget;     /* bytes of offloaded weights that stay on the device; 0: none */
	enum sb_purpose purpose;
	bool trace_calls;           /* trace trials record every call of the device's API, too */
	int threads;                /* 0: all */
	char alloc_conf[256];       /* PyTorch's settings for both allocators; "": its defaults */
	struct sb_levels reference; /* the arm that quality is judged against: `before` */
	bool no_reference;          /* quality is not judged: ready without a pass, with weights for the levels above */
	double plant;               /* 0.02: every timed pass is made 2 % longer, to test what finds it; 0: as it is */
};

/* What the worker said of itself and its case. */
struct sb_worker_facts {
	char build_id[64], device_name[128], device_kind[16], device_uuid[64], software[256];
	char build_flags[512];  /* sb_build_flags of its build; "" when it does not say */
	char capabilities[256]; /* of its build: words between commas, see sb_worker_capabilities */
	char conv_path[320];    /* as in struct sb_device_info; "" when it has no choice, or does not say */
	char emulated[128];     /* comma-separated parts */
	int64_t device_memory_bytes;
	bool has_counters; /* the device is of a sort that has them; whether they may be read shows later */
	int64_t pid;
	struct sb_workload_info info;
	char weights_kind[16];
	char cameras[16]; /* what info.cameras points to */
	struct sb_trial_sample
	        perturbation[SB_QUALITY_MAX]; /* drift of the reference under a perturbed input: "ulp.*" */
	int n_perturbation;
	char reference_note[512]; /* why there is no reference, or "" */
	struct sb_fit_pass taken; /* of memory, by the reference passes */
};

struct sb_worker; /* the parent's end */

/*
 * Start `exe worker --fd N` and give it its setup. argv0 of the child is exe. deadline_s bounds the setup. exe and
 * hooks (NULL: none) outlive the worker; its interrupted() is asked while the worker is set up and while it saves.
 * Errors: SB_E_ENV cannot start it, or it lacks a capability that the setup needs; SB_E_INTERRUPTED; whatever the
 * worker reported (a clip that is not there, ..).
 */
enum sb_status sb_worker_start(const char *exe, const struct sb_worker_setup *setup, double deadline_s,
        const struct sb_loop_hooks *hooks, struct sb_worker **out, struct sb_error *err);
/*
 * What a worker of this build can do beyond what every version could, in its hello: a word for each thing that an older
 * one would not do and not tell (it reads the fields of a message that it knows). Between commas.
 */
extern const char sb_worker_capabilities[];
/*
 * The same in two steps, so that two workers can be set up at one time: it runs and has its setup; it is ready. After
 * an error of await() the worker is the caller's still, to be stopped.
 */
enum sb_status sb_worker_launch(const char *exe, const struct sb_worker_setup *setup, double deadline_s,
        const struct sb_loop_hooks *hooks, struct sb_worker **out, struct sb_error *err);
enum sb_status sb_worker_await(struct sb_worker *w, double deadline_s, struct sb_error *err);
const struct sb_worker_facts *sb_worker_facts(const struct sb_worker *w);
/* A copy that outlives the worker: what points into the facts points into the copy. */
void sb_worker_facts_copy(const struct sb_worker_facts *from, struct sb_worker_facts *to);
/*
 * One trial. A worker that dies or does not answer within deadline_s gives an outcome, and is then gone
 * (sb_worker_alive() is false). Errors: SB_E_NOMEM of the parent only.
 */
enum sb_status sb_worker_trial(struct sb_worker *w, const struct sb_levels *levels, double deadline_s,
        struct sb_trial_result *out, struct sb_error *err);
/*
 * One more pass at these levels, whose results the worker itself writes (it has them, and they may be large): relative
 * paths are the worker's, which is where the parent was. metadata: key, value, .., NULL; UTF-8.
 * Errors: the worker's own; SB_E_DEVICE when it died or did not answer within deadline_s; SB_E_ENV when it lacks the
 * capability; SB_E_INTERRUPTED, and it was killed: a file it was just writing is left as FILE.*.tmp.
 */
enum sb_status sb_worker_save(struct sb_worker *w, const struct sb_levels *levels, const struct sb_save *to,
        double deadline_s, struct sb_error *err);
bool sb_worker_alive(const struct sb_worker *w);
/* Ask it to end; kill it after a second. Accepts NULL. Returns how it ended ("exit 0", "signal 9"), static. */
const char *sb_worker_stop(struct sb_worker *w);

/* The worker's own main: serves requests on `fd` until end of file. Returns its exit code. */
int sb_worker_serve(int fd, const struct sb_workload_ops *const *workloads);

/* This build: version, commit if known; compiler and the flags of the CPU kernels. */
extern const char sb_build_id[];
extern const char sb_build_flags[];

#endif
