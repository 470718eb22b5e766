/*
 * posenc on CUDA. Floor: writing, 75 floats for 3 read at the tracker's largest call. The sines run in double, as the
 * CPU's do and for the same reason (2^11 x is large, and the network magnifies what goes wrong here).
 *
 * Version 1: one sine after the other, a path for each kind of quadrant, a thread anywhere: 111 us of 29 (H200).
 * Version 3, this one: sine and shifted sine from one argument reduction and both polynomials, and a thread stays in
 * its column, so that no row needs a division: 65.5 us. (Versions 2 and 4 were not kept: kernels/NOTES.md.)
 */
#include "track_cuda.h"

#include "cuda_elements.cuh"

/*
 * Rows that a thread does, one below the other: the divisions by which it found its column are then small. 8: 65.5 us
 * at 388,608 rows, 4: 72.9 (H200).
 */
constexpr uint32_t kRowsEach = 8;

/* pi / 2 in three parts; n times either of the first two is exact in double up to n = 2^24. */
constexpr double kPi2High = 0x1.921fb54p0, kPi2Middle = 0x4.42d184p-32, kPi2Low = 0x6.9898cc51701b8p-60;

/* Where sines come in pairs: |v| is below it, and v + pi / 2 is at most 2^-11 off by its rounding. */
constexpr float kMaxPaired = 16384.0f;

struct pair {
	float sine, shifted;
};

/* Flips v's sign when bit 1 of `quadrant` is set. */
static __device__ __forceinline__ double signed_by(double v, int quadrant)
{
	return __hiloint2double(__double2hiint(v) ^ (quadrant & 2) << 30, __double2loint(v));
}

/*
 * sin v, and sin of the float `shifted` next to v + pi / 2: with d = shifted - v - pi / 2 the latter is cos(v + d),
 * whose series in d ends before 2^-60. Taylor's polynomials: on |r| <= pi / 4 their next terms are below 1e-11.
 */
static __device__ __forceinline__ struct pair paired(float v, float shifted)
{
	const double magic = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to an integer, which stands below */
	double x = v, t = fma(x, 0.63661977236758134, magic), n = t - magic;
	double r = fma(n, -kPi2Low, fma(n, -kPi2Middle, fma(n, -kPi2High, x))), s = r * r;
	double d = ((double)shifted - x) - 1.5707963267948966, d2 = d * d;
	double odd = fma(-1.0 / 39916800.0, s, 1.0 / 362880.0), even = fma(1.0 / 479001600.0, s, -1.0 / 3628800.0);
	int quadrant = __double2loint(t);
	double of_sin, of_cos;

	odd = fma(odd, s, -1.0 / 5040.0);
	even = fma(even, s, 1.0 / 40320.0);
	odd = fma(odd, s, 1.0 / 120.0);
	even = fma(even, s, -1.0 / 720.0);
	odd = fma(odd, s, -1.0 / 6.0);
	even = fma(even, s, 1.0 / 24.0);
	odd = r * fma(odd, s, 1.0); /* so that -0 stays -0 */
	even = fma(fma(even, s, -0.5), s, 1.0);
	of_sin = signed_by(quadrant & 1 ? even : odd, quadrant);
	of_cos = signed_by(quadrant & 1 ? odd : even, quadrant + 1);
	return { (float)of_sin, (float)fma(of_cos, fma(d2, -0.5, 1.0), -of_sin * (d * fma(d2, -1.0 / 6.0, 1.0))) };
}

static __device__ __forceinline__ struct pair far_out(float v, float shifted)
{
	return { (float)sin((double)v), (float)sin((double)shifted) };
}

/*
 * kRowsEach * `at_once` rows of a block. A thread has column `at` of the pairs, v = 2^(at / d) x[at % d], of every
 * at_once-th row; `across` threads share a row.
 */
static __global__ void __launch_bounds__(kThreads)
        posenc(const struct sb_posenc_args a, uint32_t across, uint32_t at_once)
{
	const float quarter = 0x1.921fb6p0f; /* pi / 2 in float32, by definition */
	uint32_t d = (uint32_t)a.d, pairs = d * (uint32_t)a.degrees, many = kRowsEach * at_once;
	int64_t first = (int64_t)blockIdx.x * many;
	uint32_t rows = (uint32_t)min((int64_t)many, a.rows - first);
	uint32_t row0 = threadIdx.x / across, at0 = threadIdx.x - row0 * across;
	const float *x = a.x + first * a.ldx;
	float *y = a.y + first * a.ldy;

	for (uint32_t i = threadIdx.x; i < rows * d; i += kThreads) {
		uint32_t row = i / d, c = i - row * d;

		y[row * a.ldy + c] = x[row * a.ldx + c];
	}
	if (row0 >= at_once)
		return;
	for (uint32_t at = at0; at < pairs; at += across) {
		uint32_t k = at / d;
		float power = __uint_as_float((127u + k) << 23);
		const float *from = x + row0 * a.ldx + (at - k * d);
		float *to = y + row0 * a.ldy + d + at;

#pragma unroll 2
		for (uint32_t row = row0; row < rows; row += at_once, from += at_once * a.ldx, to += at_once * a.ldy) {
			float v = *from * power, shifted = __fadd_rn(v, quarter);
			struct pair p = fabsf(v) < kMaxPaired ? paired(v, shifted) : far_out(v, shifted);

			to[0] = p.sine;
			to[pairs] = p.shifted;
		}
	}
}

int sb_posenc_cuda(const struct sb_posenc_args *a, struct sb_cuda_launch *l)
{
	int64_t pairs = a->d * a->degrees;
	uint32_t across = (uint32_t)max(min(pairs, (int64_t)kThreads), (int64_t)1), at_once = kThreads / across;

	if (a->degrees > 24 || a->d < 1 || pairs > (1 << 20))
		return cudaErrorInvalidValue;
	if (a->rows == 0)
		return 0;
	posenc<<<blocks_for(a->rows, (int)(kRowsEach * at_once)), kThreads, 0, stream_of(l)>>>(*a, across, at_once);
	return launched(l, "posenc");
}
