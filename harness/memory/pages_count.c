#include "memory_internal.h"

#include <stdlib.h>

_Static_assert(sizeof(uintptr_t) >= 8, "made-up addresses need room to rise without coming round");

struct count_pages {
	struct sb_pages base; /* first: a sb_pages is its count_pages */
	uintptr_t next_addr;
	const uintptr_t *script; /* [n_script] addresses for the next segments */
	size_t n_script;
};

#define LAST_ADDRESS (UINT64_C(1) << 62)

/* Years of a real program, or a trace made to get here. */
static enum sb_status rise(struct count_pages *c, int64_t bytes, uintptr_t *addr, struct sb_error *err)
{
	if ((uint64_t)bytes > LAST_ADDRESS - c->next_addr)
		return sb_fail(err, SB_E_NOMEM, "the made-up addresses are used up");
	*addr = c->next_addr;
	c->next_addr += (uintptr_t)sb_round_up(bytes, c->base.granularity_bytes);
	return SB_OK;
}

static void count_close(struct sb_pages *p)
{
	free(p);
}

static enum sb_status count_segment_alloc(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err)
{
	struct count_pages *c = (struct count_pages *)p;

	if (!c->n_script)
		return rise(c, bytes, addr, err);
	*addr = *c->script++;
	c->n_script--;
	return SB_OK;
}

static enum sb_status count_reserve(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err)
{
	return rise((struct count_pages *)p, bytes, addr, err);
}

static enum sb_status count_give(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	(void)p;
	(void)addr;
	(void)bytes;
	(void)err;
	return SB_OK;
}

static enum sb_status count_create(struct sb_pages *p, int64_t bytes, uint64_t *handle, struct sb_error *err)
{
	(void)p;
	(void)bytes;
	(void)err;
	*handle = 0;
	return SB_OK;
}

static enum sb_status count_release(struct sb_pages *p, uint64_t handle, int64_t bytes, struct sb_error *err)
{
	(void)p;
	(void)handle;
	(void)bytes;
	(void)err;
	return SB_OK;
}

static enum sb_status count_map(
        struct sb_pages *p, uintptr_t addr, int64_t bytes, uint64_t handle, struct sb_error *err)
{
	(void)p;
	(void)addr;
	(void)bytes;
	(void)handle;
	(void)err;
	return SB_OK;
}

static enum sb_status count_info(struct sb_pages *p, int64_t *free_bytes, int64_t *total_bytes, struct sb_error *err)
{
	(void)err;
	*total_bytes = p->limit_bytes;
	*free_bytes = p->limit_bytes - p->held_bytes;
	return SB_OK;
}

static const struct sb_pages_ops count_ops = {
	.name = "count",
	.close = count_close,
	.segment_alloc = count_segment_alloc,
	.segment_free = count_give,
	.reserve = count_reserve,
	.unreserve = count_give,
	.create = count_create,
	.release = count_release,
	.map = count_map,
	.unmap = count_give,
	.set_access = count_give,
	.info = count_info,
};

enum sb_status sb_pages_count_open(
        int64_t limit_bytes, int64_t granularity_bytes, struct sb_pages **out, struct sb_error *err)
{
	struct count_pages *c;

	if (limit_bytes <= 0 || granularity_bytes <= 0 || granularity_bytes % SB_ALLOC_ALIGN)
		return sb_fail(err, SB_E_USAGE, "a device of %lld bytes in pieces of %lld", (long long)limit_bytes,
		        (long long)granularity_bytes);
	c = calloc(1, sizeof(*c));
	if (!c)
		return sb_fail(err, SB_E_NOMEM, "out of host memory");
	sb_pages_init(&c->base, &count_ops, granularity_bytes, limit_bytes);
	c->next_addr = (uintptr_t)sb_round_up(INT64_C(1) << 40, granularity_bytes);
	*out = &c->base;
	return SB_OK;
}

void sb_pages_count_script(struct sb_pages *p, const uintptr_t *addrs, size_t n)
{
	struct count_pages *c = (struct count_pages *)p;

	if (p->ops != &count_ops)
		SB_BUG("pages '%s' take no addresses", p->ops->name);
	c->script = addrs;
	c->n_script = n;
}
