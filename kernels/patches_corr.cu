/*
 * corr on CUDA: correlation and the first layer on it, in parts of some thousand rows, so that never more than a part
 * of the volume is stored: corr_weights   once: weights laid out as the volume is, padded, rounded with tf32
 *   corr_volume    a block samples the patches of kFrames frames of a point, channel slab by channel slab, and
 * multiplies them with the point's query: FFMA, or mma.sync in TF32 corr_layer     volume times weights, bias and GELU
 * in the epilogue: FFMA, or mma.sync in TF32 A row of the volume is 49 stretches of kStretch floats, so that two
 * neighbours in a stretch are 8 bytes aligned, and zeros up to kRow.
 */
#include "patch_axis.cuh"

extern "C" {
#include "patches_cuda.h"
}

constexpr int kStretch = kPatch + 1;
constexpr int kRow = 2464; /* 49 * 50 rounded up to the layer's slabs of 32 */
static_assert(kRow >= kPatch * kStretch && kRow % 32 == 0, "a row is whole slabs");

struct corr_layout {
	int64_t rows_at_once, points_at_once; /* of a part: whole points */
	size_t weight_floats, volume_floats;
};

/* ---- the layer's tiles ------------------------------------------------------------------------------------------- */

/*
 * Rows and columns of a block, one block a multiprocessor. 384 columns are two tiles, so that the volume is read twice
 * and not three times; 24,288 rows are 2.9 waves of 132 blocks, where tiles of 128 x 128, two a multiprocessor, were 2
 * and a bit.
 */
constexpr int kTile = 128;
constexpr int kColumns = 192;

/*
 * A part is as many row tiles as fill the device: 8,448 rows and 83 MB on 132 multiprocessors with 384 columns.
 */
static struct corr_layout layout_of(const struct sb_corr_args *a, const struct sb_cuda_launch *l)
{
	int64_t columns = pieces(a->out, kColumns), tiles = (int64_t)l->sms / columns;
	struct corr_layout c;

	c.points_at_once = (tiles < 1 ? 1 : tiles) * kTile / a->frames;
	c.points_at_once = c.points_at_once < a->n ? c.points_at_once : a->n;
	c.points_at_once = c.points_at_once < 1 ? 1 : c.points_at_once;
	c.rows_at_once = c.points_at_once * a->frames;
	c.weight_floats = (size_t)(columns * kColumns * kRow);
	c.volume_floats = (size_t)c.rows_at_once * kRow;
	return c;
}

size_t sb_corr_cuda_workspace(const struct sb_corr_args *a, const struct sb_cuda_launch *l)
{
	struct corr_layout c;

	if (a->n == 0 || a->frames == 0)
		return 0;
	c = layout_of(a, l);
	return (c.weight_floats + c.volume_floats) * sizeof(float);
}

/* A row of weights a block; zeros from row `rows` on, up to a whole tile. */
template <bool rounded>
static __global__ void __launch_bounds__(kThreads) corr_weights(const float *w, int64_t rows, int64_t ldw, float *out)
{
	const float *from = w + blockIdx.x * ldw;
	float *to = out + (int64_t)blockIdx.x * kRow;

	for (int k = threadIdx.x; k < kRow; k += kThreads) {
		int i = k / kStretch, j = k % kStretch;
		float v = blockIdx.x < rows && i < kPatch && j < kPatch ? from[i * kPatch + j] : 0.0f;

		to[k] = rounded ? tf32(v) : v;
	}
}

/* ---- the volume -------------------------------------------------------------------------------------------------- */

constexpr int kFrames = 4;                                    /* patches of a block: */
constexpr int kSlab = 32;                                     /* channels at a time, 8 vectors: */
constexpr int kVolumeThreads = kFrames * kSide * (kSlab / 4); /* a thread a (patch, column, vector) when sampling */
constexpr int kLine = kSlab + 4;             /* floats from one position to the next: no bank conflicts */
constexpr int kPositions = kFrames * kPatch; /* 196 */
constexpr int kMmaRows = 224;                /* 7 warps with two tiles of 16 positions */
constexpr int kMmaColumns = 56;              /* 7 tiles of 8 query positions */
constexpr int kVolumeFloats = (kMmaRows + kMmaColumns) * kLine;
static_assert(
        kVolumeThreads == 7 * kWarp && kVolumeThreads * kSide * 4 == kPositions * kSlab, "threads and samples match");
