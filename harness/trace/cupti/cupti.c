#include "kernel_name.h"
#include "sb_cupti.h"

#include <cupti.h>
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES  ((size_t)8 << 20)
#define NAMES_MAX     4096
#define BUFFERS_MADE  4 /* before the first pass */
#define BUFFERS_SPARE 2 /* beyond what the largest pass so far took, before each further one */
#define BUFFERS_MAX   64
#define CALLS         4 /* of the API, for each request there is room for */
#define EXTERNAL      CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0

/* Functions of libcupti, found by name: X(member, function). */
#define FUNCTIONS(X)                                                  \
	X(version, cuptiGetVersion)                                   \
	X(result_string, cuptiGetResultString)                        \
	X(set_attribute, cuptiActivitySetAttribute)                   \
	X(register_timestamp, cuptiActivityRegisterTimestampCallback) \
	X(register_buffers, cuptiActivityRegisterCallbacks)           \
	X(enable, cuptiActivityEnable)                                \
	X(disable, cuptiActivityDisable)                              \
	X(flush, cuptiActivityFlushAll)                               \
	X(next_record, cuptiActivityGetNextRecord)                    \
	X(dropped, cuptiActivityGetNumDroppedRecords)                 \
	X(subscribe, cuptiSubscribe_v2)                               \
	X(unsubscribe, cuptiUnsubscribe)                              \
	X(enable_callback, cuptiEnableCallback)                       \
	X(enable_driver_call, cuptiActivityEnableDriverApi)           \
	X(call_name, cuptiGetCallbackName)                            \
	X(push_id, cuptiActivityPushExternalCorrelationId)            \
	X(pop_id, cuptiActivityPopExternalCorrelationId)

struct request {
	uint32_t correlation, op;
};

/* A call and the op it was made for, by external correlation id. */
struct external {
	uint32_t correlation, op;
};

/*
 * FREE -> TAKEN -> OUT when CUPTI asks for one -> FULL when it comes back, from whatever thread -> FREE when decoded.
 * The memory of a TAKEN one belongs to the thread that took it, which may have to make it.
 */
enum buffer_state { FREE, TAKEN, OUT, FULL };

struct buffer {
	uint8_t *memory; /* NULL: not made yet; FREE: zeroed */
	size_t valid;    /* FULL: bytes of records */
	_Atomic int state;
};

/* A kernel's name as CUPTI has it, whose address stays, and as people read it. */
struct kernel_name {
	const char *mangled;
	char *text;
};

struct sb_cupti {
	void *library;
	CUpti_SubscriberHandle subscriber;
	char version_text[32];
	struct buffer buffer[BUFFERS_MAX];
	struct request *request;
	struct sb_activity *activity;
	size_t capacity, n_requests;
	int64_t beyond;        /* requests that found no room */
	size_t most_used;      /* buffers, by a pass */
	_Atomic int made_late; /* buffers, in a callback of this pass */
	/* Where calls are recorded: they stand in `activity` behind the requests, with room for CALLS times as many. */
	struct external *external;
	size_t n_external, n_calls;
	bool calls;
	uint32_t op;
	bool running; /* requests are noted */
	bool bare;    /* kernel records alone; `called` for every request, too, without a word */
	bool called, sees_memory;
#define MEMBER(member, function) __typeof__(function) *member;
	FUNCTIONS(MEMBER)
#undef MEMBER
};

/* CUPTI's buffer callbacks carry no pointer of ours. */
static struct sb_cupti *the_cupti;

/* Of the process: traces go on pointing at the texts, and CUPTI's own names stay where they are. */
static struct kernel_name names[NAMES_MAX];
static size_t n_names;

static enum sb_status failed(const struct sb_cupti *c, CUptiResult r, const char *what, struct sb_error *err)
{
	const char *text = "?";

