/* The hardware's counters of a pass: a range of CUPTI's for every run of ops of one class. */
#include "counters.h"
#include "cuda_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The program has them, too, but this library does not share its code. */
static const char *const range_names[SB_COUNT_CLASSES] = { "gemm", "conv", "attention", "other" };

struct cuda_counting {
	struct sb_counters *counters;
	size_t ranges; /* begun in this pass */
	struct sb_count count[SB_COUNTERS_MAX];
};

enum sb_status sb_cuda_counters_open(struct sb_backend *be, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	struct cuda_counting *counting = calloc(1, sizeof(*counting));

	if (!counting)
		return sb_fail(err, SB_E_NOMEM, "no memory for counters");
	if (sb_counters_open(&counting->counters, err)) {
		free(counting);
		return err->code;
	}
	c->counting = counting;
	return SB_OK;
}

void sb_cuda_counting_close(struct cuda_counting *c)
{
	if (c)
		sb_counters_close(c->counters);
	free(c);
}

enum sb_status sb_cuda_counters_begin(struct sb_backend *be, int set, size_t changes, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;

	if (sb_cuda_sync(be, err))
		return err->code;
	c->counting->ranges = 0;
	return sb_counters_begin(c->counting->counters, (enum sb_counter_set)set, changes, err);
}

enum sb_status sb_cuda_counters_class(struct sb_backend *be, enum sb_count_class class, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	char name[32];

	if (sb_cuda_sync(be, err)) /* what was queued belongs to the class before */
		return err->code;
	snprintf(name, sizeof(name), "%s#%zu", range_names[class], c->counting->ranges++);
	return sb_counters_range(c->counting->counters, name, err);
}

static const double *values_of(const struct sb_counted *ranges, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(ranges[i].range, name))
			return ranges[i].value;
	return NULL;
}

/* A class without a range has nothing to count. */
static void fill(struct cuda_counting *c, const struct sb_counted *ranges, size_t n)
{
	const struct sb_counter_plan *plan = sb_counters_plan(c->counters);

	for (int i = 0; i < plan->n; i++) {
		c->count[i].name = plan->counter[i].name;
		for (int k = 0; k < SB_COUNT_CLASSES; k++) {
			const double *v = values_of(ranges, n, range_names[k]);

			c->count[i].value[k] = plan->counter[i].absent ? sb_value_absent(plan->counter[i].absent)
			                                               : sb_value_of(v ? v[i] : 0.0);
		}
	}
}

enum sb_status sb_cuda_counters_end(struct sb_backend *be, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	const struct sb_counted *ranges;
	size_t n;

	if (sb_counters_end(c->counting->counters, &ranges, &n, err))
		return err->code;
	fill(c->counting, ranges, n);
	be->counts = c->counting->count;
	be->n_counts = (size_t)sb_counters_plan(c->counting->counters)->n;
	return SB_OK;
}
