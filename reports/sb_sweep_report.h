/* The table of a sweep: a case parameter over a list of values, arm by arm. Part of reports. */
#ifndef SB_SWEEP_REPORT_H
#define SB_SWEEP_REPORT_H

#include <stdio.h>

#include "sb_base.h"
#include "sb_stats.h"

/* An arm at a value. Strings are borrowed. */
struct sb_sweep_row {
	const char *value, *arm;
	const char
	        *outcome; /* "ok", or what became of it: "oom", "crashed", "timeout", "failed", "skipped", "not run" */
	const char *why;  /* of what is not ok; NULL: nothing to say */
	const char *run_id;             /* "": none */
	struct sb_interval time_ns;     /* of one timing trial; mid NAN: none */
	struct sb_value memory_bytes;   /* weights and the peak of what was allocated, median of timing trials */
	struct sb_value reserved_bytes; /* weights and the peak of what the allocator held, the same */
};

struct sb_sweep_table {
	const char *id, *by;
	const char *device, *preset; /* NULL: not known */
	const struct sb_sweep_row *rows;
	size_t n;
};

extern const char *const sb_sweep_formats[]; /* text, markdown, csv, json, NULL */

/* format: an index into sb_sweep_formats. Errors: SB_E_DATA, SB_E_NOMEM. */
enum sb_status sb_sweep_report(const struct sb_sweep_table *t, int format, FILE *out, struct sb_error *err);

#endif
