#include "sb_old_runs.h"
#include "between_runs.h"
#include "sb_fingerprint.h"
#include "summary_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL      0.95
#define TRIALS_MAX 256 /* of a process that count */

/* One arm of one run, process by process. */
struct arm_of_run {
	struct sb_run run;
	struct sb_trials trials;
	struct sb_samples samples;
	struct sb_buf fp_case, fp_machine;
	int arm, group, n_trials; /* group: of one build and arm */
	const char *build_id;
	int64_t process[SB_OLD_PROCESSES_MAX];
	int n;
};

struct work {
	const struct sb_old_ref *ref;
	struct arm_of_run *v; /* [0] and [1] are the sides */
	int n, n_groups;
	struct sb_old_runs *out;
};

/* ---- reading --------------------------------------------------------------------------------------------------- */

static void release(struct arm_of_run *a)
{
	sb_samples_release(&a->samples);
	sb_trials_release(&a->trials);
	sb_run_release(&a->run);
	sb_buf_release(&a->fp_case);
	sb_buf_release(&a->fp_machine);
	*a = (struct arm_of_run){ .n = 0 };
}

static bool counts(const struct arm_of_run *a, const struct sb_trial *t)
{
	return t->arm == a->arm && !t->trace && !t->counters && !strcmp(t->outcome, sb_outcome_names[SB_OUTCOME_OK]);
}

static const char *build_of(const struct sb_run *run, int64_t worker)
{
	for (size_t i = 0; i < run->n_workers; i++)
		if (run->workers[i].key == worker)
			return run->workers[i].build_id;
	return "";
}

static void index_processes(struct arm_of_run *a)
{
	for (size_t i = 0; i < a->trials.n; i++) {
		const struct sb_trial *t = &a->trials.v[i];
		int k = 0;

		if (!counts(a, t))
			continue;
		while (k < a->n && a->process[k] != t->worker)
			k++;
		if (k == SB_OLD_PROCESSES_MAX)
			continue;
		if (k == a->n)
			a->process[a->n++] = t->worker;
		a->n_trials++;
	}
	a->build_id = a->n ? build_of(&a->run, a->process[0]) : "";
}

static enum sb_status read_trials(struct sb_store *st, int64_t key, struct arm_of_run *a, struct sb_error *err)
{
	enum sb_status status = sb_store_read_trials(st, key, &a->trials, err);

	if (!status)
		status = sb_store_read_samples(st, key, &a->trials, &a->samples, err);
	if (!status)
		index_processes(a);
	return status;
}

static enum sb_status read_run(struct sb_store *st, int64_t key, struct arm_of_run *a, struct sb_error *err)
{
	enum sb_status status = sb_store_read_run(st, key, &a->run, err);

	if (!status) {
		sb_fingerprint_case(&a->run, &a->fp_case);
		sb_fingerprint_machine(&a->run, &a->fp_machine);
	}
	return status;
}

static enum sb_status find_arm(struct arm_of_run *a, const char *name, struct sb_error *err)
{
	const char *wanted = name ? name : "after";

	for (int i = 0; i < a->run.n_arms; i++) {
		if (strcmp(a->run.arms[i].name, wanted) != 0 && (name || a->run.n_arms > 1))
			continue;
		a->arm = i;
		return SB_OK;
	}
	return sb_fail(
	        err, SB_E_USAGE, "run %.8s has no arm '%.64s'%s", a->run.id, wanted, name ? "" : "; name one: RUN/ARM");
}

static enum sb_status read_side(struct work *w, int side, struct sb_error *err)
{
	const struct sb_old_ref *ref = &w->ref[side];
	struct arm_of_run *a = &w->v[side];
	enum sb_status status = read_run(ref->st, ref->run_key, a, err);

	if (!status)
		status = find_arm(a, ref->arm, err);
	if (!status)
		status = read_trials(ref->st, ref->run_key, a, err);
	if (!status && !a->n)
		status = sb_fail(err, SB_E_DATA, "run %.8s: arm '%.64s' has no timing trial that ended well", a->run.id,
		        a->run.arms[a->arm].name);
	return status;
}

static enum sb_status check_sides(struct work *w, struct sb_error *err)
{
	const struct arm_of_run *a = &w->v[0], *b = &w->v[1];
	char text[320];

	if (sb_fingerprint_difference(sb_buf_str(&a->fp_case), sb_buf_str(&b->fp_case), text, sizeof(text)))
		return sb_fail(err, SB_E_USAGE, "runs %.8s and %.8s measured different things: %s", a->run.id,
		        b->run.id, text);
	if (!strcmp(a->run.id, b->run.id) && a->arm == b->arm)
		return sb_fail(err, SB_E_USAGE, "arm '%.40s' of run %.8s cannot be compared with itself",
		        a->run.arms[a->arm].name, a->run.id);
	if (sb_fingerprint_difference(sb_buf_str(&a->fp_machine), sb_buf_str(&b->fp_machine), text, sizeof(text)))
		w->out->machines = sb_pool_str(w->out->pool, text);
	return SB_OK;
}

