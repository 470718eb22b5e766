/* JUnit's XML and what GitHub Actions shows: what is in them, and that no name breaks out of either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scratch_folder.h"
#include "sb_ci.h"

/* Names that somebody might put into a database. */
static const char *const hostile[] = {
	"<script>alert(1)</script>",
	"]]>",
	"a & b \"quoted\" 'twice'",
	"\x01\x02\x1b[31mred\x1b[0m\r\nsecond line",
	"broken \xff\xfe utf-8 \xc3",
	"not characters: \xef\xbf\xbe \xef\xbf\xbf",
	"\xe5\xad\x97 \xf0\x9f\x98\x80 na\xc3\xafve",
	"| table | `code` @somebody #1 http://x",
	"::error::injected\n::warning::also",
	"100 %, 50 %25: done",
	"-->",
	"&#0; &bomb;",
};

/* A report of n cases of every outcome with these names, one fact each. */
static void make(struct sb_ci_report *r, const char *const *names, size_t n)
{
	sb_ci_begin(r, "spabench gate", INT64_C(1767225600000000000), 12.3456, "runner-1");
	sb_ci_set_verdict(r, SB_CI_FAILED, "1 metric of 3 is slower");
	for (size_t i = 0; i < n; i++) {
		sb_ci_add_fact(r, names[i], names[i]);
		sb_ci_add_case(r, names[i], names[i], SB_CI_PASSED, "pass", names[i]);
		sb_ci_add_case(r, names[i], names[i], SB_CI_FAILED, "fail", names[i]);
		sb_ci_add_case(r, names[i], names[i], SB_CI_OPEN, "inconclusive", names[i]);
	}
}

typedef enum sb_status render(const struct sb_ci_report *r, FILE *out, struct sb_error *err);

/* To be freed. */
static char *rendered(render *f, const struct sb_ci_report *r)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct sb_error err;

	assert_non_null(out);
	if (f(r, out, &err))
		fail_msg("%s", err.msg);
	fclose(out);
	if (!text)
		abort();
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part ? part : "", text ? text : "");
}

static int count(const char *text, const char *part)
{
	int n = 0;

	for (const char *s = text; (s = strstr(s, part)) != NULL; s += strlen(part))
		n++;
	return n;
}

/* Only what may stand in XML, in a terminal and in a log: no control character but the end of a line, and UTF-8. */
static void assert_clean(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	for (char *s = copy; *s; s++) {
		assert_true((unsigned char)*s >= ' ' || *s == '\n');
		if (*s == '\n')
			*s = ' ';
	}
	assert_true(sb_is_utf8(copy));
	free(copy);
}

/* ---- JUnit ------------------------------------------------------------------------------------------------------- */

static void junit_counts_its_cases(void **state)
{
	static const char *const names[] = { "wall" };
	struct sb_ci_report r;
	char *xml;

	(void)state;
	make(&r, names, 1);
	xml = rendered(sb_ci_junit, &r);
	assert_has(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
	assert_has(xml, "<testsuite name=\"spabench gate\" timestamp=\"2026-01-01T00:00:00\" hostname=\"runner-1\" "
	                "tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"12.346\"");
	assert_has(xml, "<testcase name=\"wall\" classname=\"wall\" time=\"0.000\"/>");
	assert_has(xml, "<failure message=\"fail: wall\" type=\"fail\">wall</failure>");
	assert_has(xml, "<skipped message=\"inconclusive: wall\"/>");
	assert_has(xml, "<system-out>1 metric of 3 is slower\nwall: pass: wall</system-out>");
	free(xml);
	sb_ci_release(&r);
}

static void no_name_breaks_out_of_junit(void **state)
{
	struct sb_ci_report r;
	char *xml;

	(void)state;
	make(&r, hostile, SB_ARRAY_LEN(hostile));
	xml = rendered(sb_ci_junit, &r);
	assert_clean(xml);
	assert_null(strstr(xml, "<script"));
	assert_null(strstr(xml, "]]>"));
	assert_null(strstr(xml, "-->"));
	assert_null(strstr(xml, "\xef\xbf\xbe"));
	assert_has(xml, "&lt;script&gt;alert(1)&lt;/script&gt;");
	assert_has(xml, "a &amp; b &quot;quoted&quot; &apos;twice&apos;");
	assert_has(xml, "\\x1b[31mred");
	assert_has(xml, "\\xff\\xfe");
	assert_has(xml, "\xe5\xad\x97 \xf0\x9f\x98\x80 na\xc3\xafve");
	assert_int_equal(count(xml, "<testcase "), 3 * SB_ARRAY_LEN(hostile));
	free(xml);
	sb_ci_release(&r);
}

static bool validates(const char *xml)
{
	char path[512], command[1200];
	FILE *out;

	snprintf(path, sizeof(path), "%s/junit.xml", folder);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs(xml, out) >= 0);
	assert_int_equal(fclose(out), 0);
	snprintf(command, sizeof(command), "xmllint --noout --nonet --schema data/junit.xsd '%s' >'%s/said' 2>&1", path,
	        folder);
	return system(command) == 0;
}

