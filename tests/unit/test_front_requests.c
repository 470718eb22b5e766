/*
 * The front end with the requests of PyTorch's modules: the same results, and, at the sizes of the released network,
 * the requests of a recorded trace. The device of these sizes computes nothing and has no memory, so they take no time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sb_churn.h"
#include "sb_front.h"
#include "sb_presets.h"
#include "sb_replay.h"

#define TRACE      "data/traces/churn_default.txt.gz"
#define LARGE      (INT64_C(1) << 20) /* what is more comes of the large pool */
#define EVENTS_MAX 160000
#define WIDTH      518

/* ---- a device that does nothing --------------------------------------------------------------------------------- */

static enum sb_status idle_submit(struct sb_backend *be, const struct sb_op *op, struct sb_error *err)
{
	(void)be;
	(void)op;
	(void)err;
	return SB_OK;
}

static enum sb_status idle_prepare(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim,
        const float *host, void *dst, struct sb_error *err)
{
	(void)be;
	(void)use;
	(void)shape;
	(void)ndim;
	(void)host;
	(void)dst;
	(void)err;
	return SB_OK;
}

static enum sb_status no_values(const struct sb_weights *w, const char *name, const int64_t *shape, int ndim,
        float *scratch, const float **values, struct sb_error *err)
{
	(void)w;
	(void)name;
	(void)shape;
	(void)ndim;
	(void)err;
	*values = scratch;
	return SB_OK;
}

static const struct sb_weights no_weights = { .get = no_values };
static struct sb_backend_ops idle_ops;

static struct sb_backend *open_idle(const char *policy)
{
	struct sb_levels levels = { { 0 } };
	struct sb_backend *be;
	struct sb_error err;
	char set[32];

	assert_int_equal(sb_backend_open("cpu", 0, &be, &err), SB_OK);
	idle_ops = *be->ops;
	idle_ops.submit = idle_submit;
	idle_ops.weight_prepare = idle_prepare;
	be->ops = &idle_ops;
	sb_pages_close(be->pages);
	assert_int_equal(sb_pages_count_open(INT64_C(140) << 30, INT64_C(2) << 20, &be->pages, &err), SB_OK);
	snprintf(set, sizeof(set), "alloc=%s", policy);
	assert_int_equal(sb_levels_set(&levels, set, &err), SB_OK);
	assert_int_equal(sb_levels_set(&levels, "attention=efficient", &err), SB_OK);
	sb_backend_set_levels(be, &levels);
	return be;
}

/* ---- the requests of the churn list -------------------------------------------------------------------------------
 */

/* A request (owner: its own number) or, bytes 0, the end of request `owner`. */
struct request {
	int64_t bytes;
	int owner;
};

struct requests {
	struct request v[EVENTS_MAX];
	int n, n_allocs;
	struct live {
		uintptr_t addr;
		int owner;
	} live[4096];
	int n_live;
	bool on;
};

static struct requests ours, theirs;

static void remember(struct requests *r, const struct sb_alloc_event *e)
{
	assert_true(r->n < EVENTS_MAX);
	if (e->kind == SB_ALLOC_EV_ALLOC) {
		assert_true((size_t)r->n_live < SB_ARRAY_LEN(r->live));
		r->live[r->n_live++] = (struct live){ e->addr, r->n };
		r->v[r->n] = (struct request){ e->bytes, r->n };
		r->n++;
		r->n_allocs++;
		return;
	}
	for (int i = r->n_live - 1; i >= 0; i--) {
		if (r->live[i].addr != e->addr)
			continue;
		r->v[r->n++] = (struct request){ 0, r->live[i].owner };
		r->live[i] = r->live[--r->n_live];
		return;
	}
}

static void on_event(void *user, const struct sb_alloc_event *e)
{
	if (e->kind == SB_ALLOC_EV_ALLOC ? e->bytes > LARGE : e->kind == SB_ALLOC_EV_FREE)
		remember(user, e);
}

