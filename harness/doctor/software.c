/* Checks of what spabench is made of and what it calls. */
#include "doctor_internal.h"
#include "sb_clip.h"

#include <cblas.h>
#include <jansson.h>
#include <omp.h>
#include <png.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM_TIMEOUT_S 5.0
#define CPU_TIMEOUT_S     10.0

/* ---- devices --------------------------------------------------------------------------------------------------- */

static void list_emulated(uint32_t parts, char *out, size_t n)
{
	out[0] = '\0';
	for (int p = 0; p < SB_PART_COUNT; p++)
		if (parts & 1u << p)
			snprintf(out + strlen(out), n - strlen(out), "%s%s", *out ? ", " : "", sb_parts[p].name);
}

/* What `--device auto` takes. */
void sb_check_device(const struct sb_doctor *d, struct sb_finding *f)
{
	struct sb_device_look look;
	struct sb_error err;
	char emulated[128];

	if (d->gpu && d->gpu->opened) {
		sb_found(f, "cuda:0; nothing is emulated");
		return;
	}
	if (sb_backend_look("cpu", CPU_TIMEOUT_S, &look, &err)) {
		sb_found(f, "%.400s", err.msg);
		sb_advise(f, SB_HEALTH_MISSING, "nothing can be run");
		f->blocks_run = true;
		return;
	}
	list_emulated(look.info.emulated_parts, emulated, sizeof(emulated));
	sb_found(f, "%s; attention and allocators are real%s%s", look.info.kind, *emulated ? ", emulated: " : "",
	        emulated);
}

/* ---- libraries ------------------------------------------------------------------------------------------------- */

void sb_check_openmp(const struct sb_doctor *d, struct sb_finding *f)
{
	const char *policy = getenv("OMP_WAIT_POLICY"), *spin = getenv("GOMP_SPINCOUNT");
	int threads = omp_get_max_threads(), cores = omp_get_num_procs();

	(void)d;
	if (policy)
		sb_found(f, "%d threads, OMP_WAIT_POLICY=%.32s", threads, policy);
	else
		sb_found(f, "%d threads, %s", threads,
		        spin ? "waiting as GOMP_SPINCOUNT says" : "workers wait passively");
	if (threads > cores)
		sb_advise(f, SB_HEALTH_WARNING, "more threads than the %d cores: unset OMP_NUM_THREADS", cores);
	if (policy && !strcmp(policy, "active"))
		sb_advise(f, SB_HEALTH_WARNING,
		        "threads that spin take the cores of those they wait for: unset OMP_WAIT_POLICY");
}

void sb_check_openblas(const struct sb_doctor *d, struct sb_finding *f)
{
	static const char *const kinds[] = { "without threads", "with threads of its own", "with OpenMP" };
	int parallel = openblas_get_parallel();

	(void)d;
	sb_found(f, "%s, %s", openblas_get_config(), kinds[parallel < 0 || parallel > 2 ? 0 : parallel]);
	if (parallel != 2)
		sb_advise(f, SB_HEALTH_WARNING,
		        "its threads get in the way of the other ops': install the OpenMP build "
		        "(libopenblas-openmp-dev) "
		        "and build again");
}

void sb_check_libraries(const struct sb_doctor *d, struct sb_finding *f)
{
	(void)d;
	sb_found(f, "SQLite %s, jansson %s, libpng %s", sqlite3_libversion(), jansson_version_str(),
	        png_get_libpng_ver(NULL));
}

/* ---- programs and data ----------------------------------------------------------------------------------------- */

/* "ffmpeg version 5.1 Copyright .." without the lawyers. */
static bool find_program(const char *name, const char *option, struct sb_finding *f)
{
	char path[256], version[256], *copyright;

	if (!sb_probe_program(name, path, sizeof(path))) {
		sb_found(f, "not found on PATH");
		return false;
	}
	if (!sb_probe_output(path, option, PROGRAM_TIMEOUT_S, version, sizeof(version))) {
		sb_found(f, "%s does not say its version", path);
		return false;
	}
	copyright = strstr(version, " Copyright");
	if (copyright)
		*copyright = '\0';
	sb_found(f, "%s, %.120s", path, version);
	return true;
}

void sb_check_ffmpeg(const struct sb_doctor *d, struct sb_finding *f)
{
	(void)d;
	if (!find_program("ffmpeg", "-version", f))
		sb_advise(f, SB_HEALTH_WARNING,
		        "of videos, only the first frames of the built-in clip, Y4M and raw frames can be read: "
		        "install ffmpeg");
}

void sb_check_gnuplot(const struct sb_doctor *d, struct sb_finding *f)
{
	(void)d;
	if (!find_program("gnuplot", "--version", f))
		sb_advise(f, SB_HEALTH_WARNING, "no plots; tables need none: install gnuplot");
}

/* Decoded as a run would: nothing else shows that it can be. */
void sb_check_clip(const struct sb_doctor *d, struct sb_finding *f)
{
	const struct sb_clip_request request = { .n_frames = 4, .timeout_ms = 10000 };
	struct sb_clip clip;
	struct sb_error err;

	(void)d;
	if (sb_clip_load(&request, &clip, &err)) {
		sb_found(f, "%.400s", err.msg);
		sb_advise(f, SB_HEALTH_MISSING, "there is nothing to run without --video");
		f->blocks_run = true;
		return;
	}
	sb_found(f, "%s, %lldx%lld", clip.source, (long long)clip.width, (long long)clip.height);
	if (clip.note[0])
		sb_advise(f, SB_HEALTH_WARNING, "%.400s", clip.note);
	sb_clip_release(&clip);
}
