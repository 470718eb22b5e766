/*
 * A profiler that takes CUPTI before anybody else: loaded by the driver into every process that CUDA_INJECTION64_PATH
 * names it to. It does nothing but be there. For the tests of what spabench does then.
 */
#include <cupti.h>
#include <dlfcn.h>
#include <stdio.h>

__attribute__((visibility("default"))) int InitializeInjection(void);

static void CUPTIAPI nothing(void *user, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void *data)
{
	(void)user;
	(void)domain;
	(void)id;
	(void)data;
}

int InitializeInjection(void)
{
	static CUpti_SubscriberHandle subscriber;
	CUpti_SubscriberParams p = { .structSize = CUpti_SubscriberParams_STRUCT_SIZE,
		.subscriberName = "another_profiler" };
	void *library = dlopen("libcupti.so.13", RTLD_NOW);
	__typeof__(cuptiSubscribe_v2) *subscribe = NULL;

	if (library)
		*(void **)(void *)&subscribe = dlsym(library, "cuptiSubscribe_v2");
	fprintf(stderr, "another_profiler: %s\n",
	        !subscribe                                                   ? "no CUPTI"
	        : subscribe(&subscriber, nothing, NULL, &p) == CUPTI_SUCCESS ? "subscribed"
	                                                                     : "refused");
	return 1;
}
