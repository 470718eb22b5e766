/* Markdown and CSV of the table, and what list and show print: golden documents, and names nobody should choose. */
#include <setjmp.h>
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

/* Every string of a database at its worst. */
static const char *const hostile[] = {
	"a|b|c",
	"`code` ``` | `",
	"<script>alert(1)</script><!-- x --><img src=x onerror=y>",
	"two\nlines\r\nand | more\n# heading\n- item",
	"she said \"no\", twice",
	"=HYPERLINK(\"http://x\",\"y\")",
	"+cmd|' /C calc'!A0",
	"-2+3",
	"@SUM(1)",
	"\033]0;title\a\033[2J \xc2\x9b"
	"31m \x7f",
	"bytes \xff\xfe that are no text",
	"\\| back\\slash \\",
	"@someone see #1 and http://example.org *bold* _it_ ~~no~~ [x](y) $a$",
	"a name that is longer than any column of any table that this program prints, by quite a lot of characters, "
	"and then some more of them so that nobody can say that it was not long enough to be cut somewhere",
	"/a/path/without/any/blank/that/is/longer/than/the/hundred/columns/of/a/line/and/longer/than/that/and/even/"
	"longer/"
	"than/twice/that/so/that/it/must/be/cut/in/pieces/if/it/is/to/stand/in/a/paragraph/at/all/which/it/should",
	"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac",
	"",
};

/* ---- documents ------------------------------------------------------------------------------------------------- */

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
	assert_int_equal(strlen(out), n);
	return out;
}

typedef enum sb_status (*renderer)(const struct sb_summary *s, FILE *out, struct sb_error *err);

static char *document(renderer render, const struct sb_summary *s)
{
	struct sb_error err;
	FILE *f = tmpfile();

	assert_non_null(f);
	fx_must(render(s, f, &err), &err);
	return read_back(f);
}

/* Compare with tests/data/NAME; UPDATE_GOLDEN=1 writes it. */
static void golden(const char *name, const char *text)
{
	const char *update = getenv("UPDATE_GOLDEN");
	char path[128], *expected;
	size_t n;
	FILE *f;

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
	expected = calloc(1, 1 << 18);
	assert_non_null(expected);
	n = fread(expected, 1, (1 << 18) - 1, f);
	fclose(f);
	if (n != strlen(text) || memcmp(expected, text, n))
		fail_msg("%s differs (UPDATE_GOLDEN=1 rewrites it); now:\n%s", path, text);
	free(expected);
}

/* No byte that a terminal obeys, whatever the document; `allowed` besides the newline. */
static void check_controls(const char *text, const char *allowed)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		if ((*p < 0x20 && *p != '\n' && !strchr(allowed, *p)) || *p == 0x7f || c1)
			fail_msg("byte %02x at %td of:\n%.300s", *p, (const char *)p - text, text);
	}
}

static void check_width(const char *text, int width)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		char line[2048];

		assert_true(n < sizeof(line));
		memcpy(line, text, n);
		line[n] = '\0';
		if (sb_display_width(line) > width)
			fail_msg("%d columns: %s", sb_display_width(line), line);
		if (n && line[n - 1] == ' ')
			fail_msg("blanks at the end: '%s'", line);
		text += n + (text[n] == '\n');
	}
}

/* ---- runs ------------------------------------------------------------------------------------------------------ */

/* A run as `show` reads it. */
struct loaded {
	struct sb_run run;
	struct sb_trials trials;
	struct sb_samples samples;
	struct sb_summary tables[8];
	int n_tables;
};

