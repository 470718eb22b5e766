/* The table as GitHub's Markdown, to be pasted into an issue: the same groups, rows and claims as the text has. */
#include "effects.h"

#include <math.h>
#include <string.h>

/* ---- escaping -------------------------------------------------------------------------------------------------- */

/*
 * What Markdown, or GitHub on top of it, would read as more than a letter. An empty comment keeps it from seeing a
 * mention (@name), an issue (#1) or an address (://).
 */
static const char *escape_of(char c)
{
	static const struct {
		char c;
		const char *text;
	} special[] = {
		{ '|', "\\|" },
		{ '`', "\\`" },
		{ '*', "\\*" },
		{ '_', "\\_" },
		{ '[', "\\[" },
		{ ']', "\\]" },
		{ '~', "\\~" },
		{ '\\', "\\\\" },
		{ '$', "\\$" },
		{ '<', "&lt;" },

		{ '&', "&amp;" },
		{ '@', "@<!-- -->" },
		{ '#', "#<!-- -->" },
	};

	for (size_t i = 0; i < SB_ARRAY_LEN(special); i++)
		if (special[i].c == c)
			return special[i].text;
	return NULL;
}

void sb_markdown_text(struct sb_buf *b, const char *text)
{
	struct sb_buf clean = { 0 };

	sb_report_escape(&clean, text);
	for (const char *s = sb_buf_str(&clean); *s; s++) {
		const char *escaped = strncmp(s, "://", 3) ? escape_of(*s) : ":<!-- -->";

		if (escaped)
			sb_buf_puts(b, escaped);
		else
			sb_buf_add(b, s, 1);
	}
	b->failed |= clean.failed;
	sb_buf_release(&clean);
}

static void cell(struct sb_buf *b, const char *text)
{
	sb_buf_puts(b, *text ? " " : "");
	sb_markdown_text(b, text);
	sb_buf_puts(b, " |");
}

/* ---- head ------------------------------------------------------------------------------------------------------ */

/* Bold words of our own come first, so that nothing from the database can begin a heading, a list or a quote. */
static void item(struct sb_buf *b, const char *key, const char *text)
{
	if (!text || !*text)
		return;
	sb_buf_addf(b, "- **%s:** ", key);
	sb_markdown_text(b, text);
	sb_buf_puts(b, "\n");
}

static void item_buf(struct sb_buf *b, const char *key, struct sb_buf *text)
{
	item(b, key, sb_buf_str(text));
	b->failed |= text->failed;
	sb_buf_release(text);
}

static void add(struct sb_buf *b, const char *before, const char *text, const char *after)
{
	if (text && *text)
		sb_buf_addf(b, "%s%s%s%s", b->len ? ", " : "", before, text, after);
}

static void head_case(struct sb_buf *b, const struct sb_summary *s)
{
	struct sb_buf t = { 0 };
	char frames[32] = "", size[48] = "";

	if (s->frames)
		snprintf(frames, sizeof(frames), "T=%d", s->frames);
	if (s->width && s->height)
		snprintf(size, sizeof(size), "%dx%d", s->width, s->height);
	add(&t, "", s->workload, "");
	add(&t, "preset ", s->preset, "");
	add(&t, "", frames, "");
	add(&t, "", size, "");
	add(&t, "clip ", s->clip, "");
	add(&t, "", s->clip_note, "");
	add(&t, "", s->weights_kind, " weights");
	item_buf(b, "case", &t);
	add(&t, "", s->frames_note, "");
	item_buf(b, "frames", &t);
	add(&t, "", s->points, "");
	item_buf(b, "points", &t);
	add(&t, "", s->inputs_note, "");
	item_buf(b, "inputs", &t);
	add(&t, "", s->device ? s->device : "not recorded", "");
	if (s->cpu && (!s->device || strcmp(s->cpu, s->device)))
		add(&t, "", s->cpu, "");
	add(&t, "", s->setting, "");
	add(&t, "host ", s->host, "");
	item_buf(b, "device", &t);
	item(b, "alloc-conf", s->alloc_note);
}

static void head_blocks(struct sb_buf *b, const struct sb_summary *s)
{
	struct sb_buf t = { 0 };

	sb_report_blocks(&t, s);
	add(&t, "asked for: ", s->blocks_planned, " timing");
	add(&t, "budget ", s->budget_s, " s");
	add(&t, "stopped: ", s->stop_reason, "");
	item_buf(b, "blocks", &t);
	for (int o = 0; o < SB_OUTCOME_COUNT; o++)
		if (s->n_trials[o] || o == SB_OUTCOME_OK)
			sb_buf_addf(
			        &t, "%s%d %s", t.len ? ", " : "", s->n_trials[o], sb_outcome_title((enum sb_outcome)o));
	item_buf(b, "trials", &t);
}

