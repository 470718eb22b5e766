/* What each switch brings, averaged over the levels of the others: the section `effects` of compare. */
#include "effects.h"

#include <math.h>
#include <string.h>

/* ---- rows ------------------------------------------------------------------------------------------------------ */

static const struct sb_summary_lattice_row *find(
        const struct sb_summary_lattice_metric *m, enum sb_lattice_row_kind kind, int factor, int other, bool on)
{
	for (size_t i = 0; i < m->n_rows; i++) {
		const struct sb_summary_lattice_row *r = &m->rows[i];

		if (r->kind == kind && r->factor == factor && r->other == other && r->on == on)
			return r;
	}
	return NULL;
}

static double none_of(const struct sb_summary_lattice_metric *m)
{
	return m->compare == SB_COMPARE_RATIO ? 1.0 : 0.0;
}

/* Is it certain that there is an effect? Without an interval the estimate has to do. */
static bool is_there(const struct sb_summary_lattice_metric *m, const struct sb_effect *e)
{
	double none = none_of(m);

	if (e->estimate.absent || e->estimate.v == none)
		return false;
	return !e->has_interval || e->hi < none || e->lo > none;
}

/* A row for every level of another switch: where details were asked for, but not for every stage. */
static bool shows_levels(const struct sb_summary_lattice *l, const struct sb_summary_lattice_metric *m)
{
	return l->detailed && m->section != SB_SECTION_STAGES;
}

/* ---- sentences ------------------------------------------------------------------------------------------------- */

/* How an effect is put into words. */
enum words { NOTHING, FASTER, SLOWER, LESS_TIME, MORE_TIME, LESS, MORE };
static const char *const word_texts[] = {
	[NOTHING] = "no measurable difference",
	[FASTER] = " faster",
	[SLOWER] = " slower",
	[LESS_TIME] = " less time",
	[MORE_TIME] = " more time",
	[LESS] = " less",
	[MORE] = " more",
};

static enum words words_for(const struct sb_summary_lattice_metric *m, const struct sb_effect *e)
{
	double r = e->estimate.v;

	if (!is_there(m, e))
		return NOTHING;
	if (m->compare == SB_COMPARE_DIFFERENCE)
		return r < 0 ? LESS : MORE;
	if (r > 0.9 && r < 1.1)
		return r < 1 ? LESS_TIME : MORE_TIME;
	return r < 1 ? FASTER : SLOWER;
}

/* "2.45x faster", "0.26 % less time", "41.5 GiB less"; without the words where they were `said` just before. */
static enum words say_effect(
        struct sb_buf *b, const struct sb_summary_lattice_metric *m, const struct sb_effect *e, enum words said)
{
	enum words words = words_for(m, e);
	double r = e->estimate.v;
	char text[48];

	switch (words) {
	case NOTHING:
		break;
	case FASTER:
	case SLOWER:
		sb_report_number(r < 1 ? 1.0 / r : r, 3, false, text);
		sb_buf_addf(b, "%sx", text);
		break;
	case LESS_TIME:
	case MORE_TIME:
		sb_report_number(100.0 * fabs(r - 1.0), 2, false, text);
		sb_buf_addf(b, "%s %%", text);
		break;
	case LESS:
	case MORE:
		sb_report_value(sb_value_of(fabs(r)), sb_report_scale(m->unit, fabs(r), fabs(r)), 3, text);
		sb_buf_puts(b, text);
		break;
	}
	if (words == NOTHING || words != said)
		sb_buf_puts(b, word_texts[words]);
	return words;
}

static double size_of(const struct sb_summary_lattice_metric *m, const struct sb_effect *e)
{
	return fabs(m->compare == SB_COMPARE_RATIO ? log(e->estimate.v) : e->estimate.v);
}

int sb_effects_partner(const struct sb_summary_lattice *l, const struct sb_summary_lattice_metric *m, int factor)
{
	double largest = 0.05 * size_of(m, &find(m, SB_LATTICE_MAIN, factor, -1, false)->effect);
	int found = -1;

	for (int j = 0; j < l->n_factors; j++) {
		int low = j < factor ? j : factor, high = j < factor ? factor : j;
		const struct sb_summary_lattice_row *r = find(m, SB_LATTICE_PAIR, low, high, false);

		if (!r || !is_there(m, &r->effect) || size_of(m, &r->effect) <= largest)
			continue;
		largest = size_of(m, &r->effect);
		found = j;
	}
	return found;
}

