#include "cudnn_load.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libcudnn.so.9"
#define MAJOR   9

/* What dlerror() says begins with the file's name, which stands in front of it already. */
static const char *reason(const char *file)
{
	const char *text = dlerror();
	size_t n = strlen(file);

	if (!text)
		return "no reason given";
	return !strncmp(text, file, n) && !strncmp(text + n, ": ", 2) ? text + n + 2 : text;
}

/* The first name that the library lacks; NULL: it has all. */
static const char *look_up(struct cudnn_api *api)
{
	void *symbol;

#define SB_CUDNN_LOOK_UP(name, result, args)         \
	symbol = dlsym(api->library, "cudnn" #name); \
	if (!symbol)                                 \
		return "cudnn" #name;                \
	memcpy(&api->name, &symbol, sizeof(symbol));
	SB_CUDNN_CALLS(SB_CUDNN_LOOK_UP)
#undef SB_CUDNN_LOOK_UP
	return NULL;
}

bool sb_cudnn_load(struct cudnn_api *out, char *why, size_t n)
{
	const char *asked = getenv("SPABENCH_CUDNN"), *file = asked && *asked ? asked : LIBRARY, *missing;
	struct cudnn_api api = { .library = NULL };
	size_t version;

	if (!strcmp(file, "none")) {
		snprintf(why, n, "SPABENCH_CUDNN=none");
		return false;
	}
	api.library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!api.library) {
		snprintf(why, n, "%.160s: %.160s", file, reason(file));
		return false;
	}
	missing = look_up(&api);
	version = missing ? 0 : api.GetVersion();
	if (missing)
		snprintf(why, n, "%.160s: it has no %s", file, missing);
	else if (version / 10000 != MAJOR)
		snprintf(why, n, "%.160s: it counts its version as %zu; cuDNN %d is needed", file, version, MAJOR);
	if (missing || version / 10000 != MAJOR) {
		sb_cudnn_unload(&api);
		return false;
	}
	api.major = (int)(version / 10000);
	api.minor = (int)(version / 100 % 100);
	api.patch = (int)(version % 100);
	*out = api;
	return true;
}

void sb_cudnn_unload(struct cudnn_api *api)
{
	if (api->library)
		dlclose(api->library);
	api->library = NULL;
}
