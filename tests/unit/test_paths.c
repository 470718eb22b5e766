/* Names of files are bytes: through JSON, through a stored plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "path_json.h"
#include "sb_experiment.h"

/* Through the text that is sent or stored, as a member of an object. */
static bool through(const char *path, char *out, size_t n)
{
	json_t *j = json_pack("{s:o}", "path", sb_path_json(path)), *back;
	char *text = json_dumps(j, JSON_COMPACT);
	bool ok;

	assert_non_null(text);
	back = json_loads(text, 0, NULL);
	assert_non_null(back);
	ok = sb_path_from_json(json_object_get(back, "path"), out, n);
	json_decref(back);
	json_decref(j);
	free(text);
	return ok;
}

static void every_name_comes_back_as_it_was(void **state)
{
	static const char *const names[] = { "", "a", "sp ace 'q' \"d\" \\ $HOME `id`", "a\033[31m\001\177\n\t", "\xff",
		"\xc3\xa9", "\xc3", "a\xe2\x82", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "{\"hex\":\"41\"}" };
	char out[SB_PATH_MAX], all[256];

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
		assert_true(through(names[i], out, sizeof(out)));
		assert_string_equal(out, names[i]);
	}
	for (int c = 1; c < 256; c++)
		all[c - 1] = (char)c;
	all[255] = '\0';
	assert_true(through(all, out, sizeof(out)));
	assert_string_equal(out, all);
}

static void a_name_that_is_text_stays_readable(void **state)
{
	json_t *j = sb_path_json("caf\xc3\xa9 1.mp4");

	(void)state;
	assert_string_equal(json_string_value(j), "caf\xc3\xa9 1.mp4");
	json_decref(j);
}

static void a_name_that_does_not_fit_leaves_nothing_behind(void **state)
{
	char out[5] = "keep";

	(void)state;
	assert_false(through("12345", out, sizeof(out)));
	assert_false(through("1234\xff", out, sizeof(out)));
	assert_string_equal(out, "keep");
	assert_true(through("1\xff"
	                    "34",
	        out, sizeof(out)));
	assert_string_equal(out, "1\xff"
	                         "34");
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = { "null", "1", "[]", "{}", "{\"hex\":1}", "{\"hex\":\"4\"}",
		"{\"hex\":\"4g\"}", "{\"hex\":\"4G\"}", "{\"hex\":\"4100\"}", "{\"hex\":\"00\"}", "\"a\\u0000b\"",
		"{\"hex\":\"4\\u00001\"}" };
	char out[64] = "keep";

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
		json_t *j = json_loads(bad[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

		assert_non_null(j);
		if (sb_path_from_json(j, out, sizeof(out)))
			fail_msg("%s gave '%s'", bad[i], out);
		assert_string_equal(out, "keep");
		json_decref(j);
	}
	assert_false(sb_path_from_json(NULL, out, sizeof(out)));
}

static void a_plan_keeps_names_and_raw_sizes(void **state)
{
	struct sb_worker_setup *setup = calloc(1, sizeof(*setup)), *back = calloc(1, sizeof(*back));
	struct sb_plan plan = { .seed = UINT64_MAX, .blocks = 3, .timeout_s = 1.5 }, got = { .blocks = 0 };
	struct sb_error err;
	char *text, *cut;

	(void)state;
	assert_non_null(setup);
	assert_non_null(back);
	snprintf(setup->c.video, sizeof(setup->c.video), "dir/\xff\033 .raw");
	snprintf(setup->c.weights_front, sizeof(setup->c.weights_front), "w\xfe");
	setup->c.raw_width = 99999;
	setup->c.raw_height = 7;
	snprintf(setup->c.queries, sizeof(setup->c.queries), "q\xfe");
	snprintf(setup->c.mode, sizeof(setup->c.mode), "online");
	setup->c.support = -1;
	setup->c.window = 9;
	setup->c.seed = UINT64_MAX;
	setup->trace_calls = true;
	text = sb_plan_format(&plan, setup);
	assert_non_null(text);
	assert_int_equal(sb_plan_parse(text, &got, back, &err), SB_OK);
	assert_true(back->trace_calls);
	assert_string_equal(back->c.video, setup->c.video);
	assert_string_equal(back->c.weights_front, setup->c.weights_front);
	assert_string_equal(back->c.data_dir, "");
	assert_int_equal(back->c.raw_width, 99999);
	assert_int_equal(back->c.raw_height, 7);
	assert_true(got.seed == UINT64_MAX);
	assert_string_equal(back->c.queries, setup->c.queries);
	assert_string_equal(back->c.mode, "online");
	assert_string_equal(back->c.cameras, "");
	assert_int_equal(back->c.support, -1);
	assert_int_equal(back->c.window, 9);
	assert_true(back->c.seed == UINT64_MAX);

	/* One that was written before there were raw frames. */
	while ((cut = strstr(text, "raw_")))
		memcpy(cut, "old_", 4);
	while ((cut = strstr(text, "trace_calls")))
		memcpy(cut, "trace_other", 11);
	assert_int_equal(sb_plan_parse(text, &got, back, &err), SB_OK);
	assert_int_equal(back->c.raw_width, 0);
	assert_int_equal(back->c.raw_height, 0);
	assert_false(back->trace_calls);
	free(text);
	free(setup);
	free(back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_comes_back_as_it_was),
		cmocka_unit_test(a_name_that_is_text_stays_readable),
		cmocka_unit_test(a_name_that_does_not_fit_leaves_nothing_behind),
		cmocka_unit_test(what_is_no_name_is_refused),
		cmocka_unit_test(a_plan_keeps_names_and_raw_sizes),
	};
	return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
