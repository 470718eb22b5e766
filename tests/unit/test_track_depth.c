#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "kernel_check.h"
#include "sb_base.h"
#include "track.h"

/* ---- clean-up --------------------------------------------------------------------------------------------------- */

static void clean(const struct sb_depth_clean_args *a, int reference)
{
	size_t bytes = sb_depth_clean_cpu_workspace(a);
	float *work = kc_poisoned((int64_t)(bytes / sizeof(float)));

	for (int64_t i = 0; i < a->frames * a->h * a->w; i++)
		a->valid[i] = NAN;
	if (reference)
		sb_depth_clean_ref(a);
	else
		sb_depth_clean_cpu(a, work);
	free(work);
}

/* n depths as frames of one pixel, so that no edge shows. */
static void check_clean(
        const float *depth, int n, const float *conf, int apply, const float *expect_depth, const float *expect_valid)
{
	for (int reference = 0; reference < 2; reference++) {
		float d[16], valid[16];
		struct sb_depth_clean_args a = {
			.depth = d, .valid = valid, .conf = conf, .frames = n, .h = 1, .w = 1, .apply = apply
		};

		memcpy(d, depth, (size_t)n * sizeof(*d));
		clean(&a, reference);
		for (int i = 0; i < n; i++)
			if (!(d[i] == expect_depth[i] && valid[i] == expect_valid[i])) {
				print_error("%s: pixel %d: depth %g valid %g\n", reference ? "ref" : "cpu", i,
				        (double)d[i], (double)valid[i]);
				fail();
			}
	}
}

/* q25 is the 2nd of 8, q75 the 6th: 2 and 6; the limit is 6 + 0.8 * 4 = 9.2, far is 20. */
static void quartiles_set_the_region_and_far_depths_become_0(void **state)
{
	static const float depth[10] = { 9.203125f, 6, 2, 21, 5, 0, 1, 3, -4, 4 };
	static const float kept[10] = { 9.203125f, 6, 2, 0, 5, 0, 1, 3, -4, 4 };
	static const float valid[10] = { 0, 1, 1, 0, 1, 0, 1, 1, 0, 1 };
	static const float near9[10] = { 9.1875f, 6, 2, 20, 5, 0, 1, 3, -4, 4 };
	static const float near9_valid[10] = { 1, 1, 1, 0, 1, 0, 1, 1, 0, 1 };

	(void)state;
	check_clean(depth, 10, NULL, 1, kept, valid);
	check_clean(near9, 10, NULL, 1, near9, near9_valid);
}

static void the_limit_is_at_most_ten_lower_quartiles(void **state)
{
	/* q25 1, q75 30: 30 + 0.8 * 29 is more than 10 */
	static const float depth[8] = { 1, 1, 9, 10, 30, 30, 40, 10.5f };
	static const float kept[8] = { 1, 1, 9, 10, 0, 0, 0, 0 };
	static const float valid[8] = { 1, 1, 1, 0, 0, 0, 0, 0 };

	(void)state;
	check_clean(depth, 8, NULL, 1, kept, valid);
}

static void near_and_unsure_depths_are_not_valid(void **state)
{
	static const float depth[6] = { 0.1f, 0.10000001f, 0.2f, 0.2f, 0.2f, 0.2f },
	                   conf[6] = { 1, 1, 0.5f, 0.500001f, NAN, 1 };
	static const float valid[6] = { 0, 1, 0, 1, 0, 1 };

	(void)state;
	check_clean(depth, 6, conf, 1, depth, valid);
}

static void nothing_positive_is_nothing_valid(void **state)
{
	static const float depth[4] = { 0, -1, NAN, -INFINITY }, kept[4] = { 0, -1, 0, -INFINITY }, none[4] = { 0 };

	(void)state;
	check_clean(depth, 4, NULL, 1, kept, none);
}

