/* The table of two stored runs, for people and programs. Part of reports. */
#ifndef SB_OLD_RUNS_REPORT_H
#define SB_OLD_RUNS_REPORT_H

#include <stdio.h>

#include "sb_base.h"
#include "sb_old_runs.h"

/* format: an index into sb_pair_formats. Errors: SB_E_DATA, SB_E_NOMEM. */
enum sb_status sb_old_runs_report(const struct sb_old_runs *r, int format, FILE *out, struct sb_error *err);

#endif
