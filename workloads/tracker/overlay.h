/* overlay: tracks drawn on the frames they were found in. */
#ifndef SB_OVERLAY_H
#define SB_OVERLAY_H

#include "results.h"
#include "sb_workload.h"

#define SB_OVERLAY_TAIL 16 /* frames */

/*
 * Into to->overlay_dir, made if it is not there: frame_0000.png and so on, the clip's own frames at their own size with
 * a disc where each of the user's tracks is, and behind it a tail through the last SB_OVERLAY_TAIL frames that fades
 * out. A point that is hidden (visibility at most 0.5) is a ring, its part of the tail dim. Colours, one a track, are
 * far apart from one track to the next and keep apart for colour-blind eyes; discs have a dark edge.
 * Text chunks of each picture: tracks; shown, hidden (how many are drawn as which); not_finite (positions that are no
 * numbers are not drawn); absent (tracks that have not begun); run, arm.
 * Each picture appears under its name when it is complete, and replaces one that was there.
 * Errors: SB_E_DATA naming the file that cannot be written (pictures before it stay), SB_E_NOMEM.
 */
enum sb_status sb_overlay_save(const struct sb_results *r, const struct sb_save *to, struct sb_error *err);

/* A pixel position at the tracker's resolution, in pixels of the clip's own frames. */
void sb_overlay_place(const struct sb_results *r, const float *xy, double *x, double *y);

/* The i-th track's. */
void sb_overlay_colour(int64_t i, uint8_t colour[3]);

#endif
