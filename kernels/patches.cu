/*
 * patches on CUDA: samples and neighbours; patches_corr.cu has the correlation. Both are bound by memory: maps come
 * from the L2 cache, and every sample is written once.
 */
#include "patch_axis.cuh"

extern "C" {
#include "patches_cuda.h"
}

constexpr int kCentre = kPatch / 2;

/* ---- patches ----------------------------------------------------------------------------------------------------- */

/* A column of a patch per warp, x offset `a`: 8 lines interpolated along x, then the 7 positions between them. */
constexpr int kColumnWarps = kSide;

/* vec is float or float4, `vectors` of them a pixel. */
template <typename vec>
static __global__ void __launch_bounds__(kColumnWarps *kWarp)
        sample_columns(const struct sb_patch_sample_args a, int vectors)
{
	int64_t i = blockIdx.x;
	int column = threadIdx.x / kWarp;
	struct patch_axis x = patch_axis_of(a.xy[2 * i], a.scale, a.w),
	                  y = patch_axis_of(a.xy[2 * i + 1], a.scale, a.h);
	const vec *image = (const vec *)a.map + a.frame[i] * a.h * a.w * vectors;
	int64_t left = (int64_t)axis_line(x, column) * vectors, right = (int64_t)axis_line(x, column + 1) * vectors;
	vec *out = (vec *)a.out + (i * kPatch + column * kSide) * vectors;

	for (int c = threadIdx.x % kWarp; c < vectors; c += kWarp) {
		vec line[kWindow];

#pragma unroll
		for (int k = 0; k < kWindow; k++) {
			const vec *at = image + axis_line(y, k) * a.w * vectors + c;

			line[k] = lerp(at[left], at[right], x.frac);
		}
#pragma unroll
		for (int k = 0; k < kSide; k++)
			out[k * vectors + c] = lerp(line[k], line[k + 1], y.frac);
	}
}

static __device__ __forceinline__ double lerp(double a, double b, double f)
{
	return fma(f, b - a, a);
}

/* Channel c of position k of a map of three channels, in double. */
static __device__ __forceinline__ double sample_point(
        const float *image, const struct patch_axis &x, const struct patch_axis &y, int64_t w, int k, int c)
{
	int64_t left = axis_line(x, k / kSide) * 3 + c, right = axis_line(x, k / kSide + 1) * 3 + c;
	const float *upper = image + axis_line(y, k % kSide) * w * 3,
	            *lower = image + axis_line(y, k % kSide + 1) * w * 3;

	return lerp(lerp((double)upper[left], (double)upper[right], x.exact),
	        lerp((double)lower[left], (double)lower[right], x.exact), y.exact);
}

/* Points: a thread an element. */
static __global__ void __launch_bounds__(kThreads) sample_points(const struct sb_patch_sample_args a)
{
	int64_t e = (int64_t)blockIdx.x * kThreads + threadIdx.x, i = e / (kPatch * 3);
	int at = (int)(e % (kPatch * 3));

	if (i >= a.n)
		return;
	a.out[e] = (float)sample_point(a.map + a.frame[i] * a.h * a.w * 3, patch_axis_of(a.xy[2 * i], a.scale, a.w),
	        patch_axis_of(a.xy[2 * i + 1], a.scale, a.h), a.w, at / 3, at % 3);
}

int sb_patch_sample_cuda(const struct sb_patch_sample_args *a, struct sb_cuda_launch *l)
{
	constexpr int threads = kColumnWarps * kWarp;

	if (a->n == 0)
		return 0;
	if (a->c == 3)
		sample_points<<<blocks_for(a->n * kPatch * 3, kThreads), kThreads, 0, stream_of(l)>>>(*a);
	else if (wide(a->map, a->c) && wide(a->out, 0))
		sample_columns<float4><<<(unsigned)a->n, threads, 0, stream_of(l)>>>(*a, (int)(a->c / 4));
	else
		sample_columns<float><<<(unsigned)a->n, threads, 0, stream_of(l)>>>(*a, (int)a->c);
	return launched(l, a->c == 3 ? "patch_sample_points" : "patch_sample");
}

