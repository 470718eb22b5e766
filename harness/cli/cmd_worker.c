/* worker: what `run` starts; not for users. */
#include "sb_churn.h"
#include "sb_cli.h"
#include "sb_experiment.h"
#include "sb_tracker.h"

static const struct sb_workload_ops *const workloads[] = { &sb_workload_tracker, &sb_workload_churn,
	&sb_workload_churn_own, NULL };

const struct sb_option sb_worker_options[] = {
	{ "fd", "N", "the socket to the parent" },
	{ NULL, NULL, NULL },
};

enum sb_status sb_cmd_worker(int argc, char **argv, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	const char *value;
	int64_t fd = -1;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_worker_options, &value, err)) >= 0)
		if (sb_parse_int(value, "--fd", 3, 1 << 20, &fd, err))
			return SB_E_USAGE;
	if (i == -2)
		return SB_E_USAGE;
	if (fd < 0)
		return sb_fail(err, SB_E_USAGE, "a worker is started by 'spabench run', not by hand");
	/* What went wrong was told to the parent over the socket. */
	return sb_worker_serve((int)fd, workloads) ? SB_E_DEVICE : SB_OK;
}
