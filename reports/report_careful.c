/* What a reader must know before relying on the figures: a row a reason, told where it applies. */
#include "report_internal.h"

#include <string.h>

static int switches_that_are(const struct sb_report *r, enum sb_in_effect state)
{
	int n = 0;

	for (size_t i = 0; i < r->s->n_switches; i++)
		n += r->s->switches[i].in_effect == state;
	return n;
}

static void name_switches(struct sb_report *r, enum sb_in_effect state)
{
	int n = 0;

	for (size_t i = 0; i < r->s->n_switches; i++) {
		if (r->s->switches[i].in_effect != state)
			continue;
		sb_say_separator(r, n++);
		sb_doc_stored(r->d, r->s->switches[i].factor);
	}
}

static bool not_in_effect(const struct sb_report *r)
{
	return switches_that_are(r, SB_EFFECT_NO) > 0;
}

static void say_not_in_effect(struct sb_report *r)
{
	name_switches(r, SB_EFFECT_NO);
	sb_doc_text(r->d,
	        ": on, and not in effect. What stands here of such a switch is not what the switch does, and its "
	        "claims are not tested. The evidence says why.");
}

static bool not_checked(const struct sb_report *r)
{
	return switches_that_are(r, SB_EFFECT_UNKNOWN) > 0;
}

static void say_not_checked(struct sb_report *r)
{
	name_switches(r, SB_EFFECT_UNKNOWN);
	sb_doc_text(r->d, ": no trial shows whether it was in effect. ");
}

static bool failed_trials(const struct sb_report *r)
{
	for (int o = SB_OUTCOME_OK + 1; o < SB_OUTCOME_COUNT; o++)
		if (r->s->n_trials[o])
			return true;
	return false;
}

static void say_failed_trials(struct sb_report *r)
{
	int n = 0;

	for (size_t i = 0; i < r->s->n_arms; i++) {
		const struct sb_summary_arm *arm = &r->s->arms[i];

		for (int o = SB_OUTCOME_OK + 1; o < SB_OUTCOME_COUNT; o++) {
			int trials = arm->n_trials[0][o] + arm->n_trials[1][o];
			char number[16];

			if (!trials)
				continue;
			sb_doc_text(r->d, n++ ? "; " : "");
			sb_doc_stored(r->d, arm->name);
			snprintf(number, sizeof(number), "%d", trials);
			sb_doc_text(r->d, ": ");
			sb_doc_number(r->d, number,
			        &(struct sb_datum){ .metric = "trials",
			                .arm = arm->name,
			                .what = sb_outcome_names[o],
			                .value = trials });
			sb_doc_textf(r->d, " %s", sb_outcome_title((enum sb_outcome)o));
			if (arm->messages[o]) {
				sb_doc_text(r->d, " (");
				sb_doc_stored(r->d, arm->messages[o]);
				sb_doc_text(r->d, ")");
			}
		}
	}
	sb_doc_text(r->d, ". Such trials are in no row.");
}

static bool throttled(const struct sb_report *r)
{
	return r->s->throttled != NULL;
}

static void say_throttled(struct sb_report *r)
{
	const struct sb_summary_row *cycles = sb_group_row(r->main, "sm_cycles"),
	                            *total = sb_group_row(r->main, "wall_ns");
	struct sb_told t;

	sb_doc_stored(r->d, r->s->throttled);
	sb_doc_text(r->d,
	        ". The card lowered its clock during these trials; they are in every row, since power and heat are "
	        "real.");
	if (!cycles || !total || cycles->effect.estimate.absent || total->effect.estimate.absent)
		return;
	sb_doc_text(r->d, " Cycles do not change with the clock; they have ");
	t = sb_told_row(r->main, cycles);
	sb_say_effect(r, &t);
	sb_doc_text(r->d, ", that of time ");
	t = sb_told_row(r->main, total);
	sb_say_effect(r, &t);
	sb_doc_text(r->d, ".");
}

enum { FLAWS_MAX = 64 };

static size_t flaws_of(const struct sb_report *r, struct sb_summary_flaw out[FLAWS_MAX])
{
	return sb_summary_flaws(r->in->run, r->in->trials, r->in->samples, out, FLAWS_MAX);
}

