/* The table of `compare --ops`, for people and programs. Part of reports. */
#ifndef SB_OPS_REPORT_H
#define SB_OPS_REPORT_H

#include <stdio.h>

#include "sb_base.h"
#include "sb_ops.h"

/*
 * format: an index into sb_pair_formats. The text has the largest rows and the kernels that matter in them; the others
 * have all. Errors: SB_E_DATA, SB_E_NOMEM.
 */
enum sb_status sb_ops_report(const struct sb_ops *o, int format, FILE *out, struct sb_error *err);

#endif