static void equal_and_few_depths_have_quartiles_too(void **state)
{
	/* all equal: the limit is that depth, and nothing is below it */
	static const float equal[5] = { 2, 2, 2, 2, 2 }, none[5] = { 0 };
	/* fewer than four: rank 1, so that both quartiles of these are 1 and 2 (int(2.25) = 2) */
	static const float few[3] = { 1, 2, 4 }, few_valid[3] = { 1, 1, 0 };
	static const float one[1] = { 3 };

	(void)state;
	check_clean(equal, 5, NULL, 1, equal, none);
	check_clean(few, 3, NULL, 1, few, few_valid);
	check_clean(one, 1, NULL, 1, one, none);
}

static void nan_is_not_positive_and_becomes_0(void **state)
{
	static const float depth[10] = { NAN, 1, 2, 3, 4, 5, 6, 7, 8, INFINITY };
	static const float kept[10] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 0 };
	/* 9 positive: 2nd and 6th, 2 and 6: limit 9.2 */
	static const float valid[10] = { 0, 1, 1, 1, 1, 1, 1, 1, 1, 0 };

	(void)state;
	check_clean(depth, 10, NULL, 1, kept, valid);
}

static void planted_depths_are_left_and_all_valid(void **state)
{
	static const float depth[6] = { -1, 0, 1, 100, 2, 3 }, all[6] = { 1, 1, 1, 1, 1, 1 }, conf[6] = { 0 };

	(void)state;
	check_clean(depth, 6, conf, 0, depth, all);
}

/* Depth 2 with a 2.0625 at (2, 2): 0.0625 / 2 is an edge for its neighbours, 0.0625 / 2.0625 > 0.03 for itself too. */
static void an_edge_takes_the_three_by_three_around_it(void **state)
{
	enum { H = 6, W = 7 };

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		float depth[2 * H * W], valid[2 * H * W];
		struct sb_depth_clean_args a = {
			.depth = depth, .valid = valid, .frames = 2, .h = H, .w = W, .apply = 1
		};

		/* quartiles 1.9 and 2: the limit is 2.08 */
		for (int i = 0; i < 2 * H * W; i++)
			depth[i] = i < H * W ? 2.0f : 1.9f;
		depth[2 * W + 2] = 2.0625f;
		clean(&a, reference);
		for (int y = 0; y < H; y++)
			for (int x = 0; x < W; x++) {
				int edge = x >= 1 && x <= 3 && y >= 1 && y <= 3;

				assert_true(valid[y * W + x] == (edge ? 0.0f : 1.0f));
				assert_true(valid[H * W + y * W + x] == 1.0f); /* frames do not see each other */
			}
	}
}

/* What is not of interest makes no edge: a hole of 0 and a far pixel. */
static void holes_make_no_edge(void **state)
{
	enum { H = 5, W = 5 };

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		float depth[H * W], valid[H * W];
		struct sb_depth_clean_args a = {
			.depth = depth, .valid = valid, .frames = 1, .h = H, .w = W, .apply = 1
		};

		for (int i = 0; i < H * W; i++)
			depth[i] = 2.0f + 0.001f * (float)(i % 5);
		depth[7] = 0.0f;
		depth[17] = 90.0f;
		depth[12] = NAN;
		clean(&a, reference);
		/* the limit is 2.003 + 0.8 * 0.002: everything else is below */
		for (int i = 0; i < H * W; i++) {
			int hole = i == 7 || i == 12 || i == 17;

			assert_true(valid[i] == (hole ? 0.0f : 1.0f) && (depth[i] == 0.0f) == hole);
		}
	}
}

struct map_shape {
	int64_t frames, h, w;
	/* 0 smooth, 1 with holes, NaN and far ones, 2 few values (ties), 3 nothing valid, 4 no two alike, dense at the
	 * limit */
	int kind;
};

