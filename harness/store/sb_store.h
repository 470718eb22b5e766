/*
 * store: one SQLite file with every run, trial and sample. Written by the experiment, read by the summary and the
 * commands. Uses base and SQLite; nothing here knows a device.
 *
 * A database opened for writing is created when missing and migrated forward; one opened for reading is never changed,
 * older formats are read as they are, and no file appears beside it. What a writing call acknowledged survives the
 * death of the process at any moment; a power cut may take the last trials, never the database (synchronous=NORMAL: no
 * fsync between two measurements). Several processes may write to one database at once; a store itself belongs to one
 * thread. Strings passed in are copied; strings handed out live until the structure they came in is released.
 */
#ifndef SB_STORE_H
#define SB_STORE_H

#include "sb_base.h"

struct sb_store;

enum sb_store_mode { SB_STORE_READ, SB_STORE_WRITE };

/*
 * An existing empty file is a new database for WRITE.
 * Errors: SB_E_DATA naming the path: no such file (READ), a directory, not a database, of another program, of a newer
 * version, read-only place, disk full, locked for more than 10 s. SB_E_USAGE: an empty path.
 */
enum sb_status sb_store_open(const char *path, enum sb_store_mode mode, struct sb_store **out, struct sb_error *err);
/* The last writer to close leaves one plain file, readable from a read-only medium. NULL is allowed. */
void sb_store_close(struct sb_store *st);
/* The same, and the file is removed again if this store made it, it has no run, and nobody else has it open. */
void sb_store_discard(struct sb_store *st);

/* ---- writing ------------------------------------------------------------------------------------------------ */

/* Environment and plan facts: key -> value, or NULL with the reason. "host.name", "cpu.model", "build.flags", .. */
struct sb_fact {
	const char *key;
	const char *value;
	const char *absent;
};

struct sb_run_row {
	const char *id;      /* 32 lower-case hex digits, globally unique: sb_random_id() */
	int64_t created_ns;  /* wall clock */
	const char *command; /* the command line as typed, escaped */
	const char *note;    /* or NULL */
	const char *plan;    /* JSON: everything needed to repeat it */
	uint64_t seed;
	const struct sb_fact *facts;
	size_t n_facts;
};

struct sb_case_row {
	const char *workload;     /* "tracker" */
	const char *preset;       /* "tiny" */
	const char *params;       /* JSON: clip, frames, stride, width, height, .. */
	const char *clip_digest;  /* 16 hex digits, or NULL */
	const char *weights_kind; /* "synthetic", "file" or "synthetic file" */
	const char *weights_digest;
};

/*
 * A worker's purpose may also be this: its trials are stored as complete traces without rows, and hold what the
 * hardware's counters said ("counter.*"). They are part of no block.
 */
#define SB_STORE_COUNTERS "counters"

/* The workload of a run without trials: what 'spabench micro' saw a device reach, as facts "ceiling.*". */
#define SB_STORE_CEILINGS "micro"
/* The fact of a run without trials that 'spabench capacity' made: what grew. */
#define SB_STORE_CAPACITY "capacity.by"

struct sb_worker_row {
	const char *exe, *build_id;
	int64_t pid;
	const char *purpose;     /* "timing", "trace" or SB_STORE_COUNTERS */
	const char *device_name; /* "cpu", "NVIDIA H200" */
	const char *device_uuid; /* or NULL */
	int64_t started_ns;
};

/* A metric stands once in a trial. */
struct sb_sample {
	const char *metric;    /* "wall_ns", "stage.front.dino_ns", "op.gemm_ns", "memory.reserved_peak_bytes", .. */
	struct sb_value value; /* NAN is stored as absent, "not a number" */
};

/* One distinct (stage, op, kernel name) of a trace trial. Writing: stage, op or kind may be NULL; they read as "". */
struct sb_rollup {
	const char *stage, *op, *kind, *name;
	int64_t count, dur_ns, bytes;
};

/* A launch shape. Stored once however many rows share it. */
struct sb_launch {
	int32_t grid[3], block[3];
	int64_t shared_bytes; /* static + dynamic */
	int32_t registers;    /* of a thread */
};

