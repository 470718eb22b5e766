#include "sb_reports.h"

#include "json_parts.h"

/* A fact that is a number should be one; "auto" stays a word. */
static json_t *number_of(const char *s)
{
	double x;

	return s && !sb_parse_double(s, "fact", -1e300, 1e300, &x, NULL) ? sb_json_number(x) : sb_json_text(s);
}

static json_t *texts(const char *const *list, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		sb_json_push(a, sb_json_text(list[i]));
	return a;
}

static json_t *whole_or_null(int n)
{
	return n ? json_integer(n) : json_null();
}

static void set_effect(json_t *o, const struct sb_effect *e)
{
	struct sb_value none = sb_value_absent(e->estimate.absent ? e->estimate.absent : "fewer than 6 pairs");

	sb_json_put_value(o, "estimate", e->estimate);
	sb_json_put_value(o, "lo", e->has_interval ? sb_value_of(e->lo) : none);
	sb_json_put_value(o, "hi", e->has_interval ? sb_value_of(e->hi) : none);
	sb_json_put(o, "pairs", json_integer(e->pairs));
}

static json_t *row_json(const struct sb_summary_row *row)
{
	static const char *const compare[] = {
		[SB_COMPARE_RATIO] = "ratio",
		[SB_COMPARE_DIFFERENCE] = "difference",
		[SB_COMPARE_PLAIN] = "none",
	};
	json_t *o = json_object();

	sb_json_put(o, "metric", sb_json_text(row->metric));
	sb_json_put(o, "label", sb_json_text(row->label));
	sb_json_put(o, "section", sb_json_text(sb_section_name(row->section)));
	sb_json_put(o, "unit", sb_json_text(sb_unit_name(row->unit)));
	sb_json_put_value(o, "before", row->before);
	sb_json_put_value(o, "after", row->after);
	sb_json_put(o, "effect", sb_json_text(compare[row->compare]));
	if (row->compare != SB_COMPARE_PLAIN)
		set_effect(o, &row->effect);
	else
		sb_json_put_value(o, "drift_one_ulp", row->drift_one_ulp);
	sb_json_put(o, "emulated", json_boolean(row->flags & SB_ROW_EMULATED));
	sb_json_put(o, "traced", json_boolean(row->flags & SB_ROW_TRACED));
	sb_json_put(o, "exact", json_boolean(row->flags & SB_ROW_EXACT));
	sb_json_put(o, "cautions", sb_json_cautions(row->cautions));
	sb_json_put(o, "note", sb_json_text(row->note));
	return o;
}

static json_t *group_json(const struct sb_summary_group *g)
{
	static const char *const kinds[] = {
		[SB_GROUP_MAIN] = "main",
		[SB_GROUP_FACTOR] = "factor",
		[SB_GROUP_BEST] = "best",
		[SB_GROUP_ARM] = "arm",
	};
	json_t *o = json_object(), *rows = json_array();

	sb_json_put(o, "kind", sb_json_text(kinds[g->kind]));
	sb_json_put(o, "factor", sb_json_text(g->factor));
	sb_json_put(o, "before", sb_json_text(g->before));
	sb_json_put(o, "after", sb_json_text(g->after));
	sb_json_put(o, "change", sb_json_text(g->change));
	sb_json_put(o, "emulated", json_boolean(g->emulated));
	sb_json_put(o, "notes", texts(g->notes, g->n_notes));
	for (size_t i = 0; i < g->n_rows; i++)
		sb_json_push(rows, row_json(&g->rows[i]));
	sb_json_put(o, "rows", rows);
	return o;
}

