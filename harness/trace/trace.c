#include "sb_trace.h"

#include <stdlib.h>
#include <string.h>

/* ---- tables: where something stands, by its hash ----------------------------------------------------------------- */

struct place {
	uint64_t hash;
	uint32_t index_1; /* 1 + index; 0: free */
};

struct table {
	struct place *place;
	size_t n, n_places; /* a power of two of them, at most half full */
};

/* The next index with this hash at or behind *at; -1: there is none, and *at is free. The table is not empty. */
static int32_t table_next(const struct table *t, uint64_t hash, size_t *at)
{
	for (;;) {
		const struct place *p = &t->place[*at & (t->n_places - 1)];

		if (!p->index_1)
			return -1;
		++*at;
		if (p->hash == hash)
			return (int32_t)(p->index_1 - 1);
	}
}

static void table_put(struct table *t, uint64_t hash, uint32_t index_1)
{
	size_t at = (size_t)hash;

	while (t->place[at & (t->n_places - 1)].index_1)
		at++;
	t->place[at & (t->n_places - 1)] = (struct place){ hash, index_1 };
	t->n++;
}

/* Room for one more. False: out of memory. */
static bool table_grow(struct table *t)
{
	struct table more = { .n_places = t->n_places ? 2 * t->n_places : 256 };

	if (2 * (t->n + 1) <= t->n_places)
		return true;
	more.place = calloc(more.n_places, sizeof(*more.place));
	if (!more.place)
		return false;
	for (size_t i = 0; i < t->n_places; i++)
		if (t->place[i].index_1)
			table_put(&more, t->place[i].hash, t->place[i].index_1);
	free(t->place);
	*t = more;
	return true;
}

/* ---- a trace as it grows ----------------------------------------------------------------------------------------- */

struct builder {
	struct sb_trace t;
	size_t cap_names, cap_launches;
	struct table names, sums, launches;
};

/* Room for one element more behind n. False: out of memory. */
static bool grow(void *array, size_t *cap, size_t n, size_t size)
{
	size_t more = *cap ? 2 * *cap : 32;
	void *memory;

	if (n < *cap)
		return true;
	memory = realloc(*(void **)array, more * size);
	if (!memory)
		return false;
	memcpy(array, &memory, sizeof(memory));
	*cap = more;
	return true;
}

/* Index of a name, added when new; -1 when out of memory. */
static int32_t name_index(struct builder *b, const char *name)
{
	uint64_t hash = sb_fnv1a(SB_FNV1A_INIT, name, strlen(name));
	size_t at = (size_t)hash;
	int32_t i;

	if (!table_grow(&b->names))
		return -1;
	while ((i = table_next(&b->names, hash, &at)) >= 0)
		if (!strcmp(b->t.names[i], name))
			return i;
	if (!grow(&b->t.names, &b->cap_names, b->t.n_names, sizeof(*b->t.names)))
		return -1;
	b->t.names[b->t.n_names++] = name;
	table_put(&b->names, hash, (uint32_t)b->t.n_names);
	return (int32_t)b->t.n_names - 1;
}

/* 1 + index of a shape, added when new; 0 for what has none; -1 when out of memory. */
static int32_t launch_index(struct builder *b, const struct sb_activity *a)
{
	struct sb_trace_launch l = { .shared_bytes = a->shared_bytes, .registers = a->registers };
	uint64_t hash;
	size_t at;
	int32_t i;

	if (!a->block[0])
		return 0;
	memcpy(l.grid, a->grid, sizeof(l.grid));
	memcpy(l.block, a->block, sizeof(l.block));
	at = (size_t)(hash = sb_fnv1a(SB_FNV1A_INIT, &l, sizeof(l)));
	if (!table_grow(&b->launches))
		return -1;
	while ((i = table_next(&b->launches, hash, &at)) >= 0)
		if (!memcmp(&b->t.launches[i], &l, sizeof(l)))
			return i + 1;
	if (!grow(&b->t.launches, &b->cap_launches, b->t.n_launches, sizeof(l)))
		return -1;
	b->t.launches[b->t.n_launches++] = l;
	table_put(&b->launches, hash, (uint32_t)b->t.n_launches);
	return (int32_t)b->t.n_launches;
}

/* The sum that an event belongs to; sums have room for as many as there are events. NULL: out of memory. */
static struct sb_trace_sum *sum_of(struct builder *b, const struct sb_trace_event *e, int32_t kind)
{
	int32_t key[3] = { e->stage, e->op, e->name };
	uint64_t hash = sb_fnv1a(SB_FNV1A_INIT, key, sizeof(key));
	size_t at = (size_t)hash;
	int32_t i;

