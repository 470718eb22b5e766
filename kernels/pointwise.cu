/*
 * pointwise on CUDA: all bound by memory, so a thread moves 16 bytes wherever the addresses allow it and whole blocks
 * touch whole lines. Indices are 32 bits: a division of 64 bits costs more than the bytes it finds. Nothing is summed.
 */
#include "cuda_elements.cuh"

extern "C" {
#include "pointwise_cuda.h"
}

static __device__ __forceinline__ uint32_t thread_index(void)
{
	return blockIdx.x * blockDim.x + threadIdx.x;
}

template <int width> struct vector_of;
template <> struct vector_of<1> {
	typedef float type;
};
template <> struct vector_of<2> {
	typedef float2 type;
};
template <> struct vector_of<4> {
	typedef float4 type;
};

/* ---- fill, scale, channel affine --------------------------------------------------------------------------------- */

/* The four elements from i on that lie below n, as one access where there are four. */
static __device__ __forceinline__ float4 load_up_to4(const float *x, int64_t i, int64_t n)
{
	if (i + 4 <= n)
		return *reinterpret_cast<const float4 *>(x + i);
	return make_float4(x[i], i + 1 < n ? x[i + 1] : 0.0f, i + 2 < n ? x[i + 2] : 0.0f, 0.0f);
}

static __device__ __forceinline__ void store_up_to4(float *y, int64_t i, int64_t n, float4 v)
{
	if (i + 4 <= n) {
		*reinterpret_cast<float4 *>(y + i) = v;
		return;
	}
	y[i] = v.x;
	if (i + 1 < n)
		y[i + 1] = v.y;
	if (i + 2 < n)
		y[i + 2] = v.z;
}

static __global__ void __launch_bounds__(kThreads) fill_wide(float *x, int64_t n, float value)
{
	int64_t i = 4 * (int64_t)thread_index();

	if (i < n)
		store_up_to4(x, i, n, splat(value));
}

static __global__ void __launch_bounds__(kThreads) fill_any(float *x, int64_t n, float value)
{
	int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x;

	if (i < n)
		x[i] = value;
}

int sb_fill_cuda(const struct sb_fill_args *a, struct sb_cuda_launch *l)
{
	if (a->n == 0)
		return 0;
	if (wide(a->x, 0))
		fill_wide<<<blocks_for(a->n, 4 * kThreads), kThreads, 0, stream_of(l)>>>(a->x, a->n, a->value);
	else
		fill_any<<<blocks_for(a->n, kThreads), kThreads, 0, stream_of(l)>>>(a->x, a->n, a->value);
	return launched(l, "fill");
}

/* x * factor, rounded once as it is on the CPU: offset is added by channel_affine alone. */
static __global__ void __launch_bounds__(kThreads) scale_wide(const float *x, float *y, int64_t n, float factor)
{
	int64_t i = 4 * (int64_t)thread_index();
	float4 v;

	if (i >= n)
		return;
	v = load_up_to4(x, i, n);
	store_up_to4(y, i, n, make_float4(v.x * factor, v.y * factor, v.z * factor, v.w * factor));
}

static __global__ void __launch_bounds__(kThreads) scale_any(const float *x, float *y, int64_t n, float factor)
{
	int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x;

	if (i < n)
		y[i] = x[i] * factor;
}

int sb_scale_cuda(const struct sb_scale_args *a, struct sb_cuda_launch *l)
{
	if (a->n == 0)
		return 0;
	if (wide(a->x, 0) && wide(a->y, 0))
		scale_wide<<<blocks_for(a->n, 4 * kThreads), kThreads, 0, stream_of(l)>>>(a->x, a->y, a->n, a->factor);
	else
		scale_any<<<blocks_for(a->n, kThreads), kThreads, 0, stream_of(l)>>>(a->x, a->y, a->n, a->factor);
	return launched(l, "scale");
}

static __device__ __forceinline__ float channel(const float c[3], uint32_t i)
{
	return i == 0 ? c[0] : i == 1 ? c[1] : c[2];
}

static __device__ __forceinline__ float affine(const struct sb_channel_affine_args &a, float x, uint32_t c)
{
	return fmaf(x, channel(a.scale, c), channel(a.offset, c));
}

