/* What an arm's memory did in a run's trace trials, as csv. Private to cli. */
#ifndef SB_SHOW_MEMORY_H
#define SB_SHOW_MEMORY_H

#include "sb_store.h"

/* run and arm (NULL: all) as in a reference. Errors: SB_E_USAGE, SB_E_DATA: there is no timeline, or one is damaged. */
enum sb_status sb_show_memory(const char *db, const char *run, const char *arm, struct sb_error *err);

#endif
