/* replay: a recorded memory trace through the allocators, for its figures or to check them against PyTorch's. */
#include "replay_device.h"
#include "sb_cli.h"
#include "sb_replay.h"
#include "sb_reports.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OPT_ALLOC, OPT_CHECK, OPT_LIMIT, OPT_CONF, OPT_FORMAT, OPT_DEVICE };

const struct sb_option sb_replay_options[] = {
	[OPT_ALLOC] = { "alloc", "POLICY",
	        "default, expandable, stitched or none (every request to the driver) [as the trace]" },
	[OPT_CHECK] = { "check", NULL, "under the trace's own settings: is every segment event what the trace has?" },
	[OPT_LIMIT] = { "limit", "BYTES", "memory of the device, as in 24GiB [as the trace; not known: 1TiB]" },
	[OPT_CONF] = { "conf", "STRING",
	        "settings, as in PYTORCH_CUDA_ALLOC_CONF [$PYTORCH_ALLOC_CONF, $PYTORCH_CUDA_ALLOC_CONF]" },
	[OPT_FORMAT] = { "format", "text|markdown|csv|json", "of the result [text]" },
	[OPT_DEVICE] = { "device", "cpu|cuda:N|auto", "on real memory of a device, its driver's calls timed [none]" },
	{ NULL, NULL, NULL },
};

const char sb_replay_details[] =
        "Without --device no memory is behind it: driver calls are counted. On a device they are made and timed; "
        "nothing\n"
        "computes there, so events follow one another at once. What the device refuses is an out-of-memory event.\n"
        "A trace is made from a snapshot of PyTorch's allocator by reports/snapshot_to_trace.py, or by 'spabench run\n"
        "--save-trace'; docs/traces.md describes it. It may be gzipped.\n"
        "--check ends with 1 and the line at which the replay differs, if it does. The driver's answers, and with\n"
        "them the addresses, are taken from the trace then: among blocks of equal size the lowest address is used.\n";

enum format { TEXT, MARKDOWN, CSV, JSON };
static const char *const formats[] = { "text", "markdown", "csv", "json", NULL };

struct request {
	const char *trace, *conf;
	const char *device; /* NULL: no memory behind it */
	struct sb_replay_options replay;
	struct sb_alloc_conf conf_says;
	int format;
};

static enum sb_status apply(int option, const char *value, struct request *q, struct sb_error *err)
{
	int policy = 0;

	switch (option) {
	case OPT_ALLOC:
		if (sb_parse_word(value, "--alloc", sb_alloc_policy_names, &policy, err))
			return err->code;
		q->replay.policy = sb_alloc_policy_names[policy];
		return SB_OK;
	case OPT_CHECK:
		q->replay.check = true;
		return SB_OK;
	case OPT_LIMIT:
		if (sb_parse_bytes(value, "--limit", &q->replay.device_bytes, err))
			return err->code;
		if (q->replay.device_bytes < 1 || q->replay.device_bytes > INT64_C(1) << 44)
			return sb_fail(err, SB_E_USAGE, "--limit '%.40s' is not from 1 byte to 16 TiB", value);
		return SB_OK;
	case OPT_CONF:
		q->conf = value;
		return SB_OK;
	case OPT_FORMAT:
		return sb_parse_word(value, "--format", formats, &q->format, err);
	case OPT_DEVICE:
		q->device = value;
		return SB_OK;
	}
	SB_BUG("option %d", option);
}

static enum sb_status parse(int argc, char **argv, struct request *q, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	const char *value;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_replay_options, &value, err)) >= 0)
		if (apply(i, value, q, err))
			return err->code;
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands != 1)
		return sb_fail(err, SB_E_USAGE, "one trace is replayed, %s",
		        p.n_operands ? "not several" : "and none is named");
	if (q->replay.check && (q->replay.policy || q->conf || q->replay.device_bytes))
		return sb_fail(err, SB_E_USAGE,
		        "--check replays under the trace's own settings: without --alloc, --conf, --limit");
	if (q->replay.check && q->device)
		return sb_fail(
		        err, SB_E_USAGE, "--check compares without a device: give --check or --device, one of the two");
	q->trace = p.operands[0];
	return SB_OK;
}

/* Settings from --conf or the environment: the policy, too, unless --alloc names one. */
static enum sb_status apply_settings(struct request *q, const struct sb_alloc_trace_head *head, struct sb_error *err)
{
	const char *name = "--conf", *text = q->conf ? q->conf : sb_alloc_conf_from_environment(&name);
	int64_t device = q->replay.device_bytes ? q->replay.device_bytes : head->device_bytes;
	struct sb_alloc_conf *conf = &q->conf_says;

