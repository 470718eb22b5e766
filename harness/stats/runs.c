#include "gate_internal.h"

#include <math.h>

static double sum_of_squares(const double *x, int n, double mean)
{
	double sum = 0.0;

	for (int i = 0; i < n; i++)
		sum += (x[i] - mean) * (x[i] - mean);
	return sum;
}

double sb_runs_between_variance(const double *const *x, const int *n, int k, double *df)
{
	double grand = 0.0, within = 0.0, between = 0.0, total = 0.0, squares = 0.0;
	int used = 0;

	*df = NAN;
	for (int i = 0; i < k; i++) {
		used += n[i] > 0;
		total += n[i];
		squares += (double)n[i] * n[i];
		for (int j = 0; j < n[i]; j++)
			grand += x[i][j];
	}
	if (used < 2 || total <= used)
		return NAN;
	grand /= total;
	for (int i = 0; i < k; i++) {
		double mean = sb_stats_mean(x[i], n[i]);

		if (n[i] < 1)
			continue;
		within += sum_of_squares(x[i], n[i], mean);
		between += n[i] * (mean - grand) * (mean - grand);
	}

	double size = (total - squares / total) / (used - 1); /* what n is where all are equal */
	double variance = (between / (used - 1) - within / (total - used)) / size;

	if (!isfinite(variance))
		return NAN;
	*df = used - 1;
	return fmax(0.0, variance);
}

/* Without any variance both ends are mid. */
static void set_student(struct sb_interval *out, double se, double df, double level)
{
	double half = se > 0.0 ? sb_stats_t_critical(df, level) * se : 0.0;

	if (!isfinite(half))
		return;
	out->lo = out->mid - half;
	out->hi = out->mid + half;
	out->se = se;
	out->df = df;
	out->coverage = level;
	out->has_interval = true;
}

double sb_runs_within_variance(const double *const *x, const int *n, int k)
{
	double sum = 0.0;
	int df = 0;

	for (int i = 0; i < k; i++) {
		if (n[i] < 2)
			continue;
		sum += sum_of_squares(x[i], n[i], sb_stats_mean(x[i], n[i]));
		df += n[i] - 1;
	}
	return df > 0 ? sum / df : NAN;
}

/* The difference without an interval. False: not even that, or too few for one. */
static bool set_difference(const double *a, int n_a, const double *b, int n_b, struct sb_interval *out)
{
	*out = (struct sb_interval){ .mid = sb_stats_mean(b, n_b) - sb_stats_mean(a, n_a),
		.lo = NAN,
		.hi = NAN,
		.coverage = NAN,
		.n = n_a < n_b ? n_a : n_b };
	if (!isfinite(out->mid))
		out->mid = NAN;
	return isfinite(out->mid) && out->n >= 2;
}

static double variance(const double *x, int n)
{
	return pow(sb_stats_sd(x, n), 2.0);
}

void sb_runs_compare(const double *a, int n_a, const double *b, int n_b, double within, double between,
        double between_df, double level, struct sb_interval *out)
{
	double var;

	if (!set_difference(a, n_a, b, n_b, out) || !(within >= 0.0) || !(between >= 0.0) || !(between_df > 0.0))
		return;
	var = fmax(within, variance(a, n_a)) / n_a + fmax(within, variance(b, n_b)) / n_b + 2.0 * between;
	set_student(out, sqrt(var), between_df, level);
}

void sb_samples_compare(const double *a, int n_a, const double *b, int n_b, double level, struct sb_interval *out)
{
	double var_a, var_b, spread;

	if (!set_difference(a, n_a, b, n_b, out))
		return;
	var_a = variance(a, n_a) / n_a;
	var_b = variance(b, n_b) / n_b;
	spread = var_a * var_a / (n_a - 1) + var_b * var_b / (n_b - 1);
	set_student(out, sqrt(var_a + var_b), spread > 0.0 ? pow(var_a + var_b, 2.0) / spread : n_a + n_b - 2, level);
}

void sb_runs_compare_means(
        double mean_a, double mean_b, double of_means, double df, double level, struct sb_interval *out)
{
	*out = (struct sb_interval){ .mid = mean_b - mean_a, .lo = NAN, .hi = NAN, .coverage = NAN, .n = 1 };
	if (!isfinite(out->mid)) {
		out->mid = NAN;
		out->n = 0;
		return;
	}
	if (!(of_means >= 0.0) || !(df > 0.0))
		return;

	set_student(out, sqrt(2.0 * of_means), df, level);
}

void sb_runs_test(const struct sb_interval *i, double shift, struct sb_runs_test *out)
{
	double away = i->mid - shift;

	*out = (struct sb_runs_test){ 1.0, 1.0 };
	if (!i->has_interval || !isfinite(away))
		return;
	if (!(i->se > 0.0)) {
		*out = (struct sb_runs_test){ away > 0.0 ? 0.0 : 1.0, away < 0.0 ? 0.0 : 1.0 };
		return;
	}
	out->p_greater = sb_stats_t_tail(away / i->se, i->df);
	out->p_less = sb_stats_t_tail(-away / i->se, i->df);
}

/* The means of those machines that have a run. Their number. */
static int machine_means(const double *const *x, const int *n, int k, double *mean, bool *repeated)
{
	int used = 0;

	*repeated = false;
	for (int i = 0; i < k; i++) {
		if (n[i] < 1)
			continue;
		if (used == SB_MACHINES_MAX)
			SB_BUG("more than %d machines", SB_MACHINES_MAX);
		mean[used++] = sb_stats_mean(x[i], n[i]);
		*repeated |= n[i] > 1;
	}
	return used;
}

void sb_machines_pool(const double *const *x, const int *n, int k, double level, struct sb_interval *out,
        double *between, bool *apart)
{
	double mean[SB_MACHINES_MAX] = { 0 }, df, half;
	int used = machine_means(x, n, k, mean, apart);

	*out = (struct sb_interval){
		.mid = sb_stats_mean(mean, used), .lo = NAN, .hi = NAN, .coverage = NAN, .n = used
	};
	*between = NAN;
	if (used < 2) {
		*apart = false;
		return;
	}
	*between = *apart ? sqrt(sb_runs_between_variance(x, n, k, &df)) : sb_stats_sd(mean, used);
	half = sb_stats_t_critical(used - 1, level) * sb_stats_sd(mean, used) / sqrt(used);
	if (!isfinite(half))
		return;
	out->lo = out->mid - half;
	out->hi = out->mid + half;
	out->coverage = level;
	out->has_interval = true;
}
