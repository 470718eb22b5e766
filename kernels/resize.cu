/*
 * resize on CUDA. Positions are float32, one rounding an operation (resize.h): written with intrinsics that are never
 * contracted. Blocks go by output rows, so what is common to a row is worked out by all its threads alike.
 */
#include "cuda_elements.cuh"

extern "C" {
#include "resize_cuda.h"
}

static __device__ __forceinline__ int clamped(int v, int top)
{
	return v < 0 ? 0 : v > top ? top : v;
}

/* ---- frames, bicubic --------------------------------------------------------------------------------------------- */

constexpr float kCubicA = -0.75f;

/* The four taps of a target row or column: source lines `first` .. first + 3, clamped to the border, and their weights.
 */
struct taps {
	int first;
	float weight[4];
};

static __device__ __forceinline__ float cubic_near(float d)
{
	return ((kCubicA + 2.0f) * d - (kCubicA + 3.0f)) * d * d + 1.0f;
}

static __device__ __forceinline__ float cubic_far(float d)
{
	return ((kCubicA * d - 5.0f * kCubicA) * d + 8.0f * kCubicA) * d - 4.0f * kCubicA;
}

/* Target line i; ratio = source lines / target lines. */
static __device__ __forceinline__ struct taps cubic_taps(int i, float ratio)
{
	float pos = __fsub_rn(__fmul_rn(__fadd_rn((float)i, 0.5f), ratio), 0.5f);
	float base = floorf(pos), t = __fsub_rn(pos, base);
	struct taps taps;

	taps.weight[0] = cubic_far(t + 1.0f);
	taps.weight[1] = cubic_near(t);
	taps.weight[2] = cubic_near(1.0f - t);
	taps.weight[3] = cubic_far(2.0f - t);
	taps.first = (int)base - 1;
	return taps;
}

static __device__ __forceinline__ float across(const uint8_t *line, const int at[4], const float weight[4])
{
	return (float)line[at[0]] * weight[0] + (float)line[at[1]] * weight[1] + (float)line[at[2]] * weight[2] +
	       (float)line[at[3]] * weight[3];
}

/*
 * Output rows of a block. A thread goes down a column of one channel and keeps what it has made of the four source
 * lines: at equal size the next row needs one new one.
 */
constexpr int kRowsOfFrames = 16;

/* Grid: stretches of rows of all frames, stretches of a row's floats. */
static __global__ void __launch_bounds__(kThreads)
        frames_resize(const struct sb_frames_resize_args a, float ratio_y, float ratio_x)
{
	uint32_t groups = (uint32_t)pieces(a.out_h, kRowsOfFrames), frame = blockIdx.x / groups;
	int row = (int)(blockIdx.x % groups) * kRowsOfFrames, end = min(row + kRowsOfFrames, (int)a.out_h);
	int i = blockIdx.y * kThreads + threadIdx.x, length = (int)a.out_w * 3, at[4], first = -1000000;
	const uint8_t *src = a.src + frame * a.h * a.w * 3 + i % 3;
	float *dst = a.dst + ((int64_t)frame * a.out_h + row) * length + i, line[4] = {};
	struct taps tx =
	        cubic_taps(i / 3 + (int)a.crop_x, ratio_x); /* `first`: of what `line` holds; far from any yet */

	if (i >= length)
		return;
#pragma unroll
	for (int k = 0; k < 4; k++)
		at[k] = clamped(tx.first + k, (int)a.w - 1) * 3;
	for (; row < end; row++, dst += length) {
		struct taps ty = cubic_taps(row + (int)a.crop_y, ratio_y);

		if (ty.first == first + 1) {
			line[0] = line[1];
			line[1] = line[2];
			line[2] = line[3];
			line[3] = across(src + (int64_t)clamped(ty.first + 3, (int)a.h - 1) * a.w * 3, at, tx.weight);
		} else if (ty.first != first) {
#pragma unroll
			for (int k = 0; k < 4; k++)
				line[k] = across(
				        src + (int64_t)clamped(ty.first + k, (int)a.h - 1) * a.w * 3, at, tx.weight);
		}
		first = ty.first;
		*dst = line[0] * ty.weight[0] + line[1] * ty.weight[1] + line[2] * ty.weight[2] +
		       line[3] * ty.weight[3];
	}
}

