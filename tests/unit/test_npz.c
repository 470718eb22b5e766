/* Arrays in an .npz file: what is written comes back, and only complete files appear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include <cmocka.h>

#include "npz_file.h"
#include "npz_reader.h"
#include "scratch_folder.h"

static char path[128];

static int set_up(void **state)
{
	int failed = folder_make(state);

	snprintf(path, sizeof(path), "%s/x.npz", folder);
	return failed;
}

static const float values[] = { 1.0f, -2.5f, 3e30f, 4.0f, 5.0f, 6.0f };

static enum sb_status write_two(const char *comment, struct sb_error *err)
{
	struct sb_npz *z;

	if (sb_npz_create(path, &z, err))
		return err->code;
	if (!sb_npz_begin(z, "first", 3, (const int64_t[]){ 1, 2, 3 }, err) && !sb_npz_append(z, values, 1, err) &&
	        !sb_npz_append(z, values + 1, 0, err) && !sb_npz_append(z, values + 1, 5, err) &&
	        !sb_npz_begin(z, "b", 1, (const int64_t[]){ 4 }, err) && !sb_npz_append(z, values + 2, 4, err))
		return sb_npz_finish(z, comment, err);
	sb_npz_abandon(z);
	return err->code;
}

static void arrays_come_back(void **state)
{
	const struct npz_array *a;
	struct sb_error err;
	struct npz z;

	(void)state;
	assert_int_equal(write_two("run=1\n", &err), SB_OK);
	assert_int_equal(write_two("run=2\n", &err), SB_OK); /* over it */
	assert_int_equal(files_in(folder), 1);
	npz_read(path, &z);
	assert_int_equal(z.n, 2);
	assert_string_equal(z.comment, "run=2\n");
	a = npz_find(&z, "first");
	assert_int_equal(a->ndim, 3);
	assert_int_equal(a->shape[0], 1);
	assert_int_equal(a->shape[1], 2);
	assert_int_equal(a->shape[2], 3);
	assert_memory_equal(a->values, values, sizeof(values));
	a = npz_find(&z, "b");
	assert_int_equal(a->ndim, 1);
	assert_int_equal(a->shape[0], 4);
	assert_memory_equal(a->values, values + 2, 4 * sizeof(float));
	npz_release(&z);
}

static void empty_arrays_and_archives_are_possible(void **state)
{
	struct sb_error err;
	struct sb_npz *w;
	struct npz z;

	(void)state;
	assert_int_equal(sb_npz_create(path, &w, &err), SB_OK);
	assert_int_equal(sb_npz_finish(w, NULL, &err), SB_OK);
	npz_read(path, &z);
	assert_int_equal(z.n, 0);
	npz_release(&z);
	assert_int_equal(sb_npz_create(path, &w, &err), SB_OK);
	assert_int_equal(sb_npz_begin(w, "none", 2, (const int64_t[]){ 3, 0 }, &err), SB_OK);
	assert_int_equal(sb_npz_begin(w, "scalar", 0, NULL, &err), SB_OK);
	assert_int_equal(sb_npz_append(w, values, 1, &err), SB_OK);
	assert_int_equal(sb_npz_finish(w, NULL, &err), SB_OK);
	npz_read(path, &z);
	assert_int_equal(npz_find(&z, "none")->n, 0);
	npz_release(&z);
}

static void a_long_comment_is_cut(void **state)
{
	char *comment = malloc(70001);
	struct sb_error err;
	struct npz z;

	(void)state;
	assert_non_null(comment);
	memset(comment, 'c', 70000);
	comment[70000] = '\0';
	assert_int_equal(write_two(comment, &err), SB_OK);
	npz_read(path, &z);
	assert_int_equal(z.n, 2);
	npz_release(&z);
	free(comment);
}

static void what_no_archive_can_hold_is_refused(void **state)
{
	static const int64_t shapes[][3] = { { 1, 1024, 1 << 20 }, { INT64_MAX, 2, 2 }, { 0xffffffff / 4 + 1, 1, 1 } };
	struct sb_error err;
	struct sb_npz *z;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sb_npz_create(path, &z, &err), SB_OK);
		assert_int_equal(sb_npz_begin(z, "x", 3, shapes[i], &err), SB_E_DATA);
		assert_non_null(strstr(err.msg, "/x.npz': an npz file of this kind holds less than 4 GiB"));
		sb_npz_abandon(z);
		assert_int_equal(files_in(folder), 0);
	}
}

/* A limit on the size of files stands for the full disk, at every place the file can break off. */
static void a_full_disk_leaves_the_older_file(void **state)
{
	struct sb_error err;
	struct stat st;
	struct npz z;

	(void)state;
	assert_int_equal(write_two("older", &err), SB_OK);
	assert_int_equal(stat(path, &st), 0);
	for (rlim_t limit = 0; limit < (rlim_t)st.st_size - 3; limit += 7) { /* the new comment is shorter by 2 */
		limit_files(limit);
		assert_int_equal(write_two("new", &err), SB_E_DATA);
		assert_non_null(strstr(err.msg, "cannot write '"));
		assert_non_null(strstr(err.msg, "x.npz': File too large"));
	}
	limit_files(NO_LIMIT);
	assert_int_equal(files_in(folder), 1);
	npz_read(path, &z);
	assert_string_equal(z.comment, "older");
	npz_release(&z);
}

static void what_is_given_up_leaves_nothing(void **state)
{
	struct sb_error err;
	struct sb_npz *z;

	(void)state;
	assert_int_equal(sb_npz_create(path, &z, &err), SB_OK);
	assert_int_equal(files_in(folder), 1); /* under another name */
	assert_int_equal(sb_npz_begin(z, "x", 1, (const int64_t[]){ 4 }, &err), SB_OK);
	sb_npz_abandon(z);
	sb_npz_abandon(NULL);
	assert_int_equal(files_in(folder), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(sb_npz_create(path, &z, &err), SB_E_DATA);
	assert_non_null(strstr(err.msg, "it is a folder"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(arrays_come_back, set_up, folder_remove),
		cmocka_unit_test_setup_teardown(empty_arrays_and_archives_are_possible, set_up, folder_remove),
		cmocka_unit_test_setup_teardown(a_long_comment_is_cut, set_up, folder_remove),
		cmocka_unit_test_setup_teardown(what_no_archive_can_hold_is_refused, set_up, folder_remove),
		cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_older_file, set_up, folder_remove),
		cmocka_unit_test_setup_teardown(what_is_given_up_leaves_nothing, set_up, folder_remove),
	};
	return cmocka_run_group_tests_name("npz", tests, NULL, NULL);
}
