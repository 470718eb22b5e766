/* list: the runs of a database. */
#include "sb_cli.h"
#include "sb_reports.h"
#include "sb_store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPT_DB, OPT_FORMAT };

const struct sb_option sb_list_options[] = {
	[OPT_DB] = { "db", "FILE", "the database [$SPABENCH_DB, else ./spabench.db]" },
	[OPT_FORMAT] = { "format", "text|json", "how to print it [text]" },
	{ NULL, NULL, NULL },
};

static enum sb_status print(const struct sb_run_lines *runs, bool json, struct sb_error *err)
{
	if (json)
		return sb_report_list_json(runs, stdout, err);
	return sb_report_list_text(runs, stdout, sb_terminal_width(STDOUT_FILENO), err);
}

enum sb_status sb_cmd_list(int argc, char **argv, struct sb_error *err)
{
	static const char *const formats[] = { "text", "json", NULL };
	struct sb_option_parser p = { .next = 1 };
	const char *value, *db = NULL;
	int i, format = 0;
	struct sb_run_lines runs;
	struct sb_store *st;
	enum sb_status status;

	while ((i = sb_options_next(&p, argc, argv, sb_list_options, &value, err)) >= 0) {
		if (i == OPT_DB)
			db = value;
		else if (sb_parse_word(value, "--format", formats, &format, err))
			return SB_E_USAGE;
	}
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands)
		return sb_fail(err, SB_E_USAGE, "list takes no argument '%.64s'; a run is shown by 'spabench show'",
		        p.operands[0]);
	if (sb_store_open(sb_database_path(db), SB_STORE_READ, &st, err))
		return err->code;
	status = sb_store_list_runs(st, &runs, err);
	if (!status) {
		status = print(&runs, format == 1, err);
		sb_run_lines_release(&runs);
	}
	sb_store_close(st);
	return status;
}
