/* gate: is the new build slower or larger than the baseline? An answer with an exit code. */
#include "baseline_find.h"
#include "ci_outputs.h"
#include "gate_lock.h"
#include "gate_rules.h"
#include "gate_stored.h"
#include "pair_request.h"
#include "sb_calibration.h"
#include "sb_cli.h"
#include "sb_fingerprint.h"
#include "sb_gate_report.h"
#include "sb_summary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OPT_BASELINE = SB_PAIR_OPT_COUNT,
	OPT_EXE,
	OPT_ARMS,
	OPT_THRESHOLD,
	OPT_CONFIG,
	OPT_MAX_PAIRS,
	OPT_OTHER_MACHINE,
	OPT_STORED,
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
	[OPT_STORED] = { "stored", NULL,
	        "the baseline's binary is gone: hold new processes against those its run stored; sees less" },
	[OPT_FORMAT] = { "format", "FORMAT", "text, markdown or json [text]" },
	[OPT_JUNIT] = { "junit", "FILE", "the verdicts as JUnit's XML, too: a test for each metric" },
	[OPT_GITHUB] = { "github", NULL, "the verdicts for GitHub Actions, too: step summary and annotations" },
	{ NULL, NULL, NULL },
};

const char sb_gate_details[] =
        "Runs the baseline's binary and the new one by turns, in fresh processes, until every metric is decided:\n"
        "looks after 8, 12, 16, 24, 40 and 64 pairs as far as the budget reaches, and when it is spent. Exit 0: all\n"
        "pass; 1: one fails; 5: none fails, and one cannot be told. Without any difference at most 1 % of gates fail.\n"
        "Judged are the total, stages of 10 % of it or more, and memory; and a build that loses more pairs by crashes\n"
        "or timeouts than the baseline does not pass. A metric fails that is shown to be slower and estimated at its\n"
        "threshold or more; it passes when it is shown to be below the threshold. Thresholds without calibration:\n"
        "times 1 % on a GPU and 10 % on a CPU, memory 0. 'spabench calibrate' finds what this machine can tell.\n"
        "spabench.ini: [gate] alpha, beta, max_pairs, budget, trials, correction (bh or by);\n"
        "[thresholds] METRIC = PERCENT or off, METRIC as in the table or as stored, * for any characters.\n";

struct request {
	struct sb_pair_request q;
	const char *baseline, *config, *exe[2];
	char arms[256];
	bool other_machine, stored, levels_given;
	struct sb_ci_outputs ci;
	int n_exe, format, max_pairs;
	struct {
		int option;
		const char *value;
	} of_case[32]; /* options that say what is run: with a baseline they may only repeat what it says */
	int n_of_case;
	const char *threshold[32];
	int n_thresholds;
	struct sb_gate_rules rules;
	/* of the baseline */
	struct sb_baselines named; /* the first n_named are of that name, the newest last */
	size_t n_named, chosen;
	struct sb_run run;
	/* of this machine, case and arm: the first n_calibrations */
	struct sb_calibrations calibrations;
	int n_calibrations;
	bool other_trials; /* there is one of processes with another number of trials, which is not used */
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
	case OPT_STORED:
		r->stored = true;
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

static enum sb_status note_of_case(int option, const char *value, struct request *r, struct sb_error *err)
{
	if (option >= SB_PAIR_OPT_TRIALS || option == SB_PAIR_OPT_DB)
		return SB_OK;
	r->levels_given |= option == SB_PAIR_OPT_SET;
	if (r->n_of_case == (int)SB_ARRAY_LEN(r->of_case))
		return sb_fail(err, SB_E_USAGE, "too many options that say what is run");
	r->of_case[r->n_of_case].option = option;
	r->of_case[r->n_of_case++].value = value;
	return SB_OK;
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
		if (note_of_case(i, value, r, err))
			return err->code;
		if (i >= SB_PAIR_OPT_COUNT ? apply_own(i, value, r, err) : sb_pair_option(i, value, &r->q, err))
			return err->code;
	}
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands)
		return sb_fail(err, SB_E_USAGE, "gate takes no argument '%.64s'; a baseline is named by --baseline",
		        p.operands[0]);
	if (r->baseline && (r->levels_given || r->arms[0]))
		return sb_fail(err, SB_E_USAGE, "with --baseline the arm is the baseline's: no other is given");
	if (r->baseline && r->n_exe == 2)
		return sb_fail(
		        err, SB_E_USAGE, "with --baseline the old binary is the baseline's: --exe is given once");
	if (r->stored && (!r->baseline || r->other_machine))
		return sb_fail(err, SB_E_USAGE,
		        "--stored goes with --baseline of this machine: what another machine's processes took says "
		        "nothing here");
	if (!r->baseline && !r->n_exe && !strchr(r->arms, ',') && !(r->q.opt.side[SB_PAIRS_B].plant > 0.0))
		return sb_fail(err, SB_E_USAGE,
		        "nothing to hold against each other: name a --baseline, two --exe or two --arms");
	if (read_rules(r, budget, trials, err))
		return err->code;
	return r->baseline ? SB_OK : sb_gate_rules_check(&r->rules, err);
}

