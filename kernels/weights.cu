/*
 * Weights by a rule. Any thread can make any value, so that each writes where it is in turn and works out which value
 * belongs there: stores are coalesced in every layout, and nothing is read.
 */
#include "cuda_elements.cuh"

extern "C" {
#include "weights_cuda.h"
}

/* Which value of [a, b, c] belongs at `at` of the layout. */
template <int LAYOUT> static __device__ __forceinline__ int64_t value_at(int64_t at, int64_t a, int64_t b, int64_t c)
{
	int64_t inner;

	if (LAYOUT == SB_WEIGHTS_PLAIN)
		return at;
	if (LAYOUT == SB_WEIGHTS_CHANNELS_LAST) { /* at = (ia * c + ic) * b + ib */
		inner = at / b;
		return (inner / c * b + at % b) * c + inner % c;
	}
	inner = at / a; /* at = (ic * b + ib) * a + ia */
	return (at % a * b + inner % b) * c + inner / b;
}

/* Intrinsics are never fused: a fused multiply-add would skip the first rounding. */
static __device__ __forceinline__ float value(const struct sb_weights_made_args &w, uint64_t i)
{
	uint64_t z = w.key + (i + 1) * 0x9E3779B97F4A7C15ull;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
	z ^= z >> 31;
	return __fadd_rn(__fmul_rn(w.scale, (float)(int)(z >> 40) * 0x1p-23f - 1.0f), w.offset);
}

template <int LAYOUT> static __global__ void __launch_bounds__(kThreads) make_weights(struct sb_weights_made_args w)
{
	const int64_t n = w.shape[0] * w.shape[1] * w.shape[2], step = (int64_t)gridDim.x * kThreads;

	for (int64_t at = (int64_t)blockIdx.x * kThreads + threadIdx.x; at < n; at += step) {
		float v = value(w, (uint64_t)value_at<LAYOUT>(at, w.shape[0], w.shape[1], w.shape[2]));

		if (w.rounded) /* all are finite */
			v = __uint_as_float((__float_as_uint(v) + 0x1000u) & ~0x1fffu);
		w.out[at] = v;
	}
}

extern "C" int sb_weights_made_cuda(const struct sb_weights_made_args *a, struct sb_cuda_launch *l)
{
	const int64_t n = a->shape[0] * a->shape[1] * a->shape[2], most = 16 * (int64_t)(l->sms ? l->sms : 1);
	const unsigned blocks = (unsigned)(pieces(n, kThreads) < most ? pieces(n, kThreads) : most);

	if (n <= 0)
		return 0;
	switch (a->layout) {
	case SB_WEIGHTS_CHANNELS_LAST:
		make_weights<SB_WEIGHTS_CHANNELS_LAST><<<blocks, kThreads, 0, l->stream>>>(*a);
		break;
	case SB_WEIGHTS_BLOCKS_FIRST:
		make_weights<SB_WEIGHTS_BLOCKS_FIRST><<<blocks, kThreads, 0, l->stream>>>(*a);
		break;
	default:
		make_weights<SB_WEIGHTS_PLAIN><<<blocks, kThreads, 0, l->stream>>>(*a);
	}
	l->name = "make_weights";
	l->launches++;
	return cudaGetLastError();
}