static void load(struct fixture *fx, struct loaded *l)
{
	struct sb_store *st = NULL;
	struct sb_error err;
	int64_t key;

	*l = (struct loaded){ .n_tables = 0 };
	fx_must(sb_store_end_run(fx->st, fx->run, "complete", &err), &err);
	sb_store_close(fx->st);
	fx_must(sb_store_open(fx->path, SB_STORE_READ, &st, &err), &err);
	fx_must(sb_store_find_run(st, NULL, &key, &err), &err);
	fx_must(sb_store_read_run(st, key, &l->run, &err), &err);
	fx_must(sb_store_read_trials(st, key, &l->trials, &err), &err);
	fx_must(sb_store_read_samples(st, key, &l->trials, &l->samples, &err), &err);
	sb_store_close(st);
	unlink(fx->path);
	l->run.ended_ns = l->run.created_ns + INT64_C(61000000000); /* and not the time of this test */
	for (; l->n_tables == 0 || l->n_tables < l->run.n_arms - 1; l->n_tables++) {
		struct sb_summary_options opt = { .before = NULL };

		if (l->run.n_arms > 1)
			opt = (struct sb_summary_options){ .before = l->run.arms[0].name,
				.after = l->run.arms[l->n_tables + 1].name };
		fx_must(sb_summary_compute(&l->run, &l->trials, &l->samples, &opt, &l->tables[l->n_tables], &err),
		        &err);
	}
}

static void release(struct loaded *l)
{
	for (int i = 0; i < l->n_tables; i++)
		sb_summary_release(&l->tables[i]);
	sb_samples_release(&l->samples);
	sb_trials_release(&l->trials);
	sb_run_release(&l->run);
}

/* Two arms, a block of each kind, an arm out of memory, a sample that is missing. */
static void small_run(struct loaded *l)
{
	static const char *const facts[] = { "cpu.model", "AMD EPYC 9654", "cpu.online", "4", "host.name", "runner-7",
		"emulated", "precision", "blocks", "1", "effect.attention", "in effect: 40 of 40 kernels", NULL, NULL };
	struct fixture fx;

	fx_open(&fx, "before,+attention", "tracker", "synthetic", facts);
	for (int block = 0; block < 2; block++) {
		for (int a = 0; a < 2; a++) {
			if (a && block) {
				fx_trial(&fx, a, block, FX_TIMING, "oom", "asked 1 GiB, \"free\" 2 MiB");
				continue;
			}
			fx_add(&fx, "wall_ns", (10.25 + a + block) * MS);
			fx_add(&fx, "memory.attention_bytes", a ? 4096 : 65536);
			fx_add(&fx, "quality.depth_rel_median", 0.1);
			fx_add_absent(&fx, "energy_uj", "no counter, no energy");
			fx_trial(&fx, a, block, FX_TIMING, "ok", NULL);
			fx_add(&fx, "op.gemm_ns", 1.0 / 3 * MS);
			fx_trial(&fx, a, block, FX_TRACE, "ok", NULL);
		}
	}
	load(&fx, l);
}

static char *show(const struct loaded *l, const char *format, int arm)
{
	const struct sb_report_run r = { &l->run, &l->trials, &l->samples, l->tables, arm };
	struct sb_error err;
	FILE *f = tmpfile();

	assert_non_null(f);
	if (!strcmp(format, "text"))
		fx_must(sb_report_run_text(&r, f, false, &err), &err);
	else if (!strcmp(format, "csv"))
		fx_must(sb_report_run_csv(&r, f, &err), &err);
	else
		fx_must(sb_report_run_json(&r, f, &err), &err);
	return read_back(f);
}

static void gpu_summary(struct sb_summary *s)
{
	struct fixture fx;

	fx_gpu_run(&fx);
	fx_summary(&fx, s);
}

/* ---- golden documents ------------------------------------------------------------------------------------------ */

static void the_table_in_markdown_and_csv_is_the_golden_one(void **state)
{
	struct sb_summary s;
	char *text;

	(void)state;
	gpu_summary(&s);
	text = document(sb_report_markdown, &s);
	golden("summary_gpu.md", text);
	free(text);
	text = document(sb_report_csv, &s);
	golden("summary_gpu.csv", text);
	free(text);
	sb_summary_release(&s);
}

static void a_run_shown_is_the_golden_one(void **state)
{
	static const char *const formats[] = { "text", "csv", "json" }, *const names[] = { "show.txt", "show.csv",
		"show.json" };
	struct loaded l;

	(void)state;
	small_run(&l);
	for (size_t i = 0; i < SB_ARRAY_LEN(formats); i++) {
		char *text = show(&l, formats[i], -1);

		golden(names[i], text);
		free(text);
	}
	release(&l);
}

