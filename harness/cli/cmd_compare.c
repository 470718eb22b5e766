/* compare: the before/after table of a run. */
#include "ci_outputs.h"
#include "run_data.h"
#include "sb_cli.h"
#include "sb_machines_report.h"
#include "sb_old_runs_report.h"
#include "sb_ops_report.h"
#include "sb_pair_report.h"
#include "sb_pairs.h"
#include "sb_reports.h"
#include "sb_store.h"
#include "sb_summary.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPT_DB, OPT_FORMAT, OPT_COLOR, OPT_EFFECTS, OPT_JUNIT, OPT_GITHUB, OPT_MACHINES, OPT_PLOT, OPT_OPS };

const struct sb_option sb_compare_options[] = {
	[OPT_DB] = { "db", "FILE", "the database [$SPABENCH_DB, else ./spabench.db]" },
	[OPT_FORMAT] = { "format", "FORMAT", "text, markdown, csv or json [text]" },
	[OPT_COLOR] = { "color", "auto|always|never", "colour in the text [auto: on a terminal]" },
	[OPT_EFFECTS] = { "effects", NULL, "what each switch brings on every stage, at every level of the others" },
	[OPT_JUNIT] = { "junit", "FILE", "the claims as JUnit's XML, too: a test each" },
	[OPT_GITHUB] = { "github", NULL, "the claims for GitHub Actions, too: step summary and annotations" },
	[OPT_MACHINES] = { "machines", NULL,
	        "the same arms and case on every machine that has them here, or every GPU" },
	[OPT_PLOT] = { "plot", NULL, "bars and intervals in plain characters instead of the table" },
	[OPT_OPS] = { "ops", NULL,
	        "the calls of ops lined up: which product got how much faster, what came, what went" },
	{ NULL, NULL, NULL },
};

const char sb_compare_details[] =
        "REF is [FILE:][RUN][/ARM]. RUN is the beginning of a run's id; without one the newest run is shown.\n"
        "Two REFs of one run name the two arms of the first table, for instance 'compare /before /+attention'.\n"
        "Two REFs of two runs are set against each other, arm by arm 'after' unless they name one, with what differs\n"
        "from run to run in the interval; case, clip and weights must be the same.\n"
        "--machines: each machine's ratio, their mean with what differs between machines, and how far they are apart;\n"
        "'spabench merge' joins databases of several, 'run --device all' measures every GPU of one.\n"
        "Ratio is after / before everywhere: below 1 is faster or smaller.\n";

struct request {
	const char *db;
	int format, color; /* indices into the lists below */
	bool effects, machines, plot, ops;
	struct sb_ci_outputs ci;
	struct sb_reference ref[2];
	int n_refs;
};

enum { TEXT, MARKDOWN, CSV, JSON };
static const char *const formats[] = { "text", "markdown", "csv", "json", NULL };
enum { AUTO, ALWAYS, NEVER };
static const char *const colors[] = { "auto", "always", "never", NULL };

static enum sb_status parse(int argc, char **argv, struct request *q, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	const char *value;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_compare_options, &value, err)) >= 0) {
		switch (i) {
		case OPT_DB:
			q->db = value;
			break;
		case OPT_FORMAT:
			if (sb_parse_word(value, "--format", formats, &q->format, err))
				return SB_E_USAGE;
			break;
		case OPT_COLOR:
			if (sb_parse_word(value, "--color", colors, &q->color, err))
				return SB_E_USAGE;
			break;
		case OPT_EFFECTS:
			q->effects = true;
			break;
		case OPT_JUNIT:
			q->ci.junit = value;
			break;
		case OPT_GITHUB:
			q->ci.github = true;
			break;
		case OPT_MACHINES:
			q->machines = true;
			break;
		case OPT_PLOT:
			q->plot = true;
			break;
		case OPT_OPS:
			q->ops = true;
			break;
		}
	}
	if (i == -2)
		return SB_E_USAGE;
	if (q->machines && (q->effects || q->ci.junit || q->ci.github))
		return sb_fail(err, SB_E_USAGE, "--machines goes with none of --effects, --junit and --github");
	if (q->plot && (q->machines || q->effects || q->format != TEXT))
		return sb_fail(err, SB_E_USAGE, "--plot goes with none of --machines, --effects and another --format");
	if (q->ops && (q->machines || q->effects || q->plot || q->ci.junit || q->ci.github))
		return sb_fail(
		        err, SB_E_USAGE, "--ops goes with none of --machines, --effects, --plot, --junit and --github");
	if (p.n_operands > 2)
		return sb_fail(err, SB_E_USAGE, "compare takes one or two references, not %d", p.n_operands);
	q->n_refs = p.n_operands;
	for (int r = 0; r < q->n_refs; r++)
		if (sb_reference_parse(p.operands[r], &q->ref[r], err))
			return SB_E_USAGE;
	return SB_OK;
}

