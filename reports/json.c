#include "sb_reports.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports_internal.h"

/* Set when out of memory lost a part of the document: it is then not written. Building it passes through one thread. */
static _Thread_local bool lost;

static void put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		lost = true;
}

static void push(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		lost = true;
}

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

/* A fact that is a number should be one; "auto" stays a word. */
static json_t *number_of(const char *s)
{
	double x;

	return s && !sb_parse_double(s, "fact", -1e300, 1e300, &x, NULL) ? number(x) : text(s);
}

/* "key": number, or "key": null and "key_absent": why. */
static void set_value(json_t *o, const char *key, struct sb_value v)
{
	char absent[64];

	put(o, key, v.absent ? json_null() : number(v.v));
	if (!v.absent)
		return;
	snprintf(absent, sizeof(absent), "%s_absent", key);
	put(o, absent, text(v.absent));
}

static json_t *texts(const char *const *list, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		push(a, text(list[i]));
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
	put(o, "pairs", json_integer(e->pairs));
}

static json_t *row_json(const struct sb_summary_row *row)
{
	static const char *const compare[] = {
		[SB_COMPARE_RATIO] = "ratio",
		[SB_COMPARE_DIFFERENCE] = "difference",
		[SB_COMPARE_PLAIN] = "none",
	};
	json_t *o = json_object();

	put(o, "metric", text(row->metric));
	put(o, "label", text(row->label));
	put(o, "section", text(sb_section_name(row->section)));
	put(o, "unit", text(sb_unit_name(row->unit)));
	set_value(o, "before", row->before);
	set_value(o, "after", row->after);
	put(o, "effect", text(compare[row->compare]));
	if (row->compare != SB_COMPARE_PLAIN)
		set_effect(o, &row->effect);
	else
		set_value(o, "drift_one_ulp", row->drift_one_ulp);
	put(o, "emulated", json_boolean(row->flags & SB_ROW_EMULATED));
	put(o, "traced", json_boolean(row->flags & SB_ROW_TRACED));
	put(o, "exact", json_boolean(row->flags & SB_ROW_EXACT));
	put(o, "note", text(row->note));
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

	put(o, "kind", text(kinds[g->kind]));
	put(o, "factor", text(g->factor));
	put(o, "before", text(g->before));
	put(o, "after", text(g->after));
	put(o, "change", text(g->change));
	put(o, "emulated", json_boolean(g->emulated));
	put(o, "notes", texts(g->notes, g->n_notes));
	for (size_t i = 0; i < g->n_rows; i++)
		push(rows, row_json(&g->rows[i]));
	put(o, "rows", rows);
	return o;
}

static json_t *claim_json(const struct sb_summary_claim *c)
{
	json_t *o = json_object();

	put(o, "id", text(c->id));
	put(o, "label", text(c->label));
	put(o, "stated", text(c->stated));
	put(o, "expected", text(c->expected));
	put(o, "band_lo", number(c->band_lo)); /* null: no lower edge */
	put(o, "band_hi", number(c->band_hi));
	put(o, "before", text(c->before));
	put(o, "after", text(c->after));
	put(o, "unit", text(sb_unit_name(c->unit)));
	set_effect(o, &c->effect);
	put(o, "verdict", text(sb_verdict_name(c->verdict)));
	put(o, "reason", text(c->reason));
	return o;
}

static json_t *outcomes_json(const int n[SB_OUTCOME_COUNT])
{
	json_t *o = json_object();

	for (int i = 0; i < SB_OUTCOME_COUNT; i++)
		put(o, sb_outcome_names[i], json_integer(n[i]));
	return o;
}

static json_t *arm_json(const struct sb_summary_arm *a)
{
	json_t *o = json_object();

	put(o, "name", text(a->name));
	put(o, "levels", text(a->levels));
	put(o, "emulated", text(a->emulated_parts));
	put(o, "timing_trials", outcomes_json(a->n_trials[0]));
	put(o, "trace_trials", outcomes_json(a->n_trials[1]));
	put(o, "message", text(a->message));
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

	put(o, "factor", text(sw->factor));
	put(o, "in_effect", text(words[sw->in_effect]));
	put(o, "evidence", text(sw->evidence));
	return o;
}

