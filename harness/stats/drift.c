#include "gate_internal.h"

#include <math.h>
#include <string.h>

enum { EXACT = 64, DIP_SAMPLES = 2000 };

static const double named = 0.01;                    /* p below which a flaw is named */
static const uint64_t dip_seed = 0x6469707465737431; /* of the samples that a dip is held against */

static bool is_sample(const double *x, int n)
{
	if (n > SB_SAMPLE_MAX)
		SB_BUG("sample of %d", n);
	for (int i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return false;
	return true;
}

/* ---- trend --------------------------------------------------------------------------------------------------- */

/* P(S >= s) for n values without ties: the number of inversions is a sum of uniform ones, 0 to i for the i-th value. */
static double kendall_tail(int n, int s)
{
	double p[EXACT * (EXACT - 1) / 2 + 1] = { 1.0 }, q[EXACT * (EXACT - 1) / 2 + 1];
	int top = 0;

	for (int i = 1; i < n; i++) {
		double window = 0.0;

		top += i;
		for (int k = 0; k <= top; k++) {
			window += p[k] - (k > i ? p[k - i - 1] : 0.0);
			q[k] = window / (i + 1);
		}
		memcpy(p, q, ((size_t)top + 1) * sizeof(*p));
	}

	double sum = 0.0;

	for (int k = 0; k <= (top - s) / 2; k++) /* S = top - 2 inversions */
		sum += p[k];
	return sum;
}

/* Variance of S; *ties: whether there are any. */
static double kendall_variance(const double *x, int n, bool *ties)
{
	double sorted[SB_SAMPLE_MAX], sum = (double)n * (n - 1) * (2.0 * n + 5.0);

	memcpy(sorted, x, (size_t)n * sizeof(*x));
	sb_stats_sort(sorted, n);
	*ties = false;
	for (int i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && sorted[end] == sorted[i]; end++)
			*ties = true;
		sum -= (double)(end - i) * (end - i - 1) * (2.0 * (end - i) + 5.0);
	}
	return sum / 18.0;
}

static double at_time(const double *t, int i)
{
	return t ? t[i] : i;
}

static int slopes_at_most(const double *x, const double *t, int n, double slope)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		for (int j = i + 1; j < n; j++)
			count += x[j] - x[i] <= slope * (at_time(t, j) - at_time(t, i));
	return count;
}

static double slope_of_rank(const double *x, const double *t, int n, int rank)
{
	double lo = INFINITY, hi = -INFINITY;

	for (int i = 0; i + 1 < n; i++) { /* slopes of couples are means of those of neighbours */
		double slope = (x[i + 1] - x[i]) / (at_time(t, i + 1) - at_time(t, i));

		lo = fmin(lo, slope);
		hi = fmax(hi, slope);
	}
	for (int i = 0; i < 60 && lo < hi; i++) {
		double mid = 0.5 * lo + 0.5 * hi;

		if (slopes_at_most(x, t, n, mid) >= rank)
			hi = mid;
		else
			lo = mid;
	}
	return hi;
}

static double sen_slope(const double *x, const double *t, int n)
{
	int m = n * (n - 1) / 2;
	double upper = slope_of_rank(x, t, n, m / 2 + 1);

	return m % 2 ? upper : 0.5 * upper + 0.5 * slope_of_rank(x, t, n, m / 2);
}

static bool ascends(const double *t, int n)
{
	if (!t)
		return true;
	for (int i = 0; i < n; i++)
		if (!isfinite(t[i]) || (i > 0 && !(t[i] > t[i - 1])))
			return false;
	return true;
}

void sb_sample_trend(const double *x, const double *t, int n, struct sb_trend *out)
{
	bool ties;
	int s = 0;

	*out = (struct sb_trend){ .n = n, .s = NAN, .p = NAN, .slope = NAN };
	if (!is_sample(x, n) || !ascends(t, n))
		return;
	for (int i = 0; i < n; i++)
		for (int j = i + 1; j < n; j++)
			s += (x[j] > x[i]) - (x[j] < x[i]);
	out->s = s;
	out->p = 1.0;
	if (n >= 2)
		out->slope = sen_slope(x, t, n);
	if (n < 3)
		return;

	double variance = kendall_variance(x, n, &ties);
	int size = s < 0 ? -s : s;

	out->exact = !ties && n <= EXACT;
	if (out->exact)
		out->p = fmin(1.0, 2.0 * kendall_tail(n, size));
	else if (size > 1)
		out->p = erfc((size - 1) / sqrt(2.0 * variance)); /* variance > 0: S is not 0 */
}

/* ---- dip ----------------------------------------------------------------------------------------------------- */

/* A curve of straight pieces through points (x[i], i) of the sample, i ascending. */
struct curve {
	int at[SB_SAMPLE_MAX];
	int n;
};

/* The greatest convex minorant (sign 1) or least concave majorant (sign -1) of the points first .. last. */
static void hull(const double *x, int first, int last, int sign, struct curve *c)
{
	c->n = 0;
	for (int i = first; i <= last; i++) {
		while (c->n >= 2) {
			int top = c->at[c->n - 1], before = c->at[c->n - 2];

			if (sign * ((top - before) * (x[i] - x[top]) - (i - top) * (x[top] - x[before])) < 0.0)
				break;
			c->n--;
		}
		c->at[c->n++] = i;
	}
}

