/*
 * depth on CUDA: the clean-up of depth maps and the look-up of depths along tracks, bit for bit as depth_cpu.c: what
 * decides is float32 by definition, so nothing here is fused. Order statistics are exact: counts of the leading bits,
 * then of the next, which for positive floats are their order; counts are integers, so that the order of atomics does
 * not show. No number goes to the host in between: what one launch chose, the next one reads.
 */
#include "track_cuda.h"

#include "track_device.cuh"

/* ---- order statistics ------------------------------------------------------------------------------------------- */

constexpr int kBuckets = 2048; /* 11 bits, then 11, then 10 */
constexpr int kPasses = 3;
constexpr int kPickThreads = kBuckets / 2;
constexpr int kCountThreads = 512;
constexpr int kLoads = 4; /* values a thread has under way at a time */
constexpr int kPiece = kLoads * kCountThreads;
constexpr int kCountBlocks = 264; /* two a multiprocessor of an H100: a block adds its own buckets to memory once */

/* Two order statistics of one array. */
struct selection {
	uint32_t count[2][kBuckets]; /* all 0 between passes */
	uint32_t prefix[2];          /* the bits that are known; after the last pass the value */
	uint32_t rank[2];            /* among those that begin with the prefix */
	uint32_t positive;
};

/* Which two: the lower and upper quartile by track.h's rule, or the two between which the 0.2-quantile lies. */
enum ranks { QUARTILES, FIFTH };

static __device__ __forceinline__ int shift_of(int pass)
{
	return pass == 0 ? 21 : pass == 1 ? 10 : 0;
}

static __device__ __forceinline__ uint32_t mask_of(int pass)
{
	return pass == 2 ? 1023u : 2047u;
}

static __global__ void depth_clear(struct selection *s)
{
	for (int i = threadIdx.x; i < 2 * kBuckets; i += blockDim.x)
		s[blockIdx.x].count[0][i] = 0;
	if (threadIdx.x < 2) {
		s[blockIdx.x].prefix[threadIdx.x] = 0;
		s[blockIdx.x].rank[threadIdx.x] = 0;
	}
}

/* Array blockIdx.y, v + blockIdx.y * n: counts for both; where both have one prefix, for the first alone. */
static __global__ void __launch_bounds__(kCountThreads)
        depth_count(const float *v, int64_t n, struct selection *selections, int pass)
{
	__shared__ uint32_t count[2][kBuckets];
	struct selection *s = selections + blockIdx.y;
	uint32_t low = s->prefix[0], high = s->prefix[1], mask = mask_of(pass);
	int shift = shift_of(pass), above = pass == 0 ? 32 : shift_of(pass - 1);

	for (int i = threadIdx.x; i < 2 * kBuckets; i += kCountThreads)
		count[0][i] = 0;
	__syncthreads();
	v += blockIdx.y * n;
	for (int64_t start = (int64_t)blockIdx.x * kPiece; start < n; start += (int64_t)gridDim.x * kPiece) {
		float here[kLoads];

#pragma unroll
		for (int k = 0; k < kLoads; k++) {
			int64_t i = start + k * kCountThreads + threadIdx.x;

			here[k] = i < n ? v[i] : 0.0f;
		}
#pragma unroll
		for (int k = 0; k < kLoads; k++) {
			uint32_t bits = __float_as_uint(here[k]), head = pass == 0 ? 0 : bits >> above;

			if (here[k] > 0.0f && head == low)
				atomicAdd(&count[0][bits >> shift & mask], 1u);
			else if (here[k] > 0.0f && head == high)
				atomicAdd(&count[1][bits >> shift & mask], 1u);
		}
	}
	__syncthreads();
	for (int i = threadIdx.x; i < 2 * kBuckets; i += kCountThreads)
		if (count[0][i])
			atomicAdd(&s->count[0][i], count[0][i]);
}

/* Inclusive sum over the block's threads. */
static __device__ uint32_t scan_block(uint32_t v, uint32_t *scratch)
{
	uint32_t before = 0;
	int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;

#pragma unroll
	for (int step = 1; step < kWarp; step *= 2) {
		uint32_t lower = __shfl_up_sync(kAllLanes, v, step);

		v += lane >= step ? lower : 0;
	}
	__syncthreads(); /* the sums before may still be read */
	if (lane == kWarp - 1)
		scratch[warp] = v;
	__syncthreads();
	for (int i = 0; i < warp; i++)
		before += scratch[i];
	return v + before;
}

