#include "sb_reports.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports_internal.h"

/* Null for no text. Bytes that are not UTF-8 are escaped rather than lost. */
static json_t *text(const char *s)
{
	char clean[4096];
	json_t *out = s ? json_string(s) : json_null();

	if (out)
		return out;
	sb_escape(s, clean, sizeof(clean));
	return json_string(clean);
}

/* Nanoseconds and bytes are whole numbers, and stay so as long as a double tells them apart. */
static json_t *number(double x)
{
	if (!isfinite(x))
		return json_null();
	if (x == floor(x) && fabs(x) < 9007199254740992.0)
		return json_integer((json_int_t)x);
	return json_real(x);
}

/* "key": number, or "key": null and "key_absent": why. */
static void set_value(json_t *o, const char *key, struct sb_value v)
{
	char absent[64];

	json_object_set_new(o, key, v.absent ? json_null() : number(v.v));
	if (!v.absent)
		return;
	snprintf(absent, sizeof(absent), "%s_absent", key);
	json_object_set_new(o, absent, text(v.absent));
}

static json_t *texts(const char *const *list, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, text(list[i]));
	return a;
}

static json_t *whole_or_null(int n)
{
	return n ? json_integer(n) : json_null();
}

static json_t *when(int64_t ns)
{
	char iso[32];

	if (!ns)
		return json_null();
	sb_time_iso(ns, iso);
	return json_string(iso);
}

static void set_effect(json_t *o, const struct sb_effect *e)
{
	struct sb_value none = sb_value_absent(e->estimate.absent ? e->estimate.absent : "fewer than 6 pairs");

	set_value(o, "estimate", e->estimate);
	set_value(o, "lo", e->has_interval ? sb_value_of(e->lo) : none);
	set_value(o, "hi", e->has_interval ? sb_value_of(e->hi) : none);
	json_object_set_new(o, "pairs", json_integer(e->pairs));
}

static json_t *row_json(const struct sb_summary_row *row)
{
	static const char *const compare[] = {
		[SB_COMPARE_RATIO] = "ratio",
		[SB_COMPARE_DIFFERENCE] = "difference",
		[SB_COMPARE_PLAIN] = "none",
	};
	json_t *o = json_object();

	json_object_set_new(o, "metric", text(row->metric));
	json_object_set_new(o, "label", text(row->label));
	json_object_set_new(o, "section", text(sb_section_name(row->section)));
	json_object_set_new(o, "unit", text(sb_unit_name(row->unit)));
	set_value(o, "before", row->before);
	set_value(o, "after", row->after);
	json_object_set_new(o, "effect", text(compare[row->compare]));
	if (row->compare != SB_COMPARE_PLAIN)
		set_effect(o, &row->effect);
	else
		set_value(o, "drift_one_ulp", row->drift_one_ulp);
	json_object_set_new(o, "emulated", json_boolean(row->flags & SB_ROW_EMULATED));
	json_object_set_new(o, "traced", json_boolean(row->flags & SB_ROW_TRACED));
	json_object_set_new(o, "exact", json_boolean(row->flags & SB_ROW_EXACT));
	json_object_set_new(o, "note", text(row->note));
	return o;
}

static json_t *group_json(const struct sb_summary_group *g)
{
	static const char *const kinds[] = {
		[SB_GROUP_MAIN] = "main",
		[SB_GROUP_FACTOR] = "factor",
		[SB_GROUP_BEST] = "best",
	};
	json_t *o = json_object(), *rows = json_array();

	json_object_set_new(o, "kind", text(kinds[g->kind]));
	json_object_set_new(o, "factor", text(g->factor));
	json_object_set_new(o, "before", text(g->before));
	json_object_set_new(o, "after", text(g->after));
	json_object_set_new(o, "change", text(g->change));
	json_object_set_new(o, "emulated", json_boolean(g->emulated));
	json_object_set_new(o, "notes", texts(g->notes, g->n_notes));
	for (size_t i = 0; i < g->n_rows; i++)
		json_array_append_new(rows, row_json(&g->rows[i]));
	json_object_set_new(o, "rows", rows);
	return o;
}

static json_t *claim_json(const struct sb_summary_claim *c)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", text(c->id));
	json_object_set_new(o, "label", text(c->label));
	json_object_set_new(o, "stated", text(c->stated));
	json_object_set_new(o, "expected", text(c->expected));
	json_object_set_new(o, "band_lo", number(c->band_lo)); /* null: no lower edge */
	json_object_set_new(o, "band_hi", number(c->band_hi));
	json_object_set_new(o, "before", text(c->before));
	json_object_set_new(o, "after", text(c->after));
	json_object_set_new(o, "unit", text(sb_unit_name(c->unit)));
	set_effect(o, &c->effect);
	json_object_set_new(o, "verdict", text(sb_verdict_name(c->verdict)));
	json_object_set_new(o, "reason", text(c->reason));
	return o;
}

static json_t *outcomes_json(const int n[SB_OUTCOME_COUNT])
{
	json_t *o = json_object();

	for (int i = 0; i < SB_OUTCOME_COUNT; i++)
		json_object_set_new(o, sb_outcome_name((enum sb_outcome)i), json_integer(n[i]));
	return o;
}

