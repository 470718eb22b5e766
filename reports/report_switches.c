/* What each switch brings, alone and in all combinations, and the evidence that it was in effect. */
#include "effects.h"
#include "report_internal.h"

#include <string.h>

/* ---- in all combinations ------------------------------------------------------------------------------------------
 */

static struct sb_told told_of(const struct sb_summary_lattice *l, const struct sb_summary_lattice_metric *m,
        const struct sb_summary_lattice_row *row, char what[192])
{
	bool share = row->kind == SB_LATTICE_SHARE, ratio = m->compare == SB_COMPARE_RATIO;

	snprintf(what, 192, "%s:%.150s", sb_lattice_row_name(row->kind), row->label);
	return (struct sb_told){ .metric = m->metric,
		.arm = l->first,
		.after = l->last,
		.what = what,
		.unit = share   ? "fraction"
		        : ratio ? "ratio"
		                : sb_unit_name(m->unit),
		.effect = &row->effect,
		.in = share ? SB_UNIT_PERCENT : m->unit,
		.compare = share ? SB_COMPARE_PLAIN : m->compare,
		.of = "block" };
}

static const struct sb_summary_lattice_row *find(
        const struct sb_summary_lattice_metric *m, enum sb_lattice_row_kind kind, int factor, int other, bool on)
{
	for (size_t i = 0; i < m->n_rows; i++) {
		const struct sb_summary_lattice_row *row = &m->rows[i];

		if (row->kind == kind && row->factor == factor && row->other == other && row->on == on)
			return row;
	}
	return NULL;
}

static void effect_row(struct sb_report *r, const struct sb_summary_lattice *l,
        const struct sb_summary_lattice_metric *m, const struct sb_summary_lattice_row *row)
{
	const struct sb_summary_lattice_row *share =
	        row->kind == SB_LATTICE_MAIN ? find(m, SB_LATTICE_SHARE, row->factor, -1, false) : NULL;
	char what[192], share_what[192];
	struct sb_told t = told_of(l, m, row, what), s;

	sb_doc_row(r->d, SB_ROW_BODY);
	sb_doc_cell(r->d);
	sb_doc_stored(r->d, row->label);
	sb_doc_cell(r->d);
	sb_say_estimate(r, &t);
	sb_doc_cell(r->d);
	sb_say_interval(r, &t);
	if (share)
		s = told_of(l, m, share, share_what);
	sb_doc_cell(r->d);
	if (share)
		sb_say_estimate(r, &s);
	sb_doc_cell(r->d);
	if (share)
		sb_say_interval(r, &s);
	sb_doc_cell(r->d);
	sb_say_count(r, &t);
}

static void effects_table(struct sb_report *r, const struct sb_summary_lattice *l,
        const struct sb_summary_lattice_metric *m, const char *id)
{
	const char *heads[] = { "", m->compare == SB_COMPARE_RATIO ? "ratio" : "change", "95 % interval", "share",
		"interval, %", "blocks", NULL };

	if (m->unit != SB_UNIT_TIME && m->compare == SB_COMPARE_RATIO)
		heads[4] = "interval";
	sb_doc_table(r->d, id, "lrrrrr");
	sb_doc_stored(r->d, m->label);
	sb_doc_text(r->d, ": each switch on against off, averaged over all levels of the others");
	if (*l->only) {
		sb_doc_text(r->d, ", only with ");
		sb_doc_stored(r->d, l->only);
	}
	sb_doc_text(r->d, m->emulated ? ". Emulated." : ".");
	sb_doc_heads(r->d, heads);
	for (size_t i = 0; i < m->n_rows; i++)
		if (m->rows[i].kind != SB_LATTICE_SHARE && m->rows[i].kind != SB_LATTICE_AT)
			effect_row(r, l, m, &m->rows[i]);
	sb_doc_row(r->d, SB_ROW_SECTION);
	sb_doc_cell(r->d);
	sb_doc_text(r->d, "where another switch is at one level");
	for (size_t i = 0; i < m->n_rows; i++)
		if (m->rows[i].kind == SB_LATTICE_AT)
			effect_row(r, l, m, &m->rows[i]);
}

