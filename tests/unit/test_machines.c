/* The same arms on several machines: what is set beside what, and what differs between machines. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sb_gate.h"
#include "sb_machines_report.h"
#include "store_fixture.h"

#define assert_ok(f, call)                            \
	do {                                          \
		if (call)                             \
			fail_msg("%s", (f)->err.msg); \
	} while (0)

#define assert_near(a, b) assert_true(fabs((a) - (b)) <= 1e-9 * (1 + fabs(b)))

struct spec {
	const char *host, *uuid, *group;
	double before, after; /* wall, ms; blocks are 1 % apart */
	const char *preset;   /* NULL: tiny */
	const char *build;    /* NULL: b1 */
	const char *clip;     /* path of the clip */
	const char *digest;   /* of the clip; NULL: the usual */
	bool running;
};

static struct sb_store *open_db(struct fixture *f, enum sb_store_mode mode)
{
	struct sb_store *st = NULL;

	assert_ok(f, sb_store_open(f->db, mode, &st, &f->err));
	return st;
}

/* Runs with ids 00.., 01.., of 8 blocks. */
static void make(struct fixture *f, const struct spec *specs, size_t n)
{
	static const char *const names[] = { "before", "after" };
	static const char *const levels[] = {
		"precision.gemm=fp32,precision.conv=fp32,precision.attention=fp32,attention=standard,alloc=default",
		"precision.gemm=tf32,precision.conv=tf32,precision.attention=fp32,attention=efficient,alloc=expandable"
	};
	struct sb_store *st = open_db(f, SB_STORE_WRITE);

	for (size_t i = 0; i < n; i++) {
		const struct spec *s = &specs[i];
		const struct sb_fact facts[] = { { "host.name", s->host, NULL }, { "device.name", "NVIDIA H200", NULL },
			{ "device.kind", "cuda", NULL }, { "blocks", "8", NULL }, { "emulated", "", NULL },
			{ "group.id", s->group, NULL } };
		char id[33], params[128];
		const struct sb_run_row r = { .id = id,
			.command = "spabench run",
			.plan = "{}",
			.facts = facts,
			.n_facts = SB_ARRAY_LEN(facts) - !s->group };
		const struct sb_case_row c = { "tracker", s->preset ? s->preset : "tiny", params,
			s->digest ? s->digest : "0123456789abcdef", "synthetic", NULL };
		const struct sb_worker_row w = { "/bin/spabench", s->build ? s->build : "b1", 7, "timing",
			"NVIDIA H200", s->uuid, 5 };
		int64_t run, worker;

		snprintf(id, sizeof(id), "%02zu000000000000000000000000000000", i);
		snprintf(params, sizeof(params), "{\"clip\":\"%s\",\"frames\":4,\"width\":252,\"height\":140}",
		        s->clip ? s->clip : "a.mp4");
		assert_ok(f, sb_store_begin_run(st, &r, &c, names, levels, 2, &run, &f->err));
		assert_ok(f, sb_store_add_worker(st, run, &w, &worker, &f->err));
		for (int t = 0; t < 16; t++) {
			double wall = (t % 2 ? s->after : s->before) * 1e6 * (1 + 0.01 * (t / 2));
			const struct sb_sample samples[] = { { "wall_ns", sb_value_of(wall) },
				{ "memory.reserved_peak_bytes", sb_value_of(t % 2 ? 1048576 : 2097152) } };
			const struct sb_trial_row row = { .worker = worker,
				.arm = t % 2,
				.block = t / 2,
				.kind = "timing",
				.outcome = "ok",
				.samples = samples,
				.n_samples = 2 };

			assert_ok(f, sb_store_add_trial(st, run, &row, &f->err));
		}
		if (!s->running)
			assert_ok(f, sb_store_end_run(st, run, "complete", &f->err));
	}
	sb_store_close(st);
}

/* Of the run whose id begins with `ref`. */
static enum sb_status build(struct fixture *f, const char *ref, struct sb_machines *out)
{
	struct sb_store *st = open_db(f, SB_STORE_READ);
	enum sb_status status;
	int64_t key;