/* ---- what else there is of the same ------------------------------------------------------------------------------ */

static const char *levels_of(const struct arm_of_run *a)
{
	return a->run.arms[a->arm].levels;
}

/* A pass that was made longer for a test says nothing of the machine. */
static bool is_planted(const struct arm_of_run *a)
{
	return sb_run_fact(&a->run, a->arm ? "planted.B" : "planted.A") != NULL;
}

static bool same_kind(const struct arm_of_run *a, const struct arm_of_run *b)
{
	return !strcmp(levels_of(a), levels_of(b)) && !strcmp(a->build_id, b->build_id);
}

/* Runs of another case or machine need not be read further. */
static bool may_belong(const struct work *w, const struct arm_of_run *a)
{
	return strcmp(a->run.status, "running") != 0 &&
	       !strcmp(sb_buf_str(&a->fp_case), sb_buf_str(&w->v[0].fp_case)) &&
	       !strcmp(sb_buf_str(&a->fp_machine), sb_buf_str(&w->v[0].fp_machine));
}

static bool is_known(const struct work *w, const struct arm_of_run *a)
{
	for (int i = 0; i < w->n; i++)
		if (!strcmp(w->v[i].run.id, a->run.id) && w->v[i].group == a->group)
			return true;
	return false;
}

/* One arm of the stored run, if it is of the kind of a side; a run counts once for each kind. */
static enum sb_status add_arm(struct work *w, struct sb_store *st, int64_t key, int side, int arm, struct sb_error *err)
{
	struct arm_of_run *a = &w->v[w->n];
	enum sb_status status = read_run(st, key, a, err);

	a->arm = arm;
	a->group = w->v[side].group;
	if (!status && !is_known(w, a) && !is_planted(a))
		status = read_trials(st, key, a, err);
	if (!status && a->n && same_kind(a, &w->v[side]))
		w->n++;
	else
		release(a);
	return status;
}

static enum sb_status add_run(struct work *w, struct sb_store *st, int64_t key, struct sb_error *err)
{
	struct arm_of_run look = { .n = 0 };
	enum sb_status status = read_run(st, key, &look, err);

	for (int side = 0; side < 2 && !status && may_belong(w, &look); side++)
		for (int arm = 0; arm < look.run.n_arms && !status && w->n < SB_OLD_HISTORY_MAX; arm++)
			if (!is_planted(&w->v[side]) && !strcmp(look.run.arms[arm].levels, levels_of(&w->v[side])))
				status = add_arm(w, st, key, side, arm, err);
	release(&look);
	return status;
}

static enum sb_status read_history(struct work *w, struct sb_store *st, struct sb_error *err)
{
	struct sb_run_lines lines;
	enum sb_status status = sb_store_list_runs(st, &lines, err);

