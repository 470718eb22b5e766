/*
 * norm on CUDA. Bound by memory: a row is read once into registers, so every byte moves once. Sums are float32; the
 * mean is taken in two parts (a float, and what it was off by), so that its rounding does not shift a whole row.
 */
#include "cuda_elements.cuh"

extern "C" {
#include "norm_cuda.h"
}

/* Warps of a block that works a row a warp: 8 blocks of 4 warps fill half a multiprocessor at 64 registers of row. */
constexpr int kRowWarps = 4;

/* How n values lie: x - mean - rest is the difference from the mean, times inv_std the normalised value. */
struct moments {
	float mean, rest, inv_std;
};

static __device__ __forceinline__ float normed(float x, struct moments m)
{
	return ((x - m.mean) - m.rest) * m.inv_std;
}

static __device__ __forceinline__ struct moments moments_of(float mean, float sum, float squares, float n, float eps)
{
	struct moments m = { mean, sum / n, 0.0f };
	float var = fmaxf(squares / n - m.rest * m.rest, 0.0f);

	/* fmaxf drops a NaN: what is not a number must stay so. */
	m.inv_std = 1.0f / sqrtf((squares != squares ? squares : var) + eps);
	return m;
}

/* ---- layer norm -------------------------------------------------------------------------------------------------- */

struct row {
	const float *x, *mod;
	float *y;
};

static __device__ __forceinline__ struct row row_at(
        const struct sb_layer_norm_args &a, int64_t i, const struct divider &per_batch)
{
	uint32_t batch = quotient((uint32_t)i, per_batch), r = remainder((uint32_t)i, batch, per_batch);

	return { a.x + batch * a.x_batch + r * a.x_row, a.mod ? a.mod + i * a.ld_mod : nullptr,
		a.y + batch * a.y_batch + r * a.y_row };
}

static __device__ __forceinline__ float4 load4(const float *p, int i)
{
	return reinterpret_cast<const float4 *>(p)[i];
}

/* What no kernel writes meanwhile, so that rows after the first need not read it again. */
static __device__ __forceinline__ float4 constant4(const float *p, int i)
{
	return __ldg(reinterpret_cast<const float4 *>(p) + i);
}

static __device__ __forceinline__ float affine(float v, float weight, float bias)
{
	return fmaf(v, weight, bias);
}

static __device__ __forceinline__ float adapt(float v, float x, float shift, float scale, float gate)
{
	return fmaf(gate, fmaf(v, 1.0f + scale, shift), x);
}

/* The row's vectors i, i + 32, .. in this lane's v; beyond the row zeros, which change no sum of the first pass. */
template <int n>
static __device__ __forceinline__ struct moments moments_of_row(const float4 *v, int vectors, int64_t dim, float eps)
{
	int lane = threadIdx.x % kWarp;
	float sum = 0.0f, rest = 0.0f, squares = 0.0f, mean;

#pragma unroll
	for (int i = 0; i < n; i++)
		sum += total(v[i]);
	mean = sum_lanes<kWarp>(sum) / (float)dim;
#pragma unroll
	for (int i = 0; i < n; i++)
		if (lane + i * kWarp < vectors) {
			float4 d = make_float4(v[i].x - mean, v[i].y - mean, v[i].z - mean, v[i].w - mean);

			rest += total(d);
			squares += total(make_float4(d.x * d.x, d.y * d.y, d.z * d.z, d.w * d.w));
		}
	return moments_of(mean, sum_lanes<kWarp>(rest), sum_lanes<kWarp>(squares), (float)dim, eps);
}

static __device__ __forceinline__ float4 finished(
        const struct sb_layer_norm_args &a, const struct row &r, float4 x, struct moments m, int i)
{
	float4 v = make_float4(normed(x.x, m), normed(x.y, m), normed(x.z, m), normed(x.w, m));

	if (a.weight) {
		float4 w = constant4(a.weight, i), b = constant4(a.bias, i);

		v = make_float4(
		        affine(v.x, w.x, b.x), affine(v.y, w.y, b.y), affine(v.z, w.z, b.z), affine(v.w, w.w, b.w));
	}
	if (r.mod) {
		float4 shift = load4(r.mod, i), scale = load4(r.mod + a.dim, i), gate = load4(r.mod + 2 * a.dim, i);

		v = make_float4(adapt(v.x, x.x, shift.x, scale.x, gate.x), adapt(v.y, x.y, shift.y, scale.y, gate.y),
		        adapt(v.z, x.z, shift.z, scale.z, gate.z), adapt(v.w, x.w, shift.w, scale.w, gate.w));
	}
	return v;
}

