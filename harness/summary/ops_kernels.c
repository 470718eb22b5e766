#include "ops_internal.h"

#include <stdlib.h>
#include <string.h>

/* What moves or fills memory stands for no product. */
static bool is_memory(const char *name)
{
	return !strncmp(name, "memcpy", 6) || !strncmp(name, "memset", 6);
}

static int by_weight(const void *a, const void *b)
{
	const struct sb_ops_kernel *x = a, *y = b;
	double u = 0, v = 0;

	for (int side = 0; side < 2; side++) {
		if (!x->ns[side].absent && x->ns[side].v > u)
			u = x->ns[side].v;
		if (!y->ns[side].absent && y->ns[side].v > v)
			v = y->ns[side].v;
	}
	return (u < v) - (u > v);
}

static void put(struct sb_ops_kernel *k, int side, const char *name, const struct sb_ops_side_kernel *from)
{
	k->name[side] = name;
	k->count[side] = from->count;
	k->ns[side] = sb_value_of(from->ns);
}

/* The heaviest of after's that is free, of the same nature; n: none. */
static size_t heaviest(const struct sb_ops_words *words, const struct sb_ops_side_kernel *after, const bool *taken,
        size_t n, bool memory)
{
	size_t best = n;

	for (size_t k = 0; k < n; k++)
		if (!taken[k] && is_memory(words->text[after[k].name]) == memory &&
		        (best == n || after[k].ns > after[best].ns))
			best = k;
	return best;
}

/* A row's kernels of before that have no partner yet get one, the heaviest first. */
static void pair_others(const struct sb_ops_words *words, const struct sb_ops_side_kernel *after, bool *taken,
        size_t n_after, struct sb_ops_row *row)
{
	qsort(row->kernels, row->n_kernels, sizeof(*row->kernels), by_weight);
	for (size_t i = 0; i < row->n_kernels; i++) {
		struct sb_ops_kernel *k = &row->kernels[i];
		size_t at;

		if (k->name[1])
			continue;
		at = heaviest(words, after, taken, n_after, is_memory(k->name[0]));
		if (at == n_after)
			continue;
		put(k, 1, words->text[after[at].name], &after[at]);
		taken[at] = true;
	}
}

void sb_ops_pair_kernels(struct sb_summary_pool *pool, const struct sb_ops_words *words,
        const struct sb_ops_side_kernel *before, size_t n_before, const struct sb_ops_side_kernel *after,
        size_t n_after, struct sb_ops_row *row)
{
	bool *taken = sb_pool_alloc(pool, n_after + 1);

	row->kernels = sb_pool_alloc(pool, (n_before + n_after + 1) * sizeof(*row->kernels));
	if (!taken || !row->kernels)
		return;
	for (size_t i = 0; i < n_before; i++) {
		struct sb_ops_kernel *k = &row->kernels[row->n_kernels++];

		k->ns[1] = sb_value_absent("vanished");
		put(k, 0, words->text[before[i].name], &before[i]);
		for (size_t j = 0; j < n_after; j++) {
			if (taken[j] || after[j].name != before[i].name)
				continue;
			put(k, 1, words->text[after[j].name], &after[j]);
			taken[j] = true;
			break;
		}
	}
	pair_others(words, after, taken, n_after, row);
	for (size_t j = 0; j < n_after; j++) {
		if (taken[j])
			continue;
		row->kernels[row->n_kernels].ns[0] = sb_value_absent("added");
		put(&row->kernels[row->n_kernels++], 1, words->text[after[j].name], &after[j]);
	}
	qsort(row->kernels, row->n_kernels, sizeof(*row->kernels), by_weight);
}
