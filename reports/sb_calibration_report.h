/* What a calibration found, for people and programs. Part of reports. */
#ifndef SB_CALIBRATION_REPORT_H
#define SB_CALIBRATION_REPORT_H

#include <stdio.h>

#include "sb_calibration.h"
#include "sb_pair_table.h"

struct sb_calibration_row {
	const char *metric, *label;
	struct sb_calibrated found;
};

struct sb_calibration_report {
	const struct sb_pair_table *table;
	int gate_pairs; /* that fit into a gate of budget_s */
	double budget_s;
	const struct sb_calibration_row *rows; /* of one design each: the same thresholds and effects */
	int n_rows;
};

extern const char *const sb_calibration_formats[]; /* "text", "markdown", "csv", "json", NULL */

/* format: an index into sb_calibration_formats. Errors: SB_E_DATA, SB_E_NOMEM. */
enum sb_status sb_calibration_report(
        const struct sb_calibration_report *r, int format, FILE *out, struct sb_error *err);

#endif