/* Height of the piece that starts at corner k, at x[i]. Where the piece is upright: of its end nearer to `up`. */
static double height(const double *x, const struct curve *c, int k, int i, bool up)
{
	int a = c->at[k], b = c->at[k + 1];

	if (x[b] == x[a])
		return up ? b : a;
	return a + (b - a) * (x[i] - x[a]) / (x[b] - x[a]);
}

/* The widest gap between the two curves at a corner of either, and the corners of both that enclose it. */
static double widest_gap(const double *x, const struct curve *below, const struct curve *above, int *low, int *high)
{
	double widest = 0.0;

	for (int g = 0, l = 0; g < below->n; g++) {
		int i = below->at[g];

		while (l + 2 < above->n && above->at[l + 1] < i)
			l++;

		double gap = height(x, above, l, i, true) - i + 1.0;

		if (gap > widest) {
			widest = gap;
			*low = i;
			*high = above->at[above->at[l] >= i ? l : l + 1];
		}
	}
	for (int l = 0, g = 0; l < above->n; l++) {
		int i = above->at[l];

		while (g + 2 < below->n && below->at[g + 1] <= i)
			g++;

		double gap = i - height(x, below, g, i, false) + 1.0;

		if (gap > widest) {
			widest = gap;
			*high = i;
			*low = below->at[below->at[g + 1] <= i ? g + 1 : g];
		}
	}
	return widest;
}

/* How far the sample's steps are from a curve, between corners in first .. last, beyond the curve's side. */
static double farthest(const double *x, const struct curve *c, int first, int last, int sign)
{
	double far = 1.0;

	for (int k = 0; k + 1 < c->n; k++) {
		int a = c->at[k], b = c->at[k + 1];

		if (a < first || b > last || x[a] == x[b])
			continue;
		for (int i = a; i <= b; i++) {
			double line = a + (b - a) * (x[i] - x[a]) / (x[b] - x[a]);

			far = fmax(far, sign * (i - line) + 1.0);
		}
	}
	return far;
}

/* Twice the dip times n. */
static double dip_of_sorted(const double *x, int n)
{
	double dip = 1.0;
	int low = 0, high = n - 1;

	if (n < 2 || x[0] == x[n - 1])
		return dip;
	for (;;) {
		struct curve below, above;
		int new_low = low, new_high = high;

		hull(x, low, high, 1, &below);
		hull(x, low, high, -1, &above);

		double gap = widest_gap(x, &below, &above, &new_low, &new_high);

		if (gap <= dip)
			break;
		dip = fmax(dip, farthest(x, &below, low, new_low, 1));
		dip = fmax(dip, farthest(x, &above, new_high, high, -1));
		if (new_low == low && new_high == high)
			break;
		low = new_low;
		high = new_high;
	}
	return dip;
}

/* p above `enough` is no longer counted exactly: the drawing stops as soon as that is certain. */
static double dip_p(int n, double dip, double enough)
{
	uint64_t seed = dip_seed;
	int reached = 0;

	for (int sample = 0; sample < DIP_SAMPLES; sample++) {
		double x[SB_SAMPLE_MAX];

		for (int i = 0; i < n; i++)
			x[i] = sb_random_unit(&seed);
		sb_stats_sort(x, n);
		reached += dip_of_sorted(x, n) >= dip * (1.0 - 1e-12);
		if ((1.0 + reached) / (1.0 + DIP_SAMPLES) >= enough)
			return reached / (1.0 + sample);
	}
	return (1.0 + reached) / (1.0 + DIP_SAMPLES);
}

static void measure_dip(const double *x, int n, double enough, struct sb_dip *out)
{
	double sorted[SB_SAMPLE_MAX], dip;

	*out = (struct sb_dip){ .n = n, .dip = NAN, .p = NAN };
	if (!is_sample(x, n))
		return;
	out->p = 1.0;
	if (n < 1)
		return;
	memcpy(sorted, x, (size_t)n * sizeof(*x));
	sb_stats_sort(sorted, n);
	dip = dip_of_sorted(sorted, n);
	out->dip = dip / (2.0 * n);
	if (n >= 4 && dip > 1.0)
		out->p = dip_p(n, dip, enough);
}

void sb_sample_dip(const double *x, int n, struct sb_dip *out)
{
	measure_dip(x, n, 2.0, out);
}

void sb_sample_look(const double *x, const double *t, int n, struct sb_sample_flaws *out)
{
	double level[SB_SAMPLE_MAX];

	*out = (struct sb_sample_flaws){ 0 };
	sb_sample_trend(x, t, n, &out->trend);
	out->drifts = out->trend.p < named;
	for (int i = 0; i < n; i++)
		level[i] = x[i] - (out->drifts ? out->trend.slope * (at_time(t, i) - at_time(t, 0)) : 0.0);
	measure_dip(level, n, named, &out->dip);
	out->bimodal = out->dip.p < named;
}
