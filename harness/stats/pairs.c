#include "gate_internal.h"

#include <math.h>

enum { COUPLES = SB_GATE_MAX_PAIRS * (SB_GATE_MAX_PAIRS + 1) / 2, HALF_SUMS = 1 << (SB_PAIRS_EXACT / 2) };

/* of the patterns that are drawn where there are too many to count */
static const uint64_t pattern_seed = 0x7370616265636823;

bool sb_gate_all_finite(const double *x, int n)
{
	if (n > SB_GATE_MAX_PAIRS)
		SB_BUG("%d pairs", n);
	for (int i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return false;
	return true;
}

static struct sb_interval no_interval(double mid, int n)
{
	return (struct sb_interval){ .mid = mid, .lo = NAN, .hi = NAN, .coverage = NAN, .n = n };
}

static void check_level(double level)
{
	if (!(level >= 0.5 && level < 1.0))
		SB_BUG("level %g", level);
}

bool sb_pairs_b_first(uint64_t seed, int pair)
{
	uint64_t state = seed + (uint64_t)(pair / 2) * UINT64_C(0x9e3779b97f4a7c15);
	bool swap = sb_splitmix64(&state) >> 63;

	return (pair % 2 != 0) != swap;
}

/* ---- means of couples ---------------------------------------------------------------------------------------- */

/* The means of all couples i <= j, in order; returns their number. */
static int sorted_couples(const double *d, int n, double out[COUPLES])
{
	int m = 0;

	for (int i = 0; i < n; i++)
		for (int j = i; j < n; j++)
			out[m++] = 0.5 * d[i] + 0.5 * d[j];
	sb_stats_sort(out, m);
	return m;
}

double sb_pairs_hodges_lehmann(const double *d, int n)
{
	double couples[COUPLES];

	if (!sb_gate_all_finite(d, n))
		return NAN;
	return sb_stats_quantile_sorted(couples, sorted_couples(d, n, couples), 0.5);
}

void sb_pairs_rank_interval(const double *d, int n, double level, struct sb_interval *out)
{
	double couples[COUPLES], tail[SB_GATE_MAX_RANK_SUM + 1];
	int m, c = 0;

	check_level(level);
	*out = no_interval(NAN, n);
	if (n < 1 || !sb_gate_all_finite(d, n))
		return;
	m = sorted_couples(d, n, couples);
	out->mid = sb_stats_quantile_sorted(couples, m, 0.5);
	sb_gate_rank_tail(n, tail);
	/* tail[m - c] = P(rank sum <= c): the largest c + 1 whose tail is within (1 - level) / 2 */
	while (c <= m / 2 && tail[m - c] <= 0.5 * (1.0 - level))
		c++;
	if (c == 0)
		return;
	out->lo = couples[c - 1];
	out->hi = couples[m - c];
	out->coverage = 1.0 - 2.0 * tail[m - c + 1];
	out->has_interval = true;
}

/* ---- sign flips ----------------------------------------------------------------------------------------------- */

/* The sums of all subsets of x[n] - shift, in order; returns their number, 2^n. */
static int subset_sums(const double *x, int n, double shift, double out[HALF_SUMS])
{
	double old[HALF_SUMS];
	int m = 1;

	out[0] = 0.0;
	for (int i = 0; i < n; i++) {
		double v = x[i] - shift;
		int a = 0, b = 0;

		for (int k = 0; k < m; k++)
			old[k] = out[k];
		for (int k = 0; k < 2 * m; k++) {
			bool without = b == m || (a < m && old[a] <= old[b] + v);

			out[k] = without ? old[a] : old[b] + v;
			a += without;
			b += !without;
		}
		m *= 2;
	}
	return m;
}

/*
 * How many of the 2^n subsets of d - shift, the empty one included, have a sum of at most `limit`. Each subset is one
 * of the first half of the values and one of the second: 2 x 2^(n/2) sums in order say what 2^n would (Horowitz and
 * Sahni, Computing partitions, 1974).
 */
static double subsets_at_most(const double *d, int n, double shift, double limit)
{
	double first[HALF_SUMS], second[HALF_SUMS], count = 0.0;
	int half = n / 2;
	int n_first = subset_sums(d, half, shift, first), n_second = subset_sums(d + half, n - half, shift, second);
	int j = n_second;

	for (int i = 0; i < n_first; i++) {
		while (j > 0 && first[i] + second[j - 1] > limit)
			j--;
		count += j;
	}
	return count;
}

static double random_subset_sum(const double *d, int n, uint64_t *state, int *size)
{
	uint64_t bits = sb_splitmix64(state);
	double sum = 0.0;

	*size = 0;
	for (int i = 0; i < n; i++, bits >>= 1)
		if (bits & 1) {
			sum += d[i];
			++*size;
		}
	return sum;
}

/* What sums of the same values in another order may differ by. */
static double rounding(const double *d, int n)
{
	double sum = 0.0;

	for (int i = 0; i < n; i++)
		sum += fabs(d[i]);
	return 1e-13 * sum;
}

static void negate(const double *d, int n, double out[SB_GATE_MAX_PAIRS])
{
	for (int i = 0; i < n; i++)
		out[i] = -d[i];
}

void sb_pairs_sign_flip(const double *d, int n, struct sb_flip_test *out)
{
	double mirrored[SB_GATE_MAX_PAIRS], slack, low = 1.0, high = 1.0, all = 1.0 + SB_PAIRS_DRAWS;
	uint64_t state = pattern_seed;

	*out = (struct sb_flip_test){ NAN, NAN, NAN, n <= SB_PAIRS_EXACT };
	if (!sb_gate_all_finite(d, n))
		return;
	/* Flipping a subset takes twice its sum away from the total: the mean stays as large where that sum is <= 0. */
	slack = rounding(d, n);
	if (out->exact) {
		negate(d, n, mirrored);
		all = ldexp(1.0, n);
		low = subsets_at_most(d, n, 0.0, slack);
		high = subsets_at_most(mirrored, n, 0.0, slack);
	} else {
		for (int i = 0; i < SB_PAIRS_DRAWS; i++) {
			int size;
			double sum = random_subset_sum(d, n, &state, &size);

			low += sum <= slack;
			high += sum >= -slack;
		}
	}
	out->p_greater = low / all;
	out->p_less = high / all;
	out->p_two = fmin(1.0, 2.0 * fmin(out->p_greater, out->p_less));
}

/* The k-th smallest mean of a subset, of 2^n - 1: the smallest shift at which k of them are not above it. */
static double ranked_subset_mean(const double *d, int n, double k)
{
	double lo = d[0], hi = d[0];

	for (int i = 1; i < n; i++) {
		lo = fmin(lo, d[i]);
		hi = fmax(hi, d[i]);
	}
	for (int i = 0; i < 100 && hi - lo > 1e-13 * (fabs(lo) + fabs(hi)); i++) {
		double mid = 0.5 * lo + 0.5 * hi;

		if (subsets_at_most(d, n, mid, 0.0) - 1.0 >= k)
			hi = mid;
		else
			lo = mid;
	}
	return hi;
}

/* The same for drawn subsets, both ends at once. */
static void drawn_subset_means(const double *d, int n, int k, double *lo, double *hi)
{
	double means[SB_PAIRS_DRAWS];
	uint64_t state = pattern_seed;
	int m = 0;

	while (m < SB_PAIRS_DRAWS) {
		int size;
		double sum = random_subset_sum(d, n, &state, &size);

		if (size > 0)
			means[m++] = sum / size;
	}
	sb_stats_sort(means, m);
	*lo = means[k - 1];
	*hi = means[m - k];
}

void sb_pairs_flip_interval(const double *d, int n, double level, struct sb_interval *out)
{
	double mirrored[SB_GATE_MAX_PAIRS], all = n <= SB_PAIRS_EXACT ? ldexp(1.0, n) : 1.0 + SB_PAIRS_DRAWS, k;

	check_level(level);
	*out = no_interval(NAN, n);
	if (n < 1 || !sb_gate_all_finite(d, n))
		return;
	out->mid = sb_stats_mean(d, n);
	k = floor(0.5 * (1.0 - level) * all);
	if (k < 1.0)
		return;
	if (n <= SB_PAIRS_EXACT) {
		negate(d, n, mirrored);
		out->lo = ranked_subset_mean(d, n, k);
		out->hi = -ranked_subset_mean(mirrored, n, k);
	} else {
		drawn_subset_means(d, n, (int)k, &out->lo, &out->hi);
	}
	out->coverage = 1.0 - 2.0 * k / all;
	out->has_interval = true;
}

void sb_pairs_t_interval(const double *d, int n, double level, struct sb_interval *out)
{
	check_level(level);
	*out = no_interval(NAN, n);
	if (n < 1 || !sb_gate_all_finite(d, n))
		return;
	out->mid = sb_stats_mean(d, n);
	if (n < 2)
		return;

	double half = sb_stats_t_critical(n - 1, level) * sb_stats_sd(d, n) / sqrt(n);

	out->lo = out->mid - half;
	out->hi = out->mid + half;
	out->coverage = level;
	out->has_interval = true;
}
