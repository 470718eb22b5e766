/* A run's trials by kind, arm and block: which may be used, and which blocks are whole. */
#include "summary_internal.h"

#include <limits.h>
#include <stdlib.h>

static int by_number(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

/* Block numbers as they are stored may have holes; here they are 0 .. n - 1. */
static int number_blocks(const struct sb_trials *t, int *blocks)
{
	int n = 0;

	for (size_t i = 0; i < t->n; i++)
		blocks[i] = t->v[i].block;
	qsort(blocks, t->n, sizeof(*blocks), by_number);
	for (size_t i = 0; i < t->n; i++)
		if (n == 0 || blocks[i] != blocks[n - 1])
			blocks[n++] = blocks[i];
	return n;
}

/* Of an array over kinds, arms and blocks. */
static size_t place(const struct sb_view *v, int kind, int arm, int block)
{
	return (size_t)((kind * v->n_arms + arm) * v->n_blocks + block);
}

/* Count a trial, and enter it in the index when its numbers may be used. Of two in one place the later holds. */
static void enter_trial(struct sb_view *v, const struct sb_trial *t, int index, int block)
{
	struct sb_summary_arm *arm = &v->out->arms[t->arm];
	enum sb_outcome outcome = sb_outcome_by_name(t->outcome);
	int kind = t->trace ? SB_KIND_TRACE : SB_KIND_TIMING;

	arm->n_trials[kind][outcome]++;
	v->out->n_trials[outcome]++;
	if (outcome != SB_OUTCOME_OK) {
		if (!arm->messages[outcome] && t->message && t->message[0])
			arm->messages[outcome] = sb_pool_str(v->pool, t->message);
		return;
	}
	if (t->trace && !t->trace_complete) {
		v->out->incomplete_traces++;
		return;
	}
	v->trial[kind][t->arm * v->n_blocks + block] = index;
}

/*
 * What the loop takes for a whole block: a trial of every arm, however it ended, but of those that had run out of
 * memory before. oom_at: the place of each arm's first such trial.
 */
static bool is_whole(const struct sb_view *v, const bool *tried, const int *oom_at, int kind, int block)
{
	for (int a = 0; a < v->n_arms; a++)
		if (!tried[place(v, kind, a, block)] && oom_at[a] >= kind * v->n_blocks + block)
			return false;
	return true;
}

static bool is_begun(const struct sb_view *v, const bool *tried, int kind, int block)
{
	for (int a = 0; a < v->n_arms; a++)
		if (tried[place(v, kind, a, block)])
			return true;
	return false;
}

/*
 * Blocks that were broken off count for nothing, as in the run itself: another one was run in their stead. While there
 * is no whole one yet, their trials are better than none.
 */
static void count_blocks(struct sb_view *v, const bool *tried, const int *oom_at)
{
	for (int kind = 0; kind < 2; kind++) {
		for (int b = 0; b < v->n_blocks; b++) {
			if (!is_begun(v, tried, kind, b))
				continue;
			if (is_whole(v, tried, oom_at, kind, b))
				v->out->blocks[kind]++;
			else
				v->out->broken_off[kind]++;
		}
		for (int b = 0; b < v->n_blocks && v->out->blocks[kind]; b++)
			for (int a = 0; a < v->n_arms; a++)
				if (!is_whole(v, tried, oom_at, kind, b))
					v->trial[kind][a * v->n_blocks + b] = -1;
	}
}

static void mark_tried(const struct sb_view *v, const struct sb_trial *t, int block, bool *tried, int *oom_at)
{
	int kind = t->trace ? SB_KIND_TRACE : SB_KIND_TIMING, at = kind * v->n_blocks + block;

	tried[place(v, kind, t->arm, block)] = true;
	if (sb_outcome_by_name(t->outcome) == SB_OUTCOME_OOM && at < oom_at[t->arm])
		oom_at[t->arm] = at;
}

enum sb_status sb_view_index_trials(struct sb_view *v, const struct sb_trials *t, struct sb_error *err)
{
	int *blocks = sb_pool_alloc(v->pool, (t->n + 1) * sizeof(*blocks));
	int *oom_at = sb_pool_alloc(v->pool, (size_t)v->n_arms * sizeof(*oom_at));
	size_t cells, columns;
	bool *tried;

	if (!blocks || !oom_at)
		return sb_fail(err, SB_E_NOMEM, "out of memory");
	v->n_blocks = number_blocks(t, blocks);
	cells = (size_t)v->n_arms * (size_t)v->n_blocks;
	columns = (size_t)v->n_blocks + 1;
	v->trial[0] = sb_pool_alloc(v->pool, (cells + 1) * sizeof(int));
	v->trial[1] = sb_pool_alloc(v->pool, (cells + 1) * sizeof(int));
	v->col[0] = sb_pool_alloc(v->pool, columns * sizeof(double));
	v->col[1] = sb_pool_alloc(v->pool, columns * sizeof(double));
	for (int i = 0; i < 2; i++) {
		v->mhz[i] = sb_pool_alloc(v->pool, columns * sizeof(double));
		v->held[i] = sb_pool_alloc(v->pool, columns * sizeof(double));
	}
	v->work = sb_pool_alloc(v->pool, 2 * columns * sizeof(double));
	tried = sb_pool_alloc(v->pool, 2 * cells + 1);
	if (sb_pool_failed(v->pool))
		return sb_fail(err, SB_E_NOMEM, "out of memory");
	for (size_t i = 0; i < cells; i++)
		v->trial[0][i] = v->trial[1][i] = -1;
	for (int a = 0; a < v->n_arms; a++)
		oom_at[a] = INT_MAX;
	for (size_t i = 0; i < t->n; i++) {
		const int *at = bsearch(&t->v[i].block, blocks, (size_t)v->n_blocks, sizeof(*blocks), by_number);

		if (t->v[i].arm < 0 || t->v[i].arm >= v->n_arms)
			return sb_fail(err, SB_E_DATA, "run '%s': a trial of arm %d, and there are %d arms", v->run->id,
			        t->v[i].arm, v->n_arms);
		if (sb_outcome_by_name(t->v[i].outcome) == SB_OUTCOME_COUNT)
			return sb_fail(err, SB_E_DATA, "run '%s': a trial without a known outcome", v->run->id);
		if (t->v[i].counters) /* in no block, and nothing in it was timed */
			continue;
		enter_trial(v, &t->v[i], (int)i, (int)(at - blocks));
		mark_tried(v, &t->v[i], (int)(at - blocks), tried, oom_at);
	}
	count_blocks(v, tried, oom_at);
	return SB_OK;
}
