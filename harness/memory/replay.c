/* Replaying a trace, for its figures or to compare it. */
#include "replay_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DEVICE (INT64_C(1) << 40)
#define GRANULARITY    (2 * SB_MIB) /* of the driver on every GPU so far */
#define MOST_COMPLETE  10000        /* uses that end at once; each is looked at beside all others */

struct replay {
	const struct sb_replay_options *opt;
	const struct sb_alloc_trace_head *head;
	struct sb_replay_result r;
	struct sb_alloc *a;
	struct sb_pages *pages; /* opt->pages, or our own */
	struct sb_replay_table blocks;
	struct sb_expected x; /* check */
	uintptr_t *complete;  /* [x.cap] work space of a request */
	bool empty_asked;     /* check: the program emptied the cache before what is in x */
	int64_t line, recorded_reserved, replayed_reserved;
	int64_t first_us;
};

static enum sb_status bad(const struct replay *p, struct sb_error *err, const char *what)
{
	return sb_fail(err, SB_E_DATA, "line %" PRId64 ": %s", p->line, what);
}

/* ---- what is compared ------------------------------------------------------------------------------------------- */

static const char *const event_names[] = {
	[SB_ALLOC_EV_ALLOC] = "an allocation",
	[SB_ALLOC_EV_FREE] = "a free",
	[SB_ALLOC_EV_FREE_LATER] = "a free",
	[SB_ALLOC_EV_COMPLETE] = "the end of a use",
	[SB_ALLOC_EV_OOM] = "out of memory",
	[SB_ALLOC_EV_SEGMENT_ALLOC] = "segment_alloc",
	[SB_ALLOC_EV_SEGMENT_FREE] = "segment_free",
	[SB_ALLOC_EV_MAP] = "segment_map",
	[SB_ALLOC_EV_UNMAP] = "segment_unmap",
	[SB_ALLOC_EV_EMPTY_CACHE] = "the cache emptied",
	[SB_ALLOC_EV_MOVE] = "pages moved",
};

static void describe(const struct sb_alloc_event *e, char *out, size_t n)
{
	if (e)
		snprintf(out, n, "%s of %" PRId64 " bytes at %" PRIxPTR " on stream %" PRIu64, event_names[e->kind],
		        e->bytes, e->addr, e->stream);
	else
		snprintf(out, n, "nothing");
}

/* Only the first difference is told: everything behind it follows from it. */
static void differ(
        struct replay *p, int64_t line, const struct sb_alloc_event *trace, const struct sb_alloc_event *ours)
{
	char a[160], b[160];

	if (p->r.differs)
		return;
	p->r.differs = true;
	describe(trace, a, sizeof(a));
	describe(ours, b, sizeof(b));
	snprintf(p->r.difference, sizeof(p->r.difference), "line %" PRId64 ": the trace has %s, the replay %s", line, a,
	        b);
}

/* The trace has a block where the replay has none and the trace's driver gave nothing. */
static void differ_without_block(struct replay *p, const struct sb_alloc_event *e)
{
	char a[160];

	if (p->r.differs)
		return;
	p->r.differs = true;
	describe(e, a, sizeof(a));
	snprintf(p->r.difference, sizeof(p->r.difference),
	        "line %" PRId64
	        ": the trace has %s; the replay has no block that fits, and would ask the driver for one",
	        p->line, a);
}

static bool same_event(const struct sb_alloc_event *a, const struct sb_alloc_event *b)
{
	return a->kind == b->kind && a->addr == b->addr && a->bytes == b->bytes && a->stream == b->stream;
}

static void on_event(void *user, const struct sb_alloc_event *e)
{
	struct replay *p = user;
	const struct sb_alloc_trace_event *next;

	if (!sb_is_segment_event(e->kind))
		return;
	if (!p->opt->check)
		return;
	next = sb_expected_next(&p->x);
	if (!next || !same_event(&next->e, e)) {
		differ(p, next ? next->line : p->line, next ? &next->e : NULL, e);
		return;
	}
	p->x.next++;
	p->r.n_equal_segments += !p->r.differs;
}

