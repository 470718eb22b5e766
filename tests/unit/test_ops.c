/* Calls of ops lined up: the sequences, and tables of small databases that were written by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops_internal.h"
#include "store_fixture.h"

#define assert_ok(f, call)                            \
	do {                                          \
		if (call)                             \
			fail_msg("%s", (f)->err.msg); \
	} while (0)

/* ---- sequences -------------------------------------------------------------------------------------------------- */

enum { SEQUENCE = 24 };

/* Length of a longest common subsequence, by the table that every textbook has. */
static int longest(const int64_t *a, int n, const int64_t *b, int m)
{
	int t[SEQUENCE + 1][SEQUENCE + 1] = { { 0 } };

	for (int i = 1; i <= n; i++)
		for (int j = 1; j <= m; j++)
			t[i][j] = a[i - 1] == b[j - 1]        ? t[i - 1][j - 1] + 1
			          : t[i - 1][j] > t[i][j - 1] ? t[i - 1][j]
			                                      : t[i][j - 1];
	return t[n][m];
}

/* Equal symbols, in order; their number. */
static int assert_match(const int64_t *a, size_t n, const int64_t *b, size_t m, const int64_t *match)
{
	int64_t last = -1;
	int count = 0;

	for (size_t i = 0; i < n; i++) {
		if (match[i] < 0)
			continue;
		assert_true(match[i] > last && match[i] < (int64_t)m);
		assert_true(a[i] == b[match[i]]);
		last = match[i];
		count++;
	}
	return count;
}

static void as_many_as_can_be_are_lined_up(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		int64_t a[SEQUENCE], b[SEQUENCE], match[SEQUENCE];
		int n = (int)sb_random_below(&random, SEQUENCE + 1), m = (int)sb_random_below(&random, SEQUENCE + 1);
		uint64_t symbols = 1 + sb_random_below(&random, 6);
		struct sb_error err;

		for (int i = 0; i < SEQUENCE; i++) {
			a[i] = (int64_t)sb_random_below(&random, symbols);
			b[i] = (int64_t)sb_random_below(&random, symbols);
		}
		assert_int_equal(sb_ops_align(a, (size_t)n, b, (size_t)m, match, &err), SB_OK);
		assert_int_equal(assert_match(a, (size_t)n, b, (size_t)m, match), longest(a, n, b, m));
	}
}

static void long_sequences_without_much_in_common_keep_their_order(void **state)
{
	enum { N = 3000 };
	static int64_t a[N], b[N], match[N];
	uint64_t random = 7;
	struct sb_error err;

	(void)state;
	for (int i = 0; i < N; i++) {
		a[i] = (int64_t)sb_random_below(&random, 1000);
		b[i] = (int64_t)sb_random_below(&random, 1000);
	}
	assert_int_equal(sb_ops_align(a, N, b, N, match, &err), SB_OK);
	assert_true(assert_match(a, N, b, N, match) > 0);
	/* The same with a symbol put in: everything else has its place. */
	memcpy(b, a, sizeof(a));
	memmove(b + 1001, b + 1000, (N - 1001) * sizeof(*b));
	b[1000] = 5000;
	assert_int_equal(sb_ops_align(a, N, b, N, match, &err), SB_OK);
	assert_int_equal(assert_match(a, N, b, N, match), N - 1);
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

/* A row of a trace: grid 0 is no launch. */
struct kernel {
	int call; /* -1: not known */
	const char *stage, *op, *name;
	int grid;
	int64_t ns;
	bool api;
};

struct pass {
	int arm, block;
	const struct kernel *v;
	size_t n;
	double times; /* every ns is multiplied by this */
	bool only_sums, incomplete;
	const char *outcome; /* NULL: "ok" */
};

static int32_t index_of(const char **names, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(names[i], name))
			return (int32_t)i;
	names[*n] = name;
	return (int32_t)(*n)++;
}

