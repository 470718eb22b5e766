/*
 * What doctor says of GPUs that are made up: an NVML that says what it is told to (tests/tools/fake_nvml.c), files
 * below a root of their own, and looks filled in by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "doctor_internal.h"
#include "store_fixture.h"

static struct sb_card card_of(const struct fixture *f, const char *told)
{
	struct sb_error err = { .msg = "" };
	struct sb_card c;

	assert_int_equal(setenv("SB_FAKE_NVML", told, 1), 0);
	if (sb_card_read("", f->dir, &c, &err))
		fail_msg("%s", err.msg);
	return c;
}

static struct sb_finding check_gpu(const struct fixture *f, const struct sb_doctor_gpu *gpu,
        void (*fn)(const struct sb_doctor *, struct sb_finding *))
{
	const struct sb_doctor d = { f->db, f->dir, 0.02, gpu };
	struct sb_finding r = { .found = "" };

	fn(&d, &r);
	assert_true(r.found[0]);
	assert_int_equal(r.health != SB_HEALTH_OK, r.advice[0] != '\0');
	assert_false(r.blocks_run);
	return r;
}

/* The same of a card whose NVML says `told`. */
static struct sb_finding check(
        const struct fixture *f, const char *told, void (*fn)(const struct sb_doctor *, struct sb_finding *))
{
	struct sb_doctor_gpu g = { .visible = true, .has_card = true, .card = card_of(f, told) };

	return check_gpu(f, &g, fn);
}

#define assert_has(text, part)                                   \
	do {                                                     \
		if (!strstr(text, part))                         \
			fail_msg("no '%s' in '%s'", part, text); \
	} while (0)

#define assert_finding(r, wanted_health, wanted_found)        \
	do {                                                  \
		assert_string_equal((r).found, wanted_found); \
		assert_int_equal((r).health, wanted_health);  \
	} while (0)

/* ---- the card ---------------------------------------------------------------------------------------------------- */

static void nvml_tells_of_the_card(void **state)
{
	const struct fixture *f = *state;
	struct sb_card c =
	        card_of(f, "name=NVIDIA H200,driver=1.2.3,cuda=13010,capability=90,total=140,free=139,count=8");

	assert_string_equal(c.name, "NVIDIA H200");
	assert_string_equal(c.driver, "1.2.3");
	assert_int_equal(c.cuda, 13010);
	assert_int_equal(c.capability, 90);
	assert_int_equal(c.count, 8);
	assert_true(c.total_bytes == (int64_t)140 << 30);
	assert_true(c.free_bytes == (int64_t)139 << 30);
	assert_int_equal(c.ecc, SB_MODE_ON);
	assert_int_equal(c.mig, SB_MODE_OFF);
	assert_int_equal(c.persistence, SB_MODE_ON);
	assert_true(c.power_limit_w == 700 && c.sm_app_mhz == 1980);
}

static void what_nvml_does_not_tell_is_absent_and_not_zero(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(card_of(f, "without=nvmlDeviceGetEccMode").ecc, SB_MODE_UNKNOWN);
	assert_true(card_of(f, "without=nvmlDeviceGetTotalEccErrors").ecc_errors < 0);
	assert_true(card_of(f, "without=nvmlDeviceGetComputeMode").compute_mode < 0);
	assert_true(isnan(card_of(f, "without=nvmlDeviceGetClockInfo").sm_mhz));
	assert_true(isnan(card_of(f, "without=nvmlDeviceGetEnforcedPowerLimit").power_limit_w));
	assert_false(card_of(f, "without=nvmlDeviceGetComputeRunningProcesses_v3").processes_told);
	assert_int_equal(card_of(f, "without=nvmlDeviceGetCudaComputeCapability").capability, 0);
}

static void the_card_is_found_by_its_uuid_and_a_slice_by_its_own(void **state)
{
	const struct fixture *f = *state;
	struct sb_error err;
	struct sb_card c;

	assert_int_equal(setenv("SB_FAKE_NVML", "uuid=GPU-1", 1), 0);
	assert_int_equal(sb_card_read("GPU-1", f->dir, &c, &err), SB_OK);
	assert_int_equal(sb_card_read("GPU-2", f->dir, &c, &err), SB_E_ENV);
	assert_has(err.msg, "does not know the GPU 'GPU-2'");
	assert_int_equal(setenv("SB_FAKE_NVML", "uuid=MIG-1", 1), 0);
	assert_int_equal(sb_card_read("GPU-1", f->dir, &c, &err), SB_OK);
}

