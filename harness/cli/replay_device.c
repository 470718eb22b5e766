/*
 * The replay on a device runs in a child of its own, which opens the device: a driver that crashes or hangs takes no
 * result along, and this process links and loads none. Two answers come back by a pipe: opened, and done.
 */
#include "replay_device.h"
#include "sb_backend.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

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

struct work {
	struct sb_alloc_trace *trace;
	const struct sb_replay_on *on;
};

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

static void serve(void *user, int fd)
{
	const struct work *w = user;
	struct sb_backend *be = NULL;
	struct opened o;
	struct done d;

	memset(&o, 0, sizeof(o)); /* padding too: it is written */
	memset(&d, 0, sizeof(d));
	if (!sb_backend_open(w->on->device, w->on->limit_bytes, &be, &o.err)) {
		o.err.code = SB_OK;
		describe(be, &o.device);
	}
	sb_child_say(fd, &o, sizeof(o));
	if (!be)
		return;
	replay(be, w->trace, w->on, &o.device, &d);
	sb_child_say(fd, &d, sizeof(d));
	sb_backend_close(be);
}

/* ---- in the parent ----------------------------------------------------------------------------------------------- */

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
	struct work work = { t, on };
	struct sb_child child;
	bool open, ended;
	struct opened o;
	struct done d;
	int status;

	if (sb_child_start(&child, serve, &work, err))
		return sb_wrap(err, "device '%.40s'", on->device);
	open = sb_child_hear(&child, &o, sizeof(o), sb_now_ns() + OPEN_TIMEOUT_S * INT64_C(1000000000));
	ended = open && o.err.code == SB_OK && sb_child_hear(&child, &d, sizeof(d), INT64_MAX);
	/* Closing a device may hang where using it did not; who says no more than nothing is ending, or hangs. */
	status = sb_child_end(&child, open ? INT64_C(10000000000) : INT64_C(1000000000));
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
