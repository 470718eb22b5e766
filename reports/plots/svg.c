/* gnuplot's SVG made fit for a page, light or dark. */
#include "plots_internal.h"

#include <string.h>

/*
 * Attributes' values as gnuplot writes them, with and without padding, and what they are on a dark page. The colours
 * are those of style.gp.
 */
static const char dark_style[] =
        "<style>@media screen and (prefers-color-scheme:dark){"
        ".sb-plot [fill=\"rgb(34,34,34)\"]{fill:#e8e8e8}.sb-plot [stroke='rgb( 34,  34,  34)']{stroke:#e8e8e8}"
        ".sb-plot [fill=\"rgb(85,85,85)\"]{fill:#bdbdbd}.sb-plot [stroke='rgb( 85,  85,  85)']{stroke:#bdbdbd}"
        ".sb-plot [stroke='rgb(221, 221, 221)']{stroke:#3d3d3d}"
        ".sb-plot [fill='rgb(221, 221, 221)']{fill:#383d43}.sb-plot [fill='rgb(230, 236, 240)']{fill:#2c3840}"
        ".sb-plot [fill='rgb(201, 214, 223)']{fill:#45525d}.sb-plot [fill='rgb(227, 234, 239)']{fill:#2c363e}"
        ".sb-plot [color='rgb( 85,  85,  85)']{color:#bdbdbd}"
        ".sb-plot [color=\"black\"]{color:#e8e8e8}}</style>\n";

static const char empty_group[] = "<g fill=\"none\" color=\"";

/* From `s`, the beginning of a group, to behind its end, if there is nothing in it but blanks; else NULL. */
static const char *behind_empty_group(const char *s)
{
	const char *p;

	if (strncmp(s, empty_group, strlen(empty_group)) != 0 || !(p = strchr(s, '>')))
		return NULL;
	p++;
	p += strspn(p, " \t\r\n");
	if (strncmp(p, "</g>", 4) != 0)
		return NULL;
	p += 4;
	return p + strspn(p, " \t\r\n");
}

/* The same for an element that is left out whole: `open` to `close`. */
static const char *behind_element(const char *s, const char *open, const char *close)
{
	const char *p;

	if (strncmp(s, open, strlen(open)) != 0 || !(p = strstr(s, close)))
		return NULL;
	p += strlen(close);
	return p + strspn(p, " \t\r\n");
}

static const char *behind_what_is_left_out(const char *s)
{
	static const struct {
		const char *open, *close;
	} elements[] = {
		{ "<title>", "</title>" },                            /* a tooltip with a file's name */
		{ "<desc>", "</desc>" }, { "<filter ", "</filter>" }, /* boxes behind text: not used */
		{ "<rect x=\"0\" y=\"0\" ", "/>" },                   /* the background */
	};
	const char *p = behind_empty_group(s);

	for (size_t i = 0; i < SB_ARRAY_LEN(elements) && !p; i++)
		p = behind_element(s, elements[i].open, elements[i].close);
	return p;
}

bool sb_plot_svg(const char *svg, struct sb_buf *out)
{
	const char *s = strstr(svg, "<svg"), *body = s ? strchr(s, '>') : NULL, *p;

	if (!body || !strstr(body, "</svg>"))
		return false;
	sb_buf_puts(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<svg class=\"sb-plot\"");
	sb_buf_add(out, s + 4, (size_t)(body + 1 - (s + 4)));
	sb_buf_puts(out, "\n");
	sb_buf_puts(out, dark_style);
	for (s = body + 1; *s; s++) {
		while ((p = behind_what_is_left_out(s)))
			s = p;
		if (*s)
			sb_buf_add(out, s, 1);
		else
			break;
	}
	return true;
}
