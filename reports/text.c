#include "sb_reports.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "effects.h"

/*
 * Columns. A row is indent + label, two values, effect, interval, pairs, marks: 34 + 12 + 12 + 9 + 18 + 6 + 7 = 98. The
 * label gives way when the width is smaller. Each right-aligned column holds at least two blanks.
 */
enum {
	MAX_WIDTH = 100,
	MIN_WIDTH = 80,
	LABEL_MAX = 34,
	VALUE = 12,
	EFFECT = 9,
	INTERVAL = 18,
	PAIRS = 6,
	MARKS = 7,
	HEAD_KEY = 11, /* "  precision" and the like in the first lines */
	FOOTNOTES_MAX = 9,
};

/* A bit beside those of enum sb_row_flags. */
#define DRIFT_SHOWN (1u << 31)

struct table {
	struct sb_page page;
	int label;      /* columns */
	unsigned flags; /* of all rows printed, and DRIFT_SHOWN: what the legend has to explain */
	const struct sb_summary *summary;
	char (*heads)[SB_ARM_HEAD_MAX]; /* of the summary's arms */
};

/* ---- the first lines ------------------------------------------------------------------------------------------- */

static void head(struct sb_page *p, const char *key, const char *text)
{
	sb_page_item(p, key, HEAD_KEY - 1, text);
}

/* Takes the text. */
static void head_from(struct sb_page *p, const char *key, struct sb_buf *text)
{
	head(p, key, sb_buf_str(text));
	p->buf.failed |= text->failed;
	sb_buf_release(text);
}

static void add_list(struct sb_buf *b, const char *separator, const char *text)
{
	if (text && *text)
		sb_buf_addf(b, "%s%s", b->len ? separator : "", text);
}

static void head_case(struct sb_page *p, const struct sb_summary *s)
{
	struct sb_buf b = { 0 };

	add_list(&b, ", ", s->workload);
	if (s->preset && *s->preset)
		sb_buf_addf(&b, ", preset %s", s->preset);
	if (s->frames)
		sb_buf_addf(&b, ", T=%d", s->frames);
	if (s->width && s->height)
		sb_buf_addf(&b, ", %dx%d", s->width, s->height);
	if (s->clip)
		sb_buf_addf(&b, ", clip %s", s->clip);
	if (s->clip_note)
		sb_buf_addf(&b, " (%s)", s->clip_note);
	if (s->weights_kind)
		sb_buf_addf(&b, ", %s weights", s->weights_kind);
	head_from(p, "case", &b);
	head(p, "frames", s->frames_note);
	head(p, "points", s->points);
	head(p, "inputs", s->inputs_note);
}

static void head_device(struct sb_page *p, const struct sb_summary *s)
{
	struct sb_buf b = { 0 };

	add_list(&b, "", s->device ? s->device : "not recorded");
	if (s->cpu && (!s->device || strcmp(s->cpu, s->device)))
		add_list(&b, ", ", s->cpu);
	add_list(&b, ", ", s->setting);
	if (s->host)
		sb_buf_addf(&b, " (host %s)", s->host);
	head_from(p, "device", &b);
	head(p, "alloc-conf", s->alloc_note);
}

/* All of them, with the number that stands above a column where the name has no room there. */
static void head_arms(struct table *t)
{
	const struct sb_summary *s = t->summary;
	struct sb_buf b = { 0 };

	for (size_t a = 0; a < s->n_arms; a++) {
		add_list(&b, ", ", s->arms[a].name);
		if (sb_report_arm_is_numbered(s->arms[a].name, t->heads[a]))
			sb_buf_addf(&b, " (%s)", t->heads[a]);
	}
	head_from(&t->page, "arms", &b);
}

static void head_blocks(struct sb_page *p, const struct sb_summary *s)
{
	struct sb_buf b = { 0 };

	sb_report_blocks(&b, s);
	if (s->blocks_planned)
		sb_buf_addf(&b, " (asked for: %s timing)", s->blocks_planned);
	if (s->budget_s)
		sb_buf_addf(&b, ", budget %s s", s->budget_s);
	if (s->stop_reason)
		sb_buf_addf(&b, "; stopped: %s", s->stop_reason);
	head_from(p, "blocks", &b);
	for (int o = 0; o < SB_OUTCOME_COUNT; o++)
		if (s->n_trials[o] || o == SB_OUTCOME_OK)
			sb_buf_addf(
			        &b, "%s%d %s", b.len ? ", " : "", s->n_trials[o], sb_outcome_title((enum sb_outcome)o));
	head_from(p, "trials", &b);
}

