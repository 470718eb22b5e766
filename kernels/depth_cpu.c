/*
 * depth on the CPU: the clean-up of depth maps and the look-up of depths along tracks. What decides is float32 by
 * definition, so this file is compiled without fused multiply-add. Order statistics are exact: counts of the leading
 * bits, then of the next, which for positive floats are their order; counts are integers, so threads cannot change
 * them.
 */
#include "track.h"

#include <math.h>

#include "cpu_loop.h"
#include "patch_axis.h"
#include "track_internal.h"

/* Elements below which the other threads are not woken. */
#define MIN_PARALLEL 16384

/* ---- order statistics ------------------------------------------------------------------------------------------- */

#define BUCKETS 2048
#define SHARES  16 /* tasks of a count, each with its own buckets */

/* Values, of which those above 0 (NaN is not) take part, and where to count them: [SHARES, BUCKETS]. */
struct sample {
	const float *v;
	int64_t n;
	uint32_t *buckets;
};

static size_t bucket_bytes(void)
{
	return sizeof(uint32_t) * SHARES * BUCKETS;
}

/* Those whose bits above `shift` + `width` are `prefix`, by the `width` bits above `shift`; of one share. */
static void count_share(const struct sample *s, int64_t share, int64_t shares, uint32_t prefix, int shift, int width)
{
	uint32_t *count = s->buckets + share * BUCKETS, mask = (1u << width) - 1u;
	int64_t end = s->n * (share + 1) / shares;

	for (int i = 0; i < BUCKETS; i++)
		count[i] = 0;
	for (int64_t i = s->n * share / shares; i < end; i++) {
		uint32_t bits = sb_float_bits(s->v[i]);

		if (s->v[i] > 0.0f && (uint64_t)bits >> (shift + width) == prefix)
			count[bits >> shift & mask]++;
	}
}

static void count_bits(const struct sample *s, uint32_t prefix, int shift, int width, int64_t total[BUCKETS])
{
	int64_t shares = sb_min64(s->n / MIN_PARALLEL + 1, SHARES);

	SB_PARALLEL_FOR(static, shares > 1, i, shares, count_share(s, i, shares, prefix, shift, width));
	for (int i = 0; i < BUCKETS; i++) {
		total[i] = 0;
		for (int64_t share = 0; share < shares; share++)
			total[i] += s->buckets[share * BUCKETS + i];
	}
}

static int64_t count_positive(const struct sample *s)
{
	int64_t total[BUCKETS], count = 0;

	count_bits(s, 0, 21, 11, total);
	for (int i = 0; i < BUCKETS; i++)
		count += total[i];
	return count;
}

/* The element of rank `rank` (0-based) among the positive ones, of which there are more. NaN is not positive. */
static float order_statistic(const struct sample *s, int64_t rank)
{
	static const struct {
		int shift, width;
	} digits[] = { { 21, 11 }, { 10, 11 }, { 0, 10 } };
	uint32_t prefix = 0;

	for (size_t i = 0; i < sizeof(digits) / sizeof(digits[0]); i++) {
		int64_t count[BUCKETS];
		uint32_t bucket = 0;

		count_bits(s, prefix, digits[i].shift, digits[i].width, count);
		for (; rank >= count[bucket]; bucket++)
			rank -= count[bucket];
		prefix = prefix << digits[i].width | bucket;
	}
	return sb_bits_float(prefix);
}

/* Of the positive elements, interpolated linearly; NaN if there are none. */
static double quantile(const struct sample *s, int64_t positive, double q)
{
	double at = q * (double)(positive - 1), low, high;
	int64_t rank = (int64_t)at;

	if (positive == 0)
		return (double)NAN;
	low = (double)order_statistic(s, rank);
	high = (double)order_statistic(s, sb_min64(rank + 1, positive - 1));
	return low + (at - (double)rank) * (high - low);
}

/* ---- look-up along tracks --------------------------------------------------------------------------------------- */

struct snap {
	float *zs, *d1, *d2; /* [n frames]; the last two absolute, 0 where they do not exist */
};

size_t sb_depth_snap_cpu_workspace(const struct sb_depth_snap_args *a)
{
	return bucket_bytes() + (size_t)(3 * a->n * a->frames) * sizeof(float);
}

