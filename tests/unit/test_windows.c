/*
 * A clip in windows, with synthetic weights at a small working resolution: one window is what sb_track_run() gives, a
 * later one begins where the one before ended, no query is lost, cameras are chained. Nothing here depends on what such
 * a network makes of a picture.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "track_room.h"
#include "window_scene.h"

/* ---- windows ----------------------------------------------------------------------------------------------------- */

static void windows_are_counted_as_the_reference_counts_them(void **state)
{
	(void)state;
	assert_int_equal(sb_track_windows(19, 20, 6), 1);
	assert_int_equal(sb_track_windows(20, 20, 6), 1);
	assert_int_equal(sb_track_windows(21, 20, 6), 2);
	assert_int_equal(sb_track_windows(30, 20, 6), 2);
	assert_int_equal(sb_track_windows(34, 20, 6), 3); /* fits exactly: one more all the same */
	assert_int_equal(sb_track_windows(60, 500, 4), 1);
}

/* Of a clip of 3 frames, and the order in which one window wants the queries. */
static const float brief[QUERIES * 3] = { 1, 20, 30, 0, 60, 10, 0, 12, 40, 1, 40.5f, 20.25f, 0, 70, 50, 2, 33, 33 };
static const float brief_support[SUPPORT * 3] = { 2, 10, 10, 2, 70, 12, 2, 40, 45, 1, 22, 30, 0, 55, 25 };
static const int by_frame[QUERIES] = { 1, 2, 4, 0, 3, 5 };

static void run_alone(const struct scene *s, int64_t frames, struct sb_track_outputs *out)
{
	float points[(QUERIES + SUPPORT) * 3];
	struct sb_error err = { .msg = "" };
	struct sb_track_input in = { .frames = frames,
		.h = H,
		.w = W,
		.hr = HR,
		.wr = WR,
		.queries = points,
		.n_queries = QUERIES,
		.n_support = SUPPORT };
	struct sb_track_clip clip;

	for (int i = 0; i < QUERIES; i++)
		memcpy(points + i * 3, brief + by_frame[i] * 3, 3 * sizeof(float));
	memcpy(points + (size_t)QUERIES * 3, brief_support, sizeof(brief_support));
	sb_backend_set_levels(be, &plain);
	assert_int_equal(sb_track_outputs_init(out, QUERIES + SUPPORT, frames, &err), SB_OK);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &err), SB_OK);
	clip = clip_place(s);
	in.video = clip.video;
	in.depth = clip.depth;
	in.valid = clip.valid;
	in.k = test_to_device(be, s->k, frames * 9);
	in.cam = test_to_device(be, s->cam, frames * 16);
	assert_int_equal(sb_track_run(be, net, &in, out, NULL, &err), SB_OK);
	assert_int_equal(sb_backend_end_pass(be, &err), SB_OK);
	clip_drop(&clip);
	drop(in.k);
	drop(in.cam);
	assert_int_equal(sb_backend_end_arm(be), 0);
}

static void a_clip_that_fits_is_one_window_in_the_users_order(void **state)
{
	enum { T = 3 }; /* the least; all four iterations, twice */
	struct scene *s = scene_new(T);
	struct sb_track_plan plan = plan_of(T, T, 3);
	struct sb_track_outputs video, alone;

	(void)state;
	plan.queries = brief;
	plan.support = brief_support;
	plan.support_sets = 1;
	plan.iterations = SB_TRACK_ITERATIONS;
	plan.keep_support = true;
	video = run(&plan, s, NULL);
	run_alone(s, T, &alone);
	for (int i = 0; i < QUERIES + SUPPORT; i++) {
		int column = i < QUERIES ? by_frame[i] : i;

		assert_memory_equal(video.xyz2 + column * T * 3, alone.xyz2 + i * T * 3, T * 3 * sizeof(float));
		assert_memory_equal(video.xyz3 + column * T * 6, alone.xyz3 + i * T * 6, T * 6 * sizeof(float));
		assert_memory_equal(video.vis + column * T, alone.vis + i * T, T * sizeof(float));
		assert_memory_equal(video.conf + column * T, alone.conf + i * T, T * sizeof(float));
		assert_memory_equal(video.dyn + column * T, alone.dyn + i * T, T * sizeof(float));
	}
	assert_memory_equal(video.c2w, s->cam, T * 16 * sizeof(float));
	assert_memory_equal(video.k, s->k, T * 9 * sizeof(float));
	sb_track_outputs_release(&alone);
	sb_track_outputs_release(&video);
	scene_free(s);
}

