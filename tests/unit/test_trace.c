/* What a tracer found becomes a trace, and arrives in the database as it was: on records made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "messages.h"
#include "store_fixture.h"
#include "trace_fixture.h"
#include "trace_message.h"

static struct sb_trace trace_of(const struct sb_backend *be)
{
	struct sb_error err = { .msg = "" };
	struct sb_trace t;

	if (sb_trace_from_log(be, FIXTURE_PASS_START_NS, &t, &err))
		fail_msg("%s", err.msg);
	trace_fixture_sums_are_events(&t);
	return t;
}

static void assert_event(const struct sb_trace *t, size_t i, const char *name, const char *stage, const char *op)
{
	assert_true(i < t->n_events);
	assert_string_equal(t->names[t->events[i].name], name);
	assert_string_equal(t->names[t->events[i].stage], stage);
	assert_string_equal(t->names[t->events[i].op], op);
}

static const uint16_t two_ops[] = { SB_OP_LINEAR, SB_OP_CONV }, two_stages[] = { 0, 1 };

static void a_kernel_has_the_stage_and_kind_of_the_op_that_asked_for_it(void **state)
{
	struct sb_activity a[] = { trace_fixture_kernel("gemm_a", 0, 5, 300), trace_fixture_kernel("reduce", 0, 9, 40),
		trace_fixture_kernel("gemm_a", 1, 12, 500) };
	struct sb_backend be;
	struct sb_trace t;

	(void)state;
	trace_fixture_open(&be, two_ops, two_stages, 2);
	trace_fixture_activity(&be, a, 3);
	t = trace_of(&be);
	assert_true(t.complete);
	assert_int_equal(t.n_events, 3);
	assert_event(&t, 0, "gemm_a", "front.dino", "linear");
	assert_event(&t, 1, "reduce", "front.dino", "linear");
	assert_event(&t, 2, "gemm_a", "track.fnet", "conv");
	assert_int_equal(t.events[0].start_ns, 5000);
	assert_int_equal(t.events[2].start_ns, 12000);
	assert_int_equal(t.events[2].stream, 7);
	assert_int_equal(t.events[2].correlation, 1001);
	assert_int_equal(t.events[2].op_call, 2);
	assert_int_equal(t.kind_ns[SB_KIND_GEMM], 340);
	assert_int_equal(t.kind_ns[SB_KIND_CONV], 500);
	assert_int_equal(t.n_sums, 3); /* one kernel in two ops is two sums */
	sb_trace_release(&t);
	trace_fixture_close(&be);
}

static void the_bytes_of_an_op_count_once_whatever_order_its_kernels_came_in(void **state)
{
	struct sb_activity a[] = { trace_fixture_kernel("x", 0, 1, 10), trace_fixture_kernel("x", 1, 2, 10),
		trace_fixture_kernel("x", 0, 3, 10), trace_fixture_kernel("x", 1, 4, 10) };
	struct sb_backend be;
	struct sb_trace t;

	(void)state;
	trace_fixture_open(&be, two_ops, two_stages, 2);
	trace_fixture_activity(&be, a, 4);
	t = trace_of(&be);
	assert_int_equal(t.n_sums, 2);
	assert_int_equal(t.sums[0].bytes, 100);
	assert_int_equal(t.sums[1].bytes, 200);
	sb_trace_release(&t);
	trace_fixture_close(&be);
}

