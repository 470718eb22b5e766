/* Two that measure on one machine disturb each other: gates and calibrations of one database take turns. Private to
 * cli. */
#ifndef SB_CLI_GATE_LOCK_H
#define SB_CLI_GATE_LOCK_H

#include "sb_base.h"

/*
 * -> a descriptor to be handed to sb_gate_unlock(), after errors as well; -1: none. Unlock only when the store is
 * closed: closing any descriptor of a file takes SQLite's own locks on it away (POSIX). Errors: SB_E_DATA: another
 * process has the lock.
 */
enum sb_status sb_gate_lock(const char *db, int *lock, struct sb_error *err);
void sb_gate_unlock(int lock);

#endif