	if (!table_grow(&b->sums))
		return NULL;
	while ((i = table_next(&b->sums, hash, &at)) >= 0) {
		struct sb_trace_sum *s = &b->t.sums[i];

		if (s->stage == e->stage && s->op == e->op && s->name == e->name)
			return s;
	}
	b->t.sums[b->t.n_sums++] = (struct sb_trace_sum){ e->stage, e->op, kind, e->name, 0, 0, 0 };
	table_put(&b->sums, hash, (uint32_t)b->t.n_sums);
	return &b->t.sums[b->t.n_sums - 1];
}

/* A call of the API takes the host's time: it is of no kind of op. */
#define KIND_OF_CALLS "api"

/* One record of what op `r` did. False: out of memory. */
static bool add_event(struct builder *b, const struct sb_backend *be, const struct sb_op_record *r, const char *name,
        struct sb_trace_event e, double bytes, bool call)
{
	const struct sb_op_info *info = &sb_op_table[r->op];
	int32_t kind = name_index(b, call ? KIND_OF_CALLS : sb_op_kind_names[info->kind]);
	struct sb_trace_sum *sum;

	e.name = name_index(b, name);
	e.stage = name_index(b, be->stages[r->stage].name);
	e.op = name_index(b, info->name);
	if (kind < 0 || e.name < 0 || e.stage < 0 || e.op < 0 || e.launch < 0)
		return false;
	sum = sum_of(b, &e, kind);
	if (!sum)
		return false;
	sum->count++;
	sum->dur_ns += e.dur_ns;
	sum->bytes += (int64_t)bytes;
	b->t.events[b->t.n_events++] = e;
	if (!call)
		b->t.kind_ns[info->kind] += e.dur_ns;
	return true;
}

/* The ops themselves, on the host's clock. */
static bool from_ops(struct builder *b, const struct sb_backend *be, int64_t pass_start_ns)
{
	for (size_t i = 0; i < be->n_log; i++) {
		const struct sb_op_record *r = &be->log[i];
		struct sb_trace_event e = {
			.start_ns = r->start_ns - pass_start_ns, .dur_ns = r->dur_ns, .op_call = (int32_t)(i + 1)
		};

		if (!add_event(b, be, r, r->kernel, e, r->bytes, false))
			return false;
	}
	return true;
}

/* What ran on the device for them. An op's bytes go with the first of its records. `seen`: a byte an op, all 0. */
static bool from_activity(struct builder *b, const struct sb_backend *be, int64_t pass_start_ns, char *seen)
{
	int64_t start_ns = 0;

	for (size_t i = 0; i < be->n_activity; i++) {
		const struct sb_activity *a = &be->activity[i];

		if (a->op >= be->n_log)
			continue; /* of ops that the log had no room for: the trace is incomplete anyway */
		if (a->start_ns)
			start_ns = a->start_ns - pass_start_ns;
		struct sb_trace_event e = {
			.start_ns = start_ns,
			.dur_ns = a->dur_ns,
			.stream = (int32_t)a->stream,
			.launch = launch_index(b, a),
			.op_call = (int32_t)(a->op + 1),
			.correlation = a->correlation,
		};
		if (!add_event(b, be, &be->log[a->op], a->name, e, seen[a->op] || a->call ? 0.0 : be->log[a->op].bytes,
		            a->call))
			return false;
		seen[a->op] |= !a->call;
	}
	return true;
}

enum sb_status sb_trace_from_log(
        const struct sb_backend *be, int64_t pass_start_ns, struct sb_trace *out, struct sb_error *err)
{
	const struct sb_activity_account *c = &be->account;
	struct builder b = { .t = { .complete = !be->log_overflow && !c->dropped && !c->zero_time && !c->unmatched,
		                     .account = *c } };
	size_t most = be->tracing ? be->n_activity : be->n_log;
	char *seen = calloc(be->n_log + 1, 1);
	bool done = false;

	b.t.events = malloc((most + 1) * sizeof(*b.t.events));
	b.t.sums = malloc((most + 1) * sizeof(*b.t.sums));
	if (seen && b.t.events && b.t.sums)
		done = be->tracing ? from_activity(&b, be, pass_start_ns, seen) : from_ops(&b, be, pass_start_ns);
	free(seen);
	free(b.names.place);
	free(b.sums.place);
	free(b.launches.place);
	if (!done) {
		sb_trace_release(&b.t);
		return sb_fail(err, SB_E_NOMEM, "no memory for a trace of %zu records", most);
	}
	*out = b.t;
	return SB_OK;
}

void sb_trace_release(struct sb_trace *t)
{
	free(t->names);
	free(t->events);
	free(t->sums);
	free(t->launches);
	*t = (struct sb_trace){ 0 };
}