/* By a program that is not ours; the schema must be able to say no. */
static void junit_is_valid_by_its_schema(void **state)
{
	struct sb_ci_report r;
	char *xml, *cut;

	(void)state;
	if (system("xmllint --version >/dev/null 2>&1") != 0) {
		print_message("skipped: no xmllint (libxml2-utils) on this machine\n");
		skip();
	}
	for (size_t n = 0; n <= SB_ARRAY_LEN(hostile); n += SB_ARRAY_LEN(hostile)) {
		make(&r, hostile, n);
		r.seconds = n ? -1.0 : 1e300 * 1e300;
		xml = rendered(sb_ci_junit, &r);
		if (!validates(xml))
			fail_msg("not valid:\n%s", xml ? xml : "");
		cut = strstr(xml, "hostname=");
		assert_non_null(cut);
		memcpy(cut, "hostnome=", 9);
		assert_false(validates(xml));
		free(xml);
		sb_ci_release(&r);
	}
}

/* ---- GitHub ------------------------------------------------------------------------------------------------------ */

static void annotations_are_a_line_each(void **state)
{
	static const char *const names[] = { "wall", "50 %: memory, peak" };
	struct sb_ci_report r;
	char *text;

	(void)state;
	make(&r, names, 2);
	sb_ci_add_case(&r, "claims", "nobody looked", SB_CI_OPEN, "not tested", "no arm")->notable = false;
	text = rendered(sb_ci_github_annotations, &r);
	assert_string_equal(text, "::error title=spabench gate::wall: wall: fail: wall\n"
	                          "::error title=spabench gate::50 %25: memory, peak: 50 %25: memory, peak: fail: 50 "
	                          "%25: memory, peak\n"
	                          "::warning title=spabench gate::wall: wall: inconclusive: wall\n"
	                          "::warning title=spabench gate::50 %25: memory, peak: 50 %25: memory, peak: "
	                          "inconclusive: 50 %25: memory, peak\n");
	free(text);
	sb_ci_release(&r);
}

static void a_title_has_neither_colon_nor_comma(void **state)
{
	struct sb_ci_report r;
	char *text;

	(void)state;
	sb_ci_begin(&r, "a::b,c", 0, 0, NULL);
	sb_ci_add_case(&r, "g", "n", SB_CI_FAILED, NULL, NULL);
	text = rendered(sb_ci_github_annotations, &r);
	assert_string_equal(text, "::error title=a%3A%3Ab%2Cc::g: n: fail\n");
	free(text);
	sb_ci_release(&r);
}

static void no_name_adds_a_line_of_output(void **state)
{
	struct sb_ci_report r;
	char *text;
	int lines = 0;

	(void)state;
	make(&r, hostile, SB_ARRAY_LEN(hostile));
	text = rendered(sb_ci_github_annotations, &r);
	assert_clean(text);
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		assert_true(!strncmp(line, "::error title=spabench gate::", 29) ||
		            !strncmp(line, "::warning title=spabench gate::", 31));
		lines++;
	}
	assert_int_equal(lines, 20); /* ten of a kind, the last of them a count */
	free(text);
	sb_ci_release(&r);
}

