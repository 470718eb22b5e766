#include "outputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool given(const struct sb_named_path *p)
{
	return p->path && p->path[0];
}

/* The folder that `path` is in, and its last part. False where the folder is not there. */
static bool split(const char *path, struct stat *folder, char name[256])
{
	size_t n = strlen(path);
	const char *slash = NULL;
	char dir[4096];

	while (n > 1 && path[n - 1] == '/')
		n--;
	for (size_t i = n; i > 0 && !slash; i--)
		if (path[i - 1] == '/')
			slash = path + i - 1;
	if (snprintf(name, 256, "%.*s", (int)(n - (size_t)(slash ? slash + 1 - path : 0)), slash ? slash + 1 : path) >=
	        256)
		return false;
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	return !stat(dir, folder);
}

bool sb_same_file(const char *a, const char *b)
{
	struct stat x, y;
	char m[256], n[256];
	int there = !stat(a, &x) + !stat(b, &y);

	if (there == 1)
		return false;
	if (there == 2)
		return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
	return !strcmp(a, b) ||
	       (split(a, &x, m) && split(b, &y, n) && x.st_dev == y.st_dev && x.st_ino == y.st_ino && !strcmp(m, n));
}

static enum sb_status refuse(const struct sb_named_path *a, const struct sb_named_path *b, struct sb_error *err)
{
	char shown[400];

	sb_escape(a->path, shown, sizeof(shown));
	return sb_fail(err, SB_E_USAGE, "%s '%s' is %s as well: it would be overwritten", a->what, shown, b->what);
}

enum sb_status sb_outputs_check(const struct sb_named_path *outputs, size_t n, const struct sb_named_path *taken,
        size_t n_taken, struct sb_error *err)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n_taken; k++)
			if (given(&outputs[i]) && given(&taken[k]) && sb_same_file(outputs[i].path, taken[k].path))
				return refuse(&outputs[i], &taken[k], err);
		for (size_t k = 0; k < i; k++)
			if (given(&outputs[i]) && given(&outputs[k]) && sb_same_file(outputs[i].path, outputs[k].path))
				return refuse(&outputs[i], &outputs[k], err);
	}
	return SB_OK;
}