static void add_pass(struct fixture *f, struct sb_store *st, int64_t run, int64_t worker, const struct pass *p)
{
	struct sb_trace_row rows[32];
	struct sb_rollup sums[32];
	struct sb_launch launches[32];
	const char *names[128];
	struct sb_trial_row t = { .worker = worker,
		.arm = p->arm,
		.block = p->block,
		.kind = "trace",
		.outcome = p->outcome ? p->outcome : "ok",
		.trace = rows,
		.n_trace = p->only_sums ? 0 : p->n,
		.rollup = sums,
		.names = names,
		.launches = launches,
		.trace_complete = !p->incomplete };

	for (size_t i = 0; i < p->n; i++) {
		const struct kernel *k = &p->v[i];
		int64_t ns = (int64_t)((double)k->ns * p->times);
		size_t s = 0;

		rows[i] = (struct sb_trace_row){ .start_ns = 1000 * (int64_t)i,
			.dur_ns = ns,
			.name = index_of(names, &t.n_names, k->name),
			.stage = index_of(names, &t.n_names, k->stage),
			.op = index_of(names, &t.n_names, k->op),
			.op_call = k->call + 1 };
		if (k->grid) {
			launches[t.n_launches++] = (struct sb_launch){ { k->grid, 1, 1 }, { 128, 1, 1 }, 0, 32 };
			rows[i].launch = (int32_t)t.n_launches;
		}
		while (s < t.n_rollup && (strcmp(sums[s].name, k->name) != 0 || strcmp(sums[s].op, k->op) != 0 ||
		                                 strcmp(sums[s].stage, k->stage) != 0))
			s++;
		if (s == t.n_rollup)
			sums[t.n_rollup++] =
			        (struct sb_rollup){ k->stage, k->op, k->api ? "api" : "gemm", k->name, 0, 0, 0 };
		sums[s].count++;
		sums[s].dur_ns += ns;
	}
	assert_ok(f, sb_store_add_trial(st, run, &t, &f->err));
}

static void make(struct fixture *f, const char *id, const struct pass *passes, size_t n)
{
	struct sb_store *st = NULL;
	int64_t run, worker;

	assert_ok(f, sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err));
	assert_ok(f, fixture_begin_run(st, id, &run, &worker, &f->err));
	for (size_t i = 0; i < n; i++)
		add_pass(f, st, run, worker, &passes[i]);
	assert_ok(f, sb_store_end_run(st, run, "complete", &f->err));
	assert_ok(f, sb_store_check(st, &f->err));
	sb_store_close(st);
}

#define ID_A "a0000000000000000000000000000000"
#define ID_B "b0000000000000000000000000000000"

static enum sb_status build(struct fixture *f, const char *before, const char *after, struct sb_ops *out)
{
	struct sb_store *st = NULL;
	enum sb_status status;
	int64_t run;

	assert_ok(f, sb_store_open(f->db, SB_STORE_READ, &st, &f->err));
	assert_ok(f, sb_store_find_run(st, "a000", &run, &f->err));
	status = sb_ops_build(st, run, before, after, out, &f->err);
	sb_store_close(st);
	return status;
}

static const struct sb_ops_row *row_of(const struct sb_ops *o, const char *op, double before_ns)
{
	for (size_t i = 0; i < o->n_rows; i++)
		if (!strcmp(o->rows[i].op, op) &&
		        (o->rows[i].ns[0].absent ? before_ns < 0 : o->rows[i].ns[0].v == before_ns))
			return &o->rows[i];
	fail_msg("no row '%s' of %g ns", op, before_ns);
	return NULL;
}

static bool has_note(const struct sb_ops *o, const char *words)
{
	for (size_t i = 0; i < o->n_notes; i++)
		if (strstr(o->notes[i], words))
			return true;
	return false;
}

/* A block of a transformer twice: norm, two products in a row, attention. */
static const struct kernel fp32[] = {
	{ 0, "dino", "layer_norm", "norm", 8, 100, false },
	{ 1, "dino", "linear", "sgemm_a", 30, 4000, false },
	{ 2, "dino", "linear", "sgemm_a", 60, 8000, false },
	{ 2, "dino", "linear", "cuLaunchKernel", 0, 77777, true },
	{ 3, "dino", "attention", "scores", 16, 3000, false },
	{ 3, "dino", "attention", "softmax", 16, 2000, false },
	{ 4, "dino", "layer_norm", "norm", 8, 100, false },
	{ 5, "dino", "linear", "sgemm_a", 30, 4000, false },
	{ 6, "dino", "linear", "sgemm_a", 60, 8000, false },
	{ 7, "dino", "attention", "scores", 16, 3000, false },
	{ 7, "dino", "attention", "softmax", 16, 2000, false },
};
static const struct kernel tf32[] = {
	{ 0, "dino", "layer_norm", "norm", 8, 100, false },
	{ 1, "dino", "linear", "memset", 0, 10, false },
	{ 1, "dino", "linear", "tgemm", 30, 990, false },
	{ 2, "dino", "linear", "memset", 0, 10, false },
	{ 2, "dino", "linear", "tgemm", 64, 1590, false },
	{ 3, "dino", "attention", "fused", 4, 1000, false },
	{ 4, "dino", "layer_norm", "norm", 8, 100, false },
	{ 5, "dino", "linear", "memset", 0, 10, false },
	{ 5, "dino", "linear", "tgemm", 30, 990, false },
	{ 6, "dino", "linear", "memset", 0, 10, false },
	{ 6, "dino", "linear", "tgemm", 64, 1590, false },
	{ 7, "dino", "attention", "fused", 4, 1000, false },
};
#define PASS(arm, block, list, times)                                           \
	{                                                                       \
		arm, block, list, SB_ARRAY_LEN(list), times, false, false, NULL \
	}