/* ---- the baseline ---------------------------------------------------------------------------------------------- */

static const struct sb_baseline *found(const struct request *r)
{
	return &r->named.v[r->chosen];
}

/* All baselines of the name stay; the newest is tried first, and what fits is known when a worker is up. */
static enum sb_status list_baselines(struct sb_store *st, struct request *r, struct sb_error *err)
{
	size_t n = 0;

	if (sb_store_list_baselines(st, &r->named, err))
		return err->code;
	for (size_t i = 0; i < r->named.n; i++) {
		struct sb_baseline b = r->named.v[i];

		if (strcmp(b.name, r->baseline) != 0)
			continue;
		r->named.v[i] = r->named.v[n];
		r->named.v[n++] = b;
		r->chosen = n - 1;
	}
	r->n_named = n;
	return n ? SB_OK
	         : sb_fail(err, SB_E_USAGE, "no baseline '%.80s'; 'spabench baseline list' shows them", r->baseline);
}

static enum sb_status check_binary(const struct request *r, struct sb_error *err)
{
	const struct sb_baseline *b = found(r);
	char digest[17];

	if (!sb_exe_digest(b->exe, digest))
		return sb_fail(err, SB_E_DATA,
		        "baseline '%.80s': its binary '%.200s' is gone; put it back, set the baseline anew, or "
		        "give --stored to compare with the processes that its run stored",
		        r->baseline, b->exe);
	if (strcmp(digest, b->exe_digest) != 0)
		return sb_fail(err, SB_E_DATA,
		        "baseline '%.80s': its binary '%.200s' is not what it was; keep a copy that no build writes to",
		        r->baseline, b->exe);
	return SB_OK;
}

static enum sb_status read_baseline(struct sb_store *st, struct request *r, struct sb_error *err)
{
	const struct sb_baseline *b = found(r);

	if (!b->run_id[0])
		return sb_fail(err, SB_E_DATA,
		        "baseline '%.80s': its run is gone from the database; 'spabench baseline drop' forgets it",
		        r->baseline);
	if (!r->stored && check_binary(r, err))
		return err->code;
	sb_run_release(&r->run);
	if (sb_store_read_run(st, b->run, &r->run, err))
		return err->code;
	if (b->arm < 0 || b->arm >= r->run.n_arms)
		return sb_fail(err, SB_E_DATA, "baseline '%.80s' names an arm that its run does not have", r->baseline);
	return SB_OK;
}

/* The baseline's own plan, and on top of it what was typed: the same, or another case, which is found out later. */
static enum sb_status use_case(struct request *r, struct sb_error *err)
{
	struct sb_plan *plan = calloc(1, sizeof(*plan));
	enum sb_status status;

