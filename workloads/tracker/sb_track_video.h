/*
 * track_video: the 3-D tracker over a whole clip, in one window or several: support points, query replacement, windows
 * with what is carried between them, cameras. A clip's plan is opened once, outside of what is timed; a pass then asks
 * the host for no memory, and the device only through the arm's allocator. Uses backend, track_net, queries,
 * camera_chain. Source: ARCHITECTURE sections 2.4 to 2.6, 4.3, 4.6, 4.9 to 4.11.
 *
 * Windows. frames <= window: one window of all frames. Else step = window - overlap and windows start at 0, step,
 * 2 step, .. up to sb_track_windows(); behind the last frame of the clip its inputs repeat. A later window begins with
 * the last `overlap` frames of the one before: their feature maps are kept (fnet runs on new frames only), the tracks
 * go on from where they were, with the patches of the frame they were first asked for. Later windows overwrite the
 * overlap in the results; cameras are chained.
 *
 * Queries stand in the window where frame t is new. A query gets results from the first frame of that window on; before
 * it they are 0, visibility and confidence too (a tracked point's visibility is at least 0.2). In the first window
 * queries whose `valid` is 0.5 or less cannot be tracked: their columns follow others, drawn at random, and
 * sb_track_video_info.follows says which. With none valid all are kept as they are.
 *
 * Where the points of a window span nothing along an axis (queries that are all the same, no depth at all) the axis is
 * normalised by a unit to each side, where the reference divides by zero: tracks are finite, cameras stay as given when
 * there is no depth.
 *
 * Decided where the reference leaves it open (section 9): a carried query is seen, in the geometry token, from the
 * camera of its frame but at the place of the window's first frame, as in the reference; the search for its frame looks
 * at the overlap alone, where the reference also looks at frames that hold nothing yet. The depth is cleaned by the
 * caller, over the whole clip, where the reference cleans each window's frames by themselves.
 */
#ifndef SB_TRACK_VIDEO_H
#define SB_TRACK_VIDEO_H

#include "sb_ba.h"
#include "sb_track_net.h"

#define SB_TRACK_WINDOW_MAX 512 /* frames of one window */

/* What the user may ask for. */
enum sb_cameras {
	SB_CAMERAS_FIXED,      /* the cameras given stay */
	SB_CAMERAS_PROCRUSTES, /* 4.9 up to C_init, every iteration */
	SB_CAMERAS_BA,         /* and bundle adjustment after it (sb_ba_options_converge) */
	SB_CAMERAS_COUNT,
};
extern const char *const sb_cameras_names[SB_CAMERAS_COUNT]; /* "fixed", "procrustes", "ba" */
/* Errors: SB_E_USAGE naming the words there are. */
enum sb_status sb_cameras_parse(const char *word, enum sb_cameras *out, struct sb_error *err);

/*
 * Observations that bundle adjustment solves in place of the tracker's own static points, for a tracker whose weights
 * mean nothing. They cover the clip; each window and iteration starts again from these poses and points. The world is
 * that of `pose`. Intrinsics are the window's. Borrowed until the room is closed.
 */
struct sb_track_planted {
	int64_t points;
	const float *seen;          /* [points, frames, 2] pixels of hr x wr; NAN: not seen */
	const double *xyz;          /* [points, 3] */
	const struct sb_pose *pose; /* [frames] world to camera */
	bool apply;                 /* the solution becomes C; false: solved, timed and dropped, C = C_init */
};

struct sb_track_plan {
	int64_t frames, h, w; /* the video */
	int64_t hr, wr;       /* the tracker's resolution ("336") */
	/* [n_queries, 3] t, x, y in pixels of hr x wr, t a frame of the clip; any order; copied */
	const float *queries;
	int64_t n_queries;
	int64_t n_support; /* support points of every window; 0: none */
	/*
	 * NULL: drawn anew for each window from `seed`. Else [sets, n_support, 3], sets 1 (the same for each window) or
	 * one a window; t counts from the window's first frame. Copied.
	 */
	const float *support;
	int64_t support_sets;
	uint64_t seed; /* support points, replaced queries */
	int64_t window, overlap;
	int64_t iterations; /* SB_TRACK_ITERATIONS in the reference */
	enum sb_cameras cameras;
	bool keep_support;                      /* one window only: results hold the support points too, last */
	const struct sb_track_planted *planted; /* or NULL */
};

int64_t sb_track_windows(int64_t frames, int64_t window, int64_t overlap);

struct sb_track_room; /* a plan, and all host memory that a pass needs */

/*
 * Errors: SB_E_USAGE: fewer than 3 frames; a window shorter than 3, longer than SB_TRACK_WINDOW_MAX (and than the
 * clip) or not longer than its overlap; overlap < 1 with more than one window; iterations < 1; no query; a window that
 * would have fewer than 2 points; a query or support point whose frame is not there or whose position is not a finite
 * place in the frame (the message has its number); support sets that are neither 1 nor the number of windows.
 * SB_E_NOMEM.
 */
enum sb_status sb_track_room_open(const struct sb_track_plan *plan, struct sb_track_room **out, struct sb_error *err);
void sb_track_room_close(struct sb_track_room *room);
int64_t sb_track_room_tracks(const struct sb_track_room *room); /* of the results: n_queries, or with the support */

/* The clip. */
struct sb_track_clip {
	const float *video; /* device [frames, h, w, 3], 0..255 */
	const float *depth; /* device [frames, hr, wr], cleaned (or planted) */
	const float *valid; /* device [frames, hr, wr], 0 or 1 */
	const float *k;     /* host [frames, 3, 3] in pixels of hr x wr */
	const float *cam;   /* host [frames, 4, 4] camera to world, relative to frame 0 */
};

/* What a pass met; valid until the next one. */
struct sb_track_video_info {
	int64_t windows;
	int64_t replaced;       /* queries that were not valid; -1: none was valid, all are kept */
	const int32_t *follows; /* [n_queries] the query that a column follows: its own number, or another's */
	int64_t n_static;       /* points of the last bundle adjustment; planted: how many were planted */
	struct sb_ba_result ba; /* of the last one; outcome SB_BA_SKIPPED when there was none */
};
const struct sb_track_video_info *sb_track_video_info(const struct sb_track_room *room);

/*
 * One pass: `out` [sb_track_room_tracks(), frames] is filled, tracks in the order of plan->queries. out->k is in pixels
 * of hr x wr, with fy := fx where bundle adjustment ran; out->c2w relative to frame 0.
 *
 * Stages; those from .correlation to .bundle once an iteration, in this order:
 *   track.prepare      the window's points (`valid` to the host, query replacement, support points) before track.fnet;
 *                      point map, pyramids, query patches, first state after it
 *   track.fnet         features of the frames that are new
 *   track.correlation  2-D correlation
 *   track.neighbours   3-D neighbour attention
 *   track.tokens       both tokens
 *   track.transformer  update transformer
 *   track.update       state, depth look-up
 *   track.camera       (procrustes, ba) small state to the host, key frames, Procrustes on the device, static points
 *   track.bundle       (ba) bundle adjustment on the host
 *   track.output       results to the host, what the next window needs
 * Errors: those of the device, SB_E_NOMEM. On failure device memory may still be allocated: end the arm.
 */
enum sb_status sb_track_video_run(struct sb_backend *be, const struct sb_track_net *net, struct sb_track_room *room,
        const struct sb_track_clip *clip, struct sb_track_outputs *out, const struct sb_front_tap *tap,
        struct sb_error *err);

#endif
