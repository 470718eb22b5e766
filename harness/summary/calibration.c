#include "sb_calibration.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static double smallest_that_passes(const struct sb_gate_calibration *c)
{
	for (int i = 0; i < SB_GATE_THRESHOLDS; i++)
		if (c->at[i].pass >= SB_CALIBRATION_PASS)
			return c->at[i].threshold;
	return NAN;
}

enum sb_status sb_calibrated_compute(
        const double *d, int n, int metrics, int gate_pairs, struct sb_calibrated *out, struct sb_error *err)
{
	struct sb_calibrated c = { .gate_pairs = gate_pairs, .threshold = NAN, .passes_from = NAN };
	struct sb_gate_options o = { .metrics = metrics };
	struct sb_gate_calibration brief;
	struct sb_error refused;

	if (sb_gate_calibrate(d, n, &o, 1, &c.full, err))
		return err->code;
	o.max_pairs = gate_pairs < SB_GATE_MAX_PAIRS ? gate_pairs : SB_GATE_MAX_PAIRS;
	if (o.max_pairs == SB_GATE_MAX_PAIRS)
		brief = c.full;
	else if (o.max_pairs < 1 || sb_gate_calibrate(d, n, &o, 1, &brief, &refused))
		c.gate_pairs = 0;
	if (c.gate_pairs) {
		c.threshold = smallest_that_passes(&brief);
		c.passes_from = brief.passes_from;
	}
	*out = c;
	return SB_OK;
}

/* JSON has no infinity and no NAN. */
static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *list_at(const struct sb_gate_calibration *c)
{
	json_t *list = json_array();

	for (int i = 0; i < SB_GATE_THRESHOLDS; i++)
		json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o}", "threshold", number(c->at[i].threshold),
		                                    "false_alarm", number(c->at[i].false_alarm), "false_alarm_upper",
		                                    number(c->at[i].false_alarm_upper), "pass", number(c->at[i].pass)));
	return list;
}

static json_t *list_need(const struct sb_gate_calibration *c)
{
	json_t *list = json_array();

	for (int i = 0; i < SB_GATE_EFFECTS; i++)
		json_array_append_new(list, json_pack("{s:o, s:i, s:o}", "effect", number(c->need[i].effect), "pairs",
		                                    c->need[i].pairs, "found", number(c->need[i].found)));
	return list;
}

char *sb_calibrated_format(const struct sb_calibrated *c)
{
	const struct sb_gate_calibration *f = &c->full;
	json_t *j = json_pack("{s:i, s:i, s:o, s:i, s:o, s:o, s:i, s:o, s:o, s:o, s:o}", "trials", c->trials, "pairs",
	        f->pairs, "p_two", number(f->p_two), "max_pairs", f->max_pairs, "passes_from", number(f->passes_from),
	        "smallest", number(f->smallest), "gate_pairs", c->gate_pairs, "gate_threshold", number(c->threshold),
	        "gate_passes_from", number(c->passes_from), "at", list_at(f), "need", list_need(f));
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	return text;
}

static double number_of(const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

bool sb_calibrated_parse(const char *text, struct sb_calibrated *out)
{
	json_t *j = json_loads(text, 0, NULL);
	const json_t *pairs = json_object_get(j, "gate_pairs");
	bool ok = json_is_integer(pairs) && json_integer_value(pairs) >= 0 && json_integer_value(pairs) <= 1000000;

	if (ok)
		*out = (struct sb_calibrated){ .trials = (int)json_integer_value(json_object_get(j, "trials")),
			.full = { .max_pairs = (int)json_integer_value(json_object_get(j, "max_pairs")),
			        .passes_from = number_of(j, "passes_from") },
			.gate_pairs = (int)json_integer_value(pairs),
			.threshold = number_of(j, "gate_threshold"),
			.passes_from = number_of(j, "gate_passes_from") };
	json_decref(j);
	return ok;
}
