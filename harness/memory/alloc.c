#include "memory_internal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_REQUEST      (INT64_C(1) << 60)
#define MIN_MAX_SPLIT    (20 * SB_MIB)
#define SPLIT_REMAINDER  SB_MIB /* classic large pool: a remainder must be larger than this */
#define FIRST_LIVE_SLOTS 1024   /* a power of two */

/* ---- open and close --------------------------------------------------------------------------------------------- */

void sb_alloc_options_init(struct sb_alloc_options *o)
{
	memset(o, 0, sizeof(*o));
	o->max_split_size = SB_ALLOC_UNLIMITED;
	o->max_non_split_rounding = MIN_MAX_SPLIT;
}

static enum sb_status check_options(const struct sb_alloc_options *o, struct sb_error *err)
{
	if (o->max_split_size < MIN_MAX_SPLIT)
		return sb_fail(
		        err, SB_E_USAGE, "max_split_size of %lld bytes is below 20 MiB", (long long)o->max_split_size);
	if (o->max_non_split_rounding < MIN_MAX_SPLIT || o->max_non_split_rounding > MAX_REQUEST)
		return sb_fail(err, SB_E_USAGE, "max_non_split_rounding of %lld bytes is not in 20 MiB .. 1 EiB",
		        (long long)o->max_non_split_rounding);
	if (o->limit_bytes < 0)
		return sb_fail(err, SB_E_USAGE, "a limit of %lld bytes", (long long)o->limit_bytes);
	for (int i = 0; i < SB_ALLOC_N_DIVISION; i++) {
		int64_t d = o->roundup_power2_divisions[i];

		if (d < 0 || d & (d - 1))
			return sb_fail(err, SB_E_USAGE, "roundup_power2_divisions of %lld is not a power of two",
			        (long long)d);
	}
	if (!(o->garbage_collection_threshold >= 0 && o->garbage_collection_threshold < 1))
		return sb_fail(err, SB_E_USAGE, "a garbage_collection_threshold of %g is not in 0 .. 1",
		        o->garbage_collection_threshold);
	return SB_OK;
}

static const struct policy *find_policy(const char *name, struct sb_error *err)
{
	struct sb_buf known = { 0 };

	for (size_t i = 0; i < sb_n_policies; i++)
		if (strcmp(sb_policies[i].name, name) == 0)
			return &sb_policies[i];
	for (size_t i = 0; i < sb_n_policies; i++)
		sb_buf_addf(&known, "%s%s", i ? ", " : "", sb_policies[i].name);
	sb_fail(err, SB_E_USAGE, "no allocator policy '%s': one of %s", name, sb_buf_str(&known));
	sb_buf_release(&known);
	return NULL;
}

static enum sb_status live_resize(struct sb_alloc *a, size_t n_slots, struct sb_error *err);

enum sb_status sb_alloc_open_with(const char *policy, const struct sb_alloc_options *opt, struct sb_pages *pages,
        struct sb_alloc **out, struct sb_error *err)
{
	const struct policy *found = find_policy(policy, err);
	struct sb_alloc_options defaults;
	struct sb_alloc *a;
	enum sb_status status;

	if (!found)
		return SB_E_USAGE;
	sb_alloc_options_init(&defaults);
	opt = opt ? opt : &defaults;
	status = check_options(opt, err);
	if (status)
		return status;
	a = calloc(1, sizeof(*a));
	if (!a)
		return sb_fail(err, SB_E_NOMEM, "out of host memory for an allocator");
	a->policy = found;
	a->pages = pages;
	a->opt = *opt;
	for (int i = 0; i < SB_ALLOC_N_DIVISION; i++)
		a->rounds_by_power2 |= opt->roundup_power2_divisions[i] > 1;
	a->driver_at_open = pages->counts;
	status = live_resize(a, FIRST_LIVE_SLOTS, err);
	if (!status)
		status = sb_block_reserve(a, SB_HEADERS_PER_REQUEST, err);
	if (status) {
		sb_alloc_close(a);
		return status;
	}
	*out = a;
	return SB_OK;
}

enum sb_status sb_alloc_open(const char *policy, struct sb_pages *pages, struct sb_alloc **out, struct sb_error *err)
{
	return sb_alloc_open_with(policy, NULL, pages, out, err);
}

