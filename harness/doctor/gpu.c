/* Checks of the GPU that a run would take, of its driver and of the libraries that go with it. */
#include "doctor_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GIB            1073741824.0
#define LOOK_TIMEOUT_S 60.0 /* the first process to use a card may wait for its driver to wake up */

/* `before` of the default case took 47.5 GiB on an H200, and a run lets it have 85 % of what is free. */
#define ROOMY_GIB (47.5 / 0.85)

static const char emulated_advice[] = "the CPU emulates TF32: its accuracy is measured, its speed is not; claims about "
                                      "it are not tested";

/* ---- one look, for all checks ------------------------------------------------------------------------------------ */

struct sb_doctor_gpu *sb_doctor_gpu_look(const char *root)
{
	struct sb_doctor_gpu *g = calloc(1, sizeof(*g));
	char file[4096];

	if (!g)
		return NULL;
	g->visible = sb_probe_exists(root, "/dev/nvidia0") || sb_probe_exists(root, "/dev/nvidiactl");
	g->library = sb_backend_cuda_file(file, sizeof(file));
	if (g->library && (g->visible || sb_backend_gpu_expected())) {
		g->looked = true;
		g->opened = !sb_backend_look("cuda:0", LOOK_TIMEOUT_S, &g->look, &g->why_closed);
	}
	if (g->visible || g->looked)
		g->has_card = !sb_card_read(g->look.info.uuid, root, &g->card, &g->why_no_card);
	return g;
}

void sb_doctor_gpu_free(struct sb_doctor_gpu *g)
{
	free(g);
}

/* The card, where NVML told of one; a check without it has nothing to say. */
static const struct sb_card *card_of(const struct sb_doctor *d)
{
	return d->gpu && d->gpu->has_card ? &d->gpu->card : NULL;
}

static const struct sb_backend_about *about_of(const struct sb_doctor *d)
{
	return d->gpu && d->gpu->looked && d->gpu->look.about.built[0] ? &d->gpu->look.about : NULL;
}

/* ---- the GPU and its driver -------------------------------------------------------------------------------------- */

static void found_opened(const struct sb_device_look *l, unsigned cards, struct sb_finding *f)
{
	char others[32] = "";

	if (cards > 1)
		snprintf(others, sizeof(others), ", cuda:0 of %u", cards);
	sb_found(f, "%.100s, compute capability %d.%d%s", l->info.name, l->info.capability / 10,
	        l->info.capability % 10, others);
}

void sb_check_gpu(const struct sb_doctor *d, struct sb_finding *f)
{
	const struct sb_doctor_gpu none = { .library = false }, *g = d->gpu ? d->gpu : &none;

	if (g->opened) {
		found_opened(&g->look, g->has_card ? g->card.count : 1, f);
	} else if (g->looked) {
		sb_found(f, "%.480s", g->why_closed.msg);
		sb_advise(f, SB_HEALTH_MISSING, "runs are on the CPU, and %s", emulated_advice);
	} else if (g->library) {
		sb_found(f, "this build has a CUDA backend, this machine no NVIDIA device");
		sb_advise(f, SB_HEALTH_MISSING, "runs are on the CPU, and %s", emulated_advice);
	} else {
		sb_found(f, "no CUDA backend in this build%s", g->visible ? "; an NVIDIA device is visible" : "");
		sb_advise(f, SB_HEALTH_MISSING, "%s%s", emulated_advice, g->visible ? "; build with -DSB_CUDA=ON" : "");
	}
}

void sb_check_driver(const struct sb_doctor *d, struct sb_finding *f)
{
	const struct sb_card *c = card_of(d);

	if (c && c->cuda)
		sb_found(f, "%.60s, for CUDA up to %d.%d", *c->driver ? c->driver : "of unknown version",
		        c->cuda / 1000, c->cuda % 1000 / 10);
	else if (c)
		sb_found(f, "%.60s", *c->driver ? c->driver : "of unknown version");
	else if (d->gpu && (d->gpu->visible || d->gpu->looked)) {
		sb_found(f, "%.400s", d->gpu->why_no_card.msg);
		sb_advise(f, SB_HEALTH_WARNING, "power, heat and clocks stay unknown, and who else uses the GPU");
	}
}

/* ---- libraries --------------------------------------------------------------------------------------------------- */

