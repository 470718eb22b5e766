/*
 * What `gate --stored` does on machines that are known: gates of the real rule (harness/summary/sb_stored_gate.h, with
 * the variance between runs as harness/summary/between_runs.h has it). Eight metrics, of which one is slower; noise of
 * 0.5 % within and between processes (fake_machine.h); and every run is off by an amount of its own, each metric's its
 * own, normal with a standard deviation of 0.1, 0.5 or 2 %. Runs begin cold, and with the clock at either rate.
 *
 *   sb_stored_gate_simulation            5 models, 300 gates a row, fixed seeds; exit 1 where a target is missed
 *   sb_stored_gate_simulation --gates N  the same with N gates, and the other standard deviations; 4000: 100 s
 *
 * Stored runs are 2, 4 or 10 of 2 or 8 processes, or 6 of 1 to 8. Threshold 1 %. With 4,000 gates, in %, the worst of
 * 21 rows (bound: Clopper and Pearson's, 95 %, allowed are 1.6; intervals cover 93 or more):
 *
 *                 failed  bound  covered
 *   normal          0.35   0.55     96.7
 *   t, 2 df         0.28   0.45     96.5
 *   drift           0.45   0.67     96.4
 *   two modes       0.20   0.36     96.2
 *   clock steps     0.35   0.55     96.2
 *
 * What it can see (normal, 8 processes, runs apart by 0.1 / 0.5 %): 2 % slower found by 2 stored runs in none, by 4 in
 * 1.1 / 0.9 % of gates, by 10 in 90.5 / 12.8 %. Satterthwaite's degrees of freedom, which between_runs.c had before,
 * found more and failed up to 13 % of gates without a difference (drift, two runs of 8 processes, 0.5 %).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "between_runs.h"
#include "fake_machine.h"
#include "sb_stored_gate.h"

enum { SHORT = 300, DRAWN = 0 };

/* ---- runs ------------------------------------------------------------------------------------------------------- */

struct condition {
	const struct model *model;
	int runs;      /* stored ones of the baseline's build; its own among them */
	int processes; /* of every run; DRAWN: 2 to 8 of the sides, 1 to 8 of others */
	double apart;  /* standard deviation from run to run, each metric's own */
	double effect; /* of metric 0, log ratio */
	double threshold;
};

struct tally {
	int gates, failed, passed, found, covered;
};

static struct sb_run_logs logs[METRICS];

/* Each run finds the machine anew: cold, and with its clock at either rate. */
static void make_run(const struct condition *c, int run, uint64_t *seed)
{
	struct machine m = new_machine(c->model, sb_splitmix64(seed));
	double offset[METRICS], value[METRICS];
	int least = run < 2 ? 2 : 1;
	int processes = c->processes ? c->processes : least + (int)((9 - least) * unit(seed));

	for (int i = 0; i < METRICS; i++) {
		offset[i] = c->apart * normal(&m.seed) + (run == 1 && i == 0 ? c->effect : 0.0);
		logs[i].n[run] = processes;
		logs[i].group[run] = run == 1;
		logs[i].run[run] = run == 1 ? "new" : "stored";
	}
	for (int p = 0; p < processes; p++) {
		run_process(&m, value);
		for (int i = 0; i < METRICS; i++)
			logs[i].v[run][p] = offset[i] + value[i];
	}
}

static void fill_row(int metric, struct sb_old_row *r)
{
	static const char *const names[METRICS] = { "wall_ns", "stage.1_ns", "stage.2_ns", "stage.3_ns", "stage.4_ns",
		"stage.5_ns", "stage.6_ns", "stage.7_ns" };
	struct sb_interval *i = &r->log_ratio;
	double between, df;

	*r = (struct sb_old_row){ .metric = names[metric], .label = names[metric], .unit = SB_UNIT_TIME };
	sb_between_runs_compare(&logs[metric], 0.95, i, &between, &df);
	for (int side = 0; side < 2; side++) {
		r->n[side] = logs[metric].n[side];
		r->median[side] = 1.0;
	}
	r->ratio = (struct sb_effect){ sb_value_of(exp(i->mid)), exp(i->lo), exp(i->hi), i->has_interval, i->n };
}

