/*
 * points: which points a case tracks and how: from the words of a case, and the preset's where it has none, to what the
 * tracker's plan wants. Uses workload, presets, queries, track_video.
 */
#ifndef SB_POINTS_H
#define SB_POINTS_H

#include "sb_presets.h"
#include "sb_track_video.h"
#include "sb_workload.h"

/* Sizes that positions are given in and turned into. */
struct sb_points_frame {
	int64_t frames, h, w; /* the network's */
	int64_t hr, wr;       /* the tracker's */
};

struct sb_points {
	float *queries; /* [n_queries, 3] t, x, y in pixels of hr x wr */
	int64_t n_queries;
	int64_t n_support;
	float *support; /* [support_sets, n_support, 3], or NULL: drawn from the seed */
	int64_t support_sets;
	int64_t iterations, window, overlap, windows;
	int time_len; /* rows of the time embedding: the mode's */
	enum sb_cameras cameras;
	uint64_t digest; /* of all of this: what is tracked, and how */
};

/*
 * Files hold lines t,x,y in pixels of the network's size; those of support points have t counted from the first frame
 * of a window, and as many points as asked for, once or once for each window.
 * Errors: SB_E_USAGE for words that do not go together, sb_queries_read()'s, SB_E_DATA for a file of support points of
 * another length, SB_E_NOMEM.
 */
enum sb_status sb_points_read(const struct sb_case *c, const struct sb_preset *preset, const struct sb_points_frame *f,
        struct sb_points *out, struct sb_error *err);
void sb_points_release(struct sb_points *p);

/* Side of the square grid that comes nearest to n points; n at least 1. */
int64_t sb_points_grid_side(int64_t n);

#endif
