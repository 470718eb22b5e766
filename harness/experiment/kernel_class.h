/* kernel_class: what the name of a kernel says of the products in it. Pure. */
#ifndef SB_KERNEL_CLASS_H
#define SB_KERNEL_CLASS_H

enum sb_kernel_class {
	SB_KERNEL_OTHER, /* no products: an epilogue, a copy, a reduction, a softmax */
	SB_KERNEL_FP32,  /* products of FP32 accuracy: FFMA, or three TF32 ones for each */
	SB_KERNEL_TF32,  /* one TF32 product */
};

/*
 * Of a kernel of ours (CPU: the op's word; CUDA: sb_kernel_name()'s) or of cuBLAS and cuDNN. Names of libraries change
 * with their versions: what is not recognised is SB_KERNEL_OTHER.
 */
enum sb_kernel_class sb_kernel_class_of(const char *name);

#endif
