/* What the renderers share. */
#ifndef SB_REPORTS_INTERNAL_H
#define SB_REPORTS_INTERNAL_H

#include "sb_reports.h"

/* Display columns of well-formed UTF-8: 2 for wide East Asian characters and emoji, 0 for combining marks. */
int sb_display_width(const char *s);
/* Bytes of the longest head of s that takes at most `columns`. */
size_t sb_display_head(const char *s, int columns);

/* ---- number.c: figures as people read them ------------------------------------------------------------------- */

struct sb_scale {
	double factor; /* base units in one of these */
	const char *unit;
};

/* One unit for two values that stand side by side. */
struct sb_scale sb_report_scale(enum sb_unit unit, double a, double b);
/*
 * `digits` significant digits, without an exponent where that is readable. Whole numbers keep their zeros behind the
 * point unless they are `counts`: 12.00 ms beside 12.34 ms, but 12 calls. "-" for what is not finite.
 */
void sb_report_number(double x, int digits, bool counts, char out[32]);
/* "12.34 ms"; "-" for what is absent. */
void sb_report_value(struct sb_value v, struct sb_scale scale, int digits, char out[48]);
/* A ratio, or a difference or value with its unit, and its interval; "-" for what there is not. */
void sb_report_effect(const struct sb_effect *e, enum sb_unit unit, enum sb_compare compare, bool exact,
        char estimate[48], char interval[96]);
/* "3 timing (1 broken off), 6 trace" */
void sb_report_blocks(struct sb_buf *b, const struct sb_summary *s);
/* Append sb_escape(s), however long it is. */
void sb_report_escape(struct sb_buf *b, const char *s);

/* ---- page.c: lines of a table --------------------------------------------------------------------------------- */

enum sb_tint { SB_TINT_PLAIN, SB_TINT_BOLD, SB_TINT_GREEN, SB_TINT_RED, SB_TINT_YELLOW };

struct sb_page {
	struct sb_buf buf;
	int width; /* display columns */
	bool color;
	int over; /* columns that the numbers of this line have taken from those that follow */
};
void sb_page_blanks(struct sb_page *p, int n);
/* Escaped text in a field of `columns`, cut with "..", padded on the right (or on the left if `right`). */
void sb_page_cell(struct sb_page *p, const char *text, int columns, bool right, enum sb_tint tint);
/*
 * A number in a field of `columns`, padded on the left: never cut, since the rest would read as another number. One
 * that is too long takes the room it needs, one blank before it, and the next numbers of the line give way.
 */
void sb_page_number(struct sb_page *p, const char *text, int columns, enum sb_tint tint);
/* End a line without the blanks that padding left. */
void sb_page_end(struct sb_page *p);
/* Escaped words from column `at`, where the line stands now, to the width; following lines are indented. Ends the line.
 */
void sb_page_paragraph(struct sb_page *p, const char *text, int at, int indent);
/* "  key  text..", wrapped; nothing for no text. */
void sb_page_item(struct sb_page *p, const char *key, int columns, const char *text);

/* ---- arm_heads.c: what stands above an arm's column ------------------------------------------------------------ */

#define SB_ARM_HEAD_MAX 64
/*
 * For each of n arms a head of at most `columns`, no two the same: the name where it fits, "+prec+attn" for switches,
 * else "arm N", N from 1, which the caller has to explain.
 */
void sb_report_arm_heads(const char *const *names, int n, int columns, char (*out)[SB_ARM_HEAD_MAX]);
/* The same for the arms of a summary; to be freed, NULL without memory. */
char (*sb_report_summary_heads(const struct sb_summary *s, int columns))[SB_ARM_HEAD_MAX];
bool sb_report_arm_is_numbered(const char *name, const char *head);

/* ---- rows.c ----------------------------------------------------------------------------------------------------- */

/* The one thing to say about a row of a group that a number cannot; NULL: nothing. */
const char *sb_row_remark(const struct sb_summary_row *row, const struct sb_summary_group *g);
/* Does it stand in a table for people? A total does in any case. */
bool sb_row_is_shown(const struct sb_summary_row *row);

/* ---- csv.c, markdown.c: escaping ------------------------------------------------------------------------------ */

struct sb_csv {
	struct sb_buf buf;
	int column; /* of the next cell */
};
void sb_csv_header(struct sb_csv *c, const char *const *names); /* NULL-terminated */
/* Control characters as \xNN; an apostrophe before what a spreadsheet would run: = + - @. NULL is an empty cell. */
void sb_csv_text(struct sb_csv *c, const char *text);
void sb_csv_number(struct sb_csv *c, double x); /* reads back as the same number; NAN is an empty cell */
void sb_csv_end(struct sb_csv *c);

/* Text that stands as it is wherever Markdown has inline text, table cells included. */
void sb_markdown_text(struct sb_buf *b, const char *text);

/* html.c: the same for HTML, attributes included. */
void sb_html_text(struct sb_buf *b, const char *text);

/* ---- show_case.c ---------------------------------------------------------------------------------------------- */

/* The run's parameters, items of a page: clip, network, tracker, and what has no place among them. */
void sb_show_case(struct sb_page *p, const struct sb_run *run, int columns);

/* Write all of `text` and flush. Errors: SB_E_DATA, SB_E_NOMEM if the buffer failed. */
enum sb_status sb_report_write(const struct sb_buf *text, FILE *out, struct sb_error *err);

#endif