static json_t *claim_json(const struct sb_summary_claim *c)
{
	json_t *o = json_object();

	sb_json_put(o, "id", sb_json_text(c->id));
	sb_json_put(o, "label", sb_json_text(c->label));
	sb_json_put(o, "stated", sb_json_text(c->stated));
	sb_json_put(o, "expected", sb_json_text(c->expected));
	sb_json_put(o, "band_lo", sb_json_number(c->band_lo)); /* null: no lower edge */
	sb_json_put(o, "band_hi", sb_json_number(c->band_hi));
	sb_json_put(o, "before", sb_json_text(c->before));
	sb_json_put(o, "after", sb_json_text(c->after));
	sb_json_put(o, "unit", sb_json_text(sb_unit_name(c->unit)));
	set_effect(o, &c->effect);
	sb_json_put(o, "verdict", sb_json_text(sb_verdict_name(c->verdict)));
	sb_json_put(o, "reason", sb_json_text(c->reason));
	sb_json_put(o, "where", sb_json_text(c->where));
	sb_json_put(o, "cautions", sb_json_cautions(c->cautions));
	return o;
}

static json_t *outcomes_json(const int n[SB_OUTCOME_COUNT])
{
	json_t *o = json_object();

	for (int i = 0; i < SB_OUTCOME_COUNT; i++)
		sb_json_put(o, sb_outcome_names[i], json_integer(n[i]));
	return o;
}

static const char *first_message(const struct sb_summary_arm *a)
{
	for (int i = 0; i < SB_OUTCOME_COUNT; i++)
		if (a->messages[i])
			return a->messages[i];
	return NULL;
}

static json_t *messages_json(const struct sb_summary_arm *a)
{
	json_t *o = json_object();

	for (int i = 0; i < SB_OUTCOME_COUNT; i++)
		if (a->messages[i])
			sb_json_put(o, sb_outcome_names[i], sb_json_text(a->messages[i]));
	return o;
}

static json_t *arm_json(const struct sb_summary_arm *a)
{
	json_t *o = json_object();

	sb_json_put(o, "name", sb_json_text(a->name));
	sb_json_put(o, "levels", sb_json_text(a->levels));
	sb_json_put(o, "emulated", sb_json_text(a->emulated_parts));
	sb_json_put(o, "timing_trials", outcomes_json(a->n_trials[0]));
	sb_json_put(o, "trace_trials", outcomes_json(a->n_trials[1]));
	sb_json_put(o, "message", sb_json_text(first_message(a)));
	sb_json_put(o, "messages", messages_json(a));
	return o;
}

static json_t *switch_json(const struct sb_summary_switch *sw)
{
	static const char *const words[] = {
		[SB_EFFECT_UNKNOWN] = "unknown",
		[SB_EFFECT_YES] = "yes",
		[SB_EFFECT_NO] = "no",
	};
	json_t *o = json_object();

	sb_json_put(o, "factor", sb_json_text(sw->factor));
	sb_json_put(o, "in_effect", sb_json_text(words[sw->in_effect]));
	sb_json_put(o, "evidence", sb_json_text(sw->evidence));
	return o;
}

static json_t *run_json(const struct sb_summary *s)
{
	json_t *o = json_object();

	sb_json_put(o, "id", sb_json_text(s->run_id));
	sb_json_put(o, "status", sb_json_text(s->status));
	sb_json_put(o, "created", sb_json_time(s->created_ns));
	sb_json_put(o, "ended", sb_json_time(s->ended_ns));
	sb_json_put(o, "command", sb_json_text(s->command));
	sb_json_put(o, "note", sb_json_text(s->note));
	sb_json_put(o, "device", sb_json_text(s->device));
	sb_json_put(o, "device_kind", sb_json_text(s->device_kind));
	sb_json_put(o, "cpu", sb_json_text(s->cpu));
	sb_json_put(o, "host", sb_json_text(s->host));
	sb_json_put(o, "threads", whole_or_null(s->threads));
	sb_json_put(o, "memory_limit_bytes", s->memory_limit_bytes ? json_integer(s->memory_limit_bytes) : json_null());
	sb_json_put(o, "alloc_conf", sb_json_text(s->alloc_conf));
	sb_json_put(o, "accuracy_reference", sb_json_text(s->reference));
	return o;
}

