/*
 * memory: the device allocators a trial runs on (`alloc=default|expandable|stitched`) over a page provider. What
 * PyTorch's caching allocator does for a request sequence is done here: rounding, pools, segments, best fit, splitting,
 * merging, the order of retries and the statistics. Uses base.
 *
 * Three layers:  sb_alloc_*   the policies, blocks and statistics; knows no device
 *                sb_pages_*   the driver calls, counted, timed, limited and made to fail for tests
 *                struct sb_pages_ops   a provider: host memory, counting only, or (in the CUDA backend) the driver
 *
 * Single-threaded by contract: an allocator and its provider belong to one thread at a time, without locks.
 * All sizes are bytes, all times nanoseconds.
 */
#ifndef SB_MEMORY_H
#define SB_MEMORY_H

#include "sb_base.h"

/* ---- pages: where memory comes from --------------------------------------------------------------------------- */

/* The kinds of driver call, in the words of the CUDA driver; each is counted and timed on its own. */
enum sb_pages_call {
	SB_PAGES_SEGMENT_ALLOC, /* cudaMalloc */
	SB_PAGES_SEGMENT_FREE,  /* cudaFree */
	SB_PAGES_RESERVE,       /* cuMemAddressReserve */
	SB_PAGES_UNRESERVE,     /* cuMemAddressFree */
	SB_PAGES_CREATE,        /* cuMemCreate, one a handle */
	SB_PAGES_MAP,           /* cuMemMap, one a handle */
	SB_PAGES_SET_ACCESS,    /* cuMemSetAccess, one a growth */
	SB_PAGES_UNMAP,         /* cuMemUnmap, one a handle */
	SB_PAGES_RELEASE,       /* cuMemRelease, one a handle */
	SB_PAGES_SYNC,          /* cudaStreamSynchronize before pages are taken away */
	SB_PAGES_CALL_COUNT,
};
extern const char *const sb_pages_call_names[SB_PAGES_CALL_COUNT]; /* "segment_alloc", .. */

struct sb_pages;

/*
 * A provider. Nobody but the functions below calls a member: they count, time, limit and inject.
 * Every member returns SB_OK, SB_E_NOMEM (this much is not there: the allocator releases its cache and asks again) or
 * SB_E_DEVICE (the device failed: passed up). Calls that give back have given back even when they report an error,
 * because what they report belongs to earlier, asynchronous work.
 */
struct sb_pages_ops {
	const char *name;
	/* Ends the provider; nothing is held from it any more. */
	void (*close)(struct sb_pages *p);
	/* `bytes` of usable memory, 512-byte aligned at least. */
	enum sb_status (*segment_alloc)(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err);
	enum sb_status (*segment_free)(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err);
	/* Addresses only, aligned to the granularity; touching them faults until pages are mapped. */
	enum sb_status (*reserve)(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err);
	enum sb_status (*unreserve)(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err);
	/* Physical memory of `bytes`, a multiple of the granularity, without address. */
	enum sb_status (*create)(struct sb_pages *p, int64_t bytes, uint64_t *handle, struct sb_error *err);
	enum sb_status (*release)(struct sb_pages *p, uint64_t handle, int64_t bytes, struct sb_error *err);
	/* Put the handle at addr; unusable until set_access() covered it. */
	enum sb_status (*map)(struct sb_pages *p, uintptr_t addr, int64_t bytes, uint64_t handle, struct sb_error *err);
	enum sb_status (*unmap)(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err);
	/* Make [addr, addr + bytes), several handles, readable and writable. */
	enum sb_status (*set_access)(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err);
	/* Optional. Wait until `stream` is idle. */
	enum sb_status (*sync)(struct sb_pages *p, uint64_t stream, struct sb_error *err);
	/* Free and total memory of the device, whoever uses it. Not counted as a driver call. */
	enum sb_status (*info)(struct sb_pages *p, int64_t *free_bytes, int64_t *total_bytes, struct sb_error *err);
};

struct sb_pages_counts {
	int64_t calls[SB_PAGES_CALL_COUNT]; /* failed ones included */
	int64_t dur_ns[SB_PAGES_CALL_COUNT];
};

