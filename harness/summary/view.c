/* A run indexed by kind, arm and block, and the rows made from two of its arms. */
#include "summary_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Where a row's values come from: one stored metric, or the sum of several. */
struct source {
	int metric[2];
	int n;
};

static struct source source_of(const struct sb_view *v, const struct sb_metric_info *info, const char *name)
{
	struct source src = { .metric = { sb_samples_metric(v->samples, name) } };

	src.n = src.metric[0] >= 0;
	if (src.n)
		return src;
	for (int i = 0; i < 2 && info->sum[i]; i++) {
		int m = sb_samples_metric(v->samples, info->sum[i]);

		if (m >= 0)
			src.metric[src.n++] = m;
	}
	return src;
}

static int column(const struct sb_view *v, const struct source *src, int kind, int arm, double *out)
{
	int present = 0;

	for (int b = 0; b < v->n_blocks; b++) {
		int trial = v->trial[kind][arm * v->n_blocks + b];

		out[b] = trial < 0 || !src->n ? NAN : 0.0;
		for (int i = 0; i < src->n && trial >= 0; i++)
			out[b] += v->samples->value[(size_t)trial * v->samples->n_metrics + (size_t)src->metric[i]];
		present += !isnan(out[b]);
	}
	return present;
}

int sb_view_column(const struct sb_view *v, const struct sb_metric_info *info, const char *name, int arm, double *out)
{
	struct source src = source_of(v, info, name);

	return column(v, &src, SB_KIND_TIMING, arm, out);
}

static bool has_trials(const struct sb_view *v, int kind, int arm)
{
	for (int b = 0; b < v->n_blocks; b++)
		if (v->trial[kind][arm * v->n_blocks + b] >= 0)
			return true;
	return false;
}

static bool has_blocks(const struct sb_view *v, int kind)
{
	return v->out->blocks[kind] + v->out->broken_off[kind] > 0;
}

/* Why an arm has no value of a metric. */
static const char *why_none(const struct sb_view *v, const struct source *src, int kind, int arm)
{
	const struct sb_summary_arm *a = &v->out->arms[arm];

	if (!has_trials(v, kind, arm)) {
		for (int o = SB_OUTCOME_OK + 1; o < SB_OUTCOME_COUNT; o++)
			if (a->n_trials[SB_KIND_TIMING][o] + a->n_trials[kind][o])
				return sb_pool_fmt(v->pool, "%s: %s", a->name, sb_outcome_title((enum sb_outcome)o));
		if (a->n_trials[kind][SB_OUTCOME_OK])
			return "every trace is incomplete";
		if (kind == SB_KIND_TRACE)
			return has_blocks(v, SB_KIND_TRACE) ? sb_pool_fmt(v->pool, "%s: no trace trials", a->name)
			                                    : "no trace trials";
		return sb_pool_fmt(v->pool, "%s: no trials", a->name);
	}
	for (int b = 0; b < v->n_blocks; b++) {
		int trial = v->trial[kind][arm * v->n_blocks + b];

		for (int i = 0; i < src->n && trial >= 0; i++) {
			const char *why =
			        v->samples->absent[(size_t)trial * v->samples->n_metrics + (size_t)src->metric[i]];

			if (why)
				return sb_pool_str(v->pool, why);
		}
	}
	return "not recorded";
}

static struct sb_value median_or_reason(
        struct sb_view *v, const struct source *src, int kind, int arm, const double *values)
{
	double median;

	if (sb_effect_median(values, v->n_blocks, v->work, &median))
		return sb_value_of(median);
	return sb_value_absent(why_none(v, src, kind, arm));
}

double sb_view_level(const struct sb_view *v, const struct sb_summary_row *row)
{
	return v->level[row->flags & SB_ROW_TRACED ? SB_KIND_TRACE : SB_KIND_TIMING];
}

static void set_effect(struct sb_view *v, struct sb_summary_row *row)
{
	double level = sb_view_level(v, row);

	if (row->compare == SB_COMPARE_RATIO)
		sb_effect_ratio(v->col[0], v->col[1], v->n_blocks, level, v->work, &row->effect);
	if (row->compare == SB_COMPARE_DIFFERENCE)
		sb_effect_difference(v->col[0], v->col[1], v->n_blocks, level, v->work, &row->effect);
	/* One arm without a value says more than "no block has both". */
	if (row->effect.pairs == 0 && row->compare != SB_COMPARE_PLAIN && (row->before.absent || row->after.absent))
		row->effect.estimate = row->before.absent ? row->before : row->after;
}

