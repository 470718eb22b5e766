/*
 * cpu_math: what the CPU kernels share: SB_HOT for their inner loops, and exp, erf, tanh and their kin as straight-line
 * code that the compiler turns into vector instructions of whatever width the machine has (libm's are calls, one
 * element each). For *_cpu.c only: a reference (*_ref.c) uses libm in double.
 *
 * Errors are against exact values over all floats (tests/unit/test_linear.c), in units of the last place where they are
 * relative. NaN gives NaN everywhere.
 */
#ifndef SB_CPU_MATH_H
#define SB_CPU_MATH_H

#include <stdint.h>
#include <string.h>

/*
 * SB_HOT in front of a function compiles it for AVX-512, AVX2 + FMA and plain x86-64, and the loader picks. For the
 * functions that hold the loops; helpers that they call must be SB_INLINE, otherwise the call stays and with it scalar
 * code. An OpenMP region inside an SB_HOT function is outlined for plain x86-64 before the versions are made: put the
 * region into a plain function and let it call an SB_HOT one per row or tile.
 * Empty for sanitizers, because the resolvers run before the sanitizers' start-up, for compilers other than gcc and for
 * C libraries without ifunc.
 */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__) && __GNUC__ >= 12 && \
        !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SB_HOT __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SB_HOT
#endif

#if defined(__GNUC__)
#define SB_INLINE static inline __attribute__((always_inline, unused))
#else
#define SB_INLINE static inline
#endif

/* In front of a loop with a constant count of at most 16: unrolled, so that small arrays can live in registers. */
#if defined(__clang__)
#define SB_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define SB_UNROLL _Pragma("GCC unroll 16")
#else
#define SB_UNROLL
#endif

SB_INLINE uint32_t sb_float_bits(float x)
{
	uint32_t b;

	memcpy(&b, &x, sizeof(b));
	return b;
}

SB_INLINE float sb_bits_float(uint32_t b)
{
	float x;

	memcpy(&x, &b, sizeof(x));
	return x;
}

/* Comparisons instead of fabsf and fminf: those keep NaN rules that cost instructions. */
SB_INLINE float sb_absf(float x)
{
	return sb_bits_float(sb_float_bits(x) & 0x7fffffffu);
}

/* The larger one; b when either is NaN. */
SB_INLINE float sb_maxf(float a, float b)
{
	return a > b ? a : b;
}

/* Round to TF32, 10 stored mantissa bits, to nearest, ties away from zero. NaN and infinity stay as they are. */
SB_INLINE float sb_tf32f(float x)
{
	uint32_t b = sb_float_bits(x);
	uint32_t r = (b + 0x1000u) & ~0x1fffu;

	return sb_bits_float((b & 0x7f800000u) == 0x7f800000u ? b : r);
}

/*
 * e^x within 1.5 ulp; infinity above 88.73, subnormal results rounded, 0 below -103.98.
 * x = n ln 2 + r, |r| <= ln 2 / 2; ln 2 is taken in two parts of which the first has 9 bits, so that n times it is
 * exact. The scaling by 2^n is two steps because 2^128 and 2^-150 are no floats.
 */
SB_INLINE float sb_expf(float x)
{
	const float magic =
	        12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer, which then stands in the low bits */
	float c = x > 89.0f ? 89.0f : x;
	float t, n, r, p;
	uint32_t i, half;

	c = c < -104.0f ? -104.0f : c;
	t = c * 1.44269504f + magic;
	n = t - magic;
	r = c - n * 0.693359375f;
	r = r + n * 2.12194440e-4f;
	p = 0.00139262504f;
	p = p * r + 0.00836323295f;
	p = p * r + 0.0416665524f;
	p = p * r + 0.166665763f;
	p = p * r + 0.5f;
	p = p * (r * r) + r + 1.0f;
	/* n + 256 is positive, so a logical shift halves it; 127 biased exponents of both halves. */
	i = sb_float_bits(t) - sb_float_bits(magic) + 256u;
	half = i >> 1;
	return p * sb_bits_float((half - 128u + 127u) << 23) * sb_bits_float((i - half - 128u + 127u) << 23);
}

