/*
 * posenc on the CPU: the arguments of a row are written where their sines go, then replaced by them. sin runs in double
 * with an argument reduction that is exact to the last bits, because 2^11 x is large and the network magnifies what
 * goes wrong here; rounded once, 1020 of the 1.27e9 floats up to 2^24 are one unit off the nearest, the others none.
 */
#include "track.h"

#include <math.h>

#include "cpu_loop.h"
#include "cpu_math.h"

/* Rows x columns smaller than this are not worth waking the other threads. */
#define MIN_PARALLEL 4096

/*
 * pi / 2 in three parts. The first two have 29 and 27 bits, so that n times either is exact in double up to n = 2^24,
 * which is why arguments end at 2^24; beyond, libm does it.
 */
#define PI_2_HIGH    0x1.921fb54p0
#define PI_2_MIDDLE  0x4.42d184p-32
#define PI_2_LOW     0x6.9898cc51701b8p-60
#define MAX_ARGUMENT 16777216.0f

/* |v| <= MAX_ARGUMENT. Taylor's polynomials: on |r| <= pi / 4 their next terms are below 1e-11. */
SB_INLINE float sine(float v)
{
	const double magic =
	        6755399441055744.0; /* 1.5 * 2^52: adding it rounds to an integer, which then stands below */
	double x = (double)v, t = x * 0.63661977236758134 + magic, n = t - magic;
	double r = x - n * PI_2_HIGH - n * PI_2_MIDDLE - n * PI_2_LOW, s = r * r;
	double odd = -1.0 / 39916800.0, even = 1.0 / 479001600.0;
	uint64_t quadrant;
	double y;

	memcpy(&quadrant, &t, sizeof(quadrant));
	odd = odd * s + 1.0 / 362880.0;
	odd = odd * s - 1.0 / 5040.0;
	odd = odd * s + 1.0 / 120.0;
	odd = odd * s - 1.0 / 6.0;
	odd = odd * s * r + r;
	even = even * s - 1.0 / 3628800.0;
	even = even * s + 1.0 / 40320.0;
	even = even * s - 1.0 / 720.0;
	even = even * s + 1.0 / 24.0;
	even = even * s - 0.5;
	even = even * s + 1.0;
	y = quadrant & 1 ? even : odd;
	return (float)(quadrant & 2 ? -y : y);
}

SB_HOT static void sines(float *v, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		v[i] = sine(v[i]);
}

static void sines_of_large(float *v, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		v[i] = (float)sin((double)v[i]);
}

/* x and the arguments; returns whether all of these are within MAX_ARGUMENT. */
static int arguments(const struct sb_posenc_args *a, const float *x, float *y)
{
	const float quarter = 0x1.921fb6p0f; /* pi / 2 in float32, by definition */
	float *plain = y + a->d, *shifted = plain + a->d * a->degrees, factor = 1.0f;
	int within = 1;

	for (int64_t c = 0; c < a->d; c++)
		y[c] = x[c];
	for (int64_t k = 0; k < a->degrees; k++, factor *= 2.0f)
		for (int64_t c = 0; c < a->d; c++) {
			float v = x[c] * factor; /* exact, so that fusing it with the sum changes nothing */

			within &= sb_absf(v) < MAX_ARGUMENT;
			plain[k * a->d + c] = v;
			shifted[k * a->d + c] = v + quarter;
		}
	return within;
}

static void encode_row(const struct sb_posenc_args *a, int64_t row)
{
	float *y = a->y + row * a->ldy;
	int64_t n = 2 * a->d * a->degrees;

	if (arguments(a, a->x + row * a->ldx, y))
		sines(y + a->d, n);
	else
		sines_of_large(y + a->d, n);
}

void sb_posenc_cpu(const struct sb_posenc_args *a)
{
	SB_PARALLEL_FOR(static, a->rows * a->d * a->degrees >= MIN_PARALLEL, row, a->rows, encode_row(a, row));
}
