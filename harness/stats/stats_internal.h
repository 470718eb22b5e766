/* What the files of stats share. */
#ifndef SB_STATS_INTERNAL_H
#define SB_STATS_INTERNAL_H

#include "sb_stats.h"

/* x[n] in ascending order: in `scratch` if given, else in `own`. */
const double *sb_stats_sorted_copy(const double *x, int n, double *scratch, double own[SB_STATS_SMALL]);

#endif