	if (q->replay.check)
		return SB_OK;
	if (sb_alloc_conf_parse(text, conf, err))
		return sb_wrap(err, "%s", name);
	if (conf->fraction < 1 && !device && !q->device)
		return sb_fail(err, SB_E_USAGE,
		        "%s: a fraction of a device whose memory the trace does not tell; give it by --limit", name);
	if (conf->unused[0])
		sb_log(SB_LOG_WARN, "%s: without effect here: %s", name, conf->unused);
	if (conf->fraction < 1 && !q->device) /* 0 bytes would mean no limit */
		conf->opt.limit_bytes = 1 + (int64_t)(conf->fraction * (double)device);
	q->replay.opt = &conf->opt;
	if (!q->replay.policy && text)
		q->replay.policy = conf->expandable ? "expandable" : "default";
	return SB_OK;
}

/* ---- the result ------------------------------------------------------------------------------------------------- */

struct list {
	struct sb_report_figure v[64];
	size_t n;
};

static void add(struct list *l, const char *name, const char *label, enum sb_unit unit, struct sb_value value)
{
	if (l->n == SB_ARRAY_LEN(l->v))
		SB_BUG("more figures than thought");
	l->v[l->n++] = (struct sb_report_figure){ name, label, NULL, unit, value };
}

static void add_bytes(struct list *l, const char *name, const char *label, int64_t n)
{
	add(l, name, label, SB_UNIT_BYTES, sb_value_of((double)n));
}

static void add_count(struct list *l, const char *name, const char *label, int64_t n)
{
	add(l, name, label, SB_UNIT_COUNT, sb_value_of((double)n));
}

static void add_text(struct list *l, const char *name, const char *label, const char *text)
{
	add(l, name, label, SB_UNIT_UNKNOWN, sb_value_of(0));
	l->v[l->n - 1].text = text;
}

static void add_share(struct list *l, const char *name, const char *label, struct sb_value v)
{
	add(l, name, label, SB_UNIT_PERCENT, v);
}

static int64_t peak(const struct sb_replay_result *r, enum sb_alloc_family f)
{
	return r->stats.of[f][SB_ALLOC_ALL].peak;
}

static void add_memory(struct list *l, const struct sb_replay_result *r)
{
	add_bytes(l, "peak_requested", "peak requested", peak(r, SB_ALLOC_REQUESTED_BYTES));
	add_bytes(l, "peak_allocated", "peak allocated", peak(r, SB_ALLOC_ALLOCATED_BYTES));
	add_bytes(l, "peak_active", "peak active", peak(r, SB_ALLOC_ACTIVE_BYTES));
	add_bytes(l, "peak_reserved", "peak reserved", peak(r, SB_ALLOC_RESERVED_BYTES));
	if (r->recorded_peak_reserved)
		add_bytes(l, "recorded_peak_reserved", "peak reserved, in the trace", r->recorded_peak_reserved);
	add_share(l, "fragmentation_of_peaks", "1 - peak active / peak reserved", r->stats.fragmentation_of_peaks);
	add_share(l, "fragmentation_at_peak_reserved", "the same when reserved peaked",
	        r->stats.fragmentation_at_peak_reserved);
	add_share(l, "largest_free_share", "largest free block / free, then",
	        r->stats.largest_free_share_at_peak_reserved);
	add_share(l, "largest_free_share_at_end", "the same at the end", r->stats.largest_free_share);
}

static void add_driver(struct list *l, const struct sb_replay_result *r)
{
	add_count(l, "device_allocations", "driver allocations", r->stats.num_device_alloc);
	add_count(l, "device_frees", "given back to the driver", r->stats.num_device_free);
	add_count(l, "driver_calls", "driver calls", r->stats.driver_calls);
	add_count(l, "cu_mem_create", "of them cuMemCreate", r->stats.driver.calls[SB_PAGES_CREATE]);
	if (r->stats.num_stitches) {
		add_count(l, "stitches", "growths that moved pages", r->stats.num_stitches);
		add_bytes(l, "stitched_bytes", "what they moved", r->stats.stitched_bytes);
	}
	add_count(l, "retries", "retries", r->stats.num_alloc_retries);
	add_count(l, "out_of_memory", "out of memory", r->stats.num_ooms);
}

static void add_time(struct list *l, const char *name, const char *label, int64_t ns)
{
	add(l, name, label, SB_UNIT_TIME, sb_value_of((double)ns));
}

/* What the device was asked for, and what its driver took for it: kind by kind, in the driver's words. */
static void add_device_work(struct list *l, const struct sb_replay_result *r, char text[SB_PAGES_CALL_COUNT][3][48])
{
	/* Pages that moved count as obtained where they arrive: the driver was asked for them once. */
	add_bytes(l, "obtained_bytes", "got from the driver, in all",
	        r->stats.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].allocated - r->stats.stitched_bytes);
	add_time(l, "work_time", "time, reading apart", r->work_ns);
	add_time(l, "driver_time", "of it driver calls", r->stats.driver_ns);
	for (int k = 0; k < SB_PAGES_CALL_COUNT; k++) {
		const char *call = sb_pages_call_names[k];

		if (!r->stats.driver.calls[k])
			continue;
		snprintf(text[k][0], sizeof(text[k][0]), "driver_calls.%s", call);
		snprintf(text[k][1], sizeof(text[k][1]), "driver_time.%s", call);
		snprintf(text[k][2], sizeof(text[k][2]), "calls of %s", call);
		add_count(l, text[k][0], text[k][2], r->stats.driver.calls[k]);
		add_time(l, text[k][1], "  their time", r->stats.driver.dur_ns[k]);
	}
}

