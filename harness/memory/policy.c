#include "memory_internal.h"

/*
 * The sizes of PyTorch's caching allocator (c10/cuda/CUDACachingAllocator, 2.11). They decide which sequences of
 * requests fragment, so they are facts to keep, not values to tune.
 */
#define SMALL_SEGMENT  (2 * SB_MIB)
#define LARGE_SEGMENT  (20 * SB_MIB)
#define LARGE_ROUNDING (2 * SB_MIB)
#define EXACT_FROM     (10 * SB_MIB) /* from here on a segment has the size of the request */

enum sb_status sb_check_limit(const struct sb_alloc *a, int64_t more, struct sb_error *err)
{
	int64_t reserved = a->stat[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].current;

	if (a->opt.limit_bytes && more > a->opt.limit_bytes - reserved)
		return sb_fail(err, SB_E_NOMEM, "%lld bytes more are over the process's limit of %lld", (long long)more,
		        (long long)a->opt.limit_bytes);
	return SB_OK;
}

/* ---- default: whole segments ------------------------------------------------------------------------------------ */

static int64_t segment_size(int64_t size)
{
	if (size <= SB_ALLOC_SMALL_MAX)
		return SMALL_SEGMENT;
	if (size < EXACT_FROM)
		return LARGE_SEGMENT;
	return sb_round_up(size, LARGE_ROUNDING);
}

static enum sb_status add_segment(
        struct sb_alloc *a, struct pool *pool, int64_t bytes, struct block **out, struct sb_error *err)
{
	enum sb_status status = sb_check_limit(a, bytes, err);
	uintptr_t base = 0;

	if (status)
		return status;
	status = sb_pages_segment_alloc(a->pages, bytes, &base, err);
	if (status)
		return status;
	status = sb_segment_add(a, pool, base, bytes, NULL, err);
	if (status) {
		sb_pages_segment_free(a->pages, base, bytes, NULL);
		return status;
	}
	a->num_device_alloc++;
	sb_stat_add(a, SB_ALLOC_SEGMENTS, pool->kind, 1);
	sb_stat_add(a, SB_ALLOC_RESERVED_BYTES, pool->kind, bytes);
	sb_tell(a, SB_ALLOC_EV_SEGMENT_ALLOC, base, bytes, pool->stream);
	*out = sb_block_settle(a, a->segments->first, BLOCK_FREE);
	return SB_OK;
}

static enum sb_status grow_segments(
        struct sb_alloc *a, struct pool *pool, int64_t size, struct block **out, struct sb_error *err)
{
	return add_segment(a, pool, segment_size(size), out, err);
}

enum sb_status sb_free_segment(struct sb_alloc *a, struct block *b, struct sb_error *err)
{
	struct segment *seg = b->seg;
	enum sb_status status;

	sb_block_take(a, b);
	sb_tell(a, SB_ALLOC_EV_SEGMENT_FREE, seg->base, seg->size, b->pool->stream);
	status = sb_pages_segment_free(a->pages, seg->base, seg->size, err);
	a->num_device_free++;
	sb_stat_sub(a, SB_ALLOC_SEGMENTS, b->pool->kind, 1);
	sb_stat_sub(a, SB_ALLOC_RESERVED_BYTES, b->pool->kind, seg->size);
	sb_segment_drop(a, seg);
	return status;
}

/* ---- expandable: a range of addresses whose tail is mapped as it is needed -------------------------------------- */

static struct block *block_of(struct sb_tree_node *n)
{
	return (struct block *)n;
}

/* The run of cached and unmapped blocks from b on reaches `size`. */
static bool room_from(const struct block *b, int64_t size)
{
	int64_t room = 0;

	while (b && (b->node.tag == BLOCK_FREE || b->node.tag == BLOCK_UNMAPPED) && room < size) {
		room += b->size;
		b = b->next;
	}
	return room >= size;
}