static void the_tenth_annotation_counts_the_rest(void **state)
{
	struct sb_ci_report r;
	char *text;

	(void)state;
	for (int n = 10; n <= 11; n++) {
		sb_ci_begin(&r, "spabench gate", 0, 0, NULL);
		for (int i = 0; i < n; i++)
			sb_ci_add_case(&r, "g", "n", SB_CI_FAILED, "fail", NULL);
		text = rendered(sb_ci_github_annotations, &r);
		assert_int_equal(count(text, "\n"), 10);
		assert_int_equal(count(text, "::and 2 more, see the summary"), n == 11);
		free(text);
		sb_ci_release(&r);
	}
}

static void the_summary_begins_with_what_failed(void **state)
{
	static const char *const names[] = { "wall" };
	struct sb_ci_report r;
	char *text;

	(void)state;
	make(&r, names, 1);
	text = rendered(sb_ci_github_summary, &r);
	assert_has(text, "### spabench gate: fail\n\n**Verdict:** 1 metric of 3 is slower\n");
	assert_has(text, "|---|---|---|---|\n| **fail** | wall | wall | wall |\n| inconclusive | wall |");
	assert_has(text, "| pass | wall |");
	assert_has(text, "\n- **wall:** wall\n");
	free(text);
	sb_ci_release(&r);
}

static void no_name_breaks_out_of_the_summary(void **state)
{
	struct sb_ci_report r;
	char *text;

	(void)state;
	make(&r, hostile, SB_ARRAY_LEN(hostile));
	text = rendered(sb_ci_github_summary, &r);
	assert_clean(text);
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "@somebody"));
	assert_null(strstr(text, "\n::"));
	/* four cells a row whatever is in them: five bars that are not escaped */
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int bars = 0;

		for (const char *s = line; *line == '|' && *s; s++)
			bars += *s == '|' && (s == line || s[-1] != '\\');
		assert_true(bars == 0 || bars == 5);
	}
	free(text);
	sb_ci_release(&r);
}

static void a_long_summary_counts_what_it_leaves_out(void **state)
{
	struct sb_ci_report r;
	char *text;

	(void)state;
	sb_ci_begin(&r, "spabench gate", 0, 0, NULL);
	for (int i = 0; i < SB_CI_SUMMARY_CASES + 50; i++)
		sb_ci_add_case(&r, "g", "n", i < 3 ? SB_CI_PASSED : SB_CI_FAILED, NULL, NULL);
	text = rendered(sb_ci_github_summary, &r);
	assert_int_equal(count(text, "| **fail** |"), SB_CI_SUMMARY_CASES);
	assert_int_equal(count(text, "| pass |"), 0);
	assert_has(text, "\nand 50 more.\n");
	free(text);
	sb_ci_release(&r);
}

static void memory_that_ran_out_is_no_document(void **state)
{
	struct sb_ci_report r;
	struct sb_error err;
	FILE *out = tmpfile();

	(void)state;
	assert_non_null(out);
	sb_ci_begin(&r, "spabench gate", 0, 0, NULL);
	r.failed = true;
	assert_int_equal(sb_ci_junit(&r, out, &err), SB_E_NOMEM);
	assert_int_equal(sb_ci_github_summary(&r, out, &err), SB_E_NOMEM);
	assert_int_equal(sb_ci_github_annotations(&r, out, &err), SB_E_NOMEM);
	assert_int_equal(ftell(out), 0);
	fclose(out);
	sb_ci_release(&r);
}

/* ---- a gate ------------------------------------------------------------------------------------------------------ */

