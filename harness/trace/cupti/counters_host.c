/* What a chip counts in one pass. No device is needed. */
#define _GNU_SOURCE /* dladdr() lives beside POSIX */
#include "counters_internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the library ---------------------------------------------------------------------------------------------- */

/*
 * CUPTI loads libnvperf_host by its bare name when it is first needed. Where only libcupti is on the loader's path (by
 * SPABENCH_CUPTI, for instance) that fails; loaded beforehand from the same folder, it is found.
 */
static void load_neighbour(void *function)
{
	char path[4096];
	Dl_info info;
	const char *slash;

	if (!dladdr(function, &info) || !info.dli_fname || !(slash = strrchr(info.dli_fname, '/')))
		return;
	snprintf(path, sizeof(path), "%.*s/libnvperf_host.so", (int)(slash - info.dli_fname), info.dli_fname);
	dlopen(path, RTLD_NOW | RTLD_LOCAL); /* without it: as the loader finds it */
}

static enum sb_status load(struct sb_counter_library *l, struct sb_error *err)
{
	static const char *const names[] = { "libcupti.so.13", "libcupti.so.12", "libcupti.so" };
	const char *named = getenv("SPABENCH_CUPTI");

	if (named)
		l->handle = dlopen(named, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; i < SB_ARRAY_LEN(names) && !l->handle && !named; i++)
		l->handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!l->handle)
		return sb_fail(err, SB_E_ENV, "no counters: CUPTI cannot be loaded: %s", dlerror());