/* ---- check: what stands before a request ------------------------------------------------------------------------- */

static enum sb_status push_expected(struct replay *p, const struct sb_alloc_trace_event *e, struct sb_error *err)
{
	struct sb_expected *x = &p->x;

	if (x->n == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : 64;
		struct sb_alloc_trace_event *v = realloc(x->v, cap * sizeof(*v));
		uintptr_t *complete = v ? realloc(p->complete, cap * sizeof(*complete)) : NULL;

		x->v = v ? v : x->v;
		p->complete = complete ? complete : p->complete;
		if (!complete)
			return sb_fail(err, SB_E_NOMEM, "out of memory for %zu segment events", cap);
		x->cap = cap;
	}
	x->v[x->n++] = *e;
	return SB_OK;
}

/* The uses that ended in v[from, to) of what is expected, for whatever the allocator has not completed itself. */
static void complete_range(struct replay *p, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (p->x.v[i].e.kind == SB_ALLOC_EV_COMPLETE)
			sb_alloc_complete(p->a, (void *)p->x.v[i].e.addr);
}

static bool next_is_release(struct replay *p)
{
	const struct sb_alloc_trace_event *next = sb_expected_next(&p->x);

	return next && (next->e.kind == SB_ALLOC_EV_SEGMENT_FREE || next->e.kind == SB_ALLOC_EV_UNMAP);
}

/*
 * Uses that ended right before the request: either PyTorch found out at its head, or while it waited for all of them to
 * release the cache. The trace does not say; but had they been complete at its head and a block fitted, nothing would
 * have been released.
 */
static void complete_leading(struct replay *p, const struct sb_alloc_event *request)
{
	size_t n = 0;

	while (n < p->x.n && p->x.v[n].e.kind == SB_ALLOC_EV_COMPLETE) {
		p->complete[n] = p->x.v[n].e.addr;
		n++;
	}
	if (n && !(next_is_release(p) && n <= MOST_COMPLETE &&
	                 sb_alloc_would_hit(p->a, request->bytes, request->stream, p->complete, n)))
		complete_range(p, 0, n);
}

/* What the trace has and the replay did not do. */
static void expect_no_more(struct replay *p)
{
	const struct sb_alloc_trace_event *next;

	complete_range(p, 0, p->x.n);
	next = sb_expected_next(&p->x);
	if (next)
		differ(p, next->line, &next->e, NULL);
	p->x.n = p->x.next = 0;
	p->empty_asked = false;
}

/* The program did something else than asking for memory: what was released before was released on its demand. */
static enum sb_status settle_expected(struct replay *p, struct sb_error *err)
{
	enum sb_status status = SB_OK;

	if (p->empty_asked || next_is_release(p))
		status = sb_alloc_empty_cache(p->a, err);
	expect_no_more(p);
	return status;
}

/* Before a request of a check. Releases that it cannot have caused were on demand, too. */
static enum sb_status before_request(struct replay *p, const struct sb_alloc_event *e, struct sb_error *err)
{
	if (p->empty_asked) {
		enum sb_status status = sb_alloc_empty_cache(p->a, err);

		if (status)
			return status;
	}
	complete_leading(p, e);
	if (next_is_release(p) && sb_alloc_would_hit(p->a, e->bytes, e->stream, NULL, 0))
		return sb_alloc_empty_cache(p->a, err);
	return SB_OK;
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

static void note_refused(struct replay *p)
{
	if (p->r.n_refused++ == 0) {
		p->r.first_refused_line = p->line;
		p->r.first_oom = *sb_alloc_oom(p->a);
	}
}

/* SB_OK when the device refused, too: *refused. */
static enum sb_status ask(
        struct replay *p, const struct sb_alloc_event *e, void **ptr, bool *refused, struct sb_error *err)
{
	enum sb_status status = p->opt->check ? before_request(p, e, err) : SB_OK;
	int64_t ooms = p->a->num_ooms;

