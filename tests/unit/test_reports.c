#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "sb_reports.h"
#include "reports_internal.h"
#include "summary_fixture.h"

/*
 * A run as a CPU would give it: precision emulated, synthetic weights, one arm out of memory, one trial lost, a switch
 * not in effect, no trace trials.
 */
static void cpu_run(struct fixture *fx)
{
	static const char *const facts[] = { "device.name", "cpu", "device.kind", "cpu", "cpu.model", "AMD EPYC 9654",
		"host.name", "runner-7", "emulated", "precision", "blocks", "7", "stop.reason", "budget", "budget_s",
		"60", "effect.precision", "in effect: emulated", "effect.attention",
		"not in effect: a score-sized allocation (12.4 MiB) was made", "software",
		"OpenBLAS 0.3.21; 2 OpenMP threads", NULL, NULL };
	/* before, +precision, +attention, after */
	static const double total[] = { 812.5, 1430, 790, 1402 };

	fx_plan = "{\"memory_limit\":104857600,\"threads\":2}";
	fx_open(fx, "before,+precision,+attention,after", "tracker", "synthetic", facts);
	fx_plan = "{}";
	for (int block = 0; block < 7; block++) {
		for (int a = 0; a < 4; a++) {
			double f = 1 + 0.003 * ((block * 3 + a * 2) % 7 - 3);
			bool crash = a == 1 && block == 2;

			if (a == 3) {
				if (block == 0)
					fx_trial(fx, a, block, FX_TIMING, "oom",
					        "asked 232.5 GiB, held 1.2 GiB, free 12.3 GiB");
				continue;
			}
			fx_add(fx, "wall_ns", total[a] * f * MS);
			fx_add(fx, "stage.front.\xc3\xa9\xe6\x97\xa5\033[31m_ns", 0.3 * total[a] * f * MS);
			fx_add(fx, "stage.a_stage_whose_name_is_much_too_long_for_its_column_ns",
			        0.2 * total[a] * f * MS);
			fx_add(fx, "memory.attention_bytes", (a == 2 ? 1.25 : 12.5) * MIB);
			if (a)
				fx_add(fx, "quality.depth_rel_median", 1e-5);
			fx_trial(fx, a, block, FX_TIMING, crash ? "crashed" : "ok",
			        crash ? "killed by signal 11" : NULL);
		}
	}
}

static void summary_of(void (*make)(struct fixture *), struct sb_summary *s)
{
	struct fixture fx;

	make(&fx);
	fx_summary(&fx, s);
}

static void gpu_run(struct fixture *fx)
{
	fx_gpu_run(fx);
}

/* All that was written to `f`, which is closed; to free(). */
static char *read_back(FILE *f)
{
	long n = ftell(f);
	char *out;

	assert_true(n > 0);
	out = calloc(1, (size_t)n + 1);
	assert_non_null(out);
	rewind(f);
	assert_int_equal(fread(out, 1, (size_t)n, f), n);
	fclose(f);
	return out;
}

static char *text_of(const struct sb_summary *s, const struct sb_text_options *opt)
{
	struct sb_error err;
	FILE *f = tmpfile();

	assert_non_null(f);
	fx_must(sb_report_text(s, f, opt, &err), &err);
	return read_back(f);
}

static json_t *json_of(const struct sb_summary *s)
{
	struct sb_error err;
	json_error_t where;
	FILE *f = tmpfile();
	json_t *root;
	char *out;

	assert_non_null(f);
	fx_must(sb_report_json(s, f, &err), &err);
	out = read_back(f);
	root = json_loads(out, JSON_REJECT_DUPLICATES, &where);
	if (!root)
		fail_msg("line %d: %s", where.line, where.text);
	free(out);
	return root;
}

