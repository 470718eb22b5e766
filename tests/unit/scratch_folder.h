/*
 * scratch_folder: a folder of its own for each test, removed behind it with all that is in it; how many files it has;
 * a disk that is full.
 */
#ifndef SB_SCRATCH_FOLDER_H
#define SB_SCRATCH_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static char folder[64];

static inline int folder_make(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/spabench-test-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static inline int folder_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

/* The path of what has this name there; good for four calls. */
static inline const char *in_folder(const char *name)
{
	static char path[4][512];
	static int next;
	char *out = path[next++ % 4];

	snprintf(out, sizeof(path[0]), "%s/%s", folder, name);
	return out;
}

static inline int files_in(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

#define NO_LIMIT RLIM_INFINITY

/* Files may grow to so many bytes and no further: writing more fails as on a full disk. */
static inline void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

#endif
