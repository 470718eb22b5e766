/*
 * The CUDA backend through the device interface: opening, both allocators over both kinds of pages, transfers, marks,
 * faults, matrix products and convolutions against double references. Plain main: the machine needs a GPU and nothing
 * else. --quick: small shapes alone, and no fault that a checker of memory would report. --conv: convolutions alone.
 * --time: how long they take.
 */
#include "backend_check.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void check_names(void)
{
	struct sb_error err = { .msg = "" };
	struct sb_backend *be = NULL;

	check_that("a device that is not there is SB_E_ENV", sb_backend_open("cuda:99", 0, &be, &err) == SB_E_ENV,
	        "another status");
	check_that(
	        "and says which there are", strstr(err.msg, "cuda:99") && strstr(err.msg, "does not exist"), err.msg);
	check_that("cuda:x is a usage error", sb_backend_open("cuda:x", 0, &be, &err) == SB_E_USAGE, err.msg);
}

/* In a process of its own: after such a fault the process has lost its device. */
static int fault_in_child(void)
{
	struct sb_backend *be = open_device(0);
	float host[64], *device;
	struct sb_error err = { .msg = "" };
	/* An address of the host: no kernel can write there. */
	struct sb_fill_args a = { .x = (float *)(uintptr_t)0x10, .n = 1 << 20, .value = 1.0f };
	enum sb_status status;

	memset(host, 0, sizeof(host));
	set_levels(be, "attention=standard");
	device = to_device(be, host, 64);
	(void)device;
	status = SB_SUBMIT(be, FILL, fill, a, &err);
	if (!status)
		status = be->ops->sync(be, &err);
	printf("       fault: %s\n", err.msg);
	fflush(stdout);
	return status == SB_E_DEVICE && be->lost && strstr(err.msg, "lost the device") ? 0 : 1;
}

static void check_fault(void)
{
	pid_t pid;
	int status = 0;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(fault_in_child());
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return;
	check_that("a fault on the device is reported at the next sync", WIFEXITED(status) && WEXITSTATUS(status) == 0,
	        "it was not");
}

static void check_injection(void)
{
	struct sb_backend *be = open_device(0);
	struct sb_error err = { .msg = "" };
	float x = 0.0f, *device;

	set_levels(be, "attention=standard");
	device = to_device(be, &x, 1);
	be->fault = SB_FAULT_FAIL;
	be->fault_at = 1;
	check_that("an injected fault is SB_E_DEVICE",
	        SB_SUBMIT(be, SCALE, scale,
	                ((struct sb_scale_args){ .x = device, .y = device, .n = 1, .factor = 2.0f }),
	                &err) == SB_E_DEVICE,
	        err.msg);
	be->fault = SB_FAULT_NONE;
	drop(be, device);
	end_levels(be);
	sb_backend_close(be);
}

static void check_marks(void)
{
	struct sb_backend *be = open_device(0);
	int64_t n = 64 << 20, start, wall, sum = 0;
	struct sb_error err = { .msg = "" };
	void *x;

	set_levels(be, "attention=standard");
	must(sb_device_alloc(be, (size_t)n * 4, &x, &err), &err, "device memory");
	for (int warm = 0; warm < 2; warm++) {
		must(sb_backend_begin_pass(be, 0, &err), &err, "begin of a pass");
		start = sb_now_ns();
		for (int i = 0; i < 10; i++) {
			sb_backend_stage(be, i % 2 ? "one" : "two");
			for (int k = 0; k < 4; k++)
				must(SB_SUBMIT(be, FILL, fill, ((struct sb_fill_args){ .x = x, .n = n }), &err), &err,
				        "fill");
		}
		must(sb_backend_end_pass(be, &err), &err, "end of a pass");
		wall = sb_now_ns() - start;
	}
	for (int i = 0; i < be->n_stages; i++)
		sum += be->stages[i].ns;
	printf("       40 fills of 256 MiB: %.3f ms by marks, %.3f ms by the host's clock\n", (double)sum * 1e-6,
	        (double)wall * 1e-6);
	check_that("there are two stages", be->n_stages == 2, "another number");
	check("the host's clock minus the stages, as a part", (double)(wall - sum) / (double)wall, 0.1);
	check("the stages minus the host's clock", (double)(sum - wall) / (double)wall, 0.0);
	drop(be, x);
	end_levels(be);
	sb_backend_close(be);
}

static bool given(int argc, char **argv, const char *option)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], option))
			return true;
	return false;
}

static void time_all(bool conv)
{
	if (!conv) {
		time_transfers();
		time_products();
	}
	time_convolutions();
}

static void check_all(bool quick, bool conv)
{
	if (!conv) {
		check_names();
		check_injection();
		check_memory(quick);
		check_transfers(quick);
		check_products(quick);
	}
	check_convolutions(quick);
	if (!quick && !conv)
		check_marks();
}

int main(int argc, char **argv)
{
	bool quick = given(argc, argv, "--quick"), timing = given(argc, argv, "--time");
	bool conv = given(argc, argv, "--conv");
	struct sb_device_info info;
	struct sb_backend *be;

	if (!quick && !timing && !conv)
		check_fault(); /* before this process has a device: it forks */
	be = open_device(0);
	sb_backend_info(be, &info);
	printf("device %s, %s, %.1f GiB; %s\n", info.name, info.uuid, (double)info.memory_bytes / (1 << 30),
	        info.software);
	sb_backend_close(be);
	if (timing) {
		time_all(conv);
		return 0;
	}
	check_all(quick, conv);
	printf("%d failures\n", check_failures());
	return check_failures() ? 1 : 0;
}
