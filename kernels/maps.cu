/*
 * maps on CUDA: norms of feature maps, the resizes without arithmetic and sums of rows: what track.h has of whole maps.
 * Bound by memory. Sums of the instance norm run in double and in an order that the shape alone decides.
 */
#include "cuda_elements.cuh"

extern "C" {
#include "maps_cuda.h"
}

/* ---- instance norm ----------------------------------------------------------------------------------------------- */

/*
 * Three kernels: sums of stretches of each image, the moments of each channel, and the result. The middle one is a few
 * microseconds; without it every block of the last would add up all stretches.
 */
constexpr int kBlocksPerSm = 8; /* of the first kernel: enough loads in flight */
constexpr int kMostStretches = 256;
constexpr int kFewestPixels = 16; /* of a stretch: less is not worth a block's end */

struct channel_sums {
	double sum, squares;
};

/* The normalised value of x is ((x - mean) - rest) * inv_std: mean and rest together are the mean in double. */
struct channel_moments {
	float mean, rest, inv_std, unused;
};

static int64_t stretches_of(const struct sb_instance_norm_args *a, const struct sb_cuda_launch *l)
{
	int64_t wanted = pieces((int64_t)l->sms * kBlocksPerSm, a->n ? a->n : 1),
	        most = pieces(a->pixels, kFewestPixels);

	wanted = wanted < most ? wanted : most;
	wanted = wanted < kMostStretches ? wanted : kMostStretches;
	return wanted < 1 ? 1 : wanted;
}

static size_t sums_bytes(const struct sb_instance_norm_args *a, const struct sb_cuda_launch *l)
{
	return (size_t)(a->n * stretches_of(a, l) * a->c) * sizeof(struct channel_sums);
}

size_t sb_instance_norm_cuda_workspace(const struct sb_instance_norm_args *a, const struct sb_cuda_launch *l)
{
	return sums_bytes(a, l) + (size_t)(a->n * a->c) * sizeof(struct channel_moments);
}

template <int width> struct values {
	float v[width];
};

template <int width> static __device__ __forceinline__ struct values<width> load(const float *p);

template <> __device__ __forceinline__ struct values<1> load<1>(const float *p) {
	return { { *p } };
}

template <>
__device__ __forceinline__ struct values<4> load<4>(const float *p) {
	float4 v = *reinterpret_cast<const float4 *>(p);

	return { { v.x, v.y, v.z, v.w } };
}

template <int width>
static __device__ __forceinline__ void store(float *p, const struct values<width> &v);

template <> __device__ __forceinline__ void store<1>(float *p, const struct values<1> &v)
{
	*p = v.v[0];
}

template <> __device__ __forceinline__ void store<4>(float *p, const struct values<4> &v)
{
	*reinterpret_cast<float4 *>(p) = make_float4(v.v[0], v.v[1], v.v[2], v.v[3]);
}

/* What a block of the first kernel covers: `lanes` threads side by side take `lanes` vectors of a pixel's channels. */
struct stretch {
	int lanes, rows; /* threads along the channels, and pixels at a time */
	int64_t pixels;
};

/*
 * Differences from the image's first pixel: sums of squares of those do not cancel, however far the mean is from 0.
 * Grid: stretch, image, slice of the channels.
 */
template <int width>
static __global__ void __launch_bounds__(kThreads)
        sum_stretches(const struct sb_instance_norm_args a, struct stretch s, struct channel_sums *out)
{
	__shared__ struct channel_sums part[kThreads * width];
	int lane = threadIdx.x % s.lanes, row = threadIdx.x / s.lanes;
	int64_t c = ((int64_t)blockIdx.z * s.lanes + lane) * width, image = blockIdx.y * a.pixels;
	int64_t first = blockIdx.x * s.pixels, end = first + s.pixels < a.pixels ? first + s.pixels : a.pixels;
	double sum[width] = { 0.0 }, squares[width] = { 0.0 };

	if (c < a.c && row < s.rows) {
		struct values<width> origin = load<width>(a.x + image * a.c + c);

#pragma unroll 4
		for (int64_t p = first + row; p < end; p += s.rows) {
			struct values<width> x = load<width>(a.x + (image + p) * a.c + c);

#pragma unroll
			for (int i = 0; i < width; i++) {
				double d = (double)x.v[i] - (double)origin.v[i];

				sum[i] += d;
				squares[i] = fma(d, d, squares[i]);
			}
		}
	}
#pragma unroll
	for (int i = 0; i < width; i++)
		part[threadIdx.x * width + i] = { sum[i], squares[i] };
	__syncthreads();
	for (int i = threadIdx.x; i < s.lanes * width; i += kThreads) {
		struct channel_sums total = { 0.0, 0.0 };
		int64_t channel = (int64_t)blockIdx.z * s.lanes * width + i;

		for (int r = 0; r < s.rows; r++) {
			total.sum += part[r * s.lanes * width + i].sum;
			total.squares += part[r * s.lanes * width + i].squares;
		}
		if (channel < a.c)
			out[((int64_t)blockIdx.y * gridDim.x + blockIdx.x) * a.c + channel] = total;
	}
}

