/* The first screen: what was compared, the verdict, time and memory before and after, on what and when. */
#include "report_internal.h"

#include <string.h>

/* Characters that a title may have: names of arms can be as long as they like. */
enum { NAME_MAX_SHOWN = 60 };

/* To the line and to the title. */
static void say_short(struct sb_report *r, struct sb_buf *title, const char *name)
{
	size_t n = sb_display_head(name, NAME_MAX_SHOWN);
	struct sb_buf b = { 0 };

	sb_buf_add(&b, name, n);
	sb_buf_puts(&b, name[n] ? ".." : "");
	sb_doc_stored(r->d, sb_buf_str(&b));
	sb_buf_puts(title, sb_buf_str(&b));
	sb_doc_release(r->d, &b);
}

static void say_word(struct sb_report *r, struct sb_buf *title, const char *word)
{
	sb_doc_text(r->d, word);
	sb_buf_puts(title, word);
}

static void title(struct sb_report *r)
{
	struct sb_buf title = { 0 };

	sb_buf_puts(&title, "spabench: ");
	sb_doc_heading(r->d, 1, NULL, "");
	say_short(r, &title, r->main->before);
	if (r->main->after) {
		say_word(r, &title, " \xe2\x86\x92 ");
		say_short(r, &title, r->main->after);
	}
	say_word(r, &title, " on ");
	say_short(r, &title, r->s->device ? r->s->device : "a device that was not recorded");
	sb_doc_set_title(r->d, sb_buf_str(&title));
	sb_doc_release(r->d, &title);
}

/* ---- the verdict ------------------------------------------------------------------------------------------------- */

static int count_claims(const struct sb_summary *s, int n[SB_VERDICT_NOT_TESTED + 1])
{
	int tested = 0;

	memset(n, 0, sizeof(*n) * (SB_VERDICT_NOT_TESTED + 1));
	for (size_t i = 0; i < s->n_claims; i++) {
		n[s->claims[i].verdict]++;
		tested += s->claims[i].verdict != SB_VERDICT_NOT_TESTED;
	}
	return tested;
}

static enum sb_tone tone_of(const int *n, int tested)
{
	if (n[SB_VERDICT_NOT_MET])
		return SB_TONE_BAD;
	if (n[SB_VERDICT_INCONCLUSIVE] || !tested)
		return SB_TONE_UNSURE;
	return tested > n[SB_VERDICT_NOT_TESTED] ? SB_TONE_GOOD : SB_TONE_PLAIN; /* a few prove little */
}

static void claims_in_words(struct sb_report *r, const int *n, int tested)
{
	int hold = n[SB_VERDICT_MET] + n[SB_VERDICT_EXCEEDED] + n[SB_VERDICT_MET_OR_EXCEEDED], said = 0;

	sb_say_number(r, "claims", "tested", tested);
	sb_doc_text(r->d, " of ");
	sb_say_number(r, "claims", "stated", (double)r->s->n_claims);
	sb_doc_text(r->d, " advertised claims could be tested");
	if (!tested) {
		sb_doc_text(r->d, ".");
		return;
	}
	sb_doc_text(r->d, ": ");
	sb_doc_textf(r->d, "%s", "");
	sb_say_number(r, "claims", "hold", hold);
	sb_doc_text(r->d, hold == 1 ? " holds" : " hold");
	for (int v = 0; v < SB_VERDICT_NOT_TESTED; v++) {
		if (!n[v])
			continue;
		sb_doc_text(r->d, said++ ? ", " : " (");
		sb_say_number(r, "claims", sb_verdict_name((enum sb_verdict)v), n[v]);
		sb_doc_textf(r->d, " %s", sb_verdict_name((enum sb_verdict)v));
	}
	sb_doc_text(r->d, said ? ")." : ".");
}

static void verdict(struct sb_report *r)
{
	int n[SB_VERDICT_NOT_TESTED + 1], tested = count_claims(r->s, n);

	sb_doc_paragraph(r->d, tone_of(n, tested));
	claims_in_words(r, n, tested);
	for (size_t i = 0; i < r->s->n_switches; i++) {
		if (r->s->switches[i].in_effect != SB_EFFECT_NO)
			continue;
		sb_doc_text(r->d, " The switch ");
		sb_doc_stored(r->d, r->s->switches[i].factor);
		sb_doc_text(r->d, " was on and not in effect.");
	}
	sb_doc_text(r->d, " ");
	sb_doc_link(r->d, "#claims", "The claims one by one");
}

/* ---- time and memory --------------------------------------------------------------------------------------------- */

static bool is_emulated_time(const struct sb_summary_row *row)
{
	return row->flags & SB_ROW_EMULATED && row->unit == SB_UNIT_TIME;
}

