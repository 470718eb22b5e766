/*
 * track on CUDA: the small operations on the tracker's state. A few hundred thousand floats each, so most last as long
 * as a launch does; repeat and group_mean move hundreds of megabytes and are bound by memory. Precision as on the CPU:
 * what positional codes magnify is computed in double and rounded once.
 */
#include "track_cuda.h"

#include "track_device.cuh"

/* ---- rows ------------------------------------------------------------------------------------------------------- */

/* Threads (x: columns, y: rows) of a block for rows of `cols` elements, and the blocks for all rows. */
struct row_grid {
	dim3 threads, blocks;
};

static struct row_grid row_grid_of(int64_t rows, int64_t cols)
{
	unsigned x = 1;

	while (x < kThreads && x < cols)
		x *= 2;
	return { dim3(x, kThreads / x), dim3((unsigned)pieces(rows, kThreads / x)) };
}

static __device__ __forceinline__ int64_t row_of_thread(void)
{
	return (int64_t)blockIdx.x * blockDim.y + threadIdx.y;
}

static __device__ __forceinline__ int64_t flat_thread(void)
{
	return (int64_t)blockIdx.x * kThreads + threadIdx.x;
}

static __global__ void __launch_bounds__(kThreads) motion(const struct sb_motion_args a)
{
	int64_t i = flat_thread(), row = i / a.d, c = i - row * a.d, t = row % a.frames;
	double here, scale;
	float *y;

	if (i >= a.n * a.frames * a.d)
		return;
	here = a.v[i];
	scale = c == 0 ? a.inv_scale[0] : c == 1 ? a.inv_scale[1] : a.inv_scale[2];
	y = a.y + row * 2 * a.d + c;
	y[0] = t + 1 < a.frames ? (float)((here - a.v[i + a.d]) * scale) : 0.0f;
	y[a.d] = t > 0 ? (float)((here - a.v[i - a.d]) * scale) : 0.0f;
}

int sb_motion_cuda(const struct sb_motion_args *a, struct sb_cuda_launch *l)
{
	int64_t total = a->n * a->frames * a->d;

	if (a->d > 3)
		return cudaErrorInvalidValue;
	if (total == 0)
		return 0;
	motion<<<blocks_for(total, kThreads), kThreads, 0, stream_of(l)>>>(*a);
	return launched(l, "motion");
}

static __device__ __forceinline__ float add_to(float a, float b)
{
	return __fadd_rn(a, b);
}