static void head_lines(struct table *t)
{
	const struct sb_summary *s = t->summary;
	struct sb_page *p = &t->page;
	char text[256], when[32];

	sb_time_iso(s->created_ns, when);
	snprintf(text, sizeof(text), "run %.12s, %s, %s", s->run_id, when, s->status);
	sb_page_cell(p, text, p->width, false, SB_TINT_BOLD);
	sb_page_end(p);
	head_case(p, s);
	head_device(p, s);
	head_blocks(p, s);
	head_arms(t);
	for (size_t i = 0; i < s->n_switches; i++)
		head(p, s->switches[i].factor, s->switches[i].evidence);
	head(p, "tracer", s->trace_to_timing);
	head(p, "note", s->note);
	for (size_t i = 0; i < s->n_notes; i++)
		head(p, "!", s->notes[i]);
	sb_page_end(p);
	sb_page_paragraph(
	        p, "ratio = after / before; below 1 is faster / smaller. Values are medians; pairs are blocks.", 0, 0);
}

/* ---- groups ---------------------------------------------------------------------------------------------------- */

struct footnotes {
	const char *text[FOOTNOTES_MAX];
	int n;
};

/* Number of a note, the same for the same words; 0 when there is no more room. */
static int footnote(struct footnotes *f, const char *text)
{
	for (int i = 0; i < f->n; i++)
		if (!strcmp(f->text[i], text))
			return i + 1;
	if (f->n == FOOTNOTES_MAX)
		return 0;
	f->text[f->n++] = text;
	return f->n;
}

/* Total stands there in any case. */
static bool is_left_out(const struct sb_summary_row *row)
{
	return row->flags & SB_ROW_UNMEASURED && row->section != SB_SECTION_TOTAL && row->section != SB_SECTION_OTHER;
}

/* Rows without a number in either column are named in one line for each reason. */
static void print_unmeasured(struct table *t, const struct sb_summary_group *g)
{
	struct sb_page *p = &t->page;
	struct footnotes reasons = { .n = 0 };

	for (size_t i = 0; i < g->n_rows; i++)
		if (is_left_out(&g->rows[i]))
			footnote(&reasons, sb_row_remark(&g->rows[i], g));
	for (int r = 0; r < reasons.n; r++) {
		struct sb_buf b = { 0 };

		for (size_t i = 0; i < g->n_rows; i++)
			if (is_left_out(&g->rows[i]) && !strcmp(sb_row_remark(&g->rows[i], g), reasons.text[r]))
				sb_buf_addf(&b, "%s%s", b.len ? ", " : "not measured: ", g->rows[i].label);
		sb_buf_addf(&b, " (%s)", reasons.text[r]);
		sb_page_blanks(p, 2);
		sb_page_paragraph(p, sb_buf_str(&b), 2, 4);
		p->buf.failed |= b.failed;
		sb_buf_release(&b);
	}
}

/* Green and red are for what is certain; an emulated time proves nothing either way. */
static enum sb_tint row_tint(const struct sb_summary_row *row)
{
	double none = row->compare == SB_COMPARE_RATIO ? 1.0 : 0.0;

	if (!row->effect.has_interval || row->effect.estimate.absent || row->compare == SB_COMPARE_PLAIN)
		return SB_TINT_PLAIN;
	if (row->flags & SB_ROW_EMULATED && row->unit == SB_UNIT_TIME)
		return SB_TINT_PLAIN;
	if (row->effect.lo == none && row->effect.hi == none)
		return SB_TINT_PLAIN; /* exactly the same: nothing to look at */
	return row->effect.hi < none ? SB_TINT_GREEN : row->effect.lo > none ? SB_TINT_RED : SB_TINT_YELLOW;
}

static void print_value(struct sb_page *p, struct sb_value v, struct sb_scale scale, int digits)
{
	char text[48];

	sb_report_value(v, scale, digits, text);
	sb_page_number(p, text, VALUE, SB_TINT_PLAIN);
}

