/* save_tracks: the tracker's results in the shape, order and pixels of the files that are made of them. */
#ifndef SB_SAVE_TRACKS_H
#define SB_SAVE_TRACKS_H

#include "results.h"
#include "sb_safetensors.h"

#define SB_SAVED_TRACKS 11

/*
 * In this order, N = n_queries, pixels of the network's h x w:
 *   tracks_2d [frames, N, 3]         x, y, depth
 *   tracks_3d [frames, N, 6]         point in the camera of the frame, colour of the query (0..255)
 *   tracks_visibility [frames, N]    seen above 0.5; 0: no result, the query stands in a later window
 *   tracks_confidence [frames, N]    0..1
 *   tracks_queries [N, 3]            frame, x, y as asked for
 *   tracks_follows [N]               the query that the track follows: its own number unless it had no valid depth
 *   tracks_c2w, tracks_w2c [frames, 4, 4]   camera to world and back, relative to frame 0
 *   tracks_intrinsics [frames, 3, 3]
 *   tracks_points [frames, h, w, 3]  the point map that the tracker was given, in the camera of the frame
 *   tracks_valid [frames, h, w]      where it may be used: 0..1, resized
 */
struct sb_saved_tracks {
	struct sb_safetensor v[SB_SAVED_TRACKS];
	float *block;       /* all values */
	int64_t not_finite; /* positions (track, frame) of which x, y, depth or a coordinate is no number */
};

/* Errors: SB_E_NOMEM. */
enum sb_status sb_saved_tracks_init(struct sb_saved_tracks *t, const struct sb_results *r, struct sb_error *err);
void sb_saved_tracks_release(struct sb_saved_tracks *t);

/* ---- parts of it, for other files ---------------------------------------------------------------------------- */

bool sb_track_point_finite(const struct sb_track_outputs *o, int64_t track, int64_t frame);
int64_t sb_track_count_not_finite(const struct sb_track_results *t);
/* Inverse of a 4 x 4 matrix whose last row is 0 0 0 1, in double; singular: not finite. */
void sb_affine_inverse(const float *m, float *out);

/* A map [hr, wr, c] brought to the network's h x w as the reference does: bilinear, corners on corners. */
void sb_track_map_resize(const struct sb_results *r, const float *map, int64_t c, float *out);

#endif
