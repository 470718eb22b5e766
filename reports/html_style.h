/* The look of the HTML report: a table of colours and a sheet of styles that uses them. */
#ifndef SB_REPORTS_HTML_STYLE_H
#define SB_REPORTS_HTML_STYLE_H

#include "sb_base.h"

/* A colour by its name in the style sheet, "--text", as "#rrggbb" on a light and on a dark screen. */
struct sb_html_colour {
	const char *name, *light, *dark;
};
extern const struct sb_html_colour sb_html_colours[]; /* ends with a NULL name */

/* Text of one colour that stands on another: each such pair must be told apart (WCAG 2.1, 1.4.3: 4.5 to 1). */
struct sb_html_pair {
	const char *text, *ground;
};
extern const struct sb_html_pair sb_html_pairs[]; /* ends with a NULL text */

/* Relative luminance of two colours set against each other, 1 to 21 (WCAG 2.1). */
double sb_html_contrast(const char *a, const char *b);

void sb_html_style(struct sb_buf *out);

#endif