int64_t sb_alloc_close(struct sb_alloc *a)
{
	int64_t n_live;

	if (!a)
		return 0;
	n_live = (int64_t)(a->n_live - a->n_pending);
	for (struct segment *seg = a->segments, *next; seg; seg = next) {
		next = seg->next;
		if (seg->range)
			sb_pages_unreserve(seg->range, NULL);
		else
			sb_pages_segment_free(a->pages, seg->base, seg->size, NULL);
		free(seg);
	}
	for (struct slab *s = a->slabs, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	for (int i = 0; i < a->n_streams; i++)
		free(a->streams[i]);
	free(a->streams);
	free(a->live);
	free(a);
	return n_live;
}

const char *sb_alloc_policy(const struct sb_alloc *a)
{
	return a->policy->name;
}

/* ---- live pointers ---------------------------------------------------------------------------------------------- */

/* Fibonacci hashing of the 512-byte cell: the high bits of the product are the well-mixed ones. */
static size_t live_home(const struct sb_alloc *a, uintptr_t addr)
{
	return (size_t)((addr / SB_ALLOC_ALIGN * UINT64_C(0x9e3779b97f4a7c15)) >> a->live_shift);
}

static void live_add(struct sb_alloc *a, struct block *b)
{
	size_t i = live_home(a, b->addr);

	while (a->live[i].addr)
		i = (i + 1) & a->live_mask;
	a->live[i] = (struct live_slot){ b->addr, b };
	a->n_live++;
}

/* The slot of addr, or an empty one. */
static size_t live_find(const struct sb_alloc *a, uintptr_t addr)
{
	size_t i = live_home(a, addr);

	while (a->live[i].addr && a->live[i].addr != addr)
		i = (i + 1) & a->live_mask;
	return i;
}

static void live_remove(struct sb_alloc *a, size_t i)
{
	size_t hole;

	/* Move back whatever was pushed past the hole, so that no search ends early. */
	for (hole = i, i = (i + 1) & a->live_mask; a->live[i].addr; i = (i + 1) & a->live_mask) {
		size_t home = live_home(a, a->live[i].addr);

		if (((i - home) & a->live_mask) < ((i - hole) & a->live_mask))
			continue;
		a->live[hole] = a->live[i];
		hole = i;
	}
	a->live[hole].addr = 0;
	a->n_live--;
}

static enum sb_status live_resize(struct sb_alloc *a, size_t n_slots, struct sb_error *err)
{
	struct live_slot *old = a->live, *slots = sb_table_alloc(n_slots * sizeof(*slots), true);
	size_t n_old = old ? a->live_mask + 1 : 0;

	if (!slots)
		return sb_fail(err, SB_E_NOMEM, "out of host memory for %zu live blocks", n_slots / 2);
	a->live = slots;
	a->live_mask = n_slots - 1;
	a->live_shift = 64;
	for (size_t n = n_slots; n > 1; n /= 2)
		a->live_shift--;
	a->n_live = 0;
	a->host_allocs++;
	for (size_t i = 0; i < n_old; i++)
		if (old[i].addr)
			live_add(a, old[i].block);
	free(old);
	return SB_OK;
}

/* ---- malloc ----------------------------------------------------------------------------------------------------- */

/* Rounding by power-of-two divisions: 0 when it does not apply. */
static int64_t round_by_power2(const struct sb_alloc *a, int64_t bytes)
{
	int power = 0, interval;
	int64_t d;

	while (bytes >> power > 1)
		power++;
	interval = power < 20 ? 0 : power - 20;
	interval = interval < SB_ALLOC_N_DIVISION ? interval : SB_ALLOC_N_DIVISION - 1;
	d = a->opt.roundup_power2_divisions[interval];
	if (d <= 1 || bytes / SB_ALLOC_ALIGN < d || bytes == SB_ALLOC_ALIGN * d)
		return 0;
	return sb_round_up(bytes, (INT64_C(1) << power) / d);
}

static int64_t rounded(const struct sb_alloc *a, int64_t bytes)
{
	int64_t size = a->rounds_by_power2 ? round_by_power2(a, bytes) : 0;

	return size ? size : sb_round_up(bytes, SB_ALLOC_ALIGN);
}

static void pool_init(struct pool *p, uint64_t stream, enum sb_alloc_pool kind)
{
	p->stream = stream;
	p->kind = kind;
}

static enum sb_status add_stream(struct sb_alloc *a, uint64_t id, struct stream **out, struct sb_error *err)
{
	struct stream **grown, *s = calloc(1, sizeof(*s));
	int at = a->n_streams;

	grown = s ? realloc(a->streams, ((size_t)a->n_streams + 1) * sizeof(*grown)) : NULL;
	if (!grown) {
		free(s);
		return sb_fail(err, SB_E_NOMEM, "out of host memory for another stream");
	}
	a->streams = grown;
	for (; at > 0 && grown[at - 1]->id > id; at--)
		grown[at] = grown[at - 1];
	grown[at] = s;
	a->n_streams++;
	a->host_allocs++;
	s->id = id;
	pool_init(&s->large, id, SB_ALLOC_LARGE);
	pool_init(&s->small, id, SB_ALLOC_SMALL);
	*out = s;
	return SB_OK;
}

/* Everything a request may need from the host, so that nothing after this fails half-way for want of it. */
static enum sb_status prepare(struct sb_alloc *a, uint64_t stream, struct sb_error *err)
{
	enum sb_status status = SB_OK;

	if (!a->last_stream || a->last_stream->id != stream) {
		struct stream *s = NULL;

		for (int i = 0; i < a->n_streams && !s; i++)
			if (a->streams[i]->id == stream)
				s = a->streams[i];
		if (!s)
			status = add_stream(a, stream, &s, err);
		if (status)
			return status;
		a->last_stream = s;
	}
	if (a->n_headers < SB_HEADERS_PER_REQUEST)
		status = sb_block_reserve(a, SB_HEADERS_PER_REQUEST, err);
	if (!status && (a->n_live + 1) * 2 > a->live_mask + 1)
		status = live_resize(a, (a->live_mask + 1) * 2, err);
	return status;
}

/* What a cached block can become: itself and the unmapped addresses right behind it. */
static int64_t growable_size(const struct block *b)
{
	return b->size + (b->next && b->next->node.tag == BLOCK_UNMAPPED ? b->next->size : 0);
}

/* Oversize blocks are kept whole and not wasted on much smaller requests. */
static bool fits(const struct sb_alloc *a, int64_t block, int64_t size)
{
	if (block < size)
		return false;
	if (size < a->opt.max_split_size)
		return block < a->opt.max_split_size;
	return block - size < a->opt.max_non_split_rounding;
}

/*
 * The smallest sufficient block, lowest address on ties; when that is refused there is none. With expandable segments
 * the tail of a segment counts with the addresses behind it, so that it is kept whole as long as a block that cannot
 * grow will do.
 */
static struct block *find_cached(const struct sb_alloc *a, const struct pool *pool, int64_t size)
{
	struct sb_tree_node *n = sb_tree_lower_bound(&pool->free, (uint64_t)size, 0), *next;

	if (!n)
		return NULL;
	if (a->policy->expandable)
		while ((next = sb_tree_next(n)) &&
		        growable_size((struct block *)next) < growable_size((struct block *)n))
			n = next;
	return fits(a, ((struct block *)n)->size, size) ? (struct block *)n : NULL;
}

static bool should_split(const struct sb_alloc *a, const struct block *b, int64_t size)
{
	int64_t rest = b->size - size;

	if (b->pool->kind == SB_ALLOC_SMALL || a->policy->expandable)
		return rest >= SB_ALLOC_ALIGN;
	return size < a->opt.max_split_size && rest > SPLIT_REMAINDER;
}

static enum sb_status out_of_memory(struct sb_alloc *a, int64_t bytes, const char *why, struct sb_error *err)
{
	struct sb_oom *o = &a->oom;
	int64_t total = 0;

	a->num_ooms++;
	sb_tell(a, SB_ALLOC_EV_OOM, 0, bytes, a->last_stream ? a->last_stream->id : 0);
	o->asked = bytes;
	o->allocated = a->stat[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_ALL].current;
	o->reserved = a->stat[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].current;
	o->device_free = -1;
	if (sb_pages_info(a->pages, &o->device_free, &total, NULL))
		o->device_free = -1;
	return sb_fail(err, SB_E_NOMEM,
	        "out of device memory: asked for %.1f MiB with %.1f MiB in use, %.1f MiB held and %.1f MiB free: %s",
	        (double)bytes / SB_MIB, (double)o->allocated / SB_MIB, (double)o->reserved / SB_MIB,
	        (double)o->device_free / SB_MIB, why);
}

/* No cached block fits: ask the device, then make room and ask again. */
static enum sb_status grow(
        struct sb_alloc *a, struct pool *pool, int64_t bytes, int64_t size, struct block **out, struct sb_error *err)
{
	struct sb_error why = { 0 };
	enum sb_status status = sb_collects(a) ? sb_collect_garbage(a, &why) : SB_OK;

	if (!status)
		status = a->policy->grow(a, pool, size, out, &why);
	if (status == SB_E_NOMEM && a->opt.max_split_size != SB_ALLOC_UNLIMITED) {
		bool enough = false;
		enum sb_status released = sb_release_oversize(a, pool, size, &enough, &why);

		if (released)
			status = released;
		else if (enough)
			status = a->policy->grow(a, pool, size, out, &why);
	}
	if (status == SB_E_NOMEM && !a->policy->uncached) {
		status = sb_release_cached(a, &why);
		if (!status) {
			a->num_alloc_retries++;
			status = a->policy->grow(a, pool, size, out, &why);
		}
	}
	if (!status)
		return SB_OK;
	sb_note_peak_reserved(a); /* a growth that failed half-way may have kept a part */
	return status == SB_E_NOMEM ? out_of_memory(a, bytes, why.msg, err) : sb_fail(err, status, "%s", why.msg);
}

static void hand_out(struct sb_alloc *a, struct block *b, int64_t bytes)
{
	enum sb_alloc_pool kind = b->pool->kind;
	int64_t allocated;

	b->requested = bytes;
	live_add(a, b);
	sb_stat_add(a, SB_ALLOC_REQUESTED_BYTES, kind, bytes);
	sb_stat_add(a, SB_ALLOC_ALLOCATED_BYTES, kind, b->size);
	sb_stat_add(a, SB_ALLOC_ACTIVE_BYTES, kind, b->size);
	sb_stat_add(a, SB_ALLOC_ALLOCATIONS, kind, 1);
	sb_stat_add(a, SB_ALLOC_ACTIVE_BLOCKS, kind, 1);
	allocated = a->stat[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_ALL].current;
	if (allocated > a->mark_peak)
		a->mark_peak = allocated;
	sb_tell_of_block(a, SB_ALLOC_EV_ALLOC, b);
}

enum sb_status sb_alloc_malloc(struct sb_alloc *a, int64_t bytes, uint64_t stream, void **ptr, struct sb_error *err)
{
	enum sb_status status;
	struct block *b;
	struct pool *pool;
	int64_t size;
	bool grew = false;

	if (bytes < 0)
		SB_BUG("request of %lld bytes", (long long)bytes);
	if (bytes == 0) {
		*ptr = NULL;
		return SB_OK;
	}
	if (bytes > MAX_REQUEST)
		return out_of_memory(a, bytes, "no device has that much", err);
	status = prepare(a, stream, err);
	if (status)
		return status;
	size = rounded(a, bytes);
	pool = size <= SB_ALLOC_SMALL_MAX ? &a->last_stream->small : &a->last_stream->large;
	if (pool->kind == SB_ALLOC_LARGE && sb_collects(a))
		a->n_lookups++;
	b = find_cached(a, pool, size);
	if (!b) {
		status = grow(a, pool, bytes, size, &b, err);
		if (status)
			return status;
		grew = true;
	}
	if (should_split(a, b, size))
		b = sb_block_cut_front(a, b, size);
	else
		sb_block_take(a, b);
	hand_out(a, b, bytes);
	if (grew)
		sb_note_peak_reserved(a);
	*ptr = (void *)b->addr;
	return SB_OK;
}

/* ---- free ------------------------------------------------------------------------------------------------------- */

static void prefetch(const struct block *b)
{
#ifdef __GNUC__
	__builtin_prefetch(b);
#endif
}

static size_t find_freed(const struct sb_alloc *a, const void *ptr)
{
	size_t i = live_find(a, (uintptr_t)ptr);

	if (!a->live[i].addr || a->live[i].block->node.tag != BLOCK_LIVE)
		SB_BUG("free of %p, which is not allocated", ptr);
	prefetch(a->live[i].block->prev); /* whether they are free will be asked soon, and they lie anywhere */
	prefetch(a->live[i].block->next);
	return i;
}

static void no_longer_allocated(struct sb_alloc *a, const struct block *b)
{
	sb_stat_sub(a, SB_ALLOC_ALLOCATED_BYTES, b->pool->kind, b->size);
	sb_stat_sub(a, SB_ALLOC_ALLOCATIONS, b->pool->kind, 1);
}

/* b has left the table of live pointers. */
static void no_longer_active(struct sb_alloc *a, struct block *b)
{
	enum sb_alloc_pool kind = b->pool->kind;

	sb_stat_sub(a, SB_ALLOC_REQUESTED_BYTES, kind, b->requested);
	sb_stat_sub(a, SB_ALLOC_ACTIVE_BYTES, kind, b->size);
	sb_stat_sub(a, SB_ALLOC_ACTIVE_BLOCKS, kind, 1);
	b->requested = 0;
	b = sb_block_settle(a, b, BLOCK_FREE);
	if (a->policy->uncached)
		sb_free_segment(a, b, NULL); /* it is given back whatever the driver says of earlier work */
}

void sb_alloc_free(struct sb_alloc *a, void *ptr)
{
	struct block *b;
	size_t i;

	if (!ptr)
		return;
	i = find_freed(a, ptr);
	b = a->live[i].block;
	live_remove(a, i);
	sb_tell_of_block(a, SB_ALLOC_EV_FREE, b);
	no_longer_allocated(a, b);
	no_longer_active(a, b);
}

void sb_alloc_free_later(struct sb_alloc *a, void *ptr)
{
	struct block *b;

	if (!ptr)
		return;
	b = a->live[find_freed(a, ptr)].block;
	b->node.tag = BLOCK_PENDING;
	a->n_pending++;
	sb_tell_of_block(a, SB_ALLOC_EV_FREE_LATER, b);
	no_longer_allocated(a, b);
}

bool sb_alloc_complete(struct sb_alloc *a, void *ptr)
{
	size_t i = live_find(a, (uintptr_t)ptr);
	struct block *b = a->live[i].block;

	if (!ptr || !a->live[i].addr || b->node.tag != BLOCK_PENDING)
		return false;
	live_remove(a, i);
	a->n_pending--;
	sb_tell_of_block(a, SB_ALLOC_EV_COMPLETE, b);
	no_longer_active(a, b);
	return true;
}

void sb_complete_all(struct sb_alloc *a)
{
	struct block *list = NULL;

	if (!a->n_pending)
		return;
	for (size_t i = 0; i <= a->live_mask; i++) {
		if (!a->live[i].addr || a->live[i].block->node.tag != BLOCK_PENDING)
			continue;
		a->live[i].block->chain = list; /* completing one moves others in the table */
		list = a->live[i].block;
	}
	while (list) {
		struct block *b = list;

		list = b->chain;
		sb_alloc_complete(a, (void *)b->addr);
	}
}

static bool is_among(uintptr_t addr, const uintptr_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == addr)
			return true;
	return false;
}

