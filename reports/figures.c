/* A list of figures and texts, as a command gives that has no run behind it. */
#include "json_parts.h"
#include "reports_internal.h"

#include <stdio.h>

enum { WIDTH = 100, LABEL = 32 };

/* "14.41 GiB (15470690304)": replays are compared to the byte. */
static void value_text(const struct sb_report_figure *f, char out[96])
{
	char scaled[48];

	if (f->value.absent) {
		snprintf(out, 96, "- (%.80s)", f->value.absent);
		return;
	}
	if (f->unit == SB_UNIT_COUNT) {
		snprintf(out, 96, "%.0f", f->value.v);
		return;
	}
	sb_report_value(f->value, sb_report_scale(f->unit, f->value.v, f->value.v), 4, scaled);
	if (f->unit == SB_UNIT_BYTES && f->value.v >= 1024)
		snprintf(out, 96, "%s (%.0f)", scaled, f->value.v);
	else
		snprintf(out, 96, "%s", scaled);
}

enum sb_status sb_report_figures_text(const struct sb_report_figures *r, FILE *out, struct sb_error *err)
{
	struct sb_page p = { .width = WIDTH };
	enum sb_status status;
	char value[96];

	for (size_t i = 0; i < r->n; i++) {
		const struct sb_report_figure *f = &r->v[i];

		sb_page_cell(&p, f->label, LABEL, false, SB_TINT_PLAIN);
		sb_page_blanks(&p, 1);
		value_text(f, value);
		sb_page_paragraph(&p, f->text ? f->text : value, LABEL + 1, LABEL + 1);
	}
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&p.buf);
	return status;
}

enum sb_status sb_report_figures_markdown(const struct sb_report_figures *r, FILE *out, struct sb_error *err)
{
	struct sb_buf b = { 0 };
	enum sb_status status;
	char value[96];

	sb_buf_puts(&b, "| figure | value |\n|---|---|\n");
	for (size_t i = 0; i < r->n; i++) {
		const struct sb_report_figure *f = &r->v[i];

		value_text(f, value);
		sb_buf_puts(&b, "| ");
		sb_markdown_text(&b, f->label);
		sb_buf_puts(&b, " | ");
		sb_markdown_text(&b, f->text ? f->text : value);
		sb_buf_puts(&b, " |\n");
	}
	status = sb_report_write(&b, out, err);
	sb_buf_release(&b);
	return status;
}

enum sb_status sb_report_figures_csv(const struct sb_report_figures *r, FILE *out, struct sb_error *err)
{
	static const char *const header[] = { "name", "value", "unit", "absent", NULL };
	struct sb_csv c = { 0 };
	enum sb_status status;
	char number[32];

	sb_csv_header(&c, header);
	for (size_t i = 0; i < r->n; i++) {
		const struct sb_report_figure *f = &r->v[i];

		sb_csv_text(&c, f->name);
		if (f->text) {
			sb_csv_text(&c, f->text);
		} else if (f->value.absent) {
			sb_csv_text(&c, NULL);
		} else {
			snprintf(number, sizeof(number), "%.17g", f->value.v);
			sb_csv_text(&c, number);
		}
		sb_csv_text(&c, f->text ? "text" : sb_unit_name(f->unit));
		sb_csv_text(&c, f->text ? NULL : f->value.absent);
		sb_csv_end(&c);
	}
	status = sb_report_write(&c.buf, out, err);
	sb_buf_release(&c.buf);
	return status;
}

enum sb_status sb_report_figures_json(const struct sb_report_figures *r, FILE *out, struct sb_error *err)
{
	json_t *root;

	sb_json_begin();
	root = json_object();
	sb_json_put(root, "format", json_string(r->format));
	sb_json_put(root, "schema_version", json_integer(SB_REPORT_JSON_VERSION));
	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i].text)
			sb_json_put(root, r->v[i].name, sb_json_text(r->v[i].text));
		else
			sb_json_put_value(root, r->v[i].name, r->v[i].value);
	}
	return sb_json_write(root, out, err);
}