/* A channel of an image a thread. */
static __global__ void __launch_bounds__(kThreads) channel_moments_of(const struct sb_instance_norm_args a,
        int64_t stretches, const struct channel_sums *sums, struct channel_moments *out)
{
	uint32_t i = blockIdx.x * kThreads + threadIdx.x, channels = (uint32_t)a.c;
	double sum = 0.0, squares = 0.0, mean, var, rest;

	if (i >= a.n * a.c)
		return;
	sums += (int64_t)(i / channels) * stretches * a.c + i % channels;
#pragma unroll 8
	for (int64_t s = 0; s < stretches; s++) {
		sum += sums[s * a.c].sum;
		squares += sums[s * a.c].squares;
	}
	rest = sum / (double)a.pixels;
	var = squares / (double)a.pixels - rest * rest;
	mean = (double)a.x[(int64_t)(i / channels) * a.pixels * a.c + i % channels] + rest;
	out[i].mean = (float)mean;
	out[i].rest = (float)(mean - (double)(float)mean);
	out[i].inv_std = (float)(1.0 / sqrt((var < 0.0 ? 0.0 : var) + (double)a.eps));
}

static __device__ __forceinline__ float relu(float v)
{
	return v < 0.0f ? 0.0f : v; /* NaN stays */
}

static __device__ __forceinline__ float finished(
        const struct sb_instance_norm_args &a, const struct channel_moments &m, float x)
{
	float v = ((x - m.mean) - m.rest) * m.inv_std;

	return a.relu ? relu(v) : v;
}

/* Pixels that a thread reads before it writes the first: the compiler cannot know that they are others. */
constexpr int kPixelsAhead = 4;

/*
 * The stretches of the first kernel, last ones first: what it read last is still in the L2 cache. A thread keeps its
 * channels' moments and goes down the pixels. y may be x or residual: a thread reads what it writes.
 */
template <int width>
static __global__ void __launch_bounds__(kThreads)
        normalise(const struct sb_instance_norm_args a, struct stretch s, const struct channel_moments *moments)
{
	int lane = threadIdx.x % s.lanes, row = threadIdx.x / s.lanes;
	int64_t c = ((int64_t)blockIdx.z * s.lanes + lane) * width, image = gridDim.y - 1 - blockIdx.y;
	int64_t first = (gridDim.x - 1 - blockIdx.x) * s.pixels, end = min(first + s.pixels, a.pixels);
	struct channel_moments m[width];

	if (c >= a.c || row >= s.rows)
		return;
#pragma unroll
	for (int k = 0; k < width; k++)
		m[k] = moments[image * a.c + c + k];
	for (int64_t p = first + row; p < end; p += kPixelsAhead * s.rows) {
		struct values<width> x[kPixelsAhead], residual[kPixelsAhead];
		int64_t at = (image * a.pixels + p) * a.c + c, step = s.rows * a.c;
		int count = (int)min((end - p + s.rows - 1) / s.rows, (int64_t)kPixelsAhead);

#pragma unroll
		for (int i = 0; i < kPixelsAhead; i++)
			if (i < count) {
				x[i] = load<width>(a.x + at + i * step);
				if (a.residual)
					residual[i] = load<width>(a.residual + at + i * step);
			}
#pragma unroll
		for (int i = 0; i < kPixelsAhead; i++)
			if (i < count) {
#pragma unroll
				for (int k = 0; k < width; k++) {
					float v = finished(a, m[k], x[i].v[k]);

					x[i].v[k] = a.residual ? relu(residual[i].v[k] + v) : v;
				}
				store<width>(a.y + at + i * step, x[i]);
			}
	}
}

