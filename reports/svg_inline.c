#include "svg_inline.h"

#include <ctype.h>
#include <string.h>

#include "reports_internal.h"

static bool starts(const char *s, const char *word)
{
	for (; *word; s++, word++)
		if (tolower((unsigned char)*s) != *word)
			return false;
	return true;
}

/* An attribute of an event, " onload=", and none of a longer word. */
static bool is_handler(const char *s)
{
	if (!isspace((unsigned char)s[0]) || !starts(s + 1, "on"))
		return false;
	for (s += 3; isalpha((unsigned char)*s); s++)
		;
	while (isspace((unsigned char)*s))
		s++;
	return *s == '=';
}

/* 'href="#here"' is an address inside; any other may be outside. */
static bool leads_out(const char *s)
{
	size_t n;

	if (starts(s, "url("))
		return s[4] != '#' && strncmp(s + 4, "\"#", 2) != 0 && strncmp(s + 4, "'#", 2) != 0;
	if (!starts(s, "href"))
		return false;
	n = 4 + strspn(s + 4, " \t\r\n");
	if (s[n] != '=')
		return false;
	n += 1 + strspn(s + n + 1, " \t\r\n");
	return (s[n] != '"' && s[n] != '\'') || s[n + 1] != '#';
}

/* Where in the markup: text, a tag, or a value in quotes within a tag. */
static char place_after(char place, char c)
{
	if (place == '"' || place == '\'')
		return c == place ? '<' : place;
	if (place == '<' && (c == '"' || c == '\''))
		return c;
	return c == '<' ? '<' : c == '>' ? '>' : place;
}

bool sb_svg_is_plain(const char *svg)
{
	static const char *const never[] = { "<script", "<foreignobject", "<!entity", "javascript:", "@import",
		"<iframe", "<embed", "<object", "<image", "<animate", "<set" };
	char place = '>';

	for (const char *s = svg; *s; s++) {
		for (size_t i = 0; i < SB_ARRAY_LEN(never); i++)
			if (starts(s, never[i]))
				return false;
		if (place == '<' && is_handler(s))
			return false;
		if (leads_out(s))
			return false;
		place = place_after(place, *s);
	}
	return strstr(svg, "<svg") != NULL;
}

/* How many bytes from `s` on come before an id: of ' id="', '"#' and 'url(#'; 0: none does. */
static size_t before_id(const char *s)
{
	static const char *const heads[] = { " id=\"", " id='", "href=\"#", "href='#", "url(#", "url(\"#", "url('#",
		" aria-labelledby=\"" };

	for (size_t i = 0; i < SB_ARRAY_LEN(heads); i++)
		if (!strncmp(s, heads[i], strlen(heads[i])))
			return strlen(heads[i]);
	return 0;
}

void sb_svg_inline(struct sb_buf *out, const char *svg, const char *prefix, const char *alt)
{
	const char *s;

	if (!svg || !sb_svg_is_plain(svg)) {
		sb_buf_puts(out, "<p>The plot could not be put into this page.</p>\n");
		return;
	}
	s = strstr(svg, "<svg") + 4;
	sb_buf_puts(out, "<svg role=\"img\" aria-label=\"");
	sb_html_text(out, alt ? alt : "");
	sb_buf_puts(out, "\"");
	while (*s) {
		size_t n = before_id(s);

		sb_buf_add(out, s, n ? n : 1);
		s += n ? n : 1;
		if (n)
			sb_buf_addf(out, "%s-", prefix);
	}
}
