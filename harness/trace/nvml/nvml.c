#include "sb_nvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The part of NVML's interface that is used, by its documentation: no header of it is needed to build. */
typedef struct nvml_device *nvml_handle;

struct nvml_memory {
	unsigned long long total, free, used;
};

struct nvml_held {
	unsigned long long now, held_ns;
};

enum { NVML_HELD_BY_POWER = 0, NVML_HELD_BY_HEAT = 1 };
enum { NVML_TEMPERATURE_GPU = 0, NVML_CLOCK_SM = 1, NVML_CLOCK_MEM = 2 };

/* X(member, function, parameters) */
#define FUNCTIONS(X)                                                                        \
	X(init, nvmlInit_v2, (void))                                                        \
	X(shutdown, nvmlShutdown, (void))                                                   \
	X(driver_version, nvmlSystemGetDriverVersion, (char *, unsigned))                   \
	X(by_uuid, nvmlDeviceGetHandleByUUID, (const char *, nvml_handle *))                \
	X(power, nvmlDeviceGetPowerUsage, (nvml_handle, unsigned *))                        \
	X(temperature, nvmlDeviceGetTemperature, (nvml_handle, int, unsigned *))            \
	X(clock, nvmlDeviceGetClockInfo, (nvml_handle, int, unsigned *))                    \
	X(memory, nvmlDeviceGetMemoryInfo, (nvml_handle, struct nvml_memory *))             \
	X(energy, nvmlDeviceGetTotalEnergyConsumption, (nvml_handle, unsigned long long *)) \
	X(reasons, nvmlDeviceGetCurrentClocksThrottleReasons, (nvml_handle, unsigned long long *))

/* What not every driver has: NULL then. */
#define WANTED(X) X(held, nvmlDeviceGetViolationStatus, (nvml_handle, int, struct nvml_held *))

struct sb_nvml {
	void *library;
	nvml_handle device;
	char driver[80];
#define MEMBER(member, function, parameters) int(*member) parameters;
	FUNCTIONS(MEMBER)
	WANTED(MEMBER)
#undef MEMBER
};

/* What holds clocks down. That a card idles (0x01) or runs at the clocks it was told to (0x02, 0x100) is no fault. */
static const struct {
	unsigned long long bit;
	const char *name;
} reason_table[] = {
	{ 0x04, "sw_power_cap" },
	{ 0x08, "hw_slowdown" },
	{ 0x10, "sync_boost" },
	{ 0x20, "sw_thermal" },
	{ 0x40, "hw_thermal" },
	{ 0x80, "hw_power_brake" },
};

static enum sb_status load(struct sb_nvml *n, struct sb_error *err)
{
	const char *asked = getenv("SPABENCH_NVML");

	if (asked && !strcmp(asked, "none"))
		return sb_fail(err, SB_E_ENV, "NVML is not to be used (SPABENCH_NVML=none)");
	n->library = dlopen(asked && *asked ? asked : "libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!n->library)
		return sb_fail(err, SB_E_ENV, "NVML cannot be loaded: %.300s; it comes with the driver", dlerror());
#define FIND(member, function, parameters)                           \
	*(void **)(void *)&n->member = dlsym(n->library, #function); \
	if (!n->member)                                              \
		return sb_fail(err, SB_E_ENV, "NVML has no " #function "; the driver is too old, update it");
	FUNCTIONS(FIND)
#undef FIND
#define FIND(member, function, parameters) *(void **)(void *)&n->member = dlsym(n->library, #function);
	WANTED(FIND)
#undef FIND
	return SB_OK;
}

enum sb_status sb_nvml_open(const char *uuid, struct sb_nvml **out, struct sb_error *err)
{
	struct sb_nvml *n = calloc(1, sizeof(*n));
	int code;

	*out = NULL;
	if (!n)
		return sb_fail(err, SB_E_NOMEM, "no memory for NVML");
	if (load(n, err))
		goto failed;
	code = n->init();
	if (code) {
		sb_fail(err, SB_E_ENV, "NVML does not start: error %d", code);
		goto failed;
	}
	code = n->by_uuid(uuid, &n->device);
	if (code) {
		n->shutdown();
		sb_fail(err, SB_E_ENV, "NVML does not know the GPU '%s': error %d", uuid, code);
		goto failed;
	}
	if (n->driver_version(n->driver, sizeof(n->driver)))
		n->driver[0] = '\0';
	*out = n;
	return SB_OK;
failed:
	if (n->library)
		dlclose(n->library);
	free(n);
	return err->code;
}

void sb_nvml_close(struct sb_nvml *n)
{
	if (!n)
		return;
	n->shutdown();
	dlclose(n->library);
	free(n);
}

const char *sb_nvml_driver(const struct sb_nvml *n)
{
	return n->driver;
}

static struct sb_value value(int code, double v)
{
	return code ? sb_value_absent("NVML does not tell") : sb_value_of(v);
}

static struct sb_value held(const struct sb_nvml *n, int by)
{
	struct nvml_held h = { 0 };
	int code;

	if (!n->held)
		return sb_value_absent("the driver does not count it");
	code = n->held(n->device, by, &h);
	return value(code, (double)h.held_ns);
}

static void name_reasons(unsigned long long bits, char *out, size_t n)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < SB_ARRAY_LEN(reason_table); i++)
		if (bits & reason_table[i].bit)
			at += (size_t)snprintf(out + at, n - at, "%s%s", at ? "," : "", reason_table[i].name);
}

void sb_nvml_read(struct sb_nvml *n, struct sb_device_state *out)
{
	int64_t start = sb_now_ns();
	unsigned v = 0;
	unsigned long long wide = 0, bits = 0;
	struct nvml_memory memory = { 0 };
	int code;

	*out = (struct sb_device_state){ 0 };
	code = n->power(n->device, &v);
	out->power_w = value(code, v / 1e3);
	code = n->temperature(n->device, NVML_TEMPERATURE_GPU, &v);
	out->temperature_c = value(code, v);
	code = n->clock(n->device, NVML_CLOCK_SM, &v);
	out->sm_mhz = value(code, v);
	code = n->clock(n->device, NVML_CLOCK_MEM, &v);
	out->memory_mhz = value(code, v);
	code = n->memory(n->device, &memory);
	out->used_bytes = value(code, (double)memory.used);
	code = n->energy(n->device, &wide);
	out->energy_mj = value(code, (double)wide);
	out->power_held_ns = held(n, NVML_HELD_BY_POWER);
	out->heat_held_ns = held(n, NVML_HELD_BY_HEAT);
	code = n->reasons(n->device, &bits);
	if (!code)
		name_reasons(bits, out->reasons, sizeof(out->reasons));
	out->throttled = value(code, out->reasons[0] != '\0');
	out->cost_ns = sb_now_ns() - start;
}