/* Compare with tests/data/NAME; UPDATE_GOLDEN=1 writes it. */
static void golden(const char *name, const char *text)
{
	char path[128], *expected;
	const char *update = getenv("UPDATE_GOLDEN");
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "data/%s", name);
	if (update && !strcmp(update, "1")) {
		f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
		assert_int_equal(fclose(f), 0);
		return;
	}
	f = fopen(path, "r");
	if (!f)
		fail_msg("no %s; UPDATE_GOLDEN=1 writes it", path);
	expected = calloc(1, 65536);
	n = fread(expected, 1, 65535, f);
	fclose(f);
	if (n != strlen(text) || memcmp(expected, text, n))
		fail_msg("%s differs (UPDATE_GOLDEN=1 rewrites it); now:\n%s", path, text);
	free(expected);
}

static void the_table_of_a_gpu_run_is_the_golden_one(void **state)
{
	struct sb_summary s;
	char *text;

	(void)state;
	summary_of(gpu_run, &s);
	text = text_of(&s, NULL);
	golden("summary_gpu.txt", text);
	free(text);
	sb_summary_release(&s);
}

static void the_table_of_a_cpu_run_with_lost_trials_is_the_golden_one(void **state)
{
	struct sb_summary s;
	char *text;

	(void)state;
	summary_of(cpu_run, &s);
	text = text_of(&s, NULL);
	golden("summary_cpu.txt", text);
	free(text);
	sb_summary_release(&s);
}

static void check_lines(const char *text, int width)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		char line[1024];

		assert_true(n < sizeof(line));
		memcpy(line, text, n);
		line[n] = '\0';
		if (sb_display_width(line) > width)
			fail_msg("%d columns: %s", sb_display_width(line), line);
		if (n && line[n - 1] == ' ')
			fail_msg("blanks at the end: %s", line);
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)line[i] < 0x20)
				fail_msg("control character in: %s", line);
		text += n + (text[n] == '\n');
	}
}

/* Whatever a database may hold as text. */
static void spoil(struct sb_summary *s, const char *with)
{
	s->clip = s->clip_note = s->preset = s->device = s->host = s->status = s->note = s->stop_reason = s->run_id =
	        with;
	s->setting = s->reference = s->accuracy_title = s->trace_to_timing = with;
	s->notes[0] = with;
	s->switches[0].evidence = with;
	for (size_t a = 0; a < s->n_arms; a++)
		s->arms[a].name = with;
	for (size_t g = 0; g < s->n_groups; g++) {
		struct sb_summary_group *group = &s->groups[g];

		group->title = group->before = group->after = group->change = with;
		for (size_t i = 0; i < group->n_notes; i++)
			group->notes[i] = with;
		for (size_t i = 0; i < group->n_rows; i++) {
			group->rows[i].label = with;
			group->rows[i].note = with;
			if (group->rows[i].effect.estimate.absent)
				group->rows[i].effect.estimate.absent = with;
		}
	}
	for (size_t i = 0; i < s->n_claims; i++)
		if (s->claims[i].reason)
			s->claims[i].reason = with;
}

static void no_line_is_wider_than_the_page_whatever_the_names(void **state)
{
	static const char *const names[] = {
		"a",
		"two words",
		"an/arm/with/a/name/as/long/as/a/line/that/nobody/would/type/but/somebody/did/type/it/in/the/end/and/"
		"then/some",
		"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe5\x8b\x95\xe7\x94\xbb\xe3\x83\x95\xe3\x82\xa1\xe3"
		"\x82\xa4"
		"\xe3\x83\xab\xe5\x90\x8d\xe3\x81\xaf\xe9\x95\xb7\xe3\x81\x84\xe3\x81\x93\xe3\x81\xa8\xe3\x81\x8c\xe3"
		"\x81\x82"
		"\xe3\x82\x8b\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe5\x8b\x95\xe7\x94\xbb\xe3\x83\x95\xe3"
		"\x82\xa1",
		"\033]0;title\a\033[2J\r\n\t and \xff\xfe bytes that are no text \xc2\x9b 31m",
		"e\xcc\x81 e\xcc\x81 e\xcc\x81",
	};
	static const int widths[] = { 0, 100, 80, 92, 20, 1000 };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
		for (size_t w = 0; w < SB_ARRAY_LEN(widths); w++) {
			const struct sb_text_options opt = { .width = widths[w] };
			struct sb_summary s;
			char *text;

			summary_of(w % 2 ? gpu_run : cpu_run, &s);
			if (s.n_notes)
				spoil(&s, names[i]);
			text = text_of(&s, &opt);
			check_lines(text, widths[w] >= 80 && widths[w] < 100 ? widths[w] : widths[w] == 20 ? 80 : 100);
			free(text);
			sb_summary_release(&s);
		}
	}
}