	if (!status)
		status = sb_alloc_malloc(p->a, e->bytes, e->stream, ptr, err);
	*refused = status == SB_E_NOMEM && p->a->num_ooms > ooms; /* else it was the host's memory */
	if (status == SB_E_DEVICE) {
		if (p->opt->check) /* of its provider: the trace cannot be */
			err->code = SB_E_DATA;
		return sb_wrap(err, "line %" PRId64, p->line);
	}
	if (p->opt->check)
		expect_no_more(p);
	if (*refused)
		note_refused(p);
	return *refused ? SB_OK : status;
}

static enum sb_status on_alloc(struct replay *p, const struct sb_alloc_event *e, struct sb_error *err)
{
	enum sb_status status;
	void *ptr = NULL;
	bool refused;

	p->r.n_requests++;
	if (sb_replay_table_find(&p->blocks, e->addr))
		return bad(p, err, "allocated twice: the address is in use");
	status = ask(p, e, &ptr, &refused, err);
	if (status)
		return status;
	if (refused && p->opt->check)
		differ_without_block(p, e);
	if (p->opt->check && ptr != (void *)e->addr)
		differ(p, p->line, e,
		        &(struct sb_alloc_event){ SB_ALLOC_EV_ALLOC, (uintptr_t)ptr, e->bytes, e->stream, 0 });
	p->r.n_equal_blocks += p->opt->check && !p->r.differs;
	return sb_replay_table_add(&p->blocks, e->addr, ptr, err);
}

/* The trace's own allocator had no memory here. Whether another one has is told by asking and giving back. */
static enum sb_status on_oom(struct replay *p, const struct sb_alloc_event *e, struct sb_error *err)
{
	void *ptr = NULL;
	bool refused;
	enum sb_status status = ask(p, e, &ptr, &refused, err);

	if (status)
		return status;
	if (!refused && p->opt->check)
		differ(p, p->line, e,
		        &(struct sb_alloc_event){ SB_ALLOC_EV_ALLOC, (uintptr_t)ptr, e->bytes, e->stream, 0 });
	sb_alloc_free(p->a, ptr);
	return SB_OK;
}

static enum sb_status on_free(struct replay *p, const struct sb_alloc_event *e, struct sb_error *err)
{
	struct sb_replay_block *b = sb_replay_table_find(&p->blocks, e->addr);
	enum sb_status status = p->opt->check ? settle_expected(p, err) : SB_OK;

	if (status)
		return status;
	p->r.n_frees++;
	if (!b)
		return bad(p, err, "frees an address that is not allocated");
	if (b->later)
		return bad(p, err, "frees an address twice");
	if (e->kind == SB_ALLOC_EV_FREE) {
		sb_alloc_free(p->a, b->ptr);
		sb_replay_table_remove(&p->blocks, b);
	} else {
		sb_alloc_free_later(p->a, b->ptr);
		b->later = true;
		b->epoch = p->a->num_sync_all_streams;
	}
	return SB_OK;
}

static enum sb_status on_complete(struct replay *p, const struct sb_alloc_trace_event *e, struct sb_error *err)
{
	struct sb_replay_block *b = sb_replay_table_find(&p->blocks, e->e.addr);
	int64_t epoch;
	void *ptr;

	if (!b || !b->later)
		return bad(p, err, "ends a use of an address that was not freed with one outstanding");
	ptr = b->ptr;
	epoch = b->epoch;
	sb_replay_table_remove(&p->blocks, b);
	if (p->opt->check)
		return push_expected(p, e, err);
	if (ptr && epoch == p->a->num_sync_all_streams) /* else it was waited for, and may be another block now */
		sb_alloc_complete(p->a, ptr);
	return SB_OK;
}

static enum sb_status on_segment(struct replay *p, const struct sb_alloc_trace_event *e, struct sb_error *err)
{
	bool gain = e->e.kind == SB_ALLOC_EV_SEGMENT_ALLOC || e->e.kind == SB_ALLOC_EV_MAP;

