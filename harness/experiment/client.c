/* The parent's end of a worker: start it, ask it for trials, notice when it dies or hangs. Never touches a device. */
#define _DEFAULT_SOURCE /* prctl() lives beside POSIX */
#include "sb_experiment.h"
#include "messages.h"
#include "path_json.h"
#include "case_json.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASK_MS 100 /* how often somebody is asked whether to go on; a signal is seen at once */

struct sb_worker {
	const struct sb_loop_hooks *hooks; /* borrowed, as exe is */
	const char *exe;
	pid_t pid;
	int fd;    /* -1 once it is gone */
	bool told; /* the last frame was its own error */
	char ending[48];
	struct sb_worker_facts facts;
};

static int64_t deadline_after(double s)
{
	return s > 0 ? sb_now_ns() + (int64_t)(s * 1e9) : 0;
}

/* ---- process ------------------------------------------------------------------------------------------------- */

/* In the child, between fork and exec: only what is safe there. */
static _Noreturn void become_worker(const char *exe, pid_t parent, int fd, char *const argv[], char *const envp[])
{
	int flags = fcntl(fd, F_GETFD);

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* no worker outlives its parent */
	if (getppid() != parent)          /* which is gone already */
		_exit(127);
	signal(SIGINT,
	        SIG_IGN); /* what is sent to the whole group is the parent's to handle; the setting survives exec */
	signal(SIGTERM, SIG_IGN);
	fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
	execve(exe, argv, envp);
	_exit(127);
}

extern char **environ;

/*
 * The parent's environment with the worker's threads in it: their number when asked for, and, unless the user decided,
 * threads that sleep while they wait. Spinning ones are a little faster on a machine of one's own, but on a shared one
 * they take the time of the thread that everybody waits for (4 cores, load 8: passes of 0.2 to 3 s instead of 0.1).
 * The caller frees the array only.
 */
static char **worker_environment(char *threads_setting)
{
	static char passive[] = "OMP_WAIT_POLICY=passive";
	size_t n = 0, out = 0;
	char **env;

	while (environ[n])
		n++;
	env = malloc((n + 3) * sizeof(*env));
	if (!env)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!threads_setting[0] || strncmp(environ[i], "OMP_NUM_THREADS=", 16))
			env[out++] = environ[i];
	if (threads_setting[0])
		env[out++] = threads_setting;
	if (!getenv("OMP_WAIT_POLICY") && !getenv("GOMP_SPINCOUNT"))
		env[out++] = passive;
	env[out] = NULL;
	return env;
}

static enum sb_status spawn(struct sb_worker *w, const char *exe, int threads, struct sb_error *err)
{
	char fd_text[16], threads_text[40] = "", name[] = "spabench", sub[] = "worker", opt[] = "--fd";
	int sv[2];
	char **env;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return sb_fail(err, SB_E_ENV, "cannot make a socket pair for a worker: %s", strerror(errno));
	if (threads > 0)
		snprintf(threads_text, sizeof(threads_text), "OMP_NUM_THREADS=%d", threads);
	snprintf(fd_text, sizeof(fd_text), "%d", sv[1]);
	env = worker_environment(threads_text);
	char *argv[] = { name, sub, opt, fd_text, NULL };
	const pid_t self = getpid();

	w->pid = env ? fork() : -1;
	if (w->pid == 0)
		become_worker(exe, self, sv[1], argv, env);
	free(env);
	close(sv[1]);
	if (w->pid < 0) {
		close(sv[0]);
		return sb_fail(err, SB_E_ENV, "cannot start a worker process: %s", strerror(errno));
	}
	w->fd = sv[0];
	return SB_OK;
}