template <int width> static int instance_norm_as(const struct sb_instance_norm_args *a, struct sb_cuda_launch *l)
{
	int64_t vectors = a->c / width, stretches = stretches_of(a, l);
	struct channel_sums *sums = (struct channel_sums *)l->work;
	struct channel_moments *moments = (struct channel_moments *)((char *)l->work + sums_bytes(a, l));
	struct stretch s = { (int)(vectors < kThreads ? vectors : kThreads), 0, pieces(a->pixels, stretches) };
	dim3 grid((unsigned)stretches, (unsigned)a->n, blocks_for(vectors, s.lanes));
	int status;

	s.rows = kThreads / s.lanes;
	sum_stretches<width><<<grid, kThreads, 0, stream_of(l)>>>(*a, s, sums);
	status = launched(l, "instance_norm");
	if (status)
		return status;
	channel_moments_of<<<blocks_for(a->n * a->c, kThreads), kThreads, 0, stream_of(l)>>>(
	        *a, stretches, sums, moments);
	status = launched(l, "instance_norm");
	if (status)
		return status;
	normalise<width><<<grid, kThreads, 0, stream_of(l)>>>(*a, s, moments);
	return launched(l, "instance_norm");
}

int sb_instance_norm_cuda(const struct sb_instance_norm_args *a, struct sb_cuda_launch *l)
{
	bool all_wide = wide(a->x, a->c) && wide(a->y, 0) && wide(a->residual, 0);

	if (a->n == 0 || a->pixels == 0 || a->c == 0)
		return 0;
	return all_wide ? instance_norm_as<4>(a, l) : instance_norm_as<1>(a, l);
}

/* ---- l2 norm ----------------------------------------------------------------------------------------------------- */

static __device__ __forceinline__ float inverse_length(float squares)
{
	return 1.0f / sqrtf(squares < 1e-12f ? 1e-12f : squares); /* NaN stays */
}

/* A warp a row of 128. */
static __global__ void __launch_bounds__(kThreads) l2_normalize_128(const struct sb_l2_normalize_args a)
{
	int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x;
	float4 v;
	float f;

	if (i / kWarp >= a.rows)
		return;
	v = reinterpret_cast<const float4 *>(a.x)[i];
	f = inverse_length(sum_lanes<kWarp>((v.x * v.x + v.y * v.y) + (v.z * v.z + v.w * v.w)));
	reinterpret_cast<float4 *>(a.y)[i] = make_float4(v.x * f, v.y * f, v.z * f, v.w * f);
}

static __global__ void __launch_bounds__(kThreads) l2_normalize_any(const struct sb_l2_normalize_args a)
{
	int64_t r = ((int64_t)blockIdx.x * kThreads + threadIdx.x) / kWarp;
	const float *x = a.x + r * a.c;
	float sum = 0.0f;

	if (r >= a.rows)
		return;
	for (int64_t c = threadIdx.x % kWarp; c < a.c; c += kWarp)
		sum = fmaf(x[c], x[c], sum);
	sum = inverse_length(sum_lanes<kWarp>(sum));
	for (int64_t c = threadIdx.x % kWarp; c < a.c; c += kWarp)
		a.y[r * a.c + c] = x[c] * sum;
}

int sb_l2_normalize_cuda(const struct sb_l2_normalize_args *a, struct sb_cuda_launch *l)
{
	unsigned grid = blocks_for(a->rows * kWarp, kThreads);

	if (grid == 0 || a->c == 0)
		return 0;
	if (a->c == 4 * kWarp && wide(a->x, 0) && wide(a->y, 0))
		l2_normalize_128<<<grid, kThreads, 0, stream_of(l)>>>(*a);
	else
		l2_normalize_any<<<grid, kThreads, 0, stream_of(l)>>>(*a);
	return launched(l, "l2_normalize");
}

/* ---- resizes ----------------------------------------------------------------------------------------------------- */

static __device__ __forceinline__ int nearest(int i, int in, float ratio)
{
	int at = (int)floorf(__fmul_rn((float)i, ratio));

	return at < in - 1 ? at : in - 1;
}

static __device__ __forceinline__ float clamped(float v, float lo, float hi)
{
	v = v < lo ? lo : v;
	return v > hi ? hi : v;
}

/* A block an output row and a stretch of its vectors: `width` floats of a row are gathered one by one and written as
 * one. */
template <int width>
static __global__ void __launch_bounds__(kThreads)
        resize_nearest(const struct sb_resize_nearest_args a, float ratio_y, float ratio_x, struct divider channels)
{
	uint32_t image = blockIdx.x / (uint32_t)a.out_h, row = blockIdx.x % (uint32_t)a.out_h,
	         line = (uint32_t)(a.out_w * a.c);
	uint32_t first = (blockIdx.y * kThreads + threadIdx.x) * width;
	const float *x = a.x + (image * a.h + nearest((int)row, (int)a.h, ratio_y)) * a.w * a.c;
	struct values<width> v;

	if (first >= line)
		return;
#pragma unroll
	for (int k = 0; k < width; k++) {
		uint32_t col = quotient(first + k, channels), c = remainder(first + k, col, channels);

		v.v[k] = x[(uint32_t)nearest((int)col, (int)a.w, ratio_x) * channels.by + c];
		if (a.lo < a.hi)
			v.v[k] = clamped(v.v[k], a.lo, a.hi);
	}
	store<width>(a.y + (int64_t)blockIdx.x * line + first, v);
}

