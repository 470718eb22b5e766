/*
 * pair table: two sides of a run that was measured by pairs of processes (harness/experiment/sb_pairs.h), metric by
 * metric, with what sb_gate.h's statistics make of them. The unit is a process: its value is the median of its trials.
 * Part of summary.
 */
#ifndef SB_PAIR_TABLE_H
#define SB_PAIR_TABLE_H

#include "sb_gate.h"
#include "sb_summary.h"

struct sb_pair_row {
	const char *metric, *label; /* the pool's */
	enum sb_unit unit;
	enum sb_section section;
	bool exact; /* bytes and counts, which have no noise: judged by sb_gate_exact() */
	int n;      /* pairs in which both sides have it */
	double a[SB_GATE_MAX_PAIRS], b[SB_GATE_MAX_PAIRS]; /* processes, base units, in the order of the pairs */
	double d[SB_GATE_MAX_PAIRS];                       /* log(b / a) [n_d]: pairs in which both are > 0 */
	int n_d;
	double median_a, median_b;
	/* Ratios b / a: exp of the mean log ratio with Student's interval, and of Hodges-Lehmann's with its own. */
	struct sb_effect mean, hodges_lehmann;
	struct sb_flip_test flip; /* of the mean */
	double order; /* exp of the mean log ratio where B ran first, over that where A did: 1 where order does not
	                 matter; NAN */
	struct sb_sample_flaws flaws; /* of d over the pairs */
	unsigned cautions;            /* SB_CAUTION_*, of times: the flaws, and what clocks did */
};

struct sb_pair_side {
	const char *arm, *levels, *build_id, *exe;
	double plant;   /* by which passes were made longer, as asked; 0 */
	double planted; /* as measured: what was added over the rest, median over processes; NAN: nothing */
};

struct sb_pair_table {
	const char *run_id, *kind; /* "pairs", "gate", "calibrate" */
	struct sb_pair_side side[2];
	int pairs, dropped;       /* whole ones; those in which a trial did not end well */
	int lost[2];              /* of the dropped: those in which that side's process did not */
	int ended_well[2];        /* processes, those of dropped pairs too */
	int trials;               /* of a process, at most */
	double level;             /* of the intervals */
	struct sb_pair_row *rows; /* in the order of the table of metrics; times and bytes that both sides have */
	size_t n_rows;
	struct sb_summary_pool *pool;
};

/*
 * Of a run that has been read. level: of the intervals; 0: 0.95, or sb_gate_interval_level for a run whose number of
 * pairs was chosen by a gate. Errors: SB_E_USAGE: not a run of pairs; SB_E_NOMEM. A run without a whole pair is no
 * error: it has no rows.
 */
enum sb_status sb_pair_table_compute(const struct sb_run *run, const struct sb_trials *trials,
        const struct sb_samples *samples, double level, struct sb_pair_table *out, struct sb_error *err);
enum sb_status sb_pair_table_build(
        struct sb_store *st, int64_t run_key, double level, struct sb_pair_table *out, struct sb_error *err);
/*
 * An arm of any stored run as if it were both sides of one pair: rows that a gate against it will have, and how large
 * they are, before anything is measured. Metrics that only some trials have are in it, too. Errors: SB_E_NOMEM.
 */
enum sb_status sb_pair_table_of_arm(
        struct sb_store *st, int64_t run_key, int arm, struct sb_pair_table *out, struct sb_error *err);
void sb_pair_table_release(struct sb_pair_table *t);
const struct sb_pair_row *sb_pair_table_row(const struct sb_pair_table *t, const char *metric); /* or NULL */

#endif