bool sb_alloc_would_hit(
        const struct sb_alloc *a, int64_t bytes, uint64_t stream, const uintptr_t *complete, size_t n_complete)
{
	int64_t size = rounded(a, bytes);
	const struct pool *pool = NULL;

	for (int i = 0; i < a->n_streams; i++)
		if (a->streams[i]->id == stream)
			pool = size <= SB_ALLOC_SMALL_MAX ? &a->streams[i]->small : &a->streams[i]->large;
	if (!pool || a->policy->uncached)
		return false;
	if (find_cached(a, pool, size))
		return true;
	for (size_t i = 0; i < n_complete; i++) {
		size_t at = live_find(a, complete[i]);
		const struct block *b = a->live[at].block, *n;
		int64_t room;

		if (!a->live[at].addr || b->node.tag != BLOCK_PENDING || b->pool != pool)
			continue;
		room = b->size;
		for (n = b->next; n && (n->node.tag == BLOCK_FREE || is_among(n->addr, complete, n_complete));
		        n = n->next)
			room += n->size;
		for (n = b->prev; n && (n->node.tag == BLOCK_FREE || is_among(n->addr, complete, n_complete));
		        n = n->prev)
			room += n->size;
		if (fits(a, room, size))
			return true;
	}
	return false;
}

enum sb_status sb_alloc_empty_cache(struct sb_alloc *a, struct sb_error *err)
{
	sb_tell(a, SB_ALLOC_EV_EMPTY_CACHE, 0, 0, 0);
	return sb_release_cached(a, err);
}

void sb_alloc_observe(struct sb_alloc *a, void (*fn)(void *user, const struct sb_alloc_event *e), void *user)
{
	a->observer = fn;
	a->observer_user = user;
}