static void equal_launch_shapes_are_one_and_a_copy_has_none(void **state)
{
	struct sb_activity a[] = { trace_fixture_kernel("x", 0, 1, 10), trace_fixture_kernel("y", 0, 2, 10),
		trace_fixture_kernel("x", 1, 3, 10),
		{ .start_ns = FIXTURE_PASS_START_NS + 4000, .name = "memcpy HtoD", .op = 1 } };
	struct sb_backend be;
	struct sb_trace t;

	(void)state;
	a[2].registers = 65;
	trace_fixture_open(&be, two_ops, two_stages, 2);
	trace_fixture_activity(&be, a, 4);
	t = trace_of(&be);
	assert_int_equal(t.n_launches, 2);
	assert_int_equal(t.events[0].launch, 1);
	assert_int_equal(t.events[1].launch, 1);
	assert_int_equal(t.events[2].launch, 2);
	assert_int_equal(t.events[3].launch, 0);
	assert_int_equal(t.launches[0].grid[1], 2);
	assert_int_equal(t.launches[1].registers, 65);
	assert_int_equal(t.launches[1].shared_bytes, 49152);
	sb_trace_release(&t);
	trace_fixture_close(&be);
}

/* A call takes the host's time: it is in the rows and the sums, and in no kind of op. */
static void calls_of_the_api_are_of_a_kind_of_their_own(void **state)
{
	struct sb_activity a[] = { trace_fixture_kernel("x", 0, 5, 300),
		{ .start_ns = FIXTURE_PASS_START_NS + 1000,
		        .dur_ns = 40,
		        .name = "cuLaunchKernel",
		        .op = 0,
		        .call = true },
		{ .start_ns = FIXTURE_PASS_START_NS + 2000,
		        .dur_ns = 60,
		        .name = "cuLaunchKernel",
		        .op = 1,
		        .call = true } };
	struct sb_error err;
	struct sb_backend be;
	struct sb_trace t;

	(void)state;
	trace_fixture_open(&be, two_ops, two_stages, 2);
	trace_fixture_activity(&be, a, 3);
	assert_int_equal(sb_trace_from_log(&be, FIXTURE_PASS_START_NS, &t, &err), SB_OK);
	assert_int_equal(t.n_events, 3);
	assert_event(&t, 1, "cuLaunchKernel", "front.dino", "linear");
	assert_int_equal(t.events[1].start_ns, 1000);
	assert_int_equal(t.kind_ns[SB_KIND_GEMM], 300);
	assert_int_equal(t.kind_ns[SB_KIND_CONV], 0);
	assert_int_equal(t.n_sums, 3);
	assert_string_equal(t.names[t.sums[1].kind], "api");
	assert_string_equal(t.names[t.sums[0].kind], "gemm");
	assert_true(t.sums[0].bytes == 100 && t.sums[1].bytes == 0 && t.sums[2].bytes == 0);
	sb_trace_release(&t);
	trace_fixture_close(&be);
}

static void a_trace_with_a_lost_record_is_not_complete(void **state)
{
	const struct sb_activity_account lost[] = { { .requested = 2, .delivered = 1, .unmatched = 1 },
		{ .requested = 2, .delivered = 2, .dropped = 1 }, { .requested = 2, .delivered = 2, .zero_time = 1 } };
	struct sb_activity a = trace_fixture_kernel("x", 0, 1, 10);
	struct sb_backend be;

	(void)state;
	trace_fixture_open(&be, two_ops, two_stages, 2);
	for (size_t i = 0; i < SB_ARRAY_LEN(lost); i++) {
		struct sb_trace t;

		trace_fixture_activity(&be, &a, 1);
		be.account = lost[i];
		t = trace_of(&be);
		assert_false(t.complete);
		assert_int_equal(t.n_events, 1);
		assert_memory_equal(&t.account, &lost[i], sizeof(lost[i]));
		sb_trace_release(&t);
	}
	trace_fixture_close(&be);
}

static void a_record_of_an_op_that_the_log_had_no_room_for_is_left_out(void **state)
{
	struct sb_activity a[] = { trace_fixture_kernel("x", 0, 1, 10), trace_fixture_kernel("y", 2, 2, 10) };
	struct sb_backend be;
	struct sb_trace t;

	(void)state;
	trace_fixture_open(&be, two_ops, two_stages, 2);
	trace_fixture_activity(&be, a, 2);
	be.log_overflow = true;
	t = trace_of(&be);
	assert_int_equal(t.n_events, 1);
	assert_false(t.complete);
	sb_trace_release(&t);
	trace_fixture_close(&be);
}