static json_t *case_json(const struct sb_summary *s)
{
	json_t *o = json_object();

	sb_json_put(o, "workload", sb_json_text(s->workload));
	sb_json_put(o, "preset", sb_json_text(s->preset));
	sb_json_put(o, "frames", whole_or_null(s->frames));
	sb_json_put(o, "frames_note", sb_json_text(s->frames_note));
	sb_json_put(o, "width", whole_or_null(s->width));
	sb_json_put(o, "height", whole_or_null(s->height));
	sb_json_put(o, "clip", sb_json_text(s->clip));
	sb_json_put(o, "clip_note", sb_json_text(s->clip_note));
	sb_json_put(o, "clip_digest", sb_json_text(s->clip_digest));
	sb_json_put(o, "points", sb_json_text(s->points));
	sb_json_put(o, "inputs_note", sb_json_text(s->inputs_note));
	sb_json_put(o, "weights", sb_json_text(s->weights_kind));
	sb_json_put(o, "weights_digest", sb_json_text(s->weights_digest));
	sb_json_put(o, "params", sb_json_stored(s->params));
	return o;
}

static json_t *blocks_json(const struct sb_summary *s)
{
	json_t *o = json_object();

	sb_json_put(o, "timing", json_integer(s->blocks[0]));
	sb_json_put(o, "trace", json_integer(s->blocks[1]));
	sb_json_put(o, "timing_broken_off", json_integer(s->broken_off[0]));
	sb_json_put(o, "trace_broken_off", json_integer(s->broken_off[1]));
	sb_json_put(o, "asked_for", number_of(s->blocks_planned));
	sb_json_put(o, "budget_s", number_of(s->budget_s));
	sb_json_put(o, "stopped", sb_json_text(s->stop_reason));
	sb_json_put(o, "interval_level", sb_json_number(s->level[0]));
	sb_json_put(o, "trace_interval_level", sb_json_number(s->level[1]));
	sb_json_put(o, "trials", outcomes_json(s->n_trials));
	sb_json_put(o, "incomplete_traces", json_integer(s->incomplete_traces));
	sb_json_put_value(o, "trace_to_timing_lo", s->trace_to_timing_lo);
	sb_json_put_value(o, "trace_to_timing_hi", s->trace_to_timing_hi);
	return o;
}

static json_t *document(const struct sb_summary *s)
{
	json_t *root = json_object(), *arms = json_array(), *switches = json_array(), *groups = json_array(),
	       *claims = json_array();

	sb_json_put(root, "format", json_string("spabench-summary"));
	sb_json_put(root, "schema_version", json_integer(SB_REPORT_JSON_VERSION));
	sb_json_put(root, "run", run_json(s));
	sb_json_put(root, "case", case_json(s));
	sb_json_put(root, "blocks", blocks_json(s));
	for (size_t i = 0; i < s->n_arms; i++)
		sb_json_push(arms, arm_json(&s->arms[i]));
	sb_json_put(root, "arms", arms);
	for (size_t i = 0; i < s->n_switches; i++)
		sb_json_push(switches, switch_json(&s->switches[i]));
	sb_json_put(root, "switches", switches);
	sb_json_put(root, "notes", texts(s->notes, s->n_notes));
	for (size_t i = 0; i < s->n_groups; i++)
		sb_json_push(groups, group_json(&s->groups[i]));
	sb_json_put(root, "groups", groups);
	sb_json_put(root, "effects", sb_json_effects(s));
	for (size_t i = 0; i < s->n_claims; i++)
		sb_json_push(claims, claim_json(&s->claims[i]));
	sb_json_put(root, "claims", claims);
	sb_json_put(root, "claims_note", sb_json_text(s->claims_note));
	return root;
}

enum sb_status sb_report_json(const struct sb_summary *s, FILE *out, struct sb_error *err)
{
	sb_json_begin();
	return sb_json_write(document(s), out, err);
}
