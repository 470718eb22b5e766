/* calibrate: what a gate can tell on this machine, from the machine against itself. */
#include "gate_lock.h"
#include "pair_request.h"
#include "sb_calibration_report.h"
#include "sb_cli.h"
#include "sb_fingerprint.h"
#include "sb_gate_result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_ARM = SB_PAIR_OPT_COUNT, OPT_EXE, OPT_PAIRS, OPT_FORMAT };

const struct sb_option sb_calibrate_options[] = {
	SB_PAIR_OPTIONS,
	[OPT_ARM] = { "arm", "NAME", "the arm [after]" },
	[OPT_EXE] = { "exe", "FILE", "the spabench whose workers run [this one]" },
	[OPT_PAIRS] = { "pairs", "N", "pairs of processes, 12 to 64 [32, as far as the budget goes, but 12]" },
	[OPT_FORMAT] = { "format", "FORMAT", "text, markdown, csv or json [text]" },
	{ NULL, NULL, NULL },
};

const char sb_calibrate_details[] =
        "Runs one build against itself and draws gates from what it saw. Stored for this machine, case and arm; gates\n"
        "take their thresholds from it where nobody says otherwise: the smallest of 0.5, 1, 2, 3, 5, 10 and 20 % at\n"
        "which 95 % of gates of 60 s without a difference pass. A smaller one that most such gates cannot pass is\n"
        "refused. 'finds': the slowdown that 64 pairs find in 95 % of gates; 'needs': the pairs that find 1, 2 and 5 "
        "%;\n"
        "'-': 64 do not. The second table: gates of 64 pairs without a difference that fail, and that pass.\n";

/* What calibrations are about: gates of this budget. */
#define GATE_BUDGET_S 60.0

struct request {
	struct sb_pair_request q;
	const char *arm;
	int pairs, format;
	bool budget_given;
};

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
		else if (i == OPT_FORMAT)
			status = sb_parse_word(value, "--format", sb_calibration_formats, &r->format, err);
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

/* ---- what is kept -------------------------------------------------------------------------------------------------
 */

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
        const struct sb_pair_row *row, int metrics, int gate_pairs, int trials, struct sb_calibrated *out,
        struct sb_error *err)
{
	enum sb_status status = sb_calibrated_compute(row->d, row->n_d, metrics, gate_pairs, out, err);
	char *figures;

	if (status)
		return sb_wrap(err, "%s", row->label);
	out->trials = trials;
	figures = sb_calibrated_format(out);
	if (!figures)
		return sb_fail(err, SB_E_NOMEM, "no memory for a calibration");
	status = store_row(st, run, key, row->metric, figures, err);
	free(figures);
	return status;
}

static enum sb_status report(const struct sb_pair_table *table, int gate_pairs, const struct sb_calibration_row *rows,
        int n_rows, int format, struct sb_error *err)
{
	const struct sb_calibration_report r = { table, gate_pairs, GATE_BUDGET_S, rows, n_rows };

	return sb_calibration_report(&r, format, stdout, err);
}

static enum sb_status calibrate_table(struct sb_store *st, const struct sb_run *run, int64_t key,
        const struct sb_pair_table *table, double pair_s, int format, struct sb_error *err)
{
	int gate_pairs = sb_gate_pairs_in_budget(GATE_BUDGET_S, pair_s), noisy = 0;
	struct sb_gate_rules rules = { .n = 0 };
	struct sb_gate_result *chosen = malloc(sizeof(*chosen));
	struct sb_calibration_row *c = calloc(table->n_rows + 1, sizeof(*c));
	enum sb_status status = chosen && c ? SB_OK : sb_fail(err, SB_E_NOMEM, "no memory for a calibration");

	if (!status)
		status = sb_gate_result_begin(table, &rules, false, chosen, err);
	if (!status) {
		for (int i = 0; i < chosen->n_rows && !status; i++) {
			const struct sb_gate_row *row = &chosen->rows[i];

			if (row->exact)
				continue;
			c[noisy].metric = row->metric;
			c[noisy].label = row->label;
			status = calibrate_row(st, run, key, sb_pair_table_row(table, row->metric), chosen->n_noisy,
			        gate_pairs, table->trials, &c[noisy++].found, err);
		}
		if (!status)
			status = report(table, gate_pairs, c, noisy, format, err);
		sb_gate_result_release(chosen);
	}
	free(c);
	free(chosen);
	return status;
}

static enum sb_status calibrate(struct sb_store *st, int64_t key, double pair_s, int format, struct sb_error *err)
{
	struct sb_pair_table table;
	struct sb_run run = { .id = NULL };
	enum sb_status status = sb_store_read_run(st, key, &run, err);

	if (status)
		return status;
	status = sb_pair_table_build(st, key, 0.0, &table, err);
	if (!status) {
		status = calibrate_table(st, &run, key, &table, pair_s, format, err);
		sb_pair_table_release(&table);
	}
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
	double pair_s = NAN;
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
	if (p) {
		key = sb_pairs_run_key(p);
		pair_s = sb_pairs_elapsed_s(p) / (sb_pairs_whole(p) + sb_pairs_dropped(p));
	}
	status = sb_pairs_close(p, status, err);
	sb_pair_end_progress(&r->q);
	if (!status)
		status = calibrate(st, key, pair_s, r->format, err);
	if (status)
		sb_store_discard(st);
	else
		sb_store_close(st);
	sb_gate_unlock(lock);
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