static void print_row(struct table *t, const struct sb_summary_group *g, const struct sb_summary_row *row, int indent,
        struct footnotes *notes)
{
	struct sb_page *p = &t->page;
	bool plain = row->compare == SB_COMPARE_PLAIN;
	struct sb_value left = plain ? row->drift_one_ulp : row->before;
	double a = left.absent ? 0 : fabs(left.v), b = row->after.absent ? 0 : fabs(row->after.v);
	struct sb_scale scale = sb_report_scale(row->unit, a, b);
	char estimate[48], interval[96], pairs[16], marks[32];
	const char *why = sb_row_remark(row, g);
	int n = why ? footnote(notes, why) : 0;

	sb_page_blanks(p, indent);
	sb_page_cell(p, row->label, t->label - indent, false, SB_TINT_PLAIN);
	print_value(p, left, scale, plain ? 3 : 4);
	if (g->after) {
		print_value(p, row->after, scale, plain ? 3 : 4);
		sb_report_effect(&row->effect, row->unit, row->compare, row->flags & SB_ROW_EXACT, estimate, interval);
		if (plain)
			estimate[0] = interval[0] = '\0';
		snprintf(pairs, sizeof(pairs), "%d", row->effect.pairs);
		sb_page_number(p, estimate, EFFECT, row_tint(row));
		sb_page_number(p, interval, INTERVAL, row_tint(row));
		sb_page_number(p, plain ? "" : pairs, PAIRS, SB_TINT_PLAIN);
	}
	snprintf(marks, sizeof(marks), "  %s%s", row->flags & SB_ROW_EMULATED ? "e" : "",
	        row->flags & SB_ROW_TRACED ? "t" : "");
	if (n)
		snprintf(marks + strlen(marks), sizeof(marks) - strlen(marks), "[%d]", n);
	sb_page_cell(p, marks, MARKS, false, SB_TINT_PLAIN);
	sb_page_end(p);
	t->flags |= row->flags | (plain && !left.absent ? DRIFT_SHOWN : 0);
}

/* Of an arm of a group; its name where it is none of the summary's. */
static const char *head_of(const struct table *t, const char *name)
{
	for (size_t a = 0; a < t->summary->n_arms; a++)
		if (!strcmp(t->summary->arms[a].name, name))
			return t->heads[a];
	return name;
}

/* The line above a section; for accuracy it also says what the two values are. */
static void print_section(struct table *t, const struct sb_summary_group *g, enum sb_section section)
{
	struct sb_page *p = &t->page;
	char name[256];

	sb_page_blanks(p, 2);
	if (section != SB_SECTION_ACCURACY) {
		sb_buf_puts(&p->buf, sb_section_title(section));
		sb_page_end(p);
		return;
	}
	sb_page_cell(p, sb_summary_section_title(t->summary, section), t->label - 2, false, SB_TINT_PLAIN);
	sb_page_cell(p, "by 1 ulp", VALUE, true, SB_TINT_PLAIN);
	if (g->after) {
		char by[264];

		sb_escape(head_of(t, g->after), name, sizeof(name));
		snprintf(by, sizeof(by), "%s%s", sb_display_width(name) <= VALUE - 5 ? "by " : "", name);
		sb_page_blanks(p, 1);
		sb_page_cell(p, by, VALUE - 1, true, SB_TINT_PLAIN);
	}
	sb_page_end(p);
}

static void print_column_names(struct table *t, const struct sb_summary_group *g)
{
	struct sb_page *p = &t->page;

	sb_page_blanks(p, t->label + 1);
	sb_page_cell(p, head_of(t, g->before), VALUE - 1, true, SB_TINT_PLAIN);
	if (g->after) {
		sb_page_blanks(p, 1);
		sb_page_cell(p, head_of(t, g->after), VALUE - 1, true, SB_TINT_PLAIN);
		sb_page_cell(p, "ratio", EFFECT, true, SB_TINT_PLAIN);
		sb_page_cell(p, "95 % interval", INTERVAL, true, SB_TINT_PLAIN);
		sb_page_cell(p, "pairs", PAIRS, true, SB_TINT_PLAIN);
	}
	sb_page_end(p);
}

