/* export weights: the synthetic weights, for other programs. */
#include "export.h"
#include "sb_file.h"
#include "sb_presets.h"
#include "sb_track_net.h"

#include <signal.h>
#include <string.h>

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

static enum sb_status choose_part(const char *part, bool *track, struct sb_error *err)
{
	*track = part && !strcmp(part, "track");
	if (part && !*track && strcmp(part, "front") != 0)
		return sb_fail(err, SB_E_USAGE, "no part '%.40s'; there are front and track", part);
	return SB_OK;
}

enum sb_status sb_export_weights(const struct sb_export *e, struct sb_error *err)
{
	struct sigaction act = { .sa_handler = on_signal };
	const struct sb_preset *preset = &sb_presets[0];
	struct sb_weight_facts facts;
	struct sb_network net;
	char shown[256];
	bool track;

	if (!strcmp(e->out, "-"))
		return sb_fail(err, SB_E_USAGE, "weights are written to a file: --out FILE");
	if (choose_part(e->part, &track, err) || (e->preset && sb_preset_find(e->preset, &preset, err)) ||
	        sb_check_replaceable(e->out, err))
		return err->code;
	sigaction(SIGINT, &act, NULL); /* so that nothing is left behind */
	sigaction(SIGTERM, &act, NULL);
	net = track ? sb_network_track() : sb_network_front(&preset->front);
	if (sb_weights_export(&net, preset->name, e->out, stop, &facts, err))
		return err->code;
	sb_escape(e->out, shown, sizeof(shown));
	printf("wrote %s: %lld tensors, %lld values, %.1f MB, digest %016llx\n", shown, (long long)facts.tensors,
	        (long long)facts.values, (double)facts.values * sizeof(float) / 1e6, (unsigned long long)facts.digest);
	return SB_OK;
}
