#define _DEFAULT_SOURCE /* flock() */
#include "gate_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* On the database itself, beside SQLite's own locks, which are of another kind: gone with the process, whatever ends
 * it. */
enum sb_status sb_gate_lock(const char *db, int *lock, struct sb_error *err)
{
	*lock = open(db, O_RDONLY | O_CLOEXEC);
	if (*lock < 0)
		return sb_fail(err, SB_E_DATA, "cannot open '%.200s': %s", db, strerror(errno));
	if (!flock(*lock, LOCK_EX | LOCK_NB))
		return SB_OK;
	return sb_fail(err, SB_E_DATA,
	        "another gate or calibration is measuring into '%.200s': two at once would disturb each other; wait "
	        "for it",
	        db);
}

void sb_gate_unlock(int lock)
{
	if (lock >= 0)
		close(lock);
}