/*
 * A warp `rows` rows of at most 128 n floats, n vectors of 16 bytes a lane and row: short rows are read several at a
 * time, for a block's start and the sums' shuffles take longer than 512 bytes do.
 */
template <int n, int rows>
static __global__ void __launch_bounds__(kRowWarps *kWarp)
        layer_norm_rows(const struct sb_layer_norm_args a, struct divider per_batch)
{
	int64_t first = ((int64_t)blockIdx.x * kRowWarps + threadIdx.x / kWarp) * rows, count = a.batch * a.rows;
	int lane = threadIdx.x % kWarp, vectors = (int)(a.dim / 4);
	struct row r[rows];
	float4 v[rows][n];

	if (first >= count)
		return;
#pragma unroll
	for (int i = 0; i < rows; i++) {
		r[i] = row_at(a, min(first + i, count - 1), per_batch);
#pragma unroll
		for (int k = 0; k < n; k++)
			v[i][k] = lane + k * kWarp < vectors ? load4(r[i].x, lane + k * kWarp) : splat(0.0f);
	}
#pragma unroll
	for (int i = 0; i < rows; i++) {
		struct moments m = moments_of_row<n>(v[i], vectors, a.dim, a.eps);

#pragma unroll
		for (int k = 0; k < n; k++)
			if (first + i < count && lane + k * kWarp < vectors)
				reinterpret_cast<float4 *>(r[i].y)[lane + k * kWarp] =
				        finished(a, r[i], v[i][k], m, lane + k * kWarp);
	}
}

template <int n, int rows> static void queue_rows(const struct sb_layer_norm_args *a, struct sb_cuda_launch *l)
{
	unsigned grid = blocks_for(a->batch * a->rows, kRowWarps * rows);

	layer_norm_rows<n, rows><<<grid, kRowWarps * kWarp, 0, stream_of(l)>>>(*a, divider_of(a->rows));
}

/* Sum over the block; every thread gets it. One warp a lane of `part`. */
static __device__ float block_sum(float v)
{
	__shared__ float part[kThreads / kWarp];
	float sum = 0.0f;

	v = sum_lanes<kWarp>(v);
	__syncthreads(); /* the last call's sums have been read */
	if (threadIdx.x % kWarp == 0)
		part[threadIdx.x / kWarp] = v;
	__syncthreads();
	for (int i = 0; i < kThreads / kWarp; i++)
		sum += part[i];
	return sum;
}

/* Any row: a block each, read three times (from cache but for the first). */
static __global__ void __launch_bounds__(kThreads)
        layer_norm_any(const struct sb_layer_norm_args a, struct divider per_batch)
{
	struct row r = row_at(a, blockIdx.x, per_batch);
	float sum = 0.0f, rest = 0.0f, squares = 0.0f, mean;
	struct moments m;

	for (int64_t i = threadIdx.x; i < a.dim; i += kThreads)
		sum += r.x[i];
	mean = block_sum(sum) / (float)a.dim;
	for (int64_t i = threadIdx.x; i < a.dim; i += kThreads) {
		float d = r.x[i] - mean;

		rest += d;
		squares += d * d;
	}
	rest = block_sum(rest);
	m = moments_of(mean, rest, block_sum(squares), (float)a.dim, a.eps);
	for (int64_t i = threadIdx.x; i < a.dim; i += kThreads) {
		float x = r.x[i], v = normed(x, m);

		if (a.weight)
			v = affine(v, a.weight[i], a.bias[i]);
		if (r.mod)
			v = adapt(v, x, r.mod[i], r.mod[a.dim + i], r.mod[2 * a.dim + i]);
		r.y[i] = v;
	}
}

