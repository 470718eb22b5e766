#include "sb_pair_table.h"
#include "summary_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct arm_of {
	int arm;
	const struct sb_trials *trials;
	const struct sb_samples *samples;
	double *v; /* room for a value of each trial, and for as many again */
};

static bool counts(const struct arm_of *a, const struct sb_trial *t)
{
	return t->arm == a->arm && !t->trace && !t->counters && !strcmp(t->outcome, sb_outcome_names[SB_OUTCOME_OK]);
}

/* Median over the trials that have it; NAN: none has. */
static double median(const struct arm_of *a, size_t metric)
{
	int n = 0;

	for (size_t i = 0; i < a->trials->n; i++) {
		double x = a->samples->value[i * a->samples->n_metrics + metric];

		if (counts(a, &a->trials->v[i]) && isfinite(x))
			a->v[n++] = x;
	}
	return n ? sb_stats_median(a->v, n, a->v + a->trials->n) : NAN;
}

static void fill_row(const struct arm_of *a, size_t metric, const struct sb_metric_info *info, struct sb_pair_table *t)
{
	struct sb_pair_row *r = &t->rows[t->n_rows];
	const char *name = a->samples->metrics[metric];
	char label[SB_STATS_SMALL + 64];
	double x = median(a, metric);

	if (!isfinite(x))
		return;
	sb_metric_label(info, name, label, sizeof(label));
	*r = (struct sb_pair_row){ .metric = sb_pool_str(t->pool, name),
		.label = sb_pool_str(t->pool, label),
		.unit = info->unit,
		.section = info->section,
		.exact = sb_pair_is_exact(info, name),
		.n = 1,
		.a = { x },
		.b = { x },
		.n_d = x > 0.0,
		.median_a = x,
		.median_b = x,
		.order = NAN };
	t->n_rows++;
}

static enum sb_status fill_rows(struct arm_of *a, struct sb_pair_table *t, struct sb_error *err)
{
	const struct sb_samples *s = a->samples;
	enum sb_status status = SB_OK;

	t->rows = calloc(s->n_metrics + 1, sizeof(*t->rows));
	a->v = calloc(2 * a->trials->n + 1, sizeof(*a->v));
	for (int k = 0; t->rows && a->v && k < sb_metric_table_len; k++)
		for (size_t m = 0; m < s->n_metrics; m++)
			if (sb_metric_find(s->metrics[m]) == k &&
			        sb_pair_is_compared(&sb_metric_table[k], s->metrics[m]))
				fill_row(a, m, &sb_metric_table[k], t);
	if (!t->rows || !a->v || sb_pool_failed(t->pool))
		status = sb_fail(err, SB_E_NOMEM, "no memory for a table of an arm");
	free(a->v);
	return status;
}

enum sb_status sb_pair_table_of_arm(
        struct sb_store *st, int64_t run_key, int arm, struct sb_pair_table *out, struct sb_error *err)
{
	struct sb_trials trials = { .v = NULL };
	struct sb_samples samples = { .n_metrics = 0 };
	struct arm_of a = { .arm = arm, .trials = &trials, .samples = &samples };
	enum sb_status status;

	*out = (struct sb_pair_table){ .pairs = 1, .pool = sb_pool_new() };
	status = out->pool ? sb_store_read_trials(st, run_key, &trials, err)
	                   : sb_fail(err, SB_E_NOMEM, "no memory for a table of an arm");
	if (!status)
		status = sb_store_read_samples(st, run_key, &trials, &samples, err);
	if (!status)
		status = fill_rows(&a, out, err);
	sb_samples_release(&samples);
	sb_trials_release(&trials);
	if (status)
		sb_pair_table_release(out);
	return status;
}