static_assert(kVolumeFloats >= kFrames * kRow, "the results of a block fit where its operands were");
static_assert(kVolumeFloats * 4 <= 48 * 1024, "shared memory that needs no asking");

/* Four channels from p on, `left` of them there; beyond these zeros. */
template <bool wide_map> static __device__ __forceinline__ float4 channels(const float *p, int left)
{
	if (wide_map)
		return *reinterpret_cast<const float4 *>(p);
	return make_float4(p[0], left > 1 ? p[1] : 0.0f, left > 2 ? p[2] : 0.0f, left > 3 ? p[3] : 0.0f);
}

template <bool rounded> static __device__ __forceinline__ void keep(float *to, float4 v)
{
	if (rounded)
		v = make_float4(tf32(v.x), tf32(v.y), tf32(v.z), tf32(v.w));
	*reinterpret_cast<float4 *>(to) = v;
}

/*
 * What a thread brings: four channels of each slab of one column of one patch, and of two positions of the query.
 * Frames beyond the last one are the group's first again, and their results not stored.
 */
struct column {
	const float *from; /* the column's left pixels, in line 0 of the map */
	int across, pitch; /* from there to its right pixels, and to the next line */
	float fx;
	struct patch_axis y;
	int at;             /* the first position's place */
	const float *query; /* the first of the two positions .. */
};

constexpr int kQueryStep = kVolumeThreads / (kSlab / 4); /* .. and how many positions on the other one is */
static_assert(2 * kQueryStep == kMmaColumns, "two query positions a thread are all");

static __device__ __forceinline__ struct column column_of(const struct sb_corr_args &a, int64_t n, int64_t t0)
{
	int vector = threadIdx.x % (kSlab / 4), place = threadIdx.x / (kSlab / 4), side = place % kSide,
	    f = place / kSide;
	int64_t t = t0 + f < a.frames ? t0 + f : t0, row = n * a.frames + t;
	struct patch_axis x = patch_axis_of(a.uv[2 * row], a.scale, a.width);
	int left = axis_line(x, side), right = axis_line(x, side + 1);

	return { a.map + (t * a.h * a.width + left) * a.c + 4 * vector, (right - left) * (int)a.c, (int)(a.width * a.c),
		x.frac, patch_axis_of(a.uv[2 * row + 1], a.scale, a.h),
		(f * kPatch + side * kSide) * kLine + 4 * vector, a.query + (n * kPatch + place) * a.c + 4 * vector };
}

/* The samples of 32 channels; `left` channels are there from the thread's first on. One branch, so that all loads go
 * out. */
template <bool rounded, bool wide_map>
static __device__ __forceinline__ void bring_slab(
        const struct column &c, int64_t channel_count, int left, float *samples, float *query)
{
	int place = threadIdx.x / (kSlab / 4);
	bool second = place + kQueryStep < kPatch;
	float4 line[kWindow], q[2];

	if (left > 0) {
		q[0] = channels<wide_map>(c.query, left);
		q[1] = channels<wide_map>(second ? c.query + kQueryStep * channel_count : c.query, left);
#pragma unroll
		for (int i = 0; i < kWindow; i++) {
			const float *at = c.from + axis_line(c.y, i) * c.pitch;

			line[i] = lerp(channels<wide_map>(at, left), channels<wide_map>(at + c.across, left), c.fx);
		}
	} else {
		q[0] = q[1] = splat(0.0f);
#pragma unroll
		for (int i = 0; i < kWindow; i++)
			line[i] = splat(0.0f);
	}
	query += place * kLine + threadIdx.x % (kSlab / 4) * 4;
	keep<rounded>(query, q[0]);
	keep<rounded>(query + kQueryStep * kLine, second ? q[1] : splat(0.0f));
#pragma unroll
	for (int i = 0; i < kSide; i++)
		keep<rounded>(samples + c.at + i * kLine, lerp(line[i], line[i + 1], c.y.frac));
}

