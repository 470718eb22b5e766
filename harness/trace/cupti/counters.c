/* Counting on a device: a session of CUPTI's range profiler for each pass. */
#include "counters_internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGES_MAX 16 /* distinct names */
#define NAME_BYTES 32

struct sb_counters {
	const struct sb_counter_library *l;
	CUcontext context;
	char chip[32];
	uint8_t *available;
	struct sb_counter_plan plan[SB_COUNTER_SETS]; /* made when first asked for */
	enum sb_counter_set set;
	CUpti_RangeProfiler_Object *session; /* NULL: no pass */
	uint8_t *data;                       /* the counter data image */
	size_t data_bytes;                   /* of data, and of the last pass's */
	bool in_range;
	size_t pushed, max_ranges;
	struct sb_counted counted[RANGES_MAX];
	char name[RANGES_MAX][NAME_BYTES];
	size_t n_counted;
};

/* ---- open, close ---------------------------------------------------------------------------------------------- */

/* The driver's functions by name, so that nothing links libcuda. */
static enum sb_status find_context(CUcontext *context, CUdevice *device, struct sb_error *err)
{
	void *driver = dlopen("libcuda.so.1", RTLD_NOW);
	CUresult (*get_context)(CUcontext *) = NULL;
	CUresult (*get_device)(CUdevice *) = NULL;

	if (driver) {
		*(void **)(void *)&get_context = dlsym(driver, "cuCtxGetCurrent");
		*(void **)(void *)&get_device = dlsym(driver, "cuCtxGetDevice");
	}
	if (!get_context || !get_device || get_context(context) != CUDA_SUCCESS || !*context ||
	        get_device(device) != CUDA_SUCCESS)
		return sb_fail(err, SB_E_ENV, "no counters: there is no CUDA context");
	return SB_OK;
}

/* Which of the conditions is not met. */
static const char *unsupported(const CUpti_Profiler_DeviceSupported_Params *p)
{
	const struct {
		CUpti_Profiler_Support_Level level;
		const char *why;
	} conditions[] = {
		{ p->architecture, "the device is too old" },
		{ p->sli, "SLI is on" },
		{ p->vGpu, "the device is a virtual one" },
		{ p->confidentialCompute, "confidential computing is on" },
		{ p->cmp, "the device is a mining processor" },
		{ p->wsl, "Windows Subsystem for Linux does not pass them on" },
	};

	for (size_t i = 0; i < SB_ARRAY_LEN(conditions); i++)
		if (conditions[i].level != CUPTI_PROFILER_CONFIGURATION_SUPPORTED)
			return conditions[i].why;
	return "CUPTI does not say why";
}

static enum sb_status check_device(struct sb_counters *c, CUdevice device, struct sb_error *err)
{
	CUpti_Profiler_Initialize_Params init = { .structSize = CUpti_Profiler_Initialize_Params_STRUCT_SIZE };
	CUpti_Profiler_DeviceSupported_Params p = { .structSize = CUpti_Profiler_DeviceSupported_Params_STRUCT_SIZE,
		.cuDevice = device,
		.api = CUPTI_PROFILER_RANGE_PROFILING };
	CUpti_Device_GetChipName_Params chip = { .structSize = CUpti_Device_GetChipName_Params_STRUCT_SIZE,
		.deviceIndex = (size_t)device };

	SB_COUNTER_CHECK(c->l, initialize(&init), err);
	SB_COUNTER_CHECK(c->l, supported(&p), err);
	if (p.isSupported != CUPTI_PROFILER_CONFIGURATION_SUPPORTED)
		return sb_fail(err, SB_E_ENV, "no counters: %s", unsupported(&p));
	SB_COUNTER_CHECK(c->l, chip(&chip), err);
	snprintf(c->chip, sizeof(c->chip), "%s", chip.pChipName);
	return SB_OK;
}

