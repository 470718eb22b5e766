/* gate: is the new build slower or larger than the baseline? An answer with an exit code. */
#include "baseline_find.h"
#include "ci_outputs.h"
#include "gate_lock.h"
#include "gate_rules.h"
#include "pair_request.h"
#include "sb_cli.h"
#include "sb_fingerprint.h"
#include "sb_gate_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_BASELINE = SB_PAIR_OPT_COUNT,
	OPT_EXE,
	OPT_ARMS,
	OPT_THRESHOLD,
	OPT_CONFIG,
	OPT_MAX_PAIRS,
	OPT_OTHER_MACHINE,
	OPT_FORMAT,
	OPT_JUNIT,
	OPT_GITHUB,
};

const struct sb_option sb_gate_options[] = {
	SB_PAIR_OPTIONS,
	[OPT_BASELINE] = { "baseline", "NAME", "what 'spabench baseline set' kept: its case, arm and binary" },
	[OPT_EXE] = { "exe", "FILE",
	        "the new build [this one]; without a baseline given twice: the old and the new one" },
	[OPT_ARMS] = { "arms", "A[,B]", "without a baseline: the two arms, or one on both sides [after]" },
	[OPT_THRESHOLD] = { "threshold", "METRIC=PERCENT",
	        "slower or larger by so much fails; off: not judged; may be repeated [spabench.ini, calibration, "
	        "default]" },
	[OPT_CONFIG] = { "config", "FILE", "thresholds and settings [./spabench.ini if there is one]" },
	[OPT_MAX_PAIRS] = { "max-pairs", "N", "pairs of processes at most [64]" },
	[OPT_OTHER_MACHINE] = { "other-machine", NULL, "take a baseline of another machine, whose binary runs here" },
	[OPT_FORMAT] = { "format", "FORMAT", "text, markdown or json [text]" },
	[OPT_JUNIT] = { "junit", "FILE", "the verdicts as JUnit's XML, too: a test for each metric" },
	[OPT_GITHUB] = { "github", NULL, "the verdicts for GitHub Actions, too: step summary and annotations" },
	{ NULL, NULL, NULL },
};

const char sb_gate_details[] =
        "Runs the baseline's binary and the new one by turns, in fresh processes, until every metric is decided: "
        "looks\n"
        "after 8, 12, 16, 24, 40 and 64 pairs, or when the budget is spent. Exit 0: all pass; 1: one fails; 5: none\n"
        "fails, and one cannot be told. Without any difference at most 1 % of gates fail.\n"
        "Judged are the total, stages of 10 % of it or more, and memory. A metric fails that is shown to be slower\n"
        "and estimated at its threshold or more; it passes when it is shown to be below the threshold. Thresholds\n"
        "without calibration: times 1 % on a GPU and 10 % on a CPU, memory 0. 'spabench calibrate' finds what this\n"
        "machine can tell. spabench.ini: [gate] alpha, beta, max_pairs, budget, trials, correction (bh or by);\n"
        "[thresholds] METRIC = PERCENT or off, METRIC as in the table or as stored, * for any characters.\n";

struct request {
	struct sb_pair_request q;
	const char *baseline, *config, *exe[2];
	char arms[256];
	bool other_machine, case_given, max_given;
	struct sb_ci_outputs ci;
	int n_exe, format, max_pairs;
	const char *threshold[32];
	int n_thresholds;
	struct sb_gate_rules rules;
	/* of the baseline */
	struct sb_baseline found;
	struct sb_run run;
	char *calibrated_levels;
};

/* ---- options --------------------------------------------------------------------------------------------------- */

static enum sb_status apply_own(int option, const char *value, struct request *r, struct sb_error *err)
{
	int64_t n;

