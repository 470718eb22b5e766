/* A run that is one of several: `spabench run` for commands that measure one case after the other. Private to cli. */
#ifndef SB_RUN_PART_H
#define SB_RUN_PART_H

#include "sb_base.h"

struct sb_run_part {
	const char *sweep, *by, *value; /* its facts, see sb_session_options */
	char run_id[33];                /* out: "" where nothing was stored */
};

/*
 * sb_cmd_run() with these arguments, without a word on standard output, and with as many frames as were asked for
 * whether they fit or not. Errors: as sb_cmd_run(); what was stored by then is part->run_id.
 */
enum sb_status sb_run_part(int argc, char **argv, struct sb_run_part *part, struct sb_error *err);

#endif
