/* What the two halves of counters share: CUPTI's functions, and how its codes become errors. */
#ifndef SB_COUNTERS_INTERNAL_H
#define SB_COUNTERS_INTERNAL_H

#include "counters.h"

#include <cupti_profiler_host.h>
#include <cupti_range_profiler.h>
#include <cupti_target.h>

/* Functions of libcupti, found by name: X(member, function). */
#define SB_COUNTER_FUNCTIONS(X)                                    \
	X(result_string, cuptiGetResultString)                     \
	X(host_open, cuptiProfilerHostInitialize)                  \
	X(host_close, cuptiProfilerHostDeinitialize)               \
	X(host_add, cuptiProfilerHostConfigAddMetrics)             \
	X(host_config_size, cuptiProfilerHostGetConfigImageSize)   \
	X(host_config, cuptiProfilerHostGetConfigImage)            \
	X(host_passes, cuptiProfilerHostGetNumOfPasses)            \
	X(host_values, cuptiProfilerHostEvaluateToGpuValues)       \
	X(initialize, cuptiProfilerInitialize)                     \
	X(supported, cuptiProfilerDeviceSupported)                 \
	X(availability, cuptiProfilerGetCounterAvailability)       \
	X(chip, cuptiDeviceGetChipName)                            \
	X(enable, cuptiRangeProfilerEnable)                        \
	X(disable, cuptiRangeProfilerDisable)                      \
	X(set_config, cuptiRangeProfilerSetConfig)                 \
	X(start, cuptiRangeProfilerStart)                          \
	X(stop, cuptiRangeProfilerStop)                            \
	X(push, cuptiRangeProfilerPushRange)                       \
	X(pop, cuptiRangeProfilerPopRange)                         \
	X(decode, cuptiRangeProfilerDecodeData)                    \
	X(data_size, cuptiRangeProfilerGetCounterDataSize)         \
	X(data_init, cuptiRangeProfilerCounterDataImageInitialize) \
	X(data_info, cuptiRangeProfilerGetCounterDataInfo)         \
	X(range_info, cuptiRangeProfilerCounterDataGetRangeInfo)

CUptiResult CUPTIAPI cuptiGetResultString(CUptiResult result, const char **str);

struct sb_counter_library {
	void *handle;
#define SB_COUNTER_MEMBER(member, function) __typeof__(function) *member;
	SB_COUNTER_FUNCTIONS(SB_COUNTER_MEMBER)
#undef SB_COUNTER_MEMBER
};

/* Loaded once a process and never unloaded: CUPTI has threads. SB_E_ENV: why not. */
enum sb_status sb_counter_library(const struct sb_counter_library **out, struct sb_error *err);
/* `what` is the call as written. */
enum sb_status sb_counter_fail(
        const struct sb_counter_library *l, CUptiResult r, const char *what, struct sb_error *err);

#define SB_COUNTER_CHECK(l, call, err)                                 \
	do {                                                           \
		CUptiResult r_ = (l)->call;                            \
		if (r_ != CUPTI_SUCCESS)                               \
			return sb_counter_fail((l), r_, #call, (err)); \
	} while (0)

#endif
