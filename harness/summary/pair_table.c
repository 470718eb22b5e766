#include "sb_pair_table.h"
#include "summary_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Name of the fact that harness/experiment/sb_pairs.h writes. */
#define KIND_FACT  "pairs.kind"
#define TRIALS_MAX 64 /* of a process that count; more are left out */

/* What one process of a pair has done: indices of its trials. */
struct process {
	size_t trial[TRIALS_MAX];
	int n;
	bool bad;
};

struct builder {
	const struct sb_run *run;
	const struct sb_trials *trials;
	const struct sb_samples *samples;
	struct sb_pair_table *out;
	struct process *process; /* [blocks][2] */
	int blocks;
};

/* ---- processes ------------------------------------------------------------------------------------------------- */

static enum sb_status index_processes(struct builder *b, struct sb_error *err)
{
	for (size_t i = 0; i < b->trials->n; i++)
		if (b->trials->v[i].block >= b->blocks)
			b->blocks = b->trials->v[i].block + 1;
	if (b->blocks > 100000)
		return sb_fail(err, SB_E_DATA, "run %.8s has a pair number %d", b->run->id, b->blocks);
	b->process = calloc((size_t)b->blocks * 2 + 1, sizeof(*b->process));
	if (!b->process)
		return sb_fail(err, SB_E_NOMEM, "no memory for %d pairs", b->blocks);
	for (size_t i = 0; i < b->trials->n; i++) {
		const struct sb_trial *t = &b->trials->v[i];
		struct process *p;

		if (t->block < 0 || t->arm < 0 || t->arm > 1 || t->trace)
			continue;
		p = &b->process[2 * t->block + t->arm];
		p->bad |= strcmp(t->outcome, sb_outcome_names[SB_OUTCOME_OK]) != 0;
		if (!p->bad && p->n < TRIALS_MAX)
			p->trial[p->n++] = i;
	}
	return SB_OK;
}

static bool is_whole(const struct builder *b, int block)
{
	const struct process *p = &b->process[2 * block];

	return p[0].n && p[1].n && !p[0].bad && !p[1].bad;
}

static void count_pairs(struct builder *b)
{
	for (int block = 0; block < b->blocks; block++) {
		const struct process *p = &b->process[2 * block];

		if (is_whole(b, block) && b->out->pairs < SB_GATE_MAX_PAIRS)
			b->out->pairs++;
		else if (p[0].n || p[1].n || p[0].bad || p[1].bad)
			b->out->dropped++;
		for (int side = 0; side < 2; side++) {
			b->out->lost[side] += p[side].bad;
			b->out->ended_well[side] += p[side].n && !p[side].bad;
		}
		for (int side = 0; side < 2; side++)
			b->out->trials = p[side].n > b->out->trials ? p[side].n : b->out->trials;
	}
}

/* Median of a metric over a process's trials; NAN where one of them has none. */
static double process_value(const struct builder *b, const struct process *p, size_t metric)
{
	double v[TRIALS_MAX], scratch[TRIALS_MAX];

	for (int i = 0; i < p->n; i++) {
		v[i] = b->samples->value[p->trial[i] * b->samples->n_metrics + metric];
		if (!isfinite(v[i]))
			return NAN;
	}
	return sb_stats_median(v, p->n, scratch);
}

