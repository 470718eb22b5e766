/* results: what one pass leaves in host memory, as the files that are made of it need it. Everything is borrowed. */
#ifndef SB_RESULTS_H
#define SB_RESULTS_H

#include "sb_front.h"
#include "sb_track_net.h"

struct sb_track_results {
	const struct sb_track_outputs *out; /* of the user's tracks first; those beyond n_queries go into no file */
	int64_t n_queries;
	const float *queries;       /* [n_queries, 3] t, x, y as asked for, in pixels of hr x wr */
	const int32_t *follows;     /* [n_queries] sb_track_video_info.follows; NULL: each its own */
	int64_t hr, wr;             /* the tracker's resolution: pixels of `out` and of what follows */
	const float *depth, *valid; /* [frames, hr, wr] as the tracker was given them */
	const float *k;             /* [frames, 3, 3] as it was given them */
};

struct sb_results {
	const struct sb_front_input *input;    /* the frames, and how they became the network's */
	const struct sb_front_outputs *front;  /* its h x w is the network's size */
	const struct sb_track_results *tracks; /* NULL: no tracker ran */
};

/* Is there a result for this point? Before the window that a query stands in there is none. */
static inline bool sb_track_has_point(const struct sb_track_outputs *o, int64_t track, int64_t frame)
{
	return o->vis[track * o->frames + frame] != 0.0f;
}

#endif