	switch (option) {
	case OPT_BASELINE:
		r->baseline = value;
		return SB_OK;
	case OPT_EXE:
		if (r->n_exe == 2)
			return sb_fail(err, SB_E_USAGE, "there are two sides: --exe is given twice at most");
		r->exe[r->n_exe++] = value;
		return SB_OK;
	case OPT_ARMS:
		if (strlen(value) >= sizeof(r->arms))
			return sb_fail(err, SB_E_USAGE, "--arms takes two names");
		strcpy(r->arms, value);
		return SB_OK;
	case OPT_THRESHOLD:
		if (r->n_thresholds == (int)SB_ARRAY_LEN(r->threshold))
			return sb_fail(err, SB_E_USAGE, "too many --threshold");
		r->threshold[r->n_thresholds++] = value;
		return SB_OK;
	case OPT_CONFIG:
		r->config = value;
		return SB_OK;
	case OPT_MAX_PAIRS:
		if (sb_parse_int(value, "--max-pairs", 1, SB_GATE_MAX_PAIRS, &n, err))
			return err->code;
		r->max_pairs = (int)n;
		return SB_OK;
	case OPT_OTHER_MACHINE:
		r->other_machine = true;
		return SB_OK;
	case OPT_FORMAT:
		return sb_parse_word(value, "--format", sb_gate_formats, &r->format, err);
	case OPT_JUNIT:
		r->ci.junit = value;
		return SB_OK;
	case OPT_GITHUB:
		r->ci.github = true;
		return SB_OK;
	}
	SB_BUG("option %d", option);
}

/* With a baseline the case is the baseline's. */
static bool is_of_case(int option)
{
	return option < SB_PAIR_OPT_TRIALS && option != SB_PAIR_OPT_DB;
}

/* The file first, so that what is typed stands above it. */
static enum sb_status read_rules(struct request *r, bool budget_given, bool trials_given, struct sb_error *err)
{
	double budget = r->q.budget_s;
	int trials = r->q.opt.trials;

	if (sb_gate_rules_read(r->config, &r->rules, &budget, &trials, err))
		return err->code;
	if (!budget_given)
		r->q.budget_s = budget;
	if (!trials_given)
		r->q.opt.trials = trials;
	if (r->max_pairs)
		r->rules.max_pairs = r->max_pairs;
	for (int i = 0; i < r->n_thresholds; i++)
		if (sb_gate_rules_add(r->threshold[i], "the command line", &r->rules, err))
			return err->code;
	return SB_OK;
}

static enum sb_status parse(int argc, char **argv, struct request *r, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	bool budget = false, trials = false;
	const char *value;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_gate_options, &value, err)) >= 0) {
		budget |= i == SB_PAIR_OPT_BUDGET;
		trials |= i == SB_PAIR_OPT_TRIALS;
		r->case_given |= is_of_case(i);
		if (i >= SB_PAIR_OPT_COUNT ? apply_own(i, value, r, err) : sb_pair_option(i, value, &r->q, err))
			return err->code;
	}
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands)
		return sb_fail(err, SB_E_USAGE, "gate takes no argument '%.64s'; a baseline is named by --baseline",
		        p.operands[0]);
	if (r->baseline && (r->case_given || r->arms[0]))
		return sb_fail(
		        err, SB_E_USAGE, "with --baseline the case and the arm are the baseline's: no other is given");
	if (r->baseline && r->n_exe == 2)
		return sb_fail(
		        err, SB_E_USAGE, "with --baseline the old binary is the baseline's: --exe is given once");
	if (!r->baseline && !r->n_exe && !strchr(r->arms, ',') && !(r->q.opt.side[SB_PAIRS_B].plant > 0.0))
		return sb_fail(err, SB_E_USAGE,
		        "nothing to hold against each other: name a --baseline, two --exe or two --arms");
	return read_rules(r, budget, trials, err);
}

/* ---- the baseline ---------------------------------------------------------------------------------------------- */

/* The newest of that name; several machines may have one, and which is this machine's is known when a worker is up. */
static enum sb_status take_baseline(struct sb_store *st, struct request *r, struct sb_error *err)
{
	struct sb_baselines all;
	char digest[17];
	size_t found = 0;
	enum sb_status status = sb_store_list_baselines(st, &all, err);

