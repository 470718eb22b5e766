/* Traces as text: docs/traces.md. */
#include "replay_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define ROOM         (256 * 1024) /* bytes read at once; a line is far shorter */
#define LONGEST_LINE 4096
#define MAX_BYTES    (INT64_C(1) << 60) /* as the allocators */
#define MAX_ADDRESS  (INT64_C(1) << 62)
#define MAX_STREAM   1023 /* streams are numbered in a trace, and few */

const char sb_event_letters[] = {
	[SB_ALLOC_EV_ALLOC] = 'a',
	[SB_ALLOC_EV_FREE] = 'f',
	[SB_ALLOC_EV_FREE_LATER] = 'l',
	[SB_ALLOC_EV_COMPLETE] = 'c',
	[SB_ALLOC_EV_OOM] = 'o',
	[SB_ALLOC_EV_SEGMENT_ALLOC] = 'S',
	[SB_ALLOC_EV_SEGMENT_FREE] = 'F',
	[SB_ALLOC_EV_MAP] = 'M',
	[SB_ALLOC_EV_UNMAP] = 'U',
	[SB_ALLOC_EV_EMPTY_CACHE] = 'e',
	[SB_ALLOC_EV_MOVE] = 'V',
};

struct sb_alloc_trace {
	gzFile file; /* NULL: bytes in memory */
	const char *bytes;
	size_t n_bytes;
	char *buf; /* [ROOM + 1] */
	size_t at, end;
	bool eof;
	int64_t line, n_events, last_us;
	struct sb_alloc_trace_head head;
};

/* ---- lines ------------------------------------------------------------------------------------------------------ */

static enum sb_status bad(const struct sb_alloc_trace *t, struct sb_error *err, const char *what)
{
	return sb_fail(err, SB_E_DATA, "line %" PRId64 ": %s", t->line, what);
}

static enum sb_status refill(struct sb_alloc_trace *t, struct sb_error *err)
{
	size_t room;
	int got = 0, code = Z_OK;

	memmove(t->buf, t->buf + t->at, t->end - t->at);
	t->end -= t->at;
	t->at = 0;
	room = ROOM - t->end;
	if (t->file) {
		got = gzread(t->file, t->buf + t->end, (unsigned)room);
		gzerror(t->file, &code);
		if (got < 0 || (code != Z_OK && code != Z_STREAM_END))
			return sb_fail(err, SB_E_DATA, "line %" PRId64 ": cannot read further: %s", t->line + 1,
			        code == Z_ERRNO ? strerror(errno) : "the gzip data are damaged or cut short");
	} else {
		got = (int)(t->n_bytes < room ? t->n_bytes : room);
		memcpy(t->buf + t->end, t->bytes, (size_t)got);
		t->bytes += got;
		t->n_bytes -= (size_t)got;
	}
	t->eof = got == 0;
	t->end += (size_t)got;
	return SB_OK;
}

/* The next line, without its end, in *out until the next call; NULL behind the last. */
static enum sb_status next_line(struct sb_alloc_trace *t, char **out, struct sb_error *err)
{
	char *newline;
	enum sb_status status;

	for (;;) {
		size_t have = t->end - t->at;

		newline = have ? memchr(t->buf + t->at, '\n', have) : NULL;
		if (newline || t->eof)
			break;
		if (have > LONGEST_LINE) {
			t->line++;
			return bad(t, err, "too long");
		}
		status = refill(t, err);
		if (status)
			return status;
	}
	*out = NULL;
	if (t->at == t->end)
		return SB_OK;
	t->line++;
	*out = t->buf + t->at;
	if (!newline)
		return bad(t, err, "cut short: it has no end");
	*newline = 0;
	t->at = (size_t)(newline - t->buf) + 1;
	if (newline - *out > LONGEST_LINE)
		return bad(t, err, "too long");
	if (strlen(*out) != (size_t)(newline - *out))
		return bad(t, err, "a zero byte");
	return SB_OK;
}

/* ---- the head --------------------------------------------------------------------------------------------------- */

static enum sb_status copy_text(
        const struct sb_alloc_trace *t, const char *value, char *out, size_t n, struct sb_error *err)
{
	if (strlen(value) >= n)
		return bad(t, err, "a text that is too long");
	memcpy(out, value, strlen(value) + 1);
	return SB_OK;
}

static enum sb_status read_policy(struct sb_alloc_trace *t, const char *value, struct sb_error *err)
{
	for (const char *const *name = sb_alloc_policy_names; *name; name++)
		if (!strcmp(*name, value))
			return copy_text(t, value, t->head.policy, sizeof(t->head.policy), err);
	return bad(t, err, "a policy that is not default, expandable or none");
}

