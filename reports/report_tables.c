/* Before and after: a table for each section with the rows that compare has, and what the rows say in sentences. */
#include "report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables ----------------------------------------------------------------------------------------------------- */

static bool belongs(const struct sb_summary_row *row, enum sb_section section)
{
	return sb_row_is_shown(row) && (section == SB_SECTION_COUNT || row->section == section);
}

struct shape {
	bool pairs, remarks, accuracy, shown; /* which columns the rows need; is there a row at all */
};

static struct shape shape_of(const struct sb_summary_group *g, enum sb_section section)
{
	struct shape s = { .shown = false };

	for (size_t i = 0; i < g->n_rows; i++) {
		const struct sb_summary_row *row = &g->rows[i];

		if (!belongs(row, section))
			continue;
		s.shown = true;
		s.pairs |= g->after && row->compare != SB_COMPARE_PLAIN;
		s.accuracy |= row->section == SB_SECTION_ACCURACY;
		s.remarks |= row->flags & (SB_ROW_EMULATED | SB_ROW_TRACED) || sb_row_remark(row, g);
	}
	return s;
}

static void remarks(struct sb_report *r, const struct sb_summary_group *g, const struct sb_summary_row *row)
{
	const char *why = sb_row_remark(row, g);
	int n = 0;

	sb_doc_cell(r->d);
	if (row->flags & SB_ROW_EMULATED)
		sb_doc_text(r->d, n++ ? "" : "emulated");
	if (row->flags & SB_ROW_TRACED) {
		sb_say_separator(r, n++);
		sb_doc_text(r->d, "traced");
	}
	if (why) {
		sb_say_separator(r, n++);
		sb_doc_stored(r->d, why);
	}
}

static void table_row(
        struct sb_report *r, const struct sb_summary_group *g, const struct sb_summary_row *row, struct shape shape)
{
	bool plain = row->compare == SB_COMPARE_PLAIN;
	int digits = plain ? 3 : 4;
	struct sb_told t = sb_told_row(g, row);

	sb_doc_row(r->d, SB_ROW_BODY);
	sb_doc_cell(r->d);
	sb_doc_stored(r->d, row->label);
	sb_doc_cell(r->d);
	sb_say_median(r, g, row, false, digits);
	if (g->after) {
		sb_doc_cell(r->d);
		sb_say_median(r, g, row, true, digits);
	}
	if (shape.pairs) {
		sb_doc_cell(r->d);
		if (!plain)
			sb_say_estimate(r, &t);
		sb_doc_cell(r->d);
		if (!plain)
			sb_say_interval(r, &t);
		sb_doc_cell(r->d);
		if (!plain)
			sb_say_count(r, &t);
	}
	if (shape.remarks)
		remarks(r, g, row);
}

static void section_row(struct sb_report *r, const struct sb_summary_group *g, enum sb_section section)
{
	sb_doc_row(r->d, SB_ROW_SECTION);
	sb_doc_cell(r->d);
	sb_doc_stored(r->d, sb_summary_section_title(r->s, section));
	if (section != SB_SECTION_ACCURACY)
		return;
	sb_doc_cell(r->d);
	sb_doc_text(r->d, "by 1 ulp");
	if (!g->after)
		return;
	sb_doc_cell(r->d);
	sb_doc_text(r->d, "by ");
	sb_doc_stored(r->d, g->after);
}

/* What stands above the columns: of a table of drifts alone, what they are. */
static void heads(struct sb_report *r, const struct sb_summary_group *g, enum sb_section section, struct shape shape)
{
	bool drift = section == SB_SECTION_ACCURACY && g->after;
	static const char *const of_pairs[] = { "ratio", "95 % interval", "pairs" };

	sb_doc_row(r->d, SB_ROW_HEAD);
	sb_doc_cell(r->d);
	sb_doc_cell(r->d);
	if (drift)
		sb_doc_text(r->d, "1 ulp");
	else
		sb_doc_stored(r->d, g->before);
	if (g->after) {
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, g->after);
	}
	for (size_t i = 0; i < SB_ARRAY_LEN(of_pairs) && shape.pairs; i++) {
		sb_doc_cell(r->d);
		sb_doc_text(r->d, of_pairs[i]);
	}
	if (shape.remarks)
		sb_doc_cell(r->d);
}

static void caption(struct sb_report *r, const struct sb_summary_group *g, enum sb_section section)
{
	sb_doc_stored(r->d, g->title);
	if (section != SB_SECTION_COUNT) {
		sb_doc_text(r->d, ", ");
		sb_doc_stored(r->d, sb_summary_section_title(r->s, section));
	}
	sb_doc_text(r->d, ". Medians of the trials");
	if (section == SB_SECTION_OPS)
		sb_doc_text(r->d, " with a tracer");
	if (section == SB_SECTION_ACCURACY)
		sb_doc_text(r->d,
		        "; 1 ulp: what the reference drifts when its input changes by one unit in the last place");
	sb_doc_text(r->d, ".");
}

