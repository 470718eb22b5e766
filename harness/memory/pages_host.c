/* MAP_ANONYMOUS came into POSIX in 2024 only; glibc shows it under this name. */
#define _DEFAULT_SOURCE 1

#include "memory_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

struct host_pages {
	struct sb_pages base; /* first: a sb_pages is its host_pages */
	int64_t total_bytes;
};

static void host_close(struct sb_pages *p)
{
	free(p);
}

static enum sb_status no_memory(struct sb_error *err, const char *what, int64_t bytes)
{
	return sb_fail(
	        err, SB_E_NOMEM, "cannot %s %lld bytes of host memory: %s", what, (long long)bytes, strerror(errno));
}

static enum sb_status host_segment_alloc(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err)
{
	void *m = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)p;
	if (m == MAP_FAILED)
		return no_memory(err, "get", bytes);
	*addr = (uintptr_t)m;
	return SB_OK;
}

static enum sb_status host_segment_free(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	(void)p;
	if (munmap((void *)addr, (size_t)bytes))
		return sb_fail(err, SB_E_DEVICE, "cannot return host memory: %s", strerror(errno));
	return SB_OK;
}

static enum sb_status host_reserve(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err)
{
	void *m = mmap(NULL, (size_t)bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)p;
	if (m == MAP_FAILED)
		return no_memory(err, "reserve addresses for", bytes);
	*addr = (uintptr_t)m;
	return SB_OK;
}

/* A handle is a permission to use so many bytes: the pages come with the mapping. The limit is kept by pages.c. */
static enum sb_status host_create(struct sb_pages *p, int64_t bytes, uint64_t *handle, struct sb_error *err)
{
	(void)p;
	(void)bytes;
	(void)err;
	*handle = 0;
	return SB_OK;
}

static enum sb_status host_release(struct sb_pages *p, uint64_t handle, int64_t bytes, struct sb_error *err)
{
	(void)p;
	(void)handle;
	(void)bytes;
	(void)err;
	return SB_OK;
}

/* Laid over the reservation, so that nothing of an earlier mapping shines through. */
static enum sb_status lay_over(uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;

	if (mmap((void *)addr, (size_t)bytes, PROT_NONE, flags, -1, 0) == MAP_FAILED)
		return no_memory(err, "map", bytes);
	return SB_OK;
}

static enum sb_status host_map(struct sb_pages *p, uintptr_t addr, int64_t bytes, uint64_t handle, struct sb_error *err)
{
	(void)p;
	(void)handle;
	return lay_over(addr, bytes, err);
}

static enum sb_status host_unmap(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	(void)p;
	return lay_over(addr, bytes, err);
}

static enum sb_status host_set_access(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	(void)p;
	if (mprotect((void *)addr, (size_t)bytes, PROT_READ | PROT_WRITE))
		return no_memory(err, "open", bytes);
	return SB_OK;
}

static enum sb_status host_info(struct sb_pages *p, int64_t *free_bytes, int64_t *total_bytes, struct sb_error *err)
{
	struct host_pages *h = (struct host_pages *)p;

	(void)err;
	*total_bytes = h->total_bytes;
	*free_bytes = h->total_bytes - p->held_bytes;
	return SB_OK;
}

static const struct sb_pages_ops host_ops = {
	.name = "host",
	.close = host_close,
	.segment_alloc = host_segment_alloc,
	.segment_free = host_segment_free,
	.reserve = host_reserve,
	.unreserve = host_segment_free,
	.create = host_create,
	.release = host_release,
	.map = host_map,
	.unmap = host_unmap,
	.set_access = host_set_access,
	.info = host_info,
};

enum sb_status sb_pages_host_open(int64_t limit_bytes, struct sb_pages **out, struct sb_error *err)
{
	long page = sysconf(_SC_PAGESIZE), n_pages = sysconf(_SC_PHYS_PAGES);
	struct host_pages *h;

	if (limit_bytes < 0)
		return sb_fail(err, SB_E_USAGE, "a memory limit of %lld bytes", (long long)limit_bytes);
	if (page <= 0 || page % SB_ALLOC_ALIGN || n_pages <= 0)
		return sb_fail(err, SB_E_ENV, "cannot find out the size of the host's memory");
	h = calloc(1, sizeof(*h));
	if (!h)
		return sb_fail(err, SB_E_NOMEM, "out of host memory");
	h->total_bytes = (int64_t)page * n_pages;
	if (!limit_bytes || limit_bytes > h->total_bytes)
		limit_bytes = h->total_bytes;
	sb_pages_init(&h->base, &host_ops, page, limit_bytes);
	*out = &h->base;
	return SB_OK;
}