static json_t *run_json(const struct sb_summary *s)
{
	json_t *o = json_object();

	put(o, "id", text(s->run_id));
	put(o, "status", text(s->status));
	put(o, "created", when(s->created_ns));
	put(o, "ended", when(s->ended_ns));
	put(o, "command", text(s->command));
	put(o, "note", text(s->note));
	put(o, "device", text(s->device));
	put(o, "device_kind", text(s->device_kind));
	put(o, "cpu", text(s->cpu));
	put(o, "host", text(s->host));
	return o;
}

static json_t *case_json(const struct sb_summary *s)
{
	json_t *o = json_object(), *params = s->params ? json_loads(s->params, 0, NULL) : NULL;

	put(o, "workload", text(s->workload));
	put(o, "preset", text(s->preset));
	put(o, "frames", whole_or_null(s->frames));
	put(o, "width", whole_or_null(s->width));
	put(o, "height", whole_or_null(s->height));
	put(o, "clip", text(s->clip));
	put(o, "clip_note", text(s->clip_note));
	put(o, "clip_digest", text(s->clip_digest));
	put(o, "weights", text(s->weights_kind));
	put(o, "weights_digest", text(s->weights_digest));
	put(o, "params", params ? params : text(s->params));
	return o;
}

static json_t *blocks_json(const struct sb_summary *s)
{
	json_t *o = json_object();

	put(o, "timing", json_integer(s->blocks[0]));
	put(o, "trace", json_integer(s->blocks[1]));
	put(o, "asked_for", number_of(s->blocks_planned));
	put(o, "budget_s", number_of(s->budget_s));
	put(o, "stopped", text(s->stop_reason));
	put(o, "interval_level", number(s->level));
	put(o, "trials", outcomes_json(s->n_trials));
	put(o, "incomplete_traces", json_integer(s->incomplete_traces));
	set_value(o, "tracer_cost", s->tracer_cost);
	return o;
}

static json_t *document(const struct sb_summary *s)
{
	json_t *root = json_object(), *arms = json_array(), *switches = json_array(), *groups = json_array(),
	       *claims = json_array();

	put(root, "format", json_string("spabench-summary"));
	put(root, "schema_version", json_integer(SB_REPORT_JSON_VERSION));
	put(root, "run", run_json(s));
	put(root, "case", case_json(s));
	put(root, "blocks", blocks_json(s));
	for (size_t i = 0; i < s->n_arms; i++)
		push(arms, arm_json(&s->arms[i]));
	put(root, "arms", arms);
	for (size_t i = 0; i < s->n_switches; i++)
		push(switches, switch_json(&s->switches[i]));
	put(root, "switches", switches);
	put(root, "notes", texts(s->notes, s->n_notes));
	for (size_t i = 0; i < s->n_groups; i++)
		push(groups, group_json(&s->groups[i]));
	put(root, "groups", groups);
	for (size_t i = 0; i < s->n_claims; i++)
		push(claims, claim_json(&s->claims[i]));
	put(root, "claims", claims);
	put(root, "claims_note", text(s->claims_note));
	return root;
}

static int append(const char *data, size_t n, void *buf)
{
	sb_buf_add(buf, data, n);
	return 0;
}

enum sb_status sb_report_json(const struct sb_summary *s, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { 0 };
	enum sb_status status;
	json_t *root;

	lost = false;
	root = document(s);
	if (lost || json_dump_callback(root, append, &b, JSON_INDENT(1) | JSON_REAL_PRECISION(15)))
		b.failed = true;
	sb_buf_puts(&b, "\n");
	status = sb_report_write(&b, out, err);
	sb_buf_release(&b);
	json_decref(root);
	return status;
}
