#include "summary_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A summary is a few hundred short strings and some arrays: chunks of 16 KiB make it a handful of mallocs. */
enum { CHUNK = 16384 };

struct chunk {
	struct chunk *next;
	size_t used, cap;
	max_align_t data[];
};

struct sb_summary_pool {
	struct chunk *first;
	bool failed;
};

struct sb_summary_pool *sb_pool_new(void)
{
	return calloc(1, sizeof(struct sb_summary_pool));
}

void *sb_pool_alloc(struct sb_summary_pool *p, size_t size)
{
	const size_t align = sizeof(max_align_t);
	struct chunk *c = p->first;
	void *out;

	size = (size + align - 1) / align * align;
	if (!c || c->cap - c->used < size) {
		size_t cap = size > CHUNK ? size : CHUNK;

		c = calloc(1, sizeof(*c) + cap);
		if (!c) {
			p->failed = true;
			return NULL;
		}
		c->cap = cap;
		c->next = p->first;
		p->first = c;
	}
	out = (char *)c->data + c->used;
	c->used += size;
	return out;
}

const char *sb_pool_str(struct sb_summary_pool *p, const char *s)
{
	size_t n;
	char *copy;

	if (!s)
		return NULL;
	n = strlen(s) + 1;
	copy = sb_pool_alloc(p, n);
	return copy ? memcpy(copy, s, n) : "";
}

const char *sb_pool_fmt(struct sb_summary_pool *p, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	s = n < 0 ? NULL : sb_pool_alloc(p, (size_t)n + 1);
	if (!s)
		return "";
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

const char *sb_pool_take(struct sb_summary_pool *p, struct sb_buf *text)
{
	const char *s = sb_pool_str(p, sb_buf_str(text));

	p->failed |= text->failed;
	sb_buf_release(text);
	return s;
}

void sb_pool_fail(struct sb_summary_pool *p)
{
	p->failed = true;
}

bool sb_pool_failed(const struct sb_summary_pool *p)
{
	return p->failed;
}

void sb_pool_free(struct sb_summary_pool *p)
{
	if (!p)
		return;
	while (p->first) {
		struct chunk *next = p->first->next;

		free(p->first);
		p->first = next;
	}
	free(p);
}
