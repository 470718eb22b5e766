/* SVG files inside an HTML page. */
#ifndef SB_REPORTS_SVG_INLINE_H
#define SB_REPORTS_SVG_INLINE_H

#include "sb_base.h"

/*
 * Is this an SVG that only draws? Not where there is a script, an event's handler, an entity of its own, or an address
 * that is not inside of it.
 */
bool sb_svg_is_plain(const char *svg);

/*
 * Append the element <svg>, with what stands before it left out, and PREFIX before each of its ids, since a page has
 * many plots with the same ones. `alt` is what is read out to who cannot see it. An SVG that is not plain is left out.
 */
void sb_svg_inline(struct sb_buf *out, const char *svg, const char *prefix, const char *alt);

#endif
