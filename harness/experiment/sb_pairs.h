/*
 * pairs: two sides against each other, by pairs of fresh worker processes. Trials of one process share its memory
 * layout, clocks and luck; so a value here is a process's: the median of its trials. What `spabench run --pairs` and
 * `spabench gate` measure with. See sb_gate.h for what is made of it.
 *
 * A pair is one process of each side, one after the other and never beside each other: start, one trial that warms up,
 * the trials that count, end. Which side goes first is drawn (sb_pairs_b_first()) from the run's seed. Everything is
 * stored as an ordinary run with two arms: a worker row for each process, the pair as the trials' block.
 */
#ifndef SB_PAIRS_H
#define SB_PAIRS_H

#include "sb_experiment.h"
#include "sb_gate.h"

enum { SB_PAIRS_A, SB_PAIRS_B, SB_PAIRS_SIDES };

struct sb_pairs_side {
	const char *exe;   /* the binary that its workers are made of */
	struct sb_arm arm; /* levels; the name is unique within the run: "A/after", "B/after" */
	double plant;      /* 0.02: every pass is made 2 % longer, for tests of the gate; 0: none */
};

struct sb_pairs_options {
	const char *command;          /* as typed, for the record */
	const char *note;             /* or NULL */
	const char *kind;             /* "pairs", "gate" or "calibrate": the run's fact "pairs.kind" */
	struct sb_worker_setup setup; /* purpose and reference are of no account: quality is not judged here */
	struct sb_pairs_side side[SB_PAIRS_SIDES];
	int trials; /* of a process that count; >= 1 */
	uint64_t seed;
	double timeout_s;                  /* of a trial */
	const struct sb_loop_hooks *hooks; /* interrupted() and note(); borrowed */
};

#define SB_PAIRS_METRICS_MAX 64

/* One metric over the pairs in which both sides have it. */
struct sb_pairs_metric {
	char name[SB_METRIC_NAME_MAX];                     /* "wall_ns", "memory.reserved_peak_bytes", .. */
	bool exact;                                        /* bytes and counts: the same in every process of a side */
	int n;                                             /* pairs */
	double a[SB_GATE_MAX_PAIRS], b[SB_GATE_MAX_PAIRS]; /* medians of processes, base units */
	int pair[SB_GATE_MAX_PAIRS];                       /* which pair each is of, from 0 */
	bool b_first[SB_GATE_MAX_PAIRS];
};
struct sb_pairs_table {
	int pairs;   /* measured whole */
	int dropped; /* of which a process died, ran out of memory or failed; the trials are stored */
	int n_metrics;
	struct sb_pairs_metric metric[SB_PAIRS_METRICS_MAX];
	char last_failure[512]; /* of a dropped pair, or "" */
	double elapsed_s;       /* from the first process on */
};

struct sb_pairs; /* opaque */

/*
 * Begin a run. Nothing is started yet, and nothing stored before the first process of each side is up. `opt` is copied,
 * its strings and hooks are borrowed. Errors: SB_E_USAGE: trials < 1, two arms of one name; SB_E_NOMEM.
 */
enum sb_status sb_pairs_open(
        struct sb_store *st, const struct sb_pairs_options *opt, struct sb_pairs **out, struct sb_error *err);
/*
 * Measure n pairs more. A process that dies, hangs or runs out of memory drops its pair; after three in a row it is an
 * error. Errors: SB_E_INTERRUPTED, after the trial in progress was stored; SB_E_ENV: a binary that cannot be started or
 * is no spabench; SB_E_DATA: the sides do not measure the same clip, weights, points or device (the difference is
 * named); SB_E_DEVICE; SB_E_USAGE: more than SB_GATE_MAX_PAIRS.
 */
enum sb_status sb_pairs_measure(struct sb_pairs *p, int n, struct sb_error *err);
const struct sb_pairs_table *sb_pairs_table(const struct sb_pairs *p);
/* The key of its run in the store; 0: it has not begun. The id: "" then. */
int64_t sb_pairs_run_key(const struct sb_pairs *p);
const char *sb_pairs_run_id(const struct sb_pairs *p);
/* What the first process of a side said of itself; NULL before it did. */
const struct sb_worker_facts *sb_pairs_facts(const struct sb_pairs *p, int side);
/* A fact more of the run, as of a gate's verdict. Nothing happens before it has begun. */
enum sb_status sb_pairs_add_fact(struct sb_pairs *p, const struct sb_fact *f, struct sb_error *err);
/*
 * End the run as `ended` says (SB_OK: complete, SB_E_INTERRUPTED: interrupted, else failed) and release. Returns
 * `ended`, or what closing met. Accepts NULL.
 */
enum sb_status sb_pairs_close(struct sb_pairs *p, enum sb_status ended, struct sb_error *err);

/*
 * The same table from a stored run of pairs. Errors: SB_E_USAGE: the run is none of pairs.
 */
enum sb_status sb_pairs_from_run(const struct sb_run *run, const struct sb_trials *trials,
        const struct sb_samples *samples, struct sb_pairs_table *out, struct sb_error *err);

#endif