/* The block's results, as they lie in the volume, from shared memory to rows of frames t0 ... */
static __device__ __forceinline__ void store_volume(const float *results, float *volume, int frames)
{
	const float4 *from = reinterpret_cast<const float4 *>(results) + threadIdx.x;
	float4 *to = reinterpret_cast<float4 *>(volume) + threadIdx.x;
	int left = frames * (kRow / 4) - threadIdx.x;

#pragma unroll
	for (int i = 0; i < kFrames * (kRow / 4); i += kVolumeThreads)
		if (i < left)
			to[i] = from[i];
}

/* Zeros where no product goes: the end of each stretch and of each row. */
static __device__ __forceinline__ void clear_padding(float *results)
{
	constexpr int ends = kRow - kPatch * kStretch, of_row = kPatch + ends;

	for (int i = threadIdx.x; i < kFrames * of_row; i += kVolumeThreads) {
		int f = i / of_row, k = i % of_row;

		results[f * kRow + (k < kPatch ? k * kStretch + kPatch : kPatch * kStretch + k - kPatch)] = 0.0f;
	}
}

/*
 * Products by FFMA. 28 x 7 threads with 7 x 7 results each (the last 28 threads only sample): 14 vectors are read for
 * 196 multiply-adds. Rows 7 apart lie 28 banks apart, so the vectors that a warp reads are in different banks.
 */
struct ffma_tile {
	float sum[kSide][kSide];
};

static __device__ __forceinline__ void multiply_slab(struct ffma_tile &tile, const float *samples, const float *query)
{
	const float *rows = samples + threadIdx.x / kSide * kSide * kLine,
	            *columns = query + threadIdx.x % kSide * kSide * kLine;

	for (int k = 0; k < kSlab; k += 4) {
		float4 b[kSide];

#pragma unroll
		for (int j = 0; j < kSide; j++)
			b[j] = *reinterpret_cast<const float4 *>(columns + j * kLine + k);
#pragma unroll
		for (int i = 0; i < kSide; i++) {
			float4 v = *reinterpret_cast<const float4 *>(rows + i * kLine + k);

#pragma unroll
			for (int j = 0; j < kSide; j++) {
				float s = tile.sum[i][j];

				s = fmaf(v.x, b[j].x, s);
				s = fmaf(v.y, b[j].y, s);
				s = fmaf(v.z, b[j].z, s);
				tile.sum[i][j] = fmaf(v.w, b[j].w, s);
			}
		}
	}
}

static __device__ __forceinline__ void spread(const struct ffma_tile &tile, float *results)
{
	int group = threadIdx.x / kSide, column = threadIdx.x % kSide * kSide;
	float *to = results + group / kSide * kRow + group % kSide * kSide * kStretch + column;

#pragma unroll
	for (int i = 0; i < kSide; i++)
#pragma unroll
		for (int j = 0; j < kSide; j++)
			to[i * kStretch + j] = tile.sum[i][j];
}

/*
 * Grid: points from `first` on, frames in groups of kFrames: the points of some frames come one after the other, so
 * that these frames' maps are read from the L2 cache. volume is the part's.
 */
template <bool wide_map>
static __global__ void __launch_bounds__(kVolumeThreads, 2)
        corr_volume_ffma(const struct sb_corr_args a, int64_t first, float *volume)
{
	__shared__ __align__(16) float room[kVolumeFloats];
	float *samples = room, *query = room + kMmaRows * kLine;
	int64_t n = first + blockIdx.x, t0 = (int64_t)blockIdx.y * kFrames;
	int frames = (int)(a.frames - t0 < kFrames ? a.frames - t0 : kFrames);
	struct column c = column_of(a, n, t0);
	bool multiplies = threadIdx.x < kFrames * kSide * kSide;
	struct ffma_tile tile = {};

	for (int k = 0; k < a.c; k += kSlab) {
		bring_slab<false, wide_map>(c, a.c, (int)a.c - k - threadIdx.x % (kSlab / 4) * 4, samples, query);
		c.from += kSlab;
		c.query += kSlab;
		__syncthreads();
		if (multiplies)
			multiply_slab(tile, samples, query);
		__syncthreads();
	}
	clear_padding(room);
	if (multiplies)
		spread(tile, room);
	__syncthreads();
	store_volume(room, volume + (blockIdx.x * a.frames + t0) * kRow, frames);
}

