/*
 * A CUPTI that does what it is told to, for tests: SPABENCH_CUPTI names it. SB_FAKE_CUPTI says "key=value,key=value":
 * version=N, taken=NAME (by another subscriber; "taken=" without a name), fail=FUNCTION (that one gives an error),
 * fail_taken=FUNCTION (that one says that another subscriber is in the way). What is to happen on the device is said
 * by the functions fake_*, which tests look up; records are delivered at the next flush.
 */
#include <cupti.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_cupti.h"

#define EXPORT __attribute__((visibility("default")))

static CUpti_CallbackFunc callback;
static void *callback_user;
static CUpti_BuffersCallbackRequestFunc give;
static CUpti_BuffersCallbackCompleteFunc take;
static struct fake_cupti_counts counts;
static size_t dropped;
static int zeroed;           /* buffers come so */
static uint64_t external[8]; /* a stack of ids */
static int n_external;
static unsigned char *records; /* queued, one behind the other */
static size_t n_records, cap_records;

/* The value of a key into out[n]; 0 when it is not told. */
static int text_of(const char *key, char *out, size_t n)
{
	const char *p = getenv("SB_FAKE_CUPTI");
	size_t length = strlen(key);

	while (p && *p) {
		size_t item = strcspn(p, ",");

		if (item > length && !strncmp(p, key, length) && p[length] == '=') {
			snprintf(out, n, "%.*s", (int)(item - length - 1), p + length + 1);
			return 1;
		}
		p += item + (p[item] == ',');
	}
	return 0;
}

static CUptiResult result_of(const char *function)
{
	char text[64];

	if (text_of("fail", text, sizeof(text)) && !strcmp(text, function))
		return CUPTI_ERROR_UNKNOWN;
	if (text_of("fail_taken", text, sizeof(text)) && !strcmp(text, function))
		return CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
	return CUPTI_SUCCESS;
}

/* ---- CUPTI ------------------------------------------------------------------------------------------------------- */

EXPORT CUptiResult cuptiGetVersion(uint32_t *version)
{
	char text[32];

	*version = text_of("version", text, sizeof(text)) ? (uint32_t)strtoul(text, NULL, 10) : 130001;
	return result_of(__func__);
}

EXPORT CUptiResult cuptiGetResultString(CUptiResult result, const char **text)
{
	(void)result;
	*text = "CUPTI_ERROR_OF_THE_FAKE";
	return CUPTI_SUCCESS;
}

EXPORT CUptiResult cuptiSubscribe_v2(
        CUpti_SubscriberHandle *subscriber, CUpti_CallbackFunc fn, void *user, CUpti_SubscriberParams *p)
{
	char other[64];

	if (text_of("taken", other, sizeof(other))) {
		snprintf(p->oldSubscriberName, p->oldSubscriberSize, "%s", other);
		return CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
	}
	callback = fn;
	callback_user = user;
	counts.subscribers++;
	memcpy(subscriber, &callback_user, sizeof(*subscriber));
	return result_of(__func__);
}

EXPORT CUptiResult cuptiUnsubscribe(CUpti_SubscriberHandle subscriber)
{
	(void)subscriber;
	callback = NULL;
	counts.subscribers--;
	return CUPTI_SUCCESS;
}

EXPORT CUptiResult cuptiEnableCallback(
        uint32_t enable, CUpti_SubscriberHandle subscriber, CUpti_CallbackDomain domain, CUpti_CallbackId id)
{
	(void)subscriber;
	(void)domain;
	(void)id;
	counts.callbacks += enable ? 1 : -1;
	return result_of(__func__);
}

EXPORT CUptiResult cuptiActivitySetAttribute(CUpti_ActivityAttribute attribute, size_t *size, void *value)
{
	(void)size;
	if (attribute == CUPTI_ACTIVITY_ATTR_ZEROED_OUT_ACTIVITY_BUFFER)
		zeroed = *(uint8_t *)value;
	counts.settings++;
	return result_of(__func__);
}

EXPORT CUptiResult cuptiActivityRegisterTimestampCallback(CUpti_TimestampCallbackFunc fn)
{
	(void)fn;
	counts.settings++;
	return result_of(__func__);
}

EXPORT CUptiResult cuptiActivityRegisterCallbacks(
        CUpti_BuffersCallbackRequestFunc requested, CUpti_BuffersCallbackCompleteFunc completed)
{
	give = requested;
	take = completed;
	counts.settings++;
	return result_of(__func__);
}

