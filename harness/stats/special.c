#include "gate_internal.h"

#include <float.h>
#include <math.h>

/* The continued fraction of I_x(a, b), for x below (a + 1) / (a + b + 2), where it converges fast; Lentz's method. */
static double beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300;
	double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0), f;

	d = 1.0 / (fabs(d) < tiny ? tiny : d);
	f = d;
	for (int m = 1; m < 1000; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double step = 1.0;

		for (int half = 0; half < 2; half++) {
			double term = half ? odd : even;

			d = 1.0 + term * d;
			c = 1.0 + term / c;
			d = 1.0 / (fabs(d) < tiny ? tiny : d);
			c = fabs(c) < tiny ? tiny : c;
			step = c * d;
			f *= step;
		}
		if (fabs(step - 1.0) < 4.0 * DBL_EPSILON)
			break;
	}
	return f;
}

double sb_stats_beta(double a, double b, double x)
{
	if (!(a > 0.0 && b > 0.0) || isnan(x))
		return NAN;
	if (x <= 0.0 || x >= 1.0)
		return x <= 0.0 ? 0.0 : 1.0;
	if (x > (a + 1.0) / (a + b + 2.0))
		return 1.0 - sb_stats_beta(b, a, 1.0 - x);
	return exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) * beta_fraction(a, b, x) / a;
}

static double t_upper(double t, double df) /* P(T > t), t >= 0 */
{
	return 0.5 * sb_stats_beta(0.5 * df, 0.5, df / (df + t * t));
}

double sb_stats_t_critical(double df, double level)
{
	double lo = 0.0, hi = 1.0, tail = 0.5 * (1.0 - level);

	if (!(df > 0.0) || !(level > 0.0 && level < 1.0))
		return NAN;
	while (t_upper(hi, df) > tail && hi < 1e300)
		hi *= 2.0;
	for (int i = 0; i < 200 && hi - lo > 1e-14 * hi; i++) {
		double mid = 0.5 * (lo + hi);

		if (t_upper(mid, df) > tail)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

double sb_stats_t_tail(double t, double df)
{
	if (!(df > 0.0) || isnan(t))
		return NAN;
	return t >= 0.0 ? t_upper(t, df) : 1.0 - t_upper(-t, df);
}

double sb_stats_rate_upper(int hits, int n, double level)
{
	double lo, hi = 1.0;

	if (n < 1 || hits < 0 || hits > n || !(level > 0.0 && level < 1.0))
		return NAN;
	if (hits == n)
		return 1.0;
	lo = (double)hits / n;
	/* P(X <= hits | p) = 1 - I_p(hits + 1, n - hits) falls with p; the bound is where it is 1 - level */
	for (int i = 0; i < 100 && hi - lo > 1e-15; i++) {
		double mid = 0.5 * (lo + hi);

		if (sb_stats_beta(hits + 1.0, n - hits, mid) < level)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}
