#include "doctor_internal.h"

#include <stdio.h>
#include <string.h>

const struct sb_doctor_check sb_doctor_checks[] = {
	{ "cpu", sb_check_cpu },
	{ "cores", sb_check_cores },
	{ "memory", sb_check_memory },
	{ "governor", sb_check_governor },
	{ "host", sb_check_virtual },
	{ "load", sb_check_load },
	{ "clock", sb_check_clock },
	{ "noise", sb_check_noise },
	{ "device", sb_check_device },
	{ "gpu", sb_check_gpu },
	{ "driver", sb_check_driver },
	{ "cuda", sb_check_cuda },
	{ "cudnn", sb_check_cudnn },
	{ "cupti", sb_check_cupti },
	{ "counters", sb_check_counters },
	{ "ecc", sb_check_ecc },
	{ "mig", sb_check_mig },
	{ "persist", sb_check_persistence },
	{ "sharing", sb_check_compute_mode },
	{ "clocks", sb_check_clocks },
	{ "vram", sb_check_vram },
	{ "others", sb_check_others },
	{ "openmp", sb_check_openmp },
	{ "openblas", sb_check_openblas },
	{ "libraries", sb_check_libraries },
	{ "ffmpeg", sb_check_ffmpeg },
	{ "gnuplot", sb_check_gnuplot },
	{ "clip", sb_check_clip },
	{ "disk", sb_check_disk },
	{ NULL, NULL },
};

const char *sb_health_name(enum sb_health health)
{
	static const char *const names[] = { "ok", "warning", "missing", "broken" };

	return names[health];
}

void sb_found(struct sb_finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->found, sizeof(f->found), fmt, ap);
	va_end(ap);
}

void sb_advise(struct sb_finding *f, enum sb_health health, const char *fmt, ...)
{
	size_t used = strlen(f->advice);
	va_list ap;

	if (health > f->health)
		f->health = health;
	if (used && used + 3 < sizeof(f->advice))
		used += (size_t)snprintf(f->advice + used, sizeof(f->advice) - used, "; ");
	va_start(ap, fmt);
	vsnprintf(f->advice + used, sizeof(f->advice) - used, fmt, ap);
	va_end(ap);
}