static void head(struct sb_buf *b, const struct sb_summary *s)
{
	char when[32];

	sb_time_iso(s->created_ns, when);
	sb_buf_puts(b, "### spabench: run ");
	sb_markdown_text(b, s->run_id);
	sb_buf_addf(b, ", %s, ", when);
	sb_markdown_text(b, s->status);
	sb_buf_puts(b, "\n\n");
	head_case(b, s);
	head_blocks(b, s);
	for (size_t i = 0; i < s->n_switches; i++)
		item(b, s->switches[i].factor, s->switches[i].evidence);
	item(b, "tracer", s->trace_to_timing);
	item(b, "note", s->note);
	for (size_t i = 0; i < s->n_notes; i++)
		item(b, "warning", s->notes[i]);
	sb_buf_puts(
	        b, "\nratio = after / before; below 1 is faster / smaller. Values are medians; pairs are blocks.\n");
}

/* ---- groups ---------------------------------------------------------------------------------------------------- */

static void remarks_cell(struct sb_buf *b, const struct sb_summary_row *row, const struct sb_summary_group *g)
{
	struct sb_buf t = { 0 };

	add(&t, "", row->flags & SB_ROW_EMULATED ? "emulated" : "", "");
	add(&t, "", row->flags & SB_ROW_TRACED ? "traced" : "", "");
	add(&t, "", sb_row_remark(row, g), "");
	cell(b, sb_buf_str(&t));
	sb_buf_puts(b, "\n");
	b->failed |= t.failed;
	sb_buf_release(&t);
}

static void print_row(struct sb_buf *b, const struct sb_summary_group *g, const struct sb_summary_row *row)
{
	bool plain = row->compare == SB_COMPARE_PLAIN;
	struct sb_value left = plain ? row->drift_one_ulp : row->before;
	double x = left.absent ? 0 : fabs(left.v), y = row->after.absent ? 0 : fabs(row->after.v);
	struct sb_scale scale = sb_report_scale(row->unit, x, y);
	char a[48], c[48], estimate[48], interval[96], pairs[16];

	sb_report_value(left, scale, plain ? 3 : 4, a);
	sb_report_value(row->after, scale, plain ? 3 : 4, c);
	sb_report_effect(&row->effect, row->unit, row->compare, row->flags & SB_ROW_EXACT, estimate, interval);
	snprintf(pairs, sizeof(pairs), "%d", row->effect.pairs);
	sb_buf_puts(b, "|");
	cell(b, row->label);
	cell(b, a);
	if (g->after) {
		cell(b, c);
		cell(b, plain ? "" : estimate);
		cell(b, plain ? "" : interval);
		cell(b, plain ? "" : pairs);
	}
	remarks_cell(b, row, g);
}

/* A row that names a section; for accuracy it also says what the two values are. */
static void print_section(
        struct sb_buf *b, const struct sb_summary *s, const struct sb_summary_group *g, enum sb_section section)
{
	bool accuracy = section == SB_SECTION_ACCURACY;

	sb_buf_puts(b, "| *");
	sb_markdown_text(b, sb_summary_section_title(s, section));
	sb_buf_addf(b, "* |%s |", accuracy ? " by 1 ulp" : "");
	if (g->after) {
		sb_buf_puts(b, accuracy ? " by" : "");
		cell(b, accuracy ? g->after : "");
		sb_buf_puts(b, " | | |");
	}
	sb_buf_puts(b, " |\n");
}

static void print_table(struct sb_buf *b, const struct sb_summary *s, const struct sb_summary_group *g)
{
	enum sb_section section = SB_SECTION_TOTAL;

	sb_buf_puts(b, "\n| |");
	cell(b, g->before);
	if (g->after) {
		cell(b, g->after);
		sb_buf_puts(b, " ratio | 95 % interval | pairs |");
	}
	sb_buf_puts(b, g->after ? " |\n|:---|---:|---:|---:|---:|---:|:---|\n" : " |\n|:---|---:|:---|\n");
	for (size_t i = 0; i < g->n_rows; i++) {
		const struct sb_summary_row *row = &g->rows[i];

		if (!sb_row_is_shown(row))
			continue;
		if (row->section != section && (g->kind == SB_GROUP_MAIN || row->section == SB_SECTION_ACCURACY))
			print_section(b, s, g, row->section);
		section = row->section;
		print_row(b, g, row);
	}
}

/* Why a row is in no table; NULL if it is in one, or is none of a table's rows at all. */
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

/* Rows without a number in either column, in one item for each reason. */
static void print_unmeasured(struct sb_buf *b, const struct sb_summary_group *g)
{
	for (size_t i = 0; i < g->n_rows; i++) {
		const char *why = why_left_out(&g->rows[i], g), *other;
		struct sb_buf t = { 0 };

		if (!why || is_told(g, i, why))
			continue;
		for (size_t k = i; k < g->n_rows; k++)
			if ((other = why_left_out(&g->rows[k], g)) && !strcmp(other, why))
				add(&t, "", g->rows[k].label, "");
		sb_buf_addf(&t, " (%s)", why);
		item_buf(b, "not measured", &t);
	}
}

