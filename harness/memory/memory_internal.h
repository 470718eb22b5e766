/* What the files of memory/ share. */
#ifndef SB_MEMORY_INTERNAL_H
#define SB_MEMORY_INTERNAL_H

#include "sb_memory.h"

#define SB_KIB INT64_C(1024)
#define SB_MIB (1024 * SB_KIB)

/* ---- an ordered set with nodes inside their owners (AVL: height <= 1.44 log2 n) --------------------------------- */

/* Ordered by (hi, lo), unique. */
struct sb_tree_node {
	struct sb_tree_node *parent, *child[2];
	uint64_t hi, lo;
	int height;   /* 1 for a leaf */
	unsigned tag; /* the owner's: it lies here because it is asked for together with the keys */
};

struct sb_tree {
	struct sb_tree_node *root;
};

void sb_tree_insert(struct sb_tree *t, struct sb_tree_node *n); /* its hi and lo are set */
void sb_tree_erase(struct sb_tree *t, struct sb_tree_node *n);
/* Change the key of a node that is in the tree; moves it only if its neighbours no longer enclose it. */
void sb_tree_rekey(struct sb_tree *t, struct sb_tree_node *n, uint64_t hi, uint64_t lo);
/* The first node >= (hi, lo), or NULL. */
struct sb_tree_node *sb_tree_lower_bound(const struct sb_tree *t, uint64_t hi, uint64_t lo);
struct sb_tree_node *sb_tree_first(const struct sb_tree *t);
struct sb_tree_node *sb_tree_last(const struct sb_tree *t);
struct sb_tree_node *sb_tree_next(const struct sb_tree_node *n);
struct sb_tree_node *sb_tree_prev(const struct sb_tree_node *n);

/* ---- blocks ----------------------------------------------------------------------------------------------------- */

/*
 * UNMAPPED  addresses of an expandable segment without pages; in pool->unmapped by address
 * FREE      cached; in pool->free by (size, address)
 * LIVE      handed out; in the table of live pointers
 * PENDING   freed by the program while another stream still uses it; in the table of live pointers, too
 * Neighbours merge only within FREE and within UNMAPPED.
 */
enum block_state { BLOCK_UNMAPPED, BLOCK_FREE, BLOCK_LIVE, BLOCK_PENDING };

/* A piece of a segment. prev and next are its neighbours by address; two neighbours are never both FREE or UNMAPPED. */
struct block {
	_Alignas(64) struct sb_tree_node node; /* first, so that a node is its block; (size, addr) if FREE, (0, addr) if
	                                        * UNMAPPED; tag: enum block_state */
	uintptr_t addr;
	int64_t size;
	struct block *prev, *next;
	struct pool *pool;
	struct segment *seg;
	int64_t requested;   /* LIVE and PENDING only */
	uint64_t cached_at;  /* FREE: the number of look-ups when it became as it is */
	struct block *chain; /* the free list of headers; the work list of a full release */
};

/* The memory of one stream for small or for large requests; nothing ever moves from one to another. */
struct pool {
	struct sb_tree free;
	struct sb_tree unmapped;
	uint64_t stream;
	enum sb_alloc_pool kind; /* SB_ALLOC_LARGE or SB_ALLOC_SMALL */
};

struct stream {
	uint64_t id;
	struct pool large, small;
};

/* What came from the provider in one piece: a cudaMalloc, or a reserved range of addresses. */
struct segment {
	struct segment *prev, *next;
	uintptr_t base;
	int64_t size;
	struct pool *pool;
	struct sb_pages_range *range; /* NULL: a classic segment */
	struct block *first;
};

/* ---- the allocator ---------------------------------------------------------------------------------------------- */

/* `freed` of the public statistic is what was allocated less what is current; sums over all pools are made on asking.
 */
struct counter {
	int64_t current, peak, allocated;
};

struct policy {
	const char *name;
	bool expandable;
	bool uncached;        /* every request and every free goes to the driver */
	int64_t large_handle; /* expandable: the handles of the large pool, bytes */
	/* Get memory for `size` into `pool`: *out is a FREE block >= size. SB_E_NOMEM: the device said no. */
	enum sb_status (*grow)(
	        struct sb_alloc *a, struct pool *pool, int64_t size, struct block **out, struct sb_error *err);
};

struct live_slot {
	uintptr_t addr; /* 0: empty */
	struct block *block;
};

struct slab {
	struct slab *next;
	char unused[120]; /* blocks are two cache lines, and begin where pairs of them do */
	struct block blocks[];
};

struct mark {
	int64_t entry, outer_peak;
};

struct sb_alloc {
	const struct policy *policy;
	struct sb_pages *pages;
	struct sb_alloc_options opt;
	bool rounds_by_power2; /* some division is set */

	struct stream **streams; /* [n_streams], by id */
	int n_streams;
	struct stream *last_stream; /* of the latest request, most often of the next too */
	struct segment *segments;

	struct live_slot *live;              /* open addressing, at most half full */
	size_t n_live, n_pending, live_mask; /* n_live: pending ones included */
	unsigned live_shift;
	uint64_t n_lookups; /* of large blocks, while garbage is collected: the clock by which blocks age */

	struct slab *slabs;
	int n_slabs;
	struct block *headers; /* unused ones, by chain */
	int n_headers;

	struct counter stat[SB_ALLOC_FAMILY_COUNT][SB_ALLOC_POOL_COUNT];
	int64_t num_alloc_retries, num_ooms, num_sync_all_streams, num_device_alloc, num_device_free, host_allocs;
	int64_t num_stitches, stitched_bytes;
	int64_t peak_reserved_seen, active_at_peak_reserved, largest_free_at_peak_reserved, free_at_peak_reserved;
	struct sb_pages_counts driver_at_open;
	struct sb_oom oom;
	void (*observer)(void *user, const struct sb_alloc_event *e);
	void *observer_user;

