#include "memory_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const sb_pages_call_names[SB_PAGES_CALL_COUNT] = {
	[SB_PAGES_SEGMENT_ALLOC] = "segment_alloc",
	[SB_PAGES_SEGMENT_FREE] = "segment_free",
	[SB_PAGES_RESERVE] = "reserve",
	[SB_PAGES_UNRESERVE] = "unreserve",
	[SB_PAGES_CREATE] = "create",
	[SB_PAGES_MAP] = "map",
	[SB_PAGES_SET_ACCESS] = "set_access",
	[SB_PAGES_UNMAP] = "unmap",
	[SB_PAGES_RELEASE] = "release",
	[SB_PAGES_SYNC] = "sync",
};

void sb_pages_init(struct sb_pages *p, const struct sb_pages_ops *ops, int64_t granularity_bytes, int64_t limit_bytes)
{
	memset(p, 0, sizeof(*p));
	p->ops = ops;
	p->granularity_bytes = granularity_bytes;
	p->limit_bytes = limit_bytes;
}

void sb_pages_close(struct sb_pages *p)
{
	if (!p)
		return;
	if (p->held_bytes || p->address_bytes)
		SB_BUG("pages '%s' closed with %" PRId64 " bytes and %" PRId64 " bytes of addresses still out",
		        p->ops->name, p->held_bytes, p->address_bytes);
	p->ops->close(p);
}

void sb_pages_fail_in(struct sb_pages *p, int64_t n, enum sb_status with, bool sticky)
{
	p->fail_in = n;
	p->fail_with = with;
	p->fail_sticky = sticky;
}

/* ---- around every driver call ----------------------------------------------------------------------------------- */

/* Is this the call that has to fail? */
static bool fault_due(struct sb_pages *p)
{
	if (p->fail_in == 0)
		return false;
	if (p->fail_in > 1) {
		p->fail_in--;
		return false;
	}
	if (!p->fail_sticky)
		p->fail_in = 0;
	return true;
}

/* Before a call that takes `bytes` (0: none) from the device. */
static enum sb_status before_taking(struct sb_pages *p, enum sb_pages_call call, int64_t bytes, struct sb_error *err)
{
	if (fault_due(p)) {
		p->counts.calls[call]++;
		return sb_fail(err, p->fail_with, "injected failure of '%s'", sb_pages_call_names[call]);
	}
	if (bytes && p->limit_bytes && bytes > p->limit_bytes - p->held_bytes) {
		p->counts.calls[call]++;
		return sb_fail(err, SB_E_NOMEM,
		        "'%s' of %" PRId64 " bytes is over the limit of %" PRId64 " with %" PRId64 " held",
		        sb_pages_call_names[call], bytes, p->limit_bytes, p->held_bytes);
	}
	return SB_OK;
}

static void called(struct sb_pages *p, enum sb_pages_call call, int64_t since_ns)
{
	p->counts.calls[call]++;
	p->counts.dur_ns[call] += sb_now_ns() - since_ns;
}

/* After a call that gave back with `status`. */
static enum sb_status after_giving(
        struct sb_pages *p, enum sb_pages_call call, enum sb_status status, struct sb_error *err)
{
	if (fault_due(p) && !status)
		return sb_fail(err, SB_E_DEVICE, "injected failure of '%s'", sb_pages_call_names[call]);
	return status;
}

enum sb_status sb_pages_segment_alloc(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err)
{
	enum sb_status status = before_taking(p, SB_PAGES_SEGMENT_ALLOC, bytes, err);
	int64_t since;

	if (status)
		return status;
	since = sb_now_ns();
	status = p->ops->segment_alloc(p, bytes, addr, err);
	called(p, SB_PAGES_SEGMENT_ALLOC, since);
	if (status)
		return status;
	p->held_bytes += bytes;
	return SB_OK;
}

enum sb_status sb_pages_segment_free(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	int64_t since = sb_now_ns();
	enum sb_status status = p->ops->segment_free(p, addr, bytes, err);

	called(p, SB_PAGES_SEGMENT_FREE, since);
	p->held_bytes -= bytes;
	return after_giving(p, SB_PAGES_SEGMENT_FREE, status, err);
}

enum sb_status sb_pages_sync(struct sb_pages *p, uint64_t stream, struct sb_error *err)
{
	int64_t since = sb_now_ns();
	enum sb_status status = p->ops->sync ? p->ops->sync(p, stream, err) : SB_OK;

