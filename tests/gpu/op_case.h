/*
 * op_case: runs one op on the device, on the CPU and as its double reference, over the same arguments, and compares.
 * Plain C; a line of output a check. For the programs test_cuda_track.c and test_cuda_procrustes.c.
 */
#ifndef OP_CASE_H
#define OP_CASE_H

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

#include "cuda_launch.h"

/* What every rounding to float may add to a relative error. */
#define OP_ROUNDING 6e-8

/* One op: the versions of it, and how much the arguments are. */
struct op_row {
	const char *name;
	size_t args_size;
	void (*ref)(const void *args);
	void (*cpu)(const void *args);
	int (*cuda)(const void *args, struct sb_cuda_launch *l);
	size_t (*workspace)(const void *args, const struct sb_cuda_launch *l); /* NULL: none */
	int exact;                                                             /* the CPU's bits, all of them */
};

/* OP_PLAIN(motion, 0) defines op_motion; OP_SCRATCH is for ops that need scratch memory. */
#define OP_HOST(op)                                                   \
	static void op##_ref(const void *a)                           \
	{                                                             \
		sb_##op##_ref(a);                                     \
	}                                                             \
	static int op##_cuda(const void *a, struct sb_cuda_launch *l) \
	{                                                             \
		return sb_##op##_cuda(a, l);                          \
	}

#define OP_PLAIN(op, exact)                                                                                       \
	OP_HOST(op)                                                                                               \
	static void op##_cpu(const void *a)                                                                       \
	{                                                                                                         \
		sb_##op##_cpu(a);                                                                                 \
	}                                                                                                         \
	static const struct op_row op_##op = { #op, sizeof(struct sb_##op##_args), op##_ref, op##_cpu, op##_cuda, \
		NULL, exact };

#define OP_SCRATCH(op, exact)                                                                                     \
	OP_HOST(op)                                                                                               \
	static void op##_cpu(const void *a)                                                                       \
	{                                                                                                         \
		void *work = op_alloc(sb_##op##_cpu_workspace(a));                                                \
                                                                                                                  \
		sb_##op##_cpu(a, work);                                                                           \
		free(work);                                                                                       \
	}                                                                                                         \
	static size_t op##_workspace(const void *a, const struct sb_cuda_launch *l)                               \
	{                                                                                                         \
		return sb_##op##_cuda_workspace(a, l);                                                            \
	}                                                                                                         \
	static const struct op_row op_##op = { #op, sizeof(struct sb_##op##_args), op##_ref, op##_cpu, op##_cuda, \
		op##_workspace, exact };

/* A pointer among the arguments: `n` 4-byte elements behind it; `out` when the op writes there. */
struct op_field {
	size_t offset;
	int64_t n;
	int out;
};

#define OP_IN(type, member, n)                      \
	{                                           \
		offsetof(struct type, member), n, 0 \
	}
#define OP_OUT(type, member, n)                     \
	{                                           \
		offsetof(struct type, member), n, 1 \
	}

#define OP_MAX_FIELDS 16

/*
 * Runs the op over host arguments `args` (which are left as they are) and prints a line: outputs against the reference,
 * error at most twice the CPU's and a rounding, or the CPU's bits; the same bits in a second run; NaN where and only
 * where the reference has it, so that what must not be written is not. Fields that are one pointer stay one.
 */
void op_check(const struct op_row *op, const void *args, const struct op_field *fields, int count, const char *what);

/* Prints what `launches` single launches took, with the bytes that must be moved. */
void op_time(const struct op_row *op, const void *args, const struct op_field *fields, int count, const char *what,
        double bytes);

/* Prints ok or FAILED, and remembers. */
void op_report(const char *op, const char *what, double error, double limit);
int op_failures(void);

/* Ends the program where there is no device (77) or it is too old. */
void op_open_device(void);
void op_cuda(cudaError_t code, const char *what); /* ends the program on an error */

void *op_alloc(size_t bytes); /* ends the program when there is none */
float *op_floats(int64_t n, float value);
/* Gaussian; the same for the same seed. */
float *op_gauss(int64_t n, uint64_t seed, double mean, double dev);
float *op_uniform(int64_t n, uint64_t seed); /* -1 .. 1, quickly */
float *op_nan(int64_t n);                    /* unwritten output */

#endif
