/* save: results of a pass as files. */
#ifndef SB_SAVE_H
#define SB_SAVE_H

#include "results.h"
#include "sb_workload.h"

/*
 * to->file: the front end's tensors depth [frames, h, w], confidence [frames, h, w], points [frames, h, w, 3],
 * pose_enc [frames, 9], c2w and w2c [frames, 4, 4], intrinsics [frames, 3, 3], all at the network's size; with tracks
 * those of save_tracks.h, whose names begin with tracks_, and the metadata tracks_not_finite.
 * to->npz: save_npz.h. to->overlay_dir: overlay.h. Both need tracks.
 * to->depth_dir: made if it is not there; frame_0000.png and so on, 16-bit grey, 0 = the clip's smallest depth, 65535 =
 * its largest, linear, both in the text chunks depth_min and depth_max; a depth that is not finite is 0 and counted in
 * not_finite.
 * Each file appears under its name when it is complete, and replaces one that was there.
 * Errors: SB_E_DATA naming the file that cannot be written (images before it stay), SB_E_USAGE without tracks where
 * they are wanted, and for one folder for both kinds of pictures, SB_E_NOMEM.
 */
enum sb_status sb_results_save(const struct sb_results *r, const struct sb_save *to, struct sb_error *err);
/* Those of the front end alone. */
enum sb_status sb_front_save(const struct sb_front_outputs *o, const struct sb_save *to, struct sb_error *err);

/* The metadata's value, "" when there is none. */
const char *sb_save_metadata(const struct sb_save *to, const char *key);

#endif