static json_t *arm_json(const struct sb_summary_arm *a)
{
	json_t *o = json_object();

	json_object_set_new(o, "name", text(a->name));
	json_object_set_new(o, "levels", text(a->levels));
	json_object_set_new(o, "emulated", text(a->emulated_parts));
	json_object_set_new(o, "timing_trials", outcomes_json(a->n_trials[0]));
	json_object_set_new(o, "trace_trials", outcomes_json(a->n_trials[1]));
	json_object_set_new(o, "message", text(a->message));
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

	json_object_set_new(o, "factor", text(sw->factor));
	json_object_set_new(o, "in_effect", text(words[sw->in_effect]));
	json_object_set_new(o, "evidence", text(sw->evidence));
	return o;
}

static json_t *run_json(const struct sb_summary *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", text(s->run_id));
	json_object_set_new(o, "status", text(s->status));
	json_object_set_new(o, "created", when(s->created_ns));
	json_object_set_new(o, "ended", when(s->ended_ns));
	json_object_set_new(o, "command", text(s->command));
	json_object_set_new(o, "note", text(s->note));
	json_object_set_new(o, "device", text(s->device));
	json_object_set_new(o, "device_kind", text(s->device_kind));
	json_object_set_new(o, "cpu", text(s->cpu));
	json_object_set_new(o, "host", text(s->host));
	return o;
}

static json_t *case_json(const struct sb_summary *s)
{
	json_t *o = json_object(), *params = s->params ? json_loads(s->params, 0, NULL) : NULL;

	json_object_set_new(o, "workload", text(s->workload));
	json_object_set_new(o, "preset", text(s->preset));
	json_object_set_new(o, "frames", whole_or_null(s->frames));
	json_object_set_new(o, "width", whole_or_null(s->width));
	json_object_set_new(o, "height", whole_or_null(s->height));
	json_object_set_new(o, "clip", text(s->clip));
	json_object_set_new(o, "clip_note", text(s->clip_note));
	json_object_set_new(o, "clip_digest", text(s->clip_digest));
	json_object_set_new(o, "weights", text(s->weights_kind));
	json_object_set_new(o, "weights_digest", text(s->weights_digest));
	json_object_set_new(o, "params", params ? params : text(s->params));
	return o;
}

static json_t *blocks_json(const struct sb_summary *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "timing", json_integer(s->blocks[0]));
	json_object_set_new(o, "trace", json_integer(s->blocks[1]));
	json_object_set_new(o, "asked_for", text(s->blocks_planned));
	json_object_set_new(o, "budget_s", text(s->budget_s));
	json_object_set_new(o, "stopped", text(s->stop_reason));
	json_object_set_new(o, "interval_level", number(s->level));
	json_object_set_new(o, "trials", outcomes_json(s->n_trials));
	json_object_set_new(o, "incomplete_traces", json_integer(s->incomplete_traces));
	set_value(o, "tracer_cost", s->tracer_cost);
	return o;
}

static json_t *document(const struct sb_summary *s)
{
	json_t *root = json_object(), *arms = json_array(), *switches = json_array(), *groups = json_array(),
	       *claims = json_array();

	json_object_set_new(root, "format", json_string("spabench-summary"));
	json_object_set_new(root, "schema_version", json_integer(SB_REPORT_JSON_VERSION));
	json_object_set_new(root, "run", run_json(s));
	json_object_set_new(root, "case", case_json(s));
	json_object_set_new(root, "blocks", blocks_json(s));
	for (size_t i = 0; i < s->n_arms; i++)
		json_array_append_new(arms, arm_json(&s->arms[i]));
	json_object_set_new(root, "arms", arms);
	for (size_t i = 0; i < s->n_switches; i++)
		json_array_append_new(switches, switch_json(&s->switches[i]));
	json_object_set_new(root, "switches", switches);
	json_object_set_new(root, "notes", texts(s->notes, s->n_notes));
	for (size_t i = 0; i < s->n_groups; i++)
		json_array_append_new(groups, group_json(&s->groups[i]));
	json_object_set_new(root, "groups", groups);
	for (size_t i = 0; i < s->n_claims; i++)
		json_array_append_new(claims, claim_json(&s->claims[i]));
	json_object_set_new(root, "claims", claims);
	json_object_set_new(root, "claims_note", text(s->claims_note));
	return root;
}

static int append(const char *data, size_t n, void *buf)
{
	sb_buf_add(buf, data, n);
	return 0;
}

enum sb_status sb_report_json(const struct sb_summary *s, FILE *out, struct sb_error *err)
{
	json_t *root = document(s);
	struct sb_buf b = { 0 };
	enum sb_status status;

	if (!root || json_dump_callback(root, append, &b, JSON_INDENT(1) | JSON_REAL_PRECISION(15)))
		b.failed = true;
	sb_buf_puts(&b, "\n");
	status = sb_report_write(&b, out, err);
	sb_buf_release(&b);
	json_decref(root);
	return status;
}