static void runs_listed_are_the_golden_ones(void **state)
{
	static const struct sb_run_line lines[] = {
		{ "ffff456789abcdef0123456789abcdef", "interrupted", "small", "NVIDIA H200 with a long name",
		        "a note that is longer than the line has room for", INT64_C(1795354925000000000), 6, 120 },
		{ "0123456789abcdef0123456789abcdef", "complete", "tiny", NULL, NULL, INT64_C(1795354920000000000), 2,
		        8 },
	};
	struct sb_run_line copies[2];
	const struct sb_run_lines runs = { copies, 2 }, none = { NULL, 0 };
	struct sb_error err;
	char *text;
	FILE *f;

	(void)state;
	memcpy(copies, lines, sizeof(lines));
	f = tmpfile();
	fx_must(sb_report_list_text(&runs, f, 0, &err), &err);
	text = read_back(f);
	golden("list.txt", text);
	free(text);
	f = tmpfile();
	fx_must(sb_report_list_json(&runs, f, &err), &err);
	text = read_back(f);
	golden("list.json", text);
	free(text);
	f = tmpfile();
	fx_must(sb_report_list_text(&none, f, 0, &err), &err);
	text = read_back(f);
	assert_string_equal(text, "no run yet; make one with 'spabench run'\n");
	free(text);
}

/* ---- CSV ------------------------------------------------------------------------------------------------------- */

struct table {
	char **cell; /* [rows][columns] */
	size_t rows, columns;
	char *text; /* owner */
};

/* Read what RFC 4180 describes, and nothing else. */
static void parse_csv(char *text, struct table *t)
{
	size_t cap = 1 << 16, n = 0, in_row = 0;
	char *p = text, *out;

	*t = (struct table){ .cell = calloc(cap, sizeof(char *)), .text = text };
	assert_non_null(t->cell);
	while (*p) {
		bool quoted = *p == '"';

		assert_true(n < cap);
		t->cell[n++] = out = p;
		in_row++;
		p += quoted;
		while (*p && (quoted || (*p != ',' && *p != '\r'))) {
			assert_true(quoted || (*p != '"' && *p != '\n'));
			if (*p == '"' && p[1] != '"')
				break;
			p += *p == '"';
			*out++ = *p++;
		}
		if (quoted) {
			assert_int_equal(*p, '"');
			p++;
		}
		if (*p == ',') {
			*out = '\0';
			p++;
			if (*p == '\r') { /* an empty cell at the end of a line */
				t->cell[n++] = out;
				in_row++;
			}
		}
		if (*p == '\r') {
			assert_int_equal(p[1], '\n');
			*out = '\0';
			p += 2;
			t->columns = t->rows ? t->columns : in_row;
			assert_int_equal(in_row, t->columns);
			t->rows++;
			in_row = 0;
		}
	}
	assert_int_equal(in_row, 0);
}

static void release_table(struct table *t)
{
	free(t->cell);
	free(t->text);
}

static const char *csv_cell(const struct table *t, size_t row, const char *column)
{
	for (size_t c = 0; c < t->columns; c++)
		if (!strcmp(t->cell[c], column))
			return t->cell[row * t->columns + c];
	fail_msg("no column '%s'", column);
	return NULL;
}

static void csv_of(const char *text, struct sb_csv *c)
{
	*c = (struct sb_csv){ .column = 0 };
	sb_csv_text(c, text);
}

static void cells_are_quoted_when_they_must_be(void **state)
{
	static const struct {
		const char *text, *cell;
	} cases[] = {
		{ "plain", "plain" },
		{ "", "" },
		{ NULL, "" },
		{ "a,b", "\"a,b\"" },
		{ "a\"b", "\"a\"\"b\"" },
		{ "two\nlines", "two\\x0alines" },
		{ "=1+1", "'=1+1" },
		{ "+precision", "'+precision" },
		{ "-x", "'-x" },
		{ "@x", "'@x" },
		{ "=a,\"b\"", "\"'=a,\"\"b\"\"\"" },
		{ "\t=1", "\\x09=1" },
		{ "a=b", "a=b" },
		{ " =1", " =1" },
	};
	struct sb_csv c;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		csv_of(cases[i].text, &c);
		assert_string_equal(sb_buf_str(&c.buf), cases[i].cell);
		sb_buf_release(&c.buf);
	}
	c = (struct sb_csv){ .column = 0 };
	sb_csv_text(&c, NULL); /* an empty first cell keeps its column */
	sb_csv_text(&c, "b");
	sb_csv_end(&c);
	sb_csv_text(&c, "c");
	assert_string_equal(sb_buf_str(&c.buf), ",b\r\nc");
	sb_buf_release(&c.buf);
}

