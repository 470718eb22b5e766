/* The timeline for Perfetto, read back: what nests, what is counted, what a cut leaves, names that are no names. */
#include "sb_file.h"
#include "sb_timeline.h"
#include "sb_trace_events.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

enum { PREPARE, DINO, FNET, GEMM, LINEAR, CALL, EVIL, NAMES };
static char *names[NAMES] = { "front.preprocess", "front.dino", "track.fnet", "gemm<\"float\">", "linear",
	"cuLaunchKernel", "</script>\x01\xff" };
static struct sb_launch launches[] = { { { 3, 2, 1 }, { 128, 1, 1 }, 4096, 64 } };
static struct sb_run_arm arms[] = { { "before", "" }, { "after \"x\"", "" } };
static struct sb_run_worker workers[] = { { .key = 7, .device_name = "NVIDIA H200" } };
static struct sb_run run = {
	.id = "0123456789abcdef0123456789abcdef", .arms = arms, .n_arms = 2, .workers = workers, .n_workers = 1
};
static const struct sb_trial trial = {
	.key = 1, .worker = 7, .arm = 1, .block = 3, .trace = true, .trace_complete = true, .outcome = "ok"
};
static struct sb_rollup rollup[] = { { "front.dino", "linear", "gemm", "gemm<\"float\">", 1, 1, 0 },
	{ "front.dino", "linear", "api", "cuLaunchKernel", 1, 1, 0 } };
static const struct sb_rollups rollups = { .v = rollup, .n = 2 };

/* start, duration, name, stage, op, stream, launch, call, correlation */
static struct sb_trace_row few[] = {
	{ 1000, 500, GEMM, PREPARE, LINEAR, 13, 1, 0, 1 },
	{ 1200, 900, CALL, PREPARE, LINEAR, 0, 0, 0, 2 },
	{ 2000, 1000, GEMM, DINO, LINEAR, 13, 1, 0, 2 },
	{ 2999, 501, EVIL, DINO, LINEAR, 13, 0, 0, 3 },  /* begins before the one before it has ended */
	{ 2100, 3000, GEMM, DINO, LINEAR, 14, 0, 0, 4 }, /* still busy when the next stage begins */
	{ 4001, 250, GEMM, FNET, -1, 13, 0, 0, 5 },
	{ 4001, 250, GEMM, -1, -1, 15, 0, 0, 0 },
	{ 1234567891, 1, GEMM, FNET, -1, 13, 0, 0, 6 },
};

struct made {
	struct sb_trace_events_count count;
	json_t *root, *events;
};

static struct sb_trace_rows rows_of(struct sb_trace_row *v, size_t n)
{
	return (struct sb_trace_rows){
		.v = v, .n = n, .names = names, .n_names = NAMES, .launches = launches, .n_launches = 1
	};
}

static struct sb_trace_events whole(const struct sb_trace_rows *rows)
{
	return (struct sb_trace_events){
		.run = &run, .trial = &trial, .rows = rows, .rollups = &rollups, .to_ns = INT64_MAX
	};
}

static struct made make(const struct sb_trace_events *t)
{
	struct made m;
	struct sb_error err;
	json_error_t why;
	FILE *f = tmpfile();

	assert_non_null(f);
	assert_int_equal(sb_report_trace_events(t, f, &m.count, &err), SB_OK);
	rewind(f);
	m.root = json_loadf(f, JSON_REJECT_DUPLICATES, &why);
	if (!m.root)
		print_error("line %d: %s\n", why.line, why.text);
	assert_non_null(m.root);
	m.events = json_object_get(m.root, "traceEvents");
	assert_true(json_is_array(m.events));
	fclose(f);
	return m;
}

static const char *text(json_t *e, const char *key)
{
	const char *s = json_string_value(json_object_get(e, key));

	return s ? s : "";
}

/* Nanoseconds of a time in microseconds. */
static int64_t ns(json_t *e, const char *key)
{
	return llround(json_number_value(json_object_get(e, key)) * 1000.0);
}

static int64_t tid(json_t *e)
{
	return json_integer_value(json_object_get(e, "tid"));
}

