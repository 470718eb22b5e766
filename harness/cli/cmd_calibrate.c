/* calibrate: what a gate can tell on this machine, from the machine against itself. */
#include "gate_lock.h"
#include "pair_request.h"
#include "sb_cli.h"
#include "sb_fingerprint.h"
#include "sb_gate_result.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_ARM = SB_PAIR_OPT_COUNT, OPT_EXE, OPT_PAIRS };

const struct sb_option sb_calibrate_options[] = {
	SB_PAIR_OPTIONS,
	[OPT_ARM] = { "arm", "NAME", "the arm [after]" },
	[OPT_EXE] = { "exe", "FILE", "the spabench whose workers run [this one]" },
	[OPT_PAIRS] = { "pairs", "N", "pairs of processes, 12 to 64 [32, as far as the budget goes, but 12]" },
	{ NULL, NULL, NULL },
};

const char sb_calibrate_details[] =
        "Runs one build against itself and draws gates from what it saw. Stored for this machine, case and arm; gates\n"
        "take their thresholds from it where nobody says otherwise: the smallest of 0.5, 1, 2, 3, 5, 10 and 20 % at\n"
        "which 95 % of gates without a difference pass. 'needs' are pairs of processes; '-': 64 are not enough.\n";

/* A gate is to pass where nothing changed, nearly always. */
#define WANTED_PASS 0.95

struct request {
	struct sb_pair_request q;
	const char *arm;
	int pairs;
	bool budget_given;
};

/* ---- figures as JSON ------------------------------------------------------------------------------------------- */

static char *figures_json(const struct sb_gate_calibration *c)
{
	json_t *j = json_pack("{s:i, s:f, s:i, s:f, s:f}", "pairs", c->pairs, "p_two", c->p_two, "max_pairs",
	        c->max_pairs, "passes_from", c->passes_from, "smallest", c->smallest);
	json_t *at = json_array(), *need = json_array();
	char *text;

	for (int i = 0; i < SB_GATE_THRESHOLDS; i++)
		json_array_append_new(at, json_pack("{s:f, s:f, s:f, s:f}", "threshold", c->at[i].threshold,
		                                  "false_alarm", c->at[i].false_alarm, "false_alarm_upper",
		                                  c->at[i].false_alarm_upper, "pass", c->at[i].pass));
	for (int i = 0; i < SB_GATE_EFFECTS; i++)
		json_array_append_new(need, json_pack("{s:f, s:i, s:f}", "effect", c->need[i].effect, "pairs",
		                                    c->need[i].pairs, "found", c->need[i].found));
	json_object_set_new(j, "at", at);
	json_object_set_new(j, "need", need);
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

double sb_calibrated_threshold(const char *figures)
{
	json_t *j = json_loads(figures, 0, NULL), *at;
	double found = NAN;
	size_t i;

	json_array_foreach(json_object_get(j, "at"), i, at)
	{
		if (isnan(found) && json_number_value(json_object_get(at, "pass")) >= WANTED_PASS)
			found = json_number_value(json_object_get(at, "threshold"));
	}
	json_decref(j);
	return found;
}

/* ---- options --------------------------------------------------------------------------------------------------- */

static enum sb_status parse_pairs(const char *value, int *out, struct sb_error *err)
{
	int64_t n;

	if (sb_parse_int(value, "--pairs", SB_GATE_CALIBRATION_PAIRS, SB_GATE_MAX_PAIRS, &n, err))
		return err->code;
	*out = (int)n;
	return SB_OK;
}

static enum sb_status parse(int argc, char **argv, struct request *r, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	const char *value;
	enum sb_status status;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_calibrate_options, &value, err)) >= 0) {
		status = SB_OK;
		r->budget_given |= i == SB_PAIR_OPT_BUDGET;
		if (i == OPT_ARM)
			r->arm = value;
		else if (i == OPT_EXE)
			r->q.opt.side[SB_PAIRS_A].exe = r->q.opt.side[SB_PAIRS_B].exe = value;
		else if (i == OPT_PAIRS)
			status = parse_pairs(value, &r->pairs, err);
		else
			status = sb_pair_option(i, value, &r->q, err);
		if (status)
			return status;
	}
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands)
		return sb_fail(err, SB_E_USAGE, "calibrate takes no argument '%.64s'", p.operands[0]);
	if (r->q.opt.side[SB_PAIRS_B].plant > 0.0)
		return sb_fail(err, SB_E_USAGE, "a calibration is of two equal sides: nothing is planted");
	if (!r->budget_given)
		r->q.budget_s = 300.0;
	status = sb_pair_arms(&r->q, r->arm ? r->arm : "after", r->arm ? r->arm : "after", err);
	return status ? status : sb_pair_prepare(&r->q, argc, argv, err);
}

/* ---- the table ------------------------------------------------------------------------------------------------- */

static void print_head(const struct sb_pair_table *t)
{
	printf("%d pairs of one build against itself, %d trials a process, run %.12s%s\n\n", t->pairs, t->trials,
	        t->run_id, t->dropped ? "; some pairs did not end well and were left out" : "");
	printf("%-24s%9s%10s%11s%11s%9s%8s%8s\n", "metric", "p (A/A)", "threshold", "false", "passes", "smallest",
	        "needs", "needs");
	printf("%-24s%9s%10s%11s%11s%9s%8s%8s\n", "", "", "", "alarms", "", "effect", "1 %", "2 %");
}

