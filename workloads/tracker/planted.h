/*
 * planted: inputs with a meaning for networks without one. Synthetic weights give depths that the clean-up would mask
 * out nearly everywhere, cameras of nowhere and tracks that follow nothing; with them the tracker would have no valid
 * point and bundle adjustment nothing to solve. So with synthetic weights of the front end the tracker is fed a depth
 * by formula, a pinhole camera that moves sideways, and with synthetic weights of either network bundle adjustment
 * solves a scene of our own. Uses backend, track_video. Source of the formulas: tests/data/README.md, "Tracker input".
 */
#ifndef SB_PLANTED_H
#define SB_PLANTED_H

#include "sb_track_video.h"

#define SB_PLANTED_POINTS_MIN 64 /* of the scene: bundle adjustment needs 50, and some leave the frame on the way */

struct sb_planted_shape {
	int64_t frames, h, w; /* the network's size */
	int64_t hr, wr;       /* the tracker's */
	int64_t points;       /* of the scene */
	uint64_t seed;        /* of the scene */
};

struct sb_planted {
	struct sb_planted_shape shape;
	float *k;   /* host [frames, 3, 3] in pixels of h x w */
	float *c2w; /* host [frames, 4, 4] */
	struct sb_track_planted scene;
	struct sb_backend *be; /* whose memory holds the depth; NULL: none does */
	uintptr_t depth;       /* outside the arm's memory, as weights are */
	float *seen;
	double *xyz;
	struct sb_pose *pose;
};

/*
 * Everything but the depth's place on the device. The scene: points on the planted depth of frame 0, seen from the
 * planted cameras with 0.5 px of noise, every tenth observation up to 5 px astray, those outside the frame missing;
 * its start has cameras 0.5 degrees and 0.01 off and points 5 % off.
 * Errors: SB_E_NOMEM.
 */
enum sb_status sb_planted_init(struct sb_planted *p, const struct sb_planted_shape *shape, struct sb_error *err);
void sb_planted_release(struct sb_planted *p);

/*
 * depth[t, y, x] = 3 + 0.5 sin((x + 2 t)/45) + 0.3 cos(y/35) at h x w, on the device: made at the first call, outside
 * every clock. Errors: SB_E_NOMEM, the device's.
 */
enum sb_status sb_planted_depth(struct sb_planted *p, struct sb_backend *be, const float **depth, struct sb_error *err);
int64_t sb_planted_depth_bytes(const struct sb_planted_shape *s);
float sb_planted_depth_at(int64_t t, int64_t y, int64_t x);
void sb_planted_depth_host(const struct sb_planted_shape *s, float *out); /* [frames, h, w] */

#endif
