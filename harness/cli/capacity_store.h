/* What `spabench capacity` found, kept as a run without trials, for reports. Private to cli. */
#ifndef SB_CAPACITY_STORE_H
#define SB_CAPACITY_STORE_H

#include "sb_experiment.h"
#include "sb_store.h"

struct sb_capacity_kept {
	int64_t fits;       /* the largest that did; 0: none */
	int64_t fails;      /* the smallest that did not; 0: none */
	const char *reason; /* of that; "" */
	int64_t taken_bytes;
};

/*
 * Facts of the run: capacity.by, capacity.limit_bytes (0: what the device has), and for each arm by its number
 * capacity.N.fits, .fails, .reason, .taken_bytes. facts: of the last worker. Errors: the store's.
 */
enum sb_status sb_capacity_store(const char *db, const char *command, const char *by,
        const struct sb_worker_setup *setup, const struct sb_plan *plan, const struct sb_worker_facts *facts,
        const struct sb_capacity_kept *kept, struct sb_error *err);

#endif