static void a_gate_is_a_case_for_each_metric(void **state)
{
	struct sb_pair_row pairs[] = {
		{ .metric = "wall_ns",
		        .label = "total",
		        .unit = SB_UNIT_TIME,
		        .median_a = 100e6,
		        .median_b = 103e6,
		        .hodges_lehmann = { sb_value_of(1.03), 1.025, 1.035, true, 16 },
		        .flaws = { .drifts = true },
		        .cautions = SB_CAUTION_DRIFTING },
		{ .metric = "stage.x_ns",
		        .label = "x|y",
		        .unit = SB_UNIT_TIME,
		        .median_a = 10e6,
		        .median_b = 10e6,
		        .hodges_lehmann = { sb_value_of(1.0), 0.98, 1.02, true, 16 } },
		{ .metric = "memory.reserved_peak_bytes",
		        .label = "peak reserved",
		        .unit = SB_UNIT_BYTES,
		        .exact = true,
		        .median_a = 1048576,
		        .median_b = 1048576 },
	};
	struct sb_pair_table table = { .run_id = "cafe",
		.side = { { .arm = "A/after", .build_id = "b1" },
		        { .arm = "B/after", .build_id = "b2", .plant = 0.02 } },
		.pairs = 16,
		.dropped = 1,
		.rows = pairs,
		.n_rows = SB_ARRAY_LEN(pairs) };
	struct sb_gate_row rows[] = {
		{ .metric = "wall_ns",
		        .label = "total",
		        .threshold = 0.01,
		        .threshold_from = "calibration",
		        .verdict = SB_GATE_FAIL,
		        .pairs = 16 },
		{ .metric = "stage.x_ns",
		        .label = "x|y",
		        .threshold = 0.01,
		        .threshold_from = "default",
		        .verdict = SB_GATE_OPEN,
		        .pairs = 16,
		        .seen = 0.02,
		        .reason = "the budget is spent" },
		{ .metric = "memory.reserved_peak_bytes",
		        .label = "peak reserved",
		        .exact = true,
		        .threshold_from = "default",
		        .verdict = SB_GATE_PASS,
		        .pairs = 16 },
	};
	struct sb_gate_result result = { .rows = rows,
		.n_rows = SB_ARRAY_LEN(rows),
		.verdict = SB_GATE_FAIL,
		.lost = { 1, 0 },
		.lost_of = 17,
		.lost_verdict = SB_GATE_PASS,
		.stopped = "the budget is spent" };
	const struct sb_gate_report gate = { .result = &result,
		.table = &table,
		.baseline = "main",
		.machine = "device NVIDIA H200",
		.elapsed_s = 42.5 };
	struct sb_ci_report r;
	char *text;

	(void)state;
	sb_ci_of_gate(&r, &gate, 0, "runner-1");
	assert_int_equal(r.outcome, SB_CI_FAILED);
	text = rendered(sb_ci_junit, &r);
	assert_has(text, "tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"42.500\"");
	assert_has(text, "processes that end well: pass: in 1 of 17 pairs the process of A did not, in 0 that of B\n");
	assert_has(text,
	        "<testcase name=\"total\" classname=\"against main\" time=\"0.000\">\n      <failure message=\"fail: "
	        "100.0 ms -&gt; 103.0 ms, x 1.0300 (1.0250..1.0350), threshold 1 % (calibration), 16 pairs; "
	        "drifting\" type=\"fail\">");
	assert_has(text, "<skipped message=\"inconclusive: the budget is spent; 10.00 ms -&gt; 10.00 ms, x 1.0000 "
	                 "(0.9800..1.0200), threshold 1 % (default), 16 pairs; it may be slower by up to 2.00 %\"/>");
	assert_has(text, "peak reserved: pass: 1.000 MiB -&gt; 1.000 MiB, threshold 0 % (default), 16 pairs<");
	assert_has(text, "<property name=\"B\" value=\"B/after, build b2, made 2 % slower for a test\"/>");
	assert_has(text, "<property name=\"pairs that did not end well\" value=\"1\"/>");
	free(text);
	text = rendered(sb_ci_github_annotations, &r);
	assert_int_equal(count(text, "::error title=spabench gate::against main: total: fail: "), 1);
	assert_int_equal(count(text, "::warning title=spabench gate::against main: x|y: inconclusive: "), 1);
	assert_int_equal(count(text, "\n"), 2);
	free(text);
	sb_ci_release(&r);
}

/* ---- claims ------------------------------------------------------------------------------------------------------ */