/* ---- TF32 on the tensor cores: fragments and products ------------------------------------------------------------ */

/* Four 8 x 8 matrices of 16 bits, which is how a fragment of 8 rows of 4 floats is read: lane / 4 is the row. */
static __device__ __forceinline__ void load_fragments(uint32_t f[4], const float *row)
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
	             : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
	             : "r"((uint32_t)__cvta_generic_to_shared(row))
	             : "memory");
}

static __device__ __forceinline__ void load_fragments2(uint32_t f[2], const float *row)
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
	             : "=r"(f[0]), "=r"(f[1])
	             : "r"((uint32_t)__cvta_generic_to_shared(row))
	             : "memory");
}

/* c += a b, 16 x 8 by 8 x 8. The operands are rounded already: the tensor core would cut their lower bits off. */
static __device__ __forceinline__ void multiply(float c[4], const uint32_t a[4], const uint32_t b[2])
{
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
	             "{%0, %1, %2, %3};"
	             : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
	             : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* Which row and which four floats of a fragment this lane names: of the left operand's 16 rows, of 16 columns of the
 * right. */
static __device__ __forceinline__ int left_row(int lane)
{
	return lane % 8 + lane / 8 % 2 * 8;
}

static __device__ __forceinline__ int right_column(int lane)
{
	return lane % 8 + lane / 16 * 8;
}

/* ---- the volume in TF32 ------------------------------------------------------------------------------------------ */

constexpr int kVolumeTiles = kMmaColumns / 8;

struct mma_strip {
	float sum[2][kVolumeTiles][4]; /* 32 positions of this warp by all of the query's */
};

static __device__ __forceinline__ void multiply_slab(struct mma_strip &strip, const float *samples, const float *query)
{
	int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
	const float *left = samples + (warp * 32 + left_row(lane)) * kLine + lane / 16 * 4;
	const float *right = query + right_column(lane) * kLine + lane / 8 % 2 * 4;

#pragma unroll
	for (int k = 0; k < kSlab; k += 8) {
		uint32_t a[2][4], b[kVolumeTiles + 1][2];

		load_fragments(a[0], left + k);
		load_fragments(a[1], left + 16 * kLine + k);
#pragma unroll
		for (int j = 0; j + 2 <= kVolumeTiles; j += 2)
			load_fragments(b[j], right + j * 8 * kLine + k);
		load_fragments2(b[kVolumeTiles - 1],
		        query + ((kVolumeTiles - 1) * 8 + lane % 8) * kLine + lane / 8 % 2 * 4 + k);
#pragma unroll
		for (int i = 0; i < 2; i++)
#pragma unroll
			for (int j = 0; j < kVolumeTiles; j++)
				multiply(strip.sum[i][j], a[i], b[j]);
	}
}

/* Rounded, for the layer's product. Column 49 is the stretch's padding, and 0 as its query position is. */
static __device__ __forceinline__ void spread(const struct mma_strip &strip, float *results)
{
	int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;

#pragma unroll
	for (int i = 0; i < 4; i++) {
		int position = warp * 32 + i * 8 + lane / 4;
		float *to = results + position / kPatch * kRow + position % kPatch * kStretch;

#pragma unroll
		for (int j = 0; j < kVolumeTiles; j++) {
			const float *sum = strip.sum[i / 2][j] + i % 2 * 2;
			int column = j * 8 + lane % 4 * 2;

			if (position < kPositions && column < kStretch)
				*reinterpret_cast<float2 *>(to + column) = make_float2(tf32(sum[0]), tf32(sum[1]));
		}
	}
}

template <bool wide_map>
static __global__ void __launch_bounds__(kVolumeThreads, 2)
        corr_volume_tf32(const struct sb_corr_args a, int64_t first, float *volume)
{
	__shared__ __align__(16) float room[kVolumeFloats];
	float *samples = room, *query = room + kMmaRows * kLine;
	int64_t n = first + blockIdx.x, t0 = (int64_t)blockIdx.y * kFrames;
	int frames = (int)(a.frames - t0 < kFrames ? a.frames - t0 : kFrames);
	struct column c = column_of(a, n, t0);
	struct mma_strip strip = {};

	for (int i = threadIdx.x; i < (kMmaRows - kPositions) * kLine; i += kVolumeThreads)
		samples[kPositions * kLine + i] = 0.0f; /* the last warp's rows without a position */
	for (int k = 0; k < a.c; k += kSlab) {
		bring_slab<true, wide_map>(c, a.c, (int)a.c - k - threadIdx.x % (kSlab / 4) * 4, samples, query);
		c.from += kSlab;
		c.query += kSlab;
		__syncthreads();
		multiply_slab(strip, samples, query);
		__syncthreads();
	}
	clear_padding(room);
	__syncthreads(); /* spread() writes the padding of the stretches, too */
	spread(strip, room);
	__syncthreads();
	store_volume(room, volume + (blockIdx.x * a.frames + t0) * kRow, frames);
}

/* ---- the layer --------------------------------------------------------------------------------------------------- */

/* y [rows, out] of a part, from its volume. */
struct layer {
	const float *volume, *weights, *bias;
	float *y;
	int64_t rows, out, ldy;
};

/* Not inlined: 96 copies of erfcf in a thread's epilogue are more machine code than all the rest. */
static __device__ __noinline__ float gelu(float x)
{
	return 0.5f * x * erfcf(-0.70710678f * x);
}

static __device__ __forceinline__ void store_result(const struct layer &g, int64_t row, int64_t column, float v)
{
	if (row < g.rows && column < g.out)
		g.y[row * g.ldy + column] = gelu(g.bias ? v + g.bias[column] : v);
}

constexpr int kFfmaSlab = 16;
constexpr int kFfmaThreads = 384; /* 8 x 8 results each; 12 warps, 4 by 3 */
constexpr int kFfmaLeft = kTile + 4,
              kFfmaRight = kColumns + 4; /* 16 bytes aligned, and the transposing stores spread */

struct ffma_room {
	float left[2][kFfmaSlab][kFfmaLeft], right[2][kFfmaSlab][kFfmaRight];
};

/*
 * The vectors of a slab that a thread brings: floats 4 q .. of rows r and r + 96 of either operand. Of the left one
 * only the first warps bring a second.
 */
struct ffma_slab {
	float4 left[2], right[2];
};

constexpr int kFfmaStep = kFfmaThreads / (kFfmaSlab / 4);
static_assert(kColumns == 2 * kFfmaStep && kTile > kFfmaStep && kTile < 2 * kFfmaStep, "two rows a thread are all");

/* Where they come from. Rows of the volume beyond the last are zeros; those of the weights are there. */
struct ffma_source {
	const float *left, *right;
	bool there[2];
};

static __device__ __forceinline__ struct ffma_source source_of(const struct layer &g, int64_t row0, int64_t column0)
{
	int r = threadIdx.x / (kFfmaSlab / 4), q = threadIdx.x % (kFfmaSlab / 4);

	return { g.volume + (row0 + r) * kRow + 4 * q, g.weights + (column0 + r) * kRow + 4 * q,
		{ row0 + r < g.rows, r + kFfmaStep < kTile && row0 + r + kFfmaStep < g.rows } };
}

static __device__ __forceinline__ struct ffma_slab fetch(struct ffma_source &from)
{
	struct ffma_slab s;

#pragma unroll
	for (int i = 0; i < 2; i++) {
		s.left[i] = from.there[i] ? *reinterpret_cast<const float4 *>(from.left + i * kFfmaStep * kRow)
		                          : splat(0.0f);
		s.right[i] = *reinterpret_cast<const float4 *>(from.right + i * kFfmaStep * kRow);
	}
	from.left += kFfmaSlab;
	from.right += kFfmaSlab;
	return s;
}

/* `line` floats from one of the slab's rows to the next. */
static __device__ __forceinline__ void transpose(float *to, int line, float4 v)
{
	to[0] = v.x;
	to[line] = v.y;
	to[2 * line] = v.z;
	to[3 * line] = v.w;
}

static __device__ __forceinline__ void keep_slab(struct ffma_room &room, int half, const struct ffma_slab &s)
{
	int r = threadIdx.x / (kFfmaSlab / 4), k = threadIdx.x % (kFfmaSlab / 4) * 4;

	transpose(&room.left[half][k][r], kFfmaLeft, s.left[0]);
	if (r + kFfmaStep < kTile)
		transpose(&room.left[half][k][r + kFfmaStep], kFfmaLeft, s.left[1]);
	transpose(&room.right[half][k][r], kFfmaRight, s.right[0]);
	transpose(&room.right[half][k][r + kFfmaStep], kFfmaRight, s.right[1]);
}

/*
 * A thread's 8 x 8 results: rows 4 and 4, 16 apart; columns 4 and 4, 32 apart. Warps 4 by 3, lanes 4 by 8, so that a
 * warp reads whole lines of shared memory.
 */
static __device__ __forceinline__ int first_row(void)
{
	return threadIdx.x / kWarp / 3 * 32 + threadIdx.x % kWarp / 8 * 4;
}

static __device__ __forceinline__ int first_column(void)
{
	return threadIdx.x / kWarp % 3 * 64 + threadIdx.x % 8 * 4;
}

static __device__ __forceinline__ void multiply_slab(float sum[8][8], const struct ffma_room &room, int half)
{
	int row = first_row(), column = first_column();

#pragma unroll
	for (int k = 0; k < kFfmaSlab; k++) {
		float a[8], b[8];

		*reinterpret_cast<float4 *>(a) = *reinterpret_cast<const float4 *>(&room.left[half][k][row]);
		*reinterpret_cast<float4 *>(a + 4) = *reinterpret_cast<const float4 *>(&room.left[half][k][row + 16]);
		*reinterpret_cast<float4 *>(b) = *reinterpret_cast<const float4 *>(&room.right[half][k][column]);
		*reinterpret_cast<float4 *>(b + 4) =
		        *reinterpret_cast<const float4 *>(&room.right[half][k][column + 32]);
#pragma unroll
		for (int i = 0; i < 8; i++)
#pragma unroll
			for (int j = 0; j < 8; j++)
				sum[i][j] = fmaf(a[i], b[j], sum[i][j]);
	}
}

/* Grid: tiles of columns, tiles of rows. While a slab is multiplied the next one is on its way to registers. */
static __global__ void __launch_bounds__(kFfmaThreads, 1) corr_layer_ffma(const struct layer g)
{
	__shared__ __align__(16) struct ffma_room room;
	int64_t row0 = (int64_t)blockIdx.y * kTile, column0 = (int64_t)blockIdx.x * kColumns;
	struct ffma_source from = source_of(g, row0, column0);
	float sum[8][8] = {};

	keep_slab(room, 0, fetch(from));
	__syncthreads();
	for (int s = 0; s < kRow / kFfmaSlab; s++) {
		bool more = s + 1 < kRow / kFfmaSlab;
		struct ffma_slab next;

		if (more)
			next = fetch(from);
		multiply_slab(sum, room, s % 2);
		if (more)
			keep_slab(room, (s + 1) % 2, next);
		__syncthreads();
	}
#pragma unroll
	for (int i = 0; i < 8; i++)
#pragma unroll
		for (int j = 0; j < 8; j++)
			store_result(g, row0 + first_row() + i / 4 * 16 + i % 4,
			        column0 + first_column() + j / 4 * 32 + j % 4, sum[i][j]);
}

/*
 * TF32: slabs of 32 in stages of shared memory, 40 KiB each, filled by cp.async. Vector v of a row lies at v ^ (row %
 * 8), so that neither copies nor ldmatrix meet in a bank.
 */
constexpr int kMmaThreads = 256;
constexpr int kMmaSlab = 32;
constexpr int kStageFloats = (kTile + kColumns) * kMmaSlab;

static __device__ __forceinline__ int swizzled(int row, int vector)
{
	return row * kMmaSlab + (vector ^ row % 8) * 4;
}

/* The first `bytes` of 16 bytes to shared memory, zeros in place of the rest. */
static __device__ __forceinline__ void copy_async(float *to, const float *from, int bytes)
{
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((uint32_t)__cvta_generic_to_shared(to)),
	             "l"(from), "r"(bytes)
	             : "memory");
}

