/*
 * markers: what the multiprocessors' own clocks say at a point of the stream of work. Two such readings, before and
 * behind a pass, give the cycles that it took, whatever the clock rate did meanwhile.
 */
#ifndef SB_MARKERS_H
#define SB_MARKERS_H

#include <stdint.h>

/* One reading of one multiprocessor. */
struct sb_marker {
	int64_t clock;   /* its cycles, from some point in time on */
	int64_t time_ns; /* the device's timer */
	int32_t sm;      /* its number */
	int32_t unused;
};

/* out [n]: one reading a block, so that the same multiprocessor may stand there twice. */
struct sb_markers_args {
	struct sb_marker *out;
	int n;
};

#endif
