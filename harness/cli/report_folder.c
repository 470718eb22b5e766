#include "report_folder.h"

#include "sb_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 32, LIST_MAX = 1 << 20 };

/* ---- names ------------------------------------------------------------------------------------------------------ */

/* "a/b", to be freed; NULL without memory. */
static char *join(const char *a, const char *b)
{
	struct sb_buf path = { 0 };
	size_t n = strlen(a);

	sb_buf_addf(&path, "%s%s%s", a, n && a[n - 1] == '/' ? "" : "/", b);
	if (path.failed)
		sb_buf_release(&path);
	return path.s;
}

static enum sb_status no_memory(struct sb_error *err)
{
	return sb_fail(err, SB_E_NOMEM, "no memory for a file name");
}

/* A name of a list that was read: it must stay inside of the folder. */
static bool is_inside(const char *name)
{
	if (!*name || *name == '/')
		return false;
	for (const char *s = name; s; s = strchr(s, '/') ? strchr(s, '/') + 1 : NULL)
		if (!strncmp(s, "../", 3) || !strcmp(s, ".."))
			return false;
	return true;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* ---- walking ---------------------------------------------------------------------------------------------------- */

/* Every file below `root`, by its name relative to it. Stops at the first that `each` does not like. */
typedef enum sb_status each_file(const char *name, void *context, struct sb_error *err);

static enum sb_status walk(
        const char *root, const char *below, int depth, each_file *each, void *context, struct sb_error *err)
{
	char *here = *below ? join(root, below) : sb_strdup(root);
	DIR *dir = here ? opendir(here) : NULL;
	enum sb_status status = !here ? no_memory(err) : dir ? SB_OK : sb_cannot_write(here, strerror(errno), err);
	struct dirent *e;

	while (!status && (e = readdir(dir))) {
		char *name, *path;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		name = *below ? join(below, e->d_name) : sb_strdup(e->d_name);
		path = name ? join(root, name) : NULL;
		if (!path)
			status = no_memory(err);
		else if (is_folder(path) && depth < DEPTH_MAX)
			status = walk(root, name, depth + 1, each, context, err);
		else
			status = each(name, context, err);
		free(name);
		free(path);
	}
	if (dir)
		closedir(dir);
	free(here);
	return status;
}

/* ---- removing ---------------------------------------------------------------------------------------------------- */

static void remove_tree(const char *path, int depth)
{
	DIR *dir = depth < DEPTH_MAX ? opendir(path) : NULL;
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char *name = strcmp(e->d_name, ".") && strcmp(e->d_name, "..") ? join(path, e->d_name) : NULL;
		struct stat st;

		if (name && !lstat(name, &st) && S_ISDIR(st.st_mode))
			remove_tree(name, depth + 1);
		else if (name)
			unlink(name);
		free(name);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

void sb_report_remove_tree(const char *path)
{
	remove_tree(path, 0);
}

void sb_report_folder_abandon(struct sb_report_folder *f)
{
	if (f->temporary)
		remove_tree(f->temporary, 0);
	free(f->temporary);
	f->temporary = NULL;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	bool empty = true;

	while (dir && (e = readdir(dir)))
		empty &= !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	if (dir)
		closedir(dir);
	return empty;
}

static bool holds_a_report(const char *path)
{
	char *list = join(path, SB_REPORT_LIST);
	bool there = list && !access(list, F_OK);

	free(list);
	return there;
}

static enum sb_status check(struct sb_report_folder *f, bool force, struct sb_error *err)
{
	struct stat st;
	char shown[256];

	sb_escape(f->path, shown, sizeof(shown));
	if (stat(f->path, &st))
		return errno == ENOENT ? SB_OK : sb_cannot_write(f->path, strerror(errno), err);
	f->there = true;
	if (!S_ISDIR(st.st_mode))
		return sb_fail(err, SB_E_USAGE, "--out '%s': it is there, and no folder", shown);
	if (access(f->path, R_OK | W_OK | X_OK))
		return sb_cannot_write(f->path, strerror(errno), err);
	if (force || is_empty(f->path) || holds_a_report(f->path))
		return SB_OK;
	return sb_fail(err, SB_E_USAGE,
	        "--out '%s': the folder holds other files; name another one, or --force to put the report beside them",
	        shown);
}

enum sb_status sb_report_folder_open(struct sb_report_folder *f, const char *path, bool force, struct sb_error *err)
{
	struct sb_buf name = { 0 };
	size_t n = strlen(path);
	char id[33];

	*f = (struct sb_report_folder){ .path = path };
	if (check(f, force, err))
		return err->code;
	while (n > 1 && path[n - 1] == '/')
		n--;
	sb_random_id(id);
	/* Inside of a folder that is there: it may be all that can be written, and on a disk of its own. */
	sb_buf_addf(&name, f->there ? "%.*s/.spabench-%.8s.tmp" : "%.*s.%.8s.tmp", (int)n, path, id);
	if (name.failed)
		return no_memory(err);
	if (mkdir(name.s, 0777)) {
		sb_cannot_write(
		        path, errno == ENOENT ? "there is no such folder to put it into" : strerror(errno), err);
		sb_buf_release(&name);
		return SB_E_DATA;
	}
	f->temporary = name.s;
	return SB_OK;
}

enum sb_status sb_report_folder_put(
        const struct sb_report_folder *f, const char *name, const void *data, size_t n, struct sb_error *err)
{
	char *path = join(f->temporary, name), *slash = path ? strrchr(path, '/') : NULL;
	struct sb_error why = { .msg = "" };
	enum sb_status status;

	if (!path)
		return no_memory(err);
	if (slash && strchr(name, '/')) {
		*slash = '\0';
		mkdir(path, 0777); /* a failure shows in what follows */
		*slash = '/';
	}
	status = sb_out_file_put(path, data, n, &why);
	if (status) { /* of the folder that was asked for, not of the one in between */
		const char *reason = strrchr(why.msg, ':');

		status = sb_cannot_write(f->path, reason ? reason + 2 : why.msg, err);
	}
	free(path);
	return status;
}

/* ---- publishing ---------------------------------------------------------------------------------------------------
 */

static enum sb_status add_name(const char *name, void *context, struct sb_error *err)
{
	(void)err;
	sb_buf_addf(context, "%s\n", name);
	return SB_OK;
}

/* What the list of a report names, in lines; "" where there is none that can be read. To be freed. */
static char *read_list(const char *folder)
{
	char *path = join(folder, SB_REPORT_LIST), *text = calloc(1, LIST_MAX);
	const char *why;
	int fd = path && text ? sb_open_file(path, &why) : -1;
	size_t n = 0;
	ssize_t got;

	while (fd >= 0 && n < LIST_MAX - 1 && (got = read(fd, text + n, LIST_MAX - 1 - n)) > 0)
		n += (size_t)got;
	if (fd >= 0)
		close(fd);
	free(path);
	return text;
}

static bool names(const char *list, const char *name, size_t n)
{
	for (const char *s = list; *s; s += strcspn(s, "\n"), s += *s == '\n')
		if (strcspn(s, "\n") == n && !strncmp(s, name, n))
			return true;
	return false;
}

/* Files that the earlier report had and this one has not. Folders that are empty then go, too. */
static void remove_old(const char *folder, char *old, const char *list)
{
	for (char *s = old, *next; *s; s = next) {
		size_t n = strcspn(s, "\n");
		char *path, *slash;

		next = s + n + (s[n] == '\n');
		if (names(list, s, n))
			continue;
		s[n] = '\0';
		path = is_inside(s) ? join(folder, s) : NULL;
		if (!path)
			continue;
		unlink(path);
		slash = strrchr(path, '/');
		if (strchr(s, '/')) {
			*slash = '\0';
			rmdir(path); /* where it is not empty it stays */
		}
		free(path);
	}
}

static enum sb_status can_replace(const char *name, void *context, struct sb_error *err)
{
	const struct sb_report_folder *f = context;
	char *path = join(f->path, name);
	enum sb_status status = path ? sb_check_replaceable(path, err) : no_memory(err);

	free(path);
	return status;
}

static enum sb_status move(const char *name, void *context, struct sb_error *err)
{
	const struct sb_report_folder *f = context;
	char *from = join(f->temporary, name), *to = join(f->path, name), *slash = to ? strrchr(to, '/') : NULL;
	enum sb_status status = from && to ? SB_OK : no_memory(err);

	if (!status && strchr(name, '/')) {
		*slash = '\0';
		mkdir(to, 0777);
		*slash = '/';
	}
	if (!status && rename(from, to))
		status = sb_cannot_write(to, strerror(errno), err);
	free(from);
	free(to);
	return status;
}

static enum sb_status replace(struct sb_report_folder *f, const char *list, struct sb_error *err)
{
	enum sb_status status = walk(f->temporary, "", 0, can_replace, f, err);
	char *old = read_list(f->path);

	if (!status && old)
		remove_old(f->path, old, list);
	if (!status)
		status = walk(f->temporary, "", 0, move, f, err);
	free(old);
	return status;
}

enum sb_status sb_report_folder_publish(struct sb_report_folder *f, struct sb_error *err)
{
	struct sb_buf list = { 0 };
	enum sb_status status = walk(f->temporary, "", 0, add_name, &list, err);

	sb_buf_puts(&list, SB_REPORT_LIST "\n");
	if (!status && list.failed)
		status = no_memory(err);
	if (!status)
		status = sb_report_folder_put(f, SB_REPORT_LIST, list.s, list.len, err);
	if (!status && f->there)
		status = replace(f, list.s, err);
	else if (!status && rename(f->temporary, f->path))
		status = sb_cannot_write(f->path, strerror(errno), err);
	sb_buf_release(&list);
	sb_report_folder_abandon(f);
	return status;
}
