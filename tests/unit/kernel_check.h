/* What the kernel tests share: Gaussian data, NaN poison, errors against a reference, exact-size memory. */
#ifndef SB_KERNEL_CHECK_H
#define SB_KERNEL_CHECK_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sb_base.h"

/* The size of one rounding to float in a relative L2 error is below 2^-24: what a kernel may add to any other error. */
#define KC_ROUNDING 6e-8

/* n floats of NaN in a block of exactly that size, so that a sanitizer sees every step outside. */
static inline float *kc_poisoned(int64_t n)
{
	float *v = malloc((size_t)n * sizeof(*v) + (n == 0));

	if (!v)
		SB_BUG("out of memory in a test");
	for (int64_t i = 0; i < n; i++)
		v[i] = NAN;
	return v;
}

/* n floats, Gaussian with this mean and deviation. */
static inline float *kc_gauss(int64_t n, uint64_t seed, double mean, double dev)
{
	float *v = kc_poisoned(n);

	for (int64_t i = 0; i < n; i++) {
		double u = 1.0 - sb_random_unit(&seed), w = sb_random_unit(&seed);

		v[i] = (float)(mean + dev * sqrt(-2.0 * log(u)) * cos(6.283185307179586 * w));
	}
	return v;
}

static inline float *kc_copy(const float *src, int64_t n)
{
	float *v = kc_poisoned(n);

	if (n)
		memcpy(v, src, (size_t)n * sizeof(*v));
	return v;
}

/* |y - ref| / |ref| in the 2-norm; NaN anywhere gives NaN, which fails every comparison. */
static inline double kc_error(const float *y, const float *ref, int64_t n)
{
	double diff = 0.0, norm = 0.0;

	for (int64_t i = 0; i < n; i++) {
		diff += ((double)y[i] - ref[i]) * ((double)y[i] - ref[i]);
		norm += (double)ref[i] * ref[i];
	}
	return norm > 0.0 ? sqrt(diff / norm) : sqrt(diff);
}

/* <y, ref> / <ref, ref>: 1 when errors have no preferred sign. */
static inline double kc_gain(const float *y, const float *ref, int64_t n)
{
	double dot = 0.0, norm = 0.0;

	for (int64_t i = 0; i < n; i++) {
		dot += (double)y[i] * ref[i];
		norm += (double)ref[i] * ref[i];
	}
	return dot / norm;
}

static inline int kc_same_bits(const float *a, const float *b, int64_t n)
{
	return memcmp(a, b, (size_t)n * sizeof(*a)) == 0;
}

#endif