static void nvml_that_is_missing_or_fails_is_an_error_with_its_reason(void **state)
{
	const struct fixture *f = *state;
	char library[4096];
	struct sb_error err;
	struct sb_card c;

	assert_int_equal(setenv("SB_FAKE_NVML", "start=18", 1), 0);
	assert_int_equal(sb_card_read("", f->dir, &c, &err), SB_E_ENV);
	assert_has(err.msg, "NVML does not start: error 18");
	assert_int_equal(setenv("SB_FAKE_NVML", "count=0", 1), 0);
	assert_int_equal(sb_card_read("", f->dir, &c, &err), SB_E_ENV);
	assert_has(err.msg, "NVML sees no GPU");
	snprintf(library, sizeof(library), "%s", getenv("SPABENCH_NVML"));
	assert_int_equal(setenv("SPABENCH_NVML", "/nonexistent/libnvidia-ml.so.1", 1), 0);
	assert_int_equal(sb_card_read("", f->dir, &c, &err), SB_E_ENV);
	assert_has(err.msg, "NVML cannot be loaded");
	assert_int_equal(setenv("SPABENCH_NVML", "none", 1), 0);
	assert_int_equal(sb_card_read("", f->dir, &c, &err), SB_E_ENV);
	assert_int_equal(setenv("SPABENCH_NVML", library, 1), 0);
}

/* ---- its settings ------------------------------------------------------------------------------------------------ */

static void settings_that_cost_are_warnings(void **state)
{
	const struct fixture *f = *state;
	struct sb_finding r;

	assert_finding(check(f, "", sb_check_driver), SB_HEALTH_OK, "580.159.04, for CUDA up to 13.0");
	assert_finding(check(f, "ecc=1", sb_check_ecc), SB_HEALTH_OK, "on");
	assert_finding(check(f, "ecc=0", sb_check_ecc), SB_HEALTH_OK, "off");
	assert_finding(check(f, "without=nvmlDeviceGetEccMode", sb_check_ecc), SB_HEALTH_OK, "not on this card");
	r = check(f, "errors=3", sb_check_ecc);
	assert_finding(r, SB_HEALTH_WARNING, "on, 3 errors that could not be corrected");
	assert_int_equal(check(f, "errors=1", sb_check_ecc).health, SB_HEALTH_WARNING);
	assert_int_equal(check(f, "errors=0", sb_check_ecc).health, SB_HEALTH_OK);
	assert_finding(check(f, "mig=0", sb_check_mig), SB_HEALTH_OK, "off");
	assert_finding(check(f, "mig=1", sb_check_mig), SB_HEALTH_WARNING, "on");
	assert_finding(check(f, "persistence=1", sb_check_persistence), SB_HEALTH_OK, "on");
	assert_finding(check(f, "persistence=0", sb_check_persistence), SB_HEALTH_WARNING, "off");
	assert_finding(check(f, "compute=0", sb_check_compute_mode), SB_HEALTH_OK, "shared by any number of processes");
	assert_finding(check(f, "compute=3", sb_check_compute_mode), SB_HEALTH_OK, "one process at a time");
	assert_finding(check(f, "compute=2", sb_check_compute_mode), SB_HEALTH_MISSING, "prohibited");
}

static void clocks_that_are_held_down_are_a_warning(void **state)
{
	const struct fixture *f = *state;
	struct sb_finding r;

	assert_finding(check(f, "", sb_check_clocks), SB_HEALTH_OK, "SM at 1980 of 1980 MHz, power limit 700 W, 35 C");
	r = check(f, "limit=500000", sb_check_clocks);
	assert_int_equal(r.health, SB_HEALTH_WARNING);
	assert_has(r.advice, "the limit is usually 700 W");
	r = check(f, "reasons=68", sb_check_clocks);
	assert_int_equal(r.health, SB_HEALTH_WARNING);
	assert_has(r.advice, "held down now: power limit, heat (hardware);");
	assert_int_equal(check(f, "reasons=3", sb_check_clocks).health, SB_HEALTH_OK); /* idle, application clocks */
	assert_finding(check(f, "without=nvmlDeviceGetMaxClockInfo", sb_check_clocks), SB_HEALTH_OK,
	        "clock not told, power limit 700 W, 35 C");
}