/* The pass of 24 clips at the released network's size; its statistics and the bytes of its weights. */
static int64_t churn(const char *policy, bool as_modules, struct requests *seen, struct sb_alloc_stats *stats)
{
	struct sb_churn_clip list[SB_CHURN_CLIPS];
	struct sb_front_net *nets[SB_CHURN_CLIPS] = { NULL };
	struct sb_backend *be = open_idle(policy);
	struct sb_front_outputs room;
	const struct sb_preset *preset;
	int64_t weights = 0;
	struct sb_error err;

	assert_int_equal(sb_preset_find("full", &preset, &err), SB_OK);
	sb_churn_list(0, WIDTH, 1, list);
	assert_int_equal(sb_front_outputs_init(&room, 40, 392, WIDTH, &err), SB_OK);
	assert_int_equal(
	        sb_front_net_open(be, &preset->front, list[0].height, WIDTH, &no_weights, &nets[0], &err), SB_OK);
	for (int i = 1; i < SB_CHURN_CLIPS; i++)
		assert_int_equal(
		        sb_front_net_resize(nets[0], list[i].height, WIDTH, &no_weights, &nets[i], &err), SB_OK);
	weights = sb_front_net_bytes(nets[0]);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &err), SB_OK);
	if (seen)
		sb_alloc_observe(be->alloc, on_event, seen);
	for (int i = 0; i < SB_CHURN_CLIPS; i++) {
		struct sb_front_outputs out = sb_front_outputs_as(&room, list[i].frames, list[i].height, WIDTH);
		static const uint8_t never_read[1];
		struct sb_front_input in = {
			.rgb = never_read, .frames = list[i].frames, .h = 388, .w = WIDTH, .as_modules = as_modules
		};

		assert_int_equal(sb_clip_geometry(388, WIDTH, WIDTH, list[i].height, &in.geo, &err), SB_OK);
		assert_int_equal(sb_front_run(be, nets[i], &in, &out, NULL, &err), SB_OK);
	}
	sb_alloc_observe(be->alloc, NULL, NULL);
	sb_alloc_stats(be->alloc, stats);
	assert_int_equal(stats->of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].current, 0);
	assert_int_equal(sb_backend_end_arm(be), 0);
	for (int i = SB_CHURN_CLIPS - 1; i >= 0; i--)
		sb_front_net_close(nets[i]);
	sb_front_outputs_release(&room);
	sb_backend_close(be);
	return weights;
}

static void read_trace(struct requests *r)
{
	struct sb_alloc_trace_event e;
	struct sb_alloc_trace *t;
	struct sb_error err;
	bool more;

	assert_int_equal(sb_alloc_trace_open(TRACE, &t, &err), SB_OK);
	while (!sb_alloc_trace_next(t, &e, &more, &err) && more)
		on_event(r, &e.e);
	sb_alloc_trace_close(t);
}

/*
 * What the trace has besides: weights before the first clip, and workspaces of the libraries, which are freed before
 * anything of the network is allocated, or never (cuBLAS keeps its own).
 */
static void large_requests_are_those_of_the_trace(void **state)
{
	static int twin[EVENTS_MAX]; /* of an allocation of theirs: ours + 1; 0: a workspace */
	struct sb_alloc_stats stats;
	int at = 0, workspaces = 0, open = 0;

	(void)state;
	churn("default", true, &ours, &stats);
	read_trace(&theirs);
	int i = 0;
	while (theirs.v[i].bytes != ours.v[0].bytes)
		i++;
	for (; i < theirs.n && at < ours.n; i++) {
		const struct request *t = &theirs.v[i], *o = &ours.v[at];

		if (t->bytes && t->bytes == o->bytes) {
			if (open > 1)
				fail_msg("event %d: a workspace is still there", i);
			twin[i] = ++at;
		} else if (t->bytes) {
			workspaces++;
			open++;
		} else if (twin[t->owner]) {
			if (o->bytes || o->owner != twin[t->owner] - 1)
				fail_msg("event %d frees %lld bytes; ours is another, %d", i,
				        (long long)theirs.v[t->owner].bytes, at);
			at++;
		} else {
			open--;
		}
	}
	print_message("  %d large requests, %d of libraries besides\n", ours.n_allocs, workspaces);
	/* The recorded trace without its workspaces, replayed under `default`, reserves as much. */
	assert_int_equal(stats.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak, INT64_C(15873343488));
	assert_int_equal(at, ours.n);
	assert_int_equal(open, 1); /* cuBLAS */
	assert_true(ours.n_allocs > 50000);
}

static double overhead(const char *policy, bool as_modules)
{
	struct sb_alloc_stats s;
	double weights = (double)churn(policy, as_modules, NULL, &s);
	double allocated = (double)s.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_ALL].peak;
	double reserved = (double)s.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].peak;
	double over = 100.0 * ((weights + reserved) / (weights + allocated) - 1.0);

	print_message("  %s: %.2f %% over %.2f GiB\n", policy, over, (weights + allocated) / (1 << 30));
	return over;
}

/* PyTorch's own, recorded with its libraries' workspaces: 34.9 and 3.0 %. */
static void overheads_are_near_those_of_pytorch(void **state)
{
	(void)state;
	double classic = overhead("default", true);

	assert_true(classic > 31.9 && classic < 37.9);
	assert_true(overhead("expandable", true) <= 3.0);
	assert_true(overhead("stitched", true) <= 1.5);
}