	if (!plan)
		return sb_fail(err, SB_E_NOMEM, "no memory for a plan");
	status = sb_plan_parse(r->run.plan, plan, &r->q.opt.setup, err);
	free(plan);
	if (status)
		return sb_wrap(err, "baseline '%.80s'", r->baseline);
	for (int i = 0; i < r->n_of_case && !status; i++)
		status = sb_pair_option(r->of_case[i].option, r->of_case[i].value, &r->q, err);
	return status;
}

static enum sb_status use_baseline(struct sb_store *st, struct request *r, struct sb_error *err)
{
	struct sb_pairs_options *opt = &r->q.opt;
	const struct sb_run_arm *arm;
	const char *name;

	if (read_baseline(st, r, err) || use_case(r, err))
		return err->code;
	arm = &r->run.arms[found(r)->arm];
	name = !strncmp(arm->name, "A/", 2) || !strncmp(arm->name, "B/", 2) ? arm->name + 2 : arm->name;
	for (int side = 0; side < SB_PAIRS_SIDES; side++) {
		struct sb_arm *to = &opt->side[side].arm;

		if (sb_levels_parse(arm->levels, &to->levels, err))
			return err->code;
		snprintf(to->name, sizeof(to->name), "%c/%.*s", side ? 'B' : 'A', (int)sizeof(to->name) - 3, name);
	}
	opt->side[SB_PAIRS_A].exe = found(r)->exe;
	opt->side[SB_PAIRS_B].exe = r->n_exe ? r->exe[0] : NULL;
	opt->alone = r->stored;
	if (r->stored) {
		char *whole = opt->side[SB_PAIRS_A].arm.name;

		opt->side[SB_PAIRS_A] = opt->side[SB_PAIRS_B];
		memmove(whole, whole + 2, strlen(whole + 2) + 1); /* one side needs no "B/" */
	}
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

/* Another baseline of the name that fits better than the one that was tried; then it is chosen. */
static bool choose_better(struct request *r, const char *machine, const char *of_case)
{
	const struct sb_baseline *tried = found(r);

	if (!strcmp(tried->machine, machine) && !strcmp(tried->case_key, of_case))
		return false;
	for (size_t i = 0; i < r->n_named; i++) {
		const struct sb_baseline *b = &r->named.v[i];

		if (!strcmp(b->machine, machine) && !strcmp(b->case_key, of_case)) {
			r->chosen = i;
			return true;
		}
	}
	return false;
}

static enum sb_status check_machine(
        const struct request *r, const char *machine, const char *of_case, struct sb_error *err)
{
	char text[512];

	if (!r->baseline)
		return SB_OK;
	if (sb_fingerprint_difference(found(r)->case_key, of_case, text, sizeof(text)))
		return sb_fail(err, SB_E_USAGE, "baseline '%.80s' is of another case: %.400s", r->baseline, text);
	if (!r->other_machine && sb_fingerprint_difference(found(r)->machine, machine, text, sizeof(text)))
		return sb_fail(err, SB_E_USAGE,
		        "baseline '%.80s' is of another machine: %.400s; --other-machine runs its binary here all the "
		        "same",
		        r->baseline, text);
	return SB_OK;
}

/* What the noise of processes with so many trials is says nothing of others. */
static bool is_of_trials(const struct sb_calibration *c, int trials)
{
	struct sb_calibrated found;

	return !sb_calibrated_parse(c->figures, &found) || !found.trials || found.trials == trials;
}

static bool is_about(const struct sb_calibration *c, const char *machine, const char *of_case, const char *levels)
{
	return !strcmp(c->machine, machine) && !strcmp(c->case_key, of_case) && !strcmp(c->levels, levels);
}

/* What 'spabench calibrate' found for this machine, case and arm stands below what the user says: it comes first. */
static enum sb_status add_calibration(struct sb_store *st, struct request *r, const char *machine, const char *of_case,
        const char *levels, struct sb_error *err)
{
	struct sb_gate_rules user = r->rules;
	int n = 0;

	if (sb_store_list_calibrations(st, &r->calibrations, err))
		return err->code;
	r->rules.n = 0;
	for (size_t i = 0; i < r->calibrations.n; i++) {
		struct sb_calibration c = r->calibrations.v[i];
		struct sb_gate_threshold *to = &r->rules.threshold[r->rules.n];
		struct sb_calibrated found;

		if (!is_about(&c, machine, of_case, levels))
			continue;
		if (!is_of_trials(&c, r->q.opt.trials)) {
			r->other_trials = true;
			continue;
		}
		r->calibrations.v[i] = r->calibrations.v[n]; /* those of this gate to the front */
		r->calibrations.v[n++] = c;
		if (!sb_calibrated_parse(c.figures, &found) || !(found.threshold > 0.0) ||
		        r->rules.n + user.n >= SB_GATE_RULES_MAX || strlen(c.metric) >= SB_GATE_PATTERN_MAX)
			continue;
		*to = (struct sb_gate_threshold){ .threshold = found.threshold, .from = "calibration" };
		strcpy(to->pattern, c.metric);
		r->rules.n++;
	}
	r->n_calibrations = n;
	for (int i = 0; i < user.n; i++)
		r->rules.threshold[r->rules.n++] = user.threshold[i];
	return SB_OK;
}

/* A threshold that the noise hides is refused, where it is somebody's and not our default. */
static enum sb_status check_noise(const struct request *r, const struct sb_gate_result *result, struct sb_error *err)
{
	for (int i = 0; i < result->n_rows; i++) {
		const struct sb_gate_row *row = &result->rows[i];

		for (int k = 0; k < r->n_calibrations && !row->exact; k++) {
			struct sb_gate_calibration c = { .pairs = 0 };
			struct sb_calibrated found;

			if (strcmp(r->calibrations.v[k].metric, row->metric) != 0 ||
			        !sb_calibrated_parse(r->calibrations.v[k].figures, &found) ||
			        !strcmp(row->threshold_from, "default"))
				continue;
			/* Of gates as long as this one, or else of the longest. */
			c = found.full;
			if (result->design.look[result->design.n_looks - 1].pairs <= found.gate_pairs) {
				c.passes_from = found.passes_from;
				c.max_pairs = found.gate_pairs;
			}
			if (!c.max_pairs || !isfinite(c.passes_from))
				continue;
			if (sb_gate_check_noise(row->label, row->threshold, &c, err))
				return err->code;
		}
	}
	return SB_OK;
}

/* ---- the gate -------------------------------------------------------------------------------------------------- */

struct gate {
	struct request *r;
	struct sb_store *st;
	struct sb_pairs *p;
	struct sb_pair_table table;
	struct sb_gate_result result;
	struct sb_buf machine, note;
	double first_s;         /* that the first pair took, longer than others: what is read is not in the cache yet */
	struct sb_old_runs old; /* --stored: has the table's strings */
	struct sb_gate_stored stored;
	bool gpu, broken; /* broken: the new build's processes end badly, one after the other */
};

static bool run_has_build(const struct sb_run *run, const char *build_id)
{
	for (size_t i = 0; i < run->n_workers; i++)
		if (!strcmp(run->workers[i].build_id, build_id))
			return true;
	return false;
}

static enum sb_status renew_table(struct gate *g, struct sb_error *err)
{
	sb_pair_table_release(&g->table);
	return sb_pair_table_build(g->st, sb_pairs_run_key(g->p), sb_gate_interval_level, &g->table, err);
}

/* n pairs more. A new build whose processes all end badly is a verdict and no error. */
static enum sb_status measure(struct gate *g, int n, struct sb_error *err)
{
	enum sb_status status = sb_pairs_measure(g->p, n, err);
	struct sb_error later;

