/* A plan and the host memory of its passes: what track_room.c opens and windows.c runs on. */
#ifndef SB_TRACK_ROOM_H
#define SB_TRACK_ROOM_H

#include "sb_queries.h"
#include "track_pass.h"

struct sb_track_room {
	struct sb_track_plan plan;
	int64_t windows, step, length; /* length: frames of a window */
	float *queries;                /* [n_queries, 3] by frame */
	int32_t *sorted;               /* [n_queries] the user's number of each of them */
	int64_t *until;                /* [windows] how many belong to the windows up to this one */
	float *support;                /* [support_sets, n_support, 3], or NULL: drawn */

	/* of a pass */
	int32_t *column;                    /* [n_queries] the results' column of each track */
	int32_t *follows;                   /* struct sb_track_video_info's */
	int32_t *source;                    /* [n_queries] which query stands here after the replacement */
	float *scratch;                     /* [n_queries, 3] */
	float *first;                       /* [n_queries, 3] queries by frame, those of the first window replaced */
	float *points;                      /* [n_queries + n_support, 3] of a window */
	float *carried;                     /* [n_queries, overlap, 6] */
	float *valid;                       /* [length, hr, wr] */
	float *cam, *k;                     /* of a window */
	struct sb_support_scratch *drawing; /* NULL: none are drawn */
	struct sb_pass_host host;
	struct sb_track_video_info info;
};

/* windows.c: the frame where a track was seen best, vis x conf; of equal ones the first, 0 where all are NaN. */
int64_t sb_track_seed_frame(const float *vis, const float *conf, int64_t frames);
/*
 * The first n tracks of window w are those of the windows before: their last results into room->carried, and into
 * room->points the query that the best of them makes, its frame counted in the window.
 */
void sb_track_carry(struct sb_track_room *r, const struct sb_track_outputs *out, int64_t w, int64_t n);

#endif
