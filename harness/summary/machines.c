#include "sb_machines.h"
#include "summary_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sb_gate.h"

#define LEVEL      0.95
#define RUNS_MAX   512
#define PAIRS_FACT "pairs.kind" /* of a run of pairs of processes, which has blocks of another kind */
#define LABEL_TAIL 6            /* characters of a UUID that tell two cards of one host apart */

struct member {
	struct sb_summary s;
	size_t machine;
	char uuid[96], group[40], build[96];
};

struct work {
	struct sb_store *st;
	const struct sb_summary_options *opt;
	struct sb_machines *out;
	struct member *member; /* [0] is the run that was asked for */
	size_t n;
	bool left_out; /* more runs than RUNS_MAX */
};

/* ---- which runs ------------------------------------------------------------------------------------------------- */

static void take_text(char *out, size_t n, const char *text)
{
	snprintf(out, n, "%s", text ? text : "");
}

/* Is it a run that can be set beside others at all? */
static bool is_usable(const struct sb_run *run)
{
	return strcmp(run->status, "running") != 0 && !sb_run_fact(run, PAIRS_FACT) && run->n_arms > 1 &&
	       run->n_workers > 0;
}

/* Cheaper than a summary of every run of a large database. */
static bool may_be_same(const struct sb_run *run, const struct work *w)
{
	const struct sb_summary *first = &w->member[0].s;
	const char *group = sb_run_fact(run, "group.id");

	if (w->member[0].group[0] && (!group || strcmp(group, w->member[0].group) != 0))
		return false;
	return !strcmp(run->workload, first->workload) && !strcmp(run->preset, first->preset) &&
	       (size_t)run->n_arms == first->n_arms;
}

static enum sb_status add_member(
        struct work *w, int64_t key, const struct sb_run *run, bool *other, struct sb_error *err)
{
	struct member *m = &w->member[w->n];
	char text[320];
	enum sb_status status = sb_summary_build(w->st, key, w->opt, &m->s, err);

	*other = false;
	if (status)
		return status;
	*other = w->n && sb_same_case(&w->member[0].s, &m->s, text, sizeof(text));
	if (*other || !m->s.n_groups || !m->s.groups[0].after || m->s.blocks[0] < 1) {
		sb_summary_release(&m->s);
		return SB_OK;
	}
	take_text(m->uuid, sizeof(m->uuid), run->workers[0].device_uuid);
	take_text(m->build, sizeof(m->build), run->workers[0].build_id);
	take_text(m->group, sizeof(m->group), sb_run_fact(run, "group.id"));
	w->n++;
	return SB_OK;
}

static enum sb_status look_at_run(struct work *w, int64_t key, bool first, struct sb_error *err)
{
	struct sb_run run;
	bool other = false;
	enum sb_status status = sb_store_read_run(w->st, key, &run, err);

	if (status)
		return status;
	if (first && !is_usable(&run))
		status = sb_fail(err, SB_E_USAGE, "run %.8s cannot be set beside others: %s", run.id,
		        sb_run_fact(&run, PAIRS_FACT)        ? "it is one of pairs of processes"
		        : strcmp(run.status, "running") == 0 ? "it is not over"
		                                             : "it has one arm, or no worker");
	else if (is_usable(&run) && (first || may_be_same(&run, w)))
		status = add_member(w, key, &run, &other, err);
	else
		other = is_usable(&run);
	w->out->n_other_case += other;
	if (!status && first && !w->n)
		status = sb_fail(err, SB_E_USAGE, "run %.8s has no whole block of two arms", run.id);
	sb_run_release(&run);
	return status;
}

static enum sb_status find_runs(struct work *w, int64_t run_key, struct sb_error *err)
{
	struct sb_run_lines lines;
	enum sb_status status = look_at_run(w, run_key, true, err);

