#include "sb_card.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libnvidia-ml.so.1"

/* The part of NVML's interface that is used, by its documentation: no header of it is needed to build. */
typedef struct nvml_device *nvml_handle;

struct nvml_memory {
	unsigned long long total, free, used;
};

struct nvml_process {
	unsigned pid;
	unsigned long long used; /* all ones: not available */
	unsigned gpu_instance, compute_instance;
};

enum {
	NVML_INSUFFICIENT_SIZE = 7,
	NVML_TEMPERATURE_GPU = 0,
	NVML_CLOCK_SM = 1,
	NVML_ERROR_UNCORRECTED = 1,
	NVML_COUNTER_VOLATILE = 0,
};

/* Without these there is nothing to say. X(member, function, parameters) */
#define NEEDED(X)                                                             \
	X(init, nvmlInit_v2, (void))                                          \
	X(shutdown, nvmlShutdown, (void))                                     \
	X(count, nvmlDeviceGetCount_v2, (unsigned *))                         \
	X(by_index, nvmlDeviceGetHandleByIndex_v2, (unsigned, nvml_handle *)) \
	X(by_uuid, nvmlDeviceGetHandleByUUID, (const char *, nvml_handle *))

/* What an older driver may lack, and what a card may refuse. */
#define WANTED(X)                                                                                  \
	X(driver, nvmlSystemGetDriverVersion, (char *, unsigned))                                  \
	X(cuda, nvmlSystemGetCudaDriverVersion_v2, (int *))                                        \
	X(name, nvmlDeviceGetName, (nvml_handle, char *, unsigned))                                \
	X(uuid, nvmlDeviceGetUUID, (nvml_handle, char *, unsigned))                                \
	X(capability, nvmlDeviceGetCudaComputeCapability, (nvml_handle, int *, int *))             \
	X(ecc, nvmlDeviceGetEccMode, (nvml_handle, unsigned *, unsigned *))                        \
	X(ecc_errors, nvmlDeviceGetTotalEccErrors, (nvml_handle, int, int, unsigned long long *))  \
	X(mig, nvmlDeviceGetMigMode, (nvml_handle, unsigned *, unsigned *))                        \
	X(persistence, nvmlDeviceGetPersistenceMode, (nvml_handle, unsigned *))                    \
	X(compute_mode, nvmlDeviceGetComputeMode, (nvml_handle, unsigned *))                       \
	X(power_limit, nvmlDeviceGetEnforcedPowerLimit, (nvml_handle, unsigned *))                 \
	X(power_default, nvmlDeviceGetPowerManagementDefaultLimit, (nvml_handle, unsigned *))      \
	X(clock, nvmlDeviceGetClockInfo, (nvml_handle, int, unsigned *))                           \
	X(clock_max, nvmlDeviceGetMaxClockInfo, (nvml_handle, int, unsigned *))                    \
	X(clock_app, nvmlDeviceGetApplicationsClock, (nvml_handle, int, unsigned *))               \
	X(temperature, nvmlDeviceGetTemperature, (nvml_handle, int, unsigned *))                   \
	X(reasons, nvmlDeviceGetCurrentClocksThrottleReasons, (nvml_handle, unsigned long long *)) \
	X(memory, nvmlDeviceGetMemoryInfo, (nvml_handle, struct nvml_memory *))                    \
	X(processes, nvmlDeviceGetComputeRunningProcesses_v3, (nvml_handle, unsigned *, struct nvml_process *))

struct nvml {
	void *library;
	nvml_handle device;
#define MEMBER(member, function, parameters) int(*member) parameters;
	NEEDED(MEMBER)
	WANTED(MEMBER)
#undef MEMBER
};

/* Those that are no fault (idle, clocks of an application) are left out. */
static const struct {
	unsigned long long bit;
	const char *name;
} throttles[] = {
	{ 0x04, "power limit" },
	{ 0x08, "hardware slowdown" },
	{ 0x10, "synchronised with another card" },
	{ 0x20, "heat (software)" },
	{ 0x40, "heat (hardware)" },
	{ 0x80, "power brake" },
};

static enum sb_status load(struct nvml *n, struct sb_error *err)
{
	const char *asked = getenv("SPABENCH_NVML");