static void a_record_without_times_stands_where_the_one_before_it_began(void **state)
{
	struct sb_activity a[] = { trace_fixture_kernel("x", 0, 3, 10), trace_fixture_kernel("lost", 0, 4, 10),
		trace_fixture_kernel("x", 1, 5, 10) };
	struct sb_backend be;
	struct sb_trace t;

	(void)state;
	a[1].start_ns = a[1].dur_ns = 0;
	trace_fixture_open(&be, two_ops, two_stages, 2);
	trace_fixture_activity(&be, a, 3);
	be.account.zero_time = 1;
	t = trace_of(&be);
	assert_int_equal(t.events[1].start_ns, 3000);
	assert_int_equal(t.events[1].dur_ns, 0);
	assert_int_equal(t.events[2].start_ns, 5000);
	assert_false(t.complete);
	sb_trace_release(&t);
	trace_fixture_close(&be);
}

static void a_pass_without_a_record_is_an_empty_trace(void **state)
{
	struct sb_backend be;
	struct sb_trace t;

	(void)state;
	trace_fixture_open(&be, two_ops, two_stages, 2);
	trace_fixture_activity(&be, NULL, 0);
	t = trace_of(&be);
	assert_true(t.n_events == 0 && t.n_sums == 0 && t.n_names == 0);
	sb_trace_release(&t);
	trace_fixture_close(&be);
}

static void ops_on_the_hosts_clock_are_a_trace_too(void **state)
{
	struct sb_backend be;
	struct sb_trace t;

	(void)state;
	trace_fixture_open(&be, two_ops, two_stages, 2);
	be.tracing = false;
	be.log[1].start_ns = FIXTURE_PASS_START_NS + 70;
	be.log[1].dur_ns = 30;
	t = trace_of(&be);
	assert_int_equal(t.n_events, 2);
	assert_event(&t, 1, "on the host", "track.fnet", "conv");
	assert_int_equal(t.events[1].start_ns, 70);
	assert_int_equal(t.events[1].launch, 0);
	assert_int_equal(t.kind_ns[SB_KIND_CONV], 30);
	sb_trace_release(&t);
	trace_fixture_close(&be);
}

/* More names, shapes and sums than any table has room for at first. */
static void thousands_of_names_and_shapes_keep_their_places(void **state)
{
	enum { N = 5000 };
	struct sb_activity *a = calloc(2 * N, sizeof(*a));
	char(*name)[16] = calloc(N, sizeof(*name));
	struct sb_backend be;
	struct sb_trace t;
	struct sb_error err;

	(void)state;
	assert_true(a && name);
	for (int i = 0; i < 2 * N; i++) {
		snprintf(name[i % N], sizeof(name[0]), "kernel%d", i % N);
		a[i] = trace_fixture_kernel(name[i % N], (uint32_t)(i % N % 2), i, i);
		a[i].grid[0] = 1 + i % N;
	}
	trace_fixture_open(&be, two_ops, two_stages, 2);
	trace_fixture_activity(&be, a, 2 * N);
	assert_int_equal(sb_trace_from_log(&be, FIXTURE_PASS_START_NS, &t, &err), SB_OK);
	assert_int_equal(t.n_sums, N);
	assert_int_equal(t.n_launches, N);
	assert_int_equal(t.n_names, N + 5); /* two stages, two ops, two kinds, of which one has its op's name */
	for (int i = 0; i < 2 * N; i++) {
		assert_string_equal(t.names[t.events[i].name], name[i % N]);
		assert_int_equal(t.launches[t.events[i].launch - 1].grid[0], 1 + i % N);
	}
	for (int i = 0; i < N; i++)
		assert_true(t.sums[i].count == 2 && t.sums[i].dur_ns == 2 * i + N);
	sb_trace_release(&t);
	trace_fixture_close(&be);
	free(a);
	free(name);
}