static void products_of_one_op_are_told_apart_and_lined_up(void **state)
{
	struct fixture *f = *state;
	struct pass p[14];
	const struct sb_ops_row *r;
	struct sb_ops o;
	double sum = 0;

	for (int b = 0; b < 7; b++) { /* each block has a mood, which the pairs take out */
		p[2 * b] = (struct pass)PASS(1, b, tf32, 1.0 + b);
		p[2 * b + 1] = (struct pass)PASS(0, b, fp32, 1.0 + b);
	}
	make(f, ID_A, p, 14);
	assert_ok(f, build(f, "before", "after", &o));
	assert_int_equal(o.by, SB_OPS_BY_CALL);
	assert_int_equal(o.pairs, 7);
	assert_true(o.calls[0] == 8 && o.calls[1] == 8 && o.lined_up == 8);
	assert_int_equal(o.n_rows, 4);
	/* Medians are those of the fourth mood; no API call is in them. */
	assert_true(o.total.ns[0].v == 4 * 34200.0 && o.total.ns[1].v == 4 * 7400.0);
	r = &o.rows[0]; /* the largest change */
	assert_string_equal(r->op, "linear");
	assert_true(r->ns[0].v == 4 * 16000.0 && r->ns[1].v == 4 * 3200.0);
	assert_true(r->calls[0] == 2 && r->calls[1] == 2 && r->found == SB_OPS_BOTH);
	assert_true(fabs(r->ratio.estimate.v - 0.2) < 1e-12 && r->ratio.has_interval);
	assert_true(fabs(r->ratio.lo - 0.2) < 1e-12 && fabs(r->ratio.hi - 0.2) < 1e-12);
	assert_int_equal(r->ratio.pairs, 7);
	assert_int_equal(r->n_kernels, 2);
	assert_string_equal(r->kernels[0].name[0], "sgemm_a");
	assert_string_equal(r->kernels[0].name[1], "tgemm");
	assert_true(r->kernels[0].count[0] == 2 && r->kernels[0].count[1] == 2);
	assert_true(r->kernels[0].ns[1].v == 4 * 3180.0);
	assert_null(r->kernels[1].name[0]);
	assert_string_equal(r->kernels[1].name[1], "memset");
	assert_string_equal(r->kernels[1].ns[0].absent, "added");
	r = row_of(&o, "linear", 4 * 8000.0);
	assert_true(fabs(r->ratio.estimate.v - 0.25) < 1e-12);
	r = row_of(&o, "attention", 4 * 10000.0);
	assert_int_equal(r->n_kernels, 2);
	assert_string_equal(r->kernels[0].name[0], "scores");
	assert_string_equal(r->kernels[0].name[1], "fused");
	assert_null(r->kernels[1].name[1]);
	r = row_of(&o, "layer_norm", 4 * 200.0);
	assert_true(r->ratio.estimate.v == 1.0 && r->change_ns == 0);
	for (size_t i = 0; i < o.n_rows; i++)
		sum += o.rows[i].share.v;
	assert_true(fabs(sum - 1.0) < 1e-12);
	assert_int_equal(o.n_notes, 0);
	sb_ops_release(&o);
	/* The heavier of two takes the place of the one that did the work of both. */
	assert_ok(f, build(f, "after", "before", &o));
	r = row_of(&o, "attention", 4 * 2000.0);
	assert_string_equal(r->kernels[0].name[0], "fused");
	assert_string_equal(r->kernels[0].name[1], "scores");
	assert_null(r->kernels[1].name[0]);
	sb_ops_release(&o);
}