	assert_ok(f, sb_store_find_run(st, ref, &key, &f->err));
	status = sb_machines_build(st, key, NULL, out, &f->err);
	sb_store_close(st);
	return status;
}

static const struct sb_machines_row *row(const struct sb_machines *m, const char *metric)
{
	for (size_t i = 0; i < m->n_rows; i++)
		if (!strcmp(m->rows[i].metric, metric))
			return &m->rows[i];
	fail_msg("no row '%s'", metric);
	return NULL;
}

static bool has_note(const struct sb_machines *m, const char *part)
{
	for (size_t i = 0; i < m->n_notes; i++)
		if (strstr(m->notes[i], part))
			return true;
	return false;
}

/* ---- the arithmetic ---------------------------------------------------------------------------------------------- */

/*
 * Strength of fabric from four looms: Montgomery, Design and Analysis of Experiments, 8th ed., example 3.11: mean
 * squares 29.73 (looms) and 1.90 (error), so the variance between looms is (29.73 - 1.90) / 4 = 6.96. The interval of
 * the mean is 95.4375 +- t(0.975, 3) sqrt(29.73 / 16), t from a table: 3.182446.
 */
static void looms_differ_as_published(void **state)
{
	static const double loom[4][4] = { { 98, 97, 99, 96 }, { 91, 90, 93, 92 }, { 96, 95, 97, 95 },
		{ 95, 96, 99, 98 } };
	const double *x[] = { loom[0], loom[1], loom[2], loom[3] };
	static const int n[] = { 4, 4, 4, 4 };
	struct sb_interval in;
	double between;
	bool apart;

	(void)state;
	sb_machines_pool(x, n, 4, 0.95, &in, &between, &apart);
	assert_true(apart && in.has_interval);
	assert_int_equal(in.n, 4);
	assert_near(in.mid, 95.4375);
	assert_true(fabs(between * between - 6.958333333) < 1e-8);
	assert_true(fabs(in.hi - in.mid - 3.182446305 * sqrt(29.72916667 / 16)) < 1e-7);
	assert_near(in.hi - in.mid, in.mid - in.lo);
}

static void one_run_a_machine_cannot_tell_runs_from_machines(void **state)
{
	static const double v[] = { 0.1, 0.3, 0.2 };
	const double *x[] = { v, v + 1, v + 2, v };
	int n[] = { 1, 1, 1, 0 };
	struct sb_interval in;
	double between;
	bool apart;

	(void)state;
	sb_machines_pool(x, n, 4, 0.95, &in, &between, &apart);
	assert_false(apart);
	assert_int_equal(in.n, 3);
	assert_near(in.mid, 0.2);
	assert_near(between, 0.1);
	/* t(0.975, 2) = 4.302653 */
	assert_true(fabs(in.hi - 0.2 - 4.302652730 * 0.1 / sqrt(3)) < 1e-8);
	n[1] = n[2] = 0;
	sb_machines_pool(x, n, 4, 0.95, &in, &between, &apart);
	assert_true(!in.has_interval && isnan(between) && in.n == 1);
	n[0] = 0;
	sb_machines_pool(x, n, 4, 0.95, &in, &between, &apart);
	assert_true(!in.has_interval && isnan(between) && isnan(in.mid));
}

/* ---- which runs, which machines ---------------------------------------------------------------------------------- */