/* Which two ranks, from 0, of how many positive values. */
static __device__ void choose_ranks(struct selection *s, enum ranks which, uint32_t positive)
{
	int64_t n = positive, low, high;

	if (which == QUARTILES) {
		low = max((int64_t)(0.25 * (double)n), (int64_t)1) - 1;
		high = max((int64_t)(0.75 * (double)n), (int64_t)1) - 1;
	} else {
		low = n > 0 ? (int64_t)(0.2 * (double)(n - 1)) : 0;
		high = max(min(low + 1, n - 1), (int64_t)0);
	}
	s->positive = positive;
	s->rank[0] = (uint32_t)low;
	s->rank[1] = (uint32_t)high;
}

/* The bucket in which each rank lies becomes part of its prefix. One block an array, two buckets a thread. */
static __global__ void __launch_bounds__(kPickThreads)
        depth_pick(struct selection *selections, int pass, enum ranks which)
{
	__shared__ uint32_t scratch[kPickThreads / kWarp], prefix[2], rank[2];
	struct selection *s = selections + blockIdx.x;
	int at = 2 * threadIdx.x, width = pass == 2 ? 10 : 11;

	if (threadIdx.x < 2)
		prefix[threadIdx.x] = s->prefix[threadIdx.x];
	__syncthreads();
	for (int k = 0; k < 2; k++) {
		uint32_t *count = s->count[prefix[0] == prefix[1] ? 0 : k];
		uint32_t first = count[at], second = count[at + 1], end = scan_block(first + second, scratch);
		uint32_t start = end - first - second;

		if (k == 0 && pass == 0 && threadIdx.x == kPickThreads - 1)
			choose_ranks(s, which, end);
		__syncthreads();
		if (threadIdx.x == 0)
			rank[k] = s->rank[k];
		__syncthreads();
		if (rank[k] >= start && rank[k] < end) {
			bool upper = rank[k] - start >= first;

			s->prefix[k] = prefix[k] << width | (uint32_t)(at + upper);
			s->rank[k] = rank[k] - start - (upper ? first : 0);
		}
	}
	__syncthreads();
	for (int i = threadIdx.x; i < 2 * kBuckets; i += kPickThreads)
		s->count[0][i] = 0;
}

/* Of `arrays` arrays of n values each, one after the other. */
static int select_two(
        const float *v, int64_t n, int arrays, enum ranks which, struct selection *s, struct sb_cuda_launch *l)
{
	int64_t blocks = pieces(n, kPiece);
	dim3 grid((unsigned)min(blocks, (int64_t)kCountBlocks), (unsigned)arrays);
	int code;

	depth_clear<<<arrays, kPickThreads, 0, stream_of(l)>>>(s);
	code = launched(l, "depth_clear");
	for (int pass = 0; pass < kPasses && !code; pass++) {
		depth_count<<<grid, kCountThreads, 0, stream_of(l)>>>(v, n, s, pass);
		code = launched(l, "depth_count");
		if (code)
			break;
		depth_pick<<<arrays, kPickThreads, 0, stream_of(l)>>>(s, pass, which);
		code = launched(l, "depth_pick");
	}
	return code;
}

/* Interpolated linearly; NaN if nothing is positive. */
static __device__ __forceinline__ double fifth_of(const struct selection *s)
{
	double at = __dmul_rn(0.2, (double)((int64_t)s->positive - 1)), low = (double)__uint_as_float(s->prefix[0]),
	       high = (double)__uint_as_float(s->prefix[1]);

	if (s->positive == 0)
		return nan("");
	return __dadd_rn(low, __dmul_rn(at - (double)(int64_t)at, high - low));
}

/* ---- look-up along tracks --------------------------------------------------------------------------------------- */

constexpr int kSide = 7, kWindow = 8; /* positions along one axis, and the lines between which they lie */

/* The lines of a patch along one axis, as patch_axis.h has them. */
struct axis {
	int64_t first; /* the lowest line, before clamping */
	double frac;
};

static __device__ __forceinline__ struct axis axis_of(float pos, int64_t size)
{
	float lowest = -kWindow, highest = (float)(size + kWindow), base;

	pos = pos > lowest ? pos : lowest;
	pos = pos < highest ? pos : highest;
	base = floorf(pos);
	return { (int64_t)base - kSide / 2, (double)pos - (double)base };
}

