/* What a gate says: its sentence names what a verdict rests on, in every format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sb_gate_report.h"

enum { ROWS = 2 };

/* A total that fails and a stage that passes. */
struct made {
	struct sb_pair_row pairs[ROWS];
	struct sb_gate_row rows[ROWS];
	struct sb_pair_table table;
	struct sb_gate_result result;
	struct sb_gate_stored stored;
	struct sb_gate_report report;
};

static void make(struct made *m)
{
	static const char *const metric[ROWS] = { "wall_ns", "stage.x_ns" };
	static const char *const label[ROWS] = { "total", "x" };

	memset(m, 0, sizeof(*m));
	for (int i = 0; i < ROWS; i++) {
		double ratio = i ? 1.0 : 1.03;

		m->pairs[i] = (struct sb_pair_row){ .metric = metric[i],
			.label = label[i],
			.unit = SB_UNIT_TIME,
			.median_a = 1e8,
			.median_b = 1e8 * ratio,
			.hodges_lehmann = { sb_value_of(ratio), ratio - 0.005, ratio + 0.005, true, 16 } };
		m->rows[i] = (struct sb_gate_row){ .threshold = 0.01,
			.threshold_from = "default",
			.verdict = i ? SB_GATE_PASS : SB_GATE_FAIL,
			.pairs = 16 };
		strcpy(m->rows[i].metric, metric[i]);
		strcpy(m->rows[i].label, label[i]);
	}
	m->table = (struct sb_pair_table){ .run_id = "cafe",
		.side = { { .arm = "A/after", .build_id = "b1" }, { .arm = "B/after", .build_id = "b2" } },
		.pairs = 16,
		.rows = m->pairs,
		.n_rows = ROWS };
	m->result = (struct sb_gate_result){ .rows = m->rows,
		.n_rows = ROWS,
		.verdict = SB_GATE_FAIL,
		.lost_verdict = SB_GATE_PASS,
		.stopped = "done" };
	m->stored = (struct sb_gate_stored){ .run_id = "beef", .processes = 8, .history = 5 };
	m->report = (struct sb_gate_report){ .result = &m->result, .table = &m->table, .machine = "device GPU" };
}

static void assert_sentence(const struct made *m, const char *want)
{
	struct sb_buf b = { 0 };

	sb_gate_sentence(&m->report, &b);
	assert_string_equal(sb_buf_str(&b), want);
	sb_buf_release(&b);
}

static void assert_says(const struct made *m, const char *format, const char *want, bool is_there)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct sb_error err;
	int i = 0;

	assert_non_null(out);
	while (strcmp(sb_gate_formats[i], format) != 0)
		i++;
	if (sb_gate_report(&m->report, i, out, &err))
		fail_msg("%s", err.msg);
	fclose(out);
	if ((strstr(text, want) != NULL) != is_there)
		fail_msg("%s: '%s' is %sthere:\n%s", format, want, is_there ? "not " : "", text);
	free(text);
}

static void a_fail_by_the_clock_says_so(void **state)
{
	struct made m;

	(void)state;
	make(&m);
	assert_sentence(
	        &m, "FAIL: total is x 1.0300 (1.0250..1.0350), threshold 1 %. 16 pairs of processes in 0 s; done");
	m.pairs[1].cautions = SB_CAUTION_CLOCK; /* of a metric that does not fail: the sentence does not name it */
	assert_sentence(
	        &m, "FAIL: total is x 1.0300 (1.0250..1.0350), threshold 1 %. 16 pairs of processes in 0 s; done");
	m.pairs[0].cautions = SB_CAUTION_CLOCK | SB_CAUTION_THROTTLED;
	assert_sentence(&m,
	        "FAIL: total is x 1.0300 (1.0250..1.0350) by the clock: SM cycles did not change, threshold "
	        "1 %. 16 pairs of processes in 0 s; done");
	m.report.stored = &m.stored;
	assert_sentence(&m,
	        "FAIL: total is x 1.0300 (1.0250..1.0350) by the clock: SM cycles did not change, threshold "
	        "1 %. 16 new processes against 8 stored, in 0 s; done");
}

static void every_format_names_the_cautions_of_a_row(void **state)
{
	struct made m;

	(void)state;
	for (int stored = 0; stored < 2; stored++) {
		make(&m);
		m.report.stored = stored ? &m.stored : NULL;
		assert_says(&m, "text", "throttled", false);
		assert_says(&m, "json", "\"cautions\": []", true);
		m.pairs[1].cautions = SB_CAUTION_THROTTLED | SB_CAUTION_TWO_MODES;
		assert_says(&m, "text", "    throttled, two modes\n", true);
		assert_says(&m, "markdown", "throttled, two modes", true);
		assert_says(&m, "json", "\"two modes\"", true);
		assert_says(&m, "json", "by the clock", false);
		m.pairs[0].cautions = SB_CAUTION_CLOCK;
		assert_says(&m, "text", "by the clock", true);
		assert_says(&m, "markdown", "by the clock", true);
		assert_says(&m, "json", "by the clock", true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fail_by_the_clock_says_so),
		cmocka_unit_test(every_format_names_the_cautions_of_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