	if (status)
		return status;
	for (size_t i = 0; i < lines.n && !status && w->n < SB_OLD_HISTORY_MAX; i++) {
		int64_t key;

		status = sb_store_find_run(st, lines.v[i].id, &key, err);
		if (!status)
			status = add_run(w, st, key, err);
	}
	sb_run_lines_release(&lines);
	return status;
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

/* A process's median of a metric; NAN where a trial of it has none. */
static double process_value(const struct arm_of_run *a, int process, int metric)
{
	double v[TRIALS_MAX], scratch[TRIALS_MAX];
	int n = 0;

	for (size_t i = 0; i < a->trials.n && n < TRIALS_MAX; i++) {
		if (!counts(a, &a->trials.v[i]) || a->trials.v[i].worker != a->process[process])
			continue;
		v[n] = a->samples.value[i * a->samples.n_metrics + (size_t)metric];
		if (!isfinite(v[n++]))
			return NAN;
	}
	return n ? sb_stats_median(v, n, scratch) : NAN;
}

static int values(const struct arm_of_run *a, const char *metric, double *out)
{
	int m = sb_samples_metric(&a->samples, metric), n = 0;

	for (int k = 0; k < a->n && m >= 0; k++) {
		double x = process_value(a, k, m);

		if (isfinite(x))
			out[n++] = x;
	}
	return n;
}

static int logs(const struct arm_of_run *a, const char *metric, double *out)
{
	int n = values(a, metric, out), kept = 0;

	for (int k = 0; k < n; k++)
		if (out[k] > 0.0)
			out[kept++] = log(out[k]);
	return kept;
}

static void compare(const struct work *w, const struct sb_run_logs *l, struct sb_old_row *r)
{
	double df, between;
	struct sb_interval i;

	sb_between_runs_compare(l, LEVEL, &i, &between, &df);
	if (w->out->machines)
		i.has_interval = false;
	r->between = isfinite(between) ? sb_value_of(sqrt(between)) : sb_value_absent("no two runs of one build");
	r->df = isfinite(between) ? df : NAN;
	r->log_ratio = i;
	r->ratio = (struct sb_effect){ .estimate = isfinite(i.mid) ? sb_value_of(exp(i.mid))
		                                                   : sb_value_absent("not above 0"),
		.pairs = i.n,
		.has_interval = i.has_interval,
		.lo = i.has_interval ? exp(i.lo) : NAN,
		.hi = i.has_interval ? exp(i.hi) : NAN };
}

/* ---- cautions -------------------------------------------------------------------------------------------------- */

/* What is looked at of one side. */
struct series {
	double time[SB_SAMPLE_MAX], mhz[SB_SAMPLE_MAX];
	bool held;
	int n;
};

static double value_of(const struct arm_of_run *a, size_t trial, int metric)
{
	return metric < 0 ? NAN : a->samples.value[trial * a->samples.n_metrics + (size_t)metric];
}

/* Mean of a metric that not every trial has. */
static double process_mean(const struct arm_of_run *a, int process, int metric)
{
	double sum = 0.0;
	int n = 0;

	for (size_t i = 0; i < a->trials.n; i++) {
		double x = value_of(a, i, metric);

		if (!counts(a, &a->trials.v[i]) || a->trials.v[i].worker != a->process[process] || !isfinite(x))
			continue;
		sum += x;
		n++;
	}
	return n ? sum / n : NAN;
}

static void add(struct series *s, double time, double mhz)
{
	if (s->n == SB_SAMPLE_MAX || !isfinite(time))
		return;
	s->time[s->n] = time;
	s->mhz[s->n++] = mhz;
}

static void fill_series(const struct arm_of_run *a, const char *metric, bool by_process, struct series *s)
{
	int time = sb_samples_metric(&a->samples, metric), mhz = sb_samples_metric(&a->samples, "sm_mhz");
	int held = sb_samples_metric(&a->samples, "device.throttled");

	s->n = 0;
	s->held = false;
	for (int k = 0; k < a->n && by_process; k++)
		add(s, process_value(a, k, time), process_mean(a, k, mhz));
	for (size_t i = 0; i < a->trials.n; i++) {
		if (!counts(a, &a->trials.v[i]))
			continue;
		s->held |= value_of(a, i, held) > 0.0;
		if (!by_process)
			add(s, value_of(a, i, time), value_of(a, i, mhz));
	}
}

static unsigned cautions_of(const struct work *w, const char *metric, const struct sb_interval *shown)
{
	const struct arm_of_run *a = &w->v[0], *b = &w->v[1];
	bool by_process = a->n >= SB_STATS_MIN_PAIRS && b->n >= SB_STATS_MIN_PAIRS;
	bool none_shown = shown->has_interval && shown->lo <= 0.0 && shown->hi >= 0.0;
	struct sb_caution_series of[2];
	struct series s[2];
	unsigned found;

	for (int side = 0; side < 2; side++) {
		fill_series(&w->v[side], metric, by_process, &s[side]);
		of[side] = (struct sb_caution_series){ s[side].time, s[side].mhz, s[side].n, s[side].held };
	}
	found = sb_cautions_of_two(of, LEVEL);
	return none_shown ? found & ~(unsigned)SB_CAUTION_CLOCK : found;
}

/* ---- the table ------------------------------------------------------------------------------------------------- */

static bool all_same(const double *v, int n)
{
	for (int i = 1; i < n; i++)
		if (v[i] != v[0])
			return false;
	return true;
}

static bool fill_row(struct work *w, const char *metric, const struct sb_metric_info *info, struct sb_run_logs *l,
        struct sb_old_row *r)
{
	double v[SB_OLD_PROCESSES_MAX], scratch[SB_OLD_PROCESSES_MAX];
	char label[SB_STATS_SMALL + 64];

