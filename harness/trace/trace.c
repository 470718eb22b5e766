#include "sb_trace.h"

#include <stdlib.h>
#include <string.h>

/* Index of a name, added when new; -1 when out of memory. There are few: linear search is fine. */
static int32_t name_index(struct sb_trace *t, size_t *cap, const char *name)
{
	for (size_t i = 0; i < t->n_names; i++)
		if (!strcmp(t->names[i], name))
			return (int32_t)i;
	if (t->n_names == *cap) {
		size_t more = *cap ? 2 * *cap : 32;
		const char **names = realloc(t->names, more * sizeof(*names));

		if (!names)
			return -1;
		t->names = names;
		*cap = more;
	}
	t->names[t->n_names] = name;
	return (int32_t)t->n_names++;
}

static void add_to_sum(struct sb_trace *t, const struct sb_trace_event *e, int32_t kind, double bytes)
{
	size_t i;

	for (i = 0; i < t->n_sums; i++)
		if (t->sums[i].stage == e->stage && t->sums[i].op == e->op && t->sums[i].name == e->name)
			break;
	if (i == t->n_sums)
		t->sums[t->n_sums++] = (struct sb_trace_sum){ e->stage, e->op, kind, e->name, 0, 0, 0 };
	t->sums[i].count++;
	t->sums[i].dur_ns += e->dur_ns;
	t->sums[i].bytes += (int64_t)bytes;
}

/* One record of what op `r` did. False: out of memory. */
static bool add_event(struct sb_trace *t, size_t *cap, const struct sb_backend *be, const struct sb_op_record *r,
        const char *name, struct sb_trace_event e, double bytes)
{
	const struct sb_op_info *info = &sb_op_table[r->op];
	int32_t kind = name_index(t, cap, sb_op_kind_names[info->kind]);

	e.name = name_index(t, cap, name);
	e.stage = name_index(t, cap, be->stages[r->stage].name);
	e.op = name_index(t, cap, info->name);
	if (kind < 0 || e.name < 0 || e.stage < 0 || e.op < 0)
		return false;
	t->events[t->n_events++] = e;
	t->kind_ns[info->kind] += e.dur_ns;
	add_to_sum(t, &e, kind, bytes);
	return true;
}

/* The ops themselves, on the host's clock. */
static bool from_ops(struct sb_trace *t, const struct sb_backend *be, int64_t pass_start_ns)
{
	size_t cap = 0;

	for (size_t i = 0; i < be->n_log; i++) {
		const struct sb_op_record *r = &be->log[i];
		struct sb_trace_event e = { .start_ns = r->start_ns - pass_start_ns, .dur_ns = r->dur_ns };

		if (!add_event(t, &cap, be, r, r->kernel, e, r->bytes))
			return false;
	}
	return true;
}

/* What ran on the device for them. An op's bytes go with the first of its kernels. */
static bool from_activity(struct sb_trace *t, const struct sb_backend *be, int64_t pass_start_ns)
{
	size_t cap = 0, before = SIZE_MAX;

	for (size_t i = 0; i < be->n_activity; i++) {
		const struct sb_activity *a = &be->activity[i];
		struct sb_trace_event e = {
			.start_ns = a->start_ns - pass_start_ns, .dur_ns = a->dur_ns, .stream = (int32_t)a->stream
		};

		if (a->op >= be->n_log)
			continue; /* of ops that the log had no room for: the trace is incomplete anyway */
		if (!add_event(t, &cap, be, &be->log[a->op], a->name, e, a->op == before ? 0.0 : be->log[a->op].bytes))
			return false;
		before = a->op;
	}
	return true;
}

enum sb_status sb_trace_from_log(
        const struct sb_backend *be, int64_t pass_start_ns, struct sb_trace *out, struct sb_error *err)
{
	const struct sb_activity_account *c = &be->account;
	struct sb_trace t = { .complete = !be->log_overflow && !c->dropped && !c->zero_time && !c->unmatched,
		.account = *c };
	size_t most = be->tracing ? be->n_activity : be->n_log;

	t.events = malloc((most + 1) * sizeof(*t.events));
	t.sums = malloc((most + 1) * sizeof(*t.sums));
	if (!t.events || !t.sums ||
	        !(be->tracing ? from_activity(&t, be, pass_start_ns) : from_ops(&t, be, pass_start_ns))) {
		sb_trace_release(&t);
		return sb_fail(err, SB_E_NOMEM, "no memory for a trace of %zu records", most);
	}
	*out = t;
	return SB_OK;
}

void sb_trace_release(struct sb_trace *t)
{
	free(t->names);
	free(t->events);
	free(t->sums);
	*t = (struct sb_trace){ 0 };
}
