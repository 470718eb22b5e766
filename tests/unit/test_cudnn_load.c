/* Without a cuDNN that works nothing fails: the reason is a text. The rest of the loader needs the library itself. */
#include "cudnn_load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Sets SPABENCH_CUDNN and expects a refusal that has both words in it. */
static void refuses(const char *file, const char *word, const char *reason)
{
	struct cudnn_api api;
	char why[256] = "";

	memset(&api, 0x55, sizeof(api));
	setenv("SPABENCH_CUDNN", file, 1);
	assert_false(sb_cudnn_load(&api, why, sizeof(why)));
	unsetenv("SPABENCH_CUDNN");
	if (!strstr(why, word) || !strstr(why, reason))
		fail_msg("'%s' lacks '%s' or '%s'", why, word, reason);
	assert_int_equal(api.major, 0x55555555); /* untouched */
}

static void none_asks_for_none(void **state)
{
	(void)state;
	refuses("none", "SPABENCH_CUDNN", "none");
}

static void a_file_that_is_not_there_is_named(void **state)
{
	(void)state;
	refuses("/nonexistent/libcudnn.so.9", "/nonexistent/libcudnn.so.9: ", "No such file");
}

static void a_file_that_is_no_library_is_named(void **state)
{
	(void)state;
	refuses("./data/list.txt", "./data/list.txt: ", "");
}

static void a_library_without_its_functions_is_refused(void **state)
{
	(void)state;
	refuses("libm.so.6", "libm.so.6: ", "it has no cudnnGetVersion");
}

static void another_major_version_is_refused(void **state)
{
	(void)state;
	refuses(getenv("CUDNN_OLD"), "8907", "cuDNN 9 is needed");
}

static void a_long_name_is_cut(void **state)
{
	char name[2000];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	refuses(name, "/xxxx", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_asks_for_none),
		cmocka_unit_test(a_file_that_is_not_there_is_named),
		cmocka_unit_test(a_file_that_is_no_library_is_named),
		cmocka_unit_test(a_library_without_its_functions_is_refused),
		cmocka_unit_test(another_major_version_is_refused),
		cmocka_unit_test(a_long_name_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
