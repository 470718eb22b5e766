#include "sb_stats.h"
#include "stats_internal.h"

#include <math.h>
#include <string.h>

/* Shell's sort: in place, where libc's qsort() may allocate, and a plain insertion sort for the few values of a run. */
void sb_stats_sort(double *x, int n)
{
	/* Ciura, Best increments for the average case of Shellsort, 2001; 9/4 steps beyond */
	static const int gaps[] = { 7985, 3549, 1577, 701, 301, 132, 57, 23, 10, 4, 1 };

	for (size_t g = 0; g < SB_ARRAY_LEN(gaps); g++) {
		const int gap = gaps[g];

		for (int i = gap; i < n; i++) {
			double v = x[i];
			int j = i;

			for (; j >= gap && x[j - gap] > v; j -= gap)
				x[j] = x[j - gap];
			x[j] = v;
		}
	}
}

const double *sb_stats_sorted_copy(const double *x, int n, double *scratch, double own[SB_STATS_SMALL])
{
	double *to = scratch ? scratch : own;

	if (!scratch && n > SB_STATS_SMALL)
		SB_BUG("%d values need scratch", n);
	if (n > 0)
		memcpy(to, x, (size_t)n * sizeof(*x));
	sb_stats_sort(to, n);
	return to;
}

double sb_stats_mean(const double *x, int n)
{
	double sum = 0.0;

	if (n < 1)
		return NAN;
	for (int i = 0; i < n; i++)
		sum += x[i];
	return sum / n;
}

double sb_stats_sd(const double *x, int n)
{
	double mean = sb_stats_mean(x, n), sum = 0.0;

	if (n < 2)
		return NAN;
	for (int i = 0; i < n; i++)
		sum += (x[i] - mean) * (x[i] - mean);
	return sqrt(sum / (n - 1));
}

double sb_stats_quantile_sorted(const double *sorted, int n, double p)
{
	if (!(p >= 0.0 && p <= 1.0))
		SB_BUG("quantile %g", p);
	if (n < 1)
		return NAN;

	double at = p * (n - 1);
	int i = (int)at;
	double part = at - i;

	/* no blend where none is needed: 0 * huge would still round, and i + 1 may be outside */
	return part > 0.0 ? sorted[i] + part * (sorted[i + 1] - sorted[i]) : sorted[i];
}

double sb_stats_quantile(const double *x, int n, double p, double *scratch)
{
	double own[SB_STATS_SMALL];

	return sb_stats_quantile_sorted(sb_stats_sorted_copy(x, n, scratch, own), n, p);
}

double sb_stats_median(const double *x, int n, double *scratch)
{
	return sb_stats_quantile(x, n, 0.5, scratch);
}

double sb_stats_mad(const double *x, int n, double *scratch)
{
	double own[SB_STATS_SMALL], *dev = scratch ? scratch : own;
	double median = sb_stats_median(x, n, dev); /* refuses n > SB_STATS_SMALL only if it sees no scratch */

	for (int i = 0; i < n; i++)
		dev[i] = fabs(x[i] - median);
	sb_stats_sort(dev, n);
	return sb_stats_quantile_sorted(dev, n, 0.5);
}
