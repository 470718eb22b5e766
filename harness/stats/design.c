#include "sb_stats.h"

#include <math.h>
#include <string.h>

static const double fixed_level = 0.95;
/* For runs that their intervals did not stop. Below 1 - 2^-5: six pairs can give it. */
static const double unstopped_level = 0.96;

/* How the levels were found: the header. Each must be one that its number of blocks can give (test_stats.c). */
const struct sb_stats_look sb_stats_looks[SB_STATS_LOOKS] = {
	{ 6, 0.96 },
	{ 9, 0.973 },
	{ 13, 0.978 },
	{ 19, 0.98 },
	{ 28, 0.96 },
};

static const char *const stop_names[] = {
	[SB_STATS_CONTINUE] = "unfinished",
	[SB_STATS_STOP_PRECISE] = "precise",
	[SB_STATS_STOP_BUDGET] = "budget",
	[SB_STATS_STOP_MAX] = "blocks",
	[SB_STATS_STOP_NOTHING] = "nothing",
};

const char *sb_stats_stop_name(enum sb_stats_stop stop)
{
	return stop_names[stop];
}

enum sb_stats_stop sb_stats_stop_by_name(const char *name)
{
	for (size_t i = 0; name && i < SB_ARRAY_LEN(stop_names); i++)
		if (!strcmp(stop_names[i], name))
			return (enum sb_stats_stop)i;
	return SB_STATS_CONTINUE;
}

/* The look at exactly `blocks` blocks, or NULL. */
static const struct sb_stats_look *look_at(int blocks)
{
	for (size_t i = 0; i < SB_STATS_LOOKS; i++)
		if (sb_stats_looks[i].blocks == blocks)
			return &sb_stats_looks[i];
	return NULL;
}

double sb_stats_level(int fixed_blocks, enum sb_stats_stop stop, int blocks)
{
	const struct sb_stats_look *look = stop == SB_STATS_STOP_PRECISE ? look_at(blocks) : NULL;

	if (fixed_blocks > 0)
		return fixed_level;
	return look ? look->level : unstopped_level;
}

static bool is_narrow(const double *log_ratio, int n, double level)
{
	struct sb_interval iv;

	sb_stats_median_interval(log_ratio, n, level, NULL, &iv);
	return iv.has_interval && (iv.hi - iv.lo) / 2.0 <= log(1.01);
}

static bool is_precise(const struct sb_stats_progress *p)
{
	const struct sb_stats_look *look = p->fixed_blocks > 0 ? NULL : look_at(p->blocks);
	bool any = false;

	if (!look)
		return false;
	for (int a = 0; a < p->n_arms; a++) {
		if (p->n_pairs[a] > p->blocks)
			SB_BUG("arm %d has %d pairs of %d blocks", a, p->n_pairs[a], p->blocks);
		if (p->n_pairs[a] == 0)
			continue;
		if (!is_narrow(p->log_ratio[a], p->n_pairs[a], look->level))
			return false;
		any = true;
	}
	return any;
}

bool sb_stats_fits_budget(int blocks, double elapsed_s, double block_s, double budget_s)
{
	double limit_s = blocks < SB_STATS_MIN_PAIRS ? 3.0 * budget_s : budget_s;

	return budget_s <= 0.0 || blocks == 0 || elapsed_s + block_s <= limit_s;
}

enum sb_stats_stop sb_stats_next(const struct sb_stats_progress *p)
{
	int max = p->fixed_blocks > 0 ? p->fixed_blocks : sb_stats_looks[SB_STATS_LOOKS - 1].blocks;

	if (is_precise(p))
		return SB_STATS_STOP_PRECISE;
	if (p->blocks >= max)
		return SB_STATS_STOP_MAX;
	if (sb_stats_fits_budget(p->blocks, p->elapsed_s, p->block_s, p->budget_s))
		return SB_STATS_CONTINUE;
	return SB_STATS_STOP_BUDGET;
}
