#include "sb_timeline.h"

#include <stdlib.h>
#include <string.h>

#define VERSION    2 /* 1: without what was asked for */
#define UNIT       SB_ALLOC_ALIGN
#define NEW_PLACE  16 /* the stage or the op is another one */
#define KIND_MASK  15
#define VARINT_MAX 10
/* The longest event: its byte, two places with their names, time, size and rest. */
#define EVENT_MAX (1 + 2 * (VARINT_MAX + 1 + SB_TIMELINE_NAME_MAX) + 3 * VARINT_MAX)
#define HEAD_MAX  (1 + 4 * VARINT_MAX)

_Static_assert(SB_ALLOC_EV_MOVE <= KIND_MASK, "a kind is four bits");

const char *const sb_timeline_kinds[] = {
	[SB_ALLOC_EV_ALLOC] = "alloc",
	[SB_ALLOC_EV_FREE] = "free",
	[SB_ALLOC_EV_FREE_LATER] = "free_later",
	[SB_ALLOC_EV_COMPLETE] = "complete",
	[SB_ALLOC_EV_OOM] = "out_of_memory",
	[SB_ALLOC_EV_SEGMENT_ALLOC] = "segment_alloc",
	[SB_ALLOC_EV_SEGMENT_FREE] = "segment_free",
	[SB_ALLOC_EV_MAP] = "map",
	[SB_ALLOC_EV_UNMAP] = "unmap",
	[SB_ALLOC_EV_EMPTY_CACHE] = "empty_cache",
	[SB_ALLOC_EV_MOVE] = "move",
};
#define N_KINDS ((int)SB_ARRAY_LEN(sb_timeline_kinds))

/* ---- writing ---------------------------------------------------------------------------------------------------- */

struct sb_timeline {
	unsigned char *data;
	size_t room, size;
	int64_t events, cut, last_ns;
	const char *stage, *op;
	const char *name[SB_TIMELINE_NAMES]; /* [n_names]; index 0 of the layout is none */
	int n_names;
};

enum sb_status sb_timeline_open(size_t room, struct sb_timeline **out, struct sb_error *err)
{
	struct sb_timeline *t = calloc(1, sizeof(*t));

	if (room < HEAD_MAX)
		SB_BUG("a timeline of %zu bytes", room);
	if (t)
		t->data = malloc(room);
	if (!t || !t->data) {
		free(t);
		return sb_fail(err, SB_E_NOMEM, "out of host memory for a memory timeline");
	}
	t->room = room;
	*out = t;
	return SB_OK;
}

void sb_timeline_close(struct sb_timeline *t)
{
	if (t)
		free(t->data);
	free(t);
}

static void put(struct sb_timeline *t, uint64_t n)
{
	while (n > 127) {
		t->data[t->size++] = (unsigned char)(n | 128);
		n >>= 7;
	}
	t->data[t->size++] = (unsigned char)n;
}

static uint64_t units(int64_t bytes)
{
	return ((uint64_t)bytes + UNIT - 1) / UNIT;
}

void sb_timeline_begin(struct sb_timeline *t, const struct sb_alloc *a, int64_t now_ns)
{
	struct sb_alloc_stats st;

	sb_alloc_stats(a, &st);
	t->size = 0;
	t->events = t->cut = 0;
	t->n_names = 0;
	t->stage = t->op = NULL;
	t->last_ns = now_ns;
	t->data[t->size++] = VERSION;
	put(t, units(st.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_ALL].current));
	put(t, units(st.of[SB_ALLOC_ACTIVE_BYTES][SB_ALLOC_ALL].current));
	put(t, units(st.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].current));
	put(t, (uint64_t)st.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].current);
}

/* A request begins or ends: what was asked for lives as long as its block is active. */
static bool is_of_a_request(enum sb_alloc_event_kind kind)
{
	return kind == SB_ALLOC_EV_ALLOC || kind == SB_ALLOC_EV_FREE || kind == SB_ALLOC_EV_COMPLETE;
}