static void print_group(struct sb_buf *b, const struct sb_summary *s, const struct sb_summary_group *g)
{
	struct sb_buf below = { 0 };
	size_t others = 0;

	for (size_t i = 0; i < g->n_rows; i++)
		others += g->rows[i].section == SB_SECTION_OTHER && !(g->rows[i].flags & SB_ROW_UNMEASURED);
	sb_buf_puts(b, "\n#### ");
	sb_markdown_text(b, g->title);
	sb_buf_puts(b, "\n\n");
	item(b, "change", g->change);
	if (g->kind == SB_GROUP_BEST)
		item(b, "best", "what a native kernel can add; no claim rests on it");
	for (size_t i = 0; i < g->n_notes; i++)
		item(b, "warning", g->notes[i]);
	print_table(b, s, g);
	print_unmeasured(&below, g);
	if (others)
		sb_buf_addf(&below, "- **more:** %zu other metric%s: --format json or csv\n", others,
		        others == 1 ? "" : "s");
	if (below.len)
		sb_buf_addf(b, "\n%s", sb_buf_str(&below));
	b->failed |= below.failed;
	sb_buf_release(&below);
}

static void print_legend(struct sb_buf *b, const struct sb_summary *s)
{
	static const struct {
		unsigned flag;
		const char *key, *text;
	} legend[] = {
		{ SB_ROW_EMULATED, "emulated",
		        "one of the arms has a level that this device only imitates; its times say "
		        "nothing about a device that has it" },
		{ SB_ROW_TRACED, "traced", "from trace trials" },
		{ SB_ROW_EXACT, "exact", "the same in every trial of either arm" },
	};
	struct sb_buf scale = { 0 };
	unsigned flags = 0;
	bool drift = false;

	for (size_t g = 0; g < s->n_groups; g++) {
		for (size_t i = 0; i < s->groups[g].n_rows; i++) {
			const struct sb_summary_row *row = &s->groups[g].rows[i];

			flags |= sb_row_is_shown(row) ? row->flags : 0;
			drift |= sb_row_is_shown(row) && row->compare == SB_COMPARE_PLAIN && !row->drift_one_ulp.absent;
		}
	}
	sb_buf_puts(b, "\n");
	for (size_t i = 0; i < SB_ARRAY_LEN(legend); i++)
		if (flags & legend[i].flag)
			item(b, legend[i].key, legend[i].text);
	if (drift) {
		sb_buf_addf(&scale, "for scale: drift of %s when its input changes by one unit in the last place",
		        s->reference ? s->reference : "the reference");
		item_buf(b, "1 ulp", &scale);
	}
}

/* ---- claims ---------------------------------------------------------------------------------------------------- */

static void print_claim(struct sb_buf *b, const struct sb_summary_claim *c)
{
	bool tested = c->verdict != SB_VERDICT_NOT_TESTED;
	char estimate[48], interval[96], pairs[16];
	struct sb_buf verdict = { 0 };

	sb_report_effect(&c->effect, c->unit, c->unit == SB_UNIT_RATIO ? SB_COMPARE_RATIO : SB_COMPARE_PLAIN, false,
	        estimate, interval);
	snprintf(pairs, sizeof(pairs), "%d", c->effect.pairs);
	sb_buf_puts(&verdict, sb_verdict_name(c->verdict));
	if (!tested && c->reason)
		sb_buf_addf(&verdict, ": %s", c->reason);
	if (c->behind)
		sb_buf_addf(&verdict, " (%s)", c->behind);
	sb_buf_puts(b, "|");
	cell(b, c->label);
	cell(b, c->stated);
	cell(b, c->expected);
	cell(b, tested ? estimate : "");
	cell(b, tested ? interval : "");
	cell(b, tested ? pairs : "");
	cell(b, sb_buf_str(&verdict));
	sb_buf_puts(b, "\n");
	b->failed |= verdict.failed;
	sb_buf_release(&verdict);
}

static void print_claims(struct sb_buf *b, const struct sb_summary *s)
{
	if (!s->n_claims)
		return;
	sb_buf_puts(b, "\n#### claims\n\n| claim | stated | expected | measured | 95 % interval | pairs | verdict |\n"
	               "|:---|:---|:---|---:|---:|---:|:---|\n");
	for (size_t i = 0; i < s->n_claims; i++)
		print_claim(b, &s->claims[i]);
	sb_buf_puts(b, "\n");
	sb_markdown_text(b, s->claims_note);
	sb_buf_puts(b, "\n");
}

enum sb_status sb_report_markdown(const struct sb_summary *s, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { 0 };
	enum sb_status status;

	head(&b, s);
	for (size_t i = 0; i < s->n_groups; i++)
		print_group(&b, s, &s->groups[i]);
	sb_effects_markdown(&b, s);
	print_legend(&b, s);
	print_claims(&b, s);
	status = sb_report_write(&b, out, err);
	sb_buf_release(&b);
	return status;
}