	if (status != SB_E_DEVICE || renew_table(g, &later) || !sb_gate_result_broken(&g->result, &g->table))
		return status;
	sb_buf_addf(&g->note, "%s%.400s", g->note.len ? "; " : "", sb_pairs_last_failure(g->p));
	g->broken = true;
	return SB_OK;
}

/* Who is measured is known now. *again: a baseline of the same name fits better. */
static enum sb_status place(struct gate *g, bool *again, struct sb_error *err)
{
	struct sb_buf machine = { 0 }, of_case = { 0 };
	struct sb_run run = { .id = NULL };
	const char *kind;
	enum sb_status status = sb_store_read_run(g->st, sb_pairs_run_key(g->p), &run, err);

	if (status)
		return status;
	sb_fingerprint_machine(&run, &machine);
	sb_fingerprint_case(&run, &of_case);
	if (machine.failed || of_case.failed)
		status = sb_fail(err, SB_E_NOMEM, "no memory for a gate");
	*again = !status && *again && g->r->baseline && choose_better(g->r, sb_buf_str(&machine), sb_buf_str(&of_case));
	if (!status && !*again)
		status = check_machine(g->r, sb_buf_str(&machine), sb_buf_str(&of_case), err);
	if (!status && !*again)
		status = add_calibration(
		        g->st, g->r, sb_buf_str(&machine), sb_buf_str(&of_case), run.arms[0].levels, err);
	kind = sb_run_fact(&run, "device.kind");
	g->gpu = kind && strcmp(kind, "cpu") != 0;
	g->machine.len = 0;
	sb_fingerprint_line(sb_buf_str(&machine), &g->machine);
	sb_buf_release(&machine);
	sb_buf_release(&of_case);
	sb_run_release(&run);
	return status;
}

/* Of a pair but the first. */
static double pair_seconds(const struct gate *g)
{
	int others = sb_pairs_whole(g->p) + sb_pairs_dropped(g->p) - 1;

	return others > 0 ? (sb_pairs_elapsed_s(g->p) - g->first_s) / others : g->first_s;
}

static struct sb_gate_pace pace(const struct gate *g)
{
	return (struct sb_gate_pace){ g->r->q.budget_s, g->first_s, pair_seconds(g) };
}

/* A gate that could pass and never fail is none: how much time it would take, where more of it would do. */
static enum sb_status refuse_budget(struct gate *g, int most, struct sb_error *err)
{
	const struct sb_gate_pace p = pace(g);
	double pair_s = p.pair_s;
	int room = sb_gate_pairs_room(&p, 1.0), pairs = SB_GATE_FIRST_LOOK;
	struct sb_gate_rules rules = g->r->rules;
	struct sb_gate_result enough;
	struct sb_error refused;

