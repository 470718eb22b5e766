/*
 * backend_check: what the files of test_cuda_backend share. Everything goes through the device interface, as the
 * network's ops do; a line of output a check.
 */
#ifndef BACKEND_CHECK_H
#define BACKEND_CHECK_H

#include "sb_backend.h"

/* Prints ok or FAILED with both numbers, and counts. NaN fails. */
void check(const char *name, double error, double limit);
/* A yes or no; `detail` is printed when it is no. */
void check_that(const char *name, bool holds, const char *detail);
int check_failures(void);

void *need(size_t bytes);                       /* ends the program when there is no memory */
float *random_floats(int64_t n, uint64_t seed); /* -1 .. 1 */
float *poison(int64_t n);                       /* NaN: what is not written shows */
double relative_error(const float *got, const float *want, int64_t n);

/* The device of the checks, and calls that must not fail: the program ends where they do. */
struct sb_backend *open_device(int64_t limit_bytes);
void set_levels(struct sb_backend *be, const char *levels); /* and begin an arm of them */
/* A device whose convolutions go that way (SPABENCH_CUDA_CONV), an arm begun at either precision. */
struct sb_backend *open_way(const char *way, bool tf32);
void end_levels(struct sb_backend *be); /* nothing may be left allocated */
float *to_device(struct sb_backend *be, const float *host, int64_t n);
void from_device(struct sb_backend *be, const void *device, float *host, int64_t n); /* and wait */
void drop(struct sb_backend *be, const void *device);
float *filled(struct sb_backend *be, int64_t n); /* -1 .. 1, on the device */
void submit(struct sb_backend *be, const struct sb_op *op);
void must(enum sb_status status, const struct sb_error *err, const char *what);

/* The median of `launches` runs of an op, each between two marks, with its spread and what it does a second. */
void time_op(struct sb_backend *be, const char *name, const struct sb_op *op);

void check_memory(bool quick);
void check_transfers(bool quick);
void check_products(bool quick);
void check_convolutions(bool quick);
void time_products(void);
void time_convolutions(void);
void time_transfers(void);

#endif