static void a_card_without_room_is_a_warning_unless_it_is_small_itself(void **state)
{
	const struct fixture *f = *state;
	struct sb_finding r;

	assert_finding(check(f, "total=80,free=79", sb_check_vram), SB_HEALTH_OK, "79.0 of 80.0 GiB free");
	r = check(f, "total=80,free=20", sb_check_vram);
	assert_finding(r, SB_HEALTH_WARNING, "20.0 of 80.0 GiB free");
	assert_has(r.advice, "as many as fit");
	assert_finding(check(f, "total=24,free=23.5", sb_check_vram), SB_HEALTH_OK,
	        "23.5 of 24.0 GiB free; a run takes as many of its 24 frames as fit (all: 56 GiB)");
	assert_int_equal(check(f, "total=55.8,free=1", sb_check_vram).health, SB_HEALTH_OK);
	assert_int_equal(check(f, "total=56,free=55.8", sb_check_vram).health, SB_HEALTH_WARNING);
	assert_int_equal(check(f, "total=56,free=56", sb_check_vram).health, SB_HEALTH_OK);
}

static void others_on_the_gpu_are_named(void **state)
{
	const struct fixture *f = *state;
	char path[512];
	struct sb_finding r;

	assert_finding(check(f, "", sb_check_others), SB_HEALTH_OK, "no other program on the GPU");
	snprintf(path, sizeof(path), "%s/proc", f->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/proc/1001", f->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/proc/1001/comm", f->dir);
	fixture_write_file(path, "python3\n", 8);
	r = check(f, "processes=2", sb_check_others);
	assert_finding(r, SB_HEALTH_WARNING, "2 other programs on the GPU: 1000 (1.0 GiB), 1001 python3 (2.0 GiB)");
	assert_finding(check(f, "processes=1,untold=1", sb_check_others), SB_HEALTH_WARNING,
	        "1 other program on the GPU: 1000");
	assert_finding(check(f, "processes=40", sb_check_others), SB_HEALTH_WARNING, "40 other programs on the GPU");
}

/* ---- what the CUDA backend says ---------------------------------------------------------------------------------- */

static struct sb_doctor_gpu opened(void)
{
	return (struct sb_doctor_gpu){ .library = true,
		.visible = true,
		.looked = true,
		.opened = true,
		.look = { .info = { .name = "NVIDIA Fake", .kind = "cuda", .capability = 86 },
		        .about = { .built = "CUDA 13.0",
		                .tracer = { 130001, "/lib/libcupti.so.13", "" },
		                .dnn = { 91002, "/lib/libcudnn.so.9", "" } } } };
}

static void the_gpu_row_says_what_a_run_would_take(void **state)
{
	const struct fixture *f = *state;
	struct sb_doctor_gpu g = opened(), none = { .visible = false };

	assert_finding(check_gpu(f, &g, sb_check_gpu), SB_HEALTH_OK, "NVIDIA Fake, compute capability 8.6");
	assert_finding(check_gpu(f, &g, sb_check_device), SB_HEALTH_OK, "cuda:0; nothing is emulated");
	g.has_card = true;
	g.card.count = 8;
	assert_finding(
	        check_gpu(f, &g, sb_check_gpu), SB_HEALTH_OK, "NVIDIA Fake, compute capability 8.6, cuda:0 of 8");
	g.opened = false;
	sb_fail(&g.why_closed, SB_E_ENV, "device 'cuda:0': no room");
	assert_finding(check_gpu(f, &g, sb_check_gpu), SB_HEALTH_MISSING, "device 'cuda:0': no room");
	g.looked = false;
	assert_finding(check_gpu(f, &g, sb_check_gpu), SB_HEALTH_MISSING,
	        "this build has a CUDA backend, this machine no NVIDIA device");
	assert_finding(check_gpu(f, &none, sb_check_gpu), SB_HEALTH_MISSING, "no CUDA backend in this build");
	none.visible = true;
	assert_finding(check_gpu(f, &none, sb_check_gpu), SB_HEALTH_MISSING,
	        "no CUDA backend in this build; an NVIDIA device is visible");
}

static void cupti_is_named_with_its_version_and_what_is_wrong_with_it(void **state)
{
	const struct fixture *f = *state;
	struct sb_doctor_gpu g = opened();
	struct sb_finding r;

	assert_finding(check_gpu(f, &g, sb_check_cuda), SB_HEALTH_OK, "built with CUDA 13.0");
	assert_int_equal(setenv("NVIDIA_TF32_OVERRIDE", "0", 1), 0);
	r = check_gpu(f, &g, sb_check_cuda);
	assert_int_equal(unsetenv("NVIDIA_TF32_OVERRIDE"), 0);
	assert_finding(r, SB_HEALTH_WARNING, "built with CUDA 13.0");
	assert_has(r.advice, "NVIDIA_TF32_OVERRIDE=0 is set and not used here");
	assert_finding(check_gpu(f, &g, sb_check_cupti), SB_HEALTH_OK, "13.0.1, /lib/libcupti.so.13");
	g.look.about.tracer.version = 130000;
	snprintf(g.look.about.tracer.fault, sizeof(g.look.about.tracer.fault), "crashes; install 13.0.1");
	r = check_gpu(f, &g, sb_check_cupti);
	assert_finding(r, SB_HEALTH_WARNING, "13.0.0, /lib/libcupti.so.13");
	assert_string_equal(r.advice, "this version crashes; install 13.0.1");
	g.look.about.tracer.version = 1;
	assert_int_equal(check_gpu(f, &g, sb_check_cupti).health, SB_HEALTH_MISSING);
	g.look.about.tracer.version = 0;
	r = check_gpu(f, &g, sb_check_cupti);
	assert_int_equal(r.health, SB_HEALTH_MISSING);
	assert_has(r.advice, "SPABENCH_CUPTI");
}

