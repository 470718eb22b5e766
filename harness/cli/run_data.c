#include "run_data.h"

#include <stdlib.h>
#include <string.h>

void sb_run_data_release(struct sb_run_data *d)
{
	for (int i = 0; i < d->n_tables; i++)
		sb_summary_release(&d->tables[i]);
	free(d->tables);
	sb_samples_release(&d->samples);
	sb_trials_release(&d->trials);
	sb_run_release(&d->run);
	sb_store_close(d->st);
}

static enum sb_status summarise(struct sb_run_data *d, struct sb_error *err)
{
	int n = d->run.n_arms > 1 ? d->run.n_arms - 1 : 1;

	d->tables = calloc((size_t)n, sizeof(*d->tables));
	if (!d->tables)
		return sb_fail(err, SB_E_NOMEM, "no memory for the run's figures");
	for (; d->n_tables < n; d->n_tables++) {
		struct sb_summary_options opt = { .before = NULL };

		if (d->run.n_arms > 1)
			opt = (struct sb_summary_options){ .before = d->run.arms[0].name,
				.after = d->run.arms[d->n_tables + 1].name };
		if (sb_summary_compute(&d->run, &d->trials, &d->samples, &opt, &d->tables[d->n_tables], err))
			return err->code;
	}
	return SB_OK;
}

static enum sb_status find_arm(const char *name, struct sb_run_data *d, struct sb_error *err)
{
	struct sb_buf names = { 0 };

	d->arm = -1;
	for (int a = 0; name && a < d->run.n_arms; a++) {
		if (!strcmp(d->run.arms[a].name, name))
			d->arm = a;
		sb_buf_addf(&names, "%s%s", a ? ", " : "", d->run.arms[a].name);
	}
	if (name && d->arm < 0)
		sb_fail(err, SB_E_USAGE, "run '%.12s' has no arm '%.64s'; it has %.400s", d->run.id, name,
		        sb_buf_str(&names));
	sb_buf_release(&names);
	return name && d->arm < 0 ? SB_E_USAGE : SB_OK;
}

enum sb_status sb_run_data_read(
        const char *db, const char *run, const char *arm, struct sb_run_data *d, struct sb_error *err)
{
	enum sb_status status;
	int64_t key;

	*d = (struct sb_run_data){ .arm = -1 };
	status = sb_store_open(db, SB_STORE_READ, &d->st, err);
	if (status)
		return status;
	status = sb_store_find_run(d->st, run, &key, err);
	if (!status)
		status = sb_store_read_run(d->st, key, &d->run, err);
	if (!status)
		status = sb_store_read_trials(d->st, key, &d->trials, err);
	if (!status)
		status = sb_store_read_samples(d->st, key, &d->trials, &d->samples, err);
	if (!status)
		status = summarise(d, err);
	if (!status)
		status = find_arm(arm, d, err);
	if (status)
		sb_run_data_release(d);
	return status;
}

enum sb_status sb_run_refuse_ceilings(const struct sb_run *run, struct sb_error *err)
{
	if (strcmp(run->workload, SB_STORE_CEILINGS) != 0)
		return SB_OK;
	return sb_fail(err, SB_E_DATA,
	        "run %.12s is the ceilings that 'spabench micro' kept: no arm was timed; 'spabench show' has them, "
	        "'list' "
	        "the other runs",
	        run->id);
}
