/* The weights: laid out by the host and brought to the device once, or made there by a rule. */
#include "cuda_internal.h"
#include "weights_cuda.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

enum sb_status sb_cuda_weight_make(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim,
        const struct sb_value_rule *rule, void *dst, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;
	struct sb_cuda_launch l = sb_cuda_launch_of(c);
	struct sb_weights_made_args a = {
		.out = dst,
		.shape = { (int64_t)(sb_cuda_weight_bytes(be, use, shape, ndim) / sizeof(float)), 1, 1 },
		.key = rule->key,
		.scale = rule->scale,
		.offset = rule->offset,
	};
	int code;

	if (use == SB_WEIGHT_CONV || use == SB_WEIGHT_CONV_TRANSPOSE) {
		if (ndim != 4)
			SB_BUG("a convolution's weight has %d dimensions", ndim);
		a.layout = use == SB_WEIGHT_CONV ? SB_WEIGHTS_CHANNELS_LAST : SB_WEIGHTS_BLOCKS_FIRST;
		a.shape[0] = shape[0];
		a.shape[1] = shape[1];
		a.shape[2] = shape[2] * shape[3];
		a.rounded = be->levels.part[SB_PART_PRECISION_CONV] == SB_PRECISION_TF32;
	}
	code = sb_weights_made_cuda(&a, &l);
	return code ? sb_cuda_failed(c, sb_launch_fail(err, code)) : SB_OK;
}