/* ---- from a worker to the database ------------------------------------------------------------------------------- */

/* The trace as the parent reads it from the worker's frames. */
static enum sb_status arrive(const struct sb_trace *t, struct sb_trial_result *r, struct sb_error *err)
{
	json_t *j = json_pack("{s:s, s:{}}", "outcome", "ok", "samples");
	struct sb_frame f = { .type = SB_FRAME_ROWS };
	enum sb_status status;
	size_t rows;

	*r = (struct sb_trial_result){ .n_samples = 0 };
	assert_true(sb_trace_to_json(t, j));
	status = sb_message_result(j, r, &rows, err);
	json_decref(j);
	if (status)
		return status;
	assert_int_equal(rows, t->n_events);
	f.data = (char *)sb_trace_to_rows(t);
	f.length = (uint32_t)(t->n_events * sizeof(struct sb_trace_row));
	assert_non_null(f.data);
	return sb_message_rows(&f, rows, r, err);
}

static void store(struct fixture *f, const struct sb_trial_result *r)
{
	struct sb_store *st = NULL;
	int64_t run, worker;
	struct sb_trial_row row = { .kind = "trace",
		.outcome = "ok",
		.rollup = r->rollup,
		.n_rollup = r->n_rollup,
		.trace = r->trace,
		.n_trace = r->n_trace,
		.names = (const char *const *)r->names,
		.n_names = r->n_names,
		.launches = r->launches,
		.n_launches = r->n_launches,
		.trace_complete = r->trace_complete };

	assert_int_equal(sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err), SB_OK);
	assert_int_equal(fixture_begin_run(st, "0123456789abcdef0123456789abcdef", &run, &worker, &f->err), SB_OK);
	row.worker = worker;
	assert_int_equal(sb_store_add_trial(st, run, &row, &f->err), SB_OK);
	assert_int_equal(sb_store_check(st, &f->err), SB_OK);
	sb_store_close(st);
}

static void a_trace_is_stored_with_shapes_streams_and_correlations(void **state)
{
	struct sb_activity a[] = {
		trace_fixture_kernel("x", 0, 1, 10), trace_fixture_kernel("y", 1, 2, 20),
		{ .start_ns = FIXTURE_PASS_START_NS + 4000, .dur_ns = 5, .name = "memcpy DtoH", .op = 1, .stream = 9 }
	};
	struct fixture *f = *state;
	struct sb_trial_result r;
	struct sb_trace_rows rows;
	struct sb_store *st;
	struct sb_backend be;
	struct sb_trace t;

	a[1].grid[2] = 3;
	a[1].registers = 255;
	trace_fixture_open(&be, two_ops, two_stages, 2);
	trace_fixture_activity(&be, a, 3);
	t = trace_of(&be);
	assert_int_equal(arrive(&t, &r, &f->err), SB_OK);
	assert_true(r.trace_complete);
	store(f, &r);
	assert_int_equal(sb_store_open(f->db, SB_STORE_READ, &st, &f->err), SB_OK);
	assert_int_equal(sb_store_read_trace(st, 1, &rows, &f->err), SB_OK);
	assert_int_equal(rows.n, 3);
	assert_string_equal(rows.names[rows.v[1].name], "y");
	assert_int_equal(rows.v[1].start_ns, 2000);
	assert_int_equal(rows.v[1].dur_ns, 20);
	assert_int_equal(rows.v[1].correlation, 1001);
	assert_int_equal(rows.v[1].op_call, 2);
	assert_int_equal(rows.v[1].stream, 7);
	assert_int_equal(rows.launches[rows.v[1].launch - 1].grid[2], 3);
	assert_int_equal(rows.launches[rows.v[1].launch - 1].registers, 255);
	assert_int_equal(rows.launches[rows.v[0].launch - 1].shared_bytes, 49152);
	assert_int_equal(rows.v[2].launch, 0);
	assert_int_equal(rows.v[2].stream, 9);
	sb_trace_rows_release(&rows);
	sb_store_close(st);
	sb_trial_result_release(&r);
	sb_trace_release(&t);
	trace_fixture_close(&be);
}