/* Element 4 v + j has channel (v + j) % 3. */
static __global__ void __launch_bounds__(kThreads) channel_affine_wide(const struct sb_channel_affine_args a, int64_t n)
{
	uint32_t v = thread_index(), c = v % 3, c1 = c == 2 ? 0 : c + 1, c2 = c1 == 2 ? 0 : c1 + 1;
	int64_t i = 4 * (int64_t)v;
	float4 x;

	if (i >= n)
		return;
	x = load_up_to4(a.x, i, n);
	store_up_to4(
	        a.y, i, n, make_float4(affine(a, x.x, c), affine(a, x.y, c1), affine(a, x.z, c2), affine(a, x.w, c)));
}

static __global__ void __launch_bounds__(kThreads) channel_affine_any(const struct sb_channel_affine_args a, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x;

	if (i < n)
		a.y[i] = affine(a, a.x[i], (uint32_t)(i % 3));
}

int sb_channel_affine_cuda(const struct sb_channel_affine_args *a, struct sb_cuda_launch *l)
{
	int64_t n = a->n * 3;

	if (n == 0)
		return 0;
	if (wide(a->x, 0) && wide(a->y, 0))
		channel_affine_wide<<<blocks_for(n, 4 * kThreads), kThreads, 0, stream_of(l)>>>(*a, n);
	else
		channel_affine_any<<<blocks_for(n, kThreads), kThreads, 0, stream_of(l)>>>(*a, n);
	return launched(l, "channel_affine");
}

/* ---- tokens, copies, positions ----------------------------------------------------------------------------------- */

static __device__ __forceinline__ float sum(float a, float b)
{
	return a + b;
}

static __device__ __forceinline__ float2 sum(float2 a, float2 b)
{
	return make_float2(a.x + b.x, a.y + b.y);
}