static bool unsteady(const struct sb_report *r)
{
	struct sb_summary_flaw flaws[FLAWS_MAX];

	return flaws_of(r, flaws) > 0;
}

static void say_unsteady(struct sb_report *r)
{
	struct sb_summary_flaw flaws[FLAWS_MAX];
	size_t n = flaws_of(r, flaws);

	sb_doc_text(r->d, "the total of ");
	for (size_t i = 0; i < n; i++) {
		const struct sb_summary_flaw *f = &flaws[i];
		char drift[32];

		sb_doc_text(r->d, i ? ", of " : "");
		sb_doc_code_span(r->d, f->arm);
		if (f->drifts) {
			snprintf(drift, sizeof(drift), "%+.2f %%", 100 * f->drift);
			sb_doc_text(r->d, " drifts by ");
			sb_doc_number(r->d, drift,
			        &(struct sb_datum){ .metric = "wall_ns",
			                .arm = f->arm,
			                .what = "drift",
			                .unit = "fraction",
			                .value = f->drift });
			sb_doc_text(r->d, " over the run");
		}
		sb_doc_text(r->d, f->drifts && f->bimodal ? " and" : "");
		sb_doc_text(r->d, f->bimodal ? " lies in two clusters" : "");
	}
	sb_doc_text(r->d,
	        " (tests of trend and of one mode, each at 1 %). Arms are paired within a block, so that a drift of "
	        "the machine meets all of them.");
}

static bool emulated(const struct sb_report *r)
{
	for (size_t i = 0; i < r->s->n_arms; i++)
		if (r->s->arms[i].emulated)
			return true;
	return false;
}

static void say_emulated(struct sb_report *r)
{
	int n = 0;

	for (size_t i = 0; i < r->s->n_arms; i++) {
		if (!r->s->arms[i].emulated)
			continue;
		sb_say_separator(r, n++);
		sb_doc_stored(r->d, r->s->arms[i].name);
		sb_doc_text(r->d, " (");
		sb_doc_stored(r->d, r->s->arms[i].emulated_parts);
		sb_doc_text(r->d, ")");
	}
	sb_doc_text(r->d,
	        ": a level that this device only imitates. Its results are those of the real thing, its times say "
	        "nothing about a device that has it.");
}

static bool synthetic(const struct sb_report *r)
{
	return r->s->weights_kind && !strncmp(r->s->weights_kind, "synthetic", 9);
}

static void say_synthetic(struct sb_report *r)
{
	sb_doc_text(r->d,
	        "The weights follow a rule and were never trained. Time and memory are those of the network's shape; "
	        "what it computes means nothing, so claims about quality are not tested.");
}

static bool planted(const struct sb_report *r)
{
	return r->s->inputs_note != NULL;
}

static void say_planted(struct sb_report *r)
{
	sb_doc_stored(r->d, r->s->inputs_note);
	sb_doc_text(r->d, ".");
}

static const struct sb_summary_row *total_without_interval(const struct sb_report *r)
{
	const struct sb_summary_row *total = r->main->after ? sb_group_row(r->main, "wall_ns") : NULL;

	return total && !total->effect.has_interval ? total : NULL;
}

static bool few_trace_blocks(const struct sb_report *r)
{
	return r->main->after && r->s->blocks[1] > 0 && r->s->blocks[1] < 6;
}

static bool few_pairs(const struct sb_report *r)
{
	return total_without_interval(r) || few_trace_blocks(r);
}

static void say_few_pairs(struct sb_report *r)
{
	const struct sb_summary_row *total = total_without_interval(r);

	if (total) {
		struct sb_told t = sb_told_row(r->main, total);

		sb_doc_text(r->d, "the total rests on ");
		sb_say_count(r, &t);
		sb_doc_text(r->d, total->effect.pairs == 1 ? " pair" : " pairs");
	}
	sb_doc_text(r->d, total && few_trace_blocks(r) ? ", and " : "");
	if (few_trace_blocks(r)) {
		sb_doc_text(r->d, "kinds of op rest on ");
		sb_say_number(r, "blocks", "trace", r->s->blocks[1]);
		sb_doc_text(r->d, r->s->blocks[1] == 1 ? " trace block" : " trace blocks");
	}
	sb_doc_text(r->d, "; below 6 there is no interval, and a ratio without one may be noise.");
}

