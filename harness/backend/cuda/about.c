/* What this library was built with and what it finds when it needs it: for doctor. No device is touched. */
#define _GNU_SOURCE /* dladdr() */
#include "cuda_internal.h"
#include "sb_cupti.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a library that is open came from. */
static void path_of(void *symbol, char *out, size_t n)
{
	Dl_info info;

	snprintf(out, n, "%s", dladdr(symbol, &info) && info.dli_fname ? info.dli_fname : "");
}

/* The first of `names` that opens, or the one that the environment names. NULL: why not is in out. */
static void *open_any(const char *variable, const char *const *names, char *out, size_t n)
{
	const char *asked = getenv(variable);
	void *library = NULL;

	if (asked && *asked) {
		library = strcmp(asked, "none") ? dlopen(asked, RTLD_NOW | RTLD_LOCAL) : NULL;
		if (!library)
			snprintf(out, n, "%s=%.160s", variable, asked);
		return library;
	}
	for (; *names && !library; names++)
		library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		snprintf(out, n, "%s", dlerror());
	return library;
}

static void find_tracer(struct sb_backend_about *a)
{
	static const char *const names[] = { "libcupti.so.13", "libcupti.so.12", "libcupti.so", NULL };
	void *library = open_any("SPABENCH_CUPTI", names, a->tracer.text, sizeof(a->tracer.text));
	int (*version)(uint32_t *) = NULL;
	uint32_t v = 0;

	if (!library)
		return;
	*(void **)(void *)&version = dlsym(library, "cuptiGetVersion");
	if (version && version(&v) == 0) {
		/* Up to 12.x it is the number of the interface; 1 stands for "something older". */
		a->tracer.version = v >= 100000 ? (int)v : 1;
		path_of(*(void **)(void *)&version, a->tracer.text, sizeof(a->tracer.text));
		snprintf(a->tracer.fault, sizeof(a->tracer.fault), "%s",
		        sb_cupti_known_fault(v) ? sb_cupti_known_fault(v) : "");
	} else {
		snprintf(a->tracer.text, sizeof(a->tracer.text), "it does not say its version");
	}
	dlclose(library);
}

/* cuDNN counts 10000 * major + 100 * minor + patch from version 9 on. */
static void find_dnn(struct sb_backend_about *a)
{
	static const char *const names[] = { "libcudnn.so.9", NULL };
	void *library = open_any("SPABENCH_CUDNN", names, a->dnn.text, sizeof(a->dnn.text));
	size_t (*version)(void) = NULL;

	if (!library)
		return;
	*(void **)(void *)&version = dlsym(library, "cudnnGetVersion");
	if (version) {
		a->dnn.version = (int)version();
		path_of(*(void **)(void *)&version, a->dnn.text, sizeof(a->dnn.text));
	} else {
		snprintf(a->dnn.text, sizeof(a->dnn.text), "it does not say its version");
	}
	dlclose(library);
}

void sb_cuda_about(struct sb_backend_about *out)
{
	size_t blas = cublasLtGetVersion();
	int runtime = 0;

	cudaRuntimeGetVersion(&runtime);
	snprintf(out->built, sizeof(out->built), "CUDA %d.%d, cuBLAS %zu.%zu.%zu, code for %s", runtime / 1000,
	        runtime % 1000 / 10, blas / 10000, blas / 100 % 100, blas % 100, SB_CUDA_ARCHS_TEXT);
	find_tracer(out);
	find_dnn(out);
}