#define FIND(member, function)                                      \
	*(void **)(void *)&l->member = dlsym(l->handle, #function); \
	if (!l->member)                                             \
		return sb_fail(err, SB_E_ENV, "no counters: CUPTI has no " #function "; version 13 is needed");
	SB_COUNTER_FUNCTIONS(FIND)
#undef FIND
	load_neighbour(*(void **)(void *)&l->initialize);
	return SB_OK;
}

enum sb_status sb_counter_library(const struct sb_counter_library **out, struct sb_error *err)
{
	static struct sb_counter_library library;
	static bool loaded;

	enum sb_status status = loaded ? SB_OK : load(&library, err);

	loaded |= status == SB_OK;
	*out = &library;
	return status;
}

/* What a user can do about it, where that is known. */
static const char *way_out(CUptiResult r)
{
	switch (r) {
	case CUPTI_ERROR_INSUFFICIENT_PRIVILEGES:
		return "counters are the administrator's on this machine (NVreg_RestrictProfilingToAdminUsers)";
	case CUPTI_ERROR_HARDWARE_BUSY:
		return "another profiler or a monitor (DCGM) has the counters";
	case CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED:
		return "another profiler or a checker is attached";
	case CUPTI_ERROR_VIRTUALIZED_DEVICE_NOT_SUPPORTED:
	case CUPTI_ERROR_VIRTUALIZED_DEVICE_INSUFFICIENT_PRIVILEGES:
		return "the device is a virtual one";
	case CUPTI_ERROR_CONFIDENTIAL_COMPUTING_NOT_SUPPORTED:
		return "confidential computing is on";
	case CUPTI_ERROR_MIG_DEVICE_NOT_SUPPORTED:
		return "the device is a MIG slice";
	default:
		return NULL;
	}
}

enum sb_status sb_counter_fail(
        const struct sb_counter_library *l, CUptiResult r, const char *what, struct sb_error *err)
{
	const char *text = "?", *why = way_out(r);

	l->result_string(r, &text);
	if (why)
		return sb_fail(err, SB_E_ENV, "no counters: %s (%s, %d)", why, text, (int)r);
	return sb_fail(err, r == CUPTI_ERROR_OUT_OF_MEMORY ? SB_E_NOMEM : SB_E_ENV, "no counters: CUPTI: %.*s: %s (%d)",
	        (int)strcspn(what, "("), what, text, (int)r);
}

/* ---- plans ------------------------------------------------------------------------------------------------------ */

/*
 * By rank: where they do not all fit into one pass the last ones go. Of two names the first that the chip knows is
 * taken. _ops counts operations as FLOP are counted, two for a multiplication with its addition, of whatever a tile
 * holds: padding counts, too.
 */
static const struct {
	enum sb_counter_set set;
	const char *name, *metric[2];
} rows[] = {
	{ SB_COUNTERS_TF32, "tf32_ops", { "sm__ops_path_tensor_src_tf32_dst_fp32.sum" } },
	{ SB_COUNTERS_TF32, "tf32_wgmma_ops", { "sm__ops_path_tensor_op_hgmma_src_tf32_dst_fp32.sum" } },
	{ SB_COUNTERS_TF32, "tf32_mma_ops", { "sm__ops_path_tensor_op_hmma_src_tf32_dst_fp32.sum" } },
	{ SB_COUNTERS_PASS, "inst_wgmma", { "sm__inst_executed_pipe_tensor_op_gmma.sum" } },
	{ SB_COUNTERS_PASS, "inst_mma",
	        { "sm__inst_executed_pipe_tensor_op_hmma.sum", "sm__inst_executed_pipe_tensor_subpipe_hmma.sum" } },
	{ SB_COUNTERS_PASS, "inst_fma", { "sm__inst_executed_pipe_fma.sum" } },
	{ SB_COUNTERS_PASS, "dram_read_bytes", { "dram__bytes_read.sum" } },
	{ SB_COUNTERS_PASS, "dram_write_bytes", { "dram__bytes_write.sum" } },
	{ SB_COUNTERS_PASS, "tensor_active_cycles", { "sm__pipe_tensor_cycles_active.sum" } },
	{ SB_COUNTERS_PASS, "active_cycles", { "sm__cycles_active.sum" } },
};

struct host {
	const struct sb_counter_library *l;
	const char *chip;
	const uint8_t *available;
};

static CUptiResult open_host(const struct host *h, void **out)
{
	CUpti_Profiler_Host_Initialize_Params p = { .structSize = CUpti_Profiler_Host_Initialize_Params_STRUCT_SIZE,
		.profilerType = CUPTI_PROFILER_TYPE_RANGE_PROFILER,
		.pChipName = h->chip,
		.pCounterAvailabilityImage = h->available };
	CUptiResult r = h->l->host_open(&p);

	*out = p.pHostObject;
	return r;
}

static void close_host(const struct sb_counter_library *l, void *host)
{
	CUpti_Profiler_Host_Deinitialize_Params p = { .structSize = CUpti_Profiler_Host_Deinitialize_Params_STRUCT_SIZE,
		.pHostObject = host };

	if (host)
		l->host_close(&p);
}

/* The image of n metrics, and how many passes it takes. */
static CUptiResult configure(const struct host *h, void *host, const char **metrics, size_t n, uint8_t **image,
        size_t *bytes, size_t *passes)
{
	CUpti_Profiler_Host_ConfigAddMetrics_Params add = {
		.structSize = CUpti_Profiler_Host_ConfigAddMetrics_Params_STRUCT_SIZE,
		.pHostObject = host,
		.ppMetricNames = metrics,
		.numMetrics = n
	};
	CUpti_Profiler_Host_GetConfigImageSize_Params size = {
		.structSize = CUpti_Profiler_Host_GetConfigImageSize_Params_STRUCT_SIZE, .pHostObject = host
	};
	CUptiResult r = h->l->host_add(&add);

	if (r == CUPTI_SUCCESS)
		r = h->l->host_config_size(&size);
	if (r != CUPTI_SUCCESS)
		return r;
	*image = aligned_alloc(64, (size.configImageSize + 63) / 64 * 64);
	if (!*image)
		return CUPTI_ERROR_OUT_OF_MEMORY;
	CUpti_Profiler_Host_GetConfigImage_Params get = { .structSize =
		                                                  CUpti_Profiler_Host_GetConfigImage_Params_STRUCT_SIZE,
		.pHostObject = host,
		.configImageSize = size.configImageSize,
		.pConfigImage = *image };
	CUpti_Profiler_Host_GetNumOfPasses_Params count = {
		.structSize = CUpti_Profiler_Host_GetNumOfPasses_Params_STRUCT_SIZE,
		.configImageSize = size.configImageSize,
		.pConfigImage = *image
	};
	r = h->l->host_config(&get);
	if (r == CUPTI_SUCCESS)
		r = h->l->host_passes(&count);
	*bytes = size.configImageSize;
	*passes = count.numOfPasses;
	return r;
}

/* Replace the plan's host and image by those of its counters and, last, one more; left as it is when that cannot be. */
static CUptiResult extend(const struct host *h, struct sb_counter_plan *p, const char *metric, bool *second_pass)
{
	const char *metrics[SB_COUNTERS_MAX + 1];
	size_t n = 0, passes = 0, bytes = 0;
	uint8_t *image = NULL;
	void *host = NULL;
	CUptiResult r;

	for (int i = 0; i < p->n; i++)
		if (p->counter[i].metric)
			metrics[n++] = p->counter[i].metric;
	metrics[n++] = metric;
	r = open_host(h, &host);
	if (r == CUPTI_SUCCESS)
		r = configure(h, host, metrics, n, &image, &bytes, &passes);
	*second_pass = r == CUPTI_SUCCESS && passes != 1;
	if (r != CUPTI_SUCCESS || *second_pass) {
		close_host(h->l, host);
		free(image);
		return r;
	}
	close_host(h->l, p->host);
	free(p->config);
	p->host = host;
	p->config = image;
	p->config_bytes = bytes;
	return CUPTI_SUCCESS;
}

static void add_row(const struct host *h, struct sb_counter_plan *p, size_t row)
{
	struct sb_counter c = { .name = rows[row].name, .absent = "this chip does not count it" };

	for (size_t m = 0; m < SB_ARRAY_LEN(rows[row].metric) && !c.metric; m++) {
		bool second_pass;

		if (!rows[row].metric[m] || extend(h, p, rows[row].metric[m], &second_pass) != CUPTI_SUCCESS)
			continue;
		if (second_pass) {
			c.absent = "it would need a second pass";
			continue;
		}
		c.metric = rows[row].metric[m];
		c.absent = NULL;
	}
	p->counter[p->n++] = c;
}

enum sb_status sb_counter_plan_open(enum sb_counter_set set, const char *chip, const uint8_t *available,
        struct sb_counter_plan *out, struct sb_error *err)
{
	struct host h = { .chip = chip, .available = available };
	struct sb_counter_plan p = { .n = 0 };
	void *probe = NULL;
	CUptiResult r;

	if (sb_counter_library(&h.l, err))
		return err->code;
	r = open_host(&h, &probe);
	close_host(h.l, probe);
	if (r != CUPTI_SUCCESS)
		return sb_counter_fail(h.l, r, "cuptiProfilerHostInitialize", err);
	for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++)
		if (rows[i].set == set)
			add_row(&h, &p, i);
	if (!p.host)
		return sb_fail(err, SB_E_ENV, "no counters: chip '%.32s' has none of '%s'", chip, p.counter[0].name);
	*out = p;
	return SB_OK;
}

void sb_counter_plan_close(struct sb_counter_plan *p)
{
	const struct sb_counter_library *l;

	if (p->host && !sb_counter_library(&l, NULL))
		close_host(l, p->host);
	free(p->config);
	*p = (struct sb_counter_plan){ .n = 0 };
}
