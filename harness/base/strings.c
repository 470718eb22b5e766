#include "sb_base.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct sb_buf *b, size_t more)
{
	if (b->failed)
		return false;
	if (b->len + more + 1 > b->cap) {
		size_t cap = b->cap ? b->cap : 64;
		char *s;

		while (cap < b->len + more + 1)
			cap *= 2;
		s = realloc(b->s, cap);
		if (!s) {
			b->failed = true;
			return false;
		}
		b->s = s;
		b->cap = cap;
	}
	return true;
}

void sb_buf_add(struct sb_buf *b, const char *data, size_t len)
{
	if (!reserve(b, len))
		return;
	memcpy(b->s + b->len, data, len);
	b->len += len;
	b->s[b->len] = '\0';
}

void sb_buf_puts(struct sb_buf *b, const char *s)
{
	sb_buf_add(b, s, strlen(s));
}

void sb_buf_addf(struct sb_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

const char *sb_buf_str(const struct sb_buf *b)
{
	return b->s ? b->s : "";
}

void sb_buf_release(struct sb_buf *b)
{
	free(b->s);
	*b = (struct sb_buf){ 0 };
}

static uint64_t malloc_failures;

void *sb_malloc_noted(size_t n)
{
	void *p = malloc(n);

	malloc_failures += !p;
	return p;
}

uint64_t sb_malloc_failures(void)
{
	return malloc_failures;
}

char *sb_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = malloc(n);

	return copy ? memcpy(copy, s, n) : NULL;
}

bool sb_list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
		if ((p == list || p[-1] == ',' || p[-1] == ' ') && (p[n] == ',' || p[n] == ' ' || !p[n]))
			return true;
	return false;
}

enum sb_status sb_parse_int(
        const char *s, const char *what, int64_t min, int64_t max, int64_t *out, struct sb_error *err)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (end == s || *end || isspace((unsigned char)*s) || errno == ERANGE || v < min || v > max)
		return sb_fail(err, SB_E_USAGE, "%s '%.64s' is not a whole number from %lld to %lld", what, s,
		        (long long)min, (long long)max);
	*out = v;
	return SB_OK;
}

enum sb_status sb_parse_double(
        const char *s, const char *what, double min, double max, double *out, struct sb_error *err)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || *end || isspace((unsigned char)*s) || strpbrk(s, "xX") || !isfinite(v) || v < min || v > max)
		return sb_fail(err, SB_E_USAGE, "%s '%.64s' is not a number from %g to %g", what, s, min, max);
	*out = v;
	return SB_OK;
}

enum sb_status sb_parse_bytes(const char *s, const char *what, int64_t *out, struct sb_error *err)
{
	static const char units[] = "KMGT";
	char *end;
	double v = strtod(s, &end), factor = 1.0;
	const char *unit;

	if (end == s || memchr(s, 'x', (size_t)(end - s)) || memchr(s, 'X', (size_t)(end - s)) || !isfinite(v) || v < 0)
		return sb_fail(err, SB_E_USAGE, "%s '%.64s' is not a size; write for instance 512M or 24GiB", what, s);
	if (*end && (unit = strchr(units, *end)) && (!end[1] || !strcmp(end + 1, "iB"))) {
		for (const char *u = units; u <= unit; u++)
			factor *= 1024.0;
	} else if (*end) {
		return sb_fail(
		        err, SB_E_USAGE, "%s '%.64s' has an unknown unit; write for instance 512M or 24GiB", what, s);
	}
	if (v * factor > 9.0e18)
		return sb_fail(err, SB_E_USAGE, "%s '%.64s' is too large", what, s);
	*out = (int64_t)(v * factor);
	return SB_OK;
}

/*
 * Bytes of the UTF-8 sequence at s, or 0 when it is not a well-formed one (Unicode, table 3-7): overlong forms, halves
 * of surrogate pairs and what lies beyond U+10FFFF are none, and lenient terminals would see control characters in
 * them.
 */
static size_t utf8_length(const unsigned char *s)
{
	unsigned lowest = 0x80, highest = 0xbf; /* of the second byte */
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (s[0] == 0xe0)
		lowest = 0xa0;
	else if (s[0] == 0xed)
		highest = 0x9f;
	else if (s[0] == 0xf0)
		lowest = 0x90;
	else if (s[0] == 0xf4)
		highest = 0x8f;
	if (n > 1 && (s[1] < lowest || s[1] > highest))
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* C1 control characters (U+0080 to U+009F) drive terminals too. */
	if (n == 2 && s[0] == 0xc2 && s[1] < 0xa0)
		return 0;
	return n;
}

bool sb_is_utf8(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p) {
		size_t n = utf8_length(p);

		if (!n)
			return false;
		p += n;
	}
	return true;
}

/* Characters that turn the direction of the line they stand in (U+061C, U+200E .., U+202A .., U+2066 ..): what is
 * printed behind them would not be where it seems. */
static bool turns_the_line(const unsigned char *s, size_t len)
{
	if (len == 2)
		return s[0] == 0xd8 && s[1] == 0x9c;
	if (len != 3 || s[0] != 0xe2)
		return false;
	return (s[1] == 0x80 && (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xaa && s[2] <= 0xae))) ||
	       (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
}

void sb_escape(const char *s, char *out, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t used = 0;

	while (*p && n) {
		size_t len = utf8_length(p);

		if (len == 0 || *p < 0x20 || *p == 0x7f || turns_the_line(p, len)) {
			if (used + 5 > n)
				break;
			used += (size_t)snprintf(out + used, n - used, "\\x%02x", *p++);
		} else {
			if (used + len + 1 > n)
				break;
			memcpy(out + used, p, len);
			used += len;
			p += len;
		}
	}
	if (n)
		out[used] = '\0';
}
