/*
 * trace: what a trace trial saw, as plain records, and its roll-up. On the CPU the records are the backend's own log of
 * ops on the host clock; on a GPU they are what its tracer saw (cupti/), each with the op that asked for it. Uses base
 * and backend.
 */
#ifndef SB_TRACE_H
#define SB_TRACE_H

#include "sb_backend.h"

/* One activity, in launch order. Names are indices into sb_trace.names. */
struct sb_trace_event {
	int64_t start_ns; /* since the pass began */
	int64_t dur_ns;
	int32_t name, stage, op, stream;
	int32_t launch;      /* 1 + index into sb_trace.launches; 0: no kernel, or its shape is not known */
	int32_t op_call;     /* 1 + the call of an op in this pass, counted from 0 */
	int64_t correlation; /* joins it with the call that asked for it; 0: none */
};

/* One distinct launch shape. */
struct sb_trace_launch {
	int32_t grid[3], block[3];
	int32_t shared_bytes, registers;
};

/* One distinct (stage, op, name). kind: "gemm", "conv", .., or "api" for calls of the host, which are in no kind_ns. */
struct sb_trace_sum {
	int32_t stage, op, kind, name; /* indices into names */
	int64_t count, dur_ns, bytes;
};

struct sb_trace {
	const char **names; /* static strings */
	size_t n_names;
	struct sb_trace_event *events;
	size_t n_events;
	struct sb_trace_sum *sums;
	size_t n_sums;
	struct sb_trace_launch *launches;
	size_t n_launches;
	int64_t kind_ns[SB_KIND_COUNT];
	bool complete;                      /* no record was lost, unmatched or without a time */
	struct sb_activity_account account; /* all 0 where ops are logged on the host's clock */
};

/*
 * From the backend's log of the pass that just ended, which began at pass_start_ns. A record without times stands where
 * the one before it began, with no duration. Errors: SB_E_NOMEM.
 */
enum sb_status sb_trace_from_log(
        const struct sb_backend *be, int64_t pass_start_ns, struct sb_trace *out, struct sb_error *err);
void sb_trace_release(struct sb_trace *t);

#endif