static void claims_that_are_not_met_fail_and_untested_ones_are_no_news(void **state)
{
	struct sb_summary_claim claims[] = {
		{ .label = "total time",
		        .stated = "20-30 % less",
		        .expected = "0.700..0.800",
		        .before = "before",
		        .after = "after",
		        .unit = SB_UNIT_RATIO,
		        .effect = { sb_value_of(0.9), 0.88, 0.92, true, 8 },
		        .verdict = SB_VERDICT_NOT_MET,
		        .where = "on the CPU",
		        .behind = "on the CPU" },
		{ .label = "fragmentation",
		        .stated = "none",
		        .expected = "below 5 %",
		        .after = "after",
		        .unit = SB_UNIT_PERCENT,
		        .effect = { sb_value_of(0.04), 0.03, 0.06, true, 1 },
		        .verdict = SB_VERDICT_INCONCLUSIVE },
		{ .label = "quality",
		        .stated = "same",
		        .expected = "below 1 px",
		        .effect.estimate = sb_value_absent("no arm"),
		        .verdict = SB_VERDICT_NOT_TESTED,
		        .reason = "needs arm before" },
		{ .label = "attention VRAM",
		        .stated = "30-50 % less",
		        .expected = "0.5..0.7",
		        .unit = SB_UNIT_RATIO,
		        .effect = { sb_value_of(0.6), 0, 0, false, 1 },
		        .verdict = SB_VERDICT_MET },
	};
	struct sb_summary s = {
		.run_id = "abcd", .status = "complete", .claims = claims, .n_claims = SB_ARRAY_LEN(claims)
	};
	struct sb_ci_report r;
	char *text;

	(void)state;
	sb_ci_of_claims(&r, &s);
	assert_int_equal(r.outcome, SB_CI_FAILED);
	assert_string_equal(r.verdict, "of 4 claims 1 met or exceeded, 1 not met, 1 inconclusive, 1 not tested");
	text = rendered(sb_ci_github_annotations, &r);
	assert_string_equal(text,
	        "::error title=spabench compare::claims: total time: not met: claimed 20-30 %25 less, expected "
	        "0.700..0.800; measured 0.900 (0.880..0.920), 8 pairs; before -> after; on the CPU\n"
	        "::warning title=spabench compare::claims: fragmentation: inconclusive: claimed none, expected below 5 "
	        "%25; measured 4.00 %25 (3.00..6.00), 1 pair\n");
	free(text);
	text = rendered(sb_ci_junit, &r);
	assert_has(text, "hostname=\"localhost\" tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"2\"");
	assert_has(text, "<skipped message=\"not tested: needs arm before; claimed same, expected below 1 px\"/>");
	assert_has(text, "attention VRAM: met: claimed 30-50 % less, expected 0.5..0.7; measured 0.600, 1 pair<");
	free(text);
	sb_ci_release(&r);
	claims[0].verdict = SB_VERDICT_MET_OR_EXCEEDED;
	sb_ci_of_claims(&r, &s);
	assert_int_equal(r.outcome, SB_CI_OPEN);
	sb_ci_release(&r);
	claims[1].verdict = SB_VERDICT_EXCEEDED;
	sb_ci_of_claims(&r, &s);
	assert_int_equal(r.outcome, SB_CI_PASSED);
	sb_ci_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(junit_counts_its_cases),
		cmocka_unit_test(no_name_breaks_out_of_junit),
		cmocka_unit_test_setup_teardown(junit_is_valid_by_its_schema, folder_make, folder_remove),
		cmocka_unit_test(annotations_are_a_line_each),
		cmocka_unit_test(a_title_has_neither_colon_nor_comma),
		cmocka_unit_test(no_name_adds_a_line_of_output),
		cmocka_unit_test(the_tenth_annotation_counts_the_rest),
		cmocka_unit_test(the_summary_begins_with_what_failed),
		cmocka_unit_test(no_name_breaks_out_of_the_summary),
		cmocka_unit_test(a_long_summary_counts_what_it_leaves_out),
		cmocka_unit_test(a_gate_is_a_case_for_each_metric),
		cmocka_unit_test(claims_that_are_not_met_fail_and_untested_ones_are_no_news),
		cmocka_unit_test(memory_that_ran_out_is_no_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
