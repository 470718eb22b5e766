/* Checks of the machine itself: what decides how fast, and how steadily, it computes. */
#define _GNU_SOURCE /* sched_getaffinity() */
#include "doctor_internal.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A worker of the default run takes 75 MiB on 4 cores, its parent 20. */
#define NEEDED_MIB 128
#define ROOMY_MIB  1024

/* ---- what it is ------------------------------------------------------------------------------------------------ */

void sb_check_cpu(const struct sb_doctor *d, struct sb_finding *f)
{
	static const char *const wanted[] = { "avx2", "fma", "avx512f", "asimd" };
	char model[256] = "of unknown model", flags[4096] = "", list[64] = "";

	sb_probe_value(d->root, "/proc/cpuinfo", "model name", ':', model, sizeof(model));
	if (!sb_probe_value(d->root, "/proc/cpuinfo", "flags", ':', flags, sizeof(flags)))
		sb_probe_value(d->root, "/proc/cpuinfo", "Features", ':', flags, sizeof(flags));
	for (size_t i = 0; i < SB_ARRAY_LEN(wanted); i++)
		if (sb_list_has(flags, wanted[i]))
			snprintf(
			        list + strlen(list), sizeof(list) - strlen(list), "%s%s", *list ? ", " : "", wanted[i]);
	sb_found(f, "%s%s%s%s", model, *list ? " (" : "", list, *list ? ")" : "");
	if (sb_list_has(flags, "sse2") && !sb_list_has(flags, "avx2"))
		sb_advise(f, SB_HEALTH_WARNING, "no AVX2: products take several times as long; use the preset tiny");
}

static int allowed_cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 0 : CPU_COUNT(&set);
}

/* Cores' worth of time that a container may use; NAN: no limit, or it does not show. */
static double quota_cores(const char *root)
{
	double quota = NAN, period = 1;
	char text[128];

	if (sb_probe_line(root, "/sys/fs/cgroup/cpu.max", text, sizeof(text)) &&
	        sscanf(text, "%lf %lf", &quota, &period) != 2)
		quota = NAN; /* "max 100000" */
	return period > 0 ? quota / period : NAN;
}

void sb_check_cores(const struct sb_doctor *d, struct sb_finding *f)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	int allowed = allowed_cores();
	double quota = quota_cores(d->root);

	sb_found(f, "%d of %ld online", allowed ? allowed : (int)online, online);
	if (!isnan(quota) && quota < allowed) {
		sb_found(f, "%d of %ld online, time of %.1f", allowed, online, quota);
		sb_advise(f, SB_HEALTH_WARNING,
		        "a container's limit stops threads in turns: run with --threads %d, or raise the limit",
		        quota < 1 ? 1 : (int)quota);
	}
	if (allowed == 1)
		sb_advise(
		        f, SB_HEALTH_WARNING, "the worker has no core of its own: whatever else runs is in every time");
}

/* Bytes a container may still take; NAN: no limit, or it does not show. */
static double container_room(const char *root)
{
	char max[64], current[64];

	if (!sb_probe_line(root, "/sys/fs/cgroup/memory.max", max, sizeof(max)) ||
	        !sb_probe_line(root, "/sys/fs/cgroup/memory.current", current, sizeof(current)) || !strcmp(max, "max"))
		return NAN;
	return strtod(max, NULL) - strtod(current, NULL);
}

void sb_check_memory(const struct sb_doctor *d, struct sb_finding *f)
{
	double total = sb_probe_number(d->root, "/proc/meminfo", "MemTotal", ':') / 1024;
	double available = sb_probe_number(d->root, "/proc/meminfo", "MemAvailable", ':') / 1024;
	double room = container_room(d->root) / 1048576;

	if (isnan(total) || isnan(available)) {
		sb_found(f, "the system does not say");
		return;
	}
	sb_found(f, "%.0f of %.0f MiB available", available, total);
	if (!isnan(room) && room < available) {
		sb_found(f, "%.0f of %.0f MiB available, %.0f to this container", available, total, room);
		available = room;
	}
	if (available < NEEDED_MIB) {
		sb_advise(f, SB_HEALTH_MISSING, "the default run takes %d MiB: end other programs", NEEDED_MIB);
		f->blocks_run = true;
	} else if (available < ROOMY_MIB) {
		sb_advise(f, SB_HEALTH_WARNING, "enough for the preset tiny alone: end other programs");
	}
}

void sb_check_governor(const struct sb_doctor *d, struct sb_finding *f)
{
	char governor[64];

	if (!sb_probe_line(
	            d->root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor, sizeof(governor))) {
		sb_found(f, "not visible: the host, or nobody, sets the clock");
		return;
	}
	sb_found(f, "%s", governor);
	if (strcmp(governor, "performance") != 0)
		sb_advise(f, SB_HEALTH_WARNING,
		        "the clock follows the load, and times with it: 'cpupower frequency-set -g performance'");
}

