/* What the files of the replay share. */
#ifndef SB_REPLAY_INTERNAL_H
#define SB_REPLAY_INTERNAL_H

#include "memory_internal.h"
#include "sb_replay.h"

/* The letter of an event in a trace, by enum sb_alloc_event_kind. */
extern const char sb_event_letters[];

static inline bool sb_is_segment_event(enum sb_alloc_event_kind k)
{
	return k == SB_ALLOC_EV_SEGMENT_ALLOC || k == SB_ALLOC_EV_SEGMENT_FREE || k == SB_ALLOC_EV_MAP ||
	       k == SB_ALLOC_EV_UNMAP || k == SB_ALLOC_EV_MOVE;
}

/* What the trace has between two doings of its program: segment events, and ends of use on other streams. */
struct sb_expected {
	struct sb_alloc_trace_event *v;
	size_t n, cap;
	size_t next; /* the first one that is not accounted for yet */
};

/* The next segment event that is expected, or NULL; steps over what is none. */
static inline const struct sb_alloc_trace_event *sb_expected_next(struct sb_expected *x)
{
	while (x->next < x->n && !sb_is_segment_event(x->v[x->next].e.kind))
		x->next++;
	return x->next < x->n ? &x->v[x->next] : NULL;
}

/*
 * A provider that answers as the trace's driver did: memory where the next expected event is of the kind asked for, at
 * the recorded address; none otherwise. `x` is borrowed. Addresses that the trace gives out twice are SB_E_DEVICE.
 */
enum sb_status sb_pages_trace_open(
        int64_t device_bytes, struct sb_expected *x, struct sb_pages **out, struct sb_error *err);

/* Addresses of the trace -> blocks of the replay. */
struct sb_replay_block {
	uintptr_t addr; /* 0: none */
	void *ptr;      /* NULL: the replay could not serve it */
	bool later;     /* freed, but still in use on another stream */
	int64_t epoch;  /* later: how often all uses were waited for until then */
};
struct sb_replay_table {
	struct sb_replay_block *slot;
	size_t n, mask;
	unsigned shift;
};
/* NULL when it is not there. Lives until the next change. */
struct sb_replay_block *sb_replay_table_find(const struct sb_replay_table *t, uintptr_t addr);
/* addr is not in it. Errors: SB_E_NOMEM. */
enum sb_status sb_replay_table_add(struct sb_replay_table *t, uintptr_t addr, void *ptr, struct sb_error *err);
void sb_replay_table_remove(struct sb_replay_table *t, struct sb_replay_block *b);
void sb_replay_table_release(struct sb_replay_table *t);

/* The figure of `name` ("reserved_bytes.all.peak", "num_ooms"); false when there is none of that name. */
bool sb_replay_figure(const struct sb_alloc_stats *st, const char *name, int64_t *out);

#endif
