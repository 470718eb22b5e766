/* Two that measure on one machine disturb each other: gates and calibrations of one database take turns. Private to
 * cli. */
#ifndef SB_CLI_GATE_LOCK_H
#define SB_CLI_GATE_LOCK_H

#include "sb_base.h"

/* -> a descriptor to be handed to sb_gate_unlock(); -1 on errors. SB_E_DATA: another process has the lock. */
enum sb_status sb_gate_lock(const char *db, int *lock, struct sb_error *err);
void sb_gate_unlock(int lock);

/* The threshold that a stored calibration stands for; NAN: none, the machine is too noisy for any. */
double sb_calibrated_threshold(const char *figures_json);

#endif