	/* Whichever call comes first says so; only subscribe() names it. */
	if (r == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED)
		return sb_fail(err, SB_E_ENV,
		        "CUPTI is taken by another profiler or a checker: only one can be attached; run spabench "
		        "without it for traces");
	c->result_string(r, &text);
	return sb_fail(err, SB_E_ENV, "CUPTI: %s: %s (%d)", what, text, (int)r);
}

#define CHECK(c, call, err)                                   \
	do {                                                  \
		CUptiResult r_ = (c)->call;                   \
		if (r_ != CUPTI_SUCCESS)                      \
			return failed((c), r_, #call, (err)); \
	} while (0)

/* ---- callbacks: they take what is ready; a buffer beyond those that are is made there, and counted -------------- */

static uint64_t CUPTIAPI now(void)
{
	return (uint64_t)sb_now_ns();
}

/*
 * CUPTI would zero every buffer that it is given, in the thread that launches: 8 MiB for some 30,000 records. It gets
 * them zeroed (prepare() says so), and their pages are there.
 */
static void make_buffer(struct buffer *b)
{
	b->memory = aligned_alloc(64, BUFFER_BYTES);
	if (b->memory)
		memset(b->memory, 0, BUFFER_BYTES);
}

/* Not in a pass. Without memory: when one is asked for. */
static void make_buffers(struct sb_cupti *c, size_t n)
{
	for (size_t i = 0; i < n && i < BUFFERS_MAX; i++)
		if (atomic_load(&c->buffer[i].state) == FREE && !c->buffer[i].memory)
			make_buffer(&c->buffer[i]);
}

static void free_buffer(struct buffer *b)
{
	memset(b->memory, 0, BUFFER_BYTES);
	atomic_store(&b->state, FREE);
}

static void CUPTIAPI give_buffer(uint8_t **memory, size_t *size, size_t *max_records)
{
	struct sb_cupti *c = the_cupti;

	*memory = NULL; /* without a buffer the records are dropped, and CUPTI counts them */
	*size = 0;
	*max_records = 0;
	for (size_t i = 0; c && i < BUFFERS_MAX; i++) {
		struct buffer *b = &c->buffer[i];
		int is_free = FREE;

		if (!atomic_compare_exchange_strong(&b->state, &is_free, TAKEN))
			continue;
		if (!b->memory) {
			make_buffer(b);
			atomic_fetch_add(&c->made_late, 1);
		}
		atomic_store(&b->state, b->memory ? OUT : FREE);
		if (!b->memory)
			return;
		*memory = b->memory;
		*size = BUFFER_BYTES;
		return;
	}
}

static void CUPTIAPI take_buffer(CUcontext context, uint32_t stream, uint8_t *memory, size_t size, size_t valid)
{
	struct sb_cupti *c = the_cupti;

	(void)context;
	(void)stream;
	(void)size;
	for (size_t i = 0; c && i < BUFFERS_MAX; i++) {
		struct buffer *b = &c->buffer[i];

		if (atomic_load(&b->state) == OUT && b->memory == memory) {
			b->valid = valid;
			atomic_store(&b->state, FULL);
			return;
		}
	}
}

static void CUPTIAPI asked(void *user, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void *data)
{
	struct sb_cupti *c = user;
	const CUpti_CallbackData *d = data;

	(void)domain;
	(void)id;
	if (!c->running || d->callbackSite != CUPTI_API_ENTER)
		return;
	if (c->n_requests == c->capacity) {
		c->beyond++;
		return;
	}
	c->request[c->n_requests++] = (struct request){ d->correlationId, c->op };
}

/* Driver calls that put one kernel, copy or set on a stream. */
static const CUpti_CallbackId requests[] = {
	CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel,
	CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx,
	CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel,
	CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpyAsync,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpyAsync_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpyHtoD_v2,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpyDtoH_v2,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpyHtoD_v2_ptds,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpyDtoH_v2_ptds,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpyHtoDAsync_v2,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpyHtoDAsync_v2_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpyDtoHAsync_v2,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpyDtoHAsync_v2_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpyDtoDAsync_v2,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpyDtoDAsync_v2_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpy2DAsync_v2,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpy2DAsync_v2_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpy3DAsync_v2,
	CUPTI_DRIVER_TRACE_CBID_cuMemcpy3DAsync_v2_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemsetD8Async,
	CUPTI_DRIVER_TRACE_CBID_cuMemsetD8Async_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemsetD16Async,
	CUPTI_DRIVER_TRACE_CBID_cuMemsetD16Async_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemsetD32Async,
	CUPTI_DRIVER_TRACE_CBID_cuMemsetD32Async_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemsetD2D8Async,
	CUPTI_DRIVER_TRACE_CBID_cuMemsetD2D8Async_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemsetD2D32Async,
	CUPTI_DRIVER_TRACE_CBID_cuMemsetD2D32Async_ptsz,
};

/* The first is all that a bare pass has. */
static const CUpti_ActivityKind kinds[] = { CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY,
	CUPTI_ACTIVITY_KIND_MEMSET, CUPTI_ACTIVITY_KIND_OVERHEAD };

/* What records every call, and the op it is made for. */
static const CUpti_ActivityKind call_kinds[] = { CUPTI_ACTIVITY_KIND_DRIVER, CUPTI_ACTIVITY_KIND_RUNTIME,
	CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION };

/* Driver calls that get device memory or give it back: the only ones with records of their own otherwise. */
static const CUpti_CallbackId memory_calls[] = {
	CUPTI_DRIVER_TRACE_CBID_cuMemAlloc_v2,
	CUPTI_DRIVER_TRACE_CBID_cuMemFree_v2,
	CUPTI_DRIVER_TRACE_CBID_cuMemAllocAsync,
	CUPTI_DRIVER_TRACE_CBID_cuMemAllocAsync_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemFreeAsync,
	CUPTI_DRIVER_TRACE_CBID_cuMemFreeAsync_ptsz,
	CUPTI_DRIVER_TRACE_CBID_cuMemAddressReserve,
	CUPTI_DRIVER_TRACE_CBID_cuMemAddressFree,
	CUPTI_DRIVER_TRACE_CBID_cuMemCreate,
	CUPTI_DRIVER_TRACE_CBID_cuMemRelease,
	CUPTI_DRIVER_TRACE_CBID_cuMemMap,
	CUPTI_DRIVER_TRACE_CBID_cuMemUnmap,
	CUPTI_DRIVER_TRACE_CBID_cuMemSetAccess,
};

/* ---- open, close ---------------------------------------------------------------------------------------------- */

static enum sb_status load(struct sb_cupti *c, struct sb_error *err)
{
	static const char *const files[] = { "libcupti.so.13", "libcupti.so.12", "libcupti.so" };
	const char *named = getenv("SPABENCH_CUPTI");

	if (named)
		c->library = dlopen(named, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; i < SB_ARRAY_LEN(files) && !c->library && !named; i++)
		c->library = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
	if (!c->library)
		return sb_fail(err, SB_E_ENV,
		        "CUPTI cannot be loaded: %s; install the CUDA toolkit's CUPTI, or name libcupti.so in "
		        "SPABENCH_CUPTI",
		        dlerror());
#define FIND(member, function)                                       \
	*(void **)(void *)&c->member = dlsym(c->library, #function); \
	if (!c->member)                                              \
		return sb_fail(err, SB_E_ENV, "CUPTI is too old: it has no " #function "; version 13 is needed");
	FUNCTIONS(FIND)
#undef FIND
	return SB_OK;
}

static enum sb_status subscribe(struct sb_cupti *c, struct sb_error *err)
{
	static const char prefix[] = "CUPTI for "; /* CUPTI's own, before the name that was given */
	char other[128] = "";
	CUpti_SubscriberParams p = { .structSize = CUpti_SubscriberParams_STRUCT_SIZE,
		.subscriberName = "spabench",
		.oldSubscriberName = other,
		.oldSubscriberSize = sizeof(other) };
	CUptiResult r = c->subscribe(&c->subscriber, asked, c, &p);

	if (r == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED)
		return sb_fail(err, SB_E_ENV,
		        "CUPTI is taken by '%s': only one profiler can be attached; run spabench without it for traces",
		        !other[0]                                    ? "another profiler"
		        : strncmp(other, prefix, sizeof(prefix) - 1) ? other
		                                                     : other + sizeof(prefix) - 1);
	return r == CUPTI_SUCCESS ? SB_OK : failed(c, r, "subscribe", err);
}

static enum sb_status watch_requests(struct sb_cupti *c, struct sb_error *err)
{
	for (size_t i = 0; i < SB_ARRAY_LEN(requests); i++)
		CHECK(c, enable_callback(1, c->subscriber, CUPTI_CB_DOMAIN_DRIVER_API, requests[i]), err);
	return SB_OK;
}

const char *sb_cupti_known_fault(uint32_t version)
{
	if (version == 130000)
		return "crashes when a thread is named through NVTX (nvtxNameOsThreadA); install CUDA 13.0 update 1";
	return NULL;
}

static enum sb_status prepare(struct sb_cupti *c, struct sb_error *err)
{
	uint8_t yes = 1;
	size_t size = sizeof(yes);
	uint32_t version = 0;

	CHECK(c, version(&version), err);
	if (version < 130000)
		return sb_fail(
		        err, SB_E_ENV, "CUPTI is too old: it has interface %u, and version 13 is needed", version);
	snprintf(c->version_text, sizeof(c->version_text), "CUPTI %u.%u.%u", version / 10000, version / 100 % 100,
	        version % 100);
	if (sb_cupti_known_fault(version))
		sb_log(SB_LOG_WARN, "%s %s", c->version_text, sb_cupti_known_fault(version));
	if (subscribe(c, err)) /* first: where another profiler is, nothing of its settings may change */
		return err->code;
	CHECK(c, set_attribute(CUPTI_ACTIVITY_ATTR_MEM_ALLOCATION_TYPE_HOST_PINNED, &size, &yes), err);
	CHECK(c, set_attribute(CUPTI_ACTIVITY_ATTR_ZEROED_OUT_ACTIVITY_BUFFER, &size, &yes), err);
	CHECK(c, register_timestamp(now), err);
	CHECK(c, register_buffers(give_buffer, take_buffer), err);
	return SB_OK;
}

enum sb_status sb_cupti_open(size_t capacity, struct sb_cupti **out, struct sb_error *err)
{
	struct sb_cupti *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return sb_fail(err, SB_E_NOMEM, "no memory for the tracer");
	c->capacity = capacity;
	c->request = malloc(capacity * sizeof(*c->request));
	c->activity = malloc(capacity * sizeof(*c->activity));
	if (!c->request || !c->activity) {
		sb_cupti_close(c);
		return sb_fail(err, SB_E_NOMEM, "no memory to trace %zu launches", capacity);
	}
	memset(c->request, 0, capacity * sizeof(*c->request)); /* no page is missing in a pass */
	make_buffers(c, BUFFERS_MADE);
	the_cupti = c;
	if (load(c, err) || prepare(c, err)) {
		sb_cupti_close(c);
		return err->code;
	}
	*out = c;
	return SB_OK;
}

/* Records that nobody will decode; what CUPTI allocated for them is the client's to free. */
static void drop_records(struct sb_cupti *c)
{
	for (size_t i = 0; i < BUFFERS_MAX; i++) {
		struct buffer *b = &c->buffer[i];
		CUpti_Activity *record = NULL;

		if (atomic_load(&b->state) != FULL)
			continue;
		while (c->next_record(b->memory, b->valid, &record) == CUPTI_SUCCESS)
			if (record->kind == CUPTI_ACTIVITY_KIND_OVERHEAD)
				free(((CUpti_ActivityOverhead3 *)(void *)record)->overheadData);
		free_buffer(b);
	}
}

void sb_cupti_close(struct sb_cupti *c)
{
	if (!c)
		return;
	if (c->subscriber)
		c->unsubscribe(c->subscriber);
	if (c->library && c->flush)
		c->flush(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
	drop_records(c); /* none is FULL where the library was not loaded */
	the_cupti = NULL;
	for (size_t i = 0; i < BUFFERS_MAX; i++)
		free(c->buffer[i].memory);
	free(c->request);
	free(c->activity);
	free(c->external);
	free(c); /* the library stays loaded: CUPTI has threads */
}

const char *sb_cupti_version(const struct sb_cupti *c)
{
	return c->version_text;
}

enum sb_status sb_cupti_record_calls(struct sb_cupti *c, struct sb_error *err)
{
	struct sb_activity *activity = realloc(c->activity, (1 + CALLS) * c->capacity * sizeof(*activity));
	struct external *external = malloc(CALLS * c->capacity * sizeof(*external));

	if (activity)
		c->activity = activity;
	if (!activity || !external) {
		free(external);
		return sb_fail(err, SB_E_NOMEM, "no memory to record every call of %zu launches", c->capacity);
	}
	free(c->external);
	c->external = external;
	c->calls = true;
	return SB_OK;
}

/* ---- a pass ---------------------------------------------------------------------------------------------------- */

static enum sb_status begin(struct sb_cupti *c, struct sb_error *err)
{
	size_t dropped;

	for (size_t i = 0; i < SB_ARRAY_LEN(kinds) && !(c->bare && i); i++)
		CHECK(c, enable(kinds[i]), err);
	CHECK(c, flush(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED), err);
	CHECK(c, dropped(NULL, 0, &dropped), err); /* reading resets it */
	drop_records(c);                           /* of no pass */
	make_buffers(c, c->most_used + BUFFERS_SPARE);
	atomic_store(&c->made_late, 0);
	c->n_requests = 0;
	c->beyond = 0;
	c->op = 0;
	c->running = !c->bare;
	return SB_OK;
}

/* Records of memory are worth having, and not worth a trace: false where CUPTI has none. */
static bool watch_memory(struct sb_cupti *c, bool on)
{
	bool all = (on ? c->enable : c->disable)(CUPTI_ACTIVITY_KIND_MEMORY2) == CUPTI_SUCCESS;

	for (size_t i = 0; i < SB_ARRAY_LEN(memory_calls); i++)
		all &= c->enable_driver_call(memory_calls[i], on) == CUPTI_SUCCESS;
	return all;
}

/* The first of what failed is told, in err. */
static void note_failure(
        const struct sb_cupti *c, CUptiResult r, const char *what, enum sb_status *status, struct sb_error *err)
{
	if (r != CUPTI_SUCCESS && !*status)
		*status = failed(c, r, what, err);
}

/*
 * Outside of a pass nobody is called and nothing is recorded: a launch costs what it costs. So everything is switched
 * off, whatever of it fails.
 */
static enum sb_status switch_off(struct sb_cupti *c, struct sb_error *err)
{
	enum sb_status status = SB_OK;
	uint64_t last;

	c->running = false;
	if (c->calls && !c->bare)
		c->pop_id(EXTERNAL, &last);
	note_failure(c, c->flush(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED), "flush", &status, err);
	for (size_t i = 0; i < SB_ARRAY_LEN(kinds) && !(c->bare && i); i++)
		note_failure(c, c->disable(kinds[i]), "disable", &status, err);
	for (size_t i = 0; i < SB_ARRAY_LEN(requests) && (!c->bare || c->called); i++)
		note_failure(c, c->enable_callback(0, c->subscriber, CUPTI_CB_DOMAIN_DRIVER_API, requests[i]),
		        "end of callbacks", &status, err);
	if (!c->bare)
		watch_memory(c, false);
	for (size_t i = 0; c->calls && !c->bare && i < SB_ARRAY_LEN(call_kinds); i++)
		note_failure(c, c->disable(call_kinds[i]), "disable", &status, err);
	return status;
}

/* A pass that does not begin leaves nothing on. Returns the status. */
static enum sb_status begun(struct sb_cupti *c, enum sb_status status)
{
	struct sb_error later;

	if (status)
		switch_off(c, &later);
	return status;
}

static enum sb_status begin_whole(struct sb_cupti *c, struct sb_error *err)
{
	if (watch_requests(c, err))
		return err->code;
	c->sees_memory = watch_memory(c, true);
	c->n_calls = c->n_external = 0;
	for (size_t i = 0; c->calls && i < SB_ARRAY_LEN(call_kinds); i++)
		CHECK(c, enable(call_kinds[i]), err);
	if (c->calls)
		CHECK(c, push_id(EXTERNAL, 0), err);
	return begin(c, err);
}

enum sb_status sb_cupti_begin(struct sb_cupti *c, struct sb_error *err)
{
	c->bare = c->called = false;
	return begun(c, begin_whole(c, err));
}

enum sb_status sb_cupti_begin_bare(struct sb_cupti *c, bool called, struct sb_error *err)
{
	c->bare = true;
	c->called = called;
	c->sees_memory = false;
	return begun(c, called && watch_requests(c, err) ? err->code : begin(c, err));
}

void sb_cupti_op(struct sb_cupti *c, uint32_t index)
{
	uint64_t last;

	c->op = index;
	if (!c->calls || !c->running)
		return;
	c->pop_id(EXTERNAL, &last);
	c->push_id(EXTERNAL, index);
}

/* Correlation ids rise from request to request. */
static struct sb_activity *find(const struct sb_cupti *c, uint32_t correlation)
{
	size_t lo = 0, hi = c->n_requests;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->request[mid].correlation < correlation)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->n_requests && c->request[lo].correlation == correlation ? &c->activity[lo] : NULL;
}

static const char *kernel_name(const char *mangled)
{
	char text[512];

	if (!mangled)
		return "kernel without a name";
	for (size_t i = 0; i < n_names; i++)
		if (names[i].mangled == mangled)
			return names[i].text;
	if (n_names == NAMES_MAX)
		return "kernel beyond the table of names";
	sb_kernel_name(mangled, text, sizeof(text));
	names[n_names].text = sb_strdup(text);
	if (!names[n_names].text)
		return "kernel whose name found no memory";
	names[n_names].mangled = mangled;
	return names[n_names++].text;
}

static const char *copy_name(uint8_t kind)
{
	switch (kind) {
	case CUPTI_ACTIVITY_MEMCPY_KIND_HTOD:
		return "memcpy HtoD";
	case CUPTI_ACTIVITY_MEMCPY_KIND_DTOH:
		return "memcpy DtoH";
	case CUPTI_ACTIVITY_MEMCPY_KIND_DTOD:
		return "memcpy DtoD";
	default:
		return "memcpy";
	}
}

static void put(const struct sb_cupti *c, uint32_t correlation, const struct sb_activity *a,
        struct sb_activity_account *account)
{
	struct sb_activity *to = find(c, correlation);

	account->delivered++;
	account->zero_time += a->start_ns == 0;
	if (!to || to->name) {
		account->unmatched++;
		return;
	}
	uint32_t op = to->op;
	*to = *a;
	to->op = op;
	to->correlation = correlation;
}

/* Start and duration; both 0 where the tracer could not tell, or told nonsense. */
static void set_times(struct sb_activity *a, uint64_t start, uint64_t end)
{
	bool told = start != 0 && end >= start;

	a->start_ns = told ? (int64_t)start : 0;
	a->dur_ns = told ? (int64_t)(end - start) : 0;
}

static void decode_kernel(
        const struct sb_cupti *c, const CUpti_ActivityKernel10 *k, struct sb_activity_account *account)
{
	struct sb_activity a = {
		.name = kernel_name(k->name),
		.stream = k->streamId,
		.grid = { k->gridX, k->gridY, k->gridZ },
		.block = { k->blockX, k->blockY, k->blockZ },
		.shared_bytes = k->staticSharedMemory + k->dynamicSharedMemory,
		.registers = k->registersPerThread,
	};

	set_times(&a, k->start, k->end);
	put(c, k->correlationId, &a, account);
}

static void decode_copy(const struct sb_cupti *c, const CUpti_ActivityMemcpy6 *m, struct sb_activity_account *account)
{
	struct sb_activity a = { .bytes = (int64_t)m->bytes, .name = copy_name(m->copyKind), .stream = m->streamId };

	set_times(&a, m->start, m->end);
	put(c, m->correlationId, &a, account);
}

static void decode_set(const struct sb_cupti *c, const CUpti_ActivityMemset4 *m, struct sb_activity_account *account)
{
	struct sb_activity a = { .bytes = (int64_t)m->bytes, .name = "memset", .stream = m->streamId };

	set_times(&a, m->start, m->end);
	put(c, m->correlationId, &a, account);
}

static bool is_memory_call(CUpti_CallbackId id)
{
	for (size_t i = 0; i < SB_ARRAY_LEN(memory_calls); i++)
		if (memory_calls[i] == id)
			return true;
	return false;
}

/* Its op is known when all external ids are. */
static void decode_call(struct sb_cupti *c, const CUpti_ActivityAPI *r, struct sb_activity_account *account)
{
	bool driver = r->kind == CUPTI_ACTIVITY_KIND_DRIVER;
	struct sb_activity a = { .correlation = r->correlationId, .call = true };

	if (driver && is_memory_call(r->cbid)) {
		account->memory_calls++;
		account->memory_ns += (int64_t)(r->end - r->start);
	}
	if (!c->calls)
		return;
	if (c->n_calls == CALLS * c->capacity) {
		account->dropped++;
		return;
	}
	if (c->call_name(driver ? CUPTI_CB_DOMAIN_DRIVER_API : CUPTI_CB_DOMAIN_RUNTIME_API, r->cbid, &a.name) !=
	        CUPTI_SUCCESS)
		a.name = "call without a name";
	set_times(&a, r->start, r->end);
	account->zero_time += a.start_ns == 0;
	c->activity[c->n_requests + c->n_calls++] = a;
}

static int by_correlation(const void *pa, const void *pb)
{
	const struct external *a = pa, *b = pb;

	return (a->correlation > b->correlation) - (a->correlation < b->correlation);
}

static int by_start(const void *pa, const void *pb)
{
	const struct sb_activity *a = pa, *b = pb;

	return (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
}

/* The calls that belong to an op go behind the n records of the device, in the order they were made; the rest goes. */
static size_t join_calls(struct sb_cupti *c, size_t n)
{
	const struct sb_activity *calls = &c->activity[c->n_requests];
	size_t first = n;

	qsort(c->external, c->n_external, sizeof(*c->external), by_correlation);
	for (size_t i = 0; i < c->n_calls; i++) {
		struct sb_activity a = calls[i];
		const struct external key = { .correlation = a.correlation };
		const struct external *e =
		        bsearch(&key, c->external, c->n_external, sizeof(*c->external), by_correlation);

		if (!e)
			continue;
		a.op = e->op;
		c->activity[n++] = a; /* never ahead of where it is read */
	}
	qsort(&c->activity[first], n - first, sizeof(*c->activity), by_start);
	return n;
}

/* Where an overhead counts: as the tracer's, as waiting for room in the queue, or as what happens without it too. */
static int64_t *overhead_of(const CUpti_ActivityOverhead3 *o, struct sb_activity_account *account)
{
	switch (o->overheadKind) {
	case CUPTI_ACTIVITY_OVERHEAD_COMMAND_BUFFER_FULL:
		return &account->queue_full_ns;
	case CUPTI_ACTIVITY_OVERHEAD_DRIVER_COMPILER:
	case CUPTI_ACTIVITY_OVERHEAD_RUNTIME_TRIGGERED_MODULE_LOADING:
	case CUPTI_ACTIVITY_OVERHEAD_LAZY_FUNCTION_LOADING:
		return &account->loading_ns;
	default:
		return &account->overhead_ns;
	}
}

static void decode(struct sb_cupti *c, const CUpti_Activity *record, struct sb_activity_account *account)
{
	if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) {
		decode_kernel(c, (const void *)record, account);
	} else if (record->kind == CUPTI_ACTIVITY_KIND_MEMCPY) {
		decode_copy(c, (const void *)record, account);
	} else if (record->kind == CUPTI_ACTIVITY_KIND_MEMSET) {
		decode_set(c, (const void *)record, account);
	} else if (record->kind == CUPTI_ACTIVITY_KIND_OVERHEAD) {
		const CUpti_ActivityOverhead3 *o = (const void *)record;

		*overhead_of(o, account) += (int64_t)(o->end - o->start);
		free(o->overheadData); /* the client's to free */
	} else if (record->kind == CUPTI_ACTIVITY_KIND_DRIVER || record->kind == CUPTI_ACTIVITY_KIND_RUNTIME) {
		decode_call(c, (const void *)record, account);
	} else if (record->kind == CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION) {
		const CUpti_ActivityExternalCorrelation *e = (const void *)record;

		if (c->n_external < CALLS * c->capacity)
			c->external[c->n_external++] = (struct external){ e->correlationId, (uint32_t)e->externalId };
		else
			account->dropped++;
	} else if (record->kind == CUPTI_ACTIVITY_KIND_MEMORY2) {
		account->memory_records++;
	}
}

/* Requests without a record leave the list. Returns how many stay. */
static size_t close_gaps(struct sb_cupti *c, struct sb_activity_account *account)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_requests; i++) {
		if (c->activity[i].name)
			c->activity[n++] = c->activity[i];
		else
			account->unmatched++;
	}
	return n;
}

/* Into the activities of this pass and *account. */
static void decode_all(struct sb_cupti *c, struct sb_activity_account *account)
{
	size_t used = 0;
	int late = atomic_load(&c->made_late);

	for (size_t i = 0; i < c->n_requests; i++)
		c->activity[i] = (struct sb_activity){ .op = c->request[i].op };
	for (size_t i = 0; i < BUFFERS_MAX; i++) {
		struct buffer *b = &c->buffer[i];
		CUpti_Activity *record = NULL;

		if (atomic_load(&b->state) != FULL)
			continue;
		while (c->next_record(b->memory, b->valid, &record) == CUPTI_SUCCESS)
			decode(c, record, account);
		free_buffer(b);
		used++;
	}
	c->most_used = used > c->most_used ? used : c->most_used;
	if (late)
		sb_log(SB_LOG_DEBUG, "CUPTI: %d buffers of records were made while the pass ran", late);
}

enum sb_status sb_cupti_end(struct sb_cupti *c, const struct sb_activity **out, size_t *n,
        struct sb_activity_account *account, struct sb_error *err)
{
	struct sb_activity_account sum = { .requested = (int64_t)c->n_requests + c->beyond, .unmatched = c->beyond };
	enum sb_status status = switch_off(c, err);
	size_t dropped = 0;

	note_failure(c, c->dropped(NULL, 0, &dropped), "number of dropped records", &status, err);
	sum.dropped = (int64_t)dropped;
	decode_all(c, &sum); /* of a pass that failed, too: what its records hold is freed */
	if (status)
		return status;
	if (!c->sees_memory)
		sum.memory_calls = sum.memory_ns = sum.memory_records = -1;
	*n = close_gaps(c, &sum);
	if (c->calls && !c->bare)
		*n = join_calls(c, *n);
	*account = sum;
	*out = c->activity;
	return SB_OK;
}