/* Lowest address first; a cached block right before unmapped addresses is the start, because it need not be mapped. */
static struct block *find_room(struct pool *pool, int64_t size)
{
	for (struct sb_tree_node *n = sb_tree_first(&pool->unmapped); n; n = sb_tree_next(n)) {
		struct block *b = block_of(n);

		if (b->prev && b->prev->node.tag == BLOCK_FREE)
			b = b->prev;
		if (room_from(b, size))
			return b;
	}
	return NULL;
}

/* Addresses for 9/8 of the device, so that a tail that grew around live blocks still has room. */
static enum sb_status add_range(
        struct sb_alloc *a, struct pool *pool, int64_t size, struct block **out, struct sb_error *err)
{
	int64_t handle = sb_round_up(
	        pool->kind == SB_ALLOC_SMALL ? SMALL_SEGMENT : a->policy->large_handle, a->pages->granularity_bytes);
	int64_t avail = 0, total = 0, n;
	struct sb_pages_range *range = NULL;
	enum sb_status status = sb_pages_info(a->pages, &avail, &total, err);

	if (status)
		return status;
	n = (total / 8 * 9 + handle - 1) / handle;
	if (size > n * handle)
		return sb_fail(err, SB_E_NOMEM, "%lld bytes are more than the device's %lld", (long long)size,
		        (long long)total);
	status = sb_pages_reserve(a->pages, handle, n, &range, err);
	if (status)
		return status;
	status = sb_segment_add(a, pool, range->base, n * handle, range, err);
	if (status) {
		sb_pages_unreserve(range, NULL);
		return status;
	}
	*out = sb_block_settle(a, a->segments->first, BLOCK_UNMAPPED);
	return SB_OK;
}

enum sb_status sb_find_addresses(
        struct sb_alloc *a, struct pool *pool, int64_t size, struct block **out, struct sb_error *err)
{
	*out = find_room(pool, size);
	return *out ? SB_OK : add_range(a, pool, size, out, err);
}

/* Map the handles under the first `size` bytes of the UNMAPPED block b; *out is the FREE block they became part of. */
static enum sb_status map_front(
        struct sb_alloc *a, struct block *b, int64_t size, struct block **out, struct sb_error *err)
{
	struct sb_pages_range *r = b->seg->range;
	int64_t bytes = sb_round_up(size < b->size ? size : b->size, r->handle_bytes);
	enum sb_status status;

	/* UNMAPPED blocks begin and end between handles, so the rounded size never passes the end of b. */
	status = sb_pages_map(r, (int64_t)(b->addr - r->base) / r->handle_bytes, bytes / r->handle_bytes, err);
	if (status)
		return status;
	if (bytes < b->size)
		b = sb_block_cut_front(a, b, bytes);
	else
		sb_block_take(a, b);
	a->num_device_alloc++;
	sb_stat_add(a, SB_ALLOC_RESERVED_BYTES, b->pool->kind, bytes);
	sb_tell(a, SB_ALLOC_EV_MAP, b->addr, bytes, b->pool->stream);
	*out = sb_block_settle(a, b, BLOCK_FREE);
	return SB_OK;
}

static enum sb_status grow_range(
        struct sb_alloc *a, struct pool *pool, int64_t size, struct block **out, struct sb_error *err)
{
	struct block *b = NULL;
	/* What a segment would have taken, though less may be mapped: so PyTorch asks. */
	enum sb_status status = sb_check_limit(a, segment_size(size), err);

	if (status)
		return status;
	status = sb_find_addresses(a, pool, size, &b, err);
	if (status)
		return status;
	if (b->node.tag == BLOCK_UNMAPPED) {
		status = map_front(a, b, size, &b, err);
		if (status)
			return status;
	}
	while (b->size < size) { /* what stands behind a FREE block that is too small is UNMAPPED: room_from() */
		status = map_front(a, b->next, size - b->size, &b, err);
		if (status)
			return status;
	}
	*out = b;
	return SB_OK;
}

