/* Tables of pairs of processes, and what a gate makes of them, for people and programs. Part of reports. */
#ifndef SB_PAIR_REPORT_H
#define SB_PAIR_REPORT_H

#include <stdio.h>

#include "sb_base.h"
#include "sb_pair_table.h"

extern const char *const sb_pair_formats[]; /* "text", "markdown", "csv", "json", NULL */

/* format: an index into sb_pair_formats. Errors: SB_E_DATA, SB_E_NOMEM. */
enum sb_status sb_pair_report(const struct sb_pair_table *t, int format, FILE *out, struct sb_error *err);

#endif
