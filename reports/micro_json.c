/* Micro-benchmarks for programs. */
#include "json_parts.h"
#include "reports_internal.h"

#include <math.h>

static struct sb_value known(double x, const char *otherwise)
{
	return isfinite(x) ? sb_value_of(x) : sb_value_absent(otherwise);
}

static json_t *time_json(const struct sb_report_micro_time *t)
{
	static const char few[] = "fewer than 6 samples";
	json_t *o = json_object(), *samples = json_array();

	sb_json_put(o, "cache", json_string(t->cache));
	sb_json_put(o, "median_ns", sb_json_number(t->median_ns));
	sb_json_put_value(o, "lo_ns", known(t->lo_ns, few));
	sb_json_put_value(o, "hi_ns", known(t->hi_ns, few));
	sb_json_put_value(o, "coverage", known(t->coverage, few));
	sb_json_put(o, "launches", json_integer(t->launches));
	sb_json_put_value(o, "flop_per_s", t->flop_per_s);
	sb_json_put_value(o, "flop_of_ceiling", t->flop_of_ceiling);
	sb_json_put_value(o, "bytes_per_s", t->bytes_per_s);
	sb_json_put_value(o, "bytes_of_ceiling", t->bytes_of_ceiling);
	for (int i = 0; i < t->n; i++)
		sb_json_push(samples, sb_json_number(t->samples_ns[i]));
	sb_json_put(o, "samples_ns", samples);
	return o;
}

static json_t *row_json(const struct sb_report_micro_row *r)
{
	const char *unchecked = isnan(r->error) && r->checked ? "an output is not a number" : "not checked";
	json_t *o = json_object(), *times = json_array();

	sb_json_put(o, "name", sb_json_text(r->name));
	sb_json_put(o, "shape", sb_json_text(r->shape));
	sb_json_put(o, "note", sb_json_text(r->note));
	sb_json_put(o, "calls", json_integer(r->calls));
	sb_json_put(o, "precision", sb_json_text(r->precision));
	sb_json_put(o, "attention", sb_json_text(r->attention));
	sb_json_put(o, "emulated", json_boolean(r->emulated));
	sb_json_put(o, "outcome", sb_json_text(r->outcome));
	sb_json_put(o, "detail", *r->detail ? sb_json_text(r->detail) : json_null());
	sb_json_put(o, "kernel", sb_json_text(r->kernel));
	sb_json_put_value(o, "flop", known(r->checked ? r->flop : NAN, unchecked));
	sb_json_put_value(o, "bytes", known(r->checked ? r->bytes : NAN, unchecked));
	sb_json_put_value(o, "error", known(r->error, unchecked));
	sb_json_put_value(o, "error_limit", known(r->limit, unchecked));
	sb_json_put(o, "outputs_checked", json_integer(r->checked));
	sb_json_put(o, "memory_bytes", json_integer(r->memory_bytes));
	for (int i = 0; i < r->n_times; i++)
		sb_json_push(times, time_json(&r->times[i]));
	sb_json_put(o, "times", times);
	return o;
}

enum sb_status sb_report_micro_json(const struct sb_report_micro *m, FILE *out, struct sb_error *err)
{
	json_t *root, *facts, *rows, *ceilings;

	sb_json_begin();
	root = json_object();
	facts = json_object();
	rows = json_array();
	ceilings = json_object();
	sb_json_put(root, "format", json_string("spabench-micro"));
	sb_json_put(root, "schema_version", json_integer(SB_REPORT_JSON_VERSION));
	sb_json_put(root, "title", sb_json_text(m->title));
	sb_json_put(root, "created", sb_json_time(m->created_ns));
	for (size_t i = 0; i < m->n_facts; i++)
		sb_json_put(facts, m->facts[i].key, sb_json_text(m->facts[i].value));
	sb_json_put(root, "environment", facts);
	sb_json_put_value(ceilings, "copy_bytes_per_s", m->copy_bytes_per_s);
	sb_json_put_value(ceilings, "product_fp32_flop_per_s", m->product_flop_per_s[0]);
	sb_json_put_value(ceilings, "product_tf32_flop_per_s", m->product_flop_per_s[1]);
	sb_json_put(root, "ceilings", ceilings);
	for (size_t i = 0; i < m->n_rows; i++)
		sb_json_push(rows, row_json(&m->rows[i]));
	sb_json_put(root, "rows", rows);
	sb_json_put(root, "verdict", sb_json_text(m->verdict));
	return sb_json_write(root, out, err);
}
