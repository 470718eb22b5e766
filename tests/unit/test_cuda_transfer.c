/*
 * The way between host and device, and what errors become, on a CUDA runtime of ours whose copies are made when they
 * are waited for and no sooner.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cuda_internal.h"

#define MIB ((size_t)1 << 20)

/* ---- a runtime --------------------------------------------------------------------------------------------------- */

enum { COPIES = 1024 };

static struct {
	struct {
		void *dst;
		const void *src;
		size_t n;
	} copy[COPIES];
	int asked, made;
	int fail_at; /* the n-th copy from now is refused; 0: none */
	cudaError_t last, stream;
} device;

struct CUevent_st {
	int behind; /* so many copies */
};

static void make_copies(int n)
{
	for (; device.made < n; device.made++)
		memcpy(device.copy[device.made].dst, device.copy[device.made].src, device.copy[device.made].n);
}

cudaError_t cudaMallocHost(void **p, size_t n)
{
	*p = malloc(n);
	return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *p)
{
	free(p);
	return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags)
{
	(void)flags;
	*e = calloc(1, sizeof(**e));
	return *e ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
	free(e);
	return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
	(void)s;
	e->behind = device.asked;
	return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t e)
{
	return e->behind <= device.made ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
	make_copies(e->behind);
	return device.stream;
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
	(void)s;
	make_copies(device.asked);
	return device.stream;
}

cudaError_t cudaStreamQuery(cudaStream_t s)
{
	(void)s;
	return device.stream;
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t n, enum cudaMemcpyKind kind, cudaStream_t s)
{
	(void)kind;
	(void)s;
	if (device.fail_at && --device.fail_at == 0)
		return cudaErrorInvalidValue;
	assert_true(device.asked < COPIES);
	device.copy[device.asked].dst = dst;
	device.copy[device.asked].src = src;
	device.copy[device.asked++].n = n;
	return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
	cudaError_t last = device.last;

	device.last = cudaSuccess;
	return last;
}

const char *cudaGetErrorString(cudaError_t e)
{
	(void)e;
	return "an error";
}

const char *cudaGetErrorName(cudaError_t e)
{
	(void)e;
	return "cudaErrorSome";
}

const char *cublasGetStatusString(cublasStatus_t s)
{
	return s == CUBLAS_STATUS_EXECUTION_FAILED ? "CUBLAS_STATUS_EXECUTION_FAILED" : "another";
}

/* ---- transfers --------------------------------------------------------------------------------------------------- */

static struct cuda cuda;

static int open_staging(void **state)
{
	struct sb_error err = { .msg = "" };

	(void)state;
	memset(&device, 0, sizeof(device));
	memset(&cuda, 0, sizeof(cuda));
	return sb_cuda_staging_open(&cuda.staging, &err) != SB_OK;
}

static int close_staging(void **state)
{
	(void)state;
	sb_cuda_staging_close(&cuda.staging);
	return 0;
}

static unsigned char *bytes_of(unsigned char value, size_t n)
{
	unsigned char *p = malloc(n);

	assert_non_null(p);
	memset(p, value, n);
	return p;
}

/* Are all n bytes `value`? */
static bool all_are(const unsigned char *p, unsigned char value, size_t n)
{
	return p[0] == value && memcmp(p, p + 1, n - 1) == 0;
}

enum sb_status sb_cuda_offload_sync(struct cuda *c, struct sb_error *err)
{
	(void)c;
	(void)err;
	return SB_OK; /* nothing is offloaded here */
}

static void a_download_has_arrived_after_sync_and_an_upload_at_once(void **state)
{
	const size_t n = 3 * MIB + 5;
	unsigned char *there = bytes_of(0, n), *src = bytes_of(7, n), *got = bytes_of(0, n);
	struct sb_error err = { .msg = "" };

	(void)state;
	assert_int_equal(sb_cuda_upload(&cuda, there, src, n, &err), SB_OK);
	memset(src, 9, n);
	assert_int_equal(sb_cuda_download(&cuda, got, there, n, &err), SB_OK);
	assert_true(all_are(got, 0, n));
	assert_int_equal(sb_cuda_sync(&cuda.base, &err), SB_OK);
	assert_true(all_are(got, 7, n));
	free(there);
	free(src);
	free(got);
}

static void what_is_abandoned_is_not_written_any_more(void **state)
{
	const size_t n = 4 * MIB;
	unsigned char *there = bytes_of(7, n), *got = bytes_of(0, n);
	struct sb_error err = { .msg = "" };

	(void)state;
	device.fail_at = 3;
	assert_int_equal(sb_cuda_download(&cuda, got, there, n, &err), SB_E_DEVICE);
	assert_int_equal(device.asked, 2);
	sb_cuda_abandon(&cuda.base);
	free(got); /* an address sanitizer sees what is written now */
	got = bytes_of(0, n);
	assert_int_equal(sb_cuda_sync(&cuda.base, &err), SB_OK);
	assert_int_equal(device.made, 2);
	assert_true(all_are(got, 0, n));
	free(there);
	free(got);
}

