/* spabench.ini: what a gate judges and by which thresholds. Private to cli. */
#ifndef SB_CLI_GATE_RULES_H
#define SB_CLI_GATE_RULES_H

#include "sb_gate_result.h"

/*
 * Reads `path`; NULL: ./spabench.ini where there is one. Percentages are of 0..100.
 *
 *   [gate]        alpha, beta (percent), max_pairs, budget (seconds), trials, correction (bh or by)
 *   [thresholds]  METRIC = PERCENT or off; METRIC as in the table, or as stored, * for any characters
 *
 * budget_s and trials are set where the file has them. Errors: SB_E_USAGE naming file and line.
 */
enum sb_status sb_gate_rules_read(
        const char *path, struct sb_gate_rules *rules, double *budget_s, int *trials, struct sb_error *err);
/* One threshold from METRIC=PERCENT. Errors: SB_E_USAGE. */
enum sb_status sb_gate_rules_add(const char *text, const char *from, struct sb_gate_rules *rules, struct sb_error *err);
/*
 * Before anything is measured: a design that could not fail or pass with a single metric cannot with more. Errors:
 * SB_E_USAGE, saying from how many pairs on it could.
 */
enum sb_status sb_gate_rules_check(const struct sb_gate_rules *rules, struct sb_error *err);
/* The same with what a gate against that arm of a stored run will judge, and with patterns that match nothing of it. */
enum sb_status sb_gate_rules_check_arm(
        const struct sb_gate_rules *rules, struct sb_store *st, int64_t run, int arm, bool gpu, struct sb_error *err);

#endif