/* A clip of two chunks with the n-th driver call failing; was it reached? */
static bool run_with_fault(struct sb_backend *be, const struct sb_front_net *net, int64_t n)
{
	static const uint8_t never_read[1];
	struct sb_front_input in = { .rgb = never_read, .frames = 9, .h = 388, .w = WIDTH, .as_modules = true };
	struct sb_front_outputs out;
	struct sb_error err = { .msg = "" };
	enum sb_status status;

	assert_int_equal(sb_clip_geometry(388, WIDTH, WIDTH, 392, &in.geo, &err), SB_OK);
	assert_int_equal(sb_front_outputs_init(&out, in.frames, 392, WIDTH, &err), SB_OK);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &err), SB_OK);
	sb_pages_fail_in(be->pages, n, SB_E_NOMEM, true);
	status = sb_front_run(be, net, &in, &out, NULL, &err);
	sb_pages_fail_in(be->pages, 0, SB_OK, false);
	sb_backend_end_arm(be);
	sb_front_outputs_release(&out);
	assert_true(status == SB_OK || err.msg[0]);
	return status != SB_OK;
}

static void every_failing_driver_call_ends_the_pass_and_nothing_is_kept(void **state)
{
	static const char *const policies[] = { "default", "expandable" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(policies); i++) {
		struct sb_backend *be = open_idle(policies[i]);
		int64_t free_before, free_after, total, n = 1;
		const struct sb_preset *preset;
		struct sb_front_net *net;
		struct sb_error err;

		assert_int_equal(sb_preset_find("full", &preset, &err), SB_OK);
		assert_int_equal(sb_front_net_open(be, &preset->front, 392, WIDTH, &no_weights, &net, &err), SB_OK);
		assert_int_equal(sb_pages_info(be->pages, &free_before, &total, &err), SB_OK);
		while (run_with_fault(be, net, n)) {
			assert_int_equal(sb_pages_info(be->pages, &free_after, &total, &err), SB_OK);
			assert_int_equal(free_after, free_before);
			n++;
		}
		print_message("  %s: %lld driver calls\n", policies[i], (long long)n - 1);
		assert_true(n > 10);
		sb_front_net_close(net);
		sb_backend_close(be);
	}
}

/* ---- the same results ------------------------------------------------------------------------------------------- */

static struct sb_front_outputs run_tiny(const char *levels_text, bool as_modules)
{
	static uint8_t rgb[9 * 70 * 84 * 3];
	struct sb_front_input in = { .rgb = rgb, .frames = 9, .h = 70, .w = 84, .as_modules = as_modules };
	const struct sb_preset *preset;
	struct sb_front_outputs out;
	struct sb_front_net *net;
	struct sb_levels levels;
	struct sb_backend *be;
	struct sb_error err;

	for (size_t i = 0; i < sizeof(rgb); i++)
		rgb[i] = (uint8_t)(i * 2654435761u >> 13);
	assert_int_equal(sb_preset_find("tiny", &preset, &err), SB_OK);
	assert_int_equal(sb_levels_parse(levels_text, &levels, &err), SB_OK);
	assert_int_equal(sb_backend_open("cpu", 0, &be, &err), SB_OK);
	sb_backend_set_levels(be, &levels);
	assert_int_equal(sb_clip_geometry(in.h, in.w, 84, 70, &in.geo, &err), SB_OK);
	assert_int_equal(sb_front_net_open(be, &preset->front, 70, 84, &sb_weights_synthetic, &net, &err), SB_OK);
	assert_int_equal(sb_front_outputs_init(&out, in.frames, 70, 84, &err), SB_OK);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &err), SB_OK);
	assert_int_equal(sb_front_run(be, net, &in, &out, NULL, &err), SB_OK);
	assert_int_equal(sb_backend_end_pass(be, &err), SB_OK);
	assert_int_equal(sb_backend_end_arm(be), 0); /* nothing leaked */
	sb_front_net_close(net);
	sb_backend_close(be);
	return out;
}

static void results_are_the_same_to_the_bit(void **state)
{
	static const char *const levels[] = { "attention=standard",
		"attention=efficient,precision=tf32,alloc=expandable", "attention=efficient,offload=layers" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(levels); i++) {
		struct sb_front_outputs own = run_tiny(levels[i], false), modules = run_tiny(levels[i], true);

		assert_memory_equal(own.depth, modules.depth, sb_front_outputs_floats(&own) * sizeof(float));
		sb_front_outputs_release(&own);
		sb_front_outputs_release(&modules);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_requests_are_those_of_the_trace),
		cmocka_unit_test(overheads_are_near_those_of_pytorch),
		cmocka_unit_test(every_failing_driver_call_ends_the_pass_and_nothing_is_kept),
		cmocka_unit_test(results_are_the_same_to_the_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
