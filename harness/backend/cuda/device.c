/* The device: open and close, what it is, marks in its stream of work. */
#include "cuda_internal.h"
#include "counters.h"
#include "linear_cuda.h"
#include "requirements.h"
#include "sb_cupti.h"
#include "sb_nvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- is there one that will do? -----------------------------------------------------------------------------------
 */

/* What there is on this machine, for sb_cuda_check_machine(). */
static void find_devices(struct sb_cuda_found *f)
{
	cudaError_t code;

	f->visible = getenv("CUDA_VISIBLE_DEVICES");
	cudaRuntimeGetVersion(&f->runtime);
	if (cudaDriverGetVersion(&f->driver) != cudaSuccess)
		f->driver = 0;
	code = cudaGetDeviceCount(&f->devices);
	if (code == cudaSuccess)
		return;
	cudaGetLastError();
	f->devices = 0;
	f->driver_refuses = code == cudaErrorInsufficientDriver;
	if (code != cudaErrorNoDevice)
		f->trouble = cudaGetErrorString(code);
}

/* Has this build code for the device? */
static enum sb_status check_kernels(struct cuda *c, struct sb_error *err)
{
	cudaError_t code = (cudaError_t)sb_kernels_cuda_check();

	if (code == cudaErrorNoKernelImageForDevice || code == cudaErrorUnsupportedPtxVersion ||
	        code == cudaErrorInvalidDeviceFunction) {
		cudaGetLastError();
		return sb_fail(err, SB_E_ENV,
		        "%.64s: this build has no code for compute capability %d.%d; configure it with "
		        "-DSB_CUDA_ARCHS=%d%d",
		        c->prop.name, c->prop.major, c->prop.minor, c->prop.major, c->prop.minor);
	}
	return sb_cuda_status(err, code, "cudaFuncGetAttributes");
}

static enum sb_status check_device(struct cuda *c, struct sb_error *err)
{
	struct sb_cuda_found found = { .ordinal = c->ordinal };

	find_devices(&found);
	if (sb_cuda_check_machine(&found, err))
		return err->code;
	if (SB_CUDA(err, cudaGetDeviceProperties(&c->prop, c->ordinal)))
		return err->code;
	return sb_cuda_check_capability(c->prop.name, c->prop.major, c->prop.minor, found.runtime, err);
}

/* The device is there and has no room: a context and the libraries take half a gigabyte before anything is asked for.
 */
static enum sb_status explain_no_memory(struct sb_error *err)
{
	size_t avail = 0, total = 0;

	if (cudaMemGetInfo(&avail, &total) != cudaSuccess) {
		cudaGetLastError();
		avail = total = 0;
	}
	return sb_cuda_no_memory((int64_t)avail, (int64_t)total, err);
}

/* ---- open, close --------------------------------------------------------------------------------------------------
 */

static enum sb_status open_stream(struct cuda *c, struct sb_error *err)
{
	enum sb_status status = SB_CUDA(err, cudaSetDevice(c->ordinal));

	if (!status)
		status = SB_CUDA(err, cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking));
	for (int i = 0; i < SB_MARKS_MAX && !status; i++)
		status = SB_CUDA(err, cudaEventCreate(&c->marks[i]));
	return status;
}

static enum sb_status open_libraries(struct cuda *c, struct sb_error *err)
{
	enum sb_status status = SB_CUBLAS(err, cublasLtCreate(&c->lt));

	if (!status)
		status = SB_CUBLAS(err, cublasCreate(&c->blas));
	if (!status)
		status = SB_CUBLAS(err, cublasSetStream(c->blas, c->stream));
	if (!status)
		status = SB_CUBLAS(err, cublasSetMathMode(c->blas, CUBLAS_DEFAULT_MATH));
	return status;
}

static void cuda_close(struct sb_backend *be)
{
	struct cuda *c = (struct cuda *)be;

	if (c->stream)
		cudaStreamSynchronize(c->stream);
	sb_cupti_close(c->cupti);
	sb_cuda_counting_close(c->counting);
	sb_nvml_close(c->nvml);
	sb_cuda_dnn_close(c->dnn);
	sb_cuda_plans_close(c->plans);
	if (c->blas)
		cublasDestroy(c->blas);
	if (c->lt)
		cublasLtDestroy(c->lt);
	sb_cuda_staging_close(&c->staging);
	sb_cuda_watch_close(c);
	sb_cuda_offload_close(c);
	for (int i = 0; i < SB_MARKS_MAX; i++)
		if (c->marks[i])
			cudaEventDestroy(c->marks[i]);
	if (c->stream)
		cudaStreamDestroy(c->stream);
	sb_pages_close(c->base.pages);
	cudaGetLastError();
	free(c);
}