	*r = (struct sb_old_row){ .unit = info->unit, .section = info->section };
	r->exact = sb_pair_is_exact(info, metric);
	for (int side = 0; side < 2; side++) {
		r->n[side] = values(&w->v[side], metric, v);
		if (!r->n[side])
			return false;
		r->median[side] = sb_stats_median(v, r->n[side], scratch);
		r->exact &= all_same(v, r->n[side]);
		r->least[side] = r->most[side] = v[0];
		for (int k = 1; k < r->n[side]; k++) {
			r->least[side] = fmin(r->least[side], v[k]);
			r->most[side] = fmax(r->most[side], v[k]);
		}
	}
	l->n_runs = w->n;
	l->n_groups = w->n_groups;
	for (int i = 0; i < w->n; i++) {
		l->n[i] = logs(&w->v[i], metric, l->v[i]);
		l->group[i] = w->v[i].group;
		l->run[i] = w->v[i].run.id;
	}
	compare(w, l, r);
	if (r->unit == SB_UNIT_TIME)
		r->cautions = cautions_of(w, metric, &r->log_ratio);
	r->metric = sb_pool_str(w->out->pool, metric);
	sb_metric_label(info, metric, label, sizeof(label));
	r->label = sb_pool_str(w->out->pool, label);
	return true;
}

static enum sb_status fill_rows(struct work *w, struct sb_error *err)
{
	const struct sb_samples *s = &w->v[0].samples;
	struct sb_old_runs *out = w->out;
	struct sb_run_logs *l = malloc(sizeof(*l));

	out->rows = calloc(s->n_metrics + 1, sizeof(*out->rows));
	for (int k = 0; l && out->rows && k < sb_metric_table_len; k++)
		for (size_t m = 0; m < s->n_metrics; m++)
			if (sb_metric_find(s->metrics[m]) == k &&
			        sb_pair_is_compared(&sb_metric_table[k], s->metrics[m]))
				out->n_rows +=
				        fill_row(w, s->metrics[m], &sb_metric_table[k], l, &out->rows[out->n_rows]);
	if (!l || !out->rows) {
		free(l);
		return sb_fail(err, SB_E_NOMEM, "no memory for a table of two runs");
	}
	free(l);
	if (!out->n_rows)
		return sb_fail(
		        err, SB_E_DATA, "runs %.8s and %.8s have no metric in common", w->v[0].run.id, w->v[1].run.id);
	return SB_OK;
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static void describe(struct work *w)
{
	struct sb_old_runs *out = w->out;
	bool any = false;

	for (int side = 0; side < 2; side++) {
		const struct arm_of_run *a = &w->v[side];

		out->side[side] = (struct sb_old_side){ .run_id = sb_pool_str(out->pool, a->run.id),
			.arm = sb_pool_str(out->pool, a->run.arms[a->arm].name),
			.levels = sb_pool_str(out->pool, levels_of(a)),
			.build_id = sb_pool_str(out->pool, a->build_id),
			.created_ns = a->run.created_ns,
			.processes = a->n,
			.trials = a->n_trials };
	}
	out->level = LEVEL;
	out->history = w->n;
	for (size_t i = 0; i < out->n_rows; i++)
		any |= !out->rows[i].exact && out->rows[i].ratio.has_interval;
	if (out->machines)
		out->why_no_interval = "what differs between machines is not known from one of each";
	else if (!any)
		out->why_no_interval = "what differs between runs is not known: that takes two or more runs of one "
		                       "build with an arm, the case and the machine of these, of no more "
		                       "processes than they have";
}

static enum sb_status build(struct work *w, struct sb_error *err)
{
	enum sb_status status = read_side(w, 0, err);

	if (!status)
		status = read_side(w, 1, err);
	if (!status)
		status = check_sides(w, err);
	if (status)
		return status;
	w->v[1].group = same_kind(&w->v[0], &w->v[1]) && !is_planted(&w->v[0]) && !is_planted(&w->v[1]) ? 0 : 1;
	w->n_groups = w->v[1].group + 1;
	w->n = 2;
	if (!w->out->machines)
		status = read_history(w, w->ref[0].st, err);
	if (!status && !w->out->machines && w->ref[1].st != w->ref[0].st)
		status = read_history(w, w->ref[1].st, err);
	if (!status)
		status = fill_rows(w, err);
	if (status)
		return status;
	describe(w);
	return sb_pool_failed(w->out->pool) ? sb_fail(err, SB_E_NOMEM, "no memory for a table of two runs") : SB_OK;
}

enum sb_status sb_old_runs_build(const struct sb_old_ref ref[2], struct sb_old_runs *out, struct sb_error *err)
{
	struct work w = { .ref = ref, .out = out };
	enum sb_status status;

	*out = (struct sb_old_runs){ .pool = sb_pool_new() };
	w.v = calloc(SB_OLD_HISTORY_MAX, sizeof(*w.v));
	if (!w.v || !out->pool)
		status = sb_fail(err, SB_E_NOMEM, "no memory for a table of two runs");
	else
		status = build(&w, err);
	for (int i = 0; w.v && i < SB_OLD_HISTORY_MAX; i++)
		release(&w.v[i]);
	free(w.v);
	if (status)
		sb_old_runs_release(out);
	return status;
}

void sb_old_runs_release(struct sb_old_runs *r)
{
	if (r->pool)
		sb_pool_free(r->pool);
	free(r->rows);
	*r = (struct sb_old_runs){ .n_rows = 0 };
}