/* What the block has beyond what was asked for, and what fills its last unit. */
static uint64_t rest(const struct sb_alloc_event *e)
{
	uint64_t block = units(e->block_bytes ? e->block_bytes : e->bytes) * UNIT;

	return block > (uint64_t)e->bytes ? block - (uint64_t)e->bytes : 0;
}

/* Names are static, so the address mostly decides; two of the same text are one name. */
static int find_name(const struct sb_timeline *t, const char *name)
{
	for (int i = 0; i < t->n_names; i++)
		if (t->name[i] == name)
			return i;
	for (int i = 0; i < t->n_names; i++)
		if (!strcmp(t->name[i], name))
			return i;
	return -1;
}

static void put_name(struct sb_timeline *t, const char *name)
{
	int i = name ? find_name(t, name) : -1;
	size_t n;

	if (!name || (i < 0 && t->n_names == SB_TIMELINE_NAMES)) {
		put(t, 0);
		return;
	}
	if (i >= 0) {
		put(t, (uint64_t)i + 1);
		return;
	}
	t->name[t->n_names++] = name;
	put(t, (uint64_t)t->n_names);
	n = strnlen(name, SB_TIMELINE_NAME_MAX);
	put(t, n);
	memcpy(t->data + t->size, name, n);
	t->size += n;
}

void sb_timeline_add(
        struct sb_timeline *t, const struct sb_alloc_event *e, int64_t now_ns, const char *stage, const char *op)
{
	bool moved = stage != t->stage || op != t->op;

	if (t->cut || t->room - t->size < EVENT_MAX) {
		t->cut++;
		return;
	}
	t->data[t->size++] = (unsigned char)((unsigned)e->kind | (moved ? NEW_PLACE : 0));
	if (moved) {
		put_name(t, stage);
		put_name(t, op);
		t->stage = stage;
		t->op = op;
	}
	put(t, now_ns > t->last_ns ? (uint64_t)(now_ns - t->last_ns) : 0);
	t->last_ns = now_ns > t->last_ns ? now_ns : t->last_ns;
	if (e->kind != SB_ALLOC_EV_EMPTY_CACHE)
		put(t, units(e->block_bytes ? e->block_bytes : e->bytes));
	if (is_of_a_request(e->kind))
		put(t, rest(e));
	t->events++;
}

