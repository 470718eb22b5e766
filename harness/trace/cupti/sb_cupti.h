/*
 * cupti: what ran on a CUDA device, by CUPTI's activity records, as plain records. Uses backend; compiled into the CUDA
 * library, and loads libcupti itself (SPABENCH_CUPTI names another file), so that a machine without it can do all the
 * rest. One thread, one device, one subscriber a process.
 *
 * Every launch, copy and set is seen twice: by a callback when it is asked for, which notes its correlation id and the
 * op it belongs to, and as a record of the device. The two are joined by that id, so an op gets its own kernels
 * whatever a library launches for it, and what is missing on either side is counted.
 * Driver calls that get device memory or give it back have records of their own, which are counted. Other calls have
 * none, unless asked for.
 * Buffers are made beforehand, CUPTI's own in pinned host memory: device memory is not touched. Records are decoded
 * after the pass. A pass that takes more buffers than any before it may find none left: that one is made where it is
 * asked for, maybe in a launch, which then takes milliseconds. Without memory the records count as dropped.
 */
#ifndef SB_CUPTI_H
#define SB_CUPTI_H

#include "sb_backend.h"

struct sb_cupti;

/*
 * Before the first call of CUDA in the process. Room for `capacity` requests a pass; more are counted as unmatched.
 * Errors: SB_E_ENV when the library is missing, too old, or another profiler is attached (by its name); SB_E_NOMEM.
 */
enum sb_status sb_cupti_open(size_t capacity, struct sb_cupti **out, struct sb_error *err);
/* Accepts NULL. */
void sb_cupti_close(struct sb_cupti *c);
/* What harm a version (as cuptiGetVersion() counts, 130001 is 13.0.1) is known to do, and the way out; NULL: none. */
const char *sb_cupti_known_fault(uint32_t version);
/* "CUPTI 13.0.1" */
const char *sb_cupti_version(const struct sb_cupti *c);

/*
 * From the next pass on, every call of the driver and of the runtime has a record too, on the host's clock, with the op
 * it was made for (by external correlation ids). They come behind all others. This costs every launch. Errors:
 * SB_E_NOMEM.
 */
enum sb_status sb_cupti_record_calls(struct sb_cupti *c, struct sb_error *err);

/* Start a pass. The device is idle. */
enum sb_status sb_cupti_begin(struct sb_cupti *c, struct sb_error *err);
/*
 * For measuring what a pass costs: CUPTI's records of kernels and nothing of ours, or with `called` a callback for
 * every request that does nothing. It ends as every pass does, with records that nobody asked for.
 */
enum sb_status sb_cupti_begin_bare(struct sb_cupti *c, bool called, struct sb_error *err);
/* What is asked for from now on belongs to op `index`. */
void sb_cupti_op(struct sb_cupti *c, uint32_t index);
/*
 * End a pass; the device has been synchronised. *out [*n], in the order of the requests, is the collector's memory,
 * valid until the next begin. After an error, too, nothing is recorded any more.
 */
enum sb_status sb_cupti_end(struct sb_cupti *c, const struct sb_activity **out, size_t *n,
        struct sb_activity_account *account, struct sb_error *err);

#endif
