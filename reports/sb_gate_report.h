/* What a gate says, for people and programs. Part of reports. */
#ifndef SB_GATE_REPORT_H
#define SB_GATE_REPORT_H

#include <stdio.h>

#include "sb_base.h"
#include "sb_gate_result.h"

/* Of a gate against processes of the database, sb_stored_gate.h. */
struct sb_gate_stored {
	const char *run_id;
	int64_t created_ns;
	int processes; /* of the baseline's */
	int history;   /* stored runs that tell what differs between runs */
};

struct sb_gate_report {
	const struct sb_gate_result *result;
	const struct sb_pair_table *table;
	const char *baseline; /* its name; NULL: two sides were named */
	const char *machine;  /* fingerprint on one line */
	double elapsed_s, budget_s;
	const char *note;                    /* a sentence, or NULL */
	const struct sb_gate_stored *stored; /* NULL: pairs of processes */
};

extern const char *const sb_gate_formats[]; /* "text", "markdown", "json", NULL */
enum sb_status sb_gate_report(const struct sb_gate_report *g, int format, FILE *out, struct sb_error *err);
/* The verdict as a sentence: "FAIL: total is 2.1 % slower (1.8..2.4 %), threshold 1 %". */
void sb_gate_sentence(const struct sb_gate_report *g, struct sb_buf *out);

#endif