static void print_row(const char *label, const struct sb_gate_calibration *c, double threshold)
{
	char need[2][16], shown[64];

	for (int i = 0; i < 2; i++)
		snprintf(need[i], sizeof(need[i]), c->need[i].pairs ? "%d" : "-", c->need[i].pairs);
	sb_escape(label, shown, sizeof(shown));
	printf("%-24.24s%9.3f", shown, c->p_two);
	for (int i = 0; i < SB_GATE_THRESHOLDS; i++)
		if (c->at[i].threshold == threshold)
			printf("%8.3g %%%5.1f<%.1f %%%9.1f %%", 100.0 * threshold, 100.0 * c->at[i].false_alarm,
			        100.0 * c->at[i].false_alarm_upper, 100.0 * c->at[i].pass);
	if (!(threshold > 0.0))
		printf("%10s%11s%11s", "none", "", "");
	if (isfinite(c->smallest))
		printf("%7.2f %%", 100.0 * c->smallest);
	else
		printf("%9s", "-");
	printf("%8s%8s\n", need[0], need[1]);
}

static enum sb_status store_row(struct sb_store *st, const struct sb_run *run, int64_t key, const char *metric,
        const char *figures, struct sb_error *err)
{
	struct sb_buf machine = { 0 }, of_case = { 0 };
	enum sb_status status;

	sb_fingerprint_machine(run, &machine);
	sb_fingerprint_case(run, &of_case);
	const struct sb_calibration c = { .machine = (char *)(uintptr_t)sb_buf_str(&machine),
		.case_key = (char *)(uintptr_t)sb_buf_str(&of_case),
		.levels = run->arms[0].levels,
		.metric = (char *)(uintptr_t)metric,
		.figures = (char *)(uintptr_t)figures,
		.run = key,
		.created_ns = sb_wall_time_ns() };

	status = machine.failed || of_case.failed ? sb_fail(err, SB_E_NOMEM, "no memory for a calibration")
	                                          : sb_store_set_calibration(st, &c, err);
	sb_buf_release(&machine);
	sb_buf_release(&of_case);
	return status;
}

static enum sb_status calibrate_row(struct sb_store *st, const struct sb_run *run, int64_t key,
        const struct sb_pair_row *row, int metrics, struct sb_error *err)
{
	const struct sb_gate_options o = { .metrics = metrics };
	struct sb_gate_calibration c;
	enum sb_status status = sb_gate_calibrate(row->d, row->n_d, &o, 1, &c, err);
	char *figures;

	if (status)
		return sb_wrap(err, "%s", row->label);
	figures = figures_json(&c);
	if (!figures)
		return sb_fail(err, SB_E_NOMEM, "no memory for a calibration");
	status = store_row(st, run, key, row->metric, figures, err);
	if (!status)
		print_row(row->label, &c, sb_calibrated_threshold(figures));
	free(figures);
	return status;
}

static enum sb_status calibrate(struct sb_store *st, int64_t key, struct sb_error *err)
{
	struct sb_gate_rules rules = { .n = 0 };
	struct sb_gate_result chosen;
	struct sb_pair_table table;
	struct sb_run run = { .id = NULL };
	enum sb_status status = sb_store_read_run(st, key, &run, err);

	if (status)
		return status;
	status = sb_pair_table_build(st, key, 0.0, &table, err);
	if (status) {
		sb_run_release(&run);
		return status;
	}
	status = sb_gate_result_begin(&table, &rules, false, &chosen, err);
	if (!status) {
		print_head(&table);
		for (int i = 0; i < chosen.n_rows && !status; i++)
			if (!chosen.rows[i].exact)
				status = calibrate_row(st, &run, key, sb_pair_table_row(&table, chosen.rows[i].metric),
				        chosen.n_noisy, err);
		sb_gate_result_release(&chosen);
	}
	sb_pair_table_release(&table);
	sb_run_release(&run);
	return status;
}

/* ---- the command ----------------------------------------------------------------------------------------------- */

static enum sb_status measure(struct request *r, struct sb_pairs *p, struct sb_error *err)
{
	int wanted = r->pairs ? r->pairs : 32;
	enum sb_status status = SB_OK;

	while (!status && sb_pairs_whole(p) < wanted &&
	        (r->pairs || sb_pairs_whole(p) < SB_GATE_CALIBRATION_PAIRS || sb_pair_fits_budget(&r->q, p)))
		status = sb_pairs_measure(p, 1, err);
	return status;
}

static enum sb_status run(struct request *r, struct sb_error *err)
{
	const char *db = sb_database_path(r->q.db);
	struct sb_pairs *p = NULL;
	struct sb_store *st;
	int64_t key = 0;
	enum sb_status status;
	int lock;

	sb_pair_begin(&r->q);
	r->q.opt.kind = "calibrate";
	if (sb_store_open(db, SB_STORE_WRITE, &st, err))
		return err->code;
	status = sb_gate_lock(db, &lock, err);
	if (!status)
		status = sb_pairs_open(st, &r->q.opt, &p, err);
	if (!status)
		status = measure(r, p, err);
	if (p)
		key = sb_pairs_run_key(p);
	status = sb_pairs_close(p, status, err);
	sb_pair_end_progress(&r->q);
	if (!status)
		status = calibrate(st, key, err);
	sb_gate_unlock(lock);
	if (status)
		sb_store_discard(st);
	else
		sb_store_close(st);
	return status;
}

enum sb_status sb_cmd_calibrate(int argc, char **argv, struct sb_error *err)
{
	struct request r = { .pairs = 0 };
	enum sb_status status;

	sb_pair_request_init(&r.q);
	status = parse(argc, argv, &r, err);
	if (!status)
		status = run(&r, err);
	sb_pair_request_release(&r.q);
	return status;
}
