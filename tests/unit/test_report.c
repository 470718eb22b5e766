/*
 * The report as a document: the same figures in both of its forms, whatever a database holds, and nothing that runs.
 * Linked with --wrap=malloc and so on, so that memory can run out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "html_style.h"
#include "sb_ops.h"
#include "sb_report.h"
#include "summary_fixture.h"
#include "svg_inline.h"

static const char hostile[] = "<script>alert('1')</script>\"x\" & | `b` \x01\x1b[31m \xff\xfe \xe2\x80\xae "
                              "a_very_long_name_without_a_blank_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/* ---- memory -------------------------------------------------------------------------------------------------------
 */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static long fail_in; /* the n-th request from now fails; 0: none */

static bool due(void)
{
	return fail_in > 0 && --fail_in == 0;
}

void *__wrap_malloc(size_t n)
{
	return due() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return due() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return due() ? NULL : __real_realloc(p, n);
}

/* ---- a run, its summaries, its document ---------------------------------------------------------------------------
 */

struct made {
	struct sb_run run;
	struct sb_trials trials;
	struct sb_samples samples;
	struct sb_summary summary, arms[16];
	size_t n_arms;
	struct sb_report_input in;
};

static void read_run(struct fixture *fx, struct made *m)
{
	struct sb_store *st = NULL;
	struct sb_error err;
	int64_t run;

	*m = (struct made){ .n_arms = 0 };
	fx_must(sb_store_end_run(fx->st, fx->run, "complete", &err), &err);
	sb_store_close(fx->st);
	fx_must(sb_store_open(fx->path, SB_STORE_READ, &st, &err), &err);
	fx_must(sb_store_find_run(st, NULL, &run, &err), &err);
	fx_must(sb_store_read_run(st, run, &m->run, &err), &err);
	fx_must(sb_store_read_trials(st, run, &m->trials, &err), &err);
	fx_must(sb_store_read_samples(st, run, &m->trials, &m->samples, &err), &err);
	sb_store_close(st);
	unlink(fx->path);
	fx_must(sb_summary_compute(&m->run, &m->trials, &m->samples, NULL, &m->summary, &err), &err);
	for (int a = 1; a < m->run.n_arms; a++) {
		const struct sb_summary_options opt = { .before = m->run.arms[0].name, .after = m->run.arms[a].name };

		fx_must(sb_summary_compute(&m->run, &m->trials, &m->samples, &opt, &m->arms[m->n_arms++], &err), &err);
	}
	m->in = (struct sb_report_input){ .run = &m->run,
		.trials = &m->trials,
		.samples = &m->samples,
		.summary = &m->summary,
		.arms = m->arms,
		.n_arms = m->n_arms,
		.command = "spabench report",
		.database = "x.db" };
}

static void release(struct made *m)
{
	for (size_t i = 0; i < m->n_arms; i++)
		sb_summary_release(&m->arms[i]);
	sb_summary_release(&m->summary);
	sb_samples_release(&m->samples);
	sb_trials_release(&m->trials);
	sb_run_release(&m->run);
}

static char *render(
        const struct made *m, enum sb_status (*as)(const struct sb_doc *, struct sb_buf *, struct sb_error *))
{
	struct sb_doc *doc = NULL;
	struct sb_buf b = { 0 };
	struct sb_error err;

	fx_must(sb_report_build(&m->in, &doc, &err), &err);
	fx_must(as(doc, &b, &err), &err);
	sb_doc_free(doc);
	return b.s;
}

/* ---- what must hold of any page ------------------------------------------------------------------------------------
 */

/* Every element that is opened is closed in its order; attributes are in quotes; text has no bare sign of markup. */
static void check_markup(const char *html)
{
	static const char *const single[] = { "meta", "link", "!DOCTYPE" };
	char stack[64][16];
	int depth = 0;

	for (const char *s = html; (s = strchr(s, '<')); s++) {
		bool closing = s[1] == '/', alone = false;
		const char *name = s + 1 + closing, *end = strchr(s, '>');
		int n = (int)strcspn(name, " >");

		assert_non_null(end);
		assert_true(n > 0 && n < 16);
		for (size_t i = 0; i < SB_ARRAY_LEN(single); i++)
			alone |= strlen(single[i]) == (size_t)n && !strncmp(name, single[i], (size_t)n);
		if (closing) {
			assert_true(depth > 0);
			if (strlen(stack[--depth]) != (size_t)n || strncmp(stack[depth], name, (size_t)n) != 0)
				fail_msg("'%s' is closed by '%.*s'", stack[depth], n, name);
		} else if (!alone) {
			assert_true(depth < 64);
			snprintf(stack[depth++], sizeof(stack[0]), "%.*s", n, name);
		}
		s = end;
	}
	assert_int_equal(depth, 0);
}

