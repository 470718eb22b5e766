/*
 * machines: the same arms and case, measured on several machines (or several GPUs of one), side by side. A machine's
 * value is the mean of its runs, and over machines only with what differs between them (sb_machines_pool()). Part of
 * summary.
 */
#ifndef SB_MACHINES_H
#define SB_MACHINES_H

#include "sb_summary.h"

struct sb_machine {
	const char *label;                /* short, no two the same */
	const char *host, *device, *uuid; /* NULL: not recorded */
	const char *cpu;
	int n_runs;
};

struct sb_machine_cell {
	struct sb_value before, after; /* medians; of several runs the mean of theirs */
	struct sb_effect effect;       /* of one run its own, of several their mean and Student's interval */
};

struct sb_machines_row {
	const char *metric, *label;
	enum sb_unit unit;
	enum sb_section section;
	bool emulated;
	struct sb_machine_cell *cells; /* one a machine */
	struct sb_effect pooled;       /* pairs: machines that have it */
	/*
	 * Standard deviation between machines of the log of before, after and their ratio, as a fraction; and the
	 * largest over the smallest.
	 */
	struct sb_value sd_before, sd_after, sd_ratio;
	struct sb_value range_before, range_after, range_ratio;
};

struct sb_machines {
	const char *run_id;            /* the run that was asked for */
	const char *workload, *preset; /* of its case */
	const char *before, *after;    /* arms */
	struct sb_machine *machines;
	size_t n_machines;
	int n_runs;       /* in the table */
	int n_other_case; /* runs that measured something else */
	bool apart; /* some machine has two runs: what differs between machines is told from what differs between runs
	             */
	double level;
	struct sb_machines_row *rows;
	size_t n_rows;
	const char **notes;
	size_t n_notes;
	struct sb_summary_pool *pool;
};

/*
 * All runs of the database with the arms and the case of `run_key`; of a run that belongs to a group
 * (`run --device all`) those of the group. Runs that are not over, without a pair, or of pairs of processes are left
 * out. Errors: SB_E_USAGE: one machine only, no such arm; and those of sb_summary_build().
 */
enum sb_status sb_machines_build(struct sb_store *st, int64_t run_key, const struct sb_summary_options *opt,
        struct sb_machines *out, struct sb_error *err);
void sb_machines_release(struct sb_machines *m);

/* same_case.c: what makes two summaries ones of different things, in words; NULL: nothing does. `text` is theirs. */
const char *sb_same_case(const struct sb_summary *a, const struct sb_summary *b, char *text, size_t n);

#endif