static void where_times_were_judged_stands_below_the_verdict(void **state)
{
	static const int widths[] = { 100, 80 };

	(void)state;
	for (size_t w = 0; w < SB_ARRAY_LEN(widths); w++) {
		const struct sb_text_options opt = { .width = widths[w] };
		struct sb_summary s;
		char *text, *line, *below;

		summary_of(gpu_run, &s);
		s.claims[1].where = s.claims[1].behind = "on the CPU";
		text = text_of(&s, &opt);
		check_lines(text, widths[w]);
		line = strstr(text, "attention speed");
		assert_non_null(line);
		below = strchr(line, '\n') + 1;
		below[strcspn(below, "\n")] = '\0';
		below[-1] = '\0';
		/* The line of the claim begins two columns before its label. */
		assert_int_equal(strstr(below, "(on the CPU)") - below, strstr(line, "met") - line + 2);
		free(text);
		sb_summary_release(&s);
	}
}

static void numbers_of_any_size_keep_to_their_columns(void **state)
{
	static const double values[] = { 0, 1e-9, 0.0999999, 1, 999.9999, 1048575.9, 3e11, 9e15, 1e20 };
	struct sb_summary s;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(values); i++) {
		for (size_t k = 0; k < SB_ARRAY_LEN(values); k++) {
			struct sb_summary_row *row;
			char *text;

			summary_of(gpu_run, &s);
			for (size_t r = 0; r < s.groups[0].n_rows; r++) {
				row = &s.groups[0].rows[r];
				row->before = sb_value_of(values[i]);
				row->after = sb_value_of(values[k]);
				row->effect.estimate = sb_value_of(values[i] != 0 ? values[k] / values[i] : values[k]);
				row->effect.lo = 0.9 * row->effect.estimate.v;
				row->effect.hi = 1.1 * row->effect.estimate.v;
				row->flags = 0;
			}
			s.n_groups = 1;
			text = text_of(&s, NULL);
			check_lines(text, 100);
			assert_null(strstr(text, ".. ")); /* a number that was cut is another number */
			assert_null(strstr(text, "..\n"));
			free(text);
			sb_summary_release(&s);
		}
	}
}

/* What does not fit takes from the next column, so that those behind it stand where they were. */
static void a_number_is_never_cut(void **state)
{
	struct sb_page p = { .width = 100 };

	(void)state;
	sb_page_number(&p, "-0.0231 pp", 9, SB_TINT_PLAIN);
	sb_page_number(&p, "-0.031..-0.012", 18, SB_TINT_PLAIN);
	sb_page_number(&p, "9", 6, SB_TINT_PLAIN);
	sb_page_end(&p);
	sb_page_number(&p, "-0.23 pp", 9, SB_TINT_PLAIN);
	sb_page_number(&p, "-0.000031..-0.000012", 18, SB_TINT_PLAIN);
	sb_page_number(&p, "9", 6, SB_TINT_PLAIN);
	sb_page_end(&p);
	assert_string_equal(sb_buf_str(&p.buf), " -0.0231 pp  -0.031..-0.012     9\n"
	                                        " -0.23 pp -0.000031..-0.000012  9\n");
	sb_buf_release(&p.buf);
}

