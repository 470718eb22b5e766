/* What the renderers share. */
#ifndef SB_REPORTS_INTERNAL_H
#define SB_REPORTS_INTERNAL_H

#include "sb_reports.h"

/* Display columns of well-formed UTF-8: 2 for wide East Asian characters and emoji, 0 for combining marks. */
int sb_display_width(const char *s);
/* Bytes of the longest head of s that takes at most `columns`. */
size_t sb_display_head(const char *s, int columns);

/* Write all of `text` and flush. Errors: SB_E_DATA, SB_E_NOMEM if the buffer failed. */
enum sb_status sb_report_write(const struct sb_buf *text, FILE *out, struct sb_error *err);

#endif