static void numbers_read_back_as_they_were(void **state)
{
	static const double values[] = { 0, 1, -1, 0.1, 1.0 / 3, 1e300, 5e-324, 9007199254740991.0, 9007199254740993.0,
		123456789012345680.0, -2.5e-7, 135850873, 82328295.5 };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(values); i++) {
		struct sb_csv c = { .column = 0 };
		double back;

		sb_csv_number(&c, values[i]);
		back = strtod(sb_buf_str(&c.buf), NULL);
		assert_memory_equal(&back, &values[i], sizeof(back));
		sb_buf_release(&c.buf);
	}
	struct sb_csv c = { .column = 0 };

	sb_csv_number(&c, 135850873);
	sb_csv_number(&c, -0.0);
	sb_csv_number(&c, NAN);
	sb_csv_number(&c, 0.1);
	assert_string_equal(sb_buf_str(&c.buf), "135850873,0,,0.1");
	sb_buf_release(&c.buf);
}

static void spoil(struct sb_summary *s, const char *with)
{
	s->clip = s->clip_note = s->preset = s->device = s->host = s->status = s->note = s->stop_reason = s->run_id =
	        s->cpu = s->workload = with;
	s->setting = s->reference = s->accuracy_title = s->trace_to_timing = with;
	for (size_t i = 0; i < s->n_switches; i++)
		s->switches[i].evidence = with;
	for (size_t g = 0; g < s->n_groups; g++) {
		struct sb_summary_group *group = &s->groups[g];

		group->title = group->before = group->after = group->change = with;
		for (size_t i = 0; i < group->n_notes; i++)
			group->notes[i] = with;
		for (size_t i = 0; i < group->n_rows; i++)
			group->rows[i].label = group->rows[i].note = group->rows[i].metric = with;
	}
	for (size_t i = 0; i < s->n_claims; i++)
		if (s->claims[i].reason)
			s->claims[i].reason = with;
}

/* Names that a table can be taken apart by: back to what sb_escape() makes of them. */
static void csv_of_the_table_survives_every_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(hostile); i++) {
		char clean[1024], expected[1032];
		struct sb_summary s;
		struct table t;
		size_t rows = 1;
		char *text;

		gpu_summary(&s);
		spoil(&s, hostile[i]);
		for (size_t g = 0; g < s.n_groups; g++)
			rows += s.groups[g].n_rows;
		text = document(sb_report_csv, &s);
		check_controls(text, "\r");
		parse_csv(text, &t);
		assert_int_equal(t.rows, rows);
		sb_escape(hostile[i], clean, sizeof(clean));
		snprintf(expected, sizeof(expected), "%s%s", *clean && strchr("=+-@", *clean) ? "'" : "", clean);
		assert_string_equal(csv_cell(&t, 1, "run"), expected);
		assert_string_equal(csv_cell(&t, 1, "after_arm"), expected);
		assert_string_equal(csv_cell(&t, rows - 1, "note"), expected);
		release_table(&t);
		sb_summary_release(&s);
	}
}