	called(p, SB_PAGES_SYNC, since);
	return after_giving(p, SB_PAGES_SYNC, status, err);
}

enum sb_status sb_pages_info(struct sb_pages *p, int64_t *free_bytes, int64_t *total_bytes, struct sb_error *err)
{
	int64_t avail = 0, total = 0;
	enum sb_status status = p->ops->info(p, &avail, &total, err);

	if (status)
		return status;
	if (p->limit_bytes) {
		int64_t left = p->limit_bytes - p->held_bytes;

		avail = avail < left ? avail : left;
		total = total < p->limit_bytes ? total : p->limit_bytes;
	}
	*free_bytes = avail > 0 ? avail : 0;
	*total_bytes = total;
	return SB_OK;
}

static enum sb_status create(struct sb_pages *p, int64_t bytes, uint64_t *handle, struct sb_error *err)
{
	enum sb_status status = before_taking(p, SB_PAGES_CREATE, bytes, err);
	int64_t since;

	if (status)
		return status;
	since = sb_now_ns();
	status = p->ops->create(p, bytes, handle, err);
	called(p, SB_PAGES_CREATE, since);
	if (status)
		return status;
	p->held_bytes += bytes;
	return SB_OK;
}

static enum sb_status release(struct sb_pages *p, uint64_t handle, int64_t bytes, struct sb_error *err)
{
	int64_t since = sb_now_ns();
	enum sb_status status = p->ops->release(p, handle, bytes, err);

	called(p, SB_PAGES_RELEASE, since);
	p->held_bytes -= bytes;
	return after_giving(p, SB_PAGES_RELEASE, status, err);
}

static enum sb_status map(struct sb_pages *p, uintptr_t addr, int64_t bytes, uint64_t handle, struct sb_error *err)
{
	enum sb_status status = before_taking(p, SB_PAGES_MAP, 0, err);
	int64_t since;

	if (status)
		return status;
	since = sb_now_ns();
	status = p->ops->map(p, addr, bytes, handle, err);
	called(p, SB_PAGES_MAP, since);
	return status;
}

static enum sb_status unmap(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	int64_t since = sb_now_ns();
	enum sb_status status = p->ops->unmap(p, addr, bytes, err);

	called(p, SB_PAGES_UNMAP, since);
	return after_giving(p, SB_PAGES_UNMAP, status, err);
}

static enum sb_status set_access(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	enum sb_status status = before_taking(p, SB_PAGES_SET_ACCESS, 0, err);
	int64_t since;

	if (status)
		return status;
	since = sb_now_ns();
	status = p->ops->set_access(p, addr, bytes, err);
	called(p, SB_PAGES_SET_ACCESS, since);
	return status;
}

/* ---- ranges ----------------------------------------------------------------------------------------------------- */

enum sb_status sb_pages_reserve(
        struct sb_pages *p, int64_t handle_bytes, int64_t n_handles, struct sb_pages_range **out, struct sb_error *err)
{
	struct sb_pages_range *r;
	enum sb_status status;
	int64_t since;

	if (handle_bytes <= 0 || handle_bytes % p->granularity_bytes || n_handles <= 0)
		SB_BUG("range of %" PRId64 " handles of %" PRId64 " bytes", n_handles, handle_bytes);
	r = calloc(1, sizeof(*r));
	if (r) {
		r->handle = calloc((size_t)n_handles, sizeof(*r->handle));
		r->mapped = calloc((size_t)n_handles, sizeof(*r->mapped));
	}
	if (!r || !r->handle || !r->mapped) {
		status = sb_fail(err, SB_E_NOMEM, "out of host memory for %" PRId64 " page handles", n_handles);
		goto fail;
	}
	status = before_taking(p, SB_PAGES_RESERVE, 0, err);
	if (status)
		goto fail;
	since = sb_now_ns();
	status = p->ops->reserve(p, handle_bytes * n_handles, &r->base, err);
	called(p, SB_PAGES_RESERVE, since);
	if (status)
		goto fail;
	r->pages = p;
	r->handle_bytes = handle_bytes;
	r->n_handles = n_handles;
	p->address_bytes += handle_bytes * n_handles;
	*out = r;
	return SB_OK;
fail:
	if (r) {
		free(r->handle);
		free(r->mapped);
	}
	free(r);
	return status;
}

enum sb_status sb_pages_unreserve(struct sb_pages_range *r, struct sb_error *err)
{
	enum sb_status first = SB_OK, status;
	struct sb_pages *p;
	int64_t since;