bool sb_report_table(struct sb_report *r, const struct sb_summary_group *g, enum sb_section section, const char *id)
{
	struct shape shape = shape_of(g, section);
	enum sb_section last = SB_SECTION_TOTAL;
	char align[16];

	if (!shape.shown)
		return false;
	snprintf(align, sizeof(align), "lr%s%s%s", g->after ? "r" : "", shape.pairs ? "rrr" : "",
	        shape.remarks ? "l" : "");
	sb_doc_table(r->d, id, align);
	caption(r, g, section);
	heads(r, g, section, shape);
	for (size_t i = 0; i < g->n_rows; i++) {
		if (!belongs(&g->rows[i], section))
			continue;
		if (section == SB_SECTION_COUNT && g->rows[i].section != last)
			section_row(r, g, g->rows[i].section);
		last = g->rows[i].section;
		table_row(r, g, &g->rows[i], shape);
	}
	return true;
}

/* ---- sentences --------------------------------------------------------------------------------------------------- */

/* Rows of a section, those first that change most. */
enum { LARGEST = 3, ROWS_MAX = 128 };

struct ranked {
	const struct sb_summary_row *row;
	double change;
};

static int by_change(const void *a, const void *b)
{
	double x = ((const struct ranked *)a)->change, y = ((const struct ranked *)b)->change;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Rows that certainly go one way: -1 less, 1 more, 0 neither; sorted by the difference of the medians. Of one kind:
 * shares, which are set against each other by their difference, are no times or bytes. */
static int ranked_rows(const struct sb_summary_group *g, enum sb_section section, enum sb_compare kind, int direction,
        struct ranked out[ROWS_MAX])
{
	int n = 0;

	for (size_t i = 0; i < g->n_rows && n < ROWS_MAX; i++) {
		const struct sb_summary_row *row = &g->rows[i];

		if (!belongs(row, section) || row->effect.estimate.absent || !row->effect.has_interval ||
		        row->compare != kind || (row->flags & SB_ROW_EMULATED && row->unit == SB_UNIT_TIME) ||
		        strchr(row->metric, '+') || sb_effect_direction(&row->effect, row->compare) != direction)
			continue;
		out[n++] = (struct ranked){ row, fabs(row->before.v - row->after.v) };
	}
	qsort(out, (size_t)n, sizeof(*out), by_change);
	return n;
}

static void say_ranked(struct sb_report *r, const struct sb_summary_group *g, const struct ranked *rows, int n)
{
	for (int i = 0; i < n && i < LARGEST; i++) {
		struct sb_told t = sb_told_row(g, rows[i].row);

		sb_doc_text(r->d, i ? "; " : "");
		sb_doc_stored(r->d, rows[i].row->label);
		sb_doc_text(r->d, " ");
		sb_say_change(r, g, rows[i].row);
		sb_doc_text(r->d, ", ");
		sb_say_effect(r, &t);
	}
	sb_doc_text(r->d, ".");
}

static const char *const directions[SB_SECTION_COUNT][2] = {
	[SB_SECTION_STAGES] = { "Faster", "Slower" },
	[SB_SECTION_OPS] = { "Faster", "Slower" },
	[SB_SECTION_COLD] = { "Less", "More" },
	[SB_SECTION_MEMORY] = { "Less memory", "More memory" },
	[SB_SECTION_DRIVER] = { "Less", "More" },
};

static void say_direction(
        struct sb_report *r, const struct sb_summary_group *g, const char *word, const struct ranked *rows, int n)
{
	if (!n)
		return;
	sb_doc_item(r->d);
	sb_doc_text(r->d, word);
	sb_doc_text(r->d, n > 1 ? ", the largest differences first: " : ": ");
	say_ranked(r, g, rows, n);
}

/* What certainly is less, what is more, and of what neither can be said. */
static void say_section(struct sb_report *r, const struct sb_summary_group *g, enum sb_section section)
{
	struct ranked less[ROWS_MAX], more[ROWS_MAX], same[ROWS_MAX];
	struct ranked lower[ROWS_MAX], higher[ROWS_MAX];
	int n_less = ranked_rows(g, section, SB_COMPARE_RATIO, -1, less),
	    n_more = ranked_rows(g, section, SB_COMPARE_RATIO, 1, more),
	    n_same = ranked_rows(g, section, SB_COMPARE_RATIO, 0, same),
	    n_lower = ranked_rows(g, section, SB_COMPARE_DIFFERENCE, -1, lower),
	    n_higher = ranked_rows(g, section, SB_COMPARE_DIFFERENCE, 1, higher);

	if (!g->after || !directions[section][0] || n_less + n_more + n_same + n_lower + n_higher == 0)
		return;
	sb_doc_list(r->d, SB_TONE_PLAIN);
	say_direction(r, g, directions[section][0], less, n_less);
	say_direction(r, g, directions[section][1], more, n_more);
	say_direction(r, g, "Higher shares", higher, n_higher);
	say_direction(r, g, "Lower shares", lower, n_lower);
	if (n_same) {
		sb_doc_item(r->d);
		sb_doc_text(r->d, "No measurable difference: ");
		for (int i = 0; i < n_same; i++) {
			sb_say_separator(r, i);
			sb_doc_stored(r->d, same[i].row->label);
		}
		sb_doc_text(r->d, ".");
	}
}

static void say_accuracy(struct sb_report *r)
{
	const struct sb_summary *s = r->s;

	sb_doc_paragraph(r->d, SB_TONE_PLAIN);
	sb_doc_text(r->d, "The results of ");
	sb_doc_stored(r->d, r->main->after ? r->main->after : r->main->before);
	sb_doc_text(r->d, " are set against those of ");
	sb_doc_stored(r->d, s->reference ? s->reference : "a reference that was not recorded");
	sb_doc_text(r->d, "; what rounding alone does is the column of one unit in the last place (ulp).");
	if (s->weights_kind && !strncmp(s->weights_kind, "synthetic", 9))
		sb_doc_text(r->d,
		        " The weights are synthetic: such drift is that of this arithmetic, and says nothing of the "
		        "released network's quality.");
}

/* ---- the sections ------------------------------------------------------------------------------------------------ */

static void section(
        struct sb_report *r, enum sb_section of, const char *title, const char *id, const char *const *plots)
{
	char table_id[64];

	snprintf(table_id, sizeof(table_id), "%s-table", id);
	sb_doc_heading(r->d, 3, id, title);
	if (of == SB_SECTION_ACCURACY)
		say_accuracy(r);
	else
		say_section(r, r->main, of);
	for (; *plots; plots++)
		sb_report_plot(r, *plots);
	if (!sb_report_table(r, r->main, of, table_id)) {
		sb_doc_paragraph(r->d, SB_TONE_MUTED);
		sb_doc_text(r->d, "Nothing of this was measured.");
	}
	if (of == SB_SECTION_OPS)
		sb_report_kernels(r);
}

/* Rows without a number in either column, in one sentence for each reason. */
static const char *why_left_out(const struct sb_summary_row *row, const struct sb_summary_group *g)
{
	return row->section == SB_SECTION_OTHER || sb_row_is_shown(row) ? NULL : sb_row_remark(row, g);
}

static bool is_told(const struct sb_summary_group *g, size_t n, const char *why)
{
	for (size_t i = 0; i < n; i++) {
		const char *other = why_left_out(&g->rows[i], g);

		if (other && !strcmp(other, why))
			return true;
	}
	return false;
}

static void not_measured(struct sb_report *r)
{
	const struct sb_summary_group *g = r->main;

	sb_doc_list(r->d, SB_TONE_MUTED);
	for (size_t i = 0; i < g->n_rows; i++) {
		const char *why = why_left_out(&g->rows[i], g), *other;
		int n = 0;

		if (!why || is_told(g, i, why))
			continue;
		sb_doc_item(r->d);
		sb_doc_text(r->d, "Not measured: ");
		for (size_t k = i; k < g->n_rows; k++) {
			if (!(other = why_left_out(&g->rows[k], g)) || strcmp(other, why) != 0)
				continue;
			sb_say_separator(r, n++);
			sb_doc_stored(r->d, g->rows[k].label);
		}
		sb_doc_text(r->d, " (");
		sb_doc_stored(r->d, why);
		sb_doc_text(r->d, ").");
	}
}

void sb_report_before_after(struct sb_report *r)
{
	static const char *const none[] = { NULL };
	static const char *const of_time[] = { "stages", "trials", NULL };
	static const char *const of_ops[] = { "kernels", "roofline", NULL };
	static const char *const of_memory[] = { "memory", "fragmentation", NULL };

	sb_doc_heading(r->d, 2, "before-after", r->main->after ? "Before and after" : "What was measured");
	for (size_t i = 0; i < r->main->n_notes; i++) {
		sb_doc_paragraph(r->d, SB_TONE_UNSURE);
		sb_doc_stored(r->d, r->main->notes[i]);
	}
	section(r, SB_SECTION_TOTAL, "Total", "total", none);
	section(r, SB_SECTION_STAGES, "Time by stage", "stages", of_time);
	section(r, SB_SECTION_OPS, "Time by kind of op", "ops", of_ops);
	section(r, SB_SECTION_MEMORY, "Memory", "memory", of_memory);
	section(r, SB_SECTION_COLD, "The first pass of a fresh allocator", "cold", none);
	section(r, SB_SECTION_DRIVER, "Driver", "driver", none);
	section(r, SB_SECTION_ACCURACY, "Accuracy", "accuracy", none);
	not_measured(r);
}