	if (status)
		return status;
	status = sb_store_list_runs(w->st, &lines, err);
	if (status)
		return status;
	for (size_t i = 0; !status && i < lines.n; i++) {
		int64_t key;

		if (!strcmp(lines.v[i].id, w->member[0].s.run_id))
			continue;
		w->left_out |= w->n == RUNS_MAX;
		if (w->n == RUNS_MAX)
			break;
		status = sb_store_find_run(w->st, lines.v[i].id, &key, err);
		if (!status)
			status = look_at_run(w, key, false, err);
	}
	sb_run_lines_release(&lines);
	return status;
}

/* ---- which machines --------------------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : !a && !b;
}

/* A card by its UUID, wherever it sits; where there is none, the host with its processor and device. */
static bool same_machine(const struct sb_machine *a, const struct sb_machine *b)
{
	if (a->uuid || b->uuid)
		return same(a->uuid, b->uuid);
	return same(a->host, b->host) && same(a->device, b->device) && same(a->cpu, b->cpu);
}

static void describe(struct work *w, const struct member *m, struct sb_machine *out)
{
	struct sb_summary_pool *p = w->out->pool;

	*out = (struct sb_machine){ .host = sb_pool_str(p, m->s.host),
		.device = sb_pool_str(p, m->s.device),
		.cpu = sb_pool_str(p, m->s.cpu),
		.uuid = m->uuid[0] ? sb_pool_str(p, m->uuid) : NULL };
}

static const char *label_of(struct work *w, const struct sb_machine *m, bool with_uuid)
{
	size_t n = m->uuid ? strlen(m->uuid) : 0;
	const char *host = m->host ? m->host : "unknown host", *device = m->device ? m->device : "unknown device";

	if (with_uuid && n)
		return sb_pool_fmt(
		        w->out->pool, "%s, %s ..%s", host, device, m->uuid + (n > LABEL_TAIL ? n - LABEL_TAIL : 0));
	return sb_pool_fmt(w->out->pool, "%s, %s", host, device);
}

static void name_machines(struct work *w)
{
	struct sb_machines *out = w->out;

	for (size_t i = 0; i < out->n_machines; i++) {
		bool twin = false;

		for (size_t k = 0; k < out->n_machines; k++)
			twin |= k != i && same(out->machines[i].host, out->machines[k].host) &&
			        same(out->machines[i].device, out->machines[k].device);
		out->machines[i].label = label_of(w, &out->machines[i], twin);
	}
	for (size_t i = 1; i < out->n_machines; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(out->machines[i].label, out->machines[k].label))
				out->machines[i].label =
				        sb_pool_fmt(out->pool, "%s (%zu)", out->machines[i].label, i + 1);
}

static int by_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int by_place(const void *a, const void *b)
{
	const struct sb_machine *x = a, *y = b;
	int order = by_text(x->host, y->host);

	if (!order)
		order = by_text(x->device, y->device);
	if (!order)
		order = by_text(x->cpu, y->cpu);
	return order ? order : by_text(x->uuid, y->uuid);
}

/* Its place in the list, which is the list's end where it is new. */
static size_t find_machine(const struct sb_machines *list, const struct sb_machine *m)
{
	size_t k = 0;

	while (k < list->n_machines && !same_machine(&list->machines[k], m))
		k++;
	return k;
}

/* The order of runs in a database is chance. */
static void sort_machines(struct work *w)
{
	struct sb_machines *out = w->out;

	qsort(out->machines, out->n_machines, sizeof(*out->machines), by_place);
	for (size_t i = 0; i < w->n; i++) {
		struct sb_machine own;

		describe(w, &w->member[i], &own);
		w->member[i].machine = find_machine(out, &own);
	}
}

static enum sb_status group_by_machine(struct work *w, struct sb_error *err)
{
	struct sb_machines *out = w->out;