/* Unmap the handles wholly inside the FREE block b; what is left before and behind them stays cached. */
static enum sb_status shrink_range(struct sb_alloc *a, struct block *b, struct sb_error *err)
{
	struct segment *seg = b->seg;
	struct sb_pages_range *r = seg->range;
	int64_t from = (int64_t)(b->addr - r->base), h = r->handle_bytes;
	int64_t first = (from + h - 1) / h, last = (from + b->size) / h;
	int64_t before = first * h - from, bytes = (last - first) * h;
	struct block *front = NULL;
	enum sb_status status, synced;

	if (last <= first || sb_block_reserve(a, 2 + SB_HEADERS_PER_REQUEST, NULL))
		return SB_OK; /* without headers the block stays cached: memory kept, nothing broken */
	if (before)
		front = sb_block_cut_front(a, b, before);
	if (bytes < b->size)
		b = sb_block_cut_front(a, b, bytes);
	else
		sb_block_take(a, b);
	synced = sb_pages_sync(a->pages, b->pool->stream, err);
	status = sb_pages_unmap(r, first, last - first, synced ? NULL : err);
	a->num_device_free++;
	sb_stat_sub(a, SB_ALLOC_RESERVED_BYTES, b->pool->kind, bytes);
	sb_tell(a, SB_ALLOC_EV_UNMAP, b->addr, bytes, b->pool->stream);
	b = sb_block_settle(a, b, BLOCK_UNMAPPED);
	if (front) /* only now: earlier it would have merged with what it was cut from */
		sb_block_settle(a, front, BLOCK_FREE);
	status = synced ? synced : status;
	if (b->size == seg->size) {
		enum sb_status removed;

		sb_block_take(a, b);
		sb_segment_drop(a, seg);
		removed = sb_pages_unreserve(r, status ? NULL : err);
		status = status ? status : removed;
	}
	return status;
}

/* ---- release ---------------------------------------------------------------------------------------------------- */

static enum sb_status release_block(struct sb_alloc *a, struct block *b, struct sb_error *err)
{
	if (b->seg->range)
		return shrink_range(a, b, err);
	if (b->prev || b->next)
		return SB_OK;
	return sb_free_segment(a, b, err);
}

enum sb_status sb_release_oversize(
        struct sb_alloc *a, struct pool *pool, int64_t size, bool *enough, struct sb_error *err)
{
	int64_t max = a->opt.max_split_size, need = size > max ? size : max, sum = 0;
	struct sb_tree_node *n = sb_tree_lower_bound(&pool->free, (uint64_t)need, 0), *prev;
	enum sb_status status;

	*enough = false;
	if (a->policy->expandable)
		return SB_OK; /* they are given back only when everything is */
	if (n) {
		status = release_block(a, block_of(n), err);
		*enough = !status;
		return status;
	}
	for (n = sb_tree_last(&pool->free); n && sum < need && block_of(n)->size >= max; n = prev) {
		prev = sb_tree_prev(n);
		sum += block_of(n)->size;
		status = release_block(a, block_of(n), err);
		if (status)
			return status;
	}
	*enough = sum >= need;
	return SB_OK;
}

/* Releasing changes the set, so what is in it is listed first. Blocks of one list never merge with one another. */
static enum sb_status release_pool(struct sb_alloc *a, struct pool *pool, struct sb_error *err)
{
	struct block *list = NULL, **end = &list;
	enum sb_status first = SB_OK, status;

	for (struct sb_tree_node *n = sb_tree_first(&pool->free); n; n = sb_tree_next(n)) {
		*end = block_of(n);
		end = &block_of(n)->chain;
	}
	*end = NULL;
	while (list) {
		struct block *b = list;

		list = b->chain;
		status = release_block(a, b, first ? NULL : err);
		first = first ? first : status;
	}
	return first;
}

enum sb_status sb_release_cached(struct sb_alloc *a, struct sb_error *err)
{
	enum sb_status first = SB_OK, status;

