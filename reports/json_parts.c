#include "json_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports_internal.h"

/* Set when out of memory lost a part of the document. */
static _Thread_local bool lost;

void sb_json_begin(void)
{
	lost = false;
}

void sb_json_put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		lost = true;
}

void sb_json_push(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		lost = true;
}

json_t *sb_json_text(const char *s)
{
	struct sb_buf clean = { 0 };
	json_t *out = s ? json_string(s) : json_null();

	if (out)
		return out;
	sb_report_escape(&clean, s);
	out = clean.failed ? NULL : json_string(sb_buf_str(&clean));
	sb_buf_release(&clean);
	return out;
}

json_t *sb_json_number(double x)
{
	if (!isfinite(x))
		return json_null();
	if (x == floor(x) && fabs(x) < 9007199254740992.0)
		return json_integer((json_int_t)x);
	return json_real(x);
}

json_t *sb_json_time(int64_t ns)
{
	char iso[32];

	if (!ns)
		return json_null();
	sb_time_iso(ns, iso);
	return json_string(iso);
}

json_t *sb_json_stored(const char *s)
{
	uint64_t failures = sb_malloc_failures();
	json_t *parsed;

	json_set_alloc_funcs(sb_malloc_noted, free);
	parsed = s ? json_loads(s, 0, NULL) : NULL;
	if (sb_malloc_failures() != failures) {
		json_decref(parsed);
		return NULL;
	}
	return parsed ? parsed : sb_json_text(s);
}

void sb_json_put_value(json_t *object, const char *key, struct sb_value v)
{
	char absent[64];

	sb_json_put(object, key, v.absent ? json_null() : sb_json_number(v.v));
	if (!v.absent)
		return;
	snprintf(absent, sizeof(absent), "%s_absent", key);
	sb_json_put(object, absent, sb_json_text(v.absent));
}

static int append(const char *data, size_t n, void *buf)
{
	sb_buf_add(buf, data, n);
	return 0;
}

/* jansson escapes what is below 0x20; DEL and U+0080 to U+009F, which terminals obey too, stand in strings only. */
static void escape_controls(const struct sb_buf *in, struct sb_buf *out)
{
	const unsigned char *s = (const unsigned char *)sb_buf_str(in);

	for (size_t i = 0; i < in->len; i++) {
		if (s[i] == 0x7f)
			sb_buf_puts(out, "\\u007f");
		else if (s[i] == 0xc2 && s[i + 1] >= 0x80 && s[i + 1] < 0xa0)
			sb_buf_addf(out, "\\u%04x", s[++i]);
		else
			sb_buf_add(out, (const char *)&s[i], 1);
	}
	out->failed |= in->failed;
}

enum sb_status sb_json_write(json_t *root, FILE *out, struct sb_error *err)
{
	struct sb_buf raw = { 0 }, b = { 0 };
	enum sb_status status;

	if (lost || json_dump_callback(root, append, &raw, JSON_INDENT(1) | JSON_REAL_PRECISION(15)))
		raw.failed = true;
	sb_buf_puts(&raw, "\n");
	escape_controls(&raw, &b);
	status = sb_report_write(&b, out, err);
	sb_buf_release(&raw);
	sb_buf_release(&b);
	json_decref(root);
	return status;
}

json_t *sb_json_cautions(unsigned cautions)
{
	json_t *list = json_array();

	for (int i = 0; sb_caution_names[i]; i++)
		if (cautions >> i & 1)
			sb_json_push(list, sb_json_text(sb_caution_names[i]));
	return list;
}