static void a_sync_that_fails_writes_nothing_then_or_later(void **state)
{
	unsigned char *there = bytes_of(7, MIB), *got = bytes_of(0, MIB);
	struct sb_error err = { .msg = "" };

	(void)state;
	assert_int_equal(sb_cuda_download(&cuda, got, there, MIB, &err), SB_OK);
	device.stream = cudaErrorIllegalAddress;
	assert_int_equal(sb_cuda_sync(&cuda.base, &err), SB_E_DEVICE);
	assert_true(cuda.base.lost);
	device.stream = cudaSuccess;
	assert_int_equal(sb_cuda_sync(&cuda.base, &err), SB_OK);
	assert_true(all_are(got, 0, MIB));
	free(there);
	free(got);
}

/* The device writes into an abandoned piece still: who fills it next has to wait for that. */
static void an_abandoned_piece_is_not_filled_before_its_copy_has_ended(void **state)
{
	const size_t all = SB_CUDA_SLOTS * SB_CUDA_SLOT_BYTES;
	unsigned char *there = bytes_of(7, all), *got = bytes_of(0, all), *src = bytes_of(9, MIB);
	struct sb_error err = { .msg = "" };

	(void)state;
	assert_int_equal(sb_cuda_download(&cuda, got, there, all, &err), SB_OK);
	sb_cuda_abandon(&cuda.base);
	assert_int_equal(sb_cuda_upload(&cuda, there, src, MIB, &err), SB_OK);
	assert_int_equal(sb_cuda_sync(&cuda.base, &err), SB_OK);
	assert_true(all_are(there, 9, MIB));
	assert_true(all_are(there + MIB, 7, all - MIB));
	free(there);
	free(got);
	free(src);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static void a_library_without_memory_is_out_of_memory(void **state)
{
	struct sb_error err = { .msg = "" };

	(void)state;
	assert_int_equal(sb_cublas_fail(&err, CUBLAS_STATUS_ALLOC_FAILED, "cuBLAS"), SB_E_NOMEM);
	device.last = cudaErrorMemoryAllocation; /* what lies beneath */
	assert_int_equal(sb_cublas_fail(&err, CUBLAS_STATUS_EXECUTION_FAILED, "cuBLAS"), SB_E_NOMEM);
	assert_int_equal(device.last, cudaSuccess); /* or the next launch has it */
}

static void a_library_that_fails_is_named_and_loses_no_device(void **state)
{
	struct sb_error err = { .msg = "" };

	(void)state;
	device.last = cudaErrorInvalidValue;
	assert_int_equal(sb_cublas_fail(&err, CUBLAS_STATUS_EXECUTION_FAILED, "cublasX(a, b)"), SB_E_DEVICE);
	assert_string_equal(err.msg, "cublasX: CUBLAS_STATUS_EXECUTION_FAILED");
	assert_int_equal(sb_cuda_failed(&cuda, SB_E_DEVICE), SB_E_DEVICE);
	assert_false(cuda.base.lost);
	assert_int_equal(sb_launch_fail(&err, -(int)CUBLAS_STATUS_EXECUTION_FAILED), SB_E_DEVICE);
	assert_string_equal(err.msg, "cuBLAS: CUBLAS_STATUS_EXECUTION_FAILED");
	assert_int_equal(sb_launch_fail(&err, -(int)CUBLAS_STATUS_ALLOC_FAILED), SB_E_NOMEM);
	assert_int_equal(sb_launch_fail(&err, cudaErrorIllegalAddress), SB_E_DEVICE);
	assert_non_null(strstr(err.msg, "this process has lost the device"));
	device.stream = device.last = cudaErrorIllegalAddress; /* cuBLAS names its own code, and not what it met */
	assert_int_equal(sb_cublas_fail(&err, CUBLAS_STATUS_EXECUTION_FAILED, "cublasX(a, b)"), SB_E_DEVICE);
	assert_string_equal(err.msg,
	        "cublasX: CUBLAS_STATUS_EXECUTION_FAILED: an error (cudaErrorSome): this process has lost the device");
	sb_cuda_failed(&cuda, SB_E_DEVICE);
	assert_true(cuda.base.lost);
}

#define WITH_STAGING(f) cmocka_unit_test_setup_teardown(f, open_staging, close_staging)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STAGING(a_download_has_arrived_after_sync_and_an_upload_at_once),
		WITH_STAGING(what_is_abandoned_is_not_written_any_more),
		WITH_STAGING(a_sync_that_fails_writes_nothing_then_or_later),
		WITH_STAGING(an_abandoned_piece_is_not_filled_before_its_copy_has_ended),
		WITH_STAGING(a_library_without_memory_is_out_of_memory),
		WITH_STAGING(a_library_that_fails_is_named_and_loses_no_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
