/* export timeline: a trace trial for Perfetto. */
#include "export.h"
#include "run_data.h"
#include "sb_trace_events.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static bool fits(const struct sb_export *e, int arm, const struct sb_trial *t)
{
	if (!t->trace || t->counters || strcmp(t->outcome, sb_outcome_names[SB_OUTCOME_OK]) != 0)
		return false;
	return (arm < 0 || t->arm == arm) && (e->block >= 0 ? t->block == e->block : t->trace_complete);
}

/* The arm that is not named is the first; so blocks, which run arms in a random order, do not decide. */
static enum sb_status choose(const struct sb_export *e, const struct sb_run_data *d, size_t *out, struct sb_error *err)
{
	size_t best = d->trials.n;

	for (size_t i = 0; i < d->trials.n; i++) {
		const struct sb_trial *t = &d->trials.v[i];

		if (fits(e, d->arm, t) && (best == d->trials.n || t->arm < d->trials.v[best].arm))
			best = i;
	}
	*out = best;
	if (best < d->trials.n)
		return SB_OK;
	if (e->block >= 0)
		return sb_fail(err, SB_E_DATA, "run '%.12s' has no trace trial of that arm in block %d that went well",
		        d->run.id, e->block);
	return sb_fail(err, SB_E_DATA, "run '%.12s' has no complete trace trial%s; run with --trace-blocks 1 or more",
	        d->run.id, d->arm >= 0 ? " of that arm" : "");
}

static int64_t ns_of(double ms)
{
	return (int64_t)llround(ms * 1e6);
}

static enum sb_status write_events(const struct sb_export *e, const struct sb_trace_events *t, struct sb_error *err)
{
	struct sb_trace_events_count count;
	struct sb_export_target target;
	enum sb_status status = sb_export_begin(e, &target, err);
	char shown[256];

	if (!status)
		status = sb_export_finish(&target, sb_report_trace_events(t, target.f, &count, err), err);
	if (status || !target.to_file)
		return status;
	sb_escape(e->out, shown, sizeof(shown));
	printf("wrote %s: %zu activities, %zu calls, %zu stages, %zu counter values; arm %s, block %d\n", shown,
	        count.activities, count.calls, count.stages, count.counters, t->run->arms[t->trial->arm].name,
	        t->trial->block);
	return SB_OK;
}

static enum sb_status write_trial(
        const struct sb_export *e, const struct sb_run_data *d, size_t trial, struct sb_error *err)
{
	const struct sb_trial *t = &d->trials.v[trial];
	struct sb_trace_rows rows = { .v = NULL };
	struct sb_rollups rollups = { .v = NULL };
	struct sb_timeline_row timeline = { .data = NULL };
	enum sb_status status = sb_store_read_trace(d->st, t->key, &rows, err);

	if (!status)
		status = sb_store_read_rollup(d->st, t->key, &rollups, err);
	if (!status)
		status = sb_store_read_timeline(d->st, t->key, &timeline, err);
	if (!status && !rows.n)
		status = sb_fail(err, SB_E_DATA, "block %d, arm '%.60s': its trace rows are not in this database",
		        t->block, d->run.arms[t->arm].name);
	if (!status) {
		const struct sb_trace_events events = { &d->run, t, &rows, &rollups, &timeline, &d->samples, trial,
			e->stage, ns_of(e->from_ms), isnan(e->to_ms) ? INT64_MAX : ns_of(e->to_ms) };

		status = write_events(e, &events, err);
	}
	sb_timeline_row_release(&timeline);
	sb_rollups_release(&rollups);
	sb_trace_rows_release(&rows);
	return status;
}

enum sb_status sb_export_timeline(const struct sb_export *e, struct sb_error *err)
{
	struct sb_run_data d;
	enum sb_status status = sb_run_data_read(e->db, e->run, e->arm, &d, err);
	size_t trial;

	if (status)
		return status;
	status = choose(e, &d, &trial, err);
	if (!status)
		status = write_trial(e, &d, trial, err);
	sb_run_data_release(&d);
	return status;
}