/* The part all providers share; a provider's own struct begins with it and sb_pages_init() fills it. Read only. */
struct sb_pages {
	const struct sb_pages_ops *ops;
	int64_t granularity_bytes; /* smallest unit of create() and map() */
	int64_t limit_bytes;       /* more than this is refused with SB_E_NOMEM whatever the device has; 0: no limit */
	int64_t held_bytes;        /* segments and handles out now */
	int64_t address_bytes;     /* reserved address ranges out now */
	struct sb_pages_counts counts;
	int64_t fail_in; /* fault injection, see sb_pages_fail_in() */
	enum sb_status fail_with;
	bool fail_sticky;
};

/* For providers: a clean start. */
void sb_pages_init(struct sb_pages *p, const struct sb_pages_ops *ops, int64_t granularity_bytes, int64_t limit_bytes);

/* Accepts NULL. Memory or ranges still out are a bug of the caller (SB_BUG): close the allocators first. */
void sb_pages_close(struct sb_pages *p);

/*
 * Host memory by mmap. Reserved addresses fault on touch, mapped ones are fresh zero pages, unmapped or freed ones go
 * back to the system at once. `limit_bytes` stands for the size of the device; 0: what the machine has.
 * Segment addresses are whatever mmap gives.
 */
enum sb_status sb_pages_host_open(int64_t limit_bytes, struct sb_pages **out, struct sb_error *err);

/*
 * No memory at all: made-up addresses that only ever rise, so that equal-size ties fall the same way in every run.
 * For tests, replay and capacity questions. `limit_bytes` (> 0) is the size of the device.
 */
enum sb_status sb_pages_count_open(
        int64_t limit_bytes, int64_t granularity_bytes, struct sb_pages **out, struct sb_error *err);
/*
 * Hand out addrs[0..n) for the next n segments, then rising addresses again: a replay gives the recorded addresses,
 * because best fit breaks ties by address. `p` is from sb_pages_count_open(); addrs is borrowed until used up, and must
 * not overlap itself.
 */
void sb_pages_count_script(struct sb_pages *p, const uintptr_t *addrs, size_t n);

/*
 * For tests: the n-th driver call from now (1: the next) fails with `with`, SB_E_NOMEM or SB_E_DEVICE; `sticky`: all
 * later ones too. Calls that give back do their work and then report SB_E_DEVICE. n = 0 switches it off.
 */
void sb_pages_fail_in(struct sb_pages *p, int64_t n, enum sb_status with, bool sticky);

enum sb_status sb_pages_segment_alloc(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err);
enum sb_status sb_pages_segment_free(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err);
enum sb_status sb_pages_sync(struct sb_pages *p, uint64_t stream, struct sb_error *err);
/* Never below 0; under a limit, what is left of it when that is less. */
enum sb_status sb_pages_info(struct sb_pages *p, int64_t *free_bytes, int64_t *total_bytes, struct sb_error *err);

/* A reserved range of addresses into which handles of one size are mapped. */
struct sb_pages_range {
	struct sb_pages *pages;
	uintptr_t base;
	int64_t handle_bytes;
	int64_t n_handles, n_mapped;
	uint64_t *handle; /* [n_handles] */
	uint8_t *mapped;  /* [n_handles] */
};

/* n_handles x handle_bytes (a multiple of the granularity) of addresses, nothing mapped. */
enum sb_status sb_pages_reserve(
        struct sb_pages *p, int64_t handle_bytes, int64_t n_handles, struct sb_pages_range **out, struct sb_error *err);
/* Accepts NULL. Unmaps what is still mapped. Returns the first error, having gone on to the end. */
enum sb_status sb_pages_unreserve(struct sb_pages_range *r, struct sb_error *err);
/*
 * Map handles [first, first + n): n creates, n maps, one set_access. All or nothing: on failure what was made is
 * released and the range is as before.
 */
enum sb_status sb_pages_map(struct sb_pages_range *r, int64_t first, int64_t n, struct sb_error *err);
/* Unmap and release [first, first + n), all mapped. Synchronise first. Returns the first error, all are unmapped. */
enum sb_status sb_pages_unmap(struct sb_pages_range *r, int64_t first, int64_t n, struct sb_error *err);

/*
 * The same growth in steps, for pages that come from elsewhere: [first, first + n) is filled with handles, new ones
 * and ones taken from other places, and then placed. A slot that is filled and not placed is loose: sb_pages_drop().
 */