static int64_t mallocs_left;

/* Fails from the n-th call on, once. */
static void *failing_malloc(size_t n)
{
	return mallocs_left-- == 0 ? NULL : malloc(n);
}

/* However little of it is lost for want of memory, the message is not sent without it. */
static void a_message_that_lost_something_is_not_whole(void **state)
{
	struct sb_activity a[] = { trace_fixture_kernel("x", 0, 1, 10), trace_fixture_kernel("y", 1, 2, 20) };
	struct sb_backend be;
	struct sb_trace t;
	int64_t n = 0;
	bool whole;

	(void)state;
	a[1].registers = 1;
	trace_fixture_open(&be, two_ops, two_stages, 2);
	trace_fixture_activity(&be, a, 2);
	t = trace_of(&be);
	do {
		json_t *j;

		json_set_alloc_funcs(malloc, free);
		j = json_object();
		mallocs_left = n;
		json_set_alloc_funcs(failing_malloc, free);
		whole = sb_trace_to_json(&t, j);
		assert_int_equal(whole, mallocs_left >= 0);
		json_set_alloc_funcs(malloc, free);
		json_decref(j);
		n++;
	} while (!whole);
	assert_true(n > 40);
	sb_trace_release(&t);
	trace_fixture_close(&be);
}

/* A worker of another build, or a dying one, may send anything. */
static void shapes_that_were_not_announced_are_refused(void **state)
{
	struct sb_activity a = trace_fixture_kernel("x", 0, 1, 10);
	struct fixture *f = *state;
	struct sb_trial_result r;
	struct sb_backend be;
	struct sb_trace t;

	trace_fixture_open(&be, two_ops, two_stages, 2);
	trace_fixture_activity(&be, &a, 1);
	t = trace_of(&be);
	t.events[0].launch = 2;
	assert_int_equal(arrive(&t, &r, &f->err), SB_E_DATA);
	sb_trial_result_release(&r);
	t.events[0].launch = -1;
	assert_int_equal(arrive(&t, &r, &f->err), SB_E_DATA);
	sb_trial_result_release(&r);
	t.events[0].launch = 1;
	t.launches[0].registers = -1;
	assert_int_equal(arrive(&t, &r, &f->err), SB_E_DATA);
	sb_trial_result_release(&r);
	t.launches[0].registers = 1;
	assert_int_equal(arrive(&t, &r, &f->err), SB_OK);
	sb_trial_result_release(&r);
	sb_trace_release(&t);
	trace_fixture_close(&be);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_has_the_stage_and_kind_of_the_op_that_asked_for_it),
		cmocka_unit_test(the_bytes_of_an_op_count_once_whatever_order_its_kernels_came_in),
		cmocka_unit_test(equal_launch_shapes_are_one_and_a_copy_has_none),
		cmocka_unit_test(calls_of_the_api_are_of_a_kind_of_their_own),
		cmocka_unit_test(a_trace_with_a_lost_record_is_not_complete),
		cmocka_unit_test(a_record_of_an_op_that_the_log_had_no_room_for_is_left_out),
		cmocka_unit_test(a_record_without_times_stands_where_the_one_before_it_began),
		cmocka_unit_test(a_pass_without_a_record_is_an_empty_trace),
		cmocka_unit_test(ops_on_the_hosts_clock_are_a_trace_too),
		cmocka_unit_test(thousands_of_names_and_shapes_keep_their_places),
		cmocka_unit_test(a_message_that_lost_something_is_not_whole),
		T(a_trace_is_stored_with_shapes_streams_and_correlations),
		T(shapes_that_were_not_announced_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
