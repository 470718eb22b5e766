#include "path_json.h"

#include <string.h>

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

json_t *sb_path_json(const char *path)
{
	struct sb_buf hex = { 0 };
	json_t *j = NULL;

	if (sb_is_utf8(path))
		return json_string(path);
	for (const unsigned char *p = (const unsigned char *)path; *p; p++)
		sb_buf_addf(&hex, "%02x", *p);
	if (!hex.failed)
		j = json_pack("{s:s}", "hex", sb_buf_str(&hex));
	sb_buf_release(&hex);
	return j;
}

/* Bytes of hex digits, none of them 0; false when they are not. */
static bool from_hex(const char *hex, char *out, size_t n)
{
	size_t len = strlen(hex) / 2;

	if (strlen(hex) % 2 || len >= n)
		return false;
	for (size_t i = 0; i < 2 * len; i++)
		if (hex_digit(hex[i]) < 0 || (i % 2 && hex[i] == '0' && hex[i - 1] == '0'))
			return false;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
	out[len] = '\0';
	return true;
}

bool sb_path_from_json(const json_t *j, char *out, size_t n)
{
	const char *s = json_string_value(j), *hex = json_string_value(json_object_get(j, "hex"));

	if (!s)
		return hex && from_hex(hex, out, n);
	if (strlen(s) >= n || strlen(s) != json_string_length(j)) /* a zero inside would name another file */
		return false;
	strcpy(out, s);
	return true;
}