	out->machines = sb_pool_alloc(out->pool, w->n * sizeof(*out->machines));
	if (!out->machines)
		return sb_fail(err, SB_E_NOMEM, "no memory for the machines");
	for (size_t i = 0; i < w->n; i++) {
		struct sb_machine own;
		size_t k;

		describe(w, &w->member[i], &own);
		k = find_machine(out, &own);
		if (k == out->n_machines)
			out->machines[out->n_machines++] = own;
		out->machines[k].n_runs++;
	}
	sort_machines(w);
	name_machines(w);
	out->n_runs = (int)w->n;
	if (out->n_machines > SB_MACHINES_MAX)
		return sb_fail(err, SB_E_USAGE, "%zu machines are more than the %d that a table has room for",
		        out->n_machines, SB_MACHINES_MAX);
	if (out->n_machines < 2)
		return sb_fail(err, SB_E_USAGE,
		        "the %zu run%s with the arms and case of run %.8s %s of one machine ('%.100s'), %d measure%s "
		        "something else; 'spabench merge' joins databases of several machines",
		        w->n, w->n == 1 ? "" : "s", w->member[0].s.run_id, w->n == 1 ? "is" : "are",
		        out->machines[0].label, out->n_other_case, out->n_other_case == 1 ? "s" : "");
	return SB_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static const struct sb_summary_row *row_of(const struct member *m, const char *metric)
{
	const struct sb_summary_group *g = &m->s.groups[0];

	for (size_t i = 0; i < g->n_rows; i++)
		if (!strcmp(g->rows[i].metric, metric))
			return &g->rows[i];
	return NULL;
}

/* Logs of one figure of every run, machine by machine. */
struct logs {
	double v[RUNS_MAX];
	const double *of[SB_MACHINES_MAX];
	int n[SB_MACHINES_MAX];
};
enum figure { BEFORE, AFTER, RATIO };

static double log_of(const struct sb_summary_row *row, enum figure which)
{
	const struct sb_value *v = which == BEFORE  ? &row->before
	                           : which == AFTER ? &row->after
	                                            : &row->effect.estimate;

	return v->absent || !(v->v > 0.0) ? NAN : log(v->v);
}

static void gather(const struct work *w, const char *metric, enum figure which, struct logs *out)
{
	int used = 0;

	for (size_t i = 0; i < w->out->n_machines; i++) {
		out->of[i] = out->v + used;
		out->n[i] = 0;
		for (size_t k = 0; k < w->n; k++) {
			const struct sb_summary_row *row =
			        w->member[k].machine == i ? row_of(&w->member[k], metric) : NULL;
			double x = row ? log_of(row, which) : NAN;

			if (isnan(x))
				continue;
			out->v[used++] = x;
			out->n[i]++;
		}
	}
}

static struct sb_value mean_of(const struct logs *l, size_t machine, const char *why)
{
	return l->n[machine] ? sb_value_of(exp(sb_stats_mean(l->of[machine], l->n[machine]))) : sb_value_absent(why);
}

/* The machine's ratio: its one run's as it stands in that run's own table, or what several say together. */
static void set_effect(
        const struct work *w, const char *metric, const struct logs *l, size_t machine, struct sb_effect *out)
{
	double half;
	int n = l->n[machine];

	*out = (struct sb_effect){ .estimate = mean_of(l, machine, "not measured"), .pairs = n };
	if (n > 1) {
		half = sb_stats_t_critical(n - 1, LEVEL) * sb_stats_sd(l->of[machine], n) / sqrt(n);
		out->has_interval = isfinite(half);
		out->lo = out->estimate.v * exp(-half);
		out->hi = out->estimate.v * exp(half);
		return;
	}
	for (size_t k = 0; n && k < w->n; k++) {
		const struct sb_summary_row *row =
		        w->member[k].machine == machine ? row_of(&w->member[k], metric) : NULL;

		if (row && !row->effect.estimate.absent)
			*out = row->effect;
	}
}

static void set_spread(const struct logs *l, int k, struct sb_value *sd, struct sb_value *range, bool *apart)
{
	double between, lo = HUGE_VAL, hi = -HUGE_VAL;
	struct sb_interval ignored;
	int used = 0;

	sb_machines_pool(l->of, l->n, k, LEVEL, &ignored, &between, apart);
	for (int i = 0; i < k; i++) {
		double mean = sb_stats_mean(l->of[i], l->n[i]);

		if (!l->n[i])
			continue;
		used++;
		lo = fmin(lo, mean);
		hi = fmax(hi, mean);
	}
	*sd = isfinite(between) ? sb_value_of(between) : sb_value_absent("one machine has it");
	*range = used > 1 ? sb_value_of(exp(hi - lo)) : sb_value_absent("one machine has it");
}

/* Half of the interval of a log ratio; NAN: none. */
static double half_of(const struct sb_effect *e)
{
	return e->has_interval && e->lo > 0.0 ? 0.5 * log(e->hi / e->lo) : NAN;
}

/* Machines that agree by chance do not make the mean more certain than what each of them knows of itself. */
static double least_half(const struct sb_machine_cell *cells, const struct logs *l, int k)
{
	double sum = 0.0;
	int n = 0;

	for (int i = 0; i < k; i++) {
		double half = l->n[i] ? half_of(&cells[i].effect) : NAN;

		if (isnan(half))
			continue;
		sum += half * half;
		n++;
	}
	return n ? sqrt(sum) / n : 0.0;
}

static void set_pooled(const struct sb_machine_cell *cells, const struct logs *l, int k, struct sb_effect *out)
{
	struct sb_interval in;
	double between;
	bool apart;

	sb_machines_pool(l->of, l->n, k, LEVEL, &in, &between, &apart);
	in.lo = fmin(in.lo, in.mid - least_half(cells, l, k));
	in.hi = fmax(in.hi, in.mid + least_half(cells, l, k));
	*out = (struct sb_effect){ .estimate = in.n ? sb_value_of(exp(in.mid)) : sb_value_absent("not measured"),
		.lo = exp(in.lo),
		.hi = exp(in.hi),
		.has_interval = in.has_interval,
		.pairs = in.n };
}

static enum sb_status fill_row(
        struct work *w, const struct sb_summary_row *from, struct sb_machines_row *row, struct sb_error *err)
{
	struct sb_machines *out = w->out;
	int k = (int)out->n_machines;
	struct logs *l = calloc(3, sizeof(*l));
	bool apart;

