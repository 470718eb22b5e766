/* One run on one screen: what it was, whether it can be trusted, every arm's total and memory. */
#include "reports_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* For 24 lines of 80 columns where there are no more than ten arms and nothing has gone wrong. */
enum { WIDTH = 80, KEY = 10, NAME = 22, VALUE = 13, RATIO = 8, INTERVAL = 16, ARMS_MAX = 12 };

static void item(struct sb_page *p, const char *key, struct sb_buf *text)
{
	sb_page_item(p, key, KEY, sb_buf_str(text));
	p->buf.failed |= text->failed;
	sb_buf_release(text);
}

static void print_head(struct sb_page *p, const struct sb_summary *s)
{
	char begun[32], text[128];
	struct sb_buf b = { 0 };

	sb_time_iso(s->created_ns, begun);
	snprintf(text, sizeof(text), "run %.12s, %s, %s", s->run_id, begun, s->status);
	sb_page_cell(p, text, WIDTH, false, SB_TINT_BOLD);
	sb_page_end(p);
	sb_buf_addf(&b, "%s, preset %s", s->workload ? s->workload : "?", s->preset ? s->preset : "?");
	if (s->frames)
		sb_buf_addf(&b, ", %d frames of %dx%d", s->frames, s->width, s->height);
	if (s->weights_kind && strcmp(s->weights_kind, "none") != 0)
		sb_buf_addf(&b, ", %s weights", s->weights_kind);
	item(p, "case", &b);
	sb_page_item(p, "inputs", KEY, s->inputs_note);
	sb_buf_puts(&b, s->device ? s->device : "not recorded");
	if (s->setting && *s->setting)
		sb_buf_addf(&b, ", %s", s->setting);
	item(p, "device", &b);
	sb_report_blocks(&b, s);
	if (s->stop_reason)
		sb_buf_addf(&b, "; stopped: %s", s->stop_reason);
	item(p, "blocks", &b);
	for (int o = 0; o < SB_OUTCOME_COUNT; o++)
		if (s->n_trials[o] || o == SB_OUTCOME_OK)
			sb_buf_addf(
			        &b, "%s%d %s", b.len ? ", " : "", s->n_trials[o], sb_outcome_title((enum sb_outcome)o));
	item(p, "trials", &b);
	for (size_t i = 0; i < s->n_switches; i++) {
		static const char *const words[] = { [SB_EFFECT_UNKNOWN] = "not tested",
			[SB_EFFECT_YES] = "in effect",
			[SB_EFFECT_NO] = "NOT in effect" };

		sb_buf_addf(&b, "%s%s %s", b.len ? ", " : "", s->switches[i].factor, words[s->switches[i].in_effect]);
	}
	item(p, "switches", &b);
	sb_page_item(p, "note", KEY, s->note);
	sb_page_item(p, "clocks", KEY, s->throttled);
}

/* Rows of the first group, which has them all. */
static const struct sb_summary_row *row_of(const struct sb_summary *s, const char *metric)
{
	const struct sb_summary_group *g = &s->groups[0];

	for (size_t i = 0; i < g->n_rows; i++)
		if (!strcmp(g->rows[i].metric, metric))
			return &g->rows[i];
	return NULL;
}

static void put_value(struct sb_page *p, const struct sb_summary_row *row, bool first)
{
	struct sb_value v = row ? first ? row->before : row->after : (struct sb_value){ .absent = "" };
	char text[48] = "-";

	if (row)
		sb_report_value(v, sb_report_scale(row->unit, v.v, v.v), 4, text);
	sb_page_number(p, text, VALUE, SB_TINT_PLAIN);
}

static void print_arm(struct sb_page *p, const struct sb_report_run *r, int arm)
{
	const struct sb_summary *s = &r->tables[arm ? arm - 1 : 0];
	const struct sb_summary_row *total = row_of(s, "wall_ns");
	const struct sb_summary_arm *about = &r->tables[0].arms[arm];
	struct sb_buf other = { 0 };

	sb_page_blanks(p, 2);
	sb_page_cell(p, about->name, NAME - 2, false, SB_TINT_PLAIN);
	put_value(p, total, arm == 0);
	put_value(p, row_of(s, "memory.trial_bytes"), arm == 0);
	if (arm && total) {
		char estimate[48], interval[96];

		sb_report_effect(
		        &total->effect, total->unit, total->compare, total->flags & SB_ROW_EXACT, estimate, interval);
		sb_page_number(p, estimate, RATIO, SB_TINT_PLAIN);
		sb_page_number(p, interval, INTERVAL, SB_TINT_PLAIN);
	}
	if (about->emulated)
		sb_buf_puts(&p->buf, "  e");
	sb_page_end(p);
	for (int o = 0; o < SB_OUTCOME_COUNT; o++) {
		int n = about->n_trials[0][o] + about->n_trials[1][o];

		if (o == SB_OUTCOME_OK || !n)
			continue;
		sb_buf_addf(&other, "%d %s%s%s", n, sb_outcome_title((enum sb_outcome)o),
		        about->messages[o] ? ": " : "", about->messages[o] ? about->messages[o] : "");
		sb_page_blanks(p, 4);
		sb_page_paragraph(p, sb_buf_str(&other), 4, 4);
		p->buf.failed |= other.failed;
		sb_buf_release(&other);
	}
}