static void one_gate(const struct condition *c, uint64_t seed, struct tally *t)
{
	static struct sb_gate_result result;
	static struct sb_old_row row[METRICS];
	struct sb_old_runs old = { .level = 0.95, .history = c->runs + 1, .rows = row, .n_rows = METRICS };
	struct sb_gate_rules rules = { .n = 1 };
	const struct sb_interval *i = &row[0].log_ratio;
	struct sb_pair_table table;
	struct sb_error err;

	rules.threshold[0] = (struct sb_gate_threshold){ .pattern = "*", .threshold = c->threshold, .from = "here" };
	for (int run = 0; run <= c->runs; run++)
		make_run(c, run, &seed);
	for (int k = 0; k < 2; k++)
		old.side[k] = (struct sb_old_side){ .run_id = "", .processes = logs[0].n[k] };
	for (int m = 0; m < METRICS; m++) {
		logs[m].n_runs = c->runs + 1;
		logs[m].n_groups = 2;
		fill_row(m, &row[m]);
	}
	t->gates++;
	if (sb_stored_gate_judge(&old, &rules, true, 0, logs[0].n[1], &table, &result, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		exit(2);
		return;
	}
	t->failed += result.verdict == SB_GATE_FAIL;
	t->passed += result.verdict == SB_GATE_PASS;
	t->found += result.rows[0].verdict == SB_GATE_FAIL;
	t->covered += i->has_interval && i->lo <= c->effect && c->effect <= i->hi;
	sb_gate_result_release(&result);
	sb_pair_table_release(&table);
}

/* ---- what is asked of them ---------------------------------------------------------------------------------- */

static int missed;

static double percent(int part, int whole)
{
	return 100.0 * part / whole;
}

static void target(bool met, const char *what)
{
	if (met)
		return;
	printf("MISSED: %s\n", what);
	missed++;
}

/* By more than three standard errors of so many gates. */
static bool covers(const struct tally *t)
{
	return (double)t->covered / t->gates >= 0.93 - 3.0 * sqrt(0.07 * 0.93 / t->gates);
}

static void row_of_gates(const struct condition *c, int gates)
{
	uint64_t seeds = sb_fnv1a(SB_FNV1A_INIT, c->model->name, strlen(c->model->name)) + (uint64_t)c->runs;
	struct condition slower = *c;
	struct tally t = { 0 }, two = { 0 };
	char processes[16] = "1 to 8";
	double bound;

	slower.effect = log1p(0.02);
	for (int i = 0; i < gates; i++)
		one_gate(c, sb_splitmix64(&seeds), &t);
	for (int i = 0; i < (gates > SHORT ? gates : SHORT / 4); i++)
		one_gate(&slower, sb_splitmix64(&seeds), &two);
	bound = sb_stats_rate_upper(t.failed, t.gates, 0.95);
	if (c->processes)
		snprintf(processes, sizeof(processes), "%d", c->processes);
	printf("%-12s %5.1f %% %5d %9s %8.2f %8.2f %8.1f %8.1f %8.1f\n", c->model->name, 100.0 * c->apart, c->runs,
	        processes, percent(t.failed, t.gates), 100.0 * bound, percent(t.passed, t.gates),
	        percent(t.covered, t.gates), percent(two.found, two.gates));
	target(bound <= 0.016, "at most 1.6 % false alarms");
	target(covers(&t) && covers(&two), "intervals cover 93 % or more");
}

static void rows_of_model(const struct model *model, double apart, int gates)
{
	static const int runs[] = { 2, 4, 10 }, processes[] = { 2, 8 };
	const struct condition drawn = { model, 6, DRAWN, apart, 0.0, 0.01 };

	for (size_t k = 0; k < SB_ARRAY_LEN(runs); k++)
		for (size_t p = 0; p < SB_ARRAY_LEN(processes); p++) {
			const struct condition c = { model, runs[k], processes[p], apart, 0.0, 0.01 };

			row_of_gates(&c, gates);
		}
	row_of_gates(&drawn, gates);
}

int main(int argc, char **argv)
{
	static const double apart[] = { 0.005, 0.001, 0.02 };
	int gates = SHORT;
	int64_t asked;
	struct sb_error err;

	if (argc == 3 && !strcmp(argv[1], "--gates") && !sb_parse_int(argv[2], "--gates", 100, 1000000, &asked, &err)) {
		gates = (int)asked;
	} else if (argc != 1) {
		fprintf(stderr, "usage: %s [--gates N], N from 100\n", argv[0]);
		return 2;
	}
	printf("%-12s %7s %5s %9s %8s %8s %8s %8s %8s\n", "", "apart", "runs", "processes", "failed", "bound", "passed",
	        "covered", "2 %");
	for (size_t a = 0; a < (gates > SHORT ? SB_ARRAY_LEN(apart) : 1); a++)
		for (size_t m = 0; m < SB_ARRAY_LEN(models); m++)
			rows_of_model(&models[m], apart[a], gates);
	return missed > 0;
}