	p->r.n_segment_events++;
	p->recorded_reserved += gain ? e->e.bytes : -e->e.bytes;
	if (p->recorded_reserved < 0 || p->recorded_reserved > INT64_C(1) << 60)
		return bad(p, err, "more is given back than was held, or more held than can be");
	if (p->recorded_reserved > p->r.recorded_peak_reserved)
		p->r.recorded_peak_reserved = p->recorded_reserved;
	return p->opt->check ? push_expected(p, e, err) : SB_OK;
}

static enum sb_status on_empty(struct replay *p, struct sb_error *err)
{
	enum sb_status status;

	if (!p->opt->check)
		return sb_alloc_empty_cache(p->a, err) ? sb_wrap(err, "line %" PRId64, p->line) : SB_OK;
	status = settle_expected(p, err);
	p->empty_asked = true;
	return status;
}

static enum sb_status on_line(struct replay *p, const struct sb_alloc_trace_event *e, struct sb_error *err)
{
	p->line = e->line;
	if (p->r.n_events++ == 0)
		p->first_us = e->time_us;
	p->r.dur_us = e->time_us - p->first_us;
	switch (e->e.kind) {
	case SB_ALLOC_EV_ALLOC:
		return on_alloc(p, &e->e, err);
	case SB_ALLOC_EV_OOM:
		return on_oom(p, &e->e, err);
	case SB_ALLOC_EV_FREE:
	case SB_ALLOC_EV_FREE_LATER:
		return on_free(p, &e->e, err);
	case SB_ALLOC_EV_COMPLETE:
		return on_complete(p, e, err);
	case SB_ALLOC_EV_EMPTY_CACHE:
		return on_empty(p, err);
	default:
		return on_segment(p, e, err);
	}
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

/* The trace's own policy and settings. */
static enum sb_status own_settings(
        const struct replay *p, struct sb_alloc_conf *conf, const char **policy, struct sb_error *err)
{
	enum sb_status status = sb_alloc_conf_parse(p->head->conf, conf, err);

	if (status) {
		err->code = SB_E_DATA;
		return sb_wrap(err, "the trace's own settings");
	}
	*policy = p->head->policy[0] ? p->head->policy : conf->expandable ? "expandable" : "default";
	if (p->head->limit_bytes)
		conf->opt.limit_bytes = p->head->limit_bytes;
	if (p->opt->check && p->head->partial)
		return sb_fail(
		        err, SB_E_DATA, "the trace begins later than its program: nothing says what was cached then");
	return SB_OK;
}

/* *device: what it has; on return that of the provider. */
static enum sb_status open_pages(struct replay *p, int64_t *device, struct sb_error *err)
{
	int64_t avail;

	if (p->opt->check && p->opt->pages)
		SB_BUG("a check on real memory");
	if (p->opt->check)
		return sb_pages_trace_open(*device, &p->x, &p->pages, err);
	if (!p->opt->pages)
		return sb_pages_count_open(*device, GRANULARITY, &p->pages, err);
	p->pages = p->opt->pages;
	return sb_pages_info(p->pages, &avail, device, err);
}

static enum sb_status open_replay(struct replay *p, struct sb_error *err)
{
	const struct sb_replay_options *o = p->opt;
	struct sb_alloc_conf own;
	const struct sb_alloc_options *opt = o->opt;
	const char *policy = NULL;
	int64_t device = o->device_bytes ? o->device_bytes : p->head->device_bytes;
	enum sb_status status = own_settings(p, &own, &policy, err);

