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
/* host.*, cpu.*, os.*, build.*, memory, load, governor: all that the parent can know. */
void sb_environment_read(struct sb_environment *e);

/* The device as its worker, or whoever opened it, knows it. uuid: "" where there is none. */
struct sb_environment_device {
	const char *name, *kind, *uuid, *software;
	const char *emulated; /* parts of the factors, between commas */
	int64_t memory_bytes;
};
/* device.*, software, emulated; of a GPU what holds its clocks. */
void sb_environment_add_device(struct sb_environment *e, const struct sb_environment_device *d);

#endif