/* Wait up to `patience_s`, then kill. Fills w->ending. */
static void reap(struct sb_worker *w, double patience_s)
{
	int64_t deadline = deadline_after(patience_s);
	int status = 0;
	pid_t got;

	if (w->pid <= 0)
		return;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	while ((got = waitpid(w->pid, &status, patience_s > 0 ? WNOHANG : 0)) == 0 || (got < 0 && errno == EINTR)) {
		if (patience_s > 0 && sb_now_ns() > deadline) {
			kill(w->pid, SIGKILL);
			patience_s = 0;
		} else {
			sb_sleep_ns(2000000);
		}
	}
	w->pid = 0;
	if (got > 0 && WIFSIGNALED(status))
		snprintf(w->ending, sizeof(w->ending), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(w->ending, sizeof(w->ending), "exit %d", got > 0 ? WEXITSTATUS(status) : -1);
}

/* ---- messages ------------------------------------------------------------------------------------------------ */

static enum sb_status send_setup(struct sb_worker *w, const struct sb_worker_setup *s, struct sb_error *err)
{
	struct sb_buf reference = { 0 };
	enum sb_status status;
	bool lost;
	json_t *j;
	char *text;

	sb_levels_format(&s->reference, &reference);
	j = json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s, s:I, s:b, s:s}", "workload",
	        s->c.workload, "preset", s->c.preset, "video", sb_path_json(s->c.video), "data_dir",
	        sb_path_json(s->c.data_dir), "raw_width", (json_int_t)s->c.raw_width, "raw_height",
	        (json_int_t)s->c.raw_height, "frames", (json_int_t)s->c.frames, "stride", (json_int_t)s->c.stride,
	        "width", (json_int_t)s->c.width, "height", (json_int_t)s->c.height, "own_size", s->c.own_size, "device",
	        s->device, "memory_limit", (json_int_t)s->memory_limit_bytes, "trace", s->purpose == SB_TRACING,
	        "reference", sb_buf_str(&reference));
	lost = reference.failed || json_object_set_new(j, "counters", json_boolean(s->purpose == SB_COUNTING)) ||
	       json_object_set_new(j, "weights_front", sb_path_json(s->c.weights_front)) ||
	       json_object_set_new(j, "weights_track", sb_path_json(s->c.weights_track)) ||
	       !sb_case_points_to_json(j, &s->c) ||
	       json_object_set_new(j, "trace_calls", json_boolean(s->trace_calls)) ||
	       (s->offload_budget && json_object_set_new(j, "offload_budget", json_integer(s->offload_budget))) ||
	       (s->no_reference && json_object_set_new(j, "no_reference", json_true())) ||
	       (s->plant > 0.0 && json_object_set_new(j, "plant", json_real(s->plant))) ||
	       (s->alloc_conf[0] && json_object_set_new(j, "alloc_conf", json_string(s->alloc_conf)));
	sb_buf_release(&reference);
	text = sb_message_text(j);
	if (lost || !text) {
		free(text);
		return sb_fail(err, SB_E_NOMEM, "no memory for a message");
	}
	status = sb_frame_write(w->fd, SB_FRAME_SETUP, text, strlen(text), err);
	free(text);
	return status;
}

/* A frame of the wanted type as JSON; an ERROR frame becomes the worker's own error. Caller: json_decref. */
static enum sb_status expect(struct sb_worker *w, enum sb_frame_type type, int64_t deadline, json_t **out,
        bool *timed_out, struct sb_error *err)
{
	enum sb_status status;
	struct sb_frame f;

	if (sb_frame_read(w->fd, deadline, &f, timed_out, err))
		return err->code;
	status = sb_message_open(&f, type, out, err);
	w->told = f.type == SB_FRAME_ERROR;
	free(f.data);
	return status;
}

static bool asked_to_stop(const struct sb_worker *w)
{
	return w->hooks && w->hooks->interrupted && w->hooks->interrupted(w->hooks->self);
}

/* expect(), unless somebody asks to stop meanwhile: SB_E_INTERRUPTED, and the worker is killed. */
static enum sb_status expect_unless_stopped(struct sb_worker *w, enum sb_frame_type type, int64_t deadline,
        json_t **out, bool *timed_out, struct sb_error *err)
{
	struct pollfd fd = { .fd = w->fd, .events = POLLIN };

	for (;;) {
		if (asked_to_stop(w)) {
			kill(w->pid, SIGKILL);
			return sb_fail(err, SB_E_INTERRUPTED, "interrupted");
		}
		if (poll(&fd, 1, ASK_MS) > 0 || (deadline && sb_now_ns() >= deadline))
			return expect(w, type, deadline, out, timed_out, err);
	}
}

/* ---- capabilities -------------------------------------------------------------------------------------------- */

