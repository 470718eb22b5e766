/* How data in a database is named on the command line: [FILE:][RUN][/ARM]. */
#include "sb_cli.h"

#include <string.h>
#include <sys/stat.h>

enum sb_status sb_reference_parse(const char *s, struct sb_reference *r, struct sb_error *err)
{
	struct stat sb;
	char *colon, *slash;

	*r = (struct sb_reference){ .file = NULL };
	if (strlen(s) >= sizeof(r->text))
		return sb_fail(err, SB_E_USAGE, "a reference of %zu characters is too long", strlen(s));
	strcpy(r->text, s);
	colon = strrchr(r->text, ':');
	if (!colon && !stat(s, &sb)) /* a database given by its name alone */
		return sb_fail(
		        err, SB_E_USAGE, "'%.200s' is a file; write --db %.200s, or %.200s: with a colon", s, s, s);
	if (colon) {
		*colon = '\0';
		r->file = r->text;
	}
	r->run = colon ? colon + 1 : r->text;
	slash = strchr(r->text + (r->run - r->text), '/');
	if (slash) {
		*slash = '\0';
		r->arm = slash + 1;
		if (!*r->arm)
			return sb_fail(err, SB_E_USAGE, "'%.200s' names no arm after the slash", s);
	}
	return SB_OK;
}