	if (asked && !strcmp(asked, "none"))
		return sb_fail(err, SB_E_ENV, "NVML is not to be used (SPABENCH_NVML=none)");
	n->library = dlopen(asked && *asked ? asked : LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!n->library)
		return sb_fail(err, SB_E_ENV, "NVML cannot be loaded: %.300s; it comes with the driver", dlerror());
#define FIND(member, function, parameters) *(void **)(void *)&n->member = dlsym(n->library, #function);
	NEEDED(FIND)
	WANTED(FIND)
#undef FIND
#define CHECK(member, function, parameters) \
	if (!n->member)                     \
		return sb_fail(err, SB_E_ENV, "NVML has no " #function "; the driver is too old, update it");
	NEEDED(CHECK)
#undef CHECK
	return SB_OK;
}

/* ---- one question each: false when the card or the driver does not answer ---------------------------------------- */

#define ASK(n, member, ...) ((n)->member && (n)->member(__VA_ARGS__) == 0)

static enum sb_mode mode_of(bool told, const unsigned *v)
{
	return !told ? SB_MODE_UNKNOWN : *v ? SB_MODE_ON : SB_MODE_OFF;
}

static void read_modes(const struct nvml *n, struct sb_card *c)
{
	unsigned now = 0, pending = 0;
	unsigned long long errors = 0;

	c->ecc = mode_of(ASK(n, ecc, n->device, &now, &pending), &now);
	c->mig = mode_of(ASK(n, mig, n->device, &now, &pending), &now);
	c->persistence = mode_of(ASK(n, persistence, n->device, &now), &now);
	c->compute_mode = ASK(n, compute_mode, n->device, &now) ? (int)now : -1;
	c->ecc_errors = ASK(n, ecc_errors, n->device, NVML_ERROR_UNCORRECTED, NVML_COUNTER_VOLATILE, &errors)
	                        ? (int64_t)errors
	                        : -1;
}

static void read_clocks(const struct nvml *n, struct sb_card *c)
{
	unsigned long long bits = 0;
	unsigned v = 0;

	c->power_limit_w = ASK(n, power_limit, n->device, &v) ? v / 1e3 : NAN;
	c->power_default_w = ASK(n, power_default, n->device, &v) ? v / 1e3 : NAN;
	c->sm_mhz = ASK(n, clock, n->device, NVML_CLOCK_SM, &v) ? (double)v : NAN;
	c->sm_max_mhz = ASK(n, clock_max, n->device, NVML_CLOCK_SM, &v) ? (double)v : NAN;
	c->sm_app_mhz = ASK(n, clock_app, n->device, NVML_CLOCK_SM, &v) ? (double)v : NAN;
	c->temperature_c = ASK(n, temperature, n->device, NVML_TEMPERATURE_GPU, &v) ? (double)v : NAN;
	if (!ASK(n, reasons, n->device, &bits))
		return;
	for (size_t i = 0; i < SB_ARRAY_LEN(throttles); i++)
		if (bits & throttles[i].bit)
			snprintf(c->throttled + strlen(c->throttled), sizeof(c->throttled) - strlen(c->throttled),
			        "%s%s", *c->throttled ? ", " : "", throttles[i].name);
}

static bool name_of_process(const char *root, unsigned pid, char *out, size_t n)
{
	char path[512];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%.400s/proc/%u/comm", root, pid);
	f = fopen(path, "r");
	ok = f && fgets(out, (int)n, f);
	if (f)
		fclose(f);
	if (ok)
		out[strcspn(out, "\n")] = '\0';
	return ok && *out;
}

static void read_processes(const struct nvml *n, const char *root, struct sb_card *c)
{
	struct nvml_process p[SB_CARD_PROCESSES_MAX];
	unsigned count = SB_CARD_PROCESSES_MAX;
	int code = n->processes ? n->processes(n->device, &count, p) : -1;

	c->processes_told = code == 0 || code == NVML_INSUFFICIENT_SIZE;
	if (!c->processes_told)
		return;
	c->n_processes = count;
	for (unsigned i = 0; code == 0 && i < count && i < SB_CARD_PROCESSES_MAX; i++) {
		struct sb_card_process *out = &c->process[i];

		out->pid = p[i].pid;
		out->bytes = p[i].used == ~0ull ? -1 : (int64_t)p[i].used;
		if (!name_of_process(root, p[i].pid, out->name, sizeof(out->name)))
			out->name[0] = '\0';
	}
}

static void read_card(const struct nvml *n, const char *root, struct sb_card *c)
{
	struct nvml_memory memory = { 0 };
	int major = 0, minor = 0;

	if (!ASK(n, driver, c->driver, sizeof(c->driver)))
		c->driver[0] = '\0';
	if (!ASK(n, cuda, &c->cuda))
		c->cuda = 0;
	if (!ASK(n, name, n->device, c->name, sizeof(c->name)))
		snprintf(c->name, sizeof(c->name), "of unknown name");
	if (!ASK(n, uuid, n->device, c->uuid, sizeof(c->uuid)))
		c->uuid[0] = '\0';
	if (ASK(n, capability, n->device, &major, &minor))
		c->capability = major * 10 + minor;
	if (ASK(n, memory, n->device, &memory)) {
		c->total_bytes = (int64_t)memory.total;
		c->free_bytes = (int64_t)memory.free;
	}
	read_modes(n, c);
	read_clocks(n, c);
	read_processes(n, root, c);
}

/* A slice of a card with MIG has a name of its own sort. */
static bool find_by_uuid(struct nvml *n, const char *uuid)
{
	char mig[128];

	if (!n->by_uuid(uuid, &n->device))
		return true;
	snprintf(mig, sizeof(mig), "MIG-%.100s", strncmp(uuid, "GPU-", 4) ? uuid : uuid + 4);
	return !n->by_uuid(mig, &n->device);
}

static enum sb_status find(struct nvml *n, const char *uuid, struct sb_card *c, struct sb_error *err)
{
	int code;

	if (*uuid && find_by_uuid(n, uuid))
		return SB_OK;
	if (*uuid)
		return sb_fail(err, SB_E_ENV, "NVML does not know the GPU '%.100s'", uuid);
	if (c->count == 0)
		return sb_fail(err, SB_E_ENV, "NVML sees no GPU");
	code = n->by_index(0, &n->device);
	return code ? sb_fail(err, SB_E_ENV, "NVML does not open the first GPU: error %d", code) : SB_OK;
}

enum sb_status sb_card_read(const char *uuid, const char *root, struct sb_card *out, struct sb_error *err)
{
	struct nvml n = { 0 };
	struct sb_card c = { .count = 0 };
	enum sb_status status = load(&n, err);
	int code = status ? 0 : n.init();

	if (code)
		status = sb_fail(err, SB_E_ENV,
		        "NVML does not start: error %d; is the kernel's module of the same version as the driver's "
		        "libraries?",
		        code);
	if (!status) {
		if (n.count(&c.count))
			c.count = 0;
		status = find(&n, uuid, &c, err);
		if (!status)
			read_card(&n, root, &c);
		n.shutdown();
	}
	if (n.library)
		dlclose(n.library);
	if (!status)
		*out = c;
	return status;
}
