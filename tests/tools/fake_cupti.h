/* What a test says to fake_cupti.c, besides its environment. The functions are looked up in the library by name. */
#ifndef FAKE_CUPTI_H
#define FAKE_CUPTI_H

#include <stddef.h>
#include <stdint.h>

/*
 * What is switched on at the moment; settings: how often one was made; dirty: buffers that were to be zeroed and were
 * not.
 */
struct fake_cupti_counts {
	int subscribers, callbacks, kinds, driver_calls, settings, external, dirty;
};

void fake_cupti_request(uint32_t correlation); /* a launch, copy or set is asked for */
/* Records, delivered at the next flush. */
void fake_cupti_kernel(uint32_t correlation, const char *name, uint64_t start, uint64_t end);
void fake_cupti_copy(uint32_t correlation, int to_device, uint64_t bytes, uint64_t start, uint64_t end);
void fake_cupti_set(uint32_t correlation, uint64_t bytes, uint64_t start, uint64_t end);
void fake_cupti_overhead(int kind, uint64_t ns); /* kind: CUpti_ActivityOverheadKind */
void fake_cupti_memory_call(uint64_t ns);        /* and a record of the memory */
/* A record of a call of the API, and of the external id that holds now, where there is one. */
void fake_cupti_call(int driver, uint32_t correlation, uint64_t start, uint64_t end);
void fake_cupti_drop(size_t n); /* records that CUPTI lost */
void fake_cupti_state(struct fake_cupti_counts *out);

#endif