static __device__ __forceinline__ int64_t clamped(int64_t line, int64_t size)
{
	return max(min(line, size - 1), (int64_t)0);
}

/* Whether the pixel next to px is inside and valid; NaN is outside. */
static __device__ __forceinline__ bool pixel_valid(
        const struct sb_depth_snap_args &a, const float *valid, const float *px)
{
	double x = rint((double)px[0]), y = rint((double)px[1]);

	if (!(x >= 0.0 && x <= (double)(a.w - 1) && y >= 0.0 && y <= (double)(a.h - 1)))
		return false;
	return valid[(int64_t)y * a.w + (int64_t)x] >= 0.5f;
}

/* A sample, how far it is, and its place in the order of the 49. */
struct sample {
	float value, distance;
	int place;
};

/* Lane `line` of eight: the nearest of its seven samples, those between its line and the next. */
static __device__ __forceinline__ struct sample nearest_of_line(
        const double *here, const double *next, double fy, float z, int line)
{
	struct sample best = { 0.0f, INFINITY, kSide * kSide };

#pragma unroll
	for (int i = 0; i < kSide; i++) {
		float v = (float)__dadd_rn(here[i], __dmul_rn(fy, __dsub_rn(next[i], here[i])));
		float distance = fabsf(__fsub_rn(v, z));

		if (distance < best.distance && line < kSide)
			best = { v, distance, i * kSide + line };
	}
	return best;
}

/* Eight lanes a row of [n frames]: each interpolates one line of the map along x. */
static __global__ void __launch_bounds__(kThreads) depth_look_up(const struct sb_depth_snap_args a, float *zs)
{
	int64_t row = ((int64_t)blockIdx.x * kThreads + threadIdx.x) / kWindow, at;
	int line = threadIdx.x % kWindow;
	unsigned lanes = 0xffu << (threadIdx.x % kWarp - line);
	double here[kSide], next[kSide];
	struct axis x, y;
	struct sample best;
	const float *map;

	if (row >= a.n * a.frames)
		return;
	at = row % a.frames * a.h * a.w;
	if (!pixel_valid(a, a.valid + at, a.px + 2 * row)) {
		if (line == 0)
			zs[row] = 0.0f;
		return;
	}
	x = axis_of(a.px[2 * row], a.w);
	y = axis_of(a.px[2 * row + 1], a.h);
	map = a.pmap + 3 * (at + clamped(y.first + line, a.h) * a.w) + 2;
#pragma unroll
	for (int i = 0; i < kSide; i++) {
		double left = (double)map[3 * clamped(x.first + i, a.w)],
		       right = (double)map[3 * clamped(x.first + i + 1, a.w)];

		here[i] = __dadd_rn(left, __dmul_rn(x.frac, __dsub_rn(right, left)));
		next[i] = __shfl_down_sync(lanes, here[i], 1, kWindow);
	}
	best = nearest_of_line(here, next, y.frac, a.z[row], line);
#pragma unroll
	for (int step = kWindow / 2; step > 0; step /= 2) {
		struct sample other = { __shfl_xor_sync(lanes, best.value, step),
			__shfl_xor_sync(lanes, best.distance, step), __shfl_xor_sync(lanes, best.place, step) };

		if (other.distance < best.distance || (other.distance == best.distance && other.place < best.place))
			best = other;
	}
	if (line == 0)
		zs[row] = best.value;
}

/* d1 and d2 absolute, 0 where they do not exist. */
static __global__ void __launch_bounds__(kThreads)
        depth_differences(const struct sb_depth_snap_args a, const float *zs, float *d1, float *d2)
{
	int64_t row = (int64_t)blockIdx.x * kThreads + threadIdx.x, t = row % a.frames;
	float z0, here, after = 0.0f, first = 0.0f, second = 0.0f;

	if (row >= a.n * a.frames)
		return;
	z0 = a.z0[row / a.frames];
	here = __fsub_rn(zs[row], z0);
	if (t + 1 < a.frames) {
		after = __fsub_rn(zs[row + 1], z0);
		first = fabsf(__fsub_rn(after, here));
	}
	if (t > 0 && t + 1 < a.frames)
		second = fabsf(__fadd_rn(__fsub_rn(after, __fmul_rn(2.0f, here)), __fsub_rn(zs[row - 1], z0)));
	d1[row] = first;
	d2[row] = second;
}