static const struct map_shape maps[] = {
	{ 1, 1, 1, 0 },
	{ 1, 1, 300, 0 },
	{ 1, 300, 1, 1 },
	{ 2, 3, 255, 1 },
	{ 3, 4, 256, 0 },
	{ 2, 5, 257, 1 },
	{ 4, 37, 61, 1 },
	{ 5, 37, 61, 2 },
	{ 2, 30, 40, 3 },
	{ 3, 84, 147, 0 },
	{ 3, 84, 147, 1 },
	{ 1, 9, 513, 2 },
	{ 32768, 1, 1, 4 },
	{ 40001, 1, 1, 4 },
	{ 50002, 1, 1, 4 },
	{ 70003, 1, 1, 4 },
};

static float *depths(const struct map_shape *s)
{
	int64_t n = s->frames * s->h * s->w;
	float *d = kc_gauss(n, 3, 0.0, 0.004), *dice = kc_gauss(n, 4, 0.0, 1.0);

	for (int64_t i = 0; i < n; i++) {
		d[i] += 3.0f + 0.5f * sinf((float)(i % s->w) / 15.0f) + 0.3f * cosf((float)(i / s->w) / 9.0f);
		if (s->kind == 1 && fabsf(dice[i]) > 1.8f)
			d[i] = dice[i] > 2.5f ? NAN : dice[i] > 2.2f ? 45.0f : dice[i] > 0.0f ? 0.0f : -dice[i];
		if (s->kind == 2)
			d[i] = floorf(8.0f * (d[i] - 1.5f)) / 8.0f;
		if (s->kind == 3)
			d[i] = -d[i];
		if (s->kind == 4)
			d[i] = 1.0f + 6.0f * powf((float)(i * 7919 % n) / (float)n, 4.0f);
	}
	free(dice);
	return d;
}

static void clean_up_agrees_with_the_sorted_reference(void **state)
{
	int before = omp_get_max_threads();

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(maps) * 2; i++) {
		const struct map_shape *s = &maps[i / 2];
		int64_t n = s->frames * s->h * s->w, some = 0;
		float *conf = kc_gauss(n, 5, 0.8, 0.3), *ref = depths(s), *ref_valid = kc_poisoned(n);
		struct sb_depth_clean_args a = {
			.conf = i % 2 ? conf : NULL, .frames = s->frames, .h = s->h, .w = s->w, .apply = 1
		};

		a.depth = ref;
		a.valid = ref_valid;
		clean(&a, 1);
		for (int threads = 1; threads <= 4; threads += threads) {
			omp_set_num_threads(threads);
			a.depth = depths(s);
			a.valid = kc_poisoned(n);
			clean(&a, 0);
			assert_true(kc_same_bits(a.depth, ref, n) && kc_same_bits(a.valid, ref_valid, n));
			free(a.depth);
			free(a.valid);
		}
		for (int64_t p = 0; p < n; p++)
			some += ref_valid[p] == 1.0f;
		if (n > 2000 && s->kind < 2) /* otherwise the agreement says nothing */
			assert_true(some > n / 20 && some < n);
		free(conf);
		free(ref);
		free(ref_valid);
	}
	omp_set_num_threads(before);
}

/* ---- look-up ---------------------------------------------------------------------------------------------------- */

static void snap(const struct sb_depth_snap_args *a, int reference)
{
	float *work = kc_poisoned((int64_t)(sb_depth_snap_cpu_workspace(a) / sizeof(float)));

	if (reference)
		sb_depth_snap_ref(a);
	else
		sb_depth_snap_cpu(a, work);
	free(work);
}

/*
 * A map with a flat square of 10 x 10 for every track, of depth r[n][frame] in each frame, and each track in the middle
 * of its square: what is looked up is r. z0 is 0, so that r is also what the filter sees. Returns by replaced[n][frame]
 * which were replaced.
 */
