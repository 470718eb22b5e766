/*
 * pairs: two sides against each other, by pairs of fresh worker processes. Trials of one process share its memory
 * layout, clocks and luck; so what counts later is a process, by the median of its trials. What `spabench run --pairs`
 * and `spabench gate` measure with; harness/summary/sb_pair_table.h reads what was stored, sb_gate.h judges it.
 *
 * Everything is stored as an ordinary run with two arms, A first: a worker row for each process, the pair's number as
 * the trials' block, timing trials. The two processes of a pair are set up at one time, for that takes longer than to
 * measure; then one is measured and ended, then the other: nothing runs beside what is measured. Which one goes first
 * is drawn from the run's seed (sb_pairs_b_first()).
 */
#ifndef SB_PAIRS_H
#define SB_PAIRS_H

#include "sb_experiment.h"
#include "sb_gate.h"

enum { SB_PAIRS_A, SB_PAIRS_B, SB_PAIRS_SIDES };

/* Fact of a run that was measured so: "pairs", "gate" or "calibrate". */
#define SB_PAIRS_FACT "pairs.kind"

struct sb_pairs_side {
	const char *exe;   /* the binary that its workers are made of */
	struct sb_arm arm; /* the name is unique within the run: "A/after", "B/after" */
	double plant;      /* 0.02: every pass is made 2 % longer, for tests of the gate; 0: none */
};

struct sb_pairs_options {
	const char *command;          /* as typed, for the record */
	const char *note;             /* or NULL */
	const char *kind;             /* of SB_PAIRS_FACT */
	struct sb_worker_setup setup; /* purpose, reference and plant are of no account */
	struct sb_pairs_side side[SB_PAIRS_SIDES];
	bool alone; /* side A's processes alone: a "pair" is one of them, and the run none of pairs: kind is NULL */
	int trials; /* of a process, each with its cold pass; >= 1 */
	uint64_t seed;
	double timeout_s; /* of a trial */
	const struct sb_loop_hooks
	        *hooks; /* interrupted() is asked between trials and while workers are set up; progress() has
	                   the pair as its block and the side as its arm. Borrowed; not NULL */
};

struct sb_pairs; /* opaque */

/* Nothing is started or stored yet. *opt is copied, its strings and hooks are borrowed. Errors: SB_E_USAGE: trials < 1,
 * arms of one name; SB_E_NOMEM. */
enum sb_status sb_pairs_open(
        struct sb_store *st, const struct sb_pairs_options *opt, struct sb_pairs **out, struct sb_error *err);
/*
 * Measure n pairs more. The run begins with the first. A trial that does not end well ends its pair, which is dropped;
 * three such pairs in a row are an error.
 * Errors: SB_E_INTERRUPTED, when the trial in progress is stored; SB_E_ENV: a binary that is no spabench or too old;
 * SB_E_DATA: the sides do not measure the same: clip, weights, points or device, the difference is named;
 * SB_E_DEVICE; SB_E_USAGE: more than SB_GATE_MAX_PAIRS whole pairs.
 */
enum sb_status sb_pairs_measure(struct sb_pairs *p, int n, struct sb_error *err);
int sb_pairs_whole(const struct sb_pairs *p);                /* pairs of which both processes ended well */
int sb_pairs_dropped(const struct sb_pairs *p);              /* the others; see sb_pairs_last_failure() */
const char *sb_pairs_last_failure(const struct sb_pairs *p); /* "" */
double sb_pairs_elapsed_s(const struct sb_pairs *p);         /* since the first process was started */
int64_t sb_pairs_run_key(const struct sb_pairs *p);          /* 0: it has not begun */
const char *sb_pairs_run_id(const struct sb_pairs *p);       /* "" */
/* What the newest process of a side said of itself; NULL before one did. */
const struct sb_worker_facts *sb_pairs_facts(const struct sb_pairs *p, int side);
/*
 * End the run: complete, or as `ended` says interrupted or failed, and release. With SB_E_USAGE what was asked for is
 * refused, and the run is taken out of the store again: it would be the newest, and measured nothing that was wanted.
 * Returns `ended`, or what the store met. Accepts NULL.
 */
enum sb_status sb_pairs_close(struct sb_pairs *p, enum sb_status ended, struct sb_error *err);

#endif
