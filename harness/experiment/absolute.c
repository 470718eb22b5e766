#include "absolute.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum sb_status make_absolute(char path[SB_PATH_MAX], struct sb_error *err)
{
	char folder[SB_PATH_MAX], whole[2 * SB_PATH_MAX];
	const char *rest = path;
	int n;

	if (!path[0] || path[0] == '/')
		return SB_OK;
	if (!getcwd(folder, sizeof(folder)))
		return sb_fail(err, SB_E_USAGE, "cannot keep the path '%.200s': the current folder: %s; give it from /",
		        path, strerror(errno));
	while (!strncmp(rest, "./", 2))
		rest += 2 + strspn(rest + 2, "/");
	n = snprintf(whole, sizeof(whole), "%s/%s", strcmp(folder, "/") ? folder : "", rest);
	if (n < 0 || n >= SB_PATH_MAX)
		return sb_fail(
		        err, SB_E_USAGE, "cannot keep the path '%.200s': with the current folder it is too long", path);
	memcpy(path, whole, (size_t)n + 1);
	return SB_OK;
}

enum sb_status sb_case_make_absolute(struct sb_case *c, struct sb_error *err)
{
	char *const paths[] = { c->video, c->data_dir, c->weights_front, c->weights_track, c->queries,
		c->support_file };

	for (size_t i = 0; i < SB_ARRAY_LEN(paths); i++)
		if (make_absolute(paths[i], err))
			return err->code;
	return SB_OK;
}