/* An older build would do something else and not say so. */
static enum sb_status check_capability(
        const struct sb_worker *w, bool needed, const char *word, const char *what, struct sb_error *err)
{
	if (!needed || (w->facts.capabilities[0] && sb_list_has(w->facts.capabilities, word)))
		return SB_OK;
	return sb_fail(err, SB_E_ENV, "'%s' cannot %s: it is another version, without '%s'; use one as new as this",
	        w->exe, what, word);
}

static enum sb_status check_setup(const struct sb_worker *w, const struct sb_worker_setup *s, struct sb_error *err)
{
	if (check_capability(w, s->c.weights_front[0], "weights", "read weights from files", err) ||
	        check_capability(w, s->c.weights_track[0], "weights-track", "read the tracker's weights", err) ||
	        check_capability(w, !strcmp(s->c.workload, "tracker"), "tracker", "run the tracker", err) ||
	        check_capability(w, !strncmp(s->c.workload, "churn", 5), "churn-modules",
	                "run the churn workload with the requests of PyTorch's modules", err))
		return err->code;
	if (check_capability(w, s->trace_calls, "trace-calls", "record calls of the API", err))
		return err->code;
	if (check_capability(w, s->alloc_conf[0], "alloc-conf", "take settings of its allocators", err))
		return err->code;
	if (check_capability(w, s->offload_budget > 0, "offload", "keep offloaded weights on the device", err))
		return err->code;
	if (check_capability(w, s->plant > 0.0, "plant", "make passes longer", err))
		return err->code;
	if (check_capability(w, s->purpose == SB_COUNTING, "counters", "read hardware counters", err))
		return err->code;
	return check_capability(w, s->c.raw_width != 0, "raw", "read raw frames", err);
}

/* ---- setting up ---------------------------------------------------------------------------------------------- */

static enum sb_status handshake(
        struct sb_worker *w, const struct sb_worker_setup *setup, double deadline_s, struct sb_error *err)
{
	bool timed_out = false;
	enum sb_status status;
	json_t *j;

	status = expect_unless_stopped(w, SB_FRAME_HELLO, deadline_after(deadline_s), &j, &timed_out, err);
	if (status == SB_E_INTERRUPTED)
		return status;
	if (status) {
		reap(w, timed_out ? 0.0 : 0.2);
		return sb_fail(err, SB_E_ENV, "'%s' did not start as a worker (%s)", w->exe, w->ending);
	}
	sb_message_hello(j, &w->facts);
	json_decref(j);
	status = check_setup(w, setup, err);
	return status ? status : send_setup(w, setup, err);
}

static enum sb_status ended_in_setup(struct sb_worker *w, struct sb_error *err)
{
	reap(w, 0.5);
	return sb_fail(err, SB_E_DEVICE, "a worker ended while it was set up (%s)", w->ending);
}

static bool is_gone(const struct sb_error *err)
{
	return err->code == SB_E_DEVICE && !strcmp(err->msg, SB_PROTOCOL_GONE);
}

enum sb_status sb_worker_launch(const char *exe, const struct sb_worker_setup *setup, double deadline_s,
        const struct sb_loop_hooks *hooks, struct sb_worker **out, struct sb_error *err)
{
	struct sb_worker *w = calloc(1, sizeof(*w));
	enum sb_status status;

	if (!w)
		return sb_fail(err, SB_E_NOMEM, "no memory for a worker");
	w->fd = -1;
	w->hooks = hooks;
	w->exe = exe;
	status = spawn(w, exe, setup->threads, err);
	if (!status)
		status = handshake(w, setup, deadline_s, err);
	if (status == SB_E_INTERRUPTED)
		sb_fail(err, status, "interrupted while a worker was set up");
	if (status && is_gone(err))
		status = ended_in_setup(w, err);
	if (status) {
		sb_worker_stop(w);
		return status;
	}
	*out = w;
	return SB_OK;
}

enum sb_status sb_worker_await(struct sb_worker *w, double deadline_s, struct sb_error *err)
{
	bool timed_out = false;
	json_t *j;
	enum sb_status status =
	        expect_unless_stopped(w, SB_FRAME_READY, deadline_after(deadline_s), &j, &timed_out, err);

