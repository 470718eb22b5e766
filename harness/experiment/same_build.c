#include "same_build.h"

#include <string.h>

/* How often text[len] is a word of `list`. */
static int occurrences(const char *list, const char *text, size_t len)
{
	int n = 0;

	for (list += strspn(list, " "); *list; list += strspn(list, " ")) {
		size_t word = strcspn(list, " ");

		n += word == len && !memcmp(list, text, len);
		list += word;
	}
	return n;
}

/* Append the words of `list` that it has more often than `other`, each once. */
static void add_surplus(const char *list, const char *other, const char *title, struct sb_buf *out)
{
	const char *separator = title;

	for (const char *at = list + strspn(list, " "); *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");
		bool last = occurrences(at, at, len) == 1;

		if (last && occurrences(list, at, len) > occurrences(other, at, len)) {
			sb_buf_addf(out, "%s%s", separator == title && out->len ? ", " : "", separator);
			sb_buf_add(out, at, len);
			separator = " ";
		}
		at += len;
	}
}

void sb_flags_difference(const char *was, const char *is, struct sb_buf *out)
{
	if (!strcmp(was, is))
		return;
	add_surplus(is, was, "with ", out);
	add_surplus(was, is, "without ", out);
	if (!out->len)
		sb_buf_puts(out, "in another order");
}
