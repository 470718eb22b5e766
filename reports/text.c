#include "sb_reports.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports_internal.h"

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

enum tint { PLAIN, BOLD, GREEN, RED, YELLOW };
static const char *const tint_codes[] = {
	[PLAIN] = "",
	[BOLD] = "\033[1m",
	[GREEN] = "\033[32m",
	[RED] = "\033[31m",
	[YELLOW] = "\033[33m",
};

struct page {
	struct sb_buf buf;
	int width, label;
	bool color;
	unsigned flags; /* of all rows printed, and DRIFT_SHOWN: what the legend has to explain */
	const struct sb_summary *summary;
};

/* ---- cells ----------------------------------------------------------------------------------------------------- */

static void blanks(struct page *p, int n)
{
	while (n-- > 0)
		sb_buf_puts(&p->buf, " ");
}

/* Text into a field of `columns`, cut with "..", padded on the right (or on the left if `right`). */
static void cell(struct page *p, const char *text, int columns, bool right, enum tint tint)
{
	int width = sb_display_width(text);
	size_t len = strlen(text);
	const char *end = "";

	if (width > columns) {
		len = sb_display_head(text, columns - 2);
		end = "..";
	}
	if (width > columns) {
		char head[512];

		len = len < sizeof(head) ? len : sizeof(head) - 1;
		memcpy(head, text, len);
		head[len] = '\0';
		width = sb_display_width(head) + 2;
	}
	if (right)
		blanks(p, columns - width);
	if (p->color && tint != PLAIN)
		sb_buf_puts(&p->buf, tint_codes[tint]);
	sb_buf_add(&p->buf, text, len);
	sb_buf_puts(&p->buf, end);
	if (p->color && tint != PLAIN)
		sb_buf_puts(&p->buf, "\033[0m");
	if (!right)
		blanks(p, columns - width);
}

/* End a line without the blanks that padding left. */
static void end_line(struct page *p)
{
	while (p->buf.len && p->buf.s[p->buf.len - 1] == ' ')
		p->buf.s[--p->buf.len] = '\0';
	sb_buf_puts(&p->buf, "\n");
}

/*
 * Words of `text` from column `at` (where the line stands now) to the width, following lines indented to `indent`.
 * A word longer than a line is cut in pieces. Escapes, since much of this comes from the database.
 */
static void paragraph(struct page *p, const char *text, int at, int indent)
{
	char clean[2048];
	const char *s = clean;
	bool first = true;

	sb_escape(text, clean, sizeof(clean));
	while (*s) {
		size_t len = strcspn(s, " ");
		char word[2048];
		int width;

		memcpy(word, s, len);
		word[len] = '\0';
		width = sb_display_width(word);
		if (!first && at + 1 + width > p->width) {
			end_line(p);
			blanks(p, indent);
			at = indent;
			first = true;
		}
		if (!first) {
			sb_buf_puts(&p->buf, " ");
			at++;
		}
		if (at + width > p->width) {
			len = sb_display_head(word, p->width - at);
			if (len == 0)
				break;
			word[len] = '\0';
			width = sb_display_width(word);
		}
		sb_buf_puts(&p->buf, word);
		at += width;
		first = false;
		s += len;
		s += strspn(s, " ");
	}
	end_line(p);
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */

struct scale {
	double factor; /* base units in one of these */
	const char *unit;
};

/*
 * One unit for both values of a row: that of the larger, so that it has 1 to 4 digits before the point, or a smaller
 * one where the other value would lose itself behind the point (85985 MiB and 98.00 MiB, not 0.0957 GiB).
 */
static struct scale scale_of(enum sb_unit unit, double a, double b)
{
	static const struct scale time[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 1, "ns" } };
	static const struct scale bytes[] = {
		{ 1099511627776.0, "TiB" },
		{ 1073741824.0, "GiB" },
		{ 1048576.0, "MiB" },
		{ 1024.0, "KiB" },
		{ 1, "B" },
	};
	const struct scale *list = unit == SB_UNIT_TIME ? time : bytes;
	double largest = a > b ? a : b, smallest = a > b ? b : a;

	switch (unit) {
	case SB_UNIT_TIME:
	case SB_UNIT_BYTES:
		while (list->factor > 1 && largest < list->factor)
			list++;
		while (list->factor > 1 && smallest > 0 && smallest < 0.1 * list->factor &&
		        largest < 1e6 * list[1].factor)
			list++;
		return *list;
	case SB_UNIT_PERCENT:
		return (struct scale){ 0.01, "%" };
	case SB_UNIT_PIXELS:
		return (struct scale){ 1, "px" };
	case SB_UNIT_DEGREES:
		return (struct scale){ 1, "deg" };
	case SB_UNIT_COUNT:
	case SB_UNIT_RATIO:
	case SB_UNIT_UNKNOWN:
		break;
	}
	return (struct scale){ 1, "" };
}

