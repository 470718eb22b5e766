/* The reader of a card's state, on an NVML that says what it is told to (tests/tools/fake_nvml.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sb_nvml.h"

static const char uuid[] = "GPU-12345678-0000-0000-0000-000000000000";

/* A reading of a card that says `told`. */
static struct sb_device_state state_of(const char *told)
{
	struct sb_error err = { .msg = "" };
	struct sb_device_state s;
	struct sb_nvml *n = NULL;

	assert_int_equal(setenv("SB_FAKE_NVML", told, 1), 0);
	if (sb_nvml_open(uuid, &n, &err))
		fail_msg("%s", err.msg);
	sb_nvml_read(n, &s);
	sb_nvml_close(n);
	return s;
}

static void assert_value(struct sb_value v, double wanted)
{
	assert_null(v.absent);
	assert_true(v.v == wanted);
}

static void a_reading_has_its_units(void **state)
{
	struct sb_device_state s = state_of("power=345600,temperature0=61,clock1=1755,clock2=2619,total=80,free=78,"
	                                    "energy=987654321,reasons=0,held0=5000,held1=70");

	(void)state;
	assert_value(s.power_w, 345.6);
	assert_value(s.temperature_c, 61);
	assert_value(s.sm_mhz, 1755);
	assert_value(s.memory_mhz, 2619);
	assert_value(s.used_bytes, 2.0 * 1073741824.0);
	assert_value(s.energy_mj, 987654321);
	assert_value(s.power_held_ns, 5000);
	assert_value(s.heat_held_ns, 70);
	assert_value(s.throttled, 0);
	assert_string_equal(s.reasons, "");
	assert_true(s.cost_ns >= 0);
}

static void what_is_not_told_is_absent_and_the_rest_is_there(void **state)
{
	static const char *const functions[] = { "nvmlDeviceGetPowerUsage", "nvmlDeviceGetTemperature",
		"nvmlDeviceGetClockInfo", "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetTotalEnergyConsumption",
		"nvmlDeviceGetCurrentClocksThrottleReasons", "nvmlDeviceGetViolationStatus" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(functions); i++) {
		char told[96] = "without=";
		struct sb_device_state s = state_of(strcat(told, functions[i]));
		const struct sb_value *v[] = { &s.power_w, &s.temperature_c, &s.sm_mhz, &s.used_bytes, &s.energy_mj,
			&s.throttled, &s.power_held_ns };

		for (size_t k = 0; k < SB_ARRAY_LEN(v); k++)
			assert_int_equal(v[k]->absent != NULL, k == i);
		assert_int_equal(s.memory_mhz.absent != NULL, i == 2);
		assert_int_equal(s.heat_held_ns.absent != NULL, i == 6);
		assert_string_equal(s.reasons, "");
	}
}

static void only_what_holds_clocks_down_is_throttling(void **state)
{
	struct sb_device_state s = state_of("reasons=259"); /* idle, application clocks, display clocks */

	(void)state;
	assert_value(s.throttled, 0);
	assert_string_equal(s.reasons, "");
	s = state_of("reasons=5"); /* idle, power cap */
	assert_value(s.throttled, 1);
	assert_string_equal(s.reasons, "sw_power_cap");
	s = state_of("reasons=1023");
	assert_value(s.throttled, 1);
	assert_string_equal(s.reasons, "sw_power_cap,hw_slowdown,sync_boost,sw_thermal,hw_thermal,hw_power_brake");
	s = state_of("reasons=512"); /* a reason of a later driver */
	assert_value(s.throttled, 0);
}

static void the_driver_says_its_version_or_nothing(void **state)
{
	struct sb_nvml *n;

	(void)state;
	assert_int_equal(setenv("SB_FAKE_NVML", "driver=580.1", 1), 0);
	assert_int_equal(sb_nvml_open(uuid, &n, NULL), SB_OK);
	assert_string_equal(sb_nvml_driver(n), "580.1");
	sb_nvml_close(n);
	assert_int_equal(setenv("SB_FAKE_NVML", "without=nvmlSystemGetDriverVersion", 1), 0);
	assert_int_equal(sb_nvml_open(uuid, &n, NULL), SB_OK);
	assert_string_equal(sb_nvml_driver(n), "");
	sb_nvml_close(n);
	sb_nvml_close(NULL);
}

static void assert_no_nvml(const char *id, const char *part)
{
	struct sb_nvml *n = (struct sb_nvml *)(uintptr_t)1;
	struct sb_error err = { .msg = "" };

	assert_int_equal(sb_nvml_open(id, &n, &err), SB_E_ENV);
	assert_null(n);
	if (!strstr(err.msg, part))
		fail_msg("no '%s' in '%s'", part, err.msg);
}

static void a_library_that_is_missing_old_or_broken_says_so(void **state)
{
	char *good = sb_strdup(getenv("SPABENCH_NVML"));

	(void)state;
	assert_non_null(good);
	assert_int_equal(setenv("SB_FAKE_NVML", "start=9", 1), 0);
	assert_no_nvml(uuid, "NVML does not start: error 9");
	assert_int_equal(setenv("SB_FAKE_NVML", "", 1), 0);
	assert_no_nvml("GPU-other", "NVML does not know the GPU 'GPU-other': error 6");
	assert_int_equal(setenv("SPABENCH_NVML", "none", 1), 0);
	assert_no_nvml(uuid, "SPABENCH_NVML=none");
	assert_int_equal(setenv("SPABENCH_NVML", "/nonexistent/nvml.so", 1), 0);
	assert_no_nvml(uuid, "NVML cannot be loaded");
	assert_int_equal(setenv("SPABENCH_NVML", "libm.so.6", 1), 0);
	assert_no_nvml(uuid, "NVML has no nvmlInit_v2");
	assert_int_equal(setenv("SPABENCH_NVML", good, 1), 0);
	free(good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reading_has_its_units),
		cmocka_unit_test(what_is_not_told_is_absent_and_the_rest_is_there),
		cmocka_unit_test(only_what_holds_clocks_down_is_throttling),
		cmocka_unit_test(the_driver_says_its_version_or_nothing),
		cmocka_unit_test(a_library_that_is_missing_old_or_broken_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