/* Fill [first, first + n) with new handles: all or nothing. */
enum sb_status sb_pages_create(struct sb_pages_range *r, int64_t first, int64_t n, struct sb_error *err);
/*
 * Unmap handle `from` of `src` and put it into slot `to` of r, which has handles of the same size and the same
 * provider. Synchronise first. It is taken even when an error is returned.
 */
enum sb_status sb_pages_take(
        struct sb_pages_range *src, int64_t from, struct sb_pages_range *r, int64_t to, struct sb_error *err);
/* Map the loose slots [first, first + n): all or nothing; they are loose still after a failure. */
enum sb_status sb_pages_place(struct sb_pages_range *r, int64_t first, int64_t n, struct sb_error *err);
/* Release the loose slots [first, first + n). */
void sb_pages_drop(struct sb_pages_range *r, int64_t first, int64_t n);

/* ---- allocators ----------------------------------------------------------------------------------------------- */

struct sb_alloc;

/*
 * "default", "expandable", "stitched", "none", NULL. All but the last are the levels of the factor `alloc`; `none` asks
 * the driver for every request and gives back at every free: the yardstick of a replay. `stitched` is no allocator of
 * PyTorch: expandable segments that move their unused pages to where they are needed before they ask for more.
 */
extern const char *const sb_alloc_policy_names[];

#define SB_ALLOC_ALIGN      512                /* every block starts and ends on a multiple of it */
#define SB_ALLOC_SMALL_MAX  (INT64_C(1) << 20) /* rounded sizes up to this live in the small pool */
#define SB_ALLOC_UNLIMITED  INT64_MAX
#define SB_ALLOC_N_DIVISION 16

/* Settings of PyTorch's allocator. sb_alloc_options_init() gives its defaults. */
struct sb_alloc_options {
	int64_t max_split_size; /* SB_ALLOC_UNLIMITED, or at least 20 MiB */
	int64_t limit_bytes; /* the per-process fraction as bytes: a request that would reserve more is refused; 0: off
	                      */
	int64_t max_non_split_rounding; /* slack tolerated when a block of max_split_size or more is used again */
	/* One value for each power of two from 1 MiB to 32 GiB, a power of two or 0 (off). */
	int64_t roundup_power2_divisions[SB_ALLOC_N_DIVISION];
	/*
	 * 0 (off) to 1: above this share of limit_bytes, old cached segments go back to the device before it is asked
	 * for more. Without a limit it does nothing.
	 */
	double garbage_collection_threshold;
};
void sb_alloc_options_init(struct sb_alloc_options *o);

/* What a PYTORCH_CUDA_ALLOC_CONF string says, beyond the options. */
struct sb_alloc_conf {
	struct sb_alloc_options opt;
	bool expandable;  /* expandable_segments:True */
	double fraction;  /* per_process_memory_fraction of the device's memory; 1: no limit */
	char unused[128]; /* keys that were understood and mean nothing here (pinned_*, ..), by ", " */
};
/*
 * The grammar of PyTorch 2.11: KEY:VALUE, .., blanks ignored, later values win; roundup_power2_divisions takes a number
 * or [MIB:NUMBER,..,>:NUMBER]. `text` may be NULL or empty: PyTorch's defaults. Numbers are whole words here, where
 * PyTorch takes "64abc" as 64.
 * Errors: SB_E_USAGE for what PyTorch refuses too, and for backend:cudaMallocAsync; *out is untouched then.
 */
enum sb_status sb_alloc_conf_parse(const char *text, struct sb_alloc_conf *out, struct sb_error *err);
/* $PYTORCH_ALLOC_CONF, else $PYTORCH_CUDA_ALLOC_CONF; NULL when neither is set. *name: which, when not NULL. */
const char *sb_alloc_conf_from_environment(const char **name);

/*
 * An allocator without memory over `pages`, which it borrows. `policy` is one of sb_alloc_policy_names, `opt` NULL for
 * defaults. On SB_OK the caller owns *out and ends it with sb_alloc_close().
 * Errors: SB_E_USAGE for an unknown policy or a setting out of range; SB_E_NOMEM for host memory.
 */
enum sb_status sb_alloc_open_with(const char *policy, const struct sb_alloc_options *opt, struct sb_pages *pages,
        struct sb_alloc **out, struct sb_error *err);
enum sb_status sb_alloc_open(const char *policy, struct sb_pages *pages, struct sb_alloc **out, struct sb_error *err);

