/* The advertised claims: a table, and a sentence for each. */
#include "report_internal.h"

#include <string.h>

static enum sb_tone tone_of(enum sb_verdict v)
{
	switch (v) {
	case SB_VERDICT_MET:
	case SB_VERDICT_EXCEEDED:
	case SB_VERDICT_MET_OR_EXCEEDED:
		return SB_TONE_GOOD;
	case SB_VERDICT_NOT_MET:
		return SB_TONE_BAD;
	case SB_VERDICT_INCONCLUSIVE:
		return SB_TONE_UNSURE;
	case SB_VERDICT_NOT_TESTED:
		break;
	}
	return SB_TONE_MUTED;
}

static struct sb_told told_of(const struct sb_summary_claim *c, char metric[64])
{
	bool ratio = c->unit == SB_UNIT_RATIO;

	snprintf(metric, 64, "claim.%s", c->id);
	return (struct sb_told){ .metric = metric,
		.arm = ratio ? c->before : c->after,
		.after = ratio ? c->after : NULL,
		.what = ratio ? "ratio" : "value",
		.unit = sb_unit_name(c->unit),
		.effect = &c->effect,
		.in = c->unit,
		.compare = ratio ? SB_COMPARE_RATIO : SB_COMPARE_PLAIN,
		.of = ratio ? "pair" : "trial" };
}

static void table_row(struct sb_report *r, const struct sb_summary_claim *c)
{
	bool tested = c->verdict != SB_VERDICT_NOT_TESTED;
	char metric[64];
	struct sb_told t = told_of(c, metric);

	sb_doc_row(r->d, SB_ROW_BODY);
	sb_doc_cell(r->d);
	sb_doc_text(r->d, c->label);
	sb_doc_cell(r->d);
	sb_doc_badge(r->d, tone_of(c->verdict), sb_verdict_name(c->verdict));
	sb_doc_cell(r->d);
	if (tested)
		sb_say_estimate(r, &t);
	sb_doc_cell(r->d);
	if (tested)
		sb_say_interval(r, &t);
	sb_doc_cell(r->d);
	if (tested)
		sb_say_count(r, &t);
	sb_doc_cell(r->d);
	sb_doc_text(r->d, c->expected);
	sb_doc_cell(r->d);
	sb_doc_text(r->d, c->stated);
	sb_doc_cell(r->d);
	if (!tested && c->reason)
		sb_doc_stored(r->d, c->reason);
	else if (c->behind)
		sb_doc_stored(r->d, c->behind);
}

static void table(struct sb_report *r)
{
	static const char *const heads[] = { "claim", "verdict", "measured", "95 % interval", "pairs", "expected",
		"stated", "", NULL };

	sb_doc_table(r->d, "claims-table", "llrrrlll");
	sb_doc_text(r->d,
	        "The claims, judged by their intervals. Expected and measured are after / before, or the value "
	        "itself where a limit is claimed.");
	sb_doc_heads(r->d, heads);
	for (size_t i = 0; i < r->s->n_claims; i++)
		table_row(r, &r->s->claims[i]);
}

/* What each verdict means here. */
static const char *meaning(enum sb_verdict v)
{
	switch (v) {
	case SB_VERDICT_MET:
		return "the whole interval lies inside what is claimed";
	case SB_VERDICT_EXCEEDED:
		return "the whole interval is better than what is claimed";
	case SB_VERDICT_MET_OR_EXCEEDED:
		return "the interval reaches beyond the better edge of what is claimed, and not beyond the worse";
	case SB_VERDICT_INCONCLUSIVE:
		return "the interval lies across the worse edge of what is claimed; more blocks may decide it";
	case SB_VERDICT_NOT_MET:
		return "the whole interval is worse than what is claimed";
	case SB_VERDICT_NOT_TESTED:
		break;
	}
	return "";
}

static void sentence(struct sb_report *r, const struct sb_summary_claim *c)
{
	char metric[64];
	struct sb_told t = told_of(c, metric);

	sb_doc_item(r->d);
	sb_doc_strong(r->d, c->label);
	sb_doc_textf(r->d, " (\xe2\x80\x9c%s\xe2\x80\x9d): ", c->stated);
	if (c->verdict == SB_VERDICT_NOT_TESTED) {
		sb_doc_text(r->d, "not tested, ");
		sb_doc_stored(r->d, c->reason ? c->reason : "no reason is known");
		sb_doc_text(r->d, ".");
		return;
	}
	sb_doc_textf(r->d, "%s. ", sb_verdict_name(c->verdict));
	if (c->unit == SB_UNIT_RATIO) {
		sb_doc_code_span(r->d, c->after);
		sb_doc_text(r->d, " against ");
		sb_doc_code_span(r->d, c->before);
	} else {
		sb_doc_text(r->d, "With ");
		sb_doc_code_span(r->d, c->after);
	}
	sb_doc_text(r->d, ": ");
	sb_say_effect(r, &t);
	sb_doc_textf(r->d, "; expected is %s: %s", c->expected, meaning(c->verdict));
	if (c->where) {
		sb_doc_text(r->d, ". This holds ");
		sb_doc_stored(r->d, c->where);
	}
	if (c->cautions) {
		struct sb_buf words = { 0 };

		sb_cautions_text(c->cautions, &words);
		sb_doc_textf(r->d, ". What it rests on is to be taken with care: %s", sb_buf_str(&words));
		sb_buf_release(&words);
	}
	sb_doc_text(r->d, ".");
}

void sb_report_claims(struct sb_report *r)
{
	sb_doc_heading(r->d, 2, "claims", "Which claims hold");
	if (!r->s->n_claims) {
		sb_doc_paragraph(r->d, SB_TONE_PLAIN);
		sb_doc_text(r->d, "None was judged.");
		return;
	}
	table(r);
	sb_report_plot(r, "claims");
	sb_doc_list(r->d, SB_TONE_PLAIN);
	for (size_t i = 0; i < r->s->n_claims; i++)
		sentence(r, &r->s->claims[i]);
	sb_doc_paragraph(r->d, SB_TONE_UNSURE);
	sb_doc_text(r->d, r->s->claims_note);
}
