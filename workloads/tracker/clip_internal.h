/* What clip.c, clip_ppm.c and clip_ffmpeg.c share. */
#ifndef SB_CLIP_INTERNAL_H
#define SB_CLIP_INTERNAL_H

#include "sb_clip.h"

/* Where picture bytes come from: read() gives 1 .. n bytes, or 0 at the end. */
struct sb_ppm_source {
	enum sb_status (*read)(void *ctx, void *buf, size_t n, size_t *got, struct sb_error *err);
	void *ctx;
};

/* What of the pictures is kept. */
struct sb_ppm_want {
	int64_t n_frames; /* room is made for so many and reading stops there; 0: all */
	int64_t stride;   /* at least 1 */
};

/* clip->rgb, n_decoded (= n_frames), height and width of a growing clip. */
struct sb_ppm_frames {
	uint8_t *rgb; /* owned by the caller, also after a failure */
	int64_t n, capacity, h, w;
};

/*
 * Read concatenated binary PPM pictures (P6, maxval 255, one size, no comments) to the end of the source or until
 * enough are kept. *frames starts as {0}; after success it holds n >= 0 frames and, when want->n_frames is set and n >
 * 0, room for all of those. Errors: SB_E_DATA naming the frame, from 0 on: not such a picture, truncated, another size,
 * too much memory; SB_E_NOMEM.
 */
enum sb_status sb_ppm_read(const struct sb_ppm_source *src, const struct sb_ppm_want *want,
        struct sb_ppm_frames *frames, struct sb_error *err);

/*
 * Decode `path` with ffmpeg. `note` gets what ffmpeg complained of although it succeeded.
 * Errors: SB_E_ENV when there is no ffmpeg, and those of sb_clip_load().
 */
enum sb_status sb_ffmpeg_decode(const char *path, const struct sb_ppm_want *want, int64_t timeout_ms,
        struct sb_ppm_frames *frames, struct sb_buf *note, struct sb_error *err);

#endif
