/* Work in several processes at once, whose output comes line by line with a name in front. Private to cli. */
#ifndef SB_SIDE_BY_SIDE_H
#define SB_SIDE_BY_SIDE_H

#include "sb_base.h"

#define SB_SIDES_MAX 64

struct sb_sides {
	int n;                          /* 1 .. SB_SIDES_MAX */
	char name[SB_SIDES_MAX][16];    /* "cuda:1" */
	int (*work)(void *self, int i); /* in the process of side i; its exit code */
	void *self;
	int code[SB_SIDES_MAX]; /* exit codes; 128 + N: killed by signal N */
};

/*
 * Run all sides and wait for them. What they print comes out as "NAME: line", errors too. A signal to end (SIGINT,
 * SIGTERM) is passed on to each; when this process dies they are told to end. The caller has no thread and no database
 * open. Errors: SB_E_ENV: a process cannot be started; those that were are told to end, and waited for.
 */
enum sb_status sb_sides_run(struct sb_sides *s, struct sb_error *err);

#endif