struct sb_timeline_blob sb_timeline_blob(const struct sb_timeline *t)
{
	return (struct sb_timeline_blob){ t->data, t->size, t->events, t->cut };
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static enum sb_status bad(struct sb_error *err, const char *what)
{
	return sb_fail(err, SB_E_DATA, "not a memory timeline: %s", what);
}

/* A number up to `max`. */
static bool take(struct sb_timeline_reader *r, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	for (int shift = 0; r->at < r->end && shift < 7 * VARINT_MAX; shift += 7) {
		uint64_t seven = *r->at & 127u;

		if (shift == 63 && seven > 1)
			return false;
		n |= seven << shift;
		if (*r->at++ < 128) {
			*out = n;
			return n <= max;
		}
	}
	return false;
}

static bool take_bytes(struct sb_timeline_reader *r, int64_t *out)
{
	uint64_t n;

	if (!take(r, (UINT64_C(1) << 60) / UNIT, &n))
		return false;
	*out = (int64_t)n * UNIT;
	return true;
}

enum sb_status sb_timeline_read_begin(struct sb_timeline_reader *r, const void *data, size_t size, struct sb_error *err)
{
	memset(r, 0, sizeof(*r));
	r->at = data;
	r->end = r->at + size;
	r->version = size ? *r->at++ : 0;
	if (r->version != VERSION && r->version != VERSION - 1)
		return bad(err, "an unknown version");
	if (!take_bytes(r, &r->last.allocated) || !take_bytes(r, &r->last.active) || !take_bytes(r, &r->last.reserved))
		return bad(err, "no beginning");
	r->last.requested = SB_TIMELINE_UNKNOWN;
	if (r->version == VERSION) {
		uint64_t requested;

		if (!take(r, UINT64_C(1) << 60, &requested))
			return bad(err, "no beginning");
		r->last.requested = (int64_t)requested;
	}
	r->last.stage = r->last.op = "";
	return SB_OK;
}

/* An index, and the name behind it if it is new. */
static bool take_place(struct sb_timeline_reader *r, int *place)
{
	uint64_t i, n;

	if (!take(r, (uint64_t)r->n_names + 1, &i))
		return false;
	*place = (int)i;
	if (*place <= r->n_names)
		return true;
	if (r->n_names == SB_TIMELINE_NAMES || !take(r, SB_TIMELINE_NAME_MAX, &n) || n > (uint64_t)(r->end - r->at))
		return false;
	memcpy(r->name[r->n_names], r->at, (size_t)n);
	r->name[r->n_names++][n] = '\0';
	r->at += n;
	return true;
}

/* What an event does to the three figures: a sign each. */
static const struct {
	signed char allocated, active, reserved;
} effects[] = {
	[SB_ALLOC_EV_ALLOC] = { 1, 1, 0 },
	[SB_ALLOC_EV_FREE] = { -1, -1, 0 },
	[SB_ALLOC_EV_FREE_LATER] = { -1, 0, 0 },
	[SB_ALLOC_EV_COMPLETE] = { 0, -1, 0 },
	[SB_ALLOC_EV_OOM] = { 0, 0, 0 },
	[SB_ALLOC_EV_SEGMENT_ALLOC] = { 0, 0, 1 },
	[SB_ALLOC_EV_SEGMENT_FREE] = { 0, 0, -1 },
	[SB_ALLOC_EV_MAP] = { 0, 0, 1 },
	[SB_ALLOC_EV_UNMAP] = { 0, 0, -1 },
	[SB_ALLOC_EV_EMPTY_CACHE] = { 0, 0, 0 },
	[SB_ALLOC_EV_MOVE] = { 0, 0, -1 },
};
_Static_assert(SB_ARRAY_LEN(effects) == SB_ARRAY_LEN(sb_timeline_kinds), "a row a kind");

static bool change(int64_t *figure, int sign, int64_t bytes)
{
	*figure += sign * bytes;
	return *figure >= 0 && *figure <= INT64_C(1) << 61;
}

static bool apply(struct sb_timeline_event *e)
{
	return change(&e->allocated, effects[e->kind].allocated, e->bytes) &&
	       change(&e->active, effects[e->kind].active, e->bytes) &&
	       change(&e->reserved, effects[e->kind].reserved, e->bytes);
}

/* What was asked for with the block of the event. */
static bool take_request(struct sb_timeline_reader *r, struct sb_timeline_event *e)
{
	uint64_t beyond;

	return take(r, (uint64_t)e->bytes, &beyond) &&
	       change(&e->requested, effects[e->kind].active, e->bytes - (int64_t)beyond);
}

enum sb_status sb_timeline_next(
        struct sb_timeline_reader *r, struct sb_timeline_event *out, bool *more, struct sb_error *err)
{
	struct sb_timeline_event e = r->last;
	uint64_t delta;
	unsigned head;

	*more = r->at < r->end;
	if (!*more)
		return SB_OK;
	head = *r->at++;
	if (head & ~(unsigned)(KIND_MASK | NEW_PLACE) || (int)(head & KIND_MASK) >= N_KINDS)
		return bad(err, "an event of no kind");
	e.kind = (enum sb_alloc_event_kind)(head & KIND_MASK);
	if (head & NEW_PLACE && (!take_place(r, &r->stage) || !take_place(r, &r->op)))
		return bad(err, "no stage and op");
	if (!take(r, INT64_MAX, &delta) || (int64_t)delta > INT64_MAX - e.time_ns)
		return bad(err, "no time");
	e.time_ns += (int64_t)delta;
	e.bytes = 0;
	if (e.kind != SB_ALLOC_EV_EMPTY_CACHE && !take_bytes(r, &e.bytes))
		return bad(err, "no size");
	if (r->version == VERSION && is_of_a_request(e.kind) && !take_request(r, &e))
		return bad(err, "no request of that size");
	if (!apply(&e))
		return bad(err, "more is given back than there was, or more held than can be");
	e.stage = r->stage ? r->name[r->stage - 1] : "";
	e.op = r->op ? r->name[r->op - 1] : "";
	r->last = *out = e;
	return SB_OK;
}