/* The first database and run. The second reference may leave out what the first one says, and the other way round. */
static void choose(const struct request *q, const char **db, const char **run, struct sb_summary_options *opt)
{
	const struct sb_reference *a = &q->ref[0], *b = &q->ref[1];

	*db = q->n_refs && a->file ? a->file : sb_database_path(q->db);
	*run = q->n_refs && a->run[0] ? a->run : NULL;
	*opt = (struct sb_summary_options){ .effects = q->effects };
	if (q->n_refs == 1)
		opt->after = a->arm;
	if (q->n_refs == 2 && !*run && b->run[0] && (!b->file || !strcmp(b->file, *db)))
		*run = b->run;
}

/* Two arms of one run: its summary. */
static enum sb_status choose_arms(const struct request *q, struct sb_summary_options *opt, struct sb_error *err)
{
	const struct sb_reference *a = &q->ref[0], *b = &q->ref[1];

	if (!a->arm || !b->arm)
		return sb_fail(err, SB_E_USAGE, "two references name two arms, for instance /before /+attention");
	if (!strcmp(a->arm, b->arm))
		return sb_fail(err, SB_E_USAGE, "arm '%.40s' cannot be compared with itself", a->arm);
	opt->before = a->arm;
	opt->after = b->arm;
	return SB_OK;
}

static enum sb_status print_ops(struct sb_ops *ops, enum sb_status status, int format, struct sb_error *err)
{
	if (!status) {
		status = sb_ops_report(ops, format, stdout, err);
		sb_ops_release(ops);
	}
	return status;
}

static enum sb_status print_old_runs(const struct request *q, const struct sb_old_ref ref[2], struct sb_error *err)
{
	struct sb_old_runs table;
	enum sb_status status;

	if (q->ci.junit || q->ci.github || q->effects || q->machines || q->plot)
		return sb_fail(err, SB_E_USAGE,
		        "two runs are compared metric by metric, without --junit, --github, --effects, --machines "
		        "or --plot");
	if (q->ops) {
		struct sb_ops ops;

		return print_ops(&ops, sb_ops_build_two(ref, &ops, err), q->format, err);
	}
	status = sb_old_runs_build(ref, &table, err);
	if (status)
		return status;
	status = sb_old_runs_report(&table, q->format, stdout, err);
	sb_old_runs_release(&table);
	return status;
}

/*
 * With two references to two runs, print them: *done. With two to one run, its arms are chosen. st and key are the
 * first one's.
 */
static enum sb_status two_references(const struct request *q, const char *db, struct sb_store *st, int64_t key,
        struct sb_summary_options *opt, bool *done, struct sb_error *err)
{
	const struct sb_reference *a = &q->ref[0], *b = &q->ref[1];
	bool other_file = b->file && strcmp(b->file, db) != 0;
	struct sb_old_ref ref[2] = { { st, key, a->arm ? a->arm : b->arm }, { st, key, b->arm ? b->arm : a->arm } };
	enum sb_status status = SB_OK;

	if (other_file)
		status = sb_store_open(b->file, SB_STORE_READ, &ref[1].st, err);
	if (status)
		return status;
	if (other_file || b->run[0])
		status = sb_store_find_run(ref[1].st, b->run[0] ? b->run : NULL, &ref[1].run_key, err);
	*done = other_file || ref[1].run_key != key;
	if (!status)
		status = *done ? print_old_runs(q, ref, err) : choose_arms(q, opt, err);
	if (other_file)
		sb_store_close(ref[1].st);
	return status;
}

/* The arms of the first group, call by call. */
static enum sb_status print_ops_of(
        struct sb_store *st, int64_t key, const struct request *q, const struct sb_summary *s, struct sb_error *err)
{
	const struct sb_summary_group *g = &s->groups[0];
	struct sb_ops ops;

	if (!g->after)
		return sb_fail(err, SB_E_DATA, "run %.12s has one arm: there is nothing to compare it with", s->run_id);
	return print_ops(&ops, sb_ops_build(st, key, g->before, g->after, &ops, err), q->format, err);
}

static enum sb_status print(const struct request *q, const struct sb_summary *s, struct sb_error *err)
{
	struct sb_text_options text = { .width = 100 };
	int width = sb_terminal_width(STDOUT_FILENO);

	text.color = q->color == ALWAYS || (q->color == AUTO && sb_terminal_color(STDOUT_FILENO));
	if (q->plot) {
		const struct sb_bars_options bars = {
			.width = width ? width : text.width, .color = text.color, .utf8 = sb_terminal_utf8()
		};

		return sb_report_bars(s, stdout, &bars, err);
	}
	switch (q->format) {
	case MARKDOWN:
		return sb_report_markdown(s, stdout, err);
	case CSV:
		return sb_report_csv(s, stdout, err);
	case JSON:
		return sb_report_json(s, stdout, err);
	}
	if (width >= 80 && width < 100)
		text.width = width;
	return sb_report_text(s, stdout, &text, err);
}

