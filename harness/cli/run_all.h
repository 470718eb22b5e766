/* `run --device all`: the same run on every GPU of the host at once. Private to cli. */
#ifndef SB_RUN_ALL_H
#define SB_RUN_ALL_H

#include "sb_session.h"

/* How many GPUs this host has for us. Errors: SB_E_ENV: none, and why. */
enum sb_status sb_run_all_count(int *n, struct sb_error *err);

/*
 * One run a GPU, each in a process of its own that calls work(self) with opt->setup.device set to "cuda:N" and
 * opt->group to what they have in common; what work prints and the message it fails with come with the device's name in
 * front. Errors: SB_E_INTERRUPTED; else the one with which a device failed, after all have ended.
 */
enum sb_status sb_run_all(const char *db, int n, struct sb_session_options *opt,
        enum sb_status (*work)(void *self, struct sb_error *err), void *self, struct sb_error *err);

#endif