int sb_resize_nearest_cuda(const struct sb_resize_nearest_args *a, struct sb_cuda_launch *l)
{
	float ratio_y = (float)a->h / (float)a->out_h, ratio_x = (float)a->w / (float)a->out_w;
	int width = wide(a->y, a->out_w * a->c) ? 4 : 1;
	dim3 grid((unsigned)(a->n * a->out_h), blocks_for(a->out_w * a->c, width * kThreads));

	if (grid.x == 0 || grid.y == 0)
		return 0;
	if (width == 4)
		resize_nearest<4><<<grid, kThreads, 0, stream_of(l)>>>(*a, ratio_y, ratio_x, divider_of(a->c));
	else
		resize_nearest<1><<<grid, kThreads, 0, stream_of(l)>>>(*a, ratio_y, ratio_x, divider_of(a->c));
	return launched(l, "resize_nearest");
}

static __device__ __forceinline__ float mean4(float ul, float ur, float ll, float lr)
{
	return ((ul + ur) + (ll + lr)) * 0.25f;
}

/* A block an output row and a stretch of its vectors. */
template <int width>
static __global__ void __launch_bounds__(kThreads) avg_pool2(const struct sb_avg_pool2_args a, struct divider vectors)
{
	uint32_t h = (uint32_t)(a.h / 2), w = (uint32_t)(a.w / 2), image = blockIdx.x / h, row = blockIdx.x % h;
	uint32_t i = blockIdx.y * kThreads + threadIdx.x, col = quotient(i, vectors), k = remainder(i, col, vectors);
	const float *upper = a.x + ((image * a.h + 2 * row) * a.w + 2 * col) * a.c + k * width,
	            *lower = upper + a.w * a.c;
	struct values<width> ul, ur, ll, lr;

	if (col >= w)
		return;
	ul = load<width>(upper);
	ur = load<width>(upper + a.c);
	ll = load<width>(lower);
	lr = load<width>(lower + a.c);
#pragma unroll
	for (int c = 0; c < width; c++)
		ul.v[c] = mean4(ul.v[c], ur.v[c], ll.v[c], lr.v[c]);
	store<width>(a.y + ((int64_t)blockIdx.x * w * vectors.by + i) * width, ul);
}

int sb_avg_pool2_cuda(const struct sb_avg_pool2_args *a, struct sb_cuda_launch *l)
{
	bool all_wide = wide(a->x, a->c) && wide(a->y, 0);
	int64_t vectors = all_wide ? a->c / 4 : a->c;
	dim3 grid((unsigned)(a->n * (a->h / 2)), blocks_for(a->w / 2 * vectors, kThreads));

	if (grid.x == 0 || grid.y == 0)
		return 0;
	if (all_wide)
		avg_pool2<4><<<grid, kThreads, 0, stream_of(l)>>>(*a, divider_of(vectors));
	else
		avg_pool2<1><<<grid, kThreads, 0, stream_of(l)>>>(*a, divider_of(vectors));
	return launched(l, "avg_pool2");
}

/* A block an output row and a stretch of its floats: points of three channels are what it is used for. */
static __global__ void __launch_bounds__(kThreads)
        subsample(const struct sb_subsample_args a, uint32_t h, uint32_t w, struct divider channels)
{
	uint32_t image = blockIdx.x / h, row = blockIdx.x % h;
	uint32_t i = blockIdx.y * kThreads + threadIdx.x, col = quotient(i, channels);

	if (col < w)
		a.y[(int64_t)blockIdx.x * w * a.c + i] =
		        a.x[((image * a.h + row * a.step) * a.w + col * a.step) * a.c + remainder(i, col, channels)];
}

int sb_subsample_cuda(const struct sb_subsample_args *a, struct sb_cuda_launch *l)
{
	int64_t h = pieces(a->h, a->step), w = pieces(a->w, a->step);
	dim3 grid((unsigned)(a->n * h), blocks_for(w * a->c, kThreads));

	if (grid.x == 0 || grid.y == 0)
		return 0;
	subsample<<<grid, kThreads, 0, stream_of(l)>>>(*a, (uint32_t)h, (uint32_t)w, divider_of(a->c));
	return launched(l, "subsample");
}
