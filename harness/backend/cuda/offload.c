/*
 * Weights that come from the host while the device works: a stream of copies of its own beside the stream of work, and
 * events between the two. The host waits for neither. Opened by the first use.
 */
#include "cuda_internal.h"

#include <stdlib.h>

#define SLOTS      2
#define COPIES_MAX 4096 /* of a pass that are timed; a churn of the full network has 2112 */

struct timed {
	cudaEvent_t begin, end;
};

struct cuda_offload {
	cudaStream_t stream;
	cudaEvent_t arrived[SLOTS]; /* the last copy into the slot has ended */
	cudaEvent_t free[SLOTS];    /* the work that read the slot has ended */
	struct timed copy[COPIES_MAX], stall[COPIES_MAX];
	int n_copies, n_stalls; /* of this pass */
	int made_copies, made_stalls;
};

static enum sb_status open_events(struct cuda_offload *o, struct sb_error *err)
{
	enum sb_status status = SB_CUDA(err, cudaStreamCreateWithFlags(&o->stream, cudaStreamNonBlocking));

	for (int i = 0; i < SLOTS && !status; i++) {
		status = SB_CUDA(err, cudaEventCreateWithFlags(&o->arrived[i], cudaEventDisableTiming));
		if (!status)
			status = SB_CUDA(err, cudaEventCreateWithFlags(&o->free[i], cudaEventDisableTiming));
	}
	return status;
}

/* The first memory that is asked for opens it: outside any pass. */
static enum sb_status offload_open(struct cuda *c, struct sb_error *err)
{
	if (c->offload)
		return SB_OK;
	c->offload = calloc(1, sizeof(*c->offload));
	if (!c->offload)
		return sb_fail(err, SB_E_NOMEM, "no memory for the stream of copies");
	if (open_events(c->offload, err)) {
		sb_cuda_offload_close(c);
		return err->code;
	}
	return SB_OK;
}

static void close_timed(struct timed *t)
{
	if (t->begin)
		cudaEventDestroy(t->begin);
	if (t->end)
		cudaEventDestroy(t->end);
}

void sb_cuda_offload_close(struct cuda *c)
{
	struct cuda_offload *o = c->offload;

	if (!o)
		return;
	if (o->stream)
		cudaStreamSynchronize(o->stream);
	for (int i = 0; i < SLOTS; i++) {
		if (o->arrived[i])
			cudaEventDestroy(o->arrived[i]);
		if (o->free[i])
			cudaEventDestroy(o->free[i]);
	}
	for (int i = 0; i < COPIES_MAX; i++) {
		close_timed(&o->copy[i]);
		close_timed(&o->stall[i]);
	}
	if (o->stream)
		cudaStreamDestroy(o->stream);
	free(o);
	c->offload = NULL;
}

enum sb_status sb_cuda_offload_sync(struct cuda *c, struct sb_error *err)
{
	return c->offload ? SB_CUDA(err, cudaStreamSynchronize(c->offload->stream)) : SB_OK;
}

enum sb_status sb_cuda_host_alloc(struct sb_backend *be, size_t bytes, void **out, struct sb_error *err)
{
	cudaError_t code;

	if (offload_open((struct cuda *)be, err))
		return err->code;
	code = cudaMallocHost(out, bytes);
	if (code == cudaSuccess)
		return SB_OK;
	cudaGetLastError();
	return sb_fail(err, code == cudaErrorMemoryAllocation ? SB_E_NOMEM : SB_E_DEVICE,
	        "cannot pin %zu bytes of host memory for offloaded weights: %s; free host memory, or run without "
	        "offload",
	        bytes, cudaGetErrorString(code));
}

void sb_cuda_host_free(struct sb_backend *be, void *ptr)
{
	(void)be;
	cudaFreeHost(ptr);
}

/* The next pair of events, made when it is wanted for the first time: in the cold pass. NULL: no more are timed. */
static struct timed *next_timed(struct timed *all, int *n, int *made)
{
	struct timed *t = &all[*n];

	if (*n == COPIES_MAX)
		return NULL;
	if (*n == *made) {
		if (cudaEventCreate(&t->begin) != cudaSuccess || cudaEventCreate(&t->end) != cudaSuccess) {
			cudaGetLastError();
			return NULL;
		}
		(*made)++;
	}
	(*n)++;
	return t;
}

enum sb_status sb_cuda_stream(struct cuda *c, const struct sb_stream_args *a, struct sb_error *err)
{
	struct cuda_offload *o = c->offload;
	struct timed *t;
	enum sb_status status;

	if (!o || a->slot < 0 || a->slot >= SLOTS)
		SB_BUG("weights streamed into slot %d", a->slot);
	if (c->base.streamed_bytes == (int64_t)a->bytes) /* the first of a pass */
		o->n_copies = o->n_stalls = 0;
	/* An event that was never recorded holds nobody up: the first copies of a process. */
	status = SB_CUDA(err, cudaStreamWaitEvent(o->stream, o->free[a->slot], 0));
	t = status ? NULL : next_timed(o->copy, &o->n_copies, &o->made_copies);
	if (!status && t)
		status = SB_CUDA(err, cudaEventRecord(t->begin, o->stream));
	if (!status)
		status = SB_CUDA(err, cudaMemcpyAsync(a->dst, a->src, a->bytes, cudaMemcpyHostToDevice, o->stream));
	if (!status && t)
		status = SB_CUDA(err, cudaEventRecord(t->end, o->stream));
	if (!status)
		status = SB_CUDA(err, cudaEventRecord(o->arrived[a->slot], o->stream));
	return status;
}

/* The stream of work stands still between the two events of the stall for as long as the copy is not there. */
enum sb_status sb_cuda_stream_wait(struct sb_backend *be, int slot, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	struct cuda_offload *o = c->offload;
	struct timed *t = next_timed(o->stall, &o->n_stalls, &o->made_stalls);
	enum sb_status status = t ? SB_CUDA(err, cudaEventRecord(t->begin, c->stream)) : SB_OK;

	if (!status)
		status = SB_CUDA(err, cudaStreamWaitEvent(c->stream, o->arrived[slot], 0));
	if (!status && t)
		status = SB_CUDA(err, cudaEventRecord(t->end, c->stream));
	return status;
}

enum sb_status sb_cuda_stream_done(struct sb_backend *be, int slot, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;

	return SB_CUDA(err, cudaEventRecord(c->offload->free[slot], c->stream));
}

static int64_t sum_ns(const struct timed *t, int n)
{
	double sum = 0.0;

	for (int i = 0; i < n; i++) {
		float ms = 0.0f;

		if (cudaEventElapsedTime(&ms, t[i].begin, t[i].end) != cudaSuccess)
			cudaGetLastError();
		sum += (double)ms * 1e6;
	}
	return (int64_t)sum;
}

void sb_cuda_stream_times(struct sb_backend *be, int64_t *copy_ns, int64_t *stall_ns)
{
	const struct cuda_offload *o = ((struct cuda *)be)->offload;

	*copy_ns = o ? sum_ns(o->copy, o->n_copies) : 0;
	*stall_ns = o ? sum_ns(o->stall, o->n_stalls) : 0;
}