/* What a thread brings of a slab: vector v of rows r, r + 32, .. of either operand. */
constexpr int kCopyStep = kMmaThreads / (kMmaSlab / 4);
constexpr int kLeftCopies = kTile / kCopyStep, kRightCopies = kColumns / kCopyStep;

struct mma_source {
	const float *left, *right;
	int bytes[kLeftCopies]; /* of the left operand's rows: none beyond the last one */
	int to;
};

static __device__ __forceinline__ struct mma_source mma_source_of(const struct layer &g, int64_t row0, int64_t column0)
{
	int r = threadIdx.x / (kMmaSlab / 4), v = threadIdx.x % (kMmaSlab / 4);
	struct mma_source from = { g.volume + (row0 + r) * kRow + 4 * v, g.weights + (column0 + r) * kRow + 4 * v, {},
		swizzled(r, v) };

#pragma unroll
	for (int i = 0; i < kLeftCopies; i++)
		from.bytes[i] = row0 + r + i * kCopyStep < g.rows ? 16 : 0;
	return from;
}

/* Rows kCopyStep apart have the same remainder by 8, and so the same swizzle. */
static __device__ __forceinline__ void fetch_stage(struct mma_source &from, float *stage)
{
	stage += from.to;
#pragma unroll
	for (int i = 0; i < kLeftCopies; i++)
		copy_async(stage + i * kCopyStep * kMmaSlab, from.left + i * kCopyStep * kRow, from.bytes[i]);
#pragma unroll
	for (int i = 0; i < kRightCopies; i++)
		copy_async(stage + (kTile + i * kCopyStep) * kMmaSlab, from.right + i * kCopyStep * kRow, 16);
	from.left += kMmaSlab;
	from.right += kMmaSlab;
}

