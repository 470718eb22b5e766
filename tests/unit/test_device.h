/*
 * test_device: the device of tests that compare a network with the reference's outputs. SB_TEST_DEVICE names another
 * one than the CPU (cuda:0), so that the same tests hold the GPU to the same numbers.
 */
#ifndef TEST_DEVICE_H
#define TEST_DEVICE_H

#include <stdlib.h>

#include "sb_backend.h"

/* Opens it. Where there is no such device the whole program is skipped, and CTest shows it. */
static inline struct sb_backend *test_device_open(void)
{
	const char *name = getenv("SB_TEST_DEVICE");
	struct sb_error err = { .msg = "" };
	struct sb_backend *be = NULL;
	enum sb_status status = sb_backend_open(name ? name : "cpu", 0, &be, &err);

	if (status == SB_E_ENV) {
		print_message("  skipped: %s\n", err.msg);
		exit(77);
	}
	if (status)
		fail_msg("%s", err.msg);
	return be;
}

/* n floats of the host in memory of the arm's; sb_device_free() ends it. */
static inline float *test_to_device(struct sb_backend *be, const float *host, int64_t n)
{
	size_t bytes = (size_t)n * sizeof(*host);
	struct sb_error err = { .msg = "" };
	void *device = NULL;

	if (sb_device_alloc(be, bytes, &device, &err) ||
	        SB_SUBMIT(be, UPLOAD, upload, ((struct sb_transfer_args){ device, host, bytes }), &err))
		fail_msg("%s", err.msg);
	return device;
}

/* n floats of the device in memory that free() ends. */
static inline float *test_from_device(struct sb_backend *be, const float *device, int64_t n)
{
	size_t bytes = (size_t)n * sizeof(*device);
	struct sb_error err = { .msg = "" };
	float *host = malloc(bytes ? bytes : 1);

	assert_non_null(host);
	if (SB_SUBMIT(be, DOWNLOAD, download, ((struct sb_transfer_args){ host, device, bytes }), &err) ||
	        be->ops->sync(be, &err))
		fail_msg("%s", err.msg);
	return host;
}

#endif