/* Results begin in the window where the query's frame is new, and are whole from there on. */
static void check_whole(const struct sb_track_outputs *out, const struct sb_track_plan *plan)
{
	int64_t step = plan->window - plan->overlap,
	        windows = sb_track_windows(plan->frames, plan->window, plan->overlap);

	for (int64_t n = 0; n < plan->n_queries; n++) {
		int64_t t0 = (int64_t)plan->queries[n * 3], begin = 0;

		for (int64_t w = 1; w < windows; w++)
			if (t0 >= w * step + plan->overlap)
				begin = w * step;
		for (int64_t t = 0; t < plan->frames; t++) {
			int64_t at = n * plan->frames + t;

			for (int i = 0; i < 3; i++)
				assert_true(isfinite(out->xyz2[at * 3 + i]) && isfinite(out->xyz3[at * 6 + i]));
			assert_true(t < begin ? out->vis[at] == 0.0f : out->vis[at] >= 0.2f);
			assert_true((out->xyz2[at * 3 + 2] != 0.0f) == (t >= begin));
		}
	}
}

static void no_query_is_lost_and_later_ones_start_in_their_window(void **state)
{
	static const struct {
		int64_t frames, window, overlap, windows;
	} cases[] = { { 4, 4, 2, 1 }, { 5, 4, 2, 2 }, { 30, 20, 6, 2 }, { 7, 4, 1, 3 }, { 4, 3, 2, 3 } };
	struct scene *s = scene_new(30);

	(void)state;
	for (size_t c = 0; c < SB_ARRAY_LEN(cases); c++) {
		struct sb_track_plan plan = plan_of(cases[c].frames, cases[c].window, cases[c].overlap);
		float q[QUERIES * 3];
		struct sb_track_room *room;
		struct sb_track_outputs out;

		memcpy(q, queries, sizeof(q));
		for (int n = 0; n < QUERIES; n++) /* the first as late as can be */
			q[n * 3] = n ? fminf(q[n * 3], (float)cases[c].frames - 1.0f) : (float)cases[c].frames - 1.0f;
		plan.queries = q;
		room = room_of(&plan);
		assert_int_equal(sb_track_video_info(room)->windows, cases[c].windows);
		track(room, &plain, s, plan.frames, &out, NULL);
		check_whole(&out, &plan);
		assert_memory_equal(out.c2w, s->cam, (size_t)plan.frames * 16 * sizeof(float));
		assert_memory_equal(out.k, s->k, (size_t)plan.frames * 9 * sizeof(float));
		sb_track_outputs_release(&out);
		sb_track_room_close(room);
	}
	scene_free(s);
}

/* ---- what is carried --------------------------------------------------------------------------------------------- */

enum { CT = 16, CWINDOW = 8, COVERLAP = 3, CSTEP = 5, CWINDOWS = 3, FRAME_FLOATS = HM / 4 * WM / 4 * 128 };

/* What the taps of each window showed. */
struct seen {
	int64_t n;         /* tracks */
	float *patches[4]; /* by level */
	float *points[4];
	float *features, *q, *z0, *geometry, *geometry_z, *uv, *z;
	float *xyz2, *vis, *conf; /* the results as the window began */
};

struct carried {
	const struct sb_track_outputs *out;
	int window;
	struct seen w[CWINDOWS];
};

static float *kept(const float *data, int64_t n)
{
	float *x = floats(n);

	memcpy(x, data, (size_t)n * sizeof(float));
	return x;
}

static void on_tap(void *ctx, const char *name, int index, const float *data, int64_t n)
{
	struct carried *c = ctx;
	struct seen *s;

	if (!strcmp(name, "features")) {
		s = &c->w[++c->window];
		s->features = test_from_device(be, data, n);
		s->xyz2 = kept(c->out->xyz2, QUERIES * CT * 3);
		s->vis = kept(c->out->vis, QUERIES * CT);
		s->conf = kept(c->out->conf, QUERIES * CT);
	}
	s = &c->w[c->window];
	const struct {
		const char *name;
		float **to;
	} taps[] = { { "query.q", &s->q }, { "query.z0", &s->z0 }, { "query.geometry", &s->geometry },
		{ "query.geometry_z", &s->geometry_z }, { "first.uv", &s->uv }, { "first.z", &s->z },
		{ "query.patches", &s->patches[index % 4] }, { "carry.points", &s->points[index % 4] } };
	for (size_t i = 0; i < SB_ARRAY_LEN(taps); i++)
		if (!strcmp(name, taps[i].name))
			*taps[i].to = test_from_device(be, data, n);
	if (!strcmp(name, "query.z0"))
		s->n = n;
}