static void say_share(
        struct sb_buf *b, const struct sb_summary_lattice_metric *m, const struct sb_summary_lattice_row *share)
{
	const struct sb_summary_lattice_row *all = find(m, SB_LATTICE_TOTAL, -1, -1, false);
	bool time = m->compare == SB_COMPARE_RATIO, less = all && all->effect.estimate.v < none_of(m);
	char estimate[48], interval[96];

	/* "0.02 % (-0.1..0.2)" says nothing. */
	if (!share || share->effect.estimate.absent ||
	        (share->effect.has_interval && share->effect.lo <= 0 && share->effect.hi >= 0))
		return;
	sb_report_effect(&share->effect, SB_UNIT_PERCENT, SB_COMPARE_PLAIN, false, estimate, interval);
	sb_buf_addf(b, "; %s of the %s %s", estimate, m->section == SB_SECTION_STAGES ? "stage's" : "total",
	        time && less ? "gain"
	        : time       ? "loss"
	        : less       ? "saving"
	                     : "growth");
	if (share->effect.has_interval && share->effect.lo != share->effect.hi)
		sb_buf_addf(b, " (%s)", interval);
}

bool sb_effects_sentence(
        struct sb_buf *b, const struct sb_summary_lattice *l, const struct sb_summary_lattice_metric *m, int factor)
{
	const struct sb_summary_lattice_row *main = find(m, SB_LATTICE_MAIN, factor, -1, false);
	enum words said = NOTHING;
	int partner;

	if (!main || main->effect.estimate.absent || m->emulated || m->unit == SB_UNIT_COUNT)
		return false; /* of cycles the table says it */
	partner = sb_effects_partner(l, m, factor);
	if (partner < 0 && m->section == SB_SECTION_STAGES && !is_there(m, &main->effect))
		return false; /* of many stages what matters */
	sb_buf_addf(b, "%s: ", l->factors[factor]);
	if (partner < 0 && say_effect(b, m, &main->effect, NOTHING) == NOTHING)
		return true;
	for (int on = 0; on < 2 && partner >= 0; on++) {
		const struct sb_summary_lattice_row *at = find(m, SB_LATTICE_AT, factor, partner, on);

		sb_buf_puts(b, on ? ", " : "");
		said = say_effect(b, m, &at->effect, said);
		sb_buf_addf(b, " with %s=%s", l->factors[partner], l->levels[partner][on]);
	}
	say_share(b, m, find(m, SB_LATTICE_SHARE, factor, -1, false));
	return true;
}

