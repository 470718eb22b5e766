/* show: one run of a database, from its identification to its samples. */
#include "sb_cli.h"
#include "show_memory.h"
#include "sb_reports.h"
#include "sb_store.h"
#include "sb_summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_DB, OPT_FORMAT, OPT_MEMORY };
enum { TEXT, JSON, CSV };

const struct sb_option sb_show_options[] = {
	[OPT_DB] = { "db", "FILE", "the database [$SPABENCH_DB, else ./spabench.db]" },
	[OPT_FORMAT] = { "format", "text|json|csv", "text: medians; json, csv: every sample [text]" },
	[OPT_MEMORY] = { "memory", NULL, "what the memory of trace trials did, event by event, as csv" },
	{ NULL, NULL, NULL },
};

const char sb_show_details[] =
        "REF is [FILE:][RUN][/ARM]. RUN is the beginning of a run's id; without one the newest "
        "run is shown. With an ARM,\n"
        "only that arm's trials are.\n"
        "csv has a line for each trial and metric. Text that a spreadsheet would run as a "
        "formula, such as the name of\n"
        "an arm +precision, has an apostrophe before it.\n"
        "--memory is for plotting: bytes allocated, active and reserved after each event of the timed pass.\n";

/* A run as it was read, and summarised once for each arm beside the first. */
struct loaded {
	struct sb_run run;
	struct sb_trials trials;
	struct sb_samples samples;
	struct sb_summary *tables;
	int n_tables;
};

static void release(struct loaded *l)
{
	for (int i = 0; i < l->n_tables; i++)
		sb_summary_release(&l->tables[i]);
	free(l->tables);
	sb_samples_release(&l->samples);
	sb_trials_release(&l->trials);
	sb_run_release(&l->run);
}

static enum sb_status summarise(struct loaded *l, struct sb_error *err)
{
	int n = l->run.n_arms > 1 ? l->run.n_arms - 1 : 1;

	l->tables = calloc((size_t)n, sizeof(*l->tables));
	if (!l->tables)
		return sb_fail(err, SB_E_NOMEM, "no memory for the run's figures");
	for (; l->n_tables < n; l->n_tables++) {
		struct sb_summary_options opt = { .before = NULL };

		if (l->run.n_arms > 1)
			opt = (struct sb_summary_options){ .before = l->run.arms[0].name,
				.after = l->run.arms[l->n_tables + 1].name };
		if (sb_summary_compute(&l->run, &l->trials, &l->samples, &opt, &l->tables[l->n_tables], err))
			return err->code;
	}
	return SB_OK;
}

static enum sb_status load(const char *db, const char *ref, struct loaded *l, struct sb_error *err)
{
	struct sb_store *st;
	enum sb_status status;
	int64_t key;

	if (sb_store_open(db, SB_STORE_READ, &st, err))
		return err->code;
	status = sb_store_find_run(st, ref, &key, err);
	if (!status)
		status = sb_store_read_run(st, key, &l->run, err);
	if (!status)
		status = sb_store_read_trials(st, key, &l->trials, err);
	if (!status)
		status = sb_store_read_samples(st, key, &l->trials, &l->samples, err);
	sb_store_close(st);
	return status ? status : summarise(l, err);
}

static enum sb_status find_arm(const struct sb_run *run, const char *name, int *arm, struct sb_error *err)
{
	struct sb_buf names = { 0 };

	*arm = -1;
	for (int a = 0; name && a < run->n_arms; a++) {
		if (!strcmp(run->arms[a].name, name))
			*arm = a;
		sb_buf_addf(&names, "%s%s", a ? ", " : "", run->arms[a].name);
	}
	if (name && *arm < 0)
		sb_fail(err, SB_E_USAGE, "run '%.12s' has no arm '%.64s'; it has %.400s", run->id, name,
		        sb_buf_str(&names));
	sb_buf_release(&names);
	return name && *arm < 0 ? SB_E_USAGE : SB_OK;
}

static enum sb_status print(const struct loaded *l, int arm, int format, struct sb_error *err)
{
	const struct sb_report_run r = { &l->run, &l->trials, &l->samples, l->tables, arm };

	switch (format) {
	case JSON:
		return sb_report_run_json(&r, stdout, err);
	case CSV:
		return sb_report_run_csv(&r, stdout, err);
	default:
		return sb_report_run_text(&r, stdout, sb_terminal_color(STDOUT_FILENO), err);
	}
}

enum sb_status sb_cmd_show(int argc, char **argv, struct sb_error *err)
{
	static const char *const formats[] = { "text", "json", "csv", NULL };
	struct sb_option_parser p = { .next = 1 };
	struct sb_reference ref = { .run = NULL };
	struct loaded l = { .n_tables = 0 };
	const char *value, *db = NULL;
	bool memory = false;
	int i, format = TEXT, arm;
	enum sb_status status;

	while ((i = sb_options_next(&p, argc, argv, sb_show_options, &value, err)) >= 0) {
		if (i == OPT_DB)
			db = value;
		else if (i == OPT_MEMORY)
			memory = true;
		else if (sb_parse_word(value, "--format", formats, &format, err))
			return SB_E_USAGE;
	}
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands > 1)
		return sb_fail(err, SB_E_USAGE, "show takes one reference, not %d", p.n_operands);
	if (p.n_operands && sb_reference_parse(p.operands[0], &ref, err))
		return SB_E_USAGE;
	if (memory)
		return sb_show_memory(ref.file ? ref.file : sb_database_path(db), ref.run, ref.arm, err);
	status = load(ref.file ? ref.file : sb_database_path(db), ref.run, &l, err);
	if (!status)
		status = find_arm(&l.run, ref.arm, &arm, err);
	if (!status)
		status = print(&l, arm, format, err);
	release(&l);
	return status;
}