static void heads_of_arms_are_short_and_distinct(void **state)
{
	static const char *const names[] = { "before", "+precision", "+precision+attention", "+attention+alloc",
		"+precision+attention+alloc", "tf32/efficient/default", "+attn+alloc", "tf32/efficient/expandable" };
	static const char *const heads[] = { "before", "+precision", "+prec+attn", "arm 4", "arm 5", "arm 6",
		"+attn+alloc", "arm 8" };
	char got[SB_ARRAY_LEN(names)][SB_ARM_HEAD_MAX];

	(void)state;
	sb_report_arm_heads(names, SB_ARRAY_LEN(names), 11, got);
	for (size_t i = 0; i < SB_ARRAY_LEN(names); i++)
		assert_string_equal(got[i], heads[i]);
	sb_report_arm_heads(names, 4, 10, got);
	assert_string_equal(got[3], "attn+alloc");
	sb_report_arm_heads(names, 2, 9, got);
	assert_string_equal(got[1], "+prec");
	sb_report_arm_heads((const char *const[]){ "+attention+alloc=stitched", "+alloc=stitched" }, 2, 11, got);
	assert_string_equal(got[0], "arm 1");
	assert_string_equal(got[1], "+stitched");
	assert_false(sb_report_arm_is_numbered("arm 4", "arm 4"));
	assert_true(sb_report_arm_is_numbered("+precision+attention+alloc", "arm 5"));
}

/* A head that is a number is explained where the arms are listed. */
static void an_arm_with_a_long_name_is_numbered_in_the_list(void **state)
{
	struct sb_summary s;
	char *text;

	(void)state;
	summary_of(gpu_run, &s);
	s.arms[4].name = s.groups[0].after = "fp32/efficient/default";
	text = text_of(&s, NULL);
	assert_non_null(strstr(text, "+alloc, fp32/efficient/default (arm 5), best\n"));
	assert_non_null(strstr(text, "before       arm 5    ratio"));
	free(text);
	sb_summary_release(&s);
}

static const char *line_with(const char *text, const char *what, char line[512])
{
	const char *at = strstr(text, what), *start = at;

	if (!at)
		fail_msg("no line with '%s' in:\n%s", what, text);
	while (start > text && start[-1] != '\n')
		start--;
	snprintf(line, 512, "%.*s", (int)strcspn(start, "\n"), start);
	return line;
}

static void before_and_after_share_a_unit(void **state)
{
	struct sb_summary s;
	char *text, line[512];

	(void)state;
	summary_of(gpu_run, &s);
	text = text_of(&s, NULL);
	assert_non_null(strstr(line_with(text, "  total ", line), "3.000 s     2.035 s"));
	assert_non_null(strstr(line_with(text, "attention memory", line), "85985 MiB   98.00 MiB"));
	assert_non_null(strstr(line_with(text, "driver calls", line), " 41          12"));
	assert_non_null(strstr(line_with(text, "fragmentation", line), "26.40 %     1.200 % -25.2 pp"));
	assert_non_null(strstr(line_with(text, "depth, median", line), "3.1e-05 %    0.0110 %"));
	free(text);
	sb_summary_release(&s);
}

