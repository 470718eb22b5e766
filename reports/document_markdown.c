/* A document as GitHub's Markdown, its plots in files beside it. */
#include <string.h>

#include "document.h"
#include "reports_internal.h"

/* ---- spans ----------------------------------------------------------------------------------------------------- */

/* As it is typed; a text with a backtick in it needs more of them around it, so it is escaped instead. */
static void code(struct sb_buf *b, const char *text)
{
	struct sb_buf clean = { 0 };

	if (strpbrk(text, "`|")) {
		sb_markdown_text(b, text);
		return;
	}
	sb_report_escape(&clean, text);
	sb_buf_addf(b, "`%s`", sb_buf_str(&clean));
	b->failed |= clean.failed;
	sb_buf_release(&clean);
}

static void span(struct sb_buf *b, const struct sb_span *s)
{
	bool strong = s->kind == SB_SPAN_STRONG || s->kind == SB_SPAN_BADGE;

	if (s->kind == SB_SPAN_CODE) {
		code(b, s->text);
		return;
	}
	sb_buf_puts(b, strong ? "**" : s->kind == SB_SPAN_LINK ? "[" : "");
	sb_markdown_text(b, s->text);
	sb_buf_puts(b, strong ? "**" : "");
	if (s->kind == SB_SPAN_LINK)
		sb_buf_addf(b, "](%s)", s->target);
}

static void line(struct sb_buf *b, const struct sb_line *l)
{
	for (const struct sb_span *s = l->first; s; s = s->next)
		span(b, s);
}

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

static bool is_set_off(enum sb_tone tone)
{
	return tone == SB_TONE_GOOD || tone == SB_TONE_BAD || tone == SB_TONE_UNSURE;
}

static void list(struct sb_buf *b, const struct sb_block *l)
{
	for (const struct sb_row *r = l->rows; r; r = r->next) {
		sb_buf_puts(b, "- ");
		line(b, &r->first->line);
		sb_buf_puts(b, "\n");
	}
	sb_buf_puts(b, l->rows ? "\n" : "");
}

static void table_row(struct sb_buf *b, const struct sb_row *r, size_t columns)
{
	size_t n = 0;

	sb_buf_puts(b, "|");
	for (const struct sb_cell *c = r->first; c; c = c->next, n++) {
		bool slanted = r->kind == SB_ROW_SECTION && !n && c->line.first;

		sb_buf_puts(b, c->line.first ? slanted ? " *" : " " : "");
		line(b, &c->line);
		sb_buf_puts(b, slanted ? "* |" : " |");
	}
	for (; n < columns; n++)
		sb_buf_puts(b, " |");
	sb_buf_puts(b, "\n");
}

static void rule(struct sb_buf *b, const char *align)
{
	sb_buf_puts(b, "|");
	for (; *align; align++)
		sb_buf_puts(b, *align == 'r' ? "---:|" : ":---|");
	sb_buf_puts(b, "\n");
}

/* The caption comes first: Markdown has none. */
static void table(struct sb_buf *b, const struct sb_block *t)
{
	const struct sb_row *r = t->rows;

	line(b, &t->text);
	sb_buf_puts(b, "\n\n");
	if (r)
		table_row(b, r, strlen(t->align));
	rule(b, t->align);
	for (r = r ? r->next : NULL; r; r = r->next)
		table_row(b, r, strlen(t->align));
	sb_buf_puts(b, "\n");
}

static void cards(struct sb_buf *b, const struct sb_block *c)
{
	sb_buf_puts(b, "| | | |\n|:---|:---|:---|\n");
	for (const struct sb_row *r = c->rows; r; r = r->next)
		table_row(b, r, 3);
	sb_buf_puts(b, "\n");
}

/* Names of our own making: nothing in them needs to be escaped. */
static void file_link(struct sb_buf *b, const char *file, const char *word, bool *any)
{
	if (!file)
		return;
	sb_buf_addf(b, "%s[%s](%s)", *any ? ", " : " Files: ", word, file);
	*any = true;
}

static void figure(struct sb_buf *b, const struct sb_block *f)
{
	const struct sb_picture *p = &f->picture;
	bool any = false;

	if (p->png || p->svg) {
		sb_buf_puts(b, "![");
		sb_markdown_text(b, p->alt ? p->alt : "");
		sb_buf_addf(b, "](%s)\n\n", p->png ? p->png : p->svg);
	}
	line(b, &f->text);
	file_link(b, p->svg, "SVG", &any);
	file_link(b, p->png, "PNG", &any);
	file_link(b, p->data, "data", &any);
	file_link(b, p->script, "script", &any);
	sb_buf_puts(b, "\n\n");
}

static void heading(struct sb_buf *b, const struct sb_block *h)
{
	if (h->id && h->level > 1)
		sb_buf_addf(b, "<a id=\"%s\"></a>\n\n", h->id);
	sb_buf_addf(b, "%.*s ", h->level, "###");
	line(b, &h->text);
	sb_buf_puts(b, "\n\n");
}

static void contents(struct sb_buf *b, const struct sb_doc *d)
{
	for (const struct sb_block *h = sb_doc_blocks(d); h; h = h->next) {
		if (h->kind != SB_BLOCK_HEADING || h->level != 2)
			continue;
		sb_buf_puts(b, "- [");
		line(b, &h->text);
		sb_buf_addf(b, "](#%s)\n", h->id ? h->id : "");
	}
	sb_buf_puts(b, "\n");
}

static void block(struct sb_buf *b, const struct sb_doc *d, const struct sb_block *of)
{
	switch (of->kind) {
	case SB_BLOCK_HEADING:
		heading(b, of);
		break;
	case SB_BLOCK_PARAGRAPH:
		sb_buf_puts(b, is_set_off(of->tone) ? "> " : "");
		line(b, &of->text);
		sb_buf_puts(b, "\n\n");
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
	case SB_BLOCK_CODE: /* indented: no text can end it */
		sb_buf_puts(b, "    ");
		for (const struct sb_span *s = of->text.first; s; s = s->next)
			sb_report_escape(b, s->text);
		sb_buf_puts(b, "\n\n");
		break;
	case SB_BLOCK_CONTENTS:
		contents(b, d);
		break;
	}
}

enum sb_status sb_doc_markdown(const struct sb_doc *d, struct sb_buf *out, struct sb_error *err)
{
	for (const struct sb_block *b = sb_doc_blocks(d); b; b = b->next)
		block(out, d, b);
	return out->failed || sb_doc_failed(d) ? sb_fail(err, SB_E_NOMEM, "out of memory for the report") : SB_OK;
}