/* What came of a check, or of a request that could not be served: sentences in the caller's buffers. */
static void add_outcome(struct list *l, const struct sb_replay_result *r, bool check, char text[2][640])
{
	if (r->n_refused && !r->differs) {
		snprintf(text[0], sizeof(text[0]),
		        "line %" PRId64 " asked for %" PRId64 " bytes with %" PRId64 " allocated and %" PRId64
		        " reserved",
		        r->first_refused_line, r->first_oom.asked, r->first_oom.allocated, r->first_oom.reserved);
		add_text(l, "first_refused", "first request refused", text[0]);
	}
	if (!check)
		return;
	if (r->differs)
		snprintf(text[1], sizeof(text[1]), "differs: %s", r->difference);
	else
		snprintf(text[1], sizeof(text[1]),
		        "equal: %" PRId64 " of %" PRId64 " segment events, %" PRId64 " of %" PRId64 " blocks, %" PRId64
		        " figures of the end",
		        r->n_equal_segments, r->n_segment_events, r->n_equal_blocks, r->n_requests, r->n_expected);
	add_text(l, "check", "check", text[1]);
}

static enum sb_status print(const struct request *q, const struct sb_alloc_trace_head *head,
        const struct sb_replay_device *device, const struct sb_replay_result *r, struct sb_error *err)
{
	struct list l = { .n = 0 };
	struct sb_report_figures facts = { .format = "spabench-replay", .v = l.v };
	char outcome[2][640], calls[SB_PAGES_CALL_COUNT][3][48];

	add_text(&l, "trace", "trace", q->trace);
	add_text(&l, "source", "made from", head->source[0] ? head->source : "(the trace does not say)");
	add_text(&l, "policy", "allocator", r->policy);
	if (!r->differs) { /* a replay that went astray ended there */
		add_count(&l, "events", "events", r->n_events);
		add_count(&l, "requests", "requests", r->n_requests);
		add(&l, "duration", "length", SB_UNIT_TIME, sb_value_of((double)r->dur_us * 1e3));
		if (q->device)
			add_text(&l, "device", "device", device->name);
		add_bytes(&l, "device_bytes", "memory of the device", r->device_bytes);
		if (q->device)
			add_bytes(&l, "device_free_bytes", "of it free before", device->free_bytes);
		if (r->limit_bytes)
			add_bytes(&l, "limit_bytes", "of it allowed", r->limit_bytes);
		add_memory(&l, r);
		add_driver(&l, r);
		if (q->device)
			add_device_work(&l, r, calls);
	}
	add_outcome(&l, r, q->replay.check, outcome);
	facts.n = l.n;
	switch (q->format) {
	case MARKDOWN:
		return sb_report_figures_markdown(&facts, stdout, err);
	case CSV:
		return sb_report_figures_csv(&facts, stdout, err);
	case JSON:
		return sb_report_figures_json(&facts, stdout, err);
	default:
		return sb_report_figures_text(&facts, stdout, err);
	}
}

static enum sb_status replay_on_device(const struct request *q, const char *shown, struct sb_alloc_trace *t,
        struct sb_replay_device *device, struct sb_replay_result *r, struct sb_error *err)
{
	const struct sb_replay_on on = { .device = q->device,
		.trace = shown,
		.limit_bytes = q->replay.device_bytes,
		.fraction = q->conf_says.fraction,
		.policy = q->replay.policy,
		.opt = q->conf_says.opt };

	return sb_replay_on_device(t, &on, device, r, err);
}

enum sb_status sb_cmd_replay(int argc, char **argv, struct sb_error *err)
{
	struct request q = { .format = TEXT };
	struct sb_alloc_trace *t = NULL;
	struct sb_replay_device device = { .name = "" };
	struct sb_replay_result r;
	enum sb_status status = parse(argc, argv, &q, err);
	char shown[400];

	if (!status)
		status = sb_alloc_trace_open(q.trace, &t, err);
	if (status)
		return status;
	sb_escape(q.trace, shown, sizeof(shown));
	status = apply_settings(&q, sb_alloc_trace_head(t), err);
	if (!status && q.device)
		status = replay_on_device(&q, shown, t, &device, &r, err);
	else if (!status && sb_replay(t, &q.replay, &r, err))
		status = sb_wrap(err, "trace '%s'", shown);
	if (!status)
		status = print(&q, sb_alloc_trace_head(t), &device, &r, err);
	sb_alloc_trace_close(t);
	if (!status && q.replay.check && r.differs)
		status = SB_E_VERDICT; /* the result says it */
	return status;
}
