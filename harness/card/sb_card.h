/*
 * card: an NVIDIA GPU as its driver describes it, by NVML, which is loaded at run time. Nothing is changed and no
 * context is made on the device. Uses base.
 */
#ifndef SB_CARD_H
#define SB_CARD_H

#include "sb_base.h"

enum sb_mode { SB_MODE_UNKNOWN, SB_MODE_OFF, SB_MODE_ON }; /* unknown: the card has no such thing, or does not say */

enum { SB_COMPUTE_SHARED, SB_COMPUTE_THREAD, SB_COMPUTE_PROHIBITED, SB_COMPUTE_PROCESS }; /* NVML's numbers */

#define SB_CARD_PROCESSES_MAX 16

struct sb_card_process {
	int64_t pid, bytes; /* bytes < 0: not told */
	char name[64];      /* "" when it is not to be seen from here */
};

struct sb_card {
	char driver[80]; /* version; "" when it is not told */
	int cuda;        /* newest CUDA that the driver knows, 1000 * major + 10 * minor; 0: not told */
	unsigned count;  /* cards of this machine */
	char name[96], uuid[96];
	int capability; /* 90 is 9.0; 0: not told */
	enum sb_mode ecc, mig, persistence;
	int64_t ecc_errors; /* not corrected, since the driver was loaded; < 0: not told */
	int compute_mode;   /* SB_COMPUTE_*; < 0: not told */
	double power_limit_w, power_default_w, sm_mhz, sm_max_mhz, temperature_c; /* NAN: not told */
	double sm_app_mhz;               /* that was set for applications; NAN: not told */
	char throttled[128];             /* why clocks are held down now, or "" */
	int64_t total_bytes, free_bytes; /* 0: not told */
	unsigned n_processes;            /* with a context on it; of the first SB_CARD_PROCESSES_MAX we know more */
	bool processes_told;
	struct sb_card_process process[SB_CARD_PROCESSES_MAX];
};

/*
 * The card of this uuid ("GPU-..", as the CUDA runtime prints it), or the first one with "". Names of processes are
 * looked for below root. SPABENCH_NVML names another libnvidia-ml.so.1, or `none`.
 * Errors: SB_E_ENV: there is no NVML, or it knows no such card.
 */
enum sb_status sb_card_read(const char *uuid, const char *root, struct sb_card *out, struct sb_error *err);

#endif