	if (!status) {
		sb_message_ready(j, &w->facts);
		json_decref(j);
		return SB_OK;
	}
	if (status == SB_E_INTERRUPTED)
		return sb_fail(err, status, "interrupted while a worker was set up");
	if (timed_out) { /* reap() must not wait for a process that hangs */
		kill(w->pid, SIGKILL);
		reap(w, 0.5);
		return sb_fail(err, SB_E_DEVICE, "a worker was not ready within %g s", deadline_s);
	}
	if (is_gone(err))
		return ended_in_setup(w, err);
	reap(w, 0.5);
	return status;
}

enum sb_status sb_worker_start(const char *exe, const struct sb_worker_setup *setup, double deadline_s,
        const struct sb_loop_hooks *hooks, struct sb_worker **out, struct sb_error *err)
{
	int64_t began = sb_now_ns();
	struct sb_worker *w;
	enum sb_status status = sb_worker_launch(exe, setup, deadline_s, hooks, &w, err);

	if (status)
		return status;
	status = sb_worker_await(w, deadline_s - (double)(sb_now_ns() - began) * 1e-9, err);
	if (status)
		sb_worker_stop(w);
	else
		*out = w;
	return status;
}

const struct sb_worker_facts *sb_worker_facts(const struct sb_worker *w)
{
	return &w->facts;
}

void sb_worker_facts_copy(const struct sb_worker_facts *from, struct sb_worker_facts *to)
{
	*to = *from;
	if (from->info.cameras == from->cameras)
		to->info.cameras = to->cameras;
	if (from->info.weights_kind == from->weights_kind)
		to->info.weights_kind = to->weights_kind;
}

bool sb_worker_alive(const struct sb_worker *w)
{
	return w->fd >= 0;
}

const char *sb_worker_stop(struct sb_worker *w)
{
	static char ending[48];

	if (!w)
		return "never started";
	reap(w, 1.0);
	snprintf(ending, sizeof(ending), "%s", w->ending);
	free(w);
	return ending;
}

/* ---- saving -------------------------------------------------------------------------------------------------- */

static char *save_request(const struct sb_levels *levels, const struct sb_save *to)
{
	const struct {
		const char *key, *path;
	} paths[] = {
		{ "file", to->file },
		{ "npz", to->npz },
		{ "depth_images", to->depth_dir },
		{ "overlay", to->overlay_dir },
		{ "memory_trace", to->memory_trace },
	};
	struct sb_buf text = { 0 };
	json_t *metadata = json_object(), *j;
	char *request;
	bool lost = false;

	sb_levels_format(levels, &text);
	for (const char *const *m = to->metadata; m[0]; m += 2)
		lost |= json_object_set_new(metadata, m[0], json_string(m[1])) != 0;
	j = json_pack("{s:s, s:o}", "levels", sb_buf_str(&text), "metadata", metadata);
	lost |= text.failed;
	sb_buf_release(&text);
	for (size_t i = 0; i < SB_ARRAY_LEN(paths); i++)
		if (paths[i].path)
			lost |= json_object_set_new(j, paths[i].key, sb_path_json(paths[i].path)) != 0;
	request = sb_message_text(j);
	if (!lost)
		return request;
	free(request);
	return NULL;
}

static enum sb_status check_save(const struct sb_worker *w, const struct sb_save *to, struct sb_error *err)
{
	if (check_capability(w, to->file != NULL, "save", "save results", err) ||
	        check_capability(w, to->npz != NULL, "save-npz", "save results as npz", err) ||
	        check_capability(w, to->memory_trace != NULL, "memory-trace", "write a memory trace", err) ||
	        check_capability(w, to->overlay_dir != NULL, "overlay", "draw tracks on frames", err))
		return err->code;
	return check_capability(w, to->depth_dir != NULL, "depth-images", "write depth images", err);
}

