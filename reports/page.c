/* Lines of a table: cells of so many display columns, paragraphs that wrap, nothing wider than the page. */
#include "reports_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const tint_codes[] = {
	[SB_TINT_PLAIN] = "",
	[SB_TINT_BOLD] = "\033[1m",
	[SB_TINT_GREEN] = "\033[32m",
	[SB_TINT_RED] = "\033[31m",
	[SB_TINT_YELLOW] = "\033[33m",
};

void sb_page_blanks(struct sb_page *p, int n)
{
	while (n-- > 0)
		sb_buf_puts(&p->buf, " ");
}

/* Columns of the first len bytes. */
static int width_of(struct sb_page *p, const char *text, size_t len)
{
	struct sb_buf head = { 0 };
	int width;

	sb_buf_add(&head, text, len);
	width = sb_display_width(sb_buf_str(&head));
	p->buf.failed |= head.failed; /* a width that is not known puts lines elsewhere */
	sb_buf_release(&head);
	return width;
}

void sb_page_cell(struct sb_page *p, const char *text, int columns, bool right, enum sb_tint tint)
{
	struct sb_buf clean = { 0 };
	bool tinted = p->color && tint != SB_TINT_PLAIN;
	const char *end = "";
	size_t len;
	int width;

	sb_report_escape(&clean, text);
	text = sb_buf_str(&clean);
	len = clean.len;
	width = sb_display_width(text);
	if (width > columns) {
		len = sb_display_head(text, columns - 2);
		width = width_of(p, text, len) + 2;
		end = "..";
	}
	if (right)
		sb_page_blanks(p, columns - width);
	sb_buf_puts(&p->buf, tinted ? tint_codes[tint] : "");
	sb_buf_add(&p->buf, text, len);
	sb_buf_puts(&p->buf, end);
	sb_buf_puts(&p->buf, tinted ? "\033[0m" : "");
	if (!right)
		sb_page_blanks(p, columns - width);
	p->buf.failed |= clean.failed;
	sb_buf_release(&clean);
}

void sb_page_number(struct sb_page *p, const char *text, int columns, enum sb_tint tint)
{
	int width = sb_display_width(text), room = columns - p->over;
	int pad = room - width, least = *text ? 1 : 0;

	if (pad < least)
		pad = least;
	p->over = pad + width - room;
	sb_page_blanks(p, pad);
	sb_page_cell(p, text, width, false, tint);
}

void sb_page_end(struct sb_page *p)
{
	p->over = 0;
	while (p->buf.len && p->buf.s[p->buf.len - 1] == ' ')
		p->buf.s[--p->buf.len] = '\0';
	sb_buf_puts(&p->buf, "\n");
}

void sb_page_paragraph(struct sb_page *p, const char *text, int at, int indent)
{
	struct sb_buf clean = { 0 };
	bool first = true;
	const char *s;

	sb_report_escape(&clean, text);
	for (s = sb_buf_str(&clean); *s; s += strspn(s, " ")) {
		size_t len = strcspn(s, " ");
		int width = width_of(p, s, len);

		if (!first && at + 1 + width > p->width) {
			sb_page_end(p);
			sb_page_blanks(p, indent);
			at = indent;
			first = true;
		}
		if (!first) {
			sb_page_blanks(p, 1);
			at++;
		}
		if (at + width > p->width) { /* a word longer than a line is cut in pieces */
			len = sb_display_head(s, p->width - at);
			if (len == 0)
				break;
			width = width_of(p, s, len);
		}
		sb_buf_add(&p->buf, s, len);
		at += width;
		first = false;
		s += len;
	}
	sb_page_end(p);
	p->buf.failed |= clean.failed;
	sb_buf_release(&clean);
}

void sb_page_item(struct sb_page *p, const char *key, int columns, const char *text)
{
	if (!text || !*text)
		return;
	sb_page_blanks(p, 2);
	sb_page_cell(p, key, columns, false, SB_TINT_PLAIN);
	sb_page_blanks(p, 1);
	sb_page_paragraph(p, text, columns + 3, columns + 3);
}
