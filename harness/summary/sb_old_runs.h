/*
 * old runs: an arm of one stored run against an arm of another. A process is the unit, as in sb_pair_table.h, but there
 * are no pairs: the two were measured at different times. What changes a machine from run to run does not average out
 * over the processes of either, so it is estimated from all stored runs of one build, arm, case and machine, and is in
 * every interval; where it is not known there is none. Part of summary.
 */
#ifndef SB_OLD_RUNS_H
#define SB_OLD_RUNS_H

#include "sb_gate.h"
#include "sb_summary.h"

#define SB_OLD_PROCESSES_MAX 128 /* of a run that count */
#define SB_OLD_HISTORY_MAX   64  /* stored runs that tell what differs between runs; the newest */

struct sb_old_ref {
	struct sb_store *st; /* borrowed */
	int64_t run_key;
	const char *arm; /* NULL: the run's only one, else "after" */
};

struct sb_old_side {
	const char *run_id, *arm, *levels, *build_id;
	int64_t created_ns;
	int processes, trials;
};

struct sb_old_row {
	const char *metric, *label; /* the pool's */
	enum sb_unit unit;
	enum sb_section section;
	bool exact;       /* bytes and counts, and every process has the same */
	int n[2];         /* processes that have it */
	double median[2]; /* over processes, base units */
	double least[2], most[2];
	struct sb_interval log_ratio; /* what ratio is exp of, with what a test needs */
	struct sb_effect ratio;       /* exp of the difference of the means of logs; B / A */
	struct sb_value between;      /* standard deviation between runs, as a fraction */
	double df;                    /* its degrees of freedom; NAN */
	unsigned cautions;            /* SB_CAUTION_*, of times: see below */
};

/*
 * Cautions are of each side's processes, where both have six or more, and else of its trials. `clock`: the difference
 * between these very samples is the clock's; where the row has an interval, that shows a difference, too.
 */
struct sb_old_runs {
	struct sb_old_side side[2];
	double level;
	int history; /* (run, arm)s of the two sides' builds, arms, case and machine; theirs among them */
	const char *why_no_interval; /* of times; NULL: some row has one */
	const char *machines;        /* in what the machines differ, in words; NULL: one machine */
	struct sb_old_row *rows;     /* in the order of the table of metrics: times and bytes that both sides have */
	size_t n_rows;
	struct sb_summary_pool *pool;
};

/*
 * Errors: SB_E_USAGE: the runs measured different things (the difference is named), no such arm, the same arm twice;
 * SB_E_DATA: a side has no trial that ended well, or the two have no metric in common; SB_E_NOMEM.
 */
enum sb_status sb_old_runs_build(const struct sb_old_ref ref[2], struct sb_old_runs *out, struct sb_error *err);
void sb_old_runs_release(struct sb_old_runs *r);

#endif
