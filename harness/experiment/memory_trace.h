/* The memory trace of a pass: what the arm's allocator is asked, and what it does, as a file (docs/traces.md). */
#ifndef SB_MEMORY_TRACE_H
#define SB_MEMORY_TRACE_H

#include "sb_backend.h"
#include "sb_replay.h"

struct sb_memory_trace {
	struct sb_alloc_trace_writer *writer; /* NULL: not open */
	struct sb_backend *be;
	int64_t begun_ns;
};

/* From here on, right behind sb_backend_begin_arm(): the allocator is as new. conf: its settings, or "". */
enum sb_status sb_memory_trace_begin(struct sb_memory_trace *t, struct sb_backend *be, const char *path,
        const char *source, const char *conf, struct sb_error *err);
/*
 * Before sb_backend_end_arm(). The file appears under its name when it is complete: not where the pass `failed`.
 * Accepts one that is not open.
 */
enum sb_status sb_memory_trace_end(struct sb_memory_trace *t, bool failed, struct sb_error *err);

#endif