/* "precision: ratio 0.446 (..), 2.24 times as fast (..), on average over ..; 73.1 % (..) of the whole change." */
static void effect_sentence(
        struct sb_report *r, const struct sb_summary_lattice *l, const struct sb_summary_lattice_metric *m, int factor)
{
	const struct sb_summary_lattice_row *main = find(m, SB_LATTICE_MAIN, factor, -1, false),
	                                    *share = find(m, SB_LATTICE_SHARE, factor, -1, false);
	int partner = main && !main->effect.estimate.absent ? sb_effects_partner(l, m, factor) : -1;
	char what[192], level[128];
	struct sb_told t;

	if (!main || main->effect.estimate.absent)
		return;
	t = told_of(l, m, main, what);
	sb_doc_item(r->d);
	sb_doc_strong(r->d, l->factors[factor]);
	sb_doc_text(r->d, ", ");
	sb_doc_stored(r->d, m->label);
	sb_doc_text(r->d, ": ");
	sb_say_effect(r, &t);
	if (m->compare == SB_COMPARE_RATIO) {
		sb_say_times(r, &t);
	}
	for (int on = 0; on < 2 && partner >= 0; on++) {
		const struct sb_summary_lattice_row *at = find(m, SB_LATTICE_AT, factor, partner, on);

		if (!at)
			continue;
		t = told_of(l, m, at, what);
		sb_doc_text(r->d, on ? ", " : "; ");
		sb_say_effect(r, &t);
		snprintf(level, sizeof(level), "%.60s=%.60s", l->factors[partner], l->levels[partner][on]);
		sb_doc_text(r->d, " with ");
		sb_doc_code_span(r->d, level);
	}
	if (share && !share->effect.estimate.absent) {
		t = told_of(l, m, share, what);
		sb_doc_text(r->d, "; its share of the whole change is ");
		sb_say_effect(r, &t);
	}
	sb_doc_text(r->d, ".");
}

static void lattice(struct sb_report *r, const struct sb_summary_lattice *l, size_t number)
{
	char id[64];

	sb_doc_paragraph(r->d, SB_TONE_PLAIN);
	if (l->absent) {
		sb_doc_text(r->d, "Not in all combinations: ");
		sb_doc_stored(r->d, l->absent);
		return;
	}
	sb_doc_text(r->d, "In all combinations of ");
	sb_doc_stored(r->d, l->title);
	sb_doc_text(r->d, " (");
	sb_say_number(r, "lattice", "arms", l->n_arms);
	sb_doc_text(r->d,
	        " arms): each switch on against off, averaged over all levels of the others. A pair, a x b, is by "
	        "what factor, or by how many bytes, the effect of one changes when the other is on; 1, or 0: they "
	        "do not act on each other. A share is the switch's part of the whole change, averaged over all "
	        "orders of switching on (Shapley).");
	sb_doc_list(r->d, SB_TONE_PLAIN);
	for (size_t i = 0; i < l->n_metrics; i++)
		for (int f = 0; f < l->n_factors && !l->metrics[i].emulated; f++)
			effect_sentence(r, l, &l->metrics[i], f);
	for (size_t i = 0; i < l->n_notes; i++) {
		sb_doc_item(r->d);
		sb_doc_stored(r->d, l->notes[i]);
	}
	for (size_t i = 0; i < l->n_metrics; i++) {
		snprintf(id, sizeof(id), "effects-%zu-%zu", number, i);
		effects_table(r, l, &l->metrics[i], id);
	}
}

/* ---- one by one ---------------------------------------------------------------------------------------------------
 */

