/* Writing a trace: docs/traces.md. */
#include "replay_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct sb_alloc_trace_writer {
	FILE *file;
	char *path, *made; /* the name it gets, and the one it is made under */
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
	if (w) {
		free(w->path);
		free(w->made);
	}
	free(w);
}

static enum sb_status cannot_write(const char *path, struct sb_error *err)
{
	int why = errno;
	char shown[400];

	sb_escape(path, shown, sizeof(shown));
	return sb_fail(err, SB_E_DATA, "cannot write trace '%s': %s", shown, strerror(why));
}

enum sb_status sb_alloc_trace_write_begin(const char *path, const struct sb_alloc_trace_head *head,
        struct sb_alloc_trace_writer **out, struct sb_error *err)
{
	struct sb_alloc_trace_writer *w = calloc(1, sizeof(*w));
	struct sb_buf made = { 0 };
	struct stat there;

	if (!stat(path, &there) && !S_ISREG(there.st_mode)) { /* a rename would replace a device */
		free(w);
		return sb_fail(err, SB_E_DATA, "cannot write trace '%.400s': it is there, and not a file", path);
	}
	sb_buf_addf(&made, "%s.tmp", path);
	if (w) {
		w->path = sb_strdup(path);
		w->made = sb_strdup(sb_buf_str(&made));
	}
	if (!w || !w->path || !w->made || made.failed) {
		sb_buf_release(&made);
		drop(w);
		return sb_fail(err, SB_E_NOMEM, "out of memory for a trace");
	}
	sb_buf_release(&made);
	w->file = fopen(w->made, "w");
	if (!w->file) {
		drop(w);
		return cannot_write(path, err);
	}
	write_head(w->file, head);
	*out = w;
	return SB_OK;
}

void sb_alloc_trace_write(struct sb_alloc_trace_writer *w, int64_t time_us, const struct sb_alloc_event *e)
{
	FILE *f = w->file;

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
	bool failed;

	if (!w)
		return SB_OK;
	fprintf(w->file, "end %" PRId64 "\n", w->n_events);
	failed = fflush(w->file) || ferror(w->file);
	if (failed && !discard)
		status = cannot_write(w->path, err);
	if (fclose(w->file) && !failed && !discard)
		status = cannot_write(w->path, err);
	if (!status && !discard && rename(w->made, w->path))
		status = cannot_write(w->path, err);
	if (status || discard)
		remove(w->made);
	drop(w);
	return status;
}
