#include "outputs.h"

#include "sb_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool given(const struct sb_named_path *p)
{
	return p->path && p->path[0];
}

/* The folder that `path` is in ("dir/", "."), and its last part. False where one is too long. */
static bool split_path(const char *path, char dir[4096], char name[256])
{
	size_t n = strlen(path);
	const char *slash = NULL;

	while (n > 1 && path[n - 1] == '/')
		n--;
	for (size_t i = n; i > 0 && !slash; i--)
		if (path[i - 1] == '/')
			slash = path + i - 1;
	if (snprintf(name, 256, "%.*s", (int)(n - (size_t)(slash ? slash + 1 - path : 0)), slash ? slash + 1 : path) >=
	        256)
		return false;
	return snprintf(dir, 4096, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".") < 4096;
}

/* False where the folder is not there. */
static bool split(const char *path, struct stat *folder, char name[256])
{
	char dir[4096];

	return split_path(path, dir, name) && !stat(dir, folder);
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

static enum sb_status cannot(const struct sb_named_path *o, const char *why, struct sb_error *err)
{
	char shown[400];

	sb_escape(o->path, shown, sizeof(shown));
	return sb_fail(err, SB_E_USAGE, "%s '%s': %s", o->what, shown, why);
}

static enum sb_status check_place(const struct sb_named_path *o, struct sb_error *err)
{
	char dir[4096], name[256];
	struct stat there, folder;

	if (!split_path(o->path, dir, name))
		return cannot(o, strerror(ENAMETOOLONG), err);
	if (stat(dir, &folder))
		return cannot(o, errno == ENOENT ? "there is no such folder to put it into" : strerror(errno), err);
	if (stat(o->path, &there))
		return !access(dir, W_OK | X_OK) ? SB_OK : cannot(o, strerror(errno), err);
	if (o->folder)
		return S_ISDIR(there.st_mode) ? SB_OK : cannot(o, "it is there, and no folder", err);
	return sb_no_file(there.st_mode) ? cannot(o, sb_no_file(there.st_mode), err) : SB_OK;
}

enum sb_status sb_outputs_check(const struct sb_named_path *outputs, size_t n, const struct sb_named_path *taken,
        size_t n_taken, struct sb_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!given(&outputs[i]))
			continue;
		if (check_place(&outputs[i], err))
			return SB_E_USAGE;
		for (size_t k = 0; k < n_taken; k++)
			if (given(&taken[k]) && sb_same_file(outputs[i].path, taken[k].path))
				return refuse(&outputs[i], &taken[k], err);
		for (size_t k = 0; k < i; k++)
			if (given(&outputs[k]) && sb_same_file(outputs[i].path, outputs[k].path))
				return refuse(&outputs[i], &outputs[k], err);
	}
	return SB_OK;
}
