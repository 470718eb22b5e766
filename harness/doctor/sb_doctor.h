/*
 * doctor: what this machine can and cannot measure, and what a database is worth. One row a check; checks only look,
 * they change nothing and leave nothing behind. Uses store, backend and the tracker's clip; prints nothing.
 */
#ifndef SB_DOCTOR_H
#define SB_DOCTOR_H

#include "sb_base.h"
#include "sb_store.h"

enum sb_health {
	SB_HEALTH_OK,
	SB_HEALTH_WARNING, /* measuring is possible, but less good than it could be */
	SB_HEALTH_MISSING, /* something cannot be measured here */
	SB_HEALTH_BROKEN,  /* a database is not what it should be */
};
const char *sb_health_name(enum sb_health health); /* "ok", "warning", "missing", "broken" */

/* What a check found. Text is as the system gives it: escape it before it is shown. */
struct sb_finding {
	enum sb_health health;
	char found[512];  /* what there is; "" when the check is about something that this machine has not: no row */
	char advice[512]; /* of anything but ok: why it matters, and the way out; or "" */
	bool blocks_run;  /* `spabench run` without options is not possible */
};

/* What a look at the GPU gave, for all checks of it. */
struct sb_doctor_gpu;

/*
 * Opens the device in a process of its own and asks NVML; a second, where there is a GPU. root: see sb_doctor. NULL
 * when out of memory.
 */
struct sb_doctor_gpu *sb_doctor_gpu_look(const char *root);
void sb_doctor_gpu_free(struct sb_doctor_gpu *g); /* accepts NULL */

/* What the checks look at. */
struct sb_doctor {
	const char *db;                  /* where a run would be stored */
	const char *root;                /* in front of /proc, /sys and /dev; "" but in tests */
	double noise_s;                  /* how long to measure the machine's noise */
	const struct sb_doctor_gpu *gpu; /* NULL: not looked for */
};

struct sb_doctor_check {
	const char *name;
	void (*fn)(const struct sb_doctor *d, struct sb_finding *f);
};
/* In the order of printing; ends with a NULL name. */
extern const struct sb_doctor_check sb_doctor_checks[];

#define SB_DOCTOR_DATABASE_FINDINGS 4
/*
 * What a database holds and whether it is whole: integrity, foreign keys, roll-up = trace rows. names[i] and
 * findings[i] are filled from 0 on, *n of them. Errors: those of sb_store_open(); a database that is damaged is a
 * finding.
 */
enum sb_status sb_doctor_database(const char *path, const char *names[SB_DOCTOR_DATABASE_FINDINGS],
        struct sb_finding findings[SB_DOCTOR_DATABASE_FINDINGS], int *n, struct sb_error *err);

#endif
