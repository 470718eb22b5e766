/* A document as one HTML file that needs nothing beside it: styles and plots are inside, nothing runs, nothing loads.
 */
#include <string.h>

#include "document.h"
#include "html_style.h"
#include "reports_internal.h"
#include "svg_inline.h"

/* ---- escaping -------------------------------------------------------------------------------------------------- */

static const char *entity_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	}
	return NULL;
}

void sb_html_text(struct sb_buf *b, const char *text)
{
	struct sb_buf clean = { 0 };

	sb_report_escape(&clean, text);
	for (const char *s = sb_buf_str(&clean); *s; s++) {
		const char *entity = entity_of(*s);

		if (entity)
			sb_buf_puts(b, entity);
		else
			sb_buf_add(b, s, 1);
	}
	b->failed |= clean.failed;
	sb_buf_release(&clean);
}

static void attribute(struct sb_buf *b, const char *name, const char *value)
{
	if (!value)
		return;
	sb_buf_addf(b, " %s=\"", name);
	sb_html_text(b, value);
	sb_buf_puts(b, "\"");
}

/* ---- spans ----------------------------------------------------------------------------------------------------- */

static const char *const tones[] = { [SB_TONE_PLAIN] = "",
	[SB_TONE_GOOD] = "good",
	[SB_TONE_BAD] = "bad",
	[SB_TONE_UNSURE] = "unsure",
	[SB_TONE_MUTED] = "quiet" };

static void number(struct sb_buf *b, const struct sb_span *s)
{
	const struct sb_datum *d = &s->datum;

	sb_buf_addf(b, "<data value=\"%.17g\"", d->value);
	attribute(b, "data-metric", d->metric);
	attribute(b, "data-arm", d->arm);
	attribute(b, "data-after", d->after);
	attribute(b, "data-what", d->what);
	attribute(b, "data-unit", d->unit && *d->unit ? d->unit : NULL);
	sb_buf_puts(b, ">");
	sb_html_text(b, s->text);
	sb_buf_puts(b, "</data>");
}

static void tagged(struct sb_buf *b, const char *tag, const char *text)
{
	sb_buf_addf(b, "<%s>", tag);
	sb_html_text(b, text);
	sb_buf_addf(b, "</%s>", tag);
}

static void span(struct sb_buf *b, const struct sb_span *s)
{
	switch (s->kind) {
	case SB_SPAN_TEXT:
		sb_html_text(b, s->text);
		break;
	case SB_SPAN_STRONG:
		tagged(b, "strong", s->text);
		break;
	case SB_SPAN_STORED:
		tagged(b, "bdi", s->text);
		break;
	case SB_SPAN_CODE:
		tagged(b, "code", s->text);
		break;
	case SB_SPAN_NUMBER:
		number(b, s);
		break;
	case SB_SPAN_BADGE:
		sb_buf_addf(b, "<span class=\"badge %s\">", tones[s->tone]);
		sb_html_text(b, s->text);
		sb_buf_puts(b, "</span>");
		break;
	case SB_SPAN_LINK:
		sb_buf_puts(b, "<a");
		attribute(b, "href", s->target);
		sb_buf_puts(b, ">");
		sb_html_text(b, s->text);
		sb_buf_puts(b, "</a>");
		break;
	}
}

static void line(struct sb_buf *b, const struct sb_line *l)
{
	for (const struct sb_span *s = l->first; s; s = s->next)
		span(b, s);
}

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

static void heading(struct sb_buf *b, const struct sb_block *h)
{
	sb_buf_addf(b, "<h%d", h->level);
	attribute(b, "id", h->id);
	sb_buf_puts(b, ">");
	line(b, &h->text);
	sb_buf_addf(b, "</h%d>\n", h->level);
}

static void tone_class(struct sb_buf *b, enum sb_tone tone)
{
	if (tone == SB_TONE_MUTED)
		sb_buf_puts(b, " class=\"quiet\"");
	else if (tone != SB_TONE_PLAIN)
		sb_buf_addf(b, " class=\"tone %s\"", tones[tone]);
}

