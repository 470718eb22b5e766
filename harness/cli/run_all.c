#include "run_all.h"
#include "sb_backend.h"
#include "side_by_side.h"

#include <stdio.h>
#include <unistd.h>

#define LOOK_TIMEOUT_S 60.0 /* for a device to open, in a process of its own */

enum sb_status sb_run_all_count(int *n, struct sb_error *err)
{
	struct sb_device_look look;

	if (sb_backend_look("cuda:0", LOOK_TIMEOUT_S, &look, err)) {
		struct sb_error why = *err;

		return sb_fail(err, why.code,
		        "--device all is every GPU of this host, and there is none to use: %.800s", why.msg);
	}
	*n = look.info.devices > 0 ? look.info.devices : 1;
	if (*n > SB_SIDES_MAX)
		return sb_fail(err, SB_E_ENV,
		        "--device all: %d GPUs are more than the %d that can be run at once; name "
		        "some with CUDA_VISIBLE_DEVICES",
		        *n, SB_SIDES_MAX);
	return SB_OK;
}

struct all {
	struct sb_session_options *opt;
	enum sb_status (*work)(void *self, struct sb_error *err);
	void *self;
	const struct sb_sides *sides;
};

static int run_one(void *self, int i)
{
	const struct all *a = self;
	struct sb_error err = { .msg = "" };
	enum sb_status status;
	char message[2 * sizeof(err.msg)];

	snprintf(a->opt->setup.device, sizeof(a->opt->setup.device), "%s", a->sides->name[i]);
	a->opt->group.index = i;
	status = a->work(a->self, &err);
	if (status && err.msg[0]) {
		sb_escape(err.msg, message, sizeof(message));
		fprintf(stderr, "%s\n", message);
	}
	return sb_exit_code(status);
}

/* What the exit code of a side stands for. */
static enum sb_status status_of(int code)
{
	switch (code) {
	case 0:
		return SB_OK;
	case 2:
		return SB_E_USAGE;
	case 3:
		return SB_E_ENV;
	case 130:
		return SB_E_INTERRUPTED;
	default:
		return SB_E_DEVICE;
	}
}

static enum sb_status say(const struct sb_sides *s, struct sb_error *err)
{
	enum sb_status worst = SB_OK;
	struct sb_buf failed = { 0 };
	int good = 0;

	for (int i = 0; i < s->n; i++) {
		enum sb_status status = status_of(s->code[i]);

		good += !status;
		if (status && worst != SB_E_INTERRUPTED)
			worst = status;
		if (status)
			sb_buf_addf(&failed, "%s%s", failed.len ? ", " : "", s->name[i]);
	}
	printf("%d of %d GPUs measured; 'spabench compare --machines' sets them side by side\n", good, s->n);
	if (worst == SB_E_INTERRUPTED)
		sb_fail(err, worst, "interrupted");
	else if (worst)
		sb_fail(err, worst, "not every GPU was measured: %.600s failed, see above", sb_buf_str(&failed));
	sb_buf_release(&failed);
	return worst;
}

/* The file is there before they start, and gone again when none of them has put a run into it. */
static enum sb_status make_database(const char *db, bool *made, struct sb_error *err)
{
	struct sb_store *st;

	*made = access(db, F_OK) != 0;
	if (sb_store_open(db, SB_STORE_WRITE, &st, err))
		return err->code;
	sb_store_close(st);
	return SB_OK;
}

static void remove_unused(const char *db)
{
	struct sb_run_lines runs;
	struct sb_store *st;
	bool empty = false;

	if (sb_store_open(db, SB_STORE_READ, &st, NULL))
		return;
	if (!sb_store_list_runs(st, &runs, NULL)) {
		empty = runs.n == 0;
		sb_run_lines_release(&runs);
	}
	sb_store_close(st);
	if (empty)
		unlink(db);
}

enum sb_status sb_run_all(const char *db, int n, struct sb_session_options *opt,
        enum sb_status (*work)(void *self, struct sb_error *err), void *self, struct sb_error *err)
{
	struct sb_sides sides = { .n = n, .work = run_one };
	struct all all = { opt, work, self, &sides };
	enum sb_status status;
	bool made;

	sides.self = &all;
	for (int i = 0; i < n; i++)
		snprintf(sides.name[i], sizeof(sides.name[i]), "cuda:%d", i);
	opt->group.size = n;
	sb_random_id(opt->group.id);
	status = make_database(db, &made, err);
	if (!status)
		status = sb_sides_run(&sides, err);
	if (!status)
		status = say(&sides, err);
	if (status && made)
		remove_unused(db);
	return status;
}
