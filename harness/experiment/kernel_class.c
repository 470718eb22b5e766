#include "kernel_class.h"

#include "sb_base.h"

#include <string.h>

/* The first row whose words are all in the name decides. */
static const struct {
	const char *word, *and;
	enum sb_kernel_class class;
} rules[] = {
	/* ours */
	{ "3xtf32", "", SB_KERNEL_FP32 },
	{ "attention_efficient", ",1>", SB_KERNEL_TF32 }, /* the last number: products for each */
	{ "attention_softmax", "", SB_KERNEL_OTHER },
	{ "corr_weights", "", SB_KERNEL_OTHER },
	{ "tf32", "", SB_KERNEL_TF32 }, /* libraries' too: xmma .._tf32f32_.., tf32gemm, s1688tf32 */
	{ "attention_", "", SB_KERNEL_FP32 },
	{ "corr", "", SB_KERNEL_FP32 },
	{ "conv_im2col", "", SB_KERNEL_FP32 }, /* the CPU's; CUDA's "im2col" is a copy */
	{ "conv_transpose", "", SB_KERNEL_FP32 },
	{ "conv_fp32", "", SB_KERNEL_FP32 },
	/* cuBLAS and cuDNN */
	{ "s1688gemm", "", SB_KERNEL_TF32 }, /* there, in CUTLASS's own naming this would be three products */
	{ "s1688fprop", "", SB_KERNEL_TF32 },
	{ "16816", "", SB_KERNEL_OTHER }, /* half precision on tensor cores: neither of the two */
	{ "1688gemm_f16", "", SB_KERNEL_OTHER },
	{ "splitK", "", SB_KERNEL_OTHER }, /* adds up parts of a product */
	{ "sgemm", "", SB_KERNEL_FP32 },
	{ "simt", "", SB_KERNEL_FP32 },
	{ "ffma", "", SB_KERNEL_FP32 },
	{ "f32f32_f32f32_f32", "", SB_KERNEL_FP32 },
	{ "gemmSN", "", SB_KERNEL_FP32 },
	{ "gemv", "", SB_KERNEL_FP32 },
	{ "gemm", "", SB_KERNEL_FP32 },
	{ "convolve", "", SB_KERNEL_FP32 },
};

enum sb_kernel_class sb_kernel_class_of(const char *name)
{
	for (size_t i = 0; i < SB_ARRAY_LEN(rules); i++)
		if (strstr(name, rules[i].word) && strstr(name, rules[i].and))
			return rules[i].class;
	return SB_KERNEL_OTHER;
}