/* Of the 49 depths around px, the nearest to z; 0 when none is at a finite distance. */
static float nearest_depth(const struct sb_depth_snap_args *a, const float *pmap, const float *px, float z)
{
	struct sb_patch_axis x = sb_patch_axis_of(px[0], 1.0f, a->w, 3),
	                     y = sb_patch_axis_of(px[1], 1.0f, a->h, a->w * 3);
	double fx = x.frac, fy = y.frac;
	float best = 0.0f, distance = INFINITY;

	for (int i = 0; i < SB_PATCH_SIDE; i++) {
		double line[SB_PATCH_WINDOW];

		for (int j = 0; j < SB_PATCH_WINDOW; j++) {
			double left = (double)pmap[y.at[j] + x.at[i] + 2],
			       right = (double)pmap[y.at[j] + x.at[i + 1] + 2];

			line[j] = left + fx * (right - left);
		}
		for (int j = 0; j < SB_PATCH_SIDE; j++) {
			float v = (float)(line[j] + fy * (line[j + 1] - line[j])), d = sb_absf(v - z);

			if (d < distance) {
				distance = d;
				best = v;
			}
		}
	}
	return best;
}

/* Whether the pixel next to px is inside and valid; NaN is outside. */
static int pixel_valid(const struct sb_depth_snap_args *a, const float *valid, const float *px)
{
	double x = rint((double)px[0]), y = rint((double)px[1]);

	if (!(x >= 0.0 && x <= (double)(a->w - 1) && y >= 0.0 && y <= (double)(a->h - 1)))
		return 0;
	return valid[(int64_t)y * a->w + (int64_t)x] >= 0.5f;
}

static void look_up(const struct sb_depth_snap_args *a, int64_t row, float *zs)
{
	const float *px = a->px + 2 * row;
	int64_t at = row % a->frames * a->h * a->w;

	zs[row] = pixel_valid(a, a->valid + at, px) ? nearest_depth(a, a->pmap + 3 * at, px, a->z[row]) : 0.0f;
}

static void differences(const struct sb_depth_snap_args *a, int64_t row, const struct snap *s)
{
	int64_t t = row % a->frames;
	float z0 = a->z0[row / a->frames], here = s->zs[row] - z0, after = 0.0f;

	s->d1[row] = 0.0f;
	s->d2[row] = 0.0f;
	if (t + 1 < a->frames) {
		after = s->zs[row + 1] - z0;
		s->d1[row] = sb_absf(after - here);
	}
	if (t > 0 && t + 1 < a->frames)
		s->d2[row] = sb_absf(after - 2.0f * here + (s->zs[row - 1] - z0));
}

static void replace_row(const struct sb_depth_snap_args *a, int64_t row, float zs)
{
	double ray[3];

	sb_unproject(a->k + row % a->frames * 9, (double)a->px[2 * row], (double)a->px[2 * row + 1], ray);
	a->z[row] = zs;
	for (int c = 0; c < 3; c++)
		a->A[3 * row + c] = (float)(ray[c] * (double)zs); /* zs > 0: its sign changes nothing */
}

/* What the two differences of a replaced row must be below; `on` when there is anything to filter. */
struct filter {
	double most1, most2;
	int on;
};

static struct filter filter_of(const struct sb_depth_snap_args *a, const struct snap *s, uint32_t *buckets)
{
	struct sample d1 = { s->d1, a->n * a->frames, buckets }, d2 = { s->d2, a->n * a->frames, buckets };
	int64_t bent = count_positive(&d2);
	struct filter f = { .on = bent > 0 };

	if (f.on) {
		f.most1 = quantile(&d1, count_positive(&d1), 0.2);
		f.most2 = quantile(&d2, bent, 0.2);
	}
	return f;
}

static void filter_row(const struct sb_depth_snap_args *a, int64_t row, const struct snap *s, const struct filter *f)
{
	int64_t t = row % a->frames;
	int smooth = t >= 1 && t + 1 < a->frames && (double)s->d2[row] < f->most2 && (double)s->d1[row] < f->most1;

	if (s->zs[row] > 0.0f && a->vis[row] > 0.0f && (!f->on || smooth))
		replace_row(a, row, s->zs[row]);
}

void sb_depth_snap_cpu(const struct sb_depth_snap_args *a, void *work)
{
	int64_t rows = a->n * a->frames;
	uint32_t *buckets = work;
	struct snap s = { .zs = (float *)(buckets + SHARES * BUCKETS) };
	struct filter f;

	s.d1 = s.zs + rows;
	s.d2 = s.d1 + rows;
	SB_PARALLEL_FOR(static, 1, row, rows, look_up(a, row, s.zs));
	SB_PARALLEL_FOR(static, rows >= MIN_PARALLEL, row, rows, differences(a, row, &s));
	f = filter_of(a, &s, buckets);
	SB_PARALLEL_FOR(static, rows >= MIN_PARALLEL, row, rows, filter_row(a, row, &s, &f));
}

/* ---- clean-up --------------------------------------------------------------------------------------------------- */

#define NEAREST 0.1f
#define EDGE    0.03f
#define PIECE   256 /* columns of a row at a time */