	if (status)
		return status;
	for (size_t i = 0; i < all.n; i++)
		if (!strcmp(all.v[i].name, r->baseline))
			found = i + 1;
	if (!found)
		status = sb_fail(
		        err, SB_E_USAGE, "no baseline '%.80s'; 'spabench baseline list' shows them", r->baseline);
	else if (!all.v[found - 1].run_id[0])
		status = sb_fail(err, SB_E_DATA, "baseline '%.80s': its run is gone from the database", r->baseline);
	else if (!sb_exe_digest(all.v[found - 1].exe, digest))
		status = sb_fail(err, SB_E_DATA,
		        "baseline '%.80s': its binary '%.200s' is gone; put it back, or set the baseline anew",
		        r->baseline, all.v[found - 1].exe);
	else if (strcmp(digest, all.v[found - 1].exe_digest) != 0)
		status = sb_fail(err, SB_E_DATA,
		        "baseline '%.80s': its binary '%.200s' is not what it was; keep a copy that no build writes to",
		        r->baseline, all.v[found - 1].exe);
	if (!status) {
		struct sb_baseline *b = &all.v[found - 1];

		r->found = *b;
		*b = (struct sb_baseline){ .name = NULL }; /* ours now */
		status = sb_store_read_run(st, r->found.run, &r->run, err);
	}
	sb_baselines_release(&all);
	return status;
}

static enum sb_status use_baseline(struct request *r, struct sb_error *err)
{
	struct sb_plan *plan = calloc(1, sizeof(*plan));
	struct sb_pairs_options *opt = &r->q.opt;
	const struct sb_run_arm *arm;
	enum sb_status status;

	if (!plan)
		return sb_fail(err, SB_E_NOMEM, "no memory for a plan");
	status = sb_plan_parse(r->run.plan, plan, &opt->setup, err);
	free(plan);
	if (status)
		return sb_wrap(err, "baseline '%.80s'", r->baseline);
	if (r->found.arm < 0 || r->found.arm >= r->run.n_arms)
		return sb_fail(err, SB_E_DATA, "baseline '%.80s' names an arm that its run does not have", r->baseline);
	arm = &r->run.arms[r->found.arm];
	for (int side = 0; side < SB_PAIRS_SIDES; side++) {
		struct sb_arm *to = &opt->side[side].arm;
		const char *name =
		        !strncmp(arm->name, "A/", 2) || !strncmp(arm->name, "B/", 2) ? arm->name + 2 : arm->name;

		if (sb_levels_parse(arm->levels, &to->levels, err))
			return err->code;
		snprintf(to->name, sizeof(to->name), "%c/%.*s", side ? 'B' : 'A', (int)sizeof(to->name) - 3, name);
	}
	opt->side[SB_PAIRS_A].exe = r->found.exe;
	opt->side[SB_PAIRS_B].exe = r->n_exe ? r->exe[0] : NULL;
	return SB_OK;
}

static enum sb_status use_sides(struct request *r, struct sb_error *err)
{
	char *comma;
	const char *b = r->arms;

	if (!r->arms[0])
		strcpy(r->arms, "after");
	comma = strchr(r->arms, ',');
	if (comma) {
		*comma = '\0';
		b = comma + 1;
	}
	r->q.opt.side[SB_PAIRS_A].exe = r->n_exe == 2 ? r->exe[0] : NULL;
	r->q.opt.side[SB_PAIRS_B].exe = r->n_exe ? r->exe[r->n_exe - 1] : NULL;
	return sb_pair_arms(&r->q, r->arms, b, err);
}

/* ---- what is known after the first pair ------------------------------------------------------------------------ */

static enum sb_status check_machine(
        const struct request *r, const char *machine, const char *of_case, struct sb_error *err)
{
	char text[512];

	if (!r->baseline)
		return SB_OK;
	if (sb_fingerprint_difference(r->found.case_key, of_case, text, sizeof(text)))
		return sb_fail(err, SB_E_USAGE, "baseline '%.80s' is of another case: %.400s", r->baseline, text);
	if (!r->other_machine && sb_fingerprint_difference(r->found.machine, machine, text, sizeof(text)))
		return sb_fail(err, SB_E_USAGE,
		        "baseline '%.80s' is of another machine: %.400s; --other-machine runs its binary here all the "
		        "same",
		        r->baseline, text);
	return SB_OK;
}