/*
 * `digits` significant digits, without an exponent where that is readable. Whole numbers keep their zeros behind the
 * point unless they are `counts`: 12.00 ms beside 12.34 ms, but 12 calls.
 */
static void number(double x, int digits, bool counts, char out[32])
{
	int exponent, decimals;

	if (!isfinite(x)) {
		snprintf(out, 32, "-");
		return;
	}
	if (x == 0 || (counts && x == floor(x) && fabs(x) < 1e6)) {
		snprintf(out, 32, "%.0f", x);
		return;
	}
	/* Asked of printf and not of log10(), which does not know that 0.09999 will be 0.100. */
	snprintf(out, 32, "%.*e", digits - 1, x);
	exponent = atoi(strchr(out, 'e') + 1);
	decimals = digits - 1 - exponent;
	if (exponent < -3 || exponent > 6)
		snprintf(out, 32, "%.1e", x);
	else
		snprintf(out, 32, "%.*f", decimals < 0 ? 0 : decimals > 5 ? 5 : decimals, x);
}

static void value_cell(struct page *p, struct sb_value v, struct scale scale, int significant)
{
	char digits[32], text[48] = "-";

	if (!v.absent) {
		number(v.v / scale.factor, significant, scale.factor == 1, digits);
		snprintf(text, sizeof(text), "%s%s%s", digits, *scale.unit ? " " : "", scale.unit);
	}
	cell(p, text, VALUE, true, PLAIN);
}

/* Decimals that leave three significant digits of a ratio, for it and for both ends of its interval. */
static int ratio_decimals(double r)
{
	return r >= 100 ? 1 : r >= 10 ? 2 : r >= 0.1 || r <= 0 ? 3 : r >= 0.01 ? 4 : 5;
}

/* What an effect looks like: a ratio, or a difference or value with its unit. */
static void effect_text(
        const struct sb_effect *e, enum sb_unit unit, enum sb_compare compare, char estimate[48], char interval[96])
{
	char lo[32], hi[32], mid[32];
	struct scale scale;
	double x = e->estimate.v;

	snprintf(estimate, 48, "-");
	snprintf(interval, 96, "-");
	if (e->estimate.absent)
		return;
	if (compare == SB_COMPARE_RATIO) {
		int d = ratio_decimals(x);

		snprintf(estimate, 48, "%.*f", d, x);
		if (e->has_interval)
			snprintf(interval, 96, "%.*f..%.*f", d, e->lo, d, e->hi);
		if (e->has_interval && e->lo == e->hi)
			snprintf(interval, 96, "exact");
		return;
	}
	scale = scale_of(unit, fabs(x), fabs(x));
	if (compare == SB_COMPARE_DIFFERENCE && unit == SB_UNIT_PERCENT)
		scale.unit = "pp"; /* percentage points */
	number(x / scale.factor, 3, false, mid);
	snprintf(estimate, 48, "%s %s", mid, scale.unit);
	if (!e->has_interval) /* its ends are not numbers then */
		return;
	number(e->lo / scale.factor, 3, false, lo);
	number(e->hi / scale.factor, 3, false, hi);
	snprintf(interval, 96, "%s..%s", lo, hi);
	if (e->lo == e->hi)
		snprintf(interval, 96, "exact");
}

/* ---- the first lines ------------------------------------------------------------------------------------------- */

static void head(struct page *p, const char *key, const char *text)
{
	if (!text || !*text)
		return;
	blanks(p, 2);
	cell(p, key, HEAD_KEY - 1, false, PLAIN);
	blanks(p, 1);
	paragraph(p, text, HEAD_KEY + 2, HEAD_KEY + 2);
}

/* Takes the text. */
static void head_from(struct page *p, const char *key, struct sb_buf *text)
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

static void head_case(struct page *p, const struct sb_summary *s)
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
}

static void head_device(struct page *p, const struct sb_summary *s)
{
	struct sb_buf b = { 0 };

	add_list(&b, "", s->device ? s->device : "not recorded");
	if (s->cpu && (!s->device || strcmp(s->cpu, s->device)))
		add_list(&b, ", ", s->cpu);
	add_list(&b, ", ", s->setting);
	if (s->host)
		sb_buf_addf(&b, " (host %s)", s->host);
	head_from(p, "device", &b);
}

