/* A run of a database, whole, for commands that print or export it. */
#ifndef SB_CLI_RUN_DATA_H
#define SB_CLI_RUN_DATA_H

#include "sb_store.h"
#include "sb_summary.h"

struct sb_run_data {
	struct sb_store *st; /* open for what is not here: traces, timelines */
	struct sb_run run;
	struct sb_trials trials;
	struct sb_samples samples;
	struct sb_summary *tables; /* the first arm beside each other one; one where there is one arm */
	int n_tables;
	int arm; /* the one named; -1: none was */
};

/* run, arm: NULL for the newest and for all. On errors there is nothing to release. */
enum sb_status sb_run_data_read(
        const char *db, const char *run, const char *arm, struct sb_run_data *d, struct sb_error *err);
void sb_run_data_release(struct sb_run_data *d);

/* For a command that is about arms: SB_E_DATA where the run is what 'spabench micro' kept. */
enum sb_status sb_run_refuse_ceilings(const struct sb_run *run, struct sb_error *err);

#endif