	if (!r)
		return SB_OK;
	p = r->pages;
	for (int64_t i = 0; r->n_mapped > 0; i++) {
		if (!r->mapped[i])
			continue;
		status = sb_pages_unmap(r, i, 1, first ? NULL : err);
		first = first ? first : status;
	}
	since = sb_now_ns();
	status = p->ops->unreserve(p, r->base, r->handle_bytes * r->n_handles, first ? NULL : err);
	called(p, SB_PAGES_UNRESERVE, since);
	p->address_bytes -= r->handle_bytes * r->n_handles;
	status = after_giving(p, SB_PAGES_UNRESERVE, status, first ? NULL : err);
	free(r->handle);
	free(r->mapped);
	free(r);
	return first ? first : status;
}

static void check_slots(const struct sb_pages_range *r, int64_t first, int64_t n)
{
	if (first < 0 || n <= 0 || n > r->n_handles - first)
		SB_BUG("map of handles %" PRId64 "+%" PRId64 " of %" PRId64, first, n, r->n_handles);
	for (int64_t i = first; i < first + n; i++)
		if (r->mapped[i])
			SB_BUG("handle %" PRId64 " is mapped already", i);
}

static uintptr_t address_of(const struct sb_pages_range *r, int64_t i)
{
	return r->base + (uintptr_t)(i * r->handle_bytes);
}

enum sb_status sb_pages_create(struct sb_pages_range *r, int64_t first, int64_t n, struct sb_error *err)
{
	check_slots(r, first, n);
	for (int64_t made = 0; made < n; made++) {
		enum sb_status status = create(r->pages, r->handle_bytes, &r->handle[first + made], err);

		if (!status)
			continue;
		sb_pages_drop(r, first, made);
		return status;
	}
	return SB_OK;
}

enum sb_status sb_pages_place(struct sb_pages_range *r, int64_t first, int64_t n, struct sb_error *err)
{
	int64_t placed = 0;
	enum sb_status status = SB_OK;

	check_slots(r, first, n);
	while (!status && placed < n) {
		status = map(r->pages, address_of(r, first + placed), r->handle_bytes, r->handle[first + placed], err);
		placed += !status;
	}
	if (!status)
		status = set_access(r->pages, address_of(r, first), n * r->handle_bytes, err);
	if (status) { /* the error that matters is the one in err: those of the way back are dropped */
		while (placed > 0)
			unmap(r->pages, address_of(r, first + --placed), r->handle_bytes, NULL);
		return status;
	}
	memset(r->mapped + first, 1, (size_t)n);
	r->n_mapped += n;
	return SB_OK;
}

void sb_pages_drop(struct sb_pages_range *r, int64_t first, int64_t n)
{
	while (n > 0)
		release(r->pages, r->handle[first + --n], r->handle_bytes, NULL);
}

enum sb_status sb_pages_take(
        struct sb_pages_range *src, int64_t from, struct sb_pages_range *r, int64_t to, struct sb_error *err)
{
	check_slots(r, to, 1);
	if (!src->mapped[from] || src->handle_bytes != r->handle_bytes || src->pages != r->pages)
		SB_BUG("handle %" PRId64 " cannot be taken from there", from);
	r->handle[to] = src->handle[from];
	src->mapped[from] = 0;
	src->n_mapped--;
	return unmap(src->pages, address_of(src, from), src->handle_bytes, err);
}

enum sb_status sb_pages_map(struct sb_pages_range *r, int64_t first, int64_t n, struct sb_error *err)
{
	enum sb_status status = sb_pages_create(r, first, n, err);

	if (status)
		return status;
	status = sb_pages_place(r, first, n, err);
	if (status)
		sb_pages_drop(r, first, n);
	return status;
}

enum sb_status sb_pages_unmap(struct sb_pages_range *r, int64_t first, int64_t n, struct sb_error *err)
{
	struct sb_pages *p = r->pages;
	enum sb_status kept = SB_OK, status;

	for (int64_t i = first; i < first + n; i++) {
		if (!r->mapped[i])
			SB_BUG("handle %" PRId64 " is not mapped", i);
		status = unmap(p, r->base + (uintptr_t)(i * r->handle_bytes), r->handle_bytes, kept ? NULL : err);
		kept = kept ? kept : status;
		status = release(p, r->handle[i], r->handle_bytes, kept ? NULL : err);
		kept = kept ? kept : status;
		r->mapped[i] = 0;
		r->n_mapped--;
	}
	return kept;
}