size_t sb_depth_clean_cpu_workspace(const struct sb_depth_clean_args *a)
{
	(void)a;
	return bucket_bytes();
}

struct limits {
	float upper; /* the end of the region of interest */
	float far;   /* what lies beyond becomes 0 */
};

static struct limits limits_of(const struct sample *depth)
{
	int64_t positive = count_positive(depth);
	float q25, q75, upper, far;

	if (positive == 0)
		return (struct limits){ 0.0f, 0.0f };
	q25 = order_statistic(depth, sb_max64((int64_t)(0.25 * (double)positive), 1) - 1);
	q75 = order_statistic(depth, sb_max64((int64_t)(0.75 * (double)positive), 1) - 1);
	far = 10.0f * q25;
	upper = q75 + 0.8f * (q75 - q25);
	upper = upper > 1e-6f ? upper : 1e-6f;
	return (struct limits){ .upper = upper < far ? upper : far, .far = far };
}

SB_INLINE int of_interest(float d, float upper)
{
	return (d > NEAREST) & (d < upper);
}

/* Largest and smallest of interest in columns x0 - 1 .. x0 + n of up to three rows; element 0 belongs to x0 - 1. */
SB_INLINE void column_range(const float *const *rows, int count, int64_t w, int64_t x0, int64_t n, float upper,
        float *restrict hi, float *restrict lo)
{
	int64_t from = x0 > 0 ? 0 : 1, to = sb_min64(n + 2, w - x0 + 1);

	for (int64_t i = 0; i < n + 2; i++) {
		hi[i] = -INFINITY;
		lo[i] = INFINITY;
	}
	for (int r = 0; r < count; r++) {
		const float *row = rows[r];

#pragma omp simd
		for (int64_t i = from; i < to; i++) {
			float d = row[x0 - 1 + i];
			int roi = of_interest(d, upper);

			hi[i] = (roi & (d > hi[i])) ? d : hi[i];
			lo[i] = (roi & (d < lo[i])) ? d : lo[i];
		}
	}
}

/* Columns x0 .. x0 + n - 1 of one row. rows: those that exist of the one above, itself and the one below. */
SB_HOT static void valid_piece(const float *const *rows, int count, const float *depth, int64_t w, int64_t x0,
        int64_t n, float upper, float *valid)
{
	float hi[PIECE + 2], lo[PIECE + 2];

	column_range(rows, count, w, x0, n, upper, hi, lo);
#pragma omp simd
	for (int64_t i = 0; i < n; i++) {
		float d = depth[x0 + i], h = sb_maxf(sb_maxf(hi[i], hi[i + 1]), hi[i + 2]);
		float l = -sb_maxf(sb_maxf(-lo[i], -lo[i + 1]), -lo[i + 2]);

		valid[x0 + i] = (of_interest(d, upper) & !((h - l) / d > EDGE)) ? 1.0f : 0.0f;
	}
}

SB_HOT static void keep_confident(const float *conf, float *valid, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		valid[i] = conf[i] > 0.5f ? valid[i] : 0.0f;
}

static void valid_row(const struct sb_depth_clean_args *a, int64_t line, float upper)
{
	int64_t y = line % a->h, at = line * a->w;
	const float *rows[3];
	int count = 0;

	for (int64_t dy = y > 0 ? -1 : 0; dy <= (y + 1 < a->h ? 1 : 0); dy++)
		rows[count++] = a->depth + at + dy * a->w;
	for (int64_t x0 = 0; x0 < a->w; x0 += PIECE)
		valid_piece(rows, count, a->depth + at, a->w, x0, sb_min64(PIECE, a->w - x0), upper, a->valid + at);
	if (a->conf)
		keep_confident(a->conf + at, a->valid + at, a->w);
}

/* NaN is not within the limit either. */
SB_HOT static void drop_far(float *depth, int64_t n, float far)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		depth[i] = depth[i] <= far ? depth[i] : 0.0f;
}

static void finish_row(const struct sb_depth_clean_args *a, int64_t line, float far)
{
	if (a->apply)
		drop_far(a->depth + line * a->w, a->w, far);
	else
		for (int64_t i = 0; i < a->w; i++)
			a->valid[line * a->w + i] = 1.0f;
}

void sb_depth_clean_cpu(const struct sb_depth_clean_args *a, void *work)
{
	struct sample depth = { a->depth, a->frames * a->h * a->w, work };
	struct limits limits = limits_of(&depth);
	int64_t lines = a->frames * a->h;

	SB_PARALLEL_FOR(static, depth.n >= MIN_PARALLEL, line, lines, valid_row(a, line, limits.upper));
	/* Only now: rows read their neighbours. */
	SB_PARALLEL_FOR(static, depth.n >= MIN_PARALLEL, line, lines, finish_row(a, line, limits.far));
}