static __device__ __forceinline__ void commit_stage(void)
{
	asm volatile("cp.async.commit_group;" ::: "memory");
}

/* A warp's 64 x 48 results: 4 by 6 products of 16 x 8. Warps 2 by 4. */
constexpr int kWarpColumns = kColumns / 4, kWarpTiles = kWarpColumns / 8;

struct mma_tile {
	float sum[4][kWarpTiles][4];
};

static __device__ __forceinline__ void multiply_stage(struct mma_tile &tile, const float *stage)
{
	int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
	int row = warp % 2 * 64 + left_row(lane), column = warp / 2 * kWarpColumns + right_column(lane);

#pragma unroll
	for (int k = 0; k < kMmaSlab / 8; k++) {
		uint32_t a[4][4], b[kWarpTiles][2];

#pragma unroll
		for (int i = 0; i < 4; i++)
			load_fragments(a[i], stage + swizzled(row + i * 16, 2 * k + lane / 16));
#pragma unroll
		for (int j = 0; j < kWarpTiles; j += 2)
			load_fragments(b[j], stage + kTile * kMmaSlab + swizzled(column + j * 8, 2 * k + lane / 8 % 2));
#pragma unroll
		for (int i = 0; i < 4; i++)
#pragma unroll
			for (int j = 0; j < kWarpTiles; j++)
				multiply(tile.sum[i][j], a[i], b[j]);
	}
}

