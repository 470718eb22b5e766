/*
 * nvml: the state of an NVIDIA GPU by NVML, which belongs to the driver and is loaded at run time. Uses backend. A
 * reading takes tens of microseconds to milliseconds, so it is taken before and after a pass, never in it.
 */
#ifndef SB_NVML_H
#define SB_NVML_H

#include "sb_backend.h"

struct sb_nvml;

/* uuid: as the CUDA runtime prints it, "GPU-..". Errors: SB_E_ENV: no NVML, or no such card; SB_E_NOMEM. */
enum sb_status sb_nvml_open(const char *uuid, struct sb_nvml **out, struct sb_error *err);
/* Accepts NULL. */
void sb_nvml_close(struct sb_nvml *n);
void sb_nvml_read(struct sb_nvml *n, struct sb_device_state *out);
/* The driver's version; "" when it is not told. */
const char *sb_nvml_driver(const struct sb_nvml *n);

#endif
