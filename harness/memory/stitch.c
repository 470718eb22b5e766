/*
 * The growth of `stitched`: expandable segments that move pages. What no cached block fits is put where addresses are
 * free, over pages that lie unused inside cached blocks, and over new ones only for what is missing. The idea is
 * GMLake's (ASPLOS 2024): unused memory in the middle of segments is unmapped and mapped again in one piece.
 *
 * Order of the stream: a cached block may still be read by work that is queued, which is no matter to whoever gets the
 * block next, because that is queued behind. Unmapping is not queued. So the stream is waited for, once a growth,
 * before the first page goes; work of other streams has passed, because until then their blocks are pending and not
 * cached.
 */
#include "memory_internal.h"

/* The pages that are moved to one place. */
struct donors {
	struct block *list; /* FREE blocks with whole handles inside, by chain */
	int64_t n_handles;  /* in all of them, not more than are wanted */
};

/* Handles of b's range, first to last - 1, that lie wholly inside b. */
static void whole_handles(const struct block *b, int64_t *first, int64_t *last)
{
	int64_t h = b->seg->range->handle_bytes, from = (int64_t)(b->addr - b->seg->base);

	*first = (from + h - 1) / h;
	*last = (from + b->size) / h;
}

/*
 * Up to `wanted` handles of cached blocks outside of [start, end), where the request is to be. The largest blocks give
 * first: few are cut, and what is left of them stays in one piece. (The smallest first moved a tenth less over the
 * recorded churn, and reserved half as much again over what was allocated.)
 */
static struct donors find_donors(
        const struct pool *pool, int64_t handle_bytes, int64_t wanted, uintptr_t start, uintptr_t end)
{
	struct donors d = { 0 };
	struct block **tail = &d.list, *b;

	for (struct sb_tree_node *n = sb_tree_last(&pool->free); n && d.n_handles < wanted; n = sb_tree_prev(n)) {
		int64_t first, last;

		b = (struct block *)n;
		if (b->size < handle_bytes)
			break;
		whole_handles(b, &first, &last);
		if (last <= first || b->seg->range->handle_bytes != handle_bytes ||
		        (b->addr < end && b->addr + (uintptr_t)b->size > start))
			continue;
		*tail = b;
		tail = &b->chain;
		d.n_handles += last - first;
	}
	*tail = NULL;
	if (d.n_handles > wanted)
		d.n_handles = wanted;
	return d;
}

static int64_t headers_for(const struct donors *d)
{
	int64_t n = SB_HEADERS_PER_REQUEST;

	for (const struct block *b = d->list; b; b = b->chain)
		n += 2;
	return n;
}

/*
 * Take up to `most` handles off the end of the FREE block b into the slots of r from `to` on; *taken says how many.
 * They are taken even if an error is returned.
 */
static enum sb_status take_from(struct sb_alloc *a, struct block *b, int64_t most, struct sb_pages_range *r, int64_t to,
        int64_t *taken, struct sb_error *err)
{
	struct sb_pages_range *src = b->seg->range;
	enum sb_status first_error = SB_OK, status;
	struct block *front = NULL;
	int64_t first, last, before, bytes;

	whole_handles(b, &first, &last);
	if (last - first > most)
		first = last - most;
	before = (int64_t)(src->base - b->addr) + first * src->handle_bytes;
	bytes = (last - first) * src->handle_bytes;
	if (before)
		front = sb_block_cut_front(a, b, before);
	if (bytes < b->size)
		b = sb_block_cut_front(a, b, bytes);
	else
		sb_block_take(a, b);
	for (int64_t i = first; i < last; i++) {
		status = sb_pages_take(src, i, r, to + i - first, first_error ? NULL : err);
		first_error = first_error ? first_error : status;
	}
	sb_stat_sub(a, SB_ALLOC_RESERVED_BYTES, b->pool->kind, bytes);
	sb_tell(a, SB_ALLOC_EV_MOVE, b->addr, bytes, b->pool->stream);
	sb_block_settle(a, b, BLOCK_UNMAPPED);
	if (front)
		sb_block_settle(a, front, BLOCK_FREE);
	*taken = last - first;
	return first_error;
}

