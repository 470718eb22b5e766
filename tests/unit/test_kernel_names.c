/* What kernels are called, and what that says of their products. */
#include "evidence.h"
#include "kernel_class.h"
#include "kernel_name.h"

#include "sb_base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names_become_readable(void **state)
{
	static const char *const cases[][2] = {
		{ "_Z19attention_efficientILi64ELi2ELi3EEv7problem", "attention_efficient<64,2,3>" },
		{ "_Z16track_neighboursI6float4Ev18sb_neighbours_argsil", "track_neighbours<float4>" },
		{ "_Z8scale_upIfLb1ELin5EEvPf", "scale_up<float,1,-5>" },
		{ "_Z15corr_layer_tf325layer", "corr_layer_tf32" },
		{ "_ZN7cutlass7Kernel2I52cutlass_80_tensorop_s1688gemm_128x256_32x3_tn_align1EEvNT_6ParamsE",
		        "cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_128x256_32x3_tn_align1>" },
		{ "_ZN8cublasLt19splitKreduce_kernelILi32ELi16EiffLb0EEEvNS_18cublasSplitKParamsIT4_EE",
		        "cublasLt::splitKreduce_kernel<32,16,int,float,float,0>" },
		{ "_Z17gemv2T_kernel_valIiLi128E18cublasGemvParamsExIiEEvT11_",
		        "gemv2T_kernel_val<int,128,cublasGemvParamsEx,..>" },
		{ "_Z3fooIT_EvPf", "foo<..>" },
		{ "_Z3fooILi5", "foo<..>" },
		/* not mangled, or not so: they stay */
		{ "sm90_xmma_gemm_f32f32_tf32f32_f32_tn_n", "sm90_xmma_gemm_f32f32_tf32f32_f32_tn_n" },
		{ "_ZNKSt3fooEv", "_ZNKSt3fooEv" },
		{ "_Z99short", "_Z99short" },
		{ "_Z", "_Z" },
		{ "", "" },
	};
	char out[128];

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		sb_kernel_name(cases[i][0], out, sizeof(out));
		assert_string_equal(out, cases[i][1]);
	}
	sb_kernel_name("_Z19attention_efficientILi64EEv", out, 10);
	assert_string_equal(out, "attention");
}

