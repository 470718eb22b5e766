#include "memory_internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The first of a block's two cache lines holds all that a search looks at. */
#define CACHE_LINE 64
_Static_assert(offsetof(struct block, size) + sizeof(int64_t) <= CACHE_LINE, "a search looks at one line of a block");
_Static_assert(sizeof(struct block) % CACHE_LINE == 0, "blocks begin with a line");
_Static_assert(offsetof(struct slab, blocks) % CACHE_LINE == 0, "and so does the first");

#define SMALL_SLAB (64 * SB_KIB)

/* The bytes of the next slab: a huge page each as soon as there are many blocks. */
static size_t next_slab(const struct sb_alloc *a)
{
	return (size_t)(a->n_slabs < 16 ? SMALL_SLAB : SB_HUGE_PAGE);
}

enum sb_status sb_block_reserve(struct sb_alloc *a, int n, struct sb_error *err)
{
	while (a->n_headers < n) {
		size_t bytes = next_slab(a), n_blocks = (bytes - sizeof(struct slab)) / sizeof(struct block);
		struct slab *s = sb_table_alloc(bytes, false);

		if (!s)
			return sb_fail(err, SB_E_NOMEM, "out of host memory for the allocator's blocks");
		s->next = a->slabs;
		a->slabs = s;
		a->n_slabs++;
		a->host_allocs++;
		while (n_blocks-- > 0)
			sb_block_drop(a, &s->blocks[n_blocks]);
	}
	return SB_OK;
}

struct block *sb_block_new(struct sb_alloc *a, struct segment *seg, uintptr_t addr, int64_t size)
{
	struct block *b = a->headers;

	if (!b)
		SB_BUG("no block header was reserved");
	a->headers = b->chain;
	a->n_headers--;
	b->addr = addr;
	b->size = size;
	b->prev = b->next = b->chain = NULL;
	b->pool = seg->pool;
	b->seg = seg;
	b->requested = 0;
	b->node.tag = BLOCK_LIVE; /* in no set */
	return b;
}

void sb_block_drop(struct sb_alloc *a, struct block *b)
{
	b->chain = a->headers;
	a->headers = b;
	a->n_headers++;
}

static struct sb_tree *set_of(struct block *b)
{
	return b->node.tag == BLOCK_FREE ? &b->pool->free : &b->pool->unmapped;
}

static uint64_t key_hi(const struct block *b)
{
	return b->node.tag == BLOCK_FREE ? (uint64_t)b->size : 0;
}

static bool is_inactive_split(const struct block *b)
{
	return b->node.tag == BLOCK_FREE && !b->seg->range && (b->prev || b->next);
}

static void change(struct sb_alloc *a, enum sb_alloc_family f, enum sb_alloc_pool pool, int64_t n)
{
	if (n > 0)
		sb_stat_add(a, f, pool, n);
	else if (n < 0)
		sb_stat_sub(a, f, pool, -n);
}

/* What an operation changed altogether: so PyTorch counts, and its sums of what came and went are of these. */
static void change_inactive(struct sb_alloc *a, const struct block *b, int64_t blocks, int64_t bytes)
{
	change(a, SB_ALLOC_INACTIVE_SPLITS, b->pool->kind, blocks);
	change(a, SB_ALLOC_INACTIVE_SPLIT_BYTES, b->pool->kind, bytes);
}

static int64_t inactive_bytes(const struct block *b)
{
	return is_inactive_split(b) ? b->size : 0;
}

struct block *sb_block_cut_front(struct sb_alloc *a, struct block *b, int64_t size)
{
	struct block *front = sb_block_new(a, b->seg, b->addr, size);
	bool was = is_inactive_split(b);
	int64_t before = inactive_bytes(b);

	front->prev = b->prev;
	front->next = b;
	if (b->prev)
		b->prev->next = front;
	else
		b->seg->first = front;
	b->prev = front;
	b->addr += (uintptr_t)size;
	b->size -= size;
	sb_tree_rekey(set_of(b), &b->node, key_hi(b), b->addr);
	change_inactive(a, b, is_inactive_split(b) - was, inactive_bytes(b) - before);
	return front;
}

void sb_block_take(struct sb_alloc *a, struct block *b)
{
	change_inactive(a, b, -is_inactive_split(b), -inactive_bytes(b));
	sb_tree_erase(set_of(b), &b->node);
	b->node.tag = BLOCK_LIVE;
}

/* Take b, in no set, out of the chain of neighbours: its place now belongs to one of them. */
static void unlink_block(struct sb_alloc *a, struct block *b)
{
	if (b->prev)
		b->prev->next = b->next;
	else
		b->seg->first = b->next;
	if (b->next)
		b->next->prev = b->prev;
	sb_block_drop(a, b);
}

struct block *sb_block_settle(struct sb_alloc *a, struct block *b, enum block_state state)
{
	struct block *prev = b->prev && b->prev->node.tag == state ? b->prev : NULL;
	struct block *next = b->next && b->next->node.tag == state ? b->next : NULL;
	struct block *home = prev ? prev : next;
	int64_t blocks = (prev && is_inactive_split(prev)) + (next && is_inactive_split(next));
	int64_t bytes = (prev ? inactive_bytes(prev) : 0) + (next ? inactive_bytes(next) : 0);

	if (prev && next) {
		sb_tree_erase(set_of(next), &next->node);
		b->size += next->size;
		unlink_block(a, next);
	}
	if (!home) {
		b->node.tag = state;
		b->node.hi = key_hi(b);
		b->node.lo = b->addr;
		b->cached_at = a->n_lookups;
		sb_tree_insert(set_of(b), &b->node);
		change_inactive(a, b, is_inactive_split(b), inactive_bytes(b));
		return b;
	}
	/* The neighbour takes b in and mostly keeps its place in its set. */
	home->size += b->size;
	if (home == next)
		home->addr = b->addr;
	home->cached_at = a->n_lookups;
	unlink_block(a, b);
	sb_tree_rekey(set_of(home), &home->node, key_hi(home), home->addr);
	change_inactive(a, home, is_inactive_split(home) - blocks, inactive_bytes(home) - bytes);
	return home;
}

enum sb_status sb_segment_add(struct sb_alloc *a, struct pool *pool, uintptr_t base, int64_t size,
        struct sb_pages_range *range, struct sb_error *err)
{
	struct segment *seg = calloc(1, sizeof(*seg));

	if (!seg)
		return sb_fail(err, SB_E_NOMEM, "out of host memory for the allocator's segments");
	seg->base = base;
	seg->size = size;
	seg->pool = pool;
	seg->range = range;
	seg->next = a->segments;
	if (seg->next)
		seg->next->prev = seg;
	a->segments = seg;
	seg->first = sb_block_new(a, seg, base, size);
	return SB_OK;
}

void sb_segment_drop(struct sb_alloc *a, struct segment *seg)
{
	if (seg->first->size != seg->size)
		SB_BUG("a segment still in pieces is dropped");
	sb_block_drop(a, seg->first);
	if (seg->prev)
		seg->prev->next = seg->next;
	else
		a->segments = seg->next;
	if (seg->next)
		seg->next->prev = seg->prev;
	free(seg);
}
