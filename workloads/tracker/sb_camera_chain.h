/*
 * camera_chain: the cameras of one window at the end of one refinement iteration, on the host: key frames, weighted
 * Procrustes from key frame to key frame, the static points, then bundle adjustment. Uses base, ba,
 * kernels/procrustes.h. Source: ARCHITECTURE sections 4.9 and 4.10 (state: 4.3, 4.8).
 *
 *   sb_camera_chain_begin()    weights, key frames; says which Procrustes problems there are
 *   sb_camera_chain_segment()  one such problem: run it with sb_procrustes_cpu() or as an op of the device
 *   sb_camera_chain_finish()   chains their results to C_init (`--cameras procrustes` ends here), picks the static
 * points sb_camera_chain_bundle()   bundle adjustment: C, and fy := fx where it ran (`--cameras ba`)
 * sb_camera_chain_run() does all four on the host. Nothing but open() allocates. Everything is in double inside (the
 * reference: float32, so choices that hang on a comparison can differ where the values are equal to rounding).
 *
 * Not finite: a weight (visibility, confidence, dynamic probability) that is not finite counts as 0, a point that is
 * not finite takes no part. One frame: C_init = C. Two: one segment. No usable point: identity motions, C_init = C.
 */
#ifndef SB_CAMERA_CHAIN_H
#define SB_CAMERA_CHAIN_H

#include "procrustes.h"
#include "sb_ba.h"

#define SB_CAMERA_STATIC_MAX 1500 /* points that the bundle adjustment gets at most */
#define SB_CAMERA_SEGMENTS   2

/* State of the window, host memory. Track-major: element (n, t) at n*frames + t. */
struct sb_camera_state {
	int64_t tracks, queries; /* the first `queries` tracks are the user's: never static */
	int64_t frames;
	int64_t height, width;               /* Hr, Wr */
	float fx, fy;                        /* fX, fY: working resolution / (Wr, Hr) */
	const float *points;                 /* A [tracks, frames, 3], camera space of frame t */
	const float *px;                     /* [tracks, frames, 2], pixels of Hr x Wr */
	const float *vis, *conf, *dyn, *pro; /* logits [tracks, frames] */
	const float *query;                  /* [tracks, 3] t, x, y; pixels of the working resolution */
	const float *z0, *u0;                /* [tracks] depth and validity of the query */
	const float *cam;                    /* C [frames, 4, 4], camera to world */
	const float *k;                      /* K_r [frames, 3, 3] */
};

struct sb_camera_result {
	int keys[SB_CAMERA_SEGMENTS + 1]; /* key frames, ascending; unused ones repeat the last */
	int64_t n_static;                 /* points handed to the bundle adjustment */
	struct sb_ba_result ba;
};

struct sb_camera_chain;

/* Room for windows of up to so many tracks and frames. Errors: SB_E_NOMEM. */
enum sb_status sb_camera_chain_open(
        int64_t max_tracks, int64_t max_frames, struct sb_camera_chain **out, struct sb_error *err);
void sb_camera_chain_close(struct sb_camera_chain *chain);

/* Borrows *state until the next begin. Returns the number of segments: 0 to SB_CAMERA_SEGMENTS. */
int sb_camera_chain_begin(struct sb_camera_chain *chain, const struct sb_camera_state *state);
/*
 * The problem of segment s: points of its first key frame against those of every frame of it, `inverse` set; x, y, w
 * and motion point into the chain's memory and may be replaced by copies on a device, as long as motion comes back.
 */
struct sb_procrustes_args sb_camera_chain_segment(struct sb_camera_chain *chain, int s);
/* cam_init [frames, 4, 4] = C_init (may be state->cam's own memory). */
void sb_camera_chain_finish(struct sb_camera_chain *chain, float *cam_init, struct sb_camera_result *result);
/*
 * cam [frames, 4, 4] = C and k [frames, 3, 3], which becomes square-pixelled (fy := fx), both untouched when skipped.
 * Camera matrices that are singular or not finite: skipped.
 */
void sb_camera_chain_bundle(struct sb_camera_chain *chain, const struct sb_ba_options *options, float *cam, float *k,
        struct sb_camera_result *result);

/* All of it: cam = C (C_init where skipped), k as above. cam and k may be the state's own. options NULL: no bundle. */
void sb_camera_chain_run(struct sb_camera_chain *chain, const struct sb_camera_state *state,
        const struct sb_ba_options *options, float *cam, float *k, struct sb_camera_result *result);

#endif