	most = most ? most : SB_GATE_MAX_PAIRS;
	for (; pairs <= most; pairs++) {
		rules.max_pairs = pairs;
		if (sb_gate_result_begin(&g->table, &rules, g->gpu, &enough, &refused))
			continue;
		sb_gate_result_release(&enough);
		return sb_fail(err, SB_E_USAGE,
		        "the budget of %g s has room for about %d pairs of %.2g s, and in fewer than %d nothing here "
		        "could fail; give --budget %.0f or more, or judge fewer metrics",
		        g->r->q.budget_s, room, pair_s, pairs, ceil(g->first_s + 1.2 * (pairs - 1) * pair_s));
	}
	return SB_E_USAGE; /* what is wrong is not the budget: as it was said */
}

static enum sb_status plan(struct gate *g, struct sb_error *err)
{
	struct sb_gate_rules *rules = &g->r->rules;
	int most = rules->max_pairs;
	struct sb_gate_pace p;
	enum sb_status status = g->broken ? SB_OK : measure(g, 1, err); /* the first took longer than others will */

	if (status || g->broken)
		return status;
	status = renew_table(g, err);
	if (!status && !g->table.pairs)
		return sb_fail(err, SB_E_DEVICE, "no pair ended well; the last: %s", sb_pairs_last_failure(g->p));
	p = pace(g);
	rules->max_pairs = sb_gate_pairs_planned(&p, most);
	if (!status)
		status = sb_gate_result_begin(&g->table, rules, g->gpu, &g->result, err);
	if (status == SB_E_USAGE && rules->max_pairs != (most ? most : SB_GATE_MAX_PAIRS))
		status = refuse_budget(g, most, err);
	return status ? status : check_noise(g->r, &g->result, err);
}

static enum sb_status judge(struct gate *g, struct sb_error *err)
{
	const char *stopped = NULL;
	enum sb_status status = plan(g, err);
	int wanted;

