#include "sb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *sb_no_file(unsigned mode)
{
	if (S_ISREG(mode))
		return NULL;
	if (S_ISDIR(mode))
		return "it is a folder, not a file";
	if (S_ISFIFO(mode))
		return "it is a pipe, not a file";
	return S_ISSOCK(mode) ? "it is a socket, not a file" : "it is a device, not a file";
}

int sb_open_file(const char *path, const char **why)
{
	struct stat st;
	int fd;

	/* Looked at first, since opening a device can have effects, and then again: another may have taken its place.
	 */
	*why = stat(path, &st) ? strerror(errno) : sb_no_file(st.st_mode);
	if (*why)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		*why = strerror(errno);
		return -1;
	}
	*why = fstat(fd, &st) ? strerror(errno) : sb_no_file(st.st_mode);
	if (!*why)
		return fd;
	close(fd);
	return -1;
}

bool sb_beside_program(const char *name, char *out, size_t n)
{
	ssize_t len = readlink("/proc/self/exe", out, n - 1);
	char *slash;

	if (len <= 0)
		return false;
	out[len] = '\0';
	slash = strrchr(out, '/');
	if (!slash || (size_t)(slash + 1 - out) + strlen(name) >= n)
		return false;
	strcpy(slash + 1, name);
	return access(out, R_OK) == 0;
}