static void csv_has_base_units_and_reasons(void **state)
{
	struct sb_summary s;
	struct table t;
	size_t r = 1;

	(void)state;
	gpu_summary(&s);
	parse_csv(document(sb_report_csv, &s), &t);
	while (strcmp(csv_cell(&t, r, "metric"), "memory.attention_bytes") != 0)
		r++;
	assert_string_equal(csv_cell(&t, r, "before"), "90161807360");
	assert_string_equal(csv_cell(&t, r, "unit"), "bytes");
	assert_string_equal(csv_cell(&t, r, "exact"), "1");
	assert_string_equal(csv_cell(&t, r, "traced"), "0");
	assert_string_equal(csv_cell(&t, r, "pairs"), "9");
	assert_string_equal(csv_cell(&t, r, "group"), "main");
	while (strcmp(csv_cell(&t, r, "metric"), "quality.track_px_median") != 0)
		r++;
	assert_string_equal(csv_cell(&t, r, "before"), "");
	assert_string_equal(csv_cell(&t, r, "before_absent"), "is the reference");
	assert_string_equal(csv_cell(&t, r, "effect"), "none");
	assert_string_equal(csv_cell(&t, r, "estimate"), "");
	assert_string_equal(csv_cell(&t, r, "pairs"), "");
	while (strcmp(csv_cell(&t, r, "factor"), "alloc") != 0)
		r++;
	assert_string_equal(csv_cell(&t, r, "after_arm"), "'+alloc");
	release_table(&t);
	sb_summary_release(&s);
}

/* ---- Markdown -------------------------------------------------------------------------------------------------- */

/* Pipes that end a cell: those without a backslash before them, where a pair of backslashes is a backslash. */
static int pipes(const char *line, size_t n)
{
	int found = 0;

	for (size_t i = 0; i < n; i++) {
		if (line[i] == '\\')
			i++;
		else
			found += line[i] == '|';
	}
	return found;
}

/* Every row of a table has as many cells as its first; no markup but ours. */
static void check_markdown(const char *text)
{
	int expected = 0;

	check_controls(text, "");
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");

		if (n && line[0] == '|') {
			expected = expected ? expected : pipes(line, n);
			if (pipes(line, n) != expected)
				fail_msg("%d pipes, not %d: %.*s", pipes(line, n), expected, (int)n, line);
		} else {
			expected = 0;
			if (n && line[0] != '#' && strncmp(line, "- **", 4) && strncmp(line, "ratio = ", 8) &&
			        strncmp(line, "The published ", 14))
				fail_msg("a line of whose making? %.*s", (int)n, line);
		}
		line += n + (line[n] == '\n');
	}
	for (const char *p = text; (p = strchr(p, '<')) != NULL; p++)
		if (strncmp(p, "<!-- -->", 8) != 0)
			fail_msg("markup: %.40s", p);
	for (const char *p = text; (p = strchr(p, '`')) != NULL; p++)
		assert_true(p > text && p[-1] == '\\');
	for (const char *p = text; (p = strchr(p, '@')) != NULL; p++)
		assert_memory_equal(p, "@<!-- -->", 9);
	assert_null(strstr(text, "://"));
}

static void markdown_survives_every_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(hostile); i++) {
		struct sb_summary s;
		char *text;

		gpu_summary(&s);
		spoil(&s, hostile[i]);
		s.groups[0].rows[0].effect.estimate.absent = hostile[i];
		text = document(sb_report_markdown, &s);
		check_markdown(text);
		free(text);
		sb_summary_release(&s);
	}
}

static void a_verdict_in_markdown_says_where_times_were_judged(void **state)
{
	struct sb_summary s;
	char *text;

	(void)state;
	gpu_summary(&s);
	s.claims[1].where = s.claims[1].behind = "on the CPU";
	text = document(sb_report_markdown, &s);
	check_markdown(text);
	assert_non_null(strstr(text, "| met (on the CPU) |\n"));
	free(text);
	sb_summary_release(&s);
}

