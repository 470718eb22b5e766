/* A look at a device from a process of its own: this one never touches it, and survives whatever opening it does. */
#include "sb_backend.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child says. The kind is a pointer into its own libraries, so it goes as text. */
struct answer {
	struct sb_error err; /* code SB_OK: it opened */
	struct sb_device_look look;
	char kind[16];
};

static void about(const char *name, struct sb_backend_about *out)
{
	for (int i = 0; sb_backends[i]; i++)
		if (!strncmp(name, sb_backends[i]->name, strlen(sb_backends[i]->name)) && sb_backends[i]->about)
			sb_backends[i]->about(out);
}

static void look(const char *name, struct answer *a)
{
	struct sb_backend *be;
	struct sb_error ignored;

	memset(a, 0, sizeof(*a)); /* padding too: it is written */
	about(name, &a->look.about);
	if (sb_backend_open(name, 0, &be, &a->err))
		return;
	a->err.code = SB_OK;
	sb_backend_info(be, &a->look.info);
	strncpy(a->kind, a->look.info.kind, sizeof(a->kind) - 1);
	if (sb_pages_info(be->pages, &a->look.free_bytes, &a->look.total_bytes, &ignored))
		a->look.free_bytes = a->look.total_bytes = 0;
	sb_backend_close(be);
}

static _Noreturn void answer_and_exit(const char *name, int fd)
{
	struct answer a;
	const char *at = (const char *)&a;
	size_t left = sizeof(a);

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	look(name, &a);
	while (left) {
		ssize_t n = write(fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += n;
		left -= (size_t)n;
	}
	_exit(0);
}

/* All of the answer before the deadline. */
static bool receive(int fd, int64_t deadline_ns, struct answer *a)
{
	char *at = (char *)a;
	size_t left = sizeof(*a);

	while (left) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left_ms = (deadline_ns - sb_now_ns()) / 1000000;
		ssize_t n;

		if (left_ms <= 0)
			return false;
		n = poll(&p, 1, (int)left_ms);
		if (n > 0)
			n = read(fd, at, left);
		else if (n == 0)
			return false;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		left -= (size_t)n;
	}
	return true;
}

/* Closing a device may hang where opening it did not: what was said counts. */
static int collect(pid_t pid, bool said)
{
	int64_t deadline_ns = sb_now_ns() + (said ? INT64_C(5000000000) : 0);
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (sb_now_ns() >= deadline_ns)
			kill(pid, SIGKILL);
		sb_sleep_ns(1000000);
	}
	return status;
}

enum sb_status sb_backend_look(const char *name, double timeout_s, struct sb_device_look *out, struct sb_error *err)
{
	static const char *const kinds[] = { "cpu", "cuda" };
	struct answer a;
	int fd[2], status;
	int64_t deadline_ns = sb_now_ns() + (int64_t)(timeout_s * 1e9);
	bool said;
	pid_t pid;

	*out = (struct sb_device_look){ .info.kind = "" };
	if (pipe(fd))
		return sb_fail(err, SB_E_ENV, "device '%.40s': cannot make a pipe: %s", name, strerror(errno));
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		answer_and_exit(name, fd[1]);
	}
	close(fd[1]);
	said = pid > 0 && receive(fd[0], deadline_ns, &a);
	close(fd[0]);
	if (pid < 0)
		return sb_fail(err, SB_E_ENV, "device '%.40s': cannot start a process: %s", name, strerror(errno));
	status = collect(pid, said);
	if (!said && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		return sb_fail(err, SB_E_DEVICE, "device '%.40s': a process that opened it was killed by signal %d",
		        name, WTERMSIG(status));
	if (!said)
		return sb_fail(err, SB_E_DEVICE,
		        "device '%.40s' could not be opened within %g s; if its driver hangs, start the machine again",
		        name, timeout_s);
	*out = a.look;
	out->info.kind = "";
	if (a.err.code != SB_OK)
		return sb_fail(err, a.err.code, "%s", a.err.msg);
	for (size_t i = 0; i < SB_ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i], a.kind))
			out->info.kind = kinds[i];
	return SB_OK;
}
