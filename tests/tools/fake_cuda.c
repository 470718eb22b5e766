/*
 * A libspabench_cuda.so without CUDA, for tests: the CPU backend under the name of a GPU, on a machine that is what
 * SB_FAKE_CUDA says, and judged by the same rules as a real one. Words, between commas: devices=N, driver=V (as CUDA
 * counts: 12080), capability=75, refuses (the driver is too old), full (no memory left), crash, hang, other (a library
 * of another build). CUDA_VISIBLE_DEVICES hides devices, SPABENCH_CUPTI names a tracer that is not there.
 */
#include "backend_internal.h"
#include "requirements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((int64_t)1 << 20)

__attribute__((visibility("default"))) const struct sb_backend_ops *sb_backend_cuda_entry(uint64_t abi);

static int number(const char *key, int otherwise)
{
	const char *text = getenv("SB_FAKE_CUDA"), *at = text ? strstr(text, key) : NULL;

	return at ? atoi(at + strlen(key)) : otherwise;
}

static bool is(const char *word)
{
	const char *text = getenv("SB_FAKE_CUDA");

	return text && sb_list_has(text, word);
}

static enum sb_status check(int ordinal, struct sb_error *err)
{
	const char *visible = getenv("CUDA_VISIBLE_DEVICES");
	int capability = number("capability=", 90);
	struct sb_cuda_found f = { .driver = number("driver=", 13000),
		.runtime = 12080,
		.driver_refuses = is("refuses"),
		.visible = visible,
		.devices = visible && strcmp(visible, "0") != 0 ? 0 : number("devices=", 1),
		.ordinal = ordinal };
	enum sb_status status = sb_cuda_check_machine(&f, err);

	if (!status)
		status = sb_cuda_check_capability("NVIDIA Fake", capability / 10, capability % 10, err);
	if (!status && is("full")) {
		sb_fail(err, SB_E_NOMEM, "cublasCreate: out of memory");
		status = sb_cuda_no_memory(100 * MIB, 81559 * MIB, err);
	}
	return status;
}

static const struct sb_backend_ops *table(void);

static enum sb_status fake_open(int ordinal, int64_t limit, struct sb_backend **out, struct sb_error *err)
{
	if (is("crash"))
		abort();
	while (is("hang"))
		pause();
	if (check(ordinal, err))
		return sb_wrap(err, "device 'cuda:%d'", ordinal);
	if (sb_backend_cpu.open(0, limit, out, err))
		return err->code;
	(*out)->ops = table();
	return SB_OK;
}

static void fake_info(const struct sb_backend *be, struct sb_device_info *out)
{
	sb_backend_cpu.info(be, out);
	snprintf(out->name, sizeof(out->name), "NVIDIA Fake");
	snprintf(out->uuid, sizeof(out->uuid), "GPU-12345678-0000-0000-0000-000000000000");
	snprintf(out->software, sizeof(out->software), "driver 0, CUDA 0");
	out->kind = "cuda";
	out->emulated_parts = 0;
	out->capability = number("capability=", 90);
}

static enum sb_status no_tracer(struct sb_backend *be, size_t capacity, struct sb_error *err)
{
	(void)be;
	(void)capacity;
	return sb_fail(err, SB_E_ENV, "CUPTI cannot be loaded: %.100s: no such file", getenv("SPABENCH_CUPTI"));
}

static void fake_about(struct sb_backend_about *out)
{
	*out = (struct sb_backend_about){ .built = "CUDA 12.8, code for 90",
		.tracer = { 130000, "libcupti.so.13", "crashes when it rains; install another" } };
}

static const struct sb_backend_ops *table(void)
{
	static struct sb_backend_ops ops;

	ops = sb_backend_cpu;
	ops.name = "cuda";
	ops.open = fake_open;
	ops.info = fake_info;
	ops.about = fake_about;
	ops.trace_open = getenv("SPABENCH_CUPTI") ? no_tracer : NULL;
	return &ops;
}

const struct sb_backend_ops *sb_backend_cuda_entry(uint64_t abi)
{
	return abi == SB_BACKEND_ABI && !is("other") ? table() : NULL;
}
