/*
 * timeline: what an arm's allocator did in a pass, event by event, in a few bytes each: 6 to 10 on average. Written
 * while the pass runs, without asking the host for memory; stored as it is; read for plotting. Uses memory.
 *
 * Layout: a byte 2, the version; allocated, active, reserved and requested at the beginning; events to the end. An
 * event is a byte, enum sb_alloc_event_kind, + 16 where the stage or the op is another one than before. Then, only with
 * that 16, the indices of the names of both, 0: none; an index that is one higher than any so far is followed by the
 * name, its length and its bytes. Then the nanoseconds since the event before, or the beginning of the pass. Then, but
 * for SB_ALLOC_EV_EMPTY_CACHE, a size. Then, of an allocation, a free or the end of a use, the rest: the bytes of the
 * size beyond those that were asked for. Sizes are in units of 512 bytes, requested and rests in bytes; all numbers are
 * little-endian base 128: seven bits a byte, 128 set where more follow. Version 1 has neither requested nor rests.
 */
#ifndef SB_TIMELINE_H
#define SB_TIMELINE_H

#include "sb_memory.h"

#define SB_TIMELINE_BYTES    ((size_t)4 << 20) /* room that a trial has: some 600 000 events */
#define SB_TIMELINE_NAME_MAX 63
#define SB_TIMELINE_NAMES    128

/* ---- writing ---------------------------------------------------------------------------------------------------- */

struct sb_timeline;

/* On SB_OK the caller owns *out; `room` is all that it will ever take. Errors: SB_E_NOMEM. */
enum sb_status sb_timeline_open(size_t room, struct sb_timeline **out, struct sb_error *err);
void sb_timeline_close(struct sb_timeline *t); /* accepts NULL */
/* A new pass on `a`, whose present figures are where it begins. */
void sb_timeline_begin(struct sb_timeline *t, const struct sb_alloc *a, int64_t now_ns);
/*
 * stage and op: static strings, or NULL. An event that finds no room, and every one behind it, is left out and counted.
 */
void sb_timeline_add(
        struct sb_timeline *t, const struct sb_alloc_event *e, int64_t now_ns, const char *stage, const char *op);

struct sb_timeline_blob {
	const void *data; /* lives until the next pass begins */
	size_t size;
	int64_t events, cut; /* in it; left out */
};
struct sb_timeline_blob sb_timeline_blob(const struct sb_timeline *t);

/* ---- reading ---------------------------------------------------------------------------------------------------- */

#define SB_TIMELINE_UNKNOWN (-1)

struct sb_timeline_event {
	enum sb_alloc_event_kind kind;
	int64_t time_ns;                     /* since the beginning of the pass */
	int64_t bytes;                       /* of the block or pages; of a failed request, rounded up to 512 */
	int64_t allocated, active, reserved; /* after it */
	int64_t requested;                   /* by what is active, after it; SB_TIMELINE_UNKNOWN: version 1 */
	const char *stage, *op;              /* "" for none; they live as long as the reader */
};
extern const char *const sb_timeline_kinds[]; /* "alloc", "free", .. */

struct sb_timeline_reader {
	const unsigned char *at, *end;
	struct sb_timeline_event last;
	int version, n_names;
	int stage, op; /* of the last event; 0: none */
	char name[SB_TIMELINE_NAMES][SB_TIMELINE_NAME_MAX + 1];
};

/* The bytes are borrowed, and may be anybody's: what makes no sense is SB_E_DATA. r->last is then the beginning. */
enum sb_status sb_timeline_read_begin(
        struct sb_timeline_reader *r, const void *data, size_t size, struct sb_error *err);
/* *more is false behind the last event. */
enum sb_status sb_timeline_next(
        struct sb_timeline_reader *r, struct sb_timeline_event *out, bool *more, struct sb_error *err);

#endif