static bool incomplete(const struct sb_report *r)
{
	return r->s->incomplete_traces > 0;
}

static void say_incomplete(struct sb_report *r)
{
	sb_say_number(r, "trials", "incomplete traces", r->s->incomplete_traces);
	sb_doc_text(r->d, " trace trials lost records and are in no row.");
}

static bool fewer_frames(const struct sb_report *r)
{
	return r->s->frames_note || r->s->clip_note;
}

static void say_frames(struct sb_report *r)
{
	sb_doc_stored(r->d, r->s->frames_note ? r->s->frames_note : r->s->clip_note);
	if (r->s->frames_note && r->s->clip_note) {
		sb_doc_text(r->d, "; ");
		sb_doc_stored(r->d, r->s->clip_note);
	}
	sb_doc_text(r->d, ".");
}

static bool settings(const struct sb_report *r)
{
	return r->s->alloc_note || r->s->memory_limit_bytes;
}

static void say_settings(struct sb_report *r)
{
	sb_doc_stored(r->d, r->s->alloc_note ? r->s->alloc_note : r->s->setting);
	if (r->s->alloc_note && r->s->memory_limit_bytes) {
		sb_doc_text(r->d, "; ");
		sb_doc_stored(r->d, r->s->setting);
	}
	sb_doc_text(r->d, ".");
}

static bool traced(const struct sb_report *r)
{
	return r->s->trace_to_timing != NULL;
}

static void say_traced(struct sb_report *r)
{
	sb_doc_stored(r->d, r->s->trace_to_timing);
	sb_doc_text(r->d,
	        ". Kinds of op and kernels come from the trace trials, all other times from trials without a tracer.");
}

static bool always(const struct sb_report *r)
{
	(void)r;
	return true;
}

static void say_bf16(struct sb_report *r)
{
	sb_doc_text(r->d, r->s->claims_note);
}

static const struct careful {
	const char *label;
	bool (*applies)(const struct sb_report *r);
	void (*say)(struct sb_report *r);
	bool background; /* holds of nearly every run: not on the first screen */
} careful[] = {
	{ "switch not in effect", not_in_effect, say_not_in_effect, false },
	{ "switch not checked", not_checked, say_not_checked, false },
	{ "trials that gave nothing", failed_trials, say_failed_trials, false },
	{ "few pairs", few_pairs, say_few_pairs, false },
	{ "throttled", throttled, say_throttled, false },
	{ "drift", unsteady, say_unsteady, false },
	{ "emulated", emulated, say_emulated, false },
	{ "synthetic weights", synthetic, say_synthetic, false },
	{ "planted inputs", planted, say_planted, false },
	{ "incomplete traces", incomplete, say_incomplete, false },
	{ "frames", fewer_frames, say_frames, false },
	{ "settings", settings, say_settings, false },
	{ "tracer", traced, say_traced, true },
	{ "FP32, not bf16", always, say_bf16, false },
};

void sb_report_careful_line(struct sb_report *r)
{
	int n = 0;

	sb_doc_paragraph(r->d, SB_TONE_UNSURE);
	sb_doc_strong(r->d, "Be careful:");
	sb_doc_text(r->d, " ");
	for (size_t i = 0; i < SB_ARRAY_LEN(careful); i++) {
		if (careful[i].background || !careful[i].applies(r))
			continue;
		sb_say_separator(r, n++);
		sb_doc_text(r->d, careful[i].label);
	}
	sb_doc_text(r->d, ". ");
	sb_doc_link(r->d, "#careful", "What that means");
}

void sb_report_careful(struct sb_report *r)
{
	sb_doc_heading(r->d, 2, "careful", "What to be careful about");
	sb_doc_list(r->d, SB_TONE_PLAIN);
	for (size_t i = 0; i < SB_ARRAY_LEN(careful); i++) {
		if (!careful[i].applies(r))
			continue;
		sb_doc_item(r->d);
		sb_doc_strong(r->d, careful[i].label);
		sb_doc_text(r->d, ": ");
		careful[i].say(r);
	}
	for (size_t i = 0; i < r->s->n_notes; i++) {
		if (r->s->notes[i] == r->s->throttled)
			continue;
		sb_doc_item(r->d);
		sb_doc_stored(r->d, r->s->notes[i]);
		sb_doc_text(r->d, ".");
	}
}
