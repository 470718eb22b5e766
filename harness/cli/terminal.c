/* Where things are: the terminal, the database, this program. */
#define _DEFAULT_SOURCE /* TIOCGWINSZ */
#include "sb_cli.h"
#include "sb_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char *sb_database_path(const char *given)
{
	const char *env = getenv("SPABENCH_DB");

	if (given)
		return given;
	return env && env[0] ? env : "spabench.db";
}

enum sb_status sb_database_try(const char *path, struct sb_error *err)
{
	struct sb_store *st;
	enum sb_status status = sb_store_open(path, SB_STORE_WRITE, &st, err);

	if (!status)
		sb_store_discard(st);
	return status;
}

enum sb_status sb_own_path(char *out, size_t n, struct sb_error *err)
{
	ssize_t len = readlink("/proc/self/exe", out, n - 1);

	if (len <= 0)
		return sb_fail(
		        err, SB_E_ENV, "cannot find this program's own path: %s; name it with --exe", strerror(errno));
	out[len] = '\0';
	return SB_OK;
}

bool sb_terminal_color(int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(no_color && no_color[0]) && term && strcmp(term, "dumb") != 0;
}

int sb_terminal_width(int fd)
{
	struct winsize ws;

	if (!isatty(fd) || ioctl(fd, TIOCGWINSZ, &ws) || ws.ws_col == 0)
		return 0;
	return ws.ws_col;
}

bool sb_terminal_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *locale = NULL;

	for (size_t i = 0; i < SB_ARRAY_LEN(names) && !(locale && *locale); i++)
		locale = getenv(names[i]);
	return locale && (strstr(locale, "UTF-8") || strstr(locale, "utf8") || strstr(locale, "utf-8"));
}
