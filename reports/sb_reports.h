/*
 * reports: a summary as text or JSON. Renders what summary/ gives and computes nothing; the database stays closed.
 *
 * Every renderer writes the whole document to `out` and flushes it. Errors: SB_E_DATA when it cannot be written (full
 * disk, closed pipe: whoever owns main() ignores SIGPIPE), SB_E_NOMEM.
 */
#ifndef SB_REPORTS_H
#define SB_REPORTS_H

#include <stdio.h>

#include "sb_base.h"
#include "sb_summary.h"

struct sb_text_options {
	int width;  /* display columns, kept to 80..100; 0: 100 */
	bool color; /* green: better, red: worse, yellow: the interval includes 1. Only where times can be judged */
};

/*
 * The table for people: what was run, one block of rows for each pair of arms, the claims. No line is wider than the
 * width, whatever names are in the database; they are escaped and cut with "..". opt may be NULL.
 */
enum sb_status sb_report_text(
        const struct sb_summary *s, FILE *out, const struct sb_text_options *opt, struct sb_error *err);

#define SB_REPORT_JSON_VERSION 1

/*
 * The same for programs: {"format": "spabench-summary", "schema_version": 1, ..}, keys always in the same order,
 * numbers in base units (ns, bytes, fractions). A missing number is null, and KEY_absent beside it says why.
 */
enum sb_status sb_report_json(const struct sb_summary *s, FILE *out, struct sb_error *err);

#endif
