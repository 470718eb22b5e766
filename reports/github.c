/* What GitHub Actions shows of a step: its summary, in Markdown, and annotations, which are lines of output. */
#include "reports_internal.h"
#include "sb_ci.h"

#include <string.h>

#define ANNOTATIONS_MAX 10 /* of a kind that GitHub shows for one step */

/* ---- summary ---------------------------------------------------------------------------------------------------- */

static void cell(struct sb_buf *b, const char *text)
{
	sb_buf_puts(b, " ");
	sb_markdown_text(b, text ? text : "");
	sb_buf_puts(b, " |");
}

static const char *word_of(enum sb_ci_outcome outcome)
{
	switch (outcome) {
	case SB_CI_PASSED:
		return "pass";
	case SB_CI_FAILED:
		return "fail";
	default:
		return "inconclusive";
	}
}

static void add_row(struct sb_buf *b, const struct sb_ci_case *c)
{
	sb_buf_puts(b, c->outcome == SB_CI_FAILED ? "| **" : "| ");
	sb_markdown_text(b, c->word ? c->word : word_of(c->outcome));
	sb_buf_puts(b, c->outcome == SB_CI_FAILED ? "** |" : " |");
	cell(b, c->group);
	cell(b, c->name);
	cell(b, c->message);
	sb_buf_puts(b, "\n");
}

enum sb_status sb_ci_github_summary(const struct sb_ci_report *r, FILE *out, struct sb_error *err)
{
	static const enum sb_ci_outcome order[] = { SB_CI_FAILED, SB_CI_OPEN, SB_CI_PASSED };
	struct sb_buf b = { .failed = r->failed };
	enum sb_status status;
	size_t rows = 0;

	sb_buf_puts(&b, "### ");
	sb_markdown_text(&b, r->name ? r->name : "");
	sb_buf_addf(&b, ": %s\n\n", word_of(r->outcome));
	if (r->verdict) {
		sb_buf_puts(&b, "**Verdict:** "); /* words of ours first, so that nothing can begin a heading */
		sb_markdown_text(&b, r->verdict);
		sb_buf_puts(&b, "\n\n");
	}
	sb_buf_puts(&b, "| verdict | of | what | measured |\n|---|---|---|---|\n");
	for (size_t k = 0; k < SB_ARRAY_LEN(order); k++)
		for (size_t i = 0; i < r->n_cases; i++)
			if (r->cases[i].outcome == order[k] && rows++ < SB_CI_SUMMARY_CASES)
				add_row(&b, &r->cases[i]);
	if (rows > SB_CI_SUMMARY_CASES)
		sb_buf_addf(&b, "\nand %zu more.\n", rows - SB_CI_SUMMARY_CASES);
	sb_buf_puts(&b, "\n");
	for (size_t i = 0; i < r->n_facts; i++) {
		sb_buf_puts(&b, "- **");
		sb_markdown_text(&b, r->facts[i].key);
		sb_buf_puts(&b, ":** ");
		sb_markdown_text(&b, r->facts[i].value);
		sb_buf_puts(&b, "\n");
	}
	sb_buf_puts(&b, "\n");
	status = sb_report_write(&b, out, err);
	sb_buf_release(&b);
	return status;
}

/* ---- annotations ------------------------------------------------------------------------------------------------ */

/* A line is a command where it begins with "::"; %, CR and LF are written as URLs do, in properties : and , too. */
static void add_data(struct sb_buf *b, const char *text, bool property)
{
	struct sb_buf clean = { 0 };

	sb_report_escape(&clean, text ? text : "");
	for (const char *s = sb_buf_str(&clean); *s; s++) {
		if (*s == '%' || *s == '\r' || *s == '\n' || (property && (*s == ':' || *s == ',')))
			sb_buf_addf(b, "%%%02X", (unsigned)(unsigned char)*s);
		else
			sb_buf_add(b, s, 1);
	}
	b->failed |= clean.failed;
	sb_buf_release(&clean);
}

static void add_annotation(struct sb_buf *b, const struct sb_ci_report *r, const struct sb_ci_case *c, const char *kind)
{
	sb_buf_addf(b, "::%s title=", kind);
	add_data(b, r->name, true);
	sb_buf_puts(b, "::");
	add_data(b, c->group, false);
	sb_buf_puts(b, ": ");
	add_data(b, c->name, false);
	sb_buf_puts(b, ": ");
	add_data(b, c->word ? c->word : word_of(c->outcome), false);
	if (c->message) {
		sb_buf_puts(b, ": ");
		add_data(b, c->message, false);
	}
	sb_buf_puts(b, "\n");
}

static bool is_shown(const struct sb_ci_case *c, enum sb_ci_outcome outcome)
{
	return c->outcome == outcome && (outcome == SB_CI_FAILED || c->notable);
}

static void add_annotations(
        struct sb_buf *b, const struct sb_ci_report *r, enum sb_ci_outcome outcome, const char *kind)
{
	size_t total = 0, done = 0;

	for (size_t i = 0; i < r->n_cases; i++)
		total += is_shown(&r->cases[i], outcome);
	for (size_t i = 0; i < r->n_cases; i++) {
		if (!is_shown(&r->cases[i], outcome))
			continue;
		if (total > ANNOTATIONS_MAX && done == ANNOTATIONS_MAX - 1) {
			sb_buf_addf(b, "::%s title=", kind);
			add_data(b, r->name, true);
			sb_buf_addf(b, "::and %zu more, see the summary of this step\n", total - done);
			return;
		}
		add_annotation(b, r, &r->cases[i], kind);
		done++;
	}
}

enum sb_status sb_ci_github_annotations(const struct sb_ci_report *r, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { .failed = r->failed };
	enum sb_status status;

	add_annotations(&b, r, SB_CI_FAILED, "error");
	add_annotations(&b, r, SB_CI_OPEN, "warning");
	status = sb_report_write(&b, out, err);
	sb_buf_release(&b);
	return status;
}
