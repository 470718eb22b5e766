/* The hardware's counters of a pass: a range of CUPTI's for every run of ops of one class. */
#include "counters.h"
#include "cuda_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The program has such names, too, but this library does not share its code. */
static const char *const range_names[SB_COUNT_CLASSES] = { "gemm", "conv", "attention", "all" };

struct cuda_counting {
	struct sb_counters *counters;
	bool whole;    /* this pass is one range */
	size_t ranges; /* begun in this pass */
	struct sb_count count[SB_COUNTERS_MAX * SB_COUNT_CLASSES];
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
	struct cuda_counting *counting = c->counting;

	if (sb_cuda_sync(be, err))
		return err->code;
	counting->whole = set == SB_COUNTERS_PASS;
	counting->ranges = 0;
	if (sb_counters_begin(counting->counters, (enum sb_counter_set)set, counting->whole ? 1 : changes, err))
		return err->code;
	return counting->whole ? sb_counters_range(counting->counters, range_names[SB_COUNT_ALL], err) : SB_OK;
}

enum sb_status sb_cuda_counters_class(struct sb_backend *be, enum sb_count_class class, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	char name[32];

	if (c->counting->whole)
		return SB_OK;
	if (sb_cuda_sync(be, err)) /* what was queued belongs to the class before */
		return err->code;
	snprintf(name, sizeof(name), "%s#%zu", range_names[class], c->counting->ranges++);
	return sb_counters_range(c->counting->counters, name, err);
}

static size_t add_range(struct cuda_counting *c, enum sb_count_class class, const struct sb_counted *range, size_t n)
{
	const struct sb_counter_plan *plan = sb_counters_plan(c->counters);

	for (int i = 0; i < plan->n; i++)
		c->count[n++] = (struct sb_count){ plan->counter[i].name, class,
			plan->counter[i].absent ? sb_value_absent(plan->counter[i].absent)
			                        : sb_value_of(range->value[i]) };
	return n;
}

enum sb_status sb_cuda_counters_end(struct sb_backend *be, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	const struct sb_counted *ranges;
	size_t n, n_counts = 0;

	if (sb_counters_end(c->counting->counters, &ranges, &n, err))
		return err->code;
	for (int k = 0; k < SB_COUNT_CLASSES; k++)
		for (size_t i = 0; i < n; i++)
			if (!strcmp(ranges[i].range, range_names[k]))
				n_counts = add_range(c->counting, (enum sb_count_class)k, &ranges[i], n_counts);
	be->counts = c->counting->count;
	be->n_counts = n_counts;
	return SB_OK;
}
