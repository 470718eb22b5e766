#include "reports_internal.h"

#include <errno.h>
#include <string.h>

struct range {
	uint32_t first, last;
};

/* No locale is set up here, so wcwidth() cannot be asked. Blocks of Unicode 15 that matter for names. */
static const struct range zero[] = {
	{ 0x0300, 0x036f },
	{ 0x0483, 0x0489 },
	{ 0x0591, 0x05bd },
	{ 0x0610, 0x061a },
	{ 0x064b, 0x065f },
	{ 0x0900, 0x0902 },
	{ 0x1ab0, 0x1aff },
	{ 0x1dc0, 0x1dff },
	{ 0x200b, 0x200f },
	{ 0x202a, 0x202e },
	{ 0x2060, 0x206f },
	{ 0x20d0, 0x20ff },
	{ 0x3099, 0x309a },
	{ 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f },
	{ 0xfeff, 0xfeff },
	{ 0xe0100, 0xe01ef },
};
static const struct range wide[] = {
	{ 0x1100, 0x115f },
	{ 0x231a, 0x231b },
	{ 0x23e9, 0x23ec },
	{ 0x2614, 0x2615 },
	{ 0x2648, 0x2653 },
	{ 0x26a1, 0x26a1 },
	{ 0x2705, 0x2705 },
	{ 0x2728, 0x2728 },
	{ 0x274c, 0x274c },
	{ 0x2753, 0x2757 },
	{ 0x2b1b, 0x2b1c },
	{ 0x2b50, 0x2b50 },
	{ 0x2e80, 0x303e },
	{ 0x3041, 0xa4cf },
	{ 0xa960, 0xa97f },
	{ 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff },
	{ 0xfe30, 0xfe6f },
	{ 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 },
	{ 0x17000, 0x18cff },
	{ 0x1b000, 0x1b2ff },
	{ 0x1f004, 0x1f004 },
	{ 0x1f18e, 0x1f19a },
	{ 0x1f200, 0x1f320 },
	{ 0x1f32d, 0x1f5ff },
	{ 0x1f600, 0x1f64f },
	{ 0x1f680, 0x1f6ff },
	{ 0x1f7e0, 0x1f7eb },
	{ 0x1f90c, 0x1faff },
	{ 0x20000, 0x3fffd },
};

static bool in_ranges(const struct range *r, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n && r[i].first <= c; i++)
		if (c <= r[i].last)
			return true;
	return false;
}

/* One character of UTF-8; a byte that is none counts as one, so that no text can run past its column. */
static size_t decode(const char *s, uint32_t *out)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = p[0] < 0xc2 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 1;
	uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			*out = p[0];
			return 1;
		}
		c = c << 6 | (p[i] & 0x3fu);
	}
	*out = c;
	return n;
}

static int columns_of(uint32_t c)
{
	if (c < 0x300)
		return 1;
	if (in_ranges(zero, SB_ARRAY_LEN(zero), c))
		return 0;
	return in_ranges(wide, SB_ARRAY_LEN(wide), c) ? 2 : 1;
}

int sb_display_width(const char *s)
{
	int width = 0;
	uint32_t c;

	while (*s) {
		s += decode(s, &c);
		width += columns_of(c);
	}
	return width;
}

size_t sb_display_head(const char *s, int columns)
{
	size_t used = 0;
	uint32_t c;

	while (s[used]) {
		size_t n = decode(s + used, &c);

		columns -= columns_of(c);
		if (columns < 0)
			break;
		used += n;
	}
	return used;
}

enum sb_status sb_report_write(const struct sb_buf *text, FILE *out, struct sb_error *err)
{
	if (text->failed)
		return sb_fail(err, SB_E_NOMEM, "out of memory for the report");
	errno = 0;
	if (fwrite(sb_buf_str(text), 1, text->len, out) != text->len || fflush(out) || ferror(out))
		return sb_fail(err, SB_E_DATA, "cannot write the report: %s", errno ? strerror(errno) : "output error");
	return SB_OK;
}