EXPORT CUptiResult cuptiActivityEnable(CUpti_ActivityKind kind)
{
	(void)kind;
	counts.kinds++;
	return result_of(__func__);
}

EXPORT CUptiResult cuptiActivityDisable(CUpti_ActivityKind kind)
{
	(void)kind;
	counts.kinds--;
	return result_of(__func__);
}

EXPORT CUptiResult cuptiActivityEnableDriverApi(CUpti_CallbackId id, uint8_t enable)
{
	(void)id;
	counts.driver_calls += enable ? 1 : -1;
	return result_of(__func__);
}

static size_t size_of(const CUpti_Activity *record)
{
	switch (record->kind) {
	case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
		return sizeof(CUpti_ActivityKernel10);
	case CUPTI_ACTIVITY_KIND_MEMCPY:
		return sizeof(CUpti_ActivityMemcpy6);
	case CUPTI_ACTIVITY_KIND_MEMSET:
		return sizeof(CUpti_ActivityMemset4);
	case CUPTI_ACTIVITY_KIND_OVERHEAD:
		return sizeof(CUpti_ActivityOverhead3);
	case CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION:
		return sizeof(CUpti_ActivityExternalCorrelation);
	case CUPTI_ACTIVITY_KIND_DRIVER:
	case CUPTI_ACTIVITY_KIND_RUNTIME:
		return sizeof(CUpti_ActivityAPI);
	default:
		return sizeof(CUpti_ActivityMemory4);
	}
}

/* One buffer full of records, from *at on. */
static void deliver(size_t *at)
{
	uint8_t *memory = NULL;
	size_t size = 0, max = 0, valid = 0;

	give(&memory, &size, &max);
	if (memory && zeroed && (memory[0] || memcmp(memory, memory + 1, size - 1) != 0))
		counts.dirty++;
	while (*at < n_records) {
		size_t n = size_of((const CUpti_Activity *)(void *)&records[*at]);

		if (memory && valid + n > size)
			break;
		if (memory)
			memcpy(memory + valid, &records[*at], n);
		else
			dropped++;
		valid += n;
		*at += n;
	}
	if (memory)
		take(NULL, 0, memory, size, valid);
}

EXPORT CUptiResult cuptiActivityFlushAll(uint32_t flag)
{
	size_t at = 0;

	(void)flag;
	while (give && at < n_records)
		deliver(&at);
	n_records = 0;
	return result_of(__func__);
}

EXPORT CUptiResult cuptiActivityGetNextRecord(uint8_t *buffer, size_t valid, CUpti_Activity **record)
{
	size_t at = *record ? (size_t)((uint8_t *)*record - buffer) + size_of(*record) : 0;

	if (at >= valid)
		return CUPTI_ERROR_MAX_LIMIT_REACHED;
	*record = (CUpti_Activity *)(void *)(buffer + at);
	return CUPTI_SUCCESS;
}

EXPORT CUptiResult cuptiActivityGetNumDroppedRecords(CUcontext context, uint32_t stream, size_t *n)
{
	(void)context;
	(void)stream;
	*n = dropped;
	dropped = 0;
	return result_of(__func__);
}

EXPORT CUptiResult cuptiGetCallbackName(CUpti_CallbackDomain domain, uint32_t id, const char **name)
{
	(void)id;
	*name = domain == CUPTI_CB_DOMAIN_DRIVER_API ? "cuFake" : "cudaFake";
	return result_of(__func__);
}

EXPORT CUptiResult cuptiActivityPushExternalCorrelationId(CUpti_ExternalCorrelationKind kind, uint64_t id)
{
	(void)kind;
	if (n_external == sizeof(external) / sizeof(external[0]))
		return CUPTI_ERROR_UNKNOWN;
	external[n_external++] = id;
	return result_of(__func__);
}

EXPORT CUptiResult cuptiActivityPopExternalCorrelationId(CUpti_ExternalCorrelationKind kind, uint64_t *last)
{
	(void)kind;
	if (n_external == 0)
		return CUPTI_ERROR_QUEUE_EMPTY;
	*last = external[--n_external];
	return result_of(__func__);
}

/* ---- what tests say ---------------------------------------------------------------------------------------------- */

static void queue(const void *record, size_t n)
{
	if (n_records + n > cap_records) {
		cap_records = 2 * cap_records + n;
		records = realloc(records, cap_records);
		if (!records)
			abort();
	}
	memcpy(&records[n_records], record, n);
	n_records += n;
}

