/* What a calibration found, in every format: made-up figures, and where they stand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "sb_calibration_report.h"

static const double thresholds[SB_GATE_THRESHOLDS] = { 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2 };
static const double effects[SB_GATE_EFFECTS] = { 0.01, 0.02, 0.05 };

/* 1 % needs more than 64 pairs, 2 % 40 and 5 % 12. */
static struct sb_calibrated figures(double threshold)
{
	static const int pairs[SB_GATE_EFFECTS] = { 0, 40, 12 };
	struct sb_calibrated c = { .trials = 2,
		.gate_pairs = 18,
		.threshold = threshold,
		.passes_from = 0.008,
		.full = { .pairs = 32, .p_two = 0.25, .max_pairs = 64, .passes_from = 0.004, .smallest = 0.0125 } };

	for (int i = 0; i < SB_GATE_EFFECTS; i++) {
		c.full.need[i].effect = effects[i];
		c.full.need[i].pairs = pairs[i];
		c.full.need[i].found = 0.5;
	}
	for (int i = 0; i < SB_GATE_THRESHOLDS; i++) {
		c.full.at[i].threshold = thresholds[i];
		c.full.at[i].false_alarm = 0.001 * i;
		c.full.at[i].false_alarm_upper = 0.002 * i;
		c.full.at[i].pass = 0.1 * i;
	}
	return c;
}

/* To be freed. */
static char *written(int format)
{
	struct sb_pair_table table = {
		.run_id = "0123456789abcdef", .side = { { .levels = "x=y", .build_id = "b" } }, .pairs = 32, .trials = 2
	};
	const struct sb_calibration_row rows[] = { { "wall_ns", "total", figures(0.02) },
		{ "stage_ns:a|b", "a|b\033[31m", figures(NAN) } };
	const struct sb_calibration_report r = { &table, 18, 60.0, rows, 2 };
	struct sb_error err = { .msg = "" };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	if (sb_calibration_report(&r, format, out, &err))
		fail_msg("%s", err.msg);
	fclose(out);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s'", part);
}

static void people_read_thresholds_effects_and_rates(void **state)
{
	char *text = written(0);

	(void)state;
	assert_has(text, "32 pairs of one build against itself, 2 trials a process, run 0123456789ab\n");
	assert_has(text, "18 pairs fit into a gate of 60 s\n");
	assert_has(text, "\ntotal                        0.250        2 %    1.25 %          -      40      12\n");
	assert_has(text, "      none    1.25 %");
	assert_has(text,
	        "\ntotal                        0.0/0    0.1/10    0.2/20    0.3/30    0.4/40    0.5/50    0.6/60\n");
	assert_null(strchr(text, '\033'));
	free(text);
}

static void markdown_has_two_tables(void **state)
{
	char *text = written(1);

	(void)state;
	assert_has(text, "\n| total | 0.250 | 2 % | 1.25 % | - | 40 | 12 |\n");
	assert_has(text, "\n| total | 0.0/0 | 0.1/10 | 0.2/20 | 0.3/30 | 0.4/40 | 0.5/50 | 0.6/60 |\n");
	assert_has(text, "a\\|b");
	assert_null(strchr(text, '\033'));
	free(text);
}

static void csv_has_a_line_for_each_metric_and_threshold(void **state)
{
	char *text = written(2);
	int lines = 0, commas = 0;

	(void)state;
	for (const char *c = text; *c; c++) {
		lines += *c == '\n';
		commas += *c == ',';
	}
	assert_int_equal(lines, 1 + 2 * SB_GATE_THRESHOLDS);
	assert_int_equal(commas, 14 * lines);
	assert_has(text, "wall_ns,32,2,0.25,18,0.02,0.0125,,40,12,0.01,0.001,0.002,0.1");
	assert_has(text, ",32,2,0.25,18,,0.0125,,40,12,0.01,"); /* no threshold */
	free(text);
}

static void json_has_nulls_where_nothing_is_known(void **state)
{
	char *text = written(3);
	json_t *j = json_loads(text, 0, NULL), *row, *need;

	(void)state;
	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "format")), "spabench-calibration");
	assert_int_equal(json_integer_value(json_object_get(j, "gate_pairs")), 18);
	assert_int_equal(json_array_size(json_object_get(j, "metrics")), 2);
	row = json_array_get(json_object_get(j, "metrics"), 0);
	need = json_object_get(row, "need");
	assert_true(json_is_null(json_object_get(json_array_get(need, 0), "pairs")));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(need, 1), "pairs")), 40);
	assert_int_equal(json_array_size(json_object_get(row, "at")), SB_GATE_THRESHOLDS);
	assert_true(json_number_value(json_object_get(row, "smallest")) == 0.0125);
	row = json_array_get(json_object_get(j, "metrics"), 1);
	assert_true(json_is_null(json_object_get(row, "gate_threshold")));
	json_decref(j);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(people_read_thresholds_effects_and_rates),
		cmocka_unit_test(markdown_has_two_tables),
		cmocka_unit_test(csv_has_a_line_for_each_metric_and_threshold),
		cmocka_unit_test(json_has_nulls_where_nothing_is_known),
	};

	return cmocka_run_group_tests_name("calibration report", tests, NULL, NULL);
}
