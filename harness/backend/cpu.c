/*
 * The CPU backend: the reference for every other one, and the default where there is no GPU. Products by OpenBLAS,
 * the rest by OpenMP loops; "device memory" is host memory from a page provider, so that both allocators are real.
 * precision=tf32 is emulated: operands are rounded, products stay FP32, so it has the numerics and not the speed.
 */
#include "backend_internal.h"

#include <cblas.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cpu {
	struct sb_backend base;
	int64_t mark_ns[SB_MARKS_MAX];
};

static enum sb_status cpu_open(int ordinal, int64_t limit, struct sb_backend **out, struct sb_error *err)
{
	struct cpu *cpu = calloc(1, sizeof(*cpu));

	if (ordinal != 0) {
		free(cpu);
		return sb_fail(err, SB_E_ENV, "device 'cpu:%d' does not exist; there is one CPU device", ordinal);
	}
	if (!cpu)
		return sb_fail(err, SB_E_NOMEM, "no memory for the CPU backend");
	if (sb_pages_host_open(limit, &cpu->base.pages, err)) {
		free(cpu);
		return err->code;
	}
	cpu->base.ops = &sb_backend_cpu;
	*out = &cpu->base;
	return SB_OK;
}

static void cpu_close(struct sb_backend *be)
{
	sb_pages_close(be->pages);
	free(be);
}

/* "model name" of /proc/cpuinfo, or the architecture's word when there is none. */
static void cpu_model(char *out, size_t n)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(out, n, "CPU");
	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (!colon || strncmp(line, "model name", 10))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(out, n, "%s", colon + 2);
		break;
	}
	if (f)
		fclose(f);
}

static void cpu_info(const struct sb_backend *be, struct sb_device_info *out)
{
	int64_t free_bytes, total_bytes;

	cpu_model(out->name, sizeof(out->name));
	out->kind = "cpu";
	snprintf(out->software, sizeof(out->software), "%s; %d OpenMP threads", openblas_get_config(),
	        omp_get_max_threads());
	out->emulated_parts =
	        1u << SB_PART_PRECISION_GEMM | 1u << SB_PART_PRECISION_CONV | 1u << SB_PART_PRECISION_ATTENTION;
	if (!sb_pages_info(be->pages, &free_bytes, &total_bytes, NULL))
		out->memory_bytes = total_bytes;
}

static enum sb_status cpu_submit(struct sb_backend *be, const struct sb_op *op, struct sb_error *err)
{
	switch (op->id) {
#define SB_OP_CASE(ID, member, kind, args) \
	case SB_OP_##ID:                   \
		return sb_cpu_##member(be, &op->u.member, err);
		SB_OPS(SB_OP_CASE)
#undef SB_OP_CASE
	case SB_OP_COUNT:
		break;
	}
	SB_BUG("op %d", (int)op->id);
}

static enum sb_status cpu_sync(struct sb_backend *be, struct sb_error *err)
{
	(void)be;
	(void)err;
	return SB_OK;
}

static size_t cpu_weight_bytes(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim)
{
	size_t n = sizeof(float);

	(void)be;
	(void)use;
	for (int i = 0; i < ndim; i++)
		n *= (size_t)shape[i];
	return n;
}

/* Weights smaller than this are prepared by one thread. */
#define PARALLEL_MIN 65536

/* By all threads: the first to touch the destination also gets its pages, which costs more than the copy. */
static void copy(const float *src, size_t n, float *dst)
{
	const size_t piece = 1 << 18, pieces = (n + piece - 1) / piece;

#pragma omp parallel for schedule(static) if (pieces > 1)
	for (size_t i = 0; i < pieces; i++)
		memcpy(dst + i * piece, src + i * piece,
		        (n - i * piece < piece ? n - i * piece : piece) * sizeof(float));
}

/* dst[a, c, d, b] = src[a, b, c, d]: convolution weights with the channels last. */
static void channels_last(const int64_t *s, const float *src, float *dst)
{
	const int64_t kernel = s[2] * s[3];

#pragma omp parallel for schedule(static) if (s[0] * s[1] * kernel >= PARALLEL_MIN)
	for (int64_t a = 0; a < s[0]; a++)
		for (int64_t b = 0; b < s[1]; b++)
			for (int64_t k = 0; k < kernel; k++)
				dst[(a * kernel + k) * s[1] + b] = src[(a * s[1] + b) * kernel + k];
}

/* dst[c, d, b, a] = src[a, b, c, d]: transposed convolution, one [cout, cin] matrix a place in the block. */
static void blocks_first(const int64_t *s, const float *src, float *dst)
{
	const int64_t kernel = s[2] * s[3];

#pragma omp parallel for schedule(static) if (s[0] * s[1] * kernel >= PARALLEL_MIN)
	for (int64_t b = 0; b < s[1]; b++)
		for (int64_t k = 0; k < kernel; k++)
			for (int64_t a = 0; a < s[0]; a++)
				dst[(k * s[1] + b) * s[0] + a] = src[(a * s[1] + b) * kernel + k];
}

static enum sb_status cpu_weight_prepare(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim,
        const float *host, void *dst, struct sb_error *err)
{
	enum sb_part part = use == SB_WEIGHT_LINEAR ? SB_PART_PRECISION_GEMM : SB_PART_PRECISION_CONV;
	size_t bytes = cpu_weight_bytes(be, use, shape, ndim);

	(void)err;
	if ((use == SB_WEIGHT_CONV || use == SB_WEIGHT_CONV_TRANSPOSE) && ndim != 4)
		SB_BUG("a convolution's weight has %d dimensions", ndim);
	if (use == SB_WEIGHT_CONV)
		channels_last(shape, host, dst);
	else if (use == SB_WEIGHT_CONV_TRANSPOSE)
		blocks_first(shape, host, dst);
	else
		copy(host, bytes / sizeof(float), dst);
	if (use != SB_WEIGHT_PLAIN && be->levels.part[part] == SB_PRECISION_TF32)
		sb_tf32_round_cpu(dst, dst, bytes / sizeof(float));
	return SB_OK;
}

static void cpu_mark(struct sb_backend *be, int index)
{
	((struct cpu *)be)->mark_ns[index] = sb_now_ns();
}

static int64_t cpu_mark_ns(struct sb_backend *be, int index)
{
	return ((struct cpu *)be)->mark_ns[index];
}

const struct sb_backend_ops sb_backend_cpu = {
	.name = "cpu",
	.open = cpu_open,
	.close = cpu_close,
	.info = cpu_info,
	.submit = cpu_submit,
	.sync = cpu_sync,
	.weight_bytes = cpu_weight_bytes,
	.weight_prepare = cpu_weight_prepare,
	.mark = cpu_mark,
	.mark_ns = cpu_mark_ns,
};
