/* show: one run of a database, from its identification to its samples. */
#include "run_data.h"
#include "sb_cli.h"
#include "show_memory.h"
#include "sb_reports.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPT_DB, OPT_ALL, OPT_FORMAT, OPT_MEMORY };
enum { TEXT, JSON, CSV };

const struct sb_option sb_show_options[] = {
	[OPT_DB] = { "db", "FILE", "the database [$SPABENCH_DB, else ./spabench.db]" },
	[OPT_ALL] = { "all", NULL, "every fact, worker and metric instead of one screen" },
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

static enum sb_status print(const struct sb_run_data *l, int format, bool all, struct sb_error *err)
{
	const struct sb_report_run r = { &l->run, &l->trials, &l->samples, l->tables, l->arm };

	switch (format) {
	case JSON:
		return sb_report_run_json(&r, stdout, err);
	case CSV:
		return sb_report_run_csv(&r, stdout, err);
	default:
		return (all ? sb_report_run_text : sb_report_run_short)(
		        &r, stdout, sb_terminal_color(STDOUT_FILENO), err);
	}
}

enum sb_status sb_cmd_show(int argc, char **argv, struct sb_error *err)
{
	static const char *const formats[] = { "text", "json", "csv", NULL };
	struct sb_option_parser p = { .next = 1 };
	struct sb_reference ref = { .run = NULL };
	struct sb_run_data l;
	const char *value, *db = NULL;
	bool all = false, memory = false;
	int i, format = TEXT;
	enum sb_status status;

	while ((i = sb_options_next(&p, argc, argv, sb_show_options, &value, err)) >= 0) {
		if (i == OPT_DB)
			db = value;
		else if (i == OPT_ALL)
			all = true;
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
	status = sb_run_data_read(ref.file ? ref.file : sb_database_path(db), ref.run, ref.arm, &l, err);
	if (status)
		return status;
	status = print(&l, format, all, err);
	sb_run_data_release(&l);
	return status;
}