static void seen_release(struct seen *s)
{
	float *all[] = { s->features, s->q, s->z0, s->geometry, s->geometry_z, s->uv, s->z, s->xyz2, s->vis, s->conf };

	for (size_t i = 0; i < SB_ARRAY_LEN(all); i++)
		free(all[i]);
	for (int l = 0; l < 4; l++) {
		free(s->patches[l]);
		free(s->points[l]);
	}
}

/* The queries in the order of their frames, in which windows hold them. */
static const int carried_order[QUERIES] = { 1, 2, 4, 0, 5, 3 };

static bool near(float a, float b)
{
	return fabsf(a - b) < 1e-4f;
}

/* Track n of a window goes on from the results before: state, and the query that the best frame of the overlap makes.
 */
static void check_carried(const struct seen *s, int w, int n)
{
	int64_t at = carried_order[n] * CT + w * CSTEP;
	int best = 0;

	for (int t = 0; t < CWINDOW; t++) {
		const float *from = s->xyz2 + (at + (t < COVERLAP ? t : COVERLAP - 1)) * 3;

		assert_true(near(s->uv[(n * CWINDOW + t) * 2], from[0] * WM / WR / 4));
		assert_true(near(s->uv[(n * CWINDOW + t) * 2 + 1], from[1] * HM / HR / 4));
		assert_true(s->z[n * CWINDOW + t] == from[2]);
		if (t < COVERLAP && s->vis[at + t] * s->conf[at + t] > s->vis[at + best] * s->conf[at + best])
			best = t;
	}
	assert_true(s->q[n * 3] == (float)best && s->geometry[n * 3] == (float)best);
	assert_true(near(s->q[n * 3 + 1], s->xyz2[(at + best) * 3] * WM / WR));
	assert_true(near(s->q[n * 3 + 2], s->xyz2[(at + best) * 3 + 1] * HM / HR));
	assert_true(s->z0[n] == s->xyz2[(at + best) * 3 + 2]);
	assert_true(near(s->geometry[n * 3 + 1], s->xyz2[at * 3] * WM / WR));
	assert_true(near(s->geometry[n * 3 + 2], s->xyz2[at * 3 + 1] * HM / HR));
	assert_true(s->geometry_z[n] == s->xyz2[at * 3 + 2]);
}

/* Query 3, of frame 8, is new in the second window: depth and colour are those of its own frame of the clip. */
static void check_new(const struct carried *c, const struct scene *scene)
{
	const struct seen *s = &c->w[1];
	const float *q = queries + 9, *colour = c->out->xyz3 + (3 * CT + 8) * 6 + 3;
	int x = (int)rintf(q[1] * WM / WR), y = (int)rintf(q[2] * HM / HR), n = 5;
	int64_t pixel = (8 * H + y * H / HM) * W + x * W / WM, there = (8 * HR + y * HR / HM) * WR + x * WR / WM;

	assert_true(s->q[n * 3] == 3.0f && s->geometry[n * 3] == 3.0f);
	assert_true(s->z0[n] == scene->depth[there] && s->z[n * CWINDOW] == s->z0[n] && s->geometry_z[n] == s->z0[n]);
	assert_memory_equal(colour, scene->video + pixel * 3, 3 * sizeof(float));
}

/* From frame 5 on the left is not valid, and on frame 8 neither is query 3. */
static void invalidate(struct scene *s)
{
	for (int t = 5; t < CT; t++)
		for (int i = 0; i < HR * WR; i++)
			if (i % WR < 30 || (t == 8 && abs(i % WR - 40) < 3 && abs(i / WR - 20) < 3))
				s->valid[t * HR * WR + i] = 0.0f;
}