/* Links and labels find what they mean by its id. */
static void check_ids(const char *html)
{
	for (const char *s = html; (s = strstr(s, " id=\""));) {
		char id[128];

		s += strlen(" id=\"");
		snprintf(id, sizeof(id), " id=\"%.*s\"", (int)strcspn(s, "\""), s);
		if (strstr(s, id))
			fail_msg("twice:%s", id);
	}
	for (const char *s = html; (s = strstr(s, "href=\"#"));) {
		char id[128];

		s += strlen("href=\"#");
		snprintf(id, sizeof(id), " id=\"%.*s\"", (int)strcspn(s, "\""), s);
		if (!strstr(html, id))
			fail_msg("nowhere:%s", id);
	}
}

static void check_page(const char *html)
{
	static const char *const never[] = { "<script", "<iframe", "javascript:", "http://", "https://",
		" src=", "@import", " onload", "<object", "url(" };

	assert_true(sb_is_utf8(html));
	for (const char *s = html; *s; s++)
		if ((unsigned char)*s < ' ' && *s != '\n')
			fail_msg("control character %02x", (unsigned char)*s);
	for (size_t i = 0; i < SB_ARRAY_LEN(never); i++)
		if (strstr(html, never[i]))
			fail_msg("'%s' in %.80s", never[i], strstr(html, never[i]));
	check_markup(html);
	check_ids(html);
}

/* ---- the document --------------------------------------------------------------------------------------------------
 */

static void a_page_is_whole_and_loads_nothing(void **state)
{
	struct fixture fx;
	struct made m;
	char *html;

	(void)state;
	fx_gpu_run(&fx);
	read_run(&fx, &m);
	html = render(&m, sb_doc_html);
	check_page(html);
	assert_non_null(strstr(html, "default-src 'none'"));
	free(html);
	release(&m);
}

/* What stands in <data> elements stands in the Markdown, too, in the same order. */
static void both_forms_have_the_same_figures(void **state)
{
	struct fixture fx;
	struct made m;
	char *html, *markdown;
	const char *at;
	int figures = 0;

	(void)state;
	fx_gpu_run(&fx);
	read_run(&fx, &m);
	html = render(&m, sb_doc_html);
	at = markdown = render(&m, sb_doc_markdown);
	for (const char *s = html; (s = strstr(s, "<data ")); figures++) {
		char shown[64];

		s = strchr(s, '>') + 1;
		snprintf(shown, sizeof(shown), "%.*s", (int)strcspn(s, "<"), s);
		at = strstr(at, shown);
		if (!at)
			fail_msg("figure %d, '%s', is not in the Markdown", figures, shown);
		at += strlen(shown);
	}
	assert_true(figures > 300);
	free(html);
	free(markdown);
	release(&m);
}

static void a_figure_has_the_number_behind_it(void **state)
{
	const struct sb_summary_row *row;
	struct fixture fx;
	struct made m;
	char *html, expected[256];

	(void)state;
	fx_gpu_run(&fx);
	read_run(&fx, &m);
	row = fx_row(&m.summary, 0, "wall_ns");
	html = render(&m, sb_doc_html);
	snprintf(expected, sizeof(expected),
	        "<data value=\"%.17g\" data-metric=\"wall_ns\" data-arm=\"before\" data-after=\"after\" "
	        "data-what=\"ratio\" "
	        "data-unit=\"ratio\">%.3f</data>",
	        row->effect.estimate.v, row->effect.estimate.v);
	assert_non_null(strstr(html, expected));
	free(html);
	release(&m);
}

/* ---- calls of ops that were lined up ------------------------------------------------------------------------------
 */

enum { OPS_ROWS = 12 };

struct lined_up {
	struct sb_ops o;
	struct sb_ops_row rows[OPS_ROWS];
	struct sb_ops_kernel kernel;
};