/* A run that was measured by pairs of processes has a table of its own. */
static bool has_fact(struct sb_store *st, int64_t key, const char *fact)
{
	struct sb_error ignored;
	struct sb_run run;
	bool has;

	if (sb_store_read_run(st, key, &run, &ignored))
		return false;
	has = sb_run_fact(&run, fact) != NULL;
	sb_run_release(&run);
	return has;
}

static enum sb_status refuse_ceilings(struct sb_store *st, int64_t key, struct sb_error *err)
{
	struct sb_run run;
	enum sb_status status = sb_store_read_run(st, key, &run, err);

	if (status)
		return status;
	status = sb_run_refuse_ceilings(&run, err);
	sb_run_release(&run);
	return status;
}

static enum sb_status print_pairs(struct sb_store *st, int64_t key, const struct request *q, struct sb_error *err)
{
	struct sb_pair_table table;
	enum sb_status status;

	if (q->ci.junit || q->ci.github)
		return sb_fail(err, SB_E_USAGE,
		        "--junit and --github show claims, and a run of pairs has none; 'spabench gate' judges pairs");
	if (q->effects)
		return sb_fail(err, SB_E_USAGE,
		        "--effects needs every combination of the switches, and this is a run of pairs of two arms");
	if (q->plot)
		return sb_fail(err, SB_E_USAGE, "--plot draws arms of one run by blocks, and this is a run of pairs");
	status = sb_pair_table_build(st, key, 0.0, &table, err);
	if (status)
		return status;
	if (table.pairs)
		status = sb_pair_report(&table, q->format, stdout, err);
	else
		status = sb_fail(err, SB_E_DATA, "run %.8s has no pair of which both processes ended well; %d did not",
		        table.run_id, table.dropped);
	sb_pair_table_release(&table);
	return status;
}

static enum sb_status print_machines(
        struct sb_store *st, int64_t key, const struct sb_summary_options *opt, int format, struct sb_error *err)
{
	static enum sb_status (*const renderers[])(const struct sb_machines *m, FILE *out, struct sb_error *err) = {
		[TEXT] = sb_machines_text,
		[MARKDOWN] = sb_machines_markdown,
		[CSV] = sb_machines_csv,
		[JSON] = sb_machines_json,
	};
	struct sb_machines machines;
	enum sb_status status = sb_machines_build(st, key, opt, &machines, err);

	if (status)
		return status;
	status = renderers[format](&machines, stdout, err);
	sb_machines_release(&machines);
	return status;
}

/* What other programs read of a summary. Annotations are for a table's reader; others' output stays what it is. */
static enum sb_status write_ci(const struct request *q, const struct sb_summary *s, struct sb_error *err)
{
	struct sb_ci_report r;
	enum sb_status status;

	sb_ci_of_claims(&r, s);
	status = sb_ci_outputs_write(&q->ci, &r, q->format == TEXT || q->format == MARKDOWN ? stdout : stderr, err);
	sb_ci_release(&r);
	return status;
}

enum sb_status sb_cmd_compare(int argc, char **argv, struct sb_error *err)
{
	struct request q = { .format = TEXT, .color = AUTO };
	struct sb_summary_options opt;
	struct sb_summary summary;
	struct sb_store *st = NULL;
	const char *db, *run;
	bool done = false;
	int64_t key;
	enum sb_status status;

	if (parse(argc, argv, &q, err))
		return err->code;
	choose(&q, &db, &run, &opt);
	if (sb_ci_outputs_check(&q.ci, db, err) || sb_store_open(db, SB_STORE_READ, &st, err))
		return err->code;
	status = sb_store_find_run(st, run, &key, err);
	if (!status && q.n_refs == 2)
		status = two_references(&q, db, st, key, &opt, &done, err);
	if (q.machines || done) {
		if (!status && !done)
			status = print_machines(st, key, &opt, q.format, err);
		sb_store_close(st);
		return status;
	}
	if (!status && !done && has_fact(st, key, SB_STORE_CAPACITY))
		status = sb_fail(err, SB_E_DATA,
		        "the run is what 'spabench capacity' found: nothing was timed; 'spabench show' has it, 'list' "
		        "the "
		        "others");
	if (!status)
		status = refuse_ceilings(st, key, err);
	if (!status && q.n_refs < 2 && !opt.after && !q.ops && has_fact(st, key, SB_PAIRS_FACT)) {
		status = print_pairs(st, key, &q, err);
		sb_store_close(st);
		return status;
	}
	if (!status)
		status = sb_summary_build(st, key, &opt, &summary, err);
	if (!status) {
		status = q.ops ? print_ops_of(st, key, &q, &summary, err) : print(&q, &summary, err);
		if (!status)
			status = write_ci(&q, &summary, err);
		sb_summary_release(&summary);
	}
	sb_store_close(st);
	return status;
}