/* One of the two has a value, the other a reason. */
static void one_sided(struct sb_report *r, const struct sb_summary_row *row)
{
	const struct sb_summary_group *g = r->main;
	bool after = row->before.absent != NULL;

	sb_say_median(r, g, row, after, 4);
	sb_doc_text(r->d, " with ");
	sb_doc_code_span(r->d, after ? g->after : g->before);
	sb_doc_text(r->d, "; with ");
	sb_doc_code_span(r->d, after ? g->before : g->after);
	sb_doc_text(r->d, " there is none (");
	sb_doc_stored(r->d, after ? row->before.absent : row->after.absent);
	sb_doc_text(r->d, "). ");
}

static void two_sided(struct sb_report *r, const struct sb_summary_row *row)
{
	const struct sb_summary_group *g = r->main;
	struct sb_told t = sb_told_row(g, row);

	sb_say_median(r, g, row, true, 4);
	sb_doc_text(r->d, " with ");
	sb_doc_code_span(r->d, g->after);
	sb_doc_text(r->d, " and ");
	sb_say_median(r, g, row, false, 4);
	sb_doc_text(r->d, " with ");
	sb_doc_code_span(r->d, g->before);
	sb_doc_text(r->d, ": ");
	sb_say_effect(r, &t);
	if (is_emulated_time(row))
		sb_doc_text(r->d, ", of a level that this device only imitates");
	else
		sb_say_times(r, &t);
	sb_doc_text(r->d, ". ");
}

static void sentence(struct sb_report *r, const char *subject, const struct sb_summary_row *row)
{
	sb_doc_text(r->d, subject);
	if (!row || (row->before.absent && row->after.absent)) {
		sb_doc_text(r->d, " was not measured. ");
		return;
	}
	sb_doc_text(r->d, " is ");
	if (!r->main->after) {
		sb_say_median(r, r->main, row, false, 4);
		sb_doc_text(r->d, ". ");
	} else if (row->before.absent || row->after.absent) {
		one_sided(r, row);
	} else {
		two_sided(r, row);
	}
}

static void before_and_after(struct sb_report *r)
{
	sb_doc_paragraph(r->d, SB_TONE_PLAIN);
	sentence(r, "The time of a pass", sb_group_row(r->main, "wall_ns"));
	sentence(r, "Its memory", sb_group_row(r->main, "memory.trial_bytes"));
	if (r->main->after && *r->main->change) {
		sb_doc_text(r->d, "Between the two lie: ");
		sb_doc_stored(r->d, r->main->change);
		sb_doc_text(r->d, ".");
	}
}

static void card_of_row(struct sb_report *r, const char *what, const struct sb_summary_row *row)
{
	struct sb_told t;

	sb_doc_card(r->d, what);
	sb_doc_cell(r->d);
	if (!row || (row->before.absent && row->after.absent)) {
		sb_doc_text(r->d, "not measured");
		return;
	}
	sb_say_change(r, r->main, row);
	if (!r->main->after)
		return;
	t = sb_told_row(r->main, row);
	sb_doc_cell(r->d);
	sb_doc_text(r->d, is_emulated_time(row) ? "emulated; " : "");
	sb_say_effect(r, &t);
}

static void card_of_switches(struct sb_report *r)
{
	const struct sb_summary *s = r->s;
	int yes = 0, n = 0;

	if (!s->n_switches)
		return;
	for (size_t i = 0; i < s->n_switches; i++)
		yes += s->switches[i].in_effect == SB_EFFECT_YES;
	sb_doc_card(r->d, "switches in effect");
	sb_doc_cell(r->d);
	sb_say_number(r, "switches", "in effect", yes);
	sb_doc_text(r->d, " of ");
	sb_say_number(r, "switches", "on", (double)s->n_switches);
	sb_doc_cell(r->d);
	for (size_t i = 0; i < s->n_switches; i++) {
		sb_say_separator(r, n++);
		sb_doc_stored(r->d, s->switches[i].factor);
		if (s->switches[i].in_effect != SB_EFFECT_YES)
			sb_doc_text(r->d, s->switches[i].in_effect == SB_EFFECT_NO ? ": no" : ": not checked");
	}
}

static void card_of_claims(struct sb_report *r)
{
	int n[SB_VERDICT_NOT_TESTED + 1], tested = count_claims(r->s, n), said = 0;

	sb_doc_card(r->d, "claims that hold");
	sb_doc_cell(r->d);
	sb_say_number(r, "claims", "hold", n[SB_VERDICT_MET] + n[SB_VERDICT_EXCEEDED] + n[SB_VERDICT_MET_OR_EXCEEDED]);
	sb_doc_text(r->d, " of ");
	sb_say_number(r, "claims", "tested", tested);
	sb_doc_text(r->d, " tested");
	sb_doc_cell(r->d);
	for (size_t i = 0; i < r->s->n_claims; i++) {
		if (r->s->claims[i].verdict == SB_VERDICT_NOT_TESTED)
			continue;
		sb_say_separator(r, said++);
		sb_doc_textf(r->d, "%s: %s", r->s->claims[i].label, sb_verdict_name(r->s->claims[i].verdict));
	}
	if (!said)
		sb_doc_text(r->d, "why not, below");
}