	a->num_sync_all_streams++;
	sb_complete_all(a);
	for (int i = 0; i < 2 * a->n_streams; i++) {
		struct stream *s = a->streams[i % a->n_streams];

		status = release_pool(a, i < a->n_streams ? &s->large : &s->small, first ? NULL : err);
		first = first ? first : status;
	}
	return first;
}

/* ---- garbage collection ----------------------------------------------------------------------------------------- */

static bool is_collectable(const struct block *b)
{
	return !b->prev && !b->next && !b->seg->range;
}

/* Age is counted in look-ups since the block became what it is. */
static uint64_t age(const struct sb_alloc *a, const struct block *b)
{
	return a->n_lookups - b->cached_at;
}

struct collectable {
	uint64_t total_age;
	int64_t n;
};

static void count_collectable(const struct sb_alloc *a, const struct pool *pool, struct collectable *c)
{
	for (struct sb_tree_node *n = sb_tree_first(&pool->free); n; n = sb_tree_next(n)) {
		if (!is_collectable(block_of(n)))
			continue;
		c->total_age += age(a, block_of(n));
		c->n++;
	}
}

/* Free what is at least as old as `limit`; returns the bytes. */
static int64_t collect_pool(struct sb_alloc *a, struct pool *pool, double limit, struct collectable *c,
        enum sb_status *status, struct sb_error *err)
{
	int64_t freed = 0;

	for (struct sb_tree_node *n = sb_tree_first(&pool->free), *next; n && !*status; n = next) {
		struct block *b = block_of(n);

		next = sb_tree_next(n);
		if (!is_collectable(b) || (double)age(a, b) < limit)
			continue;
		c->total_age -= age(a, b);
		c->n--;
		freed += b->size;
		*status = sb_free_segment(a, b, err);
	}
	return freed;
}

/* Those of at least average age, all of them, then again by the average of the rest, until enough is freed. */
enum sb_status sb_collect_garbage(struct sb_alloc *a, struct sb_error *err)
{
	int64_t reserved = a->stat[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].current;
	int64_t keep = (int64_t)(a->opt.garbage_collection_threshold * (double)a->opt.limit_bytes);
	int64_t goal = reserved - keep, freed = 0, round = 1;
	struct collectable c = { 0 };
	enum sb_status status = SB_OK;

	if (goal <= 0)
		return SB_OK;
	for (int i = 0; i < a->n_streams; i++)
		count_collectable(a, &a->streams[i]->large, &c);
	while (freed < goal && round > 0 && c.n > 0 && !status) {
		double limit = (double)c.total_age / (double)c.n;

		round = 0;
		for (int i = 0; i < a->n_streams; i++)
			round += collect_pool(a, &a->streams[i]->large, limit, &c, &status, err);
		freed += round;
	}
	return status;
}

/*
 * `stitched` has smaller handles, because what it cannot move is what a live block has in common with its first and its
 * last one, and not the smallest, because every handle is a call of its own. Over the recorded churn and eight more
 * with its sizes scaled, reserved over allocated and calls of the driver: handles of 4 MiB 0.6 %, 27 000; 8 MiB 1.0 %,
 * 13 000; 10 MiB 1.2 %, 11 000; 20 MiB 1.7 %, 5 300 (expandable: 3.5 %, 1 900).
 */
#define STITCHED_HANDLE (8 * SB_MIB)

/* `none` keeps nothing: a segment for every request. */
const struct policy sb_policies[] = {
	{ "default", false, false, 0, grow_segments },
	{ "expandable", true, false, LARGE_SEGMENT, grow_range },
	{ "stitched", true, false, STITCHED_HANDLE, sb_grow_stitched },
	{ "none", false, true, 0, add_segment },
};
const size_t sb_n_policies = SB_ARRAY_LEN(sb_policies);
const char *const sb_alloc_policy_names[] = { "default", "expandable", "stitched", "none", NULL };