/* One traced activity, in launch order. Names are indices into the name table given with the trial. */
struct sb_trace_row {
	int64_t start_ns; /* since the trial's start */
	int64_t dur_ns;
	int32_t name, stage, op; /* indices into names[]; stage and op negative: none */
	int32_t stream;
	int32_t launch;      /* 1 + index into launches[]; 0: no kernel launch, or its shape is unknown */
	int32_t op_call;     /* 1 + the call of an op in this trial that it belongs to; 0: not known */
	int64_t correlation; /* joins API calls and activities; 0: none */
};

/* How a trial ended. The names are the words of the database. */
enum sb_outcome {
	SB_OUTCOME_OK,
	SB_OUTCOME_OOM,
	SB_OUTCOME_CRASHED,
	SB_OUTCOME_TIMEOUT,
	SB_OUTCOME_FAILED,
	SB_OUTCOME_COUNT,
};
extern const char *const sb_outcome_names[];          /* "ok", "oom", .., NULL */
enum sb_outcome sb_outcome_by_name(const char *name); /* SB_OUTCOME_COUNT for NULL and for any other word */

/* A trial's memory timeline as it was made: bytes that only sb_timeline.h reads. */
struct sb_timeline_row {
	const void *data; /* NULL: none */
	size_t size;
	int64_t events, cut; /* in it; for which there was no room */
};

struct sb_trial_row {
	int64_t worker;      /* from sb_store_add_worker() */
	int arm;             /* index into the run's arms */
	int block, position; /* position within the block's random order */
	const char *kind;    /* "timing" or "trace" */
	int64_t started_ns;  /* wall clock */
	const char *outcome; /* one of sb_outcome_names */
	const char *message; /* or NULL */
	const struct sb_sample *samples;
	size_t n_samples;
	const struct sb_rollup *rollup; /* trace trials */
	size_t n_rollup;
	const struct sb_trace_row *trace;
	size_t n_trace;
	const char *const *names;
	size_t n_names;
	const struct sb_launch *launches;
	size_t n_launches;
	struct sb_timeline_row timeline;
	bool trace_complete; /* nothing dropped, unmatched or without time: roll-up = rows, sb_store_check() proves it
	                      */
};

/*
 * Begin a run: row, facts, case and arms in one transaction. arms: names and levels text (factors' format).
 * Errors: SB_E_USAGE: an id that is not 32 hex digits, levels that are not "part=level,..". SB_E_DATA: the id is there
 * already; the disk is full; locked. The same two hold for every writing call.
 */
enum sb_status sb_store_begin_run(struct sb_store *st, const struct sb_run_row *run, const struct sb_case_row *c,
        const char *const *arm_names, const char *const *arm_levels, int n_arms, int64_t *run_key,
        struct sb_error *err);
enum sb_status sb_store_add_worker(
        struct sb_store *st, int64_t run_key, const struct sb_worker_row *w, int64_t *worker_key, struct sb_error *err);
/* ending: "exit", "killed by signal 9", .. for the reader; the time is taken now. */
enum sb_status sb_store_end_worker(struct sb_store *st, int64_t worker_key, const char *ending, struct sb_error *err);
/* A trial with all its samples and trace rows, in one transaction: it is there whole or not at all. */
enum sb_status sb_store_add_trial(
        struct sb_store *st, int64_t run_key, const struct sb_trial_row *t, struct sb_error *err);
/*
 * One fact more, known only later (the worker's hello, the reason of stopping, the evidence of a switch). A key given
 * again takes the place of the earlier one.
 */
enum sb_status sb_store_add_fact(struct sb_store *st, int64_t run_key, const struct sb_fact *f, struct sb_error *err);
/* status: "complete", "interrupted", "failed". A run never ended stays "running". */
enum sb_status sb_store_end_run(struct sb_store *st, int64_t run_key, const char *status, struct sb_error *err);
/*
 * Take a run out with its trials, samples and all, as if it had never begun: for one of which it turned out that it is
 * refused. Whole or not at all. Errors: SB_E_DATA: a baseline or calibration is of it; as for the other writing calls.
 */
enum sb_status sb_store_drop_run(struct sb_store *st, int64_t run_key, struct sb_error *err);
/*
 * Make a run that is not complete "running" again, for --resume, and put the n facts `own` in the place of `was` (the
 * same keys; value NULL: there was none), which say who is at work on it. Of several processes that read the same owner
 * and try, one succeeds. Whether an owner still lives is not known here. Errors: SB_E_USAGE: the run is complete, or
 * `was` is not what is stored.
 */