static void markdown_escapes_are_those_of_github(void **state)
{
	static const struct {
		const char *text, *markdown;
	} cases[] = {
		{ "a|b", "a\\|b" },
		{ "\\|", "\\\\\\|" },
		{ "`x`", "\\`x\\`" },
		{ "<b>&amp;", "&lt;b>&amp;amp;" },
		{ "@me #7", "@<!-- -->me #<!-- -->7" },
		{ "a://b", "a:<!-- -->//b" },
		{ "a: b", "a: b" },
		{ "x\ny", "x\\\\x0ay" },
		{ "before -> after 0.5..0.7", "before -> after 0.5..0.7" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct sb_buf b = { 0 };

		sb_markdown_text(&b, cases[i].text);
		assert_string_equal(sb_buf_str(&b), cases[i].markdown);
		sb_buf_release(&b);
	}
}

static void markdown_names_what_was_not_measured_once(void **state)
{
	static const char expected[] =
	        "\n- **not measured:** attention (no trace trials)\n"
	        "- **not measured:** attention memory, attention workspace, peak allocated, peak "
	        "reserved (not recorded)\n\n";
	struct sb_summary s;
	struct fixture fx;
	char *text;

	(void)state;
	fx_open(&fx, "before,+attention,after", "tracker", "synthetic", NULL);
	for (int a = 0; a < 3; a++) {
		fx_add(&fx, "sm.cycles", 1);
		fx_wall(&fx, a, 0, 10);
	}
	fx_summary(&fx, &s);
	text = document(sb_report_markdown, &s);
	check_markdown(text);
	if (!strstr(text, expected))
		fail_msg("%s", text);
	assert_null(strstr(text, "| attention memory |"));
	assert_non_null(strstr(text, "\n- **more:** 1 other metric: --format json or csv\n"));
	free(text);
	sb_summary_release(&s);
}

/* ---- list and show --------------------------------------------------------------------------------------------- */

/* Own copies, since the structures are released later. */
static void replace(char **s, const char *with)
{
	free(*s);
	*s = sb_strdup(with);
	assert_non_null(*s);
}

static void spoil_run(struct loaded *l, const char *with)
{
	char **const strings[] = { &l->run.id, &l->run.status, &l->run.command, &l->run.note, &l->run.plan,
		&l->run.workload, &l->run.preset, &l->run.params, &l->run.clip_digest, &l->run.weights_kind,
		&l->run.weights_digest };

	for (size_t i = 0; i < SB_ARRAY_LEN(strings); i++)
		replace(strings[i], with);
	for (size_t i = 0; i < l->run.n_facts; i++) {
		replace(&l->run.facts[i].key, with);
		replace(&l->run.facts[i].value, with);
	}
	for (size_t i = 0; i < l->run.n_workers; i++) {
		replace(&l->run.workers[i].exe, with);
		replace(&l->run.workers[i].ending, with);
		replace(&l->run.workers[i].device_name, with);
		replace(&l->run.workers[i].build_id, with);
	}
	for (int a = 0; a < l->run.n_arms; a++) {
		replace(&l->run.arms[a].name, with);
		l->tables[0].arms[a].name = l->tables[0].arms[a].levels = with;
		for (int o = 0; o < SB_OUTCOME_COUNT; o++)
			l->tables[0].arms[a].messages[o] = with;
	}
	for (size_t i = 0; i < l->trials.n; i++)
		replace(&l->trials.v[i].message, with);
	replace(&l->samples.metrics[0], with);
	for (size_t i = 0; i < l->tables[0].groups[0].n_rows; i++)
		l->tables[0].groups[0].rows[i].label = with;
}

static void a_run_is_shown_whatever_its_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(hostile); i++) {
		struct loaded l;
		struct table t;
		json_t *root;
		char *text;

		small_run(&l);
		spoil_run(&l, hostile[i]);
		text = show(&l, "text", -1);
		check_controls(text, "");
		check_width(text, 100);
		free(text);
		text = show(&l, "csv", -1);
		check_controls(text, "\r");
		parse_csv(text, &t);
		release_table(&t);
		text = show(&l, "json", -1);
		check_controls(text, "");
		root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(root);
		json_decref(root);
		free(text);
		release(&l);
	}
}

static void a_case_is_shown_in_lines_and_nothing_of_it_is_lost(void **state)
{
	static const char params[] =
	        "{\"clip\":\"built-in\",\"frames\":4,\"stride\":2,\"width\":252,\"height\":140,\"clip_width\":768,"
	        "\"clip_height\":576,\"parameters\":62218297,\"queries\":16,\"support\":24,\"iterations\":1,"
	        "\"windows\":2,\"window\":20,\"overlap\":6,\"track_width\":602,\"track_height\":336,"
	        "\"cameras\":\"ba\",\"later\":[1,null],\"more\":0.5}";
	struct loaded l;
	char *text;

	(void)state;
	small_run(&l);
	replace(&l.run.params, params);
	text = show(&l, "text", -1);
	assert_non_null(
	        strstr(text, "\n  clip       built-in, size 768x576, frames 4, stride 2\n"
	                     "  network    size 252x140, parameters 62218297\n"
	                     "  tracker    queries 16, support points 24, size 602x336, iterations 1, cameras ba, "
	                     "windows 2,\n             window 20, overlap 6\n"
	                     "  others     later: [1,null]; more: 0.5\n"));
	free(text);
	release(&l);
}

