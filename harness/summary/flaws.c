/* Samples of the total that are not what a median takes them for: they drift over the run, or lie in two clusters. */
#include "sb_summary.h"

#include <math.h>
#include <string.h>

#include "sb_gate.h"

struct series {
	double ns[SB_SAMPLE_MAX]; /* in the order they were run */
	int n;
};

static bool is_of(const struct sb_trial *t, int arm)
{
	return t->arm == arm && !t->trace && !t->counters && !strcmp(t->outcome, sb_outcome_names[SB_OUTCOME_OK]);
}

static void collect(
        const struct sb_trials *trials, const struct sb_samples *samples, int metric, int arm, struct series *out)
{
	out->n = 0;
	for (size_t i = 0; i < trials->n && out->n < SB_SAMPLE_MAX; i++) {
		double ns = samples->value[i * samples->n_metrics + (size_t)metric];

		if (is_of(&trials->v[i], arm) && !isnan(ns))
			out->ns[out->n++] = ns;
	}
}

size_t sb_summary_flaws(const struct sb_run *run, const struct sb_trials *trials, const struct sb_samples *samples,
        struct sb_summary_flaw *out, size_t max)
{
	int metric = sb_samples_metric(samples, "wall_ns");
	struct sb_sample_flaws flaws;
	struct series s;
	size_t n = 0;

	for (int a = 0; a < run->n_arms && metric >= 0 && n < max; a++) {
		double middle;

		collect(trials, samples, metric, a, &s);
		if (s.n < SB_STATS_MIN_PAIRS)
			continue;
		sb_sample_look(s.ns, NULL, s.n, &flaws);
		middle = sb_stats_quantile(s.ns, s.n, 0.5, (double[SB_SAMPLE_MAX]){ 0 });
		if ((!flaws.drifts && !flaws.bimodal) || !(middle > 0))
			continue;
		out[n++] = (struct sb_summary_flaw){ .arm = run->arms[a].name,
			.n = s.n,
			.drifts = flaws.drifts,
			.bimodal = flaws.bimodal,
			.drift = flaws.trend.slope * (s.n - 1) / middle };
	}
	return n;
}