/*
 * Return every page to the provider, live blocks included, and free the allocator; accepts NULL. The caller has
 * synchronised. Returns how many blocks were still live: a leak when it is not 0. Errors of the provider are dropped:
 * the pages count as returned.
 */
int64_t sb_alloc_close(struct sb_alloc *a);

/* The policy's name, a static string. */
const char *sb_alloc_policy(const struct sb_alloc *a);

/*
 * `bytes` of device memory for use on `stream` (any number that names it), 512-byte aligned, contents undefined.
 * 0 bytes give NULL. A block freed is handed out again on its own stream only, at once: later work of that stream runs
 * after earlier work. Who used it on other streams too gives it back by sb_alloc_free_later().
 *
 * A hit (some cached block fits) is O(log n) and calls neither the driver nor the host's malloc, except when the number
 * of blocks passes its former maximum (`host_allocs` counts those, so that a warmed-up pass can prove it made none).
 *
 * Errors: SB_E_NOMEM when the device has not got it even after the cache was released (sb_alloc_oom() has the numbers),
 * or the host is out of memory; SB_E_DEVICE from the driver. The allocator stays usable. Negative sizes are a bug.
 */
enum sb_status sb_alloc_malloc(struct sb_alloc *a, int64_t bytes, uint64_t stream, void **ptr, struct sb_error *err);
/* Accepts NULL. A pointer that is not live is a bug (SB_BUG). Never calls the driver, except for the policy `none`. */
void sb_alloc_free(struct sb_alloc *a, void *ptr);
/*
 * The same for a block that another stream still works on: it stays active, no longer allocated, until
 * sb_alloc_complete() says that this work has passed, or until the cache is released, which waits for all such work.
 * PyTorch finds out by events that it polls at the head of a request; whoever owns the events does that here.
 */
void sb_alloc_free_later(struct sb_alloc *a, void *ptr);
/* False when it is complete already, or not known. */
bool sb_alloc_complete(struct sb_alloc *a, void *ptr);
/* Would a request be served from the cache, were these n blocks, freed later, complete? For a replay. */
bool sb_alloc_would_hit(
        const struct sb_alloc *a, int64_t bytes, uint64_t stream, const uintptr_t *complete, size_t n_complete);

/* What the last SB_E_NOMEM of the device was about. All 0 while there was none. */
struct sb_oom {
	int64_t asked;       /* by the caller, not rounded */
	int64_t allocated;   /* live then */
	int64_t reserved;    /* held from the device then, after the cache was released */
	int64_t device_free; /* left on the device then; -1 when it would not say */
};
const struct sb_oom *sb_alloc_oom(const struct sb_alloc *a); /* lives as long as the allocator */

/* Return cached memory to the device: whole free segments, and every whole free handle of expandable segments. */
enum sb_status sb_alloc_empty_cache(struct sb_alloc *a, struct sb_error *err);

/* What goes on in an allocator, as it goes on: for traces, for comparing with one, for a memory timeline. */
enum sb_alloc_event_kind {
	SB_ALLOC_EV_ALLOC,      /* bytes as asked for */
	SB_ALLOC_EV_FREE,       /* the same bytes */
	SB_ALLOC_EV_FREE_LATER, /* the same bytes */
	SB_ALLOC_EV_COMPLETE,   /* the same bytes */
	SB_ALLOC_EV_OOM,        /* bytes as asked for; addr 0 */
	SB_ALLOC_EV_SEGMENT_ALLOC,
	SB_ALLOC_EV_SEGMENT_FREE,
	SB_ALLOC_EV_MAP,
	SB_ALLOC_EV_UNMAP,
	SB_ALLOC_EV_EMPTY_CACHE, /* asked for; what it does follows. addr, bytes and stream 0 */
	SB_ALLOC_EV_MOVE,        /* pages unmapped for the SB_ALLOC_EV_MAP that follows; held all the time */
};
struct sb_alloc_event {
	enum sb_alloc_event_kind kind;
	uintptr_t addr;
	int64_t bytes;
	uint64_t stream;
	int64_t block_bytes; /* of the block of an allocation, a free or its end: what the statistics count */
};
/* Call fn at every event from now on; NULL switches it off. fn must not use the allocator. */
void sb_alloc_observe(struct sb_alloc *a, void (*fn)(void *user, const struct sb_alloc_event *e), void *user);