	*row = (struct sb_machines_row){ .metric = sb_pool_str(out->pool, from->metric),
		.label = sb_pool_str(out->pool, from->label),
		.unit = from->unit,
		.section = from->section,
		.emulated = from->flags & SB_ROW_EMULATED,
		.cells = sb_pool_alloc(out->pool, out->n_machines * sizeof(*row->cells)) };
	if (!l || !row->cells) {
		free(l);
		return sb_fail(err, SB_E_NOMEM, "no memory for the machines' figures");
	}
	for (int f = BEFORE; f <= RATIO; f++)
		gather(w, from->metric, (enum figure)f, &l[f]);
	for (size_t i = 0; i < out->n_machines; i++) {
		row->cells[i].before = mean_of(&l[BEFORE], i, "not measured");
		row->cells[i].after = mean_of(&l[AFTER], i, "not measured");
		set_effect(w, from->metric, &l[RATIO], i, &row->cells[i].effect);
	}
	set_spread(&l[BEFORE], k, &row->sd_before, &row->range_before, &apart);
	set_spread(&l[AFTER], k, &row->sd_after, &row->range_after, &apart);
	set_spread(&l[RATIO], k, &row->sd_ratio, &row->range_ratio, &apart);
	out->apart |= apart;
	set_pooled(row->cells, &l[RATIO], k, &row->pooled);
	free(l);
	return SB_OK;
}

static enum sb_status fill_rows(struct work *w, struct sb_error *err)
{
	const struct sb_summary_group *g = &w->member[0].s.groups[0];
	struct sb_machines *out = w->out;
	enum sb_status status = SB_OK;