static void color_comes_only_when_asked_and_only_for_what_is_certain(void **state)
{
	const struct sb_text_options opt = { .color = true };
	struct sb_summary s;
	char *text, line[512];

	(void)state;
	summary_of(gpu_run, &s);
	text = text_of(&s, NULL);
	assert_null(strchr(text, '\033'));
	free(text);
	text = text_of(&s, &opt);
	assert_non_null(strstr(line_with(text, "  total ", line), "\033[32m0."));
	assert_non_null(strstr(line_with(text, "    norm ", line), "\033[33m1."));
	assert_null(strchr(line_with(text, "    weights ", line), '\033'));
	free(text);
	fx_row(&s, 0, "wall_ns");
	s.groups[0].rows[0].effect.lo = 1.01;
	s.groups[0].rows[0].effect.hi = 1.02;
	text = text_of(&s, &opt);
	assert_non_null(strstr(line_with(text, "  total ", line), "\033[31m0."));
	free(text);
	s.groups[0].rows[0].effect.has_interval = false;
	text = text_of(&s, &opt);
	assert_null(strchr(line_with(text, "  total ", line), '\033'));
	free(text);
	sb_summary_release(&s);
	summary_of(cpu_run, &s);
	s.groups[0].rows[0] = s.groups[1].rows[0]; /* +precision: certain, and emulated */
	assert_true(s.groups[0].rows[0].effect.lo > 1);
	text = text_of(&s, &opt);
	assert_null(strchr(line_with(text, "  total ", line), '\033'));
	free(text);
	sb_summary_release(&s);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static const json_t *json_row(const json_t *root, size_t group, const char *metric)
{
	const json_t *rows = json_object_get(json_array_get(json_object_get(root, "groups"), group), "rows");

	for (size_t i = 0; i < json_array_size(rows); i++)
		if (!strcmp(json_string_value(json_object_get(json_array_get(rows, i), "metric")), metric))
			return json_array_get(rows, i);
	fail_msg("no row '%s'", metric);
	return NULL;
}

static void json_has_every_row_in_base_units(void **state)
{
	struct sb_summary s;
	const json_t *row;
	json_t *root;

	(void)state;
	summary_of(gpu_run, &s);
	root = json_of(&s);
	assert_string_equal(json_string_value(json_object_get(root, "format")), "spabench-summary");
	assert_int_equal(json_integer_value(json_object_get(root, "schema_version")), SB_REPORT_JSON_VERSION);
	assert_int_equal(json_array_size(json_object_get(root, "groups")), s.n_groups);
	for (size_t g = 0; g < s.n_groups; g++) {
		for (size_t i = 0; i < s.groups[g].n_rows; i++) {
			const struct sb_summary_row *r = &s.groups[g].rows[i];

			row = json_row(root, g, r->metric);
			if (!r->before.absent)
				assert_true(fabs(json_number_value(json_object_get(row, "before")) - r->before.v) <=
				            1e-12 * fabs(r->before.v));
			else
				assert_string_equal(
				        json_string_value(json_object_get(row, "before_absent")), r->before.absent);
		}
	}
	row = json_row(root, 0, "memory.attention_bytes");
	assert_true(json_is_integer(json_object_get(row, "before")));
	assert_true(json_integer_value(json_object_get(row, "before")) == INT64_C(85985) << 20);
	assert_string_equal(json_string_value(json_object_get(row, "unit")), "bytes");
	assert_true(json_is_true(json_object_get(row, "exact")));
	assert_int_equal(json_integer_value(json_object_get(row, "pairs")), 9);
	row = json_row(root, 0, "sm.cycles"); /* a table only counts it */
	assert_string_equal(json_string_value(json_object_get(row, "section")), "other");
	json_decref(root);
	sb_summary_release(&s);
}

static void json_says_why_a_number_is_null(void **state)
{
	struct sb_summary s;
	const json_t *row, *claim;
	json_t *root;

	(void)state;
	summary_of(cpu_run, &s);
	root = json_of(&s);
	row = json_row(root, 0, "wall_ns");
	assert_true(json_is_null(json_object_get(row, "after")));
	assert_string_equal(json_string_value(json_object_get(row, "after_absent")), "after: out of memory");
	assert_true(json_is_null(json_object_get(row, "lo")));
	assert_string_equal(json_string_value(json_object_get(row, "lo_absent")), "after: out of memory");
	assert_true(json_is_true(json_object_get(row, "emulated")));
	claim = json_array_get(json_object_get(root, "claims"), 3);
	assert_string_equal(json_string_value(json_object_get(claim, "id")), "total_time");
	assert_string_equal(json_string_value(json_object_get(claim, "verdict")), "not tested");
	assert_string_equal(json_string_value(json_object_get(claim, "reason")), "emulated on the CPU");
	json_decref(root);
	sb_summary_release(&s);
}

static void json_keys_come_in_their_order(void **state)
{
	static const char *const keys[] = { "format", "schema_version", "run", "case", "blocks", "arms", "switches",
		"notes", "groups", "effects", "claims", "claims_note" };
	struct sb_summary s;
	json_t *root, *value;
	const char *key;
	size_t i = 0;

	(void)state;
	summary_of(gpu_run, &s);
	root = json_of(&s);
	json_object_foreach(root, key, value)
	{
		assert_true(i < SB_ARRAY_LEN(keys));
		assert_string_equal(key, keys[i++]);
	}
	assert_int_equal(i, SB_ARRAY_LEN(keys));
	json_decref(root);
	sb_summary_release(&s);
}

static void json_survives_bytes_that_are_no_text(void **state)
{
	struct sb_summary s;
	json_t *root;

	(void)state;
	summary_of(gpu_run, &s);
	s.clip = "a\xff\033[31mb";
	root = json_of(&s);
	assert_string_equal(
	        json_string_value(json_object_get(json_object_get(root, "case"), "clip")), "a\\xff\\x1b[31mb");
	json_decref(root);
	sb_summary_release(&s);
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

typedef enum sb_status (*renderer)(const struct sb_summary *s, FILE *out, struct sb_error *err);

static enum sb_status as_text(const struct sb_summary *s, FILE *out, struct sb_error *err)
{
	return sb_report_text(s, out, NULL, err);
}

static void a_report_that_cannot_be_written_is_an_error(void **state)
{
	static const renderer renderers[] = { as_text, sb_report_json };
	static char room[1 << 20];
	struct sb_summary s;

	(void)state;
	summary_of(gpu_run, &s);
	for (size_t i = 0; i < SB_ARRAY_LEN(renderers); i++) {
		struct sb_error err = { .code = SB_OK };
		FILE *f = fopen("/dev/full", "w");
		int ends[2];

		assert_non_null(f);
		setvbuf(f, room, _IOFBF, sizeof(room)); /* the document fits: only the flush can fail */
		assert_int_equal(renderers[i](&s, f, &err), SB_E_DATA);
		assert_non_null(strstr(err.msg, "cannot write the report: No space left"));
		fclose(f);
		signal(SIGPIPE, SIG_IGN);
		assert_int_equal(pipe(ends), 0);
		close(ends[0]);
		f = fdopen(ends[1], "w");
		assert_int_equal(renderers[i](&s, f, &err), SB_E_DATA);
		assert_non_null(strstr(err.msg, "Broken pipe"));
		fclose(f);
		signal(SIGPIPE, SIG_DFL);
	}
	sb_summary_release(&s);
}

static void width_counts_columns_and_not_bytes(void **state)
{
	(void)state;
	assert_int_equal(sb_display_width("abc"), 3);
	assert_int_equal(sb_display_width("\xc3\xa9"), 1);                 /* e acute */
	assert_int_equal(sb_display_width("e\xcc\x81"), 1);                /* e and a combining acute */
	assert_int_equal(sb_display_width("\xe6\x97\xa5\xe6\x9c\xac"), 4); /* two wide characters */
	assert_int_equal(sb_display_width("\xf0\x9f\x98\x80"), 2);         /* an emoji */
	assert_int_equal(sb_display_width("\xff\xc3"), 2);                 /* no text: a column a byte */
	assert_int_equal(sb_display_head("\xe6\x97\xa5\xe6\x9c\xac", 3), 3);
	assert_int_equal(sb_display_head("e\xcc\x81x", 1), 3); /* a mark stays with its letter */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_of_a_gpu_run_is_the_golden_one),
		cmocka_unit_test(the_table_of_a_cpu_run_with_lost_trials_is_the_golden_one),
		cmocka_unit_test(no_line_is_wider_than_the_page_whatever_the_names),
		cmocka_unit_test(where_times_were_judged_stands_below_the_verdict),
		cmocka_unit_test(numbers_of_any_size_keep_to_their_columns),
		cmocka_unit_test(a_number_is_never_cut),
		cmocka_unit_test(heads_of_arms_are_short_and_distinct),
		cmocka_unit_test(an_arm_with_a_long_name_is_numbered_in_the_list),
		cmocka_unit_test(before_and_after_share_a_unit),
		cmocka_unit_test(color_comes_only_when_asked_and_only_for_what_is_certain),
		cmocka_unit_test(json_has_every_row_in_base_units),
		cmocka_unit_test(json_says_why_a_number_is_null),
		cmocka_unit_test(json_keys_come_in_their_order),
		cmocka_unit_test(json_survives_bytes_that_are_no_text),
		cmocka_unit_test(a_report_that_cannot_be_written_is_an_error),
		cmocka_unit_test(width_counts_columns_and_not_bytes),
	};
	return cmocka_run_group_tests_name("reports", tests, NULL, NULL);
}
