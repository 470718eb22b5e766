/* export: what other programs can use. So far the synthetic weights. */
#include "sb_cli.h"
#include "sb_presets.h"
#include "sb_track_net.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	OPT_PRESET,
	OPT_PART,
	OPT_OUT,
};

const struct sb_option sb_export_options[] = {
	[OPT_PRESET] = { "preset", "NAME", "the network: tiny, small or full [tiny]" },
	[OPT_PART] = { "part", "front|track", "which part of it: front end or tracker [front]" },
	[OPT_OUT] = { "out", "FILE", "the file to write; an older one is replaced when the new one is complete" },
	{ NULL, NULL, NULL },
};

const char sb_export_details[] =
        "The weights that 'spabench run' makes for itself, as F32 safetensors under the names of the released\n"
        "checkpoints: for running the same network elsewhere, or with 'spabench run --weights FILE'.\n"
        "Their values follow a rule and were never trained: what such a network computes means nothing.\n";

struct request {
	const struct sb_preset *preset;
	bool track;
	const char *out;
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int sig)
{
	(void)sig;
	stop_asked = 1;
}

static bool stop(void)
{
	return stop_asked != 0;
}

static enum sb_status apply(int option, const char *value, struct request *q, struct sb_error *err)
{
	switch (option) {
	case OPT_PRESET:
		return sb_preset_find(value, &q->preset, err);
	case OPT_PART:
		q->track = !strcmp(value, "track");
		if (q->track || !strcmp(value, "front"))
			return SB_OK;
		return sb_fail(err, SB_E_USAGE, "no part '%.40s'; there are front and track", value);
	case OPT_OUT:
		q->out = value;
		return SB_OK;
	}
	SB_BUG("option %d", option);
}

static enum sb_status parse(int argc, char **argv, struct request *q, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	const char *value;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_export_options, &value, err)) >= 0)
		if (apply(i, value, q, err))
			return err->code;
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands == 0)
		return sb_fail(err, SB_E_USAGE, "nothing to export is named; there is 'weights'");
	if (strcmp(p.operands[0], "weights") != 0)
		return sb_fail(err, SB_E_USAGE, "cannot export '%.64s'; there is 'weights'", p.operands[0]);
	if (p.n_operands > 1)
		return sb_fail(err, SB_E_USAGE, "export weights takes no argument '%.64s'", p.operands[1]);
	if (!q->out || !q->out[0])
		return sb_fail(err, SB_E_USAGE, "--out FILE is missing: where to write");
	return SB_OK;
}

/* The file is made under another name and renamed: that would replace a device or fail on a folder, at the end only. */
static enum sb_status check_target(const char *path, struct sb_error *err)
{
	struct stat sb;

	if (!stat(path, &sb) && !S_ISREG(sb.st_mode))
		return sb_fail(err, SB_E_USAGE, "--out '%.200s' is not a file", path);
	return SB_OK;
}

enum sb_status sb_cmd_export(int argc, char **argv, struct sb_error *err)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct request q = { .preset = &sb_presets[0] };
	struct sb_weight_facts facts;
	struct sb_network net;
	char shown[256];

	if (parse(argc, argv, &q, err) || check_target(q.out, err))
		return err->code;
	sigaction(SIGINT, &act, NULL); /* so that nothing is left behind */
	sigaction(SIGTERM, &act, NULL);
	net = q.track ? sb_network_track() : sb_network_front(&q.preset->front);
	if (sb_weights_export(&net, q.preset->name, q.out, stop, &facts, err))
		return err->code;
	sb_escape(q.out, shown, sizeof(shown));
	printf("wrote %s: %lld tensors, %lld values, %.1f MB, digest %016llx\n", shown, (long long)facts.tensors,
	        (long long)facts.values, (double)facts.values * sizeof(float) / 1e6, (unsigned long long)facts.digest);
	return SB_OK;
}