void sb_check_cuda(const struct sb_doctor *d, struct sb_finding *f)
{
	const struct sb_backend_about *a = about_of(d);

	const char *name;

	if (!a)
		return;
	sb_found(f, "built with %s", a->built);
	for (int i = 0; (name = sb_backend_foreign_setting(i)) != NULL; i++)
		sb_advise(f, SB_HEALTH_WARNING,
		        "%s=%.16s is set and not used here: precision is what an arm says; what else runs on this "
		        "machine computes by it: unset it before comparing",
		        name, getenv(name));
}

static void version_text(int v, char *out, size_t n)
{
	snprintf(out, n, "%d.%d.%d", v / 10000, v / 100 % 100, v % 100);
}

void sb_check_cudnn(const struct sb_doctor *d, struct sb_finding *f)
{
	const struct sb_backend_about *a = about_of(d);
	char version[32];

	if (!a)
		return;
	if (a->dnn.version) {
		version_text(a->dnn.version, version, sizeof(version));
		sb_found(f, "%s, %.300s", version, a->dnn.text);
	} else {
		sb_found(f, "none (%.300s): convolutions are our own kernels and cuBLAS at tf32, too", a->dnn.text);
	}
}

#define CUPTI_MIN 130000

void sb_check_cupti(const struct sb_doctor *d, struct sb_finding *f)
{
	static const char trials[] = "timing goes on without it, trace trials (kinds of op, evidence) do not";
	const struct sb_backend_about *a = about_of(d);
	char version[32];

	if (!a)
		return;
	version_text(a->tracer.version, version, sizeof(version));
	if (!a->tracer.version) {
		sb_found(f, "none: %.300s", a->tracer.text);
		sb_advise(f, SB_HEALTH_MISSING,
		        "%s: install the CUDA toolkit's CUPTI, or name libcupti.so in SPABENCH_CUPTI", trials);
	} else if (a->tracer.version < CUPTI_MIN) {
		sb_found(f, "older than 13, %.300s", a->tracer.text);
		sb_advise(f, SB_HEALTH_MISSING, "%s: install that of CUDA 13, or name it in SPABENCH_CUPTI", trials);
	} else {
		sb_found(f, "%s, %.300s", version, a->tracer.text);
		if (*a->tracer.fault)
			sb_advise(f, SB_HEALTH_WARNING, "this version %s", a->tracer.fault);
	}
}

void sb_check_counters(const struct sb_doctor *d, struct sb_finding *f)
{
	char only_admin[16];

	if (!d->gpu || !d->gpu->visible)
		return;
	if (!sb_probe_value(d->root, "/proc/driver/nvidia/params", "RmProfilingAdminOnly", ':', only_admin,
	            sizeof(only_admin))) {
		sb_found(f, "the driver does not say who may read them");
		return;
	}
	if (strcmp(only_admin, "0") == 0) {
		sb_found(f, "open to every user");
		return;
	}
	sb_found(f, "open to administrators only, which this user is%s", geteuid() ? " not" : "");
	if (geteuid())
		sb_advise(f, SB_HEALTH_WARNING,
		        "tensor-core operations are not counted, kernels are told by their names: run as root, or load "
		        "the driver with NVreg_RestrictProfilingToAdminUsers=0");
}

/* ---- how the card is set ----------------------------------------------------------------------------------------- */

void sb_check_ecc(const struct sb_doctor *d, struct sb_finding *f)
{
	static const char *const states[] = { "not on this card", "off", "on" };
	const struct sb_card *c = card_of(d);

	if (!c)
		return;
	sb_found(f, "%s", states[c->ecc]);
	if (c->ecc_errors > 0) {
		sb_found(f, "%s, %lld errors that could not be corrected", states[c->ecc], (long long)c->ecc_errors);
		sb_advise(f, SB_HEALTH_WARNING,
		        "results may be wrong: start the machine again, or have the card replaced");
	}
}

void sb_check_mig(const struct sb_doctor *d, struct sb_finding *f)
{
	static const char *const states[] = { "not on this card", "off", "on" };
	const struct sb_card *c = card_of(d);

	if (!c)
		return;
	sb_found(f, "%s", states[c->mig]);
	if (c->mig == SB_MODE_ON)
		sb_advise(f, SB_HEALTH_WARNING,
		        "a slice has a part of the card and shares power and heat: compare with runs on a slice of "
		        "this "
		        "kind alone");
}

void sb_check_persistence(const struct sb_doctor *d, struct sb_finding *f)
{
	const struct sb_card *c = card_of(d);

	if (!c)
		return;
	sb_found(f, "%s", c->persistence == SB_MODE_ON ? "on" : c->persistence == SB_MODE_OFF ? "off" : "not told");
	if (c->persistence == SB_MODE_OFF)
		sb_advise(f, SB_HEALTH_WARNING,
		        "the card is woken up by every first program, which takes seconds: 'nvidia-smi -pm 1', or the "
		        "service nvidia-persistenced");
}