static void head_blocks(struct page *p, const struct sb_summary *s)
{
	struct sb_buf b = { 0 };

	sb_buf_addf(&b, "%d timing, %d trace", s->blocks[0], s->blocks[1]);
	if (s->blocks_planned)
		sb_buf_addf(&b, " (asked for: %s)", s->blocks_planned);
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
	for (size_t a = 0; a < s->n_arms; a++)
		add_list(&b, ", ", s->arms[a].name);
	head_from(p, "arms", &b);
}

static void head_lines(struct page *p, const struct sb_summary *s)
{
	char text[256], title[512], when[32];

	sb_time_iso(s->created_ns, when);
	snprintf(text, sizeof(text), "run %.12s, %s, %s", s->run_id, when, s->status);
	sb_escape(text, title, sizeof(title));
	cell(p, title, p->width, false, BOLD);
	end_line(p);
	head_case(p, s);
	head_device(p, s);
	head_blocks(p, s);
	for (size_t i = 0; i < s->n_switches; i++)
		head(p, s->switches[i].factor, s->switches[i].evidence);
	head(p, "tracer", s->trace_to_timing);
	head(p, "note", s->note);
	for (size_t i = 0; i < s->n_notes; i++)
		head(p, "!", s->notes[i]);
	end_line(p);
	paragraph(
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

/* The one thing to say about a row that a number cannot. */
static const char *remark(const struct sb_summary_row *row, const struct sb_summary_group *g)
{
	if (!g->after)
		return row->before.absent ? row->before.absent : row->note;
	if (row->compare == SB_COMPARE_PLAIN)
		return row->after.absent ? row->after.absent : row->note;
	/* That there is no ratio to 0 needs no words where the 0 stands. */
	if (!row->before.absent && row->before.v == 0 && row->effect.pairs)
		return row->note;
	return row->effect.estimate.absent ? row->effect.estimate.absent : row->note;
}

/* Total stands there in any case. */
static bool is_left_out(const struct sb_summary_row *row)
{
	return row->flags & SB_ROW_UNMEASURED && row->section != SB_SECTION_TOTAL && row->section != SB_SECTION_OTHER;
}

/* Rows without a number in either column are named in one line for each reason. */
static void print_unmeasured(struct page *p, const struct sb_summary_group *g)
{
	struct footnotes reasons = { .n = 0 };

	for (size_t i = 0; i < g->n_rows; i++)
		if (is_left_out(&g->rows[i]))
			footnote(&reasons, remark(&g->rows[i], g));
	for (int r = 0; r < reasons.n; r++) {
		struct sb_buf b = { 0 };

		for (size_t i = 0; i < g->n_rows; i++)
			if (is_left_out(&g->rows[i]) && !strcmp(remark(&g->rows[i], g), reasons.text[r]))
				sb_buf_addf(&b, "%s%s", b.len ? ", " : "not measured: ", g->rows[i].label);
		sb_buf_addf(&b, " (%s)", reasons.text[r]);
		blanks(p, 2);
		paragraph(p, sb_buf_str(&b), 2, 4);
		p->buf.failed |= b.failed;
		sb_buf_release(&b);
	}
}

/* Green and red are for what is certain; an emulated time proves nothing either way. */
static enum tint row_tint(const struct sb_summary_row *row)
{
	double none = row->compare == SB_COMPARE_RATIO ? 1.0 : 0.0;

	if (!row->effect.has_interval || row->effect.estimate.absent || row->compare == SB_COMPARE_PLAIN)
		return PLAIN;
	if (row->flags & SB_ROW_EMULATED && row->unit == SB_UNIT_TIME)
		return PLAIN;
	if (row->effect.lo == none && row->effect.hi == none)
		return PLAIN; /* exactly the same: nothing to look at */
	return row->effect.hi < none ? GREEN : row->effect.lo > none ? RED : YELLOW;
}

static void print_row(struct page *p, const struct sb_summary_group *g, const struct sb_summary_row *row, int indent,
        struct footnotes *notes)
{
	bool plain = row->compare == SB_COMPARE_PLAIN;
	struct sb_value left = plain ? row->drift_one_ulp : row->before;
	double a = left.absent ? 0 : fabs(left.v), b = row->after.absent ? 0 : fabs(row->after.v);
	struct scale scale = scale_of(row->unit, a, b);
	char label[256], estimate[48], interval[96], pairs[16], marks[32];
	const char *why = remark(row, g);
	int n = why ? footnote(notes, why) : 0;

	sb_escape(row->label, label, sizeof(label));
	blanks(p, indent);
	cell(p, label, p->label - indent, false, PLAIN);
	value_cell(p, left, scale, plain ? 3 : 4);
	if (g->after) {
		value_cell(p, row->after, scale, plain ? 3 : 4);
		effect_text(&row->effect, row->unit, row->compare, estimate, interval);
		if (plain)
			estimate[0] = interval[0] = '\0';
		else if (row->flags & SB_ROW_EXACT && !row->effect.estimate.absent)
			snprintf(interval, sizeof(interval), "exact");
		snprintf(pairs, sizeof(pairs), "%d", row->effect.pairs);
		cell(p, estimate, EFFECT, true, row_tint(row));
		cell(p, interval, INTERVAL, true, row_tint(row));
		cell(p, plain ? "" : pairs, PAIRS, true, PLAIN);
	}
	snprintf(marks, sizeof(marks), "  %s%s", row->flags & SB_ROW_EMULATED ? "e" : "",
	        row->flags & SB_ROW_TRACED ? "t" : "");
	if (n)
		snprintf(marks + strlen(marks), sizeof(marks) - strlen(marks), "[%d]", n);
	cell(p, marks, MARKS, false, PLAIN);
	end_line(p);
	p->flags |= row->flags | (plain && !left.absent ? DRIFT_SHOWN : 0);
}

/* The line above a section; for accuracy it also says what the two values are. */
static void print_section(struct page *p, const struct sb_summary_group *g, enum sb_section section)
{
	char name[256];

	blanks(p, 2);
	if (section != SB_SECTION_ACCURACY) {
		sb_buf_puts(&p->buf, sb_section_title(section));
		end_line(p);
		return;
	}
	sb_escape(sb_summary_section_title(p->summary, section), name, sizeof(name));
	cell(p, name, p->label - 2, false, PLAIN);
	cell(p, "by 1 ulp", VALUE, true, PLAIN);
	if (g->after) {
		char by[264];

		sb_escape(g->after, name, sizeof(name));
		snprintf(by, sizeof(by), "%s%s", sb_display_width(name) <= VALUE - 5 ? "by " : "", name);
		blanks(p, 1);
		cell(p, by, VALUE - 1, true, PLAIN);
	}
	end_line(p);
}

static void print_column_names(struct page *p, const struct sb_summary_group *g)
{
	char name[256];

	blanks(p, p->label + 1);
	sb_escape(g->before, name, sizeof(name));
	cell(p, name, VALUE - 1, true, PLAIN);
	if (g->after) {
		blanks(p, 1);
		sb_escape(g->after, name, sizeof(name));
		cell(p, name, VALUE - 1, true, PLAIN);
		cell(p, "ratio", EFFECT, true, PLAIN);
		cell(p, "95 % interval", INTERVAL, true, PLAIN);
		cell(p, "pairs", PAIRS, true, PLAIN);
	}
	end_line(p);
}

static void print_group(struct page *p, const struct sb_summary_group *g)
{
	struct footnotes notes = { .n = 0 };
	enum sb_section section = SB_SECTION_TOTAL;
	char title[256];
	size_t others = 0;
	int indent = 2; /* of rows; 4 below the name of a section */

	end_line(p);
	sb_escape(g->title, title, sizeof(title));
	cell(p, title, p->width, false, BOLD);
	end_line(p);
	if (*g->change) {
		blanks(p, 2);
		paragraph(p, g->change, 2, 2);
	}
	if (g->kind == SB_GROUP_BEST) {
		blanks(p, 2);
		paragraph(p, "what a native kernel can add; no claim rests on it", 2, 2);
	}
	for (size_t i = 0; i < g->n_notes; i++) {
		sb_buf_puts(&p->buf, "  ! ");
		paragraph(p, g->notes[i], 4, 4);
	}
	print_column_names(p, g);
	for (size_t i = 0; i < g->n_rows; i++) {
		const struct sb_summary_row *row = &g->rows[i];

		if (row->section == SB_SECTION_OTHER) {
			others += !(row->flags & SB_ROW_UNMEASURED);
			continue;
		}
		if (is_left_out(row))
			continue;
		if (row->section != section && (g->kind == SB_GROUP_MAIN || row->section == SB_SECTION_ACCURACY)) {
			print_section(p, g, row->section);
			indent = 4;
		}
		section = row->section;
		print_row(p, g, row, indent, &notes);
	}
	for (int i = 0; i < notes.n; i++) {
		sb_buf_addf(&p->buf, "  [%d] ", i + 1);
		paragraph(p, notes.text[i], 6, 6);
	}
	print_unmeasured(p, g);
	if (others) {
		sb_buf_addf(&p->buf, "  and %zu more metric%s: --format json", others, others == 1 ? "" : "s");
		end_line(p);
	}
}

static void print_legend(struct page *p)
{
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
	        p->summary->reference ? p->summary->reference : "the reference");
	for (size_t i = 0; i < SB_ARRAY_LEN(legend); i++) {
		if (!(p->flags & legend[i].flag))
			continue;
		if (!any)
			end_line(p);
		any = true;
		blanks(p, 2);
		cell(p, legend[i].mark, 7, false, PLAIN);
		paragraph(p, legend[i].text, 9, 9);
	}
}

/* ---- claims ---------------------------------------------------------------------------------------------------- */

/* 2 + 18 + 17 + 15 + 8 + 17 + 6 + 2 + 15 = 100; below that the claim's own words go. */
enum { CLAIM = 18, STATED = 17, EXPECTED = 15, MEASURED = 8, CLAIM_INTERVAL = 17, VERDICT = 15 };

static enum tint verdict_tint(enum sb_verdict verdict)
{
	switch (verdict) {
	case SB_VERDICT_MET:
	case SB_VERDICT_EXCEEDED:
	case SB_VERDICT_MET_OR_EXCEEDED:
		return GREEN;
	case SB_VERDICT_NOT_MET:
		return RED;
	case SB_VERDICT_INCONCLUSIVE:
		return YELLOW;
	case SB_VERDICT_NOT_TESTED:
		break;
	}
	return PLAIN;
}

static void print_claim(struct page *p, const struct sb_summary_claim *c, bool stated)
{
	int at = 2 + CLAIM + (stated ? STATED : 0) + EXPECTED + 3;
	char estimate[48], interval[96], text[512];

	blanks(p, 2);
	cell(p, c->label, CLAIM, false, PLAIN);
	if (stated)
		cell(p, c->stated, STATED, false, PLAIN);
	cell(p, c->expected, EXPECTED, false, PLAIN);
	if (c->verdict == SB_VERDICT_NOT_TESTED) {
		snprintf(text, sizeof(text), "not tested: %s", c->reason);
		blanks(p, 3);
		paragraph(p, text, at, at + 2);
		return;
	}
	effect_text(&c->effect, c->unit, c->unit == SB_UNIT_RATIO ? SB_COMPARE_RATIO : SB_COMPARE_PLAIN, estimate,
	        interval);
	cell(p, estimate, MEASURED, true, PLAIN);
	cell(p, interval, CLAIM_INTERVAL, true, PLAIN);
	snprintf(text, sizeof(text), "%d", c->effect.pairs);
	cell(p, text, PAIRS, true, PLAIN);
	blanks(p, 2);
	cell(p, sb_verdict_name(c->verdict), VERDICT, false, verdict_tint(c->verdict));
	end_line(p);
	if (c->where) { /* below: no verdict leaves room beside it */
		blanks(p, at + MEASURED + CLAIM_INTERVAL + PAIRS - 1);
		sb_buf_addf(&p->buf, "(%s)", c->where);
		end_line(p);
	}
}

static void print_claims(struct page *p, const struct sb_summary *s)
{
	bool stated = p->width >= MAX_WIDTH;

	if (!s->n_claims)
		return;
	end_line(p);
	cell(p, "claims", p->width, false, BOLD);
	end_line(p);
	blanks(p, 2 + CLAIM);
	if (stated)
		cell(p, "stated", STATED, false, PLAIN);
	cell(p, "expected", EXPECTED, false, PLAIN);
	cell(p, "measured", MEASURED, true, PLAIN);
	cell(p, "95 % interval", CLAIM_INTERVAL, true, PLAIN);
	cell(p, "pairs", PAIRS, true, PLAIN);
	sb_buf_puts(&p->buf, "  verdict");
	end_line(p);
	for (size_t i = 0; i < s->n_claims; i++)
		print_claim(p, &s->claims[i], stated);
	blanks(p, 2);
	paragraph(p, s->claims_note, 2, 2);
}

enum sb_status sb_report_text(
        const struct sb_summary *s, FILE *out, const struct sb_text_options *opt, struct sb_error *err)
{
	int width = opt && opt->width ? opt->width : MAX_WIDTH;
	struct page p = { .color = opt && opt->color, .summary = s };
	enum sb_status status;

	p.width = width < MIN_WIDTH ? MIN_WIDTH : width > MAX_WIDTH ? MAX_WIDTH : width;
	p.label = p.width - 2 * VALUE - EFFECT - INTERVAL - PAIRS - MARKS;
	if (p.label > LABEL_MAX)
		p.label = LABEL_MAX;
	head_lines(&p, s);
	for (size_t i = 0; i < s->n_groups; i++)
		print_group(&p, &s->groups[i]);
	print_legend(&p);
	print_claims(&p, s);
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&p.buf);
	return status;
}