static void snap_flat(int n, int frames, const float *r, int reference, int *replaced)
{
	static const float k[9] = { 2, 0, 5, 0, 4, 6, 0, 0, 1 };
	int64_t w = 10 * n, h = 10, rows = (int64_t)n * frames;
	float *pmap = kc_poisoned(frames * h * w * 3), *valid = kc_poisoned(frames * h * w),
	      *px = kc_poisoned(2 * rows);
	float *z0 = calloc((size_t)n, sizeof(*z0)), *vis = kc_poisoned(rows), *ks = kc_poisoned(9 * frames);
	float *z = kc_poisoned(rows), *point = kc_poisoned(3 * rows);
	struct sb_depth_snap_args a = { .pmap = pmap,
		.valid = valid,
		.px = px,
		.z0 = z0,
		.vis = vis,
		.k = ks,
		.z = z,
		.A = point,
		.n = n,
		.frames = frames,
		.h = h,
		.w = w };

	assert_non_null(z0);
	for (int64_t i = 0; i < frames * h * w; i++) {
		pmap[3 * i] = pmap[3 * i + 1] = -99.0f;
		pmap[3 * i + 2] = r[i % w / 10 * frames + i / w / h];
		valid[i] = 1.0f;
	}
	for (int64_t i = 0; i < rows; i++) {
		px[2 * i] = (float)(i / frames) * 10.0f + 4.5f;
		px[2 * i + 1] = 4.25f;
		vis[i] = 0.01f;
		z[i] = 50.0f;
		point[3 * i] = point[3 * i + 1] = point[3 * i + 2] = -1.0f;
	}
	for (int i = 0; i < 9 * frames; i++)
		ks[i] = k[i % 9];
	snap(&a, reference);
	for (int64_t i = 0; i < rows; i++) {
		replaced[i] = z[i] != 50.0f;
		if (replaced[i]) {
			double x = (px[2 * i] - 5.0) / 2.0 * r[i], y = (4.25 - 6.0) / 4.0 * r[i];

			assert_true(z[i] == r[i] && point[3 * i + 2] == r[i]);
			assert_true(fabs(point[3 * i] - x) <= 1e-6 * fabs(x) &&
			            fabs(point[3 * i + 1] - y) <= 1e-6 * fabs(y));
		} else {
			assert_true(point[3 * i] == -1.0f && point[3 * i + 1] == -1.0f && point[3 * i + 2] == -1.0f);
		}
	}
	free(pmap);
	free(valid);
	free(px);
	free(z0);
	free(vis);
	free(ks);
	free(z);
	free(point);
}

/* Tracks of three frames, (8 + v, 8, 8): |d2| is v, |d1| is v and 0. Kept are those below the 0.2-quantile of v. */
static void only_the_smoothest_fifth_is_replaced(void **state)
{
	static const struct {
		int n;
		float v[12];
		int kept;
	} cases[] = {
		{ 1, { 1 }, 0 },                                  /* the quantile is the value */
		{ 4, { 3, 1, 4, 2 }, 1 },                         /* at rank 0.6: 1.6 */
		{ 6, { 6, 5, 4, 3, 2, 1 }, 1 },                   /* at rank 1 exactly: 2, which is not below itself */
		{ 9, { 9, 1, 8, 2, 7, 3, 6, 4, 5 }, 2 },          /* at rank 1.6 */
		{ 11, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, 2 }, /* at rank 2 exactly */
		{ 6, { 2, 2, 2, 2, 2, 2 }, 0 },                   /* ties */
		{ 7, { 0, 0, 0, 3, 1, 4, 2 }, 4 }, /* zeros are kept and do not count: as the second case */
		{ 12, { 0, 9, 0, 1, 0, 8, 2, 7, 3, 6, 4, 5 }, 5 }, /* as the fourth */
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases) * 2; i++) {
		int n = cases[i / 2].n, replaced[36], kept = 0, reference = i % 2 != 0;
		float r[36], limit = 0.0f;

		for (int k = 0; k < n; k++) {
			r[3 * k] = 8.0f + cases[i / 2].v[k];
			r[3 * k + 1] = r[3 * k + 2] = 8.0f;
		}
		snap_flat(n, 3, r, reference, replaced);
		for (int k = 0; k < n; k++) {
			assert_false(replaced[3 * k] || replaced[3 * k + 2]); /* first and last frame never */
			kept += replaced[3 * k + 1];
			limit = replaced[3 * k + 1] && cases[i / 2].v[k] > limit ? cases[i / 2].v[k] : limit;
		}
		assert_int_equal(kept, cases[i / 2].kept);
		for (int k = 0; k < n; k++)
			assert_int_equal(replaced[3 * k + 1], kept > 0 && cases[i / 2].v[k] <= limit);
	}
}

