/*
 * requirements: what a machine must have for the CUDA backend, judged on what was found. Without CUDA's headers and
 * without a device, so that every refusal is tested. Uses base.
 */
#ifndef SB_CUDA_REQUIREMENTS_H
#define SB_CUDA_REQUIREMENTS_H

#include "sb_base.h"

struct sb_cuda_found {
	int driver, runtime; /* CUDA versions, 1000 * major + 10 * minor: the newest the driver knows (0: no driver),
	                        and this build's */
	bool driver_refuses; /* the driver is too old for this build */
	const char *trouble; /* what looking for devices failed with, other than that there is none; NULL: it did not */
	const char *visible; /* CUDA_VISIBLE_DEVICES; NULL: not set */
	int devices, ordinal; /* there are, and is asked for */
};

/* Errors: SB_E_ENV: what is missing, what was found, the way out. */
enum sb_status sb_cuda_check_machine(const struct sb_cuda_found *f, struct sb_error *err);
/* runtime: as in sb_cuda_found, for the message, which names all that is needed. */
enum sb_status sb_cuda_check_capability(const char *name, int major, int minor, int runtime, struct sb_error *err);

/* *err, which says what found no memory while the device was opened, becomes an SB_E_ENV with who has it. 0, 0:
 * unknown.
 */
enum sb_status sb_cuda_no_memory(int64_t free_bytes, int64_t total_bytes, struct sb_error *err);

#endif