static void each_machine_keeps_its_ratio_and_all_have_one(void **state)
{
	static const struct spec specs[] = { { .host = "b", .uuid = "GPU-2", .before = 100, .after = 40 },
		{ .host = "a", .uuid = "GPU-1", .before = 100, .after = 50 },
		{ .host = "c", .before = 120, .after = 60 } };
	struct fixture *f = *state;
	const struct sb_machines_row *r;
	struct sb_machines m;
	double mean = (log(0.5) + log(0.4) + log(0.5)) / 3;

	make(f, specs, 3);
	assert_ok(f, build(f, NULL, &m));
	assert_int_equal(m.n_machines, 3);
	assert_int_equal(m.n_runs, 3);
	assert_string_equal(m.machines[0].label, "a, NVIDIA H200");
	assert_string_equal(m.machines[1].uuid, "GPU-2");
	assert_null(m.machines[2].uuid);
	r = row(&m, "wall_ns");
	assert_near(r->cells[0].effect.estimate.v, 0.5);
	assert_near(r->cells[1].effect.estimate.v, 0.4);
	assert_true(r->cells[1].effect.has_interval);
	assert_near(r->pooled.estimate.v, exp(mean));
	assert_true(r->pooled.has_interval && r->pooled.lo < 0.4 && r->pooled.hi > 0.5);
	assert_near(r->range_ratio.v, 1.25);
	assert_near(r->range_before.v, 1.2);
	assert_near(r->sd_ratio.v, log(1.25) / sqrt(3));
	assert_near(r->cells[2].before.v, 120e6 * 1.035);
	r = row(&m, "memory.reserved_peak_bytes");
	assert_near(r->pooled.lo, 0.5);
	assert_near(r->range_ratio.v, 1.0);
	assert_true(has_note(&m, "one run a machine"));
	assert_false(has_note(&m, "two machines"));
	sb_machines_release(&m);
}

static void runs_of_one_card_are_one_machine(void **state)
{
	/* The second host is the same card in another container. */
	static const struct spec specs[] = { { .host = "a", .uuid = "GPU-1", .before = 100, .after = 50 },
		{ .host = "x7f3", .uuid = "GPU-1", .before = 100, .after = 60 },
		{ .host = "b", .uuid = "GPU-2", .before = 100, .after = 40, .build = "b2" } };
	struct fixture *f = *state;
	const struct sb_machines_row *r;
	struct sb_machines m;
	double half;

	make(f, specs, 3);
	assert_ok(f, build(f, "0000", &m));
	assert_int_equal(m.n_machines, 2);
	assert_int_equal(m.machines[0].n_runs + m.machines[1].n_runs, 3);
	r = row(&m, "wall_ns");
	for (int i = 0; i < 2; i++) {
		if (m.machines[i].n_runs != 2)
			continue;
		assert_near(r->cells[i].effect.estimate.v, sqrt(0.5 * 0.6));
		/* Student's over two runs: t(0.975, 1) = 12.7062 */
		half = 12.7062047362 * fabs(log(0.6 / 0.5)) / 2;
		assert_true(fabs(r->cells[i].effect.hi - sqrt(0.3) * exp(half)) < 1e-6);
	}
	assert_near(r->pooled.estimate.v, sqrt(0.4 * sqrt(0.3)));
	assert_true(m.apart);
	assert_true(has_note(&m, "told from what differs between runs"));
	assert_true(has_note(&m, "two machines"));
	assert_true(has_note(&m, "not all runs are of one build: b1 and b2"));
	sb_machines_release(&m);
}

static void cards_of_one_host_have_names_of_their_own(void **state)
{
	static const struct spec specs[] = { { .host = "a", .uuid = "GPU-000000-aaaaaa", .before = 100, .after = 50 },
		{ .host = "a", .uuid = "GPU-000000-bbbbbb", .before = 100, .after = 50 },
		{ .host = "b", .before = 100, .after = 50 } };
	struct fixture *f = *state;
	struct sb_machines m;

	make(f, specs, 3);
	assert_ok(f, build(f, NULL, &m));
	assert_string_equal(m.machines[0].label, "a, NVIDIA H200 ..aaaaaa");
	assert_string_equal(m.machines[1].label, "a, NVIDIA H200 ..bbbbbb");
	assert_string_equal(m.machines[2].label, "b, NVIDIA H200");
	sb_machines_release(&m);
}

