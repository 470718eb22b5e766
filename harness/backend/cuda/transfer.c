/* Between host and device: see struct cuda_staging. And the weights, which come this way once. */
#include "cuda_internal.h"

#include <math.h>
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

/* ---- weights ------------------------------------------------------------------------------------------------------
 */

size_t sb_cuda_weight_bytes(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim)
{
	size_t n = sizeof(float);

	(void)be;
	(void)use;
	for (int i = 0; i < ndim; i++)
		n *= (size_t)shape[i];
	return n;
}

/* dst[a, c, d, b] = src[a, b, c, d]: convolution weights with the channels last. */
static void channels_last(const int64_t *s, const float *src, float *dst)
{
	const int64_t kernel = s[2] * s[3];

	for (int64_t a = 0; a < s[0]; a++)
		for (int64_t k = 0; k < kernel; k++)
			for (int64_t b = 0; b < s[1]; b++)
				*dst++ = src[(a * s[1] + b) * kernel + k];
}

/* dst[c, d, b, a] = src[a, b, c, d]: transposed convolution, one [cout, cin] matrix a place in the block. */
static void blocks_first(const int64_t *s, const float *src, float *dst)
{
	const int64_t kernel = s[2] * s[3];

	for (int64_t k = 0; k < kernel; k++)
		for (int64_t b = 0; b < s[1]; b++)
			for (int64_t a = 0; a < s[0]; a++)
				*dst++ = src[(a * s[1] + b) * kernel + k];
}

/* To TF32, to nearest, ties away from zero. */
static void round_to_tf32(float *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		if (!isfinite(x[i]))
			continue;
		memcpy(&bits, &x[i], sizeof(bits));
		bits = (bits + 0x1000u) & ~UINT32_C(0x1fff);
		memcpy(&x[i], &bits, sizeof(bits));
	}
}

/*
 * Laid out as for the CPU. Those of convolutions are rounded for tf32, which kernels of ours then need not do for every
 * pixel; the library's products round their operands themselves.
 */
enum sb_status sb_cuda_weight_prepare(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim,
        const float *host, void *dst, struct sb_error *err)
{
	size_t bytes = sb_cuda_weight_bytes(be, use, shape, ndim);
	float *laid;
	enum sb_status status;

	if (use != SB_WEIGHT_CONV && use != SB_WEIGHT_CONV_TRANSPOSE)
		return sb_cuda_upload((struct cuda *)be, dst, host, bytes, err);
	if (ndim != 4)
		SB_BUG("a convolution's weight has %d dimensions", ndim);
	laid = malloc(bytes);
	if (!laid)
		return sb_fail(err, SB_E_NOMEM, "no memory to lay out %zu bytes of weights", bytes);
	if (use == SB_WEIGHT_CONV)
		channels_last(shape, host, laid);
	else
		blocks_first(shape, host, laid);
	if (be->levels.part[SB_PART_PRECISION_CONV] == SB_PRECISION_TF32)
		round_to_tf32(laid, bytes / sizeof(*laid));
	status = sb_cuda_upload((struct cuda *)be, dst, laid, bytes, err);
	free(laid);
	return status;
}