static __device__ __forceinline__ void store_tile(
        const struct layer &g, const struct mma_tile &tile, int64_t row0, int64_t column0)
{
	int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
	int64_t row = row0 + warp % 2 * 64 + lane / 4, column = column0 + warp / 2 * kWarpColumns + lane % 4 * 2;

#pragma unroll
	for (int i = 0; i < 4; i++)
#pragma unroll
		for (int j = 0; j < kWarpTiles; j++)
#pragma unroll
			for (int k = 0; k < 4; k++)
				store_result(g, row + i * 16 + k / 2 * 8, column + j * 8 + k % 2, tile.sum[i][j][k]);
}

template <int stage_count>
static __global__ void __launch_bounds__(kMmaThreads, 1) corr_layer_tf32(const struct layer g)
{
	extern __shared__ __align__(128) float stages[];
	constexpr int slabs = kRow / kMmaSlab;
	int64_t row0 = (int64_t)blockIdx.y * kTile, column0 = (int64_t)blockIdx.x * kColumns;
	struct mma_source from = mma_source_of(g, row0, column0);
	struct mma_tile tile = {};
	int at = 0, next = stage_count - 1; /* stages */

	for (int s = 0; s < stage_count - 1; s++) {
		fetch_stage(from, stages + s * kStageFloats);
		commit_stage();
	}
	for (int s = 0; s < slabs; s++) {
		/* Slab s has come for all threads, and all are done with the one before: its stage is filled anew. */
		asm volatile("cp.async.wait_group %0;" ::"n"(stage_count - 2) : "memory");
		__syncthreads();
		if (s + stage_count - 1 < slabs)
			fetch_stage(from, stages + next * kStageFloats);
		commit_stage();
		multiply_stage(tile, stages + at * kStageFloats);
		at = at + 1 == stage_count ? 0 : at + 1;
		next = next + 1 == stage_count ? 0 : next + 1;
	}
	store_tile(g, tile, row0, column0);
}

