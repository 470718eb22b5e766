/*
 * JUnit's XML. Nobody owns the format; what is written here is what both Ant's schema and Jenkins's allow: attributes
 * and elements in their order, a time stamp without a zone (UTC), a decision as failure or skipped.
 */
#include "reports_internal.h"
#include "sb_ci.h"

#include <math.h>
#include <string.h>

/* U+FFFE and U+FFFF are characters that XML has not. */
static bool is_forbidden(const char *s)
{
	return !strncmp(s, "\xef\xbf\xbe", 3) || !strncmp(s, "\xef\xbf\xbf", 3);
}

/* Text or the value of an attribute. Control characters and what is not UTF-8 are \xNN before they come here. */
static void add_text(struct sb_buf *b, const char *text)
{
	static const struct {
		char c;
		const char *entity;
	} special[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&apos;" } };
	struct sb_buf clean = { 0 };

	sb_report_escape(&clean, text ? text : "");
	for (const char *s = sb_buf_str(&clean); *s; s++) {
		const char *entity = NULL;

		for (size_t i = 0; i < SB_ARRAY_LEN(special); i++)
			if (special[i].c == *s)
				entity = special[i].entity;
		if (entity) {
			sb_buf_puts(b, entity);
		} else if (is_forbidden(s)) {
			sb_buf_addf(b, "\\xef\\xbf\\x%02x", (unsigned)(unsigned char)s[2]);
			s += 2;
		} else {
			sb_buf_add(b, s, 1);
		}
	}
	b->failed |= clean.failed;
	sb_buf_release(&clean);
}

static void add_attribute(struct sb_buf *b, const char *name, const char *value)
{
	sb_buf_addf(b, " %s=\"", name);
	add_text(b, value);
	sb_buf_puts(b, "\"");
}

static void add_suite(struct sb_buf *b, const struct sb_ci_report *r)
{
	double seconds = isfinite(r->seconds) && r->seconds > 0.0 ? r->seconds : 0.0;
	char iso[32];

	sb_time_iso(r->created_ns, iso);
	iso[strcspn(iso, "Z")] = '\0';
	sb_buf_puts(b, "  <testsuite");
	add_attribute(b, "name", r->name);
	add_attribute(b, "timestamp", iso);
	add_attribute(b, "hostname", r->host && *r->host ? r->host : "localhost");
	sb_buf_addf(b, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\"", r->n_cases,
	        sb_ci_count(r, SB_CI_FAILED), sb_ci_count(r, SB_CI_OPEN), seconds);
	sb_buf_puts(b, " package=\"spabench\" id=\"0\">\n");
}

static void add_properties(struct sb_buf *b, const struct sb_ci_report *r)
{
	sb_buf_puts(b, "    <properties>\n");
	for (size_t i = 0; i < r->n_facts; i++) {
		sb_buf_puts(b, "      <property");
		add_attribute(b, "name", r->facts[i].key);
		add_attribute(b, "value", r->facts[i].value);
		sb_buf_puts(b, "/>\n");
	}
	sb_buf_puts(b, "    </properties>\n");
}

/* "not met: claimed 2-3x, .." */
static void add_message(struct sb_buf *b, const struct sb_ci_case *c)
{
	sb_buf_puts(b, " message=\"");
	add_text(b, c->word);
	sb_buf_puts(b, c->word && c->message ? ": " : "");
	add_text(b, c->message);
	sb_buf_puts(b, "\"");
}

static void add_case(struct sb_buf *b, const struct sb_ci_case *c)
{
	sb_buf_puts(b, "    <testcase");
	add_attribute(b, "name", c->name);
	add_attribute(b, "classname", c->group);
	sb_buf_puts(b, " time=\"0.000\"");
	if (c->outcome == SB_CI_PASSED) {
		sb_buf_puts(b, "/>\n");
		return;
	}
	sb_buf_puts(b, c->outcome == SB_CI_FAILED ? ">\n      <failure" : ">\n      <skipped");
	add_message(b, c);
	if (c->outcome == SB_CI_FAILED) {
		add_attribute(b, "type", c->word ? c->word : "fail");
		sb_buf_puts(b, ">");
		add_text(b, c->message);
		sb_buf_puts(b, "</failure>\n    </testcase>\n");
	} else {
		sb_buf_puts(b, "/>\n    </testcase>\n");
	}
}

enum sb_status sb_ci_junit(const struct sb_ci_report *r, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { .failed = r->failed };
	enum sb_status status;

	sb_buf_puts(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
	add_suite(&b, r);
	add_properties(&b, r);
	for (size_t i = 0; i < r->n_cases; i++)
		add_case(&b, &r->cases[i]);
	sb_buf_puts(&b, "    <system-out>");
	add_text(&b, r->verdict);
	/* What passed has nowhere else to say how. */
	for (size_t i = 0; i < r->n_cases; i++) {
		const struct sb_ci_case *c = &r->cases[i];

		if (c->outcome != SB_CI_PASSED || !c->message)
			continue;
		sb_buf_puts(&b, "\n");
		add_text(&b, c->name);
		sb_buf_puts(&b, ": ");
		add_text(&b, c->word);
		sb_buf_puts(&b, ": ");
		add_text(&b, c->message);
	}
	sb_buf_puts(&b, "</system-out>\n    <system-err></system-err>\n  </testsuite>\n</testsuites>\n");
	status = sb_report_write(&b, out, err);
	sb_buf_release(&b);
	return status;
}
