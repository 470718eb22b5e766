/*
 * cudnn_load: the few functions of cuDNN 9 that are used, looked up at run time. No cuDNN header is needed to build:
 * types and values are as its documentation gives them, and its version is checked. No CUDA either.
 */
#ifndef SB_CUDNN_LOAD_H
#define SB_CUDNN_LOAD_H

#include <stdbool.h>
#include <stddef.h>

/* What the library's opaque handles are to us. */
typedef struct cudnn_object *cudnn_handle, *cudnn_tensor, *cudnn_filter, *cudnn_convolution, *cudnn_activation;
struct CUstream_st;

enum cudnn_status {
	CUDNN_OK = 0,
	CUDNN_BAD_PARAM = 2000,     /* .. 2999 */
	CUDNN_NOT_SUPPORTED = 3000, /* .. 3999: this shape, layout or device, not an error */
	CUDNN_INTERNAL_ERROR = 4000,
	CUDNN_EXECUTION_FAILED = 5000,
};

enum { CUDNN_FLOAT = 0, CUDNN_NHWC = 1, CUDNN_CROSS_CORRELATION = 1, CUDNN_PROPAGATE_NAN = 1 };
enum { CUDNN_RELU = 1, CUDNN_IDENTITY = 5 };
/* For FP32 data: may use TF32; the only one that may not. */
enum { CUDNN_DEFAULT_MATH = 0, CUDNN_FMA_MATH = 3 };
enum { CUDNN_ALGO_IMPLICIT_PRECOMP_GEMM = 1 };

/* One answer of the heuristic. */
struct cudnn_algo {
	int algo, status;
	float time;
	size_t memory;
	int determinism, math;
	int reserved[3];
};

/* Name without "cudnn", result, arguments: one list makes the members and the look-up. */
#define SB_CUDNN_CALLS(X)                                                                                             \
	X(GetVersion, size_t, (void))                                                                                 \
	X(GetErrorString, const char *, (int status))                                                                 \
	X(Create, int, (cudnn_handle *))                                                                              \
	X(Destroy, int, (cudnn_handle))                                                                               \
	X(SetStream, int, (cudnn_handle, struct CUstream_st *))                                                       \
	X(CreateTensorDescriptor, int, (cudnn_tensor *))                                                              \
	X(DestroyTensorDescriptor, int, (cudnn_tensor))                                                               \
	X(SetTensor4dDescriptor, int, (cudnn_tensor, int format, int type, int n, int c, int h, int w))               \
	X(CreateFilterDescriptor, int, (cudnn_filter *))                                                              \
	X(DestroyFilterDescriptor, int, (cudnn_filter))                                                               \
	X(SetFilter4dDescriptor, int, (cudnn_filter, int type, int format, int k, int c, int h, int w))               \
	X(CreateConvolutionDescriptor, int, (cudnn_convolution *))                                                    \
	X(DestroyConvolutionDescriptor, int, (cudnn_convolution))                                                     \
	X(SetConvolution2dDescriptor, int,                                                                            \
	        (cudnn_convolution, int pad_h, int pad_w, int down, int across, int dilate_h, int dilate_w, int mode, \
	                int type))                                                                                    \
	X(SetConvolutionMathType, int, (cudnn_convolution, int math))                                                 \
	X(CreateActivationDescriptor, int, (cudnn_activation *))                                                      \
	X(DestroyActivationDescriptor, int, (cudnn_activation))                                                       \
	X(SetActivationDescriptor, int, (cudnn_activation, int mode, int nan, double ceiling))                        \
	X(GetConvolutionForwardAlgorithm_v7, int,                                                                     \
	        (cudnn_handle, cudnn_tensor x, cudnn_filter w, cudnn_convolution, cudnn_tensor y, int wanted, int *n, \
	                struct cudnn_algo *))                                                                         \
	X(ConvolutionForward, int,                                                                                    \
	        (cudnn_handle, const float *alpha, cudnn_tensor, const float *x, cudnn_filter, const float *w,        \
	                cudnn_convolution, int algo, void *work, size_t bytes, const float *beta, cudnn_tensor,       \
	                float *y))                                                                                    \
	X(ConvolutionBiasActivationForward, int,                                                                      \
	        (cudnn_handle, const float *alpha, cudnn_tensor, const float *x, cudnn_filter, const float *w,        \
	                cudnn_convolution, int algo, void *work, size_t bytes, const float *alpha2, cudnn_tensor,     \
	                const float *z, cudnn_tensor, const float *bias, cudnn_activation, cudnn_tensor, float *y))

struct cudnn_api {
	void *library;
	int major, minor, patch;
#define SB_CUDNN_MEMBER(name, result, args) result(*name) args;
	SB_CUDNN_CALLS(SB_CUDNN_MEMBER)
#undef SB_CUDNN_MEMBER
};

/*
 * Open libcudnn.so.9, or the file that SPABENCH_CUDNN names. False when there is none that will do: `why` says what
 * was tried and what came of it ("none" asks for that). Loads a library, touches no device.
 */
bool sb_cudnn_load(struct cudnn_api *out, char *why, size_t n);
void sb_cudnn_unload(struct cudnn_api *api); /* of one that was not loaded too */

#endif
