/* Outputs for continuous integration, of gate and compare: --junit FILE and --github. Private to cli. */
#ifndef SB_CI_OUTPUTS_H
#define SB_CI_OUTPUTS_H

#include "sb_ci.h"

struct sb_ci_outputs {
	const char *junit; /* NULL: not wanted */
	bool github;
};

/*
 * Before anything is measured: can they be written, and are they not the database? Outside of GitHub Actions --github
 * says that there is nothing to do. Errors: SB_E_USAGE; SB_E_DATA: $GITHUB_STEP_SUMMARY.
 */
enum sb_status sb_ci_outputs_check(const struct sb_ci_outputs *o, const char *db, struct sb_error *err);
/* Write those that are wanted. Annotations are lines of `out`. Errors: SB_E_DATA, SB_E_NOMEM. */
enum sb_status sb_ci_outputs_write(
        const struct sb_ci_outputs *o, const struct sb_ci_report *r, FILE *out, struct sb_error *err);

#endif
