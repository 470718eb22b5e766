#define _DEFAULT_SOURCE /* prctl() lives beside POSIX */
#include "sb_base.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum sb_status sb_child_start(struct sb_child *c, void (*serve)(void *user, int fd), void *user, struct sb_error *err)
{
	int fd[2];
	pid_t pid;

	if (pipe(fd))
		return sb_fail(err, SB_E_ENV, "cannot make a pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		close(fd[0]);
		serve(user, fd[1]);
		_exit(0);
	}
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return sb_fail(err, SB_E_ENV, "cannot start a process: %s", strerror(errno));
	}
	*c = (struct sb_child){ .pid = pid, .fd = fd[0] };
	return SB_OK;
}

void sb_child_say(int fd, const void *answer, size_t n)
{
	const char *at = answer;

	while (n) {
		ssize_t wrote = write(fd, at, n);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) /* nobody listens any more */
			_exit(0);
		at += wrote;
		n -= (size_t)wrote;
	}
}

/* More of the answer, or its end: what read() returns. 0 after the deadline, too. */
static ssize_t read_before(int fd, char *at, size_t n, int64_t deadline_ns)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left_ns = deadline_ns == INT64_MAX ? -1 : deadline_ns - sb_now_ns();
	int ready;

	if (deadline_ns != INT64_MAX && left_ns <= 0)
		return 0;
	ready = poll(&p, 1, left_ns < 0 ? -1 : (int)((left_ns + 999999) / 1000000));
	return ready > 0 ? read(fd, at, n) : ready;
}

bool sb_child_hear(const struct sb_child *c, void *answer, size_t n, int64_t deadline_ns)
{
	char *at = answer;

	while (n) {
		ssize_t got = read_before(c->fd, at, n, deadline_ns);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

int sb_child_end(struct sb_child *c, int64_t patience_ns)
{
	int64_t deadline_ns = sb_now_ns() + patience_ns;
	int status = 0;

	close(c->fd);
	while (waitpid((pid_t)c->pid, &status, WNOHANG) == 0) {
		if (sb_now_ns() >= deadline_ns)
			kill((pid_t)c->pid, SIGKILL);
		sb_sleep_ns(1000000);
	}
	*c = (struct sb_child){ .fd = -1 };
	return status;
}