static bool wide_rows(const struct sb_layer_norm_args *a)
{
	return a->dim % 4 == 0 && wide(a->x, a->x_row) && wide(a->x, a->x_batch) && wide(a->y, a->y_row) &&
	       wide(a->y, a->y_batch) && wide(a->weight, 0) && wide(a->bias, 0) && wide(a->mod, a->mod ? a->ld_mod : 0);
}

int sb_layer_norm_cuda(const struct sb_layer_norm_args *a, struct sb_cuda_launch *l)
{
	int64_t rows = a->batch * a->rows;

	if (rows == 0)
		return 0;
	if (!wide_rows(a) || a->dim > 2048)
		layer_norm_any<<<(unsigned)rows, kThreads, 0, stream_of(l)>>>(*a, divider_of(a->rows));
	else if (a->dim <= 128)
		queue_rows<1, 4>(a, l);
	else if (a->dim <= 384)
		queue_rows<3, 2>(a, l);
	else if (a->dim <= 1024)
		queue_rows<8, 1>(a, l);
	else
		queue_rows<16, 1>(a, l);
	return launched(l, a->mod ? "layer_norm_adaptive" : "layer_norm");
}

/* ---- q/k normalisation with rotary positions --------------------------------------------------------------------- */

constexpr int kHead = 64;             /* the network's head: */
constexpr int kHeadLanes = kHead / 4; /* 16 lanes with a vector each, so the pair of a vector is 4 lanes away */

/* One head of one token, of q or of k. */
struct head {
	float *x;
	const float *weight, *bias;
	const float *cs_row, *cs_col; /* the table's lines of its position; NULL for a special token */
};

/* What finds a head's token, the token's frame and the patch's row. */
struct head_place {
	struct divider heads, frame, grid_w; /* heads: of q and k together */
};

/* Head i of all: tokens slowest, then q and k, then the heads. */
static __device__ __forceinline__ struct head head_at(
        const struct sb_qk_norm_rope_args &a, const struct head_place &place, uint32_t i)
{
	uint32_t t = quotient(i, place.heads), line = a.dim / 4 * 2;
	int h = (int)remainder(i, t, place.heads), of_k = h >= a.heads;
	int patch = (int)remainder(t, quotient(t, place.frame), place.frame) - (int)a.special;
	uint32_t p = patch < 0 ? 0 : patch, row = quotient(p, place.grid_w), col = remainder(p, row, place.grid_w);

	h -= of_k ? a.heads : 0;
	return { (of_k ? a.k : a.q) + t * a.row + h * a.dim, of_k ? a.k_weight : a.q_weight, of_k ? a.k_bias : a.q_bias,
		patch < 0 ? nullptr : a.rope + (row + 1) * line, patch < 0 ? nullptr : a.rope + (col + 1) * line };
}

static __device__ __forceinline__ float turned(float x, float pair, float cosine, float sine)
{
	return fmaf(x, cosine, pair * sine);
}

/* v of dims 4 lane ..: rows turn lanes 0 to 7, columns 8 to 15; the first quarter of a half subtracts its pair. */
static __device__ __forceinline__ float4 turned4(float4 v, const struct head &h, int lane)
{
	const float *cs = (lane < kHeadLanes / 2 ? h.cs_row : h.cs_col);
	float sign = lane & 4 ? 1.0f : -1.0f;
	float4 pair, a, b;

	pair.x = __shfl_xor_sync(kAllLanes, v.x, 4);
	pair.y = __shfl_xor_sync(kAllLanes, v.y, 4);
	pair.z = __shfl_xor_sync(kAllLanes, v.z, 4);
	pair.w = __shfl_xor_sync(kAllLanes, v.w, 4);
	if (!cs)
		return v;
	a = load4(cs, lane % 4 * 2);
	b = load4(cs, lane % 4 * 2 + 1);
	return make_float4(turned(v.x, pair.x, a.x, sign * a.y), turned(v.y, pair.y, a.z, sign * a.w),
	        turned(v.z, pair.z, b.x, sign * b.y), turned(v.w, pair.w, b.z, sign * b.w));
}

