#include "side_by_side.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a process says on one of its two outputs, up to the end of the line. */
struct stream {
	int fd; /* -1: closed */
	FILE *out;
	struct sb_buf line;
};

struct side {
	pid_t pid;
	struct stream stream[2];
};

static volatile sig_atomic_t signals; /* to end, so far */

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

/* ---- the processes ---------------------------------------------------------------------------------------------- */

static _Noreturn void become_side(const struct sb_sides *s, int i, pid_t parent, int out, int err)
{
	int nothing = open("/dev/null", O_RDONLY), code;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(130);
	setpgid(0, 0); /* Ctrl-C reaches the parent, which passes it on: once */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	dup2(nothing, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	code = s->work(s->self, i);
	if (fflush(stdout))
		code = code ? code : 4;
	_exit(code);
}

/* Both ends close on exec: a worker that lives longer must not hold the output open. */
static bool make_pipe(int fd[2])
{
	if (pipe(fd))
		return false;
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	fcntl(fd[1], F_SETFD, FD_CLOEXEC);
	return true;
}

static void close_both(int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

static enum sb_status start(struct sb_sides *s, struct side *sides, int i, struct sb_error *err)
{
	const pid_t self = getpid();
	struct side *side = &sides[i];
	int out[2], errors[2];

	if (!make_pipe(out))
		return sb_fail(err, SB_E_ENV, "%s: cannot make a pipe: %s", s->name[i], strerror(errno));
	if (!make_pipe(errors)) {
		close_both(out);
		return sb_fail(err, SB_E_ENV, "%s: cannot make a pipe: %s", s->name[i], strerror(errno));
	}
	fflush(stdout);
	side->pid = fork();
	if (side->pid == 0) {
		for (int k = 0; k < i; k++) {
			close(sides[k].stream[0].fd);
			close(sides[k].stream[1].fd);
		}
		become_side(s, i, self, out[1], errors[1]);
	}
	close(out[1]);
	close(errors[1]);
	if (side->pid < 0) {
		close(out[0]);
		close(errors[0]);
		return sb_fail(err, SB_E_ENV, "%s: cannot start a process: %s", s->name[i], strerror(errno));
	}
	side->stream[0] = (struct stream){ .fd = out[0], .out = stdout };
	side->stream[1] = (struct stream){ .fd = errors[0], .out = stderr };
	return SB_OK;
}

/* ---- what they say ---------------------------------------------------------------------------------------------- */

static void print_line(const char *name, struct stream *st)
{
	fprintf(st->out, "%s: %s\n", name, sb_buf_str(&st->line));
	fflush(st->out);
	sb_buf_release(&st->line);
}

static void take(const char *name, struct stream *st)
{
	char piece[4096];
	ssize_t n = read(st->fd, piece, sizeof(piece));

	if (n < 0 && errno == EINTR)
		return;
	for (ssize_t i = 0; i < n; i++) {
		if (piece[i] == '\n')
			print_line(name, st);
		else
			sb_buf_add(&st->line, &piece[i], 1);
	}
	if (n > 0)
		return;
	if (st->line.len)
		print_line(name, st);
	close(st->fd);
	st->fd = -1;
}

static void pass_on(const struct side *sides, int n, int sig)
{
	for (int i = 0; i < n; i++)
		if (sides[i].pid > 0)
			kill(sides[i].pid, sig);
}

/* Until all have closed their outputs, which they do when they end. */
static void listen_to(struct sb_sides *s, struct side *sides, int n)
{
	sig_atomic_t passed = 0;

	for (;;) {
		struct pollfd p[2 * SB_SIDES_MAX];
		struct stream *stream[2 * SB_SIDES_MAX];
		int of[2 * SB_SIDES_MAX], open_ones = 0;

		for (; passed < signals; passed++)
			pass_on(sides, n, SIGINT);
		for (int i = 0; i < n; i++)
			for (int k = 0; k < 2; k++) {
				if (sides[i].stream[k].fd < 0)
					continue;
				p[open_ones] = (struct pollfd){ .fd = sides[i].stream[k].fd, .events = POLLIN };
				stream[open_ones] = &sides[i].stream[k];
				of[open_ones++] = i;
			}
		if (!open_ones)
			return;
		/* A signal between the look at `signals` and poll() waits for the timeout. */
		if (poll(p, (nfds_t)open_ones, 200) <= 0)
			continue;
		for (int k = 0; k < open_ones; k++)
			if (p[k].revents)
				take(s->name[of[k]], stream[k]);
	}
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

enum sb_status sb_sides_run(struct sb_sides *s, struct sb_error *err)
{
	struct sigaction act = { .sa_handler = on_signal }, was[2];
	struct side sides[SB_SIDES_MAX] = { { .pid = 0 } };
	enum sb_status status = SB_OK;
	int n = 0;

	if (s->n < 1 || s->n > SB_SIDES_MAX)
		SB_BUG("%d sides", s->n);
	signals = 0;
	sigaction(SIGINT, &act, &was[0]);
	sigaction(SIGTERM, &act, &was[1]);
	while (!status && n < s->n) {
		status = start(s, sides, n, err);
		n += !status;
	}
	if (status)
		pass_on(sides, n, SIGTERM);
	listen_to(s, sides, n);
	for (int i = 0; i < n; i++)
		s->code[i] = wait_for(sides[i].pid);
	sigaction(SIGINT, &was[0], NULL);
	sigaction(SIGTERM, &was[1], NULL);
	return status;
}
