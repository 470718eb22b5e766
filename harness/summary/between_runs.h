/* What two old runs' difference of a metric is known to: pure, from logs of all runs that tell of it. Summary's own. */
#ifndef SB_BETWEEN_RUNS_H
#define SB_BETWEEN_RUNS_H

#include "sb_gate.h"
#include "sb_old_runs.h"

/* Logs of processes' values of all (run, arm)s; 0 and 1 are the sides. */
struct sb_run_logs {
	double v[SB_OLD_HISTORY_MAX][SB_OLD_PROCESSES_MAX];
	int n[SB_OLD_HISTORY_MAX];           /* processes of each; 0: it has no value */
	int group[SB_OLD_HISTORY_MAX];       /* 0 or 1: of the same build and arm as that side */
	const char *run[SB_OLD_HISTORY_MAX]; /* whose arm it is: two arms of one run tell the same of it */
	int n_runs, n_groups;
};

/*
 * log(B / A) with the interval at `level` that the variance between runs leaves; without one where that is not known.
 * *between: that variance, *df: its degrees of freedom; NAN.
 */
void sb_between_runs_compare(
        const struct sb_run_logs *l, double level, struct sb_interval *out, double *between, double *df);

#endif