static void paragraph(struct sb_buf *b, const struct sb_block *p)
{
	sb_buf_puts(b, "<p");
	tone_class(b, p->tone);
	sb_buf_puts(b, ">");
	line(b, &p->text);
	sb_buf_puts(b, "</p>\n");
}

static void list(struct sb_buf *b, const struct sb_block *l)
{
	if (!l->rows)
		return;
	sb_buf_puts(b, "<ul");
	tone_class(b, l->tone);
	sb_buf_puts(b, ">\n");
	for (const struct sb_row *r = l->rows; r; r = r->next) {
		sb_buf_puts(b, "<li>");
		line(b, &r->first->line);
		sb_buf_puts(b, "</li>\n");
	}
	sb_buf_puts(b, "</ul>\n");
}

static void cards(struct sb_buf *b, const struct sb_block *c)
{
	static const char *const parts[] = { "what", "figure", "note" };

	sb_buf_puts(b, "<div class=\"cards\">\n");
	for (const struct sb_row *r = c->rows; r; r = r->next) {
		int part = 0;

		sb_buf_puts(b, "<div class=\"card\">");
		for (const struct sb_cell *cell = r->first; cell && part < 3; cell = cell->next) {
			sb_buf_addf(b, "<p class=\"%s\">", parts[part++]);
			line(b, &cell->line);
			sb_buf_puts(b, "</p>");
		}
		sb_buf_puts(b, "</div>\n");
	}
	sb_buf_puts(b, "</div>\n");
}

static void section_row(struct sb_buf *b, const struct sb_row *r, size_t columns)
{
	size_t cells = 0;

	for (const struct sb_cell *c = r->first; c; c = c->next) {
		sb_buf_puts(b, cells ? "<th scope=\"col\" class=\"r\">" : "<th scope=\"rowgroup\">");
		line(b, &c->line);
		sb_buf_puts(b, "</th>");
		cells++;
	}
	if (cells < columns)
		sb_buf_addf(b, "<td colspan=\"%zu\"></td>", columns - cells);
}

static void row(struct sb_buf *b, const struct sb_row *r, const char *align)
{
	size_t column = 0, columns = strlen(align);

	sb_buf_addf(b, "<tr%s>", r->kind == SB_ROW_SECTION ? " class=\"section\"" : "");
	if (r->kind == SB_ROW_SECTION) {
		section_row(b, r, columns);
		sb_buf_puts(b, "</tr>\n");
		return;
	}
	for (const struct sb_cell *c = r->first; c; c = c->next, column++) {
		bool head = r->kind == SB_ROW_HEAD || column == 0, right = column < columns && align[column] == 'r';

		sb_buf_addf(b, "<%s%s%s>", head ? "th" : "td",
		        r->kind == SB_ROW_HEAD ? " scope=\"col\""
		        : head                 ? " scope=\"row\""
		                               : "",
		        right ? " class=\"r\"" : "");
		line(b, &c->line);
		sb_buf_addf(b, "</%s>", head ? "th" : "td");
	}
	sb_buf_puts(b, "</tr>\n");
}

static void table(struct sb_buf *b, const struct sb_block *t)
{
	const struct sb_row *r = t->rows;

	sb_buf_puts(b, "<div class=\"scroll\" role=\"region\" tabindex=\"0\"");
	attribute(b, "aria-labelledby", t->id);
	sb_buf_addf(b, "><table%s><caption", strcmp(t->align, "ll") ? "" : " class=\"keys\"");
	attribute(b, "id", t->id);
	sb_buf_puts(b, "><span>");
	line(b, &t->text);
	sb_buf_puts(b, "</span></caption>\n<thead>\n");
	for (; r && r->kind == SB_ROW_HEAD; r = r->next)
		row(b, r, t->align);
	sb_buf_puts(b, "</thead>\n<tbody>\n");
	for (; r; r = r->next)
		row(b, r, t->align);
	sb_buf_puts(b, "</tbody></table></div>\n");
}