void sb_check_virtual(const struct sb_doctor *d, struct sb_finding *f)
{
	static const char *const container_files[] = { "/.dockerenv", "/run/.containerenv" };
	char flags[4096] = "", vendor[128] = "", product[128] = "";
	bool container = false;

	sb_probe_value(d->root, "/proc/cpuinfo", "flags", ':', flags, sizeof(flags));
	sb_probe_line(d->root, "/sys/class/dmi/id/sys_vendor", vendor, sizeof(vendor));
	sb_probe_line(d->root, "/sys/class/dmi/id/product_name", product, sizeof(product));
	for (size_t i = 0; i < SB_ARRAY_LEN(container_files); i++)
		container |= sb_probe_exists(d->root, container_files[i]);
	sb_found(f, "%s%s%s%s%s%s",
	        sb_list_has(flags, "hypervisor") ? "a virtual machine" : "no virtual machine that shows",
	        container ? ", in a container" : "", *vendor ? ", " : "", vendor, *product ? " " : "", product);
}

/* ---- how steady it is ------------------------------------------------------------------------------------------ */

void sb_check_load(const struct sb_doctor *d, struct sb_finding *f)
{
	int cores = allowed_cores();
	char text[128], *end;
	double load;

	if (!sb_probe_line(d->root, "/proc/loadavg", text, sizeof(text)) || (load = strtod(text, &end), end == text)) {
		sb_found(f, "the system does not say");
		return;
	}
	sb_found(f, "%.2f over the last minute", load);
	if (load > 0.25 * (cores ? cores : 1) && load > 0.5)
		sb_advise(f, SB_HEALTH_WARNING, "other programs run: intervals will be wide; end them, or wait");
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void sb_check_clock(const struct sb_doctor *d, struct sb_finding *f)
{
	enum { READINGS = 20000 };
	char source[64] = "";
	int64_t first = sb_now_ns(), last = first, step = INT64_MAX;

	for (int i = 0; i < READINGS; i++) {
		int64_t now = sb_now_ns();

		if (now > last && now - last < step)
			step = now - last;
		last = now;
	}
	sb_probe_line(
	        d->root, "/sys/devices/system/clocksource/clocksource0/current_clocksource", source, sizeof(source));
	sb_found(f, "steps of %lld ns, %.0f ns to read%s%s", (long long)step, (double)(last - first) / READINGS,
	        *source ? ", from " : "", source);
	if (step > 1000 || (last - first) / READINGS > 500)
		sb_advise(f, SB_HEALTH_WARNING, "short stages cannot be timed well: boot with the clock source tsc");
}

/* A piece of work that always takes the same number of instructions and touches no memory. */
static uint64_t work(int n)
{
	uint64_t x = 1;

	for (int i = 0; i < n; i++)
		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return x;
}

/* Share of the time that the host gave to others, of all cores, since boot: (steal, all). */
static void read_steal(const char *root, double *steal, double *all)
{
	double v[8] = { 0 };
	char text[512];

	*steal = *all = 0;
	if (!sb_probe_line(root, "/proc/stat", text, sizeof(text)) ||
	        sscanf(text, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6],
	                &v[7]) != 8)
		return;
	*steal = v[7];
	for (int i = 0; i < 8; i++)
		*all += v[i];
}

static volatile uint64_t sink; /* keeps the timed work from being optimised away */

void sb_check_noise(const struct sb_doctor *d, struct sb_finding *f)
{
	enum { PIECES = 4096, PIECE_NS = 1000000 };
	static double ns[PIECES];
	double steal[2], all[2], median, late;
	int64_t begin, end = sb_now_ns() + (int64_t)(d->noise_s * 1e9);
	int n = 0, length = 1 << 10;

	do { /* long enough to be timed, short enough that an interruption shows */
		begin = sb_now_ns();
		length *= 2;
		sink += work(length);
	} while (sb_now_ns() - begin < PIECE_NS && length < 1 << 28);
	read_steal(d->root, &steal[0], &all[0]);
	while (n < PIECES && (n < 8 || sb_now_ns() < end)) {
		begin = sb_now_ns();
		sink += work(length);
		ns[n++] = (double)(sb_now_ns() - begin);
	}
	read_steal(d->root, &steal[1], &all[1]);
	qsort(ns, (size_t)n, sizeof(*ns), by_value);
	median = ns[n / 2];
	late = ns[(int)(0.95 * (n - 1))] / median - 1;
	sb_found(f, "a loop of %.1f ms, %d times: 1 in 20 takes %.1f %% longer than the median or more; worst %.0f %%",
	        median / 1e6, n, 100 * late, 100 * (ns[n - 1] / median - 1));
	if (late > 0.05)
		sb_advise(f, SB_HEALTH_WARNING,
		        "something else uses these cores: expect wide intervals, or wait for a quiet time");
	if (all[1] > all[0] && (steal[1] - steal[0]) / (all[1] - all[0]) > 0.01)
		sb_advise(f, SB_HEALTH_WARNING, "the host takes %.0f %% of the time for others",
		        100 * (steal[1] - steal[0]) / (all[1] - all[0]));
}
