/* A look at a device from a process of its own: this one never touches it, and survives whatever opening it does. */
#include "sb_backend.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

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

static void answer(void *name, int fd)
{
	struct answer a;

	look(name, &a);
	sb_child_say(fd, &a, sizeof(a));
}

enum sb_status sb_backend_look(const char *name, double timeout_s, struct sb_device_look *out, struct sb_error *err)
{
	static const char *const kinds[] = { "cpu", "cuda" };
	struct sb_child child;
	struct answer a;
	int status;
	bool said;

	*out = (struct sb_device_look){ .info.kind = "" };
	if (sb_child_start(&child, answer, (void *)(uintptr_t)name, err))
		return sb_wrap(err, "device '%.40s'", name);
	said = sb_child_hear(&child, &a, sizeof(a), sb_now_ns() + (int64_t)(timeout_s * 1e9));
	/* Closing a device may hang where opening it did not: what was said counts. */
	status = sb_child_end(&child, said ? INT64_C(5000000000) : 0);
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
