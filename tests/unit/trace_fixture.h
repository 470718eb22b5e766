/* A pass as a device's tracer leaves it, made by hand. Include after cmocka.h. */
#ifndef TRACE_FIXTURE_H
#define TRACE_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "sb_trace.h"

enum { FIXTURE_PASS_START_NS = 1000000 };

/* A backend without a device: two stages, and a log of ops that follow one another. */
static inline void trace_fixture_open(struct sb_backend *be, const uint16_t *ops, const uint16_t *stages, size_t n)
{
	*be = (struct sb_backend){ .tracing = true, .n_stages = 2 };
	be->stages[0].name = "front.dino";
	be->stages[1].name = "track.fnet";
	be->log = calloc(n, sizeof(*be->log));
	assert_non_null(be->log);
	for (size_t i = 0; i < n; i++)
		be->log[be->n_log++] = (struct sb_op_record){
			.kernel = "on the host", .op = ops[i], .stage = stages[i], .bytes = 100.0 * (double)(i + 1)
		};
}

/* What the tracer found; borrowed. Everything that was asked for came. */
static inline void trace_fixture_activity(struct sb_backend *be, const struct sb_activity *a, size_t n)
{
	be->activity = a;
	be->n_activity = n;
	be->account = (struct sb_activity_account){ .requested = (int64_t)n, .delivered = (int64_t)n };
}

static inline void trace_fixture_close(struct sb_backend *be)
{
	free(be->log);
	*be = (struct sb_backend){ 0 };
}

/* A kernel of op `op` at `start_us` after the pass began. */
static inline struct sb_activity trace_fixture_kernel(const char *name, uint32_t op, int64_t start_us, int64_t dur_ns)
{
	return (struct sb_activity){ .start_ns = FIXTURE_PASS_START_NS + 1000 * start_us,
		.dur_ns = dur_ns,
		.name = name,
		.op = op,
		.stream = 7,
		.grid = { 132, 2, 1 },
		.block = { 128, 1, 1 },
		.shared_bytes = 49152,
		.registers = 64,
		.correlation = 1000 + op };
}

/* Every sum is what its events say, every event has a sum, and the kinds add up to the same. */
static inline void trace_fixture_sums_are_events(const struct sb_trace *t)
{
	int64_t count = 0, ns = 0, kinds_ns = 0, events_ns = 0;

	for (size_t i = 0; i < t->n_sums; i++) {
		const struct sb_trace_sum *s = &t->sums[i];
		int64_t of_count = 0, of_ns = 0;

		for (size_t k = 0; k < t->n_events; k++) {
			const struct sb_trace_event *e = &t->events[k];

			if (e->stage == s->stage && e->op == s->op && e->name == s->name) {
				of_count++;
				of_ns += e->dur_ns;
			}
		}
		assert_int_equal(s->count, of_count);
		assert_int_equal(s->dur_ns, of_ns);
		count += s->count;
		ns += s->dur_ns;
	}
	for (size_t k = 0; k < t->n_events; k++)
		events_ns += t->events[k].dur_ns;
	for (int k = 0; k < SB_KIND_COUNT; k++)
		kinds_ns += t->kind_ns[k];
	assert_int_equal(count, t->n_events);
	assert_int_equal(ns, events_ns);
	assert_int_equal(kinds_ns, events_ns);
}

#endif