static enum sb_status read_expect(struct sb_alloc_trace *t, char *value, struct sb_error *err)
{
	struct sb_alloc_expect *x = &t->head.expect[t->head.n_expect];
	struct sb_alloc_stats none = { 0 };
	char *number = strchr(value, ' ');
	int64_t unused;

	if (t->head.n_expect == SB_ALLOC_EXPECT_MAX)
		return bad(t, err, "too many expected figures");
	if (number)
		*number++ = 0;
	if (!number || strlen(value) >= sizeof(x->name) || !sb_replay_figure(&none, value, &unused))
		return bad(t, err, "an expected figure that is not known here");
	if (sb_parse_int(number, "expect", 0, INT64_MAX, &x->value, NULL))
		return bad(t, err, "an expected figure that is no number");
	memcpy(x->name, value, strlen(value) + 1);
	t->head.n_expect++;
	return SB_OK;
}

static enum sb_status head_line(struct sb_alloc_trace *t, char *line, struct sb_error *err)
{
	struct sb_alloc_trace_head *h = &t->head;
	char *value = strchr(line, ' ');

	if (line[0] == '#' || line[0] == 0)
		return SB_OK;
	if (value)
		*value++ = 0;
	else
		value = line + strlen(line);
	if (!strcmp(line, "source"))
		return copy_text(t, value, h->source, sizeof(h->source), err);
	if (!strcmp(line, "conf"))
		return copy_text(t, value, h->conf, sizeof(h->conf), err);
	if (!strcmp(line, "policy"))
		return read_policy(t, value, err);
	if (!strcmp(line, "expect"))
		return read_expect(t, value, err);
	if (!strcmp(line, "partial")) {
		h->partial = true;
		return SB_OK;
	}
	if (!strcmp(line, "device_bytes") || !strcmp(line, "limit_bytes")) {
		int64_t *out = line[0] == 'd' ? &h->device_bytes : &h->limit_bytes;

		if (sb_parse_int(value, line, 1, INT64_C(1) << 44, out, NULL))
			return bad(t, err, "a size that is not from 1 byte to 16 TiB");
		return SB_OK;
	}
	return bad(t, err, "not a word of a trace's head, which ends with 'begin'");
}

static enum sb_status read_head(struct sb_alloc_trace *t, struct sb_error *err)
{
	char *line = NULL;
	enum sb_status status = next_line(t, &line, err);

