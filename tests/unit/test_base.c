#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "sb_base.h"

static void fnv1a_matches_its_published_vectors(void **state)
{
	(void)state;
	/* http://www.isthe.com/chongo/tech/comp/fnv/ : test vectors of FNV-1a 64 */
	assert_true(sb_fnv1a(SB_FNV1A_INIT, "", 0) == UINT64_C(0xcbf29ce484222325));
	assert_true(sb_fnv1a(SB_FNV1A_INIT, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(sb_fnv1a(SB_FNV1A_INIT, "foobar", 6) == UINT64_C(0x85944171f73967e8));
}

static void wrap_puts_context_in_front_and_keeps_the_code(void **state)
{
	struct sb_error err;

	(void)state;
	assert_int_equal(sb_fail(&err, SB_E_DATA, "cannot open '%s'", "x.db"), SB_E_DATA);
	assert_int_equal(sb_wrap(&err, "run '%s'", "nightly"), SB_E_DATA);
	assert_string_equal(err.msg, "run 'nightly': cannot open 'x.db'");
}

static void a_message_too_long_loses_its_end_only(void **state)
{
	struct sb_error err;
	char big[3000];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	sb_fail(&err, SB_E_DATA, "%s", big);
	sb_wrap(&err, "context");
	assert_memory_equal(err.msg, "context: xxx", 12);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

static void integers_are_whole_or_refused(void **state)
{
	struct sb_error err;
	int64_t v = 7;
	static const char *const bad[] = { "", "x", "1x", "1.5", "99999999999999999999", "-1", "101" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++)
		assert_int_equal(sb_parse_int(bad[i], "--frames", 0, 100, &v, &err), SB_E_USAGE);
	assert_int_equal(v, 7);
	assert_int_equal(sb_parse_int("100", "--frames", 0, 100, &v, &err), SB_OK);
	assert_int_equal(v, 100);
}

static void sizes_take_binary_units(void **state)
{
	struct sb_error err;
	int64_t v = 0;

	(void)state;
	assert_int_equal(sb_parse_bytes("1.5M", "--vram-limit", &v, &err), SB_OK);
	assert_int_equal(v, 1572864);
	assert_int_equal(sb_parse_bytes("24GiB", "--vram-limit", &v, &err), SB_OK);
	assert_true(v == INT64_C(24) << 30);
	assert_int_equal(sb_parse_bytes("7Q", "--vram-limit", &v, &err), SB_E_USAGE);
	assert_int_equal(sb_parse_bytes("-1G", "--vram-limit", &v, &err), SB_E_USAGE);
	assert_int_equal(sb_parse_bytes("nan", "--vram-limit", &v, &err), SB_E_USAGE);
}

static void escape_leaves_no_control_character(void **state)
{
	char out[64], tiny[6];

	(void)state;
	sb_escape("a\033[31mb\n\x9b\xc2\x9b\xc3\xa9", out, sizeof(out));
	assert_string_equal(out, "a\\x1b[31mb\\x0a\\x9b\\xc2\\x9b\xc3\xa9");
	sb_escape("ab\033cd", tiny, sizeof(tiny));
	assert_string_equal(tiny, "ab");
	/* what turns the direction of a line, beside an en dash and a bullet */
	sb_escape("\xe2\x80\xae\xe2\x80\x93\xe2\x81\xa6\xd8\x9c\xe2\x80\xa2", out, sizeof(out));
	assert_string_equal(out, "\\xe2\\x80\\xae\xe2\x80\x93\\xe2\\x81\\xa6\\xd8\\x9c\xe2\x80\xa2");
}

static void escape_takes_no_malformed_utf8_for_text(void **state)
{
	static const char *const malformed[] = { "\xc0\x80", "\xc1\xbf", "\xe0\x82\x9b", "\xed\xa0\x80",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\x80" };
	static const char *const sound[] = { "\xc3\xa9", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
		"\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf" };
	char out[64];

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(malformed); i++) {
		sb_escape(malformed[i], out, sizeof(out));
		assert_int_equal(strlen(out), 4 * strlen(malformed[i]));
	}
	for (size_t i = 0; i < SB_ARRAY_LEN(sound); i++) {
		sb_escape(sound[i], out, sizeof(out));
		assert_string_equal(out, sound[i]);
	}
}

static void a_list_has_whole_words_only(void **state)
{
	(void)state;
	assert_true(sb_list_has("alloc", "alloc"));
	assert_true(sb_list_has("precision,alloc", "alloc"));
	assert_true(sb_list_has("alloc, precision", "precision"));
	assert_true(sb_list_has("preallocated,alloc", "alloc"));
	assert_false(sb_list_has("preallocated", "alloc"));
	assert_false(sb_list_has("allocated,pre-alloc", "alloc"));
	assert_false(sb_list_has("", "alloc"));
}

static void shuffle_is_a_permutation_and_seeded(void **state)
{
	int a[50], b[50], seen[50] = { 0 };
	uint64_t s1 = 42, s2 = 42;

	(void)state;
	for (int i = 0; i < 50; i++)
		a[i] = b[i] = i;
	sb_shuffle(&s1, a, 50);
	sb_shuffle(&s2, b, 50);
	assert_memory_equal(a, b, sizeof(a));
	for (int i = 0; i < 50; i++)
		seen[a[i]]++;
	for (int i = 0; i < 50; i++)
		assert_int_equal(seen[i], 1);
}

static void buffer_grows_and_formats(void **state)
{
	struct sb_buf b = { 0 };

	(void)state;
	assert_string_equal(sb_buf_str(&b), "");
	for (int i = 0; i < 1000; i++)
		sb_buf_addf(&b, "%d,", i % 10);
	assert_int_equal(b.len, 2000);
	sb_buf_puts(&b, "end");
	assert_string_equal(sb_buf_str(&b) + 2000, "end");
	sb_buf_release(&b);
}

#define BIG (1 << 18) /* more than a pipe holds */

/* Two answers, the second as `user` says: whole, half of it and then a crash, or late. */
static void serve(void *user, int fd)
{
	static char big[BIG];
	const char *how = user;

	memset(big, 'x', sizeof(big));
	sb_child_say(fd, &(int){ 41 }, sizeof(int));
	if (!strcmp(how, "crash")) {
		sb_child_say(fd, big, BIG / 2);
		raise(SIGKILL);
	}
	if (!strcmp(how, "late"))
		sb_sleep_ns(INT64_C(8000000000));
	sb_child_say(fd, big, BIG);
}

static struct sb_child start(char *how, int *first)
{
	struct sb_child c;
	struct sb_error err;

	assert_int_equal(sb_child_start(&c, serve, how, &err), SB_OK);
	assert_true(sb_child_hear(&c, first, sizeof(*first), INT64_MAX));
	return c;
}

static void a_child_answers_crashes_or_is_not_waited_for(void **state)
{
	static char big[BIG];
	char whole[] = "whole", crash[] = "crash", late[] = "late";
	int64_t since = sb_now_ns();
	struct sb_child c;
	int first = 0, status;

	(void)state;
	c = start(whole, &first);
	assert_int_equal(first, 41);
	assert_true(sb_child_hear(&c, big, BIG, sb_now_ns() + INT64_C(60000000000)));
	assert_true(big[0] == 'x' && big[BIG - 1] == 'x');
	assert_false(sb_child_hear(&c, big, 1, INT64_MAX)); /* there is no more */
	assert_int_equal(sb_child_end(&c, INT64_C(60000000000)), 0);

	c = start(crash, &first);
	assert_false(sb_child_hear(&c, big, BIG, INT64_MAX));
	status = sb_child_end(&c, INT64_C(60000000000));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

	c = start(late, &first);
	assert_false(sb_child_hear(&c, big, BIG, sb_now_ns() + 1000000));
	status = sb_child_end(&c, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

	c = start(whole, &first);
	status = sb_child_end(&c, INT64_C(60000000000)); /* nobody listens: it ends by itself */
	assert_true(WIFEXITED(status) || WTERMSIG(status) == SIGPIPE);
	assert_true(sb_now_ns() - since < INT64_C(7000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fnv1a_matches_its_published_vectors),
		cmocka_unit_test(wrap_puts_context_in_front_and_keeps_the_code),
		cmocka_unit_test(a_message_too_long_loses_its_end_only),
		cmocka_unit_test(integers_are_whole_or_refused),
		cmocka_unit_test(sizes_take_binary_units),
		cmocka_unit_test(escape_leaves_no_control_character),
		cmocka_unit_test(escape_takes_no_malformed_utf8_for_text),
		cmocka_unit_test(a_list_has_whole_words_only),
		cmocka_unit_test(shuffle_is_a_permutation_and_seeded),
		cmocka_unit_test(buffer_grows_and_formats),
		cmocka_unit_test(a_child_answers_crashes_or_is_not_waited_for),
	};
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