/* Support points and the validity of new queries are those of the window's own frames. */
static void check_valid(const struct carried *c)
{
	for (int w = 1; w < CWINDOWS; w++)
		for (int64_t n = QUERIES; n < c->w[w].n; n++)
			assert_true(c->w[w].q[n * 3 + 1] >= 30.0f * WM / WR - 1e-3f);
	/* dyn is multiplied by it: query 3 is new where nothing is valid, query 1 is far on the right */
	assert_true(c->out->dyn[3 * CT + 8] == 0.0f && c->out->dyn[1 * CT + 8] > 0.0f);
}

static void carried_tracks_go_on_from_where_they_were(void **state)
{
	struct scene *s = scene_new(CT);
	struct sb_track_plan plan = plan_of(CT, CWINDOW, COVERLAP);
	struct sb_track_room *room = room_of(&plan);
	struct sb_track_outputs out;
	struct carried c = { &out, -1, { { 0 } } };
	struct sb_front_tap tap = { on_tap, &c };
	const int carried[CWINDOWS] = { 0, 5, 6 };
	int64_t frame = FRAME_FLOATS;

	(void)state;
	invalidate(s);
	track(room, &plain, s, CT, &out, &tap);
	assert_int_equal(c.window, CWINDOWS - 1);
	for (int w = 1; w < CWINDOWS; w++) {
		const struct seen *now = &c.w[w], *before = &c.w[w - 1];

		assert_int_equal(now->n, QUERIES + SUPPORT);
		for (int n = 0; n < carried[w]; n++)
			check_carried(now, w, n);
		for (int l = 0; l < 4; l++) { /* the patches they began with */
			size_t patch = 49 * 128, points = 49 * 3, n = (size_t)carried[w];

			assert_memory_equal(now->patches[l], before->patches[l], n * patch * sizeof(float));
			assert_memory_not_equal(
			        now->patches[l] + n * patch, before->patches[l] + n * patch, patch * sizeof(float));
			if (w + 1 < CWINDOWS)
				assert_memory_equal(now->points[l], before->points[l], n * points * sizeof(float));
			else
				assert_null(now->points[l]); /* nothing comes after */
		}
		assert_memory_equal(
		        now->features, before->features + CSTEP * frame, COVERLAP * FRAME_FLOATS * sizeof(float));
	}
	check_new(&c, s);
	check_valid(&c);
	assert_memory_not_equal(c.w[1].features + 3 * frame, c.w[1].features + 4 * frame, FRAME_FLOATS * sizeof(float));
	for (int t = CT - 2 * CSTEP; t < CWINDOW; t++) /* behind the clip's end its last frame */
		assert_memory_equal(c.w[2].features + t * frame, c.w[2].features + (CT - 2 * CSTEP - 1) * frame,
		        FRAME_FLOATS * sizeof(float));
	for (int w = 0; w < CWINDOWS; w++)
		seen_release(&c.w[w]);
	sb_track_outputs_release(&out);
	sb_track_room_close(room);
	scene_free(s);
}

/* Such a network sees every track best on the overlap's first frame, so the choice is tried by itself. */
static void the_frame_seen_best_makes_the_query(void **state)
{
	const float vis[] = { 0.5f, 0.9f, 0.6f, 0.9f }, conf[] = { 0.9f, 0.7f, 0.9f, 0.7f }, none[] = { NAN, NAN };
	const float some[] = { NAN, 0.3f };

	(void)state;
	assert_int_equal(sb_track_seed_frame(vis, conf, 4), 1);
	assert_int_equal(sb_track_seed_frame(vis, conf, 1), 0);
	assert_int_equal(sb_track_seed_frame(none, conf, 2), 0);
	assert_int_equal(sb_track_seed_frame(some, conf, 2), 1);
}

