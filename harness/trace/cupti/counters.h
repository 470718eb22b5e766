/*
 * counters: what the hardware counted while work ran on a CUDA device, by CUPTI's range profiler. Compiled into the
 * CUDA library; libcupti and libnvperf_host are loaded at run time. One thread, one context, one user a process; the
 * activity records of sb_cupti.h are not taken in the same process.
 *
 * Sets are small enough for one pass: nothing is replayed, so a whole pass of a network can be counted as it runs.
 * Between ranges the device is made to wait, so nothing that is counted may be timed.
 */
#ifndef SB_COUNTERS_H
#define SB_COUNTERS_H

#include "sb_base.h"

enum sb_counter_set {
	SB_COUNTERS_PASS, /* what limits a pass: instructions by pipe, memory */
	SB_COUNTERS_TF32, /* operations of tensor cores on TF32 operands */
	SB_COUNTER_SETS,
};

#define SB_COUNTERS_MAX 8 /* of a set */

struct sb_counter {
	const char *name;   /* "tf32_ops", static; what it is called in results */
	const char *metric; /* CUPTI's name on this chip, static; NULL where absent */
	const char *absent; /* why this chip does not count it in one pass, static */
};

/* ---- what a chip counts: needs no device --------------------------------------------------------------------- */

struct sb_counter_plan {
	struct sb_counter counter[SB_COUNTERS_MAX];
	int n;
	void *host;      /* CUPTI's */
	uint8_t *config; /* what the device is told; aligned to 8 */
	size_t config_bytes;
};

/*
 * The set on a chip ("GH100"; "GA100", ..). available: the device's own statement of what it can count; NULL: all that
 * chips of this name can. Counters that do not exist, or would need a second pass, are absent.
 * Errors: SB_E_ENV: no library, a chip that it does not know, not one counter of the set.
 */
enum sb_status sb_counter_plan_open(enum sb_counter_set set, const char *chip, const uint8_t *available,
        struct sb_counter_plan *out, struct sb_error *err);
/* Accepts a plan that is all zero. */
void sb_counter_plan_close(struct sb_counter_plan *p);

/* ---- counting ------------------------------------------------------------------------------------------------- */

struct sb_counters;

/*
 * On the context of this thread. Errors: SB_E_ENV: why nothing can be counted here (no library, no permission, another
 * profiler, a slice of a device, a virtual machine); SB_E_NOMEM.
 */
enum sb_status sb_counters_open(struct sb_counters **out, struct sb_error *err);
/* Accepts NULL. */
void sb_counters_close(struct sb_counters *c);
/* "GH100" */
const char *sb_counters_chip(const struct sb_counters *c);

/*
 * Begin a pass of at most max_ranges ranges; the device is idle. What runs is counted within a range only: begun by
 * sb_counters_range(), which ends the one before; name NULL: none. Ranges of one name add up.
 */
enum sb_status sb_counters_begin(
        struct sb_counters *c, enum sb_counter_set set, size_t max_ranges, struct sb_error *err);
enum sb_status sb_counters_range(struct sb_counters *c, const char *name, struct sb_error *err);

struct sb_counted {
	const char *range;             /* as given; valid until the next begin */
	int64_t times;                 /* how often it was begun */
	double value[SB_COUNTERS_MAX]; /* as sb_counters_plan() has them; 0 where absent */
};
/* End the pass; the device has been synchronised. *out [*n]: the distinct ranges, in the order they came. */
enum sb_status sb_counters_end(struct sb_counters *c, const struct sb_counted **out, size_t *n, struct sb_error *err);
/* Bytes of host memory that the counts of the last pass took. */
size_t sb_counters_bytes(const struct sb_counters *c);
/* What the pass counts; between begin and the next begin. */
const struct sb_counter_plan *sb_counters_plan(const struct sb_counters *c);

#endif