/* ---- what and when ------------------------------------------------------------------------------------------------
 */

static void item(struct sb_report *r, const char *key)
{
	sb_doc_row(r->d, SB_ROW_BODY);
	sb_doc_cell(r->d);
	sb_doc_text(r->d, key);
	sb_doc_cell(r->d);
}

static void part(struct sb_report *r, int *n, const char *before, const char *text)
{
	if (!text || !*text)
		return;
	sb_say_separator(r, (*n)++);
	sb_doc_text(r->d, before);
	sb_doc_stored(r->d, text);
}

static void case_item(struct sb_report *r)
{
	const struct sb_summary *s = r->s;
	char frames[32] = "", size[48] = "";
	int n = 0;

	if (s->frames)
		snprintf(frames, sizeof(frames), "%d", s->frames);
	if (s->width && s->height)
		snprintf(size, sizeof(size), "%dx%d", s->width, s->height);
	item(r, "case");
	part(r, &n, "", s->workload);
	part(r, &n, "preset ", s->preset);
	part(r, &n, "frames ", frames);
	part(r, &n, "", size);
	part(r, &n, "clip ", s->clip);
	part(r, &n, "weights ", s->weights_kind);
	part(r, &n, "", s->points);
}

static void say_measured(struct sb_report *r, const char *when)
{
	const struct sb_summary *s = r->s;
	int ok = s->n_trials[SB_OUTCOME_OK];

	item(r, "measured");
	sb_doc_stored(r->d, when);
	sb_doc_text(r->d, ", n = ");
	sb_say_number(r, "blocks", "timing", s->blocks[0]);
	sb_doc_text(r->d, " timing and ");
	sb_say_number(r, "blocks", "trace", s->blocks[1]);
	sb_doc_text(r->d, " trace blocks of ");
	sb_say_number(r, "arms", "count", (double)s->n_arms);
	sb_doc_text(r->d, s->n_arms == 1 ? " arm; " : " arms; ");
	sb_say_number(r, "trials", "ok", ok);
	sb_doc_text(r->d, ok == 1 ? " trial ok" : " trials ok");
	for (int o = SB_OUTCOME_OK + 1; o < SB_OUTCOME_COUNT; o++) {
		if (!s->n_trials[o])
			continue;
		sb_doc_text(r->d, ", ");
		sb_say_number(r, "trials", sb_outcome_names[o], s->n_trials[o]);
		sb_doc_textf(r->d, " %s", sb_outcome_title((enum sb_outcome)o));
	}
	if (s->stop_reason) {
		sb_doc_text(r->d, "; stopped: ");
		sb_doc_stored(r->d, s->stop_reason);
	}
}

static void at_a_glance(struct sb_report *r)
{
	static const char *const heads[] = { "", "what was measured, on what and when", NULL };
	const struct sb_summary *s = r->s;
	char when[32];
	int n = 0;

	sb_time_iso(s->created_ns, when);
	sb_doc_table(r->d, "glance", "ll");
	sb_doc_text(r->d, "The run.");
	sb_doc_heads(r->d, heads);
	item(r, "device");
	part(r, &n, "", s->device ? s->device : "not recorded");
	part(r, &n, "", s->cpu && (!s->device || strcmp(s->cpu, s->device)) ? s->cpu : NULL);
	part(r, &n, "", s->setting);
	part(r, &n, "host ", s->host);
	part(r, &n, "", sb_run_fact(r->in->run, "software"));
	case_item(r);
	say_measured(r, when);
	item(r, "run");
	sb_doc_code_span(r->d, s->run_id);
	sb_doc_text(r->d, ", ");
	sb_doc_stored(r->d, s->status);
	sb_doc_text(r->d, ", build ");
	sb_doc_stored(r->d, sb_run_fact(r->in->run, "build.id") ? sb_run_fact(r->in->run, "build.id") : "not recorded");
	if (s->note && *s->note) {
		item(r, "note");
		sb_doc_stored(r->d, s->note);
	}
}

void sb_report_first(struct sb_report *r)
{
	title(r);
	verdict(r);
	before_and_after(r);
	sb_doc_cards(r->d);
	card_of_row(r, "time of a pass", sb_group_row(r->main, "wall_ns"));
	card_of_row(r, "memory of a trial", sb_group_row(r->main, "memory.trial_bytes"));
	card_of_claims(r);
	card_of_switches(r);
	at_a_glance(r);
	sb_doc_paragraph(r->d, SB_TONE_MUTED);
	sb_doc_text(r->d,
	        "Ratio is after / before: below 1 is faster or smaller. Values are medians; a pair is the two arms' "
	        "trials of one block. What stands in brackets behind a figure is its 95 % interval and the number "
	        "of pairs.");
}