/* What this very device can count; permission shows here first. */
static enum sb_status read_availability(struct sb_counters *c, struct sb_error *err)
{
	CUpti_Profiler_GetCounterAvailability_Params p = {
		.structSize = CUpti_Profiler_GetCounterAvailability_Params_STRUCT_SIZE, .ctx = c->context
	};

	SB_COUNTER_CHECK(c->l, availability(&p), err);
	c->available = calloc(1, p.counterAvailabilityImageSize + 8);
	if (!c->available)
		return sb_fail(err, SB_E_NOMEM, "no memory for counters");
	p.pCounterAvailabilityImage = c->available;
	SB_COUNTER_CHECK(c->l, availability(&p), err);
	return SB_OK;
}

enum sb_status sb_counters_open(struct sb_counters **out, struct sb_error *err)
{
	struct sb_counters *c = calloc(1, sizeof(*c));
	CUdevice device = 0;
	enum sb_status status;

	*out = NULL;
	if (!c)
		return sb_fail(err, SB_E_NOMEM, "no memory for counters");
	status = sb_counter_library(&c->l, err);
	if (!status)
		status = find_context(&c->context, &device, err);
	if (!status)
		status = check_device(c, device, err);
	if (!status)
		status = read_availability(c, err);
	if (!status)
		status = sb_counter_plan_open(SB_COUNTERS_TF32, c->chip, c->available, &c->plan[SB_COUNTERS_TF32], err);
	if (status) {
		sb_counters_close(c);
		return status;
	}
	*out = c;
	return SB_OK;
}

static void end_session(struct sb_counters *c)
{
	CUpti_RangeProfiler_Disable_Params p = { .structSize = CUpti_RangeProfiler_Disable_Params_STRUCT_SIZE,
		.pRangeProfilerObject = c->session };

	if (c->session)
		c->l->disable(&p);
	c->session = NULL;
	free(c->data);
	c->data = NULL;
}

void sb_counters_close(struct sb_counters *c)
{
	if (!c)
		return;
	end_session(c);
	for (int s = 0; s < SB_COUNTER_SETS; s++)
		sb_counter_plan_close(&c->plan[s]);
	free(c->available);
	free(c);
}

const char *sb_counters_chip(const struct sb_counters *c)
{
	return c->chip;
}

const struct sb_counter_plan *sb_counters_plan(const struct sb_counters *c)
{
	return &c->plan[c->set];
}

/* ---- a pass ----------------------------------------------------------------------------------------------------- */

static size_t metrics_of(const struct sb_counter_plan *p, const char **out)
{
	size_t n = 0;

	for (int i = 0; i < p->n; i++)
		if (p->counter[i].metric)
			out[n++] = p->counter[i].metric;
	return n;
}

/* Where the counts of max_ranges ranges go. */
static enum sb_status make_data(struct sb_counters *c, struct sb_error *err)
{
	const char *metrics[SB_COUNTERS_MAX];
	CUpti_RangeProfiler_GetCounterDataSize_Params size = {
		.structSize = CUpti_RangeProfiler_GetCounterDataSize_Params_STRUCT_SIZE,
		.pRangeProfilerObject = c->session,
		.pMetricNames = metrics,
		.numMetrics = metrics_of(&c->plan[c->set], metrics),
		.maxNumOfRanges = c->max_ranges,
		.maxNumRangeTreeNodes = (uint32_t)c->max_ranges,
	};

	SB_COUNTER_CHECK(c->l, data_size(&size), err);
	c->data_bytes = size.counterDataSize;
	c->data = aligned_alloc(64, (c->data_bytes + 63) / 64 * 64);
	if (!c->data)
		return sb_fail(err, SB_E_NOMEM, "no memory for the counts of %zu ranges", c->max_ranges);
	CUpti_RangeProfiler_CounterDataImage_Initialize_Params init = {
		.structSize = CUpti_RangeProfiler_CounterDataImage_Initialize_Params_STRUCT_SIZE,
		.pRangeProfilerObject = c->session,
		.counterDataSize = c->data_bytes,
		.pCounterData = c->data
	};
	SB_COUNTER_CHECK(c->l, data_init(&init), err);
	return SB_OK;
}