/* What the samples of a ratio of times, in v->col, give cause to say. */
static void set_cautions(struct sb_view *v, struct sb_summary_row *row, int kind, const int arms[2])
{
	const struct source mhz = { { sb_samples_metric(v->samples, "sm_mhz") }, 1 };
	const struct source held = { { sb_samples_metric(v->samples, "device.throttled") }, 1 };
	struct sb_caution_samples s = {
		.n = v->n_blocks, .level = v->level[kind], .only_clock = row->section != SB_SECTION_TOTAL && !v->judging
	};
	struct sb_buf text = { 0 };

	if (row->unit != SB_UNIT_TIME || row->compare != SB_COMPARE_RATIO || row->effect.estimate.absent)
		return;
	for (int i = 0; i < 2; i++) {
		s.time[i] = v->col[i];
		if (mhz.metric[0] >= 0 && column(v, &mhz, kind, arms[i], v->mhz[i]))
			s.mhz[i] = v->mhz[i];
		if (held.metric[0] >= 0 && column(v, &held, kind, arms[i], v->held[i]))
			s.held[i] = v->held[i];
	}
	row->cautions = sb_cautions_of(&s);
	/* One of a hundred good samples looks drifting, and one of two modes: of many stages that is some. */
	sb_cautions_text(row->section == SB_SECTION_TOTAL ? row->cautions : row->cautions & SB_CAUTION_CLOCK, &text);
	if (row->cautions & SB_CAUTION_CLOCK)
		sb_buf_puts(&text, " (the time changed, SM cycles did not)");
	row->note = text.len ? sb_pool_take(v->pool, &text) : NULL;
}

/* "quality.X" of the reference with its input moved by one unit in the last place is the fact "ulp.X". */
static struct sb_value drift_of_one_ulp(const struct sb_run *run, const char *metric)
{
	char key[128];
	const char *text, *dot = strchr(metric, '.');
	double x;

	snprintf(key, sizeof(key), "ulp.%s", dot ? dot + 1 : metric);
	text = sb_run_fact(run, key);
	if (!text || sb_parse_double(text, key, -HUGE_VAL, HUGE_VAL, &x, NULL))
		return sb_value_absent("not recorded");
	return sb_value_of(x);
}

void sb_view_row(struct sb_view *v, const struct sb_metric_info *info, const char *name, int before, int after,
        struct sb_summary_row *row)
{
	struct source src = source_of(v, info, name);
	int kind = info->trace ? SB_KIND_TRACE : SB_KIND_TIMING;
	int arms[2] = { before, after }, n[2] = { 0, 0 };
	char label[128];

	/* A metric that timing trials never have, but trace trials do, comes from those. */
	for (int pass = 0; pass < 2 && n[0] + n[1] == 0; pass++) {
		if (pass && (kind == SB_KIND_TRACE || !has_blocks(v, SB_KIND_TRACE)))
			break;
		for (int i = 0; i < 2; i++)
			n[i] = arms[i] < 0 ? 0 : column(v, &src, pass ? SB_KIND_TRACE : kind, arms[i], v->col[i]);
		if (pass && n[0] + n[1])
			kind = SB_KIND_TRACE;
	}
	sb_metric_label(info, name, label, sizeof(label));
	*row = (struct sb_summary_row){
		.metric = sb_pool_str(v->pool, name),
		.label = sb_pool_str(v->pool, label),
		.unit = info->unit,
		.section = info->section,
		.compare = info->compare,
		.before = median_or_reason(v, &src, kind, before, v->col[0]),
		.after = sb_value_absent("one arm only"),
		.drift_one_ulp = info->compare == SB_COMPARE_PLAIN ? drift_of_one_ulp(v->run, name)
		                                                   : sb_value_absent("not an accuracy"),
		.effect.estimate = sb_value_absent(after < 0 ? "one arm only" : "not compared"),
		.flags = kind == SB_KIND_TRACE && n[0] + n[1] ? SB_ROW_TRACED : 0,
	};
	if (after >= 0) {
		row->after = median_or_reason(v, &src, kind, after, v->col[1]);
		set_effect(v, row);
		set_cautions(v, row, kind, arms);
	}
	if (n[0] + n[1] == 0)
		row->flags |= SB_ROW_UNMEASURED;
	if (sb_effect_exact(v->col[0], v->n_blocks) && after >= 0 && sb_effect_exact(v->col[1], v->n_blocks))
		row->flags |= SB_ROW_EXACT;
	if (v->out->arms[before].emulated || (after >= 0 && v->out->arms[after].emulated))
		row->flags |= SB_ROW_EMULATED;
}

const char *sb_view_metric(const struct sb_view *v, const char *pattern, const struct sb_metric_info **info)
{
	for (size_t m = 0; m < v->samples->n_metrics; m++) {
		if (sb_metric_match(pattern, v->samples->metrics[m])) {
			*info = &sb_metric_table[v->info[m]];
			return v->samples->metrics[m];
		}
	}
	for (int i = 0; i < sb_metric_table_len; i++) {
		const struct sb_metric_info *row = &sb_metric_table[i];

		if (row->sum[0] && !strcmp(row->pattern, pattern)) {
			*info = row;
			return row->pattern;
		}
	}
	return NULL;
}

bool sb_view_emulated_differs(const struct sb_view *v, int a, int b)
{
	for (int p = 0; p < SB_PART_COUNT; p++)
		if (v->emulated[p] && v->levels[a].part[p] != v->levels[b].part[p])
			return true;
	return false;
}