/* ---- the op ------------------------------------------------------------------------------------------------------ */

static int queue_weights(const struct sb_corr_args *a, struct sb_cuda_launch *l, bool rounded, float *weights)
{
	unsigned rows = (unsigned)round_up(a->out, kColumns);

	if (rounded)
		corr_weights<true><<<rows, kThreads, 0, stream_of(l)>>>(a->w, a->out, a->ldw, weights);
	else
		corr_weights<false><<<rows, kThreads, 0, stream_of(l)>>>(a->w, a->out, a->ldw, weights);
	return launched(l, "corr_weights");
}

static int queue_volume(const struct sb_corr_args *a, struct sb_cuda_launch *l, bool rounded, int64_t first,
        int64_t points, float *volume)
{
	dim3 grid((unsigned)points, blocks_for(a->frames, kFrames));
	bool all_wide = wide(a->map, a->c) && wide(a->query, 0);

	if (rounded && all_wide)
		corr_volume_tf32<true><<<grid, kVolumeThreads, 0, stream_of(l)>>>(*a, first, volume);
	else if (rounded)
		corr_volume_tf32<false><<<grid, kVolumeThreads, 0, stream_of(l)>>>(*a, first, volume);
	else if (all_wide)
		corr_volume_ffma<true><<<grid, kVolumeThreads, 0, stream_of(l)>>>(*a, first, volume);
	else
		corr_volume_ffma<false><<<grid, kVolumeThreads, 0, stream_of(l)>>>(*a, first, volume);
	return launched(l, "corr_volume");
}

template <int stages> static int queue_layer_tf32(const struct layer *g, dim3 grid, struct sb_cuda_launch *l)
{
	constexpr int bytes = stages * kStageFloats * 4;
	cudaError_t status =
	        cudaFuncSetAttribute(corr_layer_tf32<stages>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);

	if (status != cudaSuccess)
		return (int)status;
	corr_layer_tf32<stages><<<grid, kMmaThreads, bytes, stream_of(l)>>>(*g);
	return launched(l, "corr_tf32");
}

/* Four stages are 160 KiB, which multiprocessors have that are made for computing; two are 80. */
static int queue_layer(const struct layer *g, struct sb_cuda_launch *l, bool rounded)
{
	dim3 grid(blocks_for(g->out, kColumns), blocks_for(g->rows, kTile));
	bool large = l->capability == 80 || l->capability == 87 || (l->capability >= 90 && l->capability < 120);

	if (rounded)
		return large ? queue_layer_tf32<4>(g, grid, l) : queue_layer_tf32<2>(g, grid, l);
	corr_layer_ffma<<<grid, kFfmaThreads, 0, stream_of(l)>>>(*g);
	return launched(l, "corr");
}

int sb_corr_cuda(const struct sb_corr_args *a, struct sb_cuda_launch *l)
{
	bool rounded = a->tf32 || l->tf32;
	struct corr_layout c;
	float *weights = (float *)l->work, *volume;
	int status;

	if (a->n == 0 || a->frames == 0 || a->out == 0)
		return 0;
	c = layout_of(a, l);
	volume = weights + c.weight_floats;
	status = queue_weights(a, l, rounded, weights);
	for (int64_t n = 0; !status && n < a->n; n += c.points_at_once) {
		int64_t points = a->n - n < c.points_at_once ? a->n - n : c.points_at_once;
		struct layer g = { volume, weights, a->bias, a->y + n * a->frames * a->ldy, points * a->frames, a->out,
			a->ldy };

		status = queue_volume(a, l, rounded, n, points, volume);
		if (!status)
			status = queue_layer(&g, l, rounded);
	}
	return status;
}
