/* A replay on a device's own memory, in a process that the command survives. */
#ifndef REPLAY_DEVICE_H
#define REPLAY_DEVICE_H

#include "sb_replay.h"

struct sb_replay_device {
	char name[128];
	int64_t free_bytes, total_bytes; /* before the replay, under the limit if there is one */
};

struct sb_replay_on {
	const char *device;          /* as --device says */
	const char *trace;           /* its name, for messages */
	int64_t limit_bytes;         /* 0: what the device has */
	double fraction;             /* of that, for the allocator; 1: all */
	const char *policy;          /* NULL: the trace's own */
	struct sb_alloc_options opt; /* its limit_bytes follows from the fraction */
};

/*
 * Replay `t`, which is at its first event, in a child process. Not while this process has threads.
 * Errors: SB_E_USAGE, SB_E_ENV: the device cannot be opened; SB_E_DEVICE: it failed, or took its process along;
 * SB_E_DATA: the trace.
 */
enum sb_status sb_replay_on_device(struct sb_alloc_trace *t, const struct sb_replay_on *on,
        struct sb_replay_device *device, struct sb_replay_result *out, struct sb_error *err);

#endif