/* The rows that a switch acts on, and are certain: in one sentence each. */
static void group_sentences(struct sb_report *r, const struct sb_summary_group *g)
{
	sb_doc_list(r->d, SB_TONE_PLAIN);
	for (size_t i = 0; i < g->n_rows; i++) {
		const struct sb_summary_row *row = &g->rows[i];
		struct sb_told t = sb_told_row(g, row);

		if (!sb_row_is_shown(row) || row->compare == SB_COMPARE_PLAIN || row->effect.estimate.absent)
			continue;
		if (row->flags & SB_ROW_EMULATED && row->unit == SB_UNIT_TIME)
			continue;
		sb_doc_item(r->d);
		sb_doc_stored(r->d, row->label);
		sb_doc_text(r->d, ": ");
		sb_say_change(r, g, row);
		sb_doc_text(r->d, row->compare == SB_COMPARE_RATIO ? ", " : ", difference ");
		sb_say_effect(r, &t);
		if (row->compare == SB_COMPARE_RATIO) {
			sb_say_times(r, &t);
		}
		sb_doc_text(r->d, ".");
	}
}

static void group(struct sb_report *r, const struct sb_summary_group *g, size_t number)
{
	char id[64], table_id[64];

	snprintf(id, sizeof(id), "pair-%zu", number);
	snprintf(table_id, sizeof(table_id), "pair-%zu-table", number);
	sb_doc_heading(r->d, 3, id, "");
	sb_doc_stored(r->d, g->title);
	sb_doc_paragraph(r->d, SB_TONE_PLAIN);
	sb_doc_text(r->d, "Between the two: ");
	sb_doc_stored(r->d, *g->change ? g->change : "no level");
	sb_doc_text(
	        r->d, g->kind == SB_GROUP_BEST ? ". This is what a native kernel can add; no claim rests on it." : ".");
	for (size_t i = 0; i < g->n_notes; i++) {
		sb_doc_paragraph(r->d, SB_TONE_UNSURE);
		sb_doc_stored(r->d, g->notes[i]);
	}
	if (g->kind != SB_GROUP_ARM)
		group_sentences(r, g);
	sb_report_table(r, g, SB_SECTION_COUNT, table_id);
}

void sb_report_switches(struct sb_report *r)
{
	const struct sb_summary *s = r->s;

	if (s->n_groups < 2 && !s->n_lattices)
		return;
	sb_doc_heading(r->d, 2, "switches", "What each switch brings");
	sb_report_plot(r, "effects");
	for (size_t i = 0; i < s->n_lattices; i++)
		lattice(r, &s->lattices[i], i);
	for (size_t i = 1; i < s->n_groups; i++)
		group(r, &s->groups[i], i);
}

/* ---- in effect ----------------------------------------------------------------------------------------------------
 */

void sb_report_evidence(struct sb_report *r)
{
	static const char *const heads[] = { "switch", "in effect", "evidence", NULL };
	static const char *const words[] = {
		[SB_EFFECT_UNKNOWN] = "not checked", [SB_EFFECT_YES] = "yes", [SB_EFFECT_NO] = "no"
	};
	static const enum sb_tone tones[] = {
		[SB_EFFECT_UNKNOWN] = SB_TONE_UNSURE, [SB_EFFECT_YES] = SB_TONE_GOOD, [SB_EFFECT_NO] = SB_TONE_BAD
	};
	const struct sb_summary *s = r->s;

	sb_doc_heading(r->d, 2, "evidence", "Were the switches in effect");
	if (!s->n_switches) {
		sb_doc_paragraph(r->d, SB_TONE_PLAIN);
		sb_doc_text(r->d, "No arm of this run has a switch that another arm has not.");
		return;
	}
	sb_doc_table(r->d, "evidence-table", "lll");
	sb_doc_text(r->d,
	        "What the trials show of each switch: names of kernels, memory that was asked for, calls of the "
	        "driver.");
	sb_doc_heads(r->d, heads);
	for (size_t i = 0; i < s->n_switches; i++) {
		sb_doc_row(r->d, SB_ROW_BODY);
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, s->switches[i].factor);
		sb_doc_cell(r->d);
		sb_doc_badge(r->d, tones[s->switches[i].in_effect], words[s->switches[i].in_effect]);
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, s->switches[i].evidence);
	}
}
