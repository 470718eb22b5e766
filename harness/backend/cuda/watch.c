/*
 * What lets others see and count a pass: ranges of NVTX for tools that are attached, readings of the multiprocessors'
 * clocks for ourselves. Without a tool an NVTX call is a comparison.
 */
#include "cuda_internal.h"
#include "cycles.h"
#include "markers_cuda.h"

#include <nvtx3/nvToolsExt.h>
#include <stdlib.h>
#include <string.h>

/* Twice as many blocks as multiprocessors: so that one of them which is slow to begin is read all the same. */
#define READINGS_A_SM 2

struct cuda_watch {
	nvtxDomainHandle_t domain; /* NULL: no tool is attached */
	bool in_range;
	struct sb_marker *readings; /* [2][n], pinned: before, behind; NULL: they could not be made */
	int n;
};

enum sb_status sb_cuda_watch_open(struct cuda *c, struct sb_error *err)
{
	struct cuda_watch *w = calloc(1, sizeof(*w));
	size_t bytes;

	if (!w)
		return sb_fail(err, SB_E_NOMEM, "no memory for the CUDA backend");
	c->watch = w;
	w->domain = nvtxDomainCreateA("spabench");
	w->n = READINGS_A_SM * c->prop.multiProcessorCount;
	bytes = 2 * (size_t)w->n * sizeof(*w->readings);
	if (SB_CUDA(err, cudaMallocHost((void **)&w->readings, bytes)))
		return err->code;
	memset(w->readings, 0, bytes);
	return SB_OK;
}

void sb_cuda_watch_close(struct cuda *c)
{
	struct cuda_watch *w = c->watch;

	if (!w)
		return;
	if (w->in_range)
		nvtxDomainRangePop(w->domain);
	nvtxDomainDestroy(w->domain);
	cudaFreeHost(w->readings);
	free(w);
	c->watch = NULL;
}

void sb_cuda_stage(struct sb_backend *be, const char *name)
{
	struct cuda_watch *w = ((struct cuda *)be)->watch;
	nvtxEventAttributes_t a = { .version = NVTX_VERSION,
		.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE,
		.messageType = NVTX_MESSAGE_TYPE_ASCII,
		.message.ascii = name };

	if (w->in_range)
		nvtxDomainRangePop(w->domain);
	w->in_range = name != NULL;
	if (name)
		nvtxDomainRangePushEx(w->domain, &a);
}

void sb_cuda_cycles_mark(struct sb_backend *be, bool end)
{
	struct cuda *c = (struct cuda *)be;
	struct cuda_watch *w = c->watch;
	struct sb_markers_args a = { .out = w->readings + (end ? w->n : 0), .n = w->n };
	struct sb_cuda_launch l = sb_cuda_launch_of(c);

	(void)sb_markers_cuda(&a, &l); /* a failure is sticky: sync reports it */
}

enum sb_status sb_cuda_spend(struct sb_backend *be, int64_t ns, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	struct sb_cuda_launch l = sb_cuda_launch_of(c);

	(void)sb_spin_cuda(c->watch->n, ns, &l); /* a failure is sticky: sync reports it */
	return be->ops->sync(be, err);
}

void sb_cuda_cycles(struct sb_backend *be, struct sb_device_cycles *out)
{
	const struct cuda_watch *w = ((struct cuda *)be)->watch;

	sb_cycles_between(w->readings, w->readings + w->n, w->n, out);
}