	if (status)
		return status;
	if (!line || strncmp(line, "spabench-trace ", 15) != 0)
		return sb_fail(err, SB_E_DATA,
		        "line 1: not a trace of spabench; reports/snapshot_to_trace.py makes one of a PyTorch "
		        "snapshot");
	if (strcmp(line + 15, "1") != 0)
		return sb_fail(err, SB_E_DATA, "line 1: a version of the format that this program does not read");
	for (;;) {
		status = next_line(t, &line, err);
		if (status)
			return status;
		if (!line)
			return bad(t, err, "cut short: no event follows");
		if (!strcmp(line, "begin"))
			return SB_OK;
		status = head_line(t, line, err);
		if (status)
			return status;
	}
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

/* Decimal in [min, max] from *p on, which moves behind it and the blank that follows. */
static bool take_number(const char **p, int64_t min, int64_t max, int64_t *out)
{
	int64_t n = 0;
	const char *s = *p;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (n > (INT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (*s - '0');
	}
	if (*s == ' ' && s[1])
		s++;
	else if (*s)
		return false;
	*p = s;
	*out = n;
	return n >= min && n <= max;
}

static bool take_address(const char **p, uintptr_t *out)
{
	uint64_t n = 0;
	const char *s = *p;
	int digits = 0;

	for (;; s++, digits++) {
		char c = *s;

		if (c >= '0' && c <= '9')
			n = n << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	if (digits == 0 || digits > 16 || n == 0 || n > (uint64_t)MAX_ADDRESS || n % SB_ALLOC_ALIGN)
		return false;
	if (*s == ' ' && s[1])
		s++;
	else if (*s)
		return false;
	*p = s;
	*out = (uintptr_t)n;
	return true;
}

static int kind_of(char letter)
{
	for (size_t i = 0; i < sizeof(sb_event_letters); i++)
		if (sb_event_letters[i] == letter)
			return (int)i;
	return -1;
}

static bool has_address(enum sb_alloc_event_kind k)
{
	return k != SB_ALLOC_EV_OOM && k != SB_ALLOC_EV_EMPTY_CACHE;
}

static bool has_bytes(enum sb_alloc_event_kind k)
{
	return k == SB_ALLOC_EV_ALLOC || k == SB_ALLOC_EV_OOM || sb_is_segment_event(k);
}

static enum sb_status event_line(
        struct sb_alloc_trace *t, const char *line, struct sb_alloc_trace_event *out, struct sb_error *err)
{
	int kind = kind_of(line[0]);
	int64_t stream = 0;
	const char *p = line + 2;

	if (kind < 0 || line[1] != ' ')
		return bad(t, err, "not an event");
	memset(out, 0, sizeof(*out));
	out->e.kind = (enum sb_alloc_event_kind)kind;
	out->line = t->line;
	if (!take_number(&p, 0, INT64_MAX, &out->time_us))
		return bad(t, err, "no time in microseconds");
	if (out->time_us < t->last_us)
		return bad(t, err, "time goes backwards");
	if (has_address(out->e.kind) && !take_address(&p, &out->e.addr))
		return bad(t, err, "no address (hexadecimal, a multiple of 512)");
	if (has_bytes(out->e.kind)) {
		if (!take_number(&p, 1, MAX_BYTES, &out->e.bytes))
			return bad(t, err, "no size from 1 byte to 1 EiB");
		if (*p && !take_number(&p, 0, MAX_STREAM, &stream))
			return bad(t, err, "no stream from 0 to 1023");
	}
	if (*p)
		return bad(t, err, "more on the line than belongs there");
	out->e.stream = (uint64_t)stream;
	t->last_us = out->time_us;
	t->n_events++;
	return SB_OK;
}

/* "end N": the last line. */
static enum sb_status end_line(struct sb_alloc_trace *t, const char *line, struct sb_error *err)
{
	const char *p = line + 4;
	char *rest = NULL;
	int64_t n = 0;
	enum sb_status status;

	if (!take_number(&p, 0, INT64_MAX, &n) || *p)
		return bad(t, err, "no number of events after 'end'");
	if (n != t->n_events)
		return sb_fail(err, SB_E_DATA, "line %" PRId64 ": %" PRId64 " events are announced, %" PRId64 " came",
		        t->line, n, t->n_events);
	status = next_line(t, &rest, err);
	if (!status && rest)
		return bad(t, err, "something follows the end");
	return status;
}

enum sb_status sb_alloc_trace_next(
        struct sb_alloc_trace *t, struct sb_alloc_trace_event *out, bool *more, struct sb_error *err)
{
	char *line = NULL;
	enum sb_status status = next_line(t, &line, err);

	*more = false;
	if (status)
		return status;
	if (!line)
		return sb_fail(err, SB_E_DATA, "line %" PRId64 ": cut short: the line 'end' is missing", t->line + 1);
	if (!strncmp(line, "end ", 4))
		return end_line(t, line, err);
	status = event_line(t, line, out, err);
	*more = !status;
	return status;
}

/* ---- open and close --------------------------------------------------------------------------------------------- */

static enum sb_status open_any(
        gzFile file, const void *data, size_t size, struct sb_alloc_trace **out, struct sb_error *err)
{
	struct sb_alloc_trace *t = calloc(1, sizeof(*t));
	enum sb_status status;

	if (t)
		t->buf = malloc(ROOM + 1);
	if (!t || !t->buf) {
		free(t);
		if (file)
			gzclose(file);
		return sb_fail(err, SB_E_NOMEM, "out of memory for a trace");
	}
	t->file = file;
	t->bytes = data;
	t->n_bytes = size;
	status = read_head(t, err);
	if (status)
		sb_alloc_trace_close(t);
	else
		*out = t;
	return status;
}

enum sb_status sb_alloc_trace_open(const char *path, struct sb_alloc_trace **out, struct sb_error *err)
{
	gzFile file = gzopen(path, "rb");
	char shown[400];

	sb_escape(path, shown, sizeof(shown));
	if (!file)
		return sb_fail(err, SB_E_DATA, "cannot open trace '%s': %s", shown, strerror(errno));
	gzbuffer(file, ROOM);
	if (open_any(file, NULL, 0, out, err))
		return sb_wrap(err, "trace '%s'", shown);
	return SB_OK;
}

enum sb_status sb_alloc_trace_open_bytes(
        const void *data, size_t size, struct sb_alloc_trace **out, struct sb_error *err)
{
	return open_any(NULL, data, size, out, err);
}

void sb_alloc_trace_close(struct sb_alloc_trace *t)
{
	if (!t)
		return;
	if (t->file)
		gzclose(t->file);
	free(t->buf);
	free(t);
}

const struct sb_alloc_trace_head *sb_alloc_trace_head(const struct sb_alloc_trace *t)
{
	return &t->head;
}
