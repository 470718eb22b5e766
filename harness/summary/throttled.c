/* Trials during which the card held its clocks down: they are counted, not left out, for heat and power are real. */
#include "summary_internal.h"

#include <string.h>

#define REASON "device.throttled."

/* Trials whose sample of this metric is 1. *told: those that have one. */
static int count(const struct sb_samples *s, size_t metric, int *told)
{
	int n = 0;

	*told = 0;
	for (size_t i = 0; i < s->n_trials; i++) {
		size_t at = i * s->n_metrics + metric;

		*told += !s->absent[at];
		n += !s->absent[at] && s->value[at] != 0.0;
	}
	return n;
}

const char *sb_throttled_text(struct sb_view *v)
{
	const struct sb_samples *s = v->samples;
	int metric = sb_samples_metric(s, "device.throttled"), told, ignored, n, reasons = 0;
	struct sb_buf text = { 0 };

	n = metric < 0 ? 0 : count(s, (size_t)metric, &told);
	if (!n)
		return NULL;
	sb_buf_addf(&text, "%d of %d trials ran while throttled", n, told);
	for (size_t m = 0; m < s->n_metrics; m++) {
		int of = strncmp(s->metrics[m], REASON, strlen(REASON)) ? 0 : count(s, m, &ignored);

		if (!of)
			continue;
		sb_buf_addf(&text, "%s%s", reasons++ ? ", " : ": ", s->metrics[m] + strlen(REASON));
		if (of < n)
			sb_buf_addf(&text, " (%d)", of);
	}
	return sb_pool_take(v->pool, &text);
}