/*
 * e^x for x <= 0, cheaper: within 1.5 ulp down to -87.3, and about 1.2e-38 instead of anything smaller. For softmax,
 * where x is a score less the row's maximum.
 */
SB_INLINE float sb_exp_negf(float x)
{
	const float magic = 12582912.0f + 127.0f; /* as in sb_expf(), with the exponent's bias added on the way */
	float c = x < -87.3f ? -87.3f : x;
	float t, n, r, p;

	t = c * 1.44269504f + magic;
	n = t - magic;
	r = c - n * 0.693359375f;
	r = r + n * 2.12194440e-4f;
	p = 0.00139262504f;
	p = p * r + 0.00836323295f;
	p = p * r + 0.0416665524f;
	p = p * r + 0.166665763f;
	p = p * r + 0.5f;
	p = p * (r * r) + r + 1.0f;
	return p * sb_bits_float(sb_float_bits(t) << 23);
}

/* 1 / (1 + e^-x). */
SB_INLINE float sb_sigmoidf(float x)
{
	return 1.0f / (1.0f + sb_expf(-x));
}

SB_INLINE float sb_siluf(float x)
{
	return x / (1.0f + sb_expf(-x));
}

/*
 * Half of e^(z^2) erfc(z) for z >= 0, relative error 1e-7 (fit 5e-8): t h(w) with t = 1 / (1 + z / 2), w = 1 - t. h is
 * a polynomial because the function falls as 1 / z, and one in w, with h(0) = 1, because small w hide the rounding of
 * the upper terms where half of e^-z^2 weighs most. Coefficients: interpolation in Chebyshev nodes of w in [0, 0.999].
 */
SB_INLINE float sb_half_erfcxf(float z)
{
	float t = 1.0f / (1.0f + 0.5f * z);
	float w = 0.5f * z * t;
	float h = 0.0381643623f;

	h = h * w - 0.172280028f;
	h = h * w + 0.272530228f;
	h = h * w - 0.167075768f;
	h = h * w + 0.0822020099f;
	h = h * w - 0.117241651f;
	h = h * w - 0.0953454822f;
	h = h * w + 0.211407185f;
	h = h * w + 0.486492276f;
	h = h * w - 1.25675833f;
	h = h * w + 1.0f;
	return 0.5f * t * h;
}

/* erf(x), absolute error 2e-7 (not relative: near 0 use x * 2 / sqrt(pi) where that matters). */
SB_INLINE float sb_erff(float x)
{
	float z = sb_absf(x), e;

	z = z > 10.0f ? 10.0f : z; /* erf is 1 long before, and infinity times 0 is NaN */
	e = 1.0f - 2.0f * sb_expf(-z * z) * sb_half_erfcxf(z);

	return x < 0.0f ? -e : e;
}

/*
 * GELU, 0.5 x (1 + erf(x / sqrt 2)) = x Phi(x), through the tail q = Phi(-|x|): absolute error 2e-7 |x|, and the
 * negative tail keeps its relative accuracy, which 1 + erf loses.
 */
SB_INLINE float sb_gelu_erff(float x)
{
	float a = sb_absf(x);
	float q;

	a = a > 20.0f ? 20.0f : a; /* the tail is 0 long before, and infinity times 0 is NaN */
	q = sb_expf(-0.5f * a * a) * sb_half_erfcxf(a * 0.707106781f);
	return (x < 0.0f ? 0.0f : x) - a * q;
}

/* GELU by tanh: 0.5 (1 + tanh u) is the sigmoid of 2u. */
SB_INLINE float sb_gelu_tanhf(float x)
{
	float u2 = 1.59576912f * (x + 0.044715f * x * x * x);

	return x / (1.0f + sb_expf(-u2));
}

/* tanh(x) within 2 ulp. */
SB_INLINE float sb_tanhf(float x)
{
	float a = sb_absf(x), u = x * x;
	float big = 1.0f - 2.0f / (sb_expf(2.0f * a) + 1.0f);
	float p = -0.00609671418f;

	p = p * u + 0.0209971797f;
	p = p * u - 0.0538509078f;
	p = p * u + 0.133327693f;
	p = p * u - 0.333333284f;
	big = x < 0.0f ? -big : big;
	return a < 0.625f ? x + x * u * p : big;
}

#endif
