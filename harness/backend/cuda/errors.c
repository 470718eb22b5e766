/* The only place where codes of CUDA and cuBLAS become errors of ours. */
#include "cuda_internal.h"

#include <string.h>

/* The name of the function that was called; the arguments of ours tell a user nothing. */
static int name_length(const char *call)
{
	return (int)strcspn(call, "(");
}

/* The device, or its context, is lost: nothing works in this process from here on. */
static bool is_sticky(cudaError_t code)
{
	switch (code) {
	case cudaErrorIllegalAddress:
	case cudaErrorLaunchFailure:
	case cudaErrorLaunchTimeout:
	case cudaErrorHardwareStackError:
	case cudaErrorIllegalInstruction:
	case cudaErrorMisalignedAddress:
	case cudaErrorInvalidAddressSpace:
	case cudaErrorInvalidPc:
	case cudaErrorAssert:
	case cudaErrorECCUncorrectable:
	case cudaErrorNvlinkUncorrectable:
	case cudaErrorContained:
	case cudaErrorDeviceUninitialized:
	case cudaErrorUnknown:
		return true;
	default:
		return false;
	}
}

static const char has_lost[] = ": this process has lost the device";

enum sb_status sb_cuda_fail(struct sb_error *err, cudaError_t code, const char *what)
{
	cudaGetLastError(); /* or the next call reports it again */
	if (code == cudaErrorMemoryAllocation)
		return sb_fail(err, SB_E_NOMEM, "%.*s: %s", name_length(what), what, cudaGetErrorString(code));
	return sb_fail(err, SB_E_DEVICE, "%.*s: %s (%s)%s", name_length(what), what, cudaGetErrorString(code),
	        cudaGetErrorName(code), is_sticky(code) ? has_lost : "");
}

enum sb_status sb_cublas_fail(struct sb_error *err, cublasStatus_t code, const char *what)
{
	/* What lies beneath, if anything; and the next launch would report it again. */
	cudaError_t beneath = cudaGetLastError();
	bool no_memory = beneath == cudaErrorMemoryAllocation || code == CUBLAS_STATUS_ALLOC_FAILED;
	const char *text = cublasGetStatusString(code);

	if (is_sticky(beneath))
		return sb_fail(err, SB_E_DEVICE, "%.*s: %s: %s (%s)%s", name_length(what), what, text,
		        cudaGetErrorString(beneath), cudaGetErrorName(beneath), has_lost);
	return sb_fail(err, no_memory ? SB_E_NOMEM : SB_E_DEVICE, "%.*s: %s", name_length(what), what, text);
}

enum sb_status sb_launch_fail(struct sb_error *err, int code)
{
	return code < 0 ? sb_cublas_fail(err, (cublasStatus_t)-code, "cuBLAS")
	                : sb_cuda_fail(err, (cudaError_t)code, "launch");
}

enum sb_status sb_cuda_failed(struct cuda *c, enum sb_status status)
{
	cudaError_t code = cudaStreamQuery(c->stream);

	cudaGetLastError();
	c->base.lost |= is_sticky(code);
	return status;
}
