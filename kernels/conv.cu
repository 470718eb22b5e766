/*
 * Convolutions around a matrix product: windows of the input laid side by side (im2col), and the blocks of a transposed
 * convolution put in their places.
 *
 * v1: a thread an element, four where the channels allow it; the caller keeps the windows of one piece small enough for
 *     the L2 cache, so that they hardly reach memory.
 */
extern "C" {
#include "linear_cuda.h"
}

#include <cuda_runtime.h>

static constexpr int kThreads = 256;
static constexpr int kBlocksPerSm = 8;

struct window {
	const float *x;
	float *dst;
	int64_t first;
	uint32_t h, width, cin, kw, wo, pixels; /* pixels: ho wo */
	uint32_t length; /* of a window, in elements of the kernel's type */
	int stride, pad, relu;
};

static __device__ __forceinline__ float relu_if(float v, int on)
{
	return on && v < 0.0f ? 0.0f : v;
}

static __device__ __forceinline__ float4 relu_if(float4 v, int on)
{
	return make_float4(relu_if(v.x, on), relu_if(v.y, on), relu_if(v.z, on), relu_if(v.w, on));
}

static __device__ __forceinline__ float zero(float)
{
	return 0.0f;
}

static __device__ __forceinline__ float4 zero(float4)
{
	return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
}

/* T: float, or float4 where cin is a multiple of 4; cin counts Ts. n elements of the windows, fewer than 2^31. */
template <typename T> static __global__ void __launch_bounds__(kThreads) im2col(window w, uint32_t n)
{
	const T *x = reinterpret_cast<const T *>(w.x);
	T *dst = reinterpret_cast<T *>(w.dst);

	for (uint32_t i = blockIdx.x * kThreads + threadIdx.x; i < n; i += gridDim.x * kThreads) {
		uint32_t row = i / w.length, e = i - row * w.length;
		uint32_t place = e / w.cin, c = e - place * w.cin, ky = place / w.kw, kx = place - ky * w.kw;
		int64_t p = w.first + row, image = p / w.pixels;
		uint32_t at = (uint32_t)(p - image * w.pixels), oy = at / w.wo, ox = at - oy * w.wo;
		int iy = (int)oy * w.stride - w.pad + (int)ky, ix = (int)ox * w.stride - w.pad + (int)kx;
		T v = zero(T());

		if (iy >= 0 && iy < (int)w.h && ix >= 0 && ix < (int)w.width)
			v = relu_if(x[((image * w.h + iy) * w.width + ix) * w.cin + c], w.relu);
		dst[i] = v;
	}
}

static unsigned grid_of(int64_t items, const sb_cuda_launch *l)
{
	int64_t blocks = (items + kThreads - 1) / kThreads, most = (int64_t)l->sms * kBlocksPerSm;

	return (unsigned)(blocks < most ? blocks : most);
}

extern "C" int sb_im2col_cuda(
        const struct sb_conv_args *a, int64_t first, int64_t rows, float *dst, struct sb_cuda_launch *l)
{
	int64_t ho = (a->h + 2 * a->pad - a->kh) / a->stride + 1, wo = (a->width + 2 * a->pad - a->kw) / a->stride + 1;
	int64_t four = a->cin % 4 == 0 && (uintptr_t)a->x % 16 == 0 && (uintptr_t)dst % 16 == 0 ? 4 : 1;
	int64_t length = a->kh * a->kw * a->cin / four, n = rows * length;
	window w = { a->x, dst, first, (uint32_t)a->h, (uint32_t)a->width, (uint32_t)(a->cin / four), (uint32_t)a->kw,
		(uint32_t)wo, (uint32_t)(ho * wo), (uint32_t)length, a->stride, a->pad, a->relu_in };

	if (n == 0)
		return cudaSuccess;
	if (n > INT32_MAX / 2)
		return cudaErrorInvalidValue;
	if (four == 4)
		im2col<float4><<<grid_of(n, l), kThreads, 0, l->stream>>>(w, (uint32_t)n);
	else
		im2col<float><<<grid_of(n, l), kThreads, 0, l->stream>>>(w, (uint32_t)n);
	l->launches++;
	l->name = "im2col";
	return cudaGetLastError();
}

extern "C" int sb_conv_cuda_fits(const struct sb_conv_args *a)
{
	int64_t ho = (a->h + 2 * a->pad - a->kh) / a->stride + 1, wo = (a->width + 2 * a->pad - a->kw) / a->stride + 1;
	uintptr_t pointers = (uintptr_t)a->x | (uintptr_t)a->w | (uintptr_t)a->y | (uintptr_t)a->bias | (uintptr_t)a->residual |
	                     (uintptr_t)a->residual2;

	return a->cin % 32 == 0 && a->cout % 2 == 0 && a->kh * a->kw <= 28 && a->cout * a->kh * a->kw * a->cin < INT32_MAX && pointers % 16 == 0 && a->h < 16384 && a->width < 16384 && a->pad < 64 &&
	       a->n * a->h * a->width * a->cin < INT32_MAX && a->n * ho * wo < INT32_MAX - 128;
}

struct blocks {
	const float *src, *bias;
	float *y;
	int64_t first;
	uint32_t h, width, cout, k;
};

static __global__ void __launch_bounds__(kThreads) blocks_out(blocks b, uint32_t n)
{
	uint32_t block = b.k * b.k * b.cout, pixels = b.h * b.width;

	for (uint32_t i = blockIdx.x * kThreads + threadIdx.x; i < n; i += gridDim.x * kThreads) {
		uint32_t row = i / block, e = i - row * block;
		uint32_t place = e / b.cout, o = e - place * b.cout, ky = place / b.k, kx = place - ky * b.k;
		int64_t p = b.first + row, image = p / pixels;
		uint32_t at = (uint32_t)(p - image * pixels), py = at / b.width, px = at - py * b.width;
		int64_t y = (image * b.h + py) * b.k + ky, x = (int64_t)px * b.k + kx;

		b.y[(y * b.width * b.k + x) * b.cout + o] = b.src[i] + (b.bias ? b.bias[o] : 0.0f);
	}
}

extern "C" int sb_blocks_out_cuda(const struct sb_conv_transpose_args *a, int64_t first, int64_t rows, const float *src,
        struct sb_cuda_launch *l)
{
	int64_t n = rows * a->k * a->k * a->cout;
	blocks b = { src, a->bias, a->y, first, (uint32_t)a->h, (uint32_t)a->width, (uint32_t)a->cout, (uint32_t)a->k };

	if (n == 0)
		return cudaSuccess;
	if (n > INT32_MAX / 2)
		return cudaErrorInvalidValue;
	blocks_out<<<grid_of(n, l), kThreads, 0, l->stream>>>(b, (uint32_t)n);
	l->launches++;
	l->name = "blocks_out";
	return cudaGetLastError();
}
