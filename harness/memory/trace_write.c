/* Writing a trace: docs/traces.md. */
#include "replay_internal.h"
#include "sb_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct sb_alloc_trace_writer {
	struct sb_out_file out;
	char *path; /* out has a pointer to it */
	int64_t n_events, last_us;
};

static void write_text(FILE *f, const char *key, const char *text)
{
	fprintf(f, "%s ", key);
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' ? ' ' : *text, f);
	fputc('\n', f);
}

static void write_head(FILE *f, const struct sb_alloc_trace_head *h)
{
	fprintf(f, "spabench-trace %d\n", SB_ALLOC_TRACE_VERSION);
	if (h->source[0])
		write_text(f, "source", h->source);
	if (h->policy[0])
		write_text(f, "policy", h->policy);
	if (h->conf[0])
		write_text(f, "conf", h->conf);
	if (h->device_bytes)
		fprintf(f, "device_bytes %" PRId64 "\n", h->device_bytes);
	if (h->limit_bytes)
		fprintf(f, "limit_bytes %" PRId64 "\n", h->limit_bytes);
	if (h->partial)
		fputs("partial\n", f);
	for (int i = 0; i < h->n_expect; i++)
		fprintf(f, "expect %s %" PRId64 "\n", h->expect[i].name, h->expect[i].value);
	fputs("begin\n", f);
}

static void drop(struct sb_alloc_trace_writer *w)
{
	if (w)
		free(w->path);
	free(w);
}

enum sb_status sb_alloc_trace_write_begin(const char *path, const struct sb_alloc_trace_head *head,
        struct sb_alloc_trace_writer **out, struct sb_error *err)
{
	struct sb_alloc_trace_writer *w = calloc(1, sizeof(*w));
	enum sb_status status;

	if (w)
		w->path = sb_strdup(path);
	if (!w || !w->path) {
		drop(w);
		return sb_fail(err, SB_E_NOMEM, "out of memory for a trace");
	}
	status = sb_out_file_open(&w->out, w->path, err);
	if (status) {
		drop(w);
		return status;
	}
	write_head(w->out.f, head);
	*out = w;
	return SB_OK;
}

void sb_alloc_trace_write(struct sb_alloc_trace_writer *w, int64_t time_us, const struct sb_alloc_event *e)
{
	FILE *f = w->out.f;

	w->last_us = time_us > w->last_us ? time_us : w->last_us;
	w->n_events++;
	fprintf(f, "%c %" PRId64, sb_event_letters[e->kind], w->last_us);
	if (e->kind != SB_ALLOC_EV_OOM && e->kind != SB_ALLOC_EV_EMPTY_CACHE)
		fprintf(f, " %" PRIxPTR, e->addr);
	if (e->kind == SB_ALLOC_EV_ALLOC || e->kind == SB_ALLOC_EV_OOM || sb_is_segment_event(e->kind)) {
		fprintf(f, " %" PRId64, e->bytes);
		if (e->stream)
			fprintf(f, " %" PRIu64, e->stream);
	}
	fputc('\n', f);
}

enum sb_status sb_alloc_trace_write_end(struct sb_alloc_trace_writer *w, bool discard, struct sb_error *err)
{
	enum sb_status status = SB_OK;

	if (!w)
		return SB_OK;
	fprintf(w->out.f, "end %" PRId64 "\n", w->n_events);
	if (discard)
		sb_out_file_abandon(&w->out);
	else
		status = sb_out_file_finish(&w->out, err);
	drop(w);
	return status;
}