/* Events in the order of the file, of one track: what Perfetto wants of slices. */
static size_t count_slices(const struct made *m, const char *category)
{
	size_t i, n = 0;
	json_t *e;

	json_array_foreach(m->events, i, e) n += !strcmp(text(e, "ph"), "X") && !strcmp(text(e, "cat"), category);
	return n;
}

/* Two slices of a track are apart, or one holds the other. In O(n^2) over one track. */
static void assert_nested(const struct made *m)
{
	size_t i, k;
	json_t *a, *b;

	json_array_foreach(m->events, i, a)
	{
		json_array_foreach(m->events, k, b)
		{
			int64_t sa = ns(a, "ts"), sb = ns(b, "ts"), ea = sa + ns(a, "dur"), eb = sb + ns(b, "dur");

			if (k <= i || strcmp(text(a, "ph"), "X") || strcmp(text(b, "ph"), "X") || tid(a) != tid(b))
				continue;
			assert_true(ea <= sb || eb <= sa || (sa <= sb && eb <= ea) || (sb <= sa && ea <= eb));
		}
	}
}

/* Every track is named once, and no slice is on a track without a name. */
static void assert_named(const struct made *m)
{
	size_t i, k;
	json_t *e, *o;

	json_array_foreach(m->events, i, e)
	{
		int found = 0;

		if (strcmp(text(e, "ph"), "X") != 0)
			continue;
		json_array_foreach(m->events, k, o) found +=
		        !strcmp(text(o, "name"), "thread_name") && tid(o) == tid(e);
		assert_int_equal(found, 1);
	}
}

static json_t *slice(const struct made *m, const char *category, const char *name, int nth)
{
	size_t i;
	json_t *e;

	json_array_foreach(m->events, i,
	        e) if (!strcmp(text(e, "cat"), category) && !strcmp(text(e, "name"), name) && nth-- == 0) return e;
	fail_msg("no slice '%s'", name);
	return NULL;
}

static void whole_trial(void **state)
{
	struct sb_trace_rows rows = rows_of(few, SB_ARRAY_LEN(few));
	struct sb_trace_events t = whole(&rows);
	struct made m = make(&t);
	json_t *e, *args;

	(void)state;
	assert_int_equal(m.count.activities, 7);
	assert_int_equal(m.count.calls, 1);
	assert_int_equal(count_slices(&m, "device"), 7);
	assert_int_equal(count_slices(&m, "call"), 1);
	assert_int_equal(count_slices(&m, "stage"), m.count.stages);
	assert_nested(&m);
	assert_named(&m);
	e = slice(&m, "device", "gemm<\"float\">", 0);
	args = json_object_get(e, "args");
	assert_int_equal(ns(e, "ts"), 1000);
	assert_int_equal(ns(e, "dur"), 500);
	assert_string_equal(text(args, "stage"), "front.preprocess");
	assert_string_equal(text(args, "op"), "linear");
	assert_int_equal(json_integer_value(json_array_get(json_object_get(args, "grid"), 1)), 2);
	assert_int_equal(json_integer_value(json_object_get(args, "registers")), 64);
	/* bytes that are no text are seen, and close no string */
	assert_non_null(slice(&m, "device", "</script>\\x01\\xff", 0));
	json_decref(m.root);
}

static void stages_nest(void **state)
{
	struct sb_trace_rows rows = rows_of(few, SB_ARRAY_LEN(few));
	struct sb_trace_events t = whole(&rows);
	struct made m = make(&t);
	json_t *e;

	(void)state;
	assert_int_equal(m.count.stages, 5); /* three, and the two parts that they belong to */
	e = slice(&m, "stage", "front.dino", 0);
	assert_int_equal(ns(e, "ts"), 2000);
	assert_int_equal(ns(e, "ts") + ns(e, "dur"), 4001); /* not 5100: track.fnet has begun */
	e = slice(&m, "stage", "front", 0);
	assert_int_equal(ns(e, "ts"), 1000);
	assert_int_equal(ns(e, "ts") + ns(e, "dur"), 4001);
	e = slice(&m, "stage", "track", 0);
	assert_int_equal(ns(e, "ts") + ns(e, "dur"), 1234567892);
	json_decref(m.root);
}