	while (!status && !stopped && !g->broken && (wanted = sb_gate_result_next(&g->result)) > 0) {
		while (!status && !g->broken && sb_pairs_whole(g->p) < wanted && sb_pair_fits_budget(&g->r->q, g->p))
			status = measure(g, 1, err);
		if (status || g->broken)
			break;
		status = renew_table(g, err);
		if (!status && sb_pairs_whole(g->p) < wanted)
			stopped = sb_pairs_whole(g->p) < SB_GATE_FIRST_LOOK
			                  ? "the budget is spent before the eight pairs of the first look"
			                  : "the budget is spent";
		else if (!status)
			sb_gate_result_look(&g->result, &g->table);
	}
	if (!status && !g->broken)
		sb_gate_result_end(&g->result, &g->table, stopped);
	return status;
}

/* What else there is to know: clocks that were held down, a baseline's binary that is not what its run was made by. */
static enum sb_status add_notes(struct gate *g, struct sb_error *err)
{
	const struct sb_worker_facts *a = sb_pairs_facts(g->p, SB_PAIRS_A);
	struct sb_summary s;

	if (sb_summary_build(g->st, sb_pairs_run_key(g->p), NULL, &s, err))
		return err->code;
	if (s.throttled)
		sb_buf_addf(&g->note, "%s", s.throttled);
	sb_summary_release(&s);
	if (g->r->other_trials && !g->r->n_calibrations)
		sb_buf_addf(&g->note, "%sthe calibration is of another number of trials a process, and not used",
		        g->note.len ? "; " : "");
	if (g->r->stored && g->r->q.opt.side[SB_PAIRS_A].plant > 0.0)
		sb_buf_addf(&g->note, "%sfor a test, every pass of B was made longer: %.3g %% were asked for",
		        g->note.len ? "; " : "", 100.0 * g->r->q.opt.side[SB_PAIRS_A].plant);
	if (!g->r->stored && g->r->baseline && a && !run_has_build(&g->r->run, a->build_id))
		sb_buf_addf(&g->note, "%sthe baseline's run was made by another build than its binary, %s",
		        g->note.len ? "; " : "", g->r->run.n_workers ? g->r->run.workers[0].build_id : "?");
	return SB_OK;
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
		.note = g->note.len ? sb_buf_str(&g->note) : NULL,
		.elapsed_s = sb_pairs_elapsed_s(g->p),
		.budget_s = g->r->q.budget_s,
		.stored = g->r->stored ? &g->stored : NULL };
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

/* The baseline's own trials tell what will be judged, and with it whether so many pairs can decide it. */
static enum sb_status check_against_baseline(struct gate *g, struct sb_error *err)
{
	const struct request *r = g->r;
	const char *kind = sb_run_fact(&r->run, "device.kind");

	return sb_gate_rules_check_arm(
	        &r->rules, g->st, found(r)->run, found(r)->arm, kind && strcmp(kind, "cpu") != 0, err);
}

static enum sb_status open_pairs(struct gate *g, int argc, char **argv, struct sb_error *err)
{
	struct request *r = g->r;
	enum sb_status status = r->baseline ? use_baseline(g->st, r, err) : use_sides(r, err);

	if (!status && r->baseline && !r->stored)
		status = check_against_baseline(g, err);
	sb_buf_release(&r->q.command_text);
	if (!status)
		status = sb_pair_prepare(&r->q, argc, argv, err);
	if (status)
		return status;
	sb_pair_begin(&r->q);
	r->q.opt.kind = r->stored ? NULL : "gate";
	return sb_pairs_open(g->st, &r->q.opt, &g->p, err);
}

/* The first pair; *again: another baseline of the name was chosen, which fits better. */
static enum sb_status first_pair(struct gate *g, int argc, char **argv, bool *again, struct sb_error *err)
{
	enum sb_status status = open_pairs(g, argc, argv, err);

