/*
 * The CUDA backend stands in a library of its own, so that a program which only reads a database, or runs where there
 * is no GPU, loads no CUDA. It is looked for once and stays open: its devices' operations are in it.
 */
#include "backend_internal.h"
#include "sb_file.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libspabench_cuda.so"
#define ENTRY   "sb_backend_cuda_entry"

typedef const struct sb_backend_ops *entry_fn(uint64_t abi);

/* Beside the running program, where the build puts it, or where an installation has it. */
static bool beside_program(char *out, size_t n)
{
	return sb_beside_program(LIBRARY, out, n) || sb_beside_program("../lib/spabench/" LIBRARY, out, n);
}

bool sb_backend_cuda_file(char *out, size_t n)
{
	const char *asked = getenv("SPABENCH_CUDA_LIB");

	if (!asked || !*asked)
		return beside_program(out, n);
	if (!strcmp(asked, "none"))
		return false;
	snprintf(out, n, "%s", asked);
	return access(out, R_OK) == 0;
}

bool sb_backend_gpu_expected(void)
{
	static const char *const drivers[] = { "/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg" };
	const char *asked = getenv("SPABENCH_CUDA_LIB");
	char path[4096];

	if (!sb_backend_cuda_file(path, sizeof(path)))
		return false;
	if (asked && *asked)
		return true;
	for (size_t i = 0; i < SB_ARRAY_LEN(drivers); i++)
		if (access(drivers[i], F_OK) == 0)
			return true;
	return false;
}

const char *sb_backend_foreign_setting(int i)
{
	static const char *const names[] = { "NVIDIA_TF32_OVERRIDE", "CUBLAS_EMULATE_SINGLE_PRECISION",
		"CUBLAS_EMULATION_STRATEGY" };

	for (size_t k = 0; k < SB_ARRAY_LEN(names); k++)
		if (getenv(names[k]) && i-- == 0)
			return names[k];
	return NULL;
}

static enum sb_status load(const struct sb_backend_ops **out, struct sb_error *err)
{
	const char *asked = getenv("SPABENCH_CUDA_LIB");
	char path[4096];
	bool found = sb_backend_cuda_file(path, sizeof(path));
	void *library, *symbol;
	bool none = asked && !strcmp(asked, "none");
	entry_fn *entry;

	/* The libraries read them when they are loaded, or when a handle is made. */
	for (const char *name; (name = sb_backend_foreign_setting(0)) != NULL;)
		unsetenv(name);
	if (asked && *asked && !found && !none)
		return sb_fail(err, SB_E_ENV, "SPABENCH_CUDA_LIB '%.400s' cannot be read", asked);
	library = none ? NULL : dlopen(found ? path : LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library && !found)
		return sb_fail(err, SB_E_ENV,
		        "this build has no CUDA backend (no " LIBRARY " beside the program); use --device cpu");
	if (!library)
		return sb_fail(err, SB_E_ENV, "the CUDA backend cannot be loaded: %.400s", dlerror());
	symbol = dlsym(library, ENTRY);
	if (!symbol)
		return sb_fail(err, SB_E_ENV, "'%.400s' is no CUDA backend: it has no " ENTRY, found ? path : LIBRARY);
	memcpy(&entry, &symbol, sizeof(entry));
	*out = entry(SB_BACKEND_ABI);
	if (!*out)
		return sb_fail(err, SB_E_ENV, "'%.400s' is of another build than this program; install both together",
		        found ? path : LIBRARY);
	return SB_OK;
}

static const struct sb_backend_ops *loaded; /* NULL: not yet */

static enum sb_status cuda_open(int ordinal, int64_t limit, struct sb_backend **out, struct sb_error *err)
{
	if (!loaded && load(&loaded, err))
		return sb_wrap(err, "device 'cuda:%d'", ordinal);
	return loaded->open(ordinal, limit, out, err);
}

static void cuda_about(struct sb_backend_about *out)
{
	struct sb_error why;

	if ((loaded || !load(&loaded, &why)) && loaded->about)
		loaded->about(out);
}

const struct sb_backend_ops sb_backend_cuda = { .name = "cuda", .open = cuda_open, .about = cuda_about };