static void cuts(void **state)
{
	struct sb_trace_rows rows = rows_of(few, SB_ARRAY_LEN(few));
	struct sb_trace_events t = whole(&rows);
	struct sb_error err;
	struct made m;

	(void)state;
	t.stage = "front";
	m = make(&t);
	assert_int_equal(m.count.activities + m.count.calls, 5);
	json_decref(m.root);
	t.stage = "fro"; /* no stage, though the beginning of one */
	assert_int_equal(sb_report_trace_events(&t, stderr, &m.count, &err), SB_E_DATA);
	t.stage = NULL;
	t.from_ns = 2000; /* itself within */
	t.to_ns = 4001;   /* itself not */
	m = make(&t);
	assert_int_equal(m.count.activities + m.count.calls, 3);
	json_decref(m.root);
}

static void counters(void **state)
{
	static const unsigned char bytes[] = { 1, 2, 2, 4, /* allocated, active, reserved: units of 512 */
		0, 10, 3,                                  /* alloc after 10 ns, 3 units */
		1, 5, 3 };                                 /* free after 5 ns */
	const struct sb_timeline_row timeline = { bytes, sizeof(bytes), 2, 0 };
	static char *metrics[] = { "sm_mhz" };
	static double values[] = { 1, 1755 };
	static const char *absent[] = { NULL, NULL };
	const struct sb_samples samples = { metrics, 1, 2, values, absent, NULL, 0 };
	struct sb_trace_rows rows = rows_of(few, SB_ARRAY_LEN(few));
	struct sb_trace_events t = whole(&rows);
	struct made m;
	json_t *e, *args = NULL;
	size_t i, n = 0;

	(void)state;
	t.timeline = &timeline;
	t.samples = &samples;
	t.sample_row = 1;
	m = make(&t);
	assert_int_equal(m.count.counters, 5); /* 3 of memory, 2 ends of a line */
	json_array_foreach(m.events, i, e)
	{
		if (strcmp(text(e, "ph"), "C") != 0)
			continue;
		args = json_object_get(e, "args");
		if (!strcmp(text(e, "name"), "memory (bytes)")) {
			static const int64_t at[] = { 0, 10, 15 }, allocated[] = { 1024, 2560, 1024 };

			assert_int_equal(ns(e, "ts"), at[n]);
			assert_int_equal(json_integer_value(json_object_get(args, "allocated")), allocated[n++]);
		} else {
			assert_int_equal(json_integer_value(json_object_get(args, "value")), 1755);
		}
	}
	assert_int_equal(n, 3);
	json_decref(m.root);
}

static void damaged_timeline(void **state)
{
	const struct sb_timeline_row timeline = { "\x09", 1, 1, 0 };
	struct sb_trace_rows rows = rows_of(few, SB_ARRAY_LEN(few));
	struct sb_trace_events t = whole(&rows);
	struct sb_trace_events_count count;
	struct sb_error err;
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	t.timeline = &timeline;
	assert_int_equal(sb_report_trace_events(&t, f, &count, &err), SB_E_DATA);
	fclose(f);
}

/* 100 000 kernels on two streams: at most a second, and what comes back is what went in. */
static void many(void **state)
{
	enum { N = 100000 };
	struct sb_trace_row *v = calloc(N, sizeof(*v));
	struct sb_trace_rows rows;
	struct sb_trace_events t;
	struct sb_trace_events_count count;
	struct sb_error err;
	FILE *f = tmpfile();
	int64_t began, took;

	(void)state;
	assert_non_null(v);
	assert_non_null(f);
	for (int i = 0; i < N; i++)
		v[i] = (struct sb_trace_row){ i * 3000, 2900, GEMM, i / 1000 % 3, LINEAR, 13 + i % 2, 1, 0, i + 1 };
	rows = rows_of(v, N);
	t = whole(&rows);
	began = sb_now_ns();
	assert_int_equal(sb_report_trace_events(&t, f, &count, &err), SB_OK);
	took = sb_now_ns() - began;
	print_message("%d kernels: %.3f s, %ld bytes\n", (int)N, (double)took / 1e9, ftell(f));
	assert_int_equal(count.activities, N);
	assert_in_range(took, 1, getenv("SB_PERF_STRICT") ? 1000000000 : 10000000000);
	fclose(f);
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_trial),
		cmocka_unit_test(stages_nest),
		cmocka_unit_test(cuts),
		cmocka_unit_test(counters),
		cmocka_unit_test(damaged_timeline),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
