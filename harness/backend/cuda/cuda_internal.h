/*
 * The CUDA backend: libspabench_cuda.so, opened by the process that needs a device (harness/backend/cuda_load.c). It
 * carries its own copy of base and memory, which have no state of their own, and exports one function.
 *
 * One stream. An op's workspace is taken from the arm's allocator before its kernels are queued and given back right
 * after: whoever gets that memory next is queued behind them.
 */
#ifndef SB_CUDA_INTERNAL_H
#define SB_CUDA_INTERNAL_H

#include "sb_backend.h"

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include "cuda_launch.h"

extern const struct sb_backend_ops sb_backend_cuda_ops;

/* What the loader looks up by this name. NULL when the caller was built with other structs than this library. */
__attribute__((visibility("default"))) const struct sb_backend_ops *sb_backend_cuda_entry(uint64_t abi);

struct cuda_slot {
	char *pinned;
	cudaEvent_t done; /* the copy between `pinned` and the device has ended */
	void *dst;        /* a download: where the host wants it; NULL otherwise */
	size_t bytes;
	bool busy;
};

/*
 * Pinned memory between the host's pageable memory and the device, in a ring of small pieces. An upload has left the
 * caller's memory when submit returns; a download has arrived after sync. Submit waits only when all pieces are on
 * their way. There are as many as the results of a clip of 24 frames take: then nothing waits for the host's copies,
 * which are made while the device works on.
 */
#define SB_CUDA_SLOTS      128
#define SB_CUDA_SLOT_BYTES ((size_t)1 << 20)

struct cuda_staging {
	char *memory;
	struct cuda_slot slot[SB_CUDA_SLOTS];
	int next; /* the piece used longest ago */
};

/*
 * SPABENCH_CUDA_CONV: what convolutions run. `own` is what needs no cuDNN: kernels of ours, or windows laid out and a
 * product. Tests ask for either of these two by name, to reach both at every shape. `auto` is the measured choice
 * (kernels/NOTES.md).
 */
enum cuda_conv_way { CUDA_CONV_AUTO, CUDA_CONV_OWN, CUDA_CONV_CUDNN, CUDA_CONV_KERNELS, CUDA_CONV_WINDOWS };

struct sb_cupti;
struct sb_nvml;
struct cuda_counting; /* counting.c */
struct cuda_watch;    /* ranges and clocks: watch.c */
struct cuda_plans;    /* products that were planned: product.c */
struct cuda_dnn;      /* cuDNN, and the convolutions that were planned: cudnn.c */

struct cuda {
	struct sb_backend base; /* first: a sb_backend is its cuda */
	int ordinal;
	struct cudaDeviceProp prop;
	cudaStream_t stream;
	cublasLtHandle_t lt;
	cublasHandle_t blas; /* for attention's batched products */
	struct cuda_plans *plans;
	struct cuda_staging staging;
	struct cuda_watch *watch;
	struct cuda_offload *offload;   /* NULL: nothing is streamed */
	struct sb_cupti *cupti;         /* NULL: not tracing */
	struct cuda_counting *counting; /* NULL: not counting */
	struct sb_nvml *nvml;           /* NULL: not asked yet, or this machine has none */
	bool no_nvml;
	cudaEvent_t marks[SB_MARKS_MAX];
	enum cuda_conv_way conv_way;
	struct cuda_dnn *dnn; /* NULL: not wanted, or no cuDNN that works */
	char dnn_absent[256]; /* why there is none though it was wanted; "" otherwise */
};

/* ---- errors: every code of CUDA and cuBLAS becomes an sb_error here ---------------------------------------------- */

enum sb_status sb_cuda_fail(struct sb_error *err, cudaError_t code, const char *what);
enum sb_status sb_cublas_fail(struct sb_error *err, cublasStatus_t code, const char *what);
/* What a family's entry point returned (cuda_launch.h), not 0. */
enum sb_status sb_launch_fail(struct sb_error *err, int code);

