/* What doctor found. */
#include "json_parts.h"
#include "reports_internal.h"

#include <string.h>

enum { WIDTH = 100, STATE = 8, NAME = 11 };

static enum sb_tint tint_of(const char *state)
{
	if (!strcmp(state, "ok"))
		return SB_TINT_PLAIN;
	return strcmp(state, "warning") ? SB_TINT_RED : SB_TINT_YELLOW;
}

enum sb_status sb_report_checks_text(const struct sb_report_checks *c, FILE *out, bool color, struct sb_error *err)
{
	const int at = 2 + STATE + 1 + NAME;
	struct sb_page p = { .width = WIDTH, .color = color };
	enum sb_status status;

	for (size_t i = 0; i < c->n; i++) {
		const struct sb_report_check *r = &c->v[i];

		sb_page_blanks(&p, 2);
		sb_page_cell(&p, r->state, STATE, false, tint_of(r->state));
		sb_page_blanks(&p, 1);
		sb_page_cell(&p, r->name, NAME, false, SB_TINT_PLAIN);
		sb_page_paragraph(&p, r->found, at, at);
		if (!*r->advice)
			continue;
		sb_page_blanks(&p, at);
		sb_page_paragraph(&p, r->advice, at, at);
	}
	sb_page_paragraph(&p, c->verdict, 0, 0);
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&p.buf);
	return status;
}

enum sb_status sb_report_checks_json(const struct sb_report_checks *c, FILE *out, struct sb_error *err)
{
	json_t *root, *list;

	sb_json_begin();
	root = json_object();
	list = json_array();
	sb_json_put(root, "format", json_string("spabench-doctor"));
	sb_json_put(root, "schema_version", json_integer(SB_REPORT_JSON_VERSION));
	sb_json_put(root, "subject", sb_json_text(c->subject));
	for (size_t i = 0; i < c->n; i++) {
		json_t *o = json_object();

		sb_json_put(o, "name", sb_json_text(c->v[i].name));
		sb_json_put(o, "state", sb_json_text(c->v[i].state));
		sb_json_put(o, "found", sb_json_text(c->v[i].found));
		sb_json_put(o, "advice", *c->v[i].advice ? sb_json_text(c->v[i].advice) : json_null());
		sb_json_push(list, o);
	}
	sb_json_put(root, "checks", list);
	sb_json_put(root, "ok", json_boolean(c->ok));
	sb_json_put(root, "verdict", sb_json_text(c->verdict));
	return sb_json_write(root, out, err);
}
