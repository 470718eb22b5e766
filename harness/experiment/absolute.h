/* absolute: paths of a case that mean the same file from every folder. */
#ifndef SB_ABSOLUTE_H
#define SB_ABSOLUTE_H

#include "sb_workload.h"

/*
 * Put the current folder before the relative paths of a case; "" (built in) stays. Links are kept as they are.
 * Errors: SB_E_USAGE: a path grows too long, or the current folder is gone.
 */
enum sb_status sb_case_make_absolute(struct sb_case *c, struct sb_error *err);

#endif
