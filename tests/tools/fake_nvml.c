/*
 * An NVML that is told what to say, for tests: SPABENCH_NVML names it, SB_FAKE_NVML says "key=value,key=value". A key
 * is one of those below; "without=FUNCTION" makes one answer "not supported", "start=N" makes nvmlInit fail.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };

struct device {
	int unused;
};
static struct device the_device;

struct memory {
	unsigned long long total, free, used;
};

struct process {
	unsigned pid;
	unsigned long long used;
	unsigned gpu_instance, compute_instance;
};

/* The value of a key into out[n]; false when it is not told. */
static int text_of(const char *key, char *out, size_t n)
{
	const char *p = getenv("SB_FAKE_NVML");
	size_t length = strlen(key);

	while (p && *p) {
		size_t item = strcspn(p, ",");

		if (item > length && !strncmp(p, key, length) && p[length] == '=') {
			snprintf(out, n, "%.*s", (int)(item - length - 1), p + length + 1);
			return 1;
		}
		p += item + (p[item] == ',');
	}
	return 0;
}

static double number(const char *key, double otherwise)
{
	char text[64];

	return text_of(key, text, sizeof(text)) ? strtod(text, NULL) : otherwise;
}

static int lacks(const char *function)
{
	char text[64];

	return text_of("without", text, sizeof(text)) && !strcmp(text, function);
}

#define ANSWER(statement)                     \
	do {                                  \
		if (lacks(__func__))          \
			return NOT_SUPPORTED; \
		statement;                    \
		return OK;                    \
	} while (0)

#define DECLARE(name, ...)            \
	EXPORT int name(__VA_ARGS__); \
	int name(__VA_ARGS__)

static void put_text(const char *key, const char *otherwise, char *out, unsigned n)
{
	if (!text_of(key, out, n))
		snprintf(out, n, "%s", otherwise);
}

DECLARE(nvmlInit_v2, void)
{
	return (int)number("start", OK);
}

DECLARE(nvmlShutdown, void)
{
	return OK;
}

DECLARE(nvmlDeviceGetCount_v2, unsigned *out)
{
	ANSWER(*out = (unsigned)number("count", 1));
}

DECLARE(nvmlDeviceGetHandleByIndex_v2, unsigned index, struct device **out)
{
	(void)index;
	ANSWER(*out = &the_device);
}

DECLARE(nvmlDeviceGetHandleByUUID, const char *uuid, struct device **out)
{
	char known[96];

	put_text("uuid", "GPU-12345678-0000-0000-0000-000000000000", known, sizeof(known));
	if (strcmp(uuid, known) != 0)
		return NOT_FOUND;
	ANSWER(*out = &the_device);
}

DECLARE(nvmlSystemGetDriverVersion, char *out, unsigned n)
{
	ANSWER(put_text("driver", "580.159.04", out, n));
}

DECLARE(nvmlSystemGetCudaDriverVersion_v2, int *out)
{
	ANSWER(*out = (int)number("cuda", 13000));
}

DECLARE(nvmlDeviceGetName, struct device *d, char *out, unsigned n)
{
	(void)d;
	ANSWER(put_text("name", "NVIDIA Fake", out, n));
}

DECLARE(nvmlDeviceGetUUID, struct device *d, char *out, unsigned n)
{
	(void)d;
	ANSWER(put_text("uuid", "GPU-12345678-0000-0000-0000-000000000000", out, n));
}

DECLARE(nvmlDeviceGetCudaComputeCapability, struct device *d, int *major, int *minor)
{
	int capability = (int)number("capability", 90);

	(void)d;
	*major = capability / 10;
	ANSWER(*minor = capability % 10);
}

/* A mode that is on or off now. */
#define MODE(function, key, otherwise)                                        \
	DECLARE(function, struct device *d, unsigned *now, unsigned *pending) \
	{                                                                     \
		(void)d;                                                      \
		*pending = 0;                                                 \
		ANSWER(*now = (unsigned)number(key, otherwise));              \
	}
