/* Between host and device: see struct cuda_staging. */
#include "cuda_internal.h"

#include <stdlib.h>
#include <string.h>

enum sb_status sb_cuda_staging_open(struct cuda_staging *s, struct sb_error *err)
{
	enum sb_status status;

	/* Written and read by the processor alike, so not write-combined. */
	status = SB_CUDA(err, cudaMallocHost((void **)&s->memory, SB_CUDA_SLOTS * SB_CUDA_SLOT_BYTES));
	for (int i = 0; i < SB_CUDA_SLOTS && !status; i++) {
		s->slot[i].pinned = s->memory + (size_t)i * SB_CUDA_SLOT_BYTES;
		status = SB_CUDA(err, cudaEventCreateWithFlags(&s->slot[i].done, cudaEventDisableTiming));
	}
	return status;
}

void sb_cuda_staging_close(struct cuda_staging *s)
{
	for (int i = 0; i < SB_CUDA_SLOTS; i++)
		if (s->slot[i].done)
			cudaEventDestroy(s->slot[i].done);
	cudaFreeHost(s->memory);
}

/* Its copy has ended: a download goes on to where it is wanted. */
static void empty_slot(struct cuda_slot *slot)
{
	if (slot->dst)
		memcpy(slot->dst, slot->pinned, slot->bytes);
	slot->dst = NULL;
	slot->busy = false;
}

/* By all threads: one alone copies at a tenth of what the bus carries. Their copies have ended. */
static void empty_slots(struct cuda_staging *s, const int *which, int n)
{
#pragma omp parallel for schedule(static) if (n > 1)
	for (int i = 0; i < n; i++)
		empty_slot(&s->slot[which[i]]);
}

/* Whatever has ended, the oldest first; what is behind one that is still on its way is so too. Waits for nothing. */
static void empty_ended(struct cuda_staging *s)
{
	int which[SB_CUDA_SLOTS], n = 0;

	for (int i = 0; i < SB_CUDA_SLOTS; i++) {
		int k = (s->next + i) % SB_CUDA_SLOTS;

		if (!s->slot[k].busy)
			continue;
		if (cudaEventQuery(s->slot[k].done) != cudaSuccess) {
			cudaGetLastError(); /* "not ready" is no error; a fault shows at the next wait */
			break;
		}
		which[n++] = k;
	}
	empty_slots(s, which, n);
}

/* The next piece of the ring, empty. */
static enum sb_status take_slot(struct cuda_staging *s, struct cuda_slot **out, struct sb_error *err)
{
	struct cuda_slot *slot = &s->slot[s->next];
	enum sb_status status = SB_OK;

	if (slot->busy) {
		status = SB_CUDA(err, cudaEventSynchronize(slot->done));
		if (status)
			return status;
		empty_ended(s);
	}
	s->next = (s->next + 1) % SB_CUDA_SLOTS;
	*out = slot;
	return SB_OK;
}

static enum sb_status slot_sent(struct cuda *c, struct cuda_slot *slot, struct sb_error *err)
{
	slot->busy = true;
	return SB_CUDA(err, cudaEventRecord(slot->done, c->stream));
}

/* Pieces stay busy: the device may still write into them, so whoever takes one waits for it. */
void sb_cuda_abandon(struct sb_backend *be)
{
	struct cuda_staging *s = &((struct cuda *)be)->staging;

	for (int i = 0; i < SB_CUDA_SLOTS; i++)
		s->slot[i].dst = NULL;
}

/* Pieces that are filled at once, by as many threads. */
#define BATCH 16

struct piece {
	struct cuda_slot *slot;
	size_t at, bytes;
};

static enum sb_status upload_batch(
        struct cuda *c, char *dst, const char *src, struct piece *pieces, int n, struct sb_error *err)
{
	enum sb_status status = SB_OK;

	for (int i = 0; i < n && !status; i++)
		status = take_slot(&c->staging, &pieces[i].slot, err);
	if (status)
		return status;
#pragma omp parallel for schedule(static) if (n > 1)
	for (int i = 0; i < n; i++)
		memcpy(pieces[i].slot->pinned, src + pieces[i].at, pieces[i].bytes);
	for (int i = 0; i < n && !status; i++) {
		struct piece *p = &pieces[i];

		status = SB_CUDA(err,
		        cudaMemcpyAsync(dst + p->at, p->slot->pinned, p->bytes, cudaMemcpyHostToDevice, c->stream));
		if (!status)
			status = slot_sent(c, p->slot, err);
	}
	return status;
}

enum sb_status sb_cuda_upload(struct cuda *c, void *dst, const void *src, size_t bytes, struct sb_error *err)
{
	struct piece pieces[BATCH];
	enum sb_status status = SB_OK;

	for (size_t at = 0; at < bytes && !status;) {
		int n = 0;

		for (; n < BATCH && at < bytes; n++) {
			size_t left = bytes - at;

			pieces[n] = (struct piece){ NULL, at, left < SB_CUDA_SLOT_BYTES ? left : SB_CUDA_SLOT_BYTES };
			at += pieces[n].bytes;
		}
		status = upload_batch(c, dst, src, pieces, n, err);
	}
	return status;
}

enum sb_status sb_cuda_download(struct cuda *c, void *dst, const void *src, size_t bytes, struct sb_error *err)
{
	for (size_t at = 0; at < bytes; at += SB_CUDA_SLOT_BYTES) {
		size_t n = bytes - at < SB_CUDA_SLOT_BYTES ? bytes - at : SB_CUDA_SLOT_BYTES;
		struct cuda_slot *slot;
		enum sb_status status = take_slot(&c->staging, &slot, err);

		if (!status)
			status = SB_CUDA(err, cudaMemcpyAsync(slot->pinned, (const char *)src + at, n,
			                              cudaMemcpyDeviceToHost, c->stream));
		if (!status) {
			slot->dst = (char *)dst + at;
			slot->bytes = n;
			status = slot_sent(c, slot, err);
		}
		if (status)
			return status;
	}
	return SB_OK;
}

static enum sb_status transfer_failed(struct cuda *c, enum sb_status status)
{
	sb_cuda_abandon(&c->base);
	return sb_cuda_failed(c, status);
}

/* What has arrived already is copied while the device is still at work. */
enum sb_status sb_cuda_sync(struct sb_backend *be, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	enum sb_status status;

	empty_ended(&c->staging);
	status = SB_CUDA(err, cudaStreamSynchronize(c->stream));
	if (!status)
		status = sb_cuda_offload_sync(c, err);
	if (status)
		return transfer_failed(c, status);
	empty_ended(&c->staging);
	return SB_OK;
}

enum sb_status sb_cuda_arrived(struct sb_backend *be, const void *host, size_t bytes, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	struct cuda_staging *s = &c->staging;
	const uintptr_t begin = (uintptr_t)host;
	int which[SB_CUDA_SLOTS], n = 0;
	enum sb_status status;

	for (int i = 0; i < SB_CUDA_SLOTS; i++) {
		int k = (s->next + i) % SB_CUDA_SLOTS;
		const uintptr_t dst = s->slot[k].busy ? (uintptr_t)s->slot[k].dst : 0;

		if (dst && dst < begin + bytes && dst + s->slot[k].bytes > begin)
			which[n++] = k;
	}
	if (n == 0)
		return SB_OK;
	status = SB_CUDA(err, cudaEventSynchronize(s->slot[which[n - 1]].done)); /* the others are older */
	if (status)
		return transfer_failed(c, status);
	empty_slots(s, which, n);
	return SB_OK;
}