	out->rows = sb_pool_alloc(out->pool, (g->n_rows + 1) * sizeof(*out->rows));
	if (!out->rows)
		return sb_fail(err, SB_E_NOMEM, "no memory for the machines' figures");
	for (size_t i = 0; !status && i < g->n_rows; i++) {
		const struct sb_summary_row *row = &g->rows[i];

		if (row->compare != SB_COMPARE_RATIO || row->section == SB_SECTION_OTHER ||
		        (row->flags & SB_ROW_UNMEASURED))
			continue;
		status = fill_row(w, row, &out->rows[out->n_rows++], err);
	}
	return status;
}

/* ---- notes ------------------------------------------------------------------------------------------------------ */

static void add_note(struct work *w, const char *text)
{
	w->out->notes[w->out->n_notes++] = text;
}

static void add_notes(struct work *w)
{
	struct sb_machines *out = w->out;
	const struct member *first = &w->member[0];
	size_t other = 0;

	out->notes = sb_pool_alloc(out->pool, 6 * sizeof(*out->notes));
	if (!out->notes)
		return;
	for (size_t i = 1; i < w->n; i++)
		if (!other && strcmp(w->member[i].build, first->build) != 0)
			other = i;
	if (other)
		add_note(w, sb_pool_fmt(out->pool, "not all runs are of one build: %s and %s", first->build,
		                    w->member[other].build));
	add_note(w, out->apart ? "what differs between machines is told from what differs between runs of one machine"
	                       : "one run a machine: what differs from run to run is in what differs between machines");
	if (out->n_machines == 2)
		add_note(
		        w, "over two machines an interval is very wide: more machines make it narrow, not more blocks");
	if (out->n_other_case)
		add_note(w, sb_pool_fmt(out->pool,
		                    "%d run%s of this database left out: another case, other arms or another "
		                    "group",
		                    out->n_other_case, out->n_other_case == 1 ? "" : "s"));
	if (w->left_out)
		add_note(w, sb_pool_fmt(out->pool, "only the newest %d runs are looked at", RUNS_MAX));
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

static enum sb_status build(struct work *w, int64_t run_key, struct sb_error *err)
{
	struct sb_machines *out = w->out;
	enum sb_status status = find_runs(w, run_key, err);
	const struct sb_summary *s = &w->member[0].s;

	if (!status)
		status = group_by_machine(w, err);
	if (!status)
		status = fill_rows(w, err);
	if (status)
		return status;
	out->run_id = sb_pool_str(out->pool, s->run_id);
	out->workload = sb_pool_str(out->pool, s->workload);
	out->preset = sb_pool_str(out->pool, s->preset);
	out->before = sb_pool_str(out->pool, s->groups[0].before);
	out->after = sb_pool_str(out->pool, s->groups[0].after);
	out->level = LEVEL;
	add_notes(w);
	return sb_pool_failed(out->pool) ? sb_fail(err, SB_E_NOMEM, "no memory for the machines' figures") : SB_OK;
}

enum sb_status sb_machines_build(struct sb_store *st, int64_t run_key, const struct sb_summary_options *opt,
        struct sb_machines *out, struct sb_error *err)
{
	struct work w = { .st = st, .opt = opt, .out = out };
	enum sb_status status;

	*out = (struct sb_machines){ .pool = sb_pool_new() };
	w.member = calloc(RUNS_MAX, sizeof(*w.member));
	if (!out->pool || !w.member)
		status = sb_fail(err, SB_E_NOMEM, "no memory for the runs of the machines");
	else
		status = build(&w, run_key, err);
	for (size_t i = 0; i < w.n; i++)
		sb_summary_release(&w.member[i].s);
	free(w.member);
	if (status)
		sb_machines_release(out);
	return status;
}

void sb_machines_release(struct sb_machines *m)
{
	sb_pool_free(m->pool);
	*m = (struct sb_machines){ .pool = NULL };
}
