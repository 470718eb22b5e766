#include "summary_internal.h"

#include <math.h>

#include "sb_stats.h"

static int present(const double *v, int n, double *out)
{
	int k = 0;

	for (int i = 0; i < n; i++)
		if (!isnan(v[i]))
			out[k++] = v[i];
	return k;
}

int sb_effect_median(const double *v, int n, double *work, double *out)
{
	int k = present(v, n, work);

	if (k)
		*out = sb_stats_median(work, k, work + n);
	return k;
}

bool sb_effect_exact(const double *v, int n)
{
	double first = 0;
	int k = 0;

	for (int i = 0; i < n; i++) {
		if (isnan(v[i]))
			continue;
		if (k++ == 0)
			first = v[i];
		else if (v[i] != first)
			return false;
	}
	return k >= 2;
}

static void certain(struct sb_effect *out, double value)
{
	out->estimate = sb_value_of(value);
	out->has_interval = out->pairs >= SB_STATS_MIN_PAIRS;
	out->lo = out->hi = value;
}

void sb_effect_ratio(
        const double *before, const double *after, int n, double level, double *work, struct sb_effect *out)
{
	int no_before = 0, no_after = 0;
	struct sb_ratio r;

	*out = (struct sb_effect){ 0 };
	for (int i = 0; i < n; i++) {
		if (isnan(before[i]) || isnan(after[i]))
			continue;
		out->pairs++;
		no_before += before[i] <= 0;
		no_after += after[i] <= 0;
	}
	if (no_before) { /* as driver calls of a warm allocator may be */
		out->estimate = sb_value_absent(no_before < out->pairs ? "before is 0 in some blocks" : "before is 0");
		return;
	}
	if (no_after && no_after < out->pairs) {
		out->estimate = sb_value_absent("after is 0 in some blocks");
		return;
	}
	if (no_after) {
		certain(out, 0.0);
		return;
	}
	sb_stats_ratio(work, sb_stats_log_ratios(before, after, n, work), level, work + n, &r);
	out->estimate = r.pairs ? sb_value_of(r.ratio) : sb_value_absent("no block has both");
	out->has_interval = r.has_interval;
	out->lo = r.lo;
	out->hi = r.hi;
	/* Equal quotients come back from exp(log()) a rounding off, and on the edge of a band that is a verdict. */
	if (r.has_interval && sb_effect_exact(before, n) && sb_effect_exact(after, n))
		for (int i = 0; i < n; i++)
			if (!isnan(before[i]) && !isnan(after[i]))
				certain(out, after[i] / before[i]);
}

static void from_interval(const struct sb_interval *in, struct sb_effect *out)
{
	*out = (struct sb_effect){
		.estimate = in->n ? sb_value_of(in->mid) : sb_value_absent("no block has both"),
		.lo = in->lo,
		.hi = in->hi,
		.has_interval = in->has_interval,
		.pairs = in->n,
	};
}

void sb_effect_difference(
        const double *before, const double *after, int n, double level, double *work, struct sb_effect *out)
{
	struct sb_interval in;
	int k = 0;

	for (int i = 0; i < n; i++)
		if (!isnan(before[i]) && !isnan(after[i]))
			work[k++] = after[i] - before[i];
	sb_stats_median_interval(work, k, level, work + n, &in);
	from_interval(&in, out);
}

void sb_effect_value(const double *v, int n, double level, double *work, struct sb_effect *out)
{
	struct sb_interval in;

	sb_stats_median_interval(work, present(v, n, work), level, work + n, &in);
	from_interval(&in, out);
}
