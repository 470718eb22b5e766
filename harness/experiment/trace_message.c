#include "trace_message.h"
#include "sb_trace.h"

#include <stdlib.h>

static json_t *names_json(const struct sb_trace *t, bool *lost)
{
	json_t *names = json_array();

	for (size_t i = 0; i < t->n_names; i++)
		*lost |= json_array_append_new(names, json_string(t->names[i])) != 0;
	return names;
}

static json_t *sums_json(const struct sb_trace *t, bool *lost)
{
	json_t *sums = json_array();

	for (size_t i = 0; i < t->n_sums; i++) {
		const struct sb_trace_sum *u = &t->sums[i];
		json_t *row = json_pack("[iiiiIII]", u->stage, u->op, u->kind, u->name, (json_int_t)u->count,
		        (json_int_t)u->dur_ns, (json_int_t)u->bytes);

		*lost |= json_array_append_new(sums, row) != 0;
	}
	return sums;
}

static json_t *launches_json(const struct sb_trace *t, bool *lost)
{
	json_t *launches = json_array();

	for (size_t i = 0; i < t->n_launches; i++) {
		const struct sb_trace_launch *l = &t->launches[i];
		json_t *row = json_pack("[iiiiiiii]", l->grid[0], l->grid[1], l->grid[2], l->block[0], l->block[1],
		        l->block[2], l->shared_bytes, l->registers);

		*lost |= json_array_append_new(launches, row) != 0;
	}
	return launches;
}

bool sb_trace_to_json(const struct sb_trace *t, json_t *result)
{
	bool lost = false;
	json_t *names = names_json(t, &lost), *sums = sums_json(t, &lost), *launches = launches_json(t, &lost);

	lost |= json_object_set_new(result, "names", names) != 0;
	lost |= json_object_set_new(result, "sums", sums) != 0;
	lost |= json_object_set_new(result, "launches", launches) != 0;
	lost |= json_object_set_new(result, "rows", json_integer((json_int_t)t->n_events)) != 0;
	lost |= json_object_set_new(result, "complete", json_boolean(t->complete)) != 0;
	return !lost;
}

struct sb_trace_row *sb_trace_to_rows(const struct sb_trace *t)
{
	struct sb_trace_row *rows = calloc(t->n_events + 1, sizeof(*rows)); /* padding is sent, too */

	for (size_t i = 0; rows && i < t->n_events; i++) {
		const struct sb_trace_event *e = &t->events[i];

		rows[i].start_ns = e->start_ns;
		rows[i].dur_ns = e->dur_ns;
		rows[i].name = e->name;
		rows[i].stage = e->stage;
		rows[i].op = e->op;
		rows[i].stream = e->stream;
		rows[i].launch = e->launch;
		rows[i].op_call = e->op_call;
		rows[i].correlation = e->correlation;
	}
	return rows;
}
