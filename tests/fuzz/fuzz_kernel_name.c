/* The mangled name of a kernel, as a library has it. */
#include "fuzz.h"
#include "kernel_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = malloc(size + 1), out[64];

	FUZZ_HOLDS(name != NULL);
	memcpy(name, data, size);
	name[size] = '\0';
	memset(out, 'x', sizeof(out));
	sb_kernel_name(name, out, sizeof(out));
	FUZZ_HOLDS(memchr(out, '\0', sizeof(out)) != NULL);
	FUZZ_HOLDS(!*name || *out);
	free(name);
	return 0;
}