static __device__ __forceinline__ void replace_row(const struct sb_depth_snap_args &a, int64_t row, float zs)
{
	double ray[3];

	unproject(a.k + row % a.frames * 9, (double)a.px[2 * row], (double)a.px[2 * row + 1], ray);
	a.z[row] = zs;
	for (int c = 0; c < 3; c++)
		a.A[3 * row + c] = (float)__dmul_rn(ray[c], (double)zs); /* zs > 0: its sign changes nothing */
}

/* s: the selections of d1 and of d2. */
static __global__ void __launch_bounds__(kThreads) depth_filter(
        const struct sb_depth_snap_args a, const float *zs, const float *d1, const float *d2, const struct selection *s)
{
	int64_t row = (int64_t)blockIdx.x * kThreads + threadIdx.x, t = row % a.frames;
	bool smooth;

	if (row >= a.n * a.frames || !(zs[row] > 0.0f && a.vis[row] > 0.0f))
		return;
	smooth = t >= 1 && t + 1 < a.frames && (double)d2[row] < fifth_of(s + 1) && (double)d1[row] < fifth_of(s);
	if (s[1].positive == 0 || smooth)
		replace_row(a, row, zs[row]);
}

size_t sb_depth_snap_cuda_workspace(const struct sb_depth_snap_args *a, const struct sb_cuda_launch *l)
{
	(void)l;
	return 2 * sizeof(struct selection) + (size_t)(3 * a->n * a->frames) * sizeof(float);
}

int sb_depth_snap_cuda(const struct sb_depth_snap_args *a, struct sb_cuda_launch *l)
{
	int64_t rows = a->n * a->frames;
	struct selection *s = (struct selection *)l->work;
	float *zs = (float *)(s + 2), *d1 = zs + rows, *d2 = d1 + rows;
	int code;

	if (rows > UINT32_MAX)
		return cudaErrorInvalidValue;
	if (rows == 0)
		return 0;
	depth_look_up<<<blocks_for(rows, kThreads / kWindow), kThreads, 0, stream_of(l)>>>(*a, zs);
	code = launched(l, "depth_look_up");
	if (code)
		return code;
	depth_differences<<<blocks_for(rows, kThreads), kThreads, 0, stream_of(l)>>>(*a, zs, d1, d2);
	code = launched(l, "depth_differences");
	if (code)
		return code;
	code = select_two(d1, rows, 2, FIFTH, s, l);
	if (code)
		return code;
	depth_filter<<<blocks_for(rows, kThreads), kThreads, 0, stream_of(l)>>>(*a, zs, d1, d2, s);
	return launched(l, "depth_snap");
}

/* ---- clean-up --------------------------------------------------------------------------------------------------- */

constexpr float kNearest = 0.1f, kEdge = 0.03f;

struct limits {
	float upper; /* the end of the region of interest */
	float far;   /* what lies beyond becomes 0 */
};

static __device__ __forceinline__ struct limits limits_of(const struct selection *s)
{
	float q25 = __uint_as_float(s->prefix[0]), q75 = __uint_as_float(s->prefix[1]);
	float far = __fmul_rn(10.0f, q25), upper = __fadd_rn(q75, __fmul_rn(0.8f, __fsub_rn(q75, q25)));

	if (s->positive == 0)
		return { 0.0f, 0.0f };
	upper = upper > 1e-6f ? upper : 1e-6f;
	return { upper < far ? upper : far, far };
}

/* Largest and smallest of interest of some pixels; none: -infinity and infinity. */
struct range {
	float high, low;
};

static __device__ __forceinline__ struct range widen(struct range a, struct range b)
{
	return { a.high > b.high ? a.high : b.high, a.low < b.low ? a.low : b.low };
}

static __device__ __forceinline__ bool of_interest(float d, float upper)
{
	return d > kNearest && d < upper;
}

static __device__ __forceinline__ struct range range_of(float d, float upper)
{
	return of_interest(d, upper) ? (struct range){ d, d } : (struct range){ -INFINITY, INFINITY };
}

