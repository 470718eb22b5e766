#include "memory_internal.h"

#include <string.h>

const struct sb_oom *sb_alloc_oom(const struct sb_alloc *a)
{
	return &a->oom;
}

static void fill_family(const struct sb_alloc *a, int family, struct sb_alloc_stat *out)
{
	for (int pool = 0; pool < SB_ALLOC_POOL_COUNT; pool++) {
		const struct counter *c = &a->stat[family][pool];

		out[pool].current = c->current;
		out[pool].peak = c->peak;
		out[pool].allocated = c->allocated;
	}
	out[SB_ALLOC_ALL].allocated = out[SB_ALLOC_LARGE].allocated + out[SB_ALLOC_SMALL].allocated;
	for (int pool = 0; pool < SB_ALLOC_POOL_COUNT; pool++)
		out[pool].freed = out[pool].allocated - out[pool].current;
}

/* Cached: held and not in use. The sets know their largest, so no block is looked at. */
static int64_t largest_free(const struct sb_alloc *a)
{
	int64_t largest = 0;

	for (int i = 0; i < 2 * a->n_streams; i++) {
		const struct stream *s = a->streams[i / 2];
		const struct sb_tree_node *n = sb_tree_last(i & 1 ? &s->small.free : &s->large.free);

		if (n && ((const struct block *)n)->size > largest)
			largest = ((const struct block *)n)->size;
	}
	return largest;
}

static int64_t now(const struct sb_alloc *a, enum sb_alloc_family f)
{
	return a->stat[f][SB_ALLOC_ALL].current;
}

static void look_at_peak_reserved(struct sb_alloc *a)
{
	a->active_at_peak_reserved = now(a, SB_ALLOC_ACTIVE_BYTES);
	a->free_at_peak_reserved = now(a, SB_ALLOC_RESERVED_BYTES) - now(a, SB_ALLOC_ACTIVE_BYTES);
	a->largest_free_at_peak_reserved = largest_free(a);
}

void sb_note_peak_reserved(struct sb_alloc *a)
{
	int64_t reserved = a->stat[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak;

	if (reserved <= a->peak_reserved_seen)
		return;
	a->peak_reserved_seen = reserved;
	look_at_peak_reserved(a);
}

static struct sb_value share_of_free(int64_t largest, int64_t all)
{
	if (all == 0)
		return sb_value_absent("nothing was cached");
	return sb_value_of((double)largest / (double)all);
}

static struct sb_value unused_share(int64_t active, int64_t reserved)
{
	if (reserved == 0)
		return sb_value_absent("nothing was reserved");
	return sb_value_of(1.0 - (double)active / (double)reserved);
}

void sb_alloc_stats(const struct sb_alloc *a, struct sb_alloc_stats *out)
{
	memset(out, 0, sizeof(*out));
	for (int f = 0; f < SB_ALLOC_FAMILY_COUNT; f++)
		fill_family(a, f, out->of[f]);
	out->num_alloc_retries = a->num_alloc_retries;
	out->num_ooms = a->num_ooms;
	out->num_sync_all_streams = a->num_sync_all_streams;
	out->num_device_alloc = a->num_device_alloc;
	out->num_device_free = a->num_device_free;
	out->host_allocs = a->host_allocs;
	out->num_stitches = a->num_stitches;
	out->stitched_bytes = a->stitched_bytes;
	out->active_at_peak_reserved = a->active_at_peak_reserved;
	out->largest_free = largest_free(a);
	out->free_bytes = now(a, SB_ALLOC_RESERVED_BYTES) - now(a, SB_ALLOC_ACTIVE_BYTES);
	out->largest_free_at_peak_reserved = a->largest_free_at_peak_reserved;
	out->free_at_peak_reserved = a->free_at_peak_reserved;
	out->largest_free_share = share_of_free(out->largest_free, out->free_bytes);
	out->largest_free_share_at_peak_reserved =
	        share_of_free(out->largest_free_at_peak_reserved, out->free_at_peak_reserved);
	for (int c = 0; c < SB_PAGES_CALL_COUNT; c++) {
		out->driver.calls[c] = a->pages->counts.calls[c] - a->driver_at_open.calls[c];
		out->driver.dur_ns[c] = a->pages->counts.dur_ns[c] - a->driver_at_open.dur_ns[c];
		out->driver_calls += out->driver.calls[c];
		out->driver_ns += out->driver.dur_ns[c];
	}
	out->fragmentation_of_peaks = unused_share(
	        out->of[SB_ALLOC_ACTIVE_BYTES][SB_ALLOC_ALL].peak, out->of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak);
	out->fragmentation_at_peak_reserved = unused_share(a->active_at_peak_reserved, a->peak_reserved_seen);
}

void sb_alloc_reset_peaks(struct sb_alloc *a)
{
	for (int f = 0; f < SB_ALLOC_FAMILY_COUNT; f++)
		for (int pool = 0; pool < SB_ALLOC_POOL_COUNT; pool++)
			a->stat[f][pool].peak = a->stat[f][pool].current;
	a->peak_reserved_seen = now(a, SB_ALLOC_RESERVED_BYTES);
	look_at_peak_reserved(a);
}

void sb_alloc_mark(struct sb_alloc *a)
{
	int64_t live = a->stat[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_ALL].current;

	if (a->n_marks == SB_ALLOC_MARKS_MAX)
		SB_BUG("marks nest deeper than %d", SB_ALLOC_MARKS_MAX);
	a->marks[a->n_marks++] = (struct mark){ live, a->mark_peak };
	a->mark_peak = live;
}

int64_t sb_alloc_mark_end(struct sb_alloc *a)
{
	struct mark m;
	int64_t peak = a->mark_peak;

	if (a->n_marks == 0)
		SB_BUG("a mark ends that was not set");
	m = a->marks[--a->n_marks];
	/* What went on inside belongs to the outer mark too. */
	a->mark_peak = m.outer_peak > peak ? m.outer_peak : peak;
	return peak - m.entry;
}

void sb_alloc_visit(const struct sb_alloc *a, void (*fn)(void *user, const struct sb_alloc_block *b), void *user)
{
	for (const struct segment *seg = a->segments; seg; seg = seg->next) {
		for (const struct block *b = seg->first; b; b = b->next) {
			struct sb_alloc_block v = {
				.segment_addr = seg->base,
				.segment_bytes = seg->size,
				.addr = b->addr,
				.bytes = b->size,
				.requested = b->requested,
				.stream = b->pool->stream,
				.pool = b->pool->kind,
				.live = b->node.tag == BLOCK_LIVE,
				.pending = b->node.tag == BLOCK_PENDING,
				.mapped = b->node.tag != BLOCK_UNMAPPED,
				.expandable = seg->range != NULL,
			};

			fn(user, &v);
		}
	}
}
