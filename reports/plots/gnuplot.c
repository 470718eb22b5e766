/* gnuplot as a process: found, started, waited for, ended. */
#include "plots_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIDE_BY_SIDE_MAX = 8, SAID_MAX = 4096 };

char *sb_gnuplot_find(void)
{
	const char *path = getenv("PATH");

	for (const char *s = path ? path : ""; *s; s += strcspn(s, ":"), s += *s == ':') {
		struct sb_buf at = { 0 };
		struct stat st;

		if (*s == ':') /* an empty entry is the current folder: not where programs are looked for */
			continue;
		sb_buf_add(&at, s, strcspn(s, ":"));
		sb_buf_puts(&at, "/gnuplot");
		if (!at.failed && !access(at.s, X_OK) && !stat(at.s, &st) && S_ISREG(st.st_mode))
			return at.s;
		sb_buf_release(&at);
	}
	return NULL;
}

/* ---- one process ------------------------------------------------------------------------------------------------- */

struct running {
	pid_t pid; /* 0: none */
	int said;  /* a nameless file with what it said */
	int64_t until_ns;
	struct sb_gnuplot_job *job;
};

static void be_gnuplot(const char *program, const char *folder, const char *script, int said)
{
	/* -d: the user's own settings stay out, so that pictures are the same for everybody. */
	const char *argv[] = { program, "-d", script, NULL };
	int in = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	if (in < 0 || dup2(in, 0) < 0 || dup2(said, 1) < 0 || dup2(said, 2) < 0 || chdir(folder))
		_exit(126);
	/* Numbers with a point; no other terminal, path or font than the scripts ask for. */
	setenv("LC_ALL", "C.UTF-8", 1);
	unsetenv("GNUTERM");
	unsetenv("GNUPLOT_LIB");
	signal(SIGPIPE, SIG_DFL);
	execv(program, (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int nameless_file(void)
{
	FILE *f = tmpfile();
	int fd = f ? dup(fileno(f)) : -1;

	if (f)
		fclose(f);
	return fd;
}

static bool start(struct running *r, const char *program, const char *folder, struct sb_gnuplot_job *job, int limit_ms)
{
	*r = (struct running){ .job = job, .said = nameless_file() };
	if (r->said < 0) {
		job->failed = sb_strdup("gnuplot could not be started: no room for what it says");
		return false;
	}
	r->until_ns = sb_now_ns() + limit_ms * INT64_C(1000000);
	r->pid = fork();
	if (!r->pid)
		be_gnuplot(program, folder, job->script, r->said);
	if (r->pid > 0) {
		setpgid(r->pid, r->pid); /* whoever is first */
		return true;
	}
	close(r->said);
	r->pid = 0;
	job->failed = sb_strdup("gnuplot could not be started");
	return false;
}

/* The last line that is not empty: gnuplot says where and what. */
static void last_line(int fd, char *line, size_t n)
{
	char text[SAID_MAX + 1], *s, *last = NULL;
	off_t size = lseek(fd, 0, SEEK_END);
	ssize_t got;

	line[0] = '\0';
	if (size > 0)
		lseek(fd, size > SAID_MAX ? size - SAID_MAX : 0, SEEK_SET);
	got = size > 0 ? read(fd, text, SAID_MAX) : 0;
	text[got > 0 ? got : 0] = '\0';
	for (s = strtok(text, "\r\n"); s; s = strtok(NULL, "\r\n"))
		if (s[strspn(s, " \t^")])
			last = s;
	if (last)
		sb_escape(last + strspn(last, " \t"), line, n);
}

static void judge(struct running *r, int status)
{
	char line[256];
	struct sb_buf b = { 0 };

	last_line(r->said, line, sizeof(line));
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	if (WIFSIGNALED(status))
		sb_buf_addf(&b, "gnuplot was ended by signal %d", WTERMSIG(status));
	else
		sb_buf_addf(&b, "gnuplot failed with status %d", WEXITSTATUS(status));
	if (line[0])
		sb_buf_addf(&b, ": %s", line);
	r->job->failed = b.s;
}

static void end(struct running *r)
{
	int status;

	kill(-r->pid, SIGKILL);
	kill(r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(r->said);
	r->pid = 0;
}

/* Has it come to an end, by itself or by us? */
static bool ended(struct running *r, int limit_ms)
{
	int status = 0;
	struct sb_buf b = { 0 };
	pid_t got = waitpid(r->pid, &status, WNOHANG);

	if (got == r->pid || (got < 0 && errno != EINTR)) {
		kill(-r->pid, SIGKILL); /* what it left behind */
		judge(r, got < 0 ? 1 << 8 : status);
		close(r->said);
		r->pid = 0;
		return true;
	}
	if (sb_now_ns() < r->until_ns)
		return false;
	end(r);
	sb_buf_addf(&b, "gnuplot was ended after %g s", limit_ms / 1e3);
	r->job->failed = b.s;
	r->job->hung = true;
	return true;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static void leave_out(struct sb_gnuplot_job *jobs, size_t from, size_t n)
{
	for (size_t i = from; i < n; i++)
		jobs[i].failed = sb_strdup("gnuplot was not started again after it hung");
}

bool sb_gnuplot_run(const char *program, const char *folder, struct sb_gnuplot_job *jobs, size_t n, int side_by_side,
        int limit_ms, bool (*stop)(void))
{
	struct running r[SIDE_BY_SIDE_MAX] = { { 0 } };
	int width = side_by_side < 1 ? 1 : side_by_side > SIDE_BY_SIDE_MAX ? SIDE_BY_SIDE_MAX : side_by_side;
	size_t next = 0;
	bool busy = true, stopped = false, hung = false;

	while (busy && !stopped) {
		busy = false;
		for (int i = 0; i < width; i++) {
			if (r[i].pid && ended(&r[i], limit_ms))
				hung |= r[i].job->hung;
			while (!r[i].pid && next < n && !hung)
				start(&r[i], program, folder, &jobs[next++], limit_ms);
			busy |= r[i].pid != 0;
		}
		stopped = stop && stop();
		if (busy && !stopped)
			sb_sleep_ns(1000000);
	}
	for (int i = 0; i < width; i++)
		if (r[i].pid)
			end(&r[i]);
	if (hung)
		leave_out(jobs, next, n);
	return !stopped;
}
