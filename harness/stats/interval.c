#include "sb_stats.h"
#include "stats_internal.h"

#include <math.h>

double sb_stats_binomial_half(int n, int k)
{
	/*
	 * Sum of C(n, i), i <= k, over 2^n. 2^-n is no double beyond n = 1074, and C(n, k) none beyond about 1029, so
	 * the sum keeps a power of two beside it. All terms are positive: nothing cancels.
	 */
	const double big = 0x1p+512;
	double term = 1.0, sum = 1.0;
	int exponent = 0;

	if (n < 0)
		SB_BUG("binomial of %d", n);
	if (k < 0)
		return 0.0;
	if (k >= n)
		return 1.0;
	if (k > n / 2)
		return 1.0 - sb_stats_binomial_half(n, n - k - 1);
	for (int i = 1; i <= k; i++) {
		term *= (double)(n - i + 1) / i;
		sum += term;
		if (sum > big) {
			term /= big;
			sum /= big;
			exponent += 512;
		}
	}
	return ldexp(sum, exponent - n);
}

double sb_stats_rank_coverage(int n, int r)
{
	if (r < 1 || r > (n + 1) / 2)
		SB_BUG("rank %d of %d", r, n);
	return 1.0 - 2.0 * sb_stats_binomial_half(n, r - 1);
}

int sb_stats_rank(int n, double level)
{
	int lo = 0, hi = n / 2;

	if (!(level >= 0.5 && level < 1.0))
		SB_BUG("level %g", level);
	/* coverage falls as r grows: keep "lo is enough (0: nothing is), hi + 1 is not" */
	while (lo < hi) {
		int r = (lo + hi + 1) / 2;

		if (sb_stats_rank_coverage(n, r) >= level)
			lo = r;
		else
			hi = r - 1;
	}
	return lo;
}

/* The weight of rank r + 1 against rank r at which the interval between them covers `level`; in [0, 1). */
static double inner_weight(int n, int r, double level)
{
	double outer = sb_stats_rank_coverage(n, r), inner = sb_stats_rank_coverage(n, r + 1);
	double part = (outer - level) / (outer - inner);

	return (n - r) * part / (r + (n - 2 * r) * part);
}

void sb_stats_median_interval(const double *x, int n, double level, double *scratch, struct sb_interval *out)
{
	double own[SB_STATS_SMALL];
	const double *s = sb_stats_sorted_copy(x, n, scratch, own);

	*out = (struct sb_interval){
		.mid = sb_stats_quantile_sorted(s, n, 0.5), .lo = NAN, .hi = NAN, .coverage = NAN, .n = n
	};
	if (n < SB_STATS_MIN_PAIRS)
		return;

	double reach = fmin(level, sb_stats_rank_coverage(n, 1));
	int r = sb_stats_rank(n, reach);
	double w = inner_weight(n, r, reach);

	out->lo = s[r - 1] + w * (s[r] - s[r - 1]);
	out->hi = s[n - r] + w * (s[n - r - 1] - s[n - r]);
	out->coverage = reach;
	out->has_interval = true;
}

int sb_stats_log_ratios(const double *before, const double *after, int n_blocks, double *log_ratio)
{
	int n = 0;

	for (int i = 0; i < n_blocks; i++) {
		if (!isfinite(before[i]) || !isfinite(after[i]) || before[i] <= 0.0 || after[i] <= 0.0)
			continue;
		log_ratio[n++] = log(after[i]) - log(before[i]); /* their quotient can leave the range of double */
	}
	return n;
}

void sb_stats_ratio(const double *log_ratio, int n, double level, double *scratch, struct sb_ratio *out)
{
	struct sb_interval iv;

	sb_stats_median_interval(log_ratio, n, level, scratch, &iv);
	*out = (struct sb_ratio){ .ratio = exp(iv.mid),
		.lo = exp(iv.lo),
		.hi = exp(iv.hi),
		.coverage = iv.coverage,
		.pairs = n,
		.has_interval = iv.has_interval };
}