/* Fill the slots of r from `to` on with the pages of d. Returns the first error, having taken all. */
static enum sb_status take_all(
        struct sb_alloc *a, const struct donors *d, struct sb_pages_range *r, int64_t to, struct sb_error *err)
{
	enum sb_status first_error = SB_OK, status;
	int64_t left = d->n_handles, taken = 0;

	for (struct block *b = d->list, *next; b; b = next) {
		next = b->chain;
		status = take_from(a, b, left, r, to, &taken, first_error ? NULL : err);
		first_error = first_error ? first_error : status;
		left -= taken;
		to += taken;
	}
	return first_error;
}

/*
 * Fill n slots of r from `first` on: new handles first, because the device may refuse them, and nothing has happened
 * then. What was filled is released after a failure.
 */
static enum sb_status fill(struct sb_alloc *a, const struct donors *d, uint64_t stream, struct sb_pages_range *r,
        int64_t first, int64_t n, struct sb_error *err)
{
	int64_t n_new = n - d->n_handles;
	enum sb_status status = sb_check_limit(a, n_new * r->handle_bytes, err);

	if (!status && n_new)
		status = sb_pages_create(r, first, n_new, err);
	if (status || !d->n_handles)
		return status;
	status = sb_pages_sync(a->pages, stream, err);
	if (status) {
		sb_pages_drop(r, first, n_new);
		return status;
	}
	status = take_all(a, d, r, first + n_new, err);
	if (status)
		sb_pages_drop(r, first, n);
	return status;
}

/*
 * Back the first `size` bytes of the UNMAPPED block b, which is part of what [start, end) needs; *out is the FREE block
 * they became part of.
 */
static enum sb_status back_front(struct sb_alloc *a, struct block *b, int64_t size, uintptr_t start, uintptr_t end,
        struct block **out, struct sb_error *err)
{
	struct sb_pages_range *r = b->seg->range;
	struct pool *pool = b->pool;
	uintptr_t addr = b->addr;
	int64_t bytes = sb_round_up(size < b->size ? size : b->size, r->handle_bytes);
	int64_t first = (int64_t)(addr - r->base) / r->handle_bytes, n = bytes / r->handle_bytes;
	struct donors d = find_donors(pool, r->handle_bytes, n, start, end);
	struct block *front;
	enum sb_status status;

	if (sb_block_reserve(a, (int)headers_for(&d), NULL))
		d = (struct donors){ 0 }; /* the host has no room to move anything: only new pages */
	/* b leaves its set now: pages that are taken right beside it must not merge with it. */
	front = bytes < b->size ? sb_block_cut_front(a, b, bytes) : b;
	if (front == b)
		sb_block_take(a, b);
	status = fill(a, &d, pool->stream, r, first, n, err);
	if (!status) {
		status = sb_pages_place(r, first, n, err);
		if (status)
			sb_pages_drop(r, first, n);
	}
	if (status) {
		sb_block_settle(a, front, BLOCK_UNMAPPED);
		return status;
	}
	a->num_device_alloc += d.n_handles < n;
	a->num_stitches += d.n_handles > 0;
	a->stitched_bytes += d.n_handles * r->handle_bytes;
	sb_stat_add(a, SB_ALLOC_RESERVED_BYTES, pool->kind, bytes);
	sb_tell(a, SB_ALLOC_EV_MAP, addr, bytes, pool->stream);
	*out = sb_block_settle(a, front, BLOCK_FREE);
	return SB_OK;
}

enum sb_status sb_grow_stitched(
        struct sb_alloc *a, struct pool *pool, int64_t size, struct block **out, struct sb_error *err)
{
	struct block *b = NULL;
	enum sb_status status = sb_find_addresses(a, pool, size, &b, err);
	uintptr_t start, end;

	if (status)
		return status;
	start = b->addr;
	end = start + (uintptr_t)size;
	if (b->node.tag == BLOCK_UNMAPPED)
		status = back_front(a, b, size, start, end, &b, err);
	while (!status && b->size < size)
		status = back_front(a, b->next, size - b->size, start, end, &b, err);
	if (!status)
		*out = b;
	return status;
}