static void print_group(struct table *t, const struct sb_summary_group *g)
{
	struct sb_page *p = &t->page;
	struct footnotes notes = { .n = 0 };
	enum sb_section section = SB_SECTION_TOTAL;
	size_t others = 0;
	int indent = 2; /* of rows; 4 below the name of a section */

	sb_page_end(p);
	sb_page_cell(p, g->title, p->width, false, SB_TINT_BOLD);
	sb_page_end(p);
	if (*g->change) {
		sb_page_blanks(p, 2);
		sb_page_paragraph(p, g->change, 2, 2);
	}
	if (g->kind == SB_GROUP_BEST) {
		sb_page_blanks(p, 2);
		sb_page_paragraph(p, "what a native kernel can add; no claim rests on it", 2, 2);
	}
	for (size_t i = 0; i < g->n_notes; i++) {
		sb_buf_puts(&p->buf, "  ! ");
		sb_page_paragraph(p, g->notes[i], 4, 4);
	}
	print_column_names(t, g);
	for (size_t i = 0; i < g->n_rows; i++) {
		const struct sb_summary_row *row = &g->rows[i];

		if (row->section == SB_SECTION_OTHER) {
			others += !(row->flags & SB_ROW_UNMEASURED);
			continue;
		}
		if (is_left_out(row))
			continue;
		if (row->section != section && (g->kind == SB_GROUP_MAIN || row->section == SB_SECTION_ACCURACY)) {
			print_section(t, g, row->section);
			indent = 4;
		}
		section = row->section;
		print_row(t, g, row, indent, &notes);
	}
	for (int i = 0; i < notes.n; i++) {
		sb_buf_addf(&p->buf, "  [%d] ", i + 1);
		sb_page_paragraph(p, notes.text[i], 6, 6);
	}
	print_unmeasured(t, g);
	if (others) {
		sb_buf_addf(&p->buf, "  and %zu more metric%s: --format json", others, others == 1 ? "" : "s");
		sb_page_end(p);
	}
}

static void print_legend(struct table *t)
{
	struct sb_page *p = &t->page;
	char drift[256];
	const struct {
		unsigned flag;
		const char *mark, *text;
	} legend[] = {
		{ SB_ROW_EMULATED, "e",
		        "emulated: one of the arms has a level that this device only imitates; its times "
		        "say nothing about a device that has it" },
		{ SB_ROW_TRACED, "t", "from trace trials" },
		{ SB_ROW_EXACT, "exact", "the same in every trial of either arm" },
		{ DRIFT_SHOWN, "1 ulp", drift },
	};
	bool any = false;

	snprintf(drift, sizeof(drift), "for scale: drift of %s when its input changes by one unit in the last place",
	        t->summary->reference ? t->summary->reference : "the reference");
	for (size_t i = 0; i < SB_ARRAY_LEN(legend); i++) {
		if (!(t->flags & legend[i].flag))
			continue;
		if (!any)
			sb_page_end(p);
		any = true;
		sb_page_blanks(p, 2);
		sb_page_cell(p, legend[i].mark, 7, false, SB_TINT_PLAIN);
		sb_page_paragraph(p, legend[i].text, 9, 9);
	}
}

/* ---- claims ---------------------------------------------------------------------------------------------------- */

/* 2 + 18 + 17 + 15 + 8 + 17 + 6 + 2 + 15 = 100; below that the claim's own words go. */
enum { CLAIM = 18, STATED = 17, EXPECTED = 15, MEASURED = 8, CLAIM_INTERVAL = 17, VERDICT = 15 };

static enum sb_tint verdict_tint(enum sb_verdict verdict)
{
	switch (verdict) {
	case SB_VERDICT_MET:
	case SB_VERDICT_EXCEEDED:
	case SB_VERDICT_MET_OR_EXCEEDED:
		return SB_TINT_GREEN;
	case SB_VERDICT_NOT_MET:
		return SB_TINT_RED;
	case SB_VERDICT_INCONCLUSIVE:
		return SB_TINT_YELLOW;
	case SB_VERDICT_NOT_TESTED:
		break;
	}
	return SB_TINT_PLAIN;
}

