/*
 * stored gate: new processes against those that a baseline's run left in the database, where the baseline's binary is
 * gone. There are no pairs: what changes the machine from run to run is in every interval (sb_old_runs.h), so it sees
 * less than a gate of pairs. One look, at processes whose number was chosen before. Part of summary.
 */
#ifndef SB_STORED_GATE_H
#define SB_STORED_GATE_H

#include "sb_gate_result.h"
#include "sb_old_runs.h"

/*
 * Judge old->side[1], the new processes, against old->side[0].
 *
 *   fail  Student's p of "not slower", with those of all metrics, passes rules->correction at rules->alpha, and the
 *         estimate has reached the metric's threshold
 *   pass  Student's p of "slower by the threshold or more" is at most rules->beta
 *   open  neither
 *
 * Bytes as sb_gate_exact() has it. lost, lost_of: new processes that did not end well, of all; with one the gate does
 * not pass, and for itself it fails nothing: the machine could be the cause, and no process of the baseline ran beside.
 *
 * *table is a table of the sides for reports, with old's strings: release it first. Errors: SB_E_USAGE: as
 * sb_gate_result_begin(), and where a time that is judged could neither fail nor pass, because it has no interval;
 * SB_E_NOMEM. Nothing is to be released then.
 */
enum sb_status sb_stored_gate_judge(const struct sb_old_runs *old, struct sb_gate_rules *rules, bool gpu, int lost,
        int lost_of, struct sb_pair_table *table, struct sb_gate_result *result, struct sb_error *err);

#endif
