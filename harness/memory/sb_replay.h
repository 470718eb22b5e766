/*
 * replay: recorded traces of an allocator's requests, read, written, and replayed through the policies of sb_memory.h
 * without memory behind them. The text format is described in docs/traces.md. Uses base, memory; reads gzip by zlib.
 */
#ifndef SB_REPLAY_H
#define SB_REPLAY_H

#include "sb_memory.h"

/* ---- traces ----------------------------------------------------------------------------------------------------- */

#define SB_ALLOC_TRACE_VERSION 1
#define SB_ALLOC_EXPECT_MAX    128

/* A figure that whoever made the trace saw at its end: "reserved_bytes.all.peak" as torch.cuda.memory_stats() says. */
struct sb_alloc_expect {
	char name[64];
	int64_t value;
};

/* What stands before the events. */
struct sb_alloc_trace_head {
	char source[200];                  /* what made it; "" when it does not say */
	char policy[16];                   /* "" when it does not say */
	char conf[512];                    /* its settings string */
	int64_t device_bytes, limit_bytes; /* 0: not known; no limit */
	bool partial;                      /* it begins later than the program did */
	struct sb_alloc_expect expect[SB_ALLOC_EXPECT_MAX];
	int n_expect;
};

struct sb_alloc_trace_event {
	struct sb_alloc_event e;
	int64_t time_us; /* since the first; never falls */
	int64_t line;    /* of the file, from 1 */
};

struct sb_alloc_trace;

/*
 * Open a trace file, plain or gzip, and read its head. On SB_OK the caller owns *out and ends it with
 * sb_alloc_trace_close(). Errors: SB_E_DATA naming the line.
 */
enum sb_status sb_alloc_trace_open(const char *path, struct sb_alloc_trace **out, struct sb_error *err);
/* The same of bytes in memory, which are borrowed. */
enum sb_status sb_alloc_trace_open_bytes(
        const void *data, size_t size, struct sb_alloc_trace **out, struct sb_error *err);
void sb_alloc_trace_close(struct sb_alloc_trace *t); /* accepts NULL */
const struct sb_alloc_trace_head *sb_alloc_trace_head(const struct sb_alloc_trace *t);
/*
 * The next event; *more is false behind the last. What one line can say is checked here (numbers, their ranges, time
 * that falls, the count at the end); what depends on others (an address that is not live) by the replay.
 */
enum sb_status sb_alloc_trace_next(
        struct sb_alloc_trace *t, struct sb_alloc_trace_event *out, bool *more, struct sb_error *err);

/* Write a trace. Lines are buffered; an error shows at the latest in sb_alloc_trace_write_end(). */
struct sb_alloc_trace_writer;
/*
 * It is written as `path`.tmp, and gets its name when it is complete; `head` may leave out what is not known. Control
 * characters of its texts become blanks.
 */
enum sb_status sb_alloc_trace_write_begin(const char *path, const struct sb_alloc_trace_head *head,
        struct sb_alloc_trace_writer **out, struct sb_error *err);
void sb_alloc_trace_write(struct sb_alloc_trace_writer *w, int64_t time_us, const struct sb_alloc_event *e);
/* Takes w, which may be NULL. discard: the file is not wanted after all. */
enum sb_status sb_alloc_trace_write_end(struct sb_alloc_trace_writer *w, bool discard, struct sb_error *err);

/* ---- replay ----------------------------------------------------------------------------------------------------- */

struct sb_replay_options {
	const char *policy;                 /* one of sb_alloc_policy_names; NULL: the trace's own */
	const struct sb_alloc_options *opt; /* NULL: PyTorch's defaults. Not for a check */
	int64_t device_bytes;               /* memory of the device; 0: what the trace says, or 1 TiB */
	/*
	 * Real memory, borrowed; it is given back at the end. NULL: a provider that counts. With it device_bytes is not
	 * used, and there is no check.
	 */
	struct sb_pages *pages;
	/*
	 * Replay under the trace's own policy and settings and compare every segment event and the address of every
	 * block. The driver's answers are taken from the trace: it refuses where the trace's did.
	 */
	bool check;
};

struct sb_replay_result {
	char policy[16];
	int64_t device_bytes, limit_bytes;
	int64_t n_events, n_requests, n_frees, n_segment_events; /* of the trace */
	int64_t dur_us;                                          /* its length */
	int64_t recorded_peak_reserved;                          /* by its segment events; 0 when it has none */
	struct sb_alloc_stats stats;
	int64_t n_refused, first_refused_line; /* requests that the replay could not serve */
	struct sb_oom first_oom;
	/* check */
	int64_t n_equal_segments, n_equal_blocks, n_expected; /* figures of the head that came out equal */
	bool differs;
	char difference[512]; /* "line 12: the trace has .., the replay .." */
	int64_t replay_ns;    /* time spent, reading included */
	int64_t work_ns;      /* the same without reading: the allocator, and the driver calls it made */
};

/*
 * Replay `t`, which is at its first event. A trace that contradicts itself is SB_E_DATA with the line, and *out is
 * untouched then. A replay that differs from the trace is SB_OK with `differs`. What a provider of real memory has not
 * got counts as refused; a failure of its device is SB_E_DEVICE with the line.
 */
enum sb_status sb_replay(struct sb_alloc_trace *t, const struct sb_replay_options *opt, struct sb_replay_result *out,
        struct sb_error *err);

#endif
