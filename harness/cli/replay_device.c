/*
 * The replay on a device runs in a child of its own, which opens the device: a driver that crashes or hangs takes no
 * result along, and this process links and loads none. Two answers come back by a pipe: opened, and done.
 */
#define _DEFAULT_SOURCE /* prctl() lives beside POSIX */
#include "replay_device.h"
#include "sb_backend.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPEN_TIMEOUT_S 60

/* Parent and child are one program, so that what points to its own texts holds in both. */
struct opened {
	struct sb_error err; /* code SB_OK: it is */
	struct sb_replay_device device;
};
struct done {
	struct sb_error err;
	struct sb_replay_result result;
};

/* ---- in the child ------------------------------------------------------------------------------------------------ */

static void put(int fd, const void *answer, size_t n)
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

static void describe(struct sb_backend *be, struct sb_replay_device *d)
{
	struct sb_device_info info;
	struct sb_error ignored;

	sb_backend_info(be, &info);
	snprintf(d->name, sizeof(d->name), "%s", info.name);
	if (sb_pages_info(be->pages, &d->free_bytes, &d->total_bytes, &ignored))
		d->free_bytes = d->total_bytes = 0;
}

static void replay(struct sb_backend *be, struct sb_alloc_trace *t, const struct sb_replay_on *on,
        const struct sb_replay_device *d, struct done *a)
{
	struct sb_alloc_options opt = on->opt;
	const struct sb_replay_options r = { .policy = on->policy, .opt = &opt, .pages = be->pages };

	if (on->fraction < 1) /* 0 bytes would mean no limit */
		opt.limit_bytes = 1 + (int64_t)(on->fraction * (double)d->total_bytes);
	if (sb_replay(t, &r, &a->result, &a->err))
		sb_wrap(&a->err, "trace '%s'", on->trace);
	else
		a->err.code = SB_OK;
}

static _Noreturn void serve(struct sb_alloc_trace *t, const struct sb_replay_on *on, int fd)
{
	struct sb_backend *be = NULL;
	struct opened o;
	struct done d;

	memset(&o, 0, sizeof(o)); /* padding too: it is written */
	memset(&d, 0, sizeof(d));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (!sb_backend_open(on->device, on->limit_bytes, &be, &o.err)) {
		o.err.code = SB_OK;
		describe(be, &o.device);
	}
	put(fd, &o, sizeof(o));
	if (be) {
		replay(be, t, on, &o.device, &d);
		put(fd, &d, sizeof(d));
		sb_backend_close(be);
	}
	_exit(0);
}

/* ---- in the parent ----------------------------------------------------------------------------------------------- */

/* All of an answer. timeout_ms < 0: however long it takes. */
static bool get(int fd, void *answer, size_t n, int64_t timeout_ms)
{
	int64_t deadline_ns = sb_now_ns() + timeout_ms * 1000000;
	char *at = answer;

	while (n) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left_ms = timeout_ms < 0 ? -1 : (deadline_ns - sb_now_ns()) / 1000000;
		ssize_t got;

		if (timeout_ms >= 0 && left_ms <= 0)
			return false;
		got = poll(&p, 1, (int)left_ms);
		if (got > 0)
			got = read(fd, at, n);
		else if (got == 0)
			return false;
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

/* Closing a device may hang where using it did not. Returns its exit status. */
static int collect(pid_t pid, bool said)
{
	int64_t deadline_ns = sb_now_ns() + (said ? INT64_C(10000000000) : INT64_C(1000000000));
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (sb_now_ns() >= deadline_ns)
			kill(pid, SIGKILL);
		sb_sleep_ns(1000000);
	}
	return status;
}

static enum sb_status nothing_said(const char *device, bool open, int status, struct sb_error *err)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		return sb_fail(err, SB_E_DEVICE, "device '%.40s': the process that %s was killed by signal %d", device,
		        open ? "replayed on it" : "opened it", WTERMSIG(status));
	if (open)
		return sb_fail(err, SB_E_DEVICE, "device '%.40s': the process that replayed on it ended without result",
		        device);
	return sb_fail(err, SB_E_DEVICE,
	        "device '%.40s' could not be opened within %d s; if its driver hangs, start the machine again", device,
	        OPEN_TIMEOUT_S);
}

enum sb_status sb_replay_on_device(struct sb_alloc_trace *t, const struct sb_replay_on *on,
        struct sb_replay_device *device, struct sb_replay_result *out, struct sb_error *err)
{
	bool open, ended;
	struct opened o;
	struct done d;
	int fd[2], status;
	pid_t pid;

	if (pipe(fd))
		return sb_fail(err, SB_E_ENV, "device '%.40s': cannot make a pipe: %s", on->device, strerror(errno));
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		serve(t, on, fd[1]);
	}
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return sb_fail(
		        err, SB_E_ENV, "device '%.40s': cannot start a process: %s", on->device, strerror(errno));
	}
	open = get(fd[0], &o, sizeof(o), OPEN_TIMEOUT_S * 1000);
	ended = open && o.err.code == SB_OK && get(fd[0], &d, sizeof(d), -1);
	close(fd[0]);
	status = collect(pid, ended || (open && o.err.code != SB_OK));
	if (open && o.err.code != SB_OK)
		return sb_fail(err, o.err.code, "%s", o.err.msg);
	if (!ended)
		return nothing_said(on->device, open, status, err);
	if (d.err.code != SB_OK)
		return sb_fail(err, d.err.code, "%s", d.err.msg);
	*device = o.device;
	*out = d.result;
	return SB_OK;
}
