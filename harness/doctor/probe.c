#include "doctor_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM_PATH_MAX 4096

extern char **environ;

/* ---- files ----------------------------------------------------------------------------------------------------- */

static FILE *open_under(const char *root, const char *path)
{
	char full[PROGRAM_PATH_MAX];
	int n = snprintf(full, sizeof(full), "%s%s", root, path);

	return n > 0 && (size_t)n < sizeof(full) ? fopen(full, "r") : NULL;
}

bool sb_probe_exists(const char *root, const char *path)
{
	char full[PROGRAM_PATH_MAX];
	int n = snprintf(full, sizeof(full), "%s%s", root, path);

	return n > 0 && (size_t)n < sizeof(full) && !access(full, F_OK);
}

bool sb_probe_line(const char *root, const char *path, char *out, size_t n)
{
	FILE *f = open_under(root, path);
	bool ok = f && fgets(out, (int)n, f);

	if (f)
		fclose(f);
	if (ok)
		out[strcspn(out, "\n")] = '\0';
	return ok && *out;
}

bool sb_probe_value(const char *root, const char *path, const char *key, char separator, char *out, size_t n)
{
	FILE *f = open_under(root, path);
	char line[4096];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		char *p = strchr(line, separator);

		if (!p || strncmp(line, key, strlen(key)))
			continue;
		p += 1 + strspn(p + 1, " \t");
		p[strcspn(p, "\n")] = '\0';
		snprintf(out, n, "%s", p);
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

double sb_probe_number(const char *root, const char *path, const char *key, char separator)
{
	char text[256], *end;
	double x;

	if (!sb_probe_value(root, path, key, separator, text, sizeof(text)))
		return NAN;
	x = strtod(text, &end);
	return end == text ? NAN : x;
}

/* ---- programs -------------------------------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* As execvp() looks: an empty entry is the current folder. */
bool sb_probe_program(const char *name, char *path, size_t n)
{
	const char *list = getenv("PATH");

	for (const char *p = list ? list : "/bin:/usr/bin";; p++) {
		size_t len = strcspn(p, ":");
		int used = snprintf(path, n, "%.*s/%s", len ? (int)len : 1, len ? p : ".", name);

		if (used > 0 && (size_t)used < n && is_program(path))
			return true;
		p += len;
		if (!*p)
			return false;
	}
}

/* A pipe that children do not inherit and that leaves descriptors 0 to 2 alone, even where some of those are closed. */
static bool open_pipe(int fd[2])
{
	int low[2];

	if (pipe(low))
		return false;
	for (int i = 0; i < 2; i++) {
		fd[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 3);
		close(low[i]);
	}
	if (fd[0] >= 0 && fd[1] >= 0)
		return true;
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	return false;
}

static bool spawn(char *const argv[], int out_fd, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	bool ok;

	if (posix_spawn_file_actions_init(&files))
		return false;
	ok = !posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) &&
	     !posix_spawn_file_actions_adddup2(&files, out_fd, 1) &&
	     !posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0) &&
	     !posix_spawn(pid, argv[0], &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	return ok;
}

/* Until the end of the output or the deadline: the first bytes are kept, the others read so that it can end. */
static void read_head(int fd, int64_t deadline_ns, char *out, size_t n)
{
	size_t used = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left_ms = (deadline_ns - sb_now_ns()) / 1000000;
		char chunk[1024];
		ssize_t got;

		if (left_ms <= 0 || poll(&p, 1, (int)left_ms) == 0)
			break;
		got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		for (ssize_t i = 0; i < got && used + 1 < n; i++)
			out[used++] = chunk[i] ? chunk[i] : ' ';
	}
	out[used] = '\0';
}

/* Whether it ended with 0 before the deadline; it is gone in any case. */
static bool reap(pid_t pid, int64_t deadline_ns)
{
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (sb_now_ns() > deadline_ns) {
			kill(pid, SIGKILL);
			while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
				;
			return false;
		}
		sb_sleep_ns(2000000);
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool sb_probe_output(const char *path, const char *option, double timeout_s, char *out, size_t n)
{
	int64_t deadline_ns = sb_now_ns() + (int64_t)(timeout_s * 1e9);
	char program[PROGRAM_PATH_MAX], argument[64];
	char *const argv[] = { program, argument, NULL };
	int fd[2];
	pid_t pid;
	bool ok;

	snprintf(program, sizeof(program), "%s", path);
	snprintf(argument, sizeof(argument), "%s", option);
	out[0] = '\0';
	if (!open_pipe(fd))
		return false;
	ok = spawn(argv, fd[1], &pid);
	close(fd[1]);
	if (ok) {
		read_head(fd[0], deadline_ns, out, n);
		ok = reap(pid, deadline_ns);
	}
	close(fd[0]);
	out[strcspn(out, "\r\n")] = '\0';
	return ok && *out;
}
