/* What a run's case was: its stored parameters, JSON, as lines that a person reads. */
#include "json_parts.h"
#include "reports_internal.h"

#include <stdlib.h>
#include <string.h>

/* Where a parameter stands: its line, what it is called there ("": by itself), the second half of an "AxB". */
static const struct place {
	const char *item, *label, *key, *times;
} places[] = {
	{ "clip", "", "clip", NULL },
	{ "clip", "size ", "clip_width", "clip_height" },
	{ "clip", "frames ", "frames", NULL },
	{ "clip", "stride ", "stride", NULL },
	{ "network", "size ", "width", "height" },
	{ "network", "parameters ", "parameters", NULL },
	{ "tracker", "queries ", "queries", NULL },
	{ "tracker", "support points ", "support", NULL },
	{ "tracker", "size ", "track_width", "track_height" },
	{ "tracker", "iterations ", "iterations", NULL },
	{ "tracker", "cameras ", "cameras", NULL },
	{ "tracker", "windows ", "windows", NULL },
	{ "tracker", "window ", "window", NULL },
	{ "tracker", "overlap ", "overlap", NULL },
};

static void add_value(struct sb_buf *b, const json_t *value)
{
	char *text;

	if (json_is_string(value)) {
		sb_buf_puts(b, json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	b->failed |= !text;
	if (text)
		sb_buf_puts(b, text);
	free(text);
}

/* Takes what it shows out of `params`. */
static void add_place(struct sb_buf *b, const struct place *at, json_t *params)
{
	const json_t *value = json_object_get(params, at->key);
	const json_t *times = at->times ? json_object_get(params, at->times) : NULL;

	if (!value)
		return;
	sb_buf_addf(b, "%s%s", b->len ? ", " : "", at->label);
	add_value(b, value);
	json_object_del(params, at->key);
	if (!times)
		return;
	sb_buf_puts(b, "x");
	add_value(b, times);
	json_object_del(params, at->times);
}

static void end_item(struct sb_page *p, const char *item, int columns, struct sb_buf *b)
{
	sb_page_item(p, item, columns, sb_buf_str(b));
	p->buf.failed |= b->failed;
	sb_buf_release(b);
}

static void add_others(struct sb_page *p, int columns, json_t *params)
{
	struct sb_buf b = { 0 };
	const char *key;
	json_t *value;

	json_object_foreach(params, key, value)
	{
		sb_buf_addf(&b, "%s%s: ", b.len ? "; " : "", key);
		add_value(&b, value);
	}
	end_item(p, "others", columns, &b);
}

void sb_show_case(struct sb_page *p, const struct sb_run *run, int columns)
{
	uint64_t failures = sb_malloc_failures();
	json_t *params = sb_json_stored(run->params);
	struct sb_buf b = { 0 };

	for (size_t i = 0; i < SB_ARRAY_LEN(places); i++) {
		const char *item = places[i].item;

		add_place(&b, &places[i], params);
		if (i + 1 < SB_ARRAY_LEN(places) && !strcmp(places[i + 1].item, item))
			continue;
		if (!strcmp(item, "clip") && run->clip_digest)
			sb_buf_addf(&b, "%sdigest %s", b.len ? ", " : "", run->clip_digest);
		end_item(p, item, columns, &b);
	}
	if (json_is_object(params))
		add_others(p, columns, params);
	else
		sb_page_item(p, "others", columns, run->params);
	p->buf.failed |= sb_malloc_failures() != failures;
	json_decref(params);
}
