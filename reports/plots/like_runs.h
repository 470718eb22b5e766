/* Runs of the same case in the same database, whatever their frames and the limit of device memory. */
#ifndef SB_LIKE_RUNS_H
#define SB_LIKE_RUNS_H

#include "plots_internal.h"

struct sb_like_run {
	struct sb_plots_input in; /* without store; the summary is that of the run the plots are of */
	int frames;
	int64_t limit_bytes; /* the device was said to have no more; 0: no limit */
};
/* False: no more are wanted. */
typedef bool sb_like_each(const struct sb_like_run *run, void *context);

/*
 * The run itself first, then the newest. Where it belongs to a sweep (fact "sweep"), only runs of the same one. Errors:
 * the store's.
 */
enum sb_status sb_like_runs(const struct sb_plots_input *in, sb_like_each *each, void *context, struct sb_error *err);

#endif
