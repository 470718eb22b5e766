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

/* A row of a roll-up, before those of one kernel are put together. */
struct entry {
	struct sb_kernel kernel;
	int trial;
	double ns;
};

static int by_name(const void *a, const void *b)
{
	return compare_names(&((const struct entry *)a)->kernel, &((const struct entry *)b)->kernel);
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

/* Every row of every trial, sorted by names. */
static size_t list_entries(const struct sb_kernels *k, struct entry *v)
{
	size_t n = 0;

	for (int t = 0; t < k->n_trials; t++) {
		for (size_t i = 0; i < k->rollups[t].n; i++) {
			const struct sb_rollup *r = &k->rollups[t].v[i];

			if (is_work(r))
				v[n++] = (struct entry){ { r->stage, r->op, r->kind, r->name, r->count, r->bytes, NULL,
					                         0 },
					t, (double)r->dur_ns };
		}
	}
	qsort(v, n, sizeof(*v), by_name);
	return n;
}

static size_t count_kernels(const struct entry *v, size_t n)
{
	size_t kernels = 0;

	for (size_t i = 0; i < n; i++)
		kernels += !i || compare_names(&v[i - 1].kernel, &v[i].kernel) != 0;
	return kernels;
}

/* Equal rows are one kernel, with a time for each trial. False: no memory. */
static bool gather(struct sb_kernels *k, const struct entry *v, size_t n)
{
	const size_t trials = (size_t)k->n_trials;
	double *scratch = malloc(trials * sizeof(*scratch));

	k->n = 0;
	k->v = calloc(count_kernels(v, n) + 1, sizeof(*k->v));
	k->ns = calloc((count_kernels(v, n) + 1) * trials, sizeof(*k->ns));
	if (!scratch || !k->v || !k->ns) {
		free(scratch);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (!i || compare_names(&v[i - 1].kernel, &v[i].kernel) != 0) {
			k->v[k->n] = v[i].kernel;
			k->v[k->n].ns = &k->ns[k->n * trials];
			k->n++;
		}
		k->v[k->n - 1].ns[v[i].trial] += v[i].ns;
	}
	for (size_t i = 0; i < k->n; i++)
		k->v[i].median_ns = sb_stats_median(k->v[i].ns, k->n_trials, scratch);
	free(scratch);
	qsort(k->v, k->n, sizeof(*k->v), by_time);
	return true;
}

enum sb_status sb_kernels_read(const struct sb_plots_input *in, int arm, struct sb_kernels *out, struct sb_error *err)
{
	struct entry *v;
	enum sb_status status;

	*out = (struct sb_kernels){ .n = 0 };
	status = read_rollups(in, arm, out, err);
	if (status || !out->n)
		return status;
	v = malloc(out->n * sizeof(*v));
	if (!v || !gather(out, v, list_entries(out, v)))
		status = sb_fail(err, SB_E_NOMEM, "no memory for kernels");
	free(v);
	return status;
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