enum sb_status sb_worker_save(struct sb_worker *w, const struct sb_levels *levels, const struct sb_save *to,
        double deadline_s, struct sb_error *err)
{
	char *request = save_request(levels, to);
	bool timed_out = false;
	enum sb_status status;
	json_t *j = NULL;

	if (!request)
		return sb_fail(err, SB_E_NOMEM, "no memory for a message");
	status = check_save(w, to, err);
	if (!status)
		status = sb_frame_write(w->fd, SB_FRAME_SAVE, request, strlen(request), err);
	free(request);
	if (!status)
		status = expect_unless_stopped(w, SB_FRAME_SAVED, deadline_after(deadline_s), &j, &timed_out, err);
	json_decref(j);
	if (timed_out) {
		kill(w->pid, SIGKILL);
		return sb_fail(err, SB_E_DEVICE, "no answer within %g s; the worker was killed", deadline_s);
	}
	return status;
}

/* ---- trials -------------------------------------------------------------------------------------------------- */

static enum sb_status read_rows(struct sb_worker *w, int64_t deadline, size_t n, struct sb_trial_result *r,
        bool *timed_out, struct sb_error *err)
{
	struct sb_frame f;

	if (sb_frame_read(w->fd, deadline, &f, timed_out, err))
		return err->code;
	return sb_message_rows(&f, n, r, err);
}

static enum sb_status read_timeline(
        struct sb_worker *w, int64_t deadline, struct sb_trial_result *r, bool *timed_out, struct sb_error *err)
{
	struct sb_frame f;

	if (sb_frame_read(w->fd, deadline, &f, timed_out, err))
		return err->code;
	return sb_message_timeline(&f, r, err);
}

static enum sb_status exchange(struct sb_worker *w, const struct sb_levels *levels, int64_t deadline,
        struct sb_trial_result *r, bool *timed_out, struct sb_error *err)
{
	struct sb_buf request = { 0 };
	enum sb_status status;
	json_t *j = NULL;
	size_t rows;
	bool ends;

	w->told = false;
	sb_buf_puts(&request, "{\"levels\":\"");
	sb_levels_format(levels, &request);
	sb_buf_puts(&request, "\",\"timeline\":true}"); /* an older worker makes none */
	status = request.failed ? sb_fail(err, SB_E_NOMEM, "no memory for a message")
	                        : sb_frame_write(w->fd, SB_FRAME_TRIAL, sb_buf_str(&request), request.len, err);
	sb_buf_release(&request);
	if (!status)
		status = expect(w, SB_FRAME_RESULT, deadline, &j, timed_out, err);
	if (status)
		return status;
	status = sb_message_result(j, r, &rows, err);
	ends = json_is_true(json_object_get(j, "ends"));
	json_decref(j);
	if (!status && rows)
		status = read_rows(w, deadline, rows, r, timed_out, err);
	if (!status && r->timeline_bytes)
		status = read_timeline(w, deadline, r, timed_out, err);
	if (!status && ends)
		reap(w, 5.0); /* it lost its device with this trial, which is stored as it was told */
	return status;
}

enum sb_status sb_worker_trial(struct sb_worker *w, const struct sb_levels *levels, double deadline_s,
        struct sb_trial_result *out, struct sb_error *err)
{
	struct sb_trial_result r = { .started_ns = sb_wall_time_ns() };
	bool timed_out = false;
	enum sb_status status = exchange(w, levels, deadline_after(deadline_s), &r, &timed_out, err);

	if (status == SB_E_NOMEM && !w->told) { /* ours, not the worker's */
		sb_trial_result_release(&r);
		return status;
	}
	if (status) { /* whatever it was saying, this worker is done */
		int64_t started = r.started_ns;

		sb_trial_result_release(&r);
		r.started_ns = started;
		if (timed_out)
			kill(w->pid, SIGKILL);
		reap(w, 0.5);
		r.outcome = timed_out ? SB_OUTCOME_TIMEOUT : SB_OUTCOME_CRASHED;
		if (timed_out)
			snprintf(r.message, sizeof(r.message), "no result within %g s; the worker was killed",
			        deadline_s);
		else if (!strncmp(err->msg, SB_PROTOCOL_GONE, strlen(SB_PROTOCOL_GONE)))
			snprintf(r.message, sizeof(r.message), "the worker died in the trial (%s)", w->ending);
		else
			snprintf(r.message, sizeof(r.message), "the worker failed: %.400s (%s)", err->msg, w->ending);
	}
	*out = r;
	return SB_OK;
}