enum sb_status sb_store_resume_run(struct sb_store *st, int64_t run_key, const struct sb_fact *was,
        const struct sb_fact *own, size_t n, struct sb_error *err);

/* ---- joining ------------------------------------------------------------------------------------------------ */

struct sb_store_merged {
	int64_t runs;     /* of the other database; each is one of what follows */
	int64_t added;    /* were new */
	int64_t extended; /* were there in an earlier state: not ended, or before they were resumed */
	int64_t same;     /* were there */
	int64_t older;    /* are there in a later state */
	/* Baselines and calibrations that were new, or newer than what was there. */
	int64_t baselines, calibrations;
};

/*
 * Put every run of `from` into `into`, each in one transaction; doing it again changes nothing. `from` is read as of
 * one moment and never changed; it may be of an older format, and is proved first, as by sb_store_check(). Runs are the
 * same when their ids are. *out counts what is in `into` now, after a failure too.
 *
 * Errors: SB_E_DATA: a run that is in both with other content, or two states of which neither is the beginning of the
 * other; `from` is damaged. Runs before that one are merged then.
 */
enum sb_status sb_store_merge(
        struct sb_store *into, struct sb_store *from, struct sb_store_merged *out, struct sb_error *err);

/* ---- reading ------------------------------------------------------------------------------------------------ */

/*
 * Find a run: NULL or "" = the newest, which is the one begun last in this database whatever the clock said, one of
 * SB_STORE_CEILINGS or with a fact SB_STORE_CAPACITY only where there is no other; otherwise a prefix of its id (at
 * least 4 digits, unambiguous). Errors: SB_E_USAGE: none, or several that begin so.
 */
enum sb_status sb_store_find_run(struct sb_store *st, const char *ref, int64_t *run_key, struct sb_error *err);

struct sb_run_arm {
	char *name, *levels;
};

struct sb_run_fact {
	char *key, *value, *absent;
};

struct sb_run_worker {
	int64_t key;
	char *exe, *build_id, *purpose, *device_name;
	char *device_uuid;                 /* or NULL */
	char *ending;                      /* or NULL: it has not ended, or nobody lived to say so */
	int64_t pid, started_ns, ended_ns; /* 0: not ended */
};

/*
 * A status that was read is one more: "broken off" for a run that is stored as "running" while the process of this
 * machine that its facts name (process.pid, process.start, process.host) is gone.
 */
struct sb_run {
	char *id, *status, *command, *note, *plan;
	int64_t created_ns, ended_ns; /* 0: not ended */
	uint64_t seed;
	/* note, clip_digest and weights_digest may be NULL */
	char *workload, *preset, *params, *clip_digest, *weights_kind, *weights_digest;
	struct sb_run_arm *arms;
	int n_arms;
	struct sb_run_fact *facts; /* by key */
	size_t n_facts;
	struct sb_run_worker *workers; /* in the order they were started */
	size_t n_workers;
};
enum sb_status sb_store_read_run(struct sb_store *st, int64_t run_key, struct sb_run *out, struct sb_error *err);
const char *sb_run_fact(const struct sb_run *run, const char *key); /* NULL when absent */
void sb_run_release(struct sb_run *run);

struct sb_trial {
	int64_t key, worker; /* worker: a key in sb_run.workers */
	int64_t started_ns;
	int arm, block, position;
	bool trace, trace_complete;
	bool counters; /* of a worker whose purpose is SB_STORE_COUNTERS: hardware counters, and nothing that was timed
	                */
	const char *outcome; /* of sb_outcome_names */
	char *message;       /* or NULL */
};
/* The word for people: "timing", "trace" or "counters". */
static inline const char *sb_trial_kind(const struct sb_trial *t)
{
	return t->counters ? SB_STORE_COUNTERS : t->trace ? "trace" : "timing";
}
struct sb_trials {
	struct sb_trial *v;
	size_t n;
};
/* In the order they were run. */
enum sb_status sb_store_read_trials(struct sb_store *st, int64_t run_key, struct sb_trials *out, struct sb_error *err);
void sb_trials_release(struct sb_trials *t);

/*
 * Every sample of a run as one dense table: value[trial * n_metrics + metric], with NAN and `absent` where there is
 * none ("not recorded" where the trial has no such sample). trial is the index into sb_store_read_trials()'s result.
 * One pass over the samples, no query for each metric: 5 arms x 200 blocks x 50 metrics must read in a few tens of
 * milliseconds.
 */