static void runs_are_listed_whatever_their_names(void **state)
{
	static const int widths[] = { 0, 80, 100, 40, 1000 };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(hostile); i++) {
		char with[512];
		struct sb_run_line line = { with, with, with, with, with, INT64_MAX, -1, 2147483647 };
		const struct sb_run_lines runs = { &line, 1 };
		struct sb_error err;
		char *text;
		FILE *f;

		snprintf(with, sizeof(with), "%s", hostile[i]);
		for (size_t w = 0; w < SB_ARRAY_LEN(widths); w++) {
			int width = widths[w] == 0 ? 100 : widths[w] < 80 ? 80 : widths[w] > 200 ? 200 : widths[w];

			f = tmpfile();
			fx_must(sb_report_list_text(&runs, f, widths[w], &err), &err);
			text = read_back(f);
			check_controls(text, "");
			check_width(text, width);
			free(text);
		}
		f = tmpfile();
		fx_must(sb_report_list_json(&runs, f, &err), &err);
		text = read_back(f);
		check_controls(text, "");
		free(text);
	}
}

static void show_keeps_to_the_arm_that_was_asked_for(void **state)
{
	struct loaded l;
	struct table t;
	char *text;

	(void)state;
	small_run(&l);
	text = show(&l, "text", 1);
	assert_null(strstr(text, "  before "));
	assert_non_null(strstr(text, "+attention"));
	free(text);
	parse_csv(show(&l, "csv", 1), &t);
	for (size_t r = 1; r < t.rows; r++)
		assert_string_equal(csv_cell(&t, r, "arm"), "'+attention");
	assert_true(t.rows > 4);
	release_table(&t);
	release(&l);
}

static void every_sample_and_every_lost_trial_has_its_line(void **state)
{
	struct loaded l;
	struct table t;
	size_t lost = 0, absent = 0;

	(void)state;
	small_run(&l);
	parse_csv(show(&l, "csv", -1), &t);
	assert_int_equal(t.rows, 1 + 3 * 4 + 3 * 1 + 1); /* timing, trace, out of memory */
	for (size_t r = 1; r < t.rows; r++) {
		if (!strcmp(csv_cell(&t, r, "outcome"), "oom")) {
			assert_string_equal(csv_cell(&t, r, "metric"), "");
			assert_string_equal(csv_cell(&t, r, "message"), "asked 1 GiB, \"free\" 2 MiB");
			lost++;
		}
		if (!strcmp(csv_cell(&t, r, "metric"), "energy_uj")) {
			assert_string_equal(csv_cell(&t, r, "value"), "");
			assert_string_equal(csv_cell(&t, r, "absent"), "no counter, no energy");
			absent++;
		}
		if (!strcmp(csv_cell(&t, r, "metric"), "op.gemm_ns"))
			assert_true(strtod(csv_cell(&t, r, "value"), NULL) == 1.0 / 3 * MS);
	}
	assert_int_equal(lost, 1);
	assert_int_equal(absent, 3);
	release_table(&t);
	release(&l);
}

/* Every combination: more arms than one table has room for. */
static void open_all_arms(struct fixture *fx, int *n)
{
	struct sb_run_row run = { .id = "0123456789abcdef0123456789abcdef", .command = "c", .plan = "{}" };
	struct sb_case_row c = { "tracker", "tiny", "{}", NULL, "synthetic", NULL };
	struct sb_worker_row w = { .exe = "x", .build_id = "b", .purpose = "timing", .device_name = "cpu" };
	const char *names[SB_ARMS_MAX], *levels[SB_ARMS_MAX];
	struct sb_buf text[SB_ARMS_MAX] = { { 0 } };
	struct sb_arm arms[SB_ARMS_MAX];
	struct sb_error err;
	int fd;

	*fx = (struct fixture){ .path = "/tmp/sb_formats_XXXXXX" };
	fd = mkstemp(fx->path);
	assert_true(fd >= 0);
	close(fd);
	sb_arms_all(arms, n);
	for (int i = 0; i < *n; i++) {
		sb_levels_format(&arms[i].levels, &text[i]);
		names[i] = arms[i].name;
		levels[i] = sb_buf_str(&text[i]);
	}
	fx_must(sb_store_open(fx->path, SB_STORE_WRITE, &fx->st, &err), &err);
	fx_must(sb_store_begin_run(fx->st, &run, &c, names, levels, *n, &fx->run, &err), &err);
	fx_must(sb_store_add_worker(fx->st, fx->run, &w, &fx->worker, &err), &err);
	for (int i = 0; i < *n; i++)
		sb_buf_release(&text[i]);
}

