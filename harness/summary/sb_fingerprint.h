/*
 * fingerprint: what of a run says whether figures of another one may be held against it, in words. Part of summary.
 */
#ifndef SB_FINGERPRINT_H
#define SB_FINGERPRINT_H

#include "sb_base.h"
#include "sb_store.h"

/*
 * The machine: device with its UUID and driver, or CPU model, cores, threads and governor; and how much memory it was
 * said to have. Libraries and builds are not of it: they are what a gate is about.
 */
void sb_fingerprint_machine(const struct sb_run *run, struct sb_buf *out);
/* The case: workload, preset, size, clip, points, weights, allocator settings. The name of the clip's file is not of
 * it. */
void sb_fingerprint_case(const struct sb_run *run, struct sb_buf *out);
/* The first part in which two fingerprints differ, "clip: abc and def" -> text[n]; NULL: none. */
const char *sb_fingerprint_difference(const char *a, const char *b, char *text, size_t n);

#endif
