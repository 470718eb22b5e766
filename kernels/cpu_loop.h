/*
 * cpu_loop: how the CPU kernels share out a loop over the threads, and the integers they do it with. For *_cpu.c only.
 */
#ifndef SB_CPU_LOOP_H
#define SB_CPU_LOOP_H

#include <omp.h>
#include <stdint.h>

static inline int64_t sb_min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t sb_max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* How many pieces of `piece` elements n elements make, the last one perhaps smaller. */
static inline int64_t sb_pieces(int64_t n, int64_t piece)
{
	return (n + piece - 1) / piece;
}

static inline int64_t sb_round_up(int64_t n, int64_t step)
{
	return sb_pieces(n, step) * step;
}

/*
 * The statement for i = 0 .. n - 1: by all threads where it is `worth` waking them, else as a plain loop. `kind` is
 * OpenMP's schedule, static or dynamic. The plain loop is not left to OpenMP's if clause, nor to a team of one: for
 * both libgomp allocates a team every time, and a timed pass allocates nothing on the host (test_host_allocations.c);
 * the team of all threads it keeps.
 *
 * In a loop that calls sgemm, `worth` must be true where sgemm would use threads itself, that is from SB_BLAS_SERIAL
 * multiply-adds on in all, be it for a single i: in a region of several threads OpenBLAS (its OpenMP build) uses one,
 * outside it splits a product by their number, and then so many threads give other bits.
 */
#define SB_PARALLEL_FOR(kind, worth, i, n, ...)                         \
	do {                                                            \
		const int64_t sb_count = (n);                           \
                                                                        \
		if ((worth) && omp_get_max_threads() > 1) {             \
			SB_LOOP_PRAGMA(omp parallel for schedule(kind)) \
			for (int64_t i = 0; i < sb_count; i++) {        \
				__VA_ARGS__;                            \
			}                                               \
		} else {                                                \
			for (int64_t i = 0; i < sb_count; i++) {        \
				__VA_ARGS__;                            \
			}                                               \
		}                                                       \
	} while (0)
#define SB_LOOP_PRAGMA(text) _Pragma(#text)

/*
 * OpenBLAS takes threads from 9216 multiply-adds on for a matrix times a vector, which newer versions make of a product
 * with one row or column, and from 262144 on for other products (interface/gemv.c, gemm.c).
 */
#define SB_BLAS_SERIAL 8192

#endif
