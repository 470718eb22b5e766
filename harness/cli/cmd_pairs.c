/* pairs: two arms, or two builds of one arm, by pairs of fresh processes. */
#include "pair_request.h"
#include "sb_cli.h"
#include "sb_pair_report.h"
#include "sb_pair_table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPT_ARMS = SB_PAIR_OPT_COUNT, OPT_EXE, OPT_PAIRS, OPT_FORMAT };

const struct sb_option sb_pairs_options[] = {
	SB_PAIR_OPTIONS,
	[OPT_ARMS] = { "arms", "A[,B]",
	        "the two arms; or one, which both sides run [before,after; with two --exe: after]" },
	[OPT_EXE] = { "exe", "FILE",
	        "the spabench of the second side; given twice, of the first and the second [this one]" },
	[OPT_PAIRS] = { "pairs", "N", "pairs of processes, at most 64 [12, as far as the budget goes]" },
	[OPT_FORMAT] = { "format", "FORMAT", "text, markdown, csv or json [text]" },
	{ NULL, NULL, NULL },
};

const char sb_pairs_details[] =
        "Variation between processes is often larger than that within one. So every value is one process's, the "
        "median\n"
        "of its trials, and a pair is a process of each side, one after the other, in an order that is drawn.\n"
        "'spabench compare RUN' prints the table again; 'spabench gate' decides by it.\n";

static enum sb_status parse_pairs(const char *value, int *out, struct sb_error *err)
{
	int64_t n;

	if (sb_parse_int(value, "--pairs", 1, SB_GATE_MAX_PAIRS, &n, err))
		return err->code;
	*out = (int)n;
	return SB_OK;
}

struct request {
	struct sb_pair_request q;
	const char *exe[2];
	char arms[256];
	int n_exe, pairs, format;
};

static enum sb_status apply(int option, const char *value, struct request *r, struct sb_error *err)
{
	switch (option) {
	case OPT_ARMS:
		if (strlen(value) >= sizeof(r->arms))
			return sb_fail(err, SB_E_USAGE, "--arms takes two names");
		strcpy(r->arms, value);
		return SB_OK;
	case OPT_EXE:
		if (r->n_exe == 2)
			return sb_fail(err, SB_E_USAGE, "there are two sides: --exe is given twice at most");
		r->exe[r->n_exe++] = value;
		return SB_OK;
	case OPT_PAIRS:
		return parse_pairs(value, &r->pairs, err);
	case OPT_FORMAT:
		return sb_parse_word(value, "--format", sb_pair_formats, &r->format, err);
	}
	return sb_pair_option(option, value, &r->q, err);
}

/* One arm on both sides is two builds, or the machine against itself. */
static enum sb_status choose_sides(struct request *r, struct sb_error *err)
{
	char *comma = strchr(r->arms, ',');
	const char *b = r->arms;

	if (!r->arms[0])
		strcpy(r->arms, r->n_exe ? "after" : "before,after");
	comma = strchr(r->arms, ',');
	if (comma) {
		*comma = '\0';
		b = comma + 1;
	}
	r->q.opt.side[SB_PAIRS_A].exe = r->n_exe == 2 ? r->exe[0] : NULL;
	r->q.opt.side[SB_PAIRS_B].exe = r->n_exe ? r->exe[r->n_exe - 1] : NULL;
	return sb_pair_arms(&r->q, r->arms, b, err);
}

static enum sb_status parse(int argc, char **argv, struct request *r, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	const char *value;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_pairs_options, &value, err)) >= 0)
		if (apply(i, value, r, err))
			return err->code;
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands)
		return sb_fail(err, SB_E_USAGE, "pairs takes no argument '%.64s'", p.operands[0]);
	if (choose_sides(r, err))
		return err->code;
	return sb_pair_prepare(&r->q, argc, argv, err);
}

/* One by one, so that the budget can end it. At least one. */
static enum sb_status measure(struct request *r, struct sb_pairs *p, struct sb_error *err)
{
	int wanted = r->pairs ? r->pairs : 12;
	enum sb_status status = SB_OK;

	while (!status && sb_pairs_whole(p) < wanted && (r->pairs || sb_pair_fits_budget(&r->q, p)))
		status = sb_pairs_measure(p, 1, err);
	return status;
}

static enum sb_status print(struct sb_store *st, int64_t key, int format, struct sb_error *err)
{
	struct sb_pair_table table;
	enum sb_status status = sb_pair_table_build(st, key, 0.0, &table, err);

	if (status)
		return status;
	status = sb_pair_report(&table, format, stdout, err);
	sb_pair_table_release(&table);
	return status;
}

static enum sb_status run(struct request *r, struct sb_error *err)
{
	struct sb_pairs *p = NULL;
	struct sb_store *st;
	struct sb_error later;
	int64_t key = 0;
	int whole = 0;
	enum sb_status status;

	sb_pair_begin(&r->q);
	r->q.opt.kind = "pairs";
	if (sb_store_open(sb_database_path(r->q.db), SB_STORE_WRITE, &st, err))
		return err->code;
	status = sb_pairs_open(st, &r->q.opt, &p, err);
	if (!status)
		status = measure(r, p, err);
	if (p) {
		key = sb_pairs_run_key(p);
		whole = sb_pairs_whole(p);
	}
	status = sb_pairs_close(p, status, err);
	sb_pair_end_progress(&r->q);
	if (key && whole && print(st, key, r->format, status ? &later : err) && !status)
		status = err->code;
	if (status)
		sb_store_discard(st);
	else
		sb_store_close(st);
	return status;
}

enum sb_status sb_cmd_pairs(int argc, char **argv, struct sb_error *err)
{
	struct request r = { .n_exe = 0 };
	enum sb_status status;

	sb_pair_request_init(&r.q);
	status = parse(argc, argv, &r, err);
	if (!status)
		status = run(&r, err);
	sb_pair_request_release(&r.q);
	return status;
}
