#include "environment.h"
#include "sb_card.h"
#include "sb_experiment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

void sb_environment_add(struct sb_environment *e, const char *key, const char *fmt, ...)
{
	char raw[512];
	va_list ap;

	if (e->n == SB_ENVIRONMENT_MAX)
		SB_BUG("more than %d facts", SB_ENVIRONMENT_MAX);
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	snprintf(e->text[e->n].key, sizeof(e->text[e->n].key), "%s", key);
	sb_escape(raw, e->text[e->n].value, sizeof(e->text[e->n].value));
	e->facts[e->n] = (struct sb_fact){ e->text[e->n].key, e->text[e->n].value, NULL };
	e->n++;
}

void sb_environment_add_absent(struct sb_environment *e, const char *key, const char *why)
{
	if (e->n == SB_ENVIRONMENT_MAX)
		SB_BUG("more than %d facts", SB_ENVIRONMENT_MAX);
	snprintf(e->text[e->n].key, sizeof(e->text[e->n].key), "%s", key);
	e->facts[e->n] = (struct sb_fact){ e->text[e->n].key, NULL, why };
	e->n++;
}

/* The value of the first line "KEY<sep>value" of a file; false when there is none. */
static bool line_of(const char *path, const char *key, char sep, char *out, size_t n)
{
	FILE *f = fopen(path, "r");
	char line[1024];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		char *p = strchr(line, sep);

		if (strncmp(line, key, strlen(key)) || !p)
			continue;
		p += 1 + strspn(p + 1, " \t\"");
		p[strcspn(p, "\"\n")] = '\0';
		snprintf(out, n, "%s", p);
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

static void add_line(struct sb_environment *e, const char *fact, const char *path, const char *key, char sep)
{
	char value[512];

	if (line_of(path, key, sep, value, sizeof(value)))
		sb_environment_add(e, fact, "%s", value);
	else
		sb_environment_add_absent(e, fact, "the system does not say");
}

/* The whole first line of a file. */
static void add_file(struct sb_environment *e, const char *fact, const char *path)
{
	FILE *f = fopen(path, "r");
	char value[256];

	if (f && fgets(value, sizeof(value), f)) {
		value[strcspn(value, "\n")] = '\0';
		sb_environment_add(e, fact, "%s", value);
	} else {
		sb_environment_add_absent(e, fact, "the system does not say");
	}
	if (f)
		fclose(f);
}

void sb_environment_read(struct sb_environment *e)
{
	struct utsname u;
	char host[256];

	if (sb_host_name(host, sizeof(host)))
		sb_environment_add(e, "host.name", "%s", host);
	else
		sb_environment_add_absent(e, "host.name", "the system does not say");
	add_line(e, "cpu.model", "/proc/cpuinfo", "model name", ':');
	sb_environment_add(e, "cpu.online", "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	add_file(e, "cpu.governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
	add_line(e, "memory.total", "/proc/meminfo", "MemTotal", ':');
	add_line(e, "memory.available", "/proc/meminfo", "MemAvailable", ':');
	add_file(e, "load.at_start", "/proc/loadavg");
	add_line(e, "os.name", "/etc/os-release", "PRETTY_NAME", '=');
	if (uname(&u) == 0)
		sb_environment_add(e, "os.kernel", "%s %s %s", u.sysname, u.release, u.machine);
	sb_environment_add(e, "build.id", "%s", sb_build_id);
}

static void add_told(struct sb_environment *e, const char *key, double v)
{
	if (isfinite(v))
		sb_environment_add(e, key, "%g", v);
	else
		sb_environment_add_absent(e, key, "the driver does not say");
}

/* What holds a GPU's clocks: a baseline under another limit is another machine's. */
static void clock_policy(struct sb_environment *e, const char *uuid)
{
	struct sb_error err;
	struct sb_card c;

	if (sb_card_read(uuid, "", &c, &err)) {
		sb_environment_add_absent(e, "gpu.power_limit_w", "the driver's NVML does not tell");
		return;
	}
	add_told(e, "gpu.power_limit_w", c.power_limit_w);
	add_told(e, "gpu.application_clock_mhz", c.sm_app_mhz);
}

void sb_environment_add_device(struct sb_environment *e, const struct sb_environment_device *d)
{
	sb_environment_add(e, "device.name", "%s", d->name);
	sb_environment_add(e, "device.kind", "%s", d->kind);
	sb_environment_add(e, "device.memory_bytes", "%lld", (long long)d->memory_bytes);
	sb_environment_add(e, "software", "%s", d->software);
	sb_environment_add(e, "emulated", "%s", d->emulated);
	if (!strcmp(d->kind, "cuda"))
		clock_policy(e, d->uuid);
}
