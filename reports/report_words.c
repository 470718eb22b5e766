/* Figures of a report as spans: what is shown, and behind it the number that was not rounded. */
#include "report_internal.h"

#include <math.h>
#include <string.h>

struct sb_told sb_told_row(const struct sb_summary_group *g, const struct sb_summary_row *row)
{
	return (struct sb_told){ .metric = row->metric,
		.arm = g->before,
		.after = g->after,
		.what = row->compare == SB_COMPARE_RATIO ? "ratio" : "difference",
		.unit = row->compare == SB_COMPARE_RATIO ? "ratio" : sb_unit_name(row->unit),
		.effect = &row->effect,
		.in = row->unit,
		.compare = row->compare,
		.exact = row->flags & SB_ROW_EXACT,
		.of = "pair" };
}

const struct sb_summary_row *sb_group_row(const struct sb_summary_group *g, const char *metric)
{
	for (size_t i = 0; i < g->n_rows; i++)
		if (!strcmp(g->rows[i].metric, metric))
			return &g->rows[i];
	return NULL;
}

const struct sb_summary_group *sb_group_of_factor(const struct sb_summary *s, const char *factor)
{
	for (size_t i = 0; i < s->n_groups; i++)
		if (s->groups[i].factor && !strcmp(s->groups[i].factor, factor))
			return &s->groups[i];
	return NULL;
}

int sb_effect_direction(const struct sb_effect *e, enum sb_compare compare)
{
	double none = compare == SB_COMPARE_RATIO ? 1.0 : 0.0;

	if (e->estimate.absent || !e->has_interval)
		return 0;
	return e->hi < none ? -1 : e->lo > none ? 1 : 0;
}

void sb_say_separator(struct sb_report *r, int n)
{
	if (n)
		sb_doc_text(r->d, ", ");
}

/* ---- effects ---------------------------------------------------------------------------------------------------- */

static void datum_number(struct sb_report *r, const struct sb_told *t, const char *end, double value, const char *shown)
{
	char what[256];

	snprintf(what, sizeof(what), "%.240s%s", t->what, end);
	sb_doc_number(r->d, shown,
	        &(struct sb_datum){ .metric = t->metric,
	                .arm = t->arm,
	                .after = t->after,
	                .what = what,
	                .unit = t->unit,
	                .value = value });
}

void sb_say_estimate(struct sb_report *r, const struct sb_told *t)
{
	char estimate[48], interval[96];

	sb_report_effect(t->effect, t->in, t->compare, t->exact, estimate, interval);
	if (t->effect->estimate.absent)
		sb_doc_text(r->d, estimate);
	else
		datum_number(r, t, "", t->effect->estimate.v, estimate);
}

/* The two ends are written as one text; each is a number of its own here. */
void sb_say_interval(struct sb_report *r, const struct sb_told *t)
{
	char estimate[48], interval[96], *dots;

	sb_report_effect(t->effect, t->in, t->compare, t->exact, estimate, interval);
	dots = strstr(interval, "..");
	if (!dots) {
		sb_doc_text(r->d, interval);
		return;
	}
	*dots = '\0';
	datum_number(r, t, ".lo", t->effect->lo, interval);
	sb_doc_text(r->d, "..");
	datum_number(r, t, ".hi", t->effect->hi, dots + 2);
}

void sb_say_count(struct sb_report *r, const struct sb_told *t)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", t->effect->pairs);
	sb_doc_number(r->d, text,
	        &(struct sb_datum){ .metric = t->metric,
	                .arm = t->arm,
	                .after = t->after,
	                .what = "pairs",
	                .value = t->effect->pairs });
}

static void say_count_of(struct sb_report *r, const struct sb_told *t)
{
	sb_say_count(r, t);
	sb_doc_textf(r->d, " %s%s", t->of, t->effect->pairs == 1 ? "" : "s");
}

void sb_say_effect(struct sb_report *r, const struct sb_told *t)
{
	if (t->effect->estimate.absent) {
		sb_doc_text(r->d, "no ratio (");
		sb_doc_stored(r->d, t->effect->estimate.absent);
		sb_doc_text(r->d, ")");
		return;
	}
	sb_doc_text(r->d, t->compare == SB_COMPARE_RATIO ? "ratio " : "");
	sb_say_estimate(r, t);
	sb_doc_text(r->d, " (");
	if (t->effect->has_interval || t->exact)
		sb_say_interval(r, t);
	else
		sb_doc_text(r->d, "no interval");
	sb_doc_text(r->d, ", ");
	say_count_of(r, t);
	sb_doc_text(r->d, ")");
}