	if (status)
		return status;
	device = device ? device : DEFAULT_DEVICE;
	if (!o->check && o->policy)
		policy = o->policy;
	if (o->check)
		opt = &own.opt;
	status = open_pages(p, &device, err);
	if (!status)
		status = sb_alloc_open_with(policy, opt, p->pages, &p->a, err);
	if (status)
		return status;
	sb_alloc_observe(p->a, on_event, p);
	snprintf(p->r.policy, sizeof(p->r.policy), "%s", policy);
	p->r.device_bytes = device;
	p->r.limit_bytes = opt ? opt->limit_bytes : 0;
	return SB_OK;
}

static void close_replay(struct replay *p)
{
	if (p->a)
		sb_alloc_observe(p->a, NULL, NULL);
	sb_alloc_close(p->a);
	if (!p->opt->pages)
		sb_pages_close(p->pages);
	sb_replay_table_release(&p->blocks);
	free(p->x.v);
	free(p->complete);
}

static void compare_figures(struct replay *p)
{
	for (int i = 0; i < p->head->n_expect && !p->r.differs; i++) {
		const struct sb_alloc_expect *x = &p->head->expect[i];
		int64_t ours = 0;

		sb_replay_figure(&p->r.stats, x->name, &ours);
		if (ours == x->value) {
			p->r.n_expected++;
			continue;
		}
		p->r.differs = true;
		snprintf(p->r.difference, sizeof(p->r.difference),
		        "at the end: the trace's %s is %" PRId64 ", the replay's %" PRId64, x->name, x->value, ours);
	}
}

/* Events are read a batch at a time, so that the clock tells reading and doing apart without being looked at for each.
 */
#define BATCH 256

/* *n < BATCH: these are the last, or a line is bad behind them. */
static enum sb_status read_batch(
        struct sb_alloc_trace *t, struct sb_alloc_trace_event *e, size_t *n, struct sb_error *err)
{
	bool more = true;
	enum sb_status status = SB_OK;

	for (*n = 0; *n < BATCH; (*n)++) {
		status = sb_alloc_trace_next(t, &e[*n], &more, err);
		if (status || !more)
			break;
	}
	return status;
}

static enum sb_status do_batch(struct replay *p, const struct sb_alloc_trace_event *e, size_t n, struct sb_error *err)
{
	int64_t since = sb_now_ns();
	enum sb_status status = SB_OK;

	for (size_t i = 0; i < n && !status && !p->r.differs; i++)
		status = on_line(p, &e[i], err);
	p->r.work_ns += sb_now_ns() - since;
	return status;
}

/* Frees tell nobody that the device was lost: the last word is the device's. */
static enum sb_status device_lives(struct replay *p, struct sb_error *err)
{
	if (p->opt->pages && sb_pages_sync(p->pages, 0, err))
		return sb_wrap(err, "at the end of the trace");
	return SB_OK;
}

static enum sb_status run(struct replay *p, struct sb_alloc_trace *t, struct sb_error *err)
{
	struct sb_alloc_trace_event e[BATCH];
	enum sb_status status = SB_OK;
	size_t n = BATCH;

	while (!status && n == BATCH) {
		struct sb_error bad_line;
		enum sb_status read = read_batch(t, e, &n, &bad_line);

		status = do_batch(p, e, n, err);
		if (p->r.differs)
			return status; /* what follows would only follow from it */
		if (!status && read)
			return sb_fail(err, read, "%s", bad_line.msg);
	}
	if (!status && p->opt->check)
		status = settle_expected(p, err);
	return status;
}

enum sb_status sb_replay(struct sb_alloc_trace *t, const struct sb_replay_options *opt, struct sb_replay_result *out,
        struct sb_error *err)
{
	struct replay p = { .opt = opt, .head = sb_alloc_trace_head(t) };
	int64_t since = sb_now_ns();
	enum sb_status status = open_replay(&p, err);

	if (!status)
		status = run(&p, t, err);
	if (!status) {
		sb_alloc_stats(p.a, &p.r.stats);
		status = device_lives(&p, err);
	}
	if (!status) {
		if (opt->check)
			compare_figures(&p);
		p.r.replay_ns = sb_now_ns() - since;
		*out = p.r;
	}
	close_replay(&p);
	return status;
}