static __device__ __forceinline__ float4 add_to(float4 a, float4 b)
{
	return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

static __device__ __forceinline__ float over(float v, float n)
{
	return __fdiv_rn(v, n);
}

static __device__ __forceinline__ float4 over(float4 v, float n)
{
	return make_float4(over(v.x, n), over(v.y, n), over(v.z, n), over(v.w, n));
}

/* V: float or float4; c and ldy count those. Added in order: eight loads are under way before the first is used. */
template <typename V>
static __global__ void __launch_bounds__(kThreads)
        group_mean(const V *x, V *y, int64_t rows, int64_t group, int64_t c, int64_t ldy)
{
	int64_t row = row_of_thread();

	if (row >= rows)
		return;
	for (int64_t i = threadIdx.x; i < c; i += blockDim.x) {
		const V *from = x + row * group * c + i;
		V sum = from[0];

#pragma unroll 8
		for (int64_t g = 1; g < group; g++)
			sum = add_to(sum, from[g * c]);
		y[row * ldy + i] = over(sum, (float)group);
	}
}

int sb_group_mean_cuda(const struct sb_group_mean_args *a, struct sb_cuda_launch *l)
{
	bool four = wide(a->x, a->c) && wide(a->y, a->ldy);
	int64_t c = four ? a->c / 4 : a->c;
	struct row_grid g = row_grid_of(a->rows, c);

	if (a->rows == 0 || a->c == 0)
		return 0;
	if (four)
		group_mean<<<g.blocks, g.threads, 0, stream_of(l)>>>(
		        (const float4 *)a->x, (float4 *)a->y, a->rows, a->group, c, a->ldy / 4);
	else
		group_mean<<<g.blocks, g.threads, 0, stream_of(l)>>>(a->x, a->y, a->rows, a->group, c, a->ldy);
	return launched(l, "group_mean");
}

/* A thread reads once and writes `times`. */
template <typename V>
static __global__ void __launch_bounds__(kThreads) repeat(const V *x, V *y, int64_t n, int64_t times, int64_t len)
{
	int64_t row = row_of_thread();

	if (row >= n)
		return;
	for (int64_t i = threadIdx.x + (int64_t)blockIdx.y * blockDim.x; i < len;
	        i += (int64_t)gridDim.y * blockDim.x) {
		V v = x[row * len + i], *to = y + row * times * len + i;

		for (int64_t k = 0; k < times; k++)
			to[k * len] = v;
	}
}

int sb_repeat_cuda(const struct sb_repeat_args *a, struct sb_cuda_launch *l)
{
	bool four = wide(a->x, a->len) && wide(a->y, a->len);
	int64_t len = four ? a->len / 4 : a->len;
	struct row_grid g = row_grid_of(a->n, len);

	if (a->n == 0 || a->times == 0 || len == 0)
		return 0;
	g.blocks.y = (unsigned)min(pieces(len, kThreads), (int64_t)65535);
	if (four)
		repeat<<<g.blocks, g.threads, 0, stream_of(l)>>>(
		        (const float4 *)a->x, (float4 *)a->y, a->n, a->times, len);
	else
		repeat<<<g.blocks, g.threads, 0, stream_of(l)>>>(a->x, a->y, a->n, a->times, len);
	return launched(l, "repeat");
}

/* A warp a row. Only what is masked is touched: times 1 changes nothing. */
static __global__ void __launch_bounds__(kThreads) depth_mask(const struct sb_depth_mask_args a)
{
	int64_t row = row_of_thread();

	if (row >= a.rows || box_den(a.box, 2, (double)a.X[3 * row + 2]) > 0.0)
		return;
#pragma unroll 8
	for (int64_t i = threadIdx.x; i < a.c; i += kWarp)
		a.x[row * a.ldx + i] *= 0.0f;
}

int sb_depth_mask_cuda(const struct sb_depth_mask_args *a, struct sb_cuda_launch *l)
{
	if (a->rows == 0)
		return 0;
	depth_mask<<<blocks_for(a->rows, kThreads / kWarp), dim3(kWarp, kThreads / kWarp), 0, stream_of(l)>>>(*a);
	return launched(l, "depth_mask");
}

/* ---- the box of normalised points ------------------------------------------------------------------------------- */

constexpr int kWarps = kThreads / kWarp;

/* Of the block's threads, in an order that is always the same; every thread gets it. */
static __device__ double sum_block(double v, double *scratch)
{
	double sum = 0.0;

	v = sum_warp(v);
	__syncthreads(); /* the sum before may still be read */
	if (threadIdx.x % kWarp == 0)
		scratch[threadIdx.x / kWarp] = v;
	__syncthreads();
	for (int i = 0; i < kWarps; i++)
		sum += scratch[i];
	return sum;
}

/* One block an axis. */
static __global__ void __launch_bounds__(kThreads) norm_box(const struct sb_norm_box_args a)
{
	__shared__ double scratch[kWarps];
	int c = (int)blockIdx.x;
	double sum = 0.0, squares = 0.0, mean, reach;

	for (int64_t i = threadIdx.x; i < a.n; i += kThreads)
		sum += (double)a.p0[3 * i + c];
	mean = sum_block(sum, scratch) / (double)a.n;
	for (int64_t i = threadIdx.x; i < a.n; i += kThreads) {
		double d = (double)a.p0[3 * i + c] - mean;

		squares += d * d;
	}
	reach = 3.0 * sqrt(sum_block(squares, scratch) / (double)(a.n - 1));
	if (!((float)(mean + reach) > (float)(mean - reach)))
		reach = 1.0;
	if (threadIdx.x == 0) {
		a.box[c] = (float)(mean - reach);
		a.box[3 + c] = (float)(mean + reach);
	}
}

int sb_norm_box_cuda(const struct sb_norm_box_args *a, struct sb_cuda_launch *l)
{
	norm_box<<<3, kThreads, 0, stream_of(l)>>>(*a);
	return launched(l, "norm_box");
}

/* A multiple of three, so that a thread stays on one axis and divides once. */
constexpr int kMapThreads = 192;
constexpr int kMapEach = 8; /* elements of a thread */

static __global__ void __launch_bounds__(kMapThreads) box_map(const struct sb_box_map_args a)
{
	int64_t start = (int64_t)blockIdx.x * kMapThreads * kMapEach + threadIdx.x;
	int c = threadIdx.x % 3;
	double lo = (double)a.box[c], size = (double)a.box[3 + c] - lo, to_unit = 2.0 / size;

#pragma unroll 4
	for (int k = 0; k < kMapEach; k++) {
		int64_t i = start + k * kMapThreads;

		if (i < 3 * a.rows) {
			double v = (double)a.x[i];

			a.y[i] = (float)(a.inverse ? lo + (v + 1.0) / 2.0 * size : (v - lo) * to_unit - 1.0);
		}
	}
}

int sb_box_map_cuda(const struct sb_box_map_args *a, struct sb_cuda_launch *l)
{
	if (a->rows == 0)
		return 0;
	box_map<<<blocks_for(3 * a->rows, kMapThreads * kMapEach), kMapThreads, 0, stream_of(l)>>>(*a);
	return launched(l, "box_map");
}

/* ---- queries ---------------------------------------------------------------------------------------------------- */

static __global__ void __launch_bounds__(kThreads) query_setup(const struct sb_query_setup_args a)
{
	int64_t i = flat_thread(), t, x, y, at;

	if (i >= a.n)
		return;
	t = nearest_index(a.q[3 * i], a.frames);
	x = nearest_index(a.q[3 * i + 1], a.w);
	y = nearest_index(a.q[3 * i + 2], a.h);
	at = (t * a.h + y) * a.w + x;
	a.frame[i] = (int32_t)t;
	a.z0[i] = a.depth[at];
	a.u0[i] = a.valid[at];
	for (int c = 0; c < 3; c++) {
		a.p0[3 * i + c] = a.pmap[3 * at + c];
		a.rgb[3 * i + c] = a.colour[3 * at + c];
	}
	if (a.keep_z && !isnan(a.keep_z[i]))
		a.z0[i] = a.p0[3 * i + 2] = a.keep_z[i];
}

int sb_query_setup_cuda(const struct sb_query_setup_args *a, struct sb_cuda_launch *l)
{
	if (a->n == 0)
		return 0;
	query_setup<<<blocks_for(a->n, kThreads), kThreads, 0, stream_of(l)>>>(*a);
	return launched(l, "query_setup");
}

/* ---- geometry tokens -------------------------------------------------------------------------------------------- */

/* A warp a track, a lane a frame. 4 warps a block: a thousand tracks then reach every multiprocessor. */
constexpr int kTrackWarps = 4;

static __device__ __forceinline__ void swap_if(bool yes, double &a, double &b)
{
	double t = a;

	a = yes ? b : a;
	b = yes ? t : b;
}

/*
 * x with m x = b, by elimination with row pivots; x replaces b. All indices are known to the compiler, so that m stays
 * in registers: a row that pivots is swapped in as soon as it is found larger. A singular m gives infinities or NaN.
 */
static __device__ __forceinline__ void solve(double m[4][4], double b[4])
{
#pragma unroll
	for (int col = 0; col < 4; col++) {
#pragma unroll
		for (int r = col + 1; r < 4; r++) {
			bool larger = fabs(m[r][col]) > fabs(m[col][col]);

#pragma unroll
			for (int c = col; c < 4; c++)
				swap_if(larger, m[col][c], m[r][c]);
			swap_if(larger, b[col], b[r]);
		}
#pragma unroll
		for (int r = col + 1; r < 4; r++) {
			double factor = m[r][col] / m[col][col];

#pragma unroll
			for (int c = col + 1; c < 4; c++)
				m[r][c] -= factor * m[col][c];
			b[r] -= factor * b[col];
		}
	}
#pragma unroll
	for (int r = 3; r >= 0; r--) {
#pragma unroll
		for (int c = r + 1; c < 4; c++)
			b[r] -= m[r][c] * b[c];
		b[r] /= m[r][r];
	}
}

/* The query's point in the world, homogeneous. */
static __device__ __forceinline__ void world_point(const struct sb_geometry_tokens_args &a, int64_t n, double out[4])
{
	const float *q = a.q + 3 * n;
	int64_t t = nearest_index(q[0], a.frames);
	const float *cam = a.cam + 16 * t;
	double ray[3], z = a.z0[n];

	unproject(a.k + 9 * t, (double)q[1], (double)q[2], ray);
#pragma unroll
	for (int r = 0; r < 4; r++) {
		out[r] = (double)cam[4 * r + 3];
#pragma unroll
		for (int c = 0; c < 3; c++)
			out[r] += (double)cam[4 * r + c] * (z * ray[c]);
	}
}

static __global__ void __launch_bounds__(kTrackWarps *kWarp) geometry_tokens(const struct sb_geometry_tokens_args a)
{
	int64_t n = (int64_t)blockIdx.x * kTrackWarps + threadIdx.x / kWarp;
	double world[4], dynamic = 0.0, frames = (double)a.frames;

	if (n >= a.n)
		return;
	for (int64_t t = threadIdx.x % kWarp; t < a.frames; t += kWarp)
		dynamic += sigmoid((double)a.dyn[n * a.frames + t]);
	dynamic = sum_warp(dynamic) / frames;
	world_point(a, n, world);
	for (int64_t t = threadIdx.x % kWarp; t < a.frames; t += kWarp) {
		int64_t row = n * a.frames + t;
		float *g = a.g + 6 * row;
		double m[4][4], p[4] = { world[0], world[1], world[2], world[3] };

#pragma unroll
		for (int i = 0; i < 16; i++)
			m[i / 4][i % 4] = (double)a.cam[16 * t + i];
		solve(m, p);
		g[0] = (float)((double)a.q[3 * n] / frames - (double)t / frames);
#pragma unroll
		for (int c = 0; c < 3; c++)
			g[1 + c] = (float)(box_nrm(a.box, c, p[c]) - (double)a.X[3 * row + c]);
		g[4] = (float)sigmoid((double)a.conf[row]);
		g[5] = (float)dynamic;
	}
}

int sb_geometry_tokens_cuda(const struct sb_geometry_tokens_args *a, struct sb_cuda_launch *l)
{
	if (a->n == 0 || a->frames == 0)
		return 0;
	geometry_tokens<<<blocks_for(a->n, kTrackWarps), kTrackWarps * kWarp, 0, stream_of(l)>>>(*a);
	return launched(l, "geometry_tokens");
}

/* ---- update and outputs ----------------------------------------------------------------------------------------- */

static __global__ void __launch_bounds__(kThreads) track_update(const struct sb_track_update_args a)
{
	int64_t r = flat_thread();
	const float *d2 = a.d2 + 4 * r, *d3 = a.d3 + 4 * r, *point = a.X + 3 * r;
	double moved[3];

	if (r >= a.rows)
		return;
	a.vis[r] += d2[2];
	a.conf[r] += d2[3];
	a.dyn[r] += d3[3];
	a.pro[r] += a.dp[r];
	for (int c = 0; c < 3; c++) {
		moved[c] = box_den(a.box, c, (double)point[c] + (double)d3[c]);
		a.A[3 * r + c] = (float)moved[c];
	}
	a.z[r] = (float)((double)a.z[r] + (moved[2] - box_den(a.box, 2, (double)point[2])));
	for (int c = 0; c < 2; c++) {
		float uv = __fadd_rn(a.uv[2 * r + c], d2[c]);

		a.uv[2 * r + c] = uv;
		a.px[2 * r + c] = (float)(4.0 * (double)uv / (double)(c ? a.fy : a.fx));
	}
}

int sb_track_update_cuda(const struct sb_track_update_args *a, struct sb_cuda_launch *l)
{
	if (a->rows == 0)
		return 0;
	track_update<<<blocks_for(a->rows, kThreads), kThreads, 0, stream_of(l)>>>(*a);
	return launched(l, "track_update");
}

static __global__ void __launch_bounds__(kThreads) track_out(const struct sb_track_out_args a)
{
	int64_t r = flat_thread(), n = r / a.frames;

	if (r >= a.keep * a.frames)
		return;
	a.tracks2[3 * r] = __fmul_rn(a.px[2 * r], a.sx);
	a.tracks2[3 * r + 1] = __fmul_rn(a.px[2 * r + 1], a.sy);
	a.tracks2[3 * r + 2] = a.z[r];
	for (int c = 0; c < 3; c++) {
		a.tracks3[6 * r + c] = a.A[3 * r + c];
		a.tracks3[6 * r + 3 + c] = a.rgb[3 * n + c];
	}
	a.vis_out[r] = (float)(sigmoid((double)a.vis[r]) + 0.2);
	a.conf_out[r] = (float)sigmoid((double)a.conf[r]);
	a.dyn_out[r] = (float)(sigmoid((double)a.dyn[r]) * (double)a.u0[n]);
}

int sb_track_out_cuda(const struct sb_track_out_args *a, struct sb_cuda_launch *l)
{
	if (a->keep * a->frames == 0)
		return 0;
	track_out<<<blocks_for(a->keep * a->frames, kThreads), kThreads, 0, stream_of(l)>>>(*a);
	return launched(l, "track_out");
}
