/* A provider that answers as the driver of a recorded trace did. */
#include "replay_internal.h"

#include <stdlib.h>

#define TRACE_GRANULARITY (2 * SB_MIB)
#define ADDRESS_END       (UINT64_C(1) << 62)

/* A segment or a mapped handle that is out now. */
struct piece {
	struct sb_tree_node node; /* first; (0, addr) */
	uintptr_t addr;
	int64_t bytes;
};

struct trace_pages {
	struct sb_pages base; /* first: a sb_pages is its trace_pages */
	struct sb_expected *x;
	struct sb_tree pieces; /* by address: none overlaps another */
};

static struct piece *piece_of(struct sb_tree_node *n)
{
	return (struct piece *)n;
}

static enum sb_status add_piece(struct trace_pages *t, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	struct sb_tree_node *behind = sb_tree_lower_bound(&t->pieces, 0, addr);
	struct sb_tree_node *before = behind ? sb_tree_prev(behind) : sb_tree_last(&t->pieces);
	struct piece *p;

	if ((behind && piece_of(behind)->addr < addr + (uintptr_t)bytes) ||
	        (before && piece_of(before)->addr + (uintptr_t)piece_of(before)->bytes > addr))
		return sb_fail(
		        err, SB_E_DEVICE, "the trace's segment at %llx overlaps another", (unsigned long long)addr);
	p = calloc(1, sizeof(*p));
	if (!p)
		return sb_fail(err, SB_E_DEVICE, "out of host memory");
	p->addr = addr;
	p->bytes = bytes;
	p->node.lo = addr;
	sb_tree_insert(&t->pieces, &p->node);
	return SB_OK;
}

static enum sb_status take_piece(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	struct trace_pages *t = (struct trace_pages *)p;
	struct sb_tree_node *n = sb_tree_lower_bound(&t->pieces, 0, addr);

	(void)bytes;
	(void)err;
	if (n && piece_of(n)->addr == addr) {
		sb_tree_erase(&t->pieces, n);
		free(piece_of(n));
	}
	return SB_OK;
}

static void trace_close(struct sb_pages *p)
{
	struct trace_pages *t = (struct trace_pages *)p;

	for (struct sb_tree_node *n = sb_tree_first(&t->pieces); n; n = sb_tree_first(&t->pieces)) {
		sb_tree_erase(&t->pieces, n);
		free(piece_of(n));
	}
	free(p);
}

static enum sb_status refused(struct sb_error *err)
{
	return sb_fail(err, SB_E_NOMEM, "the trace's driver gave nothing here");
}

/* The next event is `kind`, and what it gives out has an address that can be. Pages moved for it stand before it. */
static const struct sb_alloc_trace_event *next_of(struct trace_pages *t, enum sb_alloc_event_kind kind)
{
	const struct sb_expected *x = t->x;
	size_t i;

	if (!sb_expected_next(t->x))
		return NULL;
	for (i = x->next; i < x->n && x->v[i].e.kind == SB_ALLOC_EV_MOVE;)
		i++;
	return i < x->n && x->v[i].e.kind == kind ? &x->v[i] : NULL;
}

static enum sb_status trace_segment_alloc(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err)
{
	struct trace_pages *t = (struct trace_pages *)p;
	const struct sb_alloc_trace_event *next = next_of(t, SB_ALLOC_EV_SEGMENT_ALLOC);
	enum sb_status status;

	if (!next || bytes > (int64_t)(ADDRESS_END - next->e.addr))
		return refused(err);
	status = add_piece(t, next->e.addr, bytes, err);
	if (!status)
		*addr = next->e.addr;
	return status;
}

/* A range begins with its first mapping. That it may reach into another does not matter as long as nothing is there. */
static enum sb_status trace_reserve(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err)
{
	const struct sb_alloc_trace_event *next = next_of((struct trace_pages *)p, SB_ALLOC_EV_MAP);

	if (!next || bytes > (int64_t)(ADDRESS_END - next->e.addr))
		return refused(err);
	*addr = next->e.addr;
	return SB_OK;
}

static enum sb_status trace_unreserve(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	(void)p;
	(void)addr;
	(void)bytes;
	(void)err;
	return SB_OK;
}

static enum sb_status trace_create(struct sb_pages *p, int64_t bytes, uint64_t *handle, struct sb_error *err)
{
	(void)bytes;
	*handle = 0;
	return next_of((struct trace_pages *)p, SB_ALLOC_EV_MAP) ? SB_OK : refused(err);
}

static enum sb_status trace_release(struct sb_pages *p, uint64_t handle, int64_t bytes, struct sb_error *err)
{
	(void)p;
	(void)handle;
	(void)bytes;
	(void)err;
	return SB_OK;
}

static enum sb_status trace_map(
        struct sb_pages *p, uintptr_t addr, int64_t bytes, uint64_t handle, struct sb_error *err)
{
	(void)handle;
	return add_piece((struct trace_pages *)p, addr, bytes, err);
}

static enum sb_status trace_set_access(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	return trace_unreserve(p, addr, bytes, err);
}

static enum sb_status trace_info(struct sb_pages *p, int64_t *free_bytes, int64_t *total_bytes, struct sb_error *err)
{
	(void)err;
	*total_bytes = p->limit_bytes;
	*free_bytes = p->limit_bytes - p->held_bytes;
	return SB_OK;
}

static const struct sb_pages_ops trace_ops = {
	.name = "trace",
	.close = trace_close,
	.segment_alloc = trace_segment_alloc,
	.segment_free = take_piece,
	.reserve = trace_reserve,
	.unreserve = trace_unreserve,
	.create = trace_create,
	.release = trace_release,
	.map = trace_map,
	.unmap = take_piece,
	.set_access = trace_set_access,
	.info = trace_info,
};

enum sb_status sb_pages_trace_open(
        int64_t device_bytes, struct sb_expected *x, struct sb_pages **out, struct sb_error *err)
{
	struct trace_pages *t = calloc(1, sizeof(*t));

	if (!t)
		return sb_fail(err, SB_E_NOMEM, "out of host memory");
	sb_pages_init(&t->base, &trace_ops, TRACE_GRANULARITY, device_bytes);
	t->x = x;
	*out = &t->base;
	return SB_OK;
}