/* And so the carrying: made-up results, of which each track is seen best somewhere else. */
static void each_track_is_carried_from_its_own_results(void **state)
{
	enum { T = 16, OVERLAP = 6, STEP = 2, AT = 2 * STEP, SEARCH = 2 }; /* the overlap is longer than what is new */
	struct sb_track_plan plan = plan_of(T, OVERLAP + STEP, OVERLAP);
	struct sb_track_room *room = room_of(&plan);
	struct sb_track_outputs out;
	struct sb_error err;

	(void)state;
	assert_int_equal(sb_track_outputs_init(&out, QUERIES, T, &err), SB_OK);
	for (int64_t i = 0; i < QUERIES * T;
	        i++) { /* frames of no track, those before and those after are seen better */
		out.vis[i] = 0.9f;
		out.conf[i] = 0.9f;
		for (int64_t k = 0; k < 3; k++) {
			out.xyz2[i * 3 + k] = (float)(i * 10 + k);
			out.xyz3[i * 6 + k] = (float)(i * 10 + k + 3);
		}
	}
	for (int64_t c = 0; c < QUERIES; c++)
		for (int64_t t = 0; t < SEARCH; t++) { /* one of both decides, and with another track's is wrong */
			bool best = c % 2 == t, early_track = c < QUERIES / 2;

			out.vis[c * T + AT + t] = early_track ? (best ? 0.6f : 0.3f) : (best ? 0.4f : 0.5f);
			out.conf[c * T + AT + t] = early_track ? (best ? 0.4f : 0.55f) : (best ? 0.7f : 0.2f);
		}
	for (int32_t i = 0; i < QUERIES; i++)
		room->column[i] = (QUERIES - 1) - i;
	memset(room->points, 0xff, (size_t)QUERIES * 3 * sizeof(float));
	sb_track_carry(room, &out, 2, QUERIES - 1);
	for (int64_t i = 0; i < QUERIES - 1; i++) {
		int64_t column = (QUERIES - 1) - i, best = column % 2;
		const float *q = room->points + i * 3, *c = room->carried + i * OVERLAP * 6;

		assert_true(q[0] == (float)best);
		for (int64_t k = 0; k < 2; k++)
			assert_true(q[1 + k] == (float)((column * T + AT + best) * 10 + k));
		for (int64_t t = 0; t < OVERLAP; t++)
			for (int64_t k = 0; k < 6; k++)
				assert_true(c[t * 6 + k] == (float)((column * T + AT + t) * 10 + k));
	}
	assert_true(isnan(room->points[(QUERIES - 1) * 3])); /* no more than were asked for */
	sb_track_outputs_release(&out);
	sb_track_room_close(room);
}

/* Frames before the overlap of the second window are what a clip of the first window's frames alone gives. */
static void the_first_window_knows_nothing_of_the_second(void **state)
{
	struct scene *s = scene_new(8);
	struct sb_track_plan longer = plan_of(8, 6, 2), shorter = plan_of(6, 6, 2);
	struct sb_track_outputs a = run(&longer, s, NULL), b = run(&shorter, s, NULL);

	(void)state;
	for (int n = 0; n < QUERIES; n++) {
		assert_memory_equal(a.xyz2 + n * 8 * 3, b.xyz2 + n * 6 * 3, 4 * 3 * sizeof(float));
		assert_memory_equal(a.vis + n * 8, b.vis + n * 6, 4 * sizeof(float));
		/* and the overlap is the second's */
		assert_memory_not_equal(a.xyz2 + (n * 8 + 4) * 3, b.xyz2 + (n * 6 + 4) * 3, 2 * 3 * sizeof(float));
	}
	sb_track_outputs_release(&a);
	sb_track_outputs_release(&b);
	scene_free(s);
}

/* ---- queries that are not valid ------------------------------------------------------------------------------- */

static void queries_without_depth_follow_others_and_say_so(void **state)
{
	enum { T = 6 };
	struct scene *s = scene_new(T);
	struct sb_track_plan plan = plan_of(T, T, 2);
	const struct sb_track_video_info *info;
	struct sb_track_room *room;
	struct sb_track_outputs out;

	(void)state;
	room = room_of(&plan);
	info = sb_track_video_info(room);
	for (int t = 0; t < T; t++) /* x < 25: queries 0 and 2 */
		for (int i = 0; i < HR * WR; i++)
			s->valid[t * HR * WR + i] = i % WR < 25 ? 0.0f : 1.0f;
	track(room, &plain, s, T, &out, NULL);
	assert_int_equal(info->replaced, 2);
	for (int n = 0; n < QUERIES; n++) {
		int32_t to = info->follows[n];

		assert_true(n == 0 || n == 2 ? to != n && to != 0 && to != 2 : to == n);
		for (int i = 0; i < T * 3; i++) /* the same point twice, but for the rounding of products */
			assert_true(fabsf(out.xyz2[n * T * 3 + i] - out.xyz2[to * T * 3 + i]) < 1e-3f);
	}
	check_whole(&out, &plan);
	sb_track_outputs_release(&out);
	memset(s->valid, 0, T * HR * WR * sizeof(float));
	track(room, &plain, s, T, &out, NULL);
	assert_int_equal(info->replaced, -1);
	for (int n = 0; n < QUERIES; n++)
		assert_int_equal(info->follows[n], n);
	check_whole(&out, &plan);
	sb_track_outputs_release(&out);
	sb_track_room_close(room);
	scene_free(s);
}