/* Columns x - 1 .. x + 1 of one line; *centre is the pixel in the middle. */
static __device__ __forceinline__ struct range range_of_three(
        const float *line, int x, int w, float upper, float *centre)
{
	struct range r;

	*centre = line[x];
	r = range_of(*centre, upper);
	if (x > 0)
		r = widen(r, range_of(line[x - 1], upper));
	if (x + 1 < w)
		r = widen(r, range_of(line[x + 1], upper));
	return r;
}

/*
 * A thread goes down a strip of one column and keeps the ranges of three lines: 3.75 reads a pixel instead of 9. 8
 * lines: case (i) then has 5,000 blocks of 128 threads, 38 a multiprocessor.
 */
constexpr int kStrip = 8;
constexpr int kColumns = 128;

/* Block x: image and strip; block y: columns. */
static __global__ void __launch_bounds__(kColumns)
        depth_valid(const struct sb_depth_clean_args a, int strips, const struct selection *s)
{
	int x = blockIdx.y * kColumns + threadIdx.x, h = (int)a.h, w = (int)a.w;
	int image = blockIdx.x / strips, first = (blockIdx.x - image * strips) * kStrip, end = min(first + kStrip, h);
	const struct range none = { -INFINITY, INFINITY };
	struct range above = none, here, below;
	float upper = limits_of(s).upper, d, next = 0.0f;
	const float *__restrict__ depth = a.depth + (int64_t)image * h * w;
	const float *__restrict__ conf = a.conf ? a.conf + (int64_t)image * h * w : NULL;
	float *__restrict__ out = a.valid + (int64_t)image * h * w;

	if (x >= w)
		return;
	if (first > 0)
		above = range_of_three(depth + (int64_t)(first - 1) * w, x, w, upper, &d);
	here = range_of_three(depth + (int64_t)first * w, x, w, upper, &d);
	for (int y = first; y < end; y++) {
		int64_t pixel = (int64_t)y * w + x;
		struct range all;
		bool valid;

		below = y + 1 < h ? range_of_three(depth + (int64_t)(y + 1) * w, x, w, upper, &next) : none;
		all = widen(widen(above, here), below);
		valid = of_interest(d, upper) && !(__fdiv_rn(__fsub_rn(all.high, all.low), d) > kEdge);
		if (conf)
			valid = valid && conf[pixel] > 0.5f;
		out[pixel] = valid ? 1.0f : 0.0f;
		above = here;
		here = below;
		d = next;
	}
}

/* Only now, in a launch of its own: the one before reads neighbours. NaN is not within the limit either. */
static __global__ void __launch_bounds__(kThreads)
        depth_finish(const struct sb_depth_clean_args a, int64_t n, const struct selection *s)
{
	int64_t start = (int64_t)blockIdx.x * kThreads * kLoads + threadIdx.x;
	float far = limits_of(s).far, here[kLoads];

#pragma unroll
	for (int k = 0; k < kLoads; k++)
		here[k] = a.apply && start + k * kThreads < n ? a.depth[start + k * kThreads] : 0.0f;
#pragma unroll
	for (int k = 0; k < kLoads; k++) {
		int64_t i = start + k * kThreads;

		if (i < n && !a.apply)
			a.valid[i] = 1.0f;
		else if (i < n && !(here[k] <= far))
			a.depth[i] = 0.0f;
	}
}

size_t sb_depth_clean_cuda_workspace(const struct sb_depth_clean_args *a, const struct sb_cuda_launch *l)
{
	(void)a;
	(void)l;
	return sizeof(struct selection);
}

int sb_depth_clean_cuda(const struct sb_depth_clean_args *a, struct sb_cuda_launch *l)
{
	int64_t n = a->frames * a->h * a->w, strips = pieces(a->h, kStrip), columns = pieces(a->w, kColumns);
	struct selection *s = (struct selection *)l->work;
	int code;

	if (n > UINT32_MAX || strips * a->frames > INT32_MAX || columns > 65535)
		return cudaErrorInvalidValue;
	if (n == 0)
		return 0;
	code = select_two(a->depth, n, 1, QUARTILES, s, l);
	if (code)
		return code;
	depth_valid<<<dim3((unsigned)(strips * a->frames), (unsigned)columns), kColumns, 0, stream_of(l)>>>(
	        *a, (int)strips, s);
	code = launched(l, "depth_valid");
	if (code)
		return code;
	depth_finish<<<blocks_for(n, kThreads * kLoads), kThreads, 0, stream_of(l)>>>(*a, n, s);
	return launched(l, "depth_clean");
}