static bool b_was_first(const struct builder *b, int block)
{
	const struct process *p = &b->process[2 * block];

	return b->trials->v[p[1].trial[0]].position < b->trials->v[p[0].trial[0]].position;
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

bool sb_pair_is_compared(const struct sb_metric_info *info, const char *name)
{
	if (info->compare != SB_COMPARE_RATIO || info->trace || info->sum[0] || !strcmp(name, "sm_mhz") ||
	        !strcmp(name, "planted_ns"))
		return false;
	return info->section != SB_SECTION_OTHER && strcmp(name, "memory.device_used_bytes") != 0;
}

bool sb_pair_is_exact(const struct sb_metric_info *info, const char *name)
{
	return info->unit == SB_UNIT_BYTES || (info->unit == SB_UNIT_COUNT && strcmp(name, "sm_cycles") != 0);
}

static struct sb_effect ratio_of(const struct sb_interval *i)
{
	struct sb_effect e = { .estimate = sb_value_absent("no pair"), .pairs = i->n };

	if (isfinite(i->mid))
		e.estimate = sb_value_of(exp(i->mid));
	e.has_interval = i->has_interval && isfinite(i->lo) && isfinite(i->hi);
	e.lo = e.has_interval ? exp(i->lo) : NAN;
	e.hi = e.has_interval ? exp(i->hi) : NAN;
	return e;
}

static void judge_row(struct sb_pair_row *r, const double *b_first, double level)
{
	double scratch[SB_GATE_MAX_PAIRS], first[2] = { 0, 0 };
	struct sb_interval i;
	int n[2] = { 0, 0 };

	r->median_a = sb_stats_median(r->a, r->n, scratch);
	r->median_b = sb_stats_median(r->b, r->n, scratch);
	for (int k = 0; k < r->n; k++) {
		int which = b_first[k] != 0.0;

		if (!(r->a[k] > 0.0 && r->b[k] > 0.0))
			continue;
		r->d[r->n_d] = log(r->b[k] / r->a[k]);
		first[which] += r->d[r->n_d++];
		n[which]++;
	}
	sb_pairs_t_interval(r->d, r->n_d, level, &i);
	r->mean = ratio_of(&i);
	sb_pairs_rank_interval(r->d, r->n_d, level, &i);
	r->hodges_lehmann = ratio_of(&i);
	sb_pairs_sign_flip(r->d, r->n_d, &r->flip);
	sb_sample_look(r->d, NULL, r->n_d, &r->flaws);
	r->order = n[0] && n[1] ? exp(first[1] / n[1] - first[0] / n[0]) : NAN;
}

/* A process's mean of a metric that not every trial has; NAN: none has. */
static double process_mean(const struct builder *b, const struct process *p, int metric)
{
	double sum = 0.0;
	int n = 0;

	for (int i = 0; i < p->n && metric >= 0; i++) {
		double x = b->samples->value[p->trial[i] * b->samples->n_metrics + (size_t)metric];

		if (!isfinite(x))
			continue;
		sum += x;
		n++;
	}
	return n ? sum / n : NAN;
}

/* block[n]: of the row's pairs. */
static void set_cautions(const struct builder *b, const int *block, struct sb_pair_row *r)
{
	double mhz[2][SB_GATE_MAX_PAIRS], held[2][SB_GATE_MAX_PAIRS];
	const struct sb_caution_samples s = { { r->a, r->b }, { mhz[0], mhz[1] }, { held[0], held[1] }, r->n,
		b->out->level, false };
	int of_mhz = sb_samples_metric(b->samples, "sm_mhz");
	int of_held = sb_samples_metric(b->samples, "device.throttled");

	for (int i = 0; i < r->n; i++) {
		for (int side = 0; side < 2; side++) {
			const struct process *p = &b->process[2 * block[i] + side];

			mhz[side][i] = process_mean(b, p, of_mhz);
			held[side][i] = process_mean(b, p, of_held);
		}
	}
	r->cautions = sb_cautions_of(&s);
}

static void fill_row(struct builder *b, size_t metric, const struct sb_metric_info *info, struct sb_pair_row *r)
{
	double b_first[SB_GATE_MAX_PAIRS];
	int blocks[SB_GATE_MAX_PAIRS];
	char label[SB_STATS_SMALL + 64];

	*r = (struct sb_pair_row){ .unit = info->unit, .section = info->section };
	r->metric = sb_pool_str(b->out->pool, b->samples->metrics[metric]);
	sb_metric_label(info, b->samples->metrics[metric], label, sizeof(label));
	r->label = sb_pool_str(b->out->pool, label);
	r->exact = sb_pair_is_exact(info, r->metric);
	for (int block = 0; block < b->blocks && r->n < SB_GATE_MAX_PAIRS; block++) {
		double x, y;

		if (!is_whole(b, block))
			continue;
		x = process_value(b, &b->process[2 * block], metric);
		y = process_value(b, &b->process[2 * block + 1], metric);
		if (!isfinite(x) || !isfinite(y))
			continue;
		b_first[r->n] = b_was_first(b, block);
		blocks[r->n] = block;
		r->a[r->n] = x;
		r->b[r->n++] = y;
	}
	judge_row(r, b_first, b->out->level);
	if (r->unit == SB_UNIT_TIME)
		set_cautions(b, blocks, r);
}

static enum sb_status fill_rows(struct builder *b, struct sb_error *err)
{
	struct sb_pair_table *t = b->out;

	t->rows = calloc(b->samples->n_metrics + 1, sizeof(*t->rows));
	if (!t->rows)
		return sb_fail(err, SB_E_NOMEM, "no memory for a table of pairs");
	for (int k = 0; k < sb_metric_table_len; k++) {
		for (size_t m = 0; m < b->samples->n_metrics; m++) {
			const char *name = b->samples->metrics[m];

			if (sb_metric_find(name) != k || !sb_pair_is_compared(&sb_metric_table[k], name))
				continue;
			fill_row(b, m, &sb_metric_table[k], &t->rows[t->n_rows]);
			t->n_rows += t->rows[t->n_rows].n > 0;
		}
	}
	return SB_OK;
}

/* ---- sides ----------------------------------------------------------------------------------------------------- */

/* What planting added, over what the pass took without. */
static double planted_share(const struct builder *b, int side)
{
	int planted = sb_samples_metric(b->samples, "planted_ns"), wall = sb_samples_metric(b->samples, "wall_ns");
	double share[SB_GATE_MAX_PAIRS], scratch[SB_GATE_MAX_PAIRS];
	int n = 0;

	for (int block = 0; block < b->blocks && planted >= 0 && wall >= 0 && n < SB_GATE_MAX_PAIRS; block++) {
		const struct process *p = &b->process[2 * block + side];
		double x = is_whole(b, block) ? process_value(b, p, (size_t)planted) : NAN;

		if (isfinite(x))
			share[n++] = x / (process_value(b, p, (size_t)wall) - x);
	}
	return n ? sb_stats_median(share, n, scratch) : NAN;
}

static void fill_side(struct builder *b, int side)
{
	struct sb_summary_pool *pool = b->out->pool;
	struct sb_pair_side *s = &b->out->side[side];
	const char *plant = sb_run_fact(b->run, side ? "planted.B" : "planted.A");

	s->arm = sb_pool_str(pool, b->run->arms[side].name);
	s->levels = sb_pool_str(pool, b->run->arms[side].levels);
	s->plant = plant ? strtod(plant, NULL) : 0.0;
	s->planted = planted_share(b, side);
	for (size_t i = 0; i < b->trials->n && !s->exe; i++)
		for (size_t w = 0; b->trials->v[i].arm == side && w < b->run->n_workers && !s->exe; w++)
			if (b->run->workers[w].key == b->trials->v[i].worker) {
				s->exe = sb_pool_str(pool, b->run->workers[w].exe);
				s->build_id = sb_pool_str(pool, b->run->workers[w].build_id);
			}
	if (!s->exe)
		s->exe = s->build_id = "";
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

enum sb_status sb_pair_table_compute(const struct sb_run *run, const struct sb_trials *trials,
        const struct sb_samples *samples, double level, struct sb_pair_table *out, struct sb_error *err)
{
	struct builder b = { .run = run, .trials = trials, .samples = samples, .out = out };
	const char *kind = sb_run_fact(run, KIND_FACT);
	enum sb_status status;

	*out = (struct sb_pair_table){ .level = level };
	if (!kind || run->n_arms != 2)
		return sb_fail(err, SB_E_USAGE, "run %.8s was not measured by pairs of processes", run->id);
	out->pool = sb_pool_new();
	if (!out->pool)
		return sb_fail(err, SB_E_NOMEM, "no memory for a table of pairs");
	if (!(level > 0.0))
		out->level = strcmp(kind, "gate") == 0 ? sb_gate_interval_level : 0.95;
	out->run_id = sb_pool_str(out->pool, run->id);
	out->kind = sb_pool_str(out->pool, kind);
	status = index_processes(&b, err);
	if (!status) {
		count_pairs(&b);
		for (int side = 0; side < 2; side++)
			fill_side(&b, side);
		status = fill_rows(&b, err);
	}
	free(b.process);
	if (!status && sb_pool_failed(out->pool))
		status = sb_fail(err, SB_E_NOMEM, "no memory for a table of pairs");
	if (status)
		sb_pair_table_release(out);
	return status;
}

enum sb_status sb_pair_table_build(
        struct sb_store *st, int64_t run_key, double level, struct sb_pair_table *out, struct sb_error *err)
{
	struct sb_run run = { .id = NULL };
	struct sb_trials trials = { .v = NULL };
	struct sb_samples samples = { .n_metrics = 0 };
	enum sb_status status = sb_store_read_run(st, run_key, &run, err);

	if (!status)
		status = sb_store_read_trials(st, run_key, &trials, err);
	if (!status)
		status = sb_store_read_samples(st, run_key, &trials, &samples, err);
	if (!status)
		status = sb_pair_table_compute(&run, &trials, &samples, level, out, err);
	sb_samples_release(&samples);
	sb_trials_release(&trials);
	sb_run_release(&run);
	return status;
}

void sb_pair_table_release(struct sb_pair_table *t)
{
	if (t->pool)
		sb_pool_free(t->pool);
	free(t->rows);
	*t = (struct sb_pair_table){ .n_rows = 0 };
}

const struct sb_pair_row *sb_pair_table_row(const struct sb_pair_table *t, const char *metric)
{
	for (size_t i = 0; i < t->n_rows; i++)
		if (!strcmp(t->rows[i].metric, metric))
			return &t->rows[i];
	return NULL;
}