static void one_query_is_tracked_with_support_points(void **state)
{
	struct scene *s = scene_new(9);
	struct sb_track_plan plan = plan_of(9, 6, 2);
	struct sb_track_outputs out;

	(void)state;
	plan.n_queries = 1;
	plan.n_support = 2;
	out = run(&plan, s, NULL);
	check_whole(&out, &plan);
	sb_track_outputs_release(&out);
	plan.queries = queries + 9; /* frame 8: the first window has support points only */
	plan.n_support = 3;
	out = run(&plan, s, NULL);
	check_whole(&out, &plan);
	sb_track_outputs_release(&out);
	scene_free(s);
}

static void refused(const struct sb_track_plan *plan, const char *part)
{
	struct sb_error err = { .msg = "" };
	struct sb_track_room *r = NULL;

	if (sb_track_room_open(plan, &r, &err) != SB_E_USAGE || !strstr(err.msg, part))
		fail_msg("'%s' is not in '%s'", part, err.msg);
	assert_null(r);
}

static void plans_that_cannot_be_are_refused(void **state)
{
	struct sb_track_plan p = plan_of(9, 6, 2);
	float q[QUERIES * 3], s[SUPPORT * 6] = { 0 };

	(void)state;
	memcpy(q, queries, sizeof(q));
#define REFUSED(change, part)                        \
	do {                                         \
		struct sb_track_plan saved = p;      \
		(change);                            \
		refused(&p, part);                   \
		p = saved;                           \
		memcpy(q, queries, sizeof(queries)); \
	} while (0)
	REFUSED(p.frames = 2, "at least 3 frames, not 2");
	REFUSED(p.window = 2, "a window of 2 frames is too short");
	REFUSED(p.overlap = 0, "cannot overlap by 0; from 1 to 5");
	REFUSED(p.overlap = 6, "cannot overlap by 6");
	REFUSED((p.frames = 600, p.window = 513), "a window of 513 frames is too long; at most 512");
	REFUSED(p.iterations = 0, "at least 1 iteration");
	REFUSED((p.frames = 4000, p.window = 20, p.overlap = 6, p.iterations = 4), "too many for one pass");
	REFUSED(p.n_queries = 0, "there is no query");
	REFUSED((p.n_queries = 1, p.n_support = 0), "at least 2 points, and its first window has 1");
	p.queries = q;
	REFUSED(q[12] = 9.0f, "query 5: frame 9 is none of 0 to 8");
	REFUSED(q[12] = 0.5f, "query 5: frame 0.5");
	REFUSED(q[4] = 84.5f, "query 2: (84.5, 10) is outside the frame of 84x56");
	REFUSED(q[5] = NAN, "query 2: (60, nan)");
	p.support = s;
	p.support_sets = 1;
	REFUSED(p.support_sets = 3, "3 sets of support points do not fit 2 windows");
	REFUSED(s[3] = 6.0f, "support point 2: frame 6 is none of 0 to 5");
	REFUSED((s[3] = 0.0f, p.keep_support = true), "in a single window only");
#undef REFUSED
}

/* ---- the same bits ----------------------------------------------------------------------------------------------- */

static void results_do_not_hang_on_threads_allocator_or_the_pass_before(void **state)
{
	enum { T = 6 };
	int most = omp_get_max_threads();
	struct scene *s = scene_new(T);
	struct sb_track_plan plan = plan_of(T, 4, 1);
	struct sb_track_outputs first, out;
	struct sb_track_room *room;

	(void)state;
	plan.cameras = SB_CAMERAS_BA;
	room = room_of(&plan);
	omp_set_num_threads(1);
	track(room, &plain, s, T, &first, NULL);
	for (int threads = 2; threads <= 3; threads++) {
		omp_set_num_threads(threads);
		track(room, threads == 2 ? &expandable : &plain, s, T, &out, NULL);
		assert_true(same_results(&first, &out));
		sb_track_outputs_release(&out);
	}
	omp_set_num_threads(most);
	sb_track_room_close(room);
	plan.seed++; /* other support points, and so other results */
	out = run(&plan, s, NULL);
	assert_false(same_results(&first, &out));
	sb_track_outputs_release(&out);
	sb_track_outputs_release(&first);
	scene_free(s);
}