static __global__ void __launch_bounds__(kThreads)
        qk_norm_rope_64(const struct sb_qk_norm_rope_args a, struct head_place place, int64_t heads)
{
	int64_t i = ((int64_t)blockIdx.x * kThreads + threadIdx.x) / kHeadLanes;
	int lane = threadIdx.x % kHeadLanes;
	bool mine = i < heads;
	struct head h = head_at(a, place, mine ? (uint32_t)i : 0);
	float4 x = load4(h.x, lane), d, w = load4(h.weight, lane), b = load4(h.bias, lane);
	float mean = sum_lanes<kHeadLanes>(total(x)) / kHead;
	struct moments m;

	d = make_float4(x.x - mean, x.y - mean, x.z - mean, x.w - mean);
	m = moments_of(mean, sum_lanes<kHeadLanes>(total(d)),
	        sum_lanes<kHeadLanes>((d.x * d.x + d.y * d.y) + (d.z * d.z + d.w * d.w)), kHead, a.eps);
	x = make_float4(affine(normed(x.x, m), w.x, b.x), affine(normed(x.y, m), w.y, b.y),
	        affine(normed(x.z, m), w.z, b.z), affine(normed(x.w, m), w.w, b.w));
	x = turned4(x, h, lane);
	if (mine)
		reinterpret_cast<float4 *>(h.x)[lane] = x;
}

/* Any head, a warp each. A pair is read and written by one lane, after the whole head has been read. */
static __global__ void __launch_bounds__(kThreads)
        qk_norm_rope_any(const struct sb_qk_norm_rope_args a, struct head_place place, int64_t heads)
{
	int64_t i = ((int64_t)blockIdx.x * kThreads + threadIdx.x) / kWarp;
	int lane = threadIdx.x % kWarp, quarter = a.dim / 4;
	float sum = 0.0f, rest = 0.0f, squares = 0.0f, mean;
	struct moments m;
	struct head h;

	if (i >= heads)
		return;
	h = head_at(a, place, (uint32_t)i);
	for (int d = lane; d < a.dim; d += kWarp)
		sum += h.x[d];
	mean = sum_lanes<kWarp>(sum) / (float)a.dim;
	for (int d = lane; d < a.dim; d += kWarp) {
		rest += h.x[d] - mean;
		squares += (h.x[d] - mean) * (h.x[d] - mean);
	}
	m = moments_of(mean, sum_lanes<kWarp>(rest), sum_lanes<kWarp>(squares), (float)a.dim, a.eps);
	for (int j = lane; j < 2 * quarter; j += kWarp) {
		int lo = j < quarter ? j : quarter + j, hi = lo + quarter, at = j % quarter * 2;
		const float *cs = j < quarter ? h.cs_row : h.cs_col;
		float p = affine(normed(h.x[lo], m), h.weight[lo], h.bias[lo]);
		float q = affine(normed(h.x[hi], m), h.weight[hi], h.bias[hi]);

		h.x[lo] = cs ? turned(p, q, cs[at], -cs[at + 1]) : p;
		h.x[hi] = cs ? turned(q, p, cs[at], cs[at + 1]) : q;
	}
}

int sb_qk_norm_rope_cuda(const struct sb_qk_norm_rope_args *a, struct sb_cuda_launch *l)
{
	struct head_place place = { divider_of(2 * a->heads), divider_of(a->frame_tokens), divider_of(a->grid_w) };
	int64_t heads = a->tokens * 2 * a->heads;
	bool all_wide = wide(a->q, a->row) && wide(a->k, a->row) && wide(a->q_weight, 0) && wide(a->q_bias, 0) &&
	                wide(a->k_weight, 0) && wide(a->k_bias, 0) && wide(a->rope, 0);

	if (heads == 0)
		return 0;
	if (a->dim == kHead && all_wide)
		qk_norm_rope_64<<<blocks_for(heads * kHeadLanes, kThreads), kThreads, 0, stream_of(l)>>>(
		        *a, place, heads);
	else
		qk_norm_rope_any<<<blocks_for(heads * kWarp, kThreads), kThreads, 0, stream_of(l)>>>(*a, place, heads);
	return launched(l, "qk_norm_rope");
}