static void file_link(struct sb_buf *b, const char *file, const char *word, bool *any)
{
	if (!file)
		return;
	sb_buf_puts(b, *any ? ", <a" : " Files: <a");
	*any = true;
	attribute(b, "href", file);
	sb_buf_addf(b, ">%s</a>", word);
}

static void figure(struct sb_buf *b, const struct sb_block *f)
{
	const struct sb_picture *p = &f->picture;
	bool any = false;

	sb_buf_puts(b, "<figure id=\"plot-");
	sb_html_text(b, f->id);
	sb_buf_puts(b, "\">\n");
	/* On a narrow screen the plot scrolls in its frame: smaller, its words could not be read. */
	sb_buf_puts(b, "<div class=\"plot\" role=\"region\" tabindex=\"0\"");
	attribute(b, "aria-label", p->alt);
	sb_buf_puts(b, ">");
	sb_svg_inline(b, p->svg_text, p->id, p->alt);
	sb_buf_puts(b, "</div><figcaption>");
	line(b, &f->text);
	file_link(b, p->svg, "SVG", &any);
	file_link(b, p->png, "PNG", &any);
	file_link(b, p->data, "data", &any);
	file_link(b, p->script, "script", &any);
	sb_buf_puts(b, "</figcaption></figure>\n");
}

static void contents(struct sb_buf *b, const struct sb_doc *d)
{
	sb_buf_puts(b, "<nav aria-label=\"Contents\"><ul>\n");
	for (const struct sb_block *h = sb_doc_blocks(d); h; h = h->next) {
		if (h->kind != SB_BLOCK_HEADING || h->level != 2)
			continue;
		sb_buf_puts(b, "<li><a href=\"#");
		sb_html_text(b, h->id ? h->id : "");
		sb_buf_puts(b, "\">");
		line(b, &h->text);
		sb_buf_puts(b, "</a></li>\n");
	}
	sb_buf_puts(b, "</ul></nav>\n");
}

static void block(struct sb_buf *b, const struct sb_doc *d, const struct sb_block *of)
{
	switch (of->kind) {
	case SB_BLOCK_HEADING:
		heading(b, of);
		break;
	case SB_BLOCK_PARAGRAPH:
		paragraph(b, of);
		break;
	case SB_BLOCK_LIST:
		list(b, of);
		break;
	case SB_BLOCK_CARDS:
		cards(b, of);
		break;
	case SB_BLOCK_TABLE:
		table(b, of);
		break;
	case SB_BLOCK_FIGURE:
		figure(b, of);
		break;
	case SB_BLOCK_CODE:
		sb_buf_puts(b, "<pre><code>");
		line(b, &of->text);
		sb_buf_puts(b, "</code></pre>\n");
		break;
	case SB_BLOCK_CONTENTS:
		contents(b, d);
		break;
	}
}

/* The policy makes a browser refuse whatever would load or run, should a plot's markup hold such a thing. */
enum sb_status sb_doc_html(const struct sb_doc *d, struct sb_buf *out, struct sb_error *err)
{
	sb_buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	                 "<meta name=\"generator\" content=\"spabench\">\n"
	                 "<meta name=\"color-scheme\" content=\"light dark\">\n"
	                 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	                 "style-src 'unsafe-inline'; img-src data:\">\n<link rel=\"icon\" href=\"data:,\">\n<title>");
	sb_html_text(out, sb_doc_title(d));
	sb_buf_puts(out, "</title>\n<style>\n");
	sb_html_style(out);
	sb_buf_puts(out, "\n</style>\n</head>\n<body>\n<main>\n");
	for (const struct sb_block *b = sb_doc_blocks(d); b; b = b->next)
		block(out, d, b);
	sb_buf_puts(out, "</main>\n</body>\n</html>\n");
	return out->failed || sb_doc_failed(d) ? sb_fail(err, SB_E_NOMEM, "out of memory for the report") : SB_OK;
}
