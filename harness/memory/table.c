/* MADV_HUGEPAGE is Linux's own. */
#define _DEFAULT_SOURCE 1

#include "memory_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CACHE_LINE 64

void *sb_table_alloc(size_t bytes, bool zeroed)
{
	size_t page = (size_t)SB_HUGE_PAGE, align = bytes < page ? CACHE_LINE : page;
	void *p = aligned_alloc(align, (bytes + align - 1) / align * align);

#ifdef MADV_HUGEPAGE
	if (p && bytes >= page)
		madvise(p, bytes / page * page, MADV_HUGEPAGE); /* only faster: nothing is lost where it is refused */
#endif
	if (p && zeroed)
		memset(p, 0, bytes);
	return p;
}
