/*
 * trace events: a trace trial as the JSON that Perfetto (ui.perfetto.dev) and Chrome's about:tracing read: "Trace Event
 * Format", object form. Part of reports.
 *
 * Tracks: stages as nested slices (front > front.dino); one track a stream, with every kernel, copy and set; one for
 * calls of the host where they were recorded; counters for memory (bytes) and for what was read of the device once a
 * trial. Times are microseconds since the trial's start, to the nanosecond. Records of one stream that overlap get a
 * second track beside the first, because slices of one track have to nest.
 */
#ifndef SB_TRACE_EVENTS_H
#define SB_TRACE_EVENTS_H

#include <stdio.h>

#include "sb_base.h"
#include "sb_store.h"

struct sb_trace_events {
	const struct sb_run *run;
	const struct sb_trial *trial;
	const struct sb_trace_rows *rows;
	const struct sb_rollups *rollups;       /* tell the host's calls from the device's work */
	const struct sb_timeline_row *timeline; /* data NULL: no memory counters */
	const struct sb_samples *samples;       /* of the run; sample_row: the trial's */
	size_t sample_row;
	const char *stage;      /* this stage or those below it ("front": front.*); NULL: all */
	int64_t from_ns, to_ns; /* what begins within; to_ns INT64_MAX: to the end */
};

/* What was written, for telling and for tests. */
struct sb_trace_events_count {
	size_t activities, calls, stages, counters;
};

/*
 * Writes to `out`, which is not flushed. Errors: SB_E_DATA: no record is in the cut; a timeline that makes no sense; a
 * write failed. SB_E_NOMEM.
 */
enum sb_status sb_report_trace_events(
        const struct sb_trace_events *t, FILE *out, struct sb_trace_events_count *count, struct sb_error *err);

#endif
