#define _DEFAULT_SOURCE /* prctl() lives beside POSIX */
#include "clip_internal.h"
#include "sb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_MS 30000
#define REAP_STEP_NS       INT64_C(2000000)

extern char **environ;

struct ffmpeg {
	pid_t pid;
	int out_fd, err_fd; /* -1 when closed */
	int64_t timeout_ms;
	bool ended;      /* the end of its output was seen */
	char said[4096]; /* the end of its standard error, terminated */
	size_t said_len;
};

/* A pipe that children do not inherit and that leaves descriptors 0 to 2 alone, even where some of those are closed. */
static int open_pipe(int fd[2])
{
	int low[2], saved;

	if (pipe(low))
		return -1;
	fd[0] = fcntl(low[0], F_DUPFD_CLOEXEC, 3);
	fd[1] = fd[0] < 0 ? -1 : fcntl(low[1], F_DUPFD_CLOEXEC, 3);
	saved = errno;
	close(low[0]);
	close(low[1]);
	if (fd[1] >= 0)
		return 0;
	if (fd[0] >= 0)
		close(fd[0]);
	errno = saved;
	return -1;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* What a PATH leads to, into out[n]. Returns an errno value: ENOENT, or EACCES for what may not be run. */
static int find_program(const char *name, char *out, size_t n)
{
	const char *path = getenv("PATH");
	int why = ENOENT;
	struct stat st;
	size_t len;

	for (path = path ? path : "/bin:/usr/bin"; path; path = path[len] ? path + len + 1 : NULL) {
		len = strcspn(path, ":");
		if (snprintf(out, n, "%.*s%s%s", (int)len, path, len ? "/" : "", name) >= (int)n || stat(out, &st) ||
		        !S_ISREG(st.st_mode))
			continue;
		if (!access(out, X_OK))
			return 0;
		why = EACCES;
	}
	return why;
}

struct child {
	const char *program;
	char *const *argv;
	int in_fd;                   /* to be kept open, -1: none */
	int out_fd, err_fd, told_fd; /* told_fd: where it says why it could not start */
	pid_t parent;
};

/* Between fork and exec: only what is safe there, for the other threads are not. */
static _Noreturn void become_ffmpeg(const struct child *c)
{
	int null, why;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a worker that is killed takes it along, even one that hangs */
	if (getppid() != c->parent)       /* which is gone already */
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	null = open("/dev/null", O_RDONLY);
	if (null < 0 || dup2(null, 0) < 0 || dup2(c->out_fd, 1) < 0 || dup2(c->err_fd, 2) < 0 ||
	        (c->in_fd >= 0 && fcntl(c->in_fd, F_SETFD, 0)))
		goto failed;
	if (null > 2)
		close(null);
	execve(c->program, c->argv, environ);
failed:
	why = errno;
	while (write(c->told_fd, &why, sizeof(why)) < 0 && errno == EINTR)
		;
	_exit(127);
}

/* posix_spawn() would do but for the signal when the parent dies. Returns an errno value. */
static int spawn(char *const argv[], int in_fd, int out_fd, int err_fd, pid_t *pid)
{
	char program[4096];
	struct child c = { program, argv, in_fd, out_fd, err_fd, -1, getpid() };
	int told[2], why = find_program(argv[0], program, sizeof(program));
	ssize_t n;

	if (why)
		return why;
	if (open_pipe(told))
		return errno;
	c.told_fd = told[1];
	*pid = fork();
	if (*pid == 0)
		become_ffmpeg(&c);
	why = *pid < 0 ? errno : 0;
	close(told[1]); /* and it closes its own when it has started */
	while (!why && (n = read(told[0], &why, sizeof(why))) < 0 && errno == EINTR)
		;
	close(told[0]);
	while (why && *pid > 0 && waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	return why;
}

static enum sb_status start(struct ffmpeg *f, char *const argv[], int in_fd, struct sb_error *err)
{
	int out[2], said[2], rc;

	if (open_pipe(out))
		return sb_fail(err, SB_E_DATA, "cannot open a pipe to ffmpeg: %s", strerror(errno));
	if (open_pipe(said)) {
		rc = errno;
		close(out[0]);
		close(out[1]);
		return sb_fail(err, SB_E_DATA, "cannot open a pipe to ffmpeg: %s", strerror(rc));
	}
	rc = spawn(argv, in_fd, out[1], said[1], &f->pid);
	close(out[1]);
	close(said[1]);
	if (!rc) {
		f->out_fd = out[0];
		f->err_fd = said[0];
		return SB_OK;
	}
	close(out[0]);
	close(said[0]);
	if (rc == ENOENT)
		return sb_fail(err, SB_E_ENV,
		        "cannot find 'ffmpeg'; install ffmpeg, or run without --video or with PNG images, a .y4m file "
		        "or --raw");
	return sb_fail(err, SB_E_ENV, "cannot start 'ffmpeg': %s", strerror(rc));
}

/* Keep the end of what ffmpeg says. */
static void take_said(struct ffmpeg *f)
{
	char chunk[1024];
	size_t room = sizeof(f->said) - 1, n;
	ssize_t got = read(f->err_fd, chunk, sizeof(chunk));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		close_fd(&f->err_fd);
		return;
	}
	n = (size_t)got;
	if (f->said_len + n > room) {
		size_t drop = f->said_len + n - room;

		memmove(f->said, f->said + drop, f->said_len - drop);
		f->said_len -= drop;
	}
	for (size_t i = 0; i < n; i++) /* a zero byte would hide what follows it */
		f->said[f->said_len++] = chunk[i] ? chunk[i] : ' ';
	f->said[f->said_len] = '\0';
}

static enum sb_status silent(const struct ffmpeg *f, struct sb_error *err)
{
	return sb_fail(err, SB_E_DATA, "ffmpeg gave nothing for %g seconds", (double)f->timeout_ms / 1000.0);
}

/* sb_ppm_source.read(): wait for output, looking after standard error meanwhile so that ffmpeg never blocks on it. */
static enum sb_status read_output(void *ctx, void *buf, size_t n, size_t *got, struct sb_error *err)
{
	struct ffmpeg *f = ctx;
	int64_t deadline_ns = sb_now_ns() + f->timeout_ms * 1000000;

	for (;;) {
		/* A negative descriptor is skipped by poll(). */
		struct pollfd fds[2] = { { .fd = f->out_fd, .events = POLLIN }, { .fd = f->err_fd, .events = POLLIN } };
		int64_t left_ms = (deadline_ns - sb_now_ns() + 999999) / 1000000;

		if (left_ms <= 0)
			return silent(f, err);
		if (poll(fds, 2, left_ms > 60000 ? 60000 : (int)left_ms) < 0 && errno != EINTR)
			return sb_fail(err, SB_E_DATA, "cannot wait for ffmpeg: %s", strerror(errno));
		if (f->err_fd >= 0 && fds[1].revents)
			take_said(f);
		if (fds[0].revents) {
			ssize_t r = read(f->out_fd, buf, n);

			if (r >= 0) {
				f->ended = r == 0;
				*got = (size_t)r;
				return SB_OK;
			}
			if (errno != EINTR && errno != EAGAIN)
				return sb_fail(err, SB_E_DATA, "cannot read from ffmpeg: %s", strerror(errno));
		}
	}
}

/* What ffmpeg still has to say, until it closes its standard error. */
static void drain_said(struct ffmpeg *f)
{
	int64_t deadline_ns = sb_now_ns() + f->timeout_ms * 1000000;

	while (f->err_fd >= 0) {
		struct pollfd fd = { .fd = f->err_fd, .events = POLLIN };
		int64_t left_ms = (deadline_ns - sb_now_ns() + 999999) / 1000000;

		if (left_ms <= 0)
			return;
		if (poll(&fd, 1, left_ms > 60000 ? 60000 : (int)left_ms) > 0)
			take_said(f);
	}
}

/* Wait for ffmpeg to end; one that does not is killed. Returns false then, and otherwise its wait status. */
static bool wait_for_end(const struct ffmpeg *f, int *wait_status)
{
	int64_t deadline_ns = sb_now_ns() + f->timeout_ms * 1000000;

	for (;;) {
		pid_t r = waitpid(f->pid, wait_status, WNOHANG);

		if (r == f->pid)
			return true;
		if ((r < 0 && errno != EINTR) || sb_now_ns() > deadline_ns)
			return false;
		sb_sleep_ns(REAP_STEP_NS);
	}
}

static void kill_and_wait(const struct ffmpeg *f)
{
	kill(f->pid, SIGKILL);
	while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* The last line that says something, escaped into out[n]. */
static void last_line(struct ffmpeg *f, char *out, size_t n)
{
	size_t end = f->said_len, begin;

	while (end > 0 && strchr("\r\n \t", f->said[end - 1]))
		end--;
	f->said[end] = '\0';
	for (begin = end; begin > 0 && f->said[begin - 1] != '\n' && f->said[begin - 1] != '\r';)
		begin--;
	sb_escape(f->said + begin, out, n);
}

static enum sb_status failed(struct ffmpeg *f, int wait_status, struct sb_error *err)
{
	char line[400];

	last_line(f, line, sizeof(line));
	if (WIFSIGNALED(wait_status))
		return sb_fail(err, SB_E_DATA, "ffmpeg was ended by signal %d%s%s", WTERMSIG(wait_status),
		        *line ? ": " : "", line);
	return sb_fail(err, SB_E_DATA, "ffmpeg failed: %s", *line ? line : "it did not say why");
}

/*
 * What ffmpeg is to call its input. "file:" keeps names that begin with '-' or look like another protocol what they
 * are: names of files. One with a '%' it would still take for the pattern of many files, "a%03d.png": it gets the open
 * file instead, *fd.
 */
static enum sb_status name_input(const char *path, struct sb_buf *url, int *fd, struct sb_error *err)
{
	const char *why;

	*fd = sb_open_file(path, &why); /* ffmpeg would wait for whoever writes to a pipe */
	if (*fd < 0)
		return sb_fail(err, SB_E_DATA, "cannot open: %s", why);
	if (strchr(path, '%')) {
		sb_buf_addf(url, "file:/dev/fd/%d", *fd);
	} else {
		sb_buf_addf(url, "file:%s", path);
		close_fd(fd);
	}
	if (!url->failed)
		return SB_OK;
	close_fd(fd);
	return sb_fail(err, SB_E_NOMEM, "no memory to start ffmpeg");
}

/* One ffmpeg process. *unknown_option when it refused `passthrough` as not known. */
static enum sb_status decode_once(const char *path, const char *passthrough, const struct sb_ppm_want *want,
        int64_t timeout_ms, struct sb_ppm_frames *frames, struct sb_buf *note, bool *unknown_option,
        struct sb_error *err)
{
	struct ffmpeg f = { .out_fd = -1, .err_fd = -1, .timeout_ms = timeout_ms };
	struct sb_ppm_source source = { read_output, &f };
	struct sb_buf url = { 0 };
	char limit[24], line[400], extra;
	enum sb_status status;
	int wait_status = 0, in_fd = -1;
	size_t got = 0;

	status = name_input(path, &url, &in_fd, err);
	if (status)
		return status;
	snprintf(limit, sizeof(limit), "%lld", (long long)((want->n_frames - 1) * want->stride + 1));

	/* The white list: a file that is a list of other places may name files, never the network. */
	const char *argv[] = { "ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-protocol_whitelist", "file", "-i",
		url.s, "-map", "0:v:0", passthrough, "passthrough", "-pix_fmt", "rgb24", "-f", "image2pipe", "-c:v",
		"ppm", want->n_frames ? "-frames:v" : "-", want->n_frames ? limit : NULL, "-", NULL };

	status = start(&f, (char *const *)argv, in_fd, err);
	sb_buf_release(&url);
	close_fd(&in_fd);
	if (status)
		return status;
	status = sb_ppm_read(&source, want, frames, err);
	if (!status &&
	        !f.ended) /* enough frames: nothing should follow, and an ffmpeg that goes on is not waited for */
		status = read_output(&f, &extra, 1, &got, err);
	if (f.ended)
		drain_said(&f);
	close_fd(&f.out_fd);
	close_fd(&f.err_fd);
	if (!f.ended || !wait_for_end(&f, &wait_status)) {
		kill_and_wait(&f);
		return status;
	}
	*unknown_option = frames->n == 0 && strstr(f.said, passthrough + 1);
	/* A last picture cut short follows from what made ffmpeg fail, so its own message comes first. */
	if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status))
		return failed(&f, wait_status, err);
	last_line(&f, line, sizeof(line));
	if (!status && *line)
		sb_buf_addf(note, "%sffmpeg complained: %s", note->len ? "; " : "", line);
	return status;
}

enum sb_status sb_ffmpeg_decode(const char *path, const struct sb_ppm_want *want, int64_t timeout_ms,
        struct sb_ppm_frames *frames, struct sb_buf *note, struct sb_error *err)
{
	/* -fps_mode came with ffmpeg 5.1; -vsync, which 4 has, is on its way out. */
	static const char *const passthrough[] = { "-fps_mode", "-vsync" };
	enum sb_status status = SB_OK;

	for (size_t i = 0; i < SB_ARRAY_LEN(passthrough); i++) {
		bool unknown_option = false;

		status = decode_once(path, passthrough[i], want, timeout_ms ? timeout_ms : DEFAULT_TIMEOUT_MS, frames,
		        note, &unknown_option, err);
		if (!status || !unknown_option)
			break;
	}
	return status;
}