static void print_claim(struct sb_page *p, const struct sb_summary_claim *c, bool stated)
{
	int at = 2 + CLAIM + (stated ? STATED : 0) + EXPECTED + 3;
	char estimate[48], interval[96], text[512];

	sb_page_blanks(p, 2);
	sb_page_cell(p, c->label, CLAIM, false, SB_TINT_PLAIN);
	if (stated)
		sb_page_cell(p, c->stated, STATED, false, SB_TINT_PLAIN);
	sb_page_cell(p, c->expected, EXPECTED, false, SB_TINT_PLAIN);
	if (c->verdict == SB_VERDICT_NOT_TESTED) {
		snprintf(text, sizeof(text), "not tested: %s", c->reason);
		sb_page_blanks(p, 3);
		sb_page_paragraph(p, text, at, at + 2);
		return;
	}
	sb_report_effect(&c->effect, c->unit, c->unit == SB_UNIT_RATIO ? SB_COMPARE_RATIO : SB_COMPARE_PLAIN, false,
	        estimate, interval);
	sb_page_number(p, estimate, MEASURED, SB_TINT_PLAIN);
	sb_page_number(p, interval, CLAIM_INTERVAL, SB_TINT_PLAIN);
	snprintf(text, sizeof(text), "%d", c->effect.pairs);
	sb_page_number(p, text, PAIRS, SB_TINT_PLAIN);
	sb_page_blanks(p, 2);
	sb_page_cell(p, sb_verdict_name(c->verdict), VERDICT, false, verdict_tint(c->verdict));
	sb_page_end(p);
	if (c->behind) { /* below: no verdict leaves room beside it */
		sb_page_blanks(p, at + MEASURED + CLAIM_INTERVAL + PAIRS - 1);
		sb_buf_addf(&p->buf, "(%s)", c->behind);
		sb_page_end(p);
	}
}

static void print_claims(struct sb_page *p, const struct sb_summary *s)
{
	bool stated = p->width >= MAX_WIDTH;

	if (!s->n_claims)
		return;
	sb_page_end(p);
	sb_page_cell(p, "claims", p->width, false, SB_TINT_BOLD);
	sb_page_end(p);
	sb_page_blanks(p, 2 + CLAIM);
	if (stated)
		sb_page_cell(p, "stated", STATED, false, SB_TINT_PLAIN);
	sb_page_cell(p, "expected", EXPECTED, false, SB_TINT_PLAIN);
	sb_page_cell(p, "measured", MEASURED, true, SB_TINT_PLAIN);
	sb_page_cell(p, "95 % interval", CLAIM_INTERVAL, true, SB_TINT_PLAIN);
	sb_page_cell(p, "pairs", PAIRS, true, SB_TINT_PLAIN);
	sb_buf_puts(&p->buf, "  verdict");
	sb_page_end(p);
	for (size_t i = 0; i < s->n_claims; i++)
		print_claim(p, &s->claims[i], stated);
	sb_page_blanks(p, 2);
	sb_page_paragraph(p, s->claims_note, 2, 2);
}

enum sb_status sb_report_text(
        const struct sb_summary *s, FILE *out, const struct sb_text_options *opt, struct sb_error *err)
{
	int width = opt && opt->width ? opt->width : MAX_WIDTH;
	struct table t = { .page.color = opt && opt->color, .summary = s };
	struct sb_page *p = &t.page;
	enum sb_status status;

	t.heads = sb_report_summary_heads(s, VALUE - 1);
	if (!t.heads)
		return sb_fail(err, SB_E_NOMEM, "out of memory for the report");
	p->width = width < MIN_WIDTH ? MIN_WIDTH : width > MAX_WIDTH ? MAX_WIDTH : width;
	t.label = p->width - 2 * VALUE - EFFECT - INTERVAL - PAIRS - MARKS;
	if (t.label > LABEL_MAX)
		t.label = LABEL_MAX;
	head_lines(&t);
	for (size_t i = 0; i < s->n_groups; i++)
		print_group(&t, &s->groups[i]);
	t.flags |= sb_effects_text(p, s) ? SB_ROW_EMULATED : 0;
	print_legend(&t);
	print_claims(p, s);
	status = sb_report_write(&p->buf, out, err);
	sb_buf_release(&p->buf);
	free(t.heads);
	return status;
}
