/* gate --stored: new processes against those of the baseline's run. Private to cli. */
#ifndef SB_CLI_GATE_STORED_H
#define SB_CLI_GATE_STORED_H

#include "pair_request.h"
#include "sb_gate_report.h"
#include "sb_stored_gate.h"

/* Fact of a run that such a gate made: the baseline's run. */
#define SB_STORED_FACT "gate.stored"

struct sb_gate_against {
	struct sb_store *st;
	int64_t run;     /* the baseline's */
	const char *arm; /* its arm */
	bool gpu;
};

/*
 * Measure with `p` (alone, begun) as many processes as the baseline's run has, two or more, as far as rules->max_pairs
 * and the budget go, and judge them. *old holds the strings of *table and *said: release it after both. Errors: of
 * sb_pairs_measure(), sb_old_runs_build() and sb_stored_gate_judge(); nothing is to be released then.
 */
enum sb_status sb_gate_stored_measure(const struct sb_gate_against *a, const struct sb_pair_request *q,
        struct sb_pairs *p, struct sb_gate_rules *rules, struct sb_old_runs *old, struct sb_pair_table *table,
        struct sb_gate_result *result, struct sb_gate_stored *said, struct sb_error *err);

#endif