/* ---- statistics ----------------------------------------------------------------------------------------------- */

/* The families of torch.cuda.memory_stats(), same meaning. */
enum sb_alloc_family {
	SB_ALLOC_ALLOCATED_BYTES,      /* block sizes of live requests */
	SB_ALLOC_REQUESTED_BYTES,      /* what they asked for */
	SB_ALLOC_ACTIVE_BYTES,         /* allocated + freed but still in use by a stream: sb_alloc_free_later() */
	SB_ALLOC_RESERVED_BYTES,       /* held from the device */
	SB_ALLOC_INACTIVE_SPLIT_BYTES, /* free pieces of split segments; expandable segments do not count here */
	SB_ALLOC_ALLOCATIONS,          /* counts of the same */
	SB_ALLOC_ACTIVE_BLOCKS,
	SB_ALLOC_SEGMENTS, /* expandable segments do not count here */
	SB_ALLOC_INACTIVE_SPLITS,
	SB_ALLOC_FAMILY_COUNT,
};
enum sb_alloc_pool { SB_ALLOC_ALL, SB_ALLOC_LARGE, SB_ALLOC_SMALL, SB_ALLOC_POOL_COUNT };

struct sb_alloc_stat {
	int64_t current, peak;
	int64_t allocated, freed; /* sums since open; current = allocated - freed */
};

struct sb_alloc_stats {
	struct sb_alloc_stat of[SB_ALLOC_FAMILY_COUNT][SB_ALLOC_POOL_COUNT];
	int64_t num_alloc_retries;        /* full releases of the cache after the device said no */
	int64_t num_ooms;                 /* requests that failed even so */
	int64_t num_sync_all_streams;     /* full releases, empty_cache included */
	int64_t num_device_alloc;         /* segments obtained or expandable growths */
	int64_t num_device_free;          /* segments returned or expandable shrinkings */
	int64_t host_allocs;              /* times the allocator's own tables grew */
	int64_t num_stitches;             /* growths that moved pages; those that only moved are no num_device_alloc */
	int64_t stitched_bytes;           /* what they moved */
	int64_t active_at_peak_reserved;  /* active bytes when reserved first reached its peak, after that request */
	int64_t largest_free, free_bytes; /* now: the largest cached block, and all of them */
	int64_t largest_free_at_peak_reserved, free_at_peak_reserved;
	struct sb_pages_counts driver;   /* of this allocator, failed calls included */
	int64_t driver_calls, driver_ns; /* their sums */
	/* 1 - active / reserved: of the two peaks, and at the moment of peak reserved. Absent while nothing was
	 * reserved. */
	struct sb_value fragmentation_of_peaks, fragmentation_at_peak_reserved;
	/* The largest cached block over all cached bytes: 1 when one request could have it all. Absent while nothing is
	 * cached. Addresses that a block could grow into do not count. */
	struct sb_value largest_free_share, largest_free_share_at_peak_reserved;
};
void sb_alloc_stats(const struct sb_alloc *a, struct sb_alloc_stats *out);

/* Every peak becomes the current value. */
void sb_alloc_reset_peaks(struct sb_alloc *a);

#define SB_ALLOC_MARKS_MAX 8
/*
 * Measure the memory of a piece of work: mark, do it, mark_end. mark_end returns the peak of allocated bytes in between
 * minus those live at the mark, never below 0. Marks nest SB_ALLOC_MARKS_MAX deep; one too many or too few is a bug.
 */
void sb_alloc_mark(struct sb_alloc *a);
int64_t sb_alloc_mark_end(struct sb_alloc *a);

/* One block as sb_alloc_visit() shows it. */
struct sb_alloc_block {
	uintptr_t segment_addr; /* of the segment it is in */
	int64_t segment_bytes;  /* of an expandable one: its whole address range */
	uintptr_t addr;
	int64_t bytes;
	int64_t requested; /* 0 unless live or pending */
	uint64_t stream;
	enum sb_alloc_pool pool; /* SB_ALLOC_LARGE or SB_ALLOC_SMALL */
	bool live, pending, mapped, expandable;
};
/* Call fn for every block, segment by segment (newest first), by rising address inside. fn changes nothing. */
void sb_alloc_visit(const struct sb_alloc *a, void (*fn)(void *user, const struct sb_alloc_block *b), void *user);

#endif