/* What the columns are: one paragraph, the same in text and Markdown. */
static void explain(struct sb_buf *b, const struct sb_summary_lattice *l)
{
	sb_buf_addf(b,
	        "Each switch on against off, averaged over all levels of the others (%d arms, %s to %s). A pair "
	        "(a x b): by what factor, or how many bytes, the effect of one changes when the other is on; 1 "
	        "or 0: they do not act on each other. Share: the part of the whole change that is this switch's, "
	        "averaged over all orders of switching on (Shapley); shares sum to 100 %%.",
	        l->n_arms, l->first, l->last);
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

enum { EFFECT = 10, INTERVAL = 15, SHARE = 9, SHARE_INTERVAL = 13, MARKS = 3, LABEL_MAX = 34 };

static void text_row(struct sb_page *p, const struct sb_summary_lattice_metric *m,
        const struct sb_summary_lattice_row *r, int indent, const char *label, int label_columns)
{
	const struct sb_summary_lattice_row *share =
	        r->kind == SB_LATTICE_MAIN ? find(m, SB_LATTICE_SHARE, r->factor, -1, false) : NULL;
	char estimate[48], interval[96];

	sb_report_effect(&r->effect, m->unit, m->compare, false, estimate, interval);
	sb_page_blanks(p, indent);
	sb_page_cell(p, label, label_columns - indent, false, SB_TINT_PLAIN);
	sb_page_number(p, estimate, EFFECT, SB_TINT_PLAIN);
	sb_page_number(p, interval, INTERVAL, SB_TINT_PLAIN);
	if (share)
		sb_report_effect(&share->effect, SB_UNIT_PERCENT, SB_COMPARE_PLAIN, false, estimate, interval);
	sb_page_number(p, share ? estimate : "", SHARE, SB_TINT_PLAIN);
	sb_page_number(p, share ? interval : "", SHARE_INTERVAL, SB_TINT_PLAIN);
	if (m->emulated)
		sb_buf_puts(&p->buf, "  e");
	sb_page_end(p);
}

/* How the effect of a switch depends on each of the others; only where all effects were asked for. */
static void text_levels(struct sb_page *p, const struct sb_summary_lattice *l,
        const struct sb_summary_lattice_metric *m, int factor, int label)
{
	for (size_t i = 0; i < m->n_rows; i++) {
		const struct sb_summary_lattice_row *r = &m->rows[i];
		char level[64];

		if (r->kind != SB_LATTICE_AT || r->factor != factor)
			continue;
		snprintf(level, sizeof(level), "%s=%s", l->factors[r->other], l->levels[r->other][r->on]);
		text_row(p, m, r, 6, level, label);
	}
}

static void text_metric(
        struct sb_page *p, const struct sb_summary_lattice *l, const struct sb_summary_lattice_metric *m, int label)
{
	char head[128];

	snprintf(head, sizeof(head), "%s, %d block%s", m->label, m->blocks, m->blocks == 1 ? "" : "s");
	sb_page_blanks(p, 2);
	sb_page_cell(p, head, label - 2, false, SB_TINT_PLAIN);
	sb_page_cell(p, m->compare == SB_COMPARE_RATIO ? "ratio" : "change", EFFECT, true, SB_TINT_PLAIN);
	sb_page_cell(p, "95 % interval", INTERVAL, true, SB_TINT_PLAIN);
	sb_page_cell(p, "share", SHARE, true, SB_TINT_PLAIN);
	sb_page_cell(p, "interval", SHARE_INTERVAL, true, SB_TINT_PLAIN);
	sb_page_end(p);
	for (size_t i = 0; i < m->n_rows; i++) {
		const struct sb_summary_lattice_row *r = &m->rows[i];

		if (r->kind == SB_LATTICE_SHARE || r->kind == SB_LATTICE_AT)
			continue;
		text_row(p, m, r, 4, r->label, label);
		if (r->kind == SB_LATTICE_MAIN && shows_levels(l, m))
			text_levels(p, l, m, r->factor, label);
	}
}

static void text_sentences(
        struct sb_page *p, const struct sb_summary_lattice *l, const struct sb_summary_lattice_metric *m)
{
	for (int i = 0; i < l->n_factors; i++) {
		struct sb_buf b = { 0 };

		if (sb_effects_sentence(&b, l, m, i)) {
			sb_page_blanks(p, 2);
			sb_page_paragraph(p, sb_buf_str(&b), 2, 4);
		}
		p->buf.failed |= b.failed;
		sb_buf_release(&b);
	}
}

/* "effects: precision x alloc, only with attention=efficient" */
static void add_title(struct sb_buf *b, const struct sb_summary_lattice *l)
{
	sb_buf_puts(b, "effects");
	if (!l->absent)
		sb_buf_addf(b, ": %s%s%s", l->title, *l->only ? ", only with " : "", l->only);
}

static bool text_lattice(struct sb_page *p, const struct sb_summary_lattice *l, bool first)
{
	int label = p->width - EFFECT - INTERVAL - SHARE - SHARE_INTERVAL - MARKS;
	struct sb_buf title = { 0 }, words = { 0 };
	bool emulated = false;

	add_title(&title, l);
	sb_page_end(p);
	sb_page_cell(p, sb_buf_str(&title), p->width, false, SB_TINT_BOLD);
	sb_page_end(p);
	if (first && !l->absent)
		explain(&words, l);
	if (first) {
		sb_page_blanks(p, 2);
		sb_page_paragraph(p, l->absent ? l->absent : sb_buf_str(&words), 2, 2);
	}
	for (size_t i = 0; i < l->n_notes; i++) {
		sb_buf_puts(&p->buf, "  ! ");
		sb_page_paragraph(p, l->notes[i], 4, 4);
	}
	for (size_t i = 0; i < l->n_metrics; i++) {
		text_metric(p, l, &l->metrics[i], label < LABEL_MAX ? label : LABEL_MAX);
		text_sentences(p, l, &l->metrics[i]);
		emulated |= l->metrics[i].emulated;
	}
	p->buf.failed |= title.failed || words.failed;
	sb_buf_release(&title);
	sb_buf_release(&words);
	return emulated;
}

bool sb_effects_text(struct sb_page *p, const struct sb_summary *s)
{
	bool emulated = false;

	for (size_t i = 0; i < s->n_lattices; i++)
		emulated |= text_lattice(p, &s->lattices[i], i == 0);
	return emulated;
}

/* ---- Markdown -------------------------------------------------------------------------------------------------- */

static void cell(struct sb_buf *b, const char *text)
{
	sb_buf_puts(b, *text ? " " : "");
	sb_markdown_text(b, text);
	sb_buf_puts(b, " |");
}

static void markdown_row(
        struct sb_buf *b, const struct sb_summary_lattice_metric *m, const struct sb_summary_lattice_row *r)
{
	const struct sb_summary_lattice_row *share =
	        r->kind == SB_LATTICE_MAIN ? find(m, SB_LATTICE_SHARE, r->factor, -1, false) : NULL;
	char estimate[48], interval[96], blocks[16];

	sb_report_effect(&r->effect, m->unit, m->compare, false, estimate, interval);
	snprintf(blocks, sizeof(blocks), "%d", r->effect.pairs);
	sb_buf_puts(b, "|");
	cell(b, r->label);
	cell(b, estimate);
	cell(b, interval);
	if (share)
		sb_report_effect(&share->effect, SB_UNIT_PERCENT, SB_COMPARE_PLAIN, false, estimate, interval);
	cell(b, share ? estimate : "");
	cell(b, share ? interval : "");
	cell(b, blocks);
	cell(b, m->emulated ? "emulated" : "");
	sb_buf_puts(b, "\n");
}

static void markdown_metric(
        struct sb_buf *b, const struct sb_summary_lattice *l, const struct sb_summary_lattice_metric *m)
{
	sb_buf_puts(b, "\n|");
	cell(b, m->label);
	cell(b, m->compare == SB_COMPARE_RATIO ? "ratio" : "change");
	sb_buf_puts(b, " 95 % interval | share | 95 % interval | blocks | |\n|:---|---:|---:|---:|---:|---:|:---|\n");
	for (size_t i = 0; i < m->n_rows; i++)
		if (m->rows[i].kind != SB_LATTICE_SHARE && (m->rows[i].kind != SB_LATTICE_AT || shows_levels(l, m)))
			markdown_row(b, m, &m->rows[i]);
	sb_buf_puts(b, "\n");
	for (int i = 0; i < l->n_factors; i++) {
		struct sb_buf text = { 0 };

		if (sb_effects_sentence(&text, l, m, i)) {
			sb_buf_puts(b, "- ");
			sb_markdown_text(b, sb_buf_str(&text));
			sb_buf_puts(b, "\n");
		}
		b->failed |= text.failed;
		sb_buf_release(&text);
	}
}

static void markdown_lattice(struct sb_buf *b, const struct sb_summary_lattice *l, bool first)
{
	struct sb_buf text = { 0 };

	add_title(&text, l);
	sb_buf_puts(b, "\n#### ");
	sb_markdown_text(b, sb_buf_str(&text));
	sb_buf_puts(b, "\n");
	b->failed |= text.failed;
	sb_buf_release(&text);
	if (first) {
		if (l->absent)
			sb_buf_puts(&text, l->absent);
		else
			explain(&text, l);
		sb_buf_puts(b, "\n");
		sb_markdown_text(b, sb_buf_str(&text));
		sb_buf_puts(b, "\n");
	}
	for (size_t i = 0; i < l->n_notes; i++) {
		sb_buf_puts(b, i ? "- **warning:** " : "\n- **warning:** ");
		sb_markdown_text(b, l->notes[i]);
		sb_buf_puts(b, "\n");
	}
	for (size_t i = 0; i < l->n_metrics; i++)
		markdown_metric(b, l, &l->metrics[i]);
	b->failed |= text.failed;
	sb_buf_release(&text);
}

void sb_effects_markdown(struct sb_buf *b, const struct sb_summary *s)
{
	for (size_t i = 0; i < s->n_lattices; i++)
		markdown_lattice(b, &s->lattices[i], i == 0);
}