static void cudnn_may_be_missing(void **state)
{
	const struct fixture *f = *state;
	struct sb_doctor_gpu g = opened();

	assert_finding(check_gpu(f, &g, sb_check_cudnn), SB_HEALTH_OK, "9.10.2, /lib/libcudnn.so.9");
	g.look.about.dnn.version = 0;
	assert_int_equal(check_gpu(f, &g, sb_check_cudnn).health, SB_HEALTH_OK);
}

static void who_may_read_counters_is_read_from_the_driver(void **state)
{
	const struct fixture *f = *state;
	struct sb_doctor_gpu g = opened();
	char path[FIXTURE_PATH_MAX];

	assert_finding(check_gpu(f, &g, sb_check_counters), SB_HEALTH_OK, "the driver does not say who may read them");
	snprintf(path, sizeof(path), "%s/proc", f->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/proc/driver", f->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/proc/driver/nvidia", f->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/proc/driver/nvidia/params", f->dir);
	fixture_write_file(path, "Mode: 1\nRmProfilingAdminOnly: 0\n", 32);
	assert_finding(check_gpu(f, &g, sb_check_counters), SB_HEALTH_OK, "open to every user");
	fixture_write_file(path, "Mode: 1\nRmProfilingAdminOnly: 1\n", 32);
	assert_has(check_gpu(f, &g, sb_check_counters).found, "open to administrators only");
	assert_int_equal(check_gpu(f, &g, sb_check_counters).health, geteuid() ? SB_HEALTH_WARNING : SB_HEALTH_OK);
}

static void without_a_gpu_there_are_no_rows_about_it(void **state)
{
	static void (*const checks[])(const struct sb_doctor *, struct sb_finding *) = { sb_check_driver, sb_check_cuda,
		sb_check_cudnn, sb_check_cupti, sb_check_counters, sb_check_ecc, sb_check_mig, sb_check_persistence,
		sb_check_compute_mode, sb_check_clocks, sb_check_vram, sb_check_others };
	const struct fixture *f = *state;
	const struct sb_doctor_gpu none = { .visible = false };
	const struct sb_doctor d = { f->db, f->dir, 0.02, &none };

	for (size_t i = 0; i < SB_ARRAY_LEN(checks); i++) {
		struct sb_finding r = { .found = "" };

		checks[i](&d, &r);
		assert_string_equal(r.found, "");
		assert_int_equal(r.health, SB_HEALTH_OK);
	}
}

static void a_driver_whose_nvml_does_not_work_is_a_warning(void **state)
{
	const struct fixture *f = *state;
	struct sb_doctor_gpu g = { .visible = true };
	struct sb_finding r;

	sb_fail(&g.why_no_card, SB_E_ENV, "NVML does not start: error 18");
	r = check_gpu(f, &g, sb_check_driver);
	assert_finding(r, SB_HEALTH_WARNING, "NVML does not start: error 18");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(nvml_tells_of_the_card),
		T(what_nvml_does_not_tell_is_absent_and_not_zero),
		T(the_card_is_found_by_its_uuid_and_a_slice_by_its_own),
		T(nvml_that_is_missing_or_fails_is_an_error_with_its_reason),
		T(settings_that_cost_are_warnings),
		T(clocks_that_are_held_down_are_a_warning),
		T(a_card_without_room_is_a_warning_unless_it_is_small_itself),
		T(others_on_the_gpu_are_named),
		T(the_gpu_row_says_what_a_run_would_take),
		T(cupti_is_named_with_its_version_and_what_is_wrong_with_it),
		T(cudnn_may_be_missing),
		T(who_may_read_counters_is_read_from_the_driver),
		T(without_a_gpu_there_are_no_rows_about_it),
		T(a_driver_whose_nvml_does_not_work_is_a_warning),
	};
	return cmocka_run_group_tests_name("doctor of GPUs", tests, NULL, NULL);
}