/* What 'spabench calibrate' found for this machine, case and arm stands below what the user says: it comes first. */
static enum sb_status add_calibration(struct sb_store *st, struct request *r, const char *machine, const char *of_case,
        const char *levels, struct sb_error *err)
{
	struct sb_gate_rules user = r->rules;
	struct sb_calibrations all;

	if (sb_store_list_calibrations(st, &all, err))
		return err->code;
	r->rules.n = 0;
	for (size_t i = 0; i < all.n; i++) {
		const struct sb_calibration *c = &all.v[i];
		double threshold;

		if (strcmp(c->machine, machine) != 0 || strcmp(c->case_key, of_case) != 0 ||
		        strcmp(c->levels, levels) != 0)
			continue;
		threshold = sb_calibrated_threshold(c->figures);
		if (!(threshold > 0.0) || r->rules.n + user.n >= SB_GATE_RULES_MAX ||
		        strlen(c->metric) >= SB_GATE_PATTERN_MAX)
			continue;
		struct sb_gate_threshold *to = &r->rules.threshold[r->rules.n++];

		*to = (struct sb_gate_threshold){ .threshold = threshold, .from = "calibration" };
		strcpy(to->pattern, c->metric);
	}
	for (int i = 0; i < user.n; i++)
		r->rules.threshold[r->rules.n++] = user.threshold[i];
	sb_calibrations_release(&all);
	return SB_OK;
}

/* ---- the gate -------------------------------------------------------------------------------------------------- */

struct gate {
	struct request *r;
	struct sb_store *st;
	struct sb_pairs *p;
	struct sb_pair_table table;
	struct sb_gate_result result;
	struct sb_buf machine;
};

static enum sb_status renew_table(struct gate *g, struct sb_error *err)
{
	sb_pair_table_release(&g->table);
	return sb_pair_table_build(g->st, sb_pairs_run_key(g->p), sb_gate_interval_level, &g->table, err);
}

static enum sb_status begin(struct gate *g, struct sb_error *err)
{
	struct sb_buf machine = { 0 }, of_case = { 0 };
	struct sb_run run = { .id = NULL };
	const char *kind;
	enum sb_status status = sb_pairs_measure(g->p, 1, err);

	if (!status)
		status = sb_store_read_run(g->st, sb_pairs_run_key(g->p), &run, err);
	if (status)
		return status;
	sb_fingerprint_machine(&run, &machine);
	sb_fingerprint_case(&run, &of_case);
	if (machine.failed || of_case.failed)
		status = sb_fail(err, SB_E_NOMEM, "no memory for a gate");
	if (!status)
		status = check_machine(g->r, sb_buf_str(&machine), sb_buf_str(&of_case), err);
	if (!status)
		status = add_calibration(
		        g->st, g->r, sb_buf_str(&machine), sb_buf_str(&of_case), run.arms[0].levels, err);
	if (!status)
		status = renew_table(g, err);
	kind = sb_run_fact(&run, "device.kind");
	if (!status)
		status = sb_gate_result_begin(
		        &g->table, &g->r->rules, kind && strcmp(kind, "cpu") != 0, &g->result, err);
	sb_fingerprint_line(sb_buf_str(&machine), &g->machine);
	sb_buf_release(&machine);
	sb_buf_release(&of_case);
	sb_run_release(&run);
	return status;
}

static enum sb_status judge(struct gate *g, struct sb_error *err)
{
	const char *stopped = NULL;
	enum sb_status status = begin(g, err);
	int wanted;

	while (!status && !stopped && (wanted = sb_gate_result_next(&g->result)) > 0) {
		while (!status && sb_pairs_whole(g->p) < wanted && sb_pair_fits_budget(&g->r->q, g->p))
			status = sb_pairs_measure(g->p, 1, err);
		if (!status)
			status = renew_table(g, err);
		if (!status && sb_pairs_whole(g->p) < wanted)
			stopped = "the budget is spent";
		else if (!status)
			sb_gate_result_look(&g->result, &g->table);
	}
	if (!status)
		sb_gate_result_end(&g->result, &g->table, stopped);
	return status;
}

/* Annotations stand behind the table; a document for programs stays what it is. */
static enum sb_status write_ci(const struct gate *g, const struct sb_gate_report *report, struct sb_error *err)
{
	bool json = !strcmp(sb_gate_formats[g->r->format], "json");
	struct sb_ci_report r;
	enum sb_status status;
	char host[256];

