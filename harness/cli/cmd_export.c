/* export: what other programs can use. One row a kind of export, one file a kind. */
#include "export.h"
#include "sb_cli.h"
#include "sb_file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_OUT, OPT_DB, OPT_BLOCK, OPT_STAGE, OPT_FROM, OPT_TO, OPT_PRESET, OPT_PART };

const struct sb_option sb_export_options[] = {
	[OPT_OUT] = { "out", "FILE",
	        "the file to write; an older one is replaced when the new one is complete; -: stdout" },
	[OPT_DB] = { "db", "FILE", "the database [$SPABENCH_DB, else ./spabench.db]" },
	[OPT_BLOCK] = { "block", "N", "timeline: of trace block N [the first complete one]" },
	[OPT_STAGE] = { "stage", "NAME", "timeline: this stage alone; 'front' is every front.*" },
	[OPT_FROM] = { "from", "MS", "timeline: what begins at MS milliseconds or later [0]" },
	[OPT_TO] = { "to", "MS", "timeline: and before MS [the end]" },
	[OPT_PRESET] = { "preset", "NAME", "weights: of the network tiny, small or full [tiny]" },
	[OPT_PART] = { "part", "front|track", "weights: of the front end or the tracker [front]" },
	{ NULL, NULL, NULL },
};

const char sb_export_details[] =
        "timeline  a trace trial for Perfetto (ui.perfetto.dev) or chrome://tracing: kernels and copies by stream,\n"
        "          stages, memory, clocks. Its run needs trace blocks.\n"
        "csv       every sample of a run, a line for each trial and metric, as 'spabench show --format csv' does.\n"
        "json      the same run whole: facts, arms, workers, trials, samples.\n"
        "plot      one plot of a run's report, ID as its file is named there (stages, trials, sweep, ..), as --out "
        "FILE\n"
        "          ends, .svg or .png. It is drawn by gnuplot.\n"
        "weights   the weights that 'spabench run' makes for itself, as F32 safetensors under the names of the\n"
        "          released checkpoints: for running the same network elsewhere, or with 'run --weights FILE'. Their\n"
        "          values follow a rule and were never trained: what such a network computes means nothing.\n"
        "REF is [FILE:][RUN][/ARM]; without it the newest run. Without an ARM the timeline is of the run's first.\n";

#define OPT(o) (1u << (o))

static const struct kind {
	const char *name;
	int named;  /* arguments that say what is wanted, before the reference */
	bool reads; /* takes a reference to data */
	unsigned options;
	enum sb_status (*write)(const struct sb_export *e, struct sb_error *err);
} kinds[] = {
	{ "timeline", 0, true,
	        OPT(OPT_OUT) | OPT(OPT_DB) | OPT(OPT_BLOCK) | OPT(OPT_STAGE) | OPT(OPT_FROM) | OPT(OPT_TO),
	        sb_export_timeline },
	{ "csv", 0, true, OPT(OPT_OUT) | OPT(OPT_DB), sb_export_csv },
	{ "json", 0, true, OPT(OPT_OUT) | OPT(OPT_DB), sb_export_json },
	{ "plot", 1, true, OPT(OPT_OUT) | OPT(OPT_DB), sb_export_plot },
	{ "weights", 0, false, OPT(OPT_OUT) | OPT(OPT_PRESET) | OPT(OPT_PART), sb_export_weights },
};

static enum sb_status parse_ms(const char *value, const char *option, double *out, struct sb_error *err)
{
	char *end;
	double x = strtod(value, &end);

	if (end == value || *end || !isfinite(x) || x < 0.0 || x > 1e9 || strpbrk(value, "xXpP"))
		return sb_fail(err, SB_E_USAGE, "%s '%.40s' is no number of milliseconds", option, value);
	*out = x;
	return SB_OK;
}

static enum sb_status parse_block(const char *value, int *out, struct sb_error *err)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (end == value || *end || *value < '0' || *value > '9' || n > 1000000)
		return sb_fail(err, SB_E_USAGE, "--block '%.40s' is no number of a block", value);
	*out = (int)n;
	return SB_OK;
}

static enum sb_status apply(int option, const char *value, struct sb_export *e, struct sb_error *err)
{
	switch (option) {
	case OPT_OUT:
		e->out = value;
		return SB_OK;
	case OPT_DB:
		e->db = value;
		return SB_OK;
	case OPT_BLOCK:
		return parse_block(value, &e->block, err);
	case OPT_STAGE:
		e->stage = value;
		return SB_OK;
	case OPT_FROM:
		return parse_ms(value, "--from", &e->from_ms, err);
	case OPT_TO:
		return parse_ms(value, "--to", &e->to_ms, err);
	case OPT_PRESET:
		e->preset = value;
		return SB_OK;
	case OPT_PART:
		e->part = value;
		return SB_OK;
	}
	SB_BUG("option %d", option);
}

static enum sb_status find_kind(const struct sb_option_parser *p, const struct kind **out, struct sb_error *err)
{
	static const char there_are[] = "there are 'timeline', 'csv', 'json', 'plot' and 'weights'";

	if (p->n_operands == 0)
		return sb_fail(err, SB_E_USAGE, "nothing to export is named; %s", there_are);
	for (size_t i = 0; i < SB_ARRAY_LEN(kinds); i++) {
		*out = &kinds[i];
		if (!strcmp(p->operands[0], kinds[i].name))
			return SB_OK;
	}
	return sb_fail(err, SB_E_USAGE, "cannot export '%.64s'; %s", p->operands[0], there_are);
}

static enum sb_status check(const struct kind *kind, const struct sb_option_parser *p, unsigned given,
        const struct sb_export *e, struct sb_error *err)
{
	for (unsigned i = 0; sb_export_options[i].name; i++)
		if (given & ~kind->options & OPT(i))
			return sb_fail(err, SB_E_USAGE, "export %s takes no option --%s", kind->name,
			        sb_export_options[i].name);
	if (p->n_operands > 1 + kind->named + kind->reads)
		return sb_fail(err, SB_E_USAGE, "export %s takes no argument '%.64s'", kind->name,
		        p->operands[1 + kind->named + kind->reads]);
	if (p->n_operands < 1 + kind->named)
		return sb_fail(err, SB_E_USAGE, "export %s needs the name of one, as 'spabench export plot stages'",
		        kind->name);
	if (!e->out || !e->out[0])
		return sb_fail(err, SB_E_USAGE, "--out FILE is missing: where to write");
	if (e->to_ms <= e->from_ms)
		return sb_fail(err, SB_E_USAGE, "nothing begins between --from %g and --to %g", e->from_ms, e->to_ms);
	return SB_OK;
}

enum sb_status sb_cmd_export(int argc, char **argv, struct sb_error *err)
{
	struct sb_export e = { .block = -1, .to_ms = NAN };
	struct sb_option_parser p = { .next = 1 };
	struct sb_reference ref = { .run = NULL };
	const struct kind *kind = &kinds[0];
	const char *value;
	unsigned given = 0;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_export_options, &value, err)) >= 0) {
		given |= OPT(i);
		if (apply(i, value, &e, err))
			return err->code;
	}
	if (i == -2 || find_kind(&p, &kind, err) || check(kind, &p, given, &e, err))
		return SB_E_USAGE;
	if (kind->named)
		e.plot = p.operands[1];
	if (kind->reads && p.n_operands > 1 + kind->named && sb_reference_parse(p.operands[1 + kind->named], &ref, err))
		return SB_E_USAGE;
	e.db = ref.file ? ref.file : sb_database_path(e.db);
	e.run = ref.run;
	e.arm = ref.arm;
	return kind->write(&e, err);
}