/*
 * Straight lines (8, 8 + s, 8 + 2 s) have d2 = 0: what decides is the next difference, s, against the 0.2-quantile of
 * all non-zero |d1|. The first track bends, so that there is a filter; its |d1| are 1 and 2, the others' twice 1, 2, 3,
 * 4: ten numbers, at rank 1.8 the quantile is 1, which is not below itself; with 0.5 for the first line it is between.
 */
static void the_step_to_the_next_frame_decides_too(void **state)
{
	static const float equal[15] = { 8, 9, 7, 8, 9, 10, 8, 10, 12, 8, 11, 14, 8, 12, 16 };
	static const float smaller[15] = { 8, 9, 7, 8, 8.5f, 9, 8, 10, 12, 8, 11, 14, 8, 12, 16 };

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		int replaced[15], count = 0;

		snap_flat(5, 3, equal, reference, replaced);
		for (int i = 0; i < 15; i++)
			count += replaced[i];
		assert_int_equal(count, 0);
		snap_flat(5, 3, smaller, reference, replaced);
		for (int i = 0; i < 15; i++)
			assert_int_equal(replaced[i], i == 4);
	}
}

static void what_does_not_bend_is_replaced_everywhere(void **state)
{
	static const float level[20] = { 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 8, 8, 8, 8, 9, 9, 9, 9 };
	static const float two[4] = { 5, 9, 7, 3 };
	int replaced[20];

	(void)state;
	for (int reference = 0; reference < 2; reference++) {
		snap_flat(5, 4, level, reference, replaced);
		for (int i = 0; i < 20; i++)
			assert_true(replaced[i]);
		snap_flat(2, 2, two, reference, replaced); /* two frames have no second difference */
		for (int i = 0; i < 4; i++)
			assert_true(replaced[i]);
		snap_flat(4, 1, two, reference, replaced);
		for (int i = 0; i < 4; i++)
			assert_true(replaced[i]);
	}
}

/* One track, one frame on a ramp of depths 1 + x + 100 y of 20 x 30. */
static float snap_ramp(float px, float py, float z, float vis, float validity, int reference)
{
	static const float k[9] = { 1, 0, 0, 0, 1, 0, 0, 0, 1 };
	float pmap[20 * 30 * 3], valid[20 * 30], z0 = 1.0f, point[3], position[2] = { px, py };
	struct sb_depth_snap_args a = { .pmap = pmap,
		.valid = valid,
		.px = position,
		.z0 = &z0,
		.vis = &vis,
		.k = k,
		.z = &z,
		.A = point,
		.n = 1,
		.frames = 1,
		.h = 20,
		.w = 30 };

	for (int i = 0; i < 20 * 30; i++) {
		pmap[3 * i] = pmap[3 * i + 1] = 7.0f;
		pmap[3 * i + 2] = (float)(1 + i % 30 + 100 * (i / 30));
		valid[i] = 1.0f;
	}
	valid[4 * 30 + 12] = validity;
	snap(&a, reference);
	return z;
}

