/* The effects of switches for programs: lines of compare's CSV, an object of its JSON. */
#include <math.h>
#include <stdlib.h>

#include "effects.h"
#include "json_parts.h"

/* ---- CSV ------------------------------------------------------------------------------------------------------- */

/* No ratio is known to nine digits; bytes are. */
static void estimate(struct sb_csv *c, double x)
{
	char text[32];

	if (fabs(x) >= 1e6) {
		sb_csv_number(c, x);
		return;
	}

	snprintf(text, sizeof(text), "%.9g", x);
	sb_csv_number(c, isnan(x) ? x : strtod(text, NULL));
}

static void blanks(struct sb_csv *c, int n)
{
	while (n-- > 0)
		sb_csv_text(c, NULL);
}

/* The columns of sb_report_csv(); `factor` has both of an interaction, `group` says what kind of row it is. */
static void csv_row(struct sb_csv *c, const char *run_id, const struct sb_summary_lattice *l,
        const struct sb_summary_lattice_metric *m, const struct sb_summary_lattice_row *r)
{
	const struct sb_effect *e = &r->effect;
	bool pair = r->kind == SB_LATTICE_PAIR;
	char factor[128];

	snprintf(factor, sizeof(factor), "%s%s%s", r->factor < 0 ? "" : l->factors[r->factor], pair ? "+" : "",
	        pair ? l->factors[r->other] : "");
	sb_csv_text(c, run_id);
	sb_csv_text(c, sb_lattice_row_name(r->kind));
	sb_csv_text(c, factor);
	sb_csv_text(c, l->first);
	sb_csv_text(c, l->last);
	sb_csv_text(c, sb_section_name(m->section));
	sb_csv_text(c, m->metric);
	sb_csv_text(c, r->label);
	sb_csv_text(c, sb_unit_name(m->unit));
	blanks(c, 2); /* before, after */
	sb_csv_text(c, r->kind == SB_LATTICE_SHARE ? "share" : m->compare == SB_COMPARE_RATIO ? "ratio" : "difference");
	estimate(c, e->estimate.absent ? NAN : e->estimate.v);
	estimate(c, e->has_interval ? e->lo : NAN);
	estimate(c, e->has_interval ? e->hi : NAN);
	sb_csv_number(c, e->pairs);
	blanks(c, 1); /* one_ulp */
	sb_csv_number(c, m->emulated);
	sb_csv_number(c, 0); /* traced */
	blanks(c, 3);        /* exact, before_absent, after_absent */
	sb_csv_text(c, e->estimate.absent);
	sb_csv_text(c, *l->only ? l->only : NULL);
	sb_csv_end(c);
}

void sb_effects_csv(struct sb_csv *c, const struct sb_summary *s)
{
	for (size_t f = 0; f < s->n_lattices; f++) {
		const struct sb_summary_lattice *l = &s->lattices[f];

		for (size_t i = 0; i < l->n_metrics; i++)
			for (size_t k = 0; k < l->metrics[i].n_rows; k++)
				csv_row(c, s->run_id, l, &l->metrics[i], &l->metrics[i].rows[k]);
	}
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static void put_effect(json_t *o, const struct sb_effect *e)
{
	struct sb_value none = sb_value_absent(e->estimate.absent ? e->estimate.absent : "fewer than 6 blocks");

	sb_json_put_value(o, "estimate", e->estimate);
	sb_json_put_value(o, "lo", e->has_interval ? sb_value_of(e->lo) : none);
	sb_json_put_value(o, "hi", e->has_interval ? sb_value_of(e->hi) : none);
}

static json_t *row_json(const struct sb_summary_lattice *l, const struct sb_summary_lattice_row *r)
{
	json_t *o = json_object();
	bool at = r->kind == SB_LATTICE_AT;

	sb_json_put(o, "kind", sb_json_text(sb_lattice_row_name(r->kind)));
	sb_json_put(o, "factor", sb_json_text(r->factor < 0 ? NULL : l->factors[r->factor]));
	sb_json_put(o, "other", sb_json_text(r->other < 0 ? NULL : l->factors[r->other]));
	sb_json_put(o, "other_level", sb_json_text(at ? l->levels[r->other][r->on] : NULL));
	put_effect(o, &r->effect);
	return o;
}

static json_t *metric_json(const struct sb_summary_lattice *l, const struct sb_summary_lattice_metric *m)
{
	json_t *o = json_object(), *rows = json_array(), *sentences = json_array();

	sb_json_put(o, "metric", sb_json_text(m->metric));
	sb_json_put(o, "label", sb_json_text(m->label));
	sb_json_put(o, "section", sb_json_text(sb_section_name(m->section)));
	sb_json_put(o, "unit", sb_json_text(sb_unit_name(m->unit)));
	sb_json_put(o, "effect", sb_json_text(m->compare == SB_COMPARE_RATIO ? "ratio" : "difference"));
	sb_json_put(o, "emulated", json_boolean(m->emulated));
	sb_json_put(o, "blocks", json_integer(m->blocks));
	sb_json_put(o, "blocks_left_out", json_integer(m->left_out));
	for (size_t i = 0; i < m->n_rows; i++)
		sb_json_push(rows, row_json(l, &m->rows[i]));
	sb_json_put(o, "rows", rows);
	for (int i = 0; i < l->n_factors; i++) {
		struct sb_buf b = { 0 };

		if (sb_effects_sentence(&b, l, m, i))
			sb_json_push(sentences, b.failed ? NULL : sb_json_text(sb_buf_str(&b)));
		sb_buf_release(&b);
	}
	sb_json_put(o, "sentences", sentences);
	return o;
}

static json_t *lattice_json(const struct sb_summary_lattice *l)
{
	json_t *o = json_object(), *factors, *notes, *metrics;

	sb_json_put(o, "absent", sb_json_text(l->absent));
	if (l->absent)
		return o;
	sb_json_put(o, "factors", factors = json_array());
	for (int i = 0; i < l->n_factors; i++)
		sb_json_push(factors, sb_json_text(l->factors[i]));
	sb_json_put(o, "only", sb_json_text(*l->only ? l->only : NULL));
	sb_json_put(o, "before", sb_json_text(l->first));
	sb_json_put(o, "after", sb_json_text(l->last));
	sb_json_put(o, "arms", json_integer(l->n_arms));
	sb_json_put(o, "notes", notes = json_array());
	for (size_t i = 0; i < l->n_notes; i++)
		sb_json_push(notes, sb_json_text(l->notes[i]));
	sb_json_put(o, "metrics", metrics = json_array());
	for (size_t i = 0; i < l->n_metrics; i++)
		sb_json_push(metrics, metric_json(l, &l->metrics[i]));
	return o;
}

json_t *sb_json_effects(const struct sb_summary *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_lattices; i++)
		sb_json_push(list, lattice_json(&s->lattices[i]));
	return list;
}
