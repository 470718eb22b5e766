/*
 * posenc on CUDA. Bound by writing: 75 floats for 3 read at the tracker's largest call. The sines run in double, as the
 * CPU's do and for the same reason (2^11 x is large, and the network magnifies what goes wrong here): about 25
 * double-precision operations each, which a device with full-rate double hides behind the writing.
 */
#include "track_cuda.h"

#include "cuda_elements.cuh"

/* Pairs of sines a block makes: 4 for every thread, so that the rows' divisions and the block's start are shared. */
constexpr uint32_t kPairs = 4 * kThreads;

/*
 * pi / 2 in three parts; n times either of the first two is exact in double up to n = 2^24, where arguments end.
 * Beyond, the library's sine does it.
 */
constexpr double kPi2High = 0x1.921fb54p0, kPi2Middle = 0x4.42d184p-32, kPi2Low = 0x6.9898cc51701b8p-60;
constexpr float kMaxArgument = 16777216.0f;

/* Within 1 ulp. Taylor's polynomials: on |r| <= pi / 4 their next terms are below 1e-11. */
static __device__ __forceinline__ float sine(float v)
{
	const double magic = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to an integer, which stands below */
	double x = v, t = fma(x, 0.63661977236758134, magic), n = t - magic, r, s, y;
	int quadrant = __double2loint(t);

	if (!(fabsf(v) < kMaxArgument))
		return (float)sin(x);
	r = fma(n, -kPi2Low, fma(n, -kPi2Middle, fma(n, -kPi2High, x)));
	s = r * r;
	if (quadrant & 1) {
		y = fma(1.0 / 479001600.0, s, -1.0 / 3628800.0);
		y = fma(y, s, 1.0 / 40320.0);
		y = fma(y, s, -1.0 / 720.0);
		y = fma(y, s, 1.0 / 24.0);
		y = fma(y, s, -0.5);
		y = fma(y, s, 1.0);
	} else {
		y = fma(-1.0 / 39916800.0, s, 1.0 / 362880.0);
		y = fma(y, s, -1.0 / 5040.0);
		y = fma(y, s, 1.0 / 120.0);
		y = fma(y, s, -1.0 / 6.0);
		y = r * fma(y, s, 1.0); /* so that -0 stays -0 */
	}
	return (float)(quadrant & 2 ? -y : y);
}

/* `many` rows of a block; pair i of a row: sines of v and of v + pi / 2, v = 2^(i / d) x[i % d]. */
static __global__ void __launch_bounds__(kThreads) posenc(const struct sb_posenc_args a, uint32_t many)
{
	const float quarter = 0x1.921fb6p0f; /* pi / 2 in float32, by definition */
	uint32_t d = (uint32_t)a.d, pairs = d * (uint32_t)a.degrees;
	int64_t first = (int64_t)blockIdx.x * many;
	uint32_t rows = (uint32_t)min((int64_t)many, a.rows - first);
	const float *x = a.x + first * a.ldx;
	float *y = a.y + first * a.ldy;

	for (uint32_t i = threadIdx.x; i < rows * d; i += kThreads) {
		uint32_t row = i / d, c = i - row * d;

		y[row * a.ldy + c] = x[row * a.ldx + c];
	}
	for (uint32_t i = threadIdx.x; i < rows * pairs; i += kThreads) {
		uint32_t row = i / pairs, at = i - row * pairs, k = at / d;
		float v = x[row * a.ldx + (at - k * d)] * __uint_as_float((127u + k) << 23);
		float *out = y + row * a.ldy + d + at;

		out[0] = sine(v);
		out[pairs] = sine(__fadd_rn(v, quarter));
	}
}

int sb_posenc_cuda(const struct sb_posenc_args *a, struct sb_cuda_launch *l)
{
	int64_t pairs = a->d * a->degrees, many;

	if (a->degrees > 24 || a->d < 1 || pairs > (1 << 20))
		return cudaErrorInvalidValue;
	if (a->rows == 0)
		return 0;
	many = pairs > 0 && pairs < kPairs ? kPairs / pairs : 1;
	posenc<<<blocks_for(a->rows, (int)many), kThreads, 0, stream_of(l)>>>(*a, (uint32_t)many);
	return launched(l, "posenc");
}
