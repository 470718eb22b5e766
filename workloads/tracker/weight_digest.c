#include "weight_digest.h"

#include <string.h>

#define CHUNK INT64_C(65536) /* values; 256 KiB, so that the second look at a chunk finds it in the cache */
#define LANES 8

static uint64_t rotl(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

/* One splitmix64 step: every bit of v reaches every bit of the result. */
static uint64_t mix(uint64_t v)
{
	return sb_splitmix64(&v);
}

static uint64_t hash_chunk(const float *values, int64_t n)
{
	const int64_t words = n / 2, whole = words / LANES * LANES;
	uint64_t lane[LANES], word, h = (uint64_t)n;

	for (int l = 0; l < LANES; l++)
		lane[l] = mix((uint64_t)l);
	for (int64_t i = 0; i < whole; i += LANES) {
		uint64_t w[LANES];

		memcpy(w, values + 2 * i, sizeof(w));
		for (int l = 0; l < LANES; l++)
			lane[l] = rotl((lane[l] ^ w[l]) * UINT64_C(0x9E3779B97F4A7C15), 29);
	}
	for (int l = 0; l < LANES; l++)
		h = mix(h ^ lane[l]);
	for (int64_t i = 2 * whole; i < n; i++) {
		word = 0;
		memcpy(&word, values + i, sizeof(*values));
		h = mix(h ^ word);
	}
	return h;
}

static bool all_finite(const float *values, int64_t n)
{
	uint32_t largest = 0;

	for (int64_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, values + i, sizeof(bits));
		bits &= 0x7fffffff;
		largest = bits > largest ? bits : largest;
	}
	return largest < 0x7f800000; /* infinities and NaN have the largest exponent */
}

static int64_t first_not_finite(const float *values, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (!all_finite(values + i, 1))
			return i;
	return -1;
}

int64_t sb_weight_digest(uint64_t *digest, const char *name, const int64_t *shape, int ndim, const float *values)
{
	int64_t n = 1, chunks, not_finite = 0;
	uint64_t sum = 0;

	for (int d = 0; d < ndim; d++)
		n *= shape[d];
	chunks = (n + CHUNK - 1) / CHUNK;
#pragma omp parallel for schedule(static) reduction(+ : sum, not_finite) if (chunks > 1)
	for (int64_t c = 0; c < chunks; c++) {
		int64_t at = c * CHUNK, m = n - at < CHUNK ? n - at : CHUNK;

		not_finite += !all_finite(values + at, m);
		sum += mix(hash_chunk(values + at, m) ^ mix((uint64_t)c));
	}
	*digest = sb_fnv1a(*digest, name, strlen(name) + 1);
	*digest = sb_fnv1a(*digest, shape, (size_t)ndim * sizeof(*shape));
	*digest = sb_fnv1a(*digest, &sum, sizeof(sum));
	return not_finite ? first_not_finite(values, n) : -1;
}