/* Row i takes i + 1 ms before; the last is twice as fast, the one before it is gone, the first one came with 20 ms. */
static void line_up(struct lined_up *l, const char *name)
{
	*l = (struct lined_up){
		.o = { .arm = { "before", "after" }, .pairs = 1, .trials = { 1, 1 }, .n_rows = OPS_ROWS },
		.kernel = { .name = { name, name }, .ns = { sb_value_of(1), sb_value_of(1) } },
	};
	l->o.rows = l->rows;
	for (int i = 0; i < OPS_ROWS; i++)
		l->rows[i] = (struct sb_ops_row){ .found = SB_OPS_BOTH,
			.stage = name,
			.op = name,
			.calls = { 3, 3 },
			.ns = { sb_value_of((i + 1) * 1e6), sb_value_of(5e5 * (i + 1)) },
			.ratio = { .estimate = sb_value_of(0.5) },
			.kernels = &l->kernel,
			.n_kernels = 1 };
	l->rows[OPS_ROWS - 2].found = SB_OPS_VANISHED;
	l->rows[OPS_ROWS - 2].ns[1] = sb_value_absent("vanished");
	l->rows[0].found = SB_OPS_ADDED;
	l->rows[0].ns[0] = sb_value_absent("added");
	l->rows[0].ns[1] = sb_value_of(20e6);
	l->o.total = l->rows[OPS_ROWS - 1];
}

static void the_ten_calls_that_take_most_time_are_a_table(void **state)
{
	struct lined_up ops;
	struct fixture fx;
	struct made m;
	char *text, *end;
	const char *at;

	(void)state;
	fx_gpu_run(&fx);
	read_run(&fx, &m);
	line_up(&ops, "front.dino");
	m.in.ops = &ops.o;
	text = render(&m, sb_doc_markdown);
	at = strstr(text, "| stage | op | calls | before | after | ratio | 95 % interval | kernel |");
	assert_non_null(at);
	end = strstr(at, "\n\n");
	assert_non_null(end);
	*end = '\0';
	/* In order of the longer time of the two. */
	at = strstr(at, "| front.dino | front.dino | 3 | - | 20.00 ms | added | - | front.dino |\n"
	                "| front.dino | front.dino | 3 | 12.00 ms | 6.000 ms | 0.500 | - | front.dino |\n"
	                "| front.dino | front.dino | 3 | 11.00 ms | - | vanished | - | front.dino |\n");
	assert_non_null(at);
	assert_non_null(strstr(at, "| 4.000 ms | 2.000 ms |"));
	assert_null(strstr(at, "| 3.000 ms | 1.500 ms |")); /* the eleventh */
	assert_non_null(strstr(at, "\n| all groups | | 3 | 12.00 ms |"));
	free(text);
	release(&m);
}

/* Names from everywhere in the database. */
static void spoil(struct made *m)
{
	struct sb_summary *s = &m->summary;

	s->clip = s->clip_note = s->preset = s->device = s->host = s->status = s->note = s->stop_reason = s->run_id =
	        s->workload = s->points = s->frames_note = s->inputs_note = s->weights_kind = s->alloc_note =
	                s->throttled = s->setting = s->reference = s->accuracy_title = s->trace_to_timing = hostile;
	for (size_t i = 0; i < s->n_switches; i++)
		s->switches[i].evidence = hostile;
	for (size_t i = 0; i < s->n_arms; i++) {
		s->arms[i].name = s->arms[i].levels = s->arms[i].emulated_parts = hostile;
		s->arms[i].emulated = true;
		s->arms[i].n_trials[0][SB_OUTCOME_CRASHED] = 1;
		s->arms[i].messages[SB_OUTCOME_CRASHED] = hostile;
	}
	for (size_t g = 0; g < s->n_groups; g++) {
		struct sb_summary_group *group = &s->groups[g];

		group->title = group->before = group->after = group->change = hostile;
		for (size_t i = 0; i < group->n_rows; i++)
			group->rows[i].label = group->rows[i].note = group->rows[i].metric = hostile;
	}
	for (size_t i = 0; i < s->n_claims; i++)
		s->claims[i].before = s->claims[i].after = s->claims[i].reason = s->claims[i].where =
		        s->claims[i].behind = hostile;
	m->in.command = m->in.plots_absent = m->in.pdf_absent = hostile;
}

static const char *begin_of_line(const char *text, const char *at)
{
	while (at > text && at[-1] != '\n')
		at--;
	return at;
}

static void no_name_gets_out_of_its_place(void **state)
{
	const struct sb_report_plot plots[] = {
		{ .id = "stages",
		        .title = hostile,
		        .caption = hostile,
		        .files = { .id = "stages",
		                .alt = hostile,
		                .svg_text = "<svg></svg>",
		                .png = "plots/stages.png" } },
		{ .id = "new", .title = hostile, .caption = hostile, .absent = hostile },
	};
	struct lined_up ops;
	struct fixture fx;
	struct made m;
	char *html, *markdown;

	(void)state;
	fx_gpu_run(&fx);
	read_run(&fx, &m);
	spoil(&m);
	line_up(&ops, hostile);
	m.in.ops = &ops.o;
	m.in.ops_absent = hostile; /* never both, but each must be harmless */
	m.in.plots = plots;
	m.in.n_plots = 2;
	html = render(&m, sb_doc_html);
	check_page(html);
	markdown = render(&m, sb_doc_markdown);
	for (const char *s = markdown; (s = strstr(s, "<script")); s++) /* but where it is code, which is text */
		assert_true(s > markdown + 3 && !strncmp(begin_of_line(markdown, s), "    ", 4));
	assert_null(strchr(markdown, '\x1b'));
	assert_true(sb_is_utf8(markdown));
	free(html);
	free(markdown);
	release(&m);
}