static void many_arms_stand_in_several_tables(void **state)
{
	struct fixture fx;
	struct loaded l;
	int titles = 0, n;
	char *text;

	(void)state;
	open_all_arms(&fx, &n);
	assert_int_equal(n, 8);
	for (int a = 0; a < n; a++)
		fx_wall(&fx, a, 0, 10 + a);
	load(&fx, &l);
	text = show(&l, "text", -1);
	for (const char *p = text; (p = strstr(p, "medians of the trials")) != NULL; p++)
		titles++;
	assert_int_equal(titles, 2);
	assert_non_null(strstr(text, "10.00      11.00      12.00      13.00      14.00      15.00\n"));
	assert_non_null(strstr(text, "ms       16.00      17.00\n"));
	/* No two columns have the same head, and none is cut. */
	assert_non_null(strstr(text, " +prec+attn"));
	assert_non_null(strstr(text, " prec+alloc"));
	assert_non_null(strstr(text, " attn+alloc"));
	assert_null(strstr(text, ".."));
	assert_non_null(strstr(text, "\n  +precision+attention timing"));
	check_width(text, 100);
	free(text);
	release(&l);
}

static enum sb_status as_list(const struct sb_summary *s, FILE *out, struct sb_error *err)
{
	static const struct sb_run_lines none = { NULL, 0 };

	(void)s;
	return sb_report_list_text(&none, out, 0, err);
}

static void what_cannot_be_written_is_an_error(void **state)
{
	static const renderer renderers[] = { sb_report_markdown, sb_report_csv, as_list };
	struct sb_summary s;

	(void)state;
	gpu_summary(&s);
	for (size_t i = 0; i < SB_ARRAY_LEN(renderers); i++) {
		struct sb_error err = { .code = SB_OK };
		FILE *f = fopen("/dev/full", "w");

		assert_non_null(f);
		assert_int_equal(renderers[i](&s, f, &err), SB_E_DATA);
		assert_non_null(strstr(err.msg, "cannot write the report: No space left"));
		fclose(f);
	}
	sb_summary_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_in_markdown_and_csv_is_the_golden_one),
		cmocka_unit_test(a_run_shown_is_the_golden_one),
		cmocka_unit_test(runs_listed_are_the_golden_ones),
		cmocka_unit_test(cells_are_quoted_when_they_must_be),
		cmocka_unit_test(numbers_read_back_as_they_were),
		cmocka_unit_test(csv_of_the_table_survives_every_name),
		cmocka_unit_test(csv_has_base_units_and_reasons),
		cmocka_unit_test(markdown_survives_every_name),
		cmocka_unit_test(a_verdict_in_markdown_says_where_times_were_judged),
		cmocka_unit_test(markdown_escapes_are_those_of_github),
		cmocka_unit_test(markdown_names_what_was_not_measured_once),
		cmocka_unit_test(a_run_is_shown_whatever_its_names),
		cmocka_unit_test(a_case_is_shown_in_lines_and_nothing_of_it_is_lost),
		cmocka_unit_test(runs_are_listed_whatever_their_names),
		cmocka_unit_test(show_keeps_to_the_arm_that_was_asked_for),
		cmocka_unit_test(every_sample_and_every_lost_trial_has_its_line),
		cmocka_unit_test(many_arms_stand_in_several_tables),
		cmocka_unit_test(what_cannot_be_written_is_an_error),
	};
	return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
