/* The small parts of a trial that everybody uses. */
#include "sb_experiment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const sb_purpose_names[] = { "timing", "trace", SB_STORE_COUNTERS, NULL };

void sb_trial_result_release(struct sb_trial_result *r)
{
	for (size_t i = 0; i < r->n_names; i++)
		free(r->names[i]);
	free(r->names);
	free(r->samples);
	free(r->rollup);
	free(r->trace);
	free(r->launches);
	free(r->timeline);
	*r = (struct sb_trial_result){ 0 };
}

double sb_trial_result_value(const struct sb_trial_result *r, const char *metric)
{
	for (size_t i = 0; i < r->n_samples; i++)
		if (!strcmp(r->samples[i].metric, metric) && !r->samples[i].value.absent)
			return r->samples[i].value.v;
	return NAN;
}