static void what_came_and_what_went_does_not_move_the_rest(void **state)
{
	static const struct kernel a[] = { { 0, "s", "linear", "g", 1, 100, false },
		{ 1, "s", "gelu", "gelu", 1, 50, false }, { 2, "s", "linear", "g", 2, 200, false },
		{ 3, "s", "linear", "g", 3, 300, false } };
	static const struct kernel b[] = { { 0, "s", "linear", "h", 1, 90, false },
		{ 1, "s", "linear", "h", 2, 180, false }, { 2, "s", "copy", "memcpy", 0, 7, false },
		{ 3, "s", "linear", "h", 3, 270, false } };
	const struct pass p[] = { PASS(0, 0, a, 1), PASS(1, 0, b, 1) };
	struct fixture *f = *state;
	struct sb_ops o;

	make(f, ID_A, p, 2);
	assert_ok(f, build(f, "before", "after", &o));
	assert_true(o.lined_up == 3 && o.n_rows == 5);
	assert_int_equal(row_of(&o, "gelu", 50)->found, SB_OPS_VANISHED);
	assert_true(row_of(&o, "gelu", 50)->change_ns == -50);
	assert_int_equal(row_of(&o, "copy", -1)->found, SB_OPS_ADDED);
	assert_true(row_of(&o, "copy", -1)->calls[1] == 1 && row_of(&o, "copy", -1)->calls[0] == 0);
	for (int i = 1; i <= 3; i++)
		assert_true(row_of(&o, "linear", 100.0 * i)->ns[1].v == 90.0 * i);
	assert_false(o.rows[0].ratio.has_interval);
	assert_true(has_note(&o, "1 trace block with both arms: intervals need 6"));
	sb_ops_release(&o);
}

static void files_without_calls_or_rows_are_lined_up_by_less(void **state)
{
	struct fixture *f = *state;
	struct kernel a[SB_ARRAY_LEN(fp32)], b[SB_ARRAY_LEN(tf32)];
	struct pass p[] = { PASS(0, 0, a, 1), PASS(1, 0, b, 1) };
	struct sb_ops o;

	memcpy(a, fp32, sizeof(a));
	memcpy(b, tf32, sizeof(b));
	for (size_t i = 0; i < SB_ARRAY_LEN(a); i++)
		a[i].call = -1;
	for (size_t i = 0; i < SB_ARRAY_LEN(b); i++)
		b[i].call = -1;
	make(f, ID_A, p, 2);
	assert_ok(f, build(f, "before", "after", &o));
	assert_int_equal(o.by, SB_OPS_BY_TURN);
	assert_true(o.calls[0] == 6 && o.n_rows == 3);
	assert_true(fabs(row_of(&o, "linear", 24000)->ratio.estimate.v - 5200.0 / 24000) < 1e-12);
	assert_true(has_note(&o, "older than that"));
	sb_ops_release(&o);
}

static void sums_alone_give_a_row_for_each_op_of_a_stage(void **state)
{
	struct fixture *f = *state;
	struct pass p[] = { PASS(0, 0, fp32, 1), PASS(1, 0, tf32, 1) };
	struct sb_ops o;

	p[0].only_sums = p[1].only_sums = true;
	make(f, ID_A, p, 2);
	assert_ok(f, build(f, "before", "after", &o));
	assert_int_equal(o.by, SB_OPS_BY_TOTAL);
	assert_int_equal(o.n_rows, 3);
	assert_true(row_of(&o, "linear", 24000)->ns[1].v == 5200 && row_of(&o, "linear", 24000)->calls[0] == 0);
	assert_true(row_of(&o, "linear", 24000)->kernels[0].count[0] == 4);
	assert_true(o.total.ns[0].v == 34200);
	assert_true(has_note(&o, "only their sums"));
	sb_ops_release(&o);
}

static void only_whole_pairs_count(void **state)
{
	static const struct kernel odd[] = { { 0, "dino", "layer_norm", "norm", 8, 100, false },
		{ 1, "dino", "extra", "x", 1, 1000, false }, { 2, "dino", "linear", "sgemm_a", 30, 4000, false } };
	struct fixture *f = *state;
	struct pass p[] = { PASS(0, 0, fp32, 1), PASS(1, 0, tf32, 1), PASS(0, 1, fp32, 9), PASS(1, 2, tf32, 9),
		PASS(0, 3, fp32, 9), PASS(1, 3, tf32, 9), PASS(0, 4, odd, 1), PASS(1, 4, tf32, 1) };
	struct sb_ops o;

	p[4].incomplete = true;
	make(f, ID_A, p, SB_ARRAY_LEN(p));
	assert_ok(f, build(f, "before", "after", &o));
	assert_int_equal(o.pairs, 2);
	assert_true(has_note(&o, "before: 1 calls of ops in 1 of its traces have no place in the first one"));
	assert_true(o.total.ns[0].v == (34200 + 5100) / 2.0);
	assert_true(o.rows[0].ns[1].v == 3200); /* not of the blocks that have one arm alone */
	sb_ops_release(&o);
}