/* ---- runs that lack something ---------------------------------------------------------------------------------------
 */

static void must_say(void (*make)(struct fixture *), const char *const *words)
{
	struct fixture fx;
	struct made m;
	char *html;

	make(&fx);
	read_run(&fx, &m);
	m.in.plots_absent = "gnuplot is not there";
	html = render(&m, sb_doc_html);
	check_page(html);
	for (; *words; words++)
		if (!strstr(html, *words))
			fail_msg("it does not say '%s'", *words);
	free(html);
	release(&m);
}

static void one_arm(struct fixture *fx)
{
	fx_open(fx, "before", "tracker", "synthetic", NULL);
	for (int block = 0; block < 7; block++)
		fx_wall(fx, 0, block, 100 + block);
}

static void nothing(struct fixture *fx)
{
	fx_open(fx, "before,after", "tracker", "synthetic", NULL);
}

static void failures(struct fixture *fx)
{
	fx_open(fx, "before,after", "tracker", "synthetic", NULL);
	for (int block = 0; block < 2; block++)
		for (int a = 0; a < 2; a++)
			fx_trial(fx, a, block, FX_TIMING, "crashed", "killed by signal 11");
}

/* The first arm takes 1 ms more from block to block, the other one now 100, now 140 ms. */
static void unsteady(struct fixture *fx)
{
	fx_open(fx, "before,after", "tracker", "synthetic", NULL);
	for (int block = 0; block < 21; block++) {
		fx_wall(fx, 0, block, 100 + block);
		fx_wall(fx, 1, block, (block * 5 % 2 ? 140 : 100) + 0.01 * (block * 8 % 21));
	}
}

static void steady(struct fixture *fx)
{
	fx_open(fx, "before,after", "tracker", "synthetic", NULL);
	for (int block = 0; block < 21; block++)
		for (int a = 0; a < 2; a++)
			fx_wall(fx, a, block, 100 + 0.1 * ((block * 8 + 5 * a) % 21));
}

static void times_that_drift_are_named(void **state)
{
	static const char *const words[] = { "<code>before</code> drifts by ", ">+18.18 %<", /* 20 of 110 ms */
		"<code>after</code> lies in two clusters", NULL };
	struct sb_summary_flaw flaws[4];
	struct fixture fx;
	struct made m;

	(void)state;
	must_say(unsteady, words);
	steady(&fx);
	read_run(&fx, &m);
	assert_int_equal(sb_summary_flaws(&m.run, &m.trials, &m.samples, flaws, 4), 0);
	release(&m);
}

static void a_run_that_lacks_something_says_so(void **state)
{
	static const char *const of_one[] = { "the run has one arm", "103.0 ms", "gnuplot is not there", NULL };
	static const char *const of_nothing[] = { "was not measured", "All plots", "could be tested.", NULL };
	static const char *const of_failures[] = { "killed by signal 11", "no trial succeeded",
		"trials that gave nothing", NULL };

	(void)state;
	must_say(one_arm, of_one);
	must_say(nothing, of_nothing);
	must_say(failures, of_failures);
}

/* A report is whole, or it is an error: nothing is left out of it in silence. */
static void memory_that_runs_out_is_an_error(void **state)
{
	enum sb_status (*const forms[])(
	        const struct sb_doc *, struct sb_buf *, struct sb_error *) = { sb_doc_html, sb_doc_markdown };
	struct lined_up ops;
	struct fixture fx;
	struct made m;
	char *whole;

	(void)state;
	fx_gpu_run(&fx);
	read_run(&fx, &m);
	line_up(&ops, "front.dino");
	m.in.ops = &ops.o;
	for (size_t form = 0; form < 2; form++) {
		bool failed = true;

		whole = render(&m, forms[form]);
		for (long n = 1; failed; n += n < 60 ? 1 : 311) {
			struct sb_doc *doc = NULL;
			struct sb_buf b = { 0 };
			struct sb_error err = { .code = SB_OK };

			fail_in = n;
			if (!sb_report_build(&m.in, &doc, &err))
				forms[form](doc, &b, &err);
			failed = fail_in == 0;
			fail_in = 0;
			if (err.code)
				assert_int_equal(err.code, SB_E_NOMEM);
			else
				assert_string_equal(b.s, whole);
			assert_true(failed == (err.code != SB_OK));
			sb_buf_release(&b);
			sb_doc_free(doc);
		}
		free(whole);
	}
	release(&m);
}