EXPORT void fake_cupti_request(uint32_t correlation)
{
	CUpti_CallbackData d = { .callbackSite = CUPTI_API_ENTER, .correlationId = correlation };

	if (!callback || counts.callbacks <= 0)
		return;
	callback(callback_user, CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel, &d);
	d.callbackSite = CUPTI_API_EXIT;
	callback(callback_user, CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel, &d);
}

EXPORT void fake_cupti_kernel(uint32_t correlation, const char *name, uint64_t start, uint64_t end)
{
	CUpti_ActivityKernel10 k;

	memset(&k, 0, sizeof(k));
	k.kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL;
	k.correlationId = correlation;
	k.name = name;
	k.start = start;
	k.end = end;
	k.streamId = 7;
	k.gridX = 132;
	k.gridY = 2;
	k.gridZ = 1;
	k.blockX = 128;
	k.blockY = k.blockZ = 1;
	k.staticSharedMemory = 1024;
	k.dynamicSharedMemory = 2048;
	k.registersPerThread = 96;
	queue(&k, sizeof(k));
}

EXPORT void fake_cupti_copy(uint32_t correlation, int to_device, uint64_t bytes, uint64_t start, uint64_t end)
{
	CUpti_ActivityMemcpy6 m;

	memset(&m, 0, sizeof(m));
	m.kind = CUPTI_ACTIVITY_KIND_MEMCPY;
	m.copyKind = to_device ? CUPTI_ACTIVITY_MEMCPY_KIND_HTOD : CUPTI_ACTIVITY_MEMCPY_KIND_DTOH;
	m.correlationId = correlation;
	m.bytes = bytes;
	m.start = start;
	m.end = end;
	m.streamId = 9;
	queue(&m, sizeof(m));
}

EXPORT void fake_cupti_set(uint32_t correlation, uint64_t bytes, uint64_t start, uint64_t end)
{
	CUpti_ActivityMemset4 m;

	memset(&m, 0, sizeof(m));
	m.kind = CUPTI_ACTIVITY_KIND_MEMSET;
	m.correlationId = correlation;
	m.bytes = bytes;
	m.start = start;
	m.end = end;
	queue(&m, sizeof(m));
}

EXPORT void fake_cupti_overhead(int kind, uint64_t ns)
{
	CUpti_ActivityOverhead3 o;

	memset(&o, 0, sizeof(o));
	o.kind = CUPTI_ACTIVITY_KIND_OVERHEAD;
	o.overheadKind = (CUpti_ActivityOverheadKind)kind;
	o.start = 1000;
	o.end = 1000 + ns;
	o.overheadData = malloc(16); /* the client frees it */
	queue(&o, sizeof(o));
}

EXPORT void fake_cupti_memory_call(uint64_t ns)
{
	CUpti_ActivityAPI a;
	CUpti_ActivityMemory4 m;

	memset(&a, 0, sizeof(a));
	a.kind = CUPTI_ACTIVITY_KIND_DRIVER;
	a.cbid = CUPTI_DRIVER_TRACE_CBID_cuMemCreate;
	a.start = 5000;
	a.end = 5000 + ns;
	queue(&a, sizeof(a));
	memset(&m, 0, sizeof(m));
	m.kind = CUPTI_ACTIVITY_KIND_MEMORY2;
	queue(&m, sizeof(m));
}

EXPORT void fake_cupti_call(int driver, uint32_t correlation, uint64_t start, uint64_t end)
{
	CUpti_ActivityExternalCorrelation e;
	CUpti_ActivityAPI a;

	memset(&e, 0, sizeof(e));
	e.kind = CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION;
	e.externalKind = CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0;
	e.externalId = n_external ? external[n_external - 1] : 0;
	e.correlationId = correlation;
	if (n_external)
		queue(&e, sizeof(e));
	memset(&a, 0, sizeof(a));
	a.kind = driver ? CUPTI_ACTIVITY_KIND_DRIVER : CUPTI_ACTIVITY_KIND_RUNTIME;
	a.cbid = driver ? (uint32_t)CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel : 1;
	a.correlationId = correlation;
	a.start = start;
	a.end = end;
	queue(&a, sizeof(a));
}

EXPORT void fake_cupti_drop(size_t n)
{
	dropped += n;
}

EXPORT void fake_cupti_state(struct fake_cupti_counts *out)
{
	counts.external = n_external;
	*out = counts;
}