/* ---- neighbours -------------------------------------------------------------------------------------------------- */

/* A warp a row; what it keeps in shared memory: */
constexpr int kRowWarps = 8;

struct candidates {
	unsigned long long
	        length[kPatch + 1]; /* bits of squared lengths: doubles of at least 0 are in the order of their bits */
	float d[kPatch][3];
	int chosen[SB_NEIGHBOURS];
};

static __device__ __forceinline__ void keep_candidate(struct candidates &s, int k, float x, float y, float z)
{
	double sum = (double)x * (double)x + (double)y * (double)y + (double)z * (double)z;
	const unsigned long long infinite = 0x7ff0000000000000ull;

	s.d[k][0] = x;
	s.d[k][1] = y;
	s.d[k][2] = z;
	s.length[k] = isnan(sum) ? infinite : (unsigned long long)__double_as_longlong(sum);
}

/* A place in the order is the number of those before it; the first is dropped. */
static __device__ __forceinline__ void choose(struct candidates &s, int lane)
{
	for (int k = lane; k < kPatch; k += kWarp) {
		unsigned long long own = s.length[k];
		int before = 0;

#pragma unroll 7
		for (int j = 0; j < kPatch; j++) {
			unsigned long long other = s.length[j];

			before += other < own || (other == own && j < k);
		}
		if (before >= 1 && before <= SB_NEIGHBOURS)
			s.chosen[before - 1] = k;
	}
	__syncwarp();
}

static __device__ __forceinline__ void store_deltas(const struct candidates &s, int lane, float *out)
{
	for (int i = lane; i < SB_NEIGHBOURS * 3; i += kWarp)
		out[i] = s.d[s.chosen[i / 3]][i % 3];
}

static __device__ __forceinline__ float mixed(float ul, float ur, float ll, float lr, float fx, float fy)
{
	return lerp(lerp(ul, ur, fx), lerp(ll, lr, fx), fy);
}

static __device__ __forceinline__ float4 mixed(float4 ul, float4 ur, float4 ll, float4 lr, float fx, float fy)
{
	return lerp(lerp(ul, ur, fx), lerp(ll, lr, fx), fy);
}

/*
 * The chosen positions' features, vector c of them: vec is float or float4, `vectors` of them a pixel, `ld` from one
 * neighbour to the next. __ldg, because what is written is no map, and the next neighbour's loads need not wait for it.
 */
template <typename vec>
static __device__ __forceinline__ void sample_chosen(const struct candidates &s, int c, const vec *image,
        const struct patch_axis &x, const struct patch_axis &y, int pitch, int vectors, vec *out, int64_t ld)
{
#pragma unroll 4
	for (int i = 0; i < SB_NEIGHBOURS; i++) {
		int a = s.chosen[i] / kSide, b = s.chosen[i] % kSide;
		const vec *upper = image + axis_line(y, b) * pitch + c,
		          *lower = image + axis_line(y, b + 1) * pitch + c;
		int left = axis_line(x, a) * vectors, right = axis_line(x, a + 1) * vectors;

		out[i * ld + c] = mixed(__ldg(upper + left), __ldg(upper + right), __ldg(lower + left),
		        __ldg(lower + right), x.frac, y.frac);
	}
}