static enum sb_status open_convolutions(struct cuda *c, struct sb_error *err)
{
	static const char *const ways[] = { [CUDA_CONV_AUTO] = "auto",
		[CUDA_CONV_OWN] = "own",
		[CUDA_CONV_CUDNN] = "cudnn",
		[CUDA_CONV_KERNELS] = "kernels",
		[CUDA_CONV_WINDOWS] = "windows" };
	const char *text = getenv("SPABENCH_CUDA_CONV");
	size_t i = 0;

	while (text && *text && i < SB_ARRAY_LEN(ways) && strcmp(text, ways[i]) != 0)
		i++;
	if (i == SB_ARRAY_LEN(ways))
		return sb_fail(err, SB_E_USAGE, "SPABENCH_CUDA_CONV '%.64s': it is auto, own or cudnn", text);
	c->conv_way = (enum cuda_conv_way)i;
	if (c->conv_way == CUDA_CONV_AUTO || c->conv_way == CUDA_CONV_CUDNN)
		c->dnn = sb_cuda_dnn_open(c->stream, c->dnn_absent, sizeof(c->dnn_absent));
	return SB_OK;
}

static enum sb_status cuda_open(int ordinal, int64_t limit, struct sb_backend **out, struct sb_error *err)
{
	struct cuda *c = calloc(1, sizeof(*c));
	enum sb_status status;

	if (!c)
		return sb_fail(err, SB_E_NOMEM, "no memory for the CUDA backend");
	c->base.ops = &sb_backend_cuda_ops;
	c->ordinal = ordinal;
	status = check_device(c, err);
	if (!status)
		status = open_stream(c, err);
	if (!status)
		status = check_kernels(c, err);
	if (!status)
		status = sb_cuda_pages_open(ordinal, limit, &c->base.pages, err);
	if (!status)
		status = open_libraries(c, err);
	if (!status)
		status = sb_cuda_plans_open(&c->plans, err);
	if (!status)
		status = open_convolutions(c, err);
	if (!status)
		status = sb_cuda_staging_open(&c->staging, err);
	if (!status)
		status = sb_cuda_watch_open(c, err);
	if (status == SB_E_NOMEM)
		status = explain_no_memory(err);
	if (status) {
		cuda_close(&c->base);
		return sb_wrap(err, "device 'cuda:%d'", ordinal);
	}
	*out = &c->base;
	return SB_OK;
}

/* The device as a card; NVML is opened by the first reading. */
static void cuda_state(struct sb_backend *be, struct sb_device_state *out)
{
	struct cuda *c = (struct cuda *)be;
	struct sb_value none = sb_value_absent("no NVML on this machine");
	struct sb_device_info info;

	if (!c->nvml && !c->no_nvml) {
		be->ops->info(be, &info);
		c->no_nvml = sb_nvml_open(info.uuid, &c->nvml, NULL) != SB_OK;
	}
	if (c->nvml)
		sb_nvml_read(c->nvml, out);
	else
		*out = (struct sb_device_state){ none, none, none, none, none, none, none, none, none, "", 0 };
}

/* ---- what it is ---------------------------------------------------------------------------------------------------
 */