static void where_the_whole_does_not_change_there_are_no_shares(void **state)
{
	struct fixture *f = *state;
	struct pass p[12];
	struct sb_ops o;

	for (int i = 0; i < 12; i++)
		p[i] = (struct pass)PASS(i % 2, i / 2, fp32, 1);
	make(f, ID_A, p, 12);
	assert_ok(f, build(f, "before", "after", &o));
	for (size_t i = 0; i < o.n_rows; i++)
		assert_string_equal(o.rows[i].share.absent, "the whole has not changed measurably");
	sb_ops_release(&o);
}

static void assert_refused(
        struct fixture *f, const char *before, const char *after, enum sb_status status, const char *why)
{
	struct sb_ops o;

	assert_int_equal(build(f, before, after, &o), status);
	if (!strstr(f->err.msg, why))
		fail_msg("'%s' does not say '%s'", f->err.msg, why);
}

static void what_cannot_be_lined_up_is_refused(void **state)
{
	struct fixture *f = *state;
	struct pass p[] = { PASS(0, 0, fp32, 1), PASS(1, 1, tf32, 1) };

	make(f, ID_A, p, 2);
	assert_refused(f, "before", "after", SB_E_DATA, "no block with a complete trace of both 'before' and 'after'");
	assert_refused(f, "before", "before", SB_E_USAGE, "cannot be compared with itself");
	assert_refused(f, "before", "nope", SB_E_USAGE, "no arm 'nope'");
}

static void an_empty_trace_is_refused(void **state)
{
	struct fixture *f = *state;
	struct pass p[] = { PASS(0, 0, fp32, 1), PASS(1, 0, tf32, 1) };

	p[1].n = 0;
	make(f, ID_A, p, 2);
	assert_refused(f, "before", "after", SB_E_DATA, "the trace of 'after' is empty");
}

static void rows_and_sums_are_not_mixed(void **state)
{
	struct fixture *f = *state;
	struct pass p[] = { PASS(0, 0, fp32, 1), PASS(1, 0, tf32, 1) };

	p[1].only_sums = true;
	make(f, ID_A, p, 2);
	assert_refused(f, "before", "after", SB_E_DATA, "of one of the two alone");
}

static void two_runs_have_medians_and_no_interval(void **state)
{
	struct fixture *f = *state;
	const struct pass a[] = { PASS(1, 0, fp32, 1), PASS(1, 1, fp32, 1), PASS(1, 2, fp32, 3) },
	                  b[] = { PASS(1, 0, tf32, 1) };
	struct sb_store *st = NULL;
	struct sb_old_ref ref[2];
	struct sb_ops o;

	make(f, ID_A, a, 3);
	make(f, ID_B, b, 1);
	assert_ok(f, sb_store_open(f->db, SB_STORE_READ, &st, &f->err));
	ref[0] = ref[1] = (struct sb_old_ref){ .st = st, .arm = NULL };
	assert_ok(f, sb_store_find_run(st, "a000", &ref[0].run_key, &f->err));
	assert_ok(f, sb_store_find_run(st, "b000", &ref[1].run_key, &f->err));
	assert_ok(f, sb_ops_build_two(ref, &o, &f->err));
	assert_true(o.pairs == 0 && o.trials[0] == 3 && o.trials[1] == 1);
	assert_true(o.total.ns[0].v == 34200 && o.total.ns[1].v == 7400);
	assert_true(fabs(o.total.ratio.estimate.v - 7400.0 / 34200) < 1e-12 && !o.total.ratio.has_interval);
	assert_true(has_note(&o, "two runs of different times"));
	sb_ops_release(&o);
	ref[1].run_key = ref[0].run_key;
	assert_int_equal(sb_ops_build_two(ref, &o, &f->err), SB_E_USAGE);
	sb_store_close(st);
}

#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_can_be_are_lined_up),
		cmocka_unit_test(long_sequences_without_much_in_common_keep_their_order),
		T(products_of_one_op_are_told_apart_and_lined_up),
		T(what_came_and_what_went_does_not_move_the_rest),
		T(files_without_calls_or_rows_are_lined_up_by_less),
		T(sums_alone_give_a_row_for_each_op_of_a_stage),
		T(only_whole_pairs_count),
		T(where_the_whole_does_not_change_there_are_no_shares),
		T(what_cannot_be_lined_up_is_refused),
		T(an_empty_trace_is_refused),
		T(rows_and_sums_are_not_mixed),
		T(two_runs_have_medians_and_no_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