static enum sb_status start(struct sb_counters *c, struct sb_error *err)
{
	CUpti_RangeProfiler_Enable_Params enable = { .structSize = CUpti_RangeProfiler_Enable_Params_STRUCT_SIZE,
		.ctx = c->context };

	SB_COUNTER_CHECK(c->l, enable(&enable), err);
	c->session = enable.pRangeProfilerObject;
	if (make_data(c, err))
		return err->code;
	CUpti_RangeProfiler_SetConfig_Params config = {
		.structSize = CUpti_RangeProfiler_SetConfig_Params_STRUCT_SIZE,
		.pRangeProfilerObject = c->session,
		.configSize = c->plan[c->set].config_bytes,
		.pConfig = c->plan[c->set].config,
		.counterDataImageSize = c->data_bytes,
		.pCounterDataImage = c->data,
		.range = CUPTI_UserRange,
		.replayMode = CUPTI_UserReplay,
		.maxRangesPerPass = c->max_ranges,
		.numNestingLevels = 1,
		.minNestingLevel = 1,
		.passIndex = 0,
		.targetNestingLevel = 1,
	};
	SB_COUNTER_CHECK(c->l, set_config(&config), err);
	CUpti_RangeProfiler_Start_Params go = { .structSize = CUpti_RangeProfiler_Start_Params_STRUCT_SIZE,
		.pRangeProfilerObject = c->session };
	SB_COUNTER_CHECK(c->l, start(&go), err);
	return SB_OK;
}

enum sb_status sb_counters_begin(
        struct sb_counters *c, enum sb_counter_set set, size_t max_ranges, struct sb_error *err)
{
	end_session(c); /* of a pass that failed */
	c->set = set;
	c->max_ranges = max_ranges;
	c->pushed = 0;
	c->n_counted = 0;
	c->in_range = false;
	if (!c->plan[set].host && sb_counter_plan_open(set, c->chip, c->available, &c->plan[set], err))
		return err->code;
	if (start(c, err)) {
		end_session(c);
		return err->code;
	}
	return SB_OK;
}

static enum sb_status pop(struct sb_counters *c, struct sb_error *err)
{
	CUpti_RangeProfiler_PopRange_Params p = { .structSize = CUpti_RangeProfiler_PopRange_Params_STRUCT_SIZE,
		.pRangeProfilerObject = c->session };

	if (!c->in_range)
		return SB_OK;
	c->in_range = false;
	SB_COUNTER_CHECK(c->l, pop(&p), err);
	return SB_OK;
}

enum sb_status sb_counters_range(struct sb_counters *c, const char *name, struct sb_error *err)
{
	CUpti_RangeProfiler_PushRange_Params p = { .structSize = CUpti_RangeProfiler_PushRange_Params_STRUCT_SIZE,
		.pRangeProfilerObject = c->session,
		.pRangeName = name };

	if (pop(c, err))
		return err->code;
	if (!name)
		return SB_OK;
	if (++c->pushed > c->max_ranges)
		return sb_fail(err, SB_E_ENV, "no counters: more than %zu ranges in a pass", c->max_ranges);
	SB_COUNTER_CHECK(c->l, push(&p), err);
	c->in_range = true;
	return SB_OK;
}

/* ---- its counts ------------------------------------------------------------------------------------------------- */

/* The entry of a name, up to its '#'; NULL when there are too many. */
static struct sb_counted *entry(struct sb_counters *c, const char *name)
{
	char cut[NAME_BYTES];
	size_t i;

	snprintf(cut, sizeof(cut), "%.*s", (int)strcspn(name, "#"), name);
	for (i = 0; i < c->n_counted; i++)
		if (!strcmp(c->name[i], cut))
			return &c->counted[i];
	if (i == RANGES_MAX)
		return NULL;
	memcpy(c->name[i], cut, sizeof(cut));
	c->counted[i] = (struct sb_counted){ .range = c->name[i] };
	c->n_counted++;
	return &c->counted[i];
}