static void the_nearest_of_49_depths_is_taken(void **state)
{
	static const struct {
		float px, py, z, vis, validity, expected;
	} cases[] = {
		{ 12, 4, 413, 1, 1, 413 },            /* itself */
		{ 12, 4, 614.4f, 1, 1, 614 },         /* 1 right, 2 down */
		{ 12.25f, 4.5f, 365, 1, 1, 365.25f }, /* between: 413.25 + 50 - 100 and one right is 364.25 */
		{ 12, 4, 412.5f, 1, 1, 412 },         /* a tie: 412 is one to the left, and x is slow */
		{ 12, 4, 462.5f, 1, 1, 416 }, /* between rows: the last of this one is nearer than the next's first */
		{ 12, 4, 463, 1, 1, 510 },    /* a tie of these two: 510 lies further left */
		{ 12, 4, 99999, 1, 1, 716 },  /* beyond all: the largest */
		{ 12, 4, 500, 0, 1, 500 },    /* vis = 0: pv is not above a half */
		{ 12, 4, 414.25f, 1e-3f, 1, 414 },     /* barely visible */
		{ 12, 4, 414.25f, -1, 1, 414.25f },    /* */
		{ 12, 4, 414.25f, 1, 0.49f, 414.25f }, /* not valid */
		{ 12, 4, 414.25f, 1, 0.5f, 414 },      /* */
		{ 12, 4, 414.25f, 1, NAN, 414.25f },   /* */
		{ 12.5f, 4.5f, 430, 1, 0, 430 },       /* halves to even: the pixel (12, 4), which is not valid */
		{ 11.5f, 3.5f, 430, 1, 0, 430 },       /* so here */
		{ 12.5f, 5.5f, 599, 1, 0, 566.5f },    /* (12, 6) is: 563.5 and 3 to the right */
		{ -0.5f, 0, 1, 1, 1, 1 },              /* rounds to pixel 0; border: 1 */
		{ -0.51f, 0, 5, 1, 1, 5 },             /* outside */
		{ 29.5f, 4, 5, 1, 1, 5 },              /* halves to even: 30, outside */
		{ 29.4f, 19.4f, 9999, 1, 1, 1930 },    /* inside, clamped to the last pixel */
		{ NAN, 4, 5, 1, 1, 5 },                /* */
		{ 12, INFINITY, 5, 1, 1, 5 },          /* */
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases) * 2; i++) {
		float z = snap_ramp(cases[i / 2].px, cases[i / 2].py, cases[i / 2].z, cases[i / 2].vis,
		        cases[i / 2].validity, i % 2);

		if (z != cases[i / 2].expected)
			print_error("case %d, reference %d: %.9g\n", (int)(i / 2), (int)(i % 2), (double)z);
		assert_true(z == cases[i / 2].expected);
	}
	assert_true(isnan(snap_ramp(12, 4, NAN, 1, 1, 0)) && isnan(snap_ramp(12, 4, NAN, 1, 1, 1)));
}

struct snap_shape {
	int64_t n, frames, h, w;
	int flat; /* the same depth everywhere: nothing bends */
};

static const struct snap_shape snaps[] = {
	{ 0, 3, 5, 5, 0 },
	{ 1, 1, 1, 1, 0 },
	{ 1, 2, 20, 30, 0 },
	{ 1, 3, 20, 30, 0 },
	{ 1, 4, 20, 30, 0 },
	{ 3, 5, 20, 30, 0 },
	{ 40, 4, 84, 112, 0 },
	{ 40, 4, 84, 112, 1 },
	{ 192, 8, 60, 90, 0 },
	{ 1000, 24, 60, 90, 0 },
};

struct snap_data {
	struct sb_depth_snap_args a;
	float *in[6];
};

static struct snap_data snap_data_new(const struct snap_shape *s)
{
	int64_t rows = s->n * s->frames, pixels = s->frames * s->h * s->w;
	struct snap_data d = { .in = { kc_gauss(3 * pixels, 1, 3.0, 0.01), kc_gauss(pixels, 2, 1.0, 0.3),
		                       kc_gauss(2 * rows, 3, 0.5, 0.3), kc_gauss(s->n, 4, 3.0, 0.3),
		                       kc_gauss(rows, 5, 1.0, 1.0), kc_poisoned(9 * s->frames) } };

