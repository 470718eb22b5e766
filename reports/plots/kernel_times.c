#include "kernel_times.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int compare_names(const struct sb_kernel *a, const struct sb_kernel *b)
{
	int c = strcmp(a->stage, b->stage);

	c = c ? c : strcmp(a->op, b->op);
	return c ? c : strcmp(a->name, b->name);
}

static int by_name(const void *a, const void *b)
{
	return compare_names(a, b);
}

static int by_time(const void *a, const void *b)
{
	const struct sb_kernel *x = a, *y = b;
	int c = strcmp(x->stage, y->stage);

	c = c ? c : strcmp(x->op, y->op);
	if (c)
		return c;
	if (x->median_ns != y->median_ns)
		return x->median_ns > y->median_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

static enum sb_status read_rollups(const struct sb_plots_input *in, int arm, struct sb_kernels *k, struct sb_error *err)
{
	k->rollups = calloc(in->trials->n + 1, sizeof(*k->rollups));
	if (!k->rollups)
		return sb_fail(err, SB_E_NOMEM, "no memory for kernels");
	for (size_t i = 0; i < in->trials->n; i++) {
		const struct sb_trial *t = &in->trials->v[i];

		if (t->arm != arm || !sb_plot_counts(t, SB_PLOT_TRACE))
			continue;
		if (sb_store_read_rollup(in->store, t->key, &k->rollups[k->n_trials], err))
			return err->code;
		k->n += k->rollups[k->n_trials++].n;
	}
	return SB_OK;
}

/* Calls of the API are no work of the device. */
static bool is_work(const struct sb_rollup *r)
{
	return strcmp(r->kind, "api") != 0 && r->dur_ns > 0;
}

/* Every row of every trial, sorted by names; equal ones are then one kernel. */
static void gather(struct sb_kernels *k)
{
	size_t n = 0, kept = 0;

	for (int t = 0; t < k->n_trials; t++) {
		for (size_t i = 0; i < k->rollups[t].n; i++) {
			const struct sb_rollup *r = &k->rollups[t].v[i];

			if (!is_work(r))
				continue;
			k->v[n] = (struct sb_kernel){ r->stage, r->op, r->kind, r->name, r->count, r->bytes,
				&k->ns[n * (size_t)k->n_trials], 0, NULL };
			k->v[n++].ns[t] = (double)r->dur_ns;
		}
	}
	qsort(k->v, n, sizeof(*k->v), by_name);
	for (size_t i = 0; i < n; i++) {
		if (kept && !compare_names(&k->v[kept - 1], &k->v[i])) {
			for (int t = 0; t < k->n_trials; t++)
				k->v[kept - 1].ns[t] += k->v[i].ns[t];
		} else {
			k->v[kept++] = k->v[i];
		}
	}
	k->n = kept;
}

enum sb_status sb_kernels_read(const struct sb_plots_input *in, int arm, struct sb_kernels *out, struct sb_error *err)
{
	double *scratch = NULL;
	enum sb_status status;

	*out = (struct sb_kernels){ .n = 0 };
	status = read_rollups(in, arm, out, err);
	if (status || !out->n)
		return status;
	out->v = calloc(out->n, sizeof(*out->v));
	out->ns = calloc(out->n * (size_t)out->n_trials, sizeof(*out->ns));
	scratch = malloc((size_t)out->n_trials * sizeof(*scratch));
	if (!out->v || !out->ns || !scratch) {
		free(scratch);
		return sb_fail(err, SB_E_NOMEM, "no memory for kernels");
	}
	gather(out);
	for (size_t i = 0; i < out->n; i++)
		out->v[i].median_ns = sb_stats_median(out->v[i].ns, out->n_trials, scratch);
	free(scratch);
	qsort(out->v, out->n, sizeof(*out->v), by_time);
	return SB_OK;
}

void sb_kernels_release(struct sb_kernels *k)
{
	for (int t = 0; t < k->n_trials; t++)
		sb_rollups_release(&k->rollups[t]);
	free(k->rollups);
	free(k->v);
	free(k->ns);
	*k = (struct sb_kernels){ .n = 0 };
}

/* ---- matching ---------------------------------------------------------------------------------------------------- */

static int same_op(const struct sb_kernel *a, const struct sb_kernel *b)
{
	int c = strcmp(a->stage, b->stage);

	return c ? c : strcmp(a->op, b->op);
}

void sb_kernels_match(struct sb_kernels *a, struct sb_kernels *b)
{
	size_t i = 0, j = 0;

	while (i < a->n && j < b->n) {
		int c = same_op(&a->v[i], &b->v[j]);

		if (!c) {
			a->v[i].partner = &b->v[j];
			b->v[j].partner = &a->v[i];
			i++;
			j++;
		} else if (c < 0) {
			i++;
		} else {
			j++;
		}
	}
}
