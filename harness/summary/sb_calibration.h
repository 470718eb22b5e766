/*
 * calibration: what the database keeps of a calibrated metric, as JSON, and which threshold follows from it. Part of
 * summary.
 */
#ifndef SB_CALIBRATION_H
#define SB_CALIBRATION_H

#include "sb_base.h"
#include "sb_gate.h"

/* A gate is to pass where nothing changed, nearly always: the smallest threshold with this rate is taken. */
#define SB_CALIBRATION_PASS 0.95

struct sb_calibrated {
	struct sb_gate_calibration full; /* gates of up to 64 pairs */
	int trials;                      /* of a process; 0: not known */
	int gate_pairs;                  /* that fit into a gate of the default budget; 0: too few for any gate */
	double threshold; /* smallest at which SB_CALIBRATION_PASS of gates of gate_pairs pass; NAN: none of those tried
	                   */
	double passes_from; /* half of them do; NAN: not known */
};

/*
 * Calibrate a metric from A/A pairs d[n] for gates of `metrics` noisy metrics, of which gate_pairs fit into the budget.
 * Errors: as sb_gate_calibrate().
 */
enum sb_status sb_calibrated_compute(
        const double *d, int n, int metrics, int gate_pairs, struct sb_calibrated *out, struct sb_error *err);
/* NULL: out of memory. Free it. */
char *sb_calibrated_format(const struct sb_calibrated *c);
/* The figures that a gate asks for: trials, gate_pairs and the two of such gates, full.max_pairs and
 * full.passes_from; the rest is 0. False: it is nothing that format() wrote. */
bool sb_calibrated_parse(const char *text, struct sb_calibrated *out);

#endif
