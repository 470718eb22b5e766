/* Machines that the CUDA backend refuses: each line names what is missing, what was found, and the way out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "requirements.h"

static const struct sb_cuda_found good = { .driver = 13000, .runtime = 12080, .devices = 1 };

static void assert_refused(const struct sb_cuda_found *f, const char *part)
{
	struct sb_error err;

	assert_int_equal(sb_cuda_check_machine(f, &err), SB_E_ENV);
	if (!strstr(err.msg, part))
		fail_msg("no '%s' in '%s'", part, err.msg);
}

static void a_machine_with_driver_and_device_will_do(void **state)
{
	struct sb_cuda_found f = good;
	struct sb_error err;

	(void)state;
	assert_int_equal(sb_cuda_check_machine(&f, &err), SB_OK);
	f.visible = "0";
	assert_int_equal(sb_cuda_check_machine(&f, &err), SB_OK);
	f.devices = 8;
	f.ordinal = 7;
	assert_int_equal(sb_cuda_check_machine(&f, &err), SB_OK);
}

static void no_driver_and_an_old_one_are_told_apart(void **state)
{
	struct sb_cuda_found f = good;

	(void)state;
	f.driver = 0;
	assert_refused(&f, "no NVIDIA driver on this machine");
	f.driver = 11040;
	f.driver_refuses = true;
	f.devices = 0;
	assert_refused(&f, "the NVIDIA driver is for CUDA 11.4 and this build needs 12.8; update the driver");
}

static void a_driver_in_trouble_is_quoted(void **state)
{
	struct sb_cuda_found f = good;

	(void)state;
	f.devices = 0;
	f.trouble = "system not yet initialized";
	assert_refused(&f, "cannot look for CUDA devices: system not yet initialized");
}

static void why_no_device_shows_is_said(void **state)
{
	struct sb_cuda_found f = good;

	(void)state;
	f.devices = 0;
	assert_refused(&f, "the driver shows no CUDA device");
	f.visible = "";
	assert_refused(&f, "CUDA_VISIBLE_DEVICES is empty, which hides every GPU; unset it");
	f.visible = "7";
	assert_refused(&f, "CUDA_VISIBLE_DEVICES='7' names no usable GPU");
	f.visible = "MIG-0000";
	assert_refused(&f, "'MIG-0000' is no MIG instance of this machine");
}

static void a_device_that_is_not_there_is_told_from_those_that_are(void **state)
{
	struct sb_cuda_found f = good;

	(void)state;
	f.ordinal = 9;
	assert_refused(&f, "it does not exist; there is 1, from cuda:0");
	f.devices = 2;
	f.visible = "3,4";
	assert_refused(&f, "there are 2, from cuda:0 (CUDA_VISIBLE_DEVICES='3,4')");
}

static void before_ampere_is_refused(void **state)
{
	struct sb_error err;

	(void)state;
	assert_int_equal(sb_cuda_check_capability("NVIDIA A100", 8, 0, 12080, &err), SB_OK);
	assert_int_equal(sb_cuda_check_capability("NVIDIA B200", 10, 0, 12080, &err), SB_OK);
	assert_int_equal(sb_cuda_check_capability("Tesla T4", 7, 5, 12080, &err), SB_E_ENV);
	assert_string_equal(err.msg,
	        "Tesla T4 has compute capability 7.5; needed are 8.0 (Ampere or newer) and a driver for "
	        "CUDA 12.8; use another GPU or --device cpu");
}

static void a_full_device_is_this_machines_limit(void **state)
{
	struct sb_error err;

	(void)state;
	sb_fail(&err, SB_E_NOMEM, "cublasCreate: out of memory");
	assert_int_equal(sb_cuda_no_memory((int64_t)100 << 20, (int64_t)81559 << 20, &err), SB_E_ENV);
	assert_string_equal(err.msg, "no room on the device: 100 of 81559 MiB are free, other programs have the rest "
	                             "('nvidia-smi' names them); cublasCreate: out of memory");
	sb_fail(&err, SB_E_NOMEM, "cudaSetDevice: out of memory");
	assert_int_equal(sb_cuda_no_memory(0, 0, &err), SB_E_ENV);
	assert_int_equal(sb_exit_code(err.code), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_with_driver_and_device_will_do),
		cmocka_unit_test(no_driver_and_an_old_one_are_told_apart),
		cmocka_unit_test(a_driver_in_trouble_is_quoted),
		cmocka_unit_test(why_no_device_shows_is_said),
		cmocka_unit_test(a_device_that_is_not_there_is_told_from_those_that_are),
		cmocka_unit_test(before_ampere_is_refused),
		cmocka_unit_test(a_full_device_is_this_machines_limit),
	};
	return cmocka_run_group_tests_name("cuda requirements", tests, NULL, NULL);
}