int sb_frames_resize_cuda(const struct sb_frames_resize_args *a, struct sb_cuda_launch *l)
{
	dim3 grid((unsigned)(a->n * pieces(a->out_h, kRowsOfFrames)), blocks_for(a->out_w * 3, kThreads));

	if (grid.x == 0 || grid.y == 0)
		return 0;
	frames_resize<<<grid, kThreads, 0, stream_of(l)>>>(
	        *a, (float)a->h / (float)a->full_h, (float)a->w / (float)a->full_w);
	return launched(l, "frames_resize");
}

/* ---- bilinear, align_corners=True -------------------------------------------------------------------------------- */

/* Between which two source lines a target line lies, and how far from the first. */
struct between {
	int lo, hi;
	float frac;
};

static __device__ __forceinline__ struct between between_lines(int i, int in, float scale)
{
	float pos = __fmul_rn(scale, (float)i);
	int lo = clamped((int)pos, in - 1); /* the product may round up to in, or beyond */

	return { lo, clamped(lo + 1, in - 1), __fsub_rn(pos, (float)lo) };
}

static __device__ __forceinline__ float mixed(float a, float b, float f)
{
	return (1.0f - f) * a + f * b;
}

static __device__ __forceinline__ float4 mixed(float4 a, float4 b, float f)
{
	return make_float4(mixed(a.x, b.x, f), mixed(a.y, b.y, f), mixed(a.z, b.z, f), mixed(a.w, b.w, f));
}

/*
 * Output rows of a block. A thread goes down a column and keeps the two source rows that it has mixed across: when the
 * map grows, the next output row needs at most one new one, and a source row is read from the L2 cache once instead of
 * for every output row.
 */
constexpr int kRowsOfBlock = 8;

/* vec is float or float4, `vectors` of them a pixel. Grid: stretches of rows of all images, stretches of columns. */
template <typename vec>
static __global__ void __launch_bounds__(kThreads)
        resize_bilinear(const struct sb_resize_bilinear_args a, float scale_y, float scale_x, struct divider vectors)
{
	uint32_t groups = (uint32_t)pieces(a.out_h, kRowsOfBlock), image = blockIdx.x / groups;
	int row = (int)(blockIdx.x % groups) * kRowsOfBlock, end = min(row + kRowsOfBlock, (int)a.out_h), upper = -1,
	    lower = -1;
	uint32_t i = blockIdx.y * kThreads + threadIdx.x, col = quotient(i, vectors), k = remainder(i, col, vectors);
	int64_t pitch = a.w * vectors.by, out_pitch = a.out_w * vectors.by;
	const vec *x = (const vec *)a.x + image * a.h * pitch + k;
	vec *y = (vec *)a.y + ((int64_t)image * a.out_h + row) * out_pitch + i, top, low;
	struct between bx = between_lines((int)col, (int)a.w, scale_x);
	uint32_t left = bx.lo * vectors.by, right = bx.hi * vectors.by;

	if (col >= a.out_w)
		return;
	for (; row < end; row++, y += out_pitch) {
		struct between by = between_lines(row, (int)a.h, scale_y);

		if (by.lo != upper)
			top = by.lo == lower ? low : mixed(x[by.lo * pitch + left], x[by.lo * pitch + right], bx.frac);
		if (by.hi != lower)
			low = mixed(x[by.hi * pitch + left], x[by.hi * pitch + right], bx.frac);
		upper = by.lo;
		lower = by.hi;
		*y = mixed(top, low, by.frac);
	}
}

static float corner_scale(int64_t in, int64_t out)
{
	return out > 1 ? (float)(in - 1) / (float)(out - 1) : 0.0f;
}

int sb_resize_bilinear_cuda(const struct sb_resize_bilinear_args *a, struct sb_cuda_launch *l)
{
	bool all_wide = wide(a->x, a->c) && wide(a->y, 0);
	int64_t vectors = all_wide ? a->c / 4 : a->c;
	dim3 grid((unsigned)(a->n * pieces(a->out_h, kRowsOfBlock)), blocks_for(a->out_w * vectors, kThreads));
	float scale_y = corner_scale(a->h, a->out_h), scale_x = corner_scale(a->w, a->out_w);

	if (grid.x == 0 || grid.y == 0)
		return 0;
	if (all_wide)
		resize_bilinear<float4><<<grid, kThreads, 0, stream_of(l)>>>(*a, scale_y, scale_x, divider_of(vectors));
	else
		resize_bilinear<float><<<grid, kThreads, 0, stream_of(l)>>>(*a, scale_y, scale_x, divider_of(vectors));
	return launched(l, "resize_bilinear");
}