static void what_measures_something_else_is_left_out(void **state)
{
	static const struct spec specs[] = {
		{ .host = "a", .uuid = "GPU-1", .before = 100, .after = 50, .clip = "/home/a/clip.mp4" },
		{ .host = "b", .uuid = "GPU-2", .before = 100, .after = 40, .clip = "/srv/clip.mp4" },
		{ .host = "c", .uuid = "GPU-3", .before = 100, .after = 10, .preset = "small" },
		{ .host = "d", .uuid = "GPU-4", .before = 100, .after = 10, .digest = "ffffffffffffffff" },
		{ .host = "e", .uuid = "GPU-5", .before = 100, .after = 10, .running = true }
	};
	struct fixture *f = *state;
	struct sb_machines m;

	make(f, specs, 5);
	assert_ok(f, build(f, "0000", &m));
	assert_int_equal(m.n_machines, 2);
	assert_int_equal(m.n_other_case, 2);
	assert_near(row(&m, "wall_ns")->pooled.estimate.v, sqrt(0.2));
	assert_true(has_note(&m, "2 runs of this database left out"));
	sb_machines_release(&m);
	assert_int_equal(build(f, "0200", &m), SB_E_USAGE);
	assert_non_null(strstr(f->err.msg, "the 1 run with the arms and case of run 02000000 is of one machine ('c, "));
	assert_non_null(strstr(f->err.msg, "'spabench merge' joins"));
	assert_int_equal(build(f, "0400", &m), SB_E_USAGE);
	assert_non_null(strstr(f->err.msg, "it is not over"));
}

static void a_group_is_set_beside_itself(void **state)
{
	static const struct spec specs[] = {
		{ .host = "a", .uuid = "GPU-1", .group = "g1", .before = 100, .after = 50 },
		{ .host = "a", .uuid = "GPU-2", .group = "g1", .before = 100, .after = 40 },
		{ .host = "a", .uuid = "GPU-1", .group = "g2", .before = 100, .after = 10 },
		{ .host = "a", .uuid = "GPU-2", .group = "g2", .before = 100, .after = 10 },
		{ .host = "b", .uuid = "GPU-3", .before = 100, .after = 10 }
	};
	struct fixture *f = *state;
	struct sb_machines m;

	make(f, specs, 5);
	assert_ok(f, build(f, "0100", &m));
	assert_int_equal(m.n_runs, 2);
	assert_near(row(&m, "wall_ns")->pooled.estimate.v, sqrt(0.2));
	sb_machines_release(&m);
	assert_ok(f, build(f, "0400", &m)); /* none of a group: all that measure the same */
	assert_int_equal(m.n_runs, 5);
	assert_int_equal(m.n_machines, 3);
	sb_machines_release(&m);
}

/* ---- as documents ------------------------------------------------------------------------------------------------ */

typedef enum sb_status render(const struct sb_machines *m, FILE *out, struct sb_error *err);

static char *rendered(struct fixture *f, render *r, const struct sb_machines *m)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_ok(f, r(m, out, &f->err));
	fclose(out);
	if (!text)
		abort();
	return text;
}

static void no_host_breaks_out_of_a_table(void **state)
{
	static const struct spec specs[] = {
		{ .host = "a|<script>\x1b[31m", .uuid = "GPU-1", .before = 100, .after = 50 },
		{ .host = "=2+3,\"q\"\n", .uuid = "GPU-2", .before = 100, .after = 40 }
	};
	static render *const renderers[] = { sb_machines_text, sb_machines_markdown, sb_machines_csv,
		sb_machines_json };
	struct fixture *f = *state;
	struct sb_machines m;

	make(f, specs, 2);
	assert_ok(f, build(f, NULL, &m));
	for (size_t i = 0; i < SB_ARRAY_LEN(renderers); i++) {
		char *text = rendered(f, renderers[i], &m);

		for (const char *s = text; *s; s++)
			assert_true((unsigned char)*s >= ' ' || *s == '\n' || (i == 2 && *s == '\r'));
		assert_true(i != 1 || !strstr(text, "<script"));
		assert_true(i != 2 || strstr(text, "\"'=2+3,\"\"q\"\"\\x0a, NVIDIA H200\""));
		assert_non_null(strstr(text, i < 2 ? "0.447" : "0.4472135"));
		free(text);
	}
	sb_machines_release(&m);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looms_differ_as_published),
		cmocka_unit_test(one_run_a_machine_cannot_tell_runs_from_machines),
		T(each_machine_keeps_its_ratio_and_all_have_one),
		T(runs_of_one_card_are_one_machine),
		T(cards_of_one_host_have_names_of_their_own),
		T(what_measures_something_else_is_left_out),
		T(a_group_is_set_beside_itself),
		T(no_host_breaks_out_of_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
