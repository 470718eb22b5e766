/*
 * A worker whose tracker does nothing: for `spabench run --exe`, where a test is about the parent and wants thousands
 * of runs. As spabench starts it: worker --fd N.
 */
#include "sb_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum sb_status idle_open(const struct sb_case *c, struct sb_backend *be, struct sb_workload **out,
        struct sb_workload_info *info, struct sb_error *err)
{
	static char nothing;

	(void)be;
	(void)err;
	*info = (struct sb_workload_info){ .frames = c->frames, .weights_kind = "synthetic", .cameras = "fixed" };
	snprintf(info->clip_source, sizeof(info->clip_source), "none");
	*out = (struct sb_workload *)&nothing; /* never looked into */
	return SB_OK;
}

static void idle_close(struct sb_workload *w)
{
	(void)w;
}

static enum sb_status idle_prepare(struct sb_workload *w, struct sb_error *err)
{
	(void)w;
	(void)err;
	return SB_OK;
}

static int64_t idle_weights_bytes(const struct sb_workload *w)
{
	(void)w;
	return 0;
}

static enum sb_status idle_run(struct sb_workload *w, bool perturb, struct sb_error *err)
{
	(void)w;
	(void)perturb;
	(void)err;
	return SB_OK;
}

int main(int argc, char **argv)
{
	static const struct sb_workload_ops tracker = {
		.name = "tracker",
		.open = idle_open,
		.close = idle_close,
		.prepare = idle_prepare,
		.weights_bytes = idle_weights_bytes,
		.run = idle_run,
	};
	static const struct sb_workload_ops *const workloads[] = { &tracker, NULL };

	if (argc != 4 || strcmp(argv[1], "worker") != 0) {
		fprintf(stderr, "usage: spabench run --exe %s\n", argv[0]);
		return 2;
	}
	return sb_worker_serve((int)strtol(argv[3], NULL, 10), workloads);
}
