#include "between_runs.h"

#include <math.h>
#include <string.h>

/* A run of more processes than a side has is steadier than that. */
static bool is_in(const struct sb_run_logs *l, int i, int group, bool of_means)
{
	int most = l->n[0] < l->n[1] ? l->n[0] : l->n[1];

	return l->group[i] == group && l->n[i] && !(of_means && l->n[i] > most);
}

/* Runs that have an arm in both groups: what a run is off by is in both, and tells the same thing twice. */
static int shared_runs(const struct sb_run_logs *l, bool of_means)
{
	int shared = 0;

	for (int i = 0; i < l->n_runs; i++) {
		bool other = false;

		if (!is_in(l, i, 0, of_means))
			continue;
		for (int k = 0; k < l->n_runs; k++)
			other |= is_in(l, k, 1, of_means) && !strcmp(l->run[i], l->run[k]);
		shared += other;
	}
	return shared;
}

/* The groups' variances, by their degrees of freedom: one for what processes do not explain, one of whole runs. */
static double pooled(const struct sb_run_logs *l, bool of_means, double *df)
{
	int shared = l->n_groups > 1 ? shared_runs(l, of_means) : 0;
	double sum = 0.0;

	*df = 0.0;
	for (int g = 0; g < l->n_groups; g++) {
		const double *x[SB_OLD_HISTORY_MAX];
		double mean[SB_OLD_HISTORY_MAX], own_df, own;
		int n[SB_OLD_HISTORY_MAX], k = 0;

		for (int i = 0; i < l->n_runs; i++) {
			if (!is_in(l, i, g, of_means))
				continue;
			x[k] = l->v[i];
			mean[k] = sb_stats_mean(l->v[i], l->n[i]);
			n[k++] = l->n[i];
		}
		if (of_means) {
			own_df = k - 1;
			own = k > 1 ? pow(sb_stats_sd(mean, k), 2.0) : NAN;
		} else {
			own = sb_runs_between_variance(x, n, k, &own_df);
		}
		if (!isfinite(own))
			continue;
		sum += own * own_df;
		*df += own_df;
	}
	if (!(*df > 0.0))
		return NAN;
	sum /= *df;
	*df -= shared > 1 ? shared - 1 : 0;
	return sum;
}

/* Of all runs, whichever side they are like: each about its own mean. */
static double pooled_within(const struct sb_run_logs *l)
{
	const double *x[SB_OLD_HISTORY_MAX];

	for (int i = 0; i < l->n_runs; i++)
		x[i] = l->v[i];
	return sb_runs_within_variance(x, l->n, l->n_runs);
}

void sb_between_runs_compare(
        const struct sb_run_logs *l, double level, struct sb_interval *out, double *between, double *df)
{
	const double *a = l->v[0], *b = l->v[1];

	*between = pooled(l, false, df);
	sb_runs_compare(a, l->n[0], b, l->n[1], pooled_within(l), *between, *df, level, out);
	if (out->has_interval)
		return;
	*between = pooled(l, true, df);
	sb_runs_compare_means(sb_stats_mean(a, l->n[0]), sb_stats_mean(b, l->n[1]), *between, *df, level, out);
}
