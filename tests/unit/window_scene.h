/*
 * A clip for the tracker, small and made up, and a network with synthetic weights at a small working resolution. For
 * tests of windows; group set-up and tear-down are open_net() and close_net().
 */
#ifndef SB_WINDOW_SCENE_H
#define SB_WINDOW_SCENE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ba_scene.h"
#include "sb_backend.h"
#include "sb_front.h"
#include "sb_track_video.h"
#include "test_device.h"

enum { H = 42, W = 56, HR = 56, WR = 84, HM = 64, WM = 96 };
enum { FRAMES_MAX = 40, QUERIES = 6, SUPPORT = 5 };

static struct sb_backend *be;
static struct sb_track_net *net;
static struct sb_levels plain, expandable;

struct scene {
	int64_t frames;
	float *video, *depth, *valid, k[FRAMES_MAX * 9], cam[FRAMES_MAX * 16];
};

static inline float *floats(int64_t n)
{
	float *x = malloc((size_t)n * sizeof(float));

	assert_non_null(x);
	return x;
}

/* Patches that wander over a wavy depth; the camera turns about it. */
static inline struct scene *scene_new(int64_t frames)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->frames = frames;
	s->video = floats(frames * H * W * 3);
	s->depth = floats(frames * HR * WR);
	s->valid = floats(frames * HR * WR);
	for (int64_t t = 0; t < frames; t++) {
		static const float k[9] = { 70, 0, 42, 0, 68, 28, 0, 0, 1 };
		double m[16];

		for (int64_t i = 0; i < H * W * 3; i++) {
			int64_t x = i / 3 % W + t, y = i / 3 / W;

			s->video[t * H * W * 3 + i] =
			        (float)(128.0 + 90.0 * sin((double)x / 3.0 + (double)(i % 3)) * cos((double)y / 4.0));
		}
		for (int64_t i = 0; i < HR * WR; i++) {
			s->depth[t * HR * WR + i] = (float)(3.0 + 0.5 * sin((double)(i % WR + 2 * t) / 20.0) +
			                                    0.3 * cos((double)(i / WR) / 15.0));
			s->valid[t * HR * WR + i] = 1.0f;
		}
		memcpy(s->k + t * 9, k, sizeof(k));
		ba_orbit(0.02 * (double)t, m);
		for (int i = 0; i < 16; i++)
			s->cam[t * 16 + i] = (float)m[i];
	}
	return s;
}

static inline void scene_free(struct scene *s)
{
	free(s->video);
	free(s->depth);
	free(s->valid);
	free(s);
}

/* In the arm's memory, until clip_drop() or the arm's end. */
static inline struct sb_track_clip clip_place(const struct scene *s)
{
	return (struct sb_track_clip){ .video = test_to_device(be, s->video, s->frames * H * W * 3),
		.depth = test_to_device(be, s->depth, s->frames * HR * WR),
		.valid = test_to_device(be, s->valid, s->frames * HR * WR),
		.k = s->k,
		.cam = s->cam };
}

static inline void drop(const float *device)
{
	sb_device_free(be, (void *)(uintptr_t)device);
}

static inline void clip_drop(const struct sb_track_clip *c)
{
	drop(c->video);
	drop(c->depth);
	drop(c->valid);
}

/* In the order a user may give them: not by frame. */
static const float queries[QUERIES * 3] = { 3, 20, 30, 0, 60, 10, 0, 12, 40, 8, 40.5f, 20.25f, 0, 70, 50, 5, 33, 33 };
/* For clips of fewer than 9 frames. */
static const float early[QUERIES * 3] = { 3, 20, 30, 0, 60, 10, 0, 12, 40, 4, 40.5f, 20.25f, 0, 70, 50, 5, 33, 33 };
static const float support[SUPPORT * 3] = { 5, 10, 10, 5, 70, 12, 5, 40, 45, 2, 22, 30, 0, 55, 25 };

static inline struct sb_track_plan plan_of(int64_t frames, int64_t window, int64_t overlap)
{
	return (struct sb_track_plan){ .frames = frames,
		.h = H,
		.w = W,
		.hr = HR,
		.wr = WR,
		.queries = frames < 9 ? early : queries,
		.n_queries = QUERIES,
		.n_support = SUPPORT,
		.seed = 7,
		.window = window,
		.overlap = overlap,
		.iterations = 1,
		.cameras = SB_CAMERAS_FIXED };
}

static inline struct sb_track_room *room_of(const struct sb_track_plan *plan)
{
	struct sb_track_room *r = NULL;
	struct sb_error err = { .msg = "" };

	if (sb_track_room_open(plan, &r, &err))
		fail_msg("%s", err.msg);
	return r;
}

static inline void track(struct sb_track_room *room, const struct sb_levels *levels, const struct scene *s,
        int64_t frames, struct sb_track_outputs *out, const struct sb_front_tap *tap)
{
	struct sb_error err = { .msg = "" };
	struct sb_track_clip clip;

	sb_backend_set_levels(be, levels);
	assert_int_equal(sb_track_outputs_init(out, sb_track_room_tracks(room), frames, &err), SB_OK);
	memset(out->xyz2, 0xff, sb_track_outputs_floats(out) * sizeof(float)); /* what the pass before left */
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &err), SB_OK);
	clip = clip_place(s);
	if (sb_track_video_run(be, net, room, &clip, out, tap, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(sb_backend_end_pass(be, &err), SB_OK);
	clip_drop(&clip);
	assert_int_equal(sb_backend_end_arm(be), 0);
}

/* A plan from end to end. */
static inline struct sb_track_outputs run(
        const struct sb_track_plan *plan, const struct scene *s, const struct sb_front_tap *tap)
{
	struct sb_track_room *room = room_of(plan);
	struct sb_track_outputs out;

	track(room, &plain, s, plan->frames, &out, tap);
	sb_track_room_close(room);
	return out;
}

static inline int same_results(const struct sb_track_outputs *a, const struct sb_track_outputs *b)
{
	return a->tracks == b->tracks && a->frames == b->frames &&
	       !memcmp(a->xyz2, b->xyz2, sb_track_outputs_floats(a) * sizeof(float));
}

static inline int open_net(void **state)
{
	struct sb_error err = { .msg = "" };

	(void)state;
	be = test_device_open();
	assert_int_equal(sb_levels_parse("attention=standard", &plain, &err), SB_OK);
	assert_int_equal(sb_levels_parse("attention=standard,alloc=expandable", &expandable, &err), SB_OK);
	sb_backend_set_levels(be, &plain);
	assert_int_equal(sb_track_net_open(be, HM, WM, &sb_weights_synthetic, &net, &err), SB_OK);
	return 0;
}

static inline int close_net(void **state)
{
	(void)state;
	sb_track_net_close(net);
	sb_backend_close(be);
	return 0;
}

#endif