/* After a failure: notes whether the device is lost with it. Returns the status. */
enum sb_status sb_cuda_failed(struct cuda *c, enum sb_status status);

/* The status of a call; SB_OK costs a comparison. */
#define SB_CUDA(err, call) sb_cuda_status((err), (call), #call)
static inline enum sb_status sb_cuda_status(struct sb_error *err, cudaError_t code, const char *what)
{
	return code == cudaSuccess ? SB_OK : sb_cuda_fail(err, code, what);
}

#define SB_CUBLAS(err, call) sb_cublas_status((err), (call), #call)
static inline enum sb_status sb_cublas_status(struct sb_error *err, cublasStatus_t code, const char *what)
{
	return code == CUBLAS_STATUS_SUCCESS ? SB_OK : sb_cublas_fail(err, code, what);
}

/* ---- parts --------------------------------------------------------------------------------------------------------
 */

/* Device memory: segments by cudaMalloc, ranges by virtual memory management. Of the current device. */
enum sb_status sb_cuda_pages_open(int ordinal, int64_t limit_bytes, struct sb_pages **out, struct sb_error *err);

enum sb_status sb_cuda_staging_open(struct cuda_staging *s, struct sb_error *err);
void sb_cuda_staging_close(struct cuda_staging *s);
enum sb_status sb_cuda_upload(struct cuda *c, void *dst, const void *src, size_t bytes, struct sb_error *err);
enum sb_status sb_cuda_download(struct cuda *c, void *dst, const void *src, size_t bytes, struct sb_error *err);

size_t sb_cuda_weight_bytes(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim);
enum sb_status sb_cuda_weight_prepare(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim,
        const float *host, void *dst, struct sb_error *err);
enum sb_status sb_cuda_weight_make(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim,
        const struct sb_value_rule *rule, void *dst, struct sb_error *err);

enum sb_status sb_cuda_plans_open(struct cuda_plans **out, struct sb_error *err);
void sb_cuda_plans_close(struct cuda_plans *p);

/*
 * y = x w^T [+ bias] [relu] [+ residual], by cuBLASLt. What is asked for is done exactly, or nothing is and *done is
 * false: the library has no kernel for it (an epilogue with these strides, say). Strides in floats; residual may be y.
 */
struct cuda_product {
	const float *x, *w, *bias, *residual;
	float *y;
	int64_t rows, in, out, ldx, ldw, ldr, ldy;
	bool relu, tf32;
};
enum sb_status sb_cuda_product(struct cuda *c, const struct cuda_product *p, bool *done, struct sb_error *err);

/* NULL when cuDNN cannot be had, which is a fact about the machine and no error: `why` states it. */
struct cuda_dnn *sb_cuda_dnn_open(cudaStream_t stream, char *why, size_t n);
void sb_cuda_dnn_close(struct cuda_dnn *d);
void sb_cuda_dnn_version(const struct cuda_dnn *d, char *out, size_t n);
/* The whole op, or nothing and *done is false: there is no cuDNN, or it has nothing for this shape. */
enum sb_status sb_cuda_dnn_conv(struct cuda *c, const struct sb_conv_args *a, bool *done, struct sb_error *err);

/* Output pixels of a convolution. */
int64_t sb_cuda_conv_pixels(const struct sb_conv_args *a);
/* Is its epilogue what a library's kernel does at once: bias, then either ReLU or one plain residual? */
bool sb_cuda_conv_fits_product(const struct sb_conv_args *a);
/* The epilogue of output pixels first .. first + rows - 1, whose sums are in v, dense; v may be their place in y. */
enum sb_status sb_cuda_conv_finish(struct cuda *c, const struct sb_conv_args *a, const float *v, int64_t first,
        int64_t rows, struct sb_error *err);

enum sb_status sb_cuda_linear(struct cuda *c, const struct sb_linear_args *a, struct sb_error *err);
enum sb_status sb_cuda_conv(struct cuda *c, const struct sb_conv_args *a, struct sb_error *err);
enum sb_status sb_cuda_conv_transpose(struct cuda *c, const struct sb_conv_transpose_args *a, struct sb_error *err);