/* ---- what goes wrong --------------------------------------------------------------------------------------------- */

/* A pass that ends at its n-th op; the arm's end returns its memory, and the room can be used again. */
static void failing_pass(struct sb_track_room *room, const struct scene *s, struct sb_track_outputs *out, int64_t n)
{
	struct sb_error err = { .msg = "" };
	struct sb_track_clip clip;

	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &err), SB_OK);
	clip = clip_place(s);
	be->fault = SB_FAULT_FAIL;
	be->fault_at = n;
	assert_int_equal(sb_track_video_run(be, net, room, &clip, out, NULL, &err), SB_E_DEVICE);
	be->fault = SB_FAULT_NONE;
	assert_int_equal(sb_backend_end_pass(be, &err), SB_OK);
	sb_backend_end_arm(be);
}

static void a_failed_pass_spoils_nothing(void **state)
{
	enum { T = 6 };
	struct scene *s = scene_new(T);
	struct sb_track_plan plan = plan_of(T, 4, 1);
	struct sb_track_room *room;
	struct sb_track_outputs first, out;
	struct sb_error err;
	int64_t ops;

	(void)state;
	plan.cameras = SB_CAMERAS_BA;
	room = room_of(&plan);
	track(room, &plain, s, T, &first, NULL);
	ops = be->submits - 3; /* without the scene's transfers */
	assert_int_equal(sb_track_outputs_init(&out, sb_track_room_tracks(room), T, &err), SB_OK);
	failing_pass(room, s, &out, 1);
	failing_pass(room, s, &out, 60);
	failing_pass(room, s, &out, ops - 20); /* the second window holds what the first left */
	failing_pass(room, s, &out, ops);
	sb_track_outputs_release(&out);
	track(room, &plain, s, T, &out, NULL);
	assert_true(same_results(&first, &out));
	sb_track_outputs_release(&first);
	sb_track_outputs_release(&out);
	sb_track_room_close(room);
	scene_free(s);
}

static void without_any_depth_tracks_are_finite_and_cameras_stay(void **state)
{
	enum { T = 5 };
	struct scene *s = scene_new(T);
	struct sb_track_plan plan = plan_of(T, 4, 1);
	struct sb_track_outputs out;
	float q[QUERIES * 3];

	(void)state;
	memcpy(q, early, sizeof(q));
	q[15] = 4.0f;
	plan.queries = q;
	plan.cameras = SB_CAMERAS_BA;
	memset(s->depth, 0, T * HR * WR * sizeof(float));
	memset(s->valid, 0, T * HR * WR * sizeof(float));
	out = run(&plan, s, NULL);
	for (int n = 0; n < QUERIES * T * 3; n++)
		assert_true(isfinite(out.xyz2[n]));
	for (int i = 0; i < T * 16; i++)
		assert_true(fabsf(out.c2w[i] - s->cam[i]) < 1e-6f);
	sb_track_outputs_release(&out);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_are_counted_as_the_reference_counts_them),
		cmocka_unit_test(plans_that_cannot_be_are_refused),
		cmocka_unit_test(a_clip_that_fits_is_one_window_in_the_users_order),
		cmocka_unit_test(no_query_is_lost_and_later_ones_start_in_their_window),
		cmocka_unit_test(carried_tracks_go_on_from_where_they_were),
		cmocka_unit_test(the_frame_seen_best_makes_the_query),
		cmocka_unit_test(each_track_is_carried_from_its_own_results),
		cmocka_unit_test(the_first_window_knows_nothing_of_the_second),
		cmocka_unit_test(queries_without_depth_follow_others_and_say_so),
		cmocka_unit_test(one_query_is_tracked_with_support_points),
		cmocka_unit_test(a_failed_pass_spoils_nothing),
		cmocka_unit_test(without_any_depth_tracks_are_finite_and_cameras_stay),
		cmocka_unit_test(results_do_not_hang_on_threads_allocator_or_the_pass_before),
	};
	return cmocka_run_group_tests_name("windows", tests, open_net, close_net);
}
