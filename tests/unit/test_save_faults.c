/*
 * Saving when memory runs out: every allocation of ours fails once, in turn. Linked with --wrap for malloc(), calloc()
 * and realloc(), which catches what our own files ask for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "save.h"
#include "track_fixture.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static int countdown; /* the allocation that fails when it comes to 0 */

static int fails(void)
{
	return countdown > 0 && --countdown == 0;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

static char folder[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/spabench-test-faults-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void no_half_written_file(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir)))
		if (strstr(e->d_name, ".tmp"))
			fail_msg("%s is left", e->d_name);
	closedir(dir);
}

/* Returns how many allocations failed before all of them held. */
static int save_with_every_fault(const struct sb_results *r, const struct sb_save *to)
{
	struct sb_error err;

	for (int n = 1;; n++) {
		enum sb_status status;

		err.msg[0] = '\0';
		countdown = n;
		status = sb_results_save(r, to, &err);
		no_half_written_file(folder);
		if (to->overlay_dir)
			no_half_written_file(to->overlay_dir);
		if (status && to->overlay_dir && !rmdir(to->overlay_dir))
			fail_msg("allocation %d: an empty folder is left", n);
		if (countdown) { /* there were no n allocations */
			assert_int_equal(status, SB_OK);
			countdown = 0;
			return n - 1;
		}
		if (status != SB_E_NOMEM || !strstr(err.msg, "memory"))
			fail_msg("allocation %d: status %d, '%s'", n, status, err.msg);
	}
}

static void no_memory_is_said_and_leaves_nothing(void **state)
{
	const struct tf_sizes small = { 28, 42, 28, 42, 56, 84 };
	const char *const metadata[] = { "run", "0123", NULL };
	char file[96], npz[96], pictures[96];
	struct track_fixture x;

	(void)state;
	snprintf(file, sizeof(file), "%s/x", folder);
	snprintf(npz, sizeof(npz), "%s/n", folder);
	snprintf(pictures, sizeof(pictures), "%s/p", folder);
	tf_init(&x, &small);
	assert_true(save_with_every_fault(&x.results, &(struct sb_save){ .npz = npz, .metadata = metadata }) > 15);
	assert_true(save_with_every_fault(
	                    &x.results, &(struct sb_save){ .overlay_dir = pictures, .metadata = metadata }) > 10);
	assert_true(save_with_every_fault(&x.results, &(struct sb_save){ .file = file, .metadata = metadata }) > 5);
	tf_release(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_memory_is_said_and_leaves_nothing, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("save_faults", tests, NULL, NULL);
}
