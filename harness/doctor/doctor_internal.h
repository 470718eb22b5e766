/* What the files of doctor/ share. */
#ifndef SB_DOCTOR_INTERNAL_H
#define SB_DOCTOR_INTERNAL_H

#include "sb_card.h"
#include "sb_backend.h"
#include "sb_doctor.h"

/* ---- findings ------------------------------------------------------------------------------------------------- */

/* Set what was found. */
void sb_found(struct sb_finding *f, const char *fmt, ...) SB_PRINTF(2, 3);
/* Lower the health and say what follows from it and what helps. A later call adds a sentence. */
void sb_advise(struct sb_finding *f, enum sb_health health, const char *fmt, ...) SB_PRINTF(3, 4);

/* ---- gpu.c: what one look at the GPU gave ---------------------------------------------------------------------- */

struct sb_doctor_gpu {
	bool library; /* there is a CUDA backend */
	bool visible; /* an NVIDIA device shows below /dev */
	bool looked, opened;
	struct sb_device_look look; /* looked: about; opened: all of it */
	struct sb_error why_closed; /* looked and not opened */
	bool has_card;
	struct sb_card card;
	struct sb_error why_no_card; /* visible or looked, and no card */
};

/* ---- probe.c: looking at a system ------------------------------------------------------------------------------ */

/* First line of root + path; false when there is none. */
bool sb_probe_line(const char *root, const char *path, char *out, size_t n);
/* What stands behind `separator` in the first line that begins with `key`. */
bool sb_probe_value(const char *root, const char *path, const char *key, char separator, char *out, size_t n);
bool sb_probe_exists(const char *root, const char *path);
/* A number at the beginning of the value; NAN when there is none. */
double sb_probe_number(const char *root, const char *path, const char *key, char separator);

/* The file that PATH leads to; false when there is none. */
bool sb_probe_program(const char *name, char *path, size_t n);
/*
 * First line on standard output of `path option`, started without a shell and killed after timeout_s.
 * False when it cannot be started, ends otherwise than with 0, falls silent or says nothing.
 */
bool sb_probe_output(const char *path, const char *option, double timeout_s, char *out, size_t n);

/* ---- checks --------------------------------------------------------------------------------------------------- */

/* machine.c */
void sb_check_cpu(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_cores(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_memory(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_governor(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_virtual(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_load(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_clock(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_noise(const struct sb_doctor *d, struct sb_finding *f);
/* software.c */
void sb_check_device(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_openmp(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_openblas(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_libraries(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_ffmpeg(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_gnuplot(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_clip(const struct sb_doctor *d, struct sb_finding *f);
/* gpu.c; all but the first say nothing where there is no GPU */
void sb_check_gpu(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_driver(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_cuda(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_cudnn(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_cupti(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_counters(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_ecc(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_mig(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_persistence(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_compute_mode(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_clocks(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_vram(const struct sb_doctor *d, struct sb_finding *f);
void sb_check_others(const struct sb_doctor *d, struct sb_finding *f);
/* database.c */
void sb_check_disk(const struct sb_doctor *d, struct sb_finding *f);

#endif