MODE(nvmlDeviceGetEccMode, "ecc", 1)
MODE(nvmlDeviceGetMigMode, "mig", 0)

/* One unsigned number. */
#define UNSIGNED(function, key, otherwise)                       \
	DECLARE(function, struct device *d, unsigned *out)       \
	{                                                        \
		(void)d;                                         \
		ANSWER(*out = (unsigned)number(key, otherwise)); \
	}
UNSIGNED(nvmlDeviceGetPersistenceMode, "persistence", 1)
UNSIGNED(nvmlDeviceGetComputeMode, "compute", 0)
UNSIGNED(nvmlDeviceGetEnforcedPowerLimit, "limit", 700000)
UNSIGNED(nvmlDeviceGetPowerManagementDefaultLimit, "default", 700000)
UNSIGNED(nvmlDeviceGetPowerUsage, "power", 123456)

/* One of several numbers of a kind. */
#define INDEXED(function, key, otherwise)                             \
	DECLARE(function, struct device *d, int which, unsigned *out) \
	{                                                             \
		char name[32];                                        \
                                                                      \
		(void)d;                                              \
		snprintf(name, sizeof(name), key "%d", which);        \
		ANSWER(*out = (unsigned)number(name, otherwise));     \
	}
INDEXED(nvmlDeviceGetClockInfo, "clock", 1980)
INDEXED(nvmlDeviceGetApplicationsClock, "clock_app", 1980)
INDEXED(nvmlDeviceGetMaxClockInfo, "max", 1980)
INDEXED(nvmlDeviceGetTemperature, "temperature", 35)

DECLARE(nvmlDeviceGetTotalEccErrors, struct device *d, int kind, int counter, unsigned long long *out)
{
	(void)d;
	(void)kind;
	(void)counter;
	ANSWER(*out = (unsigned long long)number("errors", 0));
}

DECLARE(nvmlDeviceGetTotalEnergyConsumption, struct device *d, unsigned long long *out)
{
	(void)d;
	ANSWER(*out = (unsigned long long)number("energy", 1000));
}

DECLARE(nvmlDeviceGetCurrentClocksThrottleReasons, struct device *d, unsigned long long *out)
{
	(void)d;
	ANSWER(*out = (unsigned long long)number("reasons", 1));
}

DECLARE(nvmlDeviceGetMemoryInfo, struct device *d, struct memory *out)
{
	double total = number("total", 80), free_gib = number("free", 79.5);

	(void)d;
	out->total = (unsigned long long)(total * 1073741824.0);
	out->free = (unsigned long long)(free_gib * 1073741824.0);
	ANSWER(out->used = out->total - out->free);
}

/* processes=N: their ids are 1000, 1001, .., their memory 1, 2, .. GiB, or with untold=1 not to be had. */
DECLARE(nvmlDeviceGetComputeRunningProcesses_v3, struct device *d, unsigned *count, struct process *out)
{
	unsigned n = (unsigned)number("processes", 0), room = *count;

	(void)d;
	*count = n;
	if (n > room)
		return INSUFFICIENT_SIZE;
	for (unsigned i = 0; i < n; i++)
		out[i] = (struct process){ 1000 + i, (unsigned long long)(i + 1) << 30, 0, 0 };
	for (unsigned i = 0; i < n && number("untold", 0) > 0; i++)
		out[i].used = ~0ull;
	ANSWER((void)0);
}

/* held0, held1: nanoseconds for which power and heat have held clocks down. */
struct held {
	unsigned long long now, held_ns;
};

DECLARE(nvmlDeviceGetViolationStatus, struct device *d, int by, struct held *out)
{
	char name[32];

	(void)d;
	snprintf(name, sizeof(name), "held%d", by);
	out->now = 0;
	ANSWER(out->held_ns = (unsigned long long)number(name, 0));
}