	if (!status)
		status = measure(g, 1, err);
	if (!status)
		g->first_s = sb_pairs_elapsed_s(g->p);
	return status ? status : place(g, again, err);
}

static void drop_pairs(struct gate *g)
{
	struct sb_error ignored;

	sb_pairs_close(g->p, SB_E_USAGE, &ignored);
	g->p = NULL;
}

/*
 * The first pair, once more where it showed that another baseline of the name is meant. One that cannot even be begun
 * here (its clip, device or binary is another machine's) leaves the others of its name; when none can, the newest says
 * why.
 */
static enum sb_status begin(struct gate *g, int argc, char **argv, struct sb_error *err)
{
	enum sb_status status, first = SB_OK;
	struct sb_error of_newest;
	bool again = true;

	status = first_pair(g, argc, argv, &again, err);
	while (status && status != SB_E_INTERRUPTED && status != SB_E_NOMEM && g->r->baseline && g->r->chosen > 0) {
		if (!first) {
			first = status;
			of_newest = *err;
		}
		drop_pairs(g);
		g->r->chosen--;
		again = true;
		status = first_pair(g, argc, argv, &again, err);
	}
	if (!status && again) {
		drop_pairs(g);
		again = false;
		status = first_pair(g, argc, argv, &again, err);
	}
	if (status && first) {
		*err = of_newest;
		return first;
	}
	return status;
}

/* A run that is none of pairs says by a fact what made it. */
static enum sb_status judge_stored(struct gate *g, struct sb_error *err)
{
	const struct sb_gate_against a = { g->st, found(g->r)->run, g->r->run.arms[found(g->r)->arm].name, g->gpu };
	const struct sb_fact fact = { SB_STORED_FACT, g->r->run.id, NULL };
	enum sb_status status = sb_store_add_fact(g->st, sb_pairs_run_key(g->p), &fact, err);

	return status ? status
	              : sb_gate_stored_measure(
	                        &a, &g->r->q, g->p, &g->r->rules, &g->old, &g->table, &g->result, &g->stored, err);
}

static enum sb_status run_gate(struct request *r, struct sb_store *st, int argc, char **argv, struct sb_error *err)
{
	struct gate g = { .r = r, .st = st };
	enum sb_status status = r->baseline ? list_baselines(st, r, err) : SB_OK;

	if (!status)
		status = begin(&g, argc, argv, err);
	if (!status)
		status = r->stored ? judge_stored(&g, err) : judge(&g, err);
	if (!status)
		status = add_notes(&g, err);
	if (!status)
		status = say(&g, err);
	sb_pair_end_progress(&r->q);
	status = sb_pairs_close(g.p, status, err);
	if (!status)
		status = exit_status(g.result.verdict, err);
	sb_gate_result_release(&g.result);
	sb_pair_table_release(&g.table);
	if (g.old.pool)
		sb_old_runs_release(&g.old);
	sb_buf_release(&g.machine);
	sb_buf_release(&g.note);
	return status;
}

static enum sb_status run(struct request *r, int argc, char **argv, struct sb_error *err)
{
	const char *db = sb_database_path(r->q.db);
	struct sb_store *st;
	enum sb_status status;
	int lock;

	if (r->baseline && access(db, F_OK))
		return sb_fail(err, SB_E_DATA,
		        "no database '%.200s'; 'spabench pairs' and 'spabench baseline set' make a baseline", db);
	if (sb_ci_outputs_check(&r->ci, db, err) || sb_store_open(db, SB_STORE_WRITE, &st, err))
		return err->code;
	status = sb_gate_lock(db, &lock, err);
	if (!status)
		status = run_gate(r, st, argc, argv, err);
	if (status && status != SB_E_VERDICT && status != SB_E_OPEN)
		sb_store_discard(st);
	else
		sb_store_close(st);
	sb_gate_unlock(lock);
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
	sb_run_release(&r->run);
	sb_baselines_release(&r->named);
	sb_calibrations_release(&r->calibrations);
	sb_pair_request_release(&r->q);
	free(r);
	return status;
}