static const char *found_of(const struct sb_run *run, size_t arm, const char *what)
{
	const char *text;
	char key[64];

	snprintf(key, sizeof(key), "capacity.%zu.%s", arm, what);
	text = sb_run_fact(run, key);
	return text ? text : "";
}

/* What 'spabench capacity' found, in place of figures. False: the run is none of its. */
static bool print_capacity(struct sb_page *p, const struct sb_report_run *r)
{
	const char *by = sb_run_fact(r->run, SB_STORE_CAPACITY);
	struct sb_buf b = { 0 };

	for (size_t a = 0; by && a < r->tables[0].n_arms; a++) {
		const char *fits = found_of(r->run, a, "fits"), *fails = found_of(r->run, a, "fails");

		sb_buf_addf(&b, "%s: %s %s", r->tables[0].arms[a].name, by, strcmp(fits, "0") ? fits : "none");
		sb_buf_puts(&b, " fit");
		if (*fails && strcmp(fails, "0") != 0)
			sb_buf_addf(&b, ", %s do not: %s", fails, found_of(r->run, a, "reason"));
		item(p, "capacity", &b);
	}
	return by != NULL;
}

/* "1.23 TB/s" of what 'spabench micro' saw. */
static void add_ceiling(struct sb_buf *b, const struct sb_run *run, const char *name, const char *unit)
{
	char key[64];
	const char *per_s, *why = "not measured";

	snprintf(key, sizeof(key), "ceiling.%s.per_s", name);
	per_s = sb_run_fact(run, key);
	for (size_t i = 0; i < run->n_facts && !per_s; i++)
		if (!strcmp(run->facts[i].key, key) && run->facts[i].absent)
			why = run->facts[i].absent;
	if (per_s)
		sb_buf_addf(b, "%.4g T%s/s", strtod(per_s, NULL) / 1e12, unit);
	else
		sb_buf_addf(b, "- (%s)", why);
}

static bool print_ceilings(struct sb_page *p, const struct sb_report_run *r)
{
	static const struct {
		const char *name, *shape, *unit;
	} all[] = { { "copy", "copy of", "B" }, { "fp32", "product at fp32,", "FLOP" },
		{ "tf32", "product at tf32,", "FLOP" } };
	struct sb_buf b = { 0 };

	if (strcmp(r->run->workload, SB_STORE_CEILINGS) != 0)
		return false;
	for (size_t i = 0; i < SB_ARRAY_LEN(all); i++) {
		char key[64];
		const char *shape;

		snprintf(key, sizeof(key), "ceiling.%s.shape", all[i].name);
		shape = sb_run_fact(r->run, key);
		sb_buf_addf(&b, "%s %s: ", all[i].shape, shape ? shape : "?");
		add_ceiling(&b, r->run, all[i].name, all[i].unit);
		snprintf(key, sizeof(key), "ceiling.%s.emulated", all[i].name);
		if (sb_run_fact(r->run, key))
			sb_buf_puts(&b, " e");
		item(p, "ceiling", &b);
	}
	return true;
}

enum sb_status sb_report_run_short(const struct sb_report_run *r, FILE *out, bool color, struct sb_error *err)
{
	struct sb_page p = { .width = WIDTH, .color = color };
	int printed = 0, left = 0;
	char text[128];
	enum sb_status status;

	print_head(&p, &r->tables[0]);
	if (print_capacity(&p, r) || print_ceilings(&p, r)) {
		status = sb_report_write(&p.buf, out, err);
		sb_buf_release(&p.buf);
		return status;
	}
	sb_page_end(&p);
	sb_page_cell(&p, "  arm", NAME, false, SB_TINT_PLAIN);
	sb_page_cell(&p, "total", VALUE, true, SB_TINT_PLAIN);
	sb_page_cell(&p, "memory", VALUE, true, SB_TINT_PLAIN);
	sb_page_cell(&p, "ratio", RATIO, true, SB_TINT_PLAIN);
	sb_page_cell(&p, "95 % interval", INTERVAL, true, SB_TINT_PLAIN);
	sb_page_end(&p);
	for (int a = 0; a < r->run->n_arms; a++) {
		if (r->arm >= 0 && r->arm != a)
			continue;
		if (printed == ARMS_MAX) {
			left++;
			continue;
		}
		print_arm(&p, r, a);
		printed++;
	}
	if (left) {
		snprintf(text, sizeof(text), "  and %d more", left);
		sb_page_cell(&p, text, WIDTH, false, SB_TINT_PLAIN);
		sb_page_end(&p);
	}
	sb_page_end(&p);
	snprintf(text, sizeof(text), "'spabench compare %.8s' has the table, 'spabench show %.8s --all' every metric.",
	        r->run->id, r->run->id);
	sb_page_paragraph(&p, text, 0, 0);
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&p.buf);
	return status;
}