struct sb_samples {
	char **metrics;
	size_t n_metrics, n_trials;
	double *value;
	const char **absent; /* same shape; NULL where value holds; strings owned by this structure */
	char **reasons;      /* owner of the strings above */
	size_t n_reasons;
};
enum sb_status sb_store_read_samples(struct sb_store *st, int64_t run_key, const struct sb_trials *trials,
        struct sb_samples *out, struct sb_error *err);
/* Index of a metric, or -1. */
int sb_samples_metric(const struct sb_samples *s, const char *metric);
void sb_samples_release(struct sb_samples *s);

/* Roll-up of a trace trial, sorted by time, largest first. Rows' strings are owned by *out. */
struct sb_rollups {
	struct sb_rollup *v;
	size_t n;
	char **strings;
	size_t n_strings;
};
enum sb_status sb_store_read_rollup(
        struct sb_store *st, int64_t trial_key, struct sb_rollups *out, struct sb_error *err);
void sb_rollups_release(struct sb_rollups *r);

/* The rows of a trace trial in launch order. names[] is the whole database's, so it may hold more than the rows use. */
struct sb_trace_rows {
	struct sb_trace_row *v;
	size_t n;
	char **names;
	size_t n_names;
	struct sb_launch *launches;
	size_t n_launches;
};
enum sb_status sb_store_read_trace(
        struct sb_store *st, int64_t trial_key, struct sb_trace_rows *out, struct sb_error *err);
void sb_trace_rows_release(struct sb_trace_rows *t);

/* The memory timeline of a trial; data NULL: it has none, as in files of format 1. */
enum sb_status sb_store_read_timeline(
        struct sb_store *st, int64_t trial_key, struct sb_timeline_row *out, struct sb_error *err);
void sb_timeline_row_release(struct sb_timeline_row *t);

/* One line for each run, newest first: by the order in which they were begun here. */
struct sb_run_line {
	char *id, *status, *preset;
	char *device; /* of the first worker, or NULL */
	char *note;   /* or NULL */
	int64_t created_ns;
	int n_arms, n_trials;
};
struct sb_run_lines {
	struct sb_run_line *v;
	size_t n;
};
enum sb_status sb_store_list_runs(struct sb_store *st, struct sb_run_lines *out, struct sb_error *err);
void sb_run_lines_release(struct sb_run_lines *l);

/* ---- baselines and calibrations of gates ----------------------------------------------------------------------- */

/* Texts are the caller's when storing, owned by the list when read. */
struct sb_baseline {
	char *name;
	char *machine, *case_key; /* fingerprints, see harness/summary/sb_fingerprint.h */
	int64_t run;              /* key; run_id "" where the run is gone */
	int arm;
	char *exe, *exe_digest; /* exe_digest "": not known */
	int64_t created_ns;
	char *run_id, *arm_name; /* of the run; not stored with the baseline */
};
struct sb_baselines {
	struct sb_baseline *v;
	size_t n;
};
/* In the place of an older one of this name, machine and case. */
enum sb_status sb_store_set_baseline(struct sb_store *st, const struct sb_baseline *b, struct sb_error *err);
/* By name, older ones first; none in files of formats before 3. */
enum sb_status sb_store_list_baselines(struct sb_store *st, struct sb_baselines *out, struct sb_error *err);
void sb_baselines_release(struct sb_baselines *b);
/* All of this name; *n: how many there were. */
enum sb_status sb_store_drop_baseline(struct sb_store *st, const char *name, int *n, struct sb_error *err);

struct sb_calibration {
	char *machine, *case_key, *levels, *metric, *figures; /* figures: JSON */
	int64_t run, created_ns;
};
struct sb_calibrations {
	struct sb_calibration *v;
	size_t n;
};
enum sb_status sb_store_set_calibration(struct sb_store *st, const struct sb_calibration *c, struct sb_error *err);
enum sb_status sb_store_list_calibrations(struct sb_store *st, struct sb_calibrations *out, struct sb_error *err);
void sb_calibrations_release(struct sb_calibrations *c);

/* PRAGMA integrity_check, foreign keys, and roll-up = trace rows for every trace trial. SB_E_DATA with the first fault.
 */
enum sb_status sb_store_check(struct sb_store *st, struct sb_error *err);

#endif