/* ---- colours and plots
 * ----------------------------------------------------------------------------------------------- */

static const struct sb_html_colour *colour(const char *name)
{
	for (const struct sb_html_colour *c = sb_html_colours; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	fail_msg("no colour '%s'", name);
	return NULL;
}

static void every_text_is_told_from_its_ground(void **state)
{
	(void)state;
	assert_float_equal(sb_html_contrast("#000000", "#ffffff"), 21, 1e-9);
	assert_float_equal(sb_html_contrast("#777777", "#ffffff"), 4.478, 5e-4); /* as WCAG's own examples have it */
	for (const struct sb_html_pair *p = sb_html_pairs; p->text; p++) {
		const struct sb_html_colour *text = colour(p->text), *ground = colour(p->ground);

		if (sb_html_contrast(text->light, ground->light) < 4.5)
			fail_msg("%s on %s, light: %.2f", p->text, p->ground,
			        sb_html_contrast(text->light, ground->light));
		if (sb_html_contrast(text->dark, ground->dark) < 4.5)
			fail_msg(
			        "%s on %s, dark: %.2f", p->text, p->ground, sb_html_contrast(text->dark, ground->dark));
	}
}

static void the_styles_use_colours_that_there_are(void **state)
{
	struct sb_buf css = { 0 };

	(void)state;
	sb_html_style(&css);
	for (const char *s = css.s; (s = strstr(s, "var(--"));) {
		char name[32];

		s += strlen("var(--");
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(s, ")"), s);
		colour(name);
	}
	sb_buf_release(&css);
}

static void ids_of_two_plots_do_not_meet(void **state)
{
	struct sb_buf b = { 0 };

	(void)state;
	sb_svg_inline(&b,
	        "<?xml version=\"1.0\"?>\n<svg width=\"9\"><defs><g id='p0'/></defs><use xlink:href='#p0'/>"
	        "<path fill=\"url(#h)\"/></svg>",
	        "stages", "Bars & \"more\"");
	assert_string_equal(b.s, "<svg role=\"img\" aria-label=\"Bars &amp; &quot;more&quot;\" width=\"9\"><defs>"
	                         "<g id='stages-p0'/></defs><use xlink:href='#stages-p0'/>"
	                         "<path fill=\"url(#stages-h)\"/></svg>");
	sb_buf_release(&b);
}

static void a_plot_that_does_more_than_draw_is_left_out(void **state)
{
	static const char *const bad[] = { "", "no picture", "<svg><script>x</script></svg>",
		"<svg onload=\"x()\"></svg>", "<svg a=\">\" onload='x()'></svg>", "<svg\nonClick = 'x()'></svg>",
		"<svg><a href=\"http://x\"></a></svg>", "<svg><use href='x.svg#a'/></svg>",
		"<svg><path fill=\"url(http://x)\"/></svg>", "<!DOCTYPE x [<!ENTITY a \"b\">]><svg></svg>",
		"<svg><foreignObject></foreignObject></svg>", "<svg><style>@import 'x'</style></svg>" };

	(void)state;
	assert_true(sb_svg_is_plain("<svg><text>Once, one = 1 on href</text></svg>"));
	for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
		struct sb_buf b = { 0 };

		assert_false(sb_svg_is_plain(bad[i]));
		sb_svg_inline(&b, bad[i], "p", "x");
		assert_null(strstr(b.s, "<svg"));
		sb_buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_whole_and_loads_nothing),
		cmocka_unit_test(both_forms_have_the_same_figures),
		cmocka_unit_test(a_figure_has_the_number_behind_it),
		cmocka_unit_test(the_ten_calls_that_take_most_time_are_a_table),
		cmocka_unit_test(no_name_gets_out_of_its_place),
		cmocka_unit_test(a_run_that_lacks_something_says_so),
		cmocka_unit_test(times_that_drift_are_named),
		cmocka_unit_test(memory_that_runs_out_is_an_error),
		cmocka_unit_test(every_text_is_told_from_its_ground),
		cmocka_unit_test(the_styles_use_colours_that_there_are),
		cmocka_unit_test(ids_of_two_plots_do_not_meet),
		cmocka_unit_test(a_plot_that_does_more_than_draw_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