static void format_uuid(const cudaUUID_t *u, char *out, size_t n)
{
	const unsigned char *b = (const unsigned char *)u->bytes;

	snprintf(out, n, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
	        b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* cuDNN's version when this process has it, else "". */
static void cudnn_text(char *out, size_t n)
{
	void *lib = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_NOLOAD);
	size_t (*version)(void) = NULL;
	void *symbol = lib ? dlsym(lib, "cudnnGetVersion") : NULL;

	out[0] = '\0';
	if (!symbol)
		return;
	memcpy(&version, &symbol, sizeof(version));
	snprintf(out, n, ", cuDNN %zu.%zu.%zu", version() / 10000, version() / 100 % 100, version() % 100);
}

/* "580.159.04" from the first line about the kernel's module: the word of digits with a dot. */
static bool module_version(char *out, size_t n)
{
	FILE *f = fopen("/proc/driver/nvidia/version", "r");
	char line[256], *word, *rest = NULL;
	bool found = false;

	if (!f)
		return false;
	word = fgets(line, sizeof(line), f) ? strtok_r(line, " \n", &rest) : NULL;
	for (; word && !found; word = strtok_r(NULL, " \n", &rest)) {
		found = strspn(word, "0123456789.") == strlen(word) && strchr(word, '.');
		if (found)
			snprintf(out, n, "driver %s", word);
	}
	fclose(f);
	return found;
}

/* Without a module to be seen, the newest CUDA that the driver knows. */
static void driver_text(char *out, size_t n)
{
	int driver = 0;

	if (module_version(out, n))
		return;
	cudaDriverGetVersion(&driver);
	snprintf(out, n, "driver for CUDA %d.%d", driver / 1000, driver % 1000 / 10);
}

/* What convolutions run; in brackets why it is not what was asked for. */
static void conv_path_text(const struct cuda *c, char *out, size_t n)
{
	char version[32];

	snprintf(out, n, c->dnn_absent[0] ? "own (no cuDNN: %s)" : "own", c->dnn_absent);
	if (!c->dnn)
		return;
	sb_cuda_dnn_version(c->dnn, version, sizeof(version));
	snprintf(out, n, "cuDNN %s%s", version, c->conv_way == CUDA_CONV_AUTO ? " at tf32, own at fp32" : "");
}

static void cuda_info(const struct sb_backend *be, struct sb_device_info *out)
{
	const struct cuda *c = (const struct cuda *)be;
	size_t blas = cublasLtGetVersion();
	char driver[48], cudnn[48];
	int64_t free_bytes;
	int runtime = 0;

	driver_text(driver, sizeof(driver));
	cudaRuntimeGetVersion(&runtime);
	cudnn_text(cudnn, sizeof(cudnn));
	conv_path_text(c, out->conv_path, sizeof(out->conv_path));
	snprintf(out->name, sizeof(out->name), "%.127s", c->prop.name);
	format_uuid(&c->prop.uuid, out->uuid, sizeof(out->uuid));
	out->kind = "cuda";
	out->capability = c->prop.major * 10 + c->prop.minor;
	cudaGetDeviceCount(&out->devices);
	snprintf(out->software, sizeof(out->software), "%s, CUDA %d.%d, cuBLAS %zu.%zu.%zu%s", driver, runtime / 1000,
	        runtime % 1000 / 10, blas / 10000, blas / 100 % 100, blas % 100, cudnn);
	sb_pages_info(be->pages, &free_bytes, &out->memory_bytes, NULL);
}

/* ---- time ---------------------------------------------------------------------------------------------------------
 */

static void cuda_mark(struct sb_backend *be, int index)
{
	struct cuda *c = (struct cuda *)be;

	cudaEventRecord(c->marks[index], c->stream); /* a failure is sticky: sync reports it */
}

/* From the first mark of the pass. Events tick in about half a microsecond. */
static int64_t cuda_mark_ns(struct sb_backend *be, int index)
{
	struct cuda *c = (struct cuda *)be;
	float ms = 0.0f;

	if (cudaEventElapsedTime(&ms, c->marks[0], c->marks[index]) != cudaSuccess) {
		cudaGetLastError();
		return 0;
	}
	return (int64_t)((double)ms * 1e6);
}

const struct sb_backend_ops sb_backend_cuda_ops = {
	.name = "cuda",
	.open = cuda_open,
	.close = cuda_close,
	.info = cuda_info,
	.submit = sb_cuda_submit,
	.sync = sb_cuda_sync,
	.arrived = sb_cuda_arrived,
	.abandon = sb_cuda_abandon,
	.weight_bytes = sb_cuda_weight_bytes,
	.weight_prepare = sb_cuda_weight_prepare,
	.weight_make = sb_cuda_weight_make,
	.host_alloc = sb_cuda_host_alloc,
	.host_free = sb_cuda_host_free,
	.stream_wait = sb_cuda_stream_wait,
	.stream_done = sb_cuda_stream_done,
	.stream_times = sb_cuda_stream_times,
	.mark = cuda_mark,
	.mark_ns = cuda_mark_ns,
	.stage = sb_cuda_stage,
	.cycles_mark = sb_cuda_cycles_mark,
	.cycles = sb_cuda_cycles,
	.spend = sb_cuda_spend,
	.trace_open = sb_cuda_trace_open,
	.trace_begin = sb_cuda_trace_begin,
	.trace_op = sb_cuda_trace_op,
	.trace_end = sb_cuda_trace_end,
	.state = cuda_state,
	.counter_sets = SB_COUNTER_SETS,
	.counters_open = sb_cuda_counters_open,
	.counters_begin = sb_cuda_counters_begin,
	.counters_class = sb_cuda_counters_class,
	.counters_end = sb_cuda_counters_end,
	.about = sb_cuda_about,
};

/* The one function that is exported. NULL when the caller was built with other structs than this library. */
const struct sb_backend_ops *sb_backend_cuda_entry(uint64_t abi)
{
	return abi == SB_BACKEND_ABI ? &sb_backend_cuda_ops : NULL;
}