static void names_tell_the_precision(void **state)
{
	static const struct {
		const char *name;
		enum sb_kernel_class class;
	} cases[] = {
		/* ours on the CPU */
		{ "sgemm", SB_KERNEL_FP32 },
		{ "sgemm_tf32_emulated", SB_KERNEL_TF32 },
		{ "conv_im2col", SB_KERNEL_FP32 },
		{ "conv_fp32<8,3,0>", SB_KERNEL_FP32 },
		{ "conv_tf32<128,64,1>", SB_KERNEL_TF32 },
		{ "conv_transpose_tf32_emulated", SB_KERNEL_TF32 },
		{ "attention_standard", SB_KERNEL_FP32 },
		{ "attention_efficient_tf32_emulated", SB_KERNEL_TF32 },
		{ "corr", SB_KERNEL_FP32 },
		{ "layer_norm", SB_KERNEL_OTHER },
		/* ours on CUDA */
		{ "attention_efficient<64,2,64,32,3>", SB_KERNEL_FP32 },
		{ "attention_efficient<64,2,64,32,1>", SB_KERNEL_TF32 },
		{ "attention_efficient_small<16,2,1>", SB_KERNEL_TF32 },
		{ "attention_small_scores", SB_KERNEL_FP32 },
		{ "attention_small_scores_tf32<16,2>", SB_KERNEL_TF32 },
		{ "attention_softmax<4,512,10>", SB_KERNEL_OTHER },
		{ "corr_volume_ffma<0>", SB_KERNEL_FP32 },
		{ "corr_layer_tf32", SB_KERNEL_TF32 },
		{ "corr_weights<1>", SB_KERNEL_OTHER },
		{ "im2col<float>", SB_KERNEL_OTHER },
		{ "epilogue<unsigned>", SB_KERNEL_OTHER },
		{ "memcpy HtoD", SB_KERNEL_OTHER },
		/* cuBLAS and cuDNN */
		{ "sm90_xmma_gemm_f32f32_tf32f32_f32_tn_n_tilesize128x128x32_warpgroupsize1x1x1_cublas",
		        SB_KERNEL_TF32 },
		{ "ampere_h16816gemm_128x64_ldg8_stages_64x3_tn", SB_KERNEL_OTHER },
		{ "sm80_xmma_gemm_f32f32_tf32f32_f32_tn_n_tilesize64x64_tensor16x8x8_cublas", SB_KERNEL_TF32 },
		{ "cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_128x64_32x3_tn_align4>", SB_KERNEL_TF32 },
		{ "ampere_sgemm_128x128_tn", SB_KERNEL_FP32 },
		{ "cutlass::Kernel2<cutlass_80_simt_sgemm_256x128_8x4_tn_align1>", SB_KERNEL_FP32 },
		{ "sm80_xmma_gemm_f32f32_f32f32_f32_tn_n_tilesize32x32x8_ffma_cublas", SB_KERNEL_FP32 },
		{ "cublasLt::splitKreduce_kernel<32,16,int,float,float,0>", SB_KERNEL_OTHER },
		{ "cublasLt::epilogue::impl::globalKernel<8,32,float,float,1>", SB_KERNEL_OTHER },
		{ "implicit_convolve_sgemm", SB_KERNEL_FP32 },
		{ "sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nhwc", SB_KERNEL_TF32 },
		{ "sm90_xmma_fprop_implicit_gemm_f32f32_tf32f32_f32_nhwckrsc_nhwc_tilesize128x128x32_cudnn",
		        SB_KERNEL_TF32 },
		{ "sm80_xmma_fprop_implicit_gemm_f32f32_f32f32_f32_nchwkcrs_nchw_tilesize128x32x8_ffma_cudnn",
		        SB_KERNEL_FP32 },
		{ "convolve_common_engine_float_NHWC<float,float,1024,5,5,3,3,3,1,0,0,0,0>", SB_KERNEL_FP32 },
		{ "cudnn::engines_precompiled::nhwcToNchwKernel<float,float,float,1,0,..>", SB_KERNEL_OTHER },
		{ "cask_plugin__5x_cudnn::xmma__5x_cudnn::init_device_workspace_kernel<..>", SB_KERNEL_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++)
		if (sb_kernel_class_of(cases[i].name) != cases[i].class)
			fail_msg("%s is not %d", cases[i].name, (int)cases[i].class);
}

static void evidence_of_precision_says_what_ran_convolutions(void **state)
{
	struct sb_rollup row = { "front.depth", "conv", "conv", "conv_tf32<3>", 4, 100, 0 };
	struct sb_trial_result r = { .trace_complete = true, .rollup = &row, .n_rollup = 1 };
	struct sb_evidence e = { 0 };
	struct sb_switch_line line;
	struct sb_arm after;

	(void)state;
	assert_int_equal(sb_arm_by_name("after", &after, NULL), SB_OK);
	sb_evidence_add(&e, &after, SB_TRACING, &r);
	sb_evidence_judge(&e, "precision", false, &line);
	assert_string_equal(line.text, "in effect: 4 of 4 conv kernels, 100 % of their time");
	strcpy(e.conv_path, "cuDNN 9.19.0");
	sb_evidence_judge(&e, "precision", false, &line);
	assert_string_equal(
	        line.text, "in effect: 4 of 4 conv kernels, 100 % of their time, convolutions: cuDNN 9.19.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_readable),
		cmocka_unit_test(names_tell_the_precision),
		cmocka_unit_test(evidence_of_precision_says_what_ran_convolutions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
