/* environment: what must stand beside a number for it to be judged. Facts about the parent's machine. */
#ifndef SB_ENVIRONMENT_H
#define SB_ENVIRONMENT_H

#include "sb_base.h"
#include "sb_store.h"

#define SB_ENVIRONMENT_MAX 64

/* Facts with the storage of their values. */
struct sb_environment {
	struct sb_fact facts[SB_ENVIRONMENT_MAX];
	size_t n;
	struct {
		char key[64], value[512];
	} text[SB_ENVIRONMENT_MAX];
};

/* Add one fact; a full table is a bug. */
void sb_environment_add(struct sb_environment *e, const char *key, const char *fmt, ...) SB_PRINTF(3, 4);
void sb_environment_add_absent(struct sb_environment *e, const char *key, const char *why);
/* When a process was started, in the system's own words; false when there is no such process, or it has ended. */
bool sb_process_start(int64_t pid, char *out, size_t n);
/*
 * Is the process of this machine that was started then (NULL: not known when) still there? Process numbers come again,
 * start times do not. Where the system tells no start times, whoever has the number now counts.
 */
bool sb_process_lives(int64_t pid, const char *start);
/* False when the machine has no name. */
bool sb_host_name(char *out, size_t n);
/* host.*, cpu.*, os.*, build.*, memory, load, governor: all that the parent can know. */
void sb_environment_read(struct sb_environment *e);

#endif