/* offload.c: see the members of sb_backend_ops. */
enum sb_status sb_cuda_host_alloc(struct sb_backend *be, size_t bytes, void **out, struct sb_error *err);
void sb_cuda_host_free(struct sb_backend *be, void *ptr);
enum sb_status sb_cuda_stream(struct cuda *c, const struct sb_stream_args *a, struct sb_error *err);
enum sb_status sb_cuda_stream_wait(struct sb_backend *be, int slot, struct sb_error *err);
enum sb_status sb_cuda_stream_done(struct sb_backend *be, int slot, struct sb_error *err);
void sb_cuda_stream_times(struct sb_backend *be, int64_t *copy_ns, int64_t *stall_ns);
enum sb_status sb_cuda_offload_sync(struct cuda *c, struct sb_error *err); /* copies that nobody waits for, too */
void sb_cuda_offload_close(struct cuda *c);                                /* what was not opened, too */

void sb_cuda_about(struct sb_backend_about *out); /* about.c */
enum sb_status sb_cuda_watch_open(struct cuda *c, struct sb_error *err);
void sb_cuda_watch_close(struct cuda *c); /* what was not opened, too */
void sb_cuda_stage(struct sb_backend *be, const char *name);
void sb_cuda_cycles_mark(struct sb_backend *be, bool end);
enum sb_status sb_cuda_spend(struct sb_backend *be, int64_t ns, struct sb_error *err);
void sb_cuda_cycles(struct sb_backend *be, struct sb_device_cycles *out);

enum sb_status sb_cuda_sync(struct sb_backend *be, struct sb_error *err);
void sb_cuda_abandon(struct sb_backend *be);
enum sb_status sb_cuda_arrived(struct sb_backend *be, const void *host, size_t bytes, struct sb_error *err);
enum sb_status sb_cuda_trace_open(struct sb_backend *be, size_t capacity, struct sb_error *err);
enum sb_status sb_cuda_trace_begin(struct sb_backend *be, struct sb_error *err);
void sb_cuda_trace_op(struct sb_backend *be, uint32_t index);
enum sb_status sb_cuda_trace_end(struct sb_backend *be, struct sb_error *err);
enum sb_status sb_cuda_counters_open(struct sb_backend *be, struct sb_error *err);
enum sb_status sb_cuda_counters_begin(struct sb_backend *be, int set, size_t changes, struct sb_error *err);
enum sb_status sb_cuda_counters_class(struct sb_backend *be, enum sb_count_class c, struct sb_error *err);
enum sb_status sb_cuda_counters_end(struct sb_backend *be, struct sb_error *err);
/* Accepts NULL. */
void sb_cuda_counting_close(struct cuda_counting *c);
enum sb_status sb_cuda_submit(struct sb_backend *be, const struct sb_op *op, struct sb_error *err);

/* A fresh launch of the current op; workspace NULL. */
struct sb_cuda_launch sb_cuda_launch_of(const struct cuda *c);
/* After a family's entry point: its code, of CUDA or of cuBLAS, and the name of what ran. */
enum sb_status sb_cuda_launched(struct cuda *c, const struct sb_cuda_launch *l, int code, struct sb_error *err);

static inline enum sb_status sb_cuda_work(struct cuda *c, size_t bytes, void **out, struct sb_error *err)
{
	*out = NULL;
	return bytes ? sb_alloc_malloc(c->base.alloc, (int64_t)bytes, 0, out, err) : SB_OK;
}

static inline void sb_cuda_work_free(struct cuda *c, void *work)
{
	sb_alloc_free(c->base.alloc, work);
}

static inline bool sb_cuda_tf32(const struct cuda *c, enum sb_part part)
{
	return c->base.levels.part[part] == SB_PRECISION_TF32;
}

#endif