template <typename vec>
static __global__ void __launch_bounds__(kRowWarps *kWarp)
        track_neighbours(const struct sb_neighbours_args a, int vectors, int64_t ld)
{
	__shared__ struct candidates all[kRowWarps];
	int64_t i = (int64_t)blockIdx.x * kRowWarps + threadIdx.x / kWarp, t = (uint32_t)i / (uint32_t)a.n;
	int64_t row = ((uint32_t)i % (uint32_t)a.n) * a.frames + t; /* points fastest: their frame's map stays in L2 */
	int lane = threadIdx.x % kWarp;
	struct candidates &s = all[threadIdx.x / kWarp];
	struct patch_axis x, y;
	const float *centre = a.centre + 3 * row, *points;

	if (t >= a.frames)
		return;
	points = a.pmap + t * a.h * a.w * 3;
	x = patch_axis_of(a.uv[2 * row], a.scale, a.w);
	y = patch_axis_of(a.uv[2 * row + 1], a.scale, a.h);
	for (int k = lane; k < kPatch; k += kWarp) {
		float d[3];

#pragma unroll
		for (int c = 0; c < 3; c++)
			d[c] = (float)(sample_point(points, x, y, a.w, k, c) - (double)centre[c]);
		keep_candidate(s, k, d[0], d[1], d[2]);
	}
	__syncwarp();
	choose(s, lane);
	store_deltas(s, lane, a.out_d + row * SB_NEIGHBOURS * 3);
	for (int c = lane; c < vectors; c += kWarp)
		sample_chosen(s, c, (const vec *)a.map + t * a.h * a.w * vectors, x, y, (int)a.w * vectors, vectors,
		        (vec *)a.out_f + row * SB_NEIGHBOURS * ld, ld);
}

template <typename vec>
static __global__ void __launch_bounds__(kRowWarps *kWarp)
        query_neighbours(const struct sb_neighbours_args a, int vectors, int64_t ld)
{
	__shared__ struct candidates all[kRowWarps];
	int64_t row = (int64_t)blockIdx.x * kRowWarps + threadIdx.x / kWarp;
	int lane = threadIdx.x % kWarp;
	struct candidates &s = all[threadIdx.x / kWarp];
	const float *points = a.points + row * kPatch * 3, *centre = points + 3 * kCentre;
	const vec *patch = (const vec *)a.patches + row * kPatch * vectors;
	vec *out = (vec *)a.out_f + row * SB_NEIGHBOURS * ld;

	if (row >= a.n)
		return;
	for (int k = lane; k < kPatch; k += kWarp)
		keep_candidate(
		        s, k, points[3 * k] - centre[0], points[3 * k + 1] - centre[1], points[3 * k + 2] - centre[2]);
	__syncwarp();
	choose(s, lane);
	store_deltas(s, lane, a.out_d + row * SB_NEIGHBOURS * 3);
	for (int c = lane; c < vectors; c += kWarp)
#pragma unroll 4
		for (int i = 0; i < SB_NEIGHBOURS; i++)
			out[i * ld + c] = __ldg(patch + s.chosen[i] * vectors + c);
}

int sb_neighbours_cuda(const struct sb_neighbours_args *a, struct sb_cuda_launch *l)
{
	const float *features = a->points ? a->patches : a->map;
	bool all_wide = wide(features, a->c) && wide(a->out_f, a->ldf);
	unsigned grid = blocks_for(a->n * (a->points ? 1 : a->frames), kRowWarps);
	int vectors = (int)(all_wide ? a->c / 4 : a->c);
	int64_t ld = all_wide ? a->ldf / 4 : a->ldf;

	if (grid == 0)
		return 0;
	if (a->points && all_wide)
		query_neighbours<float4><<<grid, kRowWarps * kWarp, 0, stream_of(l)>>>(*a, vectors, ld);
	else if (a->points)
		query_neighbours<float><<<grid, kRowWarps * kWarp, 0, stream_of(l)>>>(*a, vectors, ld);
	else if (all_wide)
		track_neighbours<float4><<<grid, kRowWarps * kWarp, 0, stream_of(l)>>>(*a, vectors, ld);
	else
		track_neighbours<float><<<grid, kRowWarps * kWarp, 0, stream_of(l)>>>(*a, vectors, ld);
	return launched(l, a->points ? "neighbours_query" : "neighbours_track");
}