void sb_check_compute_mode(const struct sb_doctor *d, struct sb_finding *f)
{
	const struct sb_card *c = card_of(d);

	if (!c)
		return;
	if (c->compute_mode == SB_COMPUTE_SHARED) {
		sb_found(f, "shared by any number of processes");
	} else if (c->compute_mode == SB_COMPUTE_PROHIBITED) {
		sb_found(f, "prohibited");
		sb_advise(f, SB_HEALTH_MISSING, "nothing may compute on this card: 'nvidia-smi -c 0'");
	} else if (c->compute_mode < 0) {
		sb_found(f, "not told");
	} else {
		sb_found(f, "one process at a time"); /* as good as any: a run has one worker at a time */
	}
}

void sb_check_clocks(const struct sb_doctor *d, struct sb_finding *f)
{
	const struct sb_card *c = card_of(d);
	char sm[64] = "clock not told", power[64] = "", heat[32] = "";

	if (!c)
		return;
	if (!isnan(c->sm_mhz) && !isnan(c->sm_max_mhz))
		snprintf(sm, sizeof(sm), "SM at %.0f of %.0f MHz", c->sm_mhz, c->sm_max_mhz);
	if (!isnan(c->power_limit_w))
		snprintf(power, sizeof(power), ", power limit %.0f W", c->power_limit_w);
	if (!isnan(c->temperature_c))
		snprintf(heat, sizeof(heat), ", %.0f C", c->temperature_c);
	sb_found(f, "%s%s%s", sm, power, heat);
	if (c->power_limit_w < c->power_default_w - 0.5) /* false where one is not told */
		sb_advise(f, SB_HEALTH_WARNING, "the limit is usually %.0f W: 'nvidia-smi -pl %.0f' gives it back",
		        c->power_default_w, c->power_default_w);
	if (*c->throttled)
		sb_advise(f, SB_HEALTH_WARNING, "clocks are held down now: %s; cool the card, or wait", c->throttled);
}

/* ---- who else is on it ------------------------------------------------------------------------------------------- */

void sb_check_vram(const struct sb_doctor *d, struct sb_finding *f)
{
	const struct sb_card *c = card_of(d);
	double free_gib, total_gib;

	if (!c || !c->total_bytes)
		return;
	free_gib = (double)c->free_bytes / GIB;
	total_gib = (double)c->total_bytes / GIB;
	sb_found(f, "%.1f of %.1f GiB free", free_gib, total_gib);
	if (total_gib < ROOMY_GIB) /* it cannot be helped */
		sb_found(f, "%.1f of %.1f GiB free; a run takes as many of its 24 frames as fit (all: %.0f GiB)",
		        free_gib, total_gib, ROOMY_GIB);
	else if (free_gib < ROOMY_GIB)
		sb_advise(f, SB_HEALTH_WARNING,
		        "24 frames of the full network want %.0f GiB: a run takes as many as fit, unless --frames says "
		        "how many",
		        ROOMY_GIB);
}

static void list_processes(const struct sb_card *c, char *out, size_t n)
{
	out[0] = '\0';
	for (unsigned i = 0; i < c->n_processes && i < SB_CARD_PROCESSES_MAX && strlen(out) + 100 < n; i++) {
		const struct sb_card_process *p = &c->process[i];

		if (!p->pid) /* more than we have room for, or another machine's */
			continue;
		snprintf(out + strlen(out), n - strlen(out), "%s%lld%s%.40s", *out ? ", " : "", (long long)p->pid,
		        *p->name ? " " : "", p->name);
		if (p->bytes >= 0)
			snprintf(out + strlen(out), n - strlen(out), " (%.1f GiB)", (double)p->bytes / GIB);
	}
}

void sb_check_others(const struct sb_doctor *d, struct sb_finding *f)
{
	const struct sb_card *c = card_of(d);
	char list[400];

	if (!c)
		return;
	if (!c->processes_told) {
		sb_found(f, "the driver does not say who else uses the GPU");
		return;
	}
	if (!c->n_processes) {
		sb_found(f, "no other program on the GPU");
		return;
	}
	list_processes(c, list, sizeof(list));
	sb_found(f, "%u other program%s on the GPU%s%s", c->n_processes, c->n_processes == 1 ? "" : "s",
	        *list ? ": " : "", list);
	sb_advise(f, SB_HEALTH_WARNING, "they take its memory and its time: end them, or wait");
}