	sb_ci_of_gate(&r, report, sb_wall_time_ns(), sb_host_name(host, sizeof(host)) ? host : NULL);
	status = sb_ci_outputs_write(&g->r->ci, &r, json ? stderr : stdout, err);
	sb_ci_release(&r);
	return status;
}

static enum sb_status say(struct gate *g, struct sb_error *err)
{
	const struct sb_gate_report report = { .result = &g->result,
		.table = &g->table,
		.baseline = g->r->baseline,
		.machine = sb_buf_str(&g->machine),
		.elapsed_s = sb_pairs_elapsed_s(g->p),
		.budget_s = g->r->q.budget_s };
	struct sb_buf sentence = { 0 };
	enum sb_status status;

	sb_gate_sentence(&report, &sentence);
	const struct sb_fact verdict = { "gate.verdict", sb_buf_str(&sentence), NULL };

	status = sb_store_add_fact(g->st, sb_pairs_run_key(g->p), &verdict, err);
	sb_buf_release(&sentence);
	sb_pair_end_progress(&g->r->q);
	if (!status)
		status = sb_gate_report(&report, g->r->format, stdout, err);
	return status ? status : write_ci(g, &report, err);
}

static enum sb_status exit_status(enum sb_gate_verdict verdict, struct sb_error *err)
{
	err->msg[0] = '\0'; /* the table says it */
	return verdict == SB_GATE_PASS ? SB_OK : verdict == SB_GATE_FAIL ? SB_E_VERDICT : SB_E_OPEN;
}

static enum sb_status run_gate(struct request *r, struct sb_store *st, int argc, char **argv, struct sb_error *err)
{
	struct gate g = { .r = r, .st = st };
	enum sb_status status = SB_OK;

	if (r->baseline)
		status = take_baseline(st, r, err);
	if (!status)
		status = r->baseline ? use_baseline(r, err) : use_sides(r, err);
	if (!status)
		status = sb_pair_prepare(&r->q, argc, argv, err);
	if (status)
		return status;
	sb_pair_begin(&r->q);
	r->q.opt.kind = "gate";
	status = sb_pairs_open(st, &r->q.opt, &g.p, err);
	if (!status)
		status = judge(&g, err);
	if (!status)
		status = say(&g, err);
	sb_pair_end_progress(&r->q);
	status = sb_pairs_close(g.p, status, err);
	if (!status)
		status = exit_status(g.result.verdict, err);
	sb_gate_result_release(&g.result);
	sb_pair_table_release(&g.table);
	sb_buf_release(&g.machine);
	return status;
}

static enum sb_status run(struct request *r, int argc, char **argv, struct sb_error *err)
{
	const char *db = sb_database_path(r->q.db);
	struct sb_store *st;
	enum sb_status status;
	int lock;

	if (sb_ci_outputs_check(&r->ci, db, err) || sb_store_open(db, SB_STORE_WRITE, &st, err))
		return err->code;
	status = sb_gate_lock(db, &lock, err);
	if (!status)
		status = run_gate(r, st, argc, argv, err);
	sb_gate_unlock(lock);
	if (status && status != SB_E_VERDICT && status != SB_E_OPEN)
		sb_store_discard(st);
	else
		sb_store_close(st);
	return status;
}

enum sb_status sb_cmd_gate(int argc, char **argv, struct sb_error *err)
{
	struct request *r = calloc(1, sizeof(*r));
	enum sb_status status;

	if (!r)
		return sb_fail(err, SB_E_NOMEM, "no memory for the options");
	sb_pair_request_init(&r->q);
	status = parse(argc, argv, r, err);
	if (!status)
		status = run(r, argc, argv, err);
	if (r->run.id) {
		struct sb_baselines one = { NULL, 0 };

		sb_run_release(&r->run);
		one.v = malloc(sizeof(*one.v));
		if (one.v) {
			one.v[0] = r->found;
			one.n = 1;
		}
		sb_baselines_release(&one);
	}
	sb_pair_request_release(&r->q);
	free(r);
	return status;
}