	for (int64_t i = 0; i < pixels; i++)
		d.in[0][3 * i + 2] = s->flat ? 3.0f : d.in[0][3 * i + 2] + sinf((float)(i % s->w) / 9.0f);
	for (int64_t i = 0; i < pixels / 50 && !s->flat; i++)
		d.in[0][3 * (i * 50) + 2] = i % 5 ? 0.0f : NAN;
	for (int64_t i = 0; i < rows; i++) {
		d.in[2][2 * i] *= (float)s->w;
		d.in[2][2 * i + 1] *= (float)s->h;
	}
	for (int64_t i = 0; i < s->frames; i++) {
		const float k[9] = { 300.0f + (float)i, 0.5f, 45.0f, 0.0f, 310.0f, 30.0f, 0.0f, 0.0f, 1.0f };

		memcpy(d.in[5] + 9 * i, k, sizeof(k));
	}
	if (s->n > 2)
		d.in[3][1] = NAN;
	d.a = (struct sb_depth_snap_args){ .pmap = d.in[0],
		.valid = d.in[1],
		.px = d.in[2],
		.z0 = d.in[3],
		.vis = d.in[4],
		.k = d.in[5],
		.n = s->n,
		.frames = s->frames,
		.h = s->h,
		.w = s->w };
	return d;
}

/* z and A in one array. */
static float *snap_run(struct sb_depth_snap_args a, int reference)
{
	int64_t rows = a.n * a.frames;
	float *out = kc_gauss(4 * rows, 6, 3.0, 0.7);

	a.z = out;
	a.A = out + rows;
	snap(&a, reference);
	return out;
}

static void look_ups_agree_with_the_reference(void **state)
{
	int before = omp_get_max_threads();

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(snaps); i++) {
		const struct snap_shape *s = &snaps[i];
		int64_t rows = s->n * s->frames, moved = 0;
		struct snap_data d = snap_data_new(s);
		float *ref = snap_run(d.a, 1), *start = kc_gauss(4 * rows, 6, 3.0, 0.7), *one = NULL;

		for (int threads = 1; threads <= 4; threads += threads) {
			float *y;

			omp_set_num_threads(threads);
			y = snap_run(d.a, 0);
			assert_true(kc_error(y, ref, rows) <= KC_ROUNDING);
			assert_true(kc_error(y + rows, ref + rows, 3 * rows) <= KC_ROUNDING);
			assert_true(!one || kc_same_bits(y, one, 4 * rows));
			if (one)
				free(y);
			else
				one = y;
		}
		for (int64_t r = 0; r < rows; r++)
			moved += ref[r] != start[r];
		if (rows > 100) /* otherwise the agreement says nothing */
			assert_true(moved > rows / 50 && moved < rows);
		free(ref);
		free(start);
		free(one);
		for (size_t k = 0; k < SB_ARRAY_LEN(d.in); k++)
			free(d.in[k]);
	}
	omp_set_num_threads(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quartiles_set_the_region_and_far_depths_become_0),
		cmocka_unit_test(the_limit_is_at_most_ten_lower_quartiles),
		cmocka_unit_test(near_and_unsure_depths_are_not_valid),
		cmocka_unit_test(nothing_positive_is_nothing_valid),
		cmocka_unit_test(equal_and_few_depths_have_quartiles_too),
		cmocka_unit_test(nan_is_not_positive_and_becomes_0),
		cmocka_unit_test(planted_depths_are_left_and_all_valid),
		cmocka_unit_test(an_edge_takes_the_three_by_three_around_it),
		cmocka_unit_test(holes_make_no_edge),
		cmocka_unit_test(clean_up_agrees_with_the_sorted_reference),
		cmocka_unit_test(the_nearest_of_49_depths_is_taken),
		cmocka_unit_test(only_the_smoothest_fifth_is_replaced),
		cmocka_unit_test(the_step_to_the_next_frame_decides_too),
		cmocka_unit_test(what_does_not_bend_is_replaced_everywhere),
		cmocka_unit_test(look_ups_agree_with_the_reference),
	};

	return cmocka_run_group_tests_name("track depth", tests, NULL, NULL);
}