static enum sb_status add_range(struct sb_counters *c, size_t index, struct sb_error *err)
{
	const struct sb_counter_plan *plan = &c->plan[c->set];
	const char *metrics[SB_COUNTERS_MAX];
	double values[SB_COUNTERS_MAX] = { 0 };
	CUpti_RangeProfiler_CounterData_GetRangeInfo_Params info = {
		.structSize = CUpti_RangeProfiler_CounterData_GetRangeInfo_Params_STRUCT_SIZE,
		.pCounterDataImage = c->data,
		.counterDataImageSize = c->data_bytes,
		.rangeIndex = index,
		.rangeDelimiter = "/"
	};
	CUpti_Profiler_Host_EvaluateToGpuValues_Params p = {
		.structSize = CUpti_Profiler_Host_EvaluateToGpuValues_Params_STRUCT_SIZE,
		.pHostObject = plan->host,
		.pCounterDataImage = c->data,
		.counterDataImageSize = c->data_bytes,
		.rangeIndex = index,
		.ppMetricNames = metrics,
		.numMetrics = metrics_of(plan, metrics),
		.pMetricValues = values
	};
	struct sb_counted *to;
	size_t n = 0;

	SB_COUNTER_CHECK(c->l, range_info(&info), err);
	SB_COUNTER_CHECK(c->l, host_values(&p), err);
	to = entry(c, info.rangeName);
	if (!to)
		return sb_fail(err, SB_E_ENV, "no counters: more than %d names of ranges", RANGES_MAX);
	to->times++;
	for (int i = 0; i < plan->n; i++)
		if (plan->counter[i].metric)
			to->value[i] += values[n++];
	return SB_OK;
}

static enum sb_status stop(struct sb_counters *c, struct sb_error *err)
{
	CUpti_RangeProfiler_Stop_Params halt = { .structSize = CUpti_RangeProfiler_Stop_Params_STRUCT_SIZE,
		.pRangeProfilerObject = c->session };
	CUpti_RangeProfiler_DecodeData_Params decode = {
		.structSize = CUpti_RangeProfiler_DecodeData_Params_STRUCT_SIZE, .pRangeProfilerObject = c->session
	};

	if (pop(c, err))
		return err->code;
	SB_COUNTER_CHECK(c->l, stop(&halt), err);
	if (!halt.isAllPassSubmitted)
		return sb_fail(err, SB_E_ENV, "no counters: CUPTI wants another pass");
	SB_COUNTER_CHECK(c->l, decode(&decode), err);
	if (decode.numOfRangeDropped)
		return sb_fail(err, SB_E_ENV, "no counters: %zu of %zu ranges were dropped", decode.numOfRangeDropped,
		        c->pushed);
	return SB_OK;
}

static enum sb_status read_counts(struct sb_counters *c, struct sb_error *err)
{
	CUpti_RangeProfiler_GetCounterDataInfo_Params info = {
		.structSize = CUpti_RangeProfiler_GetCounterDataInfo_Params_STRUCT_SIZE,
		.pCounterDataImage = c->data,
		.counterDataImageSize = c->data_bytes
	};

	SB_COUNTER_CHECK(c->l, data_info(&info), err);
	for (size_t i = 0; i < info.numTotalRanges; i++)
		if (add_range(c, i, err))
			return err->code;
	return SB_OK;
}

enum sb_status sb_counters_end(struct sb_counters *c, const struct sb_counted **out, size_t *n, struct sb_error *err)
{
	enum sb_status status = stop(c, err);

	if (!status)
		status = read_counts(c, err);
	*out = c->counted;
	*n = c->n_counted;
	end_session(c);
	return status;
}

size_t sb_counters_bytes(const struct sb_counters *c)
{
	return c->data_bytes;
}
