#include "memory_trace.h"

#include <stdio.h>

static void record(void *user, const struct sb_alloc_event *e)
{
	struct sb_memory_trace *t = user;

	sb_alloc_trace_write(t->writer, (sb_now_ns() - t->begun_ns) / 1000, e);
}

enum sb_status sb_memory_trace_begin(struct sb_memory_trace *t, struct sb_backend *be, const char *path,
        const char *source, const char *conf, struct sb_error *err)
{
	struct sb_alloc_trace_head head = { .limit_bytes = be->alloc_options ? be->alloc_options->limit_bytes : 0 };
	int64_t unused;

	snprintf(head.source, sizeof(head.source), "%s", source);
	snprintf(head.policy, sizeof(head.policy), "%s", sb_alloc_policy(be->alloc));
	snprintf(head.conf, sizeof(head.conf), "%s", conf);
	if (sb_pages_info(be->pages, &unused, &head.device_bytes, NULL))
		head.device_bytes = 0;
	if (sb_alloc_trace_write_begin(path, &head, &t->writer, err))
		return err->code;
	t->be = be;
	t->begun_ns = sb_now_ns();
	sb_alloc_observe(be->alloc, record, t);
	return SB_OK;
}

enum sb_status sb_memory_trace_end(struct sb_memory_trace *t, bool failed, struct sb_error *err)
{
	enum sb_status status;

	if (!t->writer)
		return SB_OK;
	sb_alloc_observe(t->be->alloc, NULL, NULL);
	status = sb_alloc_trace_write_end(t->writer, failed, err);
	t->writer = NULL;
	return status;
}