/* 1 / ratio, or what the ratio is short of 1 (or above it), with the two ends in order. */
static struct sb_effect turned(const struct sb_effect *e, bool inverse, bool less)
{
	struct sb_effect t = *e;
	double v = e->estimate.v;

	t.estimate.v = inverse ? 1 / v : less ? 1 - v : v - 1;
	t.lo = inverse ? 1 / e->hi : less ? 1 - e->hi : e->lo - 1;
	t.hi = inverse ? 1 / e->lo : less ? 1 - e->lo : e->hi - 1;
	return t;
}

void sb_say_times(struct sb_report *r, const struct sb_told *t)
{
	const struct sb_effect *e = t->effect;
	bool less = e->estimate.v < 1, many = e->estimate.v >= 2, time = t->in == SB_UNIT_TIME,
	     inverse = time && e->estimate.v > 0 && e->estimate.v <= 0.9;
	const char *way = inverse ? "inverse" : less ? "less" : "more";
	struct sb_effect effect;
	struct sb_told told = *t;
	char what[224];

	if (e->estimate.absent || (!e->has_interval && !t->exact)) /* it may be noise */
		return;
	sb_doc_text(r->d, ", ");
	if (e->estimate.v == 1 || !sb_effect_direction(e, t->compare)) {
		sb_doc_text(r->d, "no measurable difference");
		return;
	}
	if (many) { /* the ratio says it */
		sb_doc_text(r->d, time ? "slower" : "more");
		return;
	}
	effect = turned(e, inverse, less);
	snprintf(what, sizeof(what), "%s%s%s", way, strcmp(t->what, "ratio") ? " of " : "",
	        strcmp(t->what, "ratio") ? t->what : "");
	told.effect = &effect;
	told.what = what;
	told.unit = inverse ? "ratio" : "fraction";
	told.in = inverse ? SB_UNIT_RATIO : SB_UNIT_PERCENT;
	told.compare = inverse ? SB_COMPARE_RATIO : SB_COMPARE_PLAIN;
	sb_say_estimate(r, &told);
	sb_doc_textf(r->d, "%s%s",
	        inverse ? " times as fast"
	        : less  ? " less"
	                : " more",
	        !inverse && time ? " time" : "");
	sb_doc_text(r->d, " (");
	sb_say_interval(r, &told);
	sb_doc_text(r->d, inverse || t->exact || e->lo == e->hi ? ")" : " %)");
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

static struct sb_scale scale_of(const struct sb_summary_row *row, struct sb_value left)
{
	return sb_report_scale(row->unit, left.absent ? 0 : fabs(left.v), row->after.absent ? 0 : fabs(row->after.v));
}

void sb_say_median(
        struct sb_report *r, const struct sb_summary_group *g, const struct sb_summary_row *row, bool after, int digits)
{
	bool ulp = row->compare == SB_COMPARE_PLAIN && !after && row->section == SB_SECTION_ACCURACY;
	struct sb_value left = row->compare == SB_COMPARE_PLAIN ? row->drift_one_ulp : row->before;
	struct sb_value v = after ? row->after : left;
	char text[48];

	if (!g->after && !after)
		v = left = row->before;
	sb_report_value(v, scale_of(row, left), digits, text);
	if (v.absent)
		sb_doc_text(r->d, text);
	else
		sb_doc_number(r->d, text,
		        &(struct sb_datum){ .metric = row->metric,
		                .arm = after ? g->after : g->before,
		                .what = ulp && g->after ? "ulp" : "median",
		                .unit = sb_unit_name(row->unit),
		                .value = v.v });
}

void sb_say_change(struct sb_report *r, const struct sb_summary_group *g, const struct sb_summary_row *row)
{
	sb_say_median(r, g, row, false, 4);
	if (!g->after)
		return;
	sb_doc_text(r->d, " \xe2\x86\x92 ");
	sb_say_median(r, g, row, true, 4);
}

void sb_say_number(struct sb_report *r, const char *metric, const char *what, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.0f", value);
	sb_doc_number(r->d, text, &(struct sb_datum){ .metric = metric, .what = what, .value = value });
}
