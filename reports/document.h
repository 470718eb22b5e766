/*
 * A document in pieces: headings, paragraphs, lists, tables, cards, figures, made of text in spans. It is built once
 * and rendered to HTML and to Markdown, so that both say the same. Strings are copied; a document that ran out of
 * memory says so when it is rendered.
 *
 * What is added goes to the piece that was begun last: a heading, a paragraph, an item, a cell, a caption.
 */
#ifndef SB_REPORTS_DOCUMENT_H
#define SB_REPORTS_DOCUMENT_H

#include "sb_reports.h"

/* ---- spans ----------------------------------------------------------------------------------------------------- */

/* How something is meant: colour and mark of a badge, a paragraph, a list. */
enum sb_tone { SB_TONE_PLAIN, SB_TONE_GOOD, SB_TONE_BAD, SB_TONE_UNSURE, SB_TONE_MUTED };

/* What a number that is shown stands for, so that a program can look it up again. */
struct sb_datum {
	const char *metric;      /* as stored, or a name of ours: "blocks" */
	const char *arm, *after; /* `after` only of what compares two; NULL: none */
	const char *what;        /* "median", "ratio", "ratio.lo", .. */
	const char *unit;        /* sb_unit_name(): of `value` */
	double value;            /* not rounded */
};

enum sb_span_kind {
	SB_SPAN_TEXT,   /* words of ours */
	SB_SPAN_STRONG, /* the same, emphasised */
	SB_SPAN_STORED, /* from the database: names, notes, messages */
	SB_SPAN_CODE,   /* from the database or ours: a command, a file */
	SB_SPAN_NUMBER,
	SB_SPAN_BADGE,
	SB_SPAN_LINK, /* to a heading of this document ("#id") or a file beside it */
};

struct sb_span {
	enum sb_span_kind kind;
	const char *text;
	const char *target; /* of a link */
	enum sb_tone tone;  /* of a badge */
	struct sb_datum datum;
	struct sb_span *next;
};

struct sb_line {
	struct sb_span *first, *last;
};

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

enum sb_block_kind {
	SB_BLOCK_HEADING,
	SB_BLOCK_PARAGRAPH,
	SB_BLOCK_LIST,     /* a row an item */
	SB_BLOCK_CARDS,    /* a row a card, three cells: what, the figure, what to know of it */
	SB_BLOCK_TABLE,    /* text: the caption */
	SB_BLOCK_FIGURE,   /* text: the caption */
	SB_BLOCK_CODE,     /* text: as it is typed */
	SB_BLOCK_CONTENTS, /* the headings of level 2 */
};

enum sb_row_kind { SB_ROW_BODY, SB_ROW_HEAD, SB_ROW_SECTION };

struct sb_cell {
	struct sb_line line;
	struct sb_cell *next;
};

struct sb_row {
	enum sb_row_kind kind;
	struct sb_cell *first, *last;
	struct sb_row *next;
};

/* A plot as files: the markup that stands in the HTML, and names relative to the report's folder. */
struct sb_picture {
	const char *id, *alt;
	const char *svg_text;                  /* the whole SVG */
	const char *svg, *png, *data, *script; /* NULL: there is none */
};

struct sb_block {
	enum sb_block_kind kind;
	int level;      /* of a heading: 1 to 3 */
	const char *id; /* of a heading, a table or a figure; NULL: none */
	enum sb_tone tone;
	struct sb_line text;
	const char *align; /* of a table: a letter a column, l or r */
	struct sb_row *rows, *last_row;
	struct sb_picture picture;
	struct sb_block *next;
};

struct sb_doc;
struct sb_doc *sb_doc_new(void); /* NULL: no memory */
void sb_doc_free(struct sb_doc *d);
void sb_doc_release(struct sb_doc *d, struct sb_buf *b); /* of a buffer whose text was added: fails with it */
void sb_doc_fail(struct sb_doc *d);                      /* a part of it found no memory */
bool sb_doc_failed(const struct sb_doc *d);
const struct sb_block *sb_doc_blocks(const struct sb_doc *d);
/* What a window or a list of pages calls it: no part of the text. */
void sb_doc_set_title(struct sb_doc *d, const char *title);
const char *sb_doc_title(const struct sb_doc *d);

/* ---- building -------------------------------------------------------------------------------------------------- */

void sb_doc_heading(struct sb_doc *d, int level, const char *id, const char *text);
void sb_doc_paragraph(struct sb_doc *d, enum sb_tone tone);
void sb_doc_list(struct sb_doc *d, enum sb_tone tone);
void sb_doc_item(struct sb_doc *d);
void sb_doc_cards(struct sb_doc *d);
void sb_doc_card(struct sb_doc *d, const char *what);
/* What follows is its caption until the first row begins. */
void sb_doc_table(struct sb_doc *d, const char *id, const char *align);
void sb_doc_row(struct sb_doc *d, enum sb_row_kind kind);
void sb_doc_cell(struct sb_doc *d);
void sb_doc_heads(struct sb_doc *d, const char *const *heads); /* a row of heads; NULL-terminated */
void sb_doc_code(struct sb_doc *d, const char *text);
void sb_doc_contents(struct sb_doc *d);
void sb_doc_figure(struct sb_doc *d, const struct sb_picture *p);

void sb_doc_text(struct sb_doc *d, const char *text);
void sb_doc_textf(struct sb_doc *d, const char *fmt, ...) SB_PRINTF(2, 3);
void sb_doc_strong(struct sb_doc *d, const char *text);
void sb_doc_stored(struct sb_doc *d, const char *text);
void sb_doc_code_span(struct sb_doc *d, const char *text);
void sb_doc_number(struct sb_doc *d, const char *shown, const struct sb_datum *datum);
void sb_doc_badge(struct sb_doc *d, enum sb_tone tone, const char *text);
void sb_doc_link(struct sb_doc *d, const char *target, const char *text);

/* ---- rendering ------------------------------------------------------------------------------------------------- */

/* Errors: SB_E_NOMEM. `out` holds the whole document. */
enum sb_status sb_doc_html(const struct sb_doc *d, struct sb_buf *out, struct sb_error *err);
enum sb_status sb_doc_markdown(const struct sb_doc *d, struct sb_buf *out, struct sb_error *err);

#endif