static __device__ __forceinline__ float4 sum(float4 a, float4 b)
{
	return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

/* A block an output row of `vectors` vectors; the frame's rows that are written are `written`. */
template <int width>
static __global__ void __launch_bounds__(kThreads)
        tokens_rows(const struct sb_tokens_args a, uint32_t written, uint32_t vectors)
{
	typedef typename vector_of<width>::type vec;
	uint32_t t = blockIdx.x / written, row = blockIdx.x % written;
	int64_t rows = a.special + a.patches, p = (int64_t)row - a.special;
	const vec *specials = (const vec *)(a.specials + ((t ? 1 : 0) * a.special + row) * a.dim);
	const vec *x = (const vec *)(a.x + (t * a.patches + p) * a.dim), *pos = (const vec *)(a.pos + p * a.dim);
	vec *out = (vec *)(a.out + (t * rows + row) * a.dim);

	for (uint32_t i = threadIdx.x; i < vectors; i += kThreads)
		out[i] = p < 0 ? specials[i] : a.pos ? sum(x[i], pos[i]) : x[i];
}

int sb_tokens_cuda(const struct sb_tokens_args *a, struct sb_cuda_launch *l)
{
	uint32_t written = (uint32_t)(a->special + (a->x ? a->patches : 0)), blocks = (uint32_t)a->frames * written;

	if (blocks == 0 || a->dim == 0)
		return 0;
	if (wide(a->x, a->dim) && wide(a->pos, 0) && wide(a->specials, 0) && wide(a->out, 0))
		tokens_rows<4><<<blocks, kThreads, 0, stream_of(l)>>>(*a, written, (uint32_t)(a->dim / 4));
	else
		tokens_rows<1><<<blocks, kThreads, 0, stream_of(l)>>>(*a, written, (uint32_t)a->dim);
	return launched(l, "tokens");
}

/* Element `v` of all, rows of `vectors`. */
template <int width>
static __global__ void __launch_bounds__(kThreads)
        copy_rows(const struct sb_copy2d_args a, struct divider vectors, uint32_t count)
{
	typedef typename vector_of<width>::type vec;
	uint32_t v = thread_index(), r = quotient(v, vectors), c = remainder(v, r, vectors);

	if (v < count)
		((vec *)(a.dst + r * a.ld_dst))[c] = ((const vec *)(a.src + r * a.ld_src))[c];
}

/* Whether rows from p on, `stride` floats apart, can be read `width` floats at a time. */
static bool fits(const float *p, int64_t stride, int width)
{
	return (uintptr_t)p % ((size_t)width * sizeof(float)) == 0 && stride % width == 0;
}

static int copy_width(const struct sb_copy2d_args *a)
{
	int width = 4;

	while (width > 1 && !(a->cols % width == 0 && fits(a->src, a->ld_src, width) && fits(a->dst, a->ld_dst, width)))
		width /= 2;
	return width;
}

/* Rows first .. first + rows of a, so few that 32 bits count their elements. */
static int copy_part(struct sb_copy2d_args a, int64_t first, int64_t rows, struct sb_cuda_launch *l)
{
	int width = copy_width(&a);
	struct divider vectors = divider_of(a.cols / width);
	uint32_t count = (uint32_t)(rows * vectors.by);
	unsigned grid = blocks_for(count, kThreads);

	a.src += first * a.ld_src;
	a.dst += first * a.ld_dst;
	if (width == 4)
		copy_rows<4><<<grid, kThreads, 0, stream_of(l)>>>(a, vectors, count);
	else if (width == 2)
		copy_rows<2><<<grid, kThreads, 0, stream_of(l)>>>(a, vectors, count);
	else
		copy_rows<1><<<grid, kThreads, 0, stream_of(l)>>>(a, vectors, count);
	return launched(l, "copy2d");
}

/* Rows of `cols` elements that one launch takes: what a divider takes counts them, and the last block's threads. */
static int64_t rows_of_a_launch(int64_t cols)
{
	int64_t rows = (((int64_t)1 << 31) - kThreads) / cols;

	return rows < 1 ? 1 : rows;
}

static int64_t fewer(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int sb_copy2d_cuda(const struct sb_copy2d_args *a, struct sb_cuda_launch *l)
{
	int status = 0;

	for (int64_t r = 0, most; !status && a->cols > 0 && r < a->rows; r += most) {
		most = rows_of_a_launch(a->cols);
		status = copy_part(*a, r, fewer(a->rows - r, most), l);
	}
	return status;
}

/* Element `v` of those from row `first` on. y may be a: a thread reads what it writes. */
template <int width>
static __global__ void __launch_bounds__(kThreads) add_rows(
        const struct sb_add_args a, int64_t first, struct divider vectors, struct divider b_rows, uint32_t count)
{
	typedef typename vector_of<width>::type vec;
	uint32_t v = thread_index(), row = quotient(v, vectors), c = remainder(v, row, vectors);
	int64_t r = first + row, b_row = a.b_rows ? remainder((uint32_t)r, quotient((uint32_t)r, b_rows), b_rows) : r;

	if (v < count)
		((vec *)(a.y + r * a.ldy))[c] =
		        sum(((const vec *)(a.a + r * a.lda))[c], ((const vec *)(a.b + b_row * a.ldb))[c]);
}

static int add_width(const struct sb_add_args *a)
{
	int width = 4;

	while (width > 1 && !(a->cols % width == 0 && fits(a->a, a->lda, width) && fits(a->b, a->ldb, width) &&
	                            fits(a->y, a->ldy, width)))
		width /= 2;
	return width;
}

static int add_part(const struct sb_add_args *a, int64_t first, int64_t rows, struct sb_cuda_launch *l)
{
	int width = add_width(a);
	struct divider vectors = divider_of(a->cols / width), b_rows = divider_of(a->b_rows);
	uint32_t count = (uint32_t)(rows * vectors.by);
	unsigned grid = blocks_for(count, kThreads);

	if (width == 4)
		add_rows<4><<<grid, kThreads, 0, stream_of(l)>>>(*a, first, vectors, b_rows, count);
	else if (width == 2)
		add_rows<2><<<grid, kThreads, 0, stream_of(l)>>>(*a, first, vectors, b_rows, count);
	else
		add_rows<1><<<grid, kThreads, 0, stream_of(l)>>>(*a, first, vectors, b_rows, count);
	return launched(l, "add");
}

int sb_add_cuda(const struct sb_add_args *a, struct sb_cuda_launch *l)
{
	int status = 0;

	for (int64_t r = 0, most; !status && a->cols > 0 && r < a->rows; r += most) {
		most = rows_of_a_launch(a->cols);
		status = add_part(a, r, fewer(a->rows - r, most), l);
	}
	return status;
}

/* A block an image row and a stretch of it; `vectors` of a pixel, half of them from u. */
template <int width>
static __global__ void __launch_bounds__(kThreads)
        add_position_rows(const struct sb_add_position_args a, struct divider vectors)
{
	typedef typename vector_of<width>::type vec;
	uint32_t i = blockIdx.y * kThreads + threadIdx.x, col = quotient(i, vectors);
	uint32_t k = remainder(i, col, vectors), half = vectors.by / 2;
	uint32_t y = blockIdx.x % (uint32_t)a.h;
	vec *x = (vec *)(a.x + blockIdx.x * a.w * a.c) + i;

	if (col < a.w)
		*x = sum(*x, k < half ? ((const vec *)a.u)[col * half + k] : ((const vec *)a.v)[y * half + k - half]);
}

int sb_add_position_cuda(const struct sb_add_position_args *a, struct sb_cuda_launch *l)
{
	bool all_wide = wide(a->x, a->c / 2) && wide(a->u, 0) && wide(a->v, 0);
	int64_t vectors = all_wide ? a->c / 4 : a->c;
	dim3 grid((unsigned)(a->n * a->h), blocks_for(a->w * vectors, kThreads));

	if (grid.x == 0 || grid.y == 0)
		return 0;
	if (all_wide)
		add_position_rows<4><<<grid, kThreads, 0, stream_of(l)>>>(*a, divider_of(vectors));
	else
		add_position_rows<1><<<grid, kThreads, 0, stream_of(l)>>>(*a, divider_of(vectors));
	return launched(l, "add_position");
}

/* ---- depth ------------------------------------------------------------------------------------------------------- */

static __device__ __forceinline__ float sigmoid(float v)
{
	return 1.0f / (1.0f + expf(-v));
}

/* Two pixels a thread. */
static __global__ void __launch_bounds__(kThreads) depth_out_wide(const struct sb_depth_out_args a)
{
	int64_t i = 2 * (int64_t)thread_index();
	float4 x;

	if (i + 1 < a.n) {
		x = *reinterpret_cast<const float4 *>(a.x + 2 * i);
		*reinterpret_cast<float2 *>(a.depth + i) = make_float2(expf(x.x), expf(x.z));
		*reinterpret_cast<float2 *>(a.conf + i) = make_float2(sigmoid(x.y), sigmoid(x.w));
	} else if (i < a.n) {
		a.depth[i] = expf(a.x[2 * i]);
		a.conf[i] = sigmoid(a.x[2 * i + 1]);
	}
}

static __global__ void __launch_bounds__(kThreads) depth_out_any(const struct sb_depth_out_args a)
{
	int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x;

	if (i < a.n) {
		a.depth[i] = expf(a.x[2 * i]);
		a.conf[i] = sigmoid(a.x[2 * i + 1]);
	}
}

int sb_depth_out_cuda(const struct sb_depth_out_args *a, struct sb_cuda_launch *l)
{
	if (a->n == 0)
		return 0;
	if (wide(a->x, 0) && wide(a->depth, 0) && wide(a->conf, 0))
		depth_out_wide<<<blocks_for(a->n, 2 * kThreads), kThreads, 0, stream_of(l)>>>(*a);
	else
		depth_out_any<<<blocks_for(a->n, kThreads), kThreads, 0, stream_of(l)>>>(*a);
	return launched(l, "depth_out");
}

/* ---- cameras ----------------------------------------------------------------------------------------------------- */

/* The world-to-camera matrix of translation t and quaternion q (x y z w, any norm). */
static __device__ void camera_matrix(const float *t, const float *q, float m[16])
{
	float x = q[0], y = q[1], z = q[2], w = q[3], s = 2.0f / (x * x + y * y + z * z + w * w);

	m[0] = 1.0f - s * (y * y + z * z);
	m[1] = s * (x * y - z * w);
	m[2] = s * (x * z + y * w);
	m[4] = s * (x * y + z * w);
	m[5] = 1.0f - s * (x * x + z * z);
	m[6] = s * (y * z - x * w);
	m[8] = s * (x * z - y * w);
	m[9] = s * (y * z + x * w);
	m[10] = 1.0f - s * (x * x + y * y);
	for (int i = 0; i < 3; i++) {
		m[4 * i + 3] = t[i];
		m[12 + i] = 0.0f;
	}
	m[15] = 1.0f;
}

static __device__ int pivot_row(const double m[4][8], int col)
{
	int best = col;

	for (int r = col + 1; r < 4; r++)
		if (fabs(m[r][col]) > fabs(m[best][col]))
			best = r;
	return best;
}

/* Gauss-Jordan with row pivots. A singular matrix gives infinities or NaN, as plain division does. */
static __device__ void invert(const float a[16], float out[16])
{
	double m[4][8];

	for (int r = 0; r < 4; r++)
		for (int c = 0; c < 8; c++)
			m[r][c] = c < 4 ? (double)a[4 * r + c] : (c - 4 == r ? 1.0 : 0.0);
	for (int col = 0; col < 4; col++) {
		int best = pivot_row(m, col);
		double inv = 1.0 / m[best][col];

		for (int c = 0; c < 8; c++) {
			double v = m[best][c];

			m[best][c] = m[col][c];
			m[col][c] = v * inv;
		}
		for (int r = 0; r < 4; r++) {
			double factor = m[r][col];

			for (int c = 0; r != col && c < 8; c++)
				m[r][c] -= factor * m[col][c];
		}
	}
	for (int i = 0; i < 16; i++)
		out[i] = (float)m[i / 4][4 + i % 4];
}

static __device__ void intrinsics(float fov_h, float fov_w, int64_t height, int64_t width, float k[9])
{
	float cy = (float)height / 2.0f, cx = (float)width / 2.0f;

	for (int i = 0; i < 9; i++)
		k[i] = i == 8 ? 1.0f : 0.0f;
	k[0] = cx / tanf(fov_w / 2.0f);
	k[2] = cx;
	k[4] = cy / tanf(fov_h / 2.0f);
	k[5] = cy;
}

/* A frame a thread: there are never many. */
static __global__ void pose_decode(const struct sb_pose_decode_args a)
{
	int64_t t = thread_index();
	float enc[9];

	if (t >= a.frames)
		return;
	for (int i = 0; i < 9; i++) {
		float v = a.p[9 * t + i];

		enc[i] = i >= 7 && v < 0.0f ? 0.0f : v;
		a.enc[9 * t + i] = enc[i];
	}
	camera_matrix(enc, enc + 3, a.w2c + 16 * t);
	invert(a.w2c + 16 * t, a.c2w + 16 * t);
	intrinsics(enc[7], enc[8], a.height, a.width, a.k + 9 * t);
}

int sb_pose_decode_cuda(const struct sb_pose_decode_args *a, struct sb_cuda_launch *l)
{
	if (a->frames == 0)
		return 0;
	pose_decode<<<blocks_for(a->frames, kWarp), kWarp, 0, stream_of(l)>>>(*a);
	return launched(l, "pose_decode");
}

/*
 * Pixels of a block. Points are put together in shared memory, so that whole lines are written although a pixel is 12
 * bytes.
 */
constexpr int kPixels = 4 * kThreads;

/* What finds a pixel's frame, row and column. */
struct pixel_place {
	struct divider w, h;
};

static __device__ __forceinline__ void unproject_pixel(
        const struct sb_unproject_args &a, const struct pixel_place &p, uint32_t i, float d, float *point)
{
	uint32_t row = quotient(i, p.w), u = remainder(i, row, p.w), frame = quotient(row, p.h),
	         v = remainder(row, frame, p.h);
	const float *k = a.k + frame * 9;

	point[0] = d * (((float)u - k[2]) / k[0]);
	point[1] = d * (((float)v - k[5]) / k[4]);
	point[2] = d;
}

static __global__ void __launch_bounds__(kThreads)
        unproject(const struct sb_unproject_args a, struct pixel_place place, int64_t n, bool wide_out)
{
	__shared__ __align__(16) float points[3 * kPixels];
	int64_t first = (int64_t)blockIdx.x * kPixels;
	int count = (int)(n - first < kPixels ? n - first : kPixels);
	float *out = a.points + 3 * first;

#pragma unroll
	for (int i = threadIdx.x; i < kPixels; i += kThreads)
		if (i < count)
			unproject_pixel(a, place, (uint32_t)(first + i), a.depth[first + i], points + 3 * i);
	__syncthreads();
	if (wide_out && count == kPixels)
		for (int i = threadIdx.x; i < 3 * kPixels / 4; i += kThreads)
			reinterpret_cast<float4 *>(out)[i] = reinterpret_cast<const float4 *>(points)[i];
	else
		for (int i = threadIdx.x; i < 3 * count; i += kThreads)
			out[i] = points[i];
}

int sb_unproject_cuda(const struct sb_unproject_args *a, struct sb_cuda_launch *l)
{
	int64_t n = a->frames * a->h * a->w;

	if (n == 0)
		return 0;
	unproject<<<blocks_for(n, kPixels), kThreads, 0, stream_of(l)>>>(
	        *a, { divider_of(a->w), divider_of(a->h) }, n, wide(a->points, 0));
	return launched(l, "unproject");
}