	int64_t mark_peak;
	struct mark marks[SB_ALLOC_MARKS_MAX];
	int n_marks;
};

static inline void sb_stat_add(struct sb_alloc *a, enum sb_alloc_family f, enum sb_alloc_pool pool, int64_t n)
{
	struct counter *all = &a->stat[f][SB_ALLOC_ALL], *one = &a->stat[f][pool];

	one->allocated += n;
	one->current += n;
	all->current += n;
	if (one->current > one->peak)
		one->peak = one->current;
	if (all->current > all->peak)
		all->peak = all->current;
}

static inline void sb_stat_sub(struct sb_alloc *a, enum sb_alloc_family f, enum sb_alloc_pool pool, int64_t n)
{
	a->stat[f][pool].current -= n;
	a->stat[f][SB_ALLOC_ALL].current -= n;
}

static inline void sb_tell(
        struct sb_alloc *a, enum sb_alloc_event_kind kind, uintptr_t addr, int64_t bytes, uint64_t stream)
{
	if (a->observer)
		a->observer(a->observer_user, &(struct sb_alloc_event){ kind, addr, bytes, stream, 0 });
}

static inline void sb_tell_of_block(struct sb_alloc *a, enum sb_alloc_event_kind kind, const struct block *b)
{
	if (a->observer)
		a->observer(a->observer_user,
		        &(struct sb_alloc_event){ kind, b->addr, b->requested, b->pool->stream, b->size });
}

/* Blocks age and are collected: step 4 of a request. */
static inline bool sb_collects(const struct sb_alloc *a)
{
	return a->opt.limit_bytes > 0 && a->opt.garbage_collection_threshold > 0;
}

static inline int64_t sb_round_up(int64_t n, int64_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

#define SB_HUGE_PAGE (2 * SB_MIB)
/*
 * Host memory for the allocator's own tables, freed by free(). From SB_HUGE_PAGE on in huge pages where the system has
 * them: with 100,000 blocks a third of the time went into finding pages.
 */
void *sb_table_alloc(size_t bytes, bool zeroed);

/* block.c: headers, sets, splitting and merging. */

/* One request takes at most: a new segment, the mapped front of its addresses (twice, around a hole), the split. */
#define SB_HEADERS_PER_REQUEST 8

/* Make sure that n headers can be taken without asking the host. Errors: SB_E_NOMEM (host), nothing changed. */
enum sb_status sb_block_reserve(struct sb_alloc *a, int n, struct sb_error *err);
/* A header for [addr, addr + size) of seg; without neighbours and in no set. One was reserved. */
struct block *sb_block_new(struct sb_alloc *a, struct segment *seg, uintptr_t addr, int64_t size);
void sb_block_drop(struct sb_alloc *a, struct block *b);
/* Cut the low `size` bytes off b into a block of their own, in no set. b keeps its state and its place in its set. */
struct block *sb_block_cut_front(struct sb_alloc *a, struct block *b, int64_t size);
/* Take a FREE or UNMAPPED block out of its set. */
void sb_block_take(struct sb_alloc *a, struct block *b);
/* Make b, in no set, FREE or UNMAPPED, merged with neighbours of that state. Returns the block it is in now. */
struct block *sb_block_settle(struct sb_alloc *a, struct block *b, enum block_state state);
/* A new segment of one block, in no set yet. One header was reserved. Errors: SB_E_NOMEM (host). */
enum sb_status sb_segment_add(struct sb_alloc *a, struct pool *pool, uintptr_t base, int64_t size,
        struct sb_pages_range *range, struct sb_error *err);
/* Forget a segment whose one block is in no set. */
void sb_segment_drop(struct sb_alloc *a, struct segment *seg);

/* policy.c: getting memory from the provider and giving it back. */

extern const struct policy sb_policies[];
extern const size_t sb_n_policies;

/*
 * Free oversize blocks of this pool so that `size` may fit (only with max_split_size). *enough: it is worth asking the
 * device again.
 */
enum sb_status sb_release_oversize(
        struct sb_alloc *a, struct pool *pool, int64_t size, bool *enough, struct sb_error *err);
/* Free everything that can be freed. Returns the first error, having gone on to the end. */
enum sb_status sb_release_cached(struct sb_alloc *a, struct sb_error *err);
/* Free the older ones of the cached segments of the large pools, if too much is reserved. */
enum sb_status sb_collect_garbage(struct sb_alloc *a, struct sb_error *err);
/* Free the segment of a FREE block that is alone in it. */
enum sb_status sb_free_segment(struct sb_alloc *a, struct block *b, struct sb_error *err);

/* More than the process may hold? Errors: SB_E_NOMEM. */
enum sb_status sb_check_limit(const struct sb_alloc *a, int64_t more, struct sb_error *err);
/*
 * Where `size` can be mapped: *out is the first of a run of FREE and UNMAPPED blocks that reaches it, in the pool's
 * ranges or in a new one.
 */
enum sb_status sb_find_addresses(
        struct sb_alloc *a, struct pool *pool, int64_t size, struct block **out, struct sb_error *err);

/* stitch.c: the growth of `stitched`. */
enum sb_status sb_grow_stitched(
        struct sb_alloc *a, struct pool *pool, int64_t size, struct block **out, struct sb_error *err);

/* stats.c */

/* Look at the present moment if it is the first of its peak of reserved bytes. */
void sb_note_peak_reserved(struct sb_alloc *a);

/* alloc.c */

/* All work that pending blocks wait for has passed. */
void sb_complete_all(struct sb_alloc *a);

#endif
