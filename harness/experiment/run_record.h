/* run record: the rows of a run that describe it, made from what was asked for and what the first worker said. */
#ifndef SB_RUN_RECORD_H
#define SB_RUN_RECORD_H

#include "sb_experiment.h"

struct sb_run_record {
	const char *command, *note; /* note: or NULL */
	const struct sb_worker_setup *setup;
	const struct sb_plan *plan;
	const struct sb_worker_facts *facts;
	const char *frames_note; /* "" or NULL: none */
	/* Of runs that belong together, one on each device of a host; id "" or NULL: it is alone. */
	const char *group_id;
	int group_index, group_size;
	/* Of a sweep; NULL: of none. */
	const char *sweep_id, *sweep_by, *sweep_value;
};

/* The rows of a run, its case, arms and facts, in one transaction -> its id and key. Errors: SB_E_NOMEM, the store's.
 */
enum sb_status sb_run_record_begin(
        struct sb_store *st, const struct sb_run_record *r, char id[33], int64_t *run_key, struct sb_error *err);

/* Which process is at work on the run: so that nobody resumes it meanwhile. */
struct sb_run_owner {
	char pid[24], start[64], host[256];
	struct sb_fact facts[3];
};
void sb_run_owner_describe(struct sb_run_owner *o);

#endif
